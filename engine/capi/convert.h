#pragma once

#include <cstdint>

#include "capi/first_sizes.h"
#include "tollgate/decision.h"
#include "tollgate/mcp_object.h"
#include "tollgate/principal.h"
#include "tollgate/request.h"

namespace tollgate::c_abi {

// The C ABI begins with the tool, so that zero is the default.
inline bool ReadObject(uint32_t given, McpObject* to) {
  constexpr McpObject kObjects[] = {McpObject::kTool, McpObject::kMethod, McpObject::kPrompt,
                                    McpObject::kResource};
  if (given > TOLLGATE_RESOURCE) return false;
  *to = kObjects[given];
  return true;
}

inline uint32_t CObject(McpObject object) {
  switch (object) {
    case McpObject::kTool:
      return TOLLGATE_TOOL;
    case McpObject::kMethod:
      return TOLLGATE_METHOD;
    case McpObject::kPrompt:
      return TOLLGATE_PROMPT;
    case McpObject::kResource:
      return TOLLGATE_RESOURCE;
  }
  return TOLLGATE_RESOURCE;
}

// ReadRequest makes views of a caller's request; false if it is none.
[[nodiscard]] inline bool ReadRequest(const tollgate_request* given, Request* to) {
  tollgate_request from;
  if (!ReadStruct(given, &from)) return false;
  Texts texts;
  to->authorization = texts.View(from.authorization);
  to->tool = texts.View(from.tool);
  to->traceparent = texts.View(from.traceparent);
  to->resource = ResourceId{from.resource};
  to->num_credentials = from.num_credentials > 1 ? 2 : 1;  // Nobody counts any further.
  return texts.good() && ReadObject(from.object, &to->object);
}

static_assert(static_cast<int>(Verdict::kDeny) == TOLLGATE_DENY &&
              static_cast<int>(Verdict::kAllow) == TOLLGATE_ALLOW &&
              static_cast<int>(Verdict::kUnavailable) == TOLLGATE_UNAVAILABLE);
static_assert(static_cast<int>(Freshness::kFresh) == TOLLGATE_FRESH &&
              static_cast<int>(Freshness::kStale) == TOLLGATE_STALE &&
              static_cast<int>(Freshness::kDegraded) == TOLLGATE_DEGRADED &&
              static_cast<int>(Freshness::kUnavailable) == TOLLGATE_KEYS_UNAVAILABLE);
static_assert(static_cast<int>(Category::kAllowed) == TOLLGATE_ALLOWED &&
              static_cast<int>(Category::kAuthenticate) == TOLLGATE_AUTHENTICATE &&
              static_cast<int>(Category::kReauthenticate) == TOLLGATE_REAUTHENTICATE &&
              static_cast<int>(Category::kAuthenticateStronger) == TOLLGATE_AUTHENTICATE_STRONGER &&
              static_cast<int>(Category::kStepUp) == TOLLGATE_STEP_UP &&
              static_cast<int>(Category::kForbidden) == TOLLGATE_FORBIDDEN &&
              static_cast<int>(Category::kFixRequest) == TOLLGATE_FIX_REQUEST &&
              static_cast<int>(Category::kRetryLater) == TOLLGATE_RETRY_LATER);
static_assert(static_cast<int>(PrincipalKind::kUser) == TOLLGATE_USER &&
              static_cast<int>(PrincipalKind::kService) == TOLLGATE_SERVICE &&
              static_cast<int>(PrincipalKind::kAgent) == TOLLGATE_AGENT);

inline tollgate_decision CDecision(const Decision& decision) {
  const Category category = decision.category();
  return {.struct_size = sizeof(tollgate_decision),
          .verdict = static_cast<uint8_t>(decision.verdict),
          .freshness = static_cast<uint8_t>(decision.freshness),
          .category = static_cast<uint8_t>(category),
          .from_cache = decision.from_cache,
          .was_cached = decision.was_cached,
          .introspected = decision.introspected,
          .http_status = static_cast<uint16_t>(HttpStatus(category)),
          .reason = static_cast<uint32_t>(decision.reason),
          .retry_after_s = decision.retry_after_s,
          .issuer = decision.issuer,
          .introspection_age_ms = decision.introspection_age_ms,
          .valid_until_s = decision.valid_until_s,
          .evidence_actual = decision.evidence_actual,
          .evidence_bound = decision.evidence_bound,
          .keys_age_ms = decision.keys_age_ms};
}

inline tollgate_caller CCaller(const Principal& principal) {
  return {.struct_size = sizeof(tollgate_caller),
          .issuer = CString(principal.issuer()),
          .subject = CString(principal.subject()),
          .client_id = CString(principal.client_id()),
          .jwt_id = CString(principal.jwt_id()),
          .scope = CString(principal.scope()),
          .roles = CString(principal.roles()),
          .actors = CString(principal.actors()),
          .kind = static_cast<uint32_t>(principal.kind()),
          .reserved = 0};
}

}  // namespace tollgate::c_abi
