#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keys/key_store.h"
#include "keys/snapshot_keeper.h"
#include "tests/keys/fake_files.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {

using testing::FakeFiles;

inline constexpr char kSharedPath[] = "/keys/snapshot";
inline constexpr char kIssuer[] = "https://idp.example";

// KeyStoreSharedTest has processes with one snapshot on one disk, whose turns are the test's to give.
class KeyStoreSharedTest : public ::testing::Test {
 protected:
  class TestClock final : public Clock {
   public:
    explicit TestClock(const KeyStoreSharedTest& test) : test_(test) {}
    Now Read() const override { return {.wall_s = test_.wall_ms_ / 1000, .mono_ms = test_.now_ms_}; }

   private:
    const KeyStoreSharedTest& test_;
  };

  // Process is one worker: its store, its network, and what it has asked others for.
  struct Process {
    Process(KeyStoreSharedTest& test_in, std::vector<IssuerConfig> issuers, uint64_t seed = 1)
        : test(test_in),
          keeper({.path = kSharedPath, .key = std::string(32, 'k'), .shared = true}, test.files_,
                 test.clock_) {
      Config config;
      config.issuers = std::move(issuers);
      config.timing = test.timing_;
      auto made = KeyStore::Create(config, seed, blocks, [this](uint32_t) { ++num_settled; },
                                   {.files = &test.files_, .clock = &test.clock_});
      EXPECT_TRUE(made.ok()) << made.status();
      store = *std::move(made);
      store->SetOnWanted([this](std::string_view issuer) { wanted.emplace_back(issuer); });
      store->UseSnapshot(keeper);
    }

    // Turn is one turn of the background loop.
    void Turn() {
      store->RunDue(test.now_ms_, network);
      std::vector<FetchResult> done;
      network.Poll(0, &done);
      for (FetchResult& result : done) store->TakeIn(std::move(result), test.now_ms_);
      store->RunDue(test.now_ms_, network);
      store->RunSnapshot(test.now_ms_);
    }
    void Answer(const FakeAnswer& answer) {
      Turn();
      ASSERT_TRUE(network.CompleteOldest(answer));
      Turn();
    }
    bool leads() const { return keeper.Health(test.now_ms_).leads; }
    bool asks() const { return !network.pending().empty(); }
    Reason Find(std::string_view kid) {
      const sync::ReadScope scope(blocks);
      const IssuerKey* key = nullptr;
      return store->Find(scope, 0, true, kid, Algorithm::kEs256, test.now_ms_, &key);
    }
    KeyRef RefOf(std::string_view kid) {
      const sync::ReadScope scope(blocks);
      const IssuerKey* key = nullptr;
      EXPECT_EQ(store->Find(scope, 0, true, kid, Algorithm::kEs256, test.now_ms_, &key), Reason::kNone);
      return key == nullptr ? KeyRef{} : key->ref;
    }
    KeyStore::Standing Standing() { return store->StandingAt(0, test.now_ms_); }

    KeyStoreSharedTest& test;
    sync::ThreadBlocks blocks;
    FakeTransport network;
    SnapshotKeeper keeper;
    int num_settled = 0;
    std::vector<std::string> wanted;
    std::unique_ptr<KeyStore> store;
  };

  std::unique_ptr<Process> Start(std::string_view jwks_uri = "https://idp.example/jwks", uint64_t seed = 1) {
    IssuerConfig issuer;
    issuer.issuer = kIssuer;
    issuer.jwks_uri = jwks_uri;
    return std::make_unique<Process>(*this, std::vector<IssuerConfig>{issuer}, seed);
  }
  static std::vector<IssuerConfig> Two() {
    std::vector<IssuerConfig> issuers(2);
    issuers[0].issuer = kIssuer;
    issuers[0].jwks_uri = "https://idp.example/jwks";
    issuers[1].issuer = "https://other.example";
    issuers[1].jwks_uri = "https://other.example/jwks";
    return issuers;
  }
  void Pass(int64_t ms) {
    now_ms_ += ms;
    wall_ms_ += ms;
  }
  // Longer than any pause between two looks, and than changes are gathered.
  void PassALook(std::initializer_list<Process*> processes) {
    Pass(timing_.file_interval_ms);
    for (Process* const process : processes) process->Turn();
  }

  int64_t now_ms_ = 5'000'000;
  int64_t wall_ms_ = 1'800'000'000'000;
  Timing timing_;
  TestClock clock_{*this};
  FakeFiles files_;
};

}  // namespace tollgate::keys
