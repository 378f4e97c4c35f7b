#include <algorithm>
#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include <benchmark/benchmark.h>

#include "bench/micro/benchmarks.h"
#include "claims/access_token.h"
#include "claims/authorization_header.h"
#include "crypto/cache_tag.h"
#include "crypto/digest.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "jose/jws.h"
#include "json/document.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::bench {
namespace {

// Few enough to stay in the second-level cache: a stage is measured for its instructions. The whole checks,
// over many tokens, measure memory.
constexpr size_t kNumTokens = 64;

using StageBody = void (*)(benchmark::State&, const std::vector<std::string>& tokens, const TokenPool& pool);

void StageAuthorization(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  std::vector<std::string> values;
  for (const std::string& token : tokens) values.push_back("Bearer " + token);
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    std::string_view token;
    good &= claims::ReadAuthorization(values[i], &token) == Reason::kNone;
    benchmark::DoNotOptimize(token);
    if (++i == values.size()) i = 0;
  }
  if (!good) state.SkipWithError("a header value was refused");
}

void StageSplit(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    jose::CompactJws cut;
    good &= jose::SplitCompact(tokens[i], &cut) == Reason::kNone;
    benchmark::DoNotOptimize(cut);
    if (++i == tokens.size()) i = 0;
  }
  if (!good) state.SkipWithError("a token was refused");
}

void StageBase64url(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  std::vector<jose::CompactJws> cuts(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) jose::SplitCompact(tokens[i], &cuts[i]);
  std::vector<uint8_t> out(4096);
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    good &= jose::Base64UrlDecode(cuts[i].payload, out).has_value();
    benchmark::ClobberMemory();
    if (++i == cuts.size()) i = 0;
  }
  if (!good) state.SkipWithError("a payload was refused");
}

void StageHeader(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  std::vector<std::string> headers;
  for (const std::string& token : tokens) {
    jose::CompactJws cut;
    jose::SplitCompact(token, &cut);
    std::vector<uint8_t> bytes(jose::Base64UrlDecodedSize(cut.header.size()));
    jose::Base64UrlDecode(cut.header, bytes);
    headers.emplace_back(bytes.begin(), bytes.end());
  }
  json::Document document(4096);
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    jose::JoseHeader header;
    good &= document.Parse(headers[i]) == Reason::kNone;
    good &= jose::ReadHeader(document.root(), &header) == Reason::kNone;
    benchmark::DoNotOptimize(header);
    if (++i == headers.size()) i = 0;
  }
  if (!good) state.SkipWithError("a header was refused");
}

void StageParse(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  jose::ParsedJws parsed;
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    good &= parsed.Parse(tokens[i]) == Reason::kNone;
    if (++i == tokens.size()) i = 0;
  }
  if (!good) state.SkipWithError("a token was refused");
}

void StageClaims(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool& pool) {
  const absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(pool.jwks);
  if (!set.ok()) return state.SkipWithError("the JWK Set was refused");
  std::vector<std::unique_ptr<jose::ParsedJws>> parsed;
  std::vector<jose::VerifiedJws> verified;
  for (const std::string& token : tokens) {
    parsed.push_back(std::make_unique<jose::ParsedJws>());
    if (parsed.back()->Parse(token) != Reason::kNone) return state.SkipWithError("a token was refused");
    for (const jose::Jwk& jwk : set->keys) {
      std::optional<jose::VerifiedJws> proof;
      if (jwk.key_id == parsed.back()->header().key_id &&
          jose::Verify(*parsed.back(), jwk.key, &proof) == Reason::kNone) {
        verified.push_back(*proof);
      }
    }
  }
  if (verified.size() != tokens.size()) return state.SkipWithError("a token did not verify");
  claims::Expectations expectations;
  expectations.profile = Profile::Rfc9068();
  expectations.issuer = pool.issuer;
  const int64_t now_s =
      std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
          .count();
  claims::AccessToken storage;
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    claims::TimeEvidence evidence;
    std::optional<claims::ValidatedClaims> proof;
    good &= claims::Validate(verified[i], expectations, now_s, &storage, &evidence, &proof) == Reason::kNone;
    benchmark::DoNotOptimize(proof);
    if (++i == verified.size()) i = 0;
  }
  if (!good) state.SkipWithError("a token's claims were refused");
}

using verdicts::VerdictCache;

VerdictCache::Entry SomeEntry() {
  VerdictCache::Entry entry;
  entry.facts.key = {.slot = 1, .generation = 2};
  entry.facts.valid_through_s = UINT32_MAX;
  return entry;
}

// Tag and place of the token, and the look into the table.
void StageCacheFind(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  VerdictCache cache(size_t{16} << 20, 1);
  VerdictCache::Key key;
  for (const std::string& token : tokens) {
    cache.Derive(token, &key);
    cache.Insert(key, SomeEntry(), 0, [](KeyRef) { return true; });
  }
  verdicts::Facts facts;
  VerdictCache::Found found;
  size_t i = 0;
  bool good = true;
  for (auto _ : state) {
    cache.Derive(tokens[i], &key);
    good &= cache.Find(key, &facts, &found) == VerdictCache::FindResult::kFound;
    benchmark::DoNotOptimize(facts);
    if (++i == tokens.size()) i = 0;
  }
  if (!good) state.SkipWithError("a token was not found");
}

void StageCacheInsert(benchmark::State& state, const std::vector<std::string>& tokens, const TokenPool&) {
  VerdictCache cache(size_t{16} << 20, 1);
  std::vector<VerdictCache::Key> keys(tokens.size());
  for (size_t i = 0; i < tokens.size(); ++i) cache.Derive(tokens[i], &keys[i]);
  const VerdictCache::Entry entry = SomeEntry();
  size_t i = 0;
  for (auto _ : state) {
    cache.Insert(keys[i], entry, 0, [](KeyRef) { return true; });
    if (++i == keys.size()) i = 0;
  }
  verdicts::Facts facts;
  VerdictCache::Found found;
  if (cache.Find(keys.front(), &facts, &found) != VerdictCache::FindResult::kFound)
    state.SkipWithError("a token was not found");
}

// Text of exactly `bytes`, cut out of the pool's tokens laid end to end: lengths that no provider issues.
std::vector<std::string> TextsOf(const TokenPool& pool, size_t bytes) {
  std::string all;
  for (const std::string& token : pool.Of("RS256")) all += token;
  std::vector<std::string> texts;
  for (size_t i = 0; i < kNumTokens; ++i) texts.push_back(all.substr(i * 389 % (all.size() - bytes), bytes));
  return texts;
}

// Tag and place.
void StageCacheTag(benchmark::State& state, const std::vector<std::string>& texts,
                   crypto::TagVariant variant) {
  const crypto::TagKey key(variant);
  crypto::Derived first, derived;
  key.Derive(texts.front(), &first);
  size_t i = 0;
  for (auto _ : state) {
    key.Derive(texts[i], &derived);
    benchmark::DoNotOptimize(derived);
    if (++i == texts.size()) i = 0;
  }
  key.Derive(texts.back(), &derived);
  if (key.variant() != variant || derived.tag == first.tag) state.SkipWithError("a tag is wrong");
}

void FloorSha256(benchmark::State& state, const std::vector<std::string>& texts) {
  size_t i = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(crypto::Sha256(texts[i]));
    if (++i == texts.size()) i = 0;
  }
}

const char* VariantName(crypto::TagVariant variant) {
  switch (variant) {
    case crypto::TagVariant::kSha256:
      return "Sha256";
    case crypto::TagVariant::kPclmulAvx2:
      return "PclmulAvx2";
    case crypto::TagVariant::kVpclmulAvx512:
      return "VpclmulAvx512";
    case crypto::TagVariant::kPmull:
      return "Pmull";
  }
  return "?";
}

void RegisterCacheTagBenchmarks(const TokenPool* pool) {
  for (const crypto::TagVariant variant : crypto::TagKey::SupportedVariants()) {
    for (const size_t bytes : {64, 256, 800, 1600}) {
      const std::string name =
          std::string("BM_Stage_CacheTag/") + VariantName(variant) + "/bytes:" + std::to_string(bytes);
      benchmark::RegisterBenchmark(name.c_str(), [=](benchmark::State& state) {
        StageCacheTag(state, TextsOf(*pool, bytes), variant);
      });
    }
  }
  benchmark::RegisterBenchmark("BM_Floor_Sha256/bytes:800",
                               [pool](benchmark::State& state) { FloorSha256(state, TextsOf(*pool, 800)); });
}

}  // namespace

void RegisterStageBenchmarks(const TokenPool& pool) {
  static constexpr std::pair<const char*, StageBody> kStages[] = {
      {"Authorization", StageAuthorization},
      {"Split", StageSplit},
      {"Base64url", StageBase64url},
      {"Header", StageHeader},
      {"Parse", StageParse},
      {"Claims", StageClaims},
      {"CacheFind", StageCacheFind},
      {"CacheInsert", StageCacheInsert},
  };
  const TokenPool* p = &pool;
  for (const auto& [name, body] : kStages) {
    const StageBody run = body;
    benchmark::RegisterBenchmark((std::string("BM_Stage_") + name).c_str(), [p,
                                                                             run](benchmark::State& state) {
      const std::vector<std::string>& all = p->Of("RS256");
      run(state, {all.begin(), all.begin() + static_cast<ptrdiff_t>(std::min(kNumTokens, all.size()))}, *p);
    });
  }
  RegisterCacheTagBenchmarks(p);
}

}  // namespace tollgate::bench
