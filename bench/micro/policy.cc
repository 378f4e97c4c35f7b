#include <algorithm>
#include <array>
#include <chrono>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <string_view>
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
constexpr size_t kChunk = 256;  // Checks; none of the log's rings is full before.

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

  PolicySubject(size_t num_tools, size_t num_scopes, AuditDuty duty = AuditDuty::kNone,
                const std::shared_ptr<AuditSink>& sink = nullptr) {
    const idp::SigningKey& key = idp::TestKey("EdDSA");
    Config config;
    config.issuers.push_back({.issuer = kIssuer, .jwks = idp::Jwks({&key}).dump()});
    config.resources.push_back({.uri = kResource});
    config.verdict_cache_bytes = size_t{32} << 20;  // None of the tokens is ever displaced.
    PolicyBuilder builder;
    builder.AddClass({.name = "read", .audit = duty});  // The tokens live a day.
    config.audit = {.sink = sink, .sample_one_in = 1'000'000'000};
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
    AskAll([&] { engine->RunBackground(std::chrono::milliseconds(0)); });
  }

  // AskAll makes all calls once; `drain` takes away what was recorded, each time that some were.
  template <typename Drain>
  void AskAll(const Drain& drain) {
    Decision decision;
    for (size_t i = 0; i < calls.size(); ++i) {
      const Call& call = calls[i];
      if (i % kChunk == 0) drain();
      engine->Check({.authorization = authorizations[call.token], .tool = call.tool}, &decision);
      if (!decision.allowed()) error = "not allowed: " + std::string(ReasonName(decision.reason));
    }
  }
};

// Receiver has the next calls as a server gets them: their bytes have just been written, so that they are in
// a cache.
class Receiver {
 public:
  explicit Receiver(const PolicySubject& subject) : subject_(subject), bytes_(kChunk * 2 * kTokenBytes) {}

  const Request& Next() { return requests_[next_++]; }
  bool empty() const { return next_ == kChunk; }
  std::span<const Request> requests() const { return requests_; }
  void Receive() {
    char* out = bytes_.data();
    const auto copy = [&out](const std::string& text) {
      const std::string_view copied(out, text.size());
      out = std::copy(text.begin(), text.end(), out);
      return copied;
    };
    for (Request& request : requests_) {
      const Call& call = subject_.calls[at_];
      request = {.authorization = copy(subject_.authorizations[call.token]), .tool = copy(call.tool)};
      at_ = (at_ + 1) % kNumCalls;
    }
    next_ = 0;
  }

 private:
  const PolicySubject& subject_;
  std::vector<char> bytes_;
  std::array<Request, kChunk> requests_{};
  size_t next_ = kChunk;
  size_t at_ = 0;
};

// `records`: what of the log has to be taken away so often that no ring is ever full.
void CheckPolicy(benchmark::State& state, PolicySubject& subject, bool records) {
  const auto drain = [&] { subject.engine->RunBackground(std::chrono::milliseconds(0)); };
  // Once more in each repetition: a verdict ages, and a long run is longer than it lasts.
  subject.AskAll(drain);
  const uint64_t lost = subject.engine->ReadMetrics().audit_lost;
  Receiver receiver(subject);
  Decision decision;
  size_t wrong = 0;
  for (auto _ : state) {
    if (receiver.empty()) [[unlikely]] {
      state.PauseTiming();
      if (records) drain();
      receiver.Receive();
      // In an engine another processor takes records away: what that has driven out of the caches comes back.
      for (const Request& request : receiver.requests()) wrong += !subject.engine->MayUse(request);
      state.ResumeTiming();
    }
    subject.engine->Check(receiver.Next(), &decision);
    wrong += !decision.allowed() || !decision.from_cache;
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow from the cache");
  drain();
  if (records && subject.engine->ReadMetrics().audit_lost != lost) state.SkipWithError("a record was lost");
}

// DevNull takes lines and forgets them.
class DevNull final : public AuditSink {
 public:
  absl::Status Write(std::span<const std::string_view>) override { return absl::OkStatus(); }
};

template <typename Make>
void Register(const std::string& name, bool records, Make make) {
  const auto slot = std::make_shared<std::unique_ptr<PolicySubject>>();
  benchmark::internal::Benchmark* const registered =
      benchmark::RegisterBenchmark(name.c_str(), [slot, make, records](benchmark::State& state) {
        if (*slot == nullptr) *slot = make();
        if (!(*slot)->error.empty()) return state.SkipWithError((*slot)->error.c_str());
        CheckPolicy(state, **slot, records);
      });
  // Each of them is followed by ten times as long of taking the record away.
  if (records) registered->Iterations(20'480);
}

}  // namespace

void RegisterPolicyBenchmarks() {
  for (const auto& [tools, scopes] : {std::pair<size_t, size_t>{10, 10}, {10'000, 1'000}}) {
    Register("BM_Policy/tools:" + std::to_string(tools) + "/scopes:" + std::to_string(scopes), false,
             [tools = tools, scopes = scopes] { return std::make_unique<PolicySubject>(tools, scopes); });
  }
  static constexpr size_t kTools = 1000, kScopes = 100;
  const auto audited = [](AuditDuty duty, bool log) {
    return [duty, log] {
      return std::make_unique<PolicySubject>(kTools, kScopes, duty,
                                             log ? std::make_shared<DevNull>() : nullptr);
    };
  };
  Register("BM_HitAudit/none", false, audited(AuditDuty::kSampled, false));
  Register("BM_HitAudit/sampled_out", false, audited(AuditDuty::kSampled, true));
  Register("BM_HitAudit/full", true, audited(AuditDuty::kFull, true));
}

}  // namespace tollgate::bench
