#include "keys/snapshot_book.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "base/saturating.h"
#include "jose/jwk.h"
#include "keys/issuer_family.h"
#include "keys/key_adoption.h"

namespace tollgate::keys {

SnapshotBook::SnapshotBook(const Timing& timing, sync::ThreadBlocks& blocks, KeyGenerations& generations,
                           IssuerTable& issuers)
    : timing_(timing), blocks_(blocks), generations_(generations), issuers_(issuers) {}

void SnapshotBook::Use(SnapshotKeeper& keeper) {
  keeper_ = &keeper;
  std::string bytes;
  std::vector<SnapshotEntry> entries;
  bool absent = false;
  const bool loaded = keeper.Load(&bytes, &entries, &absent);
  // A file that cannot be read now may be read another time: nobody knows what is in it.
  issuers_.ForEach([&](Issuer& issuer) {
    if (!issuer.InSnapshot()) return;
    issuer.recorded = std::make_unique<Recorded>();
    issuer.recorded->file_is_subset = loaded || absent;
  });
  const Now now = keeper.clock().Read();
  for (const SnapshotEntry& entry : entries) keeper.Count(Restore(entry, now));
}

void SnapshotBook::Lead(SnapshotKeeper& keeper, std::span<const SnapshotFollower::Held> held, bool is_known) {
  keeper_ = &keeper;
  issuers_.ForEach([&](Issuer& issuer) {
    if (!issuer.InSnapshot()) return;
    issuer.recorded = std::make_unique<Recorded>();
    issuer.recorded->file_is_subset = is_known;
  });
  for (const SnapshotFollower::Held& each : held) {
    Recorded& recorded = *each.issuer->recorded;
    recorded.text_has_more = each.has_more;
    recorded.file_is_subset = each.taken && !each.has_more;
    if (!each.taken) continue;
    int64_t last_good_ms = 0;
    {
      const std::lock_guard lock(each.issuer->mutex);
      last_good_ms = each.issuer->schedule.last_good_ms;
    }
    Record(*each.issuer, each.jwks, last_good_ms);
  }
}

void SnapshotBook::WriteRest(int64_t now_ms) {
  if (schedule_.changed || schedule_.aged) Write(now_ms);
}

void SnapshotBook::Leave() {
  keeper_ = nullptr;
  schedule_ = {};
  lost_ = false;
  outdated_.clear();
  recorded_bytes_ = 0;
  issuers_.ForEach([](Issuer& issuer) { issuer.recorded.reset(); });
}

bool SnapshotBook::Watch() {
  if (lost_ || !keeper_->HoldsLock()) return false;
  std::string bytes;
  std::vector<SnapshotEntry> entries;
  const SnapshotKeeper::Seen seen = keeper_->Look(&bytes, &entries);
  if (seen == SnapshotKeeper::Seen::kAbsent) schedule_.changed |= recorded_bytes_ != 0;
  if (seen != SnapshotKeeper::Seen::kAccepted) return true;
  // Whoever was about to write when the lock came to us has written after us.
  const Now now = keeper_->clock().Read();
  for (const SnapshotEntry& entry : entries) {
    const Issuer* const issuer = issuers_.Own(entry.issuer);
    if (issuer == nullptr || issuer->recorded == nullptr) continue;
    const bool is_newer = entry.last_good_wall_s > WallS(*issuer->recorded, now) + kSnapshotRoundingMs / 1000;
    if (is_newer && !issuer->recorded->jwks.empty()) return false;
    schedule_.changed |= recorded_bytes_ != 0;
    issuer->recorded->file_is_subset = false;
  }
  return true;
}

// Restore publishes one issuer's part of a snapshot.
SnapshotKeeper::Fate SnapshotBook::Restore(const SnapshotEntry& entry, const Now& now) {
  using Fate = SnapshotKeeper::Fate;
  Issuer* const found = issuers_.Own(entry.issuer);
  if (found == nullptr || found->recorded == nullptr) return Fate::kSourceChanged;
  Issuer& issuer = *found;
  if (issuer.from_snapshot) return Fate::kUnusable;  // Named twice.
  issuer.recorded->file_is_subset = false;           // Until it is what is published.
  const std::optional<int64_t> age_ms = SnapshotAgeMs(entry.last_good_wall_s, now.wall_s);
  if (!age_ms) return Fate::kFutureDated;
  if (*age_ms > timing_.staleness_bound_ms) return Fate::kTooOld;
  if (!issuer.source->Resume(entry.discovered, entry.jwks_uri)) return Fate::kSourceChanged;
  auto parsed = jose::ParseJwkSet(entry.jwks);
  if (!parsed.ok()) return Fate::kUnusable;
  if (issuer.is_template) SkipForeign(issuer.KeyIssuer(), &*parsed);
  uint32_t skipped = 0;
  const size_t unusable = parsed->skipped.size();
  auto keys = AdoptKeys(issuer.position, nullptr, *std::move(parsed), generations_, &skipped);
  if (!keys) return Fate::kUnusable;
  issuer.source->set_etag(IsEtag(entry.etag) && skipped == unusable ? std::string(entry.etag) : "");
  issuer.recorded->text_has_more = skipped != unusable;
  issuer.max_age_s = entry.max_age_s;
  const auto num_keys = static_cast<uint32_t>(keys->size());
  issuer.set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks_);
  const int64_t last_good_ms = now.mono_ms - *age_ms;
  Record(issuer, entry.jwks, last_good_ms);
  issuer.recorded->file_is_subset = !issuer.recorded->text_has_more;
  ShareOut(issuer, generations_, blocks_);
  {
    const std::lock_guard lock(issuer.mutex);
    issuer.num_keys = num_keys;
    issuer.num_keys_skipped = skipped;
    issuer.from_snapshot = true;
    issuer.key_place = issuer.source->place_of_set();
    issuer.schedule = OnRestored(last_good_ms);
    issuer.Mirror(timing_);
  }
  issuer.MirrorToTenants();
  return Fate::kRestored;
}

bool SnapshotBook::OnSet(Issuer& issuer, const Answer& answer, int64_t now_ms) {
  if (issuer.recorded == nullptr) return true;
  Recorded& recorded = *issuer.recorded;
  // A text that is not to be kept may still say that the one that is kept has the set.
  const bool keeps = answer.jwks.empty() && !answer.changed && !recorded.text_has_more;
  const std::string kept = keeps ? recorded.jwks : std::string(answer.jwks);
  recorded.text_has_more = answer.has_more;
  Record(issuer, kept, now_ms);
  (answer.changed || keeper_->shared() ? schedule_.changed : schedule_.aged) = true;
  // A removal is on the disk before anybody sees it, unless the disk fails: then it is still seen at once.
  if (!answer.removes && issuer.recorded->file_is_subset) return true;
  issuer.recorded->file_is_subset = false;
  issuer.recorded->removal_unwritten = true;
  Write(now_ms);
  return !lost_;
}

void SnapshotBook::OnSame(Issuer& issuer, int64_t now_ms) {
  if (issuer.recorded == nullptr) return;
  issuer.recorded->last_good_ms = now_ms;
  // Others read of it.
  (keeper_->shared() ? schedule_.changed : schedule_.aged) = true;
}

void SnapshotBook::Run(int64_t now_ms) {
  if (NextMs() <= now_ms) Write(now_ms);
}

int64_t SnapshotBook::NextMs() const {
  if (lost_) return SnapshotSchedule::kNever;
  return keeper_ == nullptr ? INT64_MAX : NextWriteMs(schedule_, timing_);
}

// BytesOf is with the longest number in the place of what changes later.
size_t SnapshotBook::BytesOf(const Issuer& issuer, std::string_view jwks) const {
  return EncodedBytes({.issuer = issuer.name,
                       .discovered = issuer.source->discovers(),
                       .jwks_uri = issuer.recorded->jwks_uri,
                       .etag = issuer.recorded->etag,
                       .jwks = jwks,
                       .max_age_s = INT64_MAX,
                       .last_good_wall_s = limits::kNumericDateMax});
}

void SnapshotBook::Drop(Issuer& issuer) {
  std::string& jwks = issuer.recorded->jwks;
  if (!jwks.empty()) recorded_bytes_ -= BytesOf(issuer, jwks);
  jwks = std::string();
}

// Record keeps what the next snapshot is to have of the issuer; an empty text: nothing. What does not fit is
// left out: a restart then has nothing of it, rather than something older.
void SnapshotBook::Record(Issuer& issuer, std::string_view jwks, int64_t last_good_ms) {
  Drop(issuer);
  Recorded& recorded = *issuer.recorded;
  recorded.jwks_uri = issuer.source->set_place();
  recorded.etag = issuer.source->etag();
  const size_t bytes = BytesOf(issuer, jwks);
  if (!jwks.empty() && bytes <= limits::kSnapshotBytesMax - kSnapshotFrameBytesMax - recorded_bytes_) {
    recorded.jwks = jwks;
    recorded_bytes_ += bytes;
  }
  recorded.last_good_ms = last_good_ms;
}

void SnapshotBook::OnAdd(Issuer& issuer) {
  if (keeper_ == nullptr || !issuer.InSnapshot()) return;
  issuer.recorded = std::make_unique<Recorded>();
  issuer.recorded->file_is_subset = !outdated_.contains(issuer.name);
}

void SnapshotBook::OnChange(Issuer& old, Issuer& issuer, bool same_keys) {
  if (same_keys) {
    issuer.recorded = std::move(old.recorded);
  } else {
    OnRemove(old);
    OnAdd(issuer);
  }
}

void SnapshotBook::OnRemove(Issuer& issuer) {
  if (issuer.recorded == nullptr) return;
  outdated_.insert(issuer.name);
  schedule_.changed = true;
  Drop(issuer);
  issuer.recorded.reset();
}

// WallS is when the issuer's last good answer was, as it is to be written now.
int64_t SnapshotBook::WallS(const Recorded& recorded, const Now& now) {
  return SnapshotWallS(saturating::Between(recorded.last_good_ms, now.mono_ms), now.wall_s);
}

void SnapshotBook::Write(int64_t now_ms) {
  lost_ |= keeper_->shared() && !Watch();
  if (lost_) return;
  const Now now = keeper_->clock().Read();
  std::vector<SnapshotEntry> entries;
  bool forget = false;
  issuers_.ForEach([&](const Issuer& issuer) {
    if (issuer.recorded == nullptr) return;
    const Recorded& recorded = *issuer.recorded;
    forget |= recorded.removal_unwritten;
    if (recorded.jwks.empty()) return;
    entries.push_back({.issuer = issuer.name,
                       .discovered = issuer.source->discovers(),
                       .jwks_uri = recorded.jwks_uri,
                       .etag = recorded.etag,
                       .jwks = recorded.jwks,
                       .max_age_s = std::max<int64_t>(issuer.max_age_s, -1),
                       .last_good_wall_s = WallS(recorded, now)});
  });
  schedule_.last_write_ms = now_ms;
  const SnapshotKeeper::Written written = keeper_->Write(entries, forget);
  lost_ = written == SnapshotKeeper::Written::kLost;
  const bool failed = written != SnapshotKeeper::Written::kWritten;
  // Without a file, those who follow have no keys: the next try comes soon.
  schedule_.failed = failed && !(keeper_->shared() && written == SnapshotKeeper::Written::kForgotten);
  if (!failed) schedule_.changed = schedule_.aged = false;
  if (lost_ || written == SnapshotKeeper::Written::kFailed) return;
  outdated_.clear();
  issuers_.ForEach([failed](Issuer& issuer) {
    if (issuer.recorded == nullptr) return;
    Recorded& recorded = *issuer.recorded;
    recorded.removal_unwritten = false;
    recorded.file_is_subset = failed || !recorded.text_has_more;
  });
}

}  // namespace tollgate::keys
