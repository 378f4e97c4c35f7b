#pragma once

#include <CLI/CLI.hpp>
#include <string>

#include "absl/status/statusor.h"
#include "tollgate/policy.h"

namespace tollgate::cli {

// ReadPolicy reads a policy file; else says in one line why not: that it cannot be read, or its first error.
absl::StatusOr<Policy> ReadPolicy(const std::string& path);

// PolicyCommands are the commands below `policy` that ask no question about a caller.
class PolicyCommands {
 public:
  // The constructor adds the group and its commands to `app`, which outlives this.
  explicit PolicyCommands(CLI::App* app);

  CLI::App* group() { return group_; }
  bool parsed() const { return group_->parsed(); }

  // Run carries out the command that was parsed; returns the exit code.
  int Run() const;

 private:
  CLI::App* group_;
  CLI::App* check_;
  CLI::App* table_;
  std::string file_;
  std::string format_ = "terminal";
};

}  // namespace tollgate::cli
