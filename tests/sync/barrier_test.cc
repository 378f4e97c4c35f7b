// What happens where the kernel refuses membarrier(2): a container's seccomp profile does it from the start,
// a sandbox that closes later takes it away.
#include <errno.h>
#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <memory>

#include "sync/published.h"
#include "sync/thread_blocks.h"

namespace tollgate::sync {
namespace {

int g_destroyed = 0;
struct Counted {
  ~Counted() { ++g_destroyed; }
};

// ForbidMembarrier makes membarrier(2) fail in this process from now on. For a process of one's own only.
bool ForbidMembarrier() {
  sock_filter code[] = {
      {BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
      {BPF_JMP | BPF_JEQ | BPF_K, 0, 1, SYS_membarrier},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | ENOSYS},
      {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
  };
  sock_fprog program{static_cast<unsigned short>(sizeof code / sizeof code[0]), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

[[noreturn]] void End(const char* words) {
  fprintf(stderr, "%s", words);
  _exit(0);  // At once: a leak is what one of these tests is about.
}

[[noreturn]] void ReplaceUnderAFilterFromTheStart() {
  if (!ForbidMembarrier()) End("no seccomp");
  if (BestBarrier() != Barrier::kFences) End("promised a barrier that it does not have");
  ThreadBlocks blocks;
  Published<Counted> published;
  published.Replace(std::make_unique<const Counted>(), blocks);
  published.Replace(std::make_unique<const Counted>(), blocks);
  End(g_destroyed == 1 ? "reclaimed by fences" : "not reclaimed");
}

[[noreturn]] void ReplaceUnderAFilterThatCameLater() {
  if (BestBarrier() != Barrier::kProcessWide) End("not reclaimed");  // No such barrier on this machine.
  ThreadBlocks blocks;
  Published<Counted> published;
  published.Replace(std::make_unique<const Counted>(), blocks);
  published.Replace(std::make_unique<const Counted>(), blocks);
  if (g_destroyed != 1) End("not reclaimed with a barrier");
  if (!ForbidMembarrier()) End("no seccomp");
  if (blocks.WaitForReaders()) End("claims to know its readers");
  published.Replace(std::make_unique<const Counted>(), blocks);
  End(g_destroyed == 1 ? "not reclaimed" : "reclaimed under readers that it could not see");
}

class BarrierDeathTest : public ::testing::Test {
 protected:
  void SetUp() override {
    GTEST_FLAG_SET(death_test_style, "threadsafe");
  }  // A fresh process asks the kernel anew.
};

TEST_F(BarrierDeathTest, FallsBackToFencesWithoutMembarrier) {
  EXPECT_EXIT(ReplaceUnderAFilterFromTheStart(), ::testing::ExitedWithCode(0),
              "^(reclaimed by fences|no seccomp)$");
}

TEST_F(BarrierDeathTest, DestroysNothingOnceMembarrierIsTakenAway) {
  EXPECT_EXIT(ReplaceUnderAFilterThatCameLater(), ::testing::ExitedWithCode(0),
              "^(not reclaimed|no seccomp)$");
}

}  // namespace
}  // namespace tollgate::sync
