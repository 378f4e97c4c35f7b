#include "policy/grants.h"

#include <gtest/gtest.h>

#include <set>
#include <span>
#include <string>
#include <vector>

namespace tollgate::policy {
namespace {

using Words = std::vector<std::string_view>;

Words Copy(std::span<const std::string_view> words) { return {words.begin(), words.end()}; }

TEST(GrantsTest, AreReadAsTheyWereWritten) {
  const Words scopes = {"b", "a", "b"}, roles = {"r"}, actors = {"agent two", "agent one"},
              amr = {"pwd", "otp"};
  const Words one = {"x"}, empty = {""}, two = {"", "y"}, none = {};
  const std::vector<Claim> claims = {{.name = "text", .is_text = true, .values = one},
                                     {.name = "empty", .is_text = true, .values = empty},
                                     {.name = "number", .values = one},
                                     {.name = "list", .is_list = true, .values = two},
                                     {.name = "list of nothing", .is_list = true, .values = empty},
                                     {.name = "no list", .is_list = true, .values = none},
                                     {.name = "object", .values = none}};
  std::string text;
  ASSERT_TRUE(WriteGrants({.kind = PrincipalKind::kAgent,
                           .scopes = scopes,
                           .roles = roles,
                           .actors = actors,
                           .acr = "gold",
                           .amr = amr,
                           .claims = claims},
                          &text));
  GrantsReader reader;
  for (int i = 0; i < 2; ++i) {
    const Grants& read = reader.Read(text);
    EXPECT_EQ(read.kind, PrincipalKind::kAgent);
    EXPECT_EQ(Copy(read.scopes), (Words{"a", "b"}));
    EXPECT_EQ(Copy(read.roles), roles);
    EXPECT_EQ(Copy(read.actors), actors);
    EXPECT_EQ(read.acr, "gold");
    EXPECT_EQ(Copy(read.amr), amr);
    ASSERT_EQ(read.claims.size(), claims.size());
    for (size_t c = 0; c < claims.size(); ++c) {
      EXPECT_EQ(read.claims[c].name, claims[c].name);
      EXPECT_EQ(read.claims[c].is_list, claims[c].is_list) << claims[c].name;
      EXPECT_EQ(read.claims[c].is_text, claims[c].is_text) << claims[c].name;
      EXPECT_EQ(Copy(read.claims[c].values), Copy(claims[c].values)) << claims[c].name;
    }
  }
  const GrantsHead head = ReadHead(text);
  EXPECT_EQ(text.substr(sizeof head, head.scope_bytes), "a b");
  EXPECT_EQ(text.substr(sizeof head + head.scope_bytes, head.roles_bytes), "r");
  EXPECT_EQ(text.substr(sizeof head + head.scope_bytes + head.roles_bytes, head.actors_bytes),
            "agent two\nagent one");
}

TEST(GrantsTest, TokensThatSayTheSameShareAText) {
  const Words ab = {"a", "b"}, ba = {"b", "a"};
  std::string one, other;
  ASSERT_TRUE(WriteGrants({.scopes = ab, .roles = ba}, &one));
  ASSERT_TRUE(WriteGrants({.scopes = ba, .roles = ab}, &other));
  EXPECT_EQ(one, other);
  ASSERT_TRUE(WriteGrants({.kind = PrincipalKind::kService, .scopes = ba, .roles = ab}, &other));
  EXPECT_NE(one, other);
}

TEST(GrantsTest, AKnownTextIsSortedOnce) {
  ScopeText known{.text = "b a", .words = {}};
  known.words = {std::string_view(known.text).substr(0, 1), std::string_view(known.text).substr(2)};
  const Words roles = {"r", "q"};
  std::string plain, text;
  ASSERT_TRUE(WriteGrants({.scopes = known.words, .roles = roles}, &plain));
  for (int again = 0; again < 2; ++again) {
    ASSERT_TRUE(WriteGrants({.scopes = known.words, .scope_text = &known, .roles = roles}, &text));
    EXPECT_EQ(text, plain);
    EXPECT_EQ(known.sorted, "a b");
  }
}

TEST(GrantsTest, FewAndManyWordsAreInTheSameOrder) {
  const Words all = {"b", "a:2", "a", "", "\xff", "b", "a:1"};
  for (size_t from = 0; from < all.size(); ++from) {
    for (size_t num = 0; from + num <= all.size(); ++num) {
      const std::span<const std::string_view> words = std::span(all).subspan(from, num);
      const std::set<std::string_view> sorted(words.begin(), words.end());
      std::string expected, text;
      for (std::string_view word : sorted)
        expected += (word == *sorted.begin() ? "" : " ") + std::string(word);
      ASSERT_TRUE(WriteGrants({.scopes = words}, &text));
      EXPECT_EQ(ReadShown(text).scope, expected);
    }
  }
}

// By all their bytes, however many they share.
TEST(GrantsTest, WordsAreInTheirOrderAndThereOnce) {
  const Words words = {"tickets:list", "b", "tickets:", "tickets:approve", "b", "\xc3\xa9", "tickets", "ba"};
  std::string text;
  ASSERT_TRUE(WriteGrants({.scopes = words}, &text));
  EXPECT_EQ(ReadShown(text).scope, "b ba tickets tickets: tickets:approve tickets:list \xc3\xa9");
}

TEST(GrantsTest, OfNobodyAreNothing) {
  GrantsReader reader;
  const Grants& read = reader.Read("");
  EXPECT_TRUE(read.scopes.empty() && read.roles.empty() && read.amr.empty() && read.claims.empty());
  std::string text;
  ASSERT_TRUE(WriteGrants({}, &text));
  EXPECT_EQ(text.size(), sizeof(GrantsHead));
  EXPECT_TRUE(reader.Read(text).claims.empty());
}

TEST(GrantsTest, WhatIsTooLongIsRefused) {
  const std::string role(65'536, 'r');
  const Words roles = {role};
  std::string text;
  EXPECT_FALSE(WriteGrants({.roles = roles}, &text));
}

}  // namespace
}  // namespace tollgate::policy
