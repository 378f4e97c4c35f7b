#include "policy/compiled_policy.h"

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <vector>

#include "policy/grant_sets.h"

namespace tollgate::policy {
namespace {

using Words = std::vector<std::string_view>;

constexpr char kServer[] = "https://mcp.example/mcp";
const std::vector<std::string> kServers = {kServer, "https://other.example/mcp"};

Policy Build(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

Policy Make(const std::vector<AccessRule>& rules) {
  PolicyBuilder builder;
  for (const AccessRule& rule : rules) builder.AddRule(rule);
  return Build(builder);
}

// Decide is what an engine does with a caller that the cache does not know.
Reason Decide(const CompiledPolicy& policy, std::string_view name, Caller caller, size_t server = 0,
              McpObject object = McpObject::kTool) {
  if (caller.lifetime_s == INT64_MAX) caller.lifetime_s = 300;
  const CompiledTool* tool = policy.FindTool(server, object, name);
  if (tool == nullptr) return Reason::kUnknownTool;
  GrantMask mask;
  policy.Evaluate(caller, &mask);
  const Reason reason = policy.Lacking(tool->requirement, mask);
  GrantSets sets(policy);
  const auto set = sets.Intern(mask);
  EXPECT_EQ(sets.Permits(*set, *tool), reason == Reason::kNone);
  EXPECT_EQ(sets.Lacking(*set, *tool), reason);
  return reason;
}

bool Allows(const CompiledPolicy& policy, std::string_view tool, const Words& scopes) {
  return Decide(policy, tool, {.scopes = scopes}) == Reason::kNone;
}

TEST(CompiledPolicyTest, AllScopesOfAToolAreNeeded) {
  const CompiledPolicy policy(Make({{.name = "delete", .scopes = {"r", "w"}}}), kServers);
  EXPECT_TRUE(Allows(policy, "delete", {"w", "x", "r"}));
  EXPECT_FALSE(Allows(policy, "delete", {"r"}));
  EXPECT_FALSE(Allows(policy, "delete", {}));
  EXPECT_FALSE(Allows(policy, "nonesuch", {"r", "w"}));
}

// What one policy has noted of a text is not another's, not even of one in the same place in memory; nor is
// it what wildcards make of it.
TEST(CompiledPolicyTest, WhatIsNotedOfScopesIsThePolicysOwn) {
  ScopeText files{.text = "files:* files:read", .words = {}};
  files.words = {std::string_view(files.text).substr(0, 7), std::string_view(files.text).substr(8)};
  std::optional<CompiledPolicy> policy;
  const auto allows = [&](std::string_view tool, bool wildcards) {
    const Caller caller = {
        .scopes = files.words, .scope_text = &files, .lifetime_s = 300, .scope_wildcards = wildcards};
    return Decide(*policy, tool, caller) == Reason::kNone;
  };
  for (int round = 0; round < 2; ++round) {
    policy.emplace(Make({{.name = "t", .scopes = {"files:read"}}, {.name = "u", .scopes = {"files:write"}}}),
                   kServers);
    for (const bool wildcards : {false, false, true, true, false}) {
      EXPECT_TRUE(allows("t", wildcards));
      EXPECT_EQ(allows("u", wildcards), wildcards);
    }
    policy.emplace(Make({{.name = "t", .scopes = {"files:write"}}, {.name = "u", .scopes = {"files:read"}}}),
                   kServers);
    for (int again = 0; again < 2; ++again) {
      EXPECT_FALSE(allows("t", false));
      EXPECT_TRUE(allows("u", false));
    }
  }
}

TEST(CompiledPolicyTest, WhatIsNotedOfScopesSaysNothingOfRolesAndClaims) {
  PolicyBuilder builder;
  builder.AddRole({.role = "r"});
  builder.AddRule({.name = "t",
                   .scopes = {"s"},
                   .roles = {"r"},
                   .predicates = {{"n", Predicate::Operator::kEquals, {"7"}}}});
  const CompiledPolicy policy(Build(builder), kServers);
  ScopeText known{.text = "s", .words = {"s"}};
  const Words seven = {"7"}, roles = {"r"};
  const std::vector<Claim> claims = {{.name = "n", .is_text = true, .values = seven}};
  Caller caller = {.scopes = known.words, .scope_text = &known, .lifetime_s = 300};
  for (int again = 0; again < 2; ++again) {
    caller.roles = roles;
    caller.claims = claims;
    EXPECT_EQ(Decide(policy, "t", caller), Reason::kNone);
    caller.claims = {};
    EXPECT_EQ(Decide(policy, "t", caller), Reason::kClaimNotAsNeeded);
    caller.roles = {};
    EXPECT_EQ(Decide(policy, "t", caller), Reason::kRoleMissing);
  }
}

TEST(CompiledPolicyTest, ScopesAndToolsAreComparedExactly) {
  const CompiledPolicy policy(Make({{.name = "t", .scopes = {"files:read"}}}), kServers);
  for (const char* near : {"files:*", "*", "files:rea", "files:read2", "FILES:READ", "files"}) {
    EXPECT_FALSE(Allows(policy, "t", {near})) << near;
  }
  EXPECT_FALSE(Allows(policy, "T", {"files:read"}));
  EXPECT_FALSE(Allows(policy, std::string_view("t\0", 2), {"files:read"}));
}

TEST(CompiledPolicyTest, ScopesThatDifferInTheirMiddleAloneAreDifferent) {
  const CompiledPolicy policy(
      Make({{.name = "a", .scopes = {"tenant:a:read-all"}}, {.name = "b", .scopes = {"tenant:b:read-all"}}}),
      kServers);
  EXPECT_TRUE(Allows(policy, "a", {"tenant:a:read-all"}));
  EXPECT_FALSE(Allows(policy, "a", {"tenant:b:read-all"}));
  EXPECT_TRUE(Allows(policy, "b", {"tenant:b:read-all"}));
  EXPECT_FALSE(Allows(policy, "b", {"tenant:c:read-all", "tenant:a:read-all"}));
}

TEST(CompiledPolicyTest, EachOfManyScopesHasABitOfItsOwn) {
  std::vector<AccessRule> rules;
  std::vector<std::string> scopes;
  for (int i = 0; i < 2000; ++i) {
    scopes.push_back("s" + std::to_string(i));
    rules.push_back({.name = "t" + std::to_string(i), .scopes = {scopes.back()}});
  }
  const CompiledPolicy policy(Make(rules), kServers);
  GrantSets sets(policy);
  for (size_t held = 0; held < scopes.size(); held += 97) {
    const Words words = {scopes[held]};
    GrantMask mask;
    policy.Evaluate({.scopes = words, .lifetime_s = 1}, &mask);
    const uint32_t set = *sets.Intern(mask);
    for (size_t tool = 0; tool < rules.size(); ++tool) {
      ASSERT_EQ(sets.Permits(set, *policy.FindTool(0, McpObject::kTool, rules[tool].name)), tool == held);
    }
  }
}

TEST(CompiledPolicyTest, KnowsTheScopesForAChallengeAndTheDemandsOfTheClass) {
  PolicyBuilder builder;
  builder.AddClass({.name = "top",
                    .mode = ValidationMode::kIntrospect,
                    .token_age_max_s = 900,
                    .acr_values = {"gold", "silver"},
                    .audit = AuditDuty::kMustRecord});
  builder.AddRule({.name = "pay", .scopes = {"pay", "read", "pay"}, .sensitivity = "top"});
  builder.AddRule({.name = "ping", .any_valid_token = true});
  const CompiledPolicy policy(Build(builder), kServers);
  const CompiledTool* pay = policy.FindTool(0, McpObject::kTool, "pay");
  ASSERT_NE(pay, nullptr);
  EXPECT_EQ(policy.ScopesOf(*pay), "pay read");
  EXPECT_EQ(policy.AcrOf(*pay), "gold silver");
  EXPECT_EQ(pay->mode, ValidationMode::kIntrospect);
  EXPECT_EQ(pay->token_age_max_s, 900u);
  EXPECT_EQ(pay->audit, AuditDuty::kMustRecord);
  EXPECT_TRUE(Allows(policy, "ping", {}));
}

TEST(CompiledPolicyTest, ToolsPromptsMethodsAndResourcesAreApart) {
  const CompiledPolicy policy(
      Make({{.name = "x", .scopes = {"tool"}},
            {.name = "x", .scopes = {"prompt"}, .object = McpObject::kPrompt},
            {.name = "x", .scopes = {"method"}, .object = McpObject::kMethod},
            {.name = "file:///x", .scopes = {"file"}, .object = McpObject::kResource}}),
      kServers);
  const Words tool = {"tool"}, prompt = {"prompt"}, method = {"method"}, file = {"file"};
  EXPECT_EQ(Decide(policy, "x", {.scopes = tool}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "x", {.scopes = prompt}), Reason::kInsufficientScope);
  EXPECT_EQ(Decide(policy, "x", {.scopes = prompt}, 0, McpObject::kPrompt), Reason::kNone);
  EXPECT_EQ(Decide(policy, "x", {.scopes = method}, 0, McpObject::kMethod), Reason::kNone);
  EXPECT_EQ(Decide(policy, "file:///x", {.scopes = file}, 0, McpObject::kResource), Reason::kNone);
  EXPECT_EQ(Decide(policy, "x", {.scopes = file}, 0, McpObject::kResource), Reason::kUnknownTool);
  EXPECT_EQ(Decide(policy, "file:///x", {.scopes = file}), Reason::kUnknownTool);
}

TEST(CompiledPolicyTest, AServersOwnRuleComesBeforeThatForAll) {
  const CompiledPolicy policy(
      Make({{.name = "t", .scopes = {"all"}},
            {.name = "u", .scopes = {"all"}},
            {.name = "t", .scopes = {"own"}, .server = kServer},
            {.name = "v", .scopes = {"own"}, .server = kServer},
            {.name = "w", .scopes = {"own"}, .server = "https://elsewhere.example/mcp"},
            {.name = "file:///a/b", .scopes = {"all"}, .object = McpObject::kResource},
            {.name = "file:///a/*", .scopes = {"own"}, .object = McpObject::kResource, .server = kServer}}),
      kServers);
  const Words all = {"all"}, own = {"own"};
  EXPECT_EQ(Decide(policy, "t", {.scopes = own}, 0), Reason::kNone);
  EXPECT_EQ(Decide(policy, "t", {.scopes = all}, 0), Reason::kInsufficientScope);
  EXPECT_EQ(Decide(policy, "t", {.scopes = all}, 1), Reason::kNone);
  EXPECT_EQ(Decide(policy, "u", {.scopes = all}, 0), Reason::kNone);
  EXPECT_EQ(Decide(policy, "v", {.scopes = own}, 0), Reason::kNone);
  EXPECT_EQ(Decide(policy, "v", {.scopes = own}, 1), Reason::kUnknownTool);
  EXPECT_EQ(Decide(policy, "w", {.scopes = own}, 0), Reason::kUnknownTool);
  EXPECT_EQ(Decide(policy, "file:///a/b", {.scopes = own}, 0, McpObject::kResource), Reason::kNone);
  EXPECT_EQ(Decide(policy, "file:///a/b", {.scopes = all}, 1, McpObject::kResource), Reason::kNone);
  EXPECT_EQ(Decide(policy, "file:///a/c", {.scopes = all}, 1, McpObject::kResource), Reason::kUnknownTool);
}

TEST(CompiledPolicyTest, ScopesImplyOthersAndOnlyThePolicysStarsArePatterns) {
  PolicyBuilder builder;
  builder.AddScope({.scope = "files:read"}).AddScope({.scope = "files:write", .implies = {"files:read"}});
  builder.AddScope({.scope = "files:*"}).AddScope({.scope = "admin", .implies = {"files:*"}});
  builder.AddScope({.scope = "mail"});
  builder.AddRole({.role = "clerk", .scopes = {"files:*"}});
  builder.AddRule({.name = "read", .scopes = {"files:read"}})
      .AddRule({.name = "write", .scopes = {"files:write"}});
  builder.AddRule({.name = "mail", .scopes = {"mail"}}).AddRule({.name = "star", .scopes = {"files:*"}});
  const CompiledPolicy policy(Build(builder), kServers);
  EXPECT_TRUE(Allows(policy, "read", {"files:write"}));
  EXPECT_FALSE(Allows(policy, "write", {"files:read"}));
  EXPECT_TRUE(Allows(policy, "write", {"admin"}));
  EXPECT_TRUE(Allows(policy, "star", {"admin"}));
  EXPECT_FALSE(Allows(policy, "mail", {"admin"}));
  const Words star = {"files:*"}, everything = {"*"};
  EXPECT_EQ(Decide(policy, "star", {.scopes = star}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "read", {.scopes = star}), Reason::kInsufficientScope)
      << "a letter like any other";
  EXPECT_EQ(Decide(policy, "read", {.scopes = star, .scope_wildcards = true}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "mail", {.scopes = star, .scope_wildcards = true}), Reason::kInsufficientScope);
  EXPECT_EQ(Decide(policy, "mail", {.scopes = everything, .scope_wildcards = true}),
            Reason::kInsufficientScope);
  const Words clerk = {"clerk"};
  EXPECT_EQ(Decide(policy, "write", {.roles = clerk}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "write", {.kind = PrincipalKind::kAgent, .roles = clerk}),
            Reason::kInsufficientScope)
      << "an agent does not inherit";
}

// As many scopes as there may be, each of which gives all: a closure scope by scope would not come to an end.
TEST(CompiledPolicyTest, AHierarchyOfTheLargestSizeIsCompiled) {
  PolicyBuilder builder;
  for (size_t i = 0; i < PolicyBuilder::kScopesMax; ++i)
    builder.AddScope({.scope = "s" + std::to_string(i), .implies = {"s*", "s1*"}});
  builder.AddRule({.name = "first", .scopes = {"s0"}}).AddRule({.name = "last", .scopes = {"s2047"}});
  const CompiledPolicy policy(Build(builder), kServers);
  EXPECT_TRUE(Allows(policy, "last", {"s0"}));
  EXPECT_TRUE(Allows(policy, "first", {"s1000"}));
  EXPECT_FALSE(Allows(policy, "first", {"s"}));
}

TEST(CompiledPolicyTest, RolesAreThoseOfTheIssuersThatThePolicyNames) {
  PolicyBuilder builder;
  builder.AddRole({.role = "admin", .from = {{"https://a.example", "grp-1"}, {"okta", "admins"}}});
  builder.AddRole({.role = "clerk"});
  builder.AddRule({.name = "t", .roles = {"admin", "clerk"}});
  const CompiledPolicy policy(Build(builder), kServers);
  const Words group = {"x", "grp-1"}, admins = {"admins"}, admin = {"admin"}, clerk = {"clerk"};
  EXPECT_EQ(Decide(policy, "t", {.issuer = "https://a.example", .roles = group}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "t", {.issuer = "https://b.example", .roles = group}), Reason::kRoleMissing);
  EXPECT_EQ(Decide(policy, "t", {.profile = "okta", .roles = admins}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "t", {.issuer = "https://a.example", .roles = admin}), Reason::kRoleMissing);
  EXPECT_EQ(Decide(policy, "t", {.roles = clerk}), Reason::kNone);
}

TEST(CompiledPolicyTest, ClaimsAreHeldAgainstPredicates) {
  using enum Predicate::Operator;
  const Words gold = {"gold"}, seven = {"7"}, list = {"red", "blue"}, nothing = {};
  const std::vector<Claim> claims = {{.name = "tier", .is_text = true, .values = gold},
                                     {.name = "level", .values = seven},
                                     {.name = "/org/colours", .is_list = true, .values = list},
                                     {.name = "object", .values = nothing}};
  const auto holds = [&](Predicate predicate) {
    const CompiledPolicy policy(Make({{.name = "t", .any_valid_token = true, .predicates = {predicate}}}),
                                kServers);
    EXPECT_EQ(policy.claims(), std::vector{predicate.claim});
    const Reason reason = Decide(policy, "t", {.claims = claims});
    EXPECT_TRUE(reason == Reason::kNone || reason == Reason::kClaimNotAsNeeded);
    return reason == Reason::kNone;
  };
  EXPECT_TRUE(holds({"tier", kPresent}));
  EXPECT_TRUE(holds({"object", kPresent}));
  EXPECT_FALSE(holds({"absent", kPresent}));
  EXPECT_TRUE(holds({"tier", kEquals, {"gold"}}));
  EXPECT_FALSE(holds({"tier", kEquals, {"gol"}}));
  EXPECT_TRUE(holds({"tier", kIn, {"silver", "gold"}}));
  EXPECT_TRUE(holds({"tier", kPrefix, {"go"}}));
  EXPECT_FALSE(holds({"tier", kPrefix, {"old"}}));
  EXPECT_TRUE(holds({"level", kEquals, {"7"}}));
  EXPECT_FALSE(holds({"level", kPrefix, {"7"}})) << "not a string";
  EXPECT_TRUE(holds({"/org/colours", kContains, {"green", "blue"}}));
  EXPECT_FALSE(holds({"/org/colours", kContains, {"green"}}));
  EXPECT_FALSE(holds({"/org/colours", kEquals, {"red"}}));
  EXPECT_TRUE(holds({"tier", kContains, {"gold"}}));
  EXPECT_FALSE(holds({"object", kIn, {""}}));
}

TEST(CompiledPolicyTest, WhatIsWrongFirstIsSaid) {
  PolicyBuilder builder;
  builder.AddClass({.name = "top",
                    .token_lifetime_max_s = 900,
                    .acr_values = {"gold"},
                    .amr_values = {"hwk"},
                    .principals = {PrincipalKind::kUser, PrincipalKind::kAgent},
                    .credentials = {CredentialKind::kJwt}});
  builder.AddRole({.role = "admin"});
  builder.AddRule({.name = "t",
                   .scopes = {"s"},
                   .sensitivity = "top",
                   .roles = {"admin"},
                   .principals = {PrincipalKind::kUser},
                   .predicates = {{.claim = "tier"}}});
  const CompiledPolicy policy(Build(builder), kServers);
  const Words scopes = {"s"}, roles = {"admin"}, amr = {"pwd", "hwk"};
  const std::vector<Claim> claims = {{.name = "tier"}};
  const Caller good = {
      .scopes = scopes, .roles = roles, .acr = "gold", .amr = amr, .lifetime_s = 900, .claims = claims};
  EXPECT_EQ(Decide(policy, "t", good), Reason::kNone);
  Caller bad = good;
  const auto expect = [&](Reason reason) {
    EXPECT_EQ(Decide(policy, "t", bad), reason) << ReasonName(reason);
  };
  bad.scopes = {};
  expect(Reason::kInsufficientScope);
  bad.amr = {};
  expect(Reason::kAuthenticationInsufficient);
  bad.amr = amr, bad.acr = "";
  expect(Reason::kAuthenticationInsufficient);
  bad.claims = {};
  expect(Reason::kClaimNotAsNeeded);
  bad.roles = {};
  expect(Reason::kRoleMissing);
  bad.lifetime_s = 901;
  expect(Reason::kLifetimeTooLongHere);
  bad.credential = CredentialKind::kOpaque;
  expect(Reason::kCredentialKindNotAllowed);
  bad.kind = PrincipalKind::kAgent;
  expect(Reason::kPrincipalKindNotAllowed);
}

TEST(CompiledPolicyTest, AnOpaqueTokenMayLiveAsLongAsItsIssuerSays) {
  const CompiledPolicy policy(Make({{.name = "t", .any_valid_token = true}}), kServers);
  EXPECT_EQ(Decide(policy, "t", {.lifetime_s = 3601}), Reason::kLifetimeTooLongHere);
  EXPECT_EQ(Decide(policy, "t", {.lifetime_s = 3600}), Reason::kNone);
  EXPECT_EQ(Decide(policy, "t", {.credential = CredentialKind::kOpaque, .lifetime_s = 3601}), Reason::kNone);
}

TEST(CompiledPolicyTest, NoProofOfPossessionIsReadYet) {
  PolicyBuilder builder;
  builder.AddClass({.name = "bound", .sender_constraint = true});
  builder.AddRule({.name = "t", .any_valid_token = true, .sensitivity = "bound"});
  EXPECT_EQ(Decide(CompiledPolicy(Build(builder), kServers), "t", {}), Reason::kSenderConstraintNeeded);
}

TEST(GrantSetsTest, AreBoundedAndKeepThoseTheyHave) {
  std::vector<AccessRule> rules;
  for (int i = 0; i < 13; ++i)
    rules.push_back({.name = "t" + std::to_string(i), .scopes = {"s" + std::to_string(i)}});
  const CompiledPolicy policy(Make(rules), kServers);
  GrantSets sets(policy);
  ASSERT_EQ(policy.num_words(), 1u);
  const auto first = sets.Intern({1});
  size_t refused = 0;
  for (uint64_t mask = 0; mask < 8192; ++mask) refused += !sets.Intern({mask}).has_value();
  EXPECT_EQ(sets.size(), 4096u);
  EXPECT_EQ(refused, 4096u);
  EXPECT_EQ(sets.Intern({1}), first);
}

// Masks of many scopes take more than one of the numbers that texts have.
TEST(GrantSetsTest, AreAsManyWhereMasksAreLarge) {
  PolicyBuilder builder;
  std::vector<std::string> scopes;
  for (int i = 0; i < 1100; ++i) scopes.push_back("s" + std::to_string(i));
  for (const std::string& scope : scopes) builder.AddScope({.scope = scope});
  builder.AddRule({.name = "first", .scopes = {scopes.front()}});
  builder.AddRule({.name = "last", .scopes = {scopes.back()}});
  const CompiledPolicy policy(Build(builder), kServers);
  ASSERT_GT(policy.num_words() * sizeof(uint64_t), sync::InternedTexts::Padded::kBlock);
  GrantSets sets(policy);
  const CompiledTool& first = *policy.FindTool(0, McpObject::kTool, "first");
  const CompiledTool& last = *policy.FindTool(0, McpObject::kTool, "last");
  GrantMask mask;
  for (uint32_t set = 0; set < 4096; ++set) {
    // The number in letters that are there or not, and behind them one of the two.
    std::vector<std::string_view> words = {set % 2 == 0 ? scopes.front() : scopes.back()};
    for (int bit = 0; bit < 12; ++bit) {
      if ((set >> bit & 1) != 0) words.push_back(scopes[500 + bit]);
    }
    policy.Evaluate({.scopes = words, .lifetime_s = 60}, &mask);
    ASSERT_EQ(sets.Intern(mask), set);
    ASSERT_EQ(sets.Permits(set, first), set % 2 == 0);
    ASSERT_EQ(sets.Permits(set, last), set % 2 != 0);
    ASSERT_EQ(sets.Lacking(set, first), set % 2 == 0 ? Reason::kNone : Reason::kInsufficientScope);
  }
  EXPECT_EQ(sets.size(), 4096u);
  mask.assign(policy.num_words(), 0);
  EXPECT_EQ(sets.Intern(mask), std::nullopt);
}

}  // namespace
}  // namespace tollgate::policy
