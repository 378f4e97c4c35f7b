// List, decision and challenge say the same of every tool: what a list shows may be called, what it does not
// may not, and a challenge that names scopes leads to a token that may.

#include <map>
#include <random>
#include <set>

#include "tests/pipeline/engine_fixture.h"
#include "tollgate/challenge.h"
#include "tollgate/mcp_filter.h"

namespace tollgate {
namespace {

using idp::json;

constexpr std::array kScopes = {"files:read", "files:write", "mail", "admin"};
constexpr std::array kRoles = {"clerk", "chief"};
constexpr size_t kTools = 24;
constexpr char kMetadataUrl[] = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

class AgreementTest : public EngineTest {
 protected:
  size_t Below(size_t n) { return random_() % n; }
  bool OneIn(size_t n) { return Below(n) == 0; }

  static std::string ToolOf(size_t number) { return "tool_" + std::to_string(number); }

  Policy RandomPolicy() {
    PolicyBuilder builder;
    builder.AddClass({.name = "mfa", .acr_values = {"loa2"}});
    for (const char* scope : kScopes) {
      ScopeRule rule{.scope = scope};
      if (OneIn(3)) rule.implies = {OneIn(2) ? "files:*" : "mail"};
      builder.AddScope(std::move(rule));
    }
    for (const char* role : kRoles) {
      RoleRule rule{.role = role};
      if (OneIn(2)) rule.scopes = {kScopes[Below(kScopes.size())]};
      builder.AddRole(std::move(rule));
    }
    for (size_t i = 0; i < kTools; ++i) {
      // One in six has no rule.
      if (OneIn(6)) continue;
      AccessRule rule{.name = ToolOf(i)};
      for (const char* scope : kScopes) {
        if (OneIn(3)) rule.scopes.emplace_back(scope);
      }
      if (OneIn(5)) rule.roles = {kRoles[Below(kRoles.size())]};
      rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
      if (OneIn(6)) rule.principals = {OneIn(2) ? PrincipalKind::kAgent : PrincipalKind::kUser};
      if (OneIn(6)) rule.predicates = {{"tier", Predicate::Operator::kEquals, {"gold"}}};
      if (OneIn(6)) rule.sensitivity = "mfa";
      if (OneIn(6)) rule.sensitivity = "privileged";  // Whose tokens live for a quarter of an hour.
      builder.AddRule(std::move(rule));
    }
    absl::StatusOr<Policy> policy = builder.Build();
    EXPECT_TRUE(policy.ok()) << policy.status();
    return *std::move(policy);
  }

  json RandomClaims() {
    std::string scope;
    for (const char* word : kScopes) {
      if (OneIn(3)) scope += std::string(scope.empty() ? "" : " ") + word;
    }
    json claims = Claims(scope, OneIn(3) ? 1800 : 600);
    if (OneIn(2)) claims["roles"] = {kRoles[Below(kRoles.size())]};
    if (OneIn(3)) claims["act"] = {{"sub", "assistant"}};
    if (OneIn(2)) claims["tier"] = OneIn(2) ? "gold" : "silver";
    if (OneIn(2)) claims["acr"] = OneIn(2) ? "loa2" : "loa1";
    return claims;
  }

  std::mt19937 random_{20'261'126};
};

TEST_F(AgreementTest, OfListDecisionAndChallengeForEveryTool) {
  std::map<Reason, int> seen;
  int stepped_up = 0;
  for (int round = 0; round < 60; ++round) {
    Config config = TestConfig(idp::Jwks({&key_}).dump());
    config.policy_claims = {"tier"};
    config.policy = RandomPolicy();
    Restart(config);
    json tools = json::array();
    for (size_t i = 0; i < kTools; ++i)
      tools.push_back({{"name", ToolOf(i)}, {"inputSchema", json::object()}});
    const std::string answer = json{{"jsonrpc", "2.0"}, {"id", 1}, {"result", {{"tools", tools}}}}.dump();
    for (int caller = 0; caller < 10; ++caller) {
      const json claims = RandomClaims();
      const std::string authorization = "Bearer " + idp::Mint(key_, claims);

      std::string shown;
      const Reason filtered = McpListFilter().Filter(
          answer,
          [&](McpObject object, std::string_view name) {
            return engine_->MayUse({.authorization = authorization, .tool = name, .object = object});
          },
          &shown);
      ASSERT_EQ(filtered, Reason::kNone);
      std::set<std::string> listed;
      for (const json& tool : json::parse(shown)["result"]["tools"]) listed.insert(tool["name"]);

      for (size_t i = 0; i < kTools; ++i) {
        const std::string name = ToolOf(i);
        Request call = {.authorization = authorization, .tool = name};
        Decision decision;
        engine_->Check(call, &decision);
        ++seen[decision.reason];
        SCOPED_TRACE(::testing::Message() << "round " << round << " caller " << caller << " " << name << " "
                                          << ReasonName(decision.reason));
        EXPECT_EQ(decision.allowed(), listed.contains(name));
        const std::string scopes = engine_->ScopesFor(call), acr = engine_->AcrValuesFor(call);
        const std::string challenge = Challenge(decision, kMetadataUrl, scopes, acr);
        const bool step_up = challenge.find("error=\"insufficient_scope\"") != std::string::npos;
        EXPECT_EQ(step_up, decision.reason == Reason::kInsufficientScope);
        EXPECT_EQ(challenge.find("error=\"insufficient_user_authentication\"") != std::string::npos,
                  decision.reason == Reason::kAuthenticationInsufficient);
        if (decision.http_status() == 403 && !step_up) {
          EXPECT_EQ(challenge, "") << "nothing that another token of the same caller would mend";
        }
        if (!step_up) continue;
        // A client asks for what the challenge names, and has it beside what it had.
        ASSERT_NE(challenge.find("scope=\"" + scopes + "\""), std::string::npos) << challenge;
        json more = claims;
        more["scope"] = claims.value("scope", "") + " " + scopes;
        const std::string next = "Bearer " + idp::Mint(key_, more);
        call.authorization = next;
        engine_->Check(call, &decision);
        EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason) << " with " << more["scope"];
        ++stepped_up;
      }
    }
  }
  for (const Reason reason : {Reason::kNone, Reason::kUnknownTool, Reason::kPrincipalKindNotAllowed,
                              Reason::kLifetimeTooLongHere, Reason::kRoleMissing, Reason::kClaimNotAsNeeded,
                              Reason::kAuthenticationInsufficient, Reason::kInsufficientScope}) {
    EXPECT_GT(seen[reason], 100) << ReasonName(reason);
  }
  EXPECT_GT(stepped_up, 1000);
}

}  // namespace
}  // namespace tollgate
