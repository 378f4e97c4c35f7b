#include "tools/tollgated/reload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>
#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "tests/pipeline/engine_fixture.h"
#include "tests/tollgated/settings_fixture.h"
#include "tools/idp/mint.h"
#include "tools/tollgated/settings_file.h"

namespace tollgate::tollgated {

// For messages of tests.
void PrintTo(const Action& action, std::ostream* out) {
  *out << static_cast<int>(action.kind) << " " << action.what;
}

namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::ElementsAreArray;
using testing::FakeFiles;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = Action::Kind;

// What leads from kSmall, in which something stands in the place of something else, to the same with another
// thing there.
struct Change {
  const char* what;
  const char* before;
  const char* after;
  std::vector<Action> plan;
};

class PlanReloadTest : public ::testing::TestWithParam<Change> {};

Settings Parsed(const std::string& yaml) {
  FakeFiles files;
  PutSecrets(files);
  files.Put("/etc/tollgate/other.yaml", {.bytes = kSmallPolicy});
  absl::StatusOr<Settings> settings = ParseSettings(yaml, kDirectory, files);
  EXPECT_TRUE(settings.ok()) << settings.status() << yaml;
  return settings.ok() ? *std::move(settings) : Settings();
}

TEST_P(PlanReloadTest, DoesWhatCanBeDoneAndNamesTheRest) {
  const Change& change = GetParam();
  const Settings running = Parsed(With(kSmall, change.what, change.before));
  const Settings next = Parsed(With(kSmall, change.what, change.after));
  EXPECT_THAT(PlanReload(running, next), ElementsAreArray(change.plan));
}

#define B_ISSUER "- {issuer: https://b.example, jwks_uri: https://b.example/jwks"
const std::string kRepeatedServer =
    "servers:\n- {name: b, uri: https://b.example/mcp, proxy: envoy, sees_body: true}\n";

INSTANTIATE_TEST_SUITE_P(
    Table, PlanReloadTest,
    ::testing::Values(
        Change{"version: 1", "version: 1", "version: 1", {}},
        Change{"version: 1",
               "version: 1",
               "# The same.\nversion: 1\nthreads: 0\nbounds: {wait_max: 1000ms}",
               {}},
        Change{"127.0.0.1:9180", "127.0.0.1:9180", "127.0.0.1:9181", {{Kind::kRestart, "listen"}}},
        Change{"version: 1",
               "version: 1",
               "version: 1\nthreads: 4\nbounds: {idle_timeout: 1m, body_max: 2MiB}\ntiming: {cooldown: 30s}",
               {{Kind::kRestart, "threads"},
                {Kind::kRestart, "bounds.body_max"},
                {Kind::kRestart, "bounds.idle_timeout"},
                {Kind::kRestart, "timing.cooldown"}}},
        Change{"proxy: envoy", "proxy: envoy", "proxy: haproxy", {{Kind::kRestart, "servers[0].proxy"}}},
        Change{"servers:\n", "servers:\n", kRepeatedServer.c_str(), {{Kind::kRestart, "servers"}}},
        Change{"version: 1",
               "version: 1",
               "version: 1\naudit: {sink: stdout}",
               {{Kind::kRestart, "audit.sink"}}},
        Change{"version: 1",
               "version: 1\naudit: {sink: file, path: a}",
               "version: 1\naudit: {sink: file, path: b, sample_one_in: 7}",
               {{Kind::kRestart, "audit.sink"}, {Kind::kRestart, "audit.sample_one_in"}}},
        Change{"policy.yaml", "policy.yaml", "other.yaml", {{Kind::kReadPolicy, "/etc/tollgate/other.yaml"}}},
        Change{"version: 1",
               "version: 1",
               "version: 1\nshadow_policy_file: other.yaml",
               {{Kind::kReadShadowPolicy, "/etc/tollgate/other.yaml"}}},
        Change{"version: 1",
               "version: 1\nshadow_policy_file: other.yaml",
               "version: 1",
               {{Kind::kEndShadowPolicy, ""}}},
        Change{"jwks_uri: https",
               "jwks_uri: https",
               "leeway: 5s\n  jwks_uri: https",
               {{Kind::kChangeIssuer, "https://idp.example"}}},
        Change{"jwks_uri: https",
               "profile: okta\n  jwks_uri: https",
               "profile: {name: okta, role_claims: groups}\n  jwks_uri: https",
               {{Kind::kChangeIssuer, "https://idp.example"}}},
        Change{"jwks_uri: https",
               "introspection: {endpoint: https://i.example/, client_id: c, client_assertion_file: a, "
               "authentication: private_key_jwt}\n  jwks_uri: https",
               "introspection: {endpoint: https://i.example/, client_id: c, client_assertion_file: b, "
               "authentication: private_key_jwt}\n  jwks_uri: https",
               {{Kind::kChangeIssuer, "https://idp.example"}}},
        // The server's metadata names its issuers.
        Change{
            "issuers:\n",
            "issuers:\n",
            "issuers:\n" B_ISSUER "}\n",
            {{Kind::kAddIssuer, "https://b.example"}, {Kind::kRestart, "servers[0].authorization_servers"}}},
        Change{"sees_body: true\nissuers:\n",
               "sees_body: true\n  authorization_servers: https://l.example\nissuers:\n" B_ISSUER "}\n",
               "sees_body: true\n  authorization_servers: https://l.example\nissuers:\n"
               "- {issuer: https://c.example, jwks_uri: https://c.example/jwks}\n",
               {{Kind::kRemoveIssuer, "https://b.example"}, {Kind::kAddIssuer, "https://c.example"}}}));

TEST(PlanReloadSecretTest, AnotherSecretInTheSameFileIsAnotherIssuer) {
  const std::string yaml =
      std::string(kSmall) +
      "  introspection: {endpoint: https://i.example/, client_id: c, client_secret_file: secret}\n";
  FakeFiles files;
  PutSecrets(files);
  const absl::StatusOr<Settings> running = ParseSettings(yaml, kDirectory, files);
  files.Put("/etc/tollgate/secret", {.bytes = "another"});
  const absl::StatusOr<Settings> next = ParseSettings(yaml, kDirectory, files);
  ASSERT_TRUE(running.ok() && next.ok());
  EXPECT_THAT(PlanReload(*running, *next), ElementsAre(Action{Kind::kChangeIssuer, "https://idp.example"}));
}

constexpr char kPath[] = "/etc/tollgate/tollgated.yaml";
constexpr char kPolicyPath[] = "/etc/tollgate/policy.yaml";
constexpr char kServer[] = "https://mcp.example/files";

// Issuers with these keys, and one server that names its authorization server, so that issuers may change.
std::string Issuer(const std::string& name, const std::string& more = "") {
  return "- issuer: " + name + "\n  jwks: '" + idp::Jwks({&idp::TestKey("ES256")}).dump() + "'\n" + more;
}
std::string Configuration(const std::string& issuers) {
  return With(
      With(kSmall, "sees_body: true", "sees_body: true\n  authorization_servers: https://login.example"),
      "- issuer: https://idp.example\n  jwks_uri: https://idp.example/jwks\n", issuers);
}
std::string PolicyOf(const std::string& tools, const std::string& more = "") {
  return "version: 1\n" + more + "servers: [{uri: https://mcp.example/files, tools: {" + tools + "}}]\n";
}

class ReloaderTest : public ::testing::Test {
 protected:
  // Starts an engine and a reloader, and lets it see what there is.
  void Start(const std::string& yaml) {
    PutSecrets(files_);
    Write(kPath, yaml);
    absl::StatusOr<Settings> settings = ReadSettings(kPath, nullptr, &files_);
    ASSERT_TRUE(settings.ok()) << settings.status();
    Environment environment;
    environment.clock = &clock_;
    environment.own_thread = false;
    environment.files = &files_;
    absl::StatusOr<std::unique_ptr<Engine>> engine = MakeEngine(*settings, std::move(environment));
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    reloader_ =
        std::make_unique<Reloader>(kPath, *std::move(settings), *engine_, &files_,
                                   [this](const Policy& policy) { last_tool_ = policy.rules().back().name; });
    EXPECT_THAT(reloader_->Poll(), ElementsAre("/etc/tollgate/policy.yaml: is in force"));
    reloader_->Poll();
    EXPECT_THAT(reloader_->Poll(), IsEmpty());
  }

  void Write(const std::string& path, const std::string& bytes) { files_.Put(path, {.bytes = bytes}); }

  // Settle is two calls of Poll, since a change counts once two of them have seen it.
  std::vector<std::string> Settle() {
    EXPECT_THAT(reloader_->Poll(), IsEmpty());
    return reloader_->Poll();
  }

  Reason Ask(const std::string& issuer, const std::string& tool = "search") {
    const std::string authorization =
        "Bearer " +
        idp::Mint(idp::TestKey("ES256"), idp::AccessTokenClaims(issuer, kServer, "alice", "app", "files:read",
                                                                clock_.now.wall_s, clock_.now.wall_s + 600));
    Decision decision;
    engine_->Check({.authorization = authorization, .tool = tool}, &decision);
    return decision.reason;
  }

  FakeFiles files_;
  FakeClock clock_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<Reloader> reloader_;
  std::string last_tool_;  // The last tool of the policy in force.
};

constexpr char kA[] = "https://a.example";
constexpr char kB[] = "https://b.example";

TEST_F(ReloaderTest, IssuersComeChangeAndGo) {
  Start(Configuration(Issuer(kA)));
  EXPECT_EQ(Ask(kA), Reason::kNone);
  EXPECT_EQ(Ask(kB), Reason::kIssuerUnknown);
  Write(kPath, Configuration(Issuer(kA, "  token_lifetime_max: 1m\n") + Issuer(kB)));
  EXPECT_EQ(Ask(kB), Reason::kIssuerUnknown);
  EXPECT_THAT(Settle(),
              ElementsAre("/etc/tollgate/tollgated.yaml: in force: issuer \"https://a.example\" changed, "
                          "issuer \"https://b.example\" added"));
  EXPECT_NE(Ask(kA), Reason::kNone);  // Its tokens live too long now.
  EXPECT_EQ(Ask(kB), Reason::kNone);
  Write(kPath, Configuration(Issuer(kB)));
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("issuer \"https://a.example\" removed")));
  EXPECT_EQ(Ask(kA), Reason::kIssuerUnknown);
  EXPECT_EQ(reloader_->Report().applied, 3u);  // The first policy, too.
}

TEST_F(ReloaderTest, ABrokenFileKeepsEverythingAndSaysSoOnce) {
  Start(Configuration(Issuer(kA)));
  // It would remove the issuer, too.
  Write(kPath, With(Configuration(Issuer(kB)), "version: 1", "version: 1\ntimming: {}"));
  const std::string error =
      "/etc/tollgate/tollgated.yaml: line 2, column 1: a configuration has no \"timming\", did you mean "
      "\"timing\"?";
  EXPECT_THAT(Settle(), ElementsAre(error + "; what was before stays in force"));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_EQ(Ask(kA), Reason::kNone);
  EXPECT_EQ(Ask(kB), Reason::kIssuerUnknown);
  EXPECT_EQ(reloader_->Report().settings_error, error);
  EXPECT_EQ(reloader_->Report().refused, 1u);

  Write(kPath, Configuration(Issuer(kB)));
  EXPECT_THAT(Settle(), ElementsAre(AllOf(HasSubstr("removed"), HasSubstr("added"))));
  EXPECT_THAT(reloader_->Report().settings_error, IsEmpty());
  EXPECT_EQ(Ask(kB), Reason::kNone);
}

TEST_F(ReloaderTest, WhatNeedsARestartIsNamedOnceAndTakenBack) {
  Start(Configuration(Issuer(kA)));
  Write(kPath,
        With(Configuration(Issuer(kA)), "version: 1", "version: 1\nthreads: 7\nbounds: {drain_max: 1s}"));
  EXPECT_THAT(Settle(),
              ElementsAre("/etc/tollgate/tollgated.yaml: needs a restart: threads, bounds.drain_max"));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_THAT(reloader_->Report().needs_restart, ElementsAre("threads", "bounds.drain_max"));
  // With something else that can change, that does.
  Write(kPath, With(Configuration(Issuer(kA) + Issuer(kB)), "version: 1",
                    "version: 1\nthreads: 7\nbounds: {drain_max: 1s}"));
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("in force: issuer")));
  EXPECT_EQ(Ask(kB), Reason::kNone);
  EXPECT_THAT(reloader_->Report().needs_restart, ElementsAre("threads", "bounds.drain_max"));
  Write(kPath, Configuration(Issuer(kA) + Issuer(kB)));
  EXPECT_THAT(Settle(), IsEmpty());
  EXPECT_THAT(reloader_->Report().needs_restart, IsEmpty());
}

TEST_F(ReloaderTest, ThePolicyFollowsItsFile) {
  Start(Configuration(Issuer(kA)));
  EXPECT_EQ(Ask(kA, "delete"), Reason::kUnknownTool);
  EXPECT_EQ(last_tool_, "search");
  Write(kPolicyPath, PolicyOf("delete: files:read"));
  EXPECT_THAT(Settle(), ElementsAre("/etc/tollgate/policy.yaml: is in force"));
  EXPECT_EQ(Ask(kA, "delete"), Reason::kNone);
  EXPECT_EQ(Ask(kA, "search"), Reason::kUnknownTool);
  EXPECT_EQ(last_tool_, "delete");

  Write(kPolicyPath, PolicyOf("search: {scpes: a}"));
  EXPECT_THAT(Settle(),
              ElementsAre(AllOf(HasSubstr("policy.yaml: line 2, column "), HasSubstr("\"scopes\""))));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_THAT(reloader_->Report().policy_error, HasSubstr("policy.yaml: line 2, column "));
  EXPECT_EQ(last_tool_, "delete");
  EXPECT_EQ(Ask(kA, "delete"), Reason::kNone);
}

TEST_F(ReloaderTest, AnotherPolicyFileAndAShadowPolicy) {
  Start(Configuration(Issuer(kA)));
  Write("/etc/tollgate/other.yaml", PolicyOf("delete: files:read"));
  Write(kPath, With(With(Configuration(Issuer(kA)), "policy.yaml", "other.yaml"), "version: 1",
                    "version: 1\nshadow_policy_file: policy.yaml"));
  EXPECT_THAT(Settle(), ElementsAre(AllOf(HasSubstr("policy from /etc/tollgate/other.yaml"),
                                          HasSubstr("shadow policy from /etc/tollgate/policy.yaml"))));
  EXPECT_EQ(Ask(kA, "delete"), Reason::kNone);
  EXPECT_EQ(engine_->ReadShadow().would_deny, 1u);
  // The new one is watched, and the old one is not.
  Write("/etc/tollgate/other.yaml", PolicyOf("export: files:read"));
  EXPECT_THAT(Settle(), ElementsAre("/etc/tollgate/other.yaml: is in force"));
  EXPECT_EQ(Ask(kA, "export"), Reason::kNone);
  Write(kPath, With(Configuration(Issuer(kA)), "policy.yaml", "other.yaml"));
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("in force: no shadow policy")));
  EXPECT_EQ(engine_->ReadShadow().compared, 0u);
}

TEST_F(ReloaderTest, APolicyHasToFitTheServersThatThereAre) {
  PutSecrets(files_);
  const std::string one_tool = With(Configuration(Issuer(kA)), "sees_body: true", "decide_as_tool: search");
  Start(one_tool);
  // The file says by now that the body is seen; the process does not know yet.
  Write(kPath, Configuration(Issuer(kA)));
  EXPECT_THAT(Settle(),
              ElementsAre(HasSubstr("needs a restart: servers[0].sees_body, servers[0].decide_as_tool")));
  Write(kPolicyPath, PolicyOf("search: files:read, delete: files:delete"));
  EXPECT_THAT(Settle(),
              ElementsAre(AllOf(HasSubstr("server \"files\": "), HasSubstr("would never be asked"))));
  EXPECT_EQ(Ask(kA, "delete"), Reason::kUnknownTool);
}

TEST_F(ReloaderTest, ReloadBelievesAtOnceAndAlwaysAnswers) {
  Start(Configuration(Issuer(kA)));
  EXPECT_THAT(reloader_->Reload(),
              ElementsAre("/etc/tollgate/policy.yaml: is in force",
                          "/etc/tollgate/tollgated.yaml: says what is in force already"));
  Write(kPath, Configuration(Issuer(kB)));
  Write(kPolicyPath, PolicyOf("delete: files:read"));
  EXPECT_THAT(reloader_->Reload(), ElementsAre(HasSubstr("policy.yaml: is in force"), HasSubstr("added")));
  EXPECT_EQ(Ask(kB, "delete"), Reason::kNone);
  Write(kPath, "version: 2\n");
  for (int i = 0; i < 2; ++i) EXPECT_THAT(reloader_->Reload(), ElementsAre(HasSubstr("line 1, column ")));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_EQ(Ask(kB, "delete"), Reason::kNone);
  ASSERT_TRUE(files_.Remove(kPath).ok());
  for (int i = 0; i < 2; ++i)
    EXPECT_THAT(reloader_->Reload(), ElementsAre("/etc/tollgate/tollgated.yaml: no such file"));
  EXPECT_EQ(reloader_->Report().settings_error, "/etc/tollgate/tollgated.yaml: no such file");
}

TEST_F(ReloaderTest, ABrokenPolicyIsNotTakenByReloadEither) {
  Start(Configuration(Issuer(kA)));
  Write(kPath, Configuration(Issuer(kB)));
  Write(kPolicyPath, "version: 1\n");
  EXPECT_THAT(
      reloader_->Reload(),
      ElementsAre(AllOf(HasSubstr("tollgated.yaml: line 3, column 14: /etc/tollgate/policy.yaml: line 1"),
                        HasSubstr("what was before stays in force"))));
  EXPECT_EQ(Ask(kA), Reason::kNone);
  EXPECT_EQ(Ask(kB), Reason::kIssuerUnknown);
}

TEST_F(ReloaderTest, AFileThatVanishesChangesNothing) {
  Start(Configuration(Issuer(kA)));
  ASSERT_TRUE(files_.Remove(kPath).ok());
  EXPECT_THAT(reloader_->Poll(), ElementsAre("/etc/tollgate/tollgated.yaml: no such file"));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_EQ(reloader_->Report().settings_error, "/etc/tollgate/tollgated.yaml: no such file");
  EXPECT_EQ(Ask(kA), Reason::kNone);
  Write(kPath, Configuration(Issuer(kA)));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  EXPECT_THAT(reloader_->Report().settings_error, IsEmpty());
}

TEST_F(ReloaderTest, WhatWasRefusedForAFileIsTakenOnceThatIsThere) {
  Start(Configuration(Issuer(kA)));
  Write(kPath, With(Configuration(Issuer(kB)), "policy.yaml", "late.yaml"));
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("/etc/tollgate/late.yaml: no such file")));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
  Write("/etc/tollgate/late.yaml", PolicyOf("delete: files:read"));
  EXPECT_THAT(reloader_->Poll(), ElementsAre(HasSubstr("policy from /etc/tollgate/late.yaml")));
  EXPECT_EQ(Ask(kB, "delete"), Reason::kNone);
  EXPECT_THAT(reloader_->Report().settings_error, IsEmpty());
}

TEST_F(ReloaderTest, ASecretThatRotatesChangesItsIssuer) {
  PutSecrets(files_);
  Start(Configuration(Issuer(
      kA, "  introspection: {endpoint: https://a.example/i, client_id: c, client_secret_file: secret}\n")));
  Write("/etc/tollgate/secret", "another");
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("issuer \"https://a.example\" changed")));
  ASSERT_TRUE(files_.Remove("/etc/tollgate/secret").ok());
  EXPECT_THAT(reloader_->Poll(), ElementsAre("/etc/tollgate/secret: no such file"));
  EXPECT_THAT(reloader_->Poll(), IsEmpty());
}

// Neither of the two files fits what the other one was.
TEST_F(ReloaderTest, IssuersAndPolicyMayNeedEachOther) {
  constexpr char kIntrospection[] =
      "  introspection: {endpoint: https://a.example/i, client_id: c, client_secret_file: secret}\n";
  const std::string strict = PolicyOf("search: files:read", "classes: {read: {mode: introspect}}\n");
  Start(Configuration(Issuer(kA)));
  Write(kPath, Configuration(Issuer(kA, kIntrospection)));
  Write(kPolicyPath, strict);
  EXPECT_THAT(reloader_->Reload(), ElementsAre(HasSubstr("policy.yaml: is in force"), HasSubstr("changed")));
  EXPECT_NE(Ask(kA), Reason::kNone);
  Write(kPath, Configuration(Issuer(kA)));
  Write(kPolicyPath, kSmallPolicy);
  EXPECT_THAT(reloader_->Reload(), ElementsAre(HasSubstr("policy.yaml: is in force"), HasSubstr("changed")));
  EXPECT_EQ(Ask(kA), Reason::kNone);

  // The same by looking from time to time.
  Write(kPath, Configuration(Issuer(kA, kIntrospection)));
  Write(kPolicyPath, strict);
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("changed"), HasSubstr("policy.yaml: is in force")));
  Write(kPath, Configuration(Issuer(kA)));
  Write(kPolicyPath, kSmallPolicy);
  EXPECT_THAT(Settle(), ElementsAre(HasSubstr("no introspection endpoint"),
                                    HasSubstr("policy.yaml: is in force"), HasSubstr("changed")));
  EXPECT_EQ(Ask(kA), Reason::kNone);
  EXPECT_THAT(reloader_->Report().settings_error, IsEmpty());
}

}  // namespace
}  // namespace tollgate::tollgated
