// Where keys come from beside one URL: files, signed sets, and places to fall back on.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <optional>

#include "base/limits.h"
#include "keys/key_snapshot.h"
#include "keys/key_store.h"
#include "keys/snapshot_keeper.h"
#include "tests/keys/fake_files.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kIssuer[] = "https://idp.example";
constexpr char kFile[] = "/etc/keys/jwks.json";
constexpr char kFirst[] = "https://idp.example/jwks";
constexpr char kMirror[] = "https://mirror.example/jwks";
constexpr char kSigned[] = "https://idp.example/signed_jwks";
constexpr char kSnapshot[] = "/keys/snapshot";

class KeyStoreSourcesTest : public StoreTest {
 protected:
  class TestClock final : public Clock {
   public:
    explicit TestClock(const KeyStoreSourcesTest& test) : test_(test) {}
    Now Read() const override { return {.wall_s = test_.WallS(), .mono_ms = test_.now_ms_}; }

   private:
    const KeyStoreSourcesTest& test_;
  };

  KeyStoreSourcesTest() { outside_ = {.files = &files_, .clock = &clock_}; }

  int64_t WallS() const { return 1'800'000'000 + now_ms_ / 1000; }

  static IssuerConfig FromFile(std::string_view issuer = kIssuer) {
    IssuerConfig config;
    config.issuer = issuer;
    config.jwks_file = kFile;
    return config;
  }
  static IssuerConfig WithFallbacks(std::vector<KeyPlace> fallbacks) {
    IssuerConfig config = Fetched();
    config.fallbacks = std::move(fallbacks);
    return config;
  }
  static const idp::SigningKey& Voucher(int n = 0) { return idp::TestKey("EdDSA", n); }
  static IssuerConfig FromSigned(int voucher = 0) {
    IssuerConfig config;
    config.issuer = kIssuer;
    config.signed_jwks_uri = kSigned;
    config.signed_jwks_keys = idp::Jwks({&Voucher(voucher)}).dump();
    return config;
  }
  static std::string SignedText(const std::vector<json>& jwks, const json& claims = json::object(),
                                const idp::SigningKey& key = Voucher()) {
    json payload = {{"iss", kIssuer}, {"sub", kIssuer}, {"keys", jwks}};
    payload.merge_patch(claims);
    return idp::Mint(key, payload, {{"typ", "jwk-set+jwt"}});
  }
  static FakeAnswer Signed(const std::vector<json>& jwks, const json& claims = json::object()) {
    FakeAnswer answer;
    answer.body = SignedText(jwks, claims);
    answer.etag = "\"signed\"";
    return answer;
  }

  void Write(const std::vector<json>& jwks, const std::string& path = kFile) {
    files_.Put(path, {.mode = 0644, .bytes = SetText(jwks)});
  }
  // Pass lets `ms` pass, background turns included; requests that nobody has told what to answer are left.
  void Pass(int64_t ms) { RunUntil(now_ms_ + ms); }
  // Fetch lets the next fetch begin; the network answers it as far as it has been told to.
  void Fetch() {
    now_ms_ += std::max<int64_t>(HealthNow().next_fetch_in_ms, 0);
    for (int turns = 0; turns < 12; ++turns) Run();
  }
  std::vector<std::string> Asked() {
    std::vector<std::string> urls;
    const std::vector<FetchRequest> requests = network_.requests();
    for (; asked_ < requests.size(); ++asked_) urls.push_back(requests[asked_].url);
    return urls;
  }

  // A restart: another store, the same disk.
  void Restart(std::vector<IssuerConfig> issuers) {
    store_.reset();
    keeper_.reset();
    while (network_.CompleteOldest(Broken(FetchOutcome::kUnreachable))) continue;
    std::vector<FetchResult> dropped;
    network_.Poll(0, &dropped);
    Open(std::move(issuers));
    keeper_.emplace(SnapshotConfig{.path = kSnapshot, .key = std::string(32, 'k')}, files_, clock_);
    store_->UseSnapshot(*keeper_);
  }
  SnapshotHealth Snapshot() { return keeper_->Health(now_ms_); }
  int64_t Reads() const { return static_cast<int64_t>(files_.num_reads()); }
  int64_t Requests() const { return static_cast<int64_t>(network_.num_requests()); }
  std::string OnDisk() { return files_.Get(kSnapshot).bytes; }

  FakeFiles files_;
  TestClock clock_{*this};
  std::optional<SnapshotKeeper> keeper_;
  size_t asked_ = 0;
  std::string last_tag_;
};

// --- Files ---

TEST_F(KeyStoreSourcesTest, AFileServesTheFirstCheck) {
  Write({Key(0, "a")});
  Open({FromFile()});
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_EQ(HealthNow().last_error, "");
  EXPECT_THAT(settled_, ElementsAre(0u));
  Pass(3'600'000);
  EXPECT_EQ(network_.num_requests(), 0u);
}

TEST_F(KeyStoreSourcesTest, AFileIsReadAgainAtItsIntervalAndAChangeCountsAtOnce) {
  timing_.jitter_percent = 0;
  Write({Key(0, "a"), Key(1, "b")});
  Open({FromFile()});
  const KeyRef a = RefOf("a"), b = RefOf("b");
  EXPECT_EQ(Run() - now_ms_, timing_.file_interval_ms);
  Write({Key(1, "b"), Key(2, "c")});
  Pass(timing_.file_interval_ms - 1);
  EXPECT_TRUE(store_->IsCurrent(a));
  Pass(2);
  EXPECT_EQ(Find("c"), Reason::kNone);
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_EQ(RefOf("b"), b);
  EXPECT_EQ(Reads(), 2);
}

TEST_F(KeyStoreSourcesTest, AFileThatStaysAsItIsKeepsItsKeysYoung) {
  Write({Key(0, "a")});
  Open({FromFile()});
  const KeyRef a = RefOf("a");
  Pass(24 * 3'600'000);
  EXPECT_EQ(RefOf("a"), a);
  EXPECT_LT(HealthNow().keys_age_ms, 2 * timing_.file_interval_ms);
  EXPECT_EQ(HealthNow().fetch_failures, 0u);
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  const int64_t most = 24 * 3'600'000 / (timing_.file_interval_ms * 8 / 10) + 2;
  EXPECT_LE(Reads(), most);
  EXPECT_GE(Reads(), most * 8 / 12 - 2);
}

TEST_F(KeyStoreSourcesTest, AFileThatIsNoSetNeverShrinksOne) {
  const std::string other = SetText({Key(9, "new")});
  const std::vector<std::pair<std::string, FakeFiles::File>> bad = {
      {"empty", {.bytes = ""}},
      {"half-written", {.bytes = other.substr(0, other.size() / 2)}},
      {"garbage", {.bytes = "keys: []"}},
      {"an empty set", {.bytes = R"({"keys":[]})"}},
      {"no usable key", {.bytes = R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})"}},
      {"two sets", {.bytes = other + other}},
      {"too large", {.bytes = other + std::string(limits::kJwksBytesMax, ' ')}},
      {"a pipe", {.regular = false, .bytes = other}},
      {"a signed set", {.bytes = SignedText({Key(9, "new")})}},
      {"a link that leads nowhere", {.link = true, .bytes = "/nowhere"}},
      {"a link that leads to itself", {.link = true, .bytes = kFile}},
  };
  Write({Key(0, "a")});
  Open({FromFile()});
  const KeyRef a = RefOf("a");
  for (const auto& [what, file] : bad) {
    SCOPED_TRACE(what);
    const uint64_t failures = HealthNow().fetch_failures;
    files_.Put(kFile, file);
    Fetch();
    EXPECT_EQ(RefOf("a"), a);
    EXPECT_EQ(HealthNow().fetch_failures, failures + 1);
    EXPECT_NE(HealthNow().last_error, "");
    EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("/etc")));
    EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
    EXPECT_LE(HealthNow().next_fetch_in_ms, timing_.file_interval_ms);
    Write({Key(0, "a")});
    Fetch();
    EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
  }
  ASSERT_TRUE(files_.Remove(kFile).ok());
  Fetch();
  EXPECT_THAT(HealthNow().last_error, StartsWith("the file: "));
  Pass(timing_.staleness_bound_ms - HealthNow().keys_age_ms);
  EXPECT_EQ(Find("a"), Reason::kNone);
  Pass(1);
  EXPECT_EQ(Find("a"), Reason::kKeysTooStale);
  Write({Key(0, "a")});
  Fetch();
  EXPECT_EQ(RefOf("a"), a);
}

TEST_F(KeyStoreSourcesTest, AFileMayComeLaterThanTheProcess) {
  Open({FromFile()});
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  Write({Key(0, "a")});
  Pass(timing_.file_interval_ms + 1);
  EXPECT_EQ(Find("a"), Reason::kNone);
}

// A Kubernetes volume: the name leads through ..data, which is exchanged.
TEST_F(KeyStoreSourcesTest, AFileMayBeALinkWhoseTargetIsExchanged) {
  Write({Key(0, "a")}, "/etc/keys/..1/jwks.json");
  Write({Key(1, "b")}, "/etc/keys/..2/jwks.json");
  files_.Put(kFile, {.link = true, .bytes = "/etc/keys/..1/jwks.json"});
  Open({FromFile()});
  EXPECT_EQ(Find("a"), Reason::kNone);
  files_.Put(kFile, {.link = true, .bytes = "/etc/keys/..2/jwks.json"});
  Fetch();
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_NE(Find("a"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, AnAbsentKidMakesAFileBeReadSooner) {
  timing_.file_interval_ms = 300'000;
  Write({Key(0, "a")});
  Open({FromFile()});
  Pass(60'000);
  EXPECT_EQ(Find("b"), Reason::kKeyPending);
  EXPECT_EQ(wakes_, 1);
  Run();
  EXPECT_EQ(Find("b"), Reason::kKeyUnknown);
  EXPECT_EQ(Reads(), 2);
  Write({Key(0, "a"), Key(1, "c")});
  Pass(60'000);
  EXPECT_EQ(Find("c"), Reason::kKeyPending);
  Run();
  EXPECT_EQ(Find("c"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, ForgedKidsReadAFileNoMoreThanOnceInAFifthOfItsInterval) {
  Write({Key(0, "a")});
  Open({FromFile()});
  const int64_t begin_ms = now_ms_;
  for (int i = 0; i < 60'000; ++i) {
    Find("forged-" + std::to_string(i));
    Run();
    now_ms_ += 1;
  }
  EXPECT_LE(Reads(), 2 + (now_ms_ - begin_ms) / (timing_.file_interval_ms / 5));
  EXPECT_GE(Reads(), 50);  // And they do.
}

TEST_F(KeyStoreSourcesTest, ManyFilesAreReadAThousandTimesASecondInAll) {
  constexpr int kNumIssuers = 10'000;
  constexpr int64_t kSpanMs = 30'000;
  Write({Key(0, "a")});
  std::vector<IssuerConfig> issuers;
  for (int i = 0; i < kNumIssuers; ++i) issuers.push_back(FromFile(kIssuer + std::to_string(i)));
  Open(std::move(issuers));
  EXPECT_EQ(Reads(), kNumIssuers);
  Pass(kSpanMs);
  // By jitter a fifth sooner or later.
  EXPECT_LE(Reads() - kNumIssuers, kSpanMs * 10 / 8);
  EXPECT_GE(Reads() - kNumIssuers, kSpanMs / 2);
  EXPECT_EQ(Find("a", kNumIssuers - 1), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, AFileThatIsAddedOrChangedAtRunTimeServesAtOnce) {
  Write({Key(0, "a")});
  Write({Key(1, "b")}, "/etc/keys/other.json");
  Open({Inline("https://inline.example", {Key(3, "x")})});
  ASSERT_TRUE(store_->AddIssuer(FromFile()).ok());
  EXPECT_EQ(Find("a", *FindIssuer(kIssuer)), Reason::kNone);
  const KeyRef a = RefOf("a", *FindIssuer(kIssuer));
  IssuerConfig same = FromFile(), other = FromFile();
  same.leeway_s = 10;
  other.jwks_file = "/etc/keys/other.json";
  ASSERT_TRUE(store_->ChangeIssuer(same).ok());
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_EQ(Find("a", *FindIssuer(kIssuer)), Reason::kNone);
  ASSERT_TRUE(store_->ChangeIssuer(other).ok());
  EXPECT_EQ(Find("b", *FindIssuer(kIssuer)), Reason::kNone);
  EXPECT_NE(Find("a", *FindIssuer(kIssuer)), Reason::kNone);
  const KeyRef b = RefOf("b", *FindIssuer(kIssuer));
  ASSERT_TRUE(store_->RemoveIssuer(kIssuer).ok());
  EXPECT_FALSE(store_->IsCurrent(b));
  const int64_t reads = Reads();
  Pass(60'000);
  EXPECT_EQ(Reads(), reads);
}

TEST_F(KeyStoreSourcesTest, AFileIsInNoSnapshot) {
  Write({Key(0, "a")});
  Restart({FromFile(), Fetched("https://other.example")});
  Run();
  Answer(Ok({Key(1, "b")}));
  store_->RunSnapshot(now_ms_);
  Write({Key(0, "a"), Key(2, "c")});
  Fetch();
  EXPECT_EQ(Find("c"), Reason::kNone);
  now_ms_ += timing_.staleness_bound_ms / 6;
  store_->RunSnapshot(now_ms_);
  EXPECT_THAT(OnDisk(), HasSubstr("other.example"));
  EXPECT_THAT(OnDisk(), Not(HasSubstr("idp.example")));
  // What the snapshot has of another place is not what the file says.
  Restart({Fetched()});
  Run();
  Answer(Ok({Key(2, "old")}));
  store_->RunSnapshot(now_ms_);
  Restart({FromFile()});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_NE(Find("old"), Reason::kNone);
}

// --- Signed sets ---

TEST_F(KeyStoreSourcesTest, ASignedSetIsFetchedAndVerified) {
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}));
  Open({FromSigned()});
  Fetch();
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(Find(Voucher().kid(), 0, Algorithm::kEdDsa), Reason::kKeyPending);  // It is none of the set's.
  EXPECT_EQ(network_.requests()[0].body_bytes_max, limits::kSignedJwksBytesMax);
  network_.SetAnswer(kSigned, Status(304));
  Fetch();
  EXPECT_EQ(network_.requests()[1].if_none_match, "\"signed\"");
  EXPECT_EQ(FreshnessNow(), Freshness::kFresh);
}

TEST_F(KeyStoreSourcesTest, ASetThatIsNotSignedAsItMustBeNeverCounts) {
  const auto body = [](std::string text) {
    FakeAnswer answer;
    answer.body = std::move(text);
    return answer;
  };
  const std::string good = SignedText({Key(9, "new")});
  const std::vector<std::pair<std::string, FakeAnswer>> bad = {
      {"not signed", Ok({Key(9, "new")})},
      {"signed by another key",
       body(SignedText({Key(9, "new")}, json::object(), Voucher(1).WithKid(Voucher().kid())))},
      {"another issuer's", Signed({Key(9, "new")}, {{"iss", "https://other.example"}})},
      {"about another entity", Signed({Key(9, "new")}, {{"sub", "https://other.example"}})},
      {"over", Signed({Key(9, "new")}, {{"exp", 1'700'000'000}})},
      {"still to come", Signed({Key(9, "new")}, {{"iat", 1'900'000'000}})},
      {"truncated", body(good.substr(0, good.size() / 2))},
      {"without keys", Signed({})},
      {"without a member keys", Signed({}, {{"keys", nullptr}})},
      {"an access token", body(idp::Mint(Voucher(), {{"iss", kIssuer}, {"sub", kIssuer}}))},
  };
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}));
  Open({FromSigned()});
  Fetch();
  const KeyRef a = RefOf("a");
  for (const auto& [what, answer] : bad) {
    SCOPED_TRACE(what);
    network_.SetAnswer(kSigned, answer);
    const uint64_t failures = HealthNow().fetch_failures;
    Fetch();
    EXPECT_EQ(HealthNow().fetch_failures, failures + 1);
    EXPECT_EQ(RefOf("a"), a);
    EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
    EXPECT_THAT(HealthNow().last_error, Not(HasSubstr("new")));
  }
}

TEST_F(KeyStoreSourcesTest, AnOlderSignedSetDoesNotComeBack) {
  const int64_t now_s = WallS();
  const FakeAnswer old = Signed({Key(0, "a"), Key(1, "ended")}, {{"iat", now_s - 100}});
  network_.SetAnswer(kSigned, old);
  Restart({FromSigned()});
  Fetch();
  EXPECT_EQ(Find("ended"), Reason::kNone);
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}, {{"iat", now_s - 50}}));
  Fetch();
  EXPECT_NE(Find("ended"), Reason::kNone);
  for (const FakeAnswer& replayed : {old, Signed({Key(1, "ended")})}) {
    network_.SetAnswer(kSigned, replayed);
    Fetch();
    EXPECT_NE(Find("ended"), Reason::kNone);
    EXPECT_EQ(Find("a"), Reason::kNone);
    EXPECT_THAT(HealthNow().last_error, HasSubstr("older"));
  }
  // Nor after a restart, as long as the snapshot tells of the newer one.
  store_->RunSnapshot(now_ms_);
  network_.SetAnswer(kSigned, old);
  Restart({FromSigned()});
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  Fetch();
  EXPECT_NE(Find("ended"), Reason::kNone);
  EXPECT_EQ(Find("a"), Reason::kNone);
  network_.SetAnswer(kSigned, Signed({Key(0, "a"), Key(2, "c")}, {{"iat", now_s - 50}}));
  Fetch();
  EXPECT_EQ(Find("c"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, ASignedSetIsAskedForAgainBeforeItsEnd) {
  timing_.jitter_percent = 0;
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}, {{"exp", WallS() + 240}}));
  IssuerConfig config = FromSigned();
  config.leeway_s = 0;
  Open({config});
  Fetch();
  EXPECT_EQ(HealthNow().next_fetch_in_ms, 240'000);
  // The same once more is over by then, whoever says that it has not changed.
  network_.SetAnswer(kSigned, Status(304));
  Fetch();
  EXPECT_THAT(HealthNow().last_error, HasSubstr("exp is over"));
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
}

TEST_F(KeyStoreSourcesTest, ASnapshotOfASignedSetIsForWhatWasVouchedForAlone) {
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}));
  Restart({FromSigned()});
  Fetch();
  store_->RunSnapshot(now_ms_);
  network_.SetAnswer(kSigned, Broken(FetchOutcome::kUnreachable));
  Restart({FromSigned()});
  EXPECT_EQ(Snapshot().issuers_restored, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  Fetch();
  // It may be over: it is to come again as a whole.
  EXPECT_EQ(network_.requests().back().if_none_match, "");

  IssuerConfig plain = Fetched();
  plain.jwks_uri = kSigned;
  for (const IssuerConfig& other : {FromSigned(1), plain}) {
    Restart({other});
    EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
    EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  }
  // And a set that nobody vouched for is none of a signed place.
  network_.SetAnswer(kSigned, Ok({Key(0, "a")}));
  Restart({plain});
  Fetch();
  store_->RunSnapshot(now_ms_);
  Restart({FromSigned()});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSourcesTest, DiscoveryLeadsToTheSignedSetIfThereAreKeysForIt) {
  IssuerConfig config = FromSigned();
  config.signed_jwks_uri = "";
  config.discovery = true;
  FakeAnswer metadata;
  metadata.body = json{{"issuer", kIssuer}, {"jwks_uri", kFirst}, {"signed_jwks_uri", kSigned}}.dump();
  network_.SetAnswer("https://idp.example/.well-known/oauth-authorization-server", metadata);
  network_.SetAnswer(kFirst, Ok({Key(1, "plain")}));
  network_.SetAnswer(kSigned, Signed({Key(0, "a")}));
  Restart({config});
  Fetch();
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(Find("plain"), Reason::kKeyPending);
  EXPECT_THAT(Asked(), ElementsAre(HasSubstr(".well-known"), kSigned));
  store_->RunSnapshot(now_ms_);
  Restart({config});
  EXPECT_EQ(Find("a"), Reason::kNone);

  // A document without it leads nowhere, nor does one that leads elsewhere.
  for (const json& value : {json(nullptr), json("https://evil.example/signed_jwks"), json(7)}) {
    json document = {{"issuer", kIssuer}, {"jwks_uri", kFirst}, {"signed_jwks_uri", value}};
    if (value.is_null()) document.erase("signed_jwks_uri");
    metadata.body = document.dump();
    network_.SetAnswer("https://idp.example/.well-known/oauth-authorization-server", metadata);
    Open({config});
    Asked();
    Fetch();
    EXPECT_THAT(Asked(), ElementsAre(HasSubstr(".well-known")));
    EXPECT_THAT(HealthNow().last_error, HasSubstr("signed_jwks_uri"));
  }
}

// --- Places to fall back on ---

TEST_F(KeyStoreSourcesTest, PlacesAreTriedInOrderWithinOneFetch) {
  files_.Put(kFile, {.bytes = "garbage"});
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer("https://second.example/jwks", Ok({}));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({WithFallbacks(
      {{.jwks_uri = "https://second.example/jwks"}, {.jwks_file = kFile}, {.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(kFirst, "https://second.example/jwks", kMirror));
  EXPECT_EQ(Find("a"), Reason::kNone);
  IssuerHealth health = HealthNow();
  EXPECT_EQ(health.fetches, 1u);
  EXPECT_EQ(health.fetch_failures, 0u);
  EXPECT_EQ(health.consecutive_failures, 0u);
  EXPECT_EQ(health.key_place, 3u);
  EXPECT_THAT(health.last_error, StartsWith("the server answered with status 500; fallbacks[0]: "));
  EXPECT_THAT(health.last_error, HasSubstr("fallbacks[1]: JWK Set: "));
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);
  EXPECT_THAT(settled_, ElementsAre(0u));

  // The next fetch begins at the first place again, as soon as any refresh may.
  EXPECT_LE(health.next_fetch_in_ms, timing_.refresh_min_ms * 12 / 10);
  EXPECT_GE(health.next_fetch_in_ms, timing_.refresh_min_ms * 8 / 10);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(kFirst));
  health = HealthNow();
  EXPECT_EQ(health.key_place, 0u);
  EXPECT_EQ(health.last_error, "");
  EXPECT_EQ(health.freshness, Freshness::kFresh);
  EXPECT_GT(health.next_fetch_in_ms, timing_.refresh_min_ms * 12 / 10);
}

TEST_F(KeyStoreSourcesTest, AFetchHasFailedWhenAllPlacesHave) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Broken(FetchOutcome::kUnresolved));
  Open({WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}})});
  Fetch();
  EXPECT_EQ(Find("a"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetches, 1u);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_EQ(HealthNow().consecutive_failures, 1u);
  EXPECT_THAT(HealthNow().last_error, HasSubstr("fallbacks[1]: the file: "));
  EXPECT_LE(HealthNow().next_fetch_in_ms, timing_.backoff_min_ms);
  Fetch();
  EXPECT_EQ(HealthNow().consecutive_failures, 2u);
}

TEST_F(KeyStoreSourcesTest, APlaceThatDoesNotAnswerLeavesTimeForTheOthers) {
  network_.SetAnswer(kMirror, std::nullopt);
  Open({WithFallbacks(
      {{.jwks_uri = kMirror}, {.jwks_file = kFile}, {.jwks_uri = "https://third.example/jwks"}})});
  Run();
  std::vector<FetchRequest> asked = network_.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_EQ(asked[0].timeout_ms, 1'666u);
  now_ms_ += 1'666;
  Answer(Broken(FetchOutcome::kTimedOut));
  asked = network_.requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_EQ(asked[1].url, kMirror);
  EXPECT_EQ(asked[1].timeout_ms, 1'667u);
  // What one does not need is there for the next.
  now_ms_ += 100;
  Answer(Status(404));
  asked = network_.requests();
  ASSERT_EQ(asked.size(), 3u);
  EXPECT_EQ(asked[2].timeout_ms, 3'234u);
  now_ms_ += 3'234;
  Answer(Broken(FetchOutcome::kTimedOut));
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
}

TEST_F(KeyStoreSourcesTest, MetadataThatLeadsNowhereIsAPlaceThatFailed) {
  IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  config.jwks_uri = "";
  config.discovery = true;
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({config});
  Run();
  EXPECT_EQ(network_.requests()[0].timeout_ms, 2'500u);
  now_ms_ += 500;
  FakeAnswer metadata;
  metadata.body = json{{"issuer", kIssuer}, {"jwks_uri", kFirst}}.dump();
  Answer(metadata);
  EXPECT_EQ(network_.requests()[1].timeout_ms, 2'000u);
  Answer(Status(503));
  Run();
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(network_.requests()[2].timeout_ms, 4'500u);
  Asked();
  // The metadata is read anew by the next fetch, as after any failure.
  network_.SetAnswer("https://idp.example/.well-known/oauth-authorization-server", Status(500));
  Fetch();
  EXPECT_THAT(Asked(), ElementsAre(HasSubstr(".well-known"), kMirror));
  EXPECT_EQ(HealthNow().key_place, 1u);
}

TEST_F(KeyStoreSourcesTest, EachPlaceIsAskedByTheBucketOfItsHost) {
  timing_.host_burst = 1;
  timing_.host_interval_ms = 10'000;
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  IssuerConfig at_mirror;
  at_mirror.issuer = "https://mirror.example";
  at_mirror.jwks_uri = "https://mirror.example/own";
  network_.SetAnswer(at_mirror.jwks_uri, Ok({Key(1, "b")}));
  Open({at_mirror, WithFallbacks({{.jwks_uri = kMirror}})});
  Run();
  EXPECT_THAT(Asked(), ElementsAre(at_mirror.jwks_uri, kFirst));
  EXPECT_EQ(Find("a", 1), Reason::kKeysNeverFetched);
  // The time in the line is not the fetch's.
  Pass(9'999);
  EXPECT_THAT(Asked(), IsEmpty());
  Pass(2);
  EXPECT_THAT(Asked(), ElementsAre(kMirror));
  EXPECT_EQ(Find("a", 1), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, AnEntityTagGoesBackToThePlaceThatTheSetCameFromAlone) {
  const auto with_tag = [this](const std::string& url) {
    for (const FetchRequest& request : network_.requests()) {
      if (request.url == url) last_tag_ = request.if_none_match;
    }
    return last_tag_;
  };
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}, "\"first\""));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}, "\"mirror\""));
  Fetch();
  EXPECT_EQ(with_tag(kFirst), "\"first\"");
  EXPECT_EQ(with_tag(kMirror), "");
  network_.SetAnswer(kMirror, Status(304));
  Fetch();
  EXPECT_EQ(with_tag(kFirst), "");
  EXPECT_EQ(with_tag(kMirror), "\"mirror\"");
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_EQ(HealthNow().fetch_failures, 0u);
  // "Not modified" by the first place is no word about the mirror's set.
  network_.SetAnswer(kFirst, Status(304));
  network_.SetAnswer(kMirror, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
}

TEST_F(KeyStoreSourcesTest, APlaceDoesNotBringBackAKeyThatAnEarlierOneHasEnded) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  // Under another kid it is the same key.
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended"), Key(1, "again"), Key(2, "c")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(HealthNow().num_keys_skipped, 2u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(Find("c"), Reason::kNone);
  EXPECT_EQ(Find("ended"), Reason::kKeyPending);
  EXPECT_EQ(Find("again"), Reason::kKeyPending);
  // Nor does a set that has nothing else count.
  network_.SetAnswer(kMirror, Ok({Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  // What the first place lists again is none that has ended.
  network_.SetAnswer(kFirst, Ok({Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(Find("ended"), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, TheFirstPlaceEndsWhatAnotherHasBrought) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "mirrored")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_EQ(Find("mirrored"), Reason::kNone);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_NE(Find("mirrored"), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("mirrored"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, APlaceMayBringBackWhatNoEarlierOneHasEnded) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}})});
  Fetch();
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_NE(Find("b"), Reason::kNone);
  // Not so the place behind it.
  network_.SetAnswer(kMirror, Status(500));
  Write({Key(0, "a"), Key(1, "b")});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_NE(Find("b"), Reason::kNone);
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "b")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_EQ(Find("b"), Reason::kNone);
}

// A place that answers in between makes no difference.
TEST_F(KeyStoreSourcesTest, AKeyThatBothPlacesHaveEndedIsEndedByTheFirst) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, WhereMoreKeysHaveEndedThanAreRememberedOthersAreNotTrusted) {
  const json kept = Key(0, "a");
  const auto other = [](size_t n) { return idp::TestKey("EdDSA", static_cast<int>(n)).PublicJwk(); };
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  for (size_t i = 0; i < limits::kEndedKeysMax; ++i) {
    network_.SetAnswer(kFirst, Ok({kept, other(i)}));
    Fetch();
  }
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({kept}));
  Fetch();
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);  // As many as fit.
  network_.SetAnswer(kFirst, Ok({kept, other(limits::kEndedKeysMax)}));
  Fetch();
  network_.SetAnswer(kFirst, Ok({kept}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 0u);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  EXPECT_THAT(HealthNow().last_error, HasSubstr("remembered"));
}

// A mirror may lag: that it lacks a key is no reason to throw a token away.
TEST_F(KeyStoreSourcesTest, AnotherPlaceDoesNotSettleThatAKidIsAbsent) {
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({WithFallbacks({{.jwks_uri = kMirror}})});
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyPending);
  Fetch();
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyPending);
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  EXPECT_EQ(Find("new"), Reason::kKeyUnknown);
}

TEST_F(KeyStoreSourcesTest, AnAbsentKidAsksTheNetworkOnceInACooldownEvenIfTheFirstPlaceIsAFile) {
  IssuerConfig config = FromFile();
  config.fallbacks = {{.jwks_uri = kMirror}};
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}));
  Open({config});
  const int64_t begin_ms = now_ms_;
  for (int i = 0; i < 600'000; i += 20) {
    Find("forged-" + std::to_string(i));
    Run();
    now_ms_ += 20;
  }
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_LE(Requests(), 1 + (now_ms_ - begin_ms) / (timing_.refresh_min_ms * 8 / 10));
  EXPECT_GE(Requests(), 5);
  // Back at the file, it is looked at in short intervals again.
  Write({Key(0, "a")});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 0u);
  EXPECT_LE(HealthNow().next_fetch_in_ms, timing_.file_interval_ms * 12 / 10);
  const size_t requests = network_.num_requests();
  Pass(3'600'000);
  EXPECT_EQ(network_.num_requests(), requests);
}

TEST_F(KeyStoreSourcesTest, AChangeThatLeavesThePlacesKeepsTheKeysAndWhatHasEnded) {
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  Open({config});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}, "\"v\""));
  Fetch();
  config.leeway_s = 10;
  ASSERT_TRUE(store_->ChangeIssuer(config).ok());
  const uint32_t position = *FindIssuer(kIssuer);
  EXPECT_EQ(Find("a", position), Reason::kNone);
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_NE(Find("ended", position), Reason::kNone);
  EXPECT_EQ(Find("a", position), Reason::kNone);

  config.fallbacks[0].jwks_uri = "https://mirror.example/other";
  ASSERT_TRUE(store_->ChangeIssuer(config).ok());
  EXPECT_EQ(Find("a", *FindIssuer(kIssuer)), Reason::kKeysNeverFetched);
}

TEST_F(KeyStoreSourcesTest, ASnapshotSaysWhichPlaceItsKeysAreFrom) {
  const IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}, {.jwks_file = kFile}});
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a")}, "\"mirror\""));
  Restart({config});
  Fetch();
  store_->RunSnapshot(now_ms_);
  Restart({config});
  EXPECT_EQ(Find("a"), Reason::kNone);
  EXPECT_EQ(HealthNow().key_place, 1u);
  EXPECT_TRUE(HealthNow().from_snapshot);
  network_.SetAnswer(kMirror, Status(304));
  Fetch();
  EXPECT_EQ(network_.requests().back().if_none_match, "\"mirror\"");
  EXPECT_EQ(FreshnessNow(), Freshness::kDegraded);

  network_.SetAnswer(kMirror, Status(500));
  Write({Key(1, "b")});
  Fetch();
  store_->RunSnapshot(now_ms_);
  ASSERT_TRUE(files_.Remove(kFile).ok());
  Restart({config});
  EXPECT_EQ(Find("b"), Reason::kNone);
  EXPECT_EQ(HealthNow().key_place, 2u);
  Restart({WithFallbacks({{.jwks_uri = kMirror}})});
  EXPECT_EQ(Snapshot().issuers_source_changed, 1u);
}

TEST_F(KeyStoreSourcesTest, ASnapshotDoesNotBringBackAKeyThatHasEnded) {
  const IssuerConfig config = WithFallbacks({{.jwks_uri = kMirror}});
  network_.SetAnswer(kFirst, Ok({Key(0, "a"), Key(1, "ended")}));
  Restart({config});
  Fetch();
  network_.SetAnswer(kFirst, Ok({Key(0, "a")}));
  Fetch();
  network_.SetAnswer(kFirst, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(0, "a"), Key(1, "ended")}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 1u);
  now_ms_ += timing_.staleness_bound_ms / 2;
  store_->RunSnapshot(now_ms_);
  EXPECT_THAT(OnDisk(), Not(HasSubstr("ended")));
  Restart({config});
  EXPECT_NE(Find("ended"), Reason::kNone);
}

TEST_F(KeyStoreSourcesTest, FallbacksOfASignedPlaceAreSignedToo) {
  IssuerConfig config = FromSigned();
  config.fallbacks = {{.jwks_uri = kMirror}, {.jwks_file = kFile}};
  network_.SetAnswer(kSigned, Status(500));
  network_.SetAnswer(kMirror, Ok({Key(1, "plain")}));
  Write({Key(1, "plain")});
  Open({config});
  Fetch();
  EXPECT_EQ(Find("plain"), Reason::kKeysNeverFetched);
  EXPECT_EQ(HealthNow().fetch_failures, 1u);
  files_.Put(kFile, {.bytes = SignedText({Key(0, "a")}, {{"iat", WallS() - 50}})});
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_EQ(Find("a"), Reason::kNone);
  // An older one is refused, whichever place it comes from.
  network_.SetAnswer(kMirror, Signed({Key(1, "older")}, {{"iat", WallS() - 500}}));
  Fetch();
  EXPECT_EQ(HealthNow().key_place, 2u);
  EXPECT_NE(Find("older"), Reason::kNone);
}

}  // namespace
}  // namespace tollgate::keys
