#include "tools/cli/policy_scopes.h"

#include <string_view>

#include "policy/caller.h"
#include "policy/interpreter.h"

namespace tollgate::cli {

std::vector<std::string> ScopesFrom(const Policy& policy, const std::vector<std::string>& given) {
  const std::vector<std::string_view> scopes(given.begin(), given.end());
  // What a policy gives, patterns too, is what a token would have of an issuer with wildcards.
  const policy::Held held = policy::HeldBy(policy, {.scopes = scopes, .scope_wildcards = true});
  std::vector<std::string> names;
  for (const policy::Holding& holding : held.scopes) names.push_back(holding.name);
  return names;
}

}  // namespace tollgate::cli
