#pragma once

#include <CLI/CLI.hpp>
#include <string>

namespace tollgate::cli {

// DoctorCommand is `tollgate doctor`: what stands between callers and their answers, looked at from outside.
// It asks identity providers and servers; it changes nothing. Owner thread only.
class DoctorCommand {
 public:
  explicit DoctorCommand(CLI::App* app);

  bool parsed() const { return command_->parsed(); }
  // Run returns the exit code: 0 nobody is refused by what was found, 1 somebody is, 2 unusable arguments or
  // files.
  int Run();

 private:
  CLI::App* const command_;
  std::string config_, issuer_, audience_, profile_ = "rfc9068", token_file_, ca_file_;
  bool private_network_ = false;
  bool json_ = false;
};

}  // namespace tollgate::cli
