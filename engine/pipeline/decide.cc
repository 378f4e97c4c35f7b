#include "pipeline/decide.h"

#include <algorithm>
#include <array>
#include <span>
#include <string>
#include <string_view>

#include "base/marks.h"
#include "claims/authorization_header.h"
#include "pipeline/establish.h"

namespace tollgate::pipeline {
namespace {

using verdicts::Facts;
using verdicts::Names;

bool HasBit(uint64_t bits, ResourceId resource) { return (bits >> static_cast<uint32_t>(resource) & 1) != 0; }

// StandsAsVerified: may cached facts still stand in for a verification? If not, the token is verified again.
bool StandsAsVerified(const Context& context, const Facts& facts, Now now) {
  return context.keys->IsCurrent(facts.key) && facts.issuer_epoch == context.issuers[facts.issuer].epoch &&
         now.mono_ms - facts.verified_at_mono_ms <= context.verdict_age_max_ms;
}

// LookAgain is for keys that were found too stale: only a look that comes after the ticket may be waited
// upon.
TOLLGATE_SLOW keys::KeyStore::Standing LookAgain(const Context& context, uint32_t issuer, Now now,
                                                 Decision* decision) {
  decision->issuer = issuer;
  decision->ticket = context.waiters.Ticket(issuer);
  return context.keys->StandingAt(issuer, now.mono_ms);
}

// CheckMoment holds the facts against this instant: how far the issuer's keys may be trusted, and the token's
// times.
Reason CheckMoment(const Context& context, const Facts& facts, Now now, Decision* decision) {
  keys::KeyStore::Standing standing = context.keys->StandingAt(facts.issuer, now.mono_ms);
  if (standing.freshness == Freshness::kUnavailable)
    standing = LookAgain(context, facts.issuer, now, decision);
  decision->freshness = standing.freshness;
  decision->keys_age_ms = standing.age_ms;
  if (standing.freshness == Freshness::kUnavailable) return Reason::kKeysTooStale;

  const IssuerRules& rules = context.issuers[facts.issuer];
  const claims::Expectations& expectations = rules.expectations;
  decision->audience_is_client_id = rules.audience_is_client_id;
  claims::TimeEvidence evidence;
  const Reason reason = claims::CheckTimes({facts.expires_at, facts.not_before, facts.issued_at},
                                           expectations, now.wall_s, &evidence);
  if (reason != Reason::kNone) {
    decision->evidence_actual = evidence.actual;
    decision->evidence_bound = evidence.bound;
    return reason;
  }
  decision->valid_until_s = facts.expires_at + expectations.leeway_s;
  return Reason::kNone;
}

// CheckBinding holds the facts against this request.
Reason CheckBinding(const Facts& facts, ResourceId resource) {
  if (!HasBit(facts.audience, resource)) return Reason::kAudienceMismatch;
  // No proof of possession is read from requests, so a bound token is never good as a bearer token.
  if (facts.sender_constrained) return Reason::kSenderConstrained;
  return Reason::kNone;
}

// CheckPolicy decides the tool, afresh for every request.
Reason CheckPolicy(const Context& context, const Facts& facts, const policy::ScopeMask& held,
                   std::string_view tool_name, Now now, Decision* decision) {
  const policy::CompiledTool* tool = context.policy->FindTool(tool_name);
  if (tool == nullptr) return Reason::kUnknownTool;
  if (tool->token_age_max_s != 0) {
    if (facts.issued_at == INT64_MIN) return Reason::kIssuedAtMissing;
    // A token from the future by less than the leeway counts as new.
    decision->evidence_actual = std::max<int64_t>(0, now.wall_s - facts.issued_at);
    decision->evidence_bound = tool->token_age_max_s;
    if (decision->evidence_actual > decision->evidence_bound) return Reason::kTooOld;
  }
  if (tool->mode == ValidationMode::kIntrospect) return Reason::kIntrospectionUnavailable;
  if (!policy::CompiledPolicy::Covers(held, tool->needed)) return Reason::kInsufficientScope;
  return Reason::kNone;
}

revocation::Candidate CandidateOf(const Facts& facts, const keys::IssuerKey* key) {
  revocation::Candidate candidate;
  candidate.issuer = facts.issuer;
  candidate.issued_at = facts.issued_at;
  if (key != nullptr) {
    candidate.key_id = key->jwk->key_id;
    candidate.key_thumbprint = key->thumbprint;
  }
  return candidate;
}

// RecheckRevocation looks again at a cached token after something was revoked; it verifies no signature.
// False if the token has left the cache meanwhile, or its key the set: it is then established anew.
TOLLGATE_SLOW bool RecheckRevocation(Context& context, const sync::ReadScope& scope, std::string_view token,
                                     Facts* facts, Reason* reason) {
  scope.block().Add(kRevocationRechecks);
  const uint64_t epoch = context.revocations.epoch();  // Before the look, so that the stamp is never too new.
  Names names;
  if (!context.cache->Find(token, facts, &names)) return false;
  const keys::IssuerKey* key = context.keys->FindByRef(scope, facts->issuer, facts->key);
  if (key == nullptr) return false;
  revocation::Candidate candidate = CandidateOf(*facts, key);
  candidate.subject = {names.bytes.data(), names.subject_len};
  candidate.jwt_id = {names.bytes.data() + names.subject_len + names.client_len, names.jwt_id_len};
  *reason = context.revocations.Covers(candidate);
  if (*reason == Reason::kNone) context.cache->Restamp(token, *facts, epoch);
  return true;
}

void FillFromCache(const Context& context, const Facts& facts, const Names& names, Principal* principal) {
  const char* at = names.bytes.data();
  const auto take = [&at](size_t size) {
    at += size;
    return std::string_view(at - size, size);
  };
  const std::string_view subject = take(names.subject_len);
  const std::string_view client = take(names.client_len);
  const std::string_view jwt_id = take(names.jwt_id_len);
  const std::string_view roles = take(names.roles_len);
  principal->Assign(std::array<std::string_view, Principal::kFieldCount>{
      context.issuers[facts.issuer].expectations.issuer, subject, client, jwt_id,
      context.scope_sets->Text(facts.scope_set), roles});
}

std::string Joined(std::span<const std::string_view> words) {
  std::string all;
  for (std::string_view word : words) {
    if (!all.empty()) all += ' ';
    all += word;
  }
  return all;
}

TOLLGATE_SLOW void FillFromClaims(const claims::AccessToken& token, Principal* principal) {
  const std::string scope = Joined(token.scopes);
  const std::string roles = Joined(token.roles);
  principal->Assign(std::array<std::string_view, Principal::kFieldCount>{
      token.issuer, token.subject, token.client_id, token.jwt_id, scope, roles});
}

// IsPolicyDenial: the token itself was good; the caller is known.
bool IsPolicyDenial(Reason reason) {
  return reason >= Reason::kUnknownTool && reason < Reason::kKeysNeverFetched;
}

// DecideHit decides from cached facts. False, and nothing decided, if they may not stand in for a
// verification.
TOLLGATE_HOT bool DecideHit(Context& context, const sync::ReadScope& scope, std::string_view token,
                            const Request& request, Now now, Decision* decision, Principal* principal) {
  Facts facts;
  Names names;
  if (!context.cache->Find(token, &facts, principal == nullptr ? nullptr : &names)) return false;
  if (!StandsAsVerified(context, facts, now)) return false;

  const auto judge = [&] {
    if (!HasBit(context.issuers[facts.issuer].resources, request.resource))
      return Reason::kIssuerNotAllowedHere;
    if (const Reason reason = CheckMoment(context, facts, now, decision); reason != Reason::kNone)
      return reason;
    if (const Reason reason = CheckBinding(facts, request.resource); reason != Reason::kNone) return reason;
    return Reason::kNone;
  };
  Reason reason = judge();
  if (reason == Reason::kNone && facts.revocation_epoch != context.revocations.epoch() &&
      !RecheckRevocation(context, scope, token, &facts, &reason)) {
    return false;
  }
  if (reason == Reason::kNone) {
    reason =
        CheckPolicy(context, facts, context.scope_sets->Mask(facts.scope_set), request.tool, now, decision);
    if (principal != nullptr && (reason == Reason::kNone || IsPolicyDenial(reason))) {
      FillFromCache(context, facts, names, principal);
    }
  }
  scope.block().Add(kCacheHits);
  decision->from_cache = true;
  decision->issuer = facts.issuer;
  decision->algorithm = facts.algorithm;
  decision->reason = reason;
  return true;
}

// DecideMiss verifies the token and decides from what it says.
TOLLGATE_SLOW Reason DecideMiss(Context& context, const sync::ReadScope& scope, std::string_view token,
                                const Request& request, Now now, Decision* decision, Principal* principal) {
  Established established;
  if (const Reason reason = Establish(context, scope, token, request.resource, now, &established, decision);
      reason != Reason::kNone) {
    return reason;
  }
  Facts& facts = established.facts;
  if (const Reason reason = CheckMoment(context, facts, now, decision); reason != Reason::kNone)
    return reason;
  if (const Reason reason = CheckBinding(facts, request.resource); reason != Reason::kNone) return reason;

  // The epoch is read before the look: whatever is revoked from here on finds an older stamp on the record.
  facts.revocation_epoch = context.revocations.epoch();
  revocation::Candidate candidate = CandidateOf(facts, established.key);
  candidate.subject = established.token->subject;
  candidate.jwt_id = established.token->jwt_id;
  if (const Reason reason = context.revocations.Covers(candidate); reason != Reason::kNone) return reason;

  decision->was_cached = Remember(context, scope.block(), token, established);
  const Reason reason = CheckPolicy(context, facts, context.policy->MaskOf(established.token->scopes),
                                    request.tool, now, decision);
  if (principal != nullptr && (reason == Reason::kNone || IsPolicyDenial(reason))) {
    FillFromClaims(*established.token, principal);
  }
  return reason;
}

TOLLGATE_SLOW void FinishUnavailable(const Context& context, Now now, Decision* decision) {
  int64_t retry_after_ms = 0;
  if (decision->issuer != Decision::kNoIssuer) {
    const keys::KeyStore::Standing standing = context.keys->StandingAt(decision->issuer, now.mono_ms);
    decision->freshness = standing.freshness;
    decision->keys_age_ms = standing.age_ms;
    retry_after_ms = standing.retry_after_ms;
  }
  decision->retry_after_s =
      static_cast<uint32_t>(std::clamp<int64_t>((retry_after_ms + 999) / 1000, 1, 86'400));
}

void Decided(const Context& context, sync::ThreadBlock& counters, Now now, Decision* decision) {
  counters.Add(kChecks);
  switch (decision->category()) {
    case Category::kAllowed:
      decision->verdict = Verdict::kAllow;
      counters.Add(kAllowed);
      return;
    case Category::kRetryLater:
      decision->verdict = Verdict::kUnavailable;
      counters.Add(kUnavailable);
      return FinishUnavailable(context, now, decision);
    default:
      decision->verdict = Verdict::kDeny;
      counters.Add(kDenied);
  }
}

}  // namespace

TOLLGATE_HOT void Decide(Context& context, const Request& request, Now now, Decision* decision,
                         Principal* principal) noexcept {
  const sync::ReadScope scope(context.blocks);
  *decision = Decision{};
  if (principal != nullptr) principal->Clear();

  std::string_view token;
  if (request.num_credentials > 1) {
    decision->reason = Reason::kSeveralCredentials;
  } else if (const Reason bad = claims::ReadAuthorization(request.authorization, &token);
             bad != Reason::kNone) {
    decision->reason = bad;
  } else if (static_cast<size_t>(request.resource) >= context.resource_uris.size()) {
    decision->reason = Reason::kUnknownResource;
  } else if (!DecideHit(context, scope, token, request, now, decision, principal)) {
    *decision = Decision{};
    decision->reason = DecideMiss(context, scope, token, request, now, decision, principal);
  }
  Decided(context, scope.block(), now, decision);
}

}  // namespace tollgate::pipeline
