#include "crypto/digest.h"

#include <algorithm>

#include <openssl/mem.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <openssl/siphash.h>

namespace tollgate::crypto {
namespace {

const uint8_t* Bytes(std::string_view text) { return reinterpret_cast<const uint8_t*>(text.data()); }

}  // namespace

Sha256Digest Sha256(std::string_view bytes) {
  Sha256Digest digest;
  SHA256(Bytes(bytes), bytes.size(), digest.data());
  return digest;
}

// Written out, since BoringSSL's HMAC() puts its state on the heap.
Sha256Digest HmacSha256(std::span<const uint8_t> key, std::string_view bytes) {
  std::array<uint8_t, SHA256_CBLOCK> inner{};
  if (key.size() > inner.size()) {
    SHA256(key.data(), key.size(), inner.data());
  } else {
    std::copy(key.begin(), key.end(), inner.begin());
  }
  std::array<uint8_t, SHA256_CBLOCK> outer = inner;
  for (uint8_t& byte : inner) byte ^= 0x36;
  for (uint8_t& byte : outer) byte ^= 0x5c;

  SHA256_CTX context;
  Sha256Digest digest;
  SHA256_Init(&context);
  SHA256_Update(&context, inner.data(), inner.size());
  SHA256_Update(&context, bytes.data(), bytes.size());
  SHA256_Final(digest.data(), &context);
  SHA256_Init(&context);
  SHA256_Update(&context, outer.data(), outer.size());
  SHA256_Update(&context, digest.data(), digest.size());
  SHA256_Final(digest.data(), &context);

  OPENSSL_cleanse(inner.data(), inner.size());
  OPENSSL_cleanse(outer.data(), outer.size());
  OPENSSL_cleanse(&context, sizeof(context));
  return digest;
}

bool EqualInConstantTime(std::span<const uint8_t> a, std::span<const uint8_t> b) {
  return a.size() == b.size() && CRYPTO_memcmp(a.data(), b.data(), a.size()) == 0;
}

void RandomBytes(std::span<uint8_t> out) { RAND_bytes(out.data(), out.size()); }

uint64_t KeyedHash64(const std::array<uint64_t, 2>& key, std::string_view bytes) {
  return SIPHASH_24(key.data(), Bytes(bytes), bytes.size());
}

}  // namespace tollgate::crypto
