#pragma once

// The encoder of the test identity provider: keys, JWKs, tokens. It shares no code with engine/, so that a
// mistake in one of them shows as a disagreement. The only signing code of the repository.
//
// Not for production: private keys live in plain memory and in plain files.

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

namespace idp {

using json = nlohmann::json;

// Base64Url returns `bytes` in base64url without padding (RFC 4648 section 5).
std::string Base64Url(std::string_view bytes);

// Base64UrlDecode reverses Base64Url; nullopt if `text` is not exactly what Base64Url would have written.
std::optional<std::string> Base64UrlDecode(std::string_view text);

// Sha256 returns the 32 bytes of the digest.
std::string Sha256(std::string_view bytes);

// RandomBytes returns `len` bytes from the system's generator.
std::string RandomBytes(size_t len);

// The members of a public JWK that RFC 7517 leaves to the issuer.
struct JwkOptions {
  bool kid = true;
  bool alg = true;
  bool use = true;       // "use": "sig"
  bool key_ops = false;  // "key_ops": ["verify"]
};

// SigningKey is a private key with the algorithm and key id under which it signs. Copies share the key
// material. Immutable, hence thread-safe.
//
// Algorithms are JWA names: RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA, Ed25519 (the same
// under its RFC 9864 name), and HS256 HS384 HS512, which exist for attacks only.
class SigningKey {
 public:
  // Generate makes a new key; `rsa_bits` counts for RSA alone. An unknown `alg` ends the process: it is a
  // mistake in the caller's source. Use Supports for names from outside.
  static SigningKey Generate(std::string_view alg, std::string_view kid, int rsa_bits = 2048);

  // FromSecret makes an HMAC key out of any bytes, the empty string and a public key's PEM included.
  static SigningKey FromSecret(std::string_view alg, std::string_view kid, std::string_view secret);

  // FromPrivateJwk reads what PrivateJwk wrote, or any private JWK with "alg" (RFC 7518 section 6, RFC 8037
  // section 2; RSA with all CRT members). Failure: nullopt and a sentence in *error, without key material.
  static std::optional<SigningKey> FromPrivateJwk(const json& jwk, std::string* error);

  static bool Supports(std::string_view alg);

  const std::string& alg() const { return alg_; }
  const std::string& kid() const { return kid_; }

  // WithKid and WithAlg return the same key material under another name. WithAlg ends the process if `alg`
  // needs another kind of key.
  SigningKey WithKid(std::string_view kid) const;
  SigningKey WithAlg(std::string_view alg) const;

  // PublicJwk returns the JWK for a key set. For HS* it contains the secret: a set never should.
  json PublicJwk(const JwkOptions& options = {}) const;
  json PrivateJwk() const;

  // PublicPem returns the SubjectPublicKeyInfo in PEM, "" for HS*.
  std::string PublicPem() const;

  // Thumbprint is JwkThumbprint of the public key.
  std::string Thumbprint() const;

  // Sign returns the raw JWS signature: for ES* the fixed-length r || s of RFC 7518 section 3.4.
  std::string Sign(std::string_view signing_input) const;
  size_t SignatureLength() const;  // in bytes

 private:
  struct Material;
  SigningKey(std::string_view alg, std::string_view kid, std::shared_ptr<const Material> material);

  std::string alg_;
  std::string kid_;
  std::shared_ptr<const Material> material_;
};

// TestKey returns the n-th key of `alg`, made on first use and kept until the process ends, since RSA keys
// take long to generate under sanitizers. Its kid is "test-<alg>-<n>". Thread-safe.
const SigningKey& TestKey(std::string_view alg, int n = 0);

// JwkThumbprint returns the RFC 7638 SHA-256 thumbprint of a public or private JWK, in base64url.
std::string JwkThumbprint(const json& jwk);

// Jwks returns {"keys": […]}.
json Jwks(std::span<const SigningKey* const> keys, const JwkOptions& options = {});
json Jwks(std::span<const SigningKey> keys, const JwkOptions& options = {});
json Jwks(std::initializer_list<const SigningKey*> keys, const JwkOptions& options = {});

// Mint returns a compact JWS of `claims`. The header holds alg, kid and typ "at+jwt"; members of
// `extra_header` replace them, and one whose value is null is left out.
std::string Mint(const SigningKey& key, const json& claims, const json& extra_header = json::object());

// MintRaw signs exactly these bytes, whatever they are.
std::string MintRaw(const SigningKey& key, std::string_view header_json, std::string_view payload_json);

// MintToSize is Mint with a claim "pad" added so that the token has `bytes` bytes, or one more where
// base64url has no text of that length. A token that is longer already is returned as it is.
std::string MintToSize(const SigningKey& key, json claims, size_t bytes,
                       const json& extra_header = json::object());

// AccessTokenClaims returns the claims of an RFC 9068 access token, with a jti that is unique over processes.
// An empty `scope` is left out. Times are seconds since 1970.
json AccessTokenClaims(std::string_view issuer, std::string_view audience, std::string_view subject,
                       std::string_view client_id, std::string_view scope, int64_t iat, int64_t exp);

// EcdsaTwin returns the other valid form of an ES* token, signed (r, n - s) instead of (r, s). Needs no key;
// "" if `token` is not an ES* token.
std::string EcdsaTwin(std::string_view token);

// SaveKeys writes private keys as a JWK set that only its owner can read, atomically.
// Failure of either: false or nullopt, and a sentence in *error.
bool SaveKeys(const std::string& path, std::span<const SigningKey> keys, std::string* error);
std::optional<std::vector<SigningKey>> LoadKeys(const std::string& path, std::string* error);

}  // namespace idp
