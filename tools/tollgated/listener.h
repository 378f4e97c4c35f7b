#pragma once

#include <sys/types.h>

#include <string>

#include "absl/status/statusor.h"

namespace tollgate::tollgated {

// Listener is a socket that listens at an address of Settings::listen. The destructor closes it unless
// Release has given it away, and takes a UNIX socket's name away if it is still this socket's. Owner thread
// only.
class Listener {
 public:
  // Open fails with InvalidArgument for what is no address, and with Unavailable where it cannot listen. A
  // UNIX socket's name that nobody listens at any more is replaced; it is made for the user and the group.
  static absl::StatusOr<Listener> Open(const std::string& address);

  Listener(Listener&& other) noexcept;
  Listener& operator=(Listener&&) = delete;
  ~Listener();

  const std::string& address() const { return address_; }  // With the port that it has.
  int family() const { return family_; }
  int Release();

 private:
  Listener() = default;
  absl::Status OpenUnix(const std::string& path);
  absl::Status OpenTcp(const std::string& host, int port);

  int fd_ = -1;
  int family_ = 0;
  std::string address_;
  std::string path_;  // Of a UNIX socket.
  dev_t device_ = 0;  // Of that name.
  ino_t inode_ = 0;
};

}  // namespace tollgate::tollgated
