#include "claims/claim_values.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/limits.h"

namespace tollgate::claims {
namespace {

using testing::ElementsAre;

json::Value Parsed(json::Document* document, const std::string& text) {
  EXPECT_EQ(document->Parse(text), Reason::kNone) << text;
  return document->root();
}

// −1 for kBadClaim.
int64_t Date(const std::string& text, Rounding rounding) {
  json::Document document(1024);
  int64_t seconds = -2;
  return ReadNumericDate(Parsed(&document, text), rounding, &seconds) == Reason::kNone ? seconds : -1;
}

TEST(NumericDate, EveryFormOfANumberIsLegal) {
  EXPECT_EQ(Date("1700000000", Rounding::kDown), 1700000000);
  EXPECT_EQ(Date("1.7e9", Rounding::kDown), 1700000000);
  EXPECT_EQ(Date("17E+8", Rounding::kDown), 1700000000);
  EXPECT_EQ(Date("1700000000.0", Rounding::kUp), 1700000000);
  EXPECT_EQ(Date("0", Rounding::kDown), 0);
  EXPECT_EQ(Date("-0", Rounding::kDown), 0);
  EXPECT_EQ(Date("-0.0", Rounding::kUp), 0);
  EXPECT_EQ(Date("1e-300", Rounding::kDown), 0);
}

TEST(NumericDate, FractionsAreRoundedAsAsked) {
  EXPECT_EQ(Date("1700000000.5", Rounding::kDown), 1700000000);
  EXPECT_EQ(Date("1700000000.5", Rounding::kUp), 1700000001);
  EXPECT_EQ(Date("1700000000.999999", Rounding::kDown), 1700000000);
  EXPECT_EQ(Date("1700000000.000001", Rounding::kUp), 1700000001);
  EXPECT_EQ(Date("1e-300", Rounding::kUp), 1);
}

TEST(NumericDate, RangeIsHeldToTheSecond) {
  EXPECT_EQ(Date("253402300799", Rounding::kDown), limits::kNumericDateMax);
  EXPECT_EQ(Date("253402300799.0", Rounding::kUp), limits::kNumericDateMax);
  EXPECT_EQ(Date("253402300798.5", Rounding::kUp), limits::kNumericDateMax);
  for (const char* text :
       {"253402300800", "253402300799.5", "253402300800.0", "-1", "-0.5", "-1e-300", "1e300", "-1e300",
        "1.7976931348623157e308", "9223372036854775807", "9223372036854775808", "18446744073709551615",
        "-9223372036854775808", "9.3e18", "1e19"}) {
    EXPECT_EQ(Date(text, Rounding::kDown), -1) << text;
    EXPECT_EQ(Date(text, Rounding::kUp), -1) << text;
  }
}

TEST(NumericDate, OtherTypesAreNoDates) {
  for (const char* text : {"\"1700000000\"", "\"\"", "null", "true", "false", "[]", "[1700000000]", "{}",
                           "{\"seconds\":1700000000}", "\"2030-01-01T00:00:00Z\""}) {
    EXPECT_EQ(Date(text, Rounding::kDown), -1) << text;
  }
}

bool IsText(const std::string& text) {
  json::Document document(1024);
  std::string_view out;
  return ReadText(Parsed(&document, text), &out) == Reason::kNone;
}

TEST(Text, IsAnyNonEmptyStringOfPrintableUnicode) {
  for (const char* text :
       {"\"a\"", "\"auth0|123456\"", "\"client@clients\"", "\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"",
        "\"with space\"", "\"\xC2\xA0\"", "\"\\\"\"", "\"\\u00a0\"", "\"\xEF\xBF\xBD\""}) {
    EXPECT_TRUE(IsText(text)) << text;
  }
}

TEST(Text, ControlCharactersCannotReachAHeaderOrALog) {
  for (const char* text : {"\"\"", "\"\\u0000\"", "\"a\\nb\"", "\"a\\r\\nSet-Cookie: x\"", "\"\\t\"",
                           "\"\\u001b[31m\"", "\"\x7F\"", "\"\\u0080\"", "\"\xC2\x85\"", "\"a\\u009f\"",
                           "\"\\u2028\"", "\"\xE2\x80\xA9\"", "1", "null", "[\"a\"]", "{}", "true"}) {
    EXPECT_FALSE(IsText(text)) << text;
  }
}

TEST(ScopeToken, AlphabetIsThatOfRfc6749) {
  for (int c = 0; c < 256; ++c) {
    const bool legal = c == 0x21 || (c >= 0x23 && c <= 0x5B) || (c >= 0x5D && c <= 0x7E);
    const char byte = static_cast<char>(c);
    EXPECT_EQ(IsScopeToken(std::string_view(&byte, 1)), legal) << c;
    EXPECT_EQ(IsScopeToken(std::string({'a', byte, 'b'})), legal) << c;
  }
  EXPECT_FALSE(IsScopeToken(""));
  EXPECT_TRUE(IsScopeToken("https://graph.microsoft.com/.default"));
}

// Every byte at every place of words of all lengths around those at which they are looked at otherwise.
TEST(ScopeToken, EveryByteIsSeenWhereverItStands) {
  for (size_t size = 1; size <= 20; ++size) {
    for (size_t place = 0; place < size; ++place) {
      for (int c = 0; c < 256; ++c) {
        std::string word(size, 'a');
        word[place] = static_cast<char>(c);
        const bool legal = c == 0x21 || (c >= 0x23 && c <= 0x5B) || (c >= 0x5D && c <= 0x7E);
        ASSERT_EQ(IsScopeToken(word), legal) << size << " " << place << " " << c;
        if (c >= 0x80) continue;  // No UTF-8.
        ASSERT_EQ(IsRole(word), c > 0x20 && c < 0x7F) << size << " " << place << " " << c;
        if (c < 0x20 || c == '"' || c == '\\') continue;  // Written otherwise in JSON.
        ASSERT_EQ(IsText("\"" + word + "\""), c != 0x7F) << size << " " << place << " " << c;
      }
    }
  }
}

TEST(Role, IsAnythingWithoutWhiteSpaceAndControls) {
  for (const char* role :
       {"admin", "a:b/c", "\"quoted\"", "back\\slash", "\xC3\xA9t\xC3\xA9", "\xF0\x9F\x98\x80",
        "\xE2\x80\x8B" /* zero width space is no White_Space */, "\xEF\xBB\xBF"}) {
    EXPECT_TRUE(IsRole(role)) << role;
  }
  for (const char* role : {"", " ", "a b", "a\tb", "\n", "\x7F", "\xC2\x85", "\xC2\xA0", "\xE1\x9A\x80",
                           "\xE2\x80\x80", "\xE2\x80\x8A", "\xE2\x80\xA8", "\xE2\x80\xA9", "\xE2\x80\xAF",
                           "\xE2\x81\x9F", "\xE3\x80\x80", "\xF0\x9F\x98\x80 "}) {
    EXPECT_FALSE(IsRole(role)) << role;
  }
}

std::vector<std::string> Words(const std::string& text, size_t max = limits::kScopesPerTokenMax) {
  json::Document document(1 << 16);
  std::vector<std::string_view> words;
  if (ReadWords(Parsed(&document, text), IsScopeToken, max, &words) != Reason::kNone) return {"!"};
  return {words.begin(), words.end()};
}

TEST(Words, AStringIsSplitAtSpacesAlone) {
  EXPECT_THAT(Words("\"a b c\""), ElementsAre("a", "b", "c"));
  EXPECT_THAT(Words("\"a\""), ElementsAre("a"));
  EXPECT_THAT(Words("\"a  b\""), ElementsAre("a", "b")) << "lenient: a run of spaces counts as one";
  EXPECT_THAT(Words("\" a b \""), ElementsAre("a", "b"));
  EXPECT_THAT(Words("\"\""), ElementsAre());
  EXPECT_THAT(Words("\"   \""), ElementsAre());
  EXPECT_THAT(Words("\"a,b\""), ElementsAre("a,b"));
  EXPECT_THAT(Words("\"a\\tb\""), ElementsAre("!"));
  EXPECT_THAT(Words("\"a\\nb\""), ElementsAre("!"));
  EXPECT_THAT(Words("\"a \\\"b\\\"\""), ElementsAre("!"));
  EXPECT_THAT(Words("\"a \xC2\xA0\""), ElementsAre("!"));
}

TEST(Words, AnArrayHoldsOneWordAMember) {
  EXPECT_THAT(Words("[\"a\",\"b\"]"), ElementsAre("a", "b"));
  EXPECT_THAT(Words("[]"), ElementsAre());
  for (const char* text : {"[\"a b\"]", "[\"\"]", "[\"a\",1]", "[null]", "[[\"a\"]]", "[{\"value\":\"a\"}]",
                           "[true]", "[\" a\"]"}) {
    EXPECT_THAT(Words(text), ElementsAre("!")) << text;
  }
}

TEST(Words, OtherTypesAreRefused) {
  for (const char* text : {"null", "1", "true", "{}", "{\"0\":\"a\"}"})
    EXPECT_THAT(Words(text), ElementsAre("!")) << text;
}

TEST(Words, NumberIsBounded) {
  EXPECT_EQ(Words("\"a b c\"", 3).size(), 3u);
  EXPECT_THAT(Words("\"a b c\"", 2), ElementsAre("!"));
  EXPECT_THAT(Words("[\"a\",\"b\",\"c\"]", 2), ElementsAre("!"));
  EXPECT_THAT(Words("\"a a a\"", 2), ElementsAre("!")) << "counted before duplicates are removed";
}

std::vector<std::string> Strings(const std::string& text, size_t max = 4) {
  json::Document document(1024);
  std::vector<std::string_view> strings;
  if (ReadStrings(Parsed(&document, text), max, &strings) != Reason::kNone) return {"!"};
  return {strings.begin(), strings.end()};
}

TEST(Strings, OneOrAnArray) {
  EXPECT_THAT(Strings("\"https://mcp.example.com/\""), ElementsAre("https://mcp.example.com/"));
  EXPECT_THAT(Strings("[\"a\",\"b c\"]"), ElementsAre("a", "b c"));
  EXPECT_THAT(Strings("[]"), ElementsAre());
  EXPECT_THAT(Strings("[\"1\",\"2\",\"3\",\"4\"]").size(), 4u);
  for (const char* text : {"[\"1\",\"2\",\"3\",\"4\",\"5\"]", "\"\"", "[\"\"]", "[\"a\",1]", "[\"a\",null]",
                           "[[\"a\"]]", "[{\"a\":1}]", "{\"a\":\"b\"}", "1", "null", "true"}) {
    EXPECT_THAT(Strings(text), ElementsAre("!")) << text;
  }
}

TEST(Find, TellsAbsentFromMisplaced) {
  json::Document document(1024);
  const json::Value root = Parsed(&document, R"({"o":{"x":{"roles":[]}},"s":"text","a":[1],"n":null})");
  json::Value value;
  EXPECT_EQ(Find(root, "o", &value), Reason::kNone);
  EXPECT_TRUE(value.is_object());
  EXPECT_EQ(Find(root, "/o/x/roles", &value), Reason::kNone);
  EXPECT_TRUE(value.is_array());
  for (const char* absent : {"none", "/none", "/none/roles", "/o/none/roles", "/o/x/none"}) {
    EXPECT_EQ(Find(root, absent, &value), Reason::kNone) << absent;
    EXPECT_FALSE(value.present()) << absent;
  }
  for (const char* misplaced : {"/s/roles", "/a/roles", "/n/roles", "/o/x/roles/deeper", "/s/x/roles"}) {
    EXPECT_EQ(Find(root, misplaced, &value), Reason::kBadClaim) << misplaced;
  }
}

std::vector<std::string_view> Unique(std::vector<std::string_view> words) {
  RemoveDuplicates(&words);
  return words;
}

TEST(RemoveDuplicates, KeepsTheFirstInOrder) {
  EXPECT_THAT(Unique({}), ElementsAre());
  EXPECT_THAT(Unique({"a"}), ElementsAre("a"));
  EXPECT_THAT(Unique({"b", "a", "b", "a", "c"}), ElementsAre("b", "a", "c"));
  EXPECT_THAT(Unique({"a", "a", "a"}), ElementsAre("a"));
}

TEST(RemoveDuplicates, WordsThatDifferInTheirMiddleAloneAreDifferent) {
  EXPECT_THAT(Unique({"realm:a:readers", "realm:b:readers", "realm:a:readers", "realm:b:writers"}),
              ElementsAre("realm:a:readers", "realm:b:readers", "realm:b:writers"));
  EXPECT_THAT(Unique({"a", std::string_view("a\0", 2), "a"}), ElementsAre("a", std::string_view("a\0", 2)));
}

// Both ways of finding them, across the size at which they change, against a set.
TEST(RemoveDuplicates, IsTheSameForEverySize) {
  std::mt19937_64 random(5);
  for (size_t size = 0; size <= 64; ++size) {
    for (int round = 0; round < 20; ++round) {
      std::vector<std::string> storage;
      for (size_t i = 0; i < size; ++i) storage.push_back("role" + std::to_string(random() % (1 + size)));
      std::vector<std::string_view> expected;
      std::set<std::string_view> seen;
      for (const std::string& word : storage) {
        if (seen.insert(word).second) expected.push_back(word);
      }
      EXPECT_EQ(Unique({storage.begin(), storage.end()}), expected);
    }
  }
  std::vector<std::string> storage;
  for (size_t i = 0; i < limits::kRolesPerTokenMax; ++i) storage.push_back(std::to_string(i % 1000));
  EXPECT_EQ(Unique({storage.begin(), storage.end()}).size(), 1000u);
}

}  // namespace
}  // namespace tollgate::claims
