// Places to fall back on, where the first does not bring the keys.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/keys/sources_fixture.h"

namespace tollgate::keys {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

using KeyStoreFallbacksTest = SourcesStoreTest;

TEST_F(KeyStoreFallbacksTest, PlacesAreTriedInOrderWithinOneFetch) {
  files_.Put(kFile, {.bytes = "garbage"});
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer("https://second.example/jwks", Ok({}));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({WithFallbacks(
      {{.jwks_uri = "https://second.example/jwks"}, {.jwks_file = kFile}, {.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(kFirst, "https://second.example/jwks", kMirror));
  EXPECT_EQ(Find("a"), Reason::kNone);
  IssuerHealth health = HealthNow();
  EXPECT_EQ(health.fetches, 1u);
  EXPECT_EQ(health.fetch_failures, 0u);
  EXPECT_EQ(health.consecutive_failures, 0u);
  EXPECT_EQ(health.key_place, 3u);
  EXPECT_THAT(health.last_error, StartsWith("the server answered with status 500; fallbacks[0]: "));
  EXPECT_THAT(health.last_error, HasSubstr("fallbacks[1]: JWK Set: "));
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  EXPECT_THAT(settled_, ElementsAre(0u));

  // The next fetch begins at the first place again, as soon as any refresh may.
  EXPECT_LE(health.next_fetch_in_ms, timing_.refresh_min_ms * 12 / 10);
  EXPECT_GE(health.next_fetch_in_ms, timing_.refresh_min_ms * 8 / 10);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(kFirst));
  health = HealthNow();
  EXPECT_EQ(health.key_place, 0u);
  EXPECT_EQ(health.last_error, "");
  EXPECT_EQ(health.freshness, Freshness::kFresh);
  EXPECT_GT(health.next_fetch_in_ms, timing_.refresh_min_ms * 12 / 10);
}

TEST_F(KeyStoreFallbacksTest, AFetchHasFailedWhenAllPlacesHave) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Broken(FetchOutcome::kUnresolved));
  Open({WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}})});
  Fetch();
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_EQ(HealthNow().consecutive_failures, 1u);
  EXPECT_THAT(HealthNow().last_error, HasSubstr("fallbacks[1]: the file: "));
  EXPECT_LE(HealthNow().next_fetch_in_ms, timing_.backoff_min_ms);
  Fetch();
  EXPECT_EQ(HealthNow().consecutive_failures, 2u);
}

TEST_F(KeyStoreFallbacksTest, APlaceThatDoesNotAnswerLeavesTimeForTheOthers) {
  network_.SetAnswer(kMirror, std::nullopt);
  Open({WithFallbacks(
      {{.jwks_uri = kMirror}, {.jwks_file = kFile}, {.jwks_uri = "https://third.example/jwks"}})});
  Run();
  std::vector<FetchRequest> asked = network_.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].timeout_ms, 1'666u);
  now_ms_ += 1'666;
  Answer(Broken(FetchOutcome::kTimedOut));
  asked = network_.requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].url, kMirror);
  EXPECT_EQ(asked[1].timeout_ms, 1'667u);
  // What one does not need is there for the next.
  now_ms_ += 100;
  Answer(Status(404));
  asked = network_.requests();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[2].timeout_ms, 3'234u);
  now_ms_ += 3'234;
  Answer(Broken(FetchOutcome::kTimedOut));
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
}

TEST_F(KeyStoreFallbacksTest, MetadataThatLeadsNowhereIsAPlaceThatFailed) {
  IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  config.jwks_uri = "";
  config.discovery = true;
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({config});
  Run();
  EXPECT_EQ(network_.requests()[0].timeout_ms, 2'500u);
  now_ms_ += 500;
  FakeAnswer metadata;
  metadata.body = json{{"issuer", kIssuer}, {"jwks_uri", kFirst}}.dump();
  Answer(metadata);
  EXPECT_EQ(network_.requests()[1].timeout_ms, 2'000u);
  Answer(Status(503));
  Run();
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(network_.requests()[2].timeout_ms, 4'500u);
  Asked();
  // The metadata is read anew by the next fetch, as after any failure.
  network_.SetAnswer("https://idp.example/.well-known/oauth-authorization-server", Status(500));
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(HasSubstr(".well-known"), kMirror));
  EXPECT_EQ(HealthNow().key_place, 1u);
}

TEST_F(KeyStoreFallbacksTest, EachPlaceIsAskedByTheBucketOfItsHost) {
  timing_.host_burst = 1;
  timing_.host_interval_ms = 10'000;
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  IssuerConfig at_mirror;
  at_mirror.issuer = "https://mirror.example";
  at_mirror.jwks_uri = "https://mirror.example/own";
  network_.SetAnswer(at_mirror.jwks_uri, Ok({Key(1, "b")}));
  Open({at_mirror, WithFallbacks({{.jwks_uri = kMirror}})});
  Run();
  EXPECT_THAT(Asked(), ElementsAre(at_mirror.jwks_uri, kFirst));
  EXPECT_EQ(Find("a", 1), Reason::kKeysNeverFetched);
  // The time in the line is not the fetch's.
  Pass(9'999);
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(2);
  EXPECT_THAT(Asked(), ElementsAre(kMirror));
  EXPECT_EQ(Find("a", 1), Reason::kNone);
}

TEST_F(KeyStoreFallbacksTest, AnEntityTagGoesBackToThePlaceThatTheSetCameFromAlone) {
  const auto with_tag = [this](const std::string& url) {
    std::string tag;
    for (const FetchRequest& request : network_.requests()) {
      if (request.url == url) tag = request.if_none_match;
    }
    return tag;
  };
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}, "\"first\""));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}, "\"mirror\""));
  Fetch();
  EXPECT_EQ(with_tag(kFirst), "\"first\"");
  EXPECT_EQ(with_tag(kMirror), "");
  network_.SetAnswer(kMirror, Status(304));
  Fetch();
  EXPECT_EQ(with_tag(kFirst), "");
  EXPECT_EQ(with_tag(kMirror), "\"mirror\"");
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_EQ(HealthNow().fetch_failures, 0u);
  // "Not modified" by the first place is no word about the mirror's set.
  network_.SetAnswer(kFirst, Status(304));
  network_.SetAnswer(kMirror, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
}

TEST_F(KeyStoreFallbacksTest, APlaceDoesNotBringBackAKeyThatAnEarlierOneHasEnded) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  // Under another kid it is the same key.
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended"), Key(1, "again"), Key(2, "c")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(HealthNow().num_keys_skipped, 2u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(Find("c"), Reason::kNone);
  EXPECT_EQ(Find("ended"), Reason::kKeyPending);
  EXPECT_EQ(Find("again"), Reason::kKeyPending);
  // Nor does a set that has nothing else count.
  network_.SetAnswer(kMirror, Ok({Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  // What the first place lists again is none that has ended.
  network_.SetAnswer(kFirst, Ok({Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(Find("ended"), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreFallbacksTest, TheFirstPlaceEndsWhatAnotherHasBrought) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "mirrored")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_EQ(Find("mirrored"), Reason::kNone);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_NE(Find("mirrored"), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("mirrored"), Reason::kNone);
}

TEST_F(KeyStoreFallbacksTest, APlaceMayBringBackWhatNoEarlierOneHasEnded) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}})});
  Fetch();
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_NE(Find("b"), Reason::kNone);
  // Not so the place behind it.
  network_.SetAnswer(kMirror, Status(500));
  Write({Key(0, "a"), Key(1, "b")});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_NE(Find("b"), Reason::kNone);
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(Find("b"), Reason::kNone);
}

// A place that answers in between makes no difference.
TEST_F(KeyStoreFallbacksTest, AKeyThatBothPlacesHaveEndedIsEndedByTheFirst) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreFallbacksTest, WhereMoreKeysHaveEndedThanAreRememberedOthersAreNotTrusted) {
  const json kept = Key(0, "a");
  const auto other = [](size_t n) { return idp::TestKey("EdDSA", static_cast<int>(n)).PublicJwk(); };
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  for (size_t i = 0; i < limits::kEndedKeysMax; ++i) {
    network_.SetAnswer(kFirst, Ok({kept, other(i)}));
    Fetch();
  }
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({kept}));
  Fetch();
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);  // As many as fit.
  network_.SetAnswer(kFirst, Ok({kept, other(limits::kEndedKeysMax)}));
  Fetch();
  network_.SetAnswer(kFirst, Ok({kept}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 0u);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_THAT(HealthNow().last_error, HasSubstr("remembered"));
}

// A mirror may lag: that it lacks a key is no reason to throw a token away.
TEST_F(KeyStoreFallbacksTest, AnotherPlaceDoesNotSettleThatAKidIsAbsent) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyPending);
  Fetch();
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyPending);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreFallbacksTest, AnAbsentKidAsksTheNetworkOnceInACooldownEvenIfTheFirstPlaceIsAFile) {
  IssuerConfig config = FromFile();
  config.fallbacks = {{.jwks_uri = kMirror}};
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({config});
  const int64_t begin_ms = now_ms_;
  for (int i = 0; i < 600'000; i += 20) {
    Find("forged-" + std::to_string(i));
    Run();
    now_ms_ += 20;
  }
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_LE(Requests(), 1 + (now_ms_ - begin_ms) / (timing_.refresh_min_ms * 8 / 10));
  EXPECT_GE(Requests(), 5);
  // Back at the file, it is looked at in short intervals again.
  Write({Key(0, "a")});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 0u);
  EXPECT_LE(HealthNow().next_fetch_in_ms, timing_.file_interval_ms * 12 / 10);
  const size_t requests = network_.num_requests();
  Pass(3'600'000);
  EXPECT_EQ(network_.num_requests(), requests);
}

TEST_F(KeyStoreFallbacksTest, AChangeThatLeavesThePlacesKeepsTheKeysAndWhatHasEnded) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  Open({config});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}, "\"v\""));
  Fetch();
  config.leeway_s = 10;
  ASSERT_TRUE(store_->ChangeIssuer(config).ok());
  const uint32_t position = *FindIssuer(kIssuer);
  EXPECT_EQ(Find("a", position), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("ended", position), Reason::kNone);
  EXPECT_EQ(Find("a", position), Reason::kNone);

  config.fallbacks[0].jwks_uri = "https://mirror.example/other";
  ASSERT_TRUE(store_->ChangeIssuer(config).ok());
  EXPECT_EQ(Find("a", *FindIssuer(kIssuer)), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreFallbacksTest, ASnapshotSaysWhichPlaceItsKeysAreFrom) {
  const IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}});
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}, "\"mirror\""));
  Restart({config});
  Fetch();
  store_->RunSnapshot(now_ms_);
  Restart({config});
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_TRUE(HealthNow().from_snapshot);
  network_.SetAnswer(kMirror, Status(304));
  Fetch();
  EXPECT_EQ(network_.requests().back().if_none_match, "\"mirror\"");
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);

  network_.SetAnswer(kMirror, Status(500));
  Write({Key(1, "b")});
  Fetch();
  store_->RunSnapshot(now_ms_);
  ASSERT_TRUE(files_.Remove(kFile).ok());
  Restart({config});
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_EQ(HealthNow().key_place, 2u);
  Restart({WithFallbacks({{.jwks_uri = kMirror}})});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
}

TEST_F(KeyStoreFallbacksTest, ASnapshotDoesNotBringBackAKeyThatHasEnded) {
  const IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Restart({config});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  now_ms_ += timing_.staleness_bound_ms / 2;
  store_->RunSnapshot(now_ms_);
  EXPECT_THAT(OnDisk(), Not(HasSubstr("ended")));
  Restart({config});
  EXPECT_NE(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreFallbacksTest, FallbacksOfASignedPlaceAreSignedToo) {
  IssuerConfig config = FromSigned();
  config.fallbacks = {{.jwks_uri = kMirror}, {.jwks_file = kFile}};
  network_.SetAnswer(kSigned, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(1, "plain")}));
  Write({Key(1, "plain")});
  Open({config});
  Fetch();
  EXPECT_EQ(Find("plain"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  files_.Put(kFile, {.bytes = SignedText({Key(0, "a")}, {{"iat", WallS() - 50}})});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  // An older one is refused, whichever place it comes from.
  network_.SetAnswer(kMirror, Signed({Key(1, "older")}, {{"iat", WallS() - 500}}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_NE(Find("older"), Reason::kNone);
}

}  // namespace
}  // namespace tollgate::keys
