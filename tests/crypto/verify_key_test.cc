#include "crypto/verify_key.h"

#include <array>
#include <thread>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/digest.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/nid.h>

#include "tests/crypto/signers.h"

namespace tollgate::crypto {
namespace {

using test::Decode;
using test::KeyOf;
using test::Number;
using test::Padded;
using test::RsaSigner;
using test::Span;
using ::testing::HasSubstr;

constexpr std::string_view kInput = "header.payload";

// Every test also holds that no error is left behind for the next caller on this thread.
class VerifyKeyTest : public ::testing::Test {
 protected:
  void TearDown() override { EXPECT_EQ(ERR_peek_error(), 0u); }
};

class EveryAlgorithm : public VerifyKeyTest, public ::testing::WithParamInterface<Algorithm> {
 protected:
  const idp::SigningKey& signer() const { return idp::TestKey(AlgorithmName(GetParam())); }
};

INSTANTIATE_TEST_SUITE_P(VerifyKey, EveryAlgorithm, ::testing::ValuesIn([] {
                           std::vector<Algorithm> all;
                           for (int i = 0; i < kAlgorithmCount; ++i) all.push_back(static_cast<Algorithm>(i));
                           return all;
                         }()),
                         [](const auto& test) { return std::string(AlgorithmName(test.param)); });

TEST_P(EveryAlgorithm, ItsNameIsReadBack) {
  EXPECT_EQ(AlgorithmFromName(AlgorithmName(GetParam())), GetParam());
  std::string other_case(AlgorithmName(GetParam()));
  for (char& c : other_case) c = static_cast<char>(std::islower(c) ? std::toupper(c) : std::tolower(c));
  EXPECT_EQ(AlgorithmFromName(other_case), std::nullopt);
  EXPECT_EQ(AlgorithmFromName(std::string(AlgorithmName(GetParam())) + " "), std::nullopt);
}

TEST_P(EveryAlgorithm, AcceptsItsSignature) {
  const VerifyKey key = KeyOf(signer());
  EXPECT_EQ(key.Verify(GetParam(), kInput, Span(signer().Sign(kInput))), SignatureCheck::kGood);
  EXPECT_EQ(key.Verify(GetParam(), "", Span(signer().Sign(""))), SignatureCheck::kGood);
}

TEST_P(EveryAlgorithm, RefusesAnotherInput) {
  const VerifyKey key = KeyOf(signer());
  const std::string signature = signer().Sign(kInput);
  EXPECT_EQ(key.Verify(GetParam(), "header.payloae", Span(signature)), SignatureCheck::kBad);
  EXPECT_EQ(key.Verify(GetParam(), "header.payloa", Span(signature)), SignatureCheck::kBad);
  EXPECT_EQ(key.Verify(GetParam(), "", Span(signature)), SignatureCheck::kBad);
}

TEST_P(EveryAlgorithm, RefusesAnotherKeyOfItsKind) {
  const VerifyKey other = KeyOf(idp::TestKey(AlgorithmName(GetParam()), 1));
  EXPECT_EQ(other.Verify(GetParam(), kInput, Span(signer().Sign(kInput))), SignatureCheck::kBad);
}

TEST_P(EveryAlgorithm, RefusesAnyFlippedBit) {
  const VerifyKey key = KeyOf(signer());
  std::string signature = signer().Sign(kInput);
  // A step that is no multiple of 8 visits every position within a byte; slow curves take fewer.
  const size_t step = key.type() == KeyType::kP384 || key.type() == KeyType::kP521 ? 61 : 13;
  for (size_t bit = 0; bit < signature.size() * 8; bit += step) {
    signature[bit / 8] = static_cast<char>(signature[bit / 8] ^ (1 << bit % 8));
    EXPECT_EQ(key.Verify(GetParam(), kInput, Span(signature)), SignatureCheck::kBad) << bit;
    signature[bit / 8] = static_cast<char>(signature[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_EQ(key.Verify(GetParam(), kInput, Span(signature)), SignatureCheck::kGood);
}

// RFC 7518 sections 3.3 to 3.5: the length is fixed, also where leading zeros would leave the number the
// same.
TEST_P(EveryAlgorithm, RefusesAnyOtherLength) {
  const VerifyKey key = KeyOf(signer());
  const std::string signature = signer().Sign(kInput);
  for (const std::string& wrong :
       {std::string(), std::string("x"), signature.substr(1), signature.substr(0, signature.size() - 1),
        std::string(1, '\0') + signature, signature + std::string(1, '\0'), signature + signature}) {
    EXPECT_EQ(key.Verify(GetParam(), kInput, Span(wrong)), SignatureCheck::kBadLength) << wrong.size();
  }
}

TEST_P(EveryAlgorithm, RefusesConstantSignatures) {
  const VerifyKey key = KeyOf(signer());
  const size_t size = signer().Sign(kInput).size();
  std::string one(size, '\0');
  one.back() = 1;
  for (const std::string& constant : {std::string(size, '\0'), std::string(size, '\xff'), one}) {
    EXPECT_EQ(key.Verify(GetParam(), kInput, Span(constant)), SignatureCheck::kBad);
  }
}

// RFC 7518 section 3.1: each EC algorithm has one curve; Ed25519 has two names.
TEST_P(EveryAlgorithm, FitsKeysOfItsOwnKindAlone) {
  const std::string signature = signer().Sign(kInput);
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const auto other = static_cast<Algorithm>(i);
    const VerifyKey key = KeyOf(idp::TestKey(AlgorithmName(other)));
    const auto family = [](Algorithm a) {
      if (a <= Algorithm::kPs512) return 0;
      return a >= Algorithm::kEdDsa ? 1 : 2 + static_cast<int>(a);
    };
    const bool fits = family(other) == family(GetParam());
    EXPECT_EQ(key.algorithms().Contains(GetParam()), fits) << AlgorithmName(other);
    EXPECT_EQ(key.Verify(GetParam(), kInput, Span(signature)) != SignatureCheck::kWrongKeyType, fits)
        << AlgorithmName(other);
  }
}

TEST_P(EveryAlgorithm, IsNotAnyOtherAlgorithmOfTheSameKey) {
  const VerifyKey key = KeyOf(signer());
  const std::string signature = signer().Sign(kInput);
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const auto other = static_cast<Algorithm>(i);
    if (!key.algorithms().Contains(other)) continue;
    const bool same = AlgorithmSet(other) == AlgorithmSet(GetParam());
    EXPECT_EQ(key.Verify(other, kInput, Span(signature)) == SignatureCheck::kGood, same)
        << AlgorithmName(other);
  }
}

TEST_P(EveryAlgorithm, ManyThreadsMayUseAKeyAtOnceFromItsFirstUseOn) {
  const VerifyKey key = KeyOf(signer());
  const std::string good = signer().Sign(kInput);
  std::string bad = good;
  bad[bad.size() / 2] = static_cast<char>(bad[bad.size() / 2] ^ 1);
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 8; ++j) {
        EXPECT_EQ(key.Verify(GetParam(), kInput, Span(good)), SignatureCheck::kGood);
        EXPECT_EQ(key.Verify(GetParam(), kInput, Span(bad)), SignatureCheck::kBad);
      }
      EXPECT_EQ(ERR_peek_error(), 0u);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_P(EveryAlgorithm, AMovedKeyStillVerifies) {
  VerifyKey from = KeyOf(signer());
  VerifyKey key = KeyOf(idp::TestKey("ES256", 1));
  key = std::move(from);
  const VerifyKey moved(std::move(key));
  EXPECT_EQ(moved.Verify(GetParam(), kInput, Span(signer().Sign(kInput))), SignatureCheck::kGood);
}

TEST(AlgorithmFromName, KnowsNoSymmetricNoneOrOtherName) {
  for (const char* name :
       {"", "none", "None", "HS256", "HS384", "HS512", "ES256K", "RS1", "Ed448", "dir", "RSA-OAEP"}) {
    EXPECT_EQ(AlgorithmFromName(name), std::nullopt) << name;
  }
  EXPECT_EQ(AlgorithmFromName(std::string_view("RS256\0", 6)), std::nullopt);
  EXPECT_EQ(AlgorithmName(static_cast<Algorithm>(kAlgorithmCount)), "unknown");
}

// ECDSA.

struct EcCase {
  const char* alg;
  int nid;
  size_t half;
};
constexpr EcCase kEcCases[] = {
    {"ES256", NID_X9_62_prime256v1, 32}, {"ES384", NID_secp384r1, 48}, {"ES512", NID_secp521r1, 66}};

class Ecdsa : public VerifyKeyTest, public ::testing::WithParamInterface<EcCase> {
 protected:
  Ecdsa()
      : signer_(idp::TestKey(GetParam().alg)),
        key_(KeyOf(signer_)),
        algorithm_(*AlgorithmFromName(GetParam().alg)),
        group_(EC_GROUP_new_by_curve_name(GetParam().nid)) {
    const std::string signature = signer_.Sign(kInput);
    r_ = signature.substr(0, GetParam().half);
    s_ = signature.substr(GetParam().half);
  }

  SignatureCheck Check(const std::string& r, const std::string& s) const {
    return key_.Verify(algorithm_, kInput, Span(r + s));
  }
  std::string zero() const { return std::string(GetParam().half, '\0'); }
  std::string order() const { return Padded(EC_GROUP_get0_order(group_.get()), GetParam().half); }

  const idp::SigningKey& signer_;
  const VerifyKey key_;
  const Algorithm algorithm_;
  const bssl::UniquePtr<EC_GROUP> group_;
  std::string r_, s_;
};

INSTANTIATE_TEST_SUITE_P(VerifyKey, Ecdsa, ::testing::ValuesIn(kEcCases),
                         [](const auto& test) { return std::string(test.param.alg); });

// CVE-2022-21449, "psychic signatures", and its neighbours.
TEST_P(Ecdsa, RefusesZeroAndOrderAsROrS) {
  ASSERT_EQ(Check(r_, s_), SignatureCheck::kGood);
  for (const std::string& bad : {zero(), order()}) {
    EXPECT_EQ(Check(bad, s_), SignatureCheck::kBad);
    EXPECT_EQ(Check(r_, bad), SignatureCheck::kBad);
    EXPECT_EQ(Check(bad, bad), SignatureCheck::kBad);
  }
}

TEST_P(Ecdsa, RefusesSPlusOrder) {
  bssl::UniquePtr<BIGNUM> sum = Number(s_);
  ASSERT_TRUE(BN_add(sum.get(), sum.get(), EC_GROUP_get0_order(group_.get())));
  if (BN_num_bytes(sum.get()) > GetParam().half) {  // Then s is too large for a second form of this length.
    ASSERT_TRUE(BN_copy(sum.get(), EC_GROUP_get0_order(group_.get())));
    ASSERT_TRUE(BN_add_word(sum.get(), 1));
  }
  EXPECT_EQ(Check(r_, Padded(sum.get(), GetParam().half)), SignatureCheck::kBad);
}

// ECDSA is malleable, and JWS does not ask for a low s: this is known, and the reason why nothing keys on
// token bytes.
TEST_P(Ecdsa, AcceptsTheTwin) {
  bssl::UniquePtr<BIGNUM> twin(BN_new());
  ASSERT_TRUE(BN_sub(twin.get(), EC_GROUP_get0_order(group_.get()), Number(s_).get()));
  EXPECT_EQ(Check(r_, Padded(twin.get(), GetParam().half)), SignatureCheck::kGood);
}

TEST_P(Ecdsa, RefusesSwappedHalvesAndDer) {
  EXPECT_EQ(Check(s_, r_), SignatureCheck::kBad);
  const auto tagged = [](char tag, const std::string& content) {
    return std::string{tag, static_cast<char>(content.size())}.append(content);
  };
  const std::string zero_byte(1, '\0');
  const std::string der =
      tagged('\x30', tagged('\x02', zero_byte + r_).append(tagged('\x02', zero_byte + s_)));
  EXPECT_EQ(key_.Verify(algorithm_, kInput, Span(der)), SignatureCheck::kBadLength);
}

TEST_P(Ecdsa, RefusesPointsThatAreNone) {
  const idp::json jwk = signer_.PublicJwk();
  const std::string x = Decode(jwk["x"]), y = Decode(jwk["y"]);
  const KeyType type = key_.type();
  bssl::UniquePtr<BIGNUM> p(BN_new());
  ASSERT_TRUE(EC_GROUP_get_curve_GFp(group_.get(), p.get(), nullptr, nullptr, nullptr));
  const std::string prime = Padded(p.get(), GetParam().half);
  std::string off = y;
  off.back() = static_cast<char>(off.back() ^ 1);
  const auto why = [&](const std::string& a, const std::string& b) {
    return std::string(VerifyKey::Ec(type, Span(a), Span(b)).status().message());
  };
  EXPECT_EQ(why(x, y), "");
  EXPECT_THAT(why(x, off), HasSubstr("not on the curve"));
  EXPECT_THAT(why(y, x), HasSubstr("not on the curve"));
  EXPECT_THAT(why(zero(), zero()), HasSubstr("not on the curve"));
  EXPECT_THAT(why(prime, y), HasSubstr("not on the curve"));
  EXPECT_THAT(why(std::string(GetParam().half, '\xff'), y), HasSubstr("not on the curve"));
  // RFC 7518 section 6.2.1.2: as long as the field, leading zeros included.
  for (const std::string& wrong : {std::string(), x.substr(1), std::string(1, '\0') + x}) {
    EXPECT_THAT(why(wrong, y), HasSubstr("exactly as long"));
    EXPECT_THAT(why(x, wrong), HasSubstr("exactly as long"));
  }
}

TEST_P(Ecdsa, APointOfAnotherCurveIsRefused) {
  for (const EcCase& other : kEcCases) {
    const idp::json jwk = idp::TestKey(other.alg).PublicJwk();
    const auto key = VerifyKey::Ec(key_.type(), Span(Decode(jwk["x"])), Span(Decode(jwk["y"])));
    EXPECT_EQ(key.ok(), other.nid == GetParam().nid) << other.alg;
  }
}

TEST_F(VerifyKeyTest, EcIsNotForOtherKinds) {
  const std::string x(32, '\1');
  EXPECT_FALSE(VerifyKey::Ec(KeyType::kRsa, Span(x), Span(x)).ok());
  EXPECT_FALSE(VerifyKey::Ec(KeyType::kEd25519, Span(x), Span(x)).ok());
}

// RSA.

std::string ModulusOf(const idp::SigningKey& key) { return Decode(key.PublicJwk()["n"]); }

const std::string kE65537 = std::string("\x01\x00\x01", 3);

std::string WhyRsa(const std::string& n, const std::string& e) {
  return std::string(VerifyKey::Rsa(Span(n), Span(e)).status().message());
}

// Modulus returns an odd number of exactly `bits` bits. Whether it is a product of two primes, nobody can
// see.
std::string Modulus(int bits) {
  std::string n(static_cast<size_t>(bits + 7) / 8, '\x5b');
  n[0] = static_cast<char>((1 << (bits - 1) % 8) | (n[0] & ((1 << (bits - 1) % 8) - 1)));
  return n;
}

TEST_F(VerifyKeyTest, RsaModulusBoundsAreExact) {
  EXPECT_EQ(WhyRsa(Modulus(2048), kE65537), "");
  EXPECT_EQ(WhyRsa(Modulus(2049), kE65537), "");
  EXPECT_EQ(WhyRsa(Modulus(4096), kE65537), "");
  EXPECT_THAT(WhyRsa(Modulus(2047), kE65537), HasSubstr("too short"));
  EXPECT_THAT(WhyRsa(Modulus(1024), kE65537), HasSubstr("too short"));
  EXPECT_THAT(WhyRsa(Modulus(4097), kE65537), HasSubstr("too long"));
  EXPECT_THAT(WhyRsa(Modulus(16384), kE65537), HasSubstr("too long"));
  EXPECT_THAT(WhyRsa("", kE65537), HasSubstr("too short"));
}

TEST_F(VerifyKeyTest, RsaExponentIsOddFromThreeToThirtyTwoBits) {
  const std::string n = Modulus(2048);
  for (const std::string& good :
       {std::string("\x03"), std::string("\x11"), kE65537, std::string("\xff\xff\xff\xff")}) {
    EXPECT_EQ(WhyRsa(n, good), "");
  }
  for (const std::string& even_or_one :
       {std::string(), std::string("\x01"), std::string("\x02"), std::string("\x01\x00", 2)}) {
    EXPECT_THAT(WhyRsa(n, even_or_one), HasSubstr("even or less than 3"));
  }
  EXPECT_THAT(WhyRsa(n, std::string("\x01\x00\x00\x00\x01", 5)), HasSubstr("exponent is too long"));
  EXPECT_THAT(WhyRsa(n, n), HasSubstr("exponent is too long"));
}

TEST_F(VerifyKeyTest, RsaValuesAreMinimalAndOdd) {
  const std::string zero(1, '\0');
  EXPECT_THAT(WhyRsa(zero + Modulus(2048), kE65537), HasSubstr("modulus has a leading zero"));
  EXPECT_THAT(WhyRsa(Modulus(2048), zero + kE65537), HasSubstr("exponent has a leading zero"));
  EXPECT_THAT(WhyRsa(Modulus(2048), zero), HasSubstr("exponent has a leading zero"));
  std::string even = Modulus(2048);
  even.back() = static_cast<char>(even.back() & ~1);
  EXPECT_THAT(WhyRsa(even, kE65537), HasSubstr("even"));
}

TEST_F(VerifyKeyTest, ErrorsHoldNoKeyMaterial) {
  const std::string n = ModulusOf(idp::TestKey("RS256"));
  const std::string why = WhyRsa(n.substr(0, 128), kE65537);
  EXPECT_EQ(why.find('\n'), std::string::npos);
  EXPECT_LT(why.size(), 64u);
}

class RsaTest : public VerifyKeyTest {
 protected:
  SignatureCheck Check(Algorithm algorithm, const std::string& signature) const {
    return key_.Verify(algorithm, kInput, Span(signature));
  }

  // Block returns an EMSA-PKCS1-v1_5 encoding of the digest of kInput with its parts replaced at will.
  std::string Block(std::string_view start, size_t num_ff, std::string_view info,
                    std::string_view tail = "") const {
    std::string block(start);
    block.append(num_ff, '\xff').append(1, '\0').append(info).append(idp::Sha256(kInput)).append(tail);
    return block;
  }

  // DigestInfo of SHA-256 (RFC 8017 section 9.2), with and without the NULL parameters.
  static constexpr std::string_view kInfo{
      "\x30\x31\x30\x0d\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x05\x00\x04\x20", 19};
  static constexpr std::string_view kInfoWithoutNull{
      "\x30\x2f\x30\x0b\x06\x09\x60\x86\x48\x01\x65\x03\x04\x02\x01\x04\x20", 17};

  const idp::SigningKey& idp_key_ = idp::TestKey("RS256");
  const RsaSigner signer_{idp_key_};
  const VerifyKey key_ = KeyOf(idp_key_);
};

TEST_F(RsaTest, OnlyTheExactPkcs1EncodingPasses) {
  const std::string_view start("\x00\x01", 2);
  const size_t full = signer_.size() - 2 - 1 - kInfo.size() - 32;
  const std::string_view rs256("RS256");
  const auto check = [&](const std::string& block) {
    EXPECT_EQ(block.size(), signer_.size());
    return Check(*AlgorithmFromName(rs256), signer_.Raw(block));
  };
  EXPECT_EQ(check(Block(start, full, kInfo)), SignatureCheck::kGood);
  // Bleichenbacher 2006: short padding, and what the attacker likes behind the digest.
  EXPECT_EQ(check(Block(start, 8, kInfo, std::string(full - 8, 'x'))), SignatureCheck::kBad);
  EXPECT_EQ(check(Block(start, full - 1, kInfo, std::string(1, '\0'))), SignatureCheck::kBad);
  // The parameters left out.
  EXPECT_EQ(check(Block(start, full + 2, kInfoWithoutNull)), SignatureCheck::kBad);
  // No DigestInfo at all.
  EXPECT_EQ(check(Block(start, full + kInfo.size(), "")), SignatureCheck::kBad);
  // Block type 2, and a first octet that is not zero.
  EXPECT_EQ(check(Block(std::string_view("\x00\x02", 2), full, kInfo)), SignatureCheck::kBad);
  EXPECT_EQ(check(Block(std::string_view("\x01\x01", 2), full, kInfo)), SignatureCheck::kBad);
  // A zero within the padding.
  std::string hole = Block(start, full, kInfo);
  hole[20] = '\0';
  EXPECT_EQ(check(hole), SignatureCheck::kBad);
}

TEST_F(RsaTest, TheSignatureAsANumberIsBelowTheModulus) {
  const bssl::UniquePtr<BIGNUM> n = Number(ModulusOf(idp_key_));
  std::string input(kInput);
  for (int i = 0; i < 1000; ++i) {  // About one signature in three has s + n in the same number of bytes.
    input += 'x';
    bssl::UniquePtr<BIGNUM> s = Number(idp_key_.Sign(input));
    ASSERT_TRUE(BN_add(s.get(), s.get(), n.get()));
    if (BN_num_bytes(s.get()) > signer_.size()) continue;
    EXPECT_EQ(key_.Verify(Algorithm::kRs256, input, Span(Padded(s.get(), signer_.size()))),
              SignatureCheck::kBad);
    return;
  }
  FAIL() << "no signature was small enough";
}

TEST_F(RsaTest, PssTakesTheSaltLengthOfItsHashAlone) {
  const std::string digest = idp::Sha256(kInput);
  const auto check = [&](int salt_len) {
    return Check(Algorithm::kPs256, signer_.Pss(digest, EVP_sha256(), EVP_sha256(), salt_len));
  };
  EXPECT_EQ(check(32), SignatureCheck::kGood);
  for (const int salt_len : {0, 20, 31, 33, 64, 222})
    EXPECT_EQ(check(salt_len), SignatureCheck::kBad) << salt_len;
}

TEST_F(RsaTest, PssTakesItsHashInMgf1Alone) {
  const std::string digest = idp::Sha256(kInput);
  for (const EVP_MD* md : {EVP_sha1(), EVP_sha384(), EVP_sha512()}) {
    EXPECT_EQ(Check(Algorithm::kPs256, signer_.Pss(digest, EVP_sha256(), md, 32)), SignatureCheck::kBad);
  }
}

// Ed25519.

std::string Hex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

std::string WhyEd25519(const std::string& x) {
  return std::string(VerifyKey::Ed25519(Span(x)).status().message());
}

// RFC 8032 section 5.1.7: S below the order of the group, else every signature would have sixteen forms.
TEST_F(VerifyKeyTest, Ed25519RefusesSPlusOrder) {
  const idp::SigningKey& signer = idp::TestKey("EdDSA");
  std::string signature = signer.Sign(kInput);
  const std::string order = Hex("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
  int carry = 0;
  for (size_t i = 0; i < 32; ++i) {
    const int sum = static_cast<uint8_t>(signature[32 + i]) + static_cast<uint8_t>(order[i]) + carry;
    signature[32 + i] = static_cast<char>(sum);
    carry = sum >> 8;
  }
  ASSERT_EQ(carry, 0);
  EXPECT_EQ(KeyOf(signer).Verify(Algorithm::kEdDsa, kInput, Span(signature)), SignatureCheck::kBad);
}

TEST_F(VerifyKeyTest, Ed25519KeysHave32Bytes) {
  const std::string x = Decode(idp::TestKey("EdDSA").PublicJwk()["x"]);
  EXPECT_EQ(WhyEd25519(x), "");
  for (const std::string& wrong : {std::string(), x.substr(1), x + "x", x + x}) {
    EXPECT_THAT(WhyEd25519(wrong), HasSubstr("32 bytes"));
  }
}

// Under a key of small order (0, R = S·B) is a signature of one message in eight or of all, made without a
// secret.
TEST_F(VerifyKeyTest, Ed25519RefusesKeysOfSmallOrder) {
  const std::string minus_one = "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";
  const std::string order8_a = "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc";
  const std::string order8_b = "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03";
  for (const std::string& hex :
       {"01" + std::string(62, '0'), minus_one + "7f", std::string(64, '0'), std::string(62, '0') + "80",
        order8_a + "05", order8_a + "85", order8_b + "7a", order8_b + "fa"}) {
    EXPECT_THAT(WhyEd25519(Hex(hex)), HasSubstr("small order")) << hex;
  }
}

TEST_F(VerifyKeyTest, Ed25519RefusesWhatIsNoPoint) {
  const std::string f29(58, 'f');
  for (const std::string& hex : {"02" + std::string(62, '0'), "02" + std::string(60, '0') + "80",
                                 "07" + std::string(62, '0'), "0b" + std::string(62, '0')}) {
    EXPECT_THAT(WhyEd25519(Hex(hex)), HasSubstr("not on the curve")) << hex;
  }
  // y of p and more; x = 0 with a sign.
  for (const std::string& hex :
       {"ed" + f29 + "ff7f", "ee" + f29 + "ff7f", "ff" + f29 + "ff7f", "f0" + f29 + "ffff",
        "01" + std::string(60, '0') + "80", "ec" + f29 + "ffff"}) {
    EXPECT_THAT(WhyEd25519(Hex(hex)), HasSubstr("not canonical")) << hex;
  }
  EXPECT_EQ(WhyEd25519(Hex("03" + std::string(62, '0'))), "");  // A point like any other.
}

}  // namespace
}  // namespace tollgate::crypto
