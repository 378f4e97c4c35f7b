#pragma once

#include "tollgate/c/tollgate.h"

// What a server, or a proxy in front of it, needs of MCP and of RFC 6750 and 9728: tollgate/mcp.h,
// mcp_filter.h, challenge.h. The conventions are those of c/tollgate.h.
#ifdef __cplusplus
extern "C" {
#endif

// ---- What a request asks for

typedef struct tollgate_mcp_reader tollgate_mcp_reader;

typedef struct tollgate_mcp_options {
  size_t struct_size;
  size_t body_bytes_max;  // 0, of these three: McpReader::Options.
  size_t depth_max;
  size_t calls_max;
  tollgate_string versions;  // Words (4): "2025-11-25 2026-07-28"; empty: all that are known.
} tollgate_mcp_options;

// The values of header fields, as received; data is NULL where there was none.
typedef struct tollgate_mcp_headers {
  size_t struct_size;
  tollgate_string protocol_version;
  tollgate_string method;
  tollgate_string name;
  tollgate_string content_type;
  tollgate_string content_encoding;
  size_t num_repeated;  // How many of them came several times.
} tollgate_mcp_headers;

// What tollgate_mcp_read has read. Unless http_status is 200 the request is to be refused with it; if it is,
// each of the calls needs to be allowed.
typedef struct tollgate_mcp_message {
  size_t struct_size;
  uint32_t http_status;  // 200, 400 or 503.
  uint32_t reason;
  size_t num_calls;
  tollgate_string version;  // "2025-11-25"; lives for ever.
} tollgate_mcp_message;

// One thing that a request asks for, to be put into a tollgate_request.
typedef struct tollgate_mcp_call {
  size_t struct_size;
  tollgate_string tool;  // For tollgate_request.tool: of a method that concerns nothing with a name, itself.
  tollgate_string method;  // "tools/call"; empty: an answer to a request of the server's.
  uint32_t object;         // TOLLGATE_TOOL …
  uint32_t reserved;
} tollgate_mcp_call;

// tollgate_mcp_reader_new returns a reader, NULL for want of memory or for options that are not as they
// should be. `options` may be NULL.
TOLLGATE_API tollgate_mcp_reader* tollgate_mcp_reader_new(const tollgate_mcp_options* options)
    TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_mcp_reader_free(tollgate_mcp_reader* reader) TOLLGATE_NOEXCEPT;

// tollgate_mcp_read reads a POST's header fields and body: McpReader::Read. For want of memory it is
// TOLLGATE_OK with http_status 503.
TOLLGATE_API TOLLGATE_MUST_USE tollgate_status
tollgate_mcp_read(tollgate_mcp_reader* reader, const tollgate_mcp_headers* headers, tollgate_string body,
                  tollgate_mcp_message* message) TOLLGATE_NOEXCEPT;

// tollgate_mcp_call_at says what the calls of the last read are, from 0; valid until the next read.
TOLLGATE_API TOLLGATE_MUST_USE tollgate_status tollgate_mcp_call_at(
    const tollgate_mcp_reader* reader, size_t index, tollgate_mcp_call* call) TOLLGATE_NOEXCEPT;

// tollgate_mcp_error_body writes the JSON-RPC error response for a reason of the last read, empty where there
// is none (8): McpReader::ErrorBody.
TOLLGATE_API size_t tollgate_mcp_error_body(const tollgate_mcp_reader* reader, uint32_t reason, char* buffer,
                                            size_t capacity) TOLLGATE_NOEXCEPT;

// ---- Which items of a list a caller sees

typedef struct tollgate_mcp_filter tollgate_mcp_filter;

// tollgate_mcp_keep returns 0 for what is to be left out: McpListFilter::Keep. tollgate_may_use is made for
// it.
typedef uint32_t (*tollgate_mcp_keep)(void* user, uint32_t object, tollgate_string name);

// tollgate_mcp_filter_new returns a filter for answers of up to `bytes_max`, 0 for the default; NULL for want
// of memory.
TOLLGATE_API tollgate_mcp_filter* tollgate_mcp_filter_new(size_t bytes_max) TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_mcp_filter_free(tollgate_mcp_filter* filter) TOLLGATE_NOEXCEPT;

// tollgate_mcp_filter_body filters an answer of application/json: McpListFilter::Filter. Returns a reason; 0:
// *filtered is what may be passed on, valid until the next call with this filter. For any other reason it is
// empty, and nothing of the answer may be passed on.
TOLLGATE_API TOLLGATE_MUST_USE uint32_t tollgate_mcp_filter_body(tollgate_mcp_filter* filter,
                                                                 tollgate_string body, tollgate_mcp_keep keep,
                                                                 void* user,
                                                                 tollgate_string* filtered) TOLLGATE_NOEXCEPT;

// tollgate_mcp_filter_begin_events begins an answer of text/event-stream, and tollgate_mcp_filter_events
// takes its next piece, likewise: McpListFilter::BeginEvents, FilterEvents. After a reason other than 0
// nothing more comes of this answer.
TOLLGATE_API void tollgate_mcp_filter_begin_events(tollgate_mcp_filter* filter) TOLLGATE_NOEXCEPT;
TOLLGATE_API TOLLGATE_MUST_USE uint32_t
tollgate_mcp_filter_events(tollgate_mcp_filter* filter, tollgate_string piece, tollgate_mcp_keep keep,
                           void* user, tollgate_string* filtered) TOLLGATE_NOEXCEPT;

// ---- What clients are told of a refusal

// tollgate_challenge writes the value of WWW-Authenticate for a request that was denied, empty where there is
// to be none (8): Challenge, with what Engine::ScopesFor and AcrValuesFor say of the request. `metadata_url`
// may be empty.
TOLLGATE_API size_t tollgate_challenge(const tollgate_engine* engine, const tollgate_request* request,
                                       const tollgate_decision* decision, tollgate_string metadata_url,
                                       char* buffer, size_t capacity) TOLLGATE_NOEXCEPT;

// tollgate_metadata_url writes where a resource's metadata is to be served, empty for what is no URL of a
// resource (8): ResourceMetadataUrl.
TOLLGATE_API size_t tollgate_metadata_url(tollgate_string resource, char* buffer,
                                          size_t capacity) TOLLGATE_NOEXCEPT;

typedef struct tollgate_metadata {
  size_t struct_size;
  tollgate_string resource;
  tollgate_list authorization_servers;
  tollgate_string scopes_supported;  // Words (4).
  tollgate_string resource_name;
  tollgate_string resource_documentation;
} tollgate_metadata;

// tollgate_metadata_json writes that metadata (8): ResourceMetadataJson.
TOLLGATE_API size_t tollgate_metadata_json(const tollgate_metadata* metadata, char* buffer,
                                           size_t capacity) TOLLGATE_NOEXCEPT;

#ifdef __cplusplus
}
#endif
