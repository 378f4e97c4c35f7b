#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include <openssl/bn.h>

namespace tollgate::crypto {

// RsaPower raises signatures to the exponent of one public key: RSAVP1, RFC 8017 section 5.2.2. All that it
// works with is public, and its time tells so. Immutable. Thread-safe.
class RsaPower {
 public:
  // Make prepares an odd `modulus` without leading zero octets and an `exponent` ≥ 3; nullopt if there is no
  // memory.
  static std::optional<RsaPower> Make(std::span<const uint8_t> modulus, uint64_t exponent);

  // Raise writes signature^exponent mod modulus, big-endian; both spans are as long as the modulus. False if
  // the signature is not below the modulus, or if there is no memory. Allocates at a thread's first use.
  bool Raise(std::span<const uint8_t> signature, std::span<uint8_t> power) const;

 private:
  RsaPower() = default;
  std::vector<uint8_t> modulus_;
  uint64_t exponent_ = 0;
  bssl::UniquePtr<BN_MONT_CTX> montgomery_;
  bssl::UniquePtr<BIGNUM> correction_;  // R^exponent mod modulus; see Raise.
};

}  // namespace tollgate::crypto
