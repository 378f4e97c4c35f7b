#include "tools/cli/policy_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "tools/cli/policy_answers.h"
#include "tools/cli/sample_caller.h"

namespace tollgate::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using Texts = std::vector<std::string>;
using enum PrincipalKind;

constexpr char kCrm[] = "https://crm.example/mcp";

Policy Built(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : Policy();
}

AccessRule Tool(std::string name, Texts scopes, Texts roles = {}, std::string server = {}) {
  AccessRule rule = {.name = std::move(name),
                     .scopes = std::move(scopes),
                     .server = std::move(server),
                     .roles = std::move(roles)};
  rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
  return rule;
}

AccessRule Resource(std::string name, Texts scopes, std::string server = {}) {
  AccessRule rule = Tool(std::move(name), std::move(scopes), {}, std::move(server));
  rule.object = McpObject::kResource;
  return rule;
}

// A customer database with a server of its own, and what all servers have.
PolicyBuilder Crm() {
  AccessRule remove = Tool("crm_delete", {"crm:write"}, {"admin"}, kCrm);
  remove.sensitivity = "privileged";
  remove.predicates = {{.claim = "tier", .operation = Predicate::Operator::kEquals, .values = {"gold"}}};
  remove.systems = {"postgres", "billing"};
  AccessRule search = Tool("crm_search", {"crm:read"}, {}, kCrm);
  search.systems = {"postgres"};
  return PolicyBuilder()
      .AddClass({.name = "privileged",
                 .mode = ValidationMode::kIntrospect,
                 .token_age_max_s = 300,
                 .token_lifetime_max_s = 900,
                 .acr_values = {"phr"},
                 .principals = {kUser}})
      .AddScope({.scope = "crm:read"})
      .AddScope({.scope = "crm:write", .implies = {"crm:read"}})
      .AddRole({.role = "admin",
                .scopes = {"crm:*"},
                .from = {{.issuer = "https://idp.example", .value = "Boss"}, {.value = "root"}}})
      .AddRole({.role = "clerk", .scopes = {"crm:read"}})
      .AddRule(remove)
      .AddRule(search)
      .AddRule(Tool("echo", {}))
      .AddRule(Resource("crm://records/{id}", {"crm:read"}));
}

std::unique_ptr<const SampleCaller> CallerWith(const Policy& policy, const json& claims,
                                               const SampleCaller::Options& options = {}) {
  absl::StatusOr<std::unique_ptr<const SampleCaller>> caller =
      SampleCaller::Read(claims.dump(), policy, options);
  EXPECT_TRUE(caller.ok()) << caller.status();
  return caller.ok() ? *std::move(caller) : nullptr;
}

const json kBoss = {{"iss", "https://idp.example"},
                    {"sub", "alice"},
                    {"client_id", "app"},
                    {"scope", "openid"},
                    {"roles", {"Boss"}},
                    {"acr", "phr"},
                    {"tier", "gold"},
                    {"iat", 1000},
                    {"exp", 1600}};

std::string Explained(const Policy& policy, const json& claims, const policy::Target& target,
                      Form form = Form::kPlain) {
  bool allowed = false;
  return Explanation(policy, CallerWith(policy, claims)->caller(), target, form, &allowed);
}

TEST(SampleCallerTest, ReadsClaimsByTheProfile) {
  const Policy policy = Built(Crm());
  const json claims = {{"iss", "https://kc.example"},
                       {"sub", "bob"},
                       {"azp", "app"},
                       {"typ", "Bearer"},
                       {"scope", "a b"},
                       {"realm_access", {{"roles", {"x", "y"}}}},
                       {"act", {{"sub", "robot"}}}};
  const auto sample = CallerWith(policy, claims, {.profile = "keycloak", .scope_wildcards = true});
  const policy::Caller& caller = sample->caller();
  EXPECT_EQ(caller.issuer, "https://kc.example");
  EXPECT_EQ(caller.profile, "keycloak");
  EXPECT_EQ(caller.subject, "bob");
  EXPECT_EQ(caller.kind, kAgent);
  EXPECT_EQ(caller.credential, CredentialKind::kJwt);
  EXPECT_THAT(caller.scopes, ElementsAre("a", "b"));
  EXPECT_THAT(caller.roles, ElementsAre("x", "y"));
  EXPECT_TRUE(caller.scope_wildcards);
  EXPECT_EQ(caller.lifetime_s, INT64_MAX);
  EXPECT_THAT(caller.claims, IsEmpty());
}

// Claims of any time, as far as the policy looks at them.
TEST(SampleCallerTest, ReadsWhatThePolicyLooksAt) {
  const Policy policy = Built(Crm());
  const auto sample = CallerWith(policy, kBoss);
  ASSERT_EQ(sample->caller().claims.size(), 1u);
  EXPECT_EQ(sample->caller().claims[0].name, "tier");
  EXPECT_THAT(sample->caller().claims[0].values, ElementsAre("gold"));
  EXPECT_EQ(sample->caller().acr, "phr");
  EXPECT_LE(sample->caller().lifetime_s, 600);
}

// By RFC 7662's own names, whatever the issuer calls them in JWTs.
TEST(SampleCallerTest, ReadsAnIntrospectionResponse) {
  const Policy policy = Built(Crm());
  const json answer = {
      {"active", true}, {"client_id", "app"}, {"sub", "app"}, {"scope", "a"}, {"scp", {"b"}}};
  const auto sample = CallerWith(policy, answer, {.profile = "okta", .opaque = true});
  EXPECT_EQ(sample->caller().credential, CredentialKind::kOpaque);
  EXPECT_EQ(sample->caller().kind, kService);
  EXPECT_THAT(sample->caller().scopes, ElementsAre("a"));
  EXPECT_THAT(CallerWith(policy, answer, {.profile = "okta"})->caller().scopes, ElementsAre("b"));
}

TEST(SampleCallerTest, RefusesWhatIsNoAccessToken) {
  const Policy policy = Built(Crm());
  const auto refusal = [&](std::string_view claims, const SampleCaller::Options& options = {}) {
    return std::string(SampleCaller::Read(claims, policy, options).status().message());
  };
  EXPECT_THAT(refusal("[]"), HasSubstr("no JSON object"));
  EXPECT_THAT(refusal(R"({"a":1,"a":2})"), HasSubstr("duplicate_member"));
  EXPECT_THAT(refusal(R"({"scope":5})"), HasSubstr("bad_claim"));
  EXPECT_THAT(refusal(R"({"at_hash":"x"})"), HasSubstr("not_an_access_token"));
  EXPECT_THAT(refusal("{}", {.profile = "nonesuch"}), HasSubstr("profile"));
  // A token in the place of its claims is not repeated.
  EXPECT_THAT(refusal("eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.c2VjcmV0"), testing::Not(HasSubstr("eyJ")));
}

TEST(ExplanationTest, TellsEachStep) {
  EXPECT_EQ(Explained(Built(Crm()), kBoss, {.server = kCrm, .name = "crm_delete"}),
            R"(a user of https://idp.example, read by the profile lenient; scopes: openid; roles: Boss
held:
  role admin, by the token's Boss
  scope crm:read, by role admin
  scope crm:write, by role admin
tool crm_delete at https://crm.example/mcp:
  ok rule for tool crm_delete of https://crm.example/mcp, class privileged
  ok a user is calling, the class is for user
  ok credential jwt
  ok needs no token that is bound to a key
  ok the token lives for 599 s, rounded down, the class allows 900 s
  ok needs the role admin, held: admin
  ok claim tier equals gold: so
  ok acr is phr, the class needs phr
  ok needs all of the scopes crm:write, all are held
allow, if: 300 s old at most; its issuer calls it active
)");
}

TEST(ExplanationTest, SaysWhatIsMissing) {
  json claims = kBoss;
  claims["roles"] = {"clerk"};
  claims["tier"] = "iron";
  claims["acr"] = "grün\"\u202e";  // Nor can what a token says turn a terminal's lines around.
  EXPECT_EQ(Explained(Built(Crm()), claims, {.server = kCrm, .name = "crm_delete"}),
            R"(a user of https://idp.example, read by the profile lenient; scopes: openid; roles: clerk
held:
  role clerk, by the token
  scope crm:read, by role clerk
tool crm_delete at https://crm.example/mcp:
  ok rule for tool crm_delete of https://crm.example/mcp, class privileged
  ok a user is calling, the class is for user
  ok credential jwt
  ok needs no token that is bound to a key
  ok the token lives for 599 s, rounded down, the class allows 900 s
  NO needs the role admin, none is held
  NO claim tier equals gold: not so
  NO acr is gr\u00fcn"\u202e, the class needs phr
  NO needs all of the scopes crm:write, missing: crm:write
deny  role_missing
)");
}

TEST(ExplanationTest, SaysWhereElseOrWhatElseThereIs) {
  EXPECT_EQ(Explained(Built(Crm()), kBoss, {.name = "crm_delete"}),
            R"(a user of https://idp.example, read by the profile lenient; scopes: openid; roles: Boss
held:
  role admin, by the token's Boss
  scope crm:read, by role admin
  scope crm:write, by role admin
tool crm_delete:
  NO no rule names it
  there are rules for it at https://crm.example/mcp
deny  unknown_tool
)");
  EXPECT_THAT(Explained(Built(Crm()), kBoss, {.server = kCrm, .name = "crm_serch"}),
              HasSubstr("\n  did you mean \"crm_search\"?\n"));
}

TEST(ExplanationTest, MarksForTerminals) {
  const std::string text = Explained(Built(Crm()), kBoss, {.name = "nonesuch"}, Form::kTerminal);
  EXPECT_THAT(text,
              HasSubstr("\n  \033[31m✗\033[0m no rule names it\n\033[1;31mdeny\033[0m  unknown_tool\n"));
  EXPECT_THAT(Explained(Built(Crm()), kBoss, {.name = "echo"}, Form::kTerminal),
              HasSubstr("\n  \033[32m✓\033[0m rule for tool echo of all servers, class read\n"));
}

TEST(ExplanationTest, IsOneLineOfJsonForMachines) {
  const json claims = {{"sub", "alice"}, {"scope", "crm:read"}};
  EXPECT_EQ(
      Explained(Built(Crm()), claims, {.server = kCrm, .name = "crm_serch"}, Form::kJson),
      R"({"verdict":"deny","reason":"unknown_tool","object":"tool","name":"crm_serch",)"
      R"("server":"https://crm.example/mcp","caller":{"issuer":"","profile":"lenient","principal":"user",)"
      R"("credential":"jwt","scopes":["crm:read"],"roles":[]},"steps":[{"ok":false,)"
      R"("reason":"unknown_tool","text":"no rule names it"}],"roles":[],"scopes":[{"name":"crm:read",)"
      R"("through":"the token"}],"when_called":[],"hint":"did you mean \"crm_search\"?"})"
      "\n");
}

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

TEST(ReachTest, OfARoleAtMost) {
  const Policy policy = Built(Crm());
  const absl::StatusOr<Reach> reach = ReachOfHolder(policy, kUser, {"admin"}, {});
  ASSERT_TRUE(reach.ok()) << reach.status();
  EXPECT_EQ(TextOf(policy, *reach, Form::kPlain), R"(held:
  role admin, by the token
  scope crm:read, by role admin
  scope crm:write, by role admin
at every server:
  tool echo: read, if: lives 3600 s at most
  resource crm://records/{id}: read, if: lives 3600 s at most
at https://crm.example/mcp:
  tool crm_delete: privileged, if: lives 900 s at most; claim tier equals gold; acr phr; 300 s old at )"
                                                  R"(most; its issuer calls it active -> postgres billing
  tool crm_search: read, if: lives 3600 s at most -> postgres
system billing: behind 1
system postgres: behind 2
reaches 4 of 4 rules
)");
}

TEST(ReachTest, OfAScopeOfAnAgent) {
  const Policy policy = Built(Crm().AddRule(Tool("echo", {"crm:write"}, {}, kCrm)));
  const absl::StatusOr<Reach> reach = ReachOfHolder(policy, kAgent, {"clerk"}, {"crm:read"});
  ASSERT_TRUE(reach.ok()) << reach.status();
  EXPECT_EQ(TextOf(policy, *reach, Form::kPlain), R"(held:
  role clerk, by the token
  scope crm:read, by the token
at every server:
  tool echo: read, if: lives 3600 s at most, but for https://crm.example/mcp
  resource crm://records/{id}: read, if: lives 3600 s at most
at https://crm.example/mcp:
  tool crm_search: read, if: lives 3600 s at most -> postgres
system postgres: behind 1
reaches 3 of 5 rules
)");
  EXPECT_EQ(
      TextOf(policy, *reach, Form::kJson),
      R"({"reached":3,"of":5,"roles":[{"name":"clerk","through":"the token"}],)"
      R"("scopes":[{"name":"crm:read","through":"the token"}],)"
      R"("objects":[{"object":"tool","name":"crm_search","server":"https://crm.example/mcp",)"
      R"("except_servers":[],"class":"read","conditions":["lives 3600 s at most"],"systems":["postgres"]},)"
      R"({"object":"tool","name":"echo","server":null,"except_servers":["https://crm.example/mcp"],)"
      R"("class":"read","conditions":["lives 3600 s at most"],"systems":[]},)"
      R"({"object":"resource","name":"crm://records/{id}","server":null,"except_servers":[],)"
      R"("class":"read","conditions":["lives 3600 s at most"],"systems":[]}],)"
      R"("systems":[{"name":"postgres","objects":1}]})"
      "\n");
}

TEST(ReachTest, OfClaims) {
  const Policy policy = Built(Crm());
  json claims = kBoss;
  EXPECT_EQ(TextOf(policy, ReachOf(policy, CallerWith(policy, claims)->caller()), Form::kPlain), R"(held:
  role admin, by the token's Boss
  scope crm:read, by role admin
  scope crm:write, by role admin
at every server:
  tool echo: read
  resource crm://records/{id}: read
at https://crm.example/mcp:
  tool crm_delete: privileged, if: 300 s old at most; its issuer calls it active -> postgres billing
  tool crm_search: read -> postgres
system billing: behind 1
system postgres: behind 2
reaches 4 of 4 rules
)");
  claims["tier"] = "iron";
  EXPECT_EQ(ReachOf(policy, CallerWith(policy, claims)->caller()).systems,
            (std::map<std::string, size_t>{{"postgres", 1}}));
}

TEST(ReachTest, RefusesNamesThatThePolicyDoesNotHave) {
  const Policy policy = Built(Crm());
  EXPECT_EQ(ReachOfHolder(policy, kUser, {"admn"}, {}).status().message(),
            "the policy has no role \"admn\", did you mean \"admin\"?");
  EXPECT_EQ(ReachOfHolder(policy, kUser, {}, {"crm:*"}).status().message(),
            "the policy has no scope \"crm:*\"");
}

}  // namespace
}  // namespace tollgate::cli
