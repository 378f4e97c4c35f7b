// issuer_metadata_hosts: no document leads to a host that nobody named
//
// Functions: keys::ParseIssuerMetadata, WellKnownUrls. Property: what is accepted is strict JSON with exactly
// the issuer asked for, and every URL taken from it has, as the regular expression of RFC 3986 appendix B
// sees it, the scheme https (http on loopback, if allowed), no user information, no fragment, and a host and
// port that are the issuer's or listed; a document whose jwks_uri (or signed_jwks_uri, where that is asked
// for) is plainly such a URL is accepted. Every place where metadata is looked for is on the issuer's host
// and port.

#include <algorithm>
#include <iterator>
#include <optional>
#include <regex>
#include <string>
#include <utility>
#include <vector>

#include "base/limits.h"
#include "fuzz/fuzz.h"
#include "fuzz/json_mutation.h"
#include "fuzz/model.h"
#include "keys/issuer_metadata.h"

namespace tollgate::fuzz {
namespace {

using nlohmann::json;
using HostAndPort = std::pair<std::string, std::string>;

struct Case {
  std::string issuer;
  std::vector<std::string> hosts;
  transport::FetchRules fetch;
  std::vector<HostAndPort> allowed;  // The same, written out.
  bool signed_keys = false;
};

const std::vector<Case>& Cases() {
  static const auto& cases =
      *new std::vector<Case>{{"https://idp.example/tenant", {}, {}, {{"idp.example", "443"}}},
                             {"https://idp.example:8443",
                              {"keys.example", "keys.example:8443"},
                              {},
                              {{"idp.example", "8443"}, {"keys.example", "443"}, {"keys.example", "8443"}}},
                             {"http://127.0.0.1:8080", {}, {.loopback = true}, {{"127.0.0.1", "8080"}}},
                             {"https://10.0.0.1/", {}, {.reach = Reach::kPrivate}, {{"10.0.0.1", "443"}}},
                             {"https://signed.example", {}, {}, {{"signed.example", "443"}}, true}};
  return cases;
}

std::string Lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c; });
  return text;
}

struct Seen {
  std::string scheme, authority, path, fragment;
  bool has_fragment = false;
  HostAndPort where;
};

Seen See(const std::string& url) {
  static const std::regex appendix_b(R"(^(([^:/?#]+):)?(//([^/?#]*))?([^?#]*)(\?([^#]*))?(#(.*))?)");
  static const std::regex host_and_port(R"(^(\[[0-9a-f:.]*\]|[^:\[\]@]*)(:([0-9]+))?$)");
  std::smatch part;
  Seen seen;
  if (!std::regex_match(url, part, appendix_b)) return seen;
  seen.scheme = Lower(part[2]);
  seen.authority = Lower(part[4]);
  seen.path = part[5];
  seen.has_fragment = part[8].matched;
  std::smatch both;
  if (!std::regex_match(seen.authority, both, host_and_port)) return seen;
  const std::string own_port = seen.scheme == "https" ? "443" : "80";
  seen.where = {both[1], both[3].matched ? both[3].str() : own_port};
  return seen;
}

bool IsAllowed(const Case& rules, const Seen& seen) {
  return std::find(rules.allowed.begin(), rules.allowed.end(), seen.where) != rules.allowed.end();
}

void ExpectAllowed(const Case& rules, const std::string& url) {
  const Seen seen = See(url);
  const bool http = rules.fetch.loopback && seen.scheme == "http" && seen.where.first == "127.0.0.1";
  Expect(seen.scheme == "https" || http, "nothing but https is taken");
  Expect(IsAllowed(rules, seen), "nothing but the issuer's host and those that are listed is taken");
  Expect(!seen.has_fragment && seen.authority.find('@') == std::string::npos,
         "no user information and no fragment is taken");
}

bool IsPlain(const Case& rules, const std::string& url) {
  static const std::regex plain(R"(^(https|http)://[a-z0-9.]+(:[1-9][0-9]{1,3})?(/[A-Za-z0-9/_-]{0,100})?$)");
  const Seen seen = See(url);
  return std::regex_match(url, plain) && IsAllowed(rules, seen) &&
         (seen.scheme == "https" || rules.fetch.loopback);
}

bool AcceptsFor(const Case& rules, std::string_view input, const std::optional<json>& object) {
  auto made = keys::MakeMetadataRules(rules.issuer, rules.hosts, rules.fetch);
  Expect(made.ok(), "the case is a configuration");
  made->signed_keys = rules.signed_keys;
  const char* const member = rules.signed_keys ? "signed_jwks_uri" : "jwks_uri";
  for (const std::string& url : keys::WellKnownUrls(rules.issuer)) {
    ExpectAllowed(rules, url);
    Expect(See(url).where == See(rules.issuer).where, "metadata is looked for at the issuer's");
  }
  const auto metadata = keys::ParseIssuerMetadata(input, *made);
  const bool is_its_own =
      object.has_value() && object->contains("issuer") && (*object)["issuer"] == rules.issuer;
  const std::optional<std::string> jwks_uri =
      is_its_own && object->contains(member) && (*object)[member].is_string()
          ? std::optional((*object)[member].get<std::string>())
          : std::nullopt;
  if (!metadata.ok()) {
    const std::string message(metadata.status().message());
    Expect(message.starts_with("metadata") && message.size() < 200, "one line says why");
    Expect(!jwks_uri.has_value() || !IsPlain(rules, *jwks_uri), "a plain document is accepted");
    return false;
  }
  Expect(jwks_uri.has_value() && metadata->jwks_uri == *jwks_uri, "it is what the document says");
  ExpectAllowed(rules, metadata->jwks_uri);
  if (metadata->introspection_endpoint.ok()) {
    Expect((*object)["introspection_endpoint"] == *metadata->introspection_endpoint,
           "it is what the document says");
    ExpectAllowed(rules, *metadata->introspection_endpoint);
  }
  return true;
}

// A URL made of pieces that parsers disagree about.
std::string OddUrl(Random& random) {
  static constexpr const char* kSchemes[] = {"https://", "https://", "https://", "http://", "HTTPS://",
                                             "ftp://",   "//",       "https:/",  "",        "https:"};
  static constexpr const char* kUsers[] = {"", "", "", "", "u@", "idp.example@", "u:p@", "idp.example:443@",
                                           "@"};
  static constexpr const char* kHosts[] = {"idp.example",
                                           "idp.example",
                                           "keys.example",
                                           "127.0.0.1",
                                           "10.0.0.1",
                                           "evil.example",
                                           "idp.example.evil.com",
                                           "IdP.Example",
                                           "localhost",
                                           "idp.example.",
                                           "2130706433",
                                           "127.1",
                                           "[::1]",
                                           "0x7f.1",
                                           "[::ffff:127.0.0.1]",
                                           "xn--idp",
                                           "idp%2eexample",
                                           "",
                                           "[::ffff:a00:1]"};
  static constexpr const char* kPorts[] = {"",    "",      "",   ":443", ":8443", ":8080",
                                           ":80", ":0443", ":0", ":",    ":65979"};
  static constexpr const char* kEnds[] = {"",   "/",   "/jwks", "/a/../b",       "?x=1",           "#f",
                                          "/#", "/@x", "?@x",   "\\@x",          "\\evil.example", ";x",
                                          "\t", "%00", "/ ",    "@evil.example/"};
  const auto pick = [&random](const auto& from) { return std::string(from[random.Below(std::size(from))]); };
  return pick(kSchemes) + pick(kUsers) + pick(kHosts) + pick(kPorts) + pick(kEnds);
}

}  // namespace

bool Accepts(std::string_view input) {
  const std::optional<json> object = ParseObject(input);
  bool accepted = false;
  for (const Case& rules : Cases()) accepted |= AcceptsFor(rules, input, object);
  return accepted;
}

}  // namespace tollgate::fuzz

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size, unsigned seed) {
  using namespace tollgate::fuzz;
  Random random(seed);
  json document = json::parse(data, data + size, nullptr, /*allow_exceptions=*/false);
  if (!document.is_object() || random.OneIn(3)) return MutateJsonInput(0, data, size, max_size, seed);
  const char* const name = random.OneIn(3)   ? "introspection_endpoint"
                           : random.OneIn(4) ? "signed_jwks_uri"
                                             : "jwks_uri";
  document[name] = OddUrl(random);
  if (random.OneIn(4)) document["issuer"] = Cases()[random.Below(Cases().size())].issuer;
  const std::string text = document.dump(-1, ' ', false, json::error_handler_t::replace);
  if (text.size() > max_size) return size;
  std::copy(text.begin(), text.end(), data);
  return text.size();
}
