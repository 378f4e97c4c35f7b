#include "pipeline/introspect.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <string>

#include "base/limits.h"
#include "base/marks.h"
#include "base/saturating.h"
#include "claims/authorization_header.h"
#include "introspection/introspector.h"
#include "json/document.h"

namespace tollgate::pipeline {
namespace {

using introspection::Introspector;
using Known = introspection::Introspector::Known;

// What one thread needs to read answers. Made when the first one is read: most threads never do.
struct Scratch {
  json::Document document{limits::kIntrospectionBytesMax};
  claims::AccessToken token;
  std::string text;
};

Scratch& ThreadScratch() {
  thread_local const std::unique_ptr<Scratch> scratch = std::make_unique<Scratch>();
  return *scratch;
}

int64_t MsOf(uint32_t seconds) { return int64_t{seconds} * 1000; }

// Question is what is asked about one token, and how old an answer to it may be.
struct Question {
  uint32_t issuer;
  std::string_view token;
  bool verified;  // Its signature is good.
  int64_t age_max_ms;
  IntrospectionOutage outage;
  int64_t last_known_age_max_ms;
};

// CheckWindow holds the answer's own times against this moment.
Reason CheckWindow(const Known& known, int64_t leeway_s, Now now, Decision* decision) {
  if (now.wall_s >= saturating::Plus(known.expires_at, leeway_s)) return Reason::kTokenInactive;
  const int64_t begin = saturating::Minus(known.not_before, leeway_s);
  if (now.wall_s >= begin) return Reason::kNone;
  decision->evidence_actual = now.wall_s;
  decision->evidence_bound = begin;
  return Reason::kNotYetValid;
}

void RelyAtMost(int64_t until_s, Decision* decision) {
  decision->valid_until_s = std::min(decision->valid_until_s, until_s);
}

void RelyFor(int64_t ms, Now now, Decision* decision) {
  RelyAtMost(saturating::Plus(now.wall_s, ms / 1000), decision);
}

// Unavailable says when asking again may help. But for an answer that is on its way, nobody is told when.
Reason Unavailable(Reason reason, const Known& known, Decision* decision) {
  if (reason != Reason::kIntrospectionPending) decision->ticket = 0;
  decision->retry_after_s =
      static_cast<uint32_t>(std::clamp<int64_t>((known.retry_after_ms + 999) / 1000, 1, 86'400));
  return reason;
}

// Rely notes in the decision that it rests on an answer of this age, which counts for so much longer.
void Rely(const Known& known, int64_t age_max_ms, int64_t leeway_s, Now now, Decision* decision) {
  decision->introspected = true;
  decision->introspection_age_ms = static_cast<uint32_t>(std::min<int64_t>(known.age_ms, UINT32_MAX));
  RelyFor(age_max_ms - known.age_ms, now, decision);
  RelyAtMost(saturating::Plus(known.expires_at, leeway_s), decision);
}

// StandIn notes in the decision that it rests on less than was asked for.
void StandIn(const Context& context, sync::ThreadBlock& counters, Now now, Decision* decision) {
  decision->freshness = Freshness::kDegraded;
  RelyFor(context.active_age_max_ms, now, decision);
  counters.Add(kIntrospectionFallbacks);
}

// Ask is what Consult and EstablishOpaque share: the look at what is known, and what follows from it.
// decision->valid_until_s must be set, and may be brought forward.
Reason Ask(Context& context, sync::ThreadBlock& counters, const Question& question, Now now,
           Decision* decision, std::string* text) {
  Introspector& introspector = *context.introspector;
  const introspection::Fingerprint name = introspector.NameToken(question.token, question.verified);
  // Tickets are taken before the look: what comes in between is not missed.
  const uint64_t fetches = context.waiters.Ticket(question.issuer);
  const uint32_t channel = Introspector::ChannelOf(name);
  decision->ticket = AnswerTicket(channel, context.answers.Ticket(channel));
  const Known known = introspector.Ask(question.issuer, question.token, name, question.verified,
                                       question.age_max_ms, now.mono_ms, text);
  if (known.state == Known::State::kInactive) return Reason::kTokenInactive;
  const int64_t leeway_s = context.issuers[question.issuer]->expectations.leeway_s;
  if (known.state == Known::State::kActive) {
    if (const Reason reason = CheckWindow(known, leeway_s, now, decision); reason != Reason::kNone)
      return reason;
    if (known.age_ms <= question.age_max_ms) {
      Rely(known, question.age_max_ms, leeway_s, now, decision);
      return Reason::kNone;
    }
  }
  if (known.endpoint != Known::Endpoint::kKnown) {
    // Nothing stands in for what was never there; FinishUnavailable says when the issuer is asked for it.
    const bool may_come = known.endpoint == Known::Endpoint::kNotReadYet;
    decision->ticket = may_come ? MetadataTicket(fetches) : 0;
    return Reason::kIntrospectionUnavailable;
  }
  // Whoever could bring about an overload must not choose what stands in for an answer.
  if (known.overloaded) return Unavailable(Reason::kOverloaded, known, decision);
  // An answer that says nothing of this token is no outage: whoever presents it could bring that about, too.
  const bool can_not_be_asked = known.failing && !known.asked;
  const bool last_known = can_not_be_asked && question.outage == IntrospectionOutage::kLastKnown &&
                          known.state == Known::State::kActive &&
                          known.age_ms <= question.last_known_age_max_ms;
  const bool by_signature =
      can_not_be_asked && question.outage == IntrospectionOutage::kLocalSignature && question.verified;
  if (!last_known && !by_signature) {
    // One that is under way may still bring an answer.
    return Unavailable(known.asked ? Reason::kIntrospectionPending : Reason::kIntrospectionUnavailable, known,
                       decision);
  }
  if (last_known) Rely(known, question.last_known_age_max_ms, leeway_s, now, decision);
  StandIn(context, counters, now, decision);
  return Reason::kNone;
}

}  // namespace

TOLLGATE_MISS Reason Consult(Context& context, sync::ThreadBlock& counters, uint32_t issuer,
                             std::string_view token, const policy::CompiledTool& tool, Now now,
                             Decision* decision) {
  Question question{.issuer = issuer,
                    .token = token,
                    .verified = true,
                    .age_max_ms = context.active_age_max_ms,
                    .outage = tool.introspection_outage,
                    .last_known_age_max_ms = MsOf(tool.last_known_age_max_s)};
  if (tool.introspection_age_max_s != 0)
    question.age_max_ms = std::min(question.age_max_ms, MsOf(tool.introspection_age_max_s));
  if (tool.mode == ValidationMode::kIntrospect)
    return Ask(context, counters, question, now, decision, nullptr);

  // Behind: only what the issuer has said counts, not that it has yet to say something.
  question.outage = IntrospectionOutage::kDenyUnavailable;
  const Decision before = *decision;
  const Reason reason = Ask(context, counters, question, now, decision, nullptr);
  if (CategoryOf(reason) != Category::kRetryLater) return reason;
  *decision = before;
  RelyFor(context.active_age_max_ms, now, decision);
  if (reason != Reason::kIntrospectionPending) StandIn(context, counters, now, decision);
  return Reason::kNone;
}

TOLLGATE_MISS Reason EstablishOpaque(Context& context, const sync::ReadScope& scope, std::string_view token,
                                     ResourceId resource, const policy::CompiledTool* tool, Now now,
                                     Established* established, Decision* decision) {
  const std::optional<uint32_t> found =
      context.keys->FindIssuer(scope, context.opaque_issuers[static_cast<uint32_t>(resource)]);
  if (!found.has_value()) return Reason::kIssuerUnknown;
  // Whatever else would be asked about for anybody who sends it.
  if (!claims::IsB64Token(token)) return Reason::kMalformedAuthorization;
  const uint32_t issuer = *found;
  decision->issuer = issuer;
  if (!context.gates[issuer].Admits(resource)) return Reason::kIssuerNotAllowedHere;
  const IssuerRules& rules = *context.issuers[issuer];
  if (rules.answers == nullptr) return Reason::kIssuerUnknown;
  Question question{.issuer = issuer,
                    .token = token,
                    .verified = false,
                    .age_max_ms = context.active_age_max_ms,
                    .outage = IntrospectionOutage::kDenyUnavailable,
                    .last_known_age_max_ms = 0};
  if (tool != nullptr) {
    question.outage = tool->introspection_outage;
    question.last_known_age_max_ms = MsOf(tool->last_known_age_max_s);
    if (tool->mode == ValidationMode::kIntrospect && tool->introspection_age_max_s != 0)
      question.age_max_ms = std::min(question.age_max_ms, MsOf(tool->introspection_age_max_s));
  }
  Scratch& scratch = ThreadScratch();
  decision->freshness = Freshness::kFresh;
  decision->valid_until_s = INT64_MAX;
  if (const Reason reason = Ask(context, scope.block(), question, now, decision, &scratch.text);
      reason != Reason::kNone) {
    return reason;
  }

  if (const Reason reason = scratch.document.Parse(scratch.text); reason != Reason::kNone) return reason;
  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  json::Value answer = scratch.document.root();
  if (rules.answers_are_signed) answer = answer.Member("token_introspection");
  const Reason reason =
      claims::ValidateAnswer(answer, *rules.answers, now.wall_s, &scratch.token, &evidence, &validated);
  decision->evidence_actual = evidence.actual;
  decision->evidence_bound = evidence.bound;
  if (reason != Reason::kNone) return reason;

  established->token = &validated->token();
  established->issuer = issuer;
  verdicts::Facts& facts = established->facts;
  const claims::Span span = claims::ValidSpan(claims::TimesOf(validated->token()), *rules.answers);
  facts.valid_from_s = span.from_s;
  facts.valid_through_s = std::min(span.through_s, decision->valid_until_s - 1);
  facts.sender_constrained = validated->token().sender_constrained;
  if (!validated->token().audiences.empty()) {
    for (std::string_view audience : validated->token().audiences)
      facts.audience |= context.ResourcesOf(audience);
  } else if (rules.answers_are_for_us) {
    facts.audience = uint64_t{1} << static_cast<uint32_t>(resource);
  } else {
    return Reason::kAudienceMissing;
  }
  return Reason::kNone;
}

TOLLGATE_SLOW Reason VerifyAnswer(Context& context, std::string_view issuer, const jose::ParsedJws& answer,
                                  Now now, std::optional<jose::VerifiedJws>* verified) {
  verified->reset();
  const sync::ReadScope scope(context.blocks);
  const std::optional<uint32_t> found = context.keys->FindIssuer(scope, issuer);
  if (!found.has_value()) return Reason::kIssuerUnknown;
  const jose::JoseHeader& header = answer.header();
  if (!context.issuers[*found]->algorithms.Contains(header.algorithm)) return Reason::kAlgorithmNotAllowed;
  const keys::IssuerKey* key = nullptr;
  if (const Reason reason = context.keys->Find(scope, *found, header.has_key_id, header.key_id,
                                               header.algorithm, now.mono_ms, &key);
      reason != Reason::kNone) {
    return reason;
  }
  if (const Reason reason = context.revocations.Covers({.issuer = issuer,
                                                        .key_id = key->jwk->key_id,
                                                        .key_thumbprint = key->thumbprint,
                                                        .subject = "",
                                                        .jwt_id = ""});
      reason != Reason::kNone) {
    return reason;
  }
  return jose::Verify(answer, key->jwk->key, verified);
}

}  // namespace tollgate::pipeline
