#include "pipeline/admission.h"

#include <atomic>
#include <thread>
#include <vector>

#include "tests/pipeline/engine_fixture.h"

namespace tollgate::pipeline {
namespace {

using enum Admission::Answer;

constexpr int64_t kNowMs = 1'000'000;

TEST(Admission, DefaultsFollowTheProcessors) {
  EXPECT_EQ(Admission({}, 1, 0).in_flight_max(), 8u);
  EXPECT_EQ(Admission({}, 1, 4).in_flight_max(), 8u);
  EXPECT_EQ(Admission({}, 1, 64).in_flight_max(), 128u);
  EXPECT_EQ(Admission({}, 1, 64).in_flight_per_issuer_max(), 96u);
  EXPECT_EQ(Admission({.in_flight_max = 1}, 1, 64).in_flight_per_issuer_max(), 1u);
  EXPECT_EQ(Admission({.in_flight_per_issuer_max = 100}, 1, 4).in_flight_per_issuer_max(), 8u);
}

TEST(Admission, OneIssuerCannotTakeAllPlacesAndAllIssuersNotMore) {
  Admission admission({.in_flight_max = 4, .in_flight_per_issuer_max = 3}, 2, 1);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(admission.Begin(0, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kTooManyAtOnce);
  EXPECT_EQ(admission.Begin(1, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(1, false, kNowMs), kTooManyAtOnce);
  EXPECT_EQ(admission.num_refused(0), 1u);
  EXPECT_EQ(admission.num_refused(1), 1u);
  admission.End(0, false);
  // A refusal has kept no place of either kind.
  EXPECT_EQ(admission.Begin(1, false, kNowMs), kAdmitted);
  admission.End(1, false), admission.End(1, false);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kTooManyAtOnce);
}

TEST(Admission, AKnownTokenNeedsAPlaceInTotalAlone) {
  Admission admission({.in_flight_max = 3, .in_flight_per_issuer_max = 1, .in_vain_percent_max = 1}, 1, 1);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kTooManyAtOnce);
  EXPECT_EQ(admission.Begin(0, true, kNowMs), kAdmitted);
  admission.Spend(0, kNowMs, 1'000'000);
  EXPECT_EQ(admission.Begin(0, true, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(0, true, kNowMs), kTooManyAtOnce);
  admission.End(0, true), admission.End(0, true), admission.End(0, false);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kTooManyInVain);
}

TEST(Admission, WhatOneIssuerSpendsIsNotTheOthers) {
  Admission admission({.in_vain_percent_max = 10}, 2, 1);
  admission.Spend(0, kNowMs, 1'000'000);  // All of ten seconds.
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kTooManyInVain);
  EXPECT_EQ(admission.WaitMs(0, kNowMs), 1);
  EXPECT_EQ(admission.Begin(1, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.WaitMs(1, kNowMs), 0);
  EXPECT_EQ(admission.Begin(0, false, kNowMs + 1), kAdmitted);
}

// A thread that was held up after it had read the clock.
TEST(Admission, TimeThatHasPassedIsNoDebt) {
  Admission admission({.in_vain_percent_max = 10}, 1, 1);
  admission.Spend(0, kNowMs + 60'000, 38);
  EXPECT_EQ(admission.WaitMs(0, kNowMs), 0);
  admission.Spend(0, kNowMs, 1'000'000);
  EXPECT_EQ(admission.WaitMs(0, kNowMs), 1);
  EXPECT_EQ(admission.WaitMs(0, kNowMs + 60'001), 0);
}

TEST(Admission, WithoutABoundNothingIsSpent) {
  Admission admission({.in_vain_percent_max = 0}, 1, 1);
  admission.Spend(0, kNowMs, INT64_MAX);
  EXPECT_EQ(admission.Begin(0, false, kNowMs), kAdmitted);
}

TEST(AdmissionThreads, NeverMoreThanTheBoundsAtATime) {
  constexpr uint32_t kInAll = 3, kPerIssuer = 2;
  constexpr int kThreads = 8, kRounds = 20'000;
  Admission admission({.in_flight_max = kInAll, .in_flight_per_issuer_max = kPerIssuer}, 2, 1);
  // Ordering: relaxed, all; counts, whose final reads the joins order.
  std::atomic<uint32_t> in_all{0}, of_issuer[2] = {}, too_many{0}, admitted{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, issuer = static_cast<uint32_t>(t % 2)] {
      for (int i = 0; i < kRounds; ++i) {
        if (admission.Begin(issuer, false, kNowMs) != kAdmitted) continue;
        if (in_all.fetch_add(1, std::memory_order_relaxed) >= kInAll ||
            of_issuer[issuer].fetch_add(1, std::memory_order_relaxed) >= kPerIssuer) {
          too_many.fetch_add(1, std::memory_order_relaxed);
        }
        admitted.fetch_add(1, std::memory_order_relaxed);
        if (i % 64 == 0) std::this_thread::yield();
        of_issuer[issuer].fetch_sub(1, std::memory_order_relaxed);
        in_all.fetch_sub(1, std::memory_order_relaxed);
        admission.End(issuer, false);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(too_many.load(std::memory_order_relaxed), 0u);
  EXPECT_EQ(admitted.load(std::memory_order_relaxed) + admission.num_refused(0) + admission.num_refused(1),
            uint64_t{kThreads} * kRounds);
  // Every place has been given back.
  for (uint32_t i = 0; i < kPerIssuer; ++i) EXPECT_EQ(admission.Begin(0, false, kNowMs), kAdmitted);
  EXPECT_EQ(admission.Begin(1, false, kNowMs), kAdmitted);
}

TEST(AdmissionThreads, WhatManyThreadsSpendAddsUp) {
  constexpr int kThreads = 4, kRounds = 10'000;
  Admission admission({.in_vain_percent_max = 10}, 1, 1);
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < kRounds; ++i) admission.Spend(0, kNowMs, 38);
    });
  }
  for (std::thread& thread : threads) thread.join();
  // 1.52 s of a processor at 10 % take 15.2 s, of which ten may be owed.
  EXPECT_EQ(admission.WaitMs(0, kNowMs), 5201);
  EXPECT_EQ(admission.WaitMs(0, kNowMs + 5200), 1);
  EXPECT_EQ(admission.WaitMs(0, kNowMs + 5201), 0);
}

class InFlightTest : public EngineTest {};

// Two threads on one place: sooner or later one of them is interrupted in a verification, or both are in one.
TEST_F(InFlightTest, AFullEngineAnswersOverloadedAndItsHitsAreAllowed) {
  const idp::SigningKey& p521 = idp::TestKey("ES512");
  Config config = TestConfig(idp::Jwks({&key_, &p521}).dump());
  config.verification_limits = {.in_flight_max = 1, .in_vain_percent_max = 0};
  Restart(config);
  const std::string known = "Bearer " + Token();
  Decision first;
  engine_->Check({.authorization = known, .tool = "search"}, &first);
  ASSERT_TRUE(first.was_cached);
  const std::string token = idp::Mint(p521, Claims());
  const std::string forged = "Bearer " + token.substr(0, token.rfind('.')) + "." + std::string(176, 'A');
  // Ordering: relaxed, all; an end and a count, whose final read the joins order.
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      Decision decision;
      while (!stop.load(std::memory_order_relaxed)) {
        engine_->Check({.authorization = forged, .tool = "search"}, &decision);
        const bool overloaded = decision.reason == Reason::kOverloaded &&
                                decision.verdict == Verdict::kUnavailable && decision.retry_after_s >= 1 &&
                                decision.issuer == 0;
        if (!overloaded && decision.reason != Reason::kBadSignature)
          wrong.fetch_add(1, std::memory_order_relaxed);
        engine_->Check({.authorization = known, .tool = "search"}, &decision);
        if (!decision.allowed() || !decision.from_cache) wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  while (engine_->ReadMetrics().refused_in_flight == 0) std::this_thread::yield();
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.refused_in_flight, engine_->ReadHealth()[0].verifications_refused);
  EXPECT_EQ(metrics.refused_in_flight, metrics.unavailable);
  // Every place has been given back, and what is refused is not verified.
  EXPECT_EQ(metrics.signature_verifications, metrics.denied + 1);
  EXPECT_TRUE(Check(Token()).allowed());
}

}  // namespace
}  // namespace tollgate::pipeline
