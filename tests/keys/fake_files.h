#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "tollgate/file_system.h"

namespace tollgate::testing {

// FakeFiles is one directory on a disk that the test is in charge of. Names are as a process sees them, and,
// in another table, as they are after the power has failed: what happened since the last SyncDirectory is
// undone. A symbolic link's bytes are the name that it leads to. What is done is counted in steps, the
// writing of a file in three; from step `stop_before` on nothing happens any more, as if the process had been
// killed. Thread-safe.
class FakeFiles : public FileSystem {
 public:
  struct File {
    bool regular = true;
    bool ours = true;
    bool link = false;  // A symbolic one.
    uint32_t mode = 0600;
    std::string bytes{};
  };

  absl::StatusOr<FileContent> Read(const std::string& path, size_t bytes_max) override {
    const std::lock_guard lock(mutex_);
    ++num_reads_;
    if (const absl::Status status = Fault("read", path); !status.ok()) return status;
    const auto found = names_.find(path);
    if (found != names_.end() && found->second->link)
      return absl::FailedPreconditionError("is a symbolic link");
    return Content(path, bytes_max);
  }

  absl::StatusOr<FileContent> ReadFollowing(const std::string& path, size_t bytes_max) override {
    const std::lock_guard lock(mutex_);
    ++num_reads_;
    if (const absl::Status status = Fault("read", path); !status.ok()) return status;
    std::string name = path;
    for (int links = 0; links < 40; ++links) {
      const auto found = names_.find(name);
      if (found == names_.end() || !found->second->link) return Content(name, bytes_max);
      name = found->second->bytes;
    }
    return absl::FailedPreconditionError("too many symbolic links");
  }

  absl::Status Create(const std::string& path, std::string_view bytes) override {
    const std::lock_guard lock(mutex_);
    if (!Step()) return Dead();
    if (const absl::Status status = Fault("create", path); !status.ok()) return status;
    if (names_.contains(path)) return absl::AlreadyExistsError("exists");
    const auto file = names_[path] = std::make_shared<File>();
    if (!Step()) return Dead();
    file->bytes = bytes.substr(0, bytes.size() / 2);
    if (const absl::Status status = Fault("write", path); !status.ok()) return status;
    if (!Step()) return Dead();
    file->bytes = bytes;
    return absl::OkStatus();
  }

  absl::Status Replace(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (!Step()) return Dead();
    if (const absl::Status status = Fault("replace", to); !status.ok()) return status;
    const auto found = names_.find(from);
    if (found == names_.end()) return absl::NotFoundError("no such file");
    names_[to] = found->second;
    names_.erase(from);
    return absl::OkStatus();
  }

  absl::Status Link(const std::string& from, const std::string& to) override {
    const std::lock_guard lock(mutex_);
    if (!Step()) return Dead();
    if (const absl::Status status = Fault("link", to); !status.ok()) return status;
    if (names_.contains(to)) return absl::AlreadyExistsError("exists");
    names_[to] = names_.at(from);
    return absl::OkStatus();
  }

  absl::Status Remove(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (!Step()) return Dead();
    if (const absl::Status status = Fault("remove", path); !status.ok()) return status;
    return names_.erase(path) == 0 ? absl::NotFoundError("no such file") : absl::OkStatus();
  }

  absl::Status SyncDirectory(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (!Step()) return Dead();
    if (const absl::Status status = Fault("sync", path); !status.ok()) return status;
    on_disk_ = names_;
    return absl::OkStatus();
  }

  absl::StatusOr<std::unique_ptr<FileLock>> TryLock(const std::string& path) override {
    const std::lock_guard lock(mutex_);
    if (const absl::Status status = Fault("lock", path); !status.ok()) return status;
    if (!locked_.insert(path).second) return absl::AlreadyExistsError("somebody has it");
    return std::make_unique<Lock>(*this, path);
  }

  // StopBefore: `on_stop` is called when the step would have been done, and what it sees is what others saw.
  void StopBefore(uint64_t step, std::function<void()> on_stop) {
    const std::lock_guard lock(mutex_);
    stop_before_ = num_steps_ + step;
    on_stop_ = std::move(on_stop);
  }
  // DoBefore: `act`, which may be another user of the same files, goes before the step.
  void DoBefore(uint64_t step, std::function<void()> act) {
    const std::lock_guard lock(mutex_);
    act_before_ = num_steps_ + step;
    act_ = std::move(act);
  }
  // Restart brings the disk back, with or without what was not yet synchronized.
  void Restart(bool power_failed) {
    const std::lock_guard lock(mutex_);
    stop_before_ = UINT64_MAX;
    if (power_failed) names_ = on_disk_;
    on_disk_ = names_;
  }
  // SetFault decides, by what is to be done ("read", "create", "write", "replace", "link", "remove", "sync",
  // "lock") and the path, what fails.
  void SetFault(std::function<absl::Status(std::string_view what, const std::string& path)> fault) {
    const std::lock_guard lock(mutex_);
    fault_ = std::move(fault);
  }

  // LoseLocks is as if somebody had removed the locks' files: others can have them now.
  void LoseLocks() {
    const std::lock_guard lock(mutex_);
    locked_.clear();
    ++lock_generation_;
  }

  void Put(const std::string& path, File file) {
    const std::lock_guard lock(mutex_);
    names_[path] = std::make_shared<File>(std::move(file));
    on_disk_ = names_;
  }
  // The file of this name, or one without bytes and with a mode of 0.
  File Get(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    const auto found = names_.find(path);
    return found == names_.end() ? File{.mode = 0} : *found->second;
  }
  bool Has(const std::string& path) const {
    const std::lock_guard lock(mutex_);
    return names_.contains(path);
  }
  size_t num_names() const {
    const std::lock_guard lock(mutex_);
    return names_.size();
  }
  uint64_t num_steps() const {
    const std::lock_guard lock(mutex_);
    return num_steps_;
  }
  uint64_t num_reads() const {
    const std::lock_guard lock(mutex_);
    return num_reads_;
  }
  bool stopped() const {
    const std::lock_guard lock(mutex_);
    return num_steps_ >= stop_before_;
  }

 private:
  using Names = std::map<std::string, std::shared_ptr<File>>;

  class Lock final : public FileLock {
   public:
    Lock(FakeFiles& files, std::string path) : files_(files), path_(std::move(path)) {}
    ~Lock() override {
      const std::lock_guard lock(files_.mutex_);
      if (generation_ == files_.lock_generation_) files_.locked_.erase(path_);
    }
    bool StillHolds() const override {
      const std::lock_guard lock(files_.mutex_);
      return generation_ == files_.lock_generation_;
    }

   private:
    FakeFiles& files_;
    const std::string path_;
    const uint64_t generation_ = files_.lock_generation_;
  };

  bool Step() {
    ++num_steps_;
    if (num_steps_ >= act_before_) {
      if (auto act = std::exchange(act_, nullptr)) act();
    }
    if (num_steps_ < stop_before_) return true;
    if (auto on_stop = std::exchange(on_stop_, nullptr)) on_stop();
    return false;
  }
  absl::StatusOr<FileContent> Content(const std::string& path, size_t bytes_max) const {
    const auto found = names_.find(path);
    if (found == names_.end()) return absl::NotFoundError("no such file");
    const File& file = *found->second;
    FileContent content{.regular = file.regular, .ours = file.ours, .mode = file.mode};
    content.size = file.bytes.size();
    if (file.regular && content.size <= bytes_max) content.bytes = file.bytes;
    return content;
  }
  static absl::Status Dead() { return absl::UnavailableError("the process is gone"); }
  absl::Status Fault(std::string_view what, const std::string& path) const {
    return fault_ ? fault_(what, path) : absl::OkStatus();
  }

  mutable std::recursive_mutex mutex_;
  Names names_, on_disk_;
  std::set<std::string> locked_;
  uint64_t lock_generation_ = 0;
  std::function<absl::Status(std::string_view, const std::string&)> fault_;
  std::function<void()> on_stop_;
  uint64_t num_steps_ = 0;
  uint64_t stop_before_ = UINT64_MAX;
  std::function<void()> act_;
  uint64_t act_before_ = UINT64_MAX;
  uint64_t num_reads_ = 0;
};

}  // namespace tollgate::testing
