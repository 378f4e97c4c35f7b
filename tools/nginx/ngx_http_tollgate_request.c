// What the module reads of a request, and what it changes in it before the server gets it.

#include "tools/nginx/ngx_http_tollgate.h"

static ngx_int_t ngx_http_tollgate_is_one_of(const ngx_table_elt_t* header, const ngx_str_t* names,
                                             size_t num_names) {
  for (size_t i = 0; i < num_names; ++i) {
    if (header->key.len == names[i].len &&
        ngx_strncasecmp(header->key.data, names[i].data, names[i].len) == 0)
      return 1;
  }
  return 0;
}

// ngx_http_tollgate_stays says whether a field may reach the server: no identity field of the client's own,
// and with `whole` none that would have the answer compressed or cut.
static ngx_int_t ngx_http_tollgate_stays(const ngx_table_elt_t* header, ngx_uint_t whole) {
  static const ngx_str_t identity = ngx_string("x-tollgate-");
  static const ngx_str_t parts[] = {ngx_string("Accept-Encoding"), ngx_string("Range"),
                                    ngx_string("If-Range")};
  if (header->key.len >= identity.len && (header->key.data[0] | 0x20) == 'x' &&
      ngx_strncasecmp(header->key.data, identity.data, identity.len) == 0)
    return 0;
  return !whole || !ngx_http_tollgate_is_one_of(header, parts, sizeof parts / sizeof *parts);
}

ngx_int_t ngx_http_tollgate_take_out(ngx_http_request_t* r, ngx_uint_t whole) {
  ngx_list_part_t first;
  ngx_uint_t all_stay = 1;
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    ngx_table_elt_t* headers = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts; ++i)
      all_stay &= (ngx_uint_t)ngx_http_tollgate_stays(&headers[i], whole);
  }
  if (all_stay) return NGX_OK;
  // Its first part is in the list itself; elements stay where they are, since headers_in points to them.
  first = r->headers_in.headers.part;
  if (ngx_list_init(&r->headers_in.headers, r->pool, 32, sizeof(ngx_table_elt_t)) != NGX_OK) return NGX_ERROR;
  for (ngx_list_part_t* part = &first; part != NULL; part = part->next) {
    ngx_table_elt_t* headers = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts; ++i) {
      ngx_table_elt_t* header;
      if (!ngx_http_tollgate_stays(&headers[i], whole)) continue;
      header = ngx_list_push(&r->headers_in.headers);
      if (header == NULL) return NGX_ERROR;
      *header = headers[i];
    }
  }
  return NGX_OK;
}

ngx_table_elt_t* ngx_http_tollgate_identity(ngx_pool_t* pool) {
  size_t num;
  const tollgate_string* names = tollgate_identity_names(&num);
  ngx_table_elt_t* identity = ngx_pcalloc(pool, num * sizeof *identity);
  if (identity == NULL) return NULL;
  for (size_t i = 0; i < num; ++i) {
    identity[i].key.data = (u_char*)names[i].data;
    identity[i].key.len = names[i].size;
    identity[i].lowcase_key = ngx_pnalloc(pool, names[i].size);
    if (identity[i].lowcase_key == NULL) return NULL;
    identity[i].hash = ngx_hash_strlow(identity[i].lowcase_key, identity[i].key.data, names[i].size);
  }
  return identity;
}

ngx_int_t ngx_http_tollgate_set_identity(ngx_http_request_t* r, const ngx_table_elt_t* identity,
                                         const tollgate_answer* answer) {
  static const ngx_str_t prefix = ngx_string("http_x_tollgate_");
  const ngx_http_core_main_conf_t* core = ngx_http_get_module_main_conf(r, ngx_http_core_module);
  const ngx_http_variable_t* variables = core->variables.elts;
  if (ngx_http_tollgate_take_out(r, answer->brings_lists) != NGX_OK) return NGX_ERROR;
  for (size_t i = 0; i < answer->num_fields; ++i) {
    ngx_table_elt_t* header = ngx_list_push(&r->headers_in.headers);
    if (header == NULL) return NGX_ERROR;
    *header = identity[i];
    header->value.data = (u_char*)answer->fields[i].value.data;
    header->value.len = answer->fields[i].value.size;
  }
  // Variables that have been looked at before say what was there then.
  for (ngx_uint_t i = 0; i < core->variables.nelts; ++i) {
    if (variables[i].name.len > prefix.len &&
        ngx_strncmp(variables[i].name.data, prefix.data, prefix.len) == 0)
      r->variables[i].valid = r->variables[i].not_found = 0;
  }
  return NGX_OK;
}

ngx_int_t ngx_http_tollgate_read_fields(ngx_http_request_t* r, tollgate_question* question) {
  tollgate_field* fields;
  size_t num = 0;
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next)
    num += part->nelts;
  fields = ngx_palloc(r->pool, (num + 1) * sizeof *fields);
  if (fields == NULL) return NGX_ERROR;
  question->fields = fields;
  question->num_fields = num;
  for (ngx_list_part_t* part = &r->headers_in.headers.part; part != NULL; part = part->next) {
    ngx_table_elt_t* headers = part->elts;
    for (ngx_uint_t i = 0; i < part->nelts; ++i, ++fields) {
      fields->name = ngx_http_tollgate_string(headers[i].key);
      fields->value = ngx_http_tollgate_string(headers[i].value);
    }
  }
  return NGX_OK;
}

ngx_int_t ngx_http_tollgate_body_is_here(const ngx_http_request_t* r) {
#if (NGX_HTTP_V2)
  if (r->stream != NULL) return 0;
#endif
  return r->request_body == NULL && !r->discard_body && !r->headers_in.chunked &&
         r->headers_in.content_length_n > 0 &&
         r->header_in->last - r->header_in->pos >= r->headers_in.content_length_n;
}

ngx_int_t ngx_http_tollgate_read_body(ngx_http_request_t* r, size_t size_max, tollgate_question* question) {
  ngx_chain_t* bufs = r->request_body == NULL ? NULL : r->request_body->bufs;
  off_t size = 0;
  u_char *all, *end;
  if (ngx_http_tollgate_body_is_here(r)) {
    question->body.data = (const char*)r->header_in->pos;
    question->body.size = (size_t)r->headers_in.content_length_n;
    return NGX_OK;
  }
  for (ngx_chain_t* link = bufs; link != NULL; link = link->next) size += ngx_buf_size(link->buf);
  if (size > (off_t)size_max) {
    question->body_is_partial = 1;
    return NGX_OK;
  }
  if (bufs == NULL || (bufs->next == NULL && ngx_buf_in_memory(bufs->buf))) {
    if (bufs != NULL) question->body.data = (const char*)bufs->buf->pos;
    question->body.size = (size_t)size;
    return NGX_OK;
  }
  all = end = ngx_palloc(r->pool, (size_t)size + 1);
  if (all == NULL) return NGX_ERROR;
  for (ngx_chain_t* link = bufs; link != NULL; link = link->next) {
    const ngx_buf_t* buf = link->buf;
    const size_t len = (size_t)ngx_buf_size(buf);
    if (len == 0) continue;  // It marks the end.
    if (ngx_buf_in_memory(buf)) {
      end = ngx_cpymem(end, buf->pos, len);
    } else if (ngx_read_file(buf->file, end, len, buf->file_pos) == (ssize_t)len) {
      end += len;
    } else {
      return NGX_ERROR;
    }
  }
  question->body.data = (const char*)all;
  question->body.size = (size_t)size;
  return NGX_OK;
}
