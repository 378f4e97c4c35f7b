#include "bench/outage/results.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/durations.h"
#include "bench/outage/objectives.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// Of very many issuers: bounds that say nothing went wrong in kind, far above what was measured.
constexpr double kResidentMibMax = 4096;
constexpr double kStartSMax = 15;

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

json ToJson(const Timing& timing) {
  json all = {{"jitter_percent", timing.jitter_percent}, {"host_burst", timing.host_burst}};
  for (const NamedDuration& duration : kDurations) all[duration.name] = timing.*duration.value;
  return all;
}

json Latencies(const Histogram& histogram) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"p50_us", us(histogram.Percentile(50))},
          {"p99_us", us(histogram.Percentile(99))},
          {"p999_us", us(histogram.Percentile(99.9))},
          {"max_us", us(histogram.max())}};
}

// Requests counts the exchanges begun in [from, to) from the start, and those of them that did not end well.
// Only those about tokens, or only the others, if `introspection` says so.
std::pair<uint64_t, uint64_t> Requests(const Outcome& outcome, int64_t from_ns, int64_t to_ns,
                                       std::optional<bool> introspection = std::nullopt) {
  uint64_t requests = 0, failures = 0;
  for (const Exchange& exchange : outcome.exchanges) {
    const int64_t at_ns = exchange.begin_ns - outcome.start_ns;
    if (at_ns < from_ns || at_ns >= to_ns) continue;
    if (introspection.has_value() && exchange.introspection != *introspection) continue;
    ++requests;
    failures += !exchange.good;
  }
  return {requests, failures};
}

json BinsToJson(const Outcome& outcome) {
  json bins = json::array();
  for (size_t i = 0; i < outcome.timeline.sightings.size(); ++i) {
    const Bin &known = outcome.known.bins[i], &others = outcome.others.bins[i];
    const Sighting& seen = outcome.timeline.sightings[i];
    const int64_t begin_ns = static_cast<int64_t>(i) * kBinNs;
    const auto [requests, failures] = Requests(outcome, begin_ns, begin_ns + kBinNs);
    json bin = {{"t_s", Seconds(begin_ns)},
                {"offered", known.offered + others.offered},
                {"allow", known.allow + others.allow},
                {"deny", known.deny + others.deny},
                {"unavailable", known.unavailable + others.unavailable},
                {"fresh_offered", others.offered},
                {"forged_offered", others.forged},
                {"freshness", FreshnessName(seen.freshness)},
                {"keys_age_ms", seen.keys_age_ms},
                {"idp_requests", requests},
                {"idp_failures", failures},
                {"slip_max_us", static_cast<double>(std::max(known.slip_ns_max, others.slip_ns_max)) / 1000}};
    bin.update(Latencies(known.latency));
    bins.push_back(std::move(bin));
  }
  return bins;
}

std::string FaultText(const Fault& fault) {
  const std::string of = fault.introspection ? "introspection " : "";
  if (fault.kind == FaultKind::kError) return of + "error " + std::to_string(fault.status);
  return of + std::string(FaultKindName(fault.kind));
}

json PhasesToJson(const Outcome& outcome, const Scenario& scenario) {
  json phases = json::array();
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    const PhaseTime& time = outcome.timeline.phases[i];
    const auto begin = static_cast<size_t>(time.begin_ns / kBinNs);
    // The last bin may be cut off.
    const size_t end = i + 1 == scenario.phases.size() ? outcome.timeline.sightings.size()
                                                       : static_cast<size_t>(time.end_ns / kBinNs);
    Histogram latency;
    uint64_t offered = 0, allow = 0, deny = 0, unavailable = 0, forged = 0;
    for (size_t b = begin; b < end; ++b) {
      for (const Bin* bin : {&outcome.known.bins[b], &outcome.others.bins[b]}) {
        offered += bin->offered;
        allow += bin->allow;
        deny += bin->deny;
        unavailable += bin->unavailable;
        forged += bin->forged;
      }
      latency.Merge(outcome.known.bins[b].latency);
    }
    json item = {{"name", scenario.phases[i].name},
                 {"fault", FaultText(scenario.phases[i].fault)},
                 {"begin_s", Seconds(time.begin_ns)},
                 {"end_s", Seconds(time.end_ns)},
                 {"offered", offered},
                 {"allow", allow},
                 {"deny", deny},
                 {"unavailable", unavailable},
                 {"forged_offered", forged},
                 {"idp_requests", Requests(outcome, time.begin_ns, time.end_ns).first},
                 {"introspections", Requests(outcome, time.begin_ns, time.end_ns, true).first}};
    item.update(Latencies(latency));
    phases.push_back(std::move(item));
  }
  return phases;
}

json EventsToJson(const Outcome& outcome, const Scenario& scenario) {
  json events = json::array();
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    const PhaseTime& time = outcome.timeline.phases[i];
    if (i > 0) events.push_back({{"t_s", Seconds(time.begin_ns)}, {"what", scenario.phases[i].name}});
    // One that is a process of its own takes a while to start.
    if (i > 0 && time.reachable_ns - time.begin_ns > kBinNs)
      events.push_back({{"t_s", Seconds(time.reachable_ns)}, {"what", "identity provider reachable"}});
  }
  return events;
}

// When the provider was there again after the phase in which tokens were revoked.
int64_t BackAfterRevocationNs(const Outcome& outcome, const Scenario& scenario) {
  bool revoked = false;
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    revoked |= scenario.phases[i].revoke;
    if (revoked && scenario.phases[i].fault.none()) return outcome.timeline.phases[i].reachable_ns;
  }
  return -1;
}

// The begin of the last stretch of phases without a fault that follows one with a fault; −1: there is none.
int64_t LastRecoveryNs(const Outcome& outcome, const Scenario& scenario) {
  int64_t recovery_ns = -1;
  for (size_t i = 1; i < scenario.phases.size(); ++i) {
    if (scenario.phases[i].fault.none() && !scenario.phases[i - 1].fault.none())
      recovery_ns = outcome.timeline.phases[i].reachable_ns;
  }
  return recovery_ns;
}

bool RemovedWhileReachable(const Scenario& scenario) {
  return std::any_of(scenario.phases.begin(), scenario.phases.end(),
                     [](const Phase& phase) { return phase.remove_key && phase.fault.none(); });
}

// FewestRequestsInFault: a fault that nobody met was none. Nullopt: there is no fault.
std::optional<uint64_t> FewestRequestsInFault(const Outcome& outcome, const Scenario& scenario) {
  std::optional<uint64_t> fewest;
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    if (scenario.phases[i].fault.none()) continue;
    const PhaseTime& time = outcome.timeline.phases[i];
    const uint64_t requests =
        Requests(outcome, time.begin_ns, time.end_ns, scenario.phases[i].fault.introspection).first;
    fewest = std::min(fewest.value_or(UINT64_MAX), requests);
  }
  return fewest;
}

void AddIntrospectionObjectives(const Outcome& outcome, const Scenario& scenario, const Timing& timing,
                                bool timed, const RunFacts& facts, const Held& held,
                                std::vector<Objective>* objectives) {
  if (scenario.expect_last_known) {
    objectives->push_back(LastKnownRefused(held));
    if (timed) {
      objectives->push_back(Saw(
          "saw_last_known", "Calls that were allowed by the last known answer while nobody could be asked",
          held.last_known_allowed));
      objectives->push_back(Saw("saw_last_known_too_old", "Such calls whose last known answer was too old",
                                held.last_known_too_old));
      objectives->push_back(LastKnownAllowed(held, outcome.others.slip.Percentile(99)));
    }
  }
  if (scenario.expect_revoked_refused) {
    objectives->push_back(Saw("saw_revoked", "Revoked tokens that had to be denied", held.to_deny));
    if (timed) {
      objectives->push_back(RevokedRefused(outcome.start_ns + BackAfterRevocationNs(outcome, scenario),
                                           outcome.others.revoked_allowed_ns, timing));
    }
  }
  if (!scenario.expect_bounded_questions) return;
  objectives->push_back(QuestionsInFlight(outcome.exchanges, facts.in_flight_max));
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    const Fault& fault = scenario.phases[i].fault;
    if (!fault.NobodyIsAnswered()) continue;
    const PhaseTime& time = outcome.timeline.phases[i];
    objectives->push_back(QuestionsInOutage(outcome.exchanges, outcome.start_ns + time.begin_ns,
                                            outcome.start_ns + time.end_ns, facts.in_flight_max, timing));
  }
}

void AddIssuerObjectives(const Outcome& outcome, const Scenario& scenario, const Timing& timing, bool timed,
                         const RunFacts& facts, const Held& held, std::vector<Objective>* objectives) {
  if (scenario.num_issuers == 0) return;
  objectives->push_back(
      Saw("saw_tenants", "Tokens of the many issuers whose keys were there", held.tenants_to_allow));
  if (scenario.expect_host_bucket) objectives->push_back(HostBucket(outcome.exchanges, timing));
  if (!scenario.expect_bounded_memory) return;
  const double mib = static_cast<double>(facts.resident_bytes_max) / (1 << 20);
  objectives->push_back({.name = "resident_mib",
                         .text = "The most memory that the process had, provider and load included, in MiB",
                         .observed = mib,
                         .limit = kResidentMibMax,
                         .outcome = mib <= kResidentMibMax ? "met" : "missed"});
  if (!timed) return;
  objectives->push_back({.name = "start_s",
                         .text = "Seconds that the making of the engine took",
                         .observed = facts.start_s,
                         .limit = kStartSMax,
                         .outcome = facts.start_s <= kStartSMax ? "met" : "missed"});
}

std::vector<Objective> ObjectivesOf(const Outcome& outcome, const Scenario& scenario, const Timing& timing,
                                    bool timed, const RunFacts& facts, const Held& held,
                                    const ServiceTime* service) {
  Wrong wrong = outcome.known.wrong;
  wrong.Add(outcome.others.wrong);
  const Timeline& timeline = outcome.timeline;
  const auto absolute = [&outcome](int64_t ns) { return outcome.start_ns + ns; };
  std::vector<Objective> objectives = NothingWrong(wrong);
  objectives.push_back(KnownAllowed(held));
  if (held.expected > 0)
    objectives.push_back(Saw("saw_load", "Calls of a flood that were made", held.offered, held.expected));
  if (std::any_of(std::begin(scenario.loads), std::end(scenario.loads),
                  [](const Load& load) { return !IsGood(load.kind); }))
    objectives.push_back(Saw("saw_forged", "Forged tokens that were offered", held.forged));
  if (scenario.Offers(TokenKind::kExpiring) || scenario.Offers(TokenKind::kYoung))
    objectives.push_back(
        Saw("saw_deny", "Good tokens out of their time, which had to be denied", held.to_deny));
  if (const auto fewest = FewestRequestsInFault(outcome, scenario)) {
    objectives.push_back(
        Saw("saw_fault", "The fewest requests to the identity provider in a phase with a fault", *fewest));
  }
  if (scenario.expect_degraded) {
    // The engine's word, and the log's that fetches had failed.
    const bool failed =
        std::any_of(outcome.exchanges.begin(), outcome.exchanges.end(),
                    [](const Exchange& e) { return e.end_ns != 0 && !e.good && !e.introspection; });
    objectives.push_back(Saw("saw_degraded",
                             "Good tokens that were allowed on degraded keys, fetches failing",
                             failed ? held.degraded_allowed : 0));
  }
  if (scenario.expect_unavailable) {
    objectives.push_back(
        Saw("saw_unavailable", "Good tokens that had to be answered unavailable", held.to_unavailable));
  }
  if (scenario.expect_new_key_accepted)
    objectives.push_back(
        Saw("saw_new_key", "Tokens of the added key that were allowed", held.rotated_allowed));
  if (scenario.expect_removed_key_refused) {
    objectives.push_back(AllowedAfterRemoval(wrong.allowed_after_removal));
    if (timed) {
      const int64_t allowed_ns = outcome.others.compromised_allowed_ns;
      objectives.push_back(
          RemovedKey(absolute(timeline.removed_ns), allowed_ns, RemovedWhileReachable(scenario), timing));
    }
  }
  if (scenario.expect_fresh_after_fault && timed)
    objectives.push_back(BackToFresh(timeline.back_to_fresh_s, timing, facts.warm_up_s));
  for (size_t i = 0; i < scenario.phases.size(); ++i) {
    if (!scenario.phases[i].expect_one_request_per_cooldown) continue;
    objectives.push_back(RequestsPerCooldown(outcome.exchanges, absolute(timeline.phases[i].begin_ns),
                                             absolute(timeline.phases[i].end_ns), timing));
  }
  if (scenario.expect_steady_requests) {
    objectives.push_back(SteadyRequests(outcome.exchanges, absolute(LastRecoveryNs(outcome, scenario)),
                                        absolute(timeline.phases.back().end_ns), timing));
  }
  AddIntrospectionObjectives(outcome, scenario, timing, timed, facts, held, &objectives);
  AddIssuerObjectives(outcome, scenario, timing, timed, facts, held, &objectives);
  if (service != nullptr) objectives.push_back(ServiceTimeObjective(*service));
  return objectives;
}

json ToJson(const ServiceTime& service) {
  return {{"healthy_p999_ns", service.healthy_p999_ns},
          {"outage_p999_ns", service.outage_p999_ns},
          {"ratios", service.ratios},
          {"ratio", service.ratio},
          {"ratio_max", kServiceTimeRatioMax},
          {"healthy_spread", service.spread},
          {"outcome", service.outcome}};
}

// Of the loads over the whole scenario.
json RatesOf(const Outcome& outcome, const Scenario& scenario, const RunFacts& facts) {
  double new_hz = 0, forged_hz = 0, known_hz = 0;
  for (const Load& load : scenario.loads) {
    const double rate_hz = RateHz(load, 0, facts.rate_max_hz);
    (load.kind == TokenKind::kKnown ? known_hz
     : IsGood(load.kind)            ? new_hz
                                    : forged_hz) +=
        load.kind == TokenKind::kNew ? rate_hz * facts.new_rate_scale : rate_hz;
  }
  uint64_t answered = 0;
  const size_t num_bins = outcome.timeline.sightings.size();
  for (size_t i = 0; i < num_bins; ++i) answered += outcome.known.bins[i].offered;
  return {{"known_hz", known_hz},
          {"fresh_hz", new_hz},
          {"forged_hz", forged_hz},
          {"known_sustained_hz",
           static_cast<double>(answered) / std::max(static_cast<double>(num_bins) * Seconds(kBinNs), 1e-9)},
          {"known_tokens", facts.num_known}};
}

}  // namespace

json ResultsOf(const Outcome& outcome, const Scenario& scenario, const Timing& timing, bool timed_objectives,
               const RunFacts& facts) {
  Held held = outcome.known.held;
  held.Add(outcome.others.held);
  ServiceTime service;
  if (facts.service_time) service = MeasureServiceTime(outcome.known.slices);
  json objectives = json::array();
  for (const Objective& objective : ObjectivesOf(outcome, scenario, timing, timed_objectives, facts, held,
                                                 facts.service_time ? &service : nullptr)) {
    objectives.push_back(bench::ToJson(objective));
  }
  Histogram slip = outcome.known.slip;
  slip.Merge(outcome.others.slip);
  json results = {{"scenario", scenario.name},
                  {"about", scenario.about},
                  {"tokens", facts.tokens},
                  {"factor", facts.factor},
                  {"network_factor", facts.network_factor},
                  {"timing", {{"defaults", ToJson(Timing())}, {"scaled", ToJson(timing)}}},
                  {"rates", RatesOf(outcome, scenario, facts)},
                  {"bin_ms", kBinNs / 1'000'000},
                  {"events", EventsToJson(outcome, scenario)},
                  {"held",
                   {{"to_allow", held.to_allow},
                    {"to_unavailable", held.to_unavailable},
                    {"to_deny", held.to_deny},
                    {"to_either", held.to_either},
                    {"forged", held.forged},
                    {"overloaded", held.overloaded}}},
                  {"slip", Latencies(slip)},
                  {"phases", PhasesToJson(outcome, scenario)},
                  {"objectives", objectives},
                  {"bins", BinsToJson(outcome)}};
  if (facts.service_time) results["service_time"] = ToJson(service);
  if (scenario.num_issuers > 0) {
    results["issuers"] = {{"count", scenario.num_issuers + 1},
                          {"start_s", facts.start_s},
                          {"issuer_bytes", facts.issuer_bytes},
                          {"resident_bytes_max", facts.resident_bytes_max}};
  }
  return results;
}

}  // namespace tollgate::bench
