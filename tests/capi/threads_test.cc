// What engines do beside the threads, signals and children of a host in C.

#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cinttypes>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "capi_fixture.h"

namespace tollgate {
namespace {

using CapiThreadsTest = CapiTest;

constexpr uint64_t Bit(int signal) { return uint64_t{1} << (signal - 1); }

std::set<std::string> Threads() {
  std::set<std::string> threads;
  for (const auto& task : std::filesystem::directory_iterator("/proc/self/task"))
    threads.insert(task.path().filename());
  return threads;
}

// Which signals a thread of ours blocks.
uint64_t Blocked(const std::string& thread) {
  uint64_t blocked = 0;
  std::ifstream status("/proc/self/task/" + thread + "/status");
  for (std::string line; std::getline(status, line);) {
    if (std::sscanf(line.c_str(), "SigBlk: %" SCNx64, &blocked) == 1) break;
  }
  return blocked;
}

TEST_F(CapiThreadsTest, TheEnginesThreadTakesNoneOfTheHostsSignals) {
#ifdef __SANITIZE_THREAD__
  GTEST_SKIP() << "ThreadSanitizer begins a thread of its own, which blocks all signals";
#endif
  const std::set<std::string> threads_before = Threads();
  sigset_t before, after;
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &before), 0);
  auto options = Options();
  options.no_thread = 0;
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  ASSERT_EQ(pthread_sigmask(SIG_SETMASK, nullptr, &after), 0);
  for (int signal = 1; signal < NSIG; ++signal)
    EXPECT_EQ(sigismember(&before, signal), sigismember(&after, signal)) << signal;
  size_t num_new = 0;
  for (const std::string& thread : Threads()) {
    if (threads_before.contains(thread)) continue;
    ++num_new;
    // While a thread begins, the C library blocks all.
    uint64_t blocked = Blocked(thread);
    for (int i = 0; i < 10'000 && (blocked & Bit(SIGSEGV)) != 0; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      blocked = Blocked(thread);
    }
    for (const int signal : {SIGTERM, SIGHUP, SIGCHLD, SIGALRM, SIGUSR1, SIGINT, SIGPIPE})
      EXPECT_NE(blocked & Bit(signal), 0u) << signal;
    for (const int signal : {SIGSEGV, SIGBUS, SIGFPE, SIGILL}) EXPECT_EQ(blocked & Bit(signal), 0u) << signal;
  }
  EXPECT_EQ(num_new, 1u);
}

// As servers with workers do it. An engine of the parent's makes no difference.
TEST_F(CapiThreadsTest, EachChildOfAForkMakesItsOwnEngine) {
  auto options = Options();
  options.no_thread = 0;
  ConfigPtr config = Config(Issuer(), options);
  EnginePtr parents = Engine();
  const std::string bearer = Bearer();
  EXPECT_EQ(Reason(Check(parents.get(), bearer)), "none");
  std::vector<pid_t> children;
  for (int i = 0; i < 3; ++i) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child != 0) {
      children.push_back(child);
      continue;
    }
    tollgate_engine* engine = nullptr;
    bool good = tollgate_engine_create(config.get(), &engine, nullptr) == TOLLGATE_OK;
    const auto request = Request(bearer);
    for (int j = 0; good && j < 2; ++j) {  // A miss, then a hit.
      auto decision = Sized<tollgate_decision>();
      good = tollgate_check(engine, &request, &decision, nullptr) == TOLLGATE_OK &&
             decision.verdict == TOLLGATE_ALLOW && decision.from_cache == j;
    }
    tollgate_engine_destroy(engine);
    _exit(good ? 0 : 1);
  }
  for (const pid_t child : children) {
    int status = -1;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_EQ(status, 0);
  }
  EXPECT_EQ(Check(parents.get(), bearer).from_cache, 1);
}

TEST_F(CapiThreadsTest, ManyThreadsCheckAtOnce) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  std::vector<std::thread> threads;
  threads.reserve(4);
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      PrincipalPtr principal(tollgate_principal_new());
      const auto request = Request(bearer);
      for (int i = 0; i < 500; ++i) {
        auto decision = Sized<tollgate_decision>();
        auto caller = Sized<tollgate_caller>();
        if (tollgate_check(engine.get(), &request, &decision, principal.get()) != TOLLGATE_OK ||
            decision.verdict != TOLLGATE_ALLOW ||
            tollgate_principal_read(principal.get(), &caller) != TOLLGATE_OK ||
            Text(caller.subject) != "alice")
          ADD_FAILURE();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

}  // namespace
}  // namespace tollgate
