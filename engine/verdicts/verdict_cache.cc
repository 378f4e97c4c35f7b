#include "verdicts/verdict_cache.h"

#include <string.h>
#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <mutex>
#include <new>
#include <span>

#include "base/marks.h"
#include "crypto/digest.h"

namespace tollgate::verdicts {
namespace {

constexpr size_t kWays = 8;
constexpr size_t kTailBytes = 16;  // Of the signature: as good as random for whoever cannot sign.

struct Record {
  Facts facts;
  Names names;
  std::array<char, VerdictCache::kTokenBytesMax> token;
};

// Set is what one bucket number leads to. A way is empty where its token_len is 0: no token is empty.
struct Set {
  // Guards the rest. Held for one comparison and one copy, never over a call that could wait.
  mutable std::mutex mutex;
  uint32_t hand = 0;  // The CLOCK hand: the way to be looked at next when room is needed.
  std::array<uint16_t, kWays> fingerprint{};  // From the same hash as the bucket; saves comparisons.
  std::array<uint16_t, kWays> token_len{};
  mutable std::array<bool, kWays> used{};  // Found since the hand last passed.
  // Begin to live when they are first written: their pages are not touched before.
  union {
    std::array<Record, kWays> records;
  };

  Set() {}
  ~Set() = default;

  // Find returns the way that holds exactly `token`, or kWays.
  size_t Find(std::string_view token, uint16_t wanted) const {
    for (size_t way = 0; way < kWays; ++way) {
      if (fingerprint[way] == wanted && token_len[way] == token.size() &&
          std::memcmp(records[way].token.data(), token.data(), token.size()) == 0) {
        return way;
      }
    }
    return kWays;
  }

  // MakeRoom returns an empty way, or else the first one under the hand that was not used since it last
  // passed.
  size_t MakeRoom() {
    for (size_t way = 0; way < kWays; ++way) {
      if (token_len[way] == 0) return way;
    }
    while (used[hand]) {
      used[hand] = false;
      hand = (hand + 1) % kWays;
    }
    const size_t way = hand;
    hand = (hand + 1) % kWays;
    return way;
  }
};
static_assert(sizeof(Set) <= VerdictCache::kSetBytes);

struct Place {
  Set* set;
  uint16_t fingerprint;
};

}  // namespace

struct VerdictCache::Table {
  std::array<uint64_t, 2> secret{};  // Of the bucket hash.
  void* memory = nullptr;
  size_t mapped_bytes = 0;
  std::span<Set> sets;

  Place PlaceOf(std::string_view token) const {
    const uint64_t hash =
        crypto::KeyedHash64(secret, token.substr(token.size() - std::min(token.size(), kTailBytes)));
    // The upper half, scaled to the number of sets; the fingerprint comes from the lower half.
    return {&sets[(hash >> 32) * sets.size() >> 32], static_cast<uint16_t>(hash)};
  }
};

VerdictCache::VerdictCache(size_t bytes) : table_(std::make_unique<Table>()) {
  const size_t num_sets = std::min<size_t>(bytes / kSetBytes, UINT32_MAX);
  if (num_sets == 0) return;
  const size_t mapped_bytes = num_sets * sizeof(Set);
  void* memory = mmap(nullptr, mapped_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) return;  // Nothing is cached then, and everything verified.
  // The records hold tokens: they stay out of core dumps.
  madvise(memory, mapped_bytes, MADV_DONTDUMP);
  Set* sets = static_cast<Set*>(memory);
  for (size_t i = 0; i < num_sets; ++i) new (sets + i) Set;
  table_->memory = memory;
  table_->mapped_bytes = mapped_bytes;
  table_->sets = {sets, num_sets};
  crypto::RandomBytes({reinterpret_cast<uint8_t*>(table_->secret.data()), sizeof table_->secret});
}

VerdictCache::~VerdictCache() {
  if (table_->memory == nullptr) return;
  std::destroy(table_->sets.begin(), table_->sets.end());
  munmap(table_->memory, table_->mapped_bytes);
}

TOLLGATE_HOT bool VerdictCache::Find(std::string_view token, Facts* facts, Names* names) const {
  if (table_->sets.empty() || token.empty() || token.size() > kTokenBytesMax) return false;
  const auto [set, fingerprint] = table_->PlaceOf(token);
  const std::lock_guard lock(set->mutex);
  const size_t way = set->Find(token, fingerprint);
  if (way == kWays) return false;
  if (!set->used[way]) set->used[way] = true;
  *facts = set->records[way].facts;
  if (names != nullptr) *names = set->records[way].names;
  return true;
}

VerdictCache::InsertResult VerdictCache::Insert(std::string_view token, const Facts& facts,
                                                const Names& names) {
  if (table_->sets.empty()) return InsertResult::kDisabled;
  if (token.empty() || token.size() > kTokenBytesMax) return InsertResult::kTooLong;
  const auto [set, fingerprint] = table_->PlaceOf(token);
  const std::lock_guard lock(set->mutex);
  size_t way = set->Find(token, fingerprint);
  InsertResult result = InsertResult::kReplaced;
  if (way == kWays) {
    way = set->MakeRoom();
    result = set->token_len[way] == 0 ? InsertResult::kInserted : InsertResult::kDisplaced;
    set->fingerprint[way] = fingerprint;
    set->token_len[way] = static_cast<uint16_t>(token.size());
    // A token has to be asked for once more before it outlives one that was: a stream of tokens that are seen
    // once displaces only its own kind.
    set->used[way] = false;
    std::memcpy(set->records[way].token.data(), token.data(), token.size());
  }
  set->records[way].facts = facts;
  set->records[way].names = names;
  return result;
}

void VerdictCache::Restamp(std::string_view token, const Facts& facts, uint64_t revocation_epoch) {
  if (table_->sets.empty() || token.empty() || token.size() > kTokenBytesMax) return;
  const auto [set, fingerprint] = table_->PlaceOf(token);
  const std::lock_guard lock(set->mutex);
  const size_t way = set->Find(token, fingerprint);
  if (way == kWays) return;
  Facts& stored = set->records[way].facts;
  if (stored.key != facts.key || stored.verified_at_mono_ms != facts.verified_at_mono_ms) return;
  stored.revocation_epoch = std::max(stored.revocation_epoch, revocation_epoch);
}

void VerdictCache::Erase(std::string_view token) {
  if (table_->sets.empty() || token.empty() || token.size() > kTokenBytesMax) return;
  const auto [set, fingerprint] = table_->PlaceOf(token);
  const std::lock_guard lock(set->mutex);
  const size_t way = set->Find(token, fingerprint);
  if (way == kWays) return;
  explicit_bzero(set->records[way].token.data(), set->token_len[way]);
  set->token_len[way] = 0;
}

size_t VerdictCache::capacity() const { return table_->sets.size() * kWays; }
size_t VerdictCache::bytes() const { return table_->mapped_bytes; }

}  // namespace tollgate::verdicts
