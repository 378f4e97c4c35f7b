#include "bench/outage/scenario.h"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstdio>
#include <memory>
#include <random>
#include <thread>
#include <utility>
#include <vector>

#include "base/durations.h"
#include "bench/outage/load.h"
#include "tools/idp/mint.h"
#include "transport/curl_transport.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

constexpr int64_t kBinNs = 100'000'000;
// The engine's monotonic clock is right to 4 ms.
constexpr int64_t kClockSlackNs = 20'000'000;
// One exchange on loopback takes as long as it takes, however far the contract is scaled down.
constexpr int64_t kFetchTimeoutMsMin = 250;

// How long an identity provider may take to start, on top of the scenario.
constexpr double kStartSecondsMax = 30;

double Seconds(int64_t ns) { return static_cast<double>(ns) / 1e9; }

json ToJson(const Timing& timing) {
  json all = {{"jitter_percent", timing.jitter_percent}, {"host_burst", timing.host_burst}};
  for (const NamedDuration& duration : kDurations) all[duration.name] = timing.*duration.value;
  return all;
}

// The pool's tokens of the algorithms that a server would meet, taken in turn.
std::vector<std::string> InTurn(const TokenPool& pool) {
  std::vector<const std::vector<std::string>*> lists;
  for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
    if (!pool.Of(algorithm).empty()) lists.push_back(&pool.Of(algorithm));
  }
  std::vector<std::string> tokens;
  for (size_t i = 0; !lists.empty(); ++i) {
    const size_t before = tokens.size();
    for (const auto* list : lists) {
      if (i < list->size()) tokens.push_back((*list)[i]);
    }
    if (tokens.size() == before) break;
  }
  return tokens;
}

std::string WithHeader(std::string_view token, const char* member, const char* value) {
  const size_t dot = token.find('.');
  json header = json::parse(idp::Base64UrlDecode(token.substr(0, dot)).value_or(""), nullptr, false);
  if (header.is_object()) header[member] = value;
  return idp::Base64Url(header.dump()) + std::string(token.substr(dot));
}

// Three ways to forge, in turn, out of two good tokens of one kind.
std::vector<Call> Forgeries(const std::vector<std::string>& tokens, const std::string& tool) {
  std::vector<Call> calls;
  for (size_t i = 0; i + 3 < tokens.size() && calls.size() < 300; i += 3) {
    const std::string &good = tokens[i], &other = tokens[i + 3];
    const std::string crossed = good.substr(0, good.rfind('.')) + other.substr(other.rfind('.'));
    calls.push_back({"Bearer " + crossed, tool, CallKind::kForgedSignature});
    calls.push_back({"Bearer " + WithHeader(good, "kid", "no-such-key"), tool, CallKind::kForgedKey});
    calls.push_back({"Bearer " + WithHeader(good, "alg", "none"), tool, CallKind::kForgedNone});
  }
  return calls;
}

struct Streams {
  Stream known;
  Stream others;  // Fresh and forged ones.
};

// Fresh tokens are never offered twice: if the pool is too small for the rate, the rate goes down.
Streams MakeStreams(OutageSettings* settings, const TokenPool& pool, double duration_s) {
  const std::vector<std::string> tokens = InTurn(pool);
  const size_t num_known = std::min(settings->num_known, tokens.size() / 2);
  std::mt19937 random(20'261'123);
  Streams streams;
  streams.known.rate_hz = settings->known_rate_hz;
  for (size_t i = 0; i < num_known; ++i) {
    streams.known.calls.push_back({"Bearer " + tokens[i], ToolName(random() % kNumTools), CallKind::kKnown});
  }
  std::shuffle(streams.known.calls.begin(), streams.known.calls.end(), random);

  const double num_fresh = static_cast<double>(tokens.size() - num_known);
  settings->fresh_rate_hz = std::min(settings->fresh_rate_hz, std::floor(num_fresh / duration_s * 10) / 10);
  const std::vector<Call> forged = Forgeries(tokens, ToolName(0));
  streams.others.rate_hz = settings->fresh_rate_hz + settings->forged_rate_hz;
  double share = 0;
  size_t num_forged = 0;
  for (size_t i = num_known; i < tokens.size();) {
    share += settings->fresh_rate_hz / streams.others.rate_hz;
    if (share >= 1 || forged.empty()) {
      share -= 1;
      streams.others.calls.push_back(
          {"Bearer " + tokens[i++], ToolName(random() % kNumTools), CallKind::kFresh});
    } else {
      streams.others.calls.push_back(forged[num_forged++ % forged.size()]);
    }
  }
  return streams;
}

// What the monitor saw at the end of each bin.
struct Sighting {
  Freshness freshness = Freshness::kUnavailable;
  int64_t keys_age_ms = -1;
};

// Moments of the run, in nanoseconds from its start; −1: has not happened.
struct Moments {
  int64_t killed_ns = -1;
  int64_t restarted_ns = -1;
  int64_t reachable_ns = -1;
};

// Monitor drives the identity provider through the scenario and looks at the engine's health once per bin.
class Monitor {
 public:
  Monitor(const OutageSettings& settings, double outage_s, Engine& engine, IdpControl& idp, int64_t start_ns)
      : settings_(settings), outage_s_(outage_s), engine_(engine), idp_(idp), start_ns_(start_ns) {}

  // Run returns after `recovery_s` with the identity provider back, or with the last bin.
  absl::Status Run(size_t num_bins) {
    for (size_t bin = 0; bin < num_bins && !Done(); ++bin) {
      const int64_t end_ns = start_ns_ + static_cast<int64_t>(bin + 1) * kBinNs;
      while (MonotonicNs() < end_ns) {
        if (absl::Status status = Act(Seconds(MonotonicNs() - start_ns_)); !status.ok()) return status;
        const int64_t rest_ns = std::clamp<int64_t>(end_ns - MonotonicNs(), 0, 10'000'000);
        std::this_thread::sleep_for(std::chrono::nanoseconds(rest_ns));
      }
      const std::vector<IssuerHealth> health = engine_.ReadHealth();
      sightings_.push_back({health.front().freshness, health.front().keys_age_ms});
      if (settings_.progress && (bin + 1) % 10 == 0) Show(bin);
    }
    if (settings_.progress) std::fputc('\n', stderr);
    return absl::OkStatus();
  }

  const Moments& moments() const { return moments_; }
  const std::vector<Sighting>& sightings() const { return sightings_; }

 private:
  bool Done() const {
    return moments_.reachable_ns >= 0 &&
           MonotonicNs() - start_ns_ >
               moments_.reachable_ns + static_cast<int64_t>(settings_.recovery_s * 1e9);
  }

  absl::Status Act(double now_s) {
    const int64_t now_ns = MonotonicNs() - start_ns_;
    if (moments_.killed_ns < 0 && now_s >= settings_.healthy_s) {
      idp_.Kill();
      moments_.killed_ns = now_ns;
    }
    if (moments_.restarted_ns < 0 && now_s >= settings_.healthy_s + outage_s_) {
      moments_.restarted_ns = now_ns;
      if (absl::Status status = idp_.Restart(); !status.ok()) return status;
    }
    if (moments_.restarted_ns >= 0 && moments_.reachable_ns < 0 && idp_.Reachable()) {
      moments_.reachable_ns = MonotonicNs() - start_ns_;
    }
    return absl::OkStatus();
  }

  void Show(size_t bin) const {
    const Sighting& seen = sightings_.back();
    const char* phase = moments_.killed_ns < 0 ? "up" : moments_.reachable_ns < 0 ? "DOWN" : "up again";
    std::fprintf(stderr,
                 "%s  idp-outage %3zu of about %.0f s  identity provider %-8s  keys %-11s %6.1f s old %s",
                 isatty(STDERR_FILENO) ? "\r" : "", (bin + 1) / 10,
                 settings_.healthy_s + outage_s_ + settings_.recovery_s, phase,
                 std::string(FreshnessName(seen.freshness)).c_str(),
                 static_cast<double>(seen.keys_age_ms) / 1000, isatty(STDERR_FILENO) ? "" : "\n");
  }

  const OutageSettings& settings_;
  const double outage_s_;
  Engine& engine_;
  IdpControl& idp_;
  const int64_t start_ns_;
  Moments moments_;
  std::vector<Sighting> sightings_;
};

struct Outcome {
  LoadResult known;
  LoadResult others;
  Moments moments;
  std::vector<Sighting> sightings;
  std::vector<Exchange> exchanges;
  int64_t start_ns = 0;
};

json Latencies(const Histogram& histogram) {
  const auto us = [](uint64_t ns) { return static_cast<double>(ns) / 1000; };
  return {{"p50_us", us(histogram.Percentile(50))},
          {"p99_us", us(histogram.Percentile(99))},
          {"p999_us", us(histogram.Percentile(99.9))},
          {"max_us", us(histogram.max())}};
}

json BinsToJson(const Outcome& outcome) {
  json bins = json::array();
  for (size_t i = 0; i < outcome.sightings.size(); ++i) {
    const Bin &known = outcome.known.bins[i], &others = outcome.others.bins[i];
    const int64_t begin_ns = outcome.start_ns + static_cast<int64_t>(i) * kBinNs;
    uint64_t requests = 0, failures = 0;
    for (const Exchange& exchange : outcome.exchanges) {
      if (exchange.begin_ns < begin_ns || exchange.begin_ns >= begin_ns + kBinNs) continue;
      ++requests;
      failures += !exchange.good;
    }
    json bin = {{"t_s", Seconds(static_cast<int64_t>(i) * kBinNs)},
                {"offered", known.offered + others.offered},
                {"allow", known.allow + others.allow},
                {"deny", known.deny + others.deny},
                {"unavailable", known.unavailable + others.unavailable},
                {"fresh_offered", others.offered},
                {"forged_offered", others.forged},
                {"freshness", FreshnessName(outcome.sightings[i].freshness)},
                {"keys_age_ms", outcome.sightings[i].keys_age_ms},
                {"idp_requests", requests},
                {"idp_failures", failures},
                {"slip_max_us", static_cast<double>(std::max(known.slip_ns_max, others.slip_ns_max)) / 1000}};
    bin.update(Latencies(known.latency));
    bins.push_back(std::move(bin));
  }
  return bins;
}

// The first bin from `from` on in which good tokens were answered like this.
template <typename Predicate>
size_t FirstBin(const Outcome& outcome, size_t from, Predicate predicate) {
  size_t bin = from;
  while (bin < outcome.sightings.size() && !predicate(outcome.known.bins[bin])) ++bin;
  return bin;
}

json PhasesToJson(const Outcome& outcome, size_t beyond_bin, size_t recovered_bin) {
  const size_t killed_bin = static_cast<size_t>(outcome.moments.killed_ns / kBinNs);
  const size_t end = outcome.sightings.size();
  struct Phase {
    const char* name;
    size_t begin, end;
  };
  json phases = json::array();
  for (const Phase& phase :
       {Phase{"healthy", 0, killed_bin}, Phase{"down, within the bound", killed_bin, beyond_bin},
        Phase{"beyond the bound", beyond_bin, recovered_bin}, Phase{"recovered", recovered_bin, end}}) {
    if (phase.begin >= phase.end) continue;
    Histogram latency;
    uint64_t offered = 0, allow = 0, deny = 0, unavailable = 0;
    for (size_t i = phase.begin; i < phase.end; ++i) {
      for (const Bin* bin : {&outcome.known.bins[i], &outcome.others.bins[i]}) {
        offered += bin->offered;
        allow += bin->allow;
        deny += bin->deny;
        unavailable += bin->unavailable;
      }
      latency.Merge(outcome.known.bins[i].latency);
    }
    const int64_t begin_ns = static_cast<int64_t>(phase.begin) * kBinNs,
                  end_ns = static_cast<int64_t>(phase.end) * kBinNs;
    uint64_t requests = 0;
    for (const Exchange& exchange : outcome.exchanges) {
      const int64_t at_ns = exchange.begin_ns - outcome.start_ns;
      requests += at_ns >= begin_ns && at_ns < end_ns;
    }
    json item = {{"name", phase.name},
                 {"begin_s", Seconds(begin_ns)},
                 {"end_s", Seconds(end_ns)},
                 {"offered", offered},
                 {"allow", allow},
                 {"deny", deny},
                 {"unavailable", unavailable},
                 {"idp_requests", requests}};
    item.update(Latencies(latency));
    phases.push_back(std::move(item));
  }
  return phases;
}

json Objective(const char* name, const char* text, bool met, double observed, double limit) {
  return {{"name", name}, {"text", text}, {"met", met}, {"observed", observed}, {"limit", limit}};
}

// ServedWhileFailing: in some bin after the kill, the engine called its keys degraded, a good token was
// allowed, and, by the log and not by the engine, a fetch had failed.
bool ServedWhileFailing(const Outcome& outcome) {
  for (size_t i = 0; i < outcome.sightings.size(); ++i) {
    if (outcome.sightings[i].freshness != Freshness::kDegraded || outcome.known.bins[i].allow == 0) continue;
    const int64_t bin_end_ns = outcome.start_ns + static_cast<int64_t>(i + 1) * kBinNs;
    const int64_t killed_ns = outcome.start_ns + outcome.moments.killed_ns;
    for (const Exchange& exchange : outcome.exchanges) {
      const bool ended = exchange.end_ns != 0 && exchange.end_ns <= bin_end_ns;
      if (exchange.begin_ns >= killed_ns && ended && !exchange.good) return true;
    }
  }
  return false;
}

Held HeldOf(const Outcome& outcome) {
  Held held = outcome.known.held;
  held.Add(outcome.others.held);
  return held;
}

json ObjectivesToJson(const Outcome& outcome, const OutageSettings& settings, const Timing& timing,
                      double recovery_s) {
  Wrong wrong = outcome.known.wrong;
  wrong.Add(outcome.others.wrong);
  const Held held = HeldOf(outcome);
  const bool degraded = ServedWhileFailing(outcome);
  const auto none = [](const char* name, const char* text, uint64_t count) {
    return Objective(name, text, count == 0, static_cast<double>(count), 0);
  };
  const auto some = [](const char* name, const char* text, uint64_t count) {
    return Objective(name, text, count > 0, static_cast<double>(count), 1);
  };
  json objectives = {
      none("wrongly_allowed",
           "A forged token was allowed, or a good one with keys beyond the staleness bound", wrong.allowed),
      none("wrongly_denied", "A good token was denied", wrong.denied),
      none("wrongly_unavailable",
           "Within the bound a good token was not answered, or a forged one not denied", wrong.unavailable),
      none("without_retry_after", "An unavailable answer did not say when to come back",
           wrong.without_retry_after),
      // Without these the run would not have tested what it is for. What had to be allowed or unavailable is
      // the harness's own account; that it was is what the objectives above say.
      some("saw_allow", "Good tokens had to be allowed", held.to_allow),
      Objective("saw_degraded", "While fetches failed, good tokens were allowed and the keys called degraded",
                degraded, degraded ? 1 : 0, 1),
      some("saw_unavailable", "Beyond the bound good tokens had to be answered unavailable",
           held.to_unavailable),
      some("saw_forged", "Forged tokens were offered", held.forged),
  };
  // Two ceilings of the backoff and two exchanges, and a second for the identity provider to warm up.
  const double limit_s = 2e-3 * static_cast<double>(timing.backoff_cap_ms + timing.fetch_timeout_ms) + 1;
  if (settings.timed_objectives || recovery_s < 0) {
    objectives.push_back(Objective("recovery_s",
                                   "Seconds from the identity provider's return to the first allow",
                                   recovery_s >= 0 && recovery_s <= limit_s, recovery_s, limit_s));
  }
  return objectives;
}

absl::StatusOr<std::unique_ptr<Engine>> StartEngine(const TokenPool& pool, const IdpControl& idp,
                                                    const Timing& timing, std::shared_ptr<ExchangeLog> log) {
  absl::StatusOr<Config> config = PoolConfig(pool);
  if (!config.ok()) return config.status();
  IssuerConfig& issuer = config->issuers.front();
  issuer.jwks.clear();
  issuer.jwks_uri = idp.jwks_uri();
  config->timing = timing;
  config->dangerous.dangerous_allow_http_on_loopback = true;
  absl::StatusOr<std::unique_ptr<Transport>> transport =
      transport::MakeCurlTransport({.ca_file = "", .allow_http_on_loopback = true});
  if (!transport.ok()) return transport.status();
  Environment environment;
  environment.transport = std::make_unique<ObservedTransport>(*std::move(transport), std::move(log));
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(*std::move(config), std::move(environment));
  if (!engine.ok()) return engine;
  for (int i = 0; i < 1000; ++i) {
    if ((*engine)->ReadHealth().front().freshness == Freshness::kFresh) return engine;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return absl::DeadlineExceededError("no keys from the healthy identity provider: " +
                                     (*engine)->ReadHealth().front().last_error);
}

}  // namespace

absl::StatusOr<json> RunOutage(const OutageSettings& wanted, const TokenPool& pool, IdpControl& idp) {
  OutageSettings settings = wanted;
  const Timing defaults;
  Timing timing = defaults.Scaled(settings.factor);
  timing.fetch_timeout_ms = std::max(timing.fetch_timeout_ms, kFetchTimeoutMsMin);
  const double outage_s = static_cast<double>(timing.staleness_bound_ms) / 1000 + settings.beyond_s;
  const double duration_s = settings.healthy_s + outage_s + settings.recovery_s;
  const size_t num_bins_max =
      static_cast<size_t>(std::ceil((duration_s + kStartSecondsMax) * 1e9 / static_cast<double>(kBinNs)));
  const Streams streams = MakeStreams(&settings, pool, duration_s);
  if (streams.known.calls.empty() || streams.others.calls.empty()) {
    return absl::InvalidArgumentError("the pool has too few tokens of RS256, ES256 and EdDSA");
  }

  KeyBook book(timing.staleness_bound_ms * 1'000'000, kClockSlackNs);
  const auto log = std::make_shared<ExchangeLog>(&book);
  absl::StatusOr<std::unique_ptr<Engine>> engine = StartEngine(pool, idp, timing, log);
  if (!engine.ok()) return engine.status();

  Outcome outcome;
  outcome.known.bins.resize(num_bins_max);
  outcome.others.bins.resize(num_bins_max);
  std::atomic<bool> stop{false};
  outcome.start_ns = MonotonicNs() + 20'000'000;
  Monitor monitor(settings, outage_s, **engine, idp, outcome.start_ns);
  const auto offer = [&](const Stream& stream, LoadResult* result) {
    RunLoad(**engine, *log, stream, outcome.start_ns, kBinNs, stop, result);
  };
  std::thread known(offer, std::cref(streams.known), &outcome.known);
  std::thread others(offer, std::cref(streams.others), &outcome.others);
  const absl::Status status = monitor.Run(num_bins_max);
  // Ordering: relaxed; see RunLoad.
  stop.store(true, std::memory_order_relaxed);
  known.join();
  others.join();
  if (!status.ok()) return status;
  outcome.moments = monitor.moments();
  outcome.sightings = monitor.sightings();
  const size_t num_bins = outcome.sightings.size();
  outcome.exchanges = log->Read();

  const size_t killed_bin = static_cast<size_t>(outcome.moments.killed_ns / kBinNs);
  const size_t beyond_bin = FirstBin(outcome, killed_bin, [](const Bin& bin) { return bin.unavailable > 0; });
  const size_t restarted_bin =
      static_cast<size_t>(std::max<int64_t>(0, outcome.moments.restarted_ns) / kBinNs);
  const size_t recovered_bin = FirstBin(outcome, restarted_bin, [](const Bin& bin) { return bin.allow > 0; });
  const bool recovered = outcome.moments.reachable_ns >= 0 && recovered_bin < num_bins;
  // To the end of that bin: never less than it was.
  const double recovery_s = recovered
                                ? std::max(0.0, Seconds(static_cast<int64_t>(recovered_bin + 1) * kBinNs -
                                                        outcome.moments.reachable_ns))
                                : -1;

  Histogram slip = outcome.known.slip;
  slip.Merge(outcome.others.slip);
  json slips = Latencies(slip);
  const Held held = HeldOf(outcome);
  uint64_t answered = 0;
  for (size_t i = 0; i < num_bins; ++i) answered += outcome.known.bins[i].offered;
  json events = {
      {{"t_s", Seconds(outcome.moments.killed_ns)}, {"what", "identity provider killed"}},
      {{"t_s", Seconds(outcome.moments.restarted_ns)}, {"what", "identity provider started again"}}};
  if (outcome.moments.reachable_ns >= 0) {
    events.push_back(
        {{"t_s", Seconds(outcome.moments.reachable_ns)}, {"what", "identity provider reachable"}});
  }
  return json{{"scenario", "idp-outage"},
              {"tokens", pool.source},
              {"factor", settings.factor},
              {"timing", {{"defaults", ToJson(defaults)}, {"scaled", ToJson(timing)}}},
              {"rates",
               {{"known_hz", settings.known_rate_hz},
                {"fresh_hz", settings.fresh_rate_hz},
                {"forged_hz", settings.forged_rate_hz},
                {"known_sustained_hz",
                 static_cast<double>(answered) / (static_cast<double>(num_bins) * Seconds(kBinNs))},
                {"known_tokens", streams.known.calls.size()}}},
              {"bin_ms", kBinNs / 1'000'000},
              {"events", events},
              {"held",
               {{"to_allow", held.to_allow},
                {"to_unavailable", held.to_unavailable},
                {"to_either", held.to_either},
                {"forged", held.forged}}},
              {"slip", slips},
              {"phases", PhasesToJson(outcome, beyond_bin, recovered_bin)},
              {"objectives", ObjectivesToJson(outcome, settings, timing, recovery_s)},
              {"bins", BinsToJson(outcome)}};
}

}  // namespace tollgate::bench
