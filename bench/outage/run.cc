#include "bench/outage/run.h"

#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <optional>
#include <random>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/durations.h"
#include "bench/outage/load.h"
#include "bench/outage/objectives.h"
#include "bench/outage/results.h"
#include "bench/outage/tokens.h"
#include "tools/idp/mint.h"
#include "transport/curl_transport.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

// The engine's monotonic clock is right to 4 ms.
constexpr int64_t kClockSlackNs = 20'000'000;
// A snapshot has wall times in whole seconds, rounded against the keys twice.
constexpr int64_t kSnapshotRoundingNs = 2'100'000'000;
// With very many issuers a look at the health of all takes long, and is taken this seldom: in bins.
constexpr size_t kHealthBins = 50;
// How long identity providers may take to start, on top of the scenario.
constexpr double kStartSecondsMax = 30;

// The most memory that this process has had so far.
size_t ResidentBytesMax() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<size_t>(usage.ru_maxrss) * 1024;
}

int64_t Ns(double seconds) { return static_cast<int64_t>(seconds * 1e9); }

// A directory of its own for the snapshot, gone with the object.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string path = (std::filesystem::temp_directory_path() / "tollgate-outage-XXXXXX").string();
    if (mkdtemp(path.data()) != nullptr) path_ = path;
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }  // Empty: it could not be made.

 private:
  std::string path_;
};

// Faults puts the identity provider, or the way to it, into the state that a phase wants.
class Faults {
 public:
  Faults(IdpControl& idp, double network_factor) : idp_(idp), network_factor_(network_factor) {}

  const std::atomic<bool>& names_lost() const { return names_lost_; }

  // Needs says what this identity provider lacks for the scenario, or nothing.
  std::string Needs(const Scenario& scenario) const {
    if (idp_.server() != nullptr) return "";
    for (const Phase& phase : scenario.phases) {
      const FaultKind kind = phase.fault.kind;
      if (kind != FaultKind::kNone && kind != FaultKind::kDown && kind != FaultKind::kNoDns)
        return "fault " + std::string(FaultKindName(kind));
      if (phase.add_key || phase.remove_key) return "a change of keys";
    }
    return "";
  }

  absl::Status Apply(const Fault& fault) {
    if (fault == now_) return absl::OkStatus();
    const bool was_down = now_.kind == FaultKind::kDown;
    now_ = fault;
    // Ordering: relaxed; see ObservedTransport::Start.
    names_lost_.store(fault.kind == FaultKind::kNoDns, std::memory_order_relaxed);
    if (fault.kind == FaultKind::kDown) {
      idp_.Kill();
      return absl::OkStatus();
    }
    if (idp_.server() != nullptr) idp_.server()->ClearFaults();
    if (was_down) {
      if (absl::Status status = idp_.Restart(); !status.ok()) return status;
    }
    if (const idp::Fault wanted = ServerFault(fault); wanted.mode != idp::FaultMode::kNone)
      idp_.server()->SetFault("*", wanted);
    return absl::OkStatus();
  }

  // DrawDelay gives a slow identity provider another delay, for the next that asks.
  void DrawDelay() {
    if (now_.kind == FaultKind::kSlow) idp_.server()->SetFault("*", ServerFault(now_));
  }

 private:
  idp::Fault ServerFault(const Fault& fault) {
    switch (fault.kind) {
      case FaultKind::kSlow: {
        std::uniform_real_distribution<double> delay_s(fault.delay_min_s, fault.delay_max_s);
        return {.mode = idp::FaultMode::kSlow,
                .delay = std::chrono::milliseconds(
                    static_cast<int64_t>(delay_s(random_) * network_factor_ * 1000))};
      }
      case FaultKind::kError:
        return {.mode = idp::FaultMode::kError, .status = fault.status};
      case FaultKind::kBlackhole:
        return {.mode = idp::FaultMode::kBlackhole};
      case FaultKind::kGarbage:
        return {.mode = idp::FaultMode::kGarbage};
      case FaultKind::kEmpty:
        return {.mode = idp::FaultMode::kEmpty};
      case FaultKind::kEmptySet:
        return {.mode = idp::FaultMode::kEmptySet};
      case FaultKind::kNone:
      case FaultKind::kDown:
      case FaultKind::kNoDns:
        break;
    }
    return {};
  }

  IdpControl& idp_;
  const double network_factor_;
  std::mt19937_64 random_{20'261'126};
  std::atomic<bool> names_lost_{false};
  Fault now_;
};

// Asked is the introspection endpoint, a host of its own, and the tokens that `revoke` makes inactive there.
struct Asked {
  std::unique_ptr<IdpControl> idp;
  std::optional<Faults> faults;
  std::vector<std::string> to_revoke;
};

// Monitor leads through the phases and looks at the engine's health.
class Monitor {
 public:
  // `asked` may be null.
  Monitor(const RunSettings& settings, Course& course, Faults& faults, IdpControl& idp, Asked* asked,
          SteppedClock& clock)
      : settings_(settings), course_(course), faults_(faults), idp_(idp), asked_(asked), clock_(clock) {}

  // Run returns when the last phase is over, or with the last bin.
  absl::Status Run(size_t num_bins, Timeline* timeline) {
    timeline_ = timeline;
    if (absl::Status status = Enter(0); !status.ok()) return status;
    for (size_t bin = 0; bin < num_bins && !over_; ++bin) {
      const int64_t end_ns = course_.start_ns + static_cast<int64_t>(bin + 1) * course_.bin_ns;
      while (MonotonicNs() < end_ns && !over_) {
        if (absl::Status status = Look(); !status.ok()) return status;
        const int64_t rest_ns = std::clamp<int64_t>(end_ns - MonotonicNs(), 0, 10'000'000);
        std::this_thread::sleep_for(std::chrono::nanoseconds(rest_ns));
      }
      timeline->sightings.push_back(bin % health_bins_ == 0 ? See() : timeline->sightings.back());
      if (settings_.progress && ((bin + 1) % 10 == 0 || over_)) Show(bin);
    }
    if (settings_.progress) std::fputc('\n', stderr);
    return absl::OkStatus();
  }

 private:
  int64_t SinceStart() const { return MonotonicNs() - course_.start_ns; }
  Sighting See() const {
    const std::vector<IssuerHealth> health = course_.engine.ReadHealth();
    return {health.front().freshness, health.front().keys_age_ms};
  }
  const Phase& Now() const { return course_.scenario.phases[phase_]; }

  absl::Status Enter(size_t phase) {
    const bool was_faulty = phase > 0 && !Now().fault.none() && !Now().fault.introspection;
    phase_ = phase;
    if (Now().clock_step_s != 0) clock_.Step(static_cast<int64_t>(Now().clock_step_s));
    if (Now().add_key) idp_.server()->AddKey(idp::TestKey(kRotated.algorithm, kRotated.number));
    if (Now().remove_key) {
      const idp::SigningKey& gone = idp::TestKey(kCompromised.algorithm, kCompromised.number);
      if (!idp_.server()->RemoveKey(gone.kid())) return absl::InternalError("there is no key to remove");
      timeline_->removed_ns = SinceStart();
    }
    if (absl::Status status = Apply(Now()); !status.ok()) return status;
    // The load begins a moment after the first phase.
    timeline_->phases.push_back({.begin_ns = std::max<int64_t>(0, SinceStart())});
    recovering_ = was_faulty && Now().fault.none() && course_.scenario.num_issuers == 0;
    reachable_ns_ = -1;
    if (recovering_) timeline_->back_to_fresh_s.push_back(-1);
    // Ordering: relaxed; see RunLoad.
    course_.phase.store(phase, std::memory_order_relaxed);
    return absl::OkStatus();
  }

  absl::Status Apply(const Phase& phase) {
    if (phase.revoke) {
      for (const std::string& token : asked_->to_revoke) asked_->idp->server()->Forget(token);
    }
    const bool introspection = phase.fault.introspection;
    if (asked_ != nullptr) {
      absl::Status status = asked_->faults->Apply(introspection ? phase.fault : Fault{});
      if (!status.ok()) return status;
    }
    return faults_.Apply(introspection ? Fault{} : phase.fault);
  }

  absl::Status Look() {
    faults_.DrawDelay();
    if (asked_ != nullptr) asked_->faults->DrawDelay();
    // A phase counts from when its identity provider is there.
    if (reachable_ns_ < 0 && (Now().fault.kind == FaultKind::kDown || idp_.Reachable())) {
      reachable_ns_ = SinceStart();
      timeline_->phases.back().reachable_ns = reachable_ns_;
    }
    if (recovering_ && reachable_ns_ >= 0 &&
        course_.engine.ReadHealth().front().freshness == Freshness::kFresh) {
      timeline_->back_to_fresh_s.back() = static_cast<double>(SinceStart() - reachable_ns_) / 1e9;
      recovering_ = false;
    }
    if (reachable_ns_ < 0 || SinceStart() < reachable_ns_ + Ns(Now().duration_s * settings_.factor))
      return absl::OkStatus();
    timeline_->phases.back().end_ns = SinceStart();
    if (phase_ + 1 < course_.scenario.phases.size()) return Enter(phase_ + 1);
    // Ordering: relaxed; see RunLoad.
    course_.phase.store(phase_ + 1, std::memory_order_relaxed);
    over_ = true;
    return absl::OkStatus();
  }

  void Show(size_t bin) const {
    const Sighting& seen = timeline_->sightings.back();
    std::fprintf(stderr, "%s%-28s %4zu of about %.0f s  %-28s keys %-11s %6.1f s old %s",
                 isatty(STDERR_FILENO) ? "\r" : "", course_.scenario.name.c_str(), (bin + 1) / 10,
                 course_.scenario.DurationS() * settings_.factor, Now().name.c_str(),
                 std::string(FreshnessName(seen.freshness)).c_str(),
                 static_cast<double>(seen.keys_age_ms) / 1000, isatty(STDERR_FILENO) ? "" : "\n");
  }

  const RunSettings& settings_;
  Course& course_;
  Faults& faults_;
  IdpControl& idp_;
  Asked* const asked_;
  SteppedClock& clock_;
  const size_t health_bins_ = course_.scenario.num_issuers == 0 ? 1 : kHealthBins;
  Timeline* timeline_ = nullptr;
  size_t phase_ = 0;
  int64_t reachable_ns_ = -1;
  bool recovering_ = false;
  bool over_ = false;
};

std::vector<NamedKey> NamedKeys() {
  return {{idp::TestKey(kCompromised.algorithm, kCompromised.number).kid(), kCompromisedKey},
          {idp::TestKey(kRotated.algorithm, kRotated.number).kid(), kRotatedKey}};
}

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(Config config, const std::string& jwks_uri,
                                                   const Clock& clock, std::unique_ptr<Transport> transport) {
  config.issuers.front().jwks.clear();
  config.issuers.front().jwks_uri = jwks_uri;
  config.dangerous.dangerous_allow_http_on_loopback = true;
  Environment environment;
  environment.clock = &clock;
  environment.transport = std::move(transport);
  return Engine::Create(config, std::move(environment));
}

absl::Status WaitForKeys(const Engine& engine) {
  for (int i = 0; i < 1000; ++i) {
    if (engine.ReadHealth().front().freshness == Freshness::kFresh) return absl::OkStatus();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return absl::DeadlineExceededError("no keys from the healthy identity provider: " +
                                     engine.ReadHealth().front().last_error);
}

absl::Status WaitForSnapshot(const Engine& engine) {
  for (int i = 0; i < 1000; ++i) {
    if (engine.ReadSnapshotHealth().issuers_written == 1) return absl::OkStatus();
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return absl::DeadlineExceededError("no snapshot was written: " + engine.ReadSnapshotHealth().write_error);
}

absl::Status WarmUp(Engine& engine, const CallSource& known) {
  Decision decision;
  for (const Call& call : known.calls()) {
    engine.Check({.authorization = call.authorization, .tool = call.tool}, &decision);
    if (!decision.allowed()) {
      return absl::FailedPreconditionError("before the start, a known token was not allowed: " +
                                           std::string(ReasonName(decision.reason)));
    }
  }
  return absl::OkStatus();
}

// Bench is all that one run needs besides the scenario's own course.
class Bench {
 public:
  Bench(const RunSettings& settings, const Scenario& scenario, const TokenPool& pool, IdpControl& idp)
      : settings_(settings),
        scenario_(scenario),
        pool_(pool),
        idp_(idp),
        timing_(ScaledTiming(settings.factor)),
        faults_(idp, NetworkFactor(settings.factor)),
        book_(timing_.staleness_bound_ms * 1'000'000, kClockSlackNs),
        answers_({.active_age_ns = timing_.active_age_max_ms * 1'000'000,
                  .inactive_age_ns = timing_.inactive_age_max_ms * 1'000'000,
                  .last_known_age_ns = LastKnownAgeS(settings.factor) * 1'000'000'000,
                  .slack_ns = kClockSlackNs}),
        tenants_(scenario.num_issuers),
        books_{.keys = book_, .answers = answers_, .tenants = tenants_},
        log_(std::make_shared<ExchangeLog>(books_)) {}

  absl::Status SetUp() {
    if (const std::string needs = faults_.Needs(scenario_); !needs.empty()) {
      return absl::InvalidArgumentError(scenario_.name + " needs " + needs + ": use the bundled identity " +
                                        "provider");
    }
    const std::unique_ptr<TokenSupply> supply =
        idp_.server() == nullptr ? MakePoolSupply(pool_) : MakeMintingSupply(pool_, scenario_.num_issuers);
    absl::StatusOr<CallSources> sources =
        MakeSources(scenario_, settings_.factor, settings_.rate_max_hz, settings_.num_known, *supply);
    if (!sources.ok()) return sources.status();
    sources_ = *std::move(sources);
    absl::StatusOr<Config> config = PoolConfig(pool_);
    if (!config.ok()) return config.status();
    config_ = *std::move(config);
    config_.timing = timing_;
    AddTenants();
    if (scenario_.AsksAboutTokens()) {
      if (absl::Status status = StartAsked(); !status.ok()) return status;
    }
    if (absl::Status status = StartEngine(); !status.ok()) return status;
    return WantsTwin() ? StartTwin() : absl::OkStatus();
  }

  absl::StatusOr<json> Run() {
    const double duration_s = scenario_.DurationS() * settings_.factor;
    const auto num_bins_max =
        static_cast<size_t>(std::ceil((duration_s + kStartSecondsMax) * 1e9 / static_cast<double>(kBinNs)));
    Outcome outcome;
    outcome.known.bins.resize(num_bins_max);
    outcome.others.bins.resize(num_bins_max);
    Course course{.scenario = scenario_,
                  .engine = *engine_,
                  .twin = twin_.get(),
                  .books = books_,
                  .clock = clock_,
                  .factor = settings_.factor,
                  .rate_max_hz = settings_.rate_max_hz,
                  .start_ns = MonotonicNs() + 20'000'000,
                  .bin_ns = kBinNs};
    outcome.start_ns = course.start_ns;
    Monitor monitor(settings_, course, faults_, idp_, asked_.idp == nullptr ? nullptr : &asked_, clock_);
    std::thread known([&] { RunLoad(course, true, &sources_, &outcome.known); });
    std::thread others([&] { RunLoad(course, false, &sources_, &outcome.others); });
    const absl::Status status = monitor.Run(num_bins_max, &outcome.timeline);
    // Ordering: relaxed; see RunLoad.
    course.phase.store(scenario_.phases.size(), std::memory_order_relaxed);
    known.join();
    others.join();
    if (!status.ok()) return status;
    if (outcome.timeline.phases.size() < scenario_.phases.size() || outcome.timeline.phases.back().end_ns < 0)
      return absl::DeadlineExceededError(scenario_.name +
                                         ": the identity provider did not come back in time");
    outcome.exchanges = log_->Read();
    return ResultsOf(outcome, scenario_, timing_, settings_.timed_objectives,
                     {.tokens = pool_.source,
                      .factor = settings_.factor,
                      .network_factor = NetworkFactor(settings_.factor),
                      .rate_max_hz = settings_.rate_max_hz,
                      .num_known = sources_.at(TokenKind::kKnown).size(),
                      .service_time = twin_ != nullptr,
                      .in_flight_max = config_.issuers.front().introspection.in_flight_max,
                      .start_s = start_s_,
                      .issuer_bytes = engine_->ReadMetrics().issuer_bytes,
                      .resident_bytes_max = ResidentBytesMax(),
                      .new_rate_scale = RateScaleOf(TokenKind::kNew),
                      .warm_up_s = idp_.server() == nullptr ? 1.0 : 0.0});
  }

 private:
  double RateScaleOf(TokenKind kind) const {
    const auto source = sources_.find(kind);
    return source == sources_.end() ? 1 : source->second.rate_scale;
  }

  bool WantsTwin() const {
    // Pairs enough to judge, behind the refresh that is the first to fail, and the rest of a slice at either
    // end.
    const double degraded_s =
        static_cast<double>(timing_.refresh_max_ms) / 1000 * (1 + timing_.jitter_percent / 100.0);
    return settings_.timed_objectives &&
           std::any_of(scenario_.phases.begin(), scenario_.phases.end(), [&](const Phase& phase) {
             const double least_s =
                 2 * kServicePairsMin + 2 + (KeysDegrade(scenario_, phase) ? degraded_s : 0);
             return phase.expect_service_time && phase.duration_s * settings_.factor >= least_s;
           });
  }

  // The issuer of all other tokens stays the first.
  void AddTenants() {
    for (uint32_t tenant = 0; tenant < scenario_.num_issuers; ++tenant) {
      IssuerConfig& issuer = config_.issuers.emplace_back();
      issuer.issuer = TenantIssuer(pool_.issuer, tenant);
      issuer.jwks_uri = TenantJwksUri(pool_.issuer, tenant);
    }
  }

  // A server of its own answers about tokens, so that it can be down while keys are to be had.
  absl::Status StartAsked() {
    absl::StatusOr<std::unique_ptr<IdpControl>> idp = StartBundledIdp({idp::TestKey("ES256")});
    if (!idp.ok()) return idp.status();
    asked_.idp = *std::move(idp);
    asked_.faults.emplace(*asked_.idp, NetworkFactor(settings_.factor));
    for (const auto& [kind, source] : sources_) {
      for (const Call& call : source.calls()) {
        if (call.demand == Demand::kNothing) continue;
        const std::string token = call.authorization.substr(std::string_view("Bearer ").size());
        answers_.Add(token, call.number);
        asked_.idp->server()->Remember(token, AnswerAbout(pool_));
        if (kind == TokenKind::kRevoked) asked_.to_revoke.push_back(token);
      }
    }
    absl::StatusOr<Policy> policy = DemandPolicy(config_.policy, settings_.factor);
    if (!policy.ok()) return policy.status();
    config_.policy = *std::move(policy);
    config_.issuers.front().introspection = {.endpoint = asked_.idp->issuer() + "/introspect",
                                             .client_id = idp::EndpointOptions().introspection_client,
                                             .client_secret = idp::EndpointOptions().introspection_secret};
    config_.resources.front().opaque_token_issuer = pool_.issuer;
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<Transport>> ObservedCurl() {
    absl::StatusOr<std::unique_ptr<Transport>> curl =
        transport::MakeCurlTransport({.ca_file = "", .allow_http_on_loopback = true});
    if (!curl.ok()) return curl.status();
    return std::make_unique<ObservedTransport>(*std::move(curl), log_, NamedKeys(), faults_.names_lost());
  }

  absl::Status MakeAnother() {
    engine_.reset();
    absl::StatusOr<std::unique_ptr<Transport>> transport = ObservedCurl();
    if (!transport.ok()) return transport.status();
    const int64_t begin_ns = MonotonicNs();
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        MakeEngine(config_, idp_.jwks_uri(), clock_, *std::move(transport));
    start_s_ = static_cast<double>(MonotonicNs() - begin_ns) / 1e9;
    if (!engine.ok()) return engine.status();
    engine_ = *std::move(engine);
    return absl::OkStatus();
  }

  absl::Status StartEngine() {
    if (scenario_.start == Start::kSnapshot) {
      if (directory_.path().empty()) return absl::UnavailableError("no temporary directory can be made");
      config_.snapshot = {.path = directory_.path() + "/keys", .key = std::string(32, 'k')};
    }
    if (scenario_.start != Start::kCold) {
      if (absl::Status status = MakeAnother(); !status.ok()) return status;
      if (absl::Status status = WaitForKeys(*engine_); !status.ok()) return status;
      if (scenario_.start == Start::kWarm) return WarmUp(*engine_, sources_.at(TokenKind::kKnown));
      if (absl::Status status = WaitForSnapshot(*engine_); !status.ok()) return status;
      engine_.reset();
      book_.TakenIn(MonotonicNs());
      book_.Restored(kSnapshotRoundingNs);
      log_->Forget();
    }
    if (absl::Status status = faults_.Apply(scenario_.phases.front().fault); !status.ok()) return status;
    return MakeAnother();
  }

  // The twin has the same keys from an identity provider that is always well.
  absl::Status StartTwin() {
    absl::StatusOr<std::unique_ptr<IdpControl>> idp = StartBundledIdp({idp::TestKey("ES256")});
    if (!idp.ok()) return idp.status();
    twin_idp_ = *std::move(idp);
    twin_idp_->server()->SetBody("/jwks", pool_.jwks);
    absl::StatusOr<std::unique_ptr<Transport>> curl =
        transport::MakeCurlTransport({.ca_file = "", .allow_http_on_loopback = true});
    if (!curl.ok()) return curl.status();
    Config config = config_;
    config.snapshot = {};
    config.issuers.resize(1);
    absl::StatusOr<std::unique_ptr<Engine>> twin =
        MakeEngine(std::move(config), twin_idp_->jwks_uri(), clock_, *std::move(curl));
    if (!twin.ok()) return twin.status();
    twin_ = *std::move(twin);
    if (absl::Status status = WaitForKeys(*twin_); !status.ok()) return status;
    return WarmUp(*twin_, sources_.at(TokenKind::kKnown));
  }

  const RunSettings settings_;
  const Scenario& scenario_;
  const TokenPool& pool_;
  IdpControl& idp_;
  const Timing timing_;
  const TemporaryDirectory directory_;
  SteppedClock clock_;
  Faults faults_;
  KeyBook book_;
  AnswerBook answers_;
  TenantBook tenants_;
  const Books books_;
  const std::shared_ptr<ExchangeLog> log_;
  CallSources sources_;
  Config config_;
  double start_s_ = 0;  // What Engine::Create took.
  Asked asked_;
  std::unique_ptr<IdpControl> twin_idp_;
  // Last: their threads use the above.
  std::unique_ptr<Engine> twin_;
  std::unique_ptr<Engine> engine_;
};

}  // namespace

double NetworkFactor(double factor) { return std::max(factor, 1.0 / 20); }

Timing ScaledTiming(double factor) {
  Timing timing = Timing().Scaled(factor);
  const Timing network = Timing().Scaled(NetworkFactor(factor));
  timing.fetch_timeout_ms = network.fetch_timeout_ms;
  timing.introspection_timeout_ms = network.introspection_timeout_ms;
  timing.active_age_max_ms = std::max(timing.active_age_max_ms, timing.introspection_timeout_ms);
  return timing;
}

absl::StatusOr<json> RunScenario(const RunSettings& settings, const Scenario& scenario, const TokenPool& pool,
                                 IdpControl& idp) {
  RunSettings scaled = settings;
  scaled.factor = scenario.Factor(settings.factor);
  Bench bench(scaled, scenario, pool, idp);
  if (absl::Status status = bench.SetUp(); !status.ok()) return status;
  return bench.Run();
}

}  // namespace tollgate::bench
