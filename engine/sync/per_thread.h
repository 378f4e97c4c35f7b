#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "base/marks.h"

namespace tollgate::sync {

// PerThread hands every thread that asks a T of its own, up to a number of them, and lets another thread
// visit them all; the T of a thread that has ended stays until it was visited once more. Threads and
// PerThread may end in any order. ThreadBlocks is the same for counters, which need no visit. Thread-safe.
template <typename T>
class PerThread {
 public:
  explicit PerThread(size_t num_max) : instance_(NextInstance()), state_(std::make_shared<State>(num_max)) {}
  // No thread may be calling Mine. What threads have not yet let go of is small.
  ~PerThread() {
    for (const std::shared_ptr<Slot>& slot : state_->slots) slot->value.reset();
  }
  PerThread(const PerThread&) = delete;
  PerThread& operator=(const PerThread&) = delete;

  // Mine returns the calling thread's T. On its first call (slow: takes a lock, allocates) that is what
  // `make`, given how many were made before, returns as a unique_ptr. No lock, no shared write and no
  // allocation after that. Null, without a lock either, if there are as many as there may be, or if the
  // thread is destroying its thread_local objects. Valid until the thread or the PerThread ends.
  template <typename Make>
  TOLLGATE_INLINE T* Mine(const Make& make) TOLLGATE_LIFETIME {
    return last_used_.instance == instance_ ? last_used_.value : MineByList(make);
  }

  // Visit calls `visit` with each T, until it returns false. The T of a thread that had ended before its
  // visit, which has thus seen all that the thread did, is destroyed after it. One call at a time.
  template <typename Function>
  void Visit(const Function& visit) {
    std::vector<std::shared_ptr<Slot>> slots;  // A copy: a thread that needs the lock must not wait for us.
    {
      const std::lock_guard lock(state_->mutex);
      slots = state_->slots;
    }
    for (const std::shared_ptr<Slot>& slot : slots) {
      // Ordering: acquire pairs with the release in ~EntryList: all that the thread did is seen.
      const bool ended = slot->ended.load(std::memory_order_acquire);
      if (!visit(*slot->value)) return;
      if (ended) state_->Remove(slot);
    }
  }

  // size returns how many there are now. Takes a lock.
  size_t size() const {
    const std::lock_guard lock(state_->mutex);
    return state_->slots.size();
  }

 private:
  struct Slot {
    std::unique_ptr<T> value;
    std::atomic<bool> ended{false};
  };
  // State outlives its PerThread while a thread that ends is looking at it.
  struct State {
    explicit State(size_t max) : num_max(max) {}
    void Remove(const std::shared_ptr<Slot>& slot) {
      const std::lock_guard lock(mutex);
      slots.erase(std::find(slots.begin(), slots.end(), slot));
      slot->value.reset();
      // Ordering: relaxed; a guess for IsFull, made under the lock.
      num.store(slots.size(), std::memory_order_relaxed);
    }
    const size_t num_max;
    std::atomic<size_t> num{0};  // As `slots` has, to be read without the lock.
    std::mutex mutex;            // Guards what follows.
    std::vector<std::shared_ptr<Slot>> slots;
    uint64_t num_made = 0;
  };
  struct Entry {
    uint64_t instance;
    std::weak_ptr<State> state;
    std::shared_ptr<Slot> slot;
  };
  struct EntryList {
    std::vector<Entry> entries;
    bool* ended;

    explicit EntryList(bool* ended_flag) : ended(ended_flag) {}
    ~EntryList() {
      *ended = true;
      last_used_ = {};
      for (const Entry& entry : entries) {
        // Ordering: release pairs with the acquire in Visit.
        entry.slot->ended.store(true, std::memory_order_release);
      }
    }
  };
  struct LastUsed {
    uint64_t instance = 0;
    T* value = nullptr;
  };

  static uint64_t NextInstance() {
    static constinit std::atomic<uint64_t> instances{0};
    // Ordering: relaxed; the numbers have to differ, nothing else.
    return instances.fetch_add(1, std::memory_order_relaxed) + 1;
  }

  // ThreadEntries returns the calling thread's list, or null once the thread has destroyed it.
  static EntryList* ThreadEntries() {
    static constinit thread_local bool ended = false;  // Without a destructor: readable to the last breath.
    if (ended) return nullptr;
    static thread_local EntryList list(&ended);
    return &list;
  }

  template <typename Make>
  TOLLGATE_SLOW T* MineByList(const Make& make) {
    EntryList* const list = ThreadEntries();
    if (list == nullptr) return nullptr;
    for (const Entry& entry : list->entries) {
      if (entry.instance != instance_) continue;
      last_used_ = {instance_, entry.slot->value.get()};
      return last_used_.value;
    }
    // Ordering: relaxed; whether there is room is decided under the lock, this only keeps away from it.
    if (state_->num.load(std::memory_order_relaxed) >= state_->num_max) return nullptr;
    const auto slot = std::make_shared<Slot>();
    {
      const std::lock_guard lock(state_->mutex);
      if (state_->slots.size() >= state_->num_max) return nullptr;
      slot->value = make(state_->num_made++);
      state_->slots.push_back(slot);
      // Ordering: relaxed; a guess, see above.
      state_->num.store(state_->slots.size(), std::memory_order_relaxed);
    }
    // A thread that outlives many PerThreads keeps nothing of them.
    std::erase_if(list->entries, [](const Entry& entry) { return entry.state.expired(); });
    list->entries.push_back({instance_, state_, slot});
    last_used_ = {instance_, slot->value.get()};
    return last_used_.value;
  }

  static constinit inline thread_local LastUsed last_used_{};

  // Never 0, never given twice: a new PerThread at an old address is another one.
  const uint64_t instance_;
  const std::shared_ptr<State> state_;
};

}  // namespace tollgate::sync
