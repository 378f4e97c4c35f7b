#include "pipeline/waiters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <vector>

#include "base/limits.h"

namespace tollgate::pipeline {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class WaitersTest : public ::testing::Test {
 protected:
  // Add returns whether somebody has to call RunReady earlier.
  bool Add(int name, uint32_t issuer, int64_t deadline_ms = INT64_MAX) {
    return AddWith(name, issuer, waiters_.Ticket(issuer), deadline_ms);
  }
  bool AddWith(int name, uint32_t issuer, uint64_t ticket, int64_t deadline_ms = INT64_MAX) {
    bool wake = false;
    EXPECT_TRUE(waiters_.Add(
        issuer, ticket, deadline_ms, [this, name] { called_.push_back(name); }, &wake));
    return wake;
  }
  std::vector<int> Run(int64_t now_ms = 0) {
    called_.clear();
    next_ms_ = waiters_.RunReady(now_ms);
    return called_;
  }

  Waiters waiters_{3};
  std::vector<int> called_;
  int64_t next_ms_ = 0;
};

TEST_F(WaitersTest, EachWaitsForItsOwnIssuer) {
  EXPECT_FALSE(Add(1, 0));
  EXPECT_FALSE(Add(2, 1));
  EXPECT_FALSE(Add(3, 0));
  EXPECT_THAT(Run(), IsEmpty());
  waiters_.Settle(0);
  EXPECT_THAT(Run(), ElementsAre(1, 3));
  EXPECT_THAT(Run(), IsEmpty());
  waiters_.Settle(1);
  waiters_.Settle(1);
  EXPECT_THAT(Run(), ElementsAre(2));
}

TEST_F(WaitersTest, APastTicketIsReadyAtOnce) {
  const uint64_t ticket = waiters_.Ticket(2);
  waiters_.Settle(2);
  EXPECT_TRUE(AddWith(1, 2, ticket));
  EXPECT_THAT(Run(), ElementsAre(1));
}

TEST_F(WaitersTest, WaitsNoLongerThanItsDeadline) {
  EXPECT_TRUE(Add(1, 0, 100));
  EXPECT_TRUE(Add(2, 0, 50));
  EXPECT_FALSE(Add(3, 1, 70));  // One that is earlier is known.
  EXPECT_FALSE(Add(4, 0));
  EXPECT_THAT(Run(49), IsEmpty());
  EXPECT_EQ(next_ms_, 50);
  EXPECT_THAT(Run(70), ElementsAre(2, 3));
  EXPECT_EQ(next_ms_, 100);
  waiters_.Settle(0);
  EXPECT_THAT(Run(70), ElementsAre(1, 4));
  EXPECT_EQ(next_ms_, INT64_MAX);
  EXPECT_THAT(Run(INT64_MAX), IsEmpty());
}

TEST_F(WaitersTest, ACallbackMayWaitAgain) {
  int calls = 0;
  bool wake = false;
  std::function<void()> again = [&] {
    ++calls;
    EXPECT_TRUE(waiters_.Add(0, waiters_.Ticket(0), INT64_MAX, again, &wake));
  };
  ASSERT_TRUE(waiters_.Add(0, waiters_.Ticket(0), INT64_MAX, again, &wake));
  for (int i = 1; i <= 3; ++i) {
    waiters_.Settle(0);
    Run();
    EXPECT_EQ(calls, i);
  }
}

TEST_F(WaitersTest, HasRoomForSoManyAndAgainWhenTheyAreGone) {
  bool wake = false;
  const auto fill = [&] {
    for (size_t i = 0; i < limits::kWaitersMax; ++i) {
      ASSERT_TRUE(waiters_.Add(
          static_cast<uint32_t>(i % 3), waiters_.Ticket(static_cast<uint32_t>(i % 3)), 10, [] {}, &wake));
    }
    EXPECT_FALSE(waiters_.Add(
        0, waiters_.Ticket(0), 10, [] {}, &wake));
  };
  fill();
  waiters_.Settle(0);
  Run();
  Run(10);  // The rest by their deadlines.
  fill();
  waiters_.Clear();
  fill();
}

TEST_F(WaitersTest, ClearDropsThemWithoutACall) {
  const auto held = std::make_shared<int>();
  bool wake = false;
  ASSERT_TRUE(waiters_.Add(
      0, waiters_.Ticket(0), 10, [held] { FAIL(); }, &wake));
  ASSERT_TRUE(waiters_.Add(
      1, waiters_.Ticket(1) + 1, 10, [held] { FAIL(); }, &wake));  // Ready.
  waiters_.Clear();
  EXPECT_EQ(held.use_count(), 1);
  EXPECT_THAT(Run(10), IsEmpty());
}

}  // namespace
}  // namespace tollgate::pipeline
