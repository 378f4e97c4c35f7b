#include "pipeline/miss.h"

#include <string_view>

#include "base/marks.h"
#include "pipeline/caller.h"
#include "pipeline/checks.h"
#include "pipeline/establish.h"
#include "pipeline/introspect.h"

namespace tollgate::pipeline {
namespace {

using verdicts::Facts;

// FetchText begins to fetch a token that is going to be read from one end to the other. Inlined by force, as
// all that only prefetches.
TOLLGATE_INLINE void FetchText(std::string_view token) {
  constexpr size_t kLine = 64;
  for (size_t at = 0; at < token.size(); at += kLine) __builtin_prefetch(token.data() + at);
}

// EstablishGood is Establish, and the checks of a token that no tool can change.
TOLLGATE_MISS Reason EstablishGood(Context& context, const sync::ReadScope& scope, const Presented& presented,
                                   bool known, const Request& request, Now now, Established* established,
                                   Decision* decision) {
  const ResourceId resource = request.resource;
  Reason reason = Establish(context, scope, presented.token, known, resource, now, established, decision);
  // An encrypted token, too, is one that its issuer alone can read.
  if ((reason == Reason::kNotCompactJws || reason == Reason::kEncryptedToken) &&
      !context.opaque_issuers[static_cast<uint32_t>(resource)].empty()) {
    reason = EstablishOpaque(context, scope, presented.token, resource, FindTool(presented, request), now,
                             established, decision);
  }
  if (reason != Reason::kNone) {
    // A hit that is denied by its times says how fresh the keys are: so does this.
    if (established->key != nullptr) CheckKeys(context, decision->issuer, now, decision);
    return reason;
  }
  Facts& facts = established->facts;
  const claims::AccessToken& token = *established->token;
  if (established->key != nullptr) reason = CheckKeys(context, established->issuer, now, decision);
  if (reason == Reason::kNone) reason = CheckBinding(facts, resource);
  if (reason != Reason::kNone) return reason;

  // The epoch was read before the look: whatever is revoked from then on finds an older stamp on the record.
  facts.epoch = presented.stamp;
  return context.revocations.Covers(CandidateOf(context, established->issuer, established->key, token.subject,
                                                token.jwt_id, claims::TimesOf(token).issued_at));
}

// JudgeNew is what the policy says of a token that was established just now.
Reason JudgeNew(const policy::CompiledPolicy& policy, const policy::CompiledTool* tool,
                const policy::GrantMask& granted, int64_t issued_at, Now now, Decision* decision) {
  if (tool == nullptr) return Reason::kUnknownTool;
  if (tool->token_age_max_s != 0) {
    if (const Reason reason = CheckAge(issued_at, *tool, now, decision); reason != Reason::kNone)
      return reason;
  }
  return policy.Lacking(tool->requirement, granted);
}

}  // namespace

Reason DecideMiss(Context& context, const sync::ReadScope& scope, InHand* in_hand, bool known,
                  const Request& request, Now now, Decision* decision, Principal* principal) {
  const InHand& presented = *in_hand;
  FetchText(presented.token);
  Established established;
  if (const Reason reason =
          EstablishGood(context, scope, presented, known, request, now, &established, decision);
      reason != Reason::kNone) {
    // Nothing is remembered of a token that is refused: it may come again, and cost as much again.
    if (established.verification_cost_us != 0 && CategoryOf(reason) == Category::kReauthenticate) {
      scope.block().Add(kVerificationsInVain);
      context.admission->Spend(decision->issuer, now.mono_ms, established.verification_cost_us);
    }
    if (principal != nullptr && IsOfSomebody(reason)) FillFromClaims(*established.token, principal);
    return reason;
  }
  const Facts& facts = established.facts;
  const claims::AccessToken& token = *established.token;
  const bool opaque = established.key == nullptr;
  in_hand->verified_by = facts.key;
  const policy::LivePolicy& policy = *presented.policy;
  const policy::GrantMask& granted = Evaluate(context, policy.compiled, established);
  decision->was_cached = !opaque && presented.stamp != 0 &&
                         Remember(context, scope.block(), *presented.key, policy, granted, presented.audit_id,
                                  now, &established);
  decision->valid_until_s = facts.valid_through_s + 1;
  // The token is good: whoever is denied from here on is known.
  if (principal != nullptr) FillFromClaims(token, principal);
  const policy::CompiledTool* const tool = FindTool(presented, request);
  const int64_t issued_at = claims::TimesOf(token).issued_at;
  const Reason reason = JudgeNew(policy.compiled, tool, granted, issued_at, now, decision);
  if (const Shadow* const shadow = context.shadow.Load(scope); shadow != nullptr) {
    // Overwrites `granted`.
    shadow->Compare(request, context.resource_uris[static_cast<size_t>(request.resource)], reason,
                    Evaluate(context, shadow->compiled(), established), AgeOf(issued_at, now),
                    {context.issuer_names.Text(established.issuer).view(), token.subject, token.client_id},
                    scope.block());
  }
  if (reason != Reason::kNone || opaque) return reason;
  return CheckIssuersWord(context, scope, established.issuer, presented.token, *tool, now, decision);
}

}  // namespace tollgate::pipeline
