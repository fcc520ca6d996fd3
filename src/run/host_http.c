/*
 * host_http.c - pages of the web, for tasks: GET of hosts that the operator allows.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/limits.h"
#include "base/mem.h"
#include "run/job_priv.h"

struct page {
	struct task_http *h;
	struct job_task *task;
	struct run *run;
	struct client_call *call;
	struct wheel_timer late;
	struct buf body;
};

static void
page_free(struct page *g)
{
	shard_timer_cancel(g->run->rs->shard, &g->late);
	buf_release(&g->body);
	run_drop(g->run);
	free(g);
}

static void
on_data(void *ctx, struct str bytes)
{
	struct page *g = ctx;

	buf_add(&g->body, bytes);
}

static void
page_ends(struct page *g, int rc, const struct task_http_answer *a, const struct err *e)
{
	struct task_http *h = g->h;
	struct run *run = run_hold(g->run);

	struct note note = job_task_note(g->task);

	note_result(&note, &(struct note_result){ .of = S("http"), .what = h->url,
	    .rc = rc, .status = rc == OK ? a->status : 0,
	    .type = rc == OK ? a->content_type : STR_NONE,
	    .text = rc == OK ? a->body : STR_NONE,
	    .words = rc == OK ? STR_NONE : str_of(e->text) });
	h->host_data = NULL;
	h->done(h, rc, a, e);
	page_free(g);
	job_pump_drop(run);
}

static void
on_done(void *ctx, int rc, const struct client_answer *a, const struct err *e)
{
	struct page *g = ctx;
	const struct task_http_answer answer = { .status = a->status,
	    .content_type = a->content_type, .body = buf_str(&g->body) };

	g->call = NULL;
	page_ends(g, rc, &answer, e);
}

static void
on_late(struct wheel_timer *timer)
{
	struct page *g = CONTAINER_OF(timer, struct page, late);
	struct err e;

	client_cancel(g->call);
	g->call = NULL;
	err_set(&e, ERR_TIMEOUT, "no answer within %d ms", LIMIT_HTTP_GET_MS);
	page_ends(g, ERR_TIMEOUT, NULL, &e);
}

void
host_http(void *ctx, struct task_http *h)
{
	struct job_task *t = ctx;
	struct run *run = t->job->run;
	struct page *g = mem_new(struct page);
	const struct client_hooks hooks = { .data = on_data, .done = on_done, .ctx = g };
	const struct client_request q = { .method = S("GET"), .url = h->url,
	    .headers = S("Accept: application/json, text/*;q=0.9, */*;q=0.5\r\n"
	    "User-Agent: cohort/" COHORT_VERSION "\r\n"),
	    .public_only = !run->rs->http_private, .body_max = LIMIT_HTTP_GET_BYTES };

	g->h = h;
	g->task = t;
	g->run = run_hold(run);
	g->body = BUF((size_t)LIMIT_HTTP_GET_BYTES);
	g->late.fire = on_late;
	h->host_data = g;
	shard_timer_set(run->rs->shard, &g->late, LIMIT_HTTP_GET_MS);
	g->call = client_start(run->rs->client, &q, &hooks);
}

void
host_http_stop(void *ctx, struct task_http *h)
{
	struct page *g = h->host_data;

	(void)ctx;
	if (g == NULL)
		return;
	h->host_data = NULL;
	client_cancel(g->call);
	page_free(g);
}

struct str
host_http_hosts(void *ctx)
{
	const struct job_task *t = ctx;

	return t->job->run->rs->http_hosts;
}
