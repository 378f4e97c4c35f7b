#include "audit/file_calls.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>

namespace tollgate::audit {
namespace {

// Again makes a call until no signal comes between, and returns its result, or −errno.
template <typename Call>
auto Again(const Call& call) -> decltype(call()) {
  for (;;) {
    const auto result = call();
    if (result >= 0) return result;
    if (errno != EINTR) return -errno;
  }
}

class RealFileCalls final : public FileCalls {
 public:
  int OpenToAppend(const std::string& path, uint32_t mode) override {
    // Without waiting for the reader of a pipe: what is no regular file is refused behind it.
    return Again([&] {
      return open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
    });
  }
  int OpenToRead(const std::string& path) override {
    return Again([&] { return open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK); });
  }
  int AboutPath(const std::string& path, About* about) override {
    struct stat buffer;
    return Answer(stat(path.c_str(), &buffer), buffer, about);
  }
  int AboutFile(int fd, About* about) override {
    struct stat buffer;
    return Answer(fstat(fd, &buffer), buffer, about);
  }
  ssize_t Write(int fd, std::string_view bytes) override {
    return Again([&] { return write(fd, bytes.data(), bytes.size()); });
  }
  ssize_t ReadAt(int fd, uint64_t offset, std::span<char> bytes) override {
    return Again([&] { return pread(fd, bytes.data(), bytes.size(), static_cast<off_t>(offset)); });
  }
  int Sync(int fd) override {
    return Again([&] { return fdatasync(fd); });
  }
  void Close(int fd) override { close(fd); }
  int Connect(const std::string& path) override {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    if (path.size() >= sizeof address.sun_path) return -ENAMETOOLONG;
    std::memcpy(address.sun_path, path.data(), path.size());
    const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return -errno;
    const int connected =
        Again([&] { return connect(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address); });
    if (connected == 0) return fd;
    close(fd);
    return connected;
  }
  ssize_t Send(int fd, std::string_view datagram) override {
    return Again([&] { return send(fd, datagram.data(), datagram.size(), MSG_DONTWAIT | MSG_NOSIGNAL); });
  }

 private:
  static int Answer(int result, const struct stat& from, About* about) {
    if (result != 0) return -errno;
    *about = {.device = from.st_dev,
              .inode = from.st_ino,
              .size = static_cast<uint64_t>(from.st_size),
              .regular = S_ISREG(from.st_mode)};
    return 0;
  }
};

}  // namespace

FileCalls& SystemFileCalls() {
  static RealFileCalls calls;
  return calls;
}

}  // namespace tollgate::audit
