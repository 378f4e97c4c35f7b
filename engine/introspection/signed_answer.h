#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "absl/status/statusor.h"
#include "introspection/answer.h"
#include "jose/jws.h"
#include "tollgate/clock.h"
#include "tollgate/transport.h"

namespace tollgate::introspection {

// The media type of signed answers, RFC 9701 section 4.
inline constexpr char kSignedAnswerType[] = "application/token-introspection+jwt";

// VerifyAnswer verifies the signature of an issuer's answer by that issuer's own keys. kNone and the proof,
// or why there is none; kKeysNeverFetched, kKeysTooStale or kKeyPending if its key may yet turn out to be the
// issuer's.
using VerifyAnswer = std::function<Reason(std::string_view issuer, const jose::ParsedJws& answer, Now now,
                                          std::optional<jose::VerifiedJws>* verified)>;

// SignedAnswerRules is what a signed answer is held against.
struct SignedAnswerRules {
  std::string_view issuer;
  std::string_view audience;
  int64_t leeway_s = 0;
  int64_t asked_s = 0;      // Wall time at which the question was sent.
  std::string_view jwt_id;  // The token's own `jti`, if it has one and its signature is good.
};

// ReadSignedAnswer reads a response that must be signed (RFC 9701 section 5). Errors as of ReadAnswer, and
// nothing that the response says ever is Unavailable: not signed, encrypted, or in another form than
// jose::ParsedJws takes; `typ` is not that of such answers; no good signature; `iss` is not the issuer, `aud`
// is not for us; `iat` is missing, in the future or before the question; `exp` or `nbf`, where they are,
// exclude this moment; `token_introspection` is no answer by ReadAnswer's rules, or names another `jti`.
// FailedPrecondition: the key may yet turn out to be the issuer's, so that it says nothing either way.
absl::StatusOr<Answer> ReadSignedAnswer(const FetchResult& result, const SignedAnswerRules& rules, Now now,
                                        const VerifyAnswer& verify, jose::ParsedJws* scratch);

// JwtIdOf returns the `jti` of a token of a good signature, or nothing.
std::string JwtIdOf(std::string_view token, jose::ParsedJws* scratch);

}  // namespace tollgate::introspection
