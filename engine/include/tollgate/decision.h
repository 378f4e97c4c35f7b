#pragma once

#include <cstdint>
#include <string_view>

#include "tollgate/algorithm.h"
#include "tollgate/reason.h"

namespace tollgate {

// Verdict is the three-way answer.
enum class Verdict : uint8_t {
  kDeny = 0,  // Answer with HttpStatus(category).
  kAllow = 1,
  kUnavailable = 2,  // The engine cannot know right now: 503 with Retry-After. Never a 401, which would make
                     // clients throw good tokens away.
};

// Freshness says how far the issuer's keys may be trusted at this moment.
// If something stands in for what the issuer should have been asked (IntrospectionOutage), it is kDegraded,
// too.
enum class Freshness : uint8_t {
  kFresh,        // Within the refresh interval, or keys that never age (configured inline).
  kStale,        // A refresh is due or under way; nothing has failed.
  kDegraded,     // Refreshes fail, or a fallback serves; the keys in use are within the staleness bound.
  kUnavailable,  // Never fetched, or beyond the bound.
};

// FreshnessName returns "fresh", "stale", "degraded" or "unavailable". Static storage.
TOLLGATE_API std::string_view FreshnessName(Freshness freshness);

// Decision is the answer to one Request. A plain value without heap; it never points into the engine. A
// Decision that nobody filled in is a denial. Thread-compatible.
struct Decision {
  Verdict verdict = Verdict::kDeny;
  Reason reason = Reason::kUndecided;
  Freshness freshness = Freshness::kUnavailable;
  bool from_cache = false;  // The signature was verified by an earlier check.
  bool was_cached = false;  // This check verified the signature and the cache took the facts.
  // The issuer's profile takes the audience from the client id, since its tokens have no `aud` (Cognito).
  bool audience_is_client_id = false;
  Algorithm algorithm{};      // Meaningful once the signature has been verified.
  bool introspected = false;  // It rests on an answer of the issuer (RFC 7662), introspection_age_ms old.
  // Once known: position in Config::issuers; of issuers that were added or changed since,
  // IssuerHealth::position; of a template's tenants, one of IssuerHealth::tenant_positions.
  uint32_t issuer = kNoIssuer;
  uint32_t retry_after_s = 0;  // Unavailable: when asking again may help, at least 1.
  uint32_t introspection_age_ms = 0;
  uint64_t ticket = 0;  // Unavailable: what Engine::NotifyWhenSettled waits by. Opaque.

  // Allow: the decision may be relied upon until this wall time (seconds): the token's exp, or the end of its
  // issuer's token_age_max_s if that comes first, plus leeway; not beyond the time that an issuer's answer
  // counts, if it rests on one.
  int64_t valid_until_s = 0;
  // Deny by time (kExpired, kNotYetValid, kTooOld, kLifetimeTooLong): what was compared, in seconds.
  int64_t evidence_actual = 0;
  int64_t evidence_bound = 0;
  // Age of the issuer's key set in milliseconds since its last good answer; 0 for keys that never age, and
  // for opaque tokens, which need none.
  int64_t keys_age_ms = 0;

  static constexpr uint32_t kNoIssuer = UINT32_MAX;

  bool allowed() const { return verdict == Verdict::kAllow; }
  Category category() const { return CategoryOf(reason); }
  int http_status() const { return HttpStatus(category()); }
};

}  // namespace tollgate
