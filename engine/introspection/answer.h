#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "json/document.h"
#include "tollgate/transport.h"

namespace tollgate::introspection {

// Answer is what an introspection endpoint says of one token (RFC 7662 section 2.2), reduced to what decides
// and can be told before it is known what the token was presented for.
struct Answer {
  bool active = false;
  // NumericDates of the answer; absent: INT64_MAX and INT64_MIN. exp and nbf are rounded up.
  int64_t expires_at = INT64_MAX;
  int64_t not_before = INT64_MIN;
  // The answer itself, of active tokens: a JSON text that json::Document takes, for claims::ValidateAnswer.
  // Of a signed one (signed_answer.h), all that is signed: the answer is its member `token_introspection`.
  std::string text{};
};

// ReadAnswer reads a response. An error, with one line that repeats nothing of it, if it says nothing of the
// token. Unavailable: the endpoint did not answer, or with a status that finds no fault with the question.
// InvalidArgument: it did (whoever sends tokens may bring that about, so it tells nothing about the
// endpoint): 400, 413 or 422; a text that is not strict JSON, no object, or longer than
// limits::kIntrospectionBytesMax; `active` absent or no boolean; `iss` present and not `issuer`; of an active
// one, exp or nbf present and no NumericDate. NotFound: the endpoint cannot tell for tokens of this kind (400
// with the error unsupported_token_type), which is no failure of the endpoint either.
absl::StatusOr<Answer> ReadAnswer(const FetchResult& result, std::string_view issuer);

// What ReadAnswer consists of: OK if there is a body to be read, and what the object of the answer says,
// without its text.
absl::Status CheckResponse(const FetchResult& result);
absl::StatusOr<Answer> ReadMembers(json::Value root, std::string_view issuer);

}  // namespace tollgate::introspection
