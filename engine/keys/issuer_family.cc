#include "keys/issuer_family.h"

#include <algorithm>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"
#include "base/tenants.h"
#include "keys/key_adoption.h"

namespace tollgate::keys {
namespace {

absl::Status Refuse(const char* why) { return absl::InvalidArgumentError(why); }

// IsTenantId: it may stand in a URL as it is, and in no path does it lead upwards.
bool IsTenantId(std::string_view text) {
  const auto is_alphanumeric = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  return std::any_of(text.begin(), text.end(), is_alphanumeric) &&
         std::all_of(text.begin(), text.end(),
                     [&](char c) { return is_alphanumeric(c) || c == '-' || c == '.' || c == '_'; });
}

// IsOfFamily: the text is the template, or what one of its tenants would be called.
bool IsOfFamily(std::string_view text, std::string_view issuer_template) {
  const size_t at = issuer_template.find(kTenantPlaceholder);
  const std::string_view head = issuer_template.substr(0, at);
  const std::string_view tail = issuer_template.substr(at + kTenantPlaceholder.size());
  if (text.size() <= head.size() + tail.size() || !text.starts_with(head) || !text.ends_with(tail))
    return false;
  const std::string_view tenant = text.substr(head.size(), text.size() - head.size() - tail.size());
  return tenant == kTenantPlaceholder || IsTenantId(tenant);
}

bool SameRefs(const std::vector<IssuerKey>& some, const std::vector<IssuerKey>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                    [](const IssuerKey& a, const IssuerKey& b) { return a.ref == b.ref; });
}

}  // namespace

absl::Status CheckTenants(const IssuerConfig& config) {
  if (!IsTemplate(config.issuer)) {
    return config.tenants.empty() ? absl::OkStatus()
                                  : Refuse("tenants: the issuer has no {tenantid} for them");
  }
  const auto has_one = [](std::string_view text) {
    return IsTemplate(text) && text.find(kTenantPlaceholder) == text.rfind(kTenantPlaceholder);
  };
  if (!has_one(config.issuer)) return Refuse("issuer: has {tenantid} more than once");
  if (!config.profile.key_issuer.empty() && !has_one(config.profile.key_issuer))
    return Refuse("profile.key_issuer: must have {tenantid} once");
  if (config.tenants.empty()) return Refuse("tenants: the issuer has {tenantid}, and no tenant is allowed");
  absl::flat_hash_set<absl::string_view> ids;
  for (const std::string& tenant : config.tenants) {
    if (!IsTenantId(tenant))
      return Refuse("tenants: an id has lower-case letters, digits, '-', '.' and '_', and nothing else");
    if (config.issuer.size() + tenant.size() > limits::kIssuerBytesMax)
      return Refuse("tenants: an id is too long");
    if (!ids.insert(tenant).second) return Refuse("tenants: one is named twice");
  }
  if (config.discovery && !IsTenantId(config.metadata_tenant))
    return Refuse("metadata_tenant: is no tenant's id");
  return absl::OkStatus();
}

std::vector<std::string> NamesOf(const IssuerConfig& config) {
  if (config.tenants.empty()) return {config.issuer};
  std::vector<std::string> names;
  names.reserve(config.tenants.size());
  for (const std::string& tenant : config.tenants) names.push_back(ForTenant(config.issuer, tenant));
  return names;
}

size_t NumIssuers(const IssuerConfig& config) { return 1 + config.tenants.size(); }

size_t NumIssuers(const Config& config) {
  size_t num_issuers = 0;
  for (const IssuerConfig& issuer : config.issuers) num_issuers += NumIssuers(issuer);
  return num_issuers;
}

void SkipForeign(std::string_view key_issuer, jose::JwkSet* set) {
  const auto foreign = std::stable_partition(set->keys.begin(), set->keys.end(), [&](const jose::Jwk& jwk) {
    return IsOfFamily(jwk.issuer, key_issuer);
  });
  for (auto key = foreign; key != set->keys.end(); ++key)
    set->skipped.push_back({0, "its issuer is none of the template's"});
  set->keys.erase(foreign, set->keys.end());
}

// They are compared as they are, and the template is not filled in: nothing that stands in a key set is a
// pattern.
bool IsForTenant(const jose::Jwk& jwk, std::string_view tenant, std::string_view family) {
  return jwk.issuer == tenant || jwk.issuer == family;
}

std::vector<IssuerKey> ShareKeys(const Issuer& issuer, const std::vector<IssuerKey>& keys,
                                 const KeySet* old_set, KeyGenerations& generations, size_t* num_lacking) {
  std::vector<IssuerKey> shared;
  for (const IssuerKey& key : keys) {
    if (issuer.family != nullptr && !IsForTenant(*key.jwk, issuer.KeyIssuer(), issuer.family->KeyIssuer()))
      continue;
    // One that is listed twice is one key.
    const auto find = [&key](const std::vector<IssuerKey>& among) -> std::optional<KeyRef> {
      const auto same = [&key](const IssuerKey& other) { return other.jwk == key.jwk; };
      const auto found = std::find_if(among.begin(), among.end(), same);
      return found == among.end() ? std::nullopt : std::optional(found->ref);
    };
    std::optional<KeyRef> ref = find(shared);
    if (!ref) ref = find(KeysOf(old_set));
    if (!ref) ref = generations.Acquire(issuer.position);
    if (ref) {
      shared.push_back({.jwk = key.jwk, .thumbprint = key.thumbprint, .ref = *ref});
    } else {
      ++*num_lacking;
    }
  }
  return shared;
}

void ShareOut(Issuer& family, KeyGenerations& generations, sync::ThreadBlocks& blocks) {
  // Only this side replaces sets, so that those that are looked at here outlive the scope.
  const auto set_of = [&blocks](const Issuer& issuer) {
    const sync::ReadScope scope(blocks);
    return issuer.set.Load(scope);
  };
  const std::vector<IssuerKey>& family_keys = KeysOf(set_of(family));
  std::vector<std::unique_ptr<const KeySet>> old_sets;
  std::vector<KeyRef> gone;
  size_t num_lacking = 0;
  for (Issuer* const tenant : family.tenants) {
    const KeySet* const old_set = set_of(*tenant);
    auto keys = ShareKeys(*tenant, family_keys, old_set, generations, &num_lacking);
    if (old_set != nullptr && SameRefs(keys, old_set->keys())) continue;
    for (const IssuerKey& old : KeysOf(old_set)) {
      const bool kept =
          std::any_of(keys.begin(), keys.end(), [&](const IssuerKey& k) { return k.ref == old.ref; });
      if (!kept) gone.push_back(old.ref);
    }
    auto old = tenant->set.Exchange(std::make_unique<KeySet>(std::move(keys)));
    if (old != nullptr) old_sets.push_back(std::move(old));
  }
  for (const KeyRef ref : gone) generations.Retire(ref);
  // Without an answer about readers, a leak is the only safe end.
  if (!old_sets.empty() && !blocks.WaitForReaders()) {
    for (auto& old : old_sets) static_cast<void>(old.release());
  }
  const std::lock_guard lock(family.mutex);
  family.num_keys_lacking = static_cast<uint32_t>(num_lacking);
}

}  // namespace tollgate::keys
