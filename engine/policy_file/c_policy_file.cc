#include <memory>

#include "base/c_abi.h"
#include "policy/c_policy.h"
#include "tollgate/c/policy_file.h"
#include "tollgate/policy_file.h"

tollgate_status tollgate_policy_from_yaml(tollgate_string yaml, tollgate_policy** policy,
                                          tollgate_error* error) noexcept {
  using namespace tollgate;
  if (policy != nullptr) *policy = nullptr;
  return c_abi::GuardedInEngine(error, [&]() -> absl::Status {
    if (policy == nullptr) return c_abi::NullArgument();
    c_abi::Texts texts;
    const std::string_view text = texts.View(yaml);
    if (!texts.good()) return c_abi::BadString();
    const absl::StatusOr<Policy> parsed = ParsePolicy(text);
    if (!parsed.ok()) return parsed.status();
    auto made = std::make_unique<tollgate_policy>();
    for (const SensitivityClass& one : parsed->classes()) made->builder.AddClass(one);
    for (const ScopeRule& one : parsed->scopes()) made->builder.AddScope(one);
    for (const RoleRule& one : parsed->roles()) made->builder.AddRole(one);
    for (const AccessRule& one : parsed->rules()) made->builder.AddRule(one);
    *policy = made.release();
    return absl::OkStatus();
  });
}
