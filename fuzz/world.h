#pragma once

#include <cstdint>

#include "tools/idp/mint.h"

// The small world in which claims and whole tokens are fuzzed: two issuers, two resources, fixed keys, one
// moment.
namespace tollgate::fuzz {

inline constexpr char kIssuer[] = "https://idp.example";
inline constexpr char kSecondIssuer[] = "https://second.example";
inline constexpr char kResource[] = "https://mcp.example/mcp";
inline constexpr char kOtherResource[] = "https://other.example/mcp";
inline constexpr int64_t kNow = 1'800'000'000;

// The private keys printed in RFC 8037 appendix A.1 and RFC 7517 appendix A.2, under the kids "ed" and "ec".
const idp::SigningKey& EdKey();
const idp::SigningKey& EcKey();
// The second issuer's key has the kid "ed" too: a kid means nothing without its issuer.
const idp::SigningKey& SecondEdKey();
// The public key of RFC 7638 section 3.1, under the kid "rsa".
nlohmann::json RsaPublicJwk();

// A good token's claims, by RFC 9068, with a fixed jti.
nlohmann::json GoodClaims();

}  // namespace tollgate::fuzz
