#include "bench/fleet/idp_model.h"

#include <algorithm>
#include <cmath>

namespace tollgate::bench {

IdpModel::Answer IdpModel::Ask(int64_t now_ms) {
  const auto now = static_cast<double>(now_ms);
  const Answer refused{false, now_ms + settings_.response_ms};
  if (now_ms >= outage_.begin_ms && now_ms < outage_.end_ms) {
    free_ms_ = 0;
    return outage_.silent ? Answer{} : refused;
  }
  const double turn_ms = std::max(free_ms_, now);
  if (turn_ms - now > static_cast<double>(settings_.queue_ms_max)) return refused;
  free_ms_ = turn_ms + 1000 / settings_.capacity_hz;
  const int64_t at_ms = static_cast<int64_t>(std::ceil(free_ms_)) + settings_.response_ms;
  const bool cut_off = now_ms < outage_.begin_ms && at_ms > outage_.begin_ms;
  if (!cut_off) return {true, at_ms};
  return outage_.silent ? Answer{} : Answer{false, outage_.begin_ms};
}

}  // namespace tollgate::bench
