#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace tollgate::policy {

// EditDistance is how many letters have to be put in, left out or exchanged for another (Levenshtein); more
// than `max` is max + 1. Quadratic in the sizes at worst.
inline size_t EditDistance(std::string_view a, std::string_view b, size_t max) {
  if ((a.size() > b.size() ? a.size() - b.size() : b.size() - a.size()) > max) return max + 1;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0], least = i;
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t exchanged = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, exchanged});
      least = std::min(least, row[j]);
    }
    if (least > max) return max + 1;  // It grows from row to row.
  }
  return std::min(row[b.size()], max + 1);
}

// DidYouMean returns ", did you mean \"…\"?" with the nearest of `names`, the first in order of the alphabet,
// or nothing if none is near.
template <typename Names>
std::string DidYouMean(std::string_view name, const Names& names) {
  constexpr size_t kDistanceMax = 2, kBytesMax = 128;
  if (name.size() > kBytesMax) return {};
  size_t best = kDistanceMax + 1;
  std::string_view nearest;
  for (const std::string_view other : names) {
    if (other.empty() || other.size() > kBytesMax) continue;
    const size_t distance = EditDistance(name, other, kDistanceMax);
    // What is changed in every letter is another word.
    if (distance >= other.size() || distance > best || (distance == best && other > nearest)) continue;
    if (distance == kDistanceMax + 1) continue;
    best = distance;
    nearest = other;
  }
  return nearest.empty() ? std::string() : ", did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace tollgate::policy
