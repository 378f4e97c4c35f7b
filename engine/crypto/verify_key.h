#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>

#include "absl/status/statusor.h"
#include "tollgate/algorithm.h"

namespace tollgate::crypto {

enum class KeyType : uint8_t { kRsa, kP256, kP384, kP521, kEd25519 };

// SignatureCheck is the outcome of one verification. A wrong length is told apart because RFC 7518
// sections 3.3–3.5 and RFC 8032 fix it, and it is found without any arithmetic.
enum class SignatureCheck : uint8_t { kBad = 0, kBadLength, kWrongKeyType, kGood };

// VerifyKey is a public key, parsed, checked and prepared once (RSA: Montgomery context built; EC: point on
// the curve), so that a verification parses nothing and makes no key object. Immutable. Thread-safe.
class VerifyKey {
 public:
  // The factories take big-endian unsigned integers as in RFC 7518 section 6. InvalidArgument, with one line
  // that holds no key material, if a value is out of its range (limits.h), not canonical (leading zero octet
  // in RSA values; EC coordinates not exactly as long as the field), not on the curve, the point at infinity,
  // or (Ed25519) not 32 bytes.
  static absl::StatusOr<VerifyKey> Rsa(std::span<const uint8_t> modulus, std::span<const uint8_t> exponent);
  // `type` is kP256, kP384 or kP521.
  static absl::StatusOr<VerifyKey> Ec(KeyType type, std::span<const uint8_t> x, std::span<const uint8_t> y);
  static absl::StatusOr<VerifyKey> Ed25519(std::span<const uint8_t> public_key);

  VerifyKey(VerifyKey&&) noexcept;
  VerifyKey& operator=(VerifyKey&&) noexcept;
  ~VerifyKey();

  KeyType type() const { return type_; }
  // Algorithms that this kind of key can verify.
  AlgorithmSet algorithms() const;

  // Verify checks `signature` over `signing_input` (RFC 7515 section 5.2). Never blocks, does not throw.
  // Allocates for PSS, inside BoringSSL, and at a thread's first use. Leaves BoringSSL's thread-local error
  // queue empty.
  SignatureCheck Verify(Algorithm algorithm, std::string_view signing_input,
                        std::span<const uint8_t> signature) const;

 private:
  struct Impl;
  VerifyKey(KeyType type, std::unique_ptr<const Impl> impl);
  KeyType type_;
  std::unique_ptr<const Impl> impl_;
};

}  // namespace tollgate::crypto
