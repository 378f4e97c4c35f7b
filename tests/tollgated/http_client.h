#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>

namespace tollgate::tollgated {

// HttpClient is one connection to an address as HttpServer::listening has it, and shows what is on the wire.
// Every wait ends after 20 s at the latest. Owner thread only.
class HttpClient {
 public:
  explicit HttpClient(const std::string& address) {
    const bool is_unix = address.starts_with("unix:"), is_v6 = address.starts_with("[");
    const auto port = static_cast<uint16_t>(std::atoi(address.c_str() + address.rfind(':') + 1));
    fd_ = socket(is_unix ? AF_UNIX : is_v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    SetTimeout(20'000);
    if (is_unix) {
      sockaddr_un to = {};
      to.sun_family = AF_UNIX;
      std::strncpy(to.sun_path, address.c_str() + 5, sizeof(to.sun_path) - 1);
      Connect(reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    } else if (is_v6) {
      sockaddr_in6 to = {};
      to.sin6_family = AF_INET6;
      to.sin6_port = htons(port);
      to.sin6_addr = in6addr_loopback;
      Connect(reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    } else {
      sockaddr_in to = {};
      to.sin_family = AF_INET;
      to.sin_port = htons(port);
      to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
      Connect(reinterpret_cast<const sockaddr*>(&to), sizeof(to));
    }
  }
  ~HttpClient() { close(fd_); }
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  bool connected() const { return connected_; }

  void SetTimeout(int64_t ms) {
    const timeval timeout = {ms / 1000, (ms % 1000) * 1000};
    setsockopt(fd_, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout));
    setsockopt(fd_, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof(timeout));
  }

  // Send returns false once the other side is gone.
  bool Send(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t sent = send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  void EndSending() { shutdown(fd_, SHUT_WR); }

  // ReadAnswer reads one answer, header and body; what there is of it if the connection ends.
  std::string ReadAnswer(bool has_body = true) {
    size_t end;
    while ((end = bytes_.find("\r\n\r\n")) == bytes_.npos) {
      if (!ReadMore()) return Take(bytes_.size());
    }
    const size_t at = bytes_.find("Content-Length: ");
    const bool counts = has_body && at < end;
    const size_t size = end + 4 + (counts ? std::strtoul(bytes_.c_str() + at + 16, nullptr, 10) : 0);
    while (bytes_.size() < size) {
      if (!ReadMore()) return Take(bytes_.size());
    }
    return Take(size);
  }

  // ReadToEnd reads until the other side closes; *timed_out says if it did not.
  std::string ReadToEnd(bool* timed_out = nullptr) {
    while (ReadMore()) {
    }
    if (timed_out != nullptr) *timed_out = !is_over_;
    return Take(bytes_.size());
  }

  bool is_over() const { return is_over_; }

 private:
  void Connect(const sockaddr* to, socklen_t size) { connected_ = connect(fd_, to, size) == 0; }

  bool ReadMore() {
    char chunk[16384];
    const ssize_t size = recv(fd_, chunk, sizeof(chunk), 0);
    is_over_ = size == 0 || (size < 0 && errno != EAGAIN && errno != EWOULDBLOCK);
    if (size <= 0) return false;
    bytes_.append(chunk, static_cast<size_t>(size));
    return true;
  }

  std::string Take(size_t size) {
    const std::string taken = bytes_.substr(0, size);
    bytes_.erase(0, size);
    return taken;
  }

  int fd_ = -1;
  bool connected_ = false;
  bool is_over_ = false;
  std::string bytes_;
};

}  // namespace tollgate::tollgated
