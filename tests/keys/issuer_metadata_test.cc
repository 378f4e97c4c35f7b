#include "keys/issuer_metadata.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/limits.h"

namespace tollgate::keys {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

constexpr char kIssuer[] = "https://idp.example/tenant";

// --- Where it is ---

TEST(WellKnownUrls, OfAnIssuerWithAPathInsertIntoItAndThenAppend) {
  EXPECT_THAT(WellKnownUrls("https://auth.example.com/tenant1"),
              ElementsAre("https://auth.example.com/.well-known/oauth-authorization-server/tenant1",
                          "https://auth.example.com/.well-known/openid-configuration/tenant1",
                          "https://auth.example.com/tenant1/.well-known/openid-configuration"));
  EXPECT_THAT(WellKnownUrls("https://idp.example:8443/a/b/"),
              ElementsAre("https://idp.example:8443/.well-known/oauth-authorization-server/a/b",
                          "https://idp.example:8443/.well-known/openid-configuration/a/b",
                          "https://idp.example:8443/a/b/.well-known/openid-configuration"));
}

TEST(WellKnownUrls, OfAnIssuerWithoutAPathAreTheTwoRoots) {
  for (const char* issuer : {"https://auth.example.com", "https://auth.example.com/"}) {
    EXPECT_THAT(WellKnownUrls(issuer),
                ElementsAre("https://auth.example.com/.well-known/oauth-authorization-server",
                            "https://auth.example.com/.well-known/openid-configuration"));
  }
}

// --- What it is held against ---

absl::StatusOr<MetadataRules> Rules(std::string_view issuer, std::vector<std::string> hosts = {},
                                    transport::FetchRules fetch = {}) {
  return MakeMetadataRules(issuer, hosts, fetch);
}

TEST(MakeMetadataRules, WritesAuthoritiesInOneForm) {
  const auto rules = Rules("https://IdP.Example:443/x", {"Keys.Example", "keys.example:8443", "9.9.9.9:443"});
  ASSERT_TRUE(rules.ok()) << rules.status();
  EXPECT_EQ(rules->issuer, "https://IdP.Example:443/x");
  EXPECT_THAT(rules->authorities, ElementsAre("idp.example", "keys.example", "keys.example:8443", "9.9.9.9"));
}

TEST(MakeMetadataRules, RefusesAnIssuerThatHasNoPlaceForMetadata) {
  for (const std::string issuer : {"", "idp.example", "http://idp.example", "https://idp.example/?x=1",
                                   "https://idp.example/#x", "https://user@idp.example", "https://10.0.0.1",
                                   "https://localhost", "http://127.0.0.1:8080", "urn:issuer"}) {
    EXPECT_THAT(std::string(Rules(issuer).status().message()), StartsWith("issuer: ")) << issuer;
  }
  const std::string long_one = "https://idp.example/" + std::string(2020, 'x');  // Its places are too long.
  EXPECT_THAT(std::string(Rules(long_one).status().message()), StartsWith("issuer: "));
  EXPECT_TRUE(Rules("https://10.0.0.1", {}, {.reach = Reach::kPrivate}).ok());
  EXPECT_TRUE(Rules("http://127.0.0.1:8080", {}, {.loopback = true}).ok());
}

TEST(MakeMetadataRules, RefusesAHostThatIsNone) {
  for (const std::string host : {"", "https://keys.example", "keys.example/jwks", "keys.example?",
                                 "user@keys.example", "keys.example:0", "keys.example:x", "*", "*.example",
                                 "10.0.0.1", "localhost", "[::1]", "keys example", "keys.example#"}) {
    const std::string message(Rules(kIssuer, {host}).status().message());
    EXPECT_THAT(message, StartsWith("discovery_hosts: ")) << host;
  }
}

// --- The document ---

nlohmann::json Document() {
  return {{"issuer", kIssuer},
          {"jwks_uri", "https://idp.example/tenant/keys"},
          {"token_endpoint", "https://idp.example/token"},
          {"introspection_endpoint", "https://idp.example/introspect"},
          {"response_types_supported", {"code"}}};
}

absl::StatusOr<IssuerMetadata> Parse(const nlohmann::json& document, std::vector<std::string> hosts = {},
                                     transport::FetchRules fetch = {}) {
  const std::string issuer = fetch.loopback ? "http://127.0.0.1:8080" : kIssuer;
  const auto rules = Rules(issuer, std::move(hosts), fetch);
  EXPECT_TRUE(rules.ok()) << rules.status();
  return ParseIssuerMetadata(document.dump(), *rules);
}

absl::StatusOr<IssuerMetadata> ParseJwksUri(const std::string& url, std::vector<std::string> hosts = {}) {
  nlohmann::json document = Document();
  document["jwks_uri"] = url;
  return Parse(document, std::move(hosts));
}

TEST(ParseIssuerMetadata, ReadsWhereTheKeysAre) {
  const auto metadata = Parse(Document());
  ASSERT_TRUE(metadata.ok()) << metadata.status();
  EXPECT_EQ(metadata->jwks_uri, "https://idp.example/tenant/keys");
  ASSERT_TRUE(metadata->introspection_endpoint.ok());
  EXPECT_EQ(*metadata->introspection_endpoint, "https://idp.example/introspect");
}

TEST(ParseIssuerMetadata, ReadsADocumentOfExactlyTheLimit) {
  const auto rules = Rules(kIssuer);
  const std::string text = Document().dump();
  const std::string longest = text + std::string(limits::kMetadataBytesMax - text.size(), ' ');
  EXPECT_TRUE(ParseIssuerMetadata(longest, *rules).ok());
  EXPECT_FALSE(ParseIssuerMetadata(longest + ' ', *rules).ok());
}

// RFC 8414 section 3.3: identical; if not, the document must not be used.
TEST(ParseIssuerMetadata, AnotherIssuersDocumentIsRefusedHoweverLittleItDiffers) {
  for (const nlohmann::json& issuer : std::vector<nlohmann::json>{
           "https://idp.example/tenant/", "https://idp.example/Tenant", "https://IDP.example/tenant",
           "https://idp.example:443/tenant", "https://idp.example/tenan%74", "https://idp.example", "",
           "https://idp.example/{tenantid}", nullptr, 7, nlohmann::json::array({kIssuer})}) {
    nlohmann::json document = Document();
    document["issuer"] = issuer;
    EXPECT_THAT(std::string(Parse(document).status().message()), StartsWith("metadata: issuer: ")) << issuer;
  }
  nlohmann::json document = Document();
  document.erase("issuer");
  EXPECT_THAT(std::string(Parse(document).status().message()), StartsWith("metadata: issuer: "));
}

TEST(ParseIssuerMetadata, KeysMayBeOnTheIssuersOwnHostAlone) {
  for (const std::string url : {"https://idp.example/keys", "https://idp.example:443/keys?x=1",
                                "HTTPS://IDP.EXAMPLE/keys", "https://idp.example"}) {
    EXPECT_TRUE(ParseJwksUri(url).ok()) << url;
  }
  for (const std::string url :
       {"https://evil.example/keys", "https://idp.example.evil.example/keys", "https://idp.example./keys",
        "https://xidp.example/keys", "https://sub.idp.example/keys", "https://idp.example:8443/keys",
        "https://idp.example:80/keys", "https://evil.example/?https://idp.example/"}) {
    EXPECT_THAT(std::string(ParseJwksUri(url).status().message()),
                StartsWith("metadata: jwks_uri: its host and port"))
        << url;
  }
}

TEST(ParseIssuerMetadata, KeysMustBeAtAPlainHttpsUrl) {
  for (const std::string url :
       {"", "/keys", "//idp.example/keys", "keys", "http://idp.example/keys", "ftp://idp.example/keys",
        "file:///etc/passwd", "https://user@idp.example/keys", "https://idp.example@evil.example/keys",
        "https://idp.example/keys#x", "https://idp.example\\@evil.example/", "https://127.0.0.1/keys",
        "https://169.254.169.254/latest/meta-data", "https://10.0.0.1/", "https://[::1]/",
        "http://127.0.0.1/keys", "https://localhost/keys", " https://idp.example/keys"}) {
    EXPECT_THAT(std::string(ParseJwksUri(url).status().message()), StartsWith("metadata: jwks_uri: the URL"))
        << url;
  }
  for (const nlohmann::json& wrong : std::vector<nlohmann::json>{nullptr, 7, nlohmann::json::array()}) {
    nlohmann::json document = Document();
    document["jwks_uri"] = wrong;
    EXPECT_FALSE(Parse(document).ok());
  }
  nlohmann::json document = Document();
  document.erase("jwks_uri");
  EXPECT_EQ(std::string(Parse(document).status().message()), "metadata: jwks_uri: is missing");
}

TEST(ParseIssuerMetadata, KeysMayBeOnAHostThatIsListedWithItsPort) {
  const std::vector<std::string> hosts = {"Keys.Example", "cdn.example:8443"};
  EXPECT_TRUE(ParseJwksUri("https://keys.example/x", hosts).ok());
  EXPECT_TRUE(ParseJwksUri("https://CDN.example:8443/x", hosts).ok());
  EXPECT_TRUE(ParseJwksUri("https://idp.example/x", hosts).ok());
  EXPECT_FALSE(ParseJwksUri("https://cdn.example/x", hosts).ok());
  EXPECT_FALSE(ParseJwksUri("https://keys.example:8443/x", hosts).ok());
  EXPECT_FALSE(ParseJwksUri("https://a.keys.example/x", hosts).ok());
}

TEST(ParseIssuerMetadata, LoopbackNamesItsOwnHostAndPortToo) {
  const transport::FetchRules fetch{.loopback = true};
  nlohmann::json document = {{"issuer", "http://127.0.0.1:8080"}, {"jwks_uri", "http://127.0.0.1:8080/jwks"}};
  EXPECT_TRUE(Parse(document, {}, fetch).ok());
  document["jwks_uri"] = "http://127.0.0.1:8081/jwks";
  EXPECT_FALSE(Parse(document, {}, fetch).ok());
  EXPECT_TRUE(Parse(document, {"127.0.0.1:8081"}, fetch).ok());
  document["jwks_uri"] = "http://idp.example/jwks";
  EXPECT_FALSE(Parse(document, {"idp.example"}, fetch).ok());
}

TEST(ParseIssuerMetadata, AnIntrospectionEndpointElsewhereIsNotTakenAndSpoilsNoKeys) {
  nlohmann::json document = Document();
  document["introspection_endpoint"] = "https://10.0.0.1/admin";
  auto metadata = Parse(document);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->introspection_endpoint.status().code(), absl::StatusCode::kInvalidArgument);
  document["introspection_endpoint"] = "https://evil.example/introspect";
  metadata = Parse(document);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->introspection_endpoint.status().code(), absl::StatusCode::kInvalidArgument);
  document.erase("introspection_endpoint");
  metadata = Parse(document);
  ASSERT_TRUE(metadata.ok());
  EXPECT_EQ(metadata->introspection_endpoint.status().code(), absl::StatusCode::kNotFound);
}

TEST(ParseIssuerMetadata, IsStrictJson) {
  const auto rules = Rules(kIssuer);
  const std::string good = Document().dump();
  std::string deep = good;
  deep.insert(1, "\"x\":" + std::string(100, '[') + std::string(100, ']') + ",");
  for (const std::string& text :
       {std::string(), std::string("<html>"), std::string("null"), std::string("[]"), "[" + good + "]",
        good + "x", good + good, good.substr(0, good.size() - 1), deep,
        "{\"jwks_uri\":\"https://evil.example/\"," + good.substr(1), "\xef\xbb\xbf" + good}) {
    const auto metadata = ParseIssuerMetadata(text, *rules);
    EXPECT_THAT(std::string(metadata.status().message()), StartsWith("metadata: ")) << text.substr(0, 60);
  }
}

TEST(ParseIssuerMetadata, MessagesRepeatNothingOfTheDocument) {
  for (const std::string url : {"https://hunter2.example/", "https://idp.example/#hunter2", "hunter2\n"}) {
    nlohmann::json document = Document();
    document["jwks_uri"] = url;
    const std::string message(Parse(document).status().message());
    EXPECT_THAT(message, Not(HasSubstr("hunter2")));
    EXPECT_THAT(message, Not(HasSubstr("\n")));
    document["issuer"] = url;
    EXPECT_THAT(std::string(Parse(document).status().message()), Not(HasSubstr("hunter2")));
  }
}

}  // namespace
}  // namespace tollgate::keys
