#include "policy/compiled_policy.h"

#include <algorithm>
#include <utility>

#include "absl/strings/string_view.h"

namespace tollgate::policy {
namespace {

void SetBit(ScopeMask* mask, uint32_t bit) { (*mask)[bit / 64] |= uint64_t{1} << bit % 64; }

}  // namespace

// Compiled is what the rules say, tool by tool.
struct CompiledPolicy::Compiled {
  absl::flat_hash_map<std::string, uint32_t> scope_bits;
  std::vector<std::string> names;
  std::vector<CompiledTool> tools;
  std::vector<ScopeMask> needed;
  std::vector<std::string> scope_texts;
};

CompiledPolicy::Compiled CompiledPolicy::Compile(const Policy& policy) {
  Compiled compiled;
  absl::flat_hash_map<ScopeMask, uint16_t> numbers;
  for (const AccessRule& rule : policy.rules()) {
    CompiledTool tool;
    ScopeMask needed{};
    std::string text;
    for (const std::string& scope : rule.scopes) {
      const auto [entry, is_new] =
          compiled.scope_bits.try_emplace(scope, static_cast<uint32_t>(compiled.scope_bits.size()));
      const ScopeMask before = needed;
      SetBit(&needed, entry->second);
      if (needed == before) continue;  // Named twice.
      if (!text.empty()) text += ' ';
      text += scope;
    }
    const auto [number, is_new] = numbers.try_emplace(needed, static_cast<uint16_t>(numbers.size()));
    if (is_new) {
      compiled.needed.push_back(needed);
      compiled.scope_texts.push_back(std::move(text));
    }
    tool.scopes = number->second;
    for (const SensitivityClass& sensitivity : policy.classes()) {
      if (sensitivity.name != rule.sensitivity) continue;
      // More than that, 136 years, is as good as no bound, but still needs an iat.
      const auto bound = [](int64_t s) { return static_cast<uint32_t>(std::min<int64_t>(s, UINT32_MAX)); };
      tool.mode = sensitivity.mode;
      tool.token_age_max_s = bound(sensitivity.token_age_max_s);
      tool.introspection_outage = sensitivity.introspection_outage;
      tool.introspection_age_max_s = bound(sensitivity.introspection_age_max_s);
      tool.last_known_age_max_s = bound(sensitivity.last_known_age_max_s);
    }
    compiled.names.push_back(rule.name);
    compiled.tools.push_back(tool);
  }
  return compiled;
}

CompiledPolicy::CompiledPolicy(const Policy& policy) : CompiledPolicy(Compile(policy)) {}

CompiledPolicy::CompiledPolicy(Compiled compiled)
    : scope_bits_(std::move(compiled.scope_bits)),
      table_(compiled.names, compiled.tools),
      needed_(std::move(compiled.needed)),
      scope_texts_(std::move(compiled.scope_texts)) {}

ScopeMask CompiledPolicy::MaskOf(std::span<const std::string_view> scopes) const {
  ScopeMask mask{};
  for (std::string_view scope : scopes) {
    const auto found = scope_bits_.find(absl::string_view(scope.data(), scope.size()));
    if (found != scope_bits_.end()) SetBit(&mask, found->second);
  }
  return mask;
}

}  // namespace tollgate::policy
