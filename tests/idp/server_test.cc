#include "tools/idp/server.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/idp/raw_client.h"

namespace idp {
namespace {

using std::chrono::milliseconds;
using testing::HasSubstr;
using testing::StartsWith;

constexpr std::string_view kClose = "Connection: close\r\n";

std::string Body(std::string_view response) {
  const size_t at = response.find("\r\n\r\n");
  return at == std::string_view::npos ? "" : std::string(response.substr(at + 4));
}

class ServerTest : public testing::Test {
 protected:
  ServerTest() {
    ServerOptions options;
    options.endpoints.keys = {TestKey("ES256"), TestKey("EdDSA")};
    options.endpoints.now_s = [] { return int64_t{1'000'000}; };
    options.admin_port = 0;
    std::string error;
    server_ = Server::Start(std::move(options), &error);
    EXPECT_NE(server_, nullptr) << error;
  }

  std::string Exchange(std::string_view request) { return Exchange(server_->port(), request); }

  static std::string Exchange(uint16_t port, std::string_view request) {
    RawClient client(port);
    EXPECT_EQ(client.connect_error(), 0);
    client.Send(request);
    std::string response;
    client.ReadToEnd(&response);
    return response;
  }

  std::string Get(std::string_view path, std::string_view headers = "") {
    return Exchange("GET " + std::string(path) + " HTTP/1.1\r\nHost: x\r\n" + std::string(headers) +
                    std::string(kClose) + "\r\n");
  }

  static std::string PostText(std::string_view method, std::string_view path, std::string_view body,
                              std::string_view headers = "") {
    return std::string(method) + " " + std::string(path) +
           " HTTP/1.1\r\nHost: x\r\nContent-Length: " + std::to_string(body.size()) + "\r\n" +
           std::string(headers) + std::string(kClose) + "\r\n" + std::string(body);
  }

  std::string Post(std::string_view path, std::string_view body, std::string_view headers = "") {
    return Exchange(PostText("POST", path, body, headers));
  }

  std::string Admin(std::string_view method, std::string_view path, const std::string& body) {
    const uint16_t port = static_cast<uint16_t>(std::stoi(server_->admin_url().substr(17)));
    return Exchange(port, PostText(method, path, body));
  }

  void SetFault(FaultMode mode, milliseconds delay = milliseconds(1)) {
    Fault fault;
    fault.mode = mode;
    fault.delay = delay;
    server_->SetFault("/jwks", fault);
  }

  const json keys_ = Jwks({&TestKey("ES256"), &TestKey("EdDSA")});
  // resource-server:resource-server-secret (RFC 7617).
  const std::string basic_ = "Authorization: Basic cmVzb3VyY2Utc2VydmVyOnJlc291cmNlLXNlcnZlci1zZWNyZXQ=\r\n";
  std::unique_ptr<Server> server_;
};

TEST_F(ServerTest, MetadataNamesIssuerAndEndpoints) {
  for (const char* path : {"/.well-known/openid-configuration", "/.well-known/oauth-authorization-server"}) {
    const std::string response = Get(path);
    EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
    const json metadata = json::parse(Body(response));
    EXPECT_EQ(metadata["issuer"], server_->url());
    EXPECT_EQ(metadata["jwks_uri"], server_->url() + "/jwks");
    EXPECT_EQ(metadata["introspection_endpoint"], server_->url() + "/introspect");
    EXPECT_EQ(metadata["response_types_supported"], json::array());
  }
}

TEST_F(ServerTest, KeySetIsCacheableAndConditional) {
  const std::string response = Get("/jwks");
  EXPECT_EQ(json::parse(Body(response)), keys_);
  EXPECT_THAT(response, HasSubstr("\r\nCache-Control: max-age=300\r\n"));
  const size_t at = response.find("\r\nETag: ");
  ASSERT_NE(at, std::string::npos);
  const std::string etag = response.substr(at + 8, response.find("\r\n", at + 2) - at - 8);
  const std::string unchanged = Get("/jwks", "If-None-Match: " + etag + "\r\n");
  EXPECT_THAT(unchanged, StartsWith("HTTP/1.1 304 Not Modified\r\n"));
  EXPECT_EQ(Body(unchanged), "");
  server_->AddKey(TestKey("ES256", 1));
  EXPECT_THAT(Get("/jwks", "If-None-Match: " + etag + "\r\n"), StartsWith("HTTP/1.1 200 OK\r\n"));
}

TEST_F(ServerTest, TenantsHaveTheSameKeySetAtPathsOfTheirOwn) {
  for (const char* path : {"/tenants/1/jwks", "/tenants/2/jwks"})
    EXPECT_EQ(json::parse(Body(Get(path))), keys_) << path;
  EXPECT_THAT(Get("/tenants/1"), StartsWith("HTTP/1.1 404 "));
  EXPECT_EQ(server_->Stats().num_requests["/tenants"], 2u);
  server_->SetFault("*", {.mode = FaultMode::kError, .status = 503});
  EXPECT_THAT(Get("/tenants/1/jwks"), StartsWith("HTTP/1.1 503 "));
}

TEST_F(ServerTest, ConnectionIsKeptAlive) {
  RawClient client(server_->port());
  for (int i = 0; i < 3; ++i) {
    client.Send("GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(json::parse(Body(client.ReadResponse())), keys_);
  }
  EXPECT_EQ(server_->Stats().num_connections, 1u);
  EXPECT_EQ(server_->Stats().num_requests["/jwks"], 3u);
}

TEST_F(ServerTest, TokenEndpointIssuesWhatWasAskedFor) {
  const std::string response = Post(
      "/token",
      "grant_type=client_credentials&client_id=a%2Fb&scope=x+y&resource=https%3A%2F%2Fr%2Fmcp&alg=EdDSA");
  ASSERT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  const json body = json::parse(Body(response));
  EXPECT_EQ(body["token_type"], "Bearer");
  EXPECT_EQ(body["scope"], "x y");
  const std::string token = body["access_token"];
  EXPECT_EQ(json::parse(*Base64UrlDecode(token.substr(0, token.find('.'))))["alg"], "EdDSA");
  json claims = json::parse(
      *Base64UrlDecode(token.substr(token.find('.') + 1, token.rfind('.') - token.find('.') - 1)));
  EXPECT_TRUE(claims["jti"].is_string());
  claims.erase("jti");
  EXPECT_EQ(claims, (json{{"iss", server_->url()},
                          {"aud", "https://r/mcp"},
                          {"sub", "a/b"},
                          {"client_id", "a/b"},
                          {"scope", "x y"},
                          {"iat", 1'000'000},
                          {"exp", 1'000'300}}));
}

TEST_F(ServerTest, TokenEndpointRefuses) {
  EXPECT_THAT(Post("/token", "grant_type=password&client_id=a"), HasSubstr("unsupported_grant_type"));
  EXPECT_THAT(Post("/token", "grant_type=client_credentials"), HasSubstr("invalid_client"));
  EXPECT_THAT(Post("/token", "grant_type=client_credentials&client_id=a&alg=RS256"),
              HasSubstr("invalid_request"));
  EXPECT_THAT(Post("/token", "grant_type=client_credentials&client_id=%ff"), StartsWith("HTTP/1.1 400 "));
  EXPECT_THAT(Get("/token"), StartsWith("HTTP/1.1 405 "));
  EXPECT_THAT(Get("/nowhere"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(ServerTest, IntrospectionKnowsItsOwnTokensUntilTheyAreRevoked) {
  const json issued = json::parse(
      Body(Post("/token", "grant_type=client_credentials&client_id=a&scope=x&token_format=opaque")));
  const std::string form = "token=" + issued["access_token"].get<std::string>();
  EXPECT_THAT(Post("/introspect", form), StartsWith("HTTP/1.1 401 "));
  const json active = json::parse(Body(Post("/introspect", form, basic_)));
  EXPECT_EQ(active["active"], true);
  EXPECT_EQ(active["client_id"], "a");
  EXPECT_EQ(active["scope"], "x");
  EXPECT_THAT(Post("/revoke", form), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(json::parse(Body(Post("/introspect", form, basic_))), (json{{"active", false}}));
  server_->Remember("mine", {{"sub", "s"}, {"exp", 1'000'001}});
  EXPECT_EQ(json::parse(Body(Post("/introspect", "token=mine", basic_)))["sub"], "s");
  server_->Forget("mine");
  EXPECT_EQ(json::parse(Body(Post("/introspect", "token=mine", basic_))), (json{{"active", false}}));
  server_->Forget("nobody's");
  server_->Remember("old", {{"sub", "s"}, {"exp", 1'000'000}});
  EXPECT_EQ(json::parse(Body(Post("/introspect", "token=old", basic_))), (json{{"active", false}}));
}

TEST_F(ServerTest, KeysRotate) {
  EXPECT_TRUE(server_->RemoveKey("test-ES256-0"));
  EXPECT_FALSE(server_->RemoveKey("test-ES256-0"));
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), Jwks({&TestKey("EdDSA")}));
  server_->AddKey(TestKey("ES256"));
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), Jwks({&TestKey("EdDSA"), &TestKey("ES256")}));
  const SigningKey renewed = TestKey("ES256", 1).WithKid("test-ES256-0");
  EXPECT_TRUE(server_->ReplaceKey(renewed));
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), Jwks({&TestKey("EdDSA"), &renewed}));
  EXPECT_FALSE(server_->ReplaceKey(TestKey("ES256", 1)));
}

TEST_F(ServerTest, BodyCanBeReplacedByExactBytes) {
  server_->SetBody("/jwks", "{\"keys\":1}");
  EXPECT_EQ(Body(Get("/jwks")), "{\"keys\":1}");
  server_->SetBody("/jwks", std::nullopt);
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, DownRefusesConnectionsAndDropsThoseThatExist) {
  RawClient existing(server_->port());
  existing.Send("GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_EQ(json::parse(Body(existing.ReadResponse())), keys_);
  SetFault(FaultMode::kDown);
  std::string nothing;
  EXPECT_NE(existing.ReadToEnd(&nothing), RawClient::End::kTimeout);
  EXPECT_EQ(nothing, "");
  EXPECT_EQ(RawClient(server_->port()).connect_error(), ECONNREFUSED);
  server_->ClearFaults();
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, StopAndRestartKeepPortAndKeys) {
  const uint16_t port = server_->port();
  for (int i = 0; i < 20; ++i) {
    EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
    server_->Stop();
    server_->Stop();
    EXPECT_EQ(RawClient(port).connect_error(), ECONNREFUSED);
    EXPECT_TRUE(server_->Restart());
  }
  EXPECT_EQ(server_->port(), port);
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, RestartFailsWhileSomebodyElseHasThePort) {
  server_->Stop();
  ServerOptions options;
  options.port = server_->port();
  std::string error;
  // The reserved port keeps the kernel from handing it out, but not from giving it to one who asks for it.
  std::unique_ptr<Server> thief = Server::Start(std::move(options), &error);
  ASSERT_NE(thief, nullptr) << error;
  EXPECT_FALSE(server_->Restart());
  thief.reset();
  EXPECT_TRUE(server_->Restart());
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, SlowAnswersAfterTheDelay) {
  SetFault(FaultMode::kSlow, milliseconds(50));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(50));
}

TEST_F(ServerTest, ErrorAnswersWithItsStatus) {
  Fault fault;
  fault.mode = FaultMode::kError;
  fault.status = 503;
  fault.retry_after = "7";
  server_->SetFault("/jwks", fault);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 503 Service Unavailable\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\nRetry-After: 7\r\n"));
}

TEST_F(ServerTest, BlackholeAcceptsAndNeverAnswers) {
  SetFault(FaultMode::kBlackhole);
  RawClient client(server_->port());
  ASSERT_EQ(client.connect_error(), 0);
  client.Send("GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n");
  EXPECT_TRUE(server_->WaitForRequests("/jwks", 1, milliseconds(10'000)));
  client.SetTimeout(50);
  std::string nothing;
  EXPECT_EQ(client.ReadToEnd(&nothing), RawClient::End::kTimeout);
  EXPECT_EQ(nothing, "");
  server_->Stop();
  client.SetTimeout(10'000);
  EXPECT_NE(client.ReadToEnd(&nothing), RawClient::End::kTimeout);
}

TEST_F(ServerTest, GarbageIsNoJson) {
  SetFault(FaultMode::kGarbage);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"));
  EXPECT_FALSE(json::accept(Body(response)));
  EXPECT_NE(Body(response), "");
}

TEST_F(ServerTest, EmptyHasNoBody) {
  SetFault(FaultMode::kEmpty);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 200 OK\r\n"));
  EXPECT_THAT(response, HasSubstr("Content-Length: 0\r\n"));
  EXPECT_EQ(Body(response), "");
}

TEST_F(ServerTest, EmptySetHasNoKeys) {
  SetFault(FaultMode::kEmptySet);
  EXPECT_EQ(Body(Get("/jwks")), R"({"keys":[]})");
}

TEST_F(ServerTest, TruncatedAnnouncesAllAndSendsHalf) {
  const std::string whole = Body(Get("/jwks"));
  SetFault(FaultMode::kTruncated);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, HasSubstr("Content-Length: " + std::to_string(whole.size()) + "\r\n"));
  EXPECT_EQ(Body(response), whole.substr(0, whole.size() / 2));
}

TEST_F(ServerTest, SlowBodyComesByteByByteAndWhole) {
  server_->SetBody("/jwks", "{\"keys\":[]}");
  SetFault(FaultMode::kSlowBody, milliseconds(3));
  const auto start = std::chrono::steady_clock::now();
  EXPECT_EQ(Body(Get("/jwks")), "{\"keys\":[]}");
  EXPECT_GE(std::chrono::steady_clock::now() - start, milliseconds(33));
}

TEST_F(ServerTest, OversizedIsTheRightJsonAndHuge) {
  Fault fault;
  fault.mode = FaultMode::kOversized;
  fault.bytes = 300'000;
  server_->SetFault("/jwks", fault);
  const std::string body = Body(Get("/jwks"));
  EXPECT_GT(body.size(), 300'000u);
  EXPECT_EQ(json::parse(body)["keys"], keys_["keys"]);
}

TEST_F(ServerTest, RedirectPointsElsewhereAndTheTargetIsCounted) {
  SetFault(FaultMode::kRedirect);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, StartsWith("HTTP/1.1 302 Found\r\n"));
  EXPECT_THAT(response, HasSubstr("\r\nLocation: " + server_->url() + "/redirected\r\n"));
  EXPECT_THAT(Get("/redirected"), StartsWith("HTTP/1.1 404 "));
  EXPECT_EQ(server_->Stats().num_requests["/redirected"], 1u);
}

TEST_F(ServerTest, WrongTypeIsTheRightBodyAsHtml) {
  SetFault(FaultMode::kWrongType);
  const std::string response = Get("/jwks");
  EXPECT_THAT(response, HasSubstr("\r\nContent-Type: text/html\r\n"));
  EXPECT_EQ(json::parse(Body(response)), keys_);
}

TEST_F(ServerTest, WrongIssuerChangesMetadataOnly) {
  Fault fault;
  fault.mode = FaultMode::kWrongIssuer;
  server_->SetFault("*", fault);
  const json metadata = json::parse(Body(Get("/.well-known/openid-configuration")));
  EXPECT_NE(metadata["issuer"], server_->url());
  EXPECT_EQ(metadata["jwks_uri"], server_->url() + "/jwks");
}

TEST_F(ServerTest, FaultOfAPathLeavesOthersAloneAndBeatsTheGeneralOne) {
  SetFault(FaultMode::kEmptySet);
  Fault everywhere;
  everywhere.mode = FaultMode::kError;
  server_->SetFault("*", everywhere);
  EXPECT_EQ(Body(Get("/jwks")), R"({"keys":[]})");
  EXPECT_THAT(Get("/.well-known/openid-configuration"), StartsWith("HTTP/1.1 500 "));
  EXPECT_THAT(Get("/stats"), StartsWith("HTTP/1.1 200 "));
  server_->SetFault("*", Fault{});
  EXPECT_THAT(Get("/.well-known/openid-configuration"), StartsWith("HTTP/1.1 200 "));
  server_->ClearFaults();
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, AdminPortSetsFaultsAndStaysUp) {
  EXPECT_THAT(Admin("POST", "/admin/fault", R"({"path":"/jwks","mode":"empty_set"})"),
              StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(Body(Get("/jwks")), R"({"keys":[]})");
  EXPECT_THAT(Admin("POST", "/admin/fault", R"({"mode":"down"})"), StartsWith("HTTP/1.1 200 "));
  EXPECT_THAT(Admin("GET", "/stats", ""), HasSubstr("\"/jwks\":1"));
  EXPECT_EQ(RawClient(server_->port()).connect_error(), ECONNREFUSED);
  EXPECT_THAT(Admin("DELETE", "/admin/fault", ""), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
  EXPECT_THAT(Admin("GET", "/jwks", ""), StartsWith("HTTP/1.1 404 "));
}

TEST_F(ServerTest, AdminRotatesKeys) {
  const json added =
      json::parse(Body(Admin("POST", "/admin/keys", R"({"op":"add","alg":"ES256","kid":"n"})")));
  EXPECT_EQ(json::parse(Body(Get("/jwks")))["keys"][2], added);
  const json renewed =
      json::parse(Body(Admin("POST", "/admin/keys", R"({"op":"replace","alg":"ES256","kid":"n"})")));
  EXPECT_NE(renewed, added);
  EXPECT_EQ(json::parse(Body(Get("/jwks")))["keys"][2], renewed);
  EXPECT_THAT(Admin("POST", "/admin/keys", R"({"op":"remove","kid":"n"})"), StartsWith("HTTP/1.1 200 "));
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST_F(ServerTest, AdminRefusesWhatItDoesNotUnderstand) {
  for (const char* bad : {"", "[]", "{}", R"({"mode":"sometimes"})", R"({"mode":"error","status":99})",
                          R"({"mode":"slow","delay_ms":99999999})"}) {
    EXPECT_THAT(Admin("POST", "/admin/fault", bad), StartsWith("HTTP/1.1 400 ")) << bad;
  }
  for (const char* bad : {"", "[]", R"({"op":"add","alg":"none","kid":"n"})", R"({"op":"add","alg":"ES256"})",
                          R"({"op":"swap","alg":"ES256","kid":"n"})"}) {
    EXPECT_THAT(Admin("POST", "/admin/keys", bad), StartsWith("HTTP/1.1 400 ")) << bad;
  }
  EXPECT_THAT(Admin("POST", "/admin/keys", R"({"op":"remove","kid":"n"})"), StartsWith("HTTP/1.1 404 "));
}

TEST_F(ServerTest, RequestsAreBounded) {
  std::string response;
  RawClient long_header(server_->port());
  long_header.Send("GET /jwks HTTP/1.1\r\nX: " + std::string(100'000, 'a'));
  EXPECT_NE(long_header.ReadToEnd(&response), RawClient::End::kTimeout);
  RawClient long_body(server_->port());
  long_body.Send("POST /token HTTP/1.1\r\nHost: x\r\nContent-Length: 99999999\r\n\r\n");
  EXPECT_NE(long_body.ReadToEnd(&response), RawClient::End::kTimeout);
  RawClient nonsense(server_->port());
  nonsense.Send("\r\n\r\n\x16\x03\x01 hello\r\n\r\n");
  EXPECT_NE(nonsense.ReadToEnd(&response), RawClient::End::kTimeout);
  EXPECT_EQ(response, "");
  EXPECT_EQ(json::parse(Body(Get("/jwks"))), keys_);
}

TEST(ServerStartTest, ConnectionsAreBounded) {
  ServerOptions options;
  options.num_connections_max = 2;
  std::string error;
  const std::unique_ptr<Server> server = Server::Start(std::move(options), &error);
  ASSERT_NE(server, nullptr) << error;
  RawClient first(server->port()), second(server->port());
  for (RawClient* client : {&first, &second}) {
    client->Send("GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_EQ(Body(client->ReadResponse()), R"({"keys":[]})");
  }
  RawClient third(server->port());
  std::string nothing;
  EXPECT_NE(third.ReadToEnd(&nothing), RawClient::End::kTimeout);
  EXPECT_EQ(server->Stats().num_connections, 2u);
}

TEST(ServerStartTest, PortInUseIsAnError) {
  std::string error;
  const std::unique_ptr<Server> first = Server::Start({}, &error);
  ASSERT_NE(first, nullptr) << error;
  ServerOptions options;
  options.port = first->port();
  EXPECT_EQ(Server::Start(std::move(options), &error), nullptr);
  EXPECT_THAT(error, StartsWith("cannot listen on 127.0.0.1: "));
}

// Rounds, since the step in which the connection is when the server stops is a matter of scheduling; an hour,
// so that a stop that waits for a timer is seen as a test that does not end.
TEST(ServerStartTest, StopsAtOnceWithConnectionsInEveryState) {
  for (int round = 0; round < 80; ++round) {
    const FaultMode modes[] = {FaultMode::kNone, FaultMode::kSlow, FaultMode::kBlackhole,
                               FaultMode::kSlowBody};
    std::string error;
    std::unique_ptr<Server> server = Server::Start({}, &error);
    ASSERT_NE(server, nullptr) << error;
    Fault fault;
    fault.mode = modes[round % 4];
    fault.delay = milliseconds(3'600'000);
    server->SetFault("*", fault);
    RawClient idle(server->port()), busy(server->port());
    busy.Send("GET /jwks HTTP/1.1\r\nHost: x\r\n\r\n");
    EXPECT_TRUE(server->WaitForRequests("/jwks", 1, milliseconds(10'000)));
    server.reset();
    std::string bytes;
    EXPECT_NE(busy.ReadToEnd(&bytes), RawClient::End::kTimeout);
  }
}

TEST(FaultModeTest, NamesRoundTrip) {
  for (int i = 0; i <= static_cast<int>(FaultMode::kWrongIssuer); ++i) {
    const FaultMode mode = static_cast<FaultMode>(i);
    EXPECT_EQ(ParseFaultMode(FaultModeName(mode)), mode);
  }
  EXPECT_EQ(ParseFaultMode("sometimes"), std::nullopt);
}

}  // namespace
}  // namespace idp
