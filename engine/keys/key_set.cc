#include "keys/key_set.h"

#include <utility>

namespace tollgate::keys {
namespace {

// What BoringSSL takes for a key, and the allocations around it.
size_t PreparedBytes(crypto::KeyType type) {
  switch (type) {
    case crypto::KeyType::kRsa:
      return 1536;
    case crypto::KeyType::kEd25519:
      return 256;
    case crypto::KeyType::kP256:
    case crypto::KeyType::kP384:
    case crypto::KeyType::kP521:
      return 512;
  }
  return 512;
}

// Same compares kids, most of which differ in their last letter: they need no call.
bool Same(std::string_view a, std::string_view b) {
  return a.size() == b.size() && (a.empty() || (a.back() == b.back() && a == b));
}

}  // namespace

KeySet::KeySet(std::vector<IssuerKey> keys) : keys_(std::move(keys)) {}

size_t KeySet::bytes(bool with_keys) const {
  size_t bytes = sizeof(KeySet);
  for (const IssuerKey& key : keys_) {
    bytes += sizeof(IssuerKey) + key.thumbprint.size();
    if (with_keys) {
      bytes += sizeof(jose::Jwk) + key.jwk->key_id.size() + key.jwk->issuer.size() +
               PreparedBytes(key.jwk->key.type());
    }
  }
  return bytes;
}

Reason KeySet::Select(bool has_key_id, std::string_view key_id, Algorithm algorithm,
                      const IssuerKey** key) const {
  *key = nullptr;
  bool named = false;  // Some key has the kid.
  const IssuerKey* found = nullptr;
  for (const IssuerKey& candidate : keys_) {
    const jose::Jwk& jwk = *candidate.jwk;
    if (has_key_id && !(jwk.has_key_id && Same(jwk.key_id, key_id))) continue;
    named = has_key_id;
    if (!jwk.algorithms.Contains(algorithm)) continue;
    // A key that is listed twice is still one key.
    if (found != nullptr && found->thumbprint != candidate.thumbprint) return Reason::kKeyAmbiguous;
    if (found == nullptr) found = &candidate;
  }
  if (found == nullptr) return named ? Reason::kKeyAlgorithmMismatch : Reason::kKeyUnknown;
  *key = found;
  return Reason::kNone;
}

}  // namespace tollgate::keys
