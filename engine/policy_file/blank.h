#pragma once

#include "tollgate/policy.h"

namespace tollgate::policy_file {

// Blank is what every file begins with: the built-in classes, and the rules of PolicyBuilder::AddProtocol for
// all servers.
const Policy& Blank();

}  // namespace tollgate::policy_file
