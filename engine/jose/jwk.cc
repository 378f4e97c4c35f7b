#include "jose/jwk.h"

#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "jose/base64url.h"

namespace tollgate::jose {
namespace {

absl::Status Refuse(const char* why) { return absl::InvalidArgumentError(why); }

// Number is a decoded member, no longer than any that is accepted.
struct Number {
  std::array<uint8_t, limits::kRsaModulusBitsMax / 8> bytes;
  size_t size = 0;
  std::string_view text;  // As it stands in the JWK.
  // NOLINTNEXTLINE(google-explicit-constructor)
  operator std::span<const uint8_t>() const { return {bytes.data(), size}; }
};

absl::Status ReadNumber(json::Value jwk, std::string_view name, Number* out) {
  const std::optional<std::string_view> text = jwk.Member(name).string();
  if (!text || text->empty()) return Refuse("a member of the public key is missing or no string");
  if (Base64UrlDecodedSize(text->size()) > out->bytes.size())
    return Refuse("a member of the public key is too long");
  const std::optional<size_t> size = Base64UrlDecode(*text, out->bytes);
  if (!size) return Refuse("a member of the public key is not strict base64url");
  out->size = *size;
  out->text = *text;
  return absl::OkStatus();
}

struct Curve {
  std::string_view name;
  crypto::KeyType type;
};

constexpr Curve kCurves[] = {
    {"P-256", crypto::KeyType::kP256}, {"P-384", crypto::KeyType::kP384}, {"P-521", crypto::KeyType::kP521}};

// Material is the key, and the JSON text of RFC 7638 section 3 that names it: the required members in lexical
// order, without white space. Strict base64url and the names of curves need no escapes.
struct Material {
  crypto::VerifyKey key;
  std::string thumbprint_input;
};

absl::StatusOr<Material> ReadRsa(json::Value jwk) {
  Number n, e;
  if (absl::Status status = ReadNumber(jwk, "n", &n); !status.ok()) return status;
  if (absl::Status status = ReadNumber(jwk, "e", &e); !status.ok()) return status;
  absl::StatusOr<crypto::VerifyKey> key = crypto::VerifyKey::Rsa(n, e);
  if (!key.ok()) return key.status();
  std::string text = R"({"e":")";
  text.append(e.text).append(R"(","kty":"RSA","n":")").append(n.text).append(R"("})");
  return Material{*std::move(key), std::move(text)};
}

absl::StatusOr<Material> ReadEc(json::Value jwk) {
  const std::optional<std::string_view> crv = jwk.Member("crv").string();
  if (!crv) return Refuse("crv is missing or no string");
  const auto* curve =
      std::find_if(std::begin(kCurves), std::end(kCurves), [&](const Curve& c) { return c.name == *crv; });
  if (curve == std::end(kCurves)) return Refuse("crv is not a curve that is supported");
  Number x, y;
  if (absl::Status status = ReadNumber(jwk, "x", &x); !status.ok()) return status;
  if (absl::Status status = ReadNumber(jwk, "y", &y); !status.ok()) return status;
  absl::StatusOr<crypto::VerifyKey> key = crypto::VerifyKey::Ec(curve->type, x, y);
  if (!key.ok()) return key.status();
  std::string text = R"({"crv":")";
  text.append(*crv)
      .append(R"(","kty":"EC","x":")")
      .append(x.text)
      .append(R"(","y":")")
      .append(y.text)
      .append(R"("})");
  return Material{*std::move(key), std::move(text)};
}

// RFC 8037 section 2.
absl::StatusOr<Material> ReadOkp(json::Value jwk) {
  const std::optional<std::string_view> crv = jwk.Member("crv").string();
  if (!crv) return Refuse("crv is missing or no string");
  if (*crv != "Ed25519") return Refuse("crv is not a curve that is supported");
  Number x;
  if (absl::Status status = ReadNumber(jwk, "x", &x); !status.ok()) return status;
  absl::StatusOr<crypto::VerifyKey> key = crypto::VerifyKey::Ed25519(x);
  if (!key.ok()) return key.status();
  std::string text = R"({"crv":"Ed25519","kty":"OKP","x":")";
  text.append(x.text).append(R"("})");
  return Material{*std::move(key), std::move(text)};
}

absl::StatusOr<Material> ReadMaterial(json::Value jwk) {
  const std::optional<std::string_view> kty = jwk.Member("kty").string();
  if (!kty) return Refuse("kty is missing or no string");
  if (*kty == "oct") return Refuse("kty is oct, a shared secret");
  for (const char* name : {"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"}) {
    if (jwk.Member(name).present()) return Refuse("the key is private, hence no longer secret");
  }
  if (*kty == "RSA") return ReadRsa(jwk);
  if (*kty == "EC") return ReadEc(jwk);
  if (*kty == "OKP") return ReadOkp(jwk);
  return Refuse("kty is not supported");
}

// CheckOperations holds RFC 7517 section 4.3: an array of strings, none twice, "verify" among them, and
// beside use "sig" only what belongs to signatures.
absl::Status CheckOperations(json::Value operations, bool has_use) {
  if (!operations.is_array()) return Refuse("key_ops is no array");
  std::vector<std::string_view> names;
  for (json::Value operation = operations.FirstChild(); operation.present();
       operation = operations.NextChild(operation)) {
    const std::optional<std::string_view> name = operation.string();
    if (!name) return Refuse("key_ops holds something else than strings");
    if (has_use && *name != "sign" && *name != "verify") return Refuse("key_ops contradicts use");
    names.push_back(*name);
  }
  std::sort(names.begin(), names.end());
  if (std::adjacent_find(names.begin(), names.end()) != names.end()) {
    return Refuse("key_ops repeats an operation");
  }
  const bool verify = std::binary_search(names.begin(), names.end(), "verify");
  return verify ? absl::OkStatus() : Refuse("key_ops does not hold verify");
}

absl::Status CheckUse(json::Value jwk) {
  const json::Value use = jwk.Member("use");
  if (use.present() && use.string() != "sig") return Refuse("use is not sig");
  const json::Value operations = jwk.Member("key_ops");
  return operations.present() ? CheckOperations(operations, use.present()) : absl::OkStatus();
}

// ReadAlgorithms returns what the key may verify: all that its kind can, or the one that its `alg` names.
absl::StatusOr<AlgorithmSet> ReadAlgorithms(json::Value jwk, const crypto::VerifyKey& key) {
  const json::Value alg = jwk.Member("alg");
  if (!alg.present()) return key.algorithms();
  const std::optional<std::string_view> name = alg.string();
  if (!name) return Refuse("alg is no string");
  const std::optional<Algorithm> algorithm = AlgorithmFromName(*name);
  if (!algorithm) return Refuse("alg is not supported");
  if (!key.algorithms().Contains(*algorithm)) return Refuse("alg does not fit the key");
  return AlgorithmSet(*algorithm);
}

}  // namespace

absl::StatusOr<Jwk> ParseJwk(json::Value jwk) {
  if (!jwk.is_object()) return Refuse("not an object");
  const json::Value kid = jwk.Member("kid");
  const std::optional<std::string_view> key_id = kid.string();
  if (kid.present() && !key_id) return Refuse("kid is no string");
  if (key_id && key_id->size() > limits::kKeyIdBytesMax) return Refuse("kid is too long");
  const json::Value iss = jwk.Member("issuer");
  const std::optional<std::string_view> issuer = iss.string();
  if (iss.present() && !issuer) return Refuse("issuer is no string");
  if (issuer && issuer->size() > limits::kIssuerBytesMax) return Refuse("issuer is too long");
  if (absl::Status status = CheckUse(jwk); !status.ok()) return status;
  absl::StatusOr<Material> material = ReadMaterial(jwk);
  if (!material.ok()) return material.status();
  const absl::StatusOr<AlgorithmSet> algorithms = ReadAlgorithms(jwk, material->key);
  if (!algorithms.ok()) return algorithms.status();
  return Jwk{std::string(key_id.value_or("")),
             key_id.has_value(),
             crypto::Sha256(material->thumbprint_input),
             *algorithms,
             std::move(material->key),
             std::string(issuer.value_or(""))};
}

absl::StatusOr<JwkSet> ParseJwkSet(std::string_view text) {
  if (text.size() > limits::kJwksBytesMax) return Refuse("JWK Set: too long");
  json::Document document(text.size());
  if (const Reason reason = document.Parse(text); reason != Reason::kNone) {
    return absl::InvalidArgumentError("JWK Set: not strict JSON: " + std::string(ReasonName(reason)));
  }
  const json::Value keys = document.root().Member("keys");
  if (!keys.is_array()) return Refuse("JWK Set: no object with an array of keys");
  JwkSet set;
  size_t position = 0;
  for (json::Value member = keys.FirstChild(); member.present();
       member = keys.NextChild(member), ++position) {
    if (position >= limits::kKeysPerSetMax) {
      set.skipped.push_back({position, "beyond the limit of keys in one set"});
      continue;
    }
    absl::StatusOr<Jwk> jwk = ParseJwk(member);
    if (jwk.ok()) {
      set.keys.push_back(*std::move(jwk));
    } else {
      set.skipped.push_back({position, std::string(jwk.status().message())});
    }
  }
  return set;
}

}  // namespace tollgate::jose
