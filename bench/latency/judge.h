#pragma once

#include <string>
#include <vector>

namespace tollgate::bench {

// The demand on each condition: p99.9 at most this many times that of quiet.
inline constexpr double kLatencyRatioMax = 2;

// LatencyJudgement says whether a disturbance shows in the tail. Pure data.
struct LatencyJudgement {
  double ratio = 0;  // Median of the pairs' ratios, disturbed to quiet.
  std::string outcome;
};

// QuietSpread is what the machine does by itself: of all pairs of consecutive quiet slices the larger p99.9
// over the smaller one, of these the value that nine in ten do not exceed; at least 1. 1 for fewer than two.
double QuietSpread(const std::vector<double>& quiet_p999);

// JudgeLatency is "met" unless the ratio is beyond `ratio_max` and beyond the spread of quiet against quiet;
// "missed" then, and "inconclusive" where the ratio is beyond the demand and the spread is too. Without pairs
// it is "not_measured".
LatencyJudgement JudgeLatency(const std::vector<double>& ratios, double quiet_spread,
                              double ratio_max = kLatencyRatioMax);

}  // namespace tollgate::bench
