// ScopeTexts: what is found, what is displaced, and that nothing is kept beyond the bounds.

#include "claims/scope_texts.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <vector>

#include "tests/claims/token_reader.h"

namespace tollgate {
namespace {

using claims::ScopeTexts;
using test::kIssuer;
using test::kNow;
using test::TokenReader;
using testing::ElementsAre;

using Words = std::vector<std::string_view>;

std::string Numbered(size_t number) { return "files:read n:" + std::to_string(number); }

ScopeText* RememberNumbered(size_t number, ScopeTexts* texts) {
  const std::string text = Numbered(number);
  return texts->Remember(text,
                         Words{std::string_view(text).substr(0, 10), std::string_view(text).substr(11)});
}

TEST(ScopeTexts, FindsExactBytesInACopyOfItsOwn) {
  ScopeTexts texts;
  EXPECT_EQ(texts.Find("b a  b"), nullptr);
  {
    const std::string text = "b a  b";
    const std::string_view view = text;
    ScopeText* const known = texts.Remember(text, Words{view.substr(0, 1), view.substr(2, 1)});
    ASSERT_NE(known, nullptr);
    EXPECT_EQ(texts.Find(text), known);
  }
  const ScopeText* const known = texts.Find("b a  b");
  ASSERT_NE(known, nullptr);
  EXPECT_EQ(known->text, "b a  b");
  EXPECT_THAT(known->words, ElementsAre("b", "a"));
  for (const char* other : {"", "b", "b a b", "b a  b ", " b a  b", "B a  b", "a b"})
    EXPECT_EQ(texts.Find(other), nullptr) << other;
  EXPECT_EQ(texts.Find(std::string_view("b a  b\0", 7)), nullptr);
}

TEST(ScopeTexts, KeepsNothingBeyondItsBounds) {
  ScopeTexts texts;
  EXPECT_EQ(texts.Remember("", Words{}), nullptr);
  std::string text(ScopeTexts::kBytesMax, 'x');
  EXPECT_NE(texts.Remember(text, Words{text}), nullptr);
  EXPECT_NE(texts.Find(text), nullptr);
  text += 'x';
  EXPECT_EQ(texts.Remember(text, Words{text}), nullptr);
  EXPECT_EQ(texts.Find(text), nullptr);
  const Words many(ScopeTexts::kWordsMax + 1, std::string_view(text).substr(0, 1));
  EXPECT_EQ(texts.Remember(std::string_view(text).substr(0, 8), many), nullptr);
  EXPECT_EQ(texts.Find(std::string_view(text).substr(0, 8)), nullptr);
}

// As many as an installation has are found again, nearly all of them; and however many come, no more are kept
// than there are places for, and those are right.
TEST(ScopeTexts, DisplacesWhatThereIsNoRoomFor) {
  ScopeTexts texts;
  const auto num_found = [&](size_t num) {
    size_t found = 0;
    for (size_t i = 0; i < num; ++i) {
      const ScopeText* const known = texts.Find(Numbered(i));
      if (known == nullptr) continue;
      ++found;
      EXPECT_EQ(known->text, Numbered(i));
      EXPECT_THAT(known->words, ElementsAre("files:read", Numbered(i).substr(11)));
    }
    return found;
  };
  for (size_t i = 0; i < 200; ++i) ASSERT_NE(RememberNumbered(i, &texts), nullptr);
  EXPECT_GE(num_found(200), 180u);
  for (size_t i = 200; i < 5000; ++i) {
    ScopeText* const known = RememberNumbered(i, &texts);
    ASSERT_NE(known, nullptr);
    EXPECT_EQ(texts.Find(Numbered(i)), known);
    // What has been noted of one text is not said of the next in its place.
    EXPECT_EQ(known->sorted, "");
    EXPECT_EQ(known->granted_by, 0u);
    known->sorted = "noted";
    known->granted_by = 1;
  }
  EXPECT_LE(num_found(5000), ScopeTexts::kTexts);
  EXPECT_GE(num_found(5000), ScopeTexts::kTexts / 2);
}

class RememberedScopes : public test::ClaimsTest {
 protected:
  // Scopes of a token with this scope claim, or of another one that is refused.
  Words Scopes(const idp::json& scope) {
    EXPECT_EQ(With("scope", scope), Reason::kNone);
    return reader.token().scopes;
  }
};

TEST_F(RememberedScopes, AreThoseOfTheTokenBefore) {
  for (int i = 0; i < 3; ++i) {
    EXPECT_THAT(Scopes("b a  b"), ElementsAre("b", "a"));
    ASSERT_NE(reader.token().scope_text, nullptr);
    EXPECT_THAT(reader.token().scope_text->words, ElementsAre("b", "a"));
    EXPECT_THAT(Scopes("a b"), ElementsAre("a", "b"));
    EXPECT_THAT(Scopes({"b", "a", "b"}), ElementsAre("b", "a"));
    EXPECT_EQ(reader.token().scope_text, nullptr) << "an array is no text";
    EXPECT_TRUE(Scopes("").empty());
    EXPECT_TRUE(Scopes("  ").empty());
    EXPECT_THAT(Scopes(std::string(600, 'x')), ElementsAre(std::string(600, 'x')));
    EXPECT_EQ(reader.token().scope_text, nullptr);
    ASSERT_EQ(Without("scope"), Reason::kNone);
    EXPECT_TRUE(reader.token().scopes.empty());
    EXPECT_EQ(reader.token().scope_text, nullptr);
  }
}

TEST_F(RememberedScopes, StayWrongWhereTheyAreWrong) {
  for (int i = 0; i < 3; ++i) {
    for (const char* wrong : {"a\tb", "a \"b\"", "a\\b", "\xc3\xa9"})
      EXPECT_EQ(With("scope", wrong), Reason::kBadClaim) << wrong;
    EXPECT_EQ(With("scope", nullptr), Reason::kBadClaim);
    EXPECT_THAT(Scopes("a b"), ElementsAre("a", "b"));
  }
}

// A token that is refused teaches nothing, and one whose scopes are known is refused all the same.
TEST_F(RememberedScopes, AreLearntFromGoodTokensAlone) {
  idp::json claims = TokenReader::GoodClaims();
  claims["scope"] = "learnt";
  idp::json late = claims;
  late["exp"] = kNow - 3600;
  late["scope"] = "not learnt";
  ASSERT_EQ(reader.Read(late, expectations), Reason::kExpired);
  EXPECT_FALSE(reader.Knows("not learnt"));
  ASSERT_EQ(reader.Read(claims, expectations), Reason::kNone);
  EXPECT_TRUE(reader.Knows("learnt"));
  late["scope"] = "learnt";
  EXPECT_EQ(reader.Read(late, expectations), Reason::kExpired);
  claims["iss"] = "https://other.example/";
  EXPECT_EQ(reader.Read(claims, expectations), Reason::kIssuerUnknown);
}

}  // namespace
}  // namespace tollgate
