#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/key_ref.h"
#include "tollgate/algorithm.h"

namespace tollgate::verdicts {

// Facts is what a verification found out about a token: never a decision. Whoever takes facts from the cache
// checks them against this moment and this request before relying on them.
struct Facts {
  uint32_t issuer = 0;
  uint32_t issuer_epoch = 0;
  KeyRef key;
  uint64_t revocation_epoch = 0;  // Read before the signature was verified, or at the last re-check.
  int64_t expires_at = 0;
  int64_t not_before = INT64_MIN;
  int64_t issued_at = INT64_MIN;
  int64_t verified_at_mono_ms = 0;
  uint64_t audience = 0;  // Bit r: the token is meant for resource r.
  uint32_t scope_set = 0;
  Algorithm algorithm{};
  bool sender_constrained = false;
};

// Names is the part of the facts that has letters: subject, client, jti and roles, one behind the other. What
// does not fit is not cached at all.
struct Names {
  static constexpr size_t kBytes = 384;
  uint16_t subject_len = 0;
  uint16_t client_len = 0;
  uint16_t jwt_id_len = 0;
  uint16_t roles_len = 0;
  std::array<char, kBytes> bytes;
};

}  // namespace tollgate::verdicts
