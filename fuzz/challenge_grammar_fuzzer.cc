// challenge_grammar: a challenge is one that every client reads alike, whatever stands in URLs and scopes
//
// Functions: Challenge, ResourceMetadataUrl, ResourceMetadataJson. Property: a challenge is empty, or
// "Bearer" and parameters by the strictest grammar of RFC 9110 section 11, each once, error_description last;
// a client that searches the whole text for a parameter finds that parameter; offline_access is in no scope;
// a metadata URL is of a URL's characters; the document is the JSON that it was made of.

#include <algorithm>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "fuzz/fuzz.h"
#include "tollgate/challenge.h"

namespace tollgate::fuzz {
namespace {

constexpr size_t kPrefix = 1;

constexpr Reason kReasons[] = {
    Reason::kNone,         Reason::kNoCredential,      Reason::kSeveralCredentials,
    Reason::kBadSignature, Reason::kInsufficientScope, Reason::kUnknownTool,
    Reason::kRoleMissing,  Reason::kKeyPending,        Reason::kAuthenticationInsufficient,
    Reason::kBodyNotJson,  Reason::kTokenRevoked,      Reason::kNotRecorded,
};

std::vector<std::string> SplitAtZeros(std::string_view text) {
  std::vector<std::string> parts(1);
  for (const char c : text) {
    if (c == '\0') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  return parts;
}

// The parameters, in their order.
std::vector<std::pair<std::string, std::string>> Read(std::string_view challenge) {
  std::vector<std::pair<std::string, std::string>> parameters;
  Expect(challenge.starts_with("Bearer "), "the scheme, and one space");
  challenge.remove_prefix(7);
  while (true) {
    const size_t equals = challenge.find("=\"");
    Expect(equals != challenge.npos && equals != 0, "a parameter is a name and a quoted string");
    const std::string_view name = challenge.substr(0, equals);
    Expect(std::all_of(name.begin(), name.end(), [](char c) { return (c >= 'a' && c <= 'z') || c == '_'; }),
           "names are what they are in the standards");
    challenge.remove_prefix(equals + 2);
    const size_t end = challenge.find('"');
    Expect(end != challenge.npos, "a quoted string ends");
    const std::string_view value = challenge.substr(0, end);
    Expect(std::all_of(value.begin(), value.end(), [](char c) { return c >= ' ' && c <= '~' && c != '\\'; }),
           "values have no character that needs an escape");
    parameters.emplace_back(name, value);
    challenge.remove_prefix(end + 1);
    if (challenge.empty()) return parameters;
    Expect(challenge.starts_with(", "), "parameters are separated by a comma and a space");
    challenge.remove_prefix(2);
  }
}

void ExpectReadable(const std::string& challenge, const std::string& scopes) {
  const auto parameters = Read(challenge);
  std::map<std::string, std::string> by_name;
  for (const auto& [name, value] : parameters)
    Expect(by_name.emplace(name, value).second, "each parameter is there once");
  Expect(!by_name.contains("error_description") || parameters.back().first == "error_description",
         "error_description is last");
  // As clients do that have no parser.
  for (const char* name : {"scope", "error", "resource_metadata"}) {
    const std::string start = std::string(name) + "=\"";
    const size_t at = challenge.find(start);
    Expect((at != challenge.npos) == by_name.contains(name), "what a search finds is a parameter");
    if (at == challenge.npos) continue;
    const size_t begin = at + start.size();
    Expect(challenge.substr(begin, challenge.find('"', begin) - begin) == by_name[name],
           "a search finds the parameter itself");
  }
  if (!by_name.contains("scope")) return;
  const std::string padded = " " + by_name["scope"] + " ";
  Expect(padded.find(" offline_access ") == padded.npos, "nobody is told to ask for offline_access");
  Expect(scopes.find_first_of("\"\\") == scopes.npos, "what cannot be quoted is left out");
}

}  // namespace

bool Accepts(std::string_view input) {
  if (input.size() < kPrefix) return false;
  Decision decision;
  decision.reason = kReasons[static_cast<uint8_t>(input[0]) % std::size(kReasons)];
  std::vector<std::string> parts = SplitAtZeros(input.substr(kPrefix));
  parts.resize(3);
  const std::string &resource = parts[0], &scopes = parts[1], &acr = parts[2];

  const std::string url = ResourceMetadataUrl(resource);
  Expect(std::all_of(url.begin(), url.end(),
                     [](char c) {
                       return c > ' ' && c <= '~' &&
                              std::string_view("\"<>\\^`{|}#").find(c) == std::string_view::npos;
                     }),
         "a URL is of a URL's characters");
  const std::string challenge = Challenge(decision, url, scopes, acr);
  const int status = decision.http_status();
  Expect(challenge.empty() || status == 401 || status == 403 || status == 400, "who is denied is challenged");
  Expect(status != 401 || !challenge.empty(), "RFC 9110 section 15.5.2: 401 comes with a challenge");
  if (!challenge.empty()) ExpectReadable(challenge, scopes);

  const std::string document = ResourceMetadataJson({.resource = resource,
                                                     .authorization_servers = {scopes},
                                                     .scopes_supported = {scopes, "offline_access"}});
  const nlohmann::json read = nlohmann::json::parse(document, nullptr, /*allow_exceptions=*/false);
  // Other bytes than UTF-8 make other JSON than was meant, and that is the caller's promise.
  if (!read.is_discarded() && !resource.empty()) Expect(read["resource"] == resource, "the same resource");
  return !url.empty();
}

}  // namespace tollgate::fuzz
