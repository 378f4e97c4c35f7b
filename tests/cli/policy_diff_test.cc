// What an edit of a policy does: who gains and loses what, against trying everybody.

#include "tools/cli/policy_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tests/cli/crm_policy.h"
#include "tools/cli/policy_answers.h"

namespace tollgate::cli {
namespace {

using testing::ElementsAre;
using enum PrincipalKind;

Texts DiffLines(const PolicyBuilder& before, const PolicyBuilder& after) {
  const std::string text = TextOf(Diff(Built(before), Built(after)), Form::kPlain);
  Texts lines;
  for (size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    lines.push_back(text.substr(at, text.find('\n', at) - at));
  return lines;
}

// The same rules in another order, and with other words for the same.
TEST(DiffTest, OtherWordsAreNoDifference) {
  const auto before = PolicyBuilder()
                          .AddScope({.scope = "a", .implies = {"b"}})
                          .AddScope({.scope = "b"})
                          .AddRole({.role = "r", .scopes = {"a"}})
                          .AddRule(Tool("t", {"a", "b"}))
                          .AddRule(Tool("u", {"b"}));
  AccessRule everybodys = Tool("t", {"a"});
  everybodys.principals = {kUser, kService, kAgent};
  const auto after = PolicyBuilder()
                         .AddScope({.scope = "b"})
                         .AddScope({.scope = "a", .implies = {"b"}})
                         .AddRole({.role = "r", .scopes = {"a", "b"}, .from = {{.value = "r"}}})
                         .AddRule(Tool("u", {"b"}))
                         .AddRule(everybodys);  // Whoever has a has b.
  const PolicyDiff diff = Diff(Built(before), Built(after));
  EXPECT_TRUE(diff.empty());
  EXPECT_THAT(DiffLines(before, after), ElementsAre("no difference"));
  EXPECT_TRUE(Diff(Built(Crm()), Built(Crm())).empty());
}

TEST(DiffTest, SaysWhoGainsAndWhoLosesNewAndGoneTools) {
  const auto before = PolicyBuilder().AddRule(Tool("old", {"s"})).AddRule(Tool("same", {"s"}));
  const auto after = PolicyBuilder().AddRule(Tool("new", {})).AddRule(Tool("same", {"s"}));
  EXPECT_THAT(DiffLines(before, after),
              ElementsAre("tool new: new", "  + any token", "tool old: gone", "  - scope s"));
}

// What no role or scope has by itself: those who have just what was needed before, or is needed now.
TEST(DiffTest, SaysWhoGainsByHavingTwoThings) {
  const auto role = [](PolicyBuilder builder) {
    return builder.AddRole({.role = "r"}).AddRole({.role = "q"});
  };
  const auto before = role(PolicyBuilder()).AddRule(Tool("t", {"a", "b"}, {"r"}));
  const auto after = role(PolicyBuilder()).AddRule(Tool("t", {"a"}, {"r", "q"}));
  EXPECT_THAT(DiffLines(before, after),
              ElementsAre("tool t:", "  + role q and scope a", "  + role r and scope a",
                          "  weaker: scopes a b -> a", "  weaker: roles r -> r or q"));
  EXPECT_THAT(DiffLines(after, before),
              ElementsAre("tool t:", "  - role q and scope a", "  - role r and scope a",
                          "  stronger: scopes a -> a b", "  stronger: roles r or q -> r"));
}

// An implication changes the rights of whoever has a scope, at rules that have not been touched.
TEST(DiffTest, SeesWhatImplicationsAndRolesDo) {
  const auto before = PolicyBuilder()
                          .AddScope({.scope = "a"})
                          .AddScope({.scope = "b"})
                          .AddRole({.role = "r", .scopes = {"b"}})
                          .AddRule(Tool("t", {"b"}));
  const auto after = PolicyBuilder()
                         .AddScope({.scope = "a", .implies = {"b"}})
                         .AddScope({.scope = "b"})
                         .AddRole({.role = "r", .scopes = {"b"}, .principals = {kUser, kAgent}})
                         .AddRule(Tool("t", {"b"}));
  EXPECT_THAT(DiffLines(before, after),
              ElementsAre("tool t:", "  + scope a", "  + role r (agent)", "  - role r (service)"));
}

// What comes to one of several scopes that are needed, for whoever has the others.
TEST(DiffTest, SeesWhatImplicationsDoWhereSeveralScopesAreNeeded) {
  const auto before = PolicyBuilder()
                          .AddScope({.scope = "a"})
                          .AddScope({.scope = "b"})
                          .AddScope({.scope = "c", .implies = {"a"}})
                          .AddRole({.role = "r", .scopes = {"a"}})
                          .AddRole({.role = "q"})
                          .AddRule(Tool("t", {"a", "b"}))
                          .AddRule(Tool("u", {"a"}, {"q"}));
  const auto after = PolicyBuilder()
                         .AddScope({.scope = "a"})
                         .AddScope({.scope = "b"})
                         .AddScope({.scope = "c"})
                         .AddRole({.role = "r", .scopes = {"a"}, .principals = {kUser}})
                         .AddRole({.role = "q"})
                         .AddRule(Tool("t", {"a", "b"}))
                         .AddRule(Tool("u", {"a"}, {"q"}));
  EXPECT_THAT(DiffLines(before, after),
              ElementsAre("tool t:", "  - scope b and scope c", "  - role r and scope b (service)",
                          "tool u:", "  - role q and scope c", "  - role q and role r (service)"));
}

// A laxer rule that takes something out of a stricter one is a gain there.
TEST(DiffTest, SeesWhichResourcesComeUnderAnotherRule) {
  const auto before = PolicyBuilder().AddRule(Resource("file:///docs/*", {"docs"}));
  const auto after = PolicyBuilder()
                         .AddRule(Resource("file:///docs/*", {"docs"}))
                         .AddRule(Resource("file:///docs/{name}", {"public"}));
  EXPECT_THAT(DiffLines(before, after), ElementsAre("resource file:///docs/{name}:", "  + scope public",
                                                    "  - scope docs", "  other: scopes docs -> public"));
}

// Of patterns with as much text, the first counts: their order is a part of the policy, if one resource is
// meant by both.
TEST(DiffTest, SeesAnotherOrderOfPatternsThatMatchTheSame) {
  const AccessRule of_e = Resource("x://h/e/{i}", {"a"}), sevens = Resource("x://h/{d}/7", {"b"}),
                   of_f = Resource("x://h/f/{i}", {"c"});
  const auto policy = [](const std::vector<AccessRule>& rules) {
    PolicyBuilder builder;
    for (const AccessRule& rule : rules) builder.AddRule(rule);
    return builder;
  };
  EXPECT_THAT(DiffLines(policy({of_e, of_f, sevens}), policy({of_f, sevens, of_e})),
              ElementsAre("resource x://h/e/7:", "  + scope b", "  - scope a", "  other: scopes a -> b"));
  EXPECT_THAT(DiffLines(policy({of_e, of_f}), policy({of_f, of_e})), ElementsAre("no difference"));
}

TEST(DiffTest, AServersOwnRuleIsADifferenceThere) {
  const auto before = PolicyBuilder().AddRule(Tool("t", {"a"})).AddRule(Resource("x://h/*", {"a"}));
  auto after = before;
  after.AddRule(Tool("t", {"b"}, {}, kCrm)).AddRule(Resource("x://h/secret", {"b"}, kCrm));
  EXPECT_THAT(DiffLines(before, after),
              ElementsAre("tool t at https://crm.example/mcp:", "  + scope b", "  - scope a",
                          "  other: scopes a -> b", "resource x://h/secret at https://crm.example/mcp:",
                          "  + scope b", "  - scope a", "  other: scopes a -> b"));
}

TEST(DiffTest, DemandsGrowStrongerOrWeaker) {
  const auto policy = [](SensitivityClass sensitivity, AccessRule rule) {
    sensitivity.name = "c";
    rule.sensitivity = "c";
    return PolicyBuilder().AddClass(sensitivity).AddRule(rule);
  };
  AccessRule with_predicate = Tool("t", {"s"});
  with_predicate.predicates = {{.claim = "org"}};
  with_predicate.systems = {"db"};
  const auto weak =
      policy({.acr_values = {"a", "b"}, .credentials = {CredentialKind::kJwt}}, Tool("t", {"s"}));
  const auto strong = policy({.mode = ValidationMode::kIntrospect,
                              .token_age_max_s = 60,
                              .token_lifetime_max_s = 900,
                              .acr_values = {"a"},
                              .amr_values = {"otp"},
                              .audit = AuditDuty::kMustRecord},
                             with_predicate);
  EXPECT_THAT(
      DiffLines(weak, strong),
      ElementsAre("tool t:", "  stronger: predicates none -> org present", "  other: systems none -> db",
                  "class c:", "  stronger: mode signature -> introspect",
                  "  stronger: token_age_max_s none -> 60 s",
                  "  stronger: token_lifetime_max_s none -> 900 s", "  stronger: acr_values a or b -> a",
                  "  stronger: amr_values none -> otp", "  weaker: credentials jwt -> jwt or opaque",
                  "  stronger: audit sampled -> must_record"));
  EXPECT_THAT(
      DiffLines(strong, weak),
      ElementsAre("tool t:", "  weaker: predicates org present -> none", "  other: systems db -> none",
                  "class c:", "  weaker: mode introspect -> signature",
                  "  weaker: token_age_max_s 60 s -> none", "  weaker: token_lifetime_max_s 900 s -> none",
                  "  weaker: acr_values a -> a or b", "  weaker: amr_values otp -> none",
                  "  stronger: credentials jwt or opaque -> jwt", "  weaker: audit must_record -> sampled"));
}

// Values that look like several, or like nothing.
TEST(DiffTest, PredicatesThatReadAlikeAreTold) {
  const auto policy = [](Texts values) {
    AccessRule rule = Tool("t", {"s"});
    rule.predicates = {{.claim = "c", .operation = Predicate::Operator::kIn, .values = std::move(values)}};
    return PolicyBuilder().AddRule(rule);
  };
  EXPECT_THAT(DiffLines(policy({"a or b"}), policy({"a", "b"})),
              ElementsAre("tool t:", "  other: predicates c in \"a or b\" -> c in a or b"));
  EXPECT_THAT(DiffLines(policy({""}), policy({"", ""})),
              ElementsAre("tool t:", "  other: predicates c in \"\" -> c in \"\" or \"\""));
}

TEST(DiffTest, AnotherClassIsComparedByWhatItDemands) {
  AccessRule read = Tool("t", {"s"}), privileged = read;
  privileged.sensitivity = "privileged";
  EXPECT_THAT(
      DiffLines(PolicyBuilder().AddRule(privileged), PolicyBuilder().AddRule(read)),
      ElementsAre("tool t:", "  other: sensitivity privileged -> read",
                  "  weaker: token_lifetime_max_s 900 s -> 3600 s", "  weaker: audit full -> sampled"));
}

TEST(DiffTest, WhatTokensCallARoleIsADifference) {
  const auto before =
      PolicyBuilder().AddRole({.role = "r", .from = {{"okta", "R"}}}).AddRule(Tool("t", {}, {"r"}));
  const auto after = PolicyBuilder()
                         .AddRole({.role = "r", .from = {{"", "R"}, {"okta", "R"}}})
                         .AddRule(Tool("t", {}, {"r"}));
  EXPECT_THAT(DiffLines(before, after), ElementsAre("role r:", "  weaker: from R of okta -> R, R of okta"));
}

TEST(DiffTest, AsJson) {
  const auto before = PolicyBuilder().AddRule(Tool("t", {"a"}));
  const auto after = PolicyBuilder().AddRule(Tool("t", {"b"}));
  EXPECT_EQ(TextOf(Diff(Built(before), Built(after)), Form::kJson),
            R"({"objects":[{"object":"tool","name":"t","server":null,"before":true,"after":true,)"
            R"("gains":[{"principals":["user","service","agent"],"roles":[],"scopes":["b"]}],)"
            R"("loses":[{"principals":["user","service","agent"],"roles":[],"scopes":["a"]}],)"
            R"("demands":[{"change":"other","member":"scopes","before":"a","after":"b"}]}],)"
            R"("classes":[],"roles":[]})"
            "\n");
}

// Random small policies, in which everybody can be tried.
class RandomPolicies {
 public:
  static inline const Texts kScopes = {"a", "b", "c", "d"}, kRoles = {"r", "q"}, kTools = {"t", "u"};

  explicit RandomPolicies(unsigned seed) : random_(seed) {}

  // Next returns a policy, and what an edit makes of it: of one scope, role or rule, or of all scopes and
  // rules.
  std::pair<Policy, Policy> Next() {
    std::vector<ScopeRule> scopes;
    std::vector<RoleRule> roles;
    std::vector<AccessRule> rules;
    for (const std::string& name : kScopes) scopes.push_back(RandomScope(name));
    for (const std::string& name : kRoles) roles.push_back(RandomRole(name));
    for (const std::string& name : kTools) rules.push_back(RandomRule(name));
    Policy before = PolicyOf(scopes, roles, rules);
    switch (random_() % 4) {
      case 0:
        scopes[1] = RandomScope(scopes[1].scope);
        break;
      case 1:
        roles[1] = RandomRole(roles[1].role);
        break;
      case 2:
        rules[1] = RandomRule(rules[1].name);
        break;
      default:
        for (ScopeRule& scope : scopes) scope = RandomScope(scope.scope);
        for (AccessRule& rule : rules) rule = RandomRule(rule.name);
    }
    return {std::move(before), PolicyOf(scopes, roles, rules)};
  }

 private:
  static Policy PolicyOf(const std::vector<ScopeRule>& scopes, const std::vector<RoleRule>& roles,
                         const std::vector<AccessRule>& rules) {
    PolicyBuilder builder;
    builder.AddClass({.name = "open"});
    for (const ScopeRule& scope : scopes) builder.AddScope(scope);
    for (const RoleRule& role : roles) builder.AddRole(role);
    for (const AccessRule& rule : rules) builder.AddRule(rule);
    return Built(builder);
  }

  ScopeRule RandomScope(const std::string& name) { return {.scope = name, .implies = Some(kScopes, 5)}; }

  RoleRule RandomRole(const std::string& name) {
    std::vector<PrincipalKind> principals = Some(std::vector{kUser, kService, kAgent}, 2);
    if (principals.empty()) principals = {kAgent};
    return {.role = name, .scopes = Some(kScopes, 4), .principals = principals};
  }

  AccessRule RandomRule(const std::string& name) {
    AccessRule rule = Tool(name, Some(kScopes, 2), Some(kRoles, 3));
    rule.sensitivity = "open";
    rule.principals = Some(std::vector{kUser, kService, kAgent}, 2);
    return rule;
  }

  // One of `one_of` each.
  template <typename Value>
  std::vector<Value> Some(const std::vector<Value>& values, unsigned one_of) {
    std::vector<Value> some;
    for (const Value& value : values) {
      if (random_() % one_of == 0) some.push_back(value);
    }
    return some;
  }

  std::mt19937 random_;
};

bool MayUse(const Policy& policy, PrincipalKind kind, const Texts& roles, const Texts& scopes,
            const std::string& tool) {
  const std::vector<std::string_view> role_views(roles.begin(), roles.end());
  const std::vector<std::string_view> scope_views(scopes.begin(), scopes.end());
  return policy::Interpret(policy, {.kind = kind, .scopes = scope_views, .roles = role_views}, {.name = tool})
             .reason == Reason::kNone;
}

// Whether anybody at all may use the tool under one policy alone.
bool AnybodyMoves(const Policy& before, const Policy& after, const std::string& tool) {
  const Texts& names = RandomPolicies::kScopes;
  for (unsigned set = 0; set < 1u << (names.size() + RandomPolicies::kRoles.size()); ++set) {
    Texts roles, scopes;
    for (size_t i = 0; i < names.size(); ++i) {
      if ((set >> i & 1) != 0) scopes.push_back(names[i]);
    }
    for (size_t i = 0; i < RandomPolicies::kRoles.size(); ++i) {
      if ((set >> (names.size() + i) & 1) != 0) roles.push_back(RandomPolicies::kRoles[i]);
    }
    for (const PrincipalKind kind : {kUser, kService, kAgent}) {
      if (MayUse(before, kind, roles, scopes, tool) != MayUse(after, kind, roles, scopes, tool)) return true;
    }
  }
  return false;
}

// Of each tool something is said if, and only if, somebody gains or loses it; and what is said is so.
TEST(DiffTest, SaysOfRandomPoliciesWhatTryingEverybodySays) {
  RandomPolicies random(20261126);
  size_t num_moved = 0, num_same = 0;
  for (int round = 0; round < 200; ++round) {
    const auto [before, after] = random.Next();
    std::map<std::string, ObjectDiff> told;
    for (const ObjectDiff& object : Diff(before, after).objects) told[object.name] = object;
    for (const std::string& tool : RandomPolicies::kTools) {
      SCOPED_TRACE("round " + std::to_string(round) + ", tool " + tool);
      const bool moves = AnybodyMoves(before, after, tool);
      ++(moves ? num_moved : num_same);
      EXPECT_EQ(told.contains(tool), moves);
      const auto expect_so = [&tool](const std::vector<Holders>& all, const Policy& may,
                                     const Policy& may_not) {
        for (const Holders& holders : all) {
          for (const PrincipalKind kind : holders.kinds) {
            EXPECT_TRUE(MayUse(may, kind, holders.roles, holders.scopes, tool));
            EXPECT_FALSE(MayUse(may_not, kind, holders.roles, holders.scopes, tool));
          }
        }
      };
      expect_so(told[tool].gains, after, before);
      expect_so(told[tool].loses, before, after);
    }
  }
  EXPECT_GT(num_moved, 50u);
  EXPECT_GT(num_same, 50u);
}

}  // namespace
}  // namespace tollgate::cli
