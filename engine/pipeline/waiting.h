#pragma once

#include <chrono>
#include <cstdint>
#include <functional>

#include "pipeline/background.h"
#include "pipeline/context.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::pipeline {

// WaitFor is what an unavailable answer waits for: somebody's Settle. Null: for nothing that would end; an
// overload, say, is not over when the next fetch is.
struct WaitFor {
  Waiters* waiters = nullptr;
  uint32_t who = 0;
  uint64_t ticket = 0;
};
WaitFor WhatFor(Context& context, const Decision& decision);

// CheckAsync: see Engine::CheckAsync. All but `request` must outlive the call of `done`.
void CheckAsync(Context& context, const Clock& clock, Background& background,
                std::chrono::milliseconds wait_max, const Request& request,
                std::function<void(const Decision&, const Principal&)> done);

}  // namespace tollgate::pipeline
