#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "tollgate/policy.h"

namespace tollgate::cli {

enum class IdentityProvider : uint8_t { kKeycloak, kOkta, kEntra, kAuth0 };
std::optional<IdentityProvider> IdentityProviderFromName(std::string_view name);

// PolicyExport is what an identity provider has to define, so that its tokens can have what a policy asks
// for: every scope that the policy names, and every role under the name that this provider's tokens have it.
struct PolicyExport {
  nlohmann::ordered_json json{};
  std::vector<std::string> left_out{};  // One line for each scope or role that is not in it, and why.
};

// ExportPolicy: of a role's names these count that are said of all issuers, of a profile of this provider, or
// of `issuer`, which may be empty.
PolicyExport ExportPolicy(const Policy& policy, IdentityProvider provider, std::string_view issuer);

}  // namespace tollgate::cli
