#include "tollgate/challenge.h"

#include <algorithm>
#include <iterator>
#include <utility>

#include "base/ascii.h"
#include "json/writer.h"

namespace tollgate {
namespace {

constexpr std::string_view kWellKnown = "/.well-known/oauth-protected-resource";
constexpr std::string_view kOfflineAccess = "offline_access";

// May stand in a quoted string as it is (RFC 9110 section 5.6.4); in the parameters here, no others (RFC 6750
// section 3).
bool IsQuotable(char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; }

// May stand in a URL (RFC 3986 section 2).
bool IsUrlCharacter(char c) {
  constexpr std::string_view kOthers = " <>{}|^`";
  return IsQuotable(c) && kOthers.find(c) == kOthers.npos;
}

// IsHostAndPort: with no user, who would be a part of what clients fetch.
bool IsHostAndPort(std::string_view authority) {
  if (authority.find('@') != authority.npos) return false;
  const bool literal = authority.starts_with('[');
  const size_t end = literal ? authority.find(']') : std::min(authority.find(':'), authority.size());
  if (end == authority.npos || end == (literal ? 1u : 0u)) return false;
  const std::string_view port = authority.substr(literal ? end + 1 : end);
  return port.empty() ||
         (port.size() > 1 && port.front() == ':' &&
          std::all_of(port.begin() + 1, port.end(), [](char c) { return c >= '0' && c <= '9'; }));
}

// ReadsLikeAParameter: clients find parameters by a search of the whole challenge, where all values stand,
// too. To encode the '=' would make another URL, or scope, of it.
bool ReadsLikeAParameter(std::string_view value) {
  std::string lower(value);
  std::transform(lower.begin(), lower.end(), lower.begin(), ascii::Lower);
  constexpr std::string_view kNames[] = {
      "scope=", "error=", "error_description=", "error_uri=", "realm=", "resource_metadata="};
  return std::any_of(std::begin(kNames), std::end(kNames),
                     [&](std::string_view name) { return lower.find(name) != lower.npos; });
}

// WithoutOfflineAccess: no resource needs it (MCP 2026-07-28, Authorization, "Refresh Tokens").
std::string WithoutOfflineAccess(std::string_view scopes) {
  std::string kept;
  while (!scopes.empty()) {
    const std::string_view scope = scopes.substr(0, scopes.find(' '));
    scopes.remove_prefix(std::min(scopes.size(), scope.size() + 1));
    if (scope.empty() || scope == kOfflineAccess) continue;
    if (!kept.empty()) kept += ' ';
    kept += scope;
  }
  return kept;
}

// Parameters writes the parameters of a challenge, in the order in which they are added.
class Parameters {
 public:
  void Add(std::string_view name, std::string_view value) {
    if (value.empty() || !std::all_of(value.begin(), value.end(), IsQuotable)) return;
    if (ReadsLikeAParameter(value)) return;
    text_ += text_.empty() ? "Bearer " : ", ";
    text_.append(name).append("=\"").append(value).append("\"");
  }
  std::string Take() {
    if (text_.empty()) Add("realm", "api");  // RFC 6750 section 3: there must be one.
    return std::move(text_);
  }

 private:
  std::string text_;
};

bool IsAboutTheMessage(Reason reason) {
  return reason >= Reason::kBodyTooLong && reason < Reason::kNoCredential;
}

}  // namespace

std::string ResourceMetadataUrl(std::string_view resource) {
  const size_t scheme_end = resource.find("://");
  if (scheme_end == resource.npos || resource.find('#') != resource.npos) return {};
  const std::string_view scheme = resource.substr(0, scheme_end);
  if (!ascii::EqualIgnoringCase(scheme, "https") && !ascii::EqualIgnoringCase(scheme, "http")) return {};
  if (!std::all_of(resource.begin(), resource.end(), IsUrlCharacter)) return {};
  const size_t host = scheme_end + 3;
  const size_t host_end = std::min(resource.find_first_of("/?", host), resource.size());
  if (!IsHostAndPort(resource.substr(host, host_end - host))) return {};
  if (ReadsLikeAParameter(resource)) return {};
  std::string_view rest = resource.substr(host_end);
  // A slash that ends the host is no path.
  if (rest == "/" || rest.starts_with("/?")) rest.remove_prefix(1);
  return std::string(resource.substr(0, host_end)).append(kWellKnown).append(rest);
}

std::string ResourceMetadataJson(const ResourceMetadata& metadata) {
  std::string text = "{";
  const auto add_name = [&text](std::string_view name) {
    if (text.size() > 1) text += ',';
    json::AppendString(name, &text);
    text += ':';
  };
  const auto add_text = [&](std::string_view name, std::string_view value) {
    if (value.empty()) return;
    add_name(name);
    json::AppendString(value, &text);
  };
  const auto add_list = [&](std::string_view name, const std::vector<std::string>& values) {
    std::string list;
    for (const std::string& value : values) {
      if (value == kOfflineAccess) continue;
      list += list.empty() ? '[' : ',';
      json::AppendString(value, &list);
    }
    if (list.empty()) return;
    add_name(name);
    text += list;
    text += ']';
  };
  add_text("resource", metadata.resource);
  add_list("authorization_servers", metadata.authorization_servers);
  add_list("scopes_supported", metadata.scopes_supported);
  add_list("bearer_methods_supported", {"header"});
  add_text("resource_name", metadata.resource_name);
  add_text("resource_documentation", metadata.resource_documentation);
  text += '}';
  return text;
}

std::string Challenge(const Decision& decision, std::string_view metadata_url, std::string_view scopes,
                      std::string_view acr_values) {
  const Category category = decision.category();
  const std::string needed = WithoutOfflineAccess(scopes);
  const std::string_view error = BearerError(category);
  switch (category) {
    case Category::kAllowed:
    case Category::kForbidden:
    case Category::kRetryLater:
      return {};
    case Category::kStepUp:
      if (needed.empty()) return {};  // No scope would help.
      break;
    case Category::kFixRequest:
      if (IsAboutTheMessage(decision.reason)) return {};
      break;
    case Category::kAuthenticate:
    case Category::kReauthenticate:
    case Category::kAuthenticateStronger:
      break;
  }
  Parameters parameters;
  parameters.Add("error", error);
  if (category != Category::kFixRequest) parameters.Add("scope", needed);
  if (category == Category::kAuthenticateStronger) parameters.Add("acr_values", acr_values);
  parameters.Add("resource_metadata", metadata_url);
  if (!error.empty()) parameters.Add("error_description", ReasonText(decision.reason));
  return parameters.Take();
}

}  // namespace tollgate
