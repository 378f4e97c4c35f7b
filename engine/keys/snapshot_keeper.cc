#include "keys/snapshot_keeper.h"

#include <algorithm>
#include <array>
#include <utility>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "crypto/digest.h"

namespace tollgate::keys {
namespace {

// Two readings of one machine's clock, a restart apart, differ by no more once it is set.
constexpr int64_t kFutureMaxS = 10;
constexpr int64_t kGatherMs = 1000;
constexpr int64_t kWritesPerBound = 12;
constexpr size_t kKeyFileBytes = 32;

constexpr uint32_t kOthersMayWrite = 0022;
constexpr uint32_t kOthersMayUse = 0077;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

std::string RandomSuffix() {
  std::array<uint8_t, 8> bytes;
  crypto::RandomBytes(bytes);
  std::string suffix = ".new-";
  for (const uint8_t byte : bytes) {
    suffix += "0123456789abcdef"[byte >> 4];
    suffix += "0123456789abcdef"[byte & 15];
  }
  return suffix;
}

std::string DirectoryOf(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == path.npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

using saturating::Plus;

SnapshotRead ReadOf(SnapshotFault fault) {
  switch (fault) {
    case SnapshotFault::kNone:
      return SnapshotRead::kAccepted;
    case SnapshotFault::kTooLarge:
      return SnapshotRead::kTooLarge;
    case SnapshotFault::kTruncated:
      return SnapshotRead::kTruncated;
    case SnapshotFault::kUnknownVersion:
      return SnapshotRead::kUnknownVersion;
    case SnapshotFault::kTampered:
    case SnapshotFault::kMalformed:
      break;
  }
  return SnapshotRead::kTampered;
}

}  // namespace

std::optional<int64_t> SnapshotAgeMs(int64_t last_good_wall_s, int64_t wall_s) {
  int64_t age_s;
  if (__builtin_sub_overflow(wall_s, last_good_wall_s, &age_s))
    age_s = wall_s < last_good_wall_s ? INT64_MIN : INT64_MAX;
  if (age_s < -kFutureMaxS) return std::nullopt;
  int64_t age_ms;
  if (__builtin_mul_overflow(Plus(std::max<int64_t>(age_s, 0), 1), 1000, &age_ms)) return INT64_MAX;
  return age_ms;
}

int64_t SnapshotWallS(int64_t age_ms, int64_t wall_s) {
  const int64_t age_s = age_ms / 1000 + (age_ms % 1000 == 0 ? 0 : 1);
  int64_t then_s;
  if (__builtin_sub_overflow(wall_s, age_s, &then_s)) return 0;
  return std::clamp<int64_t>(then_s, 0, limits::kNumericDateMax);
}

int64_t NextWriteMs(const SnapshotSchedule& schedule, const Timing& timing) {
  if (!schedule.changed && !schedule.aged) return INT64_MAX;
  if (schedule.last_write_ms == SnapshotSchedule::kNever) return SnapshotSchedule::kNever;
  const int64_t seldom_ms = std::max<int64_t>(timing.staleness_bound_ms / kWritesPerBound, 1);
  const bool soon = schedule.changed && !schedule.failed;
  return Plus(schedule.last_write_ms, soon ? std::min(kGatherMs, seldom_ms) : seldom_ms);
}

SnapshotKeeper::SnapshotKeeper(SnapshotConfig config, FileSystem& files, const Clock& clock)
    : config_(std::move(config)), files_(files), clock_(clock), suffix_(RandomSuffix()) {
  health_.read = SnapshotRead::kAbsent;
  health_.leads = !config_.shared;
}

bool SnapshotKeeper::TryLead() {
  absl::StatusOr<std::unique_ptr<FileLock>> lock = files_.TryLock(config_.path + ".lock");
  const std::lock_guard guard(mutex_);
  if (lock.ok()) {
    lock_ = *std::move(lock);
    health_.leads = true;
    health_.write_error.clear();
  } else {
    health_.write_error =
        absl::IsAlreadyExists(lock.status()) ? "" : absl::StrCat("the lock: ", lock.status().message());
  }
  return lock_ != nullptr;
}

void SnapshotKeeper::StepDown() {
  {
    const std::lock_guard guard(mutex_);
    health_.leads = false;
  }
  Forget();
  lock_.reset();
}

bool SnapshotKeeper::Load(std::string* bytes, std::vector<SnapshotEntry>* entries, bool* absent) {
  Forget();
  bool same = false;
  return Read(bytes, entries, absent, &same);
}

SnapshotKeeper::Seen SnapshotKeeper::Look(std::string* bytes, std::vector<SnapshotEntry>* entries) {
  bool absent = false, same = false;
  if (Read(bytes, entries, &absent, &same)) return Seen::kAccepted;
  if (same) return Seen::kSame;
  Forget();
  return absent ? Seen::kAbsent : Seen::kRefused;
}

// Accept remembers what the file is now.
void SnapshotKeeper::Accept(std::string_view bytes) {
  constexpr size_t kMacBytes = 65;  // In hex, with its line break.
  accepted_ = bytes.substr(bytes.size() - kMacBytes);
  num_bytes_ = bytes.size();
}

// Read sets `*same`, and returns false, if the file ends in the MAC that was accepted last.
bool SnapshotKeeper::Read(std::string* bytes, std::vector<SnapshotEntry>* entries, bool* absent, bool* same) {
  entries->clear();
  *absent = false;
  const auto ended = [&](SnapshotRead read, std::string_view why) {
    const std::lock_guard lock(mutex_);
    health_.read = read;
    health_.read_error = why;
    return read == SnapshotRead::kAccepted;
  };
  const absl::Status key = NeedKey();
  absl::StatusOr<FileContent> file = files_.Read(config_.path, limits::kSnapshotBytesMax);
  if (absl::IsNotFound(file.status())) {
    *absent = true;
    return ended(SnapshotRead::kAbsent, "");
  }
  if (!key.ok()) return ended(SnapshotRead::kNoKey, std::string(key.message()));
  if (!file.ok())
    return ended(SnapshotRead::kUnreadable, absl::StrCat("the snapshot: ", file.status().message()));
  if (!file->regular) return ended(SnapshotRead::kUnreadable, "the snapshot: is no regular file");
  if (!file->ours || (file->mode & kOthersMayWrite) != 0)
    return ended(SnapshotRead::kUnreadable, "the snapshot: others may write it");
  if (file->size > limits::kSnapshotBytesMax) {
    return ended(SnapshotRead::kTooLarge,
                 absl::StrCat("the snapshot: ", ToAbsl(SnapshotFaultText(SnapshotFault::kTooLarge))));
  }
  *bytes = std::move(file->bytes);
  num_bytes_ = bytes->size();
  *same = !accepted_.empty() && bytes->ends_with(accepted_);
  if (*same) return false;
  const SnapshotFault fault = Decode(*bytes, key_, entries);
  if (fault == SnapshotFault::kNone) {
    Accept(*bytes);
    if (config_.shared) {
      const std::lock_guard lock(mutex_);
      health_.issuers_restored = health_.issuers_too_old = health_.issuers_future_dated = 0;
      health_.issuers_source_changed = health_.issuers_unusable = 0;
    }
    return ended(SnapshotRead::kAccepted, "");
  }
  return ended(ReadOf(fault), absl::StrCat("the snapshot: ", ToAbsl(SnapshotFaultText(fault))));
}

SnapshotKeeper::Written SnapshotKeeper::Write(std::span<const SnapshotEntry> entries, bool forget) {
  const absl::Status written = WriteFile(entries);
  if (!written.ok() && !HoldsLock()) return Written::kLost;
  const bool forgotten = !written.ok() && forget && RemoveFile().ok();
  const int64_t now_ms = clock_.Read().mono_ms;
  const std::lock_guard lock(mutex_);
  if (written.ok()) {
    ++health_.writes;
    health_.issuers_written = static_cast<uint32_t>(entries.size());
    health_.write_error.clear();
    written_ms_ = now_ms;
  } else {
    ++health_.write_failures;
    health_.write_error = std::string(written.message());
  }
  if (forgotten) {
    health_.issuers_written = 0;
    written_ms_ = INT64_MIN;
  }
  if (written.ok()) return Written::kWritten;
  return forgotten ? Written::kForgotten : Written::kFailed;
}

void SnapshotKeeper::Count(Fate fate) {
  const std::lock_guard lock(mutex_);
  switch (fate) {
    case Fate::kRestored:
      ++health_.issuers_restored;
      return;
    case Fate::kTooOld:
      ++health_.issuers_too_old;
      return;
    case Fate::kFutureDated:
      ++health_.issuers_future_dated;
      return;
    case Fate::kSourceChanged:
      ++health_.issuers_source_changed;
      return;
    case Fate::kUnusable:
      ++health_.issuers_unusable;
      return;
  }
}

SnapshotHealth SnapshotKeeper::Health(int64_t now_ms) const {
  const std::lock_guard lock(mutex_);
  SnapshotHealth health = health_;
  if (written_ms_ != INT64_MIN) health.written_ago_ms = std::max<int64_t>(now_ms - written_ms_, 0);
  return health;
}

// NeedKey is tried again with each write: a volume may come later than the process.
absl::Status SnapshotKeeper::NeedKey() {
  if (!key_.empty()) return absl::OkStatus();
  if (!config_.key.empty()) {
    key_.assign(config_.key.begin(), config_.key.end());
    return absl::OkStatus();
  }
  absl::StatusOr<FileContent> file = files_.Read(config_.key_file, kKeyFileBytes);
  if (absl::IsNotFound(file.status())) {
    // Whoever else makes it at this moment may be first; then it is theirs that counts.
    const absl::Status made = MakeKeyFile();
    if (!made.ok() && !absl::IsAlreadyExists(made))
      return absl::Status(made.code(), absl::StrCat("the key file: ", made.message()));
    file = files_.Read(config_.key_file, kKeyFileBytes);
  }
  if (!file.ok())
    return absl::Status(file.status().code(), absl::StrCat("the key file: ", file.status().message()));
  if (!file->regular) return absl::FailedPreconditionError("the key file: is no regular file");
  if (!file->ours || (file->mode & kOthersMayUse) != 0)
    return absl::FailedPreconditionError("the key file: others may read or write it");
  if (file->size != kKeyFileBytes || file->bytes.size() != kKeyFileBytes)
    return absl::FailedPreconditionError(absl::StrCat("the key file: must have ", kKeyFileBytes, " bytes"));
  key_.assign(file->bytes.begin(), file->bytes.end());
  return absl::OkStatus();
}

// Under another name first, so that a crash leaves no short key.
absl::Status SnapshotKeeper::MakeKeyFile() {
  std::array<uint8_t, kKeyFileBytes> key;
  crypto::RandomBytes(key);
  const std::string unfinished = config_.key_file + suffix_;
  absl::Status status =
      files_.Create(unfinished, std::string_view(reinterpret_cast<const char*>(key.data()), key.size()));
  if (status.ok()) status = files_.Link(unfinished, config_.key_file);
  const absl::Status removed = files_.Remove(unfinished);
  if (status.ok()) status = removed;
  if (status.ok()) status = files_.SyncDirectory(DirectoryOf(config_.key_file));
  return status;
}

absl::Status SnapshotKeeper::WriteFile(std::span<const SnapshotEntry> entries) {
  if (absl::Status key = NeedKey(); !key.ok()) return key;
  const std::optional<std::string> bytes = Encode(entries, key_);
  if (!bytes) return absl::ResourceExhaustedError("the snapshot: is too large");
  const std::string unfinished = config_.path + suffix_;
  absl::Status status = files_.Create(unfinished, *bytes);
  if (status.ok() && !HoldsLock()) status = absl::AbortedError("another engine may write it");
  if (status.ok()) status = files_.Replace(unfinished, config_.path);
  if (!status.ok()) {
    (void)files_.Remove(unfinished);  // What stays is in the way of the next try, which removes it.
  } else {
    Accept(*bytes);
    status = files_.SyncDirectory(DirectoryOf(config_.path));
  }
  if (status.ok()) return status;
  return absl::Status(status.code(), absl::StrCat("the snapshot: ", status.message()));
}

absl::Status SnapshotKeeper::RemoveFile() {
  absl::Status removed = files_.Remove(config_.path);
  if (!removed.ok() && !absl::IsNotFound(removed)) return removed;
  Forget();
  return files_.SyncDirectory(DirectoryOf(config_.path));
}

}  // namespace tollgate::keys
