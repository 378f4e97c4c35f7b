#include "json/large_document.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "json/writer.h"

namespace tollgate::json {
namespace {

using ::testing::ElementsAre;
using Value = LargeDocument::Value;

std::vector<std::string> NamesOf(Value object) {
  std::vector<std::string> names;
  EXPECT_TRUE(object.ForEachMember([&](std::string_view name, Value) {
    names.emplace_back(name);
    return true;
  }));
  return names;
}

Value MemberOf(Value object, std::string_view wanted) {
  Value found;
  object.ForEachMember([&](std::string_view name, Value value) {
    if (name == wanted) found = value;
    return name != wanted;
  });
  return found;
}

TEST(LargeDocument, ShowsValuesByTheirTypes) {
  LargeDocument document(1000, 10);
  ASSERT_EQ(document.Parse(R"( {"s":"a\u0062","i":-1,"u":18446744073709551615,"d":1.0,"t":true,"n":null,)"
                           R"("a":[1,"x"],"o":{}} )"),
            Reason::kNone);
  const Value root = document.root();
  ASSERT_TRUE(root.is_object());
  EXPECT_THAT(NamesOf(root), ElementsAre("s", "i", "u", "d", "t", "n", "a", "o"));
  EXPECT_EQ(MemberOf(root, "s").string(), "ab");
  EXPECT_EQ(MemberOf(root, "s").int64(), std::nullopt);
  EXPECT_EQ(MemberOf(root, "i").int64(), -1);
  EXPECT_EQ(MemberOf(root, "i").string(), std::nullopt);
  for (const char* name : {"u", "d", "t", "n"}) EXPECT_EQ(MemberOf(root, name).int64(), std::nullopt) << name;
  EXPECT_EQ(MemberOf(root, "u").type(), Type::kUint64);
  EXPECT_EQ(MemberOf(root, "d").type(), Type::kDouble);
  EXPECT_EQ(MemberOf(root, "t").type(), Type::kBool);
  EXPECT_EQ(MemberOf(root, "n").type(), Type::kNull);
  EXPECT_TRUE(MemberOf(root, "o").is_object());
  EXPECT_FALSE(MemberOf(root, "absent").present());

  std::vector<Type> types;
  EXPECT_TRUE(MemberOf(root, "a").ForEachElement([&](Value value) {
    types.push_back(value.type());
    return true;
  }));
  EXPECT_THAT(types, ElementsAre(Type::kInt64, Type::kString));
  EXPECT_FALSE(MemberOf(root, "a").ForEachElement([](Value) { return false; }));
}

TEST(LargeDocument, OtherTypesHaveNoChildren) {
  LargeDocument document(1000, 10);
  ASSERT_EQ(document.Parse("[1]"), Reason::kNone);
  EXPECT_TRUE(document.root().ForEachMember([](std::string_view, Value) { return false; }));
  ASSERT_EQ(document.Parse("{\"a\":1}"), Reason::kNone);
  EXPECT_TRUE(document.root().ForEachElement([](Value) { return false; }));
  EXPECT_TRUE(Value().ForEachElement([](Value) { return false; }));
  EXPECT_EQ(Value().string(), std::nullopt);
}

TEST(LargeDocument, RepeatedNamesAreTheCallersConcern) {
  LargeDocument document(1000, 10);
  ASSERT_EQ(document.Parse(R"({"a":1,"\u0061":2})"), Reason::kNone);
  EXPECT_THAT(NamesOf(document.root()), ElementsAre("a", "a"));
}

TEST(LargeDocument, RefusesWhatDocumentRefuses) {
  LargeDocument document(1000, 10);
  for (const auto& [text, reason] : std::vector<std::pair<std::string, Reason>>{
           {"", Reason::kBadJson},
           {"{", Reason::kBadJson},
           {"{}{}", Reason::kBadJson},
           {"\xEF\xBB\xBF{}", Reason::kBadJson},
           {"\"\\ud800\"", Reason::kBadJson},
           {"18446744073709551616", Reason::kBadJson},
           {"1e999", Reason::kBadJson},
           {"\"\xff\"", Reason::kBadUtf8},
           {std::string(20, '[') + std::string(20, ']'), Reason::kTooDeep},
           {std::string(1001, ' '), Reason::kTokenTooLong},
       }) {
    ASSERT_EQ(document.Parse("{}"), Reason::kNone);
    EXPECT_EQ(document.Parse(text), reason) << text;
    EXPECT_FALSE(document.root().present());
  }
}

TEST(LargeDocument, GrowsUpToItsBoundAndKeepsItsDepth) {
  LargeDocument document(100'000, 10);
  std::string text = "[\"" + std::string(99'996, 'a') + "\"]";
  ASSERT_EQ(document.Parse(text), Reason::kNone);
  EXPECT_EQ(document.Parse(text + " "), Reason::kTokenTooLong);
  EXPECT_EQ(document.Parse(std::string(20, '[') + std::string(20, ']')), Reason::kTooDeep);
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Which end the process.
TEST(LargeDocument, WithoutMemoryIsOverloaded) {
  constexpr size_t kMoreThanThereIs = size_t{1} << 60;
  LargeDocument document(kMoreThanThereIs, 10);
  EXPECT_EQ(document.Parse(std::string_view("[1]", kMoreThanThereIs)), Reason::kOverloaded);
  EXPECT_FALSE(document.root().present());
  EXPECT_EQ(document.Parse("[1]"), Reason::kNone);
}
#endif

TEST(Writer, WritesWhatReadersReadBack) {
  std::string all;
  for (int c = 0; c < 0x80; ++c) all += static_cast<char>(c);
  all += "\u4e16";
  std::string text;
  AppendString(all, &text);
  EXPECT_EQ(nlohmann::json::parse(text), all);
  text.clear();
  AppendString("", &text);
  EXPECT_EQ(text, "\"\"");
}

// A log's reader may end a line at U+0085 or U+2028, and a terminal takes U+009B for the beginning of a
// command.
TEST(Writer, LeavesNothingThatEndsALineOrSteersATerminal) {
  const std::string hidden = "\x01\n\x7F\xC2\x80\xC2\x85\xC2\x9B\xC2\x9F\xE2\x80\xA8\xE2\x80\xA9";
  const std::string seen = " \xC2\xA0\xC2\xA9\xE2\x80\xA7\xE2\x80\xAA";
  std::string text;
  AppendString(hidden + seen, &text);
  EXPECT_EQ(text, "\"\\u0001\\u000a\\u007f\\u0080\\u0085\\u009b\\u009f\\u2028\\u2029" + seen + "\"");
  EXPECT_EQ(nlohmann::json::parse(text), hidden + seen);
  // What is not whole is no such character.
  text.clear();
  AppendString("\xC2", &text);
  EXPECT_EQ(text, "\"\xC2\"");
}

}  // namespace
}  // namespace tollgate::json
