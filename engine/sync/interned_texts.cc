#include "sync/interned_texts.h"

#include <cstring>
#include <mutex>
#include <shared_mutex>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/strings/string_view.h"

namespace tollgate::sync {

struct InternedTexts::State {
  const size_t num_texts_max;
  const size_t bytes_max;

  mutable std::shared_mutex mutex{};                           // Guards what follows.
  absl::flat_hash_map<absl::string_view, uint32_t> numbers{};  // Keys point into `bytes`.
  std::vector<std::unique_ptr<char[]>> bytes{};
  size_t num_bytes = 0;

  std::optional<uint32_t> Find(std::string_view text) const {
    const auto found = numbers.find(absl::string_view(text.data(), text.size()));
    if (found == numbers.end()) return std::nullopt;
    return found->second;
  }
  bool HasRoom(std::string_view text) const {
    return numbers.size() < num_texts_max && text.size() <= bytes_max - num_bytes;
  }
};

InternedTexts::InternedTexts(size_t num_texts_max, size_t bytes_max)
    : texts_(std::make_unique<PaddedText[]>(num_texts_max)),
      state_(new State{.num_texts_max = num_texts_max, .bytes_max = bytes_max}) {}

InternedTexts::~InternedTexts() = default;

std::optional<uint32_t> InternedTexts::Intern(std::string_view text, absl::FunctionRef<void(uint32_t)> on_new,
                                              bool may_be_new) {
  State& state = *state_;
  {
    const std::shared_lock lock(state.mutex);
    if (const std::optional<uint32_t> known = state.Find(text); known.has_value()) return known;
    if (!may_be_new || !state.HasRoom(text)) return std::nullopt;
  }
  const std::lock_guard lock(state.mutex);
  if (const std::optional<uint32_t> known = state.Find(text); known.has_value()) return known;
  if (!state.HasRoom(text)) return std::nullopt;
  const auto number = static_cast<uint32_t>(state.numbers.size());
  const size_t padded = (text.size() + PaddedText::kBlock - 1) / PaddedText::kBlock * PaddedText::kBlock;
  state.bytes.push_back(std::make_unique<char[]>(padded));
  char* const copy = state.bytes.back().get();
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  state.num_bytes += text.size();
  texts_[number] = PaddedText(copy, text.size());
  on_new(number);
  state.numbers.emplace(absl::string_view(copy, text.size()), number);
  return number;
}

size_t InternedTexts::size() const {
  const std::shared_lock lock(state_->mutex);
  return state_->numbers.size();
}

}  // namespace tollgate::sync
