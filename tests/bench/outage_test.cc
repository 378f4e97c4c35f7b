#include <gtest/gtest.h>

#include "bench/outage/key_book.h"
#include "bench/outage/load.h"
#include "bench/outage/observed_transport.h"

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

TEST(KeyBook, ARemovedKeyIsGoneForChecksThatBeginWhenItsRemovalWasTakenIn) {
  KeyBook book(kBound, kSlack);
  book.Arrived(100, kStayingKey | kCompromisedKey);
  book.TakenIn(100);
  const KeyBook::State with = book.Read();
  EXPECT_EQ(book.Judge(with, with, 200, 201, kCompromisedKey), Expected::kAllow);
  book.Arrived(300, kStayingKey);
  EXPECT_EQ(book.Judge(with, book.Read(), 299, 301, kCompromisedKey), Expected::kAny);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 302, 303, kCompromisedKey), Expected::kAny);
  book.TakenIn(310);
  const KeyBook::State without = book.Read();
  EXPECT_EQ(book.Judge(without, without, 311, 312, kCompromisedKey), Expected::kNotAllow);
  EXPECT_EQ(book.Judge(without, without, 311, 312), Expected::kAllow);
  // While the next answer without it is taken in, it stays gone.
  book.Arrived(400, kStayingKey);
  EXPECT_EQ(book.Judge(without, book.Read(), 399, 401, kCompromisedKey), Expected::kNotAllow);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 402, 403, kCompromisedKey), Expected::kNotAllow);
}

TEST(KeyBook, TokensOfAKeyThatIsYetToComeWait) {
  KeyBook book(kBound, kSlack);
  book.Arrived(100);
  book.TakenIn(100);
  const KeyBook::State without = book.Read();
  EXPECT_EQ(book.Judge(without, without, 200, 201, kRotatedKey), Expected::kUnavailable);
  book.Arrived(300, kStayingKey | kRotatedKey);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 301, 302, kRotatedKey), Expected::kEither);
  book.TakenIn(310);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 311, 312, kRotatedKey), Expected::kAllow);
}

TEST(KeyBook, RestoredKeysMayCountAsOlder) {
  KeyBook book(kBound, kSlack);
  book.Arrived(100);
  book.TakenIn(100);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 900, 901), Expected::kAllow);
  book.Restored(500);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 900, 901), Expected::kEither);
  EXPECT_EQ(book.Judge(book.Read(), book.Read(), 1111, 1112), Expected::kUnavailable);
}

FetchResult Answered(int status, std::string body) {
  FetchResult result;
  result.outcome = FetchOutcome::kAnswered;
  result.http_status = status;
  result.body = std::move(body);
  return result;
}

TEST(IsActive, TellsGoodAnswersFromOthers) {
  EXPECT_EQ(IsActive(Answered(200, R"({"active":true,"sub":"a"})")), true);
  EXPECT_EQ(IsActive(Answered(200, R"({"active":false})")), false);
  EXPECT_EQ(IsActive(Answered(503, R"({"active":true})")), std::nullopt);
  for (const char* body : {"", "\xff{", R"({"active":"true"})", "{}", "[]"})
    EXPECT_EQ(IsActive(Answered(200, body)), std::nullopt) << body;
  FetchResult cut_off = Answered(200, R"({"active":true})");
  cut_off.outcome = FetchOutcome::kUnreachable;
  EXPECT_EQ(IsActive(cut_off), std::nullopt);
}

// ScriptedTransport answers each request, at the next Poll, with what is in `answer`.
class ScriptedTransport final : public Transport {
 public:
  explicit ScriptedTransport(const std::string& answer) : answer_(answer) {}
  void Start(FetchRequest request) override {
    FetchResult result = Answered(200, answer_);
    result.id = request.id;
    done_.push_back(std::move(result));
  }
  void Poll(int, std::vector<FetchResult>* done) override {
    for (FetchResult& result : done_) done->push_back(std::move(result));
    done_.clear();
  }
  void Wake() override {}

 private:
  const std::string& answer_;
  std::vector<FetchResult> done_;
};

TEST(ObservedTransport, EntersEachAnswerIntoTheBookThatItIsAbout) {
  KeyBook keys(kBound, kSlack);
  AnswerBook answers(
      {.active_age_ns = 100, .inactive_age_ns = 20, .last_known_age_ns = 1000, .slack_ns = 10});
  answers.Add("a.b.c", 0);
  TenantBook tenants(3);
  const auto log = std::make_shared<ExchangeLog>(Books{.keys = keys, .answers = answers, .tenants = tenants});
  std::string answer;
  const std::atomic<bool> names_lost{false};
  ObservedTransport transport(std::make_unique<ScriptedTransport>(answer), log, {}, names_lost);
  std::vector<FetchResult> done;
  const auto exchange = [&](FetchRequest request, const std::string& with) {
    answer = with;
    transport.Start(std::move(request));
    transport.Poll(0, &done);  // Arrived,
    transport.Poll(0, &done);  // and taken in.
  };
  const std::string set = R"({"keys":[{"kid":"x"}]})";
  exchange({.id = 1, .url = TenantJwksUri("http://127.0.0.1:1", 2)}, set);
  EXPECT_EQ(tenants.Read(2), TenantBook::State::kThere);
  EXPECT_FALSE(keys.Read().ever);
  exchange({.id = 2, .url = TenantJwksUri("http://127.0.0.1:1", 1)}, "{}");
  EXPECT_EQ(tenants.Read(1), TenantBook::State::kAbsent);
  exchange({.id = 3, .url = "http://127.0.0.1:1/introspect", .form = "token=a.b.c&token_type_hint=x"},
           R"({"active":false})");
  ASSERT_TRUE(answers.Read(0).taken.has_value());
  EXPECT_FALSE(answers.Read(0).taken->active);
  EXPECT_LE(answers.Read(0).taken->earliest_ns, answers.Read(0).taken->latest_ns);
  exchange({.id = 4, .url = "http://127.0.0.1:1/introspect", .form = "token=a.b.c"}, set);
  EXPECT_FALSE(answers.Read(0).taken->active) << "that was no answer";
  exchange({.id = 5, .url = "http://127.0.0.1:1/jwks"}, set);
  EXPECT_TRUE(keys.Read().ever);
  EXPECT_EQ(done.size(), 5u);
  std::vector<bool> good, about_tokens;
  for (const Exchange& e : log->Read()) {
    good.push_back(e.good);
    about_tokens.push_back(e.introspection);
  }
  EXPECT_EQ(good, (std::vector<bool>{true, false, true, false, true}));
  EXPECT_EQ(about_tokens, (std::vector<bool>{false, false, true, true, false}));
}

TEST(KeysIn, TellsGoodAnswersFromOthersAndWhichKeysTheyHave) {
  const std::vector<NamedKey> named = {{"a", kCompromisedKey}, {"b", kRotatedKey}};
  EXPECT_EQ(KeysIn(Answered(200, R"({"keys":[{"kid":"x"},{"kid":"b"}]})"), named, 0),
            kStayingKey | kRotatedKey);
  EXPECT_EQ(KeysIn(Answered(200, R"({"keys":[{"kid":"a"}]})"), named, 0), kStayingKey | kCompromisedKey);
  EXPECT_EQ(KeysIn(Answered(304, ""), named, kStayingKey), kStayingKey);
  EXPECT_EQ(KeysIn(Answered(304, ""), named, 0), std::nullopt) << "of what was it not modified?";
  EXPECT_EQ(KeysIn(Answered(503, R"({"keys":[{"kid":"a"}]})"), named, 0), std::nullopt);
  for (const char* body : {"", "\xff{", R"({"keys":[]})", R"({"keys":{}})", "[]"}) {
    EXPECT_EQ(KeysIn(Answered(200, body), named, kStayingKey), std::nullopt) << body;
  }
  FetchResult unreachable = Answered(200, R"({"keys":[{"kid":"a"}]})");
  unreachable.outcome = FetchOutcome::kTimedOut;
  EXPECT_EQ(KeysIn(unreachable, named, kStayingKey), std::nullopt);
}

Decision Answer(Verdict verdict, uint32_t retry_after_s = 1) {
  Decision decision;
  decision.verdict = verdict;
  decision.retry_after_s = retry_after_s;
  return decision;
}

Wrong Judged(TokenKind kind, Expected expected, const Decision& decision, bool permit_overloaded = false) {
  Wrong wrong;
  Judge(kind, expected, decision, permit_overloaded, &wrong);
  return wrong;
}

constexpr Expected kAllExpected[] = {Expected::kAllow, Expected::kUnavailable, Expected::kEither,
                                     Expected::kDeny,  Expected::kNotAllow,    Expected::kAny};

TEST(Judge, HoldsAGoodTokenToWhatIsExpectedOfIt) {
  struct Row {
    Expected expected;
    bool allow, deny, unavailable;  // Right?
  };
  constexpr Row kRows[] = {
      {Expected::kAllow, true, false, false},   {Expected::kUnavailable, false, false, true},
      {Expected::kEither, true, false, true},   {Expected::kDeny, false, true, false},
      {Expected::kNotAllow, false, true, true}, {Expected::kAny, true, true, true},
  };
  for (const TokenKind kind : {TokenKind::kKnown, TokenKind::kNew, TokenKind::kExpiring, TokenKind::kYoung,
                               TokenKind::kCompromised, TokenKind::kRotated}) {
    for (const Row& row : kRows) {
      EXPECT_EQ(Judged(kind, row.expected, Answer(Verdict::kAllow)).allowed, row.allow ? 0u : 1u);
      EXPECT_EQ(Judged(kind, row.expected, Answer(Verdict::kDeny)).denied, row.deny ? 0u : 1u);
      EXPECT_EQ(Judged(kind, row.expected, Answer(Verdict::kUnavailable)).unavailable,
                row.unavailable ? 0u : 1u);
    }
  }
}

TEST(Judge, AForgedTokenIsNeverAllowed) {
  for (const TokenKind kind : {TokenKind::kForgedKid, TokenKind::kForgedRs256, TokenKind::kForgedEs512,
                               TokenKind::kForgedUnsigned, TokenKind::kOpaque}) {
    for (const Expected expected : kAllExpected) {
      EXPECT_EQ(Judged(kind, expected, Answer(Verdict::kAllow)).allowed, 1u);
      EXPECT_EQ(Judged(kind, expected, Answer(Verdict::kDeny)).denied, 0u);
    }
  }
  const Decision unavailable = Answer(Verdict::kUnavailable);
  EXPECT_EQ(Judged(TokenKind::kForgedRs256, Expected::kAllow, unavailable).unavailable, 1u);
  EXPECT_EQ(Judged(TokenKind::kForgedRs256, Expected::kUnavailable, unavailable).unavailable, 0u);
  EXPECT_EQ(Judged(TokenKind::kForgedKid, Expected::kAllow, unavailable).unavailable, 0u);
  EXPECT_EQ(Judged(TokenKind::kForgedUnsigned, Expected::kUnavailable, unavailable).unavailable, 1u);
  EXPECT_EQ(Judged(TokenKind::kOpaque, Expected::kUnavailable, unavailable).unavailable, 1u);
}

TEST(Judge, OnlyUnknownTokensMayBeRefusedForWantOfAPlaceAndOnlyWherePermitted) {
  Decision overloaded = Answer(Verdict::kUnavailable);
  overloaded.reason = Reason::kOverloaded;
  for (const TokenKind kind : {TokenKind::kNew, TokenKind::kForgedEs512}) {
    EXPECT_EQ(Judged(kind, Expected::kAllow, overloaded, true).unavailable, 0u);
    EXPECT_EQ(Judged(kind, Expected::kAllow, overloaded, false).unavailable, 1u);
    EXPECT_EQ(Judged(kind, Expected::kAllow, Answer(Verdict::kUnavailable), true).unavailable, 1u);
  }
  EXPECT_EQ(Judged(TokenKind::kKnown, Expected::kAllow, overloaded, true).unavailable, 1u);
}

TEST(Judge, CountsAllowsAfterARemovalApart) {
  EXPECT_EQ(
      Judged(TokenKind::kCompromised, Expected::kNotAllow, Answer(Verdict::kAllow)).allowed_after_removal,
      1u);
  EXPECT_EQ(Judged(TokenKind::kCompromised, Expected::kAny, Answer(Verdict::kAllow)).allowed_after_removal,
            0u);
}

TEST(Judge, UnavailableSaysWhenToComeBack) {
  const Decision silent = Answer(Verdict::kUnavailable, 0);
  EXPECT_EQ(Judged(TokenKind::kKnown, Expected::kUnavailable, silent).without_retry_after, 1u);
}

TEST(ExpectedWithin, FollowsTheWallClockAndPassesNoJudgementAtItsSteps) {
  const Call call{.authorization = "", .tool = "", .valid_from_s = 10'000, .valid_through_s = 20'000};
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 15'000, 15'000), Expected::kAllow);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 5'000, 5'000), Expected::kDeny);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 25'000, 25'001), Expected::kDeny);
  EXPECT_EQ(ExpectedWithin(Expected::kUnavailable, call, 25'000, 25'000), Expected::kUnavailable);
  EXPECT_EQ(ExpectedWithin(Expected::kEither, call, 25'000, 25'000), Expected::kNotAllow);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 15'000, 25'000), Expected::kAny);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 5'000, 25'000), Expected::kAny);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, call, 20'001, 20'001), Expected::kAny);
  EXPECT_EQ(ExpectedWithin(Expected::kAllow, Call{}, 5'000, 25'000), Expected::kAllow);
}

TEST(Held, CountsWhatAnswersWereHeldTo) {
  Held held;
  Decision allowed = Answer(Verdict::kAllow);
  allowed.freshness = Freshness::kDegraded;
  held.Add(TokenKind::kKnown, Expected::kAllow, allowed);
  held.Add(TokenKind::kKnown, Expected::kAllow, Answer(Verdict::kUnavailable));
  held.Add(TokenKind::kNew, Expected::kAllow, allowed);
  held.Add(TokenKind::kNew, Expected::kUnavailable, Answer(Verdict::kUnavailable));
  held.Add(TokenKind::kNew, Expected::kEither, allowed);
  held.Add(TokenKind::kExpiring, Expected::kDeny, Answer(Verdict::kDeny));
  held.Add(TokenKind::kForgedUnsigned, Expected::kAllow, Answer(Verdict::kDeny));
  held.Add(TokenKind::kRotated, Expected::kAllow, Answer(Verdict::kAllow));
  held.Add(TokenKind::kTenant, Expected::kEither, Answer(Verdict::kAllow));
  Held twice = held;
  twice.Add(held);
  EXPECT_EQ(twice.to_allow, 8u);
  EXPECT_EQ(twice.known_to_allow, 4u);
  EXPECT_EQ(twice.known_allowed, 2u);
  EXPECT_EQ(twice.to_unavailable, 2u);
  EXPECT_EQ(twice.to_either, 4u);
  EXPECT_EQ(twice.tenants_to_allow, 0u);
  held.Add(TokenKind::kTenant, Expected::kAllow, Answer(Verdict::kAllow));
  EXPECT_EQ(held.tenants_to_allow, 1u);
  EXPECT_EQ(twice.to_deny, 2u);
  EXPECT_EQ(twice.forged, 2u);
  EXPECT_EQ(twice.rotated_allowed, 2u);
  EXPECT_EQ(twice.degraded_allowed, 6u);
}

TEST(CallSource, HandsOutNewTokensOnceAndOthersInTurn) {
  CallSource once(TokenKind::kNew, CallSource::Use::kOnce, {Call{"a", "", 0, 0}, Call{"b", "", 0, 0}});
  EXPECT_EQ(once.Next()->authorization, "a");
  EXPECT_EQ(once.Next()->authorization, "b");
  EXPECT_EQ(once.Next(), nullptr);
  CallSource repeated(TokenKind::kKnown, CallSource::Use::kRepeated, {Call{"a", "", 0, 0}});
  repeated.Next();
  EXPECT_EQ(repeated.Next()->authorization, "a");
}

TEST(CallSource, VariesTwelveCharactersAndNothingElse) {
  const std::string text = "Bearer abcd............efgh";
  for (const bool digits : {false, true}) {
    CallSource source = CallSource::Varied(TokenKind::kOpaque, {text, "", 0, 0}, 11, digits);
    const std::string first = source.Next()->authorization, second = source.Next()->authorization;
    EXPECT_NE(first, second);
    EXPECT_EQ(first.size(), text.size());
    EXPECT_TRUE(first.starts_with("Bearer abcd")) << first;
    EXPECT_TRUE(first.ends_with("efgh")) << first;
    EXPECT_EQ(first.find('.'), std::string::npos);
  }
}

TEST(RateHz, SpreadsACountOverThePhaseAndKeepsToTheMost) {
  EXPECT_EQ(RateHz({.kind = TokenKind::kKnown, .rate_hz = 100}, 10, 0), 100);
  EXPECT_EQ(RateHz({.kind = TokenKind::kForgedKid, .count = 1000}, 10, 0), 100);
  EXPECT_EQ(RateHz({.kind = TokenKind::kForgedKid, .count = 1000}, 10, 7), 7);
}

}  // namespace
}  // namespace tollgate::bench
