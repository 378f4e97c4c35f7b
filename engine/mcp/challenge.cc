#include "tollgate/challenge.h"

#include <algorithm>
#include <utility>

#include "base/ascii.h"
#include "json/writer.h"

namespace tollgate {
namespace {

constexpr std::string_view kWellKnown = "/.well-known/oauth-protected-resource";
constexpr std::string_view kOfflineAccess = "offline_access";

// May stand in a URL, and in a quoted string as it is (RFC 3986 section 2, RFC 9110 section 5.6.4).
bool IsUrlCharacter(char c) { return c > ' ' && c <= '~' && c != '"' && c != '\\' && c != '<' && c != '>'; }

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
    if (value.empty()) return;
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
  if (host_end == host) return {};
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

std::string Challenge(const Decision& decision, std::string_view metadata_url, std::string_view scopes) {
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
      break;
  }
  Parameters parameters;
  parameters.Add("error", error);
  if (category != Category::kFixRequest) parameters.Add("scope", needed);
  parameters.Add("resource_metadata", metadata_url);
  if (!error.empty()) parameters.Add("error_description", ReasonText(decision.reason));
  return parameters.Take();
}

}  // namespace tollgate
