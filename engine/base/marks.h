#pragma once

// TOLLGATE_SLOW marks functions that are seldom needed: never inlined, placed away from all others, and made
// small rather than fast.
#define TOLLGATE_SLOW __attribute__((noinline, cold))
// TOLLGATE_MISS marks the functions that a token runs through that has not been seen before: never inlined
// into the hot path, but fast, too.
#define TOLLGATE_MISS __attribute__((noinline))
// TOLLGATE_HOT marks the few functions that a cache hit runs through.
#define TOLLGATE_HOT __attribute__((hot))
// TOLLGATE_INLINE forces inlining where a call would cost more than the body.
#define TOLLGATE_INLINE inline __attribute__((always_inline))
// TOLLGATE_LIFETIME marks a parameter (or *this) to which the result points.
#if defined(__clang__)
#define TOLLGATE_LIFETIME [[clang::lifetimebound]]
#else
#define TOLLGATE_LIFETIME
#endif
