#pragma once

#include <array>
#include <cstdint>

namespace tollgate::crypto {

enum class Ed25519Point : uint8_t { kNotCanonical, kNotOnCurve, kSmallOrder, kGood };

// CheckEd25519Point says whether `encoded` is a public key that proves something. BoringSSL decodes the point
// at each verification, reduces a y of 2^255 − 19 or more instead of refusing it (RFC 8032 section 5.1.3),
// and accepts the eight points of small order, under which anybody can sign. Allocates; about as slow as a
// verification.
Ed25519Point CheckEd25519Point(const std::array<uint8_t, 32>& encoded);

}  // namespace tollgate::crypto
