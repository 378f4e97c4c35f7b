// CheckBatch is Check, many times.

#include <algorithm>
#include <random>

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

bool Same(const Decision& a, const Decision& b) {
  return a.verdict == b.verdict && a.reason == b.reason && a.freshness == b.freshness &&
         a.from_cache == b.from_cache && a.was_cached == b.was_cached &&
         a.audience_is_client_id == b.audience_is_client_id && a.algorithm == b.algorithm &&
         a.issuer == b.issuer && a.retry_after_s == b.retry_after_s && a.ticket == b.ticket &&
         a.valid_until_s == b.valid_until_s && a.evidence_actual == b.evidence_actual &&
         a.evidence_bound == b.evidence_bound && a.keys_age_ms == b.keys_age_ms;
}

bool Same(const Metrics& a, const Metrics& b) {
  return a.checks == b.checks && a.allowed == b.allowed && a.denied == b.denied &&
         a.unavailable == b.unavailable && a.cache_hits == b.cache_hits &&
         a.signature_verifications == b.signature_verifications && a.cache_inserts == b.cache_inserts &&
         a.cache_evictions == b.cache_evictions && a.not_cached_too_long == b.not_cached_too_long &&
         a.not_cached_over_share == b.not_cached_over_share && a.grant_sets_full == b.grant_sets_full &&
         a.rechecks == b.rechecks;
}

class BatchTest : public EngineTest {
 protected:
  // Requests of every kind, and each kind of good token twice: the second is a hit within the batch.
  BatchTest() {
    const auto mint = [&](std::string_view subject, std::string_view scope, int64_t iat, int64_t exp) {
      idp::json claims = Claims(scope);
      claims["sub"] = subject;
      claims["iat"] = kStart + iat;
      claims["exp"] = kStart + exp;
      return idp::Mint(key_, claims);
    };
    const std::string good = mint("alice", "files:read", 0, 600);
    std::string forged = mint("mallory", "files:read", 0, 600);
    forged[forged.size() - 20] = forged[forged.size() - 20] == 'A' ? 'B' : 'A';
    idp::json stranger = Claims();
    stranger["iss"] = "https://stranger.example";
    idp::json long_names = Claims();
    long_names["sub"] = std::string(1000, 's');
    texts_ = {
        "",
        "Basic abc",
        "Bearer  two spaces",
        "Bearer not.a-token",
        "Bearer " + std::string(20'000, 'a'),
        "Bearer " + good,
        "bearer " + good,
        "Bearer " + mint("bob", "files:read files:write", -200, 600),
        "Bearer " + mint("expired", "files:read", -600, -300),
        "Bearer " + mint("early", "files:read", 300, 600),
        "Bearer " + mint("revoked", "files:read", -10, 600),
        "Bearer " + forged,
        "Bearer " + idp::Mint(key_, stranger),
        "Bearer " + idp::Mint(key_.WithKid("elsewhere"), Claims()),
        "Bearer " + idp::Mint(key_, long_names),
    };
    constexpr std::array kTools = {"search", "delete", "ping", "pay", "no such tool"};
    std::mt19937_64 random(5);
    while (requests_.size() < 100) {
      requests_.push_back({.authorization = texts_[requests_.size() % texts_.size()],
                           .tool = kTools[random() % kTools.size()],
                           .resource = ResourceId{static_cast<uint32_t>(random() % 8 / 6)},
                           .num_credentials = random() % 9 == 0 ? 2u : 1u});
    }
    requests_[40].resource = ResourceId{2};  // There are two.
    requests_[41].resource = ResourceId{64};
  }

  void Start() {
    Restart(TestConfig(idp::Jwks({&key_}).dump()));
    ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "revoked", kStart + 1000).ok());
  }

  std::vector<std::string> texts_;
  std::vector<Request> requests_;
};

TEST_F(BatchTest, AnswersAsSingleChecksDo) {
  Start();
  std::vector<Decision> expected;
  const auto check_singly = [&] {
    for (const Request& request : requests_) engine_->Check(request, &expected.emplace_back());
  };
  check_singly();
  clock_.Advance(350);  // Some tokens expire, others begin.
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "nobody", kStart + 1000).ok());
  check_singly();
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_GT(metrics.cache_hits, 20u);
  EXPECT_GT(metrics.cache_inserts, 1u);
  EXPECT_GT(metrics.rechecks, 1u);
  EXPECT_GT(metrics.not_cached_too_long, 1u);

  // In batches of every size around what is taken at once.
  for (const size_t size : {1u, 2u, 31u, 32u, 33u, 64u, 65u, 100u}) {
    clock_ = FakeClock();
    Start();
    std::vector<Decision> actual(2 * requests_.size());
    const auto check_in_batches = [&](std::span<Decision> into) {
      for (size_t begin = 0; begin < requests_.size(); begin += size) {
        const size_t count = std::min(size, requests_.size() - begin);
        engine_->CheckBatch(std::span(requests_).subspan(begin, count), into.subspan(begin, count));
      }
    };
    check_in_batches(std::span(actual).first(requests_.size()));
    clock_.Advance(350);
    ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "nobody", kStart + 1000).ok());
    check_in_batches(std::span(actual).last(requests_.size()));
    for (size_t i = 0; i < actual.size(); ++i) {
      EXPECT_TRUE(Same(actual[i], expected[i]))
          << "batches of " << size << ", request " << i << ": " << ReasonName(actual[i].reason)
          << " instead of " << ReasonName(expected[i].reason);
    }
    EXPECT_TRUE(Same(engine_->ReadMetrics(), metrics)) << "batches of " << size;
  }
}

TEST_F(BatchTest, TouchesNoDecisionBeyondTheShorterOfBoth) {
  Start();
  const Decision untouched{.reason = Reason::kTooDeep};
  std::vector<Decision> decisions(requests_.size(), untouched);
  engine_->CheckBatch(std::span(requests_).first(40), decisions);
  EXPECT_NE(decisions[39].reason, Reason::kTooDeep);
  EXPECT_TRUE(std::all_of(decisions.begin() + 40, decisions.end(),
                          [&](const Decision& decision) { return Same(decision, untouched); }));
  std::vector<Decision> few(3);
  engine_->CheckBatch(requests_, few);
  EXPECT_EQ(engine_->ReadMetrics().checks, 43u);
  engine_->CheckBatch({}, few);
  engine_->CheckBatch(requests_, {});
  EXPECT_EQ(engine_->ReadMetrics().checks, 43u);
}

}  // namespace
}  // namespace tollgate
