// Takes out of a server's answers the tools, prompts and resources that the caller may not use. An answer
// that cannot be filtered does not go out: as 502 where nothing of it has, else by ending the connection.

#include "tools/nginx/ngx_http_tollgate.h"

#define NGX_HTTP_TOLLGATE_BUFFERED 0x40  // Of ngx_connection_t::buffered: no filter of nginx has this bit.

static ngx_http_output_header_filter_pt ngx_http_next_header_filter;
static ngx_http_output_body_filter_pt ngx_http_next_body_filter;

static ngx_int_t ngx_http_tollgate_has_type(ngx_http_request_t* r, ngx_str_t type) {
  const ngx_str_t* given = &r->headers_out.content_type;
  return given->len >= type.len && ngx_strncasecmp(given->data, type.data, type.len) == 0 &&
         (given->len == type.len || given->data[type.len] == ';' || given->data[type.len] == ' ');
}

static ngx_int_t ngx_http_tollgate_refuse(ngx_http_request_t* r, const char* why) {
  ngx_http_tollgate_ctx_t* ctx = ngx_http_tollgate_get_ctx(r);
  ctx->filtering = 0;
  ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "tollgate: the server's answer %s", why);
  return ngx_http_filter_finalize_request(r, &ngx_http_tollgate_module, NGX_HTTP_BAD_GATEWAY);
}

static ngx_int_t ngx_http_tollgate_header_filter(ngx_http_request_t* r) {
  static const ngx_str_t json = ngx_string("application/json"), events = ngx_string("text/event-stream");
  ngx_http_tollgate_ctx_t* ctx = ngx_http_tollgate_get_ctx(r);
  const ngx_uint_t status = r->headers_out.status;
  const ngx_table_elt_t* encoding = r->headers_out.content_encoding;
  if (ctx == NULL || r != r->main) return ngx_http_next_header_filter(r);
  // Behind it there would be calls, and answers, that nobody sees.
  if (status == NGX_HTTP_SWITCHING_PROTOCOLS && ctx->decided && (ctx->sees_body || ctx->filtering))
    return ngx_http_tollgate_refuse(r, "changes the protocol");
  if (!ctx->filtering) return ngx_http_next_header_filter(r);
  ctx->events = ngx_http_tollgate_has_type(r, events);
  // A client looks for lists in nothing else; a good answer of an unknown kind has to be JSON nevertheless.
  if (r->header_only || status == NGX_HTTP_NO_CONTENT || status == NGX_HTTP_NOT_MODIFIED ||
      r->headers_out.content_length_n == 0 ||
      (status >= NGX_HTTP_SPECIAL_RESPONSE && !ctx->events && !ngx_http_tollgate_has_type(r, json))) {
    ctx->filtering = 0;
    return ngx_http_next_header_filter(r);
  }
  if (encoding != NULL && encoding->hash != 0 && encoding->value.len > 0)
    return ngx_http_tollgate_refuse(r, "is compressed, though it was not to be");
  if (status == NGX_HTTP_PARTIAL_CONTENT)
    return ngx_http_tollgate_refuse(r, "is a part, though it was not to be");
  tollgate_lists_free(ctx->lists);
  ctx->lists = ngx_http_tollgate_lists_new(ctx);
  if (ctx->lists == NULL) return NGX_ERROR;
  r->filter_need_in_memory = 1;
  r->allow_ranges = 0;
  ngx_http_clear_content_length(r);
  ngx_http_clear_accept_ranges(r);
  ngx_http_clear_last_modified(r);
  ngx_http_clear_etag(r);
  // What is gathered first may yet become a 502.
  return ctx->events ? ngx_http_next_header_filter(r) : NGX_OK;
}

// ngx_http_tollgate_append puts a buffer for `len` bytes at the end of *last; 0: one without any.
static ngx_buf_t* ngx_http_tollgate_append(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx, size_t len,
                                           ngx_chain_t*** last) {
  ngx_chain_t* link = ngx_chain_get_free_buf(r->pool, &ctx->free);
  ngx_buf_t* buf;
  if (link == NULL) return NULL;
  buf = link->buf;
  if ((size_t)(buf->end - buf->start) < len) {
    u_char* const start = ngx_palloc(r->pool, ngx_max(len, ngx_pagesize));
    if (start == NULL) return NULL;
    if (buf->start != NULL) ngx_pfree(r->pool, buf->start);
    buf->start = start;
    buf->end = start + ngx_max(len, ngx_pagesize);
  }
  buf->tag = (ngx_buf_tag_t)&ngx_http_tollgate_module;
  buf->pos = buf->last = buf->start;
  buf->temporary = len > 0;
  buf->flush = 1;
  buf->last_buf = buf->last_in_chain = 0;
  link->next = NULL;
  **last = link;
  *last = &link->next;
  return buf;
}

// ngx_http_tollgate_pass hands on what is filtered, and finds out what of it has been sent.
static ngx_int_t ngx_http_tollgate_pass(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx,
                                        ngx_chain_t* out) {
  const ngx_int_t rc = ngx_http_next_body_filter(r, out);
  ngx_chain_update_chains(r->pool, &ctx->free, &ctx->busy, &out, (ngx_buf_tag_t)&ngx_http_tollgate_module);
  return rc;
}

static ngx_int_t ngx_http_tollgate_filter_events(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx) {
  ngx_int_t rc = NGX_OK;
  if (ctx->busy != NULL || ctx->in == NULL) {
    rc = ngx_http_tollgate_pass(r, ctx, NULL);
    if (rc == NGX_ERROR) return rc;
  }
  // One piece at a time, so that whoever sends waits for whoever reads.
  while (ctx->in != NULL && ctx->busy == NULL) {
    ngx_buf_t* const piece = ctx->in->buf;
    ngx_chain_t *out = NULL, **last = &out, *done = ctx->in;
    tollgate_string text = {(const char*)piece->pos, 0}, filtered = {NULL, 0};
    ngx_buf_t* buf;
    if (!ngx_buf_special(piece)) text.size = (size_t)ngx_buf_size(piece);
    if (text.size > 0 && !tollgate_lists_events(ctx->lists, text, &filtered)) {
      ngx_log_error(NGX_LOG_ERR, r->connection->log, 0, "tollgate: the server's events cannot be filtered");
      return NGX_ERROR;
    }
    if (filtered.size > 0 || piece->flush || piece->last_buf) {
      buf = ngx_http_tollgate_append(r, ctx, filtered.size, &last);
      if (buf == NULL) return NGX_ERROR;
      if (filtered.size > 0) buf->last = ngx_cpymem(buf->pos, filtered.data, filtered.size);
      buf->last_buf = piece->last_buf;
      buf->last_in_chain = piece->last_in_chain;
      ctx->ended |= piece->last_buf;
    }
    piece->pos = piece->last;
    if (piece->in_file) piece->file_pos = piece->file_last;
    ctx->in = done->next;
    ngx_free_chain(r->pool, done);
    if (out == NULL) continue;
    rc = ngx_http_tollgate_pass(r, ctx, out);
    if (rc == NGX_ERROR) return rc;
  }
  if (ctx->in != NULL) {
    r->connection->buffered |= NGX_HTTP_TOLLGATE_BUFFERED;
    return NGX_AGAIN;
  }
  r->connection->buffered &= ~NGX_HTTP_TOLLGATE_BUFFERED;
  return rc;
}

static ngx_int_t ngx_http_tollgate_filter_all(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx,
                                              ngx_chain_t* in) {
  tollgate_string filtered;
  ngx_chain_t out;
  ngx_buf_t* buf;
  ngx_int_t rc;
  for (; in != NULL && !ctx->ended; in = in->next) {
    ngx_buf_t* const piece = in->buf;
    tollgate_string text = {(const char*)piece->pos, 0};
    if (!ngx_buf_special(piece)) text.size = (size_t)ngx_buf_size(piece);
    if (text.size > 0 && !tollgate_lists_add(ctx->lists, text))
      return ngx_http_tollgate_refuse(r, "is too long to be filtered");
    piece->pos = piece->last;
    if (piece->in_file) piece->file_pos = piece->file_last;
    ctx->ended = piece->last_buf;
  }
  // nginx has given the server up, and says nothing more.
  if (!ctx->ended && r->upstream != NULL && r->upstream->cleanup == NULL) {
    r->connection->buffered &= ~NGX_HTTP_TOLLGATE_BUFFERED;
    return ngx_http_tollgate_refuse(r, "is cut off");
  }
  if (!ctx->ended) {
    r->connection->buffered |= NGX_HTTP_TOLLGATE_BUFFERED;
    return NGX_OK;
  }
  r->connection->buffered &= ~NGX_HTTP_TOLLGATE_BUFFERED;
  if (!tollgate_lists_filter(ctx->lists, &filtered)) return ngx_http_tollgate_refuse(r, "cannot be filtered");
  ctx->filtering = 0;
  r->headers_out.content_length_n = (off_t)filtered.size;
  rc = ngx_http_next_header_filter(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  buf = ngx_calloc_buf(r->pool);
  if (buf == NULL) return NGX_ERROR;
  buf->pos = buf->start = (u_char*)filtered.data;
  buf->last = buf->end = buf->pos + filtered.size;
  buf->memory = filtered.size > 0;
  buf->last_buf = buf->last_in_chain = 1;
  out.buf = buf;
  out.next = NULL;
  return ngx_http_next_body_filter(r, &out);
}

static ngx_int_t ngx_http_tollgate_body_filter(ngx_http_request_t* r, ngx_chain_t* in) {
  ngx_http_tollgate_ctx_t* ctx = ngx_http_tollgate_get_ctx(r);
  if (ctx == NULL || !ctx->filtering || r != r->main) return ngx_http_next_body_filter(r, in);
  if (ctx->lists == NULL) return NGX_ERROR;  // A body without a header.
  if (!ctx->events) return ngx_http_tollgate_filter_all(r, ctx, in);
  if (in != NULL && ngx_chain_add_copy(r->pool, &ctx->in, in) != NGX_OK) return NGX_ERROR;
  return ngx_http_tollgate_filter_events(r, ctx);
}

void ngx_http_tollgate_filter_init(void) {
  ngx_http_next_header_filter = ngx_http_top_header_filter;
  ngx_http_top_header_filter = ngx_http_tollgate_header_filter;
  ngx_http_next_body_filter = ngx_http_top_body_filter;
  ngx_http_top_body_filter = ngx_http_tollgate_body_filter;
}
