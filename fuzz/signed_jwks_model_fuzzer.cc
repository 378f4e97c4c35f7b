// signed_jwks_model: nothing but what the given key signed, for this issuer and now, is taken for its set
//
// Functions: keys::ReadSignedSet. The input is a character and the rest. 'r': the rest is the text of a
// signed JWK Set. Others: the rest is a payload, which is signed here, as the character says: by the right
// key or another one of its kid, with this `typ` and `kid` or that. Property: a set is taken exactly if an
// independent reading (model.h) finds a strict JWS of type jwk-set+jwt with the signature that the right key
// makes (Ed25519 makes one alone), whose `iss` and `sub` are the issuer and whose times are NumericDates that
// hold; with the same payload and times. One line says why not.

#include <cmath>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "fuzz/world.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "keys/signed_key_set.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

constexpr int64_t kLeewayS = 60;

const keys::SignedSetRules& Rules() {
  static const auto& rules = *[] {
    auto parsed = jose::ParseJwkSet(idp::Jwks({&EdKey()}).dump());
    std::vector<keys::IssuerKey> vouchers;
    std::string thumbprint = jose::Base64UrlEncode(parsed->keys[0].thumbprint);
    vouchers.push_back({.jwk = std::make_shared<const jose::Jwk>(std::move(parsed->keys[0])),
                        .thumbprint = std::move(thumbprint),
                        .ref = {}});
    return new keys::SignedSetRules{.issuer = kIssuer,
                                    .algorithms = AlgorithmSet::All(),
                                    .leeway_s = kLeewayS,
                                    .keys = keys::KeySet(std::move(vouchers))};
  }();
  return rules;
}

std::string Text(char how, std::string_view rest) {
  if (how == 'r') return std::string(rest);
  json header = {{"alg", "EdDSA"}, {"kid", "ed"}, {"typ", "jwk-set+jwt"}};
  if (how == 't') header["typ"] = "at+jwt";
  if (how == 'u') header.erase("typ");
  if (how == 'k') header["kid"] = "other";
  if (how == 'n') header.erase("kid");
  return idp::MintRaw(how == 's' ? SecondEdKey() : EdKey(), header.dump(), rest);
}

// False if it is there and no NumericDate.
bool ReadDate(const json& object, const char* name, std::optional<int64_t>* seconds) {
  if (!object.contains(name)) return true;
  const json& value = object[name];
  if (!value.is_number()) return false;
  const auto number = value.get<double>();
  if (!(number >= 0 && number <= 253402300799.0)) return false;
  *seconds = static_cast<int64_t>(std::floor(number));
  return true;
}

struct Model {
  json payload;
  std::optional<int64_t> issued_at, expires_at;
};

std::optional<Model> ReadModel(const std::string& text) {
  const std::optional<ModelJws> jws = ReadModelJws(text);
  if (!jws || jws->header.typ != "jwk-set+jwt" || jws->header.kid.value_or("ed") != "ed") return std::nullopt;
  if (jws->header.alg != "EdDSA" && jws->header.alg != "Ed25519") return std::nullopt;
  if (EdKey().Sign(jws->signing_input) != jws->signature) return std::nullopt;
  Model model{.payload = jws->payload, .issued_at = {}, .expires_at = {}};
  for (const char* name : {"iss", "sub"}) {
    if (!model.payload.contains(name) || model.payload[name] != kIssuer) return std::nullopt;
  }
  if (!ReadDate(model.payload, "exp", &model.expires_at)) return std::nullopt;
  if (!ReadDate(model.payload, "iat", &model.issued_at)) return std::nullopt;
  if (model.expires_at && *model.expires_at <= kNow - kLeewayS) return std::nullopt;
  if (model.issued_at && *model.issued_at > kNow + kLeewayS) return std::nullopt;
  return model;
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.empty()) return false;
  const std::string text = Text(input[0], input.substr(1));
  if (text.size() > limits::kTokenBytesMax) return false;  // The model reads tokens.
  const absl::StatusOr<keys::SignedSet> set = keys::ReadSignedSet(text, Rules(), kNow);
  const std::optional<Model> model = ReadModel(text);
  Expect(set.ok() == model.has_value(), "the model agrees");
  if (!set.ok()) {
    const std::string why(set.status().message());
    Expect(!why.empty() && why.size() < 200 && why.find('\n') == std::string::npos, "one line says why");
    return false;
  }
  Expect(ParseObject(set->jwks) == model->payload, "the payload, and nothing else");
  Expect(set->issued_at == model->issued_at && set->expires_at == model->expires_at, "the same times");
  const bool has_keys = model->payload.contains("keys") && model->payload["keys"].is_array();
  Expect(jose::ParseJwkSet(set->jwks).ok() == has_keys, "it is a JWK Set as it stands");
  return true;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(1, data, size, max_size, seed);
}
