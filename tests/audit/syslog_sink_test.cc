#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <filesystem>

#include "audit/sinks.h"
#include "tests/audit/memory_files.h"

namespace tollgate::audit {
namespace {

using ::testing::ElementsAre;
using testing::MemoryFiles;

using Views = std::vector<std::string_view>;

// RFC 5424: facility 13, severity 6, version 1; time, host and process id are nil.
constexpr char kHead[] = "<110>1 - - tollgate - audit - ";

class SyslogSinkTest : public ::testing::Test {
 protected:
  static std::string Message(std::string_view line) { return kHead + std::string(line); }

  MemoryFiles files_;
  const std::shared_ptr<AuditSink> sink_ = SyslogSink({.path = "/dev/log"}, files_);
};

TEST_F(SyslogSinkTest, SendsEachLineAsOneMessage) {
  EXPECT_TRUE(sink_->Write(Views{"one", "two"}).ok());
  EXPECT_TRUE(sink_->Write(Views{"three"}).ok());
  EXPECT_THAT(files_.datagrams, ElementsAre(Message("one"), Message("two"), Message("three")));
  EXPECT_EQ(files_.connected_to, "/dev/log");
  EXPECT_EQ(files_.connects, 1);
  const auto local0 = SyslogSink({.facility = 16}, files_);
  EXPECT_TRUE(local0->Write(Views{"one"}).ok());
  EXPECT_TRUE(files_.datagrams.back().starts_with("<134>1 ")) << files_.datagrams.back();
}

TEST_F(SyslogSinkTest, GoesOnWithTheLineThatFailed) {
  const Views lines = {"one", "two"};
  files_.connect_error = ECONNREFUSED;
  EXPECT_EQ(sink_->Write(lines).message(), "connect: Connection refused");
  files_.connect_error = 0;
  files_.send_error = EAGAIN;  // The daemon is slow.
  EXPECT_FALSE(sink_->Write(lines).ok());
  EXPECT_EQ(files_.connects, 2);
  files_.send_error = 0;
  EXPECT_TRUE(sink_->Write(lines).ok());
  EXPECT_EQ(files_.connects, 2) << "the socket is still good";
  files_.send_error = ECONNREFUSED;  // The daemon has been started anew.
  EXPECT_FALSE(sink_->Write(Views{"three"}).ok());
  files_.send_error = 0;
  EXPECT_TRUE(sink_->Write(Views{"three"}).ok());
  EXPECT_EQ(files_.connects, 3);
  EXPECT_EQ(files_.open.size(), 1u);
  EXPECT_THAT(files_.datagrams, ElementsAre(Message("one"), Message("two"), Message("three")));
}

TEST_F(SyslogSinkTest, SaysSoOnceAboutALineThatIsTooLongAndNeverCutsIt) {
  files_.datagram_max = sizeof kHead - 1 + 5;
  const Views lines = {"one", "eleven", "two"};
  const absl::Status status = sink_->Write(lines);
  EXPECT_EQ(status.message(), "a line of 6 bytes is too long to be sent");
  EXPECT_THAT(files_.datagrams, ElementsAre(Message("one")));
  EXPECT_TRUE(sink_->Write(lines).ok());
  EXPECT_THAT(files_.datagrams, ElementsAre(Message("one"), Message("two")));
  EXPECT_TRUE(sink_->Write(Views{"three"}).ok());
  EXPECT_EQ(files_.datagrams.back(), Message("three"));
}

TEST(AuditSyslogSinkTest, ReachesADatagramSocket) {
  std::string directory = (std::filesystem::temp_directory_path() / "audit_syslog_XXXXXX").string();
  ASSERT_NE(mkdtemp(directory.data()), nullptr);
  const std::string path = directory + "/log";
  const auto sink = AuditSyslogSink({.path = path});
  EXPECT_EQ(sink->Write(Views{"one"}).message(), "connect: No such file or directory");
  const int fd = socket(AF_UNIX, SOCK_DGRAM, 0);
  ASSERT_GE(fd, 0);
  sockaddr_un address = {};
  address.sun_family = AF_UNIX;
  ASSERT_LT(path.size(), sizeof address.sun_path);
  std::memcpy(address.sun_path, path.data(), path.size());
  ASSERT_EQ(bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  EXPECT_TRUE(sink->Write(Views{"one"}).ok());
  std::array<char, 256> buffer;
  const ssize_t size = recv(fd, buffer.data(), buffer.size(), 0);
  ASSERT_GT(size, 0);
  EXPECT_EQ(std::string(buffer.data(), static_cast<size_t>(size)), std::string(kHead) + "one");
  // A socket takes so much and no more: nothing waits for whoever does not read.
  absl::Status status;
  for (int i = 0; i < 100'000 && status.ok(); ++i) status = sink->Write(Views{"flood"});
  EXPECT_EQ(status.message(), "send: Resource temporarily unavailable");
  close(fd);
  EXPECT_EQ(AuditSyslogSink({.path = std::string(200, 'p')})->Write(Views{"one"}).message(),
            "connect: File name too long");
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace tollgate::audit
