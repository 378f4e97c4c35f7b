#include "fuzz/policy_matrix.h"

#include <array>
#include <set>
#include <tuple>
#include <utility>

#include "policy/resource_pattern.h"

namespace tollgate::fuzz {
namespace {

// One is longer than a cell of ToolTable has room for.
constexpr std::array<std::string_view, 4> kNames = {"x", "y", "tools/list",
                                                    "export_the_accounts_of_all_customers_of_a_region"};
// Some are patterns for others, of which one is to count; some none that a policy may name.
constexpr std::array<std::string_view, 12> kUris = {
    "file:///d/x",     "file:///d/x/y", "file:///e/{i}", "file:///d/*",  "file:///e/7", "file:///{d}/7",
    "file:///{d}/{i}", "file:///d/x/*", "https://h/{i}", "file:///d/*x", "https://h/x", "file:///d/../d/x"};
// Scopes that are patterns for others, and begin like others.
constexpr std::array<std::string_view, 9> kScopes = {"a:r", "a:w", "a:x:r", "a:*", "a:x:*",
                                                     "b",   "b*",  "bc",    "*"};
constexpr std::array<std::string_view, 3> kRoles = {"r", "s", "t"};
constexpr std::array<std::string_view, 4> kRoleValues = {"r", "s", "g1", "g2"};
constexpr std::array<std::string_view, 4> kIssuers = {"", "https://i", "https://j", "okta"};
constexpr std::array<std::string_view, 3> kServersOfRules = {"https://a/mcp", "https://b/mcp",
                                                             "https://d/mcp"};
constexpr std::array<std::string_view, 3> kClasses = {"read", "privileged", "own"};
constexpr std::array<std::string_view, 3> kClaims = {"tier", "/org/id", "n"};
constexpr std::array<std::string_view, 5> kValues = {"gold", "go", "7", "", "true"};
constexpr std::array<std::string_view, 3> kAcr = {"", "1", "2"};
constexpr std::array<std::string_view, 3> kAmr = {"pwd", "otp", "hwk"};

// InGroups returns the names, and once more for each further group, with a prefix of its own.
template <size_t n>
std::vector<std::string> InGroups(const std::array<std::string_view, n>& names, size_t groups) {
  std::vector<std::string> all;
  for (size_t group = 0; group < groups; ++group) {
    const std::string prefix = group == 0 ? "" : "g" + std::to_string(group) + ".";
    for (const std::string_view name : names) all.push_back(prefix + std::string(name));
  }
  return all;
}

// GoodRules takes rules that make no policy a bad one.
class GoodRules {
 public:
  bool Take(const AccessRule& rule) {
    std::string why;
    return seen_.emplace(rule.server, rule.object, rule.name).second &&
           (rule.object != McpObject::kResource || policy::ResourcePattern::Parse(rule.name, &why));
  }

 private:
  std::set<std::tuple<std::string, McpObject, std::string>> seen_;
};

}  // namespace

class PolicyMatrix::Chooser {
 public:
  explicit Chooser(std::string_view bytes) : bytes_(bytes) {}

  // Below chooses a number under `n`, which is 256 at most.
  size_t Below(size_t n) {
    if (bytes_.empty()) return 0;
    const auto byte = static_cast<uint8_t>(bytes_.front());
    bytes_.remove_prefix(1);
    return byte % n;
  }
  bool Flip() { return Below(2) == 1; }

  template <typename Names>
  std::string_view Of(const Names& names) {
    return names[Below(names.size())];
  }

  template <typename Word = std::string, typename Names>
  std::vector<Word> Some(const Names& names, size_t max) {
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
  static const std::vector<std::string> servers = {"https://a/mcp", "https://b/mcp", "https://c/mcp"};
  return servers;
}

PolicyMatrix::PolicyMatrix(std::string_view bytes, size_t groups)
    : names_(InGroups(kNames, groups)),
      uris_(InGroups(kUris, groups)),
      scopes_(InGroups(kScopes, groups)),
      roles_(InGroups(kRoles, groups)),
      role_values_(InGroups(kRoleValues, groups)) {
  Chooser choose(bytes);
  SensitivityClass own{.name = "own"};
  if (choose.Flip()) {
    own.token_lifetime_max_s = static_cast<int64_t>(choose.Below(3)) * 100;
    own.acr_values = choose.Flip() ? std::vector<std::string>{"1"} : std::vector<std::string>();
    own.amr_values = choose.Some(kAmr, 2);
    own.principals = choose.Kinds<PrincipalKind>(3, 2);
    own.credentials = choose.Kinds<CredentialKind>(2, 1);
    own.sender_constraint = choose.Below(8) == 7;
  }
  builder_.AddClass(own);
  if (choose.Flip()) {
    // All are declared, in one order or the other.
    for (const std::string& scope : scopes_)
      builder_.AddScope({.scope = scope, .implies = choose.Some(scopes_, 2)});
  }
  for (const std::string& role : roles_) {
    RoleRule rule{.role = role, .scopes = choose.Some(scopes_, 2)};
    if (choose.Flip()) rule.principals = {static_cast<PrincipalKind>(choose.Below(3))};
    for (size_t count = choose.Below(3); count > 0; --count)
      rule.from.push_back({std::string(choose.Of(kIssuers)), std::string(choose.Of(role_values_))});
    builder_.AddRole(rule);
  }
  GoodRules good_rules;
  for (size_t count = (1 + choose.Below(12)) * groups; count > 0; --count) {
    const AccessRule rule = ChooseRule(choose);
    // Of many, one would be a bad one each time.
    if (groups == 1 || good_rules.Take(rule)) builder_.AddRule(rule);
  }
  for (size_t count = 1 + choose.Below(6); count > 0; --count) holders_.push_back(ChooseHolder(choose));
  for (Holder& holder : holders_) {
    for (Holder::Value& value : holder.values) {
      value.claim.values = value.values;
      holder.claims.push_back(value.claim);
    }
  }
}

AccessRule PolicyMatrix::ChooseRule(Chooser& choose) const {
  AccessRule rule;
  rule.object = static_cast<McpObject>(choose.Below(4));
  rule.name = choose.Of(Names(rule.object));
  rule.scopes = choose.Some(scopes_, 2);
  if (choose.Flip()) rule.roles = choose.Some(roles_, 2);
  rule.any_valid_token = rule.scopes.empty() && rule.roles.empty();
  rule.sensitivity = choose.Of(kClasses);
  if (choose.Flip()) rule.server = choose.Of(kServersOfRules);
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
  return rule;
}

PolicyMatrix::Holder PolicyMatrix::ChooseHolder(Chooser& choose) const {
  Holder holder;
  holder.issuer = choose.Of(kIssuers);
  holder.profile = choose.Of(kIssuers);
  holder.kind = static_cast<PrincipalKind>(choose.Below(3));
  holder.credential = choose.Below(4) == 3 ? CredentialKind::kOpaque : CredentialKind::kJwt;
  holder.scopes = choose.Some<std::string_view>(scopes_, 3);
  holder.roles = choose.Some<std::string_view>(role_values_, 2);
  holder.acr = choose.Of(kAcr);
  holder.amr = choose.Some<std::string_view>(kAmr, 3);
  holder.lifetime_s = static_cast<int64_t>(choose.Below(40)) * 100;
  holder.scope_wildcards = choose.Flip();
  for (const std::string_view name : kClaims) {
    if (!choose.Flip()) continue;
    Holder::Value value{.claim = {.name = name, .is_list = choose.Flip(), .is_text = choose.Flip()},
                        .values = choose.Some<std::string_view>(kValues, 3)};
    if (!value.claim.is_list && value.values.size() > 1) value.values.resize(1);
    holder.values.push_back(std::move(value));
  }
  return holder;
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
