// Threads that decide, come and go, while another one drains: under TSan a record that is read before it was
// written, or written over before it was read, is a data race.
#include <gtest/gtest.h>

#include <atomic>
#include <map>
#include <thread>

#include "tests/audit/audit_fixture.h"

namespace tollgate::audit {
namespace {

using testing::At;
using testing::GoodRecord;
using testing::kChainId;
using testing::MemorySink;

// Submitted counts what all threads together have submitted: how many records found room.
struct Submitted {
  std::atomic<uint64_t> taken{0}, refused{0};
};

void SubmitAll(Log& log, const std::string& thread, int records, Submitted* submitted) {
  for (int i = 0; i < records; ++i) {
    Record record = GoodRecord();
    const std::string tool = std::to_string(i) + std::string(static_cast<size_t>(i) % 50, '.');
    record.subject = thread;
    record.tool = tool;
    record.duty = i % 2 == 0 ? AuditDuty::kFull : AuditDuty::kMustRecord;
    ++(log.Submit(record) ? submitted->taken : submitted->refused);
  }
}

// ExpectAccounts holds the lines against what was submitted: each record once, those of a thread in its
// order, and every loss said.
void ExpectAccounts(const MemorySink& sink, const Log& log, const Submitted& submitted) {
  EXPECT_EQ(testing::Verify(sink.lines), ChainFault::kNone);
  std::map<std::string, int> last;
  uint64_t decisions = 0, lost = 0;
  for (const std::string& text : sink.lines) {
    const nlohmann::json line = MemorySink::Parsed(text);
    const nlohmann::json& unmapped = line["unmapped"];
    if (unmapped["record"] == "lost") lost += unmapped["lost"].get<uint64_t>();
    if (unmapped["record"] != "decision") continue;
    ++decisions;
    const std::string tool = line["api"]["operation"];
    const int number = std::stoi(tool);
    EXPECT_EQ(tool, std::to_string(number) + std::string(static_cast<size_t>(number) % 50, '.'));
    const auto [at, is_first] = last.try_emplace(line["actor"]["user"]["uid"], number);
    if (is_first) continue;
    EXPECT_LT(at->second, number) << at->first;
    at->second = number;
  }
  EXPECT_EQ(decisions, submitted.taken);
  EXPECT_EQ(lost, submitted.refused);
  EXPECT_EQ(log.Counters().written, submitted.taken);
  EXPECT_EQ(log.Counters().lost, submitted.refused);
}

TEST(AuditLogThreads, EachRecordIsWrittenOnceOrCountedAsLost) {
  const auto sink = std::make_shared<MemorySink>();
  Log log({.sink = sink, .ring_bytes = size_t{64} << 10}, kChainId);
  Submitted submitted;
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      SubmitAll(log, std::to_string(t), 4000, &submitted);
      --running;
    });
  }
  for (int64_t now = 0; running != 0; ++now) {
    sink->failing = now % 5 == 3;
    log.Drain(At(now));
    log.Counters();
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  sink->failing = false;
  ASSERT_TRUE(log.Close(At(1'000'000)));
  ExpectAccounts(*sink, log, submitted);
}

TEST(AuditLogThreads, WhatThreadsLeaveBehindIsWritten) {
  const auto sink = std::make_shared<MemorySink>();
  Log log({.sink = sink, .ring_bytes = size_t{64} << 10, .threads_max = 8}, kChainId);
  Submitted submitted;
  std::atomic<int> running{4};
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 40; ++i) {
        std::thread([&] {
          SubmitAll(log, std::to_string(t) + "/" + std::to_string(i), 20, &submitted);
        }).join();
      }
      --running;
    });
  }
  for (int64_t now = 0; running != 0; ++now) {
    log.Drain(At(now));
    std::this_thread::yield();
  }
  for (std::thread& thread : threads) thread.join();
  ASSERT_TRUE(log.Close(At(1'000'000)));
  ExpectAccounts(*sink, log, submitted);
}

}  // namespace
}  // namespace tollgate::audit
