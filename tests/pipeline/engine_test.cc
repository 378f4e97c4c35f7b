#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

TEST_F(EngineTest, AllowsAGoodTokenAndSaysWhoIsCalling) {
  const Decision decision = Check(Token());
  EXPECT_EQ(decision.verdict, Verdict::kAllow);
  EXPECT_EQ(decision.reason, Reason::kNone);
  EXPECT_EQ(decision.http_status(), 200);
  EXPECT_EQ(decision.algorithm, Algorithm::kEs256);
  EXPECT_EQ(decision.freshness, Freshness::kFresh);
  EXPECT_EQ(decision.valid_until_s, kStart + 600 + 60);
  EXPECT_FALSE(decision.from_cache);
  EXPECT_TRUE(decision.was_cached);
  EXPECT_EQ(principal_.issuer(), kIssuer);
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_EQ(principal_.client_id(), "agent-1");
  EXPECT_EQ(principal_.scope(), "files:read");
  EXPECT_FALSE(principal_.jwt_id().empty());
}

TEST_F(EngineTest, ASecondCheckVerifiesNothing) {
  const std::string token = Token();
  Check(token);
  const Decision decision = Check(token);
  EXPECT_TRUE(decision.allowed());
  EXPECT_TRUE(decision.from_cache);
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_EQ(principal_.scope(), "files:read");
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.checks, 2u);
  EXPECT_EQ(metrics.allowed, 2u);
  EXPECT_EQ(metrics.cache_hits, 1u);
  EXPECT_EQ(metrics.signature_verifications, 1u);
}

TEST_F(EngineTest, EveryAlgorithmVerifies) {
  for (const char* alg :
       {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA"}) {
    const idp::SigningKey& key = idp::TestKey(alg);
    Restart(TestConfig(idp::Jwks({&key}).dump()));
    const Decision decision = Check(idp::Mint(key, Claims()));
    EXPECT_TRUE(decision.allowed()) << alg << ": " << ReasonName(decision.reason);
    EXPECT_EQ(AlgorithmName(decision.algorithm), alg);
  }
}

TEST_F(EngineTest, ADecisionThatNobodyFilledInIsADenial) {
  EXPECT_FALSE(Decision{}.allowed());
  EXPECT_EQ(Decision{}.http_status(), 401);
}

TEST_F(EngineTest, TellsTheFormsOfABadCredentialApart) {
  Decision decision;
  engine_->Check({.authorization = "", .tool = "search"}, &decision);
  EXPECT_EQ(decision.reason, Reason::kNoCredential);
  EXPECT_EQ(decision.http_status(), 401);
  EXPECT_EQ(BearerError(decision.category()), "");
  engine_->Check({.authorization = "Basic dTpw", .tool = "search"}, &decision);
  EXPECT_EQ(decision.reason, Reason::kUnsupportedScheme);
  engine_->Check({.authorization = "Bearer", .tool = "search"}, &decision);
  EXPECT_EQ(decision.reason, Reason::kMalformedAuthorization);
  EXPECT_EQ(decision.http_status(), 400);
  const std::string authorization = "Bearer " + Token();
  engine_->Check({.authorization = authorization, .tool = "search", .num_credentials = 2}, &decision);
  EXPECT_EQ(decision.reason, Reason::kSeveralCredentials);
  EXPECT_EQ(Check("not-a-token").reason, Reason::kNotCompactJws);
}

TEST_F(EngineTest, ThePolicyDecidesEachToolAfresh) {
  const std::string token = Token("files:read");
  for (int round = 0; round < 2; ++round) {  // From the signature, then from the cache.
    EXPECT_EQ(Check(token, "search").reason, Reason::kNone);
    EXPECT_EQ(Check(token, "ping").reason, Reason::kNone);
    const Decision step_up = Check(token, "delete");
    EXPECT_EQ(step_up.reason, Reason::kInsufficientScope);
    EXPECT_EQ(step_up.http_status(), 403);
    EXPECT_EQ(principal_.subject(), "alice") << "the caller of a refused call is known";
    EXPECT_EQ(Check(token, "nonesuch").reason, Reason::kUnknownTool);
    EXPECT_EQ(BearerError(Check(token, "nonesuch").category()), "");
    EXPECT_EQ(Check(token, "").reason, Reason::kUnknownTool);
  }
  EXPECT_EQ(engine_->ScopesFor({.tool = "delete"}), "files:read files:write");
  EXPECT_EQ(engine_->ReadMetrics().signature_verifications, 1u);
}

TEST_F(EngineTest, AToolMayDemandYoungTokens) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token, "pay").allowed());
  clock_.Advance(120);
  EXPECT_TRUE(Check(token, "pay").allowed());
  clock_.Advance(1);
  const Decision decision = Check(token, "pay");
  EXPECT_EQ(decision.reason, Reason::kTooOld);
  EXPECT_EQ(decision.evidence_actual, 121);
  EXPECT_EQ(decision.evidence_bound, 120);
  EXPECT_TRUE(Check(token, "search").allowed());
}

TEST_F(EngineTest, HitForServerAIsDeniedAtServerB) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token, "search", *engine_->FindResource(kResource)).allowed());
  const Decision decision = Check(token, "search", *engine_->FindResource(kOtherResource));
  EXPECT_EQ(decision.reason, Reason::kAudienceMismatch);
  EXPECT_TRUE(decision.from_cache);
  EXPECT_EQ(principal_.subject(), "");
  EXPECT_EQ(Check(token, "search", ResourceId{2}).reason, Reason::kUnknownResource);
  EXPECT_EQ(Check(token, "search", ResourceId{UINT32_MAX}).reason, Reason::kUnknownResource);
}

TEST_F(EngineTest, ATokenForSeveralResourcesIsGoodAtEach) {
  idp::json claims = Claims();
  claims["aud"] = {kOtherResource, kResource, "urn:unrelated"};
  const std::string token = idp::Mint(key_, claims);
  EXPECT_TRUE(Check(token, "search", ResourceId{0}).allowed());
  EXPECT_TRUE(Check(token, "search", ResourceId{1}).allowed());
}

TEST_F(EngineTest, AudiencesAreComparedExactlyButForConfiguredAliases) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.resources[0].audiences = {"api://mcp"};
  Restart(config);
  idp::json claims = Claims();
  claims["aud"] = "api://mcp";
  EXPECT_TRUE(Check(idp::Mint(key_, claims)).allowed());
  for (const char* near :
       {"https://mcp.example/mcp/", "https://mcp.example", "HTTPS://mcp.example/mcp", "api://mc"}) {
    claims["aud"] = near;
    EXPECT_EQ(Check(idp::Mint(key_, claims)).reason, Reason::kAudienceMismatch) << near;
  }
}

TEST_F(EngineTest, AudiencesWhereTheIssuerIsNotAcceptedTakeNoRoom) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers.push_back({.issuer = "https://other.example", .jwks = idp::Jwks({&key_}).dump()});
  const auto server = [](int i) { return "https://mcp.example/" + std::to_string(i); };
  for (int i = 0; i < 8; ++i)
    config.resources.push_back({.uri = server(i), .issuers = {"https://other.example"}});
  Restart(config);
  idp::json claims = Claims();
  for (int set = 0; set < 256; ++set) {  // An issuer of several may take 128.
    claims["aud"] = {kResource};
    for (int i = 0; i < 8; ++i) {
      if ((set >> i & 1) != 0) claims["aud"].push_back(server(i));
    }
    const std::string token = idp::Mint(key_, claims);
    EXPECT_TRUE(Check(token).was_cached) << set;
    EXPECT_TRUE(Check(token).from_cache) << set;
  }
}

TEST_F(EngineTest, AClientIdThatStandsInForTheAudienceIsShown) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers[0].profile = Profile::Cognito();
  config.resources[0].audiences = {"agent-1"};
  Restart(config);
  idp::json claims = Claims();
  claims.erase("aud");
  claims["token_use"] = "access";
  const std::string token = idp::Mint(key_, claims, {{"typ", nullptr}});
  for (bool cached : {false, true}) {
    const Decision decision = Check(token);
    EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason);
    EXPECT_EQ(decision.from_cache, cached);
    EXPECT_TRUE(decision.audience_is_client_id);
  }
  claims["client_id"] = "agent-2";
  EXPECT_EQ(Check(idp::Mint(key_, claims, {{"typ", nullptr}})).reason, Reason::kAudienceMismatch);
  Restart(TestConfig(idp::Jwks({&key_}).dump()));
  EXPECT_FALSE(Check(Token()).audience_is_client_id);
}

TEST_F(EngineTest, AResourceMayAcceptOnlySomeIssuers) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers.push_back({.issuer = "https://second.example", .jwks = idp::Jwks({&key_}).dump()});
  config.resources[0].issuers = {"https://second.example"};
  Restart(config);
  idp::json claims = Claims();
  claims["aud"] = {kResource, kOtherResource};
  const std::string token = idp::Mint(key_, claims);
  EXPECT_EQ(Check(token).reason, Reason::kIssuerNotAllowedHere);
  EXPECT_TRUE(Check(token, "search", ResourceId{1}).allowed());
  EXPECT_EQ(Check(token).reason, Reason::kIssuerNotAllowedHere) << "from the cache";
}

// Only the issuer's own keys verify the issuer's tokens.
TEST_F(EngineTest, AKeyOfOneIssuerDoesNotVerifyTokensOfAnother) {
  const idp::SigningKey& other = idp::TestKey("ES256", 1);
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers.push_back({.issuer = "https://second.example", .jwks = idp::Jwks({&other}).dump()});
  Restart(config);
  EXPECT_EQ(Check(idp::Mint(other, Claims())).reason, Reason::kKeyUnknown);
  // Even under the victim's kid.
  EXPECT_EQ(Check(idp::Mint(other.WithKid(key_.kid()), Claims())).reason, Reason::kBadSignature);
  idp::json claims = Claims();
  claims["iss"] = "https://second.example";
  EXPECT_TRUE(Check(idp::Mint(other, claims)).allowed());
  claims["iss"] = "https://third.example";
  EXPECT_EQ(Check(idp::Mint(other, claims)).reason, Reason::kIssuerUnknown);
}

TEST_F(EngineTest, AnIssuerMayAllowFewerAlgorithmsThanItsKeys) {
  const idp::SigningKey& rsa = idp::TestKey("RS256");
  Config config = TestConfig(idp::Jwks({&key_, &rsa}).dump());
  config.issuers[0].algorithms = AlgorithmSet(Algorithm::kEs256);
  Restart(config);
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(Check(idp::Mint(rsa, Claims())).reason, Reason::kAlgorithmNotAllowed);
}

TEST_F(EngineTest, RejectsExpiredTokenAtExactBoundaryCachedOrNot) {
  const std::string cached = Token();
  const std::string fresh = Token();
  EXPECT_TRUE(Check(cached).allowed());
  clock_.Advance(600 + 59);
  EXPECT_TRUE(Check(cached).allowed());
  clock_.Advance(1);
  for (const std::string& token : {cached, fresh}) {
    const Decision decision = Check(token);
    EXPECT_EQ(decision.reason, Reason::kExpired);
    EXPECT_EQ(decision.evidence_actual, kStart + 660);
    EXPECT_EQ(decision.http_status(), 401);
  }
}

// The wall clock alone decides exp: it may step, and the monotonic clock has no say in it.
TEST_F(EngineTest, TokenTimesFollowTheWallClockAndAgesTheMonotonicOne) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token).allowed());
  clock_.now.wall_s += 3600;
  EXPECT_EQ(Check(token).reason, Reason::kExpired);
  clock_.now.wall_s -= 3600;
  EXPECT_TRUE(Check(token).from_cache);
  clock_.now.mono_ms += Timing{}.verdict_age_max_ms;
  EXPECT_TRUE(Check(token).from_cache);
  clock_.now.mono_ms += 1;
  const Decision decision = Check(token);
  EXPECT_TRUE(decision.allowed());
  EXPECT_FALSE(decision.from_cache) << "a verdict beyond its age is established again";
  EXPECT_TRUE(Check(token).from_cache);
}

TEST_F(EngineTest, ASenderConstrainedTokenIsNoBearerToken) {
  idp::json claims = Claims();
  claims["cnf"] = {{"jkt", "0ZcOCORZNYy-DWpqq30jZyJGHTN0d2HglBV3uiguA4I"}};
  const std::string token = idp::Mint(key_, claims);
  EXPECT_EQ(Check(token).reason, Reason::kSenderConstrained);
  EXPECT_EQ(Check(token).reason, Reason::kSenderConstrained);
}

TEST_F(EngineTest, WhatIsTooLongForARecordIsNotTruncatedButNotCached) {
  idp::json claims = Claims();
  claims["sub"] = std::string(1000, 's');
  const std::string token = idp::Mint(key_, claims);
  for (int round = 0; round < 2; ++round) {
    const Decision decision = Check(token);
    EXPECT_TRUE(decision.allowed());
    EXPECT_FALSE(decision.from_cache);
    EXPECT_FALSE(decision.was_cached);
    EXPECT_EQ(principal_.subject(), std::string(1000, 's'));
  }
  EXPECT_EQ(engine_->ReadMetrics().not_cached_too_long, 2u);
  EXPECT_EQ(engine_->ReadMetrics().signature_verifications, 2u);
}

TEST_F(EngineTest, ALongTokenIsCachedTooUpToTheLimitOfTokens) {
  const std::string token = idp::MintToSize(key_, Claims(), 16'000);
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_TRUE(Check(token).from_cache);
  EXPECT_EQ(Check(idp::MintToSize(key_, Claims(), 20'000)).reason, Reason::kTokenTooLong);
}

TEST_F(EngineTest, WithoutCacheEveryCheckVerifies) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.verdict_cache_bytes = 0;
  Restart(config);
  const std::string token = Token();
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_EQ(engine_->ReadMetrics().signature_verifications, 2u);
}

TEST_F(EngineTest, AForgedTokenIsNeverCached) {
  std::string token = Token();
  token[token.size() - 10] = token[token.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Check(token).reason, Reason::kBadSignature);
  EXPECT_EQ(Check(token).reason, Reason::kBadSignature);
  EXPECT_EQ(engine_->ReadMetrics().cache_inserts, 0u);
}

// The principal owns its bytes.
TEST_F(EngineTest, ThePrincipalOutlivesTheEngine) {
  const std::string token = Token();
  Check(token);
  Check(token);
  engine_.reset();
  EXPECT_EQ(principal_.subject(), "alice");
  EXPECT_EQ(principal_.issuer(), kIssuer);
}

TEST_F(EngineTest, APrincipalOfAnEarlierCheckDoesNotShineThroughADenial) {
  Check(Token());
  EXPECT_EQ(principal_.subject(), "alice");
  Check("a.b.c");
  EXPECT_EQ(principal_.subject(), "");
  EXPECT_EQ(principal_.issuer(), "");
}

}  // namespace
}  // namespace tollgate
