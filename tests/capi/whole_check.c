/* A whole check in C11 alone, as a server would do it: a call of MCP is read, decided and answered. */

#include "whole_check.h"

#include <stdio.h>

#include "tollgate/c/mcp.h"
#include "tollgate/c/tollgate.h"

static int add_rule(tollgate_policy* policy, const char* name, const char* scopes) {
  tollgate_rule rule = {
      .struct_size = sizeof rule, .name = tollgate_str(name), .scopes = tollgate_str(scopes)};
  return tollgate_policy_add_rule(policy, &rule, NULL) == TOLLGATE_OK;
}

static tollgate_engine* make_engine(const char* jwks) {
  tollgate_error error = {.struct_size = sizeof error};
  tollgate_issuer issuer = {.struct_size = sizeof issuer,
                            .issuer = tollgate_str("https://idp.example"),
                            .jwks = tollgate_str(jwks),
                            .algorithms = tollgate_str("ES256")};
  tollgate_resource resource = {.struct_size = sizeof resource,
                                .uri = tollgate_str("https://mcp.example/mcp")};
  tollgate_options options = {.struct_size = sizeof options, .verdict_cache_bytes = 1 << 20};
  tollgate_config* config = tollgate_config_new();
  tollgate_policy* policy = tollgate_policy_new();
  tollgate_engine* engine = NULL;
  if (config == NULL || policy == NULL || !add_rule(policy, "search", "files:read") ||
      !add_rule(policy, "delete", "files:read files:write") ||
      tollgate_config_add_issuer(config, &issuer, &error) != TOLLGATE_OK ||
      tollgate_config_add_resource(config, &resource, &error) != TOLLGATE_OK ||
      tollgate_config_set_policy(config, policy, &error) != TOLLGATE_OK ||
      tollgate_config_set_options(config, &options, &error) != TOLLGATE_OK ||
      tollgate_engine_create(config, &engine, &error) != TOLLGATE_OK)
    printf("no engine: %s\n", error.message);
  tollgate_policy_free(policy);
  tollgate_config_free(config);
  return engine;
}

/* Returns the HTTP status of a call, with the challenge in `challenge`. */
static int serve(tollgate_engine* engine, tollgate_mcp_reader* reader, const char* authorization,
                 const char* body, char* challenge, size_t capacity) {
  tollgate_mcp_headers headers = {.struct_size = sizeof headers,
                                  .content_type = tollgate_str("application/json")};
  tollgate_mcp_message message = {.struct_size = sizeof message};
  size_t i;
  challenge[0] = '\0';
  if (tollgate_mcp_read(reader, &headers, tollgate_str(body), &message) != TOLLGATE_OK) return 500;
  if (message.http_status != 200) return (int)message.http_status;
  for (i = 0; i < message.num_calls; ++i) {
    tollgate_mcp_call call = {.struct_size = sizeof call};
    tollgate_decision decision = {.struct_size = sizeof decision};
    tollgate_request request = {.struct_size = sizeof request, .authorization = tollgate_str(authorization)};
    if (tollgate_mcp_call_at(reader, i, &call) != TOLLGATE_OK) return 500;
    request.tool = call.tool;
    request.object = call.object;
    if (tollgate_check(engine, &request, &decision, NULL) != TOLLGATE_OK) return 500;
    printf("%.*s: %s\n", (int)call.tool.size, call.tool.data, tollgate_reason_name(decision.reason));
    if (decision.verdict == TOLLGATE_ALLOW) continue;
    if (tollgate_challenge(engine, &request, &decision, tollgate_str(NULL), challenge, capacity) >= capacity)
      return 500;
    return decision.http_status;
  }
  return 200;
}

int run_whole_check(const char* jwks, const char* authorization) {
  static const char search[] =
      "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"search\"}}";
  static const char delete_it[] =
      "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"tools/call\",\"params\":{\"name\":\"delete\"}}";
  char challenge[256];
  int as_it_should_be = 0;
  tollgate_engine* engine = make_engine(jwks);
  tollgate_mcp_reader* reader = tollgate_mcp_reader_new(NULL);
  if (engine != NULL && reader != NULL)
    as_it_should_be = serve(engine, reader, authorization, search, challenge, sizeof challenge) == 200 &&
                      serve(engine, reader, authorization, delete_it, challenge, sizeof challenge) == 403 &&
                      strstr(challenge, "scope=\"files:read files:write\"") != NULL &&
                      serve(engine, reader, "", search, challenge, sizeof challenge) == 401 &&
                      strncmp(challenge, "Bearer ", 7) == 0 &&
                      serve(engine, reader, authorization, "{", challenge, sizeof challenge) == 400;
  tollgate_mcp_reader_free(reader);
  tollgate_engine_destroy(engine);
  return as_it_should_be ? 0 : 1;
}
