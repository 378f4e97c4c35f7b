#include "sync/interned_texts.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstring>
#include <mutex>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/marks.h"

namespace tollgate::sync {
namespace {

// A cell is a text's number and one more, and above that a part of its hash; 0: empty.
constexpr uint32_t kNumberBits = 20;
constexpr uint32_t kNumberMask = (1 << kNumberBits) - 1;

constexpr size_t kBlock = InternedTexts::Padded::kBlock;

size_t BlocksOf(std::string_view text) { return std::max<size_t>((text.size() + kBlock - 1) / kBlock, 1); }

char* Map(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<char*>(mapped);
}

size_t HashOf(std::string_view text) { return absl::HashOf(absl::string_view(text.data(), text.size())); }

}  // namespace

// State is a table with open addressing, at most half full: a text is in the first cell from where its hash
// says on that has it, and not there if an empty one comes first. Cells are filled and never emptied.
struct InternedTexts::State {
  State(size_t texts_max, size_t text_bytes_max)
      : numbers_max(std::min<size_t>(texts_max, kNumberMask - 1)),
        bytes_max(text_bytes_max),
        mask(std::bit_ceil(2 * numbers_max) - 1),
        cells(AllocateZeros<std::atomic<uint32_t>>(mask + 1)) {}

  const size_t numbers_max;
  const size_t bytes_max;
  const size_t mask;
  const Zeros<std::atomic<uint32_t>> cells;  // Null: there was no memory.
  // Ordering: relaxed, all; written under the lock, and else read as a guess: they only grow.
  std::atomic<size_t> num_texts{0};
  std::atomic<size_t> num_numbers{0};
  std::atomic<size_t> num_bytes{0};

  std::mutex mutex{};  // Whoever adds a text has it.

  bool HasRoom(std::string_view text) const {
    return cells != nullptr && BlocksOf(text) <= numbers_max - num_numbers.load(std::memory_order_relaxed) &&
           text.size() <= bytes_max - num_bytes.load(std::memory_order_relaxed);
  }

  static uint32_t CellOf(uint32_t number, size_t hash) {
    return (number + 1) | static_cast<uint32_t>(hash >> 44 << kNumberBits);
  }
};

InternedTexts::InternedTexts(size_t num_texts_max, size_t bytes_max)
    : mapped_bytes_(num_texts_max * kBlock),
      blocks_(Map(mapped_bytes_)),
      sizes_(AllocateZeros<uint32_t>(num_texts_max)),
      state_(
          std::make_unique<State>(blocks_ != nullptr && sizes_ != nullptr ? num_texts_max : 0, bytes_max)) {}

InternedTexts::~InternedTexts() {
  if (blocks_ != nullptr) munmap(blocks_, mapped_bytes_);
}

std::optional<uint32_t> InternedTexts::Find(std::string_view text, size_t hash, size_t* place) const {
  const State& state = *state_;
  *place = hash & state.mask;
  if (state.cells == nullptr) return std::nullopt;
  for (;; *place = (*place + 1) & state.mask) {
    // Ordering: acquire pairs with the release in Add: who sees the number sees the text.
    const uint32_t cell = state.cells[*place].load(std::memory_order_acquire);
    if (cell == 0) return std::nullopt;
    const uint32_t number = (cell & kNumberMask) - 1;
    if (cell == State::CellOf(number, hash) && Text(number).view() == text) return number;
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
  // Under the lock nobody else changes them.
  const auto add = [](std::atomic<size_t>& to, size_t more) {
    // Ordering: relaxed, both; see State.
    const size_t before = to.load(std::memory_order_relaxed);
    to.store(before + more, std::memory_order_relaxed);
    return before;
  };
  add(state.num_texts, 1);
  add(state.num_bytes, text.size());
  const auto number = static_cast<uint32_t>(add(state.num_numbers, BlocksOf(text)));
  if (!text.empty()) std::memcpy(blocks_ + number * kBlock, text.data(), text.size());
  sizes_[number] = static_cast<uint32_t>(text.size());
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
