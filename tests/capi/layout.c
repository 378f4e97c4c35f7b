/* Where the members of each struct of the C ABI lie, on machines of 64 bits. A struct may grow at its end:
 * then its size changes here, and nothing else. */

#include <stdalign.h>
#include <stddef.h>

#include "tollgate/c/mcp.h"
#include "tollgate/c/policy_file.h"
#include "tollgate/c/tollgate.h"

#define AT(type, member, offset) \
  _Static_assert(offsetof(type, member) == (offset), #type "." #member " has moved")
#define SIZE(type, size) _Static_assert(sizeof(type) == (size), #type " has another size")

_Static_assert(sizeof(void*) == 8 && alignof(int64_t) == 8, "this test is for 64 bits");

AT(tollgate_string, data, 0);
AT(tollgate_string, size, 8);
SIZE(tollgate_string, 16);
AT(tollgate_list, data, 0);
AT(tollgate_list, size, 8);
SIZE(tollgate_list, 16);
AT(tollgate_error, struct_size, 0);
AT(tollgate_error, message, 8);
SIZE(tollgate_error, 512);

AT(tollgate_rule, struct_size, 0);
AT(tollgate_rule, name, 8);
AT(tollgate_rule, scopes, 24);
AT(tollgate_rule, sensitivity, 40);
AT(tollgate_rule, server, 56);
AT(tollgate_rule, object, 72);
AT(tollgate_rule, any_valid_token, 76);
SIZE(tollgate_rule, 80);

AT(tollgate_issuer, struct_size, 0);
AT(tollgate_issuer, issuer, 8);
AT(tollgate_issuer, jwks, 24);
AT(tollgate_issuer, jwks_uri, 40);
AT(tollgate_issuer, jwks_file, 56);
AT(tollgate_issuer, signed_jwks_uri, 72);
AT(tollgate_issuer, signed_jwks_keys, 88);
AT(tollgate_issuer, tenants, 104);
AT(tollgate_issuer, discovery_hosts, 120);
AT(tollgate_issuer, algorithms, 136);
AT(tollgate_issuer, profile, 152);
AT(tollgate_issuer, introspection_endpoint, 168);
AT(tollgate_issuer, client_id, 184);
AT(tollgate_issuer, client_secret, 200);
AT(tollgate_issuer, leeway_s, 216);
AT(tollgate_issuer, token_age_max_s, 224);
AT(tollgate_issuer, token_lifetime_max_s, 232);
AT(tollgate_issuer, discovery, 240);
AT(tollgate_issuer, private_network, 244);
AT(tollgate_issuer, scope_wildcards, 248);
AT(tollgate_issuer, introspection_discovery, 252);
SIZE(tollgate_issuer, 256);

AT(tollgate_resource, struct_size, 0);
AT(tollgate_resource, uri, 8);
AT(tollgate_resource, audiences, 24);
AT(tollgate_resource, issuers, 40);
AT(tollgate_resource, opaque_token_issuer, 56);
SIZE(tollgate_resource, 72);

AT(tollgate_options, struct_size, 0);
AT(tollgate_options, snapshot_path, 8);
AT(tollgate_options, snapshot_key, 24);
AT(tollgate_options, snapshot_key_file, 40);
AT(tollgate_options, audit_file, 56);
AT(tollgate_options, audit_write, 72);
AT(tollgate_options, audit_user, 80);
AT(tollgate_options, audit_key, 88);
AT(tollgate_options, ca_file, 104);
AT(tollgate_options, read_clock, 120);
AT(tollgate_options, clock_user, 128);
AT(tollgate_options, refresh_min_ms, 136);
AT(tollgate_options, refresh_max_ms, 144);
AT(tollgate_options, cooldown_ms, 152);
AT(tollgate_options, staleness_bound_ms, 160);
AT(tollgate_options, backoff_min_ms, 168);
AT(tollgate_options, backoff_cap_ms, 176);
AT(tollgate_options, fetch_timeout_ms, 184);
AT(tollgate_options, file_interval_ms, 192);
AT(tollgate_options, verdict_age_max_ms, 200);
AT(tollgate_options, verdict_cache_bytes, 208);
AT(tollgate_options, verifications_in_flight_max, 216);
AT(tollgate_options, in_vain_percent_max, 224);
AT(tollgate_options, no_thread, 232);
AT(tollgate_options, dangerous_allow_http_on_loopback, 236);
AT(tollgate_options, wanted, 240);
AT(tollgate_options, wanted_user, 248);
AT(tollgate_options, snapshot_shared, 256);
AT(tollgate_options, reserved, 260);
SIZE(tollgate_options, 264);

AT(tollgate_request, struct_size, 0);
AT(tollgate_request, authorization, 8);
AT(tollgate_request, tool, 24);
AT(tollgate_request, traceparent, 40);
AT(tollgate_request, num_credentials, 56);
AT(tollgate_request, resource, 64);
AT(tollgate_request, object, 68);
SIZE(tollgate_request, 72);

AT(tollgate_decision, struct_size, 0);
AT(tollgate_decision, verdict, 8);
AT(tollgate_decision, freshness, 9);
AT(tollgate_decision, category, 10);
AT(tollgate_decision, from_cache, 11);
AT(tollgate_decision, was_cached, 12);
AT(tollgate_decision, introspected, 13);
AT(tollgate_decision, http_status, 14);
AT(tollgate_decision, reason, 16);
AT(tollgate_decision, retry_after_s, 20);
AT(tollgate_decision, issuer, 24);
AT(tollgate_decision, introspection_age_ms, 28);
AT(tollgate_decision, valid_until_s, 32);
AT(tollgate_decision, evidence_actual, 40);
AT(tollgate_decision, evidence_bound, 48);
AT(tollgate_decision, keys_age_ms, 56);
SIZE(tollgate_decision, 64);

AT(tollgate_caller, struct_size, 0);
AT(tollgate_caller, issuer, 8);
AT(tollgate_caller, subject, 24);
AT(tollgate_caller, client_id, 40);
AT(tollgate_caller, jwt_id, 56);
AT(tollgate_caller, scope, 72);
AT(tollgate_caller, roles, 88);
AT(tollgate_caller, actors, 104);
AT(tollgate_caller, kind, 120);
AT(tollgate_caller, reserved, 124);
SIZE(tollgate_caller, 128);

AT(tollgate_metrics, struct_size, 0);
AT(tollgate_metrics, checks, 8);
AT(tollgate_metrics, allowed, 16);
AT(tollgate_metrics, denied, 24);
AT(tollgate_metrics, unavailable, 32);
AT(tollgate_metrics, cache_hits, 40);
AT(tollgate_metrics, signature_verifications, 48);
AT(tollgate_metrics, verifications_in_vain, 56);
AT(tollgate_metrics, refused_in_flight, 64);
AT(tollgate_metrics, refused_in_vain, 72);
AT(tollgate_metrics, cache_inserts, 80);
AT(tollgate_metrics, cache_evictions, 88);
AT(tollgate_metrics, not_cached_too_long, 96);
AT(tollgate_metrics, not_cached_over_share, 104);
AT(tollgate_metrics, grant_sets_full, 112);
AT(tollgate_metrics, rechecks, 120);
AT(tollgate_metrics, introspection_fallbacks, 128);
AT(tollgate_metrics, audit_written, 136);
AT(tollgate_metrics, audit_lost, 144);
AT(tollgate_metrics, audit_sampled_out, 152);
AT(tollgate_metrics, audit_sink_failures, 160);
AT(tollgate_metrics, issuers, 168);
AT(tollgate_metrics, issuers_max, 176);
AT(tollgate_metrics, issuers_fresh, 184);
AT(tollgate_metrics, issuers_stale, 192);
AT(tollgate_metrics, issuers_degraded, 200);
AT(tollgate_metrics, issuers_unavailable, 208);
AT(tollgate_metrics, issuer_keys, 216);
AT(tollgate_metrics, issuer_bytes, 224);
SIZE(tollgate_metrics, 232);

AT(tollgate_mcp_options, struct_size, 0);
AT(tollgate_mcp_options, body_bytes_max, 8);
AT(tollgate_mcp_options, depth_max, 16);
AT(tollgate_mcp_options, calls_max, 24);
AT(tollgate_mcp_options, versions, 32);
SIZE(tollgate_mcp_options, 48);

AT(tollgate_mcp_headers, struct_size, 0);
AT(tollgate_mcp_headers, protocol_version, 8);
AT(tollgate_mcp_headers, method, 24);
AT(tollgate_mcp_headers, name, 40);
AT(tollgate_mcp_headers, content_type, 56);
AT(tollgate_mcp_headers, content_encoding, 72);
AT(tollgate_mcp_headers, num_repeated, 88);
SIZE(tollgate_mcp_headers, 96);

AT(tollgate_mcp_message, struct_size, 0);
AT(tollgate_mcp_message, http_status, 8);
AT(tollgate_mcp_message, reason, 12);
AT(tollgate_mcp_message, num_calls, 16);
AT(tollgate_mcp_message, version, 24);
SIZE(tollgate_mcp_message, 40);

AT(tollgate_mcp_call, struct_size, 0);
AT(tollgate_mcp_call, tool, 8);
AT(tollgate_mcp_call, method, 24);
AT(tollgate_mcp_call, object, 40);
AT(tollgate_mcp_call, reserved, 44);
SIZE(tollgate_mcp_call, 48);

AT(tollgate_metadata, struct_size, 0);
AT(tollgate_metadata, resource, 8);
AT(tollgate_metadata, authorization_servers, 24);
AT(tollgate_metadata, scopes_supported, 40);
AT(tollgate_metadata, resource_name, 56);
AT(tollgate_metadata, resource_documentation, 72);
SIZE(tollgate_metadata, 88);

/* The values that structs hold. */
_Static_assert(TOLLGATE_OK == 0 && TOLLGATE_INVALID_ARGUMENT == 1 && TOLLGATE_RESOURCE_EXHAUSTED == 2 &&
                   TOLLGATE_OUT_OF_MEMORY == 3 && TOLLGATE_INTERNAL == 4,
               "a status has another number");
_Static_assert(TOLLGATE_TOOL == 0 && TOLLGATE_METHOD == 1 && TOLLGATE_PROMPT == 2 && TOLLGATE_RESOURCE == 3,
               "an object has another number");
_Static_assert(TOLLGATE_REVOKE_TOKEN == 0 && TOLLGATE_REVOKE_SUBJECT == 1 && TOLLGATE_REVOKE_KEY == 2,
               "what is revoked has another number");
_Static_assert(TOLLGATE_DENY == 0 && TOLLGATE_ALLOW == 1 && TOLLGATE_UNAVAILABLE == 2,
               "a verdict has another number");

/* A translation unit has a declaration that is none of the compiler's alone. */
extern const int tollgate_layout_holds;
const int tollgate_layout_holds = 1;
