#include "transport/curl_transport.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <cstdlib>
#include <map>
#include <thread>

#include "tests/transport/raw_server.h"
#include "tools/idp/server.h"

namespace tollgate::transport {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr std::string_view kJwksPath = "/jwks";

std::unique_ptr<Transport> Make(bool allow_http_on_loopback = true) {
  CurlOptions options;
  options.allow_http_on_loopback = allow_http_on_loopback;
  auto transport = MakeCurlTransport(options);
  EXPECT_TRUE(transport.ok()) << transport.status();
  return *std::move(transport);
}

// Finish polls until `count` exchanges have ended. The exchanges' own timeouts bound it.
std::map<uint64_t, FetchResult> Finish(Transport& transport, size_t count) {
  std::map<uint64_t, FetchResult> results;
  while (results.size() < count) {
    std::vector<FetchResult> done;
    transport.Poll(1000, &done);
    for (FetchResult& result : done) {
      EXPECT_TRUE(results.emplace(result.id, result).second) << "a result came twice";
    }
  }
  return results;
}

FetchResult Fetch(Transport& transport, FetchRequest request) {
  request.id = 7;
  transport.Start(request);
  FetchResult result = Finish(transport, 1).begin()->second;
  EXPECT_EQ(result.id, 7u);
  if (result.outcome != FetchOutcome::kAnswered) {
    EXPECT_EQ(result.http_status, 0);
    EXPECT_EQ(result.body, "");
    EXPECT_EQ(result.etag, "");
    EXPECT_EQ(result.max_age_s, -1);
  }
  return result;
}

FetchResult FetchFrom(const RawServer& server, uint32_t timeout_ms = 20'000,
                      uint32_t body_bytes_max = 1 << 20) {
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url();
  request.timeout_ms = timeout_ms;
  request.body_bytes_max = body_bytes_max;
  return Fetch(*transport, request);
}
FetchResult FetchBytes(std::string answer) { return FetchFrom(RawServer(std::move(answer))); }

std::string Chunked(std::string_view body, std::string_view trailers) {
  char size[16];
  snprintf(size, sizeof(size), "%zx\r\n", body.size());
  return "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nETag: \"v1\"\r\n\r\n" + std::string(size) +
         std::string(body) + "\r\n0\r\n" + std::string(trailers) + "\r\n";
}

TEST(CurlTransport, AnswersWithEverythingThatMattersOfAResponse) {
  const FetchResult result = FetchBytes(
      "HTTP/1.1 200 OK\r\nContent-Type: application/jwk-set+json\r\nETag:  \"v1\" \r\nCache-Control: "
      "public\r\n"
      "cache-control: MAX-AGE=600\r\nAge: 100\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(result.outcome, FetchOutcome::kAnswered);
  EXPECT_EQ(result.http_status, 200);
  EXPECT_EQ(result.body, "{}");
  EXPECT_EQ(result.content_type, "application/jwk-set+json");
  EXPECT_EQ(result.etag, "\"v1\"");
  EXPECT_EQ(result.max_age_s, 500);
}

TEST(CurlTransport, AsksPlainlyAndSendsNothingOfItsOwn) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nSet-Cookie: a=b\r\n\r\n");
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url();
  Fetch(*transport, request);
  request.if_none_match = "\"v1\"";
  Fetch(*transport, request);
  const std::vector<std::string> asked = server.requests();
  ASSERT_EQ(asked.size(), 2u);
  EXPECT_THAT(asked[0], StartsWith("GET /jwks HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(server.port())));
  EXPECT_THAT(asked[0], HasSubstr("Accept: application/jwk-set+json, application/json\r\n"));
  EXPECT_THAT(asked[0], HasSubstr("User-Agent: tollgate/"));
  for (const std::string& request_text : asked) {
    for (const char* header :
         {"Cookie", "Authorization", "Accept-Encoding", "Proxy", "Referer", "TE:", "Upgrade"}) {
      EXPECT_THAT(request_text, Not(HasSubstr(header)));
    }
  }
  EXPECT_THAT(asked[0], Not(HasSubstr("If-None-Match")));
  EXPECT_THAT(asked[1], HasSubstr("If-None-Match: \"v1\"\r\n"));
}

TEST(CurlTransport, PostsAFormAndItsAuthorization) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url();
  request.form = "token=" + std::string(2000, 'a');
  request.authorization = "Basic eDp5";
  EXPECT_EQ(Fetch(*transport, request).body, "{}");
  const std::vector<std::string> asked = server.requests();
  ASSERT_EQ(asked.size(), 1u);
  EXPECT_THAT(asked[0], StartsWith("POST /jwks HTTP/1.1\r\n"));
  EXPECT_THAT(asked[0], HasSubstr("\r\nAuthorization: Basic eDp5\r\n"));
  EXPECT_THAT(asked[0], HasSubstr("\r\nContent-Type: application/x-www-form-urlencoded\r\n"));
  EXPECT_THAT(asked[0], HasSubstr("\r\nAccept: application/json\r\n"));
  EXPECT_THAT(asked[0], Not(HasSubstr("Expect")));
  EXPECT_TRUE(asked[0].ends_with("\r\n\r\n" + request.form));

  request.authorization = "Basic eDp5\r\nX-Smuggled: 1";
  EXPECT_EQ(Fetch(*transport, request).outcome, FetchOutcome::kNotAllowed);
}

TEST(CurlTransport, AsksForTheTypeThatItIsToldAndForNoOther) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url();
  request.accept = "application/token-introspection+jwt";
  Fetch(*transport, request);
  request.form = "token=a";
  Fetch(*transport, request);
  for (const std::string& asked : server.requests()) {
    EXPECT_THAT(asked, HasSubstr("\r\nAccept: application/token-introspection+jwt\r\n"));
    EXPECT_THAT(asked, Not(HasSubstr("json")));
  }
  EXPECT_EQ(server.requests().size(), 2u);

  request.accept = "a/b\r\nX-Smuggled: 1";
  EXPECT_EQ(Fetch(*transport, request).outcome, FetchOutcome::kNotAllowed);
  EXPECT_EQ(server.requests().size(), 2u);
}

TEST(CurlTransport, ARedirectOfAQuestionIsNotFollowed) {
  RawServer other("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  RawServer server("HTTP/1.1 307 Temporary Redirect\r\nLocation: " + other.url() +
                   "\r\nContent-Length: 0\r\n\r\n");
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url();
  request.form = "token=a";
  EXPECT_EQ(Fetch(*transport, request).http_status, 307);
  EXPECT_TRUE(other.requests().empty());
}

TEST(CurlTransport, NoUrlBeyondTheRulesIsAsked) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  const std::string port = std::to_string(server.port());
  const auto strict = Make(false);
  const auto lenient = Make(true);
  FetchRequest request;
  request.url = server.url();
  EXPECT_EQ(Fetch(*strict, request).outcome, FetchOutcome::kNotAllowed);
  for (const std::string& url : {"http://user:password@127.0.0.1:" + port + "/", "http://127.1:" + port + "/",
                                 "ftp://127.0.0.1:" + port + "/", std::string("file:///etc/passwd"),
                                 std::string("http://idp.example/")}) {
    request.url = url;
    EXPECT_EQ(Fetch(*lenient, request).outcome, FetchOutcome::kNotAllowed) << url;
  }
  request.url = server.url();
  request.if_none_match = "\"v1\"\r\nX-Smuggled: 1";
  EXPECT_EQ(Fetch(*lenient, request).outcome, FetchOutcome::kNotAllowed);
  EXPECT_TRUE(server.requests().empty());
}

TEST(CurlTransport, LocalhostIsAskedAtItsLoopbackAddress) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const auto transport = Make();
  FetchRequest request;
  request.url = "http://localhost:" + std::to_string(server.port()) + "/jwks";
  EXPECT_EQ(Fetch(*transport, request).outcome, FetchOutcome::kAnswered);
}

TEST(CurlTransport, IgnoresProxiesOfTheEnvironment) {
  RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  for (const char* variable : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"}) {
    setenv(variable, "http://127.0.0.1:1", 1);
  }
  const FetchResult result = FetchFrom(server);
  for (const char* variable : {"http_proxy", "https_proxy", "all_proxy", "HTTPS_PROXY", "ALL_PROXY"})
    unsetenv(variable);
  EXPECT_EQ(result.outcome, FetchOutcome::kAnswered);
}

TEST(CurlTransport, WhoLooksForAFaultIsToldMoreOfEachExchange) {
  std::vector<Observation> seen;
  auto transport = MakeCurlTransport(
      {.allow_http_on_loopback = true, .on_end = [&](const Observation& each) { seen.push_back(each); }});
  ASSERT_TRUE(transport.ok()) << transport.status();
  const RawServer moved(
      "HTTP/1.1 100 Continue\r\nDate: Sat, 01 Jan 2000 00:00:00 GMT\r\n\r\n"
      "HTTP/1.1 302 Found\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nLocation: https://other.example/\r\n"
      "Cache-Control: public\r\nCache-Control: max-age=5\r\nAge: 1\r\nContent-Length: 0\r\n\r\n");
  FetchRequest request;
  request.url = moved.url();
  EXPECT_EQ(Fetch(**transport, request).http_status, 302);
  const RawServer plain("HTTP/1.1 200 OK\r\nDate: yesterday or so\r\nContent-Length: 0\r\n\r\n");
  request.url = plain.url();
  EXPECT_EQ(Fetch(**transport, request).http_status, 200);

  ASSERT_EQ(seen.size(), 2u);
  EXPECT_EQ(seen[0].id, 7u);
  EXPECT_EQ(seen[0].date_s, 784111777);
  EXPECT_EQ(seen[0].location, "https://other.example/");
  EXPECT_EQ(seen[0].cache_control, "public,max-age=5");
  EXPECT_TRUE(seen[0].from_cache);
  EXPECT_EQ(seen[0].certificate_ends_s, -1);
  EXPECT_EQ(seen[1].date_s, -1);
  EXPECT_EQ(seen[1].location, "");
  EXPECT_FALSE(seen[1].from_cache);
}

TEST(CurlTransport, DoesNotFollowRedirects) {
  RawServer target("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const FetchResult result =
      FetchBytes("HTTP/1.1 302 Found\r\nLocation: " + target.url() + "\r\nContent-Length: 0\r\n\r\n");
  EXPECT_EQ(result.outcome, FetchOutcome::kAnswered);
  EXPECT_EQ(result.http_status, 302);
  EXPECT_TRUE(target.requests().empty());
}

TEST(CurlTransport, ErrorStatusIsAnAnswer) {
  EXPECT_EQ(FetchBytes("HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nbusy").http_status, 503);
  EXPECT_EQ(FetchBytes("HTTP/1.1 401 No\r\nWWW-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n").http_status,
            401);
  EXPECT_EQ(FetchBytes("HTTP/1.1 304 Not Modified\r\nETag: \"v1\"\r\n\r\n").http_status, 304);
}

TEST(CurlTransport, ResponseThatIsCutOffIsUnreachable) {
  EXPECT_EQ(FetchBytes("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"keys\":[").outcome,
            FetchOutcome::kUnreachable);
  EXPECT_EQ(FetchBytes("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\n{\"keys\":[").outcome,
            FetchOutcome::kUnreachable);
  EXPECT_EQ(FetchBytes("HTTP/1.1 200 OK\r\nContent-Le").outcome, FetchOutcome::kUnreachable);
  EXPECT_EQ(FetchBytes("").outcome, FetchOutcome::kUnreachable);
}

TEST(CurlTransport, WhatIsNotHttpIsUnreachable) {
  EXPECT_EQ(FetchBytes("{\"keys\":[]}").outcome, FetchOutcome::kUnreachable);
  EXPECT_EQ(FetchBytes("SSH-2.0-OpenSSH_9.2\r\n").outcome, FetchOutcome::kUnreachable);
}

TEST(CurlTransport, RefusedConnectionIsUnreachable) {
  std::string url;
  {
    const RawServer gone("");
    url = gone.url();
  }
  const auto transport = Make();
  FetchRequest request;
  request.url = url;
  EXPECT_EQ(Fetch(*transport, request).outcome, FetchOutcome::kUnreachable);
}

TEST(CurlTransport, BodyMayBeExactlyAsLongAsTheLimitAndNoLonger) {
  const std::string announced = "HTTP/1.1 200 OK\r\nContent-Length: ";
  const RawServer fits(announced + "1000\r\n\r\n" + std::string(1000, 'x'));
  EXPECT_EQ(FetchFrom(fits, 20'000, 1000).body.size(), 1000u);
  EXPECT_EQ(FetchFrom(fits, 20'000, 999).outcome, FetchOutcome::kTooLarge);
  EXPECT_EQ(FetchFrom(fits, 20'000, 0).outcome, FetchOutcome::kTooLarge);
  const RawServer chunked(Chunked(std::string(1000, 'x'), ""));
  EXPECT_EQ(FetchFrom(chunked, 20'000, 1000).body.size(), 1000u);
  EXPECT_EQ(FetchFrom(chunked, 20'000, 999).outcome, FetchOutcome::kTooLarge);
  const RawServer endless("HTTP/1.1 200 OK\r\n\r\n" + std::string(8 << 20, 'x'), true);
  EXPECT_EQ(FetchFrom(endless, 20'000, 1 << 20).outcome, FetchOutcome::kTooLarge);
}

TEST(CurlTransport, AnnouncedLengthBeyondTheLimitEndsTheExchangeBeforeTheBody) {
  const RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 99999999\r\n\r\n", true);
  EXPECT_EQ(FetchFrom(server).outcome, FetchOutcome::kTooLarge);
}

TEST(CurlTransport, HeadersAreBounded) {
  std::string answer = "HTTP/1.1 200 OK\r\n";
  for (int i = 0; i < 1000; ++i) answer += "X-" + std::to_string(i) + ": " + std::string(100, 'x') + "\r\n";
  EXPECT_EQ(FetchFrom(RawServer(answer, true)).outcome, FetchOutcome::kTooLarge);
  std::string interim;
  for (int i = 0; i < 5000; ++i) interim += "HTTP/1.1 102 Processing\r\n\r\n";
  EXPECT_EQ(FetchFrom(RawServer(interim, true)).outcome, FetchOutcome::kTooLarge);
}

TEST(CurlTransport, InterimResponsesAndTrailersDoNotSpeakForTheResponse) {
  const FetchResult interim = FetchBytes(
      "HTTP/1.1 103 Early Hints\r\nETag: \"no\"\r\nCache-Control: max-age=9\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  EXPECT_EQ(interim.http_status, 200);
  EXPECT_EQ(interim.etag, "");
  EXPECT_EQ(interim.max_age_s, -1);
  const FetchResult trailers = FetchBytes(Chunked("{}", "ETag: \"no\"\r\nCache-Control: max-age=9\r\n"));
  EXPECT_EQ(trailers.body, "{}");
  EXPECT_EQ(trailers.etag, "\"v1\"");
  EXPECT_EQ(trailers.max_age_s, -1);
}

TEST(CurlTransport, CompressedBodyIsNotDecompressed) {
  const FetchResult result =
      FetchBytes("HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 4\r\n\r\n\x1f\x8b\x08\x01");
  EXPECT_EQ(result.outcome, FetchOutcome::kAnswered);
  EXPECT_EQ(result.body.size(), 4u);
}

TEST(CurlTransport, TimeoutCoversTheWholeExchange) {
  EXPECT_EQ(FetchFrom(RawServer("", true), 50).outcome, FetchOutcome::kTimedOut);
  EXPECT_EQ(FetchFrom(RawServer("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n12345", true), 50).outcome,
            FetchOutcome::kTimedOut);
  EXPECT_EQ(FetchFrom(RawServer("", true), 0).outcome, FetchOutcome::kTimedOut);  // Not "for ever".
}

TEST(CurlTransport, PlainServerBehindAnHttpsUrlFailsInTls) {
  const RawServer server("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const auto transport = Make();
  FetchRequest request;
  request.url = server.url("https");
  EXPECT_EQ(Fetch(*transport, request).outcome, FetchOutcome::kTlsFailed);
}

TEST(CurlTransport, WakeEndsAPollInProgressAndTheNextOne) {
  const auto transport = Make();
  std::vector<FetchResult> done;
  transport->Wake();
  transport->Poll(600'000, &done);  // The test's own time limit is the assertion.
  std::thread other([&] { transport->Wake(); });
  transport->Poll(600'000, &done);
  other.join();
  EXPECT_TRUE(done.empty());
}

TEST(CurlTransport, ManyExchangesEndOnceEachAndMayBeAbandoned) {
  const RawServer good("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  const RawServer bad("");
  const auto transport = Make();
  for (uint64_t id = 0; id < 40; ++id) {
    FetchRequest request;
    request.id = id;
    request.url = id % 4 == 0 ? "ftp://127.0.0.1/" : id % 4 == 1 ? bad.url() : good.url();
    request.timeout_ms = 20'000;
    transport->Start(request);
  }
  for (const auto& [id, result] : Finish(*transport, 40)) {
    EXPECT_EQ(result.outcome, id % 4 == 0   ? FetchOutcome::kNotAllowed
                              : id % 4 == 1 ? FetchOutcome::kUnreachable
                                            : FetchOutcome::kAnswered);
  }
  FetchRequest request;
  request.url = good.url();
  transport->Start(request);  // The destructor ends it.
}

TEST(CurlTransport, LeavesTheThreadsSignalMaskAsItWas) {
  sigset_t before;
  sigset_t after;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  FetchBytes("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}");
  pthread_sigmask(SIG_SETMASK, nullptr, &after);
  EXPECT_EQ(sigismember(&before, SIGPIPE), sigismember(&after, SIGPIPE));
}

// Against the identity provider and its faults.
class CurlTransportIdp : public ::testing::Test {
 protected:
  void SetUp() override {
    idp::ServerOptions options;
    options.endpoints.keys = {idp::TestKey("ES256")};
    std::string error;
    server_ = idp::Server::Start(options, &error);
    ASSERT_NE(server_, nullptr) << error;
    transport_ = Make();
  }
  FetchResult FetchKeys(std::string etag = "", uint32_t timeout_ms = 20'000) {
    FetchRequest request;
    request.url = server_->url() + std::string(kJwksPath);
    request.if_none_match = std::move(etag);
    request.timeout_ms = timeout_ms;
    return Fetch(*transport_, request);
  }
  FetchResult FetchWith(idp::FaultMode mode, uint32_t timeout_ms = 20'000) {
    idp::Fault fault;
    fault.mode = mode;
    fault.delay = std::chrono::minutes(1);
    server_->SetFault(kJwksPath, fault);
    return FetchKeys("", timeout_ms);
  }

  std::unique_ptr<idp::Server> server_;
  std::unique_ptr<Transport> transport_;
};

TEST_F(CurlTransportIdp, KeySetThenNotModified) {
  const FetchResult first = FetchKeys();
  EXPECT_EQ(first.http_status, 200);
  EXPECT_THAT(first.body, HasSubstr("\"keys\""));
  EXPECT_EQ(first.max_age_s, 300);
  ASSERT_NE(first.etag, "");
  const FetchResult second = FetchKeys(first.etag);
  EXPECT_EQ(second.http_status, 304);
  EXPECT_EQ(second.body, "");
}

TEST_F(CurlTransportIdp, EachFaultHasItsOutcome) {
  EXPECT_EQ(FetchWith(idp::FaultMode::kError).http_status, 500);
  EXPECT_EQ(FetchWith(idp::FaultMode::kRedirect).http_status, 302);
  EXPECT_EQ(FetchWith(idp::FaultMode::kGarbage).outcome, FetchOutcome::kAnswered);
  EXPECT_EQ(FetchWith(idp::FaultMode::kEmpty).body, "");
  EXPECT_EQ(FetchWith(idp::FaultMode::kTruncated).outcome, FetchOutcome::kUnreachable);
  EXPECT_EQ(FetchWith(idp::FaultMode::kOversized).outcome, FetchOutcome::kTooLarge);
  EXPECT_EQ(FetchWith(idp::FaultMode::kBlackhole, 50).outcome, FetchOutcome::kTimedOut);
  EXPECT_EQ(FetchWith(idp::FaultMode::kSlow, 50).outcome, FetchOutcome::kTimedOut);
  EXPECT_EQ(FetchWith(idp::FaultMode::kSlowBody, 50).outcome, FetchOutcome::kTimedOut);
  server_->Stop();
  EXPECT_EQ(FetchKeys().outcome, FetchOutcome::kUnreachable);
  ASSERT_TRUE(server_->Restart());
  server_->ClearFaults();
  EXPECT_EQ(FetchKeys().http_status, 200);
}

}  // namespace
}  // namespace tollgate::transport
