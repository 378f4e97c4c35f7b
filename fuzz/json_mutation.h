#pragma once

#include <cstddef>
#include <cstdint>
#include <nlohmann/json.hpp>

#include "fuzz/random.h"

namespace tollgate::fuzz {

// MutateJson changes one thing in `root`: a value, a member's name, the structure. Names and values come from
// `root` itself and from what tokens and key sets of world.h are made of, numbers also from around the values
// that bounds are likely to lie at.
void MutateJson(nlohmann::json* root, Random& random);

// MutateJsonInput is a custom mutator for inputs that are JSON behind the first `prefix` bytes. Some of the
// time, and where the rest is no JSON, it changes bytes instead, so that what no JSON library writes is tried
// too.
size_t MutateJsonInput(size_t prefix, uint8_t* data, size_t size, size_t max_size, uint64_t seed);

}  // namespace tollgate::fuzz
