#include "introspection/client.h"

#include <gtest/gtest.h>

#include "base/limits.h"

namespace tollgate::introspection {
namespace {

IntrospectionConfig Config(ClientAuthentication authentication, std::string id, std::string secret) {
  IntrospectionConfig config;
  config.endpoint = "https://idp.example/introspect";
  config.authentication = authentication;
  config.client_id = std::move(id);
  config.client_secret = std::move(secret);
  return config;
}

std::string Basic(std::string id, std::string secret) {
  return MakeRequest(Config(ClientAuthentication::kClientSecretBasic, std::move(id), std::move(secret)), "t")
      .authorization;
}

TEST(FormEncode, IsTheSerializerOfRfc6749AppendixB) {
  EXPECT_EQ(FormEncode(" %&+\xC2\xA3\xE2\x82\xAC"), "+%25%26%2B%C2%A3%E2%82%AC");
  EXPECT_EQ(FormEncode(""), "");
  EXPECT_EQ(FormEncode("AZaz09*-._"), "AZaz09*-._");
  EXPECT_EQ(FormEncode("~/=:\"\r\n"), "%7E%2F%3D%3A%22%0D%0A");
  EXPECT_EQ(FormEncode(std::string_view("\0\x7F\xFF", 3)), "%00%7F%FF");
}

TEST(FormEncode, DecodesToTheSameBytes) {
  std::string all, decoded;
  for (int c = 0; c < 256; ++c) all += static_cast<char>(c);
  const std::string encoded = FormEncode(all);
  for (size_t i = 0; i < encoded.size(); ++i) {
    if (encoded[i] == '%') {
      decoded += static_cast<char>(std::stoi(encoded.substr(i + 1, 2), nullptr, 16));
      i += 2;
    } else {
      decoded += encoded[i] == '+' ? ' ' : encoded[i];
    }
  }
  EXPECT_EQ(decoded, all);
}

TEST(MakeRequest, AsksByPostWithTheTokenInTheForm) {
  const FetchRequest request =
      MakeRequest(Config(ClientAuthentication::kClientSecretBasic, "client", "secret"), "a.b-c_d+e/f==&x=y");
  EXPECT_EQ(request.form, "token=a.b-c_d%2Be%2Ff%3D%3D%26x%3Dy&token_type_hint=access_token");
  EXPECT_EQ(request.if_none_match, "");
  EXPECT_EQ(request.body_bytes_max, limits::kIntrospectionBytesMax);
}

TEST(MakeRequest, BasicIsTheExampleOfRfc6749Section2_3_1) {
  EXPECT_EQ(Basic("s6BhdRkqt3", "7Fjfp0ZBr1KtDRbnfVdmIw"),
            "Basic czZCaGRSa3F0Mzo3RmpmcDBaQnIxS3REUmJuZlZkbUl3");
}

TEST(MakeRequest, BasicEncodesIdAndSecretAsAFormFirst) {
  // base64("a%3Ab%25:c+d%2F%C3%A9%7E")
  EXPECT_EQ(Basic("a:b%", "c d/\xC3\xA9~"), "Basic YSUzQWIlMjU6YytkJTJGJUMzJUE5JTdF");
  EXPECT_EQ(Basic("ab", "c"), "Basic YWI6Yw==");
  EXPECT_EQ(Basic("ab", "cd"), "Basic YWI6Y2Q=");
  EXPECT_EQ(Basic("ab", "cde"), "Basic YWI6Y2Rl");
}

TEST(MakeRequest, PostHasTheSecretInTheFormAndBearerInTheHeader) {
  const FetchRequest post =
      MakeRequest(Config(ClientAuthentication::kClientSecretPost, "a:b", "c&d"), "token");
  EXPECT_EQ(post.form, "token=token&token_type_hint=access_token&client_id=a%3Ab&client_secret=c%26d");
  EXPECT_EQ(post.authorization, "");
  const FetchRequest bearer = MakeRequest(Config(ClientAuthentication::kBearer, "", "abc._~+/=="), "token");
  EXPECT_EQ(bearer.form, "token=token&token_type_hint=access_token");
  EXPECT_EQ(bearer.authorization, "Bearer abc._~+/==");
}

TEST(MakeRequest, AnAssertionIsMadeAnewForEachQuestion) {
  IntrospectionConfig config = Config(ClientAuthentication::kPrivateKeyJwt, "a:b", "");
  int made = 0;
  config.client_assertion = [&made] { return "e30.e30." + std::to_string(++made); };
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
  const std::string form =
      "token=t&token_type_hint=access_token&client_id=a%3Ab&client_assertion_type="
      "urn%3Aietf%3Aparams%3Aoauth%3Aclient-assertion-type%3Ajwt-bearer&client_assertion=e30.e30.";
  EXPECT_EQ(MakeRequest(config, "t").form, form + "1");
  EXPECT_EQ(MakeRequest(config, "t").form, form + "2");
  EXPECT_EQ(MakeRequest(config, "t").authorization, "");
}

TEST(MakeRequest, MutualTlsNamesTheClientBesideItsCertificate) {
  IntrospectionConfig config = Config(ClientAuthentication::kTlsClientAuth, "ab", "");
  config.client_certificate_file = "/etc/client.pem";
  config.client_key_file = "/etc/client.key";
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
  const FetchRequest request = MakeRequest(config, "t");
  EXPECT_EQ(request.form, "token=t&token_type_hint=access_token&client_id=ab");
  EXPECT_EQ(request.client_certificate_file, "/etc/client.pem");
  EXPECT_EQ(request.client_key_file, "/etc/client.key");
}

TEST(MakeRequest, AsksForASignedAnswerWhereOneIsDemanded) {
  IntrospectionConfig config = Config(ClientAuthentication::kClientSecretBasic, "a", "b");
  EXPECT_EQ(MakeRequest(config, "t").accept, "");
  config.signed_response = true;
  EXPECT_EQ(MakeRequest(config, "t").accept, "application/token-introspection+jwt");
  EXPECT_EQ(MakeRequest(config, "t").body_bytes_max, limits::kTokenBytesMax);
}

void ExpectRefused(const IntrospectionConfig& config, std::string_view member,
                   const transport::FetchRules& rules = {}) {
  const absl::Status status = CheckIntrospectionConfig(config, rules);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << member;
  EXPECT_TRUE(std::string(status.message()).starts_with(std::string(member) + ": ")) << status;
  const std::string_view secret = config.client_secret;
  EXPECT_TRUE(secret.empty() || status.message().find(std::string(secret)) == std::string::npos) << status;
}

TEST(CheckIntrospectionConfig, AcceptsWhatEachWayNeeds) {
  EXPECT_TRUE(
      CheckIntrospectionConfig(Config(ClientAuthentication::kClientSecretBasic, ":\xC3\xA9", "\r\n"), {})
          .ok());
  EXPECT_TRUE(CheckIntrospectionConfig(Config(ClientAuthentication::kClientSecretPost, "a", "b"), {}).ok());
  EXPECT_TRUE(CheckIntrospectionConfig(Config(ClientAuthentication::kBearer, "", "b64.-_~+/="), {}).ok());
}

TEST(CheckIntrospectionConfig, NamesTheMemberThatIsWrong) {
  const auto basic = ClientAuthentication::kClientSecretBasic;
  ExpectRefused(Config(basic, "", "hidden"), "client_id");
  ExpectRefused(Config(basic, "a", ""), "client_secret");
  ExpectRefused(Config(ClientAuthentication::kClientSecretPost, "", "hidden"), "client_id");
  ExpectRefused(Config(ClientAuthentication::kClientSecretPost, "a", ""), "client_secret");
  for (const char* token : {"", "=", "hid den", "hidden\r\nHost: x", "hidden\"", "hid=den", "hidd\xC3\xA9n"})
    ExpectRefused(Config(ClientAuthentication::kBearer, "a", token), "client_secret");

  ExpectRefused(Config(ClientAuthentication::kPrivateKeyJwt, "a", "hidden"), "client_assertion");
  IntrospectionConfig config = Config(ClientAuthentication::kTlsClientAuth, "a", "");
  ExpectRefused(config, "client_certificate_file");
  config.client_certificate_file = "/c";
  config.client_key_file = "c";
  ExpectRefused(config, "client_key_file");
  config.client_key_file = "/k";
  config.endpoint = "http://127.0.0.1/";
  ExpectRefused(config, "endpoint", {.loopback = true});

  config = Config(basic, "a", "hidden");
  for (const char* url : {"", "http://idp.example/introspect", "https://u@idp.example/", "https://10.0.0.1/",
                          "https://idp.example/#f", "https://127.0.0.1/introspect"}) {
    config.endpoint = url;
    ExpectRefused(config, "endpoint");
  }
  config.endpoint = "https://10.0.0.1/introspect";
  EXPECT_TRUE(CheckIntrospectionConfig(config, {.reach = Reach::kPrivate}).ok());
  config.endpoint = "http://127.0.0.1:8080/introspect";
  EXPECT_TRUE(CheckIntrospectionConfig(config, {.loopback = true}).ok());

  config = Config(basic, "a", "hidden");
  config.in_flight_max = 0;
  ExpectRefused(config, "in_flight_max");
  config.in_flight_max = limits::kIntrospectionsInFlightMax + 1;
  ExpectRefused(config, "in_flight_max");
  config.in_flight_max = limits::kIntrospectionsInFlightMax;
  config.waiting_max = limits::kIntrospectionsWaitingMax + 1;
  ExpectRefused(config, "waiting_max");
  config.waiting_max = 0;
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
}

TEST(CheckIntrospectionConfig, AnEndpointIsConfiguredOrDiscovered) {
  IntrospectionConfig config = Config(ClientAuthentication::kClientSecretBasic, "a", "hidden");
  config.discovery = true;
  ExpectRefused(config, "endpoint");
  config.endpoint.clear();
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
  EXPECT_TRUE(IsAsked(config));
  config.discovery = false;
  EXPECT_FALSE(IsAsked(config));
  ExpectRefused(config, "endpoint");
}

TEST(CheckIntrospectionConfig, SignedAnswersHaveAnAudience) {
  IntrospectionConfig config = Config(ClientAuthentication::kBearer, "", "hidden");
  config.signed_response = true;
  ExpectRefused(config, "response_audience");
  config.response_audience = "https://mcp.example/mcp";
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
  EXPECT_EQ(AudienceOf(config), "https://mcp.example/mcp");
  config.client_id = "client";
  EXPECT_EQ(AudienceOf(config), "https://mcp.example/mcp");
  config.signed_response = false;
  ExpectRefused(config, "response_audience");
  config.response_audience.clear();
  config.signed_response = true;
  EXPECT_TRUE(CheckIntrospectionConfig(config, {}).ok());
  EXPECT_EQ(AudienceOf(config), "client");
}

}  // namespace
}  // namespace tollgate::introspection
