#include "keys/key_generations.h"

#include <gtest/gtest.h>

#include <set>
#include <utility>
#include <vector>

#include "base/limits.h"

namespace tollgate::keys {
namespace {

TEST(KeyGenerations, KeyRefThatNobodyFilledInIsNotCurrent) {
  KeyGenerations generations;
  EXPECT_FALSE(generations.IsCurrent(KeyRef{}));
  ASSERT_EQ(generations.Acquire()->slot, 0u);
  EXPECT_FALSE(generations.IsCurrent(KeyRef{}));
}

TEST(KeyGenerations, RetiredKeyIsNotCurrentThoughItsSlotIsUsedAgain) {
  KeyGenerations generations;
  const KeyRef first = *generations.Acquire();
  EXPECT_TRUE(generations.IsCurrent(first));
  generations.Retire(first);
  EXPECT_FALSE(generations.IsCurrent(first));
  const KeyRef second = *generations.Acquire();
  EXPECT_EQ(second.slot, first.slot);
  EXPECT_NE(second.generation, first.generation);
  EXPECT_FALSE(generations.IsCurrent(first));
  EXPECT_TRUE(generations.IsCurrent(second));
}

TEST(KeyGenerations, GenerationsOfASlotNeverComeBack) {
  KeyGenerations generations;
  std::set<std::pair<uint32_t, uint32_t>> seen;
  for (int i = 0; i < 10'000; ++i) {
    const KeyRef key = *generations.Acquire();
    EXPECT_TRUE(seen.emplace(key.slot, key.generation).second);
    generations.Retire(key);
    EXPECT_FALSE(generations.IsCurrent(key));
  }
}

TEST(KeyGenerations, RetiringTwiceFreesTheSlotOnce) {
  KeyGenerations generations;
  const KeyRef key = *generations.Acquire();
  generations.Retire(key);
  generations.Retire(key);
  const KeyRef a = *generations.Acquire();
  const KeyRef b = *generations.Acquire();
  EXPECT_NE(a.slot, b.slot);
}

TEST(KeyGenerations, SaysWhenAllSlotsAreInUseAndReusesThem) {
  KeyGenerations generations;
  std::vector<KeyRef> all;
  for (size_t i = 0; i < limits::kKeySlotsMax; ++i) all.push_back(generations.Acquire().value());
  EXPECT_FALSE(generations.Acquire().has_value());
  generations.Retire(all[77]);
  const auto again = generations.Acquire();
  ASSERT_TRUE(again.has_value());
  EXPECT_EQ(again->slot, all[77].slot);
  EXPECT_FALSE(generations.IsCurrent(all[77]));
}

}  // namespace
}  // namespace tollgate::keys
