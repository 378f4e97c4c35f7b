// A gate of tollgated, and the MCP server behind it, for proxies in front of both. Prints one line of JSON:
// where both listen, and tokens. Ends with its standard input.
//
//   proxies_gateway nginx|caddy|haproxy
//
// nginx and Caddy never show a body: there the gate believes the header fields, since the server refuses
// requests whose body says something else.

#include <chrono>
#include <ctime>
#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>

#include "tollgate/mcp.h"
#include "tools/idp/mint.h"
#include "tools/tollgated/gate.h"
#include "tools/tollgated/http_server.h"

namespace {

using namespace tollgate;
using namespace tollgate::tollgated;
using nlohmann::json;

constexpr char kIssuer[] = "https://idp.example";
constexpr char kDeadIssuer[] = "https://dead.example";
constexpr char kResource[] = "https://mcp.example/mcp";

// McpServer answers with what it was asked for, and which tool it ran.
class McpServer final : public HttpHandler {
 public:
  bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> /*later*/) override {
    McpHeaders headers;
    json fields = json::array();
    for (const HttpField& field : request.fields) {
      fields.push_back({std::string(field.name), std::string(field.value)});
      if (field.Is("mcp-protocol-version")) headers.protocol_version = field.value;
      if (field.Is("mcp-method")) headers.method = field.value;
      if (field.Is("mcp-name")) headers.name = field.value;
    }
    *answer = {.status = 200};
    answer->Add("Content-Type", "application/json");
    std::string tool;
    if (request.method == "POST") {
      if (const Reason reason = reader_.Read(headers, request.body); reason != Reason::kNone) {
        answer->status = 400;
        answer->body = reader_.ErrorBody(reason);
        return true;
      }
      tool = reader_.calls().front().name;
    }
    answer->body = json({{"method", std::string(request.method)}, {"ran", tool}, {"fields", fields}}).dump();
    return true;
  }

 private:
  McpReader reader_;
};

Policy MakePolicy() {
  PolicyBuilder policy;
  policy.AddProtocol();
  policy.AddRule({.name = "search", .scopes = {"files:read"}});
  policy.AddRule({.name = "delete", .scopes = {"files:delete"}});
  policy.AddRule({.name = "GET", .any_valid_token = true, .object = McpObject::kMethod});
  return policy.Build().value();
}

Settings MakeSettings(const std::string& proxy, const idp::SigningKey& key) {
  Settings settings;
  settings.listen = {"127.0.0.1:0"};
  settings.bounds.wait_max = std::chrono::milliseconds(200);
  settings.engine.issuers.push_back({.issuer = kIssuer, .jwks = idp::Jwks({&key}).dump()});
  // Nobody listens there.
  settings.engine.issuers.push_back({.issuer = kDeadIssuer, .jwks_uri = "http://127.0.0.1:1/jwks"});
  settings.engine.dangerous.dangerous_allow_http_on_loopback = true;
  settings.engine.resources.push_back({.uri = kResource});
  settings.engine.policy = MakePolicy();
  ServerSettings server{.name = "crm", .authorization_servers = {kIssuer}};
  server.proxy = proxy == "nginx" ? Proxy::kNginx : proxy == "caddy" ? Proxy::kCaddy : Proxy::kHaproxy;
  server.sees_body = server.proxy == Proxy::kHaproxy;
  if (!server.sees_body) server.dangerous_trust_mcp_headers = "McpServer above";
  settings.servers.push_back(server);
  return settings;
}

int Run(const std::string& proxy) {
  const idp::SigningKey key = idp::SigningKey::Generate("ES256", "key");
  const Settings settings = MakeSettings(proxy, key);
  std::unique_ptr<HttpServer> server, backend;
  RefusalBook refusals(SystemClock());
  std::unique_ptr<Gate> gate;
  std::unique_ptr<Engine> engine = Engine::Create(settings.engine).value();
  gate = std::make_unique<Gate>(engine.get(), settings, settings.engine.policy, &refusals);
  server = HttpServer::Start({.listen = settings.listen, .threads = 2, .bounds = settings.bounds}, [&gate] {
             return gate->MakeHandler();
           }).value();
  backend =
      HttpServer::Start({.listen = settings.listen}, [] { return std::make_unique<McpServer>(); }).value();

  const int64_t now = std::time(nullptr);
  const auto token = [&](const char* issuer, const char* scope) {
    return idp::Mint(key,
                     idp::AccessTokenClaims(issuer, kResource, "alice", "agent-1", scope, now, now + 600));
  };
  std::cout << json({{"gate", server->listening().front()},
                     {"backend", backend->listening().front()},
                     {"read", token(kIssuer, "files:read")},
                     {"dead", token(kDeadIssuer, "files:read")}})
                   .dump()
            << std::endl;
  for (std::string line; std::getline(std::cin, line);) {
  }
  server->Drain(settings.bounds.drain_max);
  backend->Drain(std::chrono::milliseconds(0));
  return 0;
}

}  // namespace

int main(int argc, char** argv) { return argc == 2 ? Run(argv[1]) : 2; }
