#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/tenants.h"
#include "crypto/digest.h"
#include "keys/absent_kids.h"
#include "keys/key_set.h"
#include "keys/key_source.h"
#include "keys/refresh_schedule.h"
#include "sync/published.h"
#include "tollgate/transport.h"

namespace tollgate::keys {

// Fresh is what KeyStore::IsFresh reads, one after the other for all issuers. Written under the issuer's
// lock.
struct Fresh {
  std::atomic<int64_t> until_ms{INT64_MIN};
  // Configured keys never age: INT64_MAX makes every age 0.
  std::atomic<int64_t> last_good_ms{INT64_MAX};
};

// Recorded is what the snapshot is to have of an issuer: its last good answer, ahead of the set that is
// published by as long as the writing takes.
struct Recorded {
  std::string jwks;  // Empty: nothing, or it does not fit.
  std::string jwks_uri;
  std::string etag;
  int64_t last_good_ms = 0;
  // The file has no key of this issuer that the published set lacks.
  bool file_is_subset = true;
  // A set that lacks one is published, and could not be written.
  bool removal_unwritten = false;
  // Keys that found no free slot are in the text and not in the set: they could end without anybody seeing
  // it.
  bool text_has_more = false;
};

// Issuer is all that there is of one issuer's keys, for all sides of the KeyStore. Aligned so that what
// request threads read on every call shares no cache line with what floods of absent kids write.
struct alignas(64) Issuer {
  const uint32_t position;
  const std::string name;
  const bool is_template;  // The name is: no token is of this issuer. See issuer_family.h.
  // These two are set once, before anybody else has the issuer.
  bool fetched = false;      // Not: configured keys.
  Issuer* family = nullptr;  // Of a template's tenant: the template's. It outlives the tenant.
  sync::Published<KeySet> set;
  // What `schedule` says, for readers without the lock. Written under it.
  // Ordering: last_good_ms is stored with release after the set of that answer was published, and loaded with
  // acquire, so that nobody counts an age from an answer whose removals they cannot see. The others are
  // relaxed: they decide labels and hints, and an old one is as good as a moment ago.
  std::atomic<int64_t> last_good_ms{ScheduleState::kNever};
  std::atomic<int64_t> due_ms{ScheduleState::kNever};
  std::atomic<int64_t> next_ms{ScheduleState::kNever};  // NextRequestMs.
  std::atomic<uint32_t> failures{0};
  std::atomic<bool> in_flight{false};
  std::atomic<bool> fell_back{false};
  Fresh& fresh;  // The same once more, short and together with the other issuers'. Of a tenant: the family's.

  alignas(64)
      std::mutex mutex;  // Guards what follows. Never held while readers are waited for, nor over a callback.
  ScheduleState schedule;
  std::unique_ptr<AbsentKids> absent;  // Of fetched keys; null until somebody asks for one.
  uint64_t fetches = 0;                // Begun; so also the number of the one in flight.
  uint64_t num_looks = 0;              // Of these, those that were looks at what another process has fetched.
  int64_t looked_ms = ScheduleState::kNever;  // When the last of these was.
  bool held = false;                          // Another process fetches, and knows nothing of who waits here.
  uint64_t fetch_failures = 0;
  uint32_t num_keys = 0;
  uint32_t num_keys_skipped = 0;
  uint32_t num_keys_lacking = 0;  // Of a template's tenants, all together: for want of a free slot.
  std::string last_error;
  bool from_snapshot = false;
  uint32_t key_place = 0;  // KeySource::place_of_set.
  // Which timing plans the next fetch: that of files, if the last one asked for nothing else.
  const Timing* planned_by = nullptr;
  // When its turn in the line of a host is to come; kNever: it stands in none.
  int64_t turn_ms = ScheduleState::kNever;

  // Background and control side alone.
  std::optional<KeySource> source;  // Of fetched keys.
  Reach reach = Reach::kPublic;
  uint64_t request = 0;       // The number of the latest one.
  int64_t deadline_ms = 0;    // Its time limit.
  int64_t left_ms = 0;        // Of the time of the place that is being asked, while it waits for its turn.
  int64_t later_ms = 0;       // Of the fetch's time, for the places behind it.
  bool over_network = false;  // The fetch that has begun has sent a request.
  std::string why;            // What has failed of it so far.
  int64_t max_age_s = -1;     // Of the last full answer; a 304 without one keeps it (RFC 9111 section 3.2).
  // Of a shared snapshot, the answer that was taken last, as it was dated and on our clock; the latter also
  // of one that has been withdrawn.
  int64_t followed_wall_s = INT64_MIN;
  int64_t followed_ms = ScheduleState::kNever;
  std::optional<crypto::Sha256Digest> followed_text;  // Of the set that is published, if it is all of a text.
  int64_t held_ms = ScheduleState::kNever;            // Since when `held`, or without keys.
  // Nothing has been heard of another process for long: this one fetches, for itself.
  bool alone = false;
  std::unique_ptr<Recorded> recorded;  // Null: there is no snapshot, or the keys are configured.
  std::vector<Issuer*> tenants;        // Of a template.
  std::string key_issuer;              // Of a template and its tenants, see KeyIssuer; empty: the name.

  Issuer(uint32_t position_in, std::string_view name_in, Fresh& fresh_in)
      : position(position_in), name(name_in), is_template(IsTemplate(name_in)), fresh(fresh_in) {}

  // Head is the issuer whose fetches bring this one's keys: a tenant's family, else itself.
  Issuer& Head() { return family == nullptr ? *this : *family; }
  const Issuer& Head() const { return family == nullptr ? *this : *family; }

  // KeyIssuer is what a key's own member `issuer` is to be.
  std::string_view KeyIssuer() const { return key_issuer.empty() ? name : key_issuer; }

  // InSnapshot: not where the first place is a file, which a restart has anyway.
  bool InSnapshot() const { return source.has_value() && !source->begins_with_file(); }
  // NextRequestMs returns when the next request is to be sent, as far as one can tell: kNever while one is
  // under way. Under the lock.
  int64_t NextRequestMs(const Timing& timing) const;
  // Mirror copies the schedule to where readers see it. Under the lock.
  void Mirror(const Timing& timing);
  // MirrorTo gives a tenant what Mirror has given the family to be read by KeyStore::IsFresh. After the
  // tenant's set is published, for the side that changes sets.
  void MirrorTo(Issuer& tenant) const;
  void MirrorToTenants() const;
  // Seen is the schedule as a reader without the lock sees it, for FreshnessAt.
  ScheduleState Seen() const;
};

}  // namespace tollgate::keys
