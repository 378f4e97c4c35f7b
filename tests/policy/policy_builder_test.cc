#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "tollgate/policy.h"

namespace tollgate {
namespace {

using testing::HasSubstr;

TEST(PolicyBuilderTest, KeepsTheRules) {
  PolicyBuilder builder;
  builder.AddRule({.name = "search", .scopes = {"files:read"}})
      .AddRule({.name = "ping", .any_valid_token = true, .sensitivity = "privileged"});
  const absl::StatusOr<Policy> policy = builder.Build();
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(policy->rules().size(), 2u);
  EXPECT_EQ(policy->classes().size(), 3u);
}

TEST(PolicyBuilderTest, AddClassReplacesOneOfTheSameName) {
  PolicyBuilder builder;
  builder.AddClass({.name = "read", .token_age_max_s = 60}).AddRule({.name = "t", .any_valid_token = true});
  const absl::StatusOr<Policy> policy = builder.Build();
  ASSERT_TRUE(policy.ok());
  EXPECT_EQ(policy->classes().size(), 3u);
  EXPECT_EQ(policy->classes()[0].token_age_max_s, 60);
}

struct Mistake {
  const char* why;
  std::function<void(PolicyBuilder&)> make;
};

class PolicyMistakeTest : public testing::TestWithParam<Mistake> {};

TEST_P(PolicyMistakeTest, IsRefusedInOneLine) {
  PolicyBuilder builder;
  GetParam().make(builder);
  const absl::StatusOr<Policy> policy = builder.Build();
  ASSERT_FALSE(policy.ok());
  const std::string message(policy.status().message());
  EXPECT_THAT(message, HasSubstr(GetParam().why));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

AccessRule Rule(std::string tool, std::vector<std::string> scopes) {
  return {.name = std::move(tool), .scopes = std::move(scopes)};
}

INSTANTIATE_TEST_SUITE_P(
    All, PolicyMistakeTest,
    testing::Values(
        Mistake{"no tool", [](PolicyBuilder&) {}},
        Mistake{"name", [](PolicyBuilder& b) { b.AddRule(Rule("", {"s"})); }},
        Mistake{"name", [](PolicyBuilder& b) { b.AddRule(Rule(std::string(257, 't'), {"s"})); }},
        Mistake{"\"t\" is named twice",
                [](PolicyBuilder& b) { b.AddRule(Rule("t", {"s"})).AddRule(Rule("t", {"s"})); }},
        // An empty list must not come to mean "everybody" by accident.
        Mistake{"needs scopes", [](PolicyBuilder& b) { b.AddRule(Rule("t", {})); }},
        Mistake{"both",
                [](PolicyBuilder& b) { b.AddRule({.name = "t", .scopes = {"s"}, .any_valid_token = true}); }},
        Mistake{"no token can carry", [](PolicyBuilder& b) { b.AddRule(Rule("t", {"a b"})); }},
        Mistake{"no token can carry", [](PolicyBuilder& b) { b.AddRule(Rule("t", {""})); }},
        Mistake{"no token can carry", [](PolicyBuilder& b) { b.AddRule(Rule("t", {"a\"b"})); }},
        Mistake{"unknown class",
                [](PolicyBuilder& b) { b.AddRule({.name = "t", .scopes = {"s"}, .sensitivity = "x"}); }},
        Mistake{"negative",
                [](PolicyBuilder& b) {
                  b.AddClass({.name = "c", .token_age_max_s = -1}).AddRule(Rule("t", {"s"}));
                }},
        Mistake{"no name", [](PolicyBuilder& b) { b.AddClass({.name = ""}).AddRule(Rule("t", {"s"})); }},
        // As a file writes it, where it would come to mean all.
        Mistake{"is for a server \"*\"",
                [](PolicyBuilder& b) { b.AddRule({.name = "t", .scopes = {"s"}, .server = "*"}); }},
        Mistake{"2048 different scopes",
                [](PolicyBuilder& b) {
                  for (int i = 0; i < 2049; ++i) b.AddScope({.scope = "s" + std::to_string(i)});
                  b.AddRule(Rule("t", {"s1"}));
                }},
        Mistake{"2048 different scopes",
                [](PolicyBuilder& b) {
                  for (int i = 0; i < 2049; ++i)
                    b.AddRule(Rule("t" + std::to_string(i), {"s" + std::to_string(i)}));
                }},
        Mistake{"16384 tools", [](PolicyBuilder& b) {
                  for (int i = 0; i < 16385; ++i) b.AddRule(Rule("t" + std::to_string(i), {"s"}));
                }}));

}  // namespace
}  // namespace tollgate
