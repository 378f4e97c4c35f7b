#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "base/marks.h"

namespace tollgate::policy {

// NameTable finds the position of a name in a fixed list by one probe: a perfect hash made for just these
// names (hash, displace and compress; Belazzougui, Botelho, Dietzfelbinger 2009). Whoever looks up chooses
// neither the names nor the table, so that no name costs more than another. Immutable. Thread-safe.
class NameTable {
 public:
  static constexpr uint32_t kAbsent = UINT32_MAX;

  // `names` are different from each other. Allocates; takes time linear in their number.
  explicit NameTable(const std::vector<std::string>& names);

  // Find returns the position of `name` in the list, or kAbsent. Does not allocate.
  TOLLGATE_INLINE uint32_t Find(std::string_view name) const {
    const uint64_t hash = Hash(seed_, name);
    const Cell& cell = cells_[CellOf(hash, displacements_[hash & displacement_mask_])];
    return cell.size == name.size() && Equal(bytes_.data() + cell.begin, name) ? cell.position : kAbsent;
  }

 private:
  struct Cell {
    uint32_t begin = 0;
    uint32_t size = UINT32_MAX;  // No name is that long.
    uint32_t position = kAbsent;
  };

  static uint64_t Mix(uint64_t a, uint64_t b) {
    __extension__ using Wide = unsigned __int128;
    const Wide product = static_cast<Wide>(a) * b;
    return static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
  }

  static uint64_t Word(const char* from, size_t size) {
    uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  }

  // Hash folds in eight bytes at a time; the last eight may overlap those before.
  static TOLLGATE_INLINE uint64_t Hash(uint64_t seed, std::string_view name) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15;
    uint64_t hash = seed ^ name.size() * kOdd;
    const char* from = name.data();
    size_t left = name.size();
    for (; left > 8; from += 8, left -= 8) hash = Mix(hash ^ Word(from, 8), kOdd);
    const uint64_t tail = name.size() >= 8 ? Word(name.data() + name.size() - 8, 8) : Short(from, left);
    return Mix(hash ^ tail, kOdd);
  }

  // Equal compares eight bytes at a time, without the call that std::memcmp would be.
  static TOLLGATE_INLINE bool Equal(const char* with, std::string_view name) {
    const char* from = name.data();
    const size_t size = name.size();
    if (size < 8) return Short(with, size) == Short(from, size);
    for (size_t i = 0; i + 8 < size; i += 8) {
      if (Word(with + i, 8) != Word(from + i, 8)) return false;
    }
    return Word(with + size - 8, 8) == Word(from + size - 8, 8);
  }

  // Short reads up to seven bytes, all of them: two that are equal have the same bytes, if of the same size.
  static uint64_t Short(const char* from, size_t size) {
    if (size >= 4) return Word(from, 4) << 32 | Word(from + size - 4, 4);
    if (size == 0) return 0;
    const auto byte = [from](size_t i) { return static_cast<uint64_t>(static_cast<uint8_t>(from[i])); };
    return byte(0) << 16 | byte(size / 2) << 8 | byte(size - 1);
  }

  uint64_t CellOf(uint64_t hash, uint32_t displacement) const {
    return ((hash >> 32) ^ displacement) & cell_mask_;
  }

  bool Build(const std::vector<std::string>& names);

  uint64_t seed_ = 0;
  uint64_t displacement_mask_ = 0;
  uint64_t cell_mask_ = 0;
  std::vector<uint32_t> displacements_;
  std::vector<Cell> cells_;
  std::string bytes_;
};

}  // namespace tollgate::policy
