#include "keys/key_adoption.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "jose/base64url.h"

namespace tollgate::keys {
namespace {

constexpr size_t kEtagBytesMax = 512;

std::string Thumbprint(const jose::Jwk& jwk) { return jose::Base64UrlEncode(jwk.thumbprint); }

bool SameIdentity(const IssuerKey& key, std::string_view thumbprint, const jose::Jwk& jwk) {
  return key.thumbprint == thumbprint && key.jwk->algorithms == jwk.algorithms &&
         key.jwk->has_key_id == jwk.has_key_id && key.jwk->key_id == jwk.key_id &&
         key.jwk->issuer == jwk.issuer;
}

}  // namespace

const std::vector<IssuerKey>& KeysOf(const KeySet* set) {
  static const std::vector<IssuerKey> none;
  return set == nullptr ? none : set->keys();
}

std::optional<std::vector<IssuerKey>> AdoptKeys(uint32_t issuer, const KeySet* old_set, jose::JwkSet parsed,
                                                KeyGenerations& generations, uint32_t* skipped) {
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
    } else if (const auto ref = generations.Acquire(issuer)) {
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

std::vector<KeyRef> NamesGone(const std::vector<IssuerKey>& old_keys, const std::vector<IssuerKey>& keys) {
  std::vector<KeyRef> gone;
  for (const IssuerKey& old : old_keys) {
    if (std::none_of(keys.begin(), keys.end(), [&](const IssuerKey& key) { return key.ref == old.ref; }))
      gone.push_back(old.ref);
  }
  return gone;
}

bool SameKeys(const std::vector<IssuerKey>& some, const std::vector<IssuerKey>& others) {
  return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                    [](const IssuerKey& a, const IssuerKey& b) { return a.jwk == b.jwk; });
}

bool IsEtag(std::string_view etag) {
  if (etag.starts_with("W/")) etag.remove_prefix(2);
  if (etag.size() < 2 || etag.size() > kEtagBytesMax || etag.front() != '"' || etag.back() != '"')
    return false;
  etag = etag.substr(1, etag.size() - 2);
  return std::all_of(etag.begin(), etag.end(), [](char c) { return c > ' ' && c <= '~' && c != '"'; });
}

}  // namespace tollgate::keys
