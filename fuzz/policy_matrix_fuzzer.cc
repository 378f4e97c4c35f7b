// policy_matrix: a compiled policy answers as its rules do, read one by one
//
// Functions: PolicyBuilder::Build, policy::CompiledPolicy, policy::GrantSets, policy::Interpret,
// policy::WriteGrants and GrantsReader. The input chooses a policy and callers (policy_matrix.h). Property:
// for every caller, server and object, the compiled policy says what the interpreter says; its sets do, too;
// and what is kept of a caller says the same as the caller (policy_agreement.h).

#include <map>
#include <string>

#include "fuzz/fuzz.h"
#include "fuzz/policy_agreement.h"
#include "fuzz/policy_matrix.h"

namespace tollgate::fuzz {

bool Accepts(std::string_view input) {
  const PolicyMatrix matrix(input);
  const absl::StatusOr<Policy> policy = matrix.builder().Build();
  if (!policy.ok()) return false;
  std::map<Reason, size_t> answers;
  const std::string difference = Disagreement(matrix, *policy, &answers);
  Expect(difference.empty(), difference.c_str());
  return true;
}

}  // namespace tollgate::fuzz
