#include <algorithm>
#include <cmath>

#include "base/durations.h"
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
  for (const NamedDuration& duration : kDurations) scaled.*duration.value = scale(this->*duration.value);
  return scaled;
}

}  // namespace tollgate
