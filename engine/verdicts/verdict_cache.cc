#include "verdicts/verdict_cache.h"

#include <sys/mman.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>

#include "base/limits.h"
#include "base/marks.h"
#include "crypto/digest.h"

namespace tollgate::verdicts {
namespace {

constexpr size_t kHugePageBytes = size_t{2} << 20;
constexpr size_t kTextsMax = 65'536;
constexpr size_t kTextBytesMax = size_t{8} << 20;
constexpr size_t kTextMax = 4096;  // Of one of them.
// A subject may displace a thirty-second of what all displace, an issuer half of it.
constexpr size_t kSubjectShare = 32;
constexpr size_t kIssuerShare = 2;
// How many entries may be moved to make room for one.
constexpr int kMovesMax = 2;
// How many insertions in succession look for that room in vain before they do so more seldom, and how seldom
// at the most. Powers of two.
constexpr uint32_t kPatience = 8;
constexpr uint32_t kSeldom = 1024;
// How many buckets are in use at first, and how many are divided at a time: by an insertion that found no
// room, if those have so many entries. As tokens come, that makes the load a quarter to nearly a half: with
// less, entries would not lie as close as they could, with more, fewer of them would be at home. Of fewer
// buckets the number of entries would say less, and a few that happen to have none would be in the way of
// all.
constexpr uint32_t kBucketsAtFirst = 256;
constexpr uint32_t kBucketsMore = 128;
constexpr uint32_t kEntriesToDivide = 80;

// The line, by words:
//   0 … 3   the tag
//   4       valid_from_s (32 bits) | valid_through_s (32)
//   5       verified_at_mono_ms, lower part (32) | epoch (32)
//   6       key slot (20) | key generation (12) | grant set (12) | audience (8) | algorithm (4) |
//   sender-constrained (1)
//           | verified_at_mono_ms, upper part (7)
// An empty slot is all zeros: its key generation, 0, is never current.
static_assert(limits::kKeySlotsMax <= 1 << 20 && limits::kKeyGenerationMax < 1 << 12);
static_assert(limits::kGrantSetsMax <= 1 << 12);

constexpr size_t kClient = 1, kGrants = 3;  // Of the four names.

constexpr uint32_t kAbsentTime = UINT32_MAX;
constexpr uint16_t kAbsentDistance = UINT16_MAX;

bool PackTime(int64_t time_s, uint32_t* packed) {
  *packed = time_s == INT64_MIN ? kAbsentTime : static_cast<uint32_t>(time_s);
  return time_s == INT64_MIN || (time_s >= 0 && time_s < kAbsentTime);
}

int64_t UnpackTime(uint32_t packed) { return packed == kAbsentTime ? INT64_MIN : packed; }

// An nbf is kept by its distance from nine hours before the iat, or from eighteen before the exp.
int64_t NotBeforeBase(int64_t issued_at, int64_t expires_at) {
  return issued_at == INT64_MIN ? expires_at - 0xffff : issued_at - 0x8000;
}

bool PackNotBefore(const Times& times, uint16_t* packed) {
  if (times.not_before == INT64_MIN) {
    *packed = kAbsentDistance;
    return true;
  }
  if (times.not_before < 0 || times.not_before > UINT32_MAX) return false;
  const int64_t distance = times.not_before - NotBeforeBase(times.issued_at, times.expires_at);
  *packed = static_cast<uint16_t>(distance);
  return distance >= 0 && distance < kAbsentDistance;
}

// The details, as they lie in a Cold.
struct ColdImage {
  uint32_t expires_at = 0;
  uint32_t issued_at = 0;
  uint32_t half = 0;                 // The one that names the bucket where the entry is.
  std::array<uint8_t, 4> lengths{};  // Of subject, client, jti, grants.
  uint16_t not_before = 0;
  std::array<char, Details::kBytes> bytes{};  // The audit id, the numbers of texts, the names.

  uint64_t word(size_t i) const {
    uint64_t word;
    std::memcpy(&word, reinterpret_cast<const char*>(this) + i * sizeof word, sizeof word);
    return word;
  }
};
static_assert(sizeof(ColdImage) == 128 && std::is_trivially_copyable_v<ColdImage>);
constexpr size_t kHalfWord = 1;  // Of a Cold; in its lower half.
static_assert(offsetof(ColdImage, half) == kHalfWord * sizeof(uint64_t) &&
              std::endian::native == std::endian::little);
static_assert(kTextsMax <= 1 << 16);

std::array<uint64_t, 2> RandomSecret() {
  std::array<uint64_t, 2> secret;
  crypto::RandomBytes({reinterpret_cast<uint8_t*>(secret.data()), sizeof secret});
  return secret;
}

size_t RoundUp(size_t bytes, size_t to) { return (bytes + to - 1) / to * to; }

}  // namespace

// Image is a whole entry outside of the table. Whoever makes one sets the words and the hint.
struct VerdictCache::Image {
  Image() {}  // Not defaulted: `Image{}` would zero the words.
  static Image Empty() {
    Image image;
    image.words = {};
    image.hint = 0;
    return image;
  }

  std::array<uint64_t, kWords> words;
  uint16_t hint;
  ColdImage cold;
  // What CopyNames, in the header, goes by.
  static_assert(kInterned > Details::kBytes &&
                kNamesBytes == sizeof(ColdImage) - kNamesWord * sizeof(uint64_t));
  static_assert(offsetof(ColdImage, lengths) == kNamesWord * sizeof(uint64_t) - sizeof(uint32_t) &&
                offsetof(ColdImage, bytes) == kNamesWord * sizeof(uint64_t) + kAuditIdBegin);
};

VerdictCache::VerdictCache(size_t bytes, size_t num_issuers, crypto::TagVariant variant, bool audit_ids)
    : tag_key_(variant),
      audit_id_bytes_(audit_ids ? kAuditIdBytes : 0),
      texts_(kTextsMax, kTextBytesMax),
      audiences_(kAudiencesMax, kAudiencesMax * sizeof(uint64_t)),
      owner_secret_(RandomSecret()),
      subject_share_(bytes / kSlotBytes, kSubjectShare),
      several_issuers_(num_issuers > 1),
      issuer_share_(bytes / kSlotBytes, kIssuerShare) {
  static_assert(sizeof(Slot) + sizeof(Cold) == kSlotBytes && kAudiencesMax <= 1 << 8);
  static_assert(kBucketsAtFirst % kBucketsMore == 0);  // Powers of two: all numbers of buckets are multiples.
  const size_t num_slots = std::bit_floor(std::min(bytes / kSlotBytes, size_t{1} << 31));
  if (num_slots < 2 * kWays) return;
  const size_t slots_bytes = num_slots * sizeof(Slot);
  const size_t mapped_bytes = num_slots * kSlotBytes;
  // Aligned for huge pages by mapping one too many and giving back the ends.
  const size_t alignment = mapped_bytes < kHugePageBytes ? 4096 : kHugePageBytes;
  void* const mapped =
      mmap(nullptr, mapped_bytes + alignment, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) return;  // Nothing is cached then, and everything verified.
  const auto begin = reinterpret_cast<uintptr_t>(mapped);
  const uintptr_t aligned = RoundUp(begin, alignment);
  if (aligned != begin) munmap(mapped, aligned - begin);
  const uintptr_t end = RoundUp(aligned + mapped_bytes, 4096);
  if (end < begin + mapped_bytes + alignment) {
    munmap(reinterpret_cast<void*>(end), begin + mapped_bytes + alignment - end);
  }
  void* const memory = reinterpret_cast<void*>(aligned);
  // Tags would leak the key of the hash, and details say who calls: they stay out of core dumps.
  madvise(memory, mapped_bytes, MADV_DONTDUMP);
  madvise(memory, mapped_bytes, MADV_HUGEPAGE);
  // The kernel's zeros are empty slots: pages are not touched before they are used.
  slots_ = static_cast<Slot*>(memory);
  colds_ = reinterpret_cast<Cold*>(aligned + slots_bytes);
  num_slots_ = num_slots;
  mapped_bytes_ = mapped_bytes;
  // Ordering: relaxed; nobody else has the cache yet.
  extent_.store(ExtentOf(std::min(static_cast<uint32_t>(num_slots / kWays), kBucketsAtFirst)),
                std::memory_order_relaxed);
}

VerdictCache::~VerdictCache() {
  if (mapped_bytes_ != 0) munmap(slots_, mapped_bytes_);
}

VerdictCache::Found VerdictCache::FindByTag(const Key& key) const {
  // Ordering: acquire pairs with the release in Split: what was moved for this extent is where it says.
  const uint64_t extent = extent_.load(std::memory_order_acquire);
  for (const uint32_t half : {HomeHalf(key), OtherHalf(key)}) {
    const uint32_t first = Bucket(half, extent) * kWays;
    for (uint32_t number = first; number < first + kWays; ++number) {
      const uint32_t sequence = slots_[number].Begin();
      if (HasTag(slots_[number], key.tag)) return {number, sequence};
    }
  }
  return {.slot = kNoSlot};
}

bool VerdictCache::ReadDetails(Found found, Details* details) const {
  std::array<uint64_t, kColdWords> words;
  for (size_t i = 0; i < kColdWords; ++i) words[i] = Slot::LoadCold(colds_[found.slot].words[i]);
  if (!slots_[found.slot].Validate(found.sequence)) return false;
  const auto cold = std::bit_cast<ColdImage>(words);
  Times& times = details->times;
  times.expires_at = UnpackTime(cold.expires_at);
  times.not_before = INT64_MIN;
  times.issued_at = UnpackTime(cold.issued_at);
  if (cold.not_before != kAbsentDistance) {
    times.not_before = NotBeforeBase(times.issued_at, times.expires_at) + cold.not_before;
  }
  details->bytes = cold.bytes;
  const char* at = details->bytes.data() + audit_id_bytes_;
  std::array<std::string_view, 4> names;
  for (const size_t i : {kGrants, kClient}) {
    if (cold.lengths[i] != kInterned) continue;
    uint16_t number;
    std::memcpy(&number, at, sizeof number);
    names[i] = texts_.Text(number).view();
    at += sizeof number;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (cold.lengths[i] == kInterned) continue;
    names[i] = {at, cold.lengths[i]};
    at += cold.lengths[i];
  }
  details->names = {names[0], names[1], names[2], names[3], {details->bytes.data(), audit_id_bytes_}};
  return true;
}

void VerdictCache::Restamp(uint32_t epoch, uint32_t grant_set, Found found) {
  Slot& slot = slots_[found.slot];
  if (!slot.TryClaimAt(found.sequence)) return;
  slot.Store(5, (slot.Load(5) & 0xffff'ffff) | uint64_t{epoch} << 32);
  constexpr uint64_t kSetMask = uint64_t{0xfff} << 32;
  slot.Store(6, (slot.Load(6) & ~kSetMask) | uint64_t{grant_set} << 32);
  slot.Publish(found.sequence);
}

uint64_t VerdictCache::KeyWord(const Facts& facts, uint32_t audience) {
  const uint64_t verified_high = (static_cast<uint64_t>(facts.verified_at_mono_ms) & kVerifiedMask) >> 32;
  return uint64_t{facts.key.slot} | uint64_t{facts.key.generation} << 20 | uint64_t{facts.grant_set} << 32 |
         uint64_t{audience} << 44 | static_cast<uint64_t>(facts.algorithm) << 52 |
         uint64_t{facts.sender_constrained} << 56 | verified_high << 57;
}

// MayTake says whether somebody who has `taken` of `all` that there is to keep for ever may have `cost` more:
// of several issuers, each may have half.
bool VerdictCache::MayTake(const std::atomic<uint32_t>& taken, size_t cost, size_t all) const {
  // Ordering: relaxed, both; bounds that need not be exact.
  return !several_issuers_.load(std::memory_order_relaxed) ||
         taken.load(std::memory_order_relaxed) + cost <= all / 2;
}

// InternText keeps a name for ever; nullopt if it is too long for that, or new and there is no room, or this
// issuer may take no more of it.
std::optional<uint32_t> VerdictCache::InternText(uint32_t issuer, std::string_view text) {
  if (text.size() > kTextMax) return std::nullopt;
  // Whole blocks, and one at least.
  static_assert(kTextBytesMax / kTextsMax == Text::kBlock);
  const auto cost = static_cast<uint32_t>(RoundUp(std::max<size_t>(text.size(), 1), Text::kBlock));
  std::atomic<uint32_t>& taken = taken_[issuer % taken_.size()].text_bytes;
  // Ordering: relaxed; see MayTake.
  return texts_.Intern(
      text, [&](uint32_t) { taken.fetch_add(cost, std::memory_order_relaxed); },
      MayTake(taken, cost, kTextBytesMax));
}

// InternAudience likewise.
std::optional<uint32_t> VerdictCache::InternAudience(uint32_t issuer, uint64_t audience) {
  std::array<char, sizeof audience> bytes;
  std::memcpy(bytes.data(), &audience, sizeof audience);
  std::atomic<uint32_t>& taken = taken_[issuer % taken_.size()].audiences;
  const auto on_new = [&](uint32_t number) {
    audience_masks_[number] = audience;
    // Ordering: relaxed; see MayTake.
    taken.fetch_add(1, std::memory_order_relaxed);
  };
  return audiences_.Intern({bytes.data(), bytes.size()}, on_new, MayTake(taken, 1, kAudiencesMax));
}

// Pack makes the image of an entry; false if it does not fit.
bool VerdictCache::Pack(const Key& key, const Entry& entry, Image* image) {
  const Facts& facts = entry.facts;
  uint32_t from, through;
  if (facts.valid_through_s < 0 || facts.valid_through_s > UINT32_MAX || facts.valid_from_s > UINT32_MAX)
    return false;
  from = static_cast<uint32_t>(std::max<int64_t>(facts.valid_from_s, 0));
  through = static_cast<uint32_t>(facts.valid_through_s);
  ColdImage& cold = image->cold;
  if (!PackTime(entry.times.expires_at, &cold.expires_at) ||
      !PackTime(entry.times.issued_at, &cold.issued_at) || !PackNotBefore(entry.times, &cold.not_before)) {
    return false;
  }
  if (facts.key.generation > limits::kKeyGenerationMax || facts.grant_set >= limits::kGrantSetsMax)
    return false;

  // As they are, if that fits; else the grants by number, which many tokens share, and then the client.
  const std::array<std::string_view, 4> names = {entry.names.subject, entry.names.client_id,
                                                 entry.names.jwt_id, entry.names.grants};
  std::array<bool, 4> interned{};
  const auto total = [&] {
    size_t bytes = audit_id_bytes_;
    for (size_t i = 0; i < names.size(); ++i) bytes += interned[i] ? sizeof(uint16_t) : names[i].size();
    return bytes;
  };
  for (const size_t candidate : {kGrants, kClient}) {
    if (total() > Details::kBytes) interned[candidate] = true;
  }
  if (total() > Details::kBytes || entry.names.audit_id.size() != audit_id_bytes_) return false;
  char* at = std::copy(entry.names.audit_id.begin(), entry.names.audit_id.end(), cold.bytes.data());
  for (const size_t i : {kGrants, kClient}) {
    if (!interned[i]) continue;
    const std::optional<uint32_t> number = InternText(entry.issuer, names[i]);
    if (!number.has_value()) return false;
    const auto packed = static_cast<uint16_t>(*number);
    std::memcpy(at, &packed, sizeof packed);
    at += sizeof packed;
    cold.lengths[i] = kInterned;
  }
  for (size_t i = 0; i < names.size(); ++i) {
    if (interned[i]) continue;
    if (!names[i].empty()) std::memcpy(at, names[i].data(), names[i].size());
    at += names[i].size();
    cold.lengths[i] = static_cast<uint8_t>(names[i].size());
  }

  const std::optional<uint32_t> audience = InternAudience(entry.issuer, facts.audience);
  if (!audience.has_value()) return false;
  std::copy(key.tag.words.begin(), key.tag.words.end(), image->words.begin());
  image->words[4] = uint64_t{from} | uint64_t{through} << 32;
  image->words[5] = (static_cast<uint64_t>(facts.verified_at_mono_ms) & 0xffff'ffff) | uint64_t{facts.epoch}
                                                                                           << 32;
  image->words[6] = KeyWord(facts, *audience);
  return true;
}

// Writer is one insertion's view of the table.
class VerdictCache::Writer {
 public:
  Writer(VerdictCache& cache, int64_t now_s, absl::FunctionRef<bool(KeyRef)> is_current)
      : cache_(cache), now_s_(now_s), is_current_(is_current) {}

  // Holds tells whether the slot holds the token with this tag, and at which sequence.
  bool Holds(uint32_t number, const crypto::CacheTag& tag, uint32_t* sequence) const {
    const Slot& slot = cache_.slots_[number];
    *sequence = slot.Begin();
    return HasTag(slot, tag) && Slot::Open(*sequence) && slot.Validate(*sequence);
  }

  // IsFree tells whether the slot is empty or its entry dead, and at which sequence.
  bool IsFree(uint32_t number, uint32_t* sequence) const {
    const Slot& slot = cache_.slots_[number];
    *sequence = slot.Begin();
    const uint64_t window = slot.Load(4), rest = slot.Load(6);
    if (!Slot::Open(*sequence) || !slot.Validate(*sequence)) return false;
    return KeyOf(rest).generation == 0 || static_cast<int64_t>(window >> 32) < now_s_ ||
           !is_current_(KeyOf(rest));
  }

  // Write puts `image` where nothing has changed since `sequence`.
  bool Write(uint32_t number, uint32_t sequence, const Image& image, bool used) const {
    Slot& slot = cache_.slots_[number];
    if (!slot.TryClaimAt(sequence)) return false;
    for (size_t i = 0; i < kWords; ++i) slot.Store(i, image.words[i]);
    for (size_t i = 0; i < kColdWords; ++i)
      Slot::StoreCold(cache_.colds_[number].words[i], image.cold.word(i));
    slot.SetHint(image.hint);
    slot.ClearUsed();
    if (used) slot.MarkUsed();
    slot.Publish(sequence);
    return true;
  }

  // Vacate copies the entry of the slot to its other bucket, for which up to `moves` − 1 entries there may
  // move on. True if the entry is in two places now, and this one may be written over at *sequence.
  bool Vacate(uint32_t number, int moves, uint32_t* sequence) const {
    // Most often there is no room: before that is known nothing else is read. It may belong to another entry
    // by then, which Copy sees.
    const uint32_t to = cache_.Bucket(OtherHalf(HalfOf(number), cache_.slots_[number].hint()));
    if (to == number / kWays) return false;
    for (uint32_t way = 0; way < kWays; ++way) {
      uint32_t there;
      if (IsFree(to * kWays + way, &there)) return Copy(number, sequence, to * kWays + way, there);
    }
    for (uint32_t way = 0; moves > 1 && way < kWays; ++way) {
      uint32_t there;
      if (Vacate(to * kWays + way, moves - 1, &there)) return Copy(number, sequence, to * kWays + way, there);
    }
    return false;
  }

  // WorthDividing says whether kBucketsMore buckets from this one have enough entries that are alive.
  bool WorthDividing(uint32_t bucket) const {
    uint32_t entries = 0, sequence;
    for (uint32_t i = 0; i < kBucketsMore * kWays && entries < kEntriesToDivide; ++i)
      entries += IsFree(bucket * kWays + i, &sequence) ? 0 : 1;
    return entries == kEntriesToDivide;
  }

  // Split moves what belongs into the first bucket that is not in use there, and takes it into use.
  void Split(uint32_t bucket) const {
    const uint32_t size = std::bit_floor(bucket), from = bucket - size;
    std::array<std::optional<uint32_t>, kWays> moved;  // At which sequence.
    for (uint32_t way = 0; way < kWays; ++way) {
      const uint32_t number = from * kWays + way, to = bucket * kWays + way;
      if ((HalfOf(number) & size) == 0) continue;  // Most are empty.
      Image image;
      uint32_t sequence;
      if (!Read(number, &sequence, &image) || (image.cold.half & size) == 0) continue;
      if (Write(to, cache_.slots_[to].Begin(), image, cache_.slots_[number].used())) moved[way] = sequence;
    }
    // Ordering: release pairs with the acquire in FindByTag.
    cache_.extent_.store(ExtentOf(bucket + 1), std::memory_order_release);
    for (uint32_t way = 0; way < kWays; ++way) {
      if (moved[way]) Write(from * kWays + way, *moved[way], Image::Empty(), false);
    }
  }

 private:
  // HalfOf is of the entry that is in the slot now, or of the one before.
  uint32_t HalfOf(uint32_t number) const {
    return static_cast<uint32_t>(Slot::LoadCold(cache_.colds_[number].words[kHalfWord]));
  }

  // Copy writes the entry of slot `number` into slot `to` of its other bucket, where nothing has changed
  // since `there`.
  bool Copy(uint32_t number, uint32_t* sequence, uint32_t to, uint32_t there) const {
    Image image;
    if (!Read(number, sequence, &image)) return false;
    image.cold.half = OtherHalf(image.cold.half, image.hint);
    return cache_.Bucket(image.cold.half) == to / kWays &&
           Write(to, there, image, cache_.slots_[number].used());
  }

  bool Read(uint32_t number, uint32_t* sequence, Image* image) const {
    const Slot& slot = cache_.slots_[number];
    *sequence = slot.Begin();
    if (!Slot::Open(*sequence)) return false;
    for (size_t i = 0; i < kWords; ++i) image->words[i] = slot.Load(i);
    std::array<uint64_t, kColdWords> cold_words;
    for (size_t i = 0; i < kColdWords; ++i) cold_words[i] = Slot::LoadCold(cache_.colds_[number].words[i]);
    image->cold = std::bit_cast<ColdImage>(cold_words);
    image->hint = slot.hint();
    return slot.Validate(*sequence);
  }

  VerdictCache& cache_;
  const int64_t now_s_;
  const absl::FunctionRef<bool(KeyRef)> is_current_;
};

// WorthMoving: in a full table, looking for room elsewhere finds none, and costs more than all else, since it
// reads what is far away. After some times in vain insertions try ever more seldom, in the end one of
// kSeldom, until one succeeds. So the count is of insertions that had no room of their own, and goes round.
bool VerdictCache::WorthMoving() {
  // Ordering: relaxed, both; a lost update moves the next try.
  const uint32_t in_vain = moves_in_vain_.load(std::memory_order_relaxed);
  moves_in_vain_.store(in_vain + 1 < 2 * kSeldom ? in_vain + 1 : kSeldom, std::memory_order_relaxed);
  return in_vain < kPatience || std::has_single_bit(in_vain);
}

// NoteRoom: where one had room of its own, others may have some elsewhere. Halving the count makes tries
// about as frequent as that, be it often, as when much has expired at once, or once in a while.
void VerdictCache::NoteRoom() {
  // Ordering: relaxed, both; as in WorthMoving.
  const uint32_t in_vain = moves_in_vain_.load(std::memory_order_relaxed);
  if (in_vain >= kPatience) moves_in_vain_.store(in_vain / 2, std::memory_order_relaxed);
}

// Grow takes more buckets into use, in the order of their numbers, and moves there what belongs there, if
// there is enough to move: some insertion finds no room at any load, only more seldom. What is written to an
// entry meanwhile may be lost, or the entry: that token is verified once more.
void VerdictCache::Grow(const Writer& writer) {
  if (slots_in_use() == num_slots_) return;
  // Ordering: acquire pairs with the release below: one thread after the other. Who comes in between leaves.
  if (growing_.exchange(true, std::memory_order_acquire)) return;
  const auto end = static_cast<uint32_t>(slots_in_use() / kWays);
  // Another thread may just have taken the last ones.
  if (end * kWays < num_slots_ && writer.WorthDividing(end - std::bit_floor(end))) {
    for (uint32_t bucket = end; bucket < end + kBucketsMore; ++bucket) writer.Split(bucket);
  }
  growing_.store(false, std::memory_order_release);
}

TOLLGATE_MISS VerdictCache::InsertResult VerdictCache::Insert(const Key& key, const Entry& entry,
                                                              int64_t now_s,
                                                              absl::FunctionRef<bool(KeyRef)> is_current) {
  if (num_slots_ == 0) return InsertResult::kDisabled;
  Image image;
  if (!Pack(key, entry, &image)) return InsertResult::kUnstorable;
  const Writer writer(*this, now_s, is_current);
  bool no_room = false;
  const InsertResult result = Put(writer, key, entry, &image, &no_room);
  if (no_room) Grow(writer);
  return result;
}

// Put finds a slot for the image of `entry`; *no_room if that takes another one's.
VerdictCache::InsertResult VerdictCache::Put(const Writer& writer, const Key& key, const Entry& entry,
                                             Image* image, bool* no_room) {
  const std::array<uint32_t, 2> halves = {HomeHalf(key), OtherHalf(key)};
  // Ordering: acquire, as in FindByTag.
  const uint64_t extent = extent_.load(std::memory_order_acquire);
  const std::array<uint32_t, 2> buckets = {Bucket(halves[0], extent), Bucket(halves[1], extent)};
  image->hint = HintOf(key);
  const auto write = [&](uint32_t number, uint32_t sequence, InsertResult result) {
    const bool at_home = number / kWays == buckets[0];
    image->cold.half = halves[at_home ? 0 : 1];
    // A new entry has to be asked for once before it outlives one that was: a stream of tokens that are seen
    // once displaces only its own kind.
    return writer.Write(number, sequence, *image, false) ? result : InsertResult::kBusy;
  };
  std::array<uint32_t, 2 * kWays> numbers;  // The home bucket first.
  for (uint32_t i = 0; i < numbers.size(); ++i) numbers[i] = buckets[i / kWays] * kWays + i % kWays;

  uint32_t sequence;
  for (const uint32_t number : numbers) {
    if (writer.Holds(number, key.tag, &sequence)) return write(number, sequence, InsertResult::kReplaced);
  }
  for (const uint32_t number : numbers) {
    if (!writer.IsFree(number, &sequence)) continue;
    NoteRoom();
    return write(number, sequence, InsertResult::kInserted);
  }
  *no_room = true;
  if (WorthMoving()) {
    for (int moves = 1; moves <= kMovesMax; ++moves) {
      for (const uint32_t number : numbers) {
        if (!writer.Vacate(number, moves, &sequence)) continue;
        // Ordering: relaxed; see WorthMoving.
        moves_in_vain_.store(0, std::memory_order_relaxed);
        return write(number, sequence, InsertResult::kInserted);
      }
    }
  }
  // Somebody's entry has to go.
  const auto owner = [&](std::string_view name) { return crypto::KeyedHash64(owner_secret_, name); };
  // What is refused to a subject is not charged to its issuer: others have their tokens of it, too.
  if (!subject_share_.MayDisplace(owner(entry.names.subject) + entry.issuer)) return InsertResult::kOverShare;
  // Ordering: relaxed; see HasSeveralIssuers.
  if (several_issuers_.load(std::memory_order_relaxed) && !issuer_share_.MayDisplace(entry.issuer))
    return InsertResult::kOverShare;
  // The CLOCK rule: the first that was not found since it was last passed. It begins where the place says and
  // not the tag, since who has to go can be observed.
  const auto start = static_cast<uint32_t>(key.place >> 62);
  for (uint32_t i = 0; i <= numbers.size(); ++i) {
    const uint32_t number = numbers[(start + i) % numbers.size()];
    Slot& slot = slots_[number];
    if (slot.used() && i < numbers.size()) {
      slot.ClearUsed();
      continue;
    }
    sequence = slot.Begin();
    return Slot::Open(sequence) ? write(number, sequence, InsertResult::kDisplaced) : InsertResult::kBusy;
  }
  return InsertResult::kBusy;
}

}  // namespace tollgate::verdicts
