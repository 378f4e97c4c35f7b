#include "bench/fleet/instance.h"

namespace tollgate::bench {

Contract WithoutJitter(const Timing& timing) {
  Contract contract{timing};
  contract.timing.jitter_percent = 0;
  // The schedule takes its draw modulo the backoff's ceiling: one below a multiple of all ceilings is the
  // largest draw for each of them.
  const auto cap = static_cast<uint64_t>(timing.backoff_cap_ms);
  auto largest = static_cast<uint64_t>(timing.backoff_min_ms);
  while (2 * largest < cap) largest *= 2;
  contract.draw = largest * cap - 1;
  return contract;
}

}  // namespace tollgate::bench
