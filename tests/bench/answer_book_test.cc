#include "bench/outage/answer_book.h"

#include <gtest/gtest.h>

#include "bench/outage/load.h"

namespace tollgate::bench {
namespace {

constexpr Permitted kAllow{.allow = true}, kDeny{.deny = true}, kUnavailable{.unavailable = true},
    kAllowOrUnavailable{.allow = true, .unavailable = true},
    kDenyOrUnavailable{.deny = true, .unavailable = true};
constexpr Demand kAsking[] = {Demand::kLastKnown, Demand::kPrivileged, Demand::kOpaque};

// Active counts for 100, inactive for 20, and the last known one for 1000; the clock is right to 10.
class AnswerBookTest : public testing::Test {
 protected:
  AnswerBookTest() { book_.Add("token", 3); }

  void Answer(bool active, int64_t earliest_ns, int64_t latest_ns) {
    book_.Arrived(3, {.active = active, .earliest_ns = earliest_ns, .latest_ns = latest_ns});
    book_.TakenIn();
  }
  Permitted Now(int64_t begin_ns, int64_t end_ns, Demand demand) const {
    return book_.Judge(book_.Read(3), book_.Read(3), begin_ns, end_ns, demand);
  }

  AnswerBook book_{{.active_age_ns = 100, .inactive_age_ns = 20, .last_known_age_ns = 1000, .slack_ns = 10}};
};

TEST(Permitted, IsWhatIsExpectedInOtherWords) {
  for (const Expected expected : {Expected::kAllow, Expected::kUnavailable, Expected::kEither,
                                  Expected::kDeny, Expected::kNotAllow, Expected::kAny}) {
    EXPECT_EQ(ExpectedOf(PermittedBy(expected)), expected);
  }
  EXPECT_EQ(ExpectedOf(kAllow.Or(kDeny)), Expected::kAny);
}

TEST_F(AnswerBookTest, KnowsItsTokensByTheirNumbers) {
  EXPECT_EQ(book_.Find("token"), 3u);
  EXPECT_EQ(book_.Find("tok"), std::nullopt);
}

TEST_F(AnswerBookTest, BeforeTheFirstAnswerOnlyThoseAskedBehindAreAllowed) {
  for (const Demand demand : kAsking) EXPECT_EQ(Now(0, 1, demand), kUnavailable);
  EXPECT_EQ(Now(0, 1, Demand::kBehind), kAllow);
}

TEST_F(AnswerBookTest, ActiveCountsFromItsQuestionUntilItIsTooOld) {
  Answer(true, 1000, 1005);
  for (const Demand demand : kAsking) {
    EXPECT_EQ(Now(1010, 1089, demand), kAllow);
    EXPECT_EQ(Now(1010, 1090, demand), kAllowOrUnavailable);
    EXPECT_EQ(Now(1115, 1116, demand), kAllowOrUnavailable);
  }
  EXPECT_EQ(Now(1116, 1117, Demand::kPrivileged), kUnavailable);
  EXPECT_EQ(Now(1116, 1117, Demand::kOpaque), kUnavailable);
  EXPECT_EQ(Now(1116, 1117, Demand::kLastKnown), kAllowOrUnavailable);
  EXPECT_EQ(Now(2015, 2016, Demand::kLastKnown), kAllowOrUnavailable);
  EXPECT_EQ(Now(2016, 2017, Demand::kLastKnown), kUnavailable);
  EXPECT_EQ(Now(9000, 9001, Demand::kBehind), kAllow);
}

TEST_F(AnswerBookTest, InactiveOfAGoodSignatureStaysAndOfAnOpaqueTokenIsForgotten) {
  Answer(true, 900, 900);
  Answer(false, 1000, 1005);
  for (const Demand demand : {Demand::kBehind, Demand::kLastKnown, Demand::kPrivileged})
    EXPECT_EQ(Now(9000, 9001, demand), kDeny);
  EXPECT_EQ(Now(1006, 1009, Demand::kOpaque), kDeny);
  EXPECT_EQ(Now(1006, 1010, Demand::kOpaque), kDenyOrUnavailable);
  EXPECT_EQ(Now(1035, 1036, Demand::kOpaque), kDenyOrUnavailable);
  EXPECT_EQ(Now(1036, 1037, Demand::kOpaque), kUnavailable);
}

TEST_F(AnswerBookTest, WhileAnAnswerIsBeingTakenInItMayOrMayNotCount) {
  Answer(true, 1000, 1000);
  const AnswerBook::State before = book_.Read(3);
  book_.Arrived(3, {.active = false, .earliest_ns = 1020, .latest_ns = 1020});
  const AnswerBook::State during = book_.Read(3);
  const Permitted either = kAllow.Or(kDeny);
  EXPECT_EQ(book_.Judge(before, during, 1030, 1031, Demand::kPrivileged), either);
  EXPECT_EQ(book_.Judge(during, during, 1030, 1031, Demand::kPrivileged), either);
  book_.TakenIn();
  const AnswerBook::State after = book_.Read(3);
  EXPECT_EQ(book_.Judge(during, after, 1030, 1031, Demand::kPrivileged), either);
  EXPECT_EQ(book_.Judge(before, after, 1030, 1031, Demand::kPrivileged), either);
  EXPECT_EQ(book_.Judge(after, after, 1030, 1031, Demand::kPrivileged), kDeny);
  Answer(true, 1040, 1040);
  EXPECT_EQ(book_.Judge(before, book_.Read(3), 1030, 1050, Demand::kPrivileged), PermittedBy(Expected::kAny))
      << "two answers went by";
}

TEST_F(AnswerBookTest, AnAnswerToAnEarlierQuestionChangesNothing) {
  Answer(false, 1000, 1000);
  Answer(true, 990, 990);
  EXPECT_EQ(Now(1001, 1002, Demand::kPrivileged), kDeny);
  book_.Arrived(3, {.active = true, .earliest_ns = 1100, .latest_ns = 1100});
  book_.Arrived(3, {.active = false, .earliest_ns = 1050, .latest_ns = 1050});
  book_.TakenIn();
  EXPECT_EQ(Now(1110, 1111, Demand::kPrivileged), kAllow);
}

TEST_F(AnswerBookTest, TellsTheLastKnownAnswerFromOneThatIsAnAnswerAndFromOneThatIsTooOld) {
  const auto last_known = [&](int64_t at_ns) {
    return book_.IsLastKnown(book_.Read(3), book_.Read(3), at_ns, at_ns + 1);
  };
  const auto too_old = [&](int64_t at_ns) { return book_.IsTooOld(book_.Read(3), book_.Read(3), at_ns); };
  EXPECT_FALSE(last_known(1200));
  EXPECT_FALSE(too_old(9000));
  Answer(true, 1000, 1000);
  EXPECT_FALSE(last_known(1110));
  EXPECT_TRUE(last_known(1111));
  EXPECT_TRUE(last_known(1988));
  EXPECT_FALSE(last_known(1989));
  EXPECT_FALSE(too_old(2010));
  EXPECT_TRUE(too_old(2011));
  Answer(false, 1000, 1001);
  EXPECT_FALSE(last_known(1200));
  EXPECT_FALSE(too_old(9000));
}

TEST_F(AnswerBookTest, TheEndpointIsFailingFromATakenInFailureUntilAnAnswerArrives) {
  const auto failing = [&] { return AnswerBook::IsFailing(book_.Read(3), book_.Read(3)); };
  EXPECT_FALSE(failing());
  book_.Failed();
  EXPECT_FALSE(failing()) << "it may not count yet";
  book_.TakenIn();
  EXPECT_TRUE(failing());
  const AnswerBook::State before = book_.Read(3);
  book_.Arrived(3, {.active = true, .earliest_ns = 1, .latest_ns = 1});
  EXPECT_FALSE(failing());
  book_.Failed();
  book_.TakenIn();
  EXPECT_TRUE(failing()) << "the last one counts";
  EXPECT_FALSE(AnswerBook::IsFailing(before, book_.Read(3))) << "in between it was not";
  Answer(true, 2, 2);
  EXPECT_FALSE(failing());
}

TEST(TenantBook, KeysAreThereOnceTheyWereTakenIn) {
  using State = TenantBook::State;
  TenantBook book(2);
  EXPECT_EQ(TenantBook::Judge(book.Read(1), book.Read(1)), Expected::kUnavailable);
  book.Arrived(1);
  EXPECT_EQ(TenantBook::Judge(State::kAbsent, book.Read(1)), Expected::kEither);
  EXPECT_EQ(TenantBook::Judge(book.Read(1), book.Read(1)), Expected::kEither);
  book.TakenIn();
  EXPECT_EQ(TenantBook::Judge(State::kArrived, book.Read(1)), Expected::kEither);
  EXPECT_EQ(TenantBook::Judge(book.Read(1), book.Read(1)), Expected::kAllow);
  book.Arrived(1);
  book.Arrived(7);
  EXPECT_EQ(book.Read(1), State::kThere) << "once there, they stay";
  EXPECT_EQ(book.Read(0), State::kAbsent);
  EXPECT_EQ(book.num_there(), 1u);
}

TEST(ExpectedBy, HoldsATokenToItsKeysAndToWhatItsIssuerSaysOfIt) {
  KeyBook keys(10'000, 10);
  AnswerBook answers(
      {.active_age_ns = 100, .inactive_age_ns = 20, .last_known_age_ns = 1000, .slack_ns = 10});
  TenantBook tenants(1);
  const Books books{.keys = keys, .answers = answers, .tenants = tenants};
  answers.Add("token", 0);
  const auto expected = [&](TokenKind kind, Demand demand, int64_t at_ns) {
    const Call call{.authorization = "", .tool = "", .demand = demand};
    const Reading reading = ReadBooks(books, kind, call);
    return ExpectedBy(books, kind, call, reading, reading, at_ns, at_ns + 1);
  };
  answers.Arrived(0, {.active = true, .earliest_ns = 100, .latest_ns = 100});
  answers.TakenIn();
  EXPECT_EQ(expected(TokenKind::kPrivileged, Demand::kPrivileged, 110), Expected::kUnavailable) << "no keys";
  EXPECT_EQ(expected(TokenKind::kOpaqueActive, Demand::kOpaque, 110), Expected::kAllow) << "needs none";
  keys.Arrived(100);
  keys.TakenIn(100);
  EXPECT_EQ(expected(TokenKind::kPrivileged, Demand::kPrivileged, 110), Expected::kAllow);
  EXPECT_EQ(expected(TokenKind::kPrivileged, Demand::kPrivileged, 500), Expected::kUnavailable);
  EXPECT_EQ(expected(TokenKind::kLastKnown, Demand::kLastKnown, 500), Expected::kEither);
  EXPECT_EQ(expected(TokenKind::kBehind, Demand::kBehind, 500), Expected::kAllow);
  EXPECT_EQ(expected(TokenKind::kBehind, Demand::kBehind, 10'095), Expected::kEither)
      << "keys may be too old";
  EXPECT_EQ(expected(TokenKind::kKnown, Demand::kNothing, 500), Expected::kAllow);
  EXPECT_EQ(expected(TokenKind::kTenant, Demand::kNothing, 500), Expected::kUnavailable);
  answers.Arrived(0, {.active = false, .earliest_ns = 200, .latest_ns = 200});
  answers.TakenIn();
  EXPECT_EQ(expected(TokenKind::kBehind, Demand::kBehind, 500), Expected::kDeny);
  EXPECT_EQ(expected(TokenKind::kBehind, Demand::kBehind, 10'095), Expected::kNotAllow);
}

}  // namespace
}  // namespace tollgate::bench
