#include "introspection/signed_answer.h"

#include <algorithm>
#include <span>
#include <vector>

#include "base/ascii.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "claims/claim_values.h"
#include "jose/base64url.h"

namespace tollgate::introspection {
namespace {

using saturating::Minus;
using saturating::Plus;

absl::Status Refuse(std::string_view why) {
  return absl::InvalidArgumentError("the answer " + std::string(why));
}

// A charset, say, may follow (RFC 9110 section 8.3.1).
bool IsSigned(std::string_view content_type) {
  std::string_view type = content_type.substr(0, content_type.find(';'));
  while (type.ends_with(' ') || type.ends_with('\t')) type.remove_suffix(1);
  return ascii::EqualIgnoringCase(type, kSignedAnswerType);
}

// RFC 7515 section 4.1.9: "application/" may be left out, and should be.
bool HasType(const jose::JoseHeader& header) {
  return header.has_type && (ascii::EqualIgnoringCase(header.type, "token-introspection+jwt") ||
                             ascii::EqualIgnoringCase(header.type, kSignedAnswerType));
}

// CheckSignature leaves the proof in `*verified`.
absl::Status CheckSignature(const jose::ParsedJws& jws, std::string_view issuer, Now now,
                            const VerifyAnswer& verify, std::optional<jose::VerifiedJws>* verified) {
  const Reason reason = verify(issuer, jws, now, verified);
  switch (reason) {
    case Reason::kKeysNeverFetched:
    case Reason::kKeysTooStale:
    case Reason::kKeyPending:
      return absl::FailedPreconditionError("the answer is signed by a key that is not known, or not yet");
    case Reason::kNone:
      if (verified->has_value()) return absl::OkStatus();
      [[fallthrough]];
    default:
      return Refuse("has no good signature: " + std::string(ReasonName(reason)));
  }
}

// IsForUs reads `aud` as RFC 7519 section 4.1.3 has it.
bool IsForUs(json::Value audience, std::string_view us) {
  std::vector<std::string_view> all;
  return audience.present() && claims::ReadStrings(audience, limits::kAudiencesMax, &all) == Reason::kNone &&
         std::find(all.begin(), all.end(), us) != all.end();
}

// CheckTimes: RFC 9701 section 5 says when the answer was made, so that an older one cannot stand in for it.
absl::Status CheckTimes(json::Value payload, const SignedAnswerRules& rules, int64_t now_s) {
  const auto read = [&](std::string_view name, claims::Rounding rounding, int64_t* seconds) {
    const json::Value value = payload.Member(name);
    return !value.present() || claims::ReadNumericDate(value, rounding, seconds) == Reason::kNone;
  };
  int64_t issued_at = INT64_MIN, expires_at = INT64_MAX, not_before = INT64_MIN;
  if (!payload.Member("iat").present() || !read("iat", claims::Rounding::kDown, &issued_at))
    return Refuse("has no NumericDate for `iat`");
  if (issued_at > Plus(now_s, rules.leeway_s)) return Refuse("was made in the future");
  if (issued_at < Minus(rules.asked_s, rules.leeway_s)) return Refuse("was made before the question");
  // Seldom there.
  if (!read("exp", claims::Rounding::kUp, &expires_at) || !read("nbf", claims::Rounding::kUp, &not_before))
    return Refuse("has no NumericDate for `exp` or `nbf`");
  if (now_s >= Plus(expires_at, rules.leeway_s)) return Refuse("has expired");
  if (now_s < Minus(not_before, rules.leeway_s)) return Refuse("is not valid yet");
  return absl::OkStatus();
}

// PayloadOf decodes what jose::ParsedJws has taken.
std::string PayloadOf(std::string_view jws) {
  jose::CompactJws compact;
  if (jose::SplitCompact(jws, &compact) != Reason::kNone) return {};
  std::string text(jose::Base64UrlDecodedSize(compact.payload.size()), '\0');
  const auto size =
      jose::Base64UrlDecode(compact.payload, std::span(reinterpret_cast<uint8_t*>(text.data()), text.size()));
  text.resize(size.value_or(0));
  return text;
}

}  // namespace

absl::StatusOr<Answer> ReadSignedAnswer(const FetchResult& result, const SignedAnswerRules& rules, Now now,
                                        const VerifyAnswer& verify, jose::ParsedJws* scratch) {
  if (absl::Status response = CheckResponse(result); !response.ok()) return response;
  if (!IsSigned(result.content_type)) return Refuse("is not signed");
  if (const Reason reason = scratch->Parse(result.body); reason != Reason::kNone) {
    if (reason == Reason::kEncryptedToken) return Refuse("is encrypted, which nobody here can undo");
    return Refuse("cannot be read: " + std::string(ReasonName(reason)));
  }
  if (!HasType(scratch->header())) return Refuse("has not the `typ` of an answer");
  std::optional<jose::VerifiedJws> verified;
  if (absl::Status good = CheckSignature(*scratch, rules.issuer, now, verify, &verified); !good.ok())
    return good;

  const json::Value payload = verified->payload();
  if (payload.Member("iss").string() != rules.issuer) return Refuse("is not from the issuer");
  if (!IsForUs(payload.Member("aud"), rules.audience)) return Refuse("is not for us");
  if (absl::Status in_time = CheckTimes(payload, rules, now.wall_s); !in_time.ok()) return in_time;
  const json::Value members = payload.Member("token_introspection");
  if (!members.is_object()) return Refuse("has no object `token_introspection`");
  absl::StatusOr<Answer> answer = ReadMembers(members, rules.issuer);
  if (!answer.ok()) return answer;
  const json::Value jwt_id = members.Member("jti");
  if (!rules.jwt_id.empty() && jwt_id.present() && jwt_id.string() != rules.jwt_id)
    return Refuse("is about another token");
  if (answer->active) answer->text = PayloadOf(result.body);
  return answer;
}

std::string JwtIdOf(std::string_view token, jose::ParsedJws* scratch) {
  if (scratch->Parse(token) != Reason::kNone) return {};
  return std::string(scratch->unverified_payload().Member("jti").string().value_or(std::string_view()));
}

}  // namespace tollgate::introspection
