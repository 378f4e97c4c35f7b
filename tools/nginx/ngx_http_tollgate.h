#pragma once

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "tools/nginx/worker.h"

// What the parts of the module share: ngx_http_tollgate_module.c decides about requests, whose fields and
// body are ngx_http_tollgate_request.c's, and ngx_http_tollgate_filter.c filters lists in answers.

typedef struct {
  ngx_http_request_t* request;
  size_t server;
  tollgate_ask* ask;
  ngx_event_t timer;  // While the answer is to come: nginx sees no other sign of life.
  unsigned asked : 1;
  unsigned decided : 1;
  unsigned sees_body : 1;
  unsigned filtering : 1;  // The server's answer has to go through the filter.

  // Of the filter.
  tollgate_lists* lists;
  ngx_chain_t* in;  // Not looked at yet: what is filtered has to be taken by the client first.
  ngx_chain_t* free;
  ngx_chain_t* busy;
  unsigned events : 1;  // text/event-stream; else all of the answer is gathered.
  unsigned ended : 1;
} ngx_http_tollgate_ctx_t;

extern ngx_module_t ngx_http_tollgate_module;

// ngx_http_tollgate_get_ctx returns what was decided last about the request; NULL: nothing was. nginx itself
// forgets it when it goes on at another location (try_files, error_page).
ngx_http_tollgate_ctx_t* ngx_http_tollgate_get_ctx(ngx_http_request_t* r);

// ngx_http_tollgate_lists_new returns a filter for what the caller may use; NULL for want of memory.
tollgate_lists* ngx_http_tollgate_lists_new(const ngx_http_tollgate_ctx_t* ctx);

// ngx_http_tollgate_read_fields and _read_body fill the question. The body is shown in one piece, which it
// may lie in already; of one that is longer than `size_max`, it is said so.
ngx_int_t ngx_http_tollgate_read_fields(ngx_http_request_t* r, tollgate_question* question);
ngx_int_t ngx_http_tollgate_read_body(ngx_http_request_t* r, size_t size_max, tollgate_question* question);

// ngx_http_tollgate_body_is_here says whether all of the body has come with the header and is still there,
// as that of nearly every call: nginx reads it for the server, or throws it away, once it has been decided.
ngx_int_t ngx_http_tollgate_body_is_here(const ngx_http_request_t* r);

// ngx_http_tollgate_take_out takes the client's own identity fields out of the request and, with `whole`,
// what would have the answer compressed or cut.
ngx_int_t ngx_http_tollgate_take_out(ngx_http_request_t* r, ngx_uint_t whole);

// ngx_http_tollgate_identity returns the identity fields, without values, for set_identity; NULL for want of
// memory.
ngx_table_elt_t* ngx_http_tollgate_identity(ngx_pool_t* pool);

// ngx_http_tollgate_set_identity gives the server the fields of an answer that allows, and none of the
// client's that are called so.
ngx_int_t ngx_http_tollgate_set_identity(ngx_http_request_t* r, const ngx_table_elt_t* identity,
                                         const tollgate_answer* answer);

// ngx_http_tollgate_filter_init puts the filters into nginx's chains.
void ngx_http_tollgate_filter_init(void);

static inline tollgate_string ngx_http_tollgate_string(ngx_str_t text) {
  tollgate_string string = {(const char*)text.data, text.len};
  return string;
}
