#include "keys/issuer_metadata.h"

#include <algorithm>
#include <optional>

#include "base/limits.h"
#include "base/tenants.h"
#include "json/document.h"

namespace tollgate::keys {
namespace {

constexpr std::string_view kOauth = "/.well-known/oauth-authorization-server";
constexpr std::string_view kOpenId = "/.well-known/openid-configuration";

absl::Status Refuse(std::string_view what, std::string_view why) {
  return absl::InvalidArgumentError(std::string(what) + ": " + std::string(why));
}

absl::Status Refuse(std::string_view what, const absl::Status& why) {
  return Refuse(what, std::string(why.message()));
}

// A URL of the document itself. Whoever could change the document must gain nothing but what a key set on the
// issuer's own host would give: no request to a host that nobody named.
absl::StatusOr<std::string> ReadUrl(json::Value document, const std::string& name,
                                    const MetadataRules& rules) {
  const std::string what = "metadata: " + name;
  const json::Value member = document.Member(name);
  if (!member.present()) return absl::NotFoundError(what + ": is missing");
  const std::optional<std::string_view> url = member.string();
  if (!url.has_value()) return Refuse(what, "is no string");
  if (const absl::Status allowed = MayLeadTo(*url, rules); !allowed.ok()) return Refuse(what, allowed);
  return std::string(*url);
}

}  // namespace

absl::Status MayLeadTo(std::string_view url, const MetadataRules& rules) {
  if (absl::Status allowed = transport::CheckFetchUrl(url, rules.fetch); !allowed.ok()) return allowed;
  const std::string authority = transport::AuthorityOf(url);
  if (std::find(rules.authorities.begin(), rules.authorities.end(), authority) == rules.authorities.end()) {
    return absl::InvalidArgumentError(
        "its host and port are neither the issuer's nor listed in discovery_hosts");
  }
  return absl::OkStatus();
}

absl::StatusOr<MetadataRules> MakeMetadataRules(std::string_view issuer, std::span<const std::string> hosts,
                                                const transport::FetchRules& fetch,
                                                std::string_view metadata_tenant) {
  const std::string place = ForTenant(issuer, metadata_tenant);
  const absl::Status allowed = transport::CheckFetchUrl(place, fetch);
  if (!allowed.ok()) return Refuse("issuer", allowed);
  if (place.find('?') != place.npos) return Refuse("issuer", "the URL has a query");
  for (const std::string& url : WellKnownUrls(place)) {
    if (const absl::Status fits = transport::CheckFetchUrl(url, fetch); !fits.ok())
      return Refuse("issuer", fits);
  }
  MetadataRules rules{
      .issuer = std::string(issuer), .place = place, .authorities = {}, .fetch = fetch, .signed_keys = false};
  rules.authorities.push_back(transport::AuthorityOf(place));
  for (const std::string& host : hosts) {
    const std::string url = "https://" + host;
    if (host.find_first_of("/?") != host.npos) return Refuse("discovery_hosts", "a host is no host");
    if (const absl::Status reachable = transport::CheckFetchUrl(url, fetch); !reachable.ok())
      return Refuse("discovery_hosts", reachable);
    rules.authorities.push_back(transport::AuthorityOf(url));
  }
  return rules;
}

std::vector<std::string> WellKnownUrls(std::string_view issuer) {
  // Both specifications remove a terminating slash first.
  if (issuer.ends_with('/')) issuer.remove_suffix(1);
  const size_t path_at = std::min(issuer.find('/', issuer.find("://") + 3), issuer.size());
  const std::string origin(issuer.substr(0, path_at)), path(issuer.substr(path_at));
  std::vector<std::string> urls = {origin + std::string(kOauth) + path, origin + std::string(kOpenId) + path};
  if (!path.empty()) urls.push_back(origin + path + std::string(kOpenId));
  return urls;
}

absl::StatusOr<IssuerMetadata> ParseIssuerMetadata(std::string_view text, const MetadataRules& rules) {
  if (text.size() > limits::kMetadataBytesMax) return Refuse("metadata", "is too long");
  json::Document document(text.size());
  if (const Reason reason = document.Parse(text); reason != Reason::kNone)
    return Refuse("metadata", "not strict JSON: " + std::string(ReasonName(reason)));
  const json::Value root = document.root();
  if (!root.is_object()) return Refuse("metadata", "is no JSON object");
  const std::optional<std::string_view> issuer = root.Member("issuer").string();
  if (!issuer.has_value()) return Refuse("metadata: issuer", "is missing or no string");
  if (*issuer != rules.issuer) return Refuse("metadata: issuer", "is not the one that was asked for");
  absl::StatusOr<std::string> jwks_uri =
      ReadUrl(root, rules.signed_keys ? "signed_jwks_uri" : "jwks_uri", rules);
  if (!jwks_uri.ok()) return absl::InvalidArgumentError(jwks_uri.status().message());
  return IssuerMetadata{.jwks_uri = *std::move(jwks_uri),
                        .introspection_endpoint = ReadUrl(root, "introspection_endpoint", rules)};
}

}  // namespace tollgate::keys
