// Signed introspection answers (RFC 9701) and endpoints from the issuer's metadata, through the whole engine.

#include <gmock/gmock.h>

#include "tests/keys/fake_files.h"
#include "tests/pipeline/introspection_fixture.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;

constexpr char kMetadata[] = "https://idp.example/.well-known/oauth-authorization-server";
constexpr char kElsewhere[] = "https://idp.example/introspect2";

class SignedAnswersTest : public IntrospectionTest {
 protected:
  SignedAnswersTest() { Start(Demanding()); }

  Config Demanding() const {
    Config config = Configured();
    config.issuers[0].introspection.signed_response = true;
    return config;
  }
  static FakeAnswer Body(const idp::SigningKey& key, const idp::json& claims) {
    return {.body = idp::Mint(key, claims, {{"typ", "token-introspection+jwt"}}),
            .content_type = "application/token-introspection+jwt"};
  }
  idp::json SignedClaims(const idp::json& members) const {
    return {{"iss", kIssuer}, {"aud", "mcp"}, {"iat", clock_.now.wall_s}, {"token_introspection", members}};
  }
  idp::json ActiveMembers(const idp::json& members = idp::json::object()) const {
    return idp::json::parse(Active(members).body);
  }
  FakeAnswer Signed(const idp::json& members) const { return Body(key_, SignedClaims(members)); }
  FakeAnswer SignedActive() const { return Signed(ActiveMembers()); }
  FakeAnswer SignedInactive() const { return Signed({{"active", false}}); }
  std::string LastError() const { return engine_->ReadHealth()[0].last_introspection_error; }

  const idp::SigningKey& next_key_ = idp::TestKey("ES256", 1);
};

TEST_F(SignedAnswersTest, AnOpaqueTokenIsWhatASignedAnswerSays) {
  const Decision decision = Ask(kOpaque, "read", SignedActive());
  EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason) << ": " << LastError();
  EXPECT_TRUE(decision.introspected);
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_EQ(principal_.scope(), "files:read");
  EXPECT_EQ(network_->requests()[0].accept, "application/token-introspection+jwt");
  EXPECT_EQ(Ask("other", "read", SignedInactive()).reason, Reason::kTokenInactive);
  EXPECT_EQ(Ask("third", "read", Signed(ActiveMembers({{"aud", kOtherResource}}))).reason,
            Reason::kAudienceMismatch);
  EXPECT_EQ(Ask("fourth", "read", Signed(ActiveMembers({{"scope", "files:write"}}))).reason,
            Reason::kInsufficientScope);
}

TEST_F(SignedAnswersTest, ATokenOfAGoodSignatureIsAskedAboutToo) {
  const std::string token = Token();
  EXPECT_TRUE(Ask(token, "asked", Signed({{"active", true}})).allowed()) << LastError();
  clock_.Advance(61);
  EXPECT_EQ(Ask(token, "asked", SignedInactive()).reason, Reason::kTokenInactive);
}

// Neither for nor against the token, and no outage in which something else may stand in.
TEST_F(SignedAnswersTest, WhatIsNotSignedForUsByTheIssuerSinceTheQuestionIsNoAnswer) {
  const std::string token = Token();
  idp::json not_for_us = SignedClaims({{"active", true}}), old = not_for_us, other = not_for_us;
  not_for_us["aud"] = "another";
  old["iat"] = clock_.now.wall_s - 3600;
  other["iss"] = "https://other.example";
  FakeAnswer plain_type = SignedActive();
  plain_type.content_type = "application/json";
  const struct {
    const char* what;
    FakeAnswer answer;
  } cases[] = {{"active, unsigned", Active()},
               {"inactive, unsigned", kInactive},
               {"of another type", plain_type},
               {"by another key", Body(next_key_.WithKid(key_.kid()), SignedClaims({{"active", true}}))},
               {"for another", Body(key_, not_for_us)},
               {"replayed", Body(key_, old)},
               {"from another", Body(key_, other)},
               {"an access token", {.body = token, .content_type = "application/token-introspection+jwt"}},
               {"about another token", Signed({{"active", true}, {"jti", "another"}})}};
  for (const auto& c : cases) {
    for (const char* tool : {"asked", "local", "last known"}) {
      const Decision decision = Ask(token, tool, c.answer);
      EXPECT_EQ(decision.verdict, Verdict::kUnavailable) << c.what << ", " << tool;
    }
    EXPECT_NE(LastError(), "") << c.what;
    EXPECT_EQ(engine_->ReadHealth()[0].introspection_paused_for_ms, 0);
    // Within the time in which the token is not asked about again, only the first of them was sent.
    clock_.now.mono_ms += 1000;
  }
  EXPECT_TRUE(Ask(token, "asked", Signed({{"active", true}})).allowed()) << LastError();
}

TEST_F(SignedAnswersTest, AnAnswerIsNoAccessToken) {
  const FakeAnswer answer = SignedActive();
  EXPECT_EQ(Check(answer.body, "read").reason, Reason::kWrongType);
}

// The other issuer's key has the same kid.
TEST_F(SignedAnswersTest, OneIssuersKeySignsNothingForAnother) {
  Config config = Demanding();
  config.issuers.push_back(config.issuers[0]);
  config.issuers[1].issuer = "https://other.example";
  const idp::SigningKey other = next_key_.WithKid(key_.kid());
  config.issuers[1].jwks = idp::Jwks({&other}).dump();
  Start(config);
  EXPECT_EQ(Ask(kOpaque, "read", Body(other, SignedClaims({{"active", false}}))).verdict,
            Verdict::kUnavailable);
}

TEST_F(SignedAnswersTest, TheIssuersAlgorithmsAreThoseOfItsAnswers) {
  Config config = Demanding();
  config.issuers[0].algorithms = AlgorithmSet(Algorithm::kRs256);
  Start(config);
  EXPECT_EQ(Ask(kOpaque, "read", SignedInactive()).verdict, Verdict::kUnavailable);
  EXPECT_THAT(LastError(), HasSubstr("algorithm_not_allowed"));
}

TEST_F(SignedAnswersTest, ARevokedKeySignsNoAnswers) {
  ASSERT_TRUE(engine_->RevokeKey(kIssuer, key_.Thumbprint(), kStart + 1000).ok());
  EXPECT_EQ(Ask(kOpaque, "read", SignedActive()).verdict, Verdict::kUnavailable);
  EXPECT_THAT(LastError(), HasSubstr("key_revoked"));
}

TEST_F(SignedAnswersTest, AKeyThatIsNotKnownYetIsFetchedAndTheTokenAskedAboutAgain) {
  Config config = Demanding();
  config.issuers[0].jwks.clear();
  config.issuers[0].jwks_uri = kJwksUri;
  Start(config);
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Settle();
  network_->SetAnswer(kJwksUri, FakeAnswer{.body = idp::Jwks({&key_, &next_key_}).dump()});
  const auto inactive = [&] { return Body(next_key_, SignedClaims({{"active", false}})); };
  EXPECT_EQ(Ask(kOpaque, "read", inactive()).reason, Reason::kIntrospectionUnavailable) << "never inactive";
  EXPECT_THAT(LastError(), HasSubstr("not known"));
  EXPECT_EQ(engine_->ReadHealth()[0].fetches, 1u) << "the gate is closed as long as after any fetch";
  clock_.Advance(60);
  Settle();
  EXPECT_EQ(engine_->ReadHealth()[0].fetches, 2u);
  EXPECT_EQ(Ask(kOpaque, "read", inactive()).reason, Reason::kTokenInactive) << LastError();
}

// --- The endpoint from the metadata ---

class DiscoveredIntrospectionTest : public IntrospectionTest {
 protected:
  DiscoveredIntrospectionTest() { Start(Discovering()); }

  Config Discovering() const {
    Config config = Configured();
    config.issuers[0].jwks.clear();
    config.issuers[0].discovery = true;
    config.issuers[0].introspection.endpoint.clear();
    config.issuers[0].introspection.discovery = true;
    config.timing.metadata_age_max_ms = 60'000;
    return config;
  }
  void ServeKeys() { network_->SetAnswer(kJwksUri, Keys({&key_})); }
  static FakeAnswer Metadata(const idp::json& endpoint) {
    idp::json document = {{"issuer", kIssuer}, {"jwks_uri", kJwksUri}};
    if (!endpoint.is_null()) document["introspection_endpoint"] = endpoint;
    return {.body = document.dump()};
  }
  void Serve(const idp::json& endpoint) {
    ServeKeys();
    network_->SetAnswer(kMetadata, Metadata(endpoint));
    Run(5);
  }
  // Reread lets the next refresh, which reads the metadata, run to its end.
  void Reread(const idp::json& endpoint) {
    const int64_t wait_ms = Health().next_fetch_in_ms;
    clock_.now.mono_ms += wait_ms;
    clock_.now.wall_s += wait_ms / 1000;
    Serve(endpoint);
  }
  IssuerHealth Health() const { return engine_->ReadHealth()[0]; }
  std::string LongToken() const { return idp::Mint(key_, Claims("files:read", 7200)); }
};

TEST_F(DiscoveredIntrospectionTest, TheMetadataSaysWhereToAskAndWhoWaitsForItIsToldSo) {
  const Decision unknown = Check(kOpaque, "read");
  EXPECT_EQ(unknown.reason, Reason::kIntrospectionUnavailable);
  EXPECT_GE(unknown.retry_after_s, 1u);
  EXPECT_FALSE(Health().introspection_endpoint_known);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("has not been read yet"));
  bool told = false;
  ASSERT_TRUE(engine_->NotifyWhenSettled(unknown, [&] { told = true; }));
  int answered = 0;
  Decision last;
  const std::string authorization = std::string("Bearer ") + kOpaque;
  engine_->CheckAsync(std::chrono::seconds(20), {.authorization = authorization, .tool = "read"},
                      [&](const Decision& decision, const Principal&) {
                        ++answered;
                        last = decision;
                      });
  Run();
  ASSERT_EQ(network_->num_requests(), 1u);
  EXPECT_EQ(network_->requests()[0].url, kMetadata);
  network_->CompleteOldest(Metadata(kEndpoint));
  Run();
  EXPECT_FALSE(told) << "a fetch ends with the keys";
  ServeKeys();
  network_->CompleteOldest({.body = idp::Jwks({&key_}).dump()});
  Settle();
  EXPECT_TRUE(told);
  EXPECT_EQ(answered, 0) << "who waits for an answer goes on waiting";
  EXPECT_TRUE(Health().introspection_endpoint_known);
  EXPECT_EQ(Health().last_introspection_error, "");
  ASSERT_EQ(network_->pending().size(), 1u);
  EXPECT_EQ(network_->pending()[0].url, kEndpoint);
  network_->CompleteOldest(Active());
  Settle();
  EXPECT_EQ(answered, 1);
  EXPECT_TRUE(last.allowed()) << ReasonName(last.reason);
}

TEST_F(DiscoveredIntrospectionTest, AMetadataWithoutAnEndpointIsTold) {
  Serve(nullptr);
  EXPECT_TRUE(Check(Token(), "read").allowed()) << "keys do not depend on it";
  for (const char* tool : {"asked", "local", "last known"}) {
    const Decision decision = Check(Token(), tool);
    EXPECT_EQ(decision.reason, Reason::kIntrospectionUnavailable) << tool;
    EXPECT_GE(decision.retry_after_s, 1u);
    EXPECT_FALSE(engine_->NotifyWhenSettled(decision, [] {})) << "nothing is on its way";
  }
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionUnavailable);
  EXPECT_FALSE(Health().introspection_endpoint_known);
  EXPECT_THAT(Health().last_introspection_error, HasSubstr("introspection_endpoint: is missing"));
  Reread(kEndpoint);
  EXPECT_TRUE(Health().introspection_endpoint_known);
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending);
}

TEST_F(DiscoveredIntrospectionTest, TokensAndSecretsGoToNoHostThatNobodyNamed) {
  for (const char* endpoint : {"https://evil.example/introspect", "http://idp.example/introspect",
                               "https://idp.example:8443/introspect", "https://idp.example@evil.example/",
                               "https://169.254.169.254/introspect", ""}) {
    Start(Discovering());
    Serve(endpoint);
    EXPECT_TRUE(Check(Token(), "read").allowed()) << endpoint;
    EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionUnavailable) << endpoint;
    EXPECT_THAT(Health().last_introspection_error, HasSubstr("introspection_endpoint")) << endpoint;
    Settle();
    for (const FetchRequest& request : network_->requests()) EXPECT_EQ(request.form, "") << request.url;
  }
  Config config = Discovering();
  config.issuers[0].discovery_hosts = {"idp.example:8443"};
  Start(config);
  Serve("https://idp.example:8443/introspect");
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending) << "unless it is listed";
}

TEST_F(DiscoveredIntrospectionTest, AnotherEndpointEndsQuestionsAndKeepsAnswers) {
  Serve(kEndpoint);
  const std::string revoked = LongToken();
  EXPECT_EQ(Ask(revoked, "asked", kInactive).reason, Reason::kTokenInactive);
  network_->SetAnswer(kEndpoint, std::nullopt);
  clock_.now.mono_ms += Health().next_fetch_in_ms - 1000;
  const Decision pending = Check(kOpaque, "read");
  EXPECT_EQ(pending.reason, Reason::kIntrospectionPending);
  Run();
  bool told = false;
  ASSERT_TRUE(engine_->NotifyWhenSettled(pending, [&] { told = true; }));
  Reread(kElsewhere);
  EXPECT_TRUE(told);
  EXPECT_EQ(Health().introspection_failures, 1u);
  EXPECT_EQ(Check(revoked, "local").reason, Reason::kTokenInactive);

  network_->CompleteOldest(Active());  // The old endpoint, too late.
  Settle();
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending);
  Run();
  EXPECT_EQ(network_->pending().back().url, kElsewhere);
  network_->Complete(network_->pending().back().id, Active());
  Settle();
  EXPECT_TRUE(Check(kOpaque, "read").allowed());
}

TEST_F(DiscoveredIntrospectionTest, AChangedIssuerGoesOnWithTheMetadataThatWasRead) {
  Serve(kEndpoint);
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending);
  network_->SetAnswer(kMetadata, std::nullopt);
  IssuerConfig issuer = Discovering().issuers[0];
  issuer.leeway_s = 30;
  ASSERT_TRUE(engine_->ChangeIssuer(issuer).ok());
  EXPECT_EQ(Check(kOpaque, "read").reason, Reason::kIntrospectionPending);
  Run();
  EXPECT_EQ(network_->pending().back().url, kEndpoint);
}

// The snapshot has keys and no endpoints.
TEST_F(DiscoveredIntrospectionTest, AfterARestartDuringAnOutageNobodyIsAskedUntilTheMetadataIsRead) {
  testing::FakeFiles files;
  Config config = Discovering();
  config.snapshot = {.path = "/keys/snapshot", .key_file = "/keys/key"};
  Start(config, &files);
  Serve(kEndpoint);
  EXPECT_EQ(Check(Token(), "local").reason, Reason::kIntrospectionPending);
  Start(config, &files);
  network_->SetAnswer(kMetadata, kRefused);
  Settle();
  EXPECT_TRUE(Check(Token(), "read").allowed()) << "by the snapshot's keys";
  EXPECT_EQ(Check(Token(), "local").reason, Reason::kIntrospectionUnavailable);
  EXPECT_TRUE(Check(Token(), "behind").allowed());
  Reread(kEndpoint);
  EXPECT_EQ(Check(Token(), "local").reason, Reason::kIntrospectionPending);
}

TEST_F(DiscoveredIntrospectionTest, ConfigurationsThatContradictThemselvesAreRefused) {
  const auto error = [this](auto change) {
    Config config = Discovering();
    change(config.issuers[0]);
    return Refusal(config);
  };
  EXPECT_EQ(error([](IssuerConfig&) {}), "");
  EXPECT_THAT(error([](IssuerConfig& issuer) { issuer.introspection.endpoint = kEndpoint; }),
              HasSubstr("introspection.endpoint"));
  EXPECT_THAT(error([](IssuerConfig& issuer) {
                issuer.discovery = false;
                issuer.jwks_uri = kJwksUri;
              }),
              HasSubstr("introspection.discovery"));
  EXPECT_THAT(error([](IssuerConfig& issuer) { issuer.introspection.discovery = false; }),
              HasSubstr("introspection endpoint"));
  EXPECT_THAT(error([](IssuerConfig& issuer) { issuer.introspection.response_audience = "x"; }),
              HasSubstr("introspection.response_audience"));
}

}  // namespace
}  // namespace tollgate
