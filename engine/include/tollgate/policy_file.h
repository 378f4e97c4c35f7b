#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tollgate/export.h"
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

}  // namespace tollgate
