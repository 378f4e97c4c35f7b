// Writes the seed corpora, fuzz/corpus/TARGET/NAME, or checks that they are what this program writes.
// Everything in them is fixed: keys printed in RFCs, a clock that stands still, signatures that are
// deterministic or copied from one run.
//
//   fuzz_seeds --write DIR     fuzz_seeds --check DIR
//
// Files that this program does not know (findings that became seeds) are left alone.

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <random>
#include <string>

#include "fuzz/world.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;
using Seeds = std::map<std::string, std::map<std::string, std::string>>;

json With(json object, const json& patch) {
  object.merge_patch(patch);
  return object;
}

std::string Token(const json& claims_patch = json::object(), const json& header_patch = json::object(),
                  const idp::SigningKey& key = EdKey()) {
  return idp::Mint(key, With(GoodClaims(), claims_patch), header_patch);
}

// A token that kid "ec" signed: ECDSA signatures are random, this one is kept.
constexpr char kEs256Token[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiYXQrand0In0.eyJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21j"
    "cCIsImNsaWVudF9pZCI6ImFnZW50LTEiLCJleHAiOjE4MDAwMDA2MDAsImlhdCI6MTc5OTk5OTk5MCwiaXNzIjoiaHR0cHM6"
    "Ly9pZHAuZXhhbXBsZSIsImp0aSI6ImlkLTEiLCJzY29wZSI6ImZpbGVzOnJlYWQgeCIsInN1YiI6ImFsaWNlIn0.QWJbCoX-"
    "tPxhYTtSJUmmMp14Qkm49W8Jvj7-n_enyS1ddgXAFFk-8Vfp3dasx1QwA7yj_oIddIJs_2JPvTHhzA";

// The same key signed this one for the second issuer, which has it but allows EdDSA alone.
constexpr char kSecondEs256Token[] =
    "eyJhbGciOiJFUzI1NiIsImtpZCI6ImVjIiwidHlwIjoiSldUIn0.eyJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21jcCIs"
    "ImF6cCI6ImFnZW50IiwiZXhwIjoxODAwMDAwNjAwLCJpYXQiOjE3OTk5OTk5OTAsImlzcyI6Imh0dHBzOi8vc2Vjb25kLmV4"
    "YW1wbGUiLCJqdGkiOiJpZC0xIiwic2NvcGUiOiJmaWxlczpyZWFkIHgiLCJzdWIiOiJhbGljZSIsInR5cCI6IkJlYXJlciJ9"
    ".moriQ_OHo01wK9XOeLqWAYnW5bAfGiGrz6hFPOZswjiVYljBkQsWnLji8CQAGdJxkOyZ0YMG_gywOsAOzfM-8g";

void AddBase64Url(Seeds& seeds) {
  seeds["base64url_roundtrip"] = {
      {"empty", ""},
      {"one-byte", "AA"},
      {"two-bytes", "AAA"},
      {"three-bytes", "AAAA"},
      {"alphabet", "-_azAZ09"},
      {"lone-letter", "A"},
      {"padded", "AA=="},
      {"trailing-bits", "AB"},
      {"trailing-bits-of-three", "AAB"},
      {"alien", "AA+/"},
      {"line-break", "AAAA\n"},
      {"long", std::string(200, 'Q')},
      {"bad-behind-a-long-start", std::string(130, 'Q') + "!" + std::string(65, 'Q')}};
}

void AddJson(Seeds& seeds) {
  std::string deepest = "0", too_deep = "0";
  for (int i = 0; i < 32; ++i) deepest = "[" + deepest + "]";
  for (int i = 0; i < 33; ++i) too_deep = "[" + too_deep + "]";
  std::string wide = "{";
  for (int i = 0; i < 40; ++i) wide += "\"m" + std::to_string(i) + "\":" + std::to_string(i) + ",";
  seeds["json_oracle"] = {{"claims", GoodClaims().dump()},
                          {"spaced", " { \"a\" : [ 1 , -2.5e3 , true , false , null ] }\r\n"},
                          {"escapes", R"({"\u0061\ud83d\ude00\n\"":"\/\b\f\t\\"})"},
                          {"scalar", "-0.0"},
                          {"largest", "[18446744073709551615,-9223372036854775808,1.7976931348623157e308]"},
                          {"deepest", deepest},
                          {"many-members", wide + "\"z\":0}"},
                          {"many-members-one-twice", wide + "\"m7\":0}"},
                          {"too-deep", too_deep},
                          {"integer-too-large", "[18446744073709551616]"},
                          {"not-finite", "[1e400]"},
                          {"twice", R"({"a":1,"b":2,"\u0061":3})"},
                          {"lone-surrogate", R"(["\ud83d"])"},
                          {"bad-utf8", "[\"\xC0\xAF\"]"},
                          {"byte-order-mark", "\xEF\xBB\xBF{}"},
                          {"trailing", "{} x"},
                          {"trailing-comma", "[1,]"},
                          {"leading-zero", "[01]"},
                          {"control", "[\"\x01\"]"},
                          {"nul", std::string("[1]\0", 4)}};
}

void AddJws(Seeds& seeds) {
  const std::string good = Token();
  const size_t first = good.find('.'), last = good.rfind('.');
  const std::string payload = idp::Base64Url(GoodClaims().dump()), signature = good.substr(last);
  const auto with_header = [&](const std::string& header) {
    return idp::Base64Url(header) + "." + payload + signature;
  };
  seeds["jws_rejoin"] = {
      {"good", good},
      {"es256", kEs256Token},
      {"no-kid", Token(json::object(), {{"kid", nullptr}})},
      {"unsigned-none", idp::Base64Url(R"({"alg":"none"})") + "." + payload + "."},
      {"hmac", with_header(R"({"alg":"HS256"})")},
      {"header-twice-alg", with_header(R"({"alg":"EdDSA","alg":"none"})")},
      {"header-is-array", with_header("[]")},
      {"payload-is-array", idp::Base64Url(R"({"alg":"EdDSA"})") + "." + idp::Base64Url("[]") + signature},
      {"jwe", "eyJhbGciOiJkaXIifQ..AA.AA.AA"},
      {"two-parts", good.substr(0, last)},
      {"four-parts", good + ".AA"},
      {"leading-dot", "." + good},
      {"doubled-dot", good.substr(0, first) + "." + good.substr(first)},
      {"padded", good + "=="},
      {"many-dots", std::string(200, '.')}};
}

void AddHeader(Seeds& seeds) {
  seeds["jose_header_rules"] = {
      {"good", R"({"alg":"EdDSA","kid":"ed","typ":"at+jwt"})"},
      {"alg-alone", R"({"alg":"ES256"})"},
      {"ignored-members", R"({"alg":"RS256","jwk":{"kty":"oct"},"jku":"https://x","x5c":["AA"]})"},
      {"fully-specified", R"({"alg":"Ed25519","cty":"json"})"},
      {"none", R"({"alg":"none"})"},
      {"none-mixed", R"({"alg":"nOnE"})"},
      {"hmac", R"({"alg":"HS256"})"},
      {"unknown-alg", R"({"alg":"ES256K"})"},
      {"no-alg", R"({"kid":"ed"})"},
      {"critical", R"({"alg":"EdDSA","crit":["exp"],"exp":1})"},
      {"critical-empty", R"({"alg":"EdDSA","crit":[]})"},
      {"encrypted", R"({"alg":"dir","enc":"A128GCM"})"},
      {"kid-number", R"({"alg":"EdDSA","kid":1})"},
      {"kid-too-long", json{{"alg", "EdDSA"}, {"kid", std::string(513, 'k')}}.dump()},
      {"array", "[]"}};
}

void AddMetadata(Seeds& seeds) {
  const json good = {{"issuer", "https://idp.example/tenant"},
                     {"jwks_uri", "https://idp.example/tenant/keys"},
                     {"introspection_endpoint", "https://idp.example/introspect"},
                     {"scopes_supported", {"files:read"}}};
  const auto keys_at = [&](const char* url) { return With(good, {{"jwks_uri", url}}).dump(); };
  const auto of = [&](const char* issuer, const char* url) {
    return json{{"issuer", issuer}, {"jwks_uri", url}}.dump();
  };
  seeds["issuer_metadata_hosts"] = {
      {"good", good.dump()},
      {"port-written-out", keys_at("https://IDP.example:443/keys?p=1")},
      {"listed-host", of("https://idp.example:8443", "https://keys.example/keys")},
      {"loopback", of("http://127.0.0.1:8080", "http://127.0.0.1:8080/jwks")},
      {"private", of("https://10.0.0.1/", "https://10.0.0.1/jwks")},
      {"signed", With(good, {{"issuer", "https://signed.example"},
                             {"jwks_uri", nullptr},
                             {"signed_jwks_uri", "https://signed.example/keys"}})
                     .dump()},
      {"signed-elsewhere", With(good, {{"issuer", "https://signed.example"},
                                       {"jwks_uri", "https://signed.example/keys"},
                                       {"signed_jwks_uri", "https://evil.example/keys"}})
                               .dump()},
      {"introspection-elsewhere", With(good, {{"introspection_endpoint", "https://evil.example/"}}).dump()},
      {"other-host", keys_at("https://evil.example/keys")},
      {"other-port", keys_at("https://idp.example:8443/keys")},
      {"user", keys_at("https://idp.example@evil.example/")},
      {"backslash", keys_at("https://evil.example\\@idp.example/")},
      {"fragment", keys_at("https://evil.example#@idp.example/")},
      {"http", keys_at("http://idp.example/keys")},
      {"metadata-service", keys_at("http://169.254.169.254/latest")},
      {"other-issuer", With(good, {{"issuer", "https://idp.example/other"}}).dump()},
      {"issuer-with-slash", With(good, {{"issuer", "https://idp.example/tenant/"}}).dump()},
      {"no-keys", R"({"issuer":"https://idp.example/tenant"})"},
      {"keys-twice",
       R"({"issuer":"https://idp.example/tenant","jwks_uri":"https://idp.example/","jwks_uri":"x"})"},
      {"array", "[]"}};
}

void AddIntrospection(Seeds& seeds) {
  const json good = {{"active", true},         {"iss", "https://idp.example"}, {"exp", 1'800'000'600},
                     {"nbf", 1'799'999'990.5}, {"scope", "files:read"},        {"sub", "alice"}};
  const auto ok = [&](const json& patch) { return "a" + With(good, patch).dump(); };
  seeds["introspection_answer_model"] = {{"active", ok({})},
                                         {"active-alone", R"(a{"active":true})"},
                                         {"inactive", R"(a{"active":false})"},
                                         {"inactive-odd-exp", ok({{"active", false}, {"exp", "never"}})},
                                         {"active-string", ok({{"active", "true"}})},
                                         {"active-number", ok({{"active", 1}})},
                                         {"active-null", R"(a{"active":null})"},
                                         {"active-twice", R"(a{"active":false,"active":true})"},
                                         {"active-twice-escaped", R"(a{"active":false,"\u0061ctive":true})"},
                                         {"no-active", R"(a{"sub":"alice"})"},
                                         {"other-issuer", ok({{"iss", "https://idp.example/"}})},
                                         {"issuer-list", ok({{"iss", {"https://idp.example"}}})},
                                         {"exp-string", ok({{"exp", "1800000600"}})},
                                         {"exp-negative", ok({{"exp", -1}})},
                                         {"nbf-too-far", ok({{"nbf", 253'402'300'800}})},
                                         {"cannot-tell", R"(b{"error":"unsupported_token_type"})"},
                                         {"bad-request", R"(b{"error":"invalid_request"})"},
                                         {"unauthorized", R"(c{"error":"invalid_client"})"},
                                         {"redirected", R"(d{"active":true})"},
                                         {"broken", R"(e{"active":true})"},
                                         {"trailing", R"(a{"active":true}x)"},
                                         {"array", "a[true]"},
                                         {"empty", "a"}};
}

void AddSignedAnswers(Seeds& seeds) {
  const json members = {{"active", true}, {"sub", "alice"}, {"jti", "id-1"}, {"exp", kNow + 600}};
  const json good = {
      {"iss", kIssuer}, {"aud", "client"}, {"iat", kNow - 1}, {"token_introspection", members}};
  const auto of = [&](const json& patch, const json& header = json::object(),
                      const idp::SigningKey& key = EdKey()) {
    json all = {{"typ", "token-introspection+jwt"}};
    all.update(header);
    return "a" + idp::Mint(key, With(good, patch), all);
  };
  const auto about = [&](const json& patch) { return of({{"token_introspection", patch}}); };
  const std::string active = of(json::object());
  seeds["introspection_answer_signed"] = {
      {"active", active},
      {"inactive", about({{"active", false}})},
      {"no-jti", about({{"jti", nullptr}})},
      {"audiences", of({{"aud", {"another", "client"}}})},
      {"whole-type",
       "b" + of(json::object(), {{"typ", "application/Token-Introspection+jwt"}, {"alg", "Ed25519"}})
                 .substr(1)},
      {"oldest", of({{"iat", kNow - 62}})},
      {"newest", of({{"iat", kNow + 60.5}, {"exp", kNow - 59}, {"nbf", kNow + 60}})},
      {"replayed", of({{"iat", kNow - 63}})},
      {"future", of({{"iat", kNow + 61}})},
      {"no-iat", of({{"iat", nullptr}})},
      {"expired", of({{"exp", kNow - 60}})},
      {"not-yet", of({{"nbf", kNow + 61}})},
      {"other-audience", of({{"aud", "another"}})},
      {"other-issuer", of({{"iss", kSecondIssuer}})},
      {"about-another-issuer", about({{"iss", kSecondIssuer}})},
      {"about-another-token", about({{"jti", "id-2"}})},
      {"active-string", about({{"active", "true"}})},
      {"no-member", of({{"token_introspection", nullptr}, {"active", true}})},
      {"access-token", "a" + Token()},
      {"no-type", of(json::object(), {{"typ", nullptr}})},
      {"other-key", of(json::object(), json::object(), SecondEdKey())},
      {"other-alg", of(json::object(), {{"alg", "RS256"}})},
      {"none", of(json::object(), {{"alg", "none"}})},
      {"encrypted", "aeyJhbGciOiJkaXIifQ..AA.AA.AA"},
      {"plain-type", "c" + active.substr(1)},
      {"plain", R"(c{"active":true})"},
      {"unsigned", R"(a{"active":true})"},
      {"empty", "a"}};
}

void AddJwks(Seeds& seeds) {
  json ec = EcKey().PublicJwk(), ed = EdKey().PublicJwk();
  const json rsa = With(RsaPublicJwk(), {{"use", "sig"}, {"key_ops", {"verify"}}});
  const auto set = [](const json& keys) { return json{{"keys", keys}}.dump(); };
  seeds["jwks_identity"] = {{"three", set({ec, ed, rsa})},
                            {"one-odd-one", set({ec, {{"kty", "new"}}, 7, ed})},
                            {"no-kid", set(json::array({With(ed, {{"kid", nullptr}, {"alg", nullptr}})}))},
                            {"same-kid", set({ec, With(ed, {{"kid", "ec"}})})},
                            {"empty", set(json::array())},
                            {"private", set(json::array({EdKey().PrivateJwk()}))},
                            {"secret", set(json::array({{{"kty", "oct"}, {"k", "AAAA"}}}))},
                            {"off-the-curve", set(json::array({With(ec, {{"x", ec["y"]}})}))},
                            {"small-order", set(json::array({With(ed, {{"x", std::string(43, 'A')}})}))},
                            {"weak-rsa", set(json::array({With(rsa, {{"n", "3q2-7w"}})}))},
                            {"for-encryption", set(json::array({With(ec, {{"use", "enc"}})}))},
                            {"alg-of-another-type", set(json::array({With(ec, {{"alg", "RS256"}})}))},
                            {"of-tenants", set({With(ec, {{"issuer", "https://idp.example/{tenantid}"}}),
                                                With(ed, {{"issuer", "https://idp.example/b"}})})},
                            {"issuer-no-string", set({ec, With(ed, {{"issuer", {"https://idp.example"}}})})},
                            {"keys-is-object", R"({"keys":{}})"},
                            {"keys-twice", R"({"keys":[],"keys":[]})"},
                            {"no-json", "<html>"}};
}

void AddSignedJwks(Seeds& seeds) {
  const json good = {{"iss", kIssuer},
                     {"sub", kIssuer},
                     {"iat", kNow - 10},
                     {"exp", kNow + 600},
                     {"keys", json::array({EdKey().PublicJwk()})}};
  const std::string text = good.dump();
  const std::string whole = idp::Mint(EdKey(), good, {{"typ", "jwk-set+jwt"}});
  const auto with = [&](const json& patch) { return "g" + With(good, patch).dump(); };
  seeds["signed_jwks_model"] = {
      {"good", "g" + text},
      {"without-kid", "n" + text},
      {"without-times", with({{"iat", nullptr}, {"exp", nullptr}})},
      {"fractions", with({{"iat", kNow + 60.5}, {"exp", kNow - 58.5}})},
      {"whole", "r" + whole},
      {"whole-cut", "r" + whole.substr(0, whole.size() - 1)},
      {"whole-line-break", "r" + whole + "\n"},
      {"not-signed", "r" + text},
      {"other-key", "s" + text},
      {"other-kid", "k" + text},
      {"access-token", "t" + text},
      {"no-type", "u" + text},
      {"over", with({{"exp", kNow - 60}})},
      {"to-come", with({{"iat", kNow + 61}})},
      {"exp-string", with({{"exp", "1800000600"}})},
      {"other-issuer", with({{"iss", kSecondIssuer}})},
      {"other-subject", with({{"sub", kSecondIssuer}})},
      {"no-subject", with({{"sub", nullptr}})},
      {"keys-no-array", with({{"keys", "x"}})},
      {"array", "g[]"},
      {"twice", "g{\"iss\":\"https://idp.example\",\"iss\":\"https://idp.example\"}"}};
}

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

void AddChallenge(Seeds& seeds) {
  // The reason by its place in kReasons; then resource, scopes and acr values.
  const auto input = [](char reason, const std::string& resource, const std::string& scopes,
                        const std::string& acr = "") {
    return std::string(1, reason) + resource + '\0' + scopes + '\0' + acr;
  };
  const std::string mcp = "https://mcp.example/mcp";
  auto& challenge = seeds["challenge_grammar"];
  challenge["no-credential"] = input('\x01', mcp, "files:read");
  challenge["step-up"] = input('\x04', mcp, "files:read offline_access files:write");
  challenge["offline-access-alone"] = input('\x04', mcp, "offline_access");
  challenge["authenticate"] = input('\x08', mcp, "files:read", "loa2 loa3");
  challenge["forbidden"] = input('\x05', mcp, "files:read");
  challenge["quotes"] = input('\x04', "https://mcp.example/\"x", "a\"b \\c", "x\"");
  challenge["looks-like-a-parameter"] = input('\x03', "https://mcp.example/?scope=x", "scope=x");
  challenge["query"] = input('\x02', "https://mcp.example/?a=b", "a");
  challenge["user"] = input('\x01', "https://alice@mcp.example/", "a");
  challenge["no-url"] = input('\x01', "mcp", "");
  challenge["scope-like-a-parameter"] = input('\x01', mcp, "files:read x:error=");
  challenge["line-break"] = input('\x01', mcp + "\r\nx: y", "a\r\nb");
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

void AddRefresh(Seeds& seeds) {
  // Five durations of three bytes, the jitter, the time; then events.
  const std::string settings("\x75\x30\x01\x75\x30\x03\x75\x30\x01\x03\xE8\x00\x75\x30\x01\x14\x10\x00\x00",
                             19);
  const std::string number("\x12\x34\x56\x78\x9A\xBC\xDE\xF0", 8), minute("\0\0\0\0\0\0\0\x3C", 8);
  const std::string none(8, '\xFF');
  const std::string begin = "\x03", good = "\x04", bad = "\x05", force = "\x02";
  const std::string due("\x01\x00", 2), nearly("\x01\x01", 2), later("\x00\x10\x00\x05", 4);
  auto& refresh = seeds["refresh_schedule_bounds"];
  refresh["good"] = settings + begin + good + minute + number + due + begin + good + none + number;
  refresh["recovers"] = settings + begin + bad + number + nearly + begin + due + begin + bad + number +
                        later + due + begin + good + minute + number + later + later;
  refresh["forced"] = settings + begin + good + none + number + force + begin + nearly + begin + due + begin +
                      bad + number + force + begin + due + begin + good + minute + number;
  refresh["never-good"] =
      settings + begin + bad + number + due + begin + bad + none + due + begin + bad + number + force;
  refresh["nothing"] = "";
}

void AddPolicy(Seeds& seeds) {
  // Its inputs choose; whatever they choose is as good as anything else.
  std::mt19937 random(1);
  for (int i = 0; i < 48; ++i) {
    std::string& bytes = seeds["policy_matrix"]["random-" + std::to_string(i)];
    for (int n = 0; n < 160; ++n) bytes += static_cast<char>(random() & 0xff);
  }
  seeds["policy_matrix"]["nothing"] = "";
}

void AddResourcePattern(Seeds& seeds) {
  seeds["resource_pattern"] = {
      {"exact", "file:///docs/a.md\nfile:///docs/a.md"},
      {"template", "users://{id}/profile\nusers://alice/profile"},
      {"template-own-text", "users://{id}/profile\nusers://{id}/profile"},
      {"template-repeats", "a://h/{x}b/{y}\na://h/abab/c"},
      {"template-of-a-server",
       "https://{tenant}.crm.example/contacts/{id}\nhttps://a.crm.example/contacts/%C3%A9"},
      {"prefix", "file:///docs/*\nfile:///docs/a/b%20c"},
      {"prefix-with-variables", "repo://{owner}/{name}/*\nrepo://me/it/src/main.cc"},
      {"query", "db://t?table=public&limit={n}\ndb://t?table=public&limit=5"},
      {"address", "http://{a}.0.1/*\nhttp://127.0.0.1/a"},
      {"rootless", "urn:isbn:{number}\nurn:isbn:0451450523"},
      {"another-spelling", "file:///docs/*\nfile:///docs/secre%74"},
      {"address-of-another-spelling", "http://{a}.1/*\nhttp://127.1/a"},
      {"dot-segment", "file:///docs/{a}/{b}\nfile:///docs/../b"},
      {"matrix", "file:///docs/*\nfile:///docs/..;a/b"},
      {"overlong", "file:///docs/*\nfile:///docs/..%C0%AFb"},
      {"more-parameters", "db://t?limit={n}\ndb://t?limit=5&table=secret"},
      {"default-port", "https://{a}.h/*\nhttps://a.h:443/b"},
      {"nothing-for-a-variable", "a://h/{x}-{y}\na://h/-b"},
      {"no-pattern", "a://h/{x}{y}\na://h/ab"},
      {"empty", ""}};
}

void AddPolicyFile(Seeds& seeds) {
  const std::string tools = "version: 1\nservers:\n  - uri: https://mcp.example/mcp\n    tools:\n";
  seeds["policy_file"] = {
      {"everything", R"(version: 1
classes:
  read: {token_lifetime_max: none}
  payment:
    mode: introspect
    token_age_max: 90s
    introspection_age_max: 1h
    outage: {last_known: 5m}
    acr: [urn:x:strong, "2"]
    amr: otp
    principals: [user]
    credentials: [jwt]
    sender_constraint: false
    audit: must_record
scopes:
  files:admin: ["files:*"]
  files:read: []
  files:write: files:read
roles:
  sales: files:read
  chef:
    scopes: [files:*]
    principals: [user, agent]
    from:
      - {issuer: https://idp.example, value: crm-chef}
      - boss
servers:
  - uri: https://mcp.example/crm
    methods: {ping: files:read, logging/setLevel: {roles: chef}}
    tools:
      search: files:read
      pay:
        scopes: [files:read, files:write]
        class: payment
        when:
          - {claim: /org/tier, in: [gold, platinum]}
          - {claim: email_verified, equals: true}
          - {claim: email, prefix: "ops-"}
          - {claim: groups, contains: [a, b]}
          - {claim: department, present: true}
        systems: [sap]
    prompts: {greet: {any_valid_token: true}}
    resources: {"crm://accounts/{id}": files:read, file:///docs/*: files:read}
  - protocol: deny
    tools: {search: [files:admin]}
)"},
      {"json", R"({"version":"1","servers":[{"protocol":"deny","tools":{"t":["s"],"\u00e9\"\\":"u"}}]})"},
      {"short", "version: 1\nservers: [{tools: {t: s}}]\n"},
      {"block-scalars", tools + "      t: |-\n        s\n      ? u\n      : >-\n        v\n"},
      {"line-ends", "\xEF\xBB\xBFversion: 1\r\nservers:\r\n- tools: {t: 's'}\r\n...\r\n"},
      {"words-of-yaml-1.1", tools + "      no: yes\n      \"true\": [on, 012, 1.0]\n"},
      {"warnings", "version: 1\nscopes: {s: [], unused: []}\nservers: [{tools: {t: s}}]\n"},
      {"alias", tools + "      t: &a [s]\n      u: *a\n"},
      {"merge-key", tools + "      <<: {t: s}\n"},
      {"tag", tools + "      t: !!str s\n"},
      {"directive", "%YAML 1.1\n---\nversion: 1\n"},
      {"two-documents", "version: 1\n---\nversion: 1\n"},
      {"twice", tools + "      t: s\n      t: u\n"},
      {"slips", "version: 1\nservers:\n  - tolls: {t: s}\n    tools: {u: {scpoes: s}, v: true}\n"},
      {"unknown-scope", "version: 1\nscopes: {a: []}\nservers: [{tools: {t: b}}]\n"},
      {"open-quote", tools + "      t: \"s\n"},
      {"deep", std::string(40, '[') + std::string(40, ']')},
      {"unknown-escape", tools + "      t: \"\\\xC3\xA9\"\n"},
      {"empty-lists", tools + "      t: {scopes: s, roles: [], principals: []}\n"},
      {"deep-block", "- - - - - - - - - - - - - - - - - - x\n"},
      {"no-utf8", tools + "      t: \xFF\n"},
      {"nul", std::string("version: 1\0\n", 12)},
      {"empty", ""}};
}

void AddCacheTag(Seeds& seeds) {
  const std::string token = Token();
  seeds["cache_tag_variants"] = {{"token", "\x01k" + token},
                                 {"token-unaligned", "\x2f\x03" + token},
                                 {"token-four-times", "\xc5z" + token},
                                 {"no-token", "ab"},
                                 {"one-byte", "abx"},
                                 {"short-of-a-block", "ab" + token.substr(0, 15)},
                                 {"block", "ab" + token.substr(0, 64)},
                                 {"block-and-a-byte", "ab" + token.substr(0, 65)},
                                 {"zeros", std::string(150, '\0')},
                                 {"ones", std::string(150, '\xff')},
                                 {"empty", ""},
                                 {"too-short", "a"}};
}

void AddKeySnapshot(Seeds& seeds) {
  const std::string entry =
      "issuer 19 jwks_uri 24 4 11 300 1800000000\n"
      "https://idp.example\nhttps://idp.example/jwks\n\"v1\"\n{\"keys\":[]}\n";
  const std::string discovered = "issuer 1 discovery 1 0 1 - 0\ni\nu\n\nj\n";
  seeds["key_snapshot_seal"] = {
      {"empty", ""},
      {"entry", entry},
      {"discovered", discovered},
      {"two", entry + discovered},
      {"cut", entry.substr(0, entry.size() - 1)},
      {"behind", entry + "\n"},
      {"leading-zero", "issuer 01 jwks_uri 1 0 1 - 0\ni\nu\n\nj\n"},
      {"too-long", "issuer 9223372036854775807 jwks_uri 1 0 1 - 0\ni\nu\n\nj\n"},
      {"first-line", "tollgate key snapshot 1 0\n"},
      {"later-version", "tollgate key snapshot 2 {}"},
      // Sealed under the target's key.
      {"sealed",
       "tollgate key snapshot 1 0\nhmac 46745c1884cb7fa29888de8df744665eb6667fb2aa1e2bbf2c477ebe73a3a4c4\n"}};
}

void AddMcp(Seeds& seeds) {
  const json version = {{"io.modelcontextprotocol/protocolVersion", "2026-07-28"}};
  const auto request = [](std::string_view method, const json& params) {
    return json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}, {"params", params}}.dump();
  };
  const std::string none = "-\t-\t-\n";
  const json call = {{"name", "admin"}, {"arguments", {{"name", "x"}}}, {"_meta", version}};
  seeds["mcp_request_readers"] = {
      {"call", "2026-07-28\ttools/call\tadmin\n" + request("tools/call", call)},
      {"call-encoded-name", "2026-07-28\ttools/call\t=?base64?YWRtaW4=?=\n" + request("tools/call", call)},
      {"call-of-another", "2026-07-28\ttools/call\tuser\n" + request("tools/call", call)},
      {"call-without-field", "2026-07-28\ttools/call\t-\n" + request("tools/call", call)},
      {"call-of-old", none + request("tools/call", {{"name", "admin"}})},
      {"version-in-body-alone", none + request("tools/call", call)},
      {"read", none + request("resources/read", {{"uri", "file:///a"}})},
      {"prompt", "2025-11-25\tprompts/get\tp\n" + request("prompts/get", {{"name", "p"}})},
      {"complete", none + request("completion/complete", {{"ref", {{"type", "ref/prompt"}, {"name", "p"}}}})},
      {"complete-uri",
       none + request("completion/complete", {{"ref", {{"type", "ref/resource"}, {"uri", "u"}}}})},
      {"listen", "2026-07-28\tsubscriptions/listen\t-\n" +
                     request("subscriptions/listen",
                             {{"notifications", {{"resourceSubscriptions", {"file:///a", "b"}}}}})},
      {"batch",
       none + "[" + request("tools/call", {{"name", "a"}}) + "," + request("ping", json::object()) + "]"},
      {"batch-later", "2025-06-18\t-\t-\n[" + request("ping", json::object()) + "]"},
      {"notification", none + R"({"jsonrpc":"2.0","method":"notifications/x"})"},
      {"answer", none + R"({"jsonrpc":"2.0","id":"a","result":{}})"},
      {"method-twice", none + R"({"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/list"})"},
      {"method-of-two-cases", none + R"({"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/list"})"},
      {"params-with-long-s",
       none + "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"a\"},"
              "\"param\u017f\":{\"name\":\"b\"}}"},
      {"task", "2026-07-28\ttasks/get\tt1\n" + request("tasks/get", {{"taskId", "t1"}})},
      {"task-of-another", "2026-07-28\ttasks/cancel\tt2\n" + request("tasks/cancel", {{"taskId", "t1"}})},
      {"read-above", none + request("resources/read", {{"uri", "file:///a/%2E./b"}})},
      {"unknown-version", "1900-01-01\t-\t-\n" + request("ping", json::object())},
      {"no-json", none + "{"},
      {"no-body", none}};
}

void AddMcpList(Seeds& seeds) {
  const json tools = {
      {"jsonrpc", "2.0"},
      {"id", 1},
      {"result", {{"tools", {{{"name", "even"}}, {{"name", "odd"}, {"x", 1}}}}, {"nextCursor", "c"}}}};
  seeds["mcp_list_filter"] = {
      {"tools", tools.dump()},
      {"tools-spaced", tools.dump(2)},
      {"prompts", R"({"result":{"prompts":[{"name":"ab"},{"name":"a"}]}})"},
      {"resources", R"({"result":{"resources":[{"uri":"ab"},{"uri":"a"}]}})"},
      {"templates", R"({"result":{"resourceTemplates":[{"uriTemplate":"ab"},{"uriTemplate":"a"}]}})"},
      {"batch", "[" + tools.dump() + "," + tools.dump() + ",1]"},
      {"empty-list", R"({"result":{"tools":[]}})"},
      {"no-list", R"({"result":{}})"},
      {"error", R"({"error":{"code":-32601}})"},
      {"no-names",
       R"({"result":{"tools":[1,{},{"name":1},{"name":"ab","name":"a"},{"name":"a","n\u0061me":"ab"}]}})"},
      {"result-twice", R"({"result":{"tools":[]},"result":{"tools":[{"name":"a"}]}})"},
      {"list-twice", R"({"result":{"tools":[],"tools":[{"name":"a"}]}})"},
      {"trailing", R"({"result":{"tools":[]}}x)"},
      {"cut-off", R"({"result":{"tools":[{"name":"ab"})"},
      {"bad-utf8", "{\"result\":{\"tools\":[{\"name\":\"\xff\"}]}}"},
      {"empty", ""},
      {"stream", ": hello\n\nid: 1\nevent: message\ndata: " + tools.dump() + "\r\n\r\ndata:\n\n"},
      {"stream-two-marks",
       "\xEF\xBB\xBF\xEF\xBB\xBF"
       "data: " +
           tools.dump() + "\n\n"},
      {"stream-mark-later",
       "data:\n\xEF\xBB\xBF"
       "data: " +
           tools.dump() + "\n\n"},
      {"stream-separators",
       "id: \u2028data: x\nevent: \u0085\ndata: {\"x\":\"\u0085\u2028data: \u2029\"}\n\n"},
      {"name-of-two-cases", R"({"result":{"tools":[{"name":"ab","Name":"a"},{"name":"ab"}]}})"},
      {"list-of-another-case", R"({"result":{"Tools":[{"name":"a"}]}})"},
      {"list-is-none", R"({"result":{"tools":{"name":"a"}}})"},
      {"batch-in-batch", R"([[{"result":{"tools":[{"name":"a"}]}}]])"}};
}

// Logs without their chain values, which the target adds: so many members as a reader looks at.
void AddAudit(Seeds& seeds) {
  const std::string start =
      R"({"time":1800000000000,"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c1",)"
      R"("chain_algorithm":"HMAC-SHA-256","checkpoint_interval_ms":60000}})";
  const auto line = [](const char* record, int sequence, const char* chain_id = "c1") {
    return "\n{\"time\":1800000000000,\"metadata\":{\"sequence\":" + std::to_string(sequence) +
           "},\"unmapped\":{\"record\":\"" + record + "\",\"chain_id\":\"" + chain_id + "\"}}";
  };
  const std::string decision = line("decision", 2), stop = line("stop", 3);
  const std::string next =
      R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c2","chain_algorithm":)"
      R"("HMAC-SHA-256","unfinished_bytes":8}})";
  // Chained, by SHA-256 alone.
  const std::string plain =
      R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c","chain_algorithm":"SHA-256")";
  seeds["audit_reader"] = {
      {"empty", ""},
      {"start", start},
      {"whole", start + decision + stop + "\n"},
      {"lost", start + R"(
{"metadata":{"sequence":2},"unmapped":{"record":"lost","chain_id":"c1","lost":3}})"},
      {"removed", start + stop},
      {"twice", start + decision + decision},
      {"behind-end", start + decision + stop + line("decision", 4)},
      {"another-chain", start + line("decision", 2, "c2")},
      {"no-beginning", decision.substr(1)},
      {"two-starts", start + "\n" + next},
      {"continues",
       R"({"metadata":{"sequence":1},"unmapped":{"record":"start","chain_id":"c2","chain_algorithm":)"
       R"("HMAC-SHA-256","continues":")" +
           std::string(64, 'a') + "\"}}"},
      {"torn", "{\"time\":\n" + next},
      {"torn-of-another-length", "{\"time\"\n" + next},
      {"torn-at-the-end", start + "\n{\"time\":"},
      {"no-record", "{\"a\":{}}"},
      {"member-twice",
       R"({"metadata":{"sequence":1},"unmapped":{"record":"start","record":"start","chain_id":"c"}})"},
      {"plain", plain + R"(,"chain":"c61920d2d6b29ec1f680cdbd12d3e088326084302df22f73e60c072855061306"}})"},
      {"plain-changed",
       plain + R"(,"chain":"0000000000000000000000000000000000000000000000000000000000000000"}})"}};
}

// A byte for the proxy and the way to know what is asked for, one for the cut, a request.
void AddTollgatedQuestion(Seeds& seeds) {
  constexpr int kNginx = 0, kEnvoy = 1, kTraefik = 2, kCaddy = 3, kHaproxy = 4;
  constexpr int kBody = 0, kHeaders = 5, kTool = 10;
  const auto seed = [](int proxy, int way, const std::string& request, char cut = 20) {
    return std::string(1, static_cast<char>(proxy + way)) + cut + request;
  };
  const std::string call = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}})";
  const auto post = [](const std::string& target, const std::string& fields, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: mcp.example\r\nContent-Type: application/json\r\n" +
           fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto get = [](const std::string& target, const std::string& fields) {
    return "GET " + target + " HTTP/1.1\r\nHost: tollgated\r\n" + fields + "\r\n";
  };
  const std::string token = "Authorization: Bearer a.b.c\r\n";
  const std::string nginx = token + "X-Original-Method: POST\r\nX-Original-URI: /mcp\r\n";
  const std::string forwarded = token + "X-Forwarded-Method: POST\r\nX-Forwarded-Uri: /mcp\r\n";
  const std::string mirror =
      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: search\r\n";
  seeds["tollgated_question"] = {
      {"envoy", seed(kEnvoy, kBody, post("/check/crm/mcp", token, call))},
      {"envoy-cut-in-the-body", seed(kEnvoy, kBody, post("/check/crm/mcp", token, call), '\x90')},
      {"envoy-batch", seed(kEnvoy, kBody, post("/check/crm/mcp", token, "[" + call + "," + call + "]"))},
      {"envoy-partial",
       seed(kEnvoy, kBody, post("/check/crm/mcp", token + "x-envoy-auth-partial-body: true\r\n", call))},
      {"envoy-get", seed(kEnvoy, kBody, get("/check/crm/mcp", token))},
      {"envoy-query-token", seed(kEnvoy, kBody, post("/check/crm/mcp?access_token=x", token, call))},
      {"envoy-query-token-encoded", seed(kEnvoy, kTool, get("/check/crm/mcp?a=1&access%5ftoken=x", token))},
      {"haproxy-lying-header",
       seed(kHaproxy, kBody, post("/check/crm/mcp", token + "Mcp-Name: harmless\r\n", call))},
      {"haproxy-honest-header",
       seed(kHaproxy, kBody,
            post("/check/crm/mcp", token + mirror,
                 R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search",)"
                 R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"))},
      {"nginx-headers", seed(kNginx, kHeaders, get("/check/crm", nginx + mirror))},
      {"nginx-headers-resource",
       seed(kNginx, kHeaders,
            get("/check/crm", nginx + "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: resources/read\r\n"
                                      "Mcp-Name: file:///docs/a\r\n"))},
      {"nginx-headers-absent", seed(kNginx, kHeaders, get("/check/crm", nginx))},
      {"nginx-headers-twice", seed(kNginx, kHeaders, get("/check/crm", nginx + mirror + "mcp-name: a\r\n"))},
      {"nginx-tool", seed(kNginx, kTool, get("/check/crm", nginx))},
      {"nginx-lookalike", seed(kNginx, kTool, get("/check/crm", nginx + "X_Tollgate_Subject: root\r\n"))},
      {"nginx-method-twice", seed(kNginx, kTool, get("/check/crm", nginx + "X-Original-Method: GET\r\n"))},
      {"nginx-http-1-0", seed(kNginx, kTool, "GET /check/crm HTTP/1.0\r\n" + nginx + "\r\n")},
      {"caddy-tool", seed(kCaddy, kTool, get("/check/crm", forwarded))},
      {"traefik-body", seed(kTraefik, kBody, post("/check/crm", forwarded, call))},
      {"traefik-chunked", seed(kTraefik, kBody,
                               "POST /check/crm HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
                                   forwarded + "Transfer-Encoding: chunked\r\n\r\n10\r\n" +
                                   call.substr(0, 16) + "\r\n39\r\n" + call.substr(16) + "\r\n0\r\n\r\n")},
      {"two-credentials", seed(kCaddy, kTool, get("/check/crm", forwarded + token))},
      {"two-lengths", seed(kEnvoy, kBody, post("/check/crm/mcp", "Content-Length: 1\r\n", call))},
      {"length-and-chunks",
       seed(kEnvoy, kBody, post("/check/crm/mcp", "Transfer-Encoding: chunked\r\n", call))},
      {"folded", seed(kEnvoy, kTool, get("/check/crm/mcp", "X: a\r\n b\r\n"))},
      {"bare-line-feed", seed(kEnvoy, kTool, get("/check/crm/mcp", "X: a\nY: b\r\n"))},
      {"no-host", seed(kEnvoy, kTool, "GET /check/crm/mcp HTTP/1.1\r\n\r\n")},
      {"cut-off", seed(kEnvoy, kTool, "GET /check/crm/mcp HTTP/1.1\r\nHost: a\r\n")},
      {"pipelined", seed(kEnvoy, kTool, get("/check/crm/mcp", token) + get("/check/crm/mcp", ""))},
  };
}

void AddSettings(Seeds& seeds) {
  const std::string small = R"(version: 1
listen: 127.0.0.1:9180
policy_file: policy.yaml
servers:
- name: files
  uri: https://mcp.example/files
  proxy: envoy
  sees_body: true
issuers:
- issuer: https://idp.example
  jwks_uri: https://idp.example/jwks
)";
  seeds["settings_file"] = {
      {"small", small},
      {"everything", R"(version: 1
listen: ["127.0.0.1:9180", "[::1]:9180", unix:run/check.sock]
admin_listen: unix:/run/admin.sock
threads: 3
ca_file: ca.pem
policy_file: policy.yaml
shadow_policy_file: ./next/policy.yaml
policy_claims: [department, /org/tier]
servers:
- name: files
  uri: https://mcp.example/files
  proxy: haproxy
  sees_body: true
  audiences: [files]
  issuers: [https://a.example/x, https://b.example, https://c.example, https://d.example, https://e.example]
  opaque_token_issuer: https://a.example/x
  authorization_servers: https://login.example
  scopes_supported: [files:read]
  resource_name: Files
  resource_documentation: https://docs.example/files
- {name: trusting, uri: https://mcp.example/t, proxy: nginx, dangerous_trust_mcp_headers: server 2.0}
- {name: one-tool, uri: https://mcp.example/1, proxy: caddy, decide_as_tool: search}
issuers:
- issuer: https://a.example/{tenantid}
  tenants: [x, y]
  discovery: true
  metadata_tenant: organizations
  discovery_hosts: [keys.example, "keys.example:8443"]
  signed_jwks_keys: |
    {"keys": []}
  private_network: true
  algorithms: [RS256, EdDSA]
  scope_wildcards: true
  leeway: 0s
  token_age_max: none
  token_lifetime_max: 15m
  profile:
    name: lenient
    types: [a, b]
    missing_type_allowed: true
    any_type: true
    id_tokens: true
    issued_at_required: false
    subject_required: false
    client_required: false
    jwt_id_required: false
    audience_claim: client
    client_claims: c
    scope_claims: [s, t]
    role_claims: "/r/*/roles"
    must_equal: {token_use: access}
    service_marks: {gty: [client-credentials, ""], x: ""}
    service_subject_suffix: "@clients"
    user_claim: scp
    key_issuer: https://keys.example/{tenantid}
    discovery_hosts: login.example
  introspection:
    endpoint: https://a.example/{tenantid}/introspect
    authentication: bearer
    client_id: gate
    client_secret_file: secret
    signed_response: true
    response_audience: us
    introspection_scoped_to_us: true
    in_flight_max: 3
    waiting_max: 0
- issuer: https://b.example
  jwks: '{"keys": []}'
  introspection:
    endpoint: https://b.example/introspect
    authentication: private_key_jwt
    client_id: gate
    client_assertion_file: run/assertion
- issuer: https://c.example
  jwks_file: keys.json
  fallbacks: [{jwks_uri: https://c.example/jwks}, {jwks_file: more.json}]
  introspection:
    endpoint: https://c.example/introspect
    authentication: tls_client_auth
    client_id: gate
    client_certificate_file: cert.pem
    client_key_file: cert.key
- issuer: https://d.example
  signed_jwks_uri: https://d.example/signed
  signed_jwks_keys: '{"keys": []}'
- issuer: https://e.example
  discovery: true
  introspection:
    {discovery: true, client_id: gate, client_secret_file: secret, authentication: client_secret_post}
- {issuer: https://f.example, jwks_uri: https://f.example/jwks, profile: keycloak}
issuers_max: 9
bounds:
  connections_max: 7
  header_max: 16KiB
  body_max: 2MiB
  request_timeout: 1s
  idle_timeout: 5m
  wait_max: 250ms
  drain_max: 1m
timing:
  refresh_min: 2m
  refresh_max: 20m
  cooldown: 90s
  staleness_bound: 2h
  backoff_min: 500ms
  backoff_cap: 2m
  verdict_age_max: 5m
  fetch_timeout: 4s
  metadata_age_max: 2h
  file_interval: 10s
  introspection_timeout: 3s
  active_age_max: 30s
  inactive_age_max: 20s
  host_interval: 100ms
  jitter_percent: 10
  host_burst: 9
verification_limits: {in_flight_max: 20, in_flight_per_issuer_max: 10, in_vain_percent_max: 50}
verdict_cache: 1GiB
introspection_cache: 128KiB
snapshot: {path: state/keys, key_file: state/key}
audit:
  sink: file
  path: log/audit.jsonl
  mode: 0640
  sync: each_write
  rotated_path: log/audit.old
  key_file: key
  ring: 64KiB
  threads_max: 16
  sample_one_in: 10
  checkpoint_interval: 1h
dangerous: {dangerous_allow_http_on_loopback: true, dangerous_accept_id_tokens: true}
)"},
      {"syslog", small + "audit: {sink: syslog, facility: 4}\n"},
      {"template", R"(version: 1
listen: "[::1]:9180"
policy_file: p.yaml
servers: {name: a, uri: https://mcp.example, proxy: nginx, decide_as_tool: search,
          authorization_servers: https://l.example}
issuers: {issuer: "https://l.example/{tenantid}/v2.0", tenants: [t], discovery: true, profile: entra-v2}
)"},
      {"unknown-key", small + "threds: 1\n"},
      {"no-tool", R"(version: 1
listen: unix:s.sock
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: caddy, decide_as_tool: serch}]
issuers: [{issuer: https://idp.example, discovery: true}]
)"},
      {"body-behind-nginx", R"(version: 1
listen: 127.0.0.1:1
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: nginx, sees_body: true}]
issuers: [{issuer: https://idp.example, discovery: true}]
)"},
      {"secret-inside", small + "audit: {sink: stdout, key: s3cret-s3cret-s3cret-s3cret-s3cret}\n"},
      {"secret-gone", small + "audit: {sink: stdout, key_file: gone}\n"},
      {"secret-of-two-lines",
       small +
           "  introspection: {endpoint: https://idp.example/i, client_id: c, client_secret_file: lines}\n"},
      {"issuer-of-two-lines", R"(version: 1
listen: 127.0.0.1:1
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: envoy, sees_body: true, issuers: abcd}]
issuers: [{issuer: "a\nbcd", discovery: true}]
)"},
      {"admin-for-all", small + "admin_listen: 0.0.0.0:9181\n"},
      {"timing", small + "timing: {refresh_min: 1h, refresh_max: 1m}\n"},
      {"alias", "version: 1\nlisten: &a x\npolicy_file: *a\n"},
      {"list", "- version\n- 1\n"},
      {"empty", ""}};
}

void AddCanary(Seeds& seeds) { seeds["canary_crash"] = {{"close", "k1d:x"}, {"far", "a"}}; }

Seeds All() {
  Seeds seeds;
  for (const auto add : {AddBase64Url,
                         AddJson,
                         AddJws,
                         AddHeader,
                         AddIntrospection,
                         AddMetadata,
                         AddJwks,
                         AddClaims,
                         AddAuthorization,
                         AddEngine,
                         AddRefresh,
                         AddPolicy,
                         AddPolicyFile,
                         AddResourcePattern,
                         AddCacheTag,
                         AddKeySnapshot,
                         AddMcp,
                         AddMcpList,
                         AddSignedJwks,
                         AddSignedAnswers,
                         AddAudit,
                         AddChallenge,
                         AddTollgatedQuestion,
                         AddSettings,
                         AddCanary}) {
    add(seeds);
  }
  return seeds;
}

int Write(const std::filesystem::path& root) {
  for (const auto& [target, files] : All()) {
    std::filesystem::create_directories(root / target);
    for (const auto& [name, content] : files) {
      std::ofstream file(root / target / name, std::ios::binary);
      if (!(file << content).flush()) {
        std::fprintf(stderr, "cannot write %s\n", (root / target / name).c_str());
        return 2;
      }
    }
  }
  return 0;
}

int Check(const std::filesystem::path& root) {
  constexpr size_t kSeedBytesMax = 4096;
  int wrong = 0;
  for (const auto& [target, files] : All()) {
    for (const auto& [name, content] : files) {
      std::ifstream file(root / target / name, std::ios::binary);
      const std::string found(std::istreambuf_iterator<char>(file), {});
      if (file && found == content && content.size() < kSeedBytesMax) continue;
      std::fprintf(stderr, "%s: missing, too long or not what fuzz_seeds writes\n",
                   (root / target / name).c_str());
      ++wrong;
    }
  }
  return wrong == 0 ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::fuzz

int main(int argc, char** argv) {
  const std::string mode = argc == 3 ? argv[1] : "";
  if (mode == "--write") return tollgate::fuzz::Write(argv[2]);
  if (mode == "--check") return tollgate::fuzz::Check(argv[2]);
  std::fprintf(stderr, "usage: %s --write|--check DIR\n", argv[0]);
  return 2;
}
