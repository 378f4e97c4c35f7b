#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "tollgate/config.h"

namespace tollgate::tollgated {

// Proxy is a reverse proxy that asks about each request, by the rules of that proxy for such questions: what
// it tells, and what it makes of an answer. docs/deploying.md has a configuration of each.
enum class Proxy : uint8_t {
  kNginx,    // auth_request: knows 2xx, 401 and 403; the body is never seen.
  kEnvoy,    // ext_authz over HTTP: the original method and path; the body if it is configured to send it.
  kTraefik,  // ForwardAuth: X-Forwarded-Method, -Host, -Uri; the body with forwardBody alone.
  kCaddy,    // forward_auth: as Traefik, but never the body; each header field that it copies must be there.
  kHaproxy,  // Its Lua script, docs/deploying.md: as Envoy.
  // The module in nginx's own workers, tools/nginx, which asks no daemon: as Envoy, and it filters lists.
  kNginxModule,
};

// ServerSettings is one protected server behind a proxy: the resource at the same position in
// Config::resources.
struct ServerSettings {
  std::string name{};  // 1–64 of [a-z0-9-]. Proxies ask about it at /check/NAME.
  Proxy proxy = Proxy::kNginx;
  // The proxy sends all of each request's body, so that tools are decided by what the server will read. Not
  // with kNginx and kCaddy.
  bool sees_body = false;
  // Mcp-Method and Mcp-Name are believed without the body that they mirror: only for a server that refuses
  // requests where the two disagree, as MCP 2026-07-28 demands, and does not speak the revisions that lack
  // them. By this name alone, with the name of the server software that is known to.
  std::string dangerous_trust_mcp_headers{};
  // Neither body nor header fields are looked at: every request is decided as the use of this tool of the
  // policy. Exactly one of the three ways to know what a request is about must be chosen.
  std::string decide_as_tool{};
  // For its metadata (RFC 9728), which the daemon serves: ResourceMetadata. No scopes: all of the policy's.
  std::vector<std::string> authorization_servers{};
  std::vector<std::string> scopes_supported{};
  std::string resource_name{};
  std::string resource_documentation{};
};

// Bounds of what clients of the daemon, that is, proxies and whoever else reaches it, may take.
struct Bounds {
  size_t connections_max = 1024;    // Beyond, new connections are closed at once.
  size_t header_bytes_max = 32768;  // Of one request.
  size_t body_bytes_max = size_t{1} << 20;
  std::chrono::milliseconds request_timeout{5'000};  // From a request's first byte to its last.
  std::chrono::milliseconds idle_timeout{75'000};    // Between two requests of a connection.
  std::chrono::milliseconds wait_max{1'000};         // Engine::CheckAsync's: for keys and introspection.
  std::chrono::milliseconds drain_max{10'000};       // After SIGTERM, for requests under way.
};

// Settings is all that a configuration file says: docs/configuration.md.
struct Settings {
  // All servers are kNginxModule's, or none.
  bool for_nginx_module() const { return !servers.empty() && servers.front().proxy == Proxy::kNginxModule; }

  // "127.0.0.1:9180", "[::1]:9180" or "unix:/run/tollgated/check.sock": where proxies ask. At least one, but
  // for kNginxModule, which has none.
  std::vector<std::string> listen{};
  // Where operators look: metrics, health, status. Loopback or a UNIX socket; empty: nowhere.
  std::string admin_listen{};
  size_t threads = 0;  // 0: as many as there are processors.
  Config engine{};     // But for the policy.
  std::string policy_file{};
  std::string shadow_policy_file{};  // Empty: none.
  std::vector<ServerSettings> servers{};
  Bounds bounds{};
  // A file of CA certificates in PEM, for Environment::ca_file; empty: the system's.
  std::string ca_file{};
  // What engine.audit.sink writes to and how, by which two of them are told apart.
  std::string audit_sink{};
  // Files whose content is among the above, such as client secrets: who changes one changes the settings.
  std::vector<std::string> secret_files{};
};

}  // namespace tollgate::tollgated
