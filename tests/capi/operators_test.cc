// Whether operators see through the C ABI what the engine tells them: counters, health, reasons.

#include <gmock/gmock.h>

#include <filesystem>
#include <string>

#include <nlohmann/json.hpp>

#include "capi_fixture.h"
#include "tollgate/version.h"

namespace tollgate {
namespace {

using CapiOperatorsTest = CapiTest;

TEST_F(CapiOperatorsTest, CountersAreThoseOfTheirNames) {
  EnginePtr engine = Engine();
  const std::string bearer = Bearer();
  for (int i = 0; i < 3; ++i) Check(engine.get(), bearer);
  Check(engine.get(), bearer, "delete");
  Check(engine.get(), "");
  std::string forged = Bearer();
  char& changed = forged[forged.size() - 10];
  changed = changed == 'A' ? 'B' : 'A';
  Check(engine.get(), forged);
  Newer<tollgate_metrics> metrics;
  metrics.unknown = 7;
  ASSERT_EQ(tollgate_read_metrics(engine.get(), &metrics.known), TOLLGATE_OK);
  EXPECT_EQ(metrics.known.checks, 6u);
  EXPECT_EQ(metrics.known.allowed, 3u);
  EXPECT_EQ(metrics.known.denied, 3u);
  EXPECT_EQ(metrics.known.unavailable, 0u);
  EXPECT_EQ(metrics.known.cache_hits, 3u);
  EXPECT_EQ(metrics.known.signature_verifications, 2u);
  EXPECT_EQ(metrics.known.verifications_in_vain, 1u);
  EXPECT_EQ(metrics.known.cache_inserts, 1u);
  EXPECT_EQ(metrics.known.issuers, 1u);
  EXPECT_EQ(metrics.known.issuers_max, 1024u);
  EXPECT_EQ(metrics.known.issuers_fresh, 1u);
  EXPECT_EQ(metrics.known.issuer_keys, 1u);
  EXPECT_GT(metrics.known.issuer_bytes, 0u);
  EXPECT_EQ(metrics.unknown, 0u);
  EXPECT_EQ(tollgate_read_metrics(nullptr, &metrics.known), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_read_metrics(engine.get(), nullptr), TOLLGATE_INVALID_ARGUMENT);
}

std::string Health(const tollgate_engine* engine) {
  std::string text(tollgate_read_health(engine, nullptr, 0) + 1, '\0');
  const size_t size = tollgate_read_health(engine, text.data(), text.size());
  EXPECT_LT(size, text.size());
  text.resize(size);
  return text;
}

TEST_F(CapiOperatorsTest, HealthIsAJsonObject) {
  const std::string name = "https://idp.example/\"a\\b\"\xC3\xA9";
  auto issuer = Sized<tollgate_issuer>();
  issuer.issuer = Str(name);
  issuer.jwks_uri = Str("https://idp.example/jwks");
  ConfigPtr config = Config(issuer, Options());
  const auto inline_keys = Issuer();
  ASSERT_EQ(tollgate_config_add_issuer(config.get(), &inline_keys, &error_), TOLLGATE_OK);
  EnginePtr engine = Engine(config.get());
  const auto health = nlohmann::json::parse(Health(engine.get()));
  ASSERT_EQ(health["issuers"].size(), 2u);
  EXPECT_EQ(health["issuers"][0]["issuer"], "https://idp.example/\"a\\b\"%C3%A9");
  EXPECT_EQ(health["issuers"][0]["freshness"], "unavailable");
  EXPECT_EQ(health["issuers"][0]["keys_age_ms"], -1);
  EXPECT_EQ(health["issuers"][0]["from_snapshot"], false);
  EXPECT_EQ(health["issuers"][1]["issuer"], kIssuer);
  EXPECT_EQ(health["issuers"][1]["position"], 1);
  EXPECT_EQ(health["issuers"][1]["freshness"], "fresh");
  EXPECT_EQ(health["issuers"][1]["num_keys"], 1);
  EXPECT_EQ(health["snapshot"]["read"], "not_configured");
  EXPECT_EQ(health["snapshot"]["written_ago_ms"], -1);
  EXPECT_EQ(health["audit_error"], "");
}

TEST_F(CapiOperatorsTest, HealthSaysWhatBecameOfTheSnapshot) {
  const std::string path = std::filesystem::absolute(::testing::TempDir() + "/capi_snapshot").string();
  std::filesystem::remove(path);
  auto options = Options();
  options.snapshot_path = Str(path);
  options.snapshot_key = Str("0123456789abcdef0123456789abcdef");
  EnginePtr engine = Engine(Config(Issuer(), options).get());
  EXPECT_EQ(nlohmann::json::parse(Health(engine.get()))["snapshot"]["read"], "absent");
}

TEST_F(CapiOperatorsTest, EnginesThatShareASnapshotHaveOneThatLeads) {
  const std::string path = std::filesystem::absolute(::testing::TempDir() + "/capi_shared_snapshot").string();
  std::filesystem::remove(path);
  auto issuer = Sized<tollgate_issuer>();
  issuer.issuer = Str(kIssuer);
  issuer.jwks_uri = Str("https://idp.invalid/jwks");
  auto options = Options();
  options.no_thread = 1;
  options.snapshot_path = Str(path);
  options.snapshot_key = Str("0123456789abcdef0123456789abcdef");
  options.snapshot_shared = 1;
  std::string wanted;
  options.wanted = [](void* user, tollgate_string name) {
    static_cast<std::string*>(user)->assign(name.data, name.size);
  };
  options.wanted_user = &wanted;
  ConfigPtr config = Config(issuer, options);
  const auto leads = [](tollgate_engine* engine) {
    return nlohmann::json::parse(Health(engine))["snapshot"]["leads"].get<bool>();
  };
  EnginePtr first = Engine(config.get());
  EXPECT_TRUE(leads(first.get()));
  EXPECT_EQ(wanted, "");
  EnginePtr second = Engine(config.get());
  EXPECT_FALSE(leads(second.get()));
  EXPECT_EQ(wanted, kIssuer);
  EXPECT_EQ(tollgate_refresh(first.get(), Str(kIssuer), &error_), TOLLGATE_OK);
  EXPECT_EQ(tollgate_refresh(first.get(), Str("https://other.example"), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_refresh(nullptr, Str(kIssuer), &error_), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_EQ(tollgate_engine_step_down(first.get()), TOLLGATE_OK);
  EXPECT_EQ(tollgate_engine_step_down(nullptr), TOLLGATE_INVALID_ARGUMENT);
  EXPECT_FALSE(leads(first.get()));
  EnginePtr third = Engine(config.get());
  EXPECT_TRUE(leads(third.get()));
}

TEST_F(CapiOperatorsTest, HealthThatDoesNotFitIsNotWritten) {
  EnginePtr engine = Engine();
  char small[8] = "before.";
  const size_t size = tollgate_read_health(engine.get(), small, sizeof small);
  EXPECT_GT(size, sizeof small);
  EXPECT_NE(size, TOLLGATE_FAILED);
  EXPECT_STREQ(small, "");
  EXPECT_EQ(tollgate_read_health(nullptr, small, sizeof small), TOLLGATE_FAILED);
  EXPECT_EQ(tollgate_read_health(engine.get(), nullptr, 8), TOLLGATE_FAILED);
}

TEST_F(CapiOperatorsTest, ReasonsHaveNamesAndTexts) {
  EXPECT_STREQ(tollgate_reason_name(0), "none");
  EXPECT_STREQ(tollgate_reason_name(408), "expired");
  EXPECT_STREQ(tollgate_reason_text(408), "the token has expired");
  // 65536 + 408 is not 408.
  for (const uint32_t number : {2u, 65535u, 65536u + 408u, UINT32_MAX})
    EXPECT_STREQ(tollgate_reason_name(number), "unknown_reason");
  EXPECT_EQ(tollgate_version(), Version());
}

}  // namespace
}  // namespace tollgate
