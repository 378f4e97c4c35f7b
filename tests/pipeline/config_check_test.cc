#include <functional>
#include <utility>

#include "gmock/gmock.h"
#include "tests/pipeline/engine_fixture.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;

const std::string kSnapshotKey(32, 'k');

struct BadConfig {
  const char* why;  // Part of the message.
  std::function<void(Config&)> spoil;
};

class ConfigTest : public ::testing::TestWithParam<BadConfig> {};

TEST_P(ConfigTest, IsRefusedWithTheNameOfTheSetting) {
  Config config = TestConfig(idp::Jwks({&idp::TestKey("ES256")}).dump());
  Environment good;
  good.own_thread = false;
  ASSERT_TRUE(Engine::Create(config, std::move(good)).ok());
  GetParam().spoil(config);
  Environment environment;
  environment.own_thread = false;
  const absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(config, std::move(environment));
  ASSERT_FALSE(engine.ok());
  EXPECT_EQ(engine.status().code(), absl::StatusCode::kInvalidArgument);
  const std::string message(engine.status().message());
  EXPECT_THAT(message, HasSubstr(GetParam().why));
  EXPECT_EQ(message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    All, ConfigTest,
    ::testing::Values(
        // An empty list of expected audiences would silently check nothing.
        BadConfig{"resources", [](Config& c) { c.resources.clear(); }},
        BadConfig{"resource", [](Config& c) { c.resources[0].uri = ""; }},
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "mcp.example"; }},
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "https://mcp.example/#x"; }},
        // Relative references whose colon is no scheme's.
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "//mcp.example:8080/mcp"; }},
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "/mcp:tools"; }},
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "127.0.0.1:8080/mcp"; }},
        BadConfig{"absolute URI", [](Config& c) { c.resources[0].uri = "https://mcp.example/\xc3\xa9"; }},
        BadConfig{"empty audience", [](Config& c) { c.resources[0].audiences = {""}; }},
        BadConfig{"twice", [](Config& c) { c.resources[1].uri = c.resources[0].uri; }},
        BadConfig{"resources",
                  [](Config& c) {
                    for (int i = 0; i < 63; ++i) c.resources.push_back({.uri = "urn:r:" + std::to_string(i)});
                  }},
        BadConfig{"not configured", [](Config& c) { c.resources[0].issuers = {"https://nobody.example"}; }},
        BadConfig{"issuers", [](Config& c) { c.issuers.clear(); }},
        BadConfig{"issuers_max", [](Config& c) { c.issuers_max = 131'073; }},
        BadConfig{"issuers",
                  [](Config& c) {
                    c.issuers_max = 1;
                    c.issuers.push_back(c.issuers[0]);
                    c.issuers[1].issuer = "https://second.example";
                  }},
        BadConfig{"issuer", [](Config& c) { c.issuers[0].issuer = ""; }},
        BadConfig{"exactly one", [](Config& c) { c.issuers[0].jwks = ""; }},
        BadConfig{"exactly one", [](Config& c) { c.issuers[0].jwks_uri = "https://idp.example/jwks"; }},
        BadConfig{"exactly one", [](Config& c) { c.issuers[0].discovery = true; }},
        BadConfig{"exactly one",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_uri = "https://idp.example/jwks";
                    c.issuers[0].discovery = true;
                  }},
        BadConfig{"exactly one", [](Config& c) { c.issuers[0].jwks_file = "/jwks.json"; }},
        BadConfig{"exactly one",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_file = "/jwks.json";
                    c.issuers[0].signed_jwks_uri = "https://idp.example/signed";
                    c.issuers[0].signed_jwks_keys = idp::Jwks({&idp::TestKey("ES256")}).dump();
                  }},
        BadConfig{"jwks_file must be",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_file = "jwks.json";
                  }},
        BadConfig{"jwks_file must be",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_file = "/" + std::string(4096, 'x');
                  }},
        BadConfig{"but no signed_jwks_keys",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].signed_jwks_uri = "https://idp.example/signed";
                  }},
        // Nobody would look at them.
        BadConfig{"has signed_jwks_keys",
                  [](Config& c) { c.issuers[0].signed_jwks_keys = c.issuers[0].jwks; }},
        BadConfig{"issuers[0].signed_jwks_keys",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].signed_jwks_uri = "https://idp.example/signed";
                    c.issuers[0].signed_jwks_keys = R"({"keys":[{"kty":"oct","k":"c2VjcmV0"}]})";
                  }},
        BadConfig{"issuers[0].signed_jwks_uri",
                  [](Config& c) {
                    c.issuers[0].signed_jwks_keys = std::exchange(c.issuers[0].jwks, "");
                    c.issuers[0].signed_jwks_uri = "http://idp.example/signed";
                  }},
        BadConfig{"has fallbacks", [](Config& c) { c.issuers[0].fallbacks = {{.jwks_file = "/jwks.json"}}; }},
        BadConfig{"more than 4 fallbacks",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].fallbacks.assign(5, {.jwks_file = "/jwks.json"});
                  }},
        BadConfig{"each of its fallbacks needs exactly one",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].fallbacks.resize(1);
                  }},
        BadConfig{"each of its fallbacks needs exactly one",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].fallbacks = {{.jwks_uri = "https://mirror.example/", .jwks_file = "/j"}};
                  }},
        BadConfig{"each of its fallbacks must be a file",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].fallbacks = {{.jwks_file = "jwks.json"}};
                  }},
        BadConfig{"issuers[0].fallbacks[1].jwks_uri",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].fallbacks = {{.jwks_file = "/jwks.json"}, {.jwks_uri = "https://10.0.0.1/"}};
                  }},
        BadConfig{"tenants: the issuer has no {tenantid}", [](Config& c) { c.issuers[0].tenants = {"a"}; }},
        BadConfig{"discovery is not for a template",
                  [](Config& c) {
                    c.issuers[0].issuer = "https://idp.example/{tenantid}";
                    c.issuers[0].tenants = {"a"};
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].introspection = {
                        .discovery = true, .client_id = "mcp", .client_secret = "s3cret"};
                  }},
        BadConfig{"no tenant is allowed", [](Config& c) { c.issuers[0].issuer = "https://idp/{tenantid}"; }},
        BadConfig{"lower-case",
                  [](Config& c) {
                    c.issuers[0].issuer = "https://idp.example/{tenantid}";
                    c.issuers[0].tenants = {"Contoso"};
                  }},
        // Each tenant is an issuer, and so is their template.
        BadConfig{"issuers: between 1 and 2",
                  [](Config& c) {
                    c.issuers_max = 2;
                    c.issuers[0].issuer = "https://idp.example/{tenantid}";
                    c.issuers[0].tenants = {"a", "b"};
                  }},
        // Nobody can be asked about a token of the template.
        BadConfig{"opaque_token_issuer is not configured",
                  [](Config& c) {
                    c.issuers[0].issuer = "https://idp.example/{tenantid}";
                    c.issuers[0].tenants = {"a"};
                    c.issuers[0].introspection = {.endpoint = "https://idp.example/introspect",
                                                  .client_id = "mcp",
                                                  .client_secret = "s3cret"};
                    c.resources[0].opaque_token_issuer = c.issuers[0].issuer;
                  }},
        BadConfig{"several resources",
                  [](Config& c) {
                    c.issuers[0].issuer = "https://idp.example/{tenantid}";
                    c.issuers[0].tenants = {"a", "b"};
                    c.issuers[0].introspection = {.endpoint = "https://idp.example/{tenantid}",
                                                  .client_id = "mcp",
                                                  .client_secret = "s3cret",
                                                  .introspection_scoped_to_us = true};
                    for (ResourceConfig& r : c.resources) r.opaque_token_issuer = "https://idp.example/b";
                  }},
        BadConfig{"snapshot \"path\"", [](Config& c) { c.snapshot = {.path = "keys", .key = kSnapshotKey}; }},
        BadConfig{"snapshot \"path\"",
                  [](Config& c) { c.snapshot = {.path = "/keys/", .key = kSnapshotKey}; }},
        BadConfig{"snapshot \"path\"", [](Config& c) { c.snapshot = {.key = kSnapshotKey}; }},
        BadConfig{"snapshot \"path\"", [](Config& c) { c.snapshot = {.key_file = "/key"}; }},
        BadConfig{"exactly one of key and key_file", [](Config& c) { c.snapshot = {.path = "/keys"}; }},
        BadConfig{"exactly one of key and key_file",
                  [](Config& c) { c.snapshot = {.path = "/keys", .key = kSnapshotKey, .key_file = "/key"}; }},
        BadConfig{"at least 32 bytes",
                  [](Config& c) { c.snapshot = {.path = "/keys", .key = std::string(31, 'k')}; }},
        BadConfig{"snapshot \"key_file\"",
                  [](Config& c) { c.snapshot = {.path = "/keys", .key_file = "key"}; }},
        BadConfig{"must not be path", [](Config& c) { c.snapshot = {.path = "/keys", .key_file = "/keys"}; }},
        BadConfig{"discovery_hosts", [](Config& c) { c.issuers[0].discovery_hosts = {"keys.example"}; }},
        BadConfig{"issuers[0].discovery_hosts",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].discovery = true;
                    c.issuers[0].discovery_hosts = {"https://keys.example"};
                  }},
        BadConfig{"private_network",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_uri = "https://10.0.0.1/jwks";
                  }},
        BadConfig{"dangerous_allow_http_on_loopback",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_uri = "https://localhost/jwks";
                  }},
        BadConfig{"issuers[0].jwks", [](Config& c) { c.issuers[0].jwks = "{\"keys\":[]}"; }},
        BadConfig{"issuers[0].jwks", [](Config& c) { c.issuers[0].jwks = "nonsense"; }},
        BadConfig{"named twice", [](Config& c) { c.issuers.push_back(c.issuers[0]); }},
        BadConfig{"https",
                  [](Config& c) {
                    c.issuers[0].jwks = "";
                    c.issuers[0].jwks_uri = "http://idp.example/jwks";
                  }},
        BadConfig{"algorithm", [](Config& c) { c.issuers[0].algorithms = AlgorithmSet(); }},
        BadConfig{"leeway_s", [](Config& c) { c.issuers[0].leeway_s = 301; }},
        BadConfig{"leeway_s", [](Config& c) { c.issuers[0].leeway_s = -1; }},
        BadConfig{"token_age_max_s", [](Config& c) { c.issuers[0].token_age_max_s = -1; }},
        BadConfig{"type", [](Config& c) { c.issuers[0].profile.types.clear(); }},
        BadConfig{"audience", [](Config& c) { c.issuers[0].profile.audience_claim = ""; }},
        BadConfig{"dangerous_accept_id_tokens", [](Config& c) { c.issuers[0].profile.id_tokens = true; }},
        BadConfig{"policy", [](Config& c) { c.policy = Policy(); }},
        BadConfig{"introspection",
                  [](Config& c) {
                    PolicyBuilder builder;
                    builder.AddClass({.name = "asked", .mode = ValidationMode::kIntrospect});
                    builder.AddRule({.name = "pay", .any_valid_token = true, .sensitivity = "asked"});
                    c.policy = *builder.Build();
                  }},
        BadConfig{"in_flight_max", [](Config& c) { c.verification_limits.in_flight_max = 65'537; }},
        BadConfig{"in_flight_per_issuer_max",
                  [](Config& c) { c.verification_limits.in_flight_per_issuer_max = 65'537; }},
        BadConfig{
            "in_flight_per_issuer_max",
            [](Config& c) { c.verification_limits = {.in_flight_max = 4, .in_flight_per_issuer_max = 5}; }},
        BadConfig{"in_vain_percent_max",
                  [](Config& c) { c.verification_limits.in_vain_percent_max = 10'001; }},
        BadConfig{"jitter_percent", [](Config& c) { c.timing.jitter_percent = 51; }},
        BadConfig{"host_burst", [](Config& c) { c.timing.host_burst = 0; }},
        BadConfig{"host_interval_ms", [](Config& c) { c.timing.host_interval_ms = 0; }},
        BadConfig{"metadata_age_max_ms", [](Config& c) { c.timing.metadata_age_max_ms = 0; }},
        BadConfig{"refresh_min_ms", [](Config& c) { c.timing.refresh_min_ms = 0; }},
        BadConfig{"refresh_min_ms", [](Config& c) { c.timing.refresh_min_ms = c.timing.refresh_max_ms + 1; }},
        BadConfig{"backoff_min_ms", [](Config& c) { c.timing.backoff_min_ms = c.timing.backoff_cap_ms + 1; }},
        BadConfig{"staleness_bound_ms",
                  [](Config& c) { c.timing.staleness_bound_ms = c.timing.refresh_max_ms; }},
        // The last refresh in time may still be under way: 15 min + 20 %, and 5 s.
        BadConfig{"staleness_bound_ms", [](Config& c) { c.timing.staleness_bound_ms = 1'085'000 - 1; }},
        // However short the durations are.
        BadConfig{"staleness_bound_ms",
                  [](Config& c) {
                    c.timing.refresh_min_ms = 1;
                    c.timing.refresh_max_ms = 99;
                    c.timing.fetch_timeout_ms = 1;
                    c.timing.staleness_bound_ms = 119;  // Of 118.8 and 1.
                  }},
        BadConfig{"verdict_age_max_ms", [](Config& c) { c.timing.verdict_age_max_ms = INT64_MAX; }}));

TEST(ConfigBounds, AStalenessBoundThatOutlastsTheLastRefreshIsAccepted) {
  Config config = TestConfig(idp::Jwks({&idp::TestKey("ES256")}).dump());
  config.timing.staleness_bound_ms = 1'085'000;
  Environment environment;
  environment.own_thread = false;
  EXPECT_TRUE(Engine::Create(config, std::move(environment)).ok());
}

}  // namespace
}  // namespace tollgate
