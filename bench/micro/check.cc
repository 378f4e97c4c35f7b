#include <algorithm>
#include <atomic>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <xxhash.h>
#ifdef __x86_64__
#include <xxh_x86dispatch.h>  // Makes XXH3_128bits the best that this processor can.
#endif

#include "bench/micro/benchmarks.h"
#include "bench/micro/floor_key.h"
#include "tollgate/engine.h"

namespace tollgate::bench {
namespace {

// One request as a server sees it: a header value and the name of a tool.
struct Call {
  std::string authorization;
  std::string tool;
};

// Calls with `tokens` in a shuffled order, the same in every run. Visiting tokens in the order of their
// making would favour prefetching; always the same one would train the branch predictor and measure nothing.
std::vector<Call> ShuffledCalls(const std::vector<std::string>& tokens, size_t count) {
  std::mt19937 random(20'261'123);
  std::vector<Call> calls;
  for (size_t i = 0; i < count; ++i) calls.push_back({"Bearer " + tokens[i], ToolName(random() % kNumTools)});
  std::shuffle(calls.begin(), calls.end(), random);
  return calls;
}

// A clock whose monotonic time jumps on demand, so that every verdict in the cache is too old at once: each
// token then is verified again and put into the cache again, as a token never seen would be.
class JumpingClock final : public Clock {
 public:
  Now Read() const override {
    Now now = SystemClock().Read();
    // Ordering: relaxed; written and read by the benchmark's own thread while it measures.
    now.mono_ms += jumped_ms_.load(std::memory_order_relaxed);
    return now;
  }
  void Jump(int64_t by_ms) {
    // Ordering: relaxed; see Read.
    jumped_ms_.store(jumped_ms_.load(std::memory_order_relaxed) + by_ms, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> jumped_ms_{0};
};

constexpr size_t kNumTokensMax = 1000;
// Room for a thousand tokens many times over: a hit that was evicted would be timed as a miss, and fail.
constexpr size_t kCacheBytes = size_t{32} << 20;

// Subject is an engine and the calls that it is asked, made at the benchmark's first run and kept for its
// repetitions. Every call has been answered with allow before anything is timed.
struct Subject {
  JumpingClock clock;
  std::vector<Call> calls;
  std::unique_ptr<Engine> engine;
  std::string error;  // Why there is nothing to time; empty if all is well.

  Subject(const TokenPool& pool, const std::string& algorithm, size_t count, size_t cache_bytes)
      : calls(ShuffledCalls(pool.Of(algorithm), std::min(count, pool.Of(algorithm).size()))) {
    absl::StatusOr<Config> config = PoolConfig(pool);
    if (config.ok()) config->verdict_cache_bytes = cache_bytes;
    Environment environment;
    environment.clock = &clock;
    environment.own_thread = false;  // Keys are given: there is nothing to fetch.
    absl::StatusOr<std::unique_ptr<Engine>> made =
        config.ok() ? Engine::Create(*std::move(config), std::move(environment)) : config.status();
    if (made.ok()) {
      engine = *std::move(made);
      AskAll();
    } else {
      error = std::string(made.status().message());
    }
  }

  void AskAll() {
    Decision decision;
    for (const Call& call : calls) {
      engine->Check({.authorization = call.authorization, .tool = call.tool}, &decision);
      if (!decision.allowed()) error = "not allowed: " + std::string(ReasonName(decision.reason));
    }
  }
};

// The names say "bytes:800", so the tokens must have about that many.
bool HasAbout800Bytes(const std::vector<Call>& calls) {
  size_t sum = 0;
  for (const Call& call : calls) sum += call.authorization.size() - 7;
  return sum >= calls.size() * 720 && sum <= calls.size() * 880;
}

void FloorPass(benchmark::State& state, const std::vector<Call>& calls) {
  if (calls.empty() || !HasAbout800Bytes(calls)) {
    return state.SkipWithError("the RS256 tokens have not about 800 bytes");
  }
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        XXH3_128bits(calls[i].authorization.data() + 7, calls[i].authorization.size() - 7));
    if (++i == calls.size()) i = 0;
  }
}

// Samples for the floor of one algorithm, each verified once by being made.
struct FloorSubject {
  std::optional<FloorKey> key;
  std::vector<FloorKey::Sample> samples;
  std::string error;

  FloorSubject(const TokenPool& pool, const std::string& algorithm) {
    const std::vector<std::string>& tokens = pool.Of(algorithm);
    absl::StatusOr<FloorKey> made = FloorKey::ForToken(pool.jwks, tokens.front());
    if (!made.ok()) {
      error = std::string(made.status().message());
      return;
    }
    key.emplace(*std::move(made));
    for (size_t i = 0; i < std::min(kNumTokensMax, tokens.size()); ++i) {
      absl::StatusOr<FloorKey::Sample> sample = key->MakeSample(tokens[i]);
      if (!sample.ok()) error = std::string(sample.status().message());
      if (sample.ok()) samples.push_back(*std::move(sample));
    }
  }
};

void FloorVerify(benchmark::State& state, const FloorSubject& subject) {
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    good &= subject.key->Verify(subject.samples[i]);
    if (++i == subject.samples.size()) i = 0;
  }
  if (!good) state.SkipWithError("a signature did not verify");
}

// The whole check without a verdict cache: each call is a miss.
void Miss(benchmark::State& state, Subject& subject) {
  const std::vector<Call>& calls = subject.calls;
  Decision decision;
  size_t i = 0, wrong = 0;
  for (auto _ : state) {
    subject.engine->Check({.authorization = calls[i].authorization, .tool = calls[i].tool}, &decision);
    wrong += !decision.allowed() || decision.from_cache;
    if (++i == calls.size()) i = 0;
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow by verification");
}

// The whole check with a verdict cache that does not hold the token (any more): look up, verify, insert.
void MissInsert(benchmark::State& state, Subject& subject) {
  const std::vector<Call>& calls = subject.calls;
  Decision decision;
  size_t i = 0, wrong = 0;
  subject.clock.Jump(Timing().verdict_age_max_ms + 1);
  for (auto _ : state) {
    subject.engine->Check({.authorization = calls[i].authorization, .tool = calls[i].tool}, &decision);
    wrong += !decision.allowed() || !decision.was_cached;
    if (++i == calls.size()) {
      i = 0;
      subject.clock.Jump(Timing().verdict_age_max_ms + 1);
    }
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow by verification that the cache took");
}

// The whole check of tokens that the cache holds: header value and tool name in, decision out.
void Hit(benchmark::State& state, Subject& subject, bool want_principal) {
  const std::vector<Call>& calls = subject.calls;
  if (!HasAbout800Bytes(calls)) return state.SkipWithError("the tokens have not about 800 bytes");
  // Verified anew, so that no verdict comes of age while it is timed.
  subject.clock.Jump(Timing().verdict_age_max_ms + 1);
  for (int pass = 0; pass < 2; ++pass) subject.AskAll();
  Decision decision;
  Principal principal;
  Principal* const wanted = want_principal ? &principal : nullptr;
  size_t i = 0, wrong = 0;
  for (auto _ : state) {
    subject.engine->Check({.authorization = calls[i].authorization, .tool = calls[i].tool}, &decision,
                          wanted);
    wrong += !decision.allowed() || !decision.from_cache;
    if (++i == calls.size()) i = 0;
  }
  if (wrong != 0) state.SkipWithError("a timed check was not an allow from the cache");
}

// Register makes the subject at the benchmark's first run, hence not at all if that is filtered out.
template <typename Made, typename Make, typename Run>
void Register(const std::string& name, Make make, Run run) {
  const auto slot = std::make_shared<std::unique_ptr<Made>>();
  benchmark::RegisterBenchmark(name.c_str(), [slot, make, run](benchmark::State& state) {
    if (*slot == nullptr) *slot = make();
    if (!(*slot)->error.empty()) return state.SkipWithError((*slot)->error.c_str());
    run(state, **slot);
  });
}

}  // namespace

void RegisterCheckBenchmarks(const TokenPool& pool) {
  const auto subject = [&pool](const std::string& algorithm, size_t count, size_t cache_bytes) {
    return [&pool, algorithm, count, cache_bytes] {
      return std::make_unique<Subject>(pool, algorithm, count, cache_bytes);
    };
  };
  for (const auto& [name, tokens] : pool.tokens) {
    const std::string algorithm = name;
    Register<FloorSubject>(
        "BM_Floor_Verify/" + algorithm,
        [&pool, algorithm] { return std::make_unique<FloorSubject>(pool, algorithm); }, FloorVerify);
    Register<Subject>("BM_Miss/" + algorithm, subject(algorithm, kNumTokensMax, 0), Miss);
    Register<Subject>("BM_MissInsert/" + algorithm, subject(algorithm, kNumTokensMax, kCacheBytes),
                      MissInsert);
  }
  // RS256 tokens are the ones of about 800 bytes: the signature alone is 342.
  const size_t available = std::min(kNumTokensMax, pool.Of("RS256").size());
  benchmark::RegisterBenchmark("BM_Floor_Pass/bytes:800",
                               [calls = ShuffledCalls(pool.Of("RS256"), available)](benchmark::State& state) {
                                 FloorPass(state, calls);
                               });
  for (const size_t count : {size_t{1}, available}) {
    const std::string parameters = "/tokens:" + std::to_string(count) + "/bytes:800";
    Register<Subject>("BM_HitReal" + parameters, subject("RS256", count, kCacheBytes),
                      [](benchmark::State& state, Subject& made) { Hit(state, made, false); });
    Register<Subject>("BM_HitRealPrincipal" + parameters, subject("RS256", count, kCacheBytes),
                      [](benchmark::State& state, Subject& made) { Hit(state, made, true); });
  }
}

}  // namespace tollgate::bench
