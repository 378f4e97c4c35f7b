#pragma once

#include <span>

#include "pipeline/context.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// Recorded says which decisions the audit log, if there is one, is told of.
enum class Recorded : uint8_t {
  kAll,
  kAnswers,  // Not those that are unavailable: whoever asks is going to ask again.
  kNone,     // The caller only wants to know.
};

// Decide answers one request; see Engine::Check. The steps stand in the order in which the reasons are
// numbered.
void Decide(Context& context, const Request& request, const Clock& clock, Recorded recorded,
            Decision* decision, Principal* principal) noexcept;

// RecordGivenUp records a decision that was not, because of Recorded::kAnswers, and will not be asked for
// again.
void RecordGivenUp(Context& context, const Request& request, const Clock& clock, const Decision& decision);

// DecideBatch answers many; see Engine::CheckBatch.
void DecideBatch(Context& context, std::span<const Request> requests, const Clock& clock,
                 std::span<Decision> decisions) noexcept;

}  // namespace tollgate::pipeline
