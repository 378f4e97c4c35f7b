#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/key_ref.h"

namespace tollgate::keys {

// KeyGenerations says in one load whether a key that some token was verified with is still in its issuer's
// set. Slots are limited (limits::kKeySlotsMax) and reused; generations are not. IsCurrent is thread-safe;
// Acquire and Retire are for one thread at a time.
class KeyGenerations {
 public:
  KeyGenerations();

  // Acquire returns the name of a new generation; nullopt if all slots are in use.
  std::optional<KeyRef> Acquire();

  // Retire ends a generation: an IsCurrent that begins after Retire has returned says no.
  void Retire(KeyRef key);

  bool IsCurrent(KeyRef key) const {
    // Ordering: acquire pairs with the release in Retire, so that whoever sees the new generation sees the
    // new key set.
    return generations_[key.slot].load(std::memory_order_acquire) == key.generation;
  }

 private:
  std::unique_ptr<std::atomic<uint32_t>[]> generations_;
  std::vector<uint32_t> free_;
  uint32_t next_unused_ = 0;
};

}  // namespace tollgate::keys
