#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "audit/file_calls.h"
#include "tollgate/audit.h"

namespace tollgate::audit {

// The sinks of tollgate/audit.h, over other calls than the operating system's; `calls` must outlive them.
std::shared_ptr<AuditSink> FileSink(AuditFile file, FileCalls& calls);
std::shared_ptr<AuditSink> StdoutSink(FileCalls& calls);
std::shared_ptr<AuditSink> SyslogSink(AuditSyslog syslog, FileCalls& calls);

// CallFailed returns Unavailable with the call and what the operating system says of `error`, an errno.
absl::Status CallFailed(std::string_view call, int error);

// Outgoing is a batch of lines on its way into a file, which may take it in parts. Owner thread only.
class Outgoing {
 public:
  // Begin takes the lines, a line break behind each, unless it still has some of the same ones.
  void Begin(std::span<const std::string_view> lines);
  // What is still to be written, beginning maybe in the middle of a line.
  std::string_view rest() const { return std::string_view(bytes_).substr(written_); }
  // Written goes on behind as many bytes.
  void Written(size_t num_bytes) { written_ += num_bytes; }
  // RestartLine goes back to the beginning of the line that was being written: it begins anew elsewhere.
  void RestartLine();
  // Done forgets the batch.
  void Done();
  // WriteAll writes all of it; on failure the rest stays.
  absl::Status WriteAll(FileCalls& calls, int fd);

 private:
  std::string bytes_;
  size_t written_ = 0;
  bool begun_ = false;
};

}  // namespace tollgate::audit
