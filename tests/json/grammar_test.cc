// Which texts are JSON: a table of cases, and the same answer as an independent oracle on many thousands
// more.

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <random>
#include <string>
#include <vector>

#include "json/document.h"
#include "tests/json/strict_oracle.h"

namespace tollgate::json {
namespace {

using namespace std::string_literals;
using nlohmann::ordered_json;
using Random = std::mt19937_64;

bool Accepts(std::string_view text) {
  static Document document(1 << 16);
  return document.Parse(text) == Reason::kNone;
}

std::string Printable(std::string_view text) {
  std::string out;
  for (const char c : text) {
    char hex[8];
    std::snprintf(hex, sizeof hex, c >= 0x20 && c < 0x7F ? "%c" : "\\x%02x", static_cast<unsigned char>(c));
    out += hex;
  }
  return out;
}

struct Case {
  bool yes;
  std::string text;
};

// y: RFC 8259 and the rules of strict_oracle.h. The order follows the sections of the RFC.
const std::vector<Case>& Cases() {
  static const std::vector<Case> cases = {
      // Section 2, structure and white space.
      {true, "{}"},
      {true, "[]"},
      {true, " \t\r\n{ \t\r\n} \t\r\n"},
      {true, "[1 , 2]"},
      {true, "1"},
      {true, "\"\""},
      {true, "null"},
      {true, " true "},
      {true, "false\n"},
      {false, ""},
      {false, " "},
      {false, "\n"},
      {false, "\0"s},
      {false, "{}\0"s},
      {false, "\0{}"s},
      {false, "[1]\0\0"s},
      {false, "\f{}"},
      {false, "{}\f"},
      {false, "{}\v"},
      {false, "[\v1]"},
      {false, "[1\f,2]"},
      {false, "\xC2\xA0[]"},
      {false, "[]\xC2\xA0"},
      {false, "\xE2\x80\xA8{}"},
      {false, "\xEF\xBB\xBF{}"},
      {false, "{}\xEF\xBB\xBF"},
      {false, "{\xEF\xBB\xBF}"},
      {false, "{}{}"},
      {false, "1 2"},
      {false, "[] []"},
      {false, "{},"},
      {false, ",{}"},
      {false, "[]]"},
      {false, "]"},
      {false, "}"},
      {false, "{"},
      {false, "["},
      {false, "{]"},
      {false, "[}"},
      {false, "[[]"},
      {false, "{\"a\":{}"},
      {false, "/**/{}"},
      {false, "{}//"},
      {false, "{}#x"},
      {false, "[1/**/]"},
      // Section 3, literal names.
      {true, "[true,false,null]"},
      {false, "True"},
      {false, "TRUE"},
      {false, "nul"},
      {false, "nulll"},
      {false, "[nul]"},
      {false, "[tru]"},
      {false, "[fals]"},
      {false, "[truee]"},
      {false, "[null1]"},
      {false, "[true\"\"]"},
      {false, "undefined"},
      {false, "nan"},
      {false, "[Infinity]"},
      {false, "tr\0e"s},
      {false, "t"},
      {false, "f"},
      // Section 4, objects.
      {true, "{\"a\":1}"},
      {true, "{\"a\":1,\"b\":2}"},
      {true, "{\"\":0}"},
      {true, "{\"a\":{\"a\":0}}"},
      {true, "{\"\\u0000\":0,\"\":1}"},
      {false, "{\"a\"}"},
      {false, "{\"a\":}"},
      {false, "{:1}"},
      {false, "{a:1}"},
      {false, "{'a':1}"},
      {false, "{1:1}"},
      {false, "{null:1}"},
      {false, "{\"a\":1,}"},
      {false, "{,\"a\":1}"},
      {false, "{\"a\":1,,\"b\":2}"},
      {false, "{\"a\":1 \"b\":2}"},
      {false, "{\"a\"::1}"},
      {false, "{\"a\",1}"},
      {false, "{\"a\":1:2}"},
      {false, "{\"a\" 1}"},
      {false, "{\"a\":1;\"b\":2}"},
      {false, "{[]:1}"},
      {false, "{\"a\":1,\"b\"}"},
      {false, "{\"a\":1,\"a\":1}"},
      {false, "{\"a\":1,\"\\u0061\":2}"},
      {false, "{\"x\":{\"b\":1,\"b\":2}}"},
      {false, "[{\"b\":1,\"c\":0,\"b\":2}]"},
      {false, "{\"\xC3\xA9\":1,\"\\u00E9\":2}"},
      {false, "{\"\\ud83d\\ude00\":1,\"\xF0\x9F\x98\x80\":2}"},
      {false, "{\"/\":1,\"\\/\":2}"},
      // Section 5, arrays.
      {true, "[1,[2,[3]]]"},
      {true, "[[],[]]"},
      {true, "[{},{}]"},
      {true, "[\"\"]"},
      {false, "[1,]"},
      {false, "[,1]"},
      {false, "[,]"},
      {false, "[1,,2]"},
      {false, "[1 2]"},
      {false, "[1"},
      {false, "[1,"},
      {false, "[1:2]"},
      {false, "[\"a\":1]"},
      {false, "(1)"},
      {false, "[1;2]"},
      {false, "[*]"},
      // Section 6, numbers.
      {true, "0"},
      {true, "-0"},
      {true, "-1"},
      {true, "10"},
      {true, "0.5"},
      {true, "-0.0"},
      {true, "1e5"},
      {true, "1E+5"},
      {true, "1e-5"},
      {true, "0e0"},
      {true, "0e+1"},
      {true, "1.5e300"},
      {true, "1e308"},
      {true, "1e-999"},
      {true, "[1e-99999999999999999999]"},
      {true, "0.00000000000000000000000000000000000000001"},
      {true, "9223372036854775807"},
      {true, "-9223372036854775808"},
      {true, "9223372036854775808"},
      {true, "18446744073709551615"},
      {true, "1.00000000000000000000000000000000000000000001"},
      {true, "100000000000000000000.0"},
      {true, "1e19"},
      {true, "123456789012345678901234567890e1"},
      {false, "18446744073709551616"},
      {false, "-9223372036854775809"},
      {false, "99999999999999999999"},
      {false, "[123456789012345678901234567890]"},
      {false, "1e309"},
      {false, "-1e999"},
      {false, "[1e999999999999999999999]"},
      {false, "00"},
      {false, "01"},
      {false, "-01"},
      {false, "-"},
      {false, "[-]"},
      {false, "+1"},
      {false, ".5"},
      {false, "-.5"},
      {false, "1."},
      {false, "1.e5"},
      {false, "0."},
      {false, "1e"},
      {false, "1e+"},
      {false, "1E-"},
      {false, "1e5.5"},
      {false, "1ee5"},
      {false, "1e+-5"},
      {false, "0x10"},
      {false, "1a"},
      {false, "1_000"},
      {false, "--1"},
      {false, "- 1"},
      {false, "1 000"},
      {false, "[1.2.3]"},
      {false, "[0e]"},
      {false, "1\0"s},
      {false,
       "1\0"
       "2"s},
      {false, "\xEF\xBC\x91"},
      {false, "[1-1]"},
      {false, "1,0"},
      {false, "-a"},
      {false, "[-Infinity]"},
      {false, "[-nan]"},
      {false, "0b1"},
      {false, "1f"},
      {false, "1L"},
      // Section 7, strings.
      {true, R"("\"\\\/\b\f\n\r\t")"},
      {true, R"("\u0000")"},
      {true, R"("\u001F\uffff\uFDD0")"},
      {true, "\"\x7F\""},
      {true, R"("\ud834\udd1e")"},
      {true, R"("\\u12")"},
      {true, R"("\\\\")"},
      {true, "\"/\""},
      {true, R"("\u0022")"},
      {false, "\""},
      {false, "\"\"\""},
      {false, "\"a"},
      {false, "a\""},
      {false, "'a'"},
      {false, R"("\")"},
      {false, R"("\\\")"},
      {false, R"("\a")"},
      {false, R"("\x41")"},
      {false, R"("\'")"},
      {false, R"("\0")"},
      {false, R"("\U0041")"},
      {false, R"("\u")"},
      {false, R"("\u004")"},
      {false, R"("\u004g")"},
      {false, R"("\u-041")"},
      {false, R"("\u+041")"},
      {false, R"("\u 041")"},
      {false, R"("\ )"},
      {false, "\"\\\n\""},
      {false, "\"\\\xC3\xA9\""},
      {false, "\"\\\0\""s},
      {false, "\"\n\""},
      {false, "\"\t\""},
      {false, "\"\0\""s},
      {false, "\"\x1F\""},
      {false, "[\"a\r\"]"},
      {false, R"("\ud800")"},
      {false, R"("\udfff")"},
      {false, R"("\ud800\ud800")"},
      {false, R"("\ud800\u0041")"},
      {false, R"("\udc00\ud800")"},
      {false, R"("\ud800x")"},
      {false, R"("\ud800\n")"},
      {false, R"("\ud800\\udc00")"},
      {false, R"({"\ud800":1})"},
      {false, R"("\uD83D\)"},
      {false, R"("\ud83d\u")"},
      // Section 8.1 and RFC 3629, UTF-8.
      {true, "\"\xC2\x80\""},
      {true, "\"\xDF\xBF\""},
      {true, "\"\xE0\xA0\x80\""},
      {true, "\"\xED\x9F\xBF\""},
      {true, "\"\xEE\x80\x80\""},
      {true, "\"\xEF\xBF\xBF\""},
      {true, "\"\xF0\x90\x80\x80\""},
      {true, "\"\xF4\x8F\xBF\xBF\""},
      {true, "\"\xEF\xBB\xBF\""},
      {true, "\"\xE2\x80\xA8\""},
      {false, "\"\x80\""},
      {false, "\"\xBF\""},
      {false, "\"\xC0\x80\""},
      {false, "\"\xC1\xBF\""},
      {false, "\"\xC2\""},
      {false, "\"\xC2\x41\""},
      {false, "\"\xE0\x80\x80\""},
      {false, "\"\xE0\x9F\xBF\""},
      {false, "\"\xE2\x82\""},
      {false, "\"\xED\xA0\x80\""},
      {false, "\"\xED\xBF\xBF\""},
      {false, "\"\xED\xA0\xBD\xED\xB8\x80\""},
      {false, "\"\xF0\x80\x80\x80\""},
      {false, "\"\xF0\x8F\xBF\xBF\""},
      {false, "\"\xF4\x90\x80\x80\""},
      {false, "\"\xF5\x80\x80\x80\""},
      {false, "\"\xF8\x88\x80\x80\x80\""},
      {false, "\"\xFE\""},
      {false, "\"\xFF\""},
      {false, "\"\xF0\x9F\x98\""},
      {false, "[\xFF]"},
      {false, "{}\xFF"},
      {false, "\xC3\xA9"},
      {false, "\xFF\xFE[\0]\0"s},
      {false, "\0[\0]"s},
  };
  return cases;
}

TEST(Grammar, TableOfTexts) {
  for (const Case& c : Cases()) {
    EXPECT_EQ(Accepts(c.text), c.yes) << Printable(c.text);
    EXPECT_EQ(test::StrictOracle::Accepts(c.text), c.yes) << "the oracle, on " << Printable(c.text);
  }
}

// simdjson works in blocks of 64 bytes: each case once at every place of a block, within an array and with
// white space.
TEST(Grammar, TableOfTextsAtEveryOffsetOfABlock) {
  for (const Case& c : Cases()) {
    for (size_t offset = 1; offset <= 64; ++offset) {
      const std::string text = std::string(offset, ' ') + c.text;
      ASSERT_EQ(Accepts(text), c.yes) << offset << " spaces, then " << Printable(c.text);
    }
  }
}

TEST(Grammar, EveryControlAndHighByteOutsideStringsIsRefusedButWhiteSpace) {
  for (int c = 0; c < 256; ++c) {
    const bool space = c == ' ' || c == '\t' || c == '\n' || c == '\r';
    const auto byte = static_cast<char>(c);
    EXPECT_EQ(Accepts("[1"s + byte + "]"), space || (c >= '0' && c <= '9')) << c;
    EXPECT_EQ(Accepts("{}"s + byte), space) << c;
    EXPECT_EQ(Accepts(byte + "{}"s), space) << c;
    EXPECT_EQ(Accepts("{\"a\""s + byte + ":1}"), space) << c;
  }
}

// Generator writes random JSON texts, biased towards what parsers get wrong.
class Generator {
 public:
  explicit Generator(uint64_t seed) : random_(seed) {}

  size_t Below(size_t n) { return static_cast<size_t>(random_() % n); }

  std::string Text() {
    std::string out;
    Space(&out);
    Value(&out, 0);
    Space(&out);
    return out;
  }

  // Mutated changes `text` in one to four places.
  std::string Mutated(std::string text) {
    static const std::vector<std::string> kPieces = {"\"",
                                                     "\\",
                                                     "{",
                                                     "}",
                                                     "[",
                                                     "]",
                                                     ",",
                                                     ":",
                                                     "0",
                                                     "-",
                                                     ".",
                                                     "e",
                                                     "E+",
                                                     "1e400",
                                                     "18446744073709551616",
                                                     "\\u",
                                                     "\\ud800",
                                                     "\\udc00",
                                                     "\\u0000",
                                                     "\xEF\xBB\xBF",
                                                     "\xC0\x80",
                                                     "\xED\xA0\x80",
                                                     "\xF4\x90\x80\x80",
                                                     "\x80",
                                                     "\0"s,
                                                     "\f",
                                                     " ",
                                                     "\n",
                                                     "\x1F",
                                                     "\x7F",
                                                     "true",
                                                     "nul",
                                                     "\"a\":1,",
                                                     "\"a\":1",
                                                     "//",
                                                     "[[[[[[[[",
                                                     "]]]]]]]]",
                                                     "{\"a\":",
                                                     "NaN",
                                                     "'"};
    for (size_t edits = 1 + Below(4); edits > 0; --edits) {
      const size_t at = Below(text.size() + 1);
      switch (Below(6)) {
        case 0:
          text.insert(at, kPieces[Below(kPieces.size())]);
          break;
        case 1:
          text.erase(at, 1 + Below(3));
          break;
        case 2:
          if (at < text.size()) text[at] = static_cast<char>(random_());
          break;
        case 3:
          if (at < text.size()) text[at] = static_cast<char>(text[at] ^ (1 << Below(8)));
          break;
        case 4:
          text.insert(Below(text.size() + 1), text.substr(at, 1 + Below(12)));
          break;
        default:
          text.resize(at);
      }
    }
    return text;
  }

 private:
  void Space(std::string* out) {
    while (Below(6) == 0) out->push_back(" \t\n\r"[Below(4)]);
  }

  void String(std::string* out) {
    static const std::vector<std::string> kPieces = {"a",
                                                     "b",
                                                     "exp",
                                                     "\\u0061",
                                                     "\\u0000",
                                                     "\\\"",
                                                     "\\\\",
                                                     "\\/",
                                                     "\\b\\f\\n\\r\\t",
                                                     "\xC3\xA9",
                                                     "\\u00e9",
                                                     "\xE2\x82\xAC",
                                                     "\xF0\x9F\x98\x80",
                                                     "\\uD83D\\uDE00",
                                                     "\x7F",
                                                     "{",
                                                     "]",
                                                     ",",
                                                     "0123456789abcdef",
                                                     "\\uFFFF",
                                                     " "};
    out->push_back('"');
    for (size_t n = Below(5); n > 0; --n) *out += kPieces[Below(kPieces.size())];
    out->push_back('"');
  }

  void Number(std::string* out) {
    static const std::vector<std::string> kPieces = {"0",
                                                     "-0",
                                                     "1",
                                                     "-1",
                                                     "9223372036854775807",
                                                     "9223372036854775808",
                                                     "-9223372036854775808",
                                                     "18446744073709551615",
                                                     "1.5",
                                                     "1e5",
                                                     "1E-5",
                                                     "-0.0",
                                                     "1700000000",
                                                     "1.7e9",
                                                     "1e308",
                                                     "5e-324",
                                                     "1e-999",
                                                     "0.1e+1",
                                                     "123456789012345678901234567890.5",
                                                     "9007199254740993"};
    if (Below(3) == 0) {
      *out += std::to_string(static_cast<int64_t>(random_()) >> Below(64));
    } else {
      *out += kPieces[Below(kPieces.size())];
    }
  }

  void Value(std::string* out, size_t depth) {
    const size_t kind = depth > 6 ? 2 + Below(4) : Below(6);
    switch (kind) {
      case 0:
        return Container(out, depth, '{', '}');
      case 1:
        return Container(out, depth, '[', ']');
      case 2:
      case 3:
        return String(out);
      case 4:
        return Number(out);
      default:
        *out += Below(3) == 0 ? "true" : Below(2) == 0 ? "false" : "null";
    }
  }

  void Container(std::string* out, size_t depth, char open, char close) {
    out->push_back(open);
    Space(out);
    const size_t count = Below(20) == 0 ? 20 + Below(20) : Below(5);
    for (size_t i = 0; i < count; ++i) {
      if (i > 0) *out += ',';
      Space(out);
      if (open == '{') {
        // Mostly unique names: else hardly any object with many members would be accepted.
        if (Below(8) == 0) {
          String(out);
        } else {
          *out += "\"m" + std::to_string(i) + '"';
        }
        Space(out);
        *out += ':';
        Space(out);
      }
      Value(out, count > 5 ? 7 : depth + 1);
      Space(out);
    }
    out->push_back(close);
  }

  Random random_;
};

TEST(Grammar, AgreesWithTheOracleOnGeneratedAndMutatedTexts) {
  constexpr int kTexts = 120'000;
  int accepted = 0;
  Generator generator(20260101);
  for (int i = 0; i < kTexts; ++i) {
    std::string text = generator.Text();
    if (i % 4 != 0) text = generator.Mutated(std::move(text));
    const bool expected = test::StrictOracle::Accepts(text);
    accepted += expected;
    ASSERT_EQ(Accepts(text), expected) << "text " << i << ": " << Printable(text);
  }
  EXPECT_GT(accepted, kTexts / 5) << "a corpus that is hardly ever accepted shows little";
  EXPECT_LT(accepted, kTexts * 4 / 5);
}

TEST(Grammar, AgreesWithTheOracleOnEveryTruncation) {
  Generator generator(7);
  for (int i = 0; i < 300; ++i) {
    const std::string text = generator.Text();
    for (size_t size = 0; size <= text.size(); ++size) {
      const std::string cut = text.substr(0, size);
      ASSERT_EQ(Accepts(cut), test::StrictOracle::Accepts(cut)) << Printable(cut);
    }
  }
}

void ExpectSame(const Value& value, const ordered_json& other) {
  switch (value.type()) {
    case Type::kNull:
      EXPECT_TRUE(other.is_null());
      return;
    case Type::kBool:
      EXPECT_EQ(value.boolean(), other.get<bool>());
      return;
    case Type::kInt64:
      ASSERT_TRUE(other.is_number_integer());
      EXPECT_EQ(value.int64(), other.get<int64_t>());
      return;
    case Type::kUint64:
      ASSERT_TRUE(other.is_number_unsigned());
      EXPECT_GT(other.get<uint64_t>(), uint64_t{INT64_MAX});
      EXPECT_EQ(value.number(), static_cast<double>(other.get<uint64_t>()));
      return;
    case Type::kDouble:
      ASSERT_TRUE(other.is_number_float());
      EXPECT_EQ(value.number(), other.get<double>());
      return;
    case Type::kString:
      EXPECT_EQ(value.string(), other.get<std::string>());
      return;
    case Type::kArray:
    case Type::kObject: {
      ASSERT_EQ(value.is_array(), other.is_array());
      Value child = value.FirstChild();
      for (auto it = other.begin(); it != other.end(); ++it) {
        ASSERT_TRUE(child.present());
        if (value.is_object()) {
          EXPECT_EQ(child.name(), it.key());
        }
        ExpectSame(child, *it);
        child = value.NextChild(child);
      }
      EXPECT_FALSE(child.present());
      return;
    }
  }
}

TEST(Grammar, ValuesAreWhatAnotherParserReads) {
  Generator generator(42);
  Document document(1 << 16);
  int compared = 0;
  for (int i = 0; i < 20'000; ++i) {
    const std::string text = generator.Text();
    if (document.Parse(text) != Reason::kNone) continue;
    ++compared;
    SCOPED_TRACE(Printable(text));
    ExpectSame(document.root(), ordered_json::parse(text));
    if (testing::Test::HasFailure()) return;
  }
  EXPECT_GT(compared, 10'000);
}

}  // namespace
}  // namespace tollgate::json
