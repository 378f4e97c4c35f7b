#include "pipeline/establish.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/marks.h"
#include "base/saturating.h"
#include "jose/jws.h"
#include "pipeline/failure_budget.h"
#include "policy/grants.h"

namespace tollgate::pipeline {
namespace {

// Scratch is what one thread needs to read tokens: buffers that grow to their bound once and are then reused.
struct Scratch {
  jose::ParsedJws jws;
  claims::AccessToken token;
};

Scratch& ThreadScratch() {
  thread_local const std::unique_ptr<Scratch> scratch = std::make_unique<Scratch>();
  return *scratch;
}

verdicts::Facts FactsOf(const Context& context, uint32_t issuer, KeyRef key, const claims::AccessToken& token,
                        Now now) {
  const IssuerRules& rules = *context.issuers[issuer];
  verdicts::Facts facts;
  facts.key = key;
  const claims::Span span = claims::ValidSpan(claims::TimesOf(token), rules.expectations);
  facts.valid_from_s = span.from_s;
  facts.valid_through_s = span.through_s;
  facts.verified_at_mono_ms = now.mono_ms;
  for (std::string_view audience : token.audiences) facts.audience |= context.ResourcesOf(audience);
  // Where this issuer's tokens are not accepted, what one says of an audience is not worth remembering.
  facts.audience &= context.gates[issuer].resources;
  facts.sender_constrained = token.sender_constrained;
  return facts;
}

// PolicyClaimsOf is valid until the thread's next one.
std::span<const policy::Claim> PolicyClaimsOf(const claims::AccessToken& token) {
  if (token.policy_claims.empty()) return {};
  thread_local std::vector<policy::Claim> claims;
  claims.clear();
  const std::span<const std::string_view> values = token.policy_values;
  for (const claims::PolicyClaim& claim : token.policy_claims) {
    claims.push_back({.name = claim.name,
                      .is_list = claim.is_list,
                      .is_text = claim.is_text,
                      .values = values.subspan(claim.first, claim.num_values)});
  }
  return claims;
}

policy::Grants GrantsOf(const claims::AccessToken& token) {
  return {.kind = token.kind,
          .scopes = token.scopes,
          .scope_text = token.scope_text,
          .roles = token.roles,
          .actors = token.actors,
          .acr = token.acr,
          .amr = token.amr,
          .claims = PolicyClaimsOf(token)};
}

// Lifetime is exp − iat, but for a second: fractions have been rounded away from each other.
int64_t Lifetime(int64_t expires_at, int64_t issued_at) {
  if (issued_at == INT64_MIN || expires_at == INT64_MAX) return INT64_MAX;
  return std::max<int64_t>(0, saturating::Minus(saturating::Minus(expires_at, issued_at), 1));
}

const policy::GrantMask& EvaluateCaller(const Context& context, const policy::CompiledPolicy& policy,
                                        uint32_t issuer, policy::Caller caller) {
  thread_local policy::GrantMask mask;
  const IssuerRules& rules = *context.issuers[issuer];
  caller.issuer = rules.expectations.issuer;
  caller.profile = rules.expectations.profile.name;
  caller.scope_wildcards = rules.scope_wildcards;
  policy.Evaluate(caller, &mask);
  return mask;
}

}  // namespace

TOLLGATE_MISS Reason Establish(Context& context, const sync::ReadScope& scope, std::string_view token,
                               bool known, ResourceId resource, Now now, Established* established,
                               Decision* decision) {
  Scratch& scratch = ThreadScratch();
  if (const Reason reason = scratch.jws.Parse(token); reason != Reason::kNone) return reason;
  const jose::JoseHeader& header = scratch.jws.header();

  // Whose token does it claim to be? Only that issuer's keys are ever tried.
  std::string_view issuer_name;
  if (const Reason reason = claims::PeekIssuer(scratch.jws.unverified_payload(), &issuer_name);
      reason != Reason::kNone) {
    return reason;
  }
  const std::optional<uint32_t> issuer = context.keys->FindIssuer(scope, issuer_name);
  if (!issuer.has_value()) return Reason::kIssuerUnknown;
  const IssuerRules& rules = *context.issuers[*issuer];
  decision->issuer = *issuer;
  decision->audience_is_client_id = context.gates[*issuer].audience_is_client_id;
  if (!context.gates[*issuer].Admits(resource)) return Reason::kIssuerNotAllowedHere;
  if (!rules.algorithms.Contains(header.algorithm)) return Reason::kAlgorithmNotAllowed;

  // The ticket is taken before the look at the keys: a fetch that ends in between is not missed.
  decision->ticket = context.waiters.Ticket(*issuer);
  if (const Reason reason = context.keys->Find(scope, *issuer, header.has_key_id, header.key_id,
                                               header.algorithm, now.mono_ms, &established->key);
      reason != Reason::kNone) {
    return reason;
  }

  switch (context.admission->Begin(*issuer, known, now.mono_ms)) {
    case Admission::Answer::kTooManyAtOnce:
      scope.block().Add(kRefusedInFlight);
      return Reason::kOverloaded;
    case Admission::Answer::kTooManyInVain:
      scope.block().Add(kRefusedInVain);
      return Reason::kOverloaded;
    case Admission::Answer::kAdmitted:
      break;
  }
  scope.block().Add(kVerifications);
  std::optional<jose::VerifiedJws> verified;
  const crypto::VerifyKey& key = established->key->jwk->key;
  const Reason signature = jose::Verify(scratch.jws, key, &verified);
  context.admission->End(*issuer, known);
  // A signature of a wrong length has cost nothing; one of the right length is as long as the key.
  if (signature == Reason::kNone || signature == Reason::kBadSignature) {
    established->verification_cost_us =
        VerificationCostUs(key.type(), scratch.jws.signature().size(), scratch.jws.signing_input().size());
  }
  if (signature != Reason::kNone) return signature;
  scratch.jws.RememberHeader();
  decision->algorithm = header.algorithm;

  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  const Reason reason =
      claims::Validate(*verified, rules.expectations, now.wall_s, &scratch.token, &evidence, &validated);
  decision->evidence_actual = evidence.actual;
  decision->evidence_bound = evidence.bound;
  if (reason != Reason::kNone) return reason;

  established->token = &validated->token();
  established->issuer = *issuer;
  established->facts = FactsOf(context, *issuer, established->key->ref, validated->token(), now);
  established->facts.algorithm = header.algorithm;
  return Reason::kNone;
}

TOLLGATE_MISS const policy::GrantMask& Evaluate(const Context& context, const policy::CompiledPolicy& policy,
                                                const Established& established) {
  const claims::AccessToken& token = *established.token;
  const claims::TimeWindow times = claims::TimesOf(token);
  return EvaluateCaller(
      context, policy, established.issuer,
      {.subject = token.subject,
       .client_id = token.client_id,
       .kind = token.kind,
       .credential = established.key == nullptr ? CredentialKind::kOpaque : CredentialKind::kJwt,
       .scopes = token.scopes,
       .scope_text = token.scope_text,
       .roles = token.roles,
       .acr = token.acr,
       .amr = token.amr,
       .lifetime_s = Lifetime(times.expires_at, times.issued_at),
       .claims = PolicyClaimsOf(token)});
}

TOLLGATE_SLOW const policy::GrantMask& EvaluateCached(const Context& context,
                                                      const policy::CompiledPolicy& policy, uint32_t issuer,
                                                      const verdicts::Details& details) {
  thread_local policy::GrantsReader reader;
  const policy::Grants& grants = reader.Read(details.names.grants);
  return EvaluateCaller(context, policy, issuer,
                        {.subject = details.names.subject,
                         .client_id = details.names.client_id,
                         .kind = grants.kind,
                         .scopes = grants.scopes,
                         .roles = grants.roles,
                         .acr = grants.acr,
                         .amr = grants.amr,
                         .lifetime_s = Lifetime(details.times.expires_at, details.times.issued_at),
                         .claims = grants.claims});
}

TOLLGATE_MISS bool Remember(Context& context, sync::ThreadBlock& counters,
                            const verdicts::VerdictCache::Key& key, const policy::LivePolicy& policy,
                            const policy::GrantMask& granted, const audit::AuditId& audit_id, Now now,
                            Established* established) {
  if (context.cache->capacity() == 0) return false;
  const std::optional<uint32_t> grant_set = policy.sets.Intern(granted);
  if (grant_set.has_value()) {
    established->facts.grant_set = *grant_set;
  } else {
    counters.Add(kGrantSetsFull);
    established->facts.epoch = verdicts::Facts::kNoEpoch;
  }
  const claims::AccessToken& token = *established->token;
  thread_local std::string grants;
  if (!policy::WriteGrants(GrantsOf(token), &grants)) {
    counters.Add(kNotCachedTooLong);
    return false;
  }
  const claims::TimeWindow times = claims::TimesOf(token);
  verdicts::VerdictCache::Entry entry{
      .issuer = established->issuer,
      .facts = established->facts,
      .times = {times.expires_at, times.not_before, times.issued_at},
      .names = {token.subject, token.client_id, token.jwt_id, grants},
  };
  if (context.audit != nullptr)
    entry.names.audit_id = {reinterpret_cast<const char*>(audit_id.data()), audit_id.size()};

  using enum verdicts::VerdictCache::InsertResult;
  switch (context.cache->Insert(key, entry, now.wall_s,
                                [&context](KeyRef ref) { return context.keys->IsCurrent(ref); })) {
    case kDisplaced:
      counters.Add(kEvictions);
      [[fallthrough]];
    case kInserted:
    case kReplaced:
      counters.Add(kInserts);
      return true;
    case kUnstorable:
      counters.Add(kNotCachedTooLong);
      return false;
    case kOverShare:
      counters.Add(kNotCachedOverShare);
      return false;
    case kBusy:
    case kDisabled:
      return false;
  }
  return false;
}

}  // namespace tollgate::pipeline
