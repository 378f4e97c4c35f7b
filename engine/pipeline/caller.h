#pragma once

#include <cstdint>

#include "claims/access_token.h"
#include "pipeline/context.h"
#include "tollgate/principal.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::pipeline {

// FillFromCache says who presents a token that the cache has, of this issuer. False, and *principal means
// nothing, if the entry has changed. Allocates for a caller alone who does not fit into a Principal.
[[nodiscard]] bool FillFromCache(const Context& context, verdicts::VerdictCache::Found found, uint32_t issuer,
                                 Principal* principal);

// FillFromClaims says it of a token that was read just now.
void FillFromClaims(const claims::AccessToken& token, Principal* principal);

}  // namespace tollgate::pipeline
