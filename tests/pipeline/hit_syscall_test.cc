// A cached token costs no system call: hits run in a child process whose seccomp filter lets nothing through
// but its end, and any other call ends it and is named.

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <functional>
#include <ostream>

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

#if defined(__x86_64__)
constexpr uint32_t kArch = AUDIT_ARCH_X86_64;
#elif defined(__aarch64__)
constexpr uint32_t kArch = AUDIT_ARCH_AARCH64;
#else
constexpr uint32_t kArch = 0;  // Every call is refused, and the clean run fails: name the architecture here.
#endif

// Where the child says how it went: memory that both processes have.
struct Report {
  enum End : int { kDied, kFinished, kNoFilter, kSystemCall };
  volatile End end = kDied;
  volatile int number = 0;               // Of the system call, or errno of the filter that was refused.
  const char* volatile wrong = nullptr;  // A literal, at the same address in both.
};
Report* report = nullptr;

void Trapped(int /*signal*/, siginfo_t* info, void* /*context*/) {
  report->number = info->si_syscall;
  report->end = Report::kSystemCall;
  _exit(1);
}

// Confine lets nothing through from here on but exit_group.
bool Confine() {
  struct sigaction action {};
  action.sa_sigaction = Trapped;
  action.sa_flags = SA_SIGINFO;
  if (sigaction(SIGSYS, &action, nullptr) != 0) return false;
  const auto word = [](size_t offset) {
    return sock_filter BPF_STMT(BPF_LD | BPF_W | BPF_ABS, static_cast<uint32_t>(offset));
  };
  std::array<sock_filter, 6> program = {
      word(offsetof(seccomp_data, arch)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, kArch, 0, 3),
      word(offsetof(seccomp_data, nr)),
      sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      sock_filter BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
  };
  const sock_fprog filter = {.len = program.size(), .filter = program.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter, 0, 0) == 0;
}

// Confined runs `warm_up` and then, under the filter, `body` in a child. Each returns null or what went
// wrong, in a literal.
using Step = std::function<const char*()>;
void RunConfined(const Step& warm_up, const Step& body) {
  *report = Report{};
  const pid_t child = fork();
  ASSERT_GE(child, 0);
  if (child == 0) {
    report->wrong = warm_up();
    if (report->wrong != nullptr) _exit(1);
    if (!Confine()) {
      report->number = errno;
      report->end = Report::kNoFilter;
      _exit(1);
    }
    report->wrong = body();
    report->end = Report::kFinished;
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
}

// SyscallClock reads the time as a hit must not.
class SyscallClock final : public Clock {
 public:
  Now Read() const override {
    timespec wall{};
    syscall(SYS_clock_gettime, CLOCK_REALTIME, &wall);
    return {.wall_s = wall.tv_sec, .mono_ms = 1'000'000};
  }
};

class HitSyscallTest : public ::testing::Test {
 protected:
  static constexpr int kTokens = 40;  // More than CheckBatch takes at once.

  static void SetUpTestSuite() {
    void* const shared =
        mmap(nullptr, sizeof(Report), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(shared, MAP_FAILED);
    report = new (shared) Report;
  }
  static void TearDownTestSuite() { munmap(report, sizeof(Report)); }

  void SetUp() override {
    RunConfined([] { return nullptr; }, [] { return nullptr; });
    if (report->end == Report::kNoFilter) {
      GTEST_SKIP() << "seccomp filters are not permitted here: " << std::strerror(report->number);
    }
    ASSERT_EQ(report->end, Report::kFinished) << "system call " << report->number;
  }

  // Open makes an engine on the real clock, or on `clock`, and its tokens.
  void Open(const Clock* clock = nullptr) {
    const int64_t now_s = SystemClock().Read().wall_s;
    Environment environment;
    environment.clock = clock;
    environment.own_thread = false;
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        Engine::Create(TestConfig(idp::Jwks({&key_}).dump()), std::move(environment));
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    for (int i = 0; i < kTokens; ++i) {
      idp::json claims = idp::AccessTokenClaims(kIssuer, kResource, "user-" + std::to_string(i), "agent-1",
                                                "files:read", now_s - 60, now_s + 800);
      // Every third has more roles than a record holds, which are kept elsewhere.
      if (i % 3 == 0) claims["roles"] = {std::string(90, 'a'), std::string(90, 'b')};
      authorizations_.push_back("Bearer " + idp::MintToSize(key_, claims, 800));
    }
    for (const std::string& authorization : authorizations_) {
      requests_.push_back({.authorization = authorization, .tool = "search"});
    }
    decisions_.resize(requests_.size());
  }

  const char* CheckAll() {
    for (const Request& request : requests_) {
      engine_->Check(request, &decision_, &principal_);
      if (!decision_.allowed()) return "a good token was not allowed";
    }
    return nullptr;
  }

  const idp::SigningKey& key_ = idp::TestKey("ES256");
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> authorizations_;
  std::vector<Request> requests_;
  std::vector<Decision> decisions_;
  Decision decision_;
  Principal principal_;
};

TEST_F(HitSyscallTest, HitsMakeNone) {
  Open();
  const int64_t until_s = SystemClock().Read().wall_s + 7200;
  RunConfined(
      [&]() -> const char* {
        if (const char* wrong = CheckAll()) return wrong;
        // Everything is looked at once more after a revocation, and stamped anew.
        if (!engine_->RevokeSubject(kIssuer, "nobody", until_s).ok()) return "RevokeSubject failed";
        return CheckAll();
      },
      [&]() -> const char* {
        for (int round = 0; round < 50; ++round) {
          for (Request request : requests_) {
            engine_->Check(request, &decision_);
            if (!decision_.allowed() || !decision_.from_cache) return "without a principal";
            engine_->Check(request, &decision_, &principal_);
            if (!decision_.allowed() || !decision_.from_cache || !principal_.subject().starts_with("user-"))
              return "with a principal";
            request.tool = "pay";
            engine_->Check(request, &decision_);
            if (!decision_.allowed() || !decision_.from_cache) return "a tool for young tokens";
            request.tool = "delete";
            engine_->Check(request, &decision_);
            if (decision_.reason != Reason::kInsufficientScope || !decision_.from_cache)
              return "a scope short";
            request.tool = "erase";
            engine_->Check(request, &decision_, &principal_);
            if (decision_.reason != Reason::kUnknownTool || !decision_.from_cache) return "an unknown tool";
            request = {.authorization = request.authorization, .tool = "search", .resource = ResourceId{1}};
            engine_->Check(request, &decision_);
            if (decision_.reason != Reason::kAudienceMismatch || !decision_.from_cache) return "elsewhere";
          }
          engine_->CheckBatch(requests_, decisions_);
          for (const Decision& decision : decisions_) {
            if (!decision.allowed() || !decision.from_cache) return "in a batch";
          }
        }
        return nullptr;
      });
  EXPECT_EQ(report->end, Report::kFinished) << "system call " << report->number;
  EXPECT_EQ(report->wrong, nullptr) << report->wrong;
}

TEST_F(HitSyscallTest, AControlThatMakesOneIsCaught) {
  RunConfined([] { return nullptr; },
              []() -> const char* {
                syscall(SYS_getpid);
                return nullptr;
              });
  EXPECT_EQ(report->end, Report::kSystemCall);
  EXPECT_EQ(report->number, SYS_getpid);
}

TEST_F(HitSyscallTest, AControlThatMakesOneInsideACheckIsCaught) {
  const SyscallClock clock;
  Open(&clock);
  RunConfined([&] { return CheckAll(); }, [&] { return CheckAll(); });
  EXPECT_EQ(report->wrong, nullptr) << report->wrong;
  EXPECT_EQ(report->end, Report::kSystemCall);
  EXPECT_EQ(report->number, SYS_clock_gettime);
}

}  // namespace
}  // namespace tollgate
