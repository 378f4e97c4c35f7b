#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace tollgate::transport {

// RawServer answers each connection on 127.0.0.1 with exactly the bytes that it was told, whether they are
// HTTP or not, and keeps what it was asked.
class RawServer {
 public:
  // With `hang` it keeps the connection open after the bytes until the peer closes it.
  explicit RawServer(std::string answer, bool hang = false) : answer_(std::move(answer)), hang_(hang) {
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(address);
    EXPECT_EQ(bind(listener_, reinterpret_cast<const sockaddr*>(&address), size), 0);
    EXPECT_EQ(listen(listener_, 16), 0);
    EXPECT_EQ(getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size), 0);
    port_ = ntohs(address.sin_port);
    EXPECT_EQ(pipe(stop_), 0);
    thread_ = std::thread([this] { Serve(); });
  }
  ~RawServer() {
    close(stop_[1]);
    thread_.join();
    close(stop_[0]);
    close(listener_);
  }
  RawServer(const RawServer&) = delete;
  RawServer& operator=(const RawServer&) = delete;

  uint16_t port() const { return port_; }
  std::string url(std::string_view scheme = "http") const {
    return std::string(scheme) + "://127.0.0.1:" + std::to_string(port_) + "/jwks";
  }
  std::vector<std::string> requests() const {
    const std::lock_guard lock(mutex_);
    return requests_;
  }

 private:
  // Readable waits for `fd` or for the end of this server; false: the end.
  bool Readable(int fd) const {
    pollfd fds[2] = {{fd, POLLIN, 0}, {stop_[0], POLLIN, 0}};
    while (poll(fds, 2, -1) < 0) {
    }
    return fds[1].revents == 0;
  }

  void Serve() {
    while (Readable(listener_)) {
      const int connection = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
      if (connection < 0) continue;
      Answer(connection);
      close(connection);
    }
  }

  // Its header, and as much behind it as that says.
  static bool IsComplete(std::string_view request) {
    const size_t end = request.find("\r\n\r\n");
    if (end == request.npos) return false;
    constexpr std::string_view kLength = "Content-Length: ";
    const size_t length = request.substr(0, end).find(kLength);
    if (length == request.npos) return true;
    return request.size() - end - 4 >= std::stoul(std::string(request.substr(length + kLength.size(), 8)));
  }

  void Answer(int connection) {
    std::string request;
    char buffer[4096];
    while (!IsComplete(request)) {
      if (!Readable(connection)) return;
      const ssize_t n = recv(connection, buffer, sizeof(buffer), 0);
      if (n <= 0) break;
      request.append(buffer, static_cast<size_t>(n));
      if (request[0] < 'A' || request[0] > 'Z') break;  // TLS.
    }
    {
      const std::lock_guard lock(mutex_);
      requests_.push_back(request);
    }
    std::string_view rest = answer_;
    while (!rest.empty()) {
      const ssize_t n = send(connection, rest.data(), rest.size(), MSG_NOSIGNAL);
      if (n <= 0) return;
      rest.remove_prefix(static_cast<size_t>(n));
    }
    // What the peer still sends must be read, or closing would reset the connection under our answer.
    if (!hang_) shutdown(connection, SHUT_WR);
    while (Readable(connection) && recv(connection, buffer, sizeof(buffer), 0) > 0) {
    }
  }

  const std::string answer_;
  const bool hang_;
  int listener_ = -1;
  int stop_[2] = {-1, -1};
  uint16_t port_ = 0;
  mutable std::mutex mutex_;
  std::vector<std::string> requests_;
  std::thread thread_;
};

}  // namespace tollgate::transport
