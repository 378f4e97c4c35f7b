#pragma once

#include <chrono>
#include <coroutine>

#include "tollgate/engine.h"

namespace tollgate {

// CheckAwaitable lets a C++20 coroutine wait for Engine::CheckAsync:
//
//   const Decision decision = co_await CheckAwaitable(engine, std::chrono::seconds(2), request, &principal);
//
// The coroutine goes on at once if there is nothing to wait for, otherwise on the engine's background thread,
// which it must not keep long: move on to an executor of your own. What the request's views point to, and
// `principal`, which may be null, must live until then. Used once.
class CheckAwaitable {
 public:
  CheckAwaitable(Engine& engine, std::chrono::milliseconds wait_max, const Request& request,
                 Principal* principal = nullptr)
      : engine_(engine), wait_max_(wait_max), request_(request), principal_(principal) {}

  bool await_ready() {
    engine_.Check(request_, &decision_, principal_);
    return decision_.verdict != Verdict::kUnavailable;
  }
  void await_suspend(std::coroutine_handle<> waiting) {
    engine_.CheckAsync(wait_max_, request_,
                       [this, waiting](const Decision& decision, const Principal& caller) {
                         decision_ = decision;
                         if (principal_ != nullptr) *principal_ = caller;
                         waiting.resume();
                       });
  }
  Decision await_resume() const { return decision_; }

 private:
  Engine& engine_;
  const std::chrono::milliseconds wait_max_;
  const Request request_;
  Principal* const principal_;
  Decision decision_;
};

}  // namespace tollgate
