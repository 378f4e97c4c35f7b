#include "policy_file/watched_file.h"

#include <utility>

namespace tollgate::policy_file {

WatchedFile::WatchedFile(std::string path, FileSystem& files, size_t bytes_max)
    : path_(std::move(path)), files_(&files), bytes_max_(bytes_max) {}

WatchedFile::Seen WatchedFile::Look() {
  const bool at_once = std::exchange(at_once_, false);
  absl::StatusOr<FileContent> content = files_->ReadFollowing(path_, bytes_max_);
  std::string error;
  if (!content.ok()) {
    error = std::string(content.status().message());
  } else if (!content->regular) {
    error = "is no regular file";
  } else if (content->size > bytes_max_) {
    error = "has more than " + std::to_string(bytes_max_) + " bytes";
  } else if (content->bytes.size() != content->size && at_once) {
    error = "has changed while it was read";
  }
  if (!error.empty()) {
    next_.reset();
    if (error == error_ && !at_once) return Seen::kUnchanged;
    error_ = std::move(error);
    return Seen::kUnreadable;
  }
  error_.clear();
  const bool whole = content->bytes.size() == content->size;
  if (!at_once && whole && has_bytes_ && content->bytes == bytes_) {
    next_.reset();
    return Seen::kUnchanged;
  }
  if (!at_once && (!whole || next_ != content->bytes)) {
    next_ = std::move(content->bytes);
    return Seen::kChanging;
  }
  bytes_ = std::move(content->bytes);
  has_bytes_ = true;
  next_.reset();
  return Seen::kChanged;
}

void WatchedFile::Forget() { at_once_ = true; }

}  // namespace tollgate::policy_file
