#include "policy/grant_sets.h"

#include "base/limits.h"

namespace tollgate::policy {
namespace {

// Zeros that take no memory before they are written to.
uint64_t* AllocateRows(size_t row_words) {
  return static_cast<uint64_t*>(std::calloc(limits::kGrantSetsMax, row_words * sizeof(uint64_t)));
}

}  // namespace

GrantSets::GrantSets(const CompiledPolicy& policy)
    : policy_(policy),
      row_words_((policy.num_requirements() + 63) / 64),
      masks_(limits::kGrantSetsMax, limits::kGrantSetsMax * policy.num_words() * sizeof(uint64_t)),
      rows_(AllocateRows(row_words_)) {}

std::optional<uint32_t> GrantSets::Intern(const GrantMask& mask) {
  if (rows_ == nullptr) return std::nullopt;
  return masks_.Intern(BytesOf(mask), [&](uint32_t number) {
    for (uint32_t r = 0; r < policy_.num_requirements(); ++r) {
      const uint64_t met = policy_.Lacking(r, mask) == Reason::kNone;
      rows_[number * row_words_ + r / 64] |= met << r % 64;
    }
  });
}

Reason GrantSets::Lacking(uint32_t set, const CompiledTool& tool) const {
  return policy_.Lacking(tool.requirement, masks_.Text(set).view());
}

}  // namespace tollgate::policy
