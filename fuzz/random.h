#pragma once

#include <cstddef>
#include <cstdint>
#include <random>

namespace tollgate::fuzz {

// Random is a small repeatable generator: the same seed gives the same numbers everywhere. Thread-compatible.
class Random {
 public:
  explicit Random(uint64_t seed) : engine_(seed) {}
  // Below returns a number in [0, n), n > 0.
  size_t Below(size_t n) { return engine_() % n; }
  bool OneIn(size_t n) { return Below(n) == 0; }

 private:
  std::mt19937_64 engine_;
};

}  // namespace tollgate::fuzz
