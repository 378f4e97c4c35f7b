#include "fuzz/policy_matrix.h"

#include <array>
#include <cstdint>
#include <utility>

namespace tollgate::fuzz {
namespace {

// Scopes that are patterns for others, and begin like others.
constexpr std::array<std::string_view, 9> kScopes = {"a:r", "a:w", "a:x:r", "a:*", "a:x:*",
                                                     "b",   "b*",  "bc",    "*"};
constexpr std::array<std::string_view, 3> kRoles = {"r", "s", "t"};
constexpr std::array<std::string_view, 4> kRoleValues = {"r", "s", "g1", "g2"};
constexpr std::array<std::string_view, 4> kIssuers = {"", "https://i", "https://j", "okta"};
constexpr std::array<std::string_view, 3> kClasses = {"read", "privileged", "own"};
constexpr std::array<std::string_view, 3> kClaims = {"tier", "/org/id", "n"};
constexpr std::array<std::string_view, 5> kValues = {"gold", "go", "7", "", "true"};
constexpr std::array<std::string_view, 3> kAcr = {"", "1", "2"};
constexpr std::array<std::string_view, 3> kAmr = {"pwd", "otp", "hwk"};

}  // namespace

class PolicyMatrix::Chooser {
 public:
  explicit Chooser(std::string_view bytes) : bytes_(bytes) {}

  size_t Below(size_t n) {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte % n;
  }
  bool Flip() { return Below(2) == 1; }

  template <size_t n>
  std::string_view Of(const std::array<std::string_view, n>& names) {
    return names[Below(n)];
  }

  template <typename Word = std::string, size_t n>
  std::vector<Word> Some(const std::array<std::string_view, n>& names, size_t max) {
    std::vector<Word> some;
    for (size_t count = Below(max + 1); count > 0; --count) some.emplace_back(Of(names));
    return some;
  }

  template <typename Kind>
  std::vector<Kind> Kinds(size_t num_kinds, size_t max) {
    std::vector<Kind> kinds;
    for (size_t count = Below(max + 1); count > 0; --count)
      kinds.push_back(static_cast<Kind>(Below(num_kinds)));
    return kinds;
  }

 private:
  std::string_view bytes_;
};

const std::vector<std::string>& PolicyMatrix::Servers() {
  static const std::vector<std::string> servers = {"https://a/mcp", "https://b/mcp"};
  return servers;
}

const std::vector<std::string>& PolicyMatrix::Names(McpObject object) {
  static const std::vector<std::string> names = {"x", "y", "tools/list"};
  static const std::vector<std::string> uris = {"file:///d/x", "file:///d/x/y",   "file:///e/{i}",
                                                "file:///d/*", "file:///e/7",     "file:///d/*x",
                                                "https://h/x", "file:///d/../d/x"};
  return object == McpObject::kResource ? uris : names;
}

PolicyMatrix::PolicyMatrix(std::string_view bytes) {
  Chooser choose(bytes);
  if (choose.Flip()) {
    SensitivityClass own{.name = "own"};
    own.token_lifetime_max_s = static_cast<int64_t>(choose.Below(3)) * 100;
    own.acr_values = choose.Flip() ? std::vector<std::string>{"1"} : std::vector<std::string>();
    own.amr_values = choose.Some(kAmr, 2);
    own.principals = choose.Kinds<PrincipalKind>(3, 2);
    own.credentials = choose.Kinds<CredentialKind>(2, 1);
    own.sender_constraint = choose.Below(8) == 7;
    builder_.AddClass(own);
  } else {
    builder_.AddClass({.name = "own"});
  }
  if (choose.Flip()) {
    // All are declared, in one order or the other.
    for (std::string_view scope : kScopes)
      builder_.AddScope({.scope = std::string(scope), .implies = choose.Some(kScopes, 2)});
  }
  for (std::string_view role : kRoles) {
    RoleRule rule{.role = std::string(role), .scopes = choose.Some(kScopes, 2)};
    if (choose.Flip()) rule.principals = {static_cast<PrincipalKind>(choose.Below(3))};
    for (size_t count = choose.Below(3); count > 0; --count)
      rule.from.push_back({std::string(choose.Of(kIssuers)), std::string(choose.Of(kRoleValues))});
    builder_.AddRole(rule);
  }
  for (size_t count = 1 + choose.Below(12); count > 0; --count) {
    AccessRule rule;
    rule.object = static_cast<McpObject>(choose.Below(4));
    const std::vector<std::string>& names = Names(rule.object);
    rule.name = names[choose.Below(names.size())];
    rule.scopes = choose.Some(kScopes, 2);
    if (choose.Flip()) rule.roles = choose.Some(kRoles, 2);
    rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
    rule.sensitivity = choose.Of(kClasses);
    if (choose.Flip()) rule.server = Servers()[choose.Below(2)];
    if (choose.Flip()) rule.principals = choose.Kinds<PrincipalKind>(3, 2);
    for (size_t predicates = choose.Below(3); predicates > 0; --predicates) {
      Predicate predicate{.claim = std::string(choose.Of(kClaims)),
                          .operation = static_cast<Predicate::Operator>(choose.Below(5))};
      if (predicate.operation != Predicate::Operator::kPresent) {
        predicate.values = {std::string(choose.Of(kValues))};
        if (predicate.operation != Predicate::Operator::kEquals && choose.Flip())
          predicate.values.emplace_back(choose.Of(kValues));
      }
      rule.predicates.push_back(predicate);
    }
    builder_.AddRule(rule);
  }

  for (size_t count = 1 + choose.Below(6); count > 0; --count) {
    Holder holder;
    holder.issuer = choose.Of(kIssuers);
    holder.profile = choose.Of(kIssuers);
    holder.kind = static_cast<PrincipalKind>(choose.Below(3));
    holder.credential = choose.Below(4) == 3 ? CredentialKind::kOpaque : CredentialKind::kJwt;
    holder.scopes = choose.Some<std::string_view>(kScopes, 3);
    holder.roles = choose.Some<std::string_view>(kRoleValues, 2);
    holder.acr = choose.Of(kAcr);
    holder.amr = choose.Some<std::string_view>(kAmr, 3);
    holder.lifetime_s = static_cast<int64_t>(choose.Below(40)) * 100;
    holder.scope_wildcards = choose.Flip();
    for (std::string_view name : kClaims) {
      if (!choose.Flip()) continue;
      Holder::Value value{.claim = {.name = name, .is_list = choose.Flip(), .is_text = choose.Flip()},
                          .values = choose.Some<std::string_view>(kValues, 3)};
      if (!value.claim.is_list && value.values.size() > 1) value.values.resize(1);
      holder.values.push_back(std::move(value));
    }
    holders_.push_back(std::move(holder));
  }
  for (Holder& holder : holders_) {
    for (Holder::Value& value : holder.values) {
      value.claim.values = value.values;
      holder.claims.push_back(value.claim);
    }
  }
}

policy::Caller PolicyMatrix::Holder::View() const {
  return {.issuer = issuer,
          .profile = profile,
          .kind = kind,
          .credential = credential,
          .scopes = scopes,
          .roles = roles,
          .acr = acr,
          .amr = amr,
          .lifetime_s = lifetime_s,
          .scope_wildcards = scope_wildcards,
          .claims = claims};
}

}  // namespace tollgate::fuzz
