#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "absl/status/statusor.h"
#include "bench/lib/token_pool.h"
#include "bench/outage/load.h"
#include "bench/outage/scenario_file.h"

namespace tollgate::bench {

// TokenSupply has good tokens of one issuer. Owner thread only.
class TokenSupply {
 public:
  virtual ~TokenSupply() = default;
  // Take returns up to `count` tokens that it has not returned before; of a forged kind, good ones to be
  // forged. None: this supply has nothing of the kind.
  virtual std::vector<std::string> Take(TokenKind kind, size_t count) = 0;
};

// MakePoolSupply takes tokens out of a pool, which must outlive it: known and new ones of RS256, ES256 and
// EdDSA, never more than half of them known, and those to be forged but for ES512.
std::unique_ptr<TokenSupply> MakePoolSupply(const TokenPool& pool);

// MakeMintingSupply makes tokens of every kind with the keys of BundledKeys, issued two hours ago and good
// for four more. Those of kTenant are of `num_tenants` issuers.
std::unique_ptr<TokenSupply> MakeMintingSupply(const TokenPool& about, size_t num_tenants = 0);

// TenantOfToken returns whose the i-th of the tenants' tokens is: the even ones' tenants are the first, whose
// keys are fetched first, the odd ones' are spread over all.
uint32_t TenantOfToken(size_t i, size_t num_tenants);

// DemandOf returns what is to be asked about the i-th token of a kind.
Demand DemandOf(TokenKind kind, size_t i);

// DemandPolicy adds tools to the policy whose class demands just that; ToolOf has their names.
// LastKnownAgeS is how old, in seconds, an answer may be that stands in for another one in an outage: ten
// minutes of the contract, and at least one second.
absl::StatusOr<Policy> DemandPolicy(const Policy& policy, double factor);
std::string ToolOf(Demand demand);
int64_t LastKnownAgeS(double factor);

// AnswerAbout returns an answer "active" (RFC 7662 section 2.2) without the member that says so: of tokens
// like those that are minted.
nlohmann::json AnswerAbout(const TokenPool& about);

// Algorithms of the keys that the repository's own identity provider begins with, idp::TestKey(…, 0), and the
// names of those that come and go.
inline constexpr std::string_view kBundledAlgorithms[] = {"RS256", "ES256", "EdDSA", "ES512"};
struct ChangingKey {
  std::string_view algorithm;
  int number;  // Of idp::TestKey.
};
inline constexpr ChangingKey kCompromised = {"ES256", 1}, kRotated = {"EdDSA", 1};

// MakeSources makes the calls that the scenario offers, `num_known` known tokens among them. Tokens that are
// offered once are made for as many as all phases want; where the supply has fewer, their rate goes down.
// Those that are asked about have numbers, from 0 up.
absl::StatusOr<CallSources> MakeSources(const Scenario& scenario, double factor, double rate_max_hz,
                                        size_t num_known, TokenSupply& supply);

}  // namespace tollgate::bench
