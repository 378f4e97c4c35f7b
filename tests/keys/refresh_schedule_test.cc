#include "keys/refresh_schedule.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace tollgate::keys {
namespace {

constexpr int64_t kNow = 1'000'000'000;
constexpr uint64_t kMost = UINT64_MAX;

ScheduleState Good(const Timing& timing, int64_t now_ms, int64_t max_age_s = -1, uint64_t random = 0) {
  return OnGood(OnBegin({}, now_ms), timing, now_ms, max_age_s, random);
}

TEST(RefreshSchedule, FirstFetchIsDueAtOnce) {
  EXPECT_LE(NextFetchMs({}, Timing{}), 0);
  EXPECT_LE(NextFetchMs({}, Timing{}), INT64_MIN);
}

TEST(RefreshSchedule, SecondFetchDoesNotBeginWhileOneIsInFlight) {
  ScheduleState state = OnBegin({}, kNow);
  EXPECT_EQ(NextFetchMs(state, Timing{}), INT64_MAX);
  state.forced = true;
  EXPECT_EQ(NextFetchMs(state, Timing{}), INT64_MAX);
}

TEST(RefreshSchedule, PlansByMaxAgeWithinTheConfiguredInterval) {
  Timing timing;
  timing.jitter_percent = 0;
  const auto interval_ms = [&](int64_t max_age_s) { return Good(timing, kNow, max_age_s).due_ms - kNow; };
  EXPECT_EQ(interval_ms(-1), timing.refresh_max_ms);
  EXPECT_EQ(interval_ms(0), timing.refresh_min_ms);
  EXPECT_EQ(interval_ms(59), timing.refresh_min_ms);
  EXPECT_EQ(interval_ms(300), 300'000);
  EXPECT_EQ(interval_ms(86'400), timing.refresh_max_ms);
  EXPECT_EQ(interval_ms(INT64_MAX), timing.refresh_max_ms);
}

TEST(RefreshSchedule, JitterReachesBothEndsAndNotBeyond) {
  const Timing timing;  // ±20 % of 900 s
  EXPECT_EQ(Good(timing, kNow, -1, 0).due_ms - kNow, 720'000);
  EXPECT_EQ(Good(timing, kNow, -1, 360'000).due_ms - kNow, 1'080'000);
  EXPECT_EQ(Good(timing, kNow, -1, 360'001).due_ms - kNow, 720'000);
}

TEST(RefreshSchedule, FailureBacksOffWithFullJitterUpToTheCap) {
  const Timing timing;
  ScheduleState state = OnBegin({}, kNow);
  const std::array<int64_t, 9> ceilings = {1'000,  2'000,  4'000,  8'000, 16'000,
                                           32'000, 60'000, 60'000, 60'000};
  for (const int64_t ceiling : ceilings) {
    EXPECT_EQ(OnFailure(state, timing, kNow, 0).due_ms, kNow + 1);
    EXPECT_EQ(OnFailure(state, timing, kNow, static_cast<uint64_t>(ceiling) - 1).due_ms, kNow + ceiling);
    EXPECT_EQ(OnFailure(state, timing, kNow, static_cast<uint64_t>(ceiling)).due_ms, kNow + 1);
    state = OnFailure(state, timing, kNow, 0);
  }
}

TEST(RefreshSchedule, ForcedFetchWaitsForTheCooldownAfterAnyFetch) {
  const Timing timing;
  ScheduleState state = Good(timing, kNow);
  state.forced = true;
  EXPECT_EQ(NextFetchMs(state, timing), kNow + timing.cooldown_ms);
}

TEST(RefreshSchedule, ForcedFetchDoesNotDelayThePlannedOne) {
  Timing timing;
  timing.cooldown_ms = 10'000'000;
  ScheduleState state = Good(timing, kNow);
  const int64_t planned_ms = NextFetchMs(state, timing);
  state.forced = true;
  EXPECT_EQ(NextFetchMs(state, timing), planned_ms);
}

TEST(RefreshSchedule, ForcedFetchDoesNotShortenTheBackoff) {
  Timing timing;
  timing.cooldown_ms = 1;
  ScheduleState state = OnFailure(OnBegin({}, kNow), timing, kNow, 999);
  state.forced = true;
  EXPECT_EQ(NextFetchMs(state, timing), kNow + 1'000);
}

TEST(RefreshSchedule, BeginSatisfiesTheForceAndOneDuringTheFetchSurvivesIt) {
  const Timing timing;
  ScheduleState state = Good(timing, kNow);
  state.forced = true;
  state = OnBegin(state, kNow + timing.cooldown_ms);
  EXPECT_FALSE(state.forced);
  state.forced = true;
  state = OnGood(state, timing, kNow + timing.cooldown_ms + 5, -1, 0);
  EXPECT_EQ(NextFetchMs(state, timing), kNow + 2 * timing.cooldown_ms);
}

TEST(RefreshSchedule, FreshnessGoesDownStepByStepAndFlipsExactlyAtTheBound) {
  const Timing timing;
  EXPECT_EQ(FreshnessAt({}, timing, kNow), Freshness::kUnavailable);
  ScheduleState state = Good(timing, kNow);
  EXPECT_EQ(FreshnessAt(state, timing, kNow), Freshness::kFresh);
  EXPECT_EQ(FreshnessAt(state, timing, state.due_ms - 1), Freshness::kFresh);
  EXPECT_EQ(FreshnessAt(state, timing, state.due_ms), Freshness::kStale);
  state = OnBegin(state, state.due_ms);
  EXPECT_EQ(FreshnessAt(state, timing, state.due_ms), Freshness::kStale);
  state = OnFailure(state, timing, state.last_begin_ms + 10, 0);
  EXPECT_EQ(FreshnessAt(state, timing, state.last_begin_ms + 10), Freshness::kDegraded);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + timing.staleness_bound_ms), Freshness::kDegraded);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + timing.staleness_bound_ms + 1), Freshness::kUnavailable);
}

TEST(RefreshSchedule, FreshUntilIsTheLastMomentThatIsFresh) {
  Timing timing;
  ScheduleState state = Good(timing, kNow);
  EXPECT_EQ(FreshUntil(state, timing), state.due_ms - 1);
  EXPECT_EQ(FreshUntil({}, timing), INT64_MIN);
  EXPECT_EQ(FreshUntil(OnBegin(state, kNow + 1), timing), INT64_MIN);
  EXPECT_EQ(FreshUntil(OnFailure(OnBegin(state, kNow + 1), timing, kNow + 2, 0), timing), INT64_MIN);
  timing.staleness_bound_ms = 1'000;  // Shorter than the plan.
  EXPECT_EQ(FreshUntil(state, timing), kNow + 1'000);
}

TEST(RefreshSchedule, FreshUntilSaysWhatFreshnessAtSays) {
  std::mt19937_64 random(17);
  const std::array<int64_t, 10> ends = {INT64_MIN + 1, INT64_MIN + 2, -1'000,        -1,       0, 1,
                                        1'000,         kNow,          INT64_MAX - 1, INT64_MAX};
  int fresh = 0, not_fresh = 0;
  for (int i = 0; i < 300'000; ++i) {
    const auto moment = [&] {
      return random() % 8 == 0 ? ends[random() % ends.size()] : kNow + static_cast<int64_t>(random() % 200);
    };
    Timing timing;
    timing.staleness_bound_ms =
        random() % 8 == 0 ? ends[random() % ends.size()] : static_cast<int64_t>(random() % 150);
    ScheduleState state;
    state.last_good_ms = random() % 8 == 0 ? ScheduleState::kNever : moment();
    state.due_ms = random() % 8 == 0 ? ScheduleState::kNever : moment();
    state.failures = random() % 4 == 0;
    state.in_flight = random() % 4 == 0;
    // The clock's own end, INT64_MIN, is where FreshUntil says "never".
    const int64_t now_ms = moment();
    const bool is_fresh = FreshnessAt(state, timing, now_ms) == Freshness::kFresh;
    ++(is_fresh ? fresh : not_fresh);
    const bool by_moment = now_ms <= FreshUntil(state, timing);
    // A bound at the end of the range, where differences are held, may cost a second look, never serve
    // longer.
    ASSERT_TRUE(by_moment == is_fresh || (is_fresh && timing.staleness_bound_ms == INT64_MAX))
        << "now " << now_ms << " good " << state.last_good_ms << " due " << state.due_ms << " bound "
        << timing.staleness_bound_ms << " failures " << state.failures << " in flight " << state.in_flight;
  }
  EXPECT_GT(fresh, 10'000);
  EXPECT_GT(not_fresh, 10'000);
}

TEST(RefreshSchedule, RefreshInFlightIsStaleAndNothingWorse) {
  const Timing timing;
  const ScheduleState state = OnBegin(Good(timing, kNow), kNow + 1);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + 1), Freshness::kStale);
}

TEST(RefreshSchedule, ReaderWhoseClockLagsSeesNoNegativeAge) {
  const Timing timing;
  EXPECT_EQ(FreshnessAt(Good(timing, kNow), timing, kNow - 4), Freshness::kFresh);
}

// The invariants of the header under random events, random settings and moments at the ends of the range. The
// sanitizers turn an overflow into a failure.
class RefreshScheduleProperties : public ::testing::TestWithParam<uint64_t> {};

TEST_P(RefreshScheduleProperties, HoldForRandomEvents) {
  std::mt19937_64 random(GetParam());
  const auto below = [&](int64_t n) { return static_cast<int64_t>(random() % static_cast<uint64_t>(n)); };
  for (int round = 0; round < 200; ++round) {
    Timing timing;
    timing.refresh_min_ms = 1 + below(100'000);
    timing.refresh_max_ms = timing.refresh_min_ms + below(1'000'000);
    timing.cooldown_ms = 1 + below(200'000);
    timing.backoff_min_ms = 1 + below(5'000);
    timing.backoff_cap_ms = timing.backoff_min_ms + below(100'000);
    timing.staleness_bound_ms = 1 + below(4'000'000);
    timing.jitter_percent = static_cast<int32_t>(below(51));
    ScheduleState state;
    int64_t now_ms = below(1'000'000'000) - 500'000'000;
    int64_t last_begin_ms = INT64_MIN;
    uint32_t failures = 0;
    bool forced_by_us = false;
    for (int event = 0; event < 300; ++event) {
      SCOPED_TRACE(::testing::Message() << "seed " << GetParam() << " round " << round << " event " << event);
      now_ms += below(3) == 0 ? below(2 * timing.refresh_max_ms) : below(1'000);
      if (state.in_flight) {
        ASSERT_EQ(NextFetchMs(state, timing), INT64_MAX);  // Single flight.
        if (below(3) == 0) {
          state.forced = true;
          forced_by_us = true;
        }
        if (below(2) == 0) {
          const int64_t max_age_s = below(2'000) - 1;
          state = OnGood(state, timing, now_ms, max_age_s, random());
          const int64_t base_ms = std::clamp(max_age_s < 0 ? timing.refresh_max_ms : max_age_s * 1000,
                                             timing.refresh_min_ms, timing.refresh_max_ms);
          const int64_t planned_ms = state.due_ms - now_ms;
          ASSERT_GT(planned_ms, 0);
          ASSERT_GE(planned_ms * 100, base_ms * (100 - timing.jitter_percent));
          ASSERT_LE(planned_ms * 100, base_ms * (100 + timing.jitter_percent) + 100);
          ASSERT_EQ(state.last_good_ms, now_ms);
          ASSERT_EQ(state.last_good_begin_ms, last_begin_ms);
          failures = 0;
        } else {
          const ScheduleState before = state;
          state = OnFailure(state, timing, now_ms, random());
          const int64_t backoff_ms = state.due_ms - now_ms;
          ASSERT_GT(backoff_ms, 0);
          ASSERT_LE(backoff_ms, timing.backoff_cap_ms);
          if (failures < 10) {
            ASSERT_LE(backoff_ms, timing.backoff_min_ms << failures);
          }
          ASSERT_EQ(state.last_good_ms, before.last_good_ms);
          ++failures;
        }
        ASSERT_EQ(state.failures, failures);
        ASSERT_EQ(state.forced, forced_by_us);  // The end of a fetch loses nobody's request.
      } else {
        if (below(2) == 0) {
          state.forced = true;
          forced_by_us = true;
        }
        const int64_t next_ms = NextFetchMs(state, timing);
        if (next_ms > now_ms) continue;
        const bool by_plan = now_ms >= state.due_ms;
        if (!by_plan) {  // Only a force can have begun it: the gate.
          ASSERT_TRUE(forced_by_us);
          ASSERT_EQ(failures, 0u);
          ASSERT_GE(now_ms - last_begin_ms, timing.cooldown_ms);
        }
        state = OnBegin(state, now_ms);
        last_begin_ms = now_ms;
        forced_by_us = false;
      }
      const Freshness freshness = FreshnessAt(state, timing, now_ms);
      const bool usable = state.last_good_ms != ScheduleState::kNever &&
                          now_ms - state.last_good_ms <= timing.staleness_bound_ms;
      ASSERT_EQ(freshness == Freshness::kUnavailable, !usable);
      if (usable) {
        ASSERT_EQ(freshness == Freshness::kDegraded, failures > 0);
      }
    }
  }
}

TEST_P(RefreshScheduleProperties, TwoForcedFetchesBeginAtLeastACooldownApart) {
  std::mt19937_64 random(GetParam());
  Timing timing;
  timing.refresh_min_ms = timing.refresh_max_ms = int64_t{1} << 40;  // No planned ones in between.
  timing.cooldown_ms = 60'000;
  ScheduleState state = Good(timing, 0);
  int64_t last_begin_ms = 0;
  for (int64_t now_ms = 0; now_ms < 3'600'000; now_ms += static_cast<int64_t>(random() % 100)) {
    state.forced = true;
    if (state.in_flight) {
      state = OnGood(state, timing, now_ms, -1, random());
    } else if (NextFetchMs(state, timing) <= now_ms) {
      ASSERT_GE(now_ms - last_begin_ms, timing.cooldown_ms);
      last_begin_ms = now_ms;
      state = OnBegin(state, now_ms);
    }
  }
  EXPECT_GT(last_begin_ms, 3'000'000);  // And they do begin.
}

INSTANTIATE_TEST_SUITE_P(Seeds, RefreshScheduleProperties, ::testing::Range(uint64_t{1}, uint64_t{9}));

TEST(RefreshSchedule, ExtremesDoNotOverflow) {
  const std::array<int64_t, 9> values = {INT64_MIN, INT64_MIN + 1, -1,       0, 1, 1'000,
                                         kNow,      INT64_MAX - 1, INT64_MAX};
  for (const int64_t now_ms : values) {
    for (const int64_t setting : values) {
      for (const uint64_t random : {uint64_t{0}, kMost / 2, kMost}) {
        for (const uint32_t failures : {0u, 1u, 63u, 64u, UINT32_MAX}) {
          Timing timing;
          timing.refresh_min_ms = timing.refresh_max_ms = timing.cooldown_ms = timing.staleness_bound_ms =
              setting;
          timing.backoff_min_ms = timing.backoff_cap_ms = setting;
          ScheduleState state = OnBegin({}, now_ms);
          state.failures = failures;
          const ScheduleState failed = OnFailure(state, timing, now_ms, random);
          const ScheduleState good = OnGood(state, timing, now_ms, setting, random);
          EXPECT_TRUE(failed.due_ms > now_ms || now_ms == INT64_MAX);
          EXPECT_TRUE(good.due_ms > now_ms || now_ms == INT64_MAX);
          EXPECT_GE(failed.failures, failures);
          for (const int64_t later_ms : values) FreshnessAt(good, timing, later_ms);
          state = good;
          state.forced = true;
          EXPECT_GE(NextFetchMs(state, timing), now_ms);
        }
      }
    }
  }
}

TEST(RefreshSchedule, AFallbackIsGoodButDegradedAndSoonLeft) {
  Timing timing;
  timing.jitter_percent = 0;
  ScheduleState state = OnFallback(OnBegin(OnFailure({}, timing, kNow, 0), kNow), timing, kNow + 5, 0);
  EXPECT_EQ(state.last_good_ms, kNow + 5);
  EXPECT_EQ(state.failures, 0u);
  EXPECT_EQ(NextFetchMs(state, timing), kNow + 5 + timing.refresh_min_ms);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + 6), Freshness::kDegraded);
  EXPECT_EQ(FreshUntil(state, timing), INT64_MIN);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + 6 + timing.staleness_bound_ms), Freshness::kUnavailable);
  state = OnGood(OnBegin(state, kNow + 100), timing, kNow + 100, -1, 0);
  EXPECT_EQ(FreshnessAt(state, timing, kNow + 101), Freshness::kFresh);
}

TEST(RefreshSchedule, FilesAreLookedAtInShortIntervalsButForTheirNumber) {
  const Timing timing;
  const Timing one = FileTiming(timing, 1);
  for (const int64_t interval_ms :
       {one.refresh_min_ms, one.refresh_max_ms, one.backoff_min_ms, one.backoff_cap_ms})
    EXPECT_EQ(interval_ms, timing.file_interval_ms);
  EXPECT_EQ(one.cooldown_ms, timing.file_interval_ms / 5);
  EXPECT_EQ(one.staleness_bound_ms, timing.staleness_bound_ms);
  EXPECT_EQ(FileTiming(timing, 5'000).refresh_max_ms, 5'000);
  EXPECT_EQ(FileTiming(timing, 100'000).refresh_max_ms, 100'000);
  // Not less often than anything is refreshed.
  EXPECT_EQ(FileTiming(timing, 10'000'000).refresh_max_ms, timing.refresh_max_ms);
  Timing rare = timing;
  rare.file_interval_ms = INT64_MAX;
  EXPECT_EQ(FileTiming(rare, 1).refresh_max_ms, timing.refresh_max_ms);
  EXPECT_EQ(FileTiming(rare, 1).cooldown_ms, timing.cooldown_ms);
}

TEST(AloneMs, IsAQuarterOfTheBoundBeforeTheKeysAreTooOld) {
  Timing timing;
  timing.staleness_bound_ms = 4000;
  ScheduleState state;
  state.last_good_ms = 10'000;
  EXPECT_EQ(AloneMs(state, timing, 10'000, 1, 0), 13'000);
  // A leader that seldom asks is waited for.
  state.due_ms = 13'500;
  EXPECT_EQ(AloneMs(state, timing, 10'000, 1, 0), 13'500);
  EXPECT_EQ(AloneMs(ScheduleState{}, timing, ScheduleState::kNever, 500, 0), 1500);
  EXPECT_EQ(AloneMs(ScheduleState{}, timing, INT64_MAX, 0, 0), 1000);
}

TEST(AloneMs, IsLaterForSomeThanForOthers) {
  Timing timing;
  timing.staleness_bound_ms = 4000;
  timing.jitter_percent = 20;
  ScheduleState state;
  state.last_good_ms = 10'000;
  EXPECT_EQ(AloneMs(state, timing, 10'000, 1, 200), 13'200);
  EXPECT_EQ(AloneMs(state, timing, 10'000, 1, 201), 13'000);
  EXPECT_EQ(AloneMs(ScheduleState{}, timing, ScheduleState::kNever, 500, 200), 1700);
  timing.staleness_bound_ms = INT64_MAX;
  EXPECT_EQ(AloneMs(state, timing, INT64_MAX, INT64_MAX, UINT64_MAX), INT64_MAX);
}

TEST(AloneMs, OfKeysThatWereTakenAwayIsTheEarlierOfTheTwo) {
  Timing timing;
  timing.staleness_bound_ms = 4000;
  const ScheduleState withdrawn;
  EXPECT_EQ(AloneMs(withdrawn, timing, 10'000, 10'500, 0), 11'500);
  EXPECT_EQ(AloneMs(withdrawn, timing, 10'000, 12'900, 0), 13'000);
}

}  // namespace
}  // namespace tollgate::keys
