#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "absl/functional/function_ref.h"

namespace tollgate::scaling {

enum class Kind : uint8_t {
  kLoad,
  kStore,
  kChange,  // Read, modify, write, in one: takes the line whatever it then writes.
  kEnd,     // No access: `size` hits end here.
};

// Access is one access to memory, as the program made it.
struct Access {
  uint64_t address;
  uint32_t size;       // In bytes, at least 1.
  uint32_t code : 30;  // Where: behind the access, in bytes from the begin of the program.
  Kind kind : 2;
};
static_assert(sizeof(Access) == 16);

// Record returns what instrumented code accesses in `body`, on this thread, in the order of the program. Code
// is instrumented if it was compiled with gcc's -fsanitize=thread; trace.cc stands where the sanitizer's
// library would. Of other code, the memory functions of C and the locks of POSIX are seen, by their calls.
// Not seen is what BoringSSL's assembly, the C library's inside, the allocator and the kernel access, what
// gcc expands in place of a memory function of constant size, masked vector loads, and prefetches. One thread
// at a time; ends the process if there is no room.
std::vector<Access> Record(absl::FunctionRef<void()> body);

// EndHits notes that `count` hits end here; 0: that what came before belongs to no hit.
void EndHits(uint32_t count);

}  // namespace tollgate::scaling
