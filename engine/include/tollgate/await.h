#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>

#include "tollgate/engine.h"

namespace tollgate {

// CheckAwaitable lets a C++20 coroutine wait for Engine::CheckAsync:
//
//   const Decision decision = co_await CheckAwaitable(engine, std::chrono::seconds(2), request, &principal);
//
// The coroutine goes on at once if there is nothing to wait for; otherwise on the engine's background thread,
// which it must not keep long (move on to an executor of your own), or in the engine's destructor, with an
// unavailable answer, and then it must not use the engine. What the request's views point to, and
// `principal`, which may be null, must live until then, and so must the coroutine: it cannot be cancelled
// while it waits. An exception that leaves it ends the process. Used once.
class CheckAwaitable {
 public:
  CheckAwaitable(Engine& engine, std::chrono::milliseconds wait_max, const Request& request,
                 Principal* principal = nullptr)
      : engine_(engine), wait_max_(wait_max), request_(request), principal_(principal) {}

  bool await_ready() {
    engine_.Check(request_, &decision_, principal_);
    return decision_.verdict != Verdict::kUnavailable;
  }

  bool await_suspend(std::coroutine_handle<> waiting) {
    engine_.CheckAsync(wait_max_, request_,
                       [this, waiting](const Decision& decision, const Principal& principal) {
                         decision_ = decision;
                         if (principal_ != nullptr) *principal_ = principal;
                         if (ComesSecond()) waiting.resume();
                       });
    // Answered already: the coroutine goes on without having been suspended, on no deeper a stack. If it is
    // not, another thread may have ended it by now: nothing of this is touched any more.
    return !ComesSecond();
  }

  Decision await_resume() const { return decision_; }

 private:
  // Of the answer and the suspension, whichever comes second lets the coroutine go on.
  bool ComesSecond() {
    // Ordering: acq_rel pairs with the other one's: who comes second sees what the first has written.
    return one_has_come_.exchange(true, std::memory_order_acq_rel);
  }

  Engine& engine_;
  const std::chrono::milliseconds wait_max_;
  const Request request_;
  Principal* const principal_;
  Decision decision_;
  std::atomic<bool> one_has_come_{false};
};

}  // namespace tollgate
