#pragma once

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace tollgate::fuzz {

// Accepts is the target, defined once in each program: it gives `input` to the functions under test, holds
// what they say against the target's property, and returns whether they accepted it. The seed corpus must
// hold inputs of both kinds, so that no target runs empty without anybody noticing.
bool Accepts(std::string_view input);

// Expect ends the process unless `holds`, with `property` on stderr: a finding.
inline void Expect(bool holds, const char* property) {
  if (holds) return;
  std::fprintf(stderr, "property violated: %s\n", property);
  std::abort();
}

}  // namespace tollgate::fuzz

// A target may define the first of these to change inputs in its own way; the second, from libFuzzer or
// replay_main.cc, changes bytes.
extern "C" __attribute__((weak)) size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                                                unsigned seed);
extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);
