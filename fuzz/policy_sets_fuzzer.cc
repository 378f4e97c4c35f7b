// policy_sets: a compiled policy answers as sets of strings would
//
// Functions: PolicyBuilder::Build, policy::CompiledPolicy, policy::ScopeSets. The input is lines: `class NAME
// MODE AGE`, `tool NAME CLASS ANY SCOPE…`, `held SCOPE…`. Property: the builder accepts exactly what its
// contract allows; for every tool and every held line, the masks cover what is needed exactly if the held
// scopes include all needed ones, by way of ScopeSets too; tools that were not named do not exist.

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "policy/compiled_policy.h"
#include "policy/scope_sets.h"
#include "tollgate/policy.h"

namespace tollgate::fuzz {
namespace {

std::vector<std::string> Split(std::string_view text, char separator) {
  std::vector<std::string> pieces(1);
  for (const char c : text) {
    if (c == separator) {
      pieces.emplace_back();
    } else {
      pieces.back() += c;
    }
  }
  return pieces;
}

struct Rules {
  std::map<std::string, SensitivityClass> classes = {{"read", {}}, {"write", {}}, {"privileged", {}}};
  std::vector<AccessRule> tools;
  std::vector<std::set<std::string>> held = {{}};
};

Rules RulesOf(std::string_view input, PolicyBuilder* builder) {
  Rules rules;
  for (const std::string& line : Split(input, '\n')) {
    std::vector<std::string> words = Split(line, ' ');
    const std::string kind = words[0];
    if (kind == "held") {
      rules.held.emplace_back(words.begin() + 1, words.end());
    } else if (kind == "class" && words.size() == 4) {
      SensitivityClass sensitivity = {.name = words[1]};
      sensitivity.mode = words[2] == "introspect" ? ValidationMode::kIntrospect : ValidationMode::kSignature;
      sensitivity.token_age_max_s = std::atoi(words[3].c_str());
      rules.classes[words[1]] = sensitivity;
      builder->AddClass(sensitivity);
    } else if (kind == "tool" && words.size() >= 4) {
      const AccessRule rule = {.name = words[1],
                             .scopes = {words.begin() + 4, words.end()},
                             .any_valid_token = words[3] == "any",
                             .sensitivity = words[2]};
      rules.tools.push_back(rule);
      builder->AddRule(rule);
    }
  }
  return rules;
}

bool IsScope(const std::string& scope) {
  return !scope.empty() && std::all_of(scope.begin(), scope.end(), [](char c) {
    return c >= 0x21 && c <= 0x7E && c != 0x22 && c != 0x5C;
  });
}

bool IsAllowed(const Rules& rules) {
  std::set<std::string> tools, scopes;
  for (const auto& [name, sensitivity] : rules.classes) {
    if (name.empty() || sensitivity.token_age_max_s < 0) return false;
  }
  for (const AccessRule& rule : rules.tools) {
    if (rule.name.empty() || rule.name.size() > limits::kToolBytesMax || !tools.insert(rule.name).second)
      return false;
    if (rule.scopes.empty() != rule.any_valid_token || !rules.classes.contains(rule.sensitivity))
      return false;
    if (!std::all_of(rule.scopes.begin(), rule.scopes.end(), IsScope)) return false;
    scopes.insert(rule.scopes.begin(), rule.scopes.end());
  }
  return !tools.empty() && scopes.size() <= PolicyBuilder::kScopesMax;
}

void ExpectAnswers(const Rules& rules, const policy::CompiledPolicy& compiled) {
  policy::ScopeSets sets(compiled);
  for (const std::set<std::string>& held : rules.held) {
    // The other way round: order means nothing.
    const std::vector<std::string_view> words(held.rbegin(), held.rend());
    const policy::ScopeMask mask = compiled.MaskOf(words);
    const std::optional<uint32_t> set = sets.Intern(words);
    Expect(set.has_value() && sets.Mask(*set) == mask, "an interned set has the same mask");
    Expect(sets.Intern(std::vector<std::string_view>(held.begin(), held.end())) == set,
           "a set has one number");
    for (const AccessRule& rule : rules.tools) {
      const policy::CompiledTool* tool = compiled.FindTool(rule.name);
      Expect(tool != nullptr, "a tool that was named is found");
      const bool covered = std::all_of(rule.scopes.begin(), rule.scopes.end(),
                                       [&](const std::string& scope) { return held.contains(scope); });
      Expect(compiled.Permits(*tool, mask) == covered, "the masks cover as the sets do");
    }
  }
  for (const AccessRule& rule : rules.tools) {
    const policy::CompiledTool& tool = *compiled.FindTool(rule.name);
    const SensitivityClass& sensitivity = rules.classes.at(rule.sensitivity);
    Expect(tool.mode == sensitivity.mode && tool.token_age_max_s == sensitivity.token_age_max_s,
           "the class's demands");
    const std::vector<std::string> challenge =
        compiled.ScopesOf(tool).empty() ? std::vector<std::string>() : Split(compiled.ScopesOf(tool), ' ');
    const std::set<std::string> needed(rule.scopes.begin(), rule.scopes.end());
    Expect(challenge.size() == needed.size() && std::set(challenge.begin(), challenge.end()) == needed,
           "the challenge names each needed scope once");
    const bool other_named = std::any_of(rules.tools.begin(), rules.tools.end(), [&](const AccessRule& other) {
      return other.name == rule.name + "x";
    });
    Expect((compiled.FindTool(rule.name + "x") != nullptr) == other_named,
           "a tool that was not named is not found");
  }
}

}  // namespace

bool Accepts(std::string_view input) {
  PolicyBuilder builder;
  const Rules rules = RulesOf(input, &builder);
  const absl::StatusOr<Policy> policy = builder.Build();
  Expect(policy.ok() == IsAllowed(rules), "the model agrees about what is a policy");
  if (!policy.ok()) return false;
  ExpectAnswers(rules, policy::CompiledPolicy(*policy));
  return true;
}

}  // namespace tollgate::fuzz
