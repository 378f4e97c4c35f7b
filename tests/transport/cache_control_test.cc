#include "transport/cache_control.h"

#include <gtest/gtest.h>

namespace tollgate::transport {
namespace {

constexpr int64_t kMost = int64_t{1} << 31;

TEST(MaxAgeSeconds, ReadsMaxAgeAmongOtherDirectives) {
  EXPECT_EQ(MaxAgeSeconds("max-age=300", ""), 300);
  EXPECT_EQ(MaxAgeSeconds("public, max-age=300, must-revalidate", ""), 300);
  EXPECT_EQ(MaxAgeSeconds(" , ,\tMax-Age=300 ,", ""), 300);
  EXPECT_EQ(MaxAgeSeconds("max-age=\"300\"", ""), 300);
  EXPECT_EQ(MaxAgeSeconds("max-age=0", ""), 0);
}

TEST(MaxAgeSeconds, SaysWhenThereIsNone) {
  for (const std::string_view value :
       {"", "public", "s-maxage=60", "x-max-age=60", "max-age-x=60", "ext=\"max-age=60\"",
        "ext=\"a,max-age=60,b\"", "ext=\"\\\",max-age=60\""}) {
    EXPECT_EQ(MaxAgeSeconds(value, "10"), -1) << value;
  }
}

TEST(MaxAgeSeconds, NoStoreAndNoCacheMeanAtOnce) {
  EXPECT_EQ(MaxAgeSeconds("no-store", ""), 0);
  EXPECT_EQ(MaxAgeSeconds("max-age=300, no-cache", ""), 0);
  EXPECT_EQ(MaxAgeSeconds("No-Cache=\"set-cookie\", max-age=300", ""), 0);
}

TEST(MaxAgeSeconds, MalformedOrContradictoryIsTheShorter) {
  for (const std::string_view value :
       {"max-age", "max-age=", "max-age=-1", "max-age=+1", "max-age=1.5", "max-age=1e9", "max-age= 300",
        "max-age=0x10", "max-age=\"", "max-age=\"\"", "max-age=300, max-age=x"}) {
    EXPECT_EQ(MaxAgeSeconds(value, ""), 0) << value;
  }
  EXPECT_EQ(MaxAgeSeconds("max-age=600, max-age=300", ""), 300);
  EXPECT_EQ(MaxAgeSeconds("max-age=300, max-age=600", ""), 300);
}

TEST(MaxAgeSeconds, SubtractsAgeDownToZero) {
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "100"), 200);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "300"), 0);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "301"), 0);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "99999999999999999999"), 0);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "x"), 300);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "-5"), 300);
  EXPECT_EQ(MaxAgeSeconds("max-age=300", "100,200"), 200);
}

TEST(MaxAgeSeconds, HugeNumbersSaturate) {
  EXPECT_EQ(MaxAgeSeconds("max-age=2147483648", ""), kMost);
  EXPECT_EQ(MaxAgeSeconds("max-age=99999999999999999999999999999", ""), kMost);
}

}  // namespace
}  // namespace tollgate::transport
