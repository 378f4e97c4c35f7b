#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/outage/load.h"
#include "bench/outage/observed_transport.h"
#include "bench/outage/scenario_file.h"
#include "tollgate/config.h"
#include "tollgate/decision.h"

namespace tollgate::bench {

inline constexpr int64_t kBinNs = 100'000'000;

// What the monitor saw at the end of each bin.
struct Sighting {
  Freshness freshness = Freshness::kUnavailable;
  int64_t keys_age_ms = -1;
};

// When a phase was, in nanoseconds from the start; −1: has not happened.
struct PhaseTime {
  int64_t begin_ns = -1;
  int64_t reachable_ns = -1;  // Its identity provider was there, or meant not to be.
  int64_t end_ns = -1;
};

// Timeline is what the monitor did and saw.
struct Timeline {
  std::vector<PhaseTime> phases;
  std::vector<Sighting> sightings;
  std::vector<double> back_to_fresh_s;  // After each fault; −1: not before the phase's end.
  int64_t removed_ns = -1;              // A key.
};

// Outcome is all that was observed of one run. Times of exchanges and load are the monotonic clock's.
struct Outcome {
  LoadResult known;
  LoadResult others;
  Timeline timeline;
  std::vector<Exchange> exchanges;
  int64_t start_ns = 0;
};

// RunFacts are what the results say of the run beside what was observed.
struct RunFacts {
  std::string tokens;  // Who issued them.
  double factor = 1;
  double network_factor = 1;
  double rate_max_hz = 0;
  size_t num_known = 0;
  bool service_time = false;      // It was measured.
  uint32_t in_flight_max = 0;     // IntrospectionConfig::in_flight_max.
  double start_s = 0;             // What Engine::Create took,
  uint64_t issuer_bytes = 0;      // Metrics::issuer_bytes at the end,
  size_t resident_bytes_max = 0;  // and the most that this process has had, all scenarios before included.
  double new_rate_scale = 1;
  double warm_up_s = 0;  // See BackToFresh.
};

// ResultsOf holds the outcome against the scenario's objectives and returns both in the form of
// bench/README.md. Without `timed_objectives` those that depend on how quickly something happened are left
// out.
nlohmann::json ResultsOf(const Outcome& outcome, const Scenario& scenario, const Timing& timing,
                         bool timed_objectives, const RunFacts& facts);

}  // namespace tollgate::bench
