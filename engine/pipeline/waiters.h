#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

namespace tollgate::pipeline {

// Waiters tells whoever was answered `unavailable` that a fetch of that issuer (or an introspection of that
// channel) has ended since. A ticket is the number of fetches of one issuer that have ended; it is taken
// before the keys are looked at, so that no end is missed between the look and the wait. Thread-safe.
class Waiters {
 public:
  static constexpr size_t kBytesEach = sizeof(std::atomic<uint64_t>);  // For an issuer that there may be.

  explicit Waiters(size_t num_issuers);

  uint64_t Ticket(uint32_t issuer) const {
    // Ordering: acquire pairs with the release in Settle: whoever sees the count sees the keys that the fetch
    // brought.
    return settled_[issuer].load(std::memory_order_acquire);
  }

  // Settle counts the end of a fetch and wakes who waits for it. The callbacks run in RunReady.
  void Settle(uint32_t issuer);

  // WaitPast returns true once Ticket(issuer) differs from `ticket`, false at `deadline`.
  bool WaitPast(uint32_t issuer, uint64_t ticket, std::chrono::steady_clock::time_point deadline);

  // Add keeps `callback` until Ticket(issuer) differs from `ticket`, or until `deadline_ms` of the monotonic
  // clock. False if limits::kWaitersMax already wait. If the ticket is past already, the callback is ready at
  // once: `*ready` is set and somebody has to call RunReady.
  bool Add(uint32_t issuer, uint64_t ticket, int64_t deadline_ms, std::function<void()> callback,
           bool* ready);

  // RunReady calls, without any lock, the callbacks whose wait is over, and returns when the next one's
  // deadline is (INT64_MAX: never).
  int64_t RunReady(int64_t now_ms);

  // Clear drops all that wait, without calling them.
  void Clear();

 private:
  struct Waiter {
    uint32_t issuer;
    uint64_t ticket;
    int64_t deadline_ms;
    std::function<void()> callback;
  };
  const std::unique_ptr<std::atomic<uint64_t>[]> settled_;
  // On a line of its own: what lies beside it in a Context is read by every hit. The standard library's
  // mutexes, here and elsewhere, since ThreadSanitizer does not see into a prebuilt Abseil.
  alignas(64) std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<Waiter> waiting_;  // Guarded by mutex_.
};

}  // namespace tollgate::pipeline
