#include "keys/absent_kids.h"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::keys {
namespace {

constexpr int64_t kLifetimeMs = 3'600'000;

AbsentKids Kids(size_t entries_max = 4) { return AbsentKids(entries_max, kLifetimeMs, {1, 2, 3}); }

TEST(AbsentKids, FirstSightSettlesNothing) {
  AbsentKids kids = Kids();
  EXPECT_FALSE(kids.IsSettled("a", 1, 0));
  EXPECT_FALSE(kids.IsSettled("a", 1, 1));
}

TEST(AbsentKids, GoodFetchThatBeganAfterTheFirstSightSettles) {
  AbsentKids kids = Kids();
  kids.IsSettled("a", 1, 0);
  kids.OnGood(2, false);
  EXPECT_TRUE(kids.IsSettled("a", 2, 0));
}

TEST(AbsentKids, GoodFetchThatHadBegunBeforeDoesNotSettle) {
  AbsentKids kids = Kids();
  kids.IsSettled("a", 2, 0);  // Fetch 2 is in flight.
  kids.OnGood(2, false);
  EXPECT_FALSE(kids.IsSettled("a", 2, 0));
  kids.OnGood(3, false);
  EXPECT_TRUE(kids.IsSettled("a", 3, 0));
}

TEST(AbsentKids, ChangedSetClearsWhatEarlierAnswersSettledAndKeepsWhatItSettlesItself) {
  AbsentKids kids = Kids();
  kids.IsSettled("old", 1, 0);
  kids.OnGood(2, false);
  kids.IsSettled("new", 2, 0);
  kids.OnGood(3, true);
  EXPECT_FALSE(kids.IsSettled("old", 3, 0));
  EXPECT_TRUE(kids.IsSettled("new", 3, 0));
}

TEST(AbsentKids, FullMemoryLearnsNothingAndForgetsNothing) {
  AbsentKids kids = Kids(2);
  kids.IsSettled("a", 1, 0);
  kids.IsSettled("b", 1, 0);
  for (int i = 0; i < 1000; ++i) kids.IsSettled(std::to_string(i) + "x", 1, 0);
  EXPECT_EQ(kids.size(), 2u);
  kids.OnGood(2, false);
  EXPECT_TRUE(kids.IsSettled("a", 2, 0));
  EXPECT_TRUE(kids.IsSettled("b", 2, 0));
  EXPECT_FALSE(kids.IsSettled("1x", 2, 0));
}

TEST(AbsentKids, ForgetsAfterTheLifetimeAndMakesRoom) {
  AbsentKids kids = Kids(2);
  kids.IsSettled("a", 1, 0);
  kids.IsSettled("b", 1, 10);
  kids.OnGood(2, false);
  EXPECT_TRUE(kids.IsSettled("a", 2, kLifetimeMs));
  EXPECT_FALSE(kids.IsSettled("c", 2, kLifetimeMs));  // No room.
  EXPECT_EQ(kids.size(), 2u);
  EXPECT_FALSE(kids.IsSettled("a", 2, kLifetimeMs + 1));  // A first sight again.
  EXPECT_TRUE(kids.IsSettled("b", 2, kLifetimeMs + 1));
  EXPECT_EQ(kids.size(), 2u);
}

TEST(AbsentKids, ExtremeMomentsDoNotOverflow) {
  AbsentKids kids = Kids();
  EXPECT_FALSE(kids.IsSettled("a", 1, INT64_MIN));
  EXPECT_FALSE(kids.IsSettled("b", 1, INT64_MAX));
  EXPECT_EQ(kids.size(), 1u);
  EXPECT_FALSE(kids.IsSettled("c", 1, INT64_MIN));
  EXPECT_EQ(kids.size(), 2u);
}

}  // namespace
}  // namespace tollgate::keys
