#include "bench/gateway/servers.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <fstream>
#include <initializer_list>
#include <iterator>
#include <sstream>
#include <thread>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_replace.h"

namespace tollgate::bench {
namespace {

// In what follows, PORT, DIRECTORY and the like are replaced.
constexpr char kTollgatedConfig[] = R"(version: 1
listen: 127.0.0.1:PORT
threads: 1
policy_file: policy.yaml
servers:
  - {name: mcp, uri: "RESOURCE", proxy: envoy, sees_body: true}
issuers:
  - {issuer: "ISSUER", jwks_file: jwks.json}
)";

constexpr char kModuleConfig[] = R"(version: 1
policy_file: policy.yaml
servers:
  - {name: mcp, uri: "RESOURCE", proxy: nginx_module, sees_body: true}
issuers:
  - {issuer: "ISSUER", jwks_file: jwks.json}
)";

// An MCP server as quick as can be, in the same nginx.
constexpr char kNginxProxies[] = R"(
  upstream mcp { server 127.0.0.1:BACKEND; keepalive 64; }
  server {
    listen 127.0.0.1:BACKEND;
    location / { return 200; }
  })";
constexpr char kProxyLocation[] =
    R"(proxy_pass http://mcp; proxy_http_version 1.1; proxy_set_header Connection "";)";

// The least that nginx can do behind the phase in which it decides on access: `return` comes before.
constexpr char kBareLocation[] = "try_files /none =204;";

constexpr char kNginxConfig[] = R"(worker_processes 1;
daemon off;
pid DIRECTORY/nginx.pid;
MODULE
events { worker_connections 512; }
http {
  access_log off;
  keepalive_requests 1000000000;
  client_header_buffer_size 8k;  # The default is less than a token: each request would be read in two pieces.
  client_body_temp_path DIRECTORY/body; proxy_temp_path DIRECTORY/proxy; fastcgi_temp_path DIRECTORY/fastcgi;
  uwsgi_temp_path DIRECTORY/uwsgi; scgi_temp_path DIRECTORY/scgi;
  HTTP
  server {
    listen 127.0.0.1:PORT;
    location / { LOCATION }
  }
}
)";

// http_auth_bearer, jwt_verify and their neighbours as HAProxy's Configuration Manual has them, section 7.3.
constexpr char kHaproxyConfig[] = R"(global
  nbthread 1
defaults
  mode http
  timeout client 60s
  timeout connect 5s
  timeout server 60s
frontend mcp
  bind 127.0.0.1:PORT
  http-request set-var(txn.token) http_auth_bearer
  http-request set-var(txn.alg) var(txn.token),jwt_header_query('$.alg')
  http-request deny deny_status 401 unless { var(txn.alg) -m str RS256 }
  http-request set-var(txn.iss) var(txn.token),jwt_payload_query('$.iss')
  http-request deny deny_status 401 unless { var(txn.iss) -m str ISSUER }
  http-request set-var(txn.aud) var(txn.token),jwt_payload_query('$.aud')
  http-request deny deny_status 401 unless { var(txn.aud) -m str RESOURCE }
  http-request set-var(txn.exp) var(txn.token),jwt_payload_query('$.exp','int')
  http-request set-var(txn.now) date()
  http-request deny deny_status 401 unless { var(txn.exp),sub(txn.now) -m int gt 0 }
  http-request deny deny_status 401 unless { var(txn.token),jwt_verify(txn.alg,"DIRECTORY/key.pem") -m int 1 }
  http-request return status 200
)";

using Replacements = std::vector<std::pair<std::string, std::string>>;

absl::Status Write(const std::string& path, const std::string& text) {
  std::ofstream out(path);
  out << text;
  out.close();
  return out.good() ? absl::OkStatus() : absl::UnavailableError(path + " cannot be written");
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address = {};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// FreePort returns one, or 0. It may be somebody else's by the time it is used; then the server does not
// start.
uint16_t FreePort() {
  sockaddr_in address = Loopback(0);
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  socklen_t size = sizeof(address);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = bind(fd, any, size) == 0 && getsockname(fd, any, &size) == 0;
  close(fd);
  return bound ? ntohs(address.sin_port) : 0;
}

bool Listens(uint16_t port) {
  const sockaddr_in address = Loopback(port);
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool listens = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  close(fd);
  return listens;
}

std::string EndOf(const std::string& path) {
  std::ifstream in(path);
  const std::string text{std::istreambuf_iterator<char>(in), {}};
  return text.size() <= 500 ? text : text.substr(text.size() - 500);
}

// PolicyText is the pool's policy (PoolConfig) in a file's words.
std::string PolicyText(const TokenPool& pool) {
  std::string text = "version: 1\nclasses:\n  read: {token_lifetime_max: 1d}\nservers:\n  - tools:\n";
  std::vector<std::string> scopes;
  std::istringstream words(pool.scope);
  for (std::string word; words >> word;) scopes.push_back(word);
  for (size_t i = 0; i < kNumTools; ++i)
    absl::StrAppend(&text, "      ", ToolName(i), ": ", scopes[i % scopes.size()], "\n");
  return text + "      administer: server:admin\n";
}

}  // namespace

absl::StatusOr<std::unique_ptr<Server>> Server::Start(const std::string& name,
                                                      const std::vector<std::string>& command,
                                                      const std::string& directory, uint16_t port) {
  const std::string log = absl::StrCat(directory, "/", name, ".log");
  std::vector<char*> argv;
  argv.reserve(command.size() + 1);
  for (const std::string& argument : command) argv.push_back(const_cast<char*>(argument.c_str()));
  argv.push_back(nullptr);
  const pid_t parent = getpid(), pid = fork();
  if (pid < 0) return absl::UnavailableError("cannot fork");
  if (pid == 0) {
    // Whatever becomes of us, it does not stay behind.
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent || chdir(directory.c_str()) != 0) _exit(127);
    const int fd = open(log.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    execvp(argv[0], argv.data());
    _exit(127);
  }
  std::unique_ptr<Server> server(new Server(pid, port));
  for (int i = 0; i < 500; ++i) {
    if (waitpid(pid, nullptr, WNOHANG) != 0) {
      server->pid_ = 0;
      break;
    }
    if (Listens(port)) return server;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  return absl::UnavailableError(absl::StrCat(command[0], " does not serve: ", EndOf(log)));
}

Server::~Server() {
  if (pid_ == 0) return;
  kill(pid_, SIGTERM);
  for (int i = 0; i < 500; ++i) {
    if (waitpid(pid_, nullptr, WNOHANG) != 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
}

absl::StatusOr<std::unique_ptr<Server>> StartServer(const ServerKind& kind, const Programs& programs,
                                                    const std::string& directory, const TokenPool& pool,
                                                    const std::string& key_pem) {
  const std::string name(kind.name), config = directory + "/" + name + ".config";
  const uint16_t port = FreePort();
  std::string text;
  std::vector<std::string> command;
  Replacements replacements = {{"PORT", std::to_string(port)},
                               {"DIRECTORY", directory},
                               {"ISSUER", pool.issuer},
                               {"RESOURCE", pool.resource}};
  if (name == kTollgated.name) {
    text = kTollgatedConfig;
    command = {programs.tollgated, "--config", config};
  } else if (name == kHaproxyJwt.name) {
    text = kHaproxyConfig;
    command = {programs.haproxy, "-db", "-f", config};
  } else {
    text = kNginxConfig;
    command = {programs.nginx, "-e", "stderr", "-c", config};
    std::string module, http, location = "return 200;";
    if (name == kNginxBare.name || name == kNginxBareModule.name) {
      location = kBareLocation;
    } else if (name != kNginx.name) {
      http = absl::StrReplaceAll(kNginxProxies, {{"BACKEND", std::to_string(FreePort())}});
      location = kProxyLocation;
    }
    if (name == kNginxModule.name || name == kNginxBareModule.name) {
      module = "load_module " + programs.nginx_module + ";";
      absl::StrAppend(&http, "\n  tollgate_config ", directory, "/module.yaml;");
      absl::StrAppend(&location, " tollgate mcp;");
    }
    replacements.insert(replacements.end(), {{"MODULE", module}, {"HTTP", http}, {"LOCATION", location}});
  }
  for (const auto& [path, content] : std::initializer_list<std::pair<std::string, std::string>>{
           {config, absl::StrReplaceAll(text, replacements)},
           {directory + "/module.yaml", absl::StrReplaceAll(kModuleConfig, replacements)},
           {directory + "/policy.yaml", PolicyText(pool)},
           {directory + "/jwks.json", pool.jwks},
           {directory + "/key.pem", key_pem}}) {
    if (absl::Status status = Write(path, content); !status.ok()) return status;
  }
  return Server::Start(name, command, directory, port);
}

}  // namespace tollgate::bench
