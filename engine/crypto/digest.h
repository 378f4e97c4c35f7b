#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace tollgate::crypto {

using Sha256Digest = std::array<uint8_t, 32>;

// Sha256 returns the digest of `bytes`. Does not allocate.
Sha256Digest Sha256(std::string_view bytes);

// HmacSha256 returns the RFC 2104 MAC of `bytes`. `key` may have any length. Does not allocate.
Sha256Digest HmacSha256(std::span<const uint8_t> key, std::string_view bytes);

// EqualInConstantTime compares without a data-dependent branch; different lengths are unequal at once.
bool EqualInConstantTime(std::span<const uint8_t> a, std::span<const uint8_t> b);

// RandomBytes fills `out` from the operating system's generator, as seeded and reseeded by BoringSSL. Cannot
// fail.
void RandomBytes(std::span<uint8_t> out);

// KeyedHash64 is SipHash-2-4 of `bytes` under a 128-bit secret key: an index for tables that strangers may
// try to fill with collisions. Not a tag: nothing may be taken for equal because its hash is.
uint64_t KeyedHash64(const std::array<uint64_t, 2>& key, std::string_view bytes);

}  // namespace tollgate::crypto
