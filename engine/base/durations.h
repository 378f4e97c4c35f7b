#pragma once

#include <cstdint>
#include <iterator>

#include "tollgate/config.h"

namespace tollgate {

// NamedDuration is one member of Timing that is a duration, and what it is called.
struct NamedDuration {
  const char* name;
  int64_t Timing::*value;
};

// kDurations are all of them, in the order of their declaration: what scales, checks or shows a Timing goes
// through here, so that none is left out.
inline constexpr NamedDuration kDurations[] = {
    {"refresh_min_ms", &Timing::refresh_min_ms},
    {"refresh_max_ms", &Timing::refresh_max_ms},
    {"cooldown_ms", &Timing::cooldown_ms},
    {"staleness_bound_ms", &Timing::staleness_bound_ms},
    {"backoff_min_ms", &Timing::backoff_min_ms},
    {"backoff_cap_ms", &Timing::backoff_cap_ms},
    {"verdict_age_max_ms", &Timing::verdict_age_max_ms},
    {"fetch_timeout_ms", &Timing::fetch_timeout_ms},
    {"metadata_age_max_ms", &Timing::metadata_age_max_ms},
    {"file_interval_ms", &Timing::file_interval_ms},
    {"introspection_timeout_ms", &Timing::introspection_timeout_ms},
    {"active_age_max_ms", &Timing::active_age_max_ms},
    {"inactive_age_max_ms", &Timing::inactive_age_max_ms},
    {"host_interval_ms", &Timing::host_interval_ms},
};
// Timing is these, jitter_percent and host_burst.
static_assert(sizeof(Timing) == (std::size(kDurations) + 1) * sizeof(int64_t), "a duration has no row above");

}  // namespace tollgate
