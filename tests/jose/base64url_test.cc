#include "jose/base64url.h"

#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tools/idp/mint.h"

namespace tollgate::jose {
namespace {

constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

// DecodeBy returns the decoded bytes, and fails the test if a byte behind them was written.
template <typename Decoder>
std::optional<std::string> DecodeBy(Decoder decoder, std::string_view in) {
  uint8_t out[256];
  const size_t size = Base64UrlDecodedSize(in.size());
  std::fill(std::begin(out), std::end(out), 0xa5);
  const std::optional<size_t> written = decoder(in, {out, size});
  for (size_t i = size; i < size + 16; ++i) EXPECT_EQ(out[i], 0xa5);
  if (!written) return std::nullopt;
  EXPECT_EQ(*written, size);
  return std::string(reinterpret_cast<const char*>(out), *written);
}

std::optional<std::string> Decode(std::string_view in) {
  std::optional<std::string> decoded = DecodeBy(Base64UrlDecode, in);
  EXPECT_EQ(DecodeBy(Base64UrlDecodePortable, in), decoded);
  return decoded;
}

std::string Encode(std::string_view bytes) {
  return Base64UrlEncode({reinterpret_cast<const uint8_t*>(bytes.data()), bytes.size()});
}

// RFC 4648 section 10, unpadded.
TEST(Base64Url, AgreesWithRfc4648) {
  const std::pair<std::string_view, std::string_view> vectors[] = {
      {"", ""},           {"f", "Zg"},          {"fo", "Zm8"},          {"foo", "Zm9v"},
      {"foob", "Zm9vYg"}, {"fooba", "Zm9vYmE"}, {"foobar", "Zm9vYmFy"}, {"\xfb\xff\xfe", "-__-"}};
  for (const auto& [plain, encoded] : vectors) {
    EXPECT_EQ(Decode(encoded), plain);
    EXPECT_EQ(Encode(plain), encoded);
  }
}

// Long enough for every way of decoding: each byte at each place is a letter of the alphabet, or refused.
TEST(Base64Url, EveryByteAtEveryPlaceOfALongText) {
  const std::string letters = std::string(kAlphabet) + std::string(kAlphabet);
  for (size_t place = 0; place < letters.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string text = letters;
      text[place] = static_cast<char>(byte);
      const std::optional<std::string> decoded = Decode(text);
      ASSERT_EQ(decoded.has_value(), kAlphabet.find(static_cast<char>(byte)) != kAlphabet.npos)
          << byte << " at " << place;
      if (decoded) {
        ASSERT_EQ(Encode(*decoded), text);
      }
    }
  }
}

// Every string of up to three bytes: exactly those decode that are the encoding of what they decode to.
TEST(Base64Url, ShortStringsDecodeExactlyIfTheyAreWhatTheEncoderWrites) {
  size_t num_accepted[4] = {};
  for (size_t size = 1; size <= 3; ++size) {
    std::string text(size, '\0');
    const uint32_t end = 1u << 8 * size;
    for (uint32_t i = 0; i < end; ++i) {
      for (size_t j = 0; j < size; ++j) text[j] = static_cast<char>(i >> 8 * j);
      uint8_t out[4];
      const std::optional<size_t> written = Base64UrlDecode(text, out);
      if (!written) continue;
      ++num_accepted[size];
      if (Base64UrlEncode({out, *written}) != text) FAIL() << "not canonical: " << i << " of length " << size;
    }
  }
  // With no two alike, that these are as many as there are byte strings says that all are reached.
  EXPECT_EQ(num_accepted[1], 0u);
  EXPECT_EQ(num_accepted[2], 256u);
  EXPECT_EQ(num_accepted[3], 65'536u);
}

// Every string of four letters is good, and no other character is in any place of any length.
TEST(Base64Url, LongerStringsAgreeWithAnIndependentDecoder) {
  std::mt19937 random(7);
  for (int round = 0; round < 20'000; ++round) {
    std::string text(random() % 200, '\0');
    for (char& c : text) c = kAlphabet[random() % 64];
    if (!text.empty() && random() % 2 == 0) text[random() % text.size()] = static_cast<char>(random() % 256);
    ASSERT_EQ(Decode(text), idp::Base64UrlDecode(text)) << round;
  }
}

TEST(Base64Url, AnAlienCharacterIsFoundInEveryPlace) {
  for (size_t size = 2; size <= 40; ++size) {
    if (size % 4 == 1) continue;
    std::string text(size, 'A');
    ASSERT_TRUE(Decode(text));
    for (size_t place = 0; place < size; ++place) {
      for (int c = 0; c < 256; ++c) {
        if (kAlphabet.find(static_cast<char>(c)) != std::string_view::npos) continue;
        text[place] = static_cast<char>(c);
        ASSERT_FALSE(Decode(text)) << size << " " << place << " " << c;
      }
      text[place] = 'A';
    }
  }
}

TEST(Base64Url, RefusesPaddingTheOtherAlphabetAndBlanks) {
  for (const char* text :
       {"Zg==", "Zm8=", "=", "Zm9v=", "Zm9vYg==", "+//+", "Zm9v\n", " Zm9v", "Zm 9", "Zm9v."}) {
    EXPECT_EQ(Decode(text), std::nullopt) << text;
  }
}

TEST(Base64Url, RefusesALengthOfOneModuloFour) {
  for (size_t size = 1; size < 100; size += 4)
    EXPECT_EQ(Decode(std::string(size, 'A')), std::nullopt) << size;
}

TEST(Base64Url, RefusesTrailingBits) {
  EXPECT_EQ(Decode("Zg"), "f");
  for (const char* twin : {"Zh", "Zi", "Zk", "Zo", "Zv"}) EXPECT_EQ(Decode(twin), std::nullopt) << twin;
  EXPECT_EQ(Decode("Zm8"), "fo");
  for (const char* twin : {"Zm9", "Zm-", "Zm_"}) EXPECT_EQ(Decode(twin), std::nullopt) << twin;
}

TEST(Base64Url, EveryByteStringOfEveryShortLengthReturnsUnchanged) {
  std::mt19937 random(11);
  for (size_t size = 0; size < 100; ++size) {
    std::string bytes(size, '\0');
    for (char& c : bytes) c = static_cast<char>(random());
    const std::string text = Encode(bytes);
    EXPECT_EQ(text, idp::Base64Url(bytes));
    EXPECT_EQ(Decode(text), bytes);
  }
}

TEST(Base64Url, RefusesAnOutputThatIsTooSmall) {
  uint8_t out[8];
  EXPECT_EQ(Base64UrlDecode("AAAAAAAAAAAA", out), std::nullopt);
  EXPECT_EQ(Base64UrlDecode("AAAAAAAAAAA", out), 8u);
  EXPECT_EQ(Base64UrlDecode("", {}), 0u);
}

}  // namespace
}  // namespace tollgate::jose
