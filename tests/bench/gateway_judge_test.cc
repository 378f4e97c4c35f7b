#include "bench/gateway/judge.h"

#include <gtest/gtest.h>

namespace tollgate::bench {
namespace {

constexpr GatewayDemand kAtLeast = {"least", "a", "b", false, true, 0.8};
constexpr GatewayDemand kAtMost = {"most", "a", "b", true, false, 2};

TEST(GatewayJudge, FailsOnlyBeyondTheDemandByMoreThanTheReferenceDiffersFromItself) {
  EXPECT_EQ(JudgeGateway(kAtLeast, {0.1, 0.8, 0.9}, 1).outcome, "met");
  EXPECT_EQ(JudgeGateway(kAtLeast, {0.1, 0.79, 0.9}, 1.01).outcome, "missed");
  EXPECT_EQ(JudgeGateway(kAtLeast, {0.1, 0.79, 0.9}, 1.02).outcome, "inconclusive");
  EXPECT_EQ(JudgeGateway(kAtMost, {1, 2, 9}, 1).outcome, "met");
  EXPECT_EQ(JudgeGateway(kAtMost, {1, 2.1, 9}, 1.04).outcome, "missed");
  EXPECT_EQ(JudgeGateway(kAtMost, {1, 2.1, 9}, 1.06).outcome, "inconclusive");
  EXPECT_EQ(JudgeGateway(kAtMost, {}, 1).outcome, "not_measured");
}

TEST(GatewayJudge, WithoutALimitTheRatioIsReported) {
  EXPECT_EQ(JudgeGateway({"beside", "a", "b", false, true, 0}, {0.1}, 1).outcome, "reported");
  EXPECT_EQ(JudgeGateway({"beside", "a", "b", false, true, 0}, {}, 1).outcome, "not_measured");
}

TEST(GatewayJudge, TheRatioIsTheMedianOfTheRounds) {
  EXPECT_EQ(JudgeGateway(kAtMost, {1, 50, 1.5}, 1).ratio, 1.5);
}

}  // namespace
}  // namespace tollgate::bench
