#pragma once

#include <string>
#include <vector>

#include "tollgate/policy.h"

namespace tollgate::cli {

// ScopesFrom returns all scopes of the policy that whoever is given these scopes or patterns by it holds,
// sorted.
std::vector<std::string> ScopesFrom(const Policy& policy, const std::vector<std::string>& given);

}  // namespace tollgate::cli
