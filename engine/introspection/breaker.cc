#include "introspection/breaker.h"

#include <algorithm>

#include "base/saturating.h"

namespace tollgate::introspection {
namespace {

bool IsClosed(const BreakerState& state) { return state.open_until_ms == INT64_MIN; }

// min · 2^doublings, at most the cap, at least 1.
int64_t BackoffCeiling(const Timing& timing, uint32_t doublings) {
  int64_t ceiling = std::max<int64_t>(timing.backoff_min_ms, 1);
  const int64_t cap = std::max<int64_t>(timing.backoff_cap_ms, 1);
  for (uint32_t i = 0; i < doublings && ceiling < cap; ++i) ceiling = saturating::Times(ceiling, 2);
  return std::min(ceiling, cap);
}

}  // namespace

bool MayAsk(const BreakerState& state, int64_t now_ms) {
  return IsClosed(state) || (now_ms >= state.open_until_ms && !state.probing);
}

int64_t WaitMs(const BreakerState& state, const Timing& timing, int64_t now_ms) {
  if (MayAsk(state, now_ms)) return 0;
  if (state.probing) return std::max<int64_t>(timing.backoff_min_ms, 1);
  return saturating::Minus(state.open_until_ms, now_ms);
}

BreakerState OnAsk(BreakerState state, int64_t now_ms) {
  if (!IsClosed(state) && now_ms >= state.open_until_ms) state.probing = true;
  return state;
}

BreakerState OnAnswer(BreakerState) { return {}; }

BreakerState OnFailure(BreakerState state, const Timing& timing, int64_t now_ms, uint64_t random) {
  if (!IsClosed(state) && !state.probing) return state;
  if (state.failures < UINT32_MAX) ++state.failures;
  state.probing = false;
  if (state.failures < kFailuresMax) return state;
  const auto ceiling = static_cast<uint64_t>(BackoffCeiling(timing, state.failures - kFailuresMax));
  // The bias is below ceiling / 2^64.
  state.open_until_ms = saturating::Plus(now_ms, 1 + static_cast<int64_t>(random % ceiling));
  return state;
}

}  // namespace tollgate::introspection
