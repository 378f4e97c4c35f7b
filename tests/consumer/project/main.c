/* The installed headers and libraries, from C11 alone: a genuine token is allowed, and its forgery is not. */
#include <stdio.h>
#include <string.h>
#include <tollgate/c/mcp.h>
#include <tollgate/c/tollgate.h>

#include "one_token.h"

static void read_clock(void* user, int64_t* wall_s, int64_t* mono_ms) {
  (void)user;
  *wall_s = kNow;
  *mono_ms = 1000;
}

static const char* reason_for(tollgate_engine* engine, const char* authorization) {
  tollgate_request request = {.struct_size = sizeof request,
                              .authorization = tollgate_str(authorization),
                              .tool = tollgate_str("read_file")};
  tollgate_decision decision = {.struct_size = sizeof decision};
  return tollgate_check(engine, &request, &decision, NULL) == TOLLGATE_OK
             ? tollgate_reason_name(decision.reason)
             : "?";
}

int main(void) {
  tollgate_error error = {.struct_size = sizeof error};
  tollgate_rule rule = {
      .struct_size = sizeof rule, .name = tollgate_str("read_file"), .scopes = tollgate_str("files:read")};
  tollgate_issuer issuer = {.struct_size = sizeof issuer,
                            .issuer = tollgate_str("https://idp.example"),
                            .jwks = tollgate_str(kJwks)};
  tollgate_resource resource = {.struct_size = sizeof resource,
                                .uri = tollgate_str("https://mcp.example/mcp")};
  tollgate_options options = {.struct_size = sizeof options, .read_clock = read_clock};
  tollgate_policy* policy = tollgate_policy_new();
  tollgate_config* config = tollgate_config_new();
  tollgate_engine* engine = NULL;
  char forged[sizeof kBearer], url[128];
  const char *genuine_reason = "?", *forged_reason = "?";

  if (tollgate_policy_add_rule(policy, &rule, &error) != TOLLGATE_OK ||
      tollgate_config_add_issuer(config, &issuer, &error) != TOLLGATE_OK ||
      tollgate_config_add_resource(config, &resource, &error) != TOLLGATE_OK ||
      tollgate_config_set_policy(config, policy, &error) != TOLLGATE_OK ||
      tollgate_config_set_options(config, &options, &error) != TOLLGATE_OK ||
      tollgate_engine_create(config, &engine, &error) != TOLLGATE_OK) {
    printf("no engine: %s\n", error.message);
    return 1;
  }
  tollgate_policy_free(policy);
  tollgate_config_free(config);
  memcpy(forged, kBearer, sizeof kBearer);
  forged[sizeof forged - 11] ^= 1;
  genuine_reason = reason_for(engine, kBearer);
  forged_reason = reason_for(engine, forged);
  tollgate_engine_destroy(engine);
  if (tollgate_metadata_url(resource.uri, url, sizeof url) >= sizeof url) return 1;
  printf("tollgate %s from C: genuine: %s, forged: %s\n%s\n", tollgate_version(), genuine_reason,
         forged_reason, url);
  return strcmp(genuine_reason, "none") == 0 && strcmp(forged_reason, "bad_signature") == 0 ? 0 : 1;
}
