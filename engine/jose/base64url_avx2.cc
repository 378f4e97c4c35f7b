#include "jose/base64url_avx2.h"

#if defined(__x86_64__)
#include <immintrin.h>

namespace tollgate::jose::avx2 {
namespace {

// Look looks every index up, 0 to 15, in the same sixteen bytes.
__m256i Look(__m128i table, __m256i index) {
  return _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index);
}

// Step returns what kChars characters decode to, and zeros behind it; *alien gets a bit where there is no
// letter.
[[gnu::always_inline]] inline __m256i Step(const uint8_t* from, __m256i* alien) {
  // A character is a row, its upper four bits, and a column. Each kind of row has a bit (no letters; 2: the
  // minus alone; 3: digits; 4 and 6: all but the first column; 5: up to the tenth, and the underscore; 7: up
  // to the tenth), and each column the bits of the rows in which it is no letter.
  const __m128i row_bits = _mm_setr_epi8(0x20, 0x20, 0x01, 0x02, 0x04, 0x08, 0x04, 0x10,  //
                                         0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20, 0x20);
  const __m128i not_in_rows = _mm_setr_epi8(0x25, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21, 0x21,  //
                                            0x21, 0x21, 0x23, 0x3b, 0x3b, 0x3a, 0x3b, 0x33);
  // What takes the letters of a row to their values; the underscore is 33 away from the rest of its row.
  const __m128i offsets = _mm_setr_epi8(0, 0, 62 - '-', 52 - '0', -'A', -'A', 26 - 'a', 26 - 'a',  //
                                        0, 0, 0, 0, 0, 0, 0, 0);
  const __m256i low_half = _mm256_set1_epi8(0x0f);
  const __m256i chars = _mm256_loadu_si256(reinterpret_cast<const __m256i*>(from));
  const __m256i row = _mm256_and_si256(_mm256_srli_epi16(chars, 4), low_half);
  const __m256i column = _mm256_and_si256(chars, low_half);
  *alien = _mm256_or_si256(*alien, _mm256_and_si256(Look(row_bits, row), Look(not_in_rows, column)));
  const __m256i is_underscore = _mm256_cmpeq_epi8(chars, _mm256_set1_epi8('_'));
  const __m256i offset =
      _mm256_add_epi8(Look(offsets, row), _mm256_and_si256(is_underscore, _mm256_set1_epi8(33)));
  const __m256i values = _mm256_add_epi8(chars, offset);
  // Four values of six bits become three bytes: pairs of 12 bits, quads of 24, then the bytes in their
  // order.
  const __m256i pairs = _mm256_maddubs_epi16(values, _mm256_set1_epi32(0x01400140));
  const __m256i quads = _mm256_madd_epi16(pairs, _mm256_set1_epi32(0x00011000));
  const __m256i order = _mm256_setr_epi8(2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1,  //
                                         2, 1, 0, 6, 5, 4, 10, 9, 8, 14, 13, 12, -1, -1, -1, -1);
  const __m256i halves = _mm256_shuffle_epi8(quads, order);
  return _mm256_permutevar8x32_epi32(halves, _mm256_setr_epi32(0, 1, 2, 4, 5, 6, 3, 7));
}

}  // namespace

bool Base64UrlDecodeMost(const uint8_t* from, size_t num_chars, uint8_t* to) {
  __m256i alien = _mm256_setzero_si256();
  // All steps but the last one: what they store too much, the next one overwrites.
  for (; num_chars > 2 * kChars; num_chars -= kChars, from += kChars, to += kBytes)
    _mm256_storeu_si256(reinterpret_cast<__m256i*>(to), Step(from, &alien));
  const auto exactly = [&alien](const uint8_t* at, uint8_t* out) {
    const __m256i bytes = Step(at, &alien);
    _mm_storeu_si128(reinterpret_cast<__m128i*>(out), _mm256_castsi256_si128(bytes));
    _mm_storel_epi64(reinterpret_cast<__m128i*>(out + 16), _mm256_extracti128_si256(bytes, 1));
  };
  exactly(from, to);
  // The last one ends with the characters, and decodes once more what overlaps.
  const size_t left = num_chars - kChars;
  if (left != 0) exactly(from + left, to + left / 4 * 3);
  return _mm256_testz_si256(alien, alien) != 0;
}

}  // namespace tollgate::jose::avx2
#endif
