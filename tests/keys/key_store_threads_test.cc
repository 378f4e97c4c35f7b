#include <gtest/gtest.h>

#include <atomic>
#include <optional>
#include <string>
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

// Readers look issuers up by name while others come, change and go. Whoever is found is whole: the key at the
// position is that of the name, as long as the scope; an issuer that nobody touches is always there; and a
// generation whose end was acknowledged is never current again.
TEST(KeyStoreThreads, ReadersSeeWholeIssuersWhileTheseComeChangeAndGo) {
  constexpr int kReaders = 3;
  constexpr int kRounds = 16;
  constexpr int64_t kNow = 1'000'000;
  constexpr int kComing = 4;
  const auto named = [](int n, int key) {
    // The kid says whose key it is.
    IssuerConfig issuer;
    issuer.issuer = "https://i" + std::to_string(n) + ".example";
    issuer.jwks = SetText({Key(key, std::to_string(n))});
    return issuer;
  };
  Config config;
  config.issuers_max = kComing + 1;
  config.issuers.push_back(named(kComing, 0));  // This one stays.
  sync::ThreadBlocks blocks;
  auto created = KeyStore::Create(config, 1, blocks, nullptr);
  ASSERT_TRUE(created.ok());
  KeyStore& store = **created;
  FakeTransport network;
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> ended{0};  // Slot and generation of the last key whose end was acknowledged.
  std::atomic<uint64_t> found_coming{0};
  std::atomic<int> started{0};
  std::atomic<uint32_t> last_position{0};

  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      for (int n = r; !stop.load(std::memory_order_acquire); ++n) {
        {
          const uint64_t gone = ended.load(std::memory_order_acquire);
          const sync::ReadScope scope(blocks);
          const KeyRef gone_ref{static_cast<uint32_t>(gone >> 32), static_cast<uint32_t>(gone)};
          EXPECT_FALSE(gone != 0 && store.IsCurrent(gone_ref));
          const int which = n % (kComing + 1);
          const std::string name = "https://i" + std::to_string(which) + ".example";
          const std::optional<uint32_t> position = store.FindIssuer(scope, name);
          ASSERT_TRUE(position.has_value() || which != kComing);
          if (position.has_value()) {
            const IssuerKey* key = nullptr;
            const std::string kid = std::to_string(which);
            ASSERT_EQ(store.Find(scope, *position, true, kid, Algorithm::kEs256, kNow, &key), Reason::kNone);
            EXPECT_EQ(key->jwk->key_id, kid);
            int64_t age_ms = 0;
            EXPECT_TRUE(store.IsFresh(*position, kNow, &age_ms));
            EXPECT_EQ(store.FindByRef(scope, *position, key->ref), key);
            uint32_t owner;
            EXPECT_TRUE(!store.IsCurrent(key->ref, &owner) || owner == *position);
            if (which != kComing) found_coming.fetch_add(1, std::memory_order_relaxed);
          }
        }
        // A position from earlier, as a Decision has it: whoever is there now, or nobody.
        store.WaitsForFetch(last_position.load(std::memory_order_relaxed));
        store.StandingAt(last_position.load(std::memory_order_relaxed), kNow);
        if (n == r) started.fetch_add(1, std::memory_order_release);
      }
    });
  }
  while (started.load(std::memory_order_acquire) < kReaders && !::testing::Test::HasFailure()) {
    std::this_thread::yield();
  }
  std::thread background([&] {
    while (!stop.load(std::memory_order_acquire)) {
      store.RunDue(kNow, network);
      store.Health(kNow);
      store.ReadMemory();
      std::this_thread::yield();
    }
  });
  for (int i = 0; i < kRounds; ++i) {
    const int which = i % kComing;
    ASSERT_TRUE(store.AddIssuer(named(which, i % 3)).ok());
    KeyRef ref;
    const auto look = [&] {
      const sync::ReadScope scope(blocks);
      const uint32_t position = *store.FindIssuer(scope, named(which, 0).issuer);
      const IssuerKey* key = nullptr;
      ASSERT_EQ(store.Find(scope, position, true, std::to_string(which), Algorithm::kEs256, kNow, &key),
                Reason::kNone);
      ref = key->ref;
      last_position.store(position, std::memory_order_relaxed);
    };
    look();
    ASSERT_TRUE(store.ChangeIssuer(named(which, (i + 1) % 3)).ok());
    ended.store(uint64_t{ref.slot} << 32 | ref.generation, std::memory_order_release);
    look();
    std::this_thread::yield();
    ASSERT_TRUE(store.RemoveIssuer(named(which, 0).issuer).ok());
    ended.store(uint64_t{ref.slot} << 32 | ref.generation, std::memory_order_release);
  }
  // However the threads were scheduled, some have met somebody who came.
  ASSERT_TRUE(store.AddIssuer(named(0, 0)).ok());
  while (found_coming.load(std::memory_order_relaxed) == 0 && !::testing::Test::HasFailure())
    std::this_thread::yield();
  stop.store(true, std::memory_order_release);
  for (std::thread& reader : readers) reader.join();
  background.join();
}

// Readers ask for tenants of a template while its list of them changes and its keys rotate. A tenant that is
// found has its own names for the keys and a set that is whole, one that is always in the list is always
// found, and a generation whose end was acknowledged, of whichever tenant, is never current again.
TEST(KeyStoreThreads, ReadersSeeWholeTenantsWhileTheirListAndTheirKeysChange) {
  constexpr int kReaders = 3;
  constexpr int kRounds = 24;
  constexpr int64_t kRefreshMs = 2'000'000;  // Longer than refreshes are apart, and within the bound.
  constexpr char kTemplate[] = "https://login.example/{tenantid}";
  const auto named = [&](int n) { return "https://login.example/t" + std::to_string(n); };
  const auto family = [&](int comes) {
    IssuerConfig config;
    config.issuer = kTemplate;
    config.jwks_uri = "https://login.example/keys";
    config.tenants = {"t0", "t" + std::to_string(comes)};
    return config;
  };
  Config config;
  config.issuers_max = 3;
  config.issuers.push_back(family(1));
  sync::ThreadBlocks blocks;
  auto created = KeyStore::Create(config, 1, blocks, nullptr);
  ASSERT_TRUE(created.ok());
  KeyStore& store = **created;
  FakeTransport network;
  std::atomic<int64_t> now_ms{1'000'000};
  const auto fetch = [&](int odd) {
    nlohmann::json stays = Key(0, "stays"), rotates = Key(1 + odd, odd == 1 ? "odd" : "even");
    stays["issuer"] = rotates["issuer"] = kTemplate;
    network.SetAnswer("https://login.example/keys", Ok({stays, rotates}));
    // Ordering: relaxed, here and below, of what the joins order; acquire and release of what names an end.
    const int64_t now = now_ms.fetch_add(kRefreshMs, std::memory_order_relaxed) + kRefreshMs;
    store.RunDue(now, network);
    std::vector<FetchResult> done;
    network.Poll(0, &done);
    ASSERT_EQ(done.size(), 1u);
    store.TakeIn(std::move(done[0]), now);
  };
  fetch(0);

  std::atomic<bool> stop{false};
  std::atomic<uint64_t> ended{0};  // Slot and generation of the last key whose end was acknowledged.
  std::atomic<int> started{0};
  std::atomic<uint64_t> found_coming{0};
  std::vector<std::thread> readers;
  for (int r = 0; r < kReaders; ++r) {
    readers.emplace_back([&, r] {
      for (int n = r; !stop.load(std::memory_order_relaxed); ++n) {
        const uint64_t gone = ended.load(std::memory_order_acquire);
        const int64_t now = now_ms.load(std::memory_order_relaxed);
        const sync::ReadScope scope(blocks);
        const KeyRef gone_ref{static_cast<uint32_t>(gone >> 32), static_cast<uint32_t>(gone)};
        EXPECT_FALSE(gone != 0 && store.IsCurrent(gone_ref));
        EXPECT_EQ(store.FindIssuer(scope, kTemplate), std::nullopt);
        const int which = n % 3;
        const std::optional<uint32_t> position = store.FindIssuer(scope, named(which));
        ASSERT_TRUE(position.has_value() || which != 0);
        if (position.has_value()) {
          const IssuerKey* key = nullptr;
          ASSERT_EQ(store.Find(scope, *position, true, "stays", Algorithm::kEs256, now, &key), Reason::kNone);
          // In the set of this moment, which may be a later one.
          const IssuerKey* const again = store.FindByRef(scope, *position, key->ref);
          ASSERT_NE(again, nullptr);
          EXPECT_EQ(again->jwk, key->jwk);
          uint32_t owner;
          EXPECT_TRUE(!store.IsCurrent(key->ref, &owner) || owner == *position);
          store.Find(scope, *position, true, "odd", Algorithm::kEs256, now, &key);
          if (n % 16 == r)
            store.Find(scope, *position, true, std::to_string(n), Algorithm::kEs256, now, &key);
          EXPECT_NE(store.StandingAt(*position, now).freshness, Freshness::kUnavailable);
          int64_t age_ms = 0;
          store.IsFresh(*position, now, &age_ms);
          if (which != 0) found_coming.fetch_add(1, std::memory_order_relaxed);
        }
        if (n == r) started.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  while (started.load(std::memory_order_relaxed) < kReaders && !::testing::Test::HasFailure())
    std::this_thread::yield();
  for (int i = 0; i < kRounds; ++i) {
    KeyRef ref;
    {
      const sync::ReadScope scope(blocks);
      const IssuerKey* key = nullptr;
      const uint32_t position = *store.FindIssuer(scope, named(i % 2 == 0 ? 0 : 1 + i / 2 % 2));
      const char* const kid = i % 2 == 0 ? "even" : "odd";
      ASSERT_EQ(store.Find(scope, position, true, kid, Algorithm::kEs256,
                           now_ms.load(std::memory_order_relaxed), &key),
                Reason::kNone);
      ref = key->ref;
    }
    // Either the key goes, or the tenant.
    if (i % 2 == 0) {
      fetch(1);
    } else {
      ASSERT_TRUE(store.ChangeIssuer(family(1 + (i / 2 + 1) % 2)).ok());
    }
    ended.store(uint64_t{ref.slot} << 32 | ref.generation, std::memory_order_release);
    if (i % 2 == 1) fetch(0);
    const std::vector<IssuerHealth> health = store.Health(now_ms.load(std::memory_order_relaxed));
    ASSERT_EQ(health.size(), 1u);
    EXPECT_EQ(health[0].num_tenants, 2u);
    store.ReadMemory();
    std::this_thread::yield();
  }
  while (found_coming.load(std::memory_order_relaxed) == 0 && !::testing::Test::HasFailure())
    std::this_thread::yield();
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& reader : readers) reader.join();
}

}  // namespace
}  // namespace tollgate::keys
