// The KeyStore's beginning, and its control side.

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/tenants.h"
#include "crypto/digest.h"
#include "jose/jwk.h"
#include "keys/issuer_family.h"
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

absl::Status TooMany() { return absl::ResourceExhaustedError("issuers_max: there are as many issuers"); }

absl::Status TenantAlone() {
  return absl::InvalidArgumentError("issuer: is a tenant of a template, whose list of tenants has it");
}

}  // namespace

size_t KeyStore::IssuersMax(const Config& config) {
  if (config.issuers_max != 0) return std::min(config.issuers_max, limits::kIssuersMax);
  return std::clamp(NumIssuers(config), kIssuersMaxDefault, limits::kIssuersMax);
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
      follower_(timing_, blocks, generations_, issuers_),
      fetcher_(timing_, jitter_seed, blocks, generations_, issuers_, book_, on_settled_,
               outside.files == nullptr ? SystemFiles() : *outside.files,
               outside.clock == nullptr ? SystemClock() : *outside.clock) {
  crypto::RandomBytes(absent_kids_secret_);
}

absl::StatusOr<std::unique_ptr<KeyStore>> KeyStore::Create(const Config& config, uint64_t jitter_seed,
                                                           sync::ThreadBlocks& blocks,
                                                           std::function<void(uint32_t issuer)> on_settled,
                                                           Outside outside) {
  if (NumIssuers(config) > IssuersMax(config)) return absl::InvalidArgumentError("issuers: too many");
  std::unique_ptr<KeyStore> store(new KeyStore(config, jitter_seed, blocks, std::move(on_settled), outside));
  absl::flat_hash_set<std::string> names;
  std::vector<std::unique_ptr<Issuer>> issuers;
  for (const IssuerConfig& issuer : config.issuers) {
    const std::string where = absl::StrCat("issuers[", issuers.size(), "]");
    auto built = store->Build(issuer, where);
    if (!built.ok()) return built.status();
    bool is_new = issuer.tenants.empty() || names.insert(issuer.issuer).second;
    for (std::string& name : NamesOf(issuer)) is_new &= names.insert(std::move(name)).second;
    if (!is_new) return absl::InvalidArgumentError(absl::StrCat(where, ".issuer: is named twice"));
    issuers.push_back(*std::move(built));
  }
  for (const auto& issuer : issuers) {
    store->Count(*issuer, 1);
    if (issuer->fetched) store->fetcher_.Begin(*issuer);
  }
  for (size_t i = 0; i < config.issuers.size(); ++i) {
    for (const std::string& tenant : config.issuers[i].tenants)
      issuers.push_back(store->BuildTenant(*issuers[i], tenant));
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
  if (const absl::Status tenants = CheckTenants(config); !tenants.ok())
    return absl::InvalidArgumentError(absl::StrCat(ToAbsl(where), ".", tenants.message()));
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
    const std::string& key_issuer = config.profile.key_issuer;
    if (IsTemplate(config.issuer)) SkipForeign(key_issuer.empty() ? config.issuer : key_issuer, &*parsed);
    if (parsed->keys.empty()) return error(".jwks", "has no usable key");
    configured = *std::move(parsed);
  }

  std::unique_ptr<Issuer> issuer = issuers_.Make(config.issuer);
  if (issuer == nullptr) return TooMany();
  issuer->fetched = source.has_value();
  issuer->source = std::move(source);
  issuer->reach = rules.reach;
  if (issuer->is_template) issuer->key_issuer = config.profile.key_issuer;
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

// BuildTenant makes the issuer of one of the family's tenants, with what keys the family has for it. Null if
// there is no position for it.
std::unique_ptr<Issuer> KeyStore::BuildTenant(Issuer& family, std::string_view tenant) {
  std::unique_ptr<Issuer> issuer = issuers_.Make(ForTenant(family.name, tenant));
  if (issuer == nullptr) return nullptr;
  issuer->family = &family;
  issuer->fetched = family.fetched;
  issuer->key_issuer = ForTenant(family.key_issuer, tenant);
  const KeySet* family_set = nullptr;
  {
    // Only this side replaces the set, and it does not before the end of this call.
    const sync::ReadScope scope(blocks_);
    family_set = family.set.Load(scope);
  }
  if (family_set != nullptr) {
    size_t num_lacking = 0;
    std::vector<IssuerKey> keys = ShareKeys(*issuer, family_set->keys(), nullptr, generations_, &num_lacking);
    issuer->set.Replace(std::make_unique<KeySet>(std::move(keys)), blocks_);
    const std::lock_guard lock(family.mutex);
    family.num_keys_lacking += static_cast<uint32_t>(num_lacking);
  }
  family.MirrorTo(*issuer);
  family.tenants.push_back(issuer.get());
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

// CheckFree: nobody has the issuer's names but `old`, in whose place it comes, and there is room for it.
absl::Status KeyStore::CheckFree(const IssuerConfig& config, const Issuer* old) const {
  for (const std::string& name : NamesOf(config)) {
    const Issuer* const holder = issuers_.Own(name);
    if (holder != nullptr && (old == nullptr || &holder->Head() != old))
      return absl::AlreadyExistsError("issuer: is configured already");
  }
  const size_t num_old = old == nullptr ? 0 : 1 + old->tenants.size();
  return issuers_.size() - num_old + NumIssuers(config) > issuers_max_ ? TooMany() : absl::OkStatus();
}

absl::Status KeyStore::AddIssuer(const IssuerConfig& config, Prepare prepare) {
  {
    const std::lock_guard lock(mutex_);
    if (issuers_.Own(config.issuer) != nullptr)
      return absl::AlreadyExistsError("issuer: is configured already");
    if (absl::Status free = CheckFree(config, nullptr); !free.ok()) return free;
    if (issuers_.room() < NumIssuers(config)) return TooMany();
    auto built = Build(config, "issuer");
    if (!built.ok()) return built.status();
    Issuer& issuer = **built;
    Count(issuer, 1);
    book_.OnAdd(issuer);
    std::vector<std::unique_ptr<Issuer>> issuers;
    issuers.push_back(*std::move(built));
    if (!issuer.is_template) prepare(issuer.position, "");
    if (issuer.fetched) fetcher_.Begin(issuer);
    for (const std::string& tenant : config.tenants) {
      issuers.push_back(BuildTenant(issuer, tenant));
      prepare(issuers.back()->position, tenant);
    }
    issuers_.Publish(issuers);
    LookAgain();
  }
  if (waker_) waker_();
  return absl::OkStatus();
}

// LookAgain: the shared snapshot may have what somebody needs who was not there at the last look.
void KeyStore::LookAgain() {
  if (!follows_) return;
  shared_->Forget();
  look_ms_ = ScheduleState::kNever;
}

// TakeOver gives `issuer`, which nobody else has yet, the keys of `old`, if they come from the same place.
bool KeyStore::TakeOver(Issuer& old, Issuer& issuer) {
  if (!old.fetched || !issuer.fetched || old.reach != issuer.reach || !issuer.source->SamePlace(*old.source))
    return false;
  // Other ones of its keys would count.
  if (old.key_issuer != issuer.key_issuer) return false;
  const KeySet* old_set = nullptr;
  {
    // Only this side replaces the set, and it does not before the end of this call.
    const sync::ReadScope scope(blocks_);
    old_set = old.set.Load(scope);
  }
  size_t num_lacking = 0;
  std::vector<IssuerKey> keys = ShareKeys(issuer, KeysOf(old_set), nullptr, generations_, &num_lacking);
  const std::lock_guard lock(old.mutex);
  issuer.schedule = old.schedule;
  // An answer that is on its way comes to nothing: its fetch begins again, for whoever waits for it.
  issuer.schedule.forced = issuer.schedule.forced || issuer.schedule.in_flight;
  issuer.schedule.in_flight = false;
  issuer.fetches = old.fetches;
  issuer.num_looks = old.num_looks;
  issuer.looked_ms = old.looked_ms;
  issuer.followed_wall_s = old.followed_wall_s;
  issuer.followed_ms = old.followed_ms;
  issuer.fetch_failures = old.fetch_failures;
  issuer.last_error = old.last_error;
  issuer.from_snapshot = old.from_snapshot;
  issuer.absent = std::move(old.absent);
  issuer.key_place = old.key_place;
  issuer.source->Continue(*old.source);
  issuer.max_age_s = old.max_age_s;
  issuer.num_keys = static_cast<uint32_t>(keys.size());
  issuer.num_keys_skipped = old.num_keys_skipped + old.num_keys - issuer.num_keys;
  if (num_lacking != 0) {
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
  const bool is_template = issuer.is_template;
  Retire(issuer);
  fetcher_.Forget(issuer);
  // Who waits for its keys looks again.
  if (on_settled_) on_settled_(position);
  if (!issuers_.Destroy(position)) return;
  if (!is_template) release(position);
  issuers_.Free(position);
}

// ReplaceTenants puts `family`, with these tenants, in the place of `old`, one tenant after the other, since
// there may be no room for all of them twice.
absl::Status KeyStore::ReplaceTenants(const Issuer& old, Issuer& family,
                                      const std::vector<std::string>& tenants, Prepare prepare,
                                      Hook release) {
  absl::flat_hash_map<std::string, Issuer*> staying, going;
  for (Issuer* const tenant : old.tenants) going.emplace(tenant->name, tenant);
  for (const std::string& tenant : tenants) {
    if (auto node = going.extract(ForTenant(family.name, tenant))) staying.insert(std::move(node));
  }
  const auto end = [&](const absl::flat_hash_map<std::string, Issuer*>& all) {
    for (const auto& [name, tenant] : all) {
      issuers_.Unpublish(name);
      End(*tenant, release);
    }
  };
  end(going);
  for (const std::string& tenant : tenants) {
    std::unique_ptr<Issuer> issuer = BuildTenant(family, tenant);
    if (issuer == nullptr) {
      // Where readers could not be waited for, positions are lost. Who has none is not served.
      end(staying);
      return TooMany();
    }
    const std::string name = issuer->name;
    prepare(issuer->position, tenant);
    issuers_.Publish({&issuer, 1});
    const auto before = staying.find(name);
    if (before == staying.end()) continue;
    End(*before->second, release);
    staying.erase(before);
  }
  return absl::OkStatus();
}

absl::Status KeyStore::ChangeIssuer(const IssuerConfig& config, Prepare prepare, Hook release) {
  absl::Status status;
  {
    const std::lock_guard lock(mutex_);
    Issuer* const old = issuers_.Own(config.issuer);
    if (old == nullptr) return absl::NotFoundError("the issuer is not configured");
    if (old->family != nullptr) return TenantAlone();
    if (absl::Status free = CheckFree(config, old); !free.ok()) return free;
    auto built = Build(config, "issuer");
    if (!built.ok()) return built.status();
    Issuer& issuer = **built;
    book_.OnChange(*old, issuer, TakeOver(*old, issuer));
    Count(*old, -1);
    Count(issuer, 1);
    if (!issuer.is_template) prepare(issuer.position, "");
    if (issuer.fetched) fetcher_.Begin(issuer);
    fetcher_.TellMetadata(issuer);
    std::array issuers = {*std::move(built)};
    issuers_.Publish(issuers);
    status = ReplaceTenants(*old, issuer, config.tenants, prepare, release);
    End(*old, release);
    LookAgain();
  }
  if (waker_) waker_();
  return status;
}

absl::Status KeyStore::RemoveIssuer(std::string_view name, Hook release) {
  {
    const std::lock_guard lock(mutex_);
    Issuer* const issuer = issuers_.Own(name);
    if (issuer == nullptr) return absl::NotFoundError("the issuer is not configured");
    if (issuer->family != nullptr) return TenantAlone();
    for (Issuer* const tenant : issuer->tenants) {
      issuers_.Unpublish(tenant->name);
      End(*tenant, release);
    }
    issuers_.Unpublish(name);
    book_.OnRemove(*issuer);
    Count(*issuer, -1);
    End(*issuer, release);
  }
  if (waker_) waker_();
  return absl::OkStatus();
}

}  // namespace tollgate::keys
