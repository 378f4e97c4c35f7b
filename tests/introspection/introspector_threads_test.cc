#include <gtest/gtest.h>

#include <atomic>
#include <thread>
#include <vector>

#include "tests/introspection/introspector_fixture.h"

namespace tollgate::introspection {
namespace {

// The active answer about a token names it and its issuer, so that one that crossed over would be seen.
std::string TextOf(uint32_t issuer, const std::string& token) {
  return R"({"active":true,"sub":")" + token + "@" + std::to_string(issuer) + "\"}";
}

bool IsActive(uint32_t issuer, const std::string& token) { return (token.size() + issuer) % 2 == 0; }

// Many threads ask about the same tokens while answers come in, some of them too late, and one issuer's
// endpoint moves. Each thread is told of a token what its issuer answered, whole, and nothing that was left
// is lost.
TEST(IntrospectorThreads, AskWhileAnswersComeIn) {
  using State = Introspector::Known::State;
  constexpr int kAskers = 3;
  constexpr int kTokens = 16;
  constexpr uint64_t kAnsweredMin = 2'000;
  Config config;
  config.issuers = {Issuer("https://idp.example"), Issuer("https://other.example")};
  for (IssuerConfig& issuer : config.issuers) {
    issuer.introspection.in_flight_max = 8;
    issuer.introspection.waiting_max = 8;
  }
  config.issuers[0].introspection.endpoint.clear();
  config.issuers[0].introspection.discovery = true;
  config.introspection_cache_bytes = 16 * 1024;
  std::atomic<int64_t> now_ms{1'000'000};
  std::atomic<bool> stop{false};
  std::atomic<uint64_t> wakes{0}, active{0}, inactive{0};
  uint64_t settled = 0;
  Introspector introspector(config, 1, [&](uint32_t) { ++settled; });
  introspector.SetWaker([&] { wakes.fetch_add(1, std::memory_order_relaxed); });

  std::vector<std::thread> askers;
  for (int n = 0; n < kAskers; ++n) {
    askers.emplace_back([&, n] {
      std::string text;
      for (auto i = static_cast<uint32_t>(n); !stop.load(std::memory_order_acquire); ++i) {
        const uint32_t issuer = i / kTokens % 2;
        const std::string token(1 + i % kTokens, 't');
        const int64_t now = now_ms.load(std::memory_order_acquire);
        const bool verified = n == 0;
        text.clear();
        const Introspector::Known known = introspector.Ask(
            issuer, token, introspector.NameToken(token, verified), verified, 1'000, now, &text);
        if (known.state == State::kActive) {
          EXPECT_TRUE(IsActive(issuer, token));
          EXPECT_EQ(text, verified ? "" : TextOf(issuer, token));
          active.fetch_add(1, std::memory_order_relaxed);
        } else if (known.state == State::kInactive) {
          EXPECT_FALSE(IsActive(issuer, token));
          inactive.fetch_add(1, std::memory_order_relaxed);
        }
        if (i % 64 == 0) {
          IssuerHealth health;
          introspector.FillHealth(issuer, now, &health);
          EXPECT_LE(health.introspections_in_flight, 8u);
          EXPECT_LE(introspector.cache_bytes(), config.introspection_cache_bytes);
        }
      }
    });
  }

  FakeTransport network;
  std::vector<FetchResult> done;
  const auto turn = [&](int64_t step_ms, bool answer) {
    const int64_t now = now_ms.fetch_add(step_ms, std::memory_order_acq_rel) + step_ms;
    introspector.RunDue(now, network);
    for (const FetchRequest& request : answer ? network.pending() : std::vector<FetchRequest>()) {
      const uint32_t issuer = request.url.find("other") == std::string::npos ? 0 : 1;
      const std::string token = request.form.substr(6, request.form.find('&') - 6);
      network.Complete(request.id, IsActive(issuer, token) ? Body(TextOf(issuer, token)) : Inactive());
    }
    network.Poll(0, &done);
    for (FetchResult& result : done) introspector.TakeIn(std::move(result), {.mono_ms = now});
    done.clear();
  };
  // Every eighth turn leaves the questions unanswered beyond their time limit.
  for (int n = 0; active.load() < kAnsweredMin || inactive.load() < kAnsweredMin || n < 200; ++n) {
    if (n % 16 == 0) introspector.SetEndpoint(0, "https://idp.example/" + std::to_string(n));
    turn(n % 8 == 7 ? config.timing.introspection_timeout_ms : 300, n % 8 != 6);
    if (::testing::Test::HasFailure()) break;
    std::this_thread::yield();
  }
  stop.store(true, std::memory_order_release);
  for (std::thread& asker : askers) asker.join();
  // What is still open ends, and then every question that was left has settled once.
  turn(config.timing.introspection_timeout_ms, true);
  turn(config.timing.introspection_timeout_ms, true);
  EXPECT_EQ(settled, wakes.load());
  EXPECT_GT(settled, 0u);
}

}  // namespace
}  // namespace tollgate::introspection
