#include <algorithm>
#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <random>
#include <set>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <benchmark/benchmark.h>
#include <xxhash.h>
#include <nlohmann/json.hpp>
#ifdef __x86_64__
#include <immintrin.h>
#include <xxh_x86dispatch.h>  // Makes XXH3_128bits the best that this processor can.
#endif

#include "bench/hot/benchmarks.h"
#include "bench/hot/envoy_cache.h"
#include "bench/hot/subject.h"
#include "bench/lib/allocation_counter.h"
#include "bench/lib/huge_memory.h"
#include "bench/lib/recorded_verify.h"
#include "crypto/digest.h"
#include "tools/idp/mint.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::bench {
namespace {

constexpr size_t kBatch = 32;
constexpr size_t kBearerBytes = 7;

// Whether one request may overlap the one before it in the processor.
enum class Mode { kBackToBack, kSerial };

// Nothing behind it starts before everything in front of it has finished.
[[gnu::always_inline]] inline void Fence() {
#ifdef __x86_64__
  _mm_lfence();
#elif defined(__aarch64__)
  asm volatile("dsb sy\n\tisb" ::: "memory");
#else
#error "bench_hot needs a fence for this processor"
#endif
}

template <Mode mode>
[[gnu::always_inline]] inline void Between() {
  if constexpr (mode == Mode::kSerial) Fence();
}

// Rotation is what a floor and the hit that it is held against have in common: the same requests in the same
// order.
struct Rotation {
  std::shared_ptr<Subject> subject;
  std::shared_ptr<Workload::Stream>
      stream;  // Keeps the memory of `requests`, where it is not the workload's.
  std::span<const Request> requests;
  std::shared_ptr<HugeMemory> lines;  // The floor's 2N lines.
};

// Receiver hands out a rotation's requests as a server gets them: their bytes have just been written, so they
// are in the second-level cache and what has to be fetched from afar is the table. It copies kChunk of them
// at a time, while the clock stands. Each benchmark has one, and with it a place in the rotation that it
// keeps from one repetition to the next: a short repetition that began at the front again would know the
// front alone, from the processor's cache.
class Receiver {
 public:
  static constexpr size_t kChunk = 512;
  static_assert(kChunk % kBatch == 0);

  // `renew` is called with the number of each request before it is received.
  explicit Receiver(const Rotation& rotation, std::function<void(size_t)> renew = nullptr)
      : rotation_(rotation), renew_(std::move(renew)), bytes_(kChunk * 1100) {}

  // Begin is for the start of a repetition, before anything is timed.
  void Begin() { Receive(); }

  [[gnu::always_inline]] const Request& Next(benchmark::State& state) {
    if (next_ == kChunk) ReceiveUntimed(state);
    return received_[next_++];
  }

  [[gnu::always_inline]] std::span<const Request> NextBatch(benchmark::State& state) {
    if (next_ == kChunk) ReceiveUntimed(state);
    next_ += kBatch;
    return {received_.data() + next_ - kBatch, kBatch};
  }

  const Rotation& rotation() const { return rotation_; }

 private:
  [[gnu::noinline]] void ReceiveUntimed(benchmark::State& state) {
    state.PauseTiming();
    Receive();
    state.ResumeTiming();
  }

  void Receive() {
    char* out = bytes_.data();
    for (Request& received : received_) {
      if (renew_ != nullptr) renew_(at_);
      received = rotation_.requests[at_];
      for (std::string_view* text : {&received.authorization, &received.tool}) {
        std::memcpy(out, text->data(), text->size());
        *text = {out, text->size()};
        out += text->size();
      }
      if (++at_ == rotation_.requests.size()) at_ = 0;
    }
    next_ = 0;
  }

  const Rotation& rotation_;
  std::function<void(size_t)> renew_;
  HugeMemory bytes_;
  std::array<Request, kChunk> received_{};
  size_t next_ = kChunk;
  size_t at_ = 0;  // In the rotation.
};

struct Floor {
  Receiver receiver;

  template <Mode mode, bool with_miss>
  void Run(benchmark::State& state) {
    const Rotation& rotation = receiver.rotation();
    const char* const lines = rotation.lines->data();
    const uint64_t num_lines = 2 * rotation.subject->workload.requests().size();
    receiver.Begin();
    for (auto _ : state) {
      const std::string_view value = receiver.Next(state).authorization;
      Between<mode>();
      const XXH128_hash_t hash = XXH3_128bits(value.data() + kBearerBytes, value.size() - kBearerBytes);
      if constexpr (with_miss) {
        const uint64_t line = (hash.low64 >> 32) * num_lines >> 32;
        // Volatile: DoNotOptimize would be content with the address.
        (void)*reinterpret_cast<const volatile uint64_t*>(lines + line * 64);
      } else {
        benchmark::DoNotOptimize(hash);
      }
    }
  }
};

// SHA-256, the library's best, and one dependent load: what looking a token up costs without carry-less
// multiplication.
struct Sha256Floor {
  Receiver receiver;

  template <Mode mode>
  void Run(benchmark::State& state) {
    const Rotation& rotation = receiver.rotation();
    const char* const lines = rotation.lines->data();
    const uint64_t num_lines = 2 * rotation.subject->workload.requests().size();
    receiver.Begin();
    for (auto _ : state) {
      const std::string_view value = receiver.Next(state).authorization;
      Between<mode>();
      const crypto::Sha256Digest digest = crypto::Sha256(value.substr(kBearerBytes));
      uint32_t place;
      std::memcpy(&place, digest.data(), sizeof place);
      (void)*reinterpret_cast<const volatile uint64_t*>(lines + (place * num_lines >> 32) * 64);
    }
  }
};

struct Hit {
  Receiver receiver;

  template <Mode mode, bool with_principal>
  void Run(benchmark::State& state) {
    Engine& engine = *receiver.rotation().subject->engine;
    Decision decision;
    Principal principal;
    receiver.Begin();
    size_t wrong = 0, missed = 0;
    for (auto _ : state) {
      const Request& request = receiver.Next(state);
      Between<mode>();
      engine.Check(request, &decision, with_principal ? &principal : nullptr);
      benchmark::DoNotOptimize(decision);
      wrong += !decision.allowed();
      missed += !decision.from_cache;
    }
    Judge(state, wrong, missed);
    const Subject& subject = *receiver.rotation().subject;
    state.counters["lost_per_million"] =
        static_cast<double>(subject.lost) * 1e6 / static_cast<double>(subject.workload.requests().size());
  }

  static void Judge(benchmark::State& state, size_t wrong, size_t missed) {
    if (wrong != 0) return state.SkipWithError("a timed check was not an allow");
    // One in ten thousand may have lost its place to a conflict.
    if (missed * 10'000 > static_cast<size_t>(state.iterations()))
      state.SkipWithError("too many timed checks were not answered from the cache");
  }
};

// The cache as a processor without carry-less multiplication has it. The engine always takes the best tag, so
// that this is the cache alone, and not a whole check.
struct PortableFind {
  Receiver receiver;
  std::unique_ptr<verdicts::VerdictCache> cache;

  explicit PortableFind(Receiver receiver_in) : receiver(std::move(receiver_in)) {
    const std::span<const Request> requests = receiver.rotation().requests;
    cache = std::make_unique<verdicts::VerdictCache>(requests.size() * kCacheBytesPerToken, 1,
                                                     crypto::TagVariant::kSha256);
    verdicts::VerdictCache::Entry entry;
    entry.facts.key = {.slot = 1, .generation = 1};
    entry.facts.valid_through_s = UINT32_MAX;
    for (const Request& request : requests) {
      verdicts::VerdictCache::Key key;
      cache->Derive(request.authorization.substr(kBearerBytes), &key);
      cache->Insert(key, entry, 0, [](KeyRef) { return true; });
    }
  }

  template <Mode mode>
  void Run(benchmark::State& state) {
    using enum verdicts::VerdictCache::FindResult;
    verdicts::VerdictCache::Key key;
    verdicts::Facts facts;
    verdicts::VerdictCache::Found found;
    size_t missed = 0;
    receiver.Begin();
    for (auto _ : state) {
      const std::string_view value = receiver.Next(state).authorization;
      Between<mode>();
      cache->Derive(value.substr(kBearerBytes), &key);
      missed += cache->Find(key, &facts, &found) != kFound;
      benchmark::DoNotOptimize(facts);
    }
    Hit::Judge(state, 0, missed);
  }
};

template <typename E>
concept Batching = requires(E& engine, std::span<const Request> requests, std::span<Decision> decisions) {
  engine.CheckBatch(requests, decisions);
};

// A template, so that it is compiled only if there is a CheckBatch.
template <typename E>
struct HitBatch {
  Receiver receiver;

  void Run(benchmark::State& state) {
    E& engine = *receiver.rotation().subject->engine;
    std::array<Decision, kBatch> decisions;
    size_t wrong = 0, missed = 0;
    receiver.Begin();
    while (state.KeepRunningBatch(kBatch)) {
      engine.CheckBatch(receiver.NextBatch(state), std::span<Decision>(decisions));
      benchmark::DoNotOptimize(decisions);
      for (const Decision& decision : decisions) {
        wrong += !decision.allowed();
        missed += !decision.from_cache;
      }
    }
    Hit::Judge(state, wrong, missed);
  }
};

// The peer, filled with the rotation's tokens. Its verdicts have been compared with the engine's.
struct Peer {
  Receiver receiver;
  std::optional<EnvoyJwtCache> cache;
  std::string error;

  explicit Peer(Receiver receiver_in) : receiver(std::move(receiver_in)) {
    const Rotation& rotation = receiver.rotation();
    std::set<std::string> issuers;
    std::vector<std::pair<std::string_view, EnvoyJwtCache::Jwt>> parsed;
    for (const Request& request : rotation.requests) {
      const std::string_view token = request.authorization.substr(kBearerBytes);
      const size_t first = token.find('.'), second = token.rfind('.');
      EnvoyJwtCache::Jwt jwt;
      jwt.payload = idp::Base64UrlDecode(token.substr(first + 1, second - first - 1)).value_or("");
      const nlohmann::json claims = nlohmann::json::parse(jwt.payload);
      jwt.issuer = claims.at("iss");
      jwt.subject = claims.at("sub");
      jwt.jwt_id = claims.at("jti");
      jwt.expires_at_s = claims.at("exp");
      if (claims.at("aud").is_string()) {
        jwt.audiences.push_back(claims.at("aud"));
      } else {
        jwt.audiences = claims.at("aud").get<std::vector<std::string>>();
      }
      issuers.insert(jwt.issuer);
      parsed.emplace_back(token, std::move(jwt));
    }
    cache.emplace(parsed.size(), std::vector<std::string>(issuers.begin(), issuers.end()),
                  std::vector<std::string>{"https://mcp.example/mcp"});
    // Not in the order of the rotation, which would lay the entries out in memory for the prefetcher.
    std::shuffle(parsed.begin(), parsed.end(), std::mt19937(20'261'123));
    for (auto& [token, jwt] : parsed) cache->Insert(token, std::move(jwt));
    Compare();
  }

  void Compare() {
    const Rotation& rotation = receiver.rotation();
    Decision decision;
    // A changed token must not be told from a good one by a recorded verdict.
    SetVerifyMode(VerifyMode::kReal);
    for (const Request& request : rotation.requests) {
      rotation.subject->engine->Check(request, &decision);
      if (!decision.allowed() || !cache->Check(request.authorization)) error = "the verdicts differ";
      std::string other(request.authorization);
      ReplaceTail(other, request.authorization.size());
      rotation.subject->engine->Check({.authorization = other, .tool = request.tool}, &decision);
      if (decision.allowed() || cache->Check(other)) error = "the verdicts on a changed token differ";
    }
    SetVerifyMode(VerifyMode::kRecordedGood);
  }

  template <Mode mode>
  void Run(benchmark::State& state) {
    size_t wrong = 0;
    receiver.Begin();
    for (auto _ : state) {
      const std::string_view value = receiver.Next(state).authorization;
      Between<mode>();
      wrong += !cache->Check(value);
    }
    if (wrong != 0) state.SkipWithError("a timed lookup was not an allow");
  }
};

// MissOverhead is the whole miss path with a recorded verdict: every token is one that nobody has seen,
// received as those of hits are.
struct MissOverhead {
  Subject subject;
  Rotation rotation;
  std::optional<Receiver> receiver;

  // The cache is filled until nearly every newcomer displaces another: what it costs in the long run, and no
  // page of its memory is touched for the first time while it is timed.
  explicit MissOverhead(std::string_view algorithm) : subject(algorithm, 1000, kDefaultCacheBytes) {
    if (!subject.error.empty()) return;
    Decision decision;
    constexpr int kRoundsMax = 2000;
    const size_t num_tokens = subject.workload.requests().size();
    uint64_t displaced = 0;
    for (int round = 0; round < kRoundsMax && displaced * 100 < num_tokens * 99; ++round) {
      const uint64_t before = subject.engine->ReadMetrics().cache_evictions;
      for (size_t i = 0; i < num_tokens; ++i) {
        subject.workload.MakeNew(i);
        subject.engine->Check(subject.workload.requests()[i], &decision);
      }
      displaced = subject.engine->ReadMetrics().cache_evictions - before;
    }
    rotation.requests = subject.workload.requests();
    receiver.emplace(rotation, [this](size_t index) { subject.workload.MakeNew(index); });
  }

  void Run(benchmark::State& state) {
    Decision decision;
    size_t wrong = 0, not_cached = 0;
    receiver->Begin();
    for (auto _ : state) {
      subject.engine->Check(receiver->Next(state), &decision);
      wrong += !decision.allowed() || decision.from_cache;
      not_cached += !decision.was_cached;
    }
    if (wrong != 0) return state.SkipWithError("a timed check was not an allow by verification");
    if (not_cached * 2 > static_cast<size_t>(state.iterations()))
      return state.SkipWithError("most timed checks were not put into the cache");
    CountAllocations(state);
  }

  void CountAllocations(benchmark::State& state) {
    if (!ThreadAllocations().has_value()) return;
    Decision decision;
    uint64_t most = 0;
    for (size_t i = 0; i < subject.workload.requests().size(); ++i) {
      subject.workload.MakeNew(i);
      const uint64_t before = *ThreadAllocations();
      subject.engine->Check(subject.workload.requests()[i], &decision);
      most = std::max(most, *ThreadAllocations() - before);
    }
    state.counters["allocations"] = static_cast<double>(most);
  }
};

// Rotations makes what benchmarks share at the first run that needs it, hence not at all if all of them are
// filtered out.
class Rotations {
 public:
  explicit Rotations(size_t many) : many_(many) {}

  const Rotation& Of(size_t num_tokens, bool zipf) {
    Rotation& rotation = made_[{num_tokens, zipf}];
    if (rotation.subject != nullptr) return rotation;
    std::shared_ptr<Subject>& subject = subjects_[num_tokens];
    if (subject == nullptr) {
      subject = std::make_shared<Subject>("EdDSA", num_tokens,
                                          std::max(kDefaultCacheBytes, num_tokens * kCacheBytesPerToken));
    }
    rotation.subject = subject;
    rotation.requests = subject->workload.requests();
    if (zipf) {
      // A quarter as many draws as tokens: hot ones are hot within them.
      rotation.stream = std::make_shared<Workload::Stream>(subject->workload.Zipf(num_tokens / 4));
      rotation.requests = rotation.stream->requests;
    }
    rotation.lines = std::make_shared<HugeMemory>(2 * num_tokens * 64);
    std::memset(rotation.lines->data(), 1, rotation.lines->size());
    return rotation;
  }
  size_t many() const { return many_; }

 private:
  const size_t many_;
  std::map<size_t, std::shared_ptr<Subject>> subjects_;
  std::map<std::pair<size_t, bool>, Rotation> made_;
};

// Register keeps what `make` made, with its place in the rotation, from one repetition to the next.
template <typename Made, typename Make, typename Run>
void Register(const std::string& name, Make make, Run run) {
  const auto slot = std::make_shared<std::unique_ptr<Made>>();
  benchmark::RegisterBenchmark(name.c_str(), [slot, make, run](benchmark::State& state) {
    if (*slot == nullptr) *slot = make();
    run(state, **slot);
  });
}

template <Mode mode>
void RegisterMode(const std::shared_ptr<Rotations>& rotations) {
  const std::string suffix = mode == Mode::kSerial ? "/serial" : "";
  const auto on = [&](const char* unit, size_t num_tokens, bool zipf, auto made_as, auto run) {
    using Made = typename decltype(made_as)::type;
    const std::string name = std::string(unit) + "/tokens:" + std::to_string(num_tokens) + "/bytes:800" +
                             (zipf ? "/zipf" : "") + suffix;
    Register<Made>(
        name,
        [rotations, num_tokens, zipf] {
          return std::unique_ptr<Made>(new Made{Receiver(rotations->Of(num_tokens, zipf))});
        },
        [run](benchmark::State& state, Made& made) {
          const std::string& error = made.receiver.rotation().subject->error;
          // A floor needs the requests alone.
          if (!std::is_same_v<Made, Floor> && !error.empty()) return state.SkipWithError(error.c_str());
          run(state, made);
        });
  };
  constexpr std::type_identity<Floor> kFloor;
  constexpr std::type_identity<Hit> kHit;
  const auto floor = [](benchmark::State& state, Floor& made) { made.Run<mode, true>(state); };
  const auto hit = [](benchmark::State& state, Hit& made) { made.Run<mode, false>(state); };
  for (const size_t num_tokens : {size_t{1}, size_t{1000}, rotations->many()}) {
    on("BM_Floor_PassMiss", num_tokens, false, kFloor, floor);
    on("BM_Hit", num_tokens, false, kHit, hit);
  }
  on("BM_Floor_PassMiss", rotations->many(), true, kFloor, floor);
  on("BM_Hit", rotations->many(), true, kHit, hit);
  on("BM_Floor_Pass", 1000, false, kFloor,
     [](benchmark::State& state, Floor& made) { made.Run<mode, false>(state); });
  on("BM_HitPrincipal", 1000, false, kHit,
     [](benchmark::State& state, Hit& made) { made.Run<mode, true>(state); });
  on("BM_Peer_EnvoyJwtCache", 1000, false, std::type_identity<Peer>(),
     [](benchmark::State& state, Peer& made) {
       if (!made.error.empty()) return state.SkipWithError(made.error.c_str());
       made.Run<mode>(state);
     });
  if constexpr (mode == Mode::kBackToBack) {
    [&]<typename E>(std::type_identity<E>) {
      if constexpr (Batching<E>) {
        on("BM_HitBatch", rotations->many(), false, std::type_identity<HitBatch<E>>(),
           [](benchmark::State& state, HitBatch<E>& made) { made.Run(state); });
      }
    }(std::type_identity<Engine>());
  } else {
    on("BM_Floor_Sha256Miss", rotations->many(), false, std::type_identity<Sha256Floor>(),
       [](benchmark::State& state, Sha256Floor& made) { made.Run<mode>(state); });
    on("BM_FindPortable", rotations->many(), false, std::type_identity<PortableFind>(),
       [](benchmark::State& state, PortableFind& made) { made.Run<mode>(state); });
  }
}

}  // namespace

void RegisterHotBenchmarks(const HotSettings& settings) {
  const auto rotations = std::make_shared<Rotations>(settings.many);
  RegisterMode<Mode::kBackToBack>(rotations);
  RegisterMode<Mode::kSerial>(rotations);
  for (const std::string algorithm : {"RS256", "ES256", "EdDSA"}) {
    Register<MissOverhead>(
        "BM_MissOverhead/" + algorithm, [algorithm] { return std::make_unique<MissOverhead>(algorithm); },
        [](benchmark::State& state, MissOverhead& made) {
          if (!made.subject.error.empty()) return state.SkipWithError(made.subject.error.c_str());
          made.Run(state);
        });
  }
}

}  // namespace tollgate::bench
