// The protocol, by hand: each case says what MESI would send.

#include "tests/scaling/directory.h"

#include <gtest/gtest.h>

#include <array>

namespace tollgate::scaling {
namespace {

Access At(uint64_t address, Kind kind, uint32_t size = 8) {
  return Access{.address = address, .size = size, .code = 0, .kind = kind};
}

class DirectoryTest : public ::testing::Test {
 protected:
  // Fetches, fetches of a modified line, upgrades, invalidations.
  using Sent = std::array<uint64_t, 4>;
  Sent Do(size_t core, Kind kind, uint64_t address = 0, uint32_t size = 8) {
    const Traffic traffic = directory_.Do(core, At(address, kind, size));
    return {traffic.fetches, traffic.fetches_modified, traffic.upgrades, traffic.invalidations};
  }
  static constexpr Sent kNothing = {0, 0, 0, 0};

  Directory directory_{64};
};

TEST_F(DirectoryTest, ReadersShareALineForNothing) {
  for (size_t core = 0; core < 128; ++core) EXPECT_EQ(Do(core, Kind::kLoad), (Sent{1, 0, 0, 0}));
  for (size_t core = 0; core < 128; ++core) EXPECT_EQ(Do(core, Kind::kLoad), kNothing);
}

TEST_F(DirectoryTest, ALineThatOneCoreAloneHasIsStoredToForNothing) {
  EXPECT_EQ(Do(3, Kind::kLoad), (Sent{1, 0, 0, 0}));
  EXPECT_EQ(Do(3, Kind::kStore), kNothing);
  EXPECT_EQ(Do(3, Kind::kChange), kNothing);
  EXPECT_EQ(Do(3, Kind::kLoad), kNothing);
}

TEST_F(DirectoryTest, AStoreEndsTheCopiesOfTheReaders) {
  for (size_t core = 0; core < 5; ++core) Do(core, Kind::kLoad);
  EXPECT_EQ(Do(0, Kind::kStore), (Sent{0, 0, 1, 4}));
  EXPECT_EQ(Do(1, Kind::kLoad), (Sent{0, 1, 0, 0}));
  EXPECT_EQ(Do(2, Kind::kLoad), (Sent{1, 0, 0, 0}));
  EXPECT_EQ(Do(0, Kind::kLoad), kNothing);
  EXPECT_EQ(Do(0, Kind::kStore), (Sent{0, 0, 1, 2}));
}

TEST_F(DirectoryTest, AStoreFetchesWhatAnotherCoreHasModified) {
  EXPECT_EQ(Do(0, Kind::kStore), (Sent{1, 0, 0, 0}));
  EXPECT_EQ(Do(1, Kind::kStore), (Sent{0, 1, 0, 1}));
  EXPECT_EQ(Do(0, Kind::kChange), (Sent{0, 1, 0, 1}));
}

// A read-modify-write takes the line whatever it writes.
TEST_F(DirectoryTest, AChangeIsAStore) {
  Do(0, Kind::kLoad);
  Do(1, Kind::kLoad);
  EXPECT_EQ(Do(0, Kind::kChange), (Sent{0, 0, 1, 1}));
}

TEST_F(DirectoryTest, AnAccessMayTouchSeveralLines) {
  EXPECT_EQ(Do(0, Kind::kLoad, 60, 8), (Sent{2, 0, 0, 0}));
  EXPECT_EQ(Do(0, Kind::kLoad, 0, 64), kNothing);
  EXPECT_EQ(Do(0, Kind::kLoad, 64, 65), (Sent{1, 0, 0, 0}));
}

TEST_F(DirectoryTest, TheSizeOfALineDecidesWhatIsFalselyShared) {
  Directory wide(128);
  for (Directory* directory : {&directory_, &wide}) {
    directory->Do(0, At(0, Kind::kStore));
    directory->Do(1, At(64, Kind::kStore));
  }
  EXPECT_EQ(directory_.Do(0, At(0, Kind::kStore)).all(), 0u);
  EXPECT_EQ(wide.Do(0, At(0, Kind::kStore)).all(), 2u);
}

TEST_F(DirectoryTest, CoresTakeTurns) {
  const std::array<Access, 3> stores = {At(0, Kind::kStore), At(0, Kind::kStore), At(0, Kind::kStore)};
  const std::array<Trace, 2> traces = {stores, stores};
  const Traffic traffic = directory_.Replay(traces);
  EXPECT_EQ(traffic.fetches, 1u);
  EXPECT_EQ(traffic.fetches_modified, 5u);
  EXPECT_EQ(traffic.invalidations, 5u);
  EXPECT_EQ(directory_.ReplayAlone(1, stores).all(), 0u);
}

TEST(FindSharedLines, FindsWhatOneStoresToAndAnotherUses) {
  const std::array<Access, 3> some = {At(0, Kind::kLoad), At(64, Kind::kStore), At(256, Kind::kStore)};
  const std::array<Access, 2> others = {At(0, Kind::kLoad), At(128, Kind::kStore)};
  const std::array<Access, 1> reader = {At(72, Kind::kLoad)};
  EXPECT_TRUE(FindSharedLines(std::array<Trace, 2>{some, others}, 64).empty());
  EXPECT_EQ(FindSharedLines(std::array<Trace, 2>{some, others}, 256).size(), 1u);
  const std::vector<SharedLine> shared = FindSharedLines(std::array<Trace, 2>{some, reader}, 64);
  ASSERT_EQ(shared.size(), 1u);
  EXPECT_EQ(shared[0].address, 64u);
  EXPECT_EQ(FindSharedLines(std::array<Trace, 2>{others, others}, 64).size(), 1u);
}

}  // namespace
}  // namespace tollgate::scaling
