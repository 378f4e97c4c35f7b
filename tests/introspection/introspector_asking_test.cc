// What is asked, what is remembered of the answers and for how long, and what is told of it.

#include <gmock/gmock.h>

#include "tests/introspection/introspector_fixture.h"

namespace tollgate::introspection {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

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

TEST_F(IntrospectorTest, AnotherIssuerAtTheSamePositionInheritsNothing) {
  introspector_->Ask(0, "known", introspector_->NameToken("known", false), true, 60'000, 0);
  introspector_->RunDue(0, network_);
  network_.CompleteOldest(Active());
  std::vector<FetchResult> done;
  network_.Poll(0, &done);
  for (FetchResult& result : done) introspector_->TakeIn(std::move(result), Now{});
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
  for (FetchResult& result : done) introspector_->TakeIn(std::move(result), Now{});
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
