#include "tollgate/clock.h"

#include <gtest/gtest.h>

#include "tollgate/version.h"

namespace tollgate {
namespace {

TEST(ClockTest, SystemClockReadsBothClocks) {
  const Now first = SystemClock().Read();
  const Now second = SystemClock().Read();
  EXPECT_GT(first.wall_s, 1'700'000'000);
  EXPECT_LT(first.wall_s, 253'402'300'799);
  EXPECT_GE(second.mono_ms, first.mono_ms);
}

TEST(VersionTest, HasThreeNumbers) {
  int dots = 0;
  for (char c : Version()) dots += c == '.';
  EXPECT_EQ(dots, 2) << Version();
}

}  // namespace
}  // namespace tollgate
