// The real file system, in a directory of its own.

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>

#include "tollgate/file_system.h"

namespace tollgate {
namespace {

class SystemFilesTest : public ::testing::Test {
 protected:
  SystemFilesTest() {
    std::string name = (std::filesystem::temp_directory_path() / "tollgate-files-XXXXXX").string();
    directory_ = mkdtemp(name.data());
  }
  ~SystemFilesTest() override { std::filesystem::remove_all(directory_); }
  std::string At(const std::string& name) const { return directory_ + "/" + name; }

  FileSystem& files_ = SystemFiles();
  std::string directory_;
};

TEST_F(SystemFilesTest, ReadsWhatWasWrittenForItsOwnerAlone) {
  const mode_t before = umask(0);
  const absl::Status created = files_.Create(At("a"), std::string("text\0more", 9));
  umask(before);
  ASSERT_TRUE(created.ok()) << created;
  const absl::StatusOr<FileContent> file = files_.Read(At("a"), 9);
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE(file->regular);
  EXPECT_TRUE(file->ours);
  EXPECT_EQ(file->mode, 0600u);
  EXPECT_EQ(file->size, 9u);
  EXPECT_EQ(file->bytes, std::string("text\0more", 9));
  EXPECT_EQ(files_.Read(At("a"), 8)->bytes, "");
  EXPECT_EQ(files_.Read(At("a"), 8)->size, 9u);
  ASSERT_EQ(chmod(At("a").c_str(), 0646), 0);
  EXPECT_EQ(files_.Read(At("a"), 9)->mode, 0646u);
}

TEST_F(SystemFilesTest, WritesOverNothing) {
  ASSERT_TRUE(files_.Create(At("a"), "1").ok());
  EXPECT_TRUE(absl::IsAlreadyExists(files_.Create(At("a"), "2")));
  ASSERT_EQ(symlink(At("b").c_str(), At("link").c_str()), 0);
  EXPECT_TRUE(absl::IsAlreadyExists(files_.Create(At("link"), "2")));
  EXPECT_FALSE(std::filesystem::exists(At("b")));
  EXPECT_TRUE(absl::IsAlreadyExists(files_.Link(At("a"), At("link"))));
  EXPECT_EQ(files_.Read(At("a"), 9)->bytes, "1");
}

TEST_F(SystemFilesTest, FollowsNoSymbolicLink) {
  ASSERT_TRUE(files_.Create(At("a"), "1").ok());
  ASSERT_EQ(symlink(At("a").c_str(), At("link").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.Read(At("link"), 9).status()));
  // Replacing and removing mean the link, not what it leads to.
  ASSERT_TRUE(files_.Create(At("new"), "2").ok());
  ASSERT_TRUE(files_.Replace(At("new"), At("link")).ok());
  EXPECT_EQ(files_.Read(At("link"), 9)->bytes, "2");
  EXPECT_EQ(files_.Read(At("a"), 9)->bytes, "1");
  EXPECT_FALSE(std::filesystem::exists(At("new")));
  EXPECT_TRUE(files_.Remove(At("link")).ok());
  EXPECT_TRUE(absl::IsNotFound(files_.Read(At("link"), 9).status()));
  EXPECT_TRUE(absl::IsNotFound(files_.Remove(At("link"))));
  EXPECT_TRUE(files_.SyncDirectory(directory_).ok());
  EXPECT_FALSE(files_.SyncDirectory(At("a")).ok());
}

// As a Kubernetes volume has them: NAME leads to ..data/NAME, and ..data to a directory, which is exchanged.
TEST_F(SystemFilesTest, FollowsSymbolicLinksOnlyWhereThatIsAskedFor) {
  for (const char* version : {"..1", "..2"}) {
    ASSERT_TRUE(std::filesystem::create_directory(At(version)));
    ASSERT_TRUE(files_.Create(At(version) + std::string("/keys"), version).ok());
  }
  ASSERT_EQ(symlink("..1", At("..data").c_str()), 0);
  ASSERT_EQ(symlink("..data/keys", At("keys").c_str()), 0);
  EXPECT_EQ(files_.ReadFollowing(At("keys"), 9)->bytes, "..1");
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.Read(At("keys"), 9).status()));
  ASSERT_EQ(symlink("..2", At("..new").c_str()), 0);
  ASSERT_TRUE(files_.Replace(At("..new"), At("..data")).ok());
  EXPECT_EQ(files_.ReadFollowing(At("keys"), 9)->bytes, "..2");
  EXPECT_EQ(files_.ReadFollowing(At("keys"), 2)->bytes, "");

  ASSERT_EQ(symlink("round", At("round").c_str()), 0);
  EXPECT_TRUE(absl::IsFailedPrecondition(files_.ReadFollowing(At("round"), 9).status()));
  ASSERT_EQ(symlink("nowhere", At("lost").c_str()), 0);
  EXPECT_TRUE(absl::IsNotFound(files_.ReadFollowing(At("lost"), 9).status()));
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  ASSERT_EQ(symlink("pipe", At("to-pipe").c_str()), 0);
  const absl::StatusOr<FileContent> pipe = files_.ReadFollowing(At("to-pipe"), 9);
  ASSERT_TRUE(pipe.ok());
  EXPECT_FALSE(pipe->regular);
}

// Neither a pipe without a writer nor a directory is waited for or read.
TEST_F(SystemFilesTest, ReadsNothingButRegularFiles) {
  ASSERT_EQ(mkfifo(At("pipe").c_str(), 0600), 0);
  const absl::StatusOr<FileContent> pipe = files_.Read(At("pipe"), 9);
  ASSERT_TRUE(pipe.ok());
  EXPECT_FALSE(pipe->regular);
  const absl::StatusOr<FileContent> directory = files_.Read(directory_, 1 << 20);
  ASSERT_TRUE(directory.ok());
  EXPECT_FALSE(directory->regular);
  EXPECT_EQ(directory->bytes, "");
}

TEST_F(SystemFilesTest, ErrorsAreOneLineWithoutThePath) {
  for (const absl::Status& status : {files_.Read(At("none"), 9).status(), files_.Create(At("none/a"), ""),
                                     files_.Remove(At("none")), files_.Replace(At("none"), At("a")),
                                     files_.Link(At("none"), At("a")), files_.SyncDirectory(At("none"))}) {
    EXPECT_TRUE(absl::IsNotFound(status)) << status;
    EXPECT_EQ(status.message().find(directory_), status.message().npos) << status;
    EXPECT_EQ(status.message().find('\n'), status.message().npos);
  }
}

TEST_F(SystemFilesTest, OneHasALockAtATime) {
  absl::StatusOr<std::unique_ptr<FileLock>> first = files_.TryLock(At("lock"));
  ASSERT_TRUE(first.ok()) << first.status();
  EXPECT_TRUE(absl::IsAlreadyExists(files_.TryLock(At("lock")).status()));
  EXPECT_TRUE(files_.TryLock(At("other")).ok());
  first->reset();
  EXPECT_TRUE(files_.TryLock(At("lock")).ok());
  ASSERT_EQ(symlink(At("lock").c_str(), At("link").c_str()), 0);
  EXPECT_FALSE(files_.TryLock(At("link")).ok());
  EXPECT_TRUE(absl::IsNotFound(files_.TryLock(At("none/lock")).status()));
}

}  // namespace
}  // namespace tollgate
