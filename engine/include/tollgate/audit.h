#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "tollgate/export.h"

namespace tollgate {

// The audit log has a line for each decision whose class of tools demands one (AuditDuty), in JSON, chained
// so that it shows if lines are changed or taken away: docs/audit.md has every field, and what a chain
// proves.

// AuditTail is what stands at the end of a log already.
struct AuditTail {
  std::string last_line{};      // The last whole one, without its line break; empty: there is none.
  size_t unfinished_bytes = 0;  // What stands behind it: a line that was not written to its end.
};

// AuditSink takes lines away to where they are kept. Called on the engine's background thread, one call at a
// time; a sink that takes its time keeps keys from being refreshed, too.
class TOLLGATE_API AuditSink {
 public:
  virtual ~AuditSink() = default;

  // Check says what can never work, one line: then no engine is created with the sink. By default nothing.
  virtual absl::Status Check() const { return absl::OkStatus(); }

  // Tail returns what the log ends in, for the chain to continue; called once, before the first Write. By
  // default nothing: each engine then begins a chain that continues none.
  virtual AuditTail Tail() { return {}; }

  // Write takes `lines`, of UTF-8 without line breaks, in this order and behind all that it has taken before.
  // On failure, which is one line for people and says nothing of what the lines say, the next call brings the
  // same lines again: the sink remembers how many it has taken. The views are valid during the call.
  virtual absl::Status Write(std::span<const std::string_view> lines) = 0;
};

// AuditSync says when a file's lines are on the disk.
enum class AuditSync : uint8_t {
  kNever,      // When the operating system gets to it.
  kEachWrite,  // Before Write returns (fdatasync).
};

// AuditFile says where AuditFileSink writes.
struct AuditFile {
  // Made, with `mode`, if there is none. One engine, one file: lines of two make no chain. What is no regular
  // file is not written to. Whoever may write its directory may put another file there.
  std::string path{};
  uint32_t mode = 0600;
  AuditSync sync = AuditSync::kNever;
  // Where rotation leaves the file before: a new process reads there what chain to continue if there is
  // nothing at `path`. Empty: PATH.1, which is logrotate's.
  std::string rotated_path{};
};

// AuditFileSink appends to a file, whole lines, and goes on in a new one once something else or nothing is at
// its path: whoever rotates need not tell. A line that a full disk cut short is finished when there is room.
TOLLGATE_API std::shared_ptr<AuditSink> AuditFileSink(AuditFile file);

// AuditStdoutSink writes lines to standard output.
TOLLGATE_API std::shared_ptr<AuditSink> AuditStdoutSink();

// AuditSyslog says how AuditSyslogSink sends.
struct AuditSyslog {
  std::string path = "/dev/log";  // A datagram socket (unix(7)).
  int facility = 13;              // "log audit" (RFC 5424 section 6.2.1); 0–23.
};

// AuditSyslogSink sends each line as one message (RFC 5424) of severity 6. A line that is too long for a
// datagram is never cut: Write fails once, says so, and goes on behind it, so that it is missing from the
// chain. Daemons have bounds of their own (rsyslog: 8 KiB unless told), beyond which they cut.
TOLLGATE_API std::shared_ptr<AuditSink> AuditSyslogSink(AuditSyslog syslog);

// AuditConfig says whether and how decisions are recorded.
struct AuditConfig {
  // Null: nothing is recorded, and no class of the policy may have AuditDuty::kMustRecord.
  std::shared_ptr<AuditSink> sink{};
  // What the chain is authenticated by (HMAC-SHA-256): at least 32 random bytes. Empty: SHA-256 alone, which
  // whoever can write the log can compute, too.
  std::string key{};
  // For each thread that decides, what waits to be written, about 600 bytes a record: a power of two from
  // 64 KiB to 64 MiB. Records that find no room are lost, and counted in the log.
  size_t ring_bytes = size_t{256} << 10;
  // Threads at a time, each with a ring; records of more are lost, and counted. 1–65536.
  size_t threads_max = 1024;
  // Of those that allow, for classes of AuditDuty::kSampled: one of so many, of each thread. 1–1000000000.
  uint32_t sample_one_in = 100;
  // A line is written at least so often, so that it shows if the end of a log is missing: 1 s – 1 day.
  int64_t checkpoint_interval_ms = 60'000;
};

// AuditCounters is one reading of what became of records, as of the last time that they were written.
struct AuditCounters {
  uint64_t written = 0;        // Records of decisions that the sink has taken.
  uint64_t lost = 0;           // For which there was no room, or that must be recorded while the sink fails.
  uint64_t sampled_out = 0;    // Not recorded, since others of their kind were.
  uint64_t sink_failures = 0;  // Times that the sink has failed.
  std::string sink_error{};    // One line about the last one; empty since the sink has taken what there was.
};

}  // namespace tollgate
