// Seeds of the targets for tollgated.

#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

// A byte for the proxy and the way to know what is asked for, one for the cut, a request.
void AddTollgatedQuestion(Seeds& seeds) {
  constexpr int kNginx = 0, kEnvoy = 1, kTraefik = 2, kCaddy = 3, kHaproxy = 4;
  constexpr int kBody = 0, kHeaders = 5, kTool = 10;
  const auto seed = [](int proxy, int way, const std::string& request, char cut = 20) {
    return std::string(1, static_cast<char>(proxy + way)) + cut + request;
  };
  const std::string call = R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search"}})";
  const auto post = [](const std::string& target, const std::string& fields, const std::string& body) {
    return "POST " + target + " HTTP/1.1\r\nHost: mcp.example\r\nContent-Type: application/json\r\n" +
           fields + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + body;
  };
  const auto get = [](const std::string& target, const std::string& fields) {
    return "GET " + target + " HTTP/1.1\r\nHost: tollgated\r\n" + fields + "\r\n";
  };
  const std::string token = "Authorization: Bearer a.b.c\r\n";
  const std::string nginx = token + "X-Original-Method: POST\r\nX-Original-URI: /mcp\r\n";
  const std::string forwarded = token + "X-Forwarded-Method: POST\r\nX-Forwarded-Uri: /mcp\r\n";
  const std::string mirror =
      "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: search\r\n";
  seeds["tollgated_question"] = {
      {"envoy", seed(kEnvoy, kBody, post("/check/crm/mcp", token, call))},
      {"envoy-cut-in-the-body", seed(kEnvoy, kBody, post("/check/crm/mcp", token, call), '\x90')},
      {"envoy-batch", seed(kEnvoy, kBody, post("/check/crm/mcp", token, "[" + call + "," + call + "]"))},
      {"envoy-partial",
       seed(kEnvoy, kBody, post("/check/crm/mcp", token + "x-envoy-auth-partial-body: true\r\n", call))},
      {"envoy-get", seed(kEnvoy, kBody, get("/check/crm/mcp", token))},
      {"envoy-query-token", seed(kEnvoy, kBody, post("/check/crm/mcp?access_token=x", token, call))},
      {"envoy-query-token-encoded", seed(kEnvoy, kTool, get("/check/crm/mcp?a=1&access%5ftoken=x", token))},
      {"haproxy-lying-header",
       seed(kHaproxy, kBody, post("/check/crm/mcp", token + "Mcp-Name: harmless\r\n", call))},
      {"haproxy-honest-header",
       seed(kHaproxy, kBody,
            post("/check/crm/mcp", token + mirror,
                 R"({"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"search",)"
                 R"("_meta":{"io.modelcontextprotocol/protocolVersion":"2026-07-28"}}})"))},
      {"nginx-headers", seed(kNginx, kHeaders, get("/check/crm", nginx + mirror))},
      {"nginx-headers-resource",
       seed(kNginx, kHeaders,
            get("/check/crm", nginx + "MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: resources/read\r\n"
                                      "Mcp-Name: file:///docs/a\r\n"))},
      {"nginx-headers-absent", seed(kNginx, kHeaders, get("/check/crm", nginx))},
      {"nginx-headers-twice", seed(kNginx, kHeaders, get("/check/crm", nginx + mirror + "mcp-name: a\r\n"))},
      {"nginx-tool", seed(kNginx, kTool, get("/check/crm", nginx))},
      {"nginx-lookalike", seed(kNginx, kTool, get("/check/crm", nginx + "X_Tollgate_Subject: root\r\n"))},
      {"nginx-method-twice", seed(kNginx, kTool, get("/check/crm", nginx + "X-Original-Method: GET\r\n"))},
      {"nginx-http-1-0", seed(kNginx, kTool, "GET /check/crm HTTP/1.0\r\n" + nginx + "\r\n")},
      {"caddy-tool", seed(kCaddy, kTool, get("/check/crm", forwarded))},
      {"traefik-body", seed(kTraefik, kBody, post("/check/crm", forwarded, call))},
      {"traefik-chunked", seed(kTraefik, kBody,
                               "POST /check/crm HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n" +
                                   forwarded + "Transfer-Encoding: chunked\r\n\r\n10\r\n" +
                                   call.substr(0, 16) + "\r\n39\r\n" + call.substr(16) + "\r\n0\r\n\r\n")},
      {"two-credentials", seed(kCaddy, kTool, get("/check/crm", forwarded + token))},
      {"two-lengths", seed(kEnvoy, kBody, post("/check/crm/mcp", "Content-Length: 1\r\n", call))},
      {"length-and-chunks",
       seed(kEnvoy, kBody, post("/check/crm/mcp", "Transfer-Encoding: chunked\r\n", call))},
      {"folded", seed(kEnvoy, kTool, get("/check/crm/mcp", "X: a\r\n b\r\n"))},
      {"bare-line-feed", seed(kEnvoy, kTool, get("/check/crm/mcp", "X: a\nY: b\r\n"))},
      {"no-host", seed(kEnvoy, kTool, "GET /check/crm/mcp HTTP/1.1\r\n\r\n")},
      {"cut-off", seed(kEnvoy, kTool, "GET /check/crm/mcp HTTP/1.1\r\nHost: a\r\n")},
      {"pipelined", seed(kEnvoy, kTool, get("/check/crm/mcp", token) + get("/check/crm/mcp", ""))},
  };
}

void AddSettings(Seeds& seeds) {
  const std::string small = R"(version: 1
listen: 127.0.0.1:9180
policy_file: policy.yaml
servers:
- name: files
  uri: https://mcp.example/files
  proxy: envoy
  sees_body: true
issuers:
- issuer: https://idp.example
  jwks_uri: https://idp.example/jwks
)";
  seeds["settings_file"] = {
      {"small", small},
      {"everything", R"(version: 1
listen: ["127.0.0.1:9180", "[::1]:9180", unix:run/check.sock]
admin_listen: unix:/run/admin.sock
threads: 3
ca_file: ca.pem
policy_file: policy.yaml
shadow_policy_file: ./next/policy.yaml
policy_claims: [department, /org/tier]
servers:
- name: files
  uri: https://mcp.example/files
  proxy: haproxy
  sees_body: true
  audiences: [files]
  issuers: [https://a.example/x, https://b.example, https://c.example, https://d.example, https://e.example]
  opaque_token_issuer: https://a.example/x
  authorization_servers: https://login.example
  scopes_supported: [files:read]
  resource_name: Files
  resource_documentation: https://docs.example/files
- {name: trusting, uri: https://mcp.example/t, proxy: nginx, dangerous_trust_mcp_headers: server 2.0}
- {name: one-tool, uri: https://mcp.example/1, proxy: caddy, decide_as_tool: search}
issuers:
- issuer: https://a.example/{tenantid}
  tenants: [x, y]
  discovery: true
  metadata_tenant: organizations
  discovery_hosts: [keys.example, "keys.example:8443"]
  signed_jwks_keys: |
    {"keys": []}
  private_network: true
  algorithms: [RS256, EdDSA]
  scope_wildcards: true
  leeway: 0s
  token_age_max: none
  token_lifetime_max: 15m
  profile:
    name: lenient
    types: [a, b]
    missing_type_allowed: true
    any_type: true
    id_tokens: true
    issued_at_required: false
    subject_required: false
    client_required: false
    jwt_id_required: false
    audience_claim: client
    client_claims: c
    scope_claims: [s, t]
    role_claims: "/r/*/roles"
    must_equal: {token_use: access}
    service_marks: {gty: [client-credentials, ""], x: ""}
    service_subject_suffix: "@clients"
    user_claim: scp
    key_issuer: https://keys.example/{tenantid}
    discovery_hosts: login.example
  introspection:
    endpoint: https://a.example/{tenantid}/introspect
    authentication: bearer
    client_id: gate
    client_secret_file: secret
    signed_response: true
    response_audience: us
    introspection_scoped_to_us: true
    in_flight_max: 3
    waiting_max: 0
- issuer: https://b.example
  jwks: '{"keys": []}'
  introspection:
    endpoint: https://b.example/introspect
    authentication: private_key_jwt
    client_id: gate
    client_assertion_file: run/assertion
- issuer: https://c.example
  jwks_file: keys.json
  fallbacks: [{jwks_uri: https://c.example/jwks}, {jwks_file: more.json}]
  introspection:
    endpoint: https://c.example/introspect
    authentication: tls_client_auth
    client_id: gate
    client_certificate_file: cert.pem
    client_key_file: cert.key
- issuer: https://d.example
  signed_jwks_uri: https://d.example/signed
  signed_jwks_keys: '{"keys": []}'
- issuer: https://e.example
  discovery: true
  introspection:
    {discovery: true, client_id: gate, client_secret_file: secret, authentication: client_secret_post}
- {issuer: https://f.example, jwks_uri: https://f.example/jwks, profile: keycloak}
issuers_max: 9
bounds:
  connections_max: 7
  header_max: 16KiB
  body_max: 2MiB
  request_timeout: 1s
  idle_timeout: 5m
  wait_max: 250ms
  drain_max: 1m
timing:
  refresh_min: 2m
  refresh_max: 20m
  cooldown: 90s
  staleness_bound: 2h
  backoff_min: 500ms
  backoff_cap: 2m
  verdict_age_max: 5m
  fetch_timeout: 4s
  metadata_age_max: 2h
  file_interval: 10s
  introspection_timeout: 3s
  active_age_max: 30s
  inactive_age_max: 20s
  host_interval: 100ms
  jitter_percent: 10
  host_burst: 9
verification_limits: {in_flight_max: 20, in_flight_per_issuer_max: 10, in_vain_percent_max: 50}
verdict_cache: 1GiB
introspection_cache: 128KiB
snapshot: {path: state/keys, key_file: state/key}
audit:
  sink: file
  path: log/audit.jsonl
  mode: 0640
  sync: each_write
  rotated_path: log/audit.old
  key_file: key
  ring: 64KiB
  threads_max: 16
  sample_one_in: 10
  checkpoint_interval: 1h
dangerous: {dangerous_allow_http_on_loopback: true, dangerous_accept_id_tokens: true}
)"},
      {"syslog", small + "audit: {sink: syslog, facility: 4}\n"},
      {"template", R"(version: 1
listen: "[::1]:9180"
policy_file: p.yaml
servers: {name: a, uri: https://mcp.example, proxy: nginx, decide_as_tool: search,
          authorization_servers: https://l.example}
issuers: {issuer: "https://l.example/{tenantid}/v2.0", tenants: [t], discovery: true, profile: entra-v2}
)"},
      {"unknown-key", small + "threds: 1\n"},
      {"no-tool", R"(version: 1
listen: unix:s.sock
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: caddy, decide_as_tool: serch}]
issuers: [{issuer: https://idp.example, discovery: true}]
)"},
      {"body-behind-nginx", R"(version: 1
listen: 127.0.0.1:1
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: nginx, sees_body: true}]
issuers: [{issuer: https://idp.example, discovery: true}]
)"},
      {"secret-inside", small + "audit: {sink: stdout, key: s3cret-s3cret-s3cret-s3cret-s3cret}\n"},
      {"secret-gone", small + "audit: {sink: stdout, key_file: gone}\n"},
      {"secret-of-two-lines",
       small +
           "  introspection: {endpoint: https://idp.example/i, client_id: c, client_secret_file: lines}\n"},
      {"issuer-of-two-lines", R"(version: 1
listen: 127.0.0.1:1
policy_file: p.yaml
servers: [{name: a, uri: https://mcp.example/a, proxy: envoy, sees_body: true, issuers: abcd}]
issuers: [{issuer: "a\nbcd", discovery: true}]
)"},
      {"admin-for-all", small + "admin_listen: 0.0.0.0:9181\n"},
      {"timing", small + "timing: {refresh_min: 1h, refresh_max: 1m}\n"},
      {"alias", "version: 1\nlisten: &a x\npolicy_file: *a\n"},
      {"list", "- version\n- 1\n"},
      {"empty", ""}};
}

}  // namespace

void AddTollgatedSeeds(Seeds& seeds) {
  AddTollgatedQuestion(seeds);
  AddSettings(seeds);
}

}  // namespace tollgate::fuzz
