#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "jose/jwk.h"
#include "keys/issuer.h"
#include "keys/key_generations.h"
#include "keys/key_set.h"
#include "sync/thread_blocks.h"
#include "tollgate/config.h"

// A templated issuer is a family: one Issuer under the template's name, which has the source, the schedule
// and the memory of absent kids, and which no token finds; and one for each tenant, under its full name, with
// a position, key set and generations of its own. So a check of a tenant's token is that of any issuer's.
namespace tollgate::keys {

// CheckTenants returns InvalidArgument, beginning with the setting, if the template and the list of tenants
// are not as IssuerConfig says.
absl::Status CheckTenants(const IssuerConfig& config);

// NamesOf returns the names that the issuer's tokens have: its own, or those of all its tenants.
std::vector<std::string> NamesOf(const IssuerConfig& config);

// NumIssuers is how many issuers there are of it: one, or the template and each tenant.
size_t NumIssuers(const IssuerConfig& config);
size_t NumIssuers(const Config& config);

// SkipForeign takes keys that are of no tenant of the template (Issuer::KeyIssuer) out of the set: those
// without a member `issuer`, and with one that is neither the template nor what a tenant of it would be
// called.
void SkipForeign(std::string_view key_issuer, jose::JwkSet* set);

// IsForTenant: the key may verify tokens of the tenant of this name, whose family has that one (both as
// Issuer::KeyIssuer).
bool IsForTenant(const jose::Jwk& jwk, std::string_view tenant, std::string_view family);

// ShareKeys returns those of `keys` that may verify tokens of `issuer`, under generations of its own: those
// that `old_set` (null: there is none) has for the same keys, else new ones. Of a tenant, these are the keys
// whose own `issuer` is the tenant's, or the template. `*num_lacking` grows by those that found no free slot.
std::vector<IssuerKey> ShareKeys(const Issuer& issuer, const std::vector<IssuerKey>& keys,
                                 const KeySet* old_set, KeyGenerations& generations, size_t* num_lacking);

// ShareOut publishes to every tenant what the family's set has for it, and retires what that lacks. For the
// side that changes sets. One wait for readers, however many tenants there are.
void ShareOut(Issuer& family, KeyGenerations& generations, sync::ThreadBlocks& blocks);

}  // namespace tollgate::keys
