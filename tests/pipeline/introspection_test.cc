// Tokens about which the issuer is asked (RFC 7662), through the whole engine: opaque ones, and those whose
// tool demands it; answers, silence, and what stands in for an answer.

#include "tests/pipeline/introspection_fixture.h"

namespace tollgate {
namespace {

TEST_F(IntrospectionTest, AnOpaqueTokenIsAskedAboutAndItsAnswerRemembered) {
  Decision decision = Check(kOpaque, "read");
  EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
  EXPECT_EQ(decision.reason, Reason::kIntrospectionPending);
  EXPECT_GE(decision.retry_after_s, 1u);
  EXPECT_TRUE(principal_.subject().empty());
  Run();
  ASSERT_EQ(network_->num_requests(), 1u);
  const FetchRequest request = network_->requests()[0];
  EXPECT_EQ(request.url, kEndpoint);
  EXPECT_NE(request.form.find(std::string("token=") + kOpaque), std::string::npos) << request.form;
  EXPECT_TRUE(request.authorization.starts_with("Basic "));

  network_->CompleteOldest(Active());
  Settle();
  decision = Check(kOpaque, "read");
  EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason);
  EXPECT_TRUE(decision.introspected);
  EXPECT_EQ(decision.freshness, Freshness::kFresh);
  EXPECT_EQ(principal_.issuer(), kIssuer);
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_EQ(principal_.client_id(), "agent-1");
  EXPECT_EQ(principal_.scope(), "files:read");
  EXPECT_LE(decision.valid_until_s, clock_.now.wall_s + 60) << "no longer than an answer counts";
  clock_.Advance(30);
  EXPECT_EQ(Check(kOpaque, "read").introspection_age_ms, 30'000u);
  EXPECT_EQ(network_->num_requests(), 1u);
  clock_.Advance(31);
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending) << "an answer ages";
}

TEST_F(IntrospectionTest, ATokenThatWaitsIsToldWhenTheAnswerIsThere) {
  const Decision pending = Check(kOpaque, "read");
  bool told = false;
  ASSERT_TRUE(engine_->NotifyWhenSettled(pending, [&] { told = true; }));
  Run();
  EXPECT_FALSE(told);
  network_->CompleteOldest(Active());
  Settle();
  EXPECT_TRUE(told);
  EXPECT_TRUE(Check(kOpaque, "read").allowed());
}

TEST_F(IntrospectionTest, NothingOfAnInactiveTokenIsTold) {
  const Decision decision = Ask(kOpaque, "read", kInactive);
  EXPECT_EQ(decision.verdict, Verdict::kDeny);
  EXPECT_EQ(decision.reason, Reason::kTokenInactive);
  EXPECT_EQ(decision.http_status(), 401);
  EXPECT_TRUE(principal_.subject().empty());
}

TEST_F(IntrospectionTest, AnOpaqueTokenIsRefusedWhereNobodyIsToBeAsked) {
  EXPECT_EQ(Check(kOpaque, "read", ResourceId{1}).reason, Reason::kNotCompactJws);
  Run();
  EXPECT_EQ(network_->num_requests(), 0u);
}

// Each is what one member of the answer means for an opaque token.
TEST_F(IntrospectionTest, TheAnswersMembersAreHeldAgainstTheRequest) {
  const struct {
    const char* what;
    FakeAnswer answer;
    Reason reason;
  } cases[] = {
      {"another audience", Active({{"aud", kOtherResource}}), Reason::kAudienceMismatch},
      {"audiences", Active({{"aud", {kOtherResource, kResource}}}), Reason::kNone},
      {"no audience", Without("aud"), Reason::kAudienceMissing},
      {"no scope", Without("scope"), Reason::kInsufficientScope},
      {"another scope", Active({{"scope", "files:write"}}), Reason::kInsufficientScope},
      {"no iss", Without("iss"), Reason::kNone},
      {"no exp", Without("exp"), Reason::kNone},
      {"no iat, where age is bounded", Without("iat"), Reason::kIssuedAtMissing},
      {"expired", Active({{"exp", kStart - 100}}), Reason::kTokenInactive},
      {"not yet", Active({{"nbf", kStart + 100}}), Reason::kNotYetValid},
      {"a refresh token", Active({{"typ", "Refresh"}}), Reason::kNotAnAccessToken},
      {"an ID token", Active({{"at_hash", "x"}}), Reason::kNotAnAccessToken},
      {"bound to a key", Active({{"cnf", {{"jkt", "x"}}}}), Reason::kSenderConstrained},
      {"DPoP", Active({{"token_type", "DPoP"}}), Reason::kSenderConstrained},
      {"Bearer", Active({{"token_type", "bearer"}}), Reason::kNone},
      {"another type", Active({{"token_type", "N_A"}}), Reason::kNotAnAccessToken},
      {"a type of a wrong type", Active({{"token_type", 7}}), Reason::kBadClaim},
      {"Hydra's access token", Active({{"token_use", "access_token"}}), Reason::kNone},
      {"Hydra's refresh token", Active({{"token_use", "refresh_token"}}), Reason::kNotAnAccessToken},
      {"a scope of a wrong type", Active({{"scope", 1}}), Reason::kBadClaim},
  };
  int n = 0;
  for (const auto& c : cases) {
    const Decision decision = Ask("token." + std::to_string(n++), "read", c.answer);
    EXPECT_EQ(ReasonName(decision.reason), ReasonName(c.reason)) << c.what;
  }
  // No answer at all, each.
  for (const FakeAnswer& answer : {Active({{"iss", "https://other.example"}}), Active({{"active", "true"}}),
                                   Active({{"active", 1}}), FakeAnswer{.body = "{\"active\":true,"}}) {
    const Decision decision = Ask("token." + std::to_string(n++), "read", answer);
    EXPECT_EQ(decision.verdict, Verdict::kUnavailable) << answer.body;
  }
}

TEST_F(IntrospectionTest, AnswersWithoutAudienceAreForUsOnlyIfThatIsConfigured) {
  Config config = Configured();
  config.issuers[0].introspection.introspection_scoped_to_us = true;
  Start(config);
  EXPECT_TRUE(Ask(kOpaque, "read", Without("aud")).allowed());
}

TEST_F(IntrospectionTest, AToolMayDemandAnAnswerAboutATokenOfAGoodSignature) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token, "read").allowed());
  Run();
  EXPECT_EQ(network_->num_requests(), 0u) << "that tool asks nobody";
  EXPECT_EQ(Check(token, "asked").reason, Reason::kIntrospectionPending);
  EXPECT_TRUE(principal_.subject().empty()) << "nobody is known by a token that may be none any more";
  Answer(Active());
  const Decision decision = Check(token, "asked");
  EXPECT_TRUE(decision.allowed());
  EXPECT_TRUE(decision.introspected);
  EXPECT_TRUE(decision.from_cache);
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_FALSE(Check(token, "read").introspected);
}

TEST_F(IntrospectionTest, ARevokedTokenIsDeniedWhereItsIssuerIsAskedAndOnlyThere) {
  const std::string token = Token();
  EXPECT_EQ(Ask(token, "asked", kInactive).reason, Reason::kTokenInactive);
  EXPECT_TRUE(principal_.subject().empty());
  EXPECT_TRUE(Check(token, "read").allowed()) << "which is what kSignature says";
}

TEST_F(IntrospectionTest, NobodyIsAskedForACallThatIsDeniedAnyway) {
  EXPECT_EQ(Check(Token("files:write"), "asked").reason, Reason::kInsufficientScope);
  EXPECT_EQ(Check(Token(), "unknown").reason, Reason::kUnknownTool);
  idp::json claims = Claims();
  claims["exp"] = kStart - 100;
  EXPECT_EQ(Check(idp::Mint(key_, claims), "asked").reason, Reason::kExpired);
  std::string forged = Token();
  char& letter = forged[forged.size() - 10];
  letter = letter == 'A' ? 'B' : 'A';
  EXPECT_EQ(Check(forged, "asked").reason, Reason::kBadSignature);
  Run();
  EXPECT_EQ(network_->num_requests(), 0u);
}

TEST_F(IntrospectionTest, EachClassHasItsOwnBoundOnAge) {
  const std::string token = Token();
  EXPECT_TRUE(Ask(token, "asked", Active()).allowed());
  clock_.Advance(6);
  network_->SetAnswer(kEndpoint, std::nullopt);
  EXPECT_TRUE(Check(token, "asked").allowed());
  EXPECT_EQ(Check(token, "asked often").reason, Reason::kIntrospectionPending);
  EXPECT_TRUE(Check(token, "asked").allowed()) << "a question under way takes nothing away";
  Run();
  EXPECT_EQ(network_->pending().size(), 1u) << "one question, whoever asks";
  network_->CompleteOldest(kInactive);
  Settle();
  EXPECT_EQ(Check(token, "asked").reason, Reason::kTokenInactive) << "the newer answer counts for all";
}

TEST_F(IntrospectionTest, WhenTheEndpointIsDownEachClassDoesWhatItsPolicySays) {
  const std::string known = Token();
  EXPECT_TRUE(Ask(known, "last known", Active()).allowed());
  const std::string unknown = Token();
  ASSERT_NE(known, unknown);
  clock_.Advance(100);
  BreakEndpoint();
  network_->SetAnswer(kEndpoint, std::nullopt);

  Decision decision = Check(known, "asked");
  EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
  EXPECT_EQ(decision.reason, Reason::kIntrospectionUnavailable);
  EXPECT_EQ(decision.http_status(), 503);
  EXPECT_GE(decision.retry_after_s, 1u);

  decision = Check(known, "last known");
  EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason);
  EXPECT_EQ(decision.freshness, Freshness::kDegraded);
  EXPECT_TRUE(decision.introspected);
  EXPECT_EQ(decision.introspection_age_ms, 100'000u);
  EXPECT_EQ(Check(unknown, "last known").verdict, Verdict::kUnavailable);

  decision = Check(unknown, "local");
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.freshness, Freshness::kDegraded);
  EXPECT_FALSE(decision.introspected);
  EXPECT_LE(decision.valid_until_s, clock_.now.wall_s + 60);
  decision = Check(unknown, "behind");
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.freshness, Freshness::kDegraded) << "nobody is being asked";
  EXPECT_EQ(Check(kOpaque, "local").verdict, Verdict::kUnavailable) << "no signature speaks for it";
  EXPECT_GE(engine_->ReadMetrics().introspection_fallbacks, 2u);
  EXPECT_GT(engine_->ReadHealth()[0].introspection_paused_for_ms, 0);

  EXPECT_TRUE(Check(known, "read").allowed()) << "who asks nobody does not notice";
  clock_.Advance(250);
  EXPECT_EQ(Check(known, "last known").verdict, Verdict::kUnavailable) << "what was known is too old";
}

TEST_F(IntrospectionTest, AnAnswerThatSaysNothingOfTheTokenIsNoOutage) {
  const std::string token = Token();
  for (const FakeAnswer& answer :
       {FakeAnswer{.http_status = 400, .body = R"({"error":"unsupported_token_type"})"},
        FakeAnswer{.http_status = 400, .body = "{}"}, FakeAnswer{.body = "{}"},
        Active({{"iss", "https://other.example"}})}) {
    EXPECT_EQ(Ask(token, "local", answer).verdict, Verdict::kUnavailable) << answer.body;
    clock_.Advance(61);
  }
}

TEST_F(IntrospectionTest, NothingStandsInForAnInactiveAnswer) {
  const std::string token = Token();
  Ask(token, "asked", kInactive);
  BreakEndpoint();
  clock_.Advance(60);
  const std::string twin = idp::EcdsaTwin(token);
  ASSERT_NE(twin, token);
  for (const char* tool : {"asked", "last known", "local", "behind"}) {
    EXPECT_EQ(Check(token, tool).reason, Reason::kTokenInactive) << tool;
    EXPECT_EQ(Check(twin, tool).reason, Reason::kTokenInactive) << tool;
  }
}

TEST_F(IntrospectionTest, NothingStandsInForAnAnswerThatIsOnItsWay) {
  Ask("broken.0", "read", kServerError);
  clock_.Advance(3600);
  network_->SetAnswer(kEndpoint, std::nullopt);
  EXPECT_EQ(Check(Token(), "local").reason, Reason::kIntrospectionPending) << "one failure, long ago";
}

TEST_F(IntrospectionTest, OnlyWhatATokenIsMadeOfIsAskedAbout) {
  for (const std::string& token :
       {std::string("a\0b", 3), std::string("a b"), std::string("a, Bearer b"), std::string("a\r\nb"),
        std::string("a'b"), std::string("a=b"), std::string("\xff")}) {
    EXPECT_EQ(Check(token, "read").verdict, Verdict::kDeny) << token;
  }
  Run();
  EXPECT_EQ(network_->num_requests(), 0u);
}

TEST_F(IntrospectionTest, TheEndpointComesBackByItself) {
  BreakEndpoint();
  const std::string token = Token();
  EXPECT_EQ(Check(token, "asked").reason, Reason::kIntrospectionUnavailable);
  network_->SetAnswer(kEndpoint, Active());
  for (int s = 0; s < 61; ++s) {
    clock_.Advance(1);
    Check(token, "asked");
    Settle();
  }
  EXPECT_TRUE(Check(token, "asked").allowed());
  EXPECT_EQ(engine_->ReadHealth()[0].introspection_paused_for_ms, 0);
}

TEST_F(IntrospectionTest, BehindASignatureTheIssuerHasTheLastWord) {
  const std::string token = Token();
  Decision decision = Check(token, "behind");
  EXPECT_TRUE(decision.allowed()) << "at once, by the signature";
  EXPECT_FALSE(decision.introspected);
  EXPECT_EQ(decision.retry_after_s, 0u);
  Run();
  EXPECT_EQ(network_->num_requests(), 1u);
  EXPECT_TRUE(Check(token, "behind").allowed());
  network_->CompleteOldest(kInactive);
  Settle();
  EXPECT_EQ(Check(token, "behind").reason, Reason::kTokenInactive);
  clock_.Advance(300);
  EXPECT_EQ(Check(token, "behind").reason, Reason::kTokenInactive) << "from then on, until it says otherwise";
}

TEST_F(IntrospectionTest, OneIssuersAnswerIsNotAnothers) {
  Config config = Configured();
  config.issuers.push_back({.issuer = "https://other.example", .jwks = config.issuers[0].jwks});
  config.issuers[1].introspection = {
      .endpoint = "https://other.example/introspect", .client_id = "mcp", .client_secret = "x"};
  config.resources[1].opaque_token_issuer = "https://other.example";
  Start(config);
  EXPECT_TRUE(Ask(kOpaque, "read", Active()).allowed());
  EXPECT_EQ(Check(kOpaque, "read", ResourceId{1}).reason, Reason::kIntrospectionPending);
}

TEST_F(IntrospectionTest, IssuersThatComeAndGoAreAskedAsLongAsTheyAreThere) {
  IssuerConfig issuer = Configured().issuers[0];
  EXPECT_TRUE(Ask(kOpaque, "read", Active()).allowed());
  ASSERT_TRUE(engine_->RemoveIssuer(kIssuer).ok());
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIssuerUnknown);

  IssuerConfig without = issuer;
  without.introspection.endpoint.clear();
  EXPECT_FALSE(engine_->AddIssuer(without).ok()) << "tools demand that it can be asked";
  network_->SetAnswer(kEndpoint, std::nullopt);
  ASSERT_TRUE(engine_->AddIssuer(issuer).ok());
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending) << "what was answered is forgotten";
  Run();
  const Decision pending = Check(kOpaque, "read");
  bool told = false;
  ASSERT_TRUE(engine_->NotifyWhenSettled(pending, [&] { told = true; }));
  issuer.introspection.endpoint = "https://idp.example/introspect2";
  ASSERT_TRUE(engine_->ChangeIssuer(issuer).ok());
  Run();
  EXPECT_TRUE(told) << "the question has ended with the issuer";
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending);
  Run();
  EXPECT_EQ(network_->pending().back().url, issuer.introspection.endpoint);
  network_->Complete(network_->pending().back().id, Active());
  Settle();
  EXPECT_TRUE(Check(kOpaque, "read").allowed());
}

TEST_F(IntrospectionTest, RevocationsCoverOpaqueTokens) {
  EXPECT_TRUE(Ask(kOpaque, "read", Active()).allowed());
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "alice", kStart + 1000).ok());
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kSubjectRevoked);
}

TEST_F(IntrospectionTest, AFloodOfRandomTokensLeavesKnownOnesAlone) {
  const std::string token = Token();
  EXPECT_TRUE(Ask(token, "asked", Active()).allowed());
  network_->SetAnswer(kEndpoint, std::nullopt);
  uint64_t overloaded = 0;
  for (int i = 0; i < 3000; ++i) {
    const Decision decision = Check("random." + std::to_string(i), "read");
    ASSERT_EQ(decision.verdict, Verdict::kUnavailable);
    overloaded += decision.reason == Reason::kOverloaded;
    if (i % 100 == 0) Run();
  }
  EXPECT_GT(overloaded, 1000u);
  EXPECT_LE(network_->pending().size(), 12u) << "a quarter of 16 is kept for tokens that were active once";
  EXPECT_TRUE(Check(token, "asked").allowed());
  clock_.Advance(61);  // All those questions end; the token's own is sent among the ones that follow.
  Check(token, "asked");
  Run();
  bool sent = false;
  for (const FetchRequest& request : network_->pending())
    sent |= request.form.find(token.substr(0, 40)) != std::string::npos;
  EXPECT_TRUE(sent);
}

TEST_F(IntrospectionTest, NoSecretIsInTheHealthReport) {
  BreakEndpoint();
  const IssuerHealth health = engine_->ReadHealth()[0];
  EXPECT_FALSE(health.last_introspection_error.empty());
  for (const char* secret : {"s3cret", "broken."})
    EXPECT_EQ(health.last_introspection_error.find(secret), std::string::npos);
}

TEST_F(IntrospectionTest, ConfigurationsThatCouldNotWorkAreRefused) {
  const auto error = [this](auto change) {
    Config config = Configured();
    change(config);
    return Refusal(config);
  };
  EXPECT_EQ(error([](Config&) {}), "");
  EXPECT_NE(error([](Config& c) { c.issuers[0].introspection.endpoint.clear(); }), "");
  EXPECT_NE(error([](Config& c) { c.issuers[0].introspection.endpoint = "http://idp.example/i"; }), "");
  EXPECT_NE(error([](Config& c) { c.issuers[0].introspection.client_id.clear(); }), "");
  EXPECT_NE(error([](Config& c) { c.resources[0].opaque_token_issuer = "https://nobody.example"; }), "");
  EXPECT_NE(error([](Config& c) { c.issuers[0].introspection.in_flight_max = 0; }), "");
  EXPECT_NE(error([](Config& c) { c.introspection_cache_bytes = 0; }), "");
  EXPECT_NE(error([](Config& c) { c.timing.introspection_timeout_ms = 6000; }), "") << "of a class's bound";
  EXPECT_NE(error([](Config& c) { c.timing.active_age_max_ms = 1999; }), "");
  EXPECT_NE(error([](Config& c) {
              c.issuers.push_back({.issuer = "https://other.example", .jwks = c.issuers[0].jwks});
              c.issuers[1].introspection = c.issuers[0].introspection;
              c.resources[0].issuers = {"https://other.example"};
            }),
            "");
  const auto scoped = [](Config& c) { c.issuers[0].introspection.introspection_scoped_to_us = true; };
  EXPECT_EQ(error(scoped), "");
  EXPECT_NE(error([&](Config& c) {
              scoped(c);
              c.resources[1].opaque_token_issuer = kIssuer;
            }),
            "");
  PolicyBuilder builder;
  builder.AddClass({.name = "x", .introspection_outage = IntrospectionOutage::kLastKnown});
  builder.AddRule({.name = "t", .any_valid_token = true});
  EXPECT_FALSE(builder.Build().ok());
}

}  // namespace
}  // namespace tollgate
