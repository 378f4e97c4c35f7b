// Where keys come from beside one URL: files, and signed sets.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/limits.h"
#include "tests/keys/sources_fixture.h"

namespace tollgate::keys {
namespace {

using nlohmann::json;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

using KeyStoreSourcesTest = SourcesStoreTest;

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

}  // namespace
}  // namespace tollgate::keys
