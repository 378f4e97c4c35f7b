#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/key_ref.h"
#include "jose/jwk.h"
#include "tollgate/reason.h"

namespace tollgate::keys {

// IssuerKey is a usable key together with the name of its generation. Identity is (issuer, thumbprint,
// algorithms, kid, the key's own issuer): the last two, since a cached token must not outlive the kid or the
// tenant by which a new one would be refused.
struct IssuerKey {
  std::shared_ptr<const jose::Jwk> jwk;  // Shared between successive sets that both have the key.
  std::string thumbprint;                // RFC 7638, base64url.
  KeyRef ref;
};

// KeySet is one issuer's keys at one time. Immutable. Thread-safe.
class KeySet {
 public:
  explicit KeySet(std::vector<IssuerKey> keys);

  // Select finds the key for a header with this kid (or without one) and algorithm: kNone and the key;
  // kKeyUnknown if no key has the kid (or there is no kid and no key permits the algorithm);
  // kKeyAlgorithmMismatch if keys have the kid but none permits the algorithm; kKeyAmbiguous if several do.
  // Does not allocate.
  Reason Select(bool has_key_id, std::string_view key_id, Algorithm algorithm, const IssuerKey** key) const;

  const std::vector<IssuerKey>& keys() const { return keys_; }

  // How much memory the set takes: with the keys, or without, where they are another set's, too. An estimate.
  size_t bytes(bool with_keys = true) const;

 private:
  std::vector<IssuerKey> keys_;
};

}  // namespace tollgate::keys
