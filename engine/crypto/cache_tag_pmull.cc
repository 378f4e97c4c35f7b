// The cache tag with AArch64's carry-less multiplication: one pair at a time.

#if defined(__aarch64__)

#include <arm_neon.h>

#include <algorithm>
#include <bit>
#include <cstring>

#include "crypto/cache_tag_internal.h"

namespace tollgate::crypto::internal {
namespace {

// Words of the token are little-endian; so must loads be.
static_assert(std::endian::native == std::endian::little);

// Reading 16 bytes from kShift + n gives the shuffle that moves bytes n, n + 1, … to the front, zeros behind.
constexpr uint8_t kShift[32] = {0,    1,    2,    3,    4,    5,    6,    7,    8,    9,    10,
                                11,   12,   13,   14,   15,   0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

TOLLGATE_INLINE uint8x16_t Load(const void* at) { return vld1q_u8(static_cast<const uint8_t*>(at)); }

TOLLGATE_INLINE uint64x2_t Multiply(uint64_t a, uint64_t b) {
  return vreinterpretq_u64_p128(vmull_p64(a, b));
}

// Both words of a pair, one multiplied by the other.
TOLLGATE_INLINE uint64x2_t Product(uint8x16_t pair) {
  const uint64x2_t words = vreinterpretq_u64_u8(pair);
  return Multiply(vgetq_lane_u64(words, 0), vgetq_lane_u64(words, 1));
}

TOLLGATE_INLINE uint64_t Place(const TagMaterial& material, const char* tail) {
  uint8x16_t x = Load(tail);
  // vaeseq_u8 adds the key before it substitutes.
  for (int round = 0; round < 9; ++round) x = vaesmcq_u8(vaeseq_u8(x, Load(&material.round_keys[round])));
  x = veorq_u8(vaeseq_u8(x, Load(&material.round_keys[9])), Load(&material.round_keys[10]));
  return vgetq_lane_u64(vreinterpretq_u64_u8(x), 0);
}

struct Sums {
  uint64x2_t sum0;
  uint64x2_t sum1;
  uint8x16_t key;  // Of the next pair's first iteration.

  // Add takes in one pair; `next_words` are the key of the pair behind it.
  TOLLGATE_INLINE void Add(uint8x16_t pair, const uint64_t* next_words) {
    const uint8x16_t next = Load(next_words);
    sum0 = veorq_u64(sum0, Product(veorq_u8(pair, key)));
    sum1 = veorq_u64(sum1, Product(veorq_u8(pair, next)));
    key = next;
  }
};

}  // namespace

TOLLGATE_HOT uint64_t PlacePmull(const TagMaterial& material, std::string_view token) {
  const Padded padded(token);
  return Place(material, padded.start + token.size() - 16);
}

TOLLGATE_HOT void TagPmull(const TagMaterial& material, std::string_view token, Derived* out) {
  const auto size = static_cast<ptrdiff_t>(token.size());
  const Padded padded(token);
  const char* const start = padded.start;
  const uint64_t* words = material.words.data();
  Sums sums = {vdupq_n_u64(0), vdupq_n_u64(0), Load(words)};
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
      sums.Add(vqtbl1q_u8(Load(start + from), Load(kShift + shift)), words + 2);
    }
  }

  const uint64_t length = token.size();
  uint64_t* tag = out->tag.words.data();
  vst1q_u64(tag, veorq_u64(sums.sum0, Multiply(length, material.length_words[0])));
  vst1q_u64(tag + 2, veorq_u64(sums.sum1, Multiply(length, material.length_words[1])));
}

}  // namespace tollgate::crypto::internal

#endif
