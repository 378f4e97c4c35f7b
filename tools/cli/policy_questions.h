#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "policy/caller.h"
#include "policy/interpreter.h"
#include "tollgate/policy.h"
#include "tools/cli/policy_demands.h"

// What people ask of policies, beside why somebody is allowed or denied something: that is
// policy::Interpret's.
namespace tollgate::cli {

// Holders are callers of these kinds who have these roles and scopes, by their names in the policy, and
// nothing else; and who meet every demand that is none of these.
struct Holders {
  std::vector<PrincipalKind> kinds{};
  std::vector<std::string> roles{};
  std::vector<std::string> scopes{};

  friend bool operator==(const Holders&, const Holders&) = default;
};

// ObjectDiff is what an edit does to a tool, prompt, resource or method.
struct ObjectDiff {
  McpObject object = McpObject::kTool;
  std::string name{};
  std::string server{};  // Empty: at every server that has no rule of its own for it.
  bool before = false;   // Some rule is there for it.
  bool after = false;
  std::vector<Holders> gains{};
  std::vector<Holders> loses{};
  std::vector<DemandChange> demands{};
};

// PartDiff is what an edit does to a class, or to what tokens call a role.
struct PartDiff {
  std::string name{};
  std::vector<DemandChange> demands{};
};

struct PolicyDiff {
  std::vector<ObjectDiff> objects{};  // By server, kind of object and name.
  std::vector<PartDiff> classes{};    // Those that both have and use.
  std::vector<PartDiff> roles{};

  bool empty() const { return objects.empty() && classes.empty() && roles.empty(); }
};

// Diff says who may use what after an edit and could not before, and the other way round: of callers with
// nothing, with one role, with one scope, and, for each object, with just what it needs before or after. And
// which demands have become stronger or weaker. Empty if the edit changes none of these, whatever the text.
PolicyDiff Diff(const Policy& before, const Policy& after);

// Reached is something that a credential may use.
struct Reached {
  const AccessRule* rule = nullptr;       // Points into the policy.
  std::vector<std::string> except{};      // Servers that have a rule of their own for it, of a rule for all.
  std::vector<std::string> conditions{};  // What else must be so; for people.
};

struct Reach {
  policy::Held held{};
  std::vector<Reached> objects{};           // In the order of the rules.
  std::map<std::string, size_t> systems{};  // Behind how many of them each downstream system is.
};

// ReachOf says what `caller` may use, but for what depends on the moment.
Reach ReachOf(const Policy& policy, const policy::Caller& caller);

// ReachOfHolder says what somebody of this kind with these roles and scopes, by their names in the policy,
// may use at most: whatever else is demanded is told as a condition. InvalidArgument if the policy has no
// such role or scope.
absl::StatusOr<Reach> ReachOfHolder(const Policy& policy, PrincipalKind kind,
                                    const std::vector<std::string>& roles,
                                    const std::vector<std::string>& scopes);

// Hint says where else there are rules for what none was found for, or which names are near; empty: there is
// nothing to say.
std::string Hint(const Policy& policy, const policy::Target& target);

}  // namespace tollgate::cli
