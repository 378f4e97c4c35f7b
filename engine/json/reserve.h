#pragma once

#include <cstddef>
#include <memory>
#include <new>

namespace tollgate::json {

// Reserve makes `buffer`, of `size` bytes, at least `wanted` long; what was in it is lost. False if there is
// no memory: what comes from outside must not end the process by its length.
inline bool Reserve(size_t wanted, std::unique_ptr<char[]>* buffer, size_t* size) {
  if (wanted <= *size) return true;
  buffer->reset();  // The two need not fit at a time.
  *size = 0;
  buffer->reset(new (std::nothrow) char[wanted]);
  if (*buffer == nullptr) return false;
  *size = wanted;
  return true;
}

}  // namespace tollgate::json
