// What json::Document promises beside the grammar: reasons, limits, values, storage.

#include "json/document.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <limits>
#include <new>
#include <optional>
#include <string>
#include <vector>

#include "base/limits.h"
#include "tests/json/same_values.h"

namespace {
std::atomic<uint64_t> g_allocations{0};
}  // namespace

// Ordering: relaxed; a count that one thread reads after its own allocations.
void* operator new(size_t size) {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  if (void* memory = std::malloc(size)) return memory;
  throw std::bad_alloc();
}
void* operator new[](size_t size) { return operator new(size); }
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  g_allocations.fetch_add(1, std::memory_order_relaxed);
  return std::malloc(size);
}
void* operator new[](size_t size, const std::nothrow_t& tag) noexcept { return operator new(size, tag); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, size_t) noexcept { std::free(memory); }
void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
void operator delete[](void* memory, const std::nothrow_t&) noexcept { std::free(memory); }

namespace tollgate::json {
namespace {

using namespace std::string_literals;

Reason ParseOnce(std::string_view text) { return Document(1 << 16).Parse(text); }

std::string Nested(size_t depth, std::string_view innermost) {
  return std::string(depth, '[') + std::string(innermost) + std::string(depth, ']');
}

// ExpectReadersAgree reads `text` with and without the quick reader.
void ExpectReadersAgree(std::string_view text, std::optional<Reason> expected) {
  static Document quick(1 << 12), slow(1 << 12);
  const Reason reason = quick.Parse(text);
  ASSERT_EQ(reason, expected.value_or(reason)) << text;
  if (!text.empty()) std::memcpy(slow.Buffer(), text.data(), text.size());
  ASSERT_EQ(slow.ParseBufferSlowly(text.size()), reason) << text;
  ASSERT_TRUE(test::SameValues(quick.root(), slow.root())) << text;
}

TEST(DocumentReason, TellsWhatIsWrong) {
  EXPECT_EQ(ParseOnce("{\"a\":[1,2.5,true,null,\"x\"]}"), Reason::kNone);
  EXPECT_EQ(ParseOnce(""), Reason::kBadJson);
  EXPECT_EQ(ParseOnce("{\"a\":1}x"), Reason::kBadJson);
  EXPECT_EQ(ParseOnce("\"\xC0\xAF\""), Reason::kBadUtf8);
  EXPECT_EQ(ParseOnce("{\"a\":1,\"a\":1}"), Reason::kDuplicateMember);
  EXPECT_EQ(ParseOnce(Nested(limits::kJsonDepthMax + 1, "1")), Reason::kTooDeep);
  EXPECT_EQ(Document(10).Parse("[1,2,3,4,5]"), Reason::kTokenTooLong);
  EXPECT_EQ(Document(11).Parse("[1,2,3,4,5]"), Reason::kNone);
}

TEST(DocumentReason, ByteOrderMarkIsRefused) {
  EXPECT_EQ(ParseOnce("\xEF\xBB\xBF{}"), Reason::kBadJson);
  EXPECT_EQ(ParseOnce("\xEF\xBB\xBF"), Reason::kBadJson);
  EXPECT_EQ(ParseOnce("\"\xEF\xBB\xBF\""), Reason::kNone) << "inside a string it is a letter like any other";
}

TEST(DocumentReason, EveryLoneSurrogateIsRefusedAndEveryPairIsRead) {
  Document document(64);
  char text[32];
  for (unsigned unit = 0; unit < 0x10000; ++unit) {
    std::snprintf(text, sizeof text, "\"\\u%04x\"", unit);
    const bool lone = unit >= 0xD800 && unit <= 0xDFFF;
    ASSERT_EQ(document.Parse(text), lone ? Reason::kBadJson : Reason::kNone) << text;
  }
  for (unsigned high = 0xD800; high < 0xE000; high += 61) {
    for (unsigned low = 0; low < 0x10000; low += 31) {
      std::snprintf(text, sizeof text, "\"\\u%04X\\u%04x\"", high, low);
      const bool pair = high < 0xDC00 && low >= 0xDC00 && low < 0xE000;
      ASSERT_EQ(document.Parse(text), pair ? Reason::kNone : Reason::kBadJson) << text;
    }
  }
  ASSERT_EQ(document.Parse(R"("\ud83d\ude00")"), Reason::kNone);
  EXPECT_EQ(document.root().string(), "\xF0\x9F\x98\x80");
}

TEST(DocumentDepth, BoundaryIsTheSameForScalarsAndEmptyContainers) {
  for (const char* innermost : {"", "1", "\"x\"", "null"}) {
    EXPECT_EQ(ParseOnce(Nested(limits::kJsonDepthMax, innermost)), Reason::kNone) << innermost;
    EXPECT_EQ(ParseOnce(Nested(limits::kJsonDepthMax + 1, innermost)), Reason::kTooDeep) << innermost;
  }
  for (const char* innermost : {"[]", "{}", "{\"a\":1}"}) {
    EXPECT_EQ(ParseOnce(Nested(limits::kJsonDepthMax - 1, innermost)), Reason::kNone) << innermost;
    EXPECT_EQ(ParseOnce(Nested(limits::kJsonDepthMax, innermost)), Reason::kTooDeep) << innermost;
  }
  EXPECT_EQ(ParseOnce("{\"a\":" + Nested(limits::kJsonDepthMax, "1") + "}"), Reason::kTooDeep);
  EXPECT_EQ(ParseOnce(Nested(5000, "")), Reason::kTooDeep);
}

TEST(DocumentDuplicates, AreFoundAtEveryDepthAndAfterUnescaping) {
  EXPECT_EQ(ParseOnce(R"({"exp":1,"e\u0078p":2})"), Reason::kDuplicateMember);
  EXPECT_EQ(ParseOnce(R"({"\u0000":1,"\u0000":2})"), Reason::kDuplicateMember);
  EXPECT_EQ(ParseOnce(R"({"":1,"":2})"), Reason::kDuplicateMember);
  EXPECT_EQ(ParseOnce(R"([[{"x":{"a":1,"b":2,"a":3}}]])"), Reason::kDuplicateMember);
  EXPECT_EQ(ParseOnce(R"({"a":{"b":{"c":1,"c":1}}})"), Reason::kDuplicateMember);
}

TEST(DocumentDuplicates, EqualNamesInDifferentObjectsAreNone) {
  EXPECT_EQ(ParseOnce(R"({"a":{"a":{"a":1}},"b":[{"a":1},{"a":2}]})"), Reason::kNone);
  EXPECT_EQ(ParseOnce(R"({"a":1,"A":2,"a ":3,"":4,"a\u0000":5})"), Reason::kNone);
}

// Walks through every size around the change from comparing pairs to sorting, with the twin at every place.
TEST(DocumentDuplicates, AreFoundWhereverTheTwinStands) {
  Document document(1 << 12);
  for (int count = 2; count <= 40; ++count) {
    for (int first = 0; first < count; first += 3) {
      for (int second = first; second < count; second += 5) {
        std::string text = "{";
        for (int i = 0; i < count; ++i) {
          // Equal lengths, first and last letters, so that no shortcut tells the names apart.
          const int number = 100 + (i == second ? first : i);
          text +=
              (i ? ",\"n" : "\"n") + std::to_string(number) + "z\":{\"n" + std::to_string(number) + "z\":0}";
        }
        text += "}";
        ASSERT_EQ(document.Parse(text), first == second ? Reason::kNone : Reason::kDuplicateMember) << text;
      }
    }
  }
}

// Quadratic work on this would be 10^10 comparisons of long names.
TEST(DocumentDuplicates, MegabyteOfMembersEndsInReasonableTime) {
  std::string text = "{";
  size_t count = 0;
  while (text.size() < (1 << 20) - 64) text += "\"aaaaa" + std::to_string(100000 + count++) + "\":0,";
  ASSERT_GT(count, 50000u);
  Document document(1 << 20);
  EXPECT_EQ(document.Parse(text + "\"b\":0}"), Reason::kNone);
  EXPECT_EQ(document.Parse(text + "\"aaaaa100000\":0}"), Reason::kDuplicateMember);
  EXPECT_EQ(document.Parse(text + "\"aaaaa" + std::to_string(100000 + count - 1) + "\":0}"),
            Reason::kDuplicateMember);
}

TEST(DocumentNumbers, IntegersKeepAllTheirBits) {
  Document document(256);
  ASSERT_EQ(document.Parse(
                "[-9223372036854775808,9223372036854775807,9223372036854775808,18446744073709551615,-0]"),
            Reason::kNone);
  Value v = document.root().FirstChild();
  EXPECT_EQ(v.int64(), std::numeric_limits<int64_t>::min());
  v = document.root().NextChild(v);
  EXPECT_EQ(v.int64(), std::numeric_limits<int64_t>::max());
  v = document.root().NextChild(v);
  EXPECT_EQ(v.type(), Type::kUint64);
  EXPECT_EQ(v.int64(), std::nullopt);
  EXPECT_EQ(v.number(), 9223372036854775808.0);
  v = document.root().NextChild(v);
  EXPECT_EQ(v.type(), Type::kUint64);
  EXPECT_EQ(v.number(), 18446744073709551615.0);
  v = document.root().NextChild(v);
  EXPECT_EQ(v.int64(), 0);
  EXPECT_FALSE(document.root().NextChild(v).present());

  EXPECT_EQ(document.Parse("18446744073709551616"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("-9223372036854775809"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("[100000000000000000000000000000000]"), Reason::kBadJson);
}

// Every number of digits, and every other character in the place of each.
TEST(DocumentNumbers, EveryDigitOfAnIntegerIsRead) {
  Document document(256);
  const std::string digits = "1234567890123456789";
  for (size_t size = 1; size <= digits.size(); ++size) {
    const std::string number = digits.substr(0, size);
    ASSERT_EQ(document.Parse("{\"exp\":" + number + "}"), Reason::kNone) << number;
    EXPECT_EQ(document.root().Member("exp").int64(), std::stoll(number));
    for (size_t place = 0; place < size; ++place) {
      for (const char c : {'/', ':', ';', '?', '@', 'p', '\xb5'}) {
        std::string other = number;
        other[place] = c;
        EXPECT_NE(document.Parse("[" + other + "]"), Reason::kNone) << other;
      }
    }
  }
  for (const char* text : {"00000000", "00000001", "0123456789", "01"})
    EXPECT_EQ(document.Parse(text), Reason::kBadJson) << text;
  ASSERT_EQ(document.Parse("99999999"), Reason::kNone);
  EXPECT_EQ(document.root().int64(), 99'999'999);
}

TEST(DocumentNumbers, DoublesAreFinite) {
  Document document(1 << 12);
  ASSERT_EQ(document.Parse("1.7976931348623157e308"), Reason::kNone);
  EXPECT_EQ(document.root().number(), std::numeric_limits<double>::max());
  EXPECT_EQ(document.root().int64(), std::nullopt);
  ASSERT_EQ(document.Parse("[1e0]"), Reason::kNone);
  EXPECT_EQ(document.root().FirstChild().type(), Type::kDouble);
  EXPECT_EQ(document.root().FirstChild().int64(), std::nullopt) << "written with an exponent: no integer";
  EXPECT_EQ(document.Parse("1e309"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("-1e309"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("1.7976931348623159e308"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("1e99999999999999999999"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("NaN"), Reason::kBadJson);
  EXPECT_EQ(document.Parse("Infinity"), Reason::kBadJson);
  ASSERT_EQ(document.Parse("1e-400"), Reason::kNone);
  EXPECT_EQ(document.root().number(), 0.0);
}

TEST(DocumentValue, AnswersExactlyItsOwnType) {
  Document document(256);
  ASSERT_EQ(document.Parse(R"({"s":"1","i":1,"d":1.0,"b":true,"n":null,"a":[],"o":{}})"), Reason::kNone);
  const Value root = document.root();
  int strings = 0, booleans = 0, numbers = 0, integers = 0, arrays = 0, objects = 0, members = 0;
  for (Value v = root.FirstChild(); v.present(); v = root.NextChild(v), ++members) {
    strings += v.string().has_value();
    booleans += v.boolean().has_value();
    numbers += v.number().has_value();
    integers += v.int64().has_value();
    arrays += v.is_array();
    objects += v.is_object();
  }
  EXPECT_EQ(members, 7);
  EXPECT_EQ(strings, 1);
  EXPECT_EQ(booleans, 1);
  EXPECT_EQ(numbers, 2);
  EXPECT_EQ(integers, 1);
  EXPECT_EQ(arrays, 1);
  EXPECT_EQ(objects, 1);
  EXPECT_EQ(root.Member("b").boolean(), true);
  EXPECT_TRUE(root.Member("n").present()) << "null is a value";
  EXPECT_FALSE(root.string() || root.number() || root.boolean() || root.int64());
}

TEST(DocumentValue, AbsentValueHasNoTypeAtAll) {
  const Value absent;
  EXPECT_FALSE(absent.present());
  EXPECT_FALSE(absent.is_object() || absent.is_array());
  EXPECT_FALSE(absent.string() || absent.boolean() || absent.number() || absent.int64());
  EXPECT_FALSE(absent.FirstChild().present());
  EXPECT_FALSE(absent.Member("a").present());
  EXPECT_FALSE(absent.Pointer("/a").present());
  EXPECT_FALSE(absent.Pointer("").present());
}

TEST(DocumentValue, ChildrenComeInOrderAndSkipGrandchildren) {
  Document document(256);
  ASSERT_EQ(document.Parse(R"([[1,[2,3],{"x":4}],[],{},"end"])"), Reason::kNone);
  std::string seen;
  for (Value v = document.root().FirstChild(); v.present(); v = document.root().NextChild(v)) {
    seen += v.is_array() ? 'a' : v.is_object() ? 'o' : 's';
  }
  EXPECT_EQ(seen, "aaos");
  const Value inner = document.root().FirstChild();
  seen.clear();
  for (Value v = inner.FirstChild(); v.present(); v = inner.NextChild(v)) {
    seen += v.is_array() ? 'a' : v.is_object() ? 'o' : 'i';
  }
  EXPECT_EQ(seen, "iao") << "the last child of a nested container is not followed by its uncle";
}

TEST(DocumentValue, StringsAreUnescapedAndMayHoldNul) {
  Document document(256);
  ASSERT_EQ(document.Parse(R"({"a\u0000b":"x\u0000\n\"\\\/\u00e9"})"), Reason::kNone);
  EXPECT_EQ(document.root().Member("a\0b"s).string(), "x\0\n\"\\/\xC3\xA9"s);
  EXPECT_FALSE(document.root().Member("a").present());
}

// Texts without escapes, fractions and long numbers are read another way than all others.
TEST(DocumentValue, IsTheSameWithAndWithoutAnEscapeElsewhere) {
  for (const std::string member :
       {R"("a":"text")", R"("a":"")", R"("a" : "spaced" )", R"("a":0)", R"("a": 999999999999999999 )",
        R"("a":1000000000000000000)", R"("a":true)", R"("a":false )", R"("a":null)", R"("a":[])",
        R"("a":[ 1 , "x",[[]],{"b":{}} ])", R"("a":{})", R"("":{"b":"c"})", R"("a":"\u00e9")"}) {
    Document plain(256), escaped(256);
    ASSERT_EQ(plain.Parse("{" + member + ",\"z\":\"x\"}"), Reason::kNone) << member;
    ASSERT_EQ(escaped.Parse("{" + member + ",\"z\":\"\\u0078\"}"), Reason::kNone) << member;
    const std::function<void(Value, Value)> expect_same = [&](Value a, Value b) {
      ASSERT_EQ(a.present(), b.present()) << member;
      if (!a.present()) return;
      ASSERT_EQ(a.type(), b.type()) << member;
      EXPECT_EQ(a.name(), b.name()) << member;
      EXPECT_EQ(a.string(), b.string()) << member;
      EXPECT_EQ(a.int64(), b.int64()) << member;
      EXPECT_EQ(a.boolean(), b.boolean()) << member;
      Value from_a = a.FirstChild(), from_b = b.FirstChild();
      for (; from_a.present(); from_a = a.NextChild(from_a), from_b = b.NextChild(from_b)) {
        expect_same(from_a, from_b);
        if (!a.is_object()) continue;
        EXPECT_EQ(b.Member(from_a.name()).name(), from_a.name()) << member;
      }
      EXPECT_FALSE(from_b.present()) << member;
    };
    expect_same(plain.root(), escaped.root());
  }
}

// The quick reader of plain texts, and what reads all others.
TEST(DocumentReaders, AgreeOnPlainTexts) {
  for (const std::string member :
       {R"("a":"text")", R"("a":"")", R"("a" : "spaced" )", R"("a":0)", R"("a": 999999999999999999 )",
        R"("a":1000000000000000000)", R"("a":true)", R"("a":false )", R"("a":null)", R"("a":[])",
        R"("a":[ ])", R"("a":[ 1 , "x",[[]],{"b":{}} ])", R"("a":{})", R"("":{"b":"c"})",
        R"("a":{ "b" :{ } })", R"("a":"of more than sixteen bytes, and of more than thirty-two")",
        "\"a\":\"\x7f\"", R"("a":"\u00e9")", "\"a\":\"\xC3\xA9\""}) {
    ExpectReadersAgree("{" + member + ",\"z\":\"x\"}", Reason::kNone);
    ExpectReadersAgree(" [ {" + member + "\n},\t{" + member + "}]\r", Reason::kNone);
  }
  for (const char* text : {"0", "\"\"", " 12 ", "null", "[]", "{}"}) ExpectReadersAgree(text, Reason::kNone);
}

// Each byte in each place of a text that is plain otherwise: where it ends a token, a string, a block.
TEST(DocumentReaders, AgreeWhateverByteStandsAnywhere) {
  const std::string text = R"({"iss":"https://a.example","exp":1700000000, "scope":["a",true,null,{}]})";
  for (size_t place = 0; place < text.size(); ++place) {
    for (int byte = 0; byte < 256; ++byte) {
      std::string other = text;
      other[place] = static_cast<char>(byte);
      ExpectReadersAgree(other, std::nullopt);
      other.insert(place + 1, 1, text[place]);
      ExpectReadersAgree(other, std::nullopt);
    }
    ExpectReadersAgree(text.substr(0, place), Reason::kBadJson);
  }
}

TEST(DocumentReaders, AgreeOnReasons) {
  ExpectReadersAgree(R"({"a":1,"b":{"c":1,"c":2}})", Reason::kDuplicateMember);
  ExpectReadersAgree(Nested(limits::kJsonDepthMax + 1, "1"), Reason::kTooDeep);
  ExpectReadersAgree(Nested(limits::kJsonDepthMax, "{}"), Reason::kTooDeep);
  ExpectReadersAgree(Nested(limits::kJsonDepthMax, "1"), Reason::kNone);
  ExpectReadersAgree("{\"a\":\"\xff\"}", Reason::kBadUtf8);
  for (const char* text :
       {"", " ", "{,}", "{\"a\":1,}", "[1,]", "[,1]", "{} {}", "1 2", "[1}", "{\"a\":1]", "01"})
    ExpectReadersAgree(text, Reason::kBadJson);
}

TEST(DocumentReaders, AgreeOnMoreMembersThanAreComparedPairByPair) {
  for (const int count : {23, 24, 25, 26, 100}) {
    std::string text = "{";
    for (int i = 0; i < count; ++i)
      text += "\"n" + std::to_string(100 + i) + "z\":" + std::to_string(i) + ",";
    ExpectReadersAgree(text + "\"z\":0}", Reason::kNone);
    ExpectReadersAgree(text + "\"n100z\":0}", Reason::kDuplicateMember);
  }
}

TEST(DocumentValue, MembersAreFoundWhateverTheirNamesShare) {
  std::string text = "{";
  std::vector<std::string> names;
  for (int i = 0; i < 300; ++i)
    names.push_back(std::string(static_cast<size_t>(i % 12), 'n') + std::to_string(i));
  for (const std::string& name : names) text += "\"" + name + "\":{\"" + name + "\":\"" + name + "\"},";
  text.back() = '}';
  Document document(1 << 16);
  ASSERT_EQ(document.Parse(text), Reason::kNone);
  for (const std::string& name : names) {
    EXPECT_EQ(document.root().Member(name).Member(name).string(), name);
    EXPECT_FALSE(document.root().Member(name + "n").present()) << name;
    EXPECT_FALSE(document.root().Member("x" + name).present()) << name;
  }
}

// The examples of RFC 6901 section 5, but for array indices, which no claim needs.
TEST(DocumentPointer, FollowsRfc6901ThroughObjects) {
  Document document(512);
  ASSERT_EQ(document.Parse(R"({"foo":["bar"],"":0,"a/b":1,"c%d":2,"i\\j":5,"k\"l":6," ":7,"m~n":8,
                               "realm_access":{"roles":["r"]},"o":{"":{"~1":9}}})"),
            Reason::kNone);
  const Value root = document.root();
  EXPECT_TRUE(root.Pointer("").is_object());
  EXPECT_EQ(root.Pointer("").FirstChild().name(), "foo");
  EXPECT_TRUE(root.Pointer("/foo").is_array());
  EXPECT_EQ(root.Pointer("/").int64(), 0);
  EXPECT_EQ(root.Pointer("/a~1b").int64(), 1);
  EXPECT_EQ(root.Pointer("/c%d").int64(), 2);
  EXPECT_EQ(root.Pointer("/i\\j").int64(), 5);
  EXPECT_EQ(root.Pointer("/k\"l").int64(), 6);
  EXPECT_EQ(root.Pointer("/ ").int64(), 7);
  EXPECT_EQ(root.Pointer("/m~0n").int64(), 8);
  EXPECT_TRUE(root.Pointer("/realm_access/roles").is_array());
  EXPECT_EQ(root.Pointer("/o//~01").int64(), 9) << "~01 is ~1 and not /";

  EXPECT_FALSE(root.Pointer("/foo/0").present());
  EXPECT_FALSE(root.Pointer("/foo/").present());
  EXPECT_FALSE(root.Pointer("/m~n").present()) << "a ~ that escapes nothing";
  EXPECT_FALSE(root.Pointer("/m~").present());
  EXPECT_FALSE(root.Pointer("/realm_access/roles/x").present());
  EXPECT_FALSE(root.Pointer("/nothing/at/all").present());
}

TEST(DocumentPointer, NameWithoutSlashIsDirectMember) {
  Document document(128);
  ASSERT_EQ(document.Parse(R"({"scp":1,"a~1b":2,"a/b":3,"https://example.com/roles":4})"), Reason::kNone);
  EXPECT_EQ(document.root().Pointer("scp").int64(), 1);
  EXPECT_EQ(document.root().Pointer("a~1b").int64(), 2) << "no escapes in a plain name";
  EXPECT_EQ(document.root().Pointer("https://example.com/roles").int64(), 4);
}

TEST(Document, FailureLeavesNoRoot) {
  Document document(64);
  EXPECT_FALSE(document.root().present()) << "before the first text";
  for (const char* bad : {"", "{", "{\"a\":1,\"a\":2}", "[[1],2"}) {
    ASSERT_EQ(document.Parse("{\"a\":1}"), Reason::kNone);
    ASSERT_TRUE(document.root().present());
    ASSERT_NE(document.Parse(bad), Reason::kNone);
    EXPECT_FALSE(document.root().present()) << bad;
  }
  ASSERT_EQ(document.Parse("{\"a\":1}"), Reason::kNone);
  ASSERT_EQ(document.Parse(std::string(65, ' ')), Reason::kTokenTooLong);
  EXPECT_FALSE(document.root().present());
}

TEST(Document, KeepsNothingOfTheText) {
  Document document(64);
  std::string text = R"({"name":"value"})";
  ASSERT_EQ(document.Parse(text), Reason::kNone);
  std::fill(text.begin(), text.end(), '!');
  EXPECT_EQ(document.root().Member("name").string(), "value");
}

TEST(Document, BufferIsParsedInPlaceUpToItsLastByte) {
  const std::string text = R"({"iss":"x"})";
  Document document(text.size());
  std::memcpy(document.Buffer(), text.data(), text.size());
  ASSERT_EQ(document.ParseBuffer(text.size()), Reason::kNone);
  EXPECT_EQ(document.root().Member("iss").string(), "x");
  EXPECT_EQ(document.ParseBuffer(text.size() - 1), Reason::kBadJson);
  EXPECT_EQ(document.ParseBuffer(text.size() + 1), Reason::kTokenTooLong);
  EXPECT_EQ(document.ParseBuffer(0), Reason::kBadJson);
}

// What an earlier, longer text left behind the end is no part of this one.
TEST(Document, EarlierTextDoesNotCompleteALaterOne) {
  Document document(256);
  const std::string full = R"({"a":"bcd","e":[1,2,3],"f":123456,"g":true})";
  for (size_t size = 0; size < full.size(); ++size) {
    ASSERT_EQ(document.Parse(full), Reason::kNone);
    ASSERT_EQ(document.ParseBuffer(size), Reason::kBadJson) << size;
  }
  ASSERT_EQ(document.Parse("123456"), Reason::kNone);
  ASSERT_EQ(document.ParseBuffer(3), Reason::kNone);
  EXPECT_EQ(document.root().int64(), 123);
  ASSERT_EQ(document.Parse("true"), Reason::kNone);
  EXPECT_EQ(document.ParseBuffer(3), Reason::kBadJson);
}

TEST(Document, AllocatesNothingOnceWarm) {
  std::string text = "{";
  for (int i = 0; i < 60; ++i)
    text += "\"claim" + std::to_string(i) + "\":[\"va\\u0041lue\"," + std::to_string(i) + "],";
  text += "\"end\":null}";
  Document document(limits::kTokenBytesMax);
  const uint64_t cold = g_allocations.load(std::memory_order_relaxed);
  ASSERT_EQ(document.Parse(text), Reason::kNone);
  const uint64_t warm = g_allocations.load(std::memory_order_relaxed);
  ASSERT_GT(warm, cold) << "the counter sees the first text, or this test shows nothing";
  Reason reason = Reason::kNone;
  for (int i = 0; i < 100 && reason == Reason::kNone; ++i) reason = document.Parse(text);
  for (const char* other : {"[]", "{\"a\":1,\"a\":2}", "[[", "\"\xFF\""})
    static_cast<void>(document.Parse(other));
  EXPECT_EQ(g_allocations.load(std::memory_order_relaxed), warm);
  EXPECT_EQ(reason, Reason::kNone);
}

// The densest text there is: the bound on memory that the class comment gives.
TEST(Document, MemoryIsASmallMultipleOfItsBound) {
  constexpr size_t kBytes = 1 << 20;
  std::string text = "[0";
  while (text.size() + 3 <= kBytes) text += ",0";
  text += "]";
  Document document(kBytes);
  ASSERT_EQ(document.Parse(text), Reason::kNone);
  size_t count = 0;
  for (Value v = document.root().FirstChild(); v.present(); v = document.root().NextChild(v)) ++count;
  EXPECT_EQ(count, text.size() / 2);
  static_assert(sizeof(Node) <= 48);
}

}  // namespace
}  // namespace tollgate::json
