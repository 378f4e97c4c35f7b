#include "introspection/answer.h"

#include <optional>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "claims/claim_values.h"
#include "json/document.h"

namespace tollgate::introspection {
namespace {

absl::Status Refuse(std::string_view why) {
  return absl::InvalidArgumentError("the answer " + std::string(why));
}

// What there was instead of a response.
absl::Status WhyNone(FetchOutcome outcome) {
  switch (outcome) {
    case FetchOutcome::kAnswered:
      break;
    case FetchOutcome::kNotAllowed:
      return absl::UnavailableError("the URL is not allowed");
    case FetchOutcome::kUnresolved:
      return absl::UnavailableError("the host name did not resolve");
    case FetchOutcome::kUnreachable:
      return absl::UnavailableError("the connection was refused, or cut off before the answer was complete");
    case FetchOutcome::kTlsFailed:
      return absl::UnavailableError("TLS failed, or the certificate was not accepted");
    case FetchOutcome::kTimedOut:
      return absl::UnavailableError("no complete answer in time");
    case FetchOutcome::kTooLarge:
      return Refuse("is too long");
    case FetchOutcome::kAddressRefused:
      return absl::UnavailableError("the host's address is not one that this issuer may be asked at");
  }
  return absl::UnavailableError("the exchange failed");
}

// Statuses that find fault with the question, of which the token is the part that changes.
bool IsAboutTheQuestion(int status) { return status == 400 || status == 413 || status == 422; }

// RFC 7009 section 2.2.1, which endpoints answer here, too.
bool SaysUnsupportedTokenType(std::string_view text) {
  if (text.size() > limits::kIntrospectionBytesMax) return false;
  json::Document document(text.size());
  if (document.Parse(text) != Reason::kNone) return false;
  return document.root().Member("error").string() == "unsupported_token_type";
}

// An absent one leaves `*seconds` as it is.
bool ReadDate(json::Value root, std::string_view name, int64_t* seconds) {
  const json::Value value = root.Member(name);
  return !value.present() || claims::ReadNumericDate(value, claims::Rounding::kUp, seconds) == Reason::kNone;
}

}  // namespace

absl::Status CheckResponse(const FetchResult& result) {
  if (result.outcome != FetchOutcome::kAnswered) return WhyNone(result.outcome);
  if (result.http_status == 200) return absl::OkStatus();
  if (result.http_status == 400 && SaysUnsupportedTokenType(result.body))
    return absl::NotFoundError("the endpoint cannot tell for tokens of this kind");
  const std::string why = absl::StrCat("the endpoint answered with status ", result.http_status);
  if (IsAboutTheQuestion(result.http_status)) return absl::InvalidArgumentError(why);
  return absl::UnavailableError(why);
}

absl::StatusOr<Answer> ReadMembers(json::Value root, std::string_view issuer) {
  if (!root.is_object()) return Refuse("is no JSON object");
  const std::optional<bool> active = root.Member("active").boolean();
  if (!active.has_value()) return Refuse("has no boolean `active`");
  const json::Value named_issuer = root.Member("iss");
  if (named_issuer.present() && named_issuer.string() != issuer)
    return Refuse("is about a token of another issuer");
  Answer answer;
  if (!*active) return answer;
  if (!ReadDate(root, "exp", &answer.expires_at)) return Refuse("has no NumericDate for `exp`");
  if (!ReadDate(root, "nbf", &answer.not_before)) return Refuse("has no NumericDate for `nbf`");
  answer.active = true;
  return answer;
}

absl::StatusOr<Answer> ReadAnswer(const FetchResult& result, std::string_view issuer) {
  if (absl::Status response = CheckResponse(result); !response.ok()) return response;
  const std::string_view text = result.body;
  if (text.size() > limits::kIntrospectionBytesMax) return Refuse("is too long");
  json::Document document(text.size());
  if (const Reason reason = document.Parse(text); reason != Reason::kNone)
    return Refuse("is not strict JSON: " + std::string(ReasonName(reason)));
  absl::StatusOr<Answer> answer = ReadMembers(document.root(), issuer);
  if (answer.ok() && answer->active) answer->text = text;
  return answer;
}

}  // namespace tollgate::introspection
