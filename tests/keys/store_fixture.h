#pragma once

#include <gtest/gtest.h>

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "keys/key_store.h"
#include "sync/thread_blocks.h"
#include "tests/keys/fake_transport.h"
#include "tools/idp/mint.h"

namespace tollgate::keys {

using testing::FakeAnswer;
using testing::FakeTransport;

// The JWK of the n-th ES256 test key under `kid`.
inline nlohmann::json Key(int n, std::string_view kid) {
  return idp::TestKey("ES256", n).WithKid(kid).PublicJwk();
}

inline std::string SetText(const std::vector<nlohmann::json>& jwks) {
  return nlohmann::json{{"keys", jwks}}.dump();
}

inline FakeAnswer Ok(const std::vector<nlohmann::json>& jwks, std::string etag = "") {
  FakeAnswer answer;
  answer.body = SetText(jwks);
  answer.etag = std::move(etag);
  return answer;
}
inline FakeAnswer Status(int status) {
  FakeAnswer answer;
  answer.http_status = status;
  return answer;
}
inline FakeAnswer Broken(FetchOutcome outcome) {
  FakeAnswer answer;
  answer.outcome = outcome;
  return answer;
}

// StoreTest drives a KeyStore by hand: a clock that is a number, a network that answers when told.
class StoreTest : public ::testing::Test {
 protected:
  static IssuerConfig Fetched(std::string_view issuer = "https://idp.example") {
    IssuerConfig config;
    config.issuer = issuer;
    config.jwks_uri = std::string(issuer) + "/jwks";
    return config;
  }
  static IssuerConfig Inline(std::string_view issuer, const std::vector<nlohmann::json>& jwks) {
    IssuerConfig config;
    config.issuer = issuer;
    config.jwks = SetText(jwks);
    return config;
  }

  absl::Status TryOpen(std::vector<IssuerConfig> issuers) {
    config_.issuers = std::move(issuers);
    config_.timing = timing_;
    auto store = KeyStore::Create(
        config_, 1, blocks_, [this](uint32_t issuer) { settled_.push_back(issuer); }, outside_);
    if (!store.ok()) return store.status();
    store_ = *std::move(store);
    store_->SetWaker([this] { ++wakes_; });
    return absl::OkStatus();
  }
  void Open(std::vector<IssuerConfig> issuers = {Fetched()}) {
    const absl::Status opened = TryOpen(std::move(issuers));
    ASSERT_TRUE(opened.ok()) << opened;
  }
  // Open, and the first fetch brings `answer`.
  void OpenWith(const FakeAnswer& answer) {
    Open();
    Run();
    Answer(answer);
  }

  // Run is one turn of the background loop.
  int64_t Run() {
    store_->RunDue(now_ms_, network_);
    std::vector<FetchResult> done;
    network_.Poll(0, &done);
    for (FetchResult& result : done) store_->TakeIn(std::move(result), now_ms_);
    return store_->RunDue(now_ms_, network_);
  }
  // Answer ends the oldest request in flight.
  void Answer(const FakeAnswer& answer) {
    ASSERT_TRUE(network_.CompleteOldest(answer));
    Run();
  }
  // Asked returns the URLs that were asked for since it was last called.
  std::vector<std::string> Asked() {
    std::vector<std::string> urls;
    const std::vector<FetchRequest> requests = network_.requests();
    for (; asked_ < requests.size(); ++asked_) urls.push_back(requests[asked_].url);
    return urls;
  }
  // RunUntil lets time pass up to `end_ms`, background turns included, as fast as they are due.
  void RunUntil(int64_t end_ms) {
    for (int turns = 0; turns < 100'000; ++turns) {
      const int64_t due_ms = Run();
      if (due_ms > end_ms) break;
      now_ms_ = std::max(now_ms_ + 1, due_ms);
    }
    now_ms_ = end_ms;
  }

  // ExpectIsFreshAgrees holds the short form of StandingAt against the long one, at this moment.
  void ExpectIsFreshAgrees(uint32_t issuer = 0) {
    const KeyStore::Standing standing = store_->StandingAt(issuer, now_ms_);
    int64_t age_ms = -1;
    const bool is_fresh = store_->IsFresh(issuer, now_ms_, &age_ms);
    EXPECT_EQ(is_fresh, standing.freshness == Freshness::kFresh) << FreshnessName(standing.freshness);
    EXPECT_EQ(age_ms, is_fresh ? standing.age_ms : -1);
  }

  std::optional<uint32_t> FindIssuer(std::string_view issuer) {
    const sync::ReadScope scope(blocks_);
    return store_->FindIssuer(scope, issuer);
  }
  Reason Find(std::string_view kid, uint32_t issuer = 0, Algorithm algorithm = Algorithm::kEs256) {
    ExpectIsFreshAgrees(issuer);
    const sync::ReadScope scope(blocks_);
    const IssuerKey* key = nullptr;
    const Reason reason = store_->Find(scope, issuer, true, kid, algorithm, now_ms_, &key);
    EXPECT_EQ(key != nullptr, reason == Reason::kNone);
    return reason;
  }
  Reason FindWithoutKid(Algorithm algorithm) {
    const sync::ReadScope scope(blocks_);
    const IssuerKey* key = nullptr;
    return store_->Find(scope, 0, false, "", algorithm, now_ms_, &key);
  }
  KeyRef RefOf(std::string_view kid, uint32_t issuer = 0) {
    const sync::ReadScope scope(blocks_);
    const IssuerKey* key = nullptr;
    EXPECT_EQ(store_->Find(scope, issuer, true, kid, Algorithm::kEs256, now_ms_, &key), Reason::kNone);
    return key == nullptr ? KeyRef{} : key->ref;
  }
  Freshness FreshnessNow() {
    ExpectIsFreshAgrees();
    return store_->StandingAt(0, now_ms_).freshness;
  }
  IssuerHealth HealthNow() { return store_->Health(now_ms_).front(); }

  Timing timing_;
  Config config_;
  Outside outside_;
  sync::ThreadBlocks blocks_;
  FakeTransport network_;
  size_t asked_ = 0;
  int64_t now_ms_ = 1'000'000;
  std::vector<uint32_t> settled_;
  int wakes_ = 0;
  std::unique_ptr<KeyStore> store_;
};

}  // namespace tollgate::keys
