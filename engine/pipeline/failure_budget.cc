#include "pipeline/failure_budget.h"

#include <algorithm>

#include "base/saturating.h"

namespace tollgate::pipeline {
namespace {

using saturating::Minus;
using saturating::Plus;
using saturating::Times;

}  // namespace

int64_t OnSpent(int64_t paid_at_us, uint32_t percent, int64_t now_us, int64_t cost_us) {
  // Rounded up, so that nothing is for free.
  const int64_t hundredfold = Times(cost_us, 100);
  const int64_t takes_us = hundredfold / percent + (hundredfold % percent != 0 ? 1 : 0);
  return Plus(std::max(paid_at_us, now_us), takes_us);
}

int64_t BudgetWaitUs(int64_t paid_at_us, int64_t now_us) {
  const int64_t owed_us = Minus(paid_at_us, now_us);
  return owed_us < kBudgetWindowUs ? 0 : owed_us - kBudgetWindowUs + 1;
}

int64_t MicrosecondsOf(int64_t mono_ms) { return Times(mono_ms, 1000); }

int64_t VerificationCostUs(crypto::KeyType type, size_t signature_bytes, size_t signing_input_bytes) {
  const auto digest_us = static_cast<int64_t>(signing_input_bytes / 1024);
  switch (type) {
    case crypto::KeyType::kRsa: {
      // Grows with the square of the modulus: 2048 bits 13 µs, 4096 bits 52.
      const auto size = static_cast<int64_t>(signature_bytes);
      return 13 * size * size / (256 * 256) + digest_us;
    }
    case crypto::KeyType::kP256:
    case crypto::KeyType::kEd25519:
      return 38 + digest_us;
    case crypto::KeyType::kP384:
      return 340 + digest_us;
    case crypto::KeyType::kP521:
      return 870 + digest_us;
  }
  return 870 + digest_us;
}

}  // namespace tollgate::pipeline
