// beside_curl URL CA_FILE: one process in which the system's libcurl talks TLS through the system's OpenSSL
// while the crypto room verifies ES256 through our BoringSSL: functions of the same names, and each its own.
// Exits with 0 if all of it was right, 77 if this libcurl does not use OpenSSL.
#include <curl/curl.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>

#include "crypto/verify_key.h"

namespace {

using tollgate::crypto::SignatureCheck;

// RFC 7515, appendix A.3.
constexpr char kSigningInput[] =
    "eyJhbGciOiJFUzI1NiJ9."
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0"
    "cnVlfQ";
constexpr std::array<uint8_t, 32> kX = {0x7f, 0xcd, 0xce, 0x27, 0x70, 0xf6, 0xc4, 0x5d, 0x41, 0x83, 0xcb,
                                        0xee, 0x6f, 0xdb, 0x4b, 0x7b, 0x58, 0x07, 0x33, 0x35, 0x7b, 0xe9,
                                        0xef, 0x13, 0xba, 0xcf, 0x6e, 0x3c, 0x7b, 0xd1, 0x54, 0x45};
constexpr std::array<uint8_t, 32> kY = {0xc7, 0xf1, 0x44, 0xcd, 0x1b, 0xbd, 0x9b, 0x7e, 0x87, 0x2c, 0xdf,
                                        0xed, 0xb9, 0xee, 0xb9, 0xf4, 0xb3, 0x69, 0x5d, 0x6e, 0xa9, 0x0b,
                                        0x24, 0xad, 0x8a, 0x46, 0x23, 0x28, 0x85, 0x88, 0xe5, 0xad};
constexpr std::array<uint8_t, 64> kSignature = {
    0x0e, 0xd1, 0x21, 0x53, 0x79, 0x63, 0x6c, 0x48, 0x3c, 0x2f, 0x7f, 0x15, 0x58, 0x07, 0xd4, 0x02,
    0xa3, 0xb2, 0x28, 0x03, 0x3a, 0xf9, 0x7c, 0x7e, 0x17, 0x81, 0x9a, 0xc3, 0x16, 0x9e, 0xa6, 0x65,
    0xc5, 0x0a, 0x07, 0xd3, 0x8c, 0x3c, 0x70, 0xe5, 0xd8, 0xf1, 0x2d, 0xaf, 0x08, 0x4a, 0x54, 0x80,
    0xa6, 0x65, 0x90, 0xc5, 0xf2, 0x93, 0x50, 0x9a, 0x8f, 0x3f, 0x7f, 0x8a, 0x83, 0xa3, 0x54, 0xd5};

bool VerifiesEs256() {
  const auto key = tollgate::crypto::VerifyKey::Ec(tollgate::crypto::KeyType::kP256, kX, kY);
  if (!key.ok()) return false;
  std::array<uint8_t, 64> forged = kSignature;
  forged[40] ^= 1;
  return key->Verify(tollgate::Algorithm::kEs256, kSigningInput, kSignature) == SignatureCheck::kGood &&
         key->Verify(tollgate::Algorithm::kEs256, kSigningInput, forged) == SignatureCheck::kBad;
}

size_t Append(char* data, size_t size, size_t count, void* body) {
  static_cast<std::string*>(body)->append(data, size * count);
  return size * count;
}

// Fetch returns the body of `url`, or curl's error. Without `ca_file` the server's certificate must be
// refused.
std::string Fetch(const char* url, const char* ca_file) {
  std::string body;
  CURL* curl = curl_easy_init();
  curl_easy_setopt(curl, CURLOPT_URL, url);
  if (ca_file != nullptr) curl_easy_setopt(curl, CURLOPT_CAINFO, ca_file);
  curl_easy_setopt(curl, CURLOPT_PROXY, "");
  curl_easy_setopt(curl, CURLOPT_TIMEOUT, 60L);
  curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, Append);
  curl_easy_setopt(curl, CURLOPT_WRITEDATA, &body);
  const CURLcode result = curl_easy_perform(curl);
  curl_easy_cleanup(curl);
  return result == CURLE_OK ? body : std::string(curl_easy_strerror(result));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  const char* tls = curl_version_info(CURLVERSION_NOW)->ssl_version;
  std::printf("libcurl uses %s\n", tls);
  if (std::strncmp(tls, "OpenSSL/", 8) != 0) return 77;
  bool good = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
  for (int round = 0; round < 3; ++round) {
    const bool verified = VerifiesEs256();
    const std::string body = Fetch(argv[1], argv[2]);
    const std::string refused = Fetch(argv[1], nullptr);
    std::printf("ES256 %s; with our CA: %s; without: %s\n", verified ? "right" : "WRONG", body.c_str(),
                refused.c_str());
    good = good && verified && body == "hello over TLS" &&
           refused == curl_easy_strerror(CURLE_PEER_FAILED_VERIFICATION);
  }
  curl_global_cleanup();
  return good ? 0 : 1;
}
