#include <errno.h>

#include <algorithm>
#include <system_error>
#include <utility>

#include "absl/strings/str_cat.h"
#include "audit/chain.h"
#include "audit/sinks.h"

namespace tollgate::audit {
namespace {

class AppendingFile final : public AuditSink {
 public:
  AppendingFile(AuditFile file, FileCalls& calls) : file_(std::move(file)), calls_(calls) {
    if (file_.rotated_path.empty()) file_.rotated_path = file_.path + ".1";
  }
  ~AppendingFile() override { CloseFile(); }

  AuditTail Tail() override {
    AuditTail tail = TailOf(file_.path);
    if (!tail.last_line.empty()) return tail;
    AuditTail rotated = TailOf(file_.rotated_path);
    if (tail.unfinished_bytes != 0) rotated.unfinished_bytes = tail.unfinished_bytes;
    return rotated;
  }

  absl::Status Write(std::span<const std::string_view> lines) override {
    outgoing_.Begin(lines);
    if (absl::Status status = Open(); !status.ok()) return status;
    if (absl::Status status = outgoing_.WriteAll(calls_, fd_); !status.ok()) return status;
    if (file_.sync == AuditSync::kEachWrite) {
      if (const int error = calls_.Sync(fd_); error != 0) return CallFailed("sync", -error);
    }
    outgoing_.Done();
    return absl::OkStatus();
  }

 private:
  // Open makes fd_ the file that is at the path now.
  absl::Status Open() {
    FileCalls::About now;
    const int looked = calls_.AboutPath(file_.path, &now);
    if (fd_ >= 0 && looked == 0 && now.IsSameFile(about_)) return absl::OkStatus();
    if (fd_ >= 0) {
      // What was begun in the file that has been moved away stays there as the beginning of a line.
      CloseFile();
      outgoing_.RestartLine();
    }
    const int fd = calls_.OpenToAppend(file_.path, file_.mode);
    if (fd < 0) return CallFailed("open", -fd);
    char last = '\n';
    int error = calls_.AboutFile(fd, &about_);
    if (error == 0 && about_.regular && about_.size > 0) error = ReadLast(&last);
    if (error != 0 || !about_.regular) {
      calls_.Close(fd);
      return error != 0 ? CallFailed("look at the file", -error)
                        : absl::FailedPreconditionError("not a regular file");
    }
    fd_ = fd;
    // Somebody was interrupted here: what comes is a line of its own.
    return last == '\n' ? absl::OkStatus() : BreakLine();
  }

  // ReadLast reads the last byte of the file at the path. What is opened to append is not open to read.
  int ReadLast(char* last) {
    const int fd = calls_.OpenToRead(file_.path);
    if (fd < 0) return fd;
    const ssize_t num_read = calls_.ReadAt(fd, about_.size - 1, {last, 1});
    calls_.Close(fd);
    return num_read < 0 ? static_cast<int>(num_read) : 0;
  }

  absl::Status BreakLine() {
    const ssize_t written = calls_.Write(fd_, "\n");
    if (written == 1) return absl::OkStatus();
    CloseFile();
    return CallFailed("write", written < 0 ? static_cast<int>(-written) : ENOSPC);
  }

  void CloseFile() {
    if (fd_ >= 0) calls_.Close(std::exchange(fd_, -1));
  }

  // TailOf returns what is at the end of a file; nothing of one that cannot be read.
  AuditTail TailOf(const std::string& path) {
    const int fd = calls_.OpenToRead(path);
    if (fd < 0) return {};
    FileCalls::About about;
    std::string end;
    if (calls_.AboutFile(fd, &about) == 0 && about.regular) {
      // Room for the longest line and as much of another one.
      end.resize(std::min<uint64_t>(about.size, 2 * (kLineBytesMax + 1)));
      const ssize_t num_read = calls_.ReadAt(fd, about.size - end.size(), end);
      end.resize(num_read < 0 ? 0 : static_cast<size_t>(num_read));
    }
    calls_.Close(fd);
    const size_t begin = end.rfind('\n') + 1;  // npos + 1 is 0.
    AuditTail tail = {.last_line = end.substr(begin), .unfinished_bytes = end.size() - begin};
    if (SplitLine(tail.last_line)) {
      tail.unfinished_bytes = 0;  // Nothing but its line break is missing.
      return tail;
    }
    if (begin == 0) return {.last_line = {}, .unfinished_bytes = tail.unfinished_bytes};
    end.resize(begin - 1);
    tail.last_line = end.substr(end.rfind('\n') + 1);
    return tail;
  }

  AuditFile file_;
  FileCalls& calls_;
  int fd_ = -1;
  FileCalls::About about_{};  // Of fd_.
  Outgoing outgoing_;
};

}  // namespace

void Outgoing::Begin(std::span<const std::string_view> lines) {
  if (begun_) return;
  begun_ = true;
  for (const std::string_view line : lines) {
    bytes_ += line;
    bytes_ += '\n';
  }
}

void Outgoing::RestartLine() {
  if (rest().starts_with('\n')) return Written(1);  // The line is whole.
  const size_t line_break = written_ == 0 ? bytes_.npos : bytes_.rfind('\n', written_ - 1);
  written_ = line_break == bytes_.npos ? 0 : line_break + 1;
}

void Outgoing::Done() {
  bytes_.clear();
  written_ = 0;
  begun_ = false;
}

absl::Status Outgoing::WriteAll(FileCalls& calls, int fd) {
  while (!rest().empty()) {
    const ssize_t written = calls.Write(fd, rest());
    if (written < 0) return CallFailed("write", static_cast<int>(-written));
    if (written == 0) return CallFailed("write", ENOSPC);
    Written(static_cast<size_t>(written));
  }
  return absl::OkStatus();
}

absl::Status CallFailed(std::string_view call, int error) {
  const std::string why = std::generic_category().message(error);
  return absl::UnavailableError(absl::StrCat(absl::string_view(call.data(), call.size()), ": ", why));
}

std::shared_ptr<AuditSink> FileSink(AuditFile file, FileCalls& calls) {
  return std::make_shared<AppendingFile>(std::move(file), calls);
}

}  // namespace tollgate::audit

namespace tollgate {

std::shared_ptr<AuditSink> AuditFileSink(AuditFile file) {
  return audit::FileSink(std::move(file), audit::SystemFileCalls());
}

}  // namespace tollgate
