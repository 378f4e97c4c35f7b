// jwks_identity: a key is taken only for what it says it is, one by one, and has one name
//
// Functions: jose::ParseJwkSet, jose::ParseJwk. Property: a set is read exactly if the strict oracle accepts
// it and it is an object with an array `keys`; every member is either a key or reported, at most
// kKeysPerSetMax are keys; a key's algorithms are not empty, within what its material can do, and its `alg`
// alone if it has one; no secret, no private key, nothing for encryption is taken; the thumbprint is the one
// that the test identity provider computes, and reading the same key again, alone and rewritten, gives the
// same key.

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "tools/idp/mint.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;

AlgorithmSet AllowedFor(const json& jwk) {
  using enum Algorithm;
  if (jwk["kty"] == "RSA") return AlgorithmSet(kRs256, kRs384, kRs512, kPs256, kPs384, kPs512);
  if (!jwk.contains("crv")) return AlgorithmSet();
  if (jwk["kty"] == "OKP") return jwk["crv"] == "Ed25519" ? AlgorithmSet(kEdDsa) : AlgorithmSet();
  if (jwk["kty"] != "EC") return AlgorithmSet();
  if (jwk["crv"] == "P-256") return AlgorithmSet(kEs256);
  if (jwk["crv"] == "P-384") return AlgorithmSet(kEs384);
  if (jwk["crv"] == "P-521") return AlgorithmSet(kEs512);
  return AlgorithmSet();
}

// The members that RFC 7638 section 3.2 names for the key's type; a key may carry others' too.
json Required(const json& jwk) {
  json required = {{"kty", jwk["kty"]}};
  const std::vector<const char*> names = jwk["kty"] == "RSA"  ? std::vector{"e", "n"}
                                         : jwk["kty"] == "EC" ? std::vector{"crv", "x", "y"}
                                                              : std::vector{"crv", "x"};
  for (const char* name : names) required[name] = jwk[name];
  return required;
}

void ExpectUsable(const jose::Jwk& key, const json& jwk) {
  Expect(jwk.is_object() && jwk.contains("kty") && jwk["kty"].is_string() && jwk["kty"] != "oct",
         "no secret is a key");
  for (const char* secret : {"d", "p", "q", "dp", "dq", "qi", "k"}) {
    Expect(!jwk.contains(secret), "no private key is taken");
  }
  Expect(!jwk.contains("use") || jwk["use"] == "sig", "no key for another use is taken");
  if (jwk.contains("key_ops")) {
    const json& operations = jwk["key_ops"];
    Expect(operations.is_array() &&
               std::find(operations.begin(), operations.end(), "verify") != operations.end(),
           "no key that may not verify is taken");
  }
  AlgorithmSet expected = AllowedFor(jwk);
  if (jwk.contains("alg")) {
    const auto named = AlgorithmFromName(jwk["alg"].is_string() ? jwk["alg"].get<std::string>() : "");
    Expect(named.has_value() && expected.Contains(*named), "the key's alg is one that its material can do");
    expected = AlgorithmSet(*named);
  }
  Expect(key.algorithms == expected && !expected.empty(), "the key verifies what it says, and nothing else");
  Expect(key.algorithms.Intersect(key.key.algorithms()) == key.algorithms, "the prepared key can do so");
  Expect(key.has_key_id == jwk.contains("kid") && key.key_id == jwk.value("kid", ""), "the same kid");
  Expect(key.issuer == jwk.value("issuer", ""), "the same issuer");
  Expect(jose::Base64UrlEncode(key.thumbprint) == idp::JwkThumbprint(Required(jwk)),
         "the thumbprint of RFC 7638");
}

// The key alone in a set, without the members that say nothing about it, in another order.
void ExpectSameAlone(const jose::Jwk& key, json jwk) {
  for (const char* name : {"x5c", "x5t", "x5u", "pad"}) jwk.erase(name);
  const absl::StatusOr<jose::JwkSet> alone = jose::ParseJwkSet(json{{"keys", {jwk}}, {"a", 1}}.dump());
  Expect(alone.ok() && alone->keys.size() == 1 && alone->skipped.empty(), "the key is taken alone, too");
  const jose::Jwk& again = alone->keys[0];
  Expect(again.thumbprint == key.thumbprint && again.algorithms == key.algorithms &&
             again.key_id == key.key_id && again.issuer == key.issuer,
         "and is the same key");
}

}  // namespace

bool Accepts(std::string_view input) {
  const absl::StatusOr<jose::JwkSet> set = jose::ParseJwkSet(input);
  const std::optional<json> object = ParseObject(input);
  const bool is_set = object.has_value() && object->contains("keys") && (*object)["keys"].is_array();
  Expect(set.ok() == is_set, "the model agrees about what is a set");
  if (!is_set) return false;
  const json& members = (*object)["keys"];
  Expect(set->keys.size() + set->skipped.size() == members.size(), "every member is a key or is reported");
  Expect(set->keys.size() <= limits::kKeysPerSetMax, "keys are bounded");

  // The members that were not reported are the keys, in order.
  auto skipped = set->skipped.begin();
  auto key = set->keys.begin();
  for (size_t i = 0; i < members.size(); ++i) {
    if (skipped != set->skipped.end() && skipped->position == i) {
      Expect(!skipped->why.empty() && skipped->why.size() < 200, "one line says why");
      ++skipped;
      continue;
    }
    Expect(key != set->keys.end(), "reports are in order");
    ExpectUsable(*key, members[i]);
    ExpectSameAlone(*key, members[i]);
    ++key;
  }
  return !set->keys.empty();
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  return tollgate::fuzz::MutateJsonInput(0, data, size, max_size, seed);
}
