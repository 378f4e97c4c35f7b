#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>
#include <string>

#include "bench/fleet/instance.h"
#include "bench/fleet/scenarios.h"
#include "bench/fleet/simulation.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

constexpr int64_t kHour = 3'600'000;

uint64_t Sum(const std::vector<uint32_t>& values) {
  return std::accumulate(values.begin(), values.end(), uint64_t{0});
}

TEST(WithoutJitter, DrawsTheWholeCeilingOfEachBackoffAndRefreshesToTheMillisecond) {
  const Contract contract = WithoutJitter(Timing{});
  Instance instance(contract, 1);
  for (const int64_t ceiling_ms : {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000, 60'000, 60'000}) {
    instance.OnBegin(0);
    instance.OnFailure(500);
    EXPECT_EQ(instance.NextMs(), 500 + ceiling_ms);
  }
  instance.OnBegin(0);
  instance.OnGood(500, -1);
  EXPECT_EQ(instance.NextMs(), 500 + Timing{}.refresh_max_ms);
}

TEST(Instance, DrawsFromItsSeed) {
  const Contract contract;
  std::set<int64_t> plans;
  for (const uint64_t seed : {1, 2, 3, 3}) {
    Instance instance(contract, seed);
    instance.OnBegin(0);
    instance.OnGood(0, -1);
    plans.insert(instance.NextMs());
  }
  EXPECT_EQ(plans.size(), 3u);
}

TEST(IdpModel, AnswersOneAfterTheOtherAndRefusesWhatWouldWaitTooLong) {
  IdpModel idp({.capacity_hz = 10, .response_ms = 50, .queue_ms_max = 250}, {});
  for (const int64_t at_ms : {1150, 1250, 1350}) {
    const IdpModel::Answer answer = idp.Ask(1000);
    EXPECT_TRUE(answer.good);
    EXPECT_EQ(answer.at_ms, at_ms);
  }
  const IdpModel::Answer refused = idp.Ask(1000);
  EXPECT_FALSE(refused.good);
  EXPECT_EQ(refused.at_ms, 1050);
  EXPECT_EQ(idp.Ask(1050).at_ms, 1450) << "a refused one took no turn";
  EXPECT_EQ(idp.Ask(5000).at_ms, 5150);
}

TEST(IdpModel, WhileItIsDownItRefusesOrIsSilentAndLosesWhatItHadBegun) {
  for (const bool silent : {false, true}) {
    IdpModel idp({.capacity_hz = 10, .response_ms = 50},
                 {.begin_ms = 1000, .end_ms = 2000, .silent = silent});
    EXPECT_TRUE(idp.Ask(850).good);  // Its answer arrives at 1000.
    const IdpModel::Answer lost = idp.Ask(900), down = idp.Ask(1999);
    EXPECT_FALSE(lost.good);
    EXPECT_FALSE(down.good);
    EXPECT_EQ(lost.at_ms, silent ? std::nullopt : std::optional<int64_t>(1000));
    EXPECT_EQ(down.at_ms, silent ? std::nullopt : std::optional<int64_t>(2049));
    const IdpModel::Answer back = idp.Ask(2000);
    EXPECT_TRUE(back.good);
    EXPECT_EQ(back.at_ms, 2150) << "comes back without a queue";
  }
}

FleetScript Hour(size_t num_instances) {
  FleetScript script;
  script.num_instances = num_instances;
  script.end_ms = kHour;
  return script;
}

TEST(SimulateFleet, EveryInstanceRefreshesWithinTheBoundsOfTheContract) {
  // In an hour: at once, and then every 12 to 18 minutes.
  const FleetTrace trace = SimulateFleet(Hour(500), {}, {});
  EXPECT_EQ(trace.requests[0], 500u);
  EXPECT_EQ(Sum(trace.failed), 0u);
  EXPECT_GE(Sum(trace.requests), 500u * 4);
  EXPECT_LE(Sum(trace.requests), 500u * 5);
  for (size_t second = 1; second < 720; ++second) ASSERT_EQ(trace.requests[second], 0u) << second;
  ASSERT_EQ(trace.good_after_ms.size(), 500u);
  EXPECT_EQ(trace.good_after_ms.front(), 52);   // Two milliseconds for its turn at 500 a second.
  EXPECT_EQ(trace.good_after_ms.back(), 1050);  // The last one's turn is at the end of the second.
}

TEST(SimulateFleet, SilenceCostsTheTimeoutAndARefusalIsRepeatedSooner) {
  FleetScript script = Hour(1);
  script.outage = {.begin_ms = 0, .end_ms = kHour, .silent = false};
  const uint64_t refused = Sum(SimulateFleet(script, WithoutJitter(Timing{}), {}).requests);
  script.outage.silent = true;
  const FleetTrace silent = SimulateFleet(script, WithoutJitter(Timing{}), {});
  // 1 + 2 + 4 + 8 + 16 + 32 s of backoff, then 60 s each; and 50 ms or 5 s for each request.
  EXPECT_EQ(refused, 6 + (3600 - 63) / 60 + 1);
  EXPECT_EQ(Sum(silent.requests), 6 + (3600 - 93) / 65 + 1);
  EXPECT_EQ(Sum(silent.failed), Sum(silent.requests));
  EXPECT_TRUE(silent.good_after_ms.empty());
}

TEST(SimulateFleet, ALateAnswerIsAFailure) {
  FleetScript script = Hour(3);
  script.end_ms = 5000;
  // The second answer would arrive with the timeout, the third is refused.
  const FleetTrace trace = SimulateFleet(script, WithoutJitter(Timing{}),
                                         {.capacity_hz = 0.4, .response_ms = 0, .queue_ms_max = 4000});
  EXPECT_EQ(trace.good_after_ms, std::vector<int64_t>{2500});
  EXPECT_EQ(trace.failed[0], 2u);
}

TEST(SimulateFleet, ARotationSendsEveryInstanceWithinItsCooldown) {
  const Timing timing;
  FleetScript script = Hour(500);
  script.begin_ms = script.since_ms = script.rotation_ms = 2 * kHour;
  script.end_ms = 2 * kHour + 300'000;
  const FleetTrace trace = SimulateFleet(script, {}, {});
  ASSERT_EQ(trace.good_after_ms.size(), 500u);
  // Who has just fetched has to wait for the end of the cooldown.
  EXPECT_GT(trace.good_after_ms.back(), script.spread_ms);
  EXPECT_LE(trace.good_after_ms.back(), timing.cooldown_ms + script.spread_ms);
  const uint64_t at_once = std::accumulate(trace.requests.begin(), trace.requests.begin() + 6, uint64_t{0});
  EXPECT_GE(at_once, 450u);
  script.rotation_ms = INT64_MAX;
  const FleetTrace without = SimulateFleet(script, {}, {});
  EXPECT_LT(std::accumulate(without.requests.begin(), without.requests.begin() + 6, uint64_t{0}), 50u);
}

TEST(SimulateFleet, TheSameSeedGivesTheSameTraceAndAnotherOneAnother) {
  FleetScript script = Hour(200);
  const FleetTrace one = SimulateFleet(script, {}, {}), again = SimulateFleet(script, {}, {});
  EXPECT_EQ(one.requests, again.requests);
  EXPECT_EQ(one.good_after_ms, again.good_after_ms);
  script.seed = 2;
  EXPECT_NE(SimulateFleet(script, {}, {}).requests, one.requests);
}

TEST(PeakOf, IsTheLargestSecondAndTheMean) {
  const std::vector<uint32_t> seconds = {0, 6, 2, 0};
  EXPECT_EQ(PeakOf(seconds).largest_hz, 6);
  EXPECT_EQ(PeakOf(seconds).mean_hz, 2);
  EXPECT_EQ(PeakOf(seconds).ratio(), 3);
  EXPECT_EQ(PeakOf(std::vector<uint32_t>{0, 0}).ratio(), 0);
}

json Named(const json& list, const std::string& name) {
  for (const json& item : list) {
    if (item.at("name") == name) return item;
  }
  ADD_FAILURE() << "no " << name;
  return {};
}

// A fleet that has been steady for four hours, and then an outage of one.
FleetScript Recovery(uint64_t seed, bool silent) {
  FleetScript script;
  script.seed = seed;
  script.outage = {.begin_ms = 4 * kHour, .end_ms = 5 * kHour, .silent = silent};
  script.begin_ms = script.since_ms = script.outage.end_ms;
  script.end_ms = script.begin_ms + Timing{}.backoff_cap_ms;
  return script;
}

TEST(Recovery, IsFlatWithJitterAndAStampedeWithoutWhateverTheSeed) {
  for (const uint64_t seed : {1, 2, 3}) {
    for (const bool silent : {false, true}) {
      const FleetScript script = Recovery(seed, silent);
      const double shipped = PeakOf(SimulateFleet(script, {}, {}).requests).ratio();
      const double control = PeakOf(SimulateFleet(script, WithoutJitter(Timing{}), {}).requests).ratio();
      EXPECT_LE(shipped, kFleetPeakMax) << seed << " " << silent;
      EXPECT_GT(shipped, 1.5) << "more is asked for in the beginning than in the end";
      EXPECT_GT(control, kFleetPeakMax) << seed << " " << silent;
      EXPECT_GT(control, (silent ? 1.5 : 5) * shipped) << seed << " " << silent;
    }
  }
}

// Long enough for every instance to notice.
FleetSettings Small(size_t num_instances) {
  FleetSettings settings;
  settings.num_instances = num_instances;
  settings.outage_ms = 1'800'000;
  return settings;
}

TEST(RunFleet, AHandfulOfInstancesMissesTheObjective) {
  // Two of twenty in one second are six times the mean.
  const json objectives = RunFleet(Small(20))["objectives"];
  EXPECT_FALSE(Named(objectives, "peak_recovery")["met"].get<bool>()) << objectives;
}

TEST(RunFleet, WithoutAStampedeToCompareWithNothingWasTested) {
  FleetSettings settings = Small(1000);
  settings.idp.capacity_hz = 10;  // So slow that it takes the fleet apart by itself.
  const json objectives = RunFleet(settings)["objectives"];
  EXPECT_FALSE(Named(objectives, "saw_stampede_recovery_silent")["met"].get<bool>()) << objectives;
}

TEST(RunFleet, CountsFromTheMomentThatTheScenarioIsAbout) {
  const json fleet = RunFleet(Small(300));
  const json recovery = Named(fleet["scenarios"], "recovery"), shipped = recovery["variants"][0];
  const auto since = recovery["since_s"].get<size_t>();
  EXPECT_EQ(recovery["events"][0]["t_s"], recovery["since_s"]);
  const auto requests = shipped["requests"].get<std::vector<uint32_t>>(),
             failed = shipped["failed"].get<std::vector<uint32_t>>();
  for (size_t second = 0; second < requests.size(); ++second) {
    ASSERT_EQ(failed[second], second < since ? requests[second] : 0u) << second;
  }
  const std::vector<uint32_t> first_cap(requests.begin() + static_cast<ptrdiff_t>(since),
                                        requests.begin() + static_cast<ptrdiff_t>(since + 60));
  EXPECT_EQ(shipped["largest_hz"], *std::max_element(first_cap.begin(), first_cap.end()));
  EXPECT_EQ(shipped["mean_hz"].get<double>(), PeakOf(first_cap).mean_hz);
  EXPECT_LE(shipped["good_max_s"].get<double>(), 61);
  EXPECT_FALSE(Named(fleet["scenarios"], "steady")["variants"][0].contains("good_max_s"));
}

}  // namespace
}  // namespace tollgate::bench
