#pragma once

#include "base/c_abi.h"
#include "tollgate/c/mcp.h"
#include "tollgate/c/tollgate.h"

// The last member of each struct in its first version. Members that come later change nothing here.
namespace tollgate::c_abi {

template <>
inline constexpr size_t kFirstBytes<tollgate_rule> = TOLLGATE_END_OF(tollgate_rule, any_valid_token);
template <>
inline constexpr size_t kFirstBytes<tollgate_issuer> = TOLLGATE_END_OF(tollgate_issuer,
                                                                       introspection_discovery);
template <>
inline constexpr size_t kFirstBytes<tollgate_resource> = TOLLGATE_END_OF(tollgate_resource,
                                                                         opaque_token_issuer);
template <>
inline constexpr size_t kFirstBytes<tollgate_options> = TOLLGATE_END_OF(tollgate_options,
                                                                        dangerous_allow_http_on_loopback);
template <>
inline constexpr size_t kFirstBytes<tollgate_request> = TOLLGATE_END_OF(tollgate_request, object);
template <>
inline constexpr size_t kFirstBytes<tollgate_decision> = TOLLGATE_END_OF(tollgate_decision, keys_age_ms);
template <>
inline constexpr size_t kFirstBytes<tollgate_caller> = TOLLGATE_END_OF(tollgate_caller, reserved);
template <>
inline constexpr size_t kFirstBytes<tollgate_metrics> = TOLLGATE_END_OF(tollgate_metrics, issuer_bytes);
template <>
inline constexpr size_t kFirstBytes<tollgate_mcp_options> = TOLLGATE_END_OF(tollgate_mcp_options, versions);
template <>
inline constexpr size_t kFirstBytes<tollgate_mcp_headers> = TOLLGATE_END_OF(tollgate_mcp_headers,
                                                                            num_repeated);
template <>
inline constexpr size_t kFirstBytes<tollgate_mcp_message> = TOLLGATE_END_OF(tollgate_mcp_message, version);
template <>
inline constexpr size_t kFirstBytes<tollgate_mcp_call> = TOLLGATE_END_OF(tollgate_mcp_call, reserved);
template <>
inline constexpr size_t kFirstBytes<tollgate_metadata> = TOLLGATE_END_OF(tollgate_metadata,
                                                                         resource_documentation);

}  // namespace tollgate::c_abi
