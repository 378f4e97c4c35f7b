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

// Holding is a scope or a role of the policy that a caller has.
struct Holding {
  std::string name{};
  std::string through{};  // For people: what it comes from first of all, "the token" or "role admin".

  friend bool operator==(const Holding&, const Holding&) = default;
};

// Held is all that a caller has of what the policy names, by whatever way; sorted by name.
struct Held {
  std::vector<Holding> scopes{};
  std::vector<Holding> roles{};
};

struct Interpretation {
  Reason reason = Reason::kUndecided;  // Of the first step that is not as it should be; kNone.
  const AccessRule* rule = nullptr;    // Null: none names the target. Points into the policy.
  const SensitivityClass* sensitivity = nullptr;
  std::vector<Step> steps{};               // All of them, also behind the first that fails.
  std::vector<std::string> held_scopes{};  // Names of Held.
  std::vector<std::string> held_roles{};
};

// HeldBy says what `caller` has: roles that the token has under a name that the policy takes for them;
// and scopes that the token has exactly, and all that follows from these and from the roles. A `*` at the end
// of a scope stands for its matches where the policy gives it, by a role or an implication, but of a token
// only with Caller::scope_wildcards.
Held HeldBy(const Policy& policy, const Caller& caller);

// Interpret says what `policy` makes of `caller` at `target`, but for what depends on the moment: the token's
// age and what its issuer says.
Interpretation Interpret(const Policy& policy, const Caller& caller, const Target& target);

// InterpretRule is Interpret for what `rule`, one of the policy's, decides; `held` is HeldBy.
Interpretation InterpretRule(const Policy& policy, const Caller& caller, const Held& held,
                             const AccessRule& rule);

// RuleFor returns the rule that counts for `target`, null if there is none: one for its server before one for
// all; of resources an exact one before a template, and that before a prefix; of these the one with the most
// literal text; and of these the first.
const AccessRule* RuleFor(const Policy& policy, const Target& target);

}  // namespace tollgate::policy
