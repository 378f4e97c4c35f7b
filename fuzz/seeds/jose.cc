// Seeds of the targets for crypto, json and jose.

#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

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

}  // namespace

void AddJoseSeeds(Seeds& seeds) {
  AddCacheTag(seeds);
  AddJson(seeds);
  AddBase64Url(seeds);
  AddJws(seeds);
  AddHeader(seeds);
  AddJwks(seeds);
}

}  // namespace tollgate::fuzz
