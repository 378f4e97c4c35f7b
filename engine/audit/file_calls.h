#pragma once

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::audit {

// FileCalls is what sinks ask of the operating system, so that tests can have it fail. Numbers below 0 are
// −errno.
class FileCalls {
 public:
  struct About {
    uint64_t device = 0, inode = 0;
    uint64_t size = 0;
    bool regular = false;
    bool IsSameFile(const About& other) const { return device == other.device && inode == other.inode; }
  };
  virtual ~FileCalls() = default;
  virtual int OpenToAppend(const std::string& path, uint32_t mode) = 0;  // Made if there is none.
  virtual int OpenToRead(const std::string& path) = 0;
  virtual int AboutPath(const std::string& path, About* about) = 0;  // 0 is good.
  virtual int AboutFile(int fd, About* about) = 0;
  virtual ssize_t Write(int fd, std::string_view bytes) = 0;  // How many were written.
  virtual ssize_t ReadAt(int fd, uint64_t offset, std::span<char> bytes) = 0;
  virtual int Sync(int fd) = 0;
  virtual void Close(int fd) = 0;
  // For syslog: a datagram socket that is connected to the one at `path`; and one datagram, without waiting.
  virtual int Connect(const std::string& path) = 0;
  virtual ssize_t Send(int fd, std::string_view datagram) = 0;
};

// SystemFileCalls returns the operating system's. Lives for ever.
FileCalls& SystemFileCalls();

}  // namespace tollgate::audit
