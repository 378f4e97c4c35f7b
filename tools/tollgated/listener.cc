#include "tools/tollgated/listener.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"

namespace tollgate::tollgated {
namespace {

constexpr std::string_view kUnix = "unix:";
constexpr int kBacklog = 1024;

std::optional<int> ReadPort(std::string_view text) {
  int port = -1;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc() || end != text.data() + text.size() || port < 0 || port > 65535)
    return std::nullopt;
  return port;
}

absl::Status Failed(const char* what) {
  return absl::UnavailableError(absl::StrCat("cannot ", what, ": ", std::strerror(errno)));
}

// IsStale says whether there is a socket of this name that nobody listens at.
bool IsStale(const sockaddr_un& address) {
  struct stat status = {};
  if (lstat(address.sun_path, &status) != 0 || !S_ISSOCK(status.st_mode)) return false;
  const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd < 0) return false;
  const bool refused =
      connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0 && errno == ECONNREFUSED;
  close(fd);
  return refused;
}

}  // namespace

Listener::Listener(Listener&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)),
      family_(other.family_),
      address_(std::move(other.address_)),
      path_(std::exchange(other.path_, {})),
      device_(other.device_),
      inode_(other.inode_) {}

Listener::~Listener() {
  if (fd_ >= 0) close(fd_);
  if (path_.empty()) return;
  // Whoever has come after us may have put their own there.
  struct stat status = {};
  if (lstat(path_.c_str(), &status) == 0 && status.st_dev == device_ && status.st_ino == inode_)
    unlink(path_.c_str());
}

int Listener::Release() { return std::exchange(fd_, -1); }

absl::StatusOr<Listener> Listener::Open(const std::string& address) {
  Listener listener;
  listener.address_ = address;
  absl::Status status;
  const size_t colon = address.rfind(':');
  const std::optional<int> port =
      colon == address.npos ? std::nullopt : ReadPort(std::string_view(address).substr(colon + 1));
  if (address.starts_with(kUnix)) {
    status = listener.OpenUnix(address.substr(kUnix.size()));
  } else if (port) {
    status = listener.OpenTcp(address.substr(0, colon), *port);
  } else {
    status = absl::InvalidArgumentError("is neither HOST:PORT nor unix:PATH");
  }
  if (!status.ok()) {
    return absl::Status(status.code(), absl::StrCat("listen ", address, ": ", status.message()));
  }
  return listener;
}

absl::Status Listener::OpenUnix(const std::string& path) {
  sockaddr_un address = {};
  family_ = AF_UNIX;
  address.sun_family = AF_UNIX;
  if (!path.starts_with('/') || path.size() >= sizeof(address.sun_path) || path.find('\0') != path.npos)
    return absl::InvalidArgumentError("needs an absolute path of at most 107 bytes");
  std::memcpy(address.sun_path, path.data(), path.size());
  if (IsStale(address)) unlink(path.c_str());
  fd_ = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return Failed("make a socket");
  if (bind(fd_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) return Failed("bind");
  struct stat status = {};
  if (lstat(path.c_str(), &status) == 0) {
    path_ = path;
    device_ = status.st_dev;
    inode_ = status.st_ino;
  }
  if (chmod(path.c_str(), 0660) != 0) return Failed("change its mode");
  return listen(fd_, kBacklog) == 0 ? absl::OkStatus() : Failed("listen");
}

absl::Status Listener::OpenTcp(const std::string& host, int port) {
  sockaddr_storage address = {};
  auto* const any = reinterpret_cast<sockaddr*>(&address);
  auto* const v4 = reinterpret_cast<sockaddr_in*>(&address);
  auto* const v6 = reinterpret_cast<sockaddr_in6*>(&address);
  socklen_t size = 0;
  const bool bracketed = host.size() > 2 && host.front() == '[' && host.back() == ']';
  if (bracketed && inet_pton(AF_INET6, host.substr(1, host.size() - 2).c_str(), &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(static_cast<uint16_t>(port));
    size = sizeof(*v6);
  } else if (!bracketed && inet_pton(AF_INET, host.c_str(), &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(static_cast<uint16_t>(port));
    size = sizeof(*v4);
  } else {
    return absl::InvalidArgumentError("needs an IP address, an IPv6 one in brackets");
  }
  family_ = any->sa_family;
  fd_ = socket(family_, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return Failed("make a socket");
  const int on = 1;
  setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on));
  setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // Connections inherit it.
  if (family_ == AF_INET6) setsockopt(fd_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on));
  if (bind(fd_, any, size) != 0) return Failed("bind");
  if (listen(fd_, kBacklog) != 0) return Failed("listen");
  if (getsockname(fd_, any, &size) != 0) return Failed("read its port");
  // The port is at the same place in both.
  address_ = absl::StrCat(host, ":", ntohs(v4->sin_port));
  return absl::OkStatus();
}

}  // namespace tollgate::tollgated
