#pragma once

#include <cstddef>
#include <cstdint>

// The wide part of Base64UrlDecode. A file of its own, compiled for AVX2 alone, and called only where the
// processor has that; it uses no inline function of another header, whose AVX2 form the linker could give to
// everybody.
namespace tollgate::jose::avx2 {

inline constexpr size_t kChars = 32;  // What a step reads,
inline constexpr size_t kBytes = 24;  // and what it decodes.

// Base64UrlDecodeMost decodes `num_chars` characters, at least kChars and a multiple of four, and stores as
// many bytes as they are. False if a character is not of the alphabet; `to` is then unspecified.
bool Base64UrlDecodeMost(const uint8_t* from, size_t num_chars, uint8_t* to);

}  // namespace tollgate::jose::avx2
