// How much is asked: the bulkhead, questions that bring no answer, the breaker.

#include <gmock/gmock.h>

#include <map>

#include "tests/introspection/introspector_fixture.h"

namespace tollgate::introspection {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

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
    introspector_->TakeIn(result, Moment());
  }
  EXPECT_THAT(settled_, IsEmpty());
  EXPECT_EQ(Ask("token").state, State::kUnknown);
  result.id = id;
  introspector_->TakeIn(result, Moment());
  introspector_->TakeIn(result, Moment());
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

}  // namespace
}  // namespace tollgate::introspection
