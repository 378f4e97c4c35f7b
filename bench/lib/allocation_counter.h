#pragma once

#include <cstdint>
#include <optional>

namespace tollgate::bench {

// ThreadAllocations returns how often this thread has called malloc or one of its kin, operator new included,
// in a program that links bench/lib/allocation_counter.cc. nullopt under a sanitizer, which has a malloc of
// its own.
std::optional<uint64_t> ThreadAllocations();

}  // namespace tollgate::bench
