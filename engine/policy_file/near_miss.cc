#include "policy_file/near_miss.h"

#include <algorithm>
#include <cstddef>
#include <vector>

namespace tollgate::policy_file {
namespace {

constexpr size_t kDistanceMax = 2;

// Distance is Levenshtein's, or more than kDistanceMax.
size_t Distance(std::string_view a, std::string_view b) {
  if (std::max(a.size(), b.size()) - std::min(a.size(), b.size()) > kDistanceMax) return kDistanceMax + 1;
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 0; i < a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < b.size(); ++j) {
      const size_t replaced = diagonal + (a[i] == b[j] ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j] + 1, row[j + 1] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string DidYouMean(std::string_view text, std::span<const std::string_view> names) {
  // Long texts are no slips of these names, and the table would grow with them.
  if (text.size() > 64) return "";
  std::string_view nearest;
  size_t least = std::min(kDistanceMax + 1, text.size());
  for (const std::string_view name : names) {
    if (const size_t distance = Distance(text, name); distance < least) {
      least = distance;
      nearest = name;
    }
  }
  return nearest.empty() ? "" : "; did you mean \"" + std::string(nearest) + "\"?";
}

}  // namespace tollgate::policy_file
