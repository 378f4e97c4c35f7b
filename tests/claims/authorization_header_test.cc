#include "claims/authorization_header.h"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::claims {
namespace {

std::string Token(std::string_view value) {
  std::string_view token = "unset";
  const Reason reason = ReadAuthorization(value, &token);
  return reason == Reason::kNone ? std::string(token) : std::string("!").append(ReasonName(reason));
}

TEST(ReadAuthorization, TakesTheTokenWhole) {
  EXPECT_EQ(Token("Bearer aaa.bbb.ccc"), "aaa.bbb.ccc");
  EXPECT_EQ(Token("Bearer x"), "x");
  EXPECT_EQ(Token("Bearer mF_9.B5f-4.1JqM=="), "mF_9.B5f-4.1JqM==") << "a token68 may end in '='";
  const std::string token(100'000, 'a');
  EXPECT_EQ(Token("Bearer " + token), token) << "length is the JWS reader's business";
}

TEST(ReadAuthorization, TokenIsAViewIntoTheValue) {
  const std::string value = "Bearer abc";
  std::string_view token;
  ASSERT_EQ(ReadAuthorization(value, &token), Reason::kNone);
  EXPECT_EQ(token.data(), value.data() + 7);
}

TEST(ReadAuthorization, SchemeIsComparedWithoutCase) {
  for (const char* value : {"bearer abc", "BEARER abc", "bEaReR abc"})
    EXPECT_EQ(Token(value), "abc") << value;
}

TEST(ReadAuthorization, NoValueIsNoCredential) { EXPECT_EQ(Token(""), "!no_credential"); }

TEST(ReadAuthorization, OtherSchemesAreUnsupported) {
  for (const char* value :
       {"Basic dXNlcjpwYXNz", "DPoP abc", "Bear abc", "Bearers abc", "Bearer2 abc", "Bearer-x abc", "b",
        "Digest username=\"Bearer abc\"", "abc.def.ghi", "Negotiate", "Bear", "Bearer.abc"}) {
    EXPECT_EQ(Token(value), "!unsupported_scheme") << value;
  }
}

TEST(ReadAuthorization, LettersThatDifferFromTheSchemeByCaseBitAloneAreOthers) {
  // 0x20 also separates '[' from '{' and the like; every other first byte must be another scheme or none.
  for (int c = 1; c < 256; ++c) {
    if (c == 'b' || c == 'B') continue;
    std::string value = "Bearer abc";
    value[0] = static_cast<char>(c);
    EXPECT_EQ(Token(value).front(), '!') << c;
  }
}

TEST(ReadAuthorization, AnythingElseIsMalformed) {
  for (const char* value : {"Bearer",
                            "Bearer ",
                            "Bearer  abc",
                            "Bearer\tabc",
                            "Bearer \tabc",
                            "Bearer abc ",
                            "Bearer abc\t",
                            "Bearer abc\r",
                            "Bearer abc\n",
                            " Bearer abc",
                            "Bearer,abc",
                            "Bearer abc,",
                            "Bearer ,abc",
                            "Bearer \"abc\"",
                            "Bearer:abc",
                            "Bearer\"abc\"",
                            " ",
                            "\t",
                            "Bearer \xC3\xA9",
                            "\xC3\xA9 abc",
                            "=",
                            "Bearer   ",
                            "Bearer/abc",
                            "Bearer=abc"}) {
    EXPECT_EQ(Token(value), "!malformed_authorization") << value;
  }
  EXPECT_EQ(Token(std::string_view("Bearer abc\0", 11)), "!malformed_authorization");
  EXPECT_EQ(Token(std::string_view("Bearer\0abc", 10)), "!malformed_authorization");
}

}  // namespace
}  // namespace tollgate::claims
