#pragma once

#include <CLI/CLI.hpp>
#include <string>
#include <vector>

#include "tools/cli/sample_caller.h"

namespace tollgate::cli {

// PolicyQuestionCommands are the commands below `policy` that ask about callers.
class PolicyQuestionCommands {
 public:
  // The constructor adds the commands to `group`, which outlives this.
  explicit PolicyQuestionCommands(CLI::App* group);

  bool parsed() const { return explain_->parsed() || diff_->parsed() || reach_->parsed(); }

  // Run carries out the command that was parsed; returns the exit code.
  int Run() const;

 private:
  void AddExplain(CLI::App* group);
  void AddDiff(CLI::App* group);
  void AddReach(CLI::App* group);
  void AddClaims(CLI::App* command);
  int RunExplain() const;
  int RunDiff() const;
  int RunReach() const;

  CLI::App* explain_ = nullptr;
  CLI::App* diff_ = nullptr;
  CLI::App* reach_ = nullptr;
  std::string file_, other_file_;
  std::string object_ = "tool", name_, server_;
  std::string claims_file_, principal_ = "user";
  std::vector<std::string> roles_, scopes_;
  SampleCaller::Options claims_;
  bool json_ = false;
};

}  // namespace tollgate::cli
