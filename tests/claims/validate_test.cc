// Validate: what it reads, in which order it refuses, and the times of whole tokens.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tests/claims/token_reader.h"

namespace tollgate {
namespace {

using idp::json;
using test::kAudience;
using test::kIssuer;
using test::kNow;
using test::TokenReader;
using testing::ElementsAre;

class Validate : public test::ClaimsTest {};

TEST_F(Validate, ReadsEveryClaim) {
  json claims = TokenReader::GoodClaims();
  claims["nbf"] = kNow - 30;
  claims["jti"] = "id-1";
  claims["roles"] = {"admin", "auditor", "admin"};
  claims["scope"] = "b a b";
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  const claims::AccessToken& token = reader.token();
  EXPECT_EQ(token.issuer, kIssuer);
  EXPECT_EQ(token.subject, "user-1");
  EXPECT_EQ(token.client_id, "client-1");
  EXPECT_EQ(token.jwt_id, "id-1");
  EXPECT_EQ(token.expires_at, kNow + 3540);
  EXPECT_EQ(token.issued_at, kNow - 60);
  EXPECT_EQ(token.not_before, kNow - 30);
  EXPECT_TRUE(token.has_issued_at);
  EXPECT_TRUE(token.has_not_before);
  EXPECT_FALSE(token.sender_constrained);
  EXPECT_THAT(token.audiences, ElementsAre(kAudience));
  EXPECT_THAT(token.scopes, ElementsAre("b", "a"));
  EXPECT_THAT(token.roles, ElementsAre("admin", "auditor"));
}

// Whoever is taken for a user may do what services may not.
TEST_F(Validate, TellsUsersServicesAndAgentsApart) {
  const auto kind = [this](const Profile& profile, const json& patch) {
    claims::Expectations lax = expectations;
    lax.profile = profile;
    lax.profile.any_type = true;
    lax.profile.subject_required = false;
    lax.profile.must_equal.clear();
    json claims = TokenReader::GoodClaims();
    for (const char* name : {"azp", "appid", "cid"}) claims[name] = claims["client_id"];
    claims.merge_patch(patch);
    EXPECT_EQ(reader.Read(claims, lax), Reason::kNone) << claims;
    return reader.token().kind;
  };
  using enum PrincipalKind;
  const Profile standard = Profile::Rfc9068();
  EXPECT_EQ(kind(standard, json::object()), kUser);
  EXPECT_EQ(kind(standard, {{"sub", "client-1"}}), kService);
  EXPECT_EQ(kind(standard, {{"sub", nullptr}}), kService) << "nobody has logged in";
  EXPECT_EQ(kind(standard, {{"sub", "client-1@clients"}}), kUser) << "another provider's way";
  EXPECT_EQ(kind(standard, {{"act", {{"sub", "a"}}}, {"sub", "client-1"}}), kAgent);
  EXPECT_EQ(kind(Profile::Auth0(), json::object()), kUser);
  EXPECT_EQ(kind(Profile::Auth0(), {{"sub", "client-1@clients"}}), kService);
  EXPECT_EQ(kind(Profile::Auth0(), {{"sub", "client-2@clients"}}), kUser);
  EXPECT_EQ(kind(Profile::Auth0(), {{"gty", "client-credentials"}}), kService);
  EXPECT_EQ(kind(Profile::EntraV2(), {{"scp", "Files.Read"}}), kUser);
  EXPECT_EQ(kind(Profile::EntraV2(), {{"roles", {"Files.Read.All"}}}), kService)
      << "no scp: an application's";
  EXPECT_EQ(kind(Profile::EntraV2(), {{"scp", "Files.Read"}, {"idtyp", "app"}}), kService);
  EXPECT_EQ(kind(Profile::Keycloak(), {{"clientAddress", "203.0.113.7"}}), kService);
  EXPECT_EQ(kind(Profile::Keycloak(), json::object()), kUser);
}

TEST_F(Validate, NothingOfAnEarlierTokenIsLeft) {
  json claims = TokenReader::GoodClaims();
  claims["roles"] = {"admin"};
  claims["nbf"] = kNow - 30;
  claims["cnf"] = {{"jkt", "x"}};
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  ASSERT_TRUE(reader.token().sender_constrained);
  claims::Expectations lax = expectations;
  lax.profile.subject_required = lax.profile.client_required = lax.profile.jwt_id_required = false;
  lax.profile.issued_at_required = false;
  ASSERT_EQ(reader.Read({{"iss", kIssuer}, {"aud", "x"}, {"exp", kNow + 1}}, lax), Reason::kNone);
  const claims::AccessToken& token = reader.token();
  EXPECT_EQ(token.subject, "");
  EXPECT_EQ(token.client_id, "");
  EXPECT_EQ(token.jwt_id, "");
  EXPECT_FALSE(token.has_not_before || token.has_issued_at || token.sender_constrained);
  EXPECT_THAT(token.audiences, ElementsAre("x"));
  EXPECT_TRUE(token.scopes.empty());
  EXPECT_TRUE(token.roles.empty());
}

TEST_F(Validate, TypeIsComparedAsAMediaType) {
  for (const char* type : {"at+jwt", "AT+JWT", "application/at+jwt", "Application/AT+jwt"}) {
    EXPECT_EQ(WithType(type), Reason::kNone) << type;
  }
  for (const char* type :
       {"JWT", "jwt", "application/jwt", "", "at+jwt ", " at+jwt", "at+jwt; charset=utf-8", "application/",
        "text/at+jwt", "application/x/at+jwt", "application/application/at+jwt", "at", "at-jwt", "dpop+jwt",
        "secevent+jwt", "logout+jwt", "at+jwtx", "x-at+jwt"}) {
    EXPECT_EQ(WithType(type), Reason::kWrongType) << type;
  }
  EXPECT_EQ(WithType(nullptr), Reason::kWrongType) << "left out";
  expectations.profile.missing_type_allowed = true;
  EXPECT_EQ(WithType(nullptr), Reason::kNone);
  EXPECT_EQ(WithType("JWT"), Reason::kWrongType) << "a missing type is not any type";
  expectations.profile.types = {"text/x"};
  EXPECT_EQ(WithType("TEXT/x"), Reason::kNone);
  EXPECT_EQ(WithType("application/text/x"), Reason::kWrongType) << "only a value without a slash may lack it";
  expectations.profile.types = {"application/vnd.example+jwt"};
  EXPECT_EQ(WithType("vnd.Example+jwt"), Reason::kNone);
  EXPECT_EQ(WithType("at+jwt"), Reason::kWrongType);
}

TEST_F(Validate, RequiredClaimsHaveReasonsOfTheirOwn) {
  EXPECT_EQ(Without("iss"), Reason::kIssuerMissing);
  EXPECT_EQ(Without("exp"), Reason::kExpiryMissing);
  EXPECT_EQ(Without("aud"), Reason::kAudienceMissing);
  EXPECT_EQ(Without("iat"), Reason::kIssuedAtMissing);
  EXPECT_EQ(Without("sub"), Reason::kSubjectMissing);
  EXPECT_EQ(Without("client_id"), Reason::kClientMissing);
  EXPECT_EQ(Without("jti"), Reason::kJwtIdMissing);
  EXPECT_EQ(Without("scope"), Reason::kNone);
  EXPECT_EQ(Without("nbf"), Reason::kNone);
}

TEST_F(Validate, ProfileDecidesWhatIsRequired) {
  expectations.profile.issued_at_required = false;
  expectations.profile.subject_required = false;
  expectations.profile.client_required = false;
  expectations.profile.jwt_id_required = false;
  for (const char* name : {"iat", "sub", "client_id", "jti"}) EXPECT_EQ(Without(name), Reason::kNone) << name;
  EXPECT_EQ(Without("exp"), Reason::kExpiryMissing) << "always";
  EXPECT_EQ(Without("aud"), Reason::kAudienceMissing) << "always";
  EXPECT_EQ(Without("iss"), Reason::kIssuerMissing) << "always";
}

TEST_F(Validate, BoundsOnAgeAndLifetimeNeedAnIssuedAt) {
  expectations.profile.issued_at_required = false;
  expectations.token_age_max_s = 3600;
  EXPECT_EQ(Without("iat"), Reason::kIssuedAtMissing);
  expectations.token_age_max_s = 0;
  expectations.token_lifetime_max_s = 3600;
  EXPECT_EQ(Without("iat"), Reason::kIssuedAtMissing);
  expectations.token_lifetime_max_s = 0;
  EXPECT_EQ(Without("iat"), Reason::kNone);
}

TEST_F(Validate, IssuerIsComparedExactly) {
  for (const char* issuer :
       {"https://idp.example.com", "https://IDP.example.com/", "https://idp.example.com//",
        "https://idp.example.com/x", "http://idp.example.com/", "idp"}) {
    EXPECT_EQ(With("iss", issuer), Reason::kIssuerUnknown) << issuer;
  }
}

TEST_F(Validate, MarksMustEqualExactly) {
  expectations.profile.must_equal = {{"token_use", "access"}, {"/ext/kind", "a"}};
  json claims = TokenReader::GoodClaims();
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNotAnAccessToken);
  claims["token_use"] = "access";
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNotAnAccessToken);
  claims["ext"] = {{"kind", "a"}};
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNone);
  for (const json& other :
       {json("Access"), json("access "), json("id"), json(""), json(nullptr), json(1), json({"access"})}) {
    claims["token_use"] = other;
    EXPECT_EQ(reader.Read(claims, expectations), Reason::kNotAnAccessToken) << other;
  }
}

TEST_F(Validate, EveryClaimOfAWrongTypeIsRefusedAndNotTakenAsAbsent) {
  const std::vector<json> wrong_everywhere = {nullptr, true, json::object(), json({{"a", 1}})};
  for (const char* name : {"iss", "exp", "nbf", "iat", "sub", "client_id", "jti", "aud", "scope", "roles"}) {
    for (const json& value : wrong_everywhere) {
      EXPECT_EQ(With(name, value), Reason::kBadClaim) << name << ' ' << value;
    }
  }
  for (const char* name : {"iss", "sub", "client_id", "jti", "aud", "scope", "roles"}) {
    EXPECT_EQ(With(name, 1), Reason::kBadClaim) << name;
  }
  for (const char* name : {"iss", "sub", "client_id", "jti", "exp", "nbf", "iat"}) {
    EXPECT_EQ(With(name, {"x"}), Reason::kBadClaim) << name;
    EXPECT_EQ(With(name, ""), Reason::kBadClaim) << name;
  }
  for (const char* name : {"exp", "nbf", "iat"})
    EXPECT_EQ(With(name, "1767229140"), Reason::kBadClaim) << name;
  for (const json& value : {json(nullptr), json(true), json("x"), json(1), json::array()}) {
    EXPECT_EQ(With("cnf", value), Reason::kBadClaim) << value;
  }
}

TEST_F(Validate, IssuerIsBoundedInLength) {
  expectations.issuer = std::string(limits::kIssuerBytesMax, 'i');
  EXPECT_EQ(With("iss", expectations.issuer), Reason::kNone);
  expectations.issuer += 'i';
  EXPECT_EQ(With("iss", expectations.issuer), Reason::kBadClaim);
}

TEST_F(Validate, FirstClientAndScopeClaimCounts) {
  expectations.profile.client_claims = {"azp", "client_id"};
  expectations.profile.scope_claims = {"scp", "/ext/scope", "scope"};
  json claims = TokenReader::GoodClaims();
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_EQ(reader.token().client_id, "client-1");
  EXPECT_THAT(reader.token().scopes, ElementsAre("tools:read", "tools:write"));
  claims["azp"] = "other";
  claims["ext"] = {{"scope", "deep"}};
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_EQ(reader.token().client_id, "other");
  EXPECT_THAT(reader.token().scopes, ElementsAre("deep"));
  claims["scp"] = json::array();
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_TRUE(reader.token().scopes.empty()) << "present and empty is present";
  claims["scp"] = 7;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim) << "a malformed one is not passed over";
  claims.erase("scp");
  claims["azp"] = "";
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim);
}

TEST_F(Validate, RolesOfAllClaimsAreTakenTogether) {
  expectations.profile.role_claims = {"roles", "/realm_access/roles", "groups"};
  json claims = TokenReader::GoodClaims();
  claims["groups"] = "g1 r1";
  claims["roles"] = {"r1", "r2"};
  claims["realm_access"] = {{"roles", {"r2", "r3"}}};
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_THAT(reader.token().roles, ElementsAre("r1", "r2", "r3", "g1"));
  claims["realm_access"] = "r3";
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim);
}

TEST_F(Validate, RolesOfEveryMemberBehindAStar) {
  expectations.profile.role_claims = {"roles", "/access/*/roles"};
  json claims = TokenReader::GoodClaims();
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNone) << "nothing there is nothing granted";
  claims["roles"] = {"r1"};
  claims["access"] = {{"a", {{"roles", {"r1", "r2"}}}},
                      {"b", {{"roles", "r3 r4"}, {"more", {{"roles", {"deeper"}}}}}},
                      {"c", json::object()},
                      {"*", {{"roles", {"r5"}}}}};
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_THAT(reader.token().roles, testing::UnorderedElementsAre("r1", "r2", "r3", "r4", "r5"));
  const json good = claims;
  for (const json& bad : {json("r6"), json(nullptr), json::array({"r6"}), json({{"roles", 1}}),
                          json({{"roles", {"two words"}}}), json({{"roles", nullptr}})}) {
    claims = good;
    claims["access"]["d"] = bad;
    EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim) << bad;
    claims = good;
    claims["access"]["0"] = bad;
    EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim) << bad << " before good ones";
  }
  for (const json& bad : {json("r6"), json(nullptr), json::array()}) {
    claims["access"] = bad;
    EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim) << bad;
  }
}

TEST_F(Validate, StarIsALetterWhereItIsNoStepOfAPointer) {
  json claims = TokenReader::GoodClaims();
  claims["https://example.com/*/roles"] = {"named"};
  claims["access"] = {{"a", {{"roles", {"not this"}}}}, {"a*", {{"roles", {"starred"}}}}};
  expectations.profile.role_claims = {"https://example.com/*/roles", "/access/a*/roles"};
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_THAT(reader.token().roles, ElementsAre("named", "starred"));
}

TEST_F(Validate, NumberOfRolesIsBoundedOverAllMembersBehindAStar) {
  expectations.profile.role_claims = {"/access/*/roles"};
  json claims = TokenReader::GoodClaims();
  for (size_t i = 0; i < limits::kRolesPerTokenMax; ++i) {
    claims["access"][i % 2 == 0 ? "even" : "odd"]["roles"].push_back(std::to_string(i));
  }
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNone);
  claims["access"]["more"]["roles"] = {"more"};
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim);
}

TEST_F(Validate, NumbersOfAudiencesScopesAndRolesAreBounded) {
  const auto list = [](size_t count) {
    json array = json::array();
    for (size_t i = 0; i < count; ++i) array.push_back(std::to_string(i));
    return array;
  };
  EXPECT_EQ(With("aud", list(limits::kAudiencesMax)), Reason::kNone);
  EXPECT_EQ(With("aud", list(limits::kAudiencesMax + 1)), Reason::kBadClaim);
  EXPECT_EQ(With("scope", list(limits::kScopesPerTokenMax)), Reason::kNone);
  EXPECT_EQ(With("scope", list(limits::kScopesPerTokenMax + 1)), Reason::kBadClaim);
  EXPECT_EQ(With("roles", list(limits::kRolesPerTokenMax)), Reason::kNone);
  EXPECT_EQ(With("roles", list(limits::kRolesPerTokenMax + 1)), Reason::kBadClaim);
  expectations.profile.role_claims = {"roles", "more"};
  json claims = TokenReader::GoodClaims();
  claims["roles"] = list(limits::kRolesPerTokenMax);
  claims["more"] = {"one"};
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kBadClaim) << "over all role claims together";
}

// Breaks everything, then mends one thing after the other: the reason is always that of the first broken one.
TEST_F(Validate, FirstReasonInTheDocumentedOrder) {
  expectations.profile.must_equal = {{"token_use", "access"}};
  json header = {{"typ", "JWT"}};
  json claims = {{"token_use", "id"}, {"nbf", "soon"}, {"iss", "https://other.example.com/"}};
  const std::vector<std::pair<Reason, std::function<void()>>> steps = {
      {Reason::kWrongType, [&] { header["typ"] = "at+jwt"; }},
      {Reason::kNotAnAccessToken, [&] { claims["token_use"] = "access"; }},
      {Reason::kBadClaim, [&] { claims["nbf"] = kNow + 1000; }},
      {Reason::kIssuerUnknown, [&] { claims["iss"] = kIssuer; }},
      {Reason::kExpiryMissing, [&] { claims["exp"] = kNow - 1000; }},
      {Reason::kAudienceMissing, [&] { claims["aud"] = kAudience; }},
      {Reason::kIssuedAtMissing, [&] { claims["iat"] = kNow - 2000; }},
      {Reason::kSubjectMissing, [&] { claims["sub"] = "s"; }},
      {Reason::kClientMissing, [&] { claims["client_id"] = "c"; }},
      {Reason::kJwtIdMissing, [&] { claims["jti"] = "j"; }},
      {Reason::kExpired, [&] { claims["exp"] = kNow + 1000; }},
      {Reason::kNotYetValid, [&] { claims["nbf"] = kNow; }},
      {Reason::kNone, [] {}},
  };
  for (const auto& [reason, mend] : steps) {
    EXPECT_EQ(reader.Read(claims, expectations, header), reason) << ReasonName(reason);
    mend();
  }
}

TEST_F(Validate, TimesAreExactToTheSecond) {
  expectations.leeway_s = 60;
  json claims = TokenReader::GoodClaims();
  claims["exp"] = kNow;
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow + 59), Reason::kNone);
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow + 60), Reason::kExpired);
  EXPECT_EQ(reader.evidence().actual, kNow + 60);
  EXPECT_EQ(reader.evidence().bound, kNow + 60);
  claims = TokenReader::GoodClaims();
  claims["nbf"] = kNow;
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow - 60), Reason::kNone);
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow - 61), Reason::kNotYetValid);
  claims = TokenReader::GoodClaims();
  claims["iat"] = kNow;
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow - 60), Reason::kNone);
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow - 61), Reason::kNotYetValid);
  expectations.token_age_max_s = 100;
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow + 160), Reason::kNone);
  EXPECT_EQ(reader.Read(claims, expectations, json::object(), kNow + 161), Reason::kTooOld);
  expectations.token_age_max_s = 0;
  expectations.token_lifetime_max_s = 3540;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNone);
  expectations.token_lifetime_max_s = 3539;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kLifetimeTooLong);
}

// RFC 7519 section 2 makes fractions legal; against a clock of whole seconds exp and nbf are exact.
TEST_F(Validate, FractionsAreExactAgainstWholeSeconds) {
  expectations.leeway_s = 0;
  expectations.profile.jwt_id_required = expectations.profile.client_required = false;
  const auto payload = [](std::string_view times) {
    return std::string(R"({"iss":"https://idp.example.com/","aud":"a","sub":"s",)").append(times).append("}");
  };
  const std::string fraction = payload(R"("iat":1767225500.9,"nbf":1767225599.1,"exp":1767225601.9)");
  EXPECT_EQ(reader.ReadRaw(fraction, expectations, kNow), Reason::kNone);
  EXPECT_EQ(reader.token().issued_at, 1767225500);
  EXPECT_EQ(reader.token().not_before, kNow);
  EXPECT_EQ(reader.token().expires_at, kNow + 2);
  EXPECT_EQ(reader.ReadRaw(fraction, expectations, kNow - 1), Reason::kNotYetValid);
  EXPECT_EQ(reader.ReadRaw(fraction, expectations, kNow + 1), Reason::kNone);
  EXPECT_EQ(reader.ReadRaw(fraction, expectations, kNow + 2), Reason::kExpired);
  const std::string exponent = payload(R"("iat":1.7672255e9,"exp":17672256.01e2)");
  EXPECT_EQ(reader.ReadRaw(exponent, expectations, kNow), Reason::kNone);
  EXPECT_EQ(reader.ReadRaw(exponent, expectations, kNow + 1), Reason::kExpired);
}

// RFC 7519 section 2: NumericDates may have fractions. That exp is rounded up and iat down must not make a
// token's life longer than it is.
TEST_F(Validate, EqualFractionsCancelInTheLifetime) {
  expectations.token_lifetime_max_s = 3600;
  const auto lives = [&](const std::string& iat, const std::string& exp) {
    return reader.ReadRaw(
        R"({"iss":"https://idp.example.com/","aud":"a","sub":"s","client_id":"c","jti":"j",)"
        R"("iat":)" +
            iat + R"(,"exp":)" + exp + "}",
        expectations);
  };
  EXPECT_EQ(lives("1767225500.5", "1767229100.5"), Reason::kNone);
  EXPECT_EQ(lives("1767225500.9", "1767229100.1"), Reason::kNone);
  EXPECT_EQ(lives("1767225500", "1767229100"), Reason::kNone);
  EXPECT_EQ(lives("1767225500", "1767229101"), Reason::kLifetimeTooLong);
  EXPECT_EQ(reader.evidence().actual, 3601);
  EXPECT_EQ(reader.evidence().bound, 3600);
  EXPECT_EQ(lives("1767225500.5", "1767229101.5"), Reason::kLifetimeTooLong);
}

// An expired token that also lives too long has expired: the order of the documentation.
TEST_F(Validate, TimesComeBeforeTheLifetime) {
  expectations.token_lifetime_max_s = 3539;
  EXPECT_EQ(reader.Read(TokenReader::GoodClaims(), expectations, json::object(), kNow + 3600),
            Reason::kExpired);
  EXPECT_EQ(reader.Read(TokenReader::GoodClaims(), expectations), Reason::kLifetimeTooLong);
  expectations.token_lifetime_max_s = 0;
  EXPECT_EQ(reader.Read(TokenReader::GoodClaims(), expectations), Reason::kNone) << "0 is no bound";
}

TEST_F(Validate, TheTenantIsHeldWhereOneIsExpectedAndThereAlone) {
  EXPECT_EQ(With("tid", 7), Reason::kNone);
  expectations.tenant = "t-1";
  EXPECT_EQ(With("tid", "t-1"), Reason::kNone);
  for (const char* other : {"t-2", "T-1", "t-1 ", "t-", ""})
    EXPECT_EQ(With("tid", other), Reason::kTenantMismatch) << other;
  EXPECT_EQ(With("other", "t-1"), Reason::kTenantMismatch);
  for (const json& mistyped : {json(nullptr), json(1), json::array({"t-1"}), json{{"tid", "t-1"}}})
    EXPECT_EQ(With("tid", mistyped), Reason::kBadClaim) << mistyped;
}

TEST_F(Validate, UnknownClaimsAreIgnored) {
  json claims = TokenReader::GoodClaims();
  claims["authorization_details"] = {{{"type", "x"}, {"actions", {"read"}}}};
  claims["act"] = {{"sub", "agent"}};
  claims["x5t#S256"] = nullptr;
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kNone);
}

TEST(PeekIssuer, ReadsAnUnverifiedPayload) {
  const auto peek = [](const std::string& text) {
    tollgate::json::Document document(8192);
    EXPECT_EQ(document.Parse(text), Reason::kNone);
    std::string_view issuer = "unset";
    const Reason reason = claims::PeekIssuer(document.root(), &issuer);
    return reason == Reason::kNone ? std::string(issuer) : std::string("!").append(ReasonName(reason));
  };
  EXPECT_EQ(peek(R"({"iss":"https://a"})"), "https://a");
  EXPECT_EQ(peek(R"({"sub":"https://a"})"), "!issuer_missing");
  EXPECT_EQ(peek(R"({"x":{"iss":"https://a"}})"), "!issuer_missing");
  EXPECT_EQ(peek(R"(["iss","https://a"])"), "!issuer_missing");
  for (const char* value : {"null", "1", "\"\"", "[\"https://a\"]", "{\"iss\":\"https://a\"}", "true"}) {
    EXPECT_EQ(peek(std::string("{\"iss\":") + value + "}"), "!bad_claim") << value;
  }
  const std::string longest(limits::kIssuerBytesMax, 'i');
  EXPECT_EQ(peek("{\"iss\":\"" + longest + "\"}"), longest);
  EXPECT_EQ(peek("{\"iss\":\"" + longest + "i\"}"), "!bad_claim");
}

}  // namespace
}  // namespace tollgate
