#pragma once

#include <array>
#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "base/marks.h"
#include "crypto/cache_tag.h"
#include "sync/interned_texts.h"
#include "sync/seqlock_slot.h"
#include "verdicts/facts.h"
#include "verdicts/insert_share.h"

namespace tollgate::verdicts {

// VerdictCache remembers the facts of tokens whose signature was verified. Memory is bounded at construction,
// and taken into use as tokens come: few of them lie close together, where a processor that translates
// addresses finds them sooner.
//
// A token is known by its crypto::CacheTag and stored in one of four slots: two buckets, which a keyed hash
// of its last bytes names, of two slots. A slot is one line of memory, a SeqlockSlot that readers copy
// without writing anything; what few decisions need stands in a second array at the same number, under the
// same sequence. Nothing but verified tokens may be put in, so that a flood of bad ones displaces nothing;
// among good ones, an entry that was found since it was last passed over stays before one that was not, and
// nobody displaces more than their share.
//
// A reader gets the facts of exactly the token that it asked for, as one insertion wrote them, or nothing.
// Everything that the inserting thread did before happens before. Thread-safe.
class VerdictCache {
 public:
  static constexpr size_t kSlotBytes = 64 + 128;  // A line and its details.

  // `bytes` bounds the memory of the slots, whose number is rounded down to a power of two; below four slots
  // nothing is cached. With one issuer, there is no share of an issuer. Another `variant` than the best is
  // for tests and benchmarks. With `audit_ids`, each entry has one.
  VerdictCache(size_t bytes, size_t num_issuers, crypto::TagVariant variant = crypto::TagKey::BestVariant(),
               bool audit_ids = false);
  ~VerdictCache();
  VerdictCache(const VerdictCache&) = delete;
  VerdictCache& operator=(const VerdictCache&) = delete;

  // Key is what the cache knows of a presented token. Secret: it stays inside the process and is not shown.
  struct Key : crypto::Derived {
    uint32_t home;  // The number of the bucket where it is first looked for.
  };

  // Derive computes the key of `token` and starts to fetch where it would be. The token has at most
  // limits::kTokenBytesMax bytes. Does nothing if nothing is cached. Does not allocate.
  void Derive(std::string_view token, Key* key) const {
    DerivePlace(token, key);
    DeriveTag(token, key);
  }

  // The two halves of Derive, for whoever has something to do meanwhile: the first one starts to fetch.
  void DerivePlace(std::string_view token, Key* key) const {
    DerivePlaceOfMany(token, key);
    FetchBucket(Bucket(OtherHalf(*key)));
  }
  void DeriveTag(std::string_view token, Key* key) const { tag_key_.DeriveTag(token, key); }

  // DerivePlaceOfMany is DerivePlace for one of many tokens, where what counts is how much memory has to be
  // fetched in all: it starts to fetch where most tokens are, and FetchRest where the others are, once the
  // first has come.
  void DerivePlaceOfMany(std::string_view token, Key* key) const {
    tag_key_.DerivePlace(token, key);
    key->home = Bucket(HomeHalf(*key));
    FetchBucket(key->home);
  }
  TOLLGATE_INLINE void FetchRest(const Key& key) const {
    const uint16_t hint = HintOf(key);
    if (Choose(key.home, hint)->hint() != hint) FetchBucket(Bucket(OtherHalf(key)));
  }

  // Line is the facts of an entry as it has them: whoever needs few of them takes no others apart. What the
  // members return is said at Facts; verdict_cache.cc says what lies where.
  struct Line {
    uint64_t window, stamps, rest;

    KeyRef key() const {
      return {static_cast<uint32_t>(rest & 0xfffff), static_cast<uint32_t>(rest >> 20 & 0xfff)};
    }
    int64_t valid_from_s() const { return static_cast<int64_t>(window & 0xffff'ffff); }
    int64_t valid_through_s() const { return static_cast<int64_t>(window >> 32); }
    int64_t verified_at_mono_ms() const {
      return static_cast<int64_t>((stamps & 0xffff'ffff) | rest >> 57 << 32);
    }
    uint32_t epoch() const { return static_cast<uint32_t>(stamps >> 32); }
    uint32_t grant_set() const { return static_cast<uint32_t>(rest >> 32 & 0xfff); }
    uint32_t audience_number() const { return static_cast<uint32_t>(rest >> 44 & 0xff); }
    Algorithm algorithm() const { return static_cast<Algorithm>(rest >> 52 & 0xf); }
    bool sender_constrained() const { return (rest >> 56 & 1) != 0; }
  };
  uint64_t AudienceOf(const Line& line) const { return audience_masks_[line.audience_number()]; }
  Facts FactsOf(const Line& line) const {
    return {.key = line.key(),
            .valid_from_s = line.valid_from_s(),
            .valid_through_s = line.valid_through_s(),
            .verified_at_mono_ms = line.verified_at_mono_ms(),
            .audience = AudienceOf(line),
            .epoch = line.epoch(),
            .grant_set = line.grant_set(),
            .algorithm = line.algorithm(),
            .sender_constrained = line.sender_constrained()};
  }

  // Found names an entry as it was when Find saw it.
  struct Found {
    uint32_t slot = 0;
    uint32_t sequence = 0;
  };

  enum class FindResult : uint8_t {
    kFound,
    kAbsent,
    kChanging,  // The token is here, and somebody is writing its facts: look again.
  };
  // Find copies the facts of exactly this token. Does not allocate, does not wait.
  FindResult Find(const Key& key, Line* line, Found* found) const;
  FindResult Find(const Key& key, Facts* facts, Found* found) const {
    Line line;
    const FindResult result = Find(key, &line, found);
    if (result == FindResult::kFound) *facts = FactsOf(line);
    return result;
  }

  // FetchDetails begins to fetch what ReadDetails will read. Inlined by force, as all that only prefetches.
  TOLLGATE_INLINE void FetchDetails(Found found) const {
    __builtin_prefetch(colds_[found.slot].words.data());
    __builtin_prefetch(colds_[found.slot].words.data() + 8);
  }
  // FetchDetailsAhead does it once the place is derived, for the entries of the home bucket: half of that is
  // in vain, but it comes while the token is hashed, and not when it has been found.
  TOLLGATE_INLINE void FetchDetailsAhead(const Key& key) const {
    if (num_slots_ == 0) return;
    for (uint32_t way = 0; way < kWays; ++way) FetchDetails({.slot = key.home * kWays + way});
  }

  // ReadDetails copies the rest of what Find found; false if the entry has changed since.
  bool ReadDetails(Found found, Details* details) const;

  // CopyNames is ReadDetails for the names alone, straight to where they are wanted: `to` has room for
  // kNamesBytes, and *names says where each of them lies there, or what it is. The audit id, if there is one,
  // begins at kAuditIdBegin.
  static constexpr size_t kNamesBytes = 112;
  static constexpr size_t kAuditIdBegin = 2;
  struct CopiedName {
    uint32_t begin = 0;
    uint32_t size = 0;
  };
  struct CopiedNames {
    CopiedName subject, client_id, jwt_id, grants;
    // The client, or the grants, lie elsewhere: TextOf these numbers.
    bool client_interned = false, grants_interned = false;
    uint16_t client_text = 0, grants_text = 0;
  };
  bool CopyNames(Found found, char* to, CopiedNames* names) const;
  using Text = sync::InternedTexts::Padded;
  Text TextOf(uint16_t number) const { return texts_.Text(number); }

  // Restamp notes that the entry was re-checked at `epoch`, whose policy makes this set of it, unless it has
  // changed since.
  void Restamp(uint32_t epoch, uint32_t grant_set, Found found);

  // Entry is what there is to remember of a token of `issuer`.
  struct Entry {
    uint32_t issuer = 0;
    Facts facts;
    Times times;
    Names names;
  };
  enum class InsertResult : uint8_t {
    kInserted,
    kReplaced,    // The same token's entry.
    kDisplaced,   // Another token's entry.
    kUnstorable,  // Something is too long or out of a record's range. Nothing is ever truncated.
    kOverShare,   // There is no room, and this issuer or subject has displaced enough.
    kBusy,        // Another thread is writing there.
    kDisabled,
  };
  // Insert remembers `entry`. An entry is dead, and gives way first, if its key is not current or its time
  // over at wall time `now_s`. Does not allocate but for grants or a client that are seen for the first time.
  InsertResult Insert(const Key& key, const Entry& entry, int64_t now_s,
                      absl::FunctionRef<bool(KeyRef)> is_current);

  // IsOlder tells whether facts were verified longer than `age_max_ms` ago: not, if `now_mono_ms` was read
  // before. Right as long as that is less than eight years ago; `age_max_ms` is at most kAgeMaxMs.
  static constexpr int64_t kAgeMaxMs = (int64_t{1} << 38) - 1;
  static bool IsOlder(int64_t verified_at_mono_ms, int64_t age_max_ms, int64_t now_mono_ms) {
    constexpr uint64_t kHalf = kAgeMaxMs + 1;
    const uint64_t age = static_cast<uint64_t>(now_mono_ms) - static_cast<uint64_t>(verified_at_mono_ms);
    // The upper half of the range is "a moment from now": this check read its clock before that one. Here the
    // halves are exchanged.
    return ((age + kHalf) & kVerifiedMask) > static_cast<uint64_t>(age_max_ms) + kHalf;
  }

  // HasSeveralIssuers: from now on there is more than the one that the cache was made for.
  void HasSeveralIssuers() {
    // Ordering: relaxed; decides who gives way, and may be a moment old.
    several_issuers_.store(true, std::memory_order_relaxed);
  }

  size_t capacity() const { return num_slots_; }
  // How many of these are in use by now, most of them empty until it is all of them.
  size_t slots_in_use() const {
    // Ordering: relaxed; a bound that only grows.
    return (extent_.load(std::memory_order_relaxed) & UINT32_MAX) * kWays;
  }
  size_t bytes() const { return mapped_bytes_; }  // At most what was asked for.

 private:
  static constexpr uint64_t kVerifiedMask = 2 * uint64_t{kAgeMaxMs} + 1;
  static constexpr uint32_t kWays = 2;
  static constexpr uint32_t kNoSlot = UINT32_MAX;
  static constexpr size_t kWords = 7;
  static constexpr size_t kColdWords = 16;
  // Words of a Cold in front of its names; the upper half of the last has their lengths, a byte each.
  static constexpr size_t kNamesWord = 2;
  // Instead of a length: the name is a text, whose number, two bytes, stands in front of all that lie here:
  // first that of the grants, then that of the client, which is none without the grants.
  static constexpr uint32_t kInterned = 0x80;
  static constexpr size_t kAudiencesMax = 256;
  using Slot = sync::SeqlockSlot<kWords>;
  struct alignas(64) Cold {
    std::array<Slot::Word, kColdWords> words;
  };
  struct Image;
  class Writer;

  // HasTag compares all words, wherever they differ: how far two tags agree is nobody's business.
  static TOLLGATE_INLINE bool HasTag(const Slot& slot, const crypto::CacheTag& tag) {
    return ((slot.Load(0) ^ tag.words[0]) | (slot.Load(1) ^ tag.words[1]) | (slot.Load(2) ^ tag.words[2]) |
            (slot.Load(3) ^ tag.words[3])) == 0;
  }
  // HintOf is as much of the place as tells the entries of a bucket apart, most often.
  static uint16_t HintOf(const crypto::Derived& key) { return static_cast<uint16_t>(key.place >> 48); }
  // A half is a number of 32 bits, of which Bucket takes as many as there are buckets for. A token has two,
  // and from one and the hint follows the other: so an entry says itself where else it may be. The factor is
  // odd, so that hints which differ lead to halves which do. The lowest bit always differs: two slots alone
  // are too few, and three tokens that had but the same two would displace each other in an empty table.
  static uint32_t HomeHalf(const crypto::Derived& key) { return static_cast<uint32_t>(key.place); }
  static uint32_t OtherHalf(uint32_t half, uint16_t hint) { return half ^ (hint * 0x9e37'79b1u | 1); }
  static uint32_t OtherHalf(const crypto::Derived& key) { return OtherHalf(HomeHalf(key), HintOf(key)); }

  // The extent is how many buckets are in use (lower half), and the mask that gives numbers below the next
  // power of two (upper half).
  static uint64_t ExtentOf(uint32_t buckets) { return uint64_t{std::bit_ceil(buckets) - 1} << 32 | buckets; }
  // Bucket returns the number of the bucket that `half` names. While buckets are taken into use one by one
  // (linear hashing), what belongs into one that is not yet lies in the one half as far.
  static TOLLGATE_INLINE uint32_t Bucket(uint32_t half, uint64_t extent) {
    const auto buckets = static_cast<uint32_t>(extent), mask = static_cast<uint32_t>(extent >> 32);
    const uint32_t bucket = half & mask;
    return bucket < buckets ? bucket : bucket & (mask >> 1);
  }
  // Of the moment, or a little older: what was moved since is found by its tag.
  TOLLGATE_INLINE uint32_t Bucket(uint32_t half) const {
    // Ordering: relaxed; FindByTag looks again.
    return Bucket(half, extent_.load(std::memory_order_relaxed));
  }
  TOLLGATE_INLINE void FetchBucket(uint32_t bucket) const {
    const Slot* const first = slots_ + size_t{bucket} * kWays;
    for (uint32_t way = 0; way < kWays; ++way) __builtin_prefetch(first + way);
  }
  // Choose returns which slot of the bucket may have this hint; without a branch, since the bucket's lines
  // arrive together.
  TOLLGATE_INLINE Slot* Choose(uint32_t bucket, uint16_t hint) const {
    static_assert(kWays == 2);
    Slot* const first = slots_ + size_t{bucket} * kWays;
    return first + (first->hint() != hint);
  }
  // FindByTag is for tokens that are not where the hints say, most of which are nowhere: kNoSlot.
  TOLLGATE_SLOW Found FindByTag(const Key& key) const;
  static KeyRef KeyOf(uint64_t word) { return Line{.window = 0, .stamps = 0, .rest = word}.key(); }
  static uint64_t KeyWord(const Facts& facts, uint32_t audience);
  bool WorthMoving();
  void NoteRoom();
  InsertResult Put(const Writer& writer, const Key& key, const Entry& entry, Image* image, bool* no_room);
  void Grow(const Writer& writer);
  bool MayTake(const std::atomic<uint32_t>& taken, size_t cost, size_t all) const;
  std::optional<uint32_t> InternText(uint32_t issuer, std::string_view text);
  std::optional<uint32_t> InternAudience(uint32_t issuer, uint64_t audience);
  bool Pack(const Key& key, const Entry& entry, Image* image);

  size_t num_slots_ = 0;
  size_t mapped_bytes_ = 0;
  std::array<Slot, kWays> none_{};  // The slots of a cache that has none: empty for ever.
  Slot* slots_ = none_.data();
  Cold* colds_ = nullptr;                      // By the number of the slot.
  std::atomic<uint64_t> extent_{ExtentOf(0)};  // Whose only number is 0.
  const crypto::TagKey tag_key_;
  const size_t audit_id_bytes_;  // kAuditIdBytes or 0.
  // Grants, and clients, that are too long for a record or shared by many.
  sync::InternedTexts texts_;
  // The sets of resources that tokens are meant for: numbered as texts of eight bytes, and read here. Written
  // as the number is made, before anybody has it.
  sync::InternedTexts audiences_;
  std::array<uint64_t, kAudiencesMax> audience_masks_{};
  // What issuers have taken of these; by their positions, several of which may share a cell.
  struct Taken {
    std::atomic<uint32_t> text_bytes{0};
    std::atomic<uint32_t> audiences{0};
  };
  std::array<Taken, 256> taken_{};
  const std::array<uint64_t, 2> owner_secret_;
  InsertShare subject_share_;
  std::atomic<uint32_t> moves_in_vain_{0};  // For WorthMoving.
  std::atomic<bool> growing_{false};        // A thread is in Grow.
  std::atomic<bool> several_issuers_;
  InsertShare issuer_share_;
};

// Here and not in the .cc file, since a call would cost as much as the look itself. verdict_cache.cc says
// what lies where in a slot's words.
TOLLGATE_INLINE VerdictCache::FindResult VerdictCache::Find(const Key& key, Line* line, Found* found) const {
  // By the hints, which are compared while the token is still being hashed: were the tag to decide between
  // the slots, a processor that guesses wrong would find out at the very end. The branch between the buckets
  // is seldom taken.
  const uint16_t hint = HintOf(key);
  Slot* slot = Choose(key.home, hint);
  if (slot->hint() != hint) [[unlikely]]
    slot = Choose(Bucket(OtherHalf(key)), hint);
  uint32_t sequence = slot->Begin();
  if (!HasTag(*slot, key.tag)) [[unlikely]] {
    const Found by_tag = FindByTag(key);
    if (by_tag.slot == kNoSlot) return FindResult::kAbsent;
    slot = slots_ + by_tag.slot, sequence = by_tag.sequence;
  }

  *line = {.window = slot->Load(4), .stamps = slot->Load(5), .rest = slot->Load(6)};
  if (!Slot::Open(sequence) || !slot->Validate(sequence)) [[unlikely]]
    return FindResult::kChanging;
  // Empty: all zeros, which are the tag of no token but "".
  if (line->key().generation == 0) [[unlikely]]
    return FindResult::kAbsent;
  slot->MarkUsed();
  *found = {static_cast<uint32_t>(slot - slots_), sequence};
  return FindResult::kFound;
}

// Where names lie follows from their lengths without a branch or a loop, for all of them at once.
TOLLGATE_INLINE bool VerdictCache::CopyNames(Found found, char* to, CopiedNames* names) const {
  const std::array<Slot::Word, kColdWords>& words = colds_[found.slot].words;
  const auto lengths = static_cast<uint32_t>(Slot::LoadCold(words[kNamesWord - 1]) >> 32);
#pragma GCC unroll 16
  for (size_t i = kNamesWord; i < kColdWords; ++i) {
    const uint64_t word = Slot::LoadCold(words[i]);
    std::memcpy(to + (i - kNamesWord) * sizeof word, &word, sizeof word);
  }
  if (!slots_[found.slot].Validate(found.sequence)) [[unlikely]]
    return false;
  const auto numbers_begin = static_cast<uint32_t>(kAuditIdBegin + audit_id_bytes_);
  std::array<uint16_t, 2> numbers;
  std::memcpy(numbers.data(), to + numbers_begin, sizeof numbers);
  constexpr uint32_t kEachByte = 0x01010101;
  const uint32_t sizes = lengths & kEachByte * (kInterned - 1);
  const uint32_t client_interned = lengths >> 15 & 1, grants_interned = lengths >> 31;
  const auto begin =
      numbers_begin + static_cast<uint32_t>(sizeof numbers[0]) * (client_interned + grants_interned);
  // In each byte, the sum of the sizes up to this one and of where the first name begins: where it ends. None
  // carries into the next, since no name ends behind kNamesBytes.
  static_assert(kNamesBytes <= UINT8_MAX);
  const uint32_t ends = (sizes + begin) * kEachByte;
  names->subject = {begin, sizes & 0xff};
  names->client_id = {ends & 0xff, sizes >> 8 & 0xff};
  names->jwt_id = {ends >> 8 & 0xff, sizes >> 16 & 0xff};
  names->grants = {ends >> 16 & 0xff, sizes >> 24};
  names->client_interned = client_interned != 0;
  names->grants_interned = grants_interned != 0;
  names->client_text = numbers[1];
  names->grants_text = numbers[0];
  return true;
}

}  // namespace tollgate::verdicts
