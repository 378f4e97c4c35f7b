#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "policy/name_table.h"
#include "tollgate/policy.h"

namespace tollgate::policy {

// ScopeMask has one bit for each scope that a policy names.
using ScopeMask = std::array<uint64_t, PolicyBuilder::kScopesMax / 64>;

// CompiledTool is what one tool needs, ready for a bit test: one line of memory.
struct alignas(64) CompiledTool {
  ScopeMask needed{};
  ValidationMode mode = ValidationMode::kSignature;
  int64_t token_age_max_s = 0;
  std::string_view
      scopes;  // All needed scopes, space-delimited, for challenges. Valid as long as the policy.
};
static_assert(sizeof(CompiledTool) == 64);

// CompiledPolicy answers by one table probe and one bit test. Immutable. Thread-safe.
class CompiledPolicy {
 public:
  explicit CompiledPolicy(const Policy& policy);
  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;

  // FindTool returns null for a tool that the policy does not name. Valid as long as the policy. Does not
  // allocate.
  const CompiledTool* FindTool(std::string_view tool) const {
    const uint32_t position = names_.Find(tool);
    return position == NameTable::kAbsent ? nullptr : &tools_[position];
  }

  // MaskOf returns the bits of those `scopes` that the policy knows; others have none. Does not allocate.
  ScopeMask MaskOf(std::span<const std::string_view> scopes) const;

  static bool Covers(const ScopeMask& held, const ScopeMask& needed) {
    for (size_t i = 0; i < held.size(); ++i) {
      if ((needed[i] & ~held[i]) != 0) return false;
    }
    return true;
  }

 private:
  std::vector<CompiledTool> tools_;       // In the order of the policy.
  std::vector<std::string> tool_scopes_;  // What CompiledTool::scopes refers to.
  NameTable names_;                       // Of the tools.
  absl::flat_hash_map<std::string, uint32_t> scope_bits_;
};

}  // namespace tollgate::policy
