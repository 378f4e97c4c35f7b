// Fetches, lines and questions that break one rule each, about which the watches must complain; and the
// oracle.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

#include "tests/sim/ask_watch.h"
#include "tests/sim/fetch_watch.h"
#include "tests/sim/host_watch.h"
#include "tests/sim/oracle.h"
#include "tests/sim/random.h"

namespace tollgate::sim {
namespace {

using ::testing::HasSubstr;

// --- Single rules of fetches ---

class FetchWatchTest : public ::testing::Test {
 protected:
  FetchWatchTest() {
    script_.idps = {IdpScript{
        .kind = SourceKind::kJwksUri, .keys = {{0, 1}}, .paths = {{0, 0}}, .faults = {{0, Fault::kNone}}}};
    script_.config.timing = Timing();
    script_.config.timing.jitter_percent = 0;
    // A bucket that holds nothing back; LineTest has one that does.
    script_.config.timing.host_interval_ms = 1;
    script_.config.timing.host_burst = 1000;
    hosts_ = std::make_unique<HostWatch>(script_);
    SetUpAnew();
  }
  void SetUpAnew() {
    *hosts_ = HostWatch(script_);
    watch_ = std::make_unique<FetchWatch>(0, script_, 0, FetchWatch::Known{}, *hosts_, complaint_);
  }
  void Begin(int64_t at_ms) {
    exchange_ = {.place = {.issuer = 0, .keys = true, .number = 0}, .begin_ms = at_ms, .timeout_ms = 5'000};
    watch_->OnBegin(exchange_, at_ms);
  }
  void End(int64_t at_ms, Served::Meaning meaning, KeyMask keys = 1) {
    watch_->OnEnd(exchange_, {.meaning = meaning, .keys = keys}, at_ms);
  }
  // A good fetch from 0 to 10 ms: the next one is due at 900'010 ms.
  void Good() {
    Begin(0);
    End(10, Served::Meaning::kSet);
    EXPECT_EQ(complaint_.text(), "");
  }

  Script script_{1};
  Complaint complaint_;
  Exchange exchange_;
  std::unique_ptr<HostWatch> hosts_;
  std::unique_ptr<FetchWatch> watch_;
};

TEST_F(FetchWatchTest, TheFirstFetchIsAtOnce) {
  watch_->AfterTurn(0);
  EXPECT_THAT(complaint_.text(), HasSubstr("does not begin"));
}

TEST_F(FetchWatchTest, TheFirstFetchIsNotLate) {
  Begin(1);
  EXPECT_THAT(complaint_.text(), HasSubstr("too late"));
}

TEST_F(FetchWatchTest, RefreshesAreInTheirInterval) {
  Good();
  watch_->AfterTurn(900'000);
  EXPECT_EQ(complaint_.text(), "");
  Begin(900'010);
  EXPECT_EQ(complaint_.text(), "");
}

TEST_F(FetchWatchTest, RefreshesAreNotEarlier) {
  Good();
  Begin(900'000);
  EXPECT_THAT(complaint_.text(), HasSubstr("too early"));
}

TEST_F(FetchWatchTest, RefreshesAreNotLeftOut) {
  Good();
  watch_->AfterTurn(900'020);
  EXPECT_THAT(complaint_.text(), HasSubstr("does not begin"));
}

TEST_F(FetchWatchTest, AnAbsentKidForcesOneFetchPerCooldown) {
  Good();
  EXPECT_EQ(watch_->AskAbsent("x", 20), Reason::kKeyPending);
  EXPECT_EQ(watch_->LatestDueMs(), 60'000);
  Begin(60'000);
  // Asked for while the fetch was under way: it does not settle that one.
  EXPECT_EQ(watch_->AskAbsent("y", 60'005), Reason::kKeyPending);
  End(60'010, Served::Meaning::kSet);
  EXPECT_EQ(watch_->AskAbsent("x", 60'020), Reason::kKeyUnknown);
  EXPECT_EQ(watch_->AskAbsent("y", 60'020), Reason::kKeyPending);
  EXPECT_EQ(watch_->LatestDueMs(), 120'000);
  EXPECT_EQ(complaint_.text(), "");
  Begin(119'999);
  EXPECT_THAT(complaint_.text(), HasSubstr("too early"));
}

// Whoever asks again while the fetch that they have waited for is under way forces no other.
TEST_F(FetchWatchTest, AKidThatIsBeingFetchedForcesNoSecondFetch) {
  Good();
  EXPECT_EQ(watch_->AskAbsent("x", 20), Reason::kKeyPending);
  Begin(60'000);
  EXPECT_EQ(watch_->AskAbsent("x", 60'005), Reason::kKeyPending);
  End(60'010, Served::Meaning::kSet);
  EXPECT_GT(watch_->EarliestDueMs(), 120'000);
  EXPECT_EQ(watch_->LatestDueMs(), 960'011);
  Begin(120'000);
  EXPECT_THAT(complaint_.text(), HasSubstr("too early"));
}

TEST_F(FetchWatchTest, AChangeForgetsWhatWasSettled) {
  Good();
  EXPECT_EQ(watch_->AskAbsent("x", 20), Reason::kKeyPending);
  Begin(60'000);
  End(60'010, Served::Meaning::kSet);
  EXPECT_EQ(watch_->AskAbsent("x", 60'020), Reason::kKeyUnknown);
  EXPECT_EQ(watch_->AskAbsent("x", 120'000), Reason::kKeyUnknown);
  Begin(120'000);
  End(120'010, Served::Meaning::kSet, 3);
  EXPECT_EQ(watch_->AskAbsent("x", 120'020), Reason::kKeyPending);
}

TEST_F(FetchWatchTest, BackoffsAreShorterThanTheirCeiling) {
  Begin(0);
  End(10, Served::Meaning::kFailed);
  EXPECT_EQ(watch_->LatestDueMs(), 1'010);
  Begin(1'010);
  End(1'020, Served::Meaning::kFailed);
  EXPECT_EQ(watch_->LatestDueMs(), 3'020);
  EXPECT_EQ(complaint_.text(), "");
}

TEST_F(FetchWatchTest, AnAbsentKidShortensNoBackoff) {
  Good();
  Begin(900'010);
  End(900'020, Served::Meaning::kFailed);
  watch_->OnPlan(900'900);
  EXPECT_EQ(watch_->AskAbsent("x", 900'030), Reason::kKeyPending);
  Begin(900'031);
  EXPECT_THAT(complaint_.text(), HasSubstr("another time"));
}

TEST_F(FetchWatchTest, BackoffsAreNotAlwaysShort) {
  int64_t now_ms = 0;
  for (int i = 0; i < 30; ++i) {
    Begin(now_ms);
    End(now_ms + 10, Served::Meaning::kFailed);
    now_ms += 11;
  }
  EXPECT_THAT(complaint_.text(), HasSubstr("full-jitter"));
}

TEST_F(FetchWatchTest, AFetchEndsInTime) {
  Begin(0);
  End(5'001, Served::Meaning::kFailed);
  EXPECT_THAT(complaint_.text(), HasSubstr("too long"));
}

TEST_F(FetchWatchTest, AnUnaskedNotModifiedIsAFailure) {
  Good();
  Begin(900'010);
  End(900'020, Served::Meaning::kNotModified);
  EXPECT_EQ(watch_->failures(), 1u);
}

TEST_F(FetchWatchTest, FreshnessFollowsTheFetches) {
  EXPECT_EQ(watch_->FreshnessAt(0), Freshness::kUnavailable);
  Good();
  EXPECT_EQ(watch_->FreshnessAt(20), Freshness::kFresh);
  Begin(900'010);
  EXPECT_EQ(watch_->FreshnessAt(900'010), Freshness::kStale);
  End(900'020, Served::Meaning::kFailed);
  EXPECT_EQ(watch_->FreshnessAt(900'020), Freshness::kDegraded);
  EXPECT_EQ(watch_->FreshnessAt(3'600'010), Freshness::kDegraded);
  EXPECT_EQ(watch_->FreshnessAt(3'600'011), Freshness::kUnavailable);
}

// --- Lines ---

Exchange FetchOf(int issuer, int64_t at_ms, bool keys = true) {
  return {.place = {.issuer = issuer, .keys = keys, .number = 0}, .begin_ms = at_ms, .timeout_ms = 5'000};
}

// Two issuers that share a host, which may be asked once in a second.
class LineTest : public ::testing::Test {
 protected:
  LineTest() {
    IdpScript idp{.keys = {{0, 1}}, .paths = {{0, 0}}, .faults = {{0, Fault::kNone}}};
    script_.idps = {idp, idp, idp};
    script_.idps[2].kind = SourceKind::kDiscovery;
    script_.config.timing = Timing();
    script_.config.timing.jitter_percent = 0;
    script_.config.timing.host_interval_ms = 1'000;
    script_.config.timing.host_burst = 1;
    hosts_ = std::make_unique<HostWatch>(script_);
    for (int issuer = 0; issuer < 3; ++issuer)
      watches_.emplace_back(issuer, script_, 0, FetchWatch::Known{}, *hosts_, complaint_);
  }

  Script script_{1};
  Complaint complaint_;
  std::unique_ptr<HostWatch> hosts_;
  std::vector<FetchWatch> watches_;
};

TEST_F(LineTest, AHostIsAskedWhenItMayBe) {
  watches_[0].OnBegin(FetchOf(0, 0), 0);  // On a host of its own.
  watches_[1].OnBegin(FetchOf(1, 0), 0);
  watches_[2].AfterTurn(0);
  watches_[2].AfterTurn(999);
  EXPECT_EQ(complaint_.text(), "");
  watches_[2].OnBegin(FetchOf(2, 1'000, false), 1'000);
  EXPECT_EQ(complaint_.text(), "");
}

TEST_F(LineTest, AHostIsNotAskedTooOften) {
  watches_[1].OnBegin(FetchOf(1, 0), 0);
  watches_[2].OnBegin(FetchOf(2, 999, false), 999);
  EXPECT_THAT(complaint_.text(), HasSubstr("too often"));
}

TEST_F(LineTest, NobodyWaitsForAHostThatMayBeAsked) {
  watches_[1].OnBegin(FetchOf(1, 0), 0);
  watches_[2].AfterTurn(1'000);
  EXPECT_THAT(complaint_.text(), HasSubstr("does not begin"));
}

TEST_F(LineTest, WhoHasWaitedBeginsNotLater) {
  watches_[1].OnBegin(FetchOf(1, 0), 0);
  watches_[2].OnBegin(FetchOf(2, 1'001, false), 1'001);
  EXPECT_THAT(complaint_.text(), HasSubstr("too late"));
}

// The time in the line is not the fetch's; and who goes on waits for others that do alone.
TEST_F(LineTest, WhatWasBegunGoesOn) {
  const Exchange metadata = FetchOf(2, 0, false);
  watches_[2].OnBegin(metadata, 0);
  watches_[2].OnEnd(metadata, {.meaning = Served::Meaning::kMetadata, .path = 0}, 100);
  watches_[2].AfterTurn(999);
  EXPECT_EQ(complaint_.text(), "");
  Exchange keys = FetchOf(2, 1'000);
  keys.timeout_ms = 4'900;
  watches_[2].OnBegin(keys, 1'000);
  watches_[2].OnEnd(keys, {.meaning = Served::Meaning::kSet, .keys = 1}, 5'900);
  EXPECT_EQ(complaint_.text(), "");

  watches_[2].OnBegin(FetchOf(2, 906'900), 906'900);
  EXPECT_THAT(complaint_.text(), HasSubstr("too late"));
}

TEST_F(LineTest, AFetchHasNoMoreTimeForALine) {
  const Exchange metadata = FetchOf(2, 0, false);
  watches_[2].OnBegin(metadata, 0);
  watches_[2].OnEnd(metadata, {.meaning = Served::Meaning::kMetadata, .path = 0}, 100);
  watches_[2].OnBegin(FetchOf(2, 1'000), 1'000);
  EXPECT_THAT(complaint_.text(), HasSubstr("longer than its fetch"));
}

TEST_F(LineTest, NobodyStandsInLineForEver) {
  int64_t now_ms = 0;
  for (; now_ms <= 5'000; now_ms += 1'000) {
    const Exchange exchange = FetchOf(1, now_ms);
    hosts_->OnRequest(exchange.place, now_ms);
    watches_[2].AfterTurn(now_ms);
  }
  EXPECT_EQ(complaint_.text(), "");
  hosts_->OnRequest(FetchOf(1, now_ms).place, now_ms);
  watches_[2].AfterTurn(now_ms);
  EXPECT_THAT(complaint_.text(), HasSubstr("in line for too long"));
}

// In any stretch of time at most host_burst + t / host_interval_ms, and so many.
TEST_F(LineTest, TheBucketIsWhatItsSettingsSay) {
  const Place place = FetchOf(1, 0).place;
  Random random(7);
  for (int n = 0; n < 50; ++n) {
    Timing& timing = script_.config.timing;
    timing.host_interval_ms = random.Between(1, 50);
    timing.host_burst = static_cast<int32_t>(random.Between(1, 6));
    HostWatch hosts(script_);
    std::vector<int64_t> times;
    const auto fits = [&](int64_t at_ms) {
      for (size_t i = 0; i < times.size(); ++i) {
        const auto count = static_cast<int64_t>(times.size() - i) + 1;
        if (count > timing.host_burst + (at_ms - times[i]) / timing.host_interval_ms) return false;
      }
      return true;
    };
    int64_t now_ms = 0;
    for (int request = 0; request < 40; ++request) {
      now_ms += random.OneIn(3) ? random.Between(0, 200) : 0;
      if (now_ms < hosts.FreeMs(place)) {
        EXPECT_FALSE(fits(hosts.FreeMs(place) - 1));
        now_ms = hosts.FreeMs(place);
      }
      EXPECT_TRUE(fits(now_ms));
      hosts.OnRequest(place, now_ms);
      times.push_back(now_ms);
    }
  }
}

// --- Single rules of questions about tokens ---

class AskWatchTest : public ::testing::Test {
 protected:
  AskWatchTest() {
    script_.config.timing = Timing();
    script_.config.issuers.resize(1);
    script_.config.issuers[0].introspection = {.in_flight_max = 4, .waiting_max = 4};
    watch_ = std::make_unique<AskWatch>(0, script_, complaint_);
  }
  AskWatch::Known Ask(uint64_t token, int64_t at_ms, bool verified = true, int64_t age_max_ms = 60'000) {
    return watch_->Ask(token, verified, age_max_ms, at_ms);
  }
  Exchange About(uint64_t token, int64_t at_ms) {
    return {.place = {.asked = true}, .begin_ms = at_ms, .timeout_ms = 2'000, .token = token};
  }
  void Begin(uint64_t token, int64_t at_ms) { watch_->OnBegin(About(token, at_ms), at_ms); }
  void End(uint64_t token, int64_t at_ms, Served::Meaning meaning) {
    watch_->OnEnd(About(token, at_ms), {.meaning = meaning}, at_ms);
  }
  // A question from `at_ms` on that is answered 100 ms later.
  void Answered(uint64_t token, int64_t at_ms, Served::Meaning meaning, bool verified = true) {
    EXPECT_TRUE(Ask(token, at_ms, verified).asked);
    Begin(token, at_ms);
    End(token, at_ms + 100, meaning);
  }
  // Five questions that fail, at 0, 1 and so on.
  void OpenBreaker() {
    for (uint64_t token = 1; token <= AskWatch::kFailuresMax; ++token) {
      const auto at_ms = static_cast<int64_t>(token);
      Ask(token, at_ms);
      Begin(token, at_ms);
      End(token, at_ms, Served::Meaning::kFailed);
    }
  }

  using State = AskWatch::Known::State;
  Script script_{1};
  Complaint complaint_;
  std::unique_ptr<AskWatch> watch_;
};

TEST_F(AskWatchTest, AnAnswersAgeCountsFromItsQuestion) {
  Answered(1, 0, Served::Meaning::kActive);
  EXPECT_EQ(Ask(1, 60'000).age_ms, 60'000);
  EXPECT_FALSE(Ask(1, 60'000).asked);
  EXPECT_TRUE(Ask(1, 60'001).asked);
  EXPECT_EQ(Ask(1, 60'001).state, State::kActive);
}

TEST_F(AskWatchTest, AnInactiveAnswerIsAskedAgainAndStaysIfTheSignatureIsGood) {
  Answered(1, 0, Served::Meaning::kInactive);
  Answered(2, 0, Served::Meaning::kInactive, false);
  for (const uint64_t token : {1u, 2u}) {
    EXPECT_EQ(Ask(token, 10'000, token == 1).state, State::kInactive);
    EXPECT_FALSE(Ask(token, 10'000, token == 1).asked);
    EXPECT_TRUE(Ask(token, 10'001, token == 1).asked);
  }
  EXPECT_EQ(Ask(1, 10'001).state, State::kInactive);
  EXPECT_EQ(Ask(2, 10'001, false).state, State::kUnknown);
}

TEST_F(AskWatchTest, OneTokenIsOneQuestionAtATime) {
  Ask(1, 0);
  Begin(1, 0);
  Begin(1, 1);
  EXPECT_THAT(complaint_.text(), HasSubstr("two questions about one token"));
}

TEST_F(AskWatchTest, NobodyIsAskedAboutATokenThatNobodyAskedFor) {
  Begin(1, 0);
  EXPECT_THAT(complaint_.text(), HasSubstr("for nobody"));
}

TEST_F(AskWatchTest, QuestionsAtATimeAreBounded) {
  for (uint64_t token = 1; token <= 5; ++token) EXPECT_TRUE(Ask(token, 0).asked);
  for (uint64_t token = 1; token <= 4; ++token) Begin(token, 0);
  EXPECT_EQ(complaint_.text(), "");
  Begin(5, 0);
  EXPECT_THAT(complaint_.text(), HasSubstr("too many questions"));
}

TEST_F(AskWatchTest, AQuarterIsForTokensThatAreProven) {
  for (uint64_t token = 1; token <= 6; ++token) EXPECT_TRUE(Ask(token, 0, false).asked);
  EXPECT_TRUE(Ask(7, 0, false).overloaded);
  EXPECT_TRUE(Ask(8, 0).asked);
  Begin(8, 0);
  for (uint64_t token = 1; token <= 3; ++token) Begin(token, 0);
  watch_->AfterTurn(0);
  EXPECT_EQ(complaint_.text(), "");
  End(8, 10, Served::Meaning::kActive);
  Begin(4, 10);
  EXPECT_THAT(complaint_.text(), HasSubstr("too many questions"));
}

TEST_F(AskWatchTest, AQuestionThatMayBeSentIs) {
  Ask(1, 0);
  watch_->AfterTurn(0);
  EXPECT_THAT(complaint_.text(), HasSubstr("is not"));
}

TEST_F(AskWatchTest, AFailureIsNotAskedAboutAgainAtOnce) {
  Answered(1, 0, Served::Meaning::kFailed);
  EXPECT_TRUE(Ask(1, 1'099).failing);
  EXPECT_FALSE(Ask(1, 1'099).asked);
  EXPECT_EQ(Ask(1, 1'099).retry_after_ms, 1);
  EXPECT_TRUE(Ask(1, 1'100).asked);
}

TEST_F(AskWatchTest, AnAnswerThatSaysNothingIsNoFailureOfTheEndpoint) {
  Answered(1, 0, Served::Meaning::kFailed);
  Answered(2, 200, Served::Meaning::kSaysNothing);
  EXPECT_FALSE(Ask(2, 301).failing);
  EXPECT_FALSE(Ask(2, 301).asked);
}

TEST_F(AskWatchTest, AnOpenBreakerAsksNobody) {
  OpenBreaker();
  watch_->OnPause(1'000, 5);
  EXPECT_FALSE(Ask(9, 1'004).asked);
  EXPECT_EQ(complaint_.text(), "");
  Begin(9, 1'004);
  EXPECT_THAT(complaint_.text(), HasSubstr("breaker is open"));
}

TEST_F(AskWatchTest, AHalfOpenBreakerAsksOnce) {
  OpenBreaker();
  watch_->OnPause(1'000, 5);
  EXPECT_TRUE(Ask(8, 1'005).asked);
  EXPECT_TRUE(Ask(9, 1'005).asked);
  Begin(8, 1'005);
  watch_->AfterTurn(1'005);
  EXPECT_EQ(complaint_.text(), "");
  Begin(9, 1'005);
  EXPECT_THAT(complaint_.text(), HasSubstr("breaker is open"));
}

TEST_F(AskWatchTest, ABreakersPauseIsBounded) {
  OpenBreaker();
  watch_->OnPause(1'001, 5);
  EXPECT_THAT(complaint_.text(), HasSubstr("should be up to 1000"));
}

// --- The oracle ---

TEST_F(FetchWatchTest, TheOracleKnowsEachSecond) {
  script_.config.issuers.resize(1);
  script_.config.issuers[0] = {.issuer = std::string(IssuerName(0)), .leeway_s = 60};
  script_.config.resources = {{.uri = kResourceA}, {.uri = kResourceB}};
  Good();
  std::vector<FetchWatch> watches = {*watch_};
  std::vector<AskWatch> asks;
  Oracle oracle(script_, watches, asks);
  const auto reason = [&](TokenSpec token, int64_t wall_s, int tool = 2, int64_t now_ms = 20) {
    return oracle.Ask({.token = token, .tool = tool}, now_ms, kWallStart + wall_s).reason;
  };
  const TokenSpec brief{.times = 1};  // From −60 to 900 s.
  EXPECT_EQ(reason(brief, 959), Reason::kNone);
  EXPECT_EQ(reason(brief, 960), Reason::kExpired);
  EXPECT_EQ(reason(brief, -120), Reason::kNone);
  EXPECT_EQ(reason(brief, -121), Reason::kNotYetValid);
  EXPECT_EQ(reason({.times = 4}, 1'739), Reason::kNotYetValid);
  EXPECT_EQ(reason({.times = 4}, 1'740), Reason::kNone);
  EXPECT_EQ(reason({.times = 6}, 0), Reason::kLifetimeTooLong);
  EXPECT_EQ(reason({.scope = 1}, 7'140, 3), Reason::kNone);
  EXPECT_EQ(reason({.scope = 1}, 7'141, 3), Reason::kTooOld);
  EXPECT_EQ(reason({.scope = 1}, 0, 1), Reason::kInsufficientScope);
  EXPECT_EQ(reason({.audience = 1}, 0), Reason::kAudienceMismatch);
  EXPECT_EQ(reason({}, 0, 2, 3'600'010), Reason::kNone);
  EXPECT_EQ(reason({}, 0, 2, 3'600'011), Reason::kKeysTooStale);
  EXPECT_EQ(reason({.key = 4}, 0), Reason::kBadSignature);  // Its kid is that of key 0.
  EXPECT_EQ(reason({.key = 2}, 0), Reason::kKeyPending);
}

}  // namespace
}  // namespace tollgate::sim
