#pragma once

#include "base/marks.h"
#include "pipeline/context.h"
#include "pipeline/presented.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// DecideSlowly is for whatever the short way does not allow. `absent`: it has looked the token up, and the
// cache does not have it.
TOLLGATE_MISS void DecideSlowly(Context& context, const sync::ReadScope& scope, Presented presented,
                                bool absent, const Request& request, Now now, Decision* decision,
                                Principal* principal);

// NotRecorded turns an allow into what it is where no record can be had.
TOLLGATE_SLOW void NotRecorded(Decision* decision, Principal* principal);

}  // namespace tollgate::pipeline
