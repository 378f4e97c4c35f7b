#pragma once

#include <cstddef>
#include <cstdint>

#include "crypto/verify_key.h"

namespace tollgate::pipeline {

// A failure budget bounds the processor time that goes into verifying tokens in vain: on average so many
// percent of one processor, and at once what that comes to within kBudgetWindowUs. All that has to be
// remembered is one number, the moment at which everything spent so far is paid for at this rate. The pure
// functions below alone change it and judge by it: no clock of their own; times are microseconds of the
// monotonic clock. Sums stick to the ends of the range.

// What was spent is forgotten after this.
inline constexpr int64_t kBudgetWindowUs = 10'000'000;
inline constexpr int64_t kNothingSpent = INT64_MIN;

// OnSpent returns when it will all be paid for, now that `cost_us` of a processor (≥ 0) have been spent.
// `percent` ≥ 1.
int64_t OnSpent(int64_t paid_at_us, uint32_t percent, int64_t now_us, int64_t cost_us);

// BudgetWaitUs returns how long nothing more may be spent: 0 as long as something is left, if only the least
// bit. What is then spent at once may be more than is left, and is paid for all the same.
int64_t BudgetWaitUs(int64_t paid_at_us, int64_t now_us);

// MicrosecondsOf returns a time of the monotonic clock in the unit of the above.
int64_t MicrosecondsOf(int64_t mono_ms);

// VerificationCostUs estimates one verification with `key`, digest included: what it takes on one core of a
// server processor of 2024. Not measured, so that the same tokens are always answered in the same way.
// `signature_bytes` is the size of the signature, which with RSA is that of the modulus (RFC 8017 section
// 8.2.2).
int64_t VerificationCostUs(crypto::KeyType type, size_t signature_bytes, size_t signing_input_bytes);

}  // namespace tollgate::pipeline
