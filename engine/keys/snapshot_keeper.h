#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "keys/key_snapshot.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/file_system.h"
#include "tollgate/metrics.h"

namespace tollgate::keys {

// SnapshotAgeMs returns how long ago an answer of this wall time was, at least: the clocks' seconds are
// rounded up. Nullopt if it lies further in the future than two clocks may differ.
std::optional<int64_t> SnapshotAgeMs(int64_t last_good_wall_s, int64_t wall_s);

// SnapshotWallS returns the wall time to write down for an answer that is `age_ms` old, never a later one.
int64_t SnapshotWallS(int64_t age_ms, int64_t wall_s);

// One answer's age, written down and read again, differs by less: each step rounds to seconds.
inline constexpr int64_t kSnapshotRoundingMs = 3000;

// SnapshotSchedule is all that decides when the snapshot is written without a removal to write. Pure.
struct SnapshotSchedule {
  static constexpr int64_t kNever = INT64_MIN;
  int64_t last_write_ms = kNever;  // Tried, whatever became of it.
  bool failed = false;             // That one.
  bool changed = false;            // A set has changed since the last write that was good.
  bool aged = false;               // A good answer has come since, and its set was the same.
};

// NextWriteMs: changes are gathered for a second; what only makes the sets younger, and another try after a
// failure, waits for a twelfth of the staleness bound, which is thus what a restart may lack of its time to
// serve. INT64_MAX: there is nothing to write.
int64_t NextWriteMs(const SnapshotSchedule& schedule, const Timing& timing);

// SnapshotKeeper reads and writes the snapshot's file, and has its key. Health is thread-safe; all else is
// for one thread at a time.
class SnapshotKeeper {
 public:
  // `config.path` is not empty. All must outlive the keeper.
  SnapshotKeeper(SnapshotConfig config, FileSystem& files, const Clock& clock);

  const Clock& clock() const { return clock_; }

  // Load reads the file into `*bytes`, of which `*entries` are views. False if nothing may be taken from it;
  // Health says why. `*absent`: because there is none.
  bool Load(std::string* bytes, std::vector<SnapshotEntry>* entries, bool* absent);

  // With SnapshotConfig::shared. TryLead takes the lock, if nobody has it, for as long as the keeper lives or
  // until StepDown. HoldsLock says whether it is still worth something; without `shared` it always is.
  bool shared() const { return config_.shared; }
  bool TryLead();
  void StepDown();
  bool HoldsLock() const { return !config_.shared || (lock_ != nullptr && lock_->StillHolds()); }
  // Look is Load, unless the file is what was accepted or written last.
  enum class Seen : uint8_t { kSame, kAccepted, kAbsent, kRefused };
  Seen Look(std::string* bytes, std::vector<SnapshotEntry>* entries);
  // Forget has the next Look take the file for a new one.
  void Forget() { accepted_.clear(); }
  // How long reading the file again takes at least, so that long files do not keep a processor busy.
  int64_t look_pause_ms() const { return static_cast<int64_t>(num_bytes_ / kLookBytesPerMs); }

  enum class Written : uint8_t {
    kFailed,     // The file is the old one or the new one.
    kWritten,    // It is the new one, on the disk.
    kForgotten,  // There is none, on the disk.
    kLost        // The file is somebody else's to write: HoldsLock is false.
  };
  // Write replaces the file: a crash at any moment leaves the old one or the new one. If that fails and
  // `forget` is set, the old one is removed, which needs neither room nor key. The lock is looked at last
  // before the file gets its name.
  Written Write(std::span<const SnapshotEntry> entries, bool forget);

  // What became of the entries that Load has returned.
  enum class Fate : uint8_t { kRestored, kTooOld, kFutureDated, kSourceChanged, kUnusable };
  void Count(Fate fate);

  SnapshotHealth Health(int64_t now_ms) const;

 private:
  static constexpr size_t kLookBytesPerMs = 16'384;

  void Accept(std::string_view bytes);
  bool Read(std::string* bytes, std::vector<SnapshotEntry>* entries, bool* absent, bool* same);
  absl::Status NeedKey();
  absl::Status MakeKeyFile();
  absl::Status WriteFile(std::span<const SnapshotEntry> entries);
  absl::Status RemoveFile();

  const SnapshotConfig config_;
  FileSystem& files_;
  const Clock& clock_;
  const std::string suffix_;  // Of files that are being made: another engine's have another one.
  std::vector<uint8_t> key_;  // Empty: not read yet.
  std::unique_ptr<FileLock> lock_;
  std::string accepted_;  // The MAC of what was accepted or written last; empty: nothing.
  size_t num_bytes_ = 0;  // Of what was read or written last, whatever it was.
  int64_t written_ms_ = INT64_MIN;
  mutable std::mutex mutex_;
  SnapshotHealth health_;  // Guarded by mutex_, as written_ms_ is.
};

}  // namespace tollgate::keys
