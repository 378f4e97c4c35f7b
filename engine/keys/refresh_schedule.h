#pragma once

#include <cstddef>
#include <cstdint>

#include "tollgate/config.h"
#include "tollgate/decision.h"

namespace tollgate::keys {

// ScheduleState is all that decides when one issuer's keys are fetched. Changed by the pure functions below
// alone: no clock, no randomness of its own (`random` is any uniformly distributed 64-bit number).
struct ScheduleState {
  static constexpr int64_t kNever = INT64_MIN;
  int64_t due_ms = kNever;  // The next fetch by plan (kNever: at once).
  int64_t last_begin_ms =
      kNever;  // Stamped before the fetch: failures and empty sets count for the cooldown too.
  int64_t last_good_ms = kNever;  // End of the last good answer's exchange: where staleness counts from.
  int64_t last_good_begin_ms =
      kNever;             // Begin of the fetch that brought it: where "asked since" counts from.
  uint32_t failures = 0;  // Consecutive.
  bool in_flight = false;
  bool forced = false;     // Somebody waits for a kid that the set lacks.
  bool fell_back = false;  // The last good answer was not the first place's.
};

// NextFetchMs returns when the next fetch may begin: never before the jittered plan or, if forced, not before
// last_begin + cooldown, and not before the backoff's end while fetches are failing. INT64_MAX while one is
// in flight.
int64_t NextFetchMs(const ScheduleState& state, const Timing& timing);

// The three events. OnGood plans the next fetch at max_age (−1: not given → refresh_max) within [refresh_min,
// refresh_max], moved by the jitter. OnFailure plans it by full-jitter backoff: uniform in (0, min(cap,
// min·2^failures)].
ScheduleState OnBegin(ScheduleState state, int64_t now_ms);
ScheduleState OnGood(ScheduleState state, const Timing& timing, int64_t now_ms, int64_t max_age_s,
                     uint64_t random);
ScheduleState OnFailure(ScheduleState state, const Timing& timing, int64_t now_ms, uint64_t random);

// OnFallback is OnGood where another place than the first has answered: the next fetch is planned at
// refresh_min, to find out whether the first one is back.
ScheduleState OnFallback(ScheduleState state, const Timing& timing, int64_t now_ms, uint64_t random);

// FileTiming is the timing of issuers of which nothing but files is asked, if there are `num_files`: another
// look in every file_interval_ms, failed or not, or sooner for an absent kid; at most a thousand in a second,
// but for those kids.
Timing FileTiming(const Timing& timing, size_t num_files);

// OnRestored is the state of keys that an earlier process fetched, whose last good answer was at
// `last_good_ms`: as good as that answer's age, with a fetch due at once.
ScheduleState OnRestored(int64_t last_good_ms);

// OnFollowed is the state of keys that another process fetches, by their last good answer: due when that one
// must have fetched them again, and written that down, if all is well.
ScheduleState OnFollowed(const Timing& timing, int64_t last_good_ms, int64_t max_age_s);

// AloneMs returns when whoever follows asks by itself, since nobody else seems to: a quarter of the staleness
// bound before keys of `last_good_ms` serve nobody any more, but not before `state`, of OnFollowed, is due;
// without any keys, such a quarter after `since_ms`, when it began to wait for them, at the latest. Later by
// up to the jitter's part of that quarter: all who follow have the same answers.
int64_t AloneMs(const ScheduleState& state, const Timing& timing, int64_t last_good_ms, int64_t since_ms,
                uint64_t random);

// FreshnessAt: kUnavailable if never good or now − last_good > staleness_bound; else kDegraded if failures >
// 0 or fell_back; else kStale if the plan is overdue or a fetch is in flight; else kFresh.
Freshness FreshnessAt(const ScheduleState& state, const Timing& timing, int64_t now_ms);

// FreshUntil returns the last moment at which FreshnessAt is kFresh, unless something happens before;
// INT64_MIN: it is not.
int64_t FreshUntil(const ScheduleState& state, const Timing& timing);

}  // namespace tollgate::keys
