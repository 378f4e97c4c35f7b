// A templated issuer, Microsoft Entra ID's for many tenants, through the whole engine: whose tokens are good,
// and what a tenant's own key, id or name can do to the others.

#include <gmock/gmock.h>
#include <malloc.h>

#include <iostream>

#include "base/tenants.h"
#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

using ::testing::Contains;
using ::testing::HasSubstr;

constexpr char kTemplate[] = "https://login.microsoftonline.com/{tenantid}/v2.0";
constexpr char kKeysAt[] = "https://login.microsoftonline.com/common/discovery/v2.0/keys";
constexpr char kA[] = "aaaaaaaa-86f1-41af-91ab-2d7cd011db47";
constexpr char kB[] = "bbbbbbbb-86f1-41af-91ab-2d7cd011db47";
constexpr char kNotListed[] = "cccccccc-86f1-41af-91ab-2d7cd011db47";

std::string NameOf(std::string_view tenant) { return ForTenant(kTemplate, tenant); }

class TenantsTest : public NetworkTest {
 protected:
  TenantsTest() { Start(Family({kA, kB})); }

  static IssuerConfig Family(std::vector<std::string> tenants) {
    IssuerConfig config;
    config.issuer = kTemplate;
    config.tenants = std::move(tenants);
    config.jwks_uri = kKeysAt;
    config.profile = Profile::EntraV2();
    return config;
  }
  // `key` is of all tenants, `b_key_` of the second one.
  std::string Keys(bool of_b = true) const {
    idp::json of_all = key_.PublicJwk(), own = b_key_.PublicJwk();
    of_all["issuer"] = kTemplate;
    own["issuer"] = NameOf(kB);
    return idp::json{{"keys", of_b ? idp::json{of_all, own} : idp::json{of_all}}}.dump();
  }
  void Start(const Config& config, const std::string& keys) {
    NetworkTest::Start(config);
    network_->SetAnswer(kKeysAt, FakeAnswer{.body = keys});
    Run();
  }
  void Start(const IssuerConfig& issuer) {
    Config config = TestConfig("");
    config.issuers = {issuer};
    Start(config, Keys());
  }
  void Run() { NetworkTest::Run(3); }
  void Refresh(const std::string& keys) {
    network_->SetAnswer(kKeysAt, FakeAnswer{.body = keys});
    clock_.Advance(20 * 60);  // Longer than refreshes are ever apart.
    Run();
  }

  idp::json ClaimsOf(std::string_view tenant) const {
    idp::json claims = idp::AccessTokenClaims(NameOf(tenant), kResource, "alice", "agent-1", "",
                                              clock_.now.wall_s, clock_.now.wall_s + 600);
    claims.erase("client_id");
    claims["tid"] = tenant;
    claims["ver"] = "2.0";
    claims["azp"] = "agent-1";
    claims["scp"] = "files:read";
    return claims;
  }
  std::string Sign(const idp::json& claims) const { return Sign(claims, key_); }
  static std::string Sign(const idp::json& claims, const idp::SigningKey& key) {
    return idp::Mint(key, claims, {{"typ", "JWT"}});
  }
  std::string TokenOf(std::string_view tenant) const { return Sign(ClaimsOf(tenant)); }

  const idp::SigningKey& b_key_ = idp::TestKey("ES256", 1);
};

TEST_F(TenantsTest, TokensOfListedTenantsAreGoodAndEachIsItsOwnIssuers) {
  const std::string a = TokenOf(kA), b = TokenOf(kB);
  for (const bool cached : {false, true}) {
    EXPECT_TRUE(Check(a).allowed());
    EXPECT_EQ(principal_.issuer(), NameOf(kA));
    const Decision decision = Check(b);
    EXPECT_TRUE(decision.allowed()) << ReasonName(decision.reason);
    EXPECT_EQ(decision.from_cache, cached);
    EXPECT_EQ(principal_.issuer(), NameOf(kB));
  }
  EXPECT_NE(Check(a).issuer, Check(b).issuer);
  EXPECT_EQ(network_->num_requests(), 1u);
}

TEST_F(TenantsTest, AnybodyElsesIssuerIsUnknownAndSoIsTheTemplateItself) {
  EXPECT_EQ(Check(TokenOf(kNotListed)).reason, Reason::kIssuerUnknown);
  EXPECT_EQ(Check(TokenOf("common")).reason, Reason::kIssuerUnknown);
  EXPECT_EQ(Check(TokenOf("{tenantid}")).reason, Reason::kIssuerUnknown);
  EXPECT_EQ(Check(TokenOf("")).reason, Reason::kIssuerUnknown);
  idp::json claims = ClaimsOf(kA);
  claims["iss"] = NameOf(kA) + "/";
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kIssuerUnknown);
  claims["iss"] = "https://login.microsoftonline.com/AAAAAAAA-86f1-41af-91ab-2d7cd011db47/v2.0";
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kIssuerUnknown);
}

TEST_F(TenantsTest, TidMustBeTheTenantThatIssNames) {
  idp::json claims = ClaimsOf(kA);
  claims["tid"] = kB;
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kTenantMismatch);
  EXPECT_EQ(Check(Sign(claims)).http_status(), 401);
  claims["tid"] = kNotListed;
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kTenantMismatch);
  claims["tid"] = "";
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kTenantMismatch);
  claims["tid"] = idp::json::array({kA});
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kBadClaim);
  claims.erase("tid");
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kTenantMismatch);
  // It comes before what time could cure.
  claims["exp"] = clock_.now.wall_s - 3'600;
  EXPECT_EQ(Check(Sign(claims)).reason, Reason::kTenantMismatch);
}

TEST_F(TenantsTest, AKeyOfOneTenantMakesNoTokenOfAnother) {
  EXPECT_TRUE(Check(Sign(ClaimsOf(kB), b_key_)).allowed());
  const std::string hostile = Sign(ClaimsOf(kA), b_key_);
  EXPECT_EQ(Check(hostile).reason, Reason::kKeyPending);  // The key may yet be given to both.
  clock_.Advance(60);
  Run();
  EXPECT_EQ(network_->num_requests(), 2u);
  EXPECT_EQ(Check(hostile).reason, Reason::kKeyUnknown);
  idp::json claims = ClaimsOf(kA);
  claims["tid"] = kB;
  EXPECT_EQ(Check(Sign(claims, b_key_)).reason, Reason::kKeyUnknown);
  claims = ClaimsOf(kB);
  claims["tid"] = kA;
  EXPECT_EQ(Check(Sign(claims, b_key_)).reason, Reason::kTenantMismatch);
  EXPECT_TRUE(Check(Sign(ClaimsOf(kB), b_key_)).allowed());
}

TEST_F(TenantsTest, AKeyThatIsTakenFromATenantEndsWhatItVerified) {
  const std::string b = Sign(ClaimsOf(kB), b_key_), a = TokenOf(kA);
  Check(a);
  Check(b);
  EXPECT_TRUE(Check(b).from_cache);
  idp::json moved = b_key_.PublicJwk(), of_all = key_.PublicJwk();
  moved["issuer"] = NameOf(kA);
  of_all["issuer"] = kTemplate;
  clock_.now.mono_ms += 20 * 60'000;  // For the refresh, and not for the tokens.
  network_->SetAnswer(kKeysAt, FakeAnswer{.body = idp::json{{"keys", {of_all, moved}}}.dump()});
  Run();
  EXPECT_EQ(Check(b).reason, Reason::kKeyPending);
  EXPECT_TRUE(Check(Sign(ClaimsOf(kA), b_key_)).allowed());
  EXPECT_TRUE(Check(a).allowed());
}

TEST_F(TenantsTest, OneFetchServesAThousandTenantsAndARemovedKeyServesNoneOfThem) {
  std::vector<std::string> tenants;
  for (int i = 0; i < 1000; ++i) tenants.push_back("tenant-" + std::to_string(i));
  Start(Family(tenants));
  EXPECT_EQ(network_->num_requests(), 1u);
  const idp::SigningKey& next = idp::TestKey("ES256", 2);
  std::vector<std::string> tokens;
  for (const std::string& tenant : tenants) {
    tokens.push_back(TokenOf(tenant));
    ASSERT_TRUE(Check(tokens.back()).allowed());
  }
  idp::json of_all = next.PublicJwk();
  of_all["issuer"] = kTemplate;
  clock_.now.mono_ms += 20 * 60'000;
  network_->SetAnswer(kKeysAt, FakeAnswer{.body = idp::json{{"keys", {of_all}}}.dump()});
  Run();
  EXPECT_EQ(network_->num_requests(), 2u);
  for (const std::string& token : tokens) ASSERT_EQ(Check(token).reason, Reason::kKeyPending);
  Run();
  EXPECT_EQ(network_->num_requests(), 2u);
  clock_.now.mono_ms += 60'000;
  Run();
  EXPECT_EQ(network_->num_requests(), 3u);
  for (const std::string& token : tokens) ASSERT_EQ(Check(token).reason, Reason::kKeyUnknown);
  EXPECT_TRUE(Check(Sign(ClaimsOf(tenants.back()), next)).allowed());
}

TEST_F(TenantsTest, TheListChangesAtRunTimeWithoutAFetchOrAGap) {
  const std::string a = TokenOf(kA), b = TokenOf(kB), c = TokenOf(kNotListed);
  Check(a);
  Check(b);
  ASSERT_TRUE(engine_->ChangeIssuer(Family({kB, kNotListed})).ok());
  EXPECT_EQ(Check(a).reason, Reason::kIssuerUnknown);
  EXPECT_TRUE(Check(b).allowed());
  EXPECT_TRUE(Check(c).allowed());
  EXPECT_EQ(principal_.issuer(), NameOf(kNotListed));
  Run();
  EXPECT_EQ(network_->num_requests(), 1u);
  IssuerConfig strict = Family({kB});
  strict.token_lifetime_max_s = 60;
  ASSERT_TRUE(engine_->ChangeIssuer(strict).ok());
  EXPECT_EQ(Check(b).reason, Reason::kLifetimeTooLong);
  EXPECT_EQ(Check(c).reason, Reason::kIssuerUnknown);
  ASSERT_TRUE(engine_->RemoveIssuer(kTemplate).ok());
  EXPECT_EQ(Check(b).reason, Reason::kIssuerUnknown);
  ASSERT_TRUE(engine_->AddIssuer(Family({kA})).ok());
  EXPECT_EQ(Check(a).reason, Reason::kKeysNeverFetched);
  Run();
  EXPECT_TRUE(Check(a).allowed());
  EXPECT_FALSE(engine_->RemoveIssuer(NameOf(kA)).ok());
  EXPECT_TRUE(Check(a).allowed());
  EXPECT_EQ(engine_->ReadMetrics().issuers, 2u);
}

TEST_F(TenantsTest, WhoWaitsForATenantsKeysIsToldByTheFamilysFetch) {
  Config config = TestConfig("");
  config.issuers = {Family({kA, kB})};
  NetworkTest::Start(config);
  const Decision unavailable = Check(TokenOf(kB));
  EXPECT_EQ(unavailable.reason, Reason::kKeysNeverFetched);
  Run();
  int calls = 0;
  ASSERT_TRUE(engine_->NotifyWhenSettled(unavailable, [&] { ++calls; }));
  Run();
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(network_->CompleteOldest({.body = Keys()}));
  Run();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(Check(TokenOf(kB)).allowed());
}

TEST_F(TenantsTest, AResourceNamesTheTemplateOrOneTenant) {
  Config config = TestConfig("");
  config.issuers = {Family({kA, kB})};
  config.resources[0].issuers = {kTemplate};
  config.resources[1].issuers = {NameOf(kB)};
  Start(config, Keys());
  const auto check = [this](std::string_view tenant, uint32_t resource) {
    idp::json claims = ClaimsOf(tenant);
    claims["aud"] = resource == 0 ? kResource : kOtherResource;
    return Check(Sign(claims), "search", ResourceId{resource}).reason;
  };
  EXPECT_EQ(check(kA, 0), Reason::kNone);
  EXPECT_EQ(check(kB, 0), Reason::kNone);
  EXPECT_EQ(check(kA, 1), Reason::kIssuerNotAllowedHere);
  EXPECT_EQ(check(kB, 1), Reason::kNone);
  ASSERT_TRUE(engine_->ChangeIssuer(Family({kB, kNotListed})).ok());
  EXPECT_EQ(check(kNotListed, 0), Reason::kNone);
  EXPECT_EQ(check(kNotListed, 1), Reason::kIssuerNotAllowedHere);
  EXPECT_EQ(check(kB, 1), Reason::kNone);
}

TEST_F(TenantsTest, ARevocationIsOneTenants) {
  const std::string a = TokenOf(kA), b = TokenOf(kB);
  ASSERT_TRUE(engine_->RevokeSubject(NameOf(kA), "alice", kStart + 3'600).ok());
  EXPECT_EQ(Check(a).reason, Reason::kSubjectRevoked);
  EXPECT_TRUE(Check(b).allowed());
  EXPECT_FALSE(engine_->RevokeSubject(kTemplate, "alice", kStart + 3'600).ok());
  ASSERT_TRUE(engine_->ChangeIssuer(Family({kA})).ok());
  EXPECT_EQ(Check(a).reason, Reason::kSubjectRevoked);
}

TEST_F(TenantsTest, ForgeriesOfOneTenantAreChargedToItAloneAndShownInTheFamilysHealth) {
  const std::string a = TokenOf(kA);
  std::string forged = a;
  forged[forged.size() - 3] = forged[forged.size() - 3] == 'A' ? 'B' : 'A';
  while (Check(forged).reason != Reason::kOverloaded) ASSERT_FALSE(HasFailure());
  const Decision refused = Check(a);
  EXPECT_EQ(refused.reason, Reason::kOverloaded);
  EXPECT_TRUE(Check(TokenOf(kB)).allowed());
  const std::vector<IssuerHealth> health = engine_->ReadHealth();
  ASSERT_EQ(health.size(), 1u);
  EXPECT_EQ(health[0].issuer, kTemplate);
  EXPECT_EQ(health[0].num_tenants, 2u);
  EXPECT_THAT(health[0].tenant_positions, Contains(refused.issuer));
  EXPECT_EQ(health[0].verifications_refused, 2u);
  EXPECT_GT(health[0].verifications_refused_for_ms, 0);
}

TEST_F(TenantsTest, AnOpaqueTokenIsAskedAboutAtItsTenantsEndpointAndTheAnswerNamesTheTenant) {
  Config config = TestConfig("");
  config.issuers = {Family({kA, kB})};
  config.issuers[0].introspection = {.endpoint = "https://login.microsoftonline.com/{tenantid}/introspect",
                                     .client_id = "mcp",
                                     .client_secret = "s3cret"};
  config.resources[0].issuers = {kTemplate};
  config.resources[0].opaque_token_issuer = NameOf(kB);
  Start(config, Keys());
  const std::string at = "https://login.microsoftonline.com/" + std::string(kB) + "/introspect";
  const auto ask = [&](const std::string& token, idp::json answer) {
    answer["active"] = true;
    network_->SetAnswer(at, FakeAnswer{.body = answer.dump()});
    Check(token);
    Run();
    EXPECT_EQ(network_->requests().back().url, at);
    return Check(token).reason;
  };
  EXPECT_EQ(ask("opaque-1", ClaimsOf(kB)), Reason::kNone);
  idp::json claims = ClaimsOf(kB);
  claims.erase("iss");
  EXPECT_EQ(ask("opaque-2", claims), Reason::kNone);
  claims["tid"] = kA;
  EXPECT_EQ(ask("opaque-3", claims), Reason::kTenantMismatch);
  claims.erase("tid");
  EXPECT_EQ(ask("opaque-4", claims), Reason::kTenantMismatch);
  claims["iss"] = NameOf(kB);
  EXPECT_EQ(ask("opaque-5", claims), Reason::kNone);
  claims["iss"] = NameOf(kA);
  EXPECT_EQ(ask("opaque-6", claims), Reason::kIntrospectionUnavailable);  // It is about nothing of theirs.
  EXPECT_EQ(engine_->ReadHealth()[0].introspections, 6u);
}

TEST_F(TenantsTest, ConfiguredKeysNeedNoFetch) {
  IssuerConfig config = Family({kA, kB});
  config.jwks_uri.clear();
  config.jwks = Keys();
  Start(config);
  EXPECT_EQ(network_->num_requests(), 0u);
  EXPECT_TRUE(Check(TokenOf(kA)).allowed());
  EXPECT_TRUE(Check(Sign(ClaimsOf(kB), b_key_)).allowed());
  EXPECT_EQ(Check(Sign(ClaimsOf(kA), b_key_)).reason, Reason::kKeyUnknown);
  // One issuer may stand beside a template, before or behind it.
  ASSERT_TRUE(engine_->AddIssuer({.issuer = kIssuer, .jwks = idp::Jwks({&key_}).dump()}).ok());
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(principal_.issuer(), kIssuer);
}

TEST_F(TenantsTest, PositionsOfPlainIssuersAreThoseOfTheConfiguration) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers.insert(config.issuers.begin(), Family({kA, kB}));
  Start(config, Keys());
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(Check(Token()).issuer, 1u);
  EXPECT_TRUE(Check(TokenOf(kB)).allowed());
  EXPECT_EQ(principal_.issuer(), NameOf(kB));
  EXPECT_EQ(Check(TokenOf(kB)).issuer, 3u);
}

TEST_F(TenantsTest, TokensOfTheFirstVersionAreVerifiedByKeysOfTheSecond) {
  IssuerConfig v1 = Family({kA, kB});
  v1.issuer = "https://sts.windows.net/{tenantid}/";
  v1.profile = Profile::EntraV1();
  Start(v1);
  const auto v1_claims = [this](std::string_view tenant) {
    idp::json claims = ClaimsOf(tenant);
    claims["iss"] = "https://sts.windows.net/" + std::string(tenant) + "/";
    claims["ver"] = "1.0";
    claims["appid"] = "agent-1";
    return claims;
  };
  EXPECT_TRUE(Check(Sign(v1_claims(kA))).allowed());
  EXPECT_TRUE(Check(Sign(v1_claims(kB), b_key_)).allowed());
  EXPECT_EQ(Check(Sign(v1_claims(kA), b_key_)).reason, Reason::kKeyPending);
  EXPECT_EQ(Check(TokenOf(kA)).reason, Reason::kIssuerUnknown);
  // Both versions at once are two templates.
  ASSERT_TRUE(engine_->AddIssuer(Family({kA})).ok());
  Run();
  EXPECT_TRUE(Check(TokenOf(kA)).allowed());
  EXPECT_TRUE(Check(Sign(v1_claims(kA))).allowed());
}

TEST_F(TenantsTest, WhatIsWrongIsRefusedInOneLineThatNamesTheSetting) {
  const auto why = [this](const IssuerConfig& config) {
    return std::string(engine_->AddIssuer(config).message());
  };
  IssuerConfig wrong = Family({});
  EXPECT_THAT(why(wrong), HasSubstr("tenants: "));
  wrong = Family({kA, kA});
  EXPECT_THAT(why(wrong), HasSubstr("tenants: one is named twice"));
  wrong = Family({kA});
  wrong.issuer = "https://idp.example";
  EXPECT_THAT(why(wrong), HasSubstr("tenants: the issuer has no {tenantid}"));
  wrong = Family({kA});
  EXPECT_THAT(why(wrong), HasSubstr("is configured already"));
  EXPECT_THAT(std::string(engine_->ChangeIssuer(Family({kA, "../x"})).message()), HasSubstr("tenants: "));
  EXPECT_TRUE(Check(TokenOf(kB)).allowed());
}

// The engine says what its tenants take, within a quarter of what malloc says.
TEST_F(TenantsTest, TwentyThousandTenantsTakeWhatTheMetricsSay) {
  constexpr size_t kTenants = 20'000;
  std::vector<std::string> tenants;
  for (size_t i = 0; i < kTenants; ++i)
    tenants.push_back(std::to_string(100'000'000 + i) + std::string(kA).substr(9));
  const IssuerConfig family = Family(std::move(tenants));
  Config config = TestConfig("");
  config.issuers = {family};
  idp::json keys = idp::json::array();
  for (int n = 0; n < 6; ++n) {
    keys.push_back(idp::TestKey("RS256", n % 2).WithKid("key-" + std::to_string(n)).PublicJwk());
    keys.back()["issuer"] = kTemplate;
  }
  engine_.reset();
  const size_t before = mallinfo2().uordblks + mallinfo2().hblkhd;
  Start(config, idp::json{{"keys", keys}}.dump());
  const size_t taken = mallinfo2().uordblks + mallinfo2().hblkhd - before;
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.issuers, kTenants + 1);
  EXPECT_EQ(metrics.issuer_keys, 6 * (kTenants + 1));
  EXPECT_EQ(network_->num_requests(), 1u);
  if (taken > 10'000'000) {  // Under a sanitizer malloc is another one, and says nothing.
    std::cout << "bytes per tenant: " << taken / kTenants << ", " << metrics.issuer_bytes / kTenants
              << " as told\n";
    EXPECT_GE(metrics.issuer_bytes, taken / 4 * 3);
    EXPECT_LE(metrics.issuer_bytes, taken / 4 * 5);
  }
}

}  // namespace
}  // namespace tollgate
