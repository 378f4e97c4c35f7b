#include "bench/lib/histogram.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

namespace tollgate::bench {
namespace {

TEST(Histogram, BucketsMeetWithoutGapOrOverlap) {
  for (size_t bucket = 0; bucket + 1 < Histogram::kBuckets; ++bucket) {
    const uint64_t highest = Histogram::HighestIn(bucket);
    ASSERT_EQ(Histogram::BucketOf(highest), bucket);
    ASSERT_EQ(Histogram::BucketOf(highest + 1), bucket + 1);
  }
  EXPECT_EQ(Histogram::HighestIn(Histogram::kBuckets - 1), Histogram::kValueMax);
}

TEST(Histogram, BoundsAreWithinOneIn128OfEveryValue) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const uint64_t value = random() >> (28 + random() % 36);
    if (value > Histogram::kValueMax) continue;
    const uint64_t bound = Histogram::HighestIn(Histogram::BucketOf(value));
    ASSERT_GE(bound, value);
    ASSERT_LE(bound - value, value / 128);
  }
}

TEST(Histogram, PercentilesAgreeWithTheSortedValues) {
  std::mt19937_64 random(2);
  std::lognormal_distribution<double> latency(8, 2);
  Histogram histogram;
  std::vector<uint64_t> values;
  for (int i = 0; i < 20'000; ++i) {
    values.push_back(static_cast<uint64_t>(latency(random)));
    histogram.Record(values.back());
  }
  std::sort(values.begin(), values.end());
  for (const double percent : {0.0, 1.0, 50.0, 99.0, 99.9, 100.0}) {
    const double rank = std::max(1.0, std::ceil(percent / 100 * static_cast<double>(values.size())));
    const uint64_t exact = values[static_cast<size_t>(rank) - 1];
    EXPECT_GE(histogram.Percentile(percent), exact) << percent;
    EXPECT_LE(histogram.Percentile(percent), exact + exact / 128) << percent;
  }
  EXPECT_EQ(histogram.Percentile(100), values.back());
}

TEST(Histogram, MergeIsRecordingBoth) {
  Histogram both, one, other;
  for (uint64_t value = 1; value < 1'000'000; value = value * 3 + 1) {
    (value % 2 == 0 ? one : other).Record(value);
    both.Record(value);
  }
  one.Merge(other);
  EXPECT_EQ(one.count(), both.count());
  EXPECT_EQ(one.max(), both.max());
  for (const double percent : {10.0, 50.0, 90.0})
    EXPECT_EQ(one.Percentile(percent), both.Percentile(percent));
}

TEST(Histogram, EmptyAndHugeValuesAreHarmless) {
  Histogram histogram;
  EXPECT_EQ(histogram.Percentile(50), 0u);
  histogram.Record(UINT64_MAX);
  EXPECT_EQ(histogram.max(), UINT64_MAX);
  EXPECT_EQ(histogram.Percentile(50), UINT64_MAX);
}

}  // namespace
}  // namespace tollgate::bench
