#include "tools/tollgated/settings_file.h"

#include <algorithm>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "base/limits.h"
#include "base/tenants.h"
#include "pipeline/config_check.h"
#include "policy_file/text.h"
#include "policy_file/yaml_tree.h"
#include "tools/tollgated/settings_keys.h"
#include "tools/tollgated/settings_rules.h"

namespace tollgate::tollgated {

using policy_file::InOneLine;
using policy_file::Node;

namespace {

// Whole are settings with what they name.
struct Whole {
  Settings settings{};
  Policy policy{};
  std::optional<Policy> shadow{};
};

absl::StatusOr<std::string> ReadText(const std::string& path, FileSystem& files) {
  absl::StatusOr<FileContent> content = files.ReadFollowing(path, limits::kPolicyFileBytesMax);
  if (!content.ok()) return absl::InvalidArgumentError(content.status().message());
  if (!content->regular) return absl::InvalidArgumentError("is no regular file");
  if (content->size > limits::kPolicyFileBytesMax)
    return absl::InvalidArgumentError("has more than " + std::to_string(limits::kPolicyFileBytesMax) +
                                      " bytes");
  return std::move(content->bytes);
}

absl::StatusOr<Policy> ReadPolicy(const std::string& path, FileSystem& files,
                                  std::vector<PolicyFileFinding>* findings = nullptr) {
  const absl::StatusOr<std::string> yaml = ReadText(path, files);
  absl::StatusOr<Policy> policy = yaml.ok() ? ParsePolicy(*yaml, findings) : yaml.status();
  if (policy.ok()) return policy;
  return absl::InvalidArgumentError(InOneLine(path + ": " + std::string(policy.status().message())));
}

// ReadPolicyAt tells at the key of `path` what is wrong with that policy.
std::optional<Policy> ReadPolicyAt(std::string_view key, const std::string& path, SettingsReader& reader) {
  std::vector<PolicyFileFinding> findings;
  absl::StatusOr<Policy> policy = ReadPolicy(path, reader.files(), &findings);
  if (!policy.ok()) {
    reader.ErrorAt(key, std::string(policy.status().message()));
    return std::nullopt;
  }
  for (const PolicyFileFinding& finding : findings) {
    reader.WarnAt(key, path + ": line " + std::to_string(finding.line) + ", column " +
                           std::to_string(finding.column) + ": " + finding.message);
  }
  return *std::move(policy);
}

// A server's metadata names its issuers, unless it is said otherwise; but none that a client could not ask.
void NameAuthorizationServers(Settings* settings) {
  for (size_t i = 0; i < settings->servers.size(); ++i) {
    std::vector<std::string>& named = settings->servers[i].authorization_servers;
    if (!named.empty()) continue;
    named = settings->engine.resources[i].issuers;
    if (named.empty()) {
      for (const IssuerConfig& issuer : settings->engine.issuers) named.push_back(issuer.issuer);
    }
    std::erase_if(named,
                  [](const std::string& issuer) { return IsTemplate(issuer) || !IsHttpsOrLoopback(issuer); });
  }
}

bool HasErrors(const std::vector<PolicyFileFinding>& findings) {
  return std::any_of(findings.begin(), findings.end(), [](const PolicyFileFinding& f) { return f.is_error; });
}

// Silent takes nothing away, and Nowhere leads nowhere: an engine that is made for a check leaves no trace.
class Silent final : public AuditSink {
 public:
  absl::Status Write(std::span<const std::string_view>) override { return absl::OkStatus(); }
};
class Nowhere final : public Transport {
 public:
  void Start(FetchRequest) override {}
  void Poll(int, std::vector<FetchResult>*) override {}
  void Wake() override {}
};

absl::Status TryEngine(Whole whole, FileSystem& files) {
  Config& config = whole.settings.engine;
  config.policy = std::move(whole.policy);
  config.snapshot = {};  // Its key would be made.
  config.verdict_cache_bytes = 0;
  if (config.audit.sink != nullptr) config.audit = {.sink = std::make_shared<Silent>()};
  Environment environment;
  environment.transport = std::make_unique<Nowhere>();
  environment.own_thread = false;
  environment.files = &files;
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  if (!engine.ok()) return engine.status();
  return whole.shadow ? (*engine)->SetShadowPolicy(*whole.shadow) : absl::OkStatus();
}

// Parse fills *whole; what is wrong is told to the reader.
void Parse(std::string_view yaml, SettingsReader& reader, std::vector<PolicyFileFinding>* findings,
           Whole* whole) {
  const std::optional<Node> root = policy_file::ReadYaml(yaml, findings);
  if (!root) return;
  Settings& settings = whole->settings;
  ReadPart(reader, *root, "a configuration", SettingsKeys(), &settings);
  if (HasErrors(*findings)) return;
  settings.secret_files = reader.secret_files();
  settings.engine.snapshot.shared = settings.for_nginx_module() && !settings.engine.snapshot.path.empty();
  NameAuthorizationServers(&settings);
  FindMistakes(settings, reader);
  std::optional<Policy> policy = ReadPolicyAt("policy_file", settings.policy_file, reader);
  if (!settings.shadow_policy_file.empty())
    whole->shadow = ReadPolicyAt("shadow_policy_file", settings.shadow_policy_file, reader);
  if (policy) whole->policy = *std::move(policy);
  if (HasErrors(*findings)) return;
  if (const std::optional<Misfit> misfit = FindMisfit(settings, whole->policy))
    reader.ErrorAt("servers[" + std::to_string(misfit->server) + "].decide_as_tool", misfit->message);
  Config config = settings.engine;
  config.policy = whole->policy;
  if (const absl::Status status = pipeline::CheckConfig(config); !status.ok())
    TellEngineError(settings, std::string(status.message()), reader);
}

absl::StatusOr<Settings> Read(std::string_view yaml, const std::string& directory, FileSystem& files,
                              bool with_engine, std::vector<PolicyFileFinding>* findings,
                              Policy* policy = nullptr) {
  std::vector<PolicyFileFinding> unwanted;
  if (findings == nullptr) findings = &unwanted;
  findings->clear();
  SettingsReader reader(directory, files, findings);
  Whole whole;
  Parse(yaml, reader, findings, &whole);
  if (with_engine && !HasErrors(*findings)) {
    if (const absl::Status status = TryEngine(whole, files); !status.ok())
      TellEngineError(whole.settings, std::string(status.message()), reader);
  }
  if (const absl::Status status = policy_file::InOrder(findings); !status.ok()) return status;
  if (policy != nullptr) *policy = std::move(whole.policy);
  return std::move(whole.settings);
}

}  // namespace

absl::StatusOr<Settings> ParseSettings(std::string_view yaml, const std::string& directory, FileSystem& files,
                                       std::vector<PolicyFileFinding>* findings) {
  return Read(yaml, directory, files, false, findings);
}

absl::StatusOr<Settings> CheckSettings(std::string_view yaml, const std::string& directory, FileSystem& files,
                                       std::vector<PolicyFileFinding>* findings) {
  return Read(yaml, directory, files, true, findings);
}

absl::StatusOr<Settings> ReadSettings(const std::string& path, std::vector<PolicyFileFinding>* findings,
                                      FileSystem* files, Policy* policy) {
  FileSystem& used = files == nullptr ? SystemFiles() : *files;
  if (findings != nullptr) findings->clear();
  const absl::StatusOr<std::string> yaml = ReadText(path, used);
  absl::StatusOr<Settings> settings =
      yaml.ok() ? Read(*yaml, DirectoryOf(path), used, true, findings, policy) : yaml.status();
  if (settings.ok()) return settings;
  return absl::InvalidArgumentError(InOneLine(path + ": " + std::string(settings.status().message())));
}

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Settings& settings, Environment environment) {
  FileSystem& files = environment.files == nullptr ? SystemFiles() : *environment.files;
  absl::StatusOr<Policy> policy = ReadPolicy(settings.policy_file, files);
  if (!policy.ok()) return policy.status();
  absl::StatusOr<std::unique_ptr<Engine>> engine = MakeEngine(settings, *policy, std::move(environment));
  if (!engine.ok() || settings.shadow_policy_file.empty()) return engine;
  const absl::StatusOr<Policy> shadow = ReadPolicy(settings.shadow_policy_file, files);
  const absl::Status status = shadow.ok() ? (*engine)->SetShadowPolicy(*shadow) : shadow.status();
  if (!status.ok()) return status;
  return engine;
}

absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Settings& settings, const Policy& policy,
                                                   Environment environment) {
  Config config = settings.engine;
  config.policy = policy;
  if (!settings.ca_file.empty()) environment.ca_file = settings.ca_file;
  return Engine::Create(config, std::move(environment));
}

std::string DirectoryOf(const std::string& path) {
  std::error_code unknown;  // Then it stays relative.
  const std::filesystem::path absolute = std::filesystem::absolute(path, unknown);
  return (unknown ? std::filesystem::path(path) : absolute).parent_path().string();
}

}  // namespace tollgate::tollgated
