#pragma once

// What every test of the C ABI needs: a clock that stands still, and an engine with one issuer, one resource
// and no thread.

#include <gtest/gtest.h>

#include <cstddef>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "tollgate/c/tollgate.h"
#include "tools/idp/mint.h"

namespace tollgate {

inline tollgate_string Str(std::string_view text) { return {text.data(), text.size()}; }
inline std::string Text(tollgate_string string) { return std::string(string.data, string.size); }

struct Free {
  void operator()(tollgate_policy* policy) const { tollgate_policy_free(policy); }
  void operator()(tollgate_config* config) const { tollgate_config_free(config); }
  void operator()(tollgate_engine* engine) const { tollgate_engine_destroy(engine); }
  void operator()(tollgate_principal* principal) const { tollgate_principal_free(principal); }
};
using PolicyPtr = std::unique_ptr<tollgate_policy, Free>;
using ConfigPtr = std::unique_ptr<tollgate_config, Free>;
using EnginePtr = std::unique_ptr<tollgate_engine, Free>;
using PrincipalPtr = std::unique_ptr<tollgate_principal, Free>;

// Sized returns a struct as a caller begins with it: all zero, but for its size.
template <typename Struct>
Struct Sized() {
  Struct made;
  std::memset(&made, 0, sizeof made);
  made.struct_size = sizeof made;
  return made;
}

// Newer is a struct of a version that has one member more.
template <typename Struct>
struct Newer {
  Newer() {
    std::memset(this, 0, sizeof *this);
    known.struct_size = sizeof *this;
  }
  Struct known;
  uint64_t unknown;
};

class CapiTest : public ::testing::Test {
 protected:
  static constexpr char kIssuer[] = "https://idp.example";
  static constexpr char kResource[] = "https://mcp.example/mcp";

  CapiTest() { error_ = Sized<tollgate_error>(); }

  // What the last call has said of an error.
  std::string Message() const { return error_.message; }

  static void ReadClock(void* test, int64_t* wall_s, int64_t* mono_ms) {
    *wall_s = static_cast<CapiTest*>(test)->now_s_;
    *mono_ms = static_cast<CapiTest*>(test)->now_s_ * 1000;
  }

  tollgate_options Options() {
    auto options = Sized<tollgate_options>();
    options.verdict_cache_bytes = 1 << 20;
    options.read_clock = ReadClock;
    options.clock_user = this;
    options.no_thread = 1;
    return options;
  }

  tollgate_issuer Issuer() {
    auto issuer = Sized<tollgate_issuer>();
    issuer.issuer = Str(kIssuer);
    issuer.jwks = Str(jwks_);
    return issuer;
  }

  PolicyPtr Policy() {
    PolicyPtr policy(tollgate_policy_new());
    const auto add = [&](std::string_view name, std::string_view scopes, uint32_t object) {
      auto rule = Sized<tollgate_rule>();
      rule.name = Str(name);
      rule.scopes = Str(scopes);
      rule.object = object;
      EXPECT_EQ(tollgate_policy_add_rule(policy.get(), &rule, &error_), TOLLGATE_OK) << Message();
    };
    add("search", "files:read", TOLLGATE_TOOL);
    add("delete", "files:read files:write", TOLLGATE_TOOL);
    add("greet", "files:read", TOLLGATE_PROMPT);
    add("file:///a.txt", "files:read", TOLLGATE_RESOURCE);
    add("tools/call", "files:write", TOLLGATE_METHOD);
    EXPECT_EQ(tollgate_policy_add_protocol(policy.get(), {}, &error_), TOLLGATE_OK) << Message();
    return policy;
  }

  ConfigPtr Config(const tollgate_issuer& issuer, const tollgate_options& options) {
    ConfigPtr config(tollgate_config_new());
    EXPECT_EQ(tollgate_config_add_issuer(config.get(), &issuer, &error_), TOLLGATE_OK) << Message();
    auto resource = Sized<tollgate_resource>();
    resource.uri = Str(kResource);
    EXPECT_EQ(tollgate_config_add_resource(config.get(), &resource, &error_), TOLLGATE_OK) << Message();
    EXPECT_EQ(tollgate_config_set_policy(config.get(), Policy().get(), &error_), TOLLGATE_OK) << Message();
    EXPECT_EQ(tollgate_config_set_options(config.get(), &options, &error_), TOLLGATE_OK) << Message();
    return config;
  }

  EnginePtr Engine(const tollgate_config* config) {
    tollgate_engine* engine = nullptr;
    EXPECT_EQ(tollgate_engine_create(config, &engine, &error_), TOLLGATE_OK) << Message();
    return EnginePtr(engine);
  }
  EnginePtr Engine() { return Engine(Config(Issuer(), Options()).get()); }
  // Whose issuer nobody has asked yet.
  EnginePtr EngineWithoutKeys() {
    auto issuer = Sized<tollgate_issuer>();
    issuer.issuer = Str(kIssuer);
    issuer.jwks_uri = Str("http://127.0.0.1:1/jwks");  // Where nobody listens.
    auto options = Options();
    options.dangerous_allow_http_on_loopback = 1;
    return Engine(Config(issuer, options).get());
  }

  std::string Bearer(std::string_view scope = "files:read", std::string_view subject = "alice") const {
    return "Bearer " + idp::Mint(key_, idp::AccessTokenClaims(kIssuer, kResource, subject, "agent-1", scope,
                                                              now_s_, now_s_ + 600));
  }

  static tollgate_request Request(std::string_view authorization, std::string_view tool = "search") {
    auto request = Sized<tollgate_request>();
    request.authorization = Str(authorization);
    request.tool = Str(tool);
    return request;
  }

  static tollgate_decision Check(tollgate_engine* engine, std::string_view authorization,
                                 std::string_view tool = "search") {
    const tollgate_request request = Request(authorization, tool);
    auto decision = Sized<tollgate_decision>();
    EXPECT_EQ(tollgate_check(engine, &request, &decision, nullptr), TOLLGATE_OK);
    return decision;
  }
  static std::string Reason(const tollgate_decision& decision) {
    return tollgate_reason_name(decision.reason);
  }

  int64_t now_s_ = 1'800'000'000;
  const idp::SigningKey& key_ = idp::TestKey("ES256");
  const std::string jwks_ = idp::Jwks({&key_}).dump();
  tollgate_error error_;
};

}  // namespace tollgate
