#include "tools/cli/policy_core.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace tollgate::cli {
namespace {

template <typename Value>
std::vector<Value> Sorted(std::vector<Value> values) {
  std::sort(values.begin(), values.end());
  return values;
}

}  // namespace

PolicyCore::PolicyCore(const Policy& policy) {
  PolicyBuilder builder;
  for (const SensitivityClass& sensitivity : policy.classes()) {
    builder.AddClass({.name = sensitivity.name,
                      .principals = sensitivity.principals,
                      .sender_constraint = sensitivity.sender_constraint});
  }
  for (const ScopeRule& scope : policy.scopes()) builder.AddScope(scope);
  for (const RoleRule& role : policy.roles())
    builder.AddRole({.role = role.role, .scopes = role.scopes, .principals = role.principals});

  std::map<
      std::tuple<std::string, std::vector<std::string>, std::vector<std::string>, std::vector<PrincipalKind>>,
      size_t>
      needs;
  for (const AccessRule& rule : policy.rules()) {
    const auto [need, is_new] = needs.try_emplace(
        {rule.sensitivity, Sorted(rule.scopes), Sorted(rule.roles), Sorted(rule.principals)}, needs.size());
    need_by_rule_.push_back(need->second);
    if (!is_new) continue;
    builder.AddRule({.name = std::to_string(need->second),
                     .scopes = rule.scopes,
                     .any_valid_token = rule.any_valid_token,
                     .sensitivity = rule.sensitivity,
                     .roles = rule.roles,
                     .principals = rule.principals});
  }
  policy_ = *builder.Build();  // What is left of a valid policy is one.
}

policy::Held PolicyCore::HeldBy(PrincipalKind kind, std::span<const std::string_view> roles,
                                std::span<const std::string_view> scopes) const {
  return policy::HeldBy(policy_, {.kind = kind, .scopes = scopes, .roles = roles});
}

bool PolicyCore::Allows(size_t need, PrincipalKind kind, const policy::Held& held) const {
  return policy::InterpretRule(policy_, {.kind = kind}, held, rule(need)).reason == Reason::kNone;
}

}  // namespace tollgate::cli
