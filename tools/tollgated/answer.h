#pragma once

#include <array>
#include <cstdint>
#include <iterator>
#include <string>
#include <string_view>

#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tools/tollgated/http.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// The fields that say who is calling. An answer that allows has all of them, empty ones too, so that a proxy
// which passes them on replaces whatever a client has sent under these names. Their values are
// percent-encoded (RFC 3986 section 2.1): all but letters, digits and - . _ ~ : / @ is. Scopes, roles and
// actors are lists of such values, separated by one space.
inline constexpr std::string_view kIdentityFields[] = {
    "X-Tollgate-Issuer", "X-Tollgate-Subject", "X-Tollgate-Client", "X-Tollgate-Scopes",
    "X-Tollgate-Roles",  "X-Tollgate-Kind",    "X-Tollgate-Actors"};

// Identity is the values of the identity fields for one caller. Thread-compatible.
class Identity {
 public:
  static constexpr size_t kNumFields = std::size(kIdentityFields);

  Identity() = default;
  // Allocates once, as a rule.
  explicit Identity(const Principal& principal);

  // value returns that of kIdentityFields[field]: visible ASCII and spaces. Valid until the Identity is
  // assigned to, moved or destroyed.
  std::string_view value(size_t field) const {
    const size_t begin = field == 0 ? 0 : ends_[field - 1];
    return std::string_view(text_).substr(begin, ends_[field] - begin);
  }

 private:
  std::string text_;
  std::array<uint32_t, kNumFields> ends_{};
};

// AllowAnswer is 200 with the identity fields.
HttpAnswer AllowAnswer(Proxy proxy, const Identity& identity);

// RefusalContext is what a refusal says beside the decision's own.
struct RefusalContext {
  std::string_view metadata_url{};  // Engine::ScopesFor and the like: see tollgate::Challenge.
  std::string_view scopes{};
  std::string_view acr_values{};
  std::string_view json_rpc_error{};  // The body, unless it is empty.
};

// RefusalAnswer is the answer for a decision that does not allow: 400, 401, 403 with their challenge, or 503
// with Retry-After, for whatever proxy; and a body in JSON. Browsers of any origin may read it. For nginx,
// which knows no other statuses than 2xx, 401 and 403 and never passes the body on, what its configuration
// makes the client's answer of is also in X-Tollgate-Status and X-Tollgate-Body.
HttpAnswer RefusalAnswer(Proxy proxy, const Decision& decision, const RefusalContext& context);

// ErrorAnswer is an answer to what is no question, with one sentence in JSON.
HttpAnswer ErrorAnswer(int status, std::string_view error, std::string_view description);

// IsWorse says whether of two refused uses of one request `a` is the one to answer with. From the worst:
// kFixRequest, kAuthenticate, kReauthenticate, kForbidden (nothing helps), kRetryLater,
// kAuthenticateStronger, kStepUp. The last two promise that the request will be allowed then, so everything
// else must be known.
bool IsWorse(Category a, Category b);

}  // namespace tollgate::tollgated
