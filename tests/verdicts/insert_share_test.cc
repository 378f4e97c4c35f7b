#include "verdicts/insert_share.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>

namespace tollgate::verdicts {
namespace {

constexpr uint64_t kOther = 1;

size_t Granted(InsertShare& share, uint64_t owner, size_t attempts) {
  size_t granted = 0;
  for (size_t i = 0; i < attempts; ++i) granted += share.MayDisplace(owner);
  return granted;
}

TEST(InsertShare, GrantsAnOwnerItsShareOfAWindowAndNoMore) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  EXPECT_EQ(Granted(*share, 0, 3000), 100u);
  EXPECT_FALSE(share->MayDisplace(0));
}

TEST(InsertShare, OneThatHasUsedItsShareTakesNothingFromOthers) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  EXPECT_EQ(Granted(*share, 0, 1000), 100u);
  EXPECT_EQ(Granted(*share, kOther, 1000), 100u);
  EXPECT_EQ(Granted(*share, 2, 1000), 100u);
}

TEST(InsertShare, OwnersOfOneCellShareAShare) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  EXPECT_EQ(Granted(*share, 5, 60), 60u);
  EXPECT_EQ(Granted(*share, 5 + 4096, 1000), 40u);
  EXPECT_EQ(Granted(*share, 6, 1), 1u);
}

TEST(InsertShare, HalvesWhatWasGrantedWithEachWindow) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  EXPECT_EQ(Granted(*share, 0, 100), 100u);
  // All attempts count for the window, granted or not.
  EXPECT_EQ(Granted(*share, kOther, 3098), 100u);
  EXPECT_FALSE(share->MayDisplace(0)) << "the window's last but one";
  EXPECT_EQ(Granted(*share, 0, 1000), 50u);
  EXPECT_EQ(Granted(*share, kOther, 1000), 50u);
}

TEST(InsertShare, WhoeverTriesForEverGetsHalfAShareOfEachWindow) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  size_t granted = Granted(*share, 0, 3200);
  EXPECT_EQ(granted, 100u + 1u) << "the attempt that ends the window is decided after the halving";
  for (int window = 0; window < 20; ++window) {
    granted = Granted(*share, 0, 3200);
    EXPECT_GE(granted, 49u);
    EXPECT_LE(granted, 51u);
  }
}

TEST(InsertShare, AnOwnerThatRestsHasItsShareAgain) {
  const auto share = std::make_unique<InsertShare>(3200, 32);
  EXPECT_EQ(Granted(*share, 0, 200), 100u);
  for (int window = 0; window < 7; ++window) Granted(*share, kOther, 3200);
  EXPECT_EQ(Granted(*share, 0, 1000), 100u);
}

TEST(InsertShare, IsSixteenAtLeast) {
  for (const size_t window : {0u, 1u, 16u, 100u, 511u}) {
    const auto share = std::make_unique<InsertShare>(window, 32);
    EXPECT_TRUE(share->MayDisplace(0)) << window;
    EXPECT_LE(Granted(*share, 0, std::max<size_t>(window, 1) - 1), 16u) << window;
  }
  const auto share = std::make_unique<InsertShare>(100, 32);
  EXPECT_EQ(Granted(*share, 0, 90), 16u);
}

TEST(InsertShare, AWindowOfAnySizeIsBounded) {
  const auto share = std::make_unique<InsertShare>(SIZE_MAX, 2);
  EXPECT_EQ(Granted(*share, 0, 10'000), 10'000u);
}

}  // namespace
}  // namespace tollgate::verdicts
