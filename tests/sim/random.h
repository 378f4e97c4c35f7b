#pragma once

#include <cstdint>
#include <initializer_list>

namespace tollgate::sim {

// Random is SplitMix64 (Steele, Lea, Flood 2014): the same numbers from the same seed on every machine, which
// the standard library's distributions do not promise. Thread-compatible.
class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}
  // Of several numbers, one stream that depends on each of them.
  Random(std::initializer_list<uint64_t> seeds) : state_(0) {
    for (const uint64_t seed : seeds) state_ = Next() ^ seed;
  }

  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

  // Between is uniform, both ends included; from ≤ to.
  int64_t Between(int64_t from, int64_t to) {
    return from + static_cast<int64_t>(Next() % (static_cast<uint64_t>(to - from) + 1));
  }
  int Below(int n) { return static_cast<int>(Next() % static_cast<uint64_t>(n)); }
  bool OneIn(int n) { return Below(n) == 0; }
  template <typename T>
  T Pick(std::initializer_list<T> among) {
    return among.begin()[Below(static_cast<int>(among.size()))];
  }

 private:
  uint64_t state_;
};

}  // namespace tollgate::sim
