// Seeds of the targets for keys and introspection.

#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

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

}  // namespace

void AddKeysSeeds(Seeds& seeds) {
  AddMetadata(seeds);
  AddSignedJwks(seeds);
  AddRefresh(seeds);
  AddKeySnapshot(seeds);
  AddIntrospection(seeds);
  AddSignedAnswers(seeds);
}

}  // namespace tollgate::fuzz
