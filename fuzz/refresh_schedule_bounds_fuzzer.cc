// refresh_schedule_bounds: whatever happens, the identity provider is asked neither too often nor too late
//
// Functions: keys::NextFetchMs, OnBegin, OnGood, OnFailure, FreshnessAt. The input is the settings and then a
// script of events under a virtual clock. Property: no fetch begins sooner after the one before than the
// least of cooldown, jittered refresh interval and backoff allows; plans stay within their bounds; a forced
// fetch is never later than the plan and never cuts a backoff short; freshness is what its definition says,
// computed with wider numbers.

#include <algorithm>
#include <string>

#include "fuzz/fuzz.h"
#include "keys/refresh_schedule.h"

namespace tollgate::fuzz {
namespace {

__extension__ typedef __int128 Int128;  // Wide enough for every sum below; ISO C++ has none.

using keys::ScheduleState;

// Script hands out the input's bytes, zeros behind its end.
class Script {
 public:
  explicit Script(std::string_view bytes) : bytes_(bytes) {}
  bool done() const { return at_ >= bytes_.size(); }
  uint64_t Take(int num_bytes) {
    uint64_t value = 0;
    for (int i = 0; i < num_bytes; ++i, ++at_) {
      value = value << 8 | (at_ < bytes_.size() ? static_cast<uint8_t>(bytes_[at_]) : 0u);
    }
    return value;
  }
  // Duration returns 1 ms … 18 h, small ones as likely as large ones.
  int64_t Duration() { return static_cast<int64_t>(Take(2)) << (Take(1) % 11) | 1; }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

Timing TimingOf(Script& script) {
  Timing timing;
  timing.refresh_min_ms = script.Duration();
  timing.refresh_max_ms = timing.refresh_min_ms + script.Duration();
  timing.cooldown_ms = script.Duration();
  timing.backoff_min_ms = script.Duration();
  timing.backoff_cap_ms = timing.backoff_min_ms + script.Duration();
  timing.jitter_percent = static_cast<int32_t>(script.Take(1) % 51);
  timing.staleness_bound_ms = 2 * timing.refresh_max_ms;
  return timing;
}

Freshness NaiveFreshness(const ScheduleState& state, const Timing& timing, int64_t now_ms) {
  const auto age = static_cast<Int128>(now_ms) - state.last_good_ms;
  if (state.last_good_ms == ScheduleState::kNever || age > timing.staleness_bound_ms)
    return Freshness::kUnavailable;
  if (state.failures > 0) return Freshness::kDegraded;
  return state.in_flight || now_ms >= state.due_ms ? Freshness::kStale : Freshness::kFresh;
}

void ExpectPlanAfterGood(const ScheduleState& state, const Timing& timing, int64_t now_ms,
                         int64_t max_age_s) {
  const Int128 wanted = max_age_s < 0 ? timing.refresh_max_ms : static_cast<Int128>(max_age_s) * 1000;
  const Int128 interval = std::clamp<Int128>(wanted, timing.refresh_min_ms, timing.refresh_max_ms);
  const Int128 wait = static_cast<Int128>(state.due_ms) - now_ms;
  Expect(wait >= 1 && wait * 100 >= interval * (100 - timing.jitter_percent) &&
             wait * 100 <= interval * (100 + timing.jitter_percent) + 100,
         "after a good answer: the interval, moved by the jitter");
  Expect(state.failures == 0 && !state.in_flight && state.last_good_ms == now_ms, "a good answer is noted");
}

void ExpectPlanAfterFailure(const ScheduleState& before, const ScheduleState& state, const Timing& timing,
                            int64_t now_ms) {
  Int128 ceiling = timing.backoff_min_ms;
  for (uint32_t i = 0; i < before.failures && ceiling < timing.backoff_cap_ms; ++i) ceiling *= 2;
  ceiling = std::min<Int128>(ceiling, timing.backoff_cap_ms);
  const Int128 wait = static_cast<Int128>(state.due_ms) - now_ms;
  Expect(wait >= 1 && wait <= ceiling, "after a failure: between 1 ms and the backoff's ceiling");
  Expect(state.failures == before.failures + 1 && !state.in_flight, "a failure is counted");
  Expect(state.last_good_ms == before.last_good_ms, "a failure makes nothing fresh");
}

void ExpectNext(const ScheduleState& state, const Timing& timing) {
  const int64_t next_ms = NextFetchMs(state, timing);
  if (state.in_flight) return Expect(next_ms == INT64_MAX, "one fetch at a time");
  Expect(next_ms <= state.due_ms, "a forced fetch is never later than the plan");
  if (!state.forced || state.failures > 0) return Expect(next_ms == state.due_ms, "the plan holds");
  const bool begun = state.last_begin_ms != ScheduleState::kNever;
  Expect(!begun || next_ms == state.due_ms || next_ms >= state.last_begin_ms + timing.cooldown_ms,
         "a forced fetch waits for the cooldown");
}

}  // namespace

bool Accepts(std::string_view input) {
  Script script(input);
  const Timing timing = TimingOf(script);
  ScheduleState state;
  int64_t now_ms = script.Duration();
  bool ever_good = false;
  while (!script.done()) {
    const ScheduleState before = state;
    switch (script.Take(1) % 6) {
      case 0:
        now_ms += script.Duration();
        break;
      case 1:  // To the very moment of the next fetch, or one short of it.
      {
        const auto early_ms = static_cast<int64_t>(script.Take(1) % 2);
        const int64_t next_ms = NextFetchMs(state, timing);
        if (!state.in_flight && next_ms > now_ms) now_ms = next_ms - early_ms;
        break;
      }
      case 2:
        state.forced = true;
        break;
      case 3:
        if (NextFetchMs(state, timing) > now_ms) break;
        if (before.last_begin_ms != ScheduleState::kNever) {
          Expect(now_ms >= std::min(before.due_ms, before.last_begin_ms + timing.cooldown_ms),
                 "no fetch begins before both the plan and the cooldown's end");
        }
        state = OnBegin(state, now_ms);
        Expect(state.in_flight && !state.forced && state.last_begin_ms == now_ms, "a begin is stamped");
        break;
      case 4: {
        if (!state.in_flight) break;
        const auto max_age_s = static_cast<int64_t>(script.Take(8));
        state = OnGood(state, timing, now_ms, max_age_s, script.Take(8));
        ExpectPlanAfterGood(state, timing, now_ms, max_age_s);
        ever_good = true;
        break;
      }
      default:
        if (!state.in_flight) break;
        state = OnFailure(state, timing, now_ms, script.Take(8));
        ExpectPlanAfterFailure(before, state, timing, now_ms);
    }
    ExpectNext(state, timing);
    Expect(FreshnessAt(state, timing, now_ms) == NaiveFreshness(state, timing, now_ms),
           "freshness by its definition");
    Expect(ever_good || FreshnessAt(state, timing, now_ms) == Freshness::kUnavailable,
           "nothing is fresh before a fetch");
  }
  return ever_good;
}

}  // namespace tollgate::fuzz
