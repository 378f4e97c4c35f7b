#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "tollgate/export.h"

namespace tollgate {

// FileContent is a file as it was when it was read, and who could have written it.
struct FileContent {
  bool regular = false;  // Not a directory, device, pipe or socket; of these nothing is read.
  bool ours = false;     // The owner is this process's effective user, or root.
  uint32_t mode = 0;     // The nine permission bits.
  uint64_t size = 0;
  std::string bytes{};  // Empty if `size` passes what was asked for.
};

// FileLock is a lock that is held for as long as the object lives, by the process that took it: a child that
// was forked since has none, and what it does with the object takes nothing from its parent.
class TOLLGATE_API FileLock {
 public:
  virtual ~FileLock() = default;

  // StillHolds says whether nobody else can have the lock of the same path: not if its file has been removed
  // or replaced. Does not block.
  virtual bool StillHolds() const = 0;
};

// FileSystem is the little that the engine does with files, for Config::snapshot and key files: in
// Engine::Create, AddIssuer and ChangeIssuer, and on the background thread, one call at a time for each
// engine. Errors are one line, without path and content. Implementations are thread-safe.
class TOLLGATE_API FileSystem {
 public:
  virtual ~FileSystem() = default;

  // Read reads a whole file of at most `bytes_max` bytes. It follows no symbolic link at the end of the path
  // (FailedPrecondition) and waits for no writer of a pipe. NotFound if there is none.
  virtual absl::StatusOr<FileContent> Read(const std::string& path, size_t bytes_max) = 0;

  // ReadFollowing is Read, but follows symbolic links: for key files. By default it is Read.
  virtual absl::StatusOr<FileContent> ReadFollowing(const std::string& path, size_t bytes_max) {
    return Read(path, bytes_max);
  }

  // Create makes a new file, mode 0600, with these bytes, and returns when they are on the disk.
  // AlreadyExists if there is anything of this name, be it a symbolic link. A failure may leave a part
  // behind.
  virtual absl::Status Create(const std::string& path, std::string_view bytes) = 0;

  // Replace gives `from` the name `to`, of which there is at each moment the old file or the new one.
  virtual absl::Status Replace(const std::string& from, const std::string& to) = 0;

  // Link gives `from` a second name, AlreadyExists if there is anything of it.
  virtual absl::Status Link(const std::string& from, const std::string& to) = 0;

  // Remove takes a name away, of a symbolic link its own. NotFound if there is none.
  virtual absl::Status Remove(const std::string& path) = 0;

  // SyncDirectory returns when what became of the names in a directory is on the disk.
  virtual absl::Status SyncDirectory(const std::string& path) = 0;

  // TryLock takes the lock that goes with a file, which is made if there is none, and stays. One has it at a
  // time, of all processes: AlreadyExists. It ends with the object, and with the process; but one that ends
  // without its destructor, and has forked a child that lives, leaves it to that. By default there are no
  // locks: Unimplemented.
  virtual absl::StatusOr<std::unique_ptr<FileLock>> TryLock(const std::string& /*path*/) {
    return absl::UnimplementedError("has no locks");
  }
};

// SystemFiles returns the operating system's files. Lives for ever. Thread-safe.
TOLLGATE_API FileSystem& SystemFiles();

}  // namespace tollgate
