// How often an issuer is asked for what stands behind its name, and how long a fetch of several requests may
// take.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/keys/discovery_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

using KeyStoreDiscoveryPaceTest = DiscoveryStoreTest;

TEST_F(KeyStoreDiscoveryPaceTest, AnOrdinaryRefreshIsOneRequest) {
  OpenDiscovered(Ok({Key(0, "a")}, "\"v1\""));
  RefreshAfter(1'080'000);
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
  EXPECT_EQ(network_.requests().back().if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  RefreshAfter(1'080'000);
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
}

TEST_F(KeyStoreDiscoveryPaceTest, MetadataIsReadAgainAtTheFirstRefreshAfterItsAge) {
  timing_.metadata_age_max_ms = 2'000'000;
  OpenDiscovered();
  const int64_t read_ms = now_ms_;
  now_ms_ = read_ms + 1'999'999;
  Run();
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
  Answer(Ok({Key(0, "a")}));
  EXPECT_TRUE(Asked().empty());  // Its age alone begins no fetch.
  RefreshAfter(1'080'000);
  EXPECT_THAT(Asked(), ElementsAre(kOauth));
  Answer(Metadata());
  Answer(Ok({Key(0, "a")}));
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
  RefreshAfter(1'080'000);
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
}

TEST_F(KeyStoreDiscoveryPaceTest, ADayCostsTheIssuerFewRequests) {
  Open({Discovered()});
  network_.SetAnswer(kOauth, Status(404));
  network_.SetAnswer(kOpenId, Metadata());
  network_.SetAnswer(kKeys, Ok({Key(0, "a")}));
  const int64_t end_ms = now_ms_ + 24 * 3'600'000;
  while (now_ms_ < end_ms) {
    Settle();
    now_ms_ += 10'000;
  }
  std::vector<std::string> asked = Asked();
  // Each 15 minutes ± 20 %; the two places each hour and a bit.
  EXPECT_LE(std::count(asked.begin(), asked.end(), kKeys), 120);
  EXPECT_GE(std::count(asked.begin(), asked.end(), kKeys), 80);
  EXPECT_LE(std::count(asked.begin(), asked.end(), kOpenId), 25);
  EXPECT_GE(std::count(asked.begin(), asked.end(), kOpenId), 18);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
}

TEST_F(KeyStoreDiscoveryPaceTest, NothingElseBeginsWhileAFetchIsAtAnyOfItsRequests) {
  Open({Discovered()});
  Run();
  const auto ask_much = [this] {
    const size_t before = network_.num_requests();
    for (int i = 0; i < 100; ++i) Find("kid" + std::to_string(i));
    Settle();
    EXPECT_EQ(network_.num_requests(), before);
  };
  ask_much();
  Answer(Status(404));
  ask_much();
  Answer(Metadata());
  ask_much();
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(network_.num_requests(), 3u);
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_EQ(settled_.size(), 1u);
}

TEST_F(KeyStoreDiscoveryPaceTest, AFloodOfForgedKidsCostsOneFetchPerCooldownWithAllItsRequests) {
  timing_.metadata_age_max_ms = 1;  // The worst case: every fetch reads the metadata.
  Open({Discovered()});
  network_.SetAnswer(kOauth, Status(404));
  network_.SetAnswer(kOpenId, Status(404));
  network_.SetAnswer(kAppended, Metadata());
  network_.SetAnswer(kKeys, Ok({Key(0, "a")}));
  Settle();
  const int64_t end_ms = now_ms_ + 10 * timing_.cooldown_ms;
  for (int kid = 0; now_ms_ < end_ms; now_ms_ += 500) {
    for (int i = 0; i < 10; ++i) Find("forged" + std::to_string(kid++));
    Settle();
  }
  EXPECT_LE(HealthNow().fetches, 11u);
  EXPECT_GE(HealthNow().fetches, 10u);
  EXPECT_EQ(network_.num_requests(), 4 * HealthNow().fetches);
}

TEST_F(KeyStoreDiscoveryPaceTest, AFailureAtEitherRequestBacksOffTheWholeFetch) {
  for (const bool at_the_keys : {false, true}) {
    Open({Discovered()});
    network_.SetAnswer(kOauth, at_the_keys ? Metadata() : Status(503));
    network_.SetAnswer(kKeys, Status(503));
    const size_t before = network_.num_requests();
    const int64_t begin_ms = now_ms_;
    for (; now_ms_ < begin_ms + 3'600'000; now_ms_ += 1'000) {
      Settle();
      Find("kid" + std::to_string(now_ms_));
    }
    // As an outage of keys at a configured address: one each 30 s on average, and a few while it grows.
    EXPECT_LE(HealthNow().fetches, 180u);
    EXPECT_GE(HealthNow().fetches, 60u);
    EXPECT_EQ(network_.num_requests() - before, (at_the_keys ? 2 : 1) * HealthNow().fetches);
  }
}

TEST_F(KeyStoreDiscoveryPaceTest, AllRequestsOfAFetchShareItsTime) {
  Open({Discovered()});
  Run();
  now_ms_ += 4'000;
  Answer(Metadata());
  ASSERT_EQ(network_.num_requests(), 2u);
  EXPECT_EQ(network_.requests()[1].timeout_ms, 1'000u);
  Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("a"), Reason::kNone);

  Open({Discovered()});
  Run();
  const size_t before = network_.num_requests();
  now_ms_ += 5'000;
  Answer(Metadata());
  EXPECT_EQ(network_.num_requests(), before);
  EXPECT_THAT(HealthNow().last_error, HasSubstr("in time"));
  // What it has learnt is not lost: the next fetch begins with the keys.
  now_ms_ += HealthNow().next_fetch_in_ms;
  asked_ = before;
  Run();
  EXPECT_THAT(Asked(), ElementsAre(kKeys));
}

TEST_F(KeyStoreDiscoveryPaceTest, ExchangesAreBoundedOverAllIssuersAndAllGetTheirTurn) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 100; ++i) issuers.push_back(Discovered("https://i" + std::to_string(i) + ".example"));
  Open(issuers);
  Run();
  size_t most = 0;
  for (;;) {
    const std::vector<FetchRequest> pending = network_.pending();
    most = std::max(most, pending.size());
    if (pending.empty()) break;
    const std::string& url = pending.front().url;
    const std::string issuer = url.substr(0, url.find('/', 8));
    const bool metadata = url.find("well-known") != url.npos;
    ASSERT_TRUE(network_.Complete(pending.front().id,
                                  metadata ? Metadata(issuer + "/keys", issuer) : Ok({Key(0, "a")})));
    Run();
  }
  EXPECT_EQ(most, 64u);
  EXPECT_EQ(network_.num_requests(), 200u);
  for (uint32_t i = 0; i < 100; ++i) EXPECT_EQ(store_->StandingAt(i, now_ms_).freshness, Freshness::kFresh);
}

TEST_F(KeyStoreDiscoveryPaceTest, TheTimeInTheLineOfAHostIsNotTheFetchs) {
  constexpr int kIssuers = 40;
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < kIssuers; ++i) {
    issuers.push_back(Discovered("https://i" + std::to_string(i) + ".example"));
    issuers.back().discovery_hosts = {"keys.example"};
  }
  Open(issuers);
  Run();
  now_ms_ += 1'000;
  for (const FetchRequest& request : network_.pending()) {
    const std::string issuer = request.url.substr(0, request.url.find('/', 8));
    ASSERT_TRUE(network_.Complete(request.id, Metadata("https://keys.example/" + issuer.substr(8), issuer)));
  }
  for (const IssuerConfig& issuer : issuers) {
    network_.SetAnswer("https://keys.example/" + issuer.issuer.substr(8), Ok({Key(0, "a")}));
  }
  Run();
  EXPECT_EQ(network_.num_requests(), kIssuers + 5u);
  EXPECT_EQ(store_->StandingAt(kIssuers - 1, now_ms_).retry_after_ms, 7'000);
  EXPECT_EQ(store_->StandingAt(kIssuers - 1, now_ms_).freshness, Freshness::kUnavailable);
  RunUntil(now_ms_ + 7'000);
  EXPECT_EQ(network_.num_requests(), 2u * kIssuers);
  EXPECT_EQ(network_.requests().back().timeout_ms, 4'000u);
  for (uint32_t i = 0; i < kIssuers; ++i) EXPECT_EQ(Find("a", i), Reason::kNone);
}

}  // namespace
}  // namespace tollgate::keys
