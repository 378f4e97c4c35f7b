#include "policy/name_table.h"

#include <algorithm>

namespace tollgate::policy {

NameTable::NameTable(const std::vector<std::string>& names) {
  const size_t num_names = std::max<size_t>(names.size(), 1);
  displacement_mask_ = std::bit_ceil(num_names) - 1;
  cell_mask_ = std::bit_ceil(num_names * 2) - 1;
  // A seed fails when two names share both halves of the hash that count, which about every fourth does for
  // many names; twice the cells halve that.
  for (int failures = 0; !Build(names); ++failures, ++seed_) {
    if (failures % 8 == 7) cell_mask_ = cell_mask_ * 2 + 1;
  }
}

bool NameTable::Build(const std::vector<std::string>& names) {
  bytes_.clear();
  displacements_.assign(displacement_mask_ + 1, 0);
  cells_.assign(cell_mask_ + 1, Cell{});
  std::vector<std::vector<uint32_t>> groups(displacement_mask_ + 1);  // Positions of names, by displacement.
  std::vector<uint64_t> hashes;
  std::vector<Cell> made;
  for (uint32_t i = 0; i < names.size(); ++i) {
    hashes.push_back(Hash(seed_, names[i]));
    groups[hashes.back() & displacement_mask_].push_back(i);
    made.push_back({static_cast<uint32_t>(bytes_.size()), static_cast<uint32_t>(names[i].size()), i});
    bytes_ += names[i];
  }
  std::vector<uint32_t> order(groups.size());
  for (uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::sort(order.begin(), order.end(),
            [&](uint32_t a, uint32_t b) { return groups[a].size() > groups[b].size(); });
  for (const uint32_t group : order) {
    // All names of the group are moved together until each lies on a free cell.
    const std::vector<uint32_t>& members = groups[group];
    uint64_t displacement = 0;
    size_t placed = 0;
    while (placed < members.size()) {
      if (displacement > cell_mask_) return false;
      for (placed = 0; placed < members.size(); ++placed) {
        Cell& cell = cells_[CellOf(hashes[members[placed]], static_cast<uint32_t>(displacement))];
        if (cell.position != kAbsent) break;
        cell = made[members[placed]];
      }
      if (placed == members.size()) break;
      while (placed > 0)
        cells_[CellOf(hashes[members[--placed]], static_cast<uint32_t>(displacement))] = Cell{};
      ++displacement;
    }
    displacements_[group] = static_cast<uint32_t>(displacement);
  }
  return true;
}

}  // namespace tollgate::policy
