#include "pipeline/waiters.h"

#include <iterator>
#include <utility>

#include "base/limits.h"

namespace tollgate::pipeline {

Waiters::Waiters(size_t num_issuers) : settled_(new std::atomic<uint64_t>[num_issuers] {}) {}

// EndsWaiting: the waiter is going to be called, or dropped.
void Waiters::EndsWaiting(Waiter& waiter) {
  if (waiter.deadline != deadlines_.end()) deadlines_.erase(waiter.deadline);
  waiter.deadline = deadlines_.end();
  --num_waiting_;
}

void Waiters::Settle(uint32_t issuer) {
  const std::lock_guard lock(mutex_);
  // Ordering: release pairs with the acquire in Ticket. Under the lock, so that WaitPast cannot miss it.
  settled_[issuer].fetch_add(1, std::memory_order_release);
  changed_.notify_all();
  const auto waiting = waiting_.find(issuer);
  if (waiting == waiting_.end()) return;
  for (Waiter& waiter : waiting->second) EndsWaiting(waiter);
  ready_.splice(ready_.end(), waiting->second);
  waiting_.erase(waiting);
}

bool Waiters::WaitPast(uint32_t issuer, uint64_t ticket, std::chrono::steady_clock::time_point deadline) {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [&] { return Ticket(issuer) != ticket; });
}

bool Waiters::Add(uint32_t issuer, uint64_t ticket, int64_t deadline_ms, std::function<void()> callback,
                  bool* wake) {
  const std::lock_guard lock(mutex_);
  if (num_waiting_ >= limits::kWaitersMax) return false;
  // Past tickets are seen here, or else by the Settle that will make it so: both have the lock.
  *wake = Ticket(issuer) != ticket;
  List& list = *wake ? ready_ : waiting_[issuer];
  list.push_back({issuer, std::move(callback), deadlines_.end()});
  if (*wake) return true;
  ++num_waiting_;
  if (deadline_ms == INT64_MAX) return true;
  *wake = deadlines_.empty() || deadline_ms < deadlines_.begin()->first;
  list.back().deadline = deadlines_.emplace(deadline_ms, std::prev(list.end()));
  return true;
}

int64_t Waiters::RunReady(int64_t now_ms) {
  List ready;
  int64_t next_ms = INT64_MAX;
  {
    const std::lock_guard lock(mutex_);
    ready.swap(ready_);
    while (!deadlines_.empty() && deadlines_.begin()->first <= now_ms) {
      const List::iterator waiter = deadlines_.begin()->second;
      const auto waiting = waiting_.find(waiter->issuer);
      EndsWaiting(*waiter);
      ready.splice(ready.end(), waiting->second, waiter);
      if (waiting->second.empty()) waiting_.erase(waiting);
    }
    if (!deadlines_.empty()) next_ms = deadlines_.begin()->first;
  }
  for (Waiter& waiter : ready) waiter.callback();
  return next_ms;
}

void Waiters::Clear() {
  // Destroyed without the lock: what they hold may call somebody.
  absl::flat_hash_map<uint32_t, List> waiting;
  List ready;
  const std::lock_guard lock(mutex_);
  waiting.swap(waiting_);
  ready.swap(ready_);
  deadlines_.clear();
  num_waiting_ = 0;
}

}  // namespace tollgate::pipeline
