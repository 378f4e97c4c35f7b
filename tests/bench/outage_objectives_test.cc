#include "bench/outage/objectives.h"

#include <gtest/gtest.h>

namespace tollgate::bench {
namespace {

constexpr int64_t kMs = 1'000'000;

// The shipped contract over a thousand: a bound of 3.6 s, refreshes of 0.9 s, a cooldown of 60 ms.
Timing Scaled() { return Timing().Scaled(1e-3); }

// Every objective stands here with what it accepts and the nearest that it must refuse.

TEST(NothingWrong, FailsOnASingleWrongAnswerOfEachKind) {
  for (const Objective& objective : NothingWrong({})) EXPECT_TRUE(objective.met()) << objective.name;
  uint64_t Wrong::*const kinds[] = {&Wrong::allowed, &Wrong::denied, &Wrong::unavailable,
                                    &Wrong::without_retry_after};
  for (size_t i = 0; i < std::size(kinds); ++i) {
    Wrong wrong;
    wrong.*kinds[i] = 1;
    const std::vector<Objective> objectives = NothingWrong(wrong);
    for (size_t j = 0; j < objectives.size(); ++j) EXPECT_EQ(objectives[j].met(), j != i);
  }
}

TEST(KnownAllowed, IsAllOfThemAndNotNone) {
  EXPECT_TRUE(KnownAllowed({.known_to_allow = 1'000'000, .known_allowed = 1'000'000}).met());
  EXPECT_FALSE(KnownAllowed({.known_to_allow = 1'000'000, .known_allowed = 999'999}).met());
  EXPECT_FALSE(KnownAllowed({}).met());
}

TEST(Saw, NeedsTheLeast) {
  EXPECT_TRUE(Saw("saw", "", 1).met());
  EXPECT_FALSE(Saw("saw", "", 0).met());
  EXPECT_TRUE(Saw("saw", "", 1'000'000, 1'000'000).met());
  EXPECT_FALSE(Saw("saw", "", 999'999, 1'000'000).met());
}

TEST(BackToFresh, TakesTheWorstOfAllFaults) {
  const Timing timing = Scaled();  // 60 ms and twice 5.
  EXPECT_EQ(BackToFresh({0.07}, timing).limit, 0.07);
  EXPECT_TRUE(BackToFresh({0.01, 0.07}, timing).met());
  EXPECT_FALSE(BackToFresh({0.071, 0.01}, timing).met());
  EXPECT_TRUE(BackToFresh({0.071}, timing, 1).met());
  EXPECT_FALSE(BackToFresh({0.01, -1}, timing).met()) << "never";
  EXPECT_FALSE(BackToFresh({}, timing).met()) << "there was no fault";
}

std::vector<Exchange> BegunAt(std::initializer_list<int64_t> at_ms) {
  std::vector<Exchange> exchanges;
  for (const int64_t ms : at_ms)
    exchanges.push_back(
        {.begin_ns = ms * kMs, .earliest_ns = ms * kMs, .end_ns = ms * kMs + 1, .good = true});
  return exchanges;
}

TEST(RequestsPerCooldown, FailsOnTwoWithinOneCooldownOfThePhase) {
  const auto judged = [](std::initializer_list<int64_t> at_ms) {
    return RequestsPerCooldown(BegunAt(at_ms), 100 * kMs, 1000 * kMs, Scaled());
  };
  EXPECT_TRUE(judged({100, 160, 220, 400}).met());
  EXPECT_FALSE(judged({100, 149, 300}).met());
  EXPECT_EQ(judged({100, 110, 120, 300}).observed, 3);
  EXPECT_TRUE(judged({80, 100, 999, 1001}).met()) << "those before and after the phase do not count";
  EXPECT_FALSE(judged({}).met()) << "nobody asked";
}

TEST(RequestsPerCooldown, DoesNotBlameTheEngineForAThreadThatWasHeldUp) {
  std::vector<Exchange> exchanges = BegunAt({200, 230});
  exchanges[0].earliest_ns = 170 * kMs;  // The engine may have counted from there: 60 ms.
  EXPECT_TRUE(RequestsPerCooldown(exchanges, 100 * kMs, 1000 * kMs, Scaled()).met());
  exchanges[0].earliest_ns = 190 * kMs;
  EXPECT_FALSE(RequestsPerCooldown(exchanges, 100 * kMs, 1000 * kMs, Scaled()).met());
}

TEST(SteadyRequests, IsOneAndOneMoreForEachInterval) {
  const auto judged = [](std::initializer_list<int64_t> at_ms) {
    // 0.72 s is the shortest interval: two of them.
    return SteadyRequests(BegunAt(at_ms), 1000 * kMs, 2500 * kMs, Scaled());
  };
  EXPECT_EQ(judged({1100}).limit, 3);
  EXPECT_TRUE(judged({900, 1100, 1900, 2400, 2600}).met());
  EXPECT_FALSE(judged({1000, 1100, 1900, 2400}).met());
  EXPECT_FALSE(judged({900}).met()) << "it did not come back";
}

TEST(RemovedKey, HasARefreshIntervalOrTheBoundToStopWorking) {
  const auto judged = [](int64_t allowed_ms, bool reachable) {
    return RemovedKey(1000 * kMs, allowed_ms < 0 ? -1 : allowed_ms * kMs, reachable, Scaled());
  };
  // 0.9 s and a fifth, and a second.
  EXPECT_TRUE(judged(3080, true).met());
  EXPECT_FALSE(judged(3081, true).met());
  EXPECT_TRUE(judged(4600, false).met());
  EXPECT_FALSE(judged(4601, false).met());
  EXPECT_EQ(judged(900, true).observed, 0);
  EXPECT_FALSE(judged(-1, true).met()) << "it never worked";
  EXPECT_TRUE(AllowedAfterRemoval(0).met());
  EXPECT_FALSE(AllowedAfterRemoval(1).met());
}

TEST(LastKnownAllowed, IsNearlyAllOfThem) {
  EXPECT_TRUE(LastKnownAllowed({.last_known = 100, .last_known_allowed = 90}, 0).met());
  EXPECT_FALSE(LastKnownAllowed({.last_known = 100, .last_known_allowed = 89}, kUnquietSlipNs).met());
  EXPECT_EQ(LastKnownAllowed({.last_known = 100, .last_known_allowed = 89}, kUnquietSlipNs + 1).outcome,
            "inconclusive");
  EXPECT_FALSE(LastKnownAllowed({}, kUnquietSlipNs + 1).met());
}

TEST(LastKnownRefused, IsNone) {
  EXPECT_TRUE(LastKnownRefused({.last_known = 100, .last_known_refused = 0}).met());
  EXPECT_FALSE(LastKnownRefused({.last_known = 100, .last_known_refused = 1}).met());
}

TEST(RevokedRefused, HasTheLongestBackoffAndTwoTimeoutsAndASecond) {
  const auto judged = [](int64_t allowed_ms) {
    return RevokedRefused(1000 * kMs, allowed_ms < 0 ? -1 : allowed_ms * kMs, Scaled());
  };
  // 60 ms, and twice 2.
  EXPECT_TRUE(judged(2064).met());
  EXPECT_FALSE(judged(2065).met());
  EXPECT_EQ(judged(900).observed, 0);
  EXPECT_FALSE(judged(-1).met()) << "they never were good for anything";
}

std::vector<Exchange> Questions(std::vector<Exchange> exchanges, int64_t take_ms) {
  for (Exchange& exchange : exchanges) {
    exchange.introspection = true;
    exchange.end_ns = exchange.begin_ns + take_ms * kMs;
  }
  return exchanges;
}

TEST(QuestionsInFlight, CountsThoseThatOverlap) {
  EXPECT_TRUE(QuestionsInFlight(Questions(BegunAt({100, 105, 110, 115}), 10), 2).met())
      << "one that ends makes room for the next";
  EXPECT_EQ(QuestionsInFlight(Questions(BegunAt({100, 105, 109}), 10), 2).observed, 3);
  EXPECT_FALSE(QuestionsInFlight(Questions(BegunAt({100, 105, 109}), 10), 2).met());
  EXPECT_FALSE(QuestionsInFlight(BegunAt({100}), 2).met()) << "nobody asked about a token";
  std::vector<Exchange> open = Questions(BegunAt({100, 200, 300}), 10);
  open[0].end_ns = open[1].end_ns = 0;
  EXPECT_FALSE(QuestionsInFlight(open, 2).met());
}

TEST(QuestionsInOutage, IsTheFirstAndAProbeAfterEachBackoff) {
  const auto judged = [](size_t questions) {
    std::vector<Exchange> exchanges(questions, Exchange{.begin_ns = 1500 * kMs, .introspection = true});
    exchanges.push_back({.begin_ns = 1500 * kMs});  // For keys.
    exchanges.push_back({.begin_ns = 2000 * kMs, .introspection = true});
    return QuestionsInOutage(exchanges, 1000 * kMs, 2000 * kMs, 16, Scaled());
  };
  // 16 and 4 until it opens, 1 and 6 while the backoff doubles from 1 to 60 ms; then 33 of 30 ms, ± 6 × 3.3.
  EXPECT_EQ(judged(1).limit, 80);
  EXPECT_TRUE(judged(80).met());
  EXPECT_FALSE(judged(81).met());
  EXPECT_FALSE(judged(0).met()) << "nobody asked";
}

TEST(HostBucket, IsTheBurstBeyondTheRateInTheWorstStretch) {
  const auto judged = [](std::initializer_list<int64_t> at_ms) {
    return HostBucket(BegunAt(at_ms), Timing());
  };
  // Five at once, and one in 200 ms from then on; the clock's ticks are 10 ms of that.
  EXPECT_TRUE(judged({1000, 1000, 1000, 1000, 1000, 1190, 1400, 1600}).met());
  EXPECT_FALSE(judged({1000, 1000, 1000, 1000, 1000, 1189}).met());
  EXPECT_NEAR(judged({1000, 1000, 1000, 1000, 1000}).observed, 5, 0.06);
  EXPECT_FALSE(judged({1000, 9000, 9000, 9000, 9000, 9000, 9000}).met())
      << "saved up for more than the burst";
  EXPECT_TRUE(judged({1000, 9000, 9000, 9000, 9000, 9000}).met());
  EXPECT_FALSE(judged({}).met()) << "nobody was asked";
  EXPECT_FALSE(HostBucket(Questions(BegunAt({1000}), 1), Timing()).met()) << "not for keys";
  std::vector<Exchange> held_up = BegunAt({1000, 1000, 1000, 1000, 1000, 1150});
  for (Exchange& exchange : held_up) exchange.earliest_ns = std::min<int64_t>(exchange.begin_ns, 950 * kMs);
  EXPECT_TRUE(HostBucket(held_up, Timing()).met()) << "its thread was kept from running";
}

Slice SliceOf(bool outage, uint64_t service_ns) {
  Slice slice{.outage = outage, .whole = true};
  for (int i = 0; i < 1000; ++i) slice.service.Record(service_ns);
  return slice;
}

std::vector<Slice> Slices(size_t pairs, uint64_t healthy_ns, uint64_t outage_ns) {
  std::vector<Slice> slices;
  for (size_t i = 0; i < pairs; ++i) {
    slices.push_back(SliceOf(false, healthy_ns));
    slices.push_back(SliceOf(true, outage_ns));
  }
  return slices;
}

std::string OutcomeOf(const std::vector<Slice>& slices) {
  return ServiceTimeObjective(MeasureServiceTime(slices)).outcome;
}

TEST(ServiceTime, FailsBeyondTheRatioAndBeyondHealthyAgainstHealthy) {
  EXPECT_EQ(OutcomeOf(Slices(9, 100, 125)), "met");
  EXPECT_EQ(OutcomeOf(Slices(9, 100, 127)), "missed");
  std::vector<Slice> unquiet = Slices(9, 100, 140);
  for (size_t i = 0; i < unquiet.size(); i += 4) unquiet[i] = SliceOf(false, 150);
  for (size_t i = 1; i < unquiet.size(); i += 4) unquiet[i] = SliceOf(true, 210);
  EXPECT_EQ(OutcomeOf(unquiet), "inconclusive");
}

TEST(ServiceTime, NeedsNinePairsOfWholeSlicesInAnOutage) {
  EXPECT_EQ(OutcomeOf(Slices(8, 100, 100)), "missed");
  std::vector<Slice> slices = Slices(9, 100, 100);
  slices.back().whole = false;
  EXPECT_EQ(OutcomeOf(slices), "missed");
  slices.back().whole = true;
  EXPECT_EQ(OutcomeOf(slices), "met");
  slices.back().not_degraded = 1;
  EXPECT_EQ(OutcomeOf(slices), "missed");
  EXPECT_EQ(MeasureServiceTime(slices).outcome, "too_few");
}

}  // namespace
}  // namespace tollgate::bench
