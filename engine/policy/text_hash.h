#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/marks.h"

namespace tollgate::policy {

// Mix is the product of both, folded.
TOLLGATE_INLINE uint64_t Mix(uint64_t a, uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
}

// HashText is a quick hash of the texts that a policy has, for tables in which nobody else puts anything:
// whoever knows `seed` can make texts that collide.
inline uint64_t HashText(uint64_t seed, std::string_view text) {
  constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
  uint64_t hash = seed ^ text.size() * kOdd;
  uint64_t word = 0;
  if (text.size() < sizeof word) {
    for (const char c : text) word = word << 8 | static_cast<uint8_t>(c);
    return Mix(hash ^ word, kOdd);
  }
  // The last eight bytes overlap those before.
  const auto take = [&](size_t at) {
    std::memcpy(&word, text.data() + at, sizeof word);
    hash = Mix(hash ^ word, kOdd);
  };
  for (size_t at = 0; at + sizeof word < text.size(); at += sizeof word) take(at);
  take(text.size() - sizeof word);
  return hash;
}

}  // namespace tollgate::policy
