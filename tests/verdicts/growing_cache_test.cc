// How the cache takes its memory into use: docs/decisions/0021-growing-verdict-cache.md.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/verdicts/cache_fixture.h"

namespace tollgate::verdicts {
namespace {

using enum VerdictCache::InsertResult;

// Few tokens lie close together, and nothing is displaced before all of the memory is in use.
TEST(GrowingCache, IsTakenIntoUseAsTokensCome) {
  CacheUser user(size_t{32'768} * VerdictCache::kSlotBytes);
  const size_t capacity = user.cache().capacity();
  ASSERT_EQ(capacity, 32'768u);
  EXPECT_EQ(user.cache().slots_in_use(), 512u);
  size_t before = 512;
  for (uint64_t i = 0; i < capacity / 2; ++i) {
    ASSERT_TRUE(user.Insert(Token(i), EntryOf(i)) == kInserted || before == capacity) << i;
    const size_t in_use = user.cache().slots_in_use();
    EXPECT_GE(in_use, before);
    before = in_use;
    if (i >= 300 && in_use < capacity) {
      EXPECT_GE(in_use, 2 * i) << "half full, at the most";
      EXPECT_LE(in_use, 6 * i + 512) << "and not much emptier than a quarter";
    }
  }
  EXPECT_EQ(before, capacity);
}

TEST(GrowingCache, EveryTokenIsFoundWhileMoreOfTheMemoryIsTakenIntoUse) {
  CacheUser user(size_t{32'768} * VerdictCache::kSlotBytes);
  const std::string subjects[] = {"alice", std::string(50, 'b')};
  size_t grown = 0, in_use = user.cache().slots_in_use();
  for (uint64_t i = 0; user.cache().slots_in_use() < user.cache().capacity(); ++i) {
    ASSERT_LT(i, 20'000u) << "it is not taken into use";
    ASSERT_EQ(user.Insert(Token(i), EntryOf(i, subjects[i % 2])), kInserted);
    if (user.cache().slots_in_use() == in_use) continue;
    in_use = user.cache().slots_in_use();
    if (++grown % 2 != 0) continue;
    for (uint64_t number = 0; number <= i; ++number) {
      Facts facts;
      VerdictCache::Found found;
      Details details;
      ASSERT_TRUE(user.Find(Token(number), &facts, &found)) << number << " of " << i;
      ASSERT_TRUE(SameFacts(facts, EntryOf(number).facts));
      ASSERT_TRUE(user.cache().ReadDetails(found, &details));
      ASSERT_EQ(details.names.subject, subjects[number % 2]);
    }
  }
  EXPECT_GT(grown, 100u);
}

// The least cache is two buckets, and each token may be in both.
TEST(GrowingCache, ATokenHasFourSlotsToChooseFrom) {
  for (uint64_t i = 0; i < 1'000; ++i) {
    CacheUser user(size_t{4} * VerdictCache::kSlotBytes);
    for (uint64_t token = 4 * i; token < 4 * i + 4; ++token)
      ASSERT_EQ(user.Insert(Token(token), EntryOf(token)), kInserted) << i;
  }
}

// A key that was derived before its entry was moved.
TEST(GrowingCache, AKeyFromBeforeFindsWhatWasMoved) {
  CacheUser user(size_t{4'096} * VerdictCache::kSlotBytes);
  std::vector<VerdictCache::Key> keys(200);
  for (uint64_t i = 0; i < keys.size(); ++i) {
    user.cache().Derive(Token(i), &keys[i]);
    ASSERT_EQ(user.Insert(Token(i), EntryOf(i)), kInserted);
  }
  for (uint64_t i = 1'000; i < 2'500; ++i) ASSERT_EQ(user.Insert(Token(i), EntryOf(i)), kInserted);
  ASSERT_EQ(user.cache().slots_in_use(), user.cache().capacity());
  size_t moved = 0;
  for (uint64_t i = 0; i < keys.size(); ++i) {
    VerdictCache::Key now;
    user.cache().Derive(Token(i), &now);
    moved += now.home != keys[i].home;
    Facts facts;
    VerdictCache::Found found;
    ASSERT_EQ(user.cache().Find(keys[i], &facts, &found), VerdictCache::FindResult::kFound) << i;
    ASSERT_TRUE(SameFacts(facts, EntryOf(i).facts));
    // And what is inserted with it is found with one of now.
    ASSERT_NE(user.cache().Insert(keys[i], EntryOf(i + 7), 0, [](KeyRef) { return true; }), kDisplaced);
    ASSERT_TRUE(user.Find(Token(i), &facts));
    ASSERT_EQ(facts.valid_from_s, static_cast<int64_t>(i + 7));
  }
  EXPECT_GT(moved, 100u);
}

TEST(GrowingCache, TheExpiredGiveWayBeforeMoreMemoryIsTakenIntoUse) {
  CacheUser user(size_t{4} << 20);
  for (uint64_t i = 0; i < 100'000; ++i) {
    // Three hundred live at a time.
    VerdictCache::Entry entry = EntryOf(i);
    user.SetNow(static_cast<int64_t>(1'000 + i));
    entry.facts.valid_through_s = static_cast<int64_t>(1'300 + i);
    ASSERT_EQ(user.Insert(Token(i), entry), kInserted);
  }
  EXPECT_LE(user.cache().slots_in_use(), 4096u) << "of 16,384";
}

TEST(GrowingCache, WhatIsMovedKeepsItsMarkOfUse) {
  CacheUser user(size_t{4096} * VerdictCache::kSlotBytes);
  constexpr uint64_t kUsed = 200;
  uint64_t next = 0;
  const auto insert = [&] { return user.Insert(Token(next), EntryOf(next, std::to_string(next))); };
  for (; next < kUsed; ++next) insert();
  for (uint64_t i = 0; i < kUsed; ++i) ASSERT_TRUE(user.Has(Token(i)));
  // A fifth of all is displaced; of those with a mark, the few that were passed over before.
  for (size_t displaced = 0; displaced < 800; ++next) displaced += insert() == kDisplaced;
  ASSERT_EQ(user.cache().slots_in_use(), user.cache().capacity());
  size_t there = 0;
  for (uint64_t i = 0; i < kUsed; ++i) there += user.Has(Token(i));
  EXPECT_GT(there, kUsed - 15);
}

}  // namespace
}  // namespace tollgate::verdicts
