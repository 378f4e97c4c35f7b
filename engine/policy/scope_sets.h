#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>

#include "policy/compiled_policy.h"
#include "sync/interned_texts.h"

namespace tollgate::policy {

// ScopeSets gives each different set of scopes that tokens carry a small number, once and for all,
// independently of any policy, and keeps its mask under the current policy. Bounded by limits::kScopeSetsMax
// sets and a total of 1 MiB of scope text; entries are never removed. Find-side calls (Mask, Text) are
// wait-free and allocate nothing; Intern takes a lock. Thread-safe.
class ScopeSets {
 public:
  explicit ScopeSets(const CompiledPolicy& policy);  // `policy` must outlive this.
  ~ScopeSets();

  // Intern returns the number of the set of these scopes, in whatever order; nullopt if the table is full.
  std::optional<uint32_t> Intern(std::span<const std::string_view> scopes);

  // Mask and Text take a number that Intern returned (on any thread, with the number handed on properly).
  const ScopeMask& Mask(uint32_t set) const { return masks_[set]; }
  const sync::PaddedText& Text(uint32_t set) const { return texts_.Text(set); }  // Space-delimited, sorted.
  size_t size() const { return texts_.size(); }

 private:
  const CompiledPolicy& policy_;
  sync::InternedTexts texts_;
  // By number; written as the number is made, before anybody has it.
  const std::unique_ptr<ScopeMask[]> masks_;
};

}  // namespace tollgate::policy
