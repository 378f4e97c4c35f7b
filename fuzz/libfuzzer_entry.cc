#include "fuzz/fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  // libFuzzer's copy of the input is as long as the input: one byte too far is a finding.
  tollgate::fuzz::Accepts({reinterpret_cast<const char*>(data), size});
  return 0;
}
