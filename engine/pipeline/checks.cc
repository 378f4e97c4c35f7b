#include "pipeline/checks.h"

#include "base/marks.h"
#include "pipeline/introspect.h"

namespace tollgate::pipeline {
namespace {

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

}  // namespace

Reason CheckKeys(const Context& context, uint32_t issuer, Now now, Decision* decision) {
  if (!context.keys->IsFresh(issuer, now.mono_ms, &decision->keys_age_ms))
    return CheckKeysAgain(context, issuer, now, decision);
  decision->freshness = Freshness::kFresh;
  return Reason::kNone;
}

Reason CheckAge(int64_t issued_at, const policy::CompiledTool& tool, Now now, Decision* decision) {
  const std::optional<int64_t> age = AgeOf(issued_at, now);
  if (!age.has_value()) return Reason::kIssuedAtMissing;
  decision->evidence_actual = *age;
  decision->evidence_bound = tool.token_age_max_s;
  return *age > tool.token_age_max_s ? Reason::kTooOld : Reason::kNone;
}

Reason CheckIssuersWord(Context& context, const sync::ReadScope& scope, uint32_t issuer,
                        std::string_view token, const policy::CompiledTool& tool, Now now,
                        Decision* decision) {
  if (tool.mode == ValidationMode::kSignature) [[likely]]
    return Reason::kNone;
  return Consult(context, scope.block(), issuer, token, tool, now, decision);
}

revocation::Candidate CandidateOf(const Context& context, uint32_t issuer, const keys::IssuerKey* key,
                                  std::string_view subject, std::string_view jwt_id, int64_t issued_at) {
  return {.issuer = context.issuer_names.Text(issuer).view(),
          .key_id = key == nullptr ? std::string_view() : key->jwk->key_id,
          .key_thumbprint = key == nullptr ? std::string_view() : key->thumbprint,
          .subject = subject,
          .jwt_id = jwt_id,
          .issued_at = issued_at};
}

}  // namespace tollgate::pipeline
