// policy_matrix: a compiled policy answers as its rules do, read one by one
//
// Functions: PolicyBuilder::Build, policy::CompiledPolicy, policy::GrantSets, policy::Interpret,
// policy::WriteGrants and GrantsReader. The input chooses a policy and callers (policy_matrix.h). Property:
// for every caller, server and object, the compiled policy says what the interpreter says; its sets do, too;
// and what is kept of a caller says the same as the caller.

#include "fuzz/policy_matrix.h"

#include <string>

#include "fuzz/fuzz.h"
#include "policy/compiled_policy.h"
#include "policy/grant_sets.h"
#include "policy/grants.h"
#include "policy/interpreter.h"

namespace tollgate::fuzz {
namespace {

// Kept is the caller as the cache would keep it.
policy::Caller Kept(const policy::Caller& caller, std::string* text, policy::GrantsReader* reader) {
  Expect(policy::WriteGrants({.kind = caller.kind,
                              .scopes = caller.scopes,
                              .roles = caller.roles,
                              .acr = caller.acr,
                              .amr = caller.amr,
                              .claims = caller.claims},
                             text),
         "what is short is kept");
  const policy::Grants& grants = reader->Read(*text);
  policy::Caller kept = caller;
  kept.kind = grants.kind;
  kept.scopes = grants.scopes;
  kept.roles = grants.roles;
  kept.acr = grants.acr;
  kept.amr = grants.amr;
  kept.claims = grants.claims;
  return kept;
}

}  // namespace

bool Accepts(std::string_view input) {
  const PolicyMatrix matrix(input);
  const absl::StatusOr<Policy> policy = matrix.builder().Build();
  if (!policy.ok()) return false;
  const policy::CompiledPolicy compiled(*policy, PolicyMatrix::Servers());
  policy::GrantSets sets(compiled);
  for (const PolicyMatrix::Holder& holder : matrix.holders()) {
    const policy::Caller caller = holder.View();
    policy::GrantMask mask, kept_mask;
    compiled.Evaluate(caller, &mask);
    std::string text;
    policy::GrantsReader reader;
    compiled.Evaluate(Kept(caller, &text, &reader), &kept_mask);
    Expect(mask == kept_mask, "what is kept of a caller says the same");
    const uint32_t set = *sets.Intern(mask);
    for (size_t server = 0; server < PolicyMatrix::Servers().size(); ++server) {
      for (const McpObject object :
           {McpObject::kMethod, McpObject::kTool, McpObject::kPrompt, McpObject::kResource}) {
        for (const std::string& name : PolicyMatrix::Names(object)) {
          const policy::CompiledTool* const tool = compiled.FindTool(server, object, name);
          const policy::Interpretation interpretation =
              policy::Interpret(*policy, caller, {PolicyMatrix::Servers()[server], object, name});
          Expect((tool == nullptr) == (interpretation.reason == Reason::kUnknownTool), "the same rules");
          if (tool == nullptr) continue;
          Expect(compiled.Lacking(tool->requirement, mask) == interpretation.reason, "the same answer");
          Expect(sets.Lacking(set, *tool) == interpretation.reason, "the same answer of the set");
          Expect(sets.Permits(set, *tool) == (interpretation.reason == Reason::kNone), "the same bit");
        }
      }
    }
  }
  return true;
}

}  // namespace tollgate::fuzz
