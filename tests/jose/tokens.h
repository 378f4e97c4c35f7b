#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "jose/jwk.h"
#include "jose/jws.h"
#include "tools/idp/mint.h"

namespace tollgate::jose::test {

// Token joins three parts, of which the first two are given decoded.
inline std::string Token(std::string_view header, std::string_view payload,
                         std::string_view signature = "AAAA") {
  return idp::Base64Url(header) + "." + idp::Base64Url(payload) + "." + std::string(signature);
}

inline Reason Parse(std::string_view token) { return ParsedJws().Parse(token); }

// ReasonOfHeader returns what Parse says about a token of this header.
inline Reason ReasonOfHeader(std::string_view header) { return Parse(Token(header, "{}")); }

inline absl::StatusOr<Jwk> ReadJwk(std::string_view text) {
  json::Document document(64 * 1024);
  if (document.Parse(text) != Reason::kNone) return absl::InvalidArgumentError("not JSON");
  return ParseJwk(document.root());
}

// KeyOf returns the public half of `key` as a verifier reads it.
inline Jwk KeyOf(const idp::SigningKey& key) { return ReadJwk(key.PublicJwk().dump()).value(); }

// Check parses and verifies with one key, as a caller that allows every algorithm that the key permits.
inline Reason Check(std::string_view token, const Jwk& key) {
  ParsedJws jws;
  if (const Reason reason = jws.Parse(token); reason != Reason::kNone) return reason;
  if (!key.algorithms.Contains(jws.header().algorithm)) return Reason::kKeyAlgorithmMismatch;
  std::optional<VerifiedJws> verified;
  const Reason reason = Verify(jws, key.key, &verified);
  return verified.has_value() == (reason == Reason::kNone) ? reason : Reason::kUndecided;
}

}  // namespace tollgate::jose::test
