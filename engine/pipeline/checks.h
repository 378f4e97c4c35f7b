#pragma once

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

#include "keys/key_set.h"
#include "pipeline/context.h"
#include "policy/compiled_policy.h"
#include "revocation/revocation_list.h"
#include "tollgate/clock.h"
#include "tollgate/decision.h"
#include "tollgate/request.h"
#include "verdicts/facts.h"

// The checks that tokens are held to whether the cache knows them or not.
namespace tollgate::pipeline {

// CheckKeys: how far may the issuer's keys be trusted at this moment?
Reason CheckKeys(const Context& context, uint32_t issuer, Now now, Decision* decision);

// CheckBinding holds the facts against this request.
inline Reason CheckBinding(const verdicts::Facts& facts, ResourceId resource) {
  if ((facts.audience >> static_cast<uint32_t>(resource) & 1) == 0) return Reason::kAudienceMismatch;
  // No proof of possession is read from requests, so a bound token is never good as a bearer token.
  if (facts.sender_constrained) return Reason::kSenderConstrained;
  return Reason::kNone;
}

// AgeOf is the age of a token; nullopt without an iat. One from the future, by less than the leeway, counts
// as new.
inline std::optional<int64_t> AgeOf(int64_t issued_at, Now now) {
  if (issued_at == INT64_MIN) return std::nullopt;
  return std::max<int64_t>(0, now.wall_s - issued_at);
}

// CheckAge holds it against the tool's bound, and says both.
Reason CheckAge(int64_t issued_at, const policy::CompiledTool& tool, Now now, Decision* decision);

// CheckIssuersWord asks the token's issuer as far as the tool demands it: last, of a caller who has all else
// that is needed.
Reason CheckIssuersWord(Context& context, const sync::ReadScope& scope, uint32_t issuer,
                        std::string_view token, const policy::CompiledTool& tool, Now now,
                        Decision* decision);

// CandidateOf is what may have been revoked. `key`: null for an opaque token, which no key speaks for.
revocation::Candidate CandidateOf(const Context& context, uint32_t issuer, const keys::IssuerKey* key,
                                  std::string_view subject, std::string_view jwt_id, int64_t issued_at);

// IsOfSomebody: a good signature says whose token it is, though it is revoked. Of a revoked key's nobody
// knows.
inline bool IsOfSomebody(Reason reason) {
  return reason == Reason::kNone || reason == Reason::kSubjectRevoked || reason == Reason::kTokenRevoked;
}

}  // namespace tollgate::pipeline
