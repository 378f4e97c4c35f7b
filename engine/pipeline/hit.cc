#include "pipeline/hit.h"

#include <optional>

#include "pipeline/caller.h"
#include "pipeline/checks.h"
#include "pipeline/establish.h"

namespace tollgate::pipeline {
namespace {

using verdicts::Details;
using verdicts::Facts;
using verdicts::VerdictCache;

// What looks at a cached entry once more answers kUndecided if the entry has changed meanwhile: it then is to
// be looked up again.

// Recheck looks again at a cached token after something was revoked or the policy has changed; it verifies no
// signature. A token that is not revoked gets a new stamp, which is a change of its entry; where there is
// none to give, hit->granted says what the policy makes of it.
TOLLGATE_SLOW Reason Recheck(Context& context, const sync::ReadScope& scope, const Presented& presented,
                             Hit* hit) {
  scope.block().Add(kRechecks);
  Details details;
  if (!context.cache->ReadDetails(hit->found, &details)) return Reason::kUndecided;
  const keys::IssuerKey* key = context.keys->FindByRef(scope, hit->issuer, hit->facts.key);
  if (key == nullptr) return Reason::kUndecided;
  const Reason reason = context.revocations.Covers(CandidateOf(
      context, hit->issuer, key, details.names.subject, details.names.jwt_id, details.times.issued_at));
  if (reason != Reason::kNone) return reason;
  hit->granted = &EvaluateCached(context, presented.policy->compiled, hit->issuer, details);
  if (presented.stamp == 0) return Reason::kNone;
  const std::optional<uint32_t> grant_set = presented.policy->sets.Intern(*hit->granted);
  if (!grant_set.has_value()) {
    scope.block().Add(kGrantSetsFull);
    return Reason::kNone;
  }
  context.cache->Restamp(presented.stamp, *grant_set, hit->found);
  return Reason::kUndecided;
}

// RecheckTimes finds out what is wrong with the times of a token that is outside of its span.
TOLLGATE_SLOW Reason RecheckTimes(const Context& context, VerdictCache::Found found, uint32_t issuer, Now now,
                                  Decision* decision) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return Reason::kUndecided;
  claims::TimeEvidence evidence;
  const Reason reason =
      claims::CheckTimes({details.times.expires_at, details.times.not_before, details.times.issued_at},
                         context.issuers[issuer]->expectations, now.wall_s, &evidence);
  decision->evidence_actual = evidence.actual;
  decision->evidence_bound = evidence.bound;
  return reason == Reason::kNone ? Reason::kUndecided : reason;
}

// CheckCached holds cached facts against this moment and this request, in the order of the reasons.
Reason CheckCached(Context& context, const sync::ReadScope& scope, const Presented& presented,
                   ResourceId resource, Now now, Hit* hit, Decision* decision) {
  const Facts& facts = hit->facts;
  if (!context.gates[hit->issuer].Admits(resource)) [[unlikely]]
    return Reason::kIssuerNotAllowedHere;
  if (const Reason reason = CheckKeys(context, hit->issuer, now, decision); reason != Reason::kNone)
      [[unlikely]]
    return reason;
  if (now.wall_s < facts.valid_from_s || now.wall_s > facts.valid_through_s) [[unlikely]]
    return RecheckTimes(context, hit->found, hit->issuer, now, decision);
  if (const Reason reason = CheckBinding(facts, resource); reason != Reason::kNone) [[unlikely]]
    return reason;
  if (facts.epoch != presented.stamp) [[unlikely]]
    return Recheck(context, scope, presented, hit);
  return Reason::kNone;
}

// JudgeCached is what the policy says of a cached token that is good.
Reason JudgeCached(const Context& context, const Hit& hit, const policy::LivePolicy& policy,
                   const policy::CompiledTool* tool, Now now, Decision* decision) {
  if (tool == nullptr) [[unlikely]]
    return Reason::kUnknownTool;
  if (tool->token_age_max_s != 0) [[unlikely]] {
    if (const Reason reason = RecheckAge(context, hit.found, *tool, now, decision); reason != Reason::kNone)
      return reason;
  }
  if (hit.granted != nullptr) return policy.compiled.Lacking(tool->requirement, *hit.granted);
  if (policy.sets.Permits(hit.facts.grant_set, *tool)) return Reason::kNone;
  return policy.sets.Lacking(hit.facts.grant_set, *tool);
}

// CheckCachedTool decides the tool for a cached token that is good.
Reason CheckCachedTool(Context& context, const sync::ReadScope& scope, const Hit& hit,
                       const Presented& presented, const Request& request, Now now, Decision* decision) {
  const policy::CompiledTool* const tool = FindTool(presented, request);
  const Reason reason = JudgeCached(context, hit, *presented.policy, tool, now, decision);
  if (const Shadow* const shadow = context.shadow.Load(scope);
      shadow != nullptr && reason != Reason::kUndecided) {
    CompareCached(context, scope, *shadow, request, hit.found, hit.issuer, now, reason);
  }
  if (reason != Reason::kNone) return reason;
  return CheckIssuersWord(context, scope, hit.issuer, presented.token, *tool, now, decision);
}

}  // namespace

Reason RecheckAge(const Context& context, VerdictCache::Found found, const policy::CompiledTool& tool,
                  Now now, Decision* decision) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return Reason::kUndecided;
  return CheckAge(details.times.issued_at, tool, now, decision);
}

void CompareCached(const Context& context, const sync::ReadScope& scope, const Shadow& shadow,
                   const Request& request, VerdictCache::Found found, uint32_t issuer, Now now, Reason live) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return;
  shadow.Compare(request, context.resource_uris[static_cast<size_t>(request.resource)], live,
                 EvaluateCached(context, shadow.compiled(), issuer, details),
                 AgeOf(details.times.issued_at, now),
                 {context.issuer_names.Text(issuer).view(), details.names.subject, details.names.client_id},
                 scope.block());
}

Look DecideHit(Context& context, const sync::ReadScope& scope, InHand* in_hand, const Request& request,
               Now now, Decision* decision, Principal* principal) {
  const Presented& presented = *in_hand;
  *decision = Decision{};
  Hit hit;
  if (const auto result = context.cache->Find(*presented.key, &hit.facts, &hit.found);
      result != VerdictCache::FindResult::kFound) {
    return result == VerdictCache::FindResult::kAbsent ? Look::kAbsent : Look::kChanged;
  }
  if (!context.keys->IsCurrent(hit.facts.key, &hit.issuer)) return Look::kAbsent;

  Reason reason = CheckCached(context, scope, presented, request.resource, now, &hit, decision);
  const bool aged =
      VerdictCache::IsOlder(hit.facts.verified_at_mono_ms, context.verdict_age_max_ms, now.mono_ms);
  if (aged && reason != Reason::kUndecided) return reason == Reason::kNone ? Look::kAged : Look::kAbsent;
  const bool is_known = IsOfSomebody(reason);
  if (reason == Reason::kNone) {
    decision->valid_until_s = hit.facts.valid_through_s + 1;
    reason = CheckCachedTool(context, scope, hit, presented, request, now, decision);
  }
  if (principal != nullptr && is_known && !FillFromCache(context, hit.found, hit.issuer, principal)) {
    principal->Clear();
    return Look::kChanged;
  }
  if (reason == Reason::kUndecided) return Look::kChanged;
  scope.block().Add(kCacheHits);
  in_hand->verified_by = hit.facts.key;
  decision->from_cache = true;
  decision->audience_is_client_id = context.gates[hit.issuer].audience_is_client_id;
  decision->issuer = hit.issuer;
  decision->algorithm = hit.facts.algorithm;
  decision->reason = reason;
  return Look::kDecided;
}

}  // namespace tollgate::pipeline
