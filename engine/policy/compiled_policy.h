#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "base/limits.h"
#include "base/marks.h"
#include "policy/caller.h"
#include "policy/resource_pattern.h"
#include "policy/text_hash.h"
#include "policy/tool_table.h"
#include "tollgate/policy.h"
#include "tollgate/reason.h"

namespace tollgate::policy {

// GrantMask is what a policy makes of a caller: a bit for each thing that some rule asks for, set if the
// caller has it.
using GrantMask = std::vector<uint64_t>;

// BytesOf is a mask as it is kept with others.
inline std::string_view BytesOf(const GrantMask& mask) {
  return {reinterpret_cast<const char*>(mask.data()), mask.size() * sizeof mask[0]};
}

// CompiledPolicy answers by one table probe and one bit test. Immutable. Thread-safe.
class CompiledPolicy {
 public:
  // `servers` are the URIs of the resources, in the order of their ResourceIds; rules for others are left
  // out.
  CompiledPolicy(const Policy& policy, std::span<const std::string> servers);
  CompiledPolicy(const CompiledPolicy&) = delete;
  CompiledPolicy& operator=(const CompiledPolicy&) = delete;

  // FindTool returns what the policy has of the tool, or other object, of this name at a server; null for
  // what no rule names. Valid as long as the policy. Does not allocate.
  const CompiledTool* FindTool(size_t server, McpObject object, std::string_view name) const;

  // FetchCandidate begins to fetch the only tool that may have this name, for IsCandidate; null for
  // resources, and for names that are very short or long, as nearly none is. Valid as long as the policy.
  TOLLGATE_INLINE const CompiledTool* FetchCandidate(size_t server, McpObject object,
                                                     std::string_view name) const {
    if (object == McpObject::kResource || !ToolTable::IsUsual(name)) [[unlikely]]
      return nullptr;
    const CompiledTool* const candidate = &TableOf(server, object).Candidate(name);
    __builtin_prefetch(candidate);
    return candidate;
  }
  // IsCandidate tells whether what FetchCandidate returned for `name` is what FindTool would.
  static TOLLGATE_INLINE bool IsCandidate(const CompiledTool* candidate, std::string_view name) {
    return candidate != nullptr && ToolTable::HasUsual(*candidate, name);
  }

  // ScopesOf returns all scopes that a tool of this policy needs, space-delimited, for challenges; AcrOf the
  // authentication context classes, one of which it needs. Valid as long as the policy.
  std::string_view ScopesOf(const CompiledTool& tool) const { return requirements_[tool.requirement].scopes; }
  std::string_view AcrOf(const CompiledTool& tool) const { return requirements_[tool.requirement].acr; }

  // SensitivityOf returns the name of a tool's class. Valid as long as the policy.
  std::string_view SensitivityOf(const CompiledTool& tool) const { return class_names_[tool.sensitivity]; }

  // Evaluate finds out what the policy makes of a caller. Allocates only what the mask grows, and what its
  // scope_text keeps; linear in what the token carries, and in the conditions of the policy.
  void Evaluate(const Caller& caller, GrantMask* mask) const;

  // Lacking returns what is wrong first, in the order of the reasons: kNone if nothing is. Does not allocate.
  Reason Lacking(uint32_t requirement, const GrantMask& mask) const {
    return Lacking(requirement, BytesOf(mask));
  }
  Reason Lacking(uint32_t requirement, std::string_view mask_bytes) const;

  size_t num_words() const { return (num_bits_ + 63) / 64; }  // Of a mask.
  size_t num_requirements() const { return requirements_.size(); }
  // The claims that its predicates look at.
  const std::vector<std::string>& claims() const { return claims_; }

 private:
  // Need is one bit of a mask, and what is wrong where it is not set.
  struct Need {
    uint32_t bit;
    Reason reason;
    friend bool operator==(const Need&, const Need&) = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Need& need) {
      return H::combine(std::move(hash), need.bit, need.reason);
    }
  };
  struct Requirement {
    std::vector<Need> needs;  // In the order of the reasons.
    std::string scopes;
    std::string acr;
  };
  // Condition is what one bit says that is no scope and no role.
  struct Condition {
    enum class Kind : uint8_t {
      kNever,
      kPrincipals,
      kCredentials,
      kLifetime,
      kRoles,
      kPredicate,
      kAcr,
      kAmr
    };
    Kind kind = Kind::kNever;
    uint64_t number = 0;  // Kinds, a bit each; the lifetime in seconds; the operator.
    std::string claim{};
    std::vector<std::string> values{};
    std::vector<uint32_t> roles{};  // Their bits.
    friend bool operator==(const Condition&, const Condition&) = default;
    template <typename H>
    friend H AbslHashValue(H hash, const Condition& c) {
      return H::combine(std::move(hash), c.kind, c.number, c.claim, c.values, c.roles);
    }
  };
  struct RoleSource {
    std::string issuer;  // Empty: all.
    uint32_t role = 0;   // Its number.
  };
  struct Role {
    uint64_t principals = 0;  // Who gets its scopes, a bit each.
    GrantMask scopes;
  };
  // The resources that one group of rules names: those for a server, or those for all.
  struct Resources {
    absl::flat_hash_map<std::string, CompiledTool> exact;
    std::vector<std::pair<ResourcePattern, CompiledTool>> patterns;  // The first that matches counts.
  };
  class Compiler;

  // Methods, tools and prompts have a table each.
  static constexpr size_t kTables = 3;
  static_assert(static_cast<size_t>(McpObject::kResource) == kTables);
  TOLLGATE_INLINE const ToolTable& TableOf(size_t server, McpObject object) const {
    return tables_[rule_sets_[server] * kTables + static_cast<size_t>(object)];
  }
  const CompiledTool* FindResource(size_t server, std::string_view uri) const;
  // EvaluateScopes replaces *mask.
  void EvaluateScopes(const Caller& caller, GrantMask* mask) const;
  void AddScopes(const Caller& caller, GrantMask* mask) const;
  void AddRoles(const Caller& caller, GrantMask* mask) const;
  bool Holds(const Condition& condition, const Caller& caller, const GrantMask& mask) const;

  // Whoever has a token chooses nothing of what is in the table.
  struct ScopeHash {
    using is_transparent = void;
    size_t operator()(std::string_view scope) const { return HashText(0, scope); }
  };
  struct ScopeEqual {
    using is_transparent = void;
    bool operator()(std::string_view a, std::string_view b) const { return a == b; }
  };

  const uint64_t number_;  // Of no other policy in this process, at any time.
  size_t num_bits_ = 0;
  absl::flat_hash_map<std::string, uint32_t, ScopeHash, ScopeEqual> scope_bits_;
  std::vector<GrantMask> scope_closures_;  // By bit: what a token's own scope comes to.
  absl::flat_hash_map<std::string, std::vector<RoleSource>> role_sources_;  // By the value in a token.
  std::vector<Role> roles_;
  uint32_t first_role_bit_ = 0;
  std::vector<Condition> conditions_;
  uint32_t first_condition_bit_ = 0;
  std::vector<Requirement> requirements_;
  std::vector<std::string> claims_;
  std::vector<std::string> class_names_;
  // Servers that no rule names in particular share the first set of rules, that of those for all.
  std::array<uint8_t, limits::kResourcesMax> rule_sets_{};
  std::vector<ToolTable> tables_;
  std::vector<Resources> resources_;
};

}  // namespace tollgate::policy
