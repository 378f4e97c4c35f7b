#include "policy/interpreter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <string>
#include <utility>
#include <vector>

namespace tollgate::policy {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using Texts = std::vector<std::string_view>;
using enum PrincipalKind;

Policy Built(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : Policy();
}

// A class that demands nothing.
PolicyBuilder Open() {
  PolicyBuilder builder;
  builder.AddClass({.name = "open"});
  return builder;
}

AccessRule Tool(std::string name, std::vector<std::string> scopes, std::string server = {}) {
  return {.name = std::move(name),
          .scopes = std::move(scopes),
          .sensitivity = "open",
          .server = std::move(server)};
}

AccessRule Resource(std::string name, std::string server = {}) {
  return {.name = std::move(name),
          .any_valid_token = true,
          .sensitivity = "open",
          .object = McpObject::kResource,
          .server = std::move(server)};
}

Reason ReasonFor(const Policy& policy, const Caller& caller, std::string_view tool = "t") {
  return Interpret(policy, caller, {.name = tool}).reason;
}

// What `scopes` of a token come to.
std::vector<std::string> ScopesOf(const Policy& policy, const Texts& scopes, bool wildcards = false) {
  return Interpret(policy, {.scopes = scopes, .scope_wildcards = wildcards}, {}).held_scopes;
}

std::string RuleName(const Policy& policy, const Target& target) {
  const AccessRule* const rule = RuleFor(policy, target);
  return rule == nullptr ? "none" : rule->name + (rule->server.empty() ? "" : " of " + rule->server);
}

TEST(InterpreterRuleTest, WhatNoRuleNamesIsDenied) {
  const Policy policy = Built(Open().AddRule(Tool("t", {"s"})));
  const Interpretation result = Interpret(policy, {.scopes = Texts{"s"}}, {.name = "u"});
  EXPECT_EQ(result.reason, Reason::kUnknownTool);
  EXPECT_EQ(result.rule, nullptr);
  EXPECT_EQ(result.steps.size(), 1u);
  EXPECT_EQ(Interpret(policy, {.scopes = Texts{"s"}}, {.object = McpObject::kPrompt, .name = "t"}).reason,
            Reason::kUnknownTool);
}

// A rule for this server counts before one for all, even where that one is exact and longer.
TEST(InterpreterRuleTest, TheServersOwnRuleCountsFirst) {
  const Policy policy = Built(Open()
                                  .AddRule(Tool("t", {"s"}))
                                  .AddRule(Tool("t", {"s"}, "https://a.example"))
                                  .AddRule(Resource("file:///docs/a"))
                                  .AddRule(Resource("file:///*", "https://a.example")));
  EXPECT_EQ(RuleName(policy, {.server = "https://a.example", .name = "t"}), "t of https://a.example");
  EXPECT_EQ(RuleName(policy, {.server = "https://b.example", .name = "t"}), "t");
  EXPECT_EQ(RuleName(policy, {.name = "t"}), "t");
  EXPECT_EQ(RuleName(policy, {"https://a.example", McpObject::kResource, "file:///docs/a"}),
            "file:///* of https://a.example");
  EXPECT_EQ(RuleName(policy, {"https://b.example", McpObject::kResource, "file:///docs/a"}),
            "file:///docs/a");
}

// Exact before template before prefix; of one kind the longest literal text; then the first.
TEST(InterpreterRuleTest, TheMostPreciseResourceCounts) {
  const Policy policy = Built(Open()
                                  .AddRule(Resource("x://h/docs/secret/*"))
                                  .AddRule(Resource("x://h/*"))
                                  .AddRule(Resource("x://h/docs/{name}"))
                                  .AddRule(Resource("x://h/docs/s{name}"))
                                  .AddRule(Resource("x://h/{a}/same"))
                                  .AddRule(Resource("x://h/{b}/same"))
                                  .AddRule(Resource("x://h/docs/secret")));
  const auto rule = [&](std::string_view uri) {
    return RuleName(policy, {.object = McpObject::kResource, .name = uri});
  };
  EXPECT_EQ(rule("x://h/docs/secret"), "x://h/docs/secret");
  EXPECT_EQ(rule("x://h/docs/secret2"), "x://h/docs/s{name}");
  EXPECT_EQ(rule("x://h/docs/other"), "x://h/docs/{name}");
  EXPECT_EQ(rule("x://h/docs/secret/plan"), "x://h/docs/secret/*");
  EXPECT_EQ(rule("x://h/a/b/c"), "x://h/*");
  EXPECT_EQ(rule("x://h/z/same"), "x://h/{a}/same");
  EXPECT_EQ(rule("x://h/docs/{name}"), "x://h/docs/{name}");
  EXPECT_EQ(rule("x://h/docs/secret/"), "none");
}

TEST(InterpreterScopeTest, ATokensScopesAreComparedExactly) {
  const Policy policy = Built(Open().AddRule(Tool("t", {"files:read", "files:write"})));
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"files:write", "x", "files:read"}}), Reason::kNone);
  for (const char* near : {"files:*", "*", "files:writ", "files:write2", "FILES:WRITE"}) {
    EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"files:read", near}}), Reason::kInsufficientScope) << near;
  }
  // What the policy does not name is not held.
  EXPECT_THAT(ScopesOf(policy, {"files:read", "x"}), ElementsAre("files:read"));
}

// A star in a token is a letter, but for issuers that say otherwise. There too, a star alone is.
TEST(InterpreterScopeTest, AStarInATokenIsALetterUnlessItsIssuerUsesWildcards) {
  const Policy policy =
      Built(Open().AddRule(Tool("t", {"files:read"})).AddRule(Tool("u", {"files:write", "mail:read"})));
  EXPECT_THAT(ScopesOf(policy, {"files:*"}), IsEmpty());
  EXPECT_THAT(ScopesOf(policy, {"files:*"}, true), ElementsAre("files:read", "files:write"));
  EXPECT_THAT(ScopesOf(policy, {"*"}, true), IsEmpty());
  EXPECT_THAT(ScopesOf(policy, {"f*s:read"}, true), IsEmpty());
}

// Implications are followed as far as they go, in circles too; patterns match whatever the policy names.
TEST(InterpreterScopeTest, ImplicationsAreFollowed) {
  const Policy policy = Built(Open()
                                  .AddScope({.scope = "admin", .implies = {"files:*", "audit"}})
                                  .AddScope({.scope = "audit", .implies = {"logs"}})
                                  .AddScope({.scope = "logs", .implies = {"audit"}})
                                  .AddScope({.scope = "files:write", .implies = {"files:read"}})
                                  .AddScope({.scope = "files:read"})
                                  .AddScope({.scope = "mail"})
                                  .AddRule(Tool("t", {"files:read"})));
  EXPECT_THAT(ScopesOf(policy, {"files:write"}), ElementsAre("files:read", "files:write"));
  EXPECT_THAT(ScopesOf(policy, {"files:read"}), ElementsAre("files:read"));
  EXPECT_THAT(ScopesOf(policy, {"logs"}), ElementsAre("audit", "logs"));
  EXPECT_THAT(ScopesOf(policy, {"admin"}),
              ElementsAre("admin", "audit", "files:read", "files:write", "logs"));
}

// "files:*" as a scope of its own: who gets it by a role or an implication has its matches; who brings it in
// a token has that scope, and what it explicitly implies, alone.
TEST(InterpreterScopeTest, AScopeWithAStarImpliesItsMatchesOnlyWhereThePolicyGivesIt) {
  const Policy policy = Built(Open()
                                  .AddScope({.scope = "files:*", .implies = {"list"}})
                                  .AddScope({.scope = "files:read"})
                                  .AddScope({.scope = "list"})
                                  .AddScope({.scope = "owner", .implies = {"files:*"}})
                                  .AddRole({.role = "editor", .scopes = {"files:*"}})
                                  .AddRule(Tool("t", {"files:read"}))
                                  .AddRule(Tool("u", {"files:*"})));
  EXPECT_THAT(ScopesOf(policy, {"files:*"}), ElementsAre("files:*", "list"));
  EXPECT_THAT(ScopesOf(policy, {"files:*"}, true), ElementsAre("files:*", "files:read", "list"));
  EXPECT_THAT(ScopesOf(policy, {"owner"}), ElementsAre("files:*", "files:read", "list", "owner"));
  // Both ways at once: what the token has first is given all the same.
  EXPECT_THAT(ScopesOf(policy, {"files:*", "owner"}), ElementsAre("files:*", "files:read", "list", "owner"));
  const Interpretation editor = Interpret(policy, {.roles = Texts{"editor"}}, {.name = "t"});
  EXPECT_THAT(editor.held_scopes, ElementsAre("files:*", "files:read", "list"));
  EXPECT_EQ(editor.reason, Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"files:*"}}, "t"), Reason::kInsufficientScope);
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"files:*"}}, "u"), Reason::kNone);
}

TEST(InterpreterScopeTest, APatternThatIsNotDeclaredIsNoScope) {
  const Policy policy =
      Built(Open().AddRole({.role = "editor", .scopes = {"files:*"}}).AddRule(Tool("t", {"files:read"})));
  EXPECT_THAT(ScopesOf(policy, {"files:*"}), IsEmpty());
  EXPECT_THAT(Interpret(policy, {.roles = Texts{"editor"}}, {}).held_scopes, ElementsAre("files:read"));
}

TEST(InterpreterRoleTest, ATokenHasARoleByTheNamesOfItsIssuer) {
  AccessRule rule = Tool("t", {});
  rule.roles = {"admin", "plain"};
  const Policy policy = Built(Open()
                                  .AddRole({.role = "admin",
                                            .from = {{.issuer = "https://a.example", .value = "Boss"},
                                                     {.issuer = "keycloak", .value = "crm-admin"},
                                                     {.value = "root"}}})
                                  .AddRole({.role = "plain"})
                                  .AddRule(rule));
  const auto roles = [&](std::string_view issuer, std::string_view profile, std::string_view value) {
    return Interpret(policy, {.issuer = issuer, .profile = profile, .roles = Texts{value}}, {.name = "t"})
        .held_roles;
  };
  EXPECT_THAT(roles("https://a.example", "okta", "Boss"), ElementsAre("admin"));
  EXPECT_THAT(roles("https://b.example", "keycloak", "crm-admin"), ElementsAre("admin"));
  EXPECT_THAT(roles("https://b.example", "okta", "root"), ElementsAre("admin"));
  // Another issuer's name, and the policy's own where there are others.
  EXPECT_THAT(roles("https://b.example", "okta", "Boss"), IsEmpty());
  EXPECT_THAT(roles("https://a.example", "okta", "crm-admin"), IsEmpty());
  EXPECT_THAT(roles("https://a.example", "okta", "admin"), IsEmpty());
  EXPECT_THAT(roles("https://b.example", "okta", "plain"), ElementsAre("plain"));
  EXPECT_EQ(ReasonFor(policy, {.roles = Texts{"plain"}}), Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.roles = Texts{"admin"}}), Reason::kRoleMissing);
}

// By default an agent has its user's role, but not the scopes of that.
TEST(InterpreterRoleTest, ARolesScopesAreForThePrincipalsThatItNames) {
  const Policy policy = Built(Open()
                                  .AddRole({.role = "reader", .scopes = {"s"}})
                                  .AddRole({.role = "bot", .scopes = {"s"}, .principals = {kAgent}})
                                  .AddRule(Tool("t", {"s"})));
  EXPECT_EQ(ReasonFor(policy, {.kind = kUser, .roles = Texts{"reader"}}), Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.kind = kService, .roles = Texts{"reader"}}), Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.kind = kAgent, .roles = Texts{"reader"}}), Reason::kInsufficientScope);
  EXPECT_EQ(ReasonFor(policy, {.kind = kAgent, .roles = Texts{"bot"}}), Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.kind = kUser, .roles = Texts{"bot"}}), Reason::kInsufficientScope);
  EXPECT_THAT(Interpret(policy, {.kind = kAgent, .roles = Texts{"reader"}}, {}).held_roles,
              ElementsAre("reader"));
}

TEST(InterpreterTest, SaysThroughWhatSomethingIsHeld) {
  const Policy policy =
      Built(Open()
                .AddScope({.scope = "write", .implies = {"read"}})
                .AddScope({.scope = "read"})
                .AddScope({.scope = "mail"})
                .AddRole({.role = "clerk", .scopes = {"mail"}, .from = {{.value = "Clerk"}}})
                .AddRule(Tool("t", {"read", "mail"})));
  const Held held = HeldBy(policy, {.scopes = Texts{"write"}, .roles = Texts{"Clerk"}});
  EXPECT_THAT(held.scopes, ElementsAre(Holding{"mail", "role clerk"}, Holding{"read", "scope write"},
                                       Holding{"write", "the token"}));
  EXPECT_THAT(held.roles, ElementsAre(Holding{"clerk", "the token's Clerk"}));
}

// One rule that a caller fulfils in every respect, and callers who fail in one and in all that come behind.
class InterpreterOrderTest : public testing::Test {
 protected:
  InterpreterOrderTest() {
    AccessRule rule = Tool("t", {"s"});
    rule.sensitivity = "strict";
    rule.roles = {"clerk"};
    rule.principals = {kUser, kAgent};
    rule.predicates = {{.claim = "tier", .operation = Predicate::Operator::kEquals, .values = {"gold"}},
                       {.claim = "org"}};
    policy_ = Built(PolicyBuilder()
                        .AddClass({.name = "strict",
                                   .token_lifetime_max_s = 900,
                                   .acr_values = {"gold", "phr"},
                                   .amr_values = {"otp", "pwd"},
                                   .principals = {kUser, kService},
                                   .credentials = {CredentialKind::kJwt}})
                        .AddRole({.role = "clerk"})
                        .AddRule(rule));
  }

  const Texts scopes_ = {"s"}, roles_ = {"clerk"}, amr_ = {"pwd", "otp", "mfa"}, gold_ = {"gold"},
              iron_ = {"iron"};
  const std::vector<Claim> claims_ = {{.name = "tier", .is_text = true, .values = gold_}, {.name = "org"}};
  const std::vector<Claim> other_claims_ = {{.name = "tier", .is_text = true, .values = iron_},
                                            {.name = "org"}};
  Policy policy_;
  Caller caller_ = {
      .scopes = scopes_, .roles = roles_, .acr = "phr", .amr = amr_, .lifetime_s = 900, .claims = claims_};
};

TEST_F(InterpreterOrderTest, TheFirstStepThatFailsIsTheReasonAndAllStepsAreTold) {
  Interpretation result = Interpret(policy_, caller_, {.name = "t"});
  EXPECT_EQ(result.reason, Reason::kNone);
  ASSERT_EQ(result.steps.size(), 9u);
  ASSERT_NE(result.sensitivity, nullptr);
  EXPECT_EQ(result.sensitivity->name, "strict");
  // From the last to the first, each hides those behind it.
  const std::pair<Reason, std::function<void()>> failures[] = {
      {Reason::kInsufficientScope, [this] { caller_.scopes = {}; }},
      {Reason::kAuthenticationInsufficient, [this] { caller_.acr = "pwd"; }},
      {Reason::kClaimNotAsNeeded, [this] { caller_.claims = other_claims_; }},
      {Reason::kRoleMissing, [this] { caller_.roles = {}; }},
      {Reason::kLifetimeTooLongHere, [this] { caller_.lifetime_s = 901; }},
      {Reason::kCredentialKindNotAllowed, [this] { caller_.credential = CredentialKind::kOpaque; }},
      {Reason::kPrincipalKindNotAllowed, [this] { caller_.kind = kService; }},
  };
  for (const auto& [reason, fail] : failures) {
    fail();
    result = Interpret(policy_, caller_, {.name = "t"});
    EXPECT_EQ(result.reason, reason) << ReasonName(reason);
    EXPECT_EQ(result.steps.size(), 9u);
  }
}

TEST_F(InterpreterOrderTest, TheKindMustBeInTheClasssListAndInTheRules) {
  caller_.kind = kAgent;  // In the rule's alone.
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kPrincipalKindNotAllowed);
  caller_.kind = kService;  // In the class's alone.
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kPrincipalKindNotAllowed);
}

TEST_F(InterpreterOrderTest, OneOfAcrAndAllOfAmrAreNeeded) {
  caller_.acr = "gold";
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kNone);
  caller_.acr = "";
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kAuthenticationInsufficient);
  caller_.acr = "gold";
  const Texts one = {"otp"};
  caller_.amr = one;
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kAuthenticationInsufficient);
}

TEST_F(InterpreterOrderTest, AnUnknownLifetimeIsTooLong) {
  caller_.lifetime_s = INT64_MAX;
  EXPECT_EQ(ReasonFor(policy_, caller_), Reason::kLifetimeTooLongHere);
}

TEST(InterpreterTest, TheLifetimeOfAnOpaqueTokenIsNotLookedAt) {
  AccessRule rule = Tool("t", {"s"});
  rule.sensitivity = "short";
  const Policy policy =
      Built(PolicyBuilder().AddClass({.name = "short", .token_lifetime_max_s = 60}).AddRule(rule));
  EXPECT_EQ(ReasonFor(policy, {.credential = CredentialKind::kOpaque, .scopes = Texts{"s"}}), Reason::kNone);
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"s"}, .lifetime_s = 61}), Reason::kLifetimeTooLongHere);
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"s"}, .lifetime_s = 60}), Reason::kNone);
}

TEST(InterpreterTest, ASenderConstraintDeniesEverybody) {
  AccessRule rule = Tool("t", {"s"});
  rule.sensitivity = "bound";
  const Policy policy =
      Built(PolicyBuilder().AddClass({.name = "bound", .sender_constraint = true}).AddRule(rule));
  EXPECT_EQ(ReasonFor(policy, {.scopes = Texts{"s"}}), Reason::kSenderConstraintNeeded);
}

class InterpreterPredicateTest : public testing::Test {
 protected:
  using Operator = Predicate::Operator;

  static bool Holds(Operator operation, std::vector<std::string> values, const std::vector<Claim>& claims) {
    AccessRule rule = Tool("t", {"s"});
    rule.predicates = {{.claim = "c", .operation = operation, .values = std::move(values)}};
    const Policy policy = Built(Open().AddRule(rule));
    const Reason reason = ReasonFor(policy, {.scopes = Texts{"s"}, .claims = claims});
    EXPECT_TRUE(reason == Reason::kNone || reason == Reason::kClaimNotAsNeeded);
    return reason == Reason::kNone;
  }

  const Texts ab_ = {"a", "b"}, abc_ = {"abc"}, five_ = {"5"};
  const std::vector<Claim> absent_ = {{.name = "other", .is_text = true, .values = abc_}};
  const std::vector<Claim> text_ = {{.name = "c", .is_text = true, .values = abc_}};
  const std::vector<Claim> number_ = {{.name = "c", .values = five_}};
  const std::vector<Claim> list_ = {{.name = "c", .is_list = true, .values = ab_}};
  const std::vector<Claim> one_listed_ = {{.name = "c", .is_list = true, .values = abc_}};
  const std::vector<Claim> empty_list_ = {{.name = "c", .is_list = true}};
  const std::vector<Claim> object_ = {{.name = "c"}};
};

TEST_F(InterpreterPredicateTest, PresentIsAnyValue) {
  for (const auto* claims : {&text_, &number_, &list_, &empty_list_, &object_})
    EXPECT_TRUE(Holds(Operator::kPresent, {}, *claims));
  EXPECT_FALSE(Holds(Operator::kPresent, {}, absent_));
}

TEST_F(InterpreterPredicateTest, EqualsIsTheOneValue) {
  EXPECT_TRUE(Holds(Operator::kEquals, {"abc"}, text_));
  EXPECT_TRUE(Holds(Operator::kEquals, {"5"}, number_));
  EXPECT_FALSE(Holds(Operator::kEquals, {"ab"}, text_));
  for (const auto* claims : {&absent_, &one_listed_, &object_})
    EXPECT_FALSE(Holds(Operator::kEquals, {"abc"}, *claims));
}

TEST_F(InterpreterPredicateTest, InIsOneOfTheseValues) {
  EXPECT_TRUE(Holds(Operator::kIn, {"x", "abc"}, text_));
  EXPECT_FALSE(Holds(Operator::kIn, {"x", "y"}, text_));
  EXPECT_FALSE(Holds(Operator::kIn, {"a", "b"}, list_));
  EXPECT_FALSE(Holds(Operator::kIn, {"abc"}, absent_));
}

TEST_F(InterpreterPredicateTest, PrefixIsTheStartOfAString) {
  EXPECT_TRUE(Holds(Operator::kPrefix, {"x", "ab"}, text_));
  EXPECT_TRUE(Holds(Operator::kPrefix, {"abc"}, text_));
  EXPECT_FALSE(Holds(Operator::kPrefix, {"abcd", "b"}, text_));
  EXPECT_FALSE(Holds(Operator::kPrefix, {"5"}, number_));
  EXPECT_FALSE(Holds(Operator::kPrefix, {"a"}, list_));
  EXPECT_FALSE(Holds(Operator::kPrefix, {"a"}, absent_));
}

TEST_F(InterpreterPredicateTest, ContainsIsOneOfAListOrTheOneValue) {
  EXPECT_TRUE(Holds(Operator::kContains, {"x", "b"}, list_));
  EXPECT_TRUE(Holds(Operator::kContains, {"abc"}, text_));
  EXPECT_TRUE(Holds(Operator::kContains, {"5"}, number_));
  EXPECT_FALSE(Holds(Operator::kContains, {"x"}, list_));
  for (const auto* claims : {&absent_, &empty_list_, &object_})
    EXPECT_FALSE(Holds(Operator::kContains, {"a"}, *claims));
}

TEST(InterpreterTest, AnyValidTokenMayUseWhatNeedsNothing) {
  const Policy policy = Built(Open().AddRule({.name = "t", .any_valid_token = true, .sensitivity = "open"}));
  EXPECT_EQ(ReasonFor(policy, {}), Reason::kNone);
}

TEST(InterpreterTest, ADefaultInterpretationAllowsNothing) {
  EXPECT_EQ(Interpretation().reason, Reason::kUndecided);
}

}  // namespace
}  // namespace tollgate::policy
