#include "pipeline/decide.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/limits.h"
#include "base/marks.h"
#include "claims/authorization_header.h"
#include "pipeline/caller.h"
#include "pipeline/establish.h"
#include "pipeline/introspect.h"
#include "pipeline/record.h"

namespace tollgate::pipeline {
namespace {

using keys::KeyGenerations;
using verdicts::Details;
using verdicts::Facts;
using verdicts::VerdictCache;

// Presented is a request's credential, taken out of the request and on its way to be looked up.
struct Presented {
  Reason reason;                     // Why there is nothing to look up: nothing else is set then.
  const policy::LivePolicy* policy;  // As long as the ReadScope.
  // The policy's epoch, lower half. Nothing that is cached has the stamp 0: it is that of a policy whose
  // epoch has not been raised yet.
  uint32_t stamp;
  const policy::CompiledTool* fetched_tool;  // For FindTool.
  std::string_view token;
  VerdictCache::Key key;
  Recorded recorded;
  // Where something is recorded, what becomes known on the way.
  audit::AuditId audit_id;
  KeyRef verified_by;

  Presented() {}  // Not defaulted: `Presented{}` would zero what Present fills.
};

// LookAtPolicy takes the policy that is in force, and begins to fetch what it has of the tool. The epoch is
// read first: see policy::LivePolicy.
TOLLGATE_INLINE void LookAtPolicy(const Context& context, const sync::ReadScope& scope,
                                  const Request& request, Presented* presented) {
  const uint64_t epoch = context.revocations.epoch();
  presented->policy = context.policy.Load(scope);
  const auto stamp = static_cast<uint32_t>(epoch);
  presented->stamp = epoch < presented->policy->first_epoch || stamp == Facts::kNoEpoch ? 0 : stamp;
  presented->fetched_tool = presented->policy->compiled.FetchTool(static_cast<size_t>(request.resource),
                                                                  request.object, request.tool);
}

TOLLGATE_INLINE const policy::CompiledTool* FindTool(const Presented& presented, const Request& request) {
  return presented.policy->compiled.FindTool(presented.fetched_tool, static_cast<size_t>(request.resource),
                                             request.object, request.tool);
}

// Present reads the credential and begins to fetch what the cache has of it and the policy of the tool, which
// arrives while the token is hashed.
template <bool of_many>
TOLLGATE_INLINE void Present(const Context& context, const sync::ReadScope& scope, const Request& request,
                             Recorded recorded, Presented* presented) {
  presented->reason = Reason::kNone;
  presented->recorded = recorded;
  if (request.num_credentials > 1) {
    presented->reason = Reason::kSeveralCredentials;
  } else if (presented->reason = claims::ReadAuthorization(request.authorization, &presented->token);
             presented->reason != Reason::kNone) {
  } else if (static_cast<size_t>(request.resource) >= context.resource_uris.size()) {
    presented->reason = Reason::kUnknownResource;
  } else if (presented->token.size() > limits::kTokenBytesMax) {
    presented->reason = Reason::kTokenTooLong;
  } else {
    LookAtPolicy(context, scope, request, presented);
    if constexpr (of_many) {
      context.cache->DeriveOfMany(presented->token, &presented->key);
    } else {
      context.cache->Derive(presented->token, &presented->key);
    }
  }
}

// CheckKeysAgain is for keys that were found not fresh. Only a look that comes after the ticket may be waited
// upon.
TOLLGATE_SLOW Reason CheckKeysAgain(const Context& context, uint32_t issuer, Now now, Decision* decision) {
  decision->issuer = issuer;
  decision->ticket = context.waiters.Ticket(issuer);
  const keys::KeyStore::Standing standing = context.keys->StandingAt(issuer, now.mono_ms);
  decision->freshness = standing.freshness;
  decision->keys_age_ms = standing.age_ms;
  return standing.freshness == Freshness::kUnavailable ? Reason::kKeysTooStale : Reason::kNone;
}

// CheckKeys: how far may the issuer's keys be trusted at this moment?
Reason CheckKeys(const Context& context, uint32_t issuer, Now now, Decision* decision) {
  if (!context.keys->IsFresh(issuer, now.mono_ms, &decision->keys_age_ms))
    return CheckKeysAgain(context, issuer, now, decision);
  decision->freshness = Freshness::kFresh;
  return Reason::kNone;
}

// CheckBinding holds the facts against this request.
Reason CheckBinding(const Facts& facts, ResourceId resource) {
  if ((facts.audience >> static_cast<uint32_t>(resource) & 1) == 0) return Reason::kAudienceMismatch;
  // No proof of possession is read from requests, so a bound token is never good as a bearer token.
  if (facts.sender_constrained) return Reason::kSenderConstrained;
  return Reason::kNone;
}

Reason CheckAge(int64_t issued_at, const policy::CompiledTool& tool, Now now,
                claims::TimeEvidence* evidence) {
  if (issued_at == INT64_MIN) return Reason::kIssuedAtMissing;
  // A token from the future by less than the leeway counts as new.
  *evidence = {std::max<int64_t>(0, now.wall_s - issued_at), tool.token_age_max_s};
  return evidence->actual > evidence->bound ? Reason::kTooOld : Reason::kNone;
}

void SetEvidence(const claims::TimeEvidence& evidence, Decision* decision) {
  decision->evidence_actual = evidence.actual;
  decision->evidence_bound = evidence.bound;
}

// CheckIssuersWord asks the token's issuer as far as the tool demands it: last, of a caller who has all else
// that is needed.
Reason CheckIssuersWord(Context& context, const sync::ReadScope& scope, uint32_t issuer,
                        std::string_view token, const policy::CompiledTool& tool, Now now,
                        Decision* decision) {
  if (tool.mode == ValidationMode::kSignature) [[likely]]
    return Reason::kNone;
  return Consult(context, scope.block(), issuer, token, tool, now, decision);
}

// `key`: null for an opaque token, which no key speaks for.
revocation::Candidate CandidateOf(const Context& context, uint32_t issuer, const keys::IssuerKey* key,
                                  std::string_view subject, std::string_view jwt_id, int64_t issued_at) {
  return {.issuer = context.issuer_names.Text(issuer).view(),
          .key_id = key == nullptr ? std::string_view() : key->jwk->key_id,
          .key_thumbprint = key == nullptr ? std::string_view() : key->thumbprint,
          .subject = subject,
          .jwt_id = jwt_id,
          .issued_at = issued_at};
}

// Hit is what the cache holds of the token at hand. It lives in registers as long as nothing that is called
// takes all of it.
struct Hit {
  Facts facts;
  VerdictCache::Found found;
  uint32_t issuer = 0;
  // Not null: what the policy makes of the caller, which the facts do not say.
  const policy::GrantMask* granted = nullptr;
};

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
  SetEvidence(evidence, decision);
  return reason == Reason::kNone ? Reason::kUndecided : reason;
}

// RecheckAge holds the token's age against the tool's bound.
[[gnu::noinline]] Reason RecheckAge(const Context& context, VerdictCache::Found found,
                                    const policy::CompiledTool& tool, Now now,
                                    claims::TimeEvidence* evidence) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return Reason::kUndecided;
  return CheckAge(details.times.issued_at, tool, now, evidence);
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

std::optional<int64_t> AgeOf(int64_t issued_at, Now now) {
  if (issued_at == INT64_MIN) return std::nullopt;
  return std::max<int64_t>(0, now.wall_s - issued_at);
}

// CompareCached asks a shadow policy about a cached token, of which the policy in force has decided `live`.
TOLLGATE_SLOW void CompareCached(const Context& context, const sync::ReadScope& scope, const Shadow& shadow,
                                 const Request& request, VerdictCache::Found found, uint32_t issuer, Now now,
                                 Reason live) {
  Details details;
  if (!context.cache->ReadDetails(found, &details)) return;
  shadow.Compare(request, context.resource_uris[static_cast<size_t>(request.resource)], live,
                 EvaluateCached(context, shadow.compiled(), issuer, details),
                 AgeOf(details.times.issued_at, now),
                 {context.issuer_names.Text(issuer).view(), details.names.subject, details.names.client_id},
                 scope.block());
}

// JudgeCached is what the policy says of a cached token that is good.
Reason JudgeCached(const Context& context, const Hit& hit, const policy::LivePolicy& policy,
                   const policy::CompiledTool* tool, Now now, Decision* decision) {
  if (tool == nullptr) [[unlikely]]
    return Reason::kUnknownTool;
  if (tool->token_age_max_s != 0) [[unlikely]] {
    claims::TimeEvidence evidence;
    const Reason reason = RecheckAge(context, hit.found, *tool, now, &evidence);
    SetEvidence(evidence, decision);
    if (reason != Reason::kNone) return reason;
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

// IsOfSomebody: a good signature says whose token it is, though it is revoked. Of a revoked key's nobody
// knows.
bool IsOfSomebody(Reason reason) {
  return reason == Reason::kNone || reason == Reason::kSubjectRevoked || reason == Reason::kTokenRevoked;
}

// Look is what came of a look into the cache.
enum class Look : uint8_t {
  kDecided,
  kAbsent,   // Or its facts may not stand in for a verification.
  kAged,     // Nor may these, the verification being too long ago; but nothing else is wrong with them.
  kChanged,  // The entry has changed while it was read.
};

// DecideHit decides from cached facts, or says why it has decided nothing.
[[gnu::noinline]] Look DecideHit(Context& context, const sync::ReadScope& scope, Presented* in_hand,
                                 const Request& request, Now now, Decision* decision, Principal* principal) {
  const Presented& presented = *in_hand;
  *decision = Decision{};
  Hit hit;
  if (const auto result = context.cache->Find(presented.key, &hit.facts, &hit.found);
      result != VerdictCache::FindResult::kFound) {
    return result == VerdictCache::FindResult::kAbsent ? Look::kAbsent : Look::kChanged;
  }
  hit.issuer = context.keys->CurrentIssuer(hit.facts.key);
  if (hit.issuer == KeyGenerations::kNoIssuer) return Look::kAbsent;

  Reason reason = CheckCached(context, scope, presented, request.resource, now, &hit, decision);
  const bool aged = VerdictCache::AgeMs(hit.facts, now.mono_ms) > context.verdict_age_max_ms;
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
    claims::TimeEvidence evidence;
    const Reason reason = CheckAge(issued_at, *tool, now, &evidence);
    SetEvidence(evidence, decision);
    if (reason != Reason::kNone) return reason;
  }
  return policy.Lacking(tool->requirement, granted);
}

// DecideMiss verifies the token and decides from what it says. `known`: see Admission.
TOLLGATE_MISS Reason DecideMiss(Context& context, const sync::ReadScope& scope, Presented* in_hand,
                                bool known, const Request& request, Now now, Decision* decision,
                                Principal* principal) {
  const Presented& presented = *in_hand;
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
  decision->was_cached =
      !opaque && presented.stamp != 0 &&
      Remember(context, scope.block(), presented.key, policy, granted, presented.audit_id, now, &established);
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

// Answer decides whatever AllowHit does not allow.
TOLLGATE_MISS void Answer(Context& context, const sync::ReadScope& scope, Presented* presented,
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
    Look look = Look::kChanged;
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

// NotRecorded turns an allow into what it is where no record can be had.
TOLLGATE_SLOW void NotRecorded(Decision* decision, Principal* principal) {
  decision->verdict = Verdict::kUnavailable;
  decision->reason = Reason::kNotRecorded;
  decision->valid_until_s = 0;
  decision->retry_after_s = 1;
  if (principal != nullptr) principal->Clear();
}

// AnswerAndRecord is Answer where there is an audit log.
TOLLGATE_SLOW void AnswerAndRecord(Context& context, const sync::ReadScope& scope, Presented* presented,
                                   const Request& request, Now now, Decision* decision,
                                   Principal* principal) {
  Principal own;
  if (principal == nullptr) principal = &own;
  presented->audit_id = AuditIdOf(context, presented->token);
  presented->verified_by = {};
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

// DecideSlowly is for whatever AllowHit does not allow.
TOLLGATE_MISS void DecideSlowly(Context& context, const sync::ReadScope& scope, Presented* presented,
                                const Request& request, Now now, Decision* decision, Principal* principal) {
  if (context.audit != nullptr) {
    AnswerAndRecord(context, scope, presented, request, now, decision, principal);
  } else {
    Answer(context, scope, presented, request, now, decision, principal);
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

// RecordAllowed records what AllowHit has allowed; without a record that must be, it is not. False if the
// entry has changed.
[[gnu::noinline]] TOLLGATE_HOT bool RecordAllowed(Context& context, const sync::ReadScope& scope,
                                                  const Presented& presented, const Request& request, Now now,
                                                  const Hit& hit, const policy::CompiledTool& tool,
                                                  Decision* decision, Principal* principal) {
  switch (RecordHit(context, scope, request, presented.policy->compiled, tool, hit.facts.key, hit.found, now,
                    *decision)) {
    case HitRecorded::kChanged:
      return false;
    case HitRecorded::kMustNotBe:
      scope.block().Add(kCacheHits);
      scope.block().Add(kUnavailable);
      NotRecorded(decision, principal);
      return true;
    case HitRecorded::kDone:
      scope.block().Add(kAllowedHits);
      return true;
  }
  return true;
}

// AllowHit is the way of nearly every request: the cache knows the token, and there is nothing to say against
// it. All or nothing: what it does not allow, DecideHit looks at again, to say why.
TOLLGATE_INLINE bool AllowHit(Context& context, const sync::ReadScope& scope, const Presented& presented,
                              const Request& request, Now now, Decision* decision, Principal* principal) {
  Hit hit;
  const Facts& facts = hit.facts;
  if (context.cache->Find(presented.key, &hit.facts, &hit.found) != VerdictCache::FindResult::kFound)
    return false;
  if (principal != nullptr) context.cache->FetchDetails(hit.found);
  hit.issuer = context.keys->CurrentIssuer(facts.key);
  if (hit.issuer == KeyGenerations::kNoIssuer) [[unlikely]]
    return false;

  const IssuerGate& gate = context.gates[hit.issuer];
  keys::KeyStore::Standing standing{.freshness = Freshness::kFresh};
  if (!context.keys->IsFresh(hit.issuer, now.mono_ms, &standing.age_ms)) [[unlikely]] {
    standing = context.keys->StandingAt(hit.issuer, now.mono_ms);
    if (standing.freshness == Freshness::kUnavailable) return false;
  }
  const bool token_is_good = VerdictCache::AgeMs(facts, now.mono_ms) <= context.verdict_age_max_ms &&
                             gate.Admits(request.resource) && now.wall_s >= facts.valid_from_s &&
                             now.wall_s <= facts.valid_through_s &&
                             CheckBinding(facts, request.resource) == Reason::kNone &&
                             facts.epoch == presented.stamp;
  if (!token_is_good) [[unlikely]]
    return false;
  const policy::CompiledTool* const tool = FindTool(presented, request);
  if (tool == nullptr) [[unlikely]]
    return false;
  if (tool->audit >= AuditDuty::kFull) context.cache->FetchDetails(hit.found);  // For the record.
  claims::TimeEvidence evidence;
  if (tool->token_age_max_s != 0 && RecheckAge(context, hit.found, *tool, now, &evidence) != Reason::kNone)
    return false;
  if (tool->mode != ValidationMode::kSignature || !presented.policy->sets.Permits(facts.grant_set, *tool))
      [[unlikely]] {
    return false;
  }
  if (principal != nullptr && !FillFromCache(context, hit.found, hit.issuer, principal)) [[unlikely]]
    return false;
  if (const Shadow* const shadow = context.shadow.Load(scope); shadow != nullptr) [[unlikely]]
    CompareCached(context, scope, *shadow, request, hit.found, hit.issuer, now, Reason::kNone);

  *decision = Decision{.verdict = Verdict::kAllow,
                       .reason = Reason::kNone,
                       .freshness = standing.freshness,
                       .from_cache = true,
                       .audience_is_client_id = gate.audience_is_client_id,
                       .algorithm = facts.algorithm,
                       .issuer = hit.issuer,
                       .valid_until_s = facts.valid_through_s + 1,
                       .evidence_actual = evidence.actual,
                       .evidence_bound = evidence.bound,
                       .keys_age_ms = standing.age_ms};
  if (context.audit != nullptr && presented.recorded != Recorded::kNone &&
      context.audit->Wants(tool->audit, Verdict::kAllow)) {
    return RecordAllowed(context, scope, presented, request, now, hit, *tool, decision, principal);
  }
  scope.block().Add(kAllowedHits);
  return true;
}

TOLLGATE_INLINE void DecidePresented(Context& context, const sync::ReadScope& scope, Presented* presented,
                                     const Request& request, Now now, Decision* decision,
                                     Principal* principal) {
  if (presented->reason == Reason::kNone &&
      AllowHit(context, scope, *presented, request, now, decision, principal)) [[likely]] {
    return;
  }
  DecideSlowly(context, scope, presented, request, now, decision, principal);
}

}  // namespace

TOLLGATE_HOT void Decide(Context& context, const Request& request, const Clock& clock, Recorded recorded,
                         Decision* decision, Principal* principal) noexcept {
  const Now now = clock.Read();  // First: a call between hash and comparison would spill the tag's registers.
  const sync::ReadScope scope(context.blocks);
  Presented presented;
  Present<false>(context, scope, request, recorded, &presented);
  DecidePresented(context, scope, &presented, request, now, decision, principal);
}

void RecordGivenUp(Context& context, const Request& request, const Clock& clock, const Decision& decision) {
  // What could not be recorded is counted already.
  if (context.audit == nullptr || decision.reason == Reason::kNotRecorded) return;
  const sync::ReadScope scope(context.blocks);
  Presented presented;
  Present<false>(context, scope, request, Recorded::kAll, &presented);
  const bool looked = presented.reason == Reason::kNone;
  const policy::CompiledTool* const tool = looked ? FindTool(presented, request) : nullptr;
  if (!context.audit->Wants(DutyOf(tool), decision.verdict)) return;
  const Principal nobody;
  const Seen seen = {.policy = looked ? &presented.policy->compiled : nullptr,
                     .tool = tool,
                     .principal = &nobody,
                     .id = AuditIdOf(context, presented.token)};
  static_cast<void>(Record(context, scope, request, seen, clock.Read(), decision));
}

TOLLGATE_HOT void DecideBatch(Context& context, std::span<const Request> requests, const Clock& clock,
                              std::span<Decision> decisions) noexcept {
  // As many as a processor fetches at a time, and some more.
  constexpr size_t kAtOnce = 32;
  const size_t size = std::min(requests.size(), decisions.size());
  for (size_t begin = 0; begin < size; begin += kAtOnce) {
    const sync::ReadScope scope(context.blocks);
    const Now now = clock.Read();
    const size_t count = std::min(kAtOnce, size - begin);
    std::array<Presented, kAtOnce> presented;
    for (size_t i = 0; i < count; ++i)
      Present<true>(context, scope, requests[begin + i], Recorded::kAll, &presented[i]);
    for (size_t i = 0; i < count; ++i) {
      if (presented[i].reason == Reason::kNone) context.cache->FetchRest(presented[i].key);
    }
    for (size_t i = 0; i < count; ++i) {
      DecidePresented(context, scope, &presented[i], requests[begin + i], now, &decisions[begin + i],
                      nullptr);
    }
  }
}

}  // namespace tollgate::pipeline
