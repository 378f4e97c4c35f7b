#include "tests/sim/tokens.h"

#include <array>
#include <functional>
#include <map>
#include <tuple>
#include <utility>
#include <vector>

#include "tools/idp/mint.h"

namespace tollgate::sim {
namespace {

const idp::SigningKey& KeyOf(int issuer, int key) {
  static std::map<std::pair<int, int>, idp::SigningKey> keys;
  const auto found = keys.find({issuer, key});
  if (found != keys.end()) return found->second;
  return keys
      .emplace(std::pair(issuer, key),
               idp::SigningKey::Generate(AlgorithmName(KeyAlgorithm(key)), KeyId(key)))
      .first->second;
}

// Whose signature is on forged tokens.
const idp::SigningKey& ForgersKey(int key) { return KeyOf(-1, key); }

Token Sign(const TokenSpec& spec) {
  if (spec.form == Form::kGarbage) return {"Bearer not.a-token", ""};
  if (spec.form == Form::kOpaque) {
    const std::string number = std::to_string(spec.number());
    return {"Bearer opaque-" + number, "opaque-jti-" + number};
  }
  const TokenTimes times = TimesOf(spec.times);
  idp::json claims =
      idp::AccessTokenClaims(IssuerName(spec.issuer), AudienceName(spec.audience), SubjectName(spec.subject),
                             kClient, ScopeText(spec.scope), times.issued_at, times.expires_at);
  if (times.not_before != INT64_MIN) claims["nbf"] = times.not_before;
  if (spec.form == Form::kBound) claims["cnf"] = {{"jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}};
  idp::json header = idp::json::object();
  if (spec.form == Form::kNoKid) header["kid"] = nullptr;
  if (spec.form == Form::kOtherAlgorithm) header["alg"] = AlgorithmName(HeaderAlgorithm(spec));
  const idp::SigningKey& key =
      spec.form == Form::kForged ? ForgersKey(spec.key) : KeyOf(spec.issuer, spec.key);
  return {"Bearer " + idp::Mint(key, claims, header), claims.at("jti").get<std::string>()};
}

constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kNobodys = "nobodys-";

// All tokens that were made, by their numbers.
struct Made {
  Token token;
  TokenSpec spec;
};
std::map<uint64_t, Made>& AllTokens() {
  static std::map<uint64_t, Made> tokens;
  return tokens;
}

std::map<std::string, uint64_t, std::less<>>& NumbersByText() {
  static std::map<std::string, uint64_t, std::less<>> numbers;
  return numbers;
}

}  // namespace

std::string_view IssuerName(int issuer) {
  constexpr std::array<std::string_view, kIssuersMax + 1> kNames = {
      "https://idp.example", "https://shared.example/a", "https://shared.example/b",
      "https://shared.example/c", "https://stranger.example"};
  return kNames[static_cast<size_t>(issuer)];
}

std::string_view KeyId(int key) {
  constexpr std::array<std::string_view, kKeys> kNames = {"k0", "k1", "k2", "k3", "k0", "k1"};
  return kNames[static_cast<size_t>(key)];
}

Algorithm KeyAlgorithm(int key) { return key == 5 ? Algorithm::kEdDsa : Algorithm::kEs256; }

std::string KeyThumbprint(int issuer, int key) { return KeyOf(issuer, key).Thumbprint(); }

const std::string& JwksText(int issuer, KeyMask keys, bool odd) {
  static std::map<std::tuple<int, KeyMask, bool>, std::string> texts;
  std::string& text = texts[{issuer, keys, odd}];
  if (!text.empty()) return text;
  idp::json list = idp::json::array();
  if (odd) list.push_back({{"kty", "oct"}, {"k", "c2VjcmV0"}});
  for (int key = 0; key < kKeys; ++key) {
    if ((keys >> key & 1) != 0) list.push_back(KeyOf(issuer, key).PublicJwk());
  }
  return text = idp::json{{"keys", list}}.dump();
}

TokenTimes TimesOf(int times) {
  constexpr int64_t kDay = 86'400;
  constexpr std::array<TokenTimes, kTimes> kOf = {{
      {-60, INT64_MIN, 72'000},
      {-60, INT64_MIN, 900},
      {-60, INT64_MIN, 3'600},
      {-60, INT64_MIN, 10'000},
      {-60, 1'800, 72'000},
      {5'400, INT64_MIN, 72'000},
      {-60, INT64_MIN, -60 + kDay + 1},  // Lives longer than the usual bound allows.
      {-kDay + 2'400, INT64_MIN, 2'400},
  }};
  TokenTimes of = kOf[static_cast<size_t>(times)];
  of.issued_at += kWallStart;
  of.expires_at += kWallStart;
  if (of.not_before != INT64_MIN) of.not_before += kWallStart;
  return of;
}

std::string_view ScopeText(int scope) {
  constexpr std::array<std::string_view, kScopes> kTexts = {"", "files:read", "files:read files:write"};
  return kTexts[static_cast<size_t>(scope)];
}

std::string_view AudienceName(int audience) {
  constexpr std::array<std::string_view, kAudiences> kNames = {kResourceA, kResourceB,
                                                               "https://elsewhere.example"};
  return kNames[static_cast<size_t>(audience)];
}

std::string_view SubjectName(int subject) { return subject == 0 ? "alice" : "bob"; }

const Token& TokenOf(const TokenSpec& spec) {
  const auto found = AllTokens().find(spec.number());
  if (found != AllTokens().end()) return found->second.token;
  const Token& token = AllTokens().emplace(spec.number(), Made{Sign(spec), spec}).first->second.token;
  NumbersByText().emplace(token.authorization.substr(kBearer.size()), spec.number());
  return token;
}

std::string NobodysAuthorization(uint64_t number) {
  return std::string(kBearer) + std::string(kNobodys) + std::to_string(number);
}

uint64_t NumberOf(std::string_view text) {
  if (text.starts_with(kNobodys))
    return NobodysNumber(std::stoull(std::string(text.substr(kNobodys.size()))));
  const auto found = NumbersByText().find(text);
  return found == NumbersByText().end() ? 0 : found->second;
}

const TokenSpec* SpecOf(uint64_t number) {
  const auto found = AllTokens().find(number);
  return found == AllTokens().end() ? nullptr : &found->second.spec;
}

std::string UnknownKidAuthorization(int issuer, std::string_view kid) {
  const idp::json header = {{"alg", "ES256"}, {"typ", "at+jwt"}, {"kid", kid}};
  const idp::json claims = {{"iss", IssuerName(issuer)}};
  return "Bearer " + idp::Base64Url(header.dump()) + "." + idp::Base64Url(claims.dump()) + "." +
         idp::Base64Url(std::string(64, 'x'));
}

Algorithm HeaderAlgorithm(const TokenSpec& spec) {
  const Algorithm algorithm = KeyAlgorithm(spec.key);
  if (spec.form != Form::kOtherAlgorithm) return algorithm;
  return algorithm == Algorithm::kEs256 ? Algorithm::kEdDsa : Algorithm::kEs256;
}

std::string_view HeaderKid(const TokenSpec& spec) {
  return spec.form == Form::kNoKid ? std::string_view() : KeyId(spec.key);
}

std::string Describe(const TokenSpec& spec) {
  constexpr std::array<const char*, 7> kForms = {"plain", "no kid",  "forged", "other alg",
                                                 "bound", "garbage", "opaque"};
  return "token(issuer " + std::to_string(spec.issuer) + ", key " + std::to_string(spec.key) + ", times " +
         std::to_string(spec.times) + ", scope " + std::to_string(spec.scope) + ", audience " +
         std::to_string(spec.audience) + ", subject " + std::to_string(spec.subject) + ", " +
         kForms[static_cast<size_t>(spec.form)] + ")";
}

}  // namespace tollgate::sim
