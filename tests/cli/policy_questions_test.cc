// What a caller may do, and why: read from claims, explained, and as far as a role or a scope reaches.

#include "tools/cli/policy_questions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>

#include "tests/cli/crm_policy.h"
#include "tools/cli/policy_answers.h"
#include "tools/cli/sample_caller.h"

namespace tollgate::cli {
namespace {

using nlohmann::json;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using enum PrincipalKind;

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
