#include "policy/compiled_policy.h"

#include "absl/strings/string_view.h"

namespace tollgate::policy {
namespace {

void SetBit(ScopeMask* mask, uint32_t bit) { (*mask)[bit / 64] |= uint64_t{1} << bit % 64; }

std::vector<std::string> NamesOf(const Policy& policy) {
  std::vector<std::string> names;
  for (const ToolRule& rule : policy.tools()) names.push_back(rule.tool);
  return names;
}

}  // namespace

CompiledPolicy::CompiledPolicy(const Policy& policy) : names_(NamesOf(policy)) {
  tool_scopes_.reserve(policy.tools().size());
  for (const ToolRule& rule : policy.tools()) {
    CompiledTool tool;
    std::string scopes;
    for (const std::string& scope : rule.scopes) {
      const auto [entry, is_new] = scope_bits_.try_emplace(scope, static_cast<uint32_t>(scope_bits_.size()));
      const ScopeMask before = tool.needed;
      SetBit(&tool.needed, entry->second);
      if (tool.needed == before) continue;  // Named twice.
      if (!scopes.empty()) scopes += ' ';
      scopes += scope;
    }
    for (const SensitivityClass& sensitivity : policy.classes()) {
      if (sensitivity.name != rule.sensitivity) continue;
      tool.mode = sensitivity.mode;
      tool.token_age_max_s = sensitivity.token_age_max_s;
    }
    tool.scopes = tool_scopes_.emplace_back(std::move(scopes));
    tools_.push_back(tool);
  }
}

ScopeMask CompiledPolicy::MaskOf(std::span<const std::string_view> scopes) const {
  ScopeMask mask{};
  for (std::string_view scope : scopes) {
    const auto found = scope_bits_.find(absl::string_view(scope.data(), scope.size()));
    if (found != scope_bits_.end()) SetBit(&mask, found->second);
  }
  return mask;
}

}  // namespace tollgate::policy
