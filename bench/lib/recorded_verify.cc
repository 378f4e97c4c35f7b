#include "bench/lib/recorded_verify.h"

#include <span>
#include <string_view>

#include "crypto/verify_key.h"
#include "verify_symbol.h"

namespace tollgate::bench {
namespace {

thread_local VerifyMode mode_of_thread = VerifyMode::kRecordedGood;
thread_local uint64_t recorded_by_thread = 0;

}  // namespace

// The linker's --wrap sends calls of the symbol to __wrap_symbol and those of __real_symbol to the original.
// A member function takes its object as the first argument.
crypto::SignatureCheck RealVerify(const crypto::VerifyKey* key, Algorithm algorithm,
                                  std::string_view signing_input,
                                  std::span<const uint8_t> signature) asm("__real_" TOLLGATE_VERIFY_SYMBOL);
crypto::SignatureCheck RecordedVerify(
    const crypto::VerifyKey* key, Algorithm algorithm, std::string_view signing_input,
    std::span<const uint8_t> signature) asm("__wrap_" TOLLGATE_VERIFY_SYMBOL);

crypto::SignatureCheck RecordedVerify(const crypto::VerifyKey* key, Algorithm algorithm,
                                      std::string_view signing_input, std::span<const uint8_t> signature) {
  if (mode_of_thread == VerifyMode::kReal) return RealVerify(key, algorithm, signing_input, signature);
  ++recorded_by_thread;
  return crypto::SignatureCheck::kGood;
}

void SetVerifyMode(VerifyMode mode) { mode_of_thread = mode; }

uint64_t RecordedVerifications() { return recorded_by_thread; }

}  // namespace tollgate::bench
