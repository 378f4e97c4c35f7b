#include "pipeline/failure_budget.h"

#include <gtest/gtest.h>

#include <random>

namespace tollgate::pipeline {
namespace {

using crypto::KeyType;

constexpr int64_t kNow = 1'000'000'000;
constexpr uint32_t kPercent = 10;
constexpr int64_t kBurstUs = kBudgetWindowUs * kPercent / 100;  // What may be spent at once.

TEST(FailureBudget, NothingSpentIsNothingToWaitFor) {
  EXPECT_EQ(BudgetWaitUs(kNothingSpent, kNow), 0);
  EXPECT_EQ(BudgetWaitUs(kNothingSpent, INT64_MIN), 0);
  EXPECT_EQ(BudgetWaitUs(kNothingSpent, INT64_MAX), 0);
}

TEST(FailureBudget, IsSpentAtExactlyTheBurst) {
  EXPECT_EQ(BudgetWaitUs(OnSpent(kNothingSpent, kPercent, kNow, kBurstUs - 1), kNow), 0);
  EXPECT_EQ(BudgetWaitUs(OnSpent(kNothingSpent, kPercent, kNow, kBurstUs), kNow), 1);
  // In parts, as at once.
  int64_t paid_at_us = kNothingSpent;
  for (int i = 0; i < 1000; ++i) {
    ASSERT_EQ(BudgetWaitUs(paid_at_us, kNow), 0) << i;
    paid_at_us = OnSpent(paid_at_us, kPercent, kNow, kBurstUs / 1000);
  }
  EXPECT_EQ(BudgetWaitUs(paid_at_us, kNow), 1);
}

TEST(FailureBudget, TheWaitEndsToTheMicrosecond) {
  // 38 µs beyond the burst take 380 µs at 10 %.
  const int64_t paid_at_us = OnSpent(kNothingSpent, kPercent, kNow, kBurstUs + 38);
  EXPECT_EQ(BudgetWaitUs(paid_at_us, kNow), 381);
  EXPECT_EQ(BudgetWaitUs(paid_at_us, kNow + 380), 1);
  EXPECT_EQ(BudgetWaitUs(paid_at_us, kNow + 381), 0);
}

TEST(FailureBudget, WhileTimeStandsStillNothingComesBack) {
  const int64_t paid_at_us = OnSpent(kNothingSpent, kPercent, kNow, 2 * kBurstUs);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(BudgetWaitUs(paid_at_us, kNow), kBudgetWindowUs + 1);
}

TEST(FailureBudget, IdleTimeSavesUpNoMoreThanTheBurst) {
  int64_t paid_at_us = OnSpent(kNothingSpent, kPercent, kNow, kBurstUs);
  const int64_t later = kNow + int64_t{1000} * kBudgetWindowUs;
  paid_at_us = OnSpent(paid_at_us, kPercent, later, kBurstUs);
  EXPECT_EQ(BudgetWaitUs(paid_at_us, later), 1);
}

TEST(FailureBudget, ATimeThatWasReadEarlierTakesNothingBack) {
  const int64_t paid_at_us = OnSpent(kNothingSpent, kPercent, kNow, 1000);
  EXPECT_EQ(OnSpent(paid_at_us, kPercent, kNow - 500, 10), paid_at_us + 100);
}

TEST(FailureBudget, TheLeastCostCountsAtTheHighestRate) {
  EXPECT_EQ(OnSpent(kNothingSpent, 10'000, kNow, 1), kNow + 1);
  EXPECT_EQ(OnSpent(kNothingSpent, 3, kNow, 1), kNow + 34);
  EXPECT_EQ(OnSpent(kNothingSpent, 1, kNow, 0), kNow);
}

TEST(FailureBudget, NothingWraps) {
  EXPECT_EQ(MicrosecondsOf(INT64_MAX), INT64_MAX);
  EXPECT_EQ(MicrosecondsOf(INT64_MIN), INT64_MIN);
  EXPECT_EQ(MicrosecondsOf(-3), -3000);
  EXPECT_EQ(OnSpent(INT64_MAX, 1, kNow, INT64_MAX), INT64_MAX);
  EXPECT_EQ(OnSpent(INT64_MAX - 1, 1, INT64_MAX, 1), INT64_MAX);
  EXPECT_EQ(BudgetWaitUs(INT64_MAX, INT64_MIN), INT64_MAX - kBudgetWindowUs + 1);
  // At the end of all time nothing could ever be paid: then there is no bound, rather than no service.
  EXPECT_EQ(BudgetWaitUs(OnSpent(kNothingSpent, 1, INT64_MAX, 1'000'000), INT64_MAX), 0);
}

// Over any time, no more is spent than the rate, a burst, and one verification that began with something
// left.
TEST(FailureBudget, NoScheduleOfAttemptsSpendsMore) {
  for (uint64_t seed = 1; seed <= 50; ++seed) {
    std::mt19937_64 random(seed);
    const auto percent = static_cast<uint32_t>(1 + random() % 200);
    const auto cost_us = static_cast<int64_t>(1 + random() % 1000);
    int64_t paid_at_us = kNothingSpent, now_us = kNow, spent_us = 0;
    for (int i = 0; i < 20'000; ++i) {
      now_us += static_cast<int64_t>(random() % 400);
      if (BudgetWaitUs(paid_at_us, now_us) != 0) continue;
      paid_at_us = OnSpent(paid_at_us, percent, now_us, cost_us);
      spent_us += cost_us;
    }
    const int64_t allowed_us = (now_us - kNow + kBudgetWindowUs) * percent / 100 + cost_us;
    EXPECT_LE(spent_us, allowed_us) << "seed " << seed;
  }
}

// Nor less, where there are always attempts: the bound takes nothing of what it grants.
TEST(FailureBudget, UnderConstantAttemptsItIsUsedUp) {
  int64_t paid_at_us = kNothingSpent, spent_us = 0;
  constexpr int64_t kTimeUs = 60'000'000;
  for (int64_t at_us = 0; at_us < kTimeUs; at_us += 100) {
    if (BudgetWaitUs(paid_at_us, kNow + at_us) != 0) continue;
    paid_at_us = OnSpent(paid_at_us, kPercent, kNow + at_us, 870);
    spent_us += 870;
  }
  EXPECT_GE(spent_us, (kTimeUs + kBudgetWindowUs) * kPercent / 100 - 870);
}

TEST(VerificationCost, GrowsWithTheKeyAndTheToken) {
  EXPECT_EQ(VerificationCostUs(KeyType::kRsa, 256, 800), 13);
  EXPECT_EQ(VerificationCostUs(KeyType::kRsa, 384, 800), 29);
  EXPECT_EQ(VerificationCostUs(KeyType::kRsa, 512, 800), 52);
  EXPECT_EQ(VerificationCostUs(KeyType::kP256, 64, 800), 38);
  EXPECT_EQ(VerificationCostUs(KeyType::kEd25519, 64, 800), 38);
  EXPECT_EQ(VerificationCostUs(KeyType::kP384, 96, 800), 340);
  EXPECT_EQ(VerificationCostUs(KeyType::kP521, 132, 800), 870);
  EXPECT_EQ(VerificationCostUs(KeyType::kRsa, 256, 16 * 1024), 13 + 16);
}

}  // namespace
}  // namespace tollgate::pipeline
