#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tollgate::verdicts {

// InsertShare bounds what one owner (a subject, an issuer) may displace from a full cache: of every `window`
// attempts, all owners together, one owner is granted its share at the most. So who can mint any number of
// valid tokens takes other people's entries no faster than that. Counts in a fixed number of cells, of which
// several owners may have the same one: they share a share. What was granted is halved with every window.
// Thread-safe.
class InsertShare {
 public:
  // `one_of`: the share is window / one_of, and at least kShareMin.
  InsertShare(size_t window, size_t one_of)
      : window_(static_cast<uint32_t>(window < kWindowMax ? window : kWindowMax)),
        share_(window_ / static_cast<uint32_t>(one_of) > kShareMin ? window_ / static_cast<uint32_t>(one_of)
                                                                   : kShareMin) {}

  // MayDisplace grants an attempt of the owner with this hash, or not.
  bool MayDisplace(uint64_t owner_hash) {
    // Ordering: relaxed, all; counts that decide nothing but who gives way, and may be a little off.
    if (attempts_.fetch_add(1, std::memory_order_relaxed) + 1 >= window_) Halve();
    std::atomic<uint32_t>& granted = granted_[owner_hash % kCells];
    if (granted.load(std::memory_order_relaxed) >= share_) return false;
    granted.fetch_add(1, std::memory_order_relaxed);
    return true;
  }

 private:
  static constexpr size_t kCells = 4096;
  static constexpr size_t kWindowMax = 1 << 30;
  static constexpr uint32_t kShareMin = 16;

  void Halve() {
    // Ordering: relaxed, as in MayDisplace. Two threads that halve at once halve twice.
    attempts_.store(0, std::memory_order_relaxed);
    for (std::atomic<uint32_t>& granted : granted_) {
      granted.store(granted.load(std::memory_order_relaxed) / 2, std::memory_order_relaxed);
    }
  }

  const uint32_t window_;
  const uint32_t share_;
  std::atomic<uint32_t> attempts_{0};
  std::array<std::atomic<uint32_t>, kCells> granted_{};
};

}  // namespace tollgate::verdicts
