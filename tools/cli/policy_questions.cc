#include "tools/cli/policy_questions.h"

#include <algorithm>
#include <array>
#include <iterator>
#include <optional>
#include <set>
#include <tuple>
#include <utility>

#include "absl/status/status.h"
#include "policy/near_miss.h"
#include "policy/resource_pattern.h"
#include "policy/scope_pattern.h"
#include "tools/cli/joined.h"
#include "tools/cli/policy_core.h"

namespace tollgate::cli {
namespace {

using Texts = std::vector<std::string>;
using Set = std::set<std::string>;

constexpr std::array kKinds = {PrincipalKind::kUser, PrincipalKind::kService, PrincipalKind::kAgent};

// TokenNamesOf says what tokens call a role.
Texts TokenNamesOf(const RoleRule& role) {
  if (role.from.empty()) return {role.role};
  Texts names;
  for (const RoleRule::Source& source : role.from)
    names.push_back(source.value + (source.issuer.empty() ? "" : " of " + source.issuer));
  return names;
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
      Append(name, CompareClasses(before_.policy(), after_.policy(), name), &diff.classes);
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
      Append(role, CompareSources(before_and_after.first, before_and_after.second), &roles);
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

std::string Hint(const Policy& policy, const policy::Target& target) {
  Set names, servers;
  for (const AccessRule& rule : policy.rules()) {
    if (rule.object != target.object) continue;
    if (rule.server.empty() || rule.server == target.server) names.insert(rule.name);
    if (policy::RuleFor(policy, {.server = rule.server, .object = target.object, .name = target.name}) !=
        nullptr)
      servers.insert(rule.server);
  }
  if (!servers.empty()) return "there are rules for it at " + Joined(servers);
  std::string hint = policy::DidYouMean(target.name, names);
  return hint.empty() ? hint : hint.substr(2);
}

}  // namespace tollgate::cli
