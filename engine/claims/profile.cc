#include "tollgate/profile.h"

namespace tollgate {

// RFC 9068 sections 2.1 and 2.2.
Profile Profile::Rfc9068() {
  Profile profile;
  profile.name = "rfc9068";
  profile.types = {"at+jwt"};
  profile.client_claims = {"client_id"};
  profile.scope_claims = {"scope"};
  profile.role_claims = {"roles"};
  return profile;
}

// Tenants choose the dialect for each API; the RFC's one has an explicit type, `client_id` and `jti`.
Profile Profile::Auth0() {
  Profile profile = Rfc9068();
  profile.name = "auth0";
  profile.role_claims = {"permissions"};
  return profile;
}

// The header has kid and alg alone, so that `token_use` is what tells an access token from an ID token.
Profile Profile::Cognito() {
  Profile profile;
  profile.name = "cognito";
  profile.missing_type_allowed = true;
  profile.audience_claim = "client_id";
  profile.client_claims = {"client_id"};
  profile.scope_claims = {"scope"};
  profile.role_claims = {"cognito:groups"};
  profile.must_equal = {{"token_use", "access"}};
  return profile;
}

// ID tokens of the same version have the same type, and the same audience where client and API share a
// registration. What they do not have is `azp`, hence client_required. There is no `jti`: `uti` names the
// token.
Profile Profile::EntraV2() {
  Profile profile;
  profile.name = "entra-v2";
  profile.types = {"JWT"};
  profile.jwt_id_required = false;
  profile.client_claims = {"azp"};
  profile.scope_claims = {"scp"};
  profile.role_claims = {"roles"};
  profile.must_equal = {{"ver", "2.0"}};
  return profile;
}

// `typ` in the payload is "ID", "Refresh" or "Offline" in the realm's other tokens. The header's becomes
// at+jwt by a client setting. Realm roles are roles; those of one client are
// "/resource_access/<client>/roles".
Profile Profile::Keycloak() {
  Profile profile;
  profile.name = "keycloak";
  profile.types = {"JWT", "at+jwt"};
  profile.client_claims = {"azp"};
  profile.scope_claims = {"scope"};
  profile.role_claims = {"/realm_access/roles"};
  profile.must_equal = {{"typ", "Bearer"}};
  return profile;
}

// The header has no type, or one of Okta's own. ID tokens have no `cid`. Group names may hold spaces, so that
// `groups` is no role claim unless the tenant adds it here.
Profile Profile::Okta() {
  Profile profile;
  profile.name = "okta";
  profile.types = {"at+jwt", "application/okta-internal-at+jwt"};
  profile.missing_type_allowed = true;
  profile.client_claims = {"cid"};
  profile.scope_claims = {"scp"};
  return profile;
}

}  // namespace tollgate
