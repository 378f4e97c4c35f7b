#include "transport/url.h"

#include <arpa/inet.h>
#include <curl/curl.h>
#include <netinet/in.h>
#include <strings.h>

#include <algorithm>
#include <memory>

namespace tollgate::transport {
namespace {

constexpr size_t kUrlBytesMax = 2048;  // As limits::kIssuerBytesMax: most are an issuer and a path.
constexpr std::string_view kScheme = "https://";
constexpr std::string_view kHttpScheme = "http://";

bool EqualIgnoringCase(std::string_view a, std::string_view b) {
  return a.size() == b.size() && strncasecmp(a.data(), b.data(), a.size()) == 0;
}

// One part of the parsed URL, empty if it has none.
std::string Part(CURLU* url, CURLUPart part) {
  char* text = nullptr;
  if (curl_url_get(url, part, &text, 0) != CURLUE_OK || text == nullptr) return {};
  std::string copy(text);
  curl_free(text);
  return copy;
}

bool IsLoopback(const std::string& host) {
  if (EqualIgnoringCase(host, "localhost") || host == "[::1]") return true;
  in_addr address;
  return inet_pton(AF_INET, host.c_str(), &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

}  // namespace

// No message repeats any part of the URL: a query may hold an API key.
absl::Status CheckFetchUrl(std::string_view url, bool allow_http_on_loopback) {
  if (url.empty()) return absl::InvalidArgumentError("the URL is empty");
  if (url.size() > kUrlBytesMax) return absl::InvalidArgumentError("the URL is too long");
  // RFC 3986 has none of these; parsers that meet them differ, and a difference is a hole.
  const bool odd =
      std::any_of(url.begin(), url.end(), [](char c) { return c <= ' ' || c > '~' || c == '\\'; });
  if (odd) return absl::InvalidArgumentError("the URL has a character that RFC 3986 does not allow");
  if (url.find('#') != url.npos) return absl::InvalidArgumentError("the URL has a fragment");

  const bool https = EqualIgnoringCase(url.substr(0, kScheme.size()), kScheme);
  const bool http = EqualIgnoringCase(url.substr(0, kHttpScheme.size()), kHttpScheme);
  if (!https && !http) return absl::InvalidArgumentError("the URL is not an https URL");
  std::string_view authority = url.substr(https ? kScheme.size() : kHttpScheme.size());
  authority = authority.substr(0, authority.find_first_of("/?"));
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
  if (host.empty() || port == "0" || !EqualIgnoringCase(authority, port.empty() ? host : host + ":" + port)) {
    return absl::InvalidArgumentError("the URL has no plain host, or a bad port");
  }
  if (http && !(allow_http_on_loopback && IsLoopback(host))) {
    return absl::InvalidArgumentError(allow_http_on_loopback ? "the URL is http and its host is not loopback"
                                                             : "the URL is not an https URL");
  }
  return absl::OkStatus();
}

}  // namespace tollgate::transport
