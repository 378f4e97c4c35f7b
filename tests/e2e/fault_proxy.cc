#include "tests/e2e/fault_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <iterator>
#include <utility>

namespace tollgate::e2e {
namespace {

constexpr std::string_view kHeaderEnd = "\r\n\r\n";
constexpr size_t kRequestBytesMax = 16 << 10;
// So that a body takes much longer than any client waits.
constexpr int kByteMs = 50;
// A server that has died has closed its connections; one that hangs is none that this is for.
constexpr int kServerTimeoutS = 10;

[[noreturn]] void Die(const char* what) {
  std::perror(what);
  std::exit(2);
}

sockaddr_in Loopback(uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

// A socket that is bound to the port, 0 for any, and does not listen.
int Bound(uint16_t port) {
  const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  const sockaddr_in address = Loopback(port);
  if (fd < 0 || bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) Die("bind");
  return fd;
}

void Close(int fd) {
  if (fd >= 0) close(fd);
}

// Send returns false if the client has gone.
bool Send(int client, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t sent = send(client, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent <= 0) return false;
    bytes.remove_prefix(static_cast<size_t>(sent));
  }
  return true;
}

}  // namespace

std::optional<FaultProxy::Mode> FaultProxy::ParseMode(std::string_view name) {
  static constexpr std::pair<std::string_view, Mode> kModes[] = {
      {"pass", Mode::kPass},          {"refuse", Mode::kRefuse},     {"blackhole", Mode::kBlackhole},
      {"slow-body", Mode::kSlowBody}, {"truncate", Mode::kTruncate}, {"garbage", Mode::kGarbage},
  };
  const auto found = std::find_if(std::begin(kModes), std::end(kModes),
                                  [name](const auto& mode) { return mode.first == name; });
  return found == std::end(kModes) ? std::nullopt : std::optional(found->second);
}

FaultProxy::FaultProxy(uint16_t server_port) : server_port_(server_port), listener_(Bound(0)) {
  sockaddr_in address{};
  socklen_t len = sizeof address;
  if (getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &len) != 0) Die("getsockname");
  port_ = ntohs(address.sin_port);
  int ends[2];
  if (listen(listener_, 16) != 0 || pipe2(ends, O_CLOEXEC | O_NONBLOCK) != 0) Die("listen");
  wake_read_ = ends[0];
  wake_write_ = ends[1];
  thread_ = std::thread([this] { Run(); });
}

FaultProxy::~FaultProxy() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = pending_ = true;
  }
  if (write(wake_write_, "", 1) != 1) Die("write");
  thread_.join();
  for (const int fd : {listener_, wake_read_, wake_write_}) Close(fd);
}

void FaultProxy::SetMode(Mode mode) {
  std::unique_lock lock(mutex_);
  wanted_ = mode;
  pending_ = true;
  if (write(wake_write_, "", 1) != 1) Die("write");
  in_force_.wait(lock, [this] { return !pending_; });
}

uint64_t FaultProxy::num_requests() const {
  const std::lock_guard lock(mutex_);
  return num_requests_;
}

void FaultProxy::Run() {
  while (true) {
    {
      const std::lock_guard lock(mutex_);
      if (stopping_) return;
      if (pending_) {
        char drained[16];
        while (read(wake_read_, drained, sizeof drained) > 0) {
        }
        Follow(wanted_);
        pending_ = false;
        num_requests_ = 0;
        in_force_.notify_all();
      }
    }
    if (!WaitFor(mode_ == Mode::kRefuse ? -1 : listener_, -1)) continue;
    const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (client < 0) continue;
    Serve(client);
    close(client);
  }
}

// Follow opens or closes the port as the mode wants.
void FaultProxy::Follow(Mode mode) {
  if ((mode == Mode::kRefuse) != (mode_ == Mode::kRefuse)) {
    close(listener_);
    listener_ = Bound(port_);
    if (mode != Mode::kRefuse && listen(listener_, 16) != 0) Die("listen");
  }
  mode_ = mode;
}

// WaitFor waits until `fd` (−1: none) can be read. False: after the time (−1: none), or when the mode is to
// change.
bool FaultProxy::WaitFor(int fd, int timeout_ms) {
  pollfd fds[] = {{.fd = wake_read_, .events = POLLIN, .revents = 0},
                  {.fd = fd, .events = POLLIN, .revents = 0}};
  return poll(fds, 2, timeout_ms) > 0 && fds[0].revents == 0 && fds[1].revents != 0;
}

std::optional<std::string> FaultProxy::ReadRequest(int client) {
  std::string request;
  while (!request.ends_with(kHeaderEnd)) {
    char bytes[4096];
    if (request.size() > kRequestBytesMax || !WaitFor(client, -1)) return std::nullopt;
    const ssize_t len = recv(client, bytes, sizeof bytes, 0);
    if (len <= 0) return std::nullopt;
    request.append(bytes, static_cast<size_t>(len));
  }
  return request;
}

// Ask returns the whole answer of the server; nullopt: it is not there.
std::optional<std::string> FaultProxy::Ask(const std::string& request) const {
  const int server = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const sockaddr_in address = Loopback(server_port_);
  const timeval timeout{.tv_sec = kServerTimeoutS, .tv_usec = 0};
  setsockopt(server, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
  std::string answer;
  bool whole = false;
  // So that the answer ends where the connection does.
  const std::string last =
      request.substr(0, request.size() - 2) + "Connection: close" + std::string(kHeaderEnd);
  if (connect(server, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      send(server, last.data(), last.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(last.size())) {
    char bytes[4096];
    ssize_t len;
    while ((len = recv(server, bytes, sizeof bytes, 0)) > 0) answer.append(bytes, static_cast<size_t>(len));
    whole = len == 0 && answer.find(kHeaderEnd) != std::string::npos;
  }
  Close(server);
  return whole ? std::optional(std::move(answer)) : std::nullopt;
}

void FaultProxy::Serve(int client) {
  const std::optional<std::string> request = ReadRequest(client);
  if (!request) return;
  {
    const std::lock_guard lock(mutex_);
    ++num_requests_;
  }
  if (mode_ == Mode::kBlackhole) {
    WaitFor(client, -1);  // Until the client gives up.
    return;
  }
  std::optional<std::string> answer = Ask(*request);
  if (!answer) return;
  const size_t body_at = answer->find(kHeaderEnd) + kHeaderEnd.size();
  const size_t body_len = answer->size() - body_at;
  switch (mode_) {
    case Mode::kGarbage:
      answer->replace(body_at, body_len, body_len, '\xff');
      break;
    case Mode::kTruncate:
      answer->resize(body_at + body_len / 2);
      break;
    case Mode::kSlowBody:
      if (!Send(client, std::string_view(*answer).substr(0, body_at))) return;
      for (size_t at = body_at; at < answer->size(); ++at) {
        if (!Send(client, std::string_view(*answer).substr(at, 1))) return;
        // Either the mode is to change, or the client has gone.
        pollfd fds[] = {{.fd = wake_read_, .events = POLLIN, .revents = 0},
                        {.fd = client, .events = POLLIN, .revents = 0}};
        if (poll(fds, 2, kByteMs) != 0) return;
      }
      return;
    case Mode::kPass:
    case Mode::kRefuse:
    case Mode::kBlackhole:
      break;
  }
  Send(client, *answer);
}

}  // namespace tollgate::e2e
