#include "policy/compiled_policy.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "policy/scope_sets.h"

namespace tollgate::policy {
namespace {

using Scopes = std::vector<std::string_view>;

Policy Make(const std::vector<AccessRule>& rules) {
  PolicyBuilder builder;
  for (const AccessRule& rule : rules) builder.AddRule(rule);
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

bool Allows(const CompiledPolicy& policy, std::string_view tool, const Scopes& held) {
  const CompiledTool* found = policy.FindTool(tool);
  return found != nullptr && policy.Permits(*found, policy.MaskOf(held));
}

TEST(CompiledPolicyTest, AllScopesOfAToolAreNeeded) {
  const CompiledPolicy policy(Make({{.tool = "delete", .scopes = {"r", "w"}}}));
  EXPECT_TRUE(Allows(policy, "delete", {"w", "x", "r"}));
  EXPECT_FALSE(Allows(policy, "delete", {"r"}));
  EXPECT_FALSE(Allows(policy, "delete", {}));
  EXPECT_FALSE(Allows(policy, "nonesuch", {"r", "w"}));
}

TEST(CompiledPolicyTest, ScopesAndToolsAreComparedExactly) {
  const CompiledPolicy policy(Make({{.tool = "t", .scopes = {"files:read"}}}));
  for (const char* near : {"files:*", "*", "files:rea", "files:read2", "FILES:READ", "files"}) {
    EXPECT_FALSE(Allows(policy, "t", {near})) << near;
  }
  EXPECT_FALSE(Allows(policy, "T", {"files:read"}));
  EXPECT_FALSE(Allows(policy, std::string_view("t\0", 2), {"files:read"}));
}

TEST(CompiledPolicyTest, EachOf256ScopesHasABitOfItsOwn) {
  std::vector<AccessRule> rules;
  std::vector<std::string> scopes;
  for (int i = 0; i < 256; ++i) {
    scopes.push_back("s" + std::to_string(i));
    rules.push_back({.tool = "t" + std::to_string(i), .scopes = {scopes.back()}});
  }
  const CompiledPolicy policy(Make(rules));
  for (int tool = 0; tool < 256; ++tool) {
    for (int held = 0; held < 256; ++held) {
      ASSERT_EQ(Allows(policy, rules[tool].tool, {scopes[held]}), tool == held) << tool << " " << held;
    }
  }
}

TEST(CompiledPolicyTest, KnowsTheScopesForAChallengeAndTheDemandsOfTheClass) {
  PolicyBuilder builder;
  builder.AddClass({.name = "top", .mode = ValidationMode::kIntrospect, .token_age_max_s = 900});
  builder.AddRule({.name = "pay", .scopes = {"pay", "read", "pay"}, .sensitivity = "top"});
  builder.AddRule({.name = "ping", .any_valid_token = true});
  const CompiledPolicy policy(*builder.Build());
  const CompiledTool* pay = policy.FindTool("pay");
  ASSERT_NE(pay, nullptr);
  EXPECT_EQ(policy.ScopesOf(*pay), "pay read");
  EXPECT_EQ(pay->mode, ValidationMode::kIntrospect);
  EXPECT_EQ(pay->token_age_max_s, 900);
  EXPECT_TRUE(Allows(policy, "ping", {}));
}

class ScopeSetsTest : public testing::Test {
 protected:
  const CompiledPolicy policy_{Make({{.tool = "t", .scopes = {"a", "b"}}})};
  ScopeSets sets_{policy_};
};

TEST_F(ScopeSetsTest, OneSetHasOneNumberInWhateverOrder) {
  const auto ab = sets_.Intern(Scopes{"b", "a"});
  ASSERT_TRUE(ab.has_value());
  EXPECT_EQ(sets_.Intern(Scopes{"a", "b"}), ab);
  EXPECT_EQ(sets_.Intern(Scopes{"a", "b", "a"}), ab);
  EXPECT_EQ(sets_.Text(*ab).view(), "a b");
  EXPECT_NE(sets_.Intern(Scopes{"a"}), ab);
  EXPECT_NE(sets_.Intern(Scopes{}), ab);
  EXPECT_EQ(sets_.size(), 3u);
}

TEST_F(ScopeSetsTest, MasksAreThoseOfThePolicy) {
  const Scopes held = {"a", "z"};
  const auto set = sets_.Intern(held);
  ASSERT_TRUE(set.has_value());
  EXPECT_EQ(sets_.Mask(*set), policy_.MaskOf(held));
}

TEST_F(ScopeSetsTest, IsBoundedInSetsAndKeepsThoseItHas) {
  const auto first = sets_.Intern(Scopes{"a"});
  std::vector<std::string> names;
  for (int i = 0; i < 5000; ++i) names.push_back("s" + std::to_string(i));
  size_t refused = 0;
  for (const std::string& name : names) refused += !sets_.Intern(Scopes{name}).has_value();
  EXPECT_EQ(sets_.size(), 4096u);
  EXPECT_EQ(refused, 5001u - 4096u);
  EXPECT_EQ(sets_.Intern(Scopes{"a"}), first);
}

TEST_F(ScopeSetsTest, IsBoundedInBytes) {
  size_t refused = 0;
  for (int i = 0; i < 2000; ++i) {
    const std::string name = std::to_string(i) + std::string(1000, 'x');
    refused += !sets_.Intern(Scopes{name}).has_value();
  }
  EXPECT_GT(refused, 900u);
  EXPECT_LT(refused, 1100u);
}

}  // namespace
}  // namespace tollgate::policy
