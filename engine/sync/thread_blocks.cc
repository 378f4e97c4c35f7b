#include "sync/thread_blocks.h"

#include <linux/membarrier.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <mutex>
#include <utility>
#include <vector>

namespace tollgate::sync {
namespace {

bool Membarrier(int command) { return syscall(SYS_membarrier, command, 0, 0) == 0; }

uint64_t NextInstance() {
  static constinit std::atomic<uint64_t> instances{0};
  // Ordering: relaxed; the numbers have to differ, nothing else.
  return instances.fetch_add(1, std::memory_order_relaxed) + 1;
}

// FullFence keeps loads behind it from being done before stores ahead of it.
TOLLGATE_INLINE void FullFence() {
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wtsan"  // TSan needs no fence: it sees the order by `reading` alone.
#endif
  // Ordering: seq_cst pairs with the same fence on the other side, WaitForReaders or ReadScope: of an entry
  // and a replacement that pass each other, at least one sees the other.
  std::atomic_thread_fence(std::memory_order_seq_cst);
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic pop
#endif
}

}  // namespace

Barrier BestBarrier() {
  static const Barrier best =
      Membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED) ? Barrier::kProcessWide : Barrier::kFences;
  return best;
}

// State outlives its ThreadBlocks while a thread that ends is folding its counters.
struct ThreadBlocks::State {
  std::mutex mutex;  // Guards what follows.
  std::vector<std::shared_ptr<ThreadBlock>> blocks;
  std::array<uint64_t, ThreadBlock::kCounters> ended{};  // Sums of the threads that have gone.

  void Fold(const std::shared_ptr<ThreadBlock>& block) {
    const std::lock_guard lock(mutex);
    for (size_t i = 0; i < ended.size(); ++i) {
      ended[i] +=
          block->counters[i].load(std::memory_order_relaxed);  // Ordering: written by this very thread.
    }
    const auto found = std::find(blocks.begin(), blocks.end(), block);
    *found = std::move(blocks.back());
    blocks.pop_back();
  }
};

// Entry is what a thread knows of one ThreadBlocks. The block is owned by both sides, so that either may end
// first.
struct ThreadBlocks::Entry {
  uint64_t instance;
  std::weak_ptr<State> state;
  std::shared_ptr<ThreadBlock> block;
};

struct ThreadBlocks::EntryList {
  std::vector<Entry> entries;
  bool* ended;

  explicit EntryList(bool* ended_flag) : ended(ended_flag) {}
  ~EntryList() {
    *ended = true;
    last_used_ = {};
    for (const Entry& entry : entries) {
      if (const std::shared_ptr<State> state = entry.state.lock()) state->Fold(entry.block);
    }
  }
};

constinit thread_local ThreadBlocks::LastUsed ThreadBlocks::last_used_;

// ThreadEntries returns the calling thread's list, or null once the thread has destroyed it.
ThreadBlocks::EntryList* ThreadBlocks::ThreadEntries() {
  static constinit thread_local bool ended =
      false;  // Without a destructor: may be read to the thread's last breath.
  if (ended) return nullptr;
  static thread_local EntryList list(&ended);
  return &list;
}

ThreadBlocks::ThreadBlocks(Barrier barrier)
    : instance_(NextInstance()), barrier_(barrier), state_(std::make_shared<State>()) {}

ThreadBlocks::~ThreadBlocks() = default;

ThreadBlock& ThreadBlocks::MineByList() {
  EntryList* const list = ThreadEntries();
  if (list == nullptr) return MakeMine(nullptr);
  for (const Entry& entry : list->entries) {
    if (entry.instance != instance_) continue;
    last_used_ = {instance_, entry.block.get()};
    return *entry.block;
  }
  return MakeMine(list);
}

ThreadBlock& ThreadBlocks::MakeMine(EntryList* list) {
  auto block = std::make_shared<ThreadBlock>();
  ThreadBlock& mine = *block;
  {
    const std::lock_guard lock(state_->mutex);
    state_->blocks.push_back(block);
  }
  if (list != nullptr) {
    // A thread that outlives many ThreadBlocks keeps nothing of them.
    std::erase_if(list->entries, [](const Entry& entry) { return entry.state.expired(); });
    list->entries.push_back({instance_, state_, std::move(block)});
  }
  last_used_ = {instance_, &mine};
  return mine;
}

uint64_t ThreadBlocks::Sum(size_t counter) const {
  const std::lock_guard lock(state_->mutex);
  uint64_t sum = state_->ended[counter];
  for (const auto& block : state_->blocks) {
    sum += block->counters[counter].load(std::memory_order_relaxed);  // Ordering: a statistic; see Add.
  }
  return sum;
}

size_t ThreadBlocks::num_blocks() const {
  const std::lock_guard lock(state_->mutex);
  return state_->blocks.size();
}

bool ThreadBlocks::WaitForReaders() {
  if (barrier_ == Barrier::kFences) {
    FullFence();
  } else if (!Membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED)) {
    return false;
  }
  // A copy: a reader that needs the lock, for its first block or for Sum, must not wait for us who wait for
  // it.
  std::vector<std::shared_ptr<ThreadBlock>> blocks;
  {
    const std::lock_guard lock(state_->mutex);
    blocks = state_->blocks;
  }
  for (const auto& block : blocks) {
    // Ordering: acquire, here and below, pairs with the releases in ReadScope: all reads of the scopes that
    // have ended happen before what our caller destroys.
    const uint64_t seen = block->reading.load(std::memory_order_acquire);
    if (seen % 2 == 0) continue;
    while (block->reading.load(std::memory_order_acquire) == seen) sched_yield();
  }
  return true;
}

void ReadScope::Fence() { FullFence(); }

}  // namespace tollgate::sync
