#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include "tollgate/config.h"

namespace tollgate::pipeline {

// Admission decides which verifications may begin, so that tokens that nobody has seen take neither every
// processor nor any amount of one from those that are known: bounded in number at a time, in total and per
// issuer, and in what may be spent in vain per issuer (failure_budget.h). Never waits, takes no lock,
// allocates nothing. On the way of a miss alone. Thread-safe.
class Admission {
 public:
  static constexpr size_t kBytesEach = 64;  // For an issuer that there may be.

  // `num_processors` 0: not known.
  Admission(const VerificationLimits& limits, size_t num_issuers, uint32_t num_processors);

  enum class Answer : uint8_t {
    kAdmitted,
    kTooManyAtOnce,
    kTooManyInVain,
  };

  // Begin admits one verification of a token of `issuer`, which End must follow with the same arguments, or
  // refuses it. A `known` token has been verified before, byte for byte, with a key that still stands: it
  // will not fail, so that only the bound in total holds for it.
  [[nodiscard]] Answer Begin(uint32_t issuer, bool known, int64_t now_ms);
  void End(uint32_t issuer, bool known);

  // Spend takes from the issuer's budget what a verification cost that was in vain.
  void Spend(uint32_t issuer, int64_t now_ms, int64_t cost_us);

  // WaitMs returns how long tokens of `issuer` that are not known are refused for what was spent in vain; 0:
  // they are not.
  int64_t WaitMs(uint32_t issuer, int64_t now_ms) const;

  // Forget begins anew at a position that has another issuer now. While nobody else may look at it.
  void Forget(uint32_t issuer);

  // num_refused returns how often Begin has refused a token of `issuer`.
  uint64_t num_refused(uint32_t issuer) const {
    // Ordering: relaxed; a statistic.
    return issuers_[issuer].refused.load(std::memory_order_relaxed);
  }

  uint32_t in_flight_max() const { return in_flight_max_; }
  uint32_t in_flight_per_issuer_max() const { return in_flight_per_issuer_max_; }

 private:
  // On lines of their own: misses of one issuer do not slow down those of others, nor any hit.
  struct alignas(64) Issuer {
    std::atomic<int64_t> paid_at_us;
    std::atomic<int64_t> spent_at_us;  // The latest moment at which something was.
    std::atomic<uint32_t> in_flight{0};
    std::atomic<uint64_t> refused{0};
    Issuer();
  };
  static_assert(sizeof(Issuer) == kBytesEach);

  Answer Refuse(uint32_t issuer, Answer why);

  const uint32_t in_vain_percent_max_;
  const uint32_t in_flight_max_;
  const uint32_t in_flight_per_issuer_max_;
  const std::unique_ptr<Issuer[]> issuers_;
  alignas(64) std::atomic<uint32_t> in_flight_{0};
};

}  // namespace tollgate::pipeline
