#include <algorithm>
#include <array>
#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <utility>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "base/ascii.h"
#include "base/limits.h"
#include "policy/claim_name.h"
#include "policy/near_miss.h"
#include "policy/resource_pattern.h"
#include "policy/scope_pattern.h"
#include "tollgate/policy.h"

namespace tollgate {
namespace {

using Part = PolicyFinding::Part;

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

// scope-token of RFC 6749 section 3.3: %x21 / %x23-5B / %x5D-7E, at least one.
bool IsScopeToken(std::string_view scope) {
  return !scope.empty() && std::all_of(scope.begin(), scope.end(),
                                       [](char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\'; });
}

// IsRoleToken: claims hold no other ones.
bool IsRoleToken(std::string_view role) {
  return !role.empty() && std::none_of(role.begin(), role.end(), [](char c) {
    return static_cast<unsigned char>(c) <= ' ' || c == '\x7f';
  });
}

// Examiner looks at one part after the other and writes down what is wrong.
class Examiner {
 public:
  Examiner(const std::vector<SensitivityClass>& classes, const std::vector<ScopeRule>& scopes,
           const std::vector<RoleRule>& roles, const std::vector<AccessRule>& rules)
      : classes_(classes), scopes_(scopes), roles_(roles), rules_(rules) {}

  std::vector<PolicyFinding> Examine() {
    ExamineSizes();
    // Of too much nothing else is said: it takes its time, and nobody reads on.
    if (!findings_.empty()) return std::move(findings_);
    if (rules_.empty()) Error(Part::kPolicy, 0, "", "allows no tool");
    for (const SensitivityClass& sensitivity : classes_) class_names_.insert(sensitivity.name);
    for (const ScopeRule& scope : scopes_) declared_.insert(scope.scope);
    for (const RoleRule& role : roles_) role_names_.insert(role.role);
    for (size_t i = 0; i < classes_.size(); ++i) ExamineClass(i);
    for (size_t i = 0; i < rules_.size(); ++i) ExamineRule(i);
    for (size_t i = 0; i < scopes_.size(); ++i) ExamineScope(i);
    for (size_t i = 0; i < roles_.size(); ++i) ExamineRole(i);
    if (known_scopes_.size() > PolicyBuilder::kScopesMax)
      Error(Part::kPolicy, 0, "", absl::StrCat("more than ", PolicyBuilder::kScopesMax, " different scopes"));
    if (num_predicates_.size() > PolicyBuilder::kConditionsMax)
      Error(Part::kPolicy, 0, "",
            absl::StrCat("more than ", PolicyBuilder::kConditionsMax, " different predicates"));
    WarnOfTheUnused();
    std::stable_sort(findings_.begin(), findings_.end(),
                     [](const PolicyFinding& a, const PolicyFinding& b) { return a.is_error > b.is_error; });
    return std::move(findings_);
  }

 private:
  static std::string Quoted(std::string_view name) {
    return absl::StrCat("\"", Abseil(name.substr(0, 128)), "\"");
  }

  // NameOfPart is what messages call the part.
  std::string NameOfPart(Part part, size_t index) const {
    switch (part) {
      case Part::kPolicy:
        return "policy:";
      case Part::kClass:
        return absl::StrCat("class ", Quoted(classes_[index].name));
      case Part::kScope:
        return absl::StrCat("scope ", Quoted(scopes_[index].scope));
      case Part::kRole:
        return absl::StrCat("role ", Quoted(roles_[index].role));
      case Part::kRule:
        return absl::StrCat(Abseil(NameOf(rules_[index].object)), " ", Quoted(rules_[index].name));
    }
    return "";
  }

  void Add(bool is_error, Part part, size_t index, std::string_view member, std::string_view why,
           size_t item) {
    findings_.push_back({.is_error = is_error,
                         .part = part,
                         .index = index,
                         .member = std::string(member),
                         .item = item,
                         .message = absl::StrCat(NameOfPart(part, index), " ", Abseil(why))});
  }
  void Error(Part part, size_t index, std::string_view member, std::string_view why, size_t item = 0) {
    Add(true, part, index, member, why, item);
  }
  void Warn(Part part, size_t index, std::string_view member, std::string_view why, size_t item = 0) {
    Add(false, part, index, member, why, item);
  }

  void ExamineSizes() {
    const auto at_most = [this](size_t size, size_t max, std::string_view what) {
      if (size > max) Error(Part::kPolicy, 0, "", absl::StrCat("more than ", max, " ", Abseil(what)));
    };
    at_most(rules_.size(), PolicyBuilder::kRulesMax, "tools, prompts, resources and methods");
    at_most(classes_.size(), PolicyBuilder::kClassesMax, "classes");
    at_most(roles_.size(), PolicyBuilder::kRolesMax, "roles");
    at_most(scopes_.size(), PolicyBuilder::kScopesMax, "different scopes");
  }

  // Suggestion is DidYouMean for the first mistakes, which compares with all names.
  template <typename Names>
  std::string Suggestion(std::string_view name, const Names& names) {
    constexpr size_t kSuggestionsMax = 100;
    return num_suggestions_++ < kSuggestionsMax ? policy::DidYouMean(name, names) : std::string();
  }

  void ExamineClass(size_t i) {
    const SensitivityClass& sensitivity = classes_[i];
    const auto error = [&](std::string_view member, std::string_view why) {
      Error(Part::kClass, i, member, why);
    };
    if (sensitivity.name.empty()) error("name", "has no name");
    const std::pair<std::string_view, int64_t> ages[] = {
        {"token_age_max_s", sensitivity.token_age_max_s},
        {"token_lifetime_max_s", sensitivity.token_lifetime_max_s},
        {"introspection_age_max_s", sensitivity.introspection_age_max_s},
        {"last_known_age_max_s", sensitivity.last_known_age_max_s}};
    for (const auto& [member, age_s] : ages) {
      if (age_s < 0) error(member, absl::StrCat("has a negative ", Abseil(member)));
    }
    if ((sensitivity.introspection_outage == IntrospectionOutage::kLastKnown) !=
        (sensitivity.last_known_age_max_s > 0)) {
      error("last_known_age_max_s", "needs both kLastKnown and last_known_age_max_s, or neither");
    }
    ExamineTexts(Part::kClass, i, "acr_values", sensitivity.acr_values);
    ExamineTexts(Part::kClass, i, "amr_values", sensitivity.amr_values);
    if (sensitivity.sender_constraint)
      Warn(Part::kClass, i, "sender_constraint", "denies everybody: no proof of possession is read yet");
  }

  void ExamineTexts(Part part, size_t index, std::string_view member, const std::vector<std::string>& texts) {
    for (size_t item = 0; item < texts.size(); ++item) {
      const std::string& text = texts[item];
      if (text.empty() || text.find(' ') != text.npos || !IsScopeToken(text))
        Error(part, index, member, absl::StrCat("has in ", Abseil(member), " what no token can carry"), item);
    }
  }

  // ExamineScopeName: a scope that a rule or a role names must be there.
  void ExamineScopeName(Part part, size_t index, std::string_view member, size_t item,
                        const std::string& scope) {
    if (!IsScopeToken(scope)) {
      Error(part, index, member, absl::StrCat("names a scope that no token can carry"), item);
      return;
    }
    known_scopes_.insert(scope);
    if (scopes_.empty() || declared_.contains(scope)) return;
    Error(part, index, member,
          absl::StrCat("names the scope ", Quoted(scope), ", which is not declared",
                       Suggestion(scope, declared_)),
          item);
  }

  // HasMatch tells whether a pattern matches a scope beside itself.
  static bool HasMatch(const std::string& pattern, const std::set<std::string>& scopes) {
    auto first = scopes.lower_bound(pattern.substr(0, pattern.size() - 1));
    if (first != scopes.end() && *first == pattern) ++first;
    return first != scopes.end() && policy::MatchesScopePattern(pattern, *first);
  }

  // ExaminePattern: what a role or a scope gives.
  void ExaminePattern(Part part, size_t index, std::string_view member, size_t item,
                      const std::string& text) {
    if (!policy::IsScopePattern(text)) return ExamineScopeName(part, index, member, item, text);
    if (!IsScopeToken(text))
      return Error(part, index, member, "has a pattern of scopes that no token can carry", item);
    // A scope may be called like a pattern.
    if (declared_.contains(text)) known_scopes_.insert(text);
    if (!HasMatch(text, known_scopes_) && !HasMatch(text, declared_))
      Warn(part, index, member, absl::StrCat("gives ", Quoted(text), ", which matches no scope"), item);
  }

  void ExamineScope(size_t i) {
    const ScopeRule& rule = scopes_[i];
    if (!IsScopeToken(rule.scope)) Error(Part::kScope, i, "scope", "is none that a token can carry");
    if (!seen_scopes_.insert(rule.scope).second) Error(Part::kScope, i, "scope", "is declared twice");
    known_scopes_.insert(rule.scope);
    for (size_t item = 0; item < rule.implies.size(); ++item)
      ExaminePattern(Part::kScope, i, "implies", item, rule.implies[item]);
  }

  void ExamineRole(size_t i) {
    const RoleRule& role = roles_[i];
    if (!IsRoleToken(role.role)) Error(Part::kRole, i, "role", "has a name that no token can carry");
    if (!seen_roles_.insert(role.role).second) Error(Part::kRole, i, "role", "is declared twice");
    for (size_t item = 0; item < role.scopes.size(); ++item)
      ExaminePattern(Part::kRole, i, "scopes", item, role.scopes[item]);
    if (role.principals.empty() && !role.scopes.empty())
      Error(Part::kRole, i, "principals", "gives its scopes to nobody");
    for (size_t item = 0; item < role.from.size(); ++item) {
      if (!IsRoleToken(role.from[item].value))
        Error(Part::kRole, i, "from", "is taken from a value that no token can carry", item);
    }
  }

  void ExamineRule(size_t i) {
    const AccessRule& rule = rules_[i];
    const auto error = [&](std::string_view member, std::string_view why, size_t item = 0) {
      Error(Part::kRule, i, member, why, item);
    };
    const bool may_be_empty = rule.object == McpObject::kMethod;  // An answer, as McpCall calls it.
    if ((rule.name.empty() && !may_be_empty) || rule.name.size() > NameBytesMax(rule.object))
      error("name", "has an empty or too long name");
    if (rule.server == "*") error("server", "is for a server \"*\": of a rule for all it is empty");
    if (!seen_rules_.emplace(rule.server, rule.object, rule.name).second) error("name", "is named twice");
    if (rule.object == McpObject::kResource) {
      std::string why;
      if (!policy::ResourcePattern::Parse(rule.name, &why)) error("name", absl::StrCat("is no URI: ", why));
    }
    const bool needs = !rule.scopes.empty() || !rule.roles.empty();
    if (!needs && !rule.any_valid_token)
      error("scopes", "needs scopes or roles, or any_valid_token to say that it needs none");
    if (needs && rule.any_valid_token)
      error("any_valid_token", "has both scopes or roles and any_valid_token");
    for (size_t item = 0; item < rule.scopes.size(); ++item)
      ExamineScopeName(Part::kRule, i, "scopes", item, rule.scopes[item]);
    needed_.insert(rule.scopes.begin(), rule.scopes.end());
    for (size_t item = 0; item < rule.roles.size(); ++item) {
      if (role_names_.contains(rule.roles[item])) continue;
      error("roles",
            absl::StrCat("needs the role ", Quoted(rule.roles[item]), ", which is not declared",
                         Suggestion(rule.roles[item], role_names_)),
            item);
    }
    if (!class_names_.contains(rule.sensitivity)) {
      error("sensitivity", absl::StrCat("is of an unknown class ", Quoted(rule.sensitivity),
                                        Suggestion(rule.sensitivity, class_names_)));
    }
    for (size_t item = 0; item < rule.predicates.size(); ++item) ExaminePredicate(i, item);
    WarnOfNobody(i);
  }

  static size_t NameBytesMax(McpObject object) {
    return object == McpObject::kResource ? limits::kResourceUriBytesMax : limits::kToolBytesMax;
  }

  void ExaminePredicate(size_t i, size_t item) {
    const Predicate& predicate = rules_[i].predicates[item];
    if (!policy::IsClaimName(predicate.claim))
      Error(Part::kRule, i, "predicates", "has a predicate without a claim, or with a bad pointer", item);
    const bool fits = predicate.operation == Predicate::Operator::kPresent  ? predicate.values.empty()
                      : predicate.operation == Predicate::Operator::kEquals ? predicate.values.size() == 1
                                                                            : !predicate.values.empty();
    if (!fits)
      Error(Part::kRule, i, "predicates",
            absl::StrCat("has a predicate \"", Abseil(NameOf(predicate.operation)),
                         "\" with a wrong number of values"),
            item);
    num_predicates_.insert({predicate.claim, predicate.operation, predicate.values});
  }

  // WarnOfNobody: two lists that exclude each other.
  void WarnOfNobody(size_t i) {
    const AccessRule& rule = rules_[i];
    for (const SensitivityClass& sensitivity : classes_) {
      if (sensitivity.name != rule.sensitivity || sensitivity.principals.empty() || rule.principals.empty())
        continue;
      const bool any = std::any_of(rule.principals.begin(), rule.principals.end(), [&](PrincipalKind kind) {
        return std::find(sensitivity.principals.begin(), sensitivity.principals.end(), kind) !=
               sensitivity.principals.end();
      });
      if (!any)
        Warn(Part::kRule, i, "principals", "can be used by nobody: its class is for other principals");
    }
  }

  // WarnOfTheUnused: a declared scope that no rule needs, neither itself nor by what it implies, does
  // nothing.
  void WarnOfTheUnused() {
    for (size_t i = 0; i < scopes_.size(); ++i) {
      const ScopeRule& rule = scopes_[i];
      if (needed_.contains(rule.scope) || !rule.implies.empty() || policy::IsScopePattern(rule.scope))
        continue;
      Warn(Part::kScope, i, "scope", "is needed by nothing");
    }
    absl::flat_hash_set<std::string> used;
    for (const AccessRule& rule : rules_) used.insert(rule.roles.begin(), rule.roles.end());
    for (size_t i = 0; i < roles_.size(); ++i) {
      if (roles_[i].scopes.empty() && !used.contains(roles_[i].role))
        Warn(Part::kRole, i, "role", "gives nothing and is needed by nothing");
    }
  }

  const std::vector<SensitivityClass>& classes_;
  const std::vector<ScopeRule>& scopes_;
  const std::vector<RoleRule>& roles_;
  const std::vector<AccessRule>& rules_;
  absl::flat_hash_set<std::string> class_names_, role_names_, needed_, seen_scopes_, seen_roles_;
  std::set<std::string> declared_, known_scopes_;  // In order, for HasMatch.
  absl::flat_hash_set<std::tuple<std::string, McpObject, std::string>> seen_rules_;
  absl::flat_hash_set<std::tuple<std::string, Predicate::Operator, std::vector<std::string>>> num_predicates_;
  size_t num_suggestions_ = 0;
  std::vector<PolicyFinding> findings_;
};

}  // namespace

PolicyBuilder::PolicyBuilder() {
  AddClass({.name = "read", .token_lifetime_max_s = 3600});
  AddClass({.name = "write", .token_lifetime_max_s = 3600});
  AddClass({.name = "privileged", .token_lifetime_max_s = 900, .audit = AuditDuty::kFull});
}

PolicyBuilder& PolicyBuilder::AddClass(SensitivityClass sensitivity) {
  const auto same = std::find_if(classes_.begin(), classes_.end(), [&](const SensitivityClass& existing) {
    return existing.name == sensitivity.name;
  });
  if (same == classes_.end()) {
    classes_.push_back(std::move(sensitivity));
  } else {
    *same = std::move(sensitivity);
  }
  return *this;
}

PolicyBuilder& PolicyBuilder::AddScope(ScopeRule rule) {
  scopes_.push_back(std::move(rule));
  return *this;
}

PolicyBuilder& PolicyBuilder::AddRole(RoleRule rule) {
  roles_.push_back(std::move(rule));
  return *this;
}

PolicyBuilder& PolicyBuilder::AddRule(AccessRule rule) {
  rules_.push_back(std::move(rule));
  return *this;
}

PolicyBuilder& PolicyBuilder::AddProtocol(std::string server) {
  // MCP 2025-03-26 to 2026-07-28. The empty one is an answer to a request of the server's.
  constexpr std::string_view kMethods[] = {"",
                                           "initialize",
                                           "ping",
                                           "server/discover",
                                           "tools/list",
                                           "prompts/list",
                                           "resources/list",
                                           "resources/templates/list",
                                           "notifications/initialized",
                                           "notifications/cancelled",
                                           "notifications/progress",
                                           "notifications/roots/list_changed"};
  for (std::string_view method : kMethods) {
    AddRule({.name = std::string(method),
             .any_valid_token = true,
             .object = McpObject::kMethod,
             .server = server});
  }
  return *this;
}

std::vector<PolicyFinding> PolicyBuilder::Findings() const {
  return Examiner(classes_, scopes_, roles_, rules_).Examine();
}

absl::StatusOr<Policy> PolicyBuilder::Build() const {
  const std::vector<PolicyFinding> findings = Findings();
  if (!findings.empty() && findings.front().is_error) {
    const std::string& message = findings.front().message;
    return absl::InvalidArgumentError(message.starts_with("policy:") ? message
                                                                     : absl::StrCat("policy: ", message));
  }
  Policy policy;
  policy.classes_ = classes_;
  policy.scopes_ = scopes_;
  policy.roles_ = roles_;
  policy.rules_ = rules_;
  return policy;
}

}  // namespace tollgate
