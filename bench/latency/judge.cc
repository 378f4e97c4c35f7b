#include "bench/latency/judge.h"

#include <algorithm>
#include <cmath>

#include "bench/lib/gates.h"

namespace tollgate::bench {

double QuietSpread(const std::vector<double>& quiet_p999) {
  std::vector<double> changes;
  for (size_t i = 1; i < quiet_p999.size(); ++i) {
    const auto [least, most] = std::minmax(quiet_p999[i - 1], quiet_p999[i]);
    if (least > 0) changes.push_back(most / least);
  }
  if (changes.empty()) return 1;
  std::sort(changes.begin(), changes.end());
  return changes[static_cast<size_t>(std::ceil(0.9 * static_cast<double>(changes.size()))) - 1];
}

LatencyJudgement JudgeLatency(const std::vector<double>& ratios, double quiet_spread, double ratio_max) {
  if (ratios.empty()) return {0, "not_measured"};
  const double ratio = Median(ratios);
  if (ratio <= ratio_max) return {ratio, "met"};
  return {ratio, ratio > quiet_spread ? "missed" : "inconclusive"};
}

}  // namespace tollgate::bench
