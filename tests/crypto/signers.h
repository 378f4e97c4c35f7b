#pragma once

// Keys of the test identity provider as this room takes them, and signatures that no honest signer makes.

#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/rsa.h>

#include "crypto/verify_key.h"
#include "tools/idp/mint.h"

namespace tollgate::crypto::test {

inline std::span<const uint8_t> Span(std::string_view bytes) {
  return {reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()};
}

inline std::string Decode(const idp::json& value) {
  return idp::Base64UrlDecode(value.get<std::string>()).value();
}

// KeyOf returns the public half of `key`.
inline VerifyKey KeyOf(const idp::SigningKey& key) {
  const idp::json jwk = key.PublicJwk();
  const std::string kty = jwk["kty"];
  if (kty == "RSA") return VerifyKey::Rsa(Span(Decode(jwk["n"])), Span(Decode(jwk["e"]))).value();
  if (kty == "OKP") return VerifyKey::Ed25519(Span(Decode(jwk["x"]))).value();
  const std::string crv = jwk["crv"];
  const KeyType type = crv == "P-256" ? KeyType::kP256 : crv == "P-384" ? KeyType::kP384 : KeyType::kP521;
  return VerifyKey::Ec(type, Span(Decode(jwk["x"])), Span(Decode(jwk["y"]))).value();
}

inline bssl::UniquePtr<BIGNUM> Number(std::string_view big_endian) {
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(Span(big_endian).data(), big_endian.size(), nullptr));
}

// Padded returns `number` in exactly `size` big-endian bytes.
inline std::string Padded(const BIGNUM* number, size_t size) {
  std::string bytes(size, '\0');
  EXPECT_TRUE(BN_bn2bin_padded(reinterpret_cast<uint8_t*>(bytes.data()), size, number));
  return bytes;
}

// RsaSigner signs what no honest signer would.
class RsaSigner {
 public:
  explicit RsaSigner(const idp::SigningKey& key) : rsa_(RSA_new()) {
    const idp::json jwk = key.PrivateJwk();
    EXPECT_TRUE(RSA_set0_key(rsa_.get(), Number(Decode(jwk["n"])).release(),
                             Number(Decode(jwk["e"])).release(), Number(Decode(jwk["d"])).release()));
  }
  RSA* rsa() const { return rsa_.get(); }
  size_t size() const { return RSA_size(rsa_.get()); }

  // Raw applies the private key to a block as long as the modulus.
  std::string Raw(std::string_view block) const {
    std::string signature(size(), '\0');
    size_t size_out = 0;
    EXPECT_TRUE(RSA_sign_raw(rsa_.get(), &size_out, reinterpret_cast<uint8_t*>(signature.data()),
                             signature.size(), Span(block).data(), block.size(), RSA_NO_PADDING));
    return signature;
  }

  std::string Pss(std::string_view digest, const EVP_MD* md, const EVP_MD* mgf1_md, int salt_len) const {
    std::string signature(size(), '\0');
    size_t size_out = 0;
    EXPECT_TRUE(RSA_sign_pss_mgf1(rsa_.get(), &size_out, reinterpret_cast<uint8_t*>(signature.data()),
                                  signature.size(), Span(digest).data(), digest.size(), md, mgf1_md,
                                  salt_len));
    return signature;
  }

 private:
  bssl::UniquePtr<RSA> rsa_;
};

}  // namespace tollgate::crypto::test
