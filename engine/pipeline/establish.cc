#include "pipeline/establish.h"

#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "base/marks.h"
#include "jose/jws.h"

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
  verdicts::Facts facts;
  facts.issuer = issuer;
  facts.issuer_epoch = context.issuers[issuer].epoch;
  facts.key = key;
  facts.revocation_epoch = 0;  // Below every epoch: not yet checked.
  facts.expires_at = token.expires_at;
  if (token.has_not_before) facts.not_before = token.not_before;
  if (token.has_issued_at) facts.issued_at = token.issued_at;
  facts.verified_at_mono_ms = now.mono_ms;
  for (std::string_view audience : token.audiences) facts.audience |= context.ResourcesOf(audience);
  facts.sender_constrained = token.sender_constrained;
  return facts;
}

// NamesWriter packs strings one behind the other and notes when they do not fit.
class NamesWriter {
 public:
  explicit NamesWriter(verdicts::Names* names) : names_(names) {}
  uint16_t Append(std::string_view text) {
    if (text.size() > names_->bytes.size() - used_) {
      fits_ = false;
      return 0;
    }
    if (!text.empty()) std::memcpy(names_->bytes.data() + used_, text.data(), text.size());
    used_ += text.size();
    return static_cast<uint16_t>(text.size());
  }
  uint16_t AppendJoined(std::span<const std::string_view> words) {
    uint16_t total = 0;
    for (std::string_view word : words) {
      if (total != 0) total = static_cast<uint16_t>(total + Append(" "));
      total = static_cast<uint16_t>(total + Append(word));
    }
    return total;
  }
  bool fits() const { return fits_; }

 private:
  verdicts::Names* const names_;
  size_t used_ = 0;
  bool fits_ = true;
};

}  // namespace

TOLLGATE_SLOW Reason Establish(Context& context, const sync::ReadScope& scope, std::string_view token,
                               ResourceId resource, Now now, Established* established, Decision* decision) {
  Scratch& scratch = ThreadScratch();
  if (const Reason reason = scratch.jws.Parse(token); reason != Reason::kNone) return reason;
  const jose::JoseHeader& header = scratch.jws.header();

  // Whose token does it claim to be? Only that issuer's keys are ever tried.
  std::string_view issuer_name;
  if (const Reason reason = claims::PeekIssuer(scratch.jws.unverified_payload(), &issuer_name);
      reason != Reason::kNone) {
    return reason;
  }
  const std::optional<uint32_t> issuer = context.keys->FindIssuer(issuer_name);
  if (!issuer.has_value()) return Reason::kIssuerUnknown;
  const IssuerRules& rules = context.issuers[*issuer];
  decision->issuer = *issuer;
  if ((rules.resources >> static_cast<uint32_t>(resource) & 1) == 0) return Reason::kIssuerNotAllowedHere;
  if (!rules.algorithms.Contains(header.algorithm)) return Reason::kAlgorithmNotAllowed;

  // The ticket is taken before the look at the keys: a fetch that ends in between is not missed.
  decision->ticket = context.waiters.Ticket(*issuer);
  if (const Reason reason = context.keys->Find(scope, *issuer, header.has_key_id, header.key_id,
                                               header.algorithm, now.mono_ms, &established->key);
      reason != Reason::kNone) {
    return reason;
  }

  scope.block().Add(kVerifications);
  std::optional<jose::VerifiedJws> verified;
  if (const Reason reason = jose::Verify(scratch.jws, established->key->jwk->key, &verified);
      reason != Reason::kNone) {
    return reason;
  }
  decision->algorithm = header.algorithm;

  claims::TimeEvidence evidence;
  std::optional<claims::ValidatedClaims> validated;
  const Reason reason =
      claims::Validate(*verified, rules.expectations, now.wall_s, &scratch.token, &evidence, &validated);
  decision->evidence_actual = evidence.actual;
  decision->evidence_bound = evidence.bound;
  if (reason != Reason::kNone) return reason;

  established->token = &validated->token();
  established->facts = FactsOf(context, *issuer, established->key->ref, validated->token(), now);
  established->facts.algorithm = header.algorithm;
  return Reason::kNone;
}

TOLLGATE_SLOW bool Remember(Context& context, sync::ThreadBlock& counters, std::string_view token,
                            const Established& established) {
  if (context.cache->capacity() == 0) return false;
  const claims::AccessToken& claims = *established.token;
  verdicts::Names names;
  NamesWriter writer(&names);
  names.subject_len = writer.Append(claims.subject);
  names.client_len = writer.Append(claims.client_id);
  names.jwt_id_len = writer.Append(claims.jwt_id);
  names.roles_len = writer.AppendJoined(claims.roles);
  if (!writer.fits()) {
    counters.Add(kNotCachedTooLong);
    return false;
  }
  const std::optional<uint32_t> scope_set = context.scope_sets->Intern(claims.scopes);
  if (!scope_set.has_value()) {
    counters.Add(kScopeSetsFull);
    return false;
  }
  verdicts::Facts facts = established.facts;
  facts.scope_set = *scope_set;

  using enum verdicts::VerdictCache::InsertResult;
  switch (context.cache->Insert(token, facts, names)) {
    case kDisplaced:
      counters.Add(kEvictions);
      [[fallthrough]];
    case kInserted:
    case kReplaced:
      counters.Add(kInserts);
      return true;
    case kTooLong:
      counters.Add(kNotCachedTooLong);
      return false;
    case kDisabled:
      return false;
  }
  return false;
}

}  // namespace tollgate::pipeline
