// The cache tag with 128-bit carry-less multiplication: one pair at a time.

#if defined(__x86_64__)

#include <immintrin.h>

#include <algorithm>

#include "crypto/cache_tag_internal.h"

// An attribute and not a flag of the file: what the file takes from headers must run on every processor.
#define TOLLGATE_TARGET __attribute__((target("avx2,pclmul,aes")))

namespace tollgate::crypto::internal {
namespace {

// Reading 16 bytes from kShift + n gives the shuffle that moves bytes n, n + 1, … to the front, zeros behind.
alignas(32) constexpr uint8_t kShift[32] = {0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,
                                            11,   12,   13,   14,   15,   0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
                                            0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};

TOLLGATE_TARGET TOLLGATE_INLINE __m128i Load(const void* at) {
  return _mm_loadu_si128(static_cast<const __m128i*>(at));
}

TOLLGATE_TARGET TOLLGATE_INLINE uint64_t Place(const TagMaterial& material, const char* tail) {
  __m128i x = _mm_xor_si128(Load(tail), Load(&material.round_keys[0]));
  for (int round = 1; round < 10; ++round) x = _mm_aesenc_si128(x, Load(&material.round_keys[round]));
  x = _mm_aesenclast_si128(x, Load(&material.round_keys[10]));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(x));
}

struct Sums {
  __m128i sum0;
  __m128i sum1;
  __m128i key;  // Of the next pair's first iteration.

  // Add takes in one pair; `next_words` are the key of the pair behind it.
  TOLLGATE_TARGET TOLLGATE_INLINE void Add(__m128i pair, const uint64_t* next_words) {
    __m128i next = Load(next_words);
    // Loaded once: gcc would read both again for each use.
    asm("" : "+x"(next), "+x"(pair));
    const __m128i first = _mm_xor_si128(pair, key);
    const __m128i second = _mm_xor_si128(pair, next);
    sum0 = _mm_xor_si128(sum0, _mm_clmulepi64_si128(first, first, 0x10));
    sum1 = _mm_xor_si128(sum1, _mm_clmulepi64_si128(second, second, 0x10));
    key = next;
  }
};

}  // namespace

TOLLGATE_TARGET TOLLGATE_HOT uint64_t PlacePclmulAvx2(const TagMaterial& material, std::string_view token) {
  const Padded padded(token);
  return Place(material, padded.start + token.size() - 16);
}

TOLLGATE_TARGET TOLLGATE_HOT void TagPclmulAvx2(const TagMaterial& material, std::string_view token,
                                                Derived* out) {
  const auto size = static_cast<ptrdiff_t>(token.size());
  const Padded padded(token);
  const char* const start = padded.start;
  const uint64_t* words = material.words.data();
  Sums sums = {_mm_setzero_si128(), _mm_setzero_si128(), Load(words)};
  ptrdiff_t at = 0;
  for (; at + 64 <= size; at += 64, words += 8) {
    sums.Add(Load(start + at), words + 2);
    sums.Add(Load(start + at + 16), words + 4);
    sums.Add(Load(start + at + 32), words + 6);
    sums.Add(Load(start + at + 48), words + 8);
  }
  if (at < size) {
    for (const ptrdiff_t end = at + 64; at < end; at += 16, words += 2) {
      // Read no further than the end, then move what was read too early out to the front.
      const ptrdiff_t from = std::min(at, size - 16);
      const ptrdiff_t shift = std::min<ptrdiff_t>(at - from, 16);
      sums.Add(_mm_shuffle_epi8(Load(start + from), Load(kShift + shift)), words + 2);
    }
  }

  const __m128i length = _mm_cvtsi64_si128(static_cast<long long>(size));
  const __m128i length_words = Load(material.length_words.data());
  auto* tag = reinterpret_cast<__m128i*>(out->tag.words.data());
  _mm_store_si128(tag, _mm_xor_si128(sums.sum0, _mm_clmulepi64_si128(length, length_words, 0x00)));
  _mm_store_si128(tag + 1, _mm_xor_si128(sums.sum1, _mm_clmulepi64_si128(length, length_words, 0x10)));
}

}  // namespace tollgate::crypto::internal

#endif
