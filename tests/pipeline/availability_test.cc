// The third answer, through the whole engine: keys that are not there yet, that age, that rotate, that come
// back.

#include <thread>

#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

class AvailabilityTest : public NetworkTest {
 protected:
  AvailabilityTest() { Start(FetchingConfig()); }

  // RunUntil moves the clock second by second, so that everything due in between happens when it is due.
  void RunFor(int64_t seconds) {
    for (int64_t s = 0; s < seconds; ++s) {
      clock_.Advance(1);
      Run();
    }
  }
  Freshness FreshnessNow() const {
    const Freshness freshness = engine_->ReadHealth()[0].freshness;
    const Metrics metrics = engine_->ReadMetrics();
    EXPECT_EQ(metrics.issuers_fresh, freshness == Freshness::kFresh);
    EXPECT_EQ(metrics.issuers_stale, freshness == Freshness::kStale);
    EXPECT_EQ(metrics.issuers_degraded, freshness == Freshness::kDegraded);
    EXPECT_EQ(metrics.issuers_unavailable, freshness == Freshness::kUnavailable);
    return freshness;
  }

  const Timing timing_;
};

TEST_F(AvailabilityTest, AnswersUnavailableUntilTheFirstKeysArrive) {
  const std::string token = Token();
  Decision decision = Check(token);
  EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
  EXPECT_EQ(decision.reason, Reason::kKeysNeverFetched);
  EXPECT_EQ(decision.http_status(), 503);
  EXPECT_GE(decision.retry_after_s, 1u);
  EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  decision = Check(token);
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.freshness, Freshness::kFresh);
}

// A bad answer at the start is not an empty set: the tokens stay undecided.
TEST_F(AvailabilityTest, AFailedFirstFetchNeverMakesA401) {
  for (const FakeAnswer& bad :
       {kServerError, kRefused, FakeAnswer{.body = "{\"keys\":[]}"}, FakeAnswer{.body = "<html>"},
        FakeAnswer{.http_status = 302}, FakeAnswer{.http_status = 304}}) {
    network_->SetAnswer(kJwksUri, bad);
    RunFor(61);
    EXPECT_EQ(Check(Token()).reason, Reason::kKeysNeverFetched);
  }
  EXPECT_FALSE(engine_->ReadHealth()[0].last_error.empty());
}

TEST_F(AvailabilityTest, AnOutageGoesThroughAllFourStatesAndEveryAnswerIsRight) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  const idp::json long_lived = Claims("files:read", 80'000);
  const std::string known = idp::Mint(key_, long_lived);
  EXPECT_TRUE(Check(known).allowed());
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);

  network_->SetAnswer(kJwksUri, kRefused);
  const int64_t outage_begins_ms = clock_.now.mono_ms;
  bool degraded = false;
  while (clock_.now.mono_ms - outage_begins_ms < timing_.staleness_bound_ms) {
    RunFor(30);
    if (clock_.now.mono_ms - outage_begins_ms > timing_.staleness_bound_ms) break;
    degraded |= FreshnessNow() == Freshness::kDegraded;
    ASSERT_TRUE(Check(known).allowed()) << "a known token inside the bound";
    ASSERT_TRUE(Check(idp::Mint(key_, Claims())).allowed()) << "a new token inside the bound";
  }
  EXPECT_TRUE(degraded);
  RunFor(2);
  EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
  for (const std::string& token : {known, idp::Mint(key_, Claims())}) {
    const Decision decision = Check(token);
    EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
    EXPECT_EQ(decision.reason, Reason::kKeysTooStale);
    EXPECT_GE(decision.retry_after_s, 1u);
    EXPECT_LE(decision.retry_after_s, 61u);
  }
  // What is wrong on its face is still denied.
  EXPECT_EQ(Check("nonsense").verdict, Verdict::kDeny);

  network_->SetAnswer(kJwksUri, Keys({&key_}));
  RunFor(timing_.backoff_cap_ms / 1000 + 1);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_TRUE(Check(known).allowed());
}

TEST_F(AvailabilityTest, ARemovedKeyDiesAtOnceInTheCacheToo) {
  const idp::SigningKey& next = idp::TestKey("ES256", 1);
  network_->SetAnswer(kJwksUri, {{.body = idp::Jwks({&key_, &next}).dump(), .max_age_s = 60}});
  Run();
  const std::string old_token = idp::Mint(key_, Claims("files:read", 3000));
  const std::string new_token = idp::Mint(next, Claims("files:read", 3000));
  EXPECT_TRUE(Check(old_token).allowed());
  EXPECT_TRUE(Check(new_token).allowed());
  network_->SetAnswer(kJwksUri, {{.body = idp::Jwks({&next}).dump(), .max_age_s = 60}});
  const uint64_t fetches = network_->num_requests();
  while (network_->num_requests() == fetches) {
    EXPECT_TRUE(Check(old_token).from_cache);
    RunFor(1);
  }
  EXPECT_EQ(Check(old_token).reason, Reason::kKeyPending) << "asked for, for the first time since it went";
  EXPECT_TRUE(Check(new_token).from_cache) << "the other key's verdicts live on";
  // Once the issuer has been asked after the kid was missed: denied, not unavailable.
  RunFor(timing_.cooldown_ms / 1000 + 1);
  EXPECT_EQ(Check(old_token).reason, Reason::kKeyUnknown);
}

TEST_F(AvailabilityTest, AKeyRemovedAndAddedAgainRevivesNoVerdict) {
  const idp::SigningKey& next = idp::TestKey("ES256", 1);
  network_->SetAnswer(kJwksUri, FakeAnswer{.body = idp::Jwks({&key_}).dump(), .max_age_s = 60});
  Run();
  const std::string token = idp::Mint(key_, Claims("files:read", 3000));
  EXPECT_TRUE(Check(token).allowed());
  EXPECT_TRUE(Check(token).from_cache);
  for (const auto& keys : {Keys({&next}), Keys({&key_})}) {
    network_->SetAnswer(kJwksUri, FakeAnswer{.body = keys.body, .max_age_s = 60});
    RunFor(75);
  }
  const Decision decision = Check(token);
  EXPECT_TRUE(decision.allowed());
  EXPECT_FALSE(decision.from_cache);
}

// The same kid with new material is another key.
TEST_F(AvailabilityTest, NewMaterialUnderAnOldKidKillsOldVerdicts) {
  const idp::SigningKey impostor = idp::TestKey("ES256", 1).WithKid(key_.kid());
  network_->SetAnswer(kJwksUri, FakeAnswer{.body = idp::Jwks({&key_}).dump(), .max_age_s = 60});
  Run();
  const std::string token = Token();
  EXPECT_TRUE(Check(token).allowed());
  network_->SetAnswer(kJwksUri, Keys({&impostor}));
  RunFor(75);
  EXPECT_EQ(Check(token).reason, Reason::kBadSignature);
}

TEST_F(AvailabilityTest, ARotatedInKeyIsFetchedOnDemandWithinTheCooldown) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  const idp::SigningKey& next = idp::TestKey("ES256", 1);
  network_->SetAnswer(kJwksUri, Keys({&key_, &next}));
  const std::string token = idp::Mint(next, Claims());
  const Decision decision = Check(token);
  EXPECT_EQ(decision.reason, Reason::kKeyPending);
  EXPECT_EQ(decision.http_status(), 503);
  EXPECT_LE(decision.retry_after_s, 60u);
  EXPECT_GE(network_->num_wakes(), 1u) << "the background side is told";
  RunFor(timing_.cooldown_ms / 1000 + 1);
  EXPECT_TRUE(Check(token).allowed());
}

TEST_F(AvailabilityTest, AMillionForgedKidsCostOneFetchPerCooldown) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  const std::string known = Token();
  EXPECT_TRUE(Check(known).allowed());
  const uint64_t before = network_->num_requests();
  const std::string payload = idp::Base64Url(Claims().dump());
  // Forged tokens need no signature to get as far as the key, so minting them costs nothing.
  for (int i = 0; i < 20'000; ++i) {
    const std::string header =
        idp::Base64Url("{\"alg\":\"ES256\",\"typ\":\"at+jwt\",\"kid\":\"forged-" + std::to_string(i) + "\"}");
    ASSERT_EQ(Check(header + "." + payload + "." + std::string(86, 'A')).allowed(), false);
    if (i % 200 == 0) RunFor(1);
  }
  // 100 seconds passed: the cooldown lets one or two forced fetches through.
  EXPECT_LE(network_->num_requests() - before, 2u);
  EXPECT_TRUE(Check(known).from_cache);
  EXPECT_EQ(engine_->ReadMetrics().signature_verifications, 1u);
}

TEST_F(AvailabilityTest, NotifyWhenSettledCallsBackOnceTheFetchHasEnded) {
  const std::string token = Token();
  const Decision decision = Check(token);
  int calls = 0;
  Decision then;
  EXPECT_TRUE(engine_->NotifyWhenSettled(decision, [&] {
    ++calls;
    then = Check(token);
  }));
  Run();
  EXPECT_EQ(calls, 0);
  ASSERT_TRUE(network_->CompleteOldest(Keys({&key_})));
  Run();
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(then.allowed());
  Run();
  EXPECT_EQ(calls, 1);
}

// The fetch ended between the answer and the request to be told: the callback must not wait for the next one.
TEST_F(AvailabilityTest, NotifyWhenSettledDoesNotMissAnEndThatCameInBetween) {
  const Decision decision = Check(Token());
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  int calls = 0;
  EXPECT_TRUE(engine_->NotifyWhenSettled(decision, [&] { ++calls; }));
  Run();
  EXPECT_EQ(calls, 1);
}

TEST_F(AvailabilityTest, NotifyWhenSettledHasNothingToWaitForOnOtherAnswers) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  EXPECT_FALSE(engine_->NotifyWhenSettled(Check(Token()), [] {}));
  EXPECT_FALSE(engine_->NotifyWhenSettled(Check("nonsense"), [] {}));
  EXPECT_FALSE(engine_->NotifyWhenSettled(Decision{}, [] {}));
}

TEST_F(AvailabilityTest, NotifyWhenSettledIsBounded) {
  const Decision decision = Check(Token());
  for (int i = 0; i < 65536; ++i) ASSERT_TRUE(engine_->NotifyWhenSettled(decision, [] {}));
  EXPECT_FALSE(engine_->NotifyWhenSettled(decision, [] {}));
}

TEST_F(AvailabilityTest, CheckWithinWaitsForTheFirstFetch) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  const std::string authorization = "Bearer " + Token();
  std::thread background([this] { Run(); });
  Decision decision;
  engine_->CheckWithin(std::chrono::minutes(5), {.authorization = authorization, .tool = "search"},
                       &decision);
  background.join();
  EXPECT_TRUE(decision.allowed());
}

TEST_F(AvailabilityTest, CheckWithinGivesUpAtItsDeadline) {
  const std::string authorization = "Bearer " + Token();
  Decision decision;
  for (auto wait :
       {std::chrono::milliseconds(0), std::chrono::milliseconds(1), std::chrono::milliseconds(-5)}) {
    engine_->CheckWithin(wait, {.authorization = authorization, .tool = "search"}, &decision);
    EXPECT_EQ(decision.reason, Reason::kKeysNeverFetched);
  }
}

// Callers subtract deadlines from clocks: less than nothing is nothing.
TEST_F(AvailabilityTest, NegativeWaitsAreNone) {
  const std::chrono::milliseconds least = std::chrono::milliseconds::min();
  EXPECT_GE(engine_->RunBackground(std::chrono::milliseconds(-5)).count(), 0);
  EXPECT_GE(engine_->RunBackground(least).count(), 0);
  EXPECT_EQ(network_->least_timeout_ms(), 0);
  const std::string authorization = "Bearer " + Token();
  Decision decision;
  engine_->CheckWithin(least, {.authorization = authorization, .tool = "search"}, &decision);
  EXPECT_EQ(decision.reason, Reason::kKeysNeverFetched);
}

// A cached token whose issuer has become too stale must be waited for like any other, without spinning.
TEST_F(AvailabilityTest, CheckWithinWaitsForStaleKeysOfACachedToken) {
  network_->SetAnswer(kJwksUri, Keys({&key_}));
  Run();
  const std::string token = idp::Mint(key_, Claims("files:read", 80'000));
  EXPECT_TRUE(Check(token).allowed());
  network_->SetAnswer(kJwksUri, kRefused);
  RunFor(timing_.staleness_bound_ms / 1000 + 1);
  const uint64_t before = engine_->ReadMetrics().checks;
  const std::string authorization = "Bearer " + token;
  Decision decision;
  engine_->CheckWithin(std::chrono::milliseconds(20), {.authorization = authorization, .tool = "search"},
                       &decision);
  EXPECT_EQ(decision.reason, Reason::kKeysTooStale);
  EXPECT_EQ(engine_->ReadMetrics().checks - before, 1u) << "nothing has settled, so nothing is decided again";
}

}  // namespace
}  // namespace tollgate
