#include "crypto/rsa_power.h"

#include <random>
#include <string>
#include <vector>

#include <gtest/gtest.h>
#include <openssl/err.h>
#include <openssl/rsa.h>

namespace tollgate::crypto {
namespace {

using Bytes = std::vector<uint8_t>;

bssl::UniquePtr<BIGNUM> Number(const Bytes& bytes) {
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(bytes.data(), bytes.size(), nullptr));
}

Bytes Padded(const BIGNUM* number, size_t size) {
  Bytes bytes(size);
  EXPECT_TRUE(BN_bn2bin_padded(bytes.data(), size, number));
  return bytes;
}

class RsaPowerTest : public ::testing::TestWithParam<int> {
 protected:
  // Random has exactly `bits` bits and is odd.
  Bytes Random(int bits) {
    Bytes bytes(static_cast<size_t>(bits + 7) / 8);
    for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random_());
    const int top = (bits - 1) % 8;
    bytes.front() = static_cast<uint8_t>((bytes.front() & ((1 << top) - 1)) | 1 << top);
    bytes.back() |= 1;
    return bytes;
  }

  std::mt19937 random_{20260101};
};

// Where BoringSSL's own way refuses, or what it finds.
std::optional<Bytes> RaiseByBoringSsl(RSA* rsa, const Bytes& signature) {
  Bytes power(signature.size());
  size_t size = 0;
  const bool good = RSA_verify_raw(rsa, &size, power.data(), power.size(), signature.data(), signature.size(),
                                   RSA_NO_PADDING) == 1;
  ERR_clear_error();
  return good ? std::optional(power) : std::nullopt;
}

std::optional<Bytes> Raise(const RsaPower& key, const Bytes& signature) {
  Bytes power(signature.size());
  return key.Raise(signature, power) ? std::optional(power) : std::nullopt;
}

TEST_P(RsaPowerTest, AgreesWithBoringSslsOwnWay) {
  const size_t size = static_cast<size_t>(GetParam() + 7) / 8;
  for (const uint64_t exponent : {3u, 5u, 17u, 257u, 65'535u, 65'537u, 0x80000001u, 0xffffffffu}) {
    const Bytes modulus = Random(GetParam());
    const bssl::UniquePtr<BIGNUM> n = Number(modulus), e(BN_new());
    ASSERT_TRUE(BN_set_u64(e.get(), exponent));
    const bssl::UniquePtr<RSA> rsa(RSA_new());
    ASSERT_TRUE(RSA_set0_key(rsa.get(), BN_dup(n.get()), BN_dup(e.get()), nullptr));
    const std::optional<RsaPower> key = RsaPower::Make(modulus, exponent);
    ASSERT_TRUE(key.has_value());

    std::vector<Bytes> signatures;
    for (const int near_zero : {0, 1, 2, 3}) {
      signatures.emplace_back(size).back() = static_cast<uint8_t>(near_zero);
      bssl::UniquePtr<BIGNUM> near_n(BN_dup(n.get()));
      ASSERT_TRUE(BN_sub_word(near_n.get(), static_cast<BN_ULONG>(near_zero)));
      signatures.push_back(Padded(near_n.get(), size));
    }
    signatures.emplace_back(size, 0xff);
    for (size_t zeros = 0; zeros < size; zeros += 7) {
      Bytes signature = Random(GetParam());
      std::fill_n(signature.begin(), zeros, 0);
      signatures.push_back(std::move(signature));
    }
    int num_good = 0;
    for (const Bytes& signature : signatures) {
      const std::optional<Bytes> expected = RaiseByBoringSsl(rsa.get(), signature);
      ASSERT_EQ(Raise(*key, signature), expected) << exponent;
      num_good += expected.has_value();
    }
    EXPECT_GT(num_good, 10);
    EXPECT_LT(num_good, static_cast<int>(signatures.size()));
  }
}

INSTANTIATE_TEST_SUITE_P(Bits, RsaPowerTest, ::testing::Values(2048, 2049, 2056, 2111, 3072, 4095, 4096),
                         ::testing::PrintToStringParamName());

TEST_F(RsaPowerTest, WhatIsNotBelowTheModulusIsRefused) {
  const Bytes modulus = Random(2048);
  const std::optional<RsaPower> key = RsaPower::Make(modulus, 65'537);
  ASSERT_TRUE(key.has_value());
  EXPECT_FALSE(Raise(*key, modulus).has_value());
  Bytes above = modulus;
  above.back() = static_cast<uint8_t>(above.back() + 1);  // Odd: no carry but from 0xff.
  if (above.back() == 0) GTEST_FAIL() << "choose another seed";
  EXPECT_FALSE(Raise(*key, above).has_value());
}

}  // namespace
}  // namespace tollgate::crypto
