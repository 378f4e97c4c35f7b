// A leader that hangs: whoever follows asks by itself and for itself before its keys are too old, and no
// longer than that lasts.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/keys/shared_fixture.h"

namespace tollgate::keys {
namespace {

class KeyStoreAloneTest : public KeyStoreSharedTest {
 protected:
  KeyStoreAloneTest() { timing_.jitter_percent = 0; }

  // Hang lets the bound come near while `leader`, which has had `answer`, takes no turn.
  void Hang(Process& leader, Process& follower, const FakeAnswer& answer) {
    leader.Answer(answer);
    PassALook({&leader, &follower});
    ASSERT_EQ(follower.Find("a"), Reason::kNone);
    Pass(timing_.staleness_bound_ms * 3 / 4);
    follower.Turn();
    ASSERT_TRUE(follower.asks());
  }
};

TEST_F(KeyStoreAloneTest, WhoHearsNothingAsksBeforeItsKeysAreTooOld) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  const std::string before = files_.Get(kSharedPath).bytes;
  Pass(timing_.staleness_bound_ms * 3 / 4 - 2 * timing_.file_interval_ms);
  two->Turn();
  EXPECT_FALSE(two->asks());
  Pass(2 * timing_.file_interval_ms);
  two->Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(two->Standing().freshness, Freshness::kFresh);
  EXPECT_NE(two->Find("a"), Reason::kNone);
  // As often as a leader would have, and beyond the bound.
  size_t num_asked = 1;
  for (int64_t passed_ms = 0; passed_ms < 2 * timing_.staleness_bound_ms; passed_ms += 60'000) {
    Pass(60'000);
    two->Turn();
    EXPECT_EQ(two->Find("b"), Reason::kNone);
    if (!two->asks()) continue;
    two->Answer(Ok({Key(1, "b")}));
    ++num_asked;
  }
  EXPECT_GE(num_asked, 6u);
  EXPECT_LE(num_asked, 12u);
  // For itself alone.
  EXPECT_FALSE(two->leads());
  EXPECT_EQ(files_.Get(kSharedPath).bytes, before);
  EXPECT_EQ(Start()->Find("b"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreAloneTest, AsLongAsALeaderLivesNobodyElseAsks) {
  const auto one = Start(), two = Start();
  one->network.SetAnswer("https://idp.example/jwks", Ok({Key(0, "a")}));
  for (int64_t passed_ms = 0; passed_ms < 3 * timing_.staleness_bound_ms; passed_ms += 5000)
    PassALook({one.get(), two.get()});
  EXPECT_GE(one->network.num_requests(), 9u);
  EXPECT_EQ(two->network.num_requests(), 0u);
}

TEST_F(KeyStoreAloneTest, TheNextFileEndsIt) {
  const auto one = Start(), two = Start();
  Hang(*one, *two, Ok({Key(0, "a")}));
  two->Answer(Ok({Key(1, "b")}));
  // The leader goes on, and takes in an answer that nobody else has had.
  Pass(60'000);
  one->Answer(Ok({Key(1, "b"), Key(2, "c")}));
  PassALook({one.get(), two.get()});
  EXPECT_EQ(two->Find("c"), Reason::kNone);
  EXPECT_EQ(two->store->Health(now_ms_)[0].fetches, 1u);
  Pass(timing_.staleness_bound_ms * 3 / 4 - 2 * timing_.file_interval_ms);
  two->Turn();
  EXPECT_FALSE(two->asks());
}

TEST_F(KeyStoreAloneTest, TheNextFileCountsMoreThanAnAnswerThatIsToCome) {
  const auto one = Start(), two = Start();
  Hang(*one, *two, Ok({Key(0, "a")}));
  one->Answer(Ok({Key(0, "a"), Key(2, "c")}));
  PassALook({one.get(), two.get()});
  ASSERT_EQ(two->Find("c"), Reason::kNone);
  ASSERT_TRUE(two->network.CompleteOldest(Ok({Key(0, "a")})));
  two->Turn();
  EXPECT_EQ(two->Find("c"), Reason::kNone);
}

TEST_F(KeyStoreAloneTest, AnAnswerThatALeaderHadBeforeItHungBringsNothingBack) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  Pass(timing_.refresh_max_ms * 2);
  one->Turn();
  ASSERT_TRUE(one->network.CompleteOldest(Ok({Key(0, "a"), Key(1, "b")})));
  Pass(timing_.staleness_bound_ms / 2);
  two->Answer(Ok({Key(1, "b")}));
  ASSERT_NE(two->Find("a"), Reason::kNone);
  one->Turn();
  PassALook({one.get(), two.get()});
  EXPECT_TRUE(one->leads());
  EXPECT_NE(two->Find("a"), Reason::kNone);
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreAloneTest, WhatTheFileSaidBeforeIsReadAnewIfItSaysSoAgain) {
  const auto one = Start(), two = Start();
  Hang(*one, *two, Ok({Key(0, "a"), Key(1, "b")}));
  two->Answer(Ok({Key(1, "b")}));
  ASSERT_NE(two->Find("a"), Reason::kNone);
  // The issuer has it again.
  Pass(60'000);
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  EXPECT_EQ(two->Find("a"), Reason::kNone);
}

TEST_F(KeyStoreAloneTest, AnOutageIsBackedOffFrom) {
  const auto one = Start(), two = Start();
  Hang(*one, *two, Ok({Key(0, "a")}));
  size_t num_asked = 0;
  for (int64_t passed_ms = 0; passed_ms < 600'000; passed_ms += 1000) {
    if (two->asks()) {
      ASSERT_TRUE(two->network.CompleteOldest(Broken(FetchOutcome::kTimedOut)));
      ++num_asked;
    }
    Pass(1000);
    two->Turn();
  }
  // Half a minute apart, on average.
  EXPECT_GE(num_asked, 10u);
  EXPECT_LE(num_asked, 60u);
  EXPECT_EQ(two->Standing().freshness, Freshness::kDegraded);
}

TEST_F(KeyStoreAloneTest, WhoHasNeverHadKeysWaitsForAQuarterOfTheBound) {
  const auto one = Start(), two = Start();
  one->Turn();
  Pass(timing_.staleness_bound_ms / 4 - 1);
  two->Turn();
  EXPECT_FALSE(two->asks());
  Pass(1);
  two->Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(two->Find("a"), Reason::kNone);
  // So does an issuer that comes later.
  IssuerConfig issuer;
  issuer.issuer = "https://other.example";
  issuer.jwks_uri = "https://other.example/jwks";
  ASSERT_TRUE(two->store->AddIssuer(issuer).ok());
  two->Turn();
  EXPECT_FALSE(two->asks());
}

// Eight times in a second is what all of them would ask otherwise.
TEST_F(KeyStoreAloneTest, ThoseWhoHearNothingDoNotAskAllAtOnce) {
  timing_.jitter_percent = 20;
  const auto one = Start();
  one->Answer(Ok({Key(0, "a")}));
  PassALook({one.get()});
  std::vector<std::unique_ptr<Process>> others;
  for (uint64_t seed = 1; seed <= 8; ++seed) others.push_back(Start("https://idp.example/jwks", seed));
  Pass(timing_.staleness_bound_ms * 3 / 4 - timing_.file_interval_ms);
  size_t num_before = 0, num_at_once = 0;
  for (int64_t passed_ms = 0; passed_ms < timing_.staleness_bound_ms / 20; passed_ms += 1000) {
    Pass(1000);
    size_t num_asking = 0;
    for (const auto& each : others) {
      each->Turn();
      num_asking += each->asks();
    }
    num_at_once = std::max(num_at_once, num_asking - num_before);
    num_before = num_asking;
  }
  EXPECT_GT(num_before, 4u);
  EXPECT_LE(num_at_once, 3u);
}

// A removal on a full disk takes the file away, and those who follow have no keys.
TEST_F(KeyStoreAloneTest, WhoseKeysAreTakenAwayWaitsForAQuarterOfTheBound) {
  const auto one = Start(), two = Start();
  one->Answer(Ok({Key(0, "a"), Key(1, "b")}));
  PassALook({one.get(), two.get()});
  files_.SetFault([](std::string_view what, const std::string&) {
    return what == "write" ? absl::ResourceExhaustedError("no room") : absl::OkStatus();
  });
  Pass(timing_.cooldown_ms);
  ASSERT_TRUE(one->store->Refresh(kIssuer));
  one->Answer(Ok({Key(1, "b")}));
  PassALook({one.get(), two.get()});
  ASSERT_EQ(two->Find("b"), Reason::kKeysNeverFetched);
  Pass(timing_.staleness_bound_ms / 4 - 1);
  two->Turn();
  EXPECT_FALSE(two->asks());
  Pass(1);
  two->Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(two->Find("b"), Reason::kNone);
  PassALook({one.get(), two.get()});
  EXPECT_EQ(two->Find("b"), Reason::kNone);
}

TEST_F(KeyStoreAloneTest, AnUnknownKidIsAskedForOncePerCooldown) {
  const auto one = Start(), two = Start();
  Hang(*one, *two, Ok({Key(0, "a")}));
  EXPECT_EQ(two->Find("b"), Reason::kKeyPending);
  two->Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(two->Find("b"), Reason::kKeyPending);
  two->Turn();
  EXPECT_FALSE(two->asks());
  Pass(timing_.cooldown_ms);
  two->Turn();
  ASSERT_TRUE(two->asks());
  two->Answer(Ok({Key(0, "a")}));
  EXPECT_EQ(two->Find("b"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreAloneTest, WhoComesToLeadWhileItAsksTakesTheAnswer) {
  auto one = Start();
  const auto two = Start();
  Hang(*one, *two, Ok({Key(0, "a"), Key(1, "b")}));
  one.reset();
  Pass(FollowMs(timing_, false));
  two->Turn();
  ASSERT_TRUE(two->leads());
  ASSERT_EQ(two->network.pending().size(), 1u);
  two->Answer(Ok({Key(1, "b")}));
  EXPECT_EQ(two->network.pending().size(), 0u);
  EXPECT_NE(two->Find("a"), Reason::kNone);
  const auto three = Start();
  EXPECT_EQ(three->Find("b"), Reason::kNone);
  EXPECT_NE(three->Find("a"), Reason::kNone);
}

}  // namespace
}  // namespace tollgate::keys
