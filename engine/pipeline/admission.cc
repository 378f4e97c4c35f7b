#include "pipeline/admission.h"

#include <algorithm>

#include "pipeline/failure_budget.h"

namespace tollgate::pipeline {
namespace {

// Twice the processors: a thread that was interrupted while it verified must not make others' tokens
// unavailable. At least 8, since small machines have as many request threads.
uint32_t InFlightMax(const VerificationLimits& limits, uint32_t num_processors) {
  if (limits.in_flight_max != 0) return limits.in_flight_max;
  return std::max<uint32_t>(8, 2 * std::min<uint32_t>(num_processors, UINT32_MAX / 2));
}

// The rest is for the other issuers, and for tokens that were known before.
uint32_t InFlightPerIssuerMax(const VerificationLimits& limits, uint32_t in_flight_max) {
  if (limits.in_flight_per_issuer_max != 0) return std::min(limits.in_flight_per_issuer_max, in_flight_max);
  return in_flight_max - in_flight_max / 4;
}

bool TryIncrement(std::atomic<uint32_t>& count, uint32_t max) {
  // Ordering: relaxed, all; the bound holds by the order of the changes of this one count, which guards
  // nothing else.
  uint32_t seen = count.load(std::memory_order_relaxed);
  do {
    if (seen >= max) return false;
  } while (
      !count.compare_exchange_weak(seen, seen + 1, std::memory_order_relaxed, std::memory_order_relaxed));
  return true;
}

void Decrement(std::atomic<uint32_t>& count) {
  // Ordering: relaxed, as in TryIncrement.
  count.fetch_sub(1, std::memory_order_relaxed);
}

}  // namespace

Admission::Issuer::Issuer() : paid_at_us(kNothingSpent), spent_at_us(kNothingSpent) {}

Admission::Admission(const VerificationLimits& limits, size_t num_issuers, uint32_t num_processors)
    : in_vain_percent_max_(limits.in_vain_percent_max),
      in_flight_max_(InFlightMax(limits, num_processors)),
      in_flight_per_issuer_max_(InFlightPerIssuerMax(limits, in_flight_max_)),
      issuers_(std::make_unique<Issuer[]>(num_issuers)) {}

Admission::Answer Admission::Begin(uint32_t issuer, bool known, int64_t now_ms) {
  Issuer& at = issuers_[issuer];
  if (!known) {
    if (WaitMs(issuer, now_ms) != 0) return Refuse(issuer, Answer::kTooManyInVain);
    if (!TryIncrement(at.in_flight, in_flight_per_issuer_max_)) return Refuse(issuer, Answer::kTooManyAtOnce);
  }
  if (!TryIncrement(in_flight_, in_flight_max_)) {
    if (!known) Decrement(at.in_flight);
    return Refuse(issuer, Answer::kTooManyAtOnce);
  }
  return Answer::kAdmitted;
}

void Admission::End(uint32_t issuer, bool known) {
  Decrement(in_flight_);
  if (!known) Decrement(issuers_[issuer].in_flight);
}

void Admission::Forget(uint32_t issuer) {
  Issuer& at = issuers_[issuer];
  // Ordering: relaxed, all; nobody else has the position.
  at.paid_at_us.store(kNothingSpent, std::memory_order_relaxed);
  at.spent_at_us.store(kNothingSpent, std::memory_order_relaxed);
  at.refused.store(0, std::memory_order_relaxed);
}

Admission::Answer Admission::Refuse(uint32_t issuer, Answer why) {
  // Ordering: relaxed; a statistic.
  issuers_[issuer].refused.fetch_add(1, std::memory_order_relaxed);
  return why;
}

void Admission::Spend(uint32_t issuer, int64_t now_ms, int64_t cost_us) {
  if (in_vain_percent_max_ == 0) return;
  Issuer& at = issuers_[issuer];
  const int64_t now_us = MicrosecondsOf(now_ms);
  // Ordering: relaxed, all; a maximum, which the release below publishes.
  int64_t latest_us = at.spent_at_us.load(std::memory_order_relaxed);
  while (latest_us < now_us && !at.spent_at_us.compare_exchange_weak(
                                   latest_us, now_us, std::memory_order_relaxed, std::memory_order_relaxed)) {
  }
  // Ordering: relaxed load, a guess; each change is of the value before it, so that none is lost. Release
  // pairs with the acquire in WaitMs: who sees what is owed sees the moment it was spent at.
  int64_t seen = at.paid_at_us.load(std::memory_order_relaxed);
  while (!at.paid_at_us.compare_exchange_weak(seen, OnSpent(seen, in_vain_percent_max_, now_us, cost_us),
                                              std::memory_order_release, std::memory_order_relaxed)) {
  }
}

int64_t Admission::WaitMs(uint32_t issuer, int64_t now_ms) const {
  const Issuer& at = issuers_[issuer];
  // Ordering: acquire pairs with the release in Spend: the moment below is not older than what is owed. A
  // thread that has read the clock, and was then held up, would take time that has passed for a debt.
  const int64_t paid_at_us = at.paid_at_us.load(std::memory_order_acquire);
  // Ordering: relaxed; behind the acquire.
  const int64_t spent_at_us = at.spent_at_us.load(std::memory_order_relaxed);
  const int64_t wait_us = BudgetWaitUs(paid_at_us, std::max(MicrosecondsOf(now_ms), spent_at_us));
  return wait_us / 1000 + (wait_us % 1000 != 0 ? 1 : 0);
}

}  // namespace tollgate::pipeline
