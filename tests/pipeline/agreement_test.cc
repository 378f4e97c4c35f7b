// List, decision, challenge and explanation say the same of everything that there is to use: what a list
// shows may be called, what it does not may not, a challenge that names scopes leads to a token that may, and
// what is told of the rules, read one by one, is the reason.

#include <array>
#include <map>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "fuzz/random.h"
#include "policy/interpreter.h"
#include "tests/pipeline/engine_fixture.h"
#include "tests/seeds.h"
#include "tollgate/challenge.h"
#include "tollgate/mcp_filter.h"
#include "tools/cli/sample_caller.h"

namespace tollgate {
namespace {

using idp::json;

constexpr std::array kScopes = {"files:read", "files:write", "mail", "admin"};
constexpr std::array kRoles = {"clerk", "chief"};
constexpr std::array kServers = {kResource, kOtherResource};
constexpr char kMetadataUrl[] = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

// Object is what somebody may want to use, by the name that lists have for it.
struct Object {
  McpObject object;
  const char* list;
  const char* member;
  std::string name;
};

std::vector<Object> AllObjects() {
  std::vector<Object> objects;
  const auto add = [&objects](McpObject object, const char* list, const char* member, std::string name) {
    objects.push_back({object, list, member, std::move(name)});
  };
  for (int i = 0; i < 16; ++i) add(McpObject::kTool, "tools", "name", "tool_" + std::to_string(i));
  for (int i = 0; i < 4; ++i) add(McpObject::kPrompt, "prompts", "name", "prompt_" + std::to_string(i));
  for (const char* uri :
       {"file:///d/a", "file:///d/b", "file:///d/a/b", "file:///d/a/c", "file:///d/../e", "file:///e/a"})
    add(McpObject::kResource, "resources", "uri", uri);
  for (const char* uri : {"file:///d/{name}", "file:///d/a/*"})
    add(McpObject::kResource, "resourceTemplates", "uriTemplate", uri);
  return objects;
}

class AgreementTest : public EngineTest {
 protected:
  size_t Below(size_t n) { return random_.Below(n); }
  bool OneIn(size_t n) { return random_.OneIn(n); }

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
    for (const Object& object : objects_) {
      // Some have a rule for all servers, some one for one of them, some both, some none. Of resources a
      // template or a prefix may count; what has several spellings is none that a rule may name.
      if (object.name == "file:///d/../e") continue;
      if (!OneIn(object.object == McpObject::kResource ? 2 : 6)) builder.AddRule(RandomRule(object, ""));
      if (OneIn(4)) builder.AddRule(RandomRule(object, kServers[Below(kServers.size())]));
    }
    return Built(builder);
  }

  AccessRule RandomRule(const Object& object, std::string server) {
    AccessRule rule{.name = object.name, .object = object.object, .server = std::move(server)};
    for (const char* scope : kScopes) {
      if (OneIn(3)) rule.scopes.emplace_back(scope);
    }
    if (OneIn(5)) rule.roles = {kRoles[Below(kRoles.size())]};
    rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
    if (OneIn(6)) rule.principals = {OneIn(2) ? PrincipalKind::kAgent : PrincipalKind::kUser};
    if (OneIn(6)) rule.predicates = {{"tier", Predicate::Operator::kEquals, {"gold"}}};
    if (OneIn(6)) rule.sensitivity = "mfa";
    if (OneIn(6)) rule.sensitivity = "privileged";  // Whose tokens live for a quarter of an hour.
    return rule;
  }

  json RandomClaims() {
    std::string scope;
    for (const char* word : kScopes) {
      if (OneIn(3)) scope += std::string(scope.empty() ? "" : " ") + word;
    }
    json claims = Claims(scope, OneIn(3) ? 1800 : 600);
    claims["aud"] = kServers;
    if (OneIn(2)) claims["roles"] = {kRoles[Below(kRoles.size())]};
    if (OneIn(3)) claims["act"] = {{"sub", "assistant"}};
    if (OneIn(2)) claims["tier"] = OneIn(2) ? "gold" : "silver";
    if (OneIn(2)) claims["acr"] = OneIn(2) ? "loa2" : "loa1";
    return claims;
  }

  Request To(const Object& object, const std::string& authorization) const {
    return {.authorization = authorization,
            .tool = object.name,
            .resource = static_cast<ResourceId>(server_),
            .object = object.object};
  }

  Decision Decided(const Request& request) {
    Decision decision;
    engine_->Check(request, &decision);
    return decision;
  }

  // Listed are the names that are left of a list of everything.
  std::set<std::pair<McpObject, std::string>> Listed(const std::string& authorization) {
    json result;
    for (const Object& object : objects_) result[object.list].push_back({{object.member, object.name}});
    std::string shown;
    const Reason filtered = McpListFilter().Filter(
        json{{"jsonrpc", "2.0"}, {"id", 1}, {"result", result}}.dump(),
        [&](McpObject object, std::string_view name) {
          return engine_->MayUse({.authorization = authorization,
                                  .tool = name,
                                  .resource = static_cast<ResourceId>(server_),
                                  .object = object});
        },
        &shown);
    EXPECT_EQ(filtered, Reason::kNone);
    std::set<std::pair<McpObject, std::string>> listed;
    result = json::parse(shown)["result"];
    for (const Object& object : objects_) {
      for (const json& member : result[object.list]) {
        if (member[object.member] == object.name) listed.emplace(object.object, object.name);
      }
    }
    return listed;
  }

  void ExpectAgreement(const Policy& policy, const json& claims);
  void ExpectChallenge(const Object& object, const Decision& decision, const json& claims,
                       const Request& request);

  const std::vector<Object> objects_ = AllObjects();
  fuzz::Random random_{1};
  size_t server_ = 0;  // At which things are to be used.
  std::map<Reason, int> seen_;
  int stepped_up_ = 0;
};

// ExpectAgreement: of whoever has `claims`, about everything at one of the servers.
void AgreementTest::ExpectAgreement(const Policy& policy, const json& claims) {
  const auto sample = cli::SampleCaller::Read(claims.dump(), policy, {.profile = "rfc9068"});
  ASSERT_TRUE(sample.ok()) << sample.status();
  const std::string authorization = "Bearer " + idp::Mint(key_, claims);
  const std::set<std::pair<McpObject, std::string>> listed = Listed(authorization);
  for (const Object& object : objects_) {
    const Request request = To(object, authorization);
    const Decision decision = Decided(request);
    ++seen_[decision.reason];
    SCOPED_TRACE(object.name + " at " + kServers[server_] + " with " + claims.dump() + ": " +
                 std::string(ReasonName(decision.reason)));
    EXPECT_EQ(decision.allowed(), listed.contains({object.object, object.name}));
    EXPECT_EQ(decision.reason,
              policy::Interpret(policy, (*sample)->caller(), {kServers[server_], object.object, object.name})
                  .reason);
    ExpectChallenge(object, decision, claims, request);
  }
}

// ExpectChallenge: by what it tells a client to do.
void AgreementTest::ExpectChallenge(const Object& object, const Decision& decision, const json& claims,
                                    const Request& request) {
  const std::string scopes = engine_->ScopesFor(request), acr = engine_->AcrValuesFor(request);
  const std::string challenge = Challenge(decision, kMetadataUrl, scopes, acr);
  const bool step_up = challenge.find("error=\"insufficient_scope\"") != std::string::npos;
  EXPECT_EQ(step_up, decision.reason == Reason::kInsufficientScope);
  EXPECT_EQ(challenge.find("error=\"insufficient_user_authentication\"") != std::string::npos,
            decision.reason == Reason::kAuthenticationInsufficient);
  if (decision.http_status() == 403 && !step_up) {
    EXPECT_EQ(challenge, "") << "nothing that another token of the same caller would mend";
  }
  if (!step_up) return;
  // A client asks for what the challenge names, and has it beside what it had.
  ASSERT_NE(challenge.find("scope=\"" + scopes + "\""), std::string::npos) << challenge;
  json more = claims;
  more["scope"] = claims.value("scope", "") + " " + scopes;
  const Decision stepped_up = Decided(To(object, "Bearer " + idp::Mint(key_, more)));
  EXPECT_TRUE(stepped_up.allowed()) << ReasonName(stepped_up.reason) << " with " << more["scope"];
  ++stepped_up_;
}

TEST_F(AgreementTest, OfListDecisionAndChallengeForEveryTool) {
  const bool all = testing::ForEachSeed(60, [this](uint64_t seed) {
    random_ = fuzz::Random(seed);
    Config config = TestConfig(idp::Jwks({&key_}).dump());
    config.policy_claims = {"tier"};
    config.policy = RandomPolicy();
    Restart(config);
    for (int caller = 0; caller < 10; ++caller) {
      server_ = Below(kServers.size());
      ExpectAgreement(config.policy, RandomClaims());
    }
  });
  if (!all) return;
  for (const Reason reason : {Reason::kNone, Reason::kUnknownTool, Reason::kPrincipalKindNotAllowed,
                              Reason::kLifetimeTooLongHere, Reason::kRoleMissing, Reason::kClaimNotAsNeeded,
                              Reason::kAuthenticationInsufficient, Reason::kInsufficientScope}) {
    EXPECT_GT(seen_[reason], 100) << ReasonName(reason);
  }
  EXPECT_GT(stepped_up_, 1000);
}

}  // namespace
}  // namespace tollgate
