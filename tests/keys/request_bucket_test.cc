#include "keys/request_bucket.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace tollgate::keys {
namespace {

Timing BucketOf(int64_t interval_ms, int32_t burst) {
  Timing timing;
  timing.host_interval_ms = interval_ms;
  timing.host_burst = burst;
  return timing;
}

TEST(RequestBucket, AFullOneGivesItsBurstAtOnceAndThenOneInEveryInterval) {
  const Timing timing = BucketOf(200, 5);
  int64_t full_ms = kBucketFull;
  int64_t now_ms = 1'000;
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(NthRequestMs(full_ms, 0, timing, now_ms), now_ms);
    full_ms = OnRequest(full_ms, timing, now_ms);
  }
  for (int i = 0; i < 20; ++i) {
    const int64_t next_ms = NthRequestMs(full_ms, 0, timing, now_ms);
    EXPECT_EQ(next_ms, now_ms + 200);
    EXPECT_EQ(NthRequestMs(full_ms, 0, timing, next_ms - 1), next_ms);
    now_ms = next_ms;
    full_ms = OnRequest(full_ms, timing, now_ms);
  }
}

TEST(RequestBucket, IsFullAgainAfterBurstIntervals) {
  const Timing timing = BucketOf(200, 5);
  int64_t full_ms = kBucketFull;
  for (int i = 0; i < 5; ++i) full_ms = OnRequest(full_ms, timing, 0);
  EXPECT_EQ(full_ms, 1'000);
  EXPECT_EQ(NthRequestMs(full_ms, 4, timing, 1'000), 1'000);
  EXPECT_GT(NthRequestMs(full_ms, 4, timing, 999), 999);
}

// However somebody asks who asks as often as they may: no stretch of time has more than the burst and its
// share. And whoever is told when their turn is, gets it then.
TEST(RequestBucket, NoStretchOfTimeHasMoreThanTheBurstAndItsShare) {
  std::mt19937_64 random(4711);
  for (int round = 0; round < 200; ++round) {
    const Timing timing =
        BucketOf(1 + static_cast<int64_t>(random() % 300), static_cast<int32_t>(1 + random() % 7));
    const auto burst = static_cast<size_t>(timing.host_burst);
    std::vector<int64_t> sent;
    int64_t full_ms = kBucketFull;
    int64_t now_ms = static_cast<int64_t>(random() % 1000) - 500;
    while (sent.size() < 60) {
      const uint64_t ahead = random() % 4;
      int64_t told_ms = NthRequestMs(full_ms, ahead, timing, now_ms);
      for (uint64_t i = 0; i <= ahead; ++i) {
        now_ms = NthRequestMs(full_ms, 0, timing, now_ms);
        sent.push_back(now_ms);
        full_ms = OnRequest(full_ms, timing, now_ms);
      }
      EXPECT_EQ(now_ms, told_ms);
      if (random() % 3 == 0) now_ms += static_cast<int64_t>(random() % 2'000);
    }
    for (size_t first = 0; first < sent.size(); ++first) {
      for (size_t last = first; last < sent.size(); ++last) {
        const auto share = static_cast<size_t>((sent[last] - sent[first]) / timing.host_interval_ms);
        ASSERT_LE(last - first + 1, burst + share);
      }
    }
  }
}

TEST(RequestBucket, NothingWrapsAtTheEndsOfTheRange) {
  const Timing never = BucketOf(INT64_MAX, 1);
  const int64_t full_ms = OnRequest(kBucketFull, never, 5);
  EXPECT_EQ(full_ms, INT64_MAX);
  EXPECT_EQ(NthRequestMs(full_ms, 0, never, 6), INT64_MAX);
  EXPECT_EQ(NthRequestMs(kBucketFull, 0, never, INT64_MIN), INT64_MIN);
  EXPECT_EQ(NthRequestMs(kBucketFull, UINT64_MAX, BucketOf(200, 5), INT64_MAX), INT64_MAX);
  EXPECT_GE(NthRequestMs(kBucketFull, 0, BucketOf(0, 0), 7), 7);
}

}  // namespace
}  // namespace tollgate::keys
