#include "policy/scope_sets.h"

#include <algorithm>
#include <string>
#include <vector>

#include "base/limits.h"
#include "sync/interned_texts.h"

namespace tollgate::policy {
namespace {

constexpr size_t kTextBytesMax = 1 << 20;  // Over all sets.

// Canonical writes the scopes sorted, once each and space-delimited, into `text`, whose storage is reused.
void Canonical(std::span<const std::string_view> scopes, std::vector<std::string_view>* sorted,
               std::string* text) {
  sorted->assign(scopes.begin(), scopes.end());
  std::sort(sorted->begin(), sorted->end());
  sorted->erase(std::unique(sorted->begin(), sorted->end()), sorted->end());
  text->clear();
  for (std::string_view scope : *sorted) {
    if (!text->empty()) *text += ' ';
    *text += scope;
  }
}

}  // namespace

ScopeSets::ScopeSets(const CompiledPolicy& policy)
    : policy_(policy),
      texts_(limits::kScopeSetsMax, kTextBytesMax),
      masks_(std::make_unique<ScopeMask[]>(limits::kScopeSetsMax)) {}
ScopeSets::~ScopeSets() = default;

std::optional<uint32_t> ScopeSets::Intern(std::span<const std::string_view> scopes) {
  thread_local std::vector<std::string_view> sorted;
  thread_local std::string text;
  Canonical(scopes, &sorted, &text);
  return texts_.Intern(text, [this](uint32_t number) { masks_[number] = policy_.MaskOf(sorted); });
}

}  // namespace tollgate::policy
