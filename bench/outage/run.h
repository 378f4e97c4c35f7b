#pragma once

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "bench/lib/token_pool.h"
#include "bench/outage/idp_control.h"
#include "bench/outage/scenario_file.h"
#include "tollgate/config.h"

namespace tollgate::bench {

// RunSettings say how a scenario is run; what happens in it says its file.
struct RunSettings {
  double factor = 1.0 / 60;  // On every duration of Timing and of the scenario.
  double rate_max_hz = 0;    // On each load; 0: as the scenario says.
  size_t num_known = 1000;
  bool timed_objectives = true;  // False: only correctness counts, for machines that are busy.
  bool progress = true;
};

// ScaledTiming is the shipped contract times `factor`, but for the timeouts of a fetch and an introspection:
// see NetworkFactor. No answer counts for less than the latter.
Timing ScaledTiming(double factor);

// NetworkFactor scales what one exchange takes: its timeout and the delays of a slow identity provider.
// Loopback takes as long as it takes, so it is never below 1/20, which makes a fetch's timeout 250 ms.
double NetworkFactor(double factor);

// RunScenario runs `scenario` and returns what happened, in the form that bench/README.md documents. `pool`
// is where the tokens come from, if `idp` is not the repository's own, and says in any case for whom they
// are. Takes as long as the scenario's durations times the factor, and a moment to make the tokens. Fails if
// the scenario needs what this identity provider cannot do, or the engine gets no keys from it while it is
// well.
absl::StatusOr<nlohmann::json> RunScenario(const RunSettings& settings, const Scenario& scenario,
                                           const TokenPool& pool, IdpControl& idp);

}  // namespace tollgate::bench
