#include "tools/idp/mint.h"

#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>
#include <set>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/bn.h>
#include <openssl/curve25519.h>
#include <openssl/ec.h>
#include <openssl/ec_key.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/nid.h>
#include <openssl/rsa.h>

#include "tests/idp/rfc_vectors.h"

namespace idp {
namespace {

const uint8_t* Bytes(std::string_view s) { return reinterpret_cast<const uint8_t*>(s.data()); }

std::string Decode(const json& value) { return Base64UrlDecode(value.get<std::string>()).value(); }

bssl::UniquePtr<BIGNUM> Number(const json& value) {
  const std::string bytes = Decode(value);
  return bssl::UniquePtr<BIGNUM>(BN_bin2bn(Bytes(bytes), bytes.size(), nullptr));
}

struct Parts {
  std::string header, payload, signing_input, signature;
};

Parts Split(std::string_view token) {
  const size_t first = token.find('.'), last = token.rfind('.');
  return {Base64UrlDecode(token.substr(0, first)).value(),
          Base64UrlDecode(token.substr(first + 1, last - first - 1)).value(),
          std::string(token.substr(0, last)), Base64UrlDecode(token.substr(last + 1)).value()};
}

bool VerifyRsa(const json& jwk, const EVP_MD* md, bool pss, std::string_view digest,
               std::string_view signature) {
  bssl::UniquePtr<RSA> rsa(RSA_new());
  RSA_set0_key(rsa.get(), Number(jwk["n"]).release(), Number(jwk["e"]).release(), nullptr);
  if (pss) {
    return RSA_verify_pss_mgf1(rsa.get(), Bytes(digest), digest.size(), md, md,
                               static_cast<int>(digest.size()), Bytes(signature), signature.size());
  }
  return RSA_verify(EVP_MD_type(md), Bytes(digest), digest.size(), Bytes(signature), signature.size(),
                    rsa.get());
}

bool VerifyEc(const json& jwk, int nid, std::string_view digest, std::string_view signature) {
  bssl::UniquePtr<EC_KEY> ec(EC_KEY_new_by_curve_name(nid));
  if (!EC_KEY_set_public_key_affine_coordinates(ec.get(), Number(jwk["x"]).get(), Number(jwk["y"]).get())) {
    return false;
  }
  const size_t half = signature.size() / 2;
  bssl::UniquePtr<ECDSA_SIG> sig(ECDSA_SIG_new());
  ECDSA_SIG_set0(sig.get(), BN_bin2bn(Bytes(signature), half, nullptr),
                 BN_bin2bn(Bytes(signature.substr(half)), half, nullptr));
  return ECDSA_do_verify(Bytes(digest), digest.size(), sig.get(), ec.get());
}

// Verifies through calls that the encoder does not use, from the public JWK alone.
bool Verify(const json& jwk, std::string_view token) {
  const Parts parts = Split(token);
  const std::string alg = json::parse(parts.header)["alg"];
  if (jwk["kty"] == "OKP") {
    const std::string x = Decode(jwk["x"]);
    return parts.signature.size() == 64 &&
           ED25519_verify(Bytes(parts.signing_input), parts.signing_input.size(), Bytes(parts.signature),
                          Bytes(x));
  }
  const EVP_MD* md = alg.ends_with("256") ? EVP_sha256() : alg.ends_with("384") ? EVP_sha384() : EVP_sha512();
  std::string digest(EVP_MD_size(md), '\0');
  EVP_Digest(parts.signing_input.data(), parts.signing_input.size(),
             reinterpret_cast<uint8_t*>(digest.data()), nullptr, md, nullptr);
  if (jwk["kty"] == "RSA") return VerifyRsa(jwk, md, alg[0] == 'P', digest, parts.signature);
  const auto [nid, length] = jwk["crv"] == "P-256"   ? std::pair(NID_X9_62_prime256v1, 64)
                             : jwk["crv"] == "P-384" ? std::pair(NID_secp384r1, 96)
                                                     : std::pair(NID_secp521r1, 132);
  return parts.signature.size() == static_cast<size_t>(length) && VerifyEc(jwk, nid, digest, parts.signature);
}

SigningKey Load(std::string_view jwk) {
  std::string error;
  const std::optional<SigningKey> key = SigningKey::FromPrivateJwk(json::parse(jwk), &error);
  EXPECT_TRUE(key.has_value()) << error;
  return key.value();
}

class EveryAlgorithm : public testing::TestWithParam<const char*> {};

INSTANTIATE_TEST_SUITE_P(Idp, EveryAlgorithm,
                         testing::Values("RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256",
                                         "ES384", "ES512", "EdDSA", "Ed25519"),
                         [](const auto& test) { return std::string(test.param); });

TEST_P(EveryAlgorithm, SignatureVerifiesFromThePublicJwkAlone) {
  const SigningKey& key = TestKey(GetParam());
  const std::string token = Mint(key, {{"sub", "agent"}});
  EXPECT_TRUE(Verify(key.PublicJwk(), token));
  const Parts parts = Split(token);
  EXPECT_EQ(json::parse(parts.header), (json{{"alg", GetParam()}, {"kid", key.kid()}, {"typ", "at+jwt"}}));
  EXPECT_EQ(json::parse(parts.payload), (json{{"sub", "agent"}}));
}

TEST_P(EveryAlgorithm, SignatureOfOtherBytesDoesNotVerify) {
  const SigningKey& key = TestKey(GetParam());
  const std::string token = Mint(key, {{"sub", "agent"}}), other = Mint(key, {{"sub", "admin"}});
  const std::string forged = other.substr(0, other.rfind('.')) + token.substr(token.rfind('.'));
  EXPECT_FALSE(Verify(key.PublicJwk(), forged));
}

TEST_P(EveryAlgorithm, PrivateJwkBringsTheSameKeyBack) {
  const SigningKey& key = TestKey(GetParam());
  const SigningKey loaded = Load(key.PrivateJwk().dump());
  EXPECT_EQ(loaded.alg(), key.alg());
  EXPECT_EQ(loaded.kid(), key.kid());
  EXPECT_EQ(loaded.PrivateJwk(), key.PrivateJwk());
  EXPECT_TRUE(Verify(key.PublicJwk(), Mint(loaded, json::object())));
}

TEST_P(EveryAlgorithm, PublicJwkHoldsNothingPrivateAndOnlyWhatWasAskedFor) {
  const SigningKey& key = TestKey(GetParam());
  for (const char* secret : {"d", "p", "q", "dp", "dq", "qi", "k"}) {
    EXPECT_FALSE(key.PublicJwk().contains(secret)) << secret;
  }
  const json bare = key.PublicJwk({.kid = false, .alg = false, .use = false});
  for (const char* member : {"kid", "alg", "use", "key_ops"}) EXPECT_FALSE(bare.contains(member)) << member;
  const json full = key.PublicJwk({.key_ops = true});
  EXPECT_EQ(full["use"], "sig");
  EXPECT_EQ(full["key_ops"], json::array({"verify"}));
}

TEST_P(EveryAlgorithm, TestKeysAreCachedAndDistinct) {
  EXPECT_EQ(&TestKey(GetParam(), 0), &TestKey(GetParam(), 0));
  if (std::string_view(GetParam()).substr(0, 1) != "E") return;  // RSA keys cost too much for the other half
  EXPECT_NE(TestKey(GetParam(), 0).Thumbprint(), TestKey(GetParam(), 1).Thumbprint());
}

TEST(RfcVectors, ReproducesRfc7515Hs256) {
  EXPECT_EQ(MintRaw(Load(vectors::kHs256Jwk), vectors::kHs256Header, vectors::kJoePayload),
            vectors::kHs256Token);
}

TEST(RfcVectors, ReproducesRfc7515Rs256) {
  EXPECT_EQ(MintRaw(Load(vectors::kRs256Jwk), R"({"alg":"RS256"})", vectors::kJoePayload),
            vectors::kRs256Token);
}

TEST(RfcVectors, ReproducesRfc8037Ed25519) {
  const SigningKey key = Load(vectors::kEd25519Jwk);
  EXPECT_EQ(MintRaw(key, R"({"alg":"EdDSA"})", vectors::kEd25519Payload), vectors::kEd25519Token);
  EXPECT_EQ(key.PublicJwk()["x"], json::parse(vectors::kEd25519Jwk)["x"]);
  EXPECT_EQ(key.Thumbprint(), vectors::kEd25519Thumbprint);
}

TEST(RfcVectors, Rfc7515Es256VerifiesWithTheKeyAsLoadedAndRewritten) {
  EXPECT_TRUE(Verify(Load(vectors::kEs256Jwk).PublicJwk(), vectors::kEs256Token));
}

TEST(RfcVectors, Rfc7638ThumbprintCountsRequiredMembersOnly) {
  EXPECT_EQ(JwkThumbprint(json::parse(vectors::kThumbprintJwk)), vectors::kThumbprint);
}

TEST(EcdsaTwinTest, TwinVerifiesAndIsAnotherToken) {
  for (const char* alg : {"ES256", "ES384", "ES512"}) {
    const std::string token = Mint(TestKey(alg), {{"jti", "1"}});
    const std::string twin = EcdsaTwin(token);
    EXPECT_NE(twin, token);
    EXPECT_EQ(twin.size(), token.size());
    EXPECT_TRUE(Verify(TestKey(alg).PublicJwk(), twin)) << alg;
    EXPECT_EQ(EcdsaTwin(twin), token);
  }
}

TEST(EcdsaTwinTest, OtherTokensHaveNone) {
  EXPECT_EQ(EcdsaTwin(Mint(TestKey("EdDSA"), json::object())), "");
  EXPECT_EQ(EcdsaTwin(""), "");
  EXPECT_EQ(EcdsaTwin("no.token.here"), "");
}

TEST(MintTest, ExtraHeaderReplacesAndRemoves) {
  const std::string token =
      Mint(TestKey("ES256"), json::object(), {{"kid", nullptr}, {"typ", "JWT"}, {"crit", {"exp"}}});
  EXPECT_EQ(json::parse(Split(token).header), (json{{"alg", "ES256"}, {"typ", "JWT"}, {"crit", {"exp"}}}));
}

TEST(MintTest, SizeIsExactOrOneMore) {
  for (const char* alg : {"RS256", "ES256", "EdDSA"}) {
    for (size_t size = 800; size < 808; ++size) {
      const std::string token = MintToSize(TestKey(alg), {{"sub", "agent"}}, size);
      EXPECT_THAT(token.size(), testing::AnyOf(size, size + 1)) << alg;
      EXPECT_TRUE(Verify(TestKey(alg).PublicJwk(), token));
    }
  }
  const std::string longer = MintToSize(TestKey("ES256"), {{"sub", "agent"}}, 10);
  EXPECT_EQ(json::parse(Split(longer).payload), (json{{"sub", "agent"}}));
}

TEST(MintTest, ClaimsAreThoseOfAnAccessTokenWithUniqueJti) {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    seen.insert(AccessTokenClaims("https://i", "https://a", "s", "c", "x y", 1, 2)["jti"].get<std::string>());
  }
  EXPECT_EQ(seen.size(), 100u);
  json claims = AccessTokenClaims("https://i", "https://a", "s", "c", "x y", 1, 2);
  claims.erase("jti");
  EXPECT_EQ(claims, (json{{"iss", "https://i"},
                          {"aud", "https://a"},
                          {"sub", "s"},
                          {"client_id", "c"},
                          {"scope", "x y"},
                          {"iat", 1},
                          {"exp", 2}}));
  EXPECT_FALSE(AccessTokenClaims("i", "a", "s", "c", "", 1, 2).contains("scope"));
}

TEST(Base64UrlTest, RoundTripsEveryLengthAndRefusesOtherSpellings) {
  for (size_t len = 0; len < 70; ++len) {
    const std::string bytes = RandomBytes(len);
    EXPECT_EQ(Base64UrlDecode(Base64Url(bytes)), bytes);
  }
  EXPECT_EQ(Base64Url("\xfb\xff\xfe"), "-__-");
  for (const char* bad : {"A", "AB", "AA=", "AA==", "A+AA", "A/AA", "AA A", "AAAAA"}) {
    EXPECT_EQ(Base64UrlDecode(bad), std::nullopt) << bad;
  }
  EXPECT_EQ(Base64UrlDecode("AA"), std::string(1, '\0'));
}

TEST(SigningKeyTest, RefusesUnusablePrivateJwks) {
  const auto refused = [](json jwk) {
    std::string error;
    const bool result = !SigningKey::FromPrivateJwk(jwk, &error).has_value();
    EXPECT_FALSE(error.empty());
    return result;
  };
  const json ec = TestKey("ES256").PrivateJwk(), rsa = json::parse(vectors::kRs256Jwk);
  EXPECT_TRUE(refused(json::array()));
  EXPECT_TRUE(refused({{"kty", "EC"}}));
  EXPECT_TRUE(refused(TestKey("ES256").PublicJwk()));
  EXPECT_TRUE(refused(TestKey("EdDSA").PublicJwk()));
  for (const char* member : {"kty", "crv", "x", "y", "d"}) {
    json broken = ec;
    broken[member] = "AAAA";
    EXPECT_TRUE(refused(broken)) << member;
    broken[member] = 7;
    EXPECT_TRUE(refused(broken)) << member;
  }
  json broken = rsa;
  broken["d"] = "AAAA";
  EXPECT_TRUE(refused(broken));
}

TEST(SigningKeyTest, SecretMayBeAnything) {
  const SigningKey& rsa = TestKey("RS256");
  EXPECT_THAT(rsa.PublicPem(),
              testing::StartsWith("-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8A"));
  const SigningKey confused = SigningKey::FromSecret("HS256", rsa.kid(), rsa.PublicPem());
  EXPECT_EQ(Split(Mint(confused, json::object())).signature.size(), 32u);
  EXPECT_EQ(Split(Mint(SigningKey::FromSecret("HS256", "", ""), json::object())).signature.size(), 32u);
}

TEST(SigningKeyTest, SameMaterialUnderOtherNames) {
  const SigningKey renamed = TestKey("RS256").WithKid("other").WithAlg("PS256");
  EXPECT_EQ(renamed.Thumbprint(), TestKey("RS256").Thumbprint());
  EXPECT_EQ(json::parse(Split(Mint(renamed, json::object())).header)["kid"], "other");
  EXPECT_TRUE(Verify(TestKey("RS256").PublicJwk(), Mint(renamed, json::object())));
}

TEST(SigningKeyTest, WeakKeysCanBeMadeForAttackTests) {
  EXPECT_EQ(Decode(SigningKey::Generate("RS256", "weak", 1024).PublicJwk()["n"]).size(), 128u);
}

TEST(TestKeyTest, OneKeyWhenManyThreadsAskFirst) {
  std::vector<std::string> seen(8);
  std::vector<std::thread> threads;
  for (std::string& slot : seen) {
    threads.emplace_back([&slot] { slot = TestKey("ES256", 77).Thumbprint(); });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_THAT(seen, testing::Each(TestKey("ES256", 77).Thumbprint()));
}

TEST(JwksTest, HoldsEveryKeyInOrder) {
  const SigningKey keys[] = {TestKey("ES256"), TestKey("EdDSA")};
  const json set = Jwks(keys);
  ASSERT_EQ(set["keys"].size(), 2u);
  EXPECT_EQ(set["keys"][1]["kid"], "test-EdDSA-0");
  EXPECT_EQ(Jwks({&TestKey("ES256"), &TestKey("EdDSA")}), set);
}

TEST(KeyFileTest, KeepsKeysAndIsPrivate) {
  const std::string path = testing::TempDir() + "/idp-keys-" + std::to_string(getpid()) + ".json";
  const SigningKey keys[] = {TestKey("RS256"), TestKey("ES256"), TestKey("EdDSA")};
  std::string error;
  ASSERT_TRUE(SaveKeys(path, keys, &error)) << error;
  struct stat info = {};
  ASSERT_EQ(stat(path.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  const std::optional<std::vector<SigningKey>> loaded = LoadKeys(path, &error);
  ASSERT_TRUE(loaded.has_value()) << error;
  EXPECT_EQ(Jwks(*loaded), Jwks(keys));
  std::filesystem::remove(path);
  EXPECT_FALSE(LoadKeys(path, &error).has_value());
  EXPECT_THAT(error, testing::HasSubstr(path));
  EXPECT_FALSE(SaveKeys("/nonexistent/keys.json", keys, &error));
}

}  // namespace
}  // namespace idp
