#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "tools/idp/endpoints.h"

namespace idp {

enum class FaultMode {
  kNone,
  kDown,         // refuses connections and drops those that exist: always the whole server
  kSlow,         // answers after `delay`
  kError,        // answers `status`
  kBlackhole,    // accepts, reads, never answers
  kGarbage,      // 200 with bytes that are no JSON
  kEmpty,        // 200 without a body
  kEmptySet,     // 200 with {"keys":[]}
  kTruncated,    // announces the whole body, sends half of it, closes
  kSlowBody,     // sends the body a byte each `delay`
  kOversized,    // the right JSON with a member more, `bytes` long
  kRedirect,     // 302 to `location`
  kWrongType,    // the right body as text/html
  kWrongIssuer,  // metadata with another issuer
};

// FaultModeName is the mode as POST /admin/fault spells it: "none", "down", "slow_body", …
std::string_view FaultModeName(FaultMode mode);
std::optional<FaultMode> ParseFaultMode(std::string_view name);

struct Fault {
  FaultMode mode = FaultMode::kNone;
  std::chrono::milliseconds delay{1000};
  int status = 500;
  size_t bytes = 8 << 20;     // at most 64 MiB
  std::string location{};     // default: /redirected on this server
  std::string retry_after{};  // sent with `status` unless empty
};

struct ServerOptions {
  uint16_t port = 0;  // 0: any free one
  // A second port on which nothing but /admin and /stats answers and that stays up while the server is
  // "down"; 0: any free one. Absent: none.
  std::optional<uint16_t> admin_port{};
  size_t num_connections_max = 512;  // more are closed at once
  EndpointOptions endpoints;
};

struct ServerStats {
  uint64_t num_connections = 0;
  // By path; unknown ones under "other", key sets of tenants under "/tenants".
  std::map<std::string, uint64_t> num_requests;
};

// Server is an identity provider on 127.0.0.1 with a thread of its own. Its issuer is url(). It also answers
// GET /stats, POST and DELETE /admin/fault, POST /admin/keys (README.md), which no fault but kDown touches.
// Requests are bounded to 8 KiB of header and 64 KiB of body. Every change is in force when its call returns.
// The destructor closes all connections and joins the thread. Thread-safe.
class Server {
 public:
  // Start returns a server that listens; failure: nullptr and a sentence in *error.
  static std::unique_ptr<Server> Start(ServerOptions options, std::string* error);
  ~Server();

  const std::string& url() const;  // http://127.0.0.1:PORT
  uint16_t port() const;
  const std::string& admin_url() const;  // "" without an admin port

  // SetFault replaces the fault of `path`; "*" is for every path without one of its own.
  void SetFault(std::string_view path, const Fault& fault);
  void ClearFaults();

  // Stop refuses connections and drops those that exist; the port stays reserved for Restart. Idempotent.
  // They are set and cleared by FaultMode::kDown and ClearFaults too. Restart's failure: false.
  void Stop();
  bool Restart();

  void AddKey(const SigningKey& key);
  bool RemoveKey(std::string_view kid);
  bool ReplaceKey(const SigningKey& key);  // the same kid with new material

  // SetBody answers GET `path` with exactly `body`, until it is called with nullopt.
  void SetBody(std::string_view path, std::optional<std::string> body);

  // Remember makes a token that the caller minted active for introspection, and Forget revokes it.
  void Remember(std::string_view token, const json& claims);
  void Forget(std::string_view token);

  ServerStats Stats() const;
  // WaitForRequests returns true once `path` has been asked `count` times since the start, false after
  // `timeout`.
  bool WaitForRequests(std::string_view path, uint64_t count, std::chrono::milliseconds timeout) const;

 private:
  class Impl;
  explicit Server(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace idp
