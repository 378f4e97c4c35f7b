#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace tollgate::bench {

// GatewayDemand is what is demanded of one server beside another one: of the rates of requests at most or at
// least so many times, or of the p99 at half load. Limit 0: nothing is, and the ratio is reported. Pure data.
struct GatewayDemand {
  std::string_view name;
  std::string_view server;
  std::string_view reference;
  bool of_p99;  // Else of requests a second.
  bool at_least;
  double limit;
};

inline constexpr GatewayDemand kGatewayDemands[] = {
    {"requests_to_nginx", "tollgated", "nginx", false, true, 0.8},
    {"requests_to_haproxy", "tollgated", "haproxy_jwt", false, true, 2},
    {"p99_to_nginx", "tollgated", "nginx", true, false, 2},
    {"requests_of_module", "nginx_module", "nginx_proxy", false, true, 0.92},
    {"requests_of_module_alone", "nginx_bare_module", "nginx_bare", false, true, 0},
};

struct GatewayJudgement {
  double ratio = 0;  // Median of the rounds' ratios.
  std::string outcome;
};

// JudgeGateway is "reported" if nothing is demanded; "met" if the median of `ratios` is within the demand;
// "missed" if it is beyond the limit by more than a factor of `spread`, which is what the reference differs
// from itself from one slice to the next (QuietSpread); "inconclusive" in between, and "not_measured" without
// ratios.
GatewayJudgement JudgeGateway(const GatewayDemand& demand, const std::vector<double>& ratios, double spread);

}  // namespace tollgate::bench
