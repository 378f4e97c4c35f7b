#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "tollgate/mcp.h"
#include "tollgate/reason.h"
#include "tools/tollgated/http.h"
#include "tools/tollgated/settings.h"

namespace tollgate::tollgated {

// OriginalRequest is the request that a proxy asks about, as far as the proxy tells. Its views point into the
// HttpRequest.
struct OriginalRequest {
  std::string_view method{};
  std::string_view target{};  // Path and query.
  std::string_view authorization{};
  // Authorization fields, and one more for a token in the query, beside them (RFC 6750 section 2.3, which MCP
  // forbids). Alone, such a token is none, so that its client is told how to bring one.
  uint32_t num_credentials = 1;
  McpHeaders mcp{};
  std::string_view traceparent{};
  std::string_view body{};
  bool body_is_partial = false;  // Envoy has cut it off, and says so.
  // There is a field that is one of ours but for underscores: servers that make variables of names (CGI,
  // WSGI) cannot tell the two apart, and what the proxy takes away or sets is the other one.
  bool has_lookalike = false;
};

// ReadQuestion reads what the proxy asks about. `rest` is what follows /check/NAME in the target:
//
//   kNginx            no path; X-Original-Method and X-Original-URI, which the proxy is configured to set
//   kTraefik, kCaddy  no path; X-Forwarded-Method and X-Forwarded-Uri
//   kEnvoy, kHaproxy, kNginxModule
//                     the original path and query; the method is the original one
//
// False if that is not there, or several times: it is not known what is asked, and nobody is to be allowed.
bool ReadQuestion(const HttpRequest& request, std::string_view rest, Proxy proxy, OriginalRequest* original);

// Use is one thing for which the caller needs the permission, as in tollgate::Request.
struct Use {
  McpObject object = McpObject::kMethod;
  std::string_view name{};
};

// ReadUses says what the request asks for: each of *uses needs to be allowed.
//
//  - ServerSettings::decide_as_tool: that tool, whatever the request is.
//  - A request other than POST asks for the method of its own name: "GET", by which earlier revisions of MCP
//    open a stream of the server's messages, "DELETE", by which they end a session. Unless a rule of the
//    policy allows this method, it is denied. With ServerSettings::sees_body it has no body (kBodyTooLong).
//  - POST, with ServerSettings::sees_body: what McpReader finds in the body.
//  - POST, with ServerSettings::dangerous_trust_mcp_headers: what Mcp-Method and Mcp-Name say, by the
//    revision 2026-07-28. Both absent and repeated ones are refused (kHeaderMismatch), and so are methods
//    whose object stands in the body alone (kInvalidParams).
//
// kNone and at least one use, valid until `reader` reads again; or a reason of the category kFixRequest or
// kRetryLater, none, and in *error the JSON-RPC error that tells an MCP client (McpReader::ErrorBody).
Reason ReadUses(const OriginalRequest& original, const ServerSettings& server, McpReader* reader,
                std::vector<Use>* uses, std::string* error);

}  // namespace tollgate::tollgated
