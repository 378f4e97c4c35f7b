#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

namespace idp {

// RawClient is one TCP connection to 127.0.0.1 that shows what is on the wire. Every wait ends after 10 s at
// the latest. Owner thread only.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : fd_(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    SetTimeout(10'000);
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    error_ = connect(fd_, reinterpret_cast<sockaddr*>(&address), sizeof(address)) == 0 ? 0 : errno;
  }
  ~RawClient() { close(fd_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  int connect_error() const { return error_; }

  void Send(std::string_view bytes) { (void)!send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL); }

  void SetTimeout(int64_t ms) {
    const timeval timeout = {ms / 1000, (ms % 1000) * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
  }

  enum class End { kClosed, kReset, kTimeout };

  // ReadToEnd appends to *bytes until the peer closes.
  End ReadToEnd(std::string* bytes) {
    for (;;) {
      char chunk[4096];
      const ssize_t n = recv(fd_, chunk, sizeof(chunk), 0);
      if (n > 0) {
        bytes->append(chunk, static_cast<size_t>(n));
      } else {
        return n == 0 ? End::kClosed : errno == ECONNRESET ? End::kReset : End::kTimeout;
      }
    }
  }

  // ReadResponse reads one response with a Content-Length, or without a body.
  std::string ReadResponse() {
    std::string bytes;
    while (bytes.find("\r\n\r\n") == std::string::npos && ReadByte(&bytes)) {
    }
    const size_t at = bytes.find("Content-Length: ");
    size_t body_len = at == std::string::npos ? 0 : std::strtoul(bytes.c_str() + at + 16, nullptr, 10);
    while (body_len > 0 && ReadByte(&bytes)) --body_len;
    return bytes;
  }

 private:
  bool ReadByte(std::string* bytes) {
    char c;
    if (recv(fd_, &c, 1, 0) != 1) return false;
    *bytes += c;
    return true;
  }

  int fd_;
  int error_;
};

}  // namespace idp
