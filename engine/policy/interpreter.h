#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "policy/caller.h"
#include "tollgate/policy.h"
#include "tollgate/reason.h"

namespace tollgate::policy {

// Interpreter decides from the rules as they stand, slowly and step by step: for people, who want to know
// why, and as the measure of CompiledPolicy, with which it shares no code but ResourcePattern.

// Target is what somebody wants to use, and where.
struct Target {
  std::string_view server{};  // ResourceConfig::uri.
  McpObject object = McpObject::kTool;
  std::string_view name{};
};

// Step is one thing that was looked at, in this order: the rule, kind of principal, kind of credential,
// sender constraint, lifetime, roles, predicates, authentication, scopes.
struct Step {
  Reason reason = Reason::kNone;  // kNone: as it should be.
  std::string text{};             // For people, one line: what is needed, and what the caller has.
};

struct Interpretation {
  Reason reason = Reason::kUndecided;  // Of the first step that is not as it should be; kNone.
  const AccessRule* rule = nullptr;    // Null: none names the target. Points into the policy.
  const SensitivityClass* sensitivity = nullptr;
  std::vector<Step> steps{};               // All of them, also behind the first that fails.
  std::vector<std::string> held_scopes{};  // That the policy names, by whatever way; sorted.
  std::vector<std::string> held_roles{};   // The policy's, sorted.
};

// Interpret says what `policy` makes of `caller` at `target`, but for what depends on the moment: the token's
// age and what its issuer says.
Interpretation Interpret(const Policy& policy, const Caller& caller, const Target& target);

// RuleFor returns the rule that counts for `target`: null if there is none.
const AccessRule* RuleFor(const Policy& policy, const Target& target);

}  // namespace tollgate::policy
