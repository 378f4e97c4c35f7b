#include "tools/cli/doctor.h"

#include <unistd.h>

#include <algorithm>
#include <iostream>
#include <map>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "tollgate/policy_file.h"
#include "tools/cli/console.h"
#include "tools/cli/doctor_issuer.h"
#include "tools/cli/doctor_probe.h"
#include "tools/cli/doctor_report.h"
#include "tools/cli/doctor_settings.h"
#include "tools/cli/doctor_token.h"
#include "tools/cli/examine.h"
#include "tools/tollgated/settings_file.h"
#include "transport/url.h"

namespace tollgate::cli {
namespace {

// ReadToken reads the first line of a file, or of standard input ("-"): a token longer than any is cut where
// it still is too long.
std::optional<std::string> ReadToken(const std::string& path) {
  std::optional<std::string> text = ReadFile(path == "-" ? "/dev/stdin" : path, limits::kTokenBytesMax + 2);
  if (!text) return std::nullopt;
  text->resize(std::min(text->size(), text->find('\n')));
  if (text->ends_with('\r')) text->pop_back();
  return text;
}

// TellOutage sums up what would hold without the issuers.
void TellOutage(const std::vector<std::pair<std::string, IssuerDiagnosis>>& issuers, Part* part) {
  const auto list = [&](auto holds) {
    std::string names;
    for (const auto& [name, found] : issuers)
      if (holds(found)) names += (names.empty() ? "" : ", ") + Printable(name);
    return names;
  };
  const std::string silent = list([](const IssuerDiagnosis& found) { return found.jwks.empty(); });
  const std::string lost = list([](const IssuerDiagnosis& found) { return !found.restart_serves; });
  if (!silent.empty()) part->Say(Level::kNote, "now", "there are no keys to be had from " + silent);
  if (!lost.empty()) {
    part->Say(Level::kNote, "restart", "in an outage of theirs would serve no caller of " + lost);
  } else if (silent.empty()) {
    part->Say(Level::kGood, "restart", "in an outage would go on within the bounds above");
  }
}

}  // namespace

DoctorCommand::DoctorCommand(CLI::App* app)
    : command_(app->add_subcommand("doctor",
                                   "Ask identity providers what callers depend on, and say what is wrong.")) {
  CLI::Option* const config = command_->add_option("--config", config_, "tollgated's configuration, a file");
  std::vector<CLI::Option*> alone;
  alone.push_back(command_->add_option("--issuer", issuer_, "Or one issuer, found by discovery"));
  alone.push_back(command_->add_option("--audience", audience_, "With it: the URI of a server"));
  alone.push_back(command_->add_option("--profile", profile_, "With it: how it writes its tokens")
                      ->capture_default_str());
  alone.push_back(command_->add_flag("--private-network", private_network_,
                                     "With it: its hosts may have private addresses"));
  alone.push_back(
      command_->add_option("--ca-file", ca_file_, "With it: certificates, PEM, by which it is believed"));
  for (CLI::Option* option : alone) option->excludes(config);
  command_->add_option("--token-file", token_file_,
                       "A token to hold against it, the first line of a file, or of - (standard input)");
  command_->add_flag("--json", json_, "One JSON object");
}

int DoctorCommand::Run() {
  tollgated::Settings settings;
  std::vector<PolicyFileFinding> findings;
  if (!config_.empty()) {
    absl::StatusOr<tollgated::Settings> read = tollgated::ReadSettings(config_, &findings);
    if (!read.ok()) return Fail(std::string(read.status().message()));
    settings = *std::move(read);
  } else if (!issuer_.empty()) {
    const std::optional<Profile> profile = Profile::ByName(profile_);
    if (!profile) return Fail("--profile is unknown");
    // Who names a loopback host means it.
    settings.engine.dangerous.dangerous_allow_http_on_loopback = transport::HasLoopbackHost(issuer_);
    settings.engine.issuers.push_back(
        {.issuer = issuer_, .discovery = true, .private_network = private_network_, .profile = *profile});
    if (!audience_.empty()) settings.engine.resources.push_back({.uri = audience_});
    settings.ca_file = ca_file_;
  } else {
    return Fail("--config FILE or --issuer ISS is needed");
  }
  const Config& config = settings.engine;
  std::optional<std::string> token;
  if (!token_file_.empty()) {
    if (config.resources.empty()) return Fail("--token-file needs --audience, too");
    token = ReadToken(token_file_);
    if (!token) return Fail("cannot read " + token_file_);
  }
  // Servers of one's own may be at loopback; an issuer may only if the configuration says so.
  absl::StatusOr<std::unique_ptr<Prober>> prober =
      Prober::Make(settings.ca_file, config.dangerous.dangerous_allow_http_on_loopback, config.timing);
  absl::StatusOr<std::unique_ptr<Prober>> local = Prober::Make(settings.ca_file, true, config.timing);
  if (!prober.ok() || !local.ok()) return Fail("libcurl cannot start");

  Diagnosis diagnosis;
  Part& configuration = diagnosis.Begin("configuration", config_);
  for (const PolicyFileFinding& finding : findings)
    configuration.Say(Level::kWarning, "line " + std::to_string(finding.line), finding.message);
  DiagnoseSettings(settings, !config_.empty(), &configuration);

  const SnapshotOnDisk snapshot(config.snapshot);
  std::vector<std::pair<std::string, IssuerDiagnosis>> issuers;
  std::map<std::string, std::string> jwks;
  for (const IssuerConfig& issuer : config.issuers) {
    IssuerDiagnosis found =
        DiagnoseIssuer(config, issuer, snapshot, **prober, &diagnosis.Begin("issuer", issuer.issuer));
    if (!found.jwks.empty()) jwks.emplace(issuer.issuer, found.jwks);
    issuers.emplace_back(issuer.issuer, std::move(found));
  }
  for (size_t i = 0; i < config.resources.size(); ++i) {
    DiagnoseServer(config, config.resources[i], i < settings.servers.size() ? &settings.servers[i] : nullptr,
                   **local, &diagnosis.Begin("server", config.resources[i].uri));
  }
  if (token) DiagnoseToken(config, jwks, *token, &diagnosis.Begin("token", ""));
  Part& outage = diagnosis.Begin("in an outage", "");
  TellOutage(issuers, &outage);
  if (!settings.policy_file.empty()) {
    const std::optional<std::string> yaml = ReadFile(settings.policy_file, limits::kPolicyFileBytesMax);
    if (const absl::StatusOr<Policy> policy = ParsePolicy(yaml.value_or("")); policy.ok())
      TellPolicyInOutage(*policy, &outage);
  }
  if (json_) {
    WriteJson(diagnosis, std::cout);
  } else {
    WriteText(diagnosis, isatty(STDOUT_FILENO) == 1, std::cout);
  }
  return Written(diagnosis.Count(Level::kProblem) == 0 ? 0 : 1);
}

}  // namespace tollgate::cli
