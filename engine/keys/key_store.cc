#include "keys/key_store.h"

#include <algorithm>
#include <atomic>
#include <mutex>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "jose/base64url.h"
#include "jose/jwk.h"
#include "keys/absent_kids.h"
#include "keys/issuer_metadata.h"
#include "keys/key_source.h"
#include "sync/published.h"
#include "transport/url.h"

namespace tollgate::keys {
namespace {

// Exchanges under way at a time, over all issuers: a start with thousands of issuers must not open as many
// sockets.
constexpr size_t kFetchesInFlightMax = 64;
// Absent kids remembered for one issuer, and for all of them together.
constexpr size_t kAbsentKidsMax = 1024;
constexpr size_t kAbsentKidsOfAllMax = 65'536;
constexpr size_t kEtagBytesMax = 512;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

int64_t MsBetween(int64_t from_ms, int64_t to_ms) {
  int64_t ms;
  if (__builtin_sub_overflow(to_ms, from_ms, &ms)) return to_ms > from_ms ? INT64_MAX : 0;
  return std::max<int64_t>(ms, 0);
}

// SplitMix64 (Steele, Lea, Flood 2014), for jitter alone.
class Jitter {
 public:
  explicit Jitter(uint64_t seed) : state_(seed) {}
  uint64_t Next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

// An entity tag that may go back to the server as it came (RFC 9110 section 8.8.3).
bool IsEtag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() < 2 || etag.size() > kEtagBytesMax || etag.front() != '"' || etag.back() != '"')
    return false;
  etag = etag.substr(1, etag.size() - 2);
  return std::all_of(etag.begin(), etag.end(), [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

std::string Thumbprint(const jose::Jwk& jwk) { return jose::Base64UrlEncode(jwk.thumbprint); }

bool SameIdentity(const IssuerKey& key, std::string_view thumbprint, const jose::Jwk& jwk) {
  return key.thumbprint == thumbprint && key.jwk->algorithms == jwk.algorithms &&
         key.jwk->has_key_id == jwk.has_key_id && key.jwk->key_id == jwk.key_id;
}

const std::vector<IssuerKey>& KeysOf(const KeySet* set) {
  static const std::vector<IssuerKey> none;
  return set == nullptr ? none : set->keys();
}

bool SameKeys(const std::vector<IssuerKey>& some, const std::vector<IssuerKey>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                    [](const IssuerKey& a, const IssuerKey& b) { return a.jwk == b.jwk; });
}

}  // namespace

// Aligned so that what request threads read on every call shares no cache line with what floods of absent
// kids write.
struct alignas(64) KeyStore::Issuer {
  const uint32_t position;  // In Config::issuers.
  std::string name;
  bool fetched = false;  // Set once, before anybody else has the issuer; not: configured keys.
  sync::Published<KeySet> set;
  // What `schedule` says, for readers without the lock. Written under it.
  // Ordering: last_good_ms is stored with release after the set of that answer was published, and loaded with
  // acquire, so that nobody counts an age from an answer whose removals they cannot see. The others are
  // relaxed: they decide labels and hints, and an old one is as good as a moment ago.
  std::atomic<int64_t> last_good_ms{ScheduleState::kNever};
  std::atomic<int64_t> due_ms{ScheduleState::kNever};
  std::atomic<int64_t> next_ms{ScheduleState::kNever};
  std::atomic<uint32_t> failures{0};
  std::atomic<bool> in_flight{false};
  Fresh& fresh;  // The same once more, short and together with the other issuers'.

  alignas(64)
      std::mutex mutex;  // Guards what follows. Never held while readers are waited for, nor over a callback.
  ScheduleState schedule;
  std::optional<AbsentKids> absent;  // Fetched keys alone.
  uint64_t fetches = 0;              // Begun; so also the number of the one in flight.
  uint64_t fetch_failures = 0;
  uint32_t num_keys = 0;
  uint32_t num_keys_skipped = 0;
  std::string last_error;
  bool from_snapshot = false;

  // Background side alone.
  std::optional<KeySource> source;  // Of fetched keys.
  Reach reach = Reach::kPublic;
  uint64_t requests = 0;    // Sent; so also the number of the one in flight.
  int64_t deadline_ms = 0;  // Of the fetch under way, for all its requests together.
  int64_t max_age_s = -1;   // Of the last full answer; a 304 without one keeps it (RFC 9111 section 3.2).
  // What the snapshot is to have of an issuer: its last good answer, ahead of the set that is published by as
  // long as the writing takes. Kept only where there is a snapshot.
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
  Recorded recorded;

  Issuer(uint32_t position_in, Fresh& fresh_in) : position(position_in), fresh(fresh_in) {}

  // Mirror copies the schedule to where readers see it. Under the lock.
  void Mirror(const Timing& timing) {
    // Ordering: relaxed, but for the last: see the members.
    due_ms.store(schedule.due_ms, std::memory_order_relaxed);
    next_ms.store(NextFetchMs(schedule, timing), std::memory_order_relaxed);
    failures.store(schedule.failures, std::memory_order_relaxed);
    in_flight.store(schedule.in_flight, std::memory_order_relaxed);
    // Ordering: release pairs with the acquire in Seen.
    last_good_ms.store(schedule.last_good_ms, std::memory_order_release);
    // Ordering: release, both, pairs with the acquires in IsFresh.
    fresh.last_good_ms.store(schedule.last_good_ms, std::memory_order_release);
    fresh.until_ms.store(FreshUntil(schedule, timing), std::memory_order_release);
  }

  // Seen is the schedule as a reader without the lock sees it, for FreshnessAt.
  ScheduleState Seen() const {
    ScheduleState seen;
    // Ordering: acquire pairs with the release in Mirror; the others are relaxed, see the members.
    seen.last_good_ms = last_good_ms.load(std::memory_order_acquire);
    seen.due_ms = due_ms.load(std::memory_order_relaxed);
    seen.failures = failures.load(std::memory_order_relaxed);
    seen.in_flight = in_flight.load(std::memory_order_relaxed);
    return seen;
  }
};

struct KeyStore::State {
  State(const Config& config, uint64_t jitter_seed, sync::ThreadBlocks& thread_blocks,
        std::function<void(uint32_t issuer)> settled)
      : timing(config.timing),
        loopback(config.dangerous.dangerous_allow_http_on_loopback),
        blocks(thread_blocks),
        on_settled(std::move(settled)),
        jitter(jitter_seed) {}

  absl::Status AddIssuer(const IssuerConfig& config, KeyGenerations& generations, Fresh& fresh);
  std::optional<std::vector<IssuerKey>> Adopt(const Issuer& issuer, const KeySet* old_set,
                                              jose::JwkSet parsed, KeyGenerations& generations,
                                              uint32_t* skipped);
  absl::Status TakeInSet(Issuer& issuer, const FetchResult& result, int64_t now_ms,
                         KeyGenerations& generations, bool* changed);
  SnapshotKeeper::Fate Restore(const SnapshotEntry& entry, const Now& now, KeyGenerations& generations);
  void Record(Issuer& issuer, std::string_view jwks, int64_t last_good_ms);
  void WriteSnapshot(int64_t now_ms);
  void Forced(Issuer& issuer, std::unique_lock<std::mutex> lock);
  void Ask(Issuer& issuer, int64_t now_ms, Transport& transport);

  const Timing timing;
  const bool loopback;
  sync::ThreadBlocks& blocks;
  const std::function<void(uint32_t issuer)> on_settled;
  std::function<void()> waker;
  std::vector<std::unique_ptr<Issuer>> issuers;
  absl::flat_hash_map<std::string, uint32_t> positions;

  // Background side alone.
  Jitter jitter;
  size_t in_flight = 0;          // Fetches, each of which has one request under way or in `asking`.
  std::vector<uint32_t> asking;  // Issuers whose fetch goes on with another request.
  size_t turn = 0;               // The issuer with which RunDue begins.
  SnapshotKeeper* keeper = nullptr;
  SnapshotSchedule writes;
  size_t recorded_bytes = 0;  // Of all issuers' `recorded`, in a snapshot.
};

// Adopt gives every usable key its name: the old one if the old set has the key, else a new generation. Null
// if none is usable. `*skipped` counts the rest.
std::optional<std::vector<IssuerKey>> KeyStore::State::Adopt(const Issuer& issuer, const KeySet* old_set,
                                                             jose::JwkSet parsed, KeyGenerations& generations,
                                                             uint32_t* skipped) {
  *skipped = static_cast<uint32_t>(parsed.skipped.size());
  std::vector<IssuerKey> keys;
  const auto find = [](const std::vector<IssuerKey>& among, std::string_view thumbprint,
                       const jose::Jwk& jwk) {
    return std::find_if(among.begin(), among.end(),
                        [&](const IssuerKey& key) { return SameIdentity(key, thumbprint, jwk); });
  };
  const std::vector<IssuerKey>& old_keys = KeysOf(old_set);
  for (jose::Jwk& jwk : parsed.keys) {
    IssuerKey key{.jwk = nullptr, .thumbprint = Thumbprint(jwk), .ref = {}};
    const auto old = find(old_keys, key.thumbprint, jwk);
    const auto twin = find(keys, key.thumbprint, jwk);  // Listed twice.
    if (old != old_keys.end()) {
      key = *old;
    } else if (twin != keys.end()) {
      key = *twin;
    } else if (const auto ref = generations.Acquire(issuer.position)) {
      key.ref = *ref;
      key.jwk = std::make_shared<const jose::Jwk>(std::move(jwk));
    } else {
      ++*skipped;
      continue;
    }
    keys.push_back(std::move(key));
  }
  if (keys.empty()) return std::nullopt;
  return keys;
}

absl::Status KeyStore::State::AddIssuer(const IssuerConfig& config, KeyGenerations& generations,
                                        Fresh& fresh) {
  const auto position = static_cast<uint32_t>(issuers.size());
  const auto error = [position](std::string_view setting, std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("issuers[", position, "]", ToAbsl(setting), ": ", ToAbsl(why)));
  };
  if (config.issuer.empty()) return error(".issuer", "is empty");
  if (!positions.emplace(config.issuer, position).second) return error(".issuer", "is named twice");
  if ((config.jwks_uri.empty() ? 0 : 1) + (config.jwks.empty() ? 0 : 1) + (config.discovery ? 1 : 0) != 1)
    return error("", "needs exactly one of jwks_uri, jwks and discovery");

  auto issuer = std::make_unique<Issuer>(position, fresh);
  issuer->name = config.issuer;
  issuer->fetched = config.jwks.empty();
  issuer->reach = config.private_network ? Reach::kPrivate : Reach::kPublic;
  const transport::FetchRules rules{.reach = issuer->reach, .loopback = loopback};
  if (config.discovery) {
    std::vector<std::string> hosts = config.discovery_hosts;
    const std::vector<std::string>& usual = config.profile.discovery_hosts;
    hosts.insert(hosts.end(), usual.begin(), usual.end());
    auto metadata_rules = MakeMetadataRules(config.issuer, hosts, rules);
    if (!metadata_rules.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("issuers[", position, "].", metadata_rules.status().message()));
    }
    issuer->source.emplace(*std::move(metadata_rules), timing.metadata_age_max_ms);
  } else if (issuer->fetched) {
    const absl::Status allowed = transport::CheckFetchUrl(config.jwks_uri, rules);
    if (!allowed.ok()) return error(".jwks_uri", std::string(allowed.message()));
    issuer->source.emplace(config.jwks_uri);
  } else {
    auto parsed = jose::ParseJwkSet(config.jwks);
    if (!parsed.ok()) return error(".jwks", std::string(parsed.status().message()));
    auto keys = Adopt(*issuer, nullptr, *std::move(parsed), generations, &issuer->num_keys_skipped);
    if (!keys) return error(".jwks", "has no usable key");
    issuer->num_keys = static_cast<uint32_t>(keys->size());
    issuer->set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks);
    // Ordering: relaxed; nobody else has the store yet.
    fresh.until_ms.store(INT64_MAX, std::memory_order_relaxed);
  }
  issuers.push_back(std::move(issuer));
  return absl::OkStatus();
}

// TakeInSet publishes the keys of a 200 answer and retires those that are gone. An error says why the answer
// is no good, and then nothing has changed.
absl::Status KeyStore::State::TakeInSet(Issuer& issuer, const FetchResult& result, int64_t now_ms,
                                        KeyGenerations& generations, bool* changed) {
  auto parsed = jose::ParseJwkSet(result.body);
  if (!parsed.ok()) return parsed.status();
  std::vector<KeyRef> gone;
  const KeySet* old_set = nullptr;
  {
    // Only this thread replaces the set, so the old one outlives the scope, up to Replace below.
    const sync::ReadScope scope(blocks);
    old_set = issuer.set.Load(scope);
  }
  uint32_t skipped = 0;
  const size_t unusable = parsed->skipped.size();
  auto keys = Adopt(issuer, old_set, *std::move(parsed), generations, &skipped);
  if (!keys) return absl::InvalidArgumentError(absl::StrCat("no usable key, ", skipped, " skipped"));
  const auto num_keys = static_cast<uint32_t>(keys->size());
  *changed = !SameKeys(KeysOf(old_set), *keys);
  for (const IssuerKey& old : KeysOf(old_set)) {
    const bool kept =
        std::any_of(keys->begin(), keys->end(), [&](const IssuerKey& k) { return k.ref == old.ref; });
    if (!kept) gone.push_back(old.ref);
  }
  // Keys that found no free slot must come again: no "not modified" for those.
  issuer.source->set_etag(IsEtag(result.etag) && skipped == unusable ? result.etag : "");
  issuer.max_age_s = result.max_age_s;
  if (keeper != nullptr) {
    issuer.recorded.text_has_more = skipped != unusable;
    Record(issuer, result.body, now_ms);
    (*changed ? writes.changed : writes.aged) = true;
    // A removal is on the disk before anybody sees it, unless the disk fails: then it is still seen at once.
    if (!gone.empty() || !issuer.recorded.file_is_subset) {
      issuer.recorded.file_is_subset = false;
      issuer.recorded.removal_unwritten = true;
      WriteSnapshot(now_ms);
    }
  }
  if (*changed) {
    issuer.set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks);
    for (const KeyRef ref : gone) generations.Retire(ref);
  }
  const std::lock_guard lock(issuer.mutex);
  issuer.num_keys = num_keys;
  issuer.num_keys_skipped = skipped;
  return absl::OkStatus();
}

// Restore publishes one issuer's part of a snapshot.
SnapshotKeeper::Fate KeyStore::State::Restore(const SnapshotEntry& entry, const Now& now,
                                              KeyGenerations& generations) {
  using Fate = SnapshotKeeper::Fate;
  const auto position = positions.find(ToAbsl(entry.issuer));
  if (position == positions.end()) return Fate::kSourceChanged;
  Issuer& issuer = *issuers[position->second];
  if (!issuer.fetched) return Fate::kSourceChanged;
  if (issuer.from_snapshot) return Fate::kUnusable;  // Named twice.
  issuer.recorded.file_is_subset = false;            // Until it is what is published.
  const std::optional<int64_t> age_ms = SnapshotAgeMs(entry.last_good_wall_s, now.wall_s);
  if (!age_ms) return Fate::kFutureDated;
  if (*age_ms > timing.staleness_bound_ms) return Fate::kTooOld;
  if (!issuer.source->Resume(entry.discovered, entry.jwks_uri)) return Fate::kSourceChanged;
  auto parsed = jose::ParseJwkSet(entry.jwks);
  if (!parsed.ok()) return Fate::kUnusable;
  uint32_t skipped = 0;
  const size_t unusable = parsed->skipped.size();
  auto keys = Adopt(issuer, nullptr, *std::move(parsed), generations, &skipped);
  if (!keys) return Fate::kUnusable;
  issuer.source->set_etag(IsEtag(entry.etag) && skipped == unusable ? std::string(entry.etag) : "");
  issuer.recorded.text_has_more = skipped != unusable;
  issuer.max_age_s = entry.max_age_s;
  const auto num_keys = static_cast<uint32_t>(keys->size());
  issuer.set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks);
  const int64_t last_good_ms = now.mono_ms - *age_ms;
  Record(issuer, entry.jwks, last_good_ms);
  issuer.recorded.file_is_subset = !issuer.recorded.text_has_more;
  const std::lock_guard lock(issuer.mutex);
  issuer.num_keys = num_keys;
  issuer.num_keys_skipped = skipped;
  issuer.from_snapshot = true;
  issuer.schedule = OnRestored(last_good_ms);
  issuer.Mirror(timing);
  return Fate::kRestored;
}

// Record keeps what the next snapshot is to have of the issuer. What does not fit is left out: a restart then
// has nothing of it, rather than something older.
void KeyStore::State::Record(Issuer& issuer, std::string_view jwks, int64_t last_good_ms) {
  Issuer::Recorded& recorded = issuer.recorded;
  const auto bytes_of = [&](std::string_view text) {
    // With the longest number in the place of what changes later.
    return EncodedBytes({.issuer = issuer.name,
                         .discovered = issuer.source->discovers(),
                         .jwks_uri = recorded.jwks_uri,
                         .etag = recorded.etag,
                         .jwks = text,
                         .max_age_s = INT64_MAX,
                         .last_good_wall_s = limits::kNumericDateMax});
  };
  if (!recorded.jwks.empty()) recorded_bytes -= bytes_of(recorded.jwks);
  recorded.jwks_uri = issuer.source->jwks_uri();
  recorded.etag = issuer.source->etag();
  const size_t bytes = bytes_of(jwks);
  const bool fits = bytes <= limits::kSnapshotBytesMax - kSnapshotFrameBytesMax - recorded_bytes;
  recorded.jwks = fits ? jwks : std::string_view();
  if (fits) recorded_bytes += bytes;
  recorded.last_good_ms = last_good_ms;
}

void KeyStore::State::WriteSnapshot(int64_t now_ms) {
  const Now now = keeper->clock().Read();
  std::vector<SnapshotEntry> entries;
  bool forget = false;
  for (const auto& issuer : issuers) {
    const Issuer::Recorded& recorded = issuer->recorded;
    forget |= recorded.removal_unwritten;
    if (recorded.jwks.empty()) continue;
    entries.push_back(
        {.issuer = issuer->name,
         .discovered = issuer->source->discovers(),
         .jwks_uri = recorded.jwks_uri,
         .etag = recorded.etag,
         .jwks = recorded.jwks,
         .max_age_s = std::max<int64_t>(issuer->max_age_s, -1),
         .last_good_wall_s = SnapshotWallS(MsBetween(recorded.last_good_ms, now.mono_ms), now.wall_s)});
  }
  writes.last_write_ms = now_ms;
  const SnapshotKeeper::Written written = keeper->Write(entries, forget);
  writes.failed = written != SnapshotKeeper::Written::kWritten;
  if (!writes.failed) writes.changed = writes.aged = false;
  if (written == SnapshotKeeper::Written::kFailed) return;
  for (const auto& issuer : issuers) {
    Issuer::Recorded& recorded = issuer->recorded;
    recorded.removal_unwritten = false;
    recorded.file_is_subset = writes.failed || !recorded.text_has_more;
  }
}

// Forced asks for a fetch through the gate, and wakes the background side if that moves the next one forward.
void KeyStore::State::Forced(Issuer& issuer, std::unique_lock<std::mutex> lock) {
  if (issuer.schedule.forced) return;
  const int64_t planned_ms = NextFetchMs(issuer.schedule, timing);
  issuer.schedule.forced = true;
  issuer.Mirror(timing);
  const bool earlier = NextFetchMs(issuer.schedule, timing) < planned_ms;
  lock.unlock();
  if (earlier && waker) waker();
}

// Ask sends the request that the issuer's fetch has come to. What is left of the fetch's time is this
// request's.
void KeyStore::State::Ask(Issuer& issuer, int64_t now_ms, Transport& transport) {
  FetchRequest request = issuer.source->Next();
  request.id = ++issuer.requests * limits::kIssuersMax + issuer.position;
  request.timeout_ms =
      static_cast<uint32_t>(std::clamp<int64_t>(MsBetween(now_ms, issuer.deadline_ms), 1, UINT32_MAX / 2));
  request.reach = issuer.reach;
  transport.Start(std::move(request));
}

KeyStore::KeyStore(const Config& config, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
                   std::function<void(uint32_t issuer)> on_settled)
    : fresh_(std::make_unique<Fresh[]>(config.issuers.size())),
      state_(std::make_unique<State>(config, jitter_seed, blocks, std::move(on_settled))) {}

KeyStore::~KeyStore() = default;

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Create(const Config& config, uint64_t jitter_seed,
                                                           sync::ThreadBlocks& blocks,
                                                           std::function<void(uint32_t issuer)> on_settled) {
  if (config.issuers.size() > limits::kIssuersMax) return absl::InvalidArgumentError("issuers: too many");
  std::unique_ptr<KeyStore> store(new KeyStore(config, jitter_seed, blocks, std::move(on_settled)));
  State& state = *store->state_;
  size_t num_fetched = 0;
  for (const IssuerConfig& issuer : config.issuers) {
    Fresh& fresh = store->fresh_[state.issuers.size()];
    const absl::Status added = state.AddIssuer(issuer, store->generations_, fresh);
    if (!added.ok()) return added;
    if (state.issuers.back()->fetched) ++num_fetched;
  }
  AbsentKids::Secret secret;
  crypto::RandomBytes(secret);
  for (const auto& issuer : state.issuers) {
    if (!issuer->fetched) continue;
    issuer->absent.emplace(std::min(kAbsentKidsMax, kAbsentKidsOfAllMax / num_fetched),
                           state.timing.staleness_bound_ms, secret);
  }
  return store;
}

std::optional<uint32_t> KeyStore::FindIssuer(std::string_view issuer) const {
  const auto found = state_->positions.find(ToAbsl(issuer));
  if (found == state_->positions.end()) return std::nullopt;
  return found->second;
}

KeyStore::Standing KeyStore::StandingAt(uint32_t issuer, int64_t now_ms) const {
  const Issuer& at = *state_->issuers[issuer];
  Standing standing;
  if (!at.fetched) {
    standing.freshness = Freshness::kFresh;
    standing.ever_good = true;
    return standing;
  }
  const ScheduleState seen = at.Seen();
  standing.freshness = FreshnessAt(seen, state_->timing, now_ms);
  standing.ever_good = seen.last_good_ms != ScheduleState::kNever;
  if (standing.ever_good) standing.age_ms = MsBetween(seen.last_good_ms, now_ms);
  // Ordering: relaxed; a hint.
  if (!seen.in_flight)
    standing.retry_after_ms = MsBetween(now_ms, at.next_ms.load(std::memory_order_relaxed));
  return standing;
}

Reason KeyStore::Find(const sync::ReadScope& scope, uint32_t issuer, bool has_key_id, std::string_view key_id,
                      Algorithm algorithm, int64_t now_ms, const IssuerKey** key) {
  *key = nullptr;
  Issuer& at = *state_->issuers[issuer];
  if (at.fetched) {
    const ScheduleState seen = at.Seen();
    if (seen.last_good_ms == ScheduleState::kNever) return Reason::kKeysNeverFetched;
    if (FreshnessAt(seen, state_->timing, now_ms) == Freshness::kUnavailable) return Reason::kKeysTooStale;
  }
  Reason reason = at.set.Load(scope)->Select(has_key_id, key_id, algorithm, key);
  if (reason != Reason::kKeyUnknown || !at.fetched) return reason;

  std::unique_lock lock(at.mutex);
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
  const bool settled = at.absent->IsSettled(key_id, at.fetches, now_ms);
  // A settled one asks again only when the gate is open, so that no fetch follows the one that settled it by
  // itself.
  if (!settled || MsBetween(at.schedule.last_begin_ms, now_ms) >= state_->timing.cooldown_ms) {
    state_->Forced(at, std::move(lock));
  }
  return settled ? Reason::kKeyUnknown : Reason::kKeyPending;
}

const IssuerKey* KeyStore::FindByRef(const sync::ReadScope& scope, uint32_t issuer, KeyRef key) const {
  const KeySet* set = state_->issuers[issuer]->set.Load(scope);
  if (set == nullptr) return nullptr;
  const auto found =
      std::find_if(set->keys().begin(), set->keys().end(), [&](const IssuerKey& k) { return k.ref == key; });
  return found == set->keys().end() ? nullptr : &*found;
}

bool KeyStore::WaitsForFetch(uint32_t issuer) const { return state_->issuers[issuer]->fetched; }

std::vector<IssuerHealth> KeyStore::Health(int64_t now_ms) const {
  std::vector<IssuerHealth> all;
  all.reserve(state_->issuers.size());
  for (const auto& issuer : state_->issuers) {
    const std::lock_guard lock(issuer->mutex);
    IssuerHealth health;
    health.issuer = issuer->name;
    health.num_keys = issuer->num_keys;
    health.num_keys_skipped = issuer->num_keys_skipped;
    health.fetches = issuer->fetches;
    health.fetch_failures = issuer->fetch_failures;
    health.last_error = issuer->last_error;
    health.from_snapshot = issuer->from_snapshot;
    if (!issuer->fetched) {
      health.freshness = Freshness::kFresh;
      health.keys_age_ms = 0;
    } else {
      const ScheduleState& schedule = issuer->schedule;
      health.freshness = FreshnessAt(schedule, state_->timing, now_ms);
      if (schedule.last_good_ms != ScheduleState::kNever) {
        health.keys_age_ms = MsBetween(schedule.last_good_ms, now_ms);
      }
      health.consecutive_failures = schedule.failures;
      health.next_fetch_in_ms =
          schedule.in_flight ? 0 : MsBetween(now_ms, NextFetchMs(schedule, state_->timing));
    }
    all.push_back(std::move(health));
  }
  return all;
}

void KeyStore::SetWaker(std::function<void()> waker) { state_->waker = std::move(waker); }

void KeyStore::UseSnapshot(SnapshotKeeper& keeper) {
  State& state = *state_;
  state.keeper = &keeper;
  std::string bytes;
  std::vector<SnapshotEntry> entries;
  bool absent = false;
  const bool loaded = keeper.Load(&bytes, &entries, &absent);
  // A file that cannot be read now may be read another time: nobody knows what is in it.
  for (const auto& issuer : state.issuers) issuer->recorded.file_is_subset = loaded || absent;
  const Now now = keeper.clock().Read();
  for (const SnapshotEntry& entry : entries) keeper.Count(state.Restore(entry, now, generations_));
}

int64_t KeyStore::NextSnapshotMs() const {
  return state_->keeper == nullptr ? INT64_MAX : NextWriteMs(state_->writes, state_->timing);
}

int64_t KeyStore::RunSnapshot(int64_t now_ms) {
  if (NextSnapshotMs() <= now_ms) state_->WriteSnapshot(now_ms);
  return NextSnapshotMs();
}

int64_t KeyStore::RunDue(int64_t now_ms, Transport& transport) {
  State& state = *state_;
  int64_t next_ms = INT64_MAX;
  // These have their place among the exchanges already, and no gate of their own: they are one fetch.
  for (const uint32_t position : std::exchange(state.asking, {}))
    state.Ask(*state.issuers[position], now_ms, transport);
  for (size_t n = state.issuers.size(); n > 0; --n, ++state.turn) {
    const size_t i = state.turn %= state.issuers.size();
    Issuer& issuer = *state.issuers[i];
    if (!issuer.fetched) continue;
    // With all exchanges taken, the end of one of them brings us here again, to the issuer whose turn it is.
    if (state.in_flight >= kFetchesInFlightMax) return INT64_MAX;
    {
      const std::lock_guard lock(issuer.mutex);
      const int64_t due_ms = NextFetchMs(issuer.schedule, state.timing);
      if (due_ms > now_ms || issuer.schedule.in_flight) {
        next_ms = std::min(next_ms, due_ms);
        continue;
      }
      issuer.schedule = OnBegin(issuer.schedule, now_ms);
      ++issuer.fetches;
      issuer.Mirror(state.timing);
    }
    ++state.in_flight;
    issuer.source->Begin(now_ms);
    if (__builtin_add_overflow(now_ms, state.timing.fetch_timeout_ms, &issuer.deadline_ms))
      issuer.deadline_ms = INT64_MAX;
    state.Ask(issuer, now_ms, transport);
  }
  return next_ms;
}

void KeyStore::TakeIn(FetchResult result, int64_t now_ms) {
  State& state = *state_;
  const auto position = static_cast<uint32_t>(result.id % limits::kIssuersMax);
  if (position >= state.issuers.size()) return;
  Issuer& issuer = *state.issuers[position];
  // Ordering: relaxed; written by this thread.
  if (!issuer.in_flight.load(std::memory_order_relaxed) || result.id / limits::kIssuersMax != issuer.requests)
    return;

  absl::Status outcome;
  bool changed = false;
  if (!issuer.source->asks_for_keys()) {
    outcome = issuer.source->OnMetadata(result, now_ms);
    if (outcome.ok() && now_ms < issuer.deadline_ms) {
      state.asking.push_back(position);
      return;
    }
    if (outcome.ok())
      outcome = absl::DeadlineExceededError("metadata: no complete answer in time for the keys");
  } else if (result.outcome == FetchOutcome::kAnswered && result.http_status == 200) {
    outcome = state.TakeInSet(issuer, result, now_ms, generations_, &changed);
    issuer.source->OnKeys(outcome.ok());
  } else {
    // A 304 is the answer to our own If-None-Match: the set in hand is the issuer's still.
    const bool same = result.outcome == FetchOutcome::kAnswered && result.http_status == 304 &&
                      !issuer.source->etag().empty();
    if (!same) outcome = absl::UnavailableError(WhyFailed(result));
    issuer.source->OnKeys(same);
    if (same && state.keeper != nullptr) {
      issuer.recorded.last_good_ms = now_ms;
      state.writes.aged = true;
    }
  }
  --state.in_flight;

  {
    const std::lock_guard lock(issuer.mutex);
    if (outcome.ok()) {
      const int64_t max_age_s = result.max_age_s >= 0 ? result.max_age_s : issuer.max_age_s;
      issuer.schedule = OnGood(issuer.schedule, state.timing, now_ms, max_age_s, state.jitter.Next());
      issuer.absent->OnGood(issuer.fetches, changed);
      issuer.last_error.clear();
      issuer.from_snapshot = false;
    } else {
      issuer.schedule = OnFailure(issuer.schedule, state.timing, now_ms, state.jitter.Next());
      ++issuer.fetch_failures;
      issuer.last_error = std::string(outcome.message());
    }
    issuer.Mirror(state.timing);
  }
  if (state.on_settled) state.on_settled(position);
}

}  // namespace tollgate::keys
