#include <time.h>

#include "tollgate/clock.h"

namespace tollgate {
namespace {

class RealClock final : public Clock {
 public:
  Now Read() const override {
    // Coarse clocks: the vDSO copies the kernel's last tick instead of reading the hardware counter.
    timespec mono{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &mono);
    return {.wall_s = time(nullptr), .mono_ms = int64_t{mono.tv_sec} * 1000 + mono.tv_nsec / 1'000'000};
  }
};

}  // namespace

const Clock& SystemClock() {
  static const RealClock clock;
  return clock;
}

}  // namespace tollgate
