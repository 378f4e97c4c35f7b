#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace tollgate::jose {

// Base64UrlDecodedSize returns the number of bytes that `size` characters decode to (exact for every legal
// size).
constexpr size_t Base64UrlDecodedSize(size_t size) {
  return size / 4 * 3 + (size % 4 == 0 ? 0 : size % 4 - 1);
}

// Base64UrlDecode decodes RFC 4648 section 5 without padding, strictly: only the 64 letters of the URL-safe
// alphabet, no length of 1 modulo 4, trailing bits zero; so every byte string has exactly one encoding.
// Writes to `out`, which must hold Base64UrlDecodedSize(in.size()) bytes, and returns the number written, or
// nullopt (`out` is then unspecified). Does not allocate.
std::optional<size_t> Base64UrlDecode(std::string_view in, std::span<uint8_t> out);

// Base64UrlDecodePortable is what Base64UrlDecode does on a processor without AVX2; for tests to hold them
// together.
std::optional<size_t> Base64UrlDecodePortable(std::string_view in, std::span<uint8_t> out);

// Base64UrlEncode returns the encoding of `bytes`, unpadded. Allocates.
std::string Base64UrlEncode(std::span<const uint8_t> bytes);

}  // namespace tollgate::jose
