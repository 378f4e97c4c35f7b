#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;

Policy Parsed(const std::string& yaml) {
  std::vector<PolicyFileFinding> findings;
  absl::StatusOr<Policy> policy = ParsePolicy(yaml, &findings);
  EXPECT_TRUE(policy.ok()) << policy.status() << "\n" << yaml;
  return policy.ok() ? *std::move(policy) : Policy();
}

// OneServer is a policy whose one server has these lines, and no methods but those in them.
std::string OneServer(const std::string& lines) {
  return "version: 1\nroles: {chef: [], sales: []}\nservers:\n  - uri: https://mcp.example/\n    protocol: "
         "deny\n" +
         lines;
}

// OneTool is a policy with the tool `t`, which needs this.
std::string OneTool(const std::string& needs) { return OneServer("    tools:\n      t: " + needs + "\n"); }

AccessRule OnlyRule(const std::string& yaml) {
  const Policy policy = Parsed(yaml);
  EXPECT_EQ(policy.rules().size(), 1u);
  return policy.rules().empty() ? AccessRule() : policy.rules().front();
}

TEST(ParsePolicyTest, ReadsEveryMemberOfARule) {
  const AccessRule rule = OnlyRule(OneTool(R"(
        scopes: [files:read, files:write]
        roles: [chef, sales]
        class: privileged
        principals: [user, agent]
        when:
          - {claim: email_verified, equals: true}
          - {claim: /org/tier, in: [gold, platinum]}
          - {claim: department, present: true}
          - {claim: email, prefix: "ops-"}
          - {claim: groups, contains: [a, b]}
        systems: [sap, mail])"));
  EXPECT_EQ(rule.name, "t");
  EXPECT_EQ(rule.object, McpObject::kTool);
  EXPECT_EQ(rule.server, "https://mcp.example/");
  EXPECT_THAT(rule.scopes, ElementsAre("files:read", "files:write"));
  EXPECT_THAT(rule.roles, ElementsAre("chef", "sales"));
  EXPECT_FALSE(rule.any_valid_token);
  EXPECT_EQ(rule.sensitivity, "privileged");
  EXPECT_THAT(rule.principals, ElementsAre(PrincipalKind::kUser, PrincipalKind::kAgent));
  EXPECT_THAT(rule.systems, ElementsAre("sap", "mail"));
  ASSERT_EQ(rule.predicates.size(), 5u);
  EXPECT_EQ(rule.predicates[0].claim, "email_verified");
  EXPECT_EQ(rule.predicates[0].operation, Predicate::Operator::kEquals);
  EXPECT_THAT(rule.predicates[0].values, ElementsAre("true"));
  EXPECT_EQ(rule.predicates[1].claim, "/org/tier");
  EXPECT_EQ(rule.predicates[1].operation, Predicate::Operator::kIn);
  EXPECT_THAT(rule.predicates[1].values, ElementsAre("gold", "platinum"));
  EXPECT_EQ(rule.predicates[2].operation, Predicate::Operator::kPresent);
  EXPECT_THAT(rule.predicates[2].values, IsEmpty());
  EXPECT_EQ(rule.predicates[3].operation, Predicate::Operator::kPrefix);
  EXPECT_THAT(rule.predicates[3].values, ElementsAre("ops-"));
  EXPECT_EQ(rule.predicates[4].operation, Predicate::Operator::kContains);
  EXPECT_THAT(rule.predicates[4].values, ElementsAre("a", "b"));
}

TEST(ParsePolicyTest, ATextOrAListInARulesPlaceIsItsScopes) {
  EXPECT_THAT(OnlyRule(OneTool("files:read")).scopes, ElementsAre("files:read"));
  EXPECT_THAT(OnlyRule(OneTool("[files:read, files:write]")).scopes,
              ElementsAre("files:read", "files:write"));
  EXPECT_THAT(OnlyRule(OneTool("[\"any_valid_token\"]")).scopes, ElementsAre("any_valid_token"));
  EXPECT_THAT(OnlyRule(OneTool("\"true\"")).scopes, ElementsAre("true"));
}

TEST(ParsePolicyTest, AnyValidTokenIsSaidOnPurpose) {
  const AccessRule rule = OnlyRule(OneTool("{any_valid_token: true}"));
  EXPECT_TRUE(rule.any_valid_token);
  EXPECT_THAT(rule.scopes, IsEmpty());
  EXPECT_EQ(rule.sensitivity, "read");
  EXPECT_FALSE(OnlyRule(OneTool("{scopes: s, any_valid_token: false}")).any_valid_token);
}

TEST(ParsePolicyTest, ReadsEveryMemberOfAClass) {
  const Policy policy = Parsed(R"(
version: 1
classes:
  payment:
    mode: introspect
    token_age_max: 90s
    token_lifetime_max: 15m
    introspection_age_max: 1h
    outage: {last_known: 5m}
    acr: [urn:x:strong, "2"]
    amr: [otp, hwk]
    principals: [user]
    credentials: [jwt]
    sender_constraint: false
    audit: must_record
  local: {outage: local_signature, mode: introspect_behind, token_age_max: 7d, credentials: opaque}
servers: [{tools: {t: s}}]
)");
  ASSERT_EQ(policy.classes().size(), 5u);
  const SensitivityClass& payment = policy.classes()[3];
  EXPECT_EQ(payment.name, "payment");
  EXPECT_EQ(payment.mode, ValidationMode::kIntrospect);
  EXPECT_EQ(payment.token_age_max_s, 90);
  EXPECT_EQ(payment.token_lifetime_max_s, 900);
  EXPECT_EQ(payment.introspection_age_max_s, 3600);
  EXPECT_EQ(payment.introspection_outage, IntrospectionOutage::kLastKnown);
  EXPECT_EQ(payment.last_known_age_max_s, 300);
  EXPECT_THAT(payment.acr_values, ElementsAre("urn:x:strong", "2"));
  EXPECT_THAT(payment.amr_values, ElementsAre("otp", "hwk"));
  EXPECT_THAT(payment.principals, ElementsAre(PrincipalKind::kUser));
  EXPECT_THAT(payment.credentials, ElementsAre(CredentialKind::kJwt));
  EXPECT_FALSE(payment.sender_constraint);
  EXPECT_EQ(payment.audit, AuditDuty::kMustRecord);
  const SensitivityClass& local = policy.classes()[4];
  EXPECT_EQ(local.mode, ValidationMode::kIntrospectBehind);
  EXPECT_EQ(local.introspection_outage, IntrospectionOutage::kLocalSignature);
  EXPECT_EQ(local.token_age_max_s, 7 * 86'400);
  EXPECT_EQ(local.token_lifetime_max_s, 0);
  EXPECT_THAT(local.credentials, ElementsAre(CredentialKind::kOpaque));
}

TEST(ParsePolicyTest, ABuiltInClassKeepsWhatIsNotSaidAnew) {
  const Policy policy =
      Parsed("version: 1\nclasses: {privileged: {acr: strong}}\nservers: [{tools: {t: s}}]\n");
  const SensitivityClass& privileged = policy.classes()[2];
  EXPECT_THAT(privileged.acr_values, ElementsAre("strong"));
  EXPECT_EQ(privileged.token_lifetime_max_s, 900);
  EXPECT_EQ(privileged.audit, AuditDuty::kFull);
  const Policy without =
      Parsed("version: 1\nclasses: {privileged: {token_lifetime_max: none}}\nservers: [{tools: {t: s}}]\n");
  EXPECT_EQ(without.classes()[2].token_lifetime_max_s, 0);
}

TEST(ParsePolicyTest, ReadsScopesAndRoles) {
  const Policy policy = Parsed(R"(
version: 1
scopes:
  files:admin: ["files:*"]
  files:read: []
  files:write: files:read
roles:
  sales: files:read
  chef:
    scopes: [files:admin, "files:*"]
    principals: [user, agent]
    from:
      - {issuer: https://idp.example, value: crm-chef}
      - boss
servers: [{tools: {a: files:read, b: files:write, c: files:admin}}]
)");
  ASSERT_EQ(policy.scopes().size(), 3u);
  EXPECT_EQ(policy.scopes()[0].scope, "files:admin");
  EXPECT_THAT(policy.scopes()[0].implies, ElementsAre("files:*"));
  EXPECT_THAT(policy.scopes()[1].implies, IsEmpty());
  EXPECT_THAT(policy.scopes()[2].implies, ElementsAre("files:read"));
  ASSERT_EQ(policy.roles().size(), 2u);
  EXPECT_THAT(policy.roles()[0].scopes, ElementsAre("files:read"));
  EXPECT_THAT(policy.roles()[0].principals, ElementsAre(PrincipalKind::kUser, PrincipalKind::kService));
  const RoleRule& chef = policy.roles()[1];
  EXPECT_THAT(chef.scopes, ElementsAre("files:admin", "files:*"));
  EXPECT_THAT(chef.principals, ElementsAre(PrincipalKind::kUser, PrincipalKind::kAgent));
  ASSERT_EQ(chef.from.size(), 2u);
  EXPECT_EQ(chef.from[0].issuer, "https://idp.example");
  EXPECT_EQ(chef.from[0].value, "crm-chef");
  EXPECT_EQ(chef.from[1].issuer, "");
  EXPECT_EQ(chef.from[1].value, "boss");
}

TEST(ParsePolicyTest, ReadsEveryKindOfObjectOfEveryServer) {
  const Policy policy = Parsed(R"(
version: 1
servers:
  - uri: https://mcp.example/crm
    protocol: deny
    resources: {"crm://accounts/{id}": s1}
    prompts: {greet: s2}
    tools: {search: s3}
    methods: {logging/setLevel: s4}
  - uri: "*"
    protocol: deny
    tools: {search: s5}
)");
  std::vector<std::string> found;
  for (const AccessRule& rule : policy.rules()) {
    found.push_back(rule.server + " " + std::string(NameOf(rule.object)) + " " + rule.name + " " +
                    rule.scopes.front());
  }
  EXPECT_THAT(found,
              ElementsAre("https://mcp.example/crm method logging/setLevel s4",
                          "https://mcp.example/crm tool search s3", "https://mcp.example/crm prompt greet s2",
                          "https://mcp.example/crm resource crm://accounts/{id} s1", " tool search s5"));
}

TEST(ParsePolicyTest, AServerServesTheProtocolUnlessItIsDenied) {
  const std::vector<AccessRule> expected = PolicyBuilder().AddProtocol("https://a.example/").Build()->rules();
  const Policy policy = Parsed(
      "version: 1\nservers: [{uri: https://a.example/, methods: {ping: s}}, {protocol: deny, tools: {t: "
      "s}}]\n");
  ASSERT_EQ(policy.rules().size(), expected.size() + 1);
  for (const AccessRule& wanted : expected) {
    const auto count =
        std::count_if(policy.rules().begin(), policy.rules().end(), [&](const AccessRule& rule) {
          return rule.object == McpObject::kMethod && rule.name == wanted.name &&
                 rule.server == wanted.server && rule.any_valid_token == (wanted.name != "ping") &&
                 rule.scopes.size() == (wanted.name == "ping");
        });
    EXPECT_EQ(count, 1) << wanted.name;
  }
}

TEST(ParsePolicyTest, ScalarsAreTextsWhateverYaml11MakesOfThem) {
  EXPECT_THAT(
      OnlyRule(OneTool("[no, yes, on, off, y, 012, 1.0, 0x1F, 1_000, .inf, 12:30:45, 2026-01-01, =, true]"))
          .scopes,
      ElementsAre("no", "yes", "on", "off", "y", "012", "1.0", "0x1F", "1_000", ".inf", "12:30:45",
                  "2026-01-01", "=", "true"));
  EXPECT_THAT(OnlyRule(OneTool("no")).scopes, ElementsAre("no"));
  EXPECT_EQ(OnlyRule(OneServer("    tools: {no: s}\n")).name, "no");
  EXPECT_EQ(OnlyRule(OneServer("    tools: {012: s}\n")).name, "012");
  EXPECT_EQ(OnlyRule(OneServer("    tools: {\"<<\": s}\n")).name, "<<");
  EXPECT_EQ(OnlyRule(OneServer("    tools: {\"null\": s}\n")).name, "null");
}

TEST(ParsePolicyTest, ColonsAndBracesStandInNamesAsPeopleWriteThem) {
  EXPECT_THAT(OnlyRule(OneTool("[files:read,files:write , a:b:c]")).scopes,
              ElementsAre("files:read", "files:write", "a:b:c"));
  EXPECT_THAT(OnlyRule(OneTool("{scopes: [https://api.example/read, urn:x:y]}")).scopes,
              ElementsAre("https://api.example/read", "urn:x:y"));
  EXPECT_EQ(OnlyRule(OneServer("    resources:\n      crm://accounts/{id}: s\n")).name,
            "crm://accounts/{id}");
  EXPECT_EQ(OnlyRule(OneServer("    resources:\n      file:///docs/*: s\n")).name, "file:///docs/*");
  EXPECT_THAT(OnlyRule(OneTool("[files:*]")).scopes, ElementsAre("files:*"));
}

TEST(ParsePolicyTest, ReadsJsonByteOrderMarksAndBothLineEnds) {
  EXPECT_EQ(OnlyRule(R"({"version": "1", "servers": [{"protocol": "deny", "tools": {"t":["s"]}}]})").name,
            "t");
  EXPECT_EQ(
      OnlyRule("\xEF\xBB\xBFversion: 1\r\nservers:\r\n  - protocol: deny\r\n    tools: {t: s}\r\n").name,
      "t");
  EXPECT_EQ(OnlyRule("--- # a comment\nversion: 1\nservers: [{protocol: deny, tools: {t: s}}]\n...\n").name,
            "t");
  EXPECT_EQ(OnlyRule(OneTool("|-\n        s")).scopes.front(), "s");
}

TEST(ParsePolicyTest, EscapesInDoubleQuotesAreCharacters) {
  EXPECT_EQ(OnlyRule(OneServer("    tools: {\"a\\u00e9\\n\\\"\": s}\n")).name, "a\xC3\xA9\n\"");
  EXPECT_EQ(OnlyRule(OneServer("    tools: {'it''s': s}\n")).name, "it's");
}

TEST(ParsePolicyTest, ReplacesEarlierFindings) {
  std::vector<PolicyFileFinding> findings(3);
  EXPECT_TRUE(ParsePolicy("version: 1\nservers: [{tools: {t: s}}]\n", &findings).ok());
  EXPECT_THAT(findings, IsEmpty());
}

TEST(ParsePolicyTest, WarningsComeWithThePolicy) {
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<Policy> policy =
      ParsePolicy("version: 1\nscopes:\n  s: []\n  unused: []\nservers: [{tools: {t: s}}]\n", &findings);
  EXPECT_TRUE(policy.ok()) << policy.status();
  ASSERT_EQ(findings.size(), 1u);
  EXPECT_FALSE(findings[0].is_error);
  EXPECT_EQ(findings[0].line, 4u);
  EXPECT_EQ(findings[0].column, 3u);
  EXPECT_THAT(findings[0].message, testing::HasSubstr("unused"));
}

}  // namespace
}  // namespace tollgate
