/*
 * listen.c - one request that follows a thread: all runs of it, one after the other.
 *
 * The stream ends when the thread is deleted.  When the client's token expires, or the
 * server stops, the connection is reset, so that the client reconnects with Last-Event-ID.
 *
 * A struct listening is on the heap: it outlives the request.  It is freed at the end of
 * the turn, never inside a callback.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/client.h"

#include "base/mem.h"
#include "run/listen.h"

struct listening {
	struct thread_ear e;
	struct api *api;
	struct client client;
	struct shard_job leave;
};

/* ---- leaving --------------------------------------------------------------------- */

static void
leave(struct shard_job *job)
{
	struct listening *x = CONTAINER_OF(job, struct listening, leave);

	thread_unlisten(&x->e);
	free(x);
}

static void
leave_soon(struct listening *x)
{
	x->leave.run = leave;
	shard_at_turn_end(x->api->shard, &x->leave);
}

static void
client_gone(struct client *cl, bool expired)
{
	(void)expired;
	leave_soon(CONTAINER_OF(cl, struct listening, client));
}

static void
ear_ended(struct thread_ear *e, int rc)
{
	struct listening *x = CONTAINER_OF(e, struct listening, e);
	struct sse *sse = x->client.sse;

	if (sse == NULL)
		return;                      /* it leaves already */
	client_leave(&x->client);
	leave_soon(x);
	if (rc == ERR_NOTFOUND)
		sse_end(sse);
	else
		sse_abort(sse);
}

static void
ear_frames(struct thread_ear *e, struct sse_block *b)
{
	struct listening *x = CONTAINER_OF(e, struct listening, e);

	if (x->client.sse != NULL)
		sse_send(x->client.sse, b);
}

/* ---- what is asked ---------------------------------------------------------------- */

/* Both spellings, for the API's document has one and the SDKs send the other. */
static unsigned
read_modes(struct call *c)
{
	static const char *const names[] = { "stream_modes", "stream_mode" };
	unsigned modes = 0;

	for (size_t i = 0; i < COUNT(names); i++) {
		struct words list = param_list(c, names[i]);

		for (size_t k = 0; k < list.n; k++) {
			int bit = words_index(c, names[i], listen_mode_names, list.at[k]);

			modes |= bit >= 0 ? 1u << bit : 0;
		}
	}
	return modes != 0 ? modes : LISTEN_RUNS;
}

/* RUN:N, RUN:end, or - for all that is kept. */
static void
read_position(struct call *c, struct thread_ear *e)
{
	struct str text = str_trim(http_header(c->r, S("last-event-id")));
	struct str run, number;
	bool ok = true;

	e->after = INT64_MAX;
	if (text.n == 0)
		return;
	if (str_eq(text, S("-")) || str_eq(text, S("-1"))) {
		e->after = -1;
		return;
	}
	run = str_sub(text, 0, UUID_TEXT);
	number = str_sub(text, UUID_TEXT + 1, text.n);
	ok = uuid_parse(run, &e->run_id) && text.n > UUID_TEXT && text.p[UUID_TEXT] == ':' &&
	    (str_eq(number, S("end")) || str_to_i64(number, &e->after));
	if (!ok)
		fields_fail(c->in, "Last-Event-ID", ERR_INVALID, "expected - or the id of "
		    "an event of this stream, got \"%.*s\"", FMT(param_shown(text)));
}

/* Where a client that was cut finds the same again. */
static struct str
location(struct call *c)
{
	return arena_fmt(&c->r->arena, "%.*slocation: %.*s%s%.*s\r\n",
	    FMT(call_cors(c)), FMT(c->r->path), c->r->query.n > 0 ? "?" : "", FMT(c->r->query));
}

int
api_thread_stream(struct call *c)
{
	struct listening *x;
	struct thread_ear e = { .frames = ear_frames, .end = ear_ended };
	struct store_thread t;
	int rc;

	e.modes = read_modes(c);
	read_position(c, &e);
	rc = c->in->rc;
	if (rc == OK && c->api->draining)
		rc = err_set(&c->err, ERR_BUSY, "the server is stopping");
	if (rc == OK)
		rc = api_thread_find(c, &t);
	if (rc < 0)
		return rc;
	x = mem_new(struct listening);
	x->e = e;
	x->api = c->api;
	rc = thread_listen(c->api->runs, c->owner, &t, &x->e);
	if (rc < 0) {
		free(x);
		return err_set(&c->err, rc, "%d streams of threads are open already; try "
		    "again", LIMIT_LISTENERS);
	}
	client_wait(&x->client, c, client_gone);
	client_stream(&x->client, location(c));
	return OK;
}
