#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tollgate/config.h"

namespace tollgate::bench {

// TokenPool is what an identity provider issued for a benchmark: access tokens by algorithm, all different,
// and the key set that verifies them. Thread-compatible.
struct TokenPool {
  std::string
      source;  // Who issued it, for the report: "oidc-provider 9.13.1", or the bundled minting library.
  std::string issuer;
  std::string resource;  // The tokens' audience.
  std::string scope;     // Space-delimited.
  std::string jwks_uri;  // Empty for a pool without a server.
  std::string jwks;
  std::map<std::string, std::vector<std::string>> tokens;  // By JWA name.
  int64_t expires_at_s = 0;                                // The earliest `exp` of all tokens.
  size_t bytes_mean = 0;

  const std::vector<std::string>& Of(std::string_view algorithm) const;
};

// ReadTokenPool reads a directory with pool.json ({"issuer", "resource", "scope", "source", "jwks_uri"}, the
// last two optional), jwks.json and one or more tokens_<ALG>.txt, a token a line. Fails with one line that
// names the file.
absl::StatusOr<TokenPool> ReadTokenPool(const std::string& directory);

// MintTokenPool makes `count` tokens of about `bytes` bytes for each algorithm with the repository's own test
// identity provider and its idp::TestKey of that algorithm. They expire in a day.
TokenPool MintTokenPool(std::string_view issuer, const std::vector<std::string>& algorithms, size_t count,
                        size_t bytes);

// PoolConfig returns a configuration that accepts the pool's tokens at the pool's resource: kNumTools tools
// named ToolName(0) and so on, each of which needs one of the pool's scopes, and the pool's key set inline.
absl::StatusOr<Config> PoolConfig(const TokenPool& pool);
inline constexpr size_t kNumTools = 64;
std::string ToolName(size_t number);

}  // namespace tollgate::bench
