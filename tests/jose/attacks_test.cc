// One test for each attack on JOSE that was published against some library, in the form that it takes against
// this one.
//
//   test                                                attack, as published
//   ForgesWithAnHmacOfThePublicKey                      CVE-2016-10555, PyJWT CVE-2022-29217, fast-jwt
//   CVE-2023-48223 ForgesWithAnHmacOfAnEmptySecret                     libjwt CVE-2026-44699, fast-jwt
//   CVE-2026-44351 PublishesASymmetricKeyInTheSet                      RFC 8725 section 2.1
//   PassesTheAllowListWithOneAlgorithmAndUsesAnother    PyJWT GHSA-jq35-7prp-9v3f
//   TakesAKeyForAnAlgorithmOfAnotherKind                RFC 8725 section 3.1
//   LeavesTheSignatureAway                              ServiceStack CVE-2020-28042, RFC 8725 section 2.1
//   SpellsNoneInOtherCase                               RFC 8725 section 3.2
//   NamesTwoAlgorithms                                  parsers that disagree about duplicate members
//   TakesTheAlgorithmFromAnUnprotectedHeader            algorithm from outside the signed header
//   BringsItsOwnKeyInTheHeader                          CVE-2018-0114, Authlib CVE-2026-27962
//   PointsToItsOwnKeyInTheHeader                        RFC 8725 section 3.10 (jku, x5u)
//   MarksAnExtensionAsCritical                          PyJWT CVE-2026-32597, Authlib CVE-2025-59420
//   ClaimsAnUnencodedPayload                            RFC 7797 b64, claimed but not done
//   SendsManyDots                                       golang-jwt CVE-2025-30204, go-jose CVE-2025-27144
//   SendsAHugeHeader                                    resource exhaustion, among others Envoy
//   CVE-2026-48042 NestsDeeply                                         Nimbus CVE-2025-53864
//   WrapsAnUnsignedTokenInAnEncryptedOne                pac4j, JWE around alg none
//   NestsATokenInAToken                                 RFC 7519 section 5.2, cty JWT
//   SendsAPayloadThatIsNoObject                         fast-jwt CVE-2026-107723
//   SignsWithZeros                                      CVE-2022-21449 ("psychic signatures")
//   SignsWithDer                                        RFC 7518 section 3.4, two forms of one signature
//   SpellsOneTokenInManyWays                            non-canonical base64
//   AddsDotsAndPadding                                  Envoy: leading, doubled, trailing dots, "=="
//   ReplaysTheSignatureOfAnotherToken                   CVE-2024-54150 class: signature not bound to the
//   content PublishesAWeakKey                                   RFC 8725 section 3.5: short RSA, e = 1, small
//   order PublishesAPointOffTheCurve                          node-jose CVE-2017-16007, invalid curve

#include <gtest/gtest.h>

#include "jose/base64url.h"
#include "tests/jose/tokens.h"

namespace tollgate::jose {
namespace {

using idp::json;
using test::Check;
using test::KeyOf;
using test::Parse;
using test::ReadJwk;
using test::ReasonOfHeader;
using test::Token;

const json kClaims = {{"sub", "mallory"}};

// Honest returns a token that is accepted: the attacks start from it.
std::string Honest(const idp::SigningKey& signer) {
  const std::string token = idp::Mint(signer, kClaims);
  EXPECT_EQ(Check(token, KeyOf(signer)), Reason::kNone);
  return token;
}

TEST(Attacks, ForgesWithAnHmacOfThePublicKey) {
  for (const char* alg : {"RS256", "ES256", "EdDSA"}) {
    const idp::SigningKey& victim = idp::TestKey(alg);
    const json jwk = victim.PublicJwk();
    for (const std::string& secret :
         {victim.PublicPem(), jwk.dump(), jwk.value("n", ""), jwk.value("x", "")}) {
      for (const char* hmac : {"HS256", "HS384", "HS512"}) {
        const std::string token = idp::Mint(idp::SigningKey::FromSecret(hmac, victim.kid(), secret), kClaims);
        EXPECT_EQ(Check(token, KeyOf(victim)), Reason::kAlgorithmSymmetric);
      }
    }
  }
}

TEST(Attacks, ForgesWithAnHmacOfAnEmptySecret) {
  for (const char* hmac : {"HS256", "HS384", "HS512"}) {
    EXPECT_EQ(Parse(idp::Mint(idp::SigningKey::FromSecret(hmac, "k", ""), kClaims)),
              Reason::kAlgorithmSymmetric);
  }
}

TEST(Attacks, PublishesASymmetricKeyInTheSet) {
  const idp::SigningKey secret = idp::SigningKey::FromSecret("HS256", "k", "secret");
  const JwkSet set = ParseJwkSet(idp::Jwks({&secret}).dump()).value();
  EXPECT_TRUE(set.keys.empty());
  EXPECT_EQ(set.skipped.size(), 1u);
}

// The key says PS256, the header RS256: both would verify with an RSA key, and only one is meant.
TEST(Attacks, PassesTheAllowListWithOneAlgorithmAndUsesAnother) {
  const idp::SigningKey& signer = idp::TestKey("PS256");
  const Jwk key = KeyOf(signer);
  Honest(signer);
  const std::string token = idp::Mint(signer.WithAlg("RS256"), kClaims);
  EXPECT_EQ(Check(token, key), Reason::kKeyAlgorithmMismatch);
  // Signed by the one and labelled as the other.
  const std::string mislabelled = idp::Mint(signer.WithAlg("RS256"), kClaims, {{"alg", "PS256"}});
  EXPECT_EQ(Check(mislabelled, key), Reason::kBadSignature);
}

TEST(Attacks, TakesAKeyForAnAlgorithmOfAnotherKind) {
  const char* algs[] = {"RS256", "ES256", "ES384", "ES512", "EdDSA"};
  for (const char* signing : algs) {
    const std::string token = Honest(idp::TestKey(signing));
    for (const char* other : algs) {
      if (other == signing) continue;
      ParsedJws jws;
      ASSERT_EQ(jws.Parse(token), Reason::kNone);
      std::optional<VerifiedJws> verified;
      EXPECT_EQ(Verify(jws, KeyOf(idp::TestKey(other)).key, &verified), Reason::kKeyAlgorithmMismatch);
      EXPECT_FALSE(verified);
    }
  }
}

TEST(Attacks, LeavesTheSignatureAway) {
  const std::string token = Honest(idp::TestKey("ES256"));
  const std::string head = token.substr(0, token.rfind('.'));
  EXPECT_EQ(Check(head, KeyOf(idp::TestKey("ES256"))), Reason::kNotCompactJws);
  EXPECT_EQ(Check(head + ".", KeyOf(idp::TestKey("ES256"))), Reason::kNotCompactJws);
  EXPECT_EQ(Parse(Token(R"({"alg":"none"})", kClaims.dump(), "")), Reason::kNotCompactJws);
  EXPECT_EQ(Parse(Token(R"({"alg":"none"})", kClaims.dump())), Reason::kAlgorithmNone);
}

TEST(Attacks, SpellsNoneInOtherCase) {
  for (const char* none : {"none", "None", "NONE", "nONE", "NoNe"}) {
    EXPECT_EQ(ReasonOfHeader(json{{"alg", none}}.dump()), Reason::kAlgorithmNone) << none;
  }
  for (const char* near : {"", " ", "none ", " none", "nоne", "null"}) {  // The fourth has a Cyrillic o.
    EXPECT_EQ(ReasonOfHeader(json{{"alg", near}}.dump()), Reason::kAlgorithmUnsupported) << near;
  }
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"no\u006ee"})"), Reason::kAlgorithmNone);
}

TEST(Attacks, NamesTwoAlgorithms) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  for (const char* header : {R"({"alg":"none","alg":"ES256"})", R"({"alg":"ES256","alg":"none"})",
                             R"({"alg":"ES256","\u0061lg":"HS256"})"}) {
    EXPECT_EQ(Check(idp::MintRaw(signer, header, kClaims.dump()), KeyOf(signer)), Reason::kDuplicateMember);
  }
  EXPECT_EQ(Check(idp::MintRaw(signer, R"({"alg":"ES256"})", R"({"sub":"a","sub":"b"})"), KeyOf(signer)),
            Reason::kDuplicateMember);
}

// The JSON serialization, where an unprotected header exists, is not read at all.
TEST(Attacks, TakesTheAlgorithmFromAnUnprotectedHeader) {
  const json flattened = {{"protected", idp::Base64Url("{}")},
                          {"header", {{"alg", "none"}}},
                          {"payload", idp::Base64Url(kClaims.dump())},
                          {"signature", "AAAA"}};
  EXPECT_EQ(Parse(flattened.dump()), Reason::kNotCompactJws);
  EXPECT_EQ(Parse(R"({"payload":".."})"), Reason::kNotCompactJws);
  EXPECT_EQ(ReasonOfHeader(R"({"header":{"alg":"ES256"}})"), Reason::kAlgorithmMissing);
}

TEST(Attacks, BringsItsOwnKeyInTheHeader) {
  const idp::SigningKey& victim = idp::TestKey("RS256");
  const idp::SigningKey& mallory = idp::TestKey("RS256", 1);
  const std::string token =
      idp::Mint(mallory, kClaims, {{"jwk", mallory.PublicJwk()}, {"kid", victim.kid()}});
  EXPECT_EQ(Check(token, KeyOf(victim)), Reason::kBadSignature);
  // An honest token that carries its key is neither better nor worse for it.
  EXPECT_EQ(Check(idp::Mint(victim, kClaims, {{"jwk", victim.PublicJwk()}}), KeyOf(victim)), Reason::kNone);
}

TEST(Attacks, PointsToItsOwnKeyInTheHeader) {
  const idp::SigningKey& victim = idp::TestKey("ES256");
  const idp::SigningKey& mallory = idp::TestKey("ES256", 1);
  const json header = {{"jku", "https://mallory.example/jwks"},
                       {"x5u", "https://mallory.example/pem"},
                       {"x5c", {"MIIB"}},
                       {"x5t", "AAAA"},
                       {"kid", victim.kid()}};
  EXPECT_EQ(Check(idp::Mint(mallory, kClaims, header), KeyOf(victim)), Reason::kBadSignature);
}

TEST(Attacks, MarksAnExtensionAsCritical) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  for (const json& crit : {json::array({"exp"}), json::array({"unknown"}), json::array(),
                           json::array({"alg"}), json("unknown"), json(nullptr)}) {
    // mint.h leaves out members that are null.
    json header = {{"alg", "ES256"}, {"unknown", true}};
    header["crit"] = crit;
    EXPECT_EQ(Check(idp::MintRaw(signer, header.dump(), kClaims.dump()), KeyOf(signer)),
              Reason::kUnknownCritical)
        << crit;
  }
}

TEST(Attacks, ClaimsAnUnencodedPayload) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const std::string header = R"({"alg":"ES256","b64":false,"crit":["b64"]})";
  EXPECT_EQ(Check(idp::MintRaw(signer, header, kClaims.dump()), KeyOf(signer)), Reason::kUnknownCritical);
  const std::string raw = idp::Base64Url(header) + "." + kClaims.dump();
  EXPECT_EQ(Check(raw + "." + idp::Base64Url(signer.Sign(raw)), KeyOf(signer)), Reason::kUnknownCritical);
  // Without crit, which RFC 7797 section 6 demands, the payload is still base64url, and raw JSON is not that.
  const std::string silent = idp::Base64Url(R"({"alg":"ES256","b64":false})") + "." + kClaims.dump();
  EXPECT_EQ(Check(silent + "." + idp::Base64Url(signer.Sign(silent)), KeyOf(signer)), Reason::kBadBase64Url);
}

TEST(Attacks, SendsManyDots) {
  for (const size_t num_dots : {3, 5, 6, 7, 1000, 16'000}) {
    EXPECT_EQ(Parse(std::string(num_dots, '.')), Reason::kNotCompactJws) << num_dots;
  }
  EXPECT_EQ(Parse(std::string(10'000'000, '.')), Reason::kTokenTooLong);
}

TEST(Attacks, SendsAHugeHeader) {
  const std::string big(limits::kHeaderBytesMax, 'x');
  EXPECT_EQ(ReasonOfHeader(json{{"alg", "ES256"}, {"x", big}}.dump()), Reason::kTokenTooLong);
  EXPECT_EQ(ReasonOfHeader(json{{"alg", "ES256"}, {"x", std::string(1 << 20, 'x')}}.dump()),
            Reason::kTokenTooLong);
  EXPECT_EQ(ReasonOfHeader(json{{"alg", "ES256"}, {"kid", std::string(4000, 'k')}}.dump()),
            Reason::kBadHeaderMember);
}

TEST(Attacks, NestsDeeply) {
  const auto nested = [](size_t depth, std::string_view before) {
    return std::string(before) + std::string(depth, '[') + std::string(depth, ']') + "}";
  };
  const std::string header = R"({"alg":"ES256"})";
  EXPECT_EQ(Parse(Token(header, nested(limits::kJsonDepthMax - 1, R"({"a":)"))), Reason::kNone);
  for (const size_t depth : {limits::kJsonDepthMax, size_t{1000}, size_t{3000}}) {
    EXPECT_EQ(ReasonOfHeader(nested(depth, R"({"alg":"ES256","a":)")), Reason::kTooDeep);
    EXPECT_EQ(Parse(Token(header, nested(depth, R"({"a":)"))), Reason::kTooDeep);
  }
  EXPECT_NE(Parse(Token(header, R"({"a":)" + std::string(3000, '['))), Reason::kNone);  // Never closed.
}

TEST(Attacks, WrapsAnUnsignedTokenInAnEncryptedOne) {
  const std::string inner = Token(R"({"alg":"none"})", kClaims.dump(), "");
  const std::string header = idp::Base64Url(R"({"alg":"RSA-OAEP","enc":"A128GCM","cty":"JWT"})");
  EXPECT_EQ(Parse(header + ".AAAA.AAAA." + idp::Base64Url(inner) + ".AAAA"), Reason::kEncryptedToken);
  EXPECT_EQ(Parse(header + "..AAAA.AAAA.AAAA"), Reason::kEncryptedToken);
  // The header of a JWE before three parts.
  EXPECT_EQ(Parse(header + "." + idp::Base64Url(inner) + ".AAAA"), Reason::kEncryptedToken);
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"ES256","enc":"A128GCM"})"), Reason::kEncryptedToken);
}

TEST(Attacks, NestsATokenInAToken) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const std::string inner = Honest(signer);
  EXPECT_EQ(Check(idp::MintRaw(signer, R"({"alg":"ES256","cty":"JWT"})", inner), KeyOf(signer)),
            Reason::kBadJson);
  EXPECT_EQ(Check(idp::MintRaw(signer, R"({"alg":"ES256","cty":"JWT"})", json(inner).dump()), KeyOf(signer)),
            Reason::kNotAnObject);
}

TEST(Attacks, SendsAPayloadThatIsNoObject) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  for (const char* payload : {"[]", R"([{"sub":"a"}])", "\"text\"", "1", "true", "null"}) {
    EXPECT_EQ(Check(idp::MintRaw(signer, R"({"alg":"ES256"})", payload), KeyOf(signer)), Reason::kNotAnObject)
        << payload;
  }
}

TEST(Attacks, SignsWithZeros) {
  for (const char* alg : {"ES256", "ES384", "ES512", "RS256", "PS256", "EdDSA"}) {
    const std::string token = Honest(idp::TestKey(alg));
    const size_t dot = token.rfind('.');
    const std::string zeros(Base64UrlDecodedSize(token.size() - dot - 1), '\0');
    EXPECT_EQ(Check(token.substr(0, dot + 1) + idp::Base64Url(zeros), KeyOf(idp::TestKey(alg))),
              Reason::kBadSignature)
        << alg;
  }
}

TEST(Attacks, SignsWithDer) {
  const std::string token = Honest(idp::TestKey("ES256"));
  const size_t dot = token.rfind('.');
  const std::string raw = idp::Base64UrlDecode(token.substr(dot + 1)).value();
  std::string der("\x30\x46\x02\x21\x00", 5);
  der.append(raw, 0, 32).append(std::string("\x02\x21\x00", 3)).append(raw, 32);
  EXPECT_EQ(Check(token.substr(0, dot + 1) + idp::Base64Url(der), KeyOf(idp::TestKey("ES256"))),
            Reason::kBadSignatureLength);
}

// 64 bytes leave two characters whose last one has four bits without meaning: sixteen spellings for a sloppy
// decoder.
TEST(Attacks, SpellsOneTokenInManyWays) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const Jwk key = KeyOf(signer);
  const std::string token = Honest(signer);
  int num_accepted = 0;
  for (int c = 0; c < 256; ++c) {
    std::string twin = token;
    twin.back() = static_cast<char>(c);
    num_accepted += Check(twin, key) == Reason::kNone;
  }
  EXPECT_EQ(num_accepted, 1);
}

TEST(Attacks, AddsDotsAndPadding) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const Jwk key = KeyOf(signer);
  const std::string token = Honest(signer);
  const size_t first = token.find('.'), last = token.rfind('.');
  for (const std::string& twin :
       {"." + token, token + ".", token + "..", token + "=", token + "==", token + " ", " " + token,
        token + "\n", token + std::string(1, '\0'), std::string(token).insert(first, "."),
        std::string(token).insert(last, "."), std::string(token).insert(first, "="),
        std::string(token).insert(last, "==")}) {
    EXPECT_NE(Check(twin, key), Reason::kNone) << twin.size() - token.size();
  }
}

TEST(Attacks, ReplaysTheSignatureOfAnotherToken) {
  const idp::SigningKey& signer = idp::TestKey("EdDSA");
  const std::string mine = idp::Mint(signer, {{"sub", "mallory"}}),
                    yours = idp::Mint(signer, {{"sub", "alice"}});
  const std::string graft = yours.substr(0, yours.rfind('.')) + mine.substr(mine.rfind('.'));
  EXPECT_EQ(Check(graft, KeyOf(signer)), Reason::kBadSignature);
  const std::string other_header = idp::Base64Url(R"({"alg":"EdDSA"})") + mine.substr(mine.find('.'));
  EXPECT_EQ(Check(other_header, KeyOf(signer)), Reason::kBadSignature);
}

TEST(Attacks, PublishesAWeakKey) {
  json rsa = idp::TestKey("RS256").PublicJwk(), okp = idp::TestKey("EdDSA").PublicJwk();
  const std::string n = idp::Base64UrlDecode(rsa["n"].get<std::string>()).value();
  json short_rsa = rsa, one = rsa;
  short_rsa["n"] = idp::Base64Url("\x81" + n.substr(n.size() - 127));
  one["e"] = idp::Base64Url("\x01");
  okp["x"] = idp::Base64Url(std::string(1, '\1') + std::string(31, '\0'));
  EXPECT_FALSE(ReadJwk(short_rsa.dump()).ok());
  EXPECT_FALSE(ReadJwk(one.dump()).ok());
  EXPECT_FALSE(ReadJwk(okp.dump()).ok());
}

TEST(Attacks, PublishesAPointOffTheCurve) {
  for (const char* alg : {"ES256", "ES384", "ES512"}) {
    json jwk = idp::TestKey(alg).PublicJwk();
    std::string y = idp::Base64UrlDecode(jwk["y"].get<std::string>()).value();
    y.back() = static_cast<char>(y.back() ^ 1);
    jwk["y"] = idp::Base64Url(y);
    EXPECT_FALSE(ReadJwk(jwk.dump()).ok()) << alg;
  }
}

}  // namespace
}  // namespace tollgate::jose
