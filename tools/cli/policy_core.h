#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "policy/interpreter.h"
#include "tollgate/policy.h"

namespace tollgate::cli {

// PolicyCore is of a policy only who may use what: of each group of rules that need the same, one, without
// demands on claims, authentication, credential and lifetime; roles are called by their own names. Immutable.
// Thread-compatible.
class PolicyCore {
 public:
  explicit PolicyCore(const Policy& policy);

  // HeldBy is policy::HeldBy of somebody with these roles and scopes.
  policy::Held HeldBy(PrincipalKind kind, std::span<const std::string_view> roles,
                      std::span<const std::string_view> scopes) const;

  // NeedOf returns the group of the policy's rule at this position.
  size_t NeedOf(size_t rule) const { return need_by_rule_[rule]; }
  size_t num_needs() const { return policy_.rules().size(); }
  const AccessRule& rule(size_t need) const { return policy_.rules()[need]; }

  // Allows tells whether somebody of this kind who has `held` may use what is of this group.
  bool Allows(size_t need, PrincipalKind kind, const policy::Held& held) const;

 private:
  std::vector<size_t> need_by_rule_;
  Policy policy_;
};

}  // namespace tollgate::cli
