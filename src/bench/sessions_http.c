/*
 * sessions_http.c - the arm http: the same sessions through a server.
 *
 * The server and the mock model are processes of this executable, made and ended
 * here; this process is their client, C connections on one event loop.  A session
 * is one run on a new thread, streamed.  What is told of CPU, memory and threads is
 * the server's.
 *
 * SPDX-License-Identifier: MIT
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/id.h"
#include "base/json.h"
#include "base/mem.h"
#include "bench/lean.h"
#include "bench/own.h"
#include "bench/sessions_priv.h"

#define LOOK_MS       50
#define STARTS_MS     256                    /* sessions begun in a millisecond */
#define KEPT_BYTES    32                     /* of a line, to know it by */

struct wire_session {
	struct wire *all;
	struct lean_conn *conn;
	struct wheel_timer start;
	nsec due;
	size_t line_n;
	char line[KEPT_BYTES];               /* its beginning */
	uint64_t frames;
	bool failed;                         /* an error event came */
};

struct wire {
	struct sessions *s;
	struct shard *shard;
	struct own_process mock, server;
	struct lean_target target;
	struct buf body;
	struct wire_session *one;
	size_t open;
	struct wheel_timer look, end;
	nsec cpu;                            /* of this thread, at the beginning */
	double mock_cpu_s;                   /* of the mock, likewise */
};

/* ---- processes ------------------------------------------------------------------- */

static int
start_mock(struct wire *w, struct err *e)
{
	const struct sessions_options *o = w->s->o;
	char ttft[24], tokens[24], token_ms[24];
	const char *args[] = { "mock-llm", "--ttft-ms", ttft, "--tokens", tokens,
	    "--stream-delay-ms", token_ms, NULL };

	snprintf(ttft, sizeof ttft, "%lld", (long long)o->of.ttft);
	snprintf(tokens, sizeof tokens, "%lld", (long long)o->of.tokens);
	snprintf(token_ms, sizeof token_ms, "%lld", (long long)o->of.token_ms);
	return own_start(&w->mock, &w->s->scratch, "mock-llm", args, e);
}

static int
start_server(struct wire *w, struct err *e)
{
	const struct sessions_options *o = w->s->o;
	struct buf text = BUF(1 * MB);
	char path[WB_PATH + 64], url[64], shards[16];
	const char *args[] = { "serve", "--db", "bench.db", "--agents", "agents", "--shards",
	    shards, "--openai-base-url", url, "--openai-api-key", "none", "--insecure", NULL };
	int rc;

	snprintf(path, sizeof path, "%s/agents", w->s->scratch.root);
	mkdir(path, 0700);
	snprintf(path, sizeof path, "%s/agents/" SESSIONS_AGENT ".yaml",
	    w->s->scratch.root);
	sessions_agent_text(o, S("openai:mock-gpt-4o"), &text);
	rc = file_put(path, buf_str(&text), e);
	buf_release(&text);
	snprintf(url, sizeof url, "%s/v1", w->mock.url);
	snprintf(shards, sizeof shards, "%lld", (long long)o->shards);
	return rc == OK ? own_start(&w->server, &w->s->scratch, "serve", args, e) : rc;
}

/* ---- sessions --------------------------------------------------------------------- */

static void
line_end(struct wire_session *x)
{
	struct str line = { x->line, x->line_n };

	if (str_starts(line, S("event: messages")))
		x->frames++;
	else if (str_starts(line, S("event: error")))
		x->failed = true;
	x->line_n = 0;
}

static void
on_data(void *ctx, struct str bytes)
{
	struct wire_session *x = ctx;
	struct str part;

	while (bytes.n > 0) {
		ptrdiff_t end = str_index(bytes, '\n');

		part = end < 0 ? bytes : str_sub(bytes, 0, (size_t)end);
		bytes = end < 0 ? STR_NONE : str_sub(bytes, (size_t)end + 1, bytes.n);
		for (size_t i = 0; i < part.n && x->line_n < KEPT_BYTES; i++)
			x->line[x->line_n++] = part.p[i];
		if (end >= 0)
			line_end(x);
	}
}

static void
on_done(void *ctx, int rc, int status, size_t bytes_in)
{
	struct wire_session *x = ctx;
	struct wire *w = x->all;
	const struct sessions_options *o = w->s->o;
	uint64_t least = (uint64_t)(o->of.turns * o->of.tokens);
	struct tally *t = &w->s->tally[0];
	struct err e = { 0 };

	(void)bytes_in;
	if (rc != OK)
		err_set(&e, rc, "%s", rc_text(rc));
	else if (status != 200)
		err_set(&e, ERR_INVALID, "answered %d", status);
	else if (x->failed)
		err_set(&e, ERR_INVALID, "an error event");
	else if (x->frames < least)
		err_set(&e, ERR_INVALID, "%llu deltas instead of %llu",
		    (unsigned long long)x->frames, (unsigned long long)least);
	if (e.code == OK) {
		t->deltas += least;
		atomic_fetch_add_explicit(&t->turns, (unsigned)o->of.turns,
		    memory_order_relaxed);
	}
	tally_end(t, x->due, e.code, &e);
	if (--w->open == 0)
		shard_stop(w->shard);
}

static void
start_fired(struct wheel_timer *t)
{
	struct wire_session *x = CONTAINER_OF(t, struct wire_session, start);
	struct wire *w = x->all;
	struct uuid thread = uuid_v7();
	char id[UUID_TEXT], path[64 + UUID_TEXT];

	uuid_format(&thread, id);
	snprintf(path, sizeof path, "/threads/%.*s/runs/stream", UUID_TEXT, id);
	lean_send(x->conn, S("POST"), str_of(path), STR_NONE, buf_str(&w->body),
	    w->s->o->of.timeout);
}

static void
look_fired(struct wheel_timer *t)
{
	struct wire *w = CONTAINER_OF(t, struct wire, look);

	sessions_look(w->s);
	shard_timer_set(w->shard, t, LOOK_MS);
}

static void
end_fired(struct wheel_timer *t)
{
	shard_stop(CONTAINER_OF(t, struct wire, end)->shard);
}

static void
body_write(struct wire *w)
{
	struct buf input = BUF(2 * MB);

	w->body = BUF(4 * MB);
	sessions_input_text(w->s->o, &input);
	json_add_fmt(&w->body, "{'assistant_id':%s,'if_not_exists':'create',"
	    "'stream_mode':['messages-tuple'],'durability':%s,'input':%-.*s}",
	    SESSIONS_AGENT, w->s->o->of.durability, FMT(buf_str(&input)));
	buf_release(&input);
}

/* Each of them has one thread: where that is busy all the time, it is measured, and not
 * the server. */
static void
share_begin(struct wire *w)
{
	struct machine_usage u;

	w->cpu = clock_thread();
	w->mock_cpu_s = machine_usage(w->mock.pid, &u) ? u.cpu_s : 0;
}

static void
share_end(struct wire *w)
{
	double wall = (double)(clock_mono() - w->s->began) / NS_PER_S;
	struct machine_usage u;

	w->s->client_share = (double)(clock_thread() - w->cpu) / NS_PER_S / wall;
	w->s->mock_share = machine_usage(w->mock.pid, &u) ? (u.cpu_s - w->mock_cpu_s) / wall : 0;
}

static int
wire_drive(struct wire *w, struct err *e)
{
	static const struct lean_hooks hooks = { .data = on_data, .done = on_done };
	size_t c = (size_t)w->s->o->concurrency;
	int rc = lean_resolve(str_of(w->server.url), &w->target, e);

	if (rc == OK)
		rc = shard_new(&w->shard, 0, e);
	if (rc != OK)
		return rc;
	body_write(w);
	w->one = mem_zero(c * sizeof *w->one);
	w->open = c;
	sessions_begin(w->s);
	share_begin(w);
	for (size_t i = 0; i < c; i++) {
		struct wire_session *x = &w->one[i];

		x->all = w;
		x->due = sessions_due(w->s, i);
		x->conn = lean_new(w->shard, &w->target, &hooks, x);
		x->start.fire = start_fired;
		shard_timer_set(w->shard, &x->start, (x->due - w->s->began) / NS_PER_MS +
		    (msec)(w->s->o->of.arrival == 0 ? i / STARTS_MS : 0));
	}
	w->look.fire = look_fired;
	w->end.fire = end_fired;
	shard_timer_set(w->shard, &w->look, LOOK_MS);
	shard_timer_set(w->shard, &w->end, w->s->o->of.timeout);
	shard_run(w->shard);
	share_end(w);
	sessions_end(w->s);
	for (size_t i = 0; i < c; i++) {
		shard_timer_cancel(w->shard, &w->one[i].start);
		lean_free(w->one[i].conn);
	}
	shard_timer_cancel(w->shard, &w->look);
	shard_timer_cancel(w->shard, &w->end);
	return OK;
}

int
sessions_http(struct sessions *s, struct err *e)
{
	struct wire *w = mem_new(struct wire);
	uint64_t files = machine_files_raise();
	int rc = OK;

	w->s = s;
	sessions_tallies(s, 1);
	if (files < (uint64_t)(3 * s->o->concurrency + 128))
		rc = err_set(e, ERR_LIMIT, "%lld streams need %lld open files; the limit is "
		    "%llu (ulimit -n)", (long long)s->o->concurrency,
		    (long long)(3 * s->o->concurrency + 128), (unsigned long long)files);
	if (rc == OK)
		rc = start_mock(w, e);
	if (rc == OK)
		rc = start_server(w, e);
	s->pid = w->server.pid > 0 ? w->server.pid : s->pid;
	if (rc == OK)
		rc = wire_drive(w, e);
	own_stop(&w->server, &s->scratch);
	own_stop(&w->mock, &s->scratch);
	if (w->shard != NULL)
		shard_free(w->shard);
	buf_release(&w->body);
	free(w->one);
	free(w);
	return rc;
}
