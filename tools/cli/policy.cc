#include "tools/cli/policy.h"

#include <iostream>
#include <optional>
#include <vector>

#include "absl/status/status.h"
#include "base/limits.h"
#include "tollgate/policy_file.h"
#include "tools/cli/console.h"
#include "tools/cli/policy_export.h"
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

int RunExport(const std::string& path, const std::string& provider, const std::string& issuer) {
  const absl::StatusOr<Policy> policy = ReadPolicy(path);
  if (!policy.ok()) return Fail(std::string(policy.status().message()));
  const PolicyExport result = ExportPolicy(*policy, *IdentityProviderFromName(provider), issuer);
  for (const std::string& why : result.left_out) Warn(path + ": not exported: " + why);
  std::cout << result.json.dump(2, ' ', /*ensure_ascii=*/true) << '\n';
  return Written(0);
}

constexpr char kTeachExport[] = R"(
keycloak  a realm: merge it into the realm's file, or give it to keycloak-config-cli. As a file of its own
          it would make a realm without Keycloak's own client scopes; the console's partial import knows none.
okta      bodies of requests to /api/v1/authorizationServers/ID/scopes and to /api/v1/groups. Groups are
          roles in tokens with a groups claim alone, and if the profile's role_claims name it.
entra     a manifest in the format of Microsoft Graph: add to the application's lists. An administrator
          consents to every scope. Services have app roles alone, no scopes.
auth0     a tenant of the Deploy CLI: an API for each server of the policy. Roles are permissions, too.

Not covered: who has which role; clients, and which scopes they may ask for; audiences (but Auth0's); classes,
that is lifetimes and authentication; patterns, which only the policy knows. What scopes imply is the policy's
matter, too: tokens need not carry it.)";

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
  export_ = group_->add_subcommand(
      "export", "Write down the scopes and roles that an identity provider must define for a policy.");
  export_->footer(kTeachExport);
  export_->add_option("file", file_, "The policy")->required();
  export_->add_option("--for", provider_, "keycloak, okta, entra or auth0")
      ->required()
      ->check(CLI::IsMember({"keycloak", "okta", "entra", "auth0"}));
  export_->add_option("--issuer", issuer_,
                      "Its URI: roles that the policy takes from this issuer are exported, too");
  for (CLI::Option* option : export_->get_options()) {
    if (!option->get_positional()) option->multi_option_policy(CLI::MultiOptionPolicy::TakeLast);
  }
}

int PolicyCommands::Run() const {
  if (check_->parsed()) return RunCheck(file_);
  if (table_->parsed()) return RunTable(file_, format_);
  if (export_->parsed()) return RunExport(file_, provider_, issuer_);
  return Fail("no command: policy check, table, explain, diff, reach or export; --help teaches");
}

}  // namespace tollgate::cli
