#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "base/marks.h"
#include "policy/text_hash.h"
#include "tollgate/policy.h"

namespace tollgate::policy {

// CompiledTool is what a decision needs to know of one tool, and its name: one line of memory.
struct alignas(64) CompiledTool {
  static constexpr size_t kNameBytes = 40;

  std::array<char, kNameBytes> name{};  // Zeros behind it; of a longer one, an index among the long names.
  uint32_t token_age_max_s = 0;         // 0: no bound.
  uint16_t name_len = UINT16_MAX;       // No name is that long: an empty cell.
  uint16_t requirement = 0;             // What is needed of a caller, by its number in the policy.
  ValidationMode mode = ValidationMode::kSignature;
  IntrospectionOutage introspection_outage = IntrospectionOutage::kDenyUnavailable;
  uint32_t introspection_age_max_s = 0;  // 0: no bound.
  uint32_t last_known_age_max_s = 0;
  AuditDuty audit = AuditDuty::kSampled;
  uint8_t sensitivity = 0;  // Its position in Policy::classes.
  // No bound on age, nothing to ask the issuer, no full record: what nearly all are, in one look.
  bool is_usual = true;
};
static_assert(sizeof(CompiledTool) == 64);

// ToolTable finds a tool of a fixed list by one probe: a perfect hash made for just these names (hash,
// displace and compress; Belazzougui, Botelho, Dietzfelbinger 2009). Whoever looks up chooses neither the
// names nor the table, so that no name costs more than another. Immutable. Thread-safe.
class ToolTable {
 public:
  // `names` are different from each other and at most limits::kToolBytesMax long; `tools`, in the same order,
  // lack theirs. Allocates; takes time linear in their number.
  ToolTable(const std::vector<std::string>& names, const std::vector<CompiledTool>& tools);

  // Candidate returns the only tool that may have this name. Valid as long as the table. Does not allocate.
  TOLLGATE_INLINE const CompiledTool& Candidate(std::string_view name) const {
    const uint64_t hash = Hash(seed_, name);
    return cells_[CellOf(hash, displacements_[hash & displacement_mask_])];
  }

  // Has tells whether the candidate for `name` has that name: if not, it is in no list. HasUsual is Has of
  // names that are neither very short nor long: for those it takes no table.
  static TOLLGATE_INLINE bool IsUsual(std::string_view name) {
    return name.size() - 8 <= CompiledTool::kNameBytes - 8;
  }
  static TOLLGATE_INLINE bool HasUsual(const CompiledTool& candidate, std::string_view name) {
    if (candidate.name_len != name.size()) return false;
    const Words a(candidate.name.data(), name.size()), b(name.data(), name.size());
    uint64_t differs = 0;
    for (size_t i = 0; i < std::size(a.word); ++i) differs |= a.word[i] ^ b.word[i];
    return differs == 0;
  }
  bool Has(const CompiledTool& candidate, std::string_view name) const;

 private:
  static uint64_t Word(const char* from, size_t size = 8) {
    uint64_t word = 0;
    std::memcpy(&word, from, size);
    return word;
  }

  // Words is a usual name, of 8 to 40 bytes, in five words, which overlap where it is shorter. Without a
  // branch: names of all those sizes come mixed, and a processor that guesses the size wrong loses more than
  // the whole look-up costs.
  struct Words {
    uint64_t word[5];
    TOLLGATE_INLINE Words(const char* name, size_t size) {
      const size_t last = size - 8;
      const size_t beyond = last < 8 ? 8 : last;  // Not in the address: gcc would make a branch of it.
      word[0] = Word(name);
      word[1] = Word(name + (last < 8 ? last : 8));
      word[2] = Word(name + (last < 16 ? last : 16));
      word[3] = Word(name + beyond - 8);
      word[4] = Word(name + last);
    }
  };
  static TOLLGATE_INLINE uint64_t Hash(uint64_t seed, std::string_view name) {
    constexpr uint64_t kOdd = 0x9e3779b97f4a7c15, kOther = 0xd1b54a32d192ed03;
    if (!IsUsual(name)) [[unlikely]]
      return HashText(seed, name);
    const Words words(name.data(), name.size());
    const uint64_t front = Mix(words.word[0] ^ seed, words.word[1] ^ kOdd);
    const uint64_t back = Mix(words.word[2] ^ kOther, words.word[3] ^ seed);
    return Mix(front ^ back ^ words.word[4], name.size() ^ kOdd);
  }

  uint64_t CellOf(uint64_t hash, uint16_t displacement) const {
    return ((hash >> 32) ^ displacement) & cell_mask_;
  }

  bool Place(const std::vector<std::string>& names, const std::vector<CompiledTool>& tools);

  uint64_t seed_ = 0;
  uint64_t displacement_mask_ = 0;
  uint64_t cell_mask_ = 0;
  std::vector<uint16_t> displacements_;
  std::vector<CompiledTool> cells_;
  std::vector<std::string> long_names_;
};

}  // namespace tollgate::policy
