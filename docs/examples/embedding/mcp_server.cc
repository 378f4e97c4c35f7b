// An MCP server that decides for itself who may call what: one thread, loopback, two tools.
//
//   mcp_server JWKS PORT    JWKS is a file with the issuer's keys; PORT 0 takes any, and prints which

#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/beast/core.hpp>
#include <boost/beast/http.hpp>
#include <nlohmann/json.hpp>

#include "tollgate/challenge.h"
#include "tollgate/engine.h"
#include "tollgate/mcp.h"
#include "tollgate/mcp_filter.h"

namespace {

namespace asio = boost::asio;
namespace http = boost::beast::http;
using nlohmann::json;
using tollgate::McpObject;
using HttpRequest = http::request<http::string_body>;
using HttpResponse = http::response<http::string_body>;

constexpr char kIssuer[] = "https://idp.example";
constexpr char kResource[] = "https://mcp.example/mcp";
constexpr char kMetadataPath[] = "/.well-known/oauth-protected-resource/mcp";

absl::StatusOr<std::unique_ptr<tollgate::Engine>> MakeEngine(const std::string& jwks_file) {
  tollgate::PolicyBuilder policy;
  policy.AddProtocol();
  policy.AddRule({.name = "search", .scopes = {"files:read"}});
  policy.AddRule({.name = "delete", .scopes = {"files:read", "files:write"}, .sensitivity = "write"});
  absl::StatusOr<tollgate::Policy> built = policy.Build();
  if (!built.ok()) return built.status();
  tollgate::Config config;
  config.issuers.push_back({.issuer = kIssuer, .jwks_file = jwks_file});
  config.resources.push_back({.uri = kResource});
  config.policy = *std::move(built);
  return tollgate::Engine::Create(config);
}

std::string_view View(boost::beast::string_view text) { return {text.data(), text.size()}; }

HttpResponse Answer(const HttpRequest& request, int status, std::string body = {}) {
  HttpResponse response(http::int_to_status(static_cast<unsigned>(status)), request.version());
  response.keep_alive(request.keep_alive());
  if (!body.empty()) response.set(http::field::content_type, "application/json");
  response.body() = std::move(body);
  response.prepare_payload();
  return response;
}

class Server {
 public:
  explicit Server(tollgate::Engine& engine) : engine_(engine) {}

  HttpResponse Handle(const HttpRequest& request) {
    if (request.method() == http::verb::get && View(request.target()) == kMetadataPath)
      return Answer(request, 200,
                    tollgate::ResourceMetadataJson({.resource = kResource,
                                                    .authorization_servers = {kIssuer},
                                                    .scopes_supported = {"files:read", "files:write"}}));
    if (View(request.target()) != "/mcp") return Answer(request, 404);
    if (request.method() != http::verb::post) return Answer(request, 405);

    const tollgate::Reason reason = reader_.Read(HeadersOf(request), request.body());
    if (reason != tollgate::Reason::kNone) {
      tollgate::Decision refused;
      refused.reason = reason;
      return Answer(request, refused.http_status(), reader_.ErrorBody(reason));
    }
    if (reader_.calls().size() != 1) return Answer(request, 400);
    const tollgate::McpCall call = reader_.calls().front();
    const std::string_view name = call.object == McpObject::kMethod ? call.method : call.name;
    const tollgate::Request asked = RequestFor(request, call.object, name);
    tollgate::Decision decision;
    engine_.Check(asked, &decision);
    return decision.allowed() ? Serve(request, call) : Refuse(request, asked, decision);
  }

 private:
  static tollgate::McpHeaders HeadersOf(const HttpRequest& request) {
    tollgate::McpHeaders headers;
    const auto value = [&](const char* name) -> std::optional<std::string_view> {
      const size_t num = request.count(name);
      headers.repeated |= num > 1;
      return num == 0 ? std::nullopt : std::optional(View(request[name]));
    };
    headers.protocol_version = value("MCP-Protocol-Version");
    headers.method = value("Mcp-Method");
    headers.name = value("Mcp-Name");
    headers.content_type = value("Content-Type");
    headers.content_encoding = value("Content-Encoding");
    return headers;
  }

  static tollgate::Request RequestFor(const HttpRequest& request, McpObject object, std::string_view name) {
    return {.authorization = View(request[http::field::authorization]),
            .tool = name,
            .num_credentials = static_cast<uint32_t>(request.count(http::field::authorization)),
            .object = object};
  }

  HttpResponse Refuse(const HttpRequest& request, const tollgate::Request& asked,
                      const tollgate::Decision& decision) {
    HttpResponse response = Answer(request, decision.http_status());
    if (decision.verdict == tollgate::Verdict::kUnavailable) {
      response.set(http::field::retry_after, std::to_string(decision.retry_after_s));
      return response;
    }
    const std::string challenge = Challenge(decision, tollgate::ResourceMetadataUrl(kResource),
                                            engine_.ScopesFor(asked), engine_.AcrValuesFor(asked));
    if (!challenge.empty()) response.set(http::field::www_authenticate, challenge);
    return response;
  }

  HttpResponse Serve(const HttpRequest& request, const tollgate::McpCall& call) {
    json answer = {{"jsonrpc", "2.0"}};
    if (const auto* number = std::get_if<int64_t>(&reader_.id())) {
      answer["id"] = *number;
    } else if (const auto* text = std::get_if<std::string>(&reader_.id())) {
      answer["id"] = *text;
    } else {
      return Answer(request, 202);  // A notification.
    }
    if (call.method == "initialize") {
      answer["result"] = {{"protocolVersion", "2025-11-25"},
                          {"capabilities", {{"tools", json::object()}}},
                          {"serverInfo", {{"name", "example"}, {"version", "1"}}}};
    } else if (call.method == "tools/list") {
      const json schema = {{"type", "object"}};
      answer["result"]["tools"] = json::array(
          {{{"name", "search"}, {"inputSchema", schema}}, {{"name", "delete"}, {"inputSchema", schema}}});
      return OnlyWhatTheyMayUse(request, answer.dump());
    } else if (call.object == McpObject::kTool) {
      const std::string text = "This would " + std::string(call.name) + ".";
      answer["result"]["content"] = json::array({{{"type", "text"}, {"text", text}}});
    } else {
      answer["result"] = json::object();
    }
    return Answer(request, 200, answer.dump());
  }

  HttpResponse OnlyWhatTheyMayUse(const HttpRequest& request, const std::string& list) {
    std::string filtered;
    const tollgate::Reason reason = filter_.Filter(
        list,
        [&](McpObject object, std::string_view name) {
          return engine_.MayUse(RequestFor(request, object, name));
        },
        &filtered);
    return reason == tollgate::Reason::kNone ? Answer(request, 200, std::move(filtered))
                                             : Answer(request, 500);
  }

  tollgate::Engine& engine_;
  tollgate::McpReader reader_{tollgate::McpReader::Options{.calls_max = 1}};  // No batches.
  tollgate::McpListFilter filter_;
};

// Session is one connection, which goes away when nobody waits for it any more.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(asio::ip::tcp::socket socket, Server& server) : stream_(std::move(socket)), server_(server) {}

  void Read() {
    request_ = {};
    stream_.expires_after(std::chrono::seconds(30));
    http::async_read(stream_, buffer_, request_,
                     [self = shared_from_this()](boost::beast::error_code error, size_t) {
                       if (!error) self->Write();
                     });
  }

 private:
  void Write() {
    response_ = server_.Handle(request_);
    http::async_write(stream_, response_,
                      [self = shared_from_this()](boost::beast::error_code error, size_t) {
                        if (!error && self->response_.keep_alive()) self->Read();
                      });
  }

  boost::beast::tcp_stream stream_;
  Server& server_;
  boost::beast::flat_buffer buffer_{size_t{1} << 20};
  HttpRequest request_;
  HttpResponse response_;
};

void Accept(asio::ip::tcp::acceptor& acceptor, Server& server) {
  acceptor.async_accept([&](boost::beast::error_code error, asio::ip::tcp::socket socket) {
    if (!error) std::make_shared<Session>(std::move(socket), server)->Read();
    Accept(acceptor, server);
  });
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    std::fprintf(stderr, "usage: mcp_server JWKS PORT\n");
    return 2;
  }
  auto engine = MakeEngine(argv[1]);
  if (!engine.ok()) {
    std::fprintf(stderr, "%s\n", std::string(engine.status().message()).c_str());
    return 1;
  }
  Server server(**engine);
  asio::io_context io(1);
  asio::ip::tcp::acceptor acceptor(
      io, {asio::ip::address_v4::loopback(), static_cast<uint16_t>(std::strtoul(argv[2], nullptr, 10))});
  std::printf("listening on 127.0.0.1:%d\n", acceptor.local_endpoint().port());
  std::fflush(stdout);
  Accept(acceptor, server);
  io.run();
}
