#pragma once

#include <cstddef>
#include <cstdlib>
#include <memory>

namespace tollgate {

struct FreeZeros {
  void operator()(void* memory) const { std::free(memory); }
};

// Zeros owns numbers that begin as zeros. Those that nobody writes to take no memory.
template <typename T>
using Zeros = std::unique_ptr<T[], FreeZeros>;

// AllocateZeros returns `size` of them; null if there is no memory.
template <typename T>
Zeros<T> AllocateZeros(size_t size) {
  return Zeros<T>(static_cast<T*>(std::calloc(size, sizeof(T))));
}

}  // namespace tollgate
