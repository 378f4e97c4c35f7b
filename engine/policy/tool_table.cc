#include "policy/tool_table.h"

#include <algorithm>
#include <bit>

#include "base/limits.h"

namespace tollgate::policy {
namespace {

// Displacements are 16 bits, and reach every cell.
constexpr uint64_t kCellsMax = 1 << 16;
static_assert(2 * PolicyBuilder::kRulesMax <= kCellsMax / 2 && limits::kToolBytesMax < UINT16_MAX);

}  // namespace

bool ToolTable::Has(const CompiledTool& candidate, std::string_view name) const {
  if (IsUsual(name)) return HasUsual(candidate, name);
  // Longer than any that a rule has: it may be as long as an empty cell says.
  if (candidate.name_len != name.size() || name.size() > limits::kToolBytesMax) return false;
  if (name.size() > CompiledTool::kNameBytes) return name == long_names_[Word(candidate.name.data())];
  return name == std::string_view(candidate.name.data(), name.size());
}

ToolTable::ToolTable(const std::vector<std::string>& names, const std::vector<CompiledTool>& tools) {
  const size_t num_names = std::max<size_t>(names.size(), 1);
  // Dense, so that the table stays at hand: few lines of displacements, a line a tool, hardly any empty ones.
  displacement_mask_ = (std::bit_ceil(num_names) + 1) / 2 - 1;
  cell_mask_ = std::bit_ceil(num_names) - 1;
  // A seed fails when two names share both halves of the hash that count, or the last groups of names find no
  // room; twice the cells halve both.
  for (int failures = 1; !Place(names, tools); ++failures, ++seed_) {
    if (failures % 8 == 0 && cell_mask_ + 1 < kCellsMax) cell_mask_ = cell_mask_ * 2 + 1;
  }
}

bool ToolTable::Place(const std::vector<std::string>& names, const std::vector<CompiledTool>& tools) {
  displacements_.assign(displacement_mask_ + 1, 0);
  cells_.assign(cell_mask_ + 1, CompiledTool{});
  long_names_.clear();
  std::vector<std::vector<size_t>> groups(displacement_mask_ + 1);  // Positions of names, by displacement.
  std::vector<uint64_t> hashes;
  std::vector<CompiledTool> made = tools;
  for (size_t i = 0; i < names.size(); ++i) {
    hashes.push_back(Hash(seed_, names[i]));
    groups[hashes.back() & displacement_mask_].push_back(i);
    made[i].name_len = static_cast<uint16_t>(names[i].size());
    if (names[i].size() <= CompiledTool::kNameBytes) {
      std::copy(names[i].begin(), names[i].end(), made[i].name.begin());
    } else {
      const uint64_t index = long_names_.size();
      std::memcpy(made[i].name.data(), &index, sizeof index);
      long_names_.push_back(names[i]);
    }
  }
  std::vector<size_t> order(groups.size());
  for (size_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](size_t a, size_t b) { return groups[a].size() > groups[b].size(); });
  for (const size_t group : order) {
    // All names of the group move together until each lies on a free cell.
    const std::vector<size_t>& members = groups[group];
    const auto cell = [&](size_t member, uint64_t displacement) -> CompiledTool& {
      return cells_[CellOf(hashes[members[member]], static_cast<uint16_t>(displacement))];
    };
    for (uint64_t displacement = 0; !members.empty(); ++displacement) {
      if (displacement > cell_mask_) return false;
      size_t placed = 0;
      for (; placed < members.size() && cell(placed, displacement).name_len == UINT16_MAX; ++placed) {
        cell(placed, displacement) = made[members[placed]];
      }
      if (placed == members.size()) {
        displacements_[group] = static_cast<uint16_t>(displacement);
        break;
      }
      while (placed > 0) cell(--placed, displacement) = CompiledTool{};
    }
  }
  return true;
}

}  // namespace tollgate::policy
