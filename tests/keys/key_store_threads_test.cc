#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

// Readers ask while keys rotate. A key that Find returned is whole and usable as long as the scope, a key
// that is always in the set is always found and always current, and one whose end was reported is never
// current again.
TEST(KeyStoreThreads, ReadersSeeWholeSetsWhileKeysRotate) {
  constexpr int kReaders = 3;
  constexpr int kRotations = 60;
  constexpr int64_t kNow = 1'000'000;
  Config config;
  IssuerConfig issuer;
  issuer.issuer = "https://idp.example";
  issuer.jwks_uri = "https://idp.example/jwks";
  config.issuers.push_back(issuer);
  sync::ThreadBlocks blocks;
  auto created = KeyStore::Create(config, 1, blocks, nullptr);
  ASSERT_TRUE(created.ok());
  KeyStore& store = **created;
  std::atomic<int64_t> now_ms{kNow};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> ended{0};  // Slot and generation of the last key whose end was acknowledged.
  std::atomic<uint64_t> wakes{0};
  store.SetWaker([&] { wakes.fetch_add(1, std::memory_order_relaxed); });

  FakeTransport network;
  const auto fetch = [&](const std::vector<nlohmann::json>& jwks) {
    const int64_t now = now_ms.fetch_add(2'000'000, std::memory_order_acq_rel) + 2'000'000;
    store.RunDue(now, network);
    ASSERT_TRUE(network.CompleteOldest(Ok(jwks)));
    std::vector<FetchResult> done;
    network.Poll(0, &done);
    for (FetchResult& result : done) store.TakeIn(std::move(result), now);
  };
  fetch({Key(0, "stays"), Key(1, "odd")});

  std::vector<std::thread> readers;
  std::atomic<uint64_t> found_rotating{0};
  std::atomic<int> started{0};
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      for (uint64_t n = 0; !stop.load(std::memory_order_acquire); ++n) {
        const sync::ReadScope scope(blocks);
        // Within the bound: the sets are at most one rotation old.
        const int64_t now = now_ms.load(std::memory_order_acquire);
        const uint64_t gone = ended.load(std::memory_order_acquire);
        const KeyRef gone_ref{static_cast<uint32_t>(gone >> 32), static_cast<uint32_t>(gone)};
        EXPECT_FALSE(gone != 0 && store.IsCurrent(gone_ref));
        EXPECT_EQ(store.FindByRef(scope, 0, gone_ref), nullptr);

        const IssuerKey* key = nullptr;
        ASSERT_EQ(store.Find(scope, 0, true, "stays", Algorithm::kEs256, now, &key), Reason::kNone);
        EXPECT_EQ(key->jwk->key_id, "stays");
        EXPECT_TRUE(store.IsCurrent(key->ref));
        for (const char* kid : {"odd", "even"}) {
          const Reason reason = store.Find(scope, 0, true, kid, Algorithm::kEs256, now, &key);
          if (reason == Reason::kNone) {
            EXPECT_EQ(key->jwk->key_id, kid);
            found_rotating.fetch_add(1, std::memory_order_relaxed);
          } else {
            EXPECT_TRUE(reason == Reason::kKeyPending || reason == Reason::kKeyUnknown) << ReasonName(reason);
          }
        }
        if (n % 8 == 0) {
          const std::string absent = "absent-" + std::to_string(r) + "-" + std::to_string(n % 64);
          store.Find(scope, 0, true, absent, Algorithm::kEs256, now, &key);
        }
        EXPECT_NE(store.StandingAt(0, now).freshness, Freshness::kUnavailable);
        if (n == 0) started.fetch_add(1, std::memory_order_release);
      }
    });
  }

  // On a busy machine the rotations would be over before any reader has run.
  while (started.load(std::memory_order_acquire) < kReaders && !::testing::Test::HasFailure()) {
    std::this_thread::yield();
  }
  for (int i = 0; i < kRotations; ++i) {
    const char* leaving = i % 2 == 0 ? "odd" : "even";
    KeyRef ref;
    {
      const sync::ReadScope scope(blocks);
      const IssuerKey* key = nullptr;
      ASSERT_EQ(store.Find(scope, 0, true, leaving, Algorithm::kEs256, now_ms.load(), &key), Reason::kNone);
      ref = key->ref;
    }
    fetch({Key(0, "stays"), i % 2 == 0 ? Key(2, "even") : Key(1, "odd")});
    ended.store(uint64_t{ref.slot} << 32 | ref.generation, std::memory_order_release);
    store.Health(now_ms.load());
  }
  stop.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  EXPECT_GT(found_rotating.load(), 0u);
}

}  // namespace
}  // namespace tollgate::keys
