#pragma once

#include <cstdint>
#include <optional>

#include "bench/lib/workload.h"
#include "keys/refresh_schedule.h"
#include "tollgate/config.h"

namespace tollgate::bench {

// Contract is what every instance of a fleet keeps to.
struct Contract {
  Timing timing{};
  // Stands for every random number of every instance; nullopt: each instance draws its own.
  std::optional<uint64_t> draw{};
};

// WithoutJitter is the contract of `timing` with nothing random in it, to compare with: refreshes exactly at
// the interval's end, and plain exponential backoff, which waits for its whole ceiling. Needs
// 0 < backoff_min_ms ≤ backoff_cap_ms < 2^31.
Contract WithoutJitter(const Timing& timing);

// Instance is one engine of the fleet, as far as the identity provider sees it: when it asks for the keys.
// The rules are the engine's (keys/refresh_schedule.h); here they are only told what happened, with the same
// random numbers that keys::KeyStore draws from this seed. tests/bench holds it against a KeyStore. Owner
// thread only.
class Instance {
 public:
  // `contract` must outlive the instance.
  Instance(const Contract& contract, uint64_t seed) : contract_(&contract), random_(seed) {}

  // NextMs returns when its next fetch may begin; INT64_MAX while one is under way.
  int64_t NextMs() const { return keys::NextFetchMs(schedule_, contract_->timing); }

  void OnBegin(int64_t now_ms) {
    schedule_ = keys::OnBegin(schedule_, now_ms);
    asked_ = true;
  }
  // OnGood: an answer with keys, which may be kept for `max_age_s` (−1: it does not say).
  void OnGood(int64_t now_ms, int64_t max_age_s) {
    schedule_ = keys::OnGood(schedule_, contract_->timing, now_ms, max_age_s, Draw());
    kid_ = kNoKid;
  }
  void OnFailure(int64_t now_ms) {
    schedule_ = keys::OnFailure(schedule_, contract_->timing, now_ms, Draw());
  }
  // OnUnknownKid: a token came whose key this instance has not. The number (≥ 0) stands for its kid; one that
  // another has followed does not come back.
  void OnUnknownKid(int64_t kid) {
    if (kid != kid_) asked_ = false;
    kid_ = kid;
    if (!asked_) schedule_.forced = true;
  }

 private:
  static constexpr int64_t kNoKid = -1;

  uint64_t Draw() { return contract_->draw ? *contract_->draw : random_.Next(); }

  const Contract* contract_;
  Random random_;
  keys::ScheduleState schedule_;
  int64_t kid_ = kNoKid;  // What tokens wait for,
  bool asked_ = false;    // and whether a fetch has begun since it was first seen.
};

}  // namespace tollgate::bench
