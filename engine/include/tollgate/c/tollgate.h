#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "tollgate/export.h"

// The engine for C11, and for whatever calls C; c/mcp.h has the rest of the C ABI, docs/embedding.md an
// example. Where a comment here is silent, that of the C++ name counts: tollgate/engine.h, config.h,
// decision.h.
//
// Conventions, by whose numbers comments refer to them:
//  1. Ownership. What a function whose name ends in _new or _create has made, the one that ends in _free or
//     _destroy ends; NULL is nothing to it. Nothing else is ever freed by the caller. Arguments are read
//     during the call and never kept, but for callbacks and the pointers that go with them.
//  2. Threads. An engine is for any number of threads. Of every other handle one thread at a time may use
//     functions that change it. The last call of a handle has returned before it is freed.
//  3. Errors. A tollgate_status other than TOLLGATE_OK means that nothing has been done. Where there is an
//     `error`, which may be NULL, its message is then one line, and names the setting; otherwise it is empty.
//     All other pointers must not be NULL, unless the comment says so: TOLLGATE_INVALID_ARGUMENT. Where
//     memory runs out inside of an engine, or while a policy is examined, the process ends, as in C++
//     (docs/conventions.md).
//  4. Strings are a pointer and a length, in UTF-8; data may be NULL if size is 0. Lists of words, such as
//     scopes, are one string, separated by spaces (RFC 6749 section 3.3). What is returned as const char* has
//     a NUL at its end and lives for ever.
//  5. Structs begin with struct_size, which the caller sets to their sizeof: so they may grow at their end.
//     What an older caller does not have yet is zero; what a newer caller has and the library does not know
//     must be zero, else TOLLGATE_INVALID_ARGUMENT. Zero is the default of every member: write
//     `tollgate_request request = {.struct_size = sizeof request}`. They have no padding.
//  6. Enumerators are the values of integers of a fixed width. Flags are 0 or 1. The numbers of reasons are
//     those of tollgate/reason.h.
//  7. Numbers of a configuration: 0 is the default of config.h, −1 stands for the 0 of config.h.
//  8. Texts are written to a buffer of the caller's, with a NUL, and the return value is their length without
//     it. One that does not fit is not written, not even a part of it: the buffer then has an empty string,
//     and the return value is not less than the capacity. So is TOLLGATE_FAILED, on a failure. The buffer may
//     be NULL if its capacity is 0.
//  9. Callbacks return: they do not throw, longjmp or end their thread. What they are given lives until then.
// 10. Processes. An engine belongs to the process that made it: create it after fork, in each child. The
//     library is never unloaded.
// No exception and no C++ type crosses this interface. No function may be cancelled (pthread_cancel).
#ifdef __cplusplus
#define TOLLGATE_NOEXCEPT noexcept
extern "C" {
#else
#define TOLLGATE_NOEXCEPT
#endif
// What must not be forgotten: for want of it everything would be allowed.
#define TOLLGATE_MUST_USE __attribute__((warn_unused_result))

typedef int32_t tollgate_status;
enum {
  TOLLGATE_OK = 0,
  TOLLGATE_INVALID_ARGUMENT = 1,    // NULL (3), a struct's size (5), or a setting that is refused.
  TOLLGATE_RESOURCE_EXHAUSTED = 2,  // A bound was reached.
  TOLLGATE_OUT_OF_MEMORY = 3,       // Not from inside of an engine (3).
  TOLLGATE_INTERNAL = 4,            // Whatever else.
};

#define TOLLGATE_FAILED SIZE_MAX

typedef struct tollgate_string {
  const char* data;
  size_t size;
} tollgate_string;

typedef struct tollgate_list {
  const tollgate_string* data;
  size_t size;
} tollgate_list;

// tollgate_str returns a string without its NUL; empty for NULL.
static inline tollgate_string tollgate_str(const char* text) {
  tollgate_string string = {text, text ? strlen(text) : 0};
  return string;
}

// An error message, cut if it does not fit. Nothing is written where struct_size is not
// sizeof(tollgate_error).
typedef struct tollgate_error {
  size_t struct_size;
  char message[504];
} tollgate_error;

typedef struct tollgate_policy tollgate_policy;
typedef struct tollgate_config tollgate_config;
typedef struct tollgate_engine tollgate_engine;
typedef struct tollgate_principal tollgate_principal;

// What a caller uses, or a rule is about.
enum { TOLLGATE_TOOL = 0, TOLLGATE_METHOD = 1, TOLLGATE_PROMPT = 2, TOLLGATE_RESOURCE = 3 };

// ---- Policies: tollgate/policy.h. From a YAML file, which can say more: c/policy_file.h.

typedef struct tollgate_rule {
  size_t struct_size;
  tollgate_string name;
  tollgate_string scopes;       // Words (4); all are needed.
  tollgate_string sensitivity;  // "read", which is the default, "write" or "privileged".
  tollgate_string server;       // Empty: all.
  uint32_t object;              // TOLLGATE_TOOL …
  uint32_t any_valid_token;     // A flag; no scope is needed then.
} tollgate_rule;

// tollgate_policy_new returns an empty policy, NULL for want of memory.
TOLLGATE_API tollgate_policy* tollgate_policy_new(void) TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_policy_free(tollgate_policy* policy) TOLLGATE_NOEXCEPT;

// tollgate_policy_add_rule adds a rule. Whether it is good is found out when the policy is used.
TOLLGATE_API tollgate_status tollgate_policy_add_rule(tollgate_policy* policy, const tollgate_rule* rule,
                                                      tollgate_error* error) TOLLGATE_NOEXCEPT;

// tollgate_policy_add_protocol lets everybody with a good token use the methods by which MCP itself works:
// PolicyBuilder::AddProtocol. `server` as in a rule.
TOLLGATE_API tollgate_status tollgate_policy_add_protocol(tollgate_policy* policy, tollgate_string server,
                                                          tollgate_error* error) TOLLGATE_NOEXCEPT;

// ---- Configurations: tollgate/config.h, engine.h (Environment), audit.h.

typedef struct tollgate_issuer {
  size_t struct_size;
  tollgate_string issuer;
  tollgate_string jwks;  // Of these, and `discovery`, exactly one.
  tollgate_string jwks_uri;
  tollgate_string jwks_file;
  tollgate_string signed_jwks_uri;
  tollgate_string signed_jwks_keys;
  tollgate_list tenants;
  tollgate_list discovery_hosts;
  tollgate_string algorithms;              // Words (4): "ES256 RS256"; empty: all.
  tollgate_string profile;                 // Profile::ByName; empty: "rfc9068".
  tollgate_string introspection_endpoint;  // IntrospectionConfig, with client_secret_basic.
  tollgate_string client_id;
  tollgate_string client_secret;
  int64_t leeway_s;
  int64_t token_age_max_s;
  int64_t token_lifetime_max_s;
  uint32_t discovery;  // Flags, all of these.
  uint32_t private_network;
  uint32_t scope_wildcards;
  uint32_t introspection_discovery;
} tollgate_issuer;

typedef struct tollgate_resource {
  size_t struct_size;
  tollgate_string uri;
  tollgate_list audiences;
  tollgate_list issuers;
  tollgate_string opaque_token_issuer;
} tollgate_resource;

// tollgate_audit_write takes lines away, as AuditSink::Write: 0, or it comes with the same lines again. On
// the background thread.
typedef int32_t (*tollgate_audit_write)(void* user, const tollgate_string* lines, size_t num_lines);

// tollgate_read_clock reads both clocks, as Clock::Read, for a host that has the time at hand. On any thread.
typedef void (*tollgate_read_clock)(void* user, int64_t* wall_s, int64_t* mono_ms);

// tollgate_wanted is told that keys of an issuer are waited for: Environment::on_wanted. On the background
// thread, and in tollgate_engine_create.
typedef void (*tollgate_wanted)(void* user, tollgate_string issuer);

typedef struct tollgate_options {
  size_t struct_size;
  tollgate_string snapshot_path;  // SnapshotConfig. One engine, one file; but see snapshot_shared.
  tollgate_string snapshot_key;
  tollgate_string snapshot_key_file;
  tollgate_string audit_file;        // AuditFileSink; one engine, one file. Either this,
  tollgate_audit_write audit_write;  // or this; or nothing is recorded.
  void* audit_user;
  tollgate_string audit_key;
  tollgate_string ca_file;
  tollgate_read_clock read_clock;  // NULL: the system's clocks.
  void* clock_user;
  // Timing.
  int64_t refresh_min_ms;
  int64_t refresh_max_ms;
  int64_t cooldown_ms;
  int64_t staleness_bound_ms;
  int64_t backoff_min_ms;
  int64_t backoff_cap_ms;
  int64_t fetch_timeout_ms;
  int64_t file_interval_ms;
  int64_t verdict_age_max_ms;
  int64_t verdict_cache_bytes;
  int64_t verifications_in_flight_max;  // VerificationLimits.
  int64_t in_vain_percent_max;
  uint32_t no_thread;  // A flag: the host calls tollgate_run_background.
  uint32_t dangerous_allow_http_on_loopback;
  tollgate_wanted wanted;
  void* wanted_user;
  uint32_t snapshot_shared;  // A flag: SnapshotConfig::shared; several engines, one file.
  uint32_t reserved;
} tollgate_options;

// tollgate_config_new returns a configuration without issuers and resources, NULL for want of memory. Any
// number of engines can be made from one.
TOLLGATE_API tollgate_config* tollgate_config_new(void) TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_config_free(tollgate_config* config) TOLLGATE_NOEXCEPT;

// tollgate_config_add_issuer and _add_resource add one. Requests name resources by their position, from 0, in
// the order in which they were added.
TOLLGATE_API tollgate_status tollgate_config_add_issuer(tollgate_config* config,
                                                        const tollgate_issuer* issuer,
                                                        tollgate_error* error) TOLLGATE_NOEXCEPT;
TOLLGATE_API tollgate_status tollgate_config_add_resource(tollgate_config* config,
                                                          const tollgate_resource* resource,
                                                          tollgate_error* error) TOLLGATE_NOEXCEPT;

// tollgate_config_set_policy sets the policy to what `policy` is now, or says what is wrong with that.
TOLLGATE_API tollgate_status tollgate_config_set_policy(tollgate_config* config,
                                                        const tollgate_policy* policy,
                                                        tollgate_error* error) TOLLGATE_NOEXCEPT;

// tollgate_config_set_options sets everything else, all of it at once.
TOLLGATE_API tollgate_status tollgate_config_set_options(tollgate_config* config,
                                                         const tollgate_options* options,
                                                         tollgate_error* error) TOLLGATE_NOEXCEPT;

// ---- Engines

// tollgate_engine_create makes an engine (10): Engine::Create. *engine is NULL on failure. What the
// configuration's callbacks need must outlive the engine.
TOLLGATE_API tollgate_status tollgate_engine_create(const tollgate_config* config, tollgate_engine** engine,
                                                    tollgate_error* error) TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_engine_destroy(tollgate_engine* engine) TOLLGATE_NOEXCEPT;

typedef struct tollgate_request {
  size_t struct_size;
  tollgate_string authorization;  // The field's value, as received; empty: there was none.
  tollgate_string tool;           // What is to be used, by its name in the policy.
  tollgate_string traceparent;
  size_t num_credentials;  // How many Authorization fields there were; 0 is as good as 1.
  uint32_t resource;       // By its position in the configuration.
  uint32_t object;         // What `tool` names: TOLLGATE_TOOL …
} tollgate_request;

// Verdicts. What nobody has filled in is a denial.
enum { TOLLGATE_DENY = 0, TOLLGATE_ALLOW = 1, TOLLGATE_UNAVAILABLE = 2 };

// Freshness.
enum { TOLLGATE_FRESH = 0, TOLLGATE_STALE = 1, TOLLGATE_DEGRADED = 2, TOLLGATE_KEYS_UNAVAILABLE = 3 };

// Categories: what is to be done about a reason.
enum {
  TOLLGATE_ALLOWED = 0,
  TOLLGATE_AUTHENTICATE = 1,
  TOLLGATE_REAUTHENTICATE = 2,
  TOLLGATE_AUTHENTICATE_STRONGER = 3,
  TOLLGATE_STEP_UP = 4,
  TOLLGATE_FORBIDDEN = 5,
  TOLLGATE_FIX_REQUEST = 6,
  TOLLGATE_RETRY_LATER = 7,
};

typedef struct tollgate_decision {
  size_t struct_size;
  uint8_t verdict;    // TOLLGATE_DENY …
  uint8_t freshness;  // TOLLGATE_FRESH …
  uint8_t category;   // TOLLGATE_ALLOWED …
  uint8_t from_cache;
  uint8_t was_cached;
  uint8_t introspected;
  uint16_t http_status;    // 200, 400, 401, 403 or 503.
  uint32_t reason;         // 0: none; see tollgate_reason_name.
  uint32_t retry_after_s;  // Unavailable: at least 1.
  uint32_t issuer;         // UINT32_MAX: not known.
  uint32_t introspection_age_ms;
  int64_t valid_until_s;
  int64_t evidence_actual;
  int64_t evidence_bound;
  int64_t keys_age_ms;
} tollgate_decision;

// Who is calling: tollgate/principal.h.
enum { TOLLGATE_USER = 0, TOLLGATE_SERVICE = 1, TOLLGATE_AGENT = 2 };
typedef struct tollgate_caller {
  size_t struct_size;
  tollgate_string issuer;
  tollgate_string subject;
  tollgate_string client_id;
  tollgate_string jwt_id;
  tollgate_string scope;   // Words (4).
  tollgate_string roles;   // Words (4).
  tollgate_string actors;  // One a line.
  uint32_t kind;           // TOLLGATE_USER …
  uint32_t reserved;
} tollgate_caller;

// tollgate_principal_new returns a place for who is calling, to be used again and again; NULL for want of
// memory.
TOLLGATE_API tollgate_principal* tollgate_principal_new(void) TOLLGATE_NOEXCEPT;
TOLLGATE_API void tollgate_principal_free(tollgate_principal* principal) TOLLGATE_NOEXCEPT;

// tollgate_principal_read says what is in it: valid until the next check with it.
TOLLGATE_API tollgate_status tollgate_principal_read(const tollgate_principal* principal,
                                                     tollgate_caller* caller) TOLLGATE_NOEXCEPT;

// tollgate_check decides a request: Engine::Check, which never waits. `principal` may be NULL. On failure the
// decision, if it can be written, is no allow.
TOLLGATE_API tollgate_status tollgate_check(tollgate_engine* engine, const tollgate_request* request,
                                            tollgate_decision* decision,
                                            tollgate_principal* principal) TOLLGATE_NOEXCEPT;

// tollgate_check_within waits, up to `wait_max_ms`, for keys and answers that are on their way:
// Engine::CheckWithin. Not from the thread that calls tollgate_run_background.
TOLLGATE_API tollgate_status tollgate_check_within(tollgate_engine* engine, int64_t wait_max_ms,
                                                   const tollgate_request* request,
                                                   tollgate_decision* decision,
                                                   tollgate_principal* principal) TOLLGATE_NOEXCEPT;

// tollgate_check_batch decides requests[i] into decisions[i]: Engine::CheckBatch. All structs of an array
// have the same struct_size. On failure all decisions, if the first can be written, are denials.
TOLLGATE_API tollgate_status tollgate_check_batch(tollgate_engine* engine, const tollgate_request* requests,
                                                  tollgate_decision* decisions, size_t num) TOLLGATE_NOEXCEPT;

// tollgate_check_async decides as tollgate_check_within, but calls `done` instead of waiting:
// Engine::CheckAsync. Exactly once if TOLLGATE_OK is returned, never otherwise. The structs that `done` is
// given have the library's struct_size.
typedef void (*tollgate_done)(void* user, const tollgate_decision* decision, const tollgate_caller* caller);
TOLLGATE_API tollgate_status tollgate_check_async(tollgate_engine* engine, int64_t wait_max_ms,
                                                  const tollgate_request* request, tollgate_done done,
                                                  void* user) TOLLGATE_NOEXCEPT;

// tollgate_may_use returns 1 if tollgate_check would allow it, else 0: Engine::MayUse. For filters of lists.
TOLLGATE_API uint32_t tollgate_may_use(tollgate_engine* engine,
                                       const tollgate_request* request) TOLLGATE_NOEXCEPT;

// tollgate_run_background does what is due, where no_thread is set: Engine::RunBackground. *next_ms is how
// long from now nothing will be due unless the network stirs; it may be NULL.
TOLLGATE_API tollgate_status tollgate_run_background(tollgate_engine* engine, int64_t wait_max_ms,
                                                     int64_t* next_ms) TOLLGATE_NOEXCEPT;

// tollgate_refresh has an issuer's keys fetched anew, through the gate: Engine::Refresh.
// tollgate_engine_step_down leaves that to the other engines that share the snapshot: Engine::StepDown.
TOLLGATE_API tollgate_status tollgate_refresh(tollgate_engine* engine, tollgate_string issuer,
                                              tollgate_error* error) TOLLGATE_NOEXCEPT;
TOLLGATE_API tollgate_status tollgate_engine_step_down(tollgate_engine* engine) TOLLGATE_NOEXCEPT;

// tollgate_set_policy replaces the policy: Engine::SetPolicy.
TOLLGATE_API tollgate_status tollgate_set_policy(tollgate_engine* engine, const tollgate_policy* policy,
                                                 tollgate_error* error) TOLLGATE_NOEXCEPT;

// tollgate_revoke has what it names denied until `until_wall_s`: Engine::RevokeToken, by its jti, and so on.
enum { TOLLGATE_REVOKE_TOKEN = 0, TOLLGATE_REVOKE_SUBJECT = 1, TOLLGATE_REVOKE_KEY = 2 };
TOLLGATE_API tollgate_status tollgate_revoke(tollgate_engine* engine, uint32_t what, tollgate_string issuer,
                                             tollgate_string name, int64_t until_wall_s,
                                             tollgate_error* error) TOLLGATE_NOEXCEPT;

// Counters: tollgate/metrics.h.
typedef struct tollgate_metrics {
  size_t struct_size;
  uint64_t checks;
  uint64_t allowed;
  uint64_t denied;
  uint64_t unavailable;
  uint64_t cache_hits;
  uint64_t signature_verifications;
  uint64_t verifications_in_vain;
  uint64_t refused_in_flight;
  uint64_t refused_in_vain;
  uint64_t cache_inserts;
  uint64_t cache_evictions;
  uint64_t not_cached_too_long;
  uint64_t not_cached_over_share;
  uint64_t grant_sets_full;
  uint64_t rechecks;
  uint64_t introspection_fallbacks;
  uint64_t audit_written;
  uint64_t audit_lost;
  uint64_t audit_sampled_out;
  uint64_t audit_sink_failures;
  uint64_t issuers;
  uint64_t issuers_max;
  uint64_t issuers_fresh;
  uint64_t issuers_stale;
  uint64_t issuers_degraded;
  uint64_t issuers_unavailable;
  uint64_t issuer_keys;
  uint64_t issuer_bytes;
} tollgate_metrics;
TOLLGATE_API tollgate_status tollgate_read_metrics(const tollgate_engine* engine,
                                                   tollgate_metrics* metrics) TOLLGATE_NOEXCEPT;

// tollgate_read_health writes the state of each issuer's keys, of the snapshot and of the audit log as a JSON
// object (8): the members of IssuerHealth and SnapshotHealth by their names, and those that come later.
TOLLGATE_API size_t tollgate_read_health(const tollgate_engine* engine, char* buffer,
                                         size_t capacity) TOLLGATE_NOEXCEPT;

// tollgate_reason_name, "expired", and tollgate_reason_text, a sentence for people: tollgate/reason.h.
TOLLGATE_API const char* tollgate_reason_name(uint32_t reason) TOLLGATE_NOEXCEPT;
TOLLGATE_API const char* tollgate_reason_text(uint32_t reason) TOLLGATE_NOEXCEPT;

// tollgate_version returns the version of the library, such as "0.1.0".
TOLLGATE_API const char* tollgate_version(void) TOLLGATE_NOEXCEPT;

#ifdef __cplusplus
}
#endif
