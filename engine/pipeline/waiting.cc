#include "pipeline/waiting.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/saturating.h"
#include "pipeline/decide.h"

namespace tollgate::pipeline {
namespace {

// AsyncCheck is one check that goes on until it has an answer or its time is over. Whoever holds it last ends
// it: so `done` is called exactly once, whatever becomes of the callbacks that hold it.
class AsyncCheck : public std::enable_shared_from_this<AsyncCheck> {
 public:
  AsyncCheck(Context& context, const Clock& clock, Background& background, int64_t deadline_ms,
             const Request& request, std::function<void(const Decision&, const Principal&)> done,
             const Decision& decision)
      : context_(context),
        clock_(clock),
        background_(background),
        deadline_ms_(deadline_ms),
        authorization_(request.authorization),
        tool_(request.tool),
        traceparent_(request.traceparent),
        request_(request),
        done_(std::move(done)),
        decision_(decision) {
    request_.authorization = authorization_;
    request_.tool = tool_;
    request_.traceparent = traceparent_;
  }
  ~AsyncCheck() {
    if (decision_.verdict == Verdict::kUnavailable) RecordGivenUp(context_, request_, clock_, decision_);
    done_(decision_, principal_);
  }
  AsyncCheck(const AsyncCheck&) = delete;
  AsyncCheck& operator=(const AsyncCheck&) = delete;

  // Wait decides once more when what the decision lacks has come.
  void Wait() {
    const WaitFor wait = WhatFor(context_, decision_);
    if (wait.waiters == nullptr || clock_.Read().mono_ms >= deadline_ms_) return;
    bool wake = false;
    // With too many that wait already, this answer is the last.
    wait.waiters->Add(
        wait.who, wait.ticket, deadline_ms_, [self = shared_from_this()] { self->Run(); }, &wake);
    if (wake) background_.Wake();
  }

 private:
  void Run() {
    Decide(context_, request_, clock_, Recorded::kAnswers, &decision_, &principal_);
    Wait();
  }

  Context& context_;
  const Clock& clock_;
  Background& background_;
  const int64_t deadline_ms_;
  const std::string authorization_;
  const std::string tool_;
  const std::string traceparent_;
  Request request_;
  const std::function<void(const Decision&, const Principal&)> done_;
  Decision decision_;
  Principal principal_;
};

}  // namespace

WaitFor WhatFor(Context& context, const Decision& decision) {
  if (decision.verdict != Verdict::kUnavailable || decision.issuer >= context.issuers.size()) return {};
  switch (decision.reason) {
    case Reason::kIntrospectionPending:
      return {&context.answers, AnswerChannel(decision.ticket), AnswerCount(decision.ticket)};
    case Reason::kIntrospectionUnavailable:
      if (decision.ticket == 0) return {};
      return {&context.waiters, decision.issuer, MetadataCount(decision.ticket)};
    case Reason::kKeysNeverFetched:
    case Reason::kKeysTooStale:
    case Reason::kKeyPending:
      if (!context.keys->WaitsForFetch(decision.issuer)) return {};
      return {&context.waiters, decision.issuer, decision.ticket};
    default:
      return {};
  }
}

void CheckAsync(Context& context, const Clock& clock, Background& background,
                std::chrono::milliseconds wait_max, const Request& request,
                std::function<void(const Decision&, const Principal&)> done) {
  // Almost everything is answered at once, and needs no copy of the request.
  Decision decision;
  Principal principal;
  Decide(context, request, clock, Recorded::kAnswers, &decision, &principal);
  if (decision.verdict != Verdict::kUnavailable) return done(decision, principal);
  const int64_t wait_ms = std::clamp<int64_t>(wait_max.count(), 0, int64_t{24} * 3600 * 1000);
  const int64_t deadline_ms = saturating::Plus(clock.Read().mono_ms, wait_ms);
  std::make_shared<AsyncCheck>(context, clock, background, deadline_ms, request, std::move(done), decision)
      ->Wait();
}

}  // namespace tollgate::pipeline
