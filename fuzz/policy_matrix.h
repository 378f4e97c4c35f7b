#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "policy/caller.h"
#include "tollgate/policy.h"

namespace tollgate::fuzz {

// PolicyMatrix is a policy and callers, chosen by bytes from few names, so that they often meet. Any bytes
// choose something.
class PolicyMatrix {
 public:
  // Of several `groups` there are so many times as many names and rules, and no rule that makes a policy a
  // bad one. At most 20.
  explicit PolicyMatrix(std::string_view bytes, size_t groups = 1);
  PolicyMatrix(const PolicyMatrix&) = delete;
  PolicyMatrix& operator=(const PolicyMatrix&) = delete;

  struct Holder {
    policy::Caller View() const;  // As long as this, and its matrix.

    std::string issuer, profile, acr;
    PrincipalKind kind = PrincipalKind::kUser;
    CredentialKind credential = CredentialKind::kJwt;
    std::vector<std::string_view> scopes, roles, amr;
    struct Value {
      policy::Claim claim;
      std::vector<std::string_view> values;
    };
    std::vector<Value> values;
    std::vector<policy::Claim> claims;
    int64_t lifetime_s = 0;
    bool scope_wildcards = false;
  };

  const PolicyBuilder& builder() const { return builder_; }
  const std::vector<Holder>& holders() const { return holders_; }
  // Names are what may be asked for: some are in no rule.
  const std::vector<std::string>& Names(McpObject object) const {
    return object == McpObject::kResource ? uris_ : names_;
  }
  // Servers of an engine: one has no rules of its own, and there are rules for one that is not among them.
  static const std::vector<std::string>& Servers();

 private:
  class Chooser;
  AccessRule ChooseRule(Chooser& choose) const;
  Holder ChooseHolder(Chooser& choose) const;

  const std::vector<std::string> names_, uris_, scopes_, roles_, role_values_;
  PolicyBuilder builder_;
  std::vector<Holder> holders_;
};

}  // namespace tollgate::fuzz
