#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "audit/chain.h"
#include "audit/sinks.h"
#include "tests/audit/audit_fixture.h"
#include "tests/audit/memory_files.h"

namespace tollgate::audit {
namespace {

using testing::At;
using testing::GoodRecord;
using testing::kChainId;
using testing::MemoryFiles;

using Views = std::vector<std::string_view>;

class FileSinkTest : public ::testing::Test {
 protected:
  MemoryFiles files_;
  const std::shared_ptr<AuditSink> sink_ = FileSink({.path = "log", .mode = 0640}, files_);

  bool Write(const Views& lines) { return sink_->Write(lines).ok(); }
};

TEST_F(FileSinkTest, AppendsWholeLines) {
  EXPECT_TRUE(Write({"one", "two"}));
  EXPECT_TRUE(Write({"three"}));
  EXPECT_EQ(files_.Text("log"), "one\ntwo\nthree\n");
  EXPECT_EQ(files_.writes, 2) << "a batch is one call";
  EXPECT_EQ(files_.last_mode, 0640u);
  EXPECT_EQ(files_.syncs, 0);
  EXPECT_EQ(files_.open.size(), 1u) << "it stays open, and nothing else does";
}

TEST_F(FileSinkTest, FinishesAfterShortWrites) {
  files_.at_once = 3;
  EXPECT_TRUE(Write({"one", "two"}));
  EXPECT_EQ(files_.Text("log"), "one\ntwo\n");
}

TEST_F(FileSinkTest, GoesOnInANewFileWhenItsOwnWasMovedOrRemoved) {
  EXPECT_TRUE(Write({"one"}));
  files_.Move("log", "log.1");
  EXPECT_TRUE(Write({"two"}));
  EXPECT_EQ(files_.Text("log.1"), "one\n");
  EXPECT_EQ(files_.Text("log"), "two\n");
  files_.paths.erase("log");
  EXPECT_TRUE(Write({"three"}));
  EXPECT_EQ(files_.Text("log"), "three\n");
  files_.Put("log", "");  // As "create" of logrotate does.
  EXPECT_TRUE(Write({"four"}));
  EXPECT_EQ(files_.Text("log"), "four\n");
  EXPECT_EQ(files_.open.size(), 1u);
}

// Wherever the disk becomes full, and whether or not the file is moved away meanwhile: each line is there
// once, whole, in order, and at most one beginning of one beside them.
TEST_F(FileSinkTest, NoLineIsLostOrTwiceWhereverTheDiskBecomesFull) {
  const std::string all = "one\ntwo\nthree\n";
  for (size_t room = 0; room <= all.size(); ++room) {
    for (const bool moved : {false, true}) {
      SCOPED_TRACE(std::to_string(room) + (moved ? " moved" : ""));
      MemoryFiles files;
      const auto sink = FileSink({.path = "log"}, files);
      const Views lines = {"one", "two", "three"};
      files.room = room;
      const absl::Status status = sink->Write(lines);
      EXPECT_EQ(status.ok(), room == all.size());
      if (!status.ok()) {
        EXPECT_EQ(status.message(), "write: No space left on device");
        EXPECT_FALSE(sink->Write(lines).ok());
      }
      EXPECT_EQ(files.Text("log"), all.substr(0, room));
      files.room = SIZE_MAX;
      if (moved) files.Move("log", "log.1");
      if (!status.ok()) {
        EXPECT_TRUE(sink->Write(lines).ok());
      }
      if (!moved) {
        EXPECT_EQ(files.Text("log"), all);
        continue;
      }
      if (status.ok()) continue;
      std::string rotated = files.Text("log.1");
      EXPECT_EQ(rotated, all.substr(0, room));
      // A line that lacks its line break alone is whole where it is.
      const bool whole = all[room] == '\n';
      if (!whole) rotated.resize(rotated.rfind('\n') + 1);
      EXPECT_EQ(rotated + (whole ? "\n" : "") + files.Text("log"), all);
    }
  }
}

TEST_F(FileSinkTest, ABatchThatWasNotSyncedIsSyncedAgainAndNotWrittenAgain) {
  const auto sink = FileSink({.path = "log", .sync = AuditSync::kEachWrite}, files_);
  const Views lines = {"one"};
  files_.sync_error = EIO;
  EXPECT_EQ(sink->Write(lines).message(), "sync: Input/output error");
  EXPECT_FALSE(sink->Write(lines).ok());
  files_.sync_error = 0;
  EXPECT_TRUE(sink->Write(lines).ok());
  EXPECT_EQ(files_.Text("log"), "one\n");
  EXPECT_EQ(files_.syncs, 3);
}

TEST_F(FileSinkTest, BeginsALineOfItsOwnBehindOneThatWasInterrupted) {
  files_.Put("log", "one\ntw");
  EXPECT_TRUE(Write({"two"}));
  EXPECT_EQ(files_.Text("log"), "one\ntw\ntwo\n");
  EXPECT_EQ(files_.open.size(), 1u);
}

TEST_F(FileSinkTest, SaysWhatFailed) {
  files_.open_error = EACCES;
  EXPECT_EQ(sink_->Write(Views{"one"}).message(), "open: Permission denied");
  files_.open_error = 0;
  files_.Put("log", "", /*regular=*/false);
  EXPECT_EQ(sink_->Write(Views{"one"}).message(), "not a regular file");
  EXPECT_TRUE(files_.open.empty());
  files_.Put("log", "t");
  files_.room = 0;
  EXPECT_EQ(sink_->Write(Views{"one"}).message(), "write: No space left on device");
  files_.room = SIZE_MAX;
  EXPECT_TRUE(Write({"one"}));
  EXPECT_EQ(files_.Text("log"), "t\none\n");
}

TEST_F(FileSinkTest, TailIsTheLastWholeLineAndWhatIsBehindIt) {
  const auto expect = [this](const std::string& last_line, size_t unfinished_bytes) {
    const AuditTail tail = sink_->Tail();
    EXPECT_EQ(tail.last_line, last_line);
    EXPECT_EQ(tail.unfinished_bytes, unfinished_bytes);
    EXPECT_TRUE(files_.open.empty());
  };
  expect("", 0);
  files_.Put("log", "");
  expect("", 0);
  files_.Put("log", "one\ntwo\n");
  expect("two", 0);
  files_.Put("log", "one\ntwo\nthr");
  expect("two", 3);
  files_.Put("log", "thr");
  expect("", 3);
  // Nothing but its line break is missing.
  std::string whole = "{\"unmapped\":{\"a\":1";
  Chain({}).Close({}, &whole);
  files_.Put("log", "one\n" + whole);
  expect(whole, 0);
  // Of a long file the end is read.
  files_.Put("log", std::string(3 * kLineBytesMax, 'x') + "\n" + std::string(kLineBytesMax, 'y') + "\nz");
  expect(std::string(kLineBytesMax, 'y'), 1);
}

TEST_F(FileSinkTest, TailLooksIntoTheFileBeforeWhereItsOwnHasNoLine) {
  files_.Put("log.1", "one\nhal");
  EXPECT_EQ(sink_->Tail().last_line, "one");
  EXPECT_EQ(sink_->Tail().unfinished_bytes, 3u);
  files_.Put("log", "");
  EXPECT_EQ(sink_->Tail().last_line, "one");
  files_.Put("log", "two\n");
  EXPECT_EQ(sink_->Tail().last_line, "two");
  EXPECT_EQ(sink_->Tail().unfinished_bytes, 0u);
  files_.paths.erase("log");
  files_.Put("old/log-1", "three\n");
  EXPECT_EQ(FileSink({.path = "log", .rotated_path = "old/log-1"}, files_)->Tail().last_line, "three");
}

// The log through crashes in the middle of a line, full disks and rotations: what is left on the disk is
// whole.
TEST_F(FileSinkTest, AChainOverCrashesAndRotationsIsWhole) {
  for (size_t room = 0; room < 6000; room += 61) {
    for (const bool moved : {false, true}) {
      SCOPED_TRACE(std::to_string(room) + (moved ? " moved" : ""));
      MemoryFiles files;
      files.room = room;
      {
        Log log({.sink = FileSink({.path = "log"}, files)}, kChainId);
        for (int i = 0; i < 5; ++i) ASSERT_TRUE(log.Submit(GoodRecord()));
        log.Drain(At(0));
      }  // And here it crashes.
      files.room = SIZE_MAX;
      if (moved) files.Move("log", "log.1");
      Log log({.sink = FileSink({.path = "log"}, files)}, {42});
      ASSERT_TRUE(log.Submit(GoodRecord()));
      ASSERT_TRUE(log.Close(At(1)));

      Verifier verifier({}, std::nullopt);
      const auto read = [&](const std::string& text) {
        for (size_t at = 0; at < text.size();) {
          const size_t end = text.find('\n', at);
          EXPECT_EQ(verifier.Line(std::string_view(text).substr(at, end - at), end != text.npos),
                    ChainFault::kNone);
          at = end == text.npos ? text.size() : end + 1;
        }
      };
      if (moved) read(files.Text("log.1"));
      read(files.Text("log"));
      EXPECT_EQ(verifier.End(), ChainFault::kNone);
      EXPECT_TRUE(verifier.closed());
    }
  }
}

TEST(AuditFileSinkTest, WritesARealFileThroughItsRotation) {
  std::string directory = (std::filesystem::temp_directory_path() / "audit_file_sink_XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/log";
  const auto read = [](const std::string& of) {
    std::ostringstream text;
    text << std::ifstream(of, std::ios::binary).rdbuf();
    return text.str();
  };
  const auto sink = AuditFileSink({.path = path, .sync = AuditSync::kEachWrite});
  EXPECT_TRUE(sink->Write(Views{"one", "two"}).ok());
  struct stat about;
  ASSERT_EQ(stat(path.c_str(), &about), 0);
  EXPECT_EQ(about.st_mode & 0777, 0600u);
  std::filesystem::rename(path, path + ".1");
  EXPECT_EQ(AuditFileSink({.path = path})->Tail().last_line, "two");
  EXPECT_TRUE(sink->Write(Views{"three"}).ok());
  EXPECT_EQ(read(path + ".1"), "one\ntwo\n");
  EXPECT_EQ(read(path), "three\n");
  EXPECT_EQ(AuditFileSink({.path = path})->Tail().last_line, "three");
  EXPECT_EQ(AuditFileSink({.path = directory})->Write(Views{"one"}).message(), "open: Is a directory");
  ASSERT_EQ(mkfifo((directory + "/pipe").c_str(), 0600), 0);
  EXPECT_FALSE(AuditFileSink({.path = directory + "/pipe"})->Write(Views{"one"}).ok())
      << "without waiting for a reader";
  std::filesystem::remove_all(directory);
}

TEST(StdoutSinkTest, WritesLinesAndFinishesThem) {
  MemoryFiles files;
  const auto sink = StdoutSink(files);
  files.room = 6;
  const Views lines = {"one", "two"};
  EXPECT_FALSE(sink->Write(lines).ok());
  files.room = SIZE_MAX;
  EXPECT_TRUE(sink->Write(lines).ok());
  EXPECT_TRUE(sink->Write(Views{"three"}).ok());
  EXPECT_EQ(files.standard_output, "one\ntwo\nthree\n");
  EXPECT_EQ(sink->Tail().last_line, "");
}

}  // namespace
}  // namespace tollgate::audit
