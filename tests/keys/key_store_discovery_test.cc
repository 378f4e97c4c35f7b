// Keys whose address is in the issuer's metadata: what is asked for, in which order, and what no answer can
// do.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/keys/discovery_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

class KeyStoreDiscoveryTest : public DiscoveryStoreTest {
 protected:
  static FakeAnswer Body(std::string body) {
    FakeAnswer answer;
    answer.body = std::move(body);
    return answer;
  }

  // Each ends a fetch, wherever in the row of places it comes.
  static std::vector<std::pair<std::string, FakeAnswer>> BadMetadata() {
    const std::string good = Metadata().body;
    return {
        {"another issuer's", Metadata(kKeys, "https://idp.example")},
        {"a slash more in the issuer", Metadata(kKeys, std::string(kIssuer) + "/")},
        {"keys at a foreign host", Metadata("https://evil.example/keys")},
        {"keys at another port", Metadata("https://idp.example:8443/keys")},
        {"keys at the metadata service", Metadata("https://169.254.169.254/latest")},
        {"keys on loopback", Metadata("https://localhost/keys")},
        {"keys over http", Metadata("http://idp.example/keys")},
        {"keys at no URL", Metadata("keys")},
        {"no issuer", Body(R"({"jwks_uri":"https://idp.example/tenant/keys"})")},
        {"no jwks_uri", Body(R"({"issuer":"https://idp.example/tenant"})")},
        {"garbage", Body("<html>maintenance</html>")},
        {"empty", Body("")},
        {"truncated", Body(good.substr(0, good.size() / 2))},
        {"a key set", Ok({Key(9, "new")})},
        {"too long", Body(good + std::string(limits::kMetadataBytesMax, ' '))},
        {"status 500", Status(500)},
        {"status 503", Status(503)},
        {"status 408", Status(408)},
        {"status 429", Status(429)},
        {"not allowed", Broken(FetchOutcome::kNotAllowed)},
        {"unresolved", Broken(FetchOutcome::kUnresolved)},
        {"unreachable", Broken(FetchOutcome::kUnreachable)},
        {"TLS", Broken(FetchOutcome::kTlsFailed)},
        {"timeout", Broken(FetchOutcome::kTimedOut)},
        {"too large", Broken(FetchOutcome::kTooLarge)},
        {"address refused", Broken(FetchOutcome::kAddressRefused)},
    };
  }
};

TEST_F(KeyStoreDiscoveryTest, RefusesAConfigurationByNamingTheSetting) {
  const auto message = [this](const IssuerConfig& config) {
    return std::string(TryOpen({config}).message());
  };
  EXPECT_THAT(message(Discovered("http://idp.example")), StartsWith("issuers[0].issuer: "));
  EXPECT_THAT(message(Discovered("https://idp.example?x")), StartsWith("issuers[0].issuer: "));
  EXPECT_THAT(message(Discovered("https://10.0.0.1")), HasSubstr("private_network"));
  IssuerConfig config = Discovered();
  config.discovery_hosts = {"https://keys.example"};
  EXPECT_THAT(message(config), StartsWith("issuers[0].discovery_hosts: "));
  config = Discovered();
  config.jwks_uri = kKeys;
  EXPECT_THAT(message(config), HasSubstr("exactly one"));
  config = Discovered();
  config.jwks = SetText({Key(0, "a")});
  EXPECT_THAT(message(config), HasSubstr("exactly one"));
}

TEST_F(KeyStoreDiscoveryTest, AFetchReadsTheMetadataAndThenTheKeysAndIsOne) {
  Open({Discovered()});
  EXPECT_TRUE(store_->WaitsForFetch(0));
  Run();
  ASSERT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(network_.requests()[0].url, kOauth);
  EXPECT_EQ(network_.requests()[0].body_bytes_max, limits::kMetadataBytesMax);
  EXPECT_EQ(network_.requests()[0].timeout_ms, 5'000u);
  Answer(Metadata());
  ASSERT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(network_.requests()[1].url, kKeys);
  EXPECT_EQ(network_.requests()[1].body_bytes_max, limits::kJwksBytesMax);
  EXPECT_NE(network_.requests()[0].id, network_.requests()[1].id);
  for (const FetchRequest& request : network_.requests()) {
    EXPECT_EQ(request.if_none_match, "");
    EXPECT_EQ(request.reach, Reach::kPublic);
  }
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_TRUE(settled_.empty());
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_EQ(settled_, std::vector<uint32_t>{0});
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_EQ(HealthNow().fetch_failures, 0u);
  // The keys' own Cache-Control counts, not the metadata's.
  EXPECT_GT(HealthNow().next_fetch_in_ms, 600'000);
}

// --- Where the document is ---

TEST_F(KeyStoreDiscoveryTest, PlacesAreAskedInTheOrderOfTheSpecificationWhereThereIsNothing) {
  for (const int status : {204, 301, 302, 304, 307, 400, 401, 403, 404, 405, 406, 410}) {
    SCOPED_TRACE(status);
    Open({Discovered()});
    Run();
    Answer(Status(status));
    Answer(Status(404));
    Answer(Metadata());
    Answer(Ok({Key(0, "a")}));
    EXPECT_THAT(Asked(), ElementsAre(kOauth, kOpenId, kAppended, kKeys));
    EXPECT_EQ(Find("a"), Reason::kNone);
    EXPECT_EQ(HealthNow().fetches, 1u);
  }
}

TEST_F(KeyStoreDiscoveryTest, ARedirectIsNotFollowed) {
  Open({Discovered()});
  FakeAnswer redirect = Metadata();
  redirect.http_status = 302;
  for (const char* place : {kOauth, kOpenId, kAppended}) network_.SetAnswer(place, redirect);
  Settle();
  EXPECT_THAT(Asked(), ElementsAre(kOauth, kOpenId, kAppended));
  EXPECT_EQ(HealthNow().last_error, "metadata: the server answered with status 302");
}

TEST_F(KeyStoreDiscoveryTest, WithNoDocumentAnywhereTheFetchHasFailedAndBeginsAnewLater) {
  Open({Discovered()});
  for (const char* place : {kOauth, kOpenId, kAppended}) network_.SetAnswer(place, Status(404));
  Settle();
  EXPECT_THAT(Asked(), ElementsAre(kOauth, kOpenId, kAppended));
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_EQ(HealthNow().last_error, "metadata: the server answered with status 404");
  EXPECT_EQ(settled_, std::vector<uint32_t>{0});
  network_.SetAnswer(kOauth, Metadata());
  network_.SetAnswer(kKeys, Ok({Key(0, "a")}));
  now_ms_ += HealthNow().next_fetch_in_ms;
  Settle();
  EXPECT_THAT(Asked(), ElementsAre(kOauth, kKeys));
  EXPECT_EQ(Find("a"), Reason::kNone);
}

// Else whoever can spoil the answer of one place chooses which document counts.
TEST_F(KeyStoreDiscoveryTest, AWrongDocumentOrAFailingServerDoesNotLeadToTheNextPlace) {
  for (const auto& [what, answer] : BadMetadata()) {
    SCOPED_TRACE(what);
    Open({Discovered()});
    network_.SetAnswer(kOauth, answer);
    network_.SetAnswer(kOpenId, Metadata());
    Settle();
    EXPECT_THAT(Asked(), ElementsAre(kOauth));
    EXPECT_THAT(HealthNow().last_error, StartsWith("metadata: "));
    EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
    // Likewise at the second place.
    Open({Discovered()});
    network_.SetAnswer(kOauth, Status(404));
    network_.SetAnswer(kOpenId, answer);
    network_.SetAnswer(kAppended, Metadata());
    Settle();
    EXPECT_THAT(Asked(), ElementsAre(kOauth, kOpenId));
    EXPECT_EQ(HealthNow().fetches, 1u);
  }
}

TEST_F(KeyStoreDiscoveryTest, AHostThatNobodyNamedIsNeverAsked) {
  for (const std::string url :
       {"https://evil.example/keys", "https://169.254.169.254/", "http://idp.example/",
        "https://idp.example@evil.example/", "https://10.0.0.1/keys"}) {
    Open({Discovered()});
    network_.SetAnswer(kOauth, Metadata(url));
    Settle();
    EXPECT_THAT(Asked(), ElementsAre(kOauth)) << url;
    EXPECT_THAT(HealthNow().last_error, StartsWith("metadata: jwks_uri: ")) << url;
    EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("evil")));
  }
}

TEST_F(KeyStoreDiscoveryTest, ListedHostsAreAskedThoseOfTheProfileToo) {
  IssuerConfig listed = Discovered();
  listed.discovery_hosts = {"keys.example"};
  Open({listed});
  network_.SetAnswer(kOauth, Metadata("https://keys.example/x"));
  Settle();
  EXPECT_THAT(Asked(), ElementsAre(kOauth, "https://keys.example/x"));

  IssuerConfig google = Discovered("https://accounts.google.com");
  google.profile = Profile::DangerousGoogleIdToken();
  Open({google});
  const std::string places = "https://accounts.google.com/.well-known/";
  network_.SetAnswer(places + "oauth-authorization-server", Status(404));
  network_.SetAnswer(places + "openid-configuration",
                     Metadata("https://www.googleapis.com/oauth2/v3/certs", "https://accounts.google.com"));
  Settle();
  EXPECT_THAT(Asked(), ElementsAre(places + "oauth-authorization-server", places + "openid-configuration",
                                   "https://www.googleapis.com/oauth2/v3/certs"));
}

TEST_F(KeyStoreDiscoveryTest, APrivateNetworksIssuerIsAskedWithinItsReach) {
  IssuerConfig inside = Discovered("https://10.0.0.1");
  inside.private_network = true;
  Open({inside});
  network_.SetAnswer("https://10.0.0.1/.well-known/oauth-authorization-server",
                     Metadata("https://10.0.0.1/keys", "https://10.0.0.1"));
  Settle();
  ASSERT_EQ(network_.num_requests(), 2u);
  for (const FetchRequest& request : network_.requests()) EXPECT_EQ(request.reach, Reach::kPrivate);
}

// --- What no answer can do ---

TEST_F(KeyStoreDiscoveryTest, MetadataThatCannotBeReadIsAFailedRefreshAndDropsNoKey) {
  std::vector<std::pair<std::string, FakeAnswer>> bad = BadMetadata();
  bad.emplace_back("not there any more", Status(404));
  for (const auto& [what, answer] : bad) {
    SCOPED_TRACE(what);
    settled_.clear();
    for (const char* place : {kOauth, kOpenId, kAppended}) network_.SetAnswer(place, std::nullopt);
    OpenDiscovered();
    const KeyRef before = RefOf("a");
    for (const char* place : {kOauth, kOpenId, kAppended}) network_.SetAnswer(place, answer);
    now_ms_ += timing_.metadata_age_max_ms;
    Settle();
    EXPECT_THAT(Asked(), Each(Not(kKeys)));
    EXPECT_TRUE(store_->IsCurrent(before));
    EXPECT_EQ(HealthNow().num_keys, 1u);
    EXPECT_EQ(HealthNow().fetch_failures, 1u);
    EXPECT_EQ(HealthNow().keys_age_ms, timing_.metadata_age_max_ms);
    EXPECT_THAT(HealthNow().last_error, StartsWith("metadata: "));
    EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
    EXPECT_EQ(RefOf("a"), before);
    EXPECT_EQ(settled_.size(), 2u);
  }
}

TEST_F(KeyStoreDiscoveryTest, KeysServeThroughAMetadataOutageUpToTheBoundAndNotBeyond) {
  timing_.metadata_age_max_ms = 1;
  OpenDiscovered();
  const int64_t good_ms = now_ms_;
  network_.SetAnswer(kOauth, Broken(FetchOutcome::kUnreachable));
  RunUntil(good_ms + timing_.staleness_bound_ms);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  ++now_ms_;
  EXPECT_EQ(Find("a"), Reason::kKeysTooStale);
  network_.SetAnswer(kOauth, Metadata());
  network_.SetAnswer(kKeys, Ok({Key(0, "a")}));
  now_ms_ += timing_.backoff_cap_ms;
  Settle();
  EXPECT_EQ(Find("a"), Reason::kNone);
}

TEST_F(KeyStoreDiscoveryTest, BadKeysAtADiscoveredAddressDoNotShrinkTheSet) {
  OpenDiscovered();
  const KeyRef before = RefOf("a");
  for (const FakeAnswer& answer : {Ok({}), Body("garbage"), Status(404), Status(500), Status(304)}) {
    network_.SetAnswer(kKeys, answer);
    network_.SetAnswer(kOauth, Metadata());
    now_ms_ += std::max<int64_t>(HealthNow().next_fetch_in_ms, 1);
    Settle();
    EXPECT_TRUE(store_->IsCurrent(before));
    EXPECT_FALSE(HealthNow().last_error.empty());
  }
  EXPECT_EQ(HealthNow().fetch_failures, 5u);
  EXPECT_EQ(RefOf("a"), before);
}

// --- When the keys move ---

TEST_F(KeyStoreDiscoveryTest, AChangedAddressIsFollowedAndKeepsTheNamesOfItsKeys) {
  OpenDiscovered(Ok({Key(0, "a"), Key(1, "b")}));
  const KeyRef a = RefOf("a"), b = RefOf("b");
  now_ms_ += timing_.metadata_age_max_ms;
  Run();
  Answer(Metadata(kMoved));
  Answer(Ok({Key(0, "a"), Key(2, "c")}));
  EXPECT_THAT(Asked(), ElementsAre(kOauth, kMoved));
  EXPECT_EQ(RefOf("a"), a);
  EXPECT_FALSE(store_->IsCurrent(b));
  EXPECT_EQ(Find("c"), Reason::kNone);
  RefreshAfter(1'080'000);
  EXPECT_THAT(Asked(), ElementsAre(kMoved));
}

// An entity tag names a representation of one resource (RFC 9110 section 8.8.3): sent elsewhere, a 304 would
// confirm a set that the new address never had.
TEST_F(KeyStoreDiscoveryTest, TheEntityTagDoesNotMoveWithTheAddress) {
  OpenDiscovered(Ok({Key(0, "a")}, "\"v1\""));
  now_ms_ += timing_.metadata_age_max_ms;
  Run();
  Answer(Metadata(kMoved));
  ASSERT_EQ(network_.requests().back().url, kMoved);
  EXPECT_EQ(network_.requests().back().if_none_match, "");
  Answer(Status(304));
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  EXPECT_EQ(HealthNow().keys_age_ms, timing_.metadata_age_max_ms);
}

TEST_F(KeyStoreDiscoveryTest, TheEntityTagStaysWhereTheAddressDoes) {
  OpenDiscovered(Ok({Key(0, "a")}, "\"v1\""));
  now_ms_ += timing_.metadata_age_max_ms;
  Run();
  Answer(Metadata());
  EXPECT_EQ(network_.requests().back().if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
}

TEST_F(KeyStoreDiscoveryTest, KeysThatCannotBeHadAreLookedForAnewInTheMetadata) {
  for (const FakeAnswer& gone : {Status(404), Status(503), Broken(FetchOutcome::kUnresolved), Body("x")}) {
    OpenDiscovered();
    RefreshAfter(1'080'000);
    Answer(gone);
    EXPECT_THAT(Asked(), ElementsAre(kKeys));
    now_ms_ += HealthNow().next_fetch_in_ms;
    Run();
    Answer(Metadata(kMoved));
    Answer(Ok({Key(0, "a")}));
    EXPECT_THAT(Asked(), ElementsAre(kOauth, kMoved));
    EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
    RefreshAfter(1'080'000);
    EXPECT_THAT(Asked(), ElementsAre(kMoved));
    Answer(Ok({Key(0, "a")}));
  }
}

// --- Answers out of turn ---

TEST_F(KeyStoreDiscoveryTest, AnAnswerCountsForItsOwnRequestOnly) {
  Open({Discovered()});
  Run();
  const uint64_t metadata_id = network_.requests()[0].id;
  Answer(Metadata());
  FetchResult again;
  again.id = metadata_id;
  again.outcome = FetchOutcome::kAnswered;
  again.http_status = 200;
  again.body = SetText({Key(9, "new")});
  store_->TakeIn(again, now_ms_);
  EXPECT_EQ(Find("new"), Reason::kKeysNeverFetched);
  EXPECT_TRUE(settled_.empty());
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(settled_.size(), 1u);
}

// The fetch that settles an absent kid must have begun after it was asked for: its first request counts.
TEST_F(KeyStoreDiscoveryTest, AKidAskedForAmidAFetchWaitsForTheNextOne) {
  timing_.metadata_age_max_ms = 1;
  OpenDiscovered();
  RefreshAfter(1'080'000);
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  Answer(Metadata());
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  RefreshAfter(timing_.cooldown_ms);
  Answer(Metadata());
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyUnknown);
}

// --- What the metadata says beside the keys ---

TEST_F(KeyStoreDiscoveryTest, TellsWhereTokensAreAskedAboutWheneverItHasReadIt) {
  timing_.metadata_age_max_ms = 1;
  std::vector<std::string> told;
  Open({Discovered()});
  store_->SetOnMetadata([&](uint32_t issuer, const absl::StatusOr<std::string>& endpoint) {
    EXPECT_EQ(issuer, 0u);
    told.push_back(endpoint.value_or("none"));
  });
  const auto with = [](const char* endpoint) {
    nlohmann::json document = nlohmann::json::parse(Metadata().body);
    document["introspection_endpoint"] = endpoint;
    return Body(document.dump());
  };
  Run();
  Answer(Status(404));
  EXPECT_THAT(told, IsEmpty()) << "nothing is in that place";
  Answer(with("https://idp.example/here"));
  EXPECT_THAT(told, ElementsAre("https://idp.example/here")) << "before the keys are there";
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(told.size(), 1u);
  RefreshAfter(1'080'000);
  Answer(Status(500));
  EXPECT_EQ(told.size(), 1u) << "what was known stays known";
  RefreshAfter(1'080'000);
  Answer(with("https://idp.example/there"));
  EXPECT_THAT(told, ElementsAre("https://idp.example/here", "https://idp.example/there"));
}

TEST_F(KeyStoreDiscoveryTest, TellsWhyThereIsNowhereToAsk) {
  std::vector<absl::Status> told;
  Open({Discovered()});
  store_->SetOnMetadata(
      [&](uint32_t, const absl::StatusOr<std::string>& endpoint) { told.push_back(endpoint.status()); });
  Run();
  nlohmann::json document = nlohmann::json::parse(Metadata().body);
  document["introspection_endpoint"] = "https://evil.example/introspect";
  Answer(Body(document.dump()));
  ASSERT_EQ(told.size(), 1u);
  EXPECT_EQ(told[0].code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(told[0].message().find("evil"), std::string::npos);
}

TEST_F(KeyStoreDiscoveryTest, AnIssuerThatTakesOverTheKeysTakesOverTheMetadata) {
  std::vector<uint32_t> told, prepared;
  Open({Discovered()});
  store_->SetOnMetadata([&](uint32_t issuer, const absl::StatusOr<std::string>& endpoint) {
    EXPECT_EQ(endpoint.status().code(), absl::StatusCode::kNotFound);
    told.push_back(issuer);
  });
  Run();
  Answer(Metadata());
  Answer(Ok({Key(0, "a")}));
  ASSERT_TRUE(store_
                  ->ChangeIssuer(Discovered(),
                                 [&](uint32_t issuer, std::string_view) {
                                   EXPECT_EQ(told.size(), 1u) << "what it is told of is prepared by then";
                                   prepared.push_back(issuer);
                                 })
                  .ok());
  ASSERT_EQ(told.size(), 2u);
  EXPECT_EQ(told[1], prepared[0]);
  EXPECT_NE(told[1], told[0]);

  IssuerConfig elsewhere = Discovered();
  elsewhere.discovery_hosts = {"keys.example"};
  ASSERT_TRUE(store_->ChangeIssuer(elsewhere).ok());
  EXPECT_EQ(told.size(), 2u) << "by other rules nothing has been read yet";
}

}  // namespace
}  // namespace tollgate::keys
