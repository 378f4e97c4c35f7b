#pragma once

#include <algorithm>
#include <tuple>
#include <vector>

#include "tollgate/policy.h"

namespace tollgate {

// Same compares two policies member by member. The bindings name every member there is: one more, and this
// does not compile.

inline bool Same(const SensitivityClass& a, const SensitivityClass& b) {
  const auto tie = [](const SensitivityClass& of) {
    const auto& [name, mode, age, introspection_age, outage, last_known, lifetime, acr, amr, principals,
                 credentials, sender_constraint, audit] = of;
    return std::tie(name, mode, age, introspection_age, outage, last_known, lifetime, acr, amr, principals,
                    credentials, sender_constraint, audit);
  };
  return tie(a) == tie(b);
}

inline bool Same(const ScopeRule& a, const ScopeRule& b) {
  const auto tie = [](const ScopeRule& of) {
    const auto& [scope, implies] = of;
    return std::tie(scope, implies);
  };
  return tie(a) == tie(b);
}

inline bool Same(const RoleRule::Source& a, const RoleRule::Source& b) {
  const auto tie = [](const RoleRule::Source& of) {
    const auto& [issuer, value] = of;
    return std::tie(issuer, value);
  };
  return tie(a) == tie(b);
}

inline bool Same(const Predicate& a, const Predicate& b) {
  const auto tie = [](const Predicate& of) {
    const auto& [claim, operation, values] = of;
    return std::tie(claim, operation, values);
  };
  return tie(a) == tie(b);
}

template <typename Part>
bool Same(const std::vector<Part>& a, const std::vector<Part>& b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [](const Part& one, const Part& other) { return Same(one, other); });
}

inline bool Same(const RoleRule& a, const RoleRule& b) {
  const auto tie = [](const RoleRule& of) {
    const auto& [role, scopes, principals, from] = of;
    static_cast<void>(from);
    return std::tie(role, scopes, principals);
  };
  return tie(a) == tie(b) && Same(a.from, b.from);
}

inline bool Same(const AccessRule& a, const AccessRule& b) {
  const auto tie = [](const AccessRule& of) {
    const auto& [name, scopes, any_valid_token, sensitivity, object, server, roles, principals, predicates,
                 systems] = of;
    static_cast<void>(predicates);
    return std::tie(name, scopes, any_valid_token, sensitivity, object, server, roles, principals, systems);
  };
  return tie(a) == tie(b) && Same(a.predicates, b.predicates);
}

inline bool Same(const Policy& a, const Policy& b) {
  return Same(a.classes(), b.classes()) && Same(a.scopes(), b.scopes()) && Same(a.roles(), b.roles()) &&
         Same(a.rules(), b.rules());
}

}  // namespace tollgate
