// Decides about requests in nginx's own workers: docs/deploying.md. All that is decided and said is
// worker.h's; here is when nginx is told what.

#include "tools/nginx/ngx_http_tollgate.h"

#define NGX_HTTP_TOLLGATE_OFF (-2)  // Of ngx_http_tollgate_loc_conf_t::server.
#define NGX_HTTP_TOLLGATE_NUDGE_MS 100
#define NGX_HTTP_TOLLGATE_GRACE_MS 5000  // Beyond the engine's own time limit.

typedef struct {
  tollgate_site* site;
  ngx_shm_zone_t* zone;  // Its data: uint64_t*, for tollgate_worker_new.
  ngx_table_elt_t* identity;
} ngx_http_tollgate_main_conf_t;

typedef struct {
  ngx_flag_t decides;  // It has `tollgate` somewhere, or what is around it has.
} ngx_http_tollgate_srv_conf_t;

typedef struct {
  ngx_int_t server;  // Its position in the configuration.
} ngx_http_tollgate_loc_conf_t;

// Of this process.
static tollgate_worker* ngx_http_tollgate_worker;
static ngx_connection_t* ngx_http_tollgate_wakeup;
static ngx_event_t ngx_http_tollgate_nudge_timer;

static void ngx_http_tollgate_free_site(void* data) { tollgate_site_free(data); }

// ---- Configuration

static void* ngx_http_tollgate_create_main_conf(ngx_conf_t* cf) {
  return ngx_pcalloc(cf->pool, sizeof(ngx_http_tollgate_main_conf_t));
}

static void* ngx_http_tollgate_create_srv_conf(ngx_conf_t* cf) {
  ngx_http_tollgate_srv_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf != NULL) conf->decides = NGX_CONF_UNSET;
  return conf;
}

static char* ngx_http_tollgate_merge_srv_conf(ngx_conf_t* cf, void* parent, void* child) {
  ngx_http_tollgate_srv_conf_t *outer = parent, *conf = child;
  (void)cf;
  ngx_conf_merge_value(conf->decides, outer->decides, 0);
  return NGX_CONF_OK;
}

static void* ngx_http_tollgate_create_loc_conf(ngx_conf_t* cf) {
  ngx_http_tollgate_loc_conf_t* conf = ngx_pcalloc(cf->pool, sizeof *conf);
  if (conf != NULL) conf->server = NGX_CONF_UNSET;
  return conf;
}

static char* ngx_http_tollgate_merge_loc_conf(ngx_conf_t* cf, void* parent, void* child) {
  ngx_http_tollgate_loc_conf_t *outer = parent, *conf = child;
  ngx_http_core_loc_conf_t* core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  ngx_conf_merge_value(conf->server, outer->server, NGX_HTTP_TOLLGATE_OFF);
  // Who came in by an address would be nobody, with identity fields of their own making.
  if (conf->server != NGX_HTTP_TOLLGATE_OFF && core->satisfy == NGX_HTTP_SATISFY_ANY) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                       "\"tollgate\" with \"satisfy any\" in \"%V\" would let through what it denies",
                       &core->name);
    return NGX_CONF_ERROR;
  }
  return NGX_CONF_OK;
}

// The memory that all workers share lives through reloads.
static ngx_int_t ngx_http_tollgate_init_zone(ngx_shm_zone_t* zone, void* data) {
  ngx_slab_pool_t* pool = (ngx_slab_pool_t*)zone->shm.addr;
  if (data != NULL) {
    zone->data = data;
    return NGX_OK;
  }
  if (zone->shm.exists) {
    zone->data = pool->data;
    return NGX_OK;
  }
  zone->data = pool->data = ngx_slab_calloc(pool, sizeof(uint64_t));
  return zone->data == NULL ? NGX_ERROR : NGX_OK;
}

static char* ngx_http_tollgate_set_config(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  ngx_http_tollgate_main_conf_t* main_conf = conf;
  ngx_str_t* value = cf->args->elts;
  ngx_str_t name = ngx_string("tollgate");
  ngx_pool_cleanup_t* cleanup;
  char error[1024];
  (void)command;
  if (main_conf->site != NULL) return "is duplicate";
  if (ngx_conf_full_name(cf->cycle, &value[1], 1) != NGX_OK) return NGX_CONF_ERROR;
  cleanup = ngx_pool_cleanup_add(cf->pool, 0);
  if (cleanup == NULL) return NGX_CONF_ERROR;
  main_conf->site = tollgate_site_read((const char*)value[1].data, error, sizeof error);
  if (main_conf->site == NULL) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", error);
    return NGX_CONF_ERROR;
  }
  cleanup->handler = ngx_http_tollgate_free_site;
  cleanup->data = main_conf->site;
  main_conf->identity = ngx_http_tollgate_identity(cf->pool);
  if (main_conf->identity == NULL) return NGX_CONF_ERROR;
  main_conf->zone = ngx_shared_memory_add(cf, &name, 8 * ngx_pagesize, &ngx_http_tollgate_module);
  if (main_conf->zone == NULL) return NGX_CONF_ERROR;
  main_conf->zone->init = ngx_http_tollgate_init_zone;
  return NGX_CONF_OK;
}

static char* ngx_http_tollgate_set_server(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  ngx_http_tollgate_loc_conf_t* loc_conf = conf;
  ngx_http_tollgate_main_conf_t* main_conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module);
  ngx_http_tollgate_srv_conf_t* srv_conf = ngx_http_conf_get_module_srv_conf(cf, ngx_http_tollgate_module);
  ngx_str_t* value = cf->args->elts;
  size_t server;
  (void)command;
  if (loc_conf->server != NGX_CONF_UNSET) return "is duplicate";
  if (ngx_strcmp(value[1].data, "off") == 0) {
    loc_conf->server = NGX_HTTP_TOLLGATE_OFF;
    return NGX_CONF_OK;
  }
  if (main_conf->site == NULL) return "needs \"tollgate_config\" before it";
  server = tollgate_site_server(main_conf->site, ngx_http_tollgate_string(value[1]));
  if (server == SIZE_MAX) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the configuration of tollgate has no server \"%V\"", &value[1]);
    return NGX_CONF_ERROR;
  }
  loc_conf->server = (ngx_int_t)server;
  srv_conf->decides = 1;
  return NGX_CONF_OK;
}

static ngx_int_t ngx_http_tollgate_metadata_handler(ngx_http_request_t* r);

static char* ngx_http_tollgate_set_metadata(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
  ngx_http_tollgate_main_conf_t* main_conf = ngx_http_conf_get_module_main_conf(cf, ngx_http_tollgate_module);
  ngx_http_core_loc_conf_t* core = ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
  (void)command;
  (void)conf;
  if (main_conf->site == NULL) return "needs \"tollgate_config\" before it";
  core->handler = ngx_http_tollgate_metadata_handler;
  return NGX_CONF_OK;
}

// ---- Answers

static ngx_table_elt_t* ngx_http_tollgate_push(ngx_list_t* list, const tollgate_field* field) {
  ngx_table_elt_t* header = ngx_list_push(list);
  if (header == NULL) return NULL;
  ngx_memzero(header, sizeof *header);
  header->hash = 1;
  // The answer lives as long as the request.
  header->key.data = (u_char*)field->name.data;
  header->key.len = field->name.size;
  header->value.data = (u_char*)field->value.data;
  header->value.len = field->value.size;
  return header;
}

// ngx_http_tollgate_send answers the client itself; returns what ends the request.
static ngx_int_t ngx_http_tollgate_send(ngx_http_request_t* r, const tollgate_answer* answer) {
  static const ngx_str_t content_type = ngx_string("Content-Type");
  ngx_chain_t out;
  ngx_buf_t* buf;
  ngx_int_t rc = ngx_http_discard_request_body(r);
  if (rc != NGX_OK) return rc;
  r->headers_out.status = answer->status;
  r->headers_out.content_length_n = (off_t)answer->body.size;
  for (size_t i = 0; i < answer->num_fields; ++i) {
    const tollgate_field* field = &answer->fields[i];
    if (field->name.size == content_type.len &&
        ngx_strncasecmp((u_char*)field->name.data, content_type.data, content_type.len) == 0) {
      r->headers_out.content_type.data = (u_char*)field->value.data;
      r->headers_out.content_type.len = r->headers_out.content_type_len = field->value.size;
    } else if (ngx_http_tollgate_push(&r->headers_out.headers, field) == NULL) {
      return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
  }
  r->header_only |= answer->body.size == 0;
  rc = ngx_http_send_header(r);
  if (rc == NGX_ERROR || rc > NGX_OK || r->header_only) return rc;
  buf = ngx_calloc_buf(r->pool);
  if (buf == NULL) return NGX_ERROR;
  buf->pos = buf->start = (u_char*)answer->body.data;
  buf->last = buf->end = buf->pos + answer->body.size;
  buf->memory = buf->last_buf = buf->last_in_chain = 1;
  out.buf = buf;
  out.next = NULL;
  return ngx_http_output_filter(r, &out);
}

// ngx_http_tollgate_post_read_handler comes before anything that looks at a field: variables of it, other
// modules' subrequests, and locations without a decision, too, may get to the server.
static ngx_int_t ngx_http_tollgate_post_read_handler(ngx_http_request_t* r) {
  const ngx_http_tollgate_srv_conf_t* conf = ngx_http_get_module_srv_conf(r, ngx_http_tollgate_module);
  if (!conf->decides) return NGX_DECLINED;
  return ngx_http_tollgate_take_out(r, 0) == NGX_OK ? NGX_DECLINED : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

// ---- Questions

static void ngx_http_tollgate_forget(ngx_http_tollgate_ctx_t* ctx) {
  if (ctx->timer.timer_set) ngx_del_timer(&ctx->timer);
  if (ngx_http_tollgate_worker == NULL || ctx->ask == NULL || tollgate_ask_answer(ctx->ask) != NULL) return;
  tollgate_ask_free(ctx->ask);
  ctx->ask = NULL;
}

// ngx_http_tollgate_cleanup is called when the request ends, which is still to be logged, with its fields.
static void ngx_http_tollgate_cleanup(void* data) { ngx_http_tollgate_forget(data); }

static void ngx_http_tollgate_free(void* data) {
  ngx_http_tollgate_ctx_t* ctx = data;
  if (ngx_http_tollgate_worker == NULL) return;  // It has taken with it what was left.
  tollgate_ask_free(ctx->ask);
  tollgate_lists_free(ctx->lists);
}

static ngx_http_tollgate_ctx_t* ngx_http_tollgate_create_ctx(ngx_http_request_t* r) {
  ngx_http_cleanup_t* cleanup = ngx_http_cleanup_add(r, 0);
  ngx_pool_cleanup_t* last = ngx_pool_cleanup_add(r->pool, sizeof(ngx_http_tollgate_ctx_t));
  ngx_http_tollgate_ctx_t* ctx;
  if (cleanup == NULL || last == NULL) return NULL;
  ctx = last->data;
  ngx_memzero(ctx, sizeof *ctx);
  ctx->request = r;
  cleanup->data = ctx;
  cleanup->handler = ngx_http_tollgate_cleanup;
  last->handler = ngx_http_tollgate_free;
  ngx_http_set_ctx(r, ctx, ngx_http_tollgate_module);
  return ctx;
}

static void ngx_http_tollgate_go_on(void* data) {
  ngx_http_tollgate_ctx_t* ctx = data;
  ngx_http_request_t* r = ctx->request;
  ngx_connection_t* connection = r->connection;
  if (ctx->timer.timer_set) ngx_del_timer(&ctx->timer);
  r->read_event_handler = ngx_http_block_reading;
  ngx_http_core_run_phases(r);
  ngx_http_run_posted_requests(connection);
}

static void ngx_http_tollgate_give_up(ngx_event_t* event) {
  ngx_connection_t* connection = event->data;
  ngx_http_tollgate_ctx_t* ctx =
      (ngx_http_tollgate_ctx_t*)((u_char*)event - offsetof(ngx_http_tollgate_ctx_t, timer));
  ngx_http_tollgate_forget(ctx);  // The request may go on at an error page.
  ngx_http_finalize_request(ctx->request, NGX_HTTP_SERVICE_UNAVAILABLE);
  ngx_http_run_posted_requests(connection);
}

static ngx_int_t ngx_http_tollgate_ask_about(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx,
                                             size_t server, size_t body_max) {
  tollgate_question question;
  ngx_memzero(&question, sizeof question);
  question.server = server;
  question.method = ngx_http_tollgate_string(r->method_name);
  question.target = ngx_http_tollgate_string(r->unparsed_uri);
  if (ngx_http_tollgate_read_fields(r, &question) != NGX_OK) return NGX_ERROR;
  if (body_max > 0) {
    question.body_is_partial = r->headers_in.content_length_n > (off_t)body_max;
    if (!question.body_is_partial && ngx_http_tollgate_read_body(r, body_max, &question) != NGX_OK)
      return NGX_ERROR;
  }
  ctx->asked = 1;
  ctx->server = server;
  ctx->ask = tollgate_worker_ask(ngx_http_tollgate_worker, &question, ctx);
  return ctx->ask == NULL ? NGX_ERROR : NGX_OK;
}

// ngx_http_tollgate_has_body: a length that is not known is one.
static ngx_int_t ngx_http_tollgate_has_body(const ngx_http_request_t* r) {
#if (NGX_HTTP_V2)
  if (r->stream != NULL && !r->stream->in_closed) return 1;
#endif
  return r->headers_in.content_length_n > 0 || r->headers_in.chunked;
}

// ngx_http_tollgate_wait leaves the request until its answer comes, it takes too long or the client leaves.
static ngx_int_t ngx_http_tollgate_wait(ngx_http_request_t* r, ngx_http_tollgate_ctx_t* ctx) {
  ngx_http_tollgate_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_tollgate_module);
  if (ctx->timer.timer_set) return NGX_AGAIN;
  r->read_event_handler = ngx_http_test_reading;
  r->write_event_handler = ngx_http_request_empty_handler;
  ctx->timer.handler = ngx_http_tollgate_give_up;
  ctx->timer.data = r->connection;  // As nginx's debugging log expects.
  ctx->timer.log = r->connection->log;
  ngx_add_timer(&ctx->timer, tollgate_site_wait_max_ms(main_conf->site) + NGX_HTTP_TOLLGATE_GRACE_MS);
  return NGX_AGAIN;
}

static void ngx_http_tollgate_body_handler(ngx_http_request_t* r) {
  r->write_event_handler = ngx_http_core_run_phases;
  ngx_http_core_run_phases(r);
}

// ngx_http_tollgate_is_lost says whether the request has left a location in which it was to be decided, and
// was not, for one that would have a server answer: error_page may lead there.
static ngx_int_t ngx_http_tollgate_is_lost(ngx_http_request_t* r) {
  const ngx_http_tollgate_ctx_t* ctx = ngx_http_tollgate_get_ctx(r);
  return ctx != NULL && !ctx->decided && r->content_handler != NULL;
}

// ngx_http_tollgate_handler is called again when the body has been read, and when the answer has come.
static ngx_int_t ngx_http_tollgate_handler(ngx_http_request_t* r) {
  const ngx_http_tollgate_loc_conf_t* conf = ngx_http_get_module_loc_conf(r, ngx_http_tollgate_module);
  ngx_http_tollgate_main_conf_t* main_conf = ngx_http_get_module_main_conf(r, ngx_http_tollgate_module);
  ngx_http_tollgate_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_tollgate_module);
  const tollgate_answer* answer;
  size_t server, body_max;
  ngx_uint_t begins;
  ngx_int_t rc;
  if (conf->server == NGX_HTTP_TOLLGATE_OFF) {
    if (!ngx_http_tollgate_is_lost(r)) return NGX_DECLINED;
    return r->err_status != 0 ? (ngx_int_t)r->err_status : NGX_HTTP_FORBIDDEN;
  }
  begins = ctx == NULL;
  if (begins) ctx = ngx_http_tollgate_create_ctx(r);
  if (ctx == NULL) return NGX_HTTP_INTERNAL_SERVER_ERROR;
  if (ngx_http_tollgate_worker == NULL) return NGX_HTTP_SERVICE_UNAVAILABLE;
  server = (size_t)conf->server;
  body_max = tollgate_site_body_max(main_conf->site, server);
  if (body_max > 0 && r->method != NGX_HTTP_POST) {
    // A server that does not expect one takes it for the next request, which nobody would have decided.
    if (ngx_http_tollgate_has_body(r)) return NGX_HTTP_BAD_REQUEST;
    body_max = 0;
  }
  if (begins && body_max > 0 && r->headers_in.content_length_n <= (off_t)body_max &&
      !ngx_http_tollgate_body_is_here(r)) {
    rc = ngx_http_read_client_request_body(r, ngx_http_tollgate_body_handler);
    if (rc >= NGX_HTTP_SPECIAL_RESPONSE) return rc;
    ngx_http_finalize_request(r, NGX_DONE);
    return NGX_DONE;
  }
  if (ctx->decided) return NGX_OK;
  if (!ctx->asked && ngx_http_tollgate_ask_about(r, ctx, server, body_max) != NGX_OK)
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  answer = tollgate_ask_answer(ctx->ask);
  if (answer == NULL) return ngx_http_tollgate_wait(r, ctx);
  r->write_event_handler = ngx_http_core_run_phases;
  if (answer->status != NGX_HTTP_OK) {
    ngx_http_finalize_request(r, ngx_http_tollgate_send(r, answer));
    return NGX_DONE;
  }
  ctx->decided = 1;
  ctx->sees_body = tollgate_site_body_max(main_conf->site, server) > 0;
  ctx->filtering = answer->brings_lists;
  rc = ngx_http_tollgate_set_identity(r, main_conf->identity, answer);
  return rc == NGX_OK ? NGX_OK : NGX_HTTP_INTERNAL_SERVER_ERROR;
}

static ngx_int_t ngx_http_tollgate_metadata_handler(ngx_http_request_t* r) {
  ngx_http_tollgate_ctx_t* ctx = ngx_http_tollgate_worker == NULL ? NULL : ngx_http_tollgate_create_ctx(r);
  const tollgate_answer* answer;
  if (ctx == NULL || ngx_http_tollgate_ask_about(r, ctx, SIZE_MAX, 0) != NGX_OK)
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
  answer = tollgate_ask_answer(ctx->ask);
  return answer == NULL ? NGX_HTTP_INTERNAL_SERVER_ERROR : ngx_http_tollgate_send(r, answer);
}

ngx_http_tollgate_ctx_t* ngx_http_tollgate_get_ctx(ngx_http_request_t* r) {
  ngx_http_tollgate_ctx_t* ctx = ngx_http_get_module_ctx(r, ngx_http_tollgate_module);
  if (ctx != NULL || !r->internal) return ctx;
  for (ngx_http_cleanup_t* cleanup = r->cleanup; cleanup != NULL; cleanup = cleanup->next) {
    if (cleanup->handler == ngx_http_tollgate_cleanup) return cleanup->data;
  }
  return NULL;
}

tollgate_lists* ngx_http_tollgate_lists_new(const ngx_http_tollgate_ctx_t* ctx) {
  const ngx_http_request_t* r = ctx->request;
  tollgate_string authorization = {NULL, 0};
  if (r->headers_in.authorization != NULL)
    authorization = ngx_http_tollgate_string(r->headers_in.authorization->value);
  if (ngx_http_tollgate_worker == NULL) return NULL;
  return tollgate_lists_new(ngx_http_tollgate_worker, ctx->server, authorization);
}

// ---- Workers

static void ngx_http_tollgate_wakeup_handler(ngx_event_t* event) {
  ngx_connection_t* connection = event->data;
  if (connection->close) {
    // nginx tells idle connections so that this worker is not to take new requests any more.
    connection->close = 0;
    connection->idle = 0;
    tollgate_worker_step_down(ngx_http_tollgate_worker);
  }
  tollgate_worker_take(ngx_http_tollgate_worker, ngx_http_tollgate_go_on);
}

static void ngx_http_tollgate_nudge(ngx_event_t* event) {
  tollgate_worker_nudge(ngx_http_tollgate_worker);
  ngx_add_timer(event, NGX_HTTP_TOLLGATE_NUDGE_MS);
}

static ngx_int_t ngx_http_tollgate_init_process(ngx_cycle_t* cycle) {
  ngx_http_tollgate_main_conf_t* conf;
  ngx_connection_t* connection;
  ngx_event_t* timer = &ngx_http_tollgate_nudge_timer;
  char error[1024];
  if (ngx_process != NGX_PROCESS_WORKER && ngx_process != NGX_PROCESS_SINGLE) return NGX_OK;
  conf = ngx_http_cycle_get_module_main_conf(cycle, ngx_http_tollgate_module);
  if (conf == NULL || conf->site == NULL) return NGX_OK;
  ngx_http_tollgate_worker = tollgate_worker_new(conf->site, conf->zone->data, error, sizeof error);
  if (ngx_http_tollgate_worker == NULL) {
    ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "tollgate: %s", error);
    return NGX_ERROR;
  }
  connection = ngx_get_connection(tollgate_worker_fd(ngx_http_tollgate_worker), cycle->log);
  if (connection == NULL) return NGX_ERROR;
  connection->log = connection->read->log = connection->write->log = cycle->log;
  connection->read->handler = ngx_http_tollgate_wakeup_handler;
  connection->idle = 1;
  if (ngx_add_event(connection->read, NGX_READ_EVENT, 0) != NGX_OK) return NGX_ERROR;
  ngx_http_tollgate_wakeup = connection;
  timer->handler = ngx_http_tollgate_nudge;
  timer->log = cycle->log;
  timer->data = connection;
  timer->cancelable = 1;
  ngx_add_timer(timer, NGX_HTTP_TOLLGATE_NUDGE_MS);
  return NGX_OK;
}

static void ngx_http_tollgate_exit_process(ngx_cycle_t* cycle) {
  tollgate_worker* worker = ngx_http_tollgate_worker;
  (void)cycle;
  if (worker == NULL) return;
  if (ngx_http_tollgate_wakeup != NULL) {
    ngx_http_tollgate_wakeup->fd = (ngx_socket_t)-1;  // The worker closes it.
    ngx_free_connection(ngx_http_tollgate_wakeup);
  }
  ngx_http_tollgate_worker = NULL;
  tollgate_worker_free(worker);
}

static ngx_int_t ngx_http_tollgate_init(ngx_conf_t* cf) {
  ngx_http_core_main_conf_t* core = ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module);
  ngx_http_handler_pt* handler = ngx_array_push(&core->phases[NGX_HTTP_ACCESS_PHASE].handlers);
  if (handler == NULL) return NGX_ERROR;
  *handler = ngx_http_tollgate_handler;
  handler = ngx_array_push(&core->phases[NGX_HTTP_POST_READ_PHASE].handlers);
  if (handler == NULL) return NGX_ERROR;
  *handler = ngx_http_tollgate_post_read_handler;
  ngx_http_tollgate_filter_init();
  return NGX_OK;
}

static ngx_command_t ngx_http_tollgate_commands[] = {
    {ngx_string("tollgate_config"), NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1, ngx_http_tollgate_set_config,
     NGX_HTTP_MAIN_CONF_OFFSET, 0, NULL},
    {ngx_string("tollgate"), NGX_HTTP_MAIN_CONF | NGX_HTTP_SRV_CONF | NGX_HTTP_LOC_CONF | NGX_CONF_TAKE1,
     ngx_http_tollgate_set_server, NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    {ngx_string("tollgate_metadata"), NGX_HTTP_LOC_CONF | NGX_CONF_NOARGS, ngx_http_tollgate_set_metadata,
     NGX_HTTP_LOC_CONF_OFFSET, 0, NULL},
    ngx_null_command};

static ngx_http_module_t ngx_http_tollgate_module_ctx = {NULL,
                                                         ngx_http_tollgate_init,
                                                         ngx_http_tollgate_create_main_conf,
                                                         NULL,
                                                         ngx_http_tollgate_create_srv_conf,
                                                         ngx_http_tollgate_merge_srv_conf,
                                                         ngx_http_tollgate_create_loc_conf,
                                                         ngx_http_tollgate_merge_loc_conf};

ngx_module_t ngx_http_tollgate_module = {NGX_MODULE_V1,
                                         &ngx_http_tollgate_module_ctx,
                                         ngx_http_tollgate_commands,
                                         NGX_HTTP_MODULE,
                                         NULL,
                                         NULL,
                                         ngx_http_tollgate_init_process,
                                         NULL,
                                         NULL,
                                         ngx_http_tollgate_exit_process,
                                         NULL,
                                         NGX_MODULE_V1_PADDING};

// What nginx looks for in a dynamic module. The filters come before those that compress.
ngx_module_t* ngx_modules[] = {&ngx_http_tollgate_module, NULL};
char* ngx_module_names[] = {"ngx_http_tollgate_module", NULL};
char* ngx_module_order[] = {"ngx_http_tollgate_module", "ngx_http_copy_filter_module", NULL};
