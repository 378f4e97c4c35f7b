// CheckTimes, to the exact second of each rule, and at the ends of the range.

#include <gtest/gtest.h>

#include <cstdint>
#include <random>
#include <utility>
#include <vector>

#include "claims/access_token.h"

namespace tollgate::claims {
namespace {

constexpr int64_t kNow = 1'767'225'600;

Expectations With(int64_t leeway_s, int64_t age_max_s = 0, int64_t lifetime_max_s = 0) {
  Expectations expectations;
  expectations.leeway_s = leeway_s;
  expectations.token_age_max_s = age_max_s;
  expectations.token_lifetime_max_s = lifetime_max_s;
  return expectations;
}

Reason Check(const TimeWindow& window, const Expectations& expectations, int64_t now = kNow) {
  TimeEvidence evidence;
  return CheckTimes(window, expectations, now, &evidence);
}

TEST(CheckTimes, ExpiresInTheSecondOfExpPlusLeeway) {
  for (const int64_t leeway : {0, 1, 60, 300}) {
    const TimeWindow window = {.expires_at = kNow - leeway + 1};
    EXPECT_EQ(Check(window, With(leeway)), Reason::kNone) << leeway;
    EXPECT_EQ(Check(window, With(leeway), kNow + 1), Reason::kExpired) << leeway;
    EXPECT_EQ(Check({.expires_at = kNow - leeway}, With(leeway)), Reason::kExpired) << leeway;
  }
}

TEST(CheckTimes, BeginsInTheSecondOfNbfMinusLeeway) {
  for (const int64_t leeway : {0, 1, 60, 300}) {
    const TimeWindow window = {.expires_at = kNow + 10'000, .not_before = kNow + leeway};
    EXPECT_EQ(Check(window, With(leeway)), Reason::kNone) << leeway;
    EXPECT_EQ(Check(window, With(leeway), kNow - 1), Reason::kNotYetValid) << leeway;
  }
}

TEST(CheckTimes, IssuedInTheFutureBeyondLeewayIsNotYetValid) {
  for (const int64_t leeway : {0, 1, 60, 300}) {
    const TimeWindow window = {.expires_at = kNow + 10'000, .issued_at = kNow + leeway};
    EXPECT_EQ(Check(window, With(leeway)), Reason::kNone) << leeway;
    EXPECT_EQ(Check(window, With(leeway), kNow - 1), Reason::kNotYetValid) << leeway;
  }
}

TEST(CheckTimes, IsTooOldInTheSecondAfterTheMaximumAge) {
  const TimeWindow window = {.expires_at = kNow + 10'000, .issued_at = kNow - 3660};
  EXPECT_EQ(Check(window, With(60, 3600)), Reason::kNone);
  EXPECT_EQ(Check(window, With(60, 3600), kNow + 1), Reason::kTooOld);
  EXPECT_EQ(Check(window, With(0, 3660)), Reason::kNone);
  EXPECT_EQ(Check(window, With(0, 3659)), Reason::kTooOld);
  EXPECT_EQ(Check(window, With(0, 0)), Reason::kNone) << "0 is no bound";
}

// The lifetime is the same at every moment: Validate looks at it once, where the fractions are still known.
TEST(CheckTimes, LeavesTheLifetimeToValidate) {
  EXPECT_EQ(Check({.expires_at = kNow + 3000, .issued_at = kNow - 600}, With(60, 0, 1)), Reason::kNone);
}

TEST(CheckTimes, AbsentClaimsBoundNothing) {
  EXPECT_EQ(Check({.expires_at = kNow + 1}, With(0, 1, 1)), Reason::kNone);
}

TEST(CheckTimes, FirstReasonInTheDocumentedOrder) {
  // Every rule broken at once, then one after the other mended.
  TimeWindow window = {.expires_at = kNow, .not_before = kNow + 1, .issued_at = kNow - 100};
  EXPECT_EQ(Check(window, With(0, 10, 10)), Reason::kExpired);
  window.expires_at = kNow + 1;
  EXPECT_EQ(Check(window, With(0, 10, 10)), Reason::kNotYetValid);
  window.not_before = kNow;
  EXPECT_EQ(Check(window, With(0, 10, 10)), Reason::kTooOld);
  EXPECT_EQ(Check(window, With(0, 100, 10)), Reason::kNone);
}

using Pair = std::pair<int64_t, int64_t>;

TEST(CheckTimes, EvidenceIsTheQuantityAndTheBoundItBroke) {
  const auto evidence = [](const TimeWindow& window, const Expectations& expectations) {
    TimeEvidence out;
    CheckTimes(window, expectations, kNow, &out);
    return Pair(out.actual, out.bound);
  };
  EXPECT_EQ(evidence({.expires_at = kNow - 100}, With(60)), Pair(kNow, kNow - 40));
  EXPECT_EQ(evidence({.expires_at = kNow + 1, .not_before = kNow + 100}, With(60)), Pair(kNow, kNow + 40));
  EXPECT_EQ(evidence({.expires_at = kNow + 1, .issued_at = kNow + 90}, With(60)), Pair(kNow, kNow + 30));
  EXPECT_EQ(evidence({.expires_at = kNow + 1, .issued_at = kNow - 90}, With(60, 10)), Pair(90, 70));
  EXPECT_EQ(evidence({.expires_at = kNow + 10}, With(60)), Pair(0, 0));
}

// The same rules in arithmetic that cannot overflow.
Reason Reference(const TimeWindow& w, const Expectations& e, int64_t now) {
  __extension__ using Wide = __int128;
  const Wide leeway = e.leeway_s;
  const bool has_nbf = w.not_before != INT64_MIN;
  const bool has_iat = w.issued_at != INT64_MIN;
  if (Wide{now} >= w.expires_at + leeway) return Reason::kExpired;
  if (has_nbf && now < w.not_before - leeway) return Reason::kNotYetValid;
  if (has_iat && now < w.issued_at - leeway) return Reason::kNotYetValid;
  if (has_iat && e.token_age_max_s > 0 && Wide{now} - w.issued_at > e.token_age_max_s + leeway)
    return Reason::kTooOld;
  return Reason::kNone;
}

// Tokens cannot bring such values, since NumericDate is bounded; clocks and configurations might.
TEST(CheckTimes, NothingWrapsAtTheEndsOfTheRange) {
  const std::vector<int64_t> ends = {INT64_MIN, INT64_MIN + 1, -1, 0, 1, kNow, INT64_MAX - 1, INT64_MAX};
  const std::vector<int64_t> leeways = {0, 60, INT64_MAX / 2};
  int differences_at_saturation = 0;
  for (const int64_t now : ends) {
    for (const int64_t exp : ends) {
      for (const int64_t nbf : ends) {
        for (const int64_t iat : ends) {
          for (const int64_t leeway : leeways) {
            const TimeWindow window = {exp, nbf, iat};
            const Expectations expectations = With(leeway, 3600, 3600);
            const Reason expected = Reference(window, expectations, now);
            const Reason actual = Check(window, expectations, now);
            if (actual == expected) continue;
            // Saturation can differ by one second at the very last second of the range, and only towards
            // refusal.
            ++differences_at_saturation;
            ASSERT_NE(actual, Reason::kNone) << "now " << now << " exp " << exp << " nbf " << nbf << " iat "
                                             << iat << " leeway " << leeway;
            ASSERT_EQ(now, INT64_MAX);
          }
        }
      }
    }
  }
  EXPECT_GT(differences_at_saturation, 0)
      << "now = INT64_MAX, exp = INT64_MAX: refused, since the sum is held there";
}

TEST(CheckTimes, AgreesWithTheRulesOnRandomTimes) {
  std::mt19937_64 random(11);
  const auto near = [&random] { return kNow + static_cast<int64_t>(random() % 400) - 200; };
  for (int i = 0; i < 200'000; ++i) {
    const TimeWindow window = {near(), random() % 3 ? near() : INT64_MIN, random() % 3 ? near() : INT64_MIN};
    const Expectations expectations =
        With(static_cast<int64_t>(random() % 100), static_cast<int64_t>(random() % 150),
             static_cast<int64_t>(random() % 150));
    const int64_t now = near();
    ASSERT_EQ(Check(window, expectations, now), Reference(window, expectations, now));
  }
}

// InSpan is what a cached token is held against instead of CheckTimes.
bool InSpan(const TimeWindow& window, const Expectations& expectations, int64_t now) {
  const Span span = ValidSpan(window, expectations);
  return now >= span.from_s && now <= span.through_s;
}

TEST(ValidSpan, IsWhereCheckTimesFindsNothingWrong) {
  std::mt19937_64 random(13);
  const auto near = [&random] { return kNow + static_cast<int64_t>(random() % 400) - 200; };
  int in = 0, out = 0;
  for (int i = 0; i < 300'000; ++i) {
    const TimeWindow window = {near(), random() % 3 ? near() : INT64_MIN, random() % 3 ? near() : INT64_MIN};
    // A lifetime that is out of order is so at any time: such a token is never remembered.
    const Expectations expectations =
        With(static_cast<int64_t>(random() % 100), random() % 3 ? static_cast<int64_t>(random() % 150) : 0);
    const int64_t now = near();
    const bool good = Check(window, expectations, now) == Reason::kNone;
    ++(good ? in : out);
    ASSERT_EQ(InSpan(window, expectations, now), good)
        << "now " << now << " exp " << window.expires_at << " nbf " << window.not_before << " iat "
        << window.issued_at << " leeway " << expectations.leeway_s << " age " << expectations.token_age_max_s;
  }
  EXPECT_GT(in, 10'000);
  EXPECT_GT(out, 10'000);
}

TEST(ValidSpan, BeginsAndEndsInTheSecondsThatCheckTimesDoes) {
  const TimeWindow window = {.expires_at = kNow + 600, .not_before = kNow - 5, .issued_at = kNow};
  const Span by_expiry = ValidSpan(window, With(60));
  EXPECT_EQ(by_expiry.from_s, kNow - 60);
  EXPECT_EQ(by_expiry.through_s, kNow + 659);
  const Span by_age = ValidSpan(window, With(60, 300));
  EXPECT_EQ(by_age.from_s, kNow - 60);
  EXPECT_EQ(by_age.through_s, kNow + 360);
  EXPECT_EQ(ValidSpan({.expires_at = kNow}, With(0, 300)).from_s, INT64_MIN);
  for (const Span& span : {by_expiry, by_age}) {
    const Expectations expectations = With(60, span.through_s == by_age.through_s ? 300 : 0);
    EXPECT_NE(Check(window, expectations, span.from_s - 1), Reason::kNone);
    EXPECT_EQ(Check(window, expectations, span.from_s), Reason::kNone);
    EXPECT_EQ(Check(window, expectations, span.through_s), Reason::kNone);
    EXPECT_NE(Check(window, expectations, span.through_s + 1), Reason::kNone);
  }
}

TEST(ValidSpan, HoldsAtTheEndsOfTheRange) {
  const std::vector<int64_t> ends = {INT64_MIN, INT64_MIN + 1,  INT64_MIN + 60, -1,       0, 1,
                                     kNow,      INT64_MAX - 60, INT64_MAX - 1,  INT64_MAX};
  for (const int64_t now : ends) {
    for (const int64_t exp : ends) {
      for (const int64_t nbf : ends) {
        for (const int64_t iat : ends) {
          for (const int64_t leeway : {int64_t{0}, int64_t{60}, INT64_MAX / 2}) {
            for (const int64_t age : {int64_t{0}, int64_t{1}, int64_t{3600}, INT64_MAX - 60, INT64_MAX}) {
              const TimeWindow window = {exp, nbf, iat};
              const Expectations expectations = With(leeway, age);
              const bool good = Check(window, expectations, now) == Reason::kNone;
              const bool in = InSpan(window, expectations, now);
              if (in == good) continue;
              // A bound on age that is held at the end of the range may cost a second look, never allow more.
              ASSERT_TRUE(good && age > INT64_MAX - leeway - 1)
                  << "now " << now << " exp " << exp << " nbf " << nbf << " iat " << iat << " leeway "
                  << leeway << " age " << age;
            }
          }
        }
      }
    }
  }
}

}  // namespace
}  // namespace tollgate::claims
