#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include <nlohmann/json.hpp>

#include "bench/fleet/idp_model.h"
#include "tollgate/config.h"

namespace tollgate::bench {

// The demand: after an outage, the largest second is at most this many times the mean of the first backoff
// cap.
inline constexpr double kFleetPeakMax = 3;

struct FleetSettings {
  size_t num_instances = 10'000;
  uint64_t seed = 1;
  Timing timing{};
  IdpSettings idp{};
  int64_t outage_ms = 3'600'000;
};

// FleetPeak is the largest second of some, and their mean.
struct FleetPeak {
  double largest_hz = 0;
  double mean_hz = 0;
  double ratio() const { return mean_hz > 0 ? largest_hz / mean_hz : 0; }
};
FleetPeak PeakOf(std::span<const uint32_t> seconds);

// RunFleet plays all scenarios, each with `settings.timing` and once more without jitter, and judges them, in
// the form that bench/README.md documents. Some seconds of work for the defaults; no clock, no network.
nlohmann::json RunFleet(const FleetSettings& settings);

}  // namespace tollgate::bench
