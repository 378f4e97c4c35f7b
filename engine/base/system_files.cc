#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdio>
#include <memory>
#include <string>
#include <system_error>
#include <utility>

#include "tollgate/file_system.h"

namespace tollgate {
namespace {

absl::Status Failed(std::string_view what, int error) {
  std::string message(what);
  message += ": ";
  // A loop is what O_NOFOLLOW calls a symbolic link.
  message +=
      error == ELOOP ? "is a symbolic link, or one of too many" : std::generic_category().message(error);
  switch (error) {
    case ENOENT:
      return absl::NotFoundError(message);
    case EEXIST:
      return absl::AlreadyExistsError(message);
    case ELOOP:
      return absl::FailedPreconditionError(message);
    case EACCES:
    case EPERM:
      return absl::PermissionDeniedError(message);
    default:
      return absl::UnavailableError(message);
  }
}

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  ~Descriptor() {
    if (fd_ >= 0) close(fd_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return fd_; }
  // Close returns what close returns: some file systems report a failed write there.
  int Close() { return close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

// The kernel ends the lock with the last of its descriptors, by whatever end of the process. A forked child
// has one too: so the process that took the lock ends it itself, and no other one does.
class RealLock final : public FileLock {
 public:
  RealLock(int fd, std::string path) : file_(fd), path_(std::move(path)) {}
  ~RealLock() override {
    if (getpid() == locker_) flock(file_.get(), LOCK_UN);
  }

  bool StillHolds() const override {
    struct stat locked, named;
    return getpid() == locker_ && fstat(file_.get(), &locked) == 0 && lstat(path_.c_str(), &named) == 0 &&
           locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
  }

 private:
  const Descriptor file_;
  const std::string path_;
  const pid_t locker_ = getpid();
};

class RealFiles final : public FileSystem {
 public:
  absl::StatusOr<FileContent> Read(const std::string& path, size_t bytes_max) override {
    return ReadAs(path, bytes_max, O_NOFOLLOW);
  }

  absl::StatusOr<FileContent> ReadFollowing(const std::string& path, size_t bytes_max) override {
    return ReadAs(path, bytes_max, 0);
  }

  absl::Status Create(const std::string& path, std::string_view bytes) override {
    Descriptor file(open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
    if (file.get() < 0) return Failed("create", errno);
    while (!bytes.empty()) {
      const ssize_t n = write(file.get(), bytes.data(), bytes.size());
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Failed("write", errno);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    if (fsync(file.get()) != 0) return Failed("sync", errno);
    if (file.Close() != 0) return Failed("close", errno);
    return absl::OkStatus();
  }

  absl::Status Replace(const std::string& from, const std::string& to) override {
    return rename(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : Failed("rename", errno);
  }

  absl::Status Link(const std::string& from, const std::string& to) override {
    return link(from.c_str(), to.c_str()) == 0 ? absl::OkStatus() : Failed("link", errno);
  }

  absl::Status Remove(const std::string& path) override {
    return unlink(path.c_str()) == 0 ? absl::OkStatus() : Failed("remove", errno);
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const Descriptor directory(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (directory.get() < 0) return Failed("open the directory", errno);
    return fsync(directory.get()) == 0 ? absl::OkStatus() : Failed("sync the directory", errno);
  }

  absl::StatusOr<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    for (int tries = 0; tries < kLockTriesMax; ++tries) {
      const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
      if (fd < 0) return Failed("open", errno);
      auto lock = std::make_unique<RealLock>(fd, path);
      if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return errno == EWOULDBLOCK ? absl::AlreadyExistsError("somebody else has it")
                                    : Failed("lock", errno);
      // The file that was opened may have been removed before it was locked.
      if (lock->StillHolds()) return lock;
    }
    return absl::UnavailableError("its file is removed again and again");
  }

 private:
  static constexpr int kLockTriesMax = 100;

  static absl::StatusOr<FileContent> ReadAs(const std::string& path, size_t bytes_max, int flags) {
    const Descriptor file(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | flags));
    if (file.get() < 0) return Failed("open", errno);
    struct stat about;
    if (fstat(file.get(), &about) != 0) return Failed("stat", errno);
    FileContent content;
    content.regular = S_ISREG(about.st_mode);
    content.ours = about.st_uid == geteuid() || about.st_uid == 0;
    content.mode = about.st_mode & 0777;
    content.size = about.st_size < 0 ? 0 : static_cast<uint64_t>(about.st_size);
    if (!content.regular || content.size > bytes_max) return content;
    content.bytes.resize(static_cast<size_t>(content.size));
    size_t num_read = 0;
    while (num_read < content.bytes.size()) {
      const ssize_t n = read(file.get(), content.bytes.data() + num_read, content.bytes.size() - num_read);
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return Failed("read", errno);
      if (n == 0) break;  // It has become shorter.
      num_read += static_cast<size_t>(n);
    }
    content.bytes.resize(num_read);
    return content;
  }
};

}  // namespace

FileSystem& SystemFiles() {
  static RealFiles& files = *new RealFiles;  // Never destroyed; see SystemClock.
  return files;
}

}  // namespace tollgate
