#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/keys/fake_files.h"
#include "tollgate/policy_file.h"

namespace tollgate {
namespace {

using ::testing::ElementsAre;
using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;
using Outcome = PolicyFileWatch::Outcome;

constexpr char kPath[] = "/etc/mcp/policy.yaml";
constexpr char kBroken[] = "version: 1\nservers:\n- tols: {a: s}\n";

// PolicyWith is a policy with this tool.
std::string PolicyWith(const std::string& tool) {
  return "version: 1\nservers: [{protocol: deny, tools: {" + tool + ": s}}]\n";
}

class PolicyFileWatchTest : public ::testing::Test {
 protected:
  void Write(std::string bytes) { files_.Put(kPath, {.bytes = std::move(bytes)}); }

  FakeFiles files_;
  std::vector<std::string> applied_;  // The tool of each policy that was handed over.
  absl::Status answer_;
  PolicyFileWatch watch_{kPath,
                         [this](const Policy& policy) {
                           applied_.push_back(policy.rules().front().name);
                           return answer_;
                         },
                         &files_};
};

TEST_F(PolicyFileWatchTest, TheFirstPollHandsOverWhatIsThere) {
  Write(PolicyWith("a"));
  const PolicyFileWatch::Report report = watch_.Poll();
  EXPECT_EQ(report.outcome, Outcome::kApplied);
  EXPECT_EQ(report.message, "/etc/mcp/policy.yaml: is in force");
  EXPECT_THAT(applied_, ElementsAre("a"));
  EXPECT_THAT(watch_.error(), IsEmpty());
}

TEST_F(PolicyFileWatchTest, AFileThatStaysAsItIsIsNotAppliedAgain) {
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(PolicyWith("a"));  // Another file of the same content.
  for (int i = 0; i < 3; ++i) {
    const PolicyFileWatch::Report report = watch_.Poll();
    EXPECT_EQ(report.outcome, Outcome::kUnchanged);
    EXPECT_THAT(report.message, IsEmpty());
  }
  EXPECT_THAT(applied_, ElementsAre("a"));
}

TEST_F(PolicyFileWatchTest, AChangeCountsOnceTwoPollsHaveSeenTheSame) {
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(PolicyWith("b"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  Write(PolicyWith("c"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  EXPECT_THAT(applied_, ElementsAre("a"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
  EXPECT_THAT(applied_, ElementsAre("a", "c"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
}

// Up to its last line but one, the file is a policy that needs less.
TEST_F(PolicyFileWatchTest, HalfAFileIsNotAPolicy) {
  const std::string half = "version: 1\nservers:\n- tools:\n    pay:\n      scopes: pay\n";
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(half);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  Write(half + "      when: {claim: department, equals: finance}\n");
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
  EXPECT_THAT(applied_, SizeIs(2));
}

TEST_F(PolicyFileWatchTest, WhatIsTakenBackBeforeTheNextPollNeverWas) {
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(PolicyWith("b"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  Write(PolicyWith("a"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
  Write(PolicyWith("b"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  EXPECT_THAT(applied_, ElementsAre("a"));
}

TEST_F(PolicyFileWatchTest, ABrokenFileKeepsTheOldPolicyAndSaysSoOnce) {
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(kBroken);
  watch_.Poll();
  const PolicyFileWatch::Report report = watch_.Poll();
  EXPECT_EQ(report.outcome, Outcome::kRefused);
  EXPECT_THAT(report.message, HasSubstr("/etc/mcp/policy.yaml: line 3, column 3: a server has no \"tols\""));
  EXPECT_EQ(report.message.find('\n'), std::string::npos);
  EXPECT_THAT(report.findings, SizeIs(1));
  for (int i = 0; i < 3; ++i) {
    const PolicyFileWatch::Report again = watch_.Poll();
    EXPECT_EQ(again.outcome, Outcome::kUnchanged);
    EXPECT_THAT(again.message, IsEmpty());
    EXPECT_EQ(watch_.error(), report.message);  // For a status page.
  }
  EXPECT_THAT(applied_, ElementsAre("a"));

  Write(PolicyWith("b"));
  watch_.Poll();
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
  EXPECT_THAT(watch_.error(), IsEmpty());
}

TEST_F(PolicyFileWatchTest, ANewMistakeIsSaidAnew) {
  Write(kBroken);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kRefused);
  Write("version: 2\n");
  watch_.Poll();
  const PolicyFileWatch::Report report = watch_.Poll();
  EXPECT_EQ(report.outcome, Outcome::kRefused);
  EXPECT_THAT(report.message, HasSubstr("line 1, column 10"));
  EXPECT_THAT(applied_, IsEmpty());
}

TEST_F(PolicyFileWatchTest, APolicyThatTheEngineRefusesIsRefused) {
  Write(PolicyWith("a"));
  watch_.Poll();
  answer_ = absl::InvalidArgumentError("policy \"b\": looks at a claim");
  Write(PolicyWith("b"));
  watch_.Poll();
  const PolicyFileWatch::Report report = watch_.Poll();
  EXPECT_EQ(report.outcome, Outcome::kRefused);
  EXPECT_THAT(report.message, HasSubstr("policy \"b\": looks at a claim"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
  EXPECT_THAT(applied_, ElementsAre("a", "b"));

  answer_ = absl::OkStatus();  // Something else has changed.
  EXPECT_EQ(watch_.Reread().outcome, Outcome::kApplied);
  EXPECT_THAT(watch_.error(), IsEmpty());
}

TEST_F(PolicyFileWatchTest, RereadBelievesWhatItReadsAndSaysItAgain) {
  Write(PolicyWith("a"));
  watch_.Poll();
  Write(PolicyWith("b"));
  EXPECT_EQ(watch_.Reread().outcome, Outcome::kApplied);
  EXPECT_EQ(watch_.Reread().outcome, Outcome::kApplied);
  EXPECT_THAT(applied_, ElementsAre("a", "b", "b"));
  Write(kBroken);
  EXPECT_EQ(watch_.Reread().outcome, Outcome::kRefused);
  EXPECT_EQ(watch_.Reread().outcome, Outcome::kRefused);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
}

TEST_F(PolicyFileWatchTest, AFileThatVanishesKeepsThePolicy) {
  Write(PolicyWith("a"));
  watch_.Poll();
  ASSERT_TRUE(files_.Remove(kPath).ok());
  const PolicyFileWatch::Report report = watch_.Poll();
  EXPECT_EQ(report.outcome, Outcome::kUnreadable);
  EXPECT_EQ(report.message, "/etc/mcp/policy.yaml: no such file");
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
  EXPECT_EQ(watch_.error(), report.message);

  Write(PolicyWith("a"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
  EXPECT_THAT(watch_.error(), IsEmpty());
  EXPECT_THAT(applied_, ElementsAre("a"));

  ASSERT_TRUE(files_.Remove(kPath).ok());
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnreadable);
  Write(PolicyWith("b"));
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
}

TEST_F(PolicyFileWatchTest, AFileThatComesLateIsBelievedOnceItStays) {
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnreadable);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kUnchanged);
  Write("");
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kChanging);
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kRefused);  // Of nothing, too, it is said.
  EXPECT_THAT(watch_.error(), HasSubstr("the file is empty"));
}

TEST_F(PolicyFileWatchTest, FollowsTheLinksOfAKubernetesVolume) {
  files_.Put("/v/..1/policy.yaml", {.bytes = PolicyWith("a")});
  files_.Put("/v/..2/policy.yaml", {.bytes = PolicyWith("b")});
  files_.Put(kPath, {.link = true, .bytes = "/v/..1/policy.yaml"});
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
  files_.Put(kPath, {.link = true, .bytes = "/v/..2/policy.yaml"});
  watch_.Poll();
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
  EXPECT_THAT(applied_, ElementsAre("a", "b"));
}

TEST_F(PolicyFileWatchTest, ReadsNoDirectoryAndNoMoreThanAFileMayHave) {
  files_.Put(kPath, {.regular = false});
  EXPECT_THAT(watch_.Poll().message, HasSubstr("is no regular file"));
  std::string yaml = PolicyWith("a");
  yaml.append((4 << 20) - yaml.size(), '#');
  Write(yaml + "#");
  EXPECT_THAT(watch_.Poll().message, HasSubstr("has more than 4194304 bytes"));
  Write(yaml);
  watch_.Poll();
  EXPECT_EQ(watch_.Poll().outcome, Outcome::kApplied);
}

// ShrinkingFiles is a file that somebody makes shorter between its length and its bytes.
class ShrinkingFiles : public FakeFiles {
 public:
  absl::StatusOr<FileContent> ReadFollowing(const std::string& path, size_t bytes_max) override {
    absl::StatusOr<FileContent> content = FakeFiles::ReadFollowing(path, bytes_max);
    if (shrinks && content.ok()) content->bytes.resize(content->bytes.size() / 2);
    return content;
  }
  bool shrinks = false;
};

TEST(PolicyFileWatchRaceTest, AFileThatIsCutShortWhileItIsReadIsNotBelieved) {
  ShrinkingFiles files;
  size_t num_applied = 0;
  PolicyFileWatch watch(
      kPath,
      [&](const Policy&) {
        ++num_applied;
        return absl::OkStatus();
      },
      &files);
  const std::string yaml = PolicyWith("a");
  files.Put(kPath, {.bytes = yaml + std::string(yaml.size(), '#')});  // Its first half is a policy.
  files.shrinks = true;
  EXPECT_EQ(watch.Poll().outcome, Outcome::kUnreadable);
  EXPECT_EQ(watch.Poll().outcome, Outcome::kChanging);
  EXPECT_EQ(watch.Poll().outcome, Outcome::kChanging);
  EXPECT_EQ(num_applied, 0u);
  files.shrinks = false;
  watch.Poll();
  EXPECT_EQ(watch.Poll().outcome, Outcome::kApplied);
}

TEST_F(PolicyFileWatchTest, AMessageIsOneLineWhateverThePathIs) {
  PolicyFileWatch watch(
      "/etc/a\nb", [](const Policy&) { return absl::OkStatus(); }, &files_);
  EXPECT_EQ(watch.Poll().message, "/etc/a\\nb: no such file");
}

}  // namespace
}  // namespace tollgate
