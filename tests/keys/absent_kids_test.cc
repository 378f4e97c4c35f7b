#include "keys/absent_kids.h"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::keys {
namespace {

using enum AbsentKids::Asked;

constexpr int64_t kLifetimeMs = 3'600'000;

AbsentKids Kids(size_t entries_max = 4) { return AbsentKids(entries_max, kLifetimeMs, {1, 2, 3}); }

TEST(AbsentKids, FirstSightSettlesNothing) {
  AbsentKids kids = Kids();
  EXPECT_NE(kids.Look("a", 1, 0), kSettled);
  EXPECT_NE(kids.Look("a", 1, 1), kSettled);
}

TEST(AbsentKids, GoodFetchThatBeganAfterTheFirstSightSettles) {
  AbsentKids kids = Kids();
  kids.Look("a", 1, 0);
  kids.OnGood(2, false);
  EXPECT_EQ(kids.Look("a", 2, 0), kSettled);
}

TEST(AbsentKids, GoodFetchThatHadBegunBeforeDoesNotSettle) {
  AbsentKids kids = Kids();
  kids.Look("a", 2, 0);  // Fetch 2 is in flight.
  kids.OnGood(2, false);
  EXPECT_NE(kids.Look("a", 2, 0), kSettled);
  kids.OnGood(3, false);
  EXPECT_EQ(kids.Look("a", 3, 0), kSettled);
}

TEST(AbsentKids, TellsWhetherAFetchHasBegunSinceTheFirstSight) {
  AbsentKids kids = Kids();
  EXPECT_EQ(kids.Look("a", 2, 0), kNotYet);  // Fetch 2 is in flight.
  kids.OnGood(2, false);
  EXPECT_EQ(kids.Look("a", 2, 1), kNotYet);
  EXPECT_EQ(kids.Look("a", 3, 2), kUnheard);  // Fetch 3 has begun.
  EXPECT_EQ(kids.Look("b", 3, 2), kNotYet);
  EXPECT_EQ(kids.Look("a", 4, 3), kUnheard);  // Fetch 3 has failed.
  kids.OnGood(4, false);
  EXPECT_EQ(kids.Look("a", 4, 4), kSettled);
  EXPECT_EQ(kids.Look("b", 4, 4), kSettled);
}

TEST(AbsentKids, ChangedSetClearsWhatEarlierAnswersSettledAndKeepsWhatItSettlesItself) {
  AbsentKids kids = Kids();
  kids.Look("old", 1, 0);
  kids.OnGood(2, false);
  kids.Look("new", 2, 0);
  kids.OnGood(3, true);
  EXPECT_NE(kids.Look("old", 3, 0), kSettled);
  EXPECT_EQ(kids.Look("new", 3, 0), kSettled);
}

TEST(AbsentKids, FullMemoryLearnsNothingAndForgetsNothing) {
  AbsentKids kids = Kids(2);
  kids.Look("a", 1, 0);
  kids.Look("b", 1, 0);
  for (int i = 0; i < 1000; ++i) kids.Look(std::to_string(i) + "x", 1, 0);
  EXPECT_EQ(kids.size(), 2u);
  kids.OnGood(2, false);
  EXPECT_EQ(kids.Look("a", 2, 0), kSettled);
  EXPECT_EQ(kids.Look("b", 2, 0), kSettled);
  EXPECT_NE(kids.Look("1x", 2, 0), kSettled);
}

TEST(AbsentKids, ForgetsAfterTheLifetimeAndMakesRoom) {
  AbsentKids kids = Kids(2);
  kids.Look("a", 1, 0);
  kids.Look("b", 1, 10);
  kids.OnGood(2, false);
  EXPECT_EQ(kids.Look("a", 2, kLifetimeMs), kSettled);
  EXPECT_NE(kids.Look("c", 2, kLifetimeMs), kSettled);  // No room.
  EXPECT_EQ(kids.size(), 2u);
  EXPECT_NE(kids.Look("a", 2, kLifetimeMs + 1), kSettled);  // A first sight again.
  EXPECT_EQ(kids.Look("b", 2, kLifetimeMs + 1), kSettled);
  EXPECT_EQ(kids.size(), 2u);
}

TEST(AbsentKids, ExtremeMomentsDoNotOverflow) {
  AbsentKids kids = Kids();
  EXPECT_NE(kids.Look("a", 1, INT64_MIN), kSettled);
  EXPECT_NE(kids.Look("b", 1, INT64_MAX), kSettled);
  EXPECT_EQ(kids.size(), 1u);
  EXPECT_NE(kids.Look("c", 1, INT64_MIN), kSettled);
  EXPECT_EQ(kids.size(), 2u);
}

}  // namespace
}  // namespace tollgate::keys
