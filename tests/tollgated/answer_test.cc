// The answers, for each proxy, to the letter where somebody depends on it.

#include "tools/tollgated/answer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

namespace tollgate::tollgated {
namespace {

constexpr Proxy kProxies[] = {Proxy::kNginx, Proxy::kEnvoy, Proxy::kTraefik, Proxy::kCaddy, Proxy::kHaproxy};

// FieldOf returns the one field of this name; nullopt if there is none or more.
std::optional<std::string> FieldOf(const HttpAnswer& answer, const std::string& name) {
  const std::string lines = "\r\n" + answer.fields, begin = "\r\n" + name + ": ";
  const size_t at = lines.find(begin);
  if (at == lines.npos || lines.find(begin, at + 1) != lines.npos) return std::nullopt;
  const size_t value = at + begin.size();
  return lines.substr(value, lines.find("\r\n", value) - value);
}

// The lines are those that are expected of the program, whatever the values are.
void ExpectWellFormed(const HttpAnswer& answer) {
  std::string_view rest = answer.fields;
  while (!rest.empty()) {
    const size_t end = rest.find("\r\n");
    ASSERT_NE(end, rest.npos);
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    EXPECT_NE(line.find(": "), line.npos) << line;
    EXPECT_TRUE(std::all_of(line.begin(), line.end(), [](char c) { return c >= ' ' && c <= '~'; })) << line;
  }
}

Principal Caller(std::string_view subject, std::string_view scope, std::string_view roles,
                 std::string_view actors) {
  const std::array<std::string_view, Principal::kFieldCount> fields = {
      "https://idp.example", subject, "agent-1", "jti", scope, roles, actors};
  Principal principal;
  principal.Assign(fields, PrincipalKind::kAgent);
  return principal;
}

Decision Refused(Reason reason) {
  Decision decision;
  decision.reason = reason;
  if (CategoryOf(reason) == Category::kRetryLater) decision.verdict = Verdict::kUnavailable;
  return decision;
}

TEST(AnswerTest, AllowedWithEveryIdentityField) {
  for (const Proxy proxy : kProxies) {
    const HttpAnswer answer =
        AllowAnswer(proxy, Identity(Caller("alice", "files:read crm/x", "clerk chief", "a\nb")));
    EXPECT_EQ(answer.status, 200);
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Issuer"), "https://idp.example");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Subject"), "alice");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Client"), "agent-1");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Scopes"), "files:read crm/x");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Roles"), "clerk chief");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Kind"), "agent");
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Actors"), "a b");
    EXPECT_EQ(answer.body, "");
    ExpectWellFormed(answer);
  }
}

TEST(AnswerTest, EmptyIdentityFieldsAreThereToo) {
  Principal nobody;
  nobody.Clear();
  for (const Proxy proxy : kProxies) {
    const HttpAnswer answer = AllowAnswer(proxy, Identity(nobody));
    for (const std::string_view name : kIdentityFields)
      EXPECT_TRUE(FieldOf(answer, std::string(name)).has_value()) << name;
    EXPECT_EQ(FieldOf(answer, "X-Tollgate-Subject"), "");
  }
}

TEST(AnswerTest, NothingInAnIdentityCanBeMisread) {
  const HttpAnswer answer = AllowAnswer(
      Proxy::kNginx, Identity(Caller(std::string_view("a\r\nX-Tollgate-Roles: admin\0%\xc3\xa4,;\"\\", 34),
                                     "a,b c%20d", "r\tx", "one two\nthree")));
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Subject"),
            "a%0D%0AX-Tollgate-Roles:%20admin%00%25%C3%A4%2C%3B%22%5C");
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Roles"), "r%09x");
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Scopes"), "a%2Cb c%2520d");
  EXPECT_EQ(FieldOf(answer, "X-Tollgate-Actors"), "one%20two three");
  ExpectWellFormed(answer);
}

TEST(AnswerTest, RefusalsAreWhatTheStandardsSay) {
  const std::string url = "https://mcp.example/.well-known/oauth-protected-resource/mcp";
  const RefusalContext context = {
      .metadata_url = url, .scopes = "files:read files:write", .acr_values = "mfa"};
  const std::string scope = R"(scope="files:read files:write")",
                    metadata = "resource_metadata=\"" + url + "\"";
  const auto description = [](const std::string& text) { return ", error_description=\"" + text + "\""; };
  const struct {
    Reason reason;
    int status;
    const char* error;
    std::optional<std::string> challenge;
  } rows[] = {
      {Reason::kNoCredential, 401, "unauthorized", "Bearer " + scope + ", " + metadata},
      {Reason::kExpired, 401, "invalid_token",
       R"(Bearer error="invalid_token", )" + scope + ", " + metadata + description("the token has expired")},
      {Reason::kInsufficientScope, 403, "insufficient_scope",
       R"(Bearer error="insufficient_scope", )" + scope + ", " + metadata +
           description("the token lacks a scope that is needed")},
      {Reason::kAuthenticationInsufficient, 401, "insufficient_user_authentication",
       R"(Bearer error="insufficient_user_authentication", )" + scope + R"(, acr_values="mfa", )" + metadata +
           description("the tool needs a stronger authentication")},
      {Reason::kSeveralCredentials, 400, "invalid_request",
       R"(Bearer error="invalid_request", )" + metadata +
           description("the request has more than one credential")},
      {Reason::kUnknownTool, 403, "access_denied", std::nullopt},
      {Reason::kHeaderMismatch, 400, "invalid_request", std::nullopt},
      {Reason::kKeysNeverFetched, 503, "temporarily_unavailable", std::nullopt},
      {Reason::kNone, 403, "access_denied", std::nullopt},  // No refusal is 200.
  };
  for (const Proxy proxy : kProxies) {
    for (const auto& row : rows) {
      const HttpAnswer answer = RefusalAnswer(proxy, Refused(row.reason), context);
      EXPECT_EQ(answer.status, row.status) << ReasonName(row.reason);
      EXPECT_EQ(FieldOf(answer, "WWW-Authenticate"), row.challenge);
      EXPECT_EQ(nlohmann::json::parse(answer.body)["error"], row.error);
      EXPECT_EQ(FieldOf(answer, "Retry-After").has_value(), row.status == 503);
      EXPECT_EQ(FieldOf(answer, "Access-Control-Allow-Origin"), "*");
      EXPECT_EQ(FieldOf(answer, "Access-Control-Expose-Headers"), "WWW-Authenticate, Retry-After");
      EXPECT_EQ(answer.fields.find("X-Tollgate-Subject"), std::string::npos);
      // nginx's configuration makes the client's answer of these.
      const bool is_nginx = proxy == Proxy::kNginx;
      EXPECT_EQ(FieldOf(answer, "X-Tollgate-Status"),
                is_nginx ? std::optional(std::to_string(row.status)) : std::nullopt);
      EXPECT_EQ(FieldOf(answer, "X-Tollgate-Body"), is_nginx ? std::optional(answer.body) : std::nullopt);
      ExpectWellFormed(answer);
    }
  }
}

TEST(AnswerTest, UnavailableSaysWhenToComeBack) {
  Decision decision = Refused(Reason::kOverloaded);
  EXPECT_EQ(FieldOf(RefusalAnswer(Proxy::kCaddy, decision, {}), "Retry-After"), "1");
  decision.retry_after_s = 17;
  EXPECT_EQ(FieldOf(RefusalAnswer(Proxy::kCaddy, decision, {}), "Retry-After"), "17");
}

TEST(AnswerTest, AnMcpClientIsToldInJsonRpc) {
  const HttpAnswer answer = RefusalAnswer(Proxy::kEnvoy, Refused(Reason::kHeaderMismatch),
                                          {.json_rpc_error = R"({"jsonrpc":"2.0"})"});
  EXPECT_EQ(answer.status, 400);
  EXPECT_EQ(answer.body, R"({"jsonrpc":"2.0"})");
}

TEST(AnswerTest, TheWorstOfSeveralIsTheLeastThatHelps) {
  const Category from_the_worst[] = {
      Category::kFixRequest, Category::kAuthenticate,         Category::kReauthenticate, Category::kForbidden,
      Category::kRetryLater, Category::kAuthenticateStronger, Category::kStepUp,         Category::kAllowed};
  for (size_t a = 0; a < std::size(from_the_worst); ++a) {
    for (size_t b = 0; b < std::size(from_the_worst); ++b)
      EXPECT_EQ(IsWorse(from_the_worst[a], from_the_worst[b]), a < b) << a << " " << b;
  }
}

}  // namespace
}  // namespace tollgate::tollgated
