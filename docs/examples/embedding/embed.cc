#include "tollgate/challenge.h"
#include "tollgate/engine.h"

absl::StatusOr<std::unique_ptr<tollgate::Engine>> MakeEngine(const std::string& jwks) {
  tollgate::PolicyBuilder policy;
  policy.AddRule({.name = "search", .scopes = {"files:read"}});
  policy.AddRule({.name = "delete", .scopes = {"files:read", "files:write"}, .sensitivity = "write"});
  tollgate::Config config;
  config.issuers.push_back({.issuer = "https://idp.example", .jwks = jwks});  // Or .discovery = true.
  config.resources.push_back({.uri = "https://mcp.example/mcp"});             // What `aud` must name.
  config.policy = policy.Build().value();
  return tollgate::Engine::Create(config);
}

// Answer returns the HTTP status for a call, and the header field that goes with it.
int Answer(tollgate::Engine& engine, std::string_view authorization, std::string_view tool,
           std::string* field) {
  const tollgate::Request request = {.authorization = authorization, .tool = tool};
  tollgate::Decision decision;
  tollgate::Principal caller;
  engine.Check(request, &decision, &caller);
  if (decision.allowed()) return 200;  // caller.subject() may call it.
  if (decision.verdict == tollgate::Verdict::kUnavailable) {
    *field = "Retry-After: " + std::to_string(decision.retry_after_s);
  } else {
    const std::string url = tollgate::ResourceMetadataUrl("https://mcp.example/mcp");
    const std::string challenge = Challenge(decision, url, engine.ScopesFor(request));
    if (!challenge.empty()) *field = "WWW-Authenticate: " + challenge;
  }
  return decision.http_status();
}
