#pragma once

namespace tollgate {

// DangerousOptions are switches that weaken a check. All are off unless somebody turns them on by this name.
struct DangerousOptions {
  // Keys may be fetched over plain http from 127.0.0.0/8, [::1] and localhost: for tests, benchmarks and
  // demos.
  bool dangerous_allow_http_on_loopback = false;
};

}  // namespace tollgate
