#pragma once

#include <cstdint>

#include "tollgate/export.h"

namespace tollgate {

// Now is one reading of both clocks. Wall time serves for exp, nbf and iat alone; every age, bound, cooldown
// and backoff is measured on the monotonic clock, so that a step of the wall clock moves none of them.
struct Now {
  int64_t wall_s =
      0;  // Seconds since 1970-01-01T00:00:00Z, without leap seconds (RFC 7519 section 2, NumericDate).
  int64_t mono_ms = 0;  // Milliseconds since an arbitrary fixed point; never goes back.
};

// Clock is the engine's only source of time. Read is called once per check, on the caller's thread: it must
// be cheap, must not block and must not throw. Implementations are thread-safe.
class TOLLGATE_API Clock {
 public:
  virtual ~Clock() = default;
  virtual Now Read() const = 0;
};

// SystemClock returns the operating system's clocks, right to a second (wall) and to 4 ms (monotonic). No
// system call: both are read through the vDSO. Lives for ever. Thread-safe.
TOLLGATE_API const Clock& SystemClock();

}  // namespace tollgate
