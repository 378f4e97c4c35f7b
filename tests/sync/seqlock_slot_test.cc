// One thread: what each member promises when nobody interferes. Threads are in seqlock_slot_stress_test.cc,
// all their executions in tests/model.
#include <gtest/gtest.h>

#include <cstdint>
#include <type_traits>

#include "sync/seqlock_slot.h"

namespace tollgate::sync {
namespace {

using Slot = SeqlockSlot<7>;

TEST(SeqlockSlot, IsOneLineAndNothingElse) {
  EXPECT_EQ(sizeof(Slot), 64u);
  EXPECT_EQ(alignof(Slot), 64u);
  EXPECT_FALSE(std::is_copy_constructible_v<Slot>);
}

TEST(SeqlockSlot, BeginsOpenAndClear) {
  const Slot slot;
  const uint32_t seq = slot.Begin();
  EXPECT_TRUE(Slot::Open(seq));
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(slot.Load(i), 0u);
  EXPECT_TRUE(slot.Validate(seq));
  EXPECT_FALSE(slot.used());
}

TEST(SeqlockSlot, KeepsWhatWasStoredUnderAClaim) {
  Slot slot;
  Slot::Word cold{0};
  uint32_t claim = 7;
  ASSERT_TRUE(slot.TryClaim(&claim));
  for (size_t i = 0; i < 7; ++i) slot.Store(i, i + 100);
  Slot::StoreCold(cold, 200);
  slot.Publish(claim);
  const uint32_t seq = slot.Begin();
  EXPECT_TRUE(Slot::Open(seq));
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(slot.Load(i), i + 100);
  EXPECT_EQ(Slot::LoadCold(cold), 200u);
  EXPECT_TRUE(slot.Validate(seq));
}

TEST(SeqlockSlot, IsNotOpenWhileItIsClaimed) {
  Slot slot;
  uint32_t claim = 0;
  ASSERT_TRUE(slot.TryClaim(&claim));
  EXPECT_FALSE(Slot::Open(slot.Begin()));
  slot.Publish(claim);
  EXPECT_TRUE(Slot::Open(slot.Begin()));
}

TEST(SeqlockSlot, AClaimInvalidatesWhatWasBegunBefore) {
  Slot slot;
  const uint32_t seq = slot.Begin();
  uint32_t claim = 0;
  ASSERT_TRUE(slot.TryClaim(&claim));
  EXPECT_FALSE(slot.Validate(seq));
  slot.Publish(claim);
  EXPECT_FALSE(slot.Validate(seq)) << "even if it stored nothing";
}

TEST(SeqlockSlot, IsClaimedOnce) {
  Slot slot;
  const uint32_t seq = slot.Begin();
  uint32_t claim = 0;
  uint32_t second = 0;
  ASSERT_TRUE(slot.TryClaim(&claim));
  EXPECT_FALSE(slot.TryClaim(&second));
  EXPECT_FALSE(slot.TryClaimAt(seq));
  slot.Publish(claim);
  EXPECT_TRUE(slot.TryClaim(&second));
}

TEST(SeqlockSlot, IsClaimedAtASequenceOnlyWhileItIsThatOne) {
  Slot slot;
  const uint32_t seq = slot.Begin();
  ASSERT_TRUE(slot.TryClaimAt(seq));
  slot.Publish(seq);
  EXPECT_FALSE(slot.TryClaimAt(seq));
  EXPECT_TRUE(slot.TryClaimAt(slot.Begin()));
}

TEST(SeqlockSlot, TheSequenceComesRound) {
  Slot slot;
  slot.Publish(UINT32_MAX - 3);
  uint32_t claim = 0;
  ASSERT_TRUE(slot.TryClaim(&claim));
  EXPECT_EQ(claim, UINT32_MAX - 1);
  EXPECT_FALSE(Slot::Open(slot.Begin()));
  slot.Publish(claim);
  EXPECT_EQ(slot.Begin(), 0u);
}

TEST(SeqlockSlot, TheMarkIsApartFromTheWords) {
  Slot slot;
  const uint32_t seq = slot.Begin();
  slot.MarkUsed();
  slot.MarkUsed();
  EXPECT_TRUE(slot.used());
  EXPECT_TRUE(slot.Validate(seq));
  for (size_t i = 0; i < 7; ++i) EXPECT_EQ(slot.Load(i), 0u);
  slot.ClearUsed();
  EXPECT_FALSE(slot.used());
  EXPECT_TRUE(slot.Validate(seq));
}

}  // namespace
}  // namespace tollgate::sync
