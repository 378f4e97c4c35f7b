// The cache tag with 512-bit carry-less multiplication: four pairs at a time.

#if defined(__x86_64__)

// GCC 12 takes what the intrinsics leave undefined on purpose for an oversight (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <algorithm>

#include "crypto/cache_tag_internal.h"

// An attribute and not a flag of the file: what the file takes from headers must run on every processor.
#define TOLLGATE_TARGET __attribute__((target("avx2,avx512f,avx512bw,avx512vl,vpclmulqdq,pclmul,aes")))

namespace tollgate::crypto::internal {
namespace {

// Both words of each pair, one multiplied by the other.
TOLLGATE_TARGET TOLLGATE_INLINE __m512i Product(__m512i pairs) {
  return _mm512_clmulepi64_epi128(pairs, pairs, 0x10);
}

TOLLGATE_TARGET TOLLGATE_INLINE __m512i Add3(__m512i a, __m512i b, __m512i c) {
  return _mm512_ternarylogic_epi64(a, b, c, 0x96);
}

TOLLGATE_TARGET TOLLGATE_INLINE uint64_t Place(const TagMaterial& material, const char* end, size_t size) {
  const auto* keys = reinterpret_cast<const __m128i*>(material.round_keys);
  __m128i x;
  if (size >= 16) [[likely]] {
    x = _mm_loadu_si128(reinterpret_cast<const __m128i*>(end - 16));
  } else {
    // Bytes before the token are masked out, which means not touched. Arithmetic on integers, since there may
    // be no such addresses.
    const auto mask = static_cast<__mmask16>(0xffffU << (16 - size));
    x = _mm_maskz_loadu_epi8(mask, reinterpret_cast<const void*>(reinterpret_cast<uintptr_t>(end) - 16));
  }
  x = _mm_xor_si128(x, _mm_load_si128(keys));
  for (int round = 1; round < 10; ++round) x = _mm_aesenc_si128(x, _mm_load_si128(keys + round));
  x = _mm_aesenclast_si128(x, _mm_load_si128(keys + 10));
  return static_cast<uint64_t>(_mm_cvtsi128_si64(x));
}

// Key words are loaded, not put together, although the second iteration's are the first one's, one pair
// further on: the units that multiply would also have to shift. They lie as far from their start as the block
// that meets them from the token's, and kSecond further on.
constexpr size_t kBlockBytes = 64;
constexpr size_t kSecond = offsetof(TagMaterial, words_of_second) - offsetof(TagMaterial, words);

TOLLGATE_TARGET TOLLGATE_INLINE __m512i Keys(const char* at) {
  return _mm512_load_si512(reinterpret_cast<const __m512i*>(at));
}

struct Sums {
  __m512i sum0;
  __m512i sum1;

  // AddOne takes in one block, which meets the keys at `keys`.
  TOLLGATE_TARGET TOLLGATE_INLINE void AddOne(__m512i block, const char* keys) {
    sum0 = _mm512_xor_si512(sum0, Product(_mm512_xor_si512(block, Keys(keys))));
    sum1 = _mm512_xor_si512(sum1, Product(_mm512_xor_si512(block, Keys(keys + kSecond))));
  }

  // AddTwo is twice AddOne, with fewer additions: the units that multiply also add.
  TOLLGATE_TARGET TOLLGATE_INLINE void AddTwo(__m512i first, __m512i second, const char* keys) {
    // Loaded once: gcc would read tokens, which are rarely aligned, again for each use.
    asm("" : "+v"(first), "+v"(second));
    sum0 = Add3(sum0, Product(_mm512_xor_si512(first, Keys(keys))),
                Product(_mm512_xor_si512(second, Keys(keys + kBlockBytes))));
    sum1 = Add3(sum1, Product(_mm512_xor_si512(first, Keys(keys + kSecond))),
                Product(_mm512_xor_si512(second, Keys(keys + kSecond + kBlockBytes))));
  }
};

// Both halves of a sum, added.
TOLLGATE_TARGET TOLLGATE_INLINE __m128i Fold(__m512i sum) {
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

}  // namespace

TOLLGATE_TARGET TOLLGATE_HOT uint64_t PlaceVpclmulAvx512(const TagMaterial& material,
                                                         std::string_view token) {
  return Place(material, token.data() + token.size(), token.size());
}

TOLLGATE_TARGET TOLLGATE_HOT void TagVpclmulAvx512(const TagMaterial& material, std::string_view token,
                                                   Derived* out) {
  const size_t size = token.size();
  const char* const bytes = token.data();
  const auto* const keys = reinterpret_cast<const char*>(material.words.data());
  Sums sums = {.sum0 = _mm512_setzero_si512(), .sum1 = _mm512_setzero_si512()};
  size_t at = 0;
  for (const size_t end = size & ~(2 * kBlockBytes - 1); at != end; at += 2 * kBlockBytes)
    sums.AddTwo(_mm512_loadu_si512(bytes + at), _mm512_loadu_si512(bytes + at + kBlockBytes), keys + at);
  if ((size & kBlockBytes) != 0) {
    sums.AddOne(_mm512_loadu_si512(bytes + at), keys + at);
    at += kBlockBytes;
  }
  // What is masked out is zero, and not touched.
  if (const size_t left = size - at; left > 0)
    sums.AddOne(_mm512_maskz_loadu_epi8((uint64_t{1} << left) - 1, bytes + at), keys + at);

  const __m128i length = _mm_cvtsi64_si128(static_cast<long long>(size));
  const __m128i length_words =
      _mm_loadu_si128(reinterpret_cast<const __m128i*>(material.length_words.data()));
  auto* tag = reinterpret_cast<__m128i*>(out->tag.words.data());
  _mm_store_si128(tag, _mm_xor_si128(Fold(sums.sum0), _mm_clmulepi64_si128(length, length_words, 0x00)));
  _mm_store_si128(tag + 1, _mm_xor_si128(Fold(sums.sum1), _mm_clmulepi64_si128(length, length_words, 0x10)));
  // Compilers end such functions so by themselves, but not without optimization.
  _mm256_zeroupper();
}

}  // namespace tollgate::crypto::internal

#endif
