#include "tools/cli/examine.h"

#include <algorithm>
#include <array>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "jose/base64url.h"

namespace tollgate::cli {
namespace {

keys::KeySet KeySetOf(jose::JwkSet set) {
  std::vector<keys::IssuerKey> keys;
  for (jose::Jwk& jwk : set.keys) {
    keys::IssuerKey key;
    key.thumbprint = jose::Base64UrlEncode(jwk.thumbprint);
    key.jwk = std::make_shared<const jose::Jwk>(std::move(jwk));
    // A name of its own for each key; this set never changes, so no generation ends.
    key.ref = {.slot = static_cast<uint32_t>(keys.size()), .generation = 1};
    const auto twin = std::find_if(keys.begin(), keys.end(), [&](const keys::IssuerKey& other) {
      return other.thumbprint == key.thumbprint && other.jwk->algorithms == key.jwk->algorithms;
    });
    if (twin != keys.end()) key.ref = twin->ref;
    keys.push_back(std::move(key));
  }
  return keys::KeySet(std::move(keys));
}

// Log collects the steps. After the first failure the others stay "not reached".
class Log {
 public:
  Log(Examination* examination, std::span<const std::string_view> names) : examination_(*examination) {
    for (std::string_view name : names) examination_.steps.push_back({.name = name, .detail = {}});
  }

  // Passes notes the outcome of the next step; false if it failed.
  bool Passes(Reason reason, std::string detail = {}) {
    Step& step = examination_.steps[next_++];
    step.outcome = reason == Reason::kNone ? Step::Outcome::kPassed : Step::Outcome::kFailed;
    step.detail = reason == Reason::kNone ? std::move(detail) : std::string(ReasonText(reason));
    examination_.reason = reason;
    return reason == Reason::kNone;
  }
  void Explain(std::string detail) { examination_.steps[next_ - 1].detail += ": " + std::move(detail); }

 private:
  Examination& examination_;
  size_t next_ = 0;
};

constexpr std::string_view kAllSteps[] = {"form",      "issuer", "algorithm", "key",
                                          "signature", "claims", "audience"};
constexpr std::string_view kSignatureSteps[] = {"form", "algorithm", "key", "signature"};

std::string KeyText(const keys::IssuerKey& key) {
  return (key.jwk->has_key_id ? "kid " + Printable(key.jwk->key_id) : std::string("no kid")) +
         ", thumbprint " + key.thumbprint;
}

// A JWS whose payload may be anything, taken apart.
struct BareJws {
  jose::CompactJws parts;
  jose::JoseHeader header;
  std::array<uint8_t, 1024> signature;
  size_t signature_size = 0;
};

Reason ReadBare(std::string_view token, json::Document* document, BareJws* out) {
  if (const Reason reason = jose::SplitCompact(token, &out->parts); reason != Reason::kNone) return reason;
  std::vector<uint8_t> bytes(token.size());
  const auto header = jose::Base64UrlDecode(out->parts.header, bytes);
  if (!header) return Reason::kBadBase64Url;
  if (const Reason reason = document->Parse({reinterpret_cast<const char*>(bytes.data()), *header});
      reason != Reason::kNone) {
    return reason;
  }
  if (const Reason reason = jose::ReadHeader(document->root(), &out->header); reason != Reason::kNone)
    return reason;
  if (jose::Base64UrlDecodedSize(out->parts.signature.size()) > out->signature.size()) {
    return Reason::kBadSignatureLength;
  }
  const auto signature = jose::Base64UrlDecode(out->parts.signature, out->signature);
  if (!signature) return Reason::kBadBase64Url;
  out->signature_size = *signature;
  return jose::Base64UrlDecode(out->parts.payload, bytes) ? Reason::kNone : Reason::kBadBase64Url;
}

Reason ReasonOf(crypto::SignatureCheck check) {
  switch (check) {
    case crypto::SignatureCheck::kGood:
      return Reason::kNone;
    case crypto::SignatureCheck::kBadLength:
      return Reason::kBadSignatureLength;
    case crypto::SignatureCheck::kWrongKeyType:
      return Reason::kKeyAlgorithmMismatch;
    case crypto::SignatureCheck::kBad:
      break;
  }
  return Reason::kBadSignature;
}

std::vector<std::string> Copies(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

}  // namespace

std::string Printable(std::string_view text) {
  using nlohmann::json;
  return json(std::string(text)).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

Examiner::Examiner(jose::JwkSet set, ExamineOptions options)
    : options_(std::move(options)), keys_(KeySetOf(std::move(set))) {}

Examination Examiner::Examine(std::string_view token) {
  Examination result;
  if (options_.signature_only) {
    Log log(&result, kSignatureSteps);
    BareJws bare;
    if (!log.Passes(ReadBare(token, &header_, &bare))) return result;
    const jose::JoseHeader& header = bare.header;
    result.algorithm = header.algorithm;
    if (!log.Passes(
            options_.algorithms.Contains(header.algorithm) ? Reason::kNone : Reason::kAlgorithmNotAllowed,
            std::string(AlgorithmName(header.algorithm)))) {
      return result;
    }
    const keys::IssuerKey* key = nullptr;
    const Reason selected = keys_.Select(header.has_key_id, header.key_id, header.algorithm, &key);
    if (!log.Passes(selected, key == nullptr ? "" : KeyText(*key))) return result;
    log.Passes(ReasonOf(key->jwk->key.Verify(header.algorithm, bare.parts.signing_input,
                                             {bare.signature.data(), bare.signature_size})));
    if (key->jwk->has_key_id) result.key_id = key->jwk->key_id;
    result.thumbprint = key->thumbprint;
    return result;
  }

  Log log(&result, kAllSteps);
  if (!log.Passes(jws_.Parse(token), std::to_string(token.size()) + " bytes")) return result;
  const jose::JoseHeader& header = jws_.header();
  result.algorithm = header.algorithm;
  std::string_view issuer;
  Reason reason = claims::PeekIssuer(jws_.unverified_payload(), &issuer);
  if (reason == Reason::kNone && issuer != options_.expectations.issuer) reason = Reason::kIssuerUnknown;
  if (!log.Passes(reason, Printable(issuer))) {
    if (reason == Reason::kIssuerUnknown) log.Explain(Printable(issuer));
    return result;
  }
  if (!log.Passes(
          options_.algorithms.Contains(header.algorithm) ? Reason::kNone : Reason::kAlgorithmNotAllowed,
          std::string(AlgorithmName(header.algorithm)))) {
    return result;
  }
  const keys::IssuerKey* key = nullptr;
  const Reason selected = keys_.Select(header.has_key_id, header.key_id, header.algorithm, &key);
  if (!log.Passes(selected, key == nullptr ? "" : KeyText(*key))) {
    log.Explain(header.has_key_id ? "kid " + Printable(header.key_id) : "the header has no kid");
    return result;
  }
  std::optional<jose::VerifiedJws> verified;
  if (!log.Passes(jose::Verify(jws_, key->jwk->key, &verified))) return result;

  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  reason = claims::Validate(*verified, options_.expectations, options_.now_s, &token_, &evidence, &validated);
  if (!log.Passes(reason, "subject " + Printable(token_.subject))) {
    if (evidence.actual != 0 || evidence.bound != 0) {
      log.Explain(std::to_string(evidence.actual) + " against " + std::to_string(evidence.bound));
    }
    return result;
  }
  const bool meant_for_us = std::find(token_.audiences.begin(), token_.audiences.end(), options_.audience) !=
                            token_.audiences.end();
  std::string audiences;
  for (std::string_view audience : token_.audiences)
    audiences += (audiences.empty() ? "" : " ") + Printable(audience);
  if (!log.Passes(meant_for_us ? Reason::kNone : Reason::kAudienceMismatch, audiences))
    log.Explain(audiences);

  if (key->jwk->has_key_id) result.key_id = key->jwk->key_id;
  result.thumbprint = key->thumbprint;
  result.issuer = token_.issuer;
  result.subject = token_.subject;
  result.client_id = token_.client_id;
  result.jwt_id = token_.jwt_id;
  result.audiences = Copies(token_.audiences);
  result.scopes = Copies(token_.scopes);
  result.roles = Copies(token_.roles);
  result.expires_at = token_.expires_at;
  return result;
}

}  // namespace tollgate::cli
