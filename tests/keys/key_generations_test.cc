#include "keys/key_generations.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace tollgate::keys {
namespace {

constexpr size_t kSlots = 65'536;

TEST(KeyGenerations, KeyRefThatNobodyFilledInIsNotCurrent) {
  KeyGenerations generations(kSlots);
  EXPECT_FALSE(generations.IsCurrent(KeyRef{}));
  ASSERT_EQ(generations.Acquire(7)->slot, 0u);
  EXPECT_FALSE(generations.IsCurrent(KeyRef{}));
}

TEST(KeyGenerations, RetiredKeyIsNotCurrentThoughItsSlotIsUsedAgain) {
  KeyGenerations generations(kSlots);
  const KeyRef first = *generations.Acquire(7);
  EXPECT_TRUE(generations.IsCurrent(first));
  generations.Retire(first);
  EXPECT_FALSE(generations.IsCurrent(first));
  const KeyRef second = *generations.Acquire(7);
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_NE(second.generation, first.generation);
  EXPECT_FALSE(generations.IsCurrent(first));
  EXPECT_TRUE(generations.IsCurrent(second));
}

TEST(KeyGenerations, TellsWhoseKeyItIsAsLongAsItIsOne) {
  KeyGenerations generations(kSlots);
  uint32_t issuer;
  const KeyRef first = *generations.Acquire(7);
  EXPECT_TRUE(generations.IsCurrent(first, &issuer));
  EXPECT_EQ(issuer, 7u);
  generations.Retire(first);
  EXPECT_FALSE(generations.IsCurrent(first, &issuer));
  const KeyRef second = *generations.Acquire(4095);
  ASSERT_EQ(second.slot, first.slot);
  EXPECT_TRUE(generations.IsCurrent(second, &issuer));
  EXPECT_EQ(issuer, 4095u);
  EXPECT_FALSE(generations.IsCurrent(first, &issuer));
}

TEST(KeyGenerations, GenerationsOfASlotNeverComeBack) {
  KeyGenerations generations(kSlots);
  std::set<std::pair<uint32_t, uint32_t>> seen;
  // Far enough for a slot to be given up.
  for (uint32_t i = 0; i < limits::kKeyGenerationMax; ++i) {
    const KeyRef key = *generations.Acquire(7);
    EXPECT_LE(key.generation, limits::kKeyGenerationMax);
    EXPECT_TRUE(seen.emplace(key.slot, key.generation).second);
    generations.Retire(key);
    EXPECT_FALSE(generations.IsCurrent(key));
  }
}

TEST(KeyGenerations, RetiringTwiceFreesTheSlotOnce) {
  KeyGenerations generations(kSlots);
  const KeyRef key = *generations.Acquire(7);
  generations.Retire(key);
  generations.Retire(key);
  const KeyRef a = *generations.Acquire(7);
  const KeyRef b = *generations.Acquire(7);
  EXPECT_NE(a.slot, b.slot);
}

TEST(KeyGenerations, SaysWhenAllSlotsAreInUseAndReusesThem) {
  KeyGenerations generations(kSlots);
  std::vector<KeyRef> all;
  for (size_t i = 0; i < kSlots; ++i) all.push_back(generations.Acquire(7).value());
  EXPECT_FALSE(generations.Acquire(7).has_value());
  generations.Retire(all[77]);
  const auto again = generations.Acquire(7);
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->slot, all[77].slot);
  EXPECT_FALSE(generations.IsCurrent(all[77]));
}

}  // namespace
}  // namespace tollgate::keys
