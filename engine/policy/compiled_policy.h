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

// ScopeMask has one bit for each scope that a policy names.
using ScopeMask = std::array<uint64_t, PolicyBuilder::kScopesMax / 64>;

// CompiledPolicy answers by one table probe and one bit test. Immutable. Thread-safe.
class CompiledPolicy {
 public:
  explicit CompiledPolicy(const Policy& policy);
  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;

  // FetchTool begins to fetch what the policy has of `tool`, for FindTool.
  TOLLGATE_INLINE const CompiledTool* FetchTool(std::string_view tool) const {
    return table_.Candidate(tool);
  }

  // FindTool returns null for a tool that the policy does not name; `fetched` is what FetchTool returned for
  // it. Valid as long as the policy. Does not allocate.
  TOLLGATE_INLINE const CompiledTool* FindTool(const CompiledTool* fetched, std::string_view tool) const {
    return table_.Has(*fetched, tool) ? fetched : nullptr;
  }

  const CompiledTool* FindTool(std::string_view tool) const { return FindTool(FetchTool(tool), tool); }

  // ScopesOf returns all scopes that a tool of this policy needs, space-delimited, for challenges. Valid as
  // long as the policy.
  std::string_view ScopesOf(const CompiledTool& tool) const { return scope_texts_[tool.scopes]; }

  // MaskOf returns the bits of those `scopes` that the policy knows; others have none. Does not allocate.
  ScopeMask MaskOf(std::span<const std::string_view> scopes) const;

  // Permits says whether `held` has all scopes that the tool needs.
  bool Permits(const CompiledTool& tool, const ScopeMask& held) const {
    const ScopeMask& needed = needed_[tool.scopes];
    uint64_t lacking = 0;
    for (size_t i = 0; i < held.size(); ++i) lacking |= needed[i] & ~held[i];
    return lacking == 0;
  }

 private:
  struct Compiled;
  explicit CompiledPolicy(Compiled compiled);
  static Compiled Compile(const Policy& policy);

  absl::flat_hash_map<std::string, uint32_t> scope_bits_;
  ToolTable table_;
  // By CompiledTool::scopes: few different sets are needed by many tools, so that they stay at hand.
  std::vector<ScopeMask> needed_;
  std::vector<std::string> scope_texts_;
};

}  // namespace tollgate::policy
