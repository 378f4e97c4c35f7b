#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "base/limits.h"

// The name under which the verdict cache knows a token, and where it looks for it. docs/threat-model.md, "The
// cache tag", has the construction and the proof that no two tokens share a tag.
namespace tollgate::crypto {

// CacheTag stands for all bytes of a token and their number. It is a universal hash: whoever sees tags can
// work out the key. It never leaves the table: not logged, not stored, not shown, not compared for order.
struct CacheTag {
  alignas(16) std::array<uint64_t, 4> words;

  // Without a branch between the words: how far two tags agree is nobody's business.
  friend bool operator==(const CacheTag& a, const CacheTag& b) {
    return ((a.words[0] ^ b.words[0]) | (a.words[1] ^ b.words[1]) | (a.words[2] ^ b.words[2]) |
            (a.words[3] ^ b.words[3])) == 0;
  }
};

struct Derived {
  CacheTag tag;
  // A hash, under a key of its own, of the last 16 bytes of the token (all of it, if it is shorter), which in
  // a signed token are part of the signature. An index: nothing may be taken for equal because its place is.
  uint64_t place;
};

// TagVariant says how tags are made. Those with carry-less multiplication make equal tags under equal keys,
// and equal places.
enum class TagVariant : uint8_t {
  kSha256,         // Any processor. Ten times slower or so; the place is SipHash-2-4.
  kPclmulAvx2,     // x86-64 with AVX2, PCLMULQDQ and AES-NI.
  kVpclmulAvx512,  // x86-64 with AVX-512 F, BW and VL, VPCLMULQDQ and AES-NI.
  kPmull,          // AArch64 with FEAT_PMULL and FEAT_AES.
};

namespace internal {
struct TagMaterial;
struct TagFunctions {
  // Returned and not stored: what follows waits for it.
  uint64_t (*place)(const TagMaterial& material, std::string_view token);
  void (*tag)(const TagMaterial& material, std::string_view token, Derived* out);
};
}  // namespace internal

// TagKey is the secret of one table: made at random, never stored, kept out of core dumps, wiped at the end.
// Whoever is out of memory for its nine pages ends the process. Thread-compatible: Derive is const.
class TagKey {
 public:
  // kSha256 takes the place of a variant that is not Supported; see variant().
  explicit TagKey(TagVariant variant = BestVariant());
  ~TagKey();
  TagKey(const TagKey&) = delete;
  TagKey& operator=(const TagKey&) = delete;

  // Supported says whether processor and operating system run `variant`.
  static bool Supported(TagVariant variant);
  // SupportedVariants returns the supported ones, the best last; kSha256 is always the first.
  static std::vector<TagVariant> SupportedVariants();
  static TagVariant BestVariant() { return SupportedVariants().back(); }

  TagVariant variant() const { return variant_; }

  // Derive hashes `token`. Different tokens of at most limits::kTokenBytesMax bytes get different tags but
  // with probability 2^-128 a pair; longer ones are hashed as kSha256 does, slowly. No allocation, no system
  // call, and no memory outside of the token, the key and the stack is read.
  void Derive(std::string_view token, Derived* out) const {
    DerivePlace(token, out);
    DeriveTag(token, out);
  }

  // The two halves of Derive: whoever knows the place begins to fetch what lies there while the token is
  // hashed.
  void DerivePlace(std::string_view token, Derived* out) const {
    out->place = functions_.place(*material_, token);
  }
  void DeriveTag(std::string_view token, Derived* out) const {
    if (token.size() > limits::kTokenBytesMax) [[unlikely]]
      return DeriveLongTag(token, out);
    functions_.tag(*material_, token, out);
  }

  // What a key is made of, in this order: k_0 … k_2055, l_0 and l_1 (64-bit little-endian words), eleven AES
  // round keys, a SipHash key, and the prefix of kSha256.
  static constexpr size_t kLengthWordsOffset = limits::kTokenBytesMax + 64;
  static constexpr size_t kRoundKeysOffset = kLengthWordsOffset + 16;
  static constexpr size_t kSipHashKeyOffset = kRoundKeysOffset + size_t{11} * 16;
  static constexpr size_t kPrefixOffset = kSipHashKeyOffset + 16;
  static constexpr size_t kSecretBytes = kPrefixOffset + 64;
  // WithSecretForTest makes a key that somebody else knows, to hold variants against each other. A secret
  // that is not of kSecretBytes is as none: the key is random.
  static std::unique_ptr<TagKey> WithSecretForTest(TagVariant variant, std::span<const uint8_t> secret);

 private:
  TagKey(TagVariant variant, std::span<const uint8_t> secret);
  void DeriveLongTag(std::string_view token, Derived* out) const;

  internal::TagFunctions functions_;
  internal::TagMaterial* material_;  // Pages of their own.
  TagVariant variant_;
};

}  // namespace tollgate::crypto
