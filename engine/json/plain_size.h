#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#if defined(__SSE2__)
#include <immintrin.h>
#endif

#include "base/marks.h"

namespace tollgate::json {

// What PlainSize may read from the end of what it measures on.
inline constexpr size_t kPlainSizeReads = 16;

// PlainSizePortable is PlainSize without the processor's own vectors: what it is elsewhere than on x86-64,
// and for tests to hold them together.
inline size_t PlainSizePortable(const char* at) {
  constexpr uint64_t kOnes = 0x0101010101010101;
  // The upper bit of each byte less than `bound`, which is 0x80 at the most; where there is none, no other's.
  const auto less = [](uint64_t word, uint64_t bound) { return (word - kOnes * bound) & ~word; };
  size_t size = 0;
  for (;; size += sizeof(uint64_t)) {
    uint64_t word;
    std::memcpy(&word, at + size, sizeof word);
    const uint64_t odd = less(word ^ kOnes * '"', 1) | less(word ^ kOnes * '\\', 1) | less(word, 0x20);
    if ((odd & kOnes * 0x80) != 0) break;
  }
  while (at[size] != '"' && at[size] != '\\' && static_cast<uint8_t>(at[size]) >= 0x20) ++size;
  return size;
}

// PlainSize returns how many bytes from `at` on stand for themselves in a JSON string, as long as they are
// UTF-8: all but a quote, a backslash and control characters (DEL is none). One that does not must follow,
// and kPlainSizeReads bytes from it on that may be read.
TOLLGATE_INLINE size_t PlainSize(const char* at) {
#if defined(__SSE2__)
  for (size_t size = 0;; size += sizeof(__m128i)) {
    const __m128i bytes = _mm_loadu_si128(reinterpret_cast<const __m128i*>(at + size));
    const __m128i odd = _mm_or_si128(
        _mm_or_si128(_mm_cmpeq_epi8(bytes, _mm_set1_epi8('"')), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('\\'))),
        _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes));
    const auto mask = static_cast<uint32_t>(_mm_movemask_epi8(odd));
    if (mask != 0) return size + static_cast<uint32_t>(std::countr_zero(mask));
  }
#else
  return PlainSizePortable(at);
#endif
}

}  // namespace tollgate::json
