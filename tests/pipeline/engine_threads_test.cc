// Many threads check while keys are revoked, metrics read and the cache churns. Meant for ThreadSanitizer
// above all; the assertions hold everywhere.

#include <array>
#include <atomic>
#include <chrono>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "tests/keys/fake_files.h"
#include "tests/pipeline/network_fixture.h"

namespace tollgate {
namespace {

using ::tollgate::testing::FakeFiles;

// Stages is what is to be seen of something that others change meanwhile, stage by stage and round and round:
// a check that begins and ends in one stage sees what is right in it; kUndecided is a stage in which it
// changes.
class Stages {
 public:
  explicit Stages(std::vector<Reason> right) : right_(std::move(right)), seen_(right_.size()) {}

  // See makes a check; false if what it returns is wrong.
  template <typename Check>
  bool See(const Check& check) {
    // Ordering: acquire, both, pairs with the increments in Change.
    const uint64_t before = stage_.load(std::memory_order_acquire);
    const Reason reason = check();
    const uint64_t after = stage_.load(std::memory_order_acquire);
    const size_t stage = before % right_.size();
    if (before != after || right_[stage] == Reason::kUndecided) return true;
    // Ordering: relaxed; whoever waits for it waits for nothing else.
    seen_[stage].fetch_add(1, std::memory_order_relaxed);
    return reason == right_[stage];
  }

  // Change makes a change in a stage of its own, and waits until somebody has seen the next one.
  void Change(const std::function<absl::Status()>& change) {
    // Ordering: acquire-release, both: the change is between the two, for whoever sees either.
    stage_.fetch_add(1, std::memory_order_acq_rel);
    const absl::Status status = change();
    EXPECT_TRUE(status.ok()) << status;
    const std::atomic<uint64_t>& here =
        seen_[(stage_.fetch_add(1, std::memory_order_acq_rel) + 1) % right_.size()];
    // Ordering: relaxed, both; see See.
    const uint64_t looks = here.load(std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) == looks) std::this_thread::yield();
  }

 private:
  const std::vector<Reason> right_;
  std::atomic<uint64_t> stage_{0};
  std::vector<std::atomic<uint64_t>> seen_;
};

class EngineThreadsTest : public EngineTest {
 protected:
  struct Caller {
    std::string authorization, issuer;
  };

  // CheckWhile has threads check until `change` has returned: one caller is always allowed, the other one as
  // the stages say, and neither is ever taken for another.
  void CheckWhile(const Caller& stays, const Caller& changes, Stages* stages,
                  const std::function<void()>& change) {
    std::atomic<bool> stop{false};
    std::atomic<int> wrong{0};
    const auto check = [&] {
      Decision decision;
      Principal principal;
      // Ordering: relaxed, here and below; the joins order what counts.
      const auto expect = [&](bool right) { wrong.fetch_add(!right, std::memory_order_relaxed); };
      const auto ask = [&](const Caller& caller) {
        engine_->Check({.authorization = caller.authorization, .tool = "search"}, &decision, &principal);
        expect(!decision.allowed() || principal.issuer() == caller.issuer);
        return decision.reason;
      };
      while (!stop.load(std::memory_order_relaxed)) {
        expect(stages->See([&] { return ask(changes); }));
        expect(ask(stays) == Reason::kNone);
      }
    };
    std::array<std::thread, 3> threads;
    for (std::thread& thread : threads) thread = std::thread(check);
    change();
    stop.store(true, std::memory_order_relaxed);
    for (std::thread& thread : threads) thread.join();
    EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  }
};

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
    do {
      EXPECT_TRUE(engine_->RevokeSubject(kIssuer, "user-0", kStart + 1000).ok());
      EXPECT_LE(engine_->ReadMetrics().allowed, uint64_t{kThreads * kRounds});
      engine_->RunBackground(std::chrono::milliseconds(0));
      std::this_thread::yield();
      // Ordering: relaxed; nothing but the end of this loop depends on it. Once at least, however late it
      // starts.
    } while (!stop.load(std::memory_order_relaxed));
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

// A revocation makes every thread look at the token again, and one of them write to its entry while others
// read it. They must not verify for that: their insertions would be in the way of the next ones, and so on.
TEST_F(EngineThreadsTest, ManyThreadsOnOneTokenDoNotVerifyItWheneverSomethingIsRevoked) {
  constexpr int kThreads = 4;
  constexpr uint64_t kRevocations = 300;
  const std::string authorization = "Bearer " + Token();
  Decision first;
  engine_->Check({.authorization = authorization, .tool = "search"}, &first);
  ASSERT_TRUE(first.was_cached);
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  // Ordering: relaxed, all; the joins order what counts.
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Decision decision;
      Principal principal;
      while (!stop.load(std::memory_order_relaxed)) {
        engine_->Check({.authorization = authorization, .tool = "search"}, &decision, &principal);
        if (!decision.allowed() || principal.subject() != "alice")
          wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (uint64_t i = 0; i < kRevocations; ++i) {
    const uint64_t checks = engine_->ReadMetrics().checks;
    EXPECT_TRUE(engine_->RevokeToken(kIssuer, "other-" + std::to_string(i), kStart + 1000).ok());
    while (engine_->ReadMetrics().checks < checks + 50) std::this_thread::yield();
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_GT(metrics.rechecks, kRevocations / 2);
  // Not 1: a thread that is interrupted while it writes is not waited for, and where each write is slow
  // (TSan) that is one revocation in three. Without the second look there are several verifications for each.
  EXPECT_LT(metrics.signature_verifications, kRevocations);
  RecordProperty("verifications", static_cast<int>(metrics.signature_verifications));
}

// A check that begins after SetPolicy has returned, and ends before the next one begins, goes by that policy:
// over many threads, with tokens that are cached under any of them.
TEST_F(EngineThreadsTest, APolicyIsInForceOnceItsCallHasReturned) {
  constexpr int kThreads = 3;
  constexpr int kChanges = 200;
  const auto policy_of = [](bool writers) {
    PolicyBuilder builder;
    builder.AddRule({.name = "search", .scopes = {writers ? "files:write" : "files:read"}});
    return *builder.Build();
  };
  const std::array<Policy, 2> policies = {policy_of(false), policy_of(true)};
  const std::array<std::string, 2> tokens = {"Bearer " + Token("files:read"),
                                             "Bearer " + Token("files:write")};
  ASSERT_TRUE(engine_->SetPolicy(policies[0]).ok());
  std::atomic<uint64_t> turn{0};  // Odd while the policy is being changed.
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0}, judged{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Decision decision;
      // Ordering: acquire pairs with the release below: a check comes after the change that it is judged by.
      // What the engine does in between is ordered by itself. The others relaxed: the joins order them.
      while (!stop.load(std::memory_order_relaxed)) {
        const uint64_t before = turn.load(std::memory_order_acquire);
        for (size_t which = 0; which < tokens.size(); ++which) {
          engine_->Check({.authorization = tokens[which], .tool = "search"}, &decision);
          if (before % 2 != 0 || turn.load(std::memory_order_acquire) != before) break;
          const Reason expected = before / 2 % 2 == which ? Reason::kNone : Reason::kInsufficientScope;
          wrong.fetch_add(decision.reason != expected, std::memory_order_relaxed);
          judged.fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  for (int change = 1; change <= kChanges; ++change) {
    // Ordering: relaxed; who sees the new policy has acquired it from the engine, and this with it.
    turn.fetch_add(1, std::memory_order_relaxed);
    EXPECT_TRUE(engine_->SetPolicy(policies[static_cast<size_t>(change) % 2]).ok());
    // Beside it, and without an effect.
    if (change % 4 == 2) {
      engine_->EndShadowPolicy();
    } else {
      EXPECT_TRUE(engine_->SetShadowPolicy(policies[0]).ok());
    }
    // Ordering: release pairs with the acquires above.
    turn.fetch_add(1, std::memory_order_release);
    const uint64_t checks = engine_->ReadMetrics().checks;
    while (engine_->ReadMetrics().checks < checks + 20) std::this_thread::yield();
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
  EXPECT_GT(judged.load(std::memory_order_relaxed), kChanges);
}

// MonoClock stands still by the wall and goes on when told, whoever reads it.
class MonoClock final : public Clock {
 public:
  // Ordering: relaxed, both; a number, which orders nothing.
  Now Read() const override {
    return {.wall_s = kStart, .mono_ms = mono_ms_.load(std::memory_order_relaxed)};
  }
  void Advance(int64_t ms) { mono_ms_.fetch_add(ms, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> mono_ms_{1'000'000};
};

// Single checks and batches of more tokens than the cache has room for, while one of two keys comes and goes
// and one subject after the other is revoked.
class ChurnTest : public ::testing::Test {
 protected:
  static constexpr size_t kTokens = 160;
  static constexpr int64_t kLifetime = 600, kLeeway = 60;

  ChurnTest() {
    for (size_t i = 0; i < kTokens; ++i) {
      // Each token has a time of its own, by which a decision about it is known.
      const idp::json claims =
          idp::AccessTokenClaims(kIssuer, kResource, SubjectOf(i), "agent-1", "files:read", kStart,
                                 kStart + kLifetime + static_cast<int64_t>(i));
      authorizations_.push_back("Bearer " + idp::Mint(OfThePassingKey(i) ? passing_ : staying_, claims));
    }
    for (const std::string& authorization : authorizations_) {
      requests_.push_back({.authorization = authorization, .tool = "search"});
    }
    Config config = FetchingConfig();
    config.verdict_cache_bytes = kTokens / 2 * 192;
    config.timing.verdict_age_max_ms = 24 * 3'600'000;   // What ends a cached token here is not its age.
    config.verification_limits.in_vain_percent_max = 0;  // How many revoked tokens are verified is chance.
    auto network = std::make_unique<FakeTransport>();
    network_ = network.get();
    engine_ = *Engine::Create(config, TestEnvironment(&clock_, std::move(network)));
    Publish({&staying_, &passing_});
  }

  static std::string SubjectOf(size_t i) { return "user-" + std::to_string(i); }
  static bool OfThePassingKey(size_t i) { return i % 3 == 0; }

  // Publish makes the engine fetch these keys, now.
  void Publish(std::initializer_list<const idp::SigningKey*> keys) {
    network_->SetAnswer(kJwksUri, Keys(keys));
    clock_.Advance(20 * 60'000);  // Longer than refreshes are ever apart.
    for (int turn = 0; turn < 2; ++turn) engine_->RunBackground(std::chrono::milliseconds(0));
  }

  // Before is what is known to hold for every check that begins now.
  struct Before {
    std::array<bool, kTokens> revoked{};
    uint64_t rotation = 0;
  };
  Before Look() const {
    Before before;
    // Ordering: acquire, both, pairs with the releases of the thread that revoked and rotated: that call had
    // returned before.
    for (size_t i = 0; i < kTokens; ++i) before.revoked[i] = revoked_[i].load(std::memory_order_acquire);
    before.rotation = rotation_.load(std::memory_order_acquire);
    return before;
  }

  bool IsRight(size_t i, const Decision& decision, const Before& before, const Before& after) const {
    if (decision.allowed()) {
      // Odd while the key is known to be gone.
      const bool key_gone = before.rotation % 2 == 1 && before.rotation == after.rotation;
      return !before.revoked[i] && !(key_gone && OfThePassingKey(i)) &&
             decision.valid_until_s == kStart + kLifetime + kLeeway + static_cast<int64_t>(i);
    }
    switch (decision.reason) {
      case Reason::kSubjectRevoked:
        return i < kTokens / 2;  // As far as revocations get.
      case Reason::kKeyUnknown:
      case Reason::kKeyPending:
        return OfThePassingKey(i);
      default:
        return false;
    }
  }

  const idp::SigningKey& staying_ = idp::TestKey("ES256", 0);
  const idp::SigningKey& passing_ = idp::TestKey("ES256", 1);
  MonoClock clock_;
  FakeTransport* network_ = nullptr;
  std::unique_ptr<Engine> engine_;
  std::vector<std::string> authorizations_;
  std::vector<Request> requests_;
  std::array<std::atomic<bool>, kTokens> revoked_{};
  std::atomic<uint64_t> rotation_{0};
  std::atomic<int> wrong_{0};
  std::atomic<bool> stop_{false};
};

TEST_F(ChurnTest, NothingIsAllowedAfterItsEndAndNoOneIsTakenForAnother) {
  std::vector<std::thread> threads;
  // Ordering: relaxed, here and below, of wrong_ and stop_; the joins order what counts.
  for (size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      Decision decision;
      Principal principal;
      for (size_t n = 0; !stop_.load(std::memory_order_relaxed); ++n) {
        const size_t i = (n * 7 + t * 29) % kTokens;
        const Before before = Look();
        engine_->Check(requests_[i], &decision, &principal);
        const bool same = !decision.allowed() || principal.subject() == SubjectOf(i);
        if (!same || !IsRight(i, decision, before, Look())) wrong_.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (size_t t = 0; t < 2; ++t) {
    threads.emplace_back([&, t] {
      constexpr size_t kSize = 45;  // More than are taken at once.
      std::array<Decision, kSize> decisions;
      for (size_t n = t * 3; !stop_.load(std::memory_order_relaxed); ++n) {
        const size_t begin = n * 31 % (kTokens - kSize);
        const Before before = Look();
        engine_->CheckBatch(std::span(requests_).subspan(begin, kSize), decisions);
        const Before after = Look();
        for (size_t i = 0; i < kSize; ++i) {
          if (!IsRight(begin + i, decisions[i], before, after))
            wrong_.fetch_add(1, std::memory_order_relaxed);
        }
      }
    });
  }
  for (size_t i = 0; i < kTokens / 2; ++i) {
    EXPECT_TRUE(engine_->RevokeSubject(kIssuer, SubjectOf(i), kStart + 10'000).ok());
    // Ordering: release, as below, pairs with the acquires in Look.
    revoked_[i].store(true, std::memory_order_release);
    if (i % 4 == 0) {
      Publish({&staying_});
      rotation_.fetch_add(1, std::memory_order_release);
    } else if (i % 4 == 2) {
      rotation_.fetch_add(1, std::memory_order_release);
      Publish({&staying_, &passing_});
    }
    // As many checks go by as make everybody see every state.
    const uint64_t checks = engine_->ReadMetrics().checks;
    while (engine_->ReadMetrics().checks < checks + kTokens) std::this_thread::yield();
  }
  stop_.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong_.load(std::memory_order_relaxed), 0);
  const Metrics metrics = engine_->ReadMetrics();
  EXPECT_GT(metrics.cache_hits, 0u);
  EXPECT_GT(metrics.cache_evictions, 0u);
  EXPECT_GT(metrics.rechecks, 0u);
  for (size_t i = 0; i < kTokens; ++i) {
    Decision decision;
    engine_->Check(requests_[i], &decision);
    EXPECT_EQ(decision.reason, i < kTokens / 2 ? Reason::kSubjectRevoked : Reason::kNone) << i;
  }
}

// Whoever checks while an issuer comes, changes and goes gets the right answer for the moment.
TEST_F(EngineThreadsTest, IssuersComeChangeAndGoWhileOthersCheck) {
  constexpr int kRounds = 12;
  constexpr char kOther[] = "https://tenant-2.example";
  const idp::SigningKey& other_key = idp::TestKey("ES256", 1);
  const Caller other = {
      "Bearer " + idp::Mint(other_key, idp::AccessTokenClaims(kOther, kResource, "bob", "agent-2",
                                                              "files:read", kStart, kStart + 600)),
      kOther};
  const IssuerConfig good{.issuer = kOther, .jwks = idp::Jwks({&other_key}).dump()};
  IssuerConfig strict = good;
  strict.token_lifetime_max_s = 60;
  Stages stages({Reason::kIssuerUnknown, Reason::kUndecided, Reason::kNone, Reason::kUndecided,
                 Reason::kLifetimeTooLong, Reason::kUndecided});
  CheckWhile({"Bearer " + Token(), kIssuer}, other, &stages, [&] {
    for (int i = 0; i < kRounds; ++i) {
      stages.Change([&] { return engine_->AddIssuer(good); });
      stages.Change([&] { return engine_->ChangeIssuer(strict); });
      stages.Change([&] { return engine_->RemoveIssuer(kOther); });
    }
  });
}

// And while a template's list of tenants changes.
TEST_F(EngineThreadsTest, TenantsComeAndGoWhileOthersCheck) {
  constexpr int kRounds = 16;
  const auto caller = [&](const char* tenant) {
    const std::string issuer = "https://login.example/" + std::string(tenant);
    idp::json claims =
        idp::AccessTokenClaims(issuer, kResource, tenant, "agent-1", "files:read", kStart, kStart + 600);
    claims["tid"] = tenant;
    return Caller{"Bearer " + idp::Mint(key_, claims), issuer};
  };
  idp::json jwk = key_.PublicJwk();
  jwk["issuer"] = "https://login.example/{tenantid}";
  IssuerConfig without{.issuer = "https://login.example/{tenantid}",
                       .tenants = {"stays"},
                       .jwks = idp::json{{"keys", {jwk}}}.dump()};
  IssuerConfig with = without;
  with.tenants = {"comes", "stays"};
  Config config = TestConfig("");
  config.issuers = {without};
  config.issuers_max = 3;
  Restart(config);

  Stages stages({Reason::kIssuerUnknown, Reason::kUndecided, Reason::kNone, Reason::kUndecided});
  CheckWhile(caller("stays"), caller("comes"), &stages, [&] {
    for (int i = 0; i < kRounds; ++i) {
      stages.Change([&] { return engine_->ChangeIssuer(i % 2 == 0 ? with : without); });
      EXPECT_EQ(engine_->ReadHealth()[0].num_tenants, i % 2 == 0 ? 2u : 1u);
    }
  });
}

// The engine's own thread writes, others look and check.
TEST_F(EngineThreadsTest, TheSnapshotIsWrittenWhileOthersAskForItsHealth) {
  constexpr uint64_t kWrites = 30;
  Config config = FetchingConfig();
  config.timing = Timing().Scaled(1e-5);
  config.snapshot = {.path = "/keys/snapshot", .key_file = "/keys/key"};
  FakeFiles files;
  auto network = std::make_unique<FakeTransport>();
  const FakeAnswer one = Keys({&key_}), two = Keys({&key_, &idp::TestKey("ES256", 1)});
  FakeTransport& answers = *network;
  answers.SetAnswer(kJwksUri, one);
  Environment environment;  // On the machine's clock: keys are refreshed every few milliseconds.
  environment.transport = std::move(network);
  environment.files = &files;
  engine_.reset();
  absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  ASSERT_TRUE(engine.ok()) << engine.status();
  engine_ = *std::move(engine);

  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      uint64_t writes = 0;
      Decision decision;
      // Ordering: relaxed, and below; the joins order what counts.
      while (!stop.load(std::memory_order_relaxed)) {
        const SnapshotHealth health = engine_->ReadSnapshotHealth();
        EXPECT_GE(health.writes, writes);
        writes = health.writes;
        EXPECT_LE(engine_->ReadHealth()[0].num_keys, 2u);
        engine_->Check({.authorization = "Bearer x", .tool = "search"}, &decision);
      }
    });
  }
  for (bool odd = true; engine_->ReadSnapshotHealth().writes < kWrites; odd = !odd) {
    answers.SetAnswer(kJwksUri, odd ? two : one);
    std::this_thread::yield();
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(engine_->ReadSnapshotHealth().write_failures, 0u);
  engine_.reset();
  EXPECT_EQ(files.num_names(), 2u);
}

}  // namespace
}  // namespace tollgate
