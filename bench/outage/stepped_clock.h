#pragma once

#include <atomic>
#include <cstdint>

#include "tollgate/clock.h"

namespace tollgate::bench {

// SteppedClock is the system's, but for its wall time, which Step moves. Thread-safe.
class SteppedClock final : public Clock {
 public:
  Now Read() const override {
    Now now = SystemClock().Read();
    // Ordering: relaxed; one number, which guards nothing.
    now.wall_s += ahead_s_.load(std::memory_order_relaxed);
    return now;
  }

  void Step(int64_t by_s) {
    // Ordering: relaxed; see Read.
    ahead_s_.fetch_add(by_s, std::memory_order_relaxed);
  }

 private:
  std::atomic<int64_t> ahead_s_{0};
};

}  // namespace tollgate::bench
