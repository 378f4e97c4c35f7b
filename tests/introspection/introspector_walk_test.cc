// Any traffic, any network: the bulkhead holds, every question settles exactly once and in time, a token has
// one question at a time, and what is said of a token is what its own issuer answered.

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/introspection/introspector_fixture.h"

namespace tollgate::introspection {
namespace {

class WalkTest : public IntrospectorTest {
 protected:
  WalkTest() {
    for (IssuerConfig& issuer : config_.issuers) {
      issuer.introspection.in_flight_max = 4;
      issuer.introspection.waiting_max = 3;
    }
    config_.introspection_cache_bytes = 16 * 1024;
  }

  // A token is active at one issuer only, so that an answer of the wrong one would be seen.
  static bool IsActive(std::string_view token, uint32_t issuer) { return (token.size() + issuer) % 2 == 0; }
  static uint32_t IssuerOf(const FetchRequest& request) {
    return request.url.find("other") == std::string::npos ? 0 : 1;
  }

  void AskSomething() {
    const auto issuer = static_cast<uint32_t>(random_() % 2);
    const std::string token(1 + random_() % 50, 't');
    const size_t before = left_ms_.size();
    const Known told = Ask(token, issuer, false, static_cast<int64_t>(random_() % 5'000));
    if (left_ms_.size() != before) {
      EXPECT_TRUE(told.asked);
      ++open_[ChannelOf(token)];
    }
    EXPECT_FALSE(told.asked && (told.retry_after_ms != 0 || told.overloaded));
    if (told.state != State::kUnknown) {
      EXPECT_EQ(told.state == State::kActive, IsActive(token, issuer));
      ++answered_;
    }
    overloaded_ += told.overloaded;
    paused_ += !told.asked && !told.overloaded && told.retry_after_ms > 0;
  }

  void EndSomething(uint64_t broken_percent) {
    const std::vector<FetchRequest> pending = network_.pending();
    if (pending.empty()) return;
    const FetchRequest& request = pending[random_() % pending.size()];
    const uint64_t dice = random_() % 100;
    const bool active = IsActive(TokenOf(request), IssuerOf(request));
    network_.Complete(request.id, dice < broken_percent       ? Broken()
                                  : dice < broken_percent + 5 ? Body("garbage")
                                  : active                    ? Active()
                                                              : Inactive());
    Look([this] { TakeIn(); });
  }

  // What `act` settles was asked, and not settled before.
  template <typename Act>
  void Look(Act act) {
    settled_.clear();
    act();
    for (const uint32_t channel : settled_) {
      EXPECT_GT(open_[channel], 0);
      --open_[channel];
    }
    num_settled_ += settled_.size();
    const std::vector<FetchRequest> pending = network_.pending();
    for (const FetchRequest& request : pending) until_ms_.emplace(request.id, now_ms_ + request.timeout_ms);
    for (uint32_t issuer = 0; issuer < 2; ++issuer) EXPECT_LE(Health(issuer).introspections_in_flight, 4u);
  }

  void ExpectOneQuestionEachAndInTime() {
    const auto recent = std::count_if(left_ms_.begin(), left_ms_.end(), [&](int64_t left_ms) {
      return now_ms_ - left_ms < 2 * timing().introspection_timeout_ms;  // One for the wait.
    });
    EXPECT_LE(left_ms_.size() - num_settled_, static_cast<size_t>(recent));
    std::set<std::pair<uint32_t, std::string>> seen;
    for (const FetchRequest& request : network_.pending()) {
      if (until_ms_[request.id] <= now_ms_) continue;  // Given up.
      EXPECT_TRUE(seen.insert({IssuerOf(request), TokenOf(request)}).second);
    }
  }

  std::mt19937_64 random_{7662};
  std::vector<int64_t> left_ms_;  // When each question was left.
  size_t num_settled_ = 0;
  int answered_ = 0, overloaded_ = 0, paused_ = 0;
  std::map<uint32_t, int> open_;          // Questions that were left and have not settled, by channel.
  std::map<uint64_t, int64_t> until_ms_;  // The time limit of what was sent, by id.
};

TEST_F(WalkTest, KeepsEveryPromise) {
  for (const uint64_t broken_percent : {5, 40, 95}) {
    Restart();
    introspector_->SetWaker([this] { left_ms_.push_back(now_ms_); });
    left_ms_.clear();
    open_.clear();
    until_ms_.clear();
    num_settled_ = 0;
    for (int step = 0; step < 20'000 && !HasFailure(); ++step) {
      const uint64_t dice = random_() % 10;
      if (dice < 6) AskSomething();
      if (dice == 6 || dice == 7) EndSomething(broken_percent);
      if (dice == 8) now_ms_ += static_cast<int64_t>(random_() % 400);
      if (dice >= 8) {
        Look([this] { Run(); });
        ExpectOneQuestionEachAndInTime();
        EXPECT_LE(introspector_->cache_bytes(), config_.introspection_cache_bytes);
      }
    }
    now_ms_ += timing().introspection_timeout_ms;
    Look([this] { EXPECT_EQ(Run(), INT64_MAX); });
    EXPECT_EQ(num_settled_, left_ms_.size());
    while (network_.CompleteOldest(Broken())) {
    }
    Look([this] { TakeIn(); });
    EXPECT_EQ(num_settled_, left_ms_.size());
    EXPECT_EQ(Health(0).introspections_in_flight + Health(1).introspections_in_flight, 0u);
  }
  EXPECT_GT(answered_, 500);
  EXPECT_GT(overloaded_, 100);
  EXPECT_GT(paused_, 100);
}

}  // namespace
}  // namespace tollgate::introspection
