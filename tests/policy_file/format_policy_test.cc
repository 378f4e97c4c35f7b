#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "tests/policy_file/same_policy.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using testing::HasSubstr;
using testing::Not;

// ExpectSame writes `policy` and reads it.
void ExpectSame(const Policy& policy) {
  const std::string file = FormatPolicy(policy);
  const absl::StatusOr<Policy> read = ParsePolicy(file);
  ASSERT_TRUE(read.ok()) << read.status() << "\n" << file;
  EXPECT_TRUE(Same(*read, policy)) << file;
  EXPECT_EQ(FormatPolicy(*read), file);
}

Policy Built(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : Policy();
}

TEST(FormatPolicyTest, WritesOneForm) {
  const char kFile[] = R"(version: 1
classes:
  privileged:
    token_lifetime_max: none
    acr: [urn:x:strong, "2"]
  payment:
    mode: introspect
    outage: {last_known: 5m}
    audit: must_record
  plain: {}
scopes:
  files:admin: ["files:*"]
  files:read: []
roles:
  sales: [files:read]
  chef:
    scopes: [files:admin]
    principals: [user]
    from:
      - {issuer: https://idp.example, value: crm-chef}
      - {value: boss}
servers:
  - uri: https://mcp.example/crm
    protocol: any_valid_token
    methods:
      ping: files:read
    tools:
      search: files:read
      both: [files:read, files:admin]
      open:
        any_valid_token: true
      refund:
        scopes: [files:read]
        roles: [chef, sales]
        class: payment
        principals: [user, agent]
        when:
          - {claim: /org/tier, in: [gold, "no"]}
          - {claim: email, prefix: [a@, b]}
          - {claim: level, equals: "3"}
          - {claim: groups, present: true}
        systems: [sap, "mail server"]
    prompts:
      "a: b": files:read
    resources:
      "crm://accounts/{id}": files:read
  - uri: "*"
    protocol: deny
    tools:
      search: files:read
)";
  const absl::StatusOr<Policy> policy = ParsePolicy(kFile);
  ASSERT_TRUE(policy.ok()) << policy.status();
  EXPECT_EQ(FormatPolicy(*policy), kFile);
  ExpectSame(*policy);
}

TEST(FormatPolicyTest, KeepsEveryTextThatIsUtf8) {
  const std::string texts[] = {"null",
                               "~",
                               "true",
                               "no",
                               "1",
                               "1.5",
                               "",
                               " ",
                               "a ",
                               " a",
                               "a: b",
                               "a:",
                               ":a",
                               "a #b",
                               "#a",
                               "-",
                               "- a",
                               "?",
                               "? a",
                               "[a",
                               "a]",
                               "{a}",
                               "a,b",
                               "&a",
                               "*a",
                               "!a",
                               "|",
                               ">",
                               "%a",
                               "@a",
                               "`a",
                               "'",
                               "\"",
                               "\\",
                               "<<",
                               "=",
                               "---",
                               "...",
                               "a\nb",
                               "\n",
                               "a\tb",
                               "\t",
                               "\r",
                               std::string("\0", 1),
                               "\x01",
                               "\x04",
                               "\x1B[31m",
                               "\x7F",
                               "\xC2\x85",
                               "\xE2\x80\xA8",
                               "\xE2\x80\xAE",
                               "\xEF\xBB\xBF",
                               "\xEF\xBF\xBF",
                               "\xF0\x9F\x98\x80",
                               "\xC3\xA9",
                               "on",
                               "Y",
                               "any_valid_token",
                               std::string(5000, 'x'),
                               std::string(5000, '\n')};
  PolicyBuilder builder;
  for (const std::string& text : texts) {
    AccessRule rule{.name = "t" + std::to_string(text.size()) + text.substr(0, 100), .scopes = {"s"}};
    rule.predicates = {
        {.claim = "c", .operation = Predicate::Operator::kIn, .values = {text, text + "x", "x" + text}}};
    rule.systems = {text};
    builder.AddRule(rule);
  }
  ExpectSame(Built(builder));
}

TEST(FormatPolicyTest, KeepsNamesThatAreTooLongForALine) {
  const std::string uri = "file:///" + std::string(1900, 'x') + "/{id}";
  ExpectSame(Built(
      PolicyBuilder()
          .AddRule({.name = uri, .scopes = {"s"}, .object = McpObject::kResource})
          .AddRule(
              {.name = uri + "x", .scopes = {"s"}, .sensitivity = "write", .object = McpObject::kResource})));
}

TEST(FormatPolicyTest, KeepsAScopeThatIsCalledLikeASlip) {
  for (const char* scope : {"true", "false", "any_valid_token", "null", "~"}) {
    ExpectSame(Built(PolicyBuilder().AddRule({.name = "t", .scopes = {scope}})));
  }
}

TEST(FormatPolicyTest, KeepsTheLongestDurations) {
  for (const int64_t seconds :
       {int64_t{1}, int64_t{59}, int64_t{60}, int64_t{3601}, int64_t{86'400}, INT64_MAX}) {
    ExpectSame(Built(PolicyBuilder()
                         .AddClass({.name = "c", .token_age_max_s = seconds, .token_lifetime_max_s = seconds})
                         .AddRule({.name = "t", .scopes = {"s"}})));
  }
}

TEST(FormatPolicyTest, SaysOfTheProtocolOnlyWhatIsUnusual) {
  const Policy usual = Built(PolicyBuilder()
                                 .AddProtocol("https://a.example/")
                                 .AddRule({.name = "t", .scopes = {"s"}, .server = "https://a.example/"}));
  EXPECT_THAT(FormatPolicy(usual), HasSubstr("protocol: any_valid_token"));
  EXPECT_THAT(FormatPolicy(usual), Not(HasSubstr("methods:")));
  ExpectSame(usual);
  const Policy part =
      Built(PolicyBuilder().AddRule({.name = "ping", .any_valid_token = true, .object = McpObject::kMethod}));
  EXPECT_THAT(FormatPolicy(part), HasSubstr("protocol: deny"));
  ExpectSame(part);
}

TEST(FormatPolicyTest, RulesOfABuilderComeInTheOrderOfAFile) {
  const Policy policy = Built(PolicyBuilder()
                                  .AddRule({.name = "r:1", .scopes = {"s"}, .object = McpObject::kResource})
                                  .AddRule({.name = "b", .scopes = {"s"}, .server = "https://b.example/"})
                                  .AddRule({.name = "t", .scopes = {"s"}}));
  const absl::StatusOr<Policy> read = ParsePolicy(FormatPolicy(policy));
  ASSERT_TRUE(read.ok()) << read.status();
  std::vector<std::string> names;
  for (const AccessRule& rule : read->rules()) names.push_back(rule.name);
  EXPECT_THAT(names, testing::ElementsAre("t", "r:1", "b"));
}

TEST(FormatPolicyTest, WhatIsNotUtf8BecomesAReplacementCharacter) {
  const Policy policy = Built(PolicyBuilder().AddRule({.name = "t\xFF", .scopes = {"s"}}));
  const absl::StatusOr<Policy> read = ParsePolicy(FormatPolicy(policy));
  ASSERT_TRUE(read.ok()) << read.status();
  EXPECT_EQ(read->rules()[0].name, "t\xEF\xBF\xBD");
}

}  // namespace
}  // namespace tollgate
