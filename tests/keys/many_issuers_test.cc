// A hundred thousand issuers: they find their keys, nobody's host is asked too often, and what they take is
// bounded.

#include <gtest/gtest.h>
#include <malloc.h>

#include <array>
#include <iostream>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

// AnsweringTransport answers everything at once with the same set, and keeps when it asked which host.
class AnsweringTransport final : public Transport {
 public:
  void Start(FetchRequest request) override {
    const size_t begin = std::string_view("https://").size();
    sent[request.url.substr(begin, request.url.find('/', begin) - begin)].push_back(now_ms);
    FetchResult result;
    result.id = request.id;
    result.outcome = FetchOutcome::kAnswered;
    result.http_status = 200;
    result.body = body;
    done_.push_back(std::move(result));
  }
  void Poll(int, std::vector<FetchResult>* done) override {
    std::move(done_.begin(), done_.end(), std::back_inserter(*done));
    done_.clear();
  }
  void Wake() override {}

  int64_t now_ms = 0;
  std::string body;
  std::map<std::string, std::vector<int64_t>> sent;  // By host.

 private:
  std::vector<FetchResult> done_;
};

size_t BytesInUse() {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

// Whether mallinfo2 knows anything.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kBytesAreKnown = false;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
constexpr bool kBytesAreKnown = false;
#else
constexpr bool kBytesAreKnown = true;
#endif
#else
constexpr bool kBytesAreKnown = true;
#endif

TEST(ManyIssuers, AreAllFetchedAndNoHostIsAskedMoreOftenThanItsBucketAllows) {
  constexpr uint32_t kIssuers = 100'000;
  constexpr size_t kBytesPerIssuerMax = 3072;
  Config config;
  for (uint32_t i = 0; i < kIssuers; ++i) {
    // Nearly all on one host, and a hundred on hosts of their own.
    const std::string tenant = "tenant-" + std::to_string(i);
    IssuerConfig issuer;
    issuer.issuer = i % 1'000 == 999 ? "https://" + tenant + ".example" : "https://idp.example/" + tenant;
    issuer.jwks_uri = issuer.issuer + "/jwks";
    config.issuers.push_back(std::move(issuer));
  }
  AnsweringTransport network;
  network.body = SetText({Key(0, "a")});
  sync::ThreadBlocks blocks;
  const size_t before = BytesInUse();
  auto created = KeyStore::Create(config, 1, blocks, nullptr);
  ASSERT_TRUE(created.ok()) << created.status();
  KeyStore& store = **created;
  const size_t idle = BytesInUse() - before;

  const int64_t begin_ms = 1'000'000;
  int64_t now_ms = begin_ms;
  std::vector<FetchResult> done;
  const auto turn = [&] {
    network.now_ms = now_ms;
    store.RunDue(now_ms, network);
    network.Poll(0, &done);
    for (FetchResult& result : done) store.TakeIn(std::move(result), now_ms);
    done.clear();
    return store.RunDue(now_ms, network);
  };
  // The hundred are not kept waiting by the others.
  turn();
  while (network.sent.size() < 1 + kIssuers / 1'000) turn();
  EXPECT_EQ(network.sent["idp.example"].size(), 5u);
  EXPECT_EQ(store.StandingAt(99'998, now_ms).retry_after_ms, (kIssuers - kIssuers / 1'000 - 5) * 200);

  const int64_t end_ms = begin_ms + int64_t{kIssuers} * 200;
  while (now_ms < end_ms) now_ms = std::max(now_ms + 1, turn());
  const size_t fetched = BytesInUse() - before;
  for (const IssuerHealth& health : store.Health(now_ms)) {
    ASSERT_GE(health.fetches, 1u) << health.issuer;
    ASSERT_EQ(health.num_keys, 1u);
  }
  for (const auto& [host, times] : network.sent) {
    for (size_t i = 5; i < times.size(); ++i) ASSERT_GE(times[i] - times[i - 5], 200) << host;
    const auto seconds = static_cast<size_t>((end_ms - begin_ms) / 1'000);
    ASSERT_LE(times.size(), 5 + 5 * seconds) << host;
  }
  EXPECT_GE(network.sent["idp.example"].size(), kIssuers - kIssuers / 1'000);

  const sync::ReadScope scope(blocks);
  for (uint32_t i = 0; i < kIssuers; i += 7) {
    const std::optional<uint32_t> found = store.FindIssuer(scope, config.issuers[i].issuer);
    ASSERT_EQ(found, i);
    // So many on one host are too many for the staleness bound: it has an hour's worth.
    if (i < 90'000) continue;
    const IssuerKey* key = nullptr;
    ASSERT_EQ(store.Find(scope, *found, true, "a", Algorithm::kEs256, now_ms, &key), Reason::kNone);
  }
  EXPECT_EQ(store.FindIssuer(scope, "https://idp.example/tenant-100000"), std::nullopt);

  const KeyStore::Memory memory = store.ReadMemory();
  EXPECT_EQ(memory.num_issuers, kIssuers);
  EXPECT_EQ(memory.num_keys, kIssuers);
  EXPECT_LE(memory.bytes, kIssuers * kBytesPerIssuerMax);
  if (kBytesAreKnown) {
    std::cout << "bytes per issuer: " << idle / kIssuers << " before the first fetch, " << fetched / kIssuers
              << " with one P-256 key, " << memory.bytes / kIssuers << " as told\n";
    // What the network of this test keeps is in it, 8 bytes for each request.
    EXPECT_LE(fetched, kIssuers * kBytesPerIssuerMax);
    EXPECT_GE(memory.bytes, fetched / 4 * 3);
    EXPECT_LE(memory.bytes, fetched / 4 * 5);
  }
}

TEST(ManyIssuers, MayBeAsManyAsTheLimitAndNotOneMore) {
  Config config;
  config.issuers_max = limits::kIssuersMax;
  const std::string jwks = SetText({Key(0, "a")});
  for (uint32_t i = 0; i < 100; ++i)
    config.issuers.push_back({.issuer = "https://i" + std::to_string(i) + ".example", .jwks = jwks});
  sync::ThreadBlocks blocks;
  auto store = KeyStore::Create(config, 1, blocks, nullptr);
  ASSERT_TRUE(store.ok());
  IssuerConfig issuer;
  for (uint32_t i = 100; i < limits::kIssuersMax; ++i) {
    issuer.issuer = "https://i" + std::to_string(i) + ".example";
    issuer.jwks_uri = "https://i.example/jwks";
    ASSERT_TRUE((*store)->AddIssuer(issuer).ok()) << i;
  }
  issuer.issuer = "https://one.more.example";
  EXPECT_EQ((*store)->AddIssuer(issuer).code(), absl::StatusCode::kResourceExhausted);
  const sync::ReadScope scope(blocks);
  for (uint32_t i = 0; i < limits::kIssuersMax; ++i)
    ASSERT_EQ((*store)->FindIssuer(scope, "https://i" + std::to_string(i) + ".example"), i);
}

}  // namespace
}  // namespace tollgate::keys
