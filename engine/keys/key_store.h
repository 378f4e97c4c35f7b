#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "keys/absent_kids.h"
#include "keys/issuer_table.h"
#include "keys/key_fetcher.h"
#include "keys/key_generations.h"
#include "keys/key_set.h"
#include "keys/snapshot_book.h"
#include "keys/snapshot_follower.h"
#include "keys/snapshot_keeper.h"
#include "sync/thread_blocks.h"
#include "tollgate/clock.h"
#include "tollgate/config.h"
#include "tollgate/file_system.h"
#include "tollgate/metrics.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// Outside is what a KeyStore touches beside the network. Null: SystemFiles(), SystemClock(). Both must
// outlive it.
struct Outside {
  FileSystem* files = nullptr;  // Key files.
  const Clock* clock = nullptr;
};

// KeyStore holds every issuer's keys: configured ones for ever, fetched ones as long as the staleness bound
// allows. The request side never waits for the network, nor for any of the other sides; the background side
// does all fetching; the control side adds, changes and removes issuers. A refused, empty, garbled or
// truncated answer never shrinks a set; a good answer without a key retires it at once. Where keys are
// discovered, reading the issuer's metadata and its keys is one fetch: one begin for the gate, one end, one
// time limit; metadata that cannot be read is a fetch that failed. So is trying one place after the other.
// Every request passes one gate (fetch_gate.h); a file is read without. That a kid is absent is settled by
// the first place alone: another may lag. Thread-safe.
//
// An issuer has a position, by which callers keep what else they know of it. Those of Create have theirs in
// Config::issuers, and behind all these come the tenants of templates, in their order; a change gives an
// issuer another one, so that all that is known by position never changes as long as anybody may look at it.
class KeyStore {
 public:
  // IssuersMax is how many issuers there may be at a time, templates and their tenants included; positions
  // are below PositionsMax.
  static size_t IssuersMax(const Config& config);
  static size_t PositionsMax(const Config& config) { return IssuersMax(config) + IssuerTable::kSpare; }

  // Create prepares configured sets (InvalidArgument if one has no usable key, an issuer is named twice, or
  // what CheckTenants, CheckKeyPlaces or KeySource::Make refuses), reads the files with which sources begin,
  // and plans the first fetches of the others at once. `blocks` must outlive the store. `on_settled` is
  // called, with an issuer's position, on the background side after each fetch has ended, and on the control
  // side after nobody finds the issuer there any more. It must not call either side.
  static absl::StatusOr<std::unique_ptr<KeyStore>> Create(const Config& config, uint64_t jitter_seed,
                                                          sync::ThreadBlocks& blocks,
                                                          std::function<void(uint32_t issuer)> on_settled,
                                                          Outside outside = {});
  KeyStore(const KeyStore&) = delete;
  KeyStore& operator=(const KeyStore&) = delete;

  // --- Request side ---

  // FindIssuer returns the issuer's position, valid as long as the ReadScope. One table probe, no allocation.
  std::optional<uint32_t> FindIssuer(const sync::ReadScope& scope, std::string_view issuer) const {
    return issuers_.Find(scope, issuer);
  }

  struct Standing {
    Freshness freshness = Freshness::kUnavailable;
    int64_t age_ms = 0;          // Since the last good answer; 0 for configured keys.
    int64_t retry_after_ms = 0;  // Until the next fetch may have ended, roughly; for Retry-After.
    bool ever_good = false;
  };
  // StandingAt says how far the issuer's keys may be trusted. A few loads. Unavailable where nobody is.
  Standing StandingAt(uint32_t issuer, int64_t now_ms) const noexcept;

  // IsFresh is StandingAt's answer for nearly every check, in two loads: true if it is kFresh, and the keys'
  // age.
  bool IsFresh(uint32_t issuer, int64_t now_ms, int64_t* age_ms) const {
    const Fresh& fresh = issuers_.FreshAt(issuer);
    // Ordering: acquire, both, pairs with the releases of whoever published the set: nobody counts an age
    // from an answer whose removals they cannot see.
    if (now_ms > fresh.until_ms.load(std::memory_order_acquire)) return false;
    const int64_t last_good_ms = fresh.last_good_ms.load(std::memory_order_acquire);
    *age_ms = now_ms > last_good_ms ? now_ms - last_good_ms : 0;
    return true;
  }

  // Find selects the key for a token's header. Reasons of KeySet::Select, but for kKeyUnknown of fetched
  // keys: that is answered only if a good answer whose fetch began after this kid was first asked for lacks
  // it; until then it is kKeyPending, and a fetch is requested through the gate (one per cooldown). Memory of
  // absent kids is bounded, expires and is cleared when the set changes; while it is full, new ones stay
  // kKeyPending. Also kKeysNeverFetched, kKeysTooStale. The key is valid as long as the ReadScope. Takes a
  // lock only for absent kids.
  Reason Find(const sync::ReadScope& scope, uint32_t issuer, bool has_key_id, std::string_view key_id,
              Algorithm algorithm, int64_t now_ms, const IssuerKey** key);

  // Refresh has a fetch of this issuer requested, as an absent kid does; nothing, where another process
  // fetches. False if there is none of this name. A lock, for a moment.
  bool Refresh(std::string_view issuer);

  // IsCurrent: see KeyGenerations.
  bool IsCurrent(KeyRef key, uint32_t* issuer) const { return generations_.IsCurrent(key, issuer); }
  bool IsCurrent(KeyRef key) const { return generations_.IsCurrent(key); }

  // FindByRef returns the current key of this name, or null; for what a cached token needs to know of its
  // key.
  const IssuerKey* FindByRef(const sync::ReadScope& scope, uint32_t issuer, KeyRef key) const;

  // WaitsForFetch: whether a fetch of this issuer is under way or will come without anybody's doing.
  bool WaitsForFetch(uint32_t issuer) const;

  // Health is of all issuers but tenants, in the order of their positions. Allocates, locks.
  std::vector<IssuerHealth> Health(int64_t now_ms) const;

  size_t num_issuers() const {
    const std::lock_guard lock(mutex_);
    return issuers_.size();
  }

  // Memory is an estimate of what the issuers and their keys take. Costs a look at every issuer.
  struct Memory {
    size_t num_issuers = 0;
    size_t num_keys = 0;
    size_t bytes = 0;
  };
  Memory ReadMemory() const;

  // CountByFreshness returns how many issuers there are in each state, by Freshness. Costs a look at every
  // one.
  std::array<size_t, 4> CountByFreshness(int64_t now_ms) const;

  // SetWaker: called, on request threads, when the background side has something to do earlier than it
  // planned.
  void SetWaker(std::function<void()> waker);
  // SetOnMetadata: called on the background side whenever metadata has been read, and on the control side of
  // an issuer that takes over what was read before it. It must not call either side. Once, before anybody
  // else has the store.
  void SetOnMetadata(OnMetadata on_metadata) { fetcher_.SetOnMetadata(std::move(on_metadata)); }

  // SetOnWanted: Environment::on_wanted. Once, before UseSnapshot.
  void SetOnWanted(std::function<void(std::string_view issuer)> on_wanted) {
    on_wanted_ = std::move(on_wanted);
  }

  // --- Control side: any thread, one after the other; waits for a turn of the background side that is in
  // progress, and for readers, so that no Find or Check that begins afterwards has the old state. ---

  // Prepare is called with the position of whoever is to be found there, before anybody can: the issuer, with
  // an empty `tenant`, or, one after the other, a template's tenants. Hook is called with their positions.
  using Prepare = absl::FunctionRef<void(uint32_t issuer, std::string_view tenant)>;
  using Hook = absl::FunctionRef<void(uint32_t issuer)>;
  static void PrepareNothing(uint32_t, std::string_view) {}
  static void Nothing(uint32_t) {}

  // StepDown: see Engine. May wait for the disk.
  void StepDown();

  // AddIssuer adds one. InvalidArgument as for Create, AlreadyExists, or ResourceExhausted if there are
  // IssuersMax.
  absl::Status AddIssuer(const IssuerConfig& config, Prepare prepare = PrepareNothing);

  // ChangeIssuer gives the issuer of this name another configuration, at another position. Where its keys
  // come from the same place, they and what is known of their fetches stay, under new generations: what was
  // verified before the change stands no more. `release` is called with the old position when nobody looks at
  // it any more. NotFound, or as AddIssuer, and then nothing has changed. A template's tenants are changed
  // one after the other, those first that go: who stays is always found. A tenant cannot be changed by
  // itself: InvalidArgument.
  absl::Status ChangeIssuer(const IssuerConfig& config, Prepare prepare = PrepareNothing,
                            Hook release = Nothing);

  // RemoveIssuer ends an issuer and the generations of all its keys; of a template, all tenants with it.
  // NotFound, or InvalidArgument for a tenant.
  absl::Status RemoveIssuer(std::string_view issuer, Hook release = Nothing);

  // --- Background side: one thread at a time ---

  // UseSnapshot takes over what the snapshot has of fetched sets, each as if it had been fetched when its
  // last good answer came: as old, and with a fetch due at once. From now on a set is written before it is
  // published if the file may have a key that it lacks, so that no restart brings back a key that was seen to
  // end. A shared one: SnapshotConfig::shared. Once, before anybody else has the store. `keeper` must outlive
  // it.
  void UseSnapshot(SnapshotKeeper& keeper);
  // RunSnapshot writes the snapshot, or looks at what another process has written, if that is due, and
  // returns what NextSnapshotMs says then: when it will be (INT64_MAX: never). May wait for the disk.
  int64_t RunSnapshot(int64_t now_ms);
  int64_t NextSnapshotMs();

  // RunDue starts every fetch that is due, goes on with those that have come to another request, and returns
  // when the next one will be (INT64_MAX: none).
  int64_t RunDue(int64_t now_ms, Transport& transport);
  // TakeIn digests one answer: parses, retires and adds keys, publishes the new set, plans the next fetch;
  // or, of metadata, leaves the next request of the same fetch to RunDue.
  void TakeIn(FetchResult result, int64_t now_ms);

 private:
  KeyStore(const Config& config, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
           std::function<void(uint32_t issuer)> on_settled, Outside outside);
  absl::StatusOr<std::unique_ptr<Issuer>> Build(const IssuerConfig& config, std::string_view where);
  std::unique_ptr<Issuer> BuildTenant(Issuer& family, std::string_view tenant);
  absl::Status CheckFree(const IssuerConfig& config, const Issuer* old) const;
  bool TakeOver(Issuer& old, Issuer& issuer);
  absl::Status ReplaceTenants(const Issuer& old, Issuer& family, const std::vector<std::string>& tenants,
                              Prepare prepare, Hook release);
  void Retire(const Issuer& issuer);
  void End(Issuer& issuer, Hook release);
  void Count(const Issuer& issuer, int by);
  void Forced(Issuer& issuer, std::unique_lock<std::mutex> lock);
  void Follow(int64_t now_ms);
  void StopLeading(int64_t now_ms);
  int64_t NextWriteOrLookMs() const;
  bool Look(int64_t now_ms);
  void LookAgain();

  const Timing timing_;
  const bool loopback_;
  const size_t issuers_max_;
  sync::ThreadBlocks& blocks_;
  const std::function<void(uint32_t issuer)> on_settled_;
  std::function<void()> waker_;
  AbsentKids::Secret absent_kids_secret_;
  std::atomic<uint32_t> absent_kids_max_{0};  // Of one issuer.
  KeyGenerations generations_;
  IssuerTable issuers_;

  // Guards what follows, and whatever the background and the control side change. Request threads never take
  // it.
  mutable std::mutex mutex_;
  size_t num_fetched_ = 0;  // Issuers with fetched keys.
  SnapshotBook book_;
  SnapshotFollower follower_;
  SnapshotKeeper* shared_ = nullptr;  // Null: the snapshot is this store's alone.
  bool follows_ = false;              // Another process fetches.
  bool has_followed_ = false;
  bool stepped_down_ = false;
  bool was_absent_ = false;
  bool awaited_ = false;    // Somebody has begun to wait for a key, and the host is to be told.
  uint32_t num_tries_ = 0;  // To lead, while the file could not be read.
  int64_t looked_ms_ = ScheduleState::kNever;
  int64_t look_ms_ = ScheduleState::kNever;  // At the shared one, next; by whoever leads, too.
  std::function<void(std::string_view issuer)> on_wanted_;
  KeyFetcher fetcher_;  // But for its Hasten.
};

}  // namespace tollgate::keys
