#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "crypto/cache_tag.h"

// The cache tag as docs/threat-model.md defines it, bit by bit, sharing no code with engine/. The
// construction is a template over the kind of words, so that the proof can be tried on words for which all
// keys can be counted.
namespace tollgate::crypto::test {

// The carry-less product of two words of at most 64 bits, low half first.
inline std::array<uint64_t, 2> MultiplyBitByBit(uint64_t a, uint64_t b) {
  std::array<uint64_t, 2> product{};
  for (int bit = 0; bit < 64; ++bit) {
    if ((b >> bit & 1) == 0) continue;
    product[0] ^= a << bit;
    if (bit > 0) product[1] ^= a >> (64 - bit);
  }
  return product;
}

struct Words64 {
  using Word = uint64_t;
  using Product = std::array<uint64_t, 2>;
  static Product Multiply(Word a, Word b) { return MultiplyBitByBit(a, b); }
  static Product Add(Product a, Product b) { return {a[0] ^ b[0], a[1] ^ b[1]}; }
};

// One iteration over `message`, which has an even number of words; `key` has at least as many.
template <typename Kind>
typename Kind::Product Iterate(std::span<const typename Kind::Word> message, typename Kind::Word length,
                               const typename Kind::Word* key, typename Kind::Word length_word) {
  typename Kind::Product sum = Kind::Multiply(length, length_word);
  for (size_t i = 0; i < message.size(); i += 2) {
    sum = Kind::Add(sum, Kind::Multiply(message[i] ^ key[i], message[i + 1] ^ key[i + 1]));
  }
  return sum;
}

// By how many words of the key the second iteration is behind the first.
inline constexpr size_t kToeplitzShift = 2;

inline uint64_t LittleEndian(const uint8_t* bytes) {
  uint64_t word = 0;
  for (int i = 7; i >= 0; --i) word = word << 8 | bytes[i];
  return word;
}

// ReferenceTag returns the tag of `token` under `secret`, which has TagKey::kSecretBytes.
inline CacheTag ReferenceTag(std::span<const uint8_t> secret, std::string_view token) {
  std::vector<uint8_t> padded(token.begin(), token.end());
  padded.resize((token.size() + 63) / 64 * 64);
  std::vector<uint64_t> message, key;
  for (size_t at = 0; at < padded.size(); at += 8) message.push_back(LittleEndian(&padded[at]));
  for (size_t at = 0; at < TagKey::kLengthWordsOffset; at += 8) key.push_back(LittleEndian(&secret[at]));
  CacheTag tag;
  for (size_t t = 0; t < 2; ++t) {
    const uint64_t length_word = LittleEndian(&secret[TagKey::kLengthWordsOffset + 8 * t]);
    const auto sum = Iterate<Words64>(message, token.size(), key.data() + kToeplitzShift * t, length_word);
    tag.words[2 * t] = sum[0];
    tag.words[2 * t + 1] = sum[1];
  }
  return tag;
}

}  // namespace tollgate::crypto::test
