#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tollgate/policy.h"

// What rules demand: which of two demands more, and what they demand beside roles and scopes.
namespace tollgate::cli {

// Change is what an edit does to one demand.
enum class Change : uint8_t { kStronger, kWeaker, kOther };

struct DemandChange {
  Change change = Change::kOther;
  std::string member{};  // As AccessRule, SensitivityClass or RoleRule names it.
  std::string before{}, after{};

  friend bool operator==(const DemandChange&, const DemandChange&) = default;
};

// CompareRules compares the rules for one thing. Needs that are written otherwise count if they are
// `other_needs`, for somebody.
std::vector<DemandChange> CompareRules(const Policy& before, const AccessRule& a, const Policy& after,
                                       const AccessRule& b, bool other_needs);

// CompareClasses compares a class that both have.
std::vector<DemandChange> CompareClasses(const Policy& before, const Policy& after, std::string_view name);

// CompareSources compares what tokens call a role: whoever has one of these names, has it.
std::vector<DemandChange> CompareSources(const std::vector<std::string>& before,
                                         const std::vector<std::string>& after);

// ConditionsOf says what a rule demands beside roles, scopes and kinds of principals, for people; of a caller
// whose claims are known, only what depends on the moment.
std::vector<std::string> ConditionsOf(const Policy& policy, const AccessRule& rule, bool claims_known);

}  // namespace tollgate::cli
