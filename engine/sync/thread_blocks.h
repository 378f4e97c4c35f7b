#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/marks.h"

namespace tollgate::sync {

// ThreadBlock belongs to one thread and one ThreadBlocks. Its owner alone writes it, with plain stores; others read.
struct alignas(64) ThreadBlock {
  static constexpr size_t kCounters = 23;
  // Epoch in which the owner is reading published data; 0: it is not.
  std::atomic<uint64_t> reading{0};
  std::array<std::atomic<uint64_t>, kCounters> counters{};

  // Add increments a counter by load and store: there is one writer.
  void Add(size_t counter, uint64_t n = 1) {
    // Ordering: relaxed; a statistic, read by Sum, orders nothing.
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};

// ThreadBlocks hands every thread that asks a block of its own, made on the thread's first call (slow: takes a lock,
// allocates) and folded into the totals when the thread ends. Threads and ThreadBlocks may end in any order.
// Thread-safe.
class ThreadBlocks {
 public:
  ThreadBlocks();
  ~ThreadBlocks();
  ThreadBlocks(const ThreadBlocks&) = delete;
  ThreadBlocks& operator=(const ThreadBlocks&) = delete;

  // Mine returns the calling thread's block. No lock, no shared write and no allocation after the first call.
  ThreadBlock& Mine();

  // Sum returns the total of one counter over all threads, past ones too.
  uint64_t Sum(size_t counter) const;

  // WaitForReaders returns once every read that was in progress when it was called has ended. Waits (it yields the
  // processor); must not be called inside a ReadScope.
  void WaitForReaders();

 private:
  struct State;
  std::shared_ptr<State> state_;
};

// ReadScope: while it lives, nothing that its thread loads from a Published of the same ThreadBlocks is reclaimed. Not
// nested. Costs two plain stores.
class ReadScope {
 public:
  explicit ReadScope(ThreadBlocks& blocks);
  ~ReadScope();
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;
  ThreadBlock& block() const { return block_; }

 private:
  ThreadBlock& block_;
};

}  // namespace tollgate::sync
