// Many threads check while keys are revoked, metrics read and the cache churns. Meant for ThreadSanitizer
// above all; the assertions hold everywhere.

#include <atomic>
#include <thread>

#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

class EngineThreadsTest : public EngineTest {};

TEST_F(EngineThreadsTest, EveryThreadGetsTheFactsOfTheTokenThatItAskedFor) {
  constexpr int kThreads = 4;
  constexpr int kTokens = 48;
  constexpr int kRounds = 150;
  Config config = TestConfig(idp::Jwks({&key_}).dump());
  config.verdict_cache_bytes = 64 << 10;  // Fewer entries than tokens: inserts displace one another.
  Restart(config);
  std::vector<std::string> authorizations;
  for (int i = 0; i < kTokens; ++i) {
    idp::json claims = Claims(i % 2 == 0 ? "files:read" : "files:read files:write");
    claims["sub"] = "user-" + std::to_string(i);
    authorizations.push_back("Bearer " + idp::Mint(key_, claims));
  }
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      Decision decision;
      Principal principal;
      for (int n = 0; n < kRounds; ++n) {
        const int i = (n * 7 + t * 13) % kTokens;
        engine_->Check({.authorization = authorizations[i], .tool = "delete"}, &decision, &principal);
        const Reason expected = i % 2 == 0 ? Reason::kInsufficientScope : Reason::kNone;
        const bool revoked = decision.reason == Reason::kSubjectRevoked && i == 0;
        if (!revoked && (decision.reason != expected || principal.subject() != "user-" + std::to_string(i))) {
          // Ordering: relaxed; the join below orders the final read.
          wrong.fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  std::thread control([&] {
    // Ordering: relaxed; nothing but the end of this loop depends on it.
    while (!stop.load(std::memory_order_relaxed)) {
      EXPECT_TRUE(engine_->RevokeSubject(kIssuer, "user-0", kStart + 1000).ok());
      EXPECT_LE(engine_->ReadMetrics().allowed, uint64_t{kThreads * kRounds});
      engine_->RunBackground(std::chrono::milliseconds(0));
      std::this_thread::yield();
    }
  });
  for (std::thread& thread : threads) thread.join();
  stop.store(true, std::memory_order_relaxed);
  control.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_EQ(metrics.checks, uint64_t{kThreads * kRounds}) << "counters of threads that have ended are kept";
  EXPECT_EQ(metrics.checks, metrics.allowed + metrics.denied + metrics.unavailable);
  EXPECT_EQ(Check(authorizations[0].substr(7), "search").reason, Reason::kSubjectRevoked);
}

}  // namespace
}  // namespace tollgate
