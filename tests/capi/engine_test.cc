// Whether the engine answers through the C ABI what it answers, and never allows by mistake.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include <nlohmann/json.hpp>

#include "capi_fixture.h"
#include "tollgate/version.h"

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

// ---- What operators see

TEST_F(CapiEngineTest, CountersAreThoseOfTheirNames) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  for (int i = 0; i < 3; ++i) Check(engine.get(), bearer);
  Check(engine.get(), bearer, "delete");
  Check(engine.get(), "");
  std::string forged = Bearer();
  char& changed = forged[forged.size() - 10];
  changed = changed == 'A' ? 'B' : 'A';
  Check(engine.get(), forged);
  Newer<tollgate_metrics> metrics;
  metrics.unknown = 7;
  ASSERT_EQ(tollgate_read_metrics(engine.get(), &metrics.known), TOLLGATE_OK);
  EXPECT_EQ(metrics.known.checks, 6u);
  EXPECT_EQ(metrics.known.allowed, 3u);
  EXPECT_EQ(metrics.known.denied, 3u);
  EXPECT_EQ(metrics.known.unavailable, 0u);
  EXPECT_EQ(metrics.known.cache_hits, 3u);
  EXPECT_EQ(metrics.known.signature_verifications, 2u);
  EXPECT_EQ(metrics.known.verifications_in_vain, 1u);
  EXPECT_EQ(metrics.known.cache_inserts, 1u);
  EXPECT_EQ(metrics.known.issuers, 1u);
  EXPECT_EQ(metrics.known.issuers_max, 1024u);
  EXPECT_EQ(metrics.known.issuers_fresh, 1u);
  EXPECT_EQ(metrics.known.issuer_keys, 1u);
  EXPECT_GT(metrics.known.issuer_bytes, 0u);
  EXPECT_EQ(metrics.unknown, 0u);
  EXPECT_EQ(tollgate_read_metrics(nullptr, &metrics.known), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_read_metrics(engine.get(), nullptr), TOLLGATE_INVALID_ARGUMENT);
}

std::string Health(const tollgate_engine* engine) {
  std::string text(tollgate_read_health(engine, nullptr, 0) + 1, '\0');
  const size_t size = tollgate_read_health(engine, text.data(), text.size());
  EXPECT_LT(size, text.size());
  text.resize(size);
  return text;
}

TEST_F(CapiEngineTest, HealthIsAJsonObject) {
  const std::string name = "https://idp.example/\"a\\b\"\xC3\xA9";
  auto issuer = Sized<tollgate_issuer>();
  issuer.issuer = Str(name);
  issuer.jwks_uri = Str("https://idp.example/jwks");
  ConfigPtr config = Config(issuer, Options());
  const auto inline_keys = Issuer();
  ASSERT_EQ(tollgate_config_add_issuer(config.get(), &inline_keys, &error_), TOLLGATE_OK);
  EnginePtr engine = Engine(config.get());
  const auto health = nlohmann::json::parse(Health(engine.get()));
  ASSERT_EQ(health["issuers"].size(), 2u);
  EXPECT_EQ(health["issuers"][0]["issuer"], "https://idp.example/\"a\\b\"%C3%A9");
  EXPECT_EQ(health["issuers"][0]["freshness"], "unavailable");
  EXPECT_EQ(health["issuers"][0]["keys_age_ms"], -1);
  EXPECT_EQ(health["issuers"][0]["from_snapshot"], false);
  EXPECT_EQ(health["issuers"][1]["issuer"], kIssuer);
  EXPECT_EQ(health["issuers"][1]["position"], 1);
  EXPECT_EQ(health["issuers"][1]["freshness"], "fresh");
  EXPECT_EQ(health["issuers"][1]["num_keys"], 1);
  EXPECT_EQ(health["snapshot"]["read"], "not_configured");
  EXPECT_EQ(health["snapshot"]["written_ago_ms"], -1);
  EXPECT_EQ(health["audit_error"], "");
}

TEST_F(CapiEngineTest, HealthSaysWhatBecameOfTheSnapshot) {
  const std::string path = std::filesystem::absolute(::testing::TempDir() + "/capi_snapshot").string();
  std::filesystem::remove(path);
  auto options = Options();
  options.snapshot_path = Str(path);
  options.snapshot_key = Str("0123456789abcdef0123456789abcdef");
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  EXPECT_EQ(nlohmann::json::parse(Health(engine.get()))["snapshot"]["read"], "absent");
}

TEST_F(CapiEngineTest, EnginesThatShareASnapshotHaveOneThatLeads) {
  const std::string path = std::filesystem::absolute(::testing::TempDir() + "/capi_shared_snapshot").string();
  std::filesystem::remove(path);
  auto issuer = Sized<tollgate_issuer>();
  issuer.issuer = Str(kIssuer);
  issuer.jwks_uri = Str("https://idp.invalid/jwks");
  auto options = Options();
  options.no_thread = 1;
  options.snapshot_path = Str(path);
  options.snapshot_key = Str("0123456789abcdef0123456789abcdef");
  options.snapshot_shared = 1;
  std::string wanted;
  options.wanted = [](void* user, tollgate_string name) {
    static_cast<std::string*>(user)->assign(name.data, name.size);
  };
  options.wanted_user = &wanted;
  ConfigPtr config = Config(issuer, options);
  const auto leads = [this](tollgate_engine* engine) {
    return nlohmann::json::parse(Health(engine))["snapshot"]["leads"].get<bool>();
  };
  EnginePtr first = Engine(config.get());
  EXPECT_TRUE(leads(first.get()));
  EXPECT_EQ(wanted, "");
  EnginePtr second = Engine(config.get());
  EXPECT_FALSE(leads(second.get()));
  EXPECT_EQ(wanted, kIssuer);
  EXPECT_EQ(tollgate_refresh(first.get(), Str(kIssuer), &error_), TOLLGATE_OK);
  EXPECT_EQ(tollgate_refresh(first.get(), Str("https://other.example"), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_refresh(nullptr, Str(kIssuer), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_engine_step_down(first.get()), TOLLGATE_OK);
  EXPECT_EQ(tollgate_engine_step_down(nullptr), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_FALSE(leads(first.get()));
  EnginePtr third = Engine(config.get());
  EXPECT_TRUE(leads(third.get()));
}

TEST_F(CapiEngineTest, HealthThatDoesNotFitIsNotWritten) {
  EnginePtr engine = Engine();
  char small[8] = "before.";
  const size_t size = tollgate_read_health(engine.get(), small, sizeof small);
  EXPECT_GT(size, sizeof small);
  EXPECT_NE(size, TOLLGATE_FAILED);
  EXPECT_STREQ(small, "");
  EXPECT_EQ(tollgate_read_health(nullptr, small, sizeof small), TOLLGATE_FAILED);
  EXPECT_EQ(tollgate_read_health(engine.get(), nullptr, 8), TOLLGATE_FAILED);
}

TEST_F(CapiEngineTest, ReasonsHaveNamesAndTexts) {
  EXPECT_STREQ(tollgate_reason_name(0), "none");
  EXPECT_STREQ(tollgate_reason_name(408), "expired");
  EXPECT_STREQ(tollgate_reason_text(408), "the token has expired");
  // 65536 + 408 is not 408.
  for (const uint32_t number : {2u, 65535u, 65536u + 408u, UINT32_MAX})
    EXPECT_STREQ(tollgate_reason_name(number), "unknown_reason");
  EXPECT_EQ(tollgate_version(), Version());
}

// ---- Threads

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

std::set<std::string> Threads() {
  std::set<std::string> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    threads.insert(task.path().filename());
  return threads;
}

// Which signals a thread of ours blocks.
uint64_t Blocked(const std::string& thread) {
  uint64_t blocked = 0;
  std::ifstream status("/proc/self/task/" + thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (std::sscanf(line.c_str(), "SigBlk: %" SCNx64, &blocked) == 1) break;
  }
  return blocked;
}

TEST_F(CapiEngineTest, TheEnginesThreadTakesNoneOfTheHostsSignals) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer begins a thread of its own, which blocks all signals";
#endif
  const std::set<std::string> threads_before = Threads();
  sigset_t before, after;
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  auto options = Options();
  options.no_thread = 0;
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  for (int signal = 1; signal < NSIG; ++signal)
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  size_t num_new = 0;
  for (const std::string& thread : Threads()) {
    if (threads_before.contains(thread)) continue;
    ++num_new;
    // While a thread begins, the C library blocks all.
    uint64_t blocked = Blocked(thread);
    for (int i = 0; i < 10'000 && (blocked & Bit(SIGSEGV)) != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      blocked = Blocked(thread);
    }
    for (const int signal : {SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGINT, SIGPIPE})
      EXPECT_NE(blocked & Bit(signal), 0u) << signal;
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) EXPECT_EQ(blocked & Bit(signal), 0u) << signal;
  }
  EXPECT_EQ(num_new, 1u);
}

// As servers with workers do it. An engine of the parent's makes no difference.
TEST_F(CapiEngineTest, EachChildOfAForkMakesItsOwnEngine) {
  auto options = Options();
  options.no_thread = 0;
  ConfigPtr config = Config(Issuer(), options);
  EnginePtr parents = Engine();
  const std::string bearer = Bearer();
  EXPECT_EQ(Reason(Check(parents.get(), bearer)), "none");
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    tollgate_engine* engine = nullptr;
    bool good = tollgate_engine_create(config.get(), &engine, nullptr) == TOLLGATE_OK;
    const auto request = Request(bearer);
    for (int j = 0; good && j < 2; ++j) {  // A miss, then a hit.
      auto decision = Sized<tollgate_decision>();
      good = tollgate_check(engine, &request, &decision, nullptr) == TOLLGATE_OK &&
             decision.verdict == TOLLGATE_ALLOW && decision.from_cache == j;
    }
    tollgate_engine_destroy(engine);
    _exit(good ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Check(parents.get(), bearer).from_cache, 1);
}

TEST_F(CapiEngineTest, ManyThreadsCheckAtOnce) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      PrincipalPtr principal(tollgate_principal_new());
      const auto request = Request(bearer);
      for (int i = 0; i < 500; ++i) {
        auto decision = Sized<tollgate_decision>();
        auto caller = Sized<tollgate_caller>();
        if (tollgate_check(engine.get(), &request, &decision, principal.get()) != TOLLGATE_OK ||
            decision.verdict != TOLLGATE_ALLOW ||
            tollgate_principal_read(principal.get(), &caller) != TOLLGATE_OK ||
            Text(caller.subject) != "alice")
          ADD_FAILURE();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tollgate
