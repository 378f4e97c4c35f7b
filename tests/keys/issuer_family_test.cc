// Templated issuers: one fetch for all tenants, and for each only the keys that are its own.

#include "keys/issuer_family.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/tenants.h"
#include "keys/key_store.h"
#include "tests/keys/store_fixture.h"

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

constexpr char kTemplate[] = "https://login.example/{tenantid}/v2.0";
constexpr char kKeysAt[] = "https://login.example/common/discovery/v2.0/keys";

std::string NameOf(std::string_view tenant) { return ForTenant(kTemplate, tenant); }

// The n-th test key, for the tokens of `issuer`.
nlohmann::json KeyFor(std::string_view issuer, int n, std::string_view kid) {
  nlohmann::json jwk = Key(n, kid);
  jwk["issuer"] = issuer;
  return jwk;
}

IssuerConfig Family(std::vector<std::string> tenants) {
  IssuerConfig config;
  config.issuer = kTemplate;
  config.tenants = std::move(tenants);
  config.jwks_uri = kKeysAt;
  return config;
}

std::vector<std::string> Tenants(size_t count, size_t first = 0) {
  std::vector<std::string> tenants;
  for (size_t i = first; i < first + count; ++i) tenants.push_back("tenant-" + std::to_string(i));
  return tenants;
}

class IssuerFamilyTest : public StoreTest {
 protected:
  void OpenFamily(const std::vector<std::string>& tenants, const FakeAnswer& answer) {
    Open({Family(tenants)});
    Run();
    Answer(answer);
  }
  // Enough turns for a fetch of several requests, each of which may have to wait for its turn.
  void RunTurns() {
    for (int turn = 0; turn < 8; ++turn, now_ms_ += timing_.host_interval_ms) Run();
  }
  // The next refresh, whenever it is due, is answered so.
  void Refresh(const FakeAnswer& answer) {
    now_ms_ += HealthNow().next_fetch_in_ms;
    Run();
    ASSERT_EQ(network_.pending().size(), 1u);
    Answer(answer);
  }
  absl::Status Change(const IssuerConfig& config) {
    return store_->ChangeIssuer(
        config,
        [this](uint32_t position, std::string_view tenant) {
          prepared_.emplace_back(tenant);
          EXPECT_FALSE(store_->StandingAt(position, now_ms_).ever_good);
        },
        [this](uint32_t position) { released_.push_back(position); });
  }
  // By the tenant's id; UINT32_MAX: it is not found.
  uint32_t At(std::string_view tenant) { return FindIssuer(NameOf(tenant)).value_or(UINT32_MAX); }

  std::vector<std::string> prepared_;
  std::vector<uint32_t> released_;
};

TEST_F(IssuerFamilyTest, OneFetchBringsTheKeysOfAllTenants) {
  Open({Family({"a", "b"})});
  EXPECT_EQ(FindIssuer(kTemplate), std::nullopt);
  ASSERT_EQ(At("a"), 1u);
  ASSERT_EQ(At("b"), 2u);
  EXPECT_EQ(Find("k", 1), Reason::kKeysNeverFetched);
  EXPECT_TRUE(store_->WaitsForFetch(1));
  Run();
  ASSERT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(network_.requests()[0].url, kKeysAt);
  Answer(Ok({KeyFor(kTemplate, 0, "k")}));
  EXPECT_THAT(settled_, UnorderedElementsAre(0, 1, 2));
  for (const uint32_t tenant : {1u, 2u}) {
    EXPECT_EQ(Find("k", tenant), Reason::kNone);
    uint32_t issuer;
    EXPECT_TRUE(store_->IsCurrent(RefOf("k", tenant), &issuer));
    EXPECT_EQ(issuer, tenant);
    EXPECT_EQ(store_->StandingAt(tenant, now_ms_).freshness, Freshness::kFresh);
  }
  EXPECT_NE(RefOf("k", 1), RefOf("k", 2));
}

TEST_F(IssuerFamilyTest, AKeyServesTheTenantThatItNamesOrAllAndWithoutANameNobody) {
  const auto set =
      Ok({KeyFor(kTemplate, 0, "of-all"), KeyFor(NameOf("a"), 1, "of-a"), KeyFor(NameOf("b"), 2, "of-b"),
          KeyFor(NameOf("c"), 3, "of-c"), Key(4, "nobodys"), KeyFor("", 5, "empty"),
          KeyFor("https://other.example/{tenantid}/v2.0", 6, "another-template"),
          KeyFor("https://login.example/a/b/v2.0", 7, "no-id"),
          KeyFor("https://login.example//v2.0", 8, "no-tenant")});
  OpenFamily({"a", "b"}, set);
  const auto found = [this](uint32_t tenant) {
    std::vector<std::string> kids;
    for (const char* kid :
         {"of-all", "of-a", "of-b", "of-c", "nobodys", "empty", "another-template", "no-id", "no-tenant"}) {
      if (Find(kid, tenant) == Reason::kNone) kids.emplace_back(kid);
    }
    return kids;
  };
  EXPECT_THAT(found(At("a")), ElementsAre("of-all", "of-a"));
  EXPECT_THAT(found(At("b")), ElementsAre("of-all", "of-b"));
  EXPECT_EQ(HealthNow().num_keys, 4u);  // That of "c" too, who may yet come.
  EXPECT_EQ(HealthNow().num_keys_skipped, 5u);
  // Somebody else's kid is as unknown as one that is nobody's: it is asked for once.
  EXPECT_EQ(Find("of-b", At("a")), Reason::kKeyPending);
  now_ms_ += timing_.cooldown_ms;
  Run();
  Answer(set);
  EXPECT_EQ(Find("of-b", At("a")), Reason::kKeyUnknown);
  EXPECT_EQ(Find("of-b", At("b")), Reason::kNone);
}

TEST_F(IssuerFamilyTest, ASetOfWhichNoKeyIsTheFamilysIsNoGoodAnswer) {
  OpenFamily({"a"}, Ok({KeyFor(kTemplate, 0, "k")}));
  Refresh(Ok({Key(1, "x"), KeyFor("https://other.example", 2, "y")}));
  EXPECT_EQ(Find("k", 1), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kDegraded);
  EXPECT_EQ(HealthNow().last_error, "no usable key, 2 skipped");
}

TEST_F(IssuerFamilyTest, AKeyThatGoesEndsForAllTenants) {
  OpenFamily(Tenants(50), Ok({KeyFor(kTemplate, 0, "goes"), KeyFor(kTemplate, 1, "stays")}));
  std::vector<KeyRef> gone, stay;
  for (uint32_t tenant = 1; tenant <= 50; ++tenant) {
    gone.push_back(RefOf("goes", tenant));
    stay.push_back(RefOf("stays", tenant));
  }
  Refresh(Ok({KeyFor(kTemplate, 1, "stays")}));
  for (const KeyRef ref : gone) EXPECT_FALSE(store_->IsCurrent(ref));
  for (uint32_t tenant = 1; tenant <= 50; ++tenant) {
    EXPECT_EQ(RefOf("stays", tenant), stay[tenant - 1]);  // What is cached of it stays good.
    EXPECT_TRUE(store_->IsCurrent(stay[tenant - 1]));
    EXPECT_NE(Find("goes", tenant), Reason::kNone);
  }
}

TEST_F(IssuerFamilyTest, AKeyThatBecomesAnothersEndsForWhoHadIt) {
  OpenFamily({"a", "b"}, Ok({KeyFor(NameOf("a"), 0, "k")}));
  const KeyRef before = RefOf("k", At("a"));
  EXPECT_NE(Find("k", At("b")), Reason::kNone);
  Refresh(Ok({KeyFor(NameOf("b"), 0, "k")}));
  EXPECT_FALSE(store_->IsCurrent(before));
  EXPECT_NE(Find("k", At("a")), Reason::kNone);
  EXPECT_EQ(Find("k", At("b")), Reason::kNone);
}

TEST_F(IssuerFamilyTest, AThousandTenantsCostAsManyFetchesAsOneIssuer) {
  const auto fetches = [this](const IssuerConfig& config) {
    const size_t before = network_.num_requests();
    network_.SetAnswer(config.jwks_uri, Ok({KeyFor(kTemplate, 0, "k")}));
    now_ms_ = 1'000'000;
    Open({config});
    RunUntil(now_ms_ + 2 * 3'600'000);
    return network_.num_requests() - before;
  };
  const size_t of_one = fetches(Fetched());
  EXPECT_GE(of_one, 8u);
  EXPECT_EQ(fetches(Family(Tenants(1000))), of_one);
  for (uint32_t tenant = 1; tenant <= 1000; ++tenant) ASSERT_EQ(Find("k", tenant), Reason::kNone);
}

TEST_F(IssuerFamilyTest, AbsentKidsOfAllTenantsForceOneFetchInACooldown) {
  const FakeAnswer set = Ok({KeyFor(kTemplate, 0, "k")});
  OpenFamily(Tenants(1000), set);
  network_.SetAnswer(kKeysAt, set);
  for (uint32_t tenant = 1; tenant <= 1000; ++tenant) {
    ASSERT_EQ(Find("x" + std::to_string(tenant % 100), tenant), Reason::kKeyPending);
    Run();
  }
  EXPECT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(wakes_, 1);
  now_ms_ += timing_.cooldown_ms;
  Run();
  EXPECT_EQ(network_.num_requests(), 2u);
  // What one tenant was told, all know.
  for (uint32_t tenant = 1; tenant <= 1000; ++tenant) {
    ASSERT_EQ(Find("x" + std::to_string((tenant + 7) % 100), tenant), Reason::kKeyUnknown);
    Run();
  }
  EXPECT_EQ(network_.num_requests(), 2u);
}

TEST_F(IssuerFamilyTest, TenantsKeysAgeAsTheFamilysDo) {
  OpenFamily({"a", "b"}, Ok({KeyFor(kTemplate, 0, "k")}));
  const int64_t good_ms = now_ms_;
  network_.SetAnswer(kKeysAt, Status(500));
  now_ms_ += HealthNow().next_fetch_in_ms;
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kStale);
  ExpectIsFreshAgrees(1);
  Run();
  for (const uint32_t tenant : {1u, 2u}) {
    EXPECT_EQ(Find("k", tenant), Reason::kNone);
    EXPECT_EQ(store_->StandingAt(tenant, now_ms_).freshness, Freshness::kDegraded);
    EXPECT_EQ(store_->StandingAt(tenant, now_ms_).age_ms, now_ms_ - good_ms);
    EXPECT_GT(store_->StandingAt(tenant, now_ms_).retry_after_ms, 0);
  }
  now_ms_ = good_ms + timing_.staleness_bound_ms;
  EXPECT_EQ(Find("k", 2), Reason::kNone);
  now_ms_ += 1;
  EXPECT_EQ(Find("k", 2), Reason::kKeysTooStale);
  network_.SetAnswer(kKeysAt, Ok({KeyFor(kTemplate, 0, "k")}));
  RunUntil(now_ms_ + timing_.backoff_cap_ms);
  EXPECT_EQ(Find("k", 1), Reason::kNone);
  EXPECT_EQ(Find("k", 2), Reason::kNone);
}

TEST_F(IssuerFamilyTest, WhileAFetchIsUnderWayTenantsAreStaleAndServe) {
  OpenFamily({"a"}, Ok({KeyFor(kTemplate, 0, "k")}));
  now_ms_ += HealthNow().next_fetch_in_ms;
  Run();
  ASSERT_EQ(network_.pending().size(), 1u);
  EXPECT_EQ(Find("k", 1), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kStale);
  Answer(Ok({KeyFor(kTemplate, 0, "k")}));
  EXPECT_EQ(store_->StandingAt(1, now_ms_).freshness, Freshness::kFresh);
  ExpectIsFreshAgrees(1);
}

TEST_F(IssuerFamilyTest, AChangeOfTheListEndsWhoGoesKeepsWhoStaysAndServesWhoComesWithoutAFetch) {
  config_.issuers_max = 3;  // The template and two: who stays has the room of who goes.
  OpenFamily({"goes", "stays"}, Ok({KeyFor(kTemplate, 0, "k"), KeyFor(NameOf("comes"), 1, "its")}));
  const KeyRef went = RefOf("k", At("goes")), stayed = RefOf("k", At("stays"));
  settled_.clear();
  ASSERT_TRUE(Change(Family({"stays", "comes"})).ok());
  EXPECT_THAT(prepared_, ElementsAre("stays", "comes"));
  EXPECT_THAT(released_, UnorderedElementsAre(1, 2));
  EXPECT_EQ(FindIssuer(NameOf("goes")), std::nullopt);
  EXPECT_FALSE(store_->IsCurrent(went));
  EXPECT_FALSE(store_->IsCurrent(stayed));  // It was verified before the change.
  EXPECT_EQ(Find("k", At("stays")), Reason::kNone);
  EXPECT_EQ(Find("k", At("comes")), Reason::kNone);
  EXPECT_EQ(Find("its", At("comes")), Reason::kNone);
  EXPECT_EQ(store_->StandingAt(At("comes"), now_ms_).freshness, Freshness::kFresh);
  EXPECT_EQ(network_.num_requests(), 1u);
  Run();
  EXPECT_EQ(network_.num_requests(), 1u);
  EXPECT_EQ(store_->num_issuers(), 3u);
  EXPECT_THAT(HealthNow().tenant_positions, UnorderedElementsAre(At("stays"), At("comes")));
  // The list is full, and what comes next still needs no room of its own.
  for (int i = 0; i < 2'000; ++i) ASSERT_TRUE(Change(Family({"stays", i % 2 == 0 ? "x" : "y"})).ok()) << i;
  EXPECT_EQ(Find("k", At("y")), Reason::kNone);
  EXPECT_EQ(Change(Family({"stays", "x", "y"})).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(Find("k", At("y")), Reason::kNone);
  EXPECT_EQ(network_.num_requests(), 1u);
}

TEST_F(IssuerFamilyTest, AChangeOfThePlaceKeepsTheTenantsAndNoKey) {
  OpenFamily({"a", "b"}, Ok({KeyFor(kTemplate, 0, "k")}));
  const KeyRef before = RefOf("k", At("a"));
  IssuerConfig moved = Family({"a", "b"});
  moved.jwks_uri = "https://login.example/elsewhere";
  ASSERT_TRUE(Change(moved).ok());
  EXPECT_FALSE(store_->IsCurrent(before));
  EXPECT_EQ(Find("k", At("a")), Reason::kKeysNeverFetched);
  Run();
  EXPECT_EQ(network_.requests().back().url, moved.jwks_uri);
  Answer(Ok({KeyFor(kTemplate, 1, "new")}));
  EXPECT_EQ(Find("new", At("b")), Reason::kNone);
  // Under another name for the same keys, others of the old answer would count.
  IssuerConfig renamed = moved;
  renamed.profile.key_issuer = "https://keys.example/{tenantid}";
  ASSERT_TRUE(Change(renamed).ok());
  EXPECT_EQ(Find("new", At("b")), Reason::kKeysNeverFetched);
}

TEST_F(IssuerFamilyTest, AnAnswerToTheFamilyBeforeAChangeIsNobodys) {
  Open({Family({"a"})});
  Run();
  ASSERT_TRUE(Change(Family({"a", "b"})).ok());
  Run();
  ASSERT_EQ(network_.pending().size(), 2u);
  Answer(Ok({KeyFor(kTemplate, 0, "old")}));
  EXPECT_EQ(Find("old", At("a")), Reason::kKeysNeverFetched);
  Answer(Ok({KeyFor(kTemplate, 1, "new")}));
  EXPECT_EQ(Find("new", At("a")), Reason::kNone);
  EXPECT_EQ(Find("new", At("b")), Reason::kNone);
}

TEST_F(IssuerFamilyTest, ARemovedFamilyTakesAllItsTenantsWithIt) {
  Open({Fetched(), Family({"a", "b"})});
  network_.SetAnswer("https://idp.example/jwks", Ok({Key(0, "mine")}));
  network_.SetAnswer(kKeysAt, Ok({KeyFor(kTemplate, 0, "k")}));
  Run();
  ASSERT_EQ(At("a"), 2u);
  const KeyRef a = RefOf("k", 2), b = RefOf("k", 3);
  settled_.clear();
  ASSERT_TRUE(store_->RemoveIssuer(kTemplate, [this](uint32_t at) { released_.push_back(at); }).ok());
  EXPECT_THAT(settled_, UnorderedElementsAre(1, 2, 3));
  EXPECT_THAT(released_, UnorderedElementsAre(2, 3));
  EXPECT_EQ(At("a"), UINT32_MAX);
  EXPECT_FALSE(store_->IsCurrent(a));
  EXPECT_FALSE(store_->IsCurrent(b));
  EXPECT_EQ(store_->num_issuers(), 1u);
  const size_t requests = network_.num_requests();
  RunUntil(now_ms_ + 3'600'000);
  for (size_t i = requests; i < network_.num_requests(); ++i) EXPECT_NE(network_.requests()[i].url, kKeysAt);
  EXPECT_EQ(store_->RemoveIssuer(kTemplate).code(), absl::StatusCode::kNotFound);
  // And comes back with new generations.
  ASSERT_TRUE(store_->AddIssuer(Family({"b"})).ok());
  Run();
  EXPECT_EQ(Find("k", At("b")), Reason::kNone);
  EXPECT_FALSE(store_->IsCurrent(b));
  EXPECT_EQ(At("a"), UINT32_MAX);
}

TEST_F(IssuerFamilyTest, AFamilyThatIsAddedCountsAsItsTenantsAndItself) {
  config_.issuers_max = 4;
  Open({Fetched()});
  EXPECT_EQ(store_->AddIssuer(Family({"a", "b", "c"})).code(), absl::StatusCode::kResourceExhausted);
  EXPECT_EQ(At("a"), UINT32_MAX);
  ASSERT_TRUE(store_
                  ->AddIssuer(Family({"a", "b"}),
                              [this](uint32_t, std::string_view tenant) { prepared_.emplace_back(tenant); })
                  .ok());
  EXPECT_THAT(prepared_, ElementsAre("a", "b"));
  EXPECT_EQ(store_->AddIssuer(Fetched("https://x.example")).code(), absl::StatusCode::kResourceExhausted);
  ASSERT_TRUE(Change(Fetched()).ok());
  EXPECT_EQ(store_->num_issuers(), 4u);
}

TEST_F(IssuerFamilyTest, ATenantsNameIsNobodyElses) {
  EXPECT_THAT(std::string(TryOpen({Family({"a"}), Fetched(NameOf("a"))}).message()),
              HasSubstr("is named twice"));
  EXPECT_THAT(std::string(TryOpen({Fetched(NameOf("b")), Family({"a", "b"})}).message()),
              HasSubstr("issuers[1].issuer: is named twice"));
  OpenFamily({"a"}, Ok({KeyFor(kTemplate, 0, "k")}));
  EXPECT_EQ(store_->AddIssuer(Fetched(NameOf("a"))).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->AddIssuer(Family({"b"})).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(store_->ChangeIssuer(Fetched(NameOf("a"))).code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(store_->RemoveIssuer(NameOf("a")).code(), absl::StatusCode::kInvalidArgument);
  ASSERT_TRUE(store_->AddIssuer(Fetched(NameOf("b"))).ok());
  EXPECT_EQ(Change(Family({"a", "b"})).code(), absl::StatusCode::kAlreadyExists);
  IssuerConfig crossing = Family({"v2.0"});
  crossing.issuer = "https://login.example/a/{tenantid}";
  EXPECT_EQ(store_->AddIssuer(crossing).code(), absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(Find("k", At("a")), Reason::kNone);
  EXPECT_THAT(prepared_, IsEmpty());
}

TEST_F(IssuerFamilyTest, ConfiguredKeysAreSharedOutTheSameWay) {
  IssuerConfig config = Family({"a", "b"});
  config.jwks_uri.clear();
  config.jwks = SetText({KeyFor(kTemplate, 0, "of-all"), KeyFor(NameOf("b"), 1, "of-b"), Key(2, "nobodys")});
  Open({config});
  EXPECT_EQ(Find("of-all", At("a")), Reason::kNone);
  EXPECT_EQ(Find("of-b", At("a")), Reason::kKeyUnknown);
  EXPECT_EQ(Find("of-b", At("b")), Reason::kNone);
  EXPECT_EQ(Find("nobodys", At("b")), Reason::kKeyUnknown);
  EXPECT_EQ(store_->StandingAt(At("b"), now_ms_).freshness, Freshness::kFresh);
  EXPECT_EQ(Run(), INT64_MAX);
  config.tenants = {"b", "c"};
  ASSERT_TRUE(Change(config).ok());
  EXPECT_EQ(Find("of-all", At("c")), Reason::kNone);
  ASSERT_TRUE(Change(Family({"c"})).ok());
  EXPECT_EQ(Find("of-all", At("c")), Reason::kKeysNeverFetched);
  config.jwks = SetText({Key(2, "nobodys")});
  EXPECT_THAT(std::string(Change(config).message()), HasSubstr("issuer.jwks: has no usable key"));
}

TEST_F(IssuerFamilyTest, KeysMayNameTheTenantByAnotherTemplate) {
  IssuerConfig v1 = Family({"a", "b"});
  v1.issuer = "https://sts.example/{tenantid}/";
  v1.profile = Profile::EntraV1();
  v1.profile.key_issuer = kTemplate;
  Open({v1});
  Run();
  Answer(Ok(
      {KeyFor(kTemplate, 0, "of-all"), KeyFor(NameOf("b"), 1, "of-b"), KeyFor(v1.issuer, 2, "by-its-name")}));
  const uint32_t a = *FindIssuer("https://sts.example/a/"), b = *FindIssuer("https://sts.example/b/");
  EXPECT_EQ(Find("of-all", a), Reason::kNone);
  EXPECT_NE(Find("of-b", a), Reason::kNone);
  EXPECT_EQ(Find("of-b", b), Reason::kNone);
  EXPECT_NE(Find("by-its-name", b), Reason::kNone);
  EXPECT_EQ(HealthNow().num_keys_skipped, 1u);
}

TEST_F(IssuerFamilyTest, IsDiscoveredAtOneTenantsPlaceByADocumentThatSaysTheTemplate) {
  IssuerConfig config = Family({"a"});
  config.jwks_uri.clear();
  config.discovery = true;
  config.metadata_tenant = "organizations";
  const std::string place = "https://login.example/organizations/v2.0/.well-known/openid-configuration";
  const auto document = [](std::string_view issuer) {
    FakeAnswer answer;
    answer.body = nlohmann::json{{"issuer", issuer}, {"jwks_uri", kKeysAt}}.dump();
    return answer;
  };
  for (const char* absent :
       {"https://login.example/.well-known/oauth-authorization-server/organizations/v2.0",
        "https://login.example/.well-known/openid-configuration/organizations/v2.0"})
    network_.SetAnswer(absent, Status(404));
  network_.SetAnswer(kKeysAt, Ok({KeyFor(kTemplate, 0, "k")}));
  for (const std::string& wrong :
       {NameOf("organizations"), NameOf("a"), std::string("https://login.example/")}) {
    network_.SetAnswer(place, document(wrong));
    Open({config});
    RunTurns();
    EXPECT_EQ(Find("k", 1), Reason::kKeysNeverFetched);
    EXPECT_EQ(HealthNow().last_error, "metadata: issuer: is not the one that was asked for");
  }
  network_.SetAnswer(place, document(kTemplate));
  Open({config});
  RunTurns();
  EXPECT_EQ(Find("k", 1), Reason::kNone);
  // Another tenant's document is another place.
  config.metadata_tenant = "common";
  ASSERT_TRUE(Change(config).ok());
  EXPECT_EQ(Find("k", At("a")), Reason::kKeysNeverFetched);
}

TEST_F(IssuerFamilyTest, HealthIsOneForTheFamilyAndNamesItsTenants) {
  Open({Fetched(), Family({"a", "b"})});
  Run();
  const std::vector<IssuerHealth> health = store_->Health(now_ms_);
  ASSERT_EQ(health.size(), 2u);
  EXPECT_EQ(health[0].num_tenants, 0u);
  EXPECT_EQ(health[1].issuer, kTemplate);
  EXPECT_EQ(health[1].position, 1u);
  EXPECT_EQ(health[1].num_tenants, 2u);
  EXPECT_THAT(health[1].tenant_positions, ElementsAre(At("a"), At("b")));
  EXPECT_EQ(health[1].fetches, 1u);
  EXPECT_EQ(store_->ReadMemory().num_issuers, 4u);
}

// As many keys for as many tenants as there are no names for.
TEST_F(IssuerFamilyTest, TenantsThatHadToGoWithoutAKeyHaveItWhenThereIsRoomAgain) {
  constexpr int kKeys = 256;
  std::vector<nlohmann::json> jwks;
  for (int i = 0; i < kKeys; ++i) jwks.push_back(KeyFor(kTemplate, 0, "k" + std::to_string(i)));
  IssuerConfig first = Family(Tenants(200));
  IssuerConfig second = Family(Tenants(100));
  first.issuer = "https://first.example/{tenantid}";
  first.profile.key_issuer = second.profile.key_issuer = kTemplate;
  Open({first});
  Run();
  Answer(Ok(jwks));
  ASSERT_TRUE(store_->AddIssuer(second).ok());
  Run();
  Answer(Ok(jwks, "\"v1\""));
  const auto health = [this] { return store_->Health(now_ms_).back(); };
  const auto number_of_missing = [&] {
    size_t missing = 0;
    for (const std::string& tenant : second.tenants) {
      const sync::ReadScope scope(blocks_);
      const IssuerKey* key = nullptr;
      for (int i = 0; i < kKeys; ++i)
        missing += store_->Find(scope, At(tenant), true, "k" + std::to_string(i), Algorithm::kEs256, now_ms_,
                                &key) != Reason::kNone;
    }
    return missing;
  };
  EXPECT_EQ(health().num_keys, static_cast<uint32_t>(kKeys));
  EXPECT_EQ(health().num_keys_skipped, 300u * kKeys + 2 * kKeys - 65'536);
  EXPECT_EQ(number_of_missing(), health().num_keys_skipped);
  ASSERT_TRUE(store_->RemoveIssuer(first.issuer).ok());
  now_ms_ += health().next_fetch_in_ms;
  Run();
  Answer(Status(304));
  EXPECT_EQ(health().num_keys_skipped, 0u);
  EXPECT_EQ(number_of_missing(), 0u);
}

struct BadTenants {
  const char* why;
  const char* issuer;
  std::vector<std::string> tenants;
};

TEST(CheckTenants, RefusesWhatCouldBeTakenInTwoWays) {
  for (const BadTenants& bad : {
           BadTenants{"tenants: ", "https://idp.example", {"a"}},
           BadTenants{"tenants: ", kTemplate, {}},
           BadTenants{"issuer: ", "https://{tenantid}.example/{tenantid}", {"a"}},
           BadTenants{"tenants: ", kTemplate, {"a", "b", "a"}},
           BadTenants{"tenants: ", kTemplate, {""}},
           BadTenants{"tenants: ", kTemplate, {".."}},
           BadTenants{"tenants: ", kTemplate, {"-"}},
           BadTenants{"tenants: ", kTemplate, {"a/b"}},
           BadTenants{"tenants: ", kTemplate, {"a%2f"}},
           BadTenants{"tenants: ", kTemplate, {"A"}},
           BadTenants{"tenants: ", kTemplate, {"{tenantid}"}},
           BadTenants{"tenants: ", kTemplate, {"a b"}},
           BadTenants{"tenants: ", kTemplate, {std::string("a\0", 2)}},
           BadTenants{"tenants: ", kTemplate, {std::string(2048, 'a')}},
       }) {
    IssuerConfig config;
    config.issuer = bad.issuer;
    config.tenants = bad.tenants;
    const absl::Status status = CheckTenants(config);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(std::string(status.message()).find(bad.why), 0u) << status;
  }
  IssuerConfig good = Family({"72f988bf-86f1-41af-91ab-2d7cd011db47", "contoso.example", "x_1"});
  EXPECT_TRUE(CheckTenants(good).ok());
  good.discovery = true;
  EXPECT_TRUE(CheckTenants(good).ok());
  good.metadata_tenant = "../common";
  EXPECT_THAT(std::string(CheckTenants(good).message()), HasSubstr("metadata_tenant: "));
  good.metadata_tenant = "common";
  good.profile.key_issuer = "https://idp.example";
  EXPECT_THAT(std::string(CheckTenants(good).message()), HasSubstr("profile.key_issuer: "));
}

}  // namespace
}  // namespace tollgate::keys
