#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tollgate/transport.h"

namespace tollgate::transport {

// FetchRules is what the configuration allows.
struct FetchRules {
  Reach reach = Reach::kPublic;
  bool loopback = false;  // DangerousOptions::dangerous_allow_http_on_loopback.
};

// CheckFetchUrl says whether anything may be fetched from `url` at all: OK, or one line with InvalidArgument
// for its form, PermissionDenied for an address in it. An https URL with a host and without user information
// or fragment, whose host is a name or an address within reach; with `loopback` also loopback hosts, and http
// to those. Used when a configuration or a document is read and again at each fetch. What a name resolves to
// is judged when it is connected to.
absl::Status CheckFetchUrl(std::string_view url, const FetchRules& rules);

// AuthorityOf returns the host and port of a URL that CheckFetchUrl accepts, in one form for each: lower
// case, without the port that the scheme has anyway (RFC 3986 section 6.2.3). Allocates.
std::string AuthorityOf(std::string_view url);

// HasLoopbackHost says whether a URL that CheckFetchUrl would accept names 127.0.0.0/8, [::1] or localhost.
bool HasLoopbackHost(std::string_view url);

}  // namespace tollgate::transport
