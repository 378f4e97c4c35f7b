#include "mcp/field_value.h"

#include <gtest/gtest.h>

#include <optional>

namespace tollgate::mcp {
namespace {

std::optional<std::string> Decoded(std::string_view value) {
  std::string decoded;
  if (!DecodeFieldValue(value, &decoded)) return std::nullopt;
  return decoded;
}

// The table of the specification, "Encoding examples".
TEST(FieldValue, ReadsTheExamplesOfTheSpecification) {
  EXPECT_EQ(Decoded("us-west1"), "us-west1");
  EXPECT_EQ(Decoded("=?base64?SGVsbG8sIOS4lueVjA==?="), "Hello, \u4e16\u754c");
  EXPECT_EQ(Decoded("=?base64?IHBhZGRlZCA=?="), " padded ");
  EXPECT_EQ(Decoded("=?base64?bGluZTEKbGluZTI=?="), "line1\nline2");
  EXPECT_EQ(Decoded("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?="), "=?base64?literal?=");
}

TEST(FieldValue, TakesForPlainWhatLacksAMarker) {
  EXPECT_EQ(Decoded(""), "");
  EXPECT_EQ(Decoded("a b\tc"), "a b\tc");
  EXPECT_EQ(Decoded("=?base64?YQ=="), "=?base64?YQ==");
  EXPECT_EQ(Decoded("YQ==?="), "YQ==?=");
  EXPECT_EQ(Decoded("=?BASE64?YQ==?="), "=?BASE64?YQ==?=");
  EXPECT_EQ(Decoded("=?base64?="), "=?base64?=");  // The two markers share a character.
  EXPECT_EQ(Decoded("=?base64?"
                    "?="),
            "");
}

TEST(FieldValue, RefusesBase64ThatNoEncoderWrites) {
  for (const char* value : {"=?base64?YQ?=", "=?base64?YQ=?=", "=?base64?YR==?=", "=?base64?Y Q==?=",
                            "=?base64?YQ==YQ==?=", "=?base64?Y-_=?=", "=?base64?Y?=", "=?base64?====?="}) {
    EXPECT_EQ(Decoded(value), std::nullopt) << value;
  }
}

TEST(FieldValue, RefusesWhatNoFieldMayHold) {
  for (const char* value : {" a", "a ", "\ta", "a\n", "a\rb", "\x7f", "\xc3\xa9", "a\x01"})
    EXPECT_EQ(Decoded(value), std::nullopt) << value;
  EXPECT_EQ(Decoded(std::string_view("a\0b", 3)), std::nullopt);
}

}  // namespace
}  // namespace tollgate::mcp
