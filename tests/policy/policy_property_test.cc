// Of random policies, callers and names: what is compiled answers as the rules do, read one by one. The fuzz
// target policy_matrix holds the same property, of policies with few rules.

#include <gtest/gtest.h>

#include <map>
#include <string>

#include "fuzz/policy_agreement.h"
#include "fuzz/policy_matrix.h"
#include "fuzz/random.h"
#include "tests/seeds.h"

namespace tollgate {
namespace {

TEST(PolicyPropertyTest, ACompiledPolicyAnswersAsItsRulesReadOneByOne) {
  std::map<Reason, size_t> answers;
  size_t num_policies = 0;
  const bool all = testing::ForEachSeed(4000, [&](uint64_t seed) {
    fuzz::Random random(seed);
    // Few names meet often; of many, masks and tables have several words.
    const size_t groups = random.OneIn(10) ? 2 + random.Below(19) : 1;
    std::string choices(1000 * groups, '\0');
    for (char& choice : choices) choice = static_cast<char>(random.Below(256));
    const fuzz::PolicyMatrix matrix(choices, groups);
    const absl::StatusOr<Policy> policy = matrix.builder().Build();
    EXPECT_TRUE(policy.ok() || groups == 1) << policy.status();
    if (!policy.ok()) return;
    ++num_policies;
    EXPECT_EQ(fuzz::Disagreement(matrix, *policy, &answers), "");
  });
  if (!all) return;
  EXPECT_GT(num_policies, 1000u);
  for (const Reason reason : {Reason::kNone, Reason::kUnknownTool, Reason::kPrincipalKindNotAllowed,
                              Reason::kCredentialKindNotAllowed, Reason::kSenderConstraintNeeded,
                              Reason::kLifetimeTooLongHere, Reason::kRoleMissing, Reason::kClaimNotAsNeeded,
                              Reason::kAuthenticationInsufficient, Reason::kInsufficientScope}) {
    EXPECT_GT(answers[reason], 1000u) << ReasonName(reason);
  }
}

}  // namespace
}  // namespace tollgate
