#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace tollgate::sync {

// StdAtomics is what the engine runs on; tests/model runs the same protocol on atomics of its own.
struct StdAtomics {
  template <typename T>
  using Atomic = std::atomic<T>;
};

// SeqlockSlot: kWords 64-bit words that many threads read without writing, and that writers change one at a
// time. The sequence is even while the words stand still and odd while a writer has them. More words
// elsewhere (cold ones) may be put under the same sequence: LoadCold and StoreCold, in the same places as
// Load and Store.
//
//   reader                                        writer
//     seq = Begin(); !Open(seq): a miss             TryClaim(&seq) or TryClaimAt(seq): false, drop the write
//     Load and LoadCold, any number                 Store and StoreCold, any number
//     Validate(seq): false, a miss                  Publish(seq)
//
// - If Validate(seq) returns true, the words loaded since Begin() returned seq are those of one moment: each
//   is the last one stored ahead of the Publish that set the sequence to seq, or what it was made with.
// - Everything ahead of that Publish, and of every earlier one of the slot, happens before Begin() returns.
// - Everything ahead of a Publish happens before every later claim of the slot succeeds: between claim and
//   Publish a writer alone has the words, its own Loads return the last values, and words that it leaves
//   alone keep theirs.
//
// A reader whose Validate fails may have seen a mixture; nothing that it loaded may be used. No member waits
// or retries. Between a claim and its Publish the slot is a miss for readers and dropped writes for writers:
// do nothing there but store. docs/memory-ordering.md has the argument, and why the wrap of the sequence does
// not matter; tests/model has every execution of small cases. Thread-safe.
template <size_t kWords, typename Atomics = StdAtomics>
class alignas(64) SeqlockSlot {
 public:
  using Word = typename Atomics::template Atomic<uint64_t>;

  // Open says whether `seq`, which Begin returned, is that of words at rest.
  static bool Open(uint32_t seq) { return seq % 2 == 0; }

  // Begin returns the sequence that the words have to be validated with.
  uint32_t Begin() const {
    // Ordering: acquire pairs with the release in Publish: no word is older than the sequence.
    return sequence_.load(std::memory_order_acquire);
  }

  // Load returns word `i`, which means nothing before Validate.
  uint64_t Load(size_t i) const { return LoadCold(words_[i]); }

  // LoadCold returns a word that stands elsewhere, as Load does.
  static uint64_t LoadCold(const Word& cold) {
    // Ordering: acquire pairs with the release in StoreCold: who sees a writer's word sees its claim after.
    return cold.load(std::memory_order_acquire);
  }

  // Validate says whether the words loaded since Begin() returned `seq`, which must be open, belong together.
  bool Validate(uint32_t seq) const {
    // Ordering: relaxed; the acquires in LoadCold keep it behind the loads, and a claim that happens before
    // it it cannot miss.
    return sequence_.load(std::memory_order_relaxed) == seq;
  }

  // used returns the mark of an entry that was hit since the last ClearUsed. A hint for eviction, a cell of
  // its own: a mark that comes late lands on the next entry, and in no word.
  bool used() const {
    // Ordering: relaxed; a hint, orders nothing.
    return used_.load(std::memory_order_relaxed) != 0;
  }

  // MarkUsed sets the mark. Writes only where it is clear, so that steady hits write nothing shared.
  void MarkUsed() {
    // Ordering: relaxed; a hint, as in used.
    if (!used()) used_.store(1, std::memory_order_relaxed);
  }

  void ClearUsed() {
    // Ordering: relaxed; a hint, as in used.
    used_.store(0, std::memory_order_relaxed);
  }

  // hint is a number that may lead to the slot, nothing more: it belongs to the last entry or to the one
  // before.
  uint16_t hint() const {
    // Ordering: relaxed; a hint, as in used.
    return hint_.load(std::memory_order_relaxed);
  }

  void SetHint(uint16_t hint) {
    // Ordering: relaxed; a hint, as in used.
    hint_.store(hint, std::memory_order_relaxed);
  }

  // TryClaim takes the words, whatever they are now, and sets *seq for Publish. False if another writer has
  // them, or was faster.
  [[nodiscard]] bool TryClaim(uint32_t* seq) {
    // Ordering: relaxed; only a guess, which TryClaimAt compares.
    *seq = sequence_.load(std::memory_order_relaxed);
    return Open(*seq) && TryClaimAt(*seq);
  }

  // TryClaimAt takes the words if nobody has claimed them since Begin() returned `seq`, which must be open:
  // what was loaded and validated under `seq` still stands.
  [[nodiscard]] bool TryClaimAt(uint32_t seq) {
    // Ordering: acquire on success pairs with the release in the Publish before: its writer's stores are
    // ahead of ours. No release: who reads the odd value uses nothing, and the release in StoreCold carries
    // the claim. Relaxed on failure; nothing follows it.
    return sequence_.compare_exchange_strong(seq, seq + 1, std::memory_order_acquire,
                                             std::memory_order_relaxed);
  }

  // Store sets word `i`. Only between a claim and its Publish.
  void Store(size_t i, uint64_t word) { StoreCold(words_[i], word); }

  // StoreCold sets a word that stands elsewhere, as Store does.
  static void StoreCold(Word& cold, uint64_t word) {
    // Ordering: release pairs with the acquire in LoadCold: the claim is ahead of the word.
    cold.store(word, std::memory_order_release);
  }

  // Publish ends the claim that was made at `seq`.
  void Publish(uint32_t seq) {
    // Ordering: release pairs with the acquires in Begin and TryClaimAt: the words are ahead of the sequence.
    sequence_.store(seq + 2, std::memory_order_release);
  }

 private:
  std::array<Word, kWords> words_{};
  typename Atomics::template Atomic<uint32_t> sequence_{0};
  typename Atomics::template Atomic<uint8_t> used_{0};
  typename Atomics::template Atomic<uint16_t> hint_{0};
};

// One entry, one line: a lookup costs one miss.
static_assert(sizeof(SeqlockSlot<7>) == 64 && alignof(SeqlockSlot<7>) == 64);
static_assert(std::atomic<uint64_t>::is_always_lock_free && std::atomic<uint32_t>::is_always_lock_free &&
              std::atomic<uint16_t>::is_always_lock_free && std::atomic<uint8_t>::is_always_lock_free);

}  // namespace tollgate::sync
