#include <string>
#include <utility>

#include "base/limits.h"
#include "policy_file/text.h"
#include "policy_file/watched_file.h"
#include "tollgate/policy_file.h"

namespace tollgate {

using policy_file::InOneLine;
using policy_file::WatchedFile;

struct PolicyFileWatch::Impl {
  std::string Say(std::string_view what) const { return InOneLine(file.path() + ": " + std::string(what)); }

  Report Judge();

  WatchedFile file;
  std::function<absl::Status(const Policy&)> apply;
  std::string refusal;  // Of the content that was read last; empty if it is in force.
  std::string error;    // What the last Poll found wrong: the refusal, or that the file cannot be read.
};

PolicyFileWatch::Report PolicyFileWatch::Impl::Judge() {
  Report report;
  const absl::StatusOr<Policy> policy = ParsePolicy(file.bytes(), &report.findings);
  const absl::Status status = policy.ok() ? apply(*policy) : policy.status();
  report.outcome = status.ok() ? Outcome::kApplied : Outcome::kRefused;
  report.message = Say(status.ok() ? "is in force" : std::string(status.message()));
  refusal = status.ok() ? "" : report.message;
  return report;
}

PolicyFileWatch::PolicyFileWatch(std::string path, std::function<absl::Status(const Policy&)> apply,
                                 FileSystem* files)
    : impl_(new Impl{.file = WatchedFile(std::move(path), files == nullptr ? SystemFiles() : *files,
                                         limits::kPolicyFileBytesMax),
                     .apply = std::move(apply),
                     .refusal = {},
                     .error = {}}) {}

PolicyFileWatch::~PolicyFileWatch() = default;

PolicyFileWatch::Report PolicyFileWatch::Poll() {
  const WatchedFile::Seen seen = impl_->file.Look();
  Report report;
  if (seen == WatchedFile::Seen::kChanged) report = impl_->Judge();
  if (seen == WatchedFile::Seen::kChanging) report.outcome = Outcome::kChanging;
  if (seen == WatchedFile::Seen::kUnreadable) {
    report.outcome = Outcome::kUnreadable;
    report.message = impl_->Say(impl_->file.error());
  }
  impl_->error = impl_->file.error().empty() ? impl_->refusal : impl_->Say(impl_->file.error());
  return report;
}

PolicyFileWatch::Report PolicyFileWatch::Reread() {
  impl_->file.Forget();
  return Poll();
}

const std::string& PolicyFileWatch::error() const { return impl_->error; }

}  // namespace tollgate
