// The cache tag with 512-bit carry-less multiplication: four pairs at a time.

#if defined(__x86_64__)

// GCC 12 takes what the intrinsics leave undefined on purpose for an oversight (GCC bug 105593).
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC diagnostic ignored "-Wuninitialized"
#pragma GCC diagnostic ignored "-Wmaybe-uninitialized"
#endif

#include <immintrin.h>

#include <algorithm>
#include <array>

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
// further on: the units that multiply would also have to shift. By the number of a block, four pairs, and
// kSecond more.
constexpr size_t kBlockBytes = 64;
constexpr size_t kSecond =
    (offsetof(TagMaterial, words_of_second) - offsetof(TagMaterial, words)) / kBlockBytes;

struct Sums {
  const __m512i* keys;  // From those of the next block on.
  __m512i sum0;
  __m512i sum1;

  // AddTwo takes in two blocks.
  TOLLGATE_TARGET TOLLGATE_INLINE void AddTwo(__m512i first, __m512i second) {
    // Loaded once: gcc would read tokens, which are rarely aligned, again for each use.
    asm("" : "+v"(first), "+v"(second));
    sum0 = Add3(sum0, Product(_mm512_xor_si512(first, keys[0])), Product(_mm512_xor_si512(second, keys[1])));
    sum1 = Add3(sum1, Product(_mm512_xor_si512(first, keys[kSecond])),
                Product(_mm512_xor_si512(second, keys[kSecond + 1])));
    keys += 2;
  }

  // AddTwoIf takes in two blocks, so many further on, as far as they are there: one that is not adds nothing,
  // its key being made zero, too.
  struct Block {
    size_t ahead;
    __mmask8 is;
    __m512i pairs;
  };
  TOLLGATE_TARGET TOLLGATE_INLINE void AddTwoIf(const Block& a, const Block& b) {
    sum0 = Add3(sum0, Product(_mm512_maskz_xor_epi64(a.is, a.pairs, keys[a.ahead])),
                Product(_mm512_maskz_xor_epi64(b.is, b.pairs, keys[b.ahead])));
    sum1 = Add3(sum1, Product(_mm512_maskz_xor_epi64(a.is, a.pairs, keys[kSecond + a.ahead])),
                Product(_mm512_maskz_xor_epi64(b.is, b.pairs, keys[kSecond + b.ahead])));
  }
};

// kBlocks blocks are added without a look at how long the token is. kWhole[n] says which of the first ones
// are there if n are.
constexpr size_t kBlocks = 8;
constexpr std::array<std::array<uint8_t, kBlocks - 1>, kBlocks> kWhole = [] {
  std::array<std::array<uint8_t, kBlocks - 1>, kBlocks> whole{};
  for (size_t n = 0; n < kBlocks; ++n) {
    for (size_t i = 0; i < n; ++i) whole[n][i] = 0xff;
  }
  return whole;
}();

// Both halves of a sum, added.
TOLLGATE_TARGET TOLLGATE_INLINE __m128i Fold(__m512i sum) {
  const __m256i half = _mm256_xor_si256(_mm512_castsi512_si256(sum), _mm512_extracti64x4_epi64(sum, 1));
  return _mm_xor_si128(_mm256_castsi256_si128(half), _mm256_extracti128_si256(half, 1));
}

}  // namespace

TOLLGATE_TARGET TOLLGATE_HOT void DeriveVpclmulAvx512(const TagMaterial& material, std::string_view token,
                                                      const PlaceHint& hint, Derived* out) {
  const size_t size = token.size();
  const char* at = token.data();
  out->place = Place(material, at + size, size);
  FetchLines(hint, out->place);

  Sums sums = {.keys = reinterpret_cast<const __m512i*>(material.words.data()),
               .sum0 = _mm512_setzero_si512(),
               .sum1 = _mm512_setzero_si512()};
  size_t left = size;
  for (; left >= kBlocks * kBlockBytes; left -= kBlocks * kBlockBytes) {
#pragma GCC unroll 4
    for (size_t i = 0; i < kBlocks; i += 2, at += 2 * kBlockBytes)
      sums.AddTwo(_mm512_loadu_si512(at), _mm512_loadu_si512(at + kBlockBytes));
  }
  // The rest, up to seven blocks and a part of one, without a branch: tokens are of many lengths, and a
  // processor that guesses wrong loses more than it costs to add blocks that are not there. What is masked
  // out is not touched.
  const size_t num_whole = left / kBlockBytes;
  const auto whole = [&](size_t i) TOLLGATE_TARGET {
    const auto is = static_cast<__mmask8>(kWhole[num_whole][i]);
    return Sums::Block{i, is, _mm512_maskz_loadu_epi64(is, at + i * kBlockBytes)};
  };
  sums.AddTwoIf(whole(0), whole(1));
  sums.AddTwoIf(whole(2), whole(3));
  sums.AddTwoIf(whole(4), whole(5));
  const uint64_t bytes = (uint64_t{1} << left % kBlockBytes) - 1;
  sums.AddTwoIf(whole(6), {.ahead = num_whole,
                           .is = static_cast<__mmask8>(bytes == 0 ? 0 : 0xff),
                           .pairs = _mm512_maskz_loadu_epi8(bytes, at + num_whole * kBlockBytes)});

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
