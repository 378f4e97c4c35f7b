#include "crypto/cache_tag.h"

#include <string.h>
#include <sys/mman.h>
#if defined(__aarch64__)
#include <sys/auxv.h>
#endif

#include <algorithm>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <type_traits>

#include <openssl/sha.h>

#include "crypto/cache_tag_internal.h"
#include "crypto/digest.h"

namespace tollgate::crypto {
namespace internal {
namespace {

static_assert(std::is_trivially_copyable_v<SHA256_CTX> && std::is_trivially_copyable_v<TagMaterial>);
static_assert(sizeof(SHA256_CTX) <= sizeof(TagMaterial::after_prefix));

constexpr size_t kTailBytes = 16;

uint64_t PlaceSipHash(const TagMaterial& material, std::string_view token) {
  return KeyedHash64(material.siphash_key, token.substr(token.size() - std::min(token.size(), kTailBytes)));
}

// TagSha256 takes tokens of any length.
void TagSha256(const TagMaterial& material, std::string_view token, Derived* out) {
  SHA256_CTX context;
  std::memcpy(&context, material.after_prefix.data(), sizeof context);
  SHA256_Update(&context, token.data(), token.size());
  Sha256Digest digest;
  SHA256_Final(digest.data(), &context);
  std::memcpy(out->tag.words.data(), digest.data(), sizeof digest);
}

TagFunctions FunctionsOf(TagVariant variant) {
  switch (variant) {
#if defined(__x86_64__)
    case TagVariant::kPclmulAvx2:
      return {PlacePclmulAvx2, TagPclmulAvx2};
    case TagVariant::kVpclmulAvx512:
      return {PlaceVpclmulAvx512, TagVpclmulAvx512};
#elif defined(__aarch64__)
    case TagVariant::kPmull:
      return {PlacePmull, TagPmull};
#endif
    default:
      return {PlaceSipHash, TagSha256};
  }
}

}  // namespace
}  // namespace internal

using internal::TagMaterial;

bool TagKey::Supported(TagVariant variant) {
  switch (variant) {
    case TagVariant::kSha256:
      return true;
#if defined(__x86_64__)
    // The compilers' tests include the operating system's: are these registers saved?
    case TagVariant::kPclmulAvx2:
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("pclmul") &&
             __builtin_cpu_supports("aes");
    case TagVariant::kVpclmulAvx512:
      __builtin_cpu_init();
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("vpclmulqdq") &&
             __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
    case TagVariant::kPmull:
      return std::endian::native == std::endian::little && (getauxval(AT_HWCAP) & HWCAP_PMULL) != 0 &&
             (getauxval(AT_HWCAP) & HWCAP_AES) != 0;
#endif
    default:
      return false;
  }
}

std::vector<TagVariant> TagKey::SupportedVariants() {
  std::vector<TagVariant> supported;
  for (const TagVariant variant :
       {TagVariant::kSha256, TagVariant::kPclmulAvx2, TagVariant::kVpclmulAvx512, TagVariant::kPmull}) {
    if (Supported(variant)) supported.push_back(variant);
  }
  return supported;
}

TagKey::TagKey(TagVariant variant) : TagKey(variant, {}) {}

std::unique_ptr<TagKey> TagKey::WithSecretForTest(TagVariant variant, std::span<const uint8_t> secret) {
  return std::unique_ptr<TagKey>(new TagKey(variant, secret));
}

// `secret` is empty for a random one.
TagKey::TagKey(TagVariant variant, std::span<const uint8_t> secret)
    : variant_(Supported(variant) ? variant : TagVariant::kSha256) {
  functions_ = internal::FunctionsOf(variant_);
  // Pages of its own, since madvise knows nothing smaller.
  void* memory =
      mmap(nullptr, sizeof(TagMaterial), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) std::abort();
  madvise(memory, sizeof(TagMaterial), MADV_DONTDUMP);
  material_ = static_cast<TagMaterial*>(memory);
  if (secret.size() == kSecretBytes) {
    std::memcpy(memory, secret.data(), kSecretBytes);
  } else {
    RandomBytes({static_cast<uint8_t*>(memory), kSecretBytes});
  }
  SHA256_CTX context;
  SHA256_Init(&context);
  SHA256_Update(&context, material_->prefix.data(), material_->prefix.size());
  std::memcpy(material_->after_prefix.data(), &context, sizeof context);
  explicit_bzero(&context, sizeof context);
  std::copy(material_->words.begin() + 2, material_->words.end(), material_->words_of_second.begin());
}

TagKey::~TagKey() {
  explicit_bzero(material_, sizeof(TagMaterial));
  munmap(material_, sizeof(TagMaterial));
}

TOLLGATE_SLOW void TagKey::DeriveLongTag(std::string_view token, Derived* out) const {
  internal::TagSha256(*material_, token, out);
}

}  // namespace tollgate::crypto
