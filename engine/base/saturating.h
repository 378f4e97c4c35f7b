#pragma once

#include <cstdint>

// Sums, differences and products that stick to the ends of the range: an extreme setting or time must mean
// "never" or "at once", not wrap around.
namespace tollgate::saturating {

inline int64_t Plus(int64_t a, int64_t b) {
  int64_t sum;
  if (__builtin_add_overflow(a, b, &sum)) return a < 0 ? INT64_MIN : INT64_MAX;
  return sum;
}

inline int64_t Minus(int64_t a, int64_t b) {
  int64_t difference;
  if (__builtin_sub_overflow(a, b, &difference)) return a < 0 ? INT64_MIN : INT64_MAX;
  return difference;
}

inline int64_t Times(int64_t a, int64_t b) {
  int64_t product;
  if (__builtin_mul_overflow(a, b, &product)) return (a < 0) == (b < 0) ? INT64_MAX : INT64_MIN;
  return product;
}

// Between returns how long it is from `from` until `to`; 0 if that is past.
inline int64_t Between(int64_t from, int64_t to) { return to > from ? Minus(to, from) : 0; }

}  // namespace tollgate::saturating
