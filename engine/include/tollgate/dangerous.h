#pragma once

namespace tollgate {

// DangerousOptions are switches that weaken a check. All are off unless somebody turns them on by this name.
struct DangerousOptions {
  // Keys may be fetched from loopback, over plain http too, by URLs whose host is 127.0.0.0/8, [::1] or
  // localhost: for tests, benchmarks and demos. No other host is let through to a loopback address by it.
  bool dangerous_allow_http_on_loopback = false;
  // Issuers may have a profile that takes ID tokens for access tokens (Profile::id_tokens).
  bool dangerous_accept_id_tokens = false;
};

}  // namespace tollgate
