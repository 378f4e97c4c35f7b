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
// CurrentIssuer and IsCurrent are thread-safe; Acquire and Retire are for one thread at a time.
class KeyGenerations {
 public:
  // `num_slots`: keys at a time, at most limits::kKeySlotsMax.
  explicit KeyGenerations(size_t num_slots);

  static constexpr uint32_t kNoIssuer = UINT32_MAX;

  // Acquire returns the name of a new generation of a key of `issuer`; nullopt if all slots are in use.
  std::optional<KeyRef> Acquire(uint32_t issuer);

  // Retire ends a generation: an IsCurrent that begins after Retire has returned says no.
  void Retire(KeyRef key);

  // CurrentIssuer returns whose key this is, or kNoIssuer if it is in no set any more.
  uint32_t CurrentIssuer(KeyRef key) const {
    // Ordering: acquire pairs with the release in Retire, so that whoever sees the new generation sees the
    // new key set.
    const uint64_t cell = cells_[key.slot].load(std::memory_order_acquire);
    return static_cast<uint32_t>(cell) == key.generation ? static_cast<uint32_t>(cell >> 32) : kNoIssuer;
  }

  bool IsCurrent(KeyRef key) const { return CurrentIssuer(key) != kNoIssuer; }

  size_t bytes() const { return num_slots_ * sizeof(cells_[0]); }

 private:
  const size_t num_slots_;
  // By slot: the generation, and above it the issuer of the key that has it.
  std::unique_ptr<std::atomic<uint64_t>[]> cells_;
  std::vector<uint32_t> free_;
  uint32_t next_unused_ = 0;
};

}  // namespace tollgate::keys
