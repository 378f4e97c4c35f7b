#include "pipeline/background.h"

#include <signal.h>

#include <algorithm>
#include <utility>

#include "base/saturating.h"

namespace tollgate::pipeline {
namespace {

// An idle thread still looks around this often, since an injected clock may move without the network
// stirring.
constexpr std::chrono::milliseconds kIdleWaitMax{1000};

// Nobody wakes the thread for a record: rings have room for what comes in such a time.
constexpr int64_t kAuditIntervalMs = 100;

// SignalsBlocked keeps the host's signals from this thread while it lives, and from those that are begun
// meanwhile for good: they inherit it. What a thread brings upon itself, and profilers, are let through.
class SignalsBlocked {
 public:
  SignalsBlocked() {
    sigset_t blocked;
    sigfillset(&blocked);
    for (const int signal : {SIGBUS, SIGFPE, SIGILL, SIGPROF, SIGSEGV, SIGSYS, SIGTRAP})
      sigdelset(&blocked, signal);
    pthread_sigmask(SIG_SETMASK, &blocked, &before_);
  }
  ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }
  SignalsBlocked(const SignalsBlocked&) = delete;
  SignalsBlocked& operator=(const SignalsBlocked&) = delete;

 private:
  sigset_t before_;
};

}  // namespace

uint32_t NumProcessors() { return std::thread::hardware_concurrency(); }

Background::Background(Context& context, Transport& transport, const Clock& clock)
    : context_(context), transport_(transport), clock_(clock) {}

Background::~Background() { StopThread(); }

void Background::StopThread() {
  if (!thread_.joinable()) return;
  // Ordering: release pairs with the acquire in the thread's loop.
  stopping_.store(true, std::memory_order_release);
  transport_.Wake();
  thread_.join();
}

void Background::StartThread() {
  const SignalsBlocked blocked;
  thread_ = std::thread([this] {
    // Ordering: acquire pairs with the release in StopThread.
    while (!stopping_.load(std::memory_order_acquire)) RunOnce(kIdleWaitMax);
  });
}

std::chrono::milliseconds Background::RunOnce(std::chrono::milliseconds wait_max) {
  const std::lock_guard lock(running_);
  const Now before = clock_.Read();
  int64_t due_ms =
      std::min({context_.keys->RunDue(before.mono_ms, transport_),
                context_.introspector->RunDue(before.mono_ms, transport_), context_.keys->NextSnapshotMs(),
                context_.audit == nullptr ? INT64_MAX : before.mono_ms + kAuditIntervalMs});
  const int64_t wait_ms =
      std::min(saturating::Between(before.mono_ms, due_ms), std::max<int64_t>(wait_max.count(), 0));
  transport_.Poll(static_cast<int>(std::min<int64_t>(wait_ms, INT32_MAX)), &done_);

  const Now after = clock_.Read();
  for (FetchResult& result : done_) {
    if ((result.id & introspection::Introspector::kIdBit) != 0) {
      context_.introspector->TakeIn(std::move(result), after);
    } else {
      context_.keys->TakeIn(std::move(result), after.mono_ms);
    }
  }
  done_.clear();
  due_ms = std::min(context_.keys->RunDue(after.mono_ms, transport_),
                    context_.introspector->RunDue(after.mono_ms, transport_));
  if (after.wall_s != expired_at_s_) {
    expired_at_s_ = after.wall_s;
    context_.revocations.Expire(after.wall_s);
  }
  due_ms =
      std::min({due_ms, context_.waiters.RunReady(after.mono_ms), context_.answers.RunReady(after.mono_ms)});
  // Last: nobody waits for a disk who only waits for keys.
  due_ms = std::min(due_ms, context_.keys->RunSnapshot(after.mono_ms));
  if (context_.audit != nullptr) {
    context_.audit->Drain(after);
    due_ms = std::min(due_ms, after.mono_ms + kAuditIntervalMs);
  }
  return std::chrono::milliseconds(saturating::Between(after.mono_ms, due_ms));
}

}  // namespace tollgate::pipeline
