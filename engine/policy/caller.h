#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "base/scope_text.h"
#include "tollgate/policy.h"

namespace tollgate::policy {

// Claim is what a policy's predicates see of one claim.
struct Claim {
  std::string_view name;  // As Predicate::claim names it.
  bool is_list = false;   // An array, whose elements are the values; else there is one value at most.
  bool is_text = false;   // The value is a string. Of an array: not used.
  // Strings as they are, numbers and booleans as they stand in JSON. Empty for a claim of another type, and
  // for an empty array: both are present.
  std::span<const std::string_view> values{};
};

// Caller is all that a policy looks at in a token that was found good. Its views point into what it was made
// from. Thread-compatible.
struct Caller {
  std::string_view issuer{};   // `iss`
  std::string_view profile{};  // Profile::name of its issuer.
  std::string_view subject{};
  std::string_view client_id{};
  PrincipalKind kind = PrincipalKind::kUser;
  CredentialKind credential = CredentialKind::kJwt;
  std::span<const std::string_view> scopes{};
  ScopeText* scope_text = nullptr;            // That whose words these are; null: they are of none.
  std::span<const std::string_view> roles{};  // As the token calls them.
  std::string_view acr{};
  std::span<const std::string_view> amr{};
  // exp − iat in seconds; INT64_MAX: unknown, and beyond any bound. Of an opaque token it is not looked at,
  // since its issuer is asked again and again.
  int64_t lifetime_s = INT64_MAX;
  // IssuerConfig::scope_wildcards: a scope with a `*` at its end stands for all that begin with what is in
  // front of it.
  bool scope_wildcards = false;
  std::span<const Claim> claims{};  // Those that are present.
};

}  // namespace tollgate::policy
