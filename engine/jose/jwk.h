#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "crypto/digest.h"
#include "crypto/verify_key.h"
#include "json/document.h"
#include "tollgate/algorithm.h"

namespace tollgate::jose {

// Jwk is one usable public key of a JWK Set (RFC 7517), prepared for verification. Thread-compatible.
struct Jwk {
  std::string key_id;  // Empty with has_key_id false: the key has none.
  bool has_key_id = false;
  crypto::Sha256Digest thumbprint;  // RFC 7638, SHA-256.
  // What the key may verify: its `alg` alone if it has one, else what kty and crv can; nothing is in here
  // that its `use` or `key_ops` exclude.
  AlgorithmSet algorithms;
  crypto::VerifyKey key;
  // The member `issuer` of Microsoft's key sets: whose tokens the key may verify. Empty: there is none.
  std::string issuer{};
};

// SkippedJwk says why a member of the set is not used. The text names the rule, nothing else.
struct SkippedJwk {
  size_t position = 0;
  std::string why;
};

struct JwkSet {
  std::vector<Jwk> keys;
  std::vector<SkippedJwk> skipped;
};

// ParseJwk reads one JWK. InvalidArgument with one line for: a missing or mistyped member, an unknown kty or
// crv, kty "oct", a private key (d, p, q, … present: whoever publishes those has lost them), base64url that
// is not strict, a `use` other than "sig", key_ops without "verify", an `alg` that does not fit the kty, an
// `issuer` longer than limits::kIssuerBytesMax, a key that VerifyKey refuses.
absl::StatusOr<Jwk> ParseJwk(json::Value jwk);

// ParseJwkSet reads an RFC 7517 section 5 document strictly. One odd key is skipped and reported and does not
// spoil the others; keys beyond limits::kKeysPerSetMax are skipped. InvalidArgument if the text is no JSON
// object with an array `keys`, is longer than limits::kJwksBytesMax, or fails the strict reader. A set
// without usable keys is not an error here. Allocates.
absl::StatusOr<JwkSet> ParseJwkSet(std::string_view text);

}  // namespace tollgate::jose
