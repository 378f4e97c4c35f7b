// Restarts: what an earlier process knew is served within its bound, and what it saw to end stays ended.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "crypto/digest.h"
#include "keys/key_snapshot.h"
#include "keys/key_store.h"
#include "keys/snapshot_keeper.h"
#include "tests/keys/fake_files.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kPath[] = "/keys/snapshot";
constexpr char kKey[] = "a key of at least thirty-two bytes";

class KeyStoreSnapshotTest : public StoreTest {
 protected:
  class TestClock final : public Clock {
   public:
    explicit TestClock(const KeyStoreSnapshotTest& test) : test_(test) {}
    Now Read() const override { return {.wall_s = test_.wall_ms_ / 1000, .mono_ms = test_.now_ms_}; }

   private:
    const KeyStoreSnapshotTest& test_;
  };

  void Pass(int64_t ms) {
    now_ms_ += ms;
    wall_ms_ += ms;
  }
  // A turn of the background loop, the writing included.
  void Turn() {
    Run();
    store_->RunSnapshot(now_ms_);
  }
  // Start is a process that begins: its monotonic clock begins anew, its network has not answered yet.
  void Start(std::vector<IssuerConfig> issuers = {Fetched()}) {
    store_.reset();
    keeper_.reset();
    while (network_.CompleteOldest(Broken(FetchOutcome::kUnreachable))) continue;
    std::vector<FetchResult> dropped;
    network_.Poll(0, &dropped);
    now_ms_ = 77'777;
    Open(std::move(issuers));
    keeper_.emplace(snapshot_, files_, clock_);
    store_->UseSnapshot(*keeper_);
  }
  // One good answer for the only issuer, whenever its next fetch is due.
  void Fetch(const FakeAnswer& answer) {
    Pass(std::max<int64_t>(HealthNow().next_fetch_in_ms, 0));
    Run();
    ASSERT_TRUE(network_.CompleteOldest(answer));
    Turn();
  }
  void StartWith(const FakeAnswer& answer) {
    Start();
    Fetch(answer);
  }
  SnapshotHealth Snapshot() { return keeper_->Health(now_ms_); }
  // What the file says, or nothing.
  std::vector<SnapshotEntry> OnFile() {
    text_ = files_.Get(kPath).bytes;
    std::vector<SnapshotEntry> entries;
    const std::string_view key = kKey;
    (void)Decode(text_, std::span(reinterpret_cast<const uint8_t*>(key.data()), key.size()), &entries);
    return entries;
  }
  bool IsOnFile(std::string_view kid) {
    for (const SnapshotEntry& entry : OnFile()) {
      if (entry.jwks.find("\"" + std::string(kid) + "\"") != entry.jwks.npos) return true;
    }
    return false;
  }

  int64_t wall_ms_ = 1'800'000'000'000;
  TestClock clock_{*this};
  FakeFiles files_;
  SnapshotConfig snapshot_{.path = kPath, .key = kKey};
  std::optional<SnapshotKeeper> keeper_;
  std::string text_;
};

TEST_F(KeyStoreSnapshotTest, ARestartInAnOutageServesKnownKeysUpToTheBoundAndNotBeyond) {
  StartWith(Ok({Key(0, "a")}));
  Pass(600'000);
  Start();
  EXPECT_EQ(Snapshot().read, SnapshotRead::kAccepted);
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_TRUE(HealthNow().from_snapshot);
  EXPECT_EQ(HealthNow().num_keys, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kStale);  // Never fresh by having been read.
  EXPECT_EQ(Find("b"), Reason::kKeyPending);     // The issuer has not been asked by this process.
  // The age is that of the answer, and at most the seconds' rounding more.
  const int64_t age_ms = store_->StandingAt(0, now_ms_).age_ms;
  EXPECT_GE(age_ms, 600'000);
  EXPECT_LE(age_ms, 602'000);

  Run();  // A fetch was due at once.
  ASSERT_EQ(network_.pending().size(), 1u);
  Answer(Broken(FetchOutcome::kUnreachable));
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  Pass(timing_.staleness_bound_ms - age_ms);
  EXPECT_EQ(Find("a"), Reason::kNone);
  Pass(1);
  EXPECT_EQ(Find("a"), Reason::kKeysTooStale);
  EXPECT_EQ(FreshnessNow(), Freshness::kUnavailable);
}

TEST_F(KeyStoreSnapshotTest, ManyRestartsInAnOutageDoNotMakeKeysYounger) {
  StartWith(Ok({Key(0, "a")}));
  int64_t outage_ms = 0;
  while (outage_ms <= timing_.staleness_bound_ms) {
    Pass(59'999);
    outage_ms += 59'999;
    Start();
    Run();
    ASSERT_TRUE(network_.CompleteOldest(Broken(FetchOutcome::kTimedOut)));
    Turn();
    if (Snapshot().issuers_restored == 1) {
      ASSERT_GE(store_->StandingAt(0, now_ms_).age_ms, outage_ms);
    }
  }
  EXPECT_EQ(Snapshot().issuers_too_old, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSnapshotTest, TheEndOfTheOutageMakesTheKeysFreshAndKeepsTheirGeneration) {
  StartWith(Ok({Key(0, "a")}, "\"v1\""));
  Pass(60'000);
  Start();
  const KeyRef ref = RefOf("a");
  Run();
  ASSERT_EQ(network_.pending().size(), 1u);
  EXPECT_EQ(network_.pending()[0].if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_FALSE(HealthNow().from_snapshot);
  EXPECT_TRUE(store_->IsCurrent(ref));
  EXPECT_EQ(store_->StandingAt(0, now_ms_).age_ms, 0);
}

TEST_F(KeyStoreSnapshotTest, ARemovedKeyIsNotBroughtBack) {
  StartWith(Ok({Key(0, "a"), Key(1, "b")}));
  ASSERT_TRUE(IsOnFile("a"));
  Fetch(Ok({Key(1, "b")}));
  EXPECT_FALSE(IsOnFile("a"));
  Start();
  EXPECT_EQ(Find("a"), Reason::kKeyPending);
  EXPECT_EQ(Find("b"), Reason::kNone);
}

// The promise itself: whenever the process dies, and whatever of the disk survives, a restart has no key that
// anybody saw to be gone, and everything that is on the disk is one whole snapshot.
TEST_F(KeyStoreSnapshotTest, ARemovedKeyIsNotBroughtBackWhereverTheProcessDies) {
  for (const bool power_failed : {false, true}) {
    int num_stops = 0, num_old = 0, num_new = 0;
    for (uint64_t step = 1;; ++step) {
      SCOPED_TRACE(step);
      files_.Restart(false);
      StartWith(Ok({Key(0, "a"), Key(1, "b")}));
      const KeyRef removed = RefOf("a");
      bool seen_gone = false;
      files_.StopBefore(step, [&] { seen_gone = !store_->IsCurrent(removed); });
      Fetch(Ok({Key(1, "b")}));
      const bool stopped = files_.stopped();
      if (!stopped) seen_gone = !store_->IsCurrent(removed);
      files_.Restart(power_failed);
      Start();
      EXPECT_EQ(Snapshot().read, SnapshotRead::kAccepted);
      EXPECT_EQ(Find("b"), Reason::kNone);
      if (seen_gone) {
        EXPECT_EQ(Find("a"), Reason::kKeyPending);
      }
      (Find("a") == Reason::kNone ? num_old : num_new) += 1;
      if (!stopped) break;
      ++num_stops;
    }
    // Three for the file, its renaming, the directory.
    EXPECT_EQ(num_stops, 5);
    EXPECT_GE(num_old, power_failed ? 5 : 4);
    EXPECT_GE(num_new, 1);
  }
}

TEST_F(KeyStoreSnapshotTest, ARemovalThatCannotBeWrittenTakesTheFileAway) {
  for (const std::string broken : {"create", "write", "replace"}) {
    SCOPED_TRACE(broken);
    files_.SetFault(nullptr);
    StartWith(Ok({Key(0, "a"), Key(1, "b")}));
    const KeyRef removed = RefOf("a");
    files_.SetFault([&](std::string_view what, const std::string&) {
      return what == broken ? absl::ResourceExhaustedError("no space left") : absl::OkStatus();
    });
    Fetch(Ok({Key(1, "b")}));
    EXPECT_FALSE(store_->IsCurrent(removed));  // The disk delays no removal.
    EXPECT_EQ(Find("b"), Reason::kNone);
    EXPECT_EQ(Snapshot().write_failures, 1u);
    EXPECT_THAT(Snapshot().write_error, HasSubstr("no space left"));
    EXPECT_FALSE(files_.Has(kPath));
    EXPECT_EQ(Snapshot().issuers_written, 0u);
    files_.Restart(true);
    Start();
    EXPECT_EQ(Snapshot().read, SnapshotRead::kAbsent);
    EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  }
}

TEST_F(KeyStoreSnapshotTest, ARemovedKeyIsNotBroughtBackWhereverTheProcessDiesOnABadDisk) {
  for (const std::string broken : {"create", "write", "replace"}) {
    for (uint64_t step = 1;; ++step) {
      SCOPED_TRACE(broken + " " + std::to_string(step));
      files_.SetFault(nullptr);
      StartWith(Ok({Key(0, "a"), Key(1, "b")}));
      const KeyRef removed = RefOf("a");
      bool seen_gone = false;
      files_.SetFault([&](std::string_view what, const std::string&) {
        return what == broken ? absl::UnavailableError("I/O error") : absl::OkStatus();
      });
      files_.StopBefore(step, [&] { seen_gone = !store_->IsCurrent(removed); });
      Fetch(Ok({Key(1, "b")}));
      const bool stopped = files_.stopped();
      if (!stopped) seen_gone = !store_->IsCurrent(removed);
      files_.Restart(true);
      Start();
      EXPECT_EQ(seen_gone, !stopped);
      EXPECT_EQ(Find("a"), seen_gone ? Reason::kKeysNeverFetched : Reason::kNone);
      if (!stopped) break;
      ASSERT_LT(step, 20u);
    }
  }
}

TEST_F(KeyStoreSnapshotTest, AFailedWriteIsTriedAgainAndLeavesNothingBehind) {
  Start();
  bool broken = true;
  files_.SetFault([&](std::string_view what, const std::string&) {
    return broken && (what == "write" || what == "remove") ? absl::UnavailableError("I/O error")
                                                           : absl::OkStatus();
  });
  Fetch(Ok({Key(0, "a")}));
  EXPECT_EQ(Snapshot().write_failures, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  Turn();
  EXPECT_EQ(Snapshot().write_failures, 1u);  // Not at once.
  Pass(timing_.staleness_bound_ms / 12);
  Turn();
  EXPECT_EQ(Snapshot().write_failures, 2u);
  broken = false;
  for (int i = 0; i < 2; ++i) {  // What was left behind is removed first.
    Pass(timing_.staleness_bound_ms / 12);
    Turn();
  }
  EXPECT_EQ(Snapshot().writes, 1u);
  EXPECT_EQ(Snapshot().write_error, "");
  EXPECT_TRUE(IsOnFile("a"));
  EXPECT_EQ(files_.num_names(), 1u);
}

TEST_F(KeyStoreSnapshotTest, IdleRefreshesAreWrittenSeldom) {
  Start();
  FakeAnswer answer = Ok({Key(0, "a")});
  answer.max_age_s = 0;  // As often as refresh_min_ms allows.
  const int64_t start_ms = now_ms_;
  int num_fetches = 0;
  for (; now_ms_ - start_ms < timing_.staleness_bound_ms; ++num_fetches) {
    Fetch(answer);
    // What a restart would lack.
    const auto entries = OnFile();
    ASSERT_EQ(entries.size(), 1u);
    EXPECT_GE(entries[0].last_good_wall_s * 1000, wall_ms_ - timing_.staleness_bound_ms / 12 - 73'000);
  }
  EXPECT_GE(num_fetches, 50);
  EXPECT_LE(Snapshot().writes, 13u);
  EXPECT_GE(Snapshot().writes, 8u);
}

TEST_F(KeyStoreSnapshotTest, ANotModifiedMakesTheSnapshotYoungerToo) {
  StartWith(Ok({Key(0, "a")}, "\"v1\""));
  const int64_t before_s = OnFile().at(0).last_good_wall_s;
  Fetch(Status(304));  // Refreshed after 12 minutes or more.
  EXPECT_GE(OnFile().at(0).last_good_wall_s, before_s + 720);
  EXPECT_EQ(OnFile().at(0).etag, "\"v1\"");
  EXPECT_TRUE(IsOnFile("a"));
  EXPECT_EQ(Snapshot().writes, 2u);
}

// What does not fit is served, but not kept; and nothing older of it is.
TEST_F(KeyStoreSnapshotTest, IsBoundedByLeavingIssuersOut) {
  constexpr uint32_t kFit = 64;
  FakeAnswer large = Ok({Key(1, "large")});
  large.body.insert(1, "\"padding\":\"" + std::string((1 << 20) - 1000, 'x') + "\",");
  std::vector<IssuerConfig> issuers = {Fetched()};
  for (uint32_t i = 1; i <= kFit; ++i)
    issuers.push_back(Fetched("https://idp" + std::to_string(i) + ".example"));
  Start(issuers);
  for (const IssuerConfig& issuer : issuers) network_.SetAnswer(issuer.jwks_uri, large);
  network_.SetAnswer(issuers[0].jwks_uri, Ok({Key(0, "small")}));
  for (int i = 0; i < 2; ++i) Run();  // Not all are asked at once.
  store_->RunSnapshot(now_ms_);
  EXPECT_EQ(OnFile().size(), kFit + 1);
  EXPECT_TRUE(IsOnFile("small"));

  network_.SetAnswer(issuers[0].jwks_uri, large);
  for (uint32_t i = 1; i <= kFit; ++i) network_.SetAnswer(issuers[i].jwks_uri, std::nullopt);
  Pass(1'080'000);
  Run();
  EXPECT_EQ(Find("large"), Reason::kNone);
  EXPECT_EQ(Snapshot().issuers_written, kFit);
  EXPECT_LE(files_.Get(kPath).bytes.size(), size_t{64} << 20);
  EXPECT_EQ(Snapshot().write_error, "");
  network_.SetAnswer(issuers[0].jwks_uri, std::nullopt);
  Start(issuers);
  EXPECT_EQ(Snapshot().issuers_restored, kFit);
  EXPECT_EQ(Find("small"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSnapshotTest, NewKeysAreGatheredForASecondAndRemovalsAreNot) {
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < 20; ++i) issuers.push_back(Fetched("https://idp" + std::to_string(i) + ".example"));
  Start(issuers);
  Run();
  for (int i = 0; i < 20; ++i) {
    ASSERT_TRUE(network_.CompleteOldest(Ok({Key(0, "a"), Key(1, "b")})));
    Turn();
  }
  EXPECT_EQ(Snapshot().writes, 1u);
  EXPECT_EQ(OnFile().size(), 1u);
  Pass(1000);
  Turn();
  EXPECT_EQ(Snapshot().writes, 2u);
  EXPECT_EQ(OnFile().size(), 20u);
  EXPECT_EQ(Snapshot().issuers_written, 20u);
}

TEST_F(KeyStoreSnapshotTest, AnEntryThatWasNotTakenIsReplacedBeforeItsIssuersKeysAreServed) {
  StartWith(Ok({Key(0, "a")}));
  wall_ms_ -= 60'000;  // Refused for now, but still in the file.
  Start();
  EXPECT_EQ(Snapshot().issuers_future_dated, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  Run();
  bool served = true;
  files_.StopBefore(1, [&] { served = store_->StandingAt(0, now_ms_).ever_good; });
  ASSERT_TRUE(network_.CompleteOldest(Ok({Key(1, "b")})));
  Run();
  EXPECT_TRUE(files_.stopped());
  EXPECT_FALSE(served);
}

TEST_F(KeyStoreSnapshotTest, TooOldAndFutureDatedSetsAreRefused) {
  StartWith(Ok({Key(0, "a")}));
  const int64_t written_ms = wall_ms_;
  const auto restart_at = [&](int64_t ms) {
    wall_ms_ = written_ms + ms;
    Start();
    return Snapshot();
  };
  EXPECT_EQ(restart_at(timing_.staleness_bound_ms - 1000).issuers_restored, 1u);
  EXPECT_EQ(restart_at(timing_.staleness_bound_ms).issuers_too_old, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_FALSE(HealthNow().from_snapshot);
  EXPECT_EQ(restart_at(-10'000).issuers_restored, 1u);
  EXPECT_EQ(restart_at(-11'000).issuers_future_dated, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSnapshotTest, WhatIsConfiguredDifferentlyNowIsRefused) {
  StartWith(Ok({Key(0, "a")}));
  IssuerConfig elsewhere = Fetched(), discovered = Fetched(), unknown = Fetched("https://other.example");
  elsewhere.jwks_uri += "2";
  discovered.jwks_uri = "";
  discovered.discovery = true;
  for (const IssuerConfig& config :
       {elsewhere, discovered, unknown, Inline("https://idp.example", {Key(1, "b")})}) {
    Start({config});
    EXPECT_EQ(Snapshot().read, SnapshotRead::kAccepted);
    EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
    EXPECT_EQ(Snapshot().issuers_restored, 0u);
    EXPECT_NE(Find("a"), Reason::kNone);
  }
  Start({Fetched("https://other.example"), Fetched()});  // The order does not matter.
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_EQ(Find("a", 1), Reason::kNone);
  EXPECT_EQ(Find("a", 0), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSnapshotTest, NoUrlOfASnapshotIsEverFetched) {
  IssuerConfig discovered = Fetched();
  discovered.jwks_uri = "";
  discovered.discovery = true;
  discovered.discovery_hosts = {"keys.example"};
  FakeAnswer metadata;
  metadata.body = R"({"issuer":"https://idp.example","jwks_uri":"https://keys.example/k"})";
  Start({discovered});
  Run();
  Answer(metadata);
  Answer(Ok({Key(0, "a")}, "\"v1\""));
  Turn();
  Pass(60'000);
  Start({discovered});
  EXPECT_EQ(Find("a"), Reason::kNone);
  Run();
  ASSERT_EQ(network_.pending().size(), 1u);
  EXPECT_THAT(network_.pending()[0].url, HasSubstr("https://idp.example/.well-known/"));
  Answer(metadata);
  ASSERT_EQ(network_.pending().size(), 1u);
  EXPECT_EQ(network_.pending()[0].url, "https://keys.example/k");
  EXPECT_EQ(network_.pending()[0].if_none_match, "\"v1\"");
  Answer(Status(304));
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);

  // A host that may not be asked any more cannot have given keys either.
  discovered.discovery_hosts.clear();
  Start({discovered});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSnapshotTest, AFileThatIsNotAsItWasWrittenGivesNothing) {
  StartWith(Ok({Key(0, "a")}));
  const FakeFiles::File good = files_.Get(kPath);
  const auto expect = [&](SnapshotRead read, const FakeFiles::File& file) {
    files_.Put(kPath, file);
    Start();
    EXPECT_EQ(Snapshot().read, read) << Snapshot().read_error;
    EXPECT_FALSE(Snapshot().read_error.empty());
    EXPECT_EQ(Snapshot().issuers_restored, 0u);
    EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
    // And the engine goes on without it.
    Fetch(Ok({Key(0, "a")}));
    EXPECT_EQ(Find("a"), Reason::kNone);
    EXPECT_TRUE(IsOnFile("a"));
  };
  const auto with = [&](auto change) {
    FakeFiles::File file = good;
    change(file);
    return file;
  };
  expect(SnapshotRead::kTampered, with([](auto& file) { file.bytes[40] ^= 1; }));
  expect(SnapshotRead::kTampered, with([](auto& file) { file.bytes += "x"; }));
  expect(SnapshotRead::kTruncated, with([](auto& file) { file.bytes.pop_back(); }));
  expect(SnapshotRead::kTruncated, with([](auto& file) { file.bytes.clear(); }));
  expect(SnapshotRead::kUnknownVersion, with([](auto& file) { file.bytes.replace(22, 1, "2"); }));
  expect(SnapshotRead::kTooLarge, with([](auto& file) { file.bytes.resize((64 << 20) + 1); }));
  expect(SnapshotRead::kUnreadable, with([](auto& file) { file.mode = 0620; }));
  expect(SnapshotRead::kUnreadable, with([](auto& file) { file.mode = 0602; }));
  expect(SnapshotRead::kUnreadable, with([](auto& file) { file.ours = false; }));
  expect(SnapshotRead::kUnreadable, with([](auto& file) { file.regular = false; }));
  expect(SnapshotRead::kUnreadable, with([](auto& file) { file.link = true; }));
  files_.Put(kPath, with([](auto& file) { file.mode = 0644; }));  // It holds no secret.
  Start();
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
}

TEST_F(KeyStoreSnapshotTest, OneIssuersTroubleIsNotTheOthers) {
  const std::string key = kKey;
  const std::string other_set = SetText({Key(0, "a")});
  const SnapshotEntry good{.issuer = "https://idp.example",
                           .jwks_uri = "https://idp.example/jwks",
                           .jwks = other_set,
                           .last_good_wall_s = wall_ms_ / 1000};
  SnapshotEntry unusable = good, old = good;
  unusable.issuer = "https://b.example";
  unusable.jwks_uri = "https://b.example/jwks";
  unusable.jwks = R"({"keys":[]})";
  old.issuer = "https://c.example";
  old.jwks_uri = "https://c.example/jwks";
  old.last_good_wall_s -= 10'000;
  const std::vector<SnapshotEntry> entries = {unusable, old, good, good};
  files_.Put(
      kPath,
      {.bytes =
           Encode(entries, std::span(reinterpret_cast<const uint8_t*>(key.data()), key.size())).value()});
  Start({Fetched(), Fetched("https://b.example"), Fetched("https://c.example")});
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_EQ(Snapshot().issuers_too_old, 1u);
  EXPECT_EQ(Snapshot().issuers_unusable, 2u);  // Named twice.
  EXPECT_EQ(Find("a", 0), Reason::kNone);
  EXPECT_EQ(Find("a", 1), Reason::kKeysNeverFetched);
}

// Between any two steps of one engine's write lies a whole write of another's.
TEST_F(KeyStoreSnapshotTest, OfTwoEnginesOnOneFileTheLastWriterWinsAndNoMixtureDoes) {
  for (uint64_t step = 1; step <= 5; ++step) {
    SCOPED_TRACE(step);
    Start();
    SnapshotKeeper other(snapshot_, files_, clock_);
    const std::string other_set = SetText({Key(1, "b")});
    const SnapshotEntry entry{.issuer = "https://idp.example",
                              .jwks_uri = "https://idp.example/jwks",
                              .jwks = other_set,
                              .last_good_wall_s = wall_ms_ / 1000};
    files_.DoBefore(step, [&] {
      EXPECT_EQ(other.Write(std::span(&entry, 1), false), SnapshotKeeper::Written::kWritten);
      EXPECT_TRUE(IsOnFile("b"));
      EXPECT_FALSE(IsOnFile("a"));
    });
    Fetch(Ok({Key(0, "a")}));
    // The renaming is the fourth step.
    EXPECT_EQ(IsOnFile("a"), step <= 4);
    EXPECT_EQ(IsOnFile("b"), step > 4);
    EXPECT_EQ(files_.num_names(), 1u);
    EXPECT_EQ(Snapshot().write_failures, 0u);
    files_.DoBefore(1, nullptr);
    (void)files_.Remove(kPath);
  }
}

// --- Issuers that come, change and go ---

TEST_F(KeyStoreSnapshotTest, ARemovedIssuerLeavesTheFile) {
  StartWith(Ok({Key(0, "a")}));
  ASSERT_TRUE(store_->AddIssuer(Fetched("https://b.example")).ok());
  Run();
  ASSERT_TRUE(network_.CompleteOldest(Ok({Key(1, "b")})));
  Pass(1'000);
  Turn();
  EXPECT_EQ(OnFile().size(), 2u);
  ASSERT_TRUE(store_->RemoveIssuer(Fetched().issuer).ok());
  Pass(1'000);
  Turn();
  ASSERT_EQ(OnFile().size(), 1u);
  EXPECT_TRUE(IsOnFile("b"));
  Start({Fetched(), Fetched("https://b.example")});
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_EQ(Find("a", 0), Reason::kKeysNeverFetched);
  EXPECT_EQ(Find("b", 1), Reason::kNone);
}

TEST_F(KeyStoreSnapshotTest, AnIssuerThatComesBackLeavesNoKeyInTheFileThatItLacks) {
  StartWith(Ok({Key(0, "a"), Key(1, "b")}));
  ASSERT_TRUE(IsOnFile("a"));
  ASSERT_TRUE(store_->RemoveIssuer(Fetched().issuer).ok());
  ASSERT_TRUE(store_->AddIssuer(Fetched()).ok());
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_TRUE(IsOnFile("a"));  // Not written again yet.
  Run();
  ASSERT_TRUE(network_.CompleteOldest(Ok({Key(1, "b")})));
  Run();  // No turn for the snapshot.
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_FALSE(IsOnFile("a"));
  EXPECT_TRUE(IsOnFile("b"));
}

TEST_F(KeyStoreSnapshotTest, AChangeKeepsWhatTheFileIsToHave) {
  StartWith(Ok({Key(0, "a"), Key(1, "b")}, "\"v1\""));
  const int64_t begin_ms = now_ms_;
  ASSERT_TRUE(store_->ChangeIssuer(Fetched()).ok());
  Pass(timing_.staleness_bound_ms / 12);
  Turn();
  EXPECT_TRUE(IsOnFile("a"));
  const int64_t age_ms = now_ms_ - begin_ms;
  Start();
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_GE(store_->StandingAt(0, now_ms_).age_ms, age_ms);
  // And a removal after a change is written before it is seen.
  ASSERT_TRUE(store_->ChangeIssuer(Fetched()).ok());
  Run();
  ASSERT_TRUE(network_.CompleteOldest(Ok({Key(1, "b")})));
  Run();
  EXPECT_FALSE(IsOnFile("a"));
  IssuerConfig moved = Fetched();
  moved.jwks_uri = "https://idp.example/other";
  ASSERT_TRUE(store_->ChangeIssuer(moved).ok());
  Pass(1'000);
  Turn();
  EXPECT_TRUE(OnFile().empty());
}

TEST_F(KeyStoreSnapshotTest, TenantsServeFromTheirFamilysSet) {
  constexpr char kTemplate[] = "https://login.example/{tenantid}";
  IssuerConfig family = Fetched(kTemplate);
  family.jwks_uri = "https://login.example/keys";
  family.tenants = {"a", "b"};
  nlohmann::json of_all = Key(0, "of-all"), of_b = Key(1, "of-b"), of_c = Key(2, "of-c");
  of_all["issuer"] = kTemplate;
  of_b["issuer"] = "https://login.example/b";
  of_c["issuer"] = "https://login.example/c";
  Start({family});
  Fetch(Ok({of_all, of_b, of_c, Key(3, "nobodys")}));
  Pass(1'000);
  Turn();
  ASSERT_EQ(OnFile().size(), 1u);
  EXPECT_EQ(OnFile()[0].issuer, kTemplate);

  // Another list: what is on file is the family's, and not only what was shared out.
  family.tenants = {"b", "c"};
  Start({family});
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_EQ(HealthNow().num_keys, 3u);
  EXPECT_EQ(HealthNow().num_keys_skipped, 1u);
  const uint32_t b = *FindIssuer("https://login.example/b"), c = *FindIssuer("https://login.example/c");
  EXPECT_EQ(Find("of-all", b), Reason::kNone);
  EXPECT_EQ(Find("of-b", b), Reason::kNone);
  EXPECT_EQ(Find("of-c", b), Reason::kKeyPending);
  EXPECT_EQ(Find("of-c", c), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(c, now_ms_).freshness, Freshness::kStale);
  // A removal is on file before any tenant sees it.
  Fetch(Ok({of_all, of_c}));
  EXPECT_FALSE(IsOnFile("of-b"));
  EXPECT_NE(Find("of-b", b), Reason::kNone);

  // Who was a tenant is not what its family was, nor the other way round.
  Start({Fetched("https://login.example/b")});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
  Fetch(Ok({Key(4, "its-own")}));
  Pass(1'000);
  Turn();
  ASSERT_TRUE(IsOnFile("its-own"));
  Start({family});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
  EXPECT_EQ(Find("its-own", *FindIssuer("https://login.example/b")), Reason::kKeysNeverFetched);
}

}  // namespace
}  // namespace tollgate::keys
