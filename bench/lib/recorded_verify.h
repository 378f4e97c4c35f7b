#pragma once

#include <cstdint>

namespace tollgate::bench {

// In a program that links bench/lib/recorded_verify.cc, and in no other, the linker puts a recorded verdict
// in the place of crypto::VerifyKey::Verify: what is left of a miss is everything but the signature. The
// engine's own objects are the ones that are shipped.

enum class VerifyMode : uint8_t {
  kRecordedGood,  // Answers at once: good.
  kReal,          // Verifies.
};

// SetVerifyMode is for the calling thread; threads begin with kRecordedGood.
void SetVerifyMode(VerifyMode mode);

// RecordedVerifications returns how many verdicts this thread was given without a verification. Equal to the
// engine's count of verifications if the replacement is in force.
uint64_t RecordedVerifications();

}  // namespace tollgate::bench
