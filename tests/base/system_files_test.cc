// The real file system, in a directory of its own.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

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

TEST_F(SystemFilesTest, ALockHoldsAsLongAsItsFileHasTheName) {
  const auto lock = [&] {
    absl::StatusOr<std::unique_ptr<FileLock>> taken = files_.TryLock(At("lock"));
    EXPECT_TRUE(taken.ok()) << taken.status();
    return taken.ok() ? *std::move(taken) : nullptr;
  };
  std::unique_ptr<FileLock> held = lock();
  EXPECT_TRUE(held->StillHolds());
  ASSERT_TRUE(files_.Remove(At("lock")).ok());
  EXPECT_FALSE(held->StillHolds());
  // Whoever comes then has it, and the end of the one before takes nothing from them.
  std::unique_ptr<FileLock> next = lock();
  EXPECT_TRUE(next->StillHolds());
  EXPECT_FALSE(held->StillHolds());
  held.reset();
  EXPECT_TRUE(next->StillHolds());
  EXPECT_TRUE(absl::IsAlreadyExists(files_.TryLock(At("lock")).status()));

  ASSERT_TRUE(files_.Create(At("other"), "").ok());
  ASSERT_TRUE(files_.Replace(At("other"), At("lock")).ok());
  EXPECT_FALSE(next->StillHolds());
  held = lock();
  ASSERT_TRUE(files_.Replace(At("lock"), At("moved")).ok());
  EXPECT_FALSE(held->StillHolds());
  // A link to the file is another thing of that name.
  ASSERT_EQ(symlink(At("moved").c_str(), At("lock").c_str()), 0);
  EXPECT_FALSE(held->StillHolds());
  ASSERT_TRUE(files_.Replace(At("moved"), At("lock")).ok());
  EXPECT_TRUE(held->StillHolds());
}

// Who has the lock removes its file when done with it, so that others have opened what they then lock in
// vain.
TEST_F(SystemFilesTest, NobodyHasTheLockOfAFileThatWasRemovedBeforeTheyHadIt) {
  std::atomic<int> num_inside{0}, num_taken{0}, num_clashes{0};
  const auto run = [&] {
    while (num_taken.load() < 2000) {
      const absl::StatusOr<std::unique_ptr<FileLock>> lock = files_.TryLock(At("lock"));
      if (!lock.ok()) continue;
      if (num_inside.fetch_add(1) != 0) num_clashes.fetch_add(1);
      num_taken.fetch_add(1);
      num_inside.fetch_sub(1);
      if (!files_.Remove(At("lock")).ok()) num_clashes.fetch_add(1);
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back(run);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(num_clashes.load(), 0);
}

TEST_F(SystemFilesTest, AForkedChildNeitherKeepsNorEndsItsParentsLock) {
  std::unique_ptr<FileLock> held = *files_.TryLock(At("lock"));
  int to_child[2], to_parent[2];
  ASSERT_EQ(pipe2(to_child, O_CLOEXEC), 0);
  ASSERT_EQ(pipe2(to_parent, O_CLOEXEC), 0);
  const pid_t child = fork();
  if (child == 0) {
    close(to_child[1]);
    char word = held->StillHolds() ? 'h' : '-';
    held.release();  // As a child has whatever it does not know of.
    if (write(to_parent[1], &word, 1) != 1 || read(to_child[0], &word, 1) != 0) _exit(1);
    _exit(0);
  }
  ASSERT_GT(child, 0);
  const pid_t other = fork();
  if (other == 0) {
    held.reset();  // A destructor that runs in a child.
    _exit(0);
  }
  ASSERT_GT(other, 0);
  int status = -1;
  ASSERT_EQ(waitpid(other, &status, 0), other);
  EXPECT_TRUE(held->StillHolds());
  EXPECT_TRUE(absl::IsAlreadyExists(files_.TryLock(At("lock")).status()));
  char word = 0;
  ASSERT_EQ(read(to_parent[0], &word, 1), 1);
  EXPECT_EQ(word, '-');
  held.reset();
  EXPECT_TRUE(files_.TryLock(At("lock")).ok());  // While the child has the descriptor.
  close(to_child[1]);
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  for (const int fd : {to_child[0], to_parent[0], to_parent[1]}) close(fd);
}

TEST_F(SystemFilesTest, AProgramThatIsStartedDoesNotInheritALock) {
  std::unique_ptr<FileLock> held = *files_.TryLock(At("lock"));
  const std::string lists = "ls -l /proc/self/fd | grep -q '" + At("lock") + "'";
  EXPECT_NE(system(lists.c_str()), 0);
}

}  // namespace
}  // namespace tollgate
