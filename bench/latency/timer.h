#pragma once

#include <chrono>
#include <cstdint>
#ifdef __x86_64__
#include <x86intrin.h>
#endif

namespace tollgate::bench {

// Timer reads the finest clock that a thread can read without a system call: the processor's counter on x86,
// the vDSO's monotonic clock elsewhere. Thread-compatible.
class Timer {
 public:
  // Measures the counter against the monotonic clock and what one reading costs: some 30 ms.
  Timer() {
    using Clock = std::chrono::steady_clock;
    const Clock::time_point begin = Clock::now();
    const uint64_t first = Read();
    while (Clock::now() - begin < std::chrono::milliseconds(30)) {
    }
    const uint64_t last = Read();
    ns_per_tick_ = std::chrono::duration<double, std::nano>(Clock::now() - begin).count() /
                   static_cast<double>(last - first);
    // The least of many is what it always costs; anything above it is a disturbance and belongs to the check.
    cost_ticks_ = UINT64_MAX;
    for (int i = 0; i < 10'000; ++i) {
      const uint64_t before = Read(), after = Read();
      if (after - before < cost_ticks_) cost_ticks_ = after - before;
    }
  }

  // Read waits until everything before it has been executed, and nothing behind it starts before it is read.
  static uint64_t Read() {
#ifdef __x86_64__
    unsigned processor;
    const uint64_t ticks = __rdtscp(&processor);
    _mm_lfence();
    return ticks;
#else
    return static_cast<uint64_t>(std::chrono::duration_cast<std::chrono::nanoseconds>(
                                     std::chrono::steady_clock::now().time_since_epoch())
                                     .count());
#endif
  }

  // Between returns the nanoseconds from one reading to the next, without what the readings cost.
  uint64_t Between(uint64_t before, uint64_t after) const {
    const uint64_t ticks = after - before;
    if (ticks <= cost_ticks_) return 0;
    return static_cast<uint64_t>(static_cast<double>(ticks - cost_ticks_) * ns_per_tick_ + 0.5);
  }

  double cost_ns() const { return static_cast<double>(cost_ticks_) * ns_per_tick_; }
  uint64_t TicksOf(double seconds) const { return static_cast<uint64_t>(seconds * 1e9 / ns_per_tick_); }
  static const char* Source() {
#ifdef __x86_64__
    return "rdtscp";
#else
    return "steady_clock";
#endif
  }

 private:
  double ns_per_tick_ = 1;
  uint64_t cost_ticks_ = 0;
};

}  // namespace tollgate::bench
