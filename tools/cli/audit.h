#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

namespace tollgate::cli {

// AuditCommands are the commands below `audit`.
class AuditCommands {
 public:
  // The constructor adds the group and its commands to `app`, which outlives this.
  explicit AuditCommands(CLI::App* app);

  bool parsed() const { return group_->parsed(); }

  // Run carries out the command that was parsed; returns the exit code.
  int Run() const;

 private:
  CLI::App* group_;
  CLI::App* verify_;
  std::vector<std::string> files_;
  std::string key_file_;
  std::string after_;
};

}  // namespace tollgate::cli
