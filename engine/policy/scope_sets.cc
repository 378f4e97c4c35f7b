#include "policy/scope_sets.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"
#include "base/limits.h"

namespace tollgate::policy {
namespace {

constexpr size_t kTextBytesMax = 1 << 20;  // Over all sets.

struct ScopeSet {
  std::string text;
  ScopeMask mask{};
};

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

struct ScopeSets::State {
  explicit State(const CompiledPolicy& compiled) : policy(compiled) {}

  const CompiledPolicy& policy;
  // Written once, under the lock, before the number is given out; whoever has the number got it after that.
  // So reading needs no lock.
  std::array<ScopeSet, limits::kScopeSetsMax> sets;

  mutable std::shared_mutex mutex;                           // Guards what follows.
  absl::flat_hash_map<absl::string_view, uint32_t> numbers;  // Keys point into `sets`.
  size_t text_bytes = 0;

  std::optional<uint32_t> Find(std::string_view text) const {
    const std::shared_lock lock(mutex);
    const auto found = numbers.find(absl::string_view(text.data(), text.size()));
    if (found == numbers.end()) return std::nullopt;
    return found->second;
  }
};

ScopeSets::ScopeSets(const CompiledPolicy& policy) : state_(std::make_unique<State>(policy)) {}
ScopeSets::~ScopeSets() = default;

std::optional<uint32_t> ScopeSets::Intern(std::span<const std::string_view> scopes) {
  thread_local std::vector<std::string_view> sorted;
  thread_local std::string text;
  Canonical(scopes, &sorted, &text);
  if (const std::optional<uint32_t> known = state_->Find(text); known.has_value()) return known;

  const std::lock_guard lock(state_->mutex);
  const auto number = static_cast<uint32_t>(state_->numbers.size());
  const auto known = state_->numbers.find(absl::string_view(text));
  if (known != state_->numbers.end()) return known->second;
  if (number == limits::kScopeSetsMax || text.size() > kTextBytesMax - state_->text_bytes)
    return std::nullopt;
  ScopeSet& set = state_->sets[number];
  set.text = text;
  set.mask = state_->policy.MaskOf(sorted);
  state_->text_bytes += text.size();
  state_->numbers.emplace(absl::string_view(set.text), number);
  return number;
}

const ScopeMask& ScopeSets::Mask(uint32_t set) const { return state_->sets[set].mask; }

std::string_view ScopeSets::Text(uint32_t set) const { return state_->sets[set].text; }

size_t ScopeSets::size() const {
  const std::shared_lock lock(state_->mutex);
  return state_->numbers.size();
}

}  // namespace tollgate::policy
