#include "bench/lib/allocation_counter.h"

#include <cerrno>
#include <cstddef>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TOLLGATE_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define TOLLGATE_SANITIZED 1
#endif
#endif

#if defined(__GLIBC__) && !defined(TOLLGATE_SANITIZED)

namespace {
thread_local uint64_t allocations = 0;
}

// The program's definitions come before glibc's for every library in the process; glibc's own stay reachable
// under these names.
extern "C" {
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

#define TOLLGATE_EXPORTED __attribute__((visibility("default")))

TOLLGATE_EXPORTED void* malloc(size_t size) {
  ++allocations;
  return __libc_malloc(size);
}
TOLLGATE_EXPORTED void* calloc(size_t count, size_t size) {
  ++allocations;
  return __libc_calloc(count, size);
}
TOLLGATE_EXPORTED void* realloc(void* memory, size_t size) {
  ++allocations;
  return __libc_realloc(memory, size);
}
TOLLGATE_EXPORTED void* memalign(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
TOLLGATE_EXPORTED void* aligned_alloc(size_t alignment, size_t size) {
  ++allocations;
  return __libc_memalign(alignment, size);
}
TOLLGATE_EXPORTED int posix_memalign(void** memory, size_t alignment, size_t size) {
  ++allocations;
  *memory = __libc_memalign(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}
}

namespace tollgate::bench {
std::optional<uint64_t> ThreadAllocations() { return allocations; }
}  // namespace tollgate::bench

#else

namespace tollgate::bench {
std::optional<uint64_t> ThreadAllocations() { return std::nullopt; }
}  // namespace tollgate::bench

#endif
