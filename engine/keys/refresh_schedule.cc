#include "keys/refresh_schedule.h"

#include <algorithm>

#include "base/saturating.h"

namespace tollgate::keys {
namespace {

using saturating::Minus;
using saturating::Plus;
using saturating::Times;

// Uniform in [0, n), n > 0. The bias is below n / 2^64.
int64_t Below(uint64_t n, uint64_t random) { return static_cast<int64_t>(random % n); }

// The interval moved by up to `percent` of itself, either way.
int64_t Jittered(int64_t interval_ms, int32_t percent, uint64_t random) {
  const int64_t part = std::clamp(percent, 0, 50);
  // In two terms, so that no interval overflows.
  const int64_t reach = interval_ms / 100 * part + interval_ms % 100 * part / 100;
  return Plus(interval_ms - reach, Below(2 * static_cast<uint64_t>(reach) + 1, random));
}

// min · 2^failures, at most the cap, at least 1.
int64_t BackoffCeiling(const Timing& timing, uint32_t failures) {
  int64_t ceiling = std::max<int64_t>(timing.backoff_min_ms, 1);
  const int64_t cap = std::max<int64_t>(timing.backoff_cap_ms, 1);
  for (uint32_t i = 0; i < failures && ceiling < cap; ++i) ceiling = Times(ceiling, 2);
  return std::min(ceiling, cap);
}

}  // namespace

int64_t NextFetchMs(const ScheduleState& state, const Timing& timing) {
  if (state.in_flight) return INT64_MAX;
  // While fetches fail, due_ms is the backoff's end, which nobody may shorten.
  if (!state.forced || state.failures > 0) return state.due_ms;
  if (state.last_begin_ms == ScheduleState::kNever) return state.due_ms;
  return std::min(state.due_ms, Plus(state.last_begin_ms, std::max<int64_t>(timing.cooldown_ms, 0)));
}

ScheduleState OnBegin(ScheduleState state, int64_t now_ms) {
  state.last_begin_ms = now_ms;
  state.in_flight = true;
  state.forced = false;  // This fetch is the forced one; who comes from now on forces another.
  return state;
}

ScheduleState OnGood(ScheduleState state, const Timing& timing, int64_t now_ms, int64_t max_age_s,
                     uint64_t random) {
  const int64_t wanted = max_age_s < 0 ? timing.refresh_max_ms : Times(max_age_s, 1000);
  const int64_t interval =
      std::max<int64_t>(std::min(std::max(wanted, timing.refresh_min_ms), timing.refresh_max_ms), 1);
  state.due_ms = Plus(now_ms, std::max<int64_t>(Jittered(interval, timing.jitter_percent, random), 1));
  state.last_good_ms = now_ms;
  state.last_good_begin_ms = state.last_begin_ms;
  state.failures = 0;
  state.in_flight = false;
  state.fell_back = false;
  return state;
}

ScheduleState OnFallback(ScheduleState state, const Timing& timing, int64_t now_ms, uint64_t random) {
  state = OnGood(state, timing, now_ms, 0, random);
  state.fell_back = true;
  return state;
}

ScheduleState OnFailure(ScheduleState state, const Timing& timing, int64_t now_ms, uint64_t random) {
  const int64_t ceiling = BackoffCeiling(timing, state.failures);
  state.due_ms = Plus(now_ms, 1 + Below(static_cast<uint64_t>(ceiling), random));
  if (state.failures < UINT32_MAX) ++state.failures;
  state.in_flight = false;
  return state;
}

Timing FileTiming(const Timing& timing, size_t num_files) {
  constexpr int64_t kEachMs = 1;
  const int64_t all_ms = Times(static_cast<int64_t>(num_files), kEachMs);
  Timing files = timing;
  files.refresh_max_ms = std::min(std::max(timing.file_interval_ms, all_ms), timing.refresh_max_ms);
  files.refresh_min_ms = files.backoff_min_ms = files.backoff_cap_ms = files.refresh_max_ms;
  files.cooldown_ms = std::min(timing.cooldown_ms, std::max<int64_t>(timing.file_interval_ms / 5, 1));
  return files;
}

ScheduleState OnRestored(int64_t last_good_ms) {
  ScheduleState state;
  state.last_good_ms = last_good_ms;
  return state;
}

ScheduleState OnFollowed(const Timing& timing, int64_t last_good_ms, int64_t max_age_s) {
  constexpr int64_t kLookMs = 2000;  // Seconds are rounded, and files looked at now and then.
  Timing steady = timing;
  steady.jitter_percent = 0;
  ScheduleState state;
  state.last_begin_ms = last_good_ms;
  state = OnGood(state, steady, last_good_ms, max_age_s, 0);
  const int64_t latest =
      Times(Minus(state.due_ms, last_good_ms) / 100, std::clamp(timing.jitter_percent, 0, 50));
  state.due_ms = Plus(Plus(state.due_ms, latest), Plus(timing.fetch_timeout_ms, kLookMs));
  return state;
}

int64_t AloneMs(const ScheduleState& state, const Timing& timing, int64_t last_good_ms, int64_t since_ms,
                uint64_t random) {
  const int64_t quarter_ms = timing.staleness_bound_ms / 4;
  const int64_t reach_ms = quarter_ms / 100 * std::clamp(timing.jitter_percent, 0, 50);
  const int64_t later_ms = Below(static_cast<uint64_t>(std::max<int64_t>(reach_ms, 0)) + 1, random);
  const int64_t waited_ms = Plus(Plus(since_ms, quarter_ms), later_ms);
  if (last_good_ms == ScheduleState::kNever) return waited_ms;
  const int64_t near_ms = Plus(Plus(last_good_ms, timing.staleness_bound_ms - quarter_ms), later_ms);
  if (state.last_good_ms == ScheduleState::kNever) return std::min(waited_ms, near_ms);
  return std::max(state.due_ms, near_ms);
}

Freshness FreshnessAt(const ScheduleState& state, const Timing& timing, int64_t now_ms) {
  if (state.last_good_ms == ScheduleState::kNever) return Freshness::kUnavailable;
  if (Minus(now_ms, state.last_good_ms) > timing.staleness_bound_ms) return Freshness::kUnavailable;
  if (state.failures > 0 || state.fell_back) return Freshness::kDegraded;
  return state.in_flight || now_ms >= state.due_ms ? Freshness::kStale : Freshness::kFresh;
}

int64_t FreshUntil(const ScheduleState& state, const Timing& timing) {
  if (state.last_good_ms == ScheduleState::kNever || state.failures > 0 || state.in_flight || state.fell_back)
    return INT64_MIN;
  return std::min(Plus(state.last_good_ms, timing.staleness_bound_ms), Minus(state.due_ms, 1));
}

}  // namespace tollgate::keys
