/*
 * feed.c - one request that follows a project's events.
 *
 *            first read is back         client gone, or drain
 *   ASKED ---------------------> OPEN -----------------------> LEAVING
 *     | it failed                                                |
 *     v                          nothing of it is under way any more
 *   (answered)                                                   v
 *                                                              (freed)
 *
 * It listens before its first read, so that no commit is missed.  After each
 * notification it reads the rows after the last one it sent, in pages, and only
 * as fast as the client takes them.
 *
 * A row is one event, `work.KIND`, whose id is its number.  Where the item became
 * ready by it, `work.ready` follows and has the id instead, so that a client that
 * loses its connection between the two gets both again.
 *
 * SPDX-License-Identifier: MIT
 */
#include "api/client.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/mem.h"

#define QUEUED_MAX (64 * KB)                 /* unsent bytes; over it no read begins */
#define QUEUED_MS  20                        /* until the next look at them */

struct feed {
	struct feed *next, *prev;            /* of its api */
	struct api *api;
	struct client client;                /* both NULL: it leaves */
	struct http_req *r;
	struct work_cmd cmd;
	struct arena arena;                  /* of one read */
	struct buf frames;
	struct work_listener listener;
	struct wheel_timer timer;            /* the client is slow */
	char project[LIMIT_WORK_PROJECT_BYTES];
	int64_t after;                       /* the last row sent */
	bool reading, leaving;
	bool listening;
	bool job_posted;                     /* known once it has left */
	bool more;                           /* notified while reading */
};

static void feed_read(struct feed *f);

static void
check_feed(const struct feed *f)
{
	assert(f->api != NULL && f->r != NULL);
	assert(!f->leaving || !f->listening);
	assert(f->next == NULL || f->next->prev == f);
	assert((f->prev == NULL ? f->api->feeds : f->prev->next) == f);
}

/* ---- leaving ------------------------------------------------------------------ */

static void
feed_free(struct feed *f)
{
	struct api *a = f->api;

	if (f->prev != NULL)
		f->prev->next = f->next;
	else
		a->feeds = f->next;
	if (f->next != NULL)
		f->next->prev = f->prev;
	arena_release(&f->arena);
	buf_release(&f->frames);
	free(f);
	api_drained(a);
}

/* After client_leave.  Frees f once no read and no notification of it is under way. */
static void
feed_leave(struct feed *f)
{
	check_feed(f);
	assert(!f->leaving);
	f->leaving = true;
	shard_timer_cancel(f->api->shard, &f->timer);
	if (f->listening)
		f->job_posted = work_unlisten(f->api->shared->o.store, &f->listener);
	f->listening = false;
	if (!f->reading && !f->job_posted)
		feed_free(f);
}

static void
client_gone(struct client *cl, bool expired)
{
	(void)expired;
	feed_leave(CONTAINER_OF(cl, struct feed, client));
}

/* ---- rows ---------------------------------------------------------------------- */

static void
add_row(struct feed *f, struct str line)
{
	struct json_doc d = { 0 };
	char name[64];
	int64_t seq;
	bool ready;

	if (json_parse(&d, line, NULL) == OK) {
		seq = json_int(json_get(d.root, S("seq")));
		ready = json_bool(json_get(d.root, S("ready")));
		snprintf(name, sizeof name, "work.%.*s",
		    FMT(str_sub(json_str(json_get(d.root, S("kind"))), 0, 48)));
		sse_add_frame(&f->frames, str_of(name), line, ready ? -1 : seq);
		if (ready)
			sse_add_frame(&f->frames, S("work.ready"), line, seq);
	}
	json_release(&d);
}

static size_t
send_rows(struct feed *f)
{
	struct str rest = f->cmd.data, line;
	struct sse_block *b;
	size_t n = 0;

	buf_clear(&f->frames);
	while (rest.n > 0 && str_next(&rest, '\n', &line)) {
		if (line.n == 0)
			continue;
		add_row(f, line);
		n++;
	}
	if (n > 0) {
		b = sse_block_new(buf_str(&f->frames));
		sse_send(f->client.sse, b);
		sse_block_drop(b);
	}
	return n;
}

static void
on_timer(struct wheel_timer *t)
{
	feed_read(CONTAINER_OF(t, struct feed, timer));
}

/* The next page, once the client has taken enough. */
static void
feed_go_on(struct feed *f)
{
	if (http_stream_queued(f->r) > QUEUED_MAX)
		shard_timer_set(f->api->shard, &f->timer, QUEUED_MS);
	else
		feed_read(f);
}

/* ---- reading ------------------------------------------------------------------- */

static void
feed_end(struct feed *f, int rc, const char *words)
{
	struct call *c = f->client.call;
	struct sse *sse = f->client.sse;

	client_leave(&f->client);
	feed_leave(f);
	if (c != NULL)
		call_finish(c, err_set(&c->err, rc, "%s", words));
	else
		sse_end(sse);                /* it resumes by Last-Event-ID */
}

static void
feed_failed(struct feed *f)
{
	struct err e = f->cmd.cmd.err;       /* f may be freed */

	feed_end(f, f->cmd.cmd.rc, e.text);
}

static void
feed_came(struct store_cmd *cmd)
{
	struct feed *f = CONTAINER_OF(cmd, struct feed, cmd.cmd);
	size_t n;

	check_feed(f);
	f->reading = false;
	if (f->leaving) {
		if (!f->job_posted)
			feed_free(f);
		return;
	}
	if (cmd->rc != OK) {
		feed_failed(f);
		return;
	}
	f->after = f->cmd.last;
	if (f->client.sse == NULL)
		client_stream(&f->client, call_cors(f->client.call));
	n = send_rows(f);
	arena_clear(&f->arena);
	if (n > 0 || f->more)
		feed_go_on(f);
}

static void
feed_read(struct feed *f)
{
	struct api *a = f->api;
	int rc;

	check_feed(f);
	assert(!f->reading && !f->leaving);
	f->reading = true;
	f->more = false;
	f->cmd = (struct work_cmd){ .project = f->listener.project,
	    .after = f->after, .now = shard_wall(a->shard),
	    .cmd = { .owner = f->listener.owner, .arena = &f->arena,
	    .done = feed_came } };
	/* Once submitted the command belongs to the store. */
	rc = work_submit(a->shared->o.store, a->shard, &f->cmd);
	if (rc == OK)
		return;
	f->reading = false;
	f->cmd.cmd.rc = err_set(&f->cmd.cmd.err, rc, "the store is busy; try again");
	feed_failed(f);
}

/* On the shard, after a commit. */
static void
on_news(struct shard_job *job)
{
	struct feed *f = CONTAINER_OF(job, struct feed, listener.job);

	check_feed(f);
	if (f->leaving) {
		f->job_posted = false;
		if (!f->reading)
			feed_free(f);
		return;
	}
	work_listen_again(f->api->shared->o.store, &f->listener);
	if (f->reading)
		f->more = true;
	else if (!wheel_armed(&f->timer))
		feed_read(f);
}

/* ---- beginning ------------------------------------------------------------------ */

/* Last-Event-ID, else ?after=, else only what is new. */
static int64_t
read_after(struct call *c)
{
	int64_t after = -1;

	if (http_header(c->r, S("last-event-id")).n == 0) {
		param_int(c, "after", 0, INT64_MAX, &after);
		return after;
	}
	header_event_id(c, &after);
	return after < 0 ? 0 : after;
}

int
api_work_events(struct call *c)
{
	struct api *a = c->api;
	struct str project = api_work_project(c);
	int64_t after = read_after(c);
	struct feed *f;

	if (c->in->rc == OK && a->draining)
		c->in->rc = err_set(&c->err, ERR_BUSY, "the server is stopping");
	if (c->in->rc < 0)
		return c->in->rc;
	f = mem_new(struct feed);
	f->api = a;
	f->r = c->r;
	f->after = after;
	f->arena = ARENA(LIMIT_WORK_MEMORY_BYTES);
	f->frames = BUF(LIMIT_WORK_MEMORY_BYTES);
	f->timer.fire = on_timer;
	memcpy(f->project, project.p, project.n);
	f->listener = (struct work_listener){ .shard = a->shard,
	    .job.run = on_news, .owner = c->owner,
	    .project = { f->project, project.n } };
	f->next = a->feeds;
	if (f->next != NULL)
		f->next->prev = f;
	a->feeds = f;
	client_wait(&f->client, c, client_gone);
	f->listening = true;
	work_listen(a->shared->o.store, &f->listener);
	feed_read(f);
	return OK;
}

void
feeds_end(struct api *a)
{
	struct feed *f, *next;

	for (f = a->feeds; f != NULL; f = next) {
		next = f->next;
		if (!f->leaving)
			feed_end(f, ERR_BUSY, "the server is stopping");
	}
}
