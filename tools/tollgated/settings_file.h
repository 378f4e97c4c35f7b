#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "tollgate/engine.h"
#include "tollgate/file_system.h"
#include "tollgate/policy_file.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// A daemon's configuration is one YAML file, of the small part of YAML that policies are written in:
// docs/configuration.md. Each of these returns it, or InvalidArgument with its first error ("line 3, column
// 7: …"), and replaces *findings, if given, by all that there is to say, in the order of the file. Secrets
// never stand in it, and no message repeats a value.

// ParseSettings reads a configuration that lies in `directory`, and from `files` the secrets and policies
// that it names. What it says is held against itself and against the policies, but not given to an engine.
absl::StatusOr<Settings> ParseSettings(std::string_view yaml, const std::string& directory, FileSystem& files,
                                       std::vector<PolicyFileFinding>* findings = nullptr);

// CheckSettings is ParseSettings of what an engine can be created with, too: it creates one, which leaves no
// trace. For what may well change later, a key file that is not there yet, the engine waits.
absl::StatusOr<Settings> CheckSettings(std::string_view yaml, const std::string& directory, FileSystem& files,
                                       std::vector<PolicyFileFinding>* findings = nullptr);

// ReadSettings is CheckSettings of a file. Errors begin with its path. *policy, if given, becomes what its
// policy file says.
absl::StatusOr<Settings> ReadSettings(const std::string& path,
                                      std::vector<PolicyFileFinding>* findings = nullptr,
                                      FileSystem* files = nullptr, Policy* policy = nullptr);

// MakeEngine creates the engine of settings that were read, with their policies; or with `policy` instead,
// and then it reads no file.
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Settings& settings, Environment environment = {});
absl::StatusOr<std::unique_ptr<Engine>> MakeEngine(const Settings& settings, const Policy& policy,
                                                   Environment environment);

// DirectoryOf returns what the paths in a configuration at `path` are relative to.
std::string DirectoryOf(const std::string& path);

}  // namespace tollgate::tollgated
