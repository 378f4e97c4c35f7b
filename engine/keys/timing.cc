#include <algorithm>
#include <cmath>

#include "tollgate/config.h"

namespace tollgate {

Timing Timing::Scaled(double factor) const {
  const auto scale = [factor](int64_t duration_ms) -> int64_t {
    const double scaled = std::round(static_cast<double>(duration_ms) * factor);
    if (!(scaled > 1)) return 1;  // NaN too.
    constexpr double kTwoTo63 = 9223372036854775808.0;
    return scaled >= kTwoTo63 ? INT64_MAX : static_cast<int64_t>(scaled);
  };
  Timing scaled = *this;
  for (int64_t Timing::*duration :
       {&Timing::refresh_min_ms, &Timing::refresh_max_ms, &Timing::cooldown_ms, &Timing::staleness_bound_ms,
        &Timing::backoff_min_ms, &Timing::backoff_cap_ms, &Timing::verdict_age_max_ms,
        &Timing::fetch_timeout_ms}) {
    scaled.*duration = scale(this->*duration);
  }
  return scaled;
}

}  // namespace tollgate
