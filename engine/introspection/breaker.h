#pragma once

#include <cstdint>

#include "tollgate/config.h"

namespace tollgate::introspection {

// BreakerState decides whether an endpoint may be asked at this moment. Changed by the pure functions below
// alone, like keys::ScheduleState.
//   closed ── kFailuresMax failures one after the other ──▶ open ── its time is over ──▶ half open: one probe
//   ▲                                                        ▲                                │
//   └───────────────── the probe is answered ────────────────│────────────────────────────────┤
//                                                            └────── the probe fails ─────────┘
struct BreakerState {
  uint32_t failures = 0;              // Consecutive.
  int64_t open_until_ms = INT64_MIN;  // Not asked before; INT64_MIN: closed.
  bool probing = false;               // Half open, and the one probe is under way.
};

// As many failures one after the other open a breaker: one lost answer does not.
inline constexpr uint32_t kFailuresMax = 5;

// MayAsk: whether a question may be sent now. In the half-open state only one at a time may.
bool MayAsk(const BreakerState& state, int64_t now_ms);

// WaitMs returns how long from now MayAsk will be true, if nothing happens before; 0: it is. Of a probe under
// way nobody knows: the backoff's first step.
int64_t WaitMs(const BreakerState& state, const Timing& timing, int64_t now_ms);

// The events. OnAsk follows MayAsk when a question is sent. A failed one opens the breaker, once there are
// enough, for a full-jitter backoff: uniform in (0, min(backoff_cap, backoff_min·2^k)], k the failures beyond
// kFailuresMax. `random` is any uniformly distributed 64-bit number. An answer of a question that was sent
// before the breaker opened closes it, too; a failure of such a one says nothing new and is no event: while
// the breaker is open, OnFailure changes nothing unless a probe is under way.
BreakerState OnAsk(BreakerState state, int64_t now_ms);
BreakerState OnAnswer(BreakerState state);
BreakerState OnFailure(BreakerState state, const Timing& timing, int64_t now_ms, uint64_t random);

}  // namespace tollgate::introspection
