#include "tools/cli/policy_questions.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "policy/near_miss.h"
#include "policy/resource_pattern.h"
#include "policy/scope_pattern.h"
#include "tools/cli/policy_core.h"

namespace tollgate::cli {
namespace {

using Texts = std::vector<std::string>;
using Set = std::set<std::string>;

constexpr std::array kKinds = {PrincipalKind::kUser, PrincipalKind::kService, PrincipalKind::kAgent};

std::string Joined(const Texts& texts, std::string_view separator) {
  std::string joined;
  for (const std::string& text : texts) joined += (joined.empty() ? "" : std::string(separator)) + text;
  return joined;
}

constexpr std::array kCredentials = {CredentialKind::kJwt, CredentialKind::kOpaque};

template <typename Kinds>
Texts NamesOf(const Kinds& kinds) {
  Texts names;
  for (const auto kind : kinds) names.emplace_back(NameOf(kind));
  return names;
}

// NamesOrAll: an empty list of kinds is one of all.
template <typename Kind, size_t kNum>
Texts NamesOrAll(const std::vector<Kind>& kinds, const std::array<Kind, kNum>& all) {
  return kinds.empty() ? NamesOf(all) : NamesOf(kinds);
}

// Word is a text that is one word, hence no two lists of them look alike.
std::string Word(const std::string& text) {
  if (!text.empty() && text.find_first_of(" \"\\") == text.npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') quoted += '\\';
    quoted += c;
  }
  return quoted + "\"";
}

// TextOf: different predicates have different texts.
std::string TextOf(const Predicate& predicate) {
  std::string text = Word(predicate.claim) + " " + std::string(NameOf(predicate.operation));
  for (size_t i = 0; i < predicate.values.size(); ++i)
    text += (i == 0 ? " " : " or ") + Word(predicate.values[i]);
  return text;
}

Texts TextsOf(const std::vector<Predicate>& predicates) {
  Texts texts;
  for (const Predicate& predicate : predicates) texts.push_back(TextOf(predicate));
  return texts;
}

// TokenNamesOf says what tokens call a role.
Texts TokenNamesOf(const RoleRule& role) {
  if (role.from.empty()) return {role.role};
  Texts names;
  for (const RoleRule::Source& source : role.from)
    names.push_back(source.value + (source.issuer.empty() ? "" : " of " + source.issuer));
  return names;
}

const SensitivityClass* ClassOf(const Policy& policy, std::string_view name) {
  const auto found = std::find_if(policy.classes().begin(), policy.classes().end(),
                                  [&](const SensitivityClass& candidate) { return candidate.name == name; });
  return found == policy.classes().end() ? nullptr : &*found;
}

bool IsPartOf(const Set& part, const Set& whole) {
  return std::includes(whole.begin(), whole.end(), part.begin(), part.end());
}

// Demands collects what has changed, one member after the other.
class Demands {
 public:
  // All of the values are needed.
  void AllOf(std::string_view member, const Texts& before, const Texts& after,
             std::string_view separator = " ") {
    const Set a(before.begin(), before.end()), b(after.begin(), after.end());
    if (a == b) return;
    Add(IsPartOf(a, b)   ? Change::kStronger
        : IsPartOf(b, a) ? Change::kWeaker
                         : Change::kOther,
        member, before, after, separator);
  }

  // One of the values is needed, or nothing if there is none.
  void AnyOf(std::string_view member, const Texts& before, const Texts& after) {
    const Set a(before.begin(), before.end()), b(after.begin(), after.end());
    if (a == b) return;
    const bool stronger = a.empty() || (!b.empty() && IsPartOf(b, a));
    const bool weaker = b.empty() || (!a.empty() && IsPartOf(a, b));
    Add(stronger ? Change::kStronger
        : weaker ? Change::kWeaker
                 : Change::kOther,
        member, before, after, " or ");
  }

  // Whoever has one of the values, has it.
  void Sources(std::string_view member, const Texts& before, const Texts& after) {
    const Set a(before.begin(), before.end()), b(after.begin(), after.end());
    if (a == b) return;
    Add(IsPartOf(a, b)   ? Change::kWeaker
        : IsPartOf(b, a) ? Change::kStronger
                         : Change::kOther,
        member, before, after, ", ");
  }

  // At most so much is allowed; of 0, any.
  void AtMost(std::string_view member, int64_t before_s, int64_t after_s) {
    if (before_s == after_s) return;
    const auto text = [](int64_t bound_s) {
      return bound_s == 0 ? Texts() : Texts{std::to_string(bound_s) + " s"};
    };
    const bool stronger = before_s == 0 || (after_s != 0 && after_s < before_s);
    Add(stronger ? Change::kStronger : Change::kWeaker, member, text(before_s), text(after_s), "");
  }

  // The later of the values, the more is demanded.
  template <typename Value>
  void Rank(std::string_view member, Value before, Value after, std::initializer_list<Value> from_weakest) {
    if (before == after) return;
    const auto rank = [&](Value value) {
      return std::find(from_weakest.begin(), from_weakest.end(), value) - from_weakest.begin();
    };
    Add(rank(after) > rank(before) ? Change::kStronger : Change::kWeaker, member,
        Texts{std::string(NameOf(before))}, Texts{std::string(NameOf(after))}, "");
  }

  void Flag(std::string_view member, bool before, bool after) {
    if (before != after)
      Add(after ? Change::kStronger : Change::kWeaker, member, {before ? "true" : "false"},
          {after ? "true" : "false"}, "");
  }

  void Other(std::string_view member, const Texts& before, const Texts& after) {
    if (Set(before.begin(), before.end()) != Set(after.begin(), after.end()))
      Add(Change::kOther, member, before, after, " ");
  }

  std::vector<DemandChange> Take() { return std::move(changes_); }

 private:
  void Add(Change change, std::string_view member, const Texts& before, const Texts& after,
           std::string_view separator) {
    const auto text = [&](const Texts& texts) { return texts.empty() ? "none" : Joined(texts, separator); };
    changes_.push_back({change, std::string(member), text(before), text(after)});
  }

  std::vector<DemandChange> changes_;
};

void CompareClasses(const SensitivityClass& a, const SensitivityClass& b, Demands* demands) {
  demands->Rank("mode", a.mode, b.mode,
                {ValidationMode::kSignature, ValidationMode::kIntrospectBehind, ValidationMode::kIntrospect});
  demands->AtMost("token_age_max_s", a.token_age_max_s, b.token_age_max_s);
  if (a.mode != ValidationMode::kSignature || b.mode != ValidationMode::kSignature) {
    demands->AtMost("introspection_age_max_s", a.introspection_age_max_s, b.introspection_age_max_s);
    demands->Rank("introspection_outage", a.introspection_outage, b.introspection_outage,
                  {IntrospectionOutage::kLocalSignature, IntrospectionOutage::kLastKnown,
                   IntrospectionOutage::kDenyUnavailable});
    if (a.introspection_outage == b.introspection_outage)
      demands->AtMost("last_known_age_max_s", a.last_known_age_max_s, b.last_known_age_max_s);
  }
  demands->AtMost("token_lifetime_max_s", a.token_lifetime_max_s, b.token_lifetime_max_s);
  demands->AnyOf("acr_values", a.acr_values, b.acr_values);
  demands->AllOf("amr_values", a.amr_values, b.amr_values);
  demands->AnyOf("principals", NamesOrAll(a.principals, kKinds), NamesOrAll(b.principals, kKinds));
  demands->AnyOf("credentials", NamesOrAll(a.credentials, kCredentials),
                 NamesOrAll(b.credentials, kCredentials));
  demands->Flag("sender_constraint", a.sender_constraint, b.sender_constraint);
  demands->Rank("audit", a.audit, b.audit,
                {AuditDuty::kNone, AuditDuty::kSampled, AuditDuty::kFull, AuditDuty::kMustRecord});
}

// CompareRules: needs that are written otherwise count if they are `other_needs`, for somebody.
std::vector<DemandChange> CompareRules(const Policy& before, const AccessRule& a, const Policy& after,
                                       const AccessRule& b, bool other_needs) {
  Demands demands;
  if (other_needs) {
    demands.AllOf("scopes", a.scopes, b.scopes);
    demands.AnyOf("roles", a.roles, b.roles);
    demands.AnyOf("principals", NamesOrAll(a.principals, kKinds), NamesOrAll(b.principals, kKinds));
  }
  demands.AllOf("predicates", TextsOf(a.predicates), TextsOf(b.predicates), ", ");
  demands.Other("sensitivity", {a.sensitivity}, {b.sensitivity});
  // What becomes of a class itself is said once, and not with each of its rules.
  if (a.sensitivity != b.sensitivity)
    CompareClasses(*ClassOf(before, a.sensitivity), *ClassOf(after, b.sensitivity), &demands);
  demands.Other("systems", a.systems, b.systems);
  return demands.Take();
}

// Someone holds some roles and scopes, and nothing else.
struct Someone {
  Texts roles, scopes;
  auto operator<=>(const Someone&) const = default;
};

// KindSet is a bit for each of kKinds.
using KindSet = unsigned;

std::vector<PrincipalKind> KindsOf(KindSet set) {
  std::vector<PrincipalKind> kinds;
  for (size_t i = 0; i < kKinds.size(); ++i) {
    if ((set >> i & 1) != 0) kinds.push_back(kKinds[i]);
  }
  return kinds;
}

// Side is one of two policies, and what everybody holds under it.
class Side {
 public:
  explicit Side(const Policy& policy) : policy_(policy), core_(policy) {}

  const Policy& policy() const { return policy_; }
  const PolicyCore& core() const { return core_; }

  std::optional<size_t> NeedOf(const AccessRule* rule) const {
    if (rule == nullptr) return std::nullopt;
    return core_.NeedOf(static_cast<size_t>(rule - policy_.rules().data()));
  }

  // Allowed returns of which kinds `someone` may use what is of this group.
  KindSet Allowed(const Someone& someone, std::optional<size_t> need) {
    KindSet allowed = 0;
    if (!need) return allowed;
    const std::array<policy::Held, kKinds.size()>& held = HeldBy(someone);
    for (size_t i = 0; i < kKinds.size(); ++i) {
      if (core_.Allows(*need, kKinds[i], held[i])) allowed |= 1u << i;
    }
    return allowed;
  }

  // HeldBy returns what `someone` holds, of each of kKinds. Valid as long as this.
  const std::array<policy::Held, kKinds.size()>& HeldBy(const Someone& someone) {
    const auto [held, is_new] = held_.try_emplace(someone);
    const std::vector<std::string_view> roles(someone.roles.begin(), someone.roles.end());
    const std::vector<std::string_view> scopes(someone.scopes.begin(), someone.scopes.end());
    for (size_t i = 0; is_new && i < kKinds.size(); ++i)
      held->second[i] = core_.HeldBy(kKinds[i], roles, scopes);
    return held->second;
  }

 private:
  const Policy& policy_;
  const PolicyCore core_;
  std::map<Someone, std::array<policy::Held, kKinds.size()>> held_;
};

void AddNames(const Policy& policy, Set* roles, Set* scopes) {
  // A pattern is no scope, unless it is declared.
  const auto add = [scopes](const Texts& texts) {
    std::remove_copy_if(texts.begin(), texts.end(), std::inserter(*scopes, scopes->end()),
                        policy::IsScopePattern);
  };
  for (const RoleRule& role : policy.roles()) {
    roles->insert(role.role);
    add(role.scopes);
  }
  for (const ScopeRule& scope : policy.scopes()) {
    scopes->insert(scope.scope);
    add(scope.implies);
  }
  for (const AccessRule& rule : policy.rules()) scopes->insert(rule.scopes.begin(), rule.scopes.end());
}

// Example puts something into the variables of a resource's name, and for its star.
std::string Example(std::string_view name) {
  std::string example;
  for (size_t i = 0; i < name.size(); ++i) {
    const bool is_variable = name[i] == '{';
    if (is_variable) i = name.find('}', i);
    if (is_variable) {
      example += '~';
    } else if (name[i] == '*') {
      example += "~/~/~";
    } else {
      example += name[i];
    }
  }
  return example;
}

std::optional<policy::ResourcePattern> PatternOf(const AccessRule& rule) {
  std::string error;
  return policy::ResourcePattern::Parse(rule.name, &error);
}

// UriFor returns a resource that a rule of this name is for: of a pattern, an example that hardly another one
// matches, too.
std::string UriFor(const AccessRule& rule) {
  if (rule.object != McpObject::kResource) return rule.name;
  std::string example = Example(rule.name);
  const std::optional<policy::ResourcePattern> pattern = PatternOf(rule);
  return pattern && pattern->Matches(example) ? example : rule.name;
}

std::vector<std::string_view> SegmentsOf(std::string_view name) {
  std::vector<std::string_view> segments;
  for (size_t begin = 0; begin <= name.size();) {
    const size_t end = std::min(name.find('/', begin), name.size());
    segments.push_back(name.substr(begin, end - begin));
    begin = end + 1;
  }
  return segments;
}

// UriForBoth returns a resource that the patterns of both rules match: where one has a variable or its star,
// there is what the other one has.
std::optional<std::string> UriForBoth(const AccessRule& a, const AccessRule& b) {
  const auto start = [](std::string_view name) { return name.substr(0, name.find_first_of("{*")); };
  if (!start(a.name).starts_with(start(b.name)) && !start(b.name).starts_with(start(a.name)))
    return std::nullopt;
  const std::vector<std::string_view> of_a = SegmentsOf(a.name), of_b = SegmentsOf(b.name);
  std::string name;
  for (size_t i = 0; i < std::max(of_a.size(), of_b.size()); ++i) {
    const bool is_open = i >= of_a.size() || of_a[i].find_first_of("{*") != std::string_view::npos;
    name += (i > 0 ? "/" : "") + std::string(is_open && i < of_b.size() ? of_b[i] : of_a[i]);
  }
  std::string uri = Example(name);
  if (!PatternOf(a)->Matches(uri) || !PatternOf(b)->Matches(uri)) return std::nullopt;
  return uri;
}

class Differ {
 public:
  Differ(const Policy& before, const Policy& after) : before_(before), after_(after) {
    Set roles, scopes;
    for (const Policy* policy : {&before, &after}) AddNames(*policy, &roles, &scopes);
    singles_.push_back({});
    for (const std::string& role : roles) singles_.push_back({.roles = {role}, .scopes = {}});
    for (const std::string& scope : scopes) singles_.push_back({.roles = {}, .scopes = {scope}});
  }

  PolicyDiff Run() {
    PolicyDiff diff;
    Set classes;
    for (const auto& [server, object, name, uri] : Targets()) {
      const policy::Target target = {.server = server, .object = object, .name = uri};
      const AccessRule* const a = policy::RuleFor(before_.policy(), target);
      const AccessRule* const b = policy::RuleFor(after_.policy(), target);
      // Where a server's own rules are for other things, there is nothing else than at all others.
      const auto of_server = [&](const AccessRule* rule) {
        return rule != nullptr && rule->server == target.server;
      };
      if (!of_server(a) && !of_server(b)) continue;
      ObjectDiff here = {
          .object = object, .name = name, .server = server, .before = a != nullptr, .after = b != nullptr};
      const Movement& movement = MovementOf(before_.NeedOf(a), after_.NeedOf(b));
      here.gains = movement.gains;
      here.loses = movement.loses;
      if (a != nullptr && b != nullptr) {
        here.demands = CompareRules(before_.policy(), *a, after_.policy(), *b,
                                    !here.gains.empty() || !here.loses.empty());
        if (a->sensitivity == b->sensitivity) classes.insert(a->sensitivity);
      }
      if (here.before != here.after || !here.gains.empty() || !here.loses.empty() || !here.demands.empty())
        diff.objects.push_back(std::move(here));
    }
    for (const std::string& name : classes) {
      Demands demands;
      CompareClasses(*ClassOf(before_.policy(), name), *ClassOf(after_.policy(), name), &demands);
      Append(name, demands.Take(), &diff.classes);
    }
    diff.roles = CompareRoles();
    return diff;
  }

 private:
  struct Movement {
    std::vector<Holders> gains, loses;
  };

  static void Append(const std::string& name, std::vector<DemandChange> demands,
                     std::vector<PartDiff>* parts) {
    if (!demands.empty()) parts->push_back({name, std::move(demands)});
  }

  using Target = std::tuple<std::string, McpObject, std::string, std::string>;

  // Targets returns all that either policy has a rule for: server, object, name and a URI for it. A resource
  // may come under another rule at each server that has rules of its own.
  std::set<Target> Targets() const {
    Set servers;
    for (const Side* side : {&before_, &after_}) {
      for (const AccessRule& rule : side->policy().rules()) {
        if (rule.object == McpObject::kResource) servers.insert(rule.server);
      }
    }
    std::set<Target> targets;
    AddExchanged(&targets);
    for (const Side* side : {&before_, &after_}) {
      for (const AccessRule& rule : side->policy().rules()) {
        const std::string uri = UriFor(rule);
        targets.emplace(rule.server, rule.object, rule.name, uri);
        if (rule.object != McpObject::kResource || !rule.server.empty()) continue;
        for (const std::string& server : servers) targets.emplace(server, rule.object, rule.name, uri);
      }
    }
    return targets;
  }

  // AddExchanged adds what two patterns match of which the first counts, if the edit has made that another
  // one.
  void AddExchanged(std::set<Target>* targets) const {
    std::map<std::pair<std::string, std::string>, size_t> places;  // After the edit.
    const std::vector<AccessRule>& after = after_.policy().rules();
    for (size_t i = 0; i < after.size(); ++i) {
      if (after[i].object == McpObject::kResource) places[{after[i].server, after[i].name}] = i;
    }
    // By server and rank, in the order before the edit.
    std::map<std::tuple<std::string, policy::ResourcePattern::Kind, size_t>,
             std::vector<std::pair<size_t, const AccessRule*>>>
        patterns;
    for (const AccessRule& rule : before_.policy().rules()) {
      const auto place = places.find({rule.server, rule.name});
      if (rule.object != McpObject::kResource || place == places.end()) continue;
      const policy::ResourcePattern pattern = *PatternOf(rule);
      if (pattern.kind() == policy::ResourcePattern::Kind::kExact) continue;
      patterns[{rule.server, pattern.kind(), pattern.literal_bytes()}].emplace_back(place->second, &rule);
    }
    for (const auto& [rank, equals] : patterns) {
      for (auto first = equals.begin(); first != equals.end(); ++first) {
        for (auto second = first + 1; second != equals.end(); ++second) {
          if (first->first < second->first) continue;
          if (const auto uri = UriForBoth(*first->second, *second->second))
            targets->emplace(std::get<0>(rank), McpObject::kResource, *uri, *uri);
        }
      }
    }
  }

  // MovementOf says who may use what is of the group `b` after the edit and of `a` before it.
  const Movement& MovementOf(std::optional<size_t> a, std::optional<size_t> b) {
    const auto [found, is_new] = movements_.try_emplace({a, b});
    if (!is_new) return found->second;
    std::map<Someone, KindSet> gained, lost;
    for (const Someone& someone : singles_) Move(someone, a, b, &gained, &lost);
    for (const Someone& someone : JustEnough(a, b)) Move(someone, a, b, &gained, &lost);
    found->second = {HoldersOf(gained), HoldersOf(lost)};
    return found->second;
  }

  // JustEnough returns those who have more than one thing, and just what either rule needs: by its names
  // there, or by something that comes to other of its scopes now than before, and the rest by their names.
  std::set<Someone> JustEnough(std::optional<size_t> a, std::optional<size_t> b) {
    std::set<Someone> all;
    if (a) AddJustEnough(before_.core().rule(*a), &all);
    if (b) AddJustEnough(after_.core().rule(*b), &all);
    return all;
  }

  void AddJustEnough(const AccessRule& rule, std::set<Someone>* all) {
    const Set scopes(rule.scopes.begin(), rule.scopes.end());
    if (scopes.size() + !rule.roles.empty() < 2) return;
    const auto add = [&](const Set& roles, const Set& held_scopes) {
      all->insert({{roles.begin(), roles.end()}, {held_scopes.begin(), held_scopes.end()}});
    };
    const auto add_with_each_role = [&](const Someone& instead, const Set& others) {
      Set held_scopes = others;
      held_scopes.insert(instead.scopes.begin(), instead.scopes.end());
      const Set roles(instead.roles.begin(), instead.roles.end());
      if (rule.roles.empty()) add(roles, held_scopes);
      for (const std::string& role : rule.roles) {
        Set with_role = roles;
        with_role.insert(role);
        add(with_role, held_scopes);
      }
    };
    add_with_each_role({}, scopes);
    for (const Someone& single : singles_) {
      for (size_t kind = 0; kind < kKinds.size(); ++kind) {
        const Set rest_before = NotHeld(before_, single, kind, scopes),
                  rest_after = NotHeld(after_, single, kind, scopes);
        if (rest_before == rest_after) continue;
        add_with_each_role(single, rest_before);
        add_with_each_role(single, rest_after);
      }
    }
  }

  // NotHeld returns those of `scopes` that `someone` of this kind does not hold.
  static Set NotHeld(Side& side, const Someone& someone, size_t kind, const Set& scopes) {
    Set rest = scopes;
    for (const policy::Holding& scope : side.HeldBy(someone)[kind].scopes) rest.erase(scope.name);
    return rest;
  }

  void Move(const Someone& someone, std::optional<size_t> a, std::optional<size_t> b,
            std::map<Someone, KindSet>* gained, std::map<Someone, KindSet>* lost) {
    const KindSet before = before_.Allowed(someone, a), after = after_.Allowed(someone, b);
    Note(someone, after & ~before, gained);
    Note(someone, before & ~after, lost);
  }

  // Note leaves out those of whom it is said already with less: with nothing, or with one of several things.
  static void Note(const Someone& someone, KindSet kinds, std::map<Someone, KindSet>* moved) {
    const auto said = [moved](const Someone& less) {
      const auto found = moved->find(less);
      return found == moved->end() ? 0 : found->second;
    };
    KindSet known = said({});
    if (someone.roles.size() + someone.scopes.size() > 1) {
      for (const std::string& role : someone.roles) known |= said({.roles = {role}, .scopes = {}});
      for (const std::string& scope : someone.scopes) known |= said({.roles = {}, .scopes = {scope}});
    }
    if ((kinds & ~known) != 0) (*moved)[someone] = kinds & ~known;
  }

  static std::vector<Holders> HoldersOf(const std::map<Someone, KindSet>& moved) {
    std::vector<Holders> holders;
    for (const auto& [someone, kinds] : moved)
      holders.push_back({KindsOf(kinds), someone.roles, someone.scopes});
    return holders;
  }

  std::vector<PartDiff> CompareRoles() const {
    std::map<std::string, std::pair<Texts, Texts>> names;
    for (const RoleRule& role : before_.policy().roles()) names[role.role].first = TokenNamesOf(role);
    for (const RoleRule& role : after_.policy().roles()) names[role.role].second = TokenNamesOf(role);
    std::vector<PartDiff> roles;
    for (const auto& [role, before_and_after] : names) {
      Demands demands;
      demands.Sources("from", before_and_after.first, before_and_after.second);
      Append(role, demands.Take(), &roles);
    }
    return roles;
  }

  Side before_, after_;
  std::vector<Someone> singles_;
  std::map<std::pair<std::optional<size_t>, std::optional<size_t>>, Movement> movements_;
};

Reached ReachedBy(const Policy& policy, const AccessRule& rule, bool claims_known) {
  Reached reached = {.rule = &rule};
  for (const AccessRule& other : policy.rules()) {
    if (rule.server.empty() && !other.server.empty() && other.object == rule.object &&
        other.name == rule.name) {
      reached.except.push_back(other.server);
    }
  }
  reached.conditions = ConditionsOf(policy, rule, claims_known);
  return reached;
}

template <typename Allows>
Reach ReachWhere(const Policy& policy, policy::Held held, bool claims_known, Allows allows) {
  Reach reach = {.held = std::move(held)};
  for (const AccessRule& rule : policy.rules()) {
    if (!allows(rule)) continue;
    reach.objects.push_back(ReachedBy(policy, rule, claims_known));
    for (const std::string& system : Set(rule.systems.begin(), rule.systems.end())) ++reach.systems[system];
  }
  return reach;
}

}  // namespace

PolicyDiff Diff(const Policy& before, const Policy& after) { return Differ(before, after).Run(); }

Reach ReachOf(const Policy& policy, const policy::Caller& caller) {
  const policy::Held held = policy::HeldBy(policy, caller);
  return ReachWhere(policy, held, true, [&](const AccessRule& rule) {
    return policy::InterpretRule(policy, caller, held, rule).reason == Reason::kNone;
  });
}

absl::StatusOr<Reach> ReachOfHolder(const Policy& policy, PrincipalKind kind, const Texts& roles,
                                    const Texts& scopes) {
  Set known_roles, known_scopes;
  AddNames(policy, &known_roles, &known_scopes);
  const auto check = [](const Texts& names, const Set& known, std::string_view what) {
    for (const std::string& name : names) {
      if (!known.contains(name))
        return absl::InvalidArgumentError("the policy has no " + std::string(what) + " \"" + name + "\"" +
                                          policy::DidYouMean(name, known));
    }
    return absl::OkStatus();
  };
  if (absl::Status status = check(roles, known_roles, "role"); !status.ok()) return status;
  if (absl::Status status = check(scopes, known_scopes, "scope"); !status.ok()) return status;

  const PolicyCore core(policy);
  const policy::Held held = core.HeldBy(kind, std::vector<std::string_view>(roles.begin(), roles.end()),
                                        std::vector<std::string_view>(scopes.begin(), scopes.end()));
  size_t position = 0;
  return ReachWhere(policy, held, false,
                    [&](const AccessRule&) { return core.Allows(core.NeedOf(position++), kind, held); });
}

Texts ConditionsOf(const Policy& policy, const AccessRule& rule, bool claims_known) {
  const SensitivityClass& sensitivity = *ClassOf(policy, rule.sensitivity);
  Texts conditions;
  if (!claims_known) {
    if (!sensitivity.credentials.empty())
      conditions.push_back("credential " + Joined(NamesOf(sensitivity.credentials), " or "));
    if (sensitivity.token_lifetime_max_s > 0)
      conditions.push_back("lives " + std::to_string(sensitivity.token_lifetime_max_s) + " s at most");
    for (const std::string& text : TextsOf(rule.predicates)) conditions.push_back("claim " + text);
    if (!sensitivity.acr_values.empty())
      conditions.push_back("acr " + Joined(sensitivity.acr_values, " or "));
    if (!sensitivity.amr_values.empty())
      conditions.push_back("amr " + Joined(sensitivity.amr_values, " and "));
  }
  if (sensitivity.token_age_max_s > 0)
    conditions.push_back(std::to_string(sensitivity.token_age_max_s) + " s old at most");
  if (sensitivity.mode == ValidationMode::kIntrospect) conditions.push_back("its issuer calls it active");
  return conditions;
}

std::string Hint(const Policy& policy, const policy::Target& target) {
  Set names, servers;
  for (const AccessRule& rule : policy.rules()) {
    if (rule.object != target.object) continue;
    if (rule.server.empty() || rule.server == target.server) names.insert(rule.name);
    if (policy::RuleFor(policy, {.server = rule.server, .object = target.object, .name = target.name}) !=
        nullptr)
      servers.insert(rule.server);
  }
  if (!servers.empty()) return "there are rules for it at " + Joined({servers.begin(), servers.end()}, " ");
  std::string hint = policy::DidYouMean(target.name, names);
  return hint.empty() ? hint : hint.substr(2);
}

}  // namespace tollgate::cli
