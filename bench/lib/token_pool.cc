#include "bench/lib/token_pool.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <optional>
#include <sstream>

#include "absl/status/status.h"
#include "tools/idp/mint.h"

namespace tollgate::bench {
namespace {

using nlohmann::json;

int64_t WallSeconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(std::chrono::system_clock::now().time_since_epoch())
      .count();
}

absl::Status Unusable(const std::string& path, const char* what) {
  return absl::InvalidArgumentError(path + ": " + what);
}

std::optional<std::string> ReadFile(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  if (!in) return std::nullopt;
  return std::string(std::istreambuf_iterator<char>(in), {});
}

// The `exp` of a token, 0 if it has none: what the engine would do with such a token is not for this reader
// to say.
int64_t ExpiryOf(std::string_view token) {
  const size_t first = token.find('.'), second = token.find('.', first + 1);
  if (second == std::string_view::npos) return 0;
  const std::optional<std::string> payload =
      idp::Base64UrlDecode(token.substr(first + 1, second - first - 1));
  const json claims = json::parse(payload.value_or(""), nullptr, false);
  return claims.is_object() && claims.contains("exp") && claims["exp"].is_number()
             ? claims["exp"].get<int64_t>()
             : 0;
}

void Summarize(TokenPool* pool) {
  size_t bytes = 0, count = 0;
  pool->expires_at_s = INT64_MAX;
  for (const auto& [algorithm, tokens] : pool->tokens) {
    for (const std::string& token : tokens) {
      bytes += token.size();
      ++count;
      pool->expires_at_s = std::min(pool->expires_at_s, ExpiryOf(token));
    }
  }
  pool->bytes_mean = count == 0 ? 0 : bytes / count;
}

}  // namespace

const std::vector<std::string>& TokenPool::Of(std::string_view algorithm) const {
  static const auto* const kNone = new std::vector<std::string>;
  const auto it = tokens.find(std::string(algorithm));
  return it == tokens.end() ? *kNone : it->second;
}

absl::StatusOr<TokenPool> ReadTokenPool(const std::string& directory) {
  const std::string about = directory + "/pool.json";
  const std::optional<std::string> text = ReadFile(about);
  if (!text) return Unusable(about, "cannot be read");
  const json pool_json = json::parse(*text, nullptr, false);
  if (!pool_json.is_object()) return Unusable(about, "is not a JSON object");
  const auto member = [&pool_json](const char* name) {
    return pool_json.contains(name) && pool_json[name].is_string() ? pool_json[name].get<std::string>()
                                                                   : std::string();
  };
  TokenPool pool;
  pool.source = member("source");
  pool.issuer = member("issuer");
  pool.resource = member("resource");
  pool.scope = member("scope");
  pool.jwks_uri = member("jwks_uri");
  if (pool.source.empty()) pool.source = "a token pool of unknown origin";
  if (pool.issuer.empty() || pool.resource.empty() || pool.scope.empty()) {
    return Unusable(about, "needs issuer, resource and scope");
  }
  const std::optional<std::string> jwks = ReadFile(directory + "/jwks.json");
  if (!jwks) return Unusable(directory + "/jwks.json", "cannot be read");
  pool.jwks = *jwks;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(directory, failed)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with("tokens_") || !name.ends_with(".txt")) continue;
    std::istringstream lines(ReadFile(entry.path().string()).value_or(""));
    std::vector<std::string>& tokens = pool.tokens[name.substr(7, name.size() - 11)];
    for (std::string line; std::getline(lines, line);) {
      if (!line.empty()) tokens.push_back(std::move(line));
    }
    if (tokens.empty()) return Unusable(entry.path().string(), "holds no token");
  }
  if (failed || pool.tokens.empty()) return Unusable(directory, "holds no tokens_<ALG>.txt");
  Summarize(&pool);
  // An hour covers the longest run by far; tokens that expire meanwhile would be timed as refusals.
  if (pool.expires_at_s < WallSeconds() + 3600)
    return Unusable(directory, "tokens expire within an hour: mint new ones");
  return pool;
}

TokenPool MintTokenPool(std::string_view issuer, const std::vector<std::string>& algorithms, size_t count,
                        size_t bytes) {
  TokenPool pool;
  pool.source = "the repository's own minting library (tools/idp)";
  pool.issuer = issuer;
  pool.resource = "https://mcp.example/mcp";
  pool.scope = "mcp:read mcp:write";
  std::vector<const idp::SigningKey*> keys;
  const int64_t now_s = WallSeconds();
  for (const std::string& algorithm : algorithms) {
    const idp::SigningKey& key = idp::TestKey(algorithm);
    keys.push_back(&key);
    std::vector<std::string>& tokens = pool.tokens[algorithm];
    for (size_t i = 0; i < count; ++i) {
      // A tenth as many callers as tokens, as in life.
      const std::string number = std::to_string(i / 10);
      tokens.push_back(
          idp::MintToSize(key,
                          idp::AccessTokenClaims(pool.issuer, pool.resource, "user-" + number,
                                                 "agent-" + number, pool.scope, now_s, now_s + 86'000),
                          bytes));
    }
  }
  pool.jwks = idp::Jwks(std::span<const idp::SigningKey* const>(keys)).dump();
  Summarize(&pool);
  return pool;
}

std::string ToolName(size_t number) {
  static constexpr const char* kVerbs[] = {"read",   "list",   "search", "export",
                                           "create", "update", "delete", "approve"};
  static constexpr const char* kNouns[] = {"tickets",   "invoices", "repositories", "calendar_events",
                                           "documents", "contacts", "deployments",  "payments"};
  return std::string(kVerbs[number % 8]) + "_" + kNouns[number / 8 % 8];
}

absl::StatusOr<Config> PoolConfig(const TokenPool& pool) {
  Config config;
  IssuerConfig issuer;
  issuer.issuer = pool.issuer;
  issuer.jwks = pool.jwks;
  config.issuers.push_back(std::move(issuer));
  config.resources.push_back({.uri = pool.resource, .audiences = {}, .issuers = {}});
  std::istringstream words(pool.scope);
  const std::vector<std::string> scopes{std::istream_iterator<std::string>(words), {}};
  if (scopes.empty()) return absl::InvalidArgumentError("the token pool has no scope");
  PolicyBuilder policy;
  policy.AddClass({.name = "read"});  // The tokens live a day.
  for (size_t i = 0; i < kNumTools; ++i) {
    AccessRule rule;
    rule.name = ToolName(i);
    rule.scopes = {scopes[i % scopes.size()]};
    policy.AddRule(std::move(rule));
  }
  absl::StatusOr<Policy> built = policy.Build();
  if (!built.ok()) return built.status();
  config.policy = *std::move(built);
  return config;
}

}  // namespace tollgate::bench
