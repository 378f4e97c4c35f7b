#include "policy/grant_sets.h"

#include "base/limits.h"

namespace tollgate::policy {

GrantSets::GrantSets(const CompiledPolicy& policy)
    : policy_(policy),
      row_words_((policy.num_requirements() + 63) / 64),
      numbers_each_(sync::InternedTexts::NumbersOf(policy.num_words() * sizeof(uint64_t))),
      masks_(limits::kGrantSetsMax * numbers_each_,
             limits::kGrantSetsMax * policy.num_words() * sizeof(uint64_t)),
      rows_(AllocateZeros<uint64_t>(limits::kGrantSetsMax * row_words_)) {}

std::optional<uint32_t> GrantSets::Intern(const GrantMask& mask) {
  if (rows_ == nullptr) return std::nullopt;
  const std::optional<uint32_t> number = masks_.Intern(BytesOf(mask), [&](uint32_t made) {
    for (uint32_t r = 0; r < policy_.num_requirements(); ++r) {
      const uint64_t met = policy_.Lacking(r, mask) == Reason::kNone;
      rows_[made / numbers_each_ * row_words_ + r / 64] |= met << r % 64;
    }
  });
  if (!number.has_value()) return std::nullopt;
  return static_cast<uint32_t>(*number / numbers_each_);
}

Reason GrantSets::Lacking(uint32_t set, const CompiledTool& tool) const {
  return policy_.Lacking(tool.requirement, masks_.Text(static_cast<uint32_t>(set * numbers_each_)).view());
}

}  // namespace tollgate::policy
