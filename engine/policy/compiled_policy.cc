#include "policy/compiled_policy.h"

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace tollgate::policy {
namespace {

absl::string_view Key(std::string_view text) { return {text.data(), text.size()}; }

void SetBit(ScopeMask* mask, uint32_t bit) { (*mask)[bit / 64] |= uint64_t{1} << bit % 64; }

}  // namespace

struct CompiledPolicy::Tables {
  absl::flat_hash_map<std::string, CompiledTool> tools;
  absl::flat_hash_map<std::string, uint32_t> scope_bits;
};

CompiledPolicy::CompiledPolicy(const Policy& policy) {
  auto tables = std::make_unique<Tables>();
  for (const ToolRule& rule : policy.tools()) {
    CompiledTool tool;
    for (const std::string& scope : rule.scopes) {
      const auto [entry, is_new] =
          tables->scope_bits.try_emplace(scope, static_cast<uint32_t>(tables->scope_bits.size()));
      const ScopeMask before = tool.needed;
      SetBit(&tool.needed, entry->second);
      if (tool.needed == before) continue;  // Named twice.
      if (!tool.scopes.empty()) tool.scopes += ' ';
      tool.scopes += scope;
    }
    for (const SensitivityClass& sensitivity : policy.classes()) {
      if (sensitivity.name != rule.sensitivity) continue;
      tool.mode = sensitivity.mode;
      tool.token_age_max_s = sensitivity.token_age_max_s;
    }
    tables->tools.emplace(rule.tool, std::move(tool));
  }
  tables_ = std::move(tables);
}

CompiledPolicy::~CompiledPolicy() = default;

const CompiledTool* CompiledPolicy::FindTool(std::string_view tool) const {
  const auto found = tables_->tools.find(Key(tool));
  return found == tables_->tools.end() ? nullptr : &found->second;
}

ScopeMask CompiledPolicy::MaskOf(std::span<const std::string_view> scopes) const {
  ScopeMask mask{};
  for (std::string_view scope : scopes) {
    const auto found = tables_->scope_bits.find(Key(scope));
    if (found != tables_->scope_bits.end()) SetBit(&mask, found->second);
  }
  return mask;
}

}  // namespace tollgate::policy
