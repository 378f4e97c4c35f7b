#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "absl/container/flat_hash_map.h"

namespace tollgate::keys {

// AbsentKids remembers for one issuer which key ids were asked for and not there, so that "the issuer does
// not have it" can be told from "the issuer has not been asked since". It keeps 128 bits of HMAC-SHA-256 of a
// kid under a secret, never the kid: memory is bounded whatever is asked. Full, it learns nothing new and
// forgets nothing early. Fetches are told apart by their number and not by clocks, which callers read at
// different moments. Thread-compatible.
class AbsentKids {
 public:
  using Secret = std::array<uint8_t, 32>;

  // An entry is forgotten `lifetime_ms` after it was made.
  AbsentKids(size_t entries_max, int64_t lifetime_ms, const Secret& secret);

  // Asked says what the issuer has been asked about a kid since that was first asked for here.
  enum class Asked : uint8_t {
    kNotYet,   // No fetch has begun since; or the kid is not remembered.
    kUnheard,  // One has, and none has brought a good answer: it is under way, or will be repeated.
    kSettled,  // A good answer to one of them lacked the kid.
  };
  // Look tells. The first sight of a kid is recorded together with `fetches_begun`, the number of fetches
  // begun so far.
  Asked Look(std::string_view key_id, uint64_t fetches_begun, int64_t now_ms);

  // OnGood: fetch number `fetch` (1 is the first) brought a good answer. If that changed the set, what
  // earlier answers had settled is forgotten: an issuer that is changing its keys may yet bring them.
  void OnGood(uint64_t fetch, bool set_changed);

  size_t size() const { return entries_.size(); }

 private:
  using Tag = std::array<uint64_t, 2>;
  struct Entry {
    uint64_t fetches_begun = 0;
    int64_t since_ms = 0;
  };
  bool Expired(const Entry& entry, int64_t now_ms) const;
  void DropExpired(int64_t now_ms);

  const size_t entries_max_;
  const int64_t lifetime_ms_;
  const Secret secret_;
  absl::flat_hash_map<Tag, Entry> entries_;
  int64_t oldest_ms_ = INT64_MAX;  // No entry is older than this.
  uint64_t good_fetch_ = 0;        // The latest fetch that brought a good answer.
};

}  // namespace tollgate::keys
