#pragma once

#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tollgate/transport.h"

namespace tollgate::transport {

struct CurlOptions {
  std::string ca_file;                  // PEM; empty: the system's.
  bool allow_http_on_loopback = false;  // DangerousOptions::dangerous_allow_http_on_loopback.
};

// MakeCurlTransport returns a Transport over libcurl's multi interface: https only, to addresses within each
// request's reach (and, if allowed, http and https to loopback by a URL that names it), TLS ≥ 1.2 with
// verification, no redirects, no proxies, no cookies, no user or password in URLs, no body beyond the limit,
// decompression off. Fails if libcurl cannot start.
absl::StatusOr<std::unique_ptr<Transport>> MakeCurlTransport(CurlOptions options);

}  // namespace tollgate::transport
