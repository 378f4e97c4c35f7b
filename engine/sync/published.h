#pragma once

#include <atomic>
#include <memory>

#include "base/marks.h"
#include "sync/thread_blocks.h"

namespace tollgate::sync {

// Published is one immutable value that many threads read while another replaces it. Everything that happened
// before Replace happens before the use of the new value by a reader; the old value's last use happens before
// its destruction. Load is thread-safe; Replace is for one thread at a time.
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
    // Ordering: release pairs with the acquire in Load; acquire orders the destruction behind the
    // publication.
    std::unique_ptr<const T> old(current_.exchange(next.release(), std::memory_order_acq_rel));
    // Without an answer about readers, a leak is the only safe end.
    if (old != nullptr && !blocks.WaitForReaders()) static_cast<void>(old.release());
  }

 private:
  std::atomic<const T*> current_{nullptr};
};

}  // namespace tollgate::sync
