// Seeds of the targets for policy.

#include <random>
#include <string>

#include "fuzz/seeds/seeds.h"

namespace tollgate::fuzz {
namespace {

void AddPolicy(Seeds& seeds) {
  // Its inputs choose; whatever they choose is as good as anything else.
  std::mt19937 random(1);
  for (int i = 0; i < 48; ++i) {
    std::string& bytes = seeds["policy_matrix"]["random-" + std::to_string(i)];
    for (int n = 0; n < 160; ++n) bytes += static_cast<char>(random() & 0xff);
  }
  seeds["policy_matrix"]["nothing"] = "";
}

void AddPolicyFile(Seeds& seeds) {
  const std::string tools = "version: 1\nservers:\n  - uri: https://mcp.example/mcp\n    tools:\n";
  seeds["policy_file"] = {
      {"everything", R"(version: 1
classes:
  read: {token_lifetime_max: none}
  payment:
    mode: introspect
    token_age_max: 90s
    introspection_age_max: 1h
    outage: {last_known: 5m}
    acr: [urn:x:strong, "2"]
    amr: otp
    principals: [user]
    credentials: [jwt]
    sender_constraint: false
    audit: must_record
scopes:
  files:admin: ["files:*"]
  files:read: []
  files:write: files:read
roles:
  sales: files:read
  chef:
    scopes: [files:*]
    principals: [user, agent]
    from:
      - {issuer: https://idp.example, value: crm-chef}
      - boss
servers:
  - uri: https://mcp.example/crm
    methods: {ping: files:read, logging/setLevel: {roles: chef}}
    tools:
      search: files:read
      pay:
        scopes: [files:read, files:write]
        class: payment
        when:
          - {claim: /org/tier, in: [gold, platinum]}
          - {claim: email_verified, equals: true}
          - {claim: email, prefix: "ops-"}
          - {claim: groups, contains: [a, b]}
          - {claim: department, present: true}
        systems: [sap]
    prompts: {greet: {any_valid_token: true}}
    resources: {"crm://accounts/{id}": files:read, file:///docs/*: files:read}
  - protocol: deny
    tools: {search: [files:admin]}
)"},
      {"json", R"({"version":"1","servers":[{"protocol":"deny","tools":{"t":["s"],"\u00e9\"\\":"u"}}]})"},
      {"short", "version: 1\nservers: [{tools: {t: s}}]\n"},
      {"block-scalars", tools + "      t: |-\n        s\n      ? u\n      : >-\n        v\n"},
      {"line-ends", "\xEF\xBB\xBFversion: 1\r\nservers:\r\n- tools: {t: 's'}\r\n...\r\n"},
      {"words-of-yaml-1.1", tools + "      no: yes\n      \"true\": [on, 012, 1.0]\n"},
      {"warnings", "version: 1\nscopes: {s: [], unused: []}\nservers: [{tools: {t: s}}]\n"},
      {"alias", tools + "      t: &a [s]\n      u: *a\n"},
      {"merge-key", tools + "      <<: {t: s}\n"},
      {"tag", tools + "      t: !!str s\n"},
      {"directive", "%YAML 1.1\n---\nversion: 1\n"},
      {"two-documents", "version: 1\n---\nversion: 1\n"},
      {"twice", tools + "      t: s\n      t: u\n"},
      {"slips", "version: 1\nservers:\n  - tolls: {t: s}\n    tools: {u: {scpoes: s}, v: true}\n"},
      {"unknown-scope", "version: 1\nscopes: {a: []}\nservers: [{tools: {t: b}}]\n"},
      {"open-quote", tools + "      t: \"s\n"},
      {"deep", std::string(40, '[') + std::string(40, ']')},
      {"unknown-escape", tools + "      t: \"\\\xC3\xA9\"\n"},
      {"empty-lists", tools + "      t: {scopes: s, roles: [], principals: []}\n"},
      {"deep-block", "- - - - - - - - - - - - - - - - - - x\n"},
      {"no-utf8", tools + "      t: \xFF\n"},
      {"nul", std::string("version: 1\0\n", 12)},
      {"empty", ""}};
}

void AddResourcePattern(Seeds& seeds) {
  seeds["resource_pattern"] = {
      {"exact", "file:///docs/a.md\nfile:///docs/a.md"},
      {"template", "users://{id}/profile\nusers://alice/profile"},
      {"template-own-text", "users://{id}/profile\nusers://{id}/profile"},
      {"template-repeats", "a://h/{x}b/{y}\na://h/abab/c"},
      {"template-of-a-server",
       "https://{tenant}.crm.example/contacts/{id}\nhttps://a.crm.example/contacts/%C3%A9"},
      {"prefix", "file:///docs/*\nfile:///docs/a/b%20c"},
      {"prefix-with-variables", "repo://{owner}/{name}/*\nrepo://me/it/src/main.cc"},
      {"query", "db://t?table=public&limit={n}\ndb://t?table=public&limit=5"},
      {"address", "http://{a}.0.1/*\nhttp://127.0.0.1/a"},
      {"rootless", "urn:isbn:{number}\nurn:isbn:0451450523"},
      {"another-spelling", "file:///docs/*\nfile:///docs/secre%74"},
      {"address-of-another-spelling", "http://{a}.1/*\nhttp://127.1/a"},
      {"dot-segment", "file:///docs/{a}/{b}\nfile:///docs/../b"},
      {"matrix", "file:///docs/*\nfile:///docs/..;a/b"},
      {"overlong", "file:///docs/*\nfile:///docs/..%C0%AFb"},
      {"more-parameters", "db://t?limit={n}\ndb://t?limit=5&table=secret"},
      {"default-port", "https://{a}.h/*\nhttps://a.h:443/b"},
      {"nothing-for-a-variable", "a://h/{x}-{y}\na://h/-b"},
      {"no-pattern", "a://h/{x}{y}\na://h/ab"},
      {"empty", ""}};
}

}  // namespace

void AddPolicySeeds(Seeds& seeds) {
  AddPolicy(seeds);
  AddPolicyFile(seeds);
  AddResourcePattern(seeds);
}

}  // namespace tollgate::fuzz
