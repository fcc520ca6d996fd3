/*
 * api_priv.h - one request on its way, and the helpers every handler shares.
 *
 * A struct call lives in its request's arena.  A handler reads what it needs
 * from `in` before it returns (the document is released then) and copies it
 * into the arena.  It answers once, or has the call answered once later, as by
 * call->then when its store command is back, and returns OK; or it answers
 * nothing, sets call->err and returns the code, which is the answer then.
 * After an answer the call is gone.
 *
 * Threads: everything here belongs to the call's shard, except the counters
 * of struct metrics, which /metrics reads from any.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef API_API_PRIV_H
#define API_API_PRIV_H

#include "api/api.h"
#include "api/metrics.h"
#include "api/router.h"
#include "base/fields.h"
#include "base/limits.h"
#include "base/map.h"
#include "work/host/guest.h"

#define GRAPHS_MAX 64

struct call;
struct feed;
struct watcher;

/* What a graph id stands for: its system assistant. */
struct graph_id {
	struct str name;
	struct uuid assistant;
};

struct api_shared {
	struct api_options o;
	struct router *router;
	struct http_hooks hooks;
	struct graph_id graphs[GRAPHS_MAX];
	size_t graphs_n;
	struct api **at;                     /* by shard id */
};

struct api {
	struct api_shared *shared;
	struct shard *shard;
	struct runs *runs;
	struct store_reader *reader;
	struct map owners;                   /* subject -> interned owner */
	struct buf out;                      /* scratch for one answer */
	struct buf scratch;                  /* for one text on its way to an arena */
	struct metrics metrics;
	struct waiting *waiting, **waiting_end;      /* for room, in line */
	size_t waiting_n;
	struct wheel_timer room_timer;
	const struct http_req *resumed;      /* was first in line */
	struct feed *feeds;                  /* all of this shard */
	bool draining;                       /* no new ones */
	void (*drained)(void *ctx);          /* when the last one is gone */
	void *drained_ctx;
};

struct call {
	struct api *api;
	struct http_req *r;
	const struct route *route;
	struct str param[ROUTE_PARAMS];      /* in order of the path */
	struct uuid thread_id, run_id;       /* parsed, when the path has them */
	struct principal who;
	owner_t owner;
	struct fields *in;                   /* the body, while the handler runs */
	struct err err;                      /* why the handler failed */
	int (*then)(struct call *c);         /* op came back; as a handler */
	struct watcher *watcher;             /* waiting for a run */
	struct feed *feed;                   /* following a project */
	struct str request_id;               /* of /work/rpc and /mcp, JSON */
	unsigned select;                     /* fields of a search's objects */
	struct str warning;                  /* header lines of the answer */
	union {
		struct store_cmd cmd;
		struct store_owner_intern owner_intern;
		struct store_assistant_create assistant_create;
		struct store_assistant_update assistant_update;
		struct store_assistant_delete assistant_delete;
		struct store_thread_create thread_create;
		struct store_thread_update thread_update;
		struct store_thread_delete thread_delete;
		struct store_run_delete run_delete;
		struct store_thread_search thread_search;
		struct store_assistant_search assistant_search;
		struct store_item_put item_put;
		struct store_item_delete item_delete;
		struct store_item_search item_search;
		struct store_history history;
		struct store_run_list run_list;
		struct work_cmd work;
	} op;
};

/* ---- routes (routes.c) --------------------------------------------------- */

extern const struct route routes[];
extern const size_t routes_n;

/* ---- answering (answer.c) ------------------------------------------------ */

/* Headers every answer carries. */
#define API_CORS                                                              \
	"access-control-allow-origin: *\r\n"                                  \
	"access-control-expose-headers: content-location,location,"           \
	"x-pagination-total,x-pagination-next,x-search-truncated,warning\r\n"

/* The HTTP status of a code: the only place where one becomes the other. */
int  api_status(int rc);

struct buf *call_out(struct call *c);        /* the cleared answer buffer */
void call_reply(struct call *c, int status, struct str content_type,
    struct str extra, struct str body);      /* extra: lines after the CORS ones */
int  call_json(struct call *c, struct str extra);        /* 200 with call_out;
                                                ERR_TOOBIG: not answered */
/* Arms t for the moment the caller's token expires; no-op for tokens that do
 * not expire. */
void call_expires(const struct call *c, struct wheel_timer *t);
void call_empty(struct call *c, int status);
/* The status of rc, with these words. */
void call_error(struct call *c, int rc, const char *format, ...)
    __attribute__((format(printf, 3, 4)));
void call_fail(struct call *c, int rc, const struct err *e);
/* What a handler returned: a code is answered with c->err. */
void call_finish(struct call *c, int rc);
void error_add_body(struct buf *b, bool plain, struct str message);

/* ---- room for large answers (room.c) -------------------------------------- */

/* Call it after the data is read and before the answer is encoded.  False: the
 * call waits for room or was refused; c is gone. */
bool call_has_room(struct call *c);
void room_init(struct api *a);
void room_release(struct api *a);
/* Routes and handles r, again. */
void api_handle(struct api_shared *sh, struct http_req *r);
/* Free the buffer after a large answer. */
void api_trim(struct api *a);

/* ---- store commands (api.c) ---------------------------------------------- */

/* Sends c->op; `then` runs when it is back, if it has not failed.  NULL: the
 * answer is 204.  ERR_BUSY: the queue is full. */
int  call_submit(struct call *c, enum store_op op, int (*then)(struct call *c));

/* One JSON value as text in the request's arena; `absent` when there is none.
 * ERR_INVALID past max, naming the path. */
int  call_text(struct call *c, jnode n, const char *path, struct str absent,
    size_t max, struct str *out);

/* `assistant_id` or `thread_id` of a body: a new one when it is absent. */
int  call_new_id(struct call *c, jnode body, const char *key, struct uuid *id);
extern const char *const api_if_exists[];    /* raise, do_nothing */

/* Members of the object at the end of b. */
void add_text_key(struct buf *b, const char *key, struct str s); /* p NULL: null */
void add_json_key(struct buf *b, const char *key, struct str json);  /* empty: {} */
void add_time_key(struct buf *b, const char *key, msec at);
void add_uuid_key(struct buf *b, const char *key, const struct uuid *id);

/* ---- nouns --------------------------------------------------------------- */

/* By UUID or graph id.  ERR_NOTFOUND. */
int  assistant_find(struct call *c, struct str id, struct store_assistant *out);
/* The thread of the path.  ERR_NOTFOUND. */
int  thread_find(struct call *c, struct store_thread *out);
/* A thread with its state, which is looked up; as a handler. */
int  answer_thread(struct call *c, const struct store_thread *t);

/* Which members an object shows. */
enum {
	SELECT_ID = 1, SELECT_CREATED = 2, SELECT_UPDATED = 4, SELECT_METADATA = 8,
	SELECT_STATUS = 16, SELECT_CONFIG = 32, SELECT_VALUES = 64,
	SELECT_INTERRUPTS = 128, SELECT_ERROR = 256, SELECT_VERSION = 512,
	SELECT_CONTEXT = 1024, SELECT_GRAPH = 2048, SELECT_NAME = 4096,
	SELECT_DESCRIPTION = 8192, SELECT_ALL = 16383
};
void thread_add_json(struct buf *b, const struct store_thread *t,
    const struct store_history_item *state, unsigned select);
void assistant_add_json(struct buf *b, const struct store_assistant *a,
    unsigned select);

/* Fills c->warning for members that look like a misspelt setting.  Only a
 * warning: `configurable` and `context` belong to the client. */
void call_note_settings(struct call *c, jnode config, jnode context);

/* The answer to a run that did not begin. */
void call_run_failed(struct call *c, int rc, const struct err *e);
/* Content-Location of a run, and Location with this last segment (NULL: no
 * Location), as header lines in the request's arena. */
struct str call_location(struct call *c, const struct uuid *thread_id,
    const struct uuid *run_id, const char *last);

/* ---- handlers ------------------------------------------------------------ */

typedef int handler(struct call *c);

handler system_page, system_ok, system_info, system_health, system_metrics, system_openapi;
handler assistant_create, assistant_get, assistant_update, assistant_delete;
handler assistant_search, assistant_count;
handler thread_create, thread_get, thread_update, thread_delete, thread_state,
    thread_history, thread_history_get, thread_search, thread_count;
handler run_create_handler, run_wait_handler, run_stream_handler,
    run_list_handler, run_get_handler, run_join_handler,
    run_join_stream_handler, run_cancel_handler, run_delete_handler;
handler stateless_create, stateless_wait, stateless_stream, stateless_join,
    stateless_join_stream;
handler work_rpc, work_item_list, work_item_create, work_item_get,
    work_item_update, work_item_delete, work_item_close, work_ready, work_claim,
    work_batch, work_events_handler, work_mcp_handler;
handler item_put, item_get, item_delete, item_search;

/* ---- the tracker (work.c) ------------------------------------------------ */

/* The project a request is about.  ERR_INVALID in c->err. */
int  work_project(struct call *c, struct str *out);
/* Fills c->op.work with what every request has. */
int  work_prepare(struct call *c);
int  work_send(struct call *c, struct str operation, int (*then)(struct call *c));

/* ---- waiting for a run (watch.c) ----------------------------------------- */

enum watch_kind { WATCH_WAIT, WATCH_JOIN, WATCH_STREAM, WATCH_JOIN_STREAM };

/* Starts the run and answers through a watcher. */
int  watch_start(struct call *c, enum watch_kind kind,
    const struct run_request *q, bool cancel_on_gone);
/* Joins a run.  known: its row was seen, so the answer may begin. */
void watch_join(struct call *c, enum watch_kind kind, bool known,
    unsigned modes, int64_t after, bool cancel_on_gone);

#endif
