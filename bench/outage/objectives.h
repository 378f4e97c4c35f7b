#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "bench/outage/load.h"
#include "tollgate/config.h"

namespace tollgate::bench {

// Objective is one demand on a run and how it came out. Pure data.
struct Objective {
  std::string name;
  std::string text;
  double observed = 0;
  double limit = 0;
  bool at_least = false;  // The limit is the least, not the most.
  std::string outcome{};  // "met", "missed", or "inconclusive" where the machine was too unquiet to judge.

  bool met() const { return outcome != "missed"; }
};
nlohmann::json ToJson(const Objective& objective);

// NothingWrong are the four that hold in every scenario.
std::vector<Objective> NothingWrong(const Wrong& wrong);

// KnownAllowed: in percent, all of the known tokens that by the harness's account had to be allowed were.
// Missed if none had to be.
Objective KnownAllowed(const Held& held);

// Saw is met if something was seen often enough that the run tested what it is for.
Objective Saw(std::string name, std::string text, uint64_t count, uint64_t least = 1);

// BackToFresh: `seconds` from the end of each fault until the keys were fresh; negative: never. At most one
// fetch that was under way, the longest backoff, the fetch that succeeds, and what the identity provider
// takes to warm up.
Objective BackToFresh(const std::vector<double>& seconds, const Timing& timing, double warm_up_s = 0);

// RequestsPerCooldown: the most requests begun within one cooldown, of those in [from, to). All times in
// nanoseconds. The engine counts from a moment before the begin, and a thread that was held up in between is
// not its fault: what counts is from the earliest such moment to the begin of another. Missed if there were
// none: then nobody asked.
Objective RequestsPerCooldown(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                              const Timing& timing);

// SteadyRequests: requests in [from, to) after a recovery, at most the one that succeeds and one for each of
// the shortest jittered intervals since.
Objective SteadyRequests(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                         const Timing& timing);

// RemovedKey: seconds from a key's removal until the last check that allowed a token of it, 0 if there was
// none since. With the identity provider reachable at most the longest jittered interval and a second, else
// the staleness bound. Times in nanoseconds; `allowed` −1: never, which is missed too, since nothing was
// removed then.
Objective RemovedKey(int64_t removed_ns, int64_t allowed_ns, bool reachable, const Timing& timing);
// AllowedAfterRemoval: checks that allowed such a token though they began when the engine had seen that its
// key was gone.
Objective AllowedAfterRemoval(uint64_t count);

// Of the calls of tools that take the last known answer, made while nobody could be asked and one of the
// right age was there: LastKnownRefused were not allowed, though no question about their token was under way;
// LastKnownAllowed, in percent, were allowed. How many wait depends on how soon questions end: inconclusive
// where calls started late, the 99th percentile by more than ten milliseconds.
inline constexpr double kLastKnownPercentMin = 90;
inline constexpr uint64_t kUnquietSlipNs = 10'000'000;
Objective LastKnownRefused(const Held& held);
Objective LastKnownAllowed(const Held& held, uint64_t slip_p99_ns);

// RevokedRefused: seconds from the introspection endpoint's return until the last check that allowed a token
// revoked meanwhile, 0 if there was none since. At most a question that was under way, the longest backoff,
// one that is answered, and a second. `allowed` −1: never, which is missed too. Times in nanoseconds.
Objective RevokedRefused(int64_t back_ns, int64_t allowed_ns, const Timing& timing);

// QuestionsInFlight: the most questions about tokens under way at a time. Missed if there were none.
Objective QuestionsInFlight(const std::vector<Exchange>& exchanges, uint32_t limit);

// QuestionsInOutage: questions begun in [from, to), while none is answered. Those that were under way when
// the breaker opened; then a probe after each full-jitter backoff, first growing, then at the cap. These are
// uniform, hence so many are to be expected as halves of the cap fit in, and as good as never more than six
// standard deviations beyond.
Objective QuestionsInOutage(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                            uint32_t in_flight_max, const Timing& timing);

// HostBucket: by how many requests for keys, in the worst stretch of time, more were begun than one in each
// Timing::host_interval_ms. As in RequestsPerCooldown, a thread that was held up is not the engine's fault.
Objective HostBucket(const std::vector<Exchange>& exchanges, const Timing& timing);

// ServiceTime is what pairs of slices say about hits in the outage.
struct ServiceTime {
  std::vector<double> healthy_p999_ns;  // Of every whole slice.
  std::vector<double> outage_p999_ns;
  std::vector<double> ratios;  // Of the pairs.
  double spread = 1;           // Healthy against healthy.
  double ratio = 0;            // Median of the pairs.
  std::string outcome;         // "met", "missed", "inconclusive"; "too_few" pairs.
};
inline constexpr double kServiceTimeRatioMax = 1.25;
inline constexpr size_t kServicePairsMin = 9;
// A pair is a healthy slice and the outage's behind it, in which every hit was on degraded keys, where the
// fault makes them degraded.
ServiceTime MeasureServiceTime(const std::vector<Slice>& slices);
Objective ServiceTimeObjective(const ServiceTime& service);

}  // namespace tollgate::bench
