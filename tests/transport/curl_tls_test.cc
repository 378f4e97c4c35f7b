// TLS as a peer meets it: against OpenSSL's own server, with certificates made on the spot. (The test
// programs link a BoringSSL without its TLS half.)

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

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
      const pid_t pid =
          RunOpenssl({"req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                      "-days", "2", "-subj", "/CN=" + who, "-addext", "subjectAltName=DNS:localhost",
                      "-keyout", folder_ + "/" + who + ".key", "-out", folder_ + "/" + who + ".pem"},
                     null);
      int status = -1;
      ASSERT_EQ(waitpid(pid, &status, 0), pid);
      ASSERT_EQ(status, 0);
    }
    close(null);
    int out[2];
    ASSERT_EQ(pipe2(out, O_CLOEXEC), 0);
    server_ = RunOpenssl({"s_server", "-accept", "127.0.0.1:0", "-www", "-cert", folder_ + "/server.pem",
                          "-key", folder_ + "/server.key"},
                         out[1]);
    close(out[1]);
    // "ACCEPT 127.0.0.1:PORT" once it listens.
    std::string said;
    char byte;
    while (read(out[0], &byte, 1) == 1) {
      if (byte != '\n') {
        said += byte;
      } else if (said.starts_with("ACCEPT 127.0.0.1:")) {
        port_ = said.substr(said.rfind(':') + 1);
        break;
      } else {
        said.clear();
      }
    }
    out_ = out[0];
    ASSERT_FALSE(port_.empty());
  }

  static void TearDownTestSuite() {
    if (server_ > 0) {
      kill(server_, SIGTERM);
      waitpid(server_, nullptr, 0);
    }
    if (out_ >= 0) close(out_);
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  static FetchResult Fetch(const std::string& host, const std::string& ca_file) {
    auto transport = MakeCurlTransport({.ca_file = ca_file});
    EXPECT_TRUE(transport.ok());
    FetchRequest request;
    request.url = "https://" + host + ":" + port_ + "/";
    request.timeout_ms = 20'000;
    (*transport)->Start(request);
    std::vector<FetchResult> done;
    while (done.empty()) (*transport)->Poll(1000, &done);
    return done.front();
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

}  // namespace
}  // namespace tollgate::transport
