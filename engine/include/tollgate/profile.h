#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tollgate/export.h"

namespace tollgate {

// Profile says how one identity provider writes its JWT access tokens: data, no code. Claims are named by
// their top-level member, or by an RFC 6901 JSON pointer ("/realm_access/roles") where they lie deeper. Start
// from one of the factories and change what your tenant does differently. Thread-compatible.
struct TOLLGATE_API Profile {
  std::string name{};
  // Accepted `typ` header values, compared as media types: case-insensitive, with or without "application/"
  // (RFC 7515 section 4.1.9). RFC 8725 section 3.11: an explicit type keeps ID tokens and other JWTs out.
  std::vector<std::string> types{};
  bool missing_type_allowed = false;
  // Claims that must be present beside iss, exp and the audience, which always must.
  bool issued_at_required = true;
  bool subject_required = true;
  bool client_required = true;
  bool jwt_id_required = true;
  // Where the audience is found. Every provider but one uses "aud".
  std::string audience_claim = "aud";
  // Tried in this order; the first one present counts, and if it is malformed the token is refused. A scope
  // claim is a space-delimited string or an array of strings; a role claim the same.
  std::vector<std::string> client_claims{};
  std::vector<std::string> scope_claims{};
  // Roles of all of these claims are taken together.
  std::vector<std::string> role_claims{};
  // Claims that must be present with exactly this string, else the token is not an access token: {claim,
  // value}.
  std::vector<std::pair<std::string, std::string>> must_equal{};

  // Rfc9068 is the standard's own form (`typ: at+jwt`, all required claims): the default.
  static Profile Rfc9068();
  // Auth0 with the RFC 9068 token dialect; `permissions` are roles.
  static Profile Auth0();
  // Cognito has no `aud`: a resource lists the client ids that may call it among its audiences.
  static Profile Cognito();
  // EntraV2 is Microsoft Entra ID, v2.0 access tokens of one tenant.
  static Profile EntraV2();
  // Keycloak marks access tokens by a payload `typ` of "Bearer".
  static Profile Keycloak();
  // Okta custom authorization servers.
  static Profile Okta();
};

}  // namespace tollgate
