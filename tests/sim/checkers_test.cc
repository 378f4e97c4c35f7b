// Can the simulation say no? Engines that are wrong in one way, about which it must complain.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <malloc.h>

#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tests/keys/fake_transport.h"
#include "tests/pipeline/engine_fixture.h"
#include "tests/sim/simulation.h"

namespace tollgate::sim {
namespace {

using ::testing::ContainsRegex;
using ::testing::HasSubstr;

std::unique_ptr<Engine> MakeEngine(const Config& config, Environment environment) {
  return Engine::Create(config, std::move(environment)).value();
}

template <typename Broken>
std::unique_ptr<Subject> Make(const Config& config, Environment environment) {
  return std::make_unique<Broken>(MakeEngine(config, std::move(environment)));
}

// FirstComplaint is what is said about a subject that is wrong; empty: nothing in many seeds.
std::string FirstComplaint(const MakeSubject& make_subject) {
  for (uint64_t seed = 1; seed <= 60; ++seed) {
    Result result = Simulate({.seed = seed, .make_subject = make_subject});
    if (!result.complaint.empty()) return result.complaint;
  }
  return "";
}

// --- Answers ---

TEST(Simulation, HasNothingAgainstTheEngine) { EXPECT_EQ(FirstComplaint(Make<Subject>), ""); }

TEST(Simulation, IsTheSameEachTime) {
  for (uint64_t seed = 1; seed <= 5; ++seed) {
    const Result one = Simulate({.seed = seed}), other = Simulate({.seed = seed});
    EXPECT_EQ(one.complaint, "");
    EXPECT_GT(one.seen.size(), 100u);
    EXPECT_TRUE(one.seen == other.seen) << seed;
  }
}

// A subject whose answers go through `Change` on their way.
template <void (*Change)(Decision*, Principal*)>
class Changed : public Subject {
 public:
  using Subject::Subject;
  void Check(const Request& request, Decision* decision, Principal* principal) override {
    Subject::Check(request, decision, principal);
    Change(decision, principal);
  }
};

void DenyForWantOfKeys(Decision* decision, Principal* /*principal*/) {
  if (decision->verdict != Verdict::kUnavailable) return;
  decision->verdict = Verdict::kDeny;
  decision->reason = Reason::kKeyUnknown;
}
TEST(Simulation, SeesWhatIsWronglyDenied) {
  EXPECT_THAT(FirstComplaint(Make<Changed<DenyForWantOfKeys>>), HasSubstr("wrongly denied"));
}

void AllowForWantOfKeys(Decision* decision, Principal* /*principal*/) {
  if (decision->reason != Reason::kKeysTooStale) return;
  decision->verdict = Verdict::kAllow;
  decision->reason = Reason::kNone;
}
TEST(Simulation, SeesWhatIsWronglyAllowed) {
  EXPECT_THAT(FirstComplaint(Make<Changed<AllowForWantOfKeys>>), HasSubstr("wrongly allowed"));
}

void UnavailableWhileDegraded(Decision* decision, Principal* /*principal*/) {
  if (!decision->allowed() || decision->freshness != Freshness::kDegraded) return;
  decision->verdict = Verdict::kUnavailable;
  decision->reason = Reason::kKeysTooStale;
}
TEST(Simulation, SeesWhatIsWronglyUnavailable) {
  EXPECT_THAT(FirstComplaint(Make<Changed<UnavailableWhileDegraded>>), HasSubstr("wrongly unavailable"));
}

void AllowInactive(Decision* decision, Principal* /*principal*/) {
  if (decision->reason != Reason::kTokenInactive) return;
  decision->verdict = Verdict::kAllow;
  decision->reason = Reason::kNone;
}
TEST(Simulation, SeesATokenThatIsNotActive) {
  EXPECT_THAT(FirstComplaint(Make<Changed<AllowInactive>>), HasSubstr("wrongly allowed"));
}

void AllowUnasked(Decision* decision, Principal* /*principal*/) {
  if (decision->reason != Reason::kIntrospectionUnavailable) return;
  decision->verdict = Verdict::kAllow;
  decision->reason = Reason::kNone;
}
TEST(Simulation, SeesWhatStandsInForAnAnswerUnasked) {
  EXPECT_THAT(FirstComplaint(Make<Changed<AllowUnasked>>), HasSubstr("wrongly allowed"));
}

void YoungerAnswer(Decision* decision, Principal* /*principal*/) {
  if (decision->introspection_age_ms > 0) --decision->introspection_age_ms;
}
TEST(Simulation, SeesAnAnswerThatIsOlderThanItSays) {
  EXPECT_THAT(FirstComplaint(Make<Changed<YoungerAnswer>>), HasSubstr("introspection_age_ms"));
}

void OneSecondMore(Decision* decision, Principal* /*principal*/) {
  if (decision->allowed()) ++decision->valid_until_s;
}
TEST(Simulation, SeesAnAllowThatIsGoodForTooLong) {
  EXPECT_THAT(FirstComplaint(Make<Changed<OneSecondMore>>), HasSubstr("valid_until_s"));
}

void SomebodyElse(Decision* decision, Principal* principal) {
  if (!decision->allowed() || principal == nullptr) return;
  principal->Assign(std::array<std::string_view, Principal::kFieldCount>{"https://idp.example", "mallory"},
                    PrincipalKind::kUser);
}
TEST(Simulation, SeesAnotherCaller) {
  EXPECT_THAT(FirstComplaint(Make<Changed<SomebodyElse>>), HasSubstr("another caller"));
}

void AYear(Decision* decision, Principal* /*principal*/) {
  if (decision->verdict == Verdict::kUnavailable) decision->retry_after_s = 31'536'000;
}
TEST(Simulation, SeesARetryAfterThatIsTooLong) {
  EXPECT_THAT(FirstComplaint(Make<Changed<AYear>>), HasSubstr("Retry-After"));
}

void Fresh(Decision* decision, Principal* /*principal*/) {
  if (decision->allowed()) decision->freshness = Freshness::kFresh;
}
TEST(Simulation, SeesKeysThatAreOnlyCalledFresh) {
  EXPECT_THAT(FirstComplaint(Make<Changed<Fresh>>), HasSubstr("freshness"));
}

// The cache of a naive gateway: what was once allowed is allowed, whatever else has happened.
class RemembersForEver : public Subject {
 public:
  using Subject::Subject;
  void Check(const Request& request, Decision* decision, Principal* principal) override {
    const std::string key = std::string(request.authorization) + "|" + std::string(request.tool) + "|" +
                            std::to_string(static_cast<uint32_t>(request.resource));
    Subject::Check(request, decision, principal);
    if (decision->allowed()) allowed_[key] = *decision;
    if (const auto found = allowed_.find(key); found != allowed_.end()) *decision = found->second;
  }

 private:
  std::map<std::string, Decision> allowed_;
};
TEST(Simulation, SeesACacheThatForgetsNothing) {
  EXPECT_THAT(FirstComplaint(Make<RemembersForEver>), ContainsRegex("wrongly allowed|keys_age_ms"));
}

class MixesUpBatches : public Subject {
 public:
  using Subject::Subject;
  void CheckBatch(std::span<const Request> requests, std::span<Decision> decisions) override {
    Subject::CheckBatch(requests, decisions);
    if (decisions.size() > 1) std::swap(decisions.front(), decisions.back());
  }
};
TEST(Simulation, SeesAnswersInTheWrongOrder) { EXPECT_NE(FirstComplaint(Make<MixesUpBatches>), ""); }

// --- Fetches and time ---

class SleepsIn : public Subject {
 public:
  using Subject::Subject;
  int64_t RunBackgroundMs() override { return ++turns_ % 8 == 0 ? 50 : Subject::RunBackgroundMs(); }

 private:
  int turns_ = 0;
};
TEST(Simulation, SeesAFetchThatIsLate) { EXPECT_NE(FirstComplaint(Make<SleepsIn>), ""); }

// A subject whose environment is changed before the engine has it.
template <typename Change>
MakeSubject Within(Change change) {
  return [change](const Config& config, Environment environment) {
    Config changed = config;
    change(&changed, &environment);
    return std::make_unique<Subject>(MakeEngine(changed, std::move(environment)));
  };
}

TEST(Simulation, SeesOtherTimingThanConfigured) {
  const auto complaint = [](auto setting, double factor) {
    return FirstComplaint(Within([=](Config* config, Environment* /*environment*/) {
      int64_t& value = config->timing.*setting;
      value = std::max<int64_t>(static_cast<int64_t>(static_cast<double>(value) * factor), 1);
    }));
  };
  EXPECT_NE(complaint(&Timing::refresh_min_ms, 0.5), "");
  EXPECT_NE(complaint(&Timing::refresh_max_ms, 0.5), "");
  EXPECT_NE(complaint(&Timing::cooldown_ms, 0.9), "");
  EXPECT_NE(complaint(&Timing::cooldown_ms, 1.1), "");
  EXPECT_NE(complaint(&Timing::staleness_bound_ms, 1.01), "");
  EXPECT_NE(complaint(&Timing::backoff_min_ms, 0.001), "");
  EXPECT_NE(complaint(&Timing::verdict_age_max_ms, 1.1), "");
  EXPECT_NE(complaint(&Timing::verdict_age_max_ms, 0.9), "");
  EXPECT_NE(complaint(&Timing::fetch_timeout_ms, 1.1), "");
  EXPECT_NE(complaint(&Timing::metadata_age_max_ms, 2), "");
  EXPECT_NE(complaint(&Timing::host_interval_ms, 0.5), "");
  EXPECT_NE(complaint(&Timing::host_interval_ms, 1.5), "");
  EXPECT_NE(complaint(&Timing::introspection_timeout_ms, 0.9), "");
  EXPECT_NE(complaint(&Timing::active_age_max_ms, 1.1), "");
  EXPECT_NE(complaint(&Timing::inactive_age_max_ms, 0.9), "");
  EXPECT_NE(complaint(&Timing::inactive_age_max_ms, 1.1), "");
}

TEST(Simulation, SeesAnotherLeeway) {
  EXPECT_THAT(FirstComplaint(Within([](Config* config, Environment* /*environment*/) {
                for (IssuerConfig& issuer : config->issuers)
                  issuer.leeway_s = std::min<int64_t>(issuer.leeway_s + 1, 300);
              })),
              ContainsRegex("wrongly allowed|valid_until_s"));
}

// A clock whose ages are the wall clock's.
class WallAges final : public Clock {
 public:
  explicit WallAges(const Clock& clock) : clock_(clock) {}
  Now Read() const override {
    const Now now = clock_.Read();
    return {.wall_s = now.wall_s, .mono_ms = now.wall_s * 1000};
  }

 private:
  const Clock& clock_;
};
TEST(Simulation, SeesAgesThatFollowTheWallClock) {
  std::vector<std::unique_ptr<WallAges>> clocks;
  EXPECT_NE(FirstComplaint(Within([&clocks](Config* /*config*/, Environment* environment) {
              clocks.push_back(std::make_unique<WallAges>(*environment->clock));
              environment->clock = clocks.back().get();
            })),
            "");
}

// A network end that asks for everything twice.
class AsksTwice : public Transport {
 public:
  explicit AsksTwice(std::unique_ptr<Transport> transport) : transport_(std::move(transport)) {}
  void Start(FetchRequest request) override {
    transport_->Start(request);
    transport_->Start(std::move(request));
  }
  void Poll(int timeout_ms, std::vector<FetchResult>* done) override { transport_->Poll(timeout_ms, done); }
  void Wake() override { transport_->Wake(); }

 private:
  std::unique_ptr<Transport> transport_;
};
TEST(Simulation, SeesTwoFetchesAtATime) {
  EXPECT_THAT(FirstComplaint(Within([](Config* /*config*/, Environment* environment) {
                environment->transport = std::make_unique<AsksTwice>(std::move(environment->transport));
              })),
              HasSubstr("two exchanges at a time"));
}

TEST(Simulation, SeesASnapshotThatIsMissing) {
  EXPECT_THAT(FirstComplaint(Within(
                  [](Config* config, Environment* /*environment*/) { config->snapshot = SnapshotConfig(); })),
              ContainsRegex("wrongly not restored|snapshot"));
}

// --- Asynchronous checks ---

using Done = std::function<void(const Decision&, const Principal&)>;

// A subject whose CheckAsync does something else with whom it is to call.
template <void (*Call)(const Done& done, const Decision& decision, const Principal& principal)>
class Calls : public Subject {
 public:
  using Subject::Subject;
  void CheckAsync(std::chrono::milliseconds wait_max, const Request& request, Done done) override {
    Subject::CheckAsync(wait_max, request, [done](const Decision& decision, const Principal& principal) {
      Call(done, decision, principal);
    });
  }
};

void Twice(const Done& done, const Decision& decision, const Principal& principal) {
  done(decision, principal);
  done(decision, principal);
}
TEST(Simulation, SeesAnAsyncThatIsCalledTwice) {
  EXPECT_THAT(FirstComplaint(Make<Calls<Twice>>), HasSubstr("back twice"));
}

void UnlessUnavailable(const Done& done, const Decision& decision, const Principal& principal) {
  if (decision.verdict != Verdict::kUnavailable) done(decision, principal);
}
TEST(Simulation, SeesAnAsyncThatIsNotCalled) {
  EXPECT_THAT(FirstComplaint(Make<Calls<UnlessUnavailable>>), HasSubstr("CheckAsync"));
}

class WaitsForNothing : public Subject {
 public:
  using Subject::Subject;
  void CheckAsync(std::chrono::milliseconds /*wait_max*/, const Request& request, Done done) override {
    Subject::CheckAsync(std::chrono::milliseconds(0), request, std::move(done));
  }
};
TEST(Simulation, SeesAnAsyncThatDoesNotWait) {
  EXPECT_THAT(FirstComplaint(Make<WaitsForNothing>), HasSubstr("CheckAsync is called back"));
}

class WaitsTwiceAsLong : public Subject {
 public:
  using Subject::Subject;
  void CheckAsync(std::chrono::milliseconds wait_max, const Request& request, Done done) override {
    Subject::CheckAsync(2 * wait_max, request, std::move(done));
  }
};
TEST(Simulation, SeesAnAsyncThatIsLate) {
  EXPECT_THAT(FirstComplaint(Make<WaitsTwiceAsLong>), HasSubstr("not called back"));
}

class ForgetsAtTheEnd : public Subject {
 public:
  using Subject::Subject;
  ~ForgetsAtTheEnd() override { *ended_ = true; }
  void CheckAsync(std::chrono::milliseconds wait_max, const Request& request, Done done) override {
    Subject::CheckAsync(wait_max, request,
                        [done, ended = ended_](const Decision& decision, const Principal& principal) {
                          if (!*ended) done(decision, principal);
                        });
  }

 private:
  const std::shared_ptr<bool> ended_ = std::make_shared<bool>(false);
};
TEST(Simulation, SeesAnAsyncThatIsForgottenAtTheEnd) {
  EXPECT_THAT(FirstComplaint(Make<ForgetsAtTheEnd>), HasSubstr("0 times at the end"));
}

class CallsTwice : public Subject {
 public:
  using Subject::Subject;
  bool NotifyWhenSettled(const Decision& decision, std::function<void()> callback) override {
    return Subject::NotifyWhenSettled(decision, [callback] { callback(), callback(); });
  }
};
TEST(Simulation, SeesACallbackThatComesTwice) {
  EXPECT_THAT(FirstComplaint(Make<CallsTwice>), HasSubstr("called 2 times"));
}

// --- Memory ---

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)
int64_t HeapBytes() {
  const auto info = mallinfo2();
  return static_cast<int64_t>(info.uordblks + info.hblkhd);
}

TEST(Memory, DoesNotGrowWithAbsentKidsOrForgedIssuers) {
  FakeClock clock;
  auto network = std::make_unique<testing::FakeTransport>();
  network->SetAnswer("https://idp.example/keys", testing::FakeAnswer{.body = JwksText(0, 1, false)});
  Config config = TestConfig("");
  config.issuers[0] = {.issuer = std::string(IssuerName(0)), .jwks_uri = "https://idp.example/keys"};
  Environment environment;
  environment.clock = &clock;
  environment.own_thread = false;
  environment.jitter_seed = 1;
  environment.transport = std::move(network);
  const std::unique_ptr<Engine> engine = MakeEngine(config, std::move(environment));
  engine->RunBackground(std::chrono::milliseconds(0));
  const auto flood = [&](int from, int to) {
    for (int n = from; n < to; ++n) {
      for (const int issuer : {0, kStranger}) {
        const std::string authorization = UnknownKidAuthorization(issuer, "flood-" + std::to_string(n));
        Decision decision;
        engine->Check({.authorization = authorization, .tool = "ping"}, &decision);
        ASSERT_EQ(decision.reason, issuer == 0 ? Reason::kKeyPending : Reason::kIssuerUnknown);
      }
    }
  };
  flood(0, 2'000);
  const int64_t before = HeapBytes();
  flood(2'000, 20'000);
  EXPECT_LE(HeapBytes() - before, 4'096);
}

TEST(Memory, NothingIsLeftOfAnEngine) {
  (void)Simulate({.seed = 3});
  (void)Simulate({.seed = 3});
  const int64_t before = HeapBytes();
  (void)Simulate({.seed = 3});
  EXPECT_LE(HeapBytes() - before, 4'096);
}
#endif

}  // namespace
}  // namespace tollgate::sim
