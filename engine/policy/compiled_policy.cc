#include "policy/compiled_policy.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "absl/strings/string_view.h"
#include "policy/scope_pattern.h"

namespace tollgate::policy {
namespace {

void SetBit(GrantMask* mask, uint32_t bit) { (*mask)[bit / 64] |= uint64_t{1} << bit % 64; }

bool HasBit(const GrantMask& mask, uint32_t bit) { return (mask[bit / 64] >> bit % 64 & 1) != 0; }

void Join(const GrantMask& more, GrantMask* mask) {
  for (size_t i = 0; i < more.size(); ++i) (*mask)[i] |= more[i];
}

absl::string_view Abseil(std::string_view text) { return {text.data(), text.size()}; }

template <typename Kind>
uint64_t Bits(const std::vector<Kind>& kinds) {
  uint64_t bits = 0;
  for (Kind kind : kinds) bits |= uint64_t{1} << static_cast<uint32_t>(kind);
  return bits;
}

bool IsOneOf(std::string_view text, const std::vector<std::string>& texts) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

bool Holds(Predicate::Operator operation, const std::vector<std::string>& wanted, const Claim& claim) {
  using enum Predicate::Operator;
  const auto is_wanted = [&](std::string_view value) { return IsOneOf(value, wanted); };
  const bool is_single = !claim.is_list && claim.values.size() == 1;
  switch (operation) {
    case kPresent:
      return true;
    case kEquals:
    case kIn:
      return is_single && is_wanted(claim.values.front());
    case kPrefix:
      return is_single && claim.is_text &&
             std::any_of(wanted.begin(), wanted.end(),
                         [&](const std::string& prefix) { return claim.values.front().starts_with(prefix); });
    case kContains:
      return (claim.is_list || is_single) && std::any_of(claim.values.begin(), claim.values.end(), is_wanted);
  }
  return false;
}

// NextNumber does not come round.
uint64_t NextNumber() {
  static std::atomic<uint64_t> numbers{0};
  // Ordering: none needed; the numbers only have to differ.
  return numbers.fetch_add(1, std::memory_order_relaxed) + 1;
}

std::string Joined(const std::vector<std::string>& words) {
  std::string all;
  for (const std::string& word : words) {
    if (!all.empty()) all += ' ';
    all += word;
  }
  return all;
}

}  // namespace

// Compiler fills in a CompiledPolicy.
class CompiledPolicy::Compiler {
 public:
  Compiler(const Policy& policy, CompiledPolicy* out) : policy_(policy), out_(*out) {}

  void Compile(std::span<const std::string> servers) {
    NumberScopes();
    out_.first_role_bit_ = static_cast<uint32_t>(out_.scope_bits_.size());
    out_.first_condition_bit_ = out_.first_role_bit_ + static_cast<uint32_t>(policy_.roles().size());
    for (size_t i = 0; i < policy_.roles().size(); ++i) roles_.emplace(policy_.roles()[i].role, i);
    std::vector<CompiledTool> tools;  // By the rule's position.
    for (const AccessRule& rule : policy_.rules()) tools.push_back(CompileRule(rule));
    out_.num_bits_ = out_.first_condition_bit_ + out_.conditions_.size();
    CompileScopes();
    CompileRoles();
    PlaceRules(servers, tools);
  }

 private:
  void NumberScopes() {
    const auto number = [&](const std::string& scope) {
      if (out_.scope_bits_.try_emplace(scope, static_cast<uint32_t>(names_.size())).second)
        names_.push_back(scope);
    };
    for (const AccessRule& rule : policy_.rules()) {
      for (const std::string& scope : rule.scopes) number(scope);
    }
    const auto number_given = [&](const std::vector<std::string>& given) {
      for (const std::string& text : given) {
        if (!IsScopePattern(text)) number(text);
      }
    };
    for (const ScopeRule& rule : policy_.scopes()) {
      number(rule.scope);
      implies_.emplace(rule.scope, &rule.implies);
      number_given(rule.implies);
    }
    for (const RoleRule& role : policy_.roles()) number_given(role.scopes);
  }

  // AddNamed adds the scopes that `text` names, a scope or a pattern.
  void AddNamed(const std::string& text, GrantMask* mask) const {
    if (const auto found = out_.scope_bits_.find(text); found != out_.scope_bits_.end())
      SetBit(mask, found->second);
    if (!IsScopePattern(text)) return;
    const std::string_view start = std::string_view(text).substr(0, text.size() - 1);
    const auto begins = [start](const std::string& name) { return name.starts_with(start); };
    for (auto name = sorted_.lower_bound(start); name != sorted_.end() && begins(name->first); ++name)
      SetBit(mask, name->second);
  }

  // Given is what somebody holds to whom the policy gives `texts`.
  GrantMask Given(const std::vector<std::string>& texts) const {
    GrantMask named(out_.num_words());
    for (const std::string& text : texts) AddNamed(text, &named);
    GrantMask all(out_.num_words());
    for (uint32_t bit = 0; bit < given_.size(); ++bit) {
      if (HasBit(named, bit)) Join(given_[bit], &all);
    }
    return all;
  }

  void CompileScopes() {
    const std::vector<std::string> nothing;
    const auto implied_by = [&](const std::string& name) -> const std::vector<std::string>& {
      const auto found = implies_.find(name);
      return found == implies_.end() ? nothing : *found->second;
    };
    for (const std::string& name : names_) sorted_.emplace(name, out_.scope_bits_.at(name));
    for (const std::string& name : names_) {
      GrantMask& given = given_.emplace_back(out_.num_words());
      AddNamed(name, &given);
      for (const std::string& text : implied_by(name)) AddNamed(text, &given);
    }
    // The transitive closure, by Warshall's algorithm.
    for (uint32_t via = 0; via < given_.size(); ++via) {
      for (GrantMask& given : given_) {
        if (HasBit(given, via)) Join(given_[via], &given);
      }
    }
    for (const std::string& name : names_) {
      // What a token calls `files:*` is a scope like any other, and no pattern; what it implies may be one.
      GrantMask held = Given(implied_by(name));
      SetBit(&held, out_.scope_bits_.at(name));
      out_.scope_closures_.push_back(std::move(held));
    }
  }

  void CompileRoles() {
    for (uint32_t i = 0; i < policy_.roles().size(); ++i) {
      const RoleRule& role = policy_.roles()[i];
      out_.roles_.push_back({.principals = Bits(role.principals), .scopes = Given(role.scopes)});
      if (role.from.empty()) out_.role_sources_[role.role].push_back({"", i});
      for (const RoleRule::Source& source : role.from)
        out_.role_sources_[source.value].push_back({source.issuer, i});
    }
  }

  uint32_t BitOf(Condition condition) {
    const auto [entry, is_new] =
        condition_numbers_.try_emplace(condition, static_cast<uint32_t>(out_.conditions_.size()));
    if (is_new) out_.conditions_.push_back(std::move(condition));
    return out_.first_condition_bit_ + entry->second;
  }

  CompiledTool CompileRule(const AccessRule& rule) {
    const auto& classes = policy_.classes();
    const auto sensitivity = std::find_if(classes.begin(), classes.end(), [&](const SensitivityClass& c) {
      return c.name == rule.sensitivity;
    });
    // More than that, 136 years, is as good as no bound, but still needs an iat.
    const auto bound = [](int64_t s) { return static_cast<uint32_t>(std::min<int64_t>(s, UINT32_MAX)); };
    CompiledTool tool;
    tool.mode = sensitivity->mode;
    tool.token_age_max_s = bound(sensitivity->token_age_max_s);
    tool.introspection_outage = sensitivity->introspection_outage;
    tool.introspection_age_max_s = bound(sensitivity->introspection_age_max_s);
    tool.last_known_age_max_s = bound(sensitivity->last_known_age_max_s);
    tool.audit = sensitivity->audit;
    tool.sensitivity = static_cast<uint8_t>(sensitivity - classes.begin());
    tool.is_usual =
        tool.token_age_max_s == 0 && tool.mode == ValidationMode::kSignature && tool.audit < AuditDuty::kFull;
    tool.requirement = NumberOf(Require(rule, *sensitivity));
    return tool;
  }

  Requirement Require(const AccessRule& rule, const SensitivityClass& sensitivity) {
    using Kind = Condition::Kind;
    Requirement requirement;
    const auto need = [&](Reason reason, Condition condition) {
      requirement.needs.push_back({BitOf(std::move(condition)), reason});
    };
    for (const std::vector<PrincipalKind>* kinds : {&sensitivity.principals, &rule.principals}) {
      if (!kinds->empty())
        need(Reason::kPrincipalKindNotAllowed, {.kind = Kind::kPrincipals, .number = Bits(*kinds)});
    }
    if (!sensitivity.credentials.empty()) {
      need(Reason::kCredentialKindNotAllowed,
           {.kind = Kind::kCredentials, .number = Bits(sensitivity.credentials)});
    }
    if (sensitivity.sender_constraint) need(Reason::kSenderConstraintNeeded, {.kind = Kind::kNever});
    if (sensitivity.token_lifetime_max_s != 0) {
      need(Reason::kLifetimeTooLongHere,
           {.kind = Kind::kLifetime, .number = static_cast<uint64_t>(sensitivity.token_lifetime_max_s)});
    }
    if (!rule.roles.empty()) {
      Condition any{.kind = Kind::kRoles};
      for (const std::string& role : rule.roles)
        any.roles.push_back(out_.first_role_bit_ + static_cast<uint32_t>(roles_.at(role)));
      need(Reason::kRoleMissing, std::move(any));
    }
    for (const Predicate& predicate : rule.predicates) {
      if (!IsOneOf(predicate.claim, out_.claims_)) out_.claims_.push_back(predicate.claim);
      need(Reason::kClaimNotAsNeeded, {.kind = Kind::kPredicate,
                                       .number = static_cast<uint64_t>(predicate.operation),
                                       .claim = predicate.claim,
                                       .values = predicate.values});
    }
    if (!sensitivity.acr_values.empty()) {
      need(Reason::kAuthenticationInsufficient, {.kind = Kind::kAcr, .values = sensitivity.acr_values});
      requirement.acr = Joined(sensitivity.acr_values);
    }
    if (!sensitivity.amr_values.empty())
      need(Reason::kAuthenticationInsufficient, {.kind = Kind::kAmr, .values = sensitivity.amr_values});
    std::vector<std::string> scopes;
    for (const std::string& scope : rule.scopes) {
      if (IsOneOf(scope, scopes)) continue;
      scopes.push_back(scope);
      requirement.needs.push_back({out_.scope_bits_.at(scope), Reason::kInsufficientScope});
    }
    requirement.scopes = Joined(scopes);
    return requirement;
  }

  uint16_t NumberOf(Requirement requirement) {
    const auto [entry, is_new] =
        requirement_numbers_.try_emplace(requirement.needs, static_cast<uint16_t>(out_.requirements_.size()));
    if (is_new) out_.requirements_.push_back(std::move(requirement));
    return entry->second;
  }

  // PlaceRules makes the tables of each set of rules: of those for all servers, and of those with the rules
  // for one.
  void PlaceRules(std::span<const std::string> servers, const std::vector<CompiledTool>& tools) {
    AddRuleSet("", tools);
    for (size_t i = 0; i < servers.size(); ++i) {
      const bool has_own = std::any_of(
          policy_.rules().begin(), policy_.rules().end(),
          [&](const AccessRule& rule) { return rule.server == servers[i] && !servers[i].empty(); });
      out_.rule_sets_[i] = has_own ? static_cast<uint8_t>(out_.resources_.size()) : 0;
      if (has_own) AddRuleSet(servers[i], tools);
    }
  }

  void AddRuleSet(const std::string& server, const std::vector<CompiledTool>& tools) {
    for (size_t object = 0; object < kTables; ++object) {
      std::vector<std::string> names;
      std::vector<CompiledTool> placed;
      absl::flat_hash_map<std::string, size_t> places;
      const auto add = [&](const std::string& of) {
        for (size_t i = 0; i < tools.size(); ++i) {
          const AccessRule& rule = policy_.rules()[i];
          if (rule.server != of || static_cast<size_t>(rule.object) != object) continue;
          if (!places.try_emplace(rule.name, names.size()).second) continue;  // The server's own rule counts.
          names.push_back(rule.name);
          placed.push_back(tools[i]);
        }
      };
      add(server);
      if (!server.empty()) add("");
      out_.tables_.emplace_back(names, placed);
    }
    Resources& resources = out_.resources_.emplace_back();
    for (size_t i = 0; i < tools.size(); ++i) {
      const AccessRule& rule = policy_.rules()[i];
      if (rule.server != server || rule.object != McpObject::kResource) continue;
      std::string error;
      ResourcePattern pattern = *ResourcePattern::Parse(rule.name, &error);
      if (pattern.kind() == ResourcePattern::Kind::kExact) {
        resources.exact.emplace(rule.name, tools[i]);
      } else {
        resources.patterns.emplace_back(std::move(pattern), tools[i]);
      }
    }
    std::stable_sort(resources.patterns.begin(), resources.patterns.end(), [](const auto& a, const auto& b) {
      return a.first.kind() != b.first.kind() ? a.first.kind() < b.first.kind()
                                              : a.first.literal_bytes() > b.first.literal_bytes();
    });
  }

  const Policy& policy_;
  CompiledPolicy& out_;
  std::vector<std::string> names_;                       // Of the scopes, by bit.
  std::map<std::string, uint32_t, std::less<>> sorted_;  // The same: their bits.
  std::vector<GrantMask> given_;                         // By bit: what somebody holds to whom it is given.
  absl::flat_hash_map<std::string, const std::vector<std::string>*> implies_;
  absl::flat_hash_map<std::string, size_t> roles_;
  absl::flat_hash_map<Condition, uint32_t> condition_numbers_;
  absl::flat_hash_map<std::vector<Need>, uint16_t> requirement_numbers_;
};

CompiledPolicy::CompiledPolicy(const Policy& policy, std::span<const std::string> servers)
    : number_(NextNumber()) {
  for (const SensitivityClass& sensitivity : policy.classes()) class_names_.push_back(sensitivity.name);
  Compiler(policy, this).Compile(servers);
}

const CompiledTool* CompiledPolicy::FindTool(size_t server, McpObject object, std::string_view name) const {
  if (object == McpObject::kResource) return FindResource(server, name);
  const ToolTable& table = TableOf(server, object);
  const CompiledTool& candidate = table.Candidate(name);
  return table.Has(candidate, name) ? &candidate : nullptr;
}

const CompiledTool* CompiledPolicy::FindResource(size_t server, std::string_view uri) const {
  // Whoever calls chooses how long it is.
  if (uri.size() > limits::kResourceUriBytesMax) return nullptr;
  std::optional<bool> is_plain;  // Asked once, and only if there is a pattern.
  const auto find = [&](const Resources& resources) -> const CompiledTool* {
    if (const auto found = resources.exact.find(Abseil(uri)); found != resources.exact.end())
      return &found->second;
    for (const auto& [pattern, tool] : resources.patterns) {
      if (!is_plain) is_plain = IsPlain(uri);
      if (*is_plain ? pattern.MatchesPlain(uri) : pattern.text() == uri) return &tool;
    }
    return nullptr;
  };
  const size_t own = rule_sets_[server];
  const CompiledTool* tool = own == 0 ? nullptr : find(resources_[own]);
  return tool != nullptr ? tool : find(resources_.front());
}

void CompiledPolicy::Evaluate(const Caller& caller, GrantMask* mask) const {
  EvaluateScopes(caller, mask);
  AddRoles(caller, mask);
  for (uint32_t i = 0; i < conditions_.size(); ++i) {
    if (Holds(conditions_[i], caller, *mask)) SetBit(mask, first_condition_bit_ + i);
  }
}

void CompiledPolicy::EvaluateScopes(const Caller& caller, GrantMask* mask) const {
  mask->assign(num_words(), 0);
  ScopeText* const known = caller.scope_text;
  // All that the answer depends on beside the text. A policy is known by its number, since another one may
  // come to lie where it was.
  const uint64_t asked = number_ << 1 | (caller.scope_wildcards ? 1 : 0);
  if (known != nullptr && known->granted_by == asked) {
    std::copy(known->granted.begin(), known->granted.end(), mask->begin());
    return;
  }
  AddScopes(caller, mask);
  if (known == nullptr) return;
  // Scopes come to scopes alone, whose bits are the first.
  known->granted.assign(mask->begin(), mask->begin() + (first_role_bit_ + 63) / 64);
  known->granted_by = asked;
}

void CompiledPolicy::AddScopes(const Caller& caller, GrantMask* mask) const {
  for (std::string_view scope : caller.scopes) {
    if (const auto found = scope_bits_.find(scope); found != scope_bits_.end())
      Join(scope_closures_[found->second], mask);
    if (!caller.scope_wildcards || !IsScopePattern(scope)) continue;
    for (const auto& [name, bit] : scope_bits_) {
      if (MatchesScopePattern(scope, name)) Join(scope_closures_[bit], mask);
    }
  }
}

void CompiledPolicy::AddRoles(const Caller& caller, GrantMask* mask) const {
  if (roles_.empty()) return;
  for (std::string_view value : caller.roles) {
    const auto found = role_sources_.find(Abseil(value));
    if (found == role_sources_.end()) continue;
    for (const RoleSource& source : found->second) {
      if (!source.issuer.empty() && source.issuer != caller.issuer && source.issuer != caller.profile)
        continue;
      SetBit(mask, first_role_bit_ + source.role);
      const Role& role = roles_[source.role];
      if ((role.principals >> static_cast<uint32_t>(caller.kind) & 1) != 0) Join(role.scopes, mask);
    }
  }
}

bool CompiledPolicy::Holds(const Condition& condition, const Caller& caller, const GrantMask& mask) const {
  const std::vector<std::string>& values = condition.values;
  switch (condition.kind) {
    case Condition::Kind::kNever:
      return false;
    case Condition::Kind::kPrincipals:
      return (condition.number >> static_cast<uint32_t>(caller.kind) & 1) != 0;
    case Condition::Kind::kCredentials:
      return (condition.number >> static_cast<uint32_t>(caller.credential) & 1) != 0;
    case Condition::Kind::kLifetime:
      return caller.credential == CredentialKind::kOpaque ||
             caller.lifetime_s <= static_cast<int64_t>(condition.number);
    case Condition::Kind::kRoles:
      return std::any_of(condition.roles.begin(), condition.roles.end(),
                         [&](uint32_t bit) { return HasBit(mask, bit); });
    case Condition::Kind::kPredicate:
      return std::any_of(caller.claims.begin(), caller.claims.end(), [&](const Claim& claim) {
        return claim.name == condition.claim &&
               policy::Holds(static_cast<Predicate::Operator>(condition.number), values, claim);
      });
    case Condition::Kind::kAcr:
      return IsOneOf(caller.acr, values);
    case Condition::Kind::kAmr:
      return std::all_of(values.begin(), values.end(), [&](const std::string& value) {
        return std::find(caller.amr.begin(), caller.amr.end(), value) != caller.amr.end();
      });
  }
  return false;
}

Reason CompiledPolicy::Lacking(uint32_t requirement, std::string_view mask_bytes) const {
  for (const Need& need : requirements_[requirement].needs) {
    uint64_t word;
    std::memcpy(&word, mask_bytes.data() + need.bit / 64 * sizeof word, sizeof word);
    if ((word >> need.bit % 64 & 1) == 0) return need.reason;
  }
  return Reason::kNone;
}

}  // namespace tollgate::policy
