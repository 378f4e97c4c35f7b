#include "bench/latency/judge.h"

#include <gtest/gtest.h>

namespace tollgate::bench {
namespace {

TEST(LatencyJudge, FailsOnlyBeyondTheDemandAndBeyondQuietAgainstQuiet) {
  EXPECT_EQ(JudgeLatency({1.9, 2.0, 9}, 1).outcome, "met");
  EXPECT_EQ(JudgeLatency({1.9, 2.1, 9}, 2.05).outcome, "missed");
  EXPECT_EQ(JudgeLatency({1.9, 2.1, 9}, 2.1).outcome, "inconclusive");
  EXPECT_EQ(JudgeLatency({}, 1).outcome, "not_measured");
}

TEST(LatencyJudge, TheRatioIsTheMedianOfThePairs) { EXPECT_EQ(JudgeLatency({1, 50, 1.5}, 1).ratio, 1.5); }

TEST(LatencyJudge, SpreadIsTheChangeThatNineInTenDoNotExceed) {
  EXPECT_EQ(QuietSpread({}), 1);
  EXPECT_EQ(QuietSpread({100}), 1);
  EXPECT_EQ(QuietSpread({100, 100, 100}), 1);
  EXPECT_EQ(QuietSpread({100, 150}), 1.5);
  EXPECT_EQ(QuietSpread({150, 100}), 1.5);
  // Ten changes, of which one is wild.
  EXPECT_EQ(QuietSpread({100, 100, 100, 100, 100, 100, 100, 100, 120, 120, 12'000}), 1.2);
}

}  // namespace
}  // namespace tollgate::bench
