#include "tollgate/reason.h"

#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <string>

namespace tollgate {
namespace {

// The enumerators of reason.h, read from the header itself: a reason without a row in the table cannot hide.
std::set<int> NumbersInHeader() {
  std::ifstream header(TOLLGATE_SOURCE_DIR "/engine/include/tollgate/reason.h");
  std::set<int> numbers;
  const std::regex enumerator(R"(^  k\w+ = (\d+),)");
  for (std::string line; std::getline(header, line);) {
    std::smatch match;
    if (std::regex_search(line, match, enumerator)) {
      EXPECT_TRUE(numbers.insert(std::stoi(match[1])).second) << match[1] << " is used twice";
    }
  }
  return numbers;
}

TEST(ReasonTest, EveryReasonHasARowWithANameOfItsOwn) {
  const std::set<int> numbers = NumbersInHeader();
  EXPECT_GE(numbers.size(), 50u);
  std::set<std::string_view> names;
  for (int number : numbers) {
    const auto reason = static_cast<Reason>(number);
    EXPECT_NE(ReasonName(reason), "unknown_reason") << number;
    EXPECT_TRUE(names.insert(ReasonName(reason)).second) << ReasonName(reason);
  }
}

TEST(ReasonTest, ANumberFromNowhereIsADenial) {
  const auto reason = static_cast<Reason>(12345);
  EXPECT_EQ(ReasonName(reason), "unknown_reason");
  EXPECT_EQ(HttpStatus(CategoryOf(reason)), 401);
}

TEST(ReasonTest, OnlyNoneAllows) {
  for (int number : NumbersInHeader()) {
    EXPECT_EQ(CategoryOf(static_cast<Reason>(number)) == Category::kAllowed, number == 0) << number;
  }
}

// Clients find parameters by an unanchored search of the challenge: text of ours must not look like one.
TEST(ReasonTest, TextsHoldNothingThatReadsLikeAParameter) {
  for (int number : NumbersInHeader()) {
    const std::string_view text = ReasonText(static_cast<Reason>(number));
    EXPECT_FALSE(text.empty());
    EXPECT_EQ(text.find_first_of("=\"\\,\n"), std::string_view::npos) << text;
    EXPECT_NE(text.back(), '.') << text;
  }
}

TEST(ReasonTest, CategoriesMapToTheAnswersOfRfc6750) {
  EXPECT_EQ(HttpStatus(Category::kAllowed), 200);
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kNoCredential)), 401);
  EXPECT_EQ(BearerError(CategoryOf(Reason::kNoCredential)), "");
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kNotCompactJws)), 401) << "a malformed token is a bad token";
  EXPECT_EQ(BearerError(CategoryOf(Reason::kNotCompactJws)), "invalid_token");
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kSeveralCredentials)), 400);
  EXPECT_EQ(BearerError(CategoryOf(Reason::kSeveralCredentials)), "invalid_request");
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kInsufficientScope)), 403);
  EXPECT_EQ(BearerError(CategoryOf(Reason::kInsufficientScope)), "insufficient_scope");
  EXPECT_EQ(HttpStatus(CategoryOf(Reason::kUnknownTool)), 403);
  EXPECT_EQ(BearerError(CategoryOf(Reason::kUnknownTool)), "");
  for (Reason reason : {Reason::kKeysNeverFetched, Reason::kKeysTooStale, Reason::kKeyPending,
                        Reason::kIntrospectionUnavailable, Reason::kOverloaded, Reason::kNotRecorded}) {
    EXPECT_EQ(HttpStatus(CategoryOf(reason)), 503) << "never a 401, which costs the client a good token";
  }
}

}  // namespace
}  // namespace tollgate
