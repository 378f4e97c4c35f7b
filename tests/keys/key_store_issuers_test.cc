// Issuers that come, change and go while the store is in use.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr char kA[] = "https://a.example";
constexpr char kB[] = "https://b.example";

class KeyStoreIssuersTest : public StoreTest {
 protected:
  absl::Status Add(const IssuerConfig& config) {
    return store_->AddIssuer(config, [this](uint32_t position, std::string_view) {
      prepared_.push_back(position);
      EXPECT_FALSE(IsAnybody(position));
    });
  }
  absl::Status Change(const IssuerConfig& config) {
    return store_->ChangeIssuer(
        config, [this](uint32_t position, std::string_view) { prepared_.push_back(position); },
        [this](uint32_t position) { Released(position); });
  }
  absl::Status Remove(std::string_view name) {
    return store_->RemoveIssuer(name, [this](uint32_t position) { Released(position); });
  }
  void Released(uint32_t position) {
    released_.push_back(position);
    EXPECT_FALSE(IsAnybody(position));
  }
  bool IsAnybody(uint32_t position) { return store_->StandingAt(position, now_ms_).ever_good; }
  uint32_t PositionOf(std::string_view name) { return FindIssuer(name).value_or(UINT32_MAX); }

  std::vector<uint32_t> prepared_;
  std::vector<uint32_t> released_;
};

TEST_F(KeyStoreIssuersTest, AnAddedIssuerIsFetchedAndServes) {
  OpenWith(Ok({Key(0, "a")}));
  const int wakes = wakes_;
  ASSERT_TRUE(Add(Fetched(kB)).ok());
  EXPECT_EQ(wakes_, wakes + 1);
  EXPECT_THAT(prepared_, ElementsAre(1));
  ASSERT_EQ(PositionOf(kB), 1u);
  EXPECT_EQ(Find("b", 1), Reason::kKeysNeverFetched);
  EXPECT_TRUE(store_->WaitsForFetch(1));
  Run();
  ASSERT_EQ(network_.requests().back().url, "https://b.example/jwks");
  Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(Find("b", 1), Reason::kNone);
  EXPECT_EQ(Find("a", 0), Reason::kNone);
  ASSERT_TRUE(Add(Inline("https://c.example", {Key(2, "c")})).ok());
  EXPECT_EQ(Find("c", 2), Reason::kNone);
  EXPECT_EQ(store_->ReadMemory().num_issuers, 3u);
  EXPECT_EQ(store_->ReadMemory().num_keys, 3u);
}

TEST_F(KeyStoreIssuersTest, WhatIsWrongIsRefusedByItsSettingAndChangesNothing) {
  config_.issuers_max = 2;
  Open({Fetched(kA)});
  EXPECT_EQ(Add(Fetched(kA)).code(), absl::StatusCode::kAlreadyExists);
  const absl::Status http = Add(Fetched("http://b.example"));
  EXPECT_EQ(http.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(http.message()), HasSubstr("issuer.jwks_uri: "));
  EXPECT_THAT(std::string(Add(Inline(kB, {})).message()), HasSubstr("issuer.jwks: "));
  EXPECT_EQ(Change(Fetched(kB)).code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(Change(Inline(kA, {})).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(Remove(kB).code(), absl::StatusCode::kNotFound);
  ASSERT_TRUE(Add(Fetched(kB)).ok());
  EXPECT_EQ(Add(Fetched("https://c.example")).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(PositionOf(kA), 0u);
  EXPECT_EQ(PositionOf(kB), 1u);
  EXPECT_THAT(prepared_, ElementsAre(1));
  EXPECT_TRUE(released_.empty());
  // A full store can still change, and has room again after a removal.
  ASSERT_TRUE(Change(Fetched(kA)).ok());
  ASSERT_TRUE(Change(Fetched(kB)).ok());
  ASSERT_TRUE(Remove(kA).ok());
  ASSERT_TRUE(Add(Fetched("https://c.example")).ok());
}

TEST_F(KeyStoreIssuersTest, ARemovedIssuersKeysEndAtOnceAndWhoWaitsIsTold) {
  Open({Fetched(kA), Fetched(kB)});
  network_.SetAnswer("https://b.example/jwks", Ok({Key(1, "b")}));
  network_.SetAnswer("https://a.example/jwks", Ok({Key(0, "a")}));
  Run();
  const KeyRef a = RefOf("a", 0), b = RefOf("b", 1);
  settled_.clear();
  ASSERT_TRUE(Remove(kA).ok());
  EXPECT_EQ(FindIssuer(kA), std::nullopt);
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_TRUE(store_->IsCurrent(b));
  EXPECT_THAT(settled_, ElementsAre(0));
  EXPECT_THAT(released_, ElementsAre(0));
  EXPECT_FALSE(store_->WaitsForFetch(0));
  EXPECT_EQ(store_->StandingAt(0, now_ms_).freshness, Freshness::kUnavailable);
  ASSERT_EQ(store_->Health(now_ms_).size(), 1u);
  EXPECT_EQ(store_->Health(now_ms_)[0].position, 1u);
  const size_t requests = network_.num_requests();
  RunUntil(now_ms_ + 3'600'000);
  for (size_t i = requests; i < network_.num_requests(); ++i)
    EXPECT_EQ(network_.requests()[i].url, "https://b.example/jwks");
  EXPECT_EQ(Find("b", 1), Reason::kNone);
}

TEST_F(KeyStoreIssuersTest, AnAnswerToARemovedIssuerIsNobodyElses) {
  Open({Fetched(kA)});
  Run();
  ASSERT_EQ(network_.pending().size(), 1u);
  ASSERT_TRUE(Remove(kA).ok());
  ASSERT_TRUE(Add(Fetched(kB)).ok());
  ASSERT_EQ(PositionOf(kB), 0u);
  Run();
  ASSERT_EQ(network_.pending().size(), 2u);
  Answer(Ok({Key(0, "a")}));  // The first issuer's.
  EXPECT_EQ(Find("a", 0), Reason::kKeysNeverFetched);
  Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(Find("b", 0), Reason::kNone);
  EXPECT_EQ(Find("a", 0), Reason::kKeyPending);
}

TEST_F(KeyStoreIssuersTest, ExchangesOfRemovedIssuersKeepTheirPlaceUntilTheyEnd) {
  Open({Fetched(kA)});
  for (int i = 0; i < 200; ++i) {
    const std::string name = "https://i" + std::to_string(i) + ".example";
    ASSERT_TRUE(Add(Fetched(name)).ok());
    Run();
    ASSERT_TRUE(Remove(name).ok());
  }
  EXPECT_EQ(network_.pending().size(), 64u);
  ASSERT_TRUE(Add(Fetched(kB)).ok());
  Run();
  EXPECT_EQ(network_.pending().size(), 64u);
  ASSERT_TRUE(network_.CompleteOldest(Status(500)));
  Run();
  EXPECT_EQ(network_.pending().size(), 64u);
  EXPECT_EQ(network_.pending().back().url, "https://b.example/jwks");
}

TEST_F(KeyStoreIssuersTest, AnIssuerThatComesBackHasNewGenerations) {
  Open({Inline(kA, {Key(0, "a")})});
  const KeyRef first = RefOf("a", 0);
  ASSERT_TRUE(Remove(kA).ok());
  ASSERT_TRUE(Add(Inline(kA, {Key(0, "a")})).ok());
  EXPECT_FALSE(store_->IsCurrent(first));
  EXPECT_NE(RefOf("a", PositionOf(kA)), first);
}

TEST_F(KeyStoreIssuersTest, AChangeKeepsTheKeysOfTheSamePlaceUnderNewGenerations) {
  OpenWith(Ok({Key(0, "a"), Key(1, "b")}, "\"v1\""));
  const KeyRef before = RefOf("a");
  const int64_t age_ms = 100'000;
  now_ms_ += age_ms;
  IssuerConfig changed = Fetched();
  changed.leeway_s = 0;
  ASSERT_TRUE(Change(changed).ok());
  EXPECT_THAT(released_, ElementsAre(0));
  ASSERT_EQ(PositionOf(changed.issuer), 1u);
  EXPECT_FALSE(store_->IsCurrent(before));
  uint32_t issuer;
  EXPECT_TRUE(store_->IsCurrent(RefOf("a", 1), &issuer));
  EXPECT_EQ(issuer, 1u);
  EXPECT_EQ(Find("b", 1), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(1, now_ms_).age_ms, age_ms);
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kFresh);
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);  // Nothing was due.
  now_ms_ += 1'080'000;
  Run();
  EXPECT_EQ(network_.requests().back().if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(Find("a", 1), Reason::kNone);
}

TEST_F(KeyStoreIssuersTest, AKeyThatIsListedTwiceIsOneAfterAChangeToo) {
  OpenWith(Ok({Key(0, "a"), Key(0, "a")}));
  ASSERT_TRUE(Change(Fetched()).ok());
  const KeyRef key = RefOf("a", 1);
  now_ms_ += 1'080'000;
  Run();
  Answer(Ok({Key(0, "a")}));
  EXPECT_TRUE(store_->IsCurrent(key));
  EXPECT_EQ(RefOf("a", 1), key);
}

TEST_F(KeyStoreIssuersTest, AChangeOpensNoGate) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("x"), Reason::kKeyPending);
  for (int i = 0; i < 10; ++i) {
    ASSERT_TRUE(Change(Fetched()).ok());
    Run();
    Find("x", PositionOf(Fetched().issuer));
  }
  now_ms_ += timing_.cooldown_ms - 1;
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);
  now_ms_ += 1;
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
}

TEST_F(KeyStoreIssuersTest, AChangeDuringAFetchBeginsItAgain) {
  Open({Fetched(kA)});
  Run();
  ASSERT_TRUE(Change(Fetched(kA)).ok());
  Run();
  ASSERT_EQ(network_.pending().size(), 2u);
  Answer(Ok({Key(0, "old")}));
  EXPECT_EQ(Find("old", PositionOf(kA)), Reason::kKeysNeverFetched);
  Answer(Ok({Key(1, "new")}));
  EXPECT_EQ(Find("new", PositionOf(kA)), Reason::kNone);
}

TEST_F(KeyStoreIssuersTest, WhoWaitsForAnAbsentKidStillDoesAfterAChangeDuringItsFetch) {
  OpenWith(Ok({Key(0, "a")}));
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  ASSERT_EQ(network_.pending().size(), 1u);
  ASSERT_TRUE(Change(Fetched()).ok());
  Answer(Ok({Key(1, "b")}));  // To nobody.
  EXPECT_EQ(Find("b", PositionOf(Fetched().issuer)), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(Ok({Key(0, "a"), Key(1, "b")}));
  EXPECT_EQ(Find("b", PositionOf(Fetched().issuer)), Reason::kNone);
}

TEST_F(KeyStoreIssuersTest, AChangeOfThePlaceLeavesNoKeyOfTheOldOne) {
  OpenWith(Ok({Key(0, "a")}));
  const KeyRef before = RefOf("a");
  IssuerConfig moved = Fetched();
  moved.jwks_uri = "https://idp.example/other";
  ASSERT_TRUE(Change(moved).ok());
  EXPECT_FALSE(store_->IsCurrent(before));
  EXPECT_EQ(Find("a", 1), Reason::kKeysNeverFetched);
  Run();
  EXPECT_EQ(network_.requests().back().url, moved.jwks_uri);
  Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(Find("b", 1), Reason::kNone);
  ASSERT_TRUE(Change(Inline(moved.issuer, {Key(2, "c")})).ok());
  EXPECT_EQ(Find("c", PositionOf(moved.issuer)), Reason::kNone);
  EXPECT_EQ(Find("b", PositionOf(moved.issuer)), Reason::kKeyUnknown);
  EXPECT_EQ(Run(), INT64_MAX);
}

TEST_F(KeyStoreIssuersTest, ManyChangesUseUpNoRoom) {
  config_.issuers_max = 3;
  Open({Inline(kA, {Key(0, "a")})});
  for (int i = 0; i < 5'000; ++i) {
    ASSERT_TRUE(Change(Inline(kA, {Key(i % 3, "a")})).ok()) << i;
    ASSERT_TRUE(Add(Inline(kB, {Key(0, "b")})).ok());
    ASSERT_TRUE(Remove(kB).ok());
  }
  EXPECT_EQ(Find("a", PositionOf(kA)), Reason::kNone);
  EXPECT_LT(PositionOf(kA), 4u);
  EXPECT_EQ(store_->ReadMemory().num_issuers, 1u);
}

}  // namespace
}  // namespace tollgate::keys
