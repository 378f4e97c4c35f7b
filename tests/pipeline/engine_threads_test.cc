// Many threads check while keys are revoked, metrics read and the cache churns. Meant for ThreadSanitizer
// above all; the assertions hold everywhere.

#include <array>
#include <atomic>
#include <chrono>
#include <thread>

#include "tests/keys/fake_files.h"
#include "tests/keys/fake_transport.h"
#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

using ::tollgate::testing::FakeAnswer;
using ::tollgate::testing::FakeFiles;
using ::tollgate::testing::FakeTransport;

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
  EXPECT_GT(metrics.revocation_rechecks, kRevocations / 2);
  // Not 1: a thread that is interrupted while it writes is not waited for, and where each write is slow (TSan)
  // that is one revocation in three. Without the second look there are several verifications for each.
  EXPECT_LT(metrics.signature_verifications, kRevocations);
  RecordProperty("verifications", static_cast<int>(metrics.signature_verifications));
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
  static constexpr char kJwksUri[] = "https://idp.example/jwks";

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
    Config config = TestConfig("");
    config.issuers[0].jwks_uri = kJwksUri;
    config.verdict_cache_bytes = kTokens / 2 * 192;
    config.timing.verdict_age_max_ms = 24 * 3'600'000;   // What ends a cached token here is not its age.
    config.verification_limits.in_vain_percent_max = 0;  // How many revoked tokens are verified is chance.
    auto network = std::make_unique<FakeTransport>();
    network_ = network.get();
    Environment environment;
    environment.clock = &clock_;
    environment.own_thread = false;
    environment.jitter_seed = 7;
    environment.transport = std::move(network);
    engine_ = *Engine::Create(config, std::move(environment));
    Publish({&staying_, &passing_});
  }

  static std::string SubjectOf(size_t i) { return "user-" + std::to_string(i); }
  static bool OfThePassingKey(size_t i) { return i % 3 == 0; }

  // Publish makes the engine fetch these keys, now.
  void Publish(std::initializer_list<const idp::SigningKey*> keys) {
    network_->SetAnswer(kJwksUri, FakeAnswer{.body = idp::Jwks(keys).dump()});
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
  EXPECT_GT(metrics.revocation_rechecks, 0u);
  for (size_t i = 0; i < kTokens; ++i) {
    Decision decision;
    engine_->Check(requests_[i], &decision);
    EXPECT_EQ(decision.reason, i < kTokens / 2 ? Reason::kSubjectRevoked : Reason::kNone) << i;
  }
}

// Whoever checks while an issuer comes, changes and goes gets the right answer for the moment: of each state
// that was acknowledged before the check began and not left before it ended, that state's.
TEST_F(EngineThreadsTest, IssuersComeChangeAndGoWhileOthersCheck) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 12;
  constexpr char kOther[] = "https://tenant-2.example";
  const idp::SigningKey& other_key = idp::TestKey("ES256", 1);
  const std::string mine = "Bearer " + Token();
  const std::string other =
      "Bearer " + idp::Mint(other_key, idp::AccessTokenClaims(kOther, kResource, "bob", "agent-2",
                                                              "files:read", kStart, kStart + 600));
  const IssuerConfig good{.issuer = kOther, .jwks = idp::Jwks({&other_key}).dump()};
  IssuerConfig strict = good;
  strict.token_lifetime_max_s = 60;
  // By state: what is to be seen; kUndecided while it changes.
  const std::array<Reason, 6> expected = {
      Reason::kIssuerUnknown, Reason::kUndecided,       Reason::kNone,
      Reason::kUndecided,     Reason::kLifetimeTooLong, Reason::kUndecided};
  std::atomic<uint64_t> state{0};
  std::array<std::atomic<uint64_t>, 6> seen{};
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Decision decision;
      Principal principal;
      // Ordering: relaxed; the joins order what counts.
      while (!stop.load(std::memory_order_relaxed)) {
        // Ordering: acquire, both, pairs with the increments below.
        const uint64_t before = state.load(std::memory_order_acquire);
        engine_->Check({.authorization = other, .tool = "search"}, &decision, &principal);
        const uint64_t after = state.load(std::memory_order_acquire);
        const Reason right = expected[before % expected.size()];
        if (decision.allowed() && principal.issuer() != kOther) wrong.fetch_add(1, std::memory_order_relaxed);
        if (before == after && right != Reason::kUndecided) {
          if (decision.reason != right) wrong.fetch_add(1, std::memory_order_relaxed);
          seen[before % expected.size()].fetch_add(1, std::memory_order_relaxed);
        }
        engine_->Check({.authorization = mine, .tool = "search"}, &decision, &principal);
        if (!decision.allowed() || principal.issuer() != kIssuer)
          wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  const auto step = [&](absl::Status status) {
    EXPECT_TRUE(status.ok()) << status;
    // Ordering: acquire-release, here and below: the operation is between the two, for whoever sees either.
    const uint64_t now = state.fetch_add(1, std::memory_order_acq_rel) + 1;
    const std::atomic<uint64_t>& here = seen[now % expected.size()];
    const uint64_t looks = here.load(std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) == looks) std::this_thread::yield();
    state.fetch_add(1, std::memory_order_acq_rel);
  };
  state.fetch_add(1, std::memory_order_acq_rel);
  for (int i = 0; i < kRounds; ++i) {
    step(engine_->AddIssuer(good));
    step(engine_->ChangeIssuer(strict));
    step(engine_->RemoveIssuer(kOther));
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
}

// Whoever checks while a template's list of tenants changes gets the right answer for the moment, and a
// tenant that stays in the list is allowed at every moment.
TEST_F(EngineThreadsTest, TenantsComeAndGoWhileOthersCheck) {
  constexpr int kThreads = 3;
  constexpr int kRounds = 16;
  const auto named = [](const char* tenant) { return "https://login.example/" + std::string(tenant); };
  const auto token = [&](const char* tenant) {
    idp::json claims = idp::AccessTokenClaims(named(tenant), kResource, tenant, "agent-1", "files:read",
                                              kStart, kStart + 600);
    claims["tid"] = tenant;
    return "Bearer " + idp::Mint(key_, claims);
  };
  const std::string stays = token("stays"), comes = token("comes");
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

  const std::array<Reason, 4> expected = {Reason::kIssuerUnknown, Reason::kUndecided, Reason::kNone,
                                          Reason::kUndecided};
  std::atomic<uint64_t> state{0};
  std::array<std::atomic<uint64_t>, 4> seen{};
  std::atomic<int> wrong{0};
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (int t = 0; t < kThreads; ++t) {
    threads.emplace_back([&] {
      Decision decision;
      Principal principal;
      // Ordering: relaxed; the joins order what counts.
      while (!stop.load(std::memory_order_relaxed)) {
        // Ordering: acquire, both, pairs with the increments below.
        const uint64_t before = state.load(std::memory_order_acquire);
        engine_->Check({.authorization = comes, .tool = "search"}, &decision, &principal);
        const uint64_t after = state.load(std::memory_order_acquire);
        const Reason right = expected[before % expected.size()];
        if (decision.allowed() && principal.issuer() != named("comes"))
          wrong.fetch_add(1, std::memory_order_relaxed);
        if (before == after && right != Reason::kUndecided) {
          if (decision.reason != right) wrong.fetch_add(1, std::memory_order_relaxed);
          seen[before % expected.size()].fetch_add(1, std::memory_order_relaxed);
        }
        engine_->Check({.authorization = stays, .tool = "search"}, &decision, &principal);
        if (!decision.allowed() || principal.issuer() != named("stays"))
          wrong.fetch_add(1, std::memory_order_relaxed);
      }
    });
  }
  for (int i = 0; i < kRounds; ++i) {
    // Ordering: acquire-release, both: the change is between the two, for whoever sees either.
    state.fetch_add(1, std::memory_order_acq_rel);
    const absl::Status status = engine_->ChangeIssuer(i % 2 == 0 ? with : without);
    EXPECT_TRUE(status.ok()) << status;
    const uint64_t now = state.fetch_add(1, std::memory_order_acq_rel) + 1;
    const std::atomic<uint64_t>& here = seen[now % expected.size()];
    const uint64_t looks = here.load(std::memory_order_relaxed);
    while (here.load(std::memory_order_relaxed) == looks) std::this_thread::yield();
    EXPECT_EQ(engine_->ReadHealth()[0].num_tenants, i % 2 == 0 ? 2u : 1u);
  }
  stop.store(true, std::memory_order_relaxed);
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(wrong.load(std::memory_order_relaxed), 0);
}

// The engine's own thread writes, others look and check.
TEST_F(EngineThreadsTest, TheSnapshotIsWrittenWhileOthersAskForItsHealth) {
  constexpr uint64_t kWrites = 30;
  constexpr char kUri[] = "https://idp.example/jwks";
  Config config = TestConfig("");
  config.issuers[0].jwks_uri = kUri;
  config.timing = Timing().Scaled(1e-5);
  config.snapshot = {.path = "/keys/snapshot", .key_file = "/keys/key"};
  FakeFiles files;
  auto network = std::make_unique<FakeTransport>();
  const std::string one = idp::Jwks({&key_}).dump();
  const std::string two = idp::Jwks({&key_, &idp::TestKey("ES256", 1)}).dump();
  FakeTransport& answers = *network;
  answers.SetAnswer(kUri, FakeAnswer{.body = one});
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
    answers.SetAnswer(kUri, FakeAnswer{.body = odd ? two : one});
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
