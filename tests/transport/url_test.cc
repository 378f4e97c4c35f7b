#include "transport/url.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

namespace tollgate::transport {
namespace {

bool Allowed(std::string_view url) { return CheckFetchUrl(url, {}).ok(); }
bool AllowedWithLoopback(std::string_view url) { return CheckFetchUrl(url, {.loopback = true}).ok(); }
bool AllowedInPrivate(std::string_view url) { return CheckFetchUrl(url, {.reach = Reach::kPrivate}).ok(); }

TEST(CheckFetchUrl, AcceptsHttpsUrls) {
  for (const std::string_view url :
       {"https://idp.example", "https://idp.example/",
        "https://idp.example/.well-known/jwks.json?p=b2c_1&x=@", "https://idp.example:8443/a/@b/c",
        "https://9.9.9.9/jwks", "https://[2620:fe::fe]:8443/jwks", "HTTPS://IdP.Example/Keys"}) {
    EXPECT_TRUE(Allowed(url)) << url;
    EXPECT_TRUE(AllowedWithLoopback(url)) << url;
    EXPECT_TRUE(AllowedInPrivate(url)) << url;
  }
}

TEST(CheckFetchUrl, RefusesWhatIsNoPlainHttpsUrl) {
  for (const std::string_view url : {"",
                                     "idp.example",
                                     "//idp.example/",
                                     "https:",
                                     "https:/idp.example",
                                     "https:///idp.example",
                                     "https:///",
                                     "https://",
                                     "https://?x",
                                     "ftp://idp.example/",
                                     "file:///etc/passwd",
                                     "gopher://idp.example/",
                                     "https+unix://x/",
                                     " https://idp.example/",
                                     "https://idp.example/ ",
                                     "https://idp.example/a b",
                                     "https://user@idp.example/",
                                     "https://user:password@idp.example/",
                                     "https://@idp.example/",
                                     "https://idp.example#f",
                                     "https://idp.example/#",
                                     "https://idp.example\\@evil.example/",
                                     "https://idp.example:0/",
                                     "https://idp.example:65536/",
                                     "https://idp.example:x/",
                                     "https://idp.example:/",
                                     "https://idp.example:0443/",
                                     "https://idp%2eexample/",
                                     "https://[::1",
                                     "https://[fe80::1%25eth0]/",
                                     "https://idp.example/\r\nHost: evil",
                                     "https://\xc3\xa9.example/",
                                     "https://idp.example/\xff"}) {
    EXPECT_FALSE(Allowed(url)) << url;
    EXPECT_FALSE(AllowedWithLoopback(url)) << url;
    EXPECT_FALSE(AllowedInPrivate(url)) << url;
  }
  EXPECT_FALSE(Allowed(std::string_view("https://idp.example/\0evil", 25)));
  EXPECT_FALSE(Allowed("https://idp.example/" + std::string(4096, 'a')));
}

TEST(CheckFetchUrl, AcceptsLoopbackAndHttpThereOnlyIfAllowed) {
  for (const std::string_view url :
       {"http://127.0.0.1/jwks", "http://127.0.0.1:8080/jwks", "http://127.255.255.254/",
        "http://[::1]:8080/jwks", "http://localhost:8080/jwks", "http://LOCALHOST/", "https://127.0.0.1/jwks",
        "https://[::1]:8443/jwks", "https://localhost:8443/jwks"}) {
    EXPECT_FALSE(Allowed(url)) << url;
    EXPECT_FALSE(AllowedInPrivate(url)) << url;
    EXPECT_TRUE(AllowedWithLoopback(url)) << url;
    EXPECT_TRUE(HasLoopbackHost(url)) << url;
  }
}

TEST(CheckFetchUrl, RefusesHttpToWhatOnlyLooksLikeLoopback) {
  for (const std::string_view url :
       {"http://idp.example/", "http://128.0.0.1/", "http://127.0.0.1.evil.example/",
        "http://127.0.0.1@evil.example/", "http://localhost.evil.example/", "http://localhost./",
        "http://0.0.0.0/", "http://[::]/", "http://[::2]/", "http://[::ffff:127.0.0.1]/",
        "http://2130706433/", "http://0x7f.0.0.1/", "http://0177.0.0.1/", "http://127.1/",
        "http://192.168.0.1/", "http://169.254.169.254/latest/meta-data", "http://loc%61lhost/"}) {
    EXPECT_FALSE(AllowedWithLoopback(url)) << url;
  }
}

TEST(CheckFetchUrl, JudgesAnAddressInTheUrl) {
  for (const std::string_view host :
       {"10.0.0.1", "172.31.255.255", "192.168.0.1", "100.64.0.1", "[fd00::1]", "[::ffff:10.0.0.1]"}) {
    const std::string url = "https://" + std::string(host) + "/jwks";
    EXPECT_EQ(CheckFetchUrl(url, {}).code(), absl::StatusCode::kPermissionDenied) << url;
    EXPECT_FALSE(AllowedWithLoopback(url)) << url;
    EXPECT_TRUE(AllowedInPrivate(url)) << url;
  }
  for (const std::string_view host :
       {"0.0.0.0", "169.254.169.254", "192.0.2.1", "255.255.255.255", "[::]", "[::2]", "[fe80::1]",
        "[2001:db8::1]", "[ff02::1]", "[64:ff9b::a00:1]", "[::127.0.0.1]", "[::ffff:127.0.0.1]"}) {
    const std::string url = "https://" + std::string(host) + "/jwks";
    EXPECT_EQ(CheckFetchUrl(url, {}).code(), absl::StatusCode::kPermissionDenied) << url;
    EXPECT_FALSE(AllowedWithLoopback(url)) << url;
    EXPECT_FALSE(AllowedInPrivate(url)) << url;
    EXPECT_FALSE(HasLoopbackHost(url)) << url;
  }
  EXPECT_EQ(CheckFetchUrl("https://localhost/", {}).code(), absl::StatusCode::kPermissionDenied);
}

TEST(AuthorityOf, IsOneForEachHostAndPort) {
  for (const auto& [url, authority] :
       std::vector<std::pair<const char*, const char*>>{{"https://idp.example", "idp.example"},
                                                        {"HTTPS://IdP.Example:443/Keys", "idp.example"},
                                                        {"https://idp.example:8443?x", "idp.example:8443"},
                                                        {"https://idp.example:80/", "idp.example:80"},
                                                        {"https://idp.example:1443/", "idp.example:1443"},
                                                        {"https://[2620:FE::fe]:443/", "[2620:fe::fe]"},
                                                        {"http://localhost:80/", "localhost"},
                                                        {"http://127.0.0.1:443/", "127.0.0.1:443"}}) {
    EXPECT_TRUE(AllowedWithLoopback(url)) << url;
    EXPECT_EQ(AuthorityOf(url), authority) << url;
  }
}

TEST(HasLoopbackHost, IsWhatTheUrlSaysAndNotWhatItMayResolveTo) {
  for (const std::string_view url :
       {"https://idp.example/", "https://localhost.evil.example/", "https://localhost./",
        "https://idp.example/localhost", "https://idp.example?localhost", "https://9.9.9.9:127/"}) {
    EXPECT_FALSE(HasLoopbackHost(url)) << url;
  }
}

TEST(CheckFetchUrl, MessageIsOneLineWithoutAnyPartOfTheUrl) {
  for (const std::string_view url :
       {"https://user:hunter2@idp.example/", "http://idp.example/?hunter2", "https://idp.example/hunter2#x",
        "https://idp.example:99999/hunter2", "hunter2\nidp", "https://10.0.0.1/hunter2",
        "https://[fe80::1]/?hunter2"}) {
    const std::string message(CheckFetchUrl(url, {.loopback = true}).message());
    EXPECT_FALSE(message.empty());
    EXPECT_EQ(message.find('\n'), message.npos);
    EXPECT_EQ(message.find("hunter2"), message.npos);
    EXPECT_EQ(message.find("idp"), message.npos);
  }
}

}  // namespace
}  // namespace tollgate::transport
