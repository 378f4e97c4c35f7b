#include "fuzz/world.h"

#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

const idp::SigningKey& Load(const json& jwk) {
  std::string error;
  const std::optional<idp::SigningKey> key = idp::SigningKey::FromPrivateJwk(jwk, &error);
  if (!key.has_value()) {
    std::fprintf(stderr, "a fixed key of the fuzz targets: %s\n", error.c_str());
    std::exit(2);
  }
  return *new idp::SigningKey(*key);
}

}  // namespace

const idp::SigningKey& EdKey() {
  static const idp::SigningKey& key = Load({{"kty", "OKP"},
                                            {"crv", "Ed25519"},
                                            {"alg", "EdDSA"},
                                            {"kid", "ed"},
                                            {"d", "nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A"},
                                            {"x", "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}});
  return key;
}

const idp::SigningKey& EcKey() {
  static const idp::SigningKey& key = Load({{"kty", "EC"},
                                            {"crv", "P-256"},
                                            {"alg", "ES256"},
                                            {"kid", "ec"},
                                            {"x", "MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4"},
                                            {"y", "4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM"},
                                            {"d", "870MB6gfuTJ4HtUnUvYMyJpr5eUZNP4Bk43bVdj3eAE"}});
  return key;
}

const idp::SigningKey& SecondEdKey() {
  static const idp::SigningKey& key =
      Load({{"kty", "OKP"},
            {"crv", "Ed25519"},
            {"alg", "EdDSA"},
            {"kid", "ed"},
            {"d", idp::Base64Url(idp::Sha256("the second issuer's fuzzing key"))}});
  return key;
}

json RsaPublicJwk() {
  return {
      {"kty", "RSA"},
      {"kid", "rsa"},
      {"e", "AQAB"},
      {"n",
       "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjB"
       "ZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8"
       "KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_"
       "xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw"}};
}

json GoodClaims() {
  return {{"iss", kIssuer},          {"aud", kResource}, {"sub", "alice"},   {"client_id", "agent-1"},
          {"scope", "files:read x"}, {"jti", "id-1"},    {"iat", kNow - 10}, {"exp", kNow + 600}};
}

}  // namespace tollgate::fuzz
