#include "tools/tollgated/settings_rules.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <set>
#include <vector>

#include "claims/claim_values.h"
#include "keys/issuer_family.h"
#include "policy/near_miss.h"
#include "policy/resource_pattern.h"
#include "policy_file/text.h"
#include "tollgate/challenge.h"

namespace tollgate::tollgated {

using policy::DidYouMean;
using policy_file::Quoted;

namespace {

std::string Item(std::string_view list, size_t number) {
  return std::string(list) + "[" + std::to_string(number) + "]";
}

struct Address {
  bool is_local = false;  // Nobody on another machine reaches it.
};

// ParseAddress reads "127.0.0.1:9180", "[::1]:9180" or "unix:/run/x.sock"; nullopt, and why in *error.
std::optional<Address> ParseAddress(std::string_view text, std::string* error) {
  if (text.starts_with("unix:")) {
    const std::string_view path = text.substr(5);
    if (!path.starts_with('/') || path.ends_with('/') || path.size() >= sizeof(sockaddr_un::sun_path)) {
      *error = "the path of a socket is expected behind unix:, of 107 bytes at most";
      return std::nullopt;
    }
    return Address{.is_local = true};
  }
  *error = "an address and a port are expected here, like 127.0.0.1:9180 or [::1]:9180, or unix: and a path";
  const size_t colon = text.rfind(':');
  if (colon == text.npos) return std::nullopt;
  const std::optional<int64_t> port = ParseNumber(text.substr(colon + 1));
  if (!port || *port < 1 || *port > 65'535) return std::nullopt;
  std::string host(text.substr(0, colon));
  if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
    host = host.substr(1, host.size() - 2);
    in6_addr v6;
    if (inet_pton(AF_INET6, host.c_str(), &v6) != 1) return std::nullopt;
    return Address{.is_local = IN6_IS_ADDR_LOOPBACK(&v6) != 0};
  }
  std::array<uint8_t, 4> v4;
  if (inet_pton(AF_INET, host.c_str(), v4.data()) != 1) return std::nullopt;
  return Address{.is_local = v4[0] == 127};
}

// CheckForNginxModule: each of nginx's workers has an engine, and no worker has a listener of ours.
void CheckForNginxModule(const Settings& settings, SettingsReader& reader) {
  for (const char* const key : {"listen", "admin_listen", "threads"})
    if (reader.Has(key)) reader.ErrorAt(key, "nginx_module asks no daemon: there is none to listen");
  if (reader.Has("shadow_policy_file"))
    reader.ErrorAt("shadow_policy_file", "with nginx_module nobody could see its counters");
  if (reader.Has("audit.path"))
    reader.ErrorAt("audit.path", "the workers of nginx cannot share a file: stdout or syslog");
  const auto is_fetched = [](const IssuerConfig& issuer) {
    return issuer.jwks.empty() && issuer.jwks_file.empty();
  };
  const std::vector<IssuerConfig>& issuers = settings.engine.issuers;
  if (!reader.Has("snapshot") && std::any_of(issuers.begin(), issuers.end(), is_fetched))
    reader.ErrorAt("snapshot",
                   "\"snapshot\" is missing: one worker of nginx fetches keys, and the others read "
                   "them there");
}

void CheckAddresses(const Settings& settings, SettingsReader& reader) {
  if (settings.for_nginx_module()) {
    CheckForNginxModule(settings, reader);
    return;
  }
  if (!reader.Has("listen")) reader.ErrorAt("listen", "\"listen\" is missing");
  if (reader.Has("listen") && settings.listen.empty())
    reader.ErrorAt("listen", "at least one address is expected here");
  std::set<std::string> seen;
  std::string error;
  for (size_t i = 0; i < settings.listen.size(); ++i) {
    const std::string path = Item("listen", i);
    if (!ParseAddress(settings.listen[i], &error)) reader.ErrorAt(path, error);
    if (!seen.insert(settings.listen[i]).second) reader.ErrorAt(path, "this address is there already");
  }
  if (!reader.Has("admin_listen")) return;
  const std::optional<Address> admin = ParseAddress(settings.admin_listen, &error);
  if (!admin) reader.ErrorAt("admin_listen", error);
  if (admin && !admin->is_local)
    reader.ErrorAt("admin_listen",
                   "this has to be loopback or a UNIX socket: it tells who is refused and why");
  if (seen.contains(settings.admin_listen)) reader.ErrorAt("admin_listen", "proxies ask at this address");
}

// WhyNotCanonical returns nothing for a URI in the one spelling by which tokens and clients name a server.
std::string WhyNotCanonical(const std::string& uri) {
  if (!IsHttpsOrLoopback(uri)) return "https:// is expected here (RFC 9728), or http:// and a loopback host";
  // Of a host alone there are two spellings; either will do.
  const bool is_host = std::count(uri.begin(), uri.end(), '/') == 2;
  std::string error;
  const auto pattern = policy::ResourcePattern::Parse(is_host ? uri + "/" : uri, &error);
  if (!pattern) return "this is not the canonical spelling of a URI: " + error;
  if (pattern->kind() != policy::ResourcePattern::Kind::kExact || ResourceMetadataUrl(uri).empty())
    return "this cannot be a server's URI: its metadata would have no place";
  return "";
}

bool IsServerName(std::string_view name) {
  constexpr size_t kBytesMax = 64;
  return !name.empty() && name.size() <= kBytesMax && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
  });
}

// CheckWay: by what it is known which tool a request is about.
void CheckWay(const ServerSettings& server, const std::string& path, SettingsReader& reader) {
  const bool trusts = !server.dangerous_trust_mcp_headers.empty(),
             is_one_tool = !server.decide_as_tool.empty();
  if (server.sees_body + trusts + is_one_tool != 1) {
    reader.ErrorAt(
        path,
        "exactly one of sees_body: true, dangerous_trust_mcp_headers and decide_as_tool says how it is "
        "known which tool a request is about");
  }
  const bool never_sees = server.proxy == Proxy::kNginx || server.proxy == Proxy::kCaddy;
  if (server.sees_body && never_sees)
    reader.ErrorAt(path + ".sees_body", "nginx and caddy never show the body of a request");
}

class Issuers {
 public:
  explicit Issuers(const std::vector<IssuerConfig>& issuers) {
    for (const IssuerConfig& issuer : issuers) {
      names_.insert(issuer.issuer);
      for (std::string& name : keys::NamesOf(issuer)) names_.insert(std::move(name));
    }
  }
  void Check(const std::string& name, const std::string& path, SettingsReader& reader) const {
    if (!names_.contains(name))
      reader.ErrorAt(path, "there is no issuer of this name" + DidYouMean(name, names_));
  }

 private:
  std::set<std::string> names_;
};

void CheckServers(const Settings& settings, SettingsReader& reader) {
  if (settings.servers.empty()) reader.ErrorAt("servers", "at least one server is expected here");
  const Issuers issuers(settings.engine.issuers);
  std::set<std::string> names, uris;
  for (size_t i = 0; i < settings.servers.size(); ++i) {
    const ServerSettings& server = settings.servers[i];
    const ResourceConfig& resource = settings.engine.resources[i];
    const std::string path = Item("servers", i);
    if (!IsServerName(server.name)) reader.ErrorAt(path + ".name", "1 to 64 of a-z 0-9 - are expected here");
    if (!names.insert(server.name).second)
      reader.ErrorAt(path + ".name", "there is a server of this name already");
    if (const std::string why = WhyNotCanonical(resource.uri); !why.empty())
      reader.ErrorAt(path + ".uri", why);
    if (!uris.insert(resource.uri).second)
      reader.ErrorAt(path + ".uri", "there is a server of this URI already");
    CheckWay(server, path, reader);
    if ((server.proxy == Proxy::kNginxModule) != settings.for_nginx_module())
      reader.ErrorAt(path + ".proxy", "nginx_module is for all servers of a configuration, or for none");
    for (const std::string& issuer : resource.issuers) issuers.Check(issuer, path + ".issuers", reader);
    if (!resource.opaque_token_issuer.empty())
      issuers.Check(resource.opaque_token_issuer, path + ".opaque_token_issuer", reader);
    for (const std::string& authorization_server : server.authorization_servers) {
      if (!IsHttpsOrLoopback(authorization_server))
        reader.ErrorAt(path + ".authorization_servers", "https URLs are expected here (RFC 8414)");
    }
    if (!std::all_of(server.scopes_supported.begin(), server.scopes_supported.end(), claims::IsScopeToken))
      reader.ErrorAt(path + ".scopes_supported", "scopes are expected here (RFC 6749 section 3.3)");
    if (server.authorization_servers.empty() && !settings.engine.issuers.empty())
      reader.ErrorAt(
          path, "\"authorization_servers\" is missing: none of its issuers is a URL that clients could ask");
  }
}

void CheckIssuers(const Settings& settings, SettingsReader& reader) {
  std::set<std::string> names;
  for (size_t i = 0; i < settings.engine.issuers.size(); ++i) {
    const IssuerConfig& issuer = settings.engine.issuers[i];
    const std::string path = Item("issuers", i);
    if (!names.insert(issuer.issuer).second) reader.ErrorAt(path + ".issuer", "this issuer is there already");
    const bool is_asked = !issuer.introspection.endpoint.empty() || issuer.introspection.discovery;
    if (reader.Has(path + ".introspection") && !is_asked)
      reader.ErrorAt(path + ".introspection", "where is it? One of endpoint and discovery is missing");
  }
}

// Says nothing but what any good token may do: a method by which MCP itself works.
bool IsProtocol(const AccessRule& rule) {
  return rule.object == McpObject::kMethod && rule.any_valid_token && rule.principals.empty() &&
         rule.predicates.empty() && rule.sensitivity == AccessRule{}.sensitivity;
}

}  // namespace

bool IsHttpsOrLoopback(std::string_view uri) {
  if (uri.starts_with("https://")) return true;
  constexpr std::string_view kHttp = "http://";
  if (!uri.starts_with(kHttp) || uri.find('@') != uri.npos) return false;
  uri.remove_prefix(kHttp.size());
  const std::string_view host = uri.substr(0, uri.find_first_of(":/?#"));
  return host == "127.0.0.1" || host == "localhost";
}

void FindMistakes(const Settings& settings, SettingsReader& reader) {
  CheckAddresses(settings, reader);
  CheckIssuers(settings, reader);
  CheckServers(settings, reader);
}

std::optional<Misfit> FindMisfit(const Settings& settings, const Policy& policy) {
  for (size_t i = 0; i < settings.servers.size(); ++i) {
    const std::string& tool = settings.servers[i].decide_as_tool;
    if (tool.empty()) continue;
    const std::string& uri = settings.engine.resources[i].uri;
    std::vector<std::string_view> tools;
    const AccessRule* other = nullptr;  // One that would never be asked.
    for (const AccessRule& rule : policy.rules()) {
      if ((!rule.server.empty() && rule.server != uri) || IsProtocol(rule)) continue;
      if (rule.object == McpObject::kTool) tools.push_back(rule.name);
      if (rule.object != McpObject::kTool || rule.name != tool) other = &rule;
    }
    if (std::find(tools.begin(), tools.end(), tool) == tools.end())
      return Misfit{
          i, "the policy has no rule for the tool " + Quoted(tool) + " here" + DidYouMean(tool, tools)};
    if (other != nullptr) {
      return Misfit{i, "the policy has a rule for the " + std::string(NameOf(other->object)) + " " +
                           Quoted(other->name) +
                           ", which would never be asked: rules for single tools need sees_body or "
                           "dangerous_trust_mcp_headers"};
    }
  }
  return std::nullopt;
}

void TellEngineError(const Settings& settings, std::string_view message, SettingsReader& reader) {
  // issuer "NAME": …, resource "URI": …, timing "refresh_min_ms": …, policy "TOOL": …, issuers[3].jwks: …,
  // audit.key: …, policy: …
  std::string path(message.substr(0, message.find_first_of(": \"")));
  std::string_view name;
  if (const size_t quote = message.find('"'); quote == path.size() + 1) {
    name = message.substr(quote + 1);
    name = name.substr(0, name.find("\": "));
  }
  if (path == "issuer") {
    const auto& issuers = settings.engine.issuers;
    const auto found = std::find_if(issuers.begin(), issuers.end(), [&](const IssuerConfig& issuer) {
      return !name.empty() && std::string_view(issuer.issuer).starts_with(name);
    });
    path = Item("issuers", static_cast<size_t>(found - issuers.begin()));
    const size_t colon = message.find("\": ");
    if (colon != message.npos)
      path +=
          "." + std::string(message.substr(colon + 3, message.find_first_of(": ", colon + 3) - colon - 3));
  } else if (path == "resource") {
    const auto& resources = settings.engine.resources;
    const auto found = std::find_if(resources.begin(), resources.end(),
                                    [&](const ResourceConfig& resource) { return resource.uri == name; });
    path = Item("servers", static_cast<size_t>(found - resources.begin()));
  } else if (path == "policy" || path == "class") {
    path = "policy_file";
  } else if (!name.empty()) {
    path += "." + std::string(name);
  }
  for (const std::string_view unit : {"_ms", "_bytes"}) {
    if (path.ends_with(unit)) path.resize(path.size() - unit.size());
  }
  reader.ErrorAt(path, message);
}

}  // namespace tollgate::tollgated
