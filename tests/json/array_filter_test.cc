#include "json/array_filter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

namespace tollgate::json {
namespace {

using ::testing::ElementsAre;

constexpr std::array<ArrayFilter::Path, 2> kPaths = {{{"r", "a", "n"}, {"r", "b", "m"}}};

class ArrayFilterTest : public ::testing::Test {
 protected:
  // Filtered keeps the names that begin with "y".
  std::string Filtered(std::string_view text) {
    std::string out = ">";
    asked_.clear();
    reason_ = filter_.Copy(
        text, kPaths,
        [this](size_t path, std::string_view name) {
          asked_.push_back(std::to_string(path) + std::string(name));
          return name.starts_with("y");
        },
        &out);
    return out.substr(1);
  }

  ArrayFilter filter_{10'000};
  std::vector<std::string> asked_;
  Reason reason_ = Reason::kNone;
};

TEST_F(ArrayFilterTest, LeavesOutWhatDoesNotStayAndKeepsTheRestByteByByte) {
  EXPECT_EQ(Filtered(R"( { "x" : [ {"n":"q"} ] , "r" : { "a" : [ {"n":"y1", "z" : 1.0 } , {"n":"n1"},)"
                     R"({"n":"y2"} ] , "c":2 } } )"),
            R"( { "x" : [ {"n":"q"} ] , "r" : { "a" : [{"n":"y1", "z" : 1.0 },{"n":"y2"}] , "c":2 } } )");
  EXPECT_THAT(asked_, ElementsAre("0y1", "0n1", "0y2"));
  EXPECT_EQ(Filtered(R"({"r":{"a":[{"n":"n"}],"b":[{"m":"y"},{"m":"n"}]}})"),
            R"({"r":{"a":[],"b":[{"m":"y"}]}})");
  EXPECT_THAT(asked_, ElementsAre("0n", "1y", "1n"));
  EXPECT_EQ(Filtered(R"({"r":{"a":[]}})"), R"({"r":{"a":[]}})");
  EXPECT_EQ(Filtered(R"({"r":{"\u0061":[{"\u006e":"\u006e"},{"n":"\u0079"}]}})"),
            R"({"r":{"\u0061":[{"n":"\u0079"}]}})");
}

TEST_F(ArrayFilterTest, EveryMessageOfABatch) {
  EXPECT_EQ(Filtered(R"([{"r":{"a":[{"n":"n"}]}},1,"r",)"
                     R"({"r":{"a":[{"n":"y"},{"n":"n"}]}}])"),
            R"([{"r":{"a":[]}},1,"r",{"r":{"a":[{"n":"y"}]}}])");
}

TEST_F(ArrayFilterTest, OtherTextsAreCopied) {
  for (const char* text : {"1", "\"a\"", "null", "[]", "{}", "[1]", R"({"r":1})", R"({"r":[]})",
                           R"({"a":[{"n":"n"}]})", R"({"r":{"x":{"a":[{"n":"n"}]}}})"}) {
    EXPECT_EQ(Filtered(text), text);
    EXPECT_EQ(reason_, Reason::kNone);
  }
}

TEST_F(ArrayFilterTest, WhatHasNoOneNameDoesNotStay) {
  EXPECT_EQ(Filtered(R"({"r":{"a":[1,"y",null,[],{},{"n":1},{"n":null},{"n":["y"]},{"n":"y","n":"y"},)"
                     R"({"n":"y","\u006e":"z"},{"N":"y"},{"n":"y","N":"n"},{"N":"n","n":"y"},)"
                     R"({"x":{"n":"y"}},{"n":"y"}]}})"),
            R"({"r":{"a":[{"n":"y"}]}})");
}

TEST_F(ArrayFilterTest, RefusesWhatIsNotCertain) {
  for (const char* text :
       {R"({"r":{"a":[]},"r":{"a":[]}})", R"({"r":1,"\u0072":{"a":[{"n":"n"}]}})",
        R"({"r":{"a":[],"a":[{"n":"n"}]}})", R"([{"r":{"a":1,"a":[]}}])", R"({"R":{"a":[{"n":"n"}]}})",
        R"({"r":{"A":[{"n":"n"}]}})", R"({"r":{"a":[],"A":[{"n":"n"}]}})", R"({"r":{"a":1}})",
        R"({"r":{"a":null}})", R"({"r":{"a":{"n":"n"}}})", R"([[{"r":{"a":[{"n":"n"}]}}]])", "[[]]"}) {
    EXPECT_EQ(Filtered(text), "") << text;
    EXPECT_EQ(reason_, Reason::kDuplicateMember) << text;
  }
  for (const char* text : {"", "{", "{}{}", R"({"r":{"a":[{"n":"y"},]}})", R"({"r":{"a":[{"n":"y"}]}}x)",
                           R"({"x":tru,"r":{"a":[]}})", "\xEF\xBB\xBF{}", R"({"x":01})", R"({"x":1e999})"}) {
    EXPECT_EQ(Filtered(text), "") << text;
    EXPECT_EQ(reason_, Reason::kBadJson) << text;
  }
  EXPECT_EQ(Filtered("{\"x\":\"\xff\"}"), "");
  EXPECT_EQ(reason_, Reason::kBadUtf8);
  EXPECT_EQ(Filtered(std::string(10'001, ' ')), "");
  EXPECT_EQ(reason_, Reason::kTokenTooLong);
}

TEST_F(ArrayFilterTest, NamesBeyondAsciiThatFoldToIt) {
  constexpr std::array<ArrayFilter::Path, 1> kFolding = {{{"result", "k", "n"}}};
  for (const char* text :
       {"{\"re\u017fult\":{\"k\":[{\"n\":\"n\"}]}}", "{\"result\":{\"\u212a\":[{\"n\":\"n\"}]}}"}) {
    std::string out;
    EXPECT_EQ(filter_.Copy(
                  text, kFolding, [](size_t, std::string_view) { return false; }, &out),
              Reason::kDuplicateMember);
    EXPECT_EQ(out, "");
  }
}

TEST_F(ArrayFilterTest, AShortBoundIsNoObstacle) {
  ArrayFilter small(10);
  std::string out;
  const auto keep = [](size_t, std::string_view) { return true; };
  EXPECT_EQ(small.Copy("[1,2,3,45]", kPaths, keep, &out), Reason::kNone);
  EXPECT_EQ(small.Copy("[1,2,3,456]", kPaths, keep, &out), Reason::kTokenTooLong);
  EXPECT_EQ(out, "[1,2,3,45]");
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // Which end the process.
TEST_F(ArrayFilterTest, WithoutMemoryNothingIsCopied) {
  constexpr size_t kMoreThanThereIs = size_t{1} << 60;
  ArrayFilter large(kMoreThanThereIs);
  std::string out;
  const auto keep = [](size_t, std::string_view) { return true; };
  EXPECT_EQ(large.Copy(std::string_view("[1]", kMoreThanThereIs), kPaths, keep, &out), Reason::kOverloaded);
  EXPECT_EQ(out, "");
  EXPECT_EQ(large.Copy("[1]", kPaths, keep, &out), Reason::kNone);
  EXPECT_EQ(out, "[1]");
}
#endif

TEST_F(ArrayFilterTest, LongAndShortTextsInTurn) {
  std::string text = R"({"r":{"a":[)", kept = text;
  for (int i = 0; i < 300; ++i) {
    const std::string element = R"({"n":")" + std::string(i % 3 == 0 ? "n" : "y") + std::to_string(i) + "\"}";
    text += (i == 0 ? "" : ",") + element;
    if (i % 3 != 0) kept += (kept.back() == '[' ? "" : ",") + element;
  }
  text += "]}}", kept += "]}}";
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(Filtered(text), kept);
    EXPECT_EQ(Filtered("{}"), "{}");
  }
}

}  // namespace
}  // namespace tollgate::json
