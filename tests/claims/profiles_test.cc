// Tokens of the shapes that the providers document, each with its own profile; and each provider's other
// tokens, which must not pass as access tokens. Names and values are made up.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>

#include "tests/claims/token_reader.h"

namespace tollgate {
namespace {

using idp::json;
using test::kNow;
using test::TokenReader;
using testing::ElementsAre;
using testing::UnorderedElementsAre;

const json kNoType = {{"typ", nullptr}};
const json kJwtType = {{"typ", "JWT"}};

class ProfileTest : public testing::Test {
 protected:
  Reason Read(Profile profile, const json& claims, const json& header) {
    claims::Expectations expectations = TokenReader::Expect(std::move(profile));
    expectations.issuer = claims.at("iss").get<std::string>();
    return reader.Read(claims, expectations, header);
  }
  const claims::AccessToken& token() const { return reader.token(); }

  TokenReader reader;
};

json OidcProviderAccessToken() {
  return {{"jti", "bG9uZy1yYW5kb20tdmFsdWU"},
          {"sub", "agent-7"},
          {"iat", kNow - 5},
          {"exp", kNow + 595},
          {"scope", "tools:call"},
          {"client_id", "agent-7"},
          {"iss", "http://127.0.0.1:3000"},
          {"aud", "https://mcp.example.com/mcp"}};
}

TEST_F(ProfileTest, Rfc9068) {
  ASSERT_EQ(Read(Profile::Rfc9068(), OidcProviderAccessToken(), {{"typ", "at+jwt"}}), Reason::kNone);
  EXPECT_EQ(token().client_id, "agent-7");
  EXPECT_THAT(token().scopes, ElementsAre("tools:call"));
  EXPECT_THAT(token().audiences, ElementsAre("https://mcp.example.com/mcp"));
  EXPECT_EQ(Read(Profile::Rfc9068(), OidcProviderAccessToken(), kJwtType), Reason::kWrongType);
  EXPECT_EQ(Read(Profile::Rfc9068(), OidcProviderAccessToken(), kNoType), Reason::kWrongType);
}

json Auth0AccessToken() {
  return {{"iss", "https://tenant.auth0.com/"},
          {"sub", "auth0|0123456789abcdef"},
          {"aud", {"https://api.example.com", "https://tenant.auth0.com/userinfo"}},
          {"client_id", "aBcDeF0123"},
          {"iat", kNow - 5},
          {"exp", kNow + 86395},
          {"jti", "73WakrfVbNJB"},
          {"scope", "openid profile read:files"},
          {"permissions", {"read:files", "write:files"}}};
}

TEST_F(ProfileTest, Auth0) {
  ASSERT_EQ(Read(Profile::Auth0(), Auth0AccessToken(), {{"typ", "at+jwt"}}), Reason::kNone);
  EXPECT_EQ(token().client_id, "aBcDeF0123");
  EXPECT_THAT(token().roles, ElementsAre("read:files", "write:files"));
  EXPECT_THAT(token().scopes, ElementsAre("openid", "profile", "read:files"));
  EXPECT_EQ(token().audiences.size(), 2u);
  // The older dialect is not told from an ID token by its type.
  EXPECT_EQ(Read(Profile::Auth0(), Auth0AccessToken(), kJwtType), Reason::kWrongType);
}

json CognitoAccessToken() {
  return {{"sub", "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"},
          {"cognito:groups", {"operators"}},
          {"iss", "https://cognito-idp.eu-west-1.amazonaws.com/eu-west-1_example"},
          {"version", 2},
          {"client_id", "7exampleclient"},
          {"origin_jti", "0a"},
          {"event_id", "0b"},
          {"token_use", "access"},
          {"scope", "mcp/read mcp/write"},
          {"auth_time", kNow - 5},
          {"exp", kNow + 3595},
          {"iat", kNow - 5},
          {"jti", "0c"},
          {"username", "jane"}};
}

TEST_F(ProfileTest, Cognito) {
  ASSERT_EQ(Read(Profile::Cognito(), CognitoAccessToken(), kNoType), Reason::kNone);
  EXPECT_THAT(token().audiences, ElementsAre("7exampleclient")) << "client_id stands for the audience";
  EXPECT_EQ(token().client_id, "7exampleclient");
  EXPECT_THAT(token().roles, ElementsAre("operators"));
  EXPECT_THAT(token().scopes, ElementsAre("mcp/read", "mcp/write"));

  json id_token = CognitoAccessToken();
  id_token["token_use"] = "id";
  EXPECT_EQ(Read(Profile::Cognito(), id_token, kNoType), Reason::kNotAnAccessToken);
  id_token.erase("token_use");
  EXPECT_EQ(Read(Profile::Cognito(), id_token, kNoType), Reason::kNotAnAccessToken);
  json without_client = CognitoAccessToken();
  without_client.erase("client_id");
  without_client["aud"] = "7exampleclient";
  EXPECT_EQ(Read(Profile::Cognito(), without_client, kNoType), Reason::kAudienceMissing);
}

json EntraAccessToken() {
  return {{"aud", "00000000-aaaa-1111-bbbb-222222222222"},
          {"iss", "https://login.microsoftonline.com/11111111-2222-3333-4444-555555555555/v2.0"},
          {"iat", kNow - 5},
          {"nbf", kNow - 5},
          {"exp", kNow + 4000},
          {"aio", "AXQ"},
          {"azp", "66666666-7777-8888-9999-000000000000"},
          {"azpacr", "1"},
          {"name", "Jane Doe"},
          {"oid", "99999999-0000-0000-0000-111111111111"},
          {"rh", "I"},
          {"roles", {"Tools.Admin"}},
          {"scp", "Tools.Read Tools.Write"},
          {"sub", "HKZpfaHyWadeOouYlitjrI-KffTm222X5rrV3xDqfKQ"},
          {"tid", "11111111-2222-3333-4444-555555555555"},
          {"uti", "fqiBqXLPj0eQa82S-IYFAA"},
          {"ver", "2.0"}};
}

TEST_F(ProfileTest, EntraV2) {
  ASSERT_EQ(Read(Profile::EntraV2(), EntraAccessToken(), kJwtType), Reason::kNone);
  EXPECT_EQ(token().client_id, "66666666-7777-8888-9999-000000000000");
  EXPECT_EQ(token().jwt_id, "");
  EXPECT_THAT(token().scopes, ElementsAre("Tools.Read", "Tools.Write"));
  EXPECT_THAT(token().roles, ElementsAre("Tools.Admin"));

  json application = EntraAccessToken();
  application.erase("scp");
  EXPECT_EQ(Read(Profile::EntraV2(), application, kJwtType), Reason::kNone)
      << "client credentials have roles, no scp";
  json v1 = EntraAccessToken();
  v1["ver"] = "1.0";
  EXPECT_EQ(Read(Profile::EntraV2(), v1, kJwtType), Reason::kNotAnAccessToken);
  json id_token = EntraAccessToken();
  for (const char* name : {"azp", "azpacr", "scp"}) id_token.erase(name);
  id_token["nonce"] = "n";
  EXPECT_EQ(Read(Profile::EntraV2(), id_token, kJwtType), Reason::kClientMissing);
  EXPECT_EQ(Read(Profile::EntraV2(), EntraAccessToken(), kNoType), Reason::kWrongType);
}

json KeycloakAccessToken() {
  return {{"exp", kNow + 295},
          {"iat", kNow - 5},
          {"auth_time", kNow - 5},
          {"jti", "onrtac:0a0b"},
          {"iss", "https://sso.example.com/realms/tools"},
          {"aud", {"mcp-server", "account"}},
          {"sub", "f00-ba4"},
          {"typ", "Bearer"},
          {"azp", "agent"},
          {"sid", "5e55"},
          {"acr", "1"},
          {"allowed-origins", {"http://127.0.0.1"}},
          {"realm_access", {{"roles", {"offline_access", "tool-user"}}}},
          {"resource_access",
           {{"mcp-server", {{"roles", {"editor"}}}}, {"account", {{"roles", {"manage-account"}}}}}},
          {"scope", "profile tools"},
          {"preferred_username", "jane"}};
}

TEST_F(ProfileTest, Keycloak) {
  for (const char* type : {"JWT", "at+jwt"}) {
    ASSERT_EQ(Read(Profile::Keycloak(), KeycloakAccessToken(), {{"typ", type}}), Reason::kNone) << type;
  }
  EXPECT_EQ(token().client_id, "agent");
  EXPECT_THAT(token().roles, ElementsAre("offline_access", "tool-user"));
  EXPECT_THAT(token().audiences, ElementsAre("mcp-server", "account"));
  EXPECT_THAT(token().scopes, ElementsAre("profile", "tools"));

  Profile with_client_roles = Profile::Keycloak();
  with_client_roles.role_claims.push_back("/resource_access/mcp-server/roles");
  ASSERT_EQ(Read(with_client_roles, KeycloakAccessToken(), kJwtType), Reason::kNone);
  EXPECT_THAT(token().roles, UnorderedElementsAre("offline_access", "tool-user", "editor"));

  json none = KeycloakAccessToken();
  none["scope"] = "";
  none.erase("realm_access");
  ASSERT_EQ(Read(Profile::Keycloak(), none, kJwtType), Reason::kNone);
  EXPECT_TRUE(token().scopes.empty());
  EXPECT_TRUE(token().roles.empty());
  for (const char* type : {"ID", "Refresh", "Offline", "bearer", "Logout"}) {
    json other = KeycloakAccessToken();
    other["typ"] = type;
    EXPECT_EQ(Read(Profile::Keycloak(), other, kJwtType), Reason::kNotAnAccessToken) << type;
  }
}

json OktaAccessToken() {
  return {{"ver", 1},
          {"jti", "AT.0mP4JKAZX1iACIT4vbEDF7LpvDVjxypPMf0D7uX39RE"},
          {"iss", "https://example.okta.com/oauth2/default"},
          {"aud", "api://default"},
          {"iat", kNow - 5},
          {"exp", kNow + 3595},
          {"cid", "0oabcdefg"},
          {"uid", "00uid4BxXw6I6TV4m0g3"},
          {"scp", {"tools.read", "openid"}},
          {"auth_time", kNow - 5},
          {"sub", "jane@example.com"},
          {"groups", {"Everyone", "Okta Admins"}}};
}

TEST_F(ProfileTest, Okta) {
  for (const json& header :
       {kNoType, json{{"typ", "application/okta-internal-at+jwt"}}, json{{"typ", "at+jwt"}}}) {
    ASSERT_EQ(Read(Profile::Okta(), OktaAccessToken(), header), Reason::kNone) << header;
  }
  EXPECT_EQ(token().client_id, "0oabcdefg");
  EXPECT_THAT(token().scopes, ElementsAre("tools.read", "openid"));
  EXPECT_TRUE(token().roles.empty());
  EXPECT_EQ(Read(Profile::Okta(), OktaAccessToken(), kJwtType), Reason::kWrongType);

  json id_token = OktaAccessToken();
  for (const char* name : {"cid", "uid", "scp"}) id_token.erase(name);
  id_token["aud"] = "0oabcdefg";
  EXPECT_EQ(Read(Profile::Okta(), id_token, kNoType), Reason::kClientMissing);
  id_token["at_hash"] = "x";
  EXPECT_EQ(Read(Profile::Okta(), id_token, kNoType), Reason::kNotAnAccessToken);
}

TEST_F(ProfileTest, LenientTakesUsualTypesAndOnlyWhatEveryTokenHas) {
  const json claims = {{"iss", "https://idp.example.com"}, {"aud", "a"}, {"exp", kNow + 10}};
  for (const json& header : {kNoType, kJwtType, json{{"typ", "jwt"}}, json{{"typ", "AT+JWT"}},
                             json{{"typ", "application/at+jwt"}}}) {
    EXPECT_EQ(Read(Profile::Lenient(), claims, header), Reason::kNone) << header;
  }
  for (const char* type : {"", "dpop+jwt", "logout+jwt", "at-jwt", "JWT "}) {
    EXPECT_EQ(Read(Profile::Lenient(), claims, {{"typ", type}}), Reason::kWrongType) << type;
  }
  json incomplete = claims;
  incomplete.erase("exp");
  EXPECT_EQ(Read(Profile::Lenient(), incomplete, kJwtType), Reason::kExpiryMissing);
  incomplete = claims;
  incomplete.erase("aud");
  EXPECT_EQ(Read(Profile::Lenient(), incomplete, kJwtType), Reason::kAudienceMissing);
}

TEST_F(ProfileTest, LenientFindsScopesAndClientsWhereTheyUsuallyAre) {
  json claims = {{"iss", "https://idp.example.com"}, {"aud", "a"}, {"exp", kNow + 10}};
  claims["cid"] = "by-cid";
  claims["scp"] = {"from", "scp"};
  claims["roles"] = {"operator"};
  ASSERT_EQ(Read(Profile::Lenient(), claims, kJwtType), Reason::kNone);
  EXPECT_THAT(token().scopes, ElementsAre("from", "scp"));
  EXPECT_THAT(token().roles, ElementsAre("operator"));
  for (const char* name : {"cid", "appid", "azp", "client_id"}) {
    claims[name] = name;
    ASSERT_EQ(Read(Profile::Lenient(), claims, kJwtType), Reason::kNone);
    EXPECT_EQ(token().client_id, name) << "the later in this list comes first";
  }
  claims["scope"] = "from scope";
  ASSERT_EQ(Read(Profile::Lenient(), claims, kJwtType), Reason::kNone);
  EXPECT_THAT(token().scopes, ElementsAre("from", "scope"));
}

TEST_F(ProfileTest, AnyTypeLooksAtNoTypeButStillAtTheMarks) {
  Profile profile = Profile::Rfc9068();
  profile.any_type = true;
  json claims = OidcProviderAccessToken();
  for (const json& header : {kNoType, kJwtType, json{{"typ", ""}}, json{{"typ", "dpop+jwt"}}}) {
    EXPECT_EQ(Read(profile, claims, header), Reason::kNone) << header;
  }
  claims["at_hash"] = "x";
  EXPECT_EQ(Read(profile, claims, {{"typ", "dpop+jwt"}}), Reason::kNotAnAccessToken);
}

TEST_F(ProfileTest, EveryNameFindsTheProfileOfThatName) {
  EXPECT_THAT(Profile::Names(), ElementsAre("auth0", "cognito", "dangerous-google-id-token", "entra-v1",
                                            "entra-v2", "keycloak", "lenient", "okta", "rfc9068"));
  for (const std::string_view name : Profile::Names()) {
    const std::optional<Profile> profile = Profile::ByName(name);
    ASSERT_TRUE(profile.has_value()) << name;
    EXPECT_EQ(profile->name, name);
    EXPECT_EQ(profile->id_tokens, name.starts_with("dangerous-")) << name;
    EXPECT_FALSE(profile->any_type) << name;
  }
  for (const char* name : {"", "RFC9068", "okta ", "entra", "google"}) {
    EXPECT_FALSE(Profile::ByName(name).has_value()) << name;
  }
}

// No provider's token passes under the strict default but those that say at+jwt.
TEST_F(ProfileTest, DefaultTakesNoProvidersLooserForm) {
  EXPECT_EQ(Read(Profile(), OidcProviderAccessToken(), {{"typ", "at+jwt"}}), Reason::kWrongType)
      << "a profile without any type accepts nothing";
  EXPECT_EQ(Read(Profile::Rfc9068(), CognitoAccessToken(), kNoType), Reason::kWrongType);
  EXPECT_EQ(Read(Profile::Rfc9068(), EntraAccessToken(), kJwtType), Reason::kWrongType);
  EXPECT_EQ(Read(Profile::Rfc9068(), KeycloakAccessToken(), kJwtType), Reason::kWrongType);
  EXPECT_EQ(Read(Profile::Rfc9068(), KeycloakAccessToken(), {{"typ", "at+jwt"}}), Reason::kClientMissing);
}

}  // namespace
}  // namespace tollgate
