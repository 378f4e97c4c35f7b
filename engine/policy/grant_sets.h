#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "base/marks.h"
#include "base/zeros.h"
#include "policy/compiled_policy.h"
#include "sync/interned_texts.h"

namespace tollgate::policy {

// GrantSets gives each different mask of one policy a small number, once and for all, and knows of each
// number which of the policy's requirements it meets. Bounded by limits::kGrantSetsMax; entries are never
// removed. Permits is wait-free and allocates nothing. Thread-safe.
class GrantSets {
 public:
  explicit GrantSets(const CompiledPolicy& policy);  // `policy` must outlive this.

  // Intern returns the number of the mask, which Evaluate of the same policy has made; nullopt if the table
  // is full, or there was no memory for it. A new one takes a lock.
  std::optional<uint32_t> Intern(const GrantMask& mask);

  // Permits says whether callers of this set meet what `tool` needs. It takes a number that Intern returned
  // (on any thread, with the number handed on properly).
  TOLLGATE_INLINE bool Permits(uint32_t set, const CompiledTool& tool) const {
    const uint32_t requirement = tool.requirement;
    return (rows_[set * row_words_ + requirement / 64] >> requirement % 64 & 1) != 0;
  }

  // Lacking is CompiledPolicy::Lacking of the set.
  Reason Lacking(uint32_t set, const CompiledTool& tool) const;

  size_t size() const { return masks_.size(); }

 private:
  const CompiledPolicy& policy_;
  const size_t row_words_;
  const size_t numbers_each_;  // How many of masks_ a set takes: all masks are of one size.
  sync::InternedTexts masks_;  // As bytes.
  // By number, a bit for each requirement; written as the number is made, before anybody has it.
  const Zeros<uint64_t> rows_;
};

}  // namespace tollgate::policy
