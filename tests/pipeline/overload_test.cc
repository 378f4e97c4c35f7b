// Floods of tokens that are not known: what they may cost, and who does not feel them.

#include <algorithm>
#include <map>
#include <random>

#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

constexpr char kSecondIssuer[] = "https://second.example";
// One percent, so that floods are small: a tenth of a second of a processor at once.
constexpr uint32_t kPercent = 1;
constexpr int64_t kBurstUs = 100'000;
constexpr int kRefillSeconds = 10;

int64_t CostUs(std::string_view algorithm) {
  return algorithm == "RS256" ? 13 : algorithm == "ES512" ? 870 : 38;
}

class OverloadTest : public NetworkTest {
 protected:
  OverloadTest() { Restart(FloodConfig()); }

  Config FloodConfig() const {
    Config config = TestConfig(idp::Jwks({&key_, &idp::TestKey("RS256"), &idp::TestKey("ES512")}).dump());
    config.issuers.push_back({.issuer = kSecondIssuer, .jwks = idp::Jwks({&second_key_}).dump()});
    config.verification_limits.in_vain_percent_max = kPercent;
    return config;
  }

  // Another one each time, with the signature of another token and the kid of a key that there is.
  std::string Forged(std::string_view algorithm) {
    const idp::SigningKey& key = idp::TestKey(algorithm);
    std::string& signature = signatures_[key.kid()];
    if (signature.empty()) signature = key.Sign("something else");
    idp::json claims = Claims();
    claims["sub"] = "user-" + std::to_string(++num_forged_);
    const idp::json header = {{"alg", key.alg()}, {"kid", key.kid()}, {"typ", "at+jwt"}};
    return idp::Base64Url(header.dump()) + "." + idp::Base64Url(claims.dump()) + "." +
           idp::Base64Url(signature);
  }

  std::string OfSecondIssuer() const {
    return idp::Mint(second_key_,
                     idp::AccessTokenClaims(kSecondIssuer, kResource, "bob", "agent-2", "files:read",
                                            clock_.now.wall_s, clock_.now.wall_s + 600));
  }

  // Forges until it is refused, and returns how many were verified.
  int64_t FloodUntilRefused(std::string_view algorithm) {
    for (int64_t n = 0;; ++n) {
      const Decision decision = Check(Forged(algorithm));
      if (decision.reason == Reason::kOverloaded) return n;
      EXPECT_EQ(decision.reason, Reason::kBadSignature);
      if (decision.reason != Reason::kBadSignature || n > 2 * kBurstUs / CostUs(algorithm)) return -1;
    }
  }

  uint64_t Verifications() const { return engine_->ReadMetrics().signature_verifications; }

  const idp::SigningKey& second_key_ = idp::TestKey("ES256", 1);
  std::map<std::string, std::string> signatures_;
  int num_forged_ = 0;
};

class ForgedFloodTest : public OverloadTest, public ::testing::WithParamInterface<const char*> {};

TEST_P(ForgedFloodTest, IsVerifiedAtTheBoundAndNobodyElseFeelsIt) {
  const int64_t cost_us = CostUs(GetParam());
  const std::string known = Token();
  ASSERT_TRUE(Check(known).was_cached);
  const int64_t burst = FloodUntilRefused(GetParam());
  EXPECT_EQ(burst, (kBurstUs + cost_us - 1) / cost_us);

  // Twenty seconds, 2000 a second. The fake clock advances by hundredths of a second.
  constexpr int kSeconds = 20, kSteps = 100, kPerStep = 20;
  uint64_t forged_verified = 0, forged_refused = 0;
  for (int step = 0; step < kSeconds * kSteps; ++step) {
    clock_.now.mono_ms += 1000 / kSteps;
    for (int i = 0; i < kPerStep; ++i) {
      const Decision decision = Check(Forged(GetParam()));
      if (decision.reason == Reason::kOverloaded) {
        ++forged_refused;
        ASSERT_EQ(decision.verdict, Verdict::kUnavailable);
        ASSERT_EQ(decision.http_status(), 503);
        ASSERT_EQ(decision.retry_after_s, 1u);
        ASSERT_EQ(decision.issuer, 0u);
        ASSERT_EQ(decision.freshness, Freshness::kFresh);
      } else {
        ASSERT_EQ(decision.reason, Reason::kBadSignature);
        ++forged_verified;
      }
    }
    const Decision hit = Check(known);
    ASSERT_TRUE(hit.allowed() && hit.from_cache);
    if (step % 20 != 0) continue;
    ASSERT_TRUE(Check(OfSecondIssuer()).was_cached) << "a new token of another issuer";
  }
  const int64_t spent_us = static_cast<int64_t>(forged_verified) * cost_us;
  const int64_t allowed_us = int64_t{kSeconds} * 1'000'000 * kPercent / 100;
  EXPECT_LE(spent_us, allowed_us + cost_us);
  EXPECT_GE(spent_us,
            std::min<int64_t>(allowed_us, int64_t{kSeconds} * kSteps * kPerStep * cost_us) - 2 * cost_us);
  EXPECT_GT(forged_refused, 0u);

  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.verifications_in_vain, forged_verified + static_cast<uint64_t>(burst));
  EXPECT_EQ(metrics.refused_in_vain, forged_refused + 1);
  EXPECT_EQ(metrics.refused_in_flight, 0u);
  const std::vector<IssuerHealth> health = engine_->ReadHealth();
  EXPECT_EQ(health[0].verifications_refused, forged_refused + 1);
  EXPECT_EQ(health[1].verifications_refused, 0u);
  EXPECT_EQ(health[1].verifications_refused_for_ms, 0);

  // After the flood everything is as before, within the refill time.
  clock_.Advance(kRefillSeconds + 1);
  EXPECT_EQ(engine_->ReadHealth()[0].verifications_refused_for_ms, 0);
  EXPECT_EQ(FloodUntilRefused(GetParam()), burst);
  EXPECT_GT(engine_->ReadHealth()[0].verifications_refused_for_ms, 0);
}

INSTANTIATE_TEST_SUITE_P(All, ForgedFloodTest, ::testing::Values("RS256", "ES512"));

TEST_F(OverloadTest, AGoodNewTokenIsUnavailableAtWorstAndGetsInDuringTheFlood) {
  FloodUntilRefused("ES512");
  EXPECT_EQ(Check(Token()).reason, Reason::kOverloaded);
  int allowed = 0, refused = 0;
  for (int step = 0; step < 2000; ++step) {
    clock_.now.mono_ms += 10;
    // One good token to two forged ones, which come first in turn.
    for (int i = 0; i < 3; ++i) {
      if (i != step % 3) {
        (void)Check(Forged("ES512"));
        continue;
      }
      const Decision decision = Check(Token());
      ASSERT_TRUE(decision.allowed() || decision.reason == Reason::kOverloaded);
      ++(decision.allowed() ? allowed : refused);
    }
  }
  // Every forged one shuts the door for 87 ms; a good one that comes before it gets in.
  EXPECT_GT(allowed, 60);
  EXPECT_GT(refused, 0);
  clock_.Advance(1);
  EXPECT_TRUE(Check(Token()).allowed()) << "the flood is over";
}

TEST_F(OverloadTest, GoodTokensSpendNothingWhateverTheyAreDeniedByPolicy) {
  Config config = FloodConfig();
  config.verdict_cache_bytes = 0;  // A verification each.
  Restart(config);
  const std::string token = Token();
  for (int64_t i = 0; i < 2 * kBurstUs / CostUs("ES256"); ++i) {
    ASSERT_EQ(Check(token, i % 2 == 0 ? "search" : "delete").reason,
              i % 2 == 0 ? Reason::kNone : Reason::kInsufficientScope);
  }
  EXPECT_EQ(engine_->ReadMetrics().verifications_in_vain, 0u);
  EXPECT_EQ(FloodUntilRefused("ES512"), (kBurstUs + 869) / 870);
}

// Whoever has a genuine token that is refused can have it verified over and over, too.
TEST_F(OverloadTest, AGenuineTokenThatIsRefusedSpendsAsAForgedOneDoes) {
  const std::string expired = Token();
  clock_.Advance(10'000);
  const std::string elsewhere =
      idp::Mint(key_, idp::AccessTokenClaims(kIssuer, kOtherResource, "alice", "agent-1", "",
                                             clock_.now.wall_s, clock_.now.wall_s + 600));
  const std::string revoked = Token();
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "alice", clock_.now.wall_s + 1000).ok());
  const std::pair<std::string, Reason> refused[] = {{expired, Reason::kExpired},
                                                    {elsewhere, Reason::kAudienceMismatch},
                                                    {revoked, Reason::kSubjectRevoked}};
  int64_t n = 0;
  for (; n <= 2 * kBurstUs / CostUs("ES256"); ++n) {
    const auto& [token, reason] = refused[n % 3];
    const Decision decision = Check(token);
    if (decision.reason == Reason::kOverloaded) break;
    ASSERT_EQ(decision.reason, reason);
  }
  EXPECT_EQ(n, (kBurstUs + CostUs("ES256") - 1) / CostUs("ES256"));
}

TEST_F(OverloadTest, AKnownTokenIsVerifiedAgainDuringAFloodUnlessItHasBecomeBad) {
  const std::string good = idp::Mint(key_, Claims("files:read", 3600)), expired = idp::Mint(key_, Claims()),
                    revoked = [this] {
                      idp::json claims = Claims("files:read", 3600);
                      claims["sub"] = "mallory";
                      return idp::Mint(key_, claims);
                    }();
  for (const std::string& token : {good, expired, revoked}) ASSERT_TRUE(Check(token).was_cached);
  clock_.Advance(700);  // Beyond the verdict's age, and beyond one token's end.
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "mallory", clock_.now.wall_s + 1000).ok());
  FloodUntilRefused("RS256");
  ASSERT_EQ(Check(Token()).reason, Reason::kOverloaded);
  const uint64_t before = Verifications();
  EXPECT_EQ(Check(expired).reason, Reason::kOverloaded);
  EXPECT_EQ(Check(revoked).reason, Reason::kOverloaded);
  EXPECT_EQ(Check(good, "search", ResourceId{1}).reason, Reason::kOverloaded) << "not for this resource";
  EXPECT_EQ(Verifications(), before);
  const Decision again = Check(good);
  EXPECT_TRUE(again.allowed() && again.was_cached && !again.from_cache);
  EXPECT_EQ(Verifications(), before + 1);
  EXPECT_TRUE(Check(good).from_cache);
}

TEST_F(OverloadTest, RandomTokensCostNoVerification) {
  std::mt19937_64 random(7);
  const auto text = [&](size_t size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    return bytes;
  };
  const std::string good = Token();
  const std::string body = good.substr(0, good.rfind('.'));
  const uint64_t before = Verifications();
  for (int i = 0; i < 2000; ++i) {
    const std::string opaque = idp::Base64Url(text(1 + random() % 600));
    EXPECT_EQ(Check(opaque).verdict, Verdict::kDeny);
    EXPECT_EQ(Check(opaque + "." + opaque + "." + opaque).verdict, Verdict::kDeny);
    EXPECT_EQ(Check(idp::Mint(key_.WithKid(opaque.substr(0, 20)), Claims())).reason, Reason::kKeyUnknown);
  }
  EXPECT_EQ(Verifications(), before);
  // A signature that is too short is not computed with.
  EXPECT_EQ(Check(body + "." + idp::Base64Url(text(63))).reason, Reason::kBadSignatureLength);
  EXPECT_EQ(engine_->ReadMetrics().verifications_in_vain, 0u);
  EXPECT_TRUE(Check(Token()).allowed());
}

TEST_F(OverloadTest, WithoutABoundEveryForgedTokenIsDenied) {
  Config config = FloodConfig();
  config.verification_limits.in_vain_percent_max = 0;
  Restart(config);
  for (int64_t i = 0; i < 2 * kBurstUs / CostUs("RS256"); ++i)
    ASSERT_EQ(Check(Forged("RS256")).reason, Reason::kBadSignature);
}

// The reasons keep their order: what is found without a verification is said as before.
TEST_F(OverloadTest, WhatIsWrongAheadOfTheSignatureIsStillSaid) {
  FloodUntilRefused("ES512");
  EXPECT_EQ(Check("nonsense").reason, Reason::kNotCompactJws);
  EXPECT_EQ(Check(idp::Mint(key_.WithKid("no-such-key"), Claims())).reason, Reason::kKeyUnknown);
  EXPECT_EQ(Check(idp::Mint(key_.WithKid(idp::TestKey("RS256").kid()), Claims())).reason,
            Reason::kKeyAlgorithmMismatch);
  idp::json claims = Claims();
  claims["iss"] = "https://nobody.example";
  EXPECT_EQ(Check(idp::Mint(key_, claims)).reason, Reason::kIssuerUnknown);
}

// What it waits for is a fetch, which changes nothing here; it would wait out the hour.
TEST_F(OverloadTest, AnOverloadIsNotWaitedFor) {
  Config config = FloodConfig();
  config.issuers[0].jwks = "";
  config.issuers[0].jwks_uri = kJwksUri;
  Start(config);
  network_->SetAnswer(kJwksUri, Keys({&key_, &idp::TestKey("ES512")}));
  Run();
  ASSERT_TRUE(Check(Token()).allowed());
  FloodUntilRefused("ES512");
  const std::string authorization = "Bearer " + Token();
  Decision decision;
  engine_->CheckWithin(std::chrono::hours(1), {.authorization = authorization, .tool = "search"}, &decision);
  EXPECT_EQ(decision.reason, Reason::kOverloaded);
  // Not that of the next refresh.
  EXPECT_EQ(decision.retry_after_s, 1u);
  EXPECT_FALSE(engine_->NotifyWhenSettled(decision, [] { FAIL(); }));
}

}  // namespace
}  // namespace tollgate
