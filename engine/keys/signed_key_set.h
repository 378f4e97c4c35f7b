#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "keys/key_set.h"
#include "tollgate/algorithm.h"

namespace tollgate::keys {

// SignedSetRules is what one issuer's signed JWK Sets are held against.
struct SignedSetRules {
  std::string issuer;
  AlgorithmSet algorithms;
  int64_t leeway_s = 0;
  KeySet keys;  // That vouch for the sets. No token is verified with them.
};

// SignedSet is a JWK Set whose signature was verified.
struct SignedSet {
  std::string jwks;  // The payload, which is a JWK Set with further members.
  std::optional<int64_t> issued_at;
  std::optional<int64_t> expires_at;
};

// ReadSignedSet reads the answer of a signed_jwks_uri (OpenID Federation 1.0): a compact JWS up to
// limits::kSignedJwksBytesMax, read and verified as strictly as a token, with `typ` exactly "jwk-set+jwt", by
// the key that KeySet::Select finds, and an algorithm of the rules; `iss` and `sub` the issuer; `exp`, if
// there is one, not over, and `iat` not to come, but for the leeway. InvalidArgument otherwise: one line that
// repeats nothing of it. Whether `keys` holds any key is not looked at. Costs one signature verification and
// memory of some twenty times the text.
absl::StatusOr<SignedSet> ReadSignedSet(std::string_view text, const SignedSetRules& rules, int64_t wall_s);

}  // namespace tollgate::keys
