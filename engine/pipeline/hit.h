#pragma once

#include <cstdint>

#include "base/marks.h"
#include "pipeline/context.h"
#include "pipeline/presented.h"
#include "pipeline/shadow.h"
#include "policy/grant_sets.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"
#include "verdicts/facts.h"
#include "verdicts/verdict_cache.h"

namespace tollgate::pipeline {

// Hit is what the cache holds of the token at hand. It lives in registers as long as nothing that is called
// takes all of it.
struct Hit {
  verdicts::Facts facts;
  verdicts::VerdictCache::Found found;
  uint32_t issuer = 0;
  // Not null: what the policy makes of the caller, which the facts do not say.
  const policy::GrantMask* granted = nullptr;
};

// Look is what came of a look into the cache.
enum class Look : uint8_t {
  kDecided,
  kAbsent,   // Or its facts may not stand in for a verification.
  kAged,     // Nor may these, the verification being too long ago; but nothing else is wrong with them.
  kChanged,  // The entry has changed while it was read.
};

// DecideHit decides from cached facts, or says why it has decided nothing.
Look DecideHit(Context& context, const sync::ReadScope& scope, InHand* in_hand, const Request& request,
               Now now, Decision* decision, Principal* principal);

// RecheckAge is CheckAge of a cached token. kUndecided if the entry has changed.
Reason RecheckAge(const Context& context, verdicts::VerdictCache::Found found,
                  const policy::CompiledTool& tool, Now now, Decision* decision);

// CompareCached asks a shadow policy about a cached token, of which the policy in force has decided `live`.
TOLLGATE_SLOW void CompareCached(const Context& context, const sync::ReadScope& scope, const Shadow& shadow,
                                 const Request& request, verdicts::VerdictCache::Found found, uint32_t issuer,
                                 Now now, Reason live);

}  // namespace tollgate::pipeline
