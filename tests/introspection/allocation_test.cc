// A program of its own, since it replaces operator new by one that counts bytes: what the tables of this room
// hold is what they say that they hold, and what was given up is given back.

#include <malloc.h>

#include <atomic>
#include <cstdlib>
#include <new>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "introspection/introspector.h"
#include "tests/introspection/introspector_fixture.h"

namespace {

// Ordering: relaxed throughout; one thread allocates and reads.
std::atomic<int64_t> live_bytes{0};

int64_t LiveBytes() { return live_bytes.load(std::memory_order_relaxed); }

}  // namespace

// Never inlined: gcc would see malloc's memory given to delete, and warn.
[[gnu::noinline]] void* operator new(size_t size) {
  void* const p = std::malloc(size);
  if (p == nullptr) std::abort();
  live_bytes.fetch_add(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
  return p;
}
[[gnu::noinline]] void operator delete(void* p) noexcept {
  if (p != nullptr)
    live_bytes.fetch_sub(static_cast<int64_t>(malloc_usable_size(p)), std::memory_order_relaxed);
  std::free(p);
}
[[gnu::noinline]] void operator delete(void* p, size_t) noexcept { operator delete(p); }

namespace tollgate::introspection {
namespace {

constexpr int64_t kNow = 1'000'000;

// A network that swallows what it is given.
class Silent : public Transport {
 public:
  void Start(FetchRequest) override { ++num_started; }
  void Poll(int, std::vector<FetchResult>*) override {}
  void Wake() override {}
  size_t num_started = 0;
};

AnswerKey Key(uint32_t number) {
  AnswerKey key;
  for (size_t i = 0; i < 4; ++i) key.token[i] = static_cast<uint8_t>(number >> 8 * i);
  return key;
}

TEST(AnswerCacheBytes, AreWhatTheHeapGave) {
  const int64_t before = LiveBytes();
  constexpr size_t kBytesMax = 1 << 20;
  AnswerCache cache(kBytesMax);
  int64_t most = 0;
  for (uint32_t i = 0; i < 30'000; ++i) {
    StoredAnswer stored;
    stored.answer.active = i % 3 == 0;
    if (stored.answer.active) stored.answer.text.assign(i % 700, 'x');
    stored.verified = i % 3 == 1;
    cache.Put(Key(i), std::move(stored));
    const int64_t live = LiveBytes() - before;
    most = std::max(most, live);
    // What malloc gives for a text that fits into the string itself is counted and not there.
    ASSERT_LE(live, static_cast<int64_t>(cache.bytes())) << i;
    ASSERT_LE(cache.bytes(), kBytesMax);
  }
  EXPECT_GT(most, static_cast<int64_t>(kBytesMax) / 2);
}

TEST(IntrospectorBytes, TokensThatWaitedTooLongAreGivenBack) {
  constexpr int kTokens = 64;
  Config config;
  config.issuers = {Issuer("https://idp.example")};
  config.issuers[0].introspection.in_flight_max = 1;
  config.issuers[0].introspection.waiting_max = 2 * kTokens;
  Introspector introspector(config, 1, nullptr);
  Silent network;
  const int64_t before = LiveBytes();
  for (int i = 0; i < kTokens; ++i) {
    const std::string token(limits::kTokenBytesMax, static_cast<char>('0' + i));
    ASSERT_TRUE(introspector.Ask(0, token, introspector.NameToken(token, false), false, 0, kNow).asked);
  }
  constexpr int64_t kAll = kTokens * static_cast<int64_t>(limits::kTokenBytesMax);
  EXPECT_GE(LiveBytes() - before, kAll);
  // The one that was sent is the transport's.
  introspector.RunDue(kNow, network);
  EXPECT_EQ(network.num_started, 1u);
  EXPECT_LT(LiveBytes() - before, kAll);
  introspector.RunDue(kNow + config.timing.introspection_timeout_ms, network);
  EXPECT_EQ(network.num_started, 1u);
  EXPECT_LT(LiveBytes() - before, static_cast<int64_t>(2 * limits::kTokenBytesMax));
}

}  // namespace
}  // namespace tollgate::introspection
