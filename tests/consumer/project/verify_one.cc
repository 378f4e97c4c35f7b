#include "verify_one.h"

#include <cstdio>
#include <string>
#include <utility>

#include "one_token.h"
#include "tollgate/engine.h"
#include "tollgate/version.h"

namespace {

class FixedClock : public tollgate::Clock {
 public:
  tollgate::Now Read() const override { return {.wall_s = kNow, .mono_ms = 1'000}; }
};

tollgate::Reason ReasonFor(tollgate::Engine& engine, const std::string& authorization) {
  tollgate::Decision decision;
  engine.Check({.authorization = authorization, .tool = "read_file"}, &decision);
  return decision.reason;
}

}  // namespace

bool VerifiesOneToken() {
  const FixedClock clock;
  tollgate::Config config;
  config.issuers.emplace_back();
  config.issuers[0].issuer = "https://idp.example";
  config.issuers[0].jwks = kJwks;
  config.resources.emplace_back();
  config.resources[0].uri = "https://mcp.example/mcp";
  auto policy = tollgate::PolicyBuilder().AddRule({.name = "read_file", .scopes = {"files:read"}}).Build();
  if (!policy.ok()) return false;
  config.policy = *std::move(policy);
  tollgate::Environment environment;
  environment.clock = &clock;
  auto engine = tollgate::Engine::Create(std::move(config), std::move(environment));
  if (!engine.ok()) {
    std::printf("no engine: %s\n", engine.status().ToString().c_str());
    return false;
  }

  std::string forged = kBearer;
  forged[forged.size() - 10] ^= 1;
  const tollgate::Reason genuine_reason = ReasonFor(**engine, kBearer);
  const tollgate::Reason forged_reason = ReasonFor(**engine, forged);
  std::printf("tollgate %s: genuine: %s, forged: %s\n", std::string(tollgate::Version()).c_str(),
              std::string(tollgate::ReasonName(genuine_reason)).c_str(),
              std::string(tollgate::ReasonName(forged_reason)).c_str());
  return genuine_reason == tollgate::Reason::kNone && forged_reason == tollgate::Reason::kBadSignature;
}
