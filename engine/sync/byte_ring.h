#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>

#include "base/marks.h"

namespace tollgate::sync {

// ByteRing hands records of bytes from one thread, its owner, to another one, its reader, through memory of a
// fixed size. Neither waits for the other: a full ring refuses, an empty one has nothing. What the owner did
// before Publish happens before the reader gets that record; what the reader did with a record before Release
// happens before the owner writes there again. Claim and Publish: owner thread only; the rest: one reader at
// a time.
class ByteRing {
 public:
  // `bytes` is a power of two, at least 64. Allocated, and not touched before it is used.
  explicit ByteRing(size_t bytes)
      : bytes_(bytes), memory_(std::make_unique_for_overwrite<std::byte[]>(bytes)) {}
  ByteRing(const ByteRing&) = delete;
  ByteRing& operator=(const ByteRing&) = delete;

  // size_max is the longest record: half of the ring, so that each finds room in one piece in an empty one.
  size_t size_max() const { return bytes_ / 2 - kHead; }

  // Claim returns room for a record of `size` bytes, 8-byte aligned, or null if there is none now, or then
  // would not be `kept` bytes more. Without Publish nobody sees it, and the next Claim returns the same room.
  TOLLGATE_INLINE std::byte* Claim(size_t size, size_t kept = 0) {
    if (size > size_max()) [[unlikely]]
      return nullptr;
    const uint64_t place = written_here_ & (bytes_ - 1);
    const uint64_t whole = Whole(size), to_end = bytes_ - place;
    const uint64_t skipped = to_end < whole ? to_end : 0;
    const uint64_t end = written_here_ + skipped + whole;
    const uint64_t limit = bytes_ - kept;
    if (end - released_seen_ > limit) {
      // Ordering: acquire pairs with the release in Release: the reader has done with what was there.
      released_seen_ = released_.load(std::memory_order_acquire);
      if (end - released_seen_ > limit) return nullptr;
    }
    std::byte* at = memory_.get() + place;
    if (skipped != 0) {
      PutHead(at, kSkip);
      at = memory_.get();
    }
    PutHead(at, size);
    claimed_ = end;
    return at + kHead;
  }

  // Publish hands over what the last Claim returned room for.
  TOLLGATE_INLINE void Publish() {
    written_here_ = claimed_;
    // Ordering: release pairs with the acquire in Look: the record is written before it is seen.
    written_.store(claimed_, std::memory_order_release);
  }

  // Look takes notice of what was published until now: Next returns that, and nothing that comes later.
  void Look() {
    // Ordering: acquire pairs with the release in Publish.
    seen_ = written_.load(std::memory_order_acquire);
  }

  // Next returns the next record, in the order in which they were published; nullopt behind the last one.
  // Valid until Release.
  std::optional<std::span<const std::byte>> Next() {
    while (next_ != seen_) {
      const std::byte* const at = memory_.get() + (next_ & (bytes_ - 1));
      uint64_t size;
      std::memcpy(&size, at, sizeof size);
      if (size != kSkip) {
        next_ += Whole(size);
        return std::span<const std::byte>(at + kHead, size);
      }
      next_ += bytes_ - (next_ & (bytes_ - 1));
    }
    return std::nullopt;
  }

  // Release gives the room of all that Next has returned back to the owner.
  void Release() {
    // Ordering: release pairs with the acquire in Claim: what was read is read before it is written again.
    released_.store(next_, std::memory_order_release);
  }

 private:
  static constexpr size_t kHead = sizeof(uint64_t);  // A record's size, or
  static constexpr uint64_t kSkip = UINT64_MAX;      // that the next one begins at the ring's beginning.

  static uint64_t Whole(uint64_t size) { return kHead + (size + 7) / 8 * 8; }
  static void PutHead(std::byte* at, uint64_t head) { std::memcpy(at, &head, sizeof head); }

  // Positions count all bytes that there ever were; a place in memory is one of them modulo bytes_.
  const size_t bytes_;
  const std::unique_ptr<std::byte[]> memory_;
  // The owner's line,
  alignas(64) std::atomic<uint64_t> written_{0};
  uint64_t written_here_ = 0, claimed_ = 0, released_seen_ = 0;
  // and the reader's.
  alignas(64) std::atomic<uint64_t> released_{0};
  uint64_t next_ = 0, seen_ = 0;
};

}  // namespace tollgate::sync
