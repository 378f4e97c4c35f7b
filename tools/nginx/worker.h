#pragma once

#include <stddef.h>
#include <stdint.h>

#include "tollgate/c/tollgate.h"

// What the module asks of tollgate, in C: the decisions, answers and list filters of one nginx worker, by the
// same code that answers proxies in tollgated. The conventions are those of c/tollgate.h (1, 4, 9, 10). Owner
// thread only, all of it: nginx has one thread that handles requests.
#ifdef __cplusplus
#define TOLLGATE_WORKER_NOEXCEPT noexcept
extern "C" {
#else
#define TOLLGATE_WORKER_NOEXCEPT
#endif

// A configuration: docs/configuration.md, with `proxy: nginx_module`. Plain memory, which lives through a
// fork.
typedef struct tollgate_site tollgate_site;

// tollgate_site_read reads and checks the file at `path`; NULL, and one line in `error`, for one with a
// mistake. Leaves no trace.
tollgate_site* tollgate_site_read(const char* path, char* error, size_t capacity) TOLLGATE_WORKER_NOEXCEPT;
void tollgate_site_free(tollgate_site* site) TOLLGATE_WORKER_NOEXCEPT;

// tollgate_site_server returns the position of the server of this name, SIZE_MAX if there is none.
size_t tollgate_site_server(const tollgate_site* site, tollgate_string name) TOLLGATE_WORKER_NOEXCEPT;
// tollgate_site_body_max returns how much of a body a server's questions may have; 0: none is looked at.
size_t tollgate_site_body_max(const tollgate_site* site, size_t server) TOLLGATE_WORKER_NOEXCEPT;
// tollgate_site_wait_max_ms returns how long an answer may take.
uint64_t tollgate_site_wait_max_ms(const tollgate_site* site) TOLLGATE_WORKER_NOEXCEPT;

// The engine of one worker, made after the fork.
typedef struct tollgate_worker tollgate_worker;

// tollgate_worker_new starts one; NULL, and one line in `error`, if it cannot. `wants` is memory that all
// workers share, 0 at first; it and the site outlive the worker.
tollgate_worker* tollgate_worker_new(const tollgate_site* site, uint64_t* wants, char* error,
                                     size_t capacity) TOLLGATE_WORKER_NOEXCEPT;
void tollgate_worker_free(tollgate_worker* worker) TOLLGATE_WORKER_NOEXCEPT;

// tollgate_worker_fd returns a descriptor that can be read when an answer has come that was not there at
// once. It stays the worker's.
int tollgate_worker_fd(const tollgate_worker* worker) TOLLGATE_WORKER_NOEXCEPT;

// tollgate_worker_take calls `answered` for each question whose answer has come since, but for those that
// have been freed.
void tollgate_worker_take(tollgate_worker* worker, void (*answered)(void* user)) TOLLGATE_WORKER_NOEXCEPT;

// tollgate_worker_nudge has the keys fetched that other workers want, if this one is who fetches. For every
// tenth of a second.
void tollgate_worker_nudge(tollgate_worker* worker) TOLLGATE_WORKER_NOEXCEPT;
// tollgate_worker_step_down leaves fetching to others: this worker is about to end, or its configuration is
// not the one in force any more.
void tollgate_worker_step_down(tollgate_worker* worker) TOLLGATE_WORKER_NOEXCEPT;

typedef struct tollgate_field {
  tollgate_string name;
  tollgate_string value;
} tollgate_field;

// One request, as received. With server SIZE_MAX it asks for metadata (RFC 9728), and may be of anybody: the
// answer is there at once.
typedef struct tollgate_question {
  size_t server;
  tollgate_string method;
  tollgate_string target;
  tollgate_string body;  // Of a POST, if tollgate_site_body_max is not 0.
  const tollgate_field* fields;
  size_t num_fields;
  uint32_t body_is_partial;  // A flag: it is longer than that.
} tollgate_question;

// tollgate_identity_names returns the names of the fields that say who is calling.
const tollgate_string* tollgate_identity_names(size_t* num) TOLLGATE_WORKER_NOEXCEPT;

// With status 200 the request is allowed, and `fields` are those of tollgate_identity_names, in their order,
// for the server, which is to have none called so of another origin. Anything else, and what answers for
// metadata, is the client's answer, as it is.
typedef struct tollgate_answer {
  uint32_t status;
  uint32_t brings_lists;  // A flag: the server's answer has to go through a list filter.
  const tollgate_field* fields;
  size_t num_fields;
  tollgate_string body;
} tollgate_answer;

typedef struct tollgate_ask tollgate_ask;

// tollgate_worker_ask asks; NULL for want of memory. `user` is for tollgate_worker_take. To be ended by
// tollgate_ask_free, whether an answer has come or not, before the worker ends.
tollgate_ask* tollgate_worker_ask(tollgate_worker* worker, const tollgate_question* question,
                                  void* user) TOLLGATE_WORKER_NOEXCEPT;
// tollgate_ask_answer returns the answer, NULL as long as there is none. Valid until tollgate_ask_free.
const tollgate_answer* tollgate_ask_answer(const tollgate_ask* ask) TOLLGATE_WORKER_NOEXCEPT;
void tollgate_ask_free(tollgate_ask* ask) TOLLGATE_WORKER_NOEXCEPT;

// A filter for the lists in one answer of a server: McpListFilter, with Engine::MayUse.
typedef struct tollgate_lists tollgate_lists;

// tollgate_lists_new returns a filter by what the caller may use at the server, NULL for want of memory. The
// text must outlive it, and so must the worker.
tollgate_lists* tollgate_lists_new(tollgate_worker* worker, size_t server,
                                   tollgate_string authorization) TOLLGATE_WORKER_NOEXCEPT;
void tollgate_lists_free(tollgate_lists* lists) TOLLGATE_WORKER_NOEXCEPT;

// tollgate_lists_add gathers an answer of application/json, and tollgate_lists_filter filters all of it,
// once. tollgate_lists_events takes the next piece of an answer of text/event-stream. All return 1, and what
// may be passed on, which is valid until the next call; or 0: then nothing more may be passed on.
TOLLGATE_MUST_USE uint32_t tollgate_lists_add(tollgate_lists* lists,
                                              tollgate_string piece) TOLLGATE_WORKER_NOEXCEPT;
TOLLGATE_MUST_USE uint32_t tollgate_lists_filter(tollgate_lists* lists,
                                                 tollgate_string* filtered) TOLLGATE_WORKER_NOEXCEPT;
TOLLGATE_MUST_USE uint32_t tollgate_lists_events(tollgate_lists* lists, tollgate_string piece,
                                                 tollgate_string* filtered) TOLLGATE_WORKER_NOEXCEPT;

#ifdef __cplusplus
}
#endif
