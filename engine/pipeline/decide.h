#pragma once

#include <span>

#include "pipeline/context.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// Decide answers one request; see Engine::Check. The steps stand in the order in which the reasons are
// numbered.
void Decide(Context& context, const Request& request, const Clock& clock, Decision* decision,
            Principal* principal) noexcept;

// DecideBatch answers many; see Engine::CheckBatch.
void DecideBatch(Context& context, std::span<const Request> requests, const Clock& clock,
                 std::span<Decision> decisions) noexcept;

}  // namespace tollgate::pipeline
