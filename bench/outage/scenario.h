#pragma once

#include <string>

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "bench/lib/token_pool.h"
#include "bench/outage/idp_control.h"

namespace tollgate::bench {

// OutageSettings is one run of the scenario: so long healthy, then the identity provider is killed, for the
// staleness bound and so long beyond it, then brought back, and so long until the end.
struct OutageSettings {
  double factor = 1.0 / 60;  // On every duration of Timing.
  double healthy_s = 12;
  double beyond_s = 9;
  double recovery_s = 15;
  double known_rate_hz = 20'000;
  double fresh_rate_hz = 50;
  double forged_rate_hz = 50;
  size_t num_known = 1000;
  bool timed_objectives =
      true;  // False: only correctness counts, for machines that are busy with other things.
  bool progress = true;
};

// RunOutage runs the scenario `idp-outage` over tokens of the pool and returns what happened, in the form
// that bench/README.md documents. Takes as long as the settings say. Fails if the engine does not start or
// gets no keys from the healthy identity provider.
absl::StatusOr<nlohmann::json> RunOutage(const OutageSettings& settings, const TokenPool& pool,
                                         IdpControl& idp);

}  // namespace tollgate::bench
