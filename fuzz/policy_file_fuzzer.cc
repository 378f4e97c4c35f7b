// policy_file: what is written of a policy is read as that policy; every complaint says where it stands
//
// Functions: ParsePolicy, FormatPolicy. Property: a file is refused exactly if there is an error among what
// is said of it; each place lies within the file, in its order, and each message is one line of UTF-8. What
// is written of a policy is read as the same policy and written alike again: of the one that the input is as
// a file, and of the one that it chooses (policy_matrix.h).

#include <algorithm>
#include <string>
#include <tuple>
#include <vector>

#include "fuzz/fuzz.h"
#include "fuzz/policy_matrix.h"
#include "policy_file/text.h"
#include "tests/policy_file/same_policy.h"
#include "tollgate/policy_file.h"

namespace tollgate::fuzz {
namespace {

// Sorted are the rules in an order of their own: a file's may be another than a builder's.
std::vector<AccessRule> Sorted(std::vector<AccessRule> rules) {
  std::sort(rules.begin(), rules.end(), [](const AccessRule& a, const AccessRule& b) {
    return std::tie(a.server, a.object, a.name) < std::tie(b.server, b.object, b.name);
  });
  return rules;
}

void ExpectRoundTrip(const Policy& policy) {
  const std::string file = FormatPolicy(policy);
  const absl::StatusOr<Policy> read = ParsePolicy(file);
  Expect(read.ok(), "what is written can be read");
  Expect(Same(read->classes(), policy.classes()), "the same classes");
  Expect(Same(read->scopes(), policy.scopes()), "the same scopes");
  Expect(Same(read->roles(), policy.roles()), "the same roles");
  Expect(Same(Sorted(read->rules()), Sorted(policy.rules())), "the same rules");
  Expect(FormatPolicy(*read) == file, "written alike again");
}

bool IsUtf8(std::string_view text) {
  uint32_t character;
  while (!text.empty()) {
    if (!policy_file::NextCharacter(&text, &character)) return false;
  }
  return true;
}

void ExpectGoodFindings(std::string_view yaml, const std::vector<PolicyFileFinding>& findings) {
  const auto lines = static_cast<size_t>(std::count(yaml.begin(), yaml.end(), '\n')) + 1;
  const PolicyFileFinding* before = nullptr;
  for (const PolicyFileFinding& finding : findings) {
    Expect(finding.line >= 1 && finding.line <= lines + 1, "a line of the file, or its end");
    Expect(finding.column >= 1 && finding.column <= yaml.size() + 2, "a column of the file");
    Expect(!finding.message.empty() && std::none_of(finding.message.begin(), finding.message.end(),
                                                    [](char c) { return c >= 0 && c < ' '; }),
           "a message is one line");
    Expect(IsUtf8(finding.message), "a message is UTF-8");
    Expect(
        before == nullptr || std::tie(before->line, before->column) <= std::tie(finding.line, finding.column),
        "in the order of the file");
    before = &finding;
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  if (const absl::StatusOr<Policy> chosen = PolicyMatrix(input).builder().Build(); chosen.ok()) {
    ExpectRoundTrip(*chosen);
  }
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<Policy> policy = ParsePolicy(input, &findings);
  ExpectGoodFindings(input, findings);
  const bool has_error = std::any_of(findings.begin(), findings.end(),
                                     [](const PolicyFileFinding& finding) { return finding.is_error; });
  Expect(policy.ok() == !has_error, "refused exactly if there is an error");
  if (policy.ok()) ExpectRoundTrip(*policy);
  return policy.ok();
}

}  // namespace tollgate::fuzz
