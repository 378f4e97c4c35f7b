#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tollgate/export.h"

namespace tollgate {

// Profile says how one identity provider writes its JWT access tokens: data, no code. Claims are named by
// their top-level member, or by an RFC 6901 JSON pointer ("/realm_access/roles") where they lie deeper. Start
// from one of the factories and change what your tenant does differently.
//
// Issuers are no part of it. `iss` is compared exactly with IssuerConfig::issuer, so that Auth0's is
// configured with its trailing slash, and Keycloak and Okta need one IssuerConfig for each realm or
// authorization server. Entra ID needs one for each tenant, or one template with the list of those that are
// accepted (IssuerConfig::tenants): the template itself matches no token. Audiences that are no URI (an Entra
// application's GUID or "api://…", a client id) are configured in ResourceConfig::audiences.
// Thread-compatible.
struct TOLLGATE_API Profile {
  std::string name{};
  // Accepted `typ` header values, compared as media types: case-insensitive, with or without "application/"
  // (RFC 7515 section 4.1.9). RFC 8725 section 3.11: an explicit type keeps ID tokens and other JWTs out.
  std::vector<std::string> types{};
  bool missing_type_allowed = false;
  // The `typ` header is not looked at. The marks of other tokens below still are.
  bool any_type = false;
  // Where `typ` is not at+jwt, what evidently is another token is refused: one with `at_hash` or `c_hash`, a
  // `token_use` other than "access" (Cognito) and "access_token" (Hydra), or a payload `typ` of "ID",
  // "Refresh", "Offline" or "Logout" (Keycloak). This switch lets at_hash and c_hash pass; the engine demands
  // dangerous_accept_id_tokens for it.
  bool id_tokens = false;
  // Claims that must be present beside iss, exp and the audience, which always must. iat also must where
  // IssuerConfig bounds age or lifetime, as it does by default.
  bool issued_at_required = true;
  bool subject_required = true;
  bool client_required = true;
  bool jwt_id_required = true;
  // Where the audience is found. Every provider but Cognito uses "aud".
  std::string audience_claim = "aud";
  // Tried in this order; the first one present counts, and if it is malformed the token is refused. A scope
  // claim is a space-delimited string or an array of strings; a role claim the same.
  std::vector<std::string> client_claims{};
  std::vector<std::string> scope_claims{};
  // Roles of all of these claims are taken together, so that a role has to mean the same wherever it is
  // found. In a pointer, one "*" between two slashes stands for every member: "/resource_access/*/roles"
  // takes the roles of all of Keycloak's clients, "/resource_access/my-client/roles" those of one. A member
  // of an array that has white space in it refuses the token, since Principal::roles() is space-delimited.
  std::vector<std::string> role_claims{};
  // Claims that must be present with exactly this string, else the token is not an access token: {claim,
  // value}.
  std::vector<std::pair<std::string, std::string>> must_equal{};
  // Claims by which the provider marks a token of a client for itself, beside a `sub` that is the client's
  // own id: {claim, value}, or {claim, ""} where its presence says so. See PrincipalKind.
  std::vector<std::pair<std::string, std::string>> service_marks{};
  // A subject that is the client's id with this behind it is the client, too (Auth0: "@clients").
  std::string service_subject_suffix{};
  // Only users' tokens have this claim (Entra ID: "scp"). Empty: there is none such.
  std::string user_claim{};
  // Of a templated issuer: what the keys' own member `issuer` is, a template too; empty: the issuer.
  std::string key_issuer{};
  // Where the provider's own metadata leads beside the issuer's host; see IssuerConfig::discovery_hosts.
  std::vector<std::string> discovery_hosts{};

  // Rfc9068 is the standard's own form (`typ: at+jwt`, all required claims): the default.
  static Profile Rfc9068();
  // Lenient takes what most providers write: a `typ` of at+jwt, JWT or none; nothing required but what always
  // is. It cannot tell every ID token from an access token: prefer the provider's own profile.
  static Profile Lenient();
  // Auth0 with the RFC 9068 token dialect; `permissions` are roles. A tenant's older dialect has `typ: JWT`,
  // `azp` for the client and no `jti`.
  static Profile Auth0();
  // Cognito has no `aud`: a resource lists the client ids that may call it among its audiences.
  static Profile Cognito();
  // DangerousGoogleIdToken takes Google's ID tokens, for its access tokens are opaque. An ID token tells a
  // client who its user is and carries no scope; whoever serves that client can replay it. The resource lists
  // the client id among its audiences. Works with dangerous_accept_id_tokens alone.
  static Profile DangerousGoogleIdToken();
  // EntraV1 and EntraV2 are Microsoft Entra ID, access tokens in the version that the API's registration asks
  // for: v1.0 is issued by https://sts.windows.net/<tenant>/, v2.0 by
  // https://login.microsoftonline.com/<tenant>/v2.0. For many tenants, either is a template with "{tenantid}"
  // in the place of <tenant>; tokens of both versions need both. Only v2.0 key sets say which tenants a
  // key is for, as a v2.0 issuer: a v1.0 template's `jwks_uri` must be one of these
  // (https://login.microsoftonline.com/common/discovery/v2.0/keys).
  static Profile EntraV1();
  static Profile EntraV2();
  // Keycloak marks access tokens by a payload `typ` of "Bearer". Roles of the realm are roles; those of
  // clients are not, since one client's "admin" is not another's: add the pointer of yours to role_claims.
  static Profile Keycloak();
  // Okta custom authorization servers. Groups are no roles, since their names may hold spaces: add "groups"
  // to role_claims where yours do not.
  static Profile Okta();

  // ByName returns the profile of this `name`, nullopt if there is none. Allocates.
  static std::optional<Profile> ByName(std::string_view name);
  // Names returns the names that ByName knows, sorted; they live as long as the process.
  static std::span<const std::string_view> Names();
};

}  // namespace tollgate
