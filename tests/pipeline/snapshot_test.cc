// Restarts of the whole engine, with a disk that the test is in charge of, and once with the machine's.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>

#include "tests/keys/fake_files.h"
#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;
using ::tollgate::testing::FakeFiles;

class SnapshotTest : public NetworkTest {
 protected:
  SnapshotTest() { config_.snapshot = {.path = "/keys/snapshot", .key_file = "/keys/key"}; }

  // Start is a new process: another monotonic clock, and a network that answers as it is told to.
  void Start(const FakeAnswer& answer) {
    clock_.now.mono_ms = 4'000'000 - clock_.now.mono_ms;
    NetworkTest::Start(config_, files_);
    network_->SetAnswer(kJwksUri, answer);
  }
  void NextFetch(const FakeAnswer& answer) {
    network_->SetAnswer(kJwksUri, answer);
    clock_.now.mono_ms += engine_->ReadHealth()[0].next_fetch_in_ms;
    Run();
  }

  Config config_ = FetchingConfig();
  FakeFiles fake_files_;
  FileSystem* files_ = &fake_files_;
  const idp::SigningKey& old_key_ = idp::TestKey("ES256", 1);
};

TEST_F(SnapshotTest, ARestartDuringTheOutageServesWithinTheBound) {
  Start(Keys({&key_}));
  EXPECT_EQ(engine_->ReadSnapshotHealth().read, SnapshotRead::kAbsent);
  EXPECT_EQ(Check(Token()).verdict, Verdict::kUnavailable);
  Run();
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(engine_->ReadSnapshotHealth().writes, 1u);

  clock_.Advance(1800);
  Start(kRefused);
  const SnapshotHealth health = engine_->ReadSnapshotHealth();
  EXPECT_EQ(health.read, SnapshotRead::kAccepted);
  EXPECT_EQ(health.issuers_restored, 1u);
  Decision decision = Check(Token());
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.freshness, Freshness::kStale);
  Run();
  decision = Check(Token());
  EXPECT_TRUE(decision.allowed());
  EXPECT_EQ(decision.freshness, Freshness::kDegraded);
  EXPECT_EQ(engine_->ReadHealth()[0].keys_age_ms, 1'801'000);  // A second for what seconds hide.

  clock_.Advance(1799);
  EXPECT_TRUE(Check(Token()).allowed());
  clock_.Advance(1);
  decision = Check(Token());
  EXPECT_EQ(decision.verdict, Verdict::kUnavailable);
  EXPECT_EQ(decision.http_status(), 503);
  Start(kRefused);
  EXPECT_EQ(engine_->ReadSnapshotHealth().issuers_too_old, 1u);
  EXPECT_EQ(Check(Token()).reason, Reason::kKeysNeverFetched);
}

TEST_F(SnapshotTest, ARemovedKeyStaysRemovedAfterARestartInAnOutage) {
  Start(Keys({&key_, &old_key_}));
  Run();
  const std::string old_token = idp::Mint(old_key_, Claims());
  EXPECT_TRUE(Check(old_token).allowed());
  NextFetch(Keys({&key_}));
  EXPECT_FALSE(Check(old_token).allowed());
  Start(kRefused);
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(Check(old_token).verdict, Verdict::kUnavailable);
  EXPECT_EQ(Check(old_token).reason, Reason::kKeyPending);
}

// While the removal is being written, at each step of it, requests are decided by what was published; as soon
// as one is refused for it, no restart brings the key back.
TEST_F(SnapshotTest, NoCheckSeesARemovalThatACrashCouldUndo) {
  for (uint64_t step = 1; step <= 6; ++step) {
    SCOPED_TRACE(step);
    fake_files_.Restart(false);
    Start(Keys({&key_, &old_key_}));
    Run();
    const std::string old_token = idp::Mint(old_key_, Claims());
    ASSERT_TRUE(Check(old_token).allowed());
    bool refused = false;
    fake_files_.StopBefore(step, [&] { refused = !Check(old_token).allowed(); });
    NextFetch(Keys({&key_}));
    if (!fake_files_.stopped()) refused = !Check(old_token).allowed();
    EXPECT_EQ(refused, step == 6);
    fake_files_.Restart(true);
    Start(kRefused);
    EXPECT_TRUE(Check(Token()).allowed());
    EXPECT_EQ(Check(old_token).allowed(), !refused);
  }
}

TEST_F(SnapshotTest, NoCheckTouchesTheDisk) {
  Start(Keys({&key_}));
  Run();
  clock_.Advance(3000);
  const uint64_t before = fake_files_.num_steps() + fake_files_.num_reads();
  for (int i = 0; i < 100; ++i) {
    Check(Token());
    Check(idp::Mint(old_key_, Claims()));
  }
  engine_->ReadHealth();
  engine_->ReadSnapshotHealth();
  EXPECT_EQ(fake_files_.num_steps() + fake_files_.num_reads(), before);
  Run();
  EXPECT_GT(fake_files_.num_steps() + fake_files_.num_reads(), before);
}

TEST_F(SnapshotTest, ADiskThatFailsStopsNothing) {
  fake_files_.SetFault(
      [](std::string_view, const std::string&) { return absl::PermissionDeniedError("permission denied"); });
  Start(Keys({&key_, &old_key_}));
  Run();
  EXPECT_TRUE(Check(Token()).allowed());
  NextFetch(Keys({&key_}));
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_FALSE(Check(idp::Mint(old_key_, Claims())).allowed());
  const SnapshotHealth health = engine_->ReadSnapshotHealth();
  EXPECT_EQ(health.read, SnapshotRead::kNoKey);
  EXPECT_THAT(health.read_error, HasSubstr("permission denied"));
  EXPECT_THAT(health.write_error, HasSubstr("permission denied"));
  EXPECT_EQ(health.writes, 0u);
  EXPECT_GE(health.write_failures, 2u);
}

TEST_F(SnapshotTest, WithoutAPathThereIsNoSnapshot) {
  config_.snapshot = {};
  Start(Keys({&key_}));
  Run();
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_EQ(engine_->ReadSnapshotHealth().read, SnapshotRead::kNotConfigured);
  EXPECT_EQ(fake_files_.num_steps() + fake_files_.num_reads(), 0u);
}

TEST_F(SnapshotTest, WorksOnARealDisk) {
  std::string name = (std::filesystem::temp_directory_path() / "tollgate-snapshot-XXXXXX").string();
  const std::string directory = mkdtemp(name.data());
  config_.snapshot = {.path = directory + "/snapshot", .key_file = directory + "/key"};
  files_ = nullptr;  // The machine's.
  Start(Keys({&key_, &old_key_}));
  Run();
  NextFetch(Keys({&key_}));
  EXPECT_EQ(engine_->ReadSnapshotHealth().writes, 2u) << engine_->ReadSnapshotHealth().write_error;
  size_t num_files = 0;
  for (const auto& file : std::filesystem::directory_iterator(directory)) {
    struct stat about;
    ASSERT_EQ(stat(file.path().c_str(), &about), 0);
    EXPECT_EQ(about.st_mode & 0777, 0600u);
    ++num_files;
  }
  EXPECT_EQ(num_files, 2u);

  Start(kRefused);
  EXPECT_EQ(engine_->ReadSnapshotHealth().issuers_restored, 1u) << engine_->ReadSnapshotHealth().read_error;
  EXPECT_TRUE(Check(Token()).allowed());
  EXPECT_FALSE(Check(idp::Mint(old_key_, Claims())).allowed());

  ASSERT_EQ(rename(config_.snapshot.path.c_str(), (directory + "/moved").c_str()), 0);
  ASSERT_EQ(symlink((directory + "/moved").c_str(), config_.snapshot.path.c_str()), 0);
  Start(kRefused);
  EXPECT_EQ(engine_->ReadSnapshotHealth().read, SnapshotRead::kUnreadable);
  EXPECT_EQ(Check(Token()).reason, Reason::kKeysNeverFetched);
  engine_.reset();
  std::filesystem::remove_all(directory);
}

}  // namespace
}  // namespace tollgate
