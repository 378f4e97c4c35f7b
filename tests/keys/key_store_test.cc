#include "keys/key_store.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using KeyStoreTest = StoreTest;

// --- Configuration ---

TEST_F(KeyStoreTest, RefusesAConfigurationByNamingTheSetting) {
  const auto message = [this](std::vector<IssuerConfig> issuers) {
    const absl::Status status = TryOpen(std::move(issuers));
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    return std::string(status.message());
  };
  EXPECT_THAT(message({Fetched(), Fetched()}), HasSubstr("issuers[1].issuer"));
  EXPECT_THAT(message({Fetched("")}), HasSubstr("issuers[0].issuer"));
  EXPECT_THAT(message({Fetched("http://idp.example")}), HasSubstr("issuers[0].jwks_uri"));
  EXPECT_THAT(message({Inline("https://a.example", {})}), HasSubstr("issuers[0].jwks"));
  EXPECT_THAT(message({Inline("https://a.example", {{{"kty", "oct"}, {"k", "c2VjcmV0"}}})}),
              HasSubstr("no usable key"));
  IssuerConfig both = Inline("https://a.example", {Key(0, "a")});
  both.jwks_uri = "https://a.example/jwks";
  EXPECT_THAT(message({both}), HasSubstr("exactly one"));
  IssuerConfig neither;
  neither.issuer = "https://a.example";
  EXPECT_THAT(message({neither}), HasSubstr("exactly one"));
}

TEST_F(KeyStoreTest, ErrorsAboutAUrlDoNotRepeatIt) {
  IssuerConfig config = Fetched();
  config.jwks_uri = "https://user:hunter2@idp.example/jwks?key=hunter2";
  EXPECT_THAT(std::string(TryOpen({config}).message()), Not(HasSubstr("hunter2")));
}

TEST_F(KeyStoreTest, FindsIssuersByTheirExactName) {
  Open({Fetched("https://a.example"), Fetched("https://b.example")});
  EXPECT_EQ(FindIssuer("https://b.example"), 1u);
  EXPECT_EQ(FindIssuer("https://b.example/"), std::nullopt);
  EXPECT_EQ(FindIssuer("https://B.example"), std::nullopt);
  EXPECT_EQ(FindIssuer(""), std::nullopt);
}

// --- Configured keys ---

TEST_F(KeyStoreTest, ConfiguredKeysNeverAgeAndNeverWait) {
  Open({Inline("https://a.example", {Key(0, "a")})});
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_FALSE(store_->WaitsForFetch(0));
  for (const int64_t now_ms : {INT64_MIN, int64_t{0}, INT64_MAX}) {
    now_ms_ = now_ms;
    const KeyStore::Standing standing = store_->StandingAt(0, now_ms_);
    EXPECT_EQ(standing.freshness, Freshness::kFresh);
    EXPECT_EQ(standing.age_ms, 0);
    EXPECT_EQ(standing.retry_after_ms, 0);
    EXPECT_TRUE(standing.ever_good);
    EXPECT_EQ(Find("a"), Reason::kNone);
    EXPECT_EQ(Find("b"), Reason::kKeyUnknown);
  }
  EXPECT_EQ(network_.num_requests(), 0u);
}

// --- Fetching ---

TEST_F(KeyStoreTest, FirstFetchBeginsAtOnceAndUntilItsAnswerNothingIsKnown) {
  Open();
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
  EXPECT_TRUE(store_->WaitsForFetch(0));
  Run();
  ASSERT_EQ(network_.num_requests(), 1u);
  const FetchRequest request = network_.requests()[0];
  EXPECT_EQ(request.url, "https://idp.example/jwks");
  EXPECT_EQ(request.if_none_match, "");
  EXPECT_EQ(request.timeout_ms, 5'000u);
  EXPECT_EQ(request.body_bytes_max, limits::kJwksBytesMax);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_TRUE(settled_.empty());
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_EQ(settled_, std::vector<uint32_t>{0});
}

TEST_F(KeyStoreTest, OnlyAPrivateNetworksIssuerIsFetchedFromPrivateAddresses) {
  IssuerConfig inside = Fetched("https://inside.example");
  inside.private_network = true;
  Open({Fetched(), inside});
  Run();
  ASSERT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(network_.requests()[0].reach, Reach::kPublic);
  EXPECT_EQ(network_.requests()[1].reach, Reach::kPrivate);
  EXPECT_THAT(std::string(TryOpen({Fetched("https://10.0.0.1")}).message()), HasSubstr("private_network"));
  inside.jwks_uri = "https://10.0.0.1/jwks";
  EXPECT_TRUE(TryOpen({inside}).ok());
  inside.jwks_uri = "https://169.254.169.254/jwks";
  EXPECT_THAT(std::string(TryOpen({inside}).message()), HasSubstr("issuers[0].jwks_uri"));
}

TEST_F(KeyStoreTest, ARefusedAddressHasItsOwnWordInTheHealth) {
  OpenWith(Broken(FetchOutcome::kAddressRefused));
  EXPECT_THAT(HealthNow().last_error, HasSubstr("address"));
  OpenWith(Broken(FetchOutcome::kNotAllowed));
  EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("address")));
}

TEST_F(KeyStoreTest, KeysAreLookedUpByIssuerAndKidNeverByKidAlone) {
  Open({Inline("https://a.example", {Key(0, "same")}), Inline("https://b.example", {Key(1, "same")}),
        Inline("https://c.example", {Key(2, "other")})});
  EXPECT_NE(RefOf("same", 0).slot, RefOf("same", 1).slot);
  EXPECT_EQ(Find("same", 2), Reason::kKeyUnknown);
}

TEST_F(KeyStoreTest, RefreshesByMaxAgeAndNeverTwiceAtATime) {
  FakeAnswer answer = Ok({Key(0, "a")});
  answer.max_age_s = 300;
  OpenWith(answer);
  const int64_t begun_ms = now_ms_;
  RunUntil(begun_ms + 240'000 - 1);  // 300 s − 20 %
  EXPECT_EQ(network_.num_requests(), 1u);
  RunUntil(begun_ms + 360'000);
  EXPECT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(FreshnessNow(), Freshness::kStale);
  RunUntil(begun_ms + 3'600'000);  // Never answered: never a second one beside it.
  EXPECT_EQ(network_.num_requests(), 2u);
}

TEST_F(KeyStoreTest, NotModifiedRefreshesTheAgeAndKeepsTheSetAndItsGeneration) {
  FakeAnswer answer = Ok({Key(0, "a")}, "\"v1\"");
  answer.max_age_s = 120;
  OpenWith(answer);
  const KeyRef before = RefOf("a");
  now_ms_ += 900'000;
  Run();
  EXPECT_EQ(network_.requests().back().if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(RefOf("a"), before);
  EXPECT_TRUE(store_->IsCurrent(before));
  EXPECT_EQ(store_->StandingAt(0, now_ms_).age_ms, 0);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_LE(HealthNow().next_fetch_in_ms, 144'000);  // The max-age of the 200 still counts.
}

TEST_F(KeyStoreTest, NotModifiedThatNobodyAskedForIsAFailure) {
  Open();
  Run();
  Answer(Status(304));
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().consecutive_failures, 1u);
}

TEST_F(KeyStoreTest, OddEntityTagIsNotSentBack) {
  for (const std::string etag : {"v1", "\"a\r\nX: y\"", "\"", "\"a\"b\"", "W/v1"}) {
    OpenWith(Ok({Key(0, "a")}, etag));
    now_ms_ += 1'080'000;
    Run();
    EXPECT_EQ(network_.requests().back().if_none_match, "");
    ASSERT_TRUE(network_.CompleteOldest(Status(500)));
  }
}

TEST_F(KeyStoreTest, ResultOfNoFetchOfOursIsIgnored) {
  Open();
  Run();
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = 200;
  result.body = SetText({Key(0, "a")});
  for (const uint64_t id : {uint64_t{0}, uint64_t{1}, network_.requests()[0].id + 1, UINT64_MAX}) {
    result.id = id;
    store_->TakeIn(result, now_ms_);
  }
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_TRUE(settled_.empty());
  Answer(Ok({Key(0, "a")}));
  result.id = network_.requests()[0].id;  // Again.
  store_->TakeIn(result, now_ms_);
  EXPECT_EQ(settled_.size(), 1u);
}

TEST_F(KeyStoreTest, ThousandIssuersDoNotOpenThousandConnections) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 1000; ++i) issuers.push_back(Fetched("https://idp" + std::to_string(i) + ".example"));
  Open(std::move(issuers));
  const FakeAnswer answer = Ok({Key(0, "a")});
  Run();
  while (!network_.pending().empty()) {
    ASSERT_LE(network_.pending().size(), 64u);
    ASSERT_TRUE(network_.CompleteOldest(answer));
    Run();
  }
  EXPECT_EQ(network_.num_requests(), 1000u);
  for (uint32_t i = 0; i < 1000; ++i) ASSERT_EQ(Find("a", i), Reason::kNone);
}

TEST_F(KeyStoreTest, IssuersThatHangDoNotKeepTheirSlotsFromTheOthers) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 200; ++i) issuers.push_back(Fetched("https://idp" + std::to_string(i) + ".example"));
  Open(std::move(issuers));
  Run();
  for (int round = 0; round < 4; ++round) {
    now_ms_ += 5'000;
    for (const FetchRequest& request : network_.pending()) {
      ASSERT_TRUE(network_.Complete(request.id, Broken(FetchOutcome::kTimedOut)));
    }
    Run();
  }
  for (const IssuerHealth& health : store_->Health(now_ms_)) EXPECT_GE(health.fetches, 1u);
}

// --- The bucket of a host ---

TEST_F(KeyStoreTest, AHostIsAskedAsOftenAsItsBucketAllowsHoweverManyIssuersItHas) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 50; ++i) {
    issuers.push_back(Fetched("https://idp.example/" + std::to_string(i)));
    network_.SetAnswer(issuers.back().jwks_uri, Ok({Key(0, "a")}));
  }
  issuers.push_back(Fetched("https://IDP.example:443/other-spelling"));
  network_.SetAnswer(issuers.back().jwks_uri, Ok({Key(0, "a")}));
  issuers.push_back(Fetched("https://elsewhere.example"));
  network_.SetAnswer(issuers.back().jwks_uri, Ok({Key(0, "a")}));
  Open(std::move(issuers));
  const int64_t begin_ms = now_ms_;
  Run();
  EXPECT_EQ(network_.num_requests(), 5u + 1u);
  EXPECT_EQ(Find("a", 51), Reason::kNone);  // Nobody at another host waits for them.
  RunUntil(begin_ms + 1'999);
  EXPECT_EQ(network_.num_requests(), 6u + 9u);
  RunUntil(begin_ms + 45 * 200);
  EXPECT_EQ(Find("a", 49), Reason::kNone);
  EXPECT_EQ(Find("a", 50), Reason::kKeysNeverFetched);
  RunUntil(begin_ms + 46 * 200);
  EXPECT_EQ(Find("a", 50), Reason::kNone);
  EXPECT_EQ(network_.num_requests(), 52u);
}

TEST_F(KeyStoreTest, WhoWaitsInALineIsToldWhenTheirTurnIs) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 50; ++i) issuers.push_back(Fetched("https://idp.example/" + std::to_string(i)));
  Open(std::move(issuers));
  Run();
  EXPECT_EQ(store_->StandingAt(4, now_ms_).retry_after_ms, 0);  // Under way.
  EXPECT_EQ(store_->StandingAt(5, now_ms_).retry_after_ms, 200);
  EXPECT_EQ(store_->StandingAt(49, now_ms_).retry_after_ms, 9'000);
  EXPECT_EQ(store_->Health(now_ms_)[49].next_fetch_in_ms, 9'000);
  const int64_t turn_ms = now_ms_ + 9'000;
  RunUntil(turn_ms - 1);
  EXPECT_EQ(store_->StandingAt(49, now_ms_).retry_after_ms, 1);
  EXPECT_EQ(network_.num_requests(), 49u);
  RunUntil(turn_ms);
  EXPECT_EQ(network_.num_requests(), 50u);
}

TEST_F(KeyStoreTest, AFetchThatAnAbsentKidForcesStandsInLineLikeOthers) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 20; ++i) {
    issuers.push_back(Fetched("https://idp.example/" + std::to_string(i)));
    network_.SetAnswer(issuers.back().jwks_uri, Ok({Key(0, "a")}));
  }
  Open(std::move(issuers));
  RunUntil(now_ms_ + 30'000);
  ASSERT_EQ(network_.num_requests(), 20u);
  now_ms_ += timing_.cooldown_ms;
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(Find("x", i), Reason::kKeyPending);
  Run();
  EXPECT_EQ(network_.num_requests(), 25u);
  EXPECT_EQ(store_->StandingAt(19, now_ms_).retry_after_ms, 15 * 200);
  RunUntil(now_ms_ + 15 * 200);
  EXPECT_EQ(network_.num_requests(), 40u);
  for (uint32_t i = 0; i < 20; ++i) EXPECT_EQ(Find("x", i), Reason::kKeyUnknown);
}

// --- Rotation ---

TEST_F(KeyStoreTest, KeyThatStaysKeepsItsGenerationAndOneThatLeavesIsRetired) {
  OpenWith(Ok({Key(0, "a"), Key(1, "b")}));
  const KeyRef a = RefOf("a");
  const KeyRef b = RefOf("b");
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(2, "c"), Key(1, "b")}));
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_TRUE(store_->IsCurrent(b));
  EXPECT_EQ(RefOf("b"), b);
  EXPECT_EQ(Find("a"), Reason::kKeyPending);
  const sync::ReadScope scope(blocks_);
  EXPECT_EQ(store_->FindByRef(scope, 0, a), nullptr);
  ASSERT_NE(store_->FindByRef(scope, 0, b), nullptr);
  EXPECT_EQ(store_->FindByRef(scope, 0, b)->jwk->key_id, "b");
}

TEST_F(KeyStoreTest, SameKidWithNewMaterialIsANewGeneration) {
  OpenWith(Ok({Key(0, "a")}));
  const KeyRef before = RefOf("a");
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(1, "a")}));
  EXPECT_FALSE(store_->IsCurrent(before));
  EXPECT_NE(RefOf("a"), before);
}

TEST_F(KeyStoreTest, KeyWhoseAlgorithmChangesIsRetired) {
  const nlohmann::json rsa = idp::TestKey("RS256").WithKid("a").PublicJwk();
  nlohmann::json pss = rsa;
  pss["alg"] = "PS256";
  OpenWith(Ok({rsa}));
  KeyRef before;
  {
    const sync::ReadScope scope(blocks_);
    const IssuerKey* key = nullptr;
    ASSERT_EQ(store_->Find(scope, 0, true, "a", Algorithm::kRs256, now_ms_, &key), Reason::kNone);
    before = key->ref;
  }
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({pss}));
  EXPECT_FALSE(store_->IsCurrent(before));
  EXPECT_EQ(Find("a", 0, Algorithm::kRs256), Reason::kKeyAlgorithmMismatch);
  EXPECT_EQ(Find("a", 0, Algorithm::kPs256), Reason::kNone);
}

TEST_F(KeyStoreTest, KeyThatLeavesAndComesBackIsANewGeneration) {
  OpenWith(Ok({Key(0, "a"), Key(1, "b")}));
  const KeyRef first = RefOf("a");
  for (const bool with_a : {false, true}) {
    now_ms_ += 1'080'000;
    Run();
    Answer(with_a ? Ok({Key(0, "a"), Key(1, "b")}) : Ok({Key(1, "b")}));
  }
  EXPECT_FALSE(store_->IsCurrent(first));
  EXPECT_TRUE(store_->IsCurrent(RefOf("a")));
}

// A token of the kid that went is refused if it is new, so a cached one must not live on by the other kid.
TEST_F(KeyStoreTest, SameKeyUnderTwoKidsIsTwoGenerations) {
  OpenWith(Ok({Key(0, "a"), Key(0, "b"), Key(1, "c")}));
  const KeyRef a = RefOf("a"), b = RefOf("b");
  EXPECT_NE(a, b);
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(0, "b"), Key(1, "c")}));
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_TRUE(store_->IsCurrent(b));
  EXPECT_EQ(RefOf("b"), b);
}

TEST_F(KeyStoreTest, KeyThatIsListedTwiceIsOneGeneration) {
  OpenWith(Ok({Key(0, "a"), Key(0, "a")}));
  const KeyRef key = RefOf("a");
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_TRUE(store_->IsCurrent(key));
  EXPECT_EQ(RefOf("a"), key);
}

TEST_F(KeyStoreTest, RetiresBeforeItReportsTheFetchSettled) {
  OpenWith(Ok({Key(0, "a")}));
  const KeyRef before = RefOf("a");
  bool current_when_settled = true;
  Reason found_when_settled = Reason::kUndecided;
  auto store = KeyStore::Create(config_, 1, blocks_, [&](uint32_t) {
    current_when_settled = store_->IsCurrent(before);
    found_when_settled = Find("b");
  });
  ASSERT_TRUE(store.ok());
  store_ = *std::move(store);
  Run();
  Answer(Ok({Key(0, "a")}));
  ASSERT_EQ(RefOf("a"), before);  // First slot, first generation in either store.
  EXPECT_TRUE(current_when_settled);
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(1, "b")}));
  EXPECT_FALSE(current_when_settled);
  EXPECT_EQ(found_when_settled, Reason::kNone);
}

// --- Absent kids ---

TEST_F(KeyStoreTest, AbsentKidIsPendingUntilAFetchBegunAfterItsFirstSightLacksIt) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  EXPECT_EQ(wakes_, 1);
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);  // The gate.
  now_ms_ += timing_.cooldown_ms;
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  EXPECT_EQ(store_->StandingAt(0, now_ms_).retry_after_ms, 0);
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreTest, AbsentKidOfAKeyThatJustCameIsFoundByTheForcedFetch) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a"), Key(1, "b")}));
  EXPECT_EQ(Find("b"), Reason::kNone);
}

TEST_F(KeyStoreTest, WhoWaitsForAFetchUnderWayForcesNoOther) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  EXPECT_EQ(Find("b"), Reason::kKeyPending);  // It is being asked for.
  Answer(Status(500));
  EXPECT_EQ(Find("b"), Reason::kKeyPending);  // It will be again.
  RunUntil(now_ms_ + timing_.backoff_cap_ms);
  ASSERT_EQ(network_.num_requests(), 3u);
  Answer(Ok({Key(0, "a"), Key(1, "b")}));
  EXPECT_EQ(Find("b"), Reason::kNone);
  RunUntil(now_ms_ + 2 * timing_.cooldown_ms);
  EXPECT_EQ(network_.num_requests(), 3u);
}

TEST_F(KeyStoreTest, AnswerToAFetchBegunBeforeTheFirstSightSettlesNothing) {
  OpenWith(Ok({Key(0, "a")}));
  now_ms_ += 1'080'000;
  Run();
  EXPECT_EQ(Find("x"), Reason::kKeyPending);  // In flight already.
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreTest, FailedFetchSettlesNothing) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Status(500));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
}

TEST_F(KeyStoreTest, NotModifiedSettlesAnAbsentKid) {
  OpenWith(Ok({Key(0, "a")}, "\"v1\""));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Status(304));
  EXPECT_EQ(Find("x"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreTest, TokenWithoutKidThatNoKeyFitsWaitsLikeAnAbsentKid) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(FindWithoutKid(Algorithm::kRs256), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(FindWithoutKid(Algorithm::kRs256), Reason::kKeyUnknown);
  EXPECT_EQ(FindWithoutKid(Algorithm::kEdDsa), Reason::kKeyPending);
  EXPECT_EQ(Find("RS256"), Reason::kKeyPending);  // No kid is not some kid.
}

TEST_F(KeyStoreTest, KidWithTheWrongAlgorithmForcesNoFetch) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("a", 0, Algorithm::kRs256), Reason::kKeyAlgorithmMismatch);
  now_ms_ += timing_.cooldown_ms;
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(wakes_, 0);
}

TEST_F(KeyStoreTest, UnknownKidThatTheIssuerLaterBringsIsFoundWithinOneCooldown) {
  OpenWith(Ok({Key(0, "a")}));
  Find("b");
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a")}));
  const int64_t settled_ms = now_ms_;
  EXPECT_EQ(Find("b"), Reason::kKeyUnknown);
  Run();
  now_ms_ = settled_ms + timing_.cooldown_ms - 1;
  EXPECT_EQ(Find("b"), Reason::kKeyUnknown);
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
  now_ms_ = settled_ms + timing_.cooldown_ms;
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);  // Nobody has asked since the gate opened.
  EXPECT_EQ(Find("b"), Reason::kKeyUnknown);
  Run();
  EXPECT_EQ(network_.num_requests(), 3u);
  Answer(Ok({Key(0, "a"), Key(1, "b")}));
  EXPECT_EQ(Find("b"), Reason::kNone);
}

TEST_F(KeyStoreTest, ChangedSetClearsTheMemoryOfAbsentKids) {
  OpenWith(Ok({Key(0, "a")}));
  Find("x");
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyUnknown);
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
}

TEST_F(KeyStoreTest, FloodOfRandomKidsCostsOneFetchPerCooldownAndBoundedMemory) {
  timing_.refresh_min_ms = timing_.refresh_max_ms = 86'400'000;  // No planned refresh in between.
  OpenWith(Ok({Key(0, "a")}));
  network_.SetAnswer("https://idp.example/jwks", Ok({Key(0, "a")}));
  const int64_t begin_ms = now_ms_;
  constexpr int kKids = 1'000'000;
  const int64_t span_ms = 10 * timing_.cooldown_ms;
  int unknown = 0;
  for (int i = 0; i < kKids; ++i) {
    now_ms_ = begin_ms + span_ms * i / kKids;
    const Reason reason = Find("kid-" + std::to_string(i));
    unknown += reason == Reason::kKeyUnknown;
    if (i % 100 == 0) Run();
  }
  EXPECT_EQ(unknown, 0);  // Each is asked for once.
  EXPECT_LE(network_.num_requests(), 1u + 10u);
  EXPECT_GE(network_.num_requests(), 1u + 9u);
  EXPECT_LE(wakes_, 11);
  EXPECT_EQ(Find("a"), Reason::kNone);
  // The memory took the first 1024 and not one more.
  EXPECT_EQ(Find("kid-0"), Reason::kKeyUnknown);
  EXPECT_EQ(Find("kid-1023"), Reason::kKeyUnknown);
  EXPECT_EQ(Find("kid-1024"), Reason::kKeyPending);
}

TEST_F(KeyStoreTest, FullMemoryDoesNotKeepARotatedKeyOut) {
  OpenWith(Ok({Key(0, "a")}));
  for (int i = 0; i < 5'000; ++i) Find("kid-" + std::to_string(i));
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a"), Key(1, "b")}));
  EXPECT_EQ(Find("b"), Reason::kNone);
}

TEST_F(KeyStoreTest, KidThatIsAskedForDuringTheFetchThatBringsItIsFound) {
  OpenWith(Ok({Key(0, "a")}));
  now_ms_ += 1'080'000;
  Run();
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(Find("b"), Reason::kNone);
}

// --- Standing and health ---

TEST_F(KeyStoreTest, RetryAfterCountsDownToTheNextPermittedFetchAndIsNeverNegative) {
  Open();
  EXPECT_EQ(store_->StandingAt(0, now_ms_).retry_after_ms, 0);
  Run();
  EXPECT_EQ(store_->StandingAt(0, now_ms_).retry_after_ms, 0);
  Answer(Ok({Key(0, "a")}));
  Find("x");
  EXPECT_EQ(store_->StandingAt(0, now_ms_).retry_after_ms, timing_.cooldown_ms);
  EXPECT_EQ(store_->StandingAt(0, now_ms_ + 59'000).retry_after_ms, 1'000);
  EXPECT_EQ(store_->StandingAt(0, now_ms_ + 61'000).retry_after_ms, 0);
}

TEST_F(KeyStoreTest, HealthTellsWhatAnOperatorAsks) {
  Open({Fetched("https://a.example"), Inline("https://b.example", {Key(0, "a"), Key(1, "b")})});
  Run();
  nlohmann::json odd = Key(3, "odd");
  odd["kty"] = "unheard-of";
  Answer(Ok({Key(0, "a"), odd}));
  now_ms_ += 1'080'000;
  Run();
  Answer(Status(503));
  const std::vector<IssuerHealth> health = store_->Health(now_ms_);
  ASSERT_EQ(health.size(), 2u);
  EXPECT_EQ(health[0].issuer, "https://a.example");
  EXPECT_EQ(health[0].freshness, Freshness::kDegraded);
  EXPECT_EQ(health[0].keys_age_ms, 1'080'000);
  EXPECT_EQ(health[0].num_keys, 1u);
  EXPECT_EQ(health[0].num_keys_skipped, 1u);
  EXPECT_EQ(health[0].fetches, 2u);
  EXPECT_EQ(health[0].fetch_failures, 1u);
  EXPECT_EQ(health[0].consecutive_failures, 1u);
  EXPECT_GT(health[0].next_fetch_in_ms, 0);
  EXPECT_LE(health[0].next_fetch_in_ms, timing_.backoff_min_ms);
  EXPECT_THAT(health[0].last_error, HasSubstr("503"));
  EXPECT_EQ(health[1].freshness, Freshness::kFresh);
  EXPECT_EQ(health[1].keys_age_ms, 0);
  EXPECT_EQ(health[1].num_keys, 2u);
  EXPECT_EQ(health[1].next_fetch_in_ms, -1);
}

}  // namespace
}  // namespace tollgate::keys
