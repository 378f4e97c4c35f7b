#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tollgate/config.h"
#include "tollgate/transport.h"
#include "transport/url.h"

namespace tollgate::introspection {

// IsAsked: whether there is somebody to be asked, whether or not it is known yet where.
inline bool IsAsked(const IntrospectionConfig& config) {
  return config.discovery || !config.endpoint.empty();
}

// CheckIntrospectionConfig returns InvalidArgument, beginning with the member's name, if the endpoint may not
// be asked (transport::CheckFetchUrl, CheckEndpoint), or is there though it is to be discovered, or the
// client has not what its way of authentication needs: an id and a secret, or a token that can stand in a
// header; if nobody could be the audience of signed answers; or if a bound is out of range.
absl::Status CheckIntrospectionConfig(const IntrospectionConfig& config, const transport::FetchRules& rules);

// CheckEndpoint returns InvalidArgument if the client cannot show at this URL who it is.
absl::Status CheckEndpoint(const IntrospectionConfig& config, std::string_view endpoint);

// AudienceOf is what signed answers name us by.
inline const std::string& AudienceOf(const IntrospectionConfig& config) {
  return config.response_audience.empty() ? config.client_id : config.response_audience;
}

// MakeRequest returns the question about `token` (RFC 7662 section 2.1, RFC 9701 section 4), without a URL,
// an id, a time limit and a reach, which are the caller's.
FetchRequest MakeRequest(const IntrospectionConfig& config, std::string_view token);

// FormEncode is the application/x-www-form-urlencoded serializer (RFC 6749 appendix B).
std::string FormEncode(std::string_view text);

}  // namespace tollgate::introspection
