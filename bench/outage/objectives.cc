#include "bench/outage/objectives.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "bench/latency/judge.h"

namespace tollgate::bench {
namespace {

const char* Outcome(bool met) { return met ? "met" : "missed"; }

double Seconds(int64_t ms) { return static_cast<double>(ms) / 1000; }

// The longest and the shortest time from one planned fetch to the next, where the identity provider asks for
// no shorter one.
double LongestIntervalS(const Timing& timing) {
  return Seconds(timing.refresh_max_ms) * (1 + timing.jitter_percent / 100.0);
}
double ShortestIntervalS(const Timing& timing) {
  return Seconds(timing.refresh_max_ms) * (1 - timing.jitter_percent / 100.0);
}

// Those begun in [from, to), in order: requests for keys, or questions about tokens.
std::vector<Exchange> BegunIn(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                              bool introspection = false) {
  std::vector<Exchange> begun;
  for (const Exchange& exchange : exchanges) {
    if (exchange.introspection == introspection && exchange.begin_ns >= from_ns && exchange.begin_ns < to_ns)
      begun.push_back(exchange);
  }
  std::sort(begun.begin(), begun.end(),
            [](const Exchange& a, const Exchange& b) { return a.begin_ns < b.begin_ns; });
  return begun;
}

Objective None(const char* name, const char* text, uint64_t count) {
  return {.name = name,
          .text = text,
          .observed = static_cast<double>(count),
          .limit = 0,
          .outcome = Outcome(count == 0)};
}

}  // namespace

nlohmann::json ToJson(const Objective& objective) {
  return {{"name", objective.name},        {"text", objective.text},         {"met", objective.met()},
          {"outcome", objective.outcome},  {"observed", objective.observed}, {"limit", objective.limit},
          {"at_least", objective.at_least}};
}

std::vector<Objective> NothingWrong(const Wrong& wrong) {
  return {
      None("wrongly_allowed",
           "A token was allowed that is forged, out of its time, of a removed key or revoked, or with keys "
           "beyond the staleness bound or on an answer that is too old",
           wrong.allowed),
      None("wrongly_denied", "A good token was denied", wrong.denied),
      None("wrongly_unavailable",
           "Within the bound a good token was not answered, or one that is known to be bad not denied",
           wrong.unavailable),
      None("without_retry_after", "An unavailable answer did not say when to come back",
           wrong.without_retry_after),
  };
}

Objective KnownAllowed(const Held& held) {
  const double percent = held.known_to_allow == 0 ? 0
                                                  : 100 * static_cast<double>(held.known_allowed) /
                                                        static_cast<double>(held.known_to_allow);
  return {.name = "known_allowed_percent",
          .text = "Known tokens within the staleness bound that were allowed, in percent",
          .observed = percent,
          .limit = 100,
          .at_least = true,
          .outcome = Outcome(held.known_to_allow > 0 && held.known_allowed == held.known_to_allow)};
}

Objective Saw(std::string name, std::string text, uint64_t count, uint64_t least) {
  return {.name = std::move(name),
          .text = std::move(text),
          .observed = static_cast<double>(count),
          .limit = static_cast<double>(least),
          .at_least = true,
          .outcome = Outcome(count >= least)};
}

Objective BackToFresh(const std::vector<double>& seconds, const Timing& timing, double warm_up_s) {
  const bool all = !seconds.empty() && *std::min_element(seconds.begin(), seconds.end()) >= 0;
  const double worst = all ? *std::max_element(seconds.begin(), seconds.end()) : -1;
  const double limit_s = Seconds(timing.backoff_cap_ms + 2 * timing.fetch_timeout_ms) + warm_up_s;
  return {.name = "back_to_fresh_s",
          .text = "Seconds from the end of a fault until the keys were fresh",
          .observed = worst,
          .limit = limit_s,
          .outcome = Outcome(all && worst <= limit_s)};
}

Objective RequestsPerCooldown(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                              const Timing& timing) {
  const std::vector<Exchange> begun = BegunIn(exchanges, from_ns, to_ns);
  // The engine's clock moves by ticks: two begins may look nearer by two of them than they are.
  const int64_t window_ns = timing.cooldown_ms * 1'000'000 - 10'000'000;
  size_t most = 0;
  for (size_t first = 0, last = 0; last < begun.size(); ++last) {
    while (first < last && begun[last].begin_ns - begun[first].earliest_ns >= window_ns) ++first;
    most = std::max(most, last - first + 1);
  }
  return {.name = "requests_per_cooldown",
          .text = "The most requests to the identity provider within one cooldown, under forged key ids",
          .observed = static_cast<double>(most),
          .limit = 1,
          .outcome = Outcome(most == 1)};
}

Objective SteadyRequests(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                         const Timing& timing) {
  const size_t requests = BegunIn(exchanges, from_ns, to_ns).size();
  const double intervals = static_cast<double>(to_ns - from_ns) / 1e9 / ShortestIntervalS(timing);
  const double limit = 1 + std::floor(intervals);
  return {.name = "steady_requests",
          .text = "Requests to the identity provider since it came back",
          .observed = static_cast<double>(requests),
          .limit = limit,
          .outcome = Outcome(requests > 0 && static_cast<double>(requests) <= limit)};
}

Objective RemovedKey(int64_t removed_ns, int64_t allowed_ns, bool reachable, const Timing& timing) {
  const double observed_s = allowed_ns < removed_ns ? 0 : static_cast<double>(allowed_ns - removed_ns) / 1e9;
  const double limit_s = reachable ? LongestIntervalS(timing) + 1 : Seconds(timing.staleness_bound_ms);
  return {.name = "removed_key_s",
          .text = "Seconds from the removal of a key until the last check that allowed a token of it",
          .observed = observed_s,
          .limit = limit_s,
          .outcome = Outcome(allowed_ns >= 0 && observed_s <= limit_s)};
}

Objective AllowedAfterRemoval(uint64_t count) {
  return None("allowed_after_removal",
              "Checks that allowed a token of a removed key, begun when the engine had seen the removal",
              count);
}

Objective LastKnownRefused(const Held& held) {
  return None("last_known_refused",
              "Such calls that were not allowed, though no question about their token was under way",
              held.last_known_refused);
}

Objective LastKnownAllowed(const Held& held, uint64_t slip_p99_ns) {
  const bool unquiet = held.last_known > 0 && slip_p99_ns > kUnquietSlipNs;
  const double percent = held.last_known == 0 ? 0
                                              : 100 * static_cast<double>(held.last_known_allowed) /
                                                    static_cast<double>(held.last_known);
  return {.name = "last_known_percent",
          .text =
              "Calls of tools that take the last known answer, with one at hand while nobody could be asked, "
              "that were allowed, in percent",
          .observed = percent,
          .limit = kLastKnownPercentMin,
          .at_least = true,
          .outcome = percent < kLastKnownPercentMin && unquiet ? "inconclusive"
                                                               : Outcome(percent >= kLastKnownPercentMin)};
}

Objective RevokedRefused(int64_t back_ns, int64_t allowed_ns, const Timing& timing) {
  const double observed_s = allowed_ns < back_ns ? 0 : static_cast<double>(allowed_ns - back_ns) / 1e9;
  const double limit_s = Seconds(timing.backoff_cap_ms + 2 * timing.introspection_timeout_ms) + 1;
  return {.name = "revoked_refused_s",
          .text =
              "Seconds from the introspection endpoint's return until the last check that allowed a token "
              "revoked meanwhile",
          .observed = observed_s,
          .limit = limit_s,
          .outcome = Outcome(allowed_ns >= 0 && observed_s <= limit_s)};
}

Objective QuestionsInFlight(const std::vector<Exchange>& exchanges, uint32_t limit) {
  // Ends before begins: a place is free when its answer has come.
  std::vector<std::pair<int64_t, int>> events;
  for (const Exchange& exchange : BegunIn(exchanges, INT64_MIN, INT64_MAX, /*introspection=*/true)) {
    events.emplace_back(exchange.begin_ns, 1);
    if (exchange.end_ns != 0) events.emplace_back(exchange.end_ns, -1);
  }
  std::sort(events.begin(), events.end());
  int under_way = 0, most = 0;
  for (const auto& [at_ns, step] : events) most = std::max(most, under_way += step);
  return {.name = "questions_in_flight",
          .text = "The most questions about tokens under way at a time",
          .observed = static_cast<double>(most),
          .limit = static_cast<double>(limit),
          .outcome = Outcome(most > 0 && most <= static_cast<int>(limit))};
}

Objective QuestionsInOutage(const std::vector<Exchange>& exchanges, int64_t from_ns, int64_t to_ns,
                            uint32_t in_flight_max, const Timing& timing) {
  const size_t questions = BegunIn(exchanges, from_ns, to_ns, /*introspection=*/true).size();
  // The breaker opens at the fifth failure; each of the first four makes room for one more.
  const double opening = in_flight_max + 4;
  const double growing =
      1 + std::ceil(std::log2(Seconds(timing.backoff_cap_ms) / Seconds(timing.backoff_min_ms)));
  // Of a renewal process with intervals uniform in (0, cap]: the variance is a third of the mean.
  const double mean = static_cast<double>(to_ns - from_ns) / 1e9 / (Seconds(timing.backoff_cap_ms) / 2);
  const double limit = std::floor(opening + growing + mean + 6 * std::sqrt(mean / 3));
  return {.name = "questions_in_outage",
          .text = "Questions about tokens sent while none was answered",
          .observed = static_cast<double>(questions),
          .limit = limit,
          .outcome = Outcome(questions > 0 && static_cast<double>(questions) <= limit)};
}

Objective HostBucket(const std::vector<Exchange>& exchanges, const Timing& timing) {
  const std::vector<Exchange> begun = BegunIn(exchanges, INT64_MIN, INT64_MAX);
  // The engine's clock moves by ticks: a stretch may look shorter by two of them than it is.
  constexpr double kTicksNs = 10e6;
  const double interval_ns = static_cast<double>(timing.host_interval_ms) * 1e6;
  double least = 0, most = 0;
  for (size_t i = 0; i < begun.size(); ++i) {
    const auto n = static_cast<double>(i);
    const auto since_first_ns = [&](int64_t at_ns) {
      return static_cast<double>(at_ns - begun.front().begin_ns);
    };
    // Requests from the k-th to the n-th, less one for each interval between them, is largest where the k-th
    // is furthest behind.
    const double behind = n - since_first_ns(begun[i].earliest_ns) / interval_ns;
    least = i == 0 ? behind : std::min(least, behind);
    most = std::max(most, n + 1 - (since_first_ns(begun[i].begin_ns) + kTicksNs) / interval_ns - least);
  }
  return {.name = "host_bucket",
          .text = "Requests to one host, in the worst stretch of time, beyond one in " +
                  std::to_string(timing.host_interval_ms) + " ms",
          .observed = most,
          .limit = static_cast<double>(timing.host_burst),
          .outcome = Outcome(!begun.empty() && most <= timing.host_burst)};
}

ServiceTime MeasureServiceTime(const std::vector<Slice>& slices) {
  ServiceTime service;
  const Slice* healthy = nullptr;
  for (const Slice& slice : slices) {
    const bool usable = slice.whole && slice.service.count() > 0;
    const auto p999 = static_cast<double>(slice.service.Percentile(99.9));
    if (!slice.outage) {
      healthy = usable ? &slice : nullptr;
      if (usable) service.healthy_p999_ns.push_back(p999);
    } else if (usable && slice.not_degraded == 0 && healthy != nullptr) {
      service.outage_p999_ns.push_back(p999);
      service.ratios.push_back(p999 / std::max(static_cast<double>(healthy->service.Percentile(99.9)), 1.0));
      healthy = nullptr;
    }
  }
  service.spread = QuietSpread(service.healthy_p999_ns);
  const LatencyJudgement judgement = JudgeLatency(service.ratios, service.spread, kServiceTimeRatioMax);
  service.ratio = judgement.ratio;
  service.outcome = service.ratios.size() < kServicePairsMin ? "too_few" : judgement.outcome;
  return service;
}

Objective ServiceTimeObjective(const ServiceTime& service) {
  // What could not be measured is not met.
  return {.name = "service_time_p999",
          .text = "p99.9 of a hit's service time in the outage, to that of a healthy engine beside it",
          .observed = service.ratio,
          .limit = kServiceTimeRatioMax,
          .outcome = service.outcome == "too_few" ? "missed" : service.outcome};
}

}  // namespace tollgate::bench
