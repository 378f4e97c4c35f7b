// The whole engine against an identity provider that is found by its name alone, over loopback, faults
// included.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/pipeline/engine_fixture.h"
#include "tools/idp/server.h"

namespace tollgate {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr char kOauth[] = "/.well-known/oauth-authorization-server";
constexpr char kOpenId[] = "/.well-known/openid-configuration";

std::unique_ptr<idp::Server> StartIdp() {
  idp::ServerOptions options;
  options.endpoints.keys = {idp::TestKey("ES256")};
  std::string error;
  std::unique_ptr<idp::Server> server = idp::Server::Start(options, &error);
  EXPECT_NE(server, nullptr) << error;
  return server;
}

class DiscoveryTest : public EngineTest {
 protected:
  DiscoveryTest() : server_(StartIdp()) {
    Config config = TestConfig("");
    config.issuers[0].issuer = server_->url();
    config.issuers[0].discovery = true;
    config.dangerous.dangerous_allow_http_on_loopback = true;
    config_ = config;
  }

  // Open makes an engine with the transport that it ships, on the test's thread.
  void Open() { Restart(config_); }

  // Fetch lets the fetch that is due run to its end. The exchanges' own time limits bound it.
  IssuerHealth Fetch() {
    const IssuerHealth before = engine_->ReadHealth()[0];
    clock_.now.mono_ms += std::max<int64_t>(before.next_fetch_in_ms, 0);
    for (;;) {
      engine_->RunBackground(std::chrono::milliseconds(100));
      const IssuerHealth now = engine_->ReadHealth()[0];
      const bool ended = now.fetches > before.fetches && now.next_fetch_in_ms > 0;
      if (ended) return now;
    }
  }

  Verdict CheckToken() {
    idp::json claims = Claims();
    claims["iss"] = server_->url();
    return Check(idp::Mint(key_, claims)).verdict;
  }
  uint64_t Requests(const std::string& path) const {
    const std::map<std::string, uint64_t> requests = server_->Stats().num_requests;
    const auto found = requests.find(path);
    return found == requests.end() ? 0 : found->second;
  }

  std::unique_ptr<idp::Server> server_;
  Config config_;
};

TEST_F(DiscoveryTest, AnIssuersNameIsEnough) {
  Open();
  EXPECT_EQ(CheckToken(), Verdict::kUnavailable);
  EXPECT_EQ(Fetch().freshness, Freshness::kFresh);
  EXPECT_EQ(CheckToken(), Verdict::kAllow);
  EXPECT_EQ(Requests(kOauth), 1u);
  EXPECT_EQ(Requests(kOpenId), 0u);
  EXPECT_EQ(Requests("/jwks"), 1u);
  EXPECT_EQ(Fetch().freshness, Freshness::kFresh);
  EXPECT_EQ(Requests(kOauth), 1u);
  EXPECT_EQ(Requests("/jwks"), 2u);
}

TEST_F(DiscoveryTest, WhereThereIsNothingTheOpenIdPlaceIsAsked) {
  for (const idp::Fault& fault : {idp::Fault{.mode = idp::FaultMode::kError, .status = 404},
                                  idp::Fault{.mode = idp::FaultMode::kRedirect}}) {
    server_->SetFault(kOauth, fault);
    Open();
    EXPECT_EQ(Fetch().freshness, Freshness::kFresh);
    EXPECT_EQ(CheckToken(), Verdict::kAllow);
  }
  EXPECT_EQ(Requests("/redirected"), 0u);
}

TEST_F(DiscoveryTest, NoFaultOfTheMetadataAllowsAnything) {
  config_.timing.fetch_timeout_ms = 200;
  const uint64_t before = Requests("/jwks");
  for (const idp::FaultMode mode :
       {idp::FaultMode::kWrongIssuer, idp::FaultMode::kGarbage, idp::FaultMode::kEmpty,
        idp::FaultMode::kEmptySet, idp::FaultMode::kTruncated, idp::FaultMode::kOversized,
        idp::FaultMode::kError, idp::FaultMode::kBlackhole, idp::FaultMode::kSlowBody}) {
    SCOPED_TRACE(idp::FaultModeName(mode));
    server_->SetFault(kOauth, {.mode = mode, .delay = std::chrono::minutes(1)});
    Open();
    EXPECT_THAT(Fetch().last_error, StartsWith("metadata: "));
    EXPECT_EQ(CheckToken(), Verdict::kUnavailable);
  }
  EXPECT_EQ(Requests("/jwks"), before);
  EXPECT_EQ(Requests(kOpenId), 0u);
  // And none of them outlasts its cause.
  server_->ClearFaults();
  config_.timing.fetch_timeout_ms = 5'000;
  Open();
  Fetch();
  EXPECT_EQ(CheckToken(), Verdict::kAllow);
}

TEST_F(DiscoveryTest, AnotherServerIsNeverAskedHoweverTheDocumentNamesIt) {
  const std::unique_ptr<idp::Server> other = StartIdp();
  const std::string port = std::to_string(other->port());
  for (const std::string& url :
       {other->url() + "/jwks", "http://localhost:" + port + "/jwks", "https://127.0.0.1:" + port + "/jwks",
        "http://[::1]:" + port + "/jwks", "http://127.1:" + port + "/jwks",
        server_->url() + "@127.0.0.1:" + port + "/jwks"}) {
    const idp::json document = {{"issuer", server_->url()}, {"jwks_uri", url}};
    server_->SetBody(kOauth, document.dump());
    Open();
    EXPECT_THAT(Fetch().last_error, StartsWith("metadata: jwks_uri: ")) << url;
    EXPECT_EQ(CheckToken(), Verdict::kUnavailable);
  }
  EXPECT_EQ(other->Stats().num_connections, 0u);
  // Unless it is listed.
  server_->SetBody(kOauth,
                   idp::json{{"issuer", server_->url()}, {"jwks_uri", other->url() + "/jwks"}}.dump());
  config_.issuers[0].discovery_hosts = {"127.0.0.1:" + port};
  Open();
  Fetch();
  EXPECT_EQ(CheckToken(), Verdict::kAllow);
}

TEST_F(DiscoveryTest, AMetadataOutageDropsNoKey) {
  Open();
  Fetch();
  ASSERT_EQ(CheckToken(), Verdict::kAllow);
  server_->SetFault(kOauth, {.mode = idp::FaultMode::kError, .status = 503});
  clock_.now.mono_ms += config_.timing.metadata_age_max_ms - 1'000;
  EXPECT_EQ(Fetch().freshness, Freshness::kFresh);  // The metadata is still young enough.
  clock_.now.mono_ms += 1'000;
  const IssuerHealth health = Fetch();
  EXPECT_EQ(health.freshness, Freshness::kDegraded);
  EXPECT_THAT(health.last_error, HasSubstr("503"));
  EXPECT_EQ(health.num_keys, 1u);
  EXPECT_EQ(CheckToken(), Verdict::kAllow);
  server_->ClearFaults();
  EXPECT_EQ(Fetch().freshness, Freshness::kFresh);
}

}  // namespace
}  // namespace tollgate
