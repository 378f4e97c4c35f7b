#include "pipeline/waiters.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace tollgate::pipeline {

Waiters::Waiters(size_t num_issuers) : settled_(new std::atomic<uint64_t>[num_issuers] {}) {}

void Waiters::Settle(uint32_t issuer) {
  const std::lock_guard lock(mutex_);
  // Ordering: release pairs with the acquire in Ticket. Under the lock, so that WaitPast cannot miss it.
  settled_[issuer].fetch_add(1, std::memory_order_release);
  changed_.notify_all();
}

bool Waiters::WaitPast(uint32_t issuer, uint64_t ticket, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return Ticket(issuer) != ticket; });
}

bool Waiters::Add(uint32_t issuer, uint64_t ticket, int64_t deadline_ms, std::function<void()> callback,
                  bool* ready) {
  const std::lock_guard lock(mutex_);
  if (waiting_.size() >= limits::kWaitersMax) return false;
  *ready = Ticket(issuer) != ticket;
  waiting_.push_back({issuer, ticket, deadline_ms, std::move(callback)});
  return true;
}

int64_t Waiters::RunReady(int64_t now_ms) {
  std::vector<Waiter> ready;
  int64_t next_ms = INT64_MAX;
  {
    const std::lock_guard lock(mutex_);
    const auto waits = [&](const Waiter& w) {
      return Ticket(w.issuer) == w.ticket && w.deadline_ms > now_ms;
    };
    const auto first_ready = std::stable_partition(waiting_.begin(), waiting_.end(), waits);
    ready.assign(std::make_move_iterator(first_ready), std::make_move_iterator(waiting_.end()));
    waiting_.erase(first_ready, waiting_.end());
    for (const Waiter& waiter : waiting_) next_ms = std::min(next_ms, waiter.deadline_ms);
  }
  for (Waiter& waiter : ready) waiter.callback();
  return next_ms;
}

void Waiters::Clear() {
  std::vector<Waiter> dropped;  // Destroyed without the lock: what they hold may call somebody.
  const std::lock_guard lock(mutex_);
  dropped.swap(waiting_);
}

}  // namespace tollgate::pipeline
