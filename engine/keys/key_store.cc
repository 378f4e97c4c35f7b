#include "keys/key_store.h"

#include <algorithm>
#include <string>

#include "base/limits.h"
#include "base/saturating.h"
#include "keys/absent_kids.h"
#include "keys/key_adoption.h"
#include "keys/refresh_schedule.h"

namespace tollgate::keys {

// Forced asks for a fetch through the gate, and wakes the background side if that moves the next one forward.
void KeyStore::Forced(Issuer& issuer, std::unique_lock<std::mutex> lock) {
  if (issuer.schedule.forced) return;
  const int64_t planned_ms = NextFetchMs(issuer.schedule, *issuer.planned_by);
  issuer.schedule.forced = true;
  issuer.Mirror(*issuer.planned_by);
  const bool earlier = NextFetchMs(issuer.schedule, *issuer.planned_by) < planned_ms;
  lock.unlock();
  if (!earlier) return;
  fetcher_.Hasten(issuer.position);
  if (waker_) waker_();
}

KeyStore::Standing KeyStore::StandingAt(uint32_t issuer, int64_t now_ms) const noexcept {
  const sync::ReadScope scope(blocks_);
  Standing standing;
  const Issuer* const found = issuers_.At(scope, issuer);
  if (found == nullptr) return standing;
  const Issuer& at = *found;
  if (!at.fetched) {
    standing.freshness = Freshness::kFresh;
    standing.ever_good = true;
    return standing;
  }
  const Issuer& head = at.Head();
  const ScheduleState seen = head.Seen();
  standing.freshness = FreshnessAt(seen, timing_, now_ms);
  standing.ever_good = seen.last_good_ms != ScheduleState::kNever;
  if (standing.ever_good) standing.age_ms = saturating::Between(seen.last_good_ms, now_ms);
  // Ordering: relaxed; a hint.
  standing.retry_after_ms = saturating::Between(now_ms, head.next_ms.load(std::memory_order_relaxed));
  return standing;
}

Reason KeyStore::Find(const sync::ReadScope& scope, uint32_t issuer, bool has_key_id, std::string_view key_id,
                      Algorithm algorithm, int64_t now_ms, const IssuerKey** key) {
  *key = nullptr;
  Issuer& at = *issuers_.At(scope, issuer);
  Issuer& head = at.Head();
  if (at.fetched) {
    const ScheduleState seen = head.Seen();
    if (seen.last_good_ms == ScheduleState::kNever) return Reason::kKeysNeverFetched;
    if (FreshnessAt(seen, timing_, now_ms) == Freshness::kUnavailable) return Reason::kKeysTooStale;
  }
  Reason reason = at.set.Load(scope)->Select(has_key_id, key_id, algorithm, key);
  if (reason != Reason::kKeyUnknown || !at.fetched) return reason;

  std::unique_lock lock(head.mutex);
  // A set that was published before we had the lock may have the key.
  reason = at.set.Load(scope)->Select(has_key_id, key_id, algorithm, key);
  if (reason != Reason::kKeyUnknown) return reason;
  // "No kid" is remembered by algorithm, under a name that no kid can have: it is longer than any.
  std::string without_kid;
  if (!has_key_id) {
    without_kid.assign(limits::kKeyIdBytesMax + 1, '\0');
    without_kid += AlgorithmName(algorithm);
    key_id = without_kid;
  }
  if (head.absent == nullptr) {
    // Ordering: relaxed; a bound, which may be a moment old.
    head.absent = std::make_unique<AbsentKids>(absent_kids_max_.load(std::memory_order_relaxed),
                                               timing_.staleness_bound_ms, absent_kids_secret_);
  }
  using enum AbsentKids::Asked;
  const AbsentKids::Asked asked = head.absent->Look(key_id, head.fetches, now_ms);
  // A settled one asks again only when the gate is open, so that no fetch follows the one that settled it by
  // itself.
  const bool gate_is_open =
      saturating::Between(head.schedule.last_begin_ms, now_ms) >= head.planned_by->cooldown_ms;
  if (asked == kNotYet || (asked == kUnheard && head.held) || (asked == kSettled && gate_is_open))
    Forced(head, std::move(lock));
  return asked == kSettled ? Reason::kKeyUnknown : Reason::kKeyPending;
}

const IssuerKey* KeyStore::FindByRef(const sync::ReadScope& scope, uint32_t issuer, KeyRef key) const {
  const Issuer* const at = issuers_.At(scope, issuer);
  if (at == nullptr) return nullptr;
  const std::vector<IssuerKey>& keys = KeysOf(at->set.Load(scope));
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const IssuerKey& k) { return k.ref == key; });
  return found == keys.end() ? nullptr : &*found;
}

bool KeyStore::WaitsForFetch(uint32_t issuer) const {
  const sync::ReadScope scope(blocks_);
  const Issuer* const at = issuers_.At(scope, issuer);
  return at != nullptr && at->fetched;
}

std::vector<IssuerHealth> KeyStore::Health(int64_t now_ms) const {
  std::vector<IssuerHealth> all;
  std::vector<std::pair<uint32_t, uint32_t>> tenants;  // Their families' positions and their own.
  for (uint32_t position = 0;; ++position) {
    const sync::ReadScope scope(blocks_);  // One for each, so that nobody waits for all of them.
    if (position >= issuers_.end(scope)) break;
    Issuer* const issuer = issuers_.At(scope, position);
    if (issuer == nullptr) continue;
    if (issuer->family != nullptr) {
      tenants.emplace_back(issuer->family->position, position);
      continue;
    }
    const std::lock_guard lock(issuer->mutex);
    IssuerHealth health;
    health.issuer = issuer->name;
    health.position = position;
    health.num_keys = issuer->num_keys;
    health.num_keys_skipped = issuer->num_keys_skipped + issuer->num_keys_lacking;
    health.fetches = issuer->fetches - issuer->num_looks;
    health.fetch_failures = issuer->fetch_failures;
    health.last_error = issuer->last_error;
    health.from_snapshot = issuer->from_snapshot;
    health.key_place = issuer->key_place;
    if (!issuer->fetched) {
      health.freshness = Freshness::kFresh;
      health.keys_age_ms = 0;
    } else {
      const ScheduleState& schedule = issuer->schedule;
      health.freshness = FreshnessAt(schedule, timing_, now_ms);
      if (schedule.last_good_ms != ScheduleState::kNever) {
        health.keys_age_ms = saturating::Between(schedule.last_good_ms, now_ms);
      }
      health.consecutive_failures = schedule.failures;
      health.next_fetch_in_ms = saturating::Between(now_ms, issuer->NextRequestMs(*issuer->planned_by));
    }
    all.push_back(std::move(health));
  }
  for (const auto& [family, tenant] : tenants) {
    const auto found = std::lower_bound(
        all.begin(), all.end(), family,
        [](const IssuerHealth& health, uint32_t position) { return health.position < position; });
    // Families that change meanwhile may lack some.
    if (found != all.end() && found->position == family) {
      found->tenant_positions.push_back(tenant);
      ++found->num_tenants;
    }
  }
  return all;
}

std::array<size_t, 4> KeyStore::CountByFreshness(int64_t now_ms) const {
  static_assert(static_cast<size_t>(Freshness::kUnavailable) == 3);
  std::array<size_t, 4> counts{};
  for (uint32_t position = 0;; ++position) {
    const sync::ReadScope scope(blocks_);
    if (position >= issuers_.end(scope)) return counts;
    if (issuers_.At(scope, position) != nullptr)
      ++counts[static_cast<size_t>(StandingAt(position, now_ms).freshness)];
  }
}

KeyStore::Memory KeyStore::ReadMemory() const {
  Memory memory;
  memory.bytes = sizeof(KeyStore) + generations_.bytes() + issuers_.bytes();
  for (uint32_t position = 0;; ++position) {
    const sync::ReadScope scope(blocks_);
    if (position >= issuers_.end(scope)) return memory;
    const Issuer* const issuer = issuers_.At(scope, position);
    if (issuer == nullptr) continue;
    ++memory.num_issuers;
    // Beside its own name, a fetched one has where its keys are, and its place in the gate; a tenant has
    // neither, and the keys of its family.
    const bool is_tenant = issuer->family != nullptr;
    memory.bytes += sizeof(Issuer) + issuer->name.size();
    if (issuer->fetched && !is_tenant) memory.bytes += 2 * issuer->name.size() + 64;
    if (const KeySet* const set = issuer->set.Load(scope)) {
      memory.num_keys += set->keys().size();
      memory.bytes += set->bytes(!is_tenant);
    }
  }
}

void KeyStore::SetWaker(std::function<void()> waker) { waker_ = std::move(waker); }

void KeyStore::UseSnapshot(SnapshotKeeper& keeper) {
  const std::lock_guard lock(mutex_);
  if (!keeper.shared()) {
    book_.Use(keeper);
    return;
  }
  shared_ = &keeper;
  follows_ = true;
  fetcher_.Hold();
  Follow(keeper.clock().Read().mono_ms);
}

// Follow looks at the shared snapshot if that is due, and has the host told who waits.
void KeyStore::Follow(int64_t now_ms) {
  const int64_t pause_ms = shared_->look_pause_ms();
  awaited_ |= fetcher_.TakeAwaited();
  // Those who begin to wait, for however many issuers, have the file read no more often than who waits.
  if (awaited_)
    look_ms_ = std::min(look_ms_, saturating::Plus(looked_ms_, std::max(FollowMs(timing_, true), pause_ms)));
  if (now_ms < look_ms_ && !awaited_) return;
  awaited_ = false;
  const bool looks = now_ms >= look_ms_;
  if (looks && Look(now_ms)) return;
  bool is_awaited = false;
  issuers_.ForEach([&](Issuer& issuer) {
    if (!follower_.IsAwaited(issuer, now_ms)) return;
    is_awaited = true;
    if (on_wanted_) on_wanted_(issuer.tenants.empty() ? issuer.name : issuer.tenants.front()->name);
  });
  if (looks)
    look_ms_ = saturating::Plus(now_ms, std::max(FollowMs(timing_, is_awaited), shared_->look_pause_ms()));
}

// Look takes over what is new in the shared snapshot. True: and leads from now on, since nobody else does.
bool KeyStore::Look(int64_t now_ms) {
  // So often, whoever could lead leaves it to others, or to another moment, if it cannot read the file: all
  // would lose what only that has.
  constexpr uint32_t kTriesMax = 3;
  looked_ms_ = now_ms;
  bool leads = !stepped_down_ && shared_->TryLead();
  if (leads) shared_->Forget();  // What is written next begins with all that is there.
  std::string bytes;
  std::vector<SnapshotEntry> entries;
  const SnapshotKeeper::Seen seen = shared_->Look(&bytes, &entries);
  if (leads && seen == SnapshotKeeper::Seen::kRefused && has_followed_ && num_tries_ < kTriesMax) {
    ++num_tries_;
    leads = false;
    shared_->StepDown();
  }
  const bool is_absent = seen == SnapshotKeeper::Seen::kAbsent;
  const bool is_known = is_absent || seen == SnapshotKeeper::Seen::kAccepted;
  const bool is_new = is_known && !(is_absent && was_absent_);
  was_absent_ = is_absent;
  if (is_known) num_tries_ = 0;
  std::vector<SnapshotFollower::Held> held;
  if (is_new) {
    held = follower_.Take(entries, *shared_);
    issuers_.ForEach([this](Issuer& issuer) {
      if (issuer.InSnapshot() && !issuer.alone) fetcher_.Follow(issuer);
    });
  }
  if (leads) {
    follows_ = false;
    book_.Lead(*shared_, held, is_known);
    fetcher_.Release(has_followed_);
  }
  has_followed_ = true;
  if (is_new && on_settled_) {
    issuers_.ForEach([&](const Issuer& issuer) {
      if (!issuer.InSnapshot()) return;
      on_settled_(issuer.position);
      for (const Issuer* tenant : issuer.tenants) on_settled_(tenant->position);
    });
  }
  return leads;
}

// StopLeading writes nothing, and has the file looked at as somebody else's.
void KeyStore::StopLeading(int64_t now_ms) {
  book_.Leave();
  fetcher_.Hold();
  shared_->StepDown();
  follows_ = true;
  was_absent_ = false;
  look_ms_ = now_ms;
  issuers_.ForEach([now_ms](Issuer& issuer) {
    const std::lock_guard lock(issuer.mutex);
    issuer.looked_ms = now_ms;  // Whoever waits for a fetch that has ended so waits for a later one.
  });
}

void KeyStore::StepDown() {
  {
    const std::lock_guard lock(mutex_);
    if (shared_ == nullptr || stepped_down_) return;
    stepped_down_ = true;
    if (follows_) return;
    const int64_t now_ms = shared_->clock().Read().mono_ms;
    book_.WriteRest(now_ms);
    StopLeading(now_ms);
  }
  if (waker_) waker_();
}

bool KeyStore::Refresh(std::string_view name) {
  const sync::ReadScope scope(blocks_);
  const std::optional<uint32_t> position = issuers_.Find(scope, name);
  if (!position) return false;
  Issuer& issuer = *issuers_.At(scope, *position);
  if (!issuer.fetched) return true;
  Issuer& head = issuer.Head();
  std::unique_lock lock(head.mutex);
  // Whoever follows would only have others told, who may have told it.
  if (!head.held) Forced(head, std::move(lock));
  return true;
}

int64_t KeyStore::RunSnapshot(int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  if (shared_ == nullptr) {
    book_.Run(now_ms);
    return book_.NextMs();
  }
  if (!follows_ && (now_ms >= look_ms_ || book_.lost())) {
    look_ms_ = saturating::Plus(now_ms, std::max(FollowMs(timing_, false), shared_->look_pause_ms()));
    if (!book_.Watch()) StopLeading(now_ms);
  }
  if (follows_) Follow(now_ms);
  if (follows_) return look_ms_;
  book_.Run(now_ms);
  return NextWriteOrLookMs();
}

int64_t KeyStore::NextWriteOrLookMs() const {
  return shared_ == nullptr ? book_.NextMs() : std::min(book_.NextMs(), look_ms_);
}

int64_t KeyStore::NextSnapshotMs() {
  const std::lock_guard lock(mutex_);
  if (!follows_) return NextWriteOrLookMs();
  awaited_ |= fetcher_.TakeAwaited();
  return awaited_ ? ScheduleState::kNever : look_ms_;
}

int64_t KeyStore::RunDue(int64_t now_ms, Transport& transport) {
  const std::lock_guard lock(mutex_);
  return fetcher_.RunDue(now_ms, transport);
}

void KeyStore::TakeIn(FetchResult result, int64_t now_ms) {
  const std::lock_guard lock(mutex_);
  // Whoever leads by now may have heard more: then the answer comes to nothing.
  if (shared_ != nullptr && !follows_ && !shared_->HoldsLock()) StopLeading(now_ms);
  fetcher_.TakeIn(std::move(result), now_ms);
}

}  // namespace tollgate::keys
