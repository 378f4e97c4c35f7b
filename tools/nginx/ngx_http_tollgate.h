#pragma once

#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include "tools/nginx/worker.h"

// What the two halves of the module share: ngx_http_tollgate_module.c decides about requests,
// ngx_http_tollgate_filter.c filters lists in answers.

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

// ngx_http_tollgate_filter_init puts the filters into nginx's chains.
void ngx_http_tollgate_filter_init(void);

static inline tollgate_string ngx_http_tollgate_string(ngx_str_t text) {
  tollgate_string string = {(const char*)text.data, text.len};
  return string;
}
