#include <time.h>

#include "tollgate/clock.h"

namespace tollgate {
namespace {

class RealClock final : public Clock {
 public:
  Now Read() const override {
    // Coarse clocks: the vDSO copies the kernel's last tick instead of reading the hardware counter. Both
    // move by ticks alone: within one, a thread need not read the other, nor divide.
    thread_local timespec last_mono{.tv_sec = -1, .tv_nsec = 0};
    thread_local Now last;
    timespec mono;
    clock_gettime(CLOCK_MONOTONIC_COARSE, &mono);
    if (((mono.tv_sec ^ last_mono.tv_sec) | (mono.tv_nsec ^ last_mono.tv_nsec)) != 0) {
      last_mono = mono;
      last = {.wall_s = time(nullptr), .mono_ms = int64_t{mono.tv_sec} * 1000 + mono.tv_nsec / 1'000'000};
    }
    return last;
  }
};

}  // namespace

const Clock& SystemClock() {
  // Never destroyed: an engine in static storage reads it at its own end.
  static const RealClock& clock = *new RealClock;
  return clock;
}

}  // namespace tollgate
