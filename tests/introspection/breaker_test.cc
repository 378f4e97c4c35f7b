#include "introspection/breaker.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>

namespace tollgate::introspection {
namespace {

constexpr int64_t kNow = 1'000'000;

BreakerState Failures(uint32_t count, const Timing& timing, uint64_t random = 0) {
  BreakerState state;
  for (uint32_t i = 0; i < count; ++i) state = OnFailure(OnAsk(state, kNow), timing, kNow, random);
  return state;
}

TEST(Breaker, OpensAtTheFifthFailureInARow) {
  const Timing timing;
  EXPECT_TRUE(MayAsk({}, kNow));
  EXPECT_EQ(WaitMs({}, timing, kNow), 0);
  for (uint32_t count = 1; count < kFailuresMax; ++count) {
    EXPECT_TRUE(MayAsk(Failures(count, timing), kNow)) << count;
  }
  const BreakerState open = Failures(kFailuresMax, timing, 499);
  EXPECT_FALSE(MayAsk(open, kNow));
  EXPECT_EQ(WaitMs(open, timing, kNow), 500);
  EXPECT_FALSE(MayAsk(open, kNow + 499));
  EXPECT_TRUE(MayAsk(open, kNow + 500));
  EXPECT_EQ(WaitMs(open, timing, kNow + 500), 0);
}

TEST(Breaker, AnAnswerBetweenStartsTheCountAgain) {
  const Timing timing;
  BreakerState state = OnAnswer(Failures(kFailuresMax - 1, timing));
  for (uint32_t count = 1; count < kFailuresMax; ++count) {
    state = OnFailure(state, timing, kNow, 0);
    EXPECT_TRUE(MayAsk(state, kNow)) << count;
  }
  EXPECT_FALSE(MayAsk(OnFailure(state, timing, kNow, 0), kNow));
}

TEST(Breaker, HalfOpenLetsOneProbeThrough) {
  const Timing timing;
  const BreakerState open = Failures(kFailuresMax, timing);
  const int64_t later_ms = kNow + WaitMs(open, timing, kNow);
  const BreakerState probing = OnAsk(open, later_ms);
  EXPECT_FALSE(MayAsk(probing, later_ms));
  EXPECT_FALSE(MayAsk(probing, INT64_MAX));
  EXPECT_EQ(WaitMs(probing, timing, later_ms), timing.backoff_min_ms);
  const BreakerState closed = OnAnswer(probing);
  EXPECT_TRUE(MayAsk(closed, later_ms));
  EXPECT_TRUE(MayAsk(OnAsk(closed, later_ms), later_ms));
}

TEST(Breaker, FailedProbesBackOffWithFullJitterUpToTheCap) {
  const Timing timing;  // 1 … 60 s
  BreakerState state = Failures(kFailuresMax - 1, timing);
  for (const int64_t ceiling : {1'000, 2'000, 4'000, 8'000, 16'000, 32'000, 60'000, 60'000}) {
    const auto wait_ms = [&](int64_t random) {
      return WaitMs(OnFailure(state, timing, kNow, static_cast<uint64_t>(random)), timing, kNow);
    };
    EXPECT_EQ(wait_ms(0), 1);
    EXPECT_EQ(wait_ms(ceiling - 1), ceiling);
    EXPECT_EQ(wait_ms(ceiling), 1);
    state = OnFailure(state, timing, kNow, 0);
    state = OnAsk(state, kNow + 1);
    ASSERT_TRUE(state.probing);
  }
}

TEST(Breaker, FailuresOfQuestionsSentBeforeItOpenedSayNothingNew) {
  const Timing timing;
  const BreakerState open = Failures(kFailuresMax, timing, 499);
  const BreakerState same = OnFailure(open, timing, kNow + 100, 999);
  EXPECT_EQ(WaitMs(same, timing, kNow), 500);
  EXPECT_EQ(same.failures, open.failures);
  EXPECT_TRUE(MayAsk(OnFailure(open, timing, kNow + 500, 999), kNow + 500));
}

TEST(Breaker, AnAnswerOfAQuestionSentBeforeItOpenedClosesIt) {
  EXPECT_TRUE(MayAsk(OnAnswer(Failures(kFailuresMax, Timing{})), kNow));
}

TEST(Breaker, ExtremeSettingsAndTimesDoNotOverflow) {
  Timing timing;
  timing.backoff_min_ms = timing.backoff_cap_ms = INT64_MAX;
  BreakerState state;
  for (uint32_t i = 0; i < kFailuresMax; ++i) state = OnFailure(state, timing, INT64_MAX - 5, UINT64_MAX);
  EXPECT_FALSE(MayAsk(state, INT64_MAX - 5));
  timing.backoff_min_ms = timing.backoff_cap_ms = -7;
  EXPECT_EQ(WaitMs(Failures(kFailuresMax, timing, UINT64_MAX), timing, kNow), 1);
}

// A model that keeps each question by itself: 0 … 7, of which some were sent before the breaker opened.
TEST(Breaker, AnyWalkKeepsTheContract) {
  std::mt19937_64 random(7662);
  int openings = 0, probes = 0, closings = 0;
  for (int walk = 0; walk < 400; ++walk) {
    Timing timing;
    timing.backoff_min_ms = 1 + static_cast<int64_t>(random() % 50);
    timing.backoff_cap_ms = timing.backoff_min_ms + static_cast<int64_t>(random() % 500);
    BreakerState state;
    int64_t now_ms = kNow;
    uint32_t in_a_row = 0;
    bool open = false, probe = false;
    int64_t not_before_ms = 0, not_after_ms = 0;  // When the first probe may and must be let through.
    const uint64_t answers_percent = random() % 60;
    for (int step = 0; step < 300; ++step) {
      now_ms += static_cast<int64_t>(random() % 40);
      const bool may = MayAsk(state, now_ms);
      const int64_t wait_ms = WaitMs(state, timing, now_ms);
      ASSERT_EQ(may, wait_ms == 0);
      if (!open) {
        ASSERT_TRUE(may);
      } else if (probe) {
        ASSERT_FALSE(may);
        ASSERT_EQ(wait_ms, timing.backoff_min_ms);
      } else {
        ASSERT_FALSE(may && now_ms < not_before_ms);
        ASSERT_TRUE(may || now_ms < not_after_ms);
        if (!may) {
          ASSERT_TRUE(MayAsk(state, now_ms + wait_ms));
          ASSERT_FALSE(MayAsk(state, now_ms + wait_ms - 1));
        }
      }
      if (may) {
        state = OnAsk(state, now_ms);
        probes += open;
        probe = open;
      }
      if (random() % 2 == 0) continue;
      if (random() % 100 < answers_percent) {
        state = OnAnswer(state);
        closings += open;
        open = probe = false;
        in_a_row = 0;
        continue;
      }
      state = OnFailure(state, timing, now_ms, random());
      if (open && !probe) continue;
      if (++in_a_row < kFailuresMax) continue;
      int64_t ceiling_ms = timing.backoff_min_ms;
      for (uint32_t i = kFailuresMax; i < in_a_row; ++i)
        ceiling_ms = std::min(2 * ceiling_ms, timing.backoff_cap_ms);
      openings += !open;
      open = true;
      probe = false;
      not_before_ms = now_ms + 1;
      not_after_ms = now_ms + ceiling_ms;
    }
  }
  EXPECT_GT(openings, 100);
  EXPECT_GT(probes, 100);
  EXPECT_GT(closings, 100);
}

}  // namespace
}  // namespace tollgate::introspection
