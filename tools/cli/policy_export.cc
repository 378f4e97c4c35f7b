#include "tools/cli/policy_export.h"

#include <algorithm>
#include <boost/uuid/name_generator_sha1.hpp>
#include <boost/uuid/uuid.hpp>
#include <boost/uuid/uuid_io.hpp>
#include <cstddef>
#include <map>
#include <set>
#include <utility>

#include "policy/scope_pattern.h"
#include "policy_file/text.h"
#include "tools/cli/policy_scopes.h"

namespace tollgate::cli {
namespace {

using nlohmann::ordered_json;
using policy_file::InOneLine;
using policy_file::Quoted;

template <typename T>
bool Contains(const std::vector<T>& values, const T& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

bool ContainsAny(const std::vector<std::string>& values, const std::vector<std::string>& wanted) {
  return std::any_of(wanted.begin(), wanted.end(),
                     [&](const std::string& value) { return Contains(values, value); });
}

// Granted is a scope or a role that a provider defines.
struct Granted {
  std::string description{};
  std::set<std::string> servers{};  // For which it counts.
  bool for_users = false;
  bool for_services = false;
};
using GrantedByName = std::map<std::string, Granted>;

// Description says in one line of some 200 bytes what a grant is good for, to people who consent to it.
class Description {
 public:
  void Add(const AccessRule& rule) {
    const std::string name = InOneLine(rule.name);
    if (!seen_.insert(name).second) return;
    constexpr size_t kBytesMax = 180;
    if (num_more_ > 0 || text_.size() + name.size() > kBytesMax) {
      ++num_more_;
    } else {
      text_ += (text_.empty() ? "Counts for " : ", ") + name;
    }
  }

  std::string Text() const {
    if (text_.empty())
      return num_more_ > 0 ? "Counts for " + std::to_string(num_more_) : "Counts for nothing";
    return num_more_ > 0 ? text_ + " and " + std::to_string(num_more_) + " more" : text_;
  }

 private:
  std::string text_;
  size_t num_more_ = 0;
  std::set<std::string> seen_;
};

// Describe fills in what `serves` tells of the policy's rules.
template <typename Serves>
void Describe(const Policy& policy, Serves serves, Granted* granted) {
  Description description;
  for (const AccessRule& rule : policy.rules()) {
    if (!serves(rule)) continue;
    description.Add(rule);
    granted->servers.insert(rule.server);
  }
  granted->description = description.Text();
}

GrantedByName ScopesOf(const Policy& policy) {
  std::set<std::string> names;
  const auto add = [&names](const std::vector<std::string>& scopes) {
    for (const std::string& scope : scopes) {
      if (!policy::IsScopePattern(scope)) names.insert(scope);
    }
  };
  for (const ScopeRule& rule : policy.scopes()) {
    add({rule.scope});
    add(rule.implies);
  }
  for (const RoleRule& role : policy.roles()) add(role.scopes);
  for (const AccessRule& rule : policy.rules()) names.insert(rule.scopes.begin(), rule.scopes.end());
  GrantedByName scopes;
  for (const std::string& name : names) {
    const std::vector<std::string> held = ScopesFrom(policy, {name});
    Describe(
        policy, [&](const AccessRule& rule) { return ContainsAny(held, rule.scopes); }, &scopes[name]);
  }
  return scopes;
}

std::vector<std::string> ProfilesOf(IdentityProvider provider) {
  switch (provider) {
    case IdentityProvider::kKeycloak:
      return {"keycloak"};
    case IdentityProvider::kOkta:
      return {"okta"};
    case IdentityProvider::kEntra:
      return {"entra-v1", "entra-v2"};
    case IdentityProvider::kAuth0:
      return {"auth0"};
  }
  return {};
}

GrantedByName RolesOf(const Policy& policy, IdentityProvider provider, const std::string& issuer,
                      std::vector<std::string>* left_out) {
  const std::vector<std::string> profiles = ProfilesOf(provider);
  std::map<std::string, std::vector<const RoleRule*>> rules_by_name;
  for (const RoleRule& role : policy.roles()) {
    std::set<std::string> names;
    if (role.from.empty()) names.insert(role.role);
    for (const RoleRule::Source& source : role.from) {
      if (source.issuer.empty() || source.issuer == issuer || Contains(profiles, source.issuer))
        names.insert(source.value);
    }
    for (const std::string& name : names) rules_by_name[name].push_back(&role);
    if (names.empty())
      left_out->push_back("role " + Quoted(role.role) +
                          ": comes from other issuers; --issuer names this one");
  }
  GrantedByName roles;
  for (const auto& [name, rules] : rules_by_name) {
    Granted& granted = roles[name];
    std::vector<std::string> given, role_names;
    for (const RoleRule* const role : rules) {
      role_names.push_back(role->role);
      given.insert(given.end(), role->scopes.begin(), role->scopes.end());
      // An agent has the role of its user.
      granted.for_users |= role->principals != std::vector{PrincipalKind::kService};
      granted.for_services |= role->principals.empty() || Contains(role->principals, PrincipalKind::kService);
    }
    const std::vector<std::string> held = ScopesFrom(policy, given);
    const auto serves = [&](const AccessRule& rule) {
      return ContainsAny(role_names, rule.roles) || ContainsAny(held, rule.scopes);
    };
    Describe(policy, serves, &granted);
  }
  return roles;
}

// A realm, as RealmRepresentation has it.
ordered_json ForKeycloak(const GrantedByName& scopes, const GrantedByName& roles, std::string_view issuer) {
  ordered_json json = ordered_json::object();
  constexpr std::string_view kRealms = "/realms/";
  if (const size_t found = issuer.rfind(kRealms); found != issuer.npos)
    json["realm"] = issuer.substr(found + kRealms.size());
  json["clientScopes"] = ordered_json::array();
  for (const auto& [name, scope] : scopes) {
    json["clientScopes"].push_back({{"name", name},
                                    {"description", scope.description},
                                    {"protocol", "openid-connect"},
                                    {"attributes",
                                     {{"include.in.token.scope", "true"},
                                      {"display.on.consent.screen", "true"},
                                      {"consent.screen.text", scope.description}}}});
  }
  json["roles"]["realm"] = ordered_json::array();
  for (const auto& [name, role] : roles)
    json["roles"]["realm"].push_back({{"name", name}, {"description", role.description}});
  return json;
}

// Bodies of requests to /api/v1/authorizationServers/ID/scopes and /api/v1/groups.
ordered_json ForOkta(const GrantedByName& scopes, const GrantedByName& roles) {
  ordered_json json = {{"scopes", ordered_json::array()}, {"groups", ordered_json::array()}};
  for (const auto& [name, scope] : scopes) {
    json["scopes"].push_back({{"name", name},
                              {"displayName", name},
                              {"description", scope.description},
                              {"consent", "IMPLICIT"},
                              {"metadataPublish", "NO_CLIENTS"}});
  }
  for (const auto& [name, role] : roles)
    json["groups"].push_back({{"profile", {{"name", name}, {"description", role.description}}}});
  return json;
}

// IdOf is the same for the same name wherever and whenever it is exported, so that it can be imported again:
// RFC 4122 section 4.3 (version 5).
std::string IdOf(std::string_view kind, const std::string& name) {
  const boost::uuids::name_generator_sha1 generate(boost::uuids::ns::url());
  return to_string(generate("tollgate:" + std::string(kind) + ":" + name));
}

// IsEntraValue: what permissionScope and appRole of Microsoft Graph take as `value`.
bool IsEntraValue(std::string_view value) {
  return value.size() <= 120 && !value.starts_with('.') &&
         std::all_of(value.begin(), value.end(), [](char c) {
           return c > ' ' && c <= '~' && std::string_view("\"<>\\").find(c) == std::string_view::npos;
         });
}

// An application's manifest in the format of Microsoft Graph.
ordered_json ForEntra(const GrantedByName& scopes, const GrantedByName& roles,
                      std::vector<std::string>* left_out) {
  ordered_json permissions = ordered_json::array(), app_roles = ordered_json::array();
  for (const auto& [name, scope] : scopes) {
    if (!IsEntraValue(name)) {
      left_out->push_back("scope " + Quoted(name) + ": Entra ID takes no such value");
      continue;
    }
    permissions.push_back({{"adminConsentDescription", scope.description},
                           {"adminConsentDisplayName", name},
                           {"id", IdOf("scope", name)},
                           {"isEnabled", true},
                           {"type", "Admin"},
                           {"value", name}});
  }
  for (const auto& [name, role] : roles) {
    if (!IsEntraValue(name)) {
      left_out->push_back("role " + Quoted(name) + ": Entra ID takes no such value");
      continue;
    }
    ordered_json members = ordered_json::array();
    if (role.for_users) members.push_back("User");
    if (role.for_services) members.push_back("Application");
    app_roles.push_back({{"allowedMemberTypes", members},
                         {"description", role.description},
                         {"displayName", name},
                         {"id", IdOf("role", name)},
                         {"isEnabled", true},
                         {"value", name}});
  }
  return {{"api", {{"oauth2PermissionScopes", permissions}}}, {"appRoles", app_roles}};
}

// A tenant, as Auth0's Deploy CLI has it: an API for each server. Roles are permissions of the APIs, since
// tokens have those and not roles (Profile::Auth0).
ordered_json ForAuth0(const Policy& policy, const GrantedByName& scopes, const GrantedByName& roles) {
  std::set<std::string> servers;
  for (const AccessRule& rule : policy.rules()) {
    if (!rule.server.empty()) servers.insert(rule.server);
  }
  GrantedByName permissions = scopes;
  permissions.insert(roles.begin(), roles.end());
  const auto counts_for = [](const Granted& granted, const std::string& server) {
    return granted.servers.contains(server) || granted.servers.contains("");
  };
  ordered_json json = {{"resourceServers", ordered_json::array()}, {"roles", ordered_json::array()}};
  for (const std::string& server : servers) {
    ordered_json values = ordered_json::array();
    for (const auto& [name, granted] : permissions) {
      if (counts_for(granted, server))
        values.push_back({{"value", name}, {"description", granted.description}});
    }
    json["resourceServers"].push_back({{"name", server},
                                       {"identifier", server},
                                       {"scopes", values},
                                       {"enforce_policies", true},
                                       {"token_dialect", "rfc9068_profile_authz"}});
  }
  for (const auto& [name, role] : roles) {
    ordered_json of_role = ordered_json::array();
    for (const std::string& server : servers) {
      if (counts_for(role, server))
        of_role.push_back({{"permission_name", name}, {"resource_server_identifier", server}});
    }
    json["roles"].push_back({{"name", name}, {"description", role.description}, {"permissions", of_role}});
  }
  return json;
}

}  // namespace

std::optional<IdentityProvider> IdentityProviderFromName(std::string_view name) {
  if (name == "keycloak") return IdentityProvider::kKeycloak;
  if (name == "okta") return IdentityProvider::kOkta;
  if (name == "entra") return IdentityProvider::kEntra;
  if (name == "auth0") return IdentityProvider::kAuth0;
  return std::nullopt;
}

PolicyExport ExportPolicy(const Policy& policy, IdentityProvider provider, std::string_view issuer) {
  PolicyExport result;
  const GrantedByName scopes = ScopesOf(policy);
  const GrantedByName roles = RolesOf(policy, provider, std::string(issuer), &result.left_out);
  switch (provider) {
    case IdentityProvider::kKeycloak:
      result.json = ForKeycloak(scopes, roles, issuer);
      break;
    case IdentityProvider::kOkta:
      result.json = ForOkta(scopes, roles);
      break;
    case IdentityProvider::kEntra:
      result.json = ForEntra(scopes, roles, &result.left_out);
      break;
    case IdentityProvider::kAuth0:
      result.json = ForAuth0(policy, scopes, roles);
      if (result.json["resourceServers"].empty())
        result.left_out.push_back("scopes: the policy names no server, and Auth0's belong to one");
      break;
  }
  return result;
}

}  // namespace tollgate::cli
