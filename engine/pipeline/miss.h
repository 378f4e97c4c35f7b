#pragma once

#include "base/marks.h"
#include "pipeline/context.h"
#include "pipeline/presented.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// DecideMiss verifies the token and decides from what it says. `known`: see Admission.
TOLLGATE_MISS Reason DecideMiss(Context& context, const sync::ReadScope& scope, InHand* in_hand, bool known,
                                const Request& request, Now now, Decision* decision, Principal* principal);

}  // namespace tollgate::pipeline
