#include "tollgate/profile.h"

#include <algorithm>
#include <array>

namespace tollgate {
namespace {

constexpr std::array<std::string_view, 9> kNames = {
    "auth0", "cognito", "dangerous-google-id-token", "entra-v1", "entra-v2", "keycloak", "lenient",
    "okta",  "rfc9068",
};

constexpr std::array<Profile (*)(), kNames.size()> kFactories = {
    &Profile::Auth0,   &Profile::Cognito, &Profile::DangerousGoogleIdToken,
    &Profile::EntraV1, &Profile::EntraV2, &Profile::Keycloak,
    &Profile::Lenient, &Profile::Okta,    &Profile::Rfc9068,
};

}  // namespace

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

Profile Profile::Lenient() {
  Profile profile;
  profile.name = "lenient";
  profile.types = {"JWT", "at+jwt"};
  profile.missing_type_allowed = true;
  profile.issued_at_required = false;
  profile.subject_required = false;
  profile.client_required = false;
  profile.jwt_id_required = false;
  profile.client_claims = {"client_id", "azp", "appid", "cid"};
  profile.scope_claims = {"scope", "scp"};
  profile.role_claims = {"roles"};
  return profile;
}

// Tenants choose the dialect for each API; the RFC's one has an explicit type, `client_id` and `jti`.
Profile Profile::Auth0() {
  Profile profile = Rfc9068();
  profile.name = "auth0";
  profile.role_claims = {"permissions"};
  profile.service_marks = {{"gty", "client-credentials"}};
  profile.service_subject_suffix = "@clients";
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

// `azp` is there only where the client is not the audience itself. There is no `jti`.
Profile Profile::DangerousGoogleIdToken() {
  Profile profile;
  profile.name = "dangerous-google-id-token";
  profile.types = {"JWT"};
  profile.missing_type_allowed = true;
  profile.id_tokens = true;
  profile.client_required = false;
  profile.jwt_id_required = false;
  profile.client_claims = {"azp"};
  profile.discovery_hosts = {"www.googleapis.com"};
  return profile;
}

// ID tokens of the same version have the same type, and the same audience where client and API share a
// registration. What they do not have is the client's claim, hence client_required. There is no `jti`: `uti`
// names the token. Delegated permissions are in `scp`, application permissions and app roles in `roles`.
Profile Profile::EntraV1() {
  Profile profile;
  profile.name = "entra-v1";
  profile.types = {"JWT"};
  profile.jwt_id_required = false;
  profile.client_claims = {"appid"};
  profile.scope_claims = {"scp"};
  profile.role_claims = {"roles"};
  profile.must_equal = {{"ver", "1.0"}};
  profile.service_marks = {{"idtyp", "app"}};
  profile.user_claim = "scp";
  profile.key_issuer = "https://login.microsoftonline.com/{tenantid}/v2.0";
  profile.discovery_hosts = {"login.microsoftonline.com"};
  return profile;
}

Profile Profile::EntraV2() {
  Profile profile = EntraV1();
  profile.name = "entra-v2";
  profile.client_claims = {"azp"};
  profile.must_equal = {{"ver", "2.0"}};
  profile.key_issuer.clear();
  profile.discovery_hosts.clear();
  return profile;
}

// `typ` in the payload is "ID", "Refresh" or "Offline" in the realm's other tokens. The header's becomes
// at+jwt by a client setting.
Profile Profile::Keycloak() {
  Profile profile;
  profile.name = "keycloak";
  profile.types = {"JWT", "at+jwt"};
  profile.client_claims = {"azp"};
  profile.scope_claims = {"scope"};
  profile.role_claims = {"/realm_access/roles"};
  profile.must_equal = {{"typ", "Bearer"}};
  profile.service_marks = {{"clientAddress", ""}};
  return profile;
}

// The header has no type, or one of Okta's own. ID tokens have no `cid`.
Profile Profile::Okta() {
  Profile profile;
  profile.name = "okta";
  profile.types = {"at+jwt", "application/okta-internal-at+jwt"};
  profile.missing_type_allowed = true;
  profile.client_claims = {"cid"};
  profile.scope_claims = {"scp"};
  return profile;
}

std::optional<Profile> Profile::ByName(std::string_view name) {
  const auto found = std::find(kNames.begin(), kNames.end(), name);
  if (found == kNames.end()) return std::nullopt;
  return kFactories[static_cast<size_t>(found - kNames.begin())]();
}

std::span<const std::string_view> Profile::Names() { return kNames; }

}  // namespace tollgate
