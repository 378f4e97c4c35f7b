#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tollgate/config.h"
#include "tollgate/transport.h"
#include "transport/url.h"

namespace tollgate::introspection {

// CheckIntrospectionConfig returns InvalidArgument, beginning with the member's name, if the endpoint may not
// be asked (transport::CheckFetchUrl) or the client has not what its way of authentication needs: an id and a
// secret, or a token that can stand in a header; or if a bound is out of range.
absl::Status CheckIntrospectionConfig(const IntrospectionConfig& config, const transport::FetchRules& rules);

// MakeRequest returns the question about `token` (RFC 7662 section 2.1), without an id, a time limit and a
// reach, which are the caller's.
FetchRequest MakeRequest(const IntrospectionConfig& config, std::string_view token);

// FormEncode is the application/x-www-form-urlencoded serializer (RFC 6749 appendix B).
std::string FormEncode(std::string_view text);

}  // namespace tollgate::introspection
