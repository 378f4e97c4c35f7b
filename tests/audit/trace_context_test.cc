#include "audit/trace_context.h"

#include <gtest/gtest.h>

#include <string>

namespace tollgate::audit {
namespace {

constexpr std::string_view kGood = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

std::string With(size_t at, char c) {
  std::string text(kGood);
  text[at] = c;
  return text;
}

TEST(Traceparent, IsWhatTheStandardSays) {
  EXPECT_EQ(Traceparent(kGood), kGood);
  EXPECT_EQ(Traceparent(With(54, 'f')), With(54, 'f')) << "all flags are carried";
  // A later version may say more behind a dash.
  const std::string later = "cc" + std::string(kGood.substr(2));
  EXPECT_EQ(Traceparent(later), later);
  EXPECT_EQ(Traceparent(later + "-what-the-future-brings"), later);
  EXPECT_EQ(Traceparent(later + "."), "");
}

TEST(Traceparent, IsNothingElse) {
  EXPECT_EQ(Traceparent(""), "");
  EXPECT_EQ(Traceparent(kGood.substr(0, 54)), "");
  EXPECT_EQ(Traceparent(std::string(kGood) + "-01"), "") << "version 00 says no more";
  EXPECT_EQ(Traceparent("ff" + std::string(kGood.substr(2))), "");
  EXPECT_EQ(Traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"), "");
  EXPECT_EQ(Traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"), "");
  for (size_t at = 0; at < kGood.size(); ++at) {
    for (const char c : {'A', 'g', ' ', '"', '\n', '\0', '\xff'}) {
      EXPECT_EQ(Traceparent(With(at, c)), "") << at << " " << static_cast<int>(c);
    }
  }
}

TEST(Traceparent, NeedsNoMoreThanIsKeptOfAField) {
  for (const std::string& field :
       {std::string(kGood), std::string(kGood) + "-", "01" + std::string(kGood.substr(2)) + "-x",
        "01" + std::string(kGood.substr(2)) + "x"}) {
    EXPECT_EQ(Traceparent(field.substr(0, kTraceparentSeenBytes)), Traceparent(field)) << field;
  }
}

}  // namespace
}  // namespace tollgate::audit
