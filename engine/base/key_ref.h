#pragma once

#include <cstdint>

namespace tollgate {

// KeyRef names one generation of one verification key: a slot of keys::KeyGenerations and the generation that
// the slot had when the key came. The same kid with new material, or a key removed and added again, has
// another KeyRef.
struct KeyRef {
  uint32_t slot = 0;
  uint32_t generation = 0;
  friend bool operator==(const KeyRef&, const KeyRef&) = default;
};

}  // namespace tollgate
