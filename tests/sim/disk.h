#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <utility>

#include "tests/keys/fake_files.h"
#include "tests/sim/fetch_watch.h"
#include "tests/sim/random.h"

namespace tollgate::sim {

constexpr char kSnapshotPath[] = "/var/lib/tollgate/keys";

// Kept is what a snapshot has to have of one issuer, and when it was written down.
struct Kept {
  FetchWatch::Known known;
  int64_t age_ms = 0;  // Of the keys.
  int64_t wall_ms = 0;
};

// Disk is a FakeFiles that knows what each file has to say: whoever writes the snapshot writes what the
// contract demands at that moment, which `content` returns. Owner thread only.
class Disk : public FileSystem {
 public:
  using Content = std::map<int, Kept>;  // By issuer.

  explicit Disk(std::function<Content()> content) : content_(std::move(content)) {}

  absl::StatusOr<FileContent> Read(const std::string& path, size_t bytes_max) override {
    return files_.Read(path, bytes_max);
  }
  absl::Status Create(const std::string& path, std::string_view bytes) override {
    absl::Status status = files_.Create(path, bytes);
    if (status.ok()) unfinished_ = content_();
    return status;
  }
  absl::Status Replace(const std::string& from, const std::string& to) override {
    absl::Status status = files_.Replace(from, to);
    if (status.ok()) seen_ = std::move(unfinished_);
    return status;
  }
  absl::Status Link(const std::string& from, const std::string& to) override { return files_.Link(from, to); }
  absl::Status Remove(const std::string& path) override {
    absl::Status status = files_.Remove(path);
    if (status.ok() && path == kSnapshotPath) seen_.clear();
    return status;
  }
  absl::Status SyncDirectory(const std::string& path) override {
    absl::Status status = files_.SyncDirectory(path);
    if (status.ok()) durable_ = seen_;
    return status;
  }

  // What the file says: as a process sees it, and after the power has failed.
  const Content& seen() const { return seen_; }
  const Content& durable() const { return durable_; }

  // KillBefore: the process is gone `step` steps from now.
  void KillBefore(uint64_t step) { files_.StopBefore(step, nullptr); }
  bool killed() const { return files_.stopped(); }
  // Restart brings the disk back, without what was not synchronized if the power has failed.
  void Restart(bool power_failed) {
    files_.Restart(power_failed);
    if (power_failed) seen_ = durable_;
    durable_ = seen_;
  }
  // SetFault: what is there can be removed from a full disk, and nothing changed on a read-only one.
  void SetFault(bool full, bool read_only, bool unreadable) {
    files_.SetFault([=](std::string_view what, const std::string& /*path*/) -> absl::Status {
      const bool fails = what == "read" ? unreadable : what == "write" ? full || read_only : read_only;
      return fails ? absl::UnavailableError("the disk fails") : absl::OkStatus();
    });
  }
  // Spoil does something to the file after which nobody may believe it: cut off, altered, or in others'
  // hands.
  void Spoil(Random& random) {
    testing::FakeFiles::File file = files_.Get(kSnapshotPath);
    if (file.bytes.empty()) return;
    const auto at = static_cast<size_t>(random.Below(static_cast<int>(file.bytes.size())));
    switch (random.Below(4)) {
      case 0:
        file.bytes.resize(at);
        break;
      case 1:
        file.bytes[at] = static_cast<char>(file.bytes[at] ^ 1);
        break;
      case 2:
        file.mode = 0666;
        break;
      default:
        file.ours = false;
    }
    files_.Put(kSnapshotPath, std::move(file));
    seen_.clear();
    durable_.clear();
  }

 private:
  testing::FakeFiles files_;
  const std::function<Content()> content_;
  Content unfinished_, seen_, durable_;
};

}  // namespace tollgate::sim
