#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <nlohmann/json.hpp>

#include "bench/micro/benchmarks.h"
#include "tollgate/engine.h"

namespace tollgate::bench {
namespace {

// An issuer that calls every token active, without a network.
class YesTransport final : public Transport {
 public:
  explicit YesTransport(std::string answer) : answer_(std::move(answer)) {}
  void Start(FetchRequest request) override { ids_.push_back(request.id); }
  void Poll(int /*timeout_ms*/, std::vector<FetchResult>* done) override {
    for (const uint64_t id : ids_) {
      FetchResult& result = done->emplace_back();
      result.id = id;
      result.outcome = FetchOutcome::kAnswered;
      result.http_status = 200;
      result.body = answer_;
    }
    ids_.clear();
  }
  void Wake() override {}

 private:
  const std::string answer_;
  std::vector<uint64_t> ids_;
};

std::string ActiveAnswer(const TokenPool& pool) {
  return nlohmann::json{{"active", true},
                        {"iss", pool.issuer},
                        {"sub", "5f0d2b3c-6c1e-4a59-9b6f-2f1f7f1f6a11"},
                        {"client_id", "agent-1"},
                        {"aud", pool.resource},
                        {"scope", pool.scope},
                        {"token_type", "Bearer"},
                        {"iat", SystemClock().Read().wall_s},
                        {"exp", SystemClock().Read().wall_s + 86'000}}
      .dump();
}

// An engine all of whose tokens have been asked about.
struct Asked {
  std::vector<std::string> calls;
  std::unique_ptr<Engine> engine;
  std::string error;

  Asked(const TokenPool& pool, bool opaque) {
    for (size_t i = 0; i < pool.Of("RS256").size() && i < 1000; ++i) {
      const std::string& token = pool.Of("RS256")[i];
      // As long as such tokens are: the end of a signature is as random.
      calls.push_back("Bearer " + (opaque ? token.substr(token.size() - 43) : token));
    }
    absl::StatusOr<Config> config = PoolConfig(pool);
    if (!config.ok()) {
      error = std::string(config.status().message());
      return;
    }
    PolicyBuilder policy;
    policy.AddClass({.name = "asked", .mode = ValidationMode::kIntrospect});
    policy.AddRule({.name = "asked", .any_valid_token = true, .sensitivity = "asked"});
    config->policy = *policy.Build();
    config->timing.active_age_max_ms = 86'400'000;
    IntrospectionConfig& introspection = config->issuers[0].introspection;
    introspection.endpoint = "https://idp.example/introspect";
    introspection.client_id = introspection.client_secret = "bench";
    introspection.in_flight_max = 1024;
    config->resources[0].opaque_token_issuer = config->issuers[0].issuer;
    Environment environment;
    environment.transport = std::make_unique<YesTransport>(ActiveAnswer(pool));
    environment.own_thread = false;
    absl::StatusOr<std::unique_ptr<Engine>> made = Engine::Create(*config, std::move(environment));
    if (!made.ok()) {
      error = std::string(made.status().message());
      return;
    }
    engine = *std::move(made);
    for (int pass = 0; pass < 3; ++pass) {
      for (const std::string& call : calls) {
        Decision decision;
        engine->Check({.authorization = call, .tool = "asked"}, &decision);
        error = decision.allowed() ? "" : "not allowed: " + std::string(ReasonName(decision.reason));
      }
      for (int n = 0; n < 4; ++n) engine->RunBackground(std::chrono::milliseconds(0));
    }
  }
};

void Introspected(benchmark::State& state, Asked& asked) {
  Decision decision;
  size_t i = 0, wrong = 0;
  for (auto _ : state) {
    asked.engine->Check({.authorization = asked.calls[i], .tool = "asked"}, &decision);
    wrong += !decision.allowed() || !decision.introspected;
    if (++i == asked.calls.size()) i = 0;
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow by an answer that is remembered");
}

}  // namespace

void RegisterIntrospectionBenchmarks(const TokenPool& pool) {
  for (const bool opaque : {false, true}) {
    const auto slot = std::make_shared<std::unique_ptr<Asked>>();
    benchmark::RegisterBenchmark(opaque ? "BM_Introspected/opaque" : "BM_Introspected/signed",
                                 [&pool, slot, opaque](benchmark::State& state) {
                                   if (*slot == nullptr) *slot = std::make_unique<Asked>(pool, opaque);
                                   if (!(*slot)->error.empty())
                                     return state.SkipWithError((*slot)->error.c_str());
                                   Introspected(state, **slot);
                                 });
  }
}

}  // namespace tollgate::bench
