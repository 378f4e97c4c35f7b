// What hit_atomics.py must find, and what it must not: functions for its own test.

#include <atomic>
#include <cstdint>

#if defined(__x86_64__)
#include <emmintrin.h>
#endif

#include "base/marks.h"

namespace tollgate::control {

// Ordering: relaxed, all; nothing but their code is of interest.
std::atomic<uint64_t> shared{0};
int* volatile kept = nullptr;

// Some branch and some work, so that nobody is inlined or folded into anybody.
[[gnu::noinline]] uint64_t ReadsAndStores(uint64_t n) {
  shared.store(n, std::memory_order_relaxed);
  return shared.load(std::memory_order_relaxed) * 3;
}
[[gnu::noinline]] uint64_t Counts(uint64_t n) { return shared.fetch_add(n, std::memory_order_relaxed) + n; }
[[gnu::noinline]] uint64_t Exchanges(uint64_t n) { return shared.exchange(n, std::memory_order_relaxed); }
[[gnu::noinline]] uint64_t Allocates(uint64_t n) {
  kept = new int(static_cast<int>(n));
  return n;
}
[[gnu::noinline]] uint64_t CallsOneThatCounts(uint64_t n) { return Counts(n + 1) ^ 5; }
TOLLGATE_SLOW uint64_t Slow(uint64_t n) { return Counts(n + 2) ^ 6; }
[[gnu::noinline]] uint64_t CallsSlow(uint64_t n) { return n % 1024 == 7 ? Slow(n) : n; }
[[gnu::noinline]] uint64_t Fences(uint64_t n) {
#if defined(__x86_64__)
  _mm_mfence();
#endif
  return n;
}
[[gnu::noinline]] uint64_t CallsAPointer(uint64_t n) {
  uint64_t (*volatile function)(uint64_t) = ReadsAndStores;
  return function(n) + 1;
}

}  // namespace tollgate::control

int main(int argc, char** /*argv*/) {
  using namespace tollgate::control;
  const auto n = static_cast<uint64_t>(argc);
  return static_cast<int>((ReadsAndStores(n) ^ CallsOneThatCounts(n) ^ Exchanges(n) ^ Allocates(n) ^
                           CallsSlow(n) ^ Fences(n) ^ CallsAPointer(n)) == 12345);
}
