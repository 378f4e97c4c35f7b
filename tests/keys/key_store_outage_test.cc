// What other verifiers got wrong about key sets and outages, each as a test, and the answers that must not
// shrink a set.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using KeyStoreOutageTest = StoreTest;

FakeAnswer Body(std::string body) {
  FakeAnswer answer;
  answer.body = std::move(body);
  return answer;
}

std::vector<std::pair<std::string, FakeAnswer>> BadAnswers() {
  nlohmann::json weak = idp::SigningKey::Generate("RS256", "weak", 1024).PublicJwk();
  const std::string good = SetText({Key(9, "new")});
  FakeAnswer created = Ok({Key(9, "new")});
  created.http_status = 201;
  FakeAnswer redirect = Ok({Key(9, "new")});
  redirect.http_status = 302;
  FakeAnswer refused = Ok({Key(9, "new")});
  refused.http_status = 500;
  return {
      {"status 500 though the body has keys", refused},
      {"status 302", redirect},
      {"status 201", created},
      {"status 204", Status(204)},
      {"status 304 that nobody asked for", Status(304)},
      {"status 404", Status(404)},
      {"status 429", Status(429)},
      {"no status", Status(0)},
      {"empty body", Body("")},
      {"garbage", Body("<html>maintenance</html>")},
      {"truncated", Body(good.substr(0, good.size() / 2))},
      {"trailing bytes", Body(good + "x")},
      {"two sets", Body(good + good)},
      {"duplicate member", Body(R"({"keys":[],"keys":[]})")},
      {"no keys member", Body("{}")},
      {"keys that is no array", Body(R"({"keys":{}})")},
      {"empty set", Body(R"({"keys":[]})")},
      {"null", Body("null")},
      {"an array", Body("[]")},
      {"no usable key", Ok({weak, {{"kty", "oct"}, {"k", "c2VjcmV0"}}})},
      {"not allowed", Broken(FetchOutcome::kNotAllowed)},
      {"unresolved", Broken(FetchOutcome::kUnresolved)},
      {"unreachable", Broken(FetchOutcome::kUnreachable)},
      {"TLS", Broken(FetchOutcome::kTlsFailed)},
      {"timeout", Broken(FetchOutcome::kTimedOut)},
      {"too large", Broken(FetchOutcome::kTooLarge)},
      {"address refused", Broken(FetchOutcome::kAddressRefused)},
  };
}

TEST_F(KeyStoreOutageTest, NoBadAnswerShrinksTheSetOrRefreshesItsAge) {
  for (const auto& [what, answer] : BadAnswers()) {
    SCOPED_TRACE(what);
    OpenWith(Ok({Key(0, "a")}));
    const KeyRef before = RefOf("a");
    now_ms_ += 1'080'000;
    Run();
    Answer(answer);
    EXPECT_EQ(RefOf("a"), before);
    EXPECT_TRUE(store_->IsCurrent(before));
    EXPECT_EQ(Find("new"), Reason::kKeyPending);
    EXPECT_EQ(store_->StandingAt(0, now_ms_).age_ms, 1'080'000);
    EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
    EXPECT_FALSE(HealthNow().last_error.empty());
    EXPECT_EQ(HealthNow().last_error.find('\n'), std::string::npos);
    EXPECT_EQ(settled_.size(), 2u);  // Told of failures too.
    settled_.clear();
  }
}

// Istio CVE-2026-31837: a failed fetch fell back to built-in keys.
TEST_F(KeyStoreOutageTest, FailedFirstFetchFallsBackToNothing) {
  for (const auto& [what, answer] : BadAnswers()) {
    SCOPED_TRACE(what);
    OpenWith(answer);
    EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
    EXPECT_EQ(Find("new"), Reason::kKeysNeverFetched);
    EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
    EXPECT_FALSE(store_->StandingAt(0, now_ms_).ever_good);
    const sync::ReadScope scope(blocks_);
    EXPECT_EQ(store_->FindByRef(scope, 0, KeyRef{}), nullptr);
  }
}

// Envoy CVE-2025-64527: two tokens and a failing fetch re-entered the fetcher and crashed.
TEST_F(KeyStoreOutageTest, TwoLookupsDuringAFailingFetchDoNotReenter) {
  OpenWith(Ok({Key(0, "a")}));
  auto store = KeyStore::Create(config_, 1, blocks_, [this](uint32_t) {
    EXPECT_EQ(Find("x"), Reason::kKeyPending);  // Asks again from inside the report.
    EXPECT_EQ(Find("y"), Reason::kKeyPending);
  });
  ASSERT_TRUE(store.ok());
  store_ = *std::move(store);
  store_->SetWaker([this] { ++wakes_; });
  Run();
  Answer(Ok({Key(0, "a")}));
  now_ms_ += timing_.cooldown_ms;
  Run();
  const size_t before = network_.num_requests();
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  EXPECT_EQ(Find("y"), Reason::kKeyPending);
  Answer(Broken(FetchOutcome::kUnreachable));
  EXPECT_EQ(network_.num_requests(), before);
}

// jose, mod_auth_openidc: a cooldown that counts successes alone, or is bypassed while the set is empty, is
// none.
TEST_F(KeyStoreOutageTest, LookupsWhileThereIsNoSetDoNotFetchPastTheBackoff) {
  OpenWith(Body(R"({"keys":[]})"));
  const int64_t next_ms = now_ms_ + HealthNow().next_fetch_in_ms;
  while (now_ms_ < next_ms) {
    for (int i = 0; i < 100; ++i) EXPECT_EQ(Find("kid" + std::to_string(i)), Reason::kKeysNeverFetched);
    Run();
    ASSERT_EQ(network_.num_requests(), 1u);
    ++now_ms_;
  }
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(wakes_, 0);
}

TEST_F(KeyStoreOutageTest, CooldownCountsFailuresToo) {
  OpenWith(Ok({Key(0, "a")}));
  timing_ = config_.timing;
  Find("x");
  now_ms_ += timing_.cooldown_ms;
  Run();
  const int64_t begun_ms = now_ms_;
  Answer(Status(500));
  // The backoff's retry brings a good answer; what it leaves to be asked waits for a cooldown of its own.
  now_ms_ += HealthNow().next_fetch_in_ms;
  Run();
  EXPECT_EQ(Find("y"), Reason::kKeyPending);
  const int64_t retried_ms = now_ms_;
  Answer(Ok({Key(0, "a")}));
  EXPECT_GE(retried_ms, begun_ms);
  EXPECT_EQ(HealthNow().next_fetch_in_ms, timing_.cooldown_ms);
}

// mod_auth_openidc 2026: a failed forced refresh fell through to a second fetch.
TEST_F(KeyStoreOutageTest, FailedForcedRefreshDoesNotFallThroughToASecondFetch) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  ASSERT_EQ(network_.num_requests(), 2u);
  Answer(Status(500));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
  const int64_t backoff_ms = HealthNow().next_fetch_in_ms;
  EXPECT_GT(backoff_ms, 0);
  now_ms_ += backoff_ms - 1;
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
}

// liboauth2 2026: the kid was concatenated into a URL.
TEST_F(KeyStoreOutageTest, KidNeverReachesAUrl) {
  OpenWith(Ok({Key(0, "a")}));
  for (const std::string kid : {"../../admin", "?x=1", "https://evil.example/", "a\r\nHost: evil", "%2e%2e"})
    Find(kid);
  now_ms_ += timing_.cooldown_ms;
  Run();
  ASSERT_EQ(network_.num_requests(), 2u);
  for (const FetchRequest& request : network_.requests()) {
    EXPECT_EQ(request.url, "https://idp.example/jwks");
    EXPECT_EQ(request.if_none_match, "");
  }
}

// agentgateway: one odd JWK rejected the whole set.
TEST_F(KeyStoreOutageTest, OneOddKeyDoesNotSpoilTheSet) {
  const std::vector<nlohmann::json> odd = {
      {{"kty", "unheard-of"}},
      {{"kty", "oct"}, {"k", "c2VjcmV0"}, {"kid", "a2"}},
      {{"kty", "EC"}, {"crv", "P-256"}, {"x", "AA"}, {"y", "AA"}},
      7,
      nullptr,
      "key",
      nlohmann::json::array(),
  };
  for (const nlohmann::json& jwk : odd) {
    OpenWith(Ok({jwk, Key(0, "a"), jwk}));
    EXPECT_EQ(Find("a"), Reason::kNone);
    EXPECT_EQ(HealthNow().num_keys, 1u);
    EXPECT_EQ(HealthNow().num_keys_skipped, 2u);
  }
}

TEST_F(KeyStoreOutageTest, ErrorsNeverRepeatTheUrl) {
  IssuerConfig config = Fetched();
  config.jwks_uri = "https://idp.example/jwks?api_key=hunter2";
  for (const auto& [what, answer] : BadAnswers()) {
    SCOPED_TRACE(what);
    Open({config});
    Run();
    Answer(answer);
    EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("hunter2")));
    EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("idp.example")));
  }
}

TEST_F(KeyStoreOutageTest, ServesThroughAnOutageUpToTheBoundAndNotAMillisecondBeyond) {
  OpenWith(Ok({Key(0, "a")}));
  const int64_t good_ms = now_ms_;
  network_.SetAnswer("https://idp.example/jwks", Broken(FetchOutcome::kUnreachable));
  RunUntil(good_ms + timing_.staleness_bound_ms);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  ++now_ms_;
  EXPECT_EQ(Find("a"), Reason::kKeysTooStale);
  EXPECT_EQ(Find("x"), Reason::kKeysTooStale);
  EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
  EXPECT_TRUE(store_->StandingAt(0, now_ms_).ever_good);

  network_.SetAnswer("https://idp.example/jwks", Ok({Key(0, "a")}));
  RunUntil(now_ms_ + timing_.backoff_cap_ms);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
}

// Second by second through good times, an outage, its bound and the way back, with requests for fetches in
// between.
TEST_F(KeyStoreOutageTest, IsFreshSaysWhatStandingAtSaysThroughAnOutage) {
  Open({Fetched(), Inline("https://inline.example", {Key(0, "a")})});
  std::array<int, 4> seconds{};
  const auto live = [&](int64_t for_ms) {
    for (const int64_t end_ms = now_ms_ + for_ms; now_ms_ < end_ms;) {
      RunUntil(now_ms_ + 1'000);
      ++seconds[static_cast<size_t>(FreshnessNow())];
      ExpectIsFreshAgrees(1);
      if (now_ms_ % 50'000 == 0) Find("absent");
    }
  };
  ExpectIsFreshAgrees();
  Run();
  ExpectIsFreshAgrees();  // The first fetch is under way.
  Answer(Ok({Key(0, "a")}));
  network_.SetAnswer("https://idp.example/jwks", Ok({Key(0, "a")}));
  live(timing_.refresh_max_ms);
  network_.SetAnswer("https://idp.example/jwks", std::nullopt);  // An answer that does not come: stale.
  live(timing_.refresh_max_ms * 2);
  while (network_.CompleteOldest(Status(500))) Run();
  network_.SetAnswer("https://idp.example/jwks", Status(500));
  live(timing_.staleness_bound_ms);
  network_.SetAnswer("https://idp.example/jwks", Ok({Key(0, "a")}));
  live(timing_.refresh_max_ms);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  for (const int n : seconds) EXPECT_GT(n, 60) << "of one of the four";
}

TEST_F(KeyStoreOutageTest, OutageOfAnHourCostsTheIssuerFewFetches) {
  OpenWith(Ok({Key(0, "a")}));
  network_.SetAnswer("https://idp.example/jwks", Status(503));
  const int64_t begin_ms = now_ms_;
  for (int64_t ms = 0; ms < 3'600'000; ms += 1'000) {
    RunUntil(begin_ms + ms);
    Find("kid" + std::to_string(ms));
  }
  // Full jitter up to 60 s: one each 30 s on average, and a few while it grows.
  EXPECT_LE(network_.num_requests(), 180u);
  EXPECT_GE(network_.num_requests(), 60u);
}

// The issuer of one fetch has nothing to do with the others'.
TEST_F(KeyStoreOutageTest, OutageOfOneIssuerDoesNotTouchAnother) {
  Open({Fetched("https://a.example"), Fetched("https://b.example")});
  network_.SetAnswer("https://a.example/jwks", Broken(FetchOutcome::kTimedOut));
  network_.SetAnswer("https://b.example/jwks", Ok({Key(0, "a")}));
  Run();
  EXPECT_EQ(Find("a", 0), Reason::kKeysNeverFetched);
  EXPECT_EQ(Find("a", 1), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kFresh);
}

}  // namespace
}  // namespace tollgate::keys
