#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "jose/jwk.h"
#include "keys/key_generations.h"
#include "keys/key_set.h"

namespace tollgate::keys {

// KeysOf returns the keys of a set, none of a null one.
const std::vector<IssuerKey>& KeysOf(const KeySet* set);

// AdoptKeys gives every usable key of `issuer` its name: the old one if the old set (null: there is none) has
// the key, else a new generation. Nullopt if none is usable. `*skipped` counts the rest, those of
// parsed.skipped included; what is more found no free slot.
std::optional<std::vector<IssuerKey>> AdoptKeys(uint32_t issuer, const KeySet* old_set, jose::JwkSet parsed,
                                                KeyGenerations& generations, uint32_t* skipped);

// NamesGone returns the names of those of `old_keys` that `keys` lack.
std::vector<KeyRef> NamesGone(const std::vector<IssuerKey>& old_keys, const std::vector<IssuerKey>& keys);

// SameKeys: they are the same, in the same order.
bool SameKeys(const std::vector<IssuerKey>& some, const std::vector<IssuerKey>& others);

// IsEtag: an entity tag that may go back to the server as it came (RFC 9110 section 8.8.3).
bool IsEtag(std::string_view etag);

}  // namespace tollgate::keys
