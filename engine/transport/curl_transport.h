#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "absl/status/statusor.h"
#include "tollgate/transport.h"

namespace tollgate::transport {

// Observation is what an exchange showed beside its result: for people who look for a fault.
struct Observation {
  uint64_t id = 0;  // FetchRequest::id.
  int64_t took_ms = 0;
  std::string cache_control{};  // These two as they came.
  std::string location{};
  int64_t date_s = -1;      // By Date (RFC 9110 section 6.6.1), in seconds since 1970; −1: not given.
  bool from_cache = false;  // It has an Age: its Date is of an earlier moment.
  int64_t certificate_ends_s = -1;  // The server's certificate is good until then; −1: not known.
};

struct CurlOptions {
  std::string ca_file{};                // PEM; empty: the system's.
  bool allow_http_on_loopback = false;  // DangerousOptions::dangerous_allow_http_on_loopback.
  // Told of each exchange that was begun, before its result is out. Empty: nothing is observed.
  std::function<void(const Observation&)> on_end{};
};

// MakeCurlTransport returns a Transport over libcurl's multi interface: https only, to addresses within each
// request's reach (and, if allowed, http and https to loopback by a URL that names it), TLS ≥ 1.2 with
// verification, no redirects, no proxies, no cookies, no user or password in URLs, no body beyond the limit,
// decompression off. Fails if libcurl cannot start.
absl::StatusOr<std::unique_ptr<Transport>> MakeCurlTransport(CurlOptions options);

}  // namespace tollgate::transport
