#include "bench/gateway/judge.h"

#include "bench/lib/gates.h"

namespace tollgate::bench {

GatewayJudgement JudgeGateway(const GatewayDemand& demand, const std::vector<double>& ratios, double spread) {
  if (ratios.empty()) return {0, "not_measured"};
  const double ratio = Median(ratios);
  if (demand.limit == 0) return {ratio, "reported"};
  if (demand.at_least ? ratio >= demand.limit : ratio <= demand.limit) return {ratio, "met"};
  const bool beyond = demand.at_least ? ratio * spread < demand.limit : ratio > demand.limit * spread;
  return {ratio, beyond ? "missed" : "inconclusive"};
}

}  // namespace tollgate::bench
