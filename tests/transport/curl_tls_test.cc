// TLS as a peer meets it: against OpenSSL's own server, with certificates made on the spot. (The test
// programs link a BoringSSL without its TLS half.)

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <string>
#include <vector>

#include "tests/transport/fake_network.h"
#include "transport/curl_transport.h"

extern char** environ;

namespace tollgate::transport {
namespace {

// RunOpenssl starts `openssl` with these arguments, its standard output going to `out`, and returns its
// process id.
pid_t RunOpenssl(std::vector<std::string> arguments, int out) {
  arguments.insert(arguments.begin(), "openssl");
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_adddup2(&actions, out, 1);
  posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
  pid_t pid = -1;
  EXPECT_EQ(posix_spawnp(&pid, "openssl", &actions, nullptr, argv.data(), environ), 0);
  posix_spawn_file_actions_destroy(&actions);
  return pid;
}

class CurlTls : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    char name[] = "/tmp/tollgate-tls-XXXXXX";
    ASSERT_NE(mkdtemp(name), nullptr);
    folder_ = name;
    const int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    for (const std::string who : {"server", "other"}) {
      const pid_t pid = RunOpenssl(
          {"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2",
           "-subj", "/CN=" + who, "-addext", "subjectAltName=DNS:localhost,DNS:idp.example", "-keyout",
           folder_ + "/" + who + ".key", "-out", folder_ + "/" + who + ".pem"},
          null);
      int status = -1;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      ASSERT_EQ(status, 0);
    }
    close(null);
    server_ = StartServer({}, &out_, &port_);
    ASSERT_FALSE(port_.empty());
  }

  // StartServer starts a server and returns its process id; `*out` is to be closed after its end.
  static pid_t StartServer(const std::vector<std::string>& more, int* out, std::string* port) {
    int ends[2];
    EXPECT_EQ(pipe2(ends, O_CLOEXEC), 0);
    std::vector<std::string> arguments = {"s_server",    "-accept",
                                          "127.0.0.1:0", "-www",
                                          "-cert",       folder_ + "/server.pem",
                                          "-key",        folder_ + "/server.key"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    const pid_t server = RunOpenssl(arguments, ends[1]);
    close(ends[1]);
    // "ACCEPT 127.0.0.1:PORT" once it listens.
    std::string said;
    char byte;
    while (read(ends[0], &byte, 1) == 1) {
      if (byte != '\n') {
        said += byte;
      } else if (said.starts_with("ACCEPT 127.0.0.1:")) {
        *port = said.substr(said.rfind(':') + 1);
        break;
      } else {
        said.clear();
      }
    }
    *out = ends[0];
    return server;
  }

  static void Stop(pid_t server, int out) {
    if (server > 0) {
      kill(server, SIGTERM);
      waitpid(server, nullptr, 0);
    }
    if (out >= 0) close(out);
  }

  static void TearDownTestSuite() {
    Stop(server_, out_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static FetchResult Fetch(Transport& transport, const std::string& host, Reach reach) {
    FetchRequest request;
    request.url = "https://" + host + ":" + port_ + "/";
    request.timeout_ms = 20'000;
    request.reach = reach;
    transport.Start(request);
    std::vector<FetchResult> done;
    while (done.empty()) transport.Poll(1000, &done);
    return done.front();
  }

  static FetchResult Fetch(const std::string& host, const std::string& ca_file) {
    auto transport = MakeCurlTransport({.ca_file = ca_file, .allow_http_on_loopback = true});
    EXPECT_TRUE(transport.ok());
    return Fetch(**transport, host, Reach::kPublic);
  }

  static inline std::string folder_;
  static inline std::string port_;
  static inline pid_t server_ = -1;
  static inline int out_ = -1;
};

TEST_F(CurlTls, TrustedCertificateForThisHostIsAccepted) {
  const FetchResult result = Fetch("localhost", folder_ + "/server.pem");
  EXPECT_EQ(result.outcome, FetchOutcome::kAnswered);
  EXPECT_EQ(result.http_status, 200);
}

TEST_F(CurlTls, WhoLooksForAFaultIsToldWhenTheCertificateEnds) {
  Observation seen;
  auto transport = MakeCurlTransport({.ca_file = folder_ + "/server.pem",
                                      .allow_http_on_loopback = true,
                                      .on_end = [&](const Observation& each) { seen = each; }});
  ASSERT_TRUE(transport.ok());
  EXPECT_EQ(Fetch(**transport, "localhost", Reach::kPublic).http_status, 200);
  // It was made a moment ago, for two days.
  const int64_t now_s = std::time(nullptr);
  EXPECT_GT(seen.certificate_ends_s, now_s + 86'400);
  EXPECT_LE(seen.certificate_ends_s, now_s + 2 * 86'400);
}

TEST_F(CurlTls, AServerThatAsksForACertificateGetsTheRequestsOwn) {
  int out = -1;
  std::string port;
  const pid_t server =
      StartServer({"-Verify", "1", "-verify_return_error", "-CAfile", folder_ + "/other.pem"}, &out, &port);
  auto transport = MakeCurlTransport({.ca_file = folder_ + "/server.pem", .allow_http_on_loopback = true});
  ASSERT_TRUE(transport.ok());
  FetchRequest request;
  request.url = "https://localhost:" + port + "/";
  request.timeout_ms = 20'000;
  const auto fetch = [&](const std::string& who) {
    request.client_certificate_file = who.empty() ? "" : folder_ + "/" + who + ".pem";
    request.client_key_file = who.empty() ? "" : folder_ + "/" + who + ".key";
    (*transport)->Start(request);
    std::vector<FetchResult> done;
    while (done.empty()) (*transport)->Poll(1000, &done);
    return done.front().outcome;
  };
  EXPECT_EQ(fetch("other"), FetchOutcome::kAnswered);
  EXPECT_NE(fetch(""), FetchOutcome::kAnswered);
  EXPECT_NE(fetch("server"), FetchOutcome::kAnswered) << "of another authority";
  EXPECT_EQ(fetch("absent"), FetchOutcome::kTlsFailed);
  Stop(server, out);
}

TEST_F(CurlTls, CertificateOfAnUntrustedAuthorityIsRefused) {
  EXPECT_EQ(Fetch("localhost", folder_ + "/other.pem").outcome, FetchOutcome::kTlsFailed);
  EXPECT_EQ(Fetch("localhost", "").outcome, FetchOutcome::kTlsFailed);
}

TEST_F(CurlTls, CertificateForAnotherHostIsRefused) {
  EXPECT_EQ(Fetch("127.0.0.1", folder_ + "/server.pem").outcome, FetchOutcome::kTlsFailed);
}

TEST_F(CurlTls, MissingAuthorityFileIsRefused) {
  EXPECT_EQ(Fetch("localhost", folder_ + "/no-such-file.pem").outcome, FetchOutcome::kTlsFailed);
}

TEST_F(CurlTls, LoopbackIsRefusedUnlessAllowed) {
  auto transport = MakeCurlTransport({.ca_file = folder_ + "/server.pem"});
  ASSERT_TRUE(transport.ok());
  FakeNetwork network;
  for (const Reach reach : {Reach::kPublic, Reach::kPrivate}) {
    EXPECT_EQ(Fetch(**transport, "localhost", reach).outcome, FetchOutcome::kAddressRefused);
    EXPECT_EQ(Fetch(**transport, "127.0.0.1", reach).outcome, FetchOutcome::kAddressRefused);
  }
  EXPECT_TRUE(network.TakeConnections().empty());
}

// A provider on a name that the test moves about.
class CurlReach : public CurlTls {
 protected:
  void Open(bool allow_http_on_loopback = false) {
    auto transport = MakeCurlTransport(
        {.ca_file = folder_ + "/server.pem", .allow_http_on_loopback = allow_http_on_loopback});
    ASSERT_TRUE(transport.ok());
    transport_ = *std::move(transport);
  }
  FetchOutcome FetchAt(std::vector<std::string> addresses, Reach reach = Reach::kPublic) {
    network_.Resolve("idp.example", std::move(addresses));
    return Fetch(*transport_, "idp.example", reach).outcome;
  }
  // ExpectRefused also makes sure that nothing was sent anywhere.
  void ExpectRefused(const std::string& address, Reach reach = Reach::kPublic) {
    const size_t before = network_.num_resolved();
    EXPECT_EQ(FetchAt({address}, reach), FetchOutcome::kAddressRefused) << address;
    EXPECT_GT(network_.num_resolved(), before);
    EXPECT_THAT(network_.TakeConnections(), ::testing::IsEmpty()) << address;
  }

  FakeNetwork network_;
  std::unique_ptr<Transport> transport_;
};

using ::testing::ElementsAre;

TEST_F(CurlReach, ANameThatIsReboundIsJudgedAtEachAttempt) {
  Open();
  EXPECT_EQ(FetchAt({"9.9.9.9"}), FetchOutcome::kAnswered);
  EXPECT_THAT(network_.TakeConnections(), ElementsAre("9.9.9.9"));
  for (const char* address :
       {"127.0.0.1", "0.0.0.0", "10.0.0.1", "169.254.169.254", "172.16.0.1", "192.168.0.1", "100.64.0.1",
        "224.0.0.1", "::1", "::", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254",
        "64:ff9b::10.0.0.1", "2002:7f00:1::", "fe80::1", "fd00::1", "::127.0.0.1"}) {
    ExpectRefused(address);
  }
  EXPECT_EQ(FetchAt({"9.9.9.9"}), FetchOutcome::kAnswered);
}

TEST_F(CurlReach, OfSeveralAddressesOnlyThoseWithinReachAreTried) {
  Open();
  EXPECT_EQ(FetchAt({"10.0.0.1", "127.0.0.1", "9.9.9.9"}), FetchOutcome::kAnswered);
  EXPECT_THAT(network_.TakeConnections(), ElementsAre("9.9.9.9"));
  EXPECT_EQ(FetchAt({"10.0.0.1", "::1", "127.0.0.1"}), FetchOutcome::kAddressRefused);
  EXPECT_THAT(network_.TakeConnections(), ::testing::IsEmpty());
}

TEST_F(CurlReach, PrivateReachEndsBeforeLoopbackAndLinkLocal) {
  Open();
  for (const char* address : {"10.0.0.1", "172.16.0.1", "192.168.0.1", "100.64.0.1", "9.9.9.9"}) {
    EXPECT_EQ(FetchAt({address}, Reach::kPrivate), FetchOutcome::kAnswered) << address;
    EXPECT_THAT(network_.TakeConnections(), ElementsAre(address));
  }
  for (const char* address : {"127.0.0.1", "::1", "169.254.169.254", "fe80::1", "0.0.0.0"})
    ExpectRefused(address, Reach::kPrivate);
}

// The switch is for URLs that say loopback themselves, not for names that are pointed there.
TEST_F(CurlReach, AllowingLoopbackLetsNoNameThroughToIt) {
  Open(/*allow_http_on_loopback=*/true);
  for (const Reach reach : {Reach::kPublic, Reach::kPrivate}) {
    ExpectRefused("127.0.0.1", reach);
    ExpectRefused("::1", reach);
    ExpectRefused("::ffff:127.0.0.1", reach);
  }
}

TEST_F(CurlReach, ProxiesOfTheEnvironmentAreNoWayAround) {
  Open();
  for (const char* variable : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"})
    setenv(variable, "http://10.0.0.1:3128", 1);
  const FetchOutcome good = FetchAt({"9.9.9.9"});
  EXPECT_THAT(network_.TakeConnections(), ElementsAre("9.9.9.9"));
  ExpectRefused("10.0.0.1");
  for (const char* variable : {"https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"}) unsetenv(variable);
  EXPECT_EQ(good, FetchOutcome::kAnswered);
}

}  // namespace
}  // namespace tollgate::transport
