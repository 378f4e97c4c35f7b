#include <errno.h>

#include <utility>

#include "absl/strings/str_cat.h"
#include "audit/sinks.h"

namespace tollgate::audit {
namespace {

constexpr int kInformational = 6;
constexpr int kFacilityMax = 23;  // RFC 5424 section 6.2.1.

class Syslog final : public AuditSink {
 public:
  // Version 1, and what a local daemon knows better itself, the time and the host among it: nil values.
  Syslog(AuditSyslog syslog, FileCalls& calls)
      : path_(std::move(syslog.path)),
        facility_(syslog.facility),
        head_(absl::StrCat("<", int64_t{facility_} * 8 + kInformational, ">1 - - tollgate - audit - ")),
        calls_(calls) {}
  ~Syslog() override { CloseSocket(); }

  absl::Status Check() const override {
    if (facility_ >= 0 && facility_ <= kFacilityMax) return absl::OkStatus();
    return absl::InvalidArgumentError("syslog's facility is not 0 to 23");
  }

  absl::Status Write(std::span<const std::string_view> lines) override {
    for (; num_sent_ < lines.size(); ++num_sent_) {
      if (absl::Status status = Send(lines[num_sent_]); !status.ok()) return status;
    }
    num_sent_ = 0;
    return absl::OkStatus();
  }

 private:
  absl::Status Send(std::string_view line) {
    if (fd_ < 0) {
      const int fd = calls_.Connect(path_);
      if (fd < 0) return CallFailed("connect", -fd);
      fd_ = fd;
    }
    message_ = head_;
    message_ += line;
    const ssize_t sent = calls_.Send(fd_, message_);
    if (sent >= 0) return absl::OkStatus();
    if (sent == -EMSGSIZE) {
      ++num_sent_;  // It would be too long for ever.
      return absl::OutOfRangeError(absl::StrCat("a line of ", line.size(), " bytes is too long to be sent"));
    }
    if (sent != -EAGAIN) CloseSocket();  // The daemon has been started anew, perhaps.
    return CallFailed("send", static_cast<int>(-sent));
  }

  void CloseSocket() {
    if (fd_ >= 0) calls_.Close(std::exchange(fd_, -1));
  }

  const std::string path_;
  const int facility_;
  const std::string head_;
  FileCalls& calls_;
  int fd_ = -1;
  size_t num_sent_ = 0;  // Of the lines that failed, those that come again and are sent already.
  std::string message_;  // Kept for its room.
};

}  // namespace

std::shared_ptr<AuditSink> SyslogSink(AuditSyslog syslog, FileCalls& calls) {
  return std::make_shared<Syslog>(std::move(syslog), calls);
}

}  // namespace tollgate::audit

namespace tollgate {

std::shared_ptr<AuditSink> AuditSyslogSink(AuditSyslog syslog) {
  return audit::SyslogSink(std::move(syslog), audit::SystemFileCalls());
}

}  // namespace tollgate
