#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "verdicts/facts.h"

namespace tollgate::verdicts {

// VerdictCache remembers the facts of tokens whose signature was verified. Memory is fixed at construction. A
// token is found by comparing all its bytes with those stored (no hash is trusted with identity); where to
// look is decided by a hash of its last bytes, the signature, under a secret key, so that nobody can aim at a
// bucket. Set-associative; a new token displaces the entry of its set that was used longest ago by the CLOCK
// rule. Nothing but verified tokens may be put in, so that a flood of bad ones displaces nothing.
// Thread-safe.
class VerdictCache {
 public:
  static constexpr size_t kTokenBytesMax = 1536;  // Longer tokens are not cached.
  // Bound on the memory of one set, eight records.
  static constexpr size_t kSetBytes = 16 * 1024;

  // `bytes` bounds all memory of the cache; below one set (16 KiB) nothing is cached.
  explicit VerdictCache(size_t bytes);
  ~VerdictCache();
  VerdictCache(const VerdictCache&) = delete;
  VerdictCache& operator=(const VerdictCache&) = delete;

  // Find copies the facts of exactly this token. False if it is not there. `names` may be null. Does not
  // allocate.
  bool Find(std::string_view token, Facts* facts, Names* names) const;

  enum class InsertResult : uint8_t { kInserted, kReplaced, kDisplaced, kTooLong, kDisabled };
  // Insert remembers the facts, over an entry of the same token if there is one. Does not allocate.
  InsertResult Insert(std::string_view token, const Facts& facts, const Names& names);

  // Restamp notes that the entry of `token`, if it is still the one with this key and verified at this time,
  // was re-checked at `revocation_epoch`.
  void Restamp(std::string_view token, const Facts& facts, uint64_t revocation_epoch);

  // Erase forgets one token.
  void Erase(std::string_view token);

  size_t capacity() const;  // Entries.
  size_t bytes() const;     // Memory in use, at most what was asked for.

 private:
  struct Table;
  std::unique_ptr<Table> table_;
};

}  // namespace tollgate::verdicts
