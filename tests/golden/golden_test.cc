// What clients are told, to the letter: for whoever knows what they make of it.

#include "tests/golden/golden.h"

#include <gtest/gtest-spi.h>

#include <utility>
#include <vector>

#include "tests/pipeline/engine_fixture.h"
#include "tollgate/challenge.h"

namespace tollgate {
namespace {

using testing::ExpectGolden;

constexpr char kMetadataUrl[] = "https://mcp.example/.well-known/oauth-protected-resource/mcp";

std::string OrNone(const std::string& text) { return text.empty() ? "none" : text; }

// ChallengesOf has the challenges for a reason, by what the server has to add to them.
std::string ChallengesOf(Reason reason) {
  Decision decision;
  decision.reason = reason;
  constexpr std::string_view kScopes = "files:read offline_access files:write";
  const std::pair<std::string_view, std::string> challenges[] = {
      {"all", Challenge(decision, kMetadataUrl, kScopes, "gold silver")},
      {"metadata", Challenge(decision, kMetadataUrl, "")},
      {"scopes", Challenge(decision, "", kScopes)},
      {"nothing", Challenge(decision, "", "")}};
  std::string text = std::string(ReasonName(reason)) + ": " +
                     std::to_string(HttpStatus(decision.category())) + "\n",
              all;
  for (const auto& [added, challenge] : challenges) {
    text += "  " + std::string(added) + ": " + OrNone(challenge) + "\n";
    all += challenge;
  }
  return all.empty() ? text.substr(0, text.find('\n') + 1) + "  none\n" : text;
}

TEST(GoldenTest, ChallengesForEveryReason) {
  std::string text;
  for (int number = 0; number < 1000; ++number) {
    const auto reason = static_cast<Reason>(number);
    if (ReasonName(reason) != "unknown_reason") text += ChallengesOf(reason);
  }
  ExpectGolden("tests/golden/challenges.txt", text);
}

TEST(GoldenTest, MetadataOfResources) {
  std::string text;
  const auto add = [&text](const ResourceMetadata& metadata) {
    text += metadata.resource + "\n  at " + OrNone(ResourceMetadataUrl(metadata.resource)) + "\n  " +
            ResourceMetadataJson(metadata) + "\n";
  };
  add({.resource = "https://mcp.example/mcp",
       .authorization_servers = {"https://idp.example/realms/acme", "https://login.example/"},
       .scopes_supported = {"files:read", "offline_access", "files:write"},
       .resource_name = "Files \"of all\" — größer",
       .resource_documentation = "https://docs.example/files"});
  add({.resource = "https://mcp.example", .authorization_servers = {"https://idp.example"}});
  add({.resource = "https://mcp.example/", .scopes_supported = {"offline_access"}});
  add({.resource = "https://mcp.example:8443/a/b/?tenant=c"});
  add({.resource = "http://[::1]:3000/mcp"});
  add({.resource = "api://8d0e7f3c", .scopes_supported = {"Files.Read"}});
  ExpectGolden("tests/golden/metadata.txt", text);
}

class GoldenAnswersTest : public EngineTest {};

// Whether a credential was sent, and what it is good for, against what is asked for.
TEST_F(GoldenAnswersTest, StatusAndChallengeOfRequests) {
  const auto bearer = [this](const idp::json& members) {
    idp::json claims = Claims();
    claims.update(members);
    return "Bearer " + idp::Mint(key_, claims);
  };
  const std::vector<std::pair<std::string, std::string>> credentials = {
      {"no credential", ""},
      {"another scheme", "Basic YWxpY2U6c2VjcmV0"},
      {"two spaces", "Bearer  abc"},
      {"no JWS", "Bearer abc"},
      {"an expired token", bearer({{"iat", kStart - 1200}, {"exp", kStart - 600}})},
      {"a token for another resource", bearer({{"aud", "https://elsewhere.example"}})},
      {"a token of an unknown issuer", bearer({{"iss", "https://elsewhere.example"}})},
      {"an unknown key", "Bearer " + idp::Mint(idp::TestKey("ES256", 1), Claims())},
      {"a token without scopes", bearer({{"scope", "openid"}})},
      {"a token with files:read", bearer(idp::json::object())},
      {"a token with files:read, for an hour", bearer({{"exp", kStart + 3600}})},
      {"a token with all scopes", bearer({{"scope", "files:read files:write"}})}};
  std::string text;
  for (const auto& [name, authorization] : credentials) {
    text += name + "\n";
    for (const char* tool : {"search", "delete", "ping", "nonesuch"}) {
      const Request request = {.authorization = authorization, .tool = tool};
      Decision decision;
      engine_->Check(request, &decision);
      text += "  " + std::string(tool) + ": " + std::to_string(decision.http_status()) + " " +
              std::string(ReasonName(decision.reason)) + "\n    " +
              OrNone(Challenge(decision, kMetadataUrl, engine_->ScopesFor(request),
                               engine_->AcrValuesFor(request))) +
              "\n";
    }
  }
  ExpectGolden("tests/golden/answers.txt", text);
}

TEST(GoldenTest, AnotherTextFailsAndSaysWhatToDo) {
  if (std::getenv("TOLLGATE_UPDATE_GOLDEN") != nullptr) GTEST_SKIP() << "it would be written";
  EXPECT_NONFATAL_FAILURE(ExpectGolden("tests/golden/metadata.txt", "another"), "TOLLGATE_UPDATE_GOLDEN=1");
}

}  // namespace
}  // namespace tollgate
