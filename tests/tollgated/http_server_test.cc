// The server on real sockets of this machine, by clients that misbehave. Nothing here measures a time.

#include "tools/tollgated/http_server.h"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <condition_variable>
#include <mutex>
#include <random>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "tests/tollgated/http_client.h"

namespace tollgate::tollgated {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kPatience{20'000};

// Waiting keeps requests to /later until the test answers them.
class Waiting {
 public:
  void Add(HttpHandler::Later later) {
    const std::lock_guard lock(mutex_);
    laters_.push_back(std::move(later));
    changed_.notify_all();
  }
  bool WaitFor(size_t num) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kPatience, [&] { return laters_.size() >= num; });
  }
  void Answer(const std::string& body) {
    std::vector<HttpHandler::Later> laters;
    {
      const std::lock_guard lock(mutex_);
      laters.swap(laters_);
    }
    for (const HttpHandler::Later& later : laters) later({.status = 200, .body = body});
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<HttpHandler::Later> laters_;
};

// Echo answers with what was asked; /big with so many bytes as the body says.
class Echo final : public HttpHandler {
 public:
  explicit Echo(Waiting& waiting) : waiting_(waiting) {}

  bool Answer(const HttpRequest& request, HttpAnswer* answer, absl::FunctionRef<Later()> later) override {
    if (request.target == "/later") {
      waiting_.Add(later());
      return false;
    }
    *answer = {.status = 200};
    answer->Add("X-Fields", std::to_string(request.fields.size()));
    answer->body =
        std::string(request.method) + " " + std::string(request.target) + " " + std::string(request.body);
    if (request.target == "/big") answer->body.assign(std::stoul(std::string(request.body)), 'x');
    return true;
  }

 private:
  Waiting& waiting_;
};

std::string Get(const std::string& target) { return "GET " + target + " HTTP/1.1\r\nHost: a\r\n\r\n"; }
std::string Post(const std::string& target, const std::string& body) {
  return "POST " + target + " HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(body.size()) +
         "\r\n\r\n" + body;
}

std::string BodyOf(const std::string& answer) {
  const size_t end = answer.find("\r\n\r\n");
  return end == answer.npos ? "(none)" : answer.substr(end + 4);
}
std::string StatusOf(const std::string& answer) {
  return answer.substr(0, std::min<size_t>(answer.size(), 12));
}

class HttpServerTest : public ::testing::Test {
 protected:
  void Start(size_t threads = 2) {
    options_.threads = threads;
    if (options_.listen.empty()) options_.listen = {"127.0.0.1:0"};
    absl::StatusOr<std::unique_ptr<HttpServer>> server =
        HttpServer::Start(options_, [this] { return std::make_unique<Echo>(waiting_); });
    ASSERT_TRUE(server.ok()) << server.status();
    server_ = *std::move(server);
  }
  const std::string& address() const { return server_->listening().front(); }

  // Served says whether a new client is answered.
  void ExpectServes() {
    HttpClient client(address());
    client.Send(Get("/alive"));
    EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /alive ");
  }

  HttpServer::Options options_;
  Waiting waiting_;
  std::unique_ptr<HttpServer> server_;
};

// A directory that goes with the test.
class Directory {
 public:
  Directory() { EXPECT_NE(mkdtemp(path_), nullptr); }
  ~Directory() { rmdir(path_); }
  std::string File(const std::string& name) const { return std::string(path_) + "/" + name; }

 private:
  char path_[32] = "/tmp/tollgated_test_XXXXXX";
};

TEST_F(HttpServerTest, AnswersOneRequestAfterTheOther) {
  Start();
  HttpClient client(address());
  client.Send(Get("/a"));
  const std::string answer = client.ReadAnswer();
  EXPECT_EQ(answer, "HTTP/1.1 200 OK\r\nX-Fields: 1\r\nContent-Length: 7\r\n\r\nGET /a ");
  client.Send(Post("/b", "body"));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "POST /b body");
  client.Send("GET /c HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n" + Get("/d"));
  EXPECT_NE(client.ReadAnswer().find("Connection: close\r\n"), std::string::npos);
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_EQ(server_->ReadCounters().requests, 3u);
}

TEST_F(HttpServerTest, UnixSocketsComeAndGo) {
  const Directory directory;
  const std::string path = directory.File("check.sock");
  options_.listen = {"unix:" + path, "127.0.0.1:0"};
  Start();
  for (const std::string& each : server_->listening()) {
    HttpClient client(each);
    client.Send(Get("/a"));
    EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /a ");
  }
  struct stat status = {};
  ASSERT_EQ(stat(path.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0777u, 0660u);
  // Two cannot have the same name,
  EXPECT_EQ(
      HttpServer::Start({.listen = {"unix:" + path}}, [this] { return std::make_unique<Echo>(waiting_); })
          .status()
          .code(),
      absl::StatusCode::kUnavailable);
  server_.reset();
  EXPECT_NE(stat(path.c_str(), &status), 0);
  // and one that nobody listens at is nobody's.
  const int abandoned = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_un name = {};
  name.sun_family = AF_UNIX;
  std::strncpy(name.sun_path, path.c_str(), sizeof(name.sun_path) - 1);
  ASSERT_EQ(bind(abandoned, reinterpret_cast<const sockaddr*>(&name), sizeof(name)), 0);
  close(abandoned);
  Start();
  ExpectServes();
  server_.reset();
}

// HasIpv6Loopback: containers may have none.
bool HasIpv6Loopback() {
  sockaddr_in6 address = {};
  address.sin6_family = AF_INET6;
  address.sin6_addr = in6addr_loopback;
  const int fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const bool bound = fd >= 0 && bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) == 0;
  if (fd >= 0) close(fd);
  return bound;
}

TEST_F(HttpServerTest, ListensAtTheLoopbackAddressOfIpv6) {
  if (!HasIpv6Loopback()) GTEST_SKIP() << "this machine has no address ::1";
  options_.listen = {"[::1]:0", "127.0.0.1:0"};
  Start();
  ASSERT_TRUE(address().starts_with("[::1]:")) << address();
  ExpectServes();
  EXPECT_NE(address(), "[::1]:0");
  HttpClient other(server_->listening().back());
  other.Send(Get("/v4"));
  EXPECT_EQ(BodyOf(other.ReadAnswer()), "GET /v4 ");
  // The other family's loopback is not ours.
  HttpClient not_ours("127.0.0.1" + address().substr(address().rfind(':')));
  EXPECT_FALSE(not_ours.connected());
}

TEST_F(HttpServerTest, SaysInOneLineWhereItCannotListen) {
  Start();
  const auto status_of = [this](const std::string& listen) {
    return HttpServer::Start({.listen = {listen}}, [this] { return std::make_unique<Echo>(waiting_); })
        .status();
  };
  for (const char* wrong : {"", "9180", "localhost:9180", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x",
                            "::1:9180", "[127.0.0.1]:9180", "unix:relative.sock", "unix:"}) {
    const absl::Status status = status_of(wrong);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << wrong;
    EXPECT_NE(std::string(status.message()).find(std::string("listen ") + wrong), std::string::npos)
        << status;
  }
  EXPECT_EQ(status_of(address()).code(), absl::StatusCode::kUnavailable);
  EXPECT_EQ(status_of("unix:/nonexistent/a.sock").code(), absl::StatusCode::kUnavailable);
}

TEST_F(HttpServerTest, PipelinedRequestsAreAnsweredInOrder) {
  Start();
  HttpClient client(address());
  client.Send(Get("/1") + Get("/later") + Post("/2", "b") + Get("/later") + Get("/3"));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /1 ");
  ASSERT_TRUE(waiting_.WaitFor(1));
  waiting_.Answer("first");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "first");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "POST /2 b");
  ASSERT_TRUE(waiting_.WaitFor(1));
  waiting_.Answer("second");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "second");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /3 ");
}

TEST_F(HttpServerTest, ManyPipelinedRequestsWaitForTheirReader) {
  Start();
  HttpClient client(address());
  std::thread sender([&client] {
    for (int i = 0; i < 40; ++i) client.Send(Post("/big", "200000"));
    client.Send(Get("/end"));
  });
  for (int i = 0; i < 40; ++i) EXPECT_EQ(BodyOf(client.ReadAnswer()), std::string(200'000, 'x'));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /end ");
  sender.join();
}

TEST_F(HttpServerTest, OtherFormsOfAnswers) {
  Start();
  {
    HttpClient client(address());
    client.Send("HEAD /a HTTP/1.1\r\nHost: a\r\n\r\n" + Get("/b"));
    EXPECT_EQ(client.ReadAnswer(/*has_body=*/false),
              "HTTP/1.1 200 OK\r\nX-Fields: 1\r\nContent-Length: 8\r\n\r\n");
    EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /b ");
  }
  {
    HttpClient client(address());
    client.Send("GET /a HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
    EXPECT_NE(client.ReadAnswer().find("Connection: keep-alive\r\n"), std::string::npos);
    client.Send("GET /a HTTP/1.0\r\n\r\n");
    EXPECT_NE(client.ReadToEnd().find("Connection: close\r\n"), std::string::npos);
  }
  HttpClient client(address());
  client.Send("POST /a HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n");
  EXPECT_EQ(client.ReadAnswer(), "HTTP/1.1 100 Continue\r\n\r\n");
  client.Send("x");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "POST /a x");
  client.Send("POST /b HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "POST /b ab");
}

TEST_F(HttpServerTest, WhatIsNoRequestIsToldSoAndEnds) {
  options_.bounds.header_bytes_max = 1024;
  options_.bounds.body_bytes_max = 100;
  Start();
  const std::pair<std::string, std::string> rows[] = {
      {"nonsense\r\n\r\n", "HTTP/1.1 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", "HTTP/1.1 400"},
      {"GET / HTTP/1.1\r\nHost: a\r\nX: b\r\n c\r\n\r\n", "HTTP/1.1 400"},
      {"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       "HTTP/1.1 400"},
      {"GET /" + std::string(2000, 'x'), "HTTP/1.1 431"},
      {Post("/", std::string(101, 'x')), "HTTP/1.1 413"},
      {"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n", "HTTP/1.1 501"},
      {"GET / HTTP/3.0\r\nHost: a\r\n\r\n", "HTTP/1.1 505"},
  };
  for (const auto& [request, status] : rows) {
    HttpClient client(address());
    client.Send(Get("/good") + request + Get("/smuggled"));
    client.EndSending();
    EXPECT_EQ(StatusOf(client.ReadAnswer()), "HTTP/1.1 200");
    const std::string rest = client.ReadToEnd();
    EXPECT_EQ(StatusOf(rest), status) << request;
    EXPECT_NE(rest.find("Connection: close\r\n"), std::string::npos);
    EXPECT_EQ(rest.find("smuggled"), std::string::npos);
    EXPECT_TRUE(client.is_over());
  }
  EXPECT_EQ(server_->ReadCounters().requests_malformed, std::size(rows));
  ExpectServes();
}

TEST_F(HttpServerTest, GarbageEndsNothingButItsConnection) {
  Start();
  std::mt19937 random(7);
  for (int i = 0; i < 100; ++i) {
    HttpClient client(address());
    std::string bytes = i % 2 == 0 ? "POST / HTTP/1.1\r\nHost: a\r\n" : "";
    for (size_t n = random() % 2000; n > 0; --n) bytes += static_cast<char>(random());
    client.Send(bytes);
    client.EndSending();
    client.ReadToEnd();
    EXPECT_TRUE(client.is_over());
  }
  ExpectServes();
}

TEST_F(HttpServerTest, ARequestThatTakesTooLongIsEnded) {
  options_.bounds.request_timeout = milliseconds(100);
  Start();
  for (const char* begun :
       {"G", "GET / HTTP/1.1\r\nHost: a\r\n", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\nx"}) {
    HttpClient client(address());
    client.Send(begun);
    bool timed_out = false;
    EXPECT_EQ(StatusOf(client.ReadToEnd(&timed_out)), "HTTP/1.1 408") << begun;
    EXPECT_FALSE(timed_out);
  }
  EXPECT_EQ(server_->ReadCounters().timeouts, 3u);
}

TEST_F(HttpServerTest, DripByDripIsTooSlow) {
  options_.bounds.request_timeout = milliseconds(100);
  Start();
  HttpClient client(address());
  client.Send("GET / HTTP/1.1\r\nHost: a\r\nX: ");
  client.SetTimeout(5);  // Between two bytes.
  for (int i = 0; i < 4000 && !client.is_over(); ++i) {
    client.Send("x");
    client.ReadToEnd();
  }
  EXPECT_TRUE(client.is_over());
  ExpectServes();
}

TEST_F(HttpServerTest, WhoDoesNotReadIsEnded) {
  options_.bounds.request_timeout = milliseconds(100);
  Start();
  HttpClient client(address());
  client.Send(Post("/big", "50000000"));
  while (server_->ReadCounters().timeouts == 0) std::this_thread::sleep_for(milliseconds(1));
  EXPECT_LT(client.ReadToEnd().size(), 50'000'000u);
  EXPECT_TRUE(client.is_over());
}

TEST_F(HttpServerTest, AnIdleConnectionIsClosed) {
  options_.bounds.idle_timeout = milliseconds(500);
  Start();
  HttpClient silent(address());
  EXPECT_EQ(silent.ReadToEnd(), "");
  EXPECT_TRUE(silent.is_over());
  HttpClient client(address());
  client.Send(Get("/a"));
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /a ");
  EXPECT_EQ(client.ReadToEnd(), "");
  EXPECT_TRUE(client.is_over());
}

TEST_F(HttpServerTest, WhoWaitsForTheHandlerIsNotIdle) {
  options_.bounds.idle_timeout = options_.bounds.request_timeout = milliseconds(500);
  Start();
  HttpClient waits(address()), idles(address());
  waits.Send(Get("/later"));
  ASSERT_TRUE(waiting_.WaitFor(1));
  HttpClient later(address());
  EXPECT_EQ(idles.ReadToEnd(), "");
  EXPECT_EQ(later.ReadToEnd(), "");  // Connected behind the request, and over before its answer.
  waiting_.Answer("patient");
  EXPECT_EQ(BodyOf(waits.ReadAnswer()), "patient");
}

TEST_F(HttpServerTest, WhoLeavesWhileTheyWaitTakesNobodysPlace) {
  Start();
  HttpClient stays(address());
  stays.Send(Get("/later"));
  {
    HttpClient leaves(address());
    leaves.Send(Get("/a"));
    EXPECT_EQ(BodyOf(leaves.ReadAnswer()), "GET /a ");
    leaves.Send(Get("/later"));
    ASSERT_TRUE(waiting_.WaitFor(2));
    EXPECT_EQ(server_->ReadCounters().connections_open, 2u);
  }
  while (server_->ReadCounters().connections_open != 1) std::this_thread::sleep_for(milliseconds(1));
  // Whose answer comes then, comes to nobody; and the other one waits on, and again.
  for (const char* body : {"first", "second"}) {
    waiting_.Answer(body);
    EXPECT_EQ(BodyOf(stays.ReadAnswer()), body);
    stays.Send(Get("/later"));
    ASSERT_TRUE(waiting_.WaitFor(1));
  }
  EXPECT_EQ(server_->ReadCounters().connections_open, 1u);
}

TEST_F(HttpServerTest, WhoSendsMoreWhileTheyWaitIsThere) {
  Start();
  HttpClient client(address());
  client.Send(Get("/later"));
  ASSERT_TRUE(waiting_.WaitFor(1));
  client.Send(Get("/more"));
  HttpClient(address()).Send(Get("/a"));  // Some time goes by for the server.
  ExpectServes();
  waiting_.Answer("first");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "first");
  EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET /more ");
}

TEST_F(HttpServerTest, ConnectionsBeyondTheirNumberAreClosedAtOnce) {
  options_.bounds.connections_max = 3;
  Start();
  {
    HttpClient one(address()), two(address()), three(address());
    for (HttpClient* client : {&one, &two, &three}) {
      client->Send(Get("/a"));
      EXPECT_EQ(BodyOf(client->ReadAnswer()), "GET /a ");
    }
    HttpClient four(address());
    EXPECT_EQ(four.ReadToEnd(), "");
    EXPECT_TRUE(four.is_over());
    EXPECT_EQ(server_->ReadCounters().connections_refused, 1u);
    EXPECT_EQ(server_->ReadCounters().connections_open, 3u);
  }
  while (server_->ReadCounters().connections_open != 0) std::this_thread::sleep_for(milliseconds(1));
  ExpectServes();
}

TEST_F(HttpServerTest, DrainLetsWhatIsUnderWayEnd) {
  Start(/*threads=*/1);  // Others begin to drain in their own time.
  HttpClient idle(address()), waits(address()), half(address());
  idle.Send(Get("/a"));
  EXPECT_EQ(BodyOf(idle.ReadAnswer()), "GET /a ");
  waits.Send(Get("/later"));
  ASSERT_TRUE(waiting_.WaitFor(1));
  half.Send("GET /half HTTP/1.1\r\n");
  bool whole = false;
  std::thread drain([&] { whole = server_->Drain(kPatience); });
  EXPECT_EQ(idle.ReadToEnd(), "");
  EXPECT_TRUE(idle.is_over());
  HttpClient late(address());
  EXPECT_TRUE(!late.connected() || late.ReadToEnd().empty());
  half.Send("Host: a\r\n\r\n");
  const std::string answer = half.ReadToEnd();
  EXPECT_EQ(BodyOf(answer), "GET /half ");
  EXPECT_NE(answer.find("Connection: close\r\n"), std::string::npos);
  waiting_.Answer("done");
  EXPECT_NE(waits.ReadAnswer().find("Connection: close\r\n"), std::string::npos);
  drain.join();
  EXPECT_TRUE(whole);
  EXPECT_EQ(server_->ReadCounters().connections_open, 0u);
}

TEST_F(HttpServerTest, DrainCutsOffWhatDoesNotEnd) {
  Start();
  HttpClient waits(address());
  waits.Send(Get("/later"));
  ASSERT_TRUE(waiting_.WaitFor(1));
  EXPECT_FALSE(server_->Drain(milliseconds(10)));
  EXPECT_EQ(waits.ReadToEnd(), "");
  waiting_.Answer("too late");  // And harmless.
  EXPECT_TRUE(server_->Drain(milliseconds(0)));
}

TEST_F(HttpServerTest, ManyClientsAtATime) {
  Start(/*threads=*/4);
  constexpr int kClients = 8, kRequests = 100;
  std::vector<std::thread> clients;
  for (int c = 0; c < kClients; ++c) {
    clients.emplace_back([this, c] {
      HttpClient client(address());
      for (int i = 0; i < kRequests; ++i) {
        const std::string target = "/" + std::to_string(c) + "/" + std::to_string(i);
        client.Send(Get(target));
        EXPECT_EQ(BodyOf(client.ReadAnswer()), "GET " + target + " ");
      }
    });
  }
  for (std::thread& client : clients) client.join();
  const HttpCounters counters = server_->ReadCounters();
  EXPECT_EQ(counters.connections, static_cast<uint64_t>(kClients));
  EXPECT_EQ(counters.requests, static_cast<uint64_t>(kClients * kRequests));
  EXPECT_EQ(counters.requests_malformed, 0u);
}

}  // namespace
}  // namespace tollgate::tollgated
