/*
 * watch.c - one request that waits for a run: wait, join, and both streams.
 *
 *             started, or a row was seen         end
 *   ASKED ------------------------------> OPEN -------> (answered)
 *     | end: a whole answer, or an error    |
 *     | client gone                         | client gone
 *     v                                     v
 *   (answered)                            (unwatched at the turn's end)
 *
 * OPEN means that the head was sent: a wait then sends one blank line every few
 * seconds, a stream uses net/sse.  A join of a run that has no row (stateless)
 * opens at its first frame or after a moment, so that a run that does not exist
 * can still be answered 404.
 *
 * The end of a stream.  When the run has ended: `event: end` with its status (by
 * setting; not after `event: error`), then an orderly close.  When the run goes
 * on elsewhere, or after a restart: the connection is reset, so that clients
 * resume with Last-Event-ID and do not take what they have for the whole.
 *
 * The watcher is on the heap: a stream outlives the answer's request.  It leaves
 * at the end of the turn, never inside a callback of the run.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/api_priv.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "net/sse.h"

#define BLIND_OPEN_MS 250                    /* a join without a row opens then */

struct watcher {
	struct run_watch w;
	struct api *api;
	struct call *call;                   /* NULL once the answer has begun as
	                                        SSE, or has ended */
	struct sse *sse;
	struct wheel_timer timer;            /* the next blank line, or opening */
	struct standing standing;            /* of a stream: its token ends */
	struct shard_job leave;
	enum watch_kind kind;
	bool open, ended, leaving;
	bool told;                           /* frames were sent */
	struct str *namespaces;              /* a copy: w outlives the request */
};

static bool
is_stream(const struct watcher *wa)
{
	return wa->kind == WATCH_STREAM || wa->kind == WATCH_JOIN_STREAM;
}

static void
check_watcher(const struct watcher *wa)
{
	assert(wa->api != NULL);
	assert(wa->sse == NULL || (wa->open && is_stream(wa)));
	assert(wa->call != NULL || wa->sse != NULL || wa->leaving);
}

static void
watcher_free(struct watcher *wa)
{
	shard_timer_cancel(wa->api->shard, &wa->timer);
	standing_end(&wa->standing);
	atomic_fetch_sub_explicit(&wa->api->metrics.watchers, 1,
	    memory_order_relaxed);
	for (size_t i = 0; i < wa->w.namespaces_n; i++)
		free((char *)wa->namespaces[i].p);
	free(wa->namespaces);
	free(wa);
}

/* ---- leaving ------------------------------------------------------------- */

static void
leave(struct shard_job *job)
{
	struct watcher *wa = CONTAINER_OF(job, struct watcher, leave);

	/* The server stops; the client has not left. */
	if (wa->api->draining)
		wa->w.cancel_on_gone = false;
	if (!wa->ended)
		run_unwatch(&wa->w);
	watcher_free(wa);
}

/* The client has left; the run is told at the end of this turn. */
static void
leave_soon(struct watcher *wa)
{
	check_watcher(wa);
	assert(!wa->leaving);
	wa->leaving = true;
	wa->sse = NULL;
	wa->call = NULL;
	shard_timer_cancel(wa->api->shard, &wa->timer);
	standing_end(&wa->standing);
	wa->leave.run = leave;
	shard_at_turn_end(wa->api->shard, &wa->leave);
}

static void
stream_gone(void *ctx)
{
	leave_soon(ctx);
}

static void
request_gone(struct http_req *r)
{
	struct call *c = r->user;
	struct watcher *wa = c->watcher;
	bool open = wa->open;

	check_watcher(wa);
	leave_soon(wa);
	if (open)
		http_stream_end(r);
	else
		call_empty(c, 204);
}

/* ---- opening ------------------------------------------------------------- */

struct str
call_location(struct call *c, const struct uuid *thread_id,
    const struct uuid *run_id, const char *last)
{
	char thread[UUID_TEXT], run[UUID_TEXT];
	struct str path;

	uuid_format(thread_id, thread);
	uuid_format(run_id, run);
	/* The thread of a stateless run is internal. */
	if (uuid_is_zero(&c->thread_id))
		path = arena_fmt(&c->r->arena, "/runs/%.*s", UUID_TEXT, run);
	else
		path = arena_fmt(&c->r->arena, "/threads/%.*s/runs/%.*s",
		    UUID_TEXT, thread, UUID_TEXT, run);
	if (c->lines.n > 0)
		log_warn("run", "setting_unknown", "run=%.*s thread=%.*s told=%.*s",
		    UUID_TEXT, run, UUID_TEXT, thread, FMT(c->lines));
	if (last == NULL)
		return arena_fmt(&c->r->arena, "content-location: %.*s\r\n%.*s",
		    FMT(path), FMT(c->lines));
	return arena_fmt(&c->r->arena,
	    "content-location: %.*s\r\nlocation: %.*s/%s\r\n%.*s", FMT(path),
	    FMT(path), last, FMT(c->lines));
}

static void beat(struct wheel_timer *t);

/* The reader's token has expired while the run goes on.  A client with a new
 * token resumes here; others get 401. */
static void
expire(struct standing *s)
{
	struct watcher *wa = CONTAINER_OF(s, struct watcher, standing);
	struct sse *sse = wa->sse;

	check_watcher(wa);
	wa->w.cancel_on_gone = false;
	leave_soon(wa);
	sse_abort(sse);
}

/* Sends the head.  Then a stream's request belongs to net/sse. */
static void
watcher_open(struct watcher *wa, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct call *c = wa->call;
	struct str lines;

	assert(!wa->open);
	wa->open = true;
	lines = call_location(c, thread_id, run_id,
	    is_stream(wa) ? "stream" : "join");
	lines = arena_fmt(&c->r->arena, "%.*s%.*s", FMT(call_cors(c)), FMT(lines));
	if (is_stream(wa)) {
		shard_timer_cancel(wa->api->shard, &wa->timer);
		standing_begin(&wa->standing, c, expire);
		wa->call = NULL;
		wa->sse = sse_begin(c->r, lines, stream_gone, wa);
		return;
	}
	wa->timer.fire = beat;
	shard_timer_set(wa->api->shard, &wa->timer, LIMIT_SSE_HEARTBEAT_MS);
	http_stream_begin(c->r, 200, S("application/json"), lines);
}

/* Blank bytes before the JSON keep proxies and clients from timing out. */
static void
beat(struct wheel_timer *t)
{
	struct watcher *wa = CONTAINER_OF(t, struct watcher, timer);

	check_watcher(wa);
	if (!wa->open) {
		watcher_open(wa, &wa->call->thread_id, &wa->call->run_id);
		return;
	}
	shard_timer_set(wa->api->shard, &wa->timer, LIMIT_SSE_HEARTBEAT_MS);
	http_stream_write(wa->call->r, S("\n"));
}

/* ---- what the run tells -------------------------------------------------- */

static void
run_started(struct run_watch *w, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct watcher *wa = CONTAINER_OF(w, struct watcher, w);

	check_watcher(wa);
	if (!wa->leaving)
		watcher_open(wa, thread_id, run_id);
}

static void
run_frames(struct run_watch *w, struct sse_block *b)
{
	struct watcher *wa = CONTAINER_OF(w, struct watcher, w);

	check_watcher(wa);
	if (wa->leaving)
		return;
	if (!wa->open)
		watcher_open(wa, &wa->call->thread_id, &wa->call->run_id);
	wa->told = true;
	if (wa->sse != NULL)
		sse_send(wa->sse, b);
}

static void
send_frame(struct sse *s, struct str name, struct str data)
{
	struct buf frame = BUF(KB);
	struct sse_block *b;

	sse_add_frame(&frame, name, data, -1);
	b = sse_block_new(buf_str(&frame));
	sse_send(s, b);
	sse_block_drop(b);
	buf_release(&frame);
}

/* A frame without an id does not move the client's cursor. */
static void
send_end(struct watcher *wa, const struct run_end *end)
{
	struct buf data = BUF(256);
	char id[UUID_TEXT];

	uuid_format(&wa->w.run_id, id);
	json_add_fmt(&data, "{'run_id':%.*s,'status':%s}", UUID_TEXT, id,
	    run_end_name(end));
	send_frame(wa->sse, S("end"), buf_str(&data));
	buf_release(&data);
}

/* As the official server: a stream of an unknown run is 200 with one `error`
 * event. */
static void
send_unknown(struct watcher *wa)
{
	send_frame(wa->sse, S("error"), S("{\"error\":\"HTTPError\",\"message\":"
	    "\"HTTP 404: Run not found\"}"));
}

static void
end_stream(struct watcher *wa, int rc, const struct run_end *end)
{
	bool failed = rc == OK && end->error_json.n > 0 && wa->told;

	if (rc < 0 && rc != ERR_NOTFOUND) {
		sse_abort(wa->sse);
		return;
	}
	if (rc == ERR_NOTFOUND)
		send_unknown(wa);
	else if (wa->api->shared->o.end_event && !failed)
		send_end(wa, end);
	sse_end(wa->sse);
}

/* The body of wait and join: the values, or the error.  A join of a failed run
 * is no failure. */
static struct str
end_body(struct watcher *wa, struct call *c, int rc, const struct run_end *end,
    const struct err *e)
{
	struct buf *b = call_out(c);

	if (rc < 0)
		json_add_fmt(b, "{'__error__':{'error':%s,'message':%s}}", rc_name(rc),
		    e->text);
	else if (end->error_json.n > 0 && wa->kind == WATCH_WAIT)
		json_add_fmt(b, "{'__error__':%-.*s}", FMT(end->error_json));
	else
		buf_add(b, end->values_json.n > 0 ? end->values_json : S("{}"));
	return buf_str(b);
}

/* The head was not sent yet. */
static void
end_closed(struct watcher *wa, struct call *c, int rc, const struct run_end *end,
    const struct err *e)
{
	bool unknown = wa->kind == WATCH_JOIN_STREAM && rc == ERR_NOTFOUND;
	struct str lines;

	if (is_stream(wa) && (rc == OK || unknown)) {
		watcher_open(wa, &c->thread_id, &c->run_id);
		end_stream(wa, rc, end);
	} else if (rc < 0) {
		call_fail(c, rc, e);
	} else {
		lines = call_location(c, &c->thread_id, &c->run_id, "join");
		call_reply(c, 200, S("application/json"), lines,
		    end_body(wa, c, rc, end, e));
	}
}

static void
run_ended(struct run_watch *w, int rc, const struct run_end *end,
    const struct err *e)
{
	struct watcher *wa = CONTAINER_OF(w, struct watcher, w);
	struct call *c = wa->call;

	check_watcher(wa);
	wa->ended = true;
	if (wa->leaving)
		return;                     /* leave() frees it */
	if (wa->sse != NULL) {
		end_stream(wa, rc, end);
		watcher_free(wa);
		return;
	}
	http_on_gone(c->r, NULL);
	if (!wa->open) {
		end_closed(wa, c, rc, end, e);
	} else if (rc == ERR_CLOSED || rc == ERR_BUSY) {
		http_stream_abort(c->r);    /* it goes on, and can be joined */
	} else {
		http_stream_write(c->r, end_body(wa, c, rc, end, e));
		http_stream_end(c->r);
		api_trim(wa->api);
	}
	watcher_free(wa);
}

/* ---- beginning ----------------------------------------------------------- */

static void
watch_namespaces(struct watcher *wa, struct words list)
{
	if (list.n == 0)
		return;
	wa->namespaces = mem_alloc(list.n * sizeof *wa->namespaces);
	for (size_t i = 0; i < list.n; i++)
		wa->namespaces[i] = (struct str){ mem_cstr(list.at[i]), list.at[i].n };
	wa->w.namespaces = wa->namespaces;
	wa->w.namespaces_n = list.n;
}

static struct watcher *
watcher_new(struct call *c, enum watch_kind kind, bool cancel_on_gone)
{
	struct watcher *wa = mem_new(struct watcher);

	wa->api = c->api;
	wa->call = c;
	wa->kind = kind;
	wa->w = (struct run_watch){ .after = -1, .cancel_on_gone = cancel_on_gone,
	    .wants_events = is_stream(wa), .started = run_started,
	    .frames = run_frames, .end = run_ended };
	watch_namespaces(wa, c->namespaces);
	atomic_fetch_add_explicit(&c->api->metrics.watchers, 1,
	    memory_order_relaxed);
	c->watcher = wa;
	http_on_gone(c->r, request_gone);
	return wa;
}

int
watch_start(struct call *c, enum watch_kind kind, const struct run_request *q,
    bool cancel_on_gone)
{
	struct watcher *wa = watcher_new(c, kind, cancel_on_gone);
	int rc;

	wa->w.modes = q->modes;
	rc = run_start(c->api->runs, q, &wa->w, NULL, NULL, &c->err);
	if (rc < 0) {
		http_on_gone(c->r, NULL);
		watcher_free(wa);
	}
	return rc;
}

void
watch_join(struct call *c, enum watch_kind kind, bool known, unsigned modes,
    int64_t after, bool cancel_on_gone)
{
	struct watcher *wa = watcher_new(c, kind, cancel_on_gone);

	wa->w.modes = modes;
	wa->w.after = after;
	if (after == -1)
		wa->w.after_checkpoint = c->after_checkpoint;
	if (known && is_stream(wa)) {
		watcher_open(wa, &c->thread_id, &c->run_id);
	} else {
		wa->timer.fire = beat;
		shard_timer_set(wa->api->shard, &wa->timer, known ?
		    LIMIT_SSE_HEARTBEAT_MS : BLIND_OPEN_MS);
	}
	/* The end may come before this returns, and wa with it. */
	run_join(wa->api->runs, c->owner, &c->thread_id, &c->run_id, &wa->w);
}
