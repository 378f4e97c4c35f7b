// canary_crash: a planted bug that a fuzzer which works finds
//
// Functions: none. Property: violated by every input that begins with five certain bytes, which are compared
// one after the other: libFuzzer gets there step by step with its coverage feedback and would need 2^40 runs
// without. Where this target comes back without a finding, the silence of the others means nothing.

#include "fuzz/fuzz.h"

namespace tollgate::fuzz {

bool Accepts(std::string_view input) {
  if (input.size() < 5 || input[0] != 'k') return false;
  if (input[1] == '1' && input[2] == 'd' && input[3] == ':') {
    Expect(input[4] != '!', "canary: the planted bug was reached");
  }
  return true;
}

}  // namespace tollgate::fuzz
