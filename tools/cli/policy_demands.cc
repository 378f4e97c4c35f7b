#include "tools/cli/policy_demands.h"

#include <algorithm>
#include <array>
#include <initializer_list>
#include <set>
#include <utility>

#include "tools/cli/joined.h"

namespace tollgate::cli {
namespace {

using Texts = std::vector<std::string>;
using Set = std::set<std::string>;

constexpr std::array kKinds = {PrincipalKind::kUser, PrincipalKind::kService, PrincipalKind::kAgent};
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

void CompareTwoClasses(const SensitivityClass& a, const SensitivityClass& b, Demands* demands) {
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

}  // namespace

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
    CompareTwoClasses(*ClassOf(before, a.sensitivity), *ClassOf(after, b.sensitivity), &demands);
  demands.Other("systems", a.systems, b.systems);
  return demands.Take();
}

std::vector<DemandChange> CompareClasses(const Policy& before, const Policy& after, std::string_view name) {
  Demands demands;
  CompareTwoClasses(*ClassOf(before, name), *ClassOf(after, name), &demands);
  return demands.Take();
}

std::vector<DemandChange> CompareSources(const Texts& before, const Texts& after) {
  Demands demands;
  demands.Sources("from", before, after);
  return demands.Take();
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

}  // namespace tollgate::cli
