#pragma once

#include <atomic>
#include <memory>
#include <utility>

#include "base/marks.h"
#include "sync/thread_blocks.h"

namespace tollgate::sync {

// Published is one immutable value that many threads read while another replaces it. Everything that happened
// before Replace happens before the use of the new value by a reader; the old value's last use happens before
// its destruction. Load is thread-safe; all else is for one thread at a time.
template <typename T>
class Published {
 public:
  Published() = default;
  ~Published() {
    delete current_.load(std::memory_order_relaxed);
  }  // Ordering: no other thread uses this any more.
  Published(const Published&) = delete;
  Published& operator=(const Published&) = delete;

  // Load returns the current value or null. Valid as long as the ReadScope.
  const T* Load(const ReadScope&) const {
    // Ordering: acquire pairs with the release in Replace.
    return current_.load(std::memory_order_acquire);
  }

  // Replace makes `next` current and destroys the old value once nobody reads it. Waits for readers, unless
  // the first value replaces none; never inside a ReadScope of `blocks`.
  void Replace(std::unique_ptr<const T> next, ThreadBlocks& blocks) {
    std::unique_ptr<const T> old = Exchange(std::move(next));
    // Without an answer about readers, a leak is the only safe end.
    if (old != nullptr && !blocks.WaitForReaders()) static_cast<void>(old.release());
  }

  // Exchange makes `next` current and returns the old value, for whoever replaces many and waits once: it may
  // be destroyed after a WaitForReaders that has begun since, and returned true.
  [[nodiscard]] std::unique_ptr<const T> Exchange(std::unique_ptr<const T> next) {
    // Ordering: release pairs with the acquire in Load; acquire orders the destruction behind the
    // publication.
    return std::unique_ptr<const T>(current_.exchange(next.release(), std::memory_order_acq_rel));
  }

 private:
  std::atomic<const T*> current_{nullptr};
};

}  // namespace tollgate::sync
