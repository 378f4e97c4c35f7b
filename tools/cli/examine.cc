#include "tools/cli/examine.h"

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>

#include "jose/base64url.h"

namespace tollgate::cli {
namespace {

constexpr std::string_view kAllSteps[] = {"form",      "issuer", "algorithm", "key",
                                          "signature", "claims", "audience"};
constexpr std::string_view kSignatureSteps[] = {"form", "algorithm", "key", "signature"};

std::string KeyText(const keys::IssuerKey& key) {
  return (key.jwk->has_key_id ? "kid " + Printable(key.jwk->key_id) : std::string("no kid")) +
         ", thumbprint " + key.thumbprint;
}

std::vector<std::string> Copies(const std::vector<std::string_view>& views) {
  return {views.begin(), views.end()};
}

}  // namespace

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

std::string Printable(std::string_view text) {
  using nlohmann::json;
  return json(std::string(text)).dump(-1, ' ', /*ensure_ascii=*/true, json::error_handler_t::replace);
}

Examiner::Examiner(jose::JwkSet set, ExamineOptions options)
    : options_(std::move(options)), keys_(KeySetOf(std::move(set))) {}

// Log collects the steps. After the first failure the others stay "not reached".
class Examiner::Log {
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

// Issuer and claims are looked at only where the payload is to be an access token's.
Examination Examiner::Examine(std::string_view token) {
  Examination result;
  const bool bare = options_.signature_only;
  Log log(&result, bare ? std::span<const std::string_view>(kSignatureSteps) : kAllSteps);
  if (!CheckForm(token, &log, &result)) return result;
  if (!bare && !CheckIssuer(&log)) return result;
  std::optional<jose::VerifiedJws> verified;
  const keys::IssuerKey* key = CheckSignature(&log, &verified);
  if (key == nullptr) return result;
  if (key->jwk->has_key_id) result.key_id = key->jwk->key_id;
  result.thumbprint = key->thumbprint;
  if (!bare) CheckClaims(*verified, &log, &result);
  return result;
}

bool Examiner::CheckForm(std::string_view token, Log* log, Examination* result) {
  const Reason reason = options_.signature_only ? jws_.ParseBare(token) : jws_.Parse(token);
  if (!log->Passes(reason, std::to_string(token.size()) + " bytes")) return false;
  result->algorithm = jws_.header().algorithm;
  return true;
}

bool Examiner::CheckIssuer(Log* log) {
  std::string_view issuer;
  Reason reason = claims::PeekIssuer(jws_.unverified_payload(), &issuer);
  if (reason == Reason::kNone && issuer != options_.expectations.issuer) reason = Reason::kIssuerUnknown;
  if (log->Passes(reason, Printable(issuer))) return true;
  if (reason == Reason::kIssuerUnknown) log->Explain(Printable(issuer));
  return false;
}

const keys::IssuerKey* Examiner::CheckSignature(Log* log, std::optional<jose::VerifiedJws>* verified) {
  const jose::JoseHeader& header = jws_.header();
  const bool allowed = options_.algorithms.Contains(header.algorithm);
  const std::string algorithm(AlgorithmName(header.algorithm));
  if (!log->Passes(allowed ? Reason::kNone : Reason::kAlgorithmNotAllowed, algorithm)) {
    log->Explain(algorithm);
    return nullptr;
  }
  const keys::IssuerKey* key = nullptr;
  const Reason selected = keys_.Select(header.has_key_id, header.key_id, header.algorithm, &key);
  if (!log->Passes(selected, key == nullptr ? "" : KeyText(*key))) {
    log->Explain(header.has_key_id ? "kid " + Printable(header.key_id) : "the header has no kid");
    return nullptr;
  }
  return log->Passes(jose::Verify(jws_, key->jwk->key, verified)) ? key : nullptr;
}

void Examiner::CheckClaims(const jose::VerifiedJws& verified, Log* log, Examination* result) {
  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  const Reason reason =
      claims::Validate(verified, options_.expectations, options_.now_s, &token_, &evidence, &validated);
  if (!log->Passes(reason, "subject " + Printable(token_.subject))) {
    if (evidence.actual != 0 || evidence.bound != 0) {
      log->Explain(std::to_string(evidence.actual) + " against " + std::to_string(evidence.bound));
    }
    return;
  }
  const std::vector<std::string>& ours = options_.audiences;
  const bool meant_for_us =
      std::any_of(token_.audiences.begin(), token_.audiences.end(), [&ours](std::string_view audience) {
        return std::find(ours.begin(), ours.end(), audience) != ours.end();
      });
  std::string audiences;
  for (std::string_view audience : token_.audiences)
    audiences += (audiences.empty() ? "" : " ") + Printable(audience);
  if (!log->Passes(meant_for_us ? Reason::kNone : Reason::kAudienceMismatch, audiences))
    log->Explain(audiences);

  result->issuer = token_.issuer;
  result->subject = token_.subject;
  result->client_id = token_.client_id;
  result->jwt_id = token_.jwt_id;
  result->audiences = Copies(token_.audiences);
  result->scopes = Copies(token_.scopes);
  result->roles = Copies(token_.roles);
  result->expires_at = token_.expires_at;
}

}  // namespace tollgate::cli
