// Engine::CheckAsync and the awaitable made of it: called exactly once, whatever happens.

#include <coroutine>

#include "tests/pipeline/network_fixture.h"
#include "tollgate/await.h"

namespace tollgate {
namespace {

class AsyncTest : public NetworkTest {
 protected:
  AsyncTest() { Start(FetchingConfig()); }

  void Deliver() { network_->SetAnswer(kJwksUri, Keys({&key_})); }
  // Ask hands over views that do not outlive the call.
  void Ask(std::chrono::milliseconds wait_max, const std::string& token) {
    const std::string authorization = "Bearer " + token, tool = "search";
    engine_->CheckAsync(wait_max, {.authorization = authorization, .tool = tool},
                        [this](const Decision& decision, const Principal& principal) {
                          ++calls_;
                          decision_ = decision;
                          principal_ = principal;
                        });
  }

  int calls_ = 0;
  Decision decision_;
};

TEST_F(AsyncTest, WithAnAnswerAtHandItIsGivenAtOnce) {
  Deliver();
  Run();
  Ask(std::chrono::seconds(5), Token());
  EXPECT_EQ(calls_, 1);
  EXPECT_TRUE(decision_.allowed());
  EXPECT_EQ(principal_.subject(), "alice");
}

TEST_F(AsyncTest, WaitsForTheFetchAndNoThreadDoes) {
  Ask(std::chrono::seconds(5), Token());
  Run();
  EXPECT_EQ(calls_, 0);
  network_->CompleteOldest(Keys({&key_}));
  Run();
  EXPECT_EQ(calls_, 1);
  EXPECT_TRUE(decision_.allowed());
  EXPECT_EQ(principal_.subject(), "alice");
  Run();
  EXPECT_EQ(calls_, 1);
}

TEST_F(AsyncTest, AFetchThatFailedIsNoAnswerAsLongAsThereIsTime) {
  Ask(std::chrono::seconds(90), Token());
  Run();
  network_->CompleteOldest(FakeAnswer{.http_status = 500});
  Run();
  EXPECT_EQ(calls_, 0);
  Deliver();
  for (int s = 0; s < 60 && calls_ == 0; ++s) {
    clock_.Advance(1);
    Run();
  }
  EXPECT_EQ(calls_, 1);
  EXPECT_TRUE(decision_.allowed());
}

TEST_F(AsyncTest, ItsTimeEndsItWithTheAnswerOfThatMoment) {
  Ask(std::chrono::milliseconds(1500), Token());
  Run();
  clock_.Advance(1);
  EXPECT_LE(engine_->RunBackground(std::chrono::milliseconds(0)).count(), 500) << "or it would come late";
  EXPECT_EQ(calls_, 0);
  clock_.Advance(1);
  Run();
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(decision_.verdict, Verdict::kUnavailable);
  EXPECT_EQ(decision_.reason, Reason::kKeysNeverFetched);
}

TEST_F(AsyncTest, WithoutTimeItIsCheck) {
  Ask(std::chrono::milliseconds(-1), Token());
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(decision_.verdict, Verdict::kUnavailable);
}

TEST_F(AsyncTest, WhatIsRefusedWaitsForNothing) {
  Ask(std::chrono::seconds(5), "nonsense");
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(decision_.reason, Reason::kNotCompactJws);
}

TEST_F(AsyncTest, TheEnginesEndEndsIt) {
  Ask(std::chrono::seconds(5), Token());
  Run();
  EXPECT_EQ(calls_, 0);
  engine_.reset();
  EXPECT_EQ(calls_, 1);
  EXPECT_EQ(decision_.verdict, Verdict::kUnavailable);
}

// A coroutine that runs until it first waits and is on its own from then on.
struct Detached {
  struct promise_type {
    Detached get_return_object() { return {}; }
    std::suspend_never initial_suspend() noexcept { return {}; }
    std::suspend_never final_suspend() noexcept { return {}; }
    void return_void() {}
    void unhandled_exception() { std::terminate(); }
  };
};

Detached Serve(Engine& engine, std::string authorization, int* allowed, std::string* who) {
  Principal principal;
  const Decision decision = co_await CheckAwaitable(
      engine, std::chrono::seconds(5), {.authorization = authorization, .tool = "search"}, &principal);
  *allowed += decision.allowed();
  *who = principal.subject();
}

TEST_F(AsyncTest, ACoroutineWaits) {
  int allowed = 0;
  std::string who;
  Serve(*engine_, "Bearer " + Token(), &allowed, &who);
  EXPECT_EQ(allowed, 0);
  Deliver();
  Run();
  EXPECT_EQ(allowed, 1);
  EXPECT_EQ(who, "alice");
  Serve(*engine_, "Bearer " + Token(), &allowed, &who);
  EXPECT_EQ(allowed, 2) << "at once";
}

}  // namespace
}  // namespace tollgate
