/*
 * events.c - one request that reads a thread in the thread protocol: server-sent events
 * of all runs of it, one after the other.
 *
 *           opened                client gone, credentials over, end
 *   ASKED ----------> STREAMS ----------------------------------------> LEAVING
 *     | end, or client gone                                               | at the
 *     v                                                                   v turn's end
 *   (answered)                                                          (freed)
 *
 * The thread need not exist.  The stream ends when the thread is deleted; when the
 * client's credentials end or the server stops, the connection is reset, so that no
 * client takes it for an end.
 *
 * A client that takes its events slowly stops the reader (subscribe.h) until its queue
 * is empty.
 *
 * It is on the heap: it outlives the answer's request.  It leaves at the end of the
 * turn, never inside a callback.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/client.h"
#include "api/command.h"

#include <assert.h>

#include "base/mem.h"

struct events {
	struct subscription s;
	struct api *api;
	struct client client;                /* WAITS in ASKED */
	struct unseen unseen;
	struct shard_job leave;
	bool ended;                          /* s is over */
};

/* ---- leaving -------------------------------------------------------------------- */

static void
leave(struct shard_job *job)
{
	struct events *x = CONTAINER_OF(job, struct events, leave);

	if (!x->ended)
		unsubscribe(&x->s);
	unseen_end(&x->unseen);
	free(x);
}

static void
leave_soon(struct events *x)
{
	x->leave.run = leave;
	shard_at_turn_end(x->api->shard, &x->leave);
}

static void
client_gone(struct client *cl, bool expired)
{
	(void)expired;
	leave_soon(CONTAINER_OF(cl, struct events, client));
}

/* ---- what the thread tells --------------------------------------------------------- */

static void
on_opened(struct subscription *s, int64_t replayed)
{
	struct events *x = CONTAINER_OF(s, struct events, s);

	(void)replayed;
	if (x->client.call == NULL)
		return;                      /* it leaves already */
	client_stream(&x->client, call_cors(x->client.call));
	client_trim(&x->client);
}

static void
on_empty(void *ctx)
{
	struct events *x = CONTAINER_OF(ctx, struct events, client);

	subscription_ready(&x->s);
}

static bool
on_events(struct subscription *s, struct sse_block *b, int64_t first, int64_t last)
{
	struct events *x = CONTAINER_OF(s, struct events, s);
	struct sse *sse = x->client.sse;

	(void)first;
	(void)last;
	if (sse == NULL)
		return true;
	if (!unseen_may(&x->unseen)) {
		unsubscribe(s);              /* as if there were no thread */
		x->ended = true;
		return true;
	}
	sse_send(sse, b);
	if (sse_queued(sse) <= LIMIT_READER_QUEUE_BYTES)
		return true;
	sse_when_empty(sse, on_empty);
	return false;
}

static int
too_many(struct call *c)
{
	return err_set(&c->err, ERR_LIMIT, "too many streams of threads are open, %d of one "
	    "thread or %d of all; try again", LIMIT_THREAD_LISTENERS, LIMIT_LISTENERS);
}

static void
on_end(struct subscription *s, int rc)
{
	struct events *x = CONTAINER_OF(s, struct events, s);
	struct call *c = x->client.call;
	struct sse *sse = x->client.sse;

	x->ended = true;
	if (c == NULL && sse == NULL)
		return;                      /* it leaves already */
	client_leave(&x->client);
	leave_soon(x);
	if (c != NULL)
		call_finish(c, rc == ERR_LIMIT ? too_many(c) :
		    err_set(&c->err, ERR_BUSY, "the server is stopping"));
	else if (rc == ERR_NOTFOUND)
		sse_end(sse);
	else
		sse_abort(sse);
}

/* ---- what is asked ------------------------------------------------------------------- */

/* As commands are refused: 400 and the field. */
static void
failed(struct call *c, int rc, const struct err *e)
{
	struct buf *b = call_out(c);

	c->failed = NULL;
	if (rc != ERR_INVALID && rc != ERR_SYNTAX && rc != ERR_TOOBIG) {
		call_fail(c, rc, e);
		return;
	}
	json_add_fmt(b, "{'type':'error','id':null,'error':'invalid_argument','message':%s}",
	    e->text);
	call_reply(c, 400, S("application/json"), STR_NONE, buf_str(b));
}

/* The body's `since`, or the header of a client that comes back. */
static void
read_position(struct call *c, int64_t *since)
{
	struct str id = str_trim(http_header(c->r, S("last-event-id")));

	if (*since < 0 && id.n > 0)
		*since = protocol_seq(id);
}

static int
read_asked(struct call *c, struct json_doc *doc, struct protocol_filter *f, int64_t *since)
{
	struct err why;
	struct fields in;
	int rc = c->r->body.n == 0 ? err_set(&why, ERR_SYNTAX, "expected {\"channels\": "
	    "[...]}, got nothing") : api_text_parse(c, doc, &why);

	if (rc < 0)
		return err_set(&c->err, rc, "body: %s", why.text);
	fields_open(&in, doc->root, "body", &c->err);
	c->in = &in;
	rc = in.rc == OK ? protocol_filter_read(c, f, since) : in.rc;
	c->in = NULL;
	read_position(c, since);
	return rc;
}

static int
open_events(struct call *c, const struct protocol_filter *f, int64_t since)
{
	struct events *x = mem_new(struct events);
	int rc;

	x->api = c->api;
	x->s = (struct subscription){ .filter = f, .since = since, .wire = PROTOCOL_SSE,
	    .opened = on_opened, .events = on_events, .end = on_end };
	unseen_begin(&x->unseen, c);
	rc = subscribe(c->api->runs, c->owner, &c->thread_id, &x->s);
	if (rc < 0) {
		unseen_end(&x->unseen);
		free(x);
		return too_many(c);
	}
	client_wait(&x->client, c, client_gone);
	return OK;
}

int
api_events(struct call *c)
{
	struct json_doc doc = { 0 };
	struct protocol_filter f;
	int64_t since;
	int rc;

	c->failed = failed;
	rc = read_asked(c, &doc, &f, &since);
	if (rc == OK && c->api->draining)
		rc = err_set(&c->err, ERR_BUSY, "the server is stopping");
	if (rc == OK)
		rc = open_events(c, &f, since);
	json_release(&doc);
	return rc;
}
