#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/key_ref.h"
#include "tollgate/algorithm.h"

namespace tollgate::verdicts {

// Facts is what a verification found out about a token, as far as nearly every decision needs it: one line of
// the cache. Never a decision: whoever takes facts from the cache checks them against this moment and this
// request.
struct Facts {
  KeyRef key;
  // Wall time, seconds, both inclusive: between them the token's times and its issuer's bound on age are in
  // order.
  int64_t valid_from_s = 0;
  int64_t valid_through_s = 0;
  int64_t verified_at_mono_ms = 0;
  uint64_t audience = 0;  // Bit r: the token is meant for resource r.
  // The lower half of the epoch that was read before the signature was verified, or at the last re-check;
  // kNoEpoch: it is to be re-checked each time, and grant_set says nothing.
  static constexpr uint32_t kNoEpoch = UINT32_MAX;
  uint32_t epoch = 0;
  uint32_t grant_set = 0;  // What the policy of that epoch makes of the token: policy::GrantSets.
  Algorithm algorithm{};
  bool sender_constrained = false;
};

// Times are the token's own, in seconds. INT64_MIN: absent.
struct Times {
  int64_t expires_at = 0;
  int64_t not_before = INT64_MIN;
  int64_t issued_at = INT64_MIN;
};

// Names is the part of the facts that has letters.
struct Names {
  std::string_view subject;
  std::string_view client_id;
  std::string_view jwt_id;
  std::string_view grants;      // policy::WriteGrants.
  std::string_view audit_id{};  // Of kAuditIdBytes, in a cache that keeps them.
};
inline constexpr size_t kAuditIdBytes = 16;

// Details is what few decisions need, copied out of the cache. The views of `names` point into `bytes` or
// into what the cache keeps for ever, so that a Details must not be copied.
struct Details {
  // Three UUIDs, and the grants by number; or, with an audit id, the client by number, too.
  static constexpr size_t kBytes = 110;

  Details() {}  // Not defaulted: `Details{}` would zero the bytes.
  Details(const Details&) = delete;
  Details& operator=(const Details&) = delete;

  Times times;
  Names names;
  std::array<char, kBytes> bytes;
};

}  // namespace tollgate::verdicts
