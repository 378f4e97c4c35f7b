#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "tollgate/file_system.h"

namespace tollgate::policy_file {

// WatchedFile finds out whether a file says something new. Its content counts, not its times: those of a
// symbolic link's target (a Kubernetes volume) tell nothing. Owner thread only.
class WatchedFile {
 public:
  enum class Seen : uint8_t {
    kUnchanged,   // The content is bytes(), or what is wrong is still error().
    kChanging,    // It is another one, and may be half of what somebody is writing there.
    kChanged,     // It is another one, the same as at the Look before, and bytes() from now on.
    kUnreadable,  // error() is new. bytes() stay.
  };

  // `files` must outlive the object.
  WatchedFile(std::string path, FileSystem& files, size_t bytes_max);

  // Look reads the file, which waits for the disk. The first one, and the first one after Forget, believe
  // what they read, and say so in any case: never kUnchanged, never kChanging.
  Seen Look();
  void Forget();

  const std::string& path() const { return path_; }
  const std::string& bytes() const { return bytes_; }
  // Why the last Look could not read the file, in one line; empty if it could.
  const std::string& error() const { return error_; }

 private:
  std::string path_;
  FileSystem* files_;
  size_t bytes_max_;
  bool at_once_ = true;
  bool has_bytes_ = false;
  std::string bytes_;
  std::optional<std::string> next_;  // What kChanging has seen.
  std::string error_;
};

}  // namespace tollgate::policy_file
