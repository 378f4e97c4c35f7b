#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tollgate/policy.h"

// A small policy, and what rules are made of, for tests of the questions that people ask of policies.
namespace tollgate::cli {

using Texts = std::vector<std::string>;

inline constexpr char kCrm[] = "https://crm.example/mcp";

inline Policy Built(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return policy.ok() ? *std::move(policy) : Policy();
}

inline AccessRule Tool(std::string name, Texts scopes, Texts roles = {}, std::string server = {}) {
  AccessRule rule = {.name = std::move(name),
                     .scopes = std::move(scopes),
                     .server = std::move(server),
                     .roles = std::move(roles)};
  rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
  return rule;
}

inline AccessRule Resource(std::string name, Texts scopes, std::string server = {}) {
  AccessRule rule = Tool(std::move(name), std::move(scopes), {}, std::move(server));
  rule.object = McpObject::kResource;
  return rule;
}

// A customer database with a server of its own, and what all servers have.
inline PolicyBuilder Crm() {
  AccessRule remove = Tool("crm_delete", {"crm:write"}, {"admin"}, kCrm);
  remove.sensitivity = "privileged";
  remove.predicates = {{.claim = "tier", .operation = Predicate::Operator::kEquals, .values = {"gold"}}};
  remove.systems = {"postgres", "billing"};
  AccessRule search = Tool("crm_search", {"crm:read"}, {}, kCrm);
  search.systems = {"postgres"};
  return PolicyBuilder()
      .AddClass({.name = "privileged",
                 .mode = ValidationMode::kIntrospect,
                 .token_age_max_s = 300,
                 .token_lifetime_max_s = 900,
                 .acr_values = {"phr"},
                 .principals = {PrincipalKind::kUser}})
      .AddScope({.scope = "crm:read"})
      .AddScope({.scope = "crm:write", .implies = {"crm:read"}})
      .AddRole({.role = "admin",
                .scopes = {"crm:*"},
                .from = {{.issuer = "https://idp.example", .value = "Boss"}, {.value = "root"}}})
      .AddRole({.role = "clerk", .scopes = {"crm:read"}})
      .AddRule(remove)
      .AddRule(search)
      .AddRule(Tool("echo", {}))
      .AddRule(Resource("crm://records/{id}", {"crm:read"}));
}

}  // namespace tollgate::cli
