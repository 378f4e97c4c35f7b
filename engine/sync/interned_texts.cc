#include "sync/interned_texts.h"

#include <sys/mman.h>

#include <algorithm>
#include <atomic>
#include <cstring>
#include <memory>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/marks.h"

namespace tollgate::sync {
namespace {

// A cell is a text's number and one more, and above that a part of its hash; 0: empty.
constexpr uint32_t kNumberBits = 20;
constexpr uint32_t kNumberMask = (1 << kNumberBits) - 1;

constexpr size_t kBlock = InternedTexts::Padded::kBlock;

char* Map(size_t bytes) {
  if (bytes == 0) return nullptr;
  void* const mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return mapped == MAP_FAILED ? nullptr : static_cast<char*>(mapped);
}

size_t HashOf(std::string_view text) { return absl::HashOf(absl::string_view(text.data(), text.size())); }

// Table has open addressing and is at most half full: a text is in the first cell from where its hash says on
// that has it, and not there if an empty one comes first. Cells are filled and never emptied. It is no larger
// than its texts need, so that the few that nearly all have lie close together.
struct Table {
  explicit Table(size_t num_cells)
      : mask(num_cells - 1), cells(new (std::nothrow) std::atomic<uint32_t>[num_cells]()) {}

  const size_t mask;
  const std::unique_ptr<std::atomic<uint32_t>[]> cells;  // Null: there was no memory.

  static uint32_t CellOf(uint32_t number, size_t hash) {
    return (number + 1) | static_cast<uint32_t>(hash >> 44 << kNumberBits);
  }
  // EmptyCell is where a text goes that is not there.
  std::atomic<uint32_t>& EmptyCell(size_t hash) const {
    size_t place = hash & mask;
    // Ordering: relaxed; written under the lock that the caller has, or before the table was published.
    while (cells[place].load(std::memory_order_relaxed) != 0) place = (place + 1) & mask;
    return cells[place];
  }
};

}  // namespace

struct InternedTexts::State {
  State(size_t texts_max, size_t text_bytes_max)
      : numbers_max(std::min<size_t>(texts_max, kNumberMask - 1)), bytes_max(text_bytes_max) {}

  static constexpr size_t kCellsMin = 64;

  const size_t numbers_max;
  const size_t bytes_max;
  std::atomic<const Table*> table{nullptr};  // The last of `tables`; null before the first text.
  // Ordering: relaxed, all; written under the lock, and else read as a guess: they only grow.
  std::atomic<size_t> num_texts{0};
  std::atomic<size_t> num_numbers{0};
  std::atomic<size_t> num_bytes{0};

  std::mutex mutex{};                                  // Whoever adds a text has it.
  std::vector<std::unique_ptr<const Table>> tables{};  // The earlier ones too: somebody may be reading there.

  bool HasRoom(std::string_view text) const {
    return NumbersOf(text.size()) <= numbers_max - num_numbers.load(std::memory_order_relaxed) &&
           text.size() <= bytes_max - num_bytes.load(std::memory_order_relaxed);
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

std::optional<uint32_t> InternedTexts::Find(std::string_view text, size_t hash) const {
  // Ordering: acquire pairs with the release in Add: the table has all that the one before had.
  const Table* const table = state_->table.load(std::memory_order_acquire);
  if (table == nullptr) return std::nullopt;
  for (size_t place = hash & table->mask;; place = (place + 1) & table->mask) {
    // Ordering: acquire pairs with the release in Add: who sees the number sees the text.
    const uint32_t cell = table->cells[place].load(std::memory_order_acquire);
    if (cell == 0) return std::nullopt;
    const uint32_t number = (cell & kNumberMask) - 1;
    if (cell == Table::CellOf(number, hash) && Text(number).view() == text) return number;
  }
}

std::optional<uint32_t> InternedTexts::Intern(std::string_view text, absl::FunctionRef<void(uint32_t)> on_new,
                                              bool may_be_new) {
  const size_t hash = HashOf(text);
  if (const std::optional<uint32_t> known = Find(text, hash); known.has_value()) return known;
  if (!may_be_new || !state_->HasRoom(text)) return std::nullopt;
  return Add(text, hash, on_new);
}

TOLLGATE_SLOW std::optional<uint32_t> InternedTexts::Add(std::string_view text, size_t hash,
                                                         absl::FunctionRef<void(uint32_t)> on_new) {
  State& state = *state_;
  const std::lock_guard lock(state.mutex);
  if (const std::optional<uint32_t> known = Find(text, hash); known.has_value()) return known;
  if (!state.HasRoom(text)) return std::nullopt;
  // Ordering: relaxed, all but the last stores to the table and to the cell; under the lock nobody else
  // changes them.
  const Table* table = state.table.load(std::memory_order_relaxed);
  const size_t num_texts = state.num_texts.load(std::memory_order_relaxed);
  const size_t num_cells = table == nullptr ? 0 : table->mask + 1;
  if (2 * (num_texts + 1) > num_cells) {
    auto larger = std::make_unique<const Table>(std::max(2 * num_cells, State::kCellsMin));
    if (larger->cells == nullptr) return std::nullopt;
    for (size_t place = 0; place < num_cells; ++place) {
      const uint32_t cell = table->cells[place].load(std::memory_order_relaxed);
      if (cell == 0) continue;
      const size_t its_hash = HashOf(Text((cell & kNumberMask) - 1).view());
      larger->EmptyCell(its_hash).store(cell, std::memory_order_relaxed);
    }
    table = state.tables.emplace_back(std::move(larger)).get();
    // Ordering: release pairs with the acquire in Find.
    state.table.store(table, std::memory_order_release);
  }
  const auto number = static_cast<uint32_t>(state.num_numbers.load(std::memory_order_relaxed));
  state.num_texts.store(num_texts + 1, std::memory_order_relaxed);
  state.num_numbers.store(number + NumbersOf(text.size()), std::memory_order_relaxed);
  state.num_bytes.store(state.num_bytes.load(std::memory_order_relaxed) + text.size(),
                        std::memory_order_relaxed);
  if (!text.empty()) std::memcpy(blocks_ + number * kBlock, text.data(), text.size());
  sizes_[number] = static_cast<uint32_t>(text.size());
  on_new(number);
  // Ordering: release pairs with the acquire in Find.
  table->EmptyCell(hash).store(Table::CellOf(number, hash), std::memory_order_release);
  return number;
}

size_t InternedTexts::size() const {
  // Ordering: relaxed; a number for people and tests.
  return state_->num_texts.load(std::memory_order_relaxed);
}

}  // namespace tollgate::sync
