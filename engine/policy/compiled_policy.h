#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/container/flat_hash_map.h"

#include "policy/tool_table.h"
#include "tollgate/policy.h"

namespace tollgate::policy {

// CompiledPolicy answers by one table probe and one bit test. Immutable. Thread-safe.
class CompiledPolicy {
 public:
  explicit CompiledPolicy(const Policy& policy);
  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;

  // FindTool returns null for a tool that the policy does not name. Valid as long as the policy. Does not
  // allocate.
  const CompiledTool* FindTool(std::string_view tool) const { return table_.Find(tool); }

  // ScopesOf returns all scopes that a tool of this policy needs, space-delimited, for challenges. Valid as
  // long as the policy.
  std::string_view ScopesOf(const CompiledTool& tool) const { return scopes_[table_.CellNumber(tool)]; }

  // MaskOf returns the bits of those `scopes` that the policy knows; others have none. Does not allocate.
  ScopeMask MaskOf(std::span<const std::string_view> scopes) const;

  static bool Covers(const ScopeMask& held, const ScopeMask& needed) {
    for (size_t i = 0; i < held.size(); ++i) {
      if ((needed[i] & ~held[i]) != 0) return false;
    }
    return true;
  }

 private:
  struct Compiled;
  explicit CompiledPolicy(Compiled compiled);
  static Compiled Compile(const Policy& policy);

  absl::flat_hash_map<std::string, uint32_t> scope_bits_;
  ToolTable table_;
  std::vector<std::string> scopes_;  // By CellNumber.
};

}  // namespace tollgate::policy
