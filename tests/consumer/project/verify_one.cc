#include "verify_one.h"

#include <cstdio>
#include <string>
#include <utility>

#include "tollgate/engine.h"
#include "tollgate/version.h"

namespace {

constexpr char kJwks[] = R"({"keys":[{"kty":"EC","crv":"P-256","kid":"k1",
  "x":"h6DH6TYMIMabVlX_RKKSSaPuiK1j9S1juYdBKQxB6yY","y":"IawcJxRAgRdmYPl2OGXydKQjCtYOP9Y_6mePBzEEqzI"}]})";

// {"iss":"https://idp.example","sub":"alice","aud":"https://mcp.example/mcp","client_id":"agent-7",
//  "iat":1800000000,"exp":1800003600,"jti":"j1","scope":"files:read"}
constexpr char kBearer[] =
    "Bearer "
    "eyJhbGciOiJFUzI1NiIsInR5cCI6ImF0K2p3dCIsImtpZCI6ImsxIn0.eyJpc3MiOiJodHRwczovL2lkcC5leGFtcGxlIiwic3Vi"
    "IjoiYWxpY2UiLCJhdWQiOiJodHRwczovL21jcC5leGFtcGxlL21jcCIsImNsaWVudF9pZCI6ImFnZW50LTciLCJpYXQiOjE4MDAwMDAw"
    "MDAs"
    "ImV4cCI6MTgwMDAwMzYwMCwianRpIjoiajEiLCJzY29wZSI6ImZpbGVzOnJlYWQifQ.wy7jx0z8V1Egu-uvbbt4tZWelyJn2vnXLfb_"
    "zpkcE"
    "f_O1FVZmNe7FkQ0Lz4nA2MDR6GZIFYc-qZI6KISJa7FMA";

class FixedClock : public tollgate::Clock {
 public:
  tollgate::Now Read() const override { return {.wall_s = 1'800'000'060, .mono_ms = 1'000}; }
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
