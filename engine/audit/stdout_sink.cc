#include <unistd.h>

#include "audit/sinks.h"

namespace tollgate::audit {
namespace {

class Stdout final : public AuditSink {
 public:
  explicit Stdout(FileCalls& calls) : calls_(calls) {}

  absl::Status Write(std::span<const std::string_view> lines) override {
    outgoing_.Begin(lines);
    absl::Status status = outgoing_.WriteAll(calls_, STDOUT_FILENO);
    if (status.ok()) outgoing_.Done();
    return status;
  }

 private:
  FileCalls& calls_;
  Outgoing outgoing_;
};

}  // namespace

std::shared_ptr<AuditSink> StdoutSink(FileCalls& calls) { return std::make_shared<Stdout>(calls); }

}  // namespace tollgate::audit

namespace tollgate {

std::shared_ptr<AuditSink> AuditStdoutSink() { return audit::StdoutSink(audit::SystemFileCalls()); }

}  // namespace tollgate
