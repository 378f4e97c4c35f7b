#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tollgate/export.h"
#include "tollgate/file_system.h"
#include "tollgate/policy.h"

// Policies as YAML files: docs/policy.md has the format. In a library of its own, tollgate::policy_file,
// which alone needs yaml-cpp.
namespace tollgate {

// PolicyFileFinding is what there is to say of one place of a policy file.
struct PolicyFileFinding {
  bool is_error = false;  // Else a warning.
  size_t line = 0;        // From 1.
  size_t column = 0;      // From 1, in bytes.
  std::string message{};  // One line.
};

// ParsePolicy returns the policy that `yaml` is, or InvalidArgument with its first error ("line 3, column 7:
// …"). Whatever PolicyBuilder finds is found here, too, and where it stands. *findings, if given, is replaced
// by all that there is to say, in the order of the file. At most 4 MiB are read, in time and memory in
// proportion. Does not touch files.
TOLLGATE_API absl::StatusOr<Policy> ParsePolicy(std::string_view yaml,
                                                std::vector<PolicyFileFinding>* findings = nullptr);

// FormatPolicy returns `policy` as a file, which ParsePolicy reads as the same policy, as far as it keeps the
// bounds of a file; rules are then in the file's order: by server, and there methods, tools, prompts,
// resources. Bytes that are not UTF-8 become U+FFFD.
TOLLGATE_API std::string FormatPolicy(const Policy& policy);

// PolicyFileWatch keeps a policy at what a file says: once Poll has found a new content, and that it is a
// policy, it hands it over. It owns no thread; call Poll every few seconds, on one that may wait for the
// disk:
//
//   PolicyFileWatch watch("/etc/mcp/policy.yaml", [&](const Policy& p) { return engine->SetPolicy(p); });
//   PolicyFileWatch::Report report = watch.Poll();
//   if (!report.message.empty()) Log(report.message);
//
// A file with an error changes nothing, and neither does one that has vanished: the last good policy stays,
// and what is wrong is said once. Symbolic links are followed, and nobody asks whose the file is: whoever can
// write it, or a directory on the way to it, says what callers may do. Owner thread only.
class TOLLGATE_API PolicyFileWatch {
 public:
  enum class Outcome : uint8_t {
    kUnchanged,   // As it was; what is wrong with it, if anything, has been said.
    kChanging,    // It has another content, which counts if the next Poll finds the same: half a file, which
                  // somebody is still writing, may be a policy, and a laxer one.
    kApplied,     // Its policy was handed over and taken; `findings` may have warnings.
    kRefused,     // It is no policy, or `apply` has refused that; `findings` says where it is wrong.
    kUnreadable,  // It is gone, no regular file, or longer than 4 MiB.
  };
  struct Report {
    Outcome outcome = Outcome::kUnchanged;
    // One line with the file's path, and of a mistake its line and column; empty if there is nothing new.
    std::string message{};
    std::vector<PolicyFileFinding> findings{};
  };

  // `apply` is called within Poll with each new policy; on failure, which is one line, that one is refused.
  // `files`, null: SystemFiles(), must outlive the object.
  PolicyFileWatch(std::string path, std::function<absl::Status(const Policy&)> apply,
                  FileSystem* files = nullptr);
  ~PolicyFileWatch();
  PolicyFileWatch(const PolicyFileWatch&) = delete;
  PolicyFileWatch& operator=(const PolicyFileWatch&) = delete;

  // Poll looks at the file. The first call hands over what is there, so that an engine can be created with
  // it.
  Report Poll();
  // Reread is Poll that takes the file for changed, and changed for good: for whoever is told to reload.
  Report Reread();
  // error returns what keeps the file from being in force, in one line; empty if it is.
  const std::string& error() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate
