#include "tools/cli/policy.h"

#include <iostream>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/limits.h"
#include "tollgate/policy_file.h"
#include "tools/cli/console.h"
#include "tools/cli/policy_table.h"

namespace tollgate::cli {
namespace {

int RunCheck(const std::string& path) {
  const std::optional<std::string> yaml = ReadFile(path, limits::kPolicyFileBytesMax);
  if (!yaml) return Fail("cannot read " + path);
  std::vector<PolicyFileFinding> findings;
  const bool good = ParsePolicy(*yaml, &findings).ok();
  for (const PolicyFileFinding& finding : findings) {
    std::cout << path << ':' << finding.line << ':' << finding.column << ": "
              << (finding.is_error ? "error: " : "warning: ") << finding.message << '\n';
  }
  return Written(good ? 0 : 1);
}

int RunTable(const std::string& path, const std::string& format) {
  const absl::StatusOr<Policy> policy = ReadPolicy(path);
  if (!policy.ok()) return Fail(std::string(policy.status().message()));
  std::cout << FormatTables(TablesOf(*policy), *TableFormatFromName(format));
  return Written(0);
}

}  // namespace

absl::StatusOr<Policy> ReadPolicy(const std::string& path) {
  const std::optional<std::string> yaml = ReadFile(path, limits::kPolicyFileBytesMax);
  if (!yaml) return absl::NotFoundError("cannot read " + path);
  absl::StatusOr<Policy> policy = ParsePolicy(*yaml);
  if (policy.ok()) return policy;
  return absl::InvalidArgumentError(path + ": " + std::string(policy.status().message()));
}

PolicyCommands::PolicyCommands(CLI::App* app)
    : group_(app->add_subcommand("policy", "Check policy files, and show what is in them.")) {
  group_->require_subcommand(0, 1);  // Said in our own words below.
  check_ = group_->add_subcommand("check", "Say what is wrong with a policy file, and where.");
  check_->footer("One finding a line: FILE:LINE:COLUMN: error|warning: text. Exit: 0 no errors, 1 errors.");
  check_->add_option("file", file_, "The policy")->required();
  table_ = group_->add_subcommand("table", "Show who needs what for which tool of which server.");
  table_->add_option("file", file_, "The policy")->required();
  table_->add_option("--format", format_, "terminal, markdown or html")
      ->check(CLI::IsMember({"terminal", "markdown", "html"}))
      ->multi_option_policy(CLI::MultiOptionPolicy::TakeLast)
      ->capture_default_str();
}

int PolicyCommands::Run() const {
  if (check_->parsed()) return RunCheck(file_);
  if (table_->parsed()) return RunTable(file_, format_);
  return Fail("no command: policy check or table; --help teaches");
}

}  // namespace tollgate::cli
