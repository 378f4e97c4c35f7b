// Questions of proxies to a gate before a whole engine.

#include "tools/tollgated/gate.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "tests/keys/fake_transport.h"
#include "tests/pipeline/engine_fixture.h"
#include "tools/tollgated/answer.h"

namespace tollgate::tollgated {
namespace {

using idp::json;
using ::tollgate::testing::FakeAnswer;
using ::tollgate::testing::FakeTransport;

constexpr char kJwksUri[] = "https://idp.example/jwks";
constexpr char kMetadataTarget[] = "/.well-known/oauth-protected-resource/mcp";

std::string CallOf(const std::string& tool) {
  return json({{"jsonrpc", "2.0"}, {"id", 1}, {"method", "tools/call"}, {"params", {{"name", tool}}}}).dump();
}

Policy GatePolicy() {
  PolicyBuilder builder;
  builder.AddClass({.name = "read"});
  builder.AddClass({.name = "mfa", .acr_values = {"loa2"}});
  builder.AddProtocol();
  builder.AddRule({.name = "search", .scopes = {"files:read"}});
  builder.AddRule({.name = "write", .scopes = {"files:write"}});
  builder.AddRule({.name = "delete", .scopes = {"files:delete", "files:read"}});
  builder.AddRule({.name = "approve", .roles = {"chief"}});
  builder.AddRole({.role = "chief"});
  builder.AddRule({.name = "pay", .scopes = {"files:read"}, .sensitivity = "mfa"});
  builder.AddRule(
      {.name = "GET", .any_valid_token = true, .object = McpObject::kMethod, .server = kResource});
  builder.AddRule({.name = "elsewhere", .scopes = {"other"}, .server = kOtherResource});
  absl::StatusOr<Policy> policy = builder.Build();
  EXPECT_TRUE(policy.ok()) << policy.status();
  return *std::move(policy);
}

class GateTest : public ::testing::Test {
 protected:
  GateTest() {
    settings_.engine.issuers.push_back({.issuer = kIssuer, .jwks = idp::Jwks({&key_}).dump()});
    // Two of one path: "crm" sees bodies; "web" is behind nginx.
    settings_.engine.resources = {{.uri = kResource}, {.uri = kOtherResource}};
    settings_.engine.policy = GatePolicy();
    settings_.engine.verdict_cache_bytes = 1 << 20;
    settings_.servers = {
        {.name = "crm",
         .proxy = Proxy::kEnvoy,
         .sees_body = true,
         .authorization_servers = {kIssuer},
         .resource_name = "The CRM"},
        {.name = "web", .proxy = Proxy::kNginx, .decide_as_tool = "search"},
    };
    Start();
  }

  void Start(std::unique_ptr<Transport> transport = nullptr) {
    handler_.reset();
    engine_.reset();
    Environment environment;
    environment.clock = &clock_;
    environment.own_thread = false;
    environment.jitter_seed = 7;
    environment.transport = std::move(transport);
    absl::StatusOr<std::unique_ptr<Engine>> engine = Engine::Create(settings_.engine, std::move(environment));
    ASSERT_TRUE(engine.ok()) << engine.status();
    engine_ = *std::move(engine);
    gate_ = std::make_unique<Gate>(engine_.get(), settings_, settings_.engine.policy, &refusals_);
    handler_ = gate_->MakeHandler();
  }

  // StartWithoutKeys leaves the keys to be fetched by a network that the test has in its hands.
  FakeTransport& StartWithoutKeys() {
    settings_.engine.issuers[0].jwks.clear();
    settings_.engine.issuers[0].jwks_uri = kJwksUri;
    auto network = std::make_unique<FakeTransport>();
    FakeTransport& kept = *network;
    Start(std::move(network));
    return kept;
  }

  std::string Bearer(std::string_view scope) const {
    return "Bearer " + idp::Mint(key_, idp::AccessTokenClaims(kIssuer, kResource, "alice", "agent-1", scope,
                                                              clock_.now.wall_s, clock_.now.wall_s + 600));
  }

  // Ask returns the answer at once, or nullopt and later in later_.
  std::optional<HttpAnswer> Ask(const HttpRequest& request) {
    HttpAnswer answer;
    const bool at_once = handler_->Answer(request, &answer, [this] {
      return [this](HttpAnswer later) {
        ++num_later_;
        later_ = std::move(later);
      };
    });
    return at_once ? std::optional(answer) : std::nullopt;
  }

  HttpAnswer Call(const std::string& authorization, const std::string& body,
                  std::string_view target = "/check/crm/mcp") {
    HttpRequest request{.method = "POST", .target = target, .body = body};
    request.fields = {{"Content-Type", "application/json"}};
    if (!authorization.empty()) request.fields.push_back({"Authorization", authorization});
    const std::optional<HttpAnswer> answer = Ask(request);
    EXPECT_TRUE(answer.has_value());
    return answer.value_or(HttpAnswer{});
  }

  static std::string FieldOf(const HttpAnswer& answer, const std::string& name) {
    const std::string lines = "\r\n" + answer.fields, begin = "\r\n" + name + ": ";
    const size_t at = lines.find(begin);
    if (at == lines.npos) return "(none)";
    const size_t value = at + begin.size();
    return lines.substr(value, lines.find("\r\n", value) - value);
  }

  const idp::SigningKey& key_ = idp::TestKey("ES256");
  FakeClock clock_;
  Settings settings_;
  // In the order of main.cc: the engine ends first.
  RefusalBook refusals_{clock_};
  std::unique_ptr<Gate> gate_;
  std::unique_ptr<Engine> engine_;
  std::unique_ptr<HttpHandler> handler_;
  HttpAnswer later_;
  int num_later_ = 0;
};

TEST_F(GateTest, AllowsAndSaysWhoIsCalling) {
  const HttpAnswer answer = Call(Bearer("files:read"), CallOf("search"));
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Subject"), "alice");
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Scopes"), "files:read");
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Roles"), "");
  EXPECT_TRUE(refusals_.ReadCounts().empty());
}

TEST_F(GateTest, DeniesWithAllScopesThatAreNeeded) {
  const HttpAnswer answer = Call(Bearer("files:read"), CallOf("delete"));
  EXPECT_EQ(answer.status, 403);
  EXPECT_NE(FieldOf(answer, "WWW-Authenticate").find(R"(scope="files:delete files:read")"), std::string::npos)
      << FieldOf(answer, "WWW-Authenticate");
  EXPECT_NE(FieldOf(answer, "WWW-Authenticate").find("https://mcp.example" + std::string(kMetadataTarget)),
            std::string::npos);
  EXPECT_EQ(Call("", CallOf("search")).status, 401);
  EXPECT_EQ(Call("Bearer x.y.z", CallOf("search")).status, 401);
  EXPECT_EQ(Call(Bearer("files:read"), CallOf("unheard_of")).status, 403);
  EXPECT_EQ(Call(Bearer("files:read"), "{").status, 400);
  const RefusalBook::Counts counts = refusals_.ReadCounts();
  EXPECT_EQ(counts.at({0, Reason::kInsufficientScope}), 1u);
  EXPECT_EQ(counts.at({0, Reason::kNoCredential}), 1u);
  EXPECT_EQ(counts.at({0, Reason::kUnknownTool}), 1u);
  EXPECT_EQ(counts.at({0, Reason::kBodyNotJson}), 1u);
  EXPECT_EQ(refusals_.ReadRecent().front().reason, Reason::kBodyNotJson);
  EXPECT_EQ(refusals_.ReadRecent().front().wall_s, kStart);
}

TEST_F(GateTest, StrongerAuthenticationIsAskedFor) {
  const HttpAnswer answer = Call(Bearer("files:read"), CallOf("pay"));
  EXPECT_EQ(answer.status, 401);
  EXPECT_NE(FieldOf(answer, "WWW-Authenticate").find(R"(acr_values="loa2")"), std::string::npos);
}

TEST_F(GateTest, ATokenOfAnotherServerIsNoneHere) {
  const HttpRequest request{.method = "GET",
                            .target = "/check/web",
                            .fields = {{"X-Original-Method", "POST"}, {"X-Original-URI", "/mcp"}}};
  HttpRequest with_token = request;
  const std::string bearer = Bearer("files:read");  // For the resource of "crm".
  with_token.fields.push_back({"Authorization", bearer});
  const std::optional<HttpAnswer> answer = Ask(with_token);
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 401);
  EXPECT_EQ(FieldOf(*answer, "X-Tollgate-Status"), "401");
  EXPECT_EQ(refusals_.ReadCounts().count({1, Reason::kAudienceMismatch}), 1u);
}

TEST_F(GateTest, TheModuleInNginxIsToldWhoAsksAndWhenAnAnswerBringsLists) {
  settings_.servers[0].proxy = Proxy::kNginxModule;
  Start();
  Gate::Asker asker(*gate_);
  const std::string bearer = Bearer("files:read");
  const auto ask = [&](std::string_view method, const std::string& body) {
    const HttpRequest request{.method = method,
                              .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}},
                              .body = body};
    Gate::Outcome outcome;
    EXPECT_TRUE(asker.Ask(0, request, "/mcp", &outcome, []() -> Gate::Asker::Later { return nullptr; }));
    EXPECT_TRUE(outcome.allowed);
    EXPECT_EQ(outcome.identity.value(1), "alice");
    return outcome.brings_lists;
  };
  const auto lists = [&](const std::string& method) {
    return ask("POST", json{{"jsonrpc", "2.0"}, {"id", 1}, {"method", method}}.dump());
  };
  for (const char* const method :
       {"tools/list", "prompts/list", "resources/list", "resources/templates/list"})
    EXPECT_TRUE(lists(method)) << method;
  EXPECT_FALSE(lists("ping"));
  EXPECT_FALSE(ask("POST", CallOf("search")));
  // A stream may go on with the answer to an earlier request.
  EXPECT_TRUE(ask("GET", ""));
}

TEST_F(GateTest, OfABatchAllMustBeAllowed) {
  const auto status_of = [this](const std::vector<std::string>& tools) {
    json batch = json::array();
    for (const std::string& tool : tools) batch.push_back(json::parse(CallOf(tool)));
    later_ = Call(Bearer("files:read"), batch.dump());
    return later_.status;
  };
  EXPECT_EQ(status_of({"search", "search"}), 200);
  EXPECT_EQ(FieldOf(later_, "X-Tollgate-Subject"), "alice");
  EXPECT_EQ(status_of({"search", "write"}), 403);
  // All that the whole batch needs, in one challenge.
  EXPECT_NE(FieldOf(later_, "WWW-Authenticate").find(R"(scope="files:read files:write")"), std::string::npos)
      << FieldOf(later_, "WWW-Authenticate");
  EXPECT_EQ(status_of({"write", "approve", "search"}), 403);
  EXPECT_EQ(FieldOf(later_, "WWW-Authenticate"), "(none)");  // No scope would help.
  EXPECT_EQ(status_of({"write", "pay"}), 401);
}

TEST_F(GateTest, StreamsAndSessionsNeedTheirRule) {
  const auto status_of = [this](std::string_view method) {
    const std::string bearer = Bearer("files:read");
    return Ask({.method = method, .target = "/check/crm/mcp", .fields = {{"Authorization", bearer}}})->status;
  };
  EXPECT_EQ(status_of("GET"), 200);     // The policy has a rule for the method of this name,
  EXPECT_EQ(status_of("DELETE"), 403);  // and none of this one.
  EXPECT_EQ(Ask({.method = "GET", .target = "/check/crm/mcp"})->status, 401);
  // A preflight has no credential: it is the proxy's.
  EXPECT_EQ(Ask({.method = "OPTIONS", .target = "/check/crm/mcp"})->status, 401);
}

TEST_F(GateTest, TwoCredentialsAreRefused) {
  const std::string bearer = Bearer("files:read"), body = CallOf("search");
  const HttpRequest twice{
      .method = "POST",
      .target = "/check/crm/mcp",
      .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}, {"Authorization", bearer}},
      .body = body};
  EXPECT_EQ(Ask(twice)->status, 400);
  EXPECT_EQ(Call(bearer, body, "/check/crm/mcp?access_token=x").status, 400);
  const std::string alone = "/check/crm/mcp?access_token=" + bearer.substr(7);
  EXPECT_EQ(Call("", body, alone).status, 401);
}

TEST_F(GateTest, WhatIsNoQuestionIsNotAllowed) {
  EXPECT_EQ(Ask({.method = "GET", .target = "/check/nobody"})->status, 404);
  EXPECT_EQ(Ask({.method = "GET", .target = "/check/"})->status, 404);
  EXPECT_EQ(Ask({.method = "GET", .target = "/check"})->status, 404);
  EXPECT_EQ(Ask({.method = "GET", .target = "/"})->status, 404);
  EXPECT_EQ(Ask({.method = "GET", .target = "/check/web"})->status, 500);
  EXPECT_EQ(Ask({.method = "GET", .target = "/check/crm"})->status, 500);
  EXPECT_EQ(refusals_.ReadCounts().at({1, Reason::kUndecided}), 1u);
}

TEST_F(GateTest, WaitsForKeysThatAreOnTheirWay) {
  FakeTransport& network = StartWithoutKeys();
  const std::string bearer = Bearer("files:read"), body = CallOf("search");
  const HttpRequest request{.method = "POST",
                            .target = "/check/crm/mcp",
                            .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}},
                            .body = body};
  EXPECT_FALSE(Ask(request).has_value());
  engine_->RunBackground(std::chrono::milliseconds(0));
  EXPECT_EQ(num_later_, 0);
  ASSERT_TRUE(network.CompleteOldest(FakeAnswer{.body = idp::Jwks({&key_}).dump()}));
  engine_->RunBackground(std::chrono::milliseconds(0));
  EXPECT_EQ(num_later_, 1);
  EXPECT_EQ(later_.status, 200);
  EXPECT_EQ(FieldOf(later_, "X-Tollgate-Subject"), "alice");
  EXPECT_EQ(Ask(request)->status, 200);
}

TEST_F(GateTest, ABatchThatWaitsIsAnsweredOnce) {
  FakeTransport& network = StartWithoutKeys();
  const std::string bearer = Bearer("files:read");
  const std::string body = "[" + CallOf("search") + "," + CallOf("write") + "]";
  EXPECT_FALSE(Ask({.method = "POST",
                    .target = "/check/crm/mcp",
                    .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}},
                    .body = body})
                   .has_value());
  engine_->RunBackground(std::chrono::milliseconds(0));
  ASSERT_TRUE(network.CompleteOldest(FakeAnswer{.body = idp::Jwks({&key_}).dump()}));
  engine_->RunBackground(std::chrono::milliseconds(0));
  EXPECT_EQ(num_later_, 1);
  EXPECT_EQ(later_.status, 403);
}

TEST_F(GateTest, WhatNobodyCanKnowIs503AfterTheDeadline) {
  FakeTransport& network = StartWithoutKeys();
  network.SetAnswer(kJwksUri, FakeAnswer{.http_status = 500});
  const std::string bearer = Bearer("files:read"), body = CallOf("search");
  ASSERT_FALSE(Ask({.method = "POST",
                    .target = "/check/crm/mcp",
                    .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}},
                    .body = body})
                   .has_value());
  for (int i = 0; i < 10 && num_later_ == 0; ++i) {
    engine_->RunBackground(std::chrono::milliseconds(0));
    clock_.Advance(1);
  }
  EXPECT_EQ(num_later_, 1);
  EXPECT_EQ(later_.status, 503);
  EXPECT_GE(std::stoi(FieldOf(later_, "Retry-After")), 1);
  EXPECT_EQ(FieldOf(later_, "WWW-Authenticate"), "(none)");
}

TEST_F(GateTest, TheEndOfTheEngineAnswersWhoeverWaits) {
  StartWithoutKeys();
  const std::string bearer = Bearer("files:read");
  const std::string body = "[" + CallOf("search") + "," + CallOf("write") + "]";
  ASSERT_FALSE(Ask({.method = "POST",
                    .target = "/check/crm/mcp",
                    .fields = {{"Content-Type", "application/json"}, {"Authorization", bearer}},
                    .body = body})
                   .has_value());
  handler_.reset();
  engine_.reset();
  EXPECT_EQ(num_later_, 1);
  EXPECT_EQ(later_.status, 503);
}

TEST_F(GateTest, MetadataIsServedToEverybody) {
  const auto get = [this](std::string_view target, std::string_view host, std::string_view method = "GET") {
    return *Ask({.method = method, .target = target, .fields = {{"Host", host}}});
  };
  HttpAnswer answer = get(kMetadataTarget, "mcp.example");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(FieldOf(answer, "Content-Type"), "application/json");
  EXPECT_EQ(FieldOf(answer, "Access-Control-Allow-Origin"), "*");
  json document = json::parse(answer.body);
  EXPECT_EQ(document["resource"], kResource);
  EXPECT_EQ(document["authorization_servers"], json({kIssuer}));
  EXPECT_EQ(document["scopes_supported"], json({"files:delete", "files:read", "files:write"}));
  EXPECT_EQ(document["resource_name"], "The CRM");
  // Of another host with the same path; and where that is not told apart, by name.
  EXPECT_EQ(json::parse(get(kMetadataTarget, "OTHER.example").body)["resource"], kOtherResource);
  EXPECT_EQ(get(kMetadataTarget, "127.0.0.1:9180").status, 404);
  EXPECT_EQ(json::parse(get("/metadata/web", "127.0.0.1").body)["resource"], kOtherResource);
  EXPECT_EQ(get("/metadata/nobody", "127.0.0.1").status, 404);
  EXPECT_EQ(get("/.well-known/oauth-protected-resource", "mcp.example").status, 404);
  EXPECT_EQ(get(std::string(kMetadataTarget) + "/x", "mcp.example").status, 404);

  answer = get(kMetadataTarget, "mcp.example", "OPTIONS");
  EXPECT_EQ(answer.status, 204);
  EXPECT_EQ(FieldOf(answer, "Access-Control-Allow-Headers"), "MCP-Protocol-Version");
  EXPECT_EQ(get(kMetadataTarget, "mcp.example", "HEAD").status, 200);
  EXPECT_EQ(get(kMetadataTarget, "mcp.example", "POST").status, 405);

  PolicyBuilder other;
  other.AddRule({.name = "search", .scopes = {"all"}});
  gate_->SetPolicy(*other.Build());
  document = json::parse(get(kMetadataTarget, "mcp.example").body);
  EXPECT_EQ(document["scopes_supported"], json({"all"}));

  // What clients are to ask for at first is not for the policy to say.
  settings_.servers[0].scopes_supported = {"files:read", "offline_access"};
  Start();
  document = json::parse(get(kMetadataTarget, "mcp.example").body);
  EXPECT_EQ(document["scopes_supported"], json({"files:read"}));
}

}  // namespace
}  // namespace tollgate::tollgated
