#include "bench/outage/tokens.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <map>
#include <random>
#include <utility>

#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

constexpr size_t kTokenBytes = 800;
// Tokens of the rarer kinds that are asked about again and again.
constexpr size_t kNumRepeated = 100;
// So few that each is asked about often.
constexpr size_t kNumRevoked = 20;
constexpr size_t kNumOfTenants = 1000;
constexpr size_t kFirstTenants = 200;

int64_t WallSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

json PartOf(std::string_view token, int part) {
  size_t begin = 0;
  for (int i = 0; i < part; ++i) begin = token.find('.', begin) + 1;
  const std::string_view text = token.substr(begin, token.find('.', begin) - begin);
  return json::parse(idp::Base64UrlDecode(text).value_or(""), nullptr, false);
}

class PoolSupply final : public TokenSupply {
 public:
  // The pool's tokens of the algorithms that a server would meet, taken in turn.
  explicit PoolSupply(const TokenPool& pool) : pool_(pool) {
    for (size_t i = 0, before = SIZE_MAX; before != tokens_.size(); ++i) {
      before = tokens_.size();
      for (const char* algorithm : {"RS256", "ES256", "EdDSA"}) {
        if (i < pool.Of(algorithm).size()) tokens_.push_back(pool.Of(algorithm)[i]);
      }
    }
  }

  std::vector<std::string> Take(TokenKind kind, size_t count) override {
    if (!IsGood(kind)) {
      if (kind == TokenKind::kForgedEs512 || pool_.Of("RS256").empty()) return {};
      return {pool_.Of("RS256").front()};
    }
    if (kind != TokenKind::kKnown && kind != TokenKind::kNew) return {};
    const size_t left = tokens_.size() - taken_;
    count = std::min(count, kind == TokenKind::kKnown ? left / 2 : left);
    const auto begin = tokens_.begin() + static_cast<ptrdiff_t>(taken_);
    taken_ += count;
    return {begin, begin + static_cast<ptrdiff_t>(count)};
  }

 private:
  const TokenPool& pool_;
  std::vector<std::string> tokens_;
  size_t taken_ = 0;
};

class MintingSupply final : public TokenSupply {
 public:
  MintingSupply(const TokenPool& about, size_t num_tenants) : about_(about), num_tenants_(num_tenants) {}

  std::vector<std::string> Take(TokenKind kind, size_t count) override {
    std::vector<std::string> tokens;
    for (size_t i = 0; i < count; ++i) {
      tokens.push_back(DemandOf(kind, i) == Demand::kOpaque ? idp::Base64Url(idp::RandomBytes(32))
                                                            : Mint(kind, i));
    }
    return tokens;
  }

 private:
  static const idp::SigningKey& KeyOf(TokenKind kind, size_t i) {
    switch (kind) {
      case TokenKind::kCompromised:
        return idp::TestKey(kCompromised.algorithm, kCompromised.number);
      case TokenKind::kRotated:
        return idp::TestKey(kRotated.algorithm, kRotated.number);
      case TokenKind::kForgedEs512:
        return idp::TestKey("ES512");
      case TokenKind::kNew:
      case TokenKind::kTenant:
        // Signing with RSA takes twenty times as long.
        return idp::TestKey(i % 10 == 0 ? "RS256" : i % 2 == 0 ? "ES256" : "EdDSA");
      default:
        return idp::TestKey(i % 3 == 0 ? "RS256" : i % 3 == 1 ? "ES256" : "EdDSA");
    }
  }

  std::string Mint(TokenKind kind, size_t i) const {
    const int64_t now_s = WallSeconds();
    const std::string issuer = kind == TokenKind::kTenant
                                   ? TenantIssuer(about_.issuer, TenantOfToken(i, num_tenants_))
                                   : about_.issuer;
    const int64_t issued_s = now_s - (kind == TokenKind::kYoung ? 1800 : 7200);
    const int64_t expires_s = now_s + (kind == TokenKind::kExpiring ? 1800 : 14'400);
    const std::string number = std::to_string(i / 10);
    return idp::MintToSize(KeyOf(kind, i),
                           idp::AccessTokenClaims(issuer, about_.resource, "user-" + number,
                                                  "agent-" + number, about_.scope, issued_s, expires_s),
                           kTokenBytes);
  }

  const TokenPool& about_;
  const size_t num_tenants_;
};

Call CallOf(const std::string& token, std::mt19937* random) {
  return {.authorization = "Bearer " + token, .tool = ToolName((*random)() % kNumTools)};
}

// BoundCall is good within the token's own times.
Call BoundCall(const std::string& token, std::mt19937* random) {
  Call call = CallOf(token, random);
  const json claims = PartOf(token, 1);
  call.valid_from_s = claims.at("iat").get<int64_t>();
  call.valid_through_s = claims.at("exp").get<int64_t>();
  return call;
}

// A header whose kid ends in nine digits, which are twelve whole characters of the token.
CallSource ForgedKid(const std::string& good, std::mt19937* random) {
  std::string header =
      R"({"alg":)" + PartOf(good, 0).at("alg").dump() + R"(,"typ":"at+jwt","kid":"no-such-key-)";
  while (header.size() % 3 != 0) header += '-';
  const size_t at = header.size() / 3 * 4;
  const std::string token = idp::Base64Url(header + "000000000\"}") + good.substr(good.find('.'));
  Call call = CallOf(token, random);
  return CallSource::Varied(TokenKind::kForgedKid, std::move(call), at + std::string_view("Bearer ").size(),
                            /*digits=*/true);
}

// Another signature of the same length: nine bytes are changed a quarter into it, which of ECDSA is the
// middle of r, so that it takes a whole verification to see.
CallSource ForgedSignature(TokenKind kind, const std::string& good, std::mt19937* random) {
  Call call = CallOf(good, random);
  const size_t begin = call.authorization.rfind('.') + 1;
  const size_t at = begin + (call.authorization.size() - begin) / 4;
  return CallSource::Varied(kind, std::move(call), at, /*digits=*/false);
}

CallSource ForgedUnsigned(const std::vector<std::string>& good, std::mt19937* random) {
  std::vector<Call> calls;
  for (const std::string& token : good) {
    json header = PartOf(token, 0);
    header["alg"] = "none";
    calls.push_back(CallOf(idp::Base64Url(header.dump()) + token.substr(token.find('.')), random));
  }
  return CallSource(TokenKind::kForgedUnsigned, CallSource::Use::kRepeated, std::move(calls));
}

CallSource Opaque(std::mt19937* random) {
  // As long as 256 bits.
  Call call = CallOf(idp::Base64Url(idp::RandomBytes(32)), random);
  return CallSource::Varied(TokenKind::kOpaque, std::move(call), std::string_view("Bearer ").size(),
                            /*digits=*/false);
}

// How many calls of a kind the whole scenario wants.
std::map<TokenKind, double> Wanted(const Scenario& scenario, double factor, double rate_max_hz) {
  std::map<TokenKind, double> wanted;
  for (const Phase& phase : scenario.phases) {
    const double phase_s = phase.duration_s * factor;
    for (const std::vector<Load>* loads : {&scenario.loads, &phase.loads}) {
      for (const Load& load : *loads) wanted[load.kind] += RateHz(load, phase_s, rate_max_hz) * phase_s;
    }
  }
  return wanted;
}

absl::Status Lacks(TokenKind kind) {
  return absl::InvalidArgumentError("this identity provider has no tokens for `" +
                                    std::string(TokenKindName(kind)) + "`: use the bundled one");
}

}  // namespace

std::unique_ptr<TokenSupply> MakePoolSupply(const TokenPool& pool) {
  return std::make_unique<PoolSupply>(pool);
}

std::unique_ptr<TokenSupply> MakeMintingSupply(const TokenPool& about, size_t num_tenants) {
  return std::make_unique<MintingSupply>(about, num_tenants);
}

uint32_t TenantOfToken(size_t i, size_t num_tenants) {
  const size_t n = i / 2;
  if (i % 2 == 0) return static_cast<uint32_t>(n % std::min(kFirstTenants, num_tenants));
  // A prime, so that they are all different where there are enough.
  return static_cast<uint32_t>(n * 7919 % num_tenants);
}

Demand DemandOf(TokenKind kind, size_t i) {
  constexpr Demand kAll[] = {Demand::kBehind, Demand::kLastKnown, Demand::kPrivileged, Demand::kOpaque};
  switch (kind) {
    case TokenKind::kBehind:
      return Demand::kBehind;
    case TokenKind::kLastKnown:
      return Demand::kLastKnown;
    case TokenKind::kPrivileged:
      return Demand::kPrivileged;
    case TokenKind::kOpaqueActive:
      return Demand::kOpaque;
    case TokenKind::kRevoked:
      return kAll[i % std::size(kAll)];
    default:
      return Demand::kNothing;
  }
}

std::string ToolOf(Demand demand) {
  switch (demand) {
    case Demand::kBehind:
      return "ask_behind";
    case Demand::kLastKnown:
      return "ask_or_last_known";
    case Demand::kPrivileged:
      return "ask_always";
    case Demand::kNothing:
    case Demand::kOpaque:
      break;
  }
  return ToolName(0);
}

int64_t LastKnownAgeS(double factor) { return std::max<int64_t>(1, std::llround(600 * factor)); }

absl::StatusOr<Policy> DemandPolicy(const Policy& policy, double factor) {
  PolicyBuilder builder;
  for (const SensitivityClass& sensitivity : policy.classes()) builder.AddClass(sensitivity);
  for (const AccessRule& rule : policy.rules()) builder.AddRule(rule);
  const std::vector<std::string> scopes = policy.rules().front().scopes;
  const auto add = [&](Demand demand, SensitivityClass sensitivity) {
    builder.AddRule({.name = ToolOf(demand), .scopes = scopes, .sensitivity = sensitivity.name});
    builder.AddClass(std::move(sensitivity));
  };
  add(Demand::kBehind, {.name = "write", .mode = ValidationMode::kIntrospectBehind});
  add(Demand::kLastKnown, {.name = "write_last_known",
                           .mode = ValidationMode::kIntrospect,
                           .introspection_outage = IntrospectionOutage::kLastKnown,
                           .last_known_age_max_s = LastKnownAgeS(factor)});
  add(Demand::kPrivileged, {.name = "privileged", .mode = ValidationMode::kIntrospect});
  return builder.Build();
}

json AnswerAbout(const TokenPool& about) {
  const int64_t now_s = WallSeconds();
  return idp::AccessTokenClaims(about.issuer, about.resource, "user", "agent", about.scope, now_s - 7200,
                                now_s + 14'400);
}

absl::StatusOr<CallSources> MakeSources(const Scenario& scenario, double factor, double rate_max_hz,
                                        size_t num_known, TokenSupply& supply) {
  using Use = CallSource::Use;
  std::mt19937 random(20'261'123);
  CallSources sources;
  uint32_t next_number = 0;
  // Known tokens come first in the order of the kinds, so that a small pool has them.
  for (const auto& [kind, wanted] : Wanted(scenario, factor, rate_max_hz)) {
    if (kind == TokenKind::kOpaque) {
      sources.emplace(kind, Opaque(&random));
      continue;
    }
    const bool once = kind == TokenKind::kNew || kind == TokenKind::kRotated;
    const auto num_once = static_cast<size_t>(std::ceil(wanted)) + 1;
    const size_t count = kind == TokenKind::kKnown             ? num_known
                         : kind == TokenKind::kRevoked         ? kNumRevoked
                         : kind == TokenKind::kTenant          ? kNumOfTenants
                         : once                                ? num_once
                         : IsKnown(kind) || IsAskedAbout(kind) ? kNumRepeated
                                                               : 1;
    const std::vector<std::string> tokens = supply.Take(kind, count);
    if (tokens.empty()) return Lacks(kind);
    if (kind == TokenKind::kForgedKid) {
      sources.emplace(kind, ForgedKid(tokens.front(), &random));
    } else if (kind == TokenKind::kForgedUnsigned) {
      sources.emplace(kind, ForgedUnsigned(tokens, &random));
    } else if (!IsGood(kind)) {
      sources.emplace(kind, ForgedSignature(kind, tokens.front(), &random));
    } else {
      std::vector<Call> calls;
      const bool bound = kind == TokenKind::kExpiring || kind == TokenKind::kYoung;
      for (size_t i = 0; i < tokens.size(); ++i) {
        Call& call = calls.emplace_back(bound ? BoundCall(tokens[i], &random) : CallOf(tokens[i], &random));
        call.demand = DemandOf(kind, i);
        if (call.demand != Demand::kNothing) {
          call.tool = ToolOf(call.demand);
          call.number = next_number++;
        } else if (kind == TokenKind::kTenant) {
          call.number = TenantOfToken(i, scenario.num_issuers);
        }
      }
      std::shuffle(calls.begin(), calls.end(), random);
      CallSource source(kind, once ? Use::kOnce : Use::kRepeated, std::move(calls));
      if (once && tokens.size() < num_once)
        source.rate_scale = static_cast<double>(tokens.size()) / static_cast<double>(num_once);
      sources.emplace(kind, std::move(source));
    }
  }
  return sources;
}

}  // namespace tollgate::bench
