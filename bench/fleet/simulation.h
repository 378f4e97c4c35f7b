#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "bench/fleet/idp_model.h"
#include "bench/fleet/instance.h"

namespace tollgate::bench {

// FleetScript is what happens to a fleet in virtual time, which begins at 0.
struct FleetScript {
  size_t num_instances = 10'000;
  uint64_t seed = 1;
  int64_t roll_out_ms = 0;  // Instances start at random within so long; 0: all in the same millisecond.
  IdpOutage outage{};
  // From here on tokens are signed with a new key, which the identity provider publishes no earlier. Each
  // instance sees the first of them at random within `spread_ms`, and then one every `token_interval_ms`.
  int64_t rotation_ms = INT64_MAX;
  int64_t spread_ms = 5000;
  int64_t token_interval_ms = 100;
  bool forged = false;  // There is no such key: the tokens are forged, with another key id each.
  // The seconds that are recorded, and from where on instances are waited for: whole ones.
  int64_t begin_ms = 0;
  int64_t end_ms = 0;
  int64_t since_ms = 0;
};

// FleetTrace is what the identity provider saw, second by second from begin_ms on, and what the instances
// did.
struct FleetTrace {
  std::vector<uint32_t> requests;
  std::vector<uint32_t> failed;  // Of these: refused, lost, or answered beyond the fetch timeout.
  // From since_ms to each instance's first good answer from then on, ascending. Shorter than the fleet where
  // end_ms came first.
  std::vector<int64_t> good_after_ms;
};

// SimulateFleet plays `script`, on instances that keep to `contract`. The same arguments give the same trace.
FleetTrace SimulateFleet(const FleetScript& script, const Contract& contract, const IdpSettings& idp);

}  // namespace tollgate::bench
