#include "crypto/digest.h"

#include <numeric>
#include <set>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace tollgate::crypto {
namespace {

std::string Hex(const Sha256Digest& digest) {
  std::string text;
  for (const uint8_t byte : digest) {
    for (const int nibble : {byte >> 4, byte & 15}) text += "0123456789abcdef"[nibble];
  }
  return text;
}

std::vector<uint8_t> Bytes(std::string_view text) { return {text.begin(), text.end()}; }

// FIPS 180-4 example messages.
TEST(Sha256, AgreesWithTheStandardsExamples) {
  EXPECT_EQ(Hex(Sha256("")), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex(Sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex(Sha256("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq")),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

// RFC 4231 sections 4.2, 4.3, 4.4, 4.7 and 4.8: short keys, and one longer than a block.
TEST(HmacSha256, AgreesWithRfc4231) {
  const std::vector<uint8_t> key1(20, 0x0b), key3(20, 0xaa), key6(131, 0xaa);
  EXPECT_EQ(Hex(HmacSha256(key1, "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(Hex(HmacSha256(Bytes("Jefe"), "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(Hex(HmacSha256(key3, std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(Hex(HmacSha256(key6, "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
  EXPECT_EQ(Hex(HmacSha256(key6,
                           "This is a test using a larger than block-size key and a larger than block-size "
                           "data. The key needs to be hashed before being used by the HMAC algorithm.")),
            "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2");
}

TEST(HmacSha256, ABlockLongKeyIsUsedAsItIsAndALongerOneIsHashed) {
  const std::vector<uint8_t> block(64, 7), longer(65, 7);
  const Sha256Digest hashed = Sha256(std::string(65, 7));
  EXPECT_EQ(HmacSha256(longer, "m"), HmacSha256(hashed, "m"));
  EXPECT_NE(HmacSha256(block, "m"), HmacSha256(longer, "m"));
}

TEST(HmacSha256, AnEmptyKeyIsAKeyOfZeros) {
  EXPECT_EQ(HmacSha256({}, "m"), HmacSha256(std::vector<uint8_t>(64, 0), "m"));
}

TEST(EqualInConstantTime, ComparesContentAndLength) {
  const std::vector<uint8_t> a = {1, 2, 3}, same = {1, 2, 3}, first = {0, 2, 3}, last = {1, 2, 4},
                             prefix = {1, 2};
  EXPECT_TRUE(EqualInConstantTime(a, same));
  EXPECT_FALSE(EqualInConstantTime(a, first));
  EXPECT_FALSE(EqualInConstantTime(a, last));
  EXPECT_FALSE(EqualInConstantTime(a, prefix));
  EXPECT_FALSE(EqualInConstantTime({}, prefix));
  EXPECT_TRUE(EqualInConstantTime({}, {}));
}

TEST(RandomBytes, FillsEveryByteAndNeverRepeats) {
  std::set<std::vector<uint8_t>> seen;
  std::vector<bool> nonzero(64, false);
  for (int i = 0; i < 64; ++i) {
    std::vector<uint8_t> bytes(64, 0);
    RandomBytes(bytes);
    for (size_t j = 0; j < bytes.size(); ++j) nonzero[j] = nonzero[j] || bytes[j] != 0;
    EXPECT_TRUE(seen.insert(bytes).second);
  }
  EXPECT_EQ(std::count(nonzero.begin(), nonzero.end(), false), 0);
  RandomBytes({});
}

// Aumasson and Bernstein, "SipHash: a fast short-input PRF": key 00…0f, message 00, 01, 02…; the paper's own
// example is the one of 15 bytes.
TEST(KeyedHash64, AgreesWithTheReferenceVectorsOfSipHash24) {
  const std::array<uint64_t, 2> key = {0x0706050403020100, 0x0f0e0d0c0b0a0908};
  std::string message(63, '\0');
  std::iota(message.begin(), message.end(), '\0');
  const std::pair<size_t, uint64_t> vectors[] = {
      {0, 0x726fdb47dd0e0e31},  {1, 0x74f839c593dc67fd},  {2, 0x0d6c8009d9a94f5a},  {3, 0x85676696d7fb7e2d},
      {4, 0xcf2794e0277187b7},  {5, 0x18765564cd99a68d},  {6, 0xcbc9466e58fee3ce},  {7, 0xab0200f58b01d137},
      {8, 0x93f5f5799a932462},  {9, 0x9e0082df0ba9e4b0},  {10, 0x7a5dbbc594ddb9f3}, {15, 0xa129ca6149be45e5},
      {16, 0x3f2acc7f57c29bdb}, {63, 0x958a324ceb064572},
  };
  for (const auto& [size, hash] : vectors) {
    EXPECT_EQ(KeyedHash64(key, std::string_view(message).substr(0, size)), hash) << size;
  }
}

TEST(KeyedHash64, DependsOnBothWordsOfTheKey) {
  EXPECT_NE(KeyedHash64({1, 2}, "m"), KeyedHash64({3, 2}, "m"));
  EXPECT_NE(KeyedHash64({1, 2}, "m"), KeyedHash64({1, 3}, "m"));
}

}  // namespace
}  // namespace tollgate::crypto
