#include "policy/interpreter.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "base/limits.h"
#include "policy/resource_pattern.h"

namespace tollgate::policy {
namespace {

// IsPattern: a `*` alone is a scope like any other.
bool IsPattern(std::string_view text) { return text.size() > 1 && text.ends_with('*'); }

// ScopesNamedBy returns each scope that `policy` names, wherever. A pattern is none, unless it is declared.
std::set<std::string> ScopesNamedBy(const Policy& policy) {
  std::set<std::string> scopes;
  const auto add = [&scopes](const std::vector<std::string>& scopes_or_patterns) {
    for (const std::string& text : scopes_or_patterns) {
      if (!IsPattern(text)) scopes.insert(text);
    }
  };
  for (const AccessRule& rule : policy.rules()) scopes.insert(rule.scopes.begin(), rule.scopes.end());
  for (const RoleRule& role : policy.roles()) add(role.scopes);
  for (const ScopeRule& rule : policy.scopes()) {
    scopes.insert(rule.scope);
    add(rule.implies);
  }
  return scopes;
}

// Closure is what follows from scopes. What is held may be held as the token's own text, or as given: only
// then does a `*` at its end stand for anything.
class Closure {
 public:
  explicit Closure(const Policy& policy) : policy_(policy), named_(ScopesNamedBy(policy)) {}

  void Hold(const std::string& scope, const std::string& through) {
    if (!named_.contains(scope) || !held_.emplace(scope, through).second) return;
    for (const ScopeRule& rule : policy_.scopes()) {
      if (rule.scope != scope) continue;
      for (const std::string& implied : rule.implies) Give(implied, "scope " + scope);
    }
  }

  void Give(const std::string& scope_or_pattern, const std::string& through) {
    if (!given_.insert(scope_or_pattern).second) return;
    Hold(scope_or_pattern, through);
    if (!IsPattern(scope_or_pattern)) return;
    const std::string start = scope_or_pattern.substr(0, scope_or_pattern.size() - 1);
    for (const std::string& scope : named_) {
      if (scope.starts_with(start)) Give(scope, through);
    }
  }

  const std::map<std::string, std::string>& held() const { return held_; }

 private:
  const Policy& policy_;
  const std::set<std::string> named_;
  std::map<std::string, std::string> held_;  // Through what.
  std::set<std::string> given_;
};

template <typename Values, typename Value>
bool Has(const Values& values, const Value& value) {
  return std::find(values.begin(), values.end(), value) != values.end();
}

// TokenNameOf returns what the token calls the role, nullopt if the caller has none of its names.
std::optional<std::string> TokenNameOf(const RoleRule& role, const Caller& caller) {
  if (role.from.empty()) return Has(caller.roles, role.role) ? std::optional(role.role) : std::nullopt;
  for (const RoleRule::Source& source : role.from) {
    const bool of_issuer =
        source.issuer.empty() || source.issuer == caller.issuer || source.issuer == caller.profile;
    if (of_issuer && Has(caller.roles, source.value)) return source.value;
  }
  return std::nullopt;
}

std::vector<Holding> Sorted(const std::map<std::string, std::string>& through_by_name) {
  std::vector<Holding> holdings;
  holdings.reserve(through_by_name.size());
  for (const auto& [name, through] : through_by_name) holdings.push_back({name, through});
  return holdings;
}

bool HasName(const std::vector<Holding>& holdings, const std::string& name) {
  return std::any_of(holdings.begin(), holdings.end(),
                     [&](const Holding& holding) { return holding.name == name; });
}

template <typename Text>
std::string Listed(const std::vector<Text>& texts, std::string_view separator = " ") {
  std::string list;
  for (const Text& text : texts) list += (list.empty() ? "" : std::string(separator)) + std::string(text);
  return list;
}

template <typename Kind>
std::string NamesOf(const std::vector<Kind>& kinds) {
  std::vector<std::string_view> names;
  names.reserve(kinds.size());
  for (const Kind kind : kinds) names.push_back(NameOf(kind));
  return Listed(names, " or ");
}

bool Holds(const Predicate& predicate, const Caller& caller) {
  const auto claim = std::find_if(caller.claims.begin(), caller.claims.end(),
                                  [&](const Claim& candidate) { return candidate.name == predicate.claim; });
  if (claim == caller.claims.end()) return false;
  const auto any = [&](auto fulfils) {
    for (const std::string_view value : claim->values) {
      for (const std::string& wanted : predicate.values) {
        if (fulfils(value, wanted)) return true;
      }
    }
    return false;
  };
  const auto equals = [](std::string_view value, std::string_view wanted) { return value == wanted; };
  const auto begins = [](std::string_view value, std::string_view start) { return value.starts_with(start); };
  switch (predicate.operation) {
    case Predicate::Operator::kPresent:
      return true;
    case Predicate::Operator::kEquals:
    case Predicate::Operator::kIn:
      return !claim->is_list && any(equals);
    case Predicate::Operator::kPrefix:
      return !claim->is_list && claim->is_text && any(begins);
    case Predicate::Operator::kContains:
      return any(equals);
  }
  return false;
}

std::string TextOf(const Predicate& predicate) {
  std::string text = predicate.claim + " " + std::string(NameOf(predicate.operation));
  if (!predicate.values.empty()) text += " " + Listed(predicate.values, " or ");
  return text;
}

// Examiner looks at one demand of a rule after the other, and goes on behind the first that is not met.
class Examiner {
 public:
  Examiner(const Caller& caller, const Held& held, const AccessRule& rule,
           const SensitivityClass& sensitivity, Interpretation* result)
      : caller_(caller), held_(held), rule_(rule), class_(sensitivity), result_(*result) {}

  void Examine() {
    Note(true, Reason::kNone,
         "rule for " + std::string(NameOf(rule_.object)) + " " + rule_.name + " of " +
             (rule_.server.empty() ? "all servers" : rule_.server) + ", class " + class_.name);
    ExaminePrincipalKind();
    ExamineCredentialKind();
    Note(!class_.sender_constraint, Reason::kSenderConstraintNeeded,
         class_.sender_constraint ? "needs a token that is bound to a key, of which no proof is read yet"
                                  : "needs no token that is bound to a key");
    ExamineLifetime();
    ExamineRoles();
    ExaminePredicates();
    ExamineAuthentication();
    ExamineScopes();
  }

 private:
  void Note(bool as_it_should_be, Reason otherwise, std::string text) {
    const Reason reason = as_it_should_be ? Reason::kNone : otherwise;
    result_.steps.push_back({reason, std::move(text)});
    if (result_.reason == Reason::kNone) result_.reason = reason;
  }

  void ExaminePrincipalKind() {
    std::string text = "a " + std::string(NameOf(caller_.kind)) + " is calling";
    if (caller_.kind == PrincipalKind::kAgent) text = "an agent is calling";
    bool allowed = true;
    for (const std::vector<PrincipalKind>* kinds : {&class_.principals, &rule_.principals}) {
      if (kinds->empty()) continue;
      text += std::string(kinds == &class_.principals ? ", the class" : ", the rule") + " is for " +
              NamesOf(*kinds);
      allowed = allowed && Has(*kinds, caller_.kind);
    }
    Note(allowed, Reason::kPrincipalKindNotAllowed, text);
  }

  void ExamineCredentialKind() {
    const std::vector<CredentialKind>& kinds = class_.credentials;
    std::string text = "credential " + std::string(NameOf(caller_.credential));
    if (!kinds.empty()) text += ", the class takes " + NamesOf(kinds);
    Note(kinds.empty() || Has(kinds, caller_.credential), Reason::kCredentialKindNotAllowed, text);
  }

  void ExamineLifetime() {
    const int64_t bound_s = class_.token_lifetime_max_s;
    if (caller_.credential != CredentialKind::kJwt)
      return Note(true, Reason::kNone, "the lifetime of an opaque token is not looked at");
    std::string text = "the token lives for ";
    text += caller_.lifetime_s == INT64_MAX ? "nobody knows how long"
                                            : std::to_string(caller_.lifetime_s) + " s, rounded down";
    text +=
        bound_s == 0 ? ", the class has no bound" : ", the class allows " + std::to_string(bound_s) + " s";
    Note(bound_s == 0 || caller_.lifetime_s <= bound_s, Reason::kLifetimeTooLongHere, text);
  }

  void ExamineRoles() {
    if (rule_.roles.empty()) return Note(true, Reason::kNone, "needs no role");
    std::vector<std::string> held;
    for (const std::string& role : rule_.roles) {
      if (HasName(held_.roles, role)) held.push_back(role);
    }
    Note(!held.empty(), Reason::kRoleMissing,
         "needs the role " + Listed(rule_.roles, " or ") +
             (held.empty() ? ", none is held" : ", held: " + Listed(held)));
  }

  void ExaminePredicates() {
    if (rule_.predicates.empty()) return Note(true, Reason::kNone, "needs no claim to be anything");
    std::string text;
    bool all = true;
    for (const Predicate& predicate : rule_.predicates) {
      const bool holds = Holds(predicate, caller_);
      text += (text.empty() ? "claim " : ", claim ") + TextOf(predicate) + (holds ? ": so" : ": not so");
      all = all && holds;
    }
    Note(all, Reason::kClaimNotAsNeeded, text);
  }

  void ExamineAuthentication() {
    if (class_.acr_values.empty() && class_.amr_values.empty())
      return Note(true, Reason::kNone, "needs no way of authentication");
    bool enough = true;
    std::string text;
    if (!class_.acr_values.empty()) {
      enough = Has(class_.acr_values, caller_.acr);
      text = "acr is " + (caller_.acr.empty() ? "none" : std::string(caller_.acr)) + ", the class needs " +
             Listed(class_.acr_values, " or ");
    }
    if (!class_.amr_values.empty()) {
      for (const std::string& method : class_.amr_values) enough = enough && Has(caller_.amr, method);
      const std::string amr = Listed(std::vector(caller_.amr.begin(), caller_.amr.end()));
      text += (text.empty() ? "" : "; ") + ("amr is " + (amr.empty() ? "none" : amr)) +
              ", the class needs all of " + Listed(class_.amr_values);
    }
    Note(enough, Reason::kAuthenticationInsufficient, text);
  }

  void ExamineScopes() {
    if (rule_.scopes.empty()) return Note(true, Reason::kNone, "needs no scope");
    std::vector<std::string> missing;
    for (const std::string& scope : rule_.scopes) {
      if (!HasName(held_.scopes, scope)) missing.push_back(scope);
    }
    Note(missing.empty(), Reason::kInsufficientScope,
         "needs all of the scopes " + Listed(rule_.scopes) +
             (missing.empty() ? ", all are held" : ", missing: " + Listed(missing)));
  }

  const Caller& caller_;
  const Held& held_;
  const AccessRule& rule_;
  const SensitivityClass& class_;
  Interpretation& result_;
};

Interpretation InterpretationOf(const Held& held) {
  Interpretation result;
  for (const Holding& scope : held.scopes) result.held_scopes.push_back(scope.name);
  for (const Holding& role : held.roles) result.held_roles.push_back(role.name);
  return result;
}

}  // namespace

Held HeldBy(const Policy& policy, const Caller& caller) {
  std::map<std::string, std::string> roles;
  Closure closure(policy);
  for (const std::string_view scope : caller.scopes) {
    if (caller.scope_wildcards) {
      closure.Give(std::string(scope), "the token");
    } else {
      closure.Hold(std::string(scope), "the token");
    }
  }
  for (const RoleRule& role : policy.roles()) {
    const std::optional<std::string> value = TokenNameOf(role, caller);
    if (!value) continue;
    roles.emplace(role.role, *value == role.role ? "the token" : "the token's " + *value);
    if (!Has(role.principals, caller.kind)) continue;
    for (const std::string& scope : role.scopes) closure.Give(scope, "role " + role.role);
  }
  return {.scopes = Sorted(closure.held()), .roles = Sorted(roles)};
}

Interpretation Interpret(const Policy& policy, const Caller& caller, const Target& target) {
  const Held held = HeldBy(policy, caller);
  if (const AccessRule* const rule = RuleFor(policy, target))
    return InterpretRule(policy, caller, held, *rule);
  Interpretation result = InterpretationOf(held);
  result.reason = Reason::kUnknownTool;
  result.steps.push_back({Reason::kUnknownTool, "no rule names it"});
  return result;
}

Interpretation InterpretRule(const Policy& policy, const Caller& caller, const Held& held,
                             const AccessRule& rule) {
  Interpretation result = InterpretationOf(held);
  result.rule = &rule;
  for (const SensitivityClass& sensitivity : policy.classes()) {
    if (sensitivity.name == rule.sensitivity) result.sensitivity = &sensitivity;
  }
  if (result.sensitivity == nullptr) return result;  // No policy has such a rule: undecided.
  result.reason = Reason::kNone;
  Examiner(caller, held, rule, *result.sensitivity, &result).Examine();
  return result;
}

const AccessRule* RuleFor(const Policy& policy, const Target& target) {
  // The least of these counts.
  using Rank = std::tuple<bool, ResourcePattern::Kind, size_t>;
  const AccessRule* best = nullptr;
  Rank best_rank;
  for (const AccessRule& rule : policy.rules()) {
    if (rule.object != target.object || (!rule.server.empty() && rule.server != target.server)) continue;
    Rank rank = {rule.server.empty(), ResourcePattern::Kind::kExact, 0};
    if (rule.object == McpObject::kResource) {
      std::string error;
      const std::optional<ResourcePattern> pattern = ResourcePattern::Parse(rule.name, &error);
      if (!pattern || target.name.size() > limits::kResourceUriBytesMax || !pattern->Matches(target.name))
        continue;
      rank = {rule.server.empty(), pattern->kind(), SIZE_MAX - pattern->literal_bytes()};
    } else if (rule.name != target.name) {
      continue;
    }
    if (best != nullptr && rank >= best_rank) continue;
    best = &rule;
    best_rank = rank;
  }
  return best;
}

}  // namespace tollgate::policy
