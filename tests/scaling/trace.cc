#include "tests/scaling/trace.h"

#include <pthread.h>
#include <string.h>

#include <cstdio>
#include <cstdlib>
#include <memory>

#include "base/marks.h"

extern "C" const char __executable_start[];  // The linker's.

namespace tollgate::scaling {
namespace {

constexpr size_t kRoom = size_t{1} << 22;

// Both null while the thread records nothing. Raw, since what the hooks call must have no hooks itself.
constinit thread_local Access* next = nullptr;
constinit thread_local Access* end = nullptr;

// Inlined by force: the return address is the hook's, in the code that made the access.
TOLLGATE_INLINE void Note(const volatile void* address, size_t size, Kind kind) {
  if (next == end || (size == 0 && kind != Kind::kEnd)) return;
  const auto code = reinterpret_cast<uintptr_t>(__builtin_return_address(0)) -
                    reinterpret_cast<uintptr_t>(__executable_start);
  *next++ = Access{.address = reinterpret_cast<uintptr_t>(address),
                   .size = static_cast<uint32_t>(size),
                   .code = static_cast<uint32_t>(code & ((1U << 30) - 1)),
                   .kind = kind};
}

}  // namespace

std::vector<Access> Record(absl::FunctionRef<void()> body) {
  static const std::unique_ptr<Access[]> room(new Access[kRoom]);
  next = room.get();
  end = room.get() + kRoom;
  body();
  Access* const last = next;
  next = end = nullptr;
  if (last == room.get() + kRoom) {
    std::fputs("scaling: the trace is too long\n", stderr);
    std::abort();
  }
  return {room.get(), last};
}

void EndHits(uint32_t count) { Note(nullptr, count, Kind::kEnd); }

}  // namespace tollgate::scaling

using tollgate::scaling::Kind;
using tollgate::scaling::Note;

extern "C" {

// What gcc calls ahead of plain accesses.
#define TOLLGATE_PLAIN_HOOKS(size)                                            \
  void __tsan_read##size(void* at) { Note(at, size, Kind::kLoad); }           \
  void __tsan_write##size(void* at) { Note(at, size, Kind::kStore); }         \
  void __tsan_unaligned_read##size(void* at) { Note(at, size, Kind::kLoad); } \
  void __tsan_unaligned_write##size(void* at) { Note(at, size, Kind::kStore); }
TOLLGATE_PLAIN_HOOKS(1)
TOLLGATE_PLAIN_HOOKS(2)
TOLLGATE_PLAIN_HOOKS(4)
TOLLGATE_PLAIN_HOOKS(8)
TOLLGATE_PLAIN_HOOKS(16)
#undef TOLLGATE_PLAIN_HOOKS
void __tsan_read_range(void* at, size_t size) { Note(at, size, Kind::kLoad); }
void __tsan_write_range(void* at, size_t size) { Note(at, size, Kind::kStore); }
void __tsan_vptr_read(void** at) { Note(at, sizeof *at, Kind::kLoad); }
void __tsan_vptr_update(void** at, void*) { Note(at, sizeof *at, Kind::kStore); }
void __tsan_init() {}
void __tsan_func_entry(void*) {}
void __tsan_func_exit() {}

// What gcc calls in place of atomic operations.
// Ordering: seq_cst, all; as strong as any order that was asked for, whose partner is where it was asked for.
#define TOLLGATE_CHANGE_HOOK(bits, name, builtin)                                                       \
  uint##bits##_t __tsan_atomic##bits##_##name(volatile uint##bits##_t* at, uint##bits##_t value, int) { \
    Note(at, bits / 8, Kind::kChange);                                                                  \
    return builtin(at, value, __ATOMIC_SEQ_CST);                                                        \
  }
#define TOLLGATE_COMPARE_HOOK(bits, name, weak)                                                             \
  bool __tsan_atomic##bits##_compare_exchange_##name(volatile uint##bits##_t* at, uint##bits##_t* expected, \
                                                     uint##bits##_t value, int, int) {                      \
    Note(at, bits / 8, Kind::kChange);                                                                      \
    return __atomic_compare_exchange_n(at, expected, value, weak, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);      \
  }
#define TOLLGATE_ATOMIC_HOOKS(bits)                                                          \
  uint##bits##_t __tsan_atomic##bits##_load(const volatile uint##bits##_t* at, int) {        \
    Note(at, bits / 8, Kind::kLoad);                                                         \
    return __atomic_load_n(at, __ATOMIC_SEQ_CST);                                            \
  }                                                                                          \
  void __tsan_atomic##bits##_store(volatile uint##bits##_t* at, uint##bits##_t value, int) { \
    Note(at, bits / 8, Kind::kStore);                                                        \
    __atomic_store_n(at, value, __ATOMIC_SEQ_CST);                                           \
  }                                                                                          \
  TOLLGATE_CHANGE_HOOK(bits, exchange, __atomic_exchange_n)                                  \
  TOLLGATE_CHANGE_HOOK(bits, fetch_add, __atomic_fetch_add)                                  \
  TOLLGATE_CHANGE_HOOK(bits, fetch_sub, __atomic_fetch_sub)                                  \
  TOLLGATE_CHANGE_HOOK(bits, fetch_and, __atomic_fetch_and)                                  \
  TOLLGATE_CHANGE_HOOK(bits, fetch_or, __atomic_fetch_or)                                    \
  TOLLGATE_CHANGE_HOOK(bits, fetch_xor, __atomic_fetch_xor)                                  \
  TOLLGATE_COMPARE_HOOK(bits, strong, false)                                                 \
  TOLLGATE_COMPARE_HOOK(bits, weak, true)
TOLLGATE_ATOMIC_HOOKS(8)
TOLLGATE_ATOMIC_HOOKS(16)
TOLLGATE_ATOMIC_HOOKS(32)
TOLLGATE_ATOMIC_HOOKS(64)
#undef TOLLGATE_ATOMIC_HOOKS
#undef TOLLGATE_COMPARE_HOOK
#undef TOLLGATE_CHANGE_HOOK
// Ordering: seq_cst, both, as above.
void __tsan_atomic_thread_fence(int) { __atomic_thread_fence(__ATOMIC_SEQ_CST); }
void __tsan_atomic_signal_fence(int) { __atomic_signal_fence(__ATOMIC_SEQ_CST); }

// What the linker puts in the place of functions that are not compiled here (--wrap).
void* __real_memcpy(void* to, const void* from, size_t size);
void* __wrap_memcpy(void* to, const void* from, size_t size) {
  Note(from, size, Kind::kLoad);
  Note(to, size, Kind::kStore);
  return __real_memcpy(to, from, size);
}
void* __real_memmove(void* to, const void* from, size_t size);
void* __wrap_memmove(void* to, const void* from, size_t size) {
  Note(from, size, Kind::kLoad);
  Note(to, size, Kind::kStore);
  return __real_memmove(to, from, size);
}
void* __real_memset(void* to, int value, size_t size);
void* __wrap_memset(void* to, int value, size_t size) {
  Note(to, size, Kind::kStore);
  return __real_memset(to, value, size);
}
int __real_memcmp(const void* a, const void* b, size_t size);
int __wrap_memcmp(const void* a, const void* b, size_t size) {
  Note(a, size, Kind::kLoad);
  Note(b, size, Kind::kLoad);
  return __real_memcmp(a, b, size);
}
void* __real_memchr(const void* in, int value, size_t size);
void* __wrap_memchr(const void* in, int value, size_t size) {
  Note(in, size, Kind::kLoad);
  return __real_memchr(in, value, size);
}

// A lock is its first words: what it counts and who has it.
#define TOLLGATE_LOCK_WRAP(name, type)               \
  int __real_pthread_##name(type* lock);             \
  int __wrap_pthread_##name(type* lock) {            \
    Note(lock, 2 * sizeof(uint64_t), Kind::kChange); \
    return __real_pthread_##name(lock);              \
  }
TOLLGATE_LOCK_WRAP(mutex_lock, pthread_mutex_t)
TOLLGATE_LOCK_WRAP(mutex_unlock, pthread_mutex_t)
TOLLGATE_LOCK_WRAP(rwlock_rdlock, pthread_rwlock_t)
TOLLGATE_LOCK_WRAP(rwlock_wrlock, pthread_rwlock_t)
TOLLGATE_LOCK_WRAP(rwlock_unlock, pthread_rwlock_t)
#undef TOLLGATE_LOCK_WRAP

}  // extern "C"
