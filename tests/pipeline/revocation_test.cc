// Revocation through the whole engine: cached tokens, uncached ones, and other encodings of a revoked one.

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

constexpr int64_t kUntil = kStart + 86'400;
#if defined(__SANITIZE_THREAD__) || defined(__SANITIZE_ADDRESS__)
constexpr int kManyTokens = 3'000;
#else
constexpr int kManyTokens = 100'000;
#endif

class RevocationTest : public EngineTest {
 protected:
  uint64_t Verifications() const { return engine_->ReadMetrics().signature_verifications; }
};

TEST_F(RevocationTest, ARevokedSubjectIsDeniedAtOnceAndALaterLoginIsNot) {
  const std::string cached = Token();
  const std::string uncached = Token();
  EXPECT_TRUE(Check(cached).allowed());
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "alice", kUntil).ok());
  EXPECT_EQ(Check(cached).reason, Reason::kSubjectRevoked);
  EXPECT_EQ(Check(uncached).reason, Reason::kSubjectRevoked);
  EXPECT_EQ(Check(cached).http_status(), 401);
  clock_.Advance(1);
  EXPECT_TRUE(Check(Token()).allowed());
}

TEST_F(RevocationTest, OtherTokensAreLookedAtAgainWithoutVerification) {
  idp::json claims = Claims();
  claims["sub"] = "bob";
  const std::string token = idp::Mint(key_, claims);
  EXPECT_TRUE(Check(token).allowed());
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "alice", kUntil).ok());
  EXPECT_TRUE(Check(token).from_cache);
  EXPECT_TRUE(Check(token).from_cache);
  EXPECT_EQ(Verifications(), 1u);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, 1u) << "and only once: the record is stamped anew";
}

TEST_F(RevocationTest, WithVeryManyTokensCachedNothingIsVerifiedAgain) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.verdict_cache_bytes = size_t{kManyTokens} * 192 * 4;
  Restart(config);
  std::vector<std::string> tokens;
  idp::json claims = Claims();
  for (int i = 0; i < kManyTokens; ++i) {
    claims["sub"] = "user-" + std::to_string(i);
    claims["jti"] = std::to_string(i);
    tokens.push_back(idp::Mint(key_, claims));
    ASSERT_TRUE(Check(tokens.back()).was_cached) << i;
  }
  const auto count = [&](std::string_view tool, Reason reason) {
    int n = 0;
    for (const std::string& token : tokens) {
      const Decision decision = Check(token, tool);
      n += decision.from_cache && decision.reason == reason;
    }
    return n;
  };
  ASSERT_EQ(Verifications(), uint64_t{kManyTokens});
  EXPECT_EQ(count("delete", Reason::kInsufficientScope), kManyTokens) << "another question";

  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "user-17", kUntil).ok());
  EXPECT_EQ(Check(tokens[17]).reason, Reason::kSubjectRevoked);
  EXPECT_EQ(count("search", Reason::kNone), kManyTokens - 1);
  EXPECT_EQ(Check(tokens[17]).reason, Reason::kSubjectRevoked);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, uint64_t{kManyTokens} + 2) << "the others once each";
  EXPECT_EQ(count("search", Reason::kNone), kManyTokens - 1);
  EXPECT_EQ(engine_->ReadMetrics().rechecks, uint64_t{kManyTokens} + 3);
  EXPECT_EQ(Verifications(), uint64_t{kManyTokens});
}

TEST_F(RevocationTest, ARevokedTokenIsDenied) {
  const idp::json claims = Claims();
  const std::string token = idp::Mint(key_, claims);
  EXPECT_TRUE(Check(token).allowed());
  ASSERT_TRUE(engine_->RevokeToken(kIssuer, claims["jti"].get<std::string>(), kUntil).ok());
  EXPECT_EQ(Check(token).reason, Reason::kTokenRevoked);
  EXPECT_TRUE(Check(Token()).allowed());
}

// ECDSA is malleable: (r, s) and (r, n − s) both verify, so a revocation must not hang on the token's bytes.
TEST_F(RevocationTest, TheTwinOfARevokedEs256TokenIsDenied) {
  const idp::json claims = Claims();
  const std::string token = idp::Mint(key_, claims);
  const std::string twin = idp::EcdsaTwin(token);
  ASSERT_NE(token, twin);
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_TRUE(Check(twin).allowed())
      << "the twin is a valid signature; were it not, this test would prove nothing";
  ASSERT_TRUE(engine_->RevokeToken(kIssuer, claims["jti"].get<std::string>(), kUntil).ok());
  EXPECT_EQ(Check(token).reason, Reason::kTokenRevoked);
  EXPECT_EQ(Check(twin).reason, Reason::kTokenRevoked);
}

TEST_F(RevocationTest, ARevokedKeyIsDeniedByThumbprintAndByKid) {
  for (const std::string& name : {key_.Thumbprint(), key_.kid()}) {
    Restart(TestConfig(idp::Jwks({&key_}).dump()));
    const std::string token = Token();
    EXPECT_TRUE(Check(token).allowed());
    ASSERT_TRUE(engine_->RevokeKey(kIssuer, name, kUntil).ok());
    EXPECT_EQ(Check(token).reason, Reason::kKeyRevoked);
    EXPECT_EQ(Check(Token()).reason, Reason::kKeyRevoked);
  }
}

// One key under two kids: what is cached is judged by the kid that it was verified under, as a new token is.
TEST_F(RevocationTest, AKidIsRevokedForCachedTokensWhereTheKeyHasAnotherToo) {
  for (const char* kid : {"first", "second"}) {
    const idp::SigningKey first = key_.WithKid("first"), second = key_.WithKid("second");
    Restart(TestConfig(idp::Jwks({&first, &second}).dump()));
    const idp::SigningKey& signer = kid == first.kid() ? first : second;
    const std::string cached = idp::Mint(signer, Claims());
    EXPECT_TRUE(Check(cached).allowed());
    EXPECT_TRUE(Check(cached).from_cache);
    ASSERT_TRUE(engine_->RevokeKey(kIssuer, kid, kUntil).ok());
    EXPECT_EQ(Check(cached).reason, Reason::kKeyRevoked) << kid;
    EXPECT_EQ(Check(idp::Mint(signer, Claims())).reason, Reason::kKeyRevoked) << kid;
  }
}

TEST_F(RevocationTest, ARevocationEndsAtItsTime) {
  const idp::json claims = Claims("files:read", 4000);
  const std::string token = idp::Mint(key_, claims);
  ASSERT_TRUE(engine_->RevokeToken(kIssuer, claims["jti"].get<std::string>(), kStart + 100).ok());
  EXPECT_EQ(Check(token).reason, Reason::kTokenRevoked);
  clock_.Advance(101);
  engine_->RunBackground(std::chrono::milliseconds(0));
  EXPECT_TRUE(Check(token).allowed());
}

TEST_F(RevocationTest, ARevocationIsOfOneIssuer) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.issuers.push_back({.issuer = "https://second.example", .jwks = idp::Jwks({&key_}).dump()});
  Restart(config);
  const std::string token = Token();
  EXPECT_TRUE(Check(token).allowed());
  ASSERT_TRUE(engine_->RevokeSubject("https://second.example", "alice", kUntil).ok());
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_FALSE(engine_->RevokeSubject("https://third.example", "alice", kUntil).ok());
}

}  // namespace
}  // namespace tollgate
