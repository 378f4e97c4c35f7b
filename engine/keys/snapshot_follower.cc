#include "keys/snapshot_follower.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "base/saturating.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "keys/issuer_family.h"
#include "keys/key_adoption.h"
#include "keys/refresh_schedule.h"

namespace tollgate::keys {

int64_t FollowMs(const Timing& timing, bool is_awaited) {
  return std::max<int64_t>(timing.file_interval_ms / (is_awaited ? 50 : 5), 1);
}

SnapshotFollower::SnapshotFollower(const Timing& timing, sync::ThreadBlocks& blocks,
                                   KeyGenerations& generations, IssuerTable& issuers)
    : timing_(timing), blocks_(blocks), generations_(generations), issuers_(issuers) {}

std::vector<SnapshotFollower::Held> SnapshotFollower::Take(std::span<const SnapshotEntry> entries,
                                                           SnapshotKeeper& keeper) {
  const Now now = keeper.clock().Read();
  std::vector<Held> all;
  absl::flat_hash_set<uint32_t> named;
  for (const SnapshotEntry& entry : entries) {
    Held held{.issuer = issuers_.Own(entry.issuer), .jwks = entry.jwks};
    const bool is_ours = held.issuer != nullptr && held.issuer->InSnapshot();
    if (is_ours && !named.insert(held.issuer->position).second) {
      keeper.Count(SnapshotKeeper::Fate::kUnusable);  // Named twice.
      continue;
    }
    const auto fate = is_ours ? TakeOne(entry, now, &held) : SnapshotKeeper::Fate::kSourceChanged;
    keeper.Count(fate);
    held.taken = fate == SnapshotKeeper::Fate::kRestored;
    if (is_ours) all.push_back(held);
  }
  issuers_.ForEach([&](Issuer& issuer) {
    if (issuer.InSnapshot() && !named.contains(issuer.position)) Withdraw(issuer, now.mono_ms);
  });
  return all;
}

SnapshotKeeper::Fate SnapshotFollower::TakeOne(const SnapshotEntry& entry, const Now& now, Held* held) {
  using Fate = SnapshotKeeper::Fate;
  Issuer& issuer = *held->issuer;
  // The same answer is no younger than it was, whatever has become of the wall clock.
  const bool is_known = entry.last_good_wall_s == issuer.followed_wall_s;
  const std::optional<int64_t> age_ms = SnapshotAgeMs(entry.last_good_wall_s, now.wall_s);
  if (!age_ms && !is_known) return Fate::kFutureDated;
  int64_t last_good_ms = saturating::Minus(now.mono_ms, age_ms.value_or(0));
  if (is_known) last_good_ms = std::min(last_good_ms, issuer.followed_ms);
  if (saturating::Between(last_good_ms, now.mono_ms) > timing_.staleness_bound_ms) return Fate::kTooOld;
  {
    // Somebody has put an older file back, or this engine has asked by itself since.
    const std::lock_guard lock(issuer.mutex);
    if (std::max(issuer.schedule.last_good_ms, issuer.followed_ms) >
        saturating::Plus(last_good_ms, kSnapshotRoundingMs))
      return Fate::kTooOld;
  }
  if (!issuer.source->Resume(entry.discovered, entry.jwks_uri)) return Fate::kSourceChanged;
  bool changed = false;
  const crypto::Sha256Digest text = crypto::Sha256(entry.jwks);
  if (issuer.followed_text != text) {
    if (!TakeKeys(issuer, *held, &changed)) return Fate::kUnusable;
    if (!held->has_more) issuer.followed_text = text;
  }
  if (issuer.alone && is_known) return Fate::kRestored;  // Nothing new: the fetch by itself goes on.
  issuer.source->set_etag(IsEtag(entry.etag) && !held->has_more ? std::string(entry.etag) : "");
  issuer.max_age_s = entry.max_age_s;
  issuer.followed_wall_s = entry.last_good_wall_s;
  issuer.followed_ms = last_good_ms;
  issuer.alone = false;
  {
    const std::lock_guard lock(issuer.mutex);
    issuer.last_error.clear();
    issuer.from_snapshot = true;
    issuer.key_place = issuer.source->place_of_set();
    issuer.schedule = OnFollowed(timing_, last_good_ms, entry.max_age_s);
    // The file does not say when its fetch began, but a request takes no longer than a fetch may. What was
    // asked for before the look that was remembered is settled if the request came after it.
    const bool settles = saturating::Minus(last_good_ms, timing_.fetch_timeout_ms) >= issuer.looked_ms;
    if (issuer.absent != nullptr) issuer.absent->OnGood(settles ? issuer.fetches : 0, changed);
    if (settles) {
      ++issuer.fetches;
      ++issuer.num_looks;
      issuer.looked_ms = now.mono_ms;
    }
    issuer.Mirror(timing_);
  }
  issuer.MirrorToTenants();
  return Fate::kRestored;
}

// TakeKeys puts the keys of a text in the place of the issuer's. False, and nothing has changed: none of them
// can be used.
bool SnapshotFollower::TakeKeys(Issuer& issuer, Held& held, bool* changed) {
  auto parsed = jose::ParseJwkSet(held.jwks);
  if (!parsed.ok()) return false;
  if (issuer.is_template) SkipForeign(issuer.KeyIssuer(), &*parsed);
  const KeySet* old_set = nullptr;
  {
    // Only this side replaces the set.
    const sync::ReadScope scope(blocks_);
    old_set = issuer.set.Load(scope);
  }
  uint32_t skipped = 0;
  const size_t unusable = parsed->skipped.size();
  auto keys = AdoptKeys(issuer.position, old_set, *std::move(parsed), generations_, &skipped);
  if (!keys) return false;
  held.has_more = skipped != unusable;
  const auto num_keys = static_cast<uint32_t>(keys->size());
  *changed = !SameKeys(KeysOf(old_set), *keys);
  issuer.followed_text.reset();
  if (*changed) Publish(issuer, *std::move(keys));
  const std::lock_guard lock(issuer.mutex);
  issuer.num_keys = num_keys;
  issuer.num_keys_skipped = skipped;
  return true;
}

// Publish replaces the issuer's set, and retires what that lacks.
void SnapshotFollower::Publish(Issuer& issuer, std::vector<IssuerKey> keys) {
  std::vector<KeyRef> gone;
  {
    const sync::ReadScope scope(blocks_);
    gone = NamesGone(KeysOf(issuer.set.Load(scope)), keys);
  }
  issuer.set.Replace(std::make_unique<KeySet>(std::move(keys)), blocks_);
  for (const KeyRef ref : gone) generations_.Retire(ref);
  if (issuer.is_template) ShareOut(issuer, generations_, blocks_);
}

void SnapshotFollower::Withdraw(Issuer& issuer, int64_t now_ms) {
  {
    const std::lock_guard lock(issuer.mutex);
    if (issuer.schedule.last_good_ms == ScheduleState::kNever) return;
    issuer.followed_ms = issuer.schedule.last_good_ms;
    issuer.held_ms = now_ms;
    // Before anybody could find the empty set, and take it for the issuer's word.
    issuer.schedule = ScheduleState{};
    issuer.num_keys = issuer.num_keys_skipped = 0;
    issuer.Mirror(timing_);
  }
  issuer.MirrorToTenants();
  issuer.followed_text.reset();
  issuer.alone = false;
  Publish(issuer, {});
}

bool SnapshotFollower::IsAwaited(Issuer& issuer, int64_t now_ms) const {
  if (!issuer.InSnapshot()) return false;
  const std::lock_guard lock(issuer.mutex);
  return issuer.schedule.forced || FreshnessAt(issuer.schedule, timing_, now_ms) == Freshness::kUnavailable;
}

}  // namespace tollgate::keys
