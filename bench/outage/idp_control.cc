#include "bench/outage/idp_control.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <charconv>
#include <chrono>
#include <cstdint>
#include <thread>
#include <utility>

extern char** environ;

namespace tollgate::bench {
namespace {

class BundledIdp final : public IdpControl {
 public:
  explicit BundledIdp(std::unique_ptr<idp::Server> server)
      : server_(std::move(server)), issuer_(server_->url()), jwks_uri_(issuer_ + "/jwks") {}

  const std::string& issuer() const override { return issuer_; }
  const std::string& jwks_uri() const override { return jwks_uri_; }
  void Kill() override { server_->Stop(); }
  absl::Status Restart() override {
    reachable_ = server_->Restart();
    return reachable_ ? absl::OkStatus() : absl::UnavailableError("the identity provider's port is taken");
  }
  bool Reachable() override { return reachable_; }
  idp::Server* server() override { return server_.get(); }

 private:
  const std::unique_ptr<idp::Server> server_;
  const std::string issuer_;
  const std::string jwks_uri_;
  bool reachable_ = true;
};

bool Connects(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (fd < 0) return false;
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const bool connected = connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
  close(fd);
  return connected;
}

// The port of http://127.0.0.1:PORT/…, 0 for any other address: nothing but loopback is ever talked to.
uint16_t LoopbackPort(std::string_view url) {
  for (const std::string_view prefix : {"http://127.0.0.1:", "http://localhost:"}) {
    if (!url.starts_with(prefix)) continue;
    url.remove_prefix(prefix.size());
    uint16_t port = 0;
    std::from_chars(url.data(), url.data() + url.size(), port);
    return port;
  }
  return 0;
}

class IdpProcess final : public IdpControl {
 public:
  IdpProcess(std::string command, std::string issuer, std::string jwks_uri, uint16_t port)
      : command_(std::move(command)),
        issuer_(std::move(issuer)),
        jwks_uri_(std::move(jwks_uri)),
        port_(port) {}
  ~IdpProcess() override { Kill(); }

  const std::string& issuer() const override { return issuer_; }
  const std::string& jwks_uri() const override { return jwks_uri_; }

  void Kill() override {
    if (pid_ <= 0) return;
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    pid_ = 0;
  }

  absl::Status Restart() override {
    posix_spawnattr_t attributes;
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
    posix_spawnattr_setpgroup(&attributes, 0);
    std::string shell = "/bin/sh", flag = "-c", line = "exec " + command_ + " >/dev/null";
    char* arguments[] = {shell.data(), flag.data(), line.data(), nullptr};
    const int error = posix_spawn(&pid_, shell.c_str(), nullptr, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    return error == 0 ? absl::OkStatus()
                      : absl::UnavailableError("cannot start the identity provider: " + command_);
  }

  bool Reachable() override { return Connects(port_); }

  bool Exited() {
    if (pid_ <= 0 || waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
    pid_ = 0;
    return true;
  }

 private:
  const std::string command_;
  const std::string issuer_;
  const std::string jwks_uri_;
  const uint16_t port_;
  pid_t pid_ = 0;
};

}  // namespace

absl::StatusOr<std::unique_ptr<IdpControl>> StartBundledIdp(std::vector<idp::SigningKey> keys) {
  idp::ServerOptions options;
  options.endpoints.keys = std::move(keys);
  // As seldom as the contract permits: a max-age is not scaled.
  options.endpoints.cache_control = "max-age=86400";
  std::string error;
  std::unique_ptr<idp::Server> server = idp::Server::Start(std::move(options), &error);
  if (server == nullptr) return absl::UnavailableError(error);
  return std::make_unique<BundledIdp>(std::move(server));
}

absl::StatusOr<std::unique_ptr<IdpControl>> StartIdpProcess(std::string command, std::string issuer,
                                                            std::string jwks_uri) {
  const uint16_t port = LoopbackPort(jwks_uri);
  if (port == 0) return absl::InvalidArgumentError("not an address on 127.0.0.1: " + jwks_uri);
  if (Connects(port)) return absl::FailedPreconditionError("something else answers at " + jwks_uri);
  auto process =
      std::make_unique<IdpProcess>(std::move(command), std::move(issuer), std::move(jwks_uri), port);
  if (absl::Status started = process->Restart(); !started.ok()) return started;
  for (int i = 0; i < 600; ++i) {
    if (process->Reachable()) return process;
    if (process->Exited()) return absl::UnavailableError("the identity provider ended at once");
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return absl::DeadlineExceededError("the identity provider did not listen within 30 s");
}

}  // namespace tollgate::bench
