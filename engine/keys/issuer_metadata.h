#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "transport/url.h"

namespace tollgate::keys {

// MetadataRules is what one issuer's metadata is held against.
struct MetadataRules {
  std::string issuer;
  std::string place;  // The URL beneath which the document is: the issuer, or of a template one tenant's.
  // Where URLs of the document may lead, as transport::AuthorityOf writes it: the issuer's own, and others.
  std::vector<std::string> authorities;
  transport::FetchRules fetch;
  bool signed_keys = false;  // The keys are at the document's `signed_jwks_uri`, and not at its `jwks_uri`.
};

// MakeMetadataRules checks what a configuration says. `hosts` are further ones beside the issuer's: names or
// addresses, with a port unless it is the scheme's own. InvalidArgument, beginning with the setting, if the
// issuer is no URL that can be fetched from (RFC 8414 section 2: https, no query, no fragment) or a host is
// none or an address out of reach. The metadata of a template is that of `metadata_tenant`.
absl::StatusOr<MetadataRules> MakeMetadataRules(std::string_view issuer, std::span<const std::string> hosts,
                                                const transport::FetchRules& fetch,
                                                std::string_view metadata_tenant = {});

// MayLeadTo returns OK if the metadata may have this URL for the keys: one that may be fetched, on one of the
// rules' authorities. InvalidArgument otherwise.
absl::Status MayLeadTo(std::string_view url, const MetadataRules& rules);

// WellKnownUrls returns where the metadata of an issuer that MakeMetadataRules accepts may be found, in the
// order of the MCP authorization specification: RFC 8414 section 3.1, the same place for OpenID Connect, and,
// if the issuer has a path, OpenID Connect Discovery 1.0 section 4.
std::vector<std::string> WellKnownUrls(std::string_view issuer);

// IssuerMetadata is what tollgate reads of RFC 8414 section 2 or OpenID Connect Discovery 1.0 section 3.
struct IssuerMetadata {
  std::string jwks_uri;  // Or signed_jwks_uri, by the rules.
  // NotFound if the document has none, InvalidArgument if its URL is refused. Keys do not depend on it.
  absl::StatusOr<std::string> introspection_endpoint;
};

// ParseIssuerMetadata reads a document: strict JSON up to limits::kMetadataBytesMax, whose `issuer` equals
// the rules' byte by byte (RFC 8414 section 3.3) and whose `jwks_uri` (or `signed_jwks_uri`, if the rules say
// so) may be fetched and leads to one of the rules' authorities. InvalidArgument otherwise: one line that
// names the member and repeats nothing of it.
absl::StatusOr<IssuerMetadata> ParseIssuerMetadata(std::string_view text, const MetadataRules& rules);

}  // namespace tollgate::keys
