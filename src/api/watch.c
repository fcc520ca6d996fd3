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
 * The watcher is on the heap: a stream outlives the answer's request.  How it leaves
 * is follow.h's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/follow.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"

#define BLIND_OPEN_MS 250                    /* a join without a row opens then */

struct watcher {
	struct follow f;
	struct wheel_timer timer;            /* the next blank line, or opening */
	enum watch_kind kind;
	bool told;                           /* frames were sent */
	struct str *namespaces;              /* a copy: w outlives the request */
};

static bool
is_stream(const struct watcher *wa)
{
	return wa->kind == WATCH_STREAM || wa->kind == WATCH_JOIN_STREAM;
}

static void
watcher_release(struct follow *f)
{
	struct watcher *wa = CONTAINER_OF(f, struct watcher, f);

	shard_timer_cancel(f->api->shard, &wa->timer);
	for (size_t i = 0; i < f->w.namespaces_n; i++)
		free((char *)wa->namespaces[i].p);
	free(wa->namespaces);
	free(wa);
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

/* Sends the head.  Then a stream's request belongs to net/sse. */
static void
watcher_open(struct watcher *wa, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct call *c = wa->f.client.call;
	struct str lines = call_location(c, thread_id, run_id,
	    is_stream(wa) ? "stream" : "join");

	assert(!wa->f.open);
	if (is_stream(wa)) {
		shard_timer_cancel(wa->f.api->shard, &wa->timer);
		follow_stream(&wa->f, lines);
		return;
	}
	wa->f.open = true;
	lines = arena_fmt(&c->r->arena, "%.*s%.*s", FMT(call_cors(c)), FMT(lines));
	wa->timer.fire = beat;
	shard_timer_set(wa->f.api->shard, &wa->timer, LIMIT_SSE_HEARTBEAT_MS);
	http_stream_begin(c->r, 200, S("application/json"), lines);
}

/* Blank bytes before the JSON keep proxies and clients from timing out. */
static void
beat(struct wheel_timer *t)
{
	struct watcher *wa = CONTAINER_OF(t, struct watcher, timer);

	if (wa->f.leaving)
		return;
	if (!wa->f.open) {
		watcher_open(wa, &wa->f.client.call->thread_id, &wa->f.client.call->run_id);
		return;
	}
	shard_timer_set(wa->f.api->shard, &wa->timer, LIMIT_SSE_HEARTBEAT_MS);
	http_stream_write(wa->f.client.call->r, S("\n"));
}

/* ---- what the run tells -------------------------------------------------- */

static void
run_started(struct run_watch *w, const struct uuid *thread_id,
    const struct uuid *run_id)
{
	struct watcher *wa = CONTAINER_OF(w, struct watcher, f.w);

	if (!wa->f.leaving)
		watcher_open(wa, thread_id, run_id);
}

static void
run_frames(struct run_watch *w, struct sse_block *b)
{
	struct watcher *wa = CONTAINER_OF(w, struct watcher, f.w);

	if (wa->f.leaving)
		return;
	if (!wa->f.open)
		watcher_open(wa, &wa->f.client.call->thread_id, &wa->f.client.call->run_id);
	wa->told = true;
	if (wa->f.client.sse != NULL)
		sse_send(wa->f.client.sse, b);
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

	uuid_format(&wa->f.w.run_id, id);
	json_add_fmt(&data, "{'run_id':%.*s,'status':%s}", UUID_TEXT, id,
	    run_end_name(end));
	send_frame(wa->f.client.sse, S("end"), buf_str(&data));
	buf_release(&data);
}

/* As the official server: a stream of an unknown run is 200 with one `error`
 * event. */
static void
send_unknown(struct watcher *wa)
{
	send_frame(wa->f.client.sse, S("error"), S("{\"error\":\"HTTPError\",\"message\":"
	    "\"HTTP 404: Run not found\"}"));
}

static void
end_stream(struct watcher *wa, int rc, const struct run_end *end)
{
	bool failed = rc == OK && end->error_json.n > 0 && wa->told;

	if (rc < 0 && rc != ERR_NOTFOUND) {
		sse_abort(wa->f.client.sse);
		return;
	}
	if (rc == ERR_NOTFOUND)
		send_unknown(wa);
	else if (wa->f.api->shared->o.end_event && !failed)
		send_end(wa, end);
	sse_end(wa->f.client.sse);
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
	struct watcher *wa = CONTAINER_OF(w, struct watcher, f.w);
	struct call *c = wa->f.client.call;

	wa->f.ended = true;
	if (wa->f.leaving)
		return;                     /* it is freed at the turn's end */
	if (wa->f.client.sse != NULL) {
		end_stream(wa, rc, end);
		follow_free(&wa->f);
		return;
	}
	http_on_gone(c->r, NULL);
	if (!wa->f.open) {
		end_closed(wa, c, rc, end, e);
	} else if (rc == ERR_CLOSED || rc == ERR_BUSY) {
		http_stream_abort(c->r);    /* it goes on, and can be joined */
	} else {
		http_stream_write(c->r, end_body(wa, c, rc, end, e));
		http_stream_end(c->r);
		api_trim(wa->f.api);
	}
	follow_free(&wa->f);
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
	wa->f.w.namespaces = wa->namespaces;
	wa->f.w.namespaces_n = list.n;
}

static struct watcher *
watcher_new(struct call *c, enum watch_kind kind, bool cancel_on_gone)
{
	struct watcher *wa = mem_new(struct watcher);

	wa->kind = kind;
	wa->f.resumes = true;
	wa->f.release = watcher_release;
	wa->f.w = (struct run_watch){ .after = -1, .cancel_on_gone = cancel_on_gone,
	    .wants_events = is_stream(wa), .started = run_started,
	    .frames = run_frames, .end = run_ended };
	watch_namespaces(wa, c->namespaces);
	follow_begin(&wa->f, c);
	return wa;
}

int
watch_start(struct call *c, enum watch_kind kind, const struct run_request *q,
    bool cancel_on_gone)
{
	struct watcher *wa = watcher_new(c, kind, cancel_on_gone);
	int rc;

	wa->f.w.modes = q->modes;
	rc = run_start(c->api->runs, q, &wa->f.w, NULL, NULL, &c->err);
	if (rc < 0) {
		http_on_gone(c->r, NULL);
		follow_free(&wa->f);
	}
	return rc;
}

void
watch_join(struct call *c, enum watch_kind kind, bool known, unsigned modes,
    int64_t after, bool cancel_on_gone)
{
	struct watcher *wa = watcher_new(c, kind, cancel_on_gone);

	wa->f.w.modes = modes;
	wa->f.w.after = after;
	if (after == -1)
		wa->f.w.after_checkpoint = c->after_checkpoint;
	if (known && is_stream(wa)) {
		watcher_open(wa, &c->thread_id, &c->run_id);
	} else {
		wa->timer.fire = beat;
		shard_timer_set(wa->f.api->shard, &wa->timer, known ?
		    LIMIT_SSE_HEARTBEAT_MS : BLIND_OPEN_MS);
	}
	/* The end may come before this returns, and wa with it. */
	run_join(wa->f.api->runs, c->owner, &c->thread_id, &c->run_id, &wa->f.w);
}
