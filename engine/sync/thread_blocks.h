#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "base/marks.h"

namespace tollgate::sync {

// ThreadBlock belongs to one thread and one ThreadBlocks. Its owner alone writes it, with plain stores;
// others read.
struct alignas(64) ThreadBlock {
  static constexpr size_t kCounters = 23;
  // Odd while the owner reads published data: one more at each entry and at each exit.
  std::atomic<uint64_t> reading{0};
  std::array<std::atomic<uint64_t>, kCounters> counters{};

  // Add increments a counter by load and store: there is one writer.
  void Add(size_t counter, uint64_t n = 1) {
    // Ordering: relaxed; a statistic, read by Sum, orders nothing.
    counters[counter].store(counters[counter].load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
};
static_assert(sizeof(ThreadBlock) == 3 * 64);

// Barrier is how a reader's announcement is kept ahead of what it then loads.
enum class Barrier : uint8_t {
  kFences,       // A fence on both sides.
  kProcessWide,  // membarrier(2) by the writer; for a reader, a rule to the compiler.
};

// BestBarrier returns kProcessWide where the kernel has it. Asks (and registers) once per process.
Barrier BestBarrier();

// ThreadBlocks hands every thread that asks a block of its own, made on the thread's first call (slow: takes
// a lock, allocates) and folded into the totals when the thread ends. Threads and ThreadBlocks may end in any
// order. A thread that calls from the destructor of one of its thread_local objects may leave a block behind
// until the ThreadBlocks ends. After fork(), a ThreadBlocks is of no use in the child.
// docs/memory-ordering.md says why readers are safe. Thread-safe.
class ThreadBlocks {
 public:
  explicit ThreadBlocks(Barrier barrier = BestBarrier());
  ~ThreadBlocks();
  ThreadBlocks(const ThreadBlocks&) = delete;
  ThreadBlocks& operator=(const ThreadBlocks&) = delete;

  // Mine returns the calling thread's block. No lock, no shared write and no allocation after the first call.
  // Valid until the thread or the ThreadBlocks ends.
  TOLLGATE_INLINE ThreadBlock& Mine() TOLLGATE_LIFETIME {
    return last_used_.instance == instance_ ? *last_used_.block : MineByList();
  }

  // Sum returns the total of one counter over all threads, past ones too. Takes a lock.
  uint64_t Sum(size_t counter) const;

  // WaitForReaders returns true once every read that was in progress when it was called has ended. Waits (it
  // yields the processor), allocates; must not be called inside a ReadScope. False, at once, if the kernel
  // refuses the barrier that it had promised (a seccomp filter that came later): what was unpublished may
  // then never be destroyed.
  [[nodiscard]] bool WaitForReaders();

  // num_blocks returns how many threads have a block now. Takes a lock.
  size_t num_blocks() const;

 private:
  friend class ReadScope;
  struct State;
  struct Entry;
  struct EntryList;
  struct LastUsed {
    uint64_t instance = 0;
    ThreadBlock* block = nullptr;
  };
  static constinit thread_local LastUsed last_used_;
  static EntryList* ThreadEntries();

  ThreadBlock& MineByList();
  TOLLGATE_SLOW ThreadBlock& MakeMine(EntryList* entries);

  const uint64_t
      instance_;  // Never 0, never given twice: a new ThreadBlocks at an old address is another one.
  const Barrier barrier_;
  const std::shared_ptr<State> state_;
};

// ReadScope: while it lives, nothing that its thread loads from a Published of the same ThreadBlocks is
// reclaimed. In a scope that its thread is in already it changes nothing. Costs two plain stores. Owner
// thread only.
class ReadScope {
 public:
  TOLLGATE_INLINE explicit ReadScope(ThreadBlocks& blocks TOLLGATE_LIFETIME) : block_(blocks.Mine()) {
    // Ordering: relaxed; only this thread writes the cell.
    const uint64_t count = block_.reading.load(std::memory_order_relaxed);
    outermost_ = count % 2 == 0;
    if (!outermost_) return;
    // Ordering: release pairs with the acquire in WaitForReaders: a writer that sees this entry, or any later
    // value, sees every earlier scope of this thread ended.
    block_.reading.store(count + 1, std::memory_order_release);
    // The entry must be visible before anything is loaded in the scope.
    if (blocks.barrier_ == Barrier::kProcessWide) [[likely]] {
      // Ordering: seq_cst for the compiler only; the processor's part is done by membarrier in
      // WaitForReaders.
      std::atomic_signal_fence(std::memory_order_seq_cst);
    } else {
      Fence();
    }
  }
  TOLLGATE_INLINE ~ReadScope() {
    if (!outermost_) return;
    // Ordering: relaxed; only this thread writes the cell.
    const uint64_t count = block_.reading.load(std::memory_order_relaxed);
    // Ordering: release pairs with the acquire in WaitForReaders: what was read in the scope was read before.
    block_.reading.store(count + 1, std::memory_order_release);
  }
  ReadScope(const ReadScope&) = delete;
  ReadScope& operator=(const ReadScope&) = delete;
  ThreadBlock& block() const { return block_; }

 private:
  static void Fence();

  ThreadBlock& block_;
  bool outermost_;
};

}  // namespace tollgate::sync
