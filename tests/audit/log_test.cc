#include "audit/log.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "tests/audit/audit_fixture.h"

namespace tollgate::audit {
namespace {

using testing::At;
using testing::GoodRecord;
using testing::kChainId;
using testing::kWallS;
using testing::MemorySink;
using testing::Verify;

class AuditLog : public ::testing::Test {
 protected:
  AuditConfig Config() const {
    AuditConfig config;
    config.sink = sink_;
    config.ring_bytes = size_t{64} << 10;
    return config;
  }
  nlohmann::json Line(size_t i) const { return MemorySink::Parsed(sink_->lines.at(i)); }
  // SubmitUntilFull returns how many records found room.
  static uint64_t SubmitUntilFull(Log& log) {
    uint64_t taken = 0;
    while (log.Submit(GoodRecord())) ++taken;
    return taken;
  }

  const std::shared_ptr<MemorySink> sink_ = std::make_shared<MemorySink>();
};

TEST_F(AuditLog, WritesWhatWasHandedOverBetweenItsStartAndItsEnd) {
  Log log(Config(), kChainId);
  Record record = GoodRecord();
  EXPECT_TRUE(log.Submit(record));
  record.tool = "second";
  EXPECT_TRUE(log.Submit(record));
  EXPECT_TRUE(sink_->lines.empty()) << "nothing is written before Drain";
  EXPECT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(sink_->Records(), "start decision decision");
  EXPECT_TRUE(log.Drain(At(1)));
  EXPECT_EQ(sink_->lines.size(), 3u);
  record.tool = "third";
  EXPECT_TRUE(log.Submit(record));
  EXPECT_TRUE(log.Close(At(2000)));
  EXPECT_EQ(sink_->Records(), "start decision decision decision stop");
  for (size_t i = 0; i < 5; ++i) EXPECT_EQ(Line(i)["metadata"]["sequence"], i + 1);
  EXPECT_EQ(Line(2)["api"]["operation"], "second");
  EXPECT_EQ(Line(3)["api"]["operation"], "third");
  EXPECT_EQ(Line(0)["time"], kWallS * 1000);
  EXPECT_EQ(Line(4)["time"], kWallS * 1000 + 2000);
  EXPECT_EQ(Line(4)["unmapped"]["written"], 3);
  EXPECT_EQ(Verify(sink_->lines), ChainFault::kNone);
  EXPECT_EQ(log.Counters().written, 3u);
  EXPECT_TRUE(log.Close(At(3000)));
  EXPECT_EQ(sink_->lines.size(), 5u) << "there is one end";
}

TEST_F(AuditLog, ContinuesTheChainThatTheSinkHas) {
  Log first(Config(), kChainId);
  ASSERT_TRUE(first.Close(At(0)));
  sink_->tail.last_line = sink_->lines.back();
  Log second(Config(), {99});
  ASSERT_TRUE(second.Close(At(0)));
  EXPECT_EQ(sink_->Records(), "start stop start stop");
  EXPECT_EQ(Line(2)["unmapped"]["continues"], Line(1)["unmapped"]["chain"]);
  EXPECT_NE(Line(2)["unmapped"]["chain_id"], Line(1)["unmapped"]["chain_id"]);
  EXPECT_EQ(Verify(sink_->lines), ChainFault::kNone);
  EXPECT_EQ(Line(2)["unmapped"].count("unfinished_bytes"), 0u);
}

TEST_F(AuditLog, ATailThatIsNoLineBeginsAChainOfItsOwn) {
  sink_->tail = {.last_line = "somebody's notes", .unfinished_bytes = 7};
  Log log(Config(), kChainId);
  ASSERT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(Line(0)["unmapped"].count("continues"), 0u);
  EXPECT_EQ(Line(0)["unmapped"]["unfinished_bytes"], 7);
}

TEST_F(AuditLog, WantsWhatTheDutyDemands) {
  AuditConfig config = Config();
  config.sample_one_in = 1'000'000'000;
  Log log(config, kChainId);
  EXPECT_TRUE(log.Wants(AuditDuty::kSampled, Verdict::kAllow)) << "a thread's first";
  for (const Verdict verdict : {Verdict::kAllow, Verdict::kDeny, Verdict::kUnavailable}) {
    EXPECT_FALSE(log.Wants(AuditDuty::kNone, verdict));
    EXPECT_EQ(log.Wants(AuditDuty::kSampled, verdict), verdict != Verdict::kAllow);
    EXPECT_TRUE(log.Wants(AuditDuty::kFull, verdict));
    EXPECT_TRUE(log.Wants(AuditDuty::kMustRecord, verdict));
    EXPECT_EQ(log.SampleOneIn(AuditDuty::kSampled, verdict),
              verdict == Verdict::kAllow ? 1'000'000'000u : 1u);
    EXPECT_EQ(log.SampleOneIn(AuditDuty::kFull, verdict), 1u);
  }
  ASSERT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(log.Counters().sampled_out, 1u);
}

TEST_F(AuditLog, SamplesEachNthOfAThread) {
  AuditConfig config = Config();
  config.sample_one_in = 3;
  Log log(config, kChainId);
  const auto wanted = [&log] {
    std::vector<int> which;
    for (int i = 0; i < 9; ++i) {
      if (log.Wants(AuditDuty::kSampled, Verdict::kAllow)) which.push_back(i);
    }
    return which;
  };
  EXPECT_THAT(wanted(), ::testing::ElementsAre(0, 3, 6));
  EXPECT_THAT(wanted(), ::testing::ElementsAre(0, 3, 6));
  std::thread([&] { EXPECT_THAT(wanted(), ::testing::ElementsAre(1, 4, 7)); }).join();
  ASSERT_TRUE(log.Close(At(0)));
  EXPECT_EQ(log.Counters().sampled_out, 18u);
  EXPECT_EQ(Line(1)["unmapped"]["sampled_out"], 18);
}

TEST_F(AuditLog, AFullRingLosesTheNewestAndTheLogSaysHowMany) {
  Log log(Config(), kChainId);
  ASSERT_TRUE(log.Submit(GoodRecord()));
  ASSERT_TRUE(log.Drain(At(0)));
  const uint64_t taken = SubmitUntilFull(log);  // One was lost to see that it is full.
  EXPECT_GT(taken, 100u);
  for (int i = 0; i < 6; ++i) EXPECT_FALSE(log.Submit(GoodRecord()));
  ASSERT_TRUE(log.Drain(At(5000)));
  EXPECT_EQ(log.Counters().written, 1 + taken);
  EXPECT_EQ(log.Counters().lost, 7u);
  const nlohmann::json lost = Line(sink_->lines.size() - 1);
  EXPECT_EQ(lost["unmapped"]["record"], "lost");
  EXPECT_EQ(lost["unmapped"]["lost"], 7);
  EXPECT_EQ(lost["unmapped"]["since_sequence"], 1) << "the line ahead of the last look at the rings";
  EXPECT_EQ(lost["unmapped"]["since_time"], kWallS * 1000);
  EXPECT_EQ(lost["time"], kWallS * 1000 + 5000);

  EXPECT_EQ(SubmitUntilFull(log), taken) << "there is room again, as much as before";
  ASSERT_TRUE(log.Drain(At(6000)));
  EXPECT_EQ(log.Counters().lost, 8u);
  EXPECT_EQ(Line(sink_->lines.size() - 1)["unmapped"]["lost"], 1) << "what was said before is not said again";
  EXPECT_EQ(Line(sink_->lines.size() - 1)["unmapped"]["since_sequence"], 2);
  ASSERT_TRUE(log.Close(At(7000)));
  EXPECT_EQ(Line(sink_->lines.size() - 1)["unmapped"]["lost"], 8) << "but summed up at the end";
  EXPECT_EQ(Verify(sink_->lines), ChainFault::kNone);
}

TEST_F(AuditLog, WhatIsTooLongIsLostWholeAndNeverCut) {
  Log log(Config(), kChainId);
  Record record = GoodRecord();
  record.tool = {};
  std::string name(kRecordBytesMax - StoredBytes(record), 'n');
  record.tool = name;
  EXPECT_TRUE(log.Submit(record));
  name += 'n';
  record.tool = name;
  EXPECT_FALSE(log.Submit(record));
  ASSERT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(sink_->Records(), "start decision lost");
  EXPECT_EQ(log.Counters().lost, 1u);
}

TEST_F(AuditLog, WhatIsClaimedAndNotPublishedNeverWas) {
  Log log(Config(), kChainId);
  ASSERT_NE(log.Claim(AuditDuty::kFull, true, 4096), nullptr);
  ASSERT_TRUE(log.Drain(At(0)));
  const Record record = GoodRecord();
  std::byte* const room = log.Claim(record.duty, record.principal_known, StoredBytes(record));
  ASSERT_NE(room, nullptr);
  Store(record, room);
  log.Publish();
  EXPECT_EQ(log.Claim(record.duty, record.principal_known, kRecordBytesMax + 1), nullptr);
  ASSERT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(sink_->Records(), "start decision lost");
  EXPECT_EQ(log.Counters().lost, 1u);
}

TEST_F(AuditLog, ThreadsBeyondTheBoundLoseUntilOneThatEndedWasDrained) {
  AuditConfig config = Config();
  config.threads_max = 1;
  Log log(config, kChainId);
  std::thread([&] { EXPECT_TRUE(log.Submit(GoodRecord())); }).join();
  EXPECT_TRUE(log.Wants(AuditDuty::kSampled, Verdict::kAllow))
      << "who has no ring asks for none to be skipped";
  EXPECT_FALSE(log.Submit(GoodRecord()));
  EXPECT_FALSE(log.Submit(GoodRecord()));
  ASSERT_TRUE(log.Drain(At(0)));
  EXPECT_EQ(sink_->Records(), "start decision lost") << "what the thread left is written";
  EXPECT_EQ(log.Counters().lost, 2u);
  EXPECT_TRUE(log.Submit(GoodRecord())) << "its place is free";
  ASSERT_TRUE(log.Close(At(0)));
  EXPECT_EQ(sink_->Records(), "start decision lost decision stop");
}

TEST_F(AuditLog, WhatManyThreadsLeftIsWrittenInTheOrderOfEach) {
  Log log(Config(), kChainId);
  for (int t = 0; t < 20; ++t) {
    std::thread([&log, t] {
      for (int i = 0; i < 3; ++i) {
        Record record = GoodRecord();
        const std::string name = std::to_string(t) + "/" + std::to_string(i);
        record.tool = name;
        EXPECT_TRUE(log.Submit(record));
      }
    }).join();
  }
  ASSERT_TRUE(log.Drain(At(0)));
  ASSERT_EQ(sink_->lines.size(), 61u);
  for (int i = 0; i < 60; ++i) {
    EXPECT_EQ(Line(1 + i)["api"]["operation"], std::to_string(i / 3) + "/" + std::to_string(i % 3));
  }
}

TEST_F(AuditLog, ASinkThatFailsGetsTheSameLinesAgainAndNoneIsLostOrTwice) {
  Log log(Config(), kChainId);
  ASSERT_TRUE(log.Submit(GoodRecord()));
  sink_->failing = true;
  EXPECT_FALSE(log.Drain(At(0)));
  EXPECT_FALSE(log.Drain(At(1000)));
  EXPECT_EQ(log.Counters().sink_failures, 2u);
  EXPECT_EQ(log.Counters().sink_error, "write: no room");
  EXPECT_EQ(log.Counters().written, 0u);
  EXPECT_TRUE(log.Submit(GoodRecord()));
  sink_->failing = false;
  EXPECT_TRUE(log.Drain(At(2000)));
  EXPECT_EQ(sink_->Records(), "start decision decision");
  EXPECT_EQ(log.Counters().sink_error, "");
  EXPECT_EQ(log.Counters().written, 2u);
  ASSERT_TRUE(log.Close(At(3000)));
  EXPECT_EQ(Line(3)["unmapped"]["sink_failures"], 2);
  EXPECT_EQ(Verify(sink_->lines), ChainFault::kNone);
}

TEST_F(AuditLog, WhileTheSinkFailsOneBatchAndTheRingsAreKept) {
  Log log(Config(), kChainId);
  sink_->failing = true;
  uint64_t taken = 0;
  for (int i = 0; i < 50; ++i) {
    taken += SubmitUntilFull(log);
    EXPECT_FALSE(log.Drain(At(i)));
  }
  // The first Drain took the ring empty, and everything after that waits in it.
  const uint64_t twice = taken;
  EXPECT_EQ(SubmitUntilFull(log), 0u);
  sink_->failing = false;
  ASSERT_TRUE(log.Close(At(100)));
  EXPECT_EQ(log.Counters().written, twice);
  EXPECT_EQ(log.Counters().lost, 51u);
  EXPECT_EQ(Verify(sink_->lines), ChainFault::kNone);
}

TEST_F(AuditLog, WhatMustBeRecordedIsRefusedFromTheFailureOnUntilAWriteSucceeds) {
  Log log(Config(), kChainId);
  Record must = GoodRecord();
  must.duty = AuditDuty::kMustRecord;
  sink_->failing = true;
  EXPECT_TRUE(log.Submit(must)) << "nobody knows yet";
  EXPECT_FALSE(log.Drain(At(0)));
  EXPECT_FALSE(log.Submit(must));
  EXPECT_TRUE(log.Submit(GoodRecord())) << "others go on as long as there is room";
  sink_->failing = false;
  EXPECT_FALSE(log.Submit(must)) << "nobody knows that it is well again";
  EXPECT_TRUE(log.Drain(At(1)));
  EXPECT_TRUE(log.Submit(must));
  ASSERT_TRUE(log.Close(At(2)));
  EXPECT_EQ(sink_->Records(), "start decision decision lost decision stop");
  EXPECT_EQ(log.Counters().lost, 2u);
}

TEST_F(AuditLog, CloseTriesAgainUntilTheEndIsWritten) {
  Log log(Config(), kChainId);
  ASSERT_TRUE(log.Drain(At(0)));
  ASSERT_TRUE(log.Submit(GoodRecord()));
  sink_->failing = true;
  EXPECT_FALSE(log.Close(At(1)));
  EXPECT_FALSE(log.Close(At(2)));
  sink_->failing = false;
  EXPECT_TRUE(log.Close(At(3)));
  EXPECT_EQ(sink_->Records(), "start decision stop");
}

TEST_F(AuditLog, WritesACheckpointEachInterval) {
  AuditConfig config = Config();
  config.checkpoint_interval_ms = 1000;
  Log log(config, kChainId);
  for (const int64_t mono_ms : {0, 999, 1000, 1500, 1999, 2000, 9000, 9500}) {
    ASSERT_TRUE(log.Drain(At(mono_ms)));
  }
  EXPECT_EQ(sink_->Records(), "start checkpoint checkpoint checkpoint");
  EXPECT_EQ(Line(0)["unmapped"]["checkpoint_interval_ms"], 1000);
}

TEST_F(AuditLog, AChainWithAKeyIsNotOneWithout) {
  AuditConfig config = Config();
  config.key = testing::kKey;
  Log log(config, kChainId);
  ASSERT_TRUE(log.Close(At(0)));
  EXPECT_EQ(Line(0)["unmapped"]["chain_algorithm"], "HMAC-SHA-256");
  EXPECT_EQ(Verify(sink_->lines, testing::kKey), ChainFault::kNone);
  for (const std::string& line : sink_->lines) EXPECT_EQ(line.find(config.key), line.npos);
}

TEST(AuditConfigCheck, NamesTheSettingThatIsWrong) {
  const auto check = [](auto change) {
    AuditConfig config;
    change(config);
    return std::string(CheckAuditConfig(config).message());
  };
  using C = AuditConfig;
  EXPECT_EQ(check([](C&) {}), "");
  EXPECT_EQ(check([](C& c) { c.key = std::string(32, 'k'); }), "");
  EXPECT_EQ(check([](C& c) { c.key = std::string(31, 'k'); }), "key: less than 32 bytes");
  for (const size_t bad : {size_t{0}, size_t{1} << 15, (size_t{1} << 16) + 1, size_t{1} << 27}) {
    EXPECT_THAT(check([bad](C& c) { c.ring_bytes = bad; }), ::testing::StartsWith("ring_bytes:")) << bad;
  }
  for (const size_t good : {size_t{1} << 16, size_t{1} << 26}) {
    EXPECT_EQ(check([good](C& c) { c.ring_bytes = good; }), "");
  }
  EXPECT_THAT(check([](C& c) { c.threads_max = 0; }), ::testing::StartsWith("threads_max:"));
  EXPECT_THAT(check([](C& c) { c.threads_max = 65'537; }), ::testing::StartsWith("threads_max:"));
  EXPECT_EQ(check([](C& c) { c.threads_max = 65'536; }), "");
  EXPECT_THAT(check([](C& c) { c.sample_one_in = 0; }), ::testing::StartsWith("sample_one_in:"));
  EXPECT_THAT(check([](C& c) { c.sample_one_in = 1'000'000'001; }), ::testing::StartsWith("sample_one_in:"));
  EXPECT_EQ(check([](C& c) { c.sample_one_in = 1'000'000'000; }), "");
  for (const int64_t bad : {int64_t{-1}, int64_t{999}, int64_t{86'400'001}}) {
    EXPECT_THAT(check([bad](C& c) { c.checkpoint_interval_ms = bad; }),
                ::testing::StartsWith("checkpoint_interval_ms:"));
  }
  for (const int good : {0, 13, 23})
    EXPECT_EQ(check([good](C& c) { c.sink = AuditSyslogSink({.facility = good}); }), "");
  for (const int bad : {-1, 24, 1 << 30}) {
    EXPECT_EQ(check([bad](C& c) { c.sink = AuditSyslogSink({.facility = bad}); }),
              "sink: syslog's facility is not 0 to 23");
  }
}

}  // namespace
}  // namespace tollgate::audit
