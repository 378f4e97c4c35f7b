// The example of README.md, built and run as it stands there; docs_test.py holds the two together.

#include <cstdio>

#include "tools/idp/mint.h"

// [example]
#include "tollgate/engine.h"

absl::StatusOr<std::unique_ptr<tollgate::Engine>> MakeEngine(std::string jwks) {
  tollgate::PolicyBuilder policy;
  policy.AddRule({.name = "search", .scopes = {"files:read"}});
  policy.AddRule({.name = "delete", .scopes = {"files:write"}, .sensitivity = "privileged"});

  tollgate::Config config;
  config.issuers.push_back({.issuer = "https://idp.example", .jwks = jwks});  // Or .discovery = true
  config.resources.push_back({.uri = "https://mcp.example/mcp"});             // What `aud` must name.
  config.policy = policy.Build().value();
  return tollgate::Engine::Create(config);
}

int Serve(tollgate::Engine& engine, std::string_view authorization, std::string_view tool) {
  tollgate::Decision decision;
  tollgate::Principal caller;
  engine.Check({.authorization = authorization, .tool = tool}, &decision, &caller);
  if (!decision.allowed()) return decision.http_status();  // 401, 403, or 503 + Retry-After: never a guess.
  std::printf("%s may call %s\n", std::string(caller.subject()).c_str(), std::string(tool).c_str());
  return 200;
}
// [example]

int main() {
  const idp::SigningKey& key = idp::TestKey("ES256");
  auto engine = MakeEngine(idp::Jwks({&key}).dump());
  if (!engine.ok()) return 1;
  const int64_t now = tollgate::SystemClock().Read().wall_s;
  const std::string authorization =
      "Bearer " + idp::Mint(key, idp::AccessTokenClaims("https://idp.example", "https://mcp.example/mcp",
                                                        "alice", "agent", "files:read", now, now + 300));
  const bool as_promised =
      Serve(**engine, authorization, "search") == 200 && Serve(**engine, authorization, "delete") == 403 &&
      Serve(**engine, "", "search") == 401 && Serve(**engine, "Bearer x", "search") == 401;
  return as_promised ? 0 : 1;
}
