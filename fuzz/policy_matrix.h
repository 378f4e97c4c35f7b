#pragma once

#include <cstddef>
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
  explicit PolicyMatrix(std::string_view bytes);

  struct Holder {
    policy::Caller View() const;  // As long as this.

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
  static const std::vector<std::string>& Servers();
  static const std::vector<std::string>& Names(McpObject object);  // Some are in no rule.

 private:
  class Chooser;
  PolicyBuilder builder_;
  std::vector<Holder> holders_;
};

}  // namespace tollgate::fuzz
