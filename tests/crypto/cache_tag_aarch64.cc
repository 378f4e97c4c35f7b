// The AArch64 cache tag against the reference; built and run on other processors too, by cache_tag_aarch64.
// Needs neither BoringSSL nor GoogleTest, which are not there for AArch64.

#include <sys/auxv.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <random>
#include <string>

#include "crypto/cache_tag_internal.h"
#include "tests/crypto/cache_tag_reference.h"

namespace tollgate::crypto {
namespace {

// FIPS 197 appendix A.1, the round keys, and B, a block.
constexpr char kRoundKeys[] =
    "2b7e151628aed2a6abf7158809cf4f3ca0fafe1788542cb123a339392a6c7605f2c295f27a96b9435935807a7359f67f"
    "3d80477d4716fe3e1e237e446d7a883bef44a541a8525b7fb671253bdb0bad00d4d1c6f87c839d87caf2b8bc11f915bc"
    "6d88a37a110b3efddbf98641ca0093fd4e54f70e5f5fc9f384a64fb24ea6dc4fead27321b58dbad2312bf5607f8d292f"
    "ac7766f319fadc2128d12941575c006ed014f9a8c9ee2589e13f0cc8b6630ca6";
constexpr char kPlain[] = "3243f6a8885a308d313198a2e0370734";
constexpr char kCipher[] = "3925841d02dc09fb";

std::string FromHex(std::string_view hex) {
  std::string bytes;
  for (size_t i = 0; i < hex.size(); i += 2) {
    bytes += static_cast<char>(std::stoi(std::string(hex.substr(i, 2)), nullptr, 16));
  }
  return bytes;
}

int Run() {
  if ((getauxval(AT_HWCAP) & HWCAP_PMULL) == 0) {
    std::puts("this processor has no PMULL");
    return 77;
  }
  std::mt19937_64 random(1);
  std::vector<uint8_t> secret(TagKey::kSecretBytes);
  for (uint8_t& byte : secret) byte = static_cast<uint8_t>(random());
  const std::string round_keys = FromHex(kRoundKeys);
  std::copy(round_keys.begin(), round_keys.end(), secret.begin() + TagKey::kRoundKeysOffset);
  const auto material = std::make_unique<internal::TagMaterial>();
  std::memcpy(material.get(), secret.data(), secret.size());

  int wrong = 0, tried = 0;
  const auto try_token = [&](std::string_view token) {
    // A copy with nothing behind it.
    const std::unique_ptr<char[]> copy(new char[token.size()]);
    std::copy(token.begin(), token.end(), copy.get());
    Derived derived;
    const std::string_view presented(copy.get(), token.size());
    derived.place = internal::PlacePmull(*material, presented);
    internal::TagPmull(*material, presented, &derived);
    ++tried;
    if (derived.tag == test::ReferenceTag(secret, token)) return derived.place;
    std::printf("wrong at %zu bytes\n", token.size());
    ++wrong;
    return derived.place;
  };
  std::string bytes(limits::kTokenBytesMax, '\0');
  for (char& byte : bytes) byte = static_cast<char>(random());
  for (size_t length = 0; length <= 300; ++length) try_token(std::string_view(bytes).substr(0, length));
  for (size_t length = 300; length + 3 <= bytes.size(); length += 997) {
    try_token(std::string_view(bytes).substr(3, length));
  }
  try_token(bytes);
  const std::string cipher = FromHex(kCipher);
  const uint64_t expected = test::LittleEndian(reinterpret_cast<const uint8_t*>(cipher.data()));
  if (try_token("before " + FromHex(kPlain)) != expected || try_token(FromHex(kPlain)) != expected) {
    std::puts("the place is not AES-128 of the last block");
    ++wrong;
  }
  // A token that is shorter than a block has the place of its bytes behind zeros.
  if (try_token("short") != try_token(std::string(11, '\0') + "short")) {
    std::puts("the place of a short token");
    ++wrong;
  }
  std::printf("%d tokens, %d wrong\n", tried, wrong);
  return wrong == 0 && tried > 300 ? 0 : 1;
}

}  // namespace
}  // namespace tollgate::crypto

int main() { return tollgate::crypto::Run(); }
