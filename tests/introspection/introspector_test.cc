#include "introspection/introspector.h"

#include <gmock/gmock.h>

#include <algorithm>
#include <map>
#include <random>
#include <set>

#include "tests/introspection/introspector_fixture.h"

namespace tollgate::introspection {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

TEST_F(IntrospectorTest, LeavesAQuestionAndRemembersTheAnswer) {
  const Known before = Ask("token");
  EXPECT_EQ(before.state, State::kUnknown);
  EXPECT_TRUE(before.asked);
  EXPECT_FALSE(before.overloaded);
  EXPECT_EQ(network_.num_requests(), 0u);

  EXPECT_EQ(Run(), now_ms_ + timing().introspection_timeout_ms);
  ASSERT_EQ(network_.num_requests(), 1u);
  const FetchRequest request = network_.requests()[0];
  EXPECT_NE(request.id & Introspector::kIdBit, 0u);
  EXPECT_EQ(request.url, "https://idp.example/introspect");
  EXPECT_EQ(TokenOf(request), "token");
  EXPECT_TRUE(request.authorization.starts_with("Basic "));
  EXPECT_EQ(request.timeout_ms, timing().introspection_timeout_ms);
  EXPECT_EQ(request.reach, Reach::kPublic);
  EXPECT_TRUE(Ask("token").asked);
  EXPECT_EQ(Health().introspections_in_flight, 1u);

  const int64_t sent_ms = now_ms_;
  now_ms_ += 300;
  End("token", Body(R"({"active":true,"exp":1800000000,"nbf":1700000000,"sub":"alice"})"));
  EXPECT_THAT(settled_, ElementsAre(ChannelOf("token")));
  const Known known = Ask("token");
  EXPECT_EQ(known.state, State::kActive);
  EXPECT_FALSE(known.asked);
  EXPECT_EQ(known.age_ms, now_ms_ - sent_ms);  // Never too low: the answer was true when it was given.
  EXPECT_EQ(known.expires_at, 1'800'000'000);
  EXPECT_EQ(known.not_before, 1'700'000'000);
  EXPECT_EQ(text_, R"({"active":true,"exp":1800000000,"nbf":1700000000,"sub":"alice"})");
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(Health().introspections, 1u);
  EXPECT_EQ(Health().introspection_failures, 0u);
  EXPECT_EQ(Health().introspections_in_flight, 0u);
}

// Otherwise an endpoint that is given what a queue has left over would seem to fail.
TEST_F(IntrospectorTest, TheTimeLimitCountsFromWhenAQuestionIsSent) {
  config_.issuers[0].private_network = true;
  Restart();
  Ask("token");
  now_ms_ += 500;
  Run();
  EXPECT_EQ(network_.requests()[0].timeout_ms, timing().introspection_timeout_ms);
  EXPECT_EQ(network_.requests()[0].reach, Reach::kPrivate);
  now_ms_ += timing().introspection_timeout_ms - 1;
  Run();
  EXPECT_THAT(settled_, IsEmpty());
  ++now_ms_;
  Run();
  EXPECT_EQ(settled_.size(), 1u);
}

TEST_F(IntrospectorTest, OneQuestionATokenWhoeverAsks) {
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask("token").asked);
  Run();
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(Ask("token", 0, false, 0).asked);
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);
  End("token", Active());
  EXPECT_EQ(settled_.size(), 1u);
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);
}

TEST_F(IntrospectorTest, WakesOncePerQuestion) {
  int wakes = 0;
  introspector_->SetWaker([&] { ++wakes; });
  Ask("a");
  Ask("a");
  EXPECT_EQ(wakes, 1);
  Ask("a", 1);
  EXPECT_EQ(wakes, 2);
}

// Oathkeeper CVE-2026-33496 and its like: a result crossed over through the cache and through the call under
// way.
TEST_F(IntrospectorTest, IssuersShareNeitherAnswersNorQuestions) {
  // Even if one endpoint serves both.
  config_.issuers[1].introspection.endpoint = config_.issuers[0].introspection.endpoint;
  Restart();
  EXPECT_TRUE(Ask("token", 0).asked);
  EXPECT_TRUE(Ask("token", 1).asked);
  Run();
  const std::vector<FetchRequest> sent = network_.pending();
  ASSERT_EQ(sent.size(), 2u);
  EXPECT_NE(sent[0].id, sent[1].id);
  ASSERT_TRUE(network_.Complete(sent[0].id, Active()));
  TakeIn();
  EXPECT_EQ(settled_.size(), 1u);
  EXPECT_EQ(Ask("token", 0).state, State::kActive);
  EXPECT_EQ(Ask("token", 1).state, State::kUnknown);
  EXPECT_TRUE(Ask("token", 1).asked);
  ASSERT_TRUE(network_.Complete(sent[1].id, Inactive()));
  TakeIn();
  EXPECT_EQ(settled_.size(), 2u);
  EXPECT_EQ(Ask("token", 0).state, State::kActive);
  EXPECT_EQ(Ask("token", 1).state, State::kInactive);
}

TEST_F(IntrospectorTest, AnAnswerThatNamesAnotherIssuerIsNone) {
  Learn("token", Body(R"({"active":true,"iss":"https://other.example"})"));
  EXPECT_EQ(Ask("token").state, State::kUnknown);
  EXPECT_EQ(Health().introspection_failures, 1u);
  Learn("token", Body(R"({"active":true,"iss":"https://other.example"})"), 1);
  EXPECT_EQ(Ask("token", 1).state, State::kActive);
}

TEST_F(IntrospectorTest, IssuersWithoutAnEndpointAreNeverAsked) {
  config_.issuers[0].introspection = {};
  Restart();
  EXPECT_FALSE(introspector_->Serves(0));
  EXPECT_TRUE(introspector_->Serves(1));
  EXPECT_FALSE(introspector_->Serves(2));
  EXPECT_FALSE(Ask("token", 0).asked);
  EXPECT_EQ(Ask("token", 0).state, State::kUnknown);
  EXPECT_FALSE(Ask("token", 2).asked);
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_EQ(network_.num_requests(), 0u);
  EXPECT_EQ(Health().introspections, 0u);
}

TEST_F(IntrospectorTest, TokensAreNamedUnderASecret) {
  EXPECT_EQ(introspector_->NameToken("a", false), introspector_->NameToken("a", false));
  EXPECT_NE(introspector_->NameToken("a", false), introspector_->NameToken("b", false));
  const Fingerprint before = introspector_->NameToken("a", false);
  Restart();
  EXPECT_NE(introspector_->NameToken("a", false), before);
}

// --- How long answers count ---

TEST_F(IntrospectorTest, ActiveAnswersAgeAsTheCallerAndTheSettingSay) {
  Learn("token", Active());
  now_ms_ += 1'000;
  EXPECT_FALSE(Ask("token", 0, false, 1'000).asked);
  EXPECT_TRUE(Ask("token", 0, false, 999).asked);
  Run();
  End("token", Active());
  EXPECT_EQ(Ask("token").age_ms, 0);

  now_ms_ += timing().active_age_max_ms;
  EXPECT_FALSE(Ask("token").asked);
  now_ms_ += 1;
  const Known old = Ask("token");  // Whatever the caller would take.
  EXPECT_TRUE(old.asked);
  EXPECT_EQ(old.state, State::kActive);  // It is the last known one, and the caller sees how old it is.
  EXPECT_EQ(old.age_ms, timing().active_age_max_ms + 1);
  EXPECT_EQ(text_, R"({"active":true})");
}

TEST_F(IntrospectorTest, InactiveOfAVerifiedTokenStaysAndIsAskedAgain) {
  Learn("token", Inactive(), 0, /*verified=*/true);
  now_ms_ += timing().inactive_age_max_ms;
  EXPECT_EQ(Ask("token", 0, true).state, State::kInactive);
  EXPECT_FALSE(Ask("token", 0, true, 0).asked);  // The caller's age is for active ones.
  now_ms_ += 1;
  const Known old = Ask("token", 0, true);
  EXPECT_EQ(old.state, State::kInactive);
  EXPECT_TRUE(old.asked);
  EXPECT_EQ(old.age_ms, timing().inactive_age_max_ms + 1);
  Run();
  End("token", Active());
  EXPECT_EQ(Ask("token", 0, true).state, State::kActive);
}

TEST_F(IntrospectorTest, InactiveOfAnyOtherTokenIsForgottenAndAskedAgain) {
  Learn("token", Inactive());
  now_ms_ += timing().inactive_age_max_ms;
  EXPECT_EQ(Ask("token").state, State::kInactive);
  EXPECT_FALSE(Ask("token").asked);
  now_ms_ += 1;
  EXPECT_EQ(Ask("token").state, State::kUnknown);
  EXPECT_TRUE(Ask("token").asked);
}

TEST_F(IntrospectorTest, ATokenIsVerifiedIfAnyoneWhoWaitedHadVerifiedIt) {
  Ask("token", 0, false);
  Run();
  Ask("token", 0, true);
  End("token", Inactive());
  now_ms_ += timing().inactive_age_max_ms + 1;
  EXPECT_EQ(Ask("token", 0, false).state, State::kInactive);
}

TEST_F(IntrospectorTest, WhatBecameInactiveIsNotActiveAnyMore) {
  Learn("token", Active());
  now_ms_ += 10;
  Learn("token", Inactive());
  EXPECT_EQ(Ask("token").state, State::kInactive);
}

// --- The bulkhead ---

class BulkheadTest : public IntrospectorTest {
 protected:
  BulkheadTest() {
    config_.issuers[0].introspection.in_flight_max = 4;
    config_.issuers[0].introspection.waiting_max = 4;
    Restart();
  }
};

TEST_F(BulkheadTest, BeyondItQuestionsAreRefusedWithAHint) {
  for (int i = 0; i < 6; ++i) EXPECT_TRUE(Ask("u" + std::to_string(i)).asked) << i;
  const Known refused = Ask("u6");
  EXPECT_FALSE(refused.asked);
  EXPECT_TRUE(refused.overloaded);
  EXPECT_EQ(refused.state, State::kUnknown);
  EXPECT_TRUE(Ask("u5").asked);     // Who joins a question takes no room.
  EXPECT_TRUE(Ask("u6", 1).asked);  // The other issuer has a bulkhead of its own.
  EXPECT_EQ(Health().introspections_refused, 1u);
  Run();
  EXPECT_THAT(Sent(), ElementsAre("u0", "u1", "u2", "u6"));
  EXPECT_EQ(Health().introspections_in_flight, 3u);
  // The hint is honest: by then there is room.
  now_ms_ += refused.retry_after_ms;
  for (int i = 0; i < 3; ++i) End("u" + std::to_string(i), Broken(FetchOutcome::kTimedOut));
  Run();
  EXPECT_TRUE(Ask("u6").asked);
}

TEST_F(BulkheadTest, AQuarterIsKeptForTokensThatWereOnceActive) {
  for (const char* token : {"p0", "p1", "p2"}) Learn(token, Active());
  now_ms_ += timing().active_age_max_ms + 1;
  for (int i = 0; i < 20; ++i) Ask("u" + std::to_string(i));
  Run();
  EXPECT_THAT(Sent(), ElementsAre("u0", "u1", "u2"));
  EXPECT_TRUE(Ask("p0").asked);
  EXPECT_TRUE(Ask("p1").asked);
  Run();
  EXPECT_THAT(Sent(), ElementsAre("u0", "u1", "u2", "p0"));
  EXPECT_TRUE(Ask("p2").overloaded);  // Of it, too, there is an end.
  EXPECT_EQ(Ask("p2").state, State::kActive);
  // They go first.
  End("u1", Inactive());
  Run();
  EXPECT_THAT(Sent(), ElementsAre("u0", "u2", "p0", "p1"));
  End("p0", Active());
  Run();
  EXPECT_THAT(Sent(), ElementsAre("u0", "u2", "p1", "u3"));
}

TEST_F(BulkheadTest, PlacesOfOneAreNoQuarter) {
  config_.issuers[0].introspection.in_flight_max = 1;
  config_.issuers[0].introspection.waiting_max = 0;
  Restart();
  EXPECT_TRUE(Ask("a").asked);
  EXPECT_TRUE(Ask("b").overloaded);
  Run();
  End("a", Inactive());
  EXPECT_TRUE(Ask("b").asked);
  Run();
  EXPECT_THAT(Sent(), ElementsAre("b"));
}

// --- Questions that bring no answer ---

TEST_F(BulkheadTest, AQuestionThatWaitsTooLongIsGivenUp) {
  config_.issuers[0].introspection.in_flight_max = 1;
  Restart();
  Ask("sent");
  const int64_t sent_until_ms = now_ms_ + timing().introspection_timeout_ms;
  Run();
  now_ms_ += 100;
  Ask("waits");
  EXPECT_EQ(Run(), sent_until_ms);
  now_ms_ = sent_until_ms - 1;
  EXPECT_EQ(Run(), sent_until_ms);
  EXPECT_THAT(settled_, IsEmpty());

  now_ms_ = sent_until_ms;
  EXPECT_EQ(Run(), sent_until_ms + 100);
  EXPECT_THAT(settled_, ElementsAre(ChannelOf("sent")));
  EXPECT_EQ(Ask("sent").retry_after_ms, timing().backoff_min_ms);
  EXPECT_EQ(Health().introspections_refused, 0u);
  now_ms_ += 100;
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_THAT(settled_, ElementsAre(ChannelOf("sent"), ChannelOf("waits")));
  EXPECT_EQ(Health().introspection_failures, 0u);
  EXPECT_EQ(Health().introspections_refused, 1u);
  // It was never sent, and may be left again at once.
  EXPECT_TRUE(Ask("waits").asked);
  // The exchange has its place until it has ended.
  Run();
  EXPECT_THAT(Sent(), ElementsAre("sent"));
  EXPECT_EQ(Health().introspections_in_flight, 1u);
  End("sent", Broken(FetchOutcome::kTimedOut));
  EXPECT_EQ(settled_.size(), 2u);
  EXPECT_EQ(Health().introspection_failures, 1u);
  Run();
  EXPECT_THAT(Sent(), ElementsAre("waits"));
}

TEST_F(IntrospectorTest, AGoodAnswerAfterItsQuestionWasGivenUpIsRememberedAndSettlesNothingTwice) {
  Ask("token");
  Run();
  now_ms_ += timing().introspection_timeout_ms;
  Run();
  EXPECT_EQ(settled_.size(), 1u);
  now_ms_ += 10;
  End("token", Active());
  EXPECT_EQ(settled_.size(), 1u);
  const Known known = Ask("token");
  EXPECT_EQ(known.state, State::kActive);
  EXPECT_EQ(known.age_ms, timing().introspection_timeout_ms + 10);
  EXPECT_EQ(Health().introspection_failures, 0u);
  EXPECT_EQ(Health().last_introspection_error, "");
}

TEST_F(IntrospectorTest, ALateAnswerDoesNotReplaceANewerOne) {
  Ask("token");
  Run();
  const uint64_t late_id = network_.pending()[0].id;
  now_ms_ += timing().introspection_timeout_ms;
  Run();
  now_ms_ += timing().backoff_min_ms;
  EXPECT_TRUE(Ask("token").asked);
  Run();
  ASSERT_EQ(network_.pending().size(), 2u);
  ASSERT_TRUE(network_.Complete(network_.pending()[1].id, Inactive()));
  TakeIn();
  EXPECT_EQ(Ask("token").state, State::kInactive);
  ASSERT_TRUE(network_.Complete(late_id, Active()));
  TakeIn();
  EXPECT_EQ(Ask("token").state, State::kInactive);
  EXPECT_EQ(settled_.size(), 2u);
}

TEST_F(IntrospectorTest, ALateAnswerLeavesTheNewQuestionAlone) {
  Ask("token");
  Run();
  now_ms_ += timing().introspection_timeout_ms;
  Run();
  now_ms_ += timing().backoff_min_ms;
  EXPECT_TRUE(Ask("token", 0, false, 100).asked);
  Run();
  End("token", Active());  // The old one.
  EXPECT_EQ(settled_.size(), 1u);
  EXPECT_TRUE(Ask("token", 0, false, 100).asked);
  End("token", Active());
  EXPECT_EQ(settled_.size(), 2u);
  EXPECT_FALSE(Ask("token", 0, false, 100).asked);
}

TEST_F(IntrospectorTest, ResultsThatNobodyAskedForChangeNothing) {
  Ask("token");
  Run();
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = 200;
  result.body = R"({"active":true})";
  const uint64_t id = network_.pending()[0].id;
  for (const uint64_t other :
       {id + 1, id - 1, id + 4096, id & ~Introspector::kIdBit, ~uint64_t{0}, uint64_t{0}}) {
    result.id = other;
    introspector_->TakeIn(result, now_ms_);
  }
  EXPECT_THAT(settled_, IsEmpty());
  EXPECT_EQ(Ask("token").state, State::kUnknown);
  result.id = id;
  introspector_->TakeIn(result, now_ms_);
  introspector_->TakeIn(result, now_ms_);
  EXPECT_EQ(settled_.size(), 1u);
  EXPECT_EQ(Health().introspections_in_flight, 0u);
}

// So that those who waited, and ask again at once, do not ask the endpoint in a circle.
TEST_F(IntrospectorTest, ATokenWhoseQuestionBroughtNoAnswerIsNotAskedAboutAgainAtOnce) {
  for (const FakeAnswer& answer : {Broken(), Body("garbage"), Body("", 400), Body("", 401),
                                   Body(R"({"error":"unsupported_token_type"})", 400)}) {
    Learn("token", answer);
    const Known known = Ask("token");
    EXPECT_FALSE(known.asked);
    EXPECT_FALSE(known.overloaded);
    EXPECT_EQ(known.state, State::kUnknown);
    EXPECT_EQ(known.retry_after_ms, timing().backoff_min_ms);
    now_ms_ += known.retry_after_ms - 1;
    EXPECT_FALSE(Ask("token").asked);
    now_ms_ += 1;
  }
  EXPECT_EQ(Health().introspection_failures, 5u);
  EXPECT_TRUE(Ask("token", 1).asked);  // Of the other issuer this says nothing.
  Learn("token", Active());
  EXPECT_EQ(Ask("token").state, State::kActive);
  EXPECT_TRUE(Ask("token", 0, false, -1).asked);
}

// A flood of them must not fill the memory; beyond its end they may be asked about at once.
TEST_F(IntrospectorTest, WhatBroughtNoAnswerIsRememberedInBounds) {
  config_.issuers[0].introspection.in_flight_max = 1024;
  config_.issuers[0].introspection.waiting_max = 4096;
  Restart();
  network_.SetAnswer(config_.issuers[0].introspection.endpoint, Body("garbage"));
  const auto flood = [&](std::string_view name) {
    for (int i = 0; i < 1'500; ++i) ASSERT_TRUE(Ask(std::string(name) + std::to_string(i)).asked);
    while (Run() != INT64_MAX) TakeIn();
  };
  const auto remembered = [&](std::string_view name) {
    int count = 0;
    for (int i = 0; i < 1'500; ++i) count += Ask(std::string(name) + std::to_string(i)).retry_after_ms > 0;
    return count;
  };
  flood("a");
  EXPECT_EQ(remembered("a"), 1'024);
  while (Run() != INT64_MAX) TakeIn();  // What `remembered` has left ends, too.
  now_ms_ += timing().backoff_min_ms;
  flood("b");  // Takes the places of those whose time is over.
  EXPECT_EQ(remembered("b"), 1'024);
}

// --- The breaker ---

class BreakerTest : public IntrospectorTest {
 protected:
  // Five tokens, one after the other, are asked about in vain.
  void Open() {
    for (int i = 0; i < 5; ++i) Learn("open-" + std::to_string(i), Broken());
    EXPECT_GT(Health().introspection_paused_for_ms, 0);
  }
  void Wait() { now_ms_ += Health().introspection_paused_for_ms; }
};

TEST_F(BreakerTest, OpensAfterFiveFailuresAndSaysHowLong) {
  for (int i = 0; i < 4; ++i) Learn("f" + std::to_string(i), Broken());
  Learn("good", Active());
  Open();
  const size_t sent = network_.num_requests();
  const Known known = Ask("token");
  EXPECT_FALSE(known.asked);
  EXPECT_FALSE(known.overloaded);
  EXPECT_EQ(known.retry_after_ms, Health().introspection_paused_for_ms);
  EXPECT_LE(known.retry_after_ms, timing().backoff_min_ms);
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_EQ(network_.num_requests(), sent);
  EXPECT_EQ(Ask("good").state, State::kActive);  // What is known stays known.
  EXPECT_TRUE(Ask("token", 1).asked);            // The other issuer has a breaker of its own.
  now_ms_ += known.retry_after_ms - 1;
  EXPECT_FALSE(Ask("token").asked);
  now_ms_ += 1;
  EXPECT_TRUE(Ask("token").asked);
  EXPECT_EQ(Health().introspection_paused_for_ms, 0);
}

TEST_F(BreakerTest, ProbesWithOneQuestionAndThenSendsTheOthers) {
  Open();
  Wait();
  for (const char* token : {"a", "b", "c"}) EXPECT_TRUE(Ask(token).asked);
  Run();
  EXPECT_THAT(Sent(), ElementsAre("a"));
  Run();
  EXPECT_THAT(Sent(), ElementsAre("a"));
  const Known known = Ask("d");
  EXPECT_FALSE(known.asked);
  EXPECT_EQ(known.retry_after_ms, timing().backoff_min_ms);
  End("a", Inactive());
  Run();
  EXPECT_THAT(Sent(), ElementsAre("b", "c"));
  EXPECT_TRUE(Ask("d").asked);
}

TEST_F(BreakerTest, AFailedProbeGivesUpWhoWaitsForIt) {
  Open();
  Wait();
  settled_.clear();
  for (const char* token : {"a", "b"}) EXPECT_TRUE(Ask(token).asked);
  Run();
  End("a", Broken());
  EXPECT_THAT(settled_, UnorderedElementsAre(ChannelOf("a"), ChannelOf("b")));
  EXPECT_GT(Health().introspection_paused_for_ms, 0);
  EXPECT_LE(Health().introspection_paused_for_ms, 2 * timing().backoff_min_ms);
  EXPECT_EQ(Health().introspection_failures, 6u);
  EXPECT_EQ(Health().introspections_refused, 1u);
  EXPECT_FALSE(Ask("b").asked);
  EXPECT_EQ(Run(), INT64_MAX);
  EXPECT_THAT(Sent(), IsEmpty());
}

TEST_F(BreakerTest, AProbeThatIsGivenUpProbesUntilItEnds) {
  for (const bool answered : {false, true}) {
    Open();
    Wait();
    ASSERT_TRUE(Ask("a").asked);
    Run();
    now_ms_ += timing().introspection_timeout_ms;
    settled_.clear();
    Run();
    EXPECT_THAT(settled_, ElementsAre(ChannelOf("a")));
    EXPECT_FALSE(Ask("b").asked);
    End("a", answered ? Active() : Broken(FetchOutcome::kTimedOut));
    EXPECT_EQ(Health().introspection_paused_for_ms > 0, !answered);
    EXPECT_EQ(Ask("a").state, answered ? State::kActive : State::kUnknown);
    Restart();
  }
}

TEST_F(BreakerTest, QuestionsSentBeforeItOpenedDoNotCountAgainstTheProbe) {
  for (int i = 0; i < 9; ++i) Ask("s" + std::to_string(i));
  Run();
  for (int i = 0; i < 5; ++i) End("s" + std::to_string(i), Broken());
  const int64_t paused_for_ms = Health().introspection_paused_for_ms;
  EXPECT_GT(paused_for_ms, 0);
  End("s5", Broken());
  EXPECT_EQ(Health().introspection_paused_for_ms, paused_for_ms);
  Wait();
  EXPECT_TRUE(Ask("probe").asked);
  EXPECT_TRUE(Ask("next").asked);
  Run();
  End("s6", Broken());
  Run();
  EXPECT_THAT(Sent(), ElementsAre("s7", "s8", "probe"));  // Still one probe.
  EXPECT_EQ(Health().introspection_paused_for_ms, 0);
  End("s7", Active());  // This one says that the endpoint answers again.
  Run();
  EXPECT_THAT(Sent(), ElementsAre("s8", "probe", "next"));
  EXPECT_EQ(Health().introspection_failures, 7u);
}

TEST_F(BreakerTest, OneFailureSaysThatTheEndpointIsFailingAndOneAnswerThatItIsNot) {
  EXPECT_FALSE(Ask("token").failing);
  Learn("a", Broken());
  EXPECT_TRUE(Ask("token").failing);
  EXPECT_FALSE(Ask("token", 1).failing);
  Learn("b", Inactive());
  EXPECT_FALSE(Ask("token").failing);
  Open();
  EXPECT_TRUE(Ask("token").failing);
  Wait();
  EXPECT_TRUE(Ask("b", 0, true).failing);
  Learn("c", Body("garbage"));
  EXPECT_FALSE(Ask("token").failing);
}

// Request threads may have read the clock later than the background side.
TEST_F(BreakerTest, AQuestionThatCameAMomentTooEarlyIsSentWhenThePauseIsOver) {
  Open();
  Wait();
  EXPECT_TRUE(Ask("token").asked);
  now_ms_ -= 1;
  EXPECT_EQ(Run(), now_ms_ + 1);
  EXPECT_THAT(Sent(), IsEmpty());
  now_ms_ += 1;
  EXPECT_EQ(Run(), now_ms_ + timing().introspection_timeout_ms);
  EXPECT_THAT(Sent(), ElementsAre("token"));
}

// Whoever can send tokens must not be able to stop the questions about all others'.
TEST_F(BreakerTest, AnswersThatSayNothingOfATokenDoNotOpenIt) {
  for (const FakeAnswer& answer :
       {Body("garbage"), Body("", 400), Body("", 413), Body(R"({"active":"true"})"),
        Body(R"({"active":true,"iss":"https://other.example"})"), Broken(FetchOutcome::kTooLarge),
        Body(R"({"error":"unsupported_token_type"})", 400)}) {
    for (int i = 0; i < 10; ++i) Learn("t" + std::to_string(i), answer);
    EXPECT_EQ(Health().introspection_paused_for_ms, 0);
    now_ms_ += timing().backoff_min_ms;
  }
  EXPECT_EQ(Health().introspection_failures, 70u);
  EXPECT_NE(Health().last_introspection_error, "");
}

// --- What is told and what is kept ---

TEST_F(IntrospectorTest, ErrorsRepeatNothingOfTokenSecretAndAnswer) {
  constexpr char kToken[] = "t0ken-of-a-user";
  std::vector<FakeAnswer> answers;
  for (int outcome = 1; outcome <= static_cast<int>(FetchOutcome::kAddressRefused); ++outcome)
    answers.push_back(Broken(static_cast<FetchOutcome>(outcome)));
  for (const int status : {200, 302, 400, 401, 500}) {
    for (const char* text : {kToken, kSecret}) {
      answers.push_back(Body(text, status));
      answers.push_back(Body(R"({"error":")" + std::string(text) + "\"}", status));
      answers.push_back(Body(R"({"active":true,"iss":")" + std::string(text) + "\"}", status));
    }
  }
  for (const FakeAnswer& answer : answers) {
    Restart();
    Learn(kToken, answer);
    const std::string error = Health().last_introspection_error;
    EXPECT_FALSE(error.empty());
    EXPECT_EQ(error.find('\n'), std::string::npos);
    for (const char* text : {kToken, kSecret, "client", "idp.example", "other.example"})
      EXPECT_EQ(error.find(text), std::string::npos) << error;
  }
}

// More questions than it can answer are no failure of an endpoint: it answers each in a tenth of its time.
TEST_F(IntrospectorTest, AFloodDoesNotPauseAnEndpointThatAnswers) {
  std::map<uint64_t, int64_t> sent_ms;
  int overloaded = 0;
  for (int i = 0; i < 4'000; ++i) {
    overloaded += Ask("random" + std::to_string(i)).overloaded;
    now_ms_ += 5;
    Run();
    for (const FetchRequest& request : network_.pending()) {
      if (now_ms_ - sent_ms.emplace(request.id, now_ms_).first->second >= 200)
        network_.Complete(request.id, Inactive());
    }
    TakeIn();
    ASSERT_EQ(Health().introspection_paused_for_ms, 0) << "after " << i;
  }
  const int given_up = static_cast<int>(Health().introspections_refused) - overloaded;
  EXPECT_GT(overloaded + given_up, 1'000) << "or this was no flood";
  EXPECT_EQ(Health().introspection_failures, 0u);
}

TEST_F(IntrospectorTest, TheCacheStaysWithinItsBytes) {
  config_.introspection_cache_bytes = 64 * 1024;
  config_.issuers[0].introspection.in_flight_max = 1024;
  Restart();
  const std::string claim(500, 'x');
  for (int round = 0; round < 10; ++round) {
    for (int i = 0; i < 700; ++i) ASSERT_TRUE(Ask(std::to_string(round * 1000 + i)).asked);
    Run();
    size_t n = 0;
    while (network_.CompleteOldest(++n % 2 == 0 ? Inactive()
                                                : Body(R"({"active":true,"sub":")" + claim + "\"}"))) {
    }
    TakeIn();
    ASSERT_LE(introspector_->cache_bytes(), config_.introspection_cache_bytes);
  }
  EXPECT_GT(introspector_->cache_bytes(), config_.introspection_cache_bytes / 4);
}

// Any traffic, any network: the bulkhead holds, every question settles exactly once and in time, a token has
// one question at a time, and what is said of a token is what its own issuer answered.
class WalkTest : public IntrospectorTest {
 protected:
  WalkTest() {
    for (IssuerConfig& issuer : config_.issuers) {
      issuer.introspection.in_flight_max = 4;
      issuer.introspection.waiting_max = 3;
    }
    config_.introspection_cache_bytes = 16 * 1024;
  }

  // A token is active at one issuer only, so that an answer of the wrong one would be seen.
  static bool IsActive(std::string_view token, uint32_t issuer) { return (token.size() + issuer) % 2 == 0; }
  static uint32_t IssuerOf(const FetchRequest& request) {
    return request.url.find("other") == std::string::npos ? 0 : 1;
  }

  void AskSomething() {
    const auto issuer = static_cast<uint32_t>(random_() % 2);
    const std::string token(1 + random_() % 50, 't');
    const size_t before = left_ms_.size();
    const Known told = Ask(token, issuer, false, static_cast<int64_t>(random_() % 5'000));
    if (left_ms_.size() != before) {
      EXPECT_TRUE(told.asked);
      ++open_[ChannelOf(token)];
    }
    EXPECT_FALSE(told.asked && (told.retry_after_ms != 0 || told.overloaded));
    if (told.state != State::kUnknown) {
      EXPECT_EQ(told.state == State::kActive, IsActive(token, issuer));
      ++answered_;
    }
    overloaded_ += told.overloaded;
    paused_ += !told.asked && !told.overloaded && told.retry_after_ms > 0;
  }

  void EndSomething(uint64_t broken_percent) {
    const std::vector<FetchRequest> pending = network_.pending();
    if (pending.empty()) return;
    const FetchRequest& request = pending[random_() % pending.size()];
    const uint64_t dice = random_() % 100;
    const bool active = IsActive(TokenOf(request), IssuerOf(request));
    network_.Complete(request.id, dice < broken_percent       ? Broken()
                                  : dice < broken_percent + 5 ? Body("garbage")
                                  : active                    ? Active()
                                                              : Inactive());
    Look([this] { TakeIn(); });
  }

  // What `act` settles was asked, and not settled before.
  template <typename Act>
  void Look(Act act) {
    settled_.clear();
    act();
    for (const uint32_t channel : settled_) {
      EXPECT_GT(open_[channel], 0);
      --open_[channel];
    }
    num_settled_ += settled_.size();
    const std::vector<FetchRequest> pending = network_.pending();
    for (const FetchRequest& request : pending) until_ms_.emplace(request.id, now_ms_ + request.timeout_ms);
    for (uint32_t issuer = 0; issuer < 2; ++issuer) EXPECT_LE(Health(issuer).introspections_in_flight, 4u);
  }

  void ExpectOneQuestionEachAndInTime() {
    const auto recent = std::count_if(left_ms_.begin(), left_ms_.end(), [&](int64_t left_ms) {
      return now_ms_ - left_ms < 2 * timing().introspection_timeout_ms;  // One for the wait.
    });
    EXPECT_LE(left_ms_.size() - num_settled_, static_cast<size_t>(recent));
    std::set<std::pair<uint32_t, std::string>> seen;
    for (const FetchRequest& request : network_.pending()) {
      if (until_ms_[request.id] <= now_ms_) continue;  // Given up.
      EXPECT_TRUE(seen.insert({IssuerOf(request), TokenOf(request)}).second);
    }
  }

  std::mt19937_64 random_{7662};
  std::vector<int64_t> left_ms_;  // When each question was left.
  size_t num_settled_ = 0;
  int answered_ = 0, overloaded_ = 0, paused_ = 0;
  std::map<uint32_t, int> open_;          // Questions that were left and have not settled, by channel.
  std::map<uint64_t, int64_t> until_ms_;  // The time limit of what was sent, by id.
};

TEST_F(WalkTest, KeepsEveryPromise) {
  for (const uint64_t broken_percent : {5, 40, 95}) {
    Restart();
    introspector_->SetWaker([this] { left_ms_.push_back(now_ms_); });
    left_ms_.clear();
    open_.clear();
    until_ms_.clear();
    num_settled_ = 0;
    for (int step = 0; step < 20'000 && !HasFailure(); ++step) {
      const uint64_t dice = random_() % 10;
      if (dice < 6) AskSomething();
      if (dice == 6 || dice == 7) EndSomething(broken_percent);
      if (dice == 8) now_ms_ += static_cast<int64_t>(random_() % 400);
      if (dice >= 8) {
        Look([this] { Run(); });
        ExpectOneQuestionEachAndInTime();
        EXPECT_LE(introspector_->cache_bytes(), config_.introspection_cache_bytes);
      }
    }
    now_ms_ += timing().introspection_timeout_ms;
    Look([this] { EXPECT_EQ(Run(), INT64_MAX); });
    EXPECT_EQ(num_settled_, left_ms_.size());
    while (network_.CompleteOldest(Broken())) {
    }
    Look([this] { TakeIn(); });
    EXPECT_EQ(num_settled_, left_ms_.size());
    EXPECT_EQ(Health(0).introspections_in_flight + Health(1).introspections_in_flight, 0u);
  }
  EXPECT_GT(answered_, 500);
  EXPECT_GT(overloaded_, 100);
  EXPECT_GT(paused_, 100);
}

TEST_F(IntrospectorTest, AnotherIssuerAtTheSamePositionInheritsNothing) {
  introspector_->Ask(0, "known", introspector_->NameToken("known", false), true, 60'000, 0);
  introspector_->RunDue(0, network_);
  network_.CompleteOldest(Active());
  std::vector<FetchResult> done;
  network_.Poll(0, &done);
  for (FetchResult& result : done) introspector_->TakeIn(std::move(result), 0);
  introspector_->Ask(0, "asked", introspector_->NameToken("asked", false), true, 60'000, 0);
  introspector_->RunDue(0, network_);
  introspector_->Ask(0, "waits", introspector_->NameToken("waits", false), true, 60'000, 0);
  settled_.clear();

  const IssuerConfig next = Issuer("https://next.example");
  introspector_->SetIssuer(0, &next);
  EXPECT_EQ(settled_.size(), 2u) << "whoever waits is told";
  EXPECT_EQ(introspector_->Ask(0, "known", introspector_->NameToken("known", false), true, 60'000, 0).state,
            State::kUnknown);
  // The answer to the other issuer's question comes late.
  network_.CompleteOldest(Active());
  done.clear();
  network_.Poll(0, &done);
  for (FetchResult& result : done) introspector_->TakeIn(std::move(result), 0);
  EXPECT_EQ(introspector_->Ask(0, "asked", introspector_->NameToken("asked", false), true, 60'000, 0).state,
            State::kUnknown);
  introspector_->RunDue(0, network_);
  EXPECT_EQ(network_.pending().back().url, "https://next.example/introspect");

  introspector_->SetIssuer(0, nullptr);
  EXPECT_FALSE(introspector_->Serves(0));
  const Known known =
      introspector_->Ask(0, "asked", introspector_->NameToken("asked", false), true, 60'000, 0);
  EXPECT_FALSE(known.asked);
  introspector_->SetIssuer(700, &next);
  EXPECT_TRUE(introspector_->Serves(700));
}

}  // namespace
}  // namespace tollgate::introspection
