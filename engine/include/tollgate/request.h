#pragma once

#include <cstdint>
#include <string_view>

#include "tollgate/mcp_object.h"

namespace tollgate {

// ResourceId names one protected resource (RFC 8707, RFC 9728) of the configuration: its position in
// Config::resources. Engine::FindResource looks one up by URI.
enum class ResourceId : uint32_t {};

// Request is what the engine needs to know of one call. The views need to live until Check returns; nothing
// is kept.
struct Request {
  // The value of the Authorization header field, as received and without the field's name; empty if there was
  // none. An embedder that received several such fields sets `num_credentials` to their number.
  std::string_view authorization{};
  // What is to be used, by its name in the policy: most often a tool. Of a resource, its URI.
  std::string_view tool{};
  // The resource at which the request arrived: the token's audience must contain it.
  ResourceId resource{0};
  uint32_t num_credentials = 1;
  McpObject object = McpObject::kTool;  // What `tool` names.
  // The `traceparent` header field (W3C Trace Context), for the audit log.
  std::string_view traceparent{};
};

}  // namespace tollgate
