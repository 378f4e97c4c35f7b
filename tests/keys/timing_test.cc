#include <gtest/gtest.h>

#include <limits>

#include "tollgate/config.h"

namespace tollgate {
namespace {

TEST(TimingScaled, MultipliesEveryDurationAndNothingElse) {
  const Timing scaled = Timing{}.Scaled(0.01);
  EXPECT_EQ(scaled.refresh_min_ms, 600);
  EXPECT_EQ(scaled.refresh_max_ms, 9'000);
  EXPECT_EQ(scaled.cooldown_ms, 600);
  EXPECT_EQ(scaled.staleness_bound_ms, 36'000);
  EXPECT_EQ(scaled.backoff_min_ms, 10);
  EXPECT_EQ(scaled.backoff_cap_ms, 600);
  EXPECT_EQ(scaled.verdict_age_max_ms, 6'000);
  EXPECT_EQ(scaled.fetch_timeout_ms, 50);
  EXPECT_EQ(scaled.metadata_age_max_ms, 36'000);
  EXPECT_EQ(scaled.file_interval_ms, 50);
  EXPECT_EQ(scaled.host_interval_ms, 2);
  EXPECT_EQ(scaled.jitter_percent, 20);
  EXPECT_EQ(scaled.host_burst, 5);
}

TEST(TimingScaled, ByOneIsTheSame) {
  const Timing scaled = Timing{}.Scaled(1);
  EXPECT_EQ(scaled.staleness_bound_ms, Timing{}.staleness_bound_ms);
  EXPECT_EQ(scaled.backoff_min_ms, Timing{}.backoff_min_ms);
}

TEST(TimingScaled, NoDurationFallsBelowAMillisecondOrOverflows) {
  EXPECT_EQ(Timing{}.Scaled(1e-12).cooldown_ms, 1);
  EXPECT_EQ(Timing{}.Scaled(1e300).cooldown_ms, INT64_MAX);
  EXPECT_EQ(Timing{}.Scaled(std::numeric_limits<double>::infinity()).cooldown_ms, INT64_MAX);
  EXPECT_EQ(Timing{}.Scaled(std::numeric_limits<double>::quiet_NaN()).cooldown_ms, 1);
}

}  // namespace
}  // namespace tollgate
