// The KeyStore's beginning, and its control side.

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "keys/key_adoption.h"
#include "keys/key_source.h"
#include "keys/key_store.h"
#include "transport/url.h"

namespace tollgate::keys {
namespace {

// Room for issuers that come later, where the configuration does not say how many.
constexpr size_t kIssuersMaxDefault = 1024;
// Keys at a time for each issuer that there may be, on average.
constexpr size_t kKeySlotsPerIssuer = 16;
constexpr size_t kKeySlotsMin = 65'536;
// Absent kids remembered for one issuer, and for all of them together; but for one never less than a few.
constexpr size_t kAbsentKidsMax = 1024;
constexpr size_t kAbsentKidsMin = 4;
constexpr size_t kAbsentKidsOfAllMax = 65'536;

absl::string_view ToAbsl(std::string_view text) { return {text.data(), text.size()}; }

}  // namespace

size_t KeyStore::IssuersMax(const Config& config) {
  if (config.issuers_max != 0) return std::min(config.issuers_max, limits::kIssuersMax);
  return std::max(config.issuers.size(), kIssuersMaxDefault);
}

KeyStore::KeyStore(const Config& config, uint64_t jitter_seed, sync::ThreadBlocks& blocks,
                   std::function<void(uint32_t issuer)> on_settled, Outside outside)
    : timing_(config.timing),
      loopback_(config.dangerous.dangerous_allow_http_on_loopback),
      issuers_max_(IssuersMax(config)),
      blocks_(blocks),
      on_settled_(std::move(on_settled)),
      generations_(std::max(kKeySlotsMin, kKeySlotsPerIssuer * issuers_max_)),
      issuers_(issuers_max_, blocks),
      book_(timing_, blocks, generations_, issuers_),
      fetcher_(timing_, jitter_seed, blocks, generations_, issuers_, book_, on_settled_,
               outside.files == nullptr ? SystemFiles() : *outside.files,
               outside.clock == nullptr ? SystemClock() : *outside.clock) {
  crypto::RandomBytes(absent_kids_secret_);
}

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Create(const Config& config, uint64_t jitter_seed,
                                                           sync::ThreadBlocks& blocks,
                                                           std::function<void(uint32_t issuer)> on_settled,
                                                           Outside outside) {
  if (config.issuers.size() > std::min(IssuersMax(config), limits::kIssuersMax))
    return absl::InvalidArgumentError("issuers: too many");
  std::unique_ptr<KeyStore> store(new KeyStore(config, jitter_seed, blocks, std::move(on_settled), outside));
  absl::flat_hash_set<absl::string_view> names;
  std::vector<std::unique_ptr<Issuer>> issuers;
  for (const IssuerConfig& issuer : config.issuers) {
    const std::string where = absl::StrCat("issuers[", issuers.size(), "]");
    if (!names.insert(issuer.issuer).second)
      return absl::InvalidArgumentError(absl::StrCat(where, ".issuer: is named twice"));
    auto built = store->Build(issuer, where);
    if (!built.ok()) return built.status();
    issuers.push_back(*std::move(built));
  }
  for (const auto& issuer : issuers) {
    store->Count(*issuer, 1);
    if (issuer->fetched) store->fetcher_.Begin(*issuer);
  }
  store->issuers_.Publish(issuers);
  return store;
}

// Build makes an issuer with everything but the keys that are to be fetched. An error begins with `where`,
// and then nothing is left of it.
absl::StatusOr<std::unique_ptr<Issuer>> KeyStore::Build(const IssuerConfig& config, std::string_view where) {
  const auto error = [where](std::string_view setting, std::string_view why) {
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(where), ToAbsl(setting), ": ", ToAbsl(why)));
  };
  if (config.issuer.empty()) return error(".issuer", "is empty");
  if (const absl::Status places = CheckKeyPlaces(config); !places.ok())
    return error("", std::string(places.message()));

  std::optional<KeySource> source;
  jose::JwkSet configured;
  const transport::FetchRules rules{.reach = config.private_network ? Reach::kPrivate : Reach::kPublic,
                                    .loopback = loopback_};
  if (config.jwks.empty()) {
    absl::StatusOr<KeySource> made = KeySource::Make(config, rules, timing_.metadata_age_max_ms);
    if (!made.ok())
      return absl::InvalidArgumentError(absl::StrCat(ToAbsl(where), ".", made.status().message()));
    source = *std::move(made);
  } else {
    auto parsed = jose::ParseJwkSet(config.jwks);
    if (!parsed.ok()) return error(".jwks", std::string(parsed.status().message()));
    if (parsed->keys.empty()) return error(".jwks", "has no usable key");
    configured = *std::move(parsed);
  }

  std::unique_ptr<Issuer> issuer = issuers_.Make(config.issuer);
  if (issuer == nullptr) return absl::ResourceExhaustedError("issuers_max: there are as many issuers");
  issuer->fetched = source.has_value();
  issuer->source = std::move(source);
  issuer->reach = rules.reach;
  if (issuer->fetched) return issuer;
  auto keys =
      AdoptKeys(issuer->position, nullptr, std::move(configured), generations_, &issuer->num_keys_skipped);
  if (!keys) {
    issuers_.Free(issuer->position);
    return absl::ResourceExhaustedError("issuers: have too many keys in all");
  }
  issuer->num_keys = static_cast<uint32_t>(keys->size());
  issuer->set.Replace(std::make_unique<KeySet>(*std::move(keys)), blocks_);
  // Ordering: relaxed; nobody else has the issuer yet.
  issuer->fresh.until_ms.store(INT64_MAX, std::memory_order_relaxed);
  return issuer;
}

// Count keeps what one issuer may remember of absent kids within what all may.
void KeyStore::Count(const Issuer& issuer, int by) {
  if (issuer.fetched) num_fetched_ += static_cast<size_t>(by);
  const size_t share = kAbsentKidsOfAllMax / std::max<size_t>(num_fetched_, 1);
  // Ordering: relaxed; a bound, which may be a moment old where it is read.
  absent_kids_max_.store(static_cast<uint32_t>(std::clamp(share, kAbsentKidsMin, kAbsentKidsMax)),
                         std::memory_order_relaxed);
}

absl::Status KeyStore::AddIssuer(const IssuerConfig& config, Hook prepare) {
  {
    const std::lock_guard lock(mutex_);
    if (issuers_.Own(config.issuer) != nullptr)
      return absl::AlreadyExistsError("issuer: is configured already");
    if (issuers_.size() >= issuers_max_)
      return absl::ResourceExhaustedError("issuers_max: there are as many issuers");
    auto built = Build(config, "issuer");
    if (!built.ok()) return built.status();
    Count(**built, 1);
    book_.OnAdd(**built);
    prepare((*built)->position);
    if ((*built)->fetched) fetcher_.Begin(**built);
    std::array issuers = {*std::move(built)};
    issuers_.Publish(issuers);
  }
  if (waker_) waker_();
  return absl::OkStatus();
}

// TakeOver gives `issuer`, which nobody else has yet, the keys of `old`, if they come from the same place.
bool KeyStore::TakeOver(Issuer& old, Issuer& issuer) {
  if (!old.fetched || !issuer.fetched || old.reach != issuer.reach || !issuer.source->SamePlace(*old.source))
    return false;
  const KeySet* old_set = nullptr;
  {
    // Only this side replaces the set, and it does not before the end of this call.
    const sync::ReadScope scope(blocks_);
    old_set = old.set.Load(scope);
  }
  std::vector<IssuerKey> keys;
  bool all = true;
  for (const IssuerKey& old_key : KeysOf(old_set)) {
    IssuerKey key = old_key;
    // One that is listed twice is one key.
    const auto twin =
        std::find_if(keys.begin(), keys.end(), [&](const IssuerKey& k) { return k.jwk == key.jwk; });
    const std::optional<KeyRef> ref = twin != keys.end() ? twin->ref : generations_.Acquire(issuer.position);
    all = all && ref.has_value();
    if (!ref) continue;
    key.ref = *ref;
    keys.push_back(std::move(key));
  }
  const std::lock_guard lock(old.mutex);
  issuer.schedule = old.schedule;
  // An answer that is on its way comes to nothing: its fetch begins again, for whoever waits for it.
  issuer.schedule.forced = issuer.schedule.forced || issuer.schedule.in_flight;
  issuer.schedule.in_flight = false;
  issuer.fetches = old.fetches;
  issuer.fetch_failures = old.fetch_failures;
  issuer.last_error = old.last_error;
  issuer.from_snapshot = old.from_snapshot;
  issuer.absent = std::move(old.absent);
  issuer.key_place = old.key_place;
  issuer.source->Continue(*old.source);
  issuer.max_age_s = old.max_age_s;
  issuer.num_keys = static_cast<uint32_t>(keys.size());
  issuer.num_keys_skipped = old.num_keys_skipped + old.num_keys - issuer.num_keys;
  if (!all) {
    // Keys that found no free slot must come again.
    issuer.source->set_etag("");
    if (old.recorded != nullptr) old.recorded->text_has_more = true;
  }
  if (old_set != nullptr) issuer.set.Replace(std::make_unique<KeySet>(std::move(keys)), blocks_);
  issuer.Mirror(*old.planned_by);
  return true;
}

void KeyStore::Retire(const Issuer& issuer) {
  const sync::ReadScope scope(blocks_);
  for (const IssuerKey& key : KeysOf(issuer.set.Load(scope))) generations_.Retire(key.ref);
}

// End ends an issuer that no name leads to any more.
void KeyStore::End(Issuer& issuer, Hook release) {
  const uint32_t position = issuer.position;
  Retire(issuer);
  fetcher_.Forget(issuer);
  // Who waits for its keys looks again.
  if (on_settled_) on_settled_(position);
  if (!issuers_.Destroy(position)) return;
  release(position);
  issuers_.Free(position);
}

absl::Status KeyStore::ChangeIssuer(const IssuerConfig& config, Hook prepare, Hook release) {
  {
    const std::lock_guard lock(mutex_);
    Issuer* const old = issuers_.Own(config.issuer);
    if (old == nullptr) return absl::NotFoundError("the issuer is not configured");
    auto built = Build(config, "issuer");
    if (!built.ok()) return built.status();
    Issuer& issuer = **built;
    book_.OnChange(*old, issuer, TakeOver(*old, issuer));
    Count(*old, -1);
    Count(issuer, 1);
    prepare(issuer.position);
    if (issuer.fetched) fetcher_.Begin(issuer);
    fetcher_.TellMetadata(issuer);
    std::array issuers = {*std::move(built)};
    issuers_.Publish(issuers);
    End(*old, release);
  }
  if (waker_) waker_();
  return absl::OkStatus();
}

absl::Status KeyStore::RemoveIssuer(std::string_view name, Hook release) {
  {
    const std::lock_guard lock(mutex_);
    Issuer* const issuer = issuers_.Own(name);
    if (issuer == nullptr) return absl::NotFoundError("the issuer is not configured");
    issuers_.Unpublish(name);
    book_.OnRemove(*issuer);
    Count(*issuer, -1);
    End(*issuer, release);
  }
  if (waker_) waker_();
  return absl::OkStatus();
}

}  // namespace tollgate::keys
