#pragma once

// What every test of the whole engine needs: a clock that stands still, one issuer with configured keys, one
// policy.

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "tollgate/engine.h"
#include "tools/idp/mint.h"

namespace tollgate {

constexpr char kIssuer[] = "https://idp.example";
constexpr char kResource[] = "https://mcp.example/mcp";
constexpr char kOtherResource[] = "https://other.example/mcp";
constexpr int64_t kStart = 1'800'000'000;

class FakeClock final : public Clock {
 public:
  Now Read() const override { return now; }
  void Advance(int64_t seconds) {
    now.wall_s += seconds;
    now.mono_ms += seconds * 1000;
  }
  Now now{.wall_s = kStart, .mono_ms = 1'000'000};
};

// TestEnvironment is that of an engine without a thread of its own.
inline Environment TestEnvironment(const Clock* clock, std::unique_ptr<Transport> transport = nullptr,
                                   FileSystem* files = nullptr) {
  Environment environment;
  environment.clock = clock;
  environment.own_thread = false;
  environment.jitter_seed = 7;
  environment.transport = std::move(transport);
  environment.files = files;
  return environment;
}

inline Policy Built(const PolicyBuilder& builder) {
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

inline Policy TestPolicy() {
  PolicyBuilder builder;
  builder.AddClass({.name = "read"});  // Tokens may live as long as their issuer lets them.
  builder.AddClass({.name = "young", .token_age_max_s = 120});
  builder.AddRule({.name = "search", .scopes = {"files:read"}});
  builder.AddRule({.name = "delete", .scopes = {"files:read", "files:write"}, .sensitivity = "privileged"});
  builder.AddRule({.name = "ping", .any_valid_token = true});
  builder.AddRule({.name = "file:///docs/{id}/*", .scopes = {"files:read"}, .object = McpObject::kResource});
  builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = "young"});
  return Built(builder);
}

inline Config TestConfig(std::string jwks) {
  Config config;
  config.issuers.push_back({.issuer = kIssuer, .jwks = std::move(jwks)});
  config.resources.push_back({.uri = kResource});
  config.resources.push_back({.uri = kOtherResource});
  config.policy = TestPolicy();
  config.verdict_cache_bytes = 1 << 20;
  return config;
}

// EngineTest has one issuer whose only key is TestKey("ES256"), configured inline. Tests that want another
// configuration call Restart.
class EngineTest : public ::testing::Test {
 protected:
  EngineTest() { Restart(TestConfig(idp::Jwks({&key_}).dump())); }

  void Restart(const Config& config, std::unique_ptr<Transport> transport = nullptr,
               FileSystem* files = nullptr) {
    engine_.reset();
    absl::StatusOr<std::unique_ptr<Engine>> engine =
        Engine::Create(config, TestEnvironment(&clock_, std::move(transport), files));
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
  }

  idp::json Claims(std::string_view scope = "files:read", int64_t lifetime_s = 600) const {
    return idp::AccessTokenClaims(kIssuer, kResource, "alice", "agent-1", scope, clock_.now.wall_s,
                                  clock_.now.wall_s + lifetime_s);
  }
  std::string Token(std::string_view scope = "files:read") const { return idp::Mint(key_, Claims(scope)); }

  Decision Check(std::string_view token, std::string_view tool = "search",
                 ResourceId resource = ResourceId{0}) {
    const std::string authorization = "Bearer " + std::string(token);
    Decision decision;
    engine_->Check({.authorization = authorization, .tool = tool, .resource = resource}, &decision,
                   &principal_);
    return decision;
  }

  const idp::SigningKey& key_ = idp::TestKey("ES256");
  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
  Principal principal_;
};

}  // namespace tollgate
