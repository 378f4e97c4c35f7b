#include "jose/base64url_avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace tollgate::jose::avx2 {
namespace {

// Between is the mask of the characters between two that are themselves outside. Bytes compare as signed:
// 0x80 and above lie below every range.
__m256i Between(__m256i chars, char before, char behind) {
  return _mm256_and_si256(_mm256_cmpgt_epi8(chars, _mm256_set1_epi8(before)),
                          _mm256_cmpgt_epi8(_mm256_set1_epi8(behind), chars));
}

// Offset is, where `mask` is set, what takes the letter `base` to `value`.
__m256i Offset(__m256i mask, int value, char base) {
  return _mm256_and_si256(mask, _mm256_set1_epi8(static_cast<char>(value - base)));
}

__m256i Or(__m256i a, __m256i b) { return _mm256_or_si256(a, b); }

}  // namespace

bool Base64UrlDecodeSteps(const uint8_t* from, size_t num_steps, uint8_t* to) {
  __m256i all_known = _mm256_set1_epi8(-1);
  for (; num_steps > 0; --num_steps, from += kChars, to += kBytes) {
    const __m256i chars = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
    const __m256i is_digit = Between(chars, '0' - 1, '9' + 1);
    const __m256i is_upper = Between(chars, 'A' - 1, 'Z' + 1);
    const __m256i is_lower = Between(chars, 'a' - 1, 'z' + 1);
    const __m256i is_minus = _mm256_cmpeq_epi8(chars, _mm256_set1_epi8('-'));
    const __m256i is_underscore = _mm256_cmpeq_epi8(chars, _mm256_set1_epi8('_'));
    all_known =
        _mm256_and_si256(all_known, Or(Or(is_digit, is_upper), Or(is_lower, Or(is_minus, is_underscore))));
    const __m256i letters = Or(Offset(is_upper, 0, 'A'), Offset(is_lower, 26, 'a'));
    const __m256i others =
        Or(Offset(is_digit, 52, '0'), Or(Offset(is_minus, 62, '-'), Offset(is_underscore, 63, '_')));
    const __m256i values = _mm256_add_epi8(chars, Or(letters, others));
    // Four values of six bits become three bytes: pairs of 12 bits, quads of 24, then the bytes in their
    // order.
    const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
    const __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
    const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,  //
                                           2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
    const __m256i halves = _mm256_shuffle_epi8(quads, order);
    const __m256i bytes = _mm256_permutevar8x32_epi32(halves, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), bytes);
  }
  return _mm256_movemask_epi8(all_known) == -1;
}

}  // namespace tollgate::jose::avx2
#endif
