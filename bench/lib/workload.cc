#include "bench/lib/workload.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <optional>
#include <set>
#include <utility>

#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

// Scope 0 is in every set and needed by every tool, one of the others is needed beside it.
constexpr size_t kNumScopes = 41;
constexpr size_t kNumSpareKeys = 8;
constexpr std::string_view kResource = "https://mcp.example/mcp";
constexpr std::string_view kBearer = "Bearer ";
constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

std::string Numbered(const char* format, size_t number) {
  char text[128];
  std::snprintf(text, sizeof text, format, number);
  return text;
}

std::string IssuerName(size_t issuer) { return Numbered("https://idp-%03zu.example/realms/tenant", issuer); }

std::string ScopeName(size_t scope) {
  static constexpr const char* kSystems[] = {"crm", "billing", "tickets", "wiki", "repos"};
  static constexpr const char* kActions[] = {"read",   "list",    "search", "create",
                                             "update", "approve", "export", "delete"};
  if (scope == 0) return "mcp:use";
  return std::string(kSystems[(scope - 1) % 5]) + ":" + kActions[(scope - 1) / 5];
}

// The scope that tool `number` needs beside scope 0: each one is needed by 25 tools.
size_t ScopeOfTool(size_t number) { return 1 + number % (kNumScopes - 1); }

std::string ToolNameOf(size_t number) {
  static constexpr const char* kNouns[] = {"account", "invoice", "ticket",   "page",  "branch",
                                           "comment", "payment", "contract", "event", "deployment"};
  const std::string scope = ScopeName(ScopeOfTool(number));
  const size_t colon = scope.find(':');
  return scope.substr(0, colon) + "_" + scope.substr(colon + 1) + "_" + kNouns[number / 40 % 10] +
         Numbered("_v%zu", 1 + number / 400);
}

char* Append(char* out, std::string_view text) {
  std::memcpy(out, text.data(), text.size());
  return out + text.size();
}

char* AppendBase64Url(char* out, std::string_view bytes) {
  const auto at = [&bytes](size_t i) { return static_cast<uint32_t>(static_cast<uint8_t>(bytes[i])); };
  size_t i = 0;
  for (; i + 3 <= bytes.size(); i += 3) {
    const uint32_t group = at(i) << 16 | at(i + 1) << 8 | at(i + 2);
    for (int shift = 18; shift >= 0; shift -= 6) *out++ = kAlphabet[group >> shift & 63];
  }
  if (const size_t rest = bytes.size() - i; rest != 0) {
    const uint32_t group = at(i) << 16 | (rest == 2 ? at(i + 1) << 8 : 0);
    for (size_t k = 0; k <= rest; ++k) *out++ = kAlphabet[group >> (18 - 6 * k) & 63];
  }
  return out;
}

void AppendHex(std::string* out, Random* random, size_t digits) {
  uint64_t word = 0;
  for (size_t i = 0; i < digits; ++i, word >>= 4) {
    if (i % 16 == 0) word = random->Next();
    *out += "0123456789abcdef"[word & 15];
  }
}

void AppendUuid(std::string* out, Random* random) {
  for (const size_t digits : {8, 4, 4, 4, 12}) {
    if (digits != 8) *out += '-';
    AppendHex(out, random, digits);
  }
}

size_t SignatureBytes(std::string_view algorithm) { return algorithm == "RS256" ? 256 : 64; }
size_t EncodedSize(size_t bytes) { return (bytes * 4 + 2) / 3; }

int64_t WallSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

// Claims of one token, `bytes` long unless they need more.
void WriteClaims(std::string* out, size_t issuer, std::string_view scope, uint64_t subject, int64_t issued_at,
                 size_t bytes, Random* random) {
  static constexpr std::string_view kRoles[] = {"viewer", "editor",  "support", "auditor",
                                                "admin",  "billing", "on-call"};
  Random subject_random(subject);
  *out = "{\"iss\":\"" + IssuerName(issuer) + "\",\"sub\":\"";
  AppendUuid(out, &subject_random);
  *out += "\",\"client_id\":\"";
  AppendUuid(out, &subject_random);
  *out += "\",\"jti\":\"";
  AppendUuid(out, random);
  *out += Numbered("\",\"iat\":%zu", static_cast<size_t>(issued_at)) +
          Numbered(",\"exp\":%zu", static_cast<size_t>(issued_at + 86'000)) + ",\"scope\":\"";
  *out += scope;
  *out += "\",\"aud\":";
  // Half of the tokens name a second audience.
  if (random->Below(2) == 0) {
    *out += "\"" + std::string(kResource) + "\"";
  } else {
    *out += "[\"" + std::string(kResource) + "\",\"account\"]";
  }
  *out += ",\"roles\":[";
  const size_t num_roles = 1 + random->Below(3), first = random->Below(std::size(kRoles));
  for (size_t i = 0; i < num_roles; ++i) {
    *out += i == 0 ? "\"" : ",\"";
    *out += kRoles[(first + i) % std::size(kRoles)];
    *out += '"';
  }
  *out += ']';
  // A session id of the length that is left, at least eight digits.
  *out += ",\"sid\":\"";
  AppendHex(out, random, std::max(bytes, out->size() + 10) - out->size() - 2);
  *out += '"';
  *out += '}';
}

}  // namespace

void ReplaceTail(std::span<char> token, uint64_t random) {
  char* at = token.data() + token.size() - 13;
  for (int i = 0; i < 10; ++i, random >>= 6) *at++ = kAlphabet[random & 63];
  *at = kAlphabet[random & 15];
}

Workload::Workload(std::string_view algorithm, size_t num_tokens)
    : algorithm_(algorithm), random_state_(num_tokens) {
  Random random(20'261'123);
  std::vector<std::string> headers;
  for (size_t issuer = 0; issuer < kNumIssuers; ++issuer) {
    std::string members;
    for (size_t k = 0; k < kKeysPerIssuer; ++k) {
      std::string kid = "k" + std::to_string(k) + "-";
      AppendHex(&kid, &random, 16);
      const idp::SigningKey key = algorithm_ == "RS256"
                                      ? idp::TestKey(algorithm_, static_cast<int>(k)).WithKid(kid)
                                      : idp::SigningKey::Generate(algorithm_, kid);
      members += (k == 0 ? "" : ",") + key.PublicJwk().dump();
      char header[128];
      const std::string json = R"({"alg":")" + algorithm_ + R"(","typ":"at+jwt","kid":")" + kid + "\"}";
      headers.emplace_back(header, AppendBase64Url(header, json));
    }
    jwks_members_.push_back(std::move(members));
  }
  for (size_t i = 0; i < kNumSpareKeys; ++i) {
    spare_jwks_.push_back(
        idp::SigningKey::Generate("EdDSA", "spare-" + std::to_string(i)).PublicJwk().dump());
  }
  for (size_t i = 0; i < kNumTools; ++i) tools_.push_back(ToolNameOf(i));

  std::set<std::set<uint8_t>> seen;
  std::vector<std::string> scope_texts;
  while (seen.size() < kNumScopeSets) {
    std::set<uint8_t> scopes;
    const size_t wanted = 2 + random.Below(algorithm_ == "RS256" ? 1 : 4);
    while (scopes.size() < wanted) scopes.insert(static_cast<uint8_t>(1 + random.Below(kNumScopes - 1)));
    if (!seen.insert(scopes).second) continue;
    std::string text = ScopeName(0);
    for (const uint8_t scope : scopes) text += " " + ScopeName(scope);
    scope_texts.push_back(std::move(text));
    scope_sets_.emplace_back(scopes.begin(), scopes.end());
  }

  // Room for the longest, and for RS256's, whose claims alone may pass the bound.
  constexpr size_t kRoom = 1088;
  memory_ = HugeMemory((num_tokens + 1) * kRoom);
  requests_.reserve(num_tokens);
  const int64_t now_s = WallSeconds();
  const size_t signature_bytes = SignatureBytes(algorithm_);
  std::string claims;
  std::array<char, 256> signature;
  char* out = memory_.data();
  for (size_t i = 0; i < num_tokens; ++i) {
    // Each subject has one issuer, and comes back in tokens that are far apart.
    const uint64_t subject = i % std::max<size_t>(num_tokens / 10, 1);
    const size_t issuer = subject % kNumIssuers;
    const std::string& header = headers[issuer * kKeysPerIssuer + random.Below(kKeysPerIssuer)];
    const size_t set = random.Below(kNumScopeSets);
    const size_t fixed = header.size() + 2 + EncodedSize(signature_bytes);
    const size_t wanted = kBytesMin + random.Below(kBytesMax - kBytesMin + 1);
    WriteClaims(&claims, issuer, scope_texts[set], subject, now_s - static_cast<int64_t>(random.Below(300)),
                (wanted - fixed) * 3 / 4, &random);
    for (size_t at = 0; at < signature_bytes; at += 8) {
      const uint64_t word = random.Next();
      std::memcpy(signature.data() + at, &word, 8);
    }
    char* const begin = out;
    out = Append(Append(Append(out, kBearer), header), ".");
    out = Append(AppendBase64Url(out, claims), ".");
    out = AppendBase64Url(out, {signature.data(), signature_bytes});
    const size_t scope = scope_sets_[set][random.Below(scope_sets_[set].size())];
    const size_t tool = scope - 1 + (kNumScopes - 1) * random.Below(kNumTools / (kNumScopes - 1));
    requests_.push_back({.authorization = {begin, static_cast<size_t>(out - begin)}, .tool = tools_[tool]});
    bytes_ += static_cast<size_t>(out - begin) - kBearer.size();
  }
}

Workload::Stream Workload::Zipf(size_t count) const {
  std::vector<double> sums;
  double sum = 0;
  for (size_t rank = 1; rank <= requests_.size(); ++rank)
    sums.push_back(sum += 1 / static_cast<double>(rank));
  Random random(20'261'124);
  std::vector<size_t> drawn;
  size_t bytes = 0;
  for (size_t i = 0; i < count; ++i) {
    const auto at = std::lower_bound(sums.begin(), sums.end() - 1, random.Unit() * sum);
    drawn.push_back(static_cast<size_t>(at - sums.begin()));
    bytes += requests_[drawn.back()].authorization.size();
  }
  Stream stream{HugeMemory(bytes), {}};
  stream.requests.reserve(count);
  char* out = stream.bytes.data();
  for (const size_t index : drawn) {
    Request request = requests_[index];
    char* const begin = out;
    out = Append(out, request.authorization);
    request.authorization = {begin, request.authorization.size()};
    stream.requests.push_back(request);
  }
  return stream;
}

void Workload::MakeNew(size_t index) {
  const std::string_view token = requests_[index].authorization;
  char* const begin = memory_.data() + (token.data() - memory_.data());
  Random random(++random_state_);
  ReplaceTail({begin, token.size()}, random.Next());
}

std::string Workload::JwksUri(size_t issuer) { return IssuerName(issuer) + "/jwks"; }

std::string Workload::Jwks(size_t issuer, size_t generation) const {
  std::string jwks = "{\"keys\":[" + jwks_members_[issuer];
  if (generation > 0) jwks += "," + spare_jwks_[generation % kNumSpareKeys];
  return jwks + "]}";
}

absl::StatusOr<Config> Workload::MakeConfig(bool fetched) const {
  Config config;
  for (size_t i = 0; i < kNumIssuers; ++i) {
    IssuerConfig issuer;
    issuer.issuer = IssuerName(i);
    (fetched ? issuer.jwks_uri : issuer.jwks) = fetched ? JwksUri(i) : Jwks(i);
    config.issuers.push_back(std::move(issuer));
  }
  config.resources.push_back({.uri = std::string(kResource), .audiences = {}, .issuers = {}});
  PolicyBuilder policy;
  policy.AddClass({.name = "read"});  // The tokens live a day.
  for (size_t i = 0; i < kNumTools; ++i) {
    AccessRule rule;
    rule.name = tools_[i];
    rule.scopes = {ScopeName(0), ScopeName(ScopeOfTool(i))};
    policy.AddRule(std::move(rule));
  }
  absl::StatusOr<Policy> built = policy.Build();
  if (!built.ok()) return built.status();
  config.policy = *std::move(built);
  // No verdict comes of age while it is timed: a run is far shorter than a day.
  config.timing.verdict_age_max_ms = int64_t{24} * 3600 * 1000;
  return config;
}

}  // namespace tollgate::bench
