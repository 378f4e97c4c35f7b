// An engine that reaches its identity provider through a FaultProxy, and a watch over all that it says
// meanwhile. Told by lines on standard input, each answered in one line:
//
//   mode NAME      what becomes of the provider's answers: FaultProxy::ParseMode. "NAME"
//   tokens DIR     the tokens of this directory are watched from now on, too. "N tokens"
//   await STATE    checks all tokens, again and again, until they all are in that state, for a minute at
//   most:
//                  "STATE", or what is missing
//   retire N       the first N tokens are good no more, and are to be denied from some time on. Waits for
//   that
//                  as long. "retired", or what is missing
//   quit           "C checks, W wrong", and what was wrong first
//
//   oidc_provider_faults ISSUER

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/e2e/fault_proxy.h"
#include "tollgate/engine.h"
#include "transport/curl_transport.h"

namespace {

using namespace tollgate;
using e2e::FaultProxy;

// An hour is five seconds, but what an exchange takes is not scaled.
Timing ScaledTiming() {
  Timing timing = Timing{}.Scaled(1.0 / 720);
  timing.fetch_timeout_ms = 500;
  return timing;
}

// ReroutedTransport sends what is for one address to another one.
class ReroutedTransport final : public Transport {
 public:
  ReroutedTransport(std::unique_ptr<Transport> inner, std::string from, std::string to)
      : inner_(std::move(inner)), from_(std::move(from)), to_(std::move(to)) {}
  void Start(FetchRequest request) override {
    if (request.url.starts_with(from_ + "/")) request.url.replace(0, from_.size(), to_);
    inner_->Start(std::move(request));
  }
  void Poll(int timeout_ms, std::vector<FetchResult>* done) override { inner_->Poll(timeout_ms, done); }
  void Wake() override { inner_->Wake(); }

 private:
  const std::unique_ptr<Transport> inner_;
  const std::string from_;
  const std::string to_;
};

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const std::string& issuer, uint16_t proxy_port) {
  // The provider builds the URLs of its metadata from the address at which it was asked.
  const std::string proxy = "127.0.0.1:" + std::to_string(proxy_port);
  PolicyBuilder policy;
  policy.AddRule({.name = "call", .scopes = {"tools:call"}});
  Config config;
  config.issuers.push_back({.issuer = issuer, .discovery = true, .discovery_hosts = {proxy}});
  config.resources.push_back({.uri = "https://mcp.example/mcp"});
  config.policy = *policy.Build();
  config.timing = ScaledTiming();
  config.dangerous.dangerous_allow_http_on_loopback = true;
  absl::StatusOr<std::unique_ptr<Transport>> curl =
      transport::MakeCurlTransport({.ca_file = "", .allow_http_on_loopback = true});
  if (!curl.ok()) return curl.status();
  Environment environment;
  environment.transport = std::make_unique<ReroutedTransport>(*std::move(curl), issuer, "http://" + proxy);
  return Engine::Create(config, std::move(environment));
}

// Watch checks tokens and holds every single answer against what is true at any time: a good token is never
// denied; an allow has keys within the staleness bound; and unavailable it is beyond the bound, or before the
// first keys, or while a new key is on its way.
class Watch {
 public:
  Watch(Engine& engine, FaultProxy& proxy) : engine_(engine), proxy_(proxy) {}

  size_t Add(const std::string& directory) {
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
      std::ifstream file(entry.path());
      for (std::string token; std::getline(file, token);) tokens_.push_back("Bearer " + token);
    }
    return tokens_.size();
  }

  void Retire(size_t count) { retired_ = count; }
  void SetRefusing(bool refusing) { refusing_ = refusing; }

  // Await returns what is missing after a minute, or nothing.
  std::string Await(const std::string& state) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::minutes(1);
    std::string missing;
    do {
      missing = Round(state);
      if (missing.empty()) return "";
      std::this_thread::sleep_for(std::chrono::milliseconds(20));  // A real server is waited for.
    } while (std::chrono::steady_clock::now() < deadline);
    return missing;
  }

  std::string Summary() const {
    std::string text = std::to_string(num_checks_) + " checks, " + std::to_string(num_wrong_) + " wrong";
    if (!first_wrong_.empty()) text += ": " + first_wrong_;
    const Metrics metrics = engine_.ReadMetrics();
    if (metrics.checks != num_checks_ || metrics.denied != num_denied_ || metrics.allowed != num_allowed_ ||
        metrics.unavailable != num_checks_ - num_denied_ - num_allowed_) {
      text += "; the metrics tell another story";
    }
    return text;
  }

 private:
  // Round checks each token once, and says what is missing to the state.
  std::string Round(const std::string& state) {
    size_t fresh = 0, degraded = 0, too_stale = 0, denied = 0;
    for (size_t i = 0; i < tokens_.size(); ++i) {
      Decision decision;
      engine_.Check({.authorization = tokens_[i], .tool = "call"}, &decision);
      Judge(i < retired_, decision);
      fresh += decision.allowed() && decision.freshness == Freshness::kFresh;
      degraded += decision.allowed() && decision.freshness == Freshness::kDegraded;
      too_stale += decision.reason == Reason::kKeysTooStale;
      denied += i < retired_ && decision.reason == Reason::kKeyUnknown;
    }
    const IssuerHealth health = engine_.ReadHealth()[0];
    const std::string seen = std::to_string(fresh) + " allowed on fresh keys, " + std::to_string(degraded) +
                             " on degraded ones, " + std::to_string(too_stale) + " too stale, " +
                             std::to_string(denied) + " denied; keys " +
                             std::string(FreshnessName(health.freshness)) +
                             ", last error: " + health.last_error;
    const bool failing = health.consecutive_failures > 0 && !health.last_error.empty();
    const bool well = health.consecutive_failures == 0 && health.last_error.empty() &&
                      health.freshness == Freshness::kFresh && health.num_keys > 0;
    bool there = false;
    if (state == "fresh") there = fresh == tokens_.size() && well;
    if (state == "degraded") there = degraded == tokens_.size() && failing;
    if (state == "unavailable")
      there = too_stale == tokens_.size() && failing && health.freshness == Freshness::kUnavailable;
    if (state == "retired") there = denied == retired_ && fresh == tokens_.size() - retired_ && well;
    if (!there) return "not " + state + ": " + seen;
    // What has met nobody was no fault.
    return proxy_.num_requests() > 0 || state != "degraded" || refusing_ ? "" : "nobody asked";
  }

  void Judge(bool retired, const Decision& decision) {
    ++num_checks_;
    num_allowed_ += decision.verdict == Verdict::kAllow;
    num_denied_ += decision.verdict == Verdict::kDeny;
    const int64_t bound_ms = timing_.staleness_bound_ms;
    const std::string reason(ReasonName(decision.reason));
    switch (decision.verdict) {
      case Verdict::kAllow:
        had_keys_ = true;
        if (decision.keys_age_ms > bound_ms || decision.freshness == Freshness::kUnavailable)
          Wrong("allowed on keys of " + std::to_string(decision.keys_age_ms) + " ms");
        return;
      case Verdict::kDeny:
        if (!retired || decision.reason != Reason::kKeyUnknown) Wrong("denied: " + reason);
        return;
      case Verdict::kUnavailable:
        break;
    }
    const bool right = decision.reason == Reason::kKeysTooStale ? decision.keys_age_ms > bound_ms
                       : decision.reason == Reason::kKeysNeverFetched
                           ? !had_keys_
                           : decision.reason == Reason::kKeyPending;
    if (!right) Wrong("unavailable: " + reason + " at " + std::to_string(decision.keys_age_ms) + " ms");
    if (decision.retry_after_s == 0 || decision.http_status() != 503) Wrong("no Retry-After");
  }

  void Wrong(const std::string& what) {
    ++num_wrong_;
    if (first_wrong_.empty()) first_wrong_ = what;
  }

  Engine& engine_;
  FaultProxy& proxy_;
  const Timing timing_ = ScaledTiming();
  std::vector<std::string> tokens_;
  size_t retired_ = 0;
  bool refusing_ = false;  // Then no request gets as far as to the proxy.
  bool had_keys_ = false;
  uint64_t num_checks_ = 0;
  uint64_t num_allowed_ = 0;
  uint64_t num_denied_ = 0;
  uint64_t num_wrong_ = 0;
  std::string first_wrong_;
};

std::string Obey(const std::string& line, FaultProxy& proxy, Watch& watch) {
  std::istringstream in(line);
  std::string order, argument;
  in >> order >> argument;
  if (order == "tokens") return std::to_string(watch.Add(argument)) + " tokens";
  if (order == "mode") {
    const std::optional<FaultProxy::Mode> mode = FaultProxy::ParseMode(argument);
    if (!mode) return "no such mode";
    watch.SetRefusing(*mode == FaultProxy::Mode::kRefuse);
    proxy.SetMode(*mode);
    return argument;
  }
  const std::string state = order == "retire" ? "retired" : argument;
  if (order == "retire") watch.Retire(std::stoul(argument));
  if (order != "retire" && order != "await") return "no such order";
  const std::string missing = watch.Await(state);
  return missing.empty() ? state : missing;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const std::string issuer = argv[1];
  FaultProxy proxy(static_cast<uint16_t>(std::stoi(issuer.substr(issuer.rfind(':') + 1))));
  auto engine = MakeEngine(issuer, proxy.port());
  if (!engine.ok()) {
    std::cout << engine.status().message() << std::endl;
    return 1;
  }
  Watch watch(**engine, proxy);
  for (std::string line; std::getline(std::cin, line) && line != "quit";)
    std::cout << Obey(line, proxy, watch) << std::endl;
  std::cout << watch.Summary() << std::endl;
  return 0;
}
