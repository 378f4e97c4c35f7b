#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <functional>
#include <list>
#include <map>
#include <memory>
#include <mutex>

#include "absl/container/flat_hash_map.h"

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
  // clock (INT64_MAX: never). False if limits::kWaitersMax already wait. `*wake` is set if somebody has to
  // call RunReady earlier than it last said: the ticket is past already, or no deadline is earlier.
  bool Add(uint32_t issuer, uint64_t ticket, int64_t deadline_ms, std::function<void()> callback, bool* wake);

  // RunReady calls, without any lock, the callbacks whose wait is over, and returns when the next one's
  // deadline is (INT64_MAX: never). Costs nothing for those that go on waiting.
  int64_t RunReady(int64_t now_ms);

  // Clear drops all that wait, without calling them.
  void Clear();

 private:
  struct Waiter;
  using List = std::list<Waiter>;
  using Deadlines = std::multimap<int64_t, List::iterator>;
  struct Waiter {
    uint32_t issuer;
    std::function<void()> callback;
    Deadlines::iterator deadline;  // The end: there is none, or the wait is over.
  };
  void EndsWaiting(Waiter& waiter);

  const std::unique_ptr<std::atomic<uint64_t>[]> settled_;
  // On a line of its own: what lies beside it in a Context is read by every hit. The standard library's
  // mutexes, here and elsewhere, since ThreadSanitizer does not see into a prebuilt Abseil.
  alignas(64) std::mutex mutex_;  // Guards what follows.
  std::condition_variable changed_;
  absl::flat_hash_map<uint32_t, List> waiting_;  // By issuer; none is empty.
  size_t num_waiting_ = 0;
  Deadlines deadlines_;  // Of those that wait.
  List ready_;
};

}  // namespace tollgate::pipeline
