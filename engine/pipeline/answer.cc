#include "pipeline/answer.h"

#include <algorithm>

#include "base/marks.h"
#include "pipeline/hit.h"
#include "pipeline/miss.h"
#include "pipeline/record.h"

namespace tollgate::pipeline {
namespace {

TOLLGATE_SLOW void FinishUnavailable(const Context& context, Now now, Decision* decision) {
  if (decision->retry_after_s != 0) return;  // Consult knows.
  int64_t retry_after_ms = 0;
  if (decision->issuer != Decision::kNoIssuer) {
    const keys::KeyStore::Standing standing = context.keys->StandingAt(decision->issuer, now.mono_ms);
    decision->freshness = standing.freshness;
    decision->keys_age_ms = standing.age_ms;
    retry_after_ms = decision->reason == Reason::kOverloaded
                         ? context.admission->WaitMs(decision->issuer, now.mono_ms)
                         : standing.retry_after_ms;
  }
  decision->retry_after_s =
      static_cast<uint32_t>(std::clamp<int64_t>((retry_after_ms + 999) / 1000, 1, 86'400));
}

// Answer decides whatever AllowHit does not allow. A token that AllowHit found absent is not looked up again:
// Find has been through all of its places twice then, so that no move hides it, and a further look would find
// but what came since, which verifying finds out, too.
TOLLGATE_MISS void Answer(Context& context, const sync::ReadScope& scope, InHand* presented,
                          const Request& request, Now now, Decision* decision, Principal* principal) {
  *decision = Decision{};
  if (principal != nullptr) principal->Clear();
  if (presented->reason != Reason::kNone) {
    decision->reason = presented->reason;
  } else {
    // An entry that has changed while it was looked at, because another thread was writing it or this one has
    // given it a new stamp, is looked up again: that costs less than a verification, whose insertion would
    // send others the same way. Writing takes as long as a few looks, and many threads may want to in turn; a
    // writer that was interrupted is not waited for.
    constexpr int kLooksMax = 512;
    Look look = presented->absent ? Look::kAbsent : Look::kChanged;
    for (int n = 0; n < kLooksMax && look == Look::kChanged; ++n) {
      // Whoever has changed it may have gone by a newer policy.
      if (n > 0) LookAtPolicy(context, scope, request, presented);
      look = DecideHit(context, scope, presented, request, now, decision, principal);
    }
    if (look != Look::kDecided) {
      *decision = Decision{};
      // One whose entry others are busy writing may be known, too; nobody can bring that about at will.
      const bool known = look != Look::kAbsent;
      decision->reason = DecideMiss(context, scope, presented, known, request, now, decision, principal);
    }
  }
  switch (decision->category()) {
    case Category::kAllowed:
      decision->verdict = Verdict::kAllow;
      break;
    case Category::kRetryLater:
      decision->verdict = Verdict::kUnavailable;
      break;
    default:
      decision->verdict = Verdict::kDeny;
  }
}

// AnswerAndRecord is Answer where there is an audit log.
TOLLGATE_SLOW void AnswerAndRecord(Context& context, const sync::ReadScope& scope, InHand* presented,
                                   const Request& request, Now now, Decision* decision,
                                   Principal* principal) {
  Principal own;
  if (principal == nullptr) principal = &own;
  presented->audit_id = AuditIdOf(context, presented->token);
  Answer(context, scope, presented, request, now, decision, principal);
  const bool looked = presented->reason == Reason::kNone;
  const policy::CompiledTool* const tool = looked ? FindTool(*presented, request) : nullptr;
  if (presented->recorded == Recorded::kNone ||
      (presented->recorded == Recorded::kAnswers && decision->verdict == Verdict::kUnavailable) ||
      !context.audit->Wants(DutyOf(tool), decision->verdict)) {
    return;
  }
  const Seen seen = {.policy = looked ? &presented->policy->compiled : nullptr,
                     .tool = tool,
                     .principal = principal,
                     .key = presented->verified_by,
                     .id = presented->audit_id};
  if (!Record(context, scope, request, seen, now, *decision) && decision->verdict == Verdict::kAllow)
    NotRecorded(decision, principal);
}

bool MayBeNoToken(Reason reason) {
  return reason == Reason::kTokenInactive || reason == Reason::kNotYetValid ||
         reason == Reason::kSubjectRevoked || reason == Reason::kTokenRevoked;
}

}  // namespace

void NotRecorded(Decision* decision, Principal* principal) {
  decision->verdict = Verdict::kUnavailable;
  decision->reason = Reason::kNotRecorded;
  decision->valid_until_s = 0;
  decision->retry_after_s = 1;
  if (principal != nullptr) principal->Clear();
}

void DecideSlowly(Context& context, const sync::ReadScope& scope, Presented presented, bool absent,
                  const Request& request, Now now, Decision* decision, Principal* principal) {
  InHand in_hand{presented, absent};
  if (context.audit != nullptr) {
    AnswerAndRecord(context, scope, &in_hand, request, now, decision, principal);
  } else {
    Answer(context, scope, &in_hand, request, now, decision, principal);
  }
  // Nobody but the audit log is told whose token it was that is none any more, or may be none.
  if (principal != nullptr && (MayBeNoToken(decision->reason) || decision->verdict == Verdict::kUnavailable))
    principal->Clear();
  switch (decision->verdict) {
    case Verdict::kAllow:
      return scope.block().Add(kAllowed);
    case Verdict::kUnavailable:
      scope.block().Add(kUnavailable);
      return FinishUnavailable(context, now, decision);
    case Verdict::kDeny:
      return scope.block().Add(kDenied);
  }
}

}  // namespace tollgate::pipeline
