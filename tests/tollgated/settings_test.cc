#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <regex>
#include <set>
#include <string>
#include <vector>

#include "tests/keys/fake_files.h"
#include "tests/tollgated/settings_fixture.h"
#include "tools/tollgated/settings_file.h"
#include "tools/tollgated/settings_keys.h"

namespace tollgate::tollgated {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::Pair;
using ::testing::SizeIs;

class SettingsTest : public ::testing::Test {
 protected:
  SettingsTest() { PutSecrets(files_); }

  Settings Parsed(const std::string& yaml) {
    std::vector<PolicyFileFinding> findings;
    absl::StatusOr<Settings> settings = ParseSettings(yaml, kDirectory, files_, &findings);
    EXPECT_TRUE(settings.ok()) << settings.status() << "\n" << yaml;
    return settings.ok() ? *std::move(settings) : Settings();
  }

  FakeFiles files_;
};

TEST_F(SettingsTest, ASmallConfigurationHasTheDefaultsOfTheCode) {
  const Settings settings = Parsed(kSmall);
  EXPECT_THAT(settings.listen, ElementsAre("127.0.0.1:9180"));
  EXPECT_EQ(settings.policy_file, "/etc/tollgate/policy.yaml");
  ASSERT_THAT(settings.servers, SizeIs(1));
  EXPECT_EQ(settings.servers[0].name, "files");
  EXPECT_EQ(settings.servers[0].proxy, Proxy::kEnvoy);
  EXPECT_TRUE(settings.servers[0].sees_body);
  ASSERT_THAT(settings.engine.resources, SizeIs(1));
  EXPECT_EQ(settings.engine.resources[0].uri, "https://mcp.example/files");
  ASSERT_THAT(settings.engine.issuers, SizeIs(1));
  EXPECT_EQ(settings.engine.issuers[0].issuer, "https://idp.example");
  // Nothing else differs.
  std::vector<std::string> differences;
  Compare(SettingsKeys(), settings, Settings(), "", &differences);
  EXPECT_THAT(differences, ElementsAre("listen", "policy_file", "servers"));
  differences.clear();
  Compare(IssuerKeys(), settings.engine.issuers[0], IssuerConfig(), "", &differences);
  EXPECT_THAT(differences, ElementsAre("issuer", "jwks_uri"));
}

std::string ReadSource(const std::string& path) {
  std::ifstream file(std::string(TOLLGATE_SOURCE_DIR) + "/" + path);
  EXPECT_TRUE(file) << path;
  return {std::istreambuf_iterator<char>(file), {}};
}

// Every key with another value than the default. What excludes each other is in different issuers.
std::string Everything() { return ReadSource("fuzz/corpus/settings_file/everything"); }

constexpr char kEverythingPolicy[] = R"(version: 1
servers:
- {uri: https://mcp.example/files, tools: {search: files:read}}
- {uri: https://mcp.example/t, tools: {search: files:read}}
- {uri: https://mcp.example/1, tools: {search: files:read}}
)";

// KeysOf returns the names in a table's rows.
std::set<std::string> KeysOf(const KeyTable& table) {
  std::set<std::string> names;
  for (const std::string& row : table.rows) names.insert(row.substr(3, row.find('`', 3) - 3));
  return names;
}

TEST_F(SettingsTest, EveryKeyIsRead) {
  files_.Put("/etc/tollgate/policy.yaml", {.bytes = kEverythingPolicy});
  files_.Put("/etc/tollgate/next/policy.yaml", {.bytes = kEverythingPolicy});
  const Settings settings = Parsed(Everything());
  std::vector<std::string> paths, issuer_paths, server_paths;
  Compare(SettingsKeys(), settings, Settings(), "", &paths);
  for (const IssuerConfig& issuer : settings.engine.issuers)
    Compare(IssuerKeys(), issuer, IssuerConfig(), "", &issuer_paths);
  for (size_t i = 0; i < settings.servers.size(); ++i)
    Compare(ServerKeys(), ServerPartOf(settings, i), ServerPart(), "", &server_paths);
  const std::set<std::string> read(paths.begin(), paths.end()),
      issuers(issuer_paths.begin(), issuer_paths.end()), servers(server_paths.begin(), server_paths.end());
  // What is compared in another way, or is for another sink.
  const std::set<std::string> elsewhere = {
      "version",  "issuers", "bounds",    "timing",  "verification_limits",
      "snapshot", "audit",   "dangerous", "profile", "introspection"};
  const std::set<std::string> of_sink = {"path", "mode", "sync", "rotated_path", "facility"};
  for (const KeyTable& table : KeyTables()) {
    const std::string heading(table.heading);
    for (const std::string& key : KeysOf(table)) {
      if (elsewhere.contains(key) || heading == "fallbacks" || (heading == "audit" && of_sink.contains(key)))
        continue;
      if (heading == "issuers") {
        EXPECT_TRUE(issuers.contains(key)) << key;
      } else if (heading == "servers") {
        EXPECT_TRUE(servers.contains(key)) << key;
      } else if (heading == "profile" || heading == "introspection") {
        EXPECT_TRUE(issuers.contains(heading + "." + key)) << heading << "." << key;
      } else {
        const std::string path = heading == "The file" ? key : heading + "." + key;
        EXPECT_TRUE(read.contains(path)) << path;
      }
    }
  }
}

TEST_F(SettingsTest, ValuesAreWhatTheySay) {
  files_.Put("/etc/tollgate/policy.yaml", {.bytes = kEverythingPolicy});
  files_.Put("/etc/tollgate/next/policy.yaml", {.bytes = kEverythingPolicy});
  const Settings settings = Parsed(Everything());
  ASSERT_THAT(settings.engine.issuers, SizeIs(6));
  const IssuerConfig& a = settings.engine.issuers[0];
  EXPECT_THAT(a.tenants, ElementsAre("x", "y"));
  EXPECT_EQ(a.leeway_s, 0);
  EXPECT_EQ(a.token_age_max_s, 0);
  EXPECT_EQ(a.token_lifetime_max_s, 900);
  EXPECT_EQ(a.algorithms, AlgorithmSet(Algorithm::kRs256, Algorithm::kEdDsa));
  EXPECT_EQ(a.profile.name, "lenient");
  EXPECT_THAT(a.profile.service_marks,
              ElementsAre(Pair("gty", "client-credentials"), Pair("gty", ""), Pair("x", "")));
  EXPECT_EQ(a.introspection.client_secret, "s3cret");  // Without the line break.
  EXPECT_EQ(a.introspection.authentication, ClientAuthentication::kBearer);
  EXPECT_THAT(settings.engine.issuers[2].fallbacks,
              ElementsAre(KeyPlace{.jwks_uri = "https://c.example/jwks"},
                          KeyPlace{.jwks_file = "/etc/tollgate/more.json"}));
  EXPECT_EQ(settings.engine.issuers[2].jwks_file, "/etc/tollgate/keys.json");
  EXPECT_EQ(settings.engine.issuers[5].profile.role_claims, Profile::Keycloak().role_claims);
  EXPECT_THAT(settings.listen,
              ElementsAre("127.0.0.1:9180", "[::1]:9180", "unix:/etc/tollgate/run/check.sock"));
  EXPECT_EQ(settings.admin_listen, "unix:/run/admin.sock");
  EXPECT_EQ(settings.shadow_policy_file, "/etc/tollgate/next/policy.yaml");
  EXPECT_EQ(settings.engine.timing.backoff_min_ms, 500);
  EXPECT_EQ(settings.bounds.wait_max.count(), 250);
  EXPECT_EQ(settings.bounds.header_bytes_max, 16'384u);
  EXPECT_EQ(settings.engine.verdict_cache_bytes, size_t{1} << 30);
  EXPECT_EQ(settings.engine.snapshot.key_file, "/etc/tollgate/state/key");
  EXPECT_EQ(settings.engine.audit.key, std::string(32, '\n'));  // As it is.
  EXPECT_NE(settings.engine.audit.sink, nullptr);
  EXPECT_EQ(settings.audit_sink, "file /etc/tollgate/log/audit.jsonl 416 1 /etc/tollgate/log/audit.old");
  EXPECT_THAT(settings.secret_files,
              ElementsAre("/etc/tollgate/secret", "/etc/tollgate/secret", "/etc/tollgate/key"));
  EXPECT_EQ(settings.servers[1].dangerous_trust_mcp_headers, "server 2.0");
  EXPECT_EQ(settings.servers[2].decide_as_tool, "search");
}

TEST_F(SettingsTest, AuditGoesToStandardOutputOrSyslogToo) {
  EXPECT_EQ(Parsed(std::string(kSmall) + "audit: {sink: stdout}\n").audit_sink, "stdout");
  EXPECT_EQ(Parsed(std::string(kSmall) + "audit: {sink: syslog}\n").audit_sink, "syslog /dev/log 13");
  EXPECT_EQ(Parsed(std::string(kSmall) + "audit: {sink: syslog, path: /run/log, facility: 4}\n").audit_sink,
            "syslog /run/log 4");
}

TEST_F(SettingsTest, MetadataNamesTheIssuersThatAreAccepted) {
  EXPECT_THAT(Parsed(kSmall).servers[0].authorization_servers, ElementsAre("https://idp.example"));
  const std::string two =
      std::string(kSmall) + "- {issuer: https://b.example, jwks_uri: https://b.example/jwks}\n";
  EXPECT_THAT(Parsed(two).servers[0].authorization_servers,
              ElementsAre("https://idp.example", "https://b.example"));
  EXPECT_THAT(Parsed(With(two, "sees_body: true", "sees_body: true\n  issuers: https://b.example"))
                  .servers[0]
                  .authorization_servers,
              ElementsAre("https://b.example"));
}

TEST_F(SettingsTest, AnAssertionIsReadWhenItIsNeeded) {
  const Settings settings = Parsed(std::string(kSmall) + R"(  introspection:
    {endpoint: https://idp.example/i, authentication: private_key_jwt, client_id: c,
     client_assertion_file: gone}
)");
  const IntrospectionConfig& introspection = settings.engine.issuers[0].introspection;
  ASSERT_NE(introspection.client_assertion.target<AssertionFile>(), nullptr);
  EXPECT_EQ(introspection.client_assertion.target<AssertionFile>()->path, "/etc/tollgate/gone");
  const std::string path = ::testing::TempDir() + "tollgated_assertion";
  std::ofstream(path) << "eyJ.e30.c2ln\n";
  EXPECT_EQ(AssertionFile{path}(), "eyJ.e30.c2ln");
  EXPECT_EQ(std::remove(path.c_str()), 0);
  EXPECT_EQ(AssertionFile{path}(), "");
}

// Anything becomes any member.
struct Anything {
  template <typename Member>
  operator Member() const;  // NOLINT(google-explicit-constructor)
};
template <typename T, typename... Members>
constexpr size_t NumMembers() {
  if constexpr (requires { T{Members{}..., Anything{}}; }) {
    return NumMembers<T, Members..., Anything>();
  } else {
    return sizeof...(Members);
  }
}

size_t NumKeys(std::string_view heading) {
  for (const KeyTable& table : KeyTables()) {
    if (table.heading == heading) return table.rows.size();
  }
  return 0;
}

// Whoever adds a member to a configuration is reminded of its key.
TEST(SettingsKeysTest, EveryMemberHasAKey) {
  // Beside the version. Resources are among the servers, the policy is in a file, and what is not configured.
  EXPECT_EQ(NumKeys("The file"), 1 + (NumMembers<Config>() - 2) + (NumMembers<Settings>() - 3));
  EXPECT_EQ(NumKeys("servers"), NumMembers<ServerSettings>() + NumMembers<ResourceConfig>());
  EXPECT_EQ(NumKeys("issuers"), NumMembers<IssuerConfig>());
  EXPECT_EQ(NumKeys("fallbacks"), NumMembers<KeyPlace>());
  EXPECT_EQ(NumKeys("profile"), NumMembers<Profile>());
  EXPECT_EQ(NumKeys("introspection"), NumMembers<IntrospectionConfig>());
  EXPECT_EQ(NumKeys("bounds"), NumMembers<Bounds>());
  EXPECT_EQ(NumKeys("timing"), NumMembers<Timing>());
  EXPECT_EQ(NumKeys("verification_limits"), NumMembers<VerificationLimits>());
  EXPECT_EQ(NumKeys("snapshot"), NumMembers<SnapshotConfig>() - 2);  // No key in it; who shares it is known.
  // File and syslog share `path`.
  EXPECT_EQ(NumKeys("audit"),
            NumMembers<AuditConfig>() + NumMembers<AuditFile>() + NumMembers<AuditSyslog>() - 1);
  EXPECT_EQ(NumKeys("dangerous"), NumMembers<DangerousOptions>());
}

// docs/configuration.md has each key, its type and default, and no other.
TEST(SettingsDocumentTest, HasTheKeysOfTheCode) {
  const std::string document = ReadSource("docs/configuration.md");
  size_t num_rows = 0;
  for (const KeyTable& table : KeyTables()) {
    const bool is_part = table.heading != "The file";
    const std::string heading =
        is_part ? "\n## `" + std::string(table.heading) + "`\n" : "\n## " + std::string(table.heading) + "\n";
    EXPECT_THAT(document, HasSubstr(heading));
    std::string rows = "| key | type | default | meaning |\n|---|---|---|---|\n";
    for (const std::string& row : table.rows) rows += row + "\n";
    EXPECT_NE(document.find(rows, document.find(heading)), std::string::npos) << "is to have:\n" << rows;
    num_rows += table.rows.size();
  }
  const std::regex row("(^|\n)\\| `");
  EXPECT_EQ(
      static_cast<size_t>(std::distance(std::sregex_iterator(document.begin(), document.end(), row), {})),
      num_rows);
}

TEST_F(SettingsTest, TheExampleWithinTheDocumentIsOne) {
  const std::string document = ReadSource("docs/configuration.md"), fence = "```";
  const size_t begin = document.find(fence + "yaml\n");
  ASSERT_NE(begin, std::string::npos);
  const size_t from = begin + fence.size() + 5;
  const std::string yaml = document.substr(from, document.find(fence, from) - from);
  EXPECT_EQ(document.find(fence + "yaml\n", from), std::string::npos);  // There is one.
  const absl::StatusOr<Settings> settings = CheckSettings(yaml, kDirectory, files_);
  EXPECT_TRUE(settings.ok()) << settings.status();
}

TEST_F(SettingsTest, TheExampleBesideTheDocumentIsAWholeOne) {
  files_.Put("/etc/tollgate/crm.yaml", {.bytes = ReadSource("docs/examples/crm.yaml")});
  files_.Put("/etc/tollgate/introspection.secret", {.bytes = "s3cret\n"});
  files_.Put("/etc/tollgate/audit.key", {.bytes = std::string(32, 'k')});
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<Settings> settings =
      CheckSettings(ReadSource("docs/examples/tollgated.yaml"), kDirectory, files_, &findings);
  ASSERT_TRUE(settings.ok()) << settings.status();
  for (const PolicyFileFinding& finding : findings) ADD_FAILURE() << finding.line << ": " << finding.message;
  EXPECT_EQ(settings->engine.resources[0].uri, "https://mcp.example/crm");
  EXPECT_TRUE(settings->servers[0].sees_body);
  EXPECT_TRUE(settings->engine.issuers[0].introspection.discovery);
  EXPECT_EQ(settings->engine.issuers[0].profile.name, "keycloak");
}

// A mistake: what stands in the place of a part of kSmall, where it is found, and words of what is said.
struct Mistake {
  const char* what;
  const char* with;
  size_t line;
  size_t column;
  const char* words;
};

class SettingsMistakeTest : public SettingsTest, public ::testing::WithParamInterface<Mistake> {};

TEST_P(SettingsMistakeTest, IsRefusedWhereItStands) {
  const Mistake& mistake = GetParam();
  const std::string yaml = With(kSmall, mistake.what, mistake.with);
  std::vector<PolicyFileFinding> findings;
  const absl::StatusOr<Settings> settings = CheckSettings(yaml, kDirectory, files_, &findings);
  ASSERT_FALSE(settings.ok()) << yaml;
  const auto error = std::find_if(findings.begin(), findings.end(), [](const auto& f) { return f.is_error; });
  ASSERT_NE(error, findings.end());
  EXPECT_THAT(error->message, HasSubstr(mistake.words));
  EXPECT_EQ(error->line, mistake.line) << error->message;
  EXPECT_EQ(error->column, mistake.column) << error->message;
  EXPECT_EQ(settings.status().message(), "line " + std::to_string(error->line) + ", column " +
                                             std::to_string(error->column) + ": " + error->message);
  EXPECT_EQ(error->message.find('\n'), std::string::npos);
}

INSTANTIATE_TEST_SUITE_P(
    Form, SettingsMistakeTest,
    ::testing::Values(
        Mistake{"version: 1\n", "", 1, 1, "\"version\" is missing"},
        Mistake{"version: 1", "version: 2", 1, 10, "version is not known"},
        Mistake{"version: 1", "version: 1\nlissten: x", 2, 1,
                "a configuration has no \"lissten\", did you mean \"listen\"?"},
        Mistake{"version: 1", "version: 1\nversion: 1", 2, 1, "\"version\" is there twice"},
        Mistake{"version: 1", "version: 1\nbounds: {idle_timout: 1s}", 2, 10,
                "did you mean \"idle_timeout\"?"},
        Mistake{"version: 1", "version: 1\nbounds: {idle_timeout: 90}", 2, 24, "a duration, 1ms – 1h"},
        Mistake{"version: 1", "version: 1\nbounds: {idle_timeout: 2h}", 2, 24, "a duration, 1ms – 1h"},
        Mistake{"version: 1", "version: 1\nbounds: {body_max: 1MB}", 2, 20, "a size, 0B – 64MiB"},
        Mistake{"version: 1", "version: 1\nbounds: {connections_max: 0}", 2, 27, "a number, 1 – "},
        Mistake{"version: 1", "version: 1\nbounds: {connections_max: -1}", 2, 27, "a number, 1 – "},
        Mistake{"version: 1", "version: 1\nbounds: []", 2, 9, "a map is expected"},
        Mistake{"version: 1", "version: 1\ntiming: {jitter_percent: 51}", 2, 26, "a number, 0 – 50"},
        Mistake{"version: 1", "version: 1\nthreads: many", 2, 10, "a number, 0 – 1024"},
        Mistake{"version: 1", "version: 1\ndangerous: {dangerous_accept_id_tokens: yes}", 2, 41,
                "true or false"},
        Mistake{"version: 1", "version: 1\nca_file: /etc/", 2, 10, "the path of a file"},
        Mistake{"policy_file: policy.yaml\n", "", 1, 1, "\"policy_file\" is missing"},
        Mistake{"policy_file: policy.yaml", "policy_file:", 3, 1, "\"policy_file\" has no value"},
        Mistake{"  uri: https://mcp.example/files\n", "", 5, 3, "\"uri\" is missing"},
        Mistake{"proxy: envoy", "proxy: envoi", 7, 10,
                "one of nginx, envoy, traefik, caddy, haproxy, nginx_module is expected here, did you mean "
                "\"envoy\"?"},
        Mistake{"- issuer: https://idp.example\n  jwks", "- jwks", 10, 3, "\"issuer\" is missing"},
        Mistake{"jwks_uri: https", "profile: key_cloak\n  jwks_uri: https", 11, 12,
                "did you mean \"keycloak\"?"},
        Mistake{"jwks_uri: https", "profile: {name: oktas}\n  jwks_uri: https", 11, 19,
                "did you mean \"okta\"?"},
        Mistake{"jwks_uri: https", "profile: {role_claim: r}\n  jwks_uri: https", 11, 13,
                "did you mean \"role_claims\"?"},
        Mistake{"jwks_uri: https", "algorithms: [RS256, HS256]\n  jwks_uri: https", 11, 23, "one of RS256,"},
        Mistake{"jwks_uri: https", "leeway: 1500ms\n  jwks_uri: https", 11, 11, "whole seconds"},
        Mistake{"jwks_uri: https", "leeway: 6m\n  jwks_uri: https", 11, 11, "a duration, 0ms – 5m"}));

INSTANTIATE_TEST_SUITE_P(
    Rules, SettingsMistakeTest,
    ::testing::Values(
        Mistake{"listen: 127.0.0.1:9180", "listen: []", 2, 9, "at least one address"},
        Mistake{"listen: 127.0.0.1:9180", "listen: localhost:9180", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: 127.0.0.1", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: 127.0.0.1:0", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: 127.0.0.1:65536", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: \"[::1:9180\"", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: \"::1:9180\"", 2, 9, "an address and a port"},
        Mistake{"listen: 127.0.0.1:9180", "listen: \"unix:\"", 2, 9, "the path of a socket"},
        Mistake{"listen: 127.0.0.1:9180", "listen: [127.0.0.1:1, 127.0.0.1:1]", 2, 23, "is there already"},
        Mistake{"version: 1", "version: 1\nadmin_listen: 0.0.0.0:9181", 2, 15, "has to be loopback"},
        Mistake{"version: 1", "version: 1\nadmin_listen: \"[::]:9181\"", 2, 15, "has to be loopback"},
        Mistake{"version: 1", "version: 1\nadmin_listen: \"\"", 2, 15, "an address and a port"},
        Mistake{"version: 1", "version: 1\nadmin_listen: 127.0.0.1:9180", 2, 15,
                "proxies ask at this address"},
        Mistake{"name: files", "name: Files", 5, 9, "1 to 64 of a-z"},
        Mistake{"name: files", "name: a/b", 5, 9, "1 to 64 of a-z"},
        Mistake{"uri: https://mcp.example/files", "uri: http://mcp.example/files", 6, 8,
                "https:// is expected"},
        Mistake{"uri: https://mcp.example/files", "uri: https://MCP.example/files", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: https://mcp.example:443/files", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: https://mcp.example/files/", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: https://mcp.example/a/../files", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: \"https://mcp.example/files#x\"", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: https://u@mcp.example/files", 6, 8, "canonical"},
        Mistake{"uri: https://mcp.example/files", "uri: https://mcp.example/{x}", 6, 8, "its metadata"},
        Mistake{"  sees_body: true\n", "", 5, 3, "exactly one of sees_body: true,"},
        Mistake{"sees_body: true", "sees_body: true\n  decide_as_tool: search", 5, 3, "exactly one of"},
        Mistake{"proxy: envoy", "proxy: nginx", 8, 14, "never show the body"},
        Mistake{"proxy: envoy", "proxy: caddy", 8, 14, "never show the body"},
        Mistake{"sees_body: true", "decide_as_tool: serch", 8, 19,
                "no rule for the tool \"serch\" here, did you mean \"search\"?"},
        Mistake{"sees_body: true", "sees_body: true\n  issuers: https://idp.exampel", 9, 12,
                "did you mean \"https://idp.example\"?"},
        Mistake{"sees_body: true", "sees_body: true\n  opaque_token_issuer: https://x.example", 9, 24,
                "there is no issuer of this name"},
        Mistake{"sees_body: true", "sees_body: true\n  authorization_servers: http://a.example", 9, 26,
                "https URLs are expected"},
        Mistake{"sees_body: true",
                "sees_body: true\n  authorization_servers: \"http://localhost:1@a.example\"", 9, 26,
                "https URLs are expected"},
        Mistake{"sees_body: true", "sees_body: true\n  scopes_supported: \"files:read files:write\"", 9, 21,
                "scopes are expected"},
        Mistake{"issuers:\n",
                "- {name: files, uri: https://b.example, proxy: envoy, sees_body: true}\nissuers:\n", 9, 10,
                "of this name already"},
        Mistake{"issuers:\n",
                "- {name: b, uri: https://mcp.example/files, proxy: envoy, sees_body: true}\nissuers:\n", 9,
                18, "of this URI already"},
        Mistake{"issuers:\n", "issuers:\n- {issuer: https://idp.example, discovery: true}\n", 11, 11,
                "this issuer is there already"},
        Mistake{"- issuer: https://idp.example", "- issuer: idp.example", 5, 3,
                "\"authorization_servers\" is missing"},
        Mistake{"jwks_uri: https", "introspection: {client_id: x}\n  jwks_uri: https", 11, 18,
                "where is it?"},
        Mistake{"version: 1", "version: 1\naudit: {sink: file}", 2, 8, "\"path\" is missing"},
        Mistake{"version: 1", "version: 1\naudit: {sink: stdout, path: x}", 2, 29, "has no path"},
        Mistake{"version: 1", "version: 1\naudit: {sink: syslog, mode: 0600}", 2, 29, "for the sink file"},
        Mistake{"version: 1", "version: 1\naudit: {sink: stdout, facility: 1}", 2, 33, "for the sink syslog"},
        Mistake{"version: 1", "version: 1\naudit: {sink: file, path: x, mode: rw}", 2, 36, "permissions"}));

// The module in nginx has neither listeners nor a file to itself, and its workers share the snapshot.
TEST_F(SettingsTest, TheModuleInNginxHasRulesOfItsOwn) {
  const std::string without_snapshot =
      With(With(kSmall, "listen: 127.0.0.1:9180\n", ""), "proxy: envoy", "proxy: nginx_module");
  const std::string good = without_snapshot + "snapshot: {path: keys, key_file: key}\n";
  const auto first_error = [this](const std::string& yaml) {
    const absl::StatusOr<Settings> settings = ParseSettings(yaml, kDirectory, files_);
    return settings.ok() ? std::string() : std::string(settings.status().message());
  };
  const absl::StatusOr<Settings> settings = ParseSettings(good, kDirectory, files_);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_TRUE(settings->for_nginx_module());
  EXPECT_TRUE(settings->engine.snapshot.shared);
  EXPECT_TRUE(settings->servers.front().sees_body);
  EXPECT_THAT(first_error(without_snapshot), HasSubstr("\"snapshot\" is missing"));
  EXPECT_EQ(first_error(With(without_snapshot, "jwks_uri: https://idp.example/jwks", "jwks_file: jwks")), "");
  EXPECT_THAT(first_error(good + "listen: 127.0.0.1:1\n"), HasSubstr("asks no daemon"));
  EXPECT_THAT(first_error(good + "shadow_policy_file: policy.yaml\n"), HasSubstr("counters"));
  EXPECT_THAT(first_error(good + "audit: {sink: file, path: a}\n"), HasSubstr("cannot share a file"));
  EXPECT_EQ(first_error(good + "audit: {sink: stdout}\n"), "");
  EXPECT_THAT(first_error(With(kSmall, "listen: 127.0.0.1:9180\n", "")), HasSubstr("\"listen\" is missing"));
  const std::string other =
      "- {name: o, uri: https://mcp.example/o, proxy: envoy, sees_body: true}\nissuers:";
  EXPECT_THAT(first_error(With(good, "issuers:", other)), HasSubstr("for all servers"));
}

INSTANTIATE_TEST_SUITE_P(
    Files, SettingsMistakeTest,
    ::testing::Values(
        Mistake{"policy.yaml", "gone.yaml", 3, 14, "/etc/tollgate/gone.yaml: no such file"},
        Mistake{"policy.yaml", "secret", 3, 14, "/etc/tollgate/secret: line 1, column 1: a map is expected"},
        Mistake{"version: 1", "version: 1\nshadow_policy_file: key", 2, 21, "/etc/tollgate/key: line "},
        Mistake{"version: 1", "version: 1\naudit: {sink: stdout, key_file: gone}", 2, 33,
                "this file cannot be read: no such file"},
        Mistake{"version: 1", "version: 1\naudit: {sink: stdout, key_file: secret}", 2, 33,
                "less than 32 bytes"},
        Mistake{
            "jwks_uri: https",
            "introspection: {endpoint: https://i, client_id: c, client_secret_file: key}\n  jwks_uri: https",
            11, 74, "more than one line"}));

INSTANTIATE_TEST_SUITE_P(
    Engine, SettingsMistakeTest,
    ::testing::Values(
        Mistake{"version: 1", "version: 1\ntiming: {refresh_min: 1h}", 2, 23,
                "must not exceed refresh_max_ms"},
        Mistake{"version: 1", "version: 1\nsnapshot: {path: a, key_file: a}", 2, 31, "must not be path"},
        Mistake{"version: 1", "version: 1\naudit: {sink: stdout, ring: 65KiB}", 2, 29, "not a power of two"},
        Mistake{"version: 1", "version: 1\npolicy_claims: [\"/a~\"]", 2, 16, "no JSON pointer"},
        Mistake{"issuers:\n- issuer: https://idp.example\n  jwks_uri: https://idp.example/jwks\n",
                "issuers: []\n", 9, 10, "issuers: between 1"},
        Mistake{"  jwks_uri: https://idp.example/jwks\n", "", 10, 3, "needs exactly one of jwks_uri"},
        Mistake{"jwks_uri: https", "jwks_uri: http", 11, 13, "issuers[0].jwks_uri"},
        Mistake{"jwks_uri: https://idp.example/jwks", "jwks: '{}'", 11, 9, "issuers[0].jwks"},
        Mistake{"jwks_uri: https", "profile: dangerous-google-id-token\n  jwks_uri: https", 10, 3,
                "dangerous_accept_id_tokens"},
        Mistake{"jwks_uri: https", "introspection: {endpoint: https://idp.example/i}\n  jwks_uri: https", 11,
                18, "introspection.client_id"}));

TEST_F(SettingsTest, SecretsDoNotStandInTheFile) {
  const std::string secret = "hunter2-hunter2-hunter2-hunter2-hunter2";
  for (const std::string& mistake :
       {std::string(kSmall) + "  introspection: {endpoint: https://i, client_secret: " + secret + "}\n",
        std::string(kSmall) + "  introspection: {endpoint: https://i, client_secret_file: " + secret + "}\n",
        std::string(kSmall) + "audit: {sink: stdout, key: " + secret + "}\n",
        std::string(kSmall) + "snapshot: {path: /p, key: " + secret + "}\n",
        std::string(kSmall) + "threads: " + secret + "\n", std::string(kSmall) + "bounds: " + secret + "\n",
        std::string(kSmall) + "verdict_cache: " + secret + "\n",
        With(kSmall, "proxy: envoy", "proxy: " + secret)}) {
    std::vector<PolicyFileFinding> findings;
    const absl::StatusOr<Settings> settings = CheckSettings(mistake, kDirectory, files_, &findings);
    ASSERT_FALSE(settings.ok()) << mistake;
    EXPECT_THAT(std::string(settings.status().message()), Not(HasSubstr("hunter2")));
    for (const PolicyFileFinding& finding : findings) EXPECT_THAT(finding.message, Not(HasSubstr("hunter2")));
  }
  std::vector<PolicyFileFinding> findings;
  const std::string yaml = std::string(kSmall) + "audit: {sink: stdout, key: x}\n";
  EXPECT_FALSE(ParseSettings(yaml, kDirectory, files_, &findings).ok());
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_THAT(findings[0].message, HasSubstr("key_file names a file of it"));
}

TEST_F(SettingsTest, ASecretThatEverybodyMayReadIsAWarning) {
  files_.Put("/etc/tollgate/secret", {.mode = 0644, .bytes = "s3cret"});
  std::vector<PolicyFileFinding> findings;
  const std::string yaml =
      std::string(kSmall) +
      "  introspection: {endpoint: https://i.example/, client_id: c, client_secret_file: secret}\n";
  EXPECT_TRUE(ParseSettings(yaml, kDirectory, files_, &findings).ok());
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_FALSE(findings[0].is_error);
  EXPECT_THAT(findings[0].message, HasSubstr("everybody on this machine"));
}

TEST_F(SettingsTest, RulesForSingleToolsNeedToKnowTheTool) {
  const std::string one_tool = With(kSmall, "sees_body: true", "decide_as_tool: search");
  EXPECT_TRUE(ParseSettings(one_tool, kDirectory, files_).ok());
  // Rules for this server or for all of them that would never be asked.
  for (const char* server :
       {"{uri: https://mcp.example/files, tools: {search: a, delete: b}}",
        "{uri: https://mcp.example/files, tools: {search: a}, prompts: {plan: b}}",
        "{uri: https://mcp.example/files, tools: {search: a}, resources: {\"file:///x/*\": b}}",
        "{uri: https://mcp.example/files, tools: {search: a}, methods: {tools/list: b}}",
        "{uri: https://mcp.example/files, tools: {search: a}, methods: {ping: {any_valid_token: true, "
        "principals: "
        "user}}}",
        "{tools: {search: a, delete: b}}"}) {
    files_.Put("/etc/tollgate/policy.yaml",
               {.bytes = std::string("version: 1\nservers: [") + server + "]\n"});
    const absl::StatusOr<Settings> settings = ParseSettings(one_tool, kDirectory, files_);
    EXPECT_THAT(std::string(settings.status().message()),
                AllOf(HasSubstr("line 8, column 19: "), HasSubstr("would never be asked"),
                      HasSubstr("need sees_body or dangerous_trust_mcp_headers")))
        << server;
    EXPECT_TRUE(ParseSettings(kSmall, kDirectory, files_).ok()) << server;
    const std::string trusting = With(kSmall, "sees_body: true", "dangerous_trust_mcp_headers: server 2.0");
    EXPECT_TRUE(ParseSettings(trusting, kDirectory, files_).ok()) << server;
  }
  // Those of another server are asked there.
  files_.Put("/etc/tollgate/policy.yaml",
             {.bytes = "version: 1\nservers: [{uri: https://mcp.example/files, tools: {search: a}}, "
                       "{uri: https://mcp.example/other, tools: {delete: b}}]\n"});
  EXPECT_TRUE(ParseSettings(one_tool, kDirectory, files_).ok());
}

TEST_F(SettingsTest, AHostHasEitherSpellingOfItsRoot) {
  for (const char* uri : {"https://mcp.example", "https://mcp.example/", "https://mcp.example:8443/a/b?v=1",
                          "http://127.0.0.1:8080/mcp", "http://localhost:8080/mcp"}) {
    files_.Put("/etc/tollgate/policy.yaml", {.bytes = "version: 1\nservers: [{tools: {search: a}}]\n"});
    const absl::StatusOr<Settings> settings =
        ParseSettings(With(kSmall, "https://mcp.example/files", uri), kDirectory, files_);
    EXPECT_TRUE(settings.ok()) << settings.status();
  }
}

TEST_F(SettingsTest, WarningsOfThePolicyAreToldAndRefuseNothing) {
  files_.Put("/etc/tollgate/policy.yaml",
             {.bytes = "version: 1\nscopes: {a: [], b: []}\nservers: [{tools: {search: a}}]\n"});
  std::vector<PolicyFileFinding> findings;
  EXPECT_TRUE(ParseSettings(kSmall, kDirectory, files_, &findings).ok());
  ASSERT_THAT(findings, SizeIs(1));
  EXPECT_EQ(findings[0].line, 3u);
  EXPECT_THAT(findings[0].message, HasSubstr("/etc/tollgate/policy.yaml: line 2, column 17: "));
}

TEST_F(SettingsTest, AMessageIsOneLineWhateverNamesThereAre) {
  std::vector<PolicyFileFinding> findings;
  const std::string yaml = With(With(kSmall, "- issuer: https://idp.example\n", "- issuer: \"a\\nbcd\"\n"),
                                "sees_body: true", "sees_body: true\n  issuers: abcd");
  EXPECT_FALSE(ParseSettings(yaml, kDirectory, files_, &findings).ok());
  ASSERT_THAT(findings, SizeIs(2));  // Neither is a URL that clients could ask.
  EXPECT_THAT(findings[1].message, HasSubstr("did you mean \"a\\nbcd\"?"));
}

TEST_F(SettingsTest, SeveralMistakesAreToldAtOnceInTheOrderOfTheFile) {
  std::vector<PolicyFileFinding> findings;
  EXPECT_FALSE(
      ParseSettings("version: 1\nservrs: x\nthreads: x\nlisten: {}\n", kDirectory, files_, &findings).ok());
  ASSERT_THAT(findings, SizeIs(3));
  EXPECT_EQ(findings[0].line, 2u);
  EXPECT_EQ(findings[1].line, 3u);
  EXPECT_EQ(findings[2].line, 4u);
}

TEST_F(SettingsTest, ReadsAFileAndSaysWhich) {
  files_.Put("/etc/tollgate/tollgated.yaml", {.bytes = kSmall});
  const absl::StatusOr<Settings> settings = ReadSettings("/etc/tollgate/tollgated.yaml", nullptr, &files_);
  ASSERT_TRUE(settings.ok()) << settings.status();
  EXPECT_EQ(settings->policy_file, "/etc/tollgate/policy.yaml");
  files_.Put("/etc/tollgate/tollgated.yaml", {.bytes = "version: 2\n"});
  std::vector<PolicyFileFinding> findings;
  EXPECT_THAT(
      std::string(ReadSettings("/etc/tollgate/tollgated.yaml", &findings, &files_).status().message()),
      HasSubstr("/etc/tollgate/tollgated.yaml: line 1, column "));
  EXPECT_THAT(findings, Not(IsEmpty()));
  EXPECT_EQ(ReadSettings("/etc/tollgate/gone", &findings, &files_).status().message(),
            "/etc/tollgate/gone: no such file");
  EXPECT_THAT(findings, IsEmpty());
}

// An engine that is made for a check leaves nothing behind.
TEST_F(SettingsTest, ACheckTouchesNoFile) {
  const std::string yaml =
      std::string(kSmall) +
      "snapshot: {path: /var/keys, key_file: /var/key}\naudit: {sink: file, path: audit.log}\n";
  const size_t num_names = files_.num_names();
  ASSERT_TRUE(CheckSettings(yaml, kDirectory, files_).ok());
  EXPECT_EQ(files_.num_names(), num_names);
  EXPECT_EQ(files_.num_steps(), 0u);
}

}  // namespace
}  // namespace tollgate::tollgated
