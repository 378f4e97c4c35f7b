#pragma once

#include <cstddef>
#include <map>
#include <string>

#include "fuzz/policy_matrix.h"
#include "tollgate/policy.h"
#include "tollgate/reason.h"

namespace tollgate::fuzz {

// Disagreement holds `policy`, compiled, against its rules, read one by one (policy/interpreter.h): for every
// caller, server and name of the matrix that it was built of, the same rule counts and the same is wrong
// first; sets of grants say the same, and what is kept of a caller says what the caller does. Returns the
// first difference, "" if there is none; counts the answers.
std::string Disagreement(const PolicyMatrix& matrix, const Policy& policy, std::map<Reason, size_t>* answers);

}  // namespace tollgate::fuzz
