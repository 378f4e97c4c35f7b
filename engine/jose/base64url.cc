#include "jose/base64url.h"

#include <array>
#include <bit>
#include <cstring>

#include "jose/base64url_avx2.h"

namespace tollgate::jose {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// kAlien marks a character outside the alphabet: above the six bits of a value, so that it survives an OR of
// any number of table entries and is looked for once, at the end.
constexpr uint8_t kAlien = 0x80;

constexpr std::array<uint8_t, 256> kValues = [] {
  std::array<uint8_t, 256> values{};
  values.fill(kAlien);
  for (size_t i = 0; i < kAlphabet.size(); ++i) {
    values[static_cast<uint8_t>(kAlphabet[i])] = static_cast<uint8_t>(i);
  }
  return values;
}();

constexpr uint64_t BigEndian(uint64_t value) {
  return std::endian::native == std::endian::big ? value : __builtin_bswap64(value);
}

std::optional<size_t> Decode(std::string_view in, std::span<uint8_t> out, [[maybe_unused]] bool wide) {
  const size_t size = Base64UrlDecodedSize(in.size());
  if (in.size() % 4 == 1 || size > out.size()) return std::nullopt;
  const auto* from = reinterpret_cast<const uint8_t*>(in.data());
  uint8_t* to = out.data();
  uint8_t* const to_end = to + size;
  size_t left = in.size();
  uint32_t seen = 0;

#if defined(__x86_64__)
  if (wide && left >= avx2::kChars) {
    const size_t num_chars = left / 4 * 4;
    if (!avx2::Base64UrlDecodeMost(from, num_chars, to)) return std::nullopt;
    from += num_chars, to += num_chars / 4 * 3, left -= num_chars;
  }
#endif
  // Eight characters are six bytes; the eight that are stored end within the output.
  while (to_end - to >= 8) {
    const uint64_t a = kValues[from[0]], b = kValues[from[1]], c = kValues[from[2]], d = kValues[from[3]];
    const uint64_t e = kValues[from[4]], f = kValues[from[5]], g = kValues[from[6]], h = kValues[from[7]];
    seen |= static_cast<uint32_t>((a | b) | (c | d) | ((e | f) | (g | h)));
    const uint64_t word =
        BigEndian(a << 58 | b << 52 | c << 46 | d << 40 | e << 34 | f << 28 | g << 22 | h << 16);
    std::memcpy(to, &word, sizeof(word));
    from += 8, to += 6, left -= 8;
  }
  for (; left >= 4; from += 4, left -= 4) {
    const uint32_t a = kValues[from[0]], b = kValues[from[1]], c = kValues[from[2]], d = kValues[from[3]];
    seen |= a | b | c | d;
    *to++ = static_cast<uint8_t>(a << 2 | b >> 4);
    *to++ = static_cast<uint8_t>(b << 4 | c >> 2);
    *to++ = static_cast<uint8_t>(c << 6 | d);
  }
  // RFC 4648 section 3.5: the bits of the last character that belong to no byte are zero.
  uint32_t trailing = 0;
  if (left >= 2) {
    const uint32_t a = kValues[from[0]], b = kValues[from[1]];
    seen |= a | b;
    *to++ = static_cast<uint8_t>(a << 2 | b >> 4);
    trailing = b & 0x0f;
    if (left == 3) {
      const uint32_t c = kValues[from[2]];
      seen |= c;
      *to++ = static_cast<uint8_t>(b << 4 | c >> 2);
      trailing = c & 0x03;
    }
  }
  if ((seen & kAlien) != 0 || trailing != 0) return std::nullopt;
  return size;
}

bool HasWide() {
#if defined(__x86_64__)
  static const bool has_avx2 = __builtin_cpu_supports("avx2");
  return has_avx2;
#else
  return false;
#endif
}

}  // namespace

std::optional<size_t> Base64UrlDecode(std::string_view in, std::span<uint8_t> out) {
  return Decode(in, out, HasWide());
}

std::optional<size_t> Base64UrlDecodePortable(std::string_view in, std::span<uint8_t> out) {
  return Decode(in, out, false);
}

std::string Base64UrlEncode(std::span<const uint8_t> bytes) {
  std::string out;
  out.reserve((bytes.size() * 4 + 2) / 3);
  uint32_t pending = 0;
  int bits = 0;
  for (const uint8_t byte : bytes) {
    pending = pending << 8 | byte;
    for (bits += 8; bits >= 6; bits -= 6) out += kAlphabet[pending >> (bits - 6) & 0x3f];
  }
  if (bits > 0) out += kAlphabet[pending << (6 - bits) & 0x3f];
  return out;
}

}  // namespace tollgate::jose
