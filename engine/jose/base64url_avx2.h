#pragma once

#include <cstddef>
#include <cstdint>

// The wide part of Base64UrlDecode. A file of its own, compiled for AVX2 alone, and called only where the
// processor has that; it uses no inline function of another header, whose AVX2 form the linker could give to
// everybody.
namespace tollgate::jose::avx2 {

inline constexpr size_t kChars = 32;   // What a step reads,
inline constexpr size_t kBytes = 24;   // what it decodes,
inline constexpr size_t kStored = 32;  // and what it stores: the rest is overwritten by the next step.

// Base64UrlDecodeSteps decodes `num_steps` steps. False if a character is not of the alphabet; `to` is then
// unspecified.
bool Base64UrlDecodeSteps(const uint8_t* from, size_t num_steps, uint8_t* to);

}  // namespace tollgate::jose::avx2
