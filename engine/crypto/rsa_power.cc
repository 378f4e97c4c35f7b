#include "crypto/rsa_power.h"

#include <bit>
#include <cstring>

namespace tollgate::crypto {
namespace {

// Scratch is a thread's: making it costs more than a product.
struct Scratch {
  bssl::UniquePtr<BN_CTX> context{BN_CTX_new()};
  bssl::UniquePtr<BIGNUM> signature{BN_new()}, power{BN_new()};
  bool good() const { return context != nullptr && signature != nullptr && power != nullptr; }
};

}  // namespace

std::optional<RsaPower> RsaPower::Make(std::span<const uint8_t> modulus, uint64_t exponent) {
  RsaPower made;
  made.modulus_.assign(modulus.begin(), modulus.end());
  made.exponent_ = exponent;
  const bssl::UniquePtr<BN_CTX> context(BN_CTX_new());
  const bssl::UniquePtr<BIGNUM> n(BN_bin2bn(modulus.data(), modulus.size(), nullptr)), e(BN_new()),
      r(BN_new());
  made.correction_.reset(BN_new());
  if (context == nullptr || n == nullptr || e == nullptr || r == nullptr || made.correction_ == nullptr ||
      !BN_set_u64(e.get(), exponent)) {
    return std::nullopt;
  }
  made.montgomery_.reset(BN_MONT_CTX_new_for_modulus(n.get(), context.get()));
  if (made.montgomery_ == nullptr ||
      !BN_to_montgomery(r.get(), BN_value_one(), made.montgomery_.get(), context.get()) ||
      !BN_mod_exp_mont(made.correction_.get(), r.get(), e.get(), n.get(), context.get(),
                       made.montgomery_.get())) {
    return std::nullopt;
  }
  return made;
}

bool RsaPower::Raise(std::span<const uint8_t> signature, std::span<uint8_t> power) const {
  if (std::memcmp(signature.data(), modulus_.data(), modulus_.size()) >= 0) return false;
  thread_local const Scratch scratch;
  BIGNUM* const s = scratch.signature.get();
  BIGNUM* const x = scratch.power.get();
  if (!scratch.good() || BN_bin2bn(signature.data(), signature.size(), s) == nullptr) return false;
  // Montgomery's product of a and b is a b / R. Taken of s as it is, a product of k of them is s^k / R^(k-1),
  // and that of s^e / R^(e-1) and R^e is s^e: neither has s to be converted nor the result.
  const auto multiply = [&](const BIGNUM* a, const BIGNUM* b) {
    return BN_mod_mul_montgomery(x, a, b, montgomery_.get(), scratch.context.get()) == 1;
  };
  const BIGNUM* so_far = s;
  for (uint64_t bit = std::bit_floor(exponent_) >> 1; bit != 0; bit >>= 1) {
    if (!multiply(so_far, so_far)) return false;
    if ((exponent_ & bit) != 0 && !multiply(x, s)) return false;
    so_far = x;
  }
  return multiply(x, correction_.get()) && BN_bn2bin_padded(power.data(), power.size(), x);
}

}  // namespace tollgate::crypto
