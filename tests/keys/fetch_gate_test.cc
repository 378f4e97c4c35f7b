#include "keys/fetch_gate.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;

class FetchGateTest : public ::testing::Test {
 protected:
  // All that may be sent at this moment, whose exchanges end at once unless `hold`.
  std::vector<uint32_t> Serve(bool hold = false) {
    std::vector<uint32_t> served;
    while (const auto next = gate_.Next(now_ms_)) {
      served.push_back(*next);
      if (!hold) gate_.Done();
    }
    return served;
  }
  int64_t Enter(uint32_t issuer, std::string_view host, bool goes_on = false, uint32_t requests = 1) {
    return gate_.Enter(issuer, host, goes_on, requests, now_ms_);
  }

  Timing timing_;
  FetchGate gate_{timing_};
  int64_t now_ms_ = 50'000;
};

TEST_F(FetchGateTest, GivesPlansOutInTheOrderOfTheirTimesAndNoneEarly) {
  gate_.Plan(3, 300);
  gate_.Plan(1, 100);
  gate_.Plan(2, 200);
  gate_.Plan(4, INT64_MIN);
  gate_.Plan(5, INT64_MAX);
  gate_.Plan(3, 150);  // Instead of 300.
  EXPECT_EQ(gate_.NextMs(), INT64_MIN);
  EXPECT_EQ(gate_.TakeDue(99), 4u);
  EXPECT_EQ(gate_.TakeDue(99), std::nullopt);
  EXPECT_EQ(gate_.NextMs(), 100);
  EXPECT_EQ(gate_.TakeDue(150), 1u);
  EXPECT_EQ(gate_.TakeDue(150), 3u);
  EXPECT_EQ(gate_.TakeDue(150), std::nullopt);
  gate_.Plan(2, INT64_MAX);
  EXPECT_EQ(gate_.TakeDue(INT64_MAX), std::nullopt);
  EXPECT_EQ(gate_.NextMs(), INT64_MAX);
}

TEST_F(FetchGateTest, ALineIsServedInItsOrderAsItsBucketAllows) {
  for (uint32_t i = 0; i < 8; ++i) {
    EXPECT_EQ(Enter(i, "host"), now_ms_ + (i < 5 ? 0 : (i - 4) * 200));
  }
  EXPECT_THAT(Serve(), ElementsAre(0, 1, 2, 3, 4));
  EXPECT_EQ(gate_.NextMs(), now_ms_ + 200);
  now_ms_ += 199;
  EXPECT_THAT(Serve(), ElementsAre());
  now_ms_ += 1;
  EXPECT_THAT(Serve(), ElementsAre(5));
  now_ms_ += 400;
  EXPECT_THAT(Serve(), ElementsAre(6, 7));
  EXPECT_EQ(gate_.NextMs(), INT64_MAX);
}

TEST_F(FetchGateTest, WhoWaitsForOneHostIsNotInTheWayAtAnother) {
  for (uint32_t i = 0; i < 1'000; ++i) Enter(i, "crowded");
  EXPECT_EQ(Serve().size(), 5u);
  EXPECT_EQ(Enter(1'000, "empty"), now_ms_);
  EXPECT_THAT(Serve(), ElementsAre(1'000));
}

TEST_F(FetchGateTest, HostsTakeTurnsWhereExchangesAreFew) {
  for (uint32_t i = 0; i < 200; ++i) Enter(i, i % 2 == 0 ? "a" : "host" + std::to_string(i));
  const std::vector<uint32_t> first = Serve(true);
  EXPECT_EQ(first.size(), FetchGate::kUnderWayMax);
  EXPECT_EQ(gate_.NextMs(), INT64_MAX);  // Nothing but the end of an exchange helps.
  EXPECT_EQ(std::count_if(first.begin(), first.end(), [](uint32_t i) { return i % 2 == 0; }), 1);
  gate_.Done();
  EXPECT_EQ(Serve(true).size(), 1u);
}

TEST_F(FetchGateTest, WhatWasBegunGoesAheadOfWhatWasNot) {
  for (uint32_t i = 0; i < 6; ++i) Enter(i, "host");
  EXPECT_EQ(Serve().size(), 5u);
  Enter(6, "host", true);
  now_ms_ += 200;
  EXPECT_THAT(Serve(), ElementsAre(6));
  now_ms_ += 200;
  EXPECT_THAT(Serve(), ElementsAre(5));
}

TEST_F(FetchGateTest, TellsTheTurnByTheRequestsOfThoseAhead) {
  EXPECT_EQ(Enter(0, "host", false, 2), now_ms_);
  EXPECT_EQ(Enter(1, "host", false, 2), now_ms_);
  EXPECT_EQ(Enter(2, "host", false, 2), now_ms_);
  EXPECT_EQ(Enter(3, "host", false, 2), now_ms_ + 400);
}

TEST_F(FetchGateTest, WhoIsForgottenHasNeitherPlanNorPlace) {
  gate_.Plan(9, 100);
  gate_.Forget(9);
  EXPECT_EQ(gate_.TakeDue(INT64_MAX), std::nullopt);
  for (uint32_t i = 0; i < 8; ++i) Enter(i, "host");
  for (const uint32_t gone : {0u, 2u, 7u, 77u}) gate_.Forget(gone);
  EXPECT_THAT(Serve(), ElementsAre(1, 3, 4, 5, 6));
  Enter(0, "host");
  gate_.Forget(0);  // The only one that waits.
  EXPECT_EQ(gate_.NextMs(), INT64_MAX);
  gate_.Plan(0, 7);  // It may come again.
  EXPECT_EQ(gate_.TakeDue(7), 0u);
}

TEST_F(FetchGateTest, RemembersAHostNoLongerThanItsBucketIsNotFull) {
  for (uint32_t i = 0; i < 100; ++i) {
    Enter(i, "host" + std::to_string(i));
    EXPECT_EQ(Serve().size(), 1u);
    EXPECT_LE(gate_.num_hosts(), 3u);
    now_ms_ += 100;
  }
  // One that is asked again before it was full has not been forgotten.
  for (uint32_t i = 0; i < 6; ++i) Enter(i, "again");
  EXPECT_EQ(Serve().size(), 5u);
  now_ms_ += 200;
  EXPECT_EQ(Serve().size(), 1u);
  now_ms_ += 200;
  EXPECT_EQ(Enter(0, "again"), now_ms_);
  EXPECT_EQ(Enter(1, "again"), now_ms_ + 200);
}

// Against a model that looks at everybody: at any moment, whatever was planned, entered and forgotten before,
// no host is asked more often than its bucket allows, nobody is served twice or out of their line's order,
// and nobody who may be served is left.
TEST_F(FetchGateTest, ServesWhoMayBeServedAndNobodyElse) {
  std::mt19937_64 random(99);
  std::map<std::string, std::vector<std::pair<uint32_t, bool>>> lines;  // In order of arrival: who, goes on.
  std::map<std::string, int64_t> full;
  std::set<uint32_t> standing;
  for (int step = 0; step < 20'000; ++step) {
    const auto issuer = static_cast<uint32_t>(random() % 40);
    if (random() % 8 == 0) {
      gate_.Forget(issuer);
      standing.erase(issuer);
      for (auto& [host, line] : lines)
        std::erase_if(line, [&](const auto& place) { return place.first == issuer; });
    } else if (standing.insert(issuer).second) {
      const std::string host(1, static_cast<char>('a' + random() % 4));
      const bool goes_on = random() % 3 == 0;
      Enter(issuer, host, goes_on);
      lines[host].push_back({issuer, goes_on});
      full.emplace(host, kBucketFull);
    }
    for (const uint32_t served : Serve()) {
      ASSERT_EQ(standing.erase(served), 1u);
      for (auto& [host, line] : lines) {
        const auto place =
            std::find_if(line.begin(), line.end(), [&](const auto& p) { return p.first == served; });
        if (place == line.end()) continue;
        ASSERT_EQ(NthRequestMs(full[host], 0, timing_, now_ms_), now_ms_);
        full[host] = OnRequest(full[host], timing_, now_ms_);
        ASSERT_TRUE(
            std::none_of(line.begin(), place, [&](const auto& p) { return p.second >= place->second; }));
        ASSERT_TRUE(place->second ||
                    std::none_of(line.begin(), line.end(), [](const auto& p) { return p.second; }));
        line.erase(place);
        break;
      }
    }
    int64_t next_ms = INT64_MAX;
    for (const auto& [host, line] : lines) {
      if (line.empty()) continue;
      const int64_t may_ms = NthRequestMs(full[host], 0, timing_, now_ms_);
      ASSERT_GT(may_ms, now_ms_);
      next_ms = std::min(next_ms, may_ms);
    }
    ASSERT_EQ(gate_.NextMs(), next_ms);
    now_ms_ += static_cast<int64_t>(random() % 150);
  }
}

}  // namespace
}  // namespace tollgate::keys
