#pragma once

#include <string_view>

#include "tollgate/reason.h"

namespace tollgate::claims {

// ReadAuthorization takes the token out of an Authorization header field value (RFC 6750 section 2.1, RFC
// 9110 section 11.4): the scheme "Bearer" without regard to case, one space, and one token68 up to the end.
// kNoCredential if `value` is empty, kUnsupportedScheme for any other scheme, kMalformedAuthorization
// otherwise. `token` is a view into `value`. Does not look at every letter of the token: the JWS reader does.
// Does not allocate.
Reason ReadAuthorization(std::string_view value, std::string_view* token);

}  // namespace tollgate::claims
