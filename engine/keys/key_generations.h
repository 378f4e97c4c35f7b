#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/key_ref.h"

namespace tollgate::keys {

// KeyGenerations says in one load whether a key that some token was verified with is still in its issuer's
// set, and whose that is. Slots are limited and reused; generations are not: a slot that has used up its own
// is given up.
// IsCurrent is thread-safe; Acquire and Retire are for one thread at a time.
class KeyGenerations {
 public:
  // `num_slots`: keys at a time, at most limits::kKeySlotsMax.
  explicit KeyGenerations(size_t num_slots);

  // Acquire returns the name of a new generation of a key of `issuer`; nullopt if all slots are in use.
  std::optional<KeyRef> Acquire(uint32_t issuer);

  // Retire ends a generation: an IsCurrent that begins after Retire has returned says no.
  void Retire(KeyRef key);

  // IsCurrent tells whether a key is in its issuer's set, and if so, whose it is.
  bool IsCurrent(KeyRef key, uint32_t* issuer) const {
    // Ordering: acquire pairs with the release in Retire, so that whoever sees the new generation sees the
    // new key set.
    const uint64_t cell = cells_[key.slot].load(std::memory_order_acquire);
    *issuer = static_cast<uint32_t>(cell >> 32);
    return static_cast<uint32_t>(cell) == key.generation;
  }
  bool IsCurrent(KeyRef key) const {
    uint32_t issuer;
    return IsCurrent(key, &issuer);
  }

  size_t bytes() const { return num_slots_ * sizeof(cells_[0]); }

 private:
  const size_t num_slots_;
  // By slot: the generation, and above it the issuer of the key that has it.
  std::unique_ptr<std::atomic<uint64_t>[]> cells_;
  std::vector<uint32_t> free_;
  uint32_t next_unused_ = 0;
};

}  // namespace tollgate::keys
