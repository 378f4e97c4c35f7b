#include "keys/snapshot_keeper.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>
#include <set>

#include "tests/keys/fake_files.h"

namespace tollgate::keys {
namespace {

using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(SnapshotAge, IsNeverLessThanTheTruthWhateverTheSecondsHide) {
  std::mt19937_64 random(1);
  for (int i = 0; i < 100'000; ++i) {
    const int64_t good_ms = 1'800'000'000'000 + static_cast<int64_t>(random() % 10'000);
    const int64_t written_ms = good_ms + static_cast<int64_t>(random() % 10'000);
    const int64_t read_ms = written_ms + static_cast<int64_t>(random() % 10'000);
    const int64_t wall_s = SnapshotWallS(written_ms - good_ms, written_ms / 1000);
    const std::optional<int64_t> age_ms = SnapshotAgeMs(wall_s, read_ms / 1000);
    ASSERT_TRUE(age_ms.has_value());
    ASSERT_GE(*age_ms, read_ms - good_ms);
    ASSERT_LE(*age_ms, read_ms - good_ms + 3000);
  }
}

TEST(SnapshotAge, EndsAtTheEndsOfTheRange) {
  EXPECT_EQ(SnapshotAgeMs(100, 100), 1000);
  EXPECT_EQ(SnapshotAgeMs(110, 100), 1000);
  EXPECT_EQ(SnapshotAgeMs(111, 100), std::nullopt);
  EXPECT_EQ(SnapshotAgeMs(INT64_MAX, 0), std::nullopt);
  EXPECT_EQ(SnapshotAgeMs(INT64_MAX, INT64_MIN), std::nullopt);
  EXPECT_EQ(SnapshotAgeMs(INT64_MIN, INT64_MAX), INT64_MAX);
  EXPECT_EQ(SnapshotAgeMs(0, INT64_MAX), INT64_MAX);
  EXPECT_EQ(SnapshotWallS(0, 100), 100);
  EXPECT_EQ(SnapshotWallS(1, 100), 99);
  EXPECT_EQ(SnapshotWallS(INT64_MAX, 100), 0);
  EXPECT_EQ(SnapshotWallS(1, INT64_MIN), 0);
  EXPECT_EQ(SnapshotWallS(0, INT64_MAX), 253'402'300'799);
}

TEST(SnapshotSchedule, ChangesSoonAgesSeldomFailuresSeldom) {
  const Timing timing;
  SnapshotSchedule schedule;
  EXPECT_EQ(NextWriteMs(schedule, timing), INT64_MAX);
  schedule.aged = true;
  EXPECT_EQ(NextWriteMs(schedule, timing), SnapshotSchedule::kNever);  // At once.
  schedule.last_write_ms = 5;
  EXPECT_EQ(NextWriteMs(schedule, timing), 300'005);
  schedule.changed = true;
  EXPECT_EQ(NextWriteMs(schedule, timing), 1005);
  schedule.failed = true;
  EXPECT_EQ(NextWriteMs(schedule, timing), 300'005);
  schedule = {.last_write_ms = INT64_MAX - 1, .changed = true};
  EXPECT_EQ(NextWriteMs(schedule, timing), INT64_MAX);
  schedule = {.last_write_ms = 5, .changed = true};
  EXPECT_EQ(NextWriteMs(schedule, timing.Scaled(1e-9)), 6);
}

class NoTime final : public Clock {
 public:
  Now Read() const override { return {.wall_s = 1'800'000'000, .mono_ms = 1000}; }
};

class SnapshotKeyFile : public ::testing::Test {
 protected:
  // One keeper's life: whether it could write, and what it says.
  SnapshotHealth Live() {
    SnapshotKeeper keeper({.path = "/d/snapshot", .key_file = "/d/key"}, files_, clock_);
    std::string bytes;
    std::vector<SnapshotEntry> entries;
    bool absent = false;
    keeper.Load(&bytes, &entries, &absent);
    keeper.Write({}, false);
    return keeper.Health(1000);
  }

  NoTime clock_;
  FakeFiles files_;
};

TEST_F(SnapshotKeyFile, IsMadeOnceAndReadFromThenOn) {
  EXPECT_EQ(Live().read, SnapshotRead::kAbsent);
  const FakeFiles::File key = files_.Get("/d/key");
  EXPECT_EQ(key.bytes.size(), 32u);
  EXPECT_EQ(key.mode, 0600u);
  EXPECT_GT(std::set<char>(key.bytes.begin(), key.bytes.end()).size(), 8u);  // Random, or so it looks.
  EXPECT_EQ(Live().read, SnapshotRead::kAccepted);
  EXPECT_EQ(files_.Get("/d/key").bytes, key.bytes);
  EXPECT_EQ(files_.num_names(), 2u);
  files_.Put("/d/key", {.bytes = std::string(32, 'x')});
  EXPECT_EQ(Live().read, SnapshotRead::kTampered);
}

TEST_F(SnapshotKeyFile, IsRefusedIfOthersMayReadItOrItIsNoKey) {
  ASSERT_EQ(Live().writes, 1u);
  const FakeFiles::File good = files_.Get("/d/key");
  const auto refused = [&](FakeFiles::File file) {
    files_.Put("/d/key", std::move(file));
    const SnapshotHealth health = Live();
    EXPECT_EQ(health.read, SnapshotRead::kNoKey);
    EXPECT_EQ(health.writes, 0u);
    EXPECT_EQ(health.write_failures, 1u);
    EXPECT_THAT(health.read_error, HasSubstr("key file"));
    EXPECT_THAT(health.read_error, Not(HasSubstr("secret")));
    return health.read == SnapshotRead::kNoKey;
  };
  for (const uint32_t bit : {0040u, 0020u, 0010u, 0004u, 0002u, 0001u}) {
    FakeFiles::File file = good;
    file.mode |= bit;
    EXPECT_TRUE(refused(file)) << bit;
  }
  EXPECT_TRUE(refused({.ours = false, .bytes = good.bytes}));
  EXPECT_TRUE(refused({.regular = false}));
  EXPECT_TRUE(refused({.link = true, .bytes = good.bytes}));
  EXPECT_TRUE(refused({.bytes = ""}));
  EXPECT_TRUE(refused({.bytes = "secret, and not 32 bytes"}));
  EXPECT_TRUE(refused({.bytes = good.bytes + "\n"}));
  files_.Put("/d/key", good);
  EXPECT_EQ(Live().read, SnapshotRead::kAccepted);
}

// Two engines that start at once have one key.
TEST_F(SnapshotKeyFile, OfTwoThatMakeItTheFirstOnesCounts) {
  for (uint64_t step = 1; step <= 6; ++step) {
    SCOPED_TRACE(step);
    std::string made;
    files_.DoBefore(step, [&] {
      EXPECT_EQ(Live().writes, 1u);
      made = files_.Get("/d/key").bytes;
    });
    EXPECT_EQ(Live().write_failures, 0u);
    EXPECT_EQ(files_.Get("/d/key").bytes, made);
    EXPECT_EQ(Live().read, SnapshotRead::kAccepted);
    (void)files_.Remove("/d/key");
    (void)files_.Remove("/d/snapshot");
    EXPECT_EQ(files_.num_names(), 0u);
  }
}

TEST_F(SnapshotKeyFile, ACrashLeavesAWholeOneOrNone) {
  for (const bool power_failed : {false, true}) {
    for (uint64_t step = 1; step <= 6; ++step) {
      SCOPED_TRACE(step);
      files_.StopBefore(step, nullptr);
      Live();
      files_.Restart(power_failed);
      const std::string left = files_.Get("/d/key").bytes;
      EXPECT_TRUE(left.empty() || left.size() == 32) << left.size();
      EXPECT_EQ(Live().write_failures, 0u);
      (void)files_.Remove("/d/key");
      (void)files_.Remove("/d/snapshot");
    }
  }
}

TEST_F(SnapshotKeyFile, MayComeLater) {
  SnapshotKeeper keeper({.path = "/d/snapshot", .key_file = "/d/key"}, files_, clock_);
  files_.SetFault([](std::string_view, const std::string& path) {
    return path == "/d/key" ? absl::UnavailableError("not mounted") : absl::OkStatus();
  });
  std::string bytes;
  std::vector<SnapshotEntry> entries;
  bool absent = false;
  EXPECT_FALSE(keeper.Load(&bytes, &entries, &absent));
  EXPECT_EQ(keeper.Write({}, false), SnapshotKeeper::Written::kFailed);
  EXPECT_THAT(keeper.Health(0).write_error, HasSubstr("not mounted"));
  files_.SetFault(nullptr);
  EXPECT_EQ(keeper.Write({}, false), SnapshotKeeper::Written::kWritten);
}

}  // namespace
}  // namespace tollgate::keys
