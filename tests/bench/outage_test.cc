#include <gtest/gtest.h>

#include "bench/outage/key_book.h"
#include "bench/outage/load.h"

namespace tollgate::bench {
namespace {

constexpr int64_t kBound = 1000, kSlack = 10;

TEST(KeyBook, BeforeTheFirstAnswerNothingCanBeKnown) {
  KeyBook book(kBound, kSlack);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 5, 6), Expected::kUnavailable);
}

TEST(KeyBook, AllowsWithinTheBoundAndNotBeyondIt) {
  KeyBook book(kBound, kSlack);
  book.Arrived(100);
  book.TakenIn(150);
  const KeyBook::State state = book.Read();
  EXPECT_EQ(book.Judge(state, state, 200, 1089), Expected::kAllow);
  EXPECT_EQ(book.Judge(state, state, 200, 1090), Expected::kEither);
  EXPECT_EQ(book.Judge(state, state, 1160, 1161), Expected::kEither);
  EXPECT_EQ(book.Judge(state, state, 1161, 1162), Expected::kUnavailable);
}

TEST(KeyBook, PassesNoJudgementWhileAnAnswerIsBeingTakenIn) {
  KeyBook book(kBound, kSlack);
  const KeyBook::State before = book.Read();
  book.Arrived(100);
  const KeyBook::State during = book.Read();
  EXPECT_EQ(book.Judge(before, during, 99, 101), Expected::kEither);
  EXPECT_EQ(book.Judge(during, during, 101, 102), Expected::kEither);
  book.TakenIn(110);
  EXPECT_EQ(book.Judge(during, book.Read(), 105, 112), Expected::kEither);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 111, 112), Expected::kAllow);
}

Decision Answer(Verdict verdict, uint32_t retry_after_s = 1) {
  Decision decision;
  decision.verdict = verdict;
  decision.retry_after_s = retry_after_s;
  return decision;
}

Wrong Judged(CallKind kind, Expected expected, const Decision& decision) {
  Wrong wrong;
  Judge(kind, expected, decision, &wrong);
  return wrong;
}

TEST(Judge, AGoodTokenIsNeverDeniedAndFollowsTheBound) {
  for (const CallKind kind : {CallKind::kKnown, CallKind::kFresh}) {
    for (const Expected expected : {Expected::kAllow, Expected::kEither, Expected::kUnavailable}) {
      EXPECT_EQ(Judged(kind, expected, Answer(Verdict::kDeny)).denied, 1u);
    }
    EXPECT_EQ(Judged(kind, Expected::kUnavailable, Answer(Verdict::kAllow)).allowed, 1u);
    EXPECT_EQ(Judged(kind, Expected::kAllow, Answer(Verdict::kUnavailable)).unavailable, 1u);
    EXPECT_EQ(Judged(kind, Expected::kAllow, Answer(Verdict::kAllow)).allowed, 0u);
    EXPECT_EQ(Judged(kind, Expected::kEither, Answer(Verdict::kUnavailable)).unavailable, 0u);
  }
}

TEST(Judge, AForgedTokenIsNeverAllowed) {
  for (const CallKind kind : {CallKind::kForgedSignature, CallKind::kForgedKey, CallKind::kForgedNone}) {
    for (const Expected expected : {Expected::kAllow, Expected::kEither, Expected::kUnavailable}) {
      EXPECT_EQ(Judged(kind, expected, Answer(Verdict::kAllow)).allowed, 1u);
      EXPECT_EQ(Judged(kind, expected, Answer(Verdict::kDeny)).denied, 0u);
    }
  }
  EXPECT_EQ(Judged(CallKind::kForgedSignature, Expected::kAllow, Answer(Verdict::kUnavailable)).unavailable,
            1u);
  EXPECT_EQ(
      Judged(CallKind::kForgedSignature, Expected::kUnavailable, Answer(Verdict::kUnavailable)).unavailable,
      0u);
  EXPECT_EQ(Judged(CallKind::kForgedNone, Expected::kUnavailable, Answer(Verdict::kUnavailable)).unavailable,
            1u);
}

TEST(Judge, UnavailableSaysWhenToComeBack) {
  const Decision silent = Answer(Verdict::kUnavailable, 0);
  EXPECT_EQ(Judged(CallKind::kKnown, Expected::kUnavailable, silent).without_retry_after, 1u);
}

TEST(Held, CountsWhatAnswersWereHeldTo) {
  Held held;
  held.Add(CallKind::kKnown, Expected::kAllow);
  held.Add(CallKind::kFresh, Expected::kUnavailable);
  held.Add(CallKind::kFresh, Expected::kEither);
  held.Add(CallKind::kForgedNone, Expected::kAllow);
  Held twice = held;
  twice.Add(held);
  EXPECT_EQ(twice.to_allow, 2u);
  EXPECT_EQ(twice.to_unavailable, 2u);
  EXPECT_EQ(twice.to_either, 2u);
  EXPECT_EQ(twice.forged, 2u);
}

}  // namespace
}  // namespace tollgate::bench
