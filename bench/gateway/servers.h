#pragma once

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/statusor.h"
#include "bench/lib/token_pool.h"

namespace tollgate::bench {

// Server is a program that listens on one port of 127.0.0.1. Owner thread only.
class Server {
 public:
  // Start runs `command` in `directory`, its output in DIRECTORY/NAME.log, and returns once it listens.
  // Unavailable, with the log's end, if it does not.
  static absl::StatusOr<std::unique_ptr<Server>> Start(const std::string& name,
                                                       const std::vector<std::string>& command,
                                                       const std::string& directory, uint16_t port);
  // The destructor ends the program and waits for it.
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

  uint16_t port() const { return port_; }

 private:
  Server(pid_t pid, uint16_t port) : pid_(pid), port_(port) {}
  pid_t pid_;  // 0: it has ended already.
  const uint16_t port_;
};

// ServerKind is a server that is measured.
struct ServerKind {
  std::string_view name;   // As results.json has it.
  std::string_view about;  // For people.
  bool decides;            // And so must refuse what is no good token,
  bool knows_tools;        // and a tool that the token does not allow.
};

inline constexpr ServerKind kTollgated = {
    "tollgated", "tollgated: the whole decision on a known token, by the message in the body", true, true};
inline constexpr ServerKind kNginx = {"nginx", "nginx: return 200", false, false};
inline constexpr ServerKind kHaproxyJwt = {"haproxy_jwt", "HAProxy: jwt_verify RS256, exp, iss, aud", true,
                                           false};
inline constexpr ServerKind kNginxProxy = {"nginx_proxy", "nginx: proxy_pass to a server that it is itself",
                                           false, false};
inline constexpr ServerKind kNginxModule = {
    "nginx_module", "the same with tollgated's module, which decides as tollgated does", true, true};
inline constexpr ServerKind kNginxBare = {"nginx_bare", "nginx: try_files =204, which asks no server", false,
                                          false};
inline constexpr ServerKind kNginxBareModule = {"nginx_bare_module", "the same with the module", true, true};

// Programs says where they are.
struct Programs {
  std::string tollgated{};
  std::string nginx_module{};  // Empty: there is none.
  std::string nginx = "nginx";
  std::string haproxy = "haproxy";
};

// StartServer writes the configuration of one of the kinds into `directory`, for the pool's RS256 tokens, and
// starts it. `key_pem` is the public key that signed them.
absl::StatusOr<std::unique_ptr<Server>> StartServer(const ServerKind& kind, const Programs& programs,
                                                    const std::string& directory, const TokenPool& pool,
                                                    const std::string& key_pem);

}  // namespace tollgate::bench
