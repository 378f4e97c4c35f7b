#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <string_view>

#include "base/marks.h"
#include "tollgate/reason.h"

namespace tollgate::claims {

namespace internal {

// The letters of a token68, RFC 9110 section 11.2.
inline constexpr std::array<bool, 256> kToken68 = [] {
  std::array<bool, 256> letters{};
  for (const char c :
       std::string_view("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~+/=")) {
    letters[static_cast<uint8_t>(c)] = true;
  }
  return letters;
}();

// WhyNoToken says what is wrong with a value that ReadAuthorization does not take.
TOLLGATE_SLOW Reason WhyNoToken(std::string_view value);

}  // namespace internal

// ReadAuthorization takes the token out of an Authorization header field value (RFC 6750 section 2.1, RFC
// 9110 section 11.4): the scheme "Bearer" without regard to case, one space, and one token68 up to the end.
// kNoCredential if `value` is empty, kUnsupportedScheme for any other scheme, kMalformedAuthorization
// otherwise. `token` is a view into `value`. Does not look at every letter of the token: the JWS reader does.
// Does not allocate.
TOLLGATE_INLINE Reason ReadAuthorization(std::string_view value, std::string_view* token) {
  using Bytes = std::array<char, 8>;
  constexpr auto kScheme = std::bit_cast<uint64_t>(Bytes{'b', 'e', 'a', 'r', 'e', 'r', ' ', 0});
  constexpr auto kLowerCase = std::bit_cast<uint64_t>(Bytes{32, 32, 32, 32, 32, 32, 0, 0});
  constexpr auto kCompared = std::bit_cast<uint64_t>(Bytes{-1, -1, -1, -1, -1, -1, -1, 0});
  constexpr size_t kSize = 7;
  if (value.size() > kSize) [[likely]] {
    uint64_t word;
    std::memcpy(&word, value.data(), sizeof word);
    // Both ends tell whether there is more than one space, or white space behind; the JWS reader looks at the
    // rest.
    if ((((word | kLowerCase) ^ kScheme) & kCompared) == 0 &&
        internal::kToken68[static_cast<uint8_t>(value[kSize])] &&
        internal::kToken68[static_cast<uint8_t>(value.back())]) [[likely]] {
      *token = value.substr(kSize);
      return Reason::kNone;
    }
  }
  return internal::WhyNoToken(value);
}

// IsB64Token is RFC 6750 section 2.1: what a Bearer credential is made of.
bool IsB64Token(std::string_view text);

}  // namespace tollgate::claims
