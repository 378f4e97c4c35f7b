#pragma once

#include <string>
#include <string_view>

#include "absl/status/status.h"

namespace tollgate::transport {

// CheckFetchUrl says whether keys may be fetched from `url` at all: OK, or InvalidArgument with one line. An
// https URL with a host and without user information or fragment; http only with `allow_http_on_loopback` and
// a host of 127.0.0.0/8, [::1] or localhost. Used when a configuration is read and again at each fetch.
absl::Status CheckFetchUrl(std::string_view url, bool allow_http_on_loopback);

}  // namespace tollgate::transport
