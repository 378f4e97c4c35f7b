#pragma once

#include <cstdint>
#include <mutex>

namespace tollgate::bench {

// What a good token must be answered at one moment.
enum class Expected { kAllow, kUnavailable, kEither };

// KeyBook is the harness's own account of how old the engine's keys are, kept outside of the engine: it sees
// each answer of the identity provider when the transport hands it over (Arrived) and learns at the engine's
// next call of the transport (TakenIn) that the engine has digested it. So the moment from which the engine
// counts the staleness bound is known to lie between the two, however long either thread was kept from
// running, and no answer is judged wrong because a machine was busy. All times in nanoseconds of the
// monotonic clock. Thread-safe.
class KeyBook {
 public:
  // `slack_ns` covers the granularity of the engine's clock, either way.
  KeyBook(int64_t bound_ns, int64_t slack_ns) : bound_ns_(bound_ns), slack_ns_(slack_ns) {}

  void Arrived(int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    state_.pending = true;
    state_.pending_since_ns = now_ns;
    ++state_.version;
  }

  void TakenIn(int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (!state_.pending) return;
    state_ = {.version = state_.version + 1,
              .ever = true,
              .earliest_ns = state_.pending_since_ns,
              .latest_ns = now_ns};
  }

  struct State {
    uint64_t version = 0;
    bool ever = false;        // A good answer was taken in once.
    int64_t earliest_ns = 0;  // The last one, between these two moments.
    int64_t latest_ns = 0;
    bool pending = false;  // One more has arrived and may or may not count already.
    int64_t pending_since_ns = 0;
  };
  State Read() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  // Judge says what a check that began and ended at these times must have answered about a good token, given
  // the state read before it began and after it ended.
  Expected Judge(const State& before, const State& after, int64_t begin_ns, int64_t end_ns) const {
    if (before.version != after.version || before.pending) return Expected::kEither;
    if (!before.ever) return Expected::kUnavailable;
    if (end_ns < before.earliest_ns + bound_ns_ - slack_ns_) return Expected::kAllow;
    if (begin_ns > before.latest_ns + bound_ns_ + slack_ns_) return Expected::kUnavailable;
    return Expected::kEither;
  }

 private:
  const int64_t bound_ns_;
  const int64_t slack_ns_;
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace tollgate::bench
