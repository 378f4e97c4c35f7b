#include "keys/key_set.h"

#include <utility>

namespace tollgate::keys {

KeySet::KeySet(std::vector<IssuerKey> keys) : keys_(std::move(keys)) {}

Reason KeySet::Select(bool has_key_id, std::string_view key_id, Algorithm algorithm,
                      const IssuerKey** key) const {
  *key = nullptr;
  bool named = false;  // Some key has the kid.
  const IssuerKey* found = nullptr;
  for (const IssuerKey& candidate : keys_) {
    const jose::Jwk& jwk = *candidate.jwk;
    if (has_key_id && !(jwk.has_key_id && jwk.key_id == key_id)) continue;
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
