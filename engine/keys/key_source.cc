#include "keys/key_source.h"

#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"

namespace tollgate::keys {
namespace {

// RFC 9110 section 15: "not here", in whichever way, redirects included. A server error, 408 and 429 only say
// "not now", and no answer at all says even less.
bool IsNotThere(const FetchResult& result) {
  return result.outcome == FetchOutcome::kAnswered && result.http_status != 200 && result.http_status < 500 &&
         result.http_status != 408 && result.http_status != 429;
}

}  // namespace

KeySource::KeySource(std::string jwks_uri) : jwks_uri_(std::move(jwks_uri)) {}

KeySource::KeySource(MetadataRules rules, int64_t age_max_ms)
    : rules_(std::move(rules)), well_known_(WellKnownUrls(rules_.place)), age_max_ms_(age_max_ms) {}

bool KeySource::Resume(bool discovered, std::string_view jwks_uri) {
  if (discovered != discovers()) return false;
  if (discovered ? !MayLeadTo(jwks_uri, rules_).ok() : jwks_uri != jwks_uri_) return false;
  jwks_uri_ = jwks_uri;
  return true;
}

bool KeySource::SamePlace(const KeySource& other) const {
  if (discovers() != other.discovers()) return false;
  return discovers() ? rules_.issuer == other.rules_.issuer && rules_.place == other.rules_.place &&
                           rules_.authorities == other.rules_.authorities
                     : jwks_uri_ == other.jwks_uri_;
}

void KeySource::Begin(int64_t now_ms) {
  const bool known = !jwks_uri_.empty() && !suspect_ && now_ms < due_ms_;
  at_ = known ? well_known_.size() : 0;
}

FetchRequest KeySource::Next() const {
  FetchRequest request;
  request.url = url();
  if (asks_for_keys()) request.if_none_match = etag_;
  request.body_bytes_max = asks_for_keys() ? limits::kJwksBytesMax : limits::kMetadataBytesMax;
  return request;
}

absl::Status KeySource::OnMetadata(const FetchResult& result, int64_t now_ms) {
  if (result.outcome != FetchOutcome::kAnswered || result.http_status != 200) {
    if (!IsNotThere(result) || at_ + 1 == well_known_.size())
      return absl::UnavailableError(absl::StrCat("metadata: ", WhyFailed(result)));
    ++at_;
    return absl::OkStatus();
  }
  absl::StatusOr<IssuerMetadata> metadata = ParseIssuerMetadata(result.body, rules_);
  if (!metadata.ok()) return metadata.status();
  if (metadata->jwks_uri != jwks_uri_) etag_.clear();
  jwks_uri_ = std::move(metadata->jwks_uri);
  if (__builtin_add_overflow(now_ms, age_max_ms_, &due_ms_)) due_ms_ = INT64_MAX;
  at_ = well_known_.size();
  return absl::OkStatus();
}

std::string WhyFailed(const FetchResult& result) {
  switch (result.outcome) {
    case FetchOutcome::kAnswered:
      return absl::StrCat("the server answered with status ", result.http_status);
    case FetchOutcome::kNotAllowed:
      return "the URL is not allowed";
    case FetchOutcome::kUnresolved:
      return "the host name did not resolve";
    case FetchOutcome::kUnreachable:
      return "the connection was refused, or cut off before the answer was complete";
    case FetchOutcome::kTlsFailed:
      return "TLS failed, or the certificate was not accepted";
    case FetchOutcome::kTimedOut:
      return "no complete answer in time";
    case FetchOutcome::kTooLarge:
      return "the answer is too large";
    case FetchOutcome::kAddressRefused:
      return "the host's address is not one that this issuer's keys may come from";
  }
  return "the exchange failed";
}

}  // namespace tollgate::keys
