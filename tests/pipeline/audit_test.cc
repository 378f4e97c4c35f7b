// What the audit log has of the engine's decisions.

#include "tests/audit/audit_fixture.h"
#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

using audit::ChainFault;
using audit::testing::MemorySink;
using nlohmann::json;

constexpr char kAuditKey[] = "thirty-two bytes, random or not.";
constexpr char kTraceparent[] = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

Policy AuditedPolicy() {
  PolicyBuilder builder;
  const auto add = [&builder](const char* name, AuditDuty duty) {
    builder.AddClass({.name = name, .audit = duty});
    builder.AddRule({.name = name, .scopes = {"files:read"}, .sensitivity = name});
  };
  add("silent", AuditDuty::kNone);
  add("sampled", AuditDuty::kSampled);
  add("full", AuditDuty::kFull);
  add("must", AuditDuty::kMustRecord);
  builder.AddRule({.name = "write", .scopes = {"files:write"}, .sensitivity = "full"});
  return Built(builder);
}

class AuditTest : public NetworkTest {
 protected:
  AuditTest() { Restart(AuditedConfig()); }

  Config AuditedConfig() {
    sink_ = std::make_shared<MemorySink>();
    Config config = TestConfig(idp::Jwks({&key_}).dump());
    config.policy = AuditedPolicy();
    config.audit = {.sink = sink_, .key = kAuditKey, .sample_one_in = 5};
    return config;
  }

  // Decisions takes what the log has become since the last call, those of the log itself left out.
  std::vector<json> Decisions() {
    Run();
    std::vector<json> decisions;
    for (; taken_ < sink_->lines.size(); ++taken_) {
      const json line = json::parse(sink_->lines[taken_]);
      if (line["unmapped"]["record"] == "decision") decisions.push_back(line);
    }
    return decisions;
  }
  json Only() {
    const std::vector<json> decisions = Decisions();
    EXPECT_EQ(decisions.size(), 1u);
    return decisions.empty() ? json() : decisions.front();
  }

  std::shared_ptr<MemorySink> sink_;
  size_t taken_ = 0;
};

TEST_F(AuditTest, ARecordSaysWhoMayUseWhatAndByWhichKey) {
  idp::json claims = Claims();
  claims["jti"] = "id-1";
  claims["roles"] = {"admin", "ops"};
  claims["act"] = {{"sub", "assistant"}};
  const std::string token = idp::Mint(key_, claims);
  const std::string authorization = "Bearer " + token;
  json first;
  for (int seen = 0; seen < 2; ++seen) {
    Decision decision;
    engine_->Check({.authorization = authorization, .tool = "full", .traceparent = kTraceparent}, &decision);
    ASSERT_TRUE(decision.allowed());
    json record = Only();
    EXPECT_EQ(record["time"], kStart * 1000);
    EXPECT_EQ(record["status_id"], 1);
    EXPECT_EQ(record["status_code"], "none") << record;
    EXPECT_EQ(record["api"]["operation"], "full");
    EXPECT_EQ(record["api"]["service"]["name"], kResource);
    EXPECT_EQ(record["actor"]["user"]["uid"], "alice") << record["actor"];
    EXPECT_EQ(record["metadata"]["correlation_uid"], engine_->AuditIdOf(token));
    EXPECT_EQ(engine_->AuditIdOf(token).size(), 32u);
    const json& more = record["unmapped"];
    EXPECT_EQ(more["verdict"], "allow");
    EXPECT_EQ(more["sensitivity"], "full");
    EXPECT_EQ(more["scopes"], json({"files:read"}));
    EXPECT_EQ(more["roles"], json({"admin", "ops"}));
    EXPECT_EQ(more["act"], "assistant");
    EXPECT_EQ(more["key_id"], key_.kid());
    EXPECT_EQ(more["traceparent"], kTraceparent);
    // A hit's record is that of the verification but for its place in the chain.
    for (const char* place : {"seq", "chain"}) record["unmapped"].erase(place);
    record["metadata"].erase("sequence");
    record["metadata"].erase("uid");
    record.erase("chain");
    if (seen == 0) {
      first = record;
    } else {
      EXPECT_TRUE(decision.from_cache);
      EXPECT_EQ(record, first);
    }
  }
}

TEST_F(AuditTest, TheClassSaysWhatIsRecorded) {
  const std::string token = Token();
  Check(token, "silent");
  const auto count = [&](std::string_view tool) {
    for (int i = 0; i < 100; ++i) EXPECT_TRUE(Check(token, tool).allowed());
    return Decisions().size();
  };
  EXPECT_EQ(count("silent"), 0u);
  EXPECT_EQ(count("sampled"), 20u) << "one in five";
  EXPECT_EQ(count("full"), 100u);
  EXPECT_EQ(count("must"), 100u);
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.audit_written, 220u);
  EXPECT_EQ(metrics.audit_sampled_out, 80u);
  EXPECT_EQ(metrics.audit_lost, 0u);
}

TEST_F(AuditTest, DenialsAreRecordedWithTheReasonAndWhoeverIsKnown) {
  const std::string token = Token();
  EXPECT_EQ(Check(token, "write").reason, Reason::kInsufficientScope);
  json record = Only();
  EXPECT_EQ(record["status_code"], "insufficient_scope");
  EXPECT_EQ(record["actor"]["user"]["uid"], "alice");
  EXPECT_EQ(Check(token, "write").reason, Reason::kInsufficientScope);
  EXPECT_EQ(Only()["actor"]["user"]["uid"], "alice") << "from the cache";
  EXPECT_EQ(Check(token, "no such tool").reason, Reason::kUnknownTool);
  record = Only();
  EXPECT_EQ(record["api"]["operation"], "no such tool");
  EXPECT_EQ(record["metadata"]["correlation_uid"], engine_->AuditIdOf(token));
  EXPECT_EQ(Check(token, std::string(100'000, 'x')).reason, Reason::kUnknownTool);
  EXPECT_EQ(Only()["api"]["operation"].get<std::string>().size(), 1024u) << "is not lost by being long";

  std::string forged = token;
  forged[forged.size() - 10] = forged[forged.size() - 10] == 'A' ? 'B' : 'A';
  EXPECT_EQ(Check(forged, "full").reason, Reason::kBadSignature);
  record = Only();
  EXPECT_EQ(record["status_code"], "bad_signature");
  EXPECT_FALSE(record["actor"].contains("user")) << "nobody has proved to be anybody: " << record["actor"];
  EXPECT_EQ(record["metadata"]["correlation_uid"], engine_->AuditIdOf(forged));
  EXPECT_NE(engine_->AuditIdOf(forged), engine_->AuditIdOf(token));

  Decision decision;
  engine_->Check({.tool = "full"}, &decision);
  record = Only();
  EXPECT_EQ(record["status_code"], "no_credential");
  EXPECT_FALSE(record["metadata"].contains("correlation_uid")) << record["metadata"];
  EXPECT_EQ(engine_->AuditIdOf(""), "");
}

TEST_F(AuditTest, WhoseARevokedTokenWasTheLogAloneIsTold) {
  const std::string seen = Token();
  Check(seen, "full");
  ASSERT_EQ(Decisions().size(), 1u);
  ASSERT_TRUE(engine_->RevokeSubject(kIssuer, "alice", kStart + 3600).ok());
  idp::json claims = Claims();
  claims["jti"] = "another one";
  for (const std::string& token : {seen, idp::Mint(key_, claims)}) {
    const std::string authorization = "Bearer " + token;
    Decision decision;
    Principal principal;
    engine_->Check({.authorization = authorization, .tool = "full"}, &decision, &principal);
    EXPECT_EQ(decision.reason, Reason::kSubjectRevoked);
    EXPECT_EQ(principal.subject(), "");
    EXPECT_EQ(Only()["actor"]["user"]["uid"], "alice");
  }
  // Whoever has stolen a key can write any name.
  ASSERT_TRUE(engine_->RevokeKey(kIssuer, key_.kid(), kStart + 3600).ok());
  EXPECT_EQ(Check(seen, "full").reason, Reason::kKeyRevoked);
  EXPECT_FALSE(Only()["actor"].contains("user"));
}

TEST_F(AuditTest, NoTokenStandsInTheLog) {
  const std::string token = Token();
  std::vector<std::string> secrets = {token, token.substr(token.rfind('.') + 1),
                                      token.substr(0, token.rfind('.')), kAuditKey};
  Check(token, "full");
  Check(token, "full");
  Check(token + "x", "full");
  Check("opaque-token-of-somebody", "full");
  secrets.emplace_back("opaque-token");
  ASSERT_GE(Decisions().size(), 4u);
  for (const std::string& line : sink_->lines) {
    for (const std::string& secret : secrets) EXPECT_EQ(line.find(secret), std::string::npos) << line;
  }
}

TEST_F(AuditTest, WhatMustBeRecordedAndIsNotIsNotAllowed) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token, "must").allowed());
  sink_->failing = true;
  Run();
  EXPECT_NE(engine_->AuditError(), "");
  for (int seen = 0; seen < 2; ++seen) {
    const Decision decision = Check(seen == 0 ? Token() : token, "must");
    EXPECT_EQ(decision.reason, Reason::kNotRecorded);
    EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
    EXPECT_EQ(decision.http_status(), 503);
    EXPECT_GE(decision.retry_after_s, 1u);
    EXPECT_EQ(decision.valid_until_s, 0);
    EXPECT_EQ(principal_.subject(), "");
  }
  EXPECT_TRUE(Check(token, "full").allowed()) << "its loss would be counted";
  Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.checks, metrics.allowed + metrics.denied + metrics.unavailable);
  EXPECT_EQ(metrics.unavailable, 2u);
  sink_->failing = false;
  Run();
  EXPECT_TRUE(Check(token, "must").allowed());
  EXPECT_EQ(engine_->AuditError(), "");
  Run();
  EXPECT_EQ(engine_->ReadMetrics().audit_lost, 2u) << "each once";
}

TEST_F(AuditTest, APolicyThatMustRecordNeedsASink) {
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.policy = AuditedPolicy();
  const absl::Status status = Engine::Create(config).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_NE(status.message().find("audit.sink"), std::string_view::npos) << status;
  config.policy = TestPolicy();
  Restart(config);
  EXPECT_EQ(engine_->SetPolicy(AuditedPolicy()).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(engine_->AuditIdOf("x"), "");
  config.audit = {.sink = std::make_shared<MemorySink>(), .key = "short"};
  EXPECT_NE(Engine::Create(config).status().message().find("audit.key"), std::string_view::npos);
}

TEST_F(AuditTest, AListIsNoCall) {
  const std::string authorization = "Bearer " + Token();
  for (int seen = 0; seen < 2; ++seen) {
    EXPECT_TRUE(engine_->MayUse({.authorization = authorization, .tool = "must"}));
    EXPECT_FALSE(engine_->MayUse({.authorization = authorization, .tool = "write"}));
  }
  EXPECT_TRUE(Decisions().empty());
}

TEST_F(AuditTest, ABatchIsRecordedMemberByMember) {
  const std::string authorization = "Bearer " + Token();
  const std::vector<Request> requests = {{.authorization = authorization, .tool = "full"},
                                         {.authorization = authorization, .tool = "silent"},
                                         {.authorization = authorization, .tool = "write"}};
  std::vector<Decision> decisions(requests.size());
  engine_->CheckBatch(requests, decisions);
  const std::vector<json> records = Decisions();
  ASSERT_EQ(records.size(), 2u);
  EXPECT_EQ(records[0]["api"]["operation"], "full");
  EXPECT_EQ(records[1]["api"]["operation"], "write");
}

// One decision, one record, however often it was looked for.
TEST_F(AuditTest, WhoeverWaitsForAnAnswerIsRecordedOnce) {
  Config config = AuditedConfig();
  config.issuers[0].jwks.clear();
  config.issuers[0].jwks_uri = kJwksUri;
  Start(config);
  network_->SetAnswer(kJwksUri, kServerError);
  taken_ = 0;
  const std::string authorization = "Bearer " + Token();
  const Request request = {.authorization = authorization, .tool = "full"};
  int answers = 0;
  const auto done = [&answers](const Decision&, const Principal&) { ++answers; };
  engine_->CheckAsync(std::chrono::milliseconds(0), request, done);
  EXPECT_EQ(answers, 1);
  EXPECT_EQ(Only()["unmapped"]["verdict"], "unavailable") << "given up";
  Decision decision;
  engine_->CheckWithin(std::chrono::milliseconds(0), request, &decision);
  EXPECT_EQ(Only()["unmapped"]["verdict"], "unavailable");

  network_->SetAnswer(kJwksUri, Keys({&key_}));
  engine_->CheckAsync(std::chrono::minutes(10), request, done);
  EXPECT_EQ(answers, 1);
  for (int turn = 0; turn < 50 && answers == 1; ++turn) {
    clock_.Advance(10);
    Run();
  }
  EXPECT_EQ(answers, 2);
  EXPECT_EQ(Only()["unmapped"]["verdict"], "allow");
}

TEST_F(AuditTest, TheLogOfAnEngineIsAWholeChain) {
  const std::string token = Token();
  for (int i = 0; i < 20; ++i) Check(token, i % 2 == 0 ? "full" : "write");
  Run();
  for (int i = 0; i < 20; ++i) Check(token, "must");
  engine_.reset();
  audit::Verifier verifier(audit::testing::Bytes(kAuditKey), {});
  for (const std::string& line : sink_->lines)
    ASSERT_EQ(verifier.Line(line, true), ChainFault::kNone) << line;
  EXPECT_EQ(verifier.End(), ChainFault::kNone);
  EXPECT_TRUE(verifier.closed());
  EXPECT_EQ(verifier.sums().decisions, 40u);
}

// Its claims are kept beside the audit id: nothing gets lost by that.
TEST_F(AuditTest, LongNamesAreCachedAndRecordedWhole) {
  idp::json claims = Claims();
  claims["sub"] = "3f2504e0-4f89-11d3-9a0c-0305e82c3301";
  claims["jti"] = "3f2504e0-4f89-11d3-9a0c-0305e82c3302";
  claims["client_id"] = std::string(300, 'c');
  claims["roles"] = {std::string(400, 'x'), std::string(400, 'y'), std::string(400, 'z')};
  const std::string token = idp::Mint(key_, claims);
  EXPECT_TRUE(Check(token, "full").was_cached);
  const json miss = Only();
  EXPECT_TRUE(Check(token, "full").from_cache);
  const json hit = Only();
  EXPECT_EQ(hit["actor"], miss["actor"]);
  EXPECT_EQ(hit["unmapped"]["roles"], miss["unmapped"]["roles"]);
  EXPECT_EQ(hit["metadata"]["correlation_uid"], engine_->AuditIdOf(token));
  EXPECT_EQ(principal_.client_id(), std::string(300, 'c'));
}

// Whoever has no token may be denied as often as they like: it must not stop those who have one.
TEST_F(AuditTest, AFloodOfStrangersLeavesRoomForWhatMustBeRecorded) {
  const std::string token = Token();
  EXPECT_TRUE(Check(token, "must").allowed());
  for (int i = 0; i < 5'000; ++i) Check("forged", std::string(1'000, 'x'));
  for (int i = 0; i < 50; ++i) EXPECT_TRUE(Check(token, "must").allowed()) << i;
  Run();
  EXPECT_GT(engine_->ReadMetrics().audit_lost, 1'000u) << "the strangers'";
}

TEST_F(AuditTest, WhatIsGivenUpForWantOfARecordIsLostOnce) {
  const std::string authorization = "Bearer " + Token();
  Check(authorization.substr(7), "must");
  sink_->failing = true;
  Run();
  Decision decision;
  engine_->CheckWithin(std::chrono::milliseconds(0), {.authorization = authorization, .tool = "must"},
                       &decision);
  EXPECT_EQ(decision.reason, Reason::kNotRecorded);
  sink_->failing = false;
  for (int turn = 0; turn < 2; ++turn) Run();
  EXPECT_EQ(engine_->ReadMetrics().audit_lost, 1u);
}

}  // namespace
}  // namespace tollgate
