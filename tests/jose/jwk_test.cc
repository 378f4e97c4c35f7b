#include "jose/jwk.h"

#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "jose/base64url.h"
#include "tests/jose/tokens.h"

namespace tollgate::jose {
namespace {

using idp::json;
using test::KeyOf;
using test::ReadJwk;
using ::testing::HasSubstr;

json Public(std::string_view alg) { return idp::TestKey(alg).PublicJwk(); }

// Why returns the reason of a refusal, "" if there is none.
std::string Why(const json& jwk) { return std::string(ReadJwk(jwk.dump()).status().message()); }

json With(json jwk, const std::string& name, json value) {
  jwk[name] = std::move(value);
  return jwk;
}

json Without(json jwk, const std::string& name) {
  jwk.erase(name);
  return jwk;
}

TEST(ParseJwk, ReadsKeysOfEveryAlgorithm) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    const idp::SigningKey& signer = idp::TestKey(AlgorithmName(algorithm));
    const absl::StatusOr<Jwk> key = ReadJwk(signer.PublicJwk().dump());
    ASSERT_TRUE(key.ok()) << key.status();
    EXPECT_TRUE(key->has_key_id);
    EXPECT_EQ(key->key_id, signer.kid());
    EXPECT_EQ(key->algorithms, AlgorithmSet(algorithm));
    EXPECT_EQ(Base64UrlEncode(key->thumbprint), signer.Thumbprint());
  }
}

// RFC 7517 section 4.4: `alg` is optional; the kind of key then says what it can verify (RFC 7518
// section 3.1).
TEST(ParseJwk, WithoutAlgPermitsWhatTheKindOfKeyCan) {
  using enum Algorithm;
  const auto algorithms = [](std::string_view alg) {
    return ReadJwk(Without(Public(alg), "alg").dump()).value().algorithms;
  };
  EXPECT_EQ(algorithms("RS256"), AlgorithmSet(kRs256, kRs384, kRs512, kPs256, kPs384, kPs512));
  EXPECT_EQ(algorithms("ES256"), AlgorithmSet(kEs256));
  EXPECT_EQ(algorithms("ES384"), AlgorithmSet(kEs384));
  EXPECT_EQ(algorithms("ES512"), AlgorithmSet(kEs512));
  EXPECT_EQ(algorithms("EdDSA"), AlgorithmSet(kEdDsa, kEd25519));
}

// RFC 9864 section 2.2: Ed25519 is EdDSA with this curve; whichever name the key has permits the other.
TEST(ParseJwk, EdDsaAndEd25519AreOneAlgorithmUnderTwoNames) {
  for (const char* alg : {"EdDSA", "Ed25519"}) {
    const Jwk key = ReadJwk(With(Public("EdDSA"), "alg", alg).dump()).value();
    for (const char* header_alg : {"EdDSA", "Ed25519"}) {
      const std::string token = idp::Mint(idp::TestKey("EdDSA").WithAlg(header_alg), {{"sub", "a"}});
      EXPECT_EQ(test::Check(token, key), Reason::kNone) << alg << " " << header_alg;
    }
  }
}

// RFC 8725 section 3.1: the algorithm that the key names is the only one.
TEST(ParseJwk, AlgOfTheKeyIsTheOnlyOne) {
  const Jwk key = KeyOf(idp::TestKey("RS256"));
  for (const char* alg : {"RS384", "RS512", "PS256", "PS384", "PS512"}) {
    const std::string token = idp::Mint(idp::TestKey("RS256").WithAlg(alg), {{"sub", "a"}});
    EXPECT_EQ(test::Check(token, key), Reason::kKeyAlgorithmMismatch) << alg;
  }
}

TEST(ParseJwk, RefusesAnAlgThatDoesNotFit) {
  EXPECT_EQ(Why(With(Public("RS256"), "alg", "ES256")), "alg does not fit the key");
  EXPECT_EQ(Why(With(Public("ES256"), "alg", "RS256")), "alg does not fit the key");
  EXPECT_EQ(Why(With(Public("ES256"), "alg", "ES384")), "alg does not fit the key");
  EXPECT_EQ(Why(With(Public("EdDSA"), "alg", "ES256")), "alg does not fit the key");
  for (const char* alg : {"HS256", "none", "RSA-OAEP", "ECDH-ES", "Ed448", "ES256K", "es256", ""}) {
    EXPECT_EQ(Why(With(Public("ES256"), "alg", alg)), "alg is not supported") << alg;
  }
  EXPECT_EQ(Why(With(Public("ES256"), "alg", nullptr)), "alg is no string");
  EXPECT_EQ(Why(With(Public("ES256"), "alg", json::array({"ES256"}))), "alg is no string");
}

TEST(ParseJwk, RefusesOtherUses) {
  EXPECT_EQ(Why(Without(Public("ES256"), "use")), "");
  EXPECT_EQ(Why(With(Public("ES256"), "use", "sig")), "");
  for (const json& use :
       {json("enc"), json("SIG"), json(""), json("tls"), json(nullptr), json(1), json::array({"sig"})}) {
    EXPECT_EQ(Why(With(Public("ES256"), "use", use)), "use is not sig") << use;
  }
}

// RFC 7517 section 4.3.
TEST(ParseJwk, RefusesOtherOperations) {
  const json bare = Without(Public("ES256"), "use");
  EXPECT_EQ(Why(With(bare, "key_ops", {"verify"})), "");
  EXPECT_EQ(Why(With(bare, "key_ops", {"sign", "verify"})), "");
  EXPECT_EQ(Why(With(bare, "key_ops", {"deriveKey", "verify"})), "");
  EXPECT_EQ(Why(With(bare, "key_ops", {"sign"})), "key_ops does not hold verify");
  EXPECT_EQ(Why(With(bare, "key_ops", json::array())), "key_ops does not hold verify");
  EXPECT_EQ(Why(With(bare, "key_ops", {"Verify"})), "key_ops does not hold verify");
  EXPECT_EQ(Why(With(bare, "key_ops", {"verify", "verify"})), "key_ops repeats an operation");
  EXPECT_EQ(Why(With(bare, "key_ops", {"sign", "verify", "sign"})), "key_ops repeats an operation");
  EXPECT_EQ(Why(With(bare, "key_ops", "verify")), "key_ops is no array");
  EXPECT_EQ(Why(With(bare, "key_ops", nullptr)), "key_ops is no array");
  EXPECT_EQ(Why(With(bare, "key_ops", {"verify", 1})), "key_ops holds something else than strings");
}

TEST(ParseJwk, RefusesOperationsThatContradictTheUse) {
  const json sig = With(Public("ES256"), "use", "sig");
  EXPECT_EQ(Why(With(sig, "key_ops", {"verify"})), "");
  EXPECT_EQ(Why(With(sig, "key_ops", {"sign", "verify"})), "");
  EXPECT_EQ(Why(With(sig, "key_ops", {"verify", "encrypt"})), "key_ops contradicts use");
}

TEST(ParseJwk, RefusesKeysThatHoldAnythingPrivate) {
  for (const char* alg : {"RS256", "ES256", "EdDSA"}) {
    EXPECT_THAT(Why(idp::TestKey(alg).PrivateJwk()), HasSubstr("private")) << alg;
    for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
      EXPECT_THAT(Why(With(Public(alg), name, "")), HasSubstr("private")) << name;
      EXPECT_THAT(Why(With(Public(alg), name, nullptr)), HasSubstr("private")) << name;
    }
  }
}

TEST(ParseJwk, RefusesOtherKindsOfKeys) {
  EXPECT_THAT(Why(idp::SigningKey::FromSecret("HS256", "k", "secret").PublicJwk()), HasSubstr("oct"));
  EXPECT_EQ(Why(Without(Public("ES256"), "kty")), "kty is missing or no string");
  EXPECT_EQ(Why(With(Public("ES256"), "kty", 1)), "kty is missing or no string");
  for (const char* kty : {"", "ec", "rsa", "AKP", "OKP2"}) {
    EXPECT_EQ(Why(With(Public("ES256"), "kty", kty)), "kty is not supported") << kty;
  }
  for (const char* crv : {"", "p-256", "P-192", "secp256k1", "Ed25519"}) {
    EXPECT_EQ(Why(With(Public("ES256"), "crv", crv)), "crv is not a curve that is supported") << crv;
  }
  for (const char* crv : {"X25519", "X448", "Ed448", "ed25519", "P-256"}) {
    EXPECT_EQ(Why(With(Public("EdDSA"), "crv", crv)), "crv is not a curve that is supported") << crv;
  }
  for (const char* alg : {"ES256", "EdDSA"}) {
    EXPECT_EQ(Why(Without(Public(alg), "crv")), "crv is missing or no string");
    EXPECT_EQ(Why(With(Public(alg), "crv", 256)), "crv is missing or no string");
  }
}

TEST(ParseJwk, RefusesMissingMistypedAndSloppyNumbers) {
  const std::pair<const char*, const char*> members[] = {
      {"RS256", "n"}, {"RS256", "e"}, {"ES256", "x"}, {"ES256", "y"}, {"EdDSA", "x"}};
  for (const auto& [alg, name] : members) {
    const json jwk = Public(alg);
    const std::string text = jwk[name];
    EXPECT_THAT(Why(Without(jwk, name)), HasSubstr("missing")) << alg << name;
    EXPECT_THAT(Why(With(jwk, name, 65537)), HasSubstr("missing or no string")) << alg << name;
    EXPECT_THAT(Why(With(jwk, name, "")), HasSubstr("missing")) << alg << name;
    EXPECT_THAT(Why(With(jwk, name, text + "=")), HasSubstr("base64url")) << alg << name;
    EXPECT_THAT(Why(With(jwk, name, "+" + text.substr(1))), HasSubstr("base64url")) << alg << name;
    EXPECT_THAT(Why(With(jwk, name, std::string(1000, 'A'))), HasSubstr("too long")) << alg << name;
  }
}

TEST(ParseJwk, RefusesWeakAndImpossibleKeys) {
  const json rsa = Public("RS256"), ec = Public("ES256"), okp = Public("EdDSA");
  const std::string n = idp::Base64UrlDecode(rsa["n"].get<std::string>()).value();
  EXPECT_EQ(Why(With(rsa, "n", idp::Base64Url(n.substr(n.size() - 128)))).find("RSA modulus"), 0u);
  EXPECT_THAT(Why(With(rsa, "n", idp::Base64Url(std::string(1, '\0') + n))), HasSubstr("leading zero"));
  EXPECT_THAT(Why(With(rsa, "e", "AQ")), HasSubstr("exponent"));
  EXPECT_THAT(Why(With(ec, "x", ec["y"])), HasSubstr("not on the curve"));
  EXPECT_THAT(Why(With(ec, "crv", "P-384")), HasSubstr("exactly as long"));
  EXPECT_THAT(Why(With(okp, "x", idp::Base64Url(std::string(32, '\0')))), HasSubstr("small order"));
}

TEST(ParseJwk, KeyIdIsAStringWithinTheLimit) {
  const json jwk = Public("ES256");
  const Jwk without = ReadJwk(Without(jwk, "kid").dump()).value();
  EXPECT_FALSE(without.has_key_id);
  EXPECT_EQ(without.key_id, "");
  const Jwk empty = ReadJwk(With(jwk, "kid", "").dump()).value();
  EXPECT_TRUE(empty.has_key_id);
  for (const json& kid : {json(1), json(nullptr), json::array({"k"})}) {
    EXPECT_EQ(Why(With(jwk, "kid", kid)), "kid is no string");
  }
  EXPECT_EQ(Why(With(jwk, "kid", std::string(limits::kKeyIdBytesMax, 'k'))), "");
  EXPECT_EQ(Why(With(jwk, "kid", std::string(limits::kKeyIdBytesMax + 1, 'k'))), "kid is too long");
}

TEST(ParseJwk, IssuerIsAStringWithinTheLimit) {
  const json jwk = Public("ES256");
  EXPECT_EQ(ReadJwk(jwk.dump())->issuer, "");
  EXPECT_EQ(ReadJwk(With(jwk, "issuer", "https://idp.example/{tenantid}/v2.0").dump())->issuer,
            "https://idp.example/{tenantid}/v2.0");
  EXPECT_EQ(ReadJwk(With(jwk, "issuer", std::string(limits::kIssuerBytesMax, 'i')).dump())->issuer.size(),
            limits::kIssuerBytesMax);
  EXPECT_THAT(Why(With(jwk, "issuer", std::string(limits::kIssuerBytesMax + 1, 'i'))), HasSubstr("too long"));
  for (const json& mistyped : {json(nullptr), json(7), json::array({"https://idp.example"}), json::object()})
    EXPECT_THAT(Why(With(jwk, "issuer", mistyped)), HasSubstr("issuer is no string")) << mistyped;
}

TEST(ParseJwk, IgnoresWhatItDoesNotKnow) {
  const json jwk = With(With(Public("ES256"), "x5c", {"garbage"}), "https://a.example/x", {{"deep", {1, 2}}});
  EXPECT_EQ(Why(jwk), "");
  for (const char* text : {"[]", "\"ES256\"", "1", "null"}) {
    EXPECT_EQ(ReadJwk(text).status().message(), "not an object") << text;
  }
}

// RFC 7638 section 3: the name hangs on the required members alone, in whichever order they come.
TEST(ParseJwk, ThumbprintIsThatOfTheKeyAlone) {
  std::set<crypto::Sha256Digest> seen;
  for (const char* alg : {"RS256", "ES256", "ES384", "ES512", "EdDSA"}) {
    const json jwk = Public(alg);
    json bare = With(Without(Without(Without(jwk, "alg"), "kid"), "use"), "aaa", 1);
    std::string reversed;
    for (const auto& [name, value] : bare.items()) {
      reversed.insert(0, "\"" + name + "\": " + value.dump() + (reversed.empty() ? "" : ", "));
    }
    const Jwk key = KeyOf(idp::TestKey(alg));
    EXPECT_EQ(ReadJwk("{" + reversed + "}").value().thumbprint, key.thumbprint) << alg;
    EXPECT_NE(KeyOf(idp::TestKey(alg, 1)).thumbprint, key.thumbprint) << alg;
    EXPECT_TRUE(seen.insert(key.thumbprint).second);
  }
}

TEST(ParseJwkSet, ReadsEveryKeyInOrder) {
  const std::string text =
      idp::Jwks({&idp::TestKey("RS256"), &idp::TestKey("ES256"), &idp::TestKey("EdDSA")}).dump();
  const absl::StatusOr<JwkSet> set = ParseJwkSet(text);
  ASSERT_TRUE(set.ok()) << set.status();
  ASSERT_EQ(set->keys.size(), 3u);
  EXPECT_TRUE(set->skipped.empty());
  EXPECT_EQ(set->keys[0].key.type(), crypto::KeyType::kRsa);
  EXPECT_EQ(set->keys[1].key.type(), crypto::KeyType::kP256);
  EXPECT_EQ(set->keys[2].key.type(), crypto::KeyType::kEd25519);
}

// RFC 7517 section 5: implementations SHOULD ignore JWKs within a set that they do not understand.
TEST(ParseJwkSet, AnOddKeySpoilsNoOther) {
  const json good = Public("ES256");
  const json set = {
      {"keys", {good, With(good, "kty", "AKP"), "text", nullptr, With(good, "use", "enc"), good}}};
  const absl::StatusOr<JwkSet> parsed = ParseJwkSet(set.dump());
  ASSERT_TRUE(parsed.ok());
  EXPECT_EQ(parsed->keys.size(), 2u);
  ASSERT_EQ(parsed->skipped.size(), 4u);
  EXPECT_EQ(parsed->skipped[0].position, 1u);
  EXPECT_EQ(parsed->skipped[0].why, "kty is not supported");
  EXPECT_EQ(parsed->skipped[1].why, "not an object");
  EXPECT_EQ(parsed->skipped[3].position, 4u);
}

TEST(ParseJwkSet, ASetWithoutUsableKeysIsNoError) {
  EXPECT_TRUE(ParseJwkSet(R"({"keys":[]})").value().keys.empty());
  EXPECT_TRUE(ParseJwkSet(R"({"keys":[{}],"more":1})").value().keys.empty());
}

TEST(ParseJwkSet, RefusesWhatIsNoSet) {
  for (const char* text : {"", "[]", "{}", "null", R"({"keys":{}})", R"({"keys":null})", R"({"keys":"[]"})",
                           R"({"Keys":[]})", R"([{"keys":[]}])"}) {
    EXPECT_EQ(ParseJwkSet(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseJwkSet, ReadsStrictly) {
  for (const char* text :
       {R"({"keys":[]} x)", R"({"keys":[],"keys":[]})", R"({"keys":[],})", "\xef\xbb\xbf{\"keys\":[]}",
        "{\"keys\":[\"\xff\"]}", R"({"keys":[{"a":1,"a":1}]})"}) {
    EXPECT_EQ(ParseJwkSet(text).status().code(), absl::StatusCode::kInvalidArgument) << text;
  }
}

TEST(ParseJwkSet, IsBoundedInBytesAndKeys) {
  std::string padded = R"({"keys":[]})";
  padded.insert(1, limits::kJwksBytesMax - padded.size(), ' ');
  EXPECT_TRUE(ParseJwkSet(padded).ok());
  EXPECT_FALSE(ParseJwkSet(padded + " ").ok());

  json keys = json::array();
  for (size_t i = 0; i < limits::kKeysPerSetMax; ++i) keys.push_back(Public("EdDSA"));
  EXPECT_EQ(ParseJwkSet(json{{"keys", keys}}.dump()).value().keys.size(), limits::kKeysPerSetMax);
  keys.push_back(Public("EdDSA"));
  const JwkSet set = ParseJwkSet(json{{"keys", keys}}.dump()).value();
  EXPECT_EQ(set.keys.size(), limits::kKeysPerSetMax);
  ASSERT_EQ(set.skipped.size(), 1u);
  EXPECT_EQ(set.skipped[0].position, limits::kKeysPerSetMax);
  EXPECT_THAT(set.skipped[0].why, HasSubstr("beyond the limit"));
}

TEST(ParseJwkSet, TextsHoldNothingOfTheKeys) {
  const json secret = With(Public("ES256"), "x", "SECRETSECRET");
  const JwkSet set =
      ParseJwkSet(
          json{{"keys", {secret, With(secret, "kid", "SECRET"), With(secret, "kty", "SECRET")}}}.dump())
          .value();
  ASSERT_EQ(set.skipped.size(), 3u);
  for (const SkippedJwk& skipped : set.skipped) {
    EXPECT_EQ(skipped.why.find("SECRET"), std::string::npos);
    EXPECT_EQ(skipped.why.find('\n'), std::string::npos);
  }
}

}  // namespace
}  // namespace tollgate::jose
