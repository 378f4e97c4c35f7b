#include <stdio.h>

#include "tollgate/c/mcp.h"
#include "tollgate/c/tollgate.h"

tollgate_engine* make_engine(const char* jwks) {
  tollgate_error error = {.struct_size = sizeof error};
  tollgate_rule rule = {
      .struct_size = sizeof rule, .name = tollgate_str("search"), .scopes = tollgate_str("files:read")};
  tollgate_issuer issuer = {.struct_size = sizeof issuer,
                            .issuer = tollgate_str("https://idp.example"),
                            .jwks = tollgate_str(jwks)}; /* Or .discovery = 1. */
  tollgate_resource resource = {.struct_size = sizeof resource,
                                .uri = tollgate_str("https://mcp.example/mcp")};
  tollgate_policy* policy = tollgate_policy_new();
  tollgate_config* config = tollgate_config_new();
  tollgate_engine* engine = NULL;
  if (tollgate_policy_add_rule(policy, &rule, &error) != TOLLGATE_OK ||
      tollgate_config_add_issuer(config, &issuer, &error) != TOLLGATE_OK ||
      tollgate_config_add_resource(config, &resource, &error) != TOLLGATE_OK ||
      tollgate_config_set_policy(config, policy, &error) != TOLLGATE_OK ||
      tollgate_engine_create(config, &engine, &error) != TOLLGATE_OK)
    fprintf(stderr, "%s\n", error.message);
  tollgate_policy_free(policy);
  tollgate_config_free(config);
  return engine; /* NULL if something is wrong; for tollgate_engine_destroy. */
}

/* answer returns the HTTP status for a call, and in `field` the header field that goes with it. */
int answer(tollgate_engine* engine, const char* authorization, const char* tool, char* field, size_t size) {
  tollgate_request request = {.struct_size = sizeof request,
                              .authorization = tollgate_str(authorization),
                              .tool = tollgate_str(tool)};
  tollgate_decision decision = {.struct_size = sizeof decision};
  char url[256], challenge[1024];
  field[0] = '\0';
  if (tollgate_check(engine, &request, &decision, NULL) != TOLLGATE_OK) return 500;
  if (decision.verdict == TOLLGATE_ALLOW) return 200;
  if (decision.verdict == TOLLGATE_UNAVAILABLE) {
    snprintf(field, size, "Retry-After: %u", (unsigned)decision.retry_after_s);
    return decision.http_status;
  }
  if (tollgate_metadata_url(tollgate_str("https://mcp.example/mcp"), url, sizeof url) >= sizeof url)
    return 500;
  if (tollgate_challenge(engine, &request, &decision, tollgate_str(url), challenge, sizeof challenge) >=
      sizeof challenge)
    return 500;
  if (challenge[0] != '\0') snprintf(field, size, "WWW-Authenticate: %s", challenge);
  return decision.http_status;
}
