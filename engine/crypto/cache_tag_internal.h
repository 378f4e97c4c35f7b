#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "base/limits.h"
#include "base/marks.h"
#include "crypto/cache_tag.h"

// What the variants share. No BoringSSL here, and nothing but the standard library: each variant can be built
// alone, for another processor too.
namespace tollgate::crypto::internal {

struct TagMaterial {
  // k_0, k_1, …: pair i of the token meets words 2i and 2i + 1, then in the second iteration 2i + 2 and 2i
  // + 3. Two words would do beyond the longest token; six more let whole vectors be loaded.
  alignas(64) std::array<uint64_t, limits::kTokenBytesMax / 8 + 8> words;
  std::array<uint64_t, 2> length_words;                // l_0, l_1.
  alignas(16) std::array<uint8_t, 16> round_keys[11];  // Of AES-128, but independent of each other.
  std::array<uint64_t, 2> siphash_key;
  std::array<uint8_t, 64> prefix;  // Of kSha256.
  // From here on: made out of the above.
  alignas(16) std::array<uint8_t, 128> after_prefix;  // BoringSSL's SHA256_CTX that has taken in `prefix`.
  // k_2, k_3, …, so that the second iteration, too, loads vectors that lie in one line each.
  alignas(64) std::array<uint64_t, limits::kTokenBytesMax / 8 + 8> words_of_second;
};
static_assert(offsetof(TagMaterial, length_words) == TagKey::kLengthWordsOffset);
static_assert(offsetof(TagMaterial, round_keys) == TagKey::kRoundKeysOffset);
static_assert(offsetof(TagMaterial, siphash_key) == TagKey::kSipHashKeyOffset);
static_assert(offsetof(TagMaterial, prefix) == TagKey::kPrefixOffset);
static_assert(offsetof(TagMaterial, after_prefix) == TagKey::kSecretBytes);

// Padded is a token of which sixteen bytes before the end are there to be read; those of no token are zeros.
struct Padded {
  const char* start;
  alignas(16) char room[32];

  TOLLGATE_INLINE explicit Padded(std::string_view token) : start(token.data()) {
    if (token.size() >= 16) [[likely]]
      return;
    std::memset(room, 0, sizeof room);
    if (!token.empty()) std::memcpy(room + 16, start, token.size());
    start = room + 16;
  }
  Padded(const Padded&) = delete;
  Padded& operator=(const Padded&) = delete;
};

// The variants, each in its two halves. Tokens have at most limits::kTokenBytesMax bytes.
#if defined(__x86_64__)
uint64_t PlacePclmulAvx2(const TagMaterial& material, std::string_view token);
void TagPclmulAvx2(const TagMaterial& material, std::string_view token, Derived* out);
uint64_t PlaceVpclmulAvx512(const TagMaterial& material, std::string_view token);
void TagVpclmulAvx512(const TagMaterial& material, std::string_view token, Derived* out);
#elif defined(__aarch64__)
uint64_t PlacePmull(const TagMaterial& material, std::string_view token);
void TagPmull(const TagMaterial& material, std::string_view token, Derived* out);
#endif

}  // namespace tollgate::crypto::internal
