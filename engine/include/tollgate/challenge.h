#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "tollgate/decision.h"
#include "tollgate/export.h"

namespace tollgate {

// ResourceMetadataUrl returns where the metadata of the protected resource with this URI is to be served (RFC
// 9728 section 3.1): "https://mcp.example/a" has it at
// "https://mcp.example/.well-known/oauth-protected-resource/a". Empty for what is no http or https URL, or
// has a fragment, a user, an empty host or port, or a text such as "scope=" that clients, who search the
// whole challenge, would take for a parameter of it.
TOLLGATE_API std::string ResourceMetadataUrl(std::string_view resource);

// ResourceMetadata is what RFC 9728 section 2 says of a protected resource. Empty members are left out.
struct ResourceMetadata {
  std::string resource{};                            // Its URI, as clients are to ask tokens for.
  std::vector<std::string> authorization_servers{};  // Issuers. Most clients use the first alone.
  std::vector<std::string> scopes_supported{};
  std::string resource_name{};  // For people.
  std::string resource_documentation{};
};

// ResourceMetadataJson returns the document, for application/json: to be served with status 200, without a
// token, and to browsers of any origin. offline_access is left out of the scopes, as the MCP specification
// demands. `metadata` is UTF-8.
TOLLGATE_API std::string ResourceMetadataJson(const ResourceMetadata& metadata);

// Challenge returns the value of WWW-Authenticate for a request that was denied (RFC 6750 section 3, RFC 9728
// section 5.1), empty where there is to be none: for a plain 403 and for what is wrong with an MCP message.
// `metadata_url` and `scopes`, all that the operation needs (Engine::ScopesFor), are put into it unless they
// are empty, or have a character that a quoted string does not hold as it is (beyond visible ASCII and space,
// a quotation mark, a backslash), or a text such as "error=". As MCP clients need it: Bearer is the first
// scheme, with one space behind it; no `error` where there was no credential; `error_description` is last,
// and holds nothing that looks like a parameter. `acr_values` (Engine::AcrValuesFor) is put into a challenge
// to authenticate otherwise (RFC 9470 section 3) alone.
TOLLGATE_API std::string Challenge(const Decision& decision, std::string_view metadata_url,
                                   std::string_view scopes, std::string_view acr_values = {});

}  // namespace tollgate
