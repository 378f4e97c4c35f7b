#include "fuzz/policy_agreement.h"

#include <algorithm>
#include <cstdint>
#include <iterator>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "policy/compiled_policy.h"
#include "policy/grant_sets.h"
#include "policy/grants.h"
#include "policy/interpreter.h"

namespace tollgate::fuzz {
namespace {

// What no rule names, or another spelling of what one does.
constexpr std::string_view kStrangers[] = {
    "", "x/", "X", "file:///d/", "file:///d/%2e%2e/x", "file:///e/a%2Fb", "file:///e/", "FILE:///d/x"};

// Place is a name at a server, and what counts there.
struct Place {
  policy::Target target;
  const AccessRule* rule;
  const policy::CompiledTool* tool;
};

std::string TextOf(const policy::Target& target) {
  return std::string(NameOf(target.object)) + " " + std::string(target.name) + " at " +
         std::string(target.server);
}

// Evaluated is what the policy makes of the caller; of what the cache would keep of it with `kept`.
policy::GrantMask Evaluated(const policy::CompiledPolicy& compiled, policy::Caller caller, bool kept) {
  std::string text;
  policy::GrantsReader reader;
  if (kept) {
    if (!policy::WriteGrants({.kind = caller.kind,
                              .scopes = caller.scopes,
                              .scope_text = caller.scope_text,
                              .roles = caller.roles,
                              .acr = caller.acr,
                              .amr = caller.amr,
                              .claims = caller.claims},
                             &text)) {
      return {};  // What is short is kept.
    }
    const policy::Grants& grants = reader.Read(text);
    caller.kind = grants.kind;
    caller.scopes = grants.scopes;
    caller.scope_text = nullptr;
    caller.roles = grants.roles;
    caller.acr = grants.acr;
    caller.amr = grants.amr;
    caller.claims = grants.claims;
  }
  policy::GrantMask mask;
  compiled.Evaluate(caller, &mask);
  return mask;
}

// KnownScopes is what is known of the caller's scopes, from this policy or others before it.
ScopeText* KnownScopes(const policy::Caller& caller) {
  static auto& all = *new std::map<std::string, ScopeText>;
  if (all.size() > 64) all.clear();
  std::string text;
  for (const std::string_view scope : caller.scopes) text.append(scope) += '\n';
  ScopeText& known = all[text];
  known.words.assign(caller.scopes.begin(), caller.scopes.end());
  return &known;
}

// ScopesOf is what a challenge has to name: all scopes of the rule, each once.
std::string ScopesOf(const AccessRule& rule) {
  std::string all;
  for (auto scope = rule.scopes.begin(); scope != rule.scopes.end(); ++scope) {
    if (std::find(rule.scopes.begin(), scope, *scope) == scope) all += (all.empty() ? "" : " ") + *scope;
  }
  return all;
}

}  // namespace

std::string Disagreement(const PolicyMatrix& matrix, const Policy& policy,
                         std::map<Reason, size_t>* answers) {
  const policy::CompiledPolicy compiled(policy, PolicyMatrix::Servers());
  policy::GrantSets sets(compiled);
  std::vector<Place> places;
  for (size_t server = 0; server < PolicyMatrix::Servers().size(); ++server) {
    for (const McpObject object :
         {McpObject::kMethod, McpObject::kTool, McpObject::kPrompt, McpObject::kResource}) {
      const std::vector<std::string>& own = matrix.Names(object);
      std::vector<std::string_view> names(own.begin(), own.end());
      names.insert(names.end(), std::begin(kStrangers), std::end(kStrangers));
      for (const std::string_view name : names) {
        const policy::Target target = {PolicyMatrix::Servers()[server], object, name};
        const Place place = {target, policy::RuleFor(policy, target),
                             compiled.FindTool(server, object, name)};
        if ((place.rule == nullptr) != (place.tool == nullptr)) return TextOf(target) + ": another rule";
        if (place.rule != nullptr && (compiled.SensitivityOf(*place.tool) != place.rule->sensitivity ||
                                      compiled.ScopesOf(*place.tool) != ScopesOf(*place.rule)))
          return TextOf(target) + ": another class, or other scopes for a challenge";
        places.push_back(place);
      }
    }
  }
  for (const PolicyMatrix::Holder& holder : matrix.holders()) {
    const policy::Caller caller = holder.View();
    const policy::GrantMask mask = Evaluated(compiled, caller, false);
    if (Evaluated(compiled, caller, true) != mask) return "what is kept of a caller says something else";
    policy::Caller known = caller;
    known.scope_text = KnownScopes(caller);
    for (const bool kept : {false, true, false}) {
      if (Evaluated(compiled, known, kept) != mask) return "what is known of the scopes says something else";
    }
    const std::optional<uint32_t> set = sets.Intern(mask);
    if (!set) return "no room for a set";
    const policy::Held held = policy::HeldBy(policy, caller);
    for (const auto& [target, rule, tool] : places) {
      const Reason reason =
          rule == nullptr ? Reason::kUnknownTool : policy::InterpretRule(policy, caller, held, *rule).reason;
      ++(*answers)[reason];
      if (tool == nullptr) continue;
      const Reason lacking = compiled.Lacking(tool->requirement, mask);
      if (lacking != reason || sets.Lacking(*set, *tool) != reason ||
          sets.Permits(*set, *tool) != (reason == Reason::kNone)) {
        return TextOf(target) + ": " + std::string(ReasonName(lacking)) + ", by the set " +
               std::string(ReasonName(sets.Lacking(*set, *tool))) + ", instead of " +
               std::string(ReasonName(reason));
      }
    }
  }
  return "";
}

}  // namespace tollgate::fuzz
