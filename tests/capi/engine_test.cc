// Whether the engine answers through the C ABI what it answers, and never allows by mistake.

#include <gmock/gmock.h>

#include <cstring>
#include <string>
#include <vector>

#include "capi_fixture.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;
using CapiEngineTest = CapiTest;

TEST_F(CapiEngineTest, AnswersOneOfThree) {
  EnginePtr engine = Engine();
  tollgate_decision decision = Check(engine.get(), Bearer());
  EXPECT_EQ(decision.verdict, TOLLGATE_ALLOW);
  EXPECT_EQ(decision.category, TOLLGATE_ALLOWED);
  EXPECT_EQ(decision.http_status, 200);
  EXPECT_EQ(decision.reason, 0u);
  EXPECT_EQ(decision.issuer, 0u);
  EXPECT_EQ(decision.freshness, TOLLGATE_FRESH);
  EXPECT_EQ(decision.valid_until_s, now_s_ + 660);
  EXPECT_EQ(decision.was_cached, 1);
  EXPECT_EQ(decision.from_cache, 0);

  const std::string bearer = Bearer();
  Check(engine.get(), bearer);
  decision = Check(engine.get(), bearer, "delete");
  EXPECT_EQ(decision.verdict, TOLLGATE_DENY);
  EXPECT_EQ(decision.category, TOLLGATE_STEP_UP);
  EXPECT_EQ(decision.http_status, 403);
  EXPECT_EQ(Reason(decision), "insufficient_scope");
  EXPECT_EQ(decision.from_cache, 1);

  now_s_ += 661;
  decision = Check(engine.get(), bearer);
  EXPECT_EQ(decision.category, TOLLGATE_REAUTHENTICATE);
  EXPECT_EQ(decision.http_status, 401);
  EXPECT_EQ(Reason(decision), "expired");
  EXPECT_EQ(decision.evidence_actual, now_s_);
  EXPECT_EQ(decision.evidence_bound, now_s_ - 1);

  EnginePtr keyless = EngineWithoutKeys();
  decision = Check(keyless.get(), Bearer());
  EXPECT_EQ(decision.verdict, TOLLGATE_UNAVAILABLE);
  EXPECT_EQ(decision.category, TOLLGATE_RETRY_LATER);
  EXPECT_EQ(decision.http_status, 503);
  EXPECT_EQ(decision.freshness, TOLLGATE_KEYS_UNAVAILABLE);
  EXPECT_GE(decision.retry_after_s, 1u);
  EXPECT_EQ(Reason(decision), "keys_never_fetched");
}

TEST_F(CapiEngineTest, AnIssuerThatIsNotKnownHasNoNumber) {
  EnginePtr engine = Engine();
  const tollgate_decision decision = Check(engine.get(), "");
  EXPECT_EQ(Reason(decision), "no_credential");
  EXPECT_EQ(decision.category, TOLLGATE_AUTHENTICATE);
  EXPECT_EQ(decision.issuer, UINT32_MAX);
}

TEST_F(CapiEngineTest, SaysWhoIsCalling) {
  EnginePtr engine = Engine();
  PrincipalPtr principal(tollgate_principal_new());
  const std::string bearer = Bearer("files:list files:read");
  const auto request = Request(bearer);
  auto decision = Sized<tollgate_decision>();
  for (int i = 0; i < 2; ++i) {  // And again, from the cache.
    ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, principal.get()), TOLLGATE_OK);
    Newer<tollgate_caller> caller;
    caller.unknown = 7;
    ASSERT_EQ(tollgate_principal_read(principal.get(), &caller.known), TOLLGATE_OK);
    EXPECT_EQ(Text(caller.known.issuer), kIssuer);
    EXPECT_EQ(Text(caller.known.subject), "alice");
    EXPECT_EQ(Text(caller.known.client_id), "agent-1");
    EXPECT_NE(Text(caller.known.jwt_id), "");
    EXPECT_EQ(Text(caller.known.scope), "files:list files:read");
    EXPECT_EQ(Text(caller.known.roles), "");
    EXPECT_EQ(Text(caller.known.actors), "");
    EXPECT_EQ(caller.known.kind, uint32_t{TOLLGATE_USER});
    EXPECT_EQ(caller.unknown, 0u);
  }
  auto claims =
      idp::AccessTokenClaims(kIssuer, kResource, "alice", "agent-1", "files:read", now_s_, now_s_ + 600);
  claims["act"] = {{"sub", "robot"}};
  const std::string agent = "Bearer " + idp::Mint(key_, claims);
  const auto by_agent = Request(agent);
  ASSERT_EQ(tollgate_check(engine.get(), &by_agent, &decision, principal.get()), TOLLGATE_OK);
  auto caller = Sized<tollgate_caller>();
  ASSERT_EQ(tollgate_principal_read(principal.get(), &caller), TOLLGATE_OK);
  EXPECT_EQ(caller.kind, uint32_t{TOLLGATE_AGENT});
  EXPECT_THAT(Text(caller.actors), HasSubstr("robot"));

  EXPECT_EQ(tollgate_principal_read(nullptr, &caller), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_principal_read(principal.get(), nullptr), TOLLGATE_INVALID_ARGUMENT);
}

TEST_F(CapiEngineTest, NobodyIsCallingWhereNothingWasChecked) {
  EnginePtr engine = Engine();
  PrincipalPtr principal(tollgate_principal_new());
  const std::string bearer = Bearer();
  auto request = Request(bearer);
  auto decision = Sized<tollgate_decision>();
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, principal.get()), TOLLGATE_OK);
  request.object = 4;
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, principal.get()), TOLLGATE_INVALID_ARGUMENT);
  auto caller = Sized<tollgate_caller>();
  ASSERT_EQ(tollgate_principal_read(principal.get(), &caller), TOLLGATE_OK);
  EXPECT_EQ(Text(caller.subject), "");
}

TEST_F(CapiEngineTest, ObjectsAreOfFourKinds) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  const auto reason_of = [&](const char* name, uint32_t object) {
    auto request = Request(bearer, name);
    request.object = object;
    auto decision = Sized<tollgate_decision>();
    EXPECT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
    return Reason(decision);
  };
  EXPECT_EQ(reason_of("search", TOLLGATE_TOOL), "none");
  EXPECT_EQ(reason_of("search", TOLLGATE_METHOD), "unknown_tool");
  EXPECT_EQ(reason_of("tools/list", TOLLGATE_METHOD), "none");
  EXPECT_EQ(reason_of("greet", TOLLGATE_PROMPT), "none");
  EXPECT_EQ(reason_of("greet", TOLLGATE_TOOL), "unknown_tool");
  EXPECT_EQ(reason_of("file:///a.txt", TOLLGATE_RESOURCE), "none");
  EXPECT_EQ(reason_of("file:///a.txt", TOLLGATE_PROMPT), "unknown_tool");
}

TEST_F(CapiEngineTest, SeveralCredentialsAreNone) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  auto request = Request(bearer);
  auto decision = Sized<tollgate_decision>();
  request.num_credentials = 1;
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "none");
  for (const size_t num : {size_t{2}, size_t{UINT32_MAX} + 1, SIZE_MAX}) {
    request.num_credentials = num;
    ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, nullptr), TOLLGATE_OK);
    EXPECT_EQ(Reason(decision), "several_credentials");
    EXPECT_EQ(decision.http_status, 400);
  }
}

TEST_F(CapiEngineTest, AMistakeIsNeverAnAllow) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  const auto good = Request(bearer);
  auto no_size = good;
  no_size.struct_size = 0;
  auto smaller = good;
  smaller.struct_size = sizeof good - 8;
  auto no_data = good;
  no_data.tool = {nullptr, 6};
  auto no_object = good;
  no_object.object = 4;
  Newer<tollgate_request> newer;
  newer.known = good;
  newer.known.struct_size = sizeof newer;
  newer.unknown = 1;
  const std::vector<std::pair<tollgate_engine*, const tollgate_request*>> mistakes = {
      {nullptr, &good},
      {engine.get(), nullptr},
      {engine.get(), &no_size},
      {engine.get(), &smaller},
      {engine.get(), &no_data},
      {engine.get(), &no_object},
      {engine.get(), &newer.known},
  };
  for (const auto& [which, request] : mistakes) {
    const auto filled = [] {
      auto decision = Sized<tollgate_decision>();
      decision.verdict = TOLLGATE_ALLOW;
      decision.http_status = 200;
      return decision;
    };
    auto decision = filled();
    EXPECT_EQ(tollgate_check(which, request, &decision, nullptr), TOLLGATE_INVALID_ARGUMENT);
    EXPECT_EQ(decision.verdict, TOLLGATE_DENY);
    EXPECT_EQ(decision.http_status, 401);
    EXPECT_EQ(Reason(decision), "undecided");
    decision = filled();
    EXPECT_EQ(tollgate_check_within(which, 0, request, &decision, nullptr), TOLLGATE_INVALID_ARGUMENT);
    EXPECT_EQ(decision.verdict, TOLLGATE_DENY);
    decision = filled();
    if (request != nullptr) {
      EXPECT_EQ(tollgate_check_batch(which, request, &decision, 1), TOLLGATE_INVALID_ARGUMENT);
      EXPECT_EQ(decision.verdict, TOLLGATE_DENY);
    }
    EXPECT_EQ(tollgate_may_use(which, request), 0u);
  }
  EXPECT_EQ(tollgate_check(engine.get(), &good, nullptr, nullptr), TOLLGATE_INVALID_ARGUMENT);
  auto decision = Sized<tollgate_decision>();
  decision.struct_size -= 8;
  EXPECT_EQ(tollgate_check(engine.get(), &good, &decision, nullptr), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(decision.verdict, 0);
  EXPECT_EQ(tollgate_check_batch(engine.get(), nullptr, &decision, 1), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_check_batch(engine.get(), &good, nullptr, 1), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_check_batch(engine.get(), nullptr, nullptr, 0), TOLLGATE_OK);

  auto metrics = Sized<tollgate_metrics>();
  ASSERT_EQ(tollgate_read_metrics(engine.get(), &metrics), TOLLGATE_OK);
  EXPECT_EQ(metrics.checks, 0u);
}

TEST_F(CapiEngineTest, ANewerCallerIsAnsweredAsAnOlderOne) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  Newer<tollgate_request> request;
  request.known.authorization = Str(bearer);
  request.known.tool = Str("search");
  Newer<tollgate_decision> decision;
  decision.unknown = 7;
  ASSERT_EQ(tollgate_check(engine.get(), &request.known, &decision.known, nullptr), TOLLGATE_OK);
  EXPECT_EQ(decision.known.verdict, TOLLGATE_ALLOW);
  EXPECT_EQ(decision.unknown, 0u);
  EXPECT_EQ(decision.known.struct_size, sizeof decision);
}

// Of everything that a decision has.
testing::AssertionResult Same(const tollgate_decision& a, const tollgate_decision& b) {
  const size_t head = sizeof a.struct_size;
  const bool same = std::memcmp(reinterpret_cast<const char*>(&a) + head,
                                reinterpret_cast<const char*>(&b) + head, sizeof a - head) == 0;
  return same ? testing::AssertionSuccess() : testing::AssertionFailure() << a.reason << " and " << b.reason;
}

TEST_F(CapiEngineTest, ABatchIsItsRequestsOneByOneWhateverTheirVersion) {
  EnginePtr engine = Engine();
  const std::string tokens[] = {Bearer(), Bearer("other"), "Bearer x", "", Bearer("files:read files:write")};
  const char* const tools[] = {"search", "delete", "nothing"};
  constexpr size_t kNum = 70;
  std::vector<tollgate_request> requests;
  std::vector<Newer<tollgate_request>> newer_requests(kNum);
  std::vector<tollgate_decision> singles, decisions(kNum, Sized<tollgate_decision>());
  std::vector<Newer<tollgate_decision>> newer_decisions(kNum);
  for (const std::string& token : tokens) Check(engine.get(), token);  // So that all are hits.
  for (size_t i = 0; i < kNum; ++i) {
    requests.push_back(Request(tokens[i % std::size(tokens)], tools[i % std::size(tools)]));
    newer_requests[i].known = requests[i];
    newer_requests[i].known.struct_size = sizeof newer_requests[i];
    newer_decisions[i].unknown = 7;
    singles.push_back(Check(engine.get(), tokens[i % std::size(tokens)], tools[i % std::size(tools)]));
  }
  ASSERT_EQ(tollgate_check_batch(engine.get(), requests.data(), decisions.data(), kNum), TOLLGATE_OK);
  ASSERT_EQ(tollgate_check_batch(engine.get(), &newer_requests[0].known, &newer_decisions[0].known, kNum),
            TOLLGATE_OK);
  for (size_t i = 0; i < kNum; ++i) {
    EXPECT_TRUE(Same(decisions[i], singles[i])) << i;
    EXPECT_TRUE(Same(newer_decisions[i].known, singles[i])) << i;
    EXPECT_EQ(newer_decisions[i].unknown, 0u);
  }
  EXPECT_EQ(decisions[0].verdict, TOLLGATE_ALLOW);

  // One that is none among them, late.
  for (const bool in_decisions : {false, true}) {
    auto wrong = requests;
    if (in_decisions) {
      decisions[kNum - 1].struct_size = sizeof(tollgate_decision) + 8;
    } else {
      wrong[kNum - 1].struct_size = 0;
    }
    EXPECT_EQ(tollgate_check_batch(engine.get(), wrong.data(), decisions.data(), kNum),
              TOLLGATE_INVALID_ARGUMENT);
    for (const tollgate_decision& decision : decisions) {
      EXPECT_EQ(decision.verdict, TOLLGATE_DENY);
      EXPECT_EQ(Reason(decision), "undecided");
      EXPECT_EQ(decision.struct_size, sizeof decision);
    }
  }
}

// ---- Waiting

struct Answers {
  std::vector<std::string> reasons;
  std::string subject;
  uint8_t verdict = 0;
};

void Note(void* user, const tollgate_decision* decision, const tollgate_caller* caller) {
  auto* const answers = static_cast<Answers*>(user);
  EXPECT_EQ(decision->struct_size, sizeof *decision);
  EXPECT_EQ(caller->struct_size, sizeof *caller);
  answers->reasons.push_back(tollgate_reason_name(decision->reason));
  answers->subject = Text(caller->subject);
  answers->verdict = decision->verdict;
}

TEST_F(CapiEngineTest, WhatNeedsNoWaitIsAnsweredAtOnce) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  const auto request = Request(bearer);
  Answers answers;
  ASSERT_EQ(tollgate_check_async(engine.get(), 1000, &request, Note, &answers), TOLLGATE_OK);
  EXPECT_THAT(answers.reasons, ::testing::ElementsAre("none"));
  EXPECT_EQ(answers.subject, "alice");
  EXPECT_EQ(answers.verdict, TOLLGATE_ALLOW);
  auto decision = Sized<tollgate_decision>();
  ASSERT_EQ(tollgate_check_within(engine.get(), 1000, &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(Reason(decision), "none");
}

TEST_F(CapiEngineTest, WhoWaitsIsAnsweredOnceAndNeverAfterAMistake) {
  EnginePtr engine = EngineWithoutKeys();
  std::string bearer = Bearer();
  auto request = Request(bearer);
  Answers answers;
  ASSERT_EQ(tollgate_check_async(engine.get(), 60'000, &request, Note, &answers), TOLLGATE_OK);
  bearer.assign(bearer.size(), 'x');  // The engine has its own.
  EXPECT_TRUE(answers.reasons.empty());
  engine.reset();
  EXPECT_THAT(answers.reasons, ::testing::ElementsAre("keys_never_fetched"));
  EXPECT_EQ(answers.verdict, TOLLGATE_UNAVAILABLE);

  engine = Engine();
  request.struct_size = 0;
  EXPECT_EQ(tollgate_check_async(engine.get(), 0, &request, Note, &answers), TOLLGATE_INVALID_ARGUMENT);
  request = Request(bearer);
  EXPECT_EQ(tollgate_check_async(nullptr, 0, &request, Note, &answers), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_check_async(engine.get(), 0, &request, nullptr, &answers), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(answers.reasons.size(), 1u);
}

TEST_F(CapiEngineTest, AtTheDeadlineTheAnswerIsThatOfThatMoment) {
  EnginePtr engine = EngineWithoutKeys();
  const std::string bearer = Bearer();
  const auto request = Request(bearer);
  Answers answers;
  ASSERT_EQ(tollgate_check_async(engine.get(), 2000, &request, Note, &answers), TOLLGATE_OK);
  now_s_ += 3;
  int64_t next_ms = -1;
  ASSERT_EQ(tollgate_run_background(engine.get(), 0, &next_ms), TOLLGATE_OK);
  EXPECT_GE(next_ms, 0);
  EXPECT_EQ(answers.reasons.size(), 1u);
  EXPECT_EQ(answers.verdict, TOLLGATE_UNAVAILABLE);
  auto decision = Sized<tollgate_decision>();
  ASSERT_EQ(tollgate_check_within(engine.get(), -1, &request, &decision, nullptr), TOLLGATE_OK);
  EXPECT_EQ(decision.verdict, TOLLGATE_UNAVAILABLE);
  EXPECT_EQ(tollgate_run_background(nullptr, 0, &next_ms), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(next_ms, 0);
}

// ---- Changes

TEST_F(CapiEngineTest, AnotherPolicyCountsAtOnceAndABadOneChangesNothing) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "none");
  PolicyPtr policy(tollgate_policy_new());
  auto rule = Sized<tollgate_rule>();
  rule.name = Str("search");
  rule.scopes = Str("files:write");
  ASSERT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK);
  ASSERT_EQ(tollgate_set_policy(engine.get(), policy.get(), &error_), TOLLGATE_OK);
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "insufficient_scope");
  rule.sensitivity = Str("secret");
  rule.name = Str("other");
  ASSERT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK);
  EXPECT_EQ(tollgate_set_policy(engine.get(), policy.get(), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("secret"));
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "insufficient_scope");
  EXPECT_EQ(tollgate_set_policy(engine.get(), nullptr, &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_set_policy(nullptr, policy.get(), &error_), TOLLGATE_INVALID_ARGUMENT);
}

TEST_F(CapiEngineTest, TokensSubjectsAndKeysAreRevoked) {
  const auto revoke = [&](tollgate_engine* engine, uint32_t what, std::string_view name) {
    return tollgate_revoke(engine, what, Str(kIssuer), Str(name), now_s_ + 600, &error_);
  };
  const std::string bearer = Bearer();
  EnginePtr engine = Engine();
  ASSERT_EQ(revoke(engine.get(), TOLLGATE_REVOKE_KEY, key_.Thumbprint()), TOLLGATE_OK) << Message();
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "key_revoked");

  engine = Engine();
  ASSERT_EQ(revoke(engine.get(), TOLLGATE_REVOKE_SUBJECT, "alice"), TOLLGATE_OK) << Message();
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "subject_revoked");
  EXPECT_EQ(Reason(Check(engine.get(), Bearer("files:read", "bob"))), "none");

  engine = Engine();
  PrincipalPtr principal(tollgate_principal_new());
  const auto request = Request(bearer);
  auto decision = Sized<tollgate_decision>();
  auto caller = Sized<tollgate_caller>();
  ASSERT_EQ(tollgate_check(engine.get(), &request, &decision, principal.get()), TOLLGATE_OK);
  ASSERT_EQ(tollgate_principal_read(principal.get(), &caller), TOLLGATE_OK);
  ASSERT_EQ(revoke(engine.get(), TOLLGATE_REVOKE_TOKEN, Text(caller.jwt_id)), TOLLGATE_OK) << Message();
  EXPECT_EQ(Reason(Check(engine.get(), bearer)), "token_revoked");

  EXPECT_EQ(revoke(engine.get(), 3, "alice"), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(Message(), "what: is out of range");
  EXPECT_EQ(revoke(nullptr, TOLLGATE_REVOKE_TOKEN, "x"), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_revoke(engine.get(), TOLLGATE_REVOKE_TOKEN, Str("https://nobody.example"), Str("x"),
                            now_s_ + 600, &error_),
            TOLLGATE_INVALID_ARGUMENT);
  EXPECT_THAT(Message(), HasSubstr("issuer"));
  for (int i = 1; i < 65536; ++i) revoke(engine.get(), TOLLGATE_REVOKE_TOKEN, std::to_string(i));
  EXPECT_EQ(revoke(engine.get(), TOLLGATE_REVOKE_TOKEN, "one more"), TOLLGATE_RESOURCE_EXHAUSTED);
}

TEST_F(CapiEngineTest, WhatIsMayBeUsedIsWhatWouldBeAllowed) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  for (const char* tool : {"search", "delete", "nothing"}) {
    const auto request = Request(bearer, tool);
    EXPECT_EQ(tollgate_may_use(engine.get(), &request),
              Check(engine.get(), bearer, tool).verdict == TOLLGATE_ALLOW ? 1u : 0u)
        << tool;
  }
}

}  // namespace
}  // namespace tollgate
