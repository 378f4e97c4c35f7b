#include "pipeline/establish.h"

#include <memory>
#include <optional>
#include <span>
#include <string>

#include "base/marks.h"
#include "jose/jws.h"
#include "pipeline/failure_budget.h"

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

verdicts::Facts FactsOf(const Context& context, const IssuerRules& rules, KeyRef key,
                        const claims::AccessToken& token, Now now) {
  verdicts::Facts facts;
  facts.key = key;
  const claims::Span span = claims::ValidSpan(claims::TimesOf(token), rules.expectations);
  facts.valid_from_s = span.from_s;
  facts.valid_through_s = span.through_s;
  facts.verified_at_mono_ms = now.mono_ms;
  for (std::string_view audience : token.audiences) facts.audience |= context.ResourcesOf(audience);
  facts.sender_constrained = token.sender_constrained;
  return facts;
}

// Joined puts the words one behind the other, space-delimited, into a buffer of the thread.
std::string_view Joined(std::span<const std::string_view> words) {
  thread_local std::string all;
  all.clear();
  for (std::string_view word : words) {
    if (!all.empty()) all += ' ';
    all += word;
  }
  return all;
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
  established->facts = FactsOf(context, rules, established->key->ref, validated->token(), now);
  established->facts.algorithm = header.algorithm;
  return Reason::kNone;
}

TOLLGATE_MISS bool Remember(Context& context, sync::ThreadBlock& counters,
                            const verdicts::VerdictCache::Key& key, Now now, Established* established) {
  if (context.cache->capacity() == 0) return false;
  const claims::AccessToken& token = *established->token;
  const std::optional<uint32_t> scope_set = context.scope_sets->Intern(token.scopes);
  if (!scope_set.has_value()) {
    counters.Add(kScopeSetsFull);
    return false;
  }
  established->facts.scope_set = *scope_set;
  const claims::TimeWindow times = claims::TimesOf(token);
  verdicts::VerdictCache::Entry entry{
      .issuer = established->issuer,
      .facts = established->facts,
      .times = {times.expires_at, times.not_before, times.issued_at},
      .names = {token.subject, token.client_id, token.jwt_id, Joined(token.roles)},
  };

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
