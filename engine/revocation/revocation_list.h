#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "tollgate/reason.h"

namespace tollgate::revocation {

// Candidate is what a revocation may cover of one token. Nothing of it depends on how the token is encoded.
struct Candidate {
  std::string_view issuer;
  std::string_view key_id;          // The kid of the key used, from the issuer's set; may be empty.
  std::string_view key_thumbprint;  // RFC 7638, base64url.
  std::string_view subject;
  std::string_view jwt_id;
  int64_t issued_at = INT64_MIN;  // INT64_MIN: absent, counts as before any revocation.
};

// RevocationList keeps what was revoked until it no longer matters, at most limits::kRevocationsMax entries;
// full means that Revoke… fails, never that an entry is forgotten early. Every change raises the epoch
// *after* it is in force and before Revoke… returns: facts stamped with an epoch that is still current need
// no further look. What else must be looked at again, another policy, raises the same epoch. Thread-safe.
class RevocationList {
 public:
  RevocationList();
  ~RevocationList();

  // epoch is one load. Starts at 1.
  uint64_t epoch() const {
    // Ordering: acquire pairs with the releases in State::Add and RaiseEpoch: who sees an epoch sees what
    // raised it.
    return epoch_.load(std::memory_order_acquire);
  }

  // InvalidArgument for an empty name or until ≤ now, ResourceExhausted when full. Revoking again extends.
  absl::Status RevokeKey(std::string_view issuer, std::string_view thumbprint_or_key_id, int64_t until_s,
                         int64_t now_s);
  // Covers tokens of the subject with iat ≤ now_s.
  absl::Status RevokeSubject(std::string_view issuer, std::string_view subject, int64_t until_s,
                             int64_t now_s);
  absl::Status RevokeToken(std::string_view issuer, std::string_view jwt_id, int64_t until_s, int64_t now_s);

  // RaiseEpoch puts something into force by calling `put` with the next epoch, under the lock, and raises the
  // epoch to that.
  void RaiseEpoch(absl::FunctionRef<void(uint64_t)> put);

  // Covers returns kKeyRevoked, kSubjectRevoked, kTokenRevoked or kNone. Takes a shared lock: off the hot
  // path. Callers read epoch() first and stamp with that.
  Reason Covers(const Candidate& candidate) const;

  // Empty is one load: true if nothing was ever revoked or all has expired.
  bool Empty() const;
  size_t size() const;

  // Expire drops entries whose `until` has passed, at wall time `now_s`. Does not raise the epoch: nothing
  // becomes forbidden by it.
  void Expire(int64_t now_s);

 private:
  struct State;
  std::atomic<uint64_t> epoch_{1};
  std::unique_ptr<State> state_;
};

}  // namespace tollgate::revocation
