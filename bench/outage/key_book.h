#pragma once

#include <cstdint>
#include <mutex>

namespace tollgate::bench {

// What a good token must be answered at one moment.
enum class Expected {
  kAllow,
  kUnavailable,
  kEither,  // An allow or unavailable.
  kDeny,
  kNotAllow,  // Denied or unavailable.
  kAny,
};

// KeyBits is a set of the keys that the harness tells apart. kStaying stands for all that an issuer never
// removes.
using KeyBits = uint32_t;
inline constexpr KeyBits kStayingKey = 1, kCompromisedKey = 2, kRotatedKey = 4;

// KeyBook is the harness's own account of which keys the engine has and how old they are, kept outside of the
// engine: it sees each answer of the identity provider when the transport hands it over (Arrived) and learns
// at the engine's next call of the transport (TakenIn) that the engine has digested it. So the moment from
// which the engine counts the staleness bound, and the one at which a key is gone, are known to lie between
// the two, however long either thread was kept from running, and no answer is judged wrong because a machine
// was busy. All times in nanoseconds of the monotonic clock. Thread-safe.
class KeyBook {
 public:
  // `slack_ns` covers the granularity of the engine's clock, either way.
  KeyBook(int64_t bound_ns, int64_t slack_ns) : bound_ns_(bound_ns), slack_ns_(slack_ns) {}

  void Arrived(int64_t now_ns, KeyBits keys = kStayingKey) {
    const std::lock_guard lock(mutex_);
    state_.pending = true;
    state_.pending_since_ns = now_ns;
    state_.pending_keys = keys;
    ++state_.version;
  }

  void TakenIn(int64_t now_ns) {
    const std::lock_guard lock(mutex_);
    if (!state_.pending) return;
    state_ = {.version = state_.version + 1,
              .ever = true,
              .earliest_ns = state_.pending_since_ns,
              .latest_ns = now_ns,
              .keys = state_.pending_keys,
              .keys_ever = state_.keys_ever | state_.pending_keys};
  }

  // Restored: another engine has taken over what the last answer said, and may count it as older by up to
  // `older_ns`.
  void Restored(int64_t older_ns) {
    const std::lock_guard lock(mutex_);
    state_.earliest_ns -= older_ns;
    ++state_.version;
  }

  struct State {
    uint64_t version = 0;
    bool ever = false;        // A good answer was taken in once.
    int64_t earliest_ns = 0;  // The last one, between these two moments.
    int64_t latest_ns = 0;
    KeyBits keys = 0;  // What it had.
    KeyBits keys_ever = 0;
    bool pending = false;  // One more has arrived and may or may not count already.
    int64_t pending_since_ns = 0;
    KeyBits pending_keys = 0;
  };
  State Read() const {
    const std::lock_guard lock(mutex_);
    return state_;
  }

  // Judge says what a check that began and ended at these times must have answered about a good token signed
  // by `key`, given the state read before it began and after it ended.
  Expected Judge(const State& before, const State& after, int64_t begin_ns, int64_t end_ns,
                 KeyBits key = kStayingKey) const {
    if (before.version != after.version || before.pending) return WhileMoving(before, after, key);
    if (!before.ever || begin_ns > before.latest_ns + bound_ns_ + slack_ns_) return Expected::kUnavailable;
    // A key that never was there may be on its way. One that is gone is gone: see WhileMoving.
    if ((before.keys & key) == 0)
      return (before.keys_ever & key) == 0 ? Expected::kUnavailable : Expected::kNotAllow;
    return end_ns < before.earliest_ns + bound_ns_ - slack_ns_ ? Expected::kAllow : Expected::kEither;
  }

 private:
  // While an answer is being taken in, the engine has the keys of before or of after.
  static Expected WhileMoving(const State& before, const State& after, KeyBits key) {
    if (key == kStayingKey) return Expected::kEither;
    const KeyBits seen = before.keys_ever | after.keys_ever;
    const KeyBits possible = before.keys | before.pending_keys | after.keys | after.pending_keys;
    if ((possible & key) == 0) return (seen & key) == 0 ? Expected::kUnavailable : Expected::kNotAllow;
    return (seen & key) == 0 ? Expected::kEither : Expected::kAny;
  }

  const int64_t bound_ns_;
  const int64_t slack_ns_;
  mutable std::mutex mutex_;
  State state_;
};

}  // namespace tollgate::bench
