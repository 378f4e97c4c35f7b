#pragma once

#include <cstdint>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/outage/key_book.h"

namespace tollgate::bench {

// Demand is what a call's tool wants the token's issuer to be asked.
enum class Demand {
  kNothing,
  kBehind,      // ValidationMode::kIntrospectBehind.
  kLastKnown,   // kIntrospect; in an outage the last answer will do for a while.
  kPrivileged,  // kIntrospect; in an outage nothing will do.
  kOpaque,      // Whatever the tool: the token is no JWS.
};

// Permitted is a set of verdicts.
struct Permitted {
  bool allow = false;
  bool deny = false;
  bool unavailable = false;

  Permitted Or(Permitted other) const {
    return {.allow = allow || other.allow,
            .deny = deny || other.deny,
            .unavailable = unavailable || other.unavailable};
  }
  friend bool operator==(const Permitted&, const Permitted&) = default;
};
Permitted PermittedBy(Expected expected);
// ExpectedOf reverses PermittedBy. Allow or deny is not to be told from anything.
Expected ExpectedOf(Permitted permitted);

// AnswerBook is the harness's own account of what the engine has been told about each token by introspection
// (RFC 7662), kept like KeyBook and for the same reason. Tokens have numbers. All times in nanoseconds of the
// monotonic clock. Thread-safe.
class AnswerBook {
 public:
  struct Bounds {
    int64_t active_age_ns = 0;  // Timing::active_age_max_ms, inactive_age_max_ms,
    int64_t inactive_age_ns = 0;
    int64_t last_known_age_ns = 0;  // SensitivityClass::last_known_age_max_s.
    int64_t slack_ns = 0;           // The granularity of the engine's clock, either way.
  };
  explicit AnswerBook(const Bounds& bounds) : bounds_(bounds) {}

  // Add gives the token this number. Before the first exchange.
  void Add(std::string token, uint32_t number);
  std::optional<uint32_t> Find(std::string_view token) const;

  // Answer is one that says something about its token. Its age counts from when the question was sent,
  // between the two.
  struct Answer {
    bool active = false;
    int64_t earliest_ns = 0;
    int64_t latest_ns = 0;
  };
  void Arrived(uint32_t number, const Answer& answer);
  // Failed: an exchange has ended in which the endpoint did not answer.
  void Failed();
  void TakenIn();

  struct State {
    uint64_t version = 0;
    std::optional<Answer> taken{};    // The last that the engine has taken in.
    std::optional<Answer> pending{};  // One more has arrived and may or may not count already.
    // Of the endpoint: the last exchange that the engine has taken in failed, and none that has arrived since
    // did not.
    bool failing = false;
    uint64_t num_answers = 0;
  };
  State Read(uint32_t number) const;

  // Judge says what a check that began and ended at these times may have answered about a token whose keys
  // and claims are good, given the state read before it began and after it ended.
  Permitted Judge(const State& before, const State& after, int64_t begin_ns, int64_t end_ns,
                  Demand demand) const;

  // IsLastKnown: throughout these times the answer in hand was "active", too old to be an answer and young
  // enough to be the last known one. IsTooOld: it was older than that.
  bool IsLastKnown(const State& before, const State& after, int64_t begin_ns, int64_t end_ns) const;
  bool IsTooOld(const State& before, const State& after, int64_t begin_ns) const;
  // IsFailing: throughout, the endpoint was failing.
  static bool IsFailing(const State& before, const State& after);

 private:
  Permitted PermittedWith(const std::optional<Answer>& answer, int64_t begin_ns, int64_t end_ns,
                          Demand demand) const;

  const Bounds bounds_;
  mutable std::mutex mutex_;
  std::map<std::string, uint32_t, std::less<>> numbers_;
  std::vector<State> states_;
  std::vector<uint32_t> pending_;
  bool failing_ = false;                 // Taken in,
  std::optional<bool> failing_pending_;  // and arrived.
  uint64_t num_answers_ = 0;
};

// TenantBook is the same of the many issuers' key sets, which have no age and never change: they are there or
// not. Thread-safe.
class TenantBook {
 public:
  enum class State : uint8_t {
    kAbsent,
    kArrived,  // May or may not count already.
    kThere,
  };
  explicit TenantBook(size_t num_tenants) : states_(num_tenants, State::kAbsent) {}

  void Arrived(uint32_t tenant) {
    const std::lock_guard lock(mutex_);
    if (tenant >= states_.size() || states_[tenant] != State::kAbsent) return;
    states_[tenant] = State::kArrived;
    pending_.push_back(tenant);
  }
  void TakenIn() {
    const std::lock_guard lock(mutex_);
    for (const uint32_t tenant : pending_) states_[tenant] = State::kThere;
    num_there_ += pending_.size();
    pending_.clear();
  }
  State Read(uint32_t tenant) const {
    const std::lock_guard lock(mutex_);
    return states_[tenant];
  }
  size_t num_there() const {
    const std::lock_guard lock(mutex_);
    return num_there_;
  }

  // Judge, by the states read before the check began and after it ended.
  static Expected Judge(State before, State after) {
    if (before == State::kThere) return Expected::kAllow;
    return after == State::kAbsent ? Expected::kUnavailable : Expected::kEither;
  }

 private:
  mutable std::mutex mutex_;
  std::vector<State> states_;
  std::vector<uint32_t> pending_;
  size_t num_there_ = 0;
};

}  // namespace tollgate::bench
