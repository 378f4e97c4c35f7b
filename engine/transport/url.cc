#include "transport/url.h"

#include <curl/curl.h>

#include <algorithm>
#include <memory>

#include "base/ascii.h"
#include "transport/address.h"

namespace tollgate::transport {
namespace {

constexpr size_t kUrlBytesMax = 2048;  // As limits::kIssuerBytesMax: most are an issuer and a path.
constexpr std::string_view kScheme = "https://";
constexpr std::string_view kHttpScheme = "http://";

// One part of the parsed URL, empty if it has none.
std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

// Of the ways to write a loopback address in IPv6, this one only.
bool IsLoopback(std::string_view host) {
  if (ascii::EqualIgnoringCase(host, "localhost") || host == "[::1]") return true;
  return !host.starts_with('[') && KindOfLiteral(host) == AddressKind::kLoopback;
}

bool IsHttps(std::string_view url) {
  return ascii::EqualIgnoringCase(url.substr(0, kScheme.size()), kScheme);
}

// What stands between the scheme and the path; `url` has one of our schemes.
std::string_view WrittenAuthority(std::string_view url) {
  url.remove_prefix(IsHttps(url) ? kScheme.size() : kHttpScheme.size());
  return url.substr(0, url.find_first_of("/?"));
}

absl::Status CheckHost(const std::string& host, bool http, const FetchRules& rules) {
  if (IsLoopback(host)) {
    if (rules.loopback) return absl::OkStatus();
    if (http) return absl::InvalidArgumentError("the URL is not an https URL");
    return absl::PermissionDeniedError(
        "the URL's host is loopback, which takes dangerous_allow_http_on_loopback");
  }
  if (http) {
    return absl::InvalidArgumentError(rules.loopback ? "the URL is http and its host is not loopback"
                                                     : "the URL is not an https URL");
  }
  const std::optional<AddressKind> kind = KindOfLiteral(host);
  if (!kind.has_value() || IsWithin(rules.reach, *kind)) return absl::OkStatus();
  return absl::PermissionDeniedError(*kind == AddressKind::kPrivate
                                         ? "the URL's address is private, which takes private_network"
                                         : "the URL's address is neither public nor private");
}

}  // namespace

// No message repeats any part of the URL: a query may hold an API key.
absl::Status CheckFetchUrl(std::string_view url, const FetchRules& rules) {
  if (url.empty()) return absl::InvalidArgumentError("the URL is empty");
  if (url.size() > kUrlBytesMax) return absl::InvalidArgumentError("the URL is too long");
  // RFC 3986 has none of these; parsers that meet them differ, and a difference is a hole.
  const bool odd =
      std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~' || c == '\\'; });
  if (odd) return absl::InvalidArgumentError("the URL has a character that RFC 3986 does not allow");
  if (url.find('#') != url.npos) return absl::InvalidArgumentError("the URL has a fragment");

  const bool http = ascii::EqualIgnoringCase(url.substr(0, kHttpScheme.size()), kHttpScheme);
  if (!http && !IsHttps(url)) return absl::InvalidArgumentError("the URL is not an https URL");
  const std::string_view authority = WrittenAuthority(url);
  if (authority.find('@') != authority.npos)
    return absl::InvalidArgumentError("the URL has user information");

  const std::unique_ptr<CURLU, void (*)(CURLU*)> parsed(curl_url(), curl_url_cleanup);
  if (parsed == nullptr ||
      curl_url_set(parsed.get(), CURLUPART_URL, std::string(url).c_str(), CURLU_DISALLOW_USER) != CURLUE_OK) {
    return absl::InvalidArgumentError("the URL is malformed");
  }
  // What libcurl will connect to must be what is written: no other spelling of an address, no percent-encoded
  // host.
  const std::string host = Part(parsed.get(), CURLUPART_HOST);
  const std::string port = Part(parsed.get(), CURLUPART_PORT);
  if (host.empty() || port == "0" ||
      !ascii::EqualIgnoringCase(authority, port.empty() ? host : host + ":" + port)) {
    return absl::InvalidArgumentError("the URL has no plain host, or a bad port");
  }
  return CheckHost(host, http, rules);
}

std::string AuthorityOf(std::string_view url) {
  std::string authority(WrittenAuthority(url));
  for (char& c : authority) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  const std::string_view own_port = IsHttps(url) ? ":443" : ":80";
  if (authority.ends_with(own_port)) authority.resize(authority.size() - own_port.size());
  return authority;
}

bool HasLoopbackHost(std::string_view url) {
  const std::string_view authority = WrittenAuthority(url);
  const size_t bracket = authority.find(']');
  return IsLoopback(authority.substr(0, bracket == authority.npos ? authority.find(':') : bracket + 1));
}

}  // namespace tollgate::transport
