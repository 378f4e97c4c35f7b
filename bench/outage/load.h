#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "bench/latency/timer.h"
#include "bench/lib/histogram.h"
#include "bench/outage/answer_book.h"
#include "bench/outage/observed_transport.h"
#include "bench/outage/scenario_file.h"
#include "bench/outage/stepped_clock.h"
#include "tollgate/engine.h"

namespace tollgate::bench {

struct Call {
  std::string authorization;
  std::string tool;
  // Within these wall times the token is good, and an hour's step leads well out of them.
  int64_t valid_from_s = INT64_MIN;
  int64_t valid_through_s = INT64_MAX;
  Demand demand = Demand::kNothing;
  uint32_t number = 0;  // With a demand, the token's in the AnswerBook; of kTenant, the tenant's.
};

// CallSource hands out the calls of one kind. Owner thread only.
class CallSource {
 public:
  // Repeated: in turn, again from the first after the last. Once: each is handed out once.
  enum class Use { kRepeated, kOnce };
  CallSource() = default;
  CallSource(TokenKind kind, Use use, std::vector<Call> calls)
      : kind_(kind), use_(use), calls_(std::move(calls)) {}

  // Varied hands out `call`, each time with another number in the twelve characters from `at` on: base64url
  // of nine decimal digits where `digits`, else of any nine bytes.
  static CallSource Varied(TokenKind kind, Call call, size_t at, bool digits);

  // Next returns null after the last call that is handed out once.
  const Call* Next();

  TokenKind kind() const { return kind_; }
  size_t size() const { return calls_.size(); }
  const std::vector<Call>& calls() const { return calls_; }
  // The part of the wanted rate for which there are calls.
  double rate_scale = 1;

 private:
  TokenKind kind_ = TokenKind::kKnown;
  Use use_ = Use::kRepeated;
  std::vector<Call> calls_;
  size_t next_ = 0;
  uint64_t number_ = 0;
  size_t varied_at_ = 0;  // 0: nothing is varied.
  bool digits_ = false;
};
using CallSources = std::map<TokenKind, CallSource>;

// Wrong counts answers that the contract does not permit.
struct Wrong {
  uint64_t allowed = 0;
  uint64_t denied = 0;
  uint64_t unavailable = 0;
  uint64_t without_retry_after = 0;
  uint64_t allowed_after_removal = 0;  // Of `allowed`: signed by a key that the engine had seen to be gone.

  void Add(const Wrong& other);
};

// Reading is what the books say of a call's token at one moment.
struct Reading {
  KeyBook::State keys{};
  AnswerBook::State answer{};
  TenantBook::State tenant{};
};
Reading ReadBooks(const Books& books, TokenKind kind, const Call& call);

// ExpectedBy is what a check that began and ended at these times must have answered, given what was read
// before it began and after it ended.
Expected ExpectedBy(const Books& books, TokenKind kind, const Call& call, const Reading& before,
                    const Reading& after, int64_t begin_ns, int64_t end_ns);

// ExpectedWithin is what a token that is good within [from, through] must be answered, where `good` is what
// one without such bounds must be. The wall clock was read before and after the check.
Expected ExpectedWithin(Expected good, const Call& call, int64_t wall_before_s, int64_t wall_after_s);

// Judge counts into `wrong` what is wrong with `decision`, when `expected` is what a good token of that key
// must be answered. A forged one is never allowed. While keys are at hand it is denied; without them the
// engine may say that it cannot know, but for what can be seen without a key. `permit_overloaded`: tokens
// that are not known may be refused for want of a place.
void Judge(TokenKind kind, Expected expected, const Decision& decision, bool permit_overloaded, Wrong* wrong);

// Held counts the answers by what they were held to: where nothing was held to anything, that nothing was
// wrong says nothing.
struct Held {
  uint64_t to_allow = 0;  // Of good tokens.
  uint64_t to_unavailable = 0;
  uint64_t to_deny = 0;  // Or not to allow.
  uint64_t to_either = 0;
  uint64_t forged = 0;
  uint64_t known_to_allow = 0;  // Of `to_allow`.
  uint64_t known_allowed = 0;   // Of `known_to_allow`.
  uint64_t rotated_allowed = 0;
  uint64_t degraded_allowed = 0;  // On keys that the engine called degraded.
  uint64_t tenants_to_allow = 0;  // Of `to_allow`.
  // Of tools that take the last known answer, while nobody could be asked: that had one of the right age, or
  // one that was too old.
  uint64_t last_known = 0;
  uint64_t last_known_allowed = 0;
  uint64_t last_known_refused = 0;  // Of those with the right age, though no question was under way.
  uint64_t last_known_too_old = 0;
  uint64_t overloaded = 0;
  uint64_t expected = 0;  // Calls that were meant to be made, in loads of a count.
  uint64_t offered = 0;   // Of these, made.

  void Add(TokenKind kind, Expected expected, const Decision& decision);
  void Add(const Held& other);
};

// Bin is what happened to the calls intended to start in one interval of time.
struct Bin {
  uint64_t offered = 0;  // Of good tokens.
  uint64_t allow = 0;
  uint64_t deny = 0;
  uint64_t unavailable = 0;
  uint64_t forged = 0;
  uint64_t slip_ns_max = 0;  // How late a call was started.
  Histogram latency;         // From the intended start to the answer; the known tokens alone.
};

// Slice is one second's service times of hits, of the engine in the outage or of a healthy one.
struct Slice {
  bool outage = false;
  bool whole = false;         // Not cut off by the phase's end.
  uint64_t not_degraded = 0;  // Hits on keys that were not degraded, where they had to be: it was no outage.
  Histogram service{};        // From the actual start of the check; hits alone.
};

struct LoadResult {
  std::vector<Bin> bins;
  Wrong wrong;
  Held held;
  Histogram slip;  // Intended to actual start.
  std::vector<Slice> slices;
  int64_t compromised_allowed_ns = -1;  // Begin of the last check that allowed such a token,
  int64_t revoked_allowed_ns = -1;      // and such a one.
};

// Course is what the load follows: the thread that leads through the scenario moves `phase` on, which begins
// at the first and ends with the number of phases.
struct Course {
  const Scenario& scenario;
  Engine& engine;
  Engine* twin = nullptr;  // With a healthy identity provider, for phases that expect a service time.
  const Books& books;
  const SteppedClock& clock;
  const Timer timer{};     // Takes 30 ms to make, which are no part of the load.
  double factor = 1;       // On every duration of the scenario.
  double rate_max_hz = 0;  // 0: no bound.
  int64_t slice_ns = 1'000'000'000;
  int64_t start_ns = 0;
  int64_t bin_ns = 0;
  std::atomic<size_t> phase{0};
};

// KeysDegrade: the phase's fault makes the keys in hand degraded ones. Not if it is one of introspection, nor
// if the scenario is over long before keys are refreshed.
bool KeysDegrade(const Scenario& scenario, const Phase& phase);

// RateHz returns how often `load` offers a call in a phase of that length.
double RateHz(const Load& load, double phase_s, double rate_max_hz);

// RunLoad offers the scenario's known tokens, or all others, in open loop: each call is meant to start at its
// time, whether or not the one before has been answered, and its latency counts from then. Blocks until the
// last phase is over and what has a count is done, or the bins are full. Below 50 µs between calls it keeps a
// processor to itself.
void RunLoad(const Course& course, bool known, CallSources* sources, LoadResult* result);

}  // namespace tollgate::bench
