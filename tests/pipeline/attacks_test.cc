// Attacks of the field, each against the whole engine. docs/threat-model.md names them by advisory.

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

class EngineAttackTest : public EngineTest {
 protected:
  static std::string Part(const idp::json& json) { return idp::Base64Url(json.dump()); }
  static std::string_view Signature(std::string_view token) { return token.substr(token.rfind('.') + 1); }
};

// fast-jwt CVE-2026-35039: a cache keyed by less than the whole token hands out another caller's claims.
TEST_F(EngineAttackTest, AnotherPayloadUnderACachedSignatureIsNoHit) {
  const std::string alice = Token();
  ASSERT_TRUE(Check(alice).allowed());
  ASSERT_TRUE(Check(alice).from_cache);
  idp::json claims = Claims();
  claims["sub"] = "admin";
  const std::string header = alice.substr(0, alice.find('.'));
  const std::string forged = header + "." + Part(claims) + "." + std::string(Signature(alice));
  EXPECT_EQ(Check(forged).reason, Reason::kBadSignature);
  EXPECT_EQ(principal_.subject(), "");
}

// Envoy accepts several spellings of one token: each is a cache entry and a replay of its own.
TEST_F(EngineAttackTest, ATokenHasOneSpelling) {
  const std::string token = Token();
  ASSERT_TRUE(Check(token).allowed());
  EXPECT_EQ(Check("." + token).reason, Reason::kNotCompactJws);
  EXPECT_EQ(Check(token + ".").reason, Reason::kNotCompactJws);
  EXPECT_FALSE(Check(token + "=").allowed());
  EXPECT_FALSE(Check(token + "==").allowed());
  EXPECT_FALSE(Check(" " + token).allowed());
  EXPECT_FALSE(Check(token + " ").allowed());
  std::string doubled = token;
  doubled.insert(token.find('.'), ".");
  EXPECT_FALSE(Check(doubled).allowed());
  // The last character of a 64-byte signature carries four bits that must be zero.
  std::string respelled = token;
  respelled.back() = respelled.back() == 'A' ? 'B' : static_cast<char>(respelled.back() + 1);
  EXPECT_FALSE(Check(respelled).allowed());
}

// fast-jwt CVE-2026-107719: an entry outlived exp where iat was missing.
TEST_F(EngineAttackTest, ACachedTokenWithoutIatExpiresToo) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers[0].profile.issued_at_required = false;
  config.issuers[0].token_age_max_s = 0;
  config.issuers[0].token_lifetime_max_s = 0;
  Restart(config);
  idp::json claims = Claims();
  claims.erase("iat");
  const std::string token = idp::Mint(key_, claims);
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_TRUE(Check(token).from_cache);
  clock_.Advance(660);
  EXPECT_EQ(Check(token).reason, Reason::kExpired);
}

// libjwt CVE-2026-44699, PyJWT CVE-2022-29217 and many: a public key taken for an HMAC secret.
TEST_F(EngineAttackTest, APublicKeyIsNeverAnHmacSecret) {
  for (const std::string& secret : {key_.PublicPem(), key_.PublicJwk().dump(), std::string()}) {
    const idp::SigningKey hmac = idp::SigningKey::FromSecret("HS256", key_.kid(), secret);
    EXPECT_EQ(Check(idp::Mint(hmac, Claims())).reason, Reason::kAlgorithmSymmetric);
  }
}

TEST_F(EngineAttackTest, AnUnsignedTokenIsRefusedHoweverItIsSpelled) {
  for (const char* alg : {"none", "None", "NONE", "nOnE"}) {
    const std::string header = Part({{"alg", alg}, {"typ", "at+jwt"}, {"kid", key_.kid()}});
    const Decision decision = Check(header + "." + Part(Claims()) + ".AAAA");
    EXPECT_EQ(decision.reason, Reason::kAlgorithmNone) << alg;
    EXPECT_FALSE(Check(header + "." + Part(Claims()) + ".").allowed()) << alg;
  }
}

// CVE-2018-0114, Authlib CVE-2026-27962: the key that comes with the token.
TEST_F(EngineAttackTest, AKeyInTheHeaderProvesNothing) {
  const idp::SigningKey& attacker = idp::TestKey("ES256", 7);
  for (const idp::json& extra :
       {idp::json{{"jwk", attacker.PublicJwk()}}, idp::json{{"jku", "https://attacker.example/jwks"}},
        idp::json{{"x5u", "https://attacker.example/x5u"}}}) {
    idp::json header = extra;
    header["kid"] = key_.kid();
    EXPECT_EQ(Check(idp::Mint(attacker, Claims(), header)).reason, Reason::kBadSignature);
    header["kid"] = attacker.kid();
    EXPECT_EQ(Check(idp::Mint(attacker, Claims(), header)).reason, Reason::kKeyUnknown);
  }
}

// PyJWT GHSA-jq35-7prp-9v3f: the allow-list was held against the header while another algorithm verified.
TEST_F(EngineAttackTest, TheHeadersAlgorithmMustBeTheKeys) {
  const std::string token = idp::Mint(key_, Claims(), {{"alg", "ES384"}});
  EXPECT_EQ(Check(token).reason, Reason::kKeyAlgorithmMismatch);
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"alg", "RS256"}})).reason, Reason::kKeyAlgorithmMismatch);
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"alg", "es256"}})).reason, Reason::kAlgorithmUnsupported);
}

// PyJWT CVE-2026-32597, Authlib CVE-2025-59420.
TEST_F(EngineAttackTest, ACriticalExtensionIsRefused) {
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"crit", {"b64"}}, {"b64", false}})).reason,
            Reason::kUnknownCritical);
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"crit", {"exp"}}, {"exp", 0}})).reason,
            Reason::kUnknownCritical);
}

// An ID token of the same issuer for the same client, presented as an access token.
TEST_F(EngineAttackTest, AnIdTokenIsNoAccessToken) {
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"typ", "JWT"}})).reason, Reason::kWrongType);
  EXPECT_EQ(Check(idp::Mint(key_, Claims(), {{"typ", nullptr}})).reason, Reason::kWrongType);
}

// jsonwebtoken CVE-2026-25537: exp of the wrong type taken as absent.
TEST_F(EngineAttackTest, AnExpiryThatIsNoNumberIsNotAbsent) {
  for (const idp::json& exp :
       {idp::json("1900000000"), idp::json(nullptr), idp::json::array(), idp::json(1e300), idp::json(-1)}) {
    idp::json claims = Claims();
    claims["exp"] = exp;
    EXPECT_EQ(Check(idp::Mint(key_, claims)).reason, Reason::kBadClaim) << exp;
  }
  idp::json claims = Claims();
  claims.erase("exp");
  EXPECT_EQ(Check(idp::Mint(key_, claims)).reason, Reason::kExpiryMissing);
}

// fast-jwt CVE-2026-107723.
TEST_F(EngineAttackTest, APayloadThatIsNoObjectIsRefused) {
  const std::string header = "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"" + key_.kid() + "\"}";
  EXPECT_EQ(Check(idp::MintRaw(key_, header, "[]")).reason, Reason::kNotAnObject);
  EXPECT_EQ(Check(idp::MintRaw(key_, header, "\"iss\"")).reason, Reason::kNotAnObject);
  EXPECT_EQ(Check(idp::MintRaw(key_, header, "null")).reason, Reason::kNotAnObject);
}

// The parser that decides and the parser that verifies must not read two different tokens.
TEST_F(EngineAttackTest, ADuplicateMemberIsRefusedInHeaderAndPayload) {
  const std::string header = "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"" + key_.kid() + "\"";
  EXPECT_EQ(Check(idp::MintRaw(key_, header + ",\"alg\":\"none\"}", Claims().dump())).reason,
            Reason::kDuplicateMember);
  std::string payload = Claims().dump();
  payload.insert(payload.size() - 1, ",\"sub\":\"admin\"");
  EXPECT_EQ(Check(idp::MintRaw(key_, header + "}", payload)).reason, Reason::kDuplicateMember);
  // Also where nobody looks.
  payload = Claims().dump();
  payload.insert(payload.size() - 1, ",\"x\":{\"y\":[{\"z\":1,\"z\":2}]}");
  EXPECT_EQ(Check(idp::MintRaw(key_, header + "}", payload)).reason, Reason::kDuplicateMember);
}

// go-jose CVE-2025-27144, golang-jwt CVE-2025-30204: work that grows with what the attacker sends.
TEST_F(EngineAttackTest, ManyDotsCostNothing) {
  EXPECT_EQ(Check(std::string(16'000, '.')).reason, Reason::kNotCompactJws);
  EXPECT_EQ(Check(std::string(5'000'000, '.')).reason, Reason::kTokenTooLong);
}

// Nimbus CVE-2025-53864.
TEST_F(EngineAttackTest, DeepNestingIsRefused) {
  const std::string header = "{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"" + key_.kid() + "\"}";
  const std::string deep = "{\"a\":" + std::string(5000, '[') + std::string(5000, ']') + "}";
  EXPECT_EQ(Check(idp::MintRaw(key_, header, deep)).reason, Reason::kTooDeep);
}

}  // namespace
}  // namespace tollgate
