#include "sync/interned_texts.h"

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <mutex>
#include <new>
#include <utility>
#include <vector>

#include "absl/hash/hash.h"
#include "absl/strings/string_view.h"
#include "base/marks.h"

namespace tollgate::sync {
namespace {

// What a look needs to know of a text, in front of its bytes: it reads a cell and this, which is elsewhere,
// and nothing else.
struct Stored {
  size_t hash;
  uint32_t number;
  uint32_t size;

  const char* bytes() const { return reinterpret_cast<const char*>(this + 1); }
  bool Is(std::string_view text, size_t its_hash) const {
    return hash == its_hash && std::string_view(bytes(), size) == text;
  }
};

// Table has open addressing and is at most half full: a text is in the first cell from where its hash says on
// that has it, and not there if an empty one (null) comes first. Cells are filled and never emptied. It is no
// larger than its texts need, so that the few that nearly all have lie close together.
struct Table {
  explicit Table(size_t num_cells) : mask(num_cells - 1), cells(std::make_unique<Cell[]>(num_cells)) {}

  using Cell = std::atomic<const Stored*>;
  const size_t mask;
  const std::unique_ptr<Cell[]> cells;

  // PlaceFor is for whoever adds a text that is not there.
  size_t PlaceFor(size_t hash) const {
    size_t place = hash & mask;
    // Ordering: relaxed; written under the lock that the caller has, or before the table was published.
    while (cells[place].load(std::memory_order_relaxed) != nullptr) place = (place + 1) & mask;
    return place;
  }
};

size_t HashOf(std::string_view text) { return absl::HashOf(absl::string_view(text.data(), text.size())); }

}  // namespace

struct InternedTexts::State {
  State(size_t texts_max, size_t text_bytes_max)
      : num_texts_max(std::min<size_t>(texts_max, UINT32_MAX)),
        bytes_max(std::min<size_t>(text_bytes_max, UINT32_MAX)) {
    tables.push_back(std::make_unique<Table>(kCellsMin));
    // Ordering: relaxed; nobody else has the object yet.
    table.store(tables.back().get(), std::memory_order_relaxed);
  }

  static constexpr size_t kCellsMin = 64;

  const size_t num_texts_max;
  const size_t bytes_max;
  std::atomic<const Table*> table{nullptr};  // The last of `tables`.
  // Ordering: relaxed, both; written under the lock, and else read as a guess: they only grow.
  std::atomic<size_t> num_texts{0};
  std::atomic<size_t> num_bytes{0};

  std::mutex mutex{};  // Whoever adds a text has it.
  std::vector<std::unique_ptr<char[]>> bytes{};
  std::vector<std::unique_ptr<const Table>> tables{};  // The earlier ones too: somebody may be reading there.

  bool HasRoom(std::string_view text) const {
    return num_texts.load(std::memory_order_relaxed) < num_texts_max &&
           text.size() <= bytes_max - num_bytes.load(std::memory_order_relaxed);
  }
};

InternedTexts::InternedTexts(size_t num_texts_max, size_t bytes_max)
    : texts_(std::make_unique<PaddedText[]>(num_texts_max)),
      state_(std::make_unique<State>(num_texts_max, bytes_max)) {}

InternedTexts::~InternedTexts() = default;

std::optional<uint32_t> InternedTexts::Find(std::string_view text, size_t hash) const {
  // Ordering: acquire pairs with the release in Add: the table has all that the one before had.
  const Table& table = *state_->table.load(std::memory_order_acquire);
  for (size_t place = hash & table.mask;; place = (place + 1) & table.mask) {
    // Ordering: acquire pairs with the release in Add: who sees the cell sees the text.
    const Stored* const stored = table.cells[place].load(std::memory_order_acquire);
    if (stored == nullptr) return std::nullopt;
    if (stored->Is(text, hash)) return stored->number;
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
  // Ordering: relaxed, all but the last stores to the table and to the cell; under the lock.
  const auto number = static_cast<uint32_t>(state.num_texts.load(std::memory_order_relaxed));
  const Table* table = state.table.load(std::memory_order_relaxed);
  if (2 * (size_t{number} + 1) > table->mask + 1) {
    auto larger = std::make_unique<const Table>(2 * (table->mask + 1));
    for (size_t place = 0; place <= table->mask; ++place) {
      const Stored* const stored = table->cells[place].load(std::memory_order_relaxed);
      if (stored != nullptr)
        larger->cells[larger->PlaceFor(stored->hash)].store(stored, std::memory_order_relaxed);
    }
    state.tables.push_back(std::move(larger));
    table = state.tables.back().get();
    // Ordering: release pairs with the acquire in Find.
    state.table.store(table, std::memory_order_release);
  }
  const size_t padded = (text.size() + PaddedText::kBlock - 1) / PaddedText::kBlock * PaddedText::kBlock;
  state.bytes.push_back(std::make_unique<char[]>(sizeof(Stored) + padded));
  char* const room = state.bytes.back().get();
  const Stored* const stored = new (room) Stored{hash, number, static_cast<uint32_t>(text.size())};
  if (!text.empty()) std::memcpy(room + sizeof(Stored), text.data(), text.size());
  state.num_texts.store(number + 1, std::memory_order_relaxed);
  state.num_bytes.store(state.num_bytes.load(std::memory_order_relaxed) + text.size(),
                        std::memory_order_relaxed);
  texts_[number] = PaddedText(stored->bytes(), text.size());
  on_new(number);
  // Ordering: release pairs with the acquire in Find.
  table->cells[table->PlaceFor(hash)].store(stored, std::memory_order_release);
  return number;
}

size_t InternedTexts::size() const {
  // Ordering: relaxed; a number for people and tests.
  return state_->num_texts.load(std::memory_order_relaxed);
}

}  // namespace tollgate::sync
