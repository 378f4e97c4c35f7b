#include "jose/jws.h"

#include <gtest/gtest.h>

#include "tests/jose/tokens.h"

namespace tollgate::jose {
namespace {

using test::Check;
using test::KeyOf;
using test::Parse;
using test::ReasonOfHeader;
using test::Token;

TEST(SplitCompact, CutsAtTheTwoDots) {
  CompactJws jws;
  ASSERT_EQ(SplitCompact("aa.bbb.c", &jws), Reason::kNone);
  EXPECT_EQ(jws.header, "aa");
  EXPECT_EQ(jws.payload, "bbb");
  EXPECT_EQ(jws.signature, "c");
  EXPECT_EQ(jws.signing_input, "aa.bbb");
}

TEST(SplitCompact, RefusesAnyOtherNumberOfParts) {
  CompactJws jws;
  for (const char* token : {"", ".", "a", "a.b", "a.", ".a", "a.b.c.d", "a.b.c.", ".a.b.c", "...",
                            "a.b.c.d.e.f", "a.b.c.d.e.", ".....", "......", "a.b.c.d.e.f.g.h"}) {
    if (std::string_view(token) == "a.b.c.d.e.") continue;  // Five dots, below.
    EXPECT_EQ(SplitCompact(token, &jws), Reason::kNotCompactJws) << token;
  }
  EXPECT_EQ(SplitCompact("a.b.c.d.e.", &jws), Reason::kNotCompactJws);
}

TEST(SplitCompact, RefusesAnEmptyHeaderOrSignature) {
  CompactJws jws;
  for (const char* token : {"..", "a..", ".b.", "..c", "a.b.", ".b.c"}) {
    EXPECT_EQ(SplitCompact(token, &jws), Reason::kNotCompactJws) << token;
  }
}

// RFC 7515 section 3 speaks of any sequence of octets; an access token has claims.
TEST(SplitCompact, TakesAnEmptyPayloadWhichIsNoAccessToken) {
  CompactJws cut;
  ASSERT_EQ(SplitCompact("a..c", &cut), Reason::kNone);
  EXPECT_EQ(cut.payload, "");
  EXPECT_EQ(cut.signing_input, "a.");
  EXPECT_EQ(Parse(Token(R"({"alg":"ES256"})", "", std::string(64, 's'))), Reason::kNotCompactJws);
}

// What a signature covers is no concern of the signature's.
TEST(ParseBare, VerifiesWhateverThePayload) {
  const idp::SigningKey& key = idp::TestKey("ES256");
  for (const std::string& payload : {std::string(), std::string("no JSON \0\xff", 10), std::string("[1]")}) {
    const std::string token = idp::MintRaw(key, R"({"alg":"ES256"})", payload);
    ParsedJws jws;
    ASSERT_EQ(jws.ParseBare(token), Reason::kNone);
    EXPECT_FALSE(jws.unverified_payload().present());
    std::optional<VerifiedJws> verified;
    EXPECT_EQ(Verify(jws, KeyOf(key).key, &verified), Reason::kNone);
    ASSERT_TRUE(verified.has_value());
    EXPECT_FALSE(verified->payload().present());
    EXPECT_NE(jws.Parse(token), Reason::kNone);
    EXPECT_TRUE(jws.signing_input().empty());
  }
}

TEST(ParseBare, LeavesNoPayloadOfTheTokenBefore) {
  const idp::SigningKey& key = idp::TestKey("ES256");
  ParsedJws jws;
  ASSERT_EQ(jws.Parse(idp::MintRaw(key, R"({"alg":"ES256"})", R"({"iss":"a"})")), Reason::kNone);
  ASSERT_EQ(jws.ParseBare(idp::MintRaw(key, R"({"alg":"ES256"})", R"({"iss":"b"})")), Reason::kNone);
  EXPECT_FALSE(jws.unverified_payload().present());
}

TEST(ParseBare, IsAsStrictAboutTheRest) {
  ParsedJws jws;
  const std::string header = idp::Base64Url(R"({"alg":"ES256"})");
  EXPECT_EQ(jws.ParseBare(header + ".=.AAAA"), Reason::kBadBase64Url);
  EXPECT_EQ(jws.ParseBare(header + ".A.AAAA"), Reason::kBadBase64Url);
  EXPECT_EQ(jws.ParseBare(header + ".AAAA.A"), Reason::kBadBase64Url);
  EXPECT_EQ(jws.ParseBare(header + ".AAAA." + std::string(2048, 'A')), Reason::kBadSignatureLength);
  EXPECT_EQ(jws.ParseBare(idp::Base64Url(R"({"alg":"none"})") + ".AAAA.AAAA"), Reason::kAlgorithmNone);
}

// RFC 7516 section 7.1; with `dir` the encrypted key is empty.
TEST(SplitCompact, TellsAJweByItsFiveParts) {
  CompactJws jws;
  for (const char* token : {"a.b.c.d.e", "a..c.d.e", "....", "a...."}) {
    EXPECT_EQ(SplitCompact(token, &jws), Reason::kEncryptedToken) << token;
  }
}

TEST(SplitCompact, TakesTokensUpToTheLimit) {
  CompactJws jws;
  std::string token = "a.b." + std::string(limits::kTokenBytesMax - 4, 'c');
  EXPECT_EQ(SplitCompact(token, &jws), Reason::kNone);
  token += 'c';
  EXPECT_EQ(SplitCompact(token, &jws), Reason::kTokenTooLong);
  EXPECT_EQ(SplitCompact(std::string(limits::kTokenBytesMax + 1, '.'), &jws), Reason::kTokenTooLong);
}

TEST(ReadHeader, ReadsTheMembersOfAVerifier) {
  ParsedJws jws;
  const std::string token =
      Token(R"({"typ":"at+jwt","kid":"k\u0031","alg":"PS384","x5t":"ignored","other":{"a":[1]}})", "{}");
  ASSERT_EQ(jws.Parse(token), Reason::kNone);
  EXPECT_EQ(jws.header().algorithm, Algorithm::kPs384);
  EXPECT_TRUE(jws.header().has_key_id);
  EXPECT_EQ(jws.header().key_id, "k1");
  EXPECT_TRUE(jws.header().has_type);
  EXPECT_EQ(jws.header().type, "at+jwt");
}

TEST(ReadHeader, TellsAbsentFromEmpty) {
  ParsedJws jws;
  const std::string without = Token(R"({"alg":"ES256"})", "{}");
  ASSERT_EQ(jws.Parse(without), Reason::kNone);
  EXPECT_FALSE(jws.header().has_key_id);
  EXPECT_FALSE(jws.header().has_type);
  const std::string empty = Token(R"({"alg":"ES256","kid":"","typ":""})", "{}");
  ASSERT_EQ(jws.Parse(empty), Reason::kNone);
  EXPECT_TRUE(jws.header().has_key_id);
  EXPECT_TRUE(jws.header().has_type);
  EXPECT_EQ(jws.header().key_id, "");
}

TEST(ReadHeader, KnowsEveryAlgorithm) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const auto algorithm = static_cast<Algorithm>(i);
    ParsedJws jws;
    const std::string token = Token(R"({"alg":")" + std::string(AlgorithmName(algorithm)) + R"("})", "{}");
    ASSERT_EQ(jws.Parse(token), Reason::kNone);
    EXPECT_EQ(jws.header().algorithm, algorithm);
  }
}

TEST(ReadHeader, RefusesWhatIsNoObject) {
  for (const char* header : {"[]", R"(["alg","ES256"])", "\"ES256\"", "1", "null", "true"}) {
    EXPECT_EQ(ReasonOfHeader(header), Reason::kNotAnObject) << header;
  }
  JoseHeader header;
  EXPECT_EQ(ReadHeader(json::Value(), &header), Reason::kNotAnObject);
}

TEST(ReadHeader, RefusesMembersOfTheWrongType) {
  for (const std::string name : {"alg", "kid", "typ", "cty"}) {
    for (const std::string value : {"null", "1", "true", "[]", R"(["ES256"])", "{}"}) {
      const std::string rest = name == "alg" ? "" : R"(,"alg":"ES256")";
      EXPECT_EQ(ReasonOfHeader("{\"" + name + "\":" + value + rest + "}"), Reason::kBadHeaderMember)
          << name << value;
    }
  }
}

TEST(ReadHeader, TakesKeyIdsUpToTheLimit) {
  const auto reason = [](size_t size) {
    return ReasonOfHeader(R"({"alg":"ES256","kid":")" + std::string(size, 'k') + R"("})");
  };
  EXPECT_EQ(reason(limits::kKeyIdBytesMax), Reason::kNone);
  EXPECT_EQ(reason(limits::kKeyIdBytesMax + 1), Reason::kBadHeaderMember);
}

TEST(ReadHeader, SaysWhyAnAlgorithmIsRefused) {
  EXPECT_EQ(ReasonOfHeader("{}"), Reason::kAlgorithmMissing);
  EXPECT_EQ(ReasonOfHeader(R"({"ALG":"ES256","Alg":"ES256"})"), Reason::kAlgorithmMissing);
  for (const char* name : {"none", "None", "NONE", "nOnE"}) {
    EXPECT_EQ(ReasonOfHeader(std::string(R"({"alg":")") + name + R"("})"), Reason::kAlgorithmNone) << name;
  }
  for (const char* name : {"HS256", "HS384", "HS512"}) {
    EXPECT_EQ(ReasonOfHeader(std::string(R"({"alg":")") + name + R"("})"), Reason::kAlgorithmSymmetric)
        << name;
  }
  for (const char* name : {"", "none ", "nonee", "es256", "ES256 ", "ES256\\u0000", "ES256K", "Ed448", "RS1",
                           "hs256", "RSA-OAEP", "dir", "ECDH-ES", "ESP256", "ML-DSA-44"}) {
    EXPECT_EQ(ReasonOfHeader(std::string(R"({"alg":")") + name + R"("})"), Reason::kAlgorithmUnsupported)
        << name;
  }
}

TEST(ReadHeader, AnyCritIsRefused) {
  for (const char* crit : {"[]", "[\"exp\"]", "[\"alg\"]", "\"b64\"", "null", "{}", "0"}) {
    EXPECT_EQ(ReasonOfHeader(std::string(R"({"alg":"ES256","crit":)") + crit + "}"), Reason::kUnknownCritical)
        << crit;
  }
}

TEST(ReadHeader, TheFirstReasonOfTheListWins) {
  EXPECT_EQ(ReasonOfHeader(R"({"crit":[],"alg":1,"enc":2})"), Reason::kEncryptedToken);
  EXPECT_EQ(ReasonOfHeader(R"({"crit":[],"alg":"none","kid":2})"), Reason::kBadHeaderMember);
  EXPECT_EQ(ReasonOfHeader(R"({"crit":[]})"), Reason::kAlgorithmMissing);
  EXPECT_EQ(ReasonOfHeader(R"({"crit":[],"alg":"HS256"})"), Reason::kAlgorithmSymmetric);
}

TEST(ReadHeader, ForgetsTheHeaderBefore) {
  json::Document document(1024);
  JoseHeader header;
  ASSERT_EQ(document.Parse(R"({"alg":"RS512","kid":"a","typ":"b"})"), Reason::kNone);
  ASSERT_EQ(ReadHeader(document.root(), &header), Reason::kNone);
  ASSERT_EQ(document.Parse(R"({"alg":"ES256"})"), Reason::kNone);
  ASSERT_EQ(ReadHeader(document.root(), &header), Reason::kNone);
  EXPECT_FALSE(header.has_key_id || header.has_type);
  EXPECT_TRUE(header.key_id.empty() && header.type.empty());
}

TEST(ParsedJws, ReportsTheFirstReasonOnTheWay) {
  const std::string header = R"({"alg":"ES256"})", no_alg = "{}", bad = "x";
  const std::string h = idp::Base64Url(header);
  EXPECT_EQ(Parse("=.=.=.="), Reason::kNotCompactJws);
  EXPECT_EQ(Parse("=." + idp::Base64Url(bad) + ".="), Reason::kBadBase64Url);
  EXPECT_EQ(Parse(Token(bad, bad, "=")), Reason::kBadJson);
  EXPECT_EQ(Parse(Token(no_alg, bad, "=")), Reason::kAlgorithmMissing);
  EXPECT_EQ(Parse(Token(header, bad, "=")), Reason::kBadBase64Url);
  EXPECT_EQ(Parse(h + ".=.AAAA"), Reason::kBadBase64Url);
  EXPECT_EQ(Parse(Token(header, bad)), Reason::kBadJson);
  EXPECT_EQ(Parse(Token(header, "[]")), Reason::kNotAnObject);
  EXPECT_EQ(Parse(Token(header, "{}")), Reason::kNone);
}

// Each part alone; the order is only visible where the reasons differ.
TEST(ParsedJws, RefusesSloppyBase64InEveryPart) {
  const std::string h = idp::Base64Url(R"({"alg":"ES256"})"), p = idp::Base64Url("{}"), s = "AAAA";
  for (const std::string& sloppy :
       {std::string("="), std::string("=="), std::string("\n"), std::string(" ")}) {
    EXPECT_EQ(Parse(h + sloppy + "." + p + "." + s), Reason::kBadBase64Url);
    EXPECT_EQ(Parse(h + "." + p + sloppy + "." + s), Reason::kBadBase64Url);
    EXPECT_EQ(Parse(h + "." + p + "." + s + sloppy), Reason::kBadBase64Url);
  }
}

TEST(ParsedJws, ReadsStrictJsonInBothParts) {
  const std::string good = R"({"alg":"ES256"})";
  const std::pair<std::string, Reason> payloads[] = {
      {"", Reason::kNotCompactJws},
      {"{}{}", Reason::kBadJson},
      {"{} x", Reason::kBadJson},
      {R"({"a":1,"a":1})", Reason::kDuplicateMember},
      {R"({"a":1,"\u0061":2})", Reason::kDuplicateMember},
      {R"({"o":{"a":1,"a":1}})", Reason::kDuplicateMember},
      {"{\"a\":\"\xff\"}", Reason::kBadUtf8},
      {"\xef\xbb\xbf{}", Reason::kBadJson},
      {"{\"a\":" + std::string(100, '[') + std::string(100, ']') + "}", Reason::kTooDeep},
  };
  for (const auto& [payload, reason] : payloads) EXPECT_EQ(Parse(Token(good, payload)), reason) << payload;
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"ES256","alg":"ES256"})"), Reason::kDuplicateMember);
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"none","\u0061lg":"ES256"})"), Reason::kDuplicateMember);
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"ES256"} )"), Reason::kNone);
  EXPECT_EQ(ReasonOfHeader(R"({"alg":"ES256"}x)"), Reason::kBadJson);
}

TEST(ParsedJws, HeadersAndSignaturesAreBounded) {
  const auto header_of = [](size_t size) {
    const std::string frame = R"({"alg":"ES256","x":""})";
    std::string header = frame;
    return header.insert(frame.size() - 2, size - frame.size(), 'x');
  };
  EXPECT_EQ(ReasonOfHeader(header_of(limits::kHeaderBytesMax)), Reason::kNone);
  EXPECT_EQ(ReasonOfHeader(header_of(limits::kHeaderBytesMax + 1)), Reason::kTokenTooLong);
  const std::string header = R"({"alg":"ES256"})";
  EXPECT_EQ(Parse(Token(header, "{}", idp::Base64Url(std::string(1024, 's')))), Reason::kNone);
  EXPECT_EQ(Parse(Token(header, "{}", idp::Base64Url(std::string(1025, 's')))), Reason::kBadSignatureLength);
}

TEST(ParsedJws, AFailureLeavesNothingOfAnyToken) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const std::string good = idp::Mint(signer, {{"sub", "alice"}});
  const std::string cut = good.substr(0, good.rfind('.') + 1);
  for (const std::string& bad :
       {std::string(), std::string("a.b"), cut, cut + "=", good + ".",
        good + "====", Token(R"({"alg":"ES256"})", "[]"), Token(R"({"alg":"ES256"})", R"({"sub":"bob")")}) {
    ParsedJws jws;
    ASSERT_EQ(jws.Parse(good), Reason::kNone);
    ASSERT_NE(jws.Parse(bad), Reason::kNone);
    EXPECT_FALSE(jws.unverified_payload().present());
    EXPECT_TRUE(jws.signature().empty());
    EXPECT_TRUE(jws.signing_input().empty());
    EXPECT_FALSE(jws.header().has_type);
    std::optional<VerifiedJws> verified;
    EXPECT_NE(Verify(jws, KeyOf(signer).key, &verified), Reason::kNone);
    EXPECT_FALSE(verified);
  }
}

TEST(ParsedJws, ReadsManyTokensOneAfterTheOther) {
  ParsedJws jws;
  for (int i = 0; i < 100; ++i) {
    const auto n = static_cast<size_t>(i);
    const std::string token =
        Token(R"({"alg":"ES256","kid":"k)" + std::to_string(i) + R"("})",
              R"({"sub":")" + std::string(n * 37 % 101, 's') + R"(","n":)" + std::to_string(i) + "}",
              idp::Base64Url(std::string(1 + n, 's')));
    ASSERT_EQ(jws.Parse(token), Reason::kNone);
    EXPECT_EQ(jws.header().key_id, "k" + std::to_string(i));
    EXPECT_EQ(jws.unverified_payload().Member("n").int64(), i);
    EXPECT_EQ(jws.signature().size(), 1 + n);
  }
}

// The header of the token before is not read again, only if it is the same one.
TEST(ParsedJws, ReadsAHeaderThatReturnsAfterOthersAndAfterFailures) {
  const std::string a = Token(R"({"alg":"ES256","kid":"a"})", R"({"n":1})");
  const std::string a2 = Token(R"({"alg":"ES256","kid":"a"})", R"({"n":2})");
  const std::string b = Token(R"({"alg":"RS256","typ":"b"})", R"({"n":3})");
  const std::string bad_header = Token(R"({"alg":"none","kid":"x"})", "{}");
  const std::string bad_payload = Token(R"({"alg":"ES256","kid":"a"})", "[]");
  ParsedJws jws;
  const auto expect = [&](const std::string& token, Algorithm algorithm, std::string_view kid, int64_t n) {
    ASSERT_EQ(jws.Parse(token), Reason::kNone);
    EXPECT_EQ(jws.header().algorithm, algorithm);
    EXPECT_EQ(jws.header().key_id, kid);
    EXPECT_EQ(jws.header().has_type, kid.empty());
    EXPECT_EQ(jws.unverified_payload().Member("n").int64(), n);
  };
  for (int i = 0; i < 2; ++i) {
    expect(a, Algorithm::kEs256, "a", 1);
    expect(a2, Algorithm::kEs256, "a", 2);
    expect(b, Algorithm::kRs256, "", 3);
    expect(b, Algorithm::kRs256, "", 3);
    EXPECT_EQ(jws.Parse(bad_header), Reason::kAlgorithmNone);
    EXPECT_EQ(jws.Parse(bad_header), Reason::kAlgorithmNone);
    expect(a, Algorithm::kEs256, "a", 1);
    EXPECT_EQ(jws.Parse(bad_payload), Reason::kNotAnObject);
    expect(a2, Algorithm::kEs256, "a", 2);
  }
}

TEST(Verify, ProvesTokensOfEveryAlgorithm) {
  for (int i = 0; i < kAlgorithmCount; ++i) {
    const std::string_view alg = AlgorithmName(static_cast<Algorithm>(i));
    const idp::SigningKey& signer = idp::TestKey(alg);
    const Jwk key = KeyOf(signer);
    const std::string token = idp::Mint(signer, {{"sub", "alice"}});
    ParsedJws jws;
    ASSERT_EQ(jws.Parse(token), Reason::kNone) << alg;
    std::optional<VerifiedJws> verified;
    ASSERT_EQ(Verify(jws, key.key, &verified), Reason::kNone) << alg;
    ASSERT_TRUE(verified);
    EXPECT_EQ(verified->payload().Member("sub").string(), "alice");
    EXPECT_EQ(verified->header().key_id, signer.kid());
    EXPECT_EQ(&verified->header(), &jws.header());
  }
}

TEST(Verify, TakesBackAProofThatFailed) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const std::string token = idp::Mint(signer, {{"sub", "alice"}});
  ParsedJws jws;
  ASSERT_EQ(jws.Parse(token), Reason::kNone);
  std::optional<VerifiedJws> verified;
  ASSERT_EQ(Verify(jws, KeyOf(signer).key, &verified), Reason::kNone);
  EXPECT_EQ(Verify(jws, KeyOf(idp::TestKey("ES256", 1)).key, &verified), Reason::kBadSignature);
  EXPECT_FALSE(verified);
}

TEST(Verify, SaysWhyNot) {
  const idp::SigningKey& signer = idp::TestKey("ES256");
  const std::string token = idp::Mint(signer, {{"sub", "alice"}});
  const Jwk key = KeyOf(signer);
  const std::string head = token.substr(0, token.rfind('.') + 1);
  EXPECT_EQ(Check(token, key), Reason::kNone);
  EXPECT_EQ(Check(head + idp::Base64Url(std::string(64, 's')), key), Reason::kBadSignature);
  EXPECT_EQ(Check(head + idp::Base64Url(std::string(63, 's')), key), Reason::kBadSignatureLength);
  ParsedJws jws;
  ASSERT_EQ(jws.Parse(token), Reason::kNone);
  std::optional<VerifiedJws> verified;
  EXPECT_EQ(Verify(jws, KeyOf(idp::TestKey("RS256")).key, &verified), Reason::kKeyAlgorithmMismatch);
  EXPECT_EQ(Verify(jws, KeyOf(idp::TestKey("ES384")).key, &verified), Reason::kKeyAlgorithmMismatch);
}

TEST(ParsedJws, MayBeMadeForLongerTexts) {
  const idp::SigningKey& signer = idp::TestKey("EdDSA");
  const std::string token = idp::MintToSize(signer, {{"sub", "alice"}}, 40'000);
  EXPECT_EQ(ParsedJws().Parse(token), Reason::kTokenTooLong);
  EXPECT_EQ(ParsedJws(token.size() - 1).Parse(token), Reason::kTokenTooLong);
  ParsedJws jws(token.size());
  ASSERT_EQ(jws.Parse(token), Reason::kNone);
  std::optional<VerifiedJws> verified;
  EXPECT_EQ(Verify(jws, KeyOf(signer).key, &verified), Reason::kNone);
  EXPECT_EQ(jws.Parse(token + "A"), Reason::kTokenTooLong);
  EXPECT_EQ(ParsedJws(64).Parse("AAAA"), Reason::kNotCompactJws);
}

// Any change of any character of a token is refused, but for the one that ECDSA itself allows.
TEST(Verify, NoCharacterOfATokenCanBeChanged) {
  const idp::SigningKey& signer = idp::TestKey("EdDSA");
  const Jwk key = KeyOf(signer);
  std::string token = idp::Mint(signer, {{"sub", "alice"}, {"aud", "https://a.example"}});
  ASSERT_EQ(Check(token, key), Reason::kNone);
  for (char& c : token) {
    const char old = c;
    for (const char other : {'A', 'B', '_', '.', '='}) {
      if (other == old) continue;
      c = other;
      ASSERT_NE(Check(token, key), Reason::kNone);
    }
    c = old;
  }
  EXPECT_EQ(Check(token, key), Reason::kNone);
}

}  // namespace
}  // namespace tollgate::jose
