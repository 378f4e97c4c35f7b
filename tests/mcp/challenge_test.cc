#include "tollgate/challenge.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <regex>

namespace tollgate {
namespace {

using nlohmann::json;
using ::testing::EndsWith;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr char kUrl[] = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

Decision Denied(Reason reason) {
  Decision decision;
  decision.reason = reason;
  return decision;
}

TEST(ResourceMetadataUrl, InsertsTheWellKnownPathBehindTheHost) {
  const auto url = [](const char* resource) { return ResourceMetadataUrl(resource); };
  EXPECT_EQ(url("https://mcp.example"), "https://mcp.example/.well-known/oauth-protected-resource");
  EXPECT_EQ(url("https://mcp.example/"), "https://mcp.example/.well-known/oauth-protected-resource");
  EXPECT_EQ(url("https://mcp.example/mcp"), kUrl);
  EXPECT_EQ(url("https://mcp.example/a/b/"), "https://mcp.example/.well-known/oauth-protected-resource/a/b/");
  EXPECT_EQ(url("https://mcp.example:8443/a?b=c"),
            "https://mcp.example:8443/.well-known/oauth-protected-resource/a?b=c");
  EXPECT_EQ(url("https://mcp.example?b=c"), "https://mcp.example/.well-known/oauth-protected-resource?b=c");
  EXPECT_EQ(url("https://mcp.example/?b=c"), "https://mcp.example/.well-known/oauth-protected-resource?b=c");
  EXPECT_EQ(url("HTTP://127.0.0.1:9/x"), "HTTP://127.0.0.1:9/.well-known/oauth-protected-resource/x");
  EXPECT_EQ(url("https://[::1]:9/x"), "https://[::1]:9/.well-known/oauth-protected-resource/x");
  for (const char* resource : {"",
                               "mcp.example",
                               "https://",
                               "https:///a",
                               "https://?a",
                               "urn:a:b",
                               "api://a",
                               "https://mcp.example/#a",
                               "https://mcp.example/\"a",
                               "https://mcp.example/ a",
                               "https://mcp.example/\n",
                               "https://mcp.example/\xc3\xa9",
                               "https://user@mcp.example/a",
                               "https://@mcp.example",
                               "https://:80/a",
                               "https://mcp.example:/a",
                               "https://mcp.example:a/",
                               "https://[::1/a",
                               "https://[]/a",
                               "https://[::1]x/",
                               "https://mcp.example/{a}",
                               "https://mcp.example/a|b",
                               "https://mcp.example/^",
                               "https://mcp.example/`",
                               "https://mcp.example/?scope=a",
                               "https://mcp.example/a?x=1&Error=b",
                               "https://mcp.example?resource_metadata=c",
                               "https://mcp.example/scope=a"}) {
    EXPECT_EQ(url(resource), "") << resource;
  }
}

TEST(ResourceMetadataJson, HasWhatThereIs) {
  EXPECT_EQ(json::parse(ResourceMetadataJson({
                .resource = "https://mcp.example/mcp",
                .authorization_servers = {"https://a.example", "https://b.example"},
                .scopes_supported = {"files:read", "offline_access", "files:write"},
                .resource_name = "Files \"all\"",
                .resource_documentation = "https://docs.example",
            })),
            json({{"resource", "https://mcp.example/mcp"},
                  {"authorization_servers", {"https://a.example", "https://b.example"}},
                  {"scopes_supported", {"files:read", "files:write"}},
                  {"bearer_methods_supported", {"header"}},
                  {"resource_name", "Files \"all\""},
                  {"resource_documentation", "https://docs.example"}}));
  EXPECT_EQ(
      json::parse(ResourceMetadataJson({.resource = "https://a", .scopes_supported = {"offline_access"}})),
      json({{"resource", "https://a"}, {"bearer_methods_supported", {"header"}}}));
}

// Golden texts.
TEST(Challenge, SaysWhatTheClientIsToDo) {
  EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), kUrl, "files:read"),
            "Bearer scope=\"files:read\", "
            "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\"");
  EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), "", ""), "Bearer realm=\"api\"");
  EXPECT_EQ(Challenge(Denied(Reason::kExpired), kUrl, ""),
            "Bearer error=\"invalid_token\", "
            "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", "
            "error_description=\"the token has expired\"");
  EXPECT_EQ(Challenge(Denied(Reason::kInsufficientScope), kUrl, "files:read files:write"),
            "Bearer error=\"insufficient_scope\", scope=\"files:read files:write\", "
            "resource_metadata=\"https://mcp.example/.well-known/oauth-protected-resource/mcp\", "
            "error_description=\"" +
                std::string(ReasonText(Reason::kInsufficientScope)) + "\"");
  EXPECT_EQ(Challenge(Denied(Reason::kSeveralCredentials), "", "files:read"),
            "Bearer error=\"invalid_request\", "
            "error_description=\"the request has more than one credential\"");
}

TEST(Challenge, ThereIsNoneWhereNoTokenWouldHelp) {
  Decision allowed;
  allowed.verdict = Verdict::kAllow;
  allowed.reason = Reason::kNone;
  EXPECT_EQ(Challenge(allowed, kUrl, "a"), "");
  for (const Reason reason : {Reason::kUnknownTool, Reason::kUnknownResource, Reason::kKeysTooStale,
                              Reason::kOverloaded, Reason::kHeaderMismatch, Reason::kBodyNotJson}) {
    EXPECT_EQ(Challenge(Denied(reason), kUrl, "a"), "") << ReasonName(reason);
  }
  EXPECT_EQ(Challenge(Denied(Reason::kInsufficientScope), kUrl, ""), "");
  EXPECT_EQ(Challenge(Denied(Reason::kInsufficientScope), kUrl, "offline_access"), "");
}

TEST(Challenge, NeverAsksForOfflineAccess) {
  EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), "", "a offline_access b"), "Bearer scope=\"a b\"");
  EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), "", "offline_access"), "Bearer realm=\"api\"");
  EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), "", "offline_access2"),
            "Bearer scope=\"offline_access2\"");
}

// A value that a quoted string cannot hold as it is would end it, or the header field.
TEST(Challenge, LeavesOutWhatCannotStandThere) {
  for (const char* bad : {"a\"b", "a\\b", "a\r\nb", "a\tb", "\x7f", "\xc3\xa9"}) {
    EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), bad, "a"), "Bearer scope=\"a\"") << bad;
    EXPECT_EQ(Challenge(Denied(Reason::kNoCredential), "", bad), "Bearer realm=\"api\"") << bad;
  }
}

// Clients search for `scope=` and the like anywhere in the text.
TEST(Challenge, EveryReasonMakesOneThatClientsRead) {
  const std::regex form("Bearer [a-z_]+=\"[^\"\\\\]*\"(, [a-z_]+=\"[^\"\\\\]*\")*");
  size_t challenges = 0;
  for (int number = 0; number < 1000; ++number) {
    const auto reason = static_cast<Reason>(number);
    if (ReasonName(reason) == "unknown_reason") continue;
    const std::string challenge = Challenge(Denied(reason), kUrl, "a b");
    if (challenge.empty()) continue;
    ++challenges;
    EXPECT_TRUE(std::regex_match(challenge, form)) << challenge;
    if (const size_t at = challenge.find("error_description="); at != std::string::npos) {
      EXPECT_THAT(challenge.substr(at + 19), Not(HasSubstr("="))) << challenge;
      EXPECT_THAT(challenge, EndsWith("\""));
    }
  }
  EXPECT_GT(challenges, 30u);
}

TEST(Challenge, NoScopeReadsLikeAParameter) {
  const std::string challenge = Challenge(Denied(Reason::kNoCredential), kUrl, "files:read x:error=");
  EXPECT_EQ(challenge, "Bearer resource_metadata=\"" + std::string(kUrl) + "\"");
}

}  // namespace
}  // namespace tollgate
