#pragma once

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tools/idp/server.h"

namespace tollgate::bench {

// IdpControl is an identity provider that can be killed and brought back under the same address with the same
// keys. Owner thread only.
class IdpControl {
 public:
  virtual ~IdpControl() = default;
  virtual const std::string& issuer() const = 0;
  virtual const std::string& jwks_uri() const = 0;
  // Kill ends it without a farewell: connections that exist are dropped, new ones refused.
  virtual void Kill() = 0;
  // Restart begins to bring it back and returns at once; Reachable then says when it accepts connections.
  virtual absl::Status Restart() = 0;
  virtual bool Reachable() = 0;
  // The repository's own one, for faults and keys; null: it is another.
  virtual idp::Server* server() { return nullptr; }
};

// StartBundledIdp runs the repository's own one in this process, with these keys.
absl::StatusOr<std::unique_ptr<IdpControl>> StartBundledIdp(std::vector<idp::SigningKey> keys);

// StartIdpProcess runs `command` with /bin/sh in a process group of its own and waits until `jwks_uri`, at a
// port of 127.0.0.1, accepts connections, at most 30 s. The destructor kills the group.
absl::StatusOr<std::unique_ptr<IdpControl>> StartIdpProcess(std::string command, std::string issuer,
                                                            std::string jwks_uri);

}  // namespace tollgate::bench
