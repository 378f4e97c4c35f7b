#include "crypto/cache_tag.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <memory>
#include <random>
#include <string>

#include <gtest/gtest.h>

#include "base/limits.h"
#include "crypto/digest.h"
#include "tests/crypto/cache_tag_reference.h"

namespace tollgate::crypto {
namespace {

constexpr size_t kBytesMax = limits::kTokenBytesMax;

const char* Name(TagVariant variant) {
  switch (variant) {
    case TagVariant::kSha256:
      return "Sha256";
    case TagVariant::kPclmulAvx2:
      return "PclmulAvx2";
    case TagVariant::kVpclmulAvx512:
      return "VpclmulAvx512";
    case TagVariant::kPmull:
      return "Pmull";
  }
  return "?";
}

std::vector<uint8_t> RandomSecret() {
  std::vector<uint8_t> secret(TagKey::kSecretBytes);
  RandomBytes(secret);
  return secret;
}

std::string RandomToken(size_t size) {
  std::string token(size, 0);
  RandomBytes({reinterpret_cast<uint8_t*>(token.data()), size});
  return token;
}

std::vector<TagVariant> CarryLessVariants() {
  std::vector<TagVariant> variants = TagKey::SupportedVariants();
  std::erase(variants, TagVariant::kSha256);
  return variants;
}

// All lengths at which a block, a pair or a word begins or ends nearby.
std::vector<size_t> Lengths() {
  std::vector<size_t> lengths;
  for (size_t length = 0; length <= 300; ++length) lengths.push_back(length);
  for (size_t blocks = 5; blocks <= kBytesMax / 64; blocks += blocks < 40 ? 1 : 17) {
    for (size_t length = blocks * 64 - 1; length <= blocks * 64 + 1; ++length) lengths.push_back(length);
  }
  for (size_t length = kBytesMax - 130; length <= kBytesMax; ++length) lengths.push_back(length);
  return lengths;
}

CacheTag TagOf(const TagKey& key, std::string_view token) {
  Derived derived;
  key.Derive(token, &derived);
  return derived.tag;
}

uint64_t PlaceOf(const TagKey& key, std::string_view token) {
  Derived derived;
  key.Derive(token, &derived);
  return derived.place;
}

class CacheTagTest : public testing::TestWithParam<TagVariant> {
 protected:
  const std::vector<uint8_t> secret_ = RandomSecret();
  const std::unique_ptr<TagKey> key_ = TagKey::WithSecretForTest(GetParam(), secret_);
};

INSTANTIATE_TEST_SUITE_P(All, CacheTagTest, testing::ValuesIn(TagKey::SupportedVariants()),
                         [](const auto& test) { return Name(test.param); });

class CarryLessTagTest : public CacheTagTest {};
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(CarryLessTagTest);
INSTANTIATE_TEST_SUITE_P(All, CarryLessTagTest, testing::ValuesIn(CarryLessVariants()),
                         [](const auto& test) { return Name(test.param); });

TEST_P(CarryLessTagTest, EqualsTheReferenceAtEveryLengthAndAlignment) {
  const std::string bytes = RandomToken(kBytesMax + 64);
  size_t start = 0;
  for (const size_t length : Lengths()) {
    start = (start + 7) % 64;
    const std::string_view token = std::string_view(bytes).substr(start, length);
    ASSERT_EQ(TagOf(*key_, token), test::ReferenceTag(secret_, token)) << length << " at " << start;
  }
}

TEST_P(CarryLessTagTest, EqualsTheReferenceWhereBitsAreAllSetOrClear) {
  for (const char byte : {'\0', '\xff', '\x80', '\x01'}) {
    for (const size_t length : {size_t{1}, size_t{16}, size_t{64}, size_t{800}, kBytesMax}) {
      const std::string token(length, byte);
      ASSERT_EQ(TagOf(*key_, token), test::ReferenceTag(secret_, token)) << length;
    }
  }
}

// FIPS 197 appendix B: the round keys are those of its appendix A.1.
TEST_P(CarryLessTagTest, ThePlaceIsAesOfTheLastBlock) {
  constexpr uint8_t kRoundKeys[] = {
      0x2b, 0x7e, 0x15, 0x16, 0x28, 0xae, 0xd2, 0xa6, 0xab, 0xf7, 0x15, 0x88, 0x09, 0xcf, 0x4f, 0x3c,
      0xa0, 0xfa, 0xfe, 0x17, 0x88, 0x54, 0x2c, 0xb1, 0x23, 0xa3, 0x39, 0x39, 0x2a, 0x6c, 0x76, 0x05,
      0xf2, 0xc2, 0x95, 0xf2, 0x7a, 0x96, 0xb9, 0x43, 0x59, 0x35, 0x80, 0x7a, 0x73, 0x59, 0xf6, 0x7f,
      0x3d, 0x80, 0x47, 0x7d, 0x47, 0x16, 0xfe, 0x3e, 0x1e, 0x23, 0x7e, 0x44, 0x6d, 0x7a, 0x88, 0x3b,
      0xef, 0x44, 0xa5, 0x41, 0xa8, 0x52, 0x5b, 0x7f, 0xb6, 0x71, 0x25, 0x3b, 0xdb, 0x0b, 0xad, 0x00,
      0xd4, 0xd1, 0xc6, 0xf8, 0x7c, 0x83, 0x9d, 0x87, 0xca, 0xf2, 0xb8, 0xbc, 0x11, 0xf9, 0x15, 0xbc,
      0x6d, 0x88, 0xa3, 0x7a, 0x11, 0x0b, 0x3e, 0xfd, 0xdb, 0xf9, 0x86, 0x41, 0xca, 0x00, 0x93, 0xfd,
      0x4e, 0x54, 0xf7, 0x0e, 0x5f, 0x5f, 0xc9, 0xf3, 0x84, 0xa6, 0x4f, 0xb2, 0x4e, 0xa6, 0xdc, 0x4f,
      0xea, 0xd2, 0x73, 0x21, 0xb5, 0x8d, 0xba, 0xd2, 0x31, 0x2b, 0xf5, 0x60, 0x7f, 0x8d, 0x29, 0x2f,
      0xac, 0x77, 0x66, 0xf3, 0x19, 0xfa, 0xdc, 0x21, 0x28, 0xd1, 0x29, 0x41, 0x57, 0x5c, 0x00, 0x6e,
      0xd0, 0x14, 0xf9, 0xa8, 0xc9, 0xee, 0x25, 0x89, 0xe1, 0x3f, 0x0c, 0xc8, 0xb6, 0x63, 0x0c, 0xa6};
  constexpr char kPlain[] = "\x32\x43\xf6\xa8\x88\x5a\x30\x8d\x31\x31\x98\xa2\xe0\x37\x07\x34";
  constexpr uint8_t kCipher[] = {0x39, 0x25, 0x84, 0x1d, 0x02, 0xdc, 0x09, 0xfb};
  std::vector<uint8_t> secret = secret_;
  std::copy(std::begin(kRoundKeys), std::end(kRoundKeys), secret.begin() + TagKey::kRoundKeysOffset);
  const auto key = TagKey::WithSecretForTest(GetParam(), secret);
  const std::string block(kPlain, 16);
  EXPECT_EQ(PlaceOf(*key, block), test::LittleEndian(kCipher));
  EXPECT_EQ(PlaceOf(*key, "before " + block), test::LittleEndian(kCipher));
}

TEST_P(CarryLessTagTest, AShortTokensPlaceIsThatOfItsBytesBehindZeros) {
  for (size_t length = 0; length < 16; ++length) {
    const std::string token = RandomToken(length);
    EXPECT_EQ(PlaceOf(*key_, token), PlaceOf(*key_, std::string(16 - length, '\0') + token)) << length;
  }
}

TEST(CacheTag, VariantsAgreeOnPlacesToo) {
  const std::vector<uint8_t> secret = RandomSecret();
  for (const TagVariant variant : CarryLessVariants()) {
    const auto one = TagKey::WithSecretForTest(CarryLessVariants().front(), secret);
    const auto other = TagKey::WithSecretForTest(variant, secret);
    for (size_t length = 0; length < 100; ++length) {
      const std::string token = RandomToken(length);
      EXPECT_EQ(PlaceOf(*one, token), PlaceOf(*other, token)) << Name(variant) << " " << length;
    }
  }
}

TEST_P(CacheTagTest, AFlippedBitAnywhereChangesTheTag) {
  for (const size_t length : {size_t{1}, size_t{15}, size_t{64}, size_t{800}}) {
    std::string token = RandomToken(length);
    const CacheTag tag = TagOf(*key_, token);
    EXPECT_EQ(TagOf(*key_, token), tag);
    for (size_t bit = 0; bit < 8 * length; ++bit) {
      token[bit / 8] = static_cast<char>(token[bit / 8] ^ 1 << bit % 8);
      ASSERT_FALSE(TagOf(*key_, token) == tag) << length << " bit " << bit;
      token[bit / 8] = static_cast<char>(token[bit / 8] ^ 1 << bit % 8);
    }
  }
}

TEST_P(CacheTagTest, ZeroBytesBehindATokenChangeTheTag) {
  for (const size_t length : {size_t{0}, size_t{1}, size_t{63}, size_t{64}, size_t{800}}) {
    std::string token = RandomToken(length);
    std::vector<CacheTag> tags;
    for (int i = 0; i < 70; ++i, token += '\0') {
      const CacheTag tag = TagOf(*key_, token);
      EXPECT_EQ(std::count(tags.begin(), tags.end(), tag), 0) << length << " and " << i;
      tags.push_back(tag);
    }
  }
}

TEST_P(CacheTagTest, ThePlaceIsOfTheLastSixteenBytesAlone) {
  std::string token = RandomToken(800);
  const uint64_t place = PlaceOf(*key_, token);
  for (size_t at = 0; at < token.size(); ++at) {
    token[at] = static_cast<char>(token[at] ^ 1);
    EXPECT_EQ(PlaceOf(*key_, token) == place, at + 16 < token.size()) << at;
    token[at] = static_cast<char>(token[at] ^ 1);
  }
}

TEST_P(CacheTagTest, KeysDiffer) {
  const TagKey one(GetParam()), other(GetParam());
  const std::string token = RandomToken(800);
  for (size_t word = 0; word < 4; ++word) {
    EXPECT_NE(TagOf(one, token).words[word], TagOf(other, token).words[word]);
  }
  EXPECT_NE(PlaceOf(one, token), PlaceOf(other, token));
}

// Memory with pages behind and before it that nobody may touch.
class GuardedMemory {
 public:
  explicit GuardedMemory(size_t pages) : page_(static_cast<size_t>(sysconf(_SC_PAGESIZE))) {
    size_ = pages * page_;
    mapping_ = mmap(nullptr, size_ + 2 * page_, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (mapping_ == MAP_FAILED || mprotect(begin(), size_, PROT_READ | PROT_WRITE) != 0) std::abort();
  }
  ~GuardedMemory() { munmap(mapping_, size_ + 2 * page_); }
  GuardedMemory(const GuardedMemory&) = delete;
  GuardedMemory& operator=(const GuardedMemory&) = delete;

  char* begin() const { return static_cast<char*>(mapping_) + page_; }
  char* end() const { return begin() + size_; }

 private:
  size_t page_;
  size_t size_;
  void* mapping_;
};

TEST_P(CacheTagTest, ReadsNothingBesideTheToken) {
  const GuardedMemory memory(kBytesMax / 4096 + 1);
  for (const size_t length : Lengths()) {
    const std::string token = RandomToken(length);
    const CacheTag tag = TagOf(*key_, token);
    char* at_end = memory.end() - length;
    std::copy(token.begin(), token.end(), at_end);
    ASSERT_EQ(TagOf(*key_, {at_end, length}), tag) << length;
    std::copy(token.begin(), token.end(), memory.begin());
    ASSERT_EQ(TagOf(*key_, {memory.begin(), length}), tag) << length;
  }
  EXPECT_EQ(TagOf(*key_, {}), TagOf(*key_, {memory.end(), 0}));
}

TEST_P(CacheTagTest, TokensLongerThanAnyAreHashedToo) {
  const auto sha256 = TagKey::WithSecretForTest(TagVariant::kSha256, secret_);
  for (const size_t length : {kBytesMax + 1, kBytesMax + 64, 3 * kBytesMax}) {
    std::string token = RandomToken(length);
    const CacheTag tag = TagOf(*key_, token);
    EXPECT_EQ(tag, TagOf(*sha256, token));
    token.back() = static_cast<char>(token.back() ^ 1);
    EXPECT_FALSE(TagOf(*key_, token) == tag);
  }
}

TEST(CacheTag, EqualityIsOfAllWords) {
  const CacheTag tag{{1, 2, 3, 4}};
  EXPECT_TRUE(tag == tag);
  for (size_t word = 0; word < 4; ++word) {
    for (const int bit : {0, 31, 32, 63}) {
      CacheTag other = tag;
      other.words[word] ^= uint64_t{1} << bit;
      EXPECT_FALSE(tag == other);
    }
  }
  EXPECT_FALSE((CacheTag{{1, 1, 0, 0}} == CacheTag{}));  // Differences that are equal do not cancel out.
}

TEST(CacheTag, WithoutCarryLessMultiplicationItIsSha256OfPrefixAndToken) {
  const std::vector<uint8_t> secret = RandomSecret();
  const auto key = TagKey::WithSecretForTest(TagVariant::kSha256, secret);
  const std::string prefix(secret.begin() + TagKey::kPrefixOffset, secret.end());
  ASSERT_EQ(prefix.size(), 64U);
  const std::array<uint64_t, 2> siphash_key = {test::LittleEndian(&secret[TagKey::kSipHashKeyOffset]),
                                               test::LittleEndian(&secret[TagKey::kSipHashKeyOffset + 8])};
  for (const size_t length : {0, 1, 15, 16, 17, 55, 56, 64, 800, 16'384, 20'000}) {
    const std::string token = RandomToken(length);
    const Sha256Digest digest = Sha256(prefix + token);
    const CacheTag tag = TagOf(*key, token);
    EXPECT_EQ(std::memcmp(digest.data(), tag.words.data(), digest.size()), 0) << length;
    EXPECT_EQ(PlaceOf(*key, token),
              KeyedHash64(siphash_key, token.substr(length - std::min<size_t>(length, 16))));
  }
}

TEST(TagKey, TakesTheBestVariantAndSha256ForWhatThisProcessorLacks) {
  const std::vector<TagVariant> supported = TagKey::SupportedVariants();
  EXPECT_EQ(supported.front(), TagVariant::kSha256);
  EXPECT_EQ(TagKey().variant(), supported.back());
  int lacking = 0;
  for (const TagVariant variant :
       {TagVariant::kSha256, TagVariant::kPclmulAvx2, TagVariant::kVpclmulAvx512, TagVariant::kPmull}) {
    if (TagKey::Supported(variant)) {
      EXPECT_EQ(TagKey(variant).variant(), variant) << Name(variant);
      continue;
    }
    ++lacking;
    const TagKey key(variant);
    EXPECT_EQ(key.variant(), TagVariant::kSha256) << Name(variant);
    EXPECT_FALSE(TagOf(key, "one") == TagOf(key, "two"));
  }
  EXPECT_GT(lacking, 0);  // No processor has them all.
}

// Bytes of the process that no core dump holds (VmFlags: dd).
size_t UndumpedBytes() {
  std::ifstream smaps("/proc/self/smaps");
  size_t mapping_kib = 0, sum_kib = 0;
  for (std::string line; std::getline(smaps, line);) {
    if (line.starts_with("Size:")) mapping_kib = std::stoul(line.substr(5));
    if (line.starts_with("VmFlags:") && line.find(" dd") != std::string::npos) sum_kib += mapping_kib;
  }
  return sum_kib * 1024;
}

TEST(TagKey, IsInNoCoreDump) {
  const size_t before = UndumpedBytes();
  {
    const TagKey key;
    EXPECT_GE(UndumpedBytes(), before + TagKey::kSecretBytes);
  }
  EXPECT_EQ(UndumpedBytes(), before);
}

// The proof, on words of four bits: the reference's construction, with all keys counted.
struct Words4 {
  using Word = uint8_t;
  using Product = uint8_t;
  static Product Multiply(Word a, Word b) {
    static const auto table = [] {
      std::array<uint8_t, 256> products{};
      for (size_t i = 0; i < 256; ++i) {
        products[i] = static_cast<uint8_t>(test::MultiplyBitByBit(i >> 4, i & 15)[0]);
      }
      return products;
    }();
    return table[static_cast<size_t>(a << 4 | b)];
  }
  static Product Add(Product a, Product b) { return a ^ b; }
};

struct SmallMessage {
  std::vector<uint8_t> words;  // Below 16; an even number.
  uint8_t length;
};

struct Counts {
  uint64_t keys = 0;
  uint64_t collisions = 0;
  // Is the share of keys that collide at most 2^-2w, with words of w = 4 bits?
  bool WithinBound() const { return collisions <= keys / 256; }
};

// CountKeys goes through all keys k_0, k_1, …, l_0, l_1 for two messages. An iteration sees as many words of
// the key as the longer message has, the second one `shift` words behind the first.
Counts CountKeys(const SmallMessage& a, const SmallMessage& b, size_t shift) {
  const size_t num_seen = std::max(a.words.size(), b.words.size());
  // For all words that an iteration may see: under how many of the sixteen words l does it make the tags
  // equal?
  std::vector<uint8_t> equal(size_t{1} << 4 * num_seen);
  for (size_t number = 0; number < equal.size(); ++number) {
    std::array<uint8_t, 4> key{};
    for (size_t i = 0; i < num_seen; ++i) key[i] = number >> 4 * i & 15;
    for (uint8_t l = 0; l < 16; ++l) {
      equal[number] += test::Iterate<Words4>(a.words, a.length, key.data(), l) ==
                       test::Iterate<Words4>(b.words, b.length, key.data(), l);
    }
  }
  Counts counts;
  const uint64_t num_keys = uint64_t{1} << 4 * (num_seen + shift);
  for (uint64_t key = 0; key < num_keys; ++key) {
    counts.collisions +=
        uint64_t{equal[key & (equal.size() - 1)]} * equal[key >> 4 * shift & (equal.size() - 1)];
  }
  counts.keys = num_keys * 256;
  return counts;
}

std::vector<uint8_t> Nibbles(uint32_t digits, size_t count) {
  std::vector<uint8_t> nibbles;
  for (size_t i = 0; i < count; ++i) nibbles.push_back(digits >> 4 * i & 15);
  return nibbles;
}

TEST(CacheTagProof, AnyTwoMessagesOfOnePairCollideUnderAsFewKeysAsProved) {
  bool reached = false;
  for (const uint32_t one : {0x00U, 0x5cU, 0xf1U}) {
    for (uint32_t other = 0; other < 256; ++other) {
      if (one == other) continue;
      const Counts counts = CountKeys({Nibbles(one, 2), 4}, {Nibbles(other, 2), 4}, test::kToeplitzShift);
      EXPECT_EQ(counts.keys, uint64_t{1} << 24);
      EXPECT_TRUE(counts.WithinBound()) << one << " " << other << ": " << counts.collisions;
      reached = reached || counts.collisions == counts.keys / 256;
    }
  }
  EXPECT_TRUE(reached);  // The bound could not be smaller.
}

TEST(CacheTagProof, MessagesOfTwoPairsToo) {
  for (const auto& [one, other] : {std::pair(0x0000U, 0x0001U),
                                   {0x0000U, 0x0010U},
                                   {0x0000U, 0x0100U},
                                   {0x0000U, 0x1000U},
                                   {0x0000U, 0x1111U},
                                   {0xffffU, 0x0f0fU},
                                   {0x1234U, 0x4321U},
                                   {0x1234U, 0x1235U},
                                   {0x1234U, 0x8234U},
                                   {0xa5c3U, 0x5a3cU},
                                   {0x7777U, 0x7788U},
                                   {0x2468U, 0x1357U}}) {
    const Counts counts = CountKeys({Nibbles(one, 4), 8}, {Nibbles(other, 4), 8}, test::kToeplitzShift);
    EXPECT_EQ(counts.keys, uint64_t{1} << 32);
    EXPECT_TRUE(counts.WithinBound()) << one << " " << other << ": " << counts.collisions;
    EXPECT_GT(counts.collisions, 0U);
  }
}

TEST(CacheTagProof, MessagesOfDifferentLengthsToo) {
  // One differs from the other by zeros that the padding hides, or by a whole pair.
  for (uint8_t one = 0; one < 16; ++one) {
    for (uint8_t other = 0; other < 16; ++other) {
      if (one == other) continue;
      const Counts padded =
          CountKeys({Nibbles(0x3a, 2), one}, {Nibbles(0x3a, 2), other}, test::kToeplitzShift);
      EXPECT_TRUE(padded.WithinBound()) << int{one} << " " << int{other} << ": " << padded.collisions;
      const Counts apart =
          CountKeys({Nibbles(0x3a, 2), one}, {Nibbles(0xc5, 2), other}, test::kToeplitzShift);
      EXPECT_TRUE(apart.WithinBound()) << int{one} << " " << int{other} << ": " << apart.collisions;
    }
  }
  for (const uint32_t longer : {0x003aU, 0x103aU, 0xffffU, 0x0000U}) {
    const Counts counts = CountKeys({Nibbles(0x3a, 2), 4}, {Nibbles(longer, 4), 8}, test::kToeplitzShift);
    EXPECT_EQ(counts.keys, uint64_t{1} << 32);
    EXPECT_TRUE(counts.WithinBound()) << longer << ": " << counts.collisions;
  }
  const Counts none = CountKeys({{}, 0}, {Nibbles(0x00, 2), 1}, test::kToeplitzShift);
  EXPECT_TRUE(none.WithinBound()) << none.collisions;
}

// The controls: what the proof needs is needed, and the counting can say no.
TEST(CacheTagProof, WithoutTheShiftTheBoundIsBroken) {
  EXPECT_FALSE(CountKeys({Nibbles(0x00, 2), 4}, {Nibbles(0x01, 2), 4}, 0).WithinBound());
  EXPECT_FALSE(CountKeys({Nibbles(0x1234, 4), 8}, {Nibbles(0x4321, 4), 8}, 0).WithinBound());
}

TEST(CacheTagProof, WithoutTheLengthZerosBehindAMessageAreNothing) {
  const Counts counts = CountKeys({Nibbles(0x3a, 2), 0}, {Nibbles(0x3a, 2), 0}, test::kToeplitzShift);
  EXPECT_EQ(counts.collisions, counts.keys);
}

}  // namespace
}  // namespace tollgate::crypto
