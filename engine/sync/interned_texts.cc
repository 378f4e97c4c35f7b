#include "sync/interned_texts.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/marks.h"

namespace tollgate::sync {
namespace {

// A cell is a text's number and one more, and above that a part of its hash; 0: empty.
constexpr uint32_t kNumberBits = 20;
constexpr uint32_t kNumberMask = (1 << kNumberBits) - 1;

struct Free {
  void operator()(std::atomic<uint32_t>* cells) const { std::free(cells); }
};

// Zeros that take no memory before they are written to; they are empty cells.
std::unique_ptr<std::atomic<uint32_t>[], Free> AllocateCells(size_t size) {
  void* const zeros = std::calloc(size, sizeof(std::atomic<uint32_t>));
  return std::unique_ptr<std::atomic<uint32_t>[], Free>(static_cast<std::atomic<uint32_t>*>(zeros));
}

size_t HashOf(std::string_view text) {
  return absl::HashOf(absl::string_view(text.data(), text.size()));
}

}  // namespace

// State is a table with open addressing, at most half full: a text is in the first cell from where its hash
// says on that has it, and not there if an empty one comes first. Cells are filled and never emptied.
struct InternedTexts::State {
  State(size_t texts_max, size_t text_bytes_max)
      : num_texts_max(std::min<size_t>(texts_max, kNumberMask - 1)),
        bytes_max(text_bytes_max),
        mask(std::bit_ceil(2 * num_texts_max) - 1),
        cells(AllocateCells(mask + 1)) {}

  const size_t num_texts_max;
  const size_t bytes_max;
  const size_t mask;
  const std::unique_ptr<std::atomic<uint32_t>[], Free> cells;  // Null: there was no memory.
  // Ordering: relaxed, both; written under the lock, and else read as a guess: they only grow.
  std::atomic<size_t> num_texts{0};
  std::atomic<size_t> num_bytes{0};

  std::mutex mutex{};  // Whoever adds a text has it.
  std::vector<std::unique_ptr<char[]>> bytes{};

  bool HasRoom(std::string_view text) const {
    return cells != nullptr && num_texts.load(std::memory_order_relaxed) < num_texts_max &&
           text.size() <= bytes_max - num_bytes.load(std::memory_order_relaxed);
  }

  static uint32_t CellOf(uint32_t number, size_t hash) {
    return (number + 1) | static_cast<uint32_t>(hash >> 44 << kNumberBits);
  }
};

InternedTexts::InternedTexts(size_t num_texts_max, size_t bytes_max)
    : texts_(std::make_unique<PaddedText[]>(num_texts_max)),
      state_(std::make_unique<State>(num_texts_max, bytes_max)) {}

InternedTexts::~InternedTexts() = default;

std::optional<uint32_t> InternedTexts::Find(std::string_view text, size_t hash, size_t* place) const {
  const State& state = *state_;
  *place = hash & state.mask;
  if (state.cells == nullptr) return std::nullopt;
  for (;; *place = (*place + 1) & state.mask) {
    // Ordering: acquire pairs with the release in Add: who sees the number sees the text.
    const uint32_t cell = state.cells[*place].load(std::memory_order_acquire);
    if (cell == 0) return std::nullopt;
    const uint32_t number = (cell & kNumberMask) - 1;
    if (cell == State::CellOf(number, hash) && texts_[number].view() == text) return number;
  }
}

std::optional<uint32_t> InternedTexts::Intern(std::string_view text, absl::FunctionRef<void(uint32_t)> on_new,
                                              bool may_be_new) {
  const size_t hash = HashOf(text);
  size_t place;
  if (const std::optional<uint32_t> known = Find(text, hash, &place); known.has_value()) return known;
  if (!may_be_new || !state_->HasRoom(text)) return std::nullopt;
  return Add(text, hash, on_new);
}

TOLLGATE_SLOW std::optional<uint32_t> InternedTexts::Add(std::string_view text, size_t hash,
                                                         absl::FunctionRef<void(uint32_t)> on_new) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  size_t place;
  if (const std::optional<uint32_t> known = Find(text, hash, &place); known.has_value()) return known;
  if (!state.HasRoom(text)) return std::nullopt;
  const size_t padded = (text.size() + PaddedText::kBlock - 1) / PaddedText::kBlock * PaddedText::kBlock;
  state.bytes.push_back(std::make_unique<char[]>(padded));
  char* const copy = state.bytes.back().get();
  if (!text.empty()) std::memcpy(copy, text.data(), text.size());
  // Ordering: relaxed, all; under the lock.
  const auto number = static_cast<uint32_t>(state.num_texts.load(std::memory_order_relaxed));
  state.num_texts.store(number + 1, std::memory_order_relaxed);
  state.num_bytes.store(state.num_bytes.load(std::memory_order_relaxed) + text.size(),
                        std::memory_order_relaxed);
  texts_[number] = PaddedText(copy, text.size());
  on_new(number);
  // Ordering: release pairs with the acquire in Find.
  state.cells[place].store(State::CellOf(number, hash), std::memory_order_release);
  return number;
}

size_t InternedTexts::size() const {
  // Ordering: relaxed; a number for people and tests.
  return state_->num_texts.load(std::memory_order_relaxed);
}

}  // namespace tollgate::sync
