#include "audit/lines.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "tests/audit/audit_fixture.h"
#include "tests/golden/golden.h"

namespace tollgate::audit {
namespace {

using nlohmann::json;
using testing::At;
using testing::GoodRecord;
using testing::kAuditId;
using testing::kChainId;
using testing::kKey;
using testing::kWallS;
using testing::MemorySink;

json Line(const Record& record) {
  std::string line;
  AppendDecision({.sequence = 7, .chain_id = "c0"}, record, &line);
  Chain({}).Close({}, &line);
  EXPECT_EQ(line.find('\n'), line.npos);
  return json::parse(line);
}

void SubmitAll(Log& log) {
  EXPECT_TRUE(log.Submit(GoodRecord()));
  Record denied = GoodRecord();
  denied.verdict = Verdict::kDeny;
  denied.reason = Reason::kInsufficientScope;
  denied.duty = AuditDuty::kMustRecord;
  denied.principal = PrincipalKind::kAgent;
  denied.actor = "agent-1 for alice";
  denied.roles = {};
  denied.traceparent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-1";  // Too short.
  EXPECT_TRUE(log.Submit(denied));
  Record nobody = {.time_ms = kWallS * 1000 + 456};
  nobody.reason = Reason::kNoCredential;
  nobody.tool = "tools/list";
  nobody.object = McpObject::kMethod;
  EXPECT_TRUE(log.Submit(nobody));
  Record unavailable = GoodRecord();
  unavailable.verdict = Verdict::kUnavailable;
  unavailable.reason = Reason::kKeysNeverFetched;
  unavailable.principal_known = false;
  unavailable.object = McpObject::kResource;
  unavailable.tool = "file:///reports/\xE2\x82\xAC.txt";
  unavailable.duty = AuditDuty::kSampled;
  EXPECT_TRUE(log.Submit(unavailable));
  Record too_long = GoodRecord();
  const std::string name(kRecordBytesMax, 'x');
  too_long.tool = name;
  EXPECT_FALSE(log.Submit(too_long));
}

// What a log looks like, to the letter: golden/ is read by people, and by golden_test.py.
TEST(Lines, AreTheGoldenOnes) {
  for (const bool keyed : {false, true}) {
    const auto sink = std::make_shared<MemorySink>();
    AuditConfig config = {.sink = sink, .checkpoint_interval_ms = 10'000};
    if (keyed) config.key = kKey;
    Log first(config, kChainId);
    SubmitAll(first);
    ASSERT_TRUE(first.Drain(At(1000)));
    ASSERT_TRUE(first.Drain(At(11'000)));
    ASSERT_TRUE(first.Close(At(12'000)));
    sink->tail = {.last_line = sink->lines.back(), .unfinished_bytes = 0};
    Log second(config, {0xff});
    ASSERT_TRUE(second.Close(At(13'000)));
    EXPECT_EQ(testing::Verify(sink->lines, config.key), ChainFault::kNone);
    std::string text;
    for (const std::string& line : sink->lines) text += line + "\n";
    ::tollgate::testing::ExpectGolden(
        std::string("tests/audit/golden/") + (keyed ? "keyed.jsonl" : "plain.jsonl"), text);
  }
}

TEST(Lines, LeaveOutWhatThereIsNot) {
  const json line = Line({});
  EXPECT_EQ(line["actor"], json::object());
  EXPECT_EQ(line["metadata"].count("correlation_uid"), 0u);
  EXPECT_EQ(line["api"].count("operation"), 0u);
  EXPECT_EQ(line["api"].count("service"), 0u);
  for (const char* name : {"scopes", "roles", "act", "key_id", "traceparent", "sensitivity"}) {
    EXPECT_EQ(line["unmapped"].count(name), 0u) << name;
  }
  EXPECT_EQ(line["unmapped"]["verdict"], "deny") << "what nobody filled in is a denial";
}

TEST(Lines, SayWhatAVerdictMeans) {
  const struct {
    Verdict verdict;
    Reason reason;
    const char *status, *action, *disposition, *category;
    int http, severity;
  } cases[] = {
      {Verdict::kAllow, Reason::kNone, "Success", "Allowed", "Allowed", "allowed", 200, 1},
      {Verdict::kDeny, Reason::kNoCredential, "Failure", "Denied", "Blocked", "authenticate", 401, 2},
      {Verdict::kDeny, Reason::kExpired, "Failure", "Denied", "Blocked", "reauthenticate", 401, 2},
      {Verdict::kDeny, Reason::kInsufficientScope, "Failure", "Denied", "Blocked", "step_up", 403, 2},
      {Verdict::kUnavailable, Reason::kKeysNeverFetched, "Failure", "Denied", "Blocked", "retry_later", 503,
       2},
  };
  for (const auto& c : cases) {
    Record record = GoodRecord();
    record.verdict = c.verdict;
    record.reason = c.reason;
    const json line = Line(record);
    SCOPED_TRACE(line.dump());
    EXPECT_EQ(line["status"], c.status);
    EXPECT_EQ(line["action"], c.action);
    EXPECT_EQ(line["disposition"], c.disposition);
    EXPECT_EQ(line["unmapped"]["category"], c.category);
    EXPECT_EQ(line["api"]["response"]["code"], c.http);
    EXPECT_EQ(line["severity_id"], c.severity);
    EXPECT_EQ(line["status_code"], std::string(ReasonName(c.reason)));
    EXPECT_EQ(line["unmapped"]["reason"], static_cast<int>(c.reason));
  }
}

TEST(Lines, NameEachKind) {
  Record record = GoodRecord();
  const std::pair<McpObject, const char*> objects[] = {{McpObject::kMethod, "method"},
                                                       {McpObject::kTool, "tool"},
                                                       {McpObject::kPrompt, "prompt"},
                                                       {McpObject::kResource, "resource"}};
  for (const auto& [object, name] : objects) {
    record.object = object;
    EXPECT_EQ(Line(record)["resources"][0]["type"], name);
    EXPECT_EQ(Line(record)["activity_name"], name);
  }
  const std::pair<PrincipalKind, const char*> kinds[] = {
      {PrincipalKind::kUser, "user"}, {PrincipalKind::kService, "service"}, {PrincipalKind::kAgent, "agent"}};
  for (const auto& [kind, name] : kinds) {
    record.principal = kind;
    EXPECT_EQ(Line(record)["actor"]["user"]["type"], name);
    EXPECT_EQ(Line(record)["actor"]["user"]["type_id"], kind == PrincipalKind::kUser ? 1 : 99);
  }
  const std::pair<AuditDuty, const char*> duties[] = {
      {AuditDuty::kSampled, "sampled"}, {AuditDuty::kFull, "full"}, {AuditDuty::kMustRecord, "must_record"}};
  for (const auto& [duty, name] : duties) {
    record.duty = duty;
    EXPECT_EQ(Line(record)["unmapped"]["audit"], name);
  }
}

TEST(Lines, ListsAreWords) {
  Record record = GoodRecord();
  record.scopes = "  a b   c ";
  record.roles = "   ";
  EXPECT_EQ(Line(record)["unmapped"]["scopes"], json({"a", "b", "c"}));
  EXPECT_EQ(Line(record)["unmapped"].count("roles"), 0u);
}

TEST(Lines, NoTextBreaksOutOfItsPlace) {
  const std::string evil = "\"},\"unmapped\":{\"chain\":\"\n\r\x01\\\x7f";
  Record record = GoodRecord();
  record.tool = record.server = record.sensitivity = record.issuer = record.subject = record.client_id =
      record.jwt_id = record.actor = record.key_id = evil;
  const json line = Line(record);
  EXPECT_EQ(line["api"]["operation"], evil);
  EXPECT_EQ(line["api"]["service"]["name"], evil);
  EXPECT_EQ(line["resources"][0]["name"], evil);
  EXPECT_EQ(line["actor"]["user"]["uid"], evil);
  EXPECT_EQ(line["actor"]["session"]["uid"], evil);
  EXPECT_EQ(line["actor"]["session"]["issuer"], evil);
  EXPECT_EQ(line["actor"]["app_uid"], evil);
  EXPECT_EQ(line["unmapped"]["act"], evil);
  EXPECT_EQ(line["unmapped"]["sensitivity"], evil);
  EXPECT_EQ(line["unmapped"]["key_id"], evil);
}

TEST(Lines, WhatIsNoUtf8IsReplaced) {
  const struct {
    std::string_view text, written;
  } cases[] = {
      {"a\xFF z", "a\uFFFD z"},
      {"\xC3\xA9", "\u00E9"},
      {"\xE2\x82\xAC", "\u20AC"},
      {"\xF0\x9F\x98\x80", "\U0001F600"},
      {"\xF4\x8F\xBF\xBF", "\U0010FFFF"},
      {"\xC3", "\uFFFD"},
      {"\xE2\x82", "\uFFFD\uFFFD"},
      {"\x80", "\uFFFD"},
      {"\xC0\xAF", "\uFFFD\uFFFD"},                      // Longer than need be,
      {"\xE0\x80\xAF", "\uFFFD\uFFFD\uFFFD"},            // and so is this.
      {"\xED\xA0\x80", "\uFFFD\uFFFD\uFFFD"},            // A surrogate.
      {"\xF4\x90\x80\x80", "\uFFFD\uFFFD\uFFFD\uFFFD"},  // Beyond the last one.
      {"\xF0\x8F\xBF\xBF", "\uFFFD\uFFFD\uFFFD\uFFFD"},
      {"\xED\x9F\xBF\xEE\x80\x80", "\uD7FF\uE000"},
  };
  for (const auto& c : cases) {
    Record record = GoodRecord();
    record.subject = c.text;
    EXPECT_EQ(Line(record)["actor"]["user"]["uid"], std::string(c.written));
  }
}

TEST(Lines, TheLongestRecordFitsIntoTheLongestLine) {
  Record record = GoodRecord();
  record.tool = {};
  const std::string name(kRecordBytesMax - StoredBytes(record), '\x01');
  record.tool = name;  // Each byte takes six, and it stands there twice.
  std::string line;
  AppendDecision({.sequence = uint64_t{1} << 52, .chain_id = std::string(32, 'f')}, record, &line);
  Chain({}).Close({}, &line);
  EXPECT_GT(line.size(), 12 * name.size());
  EXPECT_LE(line.size(), kLineBytesMax);
}

TEST(Record, StoredIsWhatWasGivenAndPointsToNothingElse) {
  std::string tool = "delete_customer", scopes = "files:read";
  AuditId id = testing::kAuditId;
  Record record = GoodRecord();
  record.tool = tool;
  record.actor = "actor";
  record.scopes = scopes;
  record.sample_one_in = 17;
  record.reason = Reason::kExpired;
  record.object = McpObject::kPrompt;
  record.principal = PrincipalKind::kAgent;
  record.audit_id = id;
  std::string given, stored;
  AppendDecision({}, record, &given);
  std::vector<std::byte> room(StoredBytes(record));
  Store(record, room.data());
  tool.assign(tool.size(), 'x');
  scopes.assign(scopes.size(), 'x');
  id = {};
  AppendDecision({}, Stored(room), &stored);
  EXPECT_EQ(given, stored);
  EXPECT_EQ(Stored(room).time_ms, record.time_ms);
}

}  // namespace
}  // namespace tollgate::audit
