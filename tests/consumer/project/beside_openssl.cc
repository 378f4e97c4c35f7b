// A host with an OpenSSL of its own, linked beside the static archive: each keeps its own functions, although
// BoringSSL's have the same names.
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <cstdio>
#include <cstring>

#include "verify_one.h"

namespace {

bool OpenSslWorks() {
  // SHA-256 of "abc", FIPS 180-4's example.
  static constexpr unsigned char kExpected[SHA256_DIGEST_LENGTH] = {
      0xba, 0x78, 0x16, 0xbf, 0x8f, 0x01, 0xcf, 0xea, 0x41, 0x41, 0x40, 0xde, 0x5d, 0xae, 0x22, 0x23,
      0xb0, 0x03, 0x61, 0xa3, 0x96, 0x17, 0x7a, 0x9c, 0xb4, 0x10, 0xff, 0x61, 0xf2, 0x00, 0x15, 0xad};
  const auto* text = reinterpret_cast<const unsigned char*>("abc");
  unsigned char direct[SHA256_DIGEST_LENGTH];
  unsigned char by_evp[SHA256_DIGEST_LENGTH];
  SHA256(text, 3, direct);
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  const bool evp = EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1 &&
                   EVP_DigestUpdate(context, text, 3) == 1 &&
                   EVP_DigestFinal_ex(context, by_evp, nullptr) == 1;
  EVP_MD_CTX_free(context);
  const char* version = OpenSSL_version(OPENSSL_VERSION);
  std::printf("host: %s\n", version);
  return evp && std::memcmp(direct, kExpected, sizeof kExpected) == 0 &&
         std::memcmp(by_evp, kExpected, sizeof kExpected) == 0 && std::strncmp(version, "OpenSSL ", 8) == 0;
}

}  // namespace

int main() { return OpenSslWorks() && VerifiesOneToken() && OpenSslWorks() ? 0 : 1; }
