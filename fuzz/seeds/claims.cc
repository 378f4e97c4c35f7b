// Seeds of the targets for claims and credentials, and the whole engine.

#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

// The same key signed this one for the second issuer, which has it but allows EdDSA alone.
constexpr char kSecondEs256Token[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.eyJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21jcCIs"
    "ImF6cCI6ImFnZW50IiwiZXhwIjoxODAwMDAwNjAwLCJpYXQiOjE3OTk5OTk5OTAsImlzcyI6Imh0dHBzOi8vc2Vjb25kLmV4"
    "YW1wbGUiLCJqdGkiOiJpZC0xIiwic2NvcGUiOiJmaWxlczpyZWFkIHgiLCJzdWIiOiJhbGljZSIsInR5cCI6IkJlYXJlciJ9"
    ".moriQ_OHo01wK9XOeLqWAYnW5bAfGiGrz6hFPOZswjiVYljBkQsWnLji8CQAGdJxkOyZ0YMG_gywOsAOzfM-8g";

void AddClaims(Seeds& seeds) {
  const json good = GoodClaims();
  auto& claims = seeds["claims_model"];
  const auto add = [&](const char* name, const char* prefix, const json& patch) {
    claims[name] = prefix + With(good, patch).dump();
  };
  const json keycloak = {{"azp", "agent"}, {"typ", "Bearer"}};
  const json client_roles = {{"api", {{"roles", {"admin"}}}}, {"app", {{"roles", {"user", "admin"}}}}};
  const double now = static_cast<double>(kNow);
  // The profile ('a' is the first by name), three bits of settings, the typ ('0' is at+jwt, '1' JWT, '5'
  // none).
  add("auth0", "a10", {{"permissions", {"read:files"}}});
  add("cognito", "b05", {{"aud", nullptr}, {"token_use", "access"}, {"cognito:groups", {"staff"}}});
  add("google", "c11", {{"azp", "agent"}, {"at_hash", "x"}, {"jti", nullptr}});
  add("entra-v1", "d31", {{"appid", "agent"}, {"scp", "Files.Read"}, {"ver", "1.0"}, {"roles", {"Admin"}}});
  add("entra-v2", "e31", {{"azp", "agent"}, {"scp", "Files.Read"}, {"ver", "2.0"}});
  add("keycloak", "f31", With(keycloak, {{"realm_access", {{"roles", {"staff", "staff"}}}}}));
  add("keycloak-clients", "j31", With(keycloak, {{"resource_access", client_roles}}));
  add("lenient", "g05", {{"sub", nullptr}, {"client_id", nullptr}, {"iat", nullptr}, {"azp", "agent"}});
  add("okta", "h30", {{"cid", "agent"}, {"scp", {"files:read"}}});
  add("rfc9068", "i30", json::object());
  add("any-typ", "k13", json::object());
  const json actors = {{"sub", "assistant"}, {"act", {{"client_id", "planner"}, {"sub", nullptr}}}};
  add("agent", "i30", {{"act", actors}, {"acr", "loa2"}, {"amr", {"pwd", 7, "otp"}}});
  add("act-no-object", "i30", {{"act", "assistant"}});
  add("act-without-name", "i30", {{"act", {{"iss", "https://idp.example"}}}});
  add("acr-no-text", "i30", {{"acr", 2}, {"amr", "otp"}});
  add("auth0-service", "a10", {{"gty", "client-credentials"}});
  add("keycloak-service", "f31", With(keycloak, {{"clientAddress", "203.0.113.7"}}));
  add("all-bounds", "i70", {{"nbf", kNow + 60}, {"iat", kNow + 60}});
  add("fractions", "i10", {{"exp", now - 58.5}, {"iat", now - 0.5}});
  add("fraction-of-nbf", "i10", {{"nbf", now + 59.5}});
  add("audience-list", "i10", {{"aud", {kOtherResource, kResource}}});
  add("bound", "i10", {{"cnf", {{"jkt", "x"}}}});
  add("expired", "i10", {{"exp", kNow - 60}});
  add("not-yet", "i10", {{"nbf", kNow + 61}});
  add("wrong-issuer", "i10", {{"iss", kSecondIssuer}});
  add("no-audience", "i10", {{"aud", json::array()}});
  add("exp-string", "i10", {{"exp", "1900000000"}});
  add("exp-huge", "i10", {{"exp", 1e300}});
  add("wrong-typ", "i13", json::object());
  add("id-token", "f31", With(keycloak, {{"at_hash", "x"}}));
  add("id-token-by-c-hash", "g05", {{"c_hash", "x"}});
  add("id-token-by-token-use", "g05", {{"token_use", "id"}});
  add("refresh-token", "k11", {{"typ", "refresh"}});
  add("control-in-sub", "i10", {{"sub", "a\nb"}});
  add("realm-access-no-object", "f31", With(keycloak, {{"realm_access", "staff"}}));
  add("resource-access-of-strings", "j31", With(keycloak, {{"resource_access", {{"api", "admin"}}}}));
  claims["no-object"] = "i10[]";
  claims["short"] = "i";
}

void AddAuthorization(Seeds& seeds) {
  seeds["authorization_reference"] = {{"good", "Bearer " + Token()},
                                      {"lower", "bearer abc.def.ghi"},
                                      {"mixed", "bEaReR a"},
                                      {"token68", "Bearer az09-._~+/=="},
                                      {"empty", ""},
                                      {"no-token", "Bearer"},
                                      {"no-token-space", "Bearer "},
                                      {"two-spaces", "Bearer  abc"},
                                      {"tab", "Bearer\tabc"},
                                      {"behind", "Bearer abc "},
                                      {"leading-space", " Bearer abc"},
                                      {"basic", "Basic QWxhZGRpbg=="},
                                      {"longer-scheme", "Bearers abc"},
                                      {"list", "Bearer abc, Bearer def"}};
}

void AddEngine(Seeds& seeds) {
  // Tool ('0' is 48 % 6, the first of kTools), resource.
  const std::string search = "00", remove = "10", ping = "20", pay = "30", delegate = "40", unknown = "50";
  const std::string wide = "files:read files:write";
  const json keycloak = {{"iss", kSecondIssuer}, {"azp", "agent"}, {"typ", "Bearer"}};
  auto& engine = seeds["engine_model"];
  engine["search"] = search + Token();
  engine["delete"] = remove + Token({{"scope", wide}});
  engine["ping"] = ping + Token({{"scope", nullptr}});
  engine["pay"] = pay + Token();
  engine["es256"] = search + kEs256Token;
  engine["no-kid"] = search + Token(json::object(), {{"kid", nullptr}, {"alg", "Ed25519"}});
  engine["other-resource"] = "01" + Token({{"aud", {kOtherResource, "x"}}});
  engine["alias"] = search + Token({{"aud", "api://alias"}, {"roles", {"a", "b"}}});
  engine["second-issuer"] = search + Token(keycloak, {{"typ", "JWT"}}, SecondEdKey());
  engine["second-issuer-es256"] = search + kSecondEs256Token;
  engine["second-issuers-key"] = search + Token(json::object(), json::object(), SecondEdKey());
  engine["second-issuer-other-resource"] =
      "01" + Token(With(keycloak, {{"aud", kOtherResource}}), {{"typ", "JWT"}}, SecondEdKey());
  const json agent = {{"act", {{"sub", "assistant"}, {"act", {{"client_id", "planner"}}}}}};
  engine["agent"] = search + Token(agent);
  engine["agent-of-admin"] = delegate + Token(With(agent, {{"roles", {"admin", "staff"}}}));
  engine["admin"] = delegate + Token({{"roles", {"admin"}}});
  engine["service"] = search + Token({{"sub", "agent"}});
  engine["lives-an-hour-and-more"] = search + Token({{"exp", kNow + 7200}});
  engine["insufficient-scope"] = remove + Token();
  engine["unknown-tool"] = unknown + Token();
  engine["too-old-for-pay"] = pay + Token({{"iat", kNow - 121}});
  engine["expired"] = search + Token({{"exp", kNow - 60}});
  engine["other-audience"] = search + Token({{"aud", "https://elsewhere.example"}});
  engine["bound"] = search + Token({{"cnf", {{"jkt", "x"}}}});
  engine["typ"] = search + Token(json::object(), {{"typ", "JWT"}});
  engine["alg-of-another-key"] = search + Token(json::object(), {{"alg", "RS256"}, {"kid", "rsa"}});
  engine["none"] = search + Token(json::object(), {{"alg", "none"}});
  engine["unknown-kid"] = search + Token(json::object(), {{"kid", "new"}});
}

}  // namespace

void AddClaimsSeeds(Seeds& seeds) {
  AddClaims(seeds);
  AddAuthorization(seeds);
  AddEngine(seeds);
}

}  // namespace tollgate::fuzz
