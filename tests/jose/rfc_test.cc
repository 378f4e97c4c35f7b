// The published examples. Two of them have payloads that are no JSON, hence are no JWTs: those are verified
// below the level of ParsedJws.

#include <gtest/gtest.h>

#include "jose/base64url.h"
#include "tests/idp/rfc_vectors.h"
#include "tests/jose/rfc_vectors.h"
#include "tests/jose/tokens.h"

namespace tollgate::jose {
namespace {

using test::Check;
using test::ReadJwk;

// PublicHalf drops the private members, which ParseJwk would refuse.
std::string PublicHalf(std::string_view jwk) {
  idp::json json = idp::json::parse(jwk);
  for (const char* name : {"d", "p", "q", "dp", "dq", "qi"}) json.erase(name);
  return json.dump();
}

Jwk Key(std::string_view jwk) { return ReadJwk(PublicHalf(jwk)).value(); }

crypto::SignatureCheck CheckSignature(std::string_view token, const Jwk& key) {
  CompactJws jws;
  EXPECT_EQ(SplitCompact(token, &jws), Reason::kNone);
  const std::string header_text = idp::Base64UrlDecode(jws.header).value();
  json::Document document(1024);
  EXPECT_EQ(document.Parse(header_text), Reason::kNone);
  JoseHeader header;
  EXPECT_EQ(ReadHeader(document.root(), &header), Reason::kNone);
  uint8_t signature[1024];
  const size_t size = Base64UrlDecode(jws.signature, signature).value();
  return key.key.Verify(header.algorithm, jws.signing_input, {signature, size});
}

TEST(Rfc7515, A2Rs256) {
  EXPECT_EQ(Check(idp::vectors::kRs256Token, Key(idp::vectors::kRs256Jwk)), Reason::kNone);
}

TEST(Rfc7515, A3Es256) {
  EXPECT_EQ(Check(idp::vectors::kEs256Token, Key(idp::vectors::kEs256Jwk)), Reason::kNone);
}

TEST(Rfc7515, A4Es512) {
  const Jwk key = Key(vectors::kEs512Jwk);
  EXPECT_EQ(CheckSignature(vectors::kEs512Token, key), crypto::SignatureCheck::kGood);
  EXPECT_EQ(Check(vectors::kEs512Token, key), Reason::kBadJson);  // The payload is the word "Payload".
}

TEST(Rfc7515, A1Hs256IsRefusedAsSymmetric) {
  EXPECT_EQ(test::Parse(idp::vectors::kHs256Token), Reason::kAlgorithmSymmetric);
}

// Appendix A.5.
TEST(Rfc7515, A5UnsecuredIsRefused) {
  const std::string token =
      "eyJhbGciOiJub25lIn0"
      ".eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ.";
  EXPECT_EQ(test::Parse(token), Reason::kNotCompactJws);
  EXPECT_EQ(test::Parse(token + "AAAA"), Reason::kAlgorithmNone);
}

// Appendix E: an extension that nobody understands.
TEST(Rfc7515, AppendixECriticalHeaderIsRefused) {
  EXPECT_EQ(test::ReasonOfHeader(R"({"alg":"none","crit":["http://example.com/UNDEFINED"],
                                     "http://example.com/UNDEFINED":true})"),
            Reason::kAlgorithmNone);
  EXPECT_EQ(test::ReasonOfHeader(R"({"alg":"ES256","crit":["http://example.com/UNDEFINED"],
                                     "http://example.com/UNDEFINED":true})"),
            Reason::kUnknownCritical);
}

TEST(Rfc7520, Section4Examples) {
  const Jwk rsa = Key(vectors::kBilboRsaJwk), ec = Key(vectors::kBilboEcJwk);
  EXPECT_EQ(CheckSignature(vectors::kBilboRs256Token, rsa), crypto::SignatureCheck::kGood);
  EXPECT_EQ(CheckSignature(vectors::kBilboPs384Token, rsa), crypto::SignatureCheck::kGood);
  EXPECT_EQ(CheckSignature(vectors::kBilboEs512Token, ec), crypto::SignatureCheck::kGood);
  EXPECT_EQ(CheckSignature(vectors::kBilboEs512Token, rsa), crypto::SignatureCheck::kWrongKeyType);
  EXPECT_EQ(rsa.key_id, "bilbo.baggins@hobbiton.example");
}

TEST(Rfc7638, Section31Thumbprint) {
  const Jwk key = Key(idp::vectors::kThumbprintJwk);
  EXPECT_EQ(Base64UrlEncode(key.thumbprint), idp::vectors::kThumbprint);
}

TEST(Rfc8037, A3ThumbprintAndA4Ed25519) {
  const Jwk key = Key(idp::vectors::kEd25519Jwk);
  EXPECT_EQ(Base64UrlEncode(key.thumbprint), idp::vectors::kEd25519Thumbprint);
  EXPECT_EQ(CheckSignature(idp::vectors::kEd25519Token, key), crypto::SignatureCheck::kGood);
}

// RFC 7515 A.2 with its private key as published: a key that everybody knows is no key.
TEST(Rfc7515, PrivateKeysAreRefused) {
  EXPECT_FALSE(ReadJwk(idp::vectors::kRs256Jwk).ok());
  EXPECT_FALSE(ReadJwk(idp::vectors::kEs256Jwk).ok());
  EXPECT_FALSE(ReadJwk(idp::vectors::kEd25519Jwk).ok());
  EXPECT_FALSE(ReadJwk(idp::vectors::kHs256Jwk).ok());
}

}  // namespace
}  // namespace tollgate::jose
