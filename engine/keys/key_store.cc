#include "keys/key_store.h"

#include <algorithm>
#include <string>

#include "absl/strings/str_cat.h"
#include "base/limits.h"
#include "base/saturating.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "keys/absent_kids.h"
#include "keys/issuer_metadata.h"
#include "keys/key_adoption.h"
#include "keys/key_source.h"
#include "keys/refresh_schedule.h"
#include "transport/url.h"

namespace tollgate::keys {
namespace {

// Absent kids remembered for one issuer, and for all of them together.
constexpr size_t kAbsentKidsMax = 1024;
constexpr size_t kAbsentKidsOfAllMax = 65'536;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

int64_t MsBetween(int64_t from_ms, int64_t to_ms) {
  return std::max<int64_t>(saturating::Minus(to_ms, from_ms), 0);
}

}  // namespace

KeyStore::KeyStore(const Config& config, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
                   std::function<void(uint32_t issuer)> on_settled)
    : timing_(config.timing),
      loopback_(config.dangerous.dangerous_allow_http_on_loopback),
      blocks_(blocks),
      issuers_(config.issuers.size()),
      book_(timing_, blocks, generations_, issuers_),
      fetcher_(timing_, jitter_seed, blocks, generations_, issuers_, book_, std::move(on_settled)) {}

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Create(const Config& config, uint64_t jitter_seed,
                                                           sync::ThreadBlocks& blocks,
                                                           std::function<void(uint32_t issuer)> on_settled) {
  if (config.issuers.size() > limits::kIssuersMax) return absl::InvalidArgumentError("issuers: too many");
  std::unique_ptr<KeyStore> store(new KeyStore(config, jitter_seed, blocks, std::move(on_settled)));
  size_t num_fetched = 0;
  for (const IssuerConfig& issuer : config.issuers) {
    const absl::Status added = store->AddIssuer(issuer);
    if (!added.ok()) return added;
    if (store->issuers_.all().back()->fetched) ++num_fetched;
  }
  AbsentKids::Secret secret;
  crypto::RandomBytes(secret);
  for (const auto& issuer : store->issuers_.all()) {
    if (!issuer->fetched) continue;
    issuer->absent.emplace(std::min(kAbsentKidsMax, kAbsentKidsOfAllMax / num_fetched),
                           store->timing_.staleness_bound_ms, secret);
  }
  return store;
}

absl::Status KeyStore::AddIssuer(const IssuerConfig& config) {
  const auto error = [position = issuers_.size()](std::string_view setting, std::string_view why) {
    return absl::InvalidArgumentError(
        absl::StrCat("issuers[", position, "]", ToAbsl(setting), ": ", ToAbsl(why)));
  };
  if (config.issuer.empty()) return error(".issuer", "is empty");
  if ((config.jwks_uri.empty() ? 0 : 1) + (config.jwks.empty() ? 0 : 1) + (config.discovery ? 1 : 0) != 1)
    return error("", "needs exactly one of jwks_uri, jwks and discovery");
  if (issuers_.Find(config.issuer)) return error(".issuer", "is named twice");

  std::optional<KeySource> source;
  const transport::FetchRules rules{.reach = config.private_network ? Reach::kPrivate : Reach::kPublic,
                                    .loopback = loopback_};
  if (config.discovery) {
    std::vector<std::string> hosts = config.discovery_hosts;
    const std::vector<std::string>& usual = config.profile.discovery_hosts;
    hosts.insert(hosts.end(), usual.begin(), usual.end());
    auto metadata_rules = MakeMetadataRules(config.issuer, hosts, rules);
    if (!metadata_rules.ok()) {
      return absl::InvalidArgumentError(
          absl::StrCat("issuers[", issuers_.size(), "].", metadata_rules.status().message()));
    }
    source.emplace(*std::move(metadata_rules), timing_.metadata_age_max_ms);
  } else if (config.jwks.empty()) {
    const absl::Status allowed = transport::CheckFetchUrl(config.jwks_uri, rules);
    if (!allowed.ok()) return error(".jwks_uri", std::string(allowed.message()));
    source.emplace(config.jwks_uri);
  }
  jose::JwkSet configured;
  if (!source) {
    auto parsed = jose::ParseJwkSet(config.jwks);
    if (!parsed.ok()) return error(".jwks", std::string(parsed.status().message()));
    if (parsed->keys.empty()) return error(".jwks", "has no usable key");
    configured = *std::move(parsed);
  }

  Issuer& issuer = *issuers_.Add(config.issuer);
  issuer.fetched = source.has_value();
  issuer.source = std::move(source);
  issuer.reach = rules.reach;
  if (issuer.fetched) {
    fetcher_.Plan(issuer);
    return absl::OkStatus();
  }
  auto keys =
      AdoptKeys(issuer.position, nullptr, std::move(configured), generations_, &issuer.num_keys_skipped);
  if (!keys) return absl::ResourceExhaustedError("issuers: have too many keys");
  issuer.num_keys = static_cast<uint32_t>(keys->size());
  issuer.set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks_);
  // Ordering: relaxed; nobody else has the store yet.
  issuer.fresh.until_ms.store(INT64_MAX, std::memory_order_relaxed);
  return absl::OkStatus();
}

// Forced asks for a fetch through the gate, and wakes the background side if that moves the next one forward.
void KeyStore::Forced(Issuer& issuer, std::unique_lock<std::mutex> lock) {
  if (issuer.schedule.forced) return;
  const int64_t planned_ms = NextFetchMs(issuer.schedule, timing_);
  issuer.schedule.forced = true;
  issuer.Mirror(timing_);
  const bool earlier = NextFetchMs(issuer.schedule, timing_) < planned_ms;
  lock.unlock();
  if (!earlier) return;
  fetcher_.Hasten(issuer.position);
  if (waker_) waker_();
}

KeyStore::Standing KeyStore::StandingAt(uint32_t issuer, int64_t now_ms) const {
  const Issuer& at = issuers_.At(issuer);
  Standing standing;
  if (!at.fetched) {
    standing.freshness = Freshness::kFresh;
    standing.ever_good = true;
    return standing;
  }
  const ScheduleState seen = at.Seen();
  standing.freshness = FreshnessAt(seen, timing_, now_ms);
  standing.ever_good = seen.last_good_ms != ScheduleState::kNever;
  if (standing.ever_good) standing.age_ms = MsBetween(seen.last_good_ms, now_ms);
  // Ordering: relaxed; a hint.
  standing.retry_after_ms = MsBetween(now_ms, at.next_ms.load(std::memory_order_relaxed));
  return standing;
}

Reason KeyStore::Find(const sync::ReadScope& scope, uint32_t issuer, bool has_key_id, std::string_view key_id,
                      Algorithm algorithm, int64_t now_ms, const IssuerKey** key) {
  *key = nullptr;
  Issuer& at = issuers_.At(issuer);
  if (at.fetched) {
    const ScheduleState seen = at.Seen();
    if (seen.last_good_ms == ScheduleState::kNever) return Reason::kKeysNeverFetched;
    if (FreshnessAt(seen, timing_, now_ms) == Freshness::kUnavailable) return Reason::kKeysTooStale;
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
  if (!settled || MsBetween(at.schedule.last_begin_ms, now_ms) >= timing_.cooldown_ms) {
    Forced(at, std::move(lock));
  }
  return settled ? Reason::kKeyUnknown : Reason::kKeyPending;
}

const IssuerKey* KeyStore::FindByRef(const sync::ReadScope& scope, uint32_t issuer, KeyRef key) const {
  const std::vector<IssuerKey>& keys = KeysOf(issuers_.At(issuer).set.Load(scope));
  const auto found = std::find_if(keys.begin(), keys.end(), [&](const IssuerKey& k) { return k.ref == key; });
  return found == keys.end() ? nullptr : &*found;
}

bool KeyStore::WaitsForFetch(uint32_t issuer) const { return issuers_.At(issuer).fetched; }

std::vector<IssuerHealth> KeyStore::Health(int64_t now_ms) const {
  std::vector<IssuerHealth> all;
  all.reserve(issuers_.size());
  for (const auto& issuer : issuers_.all()) {
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
      health.freshness = FreshnessAt(schedule, timing_, now_ms);
      if (schedule.last_good_ms != ScheduleState::kNever) {
        health.keys_age_ms = MsBetween(schedule.last_good_ms, now_ms);
      }
      health.consecutive_failures = schedule.failures;
      health.next_fetch_in_ms = MsBetween(now_ms, issuer->NextRequestMs(timing_));
    }
    all.push_back(std::move(health));
  }
  return all;
}

void KeyStore::SetWaker(std::function<void()> waker) { waker_ = std::move(waker); }

}  // namespace tollgate::keys
