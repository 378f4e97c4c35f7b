#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "tollgate/export.h"
#include "tollgate/mcp_object.h"
#include "tollgate/reason.h"

namespace tollgate {

// McpVersion is a revision of the MCP specification.
enum class McpVersion : uint8_t { k2025_03_26, k2025_06_18, k2025_11_25, k2026_07_28 };

// McpVersionName returns the name by which MCP-Protocol-Version and `_meta` call it, such as "2025-11-25".
// Static storage.
TOLLGATE_API std::string_view McpVersionName(McpVersion version);

// McpHeaders are the values of the header fields that mirror a message (MCP 2026-07-28, Streamable HTTP,
// "Request Metadata"), and of those that say how its body is to be read, as received; nullopt: there was
// none.
struct McpHeaders {
  std::optional<std::string_view> protocol_version{};  // MCP-Protocol-Version
  std::optional<std::string_view> method{};            // Mcp-Method
  std::optional<std::string_view> name{};              // Mcp-Name
  std::optional<std::string_view> content_type{};      // Content-Type
  std::optional<std::string_view> content_encoding{};  // Content-Encoding
  bool repeated = false;  // One of them came several times: nobody knows which of them others will go by.
};

// McpCall is one thing that a request asks for.
struct McpCall {
  McpObject object = McpObject::kMethod;
  std::string_view method{};  // Empty: an answer to a request of the server's, which earlier revisions know.
  std::string_view name{};    // Of a tool or a prompt, or a URI as it stands there; empty for kMethod.
};

// McpId is a JSON-RPC request's id: MCP has strings and integers. None: a notification, or a request that
// could not be read as far.
using McpId = std::variant<std::monostate, int64_t, std::string>;

// McpReader reads what a POST to an MCP server asks for, so that it can be decided, in the revisions
// 2025-03-26 to 2026-07-28. It takes nothing for granted that other readers of the same bytes could see
// otherwise: header fields that disagree with the body, and members that are repeated, or that some readers
// take for others since they do not distinguish upper from lower case. Nor does it a URI that servers, which
// normalise (WHATWG URL), may see as another: with a control character, a space or a backslash, an upper-case
// letter in its scheme, or a segment "." or ".." in its path, however that is encoded. What else makes two
// URIs one (percent-encoding, the case of a host, default ports) is for whoever compares them. Owner thread
// only.
//
// What a server makes of `arguments` is its own business. GET and DELETE, by which earlier revisions open and
// end streams, have no body to read.
class TOLLGATE_API McpReader {
 public:
  struct Options {
    // Bodies are at most so long, in bytes. A reader needs about 15 times as much memory as the longest so
    // far.
    size_t body_bytes_max = size_t{1} << 20;
    size_t depth_max = 128;  // Nesting of the body's JSON.
    // Things that one request may ask for: members of a batch (2025-03-26), resources that are listened to.
    size_t calls_max = 64;
    // The revisions that the server knows.
    std::vector<McpVersion> versions = {McpVersion::k2025_03_26, McpVersion::k2025_06_18,
                                        McpVersion::k2025_11_25, McpVersion::k2026_07_28};
  };
  McpReader();
  explicit McpReader(Options options);
  ~McpReader();
  McpReader(const McpReader&) = delete;
  McpReader& operator=(const McpReader&) = delete;

  // Read reads a request. kNone, and then each of calls() needs to be allowed; or, with the category
  // kFixRequest, kBodyEncodingUnsupported, kBodyTooLong, kBodyNotJson, kNotJsonRpc, kAmbiguousMember,
  // kBatchNotAllowed, kInvalidParams, kHeaderMismatch, kProtocolVersionUnsupported or kTooManyCalls; or
  // kOverloaded (kRetryLater), there is no memory; and then calls() is empty. Costs about as much as
  // simdjson's parse of the body.
  //
  // A body is application/json in UTF-8, not compressed: header fields that say anything else are refused.
  // Where there is no content_type the embedder has seen to it: others may guess.
  Reason Read(const McpHeaders& headers, std::string_view body);

  // Of the last Read; its views are valid until the next one.
  std::span<const McpCall> calls() const;
  McpVersion version() const;  // By its header field; where there is none, 2025-03-26.
  const McpId& id() const;     // Of a single request.

  // ErrorBody returns the JSON-RPC error response to the last request, for an answer with the HTTP status of
  // the reason's category: of the codes -32700, -32600, -32602, -32020 (HeaderMismatch) and -32022
  // (UnsupportedProtocolVersion) the one for a reason of Read. Empty for all others. Nothing of the body but
  // its id is in it.
  std::string ErrorBody(Reason reason) const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tollgate
