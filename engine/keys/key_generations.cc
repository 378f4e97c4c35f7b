#include "keys/key_generations.h"

#include <algorithm>

#include "base/limits.h"

namespace tollgate::keys {
namespace {

// A slot holds an even number while a key has it and an odd one otherwise, so that no KeyRef equals what an
// empty slot holds; 0 is never held, so that a KeyRef that nobody filled in is not current.
constexpr uint64_t kFirstFree = 1;
constexpr uint32_t kLastFree = limits::kKeyGenerationMax + 1;
static_assert(kLastFree % 2 == 1);

}  // namespace

KeyGenerations::KeyGenerations(size_t num_slots)
    : num_slots_(std::min(num_slots, limits::kKeySlotsMax)), cells_(new std::atomic<uint64_t>[num_slots_]) {
  for (size_t i = 0; i < num_slots_; ++i) {
    // Ordering: relaxed; no other thread has this object yet.
    cells_[i].store(kFirstFree, std::memory_order_relaxed);
  }
}

std::optional<KeyRef> KeyGenerations::Acquire(uint32_t issuer) {
  KeyRef key;
  if (!free_.empty()) {
    key.slot = free_.back();
    free_.pop_back();
  } else if (next_unused_ < num_slots_) {
    key.slot = next_unused_++;
  } else {
    return std::nullopt;
  }
  // Ordering: relaxed, both; this thread alone writes, and others learn the name from a set that is published
  // later.
  key.generation = static_cast<uint32_t>(cells_[key.slot].load(std::memory_order_relaxed)) + 1;
  cells_[key.slot].store(uint64_t{issuer} << 32 | key.generation, std::memory_order_relaxed);
  return key;
}

void KeyGenerations::Retire(KeyRef key) {
  if (!IsCurrent(key)) return;
  const uint32_t free = key.generation + 1;
  // Ordering: release pairs with the acquire in IsCurrent: who sees the end sees the set that was
  // published before it.
  cells_[key.slot].store(free, std::memory_order_release);
  if (free != kLastFree) free_.push_back(key.slot);  // A slot that has used up its numbers is given up.
}

}  // namespace tollgate::keys
