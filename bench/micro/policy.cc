#include <algorithm>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/micro/benchmarks.h"
#include "tollgate/engine.h"
#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

constexpr char kIssuer[] = "https://idp.example";
constexpr char kResource[] = "https://mcp.example/mcp";
constexpr size_t kNumTokens = 1000;
constexpr size_t kTokenBytes = 800;
constexpr size_t kScopesPerToken = 8;
// More than there are tokens, so that most calls pair a token with another tool than the last time.
constexpr size_t kNumCalls = 8192;

std::string ScopeNumber(size_t number) { return "records:scope-" + std::to_string(number); }
std::string ToolNumber(size_t number) { return "records_tool_" + std::to_string(number); }

struct Call {
  size_t token;
  std::string tool;
};

// PolicySubject is an engine with a policy of so many tools, each of which needs one of so many scopes, and
// calls of cached tokens, each with scopes of its own, all allowed.
struct PolicySubject {
  std::vector<std::string> authorizations;
  std::vector<Call> calls;
  std::unique_ptr<Engine> engine;
  std::string error;

  PolicySubject(size_t num_tools, size_t num_scopes) {
    const idp::SigningKey& key = idp::TestKey("EdDSA");
    Config config;
    config.issuers.push_back({.issuer = kIssuer, .jwks = idp::Jwks({&key}).dump()});
    config.resources.push_back({.uri = kResource});
    config.verdict_cache_bytes = size_t{32} << 20;  // None of the tokens is ever displaced.
    PolicyBuilder builder;
    builder.AddClass({.name = "read"});  // The tokens live a day.
    for (size_t i = 0; i < num_tools; ++i)
      builder.AddRule({.name = ToolNumber(i), .scopes = {ScopeNumber(i % num_scopes)}});
    absl::StatusOr<Policy> policy = builder.Build();
    if (!policy.ok()) {
      error = std::string(policy.status().message());
      return;
    }
    config.policy = *std::move(policy);
    Environment environment;
    environment.own_thread = false;
    absl::StatusOr<std::unique_ptr<Engine>> made = Engine::Create(config, std::move(environment));
    if (!made.ok()) {
      error = std::string(made.status().message());
      return;
    }
    engine = *std::move(made);
    std::mt19937_64 random(20'261'126);
    std::vector<std::vector<size_t>> scopes(kNumTokens);
    const int64_t now_s = SystemClock().Read().wall_s;
    for (size_t i = 0; i < kNumTokens; ++i) {
      std::string scope;
      for (size_t n = 0; n < kScopesPerToken; ++n) {
        scopes[i].push_back(random() % num_scopes);
        scope += (n == 0 ? "" : " ") + ScopeNumber(scopes[i].back());
      }
      authorizations.push_back(
          "Bearer " +
          idp::MintToSize(key,
                          idp::AccessTokenClaims(kIssuer, kResource, "user-" + std::to_string(i / 10),
                                                 "agent", scope, now_s, now_s + 86'000),
                          kTokenBytes));
    }
    for (size_t i = 0; i < kNumCalls; ++i) {
      const size_t token = random() % kNumTokens;
      const size_t scope = scopes[token][random() % kScopesPerToken];
      const size_t tools_of_scope = (num_tools - scope + num_scopes - 1) / num_scopes;
      calls.push_back({token, ToolNumber(scope + num_scopes * (random() % tools_of_scope))});
    }
    AskAll();
  }

  void AskAll() {
    Decision decision;
    for (const Call& call : calls) {
      engine->Check({.authorization = authorizations[call.token], .tool = call.tool}, &decision);
      if (!decision.allowed()) error = "not allowed: " + std::string(ReasonName(decision.reason));
    }
  }
};

void CheckPolicy(benchmark::State& state, PolicySubject& subject) {
  subject.AskAll();
  Decision decision;
  size_t i = 0, wrong = 0;
  for (auto _ : state) {
    const Call& call = subject.calls[i];
    subject.engine->Check({.authorization = subject.authorizations[call.token], .tool = call.tool},
                          &decision);
    wrong += !decision.allowed() || !decision.from_cache;
    if (++i == subject.calls.size()) i = 0;
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow from the cache");
}

}  // namespace

void RegisterPolicyBenchmarks() {
  for (const auto& [num_tools, num_scopes] : {std::pair<size_t, size_t>{10, 10}, {10'000, 1'000}}) {
    const auto slot = std::make_shared<std::unique_ptr<PolicySubject>>();
    benchmark::RegisterBenchmark(
        ("BM_Policy/tools:" + std::to_string(num_tools) + "/scopes:" + std::to_string(num_scopes)).c_str(),
        [slot, num_tools = num_tools, num_scopes = num_scopes](benchmark::State& state) {
          if (*slot == nullptr) *slot = std::make_unique<PolicySubject>(num_tools, num_scopes);
          if (!(*slot)->error.empty()) return state.SkipWithError((*slot)->error.c_str());
          CheckPolicy(state, **slot);
        });
  }
}

}  // namespace tollgate::bench
