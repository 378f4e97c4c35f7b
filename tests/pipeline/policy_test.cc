// Policies through the whole engine: what a token is asked for beside its scopes, and another policy while
// tokens are cached.

#include <algorithm>
#include <functional>

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

Policy Build(const std::function<void(PolicyBuilder&)>& fill) {
  PolicyBuilder builder;
  fill(builder);
  return Built(builder);
}

class PolicyTest : public EngineTest {
 protected:
  void Use(
      const std::function<void(PolicyBuilder&)>& fill,
      const std::function<void(Config&)>& change = [](Config&) {}) {
    Config config = TestConfig(idp::Jwks({&key_}).dump());
    config.policy = Build(fill);
    change(config);
    Restart(config);
  }

  std::string Mint(const std::function<void(idp::json&)>& change, std::string_view scope = "files:read") {
    idp::json claims = Claims(scope);
    change(claims);
    return idp::Mint(key_, claims);
  }

  // Twice checks a token as nobody has seen it, and as it is cached, which must agree.
  Reason Twice(const std::string& token, std::string_view tool = "search",
               ResourceId resource = ResourceId{0}) {
    const Decision first = Check(token, tool, resource);
    EXPECT_TRUE(first.was_cached) << ReasonName(first.reason);
    const std::string subject(principal_.subject());
    const PrincipalKind kind = principal_.kind();
    const std::string actors(principal_.actors()), roles(principal_.roles());
    const Decision again = Check(token, tool, resource);
    EXPECT_TRUE(again.from_cache);
    EXPECT_EQ(again.reason, first.reason) << ReasonName(again.reason) << " " << ReasonName(first.reason);
    EXPECT_EQ(principal_.subject(), subject);
    EXPECT_EQ(principal_.kind(), kind);
    EXPECT_EQ(principal_.actors(), actors);
    if (first.reason == Reason::kNone) {
      const auto sorted = [](std::string_view words) {
        std::string text(words);
        std::sort(text.begin(), text.end());
        return text;
      };
      EXPECT_EQ(sorted(principal_.roles()), sorted(roles));
    }
    return again.reason;
  }
  uint64_t Verifications() const { return engine_->ReadMetrics().signature_verifications; }
};

TEST_F(PolicyTest, UsersServicesAndAgentsAreToldApart) {
  Use([](PolicyBuilder& builder) {
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule({.name = "for-users", .scopes = {"files:read"}, .principals = {PrincipalKind::kUser}});
    builder.AddRule({.name = "for-jobs", .scopes = {"files:read"}, .principals = {PrincipalKind::kService}});
    builder.AddRule({.name = "for-agents", .scopes = {"files:read"}, .principals = {PrincipalKind::kAgent}});
  });
  const std::string user = Token();
  const std::string service = Mint([](idp::json& claims) { claims["sub"] = claims["client_id"]; });
  const std::string agent = Mint([](idp::json& claims) {
    claims["act"] = {{"sub", "assistant"}, {"act", {{"client_id", "planner"}}}};
  });
  const struct {
    const std::string& token;
    PrincipalKind kind;
    std::string_view own_tool, actors;
  } kCases[] = {{user, PrincipalKind::kUser, "for-users", ""},
                {service, PrincipalKind::kService, "for-jobs", ""},
                {agent, PrincipalKind::kAgent, "for-agents", "assistant\nplanner"}};
  for (const auto& [token, kind, own_tool, actors] : kCases) {
    EXPECT_EQ(Twice(token), Reason::kNone);
    EXPECT_EQ(principal_.kind(), kind) << own_tool;
    EXPECT_EQ(principal_.actors(), actors);
    for (std::string_view tool : {"for-users", "for-jobs", "for-agents"}) {
      EXPECT_EQ(Check(token, tool).reason,
                tool == own_tool ? Reason::kNone : Reason::kPrincipalKindNotAllowed)
          << tool << " for " << own_tool;
    }
  }
}

TEST_F(PolicyTest, AnActorThatCannotBeReadIsNotLeftOut) {
  const auto with = [this](idp::json act) {
    return Check(Mint([&](idp::json& claims) { claims["act"] = act; })).reason;
  };
  EXPECT_EQ(with({{"sub", "assistant"}}), Reason::kNone);
  EXPECT_EQ(with("assistant"), Reason::kBadClaim);
  EXPECT_EQ(with({{"iss", "https://idp.example"}}), Reason::kBadClaim);
  EXPECT_EQ(with({{"sub", 7}}), Reason::kBadClaim);
  EXPECT_EQ(with({{"sub", "a\nb"}}), Reason::kBadClaim) << "would be two of them";
  idp::json chain = {{"sub", "a"}};
  for (int depth = 2; depth <= 8; ++depth) chain = {{"sub", "a"}, {"act", chain}};
  EXPECT_EQ(with(chain), Reason::kNone);
  EXPECT_EQ(with({{"sub", "a"}, {"act", chain}}), Reason::kBadClaim) << "nine actors";
}

TEST_F(PolicyTest, RolesBringScopesToThoseWhoMayHaveThem) {
  Use([](PolicyBuilder& builder) {
    builder.AddRole({.role = "editor", .scopes = {"files:*"}, .from = {{kIssuer, "acme-editors"}}});
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule({.name = "delete", .scopes = {"files:write"}});
    builder.AddRule({.name = "publish", .roles = {"editor"}});
  });
  const auto editor = [](idp::json& claims) { claims["roles"] = {"acme-editors", "staff"}; };
  const std::string token = Mint(editor, "mail");
  EXPECT_EQ(Twice(token), Reason::kNone);
  EXPECT_EQ(Check(token, "delete").reason, Reason::kNone);
  EXPECT_EQ(Check(token, "publish").reason, Reason::kNone);
  const std::string named = Mint([](idp::json& claims) { claims["roles"] = {"editor"}; }, "mail");
  EXPECT_EQ(Twice(named), Reason::kInsufficientScope) << "the policy's name of it is not the token's";
  EXPECT_EQ(Check(named, "publish").reason, Reason::kRoleMissing);
  // An agent has what it was granted, and not what its user could do.
  const std::string agent = Mint(
      [&](idp::json& claims) {
        editor(claims);
        claims["act"] = {{"sub", "assistant"}};
      },
      "files:read");
  EXPECT_EQ(Twice(agent), Reason::kNone);
  EXPECT_EQ(Check(agent, "delete").reason, Reason::kInsufficientScope);
  EXPECT_EQ(Check(agent, "publish").reason, Reason::kNone) << "the role is its user's all the same";
}

TEST_F(PolicyTest, AStarInATokenIsALetterUnlessItsIssuerSaysOtherwise) {
  const auto fill = [](PolicyBuilder& builder) {
    builder.AddScope({.scope = "files:read"}).AddScope({.scope = "files:admin", .implies = {"files:*"}});
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule({.name = "wipe", .scopes = {"files:admin"}});
  };
  Use(fill);
  EXPECT_EQ(Twice(Token("files:*")), Reason::kInsufficientScope);
  EXPECT_EQ(Twice(Token("files:admin")), Reason::kNone) << "the policy's own";
  Use(fill, [](Config& config) { config.issuers[0].scope_wildcards = true; });
  const std::string token = Token("files:*");
  EXPECT_EQ(Twice(token), Reason::kNone);
  EXPECT_EQ(Check(token, "wipe").reason, Reason::kNone);
  EXPECT_EQ(Twice(Token("mail:*")), Reason::kInsufficientScope);
}

TEST_F(PolicyTest, ServersAndKindsOfObjectsHaveRulesOfTheirOwn) {
  Use([](PolicyBuilder& builder) {
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule({.name = "search", .scopes = {"other:read"}, .server = kOtherResource});
    builder.AddRule({.name = "secret", .scopes = {"other:read"}, .server = kOtherResource});
    builder.AddRule({.name = "search", .scopes = {"prompts"}, .object = McpObject::kPrompt});
    builder.AddRule({.name = "file:///docs/*", .scopes = {"files:read"}, .object = McpObject::kResource});
    builder.AddRule({.name = "file:///docs/hr/{id}", .scopes = {"hr"}, .object = McpObject::kResource});
    builder.AddProtocol();
  });
  const std::string token = Mint([](idp::json& claims) { claims["aud"] = {kResource, kOtherResource}; });
  EXPECT_EQ(Twice(token), Reason::kNone);
  EXPECT_EQ(Check(token, "search", ResourceId{1}).reason, Reason::kInsufficientScope);
  EXPECT_EQ(Check(token, "secret").reason, Reason::kUnknownTool);
  EXPECT_EQ(Check(token, "secret", ResourceId{1}).reason, Reason::kInsufficientScope);
  const std::string authorization = "Bearer " + token;
  const auto check = [&](McpObject object, std::string_view name) {
    Decision decision;
    engine_->Check({.authorization = authorization, .tool = name, .object = object}, &decision);
    EXPECT_TRUE(decision.from_cache);
    return decision.reason;
  };
  EXPECT_EQ(check(McpObject::kPrompt, "search"), Reason::kInsufficientScope);
  EXPECT_EQ(check(McpObject::kMethod, "search"), Reason::kUnknownTool);
  EXPECT_EQ(check(McpObject::kMethod, "tools/list"), Reason::kNone);
  EXPECT_EQ(check(McpObject::kResource, "file:///docs/a/b.txt"), Reason::kNone);
  EXPECT_EQ(check(McpObject::kResource, "file:///docs/hr/7"), Reason::kInsufficientScope);
  EXPECT_EQ(check(McpObject::kResource, "file:///docs/x/../hr/7"), Reason::kUnknownTool);
  EXPECT_EQ(engine_->ScopesFor({.tool = "file:///docs/hr/7", .object = McpObject::kResource}), "hr");
  EXPECT_EQ(engine_->ScopesFor({.tool = "search", .resource = ResourceId{1}}), "other:read");
  EXPECT_EQ(engine_->ScopesFor({.tool = "secret"}), "");
}

TEST_F(PolicyTest, PredicatesLookAtClaims) {
  Use([](PolicyBuilder& builder) {
    using enum Predicate::Operator;
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule(
        {.name = "gold", .scopes = {"files:read"}, .predicates = {{"/org/tier", kIn, {"gold", "platinum"}}}});
    builder.AddRule({.name = "seats", .scopes = {"files:read"}, .predicates = {{"seats", kEquals, {"5"}}}});
    builder.AddRule(
        {.name = "staff", .scopes = {"files:read"}, .predicates = {{"groups", kContains, {"staff"}}}});
    builder.AddRule({.name = "mail", .scopes = {"files:read"}, .predicates = {{"email", kPrefix, {"it-"}}}});
    builder.AddRule({.name = "any", .scopes = {"files:read"}, .predicates = {{"email", kPresent, {}}}});
  });
  const std::string token = Mint([](idp::json& claims) {
    claims["org"] = {{"tier", "gold"}};
    claims["seats"] = 5;
    claims["groups"] = {"staff", "sales"};
    claims["email"] = "it-help@acme.example";
  });
  const std::string other = Mint([](idp::json& claims) {
    claims["org"] = {{"tier", "gold "}};
    claims["seats"] = "05";
    claims["groups"] = "staffing";
    claims["email"] = {"it-help@acme.example"};
  });
  for (std::string_view tool : {"search", "gold", "seats", "staff", "mail", "any"}) {
    EXPECT_EQ(Check(token, tool).reason, Reason::kNone) << tool;
    EXPECT_EQ(Check(token, tool).reason, Reason::kNone) << tool;
    const bool not_asked = tool == "search" || tool == "any";
    EXPECT_EQ(Check(other, tool).reason, not_asked ? Reason::kNone : Reason::kClaimNotAsNeeded) << tool;
    EXPECT_EQ(Check(Token(), tool).reason, tool == "search" ? Reason::kNone : Reason::kClaimNotAsNeeded);
  }
  EXPECT_TRUE(Check(other).from_cache);
}

TEST_F(PolicyTest, ClassesDemandAuthenticationLifetimeCredentialsAndProofs) {
  Use([](PolicyBuilder& builder) {
    builder.AddClass({.name = "mfa", .acr_values = {"loa2", "loa3"}, .amr_values = {"otp"}});
    builder.AddClass({.name = "bound", .sender_constraint = true});
    builder.AddClass({.name = "opaque", .credentials = {CredentialKind::kOpaque}});
    builder.AddRule({.name = "search", .scopes = {"files:read"}});
    builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = "mfa"});
    builder.AddRule({.name = "sign", .scopes = {"files:read"}, .sensitivity = "bound"});
    builder.AddRule({.name = "ask", .scopes = {"files:read"}, .sensitivity = "opaque"});
    builder.AddRule({.name = "wipe", .scopes = {"files:read"}, .sensitivity = "privileged"});
  });
  const std::string strong = Mint([](idp::json& claims) {
    claims["acr"] = "loa3";
    claims["amr"] = {"pwd", "otp"};
  });
  const std::string weak = Mint([](idp::json& claims) {
    claims["acr"] = "loa3";
    claims["amr"] = "otp";  // Not an array: proves nothing.
  });
  EXPECT_EQ(Twice(strong, "pay"), Reason::kNone);
  EXPECT_EQ(Twice(weak, "pay"), Reason::kAuthenticationInsufficient);
  EXPECT_EQ(Twice(Token(), "pay"), Reason::kAuthenticationInsufficient);
  EXPECT_EQ(Check(weak, "pay").http_status(), 401);
  EXPECT_EQ(engine_->AcrValuesFor({.tool = "pay"}), "loa2 loa3");
  EXPECT_EQ(engine_->AcrValuesFor({.tool = "search"}), "");
  EXPECT_EQ(Check(strong, "sign").reason, Reason::kSenderConstraintNeeded);
  EXPECT_EQ(Check(strong, "ask").reason, Reason::kCredentialKindNotAllowed);
  // An hour is what "read" allows, and a quarter of one what "privileged" does.
  EXPECT_EQ(Check(idp::Mint(key_, Claims("files:read", 900)), "wipe").reason, Reason::kNone);
  const std::string hour = idp::Mint(key_, Claims("files:read", 3600));
  EXPECT_EQ(Twice(hour, "wipe"), Reason::kLifetimeTooLongHere);
  EXPECT_EQ(Check(hour).reason, Reason::kNone);
  EXPECT_EQ(Twice(idp::Mint(key_, Claims("files:read", 3602))), Reason::kLifetimeTooLongHere);
}

TEST_F(PolicyTest, AnotherPolicyDecidesCachedTokensAfreshAndVerifiesNone) {
  std::vector<std::string> tokens;
  for (std::string_view scope : {"files:read", "files:write", "files:read files:write", "mail"})
    tokens.push_back(Token(scope));
  std::vector<Reason> before;
  for (const std::string& token : tokens) before.push_back(Check(token).reason);
  const uint64_t verified = Verifications();
  ASSERT_TRUE(engine_
                  ->SetPolicy(Build([](PolicyBuilder& builder) {
                    builder.AddRule({.name = "search", .scopes = {"files:write"}});
                  }))
                  .ok());
  const Reason kAfter[] = {Reason::kInsufficientScope, Reason::kNone, Reason::kNone,
                           Reason::kInsufficientScope};
  for (int round = 0; round < 2; ++round) {
    for (size_t i = 0; i < tokens.size(); ++i) {
      const Decision decision = Check(tokens[i]);
      EXPECT_TRUE(decision.from_cache);
      EXPECT_EQ(decision.reason, kAfter[i]) << i;
      EXPECT_EQ(Check(tokens[i], "delete").reason, Reason::kUnknownTool) << i;
      EXPECT_EQ(engine_->ScopesFor({.tool = "search"}), "files:write");
    }
  }
  EXPECT_EQ(engine_->ReadMetrics().rechecks, tokens.size()) << "once each";
  ASSERT_TRUE(engine_->SetPolicy(TestPolicy()).ok());
  for (size_t i = 0; i < tokens.size(); ++i) EXPECT_EQ(Check(tokens[i]).reason, before[i]) << i;
  EXPECT_EQ(Verifications(), verified);
}

// What this thread remembers of scopes is of one policy: neither of the next, nor of another engine's.
TEST_F(PolicyTest, NewTokensAreDecidedByTheNewPolicyThoughTheirScopesAreKnown) {
  const auto needs = [](std::string_view scope) {
    return [scope](PolicyBuilder& builder) {
      builder.AddRule({.name = "search", .scopes = {std::string(scope)}});
    };
  };
  int num_tokens = 0;
  const auto check_new = [&](std::string_view scope) {
    const Reason reason =
        Twice(Mint([&](idp::json& claims) { claims["jti"] = "new-" + std::to_string(++num_tokens); }, scope));
    EXPECT_EQ(principal_.scope(), scope);
    return reason;
  };
  for (int round = 0; round < 2; ++round) {
    Use(needs("files:read"));
    EXPECT_EQ(check_new("files:read mail"), Reason::kNone);
    EXPECT_EQ(check_new("files:read mail"), Reason::kNone);
    EXPECT_EQ(check_new("files:write mail"), Reason::kInsufficientScope);
    ASSERT_TRUE(engine_->SetPolicy(Build(needs("files:write"))).ok());
    EXPECT_EQ(check_new("files:read mail"), Reason::kInsufficientScope);
    EXPECT_EQ(check_new("files:write mail"), Reason::kNone);
    EXPECT_EQ(check_new("files:write mail"), Reason::kNone);
  }
}

// The old policy did not ask for it: what a token says must be known all the same.
TEST_F(PolicyTest, ANewPolicyKnowsRolesActorsAndClaimsOfTokensThatWereCachedUnderTheOldOne) {
  Use([](PolicyBuilder& builder) { builder.AddRule({.name = "search", .any_valid_token = true}); },
      [](Config& config) { config.policy_claims = {"/org/tier"}; });
  const std::string rich = Mint([](idp::json& claims) {
    claims["roles"] = {"admin"};
    claims["org"] = {{"tier", "gold"}};
    claims["acr"] = "loa2";
    claims["amr"] = {"otp"};
  });
  const std::string agent = Mint([](idp::json& claims) { claims["act"] = {{"sub", "assistant"}}; });
  EXPECT_EQ(Twice(rich), Reason::kNone);
  EXPECT_EQ(Twice(agent), Reason::kNone);
  ASSERT_TRUE(engine_
                  ->SetPolicy(Build([](PolicyBuilder& builder) {
                    builder.AddClass({.name = "mfa", .acr_values = {"loa2"}, .amr_values = {"otp"}});
                    builder.AddRole({.role = "admin"});
                    builder.AddRule({.name = "search",
                                     .sensitivity = "mfa",
                                     .roles = {"admin"},
                                     .principals = {PrincipalKind::kUser},
                                     .predicates = {{"/org/tier", Predicate::Operator::kEquals, {"gold"}}}});
                  }))
                  .ok());
  Decision decision = Check(rich);
  EXPECT_EQ(decision.reason, Reason::kNone);
  EXPECT_TRUE(decision.from_cache);
  decision = Check(agent);
  EXPECT_EQ(decision.reason, Reason::kPrincipalKindNotAllowed);
  EXPECT_TRUE(decision.from_cache);
  EXPECT_EQ(Verifications(), 2u);
}

TEST_F(PolicyTest, APolicyThatTheEngineCannotServeChangesNothing) {
  const absl::Status claim = engine_->SetPolicy(Build([](PolicyBuilder& builder) {
    builder.AddRule({.name = "search",
                     .any_valid_token = true,
                     .predicates = {{"tier", Predicate::Operator::kPresent, {}}}});
  }));
  EXPECT_EQ(claim.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(claim.message().find("tier"), std::string_view::npos) << claim;
  const absl::Status introspection = engine_->SetPolicy(Build([](PolicyBuilder& builder) {
    builder.AddClass({.name = "asked", .mode = ValidationMode::kIntrospect});
    builder.AddRule({.name = "search", .any_valid_token = true, .sensitivity = "asked"});
  }));
  EXPECT_EQ(introspection.code(), absl::StatusCode::kInvalidArgument) << introspection;
  EXPECT_EQ(Check(Token()).reason, Reason::kNone);
  EXPECT_EQ(engine_->ScopesFor({.tool = "search"}), "files:read");
  EXPECT_EQ(engine_->ReadMetrics().rechecks, 0u);
}

TEST_F(PolicyTest, ALongClaimIsCachedWholeAndAVeryLongOneNot) {
  Use([](PolicyBuilder& builder) {
    builder.AddRule({.name = "search",
                     .any_valid_token = true,
                     .predicates = {{"note", Predicate::Operator::kEquals, {std::string(1'000, 'x')}}}});
  });
  const auto with = [this](size_t size) {
    return Twice(Mint([size](idp::json& claims) { claims["note"] = std::string(size, 'x'); }));
  };
  EXPECT_EQ(with(1'000), Reason::kNone);
  EXPECT_EQ(with(999), Reason::kClaimNotAsNeeded);
  EXPECT_EQ(with(3'900), Reason::kClaimNotAsNeeded);
  const std::string token = Mint([](idp::json& claims) { claims["note"] = std::string(9'000, 'x'); });
  for (int seen = 0; seen < 2; ++seen) {
    const Decision decision = Check(token);
    EXPECT_EQ(decision.reason, Reason::kClaimNotAsNeeded);
    EXPECT_FALSE(decision.was_cached || decision.from_cache);
  }
}

TEST_F(PolicyTest, AShadowPolicyIsHeldAgainstTheOneInForceAndChangesNothing) {
  const Policy shadow = Build([](PolicyBuilder& builder) {
    builder.AddClass({.name = "read"});
    builder.AddClass({.name = "young", .token_age_max_s = 30});
    builder.AddRule({.name = "search", .scopes = {"files:search"}});
    builder.AddRule({.name = "delete", .scopes = {"files:read"}});
    builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = "young"});
  });
  const std::string reader = Token(), searcher = Token("files:search");
  EXPECT_EQ(engine_->ReadShadow().compared, 0u);
  Check(reader);
  ASSERT_TRUE(engine_->SetShadowPolicy(shadow).ok());
  for (int seen = 0; seen < 3; ++seen) {
    EXPECT_EQ(Check(reader).reason, Reason::kNone);
    EXPECT_EQ(Check(reader, "delete").reason, Reason::kInsufficientScope);
    EXPECT_EQ(Check(reader, "pay").reason, Reason::kNone);
    EXPECT_EQ(Check(reader, "ping").reason, Reason::kNone);
    EXPECT_EQ(Check(reader, "no such tool").reason, Reason::kUnknownTool);
    EXPECT_EQ(Check(searcher).reason, Reason::kInsufficientScope);
  }
  EXPECT_EQ(Check(reader.substr(1)).reason, Check(reader.substr(1)).reason);  // Not the policies' business.
  ShadowReport report = engine_->ReadShadow();
  EXPECT_EQ(report.compared, 18u);
  EXPECT_EQ(report.would_deny, 6u) << "search and ping";
  EXPECT_EQ(report.would_allow, 6u) << "delete, and search by the other scope";
  EXPECT_EQ(report.would_deny_otherwise, 0u);
  ASSERT_EQ(report.differences.size(), 4u);
  for (const ShadowDifference& difference : report.differences) {
    EXPECT_EQ(difference.server, kResource);
    EXPECT_EQ(difference.count, 3u);
    EXPECT_EQ(difference.issuer, kIssuer);
    EXPECT_EQ(difference.subject, "alice");
    EXPECT_EQ(difference.client_id, "agent-1");
    if (difference.tool == "ping") {
      EXPECT_EQ(difference.live, Reason::kNone);
      EXPECT_EQ(difference.shadow, Reason::kUnknownTool);
    }
  }
  clock_.Advance(31);
  EXPECT_EQ(Check(reader, "pay").reason, Reason::kNone);
  EXPECT_EQ(engine_->ReadShadow().would_deny, 7u) << "too old for the shadow's class";

  ASSERT_TRUE(engine_->SetShadowPolicy(TestPolicy()).ok());
  EXPECT_EQ(Check(reader).reason, Reason::kNone);
  report = engine_->ReadShadow();
  EXPECT_EQ(report.compared, 1u) << "of this one";
  EXPECT_TRUE(report.differences.empty());
  engine_->EndShadowPolicy();
  EXPECT_EQ(Check(reader).reason, Reason::kNone);
  EXPECT_EQ(engine_->ReadShadow().compared, 0u);
  EXPECT_FALSE(engine_
                   ->SetShadowPolicy(Build([](PolicyBuilder& builder) {
                     builder.AddClass({.name = "read", .audit = AuditDuty::kMustRecord});
                     builder.AddRule({.name = "search", .any_valid_token = true});
                   }))
                   .ok());
}

// Its length is what an empty cell of a table of names has in the place of one.
TEST_F(PolicyTest, ANameOfAnyLengthIsJustUnknown) {
  const std::string authorization = "Bearer " + Token();
  for (const size_t size : {size_t{256}, size_t{257}, size_t{4096}, size_t{65'534}, size_t{65'535},
                            size_t{65'536}, size_t{1} << 20}) {
    const std::string name(size, 'x'), uri = "file:///docs/7/" + name;
    for (const McpObject object :
         {McpObject::kMethod, McpObject::kTool, McpObject::kPrompt, McpObject::kResource}) {
      Decision decision;
      engine_->Check({.authorization = authorization, .tool = name, .object = object}, &decision);
      EXPECT_EQ(decision.reason, Reason::kUnknownTool) << size;
    }
    Decision decision;
    engine_->Check({.authorization = authorization, .tool = uri, .object = McpObject::kResource}, &decision);
    EXPECT_EQ(decision.reason, size < 2000 ? Reason::kNone : Reason::kUnknownTool) << size;
  }
}

// Each of more sets than there are numbers for: tokens are cached all the same, and decided rightly.
TEST_F(PolicyTest, TokensBeyondTheSetsOfGrantsAreCachedAndVerifiedOnce) {
  constexpr size_t kScopes = 13;  // 8192 sets.
  Use(
      [](PolicyBuilder& builder) {
        builder.AddClass({.name = "read"});
        for (size_t i = 0; i < kScopes; ++i)
          builder.AddRule({.name = "tool-" + std::to_string(i), .scopes = {"scope-" + std::to_string(i)}});
      },
      [](Config& config) { config.verdict_cache_bytes = size_t{64} << 20; });
  const auto token = [this](size_t set) {
    std::string scope = "openid";
    for (size_t i = 0; i < kScopes; ++i) {
      if ((set >> i & 1) != 0) scope += " scope-" + std::to_string(i);
    }
    return idp::Mint(key_, Claims(scope));
  };
  size_t set = 0;
  for (; engine_->ReadMetrics().grant_sets_full == 0 && set < (size_t{1} << kScopes); ++set)
    Check(token(set));
  ASSERT_LT(set, size_t{1} << kScopes);
  const std::string beyond = token(0b1'0101'0101'0101);
  EXPECT_TRUE(Check(beyond, "tool-0").was_cached);
  const uint64_t verified = Verifications();
  for (size_t i = 0; i < kScopes; ++i) {
    const Decision decision = Check(beyond, "tool-" + std::to_string(i));
    EXPECT_TRUE(decision.from_cache);
    EXPECT_EQ(decision.reason, i % 2 == 0 ? Reason::kNone : Reason::kInsufficientScope) << i;
  }
  EXPECT_EQ(Verifications(), verified);
  // Another policy has numbers for it again.
  ASSERT_TRUE(engine_
                  ->SetPolicy(Build([](PolicyBuilder& builder) {
                    builder.AddClass({.name = "read"});
                    builder.AddRule({.name = "tool-0", .scopes = {"scope-1"}});
                  }))
                  .ok());
  EXPECT_EQ(Check(beyond, "tool-0").reason, Reason::kInsufficientScope);
  const uint64_t rechecks = engine_->ReadMetrics().rechecks;
  EXPECT_EQ(Check(beyond, "tool-0").reason, Reason::kInsufficientScope);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, rechecks);
  EXPECT_EQ(Verifications(), verified);
}

TEST_F(PolicyTest, AServerThatIsMeantAndNotNamedIsRefused) {
  for (const char* server : {"https://mcp.example/mcp/", "https://MCP.example/mcp"}) {
    absl::StatusOr<Policy> policy =
        PolicyBuilder().AddRule({.name = "t", .scopes = {"s"}, .server = server}).Build();
    if (!policy.ok()) continue;  // No canonical URI at all.
    const absl::Status status = engine_->SetPolicy(*policy);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_NE(status.message().find("did you mean \"https://mcp.example/mcp\""), std::string_view::npos)
        << status;
  }
  EXPECT_TRUE(engine_
                  ->SetPolicy(Build([](PolicyBuilder& builder) {
                    builder.AddRule(
                        {.name = "t", .scopes = {"s"}, .server = "https://elsewhere.example/mcp"});
                    builder.AddRule({.name = "search", .scopes = {"s"}});
                  }))
                  .ok())
      << "another engine's";
}

}  // namespace
}  // namespace tollgate
