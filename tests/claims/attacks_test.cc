// Attacks on claims that have worked elsewhere, each tried here with a token whose signature is good.
//
// clang-format off
//   advisory | what went wrong there | test
//   CVE-2026-25537 | exp, nbf of a wrong type taken as absent | TimesOfTheWrongTypeAreNotTakenAsAbsent
//   CVE-2026-107723 | an array as payload skipped the checks | ArrayPayloadSkipsNoCheck
//   CVE-2026-107719, liboauth2 | no iat, so that no age could be bounded | MissingIssuedAtEscapesNoAgeBound
//   CVE-2026-116684 | audience not checked, hence any shape of it | AudienceOfTheWrongShapeIsNoAudience
//   (several libraries) | infinite or huge tolerance | NoLeewayRevivesWhatThisTimeCannot
//   (several libraries) | negative and huge timestamps wrapped | TimestampsThatWrapAreOutOfRange
//   (several libraries) | exp of 1e300 never expires | HugeExponentIsNoExpiry
//   RFC 8725, 3.11 | ID token or other JWT taken as access token | IdTokenIsNoAccessToken, OtherKinds…
//   RFC 7519 section 4 | two parsers, duplicate members | DuplicateClaimsAreRefused…
//   CWE-93, CWE-117 | header and log injection through claims | NamesCannotCarryHeadersOrLogLines
//   CWE-436 | another member taken as the claim | NestedClaims…, NamesOfClaimsAreExact
// clang-format on

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

#include "tests/claims/token_reader.h"

namespace tollgate {
namespace {

using idp::json;
using test::kAudience;
using test::kIssuer;
using test::kNow;
using test::TokenReader;

class Attack : public test::ClaimsTest {};

TEST_F(Attack, TokenOfThisTestIsGoodUnlessAttacked) {
  ASSERT_EQ(WithRaw("exp", std::to_string(kNow + 10)), Reason::kNone);
}

TEST_F(Attack, TimesOfTheWrongTypeAreNotTakenAsAbsent) {
  for (const char* name : {"exp", "nbf", "iat"}) {
    for (const char* raw :
         {"\"1\"", "\"4102444800\"", "\"\"", "null", "true", "false", "[]", "[4102444800]", "{}",
          "{\"$date\":4102444800}", "\"NaN\"", "\"Infinity\"", "\"2099-01-01T00:00:00Z\""}) {
      EXPECT_EQ(WithRaw(name, raw), Reason::kBadClaim) << name << " " << raw;
    }
  }
  // Not even where the profile does not demand the claim.
  expectations.profile.issued_at_required = false;
  EXPECT_EQ(WithRaw("iat", "null"), Reason::kBadClaim);
}

TEST_F(Attack, NumbersThatAreNoJsonAreRefused) {
  for (const char* raw : {"NaN", "Infinity", "-Infinity", "0x7fffffff", "1e400", "+1", "01767229140",
                          "1767229140L", "18446744073709551616", "99999999999999999999999"}) {
    EXPECT_EQ(WithRaw("exp", raw), Reason::kBadJson) << raw;
  }
}

TEST_F(Attack, ArrayPayloadSkipsNoCheck) {
  const std::string good = TokenReader::GoodClaims().dump();
  EXPECT_EQ(reader.ReadRaw("[" + good + "]", expectations), Reason::kNotAnObject);
  EXPECT_EQ(reader.ReadRaw("[]", expectations), Reason::kNotAnObject);
  for (const char* payload : {"\"text\"", "1", "null", "true"}) {
    EXPECT_EQ(reader.ReadRaw(payload, expectations), Reason::kNotAnObject) << payload;
  }
  EXPECT_EQ(reader.ReadRaw("{}", expectations), Reason::kIssuerMissing);
  EXPECT_EQ(reader.ReadRaw(good, expectations), Reason::kNone);
}

TEST_F(Attack, TimestampsThatWrapAreOutOfRange) {
  for (const char* raw : {"-1", "-0.1", "-9223372036854775808", "9223372036854775807", "9223372036854775808",
                          "18446744073709551615", "253402300800", "9007199254740993", "1e18", "1e19",
                          "9.3e18", "1767229140000" /* milliseconds */}) {
    for (const char* name : {"exp", "nbf", "iat"})
      EXPECT_EQ(WithRaw(name, raw), Reason::kBadClaim) << name << " " << raw;
  }
}

TEST_F(Attack, HugeExponentIsNoExpiry) {
  for (const char* raw : {"1e300", "1.7976931348623157e308", "1e12", "-1e300"}) {
    EXPECT_EQ(WithRaw("exp", raw), Reason::kBadClaim) << raw;
  }
}

TEST_F(Attack, NoLeewayRevivesWhatThisTimeCannot) {
  // A configuration cannot ask for this much leeway; the arithmetic must not fail open if one did.
  expectations.leeway_s = std::numeric_limits<int64_t>::max();
  json claims = TokenReader::GoodClaims();
  claims["exp"] = 0;
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), std::numeric_limits<int64_t>::max()),
            Reason::kExpired);
  expectations.leeway_s = 60;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kExpired);
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), 59), Reason::kNotYetValid)
      << "iat still counts";
}

TEST_F(Attack, MissingIssuedAtEscapesNoAgeBound) {
  expectations.profile.issued_at_required = false;
  expectations.token_age_max_s = 600;
  json claims = TokenReader::GoodClaims();
  claims.erase("iat");
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kIssuedAtMissing);
}

TEST_F(Attack, IssuedAtInTheFutureDoesNotMakeATokenYoung) {
  expectations.token_age_max_s = 600;
  json claims = TokenReader::GoodClaims();
  claims["iat"] = kNow + 61;
  claims["exp"] = kNow + 3600;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNotYetValid);
}

TEST_F(Attack, AudienceOfTheWrongShapeIsNoAudience) {
  for (const char* raw :
       {"null", "1", "true", "{}", "\"\"", "{\"https://mcp.example.com/mcp\":true}",
        "[\"https://mcp.example.com/mcp\",1]", "[null]", "[[\"https://mcp.example.com/mcp\"]]", "[\"\"]",
        "[{\"aud\":\"https://mcp.example.com/mcp\"}]"}) {
    EXPECT_EQ(WithRaw("aud", raw), Reason::kBadClaim) << raw;
  }
  EXPECT_EQ(WithRaw("aud", "[]"), Reason::kAudienceMissing);
}

TEST_F(Attack, AudienceIsHandedOnByteForByte) {
  ASSERT_EQ(WithRaw("aud", R"(["https:\/\/mcp.example.com/mcp","*","https://MCP.example.com/mcp"])"),
            Reason::kNone);
  ASSERT_EQ(reader.token().audiences.size(), 3u);
  EXPECT_EQ(reader.token().audiences[0], kAudience);
  EXPECT_EQ(reader.token().audiences[1], "*") << "a string like any other, for the caller to compare";
  EXPECT_NE(reader.token().audiences[2], kAudience);
}

TEST_F(Attack, IdTokenIsNoAccessToken) {
  json id_token = {{"iss", kIssuer}, {"sub", "user-1"}, {"aud", kAudience},  {"exp", kNow + 100},
                   {"iat", kNow},    {"nonce", "n"},    {"azp", "client-1"}, {"client_id", "client-1"},
                   {"jti", "j"}};
  EXPECT_EQ(reader.Read(id_token, expectations, {{"typ", "JWT"}}), Reason::kWrongType);
  // A profile that takes the general type relies on the marks that only ID tokens carry.
  expectations.profile.types = {"JWT"};
  expectations.profile.missing_type_allowed = true;
  EXPECT_EQ(reader.Read(id_token, expectations, {{"typ", "JWT"}}), Reason::kNone) << "nothing tells, so far";
  for (const char* mark : {"at_hash", "c_hash"}) {
    for (const json& value : {json("MTIzNDU2Nzg5MDEyMzQ1Ng"), json(""), json(nullptr)}) {
      json marked = id_token;
      marked[mark] = value;
      EXPECT_EQ(reader.Read(marked, expectations, {{"typ", "JWT"}}), Reason::kNotAnAccessToken) << mark;
      EXPECT_EQ(reader.Read(marked, expectations, {{"typ", nullptr}}), Reason::kNotAnAccessToken) << mark;
    }
  }
}

// Keycloak and Cognito say in the payload what a token is for: believed wherever the header does not say it.
TEST_F(Attack, RefreshTokenIsNoAccessToken) {
  expectations.profile = Profile::Lenient();
  const auto with = [&](const char* name, const json& value, const json& header) {
    json claims = TokenReader::GoodClaims();
    claims[name] = value;
    return reader.Read(claims, expectations, header);
  };
  for (const json& header : {json{{"typ", "JWT"}}, json{{"typ", nullptr}}}) {
    for (const char* type : {"Refresh", "refresh", "Offline", "ID", "Id", "Logout"}) {
      EXPECT_EQ(with("typ", type, header), Reason::kNotAnAccessToken) << type;
    }
    for (const char* type : {"Bearer", "DPoP", "JWT", "Identity"}) {
      EXPECT_EQ(with("typ", type, header), Reason::kNone) << type;
    }
    for (const json& use : {json("id"), json("refresh"), json("Access"), json(""), json(nullptr), json(1)}) {
      EXPECT_EQ(with("token_use", use, header), Reason::kNotAnAccessToken) << use;
    }
    EXPECT_EQ(with("token_use", "access", header), Reason::kNone);
  }
  EXPECT_EQ(with("typ", "Refresh", {{"typ", "at+jwt"}}), Reason::kNone) << "the header says it";
}

TEST_F(Attack, TakingIdTokensTakesNoRefreshTokens) {
  expectations.profile = Profile::DangerousGoogleIdToken();
  json claims = TokenReader::GoodClaims();
  claims["at_hash"] = claims["c_hash"] = "x";
  EXPECT_EQ(reader.Read(claims, expectations, {{"typ", "JWT"}}), Reason::kNone);
  claims["typ"] = "Refresh";
  EXPECT_EQ(reader.Read(claims, expectations, {{"typ", "JWT"}}), Reason::kNotAnAccessToken);
}

TEST_F(Attack, OtherKindsOfJwtAreNoAccessTokens) {
  for (const char* type :
       {"JWT", "dpop+jwt", "logout+jwt", "secevent+jwt", "token-introspection+jwt", "statuslist+jwt",
        "oauth-authz-req+jwt", "client-authentication+jwt", "openid-federation+jwt", "jwk-set+jwt"}) {
    EXPECT_EQ(reader.Read(TokenReader::GoodClaims(), expectations, {{"typ", type}}), Reason::kWrongType)
        << type;
  }
}

TEST_F(Attack, DuplicateClaimsAreRefusedHoweverTheyAreWritten) {
  const std::string tail = TokenReader::GoodClaims().dump().substr(1);
  for (const char* again : {"\"exp\":4102444800", "\"e\\u0078p\":4102444800", "\"aud\":\"x\"",
                            "\"sub\":\"admin\"", "\"\\u0069ss\":\"x\""}) {
    EXPECT_EQ(reader.ReadRaw(std::string("{").append(again).append(",").append(tail), expectations),
              Reason::kDuplicateMember)
        << again;
  }
}

TEST_F(Attack, NamesOfClaimsAreExact) {
  // Neither case, nor a NUL, nor white space makes another member into the claim.
  json claims = TokenReader::GoodClaims();
  claims.erase("exp");
  for (const std::string& name :
       {std::string("EXP"), std::string("Exp"), std::string("exp "), std::string("exp\0", 4)}) {
    claims[name] = kNow + 100;
  }
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kExpiryMissing);
}

TEST_F(Attack, NestedClaimsAreNotTheClaims) {
  json claims = TokenReader::GoodClaims();
  const json good = claims;
  for (const char* name : {"exp", "aud", "sub", "iat", "jti"}) {
    claims = good;
    claims["payload"] = claims["claims"] = good;
    claims.erase(name);
    EXPECT_NE(reader.Read(claims, expectations), Reason::kNone) << name;
  }
}

TEST_F(Attack, NamesCannotCarryHeadersOrLogLines) {
  for (const char* name : {"sub", "client_id", "jti"}) {
    for (const char* raw : {R"("a\r\nX-Admin: 1")", R"("a\nERROR")", R"("\u0000admin")", R"("a\u001b[2J")",
                            R"("a\u0085b")", R"("a\u2028b")", R"("\u007f")"}) {
      EXPECT_EQ(WithRaw(name, raw), Reason::kBadClaim) << name << " " << raw;
    }
  }
  for (const char* raw : {R"("tools:read\nadmin")", R"("tools:read\tadmin")", R"("a\u00a0b")", R"("a\"b")",
                          R"(["tools:read admin"])", R"(["a\u0000"])"}) {
    EXPECT_EQ(WithRaw("scope", raw), Reason::kBadClaim) << raw;
  }
  for (const char* raw :
       {R"(["user admin"])", R"(["user\u3000admin"])", R"(["user\nadmin"])", R"("user\tadmin")"}) {
    EXPECT_EQ(WithRaw("roles", raw), Reason::kBadClaim) << raw;
  }
}

TEST_F(Attack, ScopeAndRoleObjectsGrantNothing) {
  for (const char* name : {"scope", "roles"}) {
    for (const char* raw :
         {"{\"admin\":true}", "[{\"value\":\"admin\"}]", "[[\"admin\"]]", "true", "0", "null"}) {
      EXPECT_EQ(WithRaw(name, raw), Reason::kBadClaim) << name << " " << raw;
    }
  }
}

}  // namespace
}  // namespace tollgate
