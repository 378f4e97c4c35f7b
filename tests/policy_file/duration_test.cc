#include "policy_file/duration.h"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::policy_file {
namespace {

TEST(DurationTest, MillisecondsAreReadToo) {
  EXPECT_EQ(ParseDurationMs("200ms"), 200);
  EXPECT_EQ(ParseDurationMs("90s"), 90'000);
  EXPECT_EQ(ParseDurationMs("15m"), 900'000);
  EXPECT_EQ(ParseDurationMs("1h"), 3'600'000);
  EXPECT_EQ(ParseDurationMs("7d"), 604'800'000);
  EXPECT_EQ(ParseDurationMs("0s"), 0);
  EXPECT_EQ(ParseDurationMs("106751991167d"), 106'751'991'167 * 86'400'000);
  EXPECT_EQ(ParseDuration("200ms"), std::nullopt);  // Policies have none.
  EXPECT_EQ(ParseDuration("0s"), std::nullopt);
}

TEST(DurationTest, NothingElseIsADuration) {
  for (const char* text : {"", "5", "s", "ms", "-1s", "+1s", " 1s", "1 s", "1s ", "1S", "1.5s", "1w", "1sm",
                           "0x1s", "106751991168d", "9223372036854775808ms"}) {
    EXPECT_EQ(ParseDurationMs(text), std::nullopt) << text;
  }
}

TEST(DurationTest, SizesHaveBinaryUnits) {
  EXPECT_EQ(ParseBytes("0B"), 0);
  EXPECT_EQ(ParseBytes("512B"), 512);
  EXPECT_EQ(ParseBytes("64KiB"), 65'536);
  EXPECT_EQ(ParseBytes("64MiB"), int64_t{64} << 20);
  EXPECT_EQ(ParseBytes("2GiB"), int64_t{2} << 30);
  for (const char* text : {"", "64", "KiB", "64KB", "64K", "64kib", "-1B", "8589934592GiB"}) {
    EXPECT_EQ(ParseBytes(text), std::nullopt) << text;
  }
}

TEST(DurationTest, WhatIsWrittenIsReadAsTheSame) {
  for (const int64_t value : {int64_t{0}, int64_t{1}, int64_t{999}, int64_t{1000}, int64_t{1024},
                              int64_t{3'600'000}, int64_t{1} << 40, INT64_MAX}) {
    EXPECT_EQ(ParseDurationMs(FormatDurationMs(value)), value);
    EXPECT_EQ(ParseBytes(FormatBytes(value)), value);
  }
  EXPECT_EQ(FormatDurationMs(90'000), "90s");
  EXPECT_EQ(FormatDurationMs(200), "200ms");
  EXPECT_EQ(FormatBytes(65'536), "64KiB");
}

}  // namespace
}  // namespace tollgate::policy_file
