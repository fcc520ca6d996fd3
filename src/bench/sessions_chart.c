/*
 * sessions_chart.c - the arms that run the server's engine in this process: the
 * store, its writer, runs on shards, a chart read from YAML, the scripted model.
 *
 * A session is what a client would make: a run with input on a new thread, and a
 * subscriber to its messages.  Only HTTP is left out.  The subscriber counts the
 * frames that it gets, and a session that got too few or too many has failed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "agent/agent.h"
#include "base/file.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/mem.h"
#include "bench/sessions_priv.h"
#include "llm/script.h"
#include "run/run.h"
#include "task/kinds.h"

#define FRAMES_MORE  3                       /* of an answer: start, finish, usage */
#define STARTS_TURN  64                      /* sessions begun in one turn of a loop */
#define STARTS_OPEN  4096                    /* not yet written, of one loop */
#define LOOK_MS      50
#define TEXT_BYTES   (16 * MB)

struct engine;

struct session {
	struct run_watch w;
	struct desk *desk;
	uint64_t frames;
};

/* One shard and its sessions: every n-th. */
struct desk {
	struct engine *engine;
	unsigned id;
	struct shard *shard;
	bool runs_thread;
	struct store_reader *reader;
	struct llm *llm;
	struct runs *runs;
	struct tally *tally;
	struct session *sessions;
	size_t n, next, starting, open;
	struct json_doc input;
	struct shard_job job;                /* begins, goes on, drains */
	struct wheel_timer arrival;
	bool over;                           /* under the engine's lock */
};

struct engine {
	struct sessions *s;
	struct store *store;
	struct tools *tools;
	struct agents *agents;
	struct llm_script *script;
	struct runs_shared *shared;
	struct desk desk[SESSIONS_SHARDS];
	unsigned n;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	atomic_bool late;                    /* what ends now is not counted */
};

/* What is run. */

void
sessions_agent_text(const struct sessions_options *o, struct str model,
    struct buf *out)
{
	buf_lit(out, "id: " SESSIONS_AGENT "\n"
	    "state:\n"
	    "  n: {default: 0}\n"
	    "  log: {reducer: append}\n"
	    "  seed: {default: \"''\"}\n"
	    "initial: turn\n"
	    "states:\n"
	    "  turn:\n"
	    "    llm: {model: \"");
	buf_add(out, model);
	buf_lit(out, "\", prompt: \"Turn ${n + 1}.\", messages: []}\n"
	    "    writes: {log: \"['");
	for (size_t i = 0; i < STATE_STEP; i++)
		buf_add_char(out, (char)('a' + i % 26));
	buf_add_fmt(out, "']\"}\n"
	    "    on:\n"
	    "      done: {actions: [{raise: continue}]}\n"
	    "      continue: {target: decide, assign: {n: n + 1}}\n"
	    "  decide:\n"
	    "    always:\n"
	    "      - {guard: n < %lld, target: turn}\n"
	    "      - out\n"
	    "  out: {type: final}\n", (long long)o->of.turns);
}

void
sessions_script_text(const struct sessions_options *o, struct buf *out)
{
	json_add_fmt(out, "{'default':{'ttft_ms':%lld,'token_ms':%lld,'jitter':%lld,"
	    "'reply':'", (long long)o->of.ttft, (long long)o->of.token_ms,
	    (long long)o->of.jitter);
	for (int64_t i = 0; i < o->of.tokens; i++)
		buf_add_fmt(out, "%sword", i > 0 ? " " : "");
	buf_lit(out, "\"}}");
}

void
sessions_input_text(const struct sessions_options *o, struct buf *out)
{
	buf_lit(out, "{\"seed\":\"");
	for (int64_t k = 0; k < o->of.state_kb * 1024; k++)
		buf_add_char(out, 's');
	buf_lit(out, "\"}");
}

int
sessions_agents_read(const struct sessions *s, struct agents *into, struct err *e)
{
	struct buf text = BUF(TEXT_BYTES);
	struct agent *a = NULL;
	int rc = OK;

	if (s->o->agent != NULL)
		rc = file_add(s->o->agent, &text, e);
	else
		sessions_agent_text(s->o, S("scripted:turn"), &text);
	if (rc == OK)
		rc = agent_load(&a, buf_str(&text), S(SESSIONS_AGENT ".yaml"), &task_kinds, e);
	if (rc == OK && !str_eq(a->id, S(SESSIONS_AGENT)))
		rc = err_set(e, ERR_INVALID, "%s: its id must be " SESSIONS_AGENT, s->o->agent);
	if (rc == OK)
		rc = agents_add(into, a, e);
	if (rc == OK)
		rc = agents_link(into, e);
	buf_release(&text);
	return rc;
}

/* Sessions. */

static void
session_over(struct session *x, int rc, const struct err *e)
{
	struct desk *d = x->desk;
	struct engine *g = d->engine;
	size_t i = (size_t)(x - d->sessions) * g->n + d->id;

	if (!atomic_load_explicit(&g->late, memory_order_relaxed))
		tally_end(d->tally, sessions_due(g->s, i), rc, e);
	if (--d->open > 0)
		return;
	pthread_mutex_lock(&g->lock);
	d->over = true;
	pthread_cond_signal(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void
on_started(struct run_watch *w, const struct uuid *thread_id, const struct uuid *run_id)
{
	struct session *x = CONTAINER_OF(w, struct session, w);
	struct desk *d = x->desk;

	(void)thread_id, (void)run_id;
	if (d->starting-- == STARTS_OPEN && d->next < d->n)
		shard_post(d->shard, &d->job);
}

/* One frame a block; metadata comes first. */
static void
on_frames(struct run_watch *w, struct sse_block *b)
{
	struct session *x = CONTAINER_OF(w, struct session, w);
	const struct sessions_options *o = x->desk->engine->s->o;
	static const char name[] = "event: messages";

	if (b->n < sizeof name || memcmp(b->bytes, name, sizeof name - 1) != 0)
		return;
	sessions_burn(o);
	if (++x->frames % (uint64_t)(o->of.tokens + FRAMES_MORE) != 0)
		return;
	x->desk->tally->deltas += (uint64_t)o->of.tokens;
	atomic_fetch_add_explicit(&x->desk->tally->turns, 1, memory_order_relaxed);
}

static void
on_end(struct run_watch *w, int rc, const struct run_end *end, const struct err *e)
{
	struct session *x = CONTAINER_OF(w, struct session, w);
	const struct sessions_options *o = x->desk->engine->s->o;
	uint64_t want = (uint64_t)(o->of.turns * (o->of.tokens + FRAMES_MORE));
	struct err own = { 0 };

	if (rc != OK)
		own = *e;
	else if (end->status != RUN_SUCCESS)
		err_set(&own, ERR_INVALID, "ended %s: %.*s", run_status_names[end->status],
		    FMT(str_cut(end->error_json, 200)));
	else if (x->frames != want)
		err_set(&own, ERR_INVALID, "%llu deltas instead of %llu",
		    (unsigned long long)x->frames, (unsigned long long)want);
	session_over(x, own.code, &own);
}

static enum durability
durability_of(const struct sessions_options *o)
{
	return strcmp(o->of.durability, "sync") == 0 ? DURABILITY_SYNC :
	    strcmp(o->of.durability, "exit") == 0 ? DURABILITY_EXIT : DURABILITY_ASYNC;
}

static void
session_start(struct desk *d, struct session *x)
{
	struct run_request q = { .create_thread = true, .thread_id = uuid_v7(),
	    .headers_json = S("{}"), .modes = MODE_MESSAGES_TUPLE,
	    .modes_json = S("[\"messages-tuple\"]"), .input = d->input.root,
	    .durability = durability_of(d->engine->s->o) };
	struct err e = { 0 };
	int rc;

	q.assistant = (struct store_assistant){ .graph_id = S(SESSIONS_AGENT),
	    .config_json = S("{}"), .context_json = S("{}"), .metadata_json = S("{}") };
	q.assistant.id = runs_assistant_id(q.assistant.graph_id);
	x->desk = d;
	x->w = (struct run_watch){ .modes = MODE_MESSAGES_TUPLE, .after = -1,
	    .wants_events = true, .started = on_started, .frames = on_frames,
	    .end = on_end };
	d->starting++;
	rc = run_start(d->runs, &q, &x->w, NULL, NULL, &e);
	if (rc == OK)
		return;
	d->starting--;
	session_over(x, rc, &e);
}

/* As many as are due; more in the next turn, so that those that have begun go on
 * meanwhile. */
static void
desk_start(struct shard_job *job)
{
	struct desk *d = CONTAINER_OF(job, struct desk, job);
	const struct sessions *s = d->engine->s;
	nsec now = clock_mono();
	size_t begun = 0;

	while (d->next < d->n && d->starting < STARTS_OPEN) {
		nsec due = sessions_due(s, d->next * d->engine->n + d->id);

		if (due > now) {
			shard_timer_set(d->shard, &d->arrival,
			    (due - now) / NS_PER_MS + 1);
			return;
		}
		if (begun++ == STARTS_TURN) {
			shard_post(d->shard, &d->job);
			return;
		}
		d->next++;
		session_start(d, &d->sessions[d->next - 1]);
	}
}

static void
desk_arrival(struct wheel_timer *t)
{
	desk_start(&CONTAINER_OF(t, struct desk, arrival)->job);
}

/* Life. */

static int
desk_open(struct engine *g, unsigned i, struct err *e)
{
	struct desk *d = &g->desk[i];
	struct llm_options o = { .default_model = S("scripted:turn"), .script = g->script };
	struct buf input = BUF(TEXT_BYTES);
	size_t c = (size_t)g->s->o->concurrency;
	int rc;

	d->engine = g;
	d->id = i;
	d->tally = &g->s->tally[i];
	d->n = d->open = c / g->n + (i < c % g->n);
	d->over = d->n == 0;
	d->sessions = mem_zero((d->n + 1) * sizeof *d->sessions);
	d->job.run = desk_start;
	d->arrival.fire = desk_arrival;
	sessions_input_text(g->s->o, &input);
	rc = json_parse(&d->input, buf_str(&input), e);
	buf_release(&input);
	if (rc == OK)
		rc = shard_new(&d->shard, i, e);
	if (rc == OK)
		rc = store_reader_open(g->store, &d->reader, e);
	if (rc == OK)
		rc = llm_new(&d->llm, d->shard, NULL, &o, e);
	if (rc == OK)
		rc = runs_new(&d->runs, g->shared, d->shard, d->reader, d->llm, e);
	return rc;
}

static int
store_up(struct engine *g, struct err *e)
{
	bool durable = g->s->arm->scratch;
	char path[WB_PATH + 16];
	struct store_options o = { .driver = durable ? S("sqlite") : S("memory"),
	    .path = S("") };

	snprintf(path, sizeof path, "%s/bench.db", g->s->scratch.root);
	if (durable)
		o.path = str_of(path);
	return store_open(&g->store, &o, e);
}

static int
engine_open(struct engine *g, struct err *e)
{
	struct buf script = BUF(TEXT_BYTES);
	int rc;

	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	g->n = (unsigned)g->s->o->shards;
	g->tools = tools_new();
	g->agents = agents_new();
	rc = sessions_agents_read(g->s, g->agents, e);
	sessions_script_text(g->s->o, &script);
	if (rc == OK)
		rc = script_new(&g->script, buf_str(&script), e);
	buf_release(&script);
	if (rc == OK)
		rc = store_up(g, e);
	if (rc == OK)
		g->shared = runs_shared_new(g->store, g->tools, g->agents, true);
	for (unsigned i = 0; rc == OK && i < g->n; i++)
		rc = desk_open(g, i, e);
	for (unsigned i = 0; rc == OK && i < g->n; i++) {
		rc = shard_start(g->desk[i].shard, e);
		g->desk[i].runs_thread = rc == OK;
	}
	return rc;
}

/* Under the lock: waits for the next look, or for news. */
static void
engine_wait(struct engine *g)
{
	struct timespec t;

	clock_gettime(CLOCK_REALTIME, &t);
	t.tv_nsec += LOOK_MS * NS_PER_MS;
	t.tv_sec += t.tv_nsec / NS_PER_S;
	t.tv_nsec %= NS_PER_S;
	pthread_cond_timedwait(&g->changed, &g->lock, &t);
}

static bool
all_over(const struct engine *g)
{
	for (unsigned i = 0; i < g->n; i++)
		if (!g->desk[i].over)
			return false;
	return true;
}

static void
engine_drive(struct engine *g)
{
	struct sessions *s = g->s;
	struct store_stats before, after;
	nsec end;

	store_stats(g->store, &before);
	sessions_begin(s);
	end = s->began + s->o->of.timeout * NS_PER_MS;
	for (unsigned i = 0; i < g->n; i++)
		if (g->desk[i].n > 0)
			shard_post(g->desk[i].shard, &g->desk[i].job);
	pthread_mutex_lock(&g->lock);
	while (!all_over(g) && clock_mono() < end) {
		engine_wait(g);
		pthread_mutex_unlock(&g->lock);
		sessions_look(s);
		pthread_mutex_lock(&g->lock);
	}
	pthread_mutex_unlock(&g->lock);
	atomic_store(&g->late, true);
	sessions_end(s);
	store_stats(g->store, &after);
	if (s->arm->scratch)
		s->fsyncs = after.commits - before.commits;
}

static void
on_drained(void *ctx)
{
	struct desk *d = ctx;
	struct engine *g = d->engine;

	pthread_mutex_lock(&g->lock);
	d->over = true;
	pthread_cond_signal(&g->changed);
	pthread_mutex_unlock(&g->lock);
}

static void
desk_drain(struct shard_job *job)
{
	struct desk *d = CONTAINER_OF(job, struct desk, job);

	d->next = d->n;
	runs_drain(d->runs, on_drained, d);
}

static void
engine_drain(struct engine *g)
{
	for (unsigned i = 0; i < g->n; i++)
		g->desk[i].over = !g->desk[i].runs_thread;
	for (unsigned i = 0; i < g->n; i++)
		if (g->desk[i].runs_thread) {
			g->desk[i].job = (struct shard_job){ .run = desk_drain };
			shard_post(g->desk[i].shard, &g->desk[i].job);
		}
	pthread_mutex_lock(&g->lock);
	while (!all_over(g))
		engine_wait(g);
	pthread_mutex_unlock(&g->lock);
}

static void
engine_close(struct engine *g)
{
	for (unsigned i = 0; i < g->n; i++) {
		if (!g->desk[i].runs_thread)
			continue;
		shard_stop(g->desk[i].shard);
		shard_join(g->desk[i].shard);
	}
	for (unsigned i = 0; i < g->n; i++) {
		struct desk *d = &g->desk[i];

		runs_free(d->runs);
		llm_free(d->llm);
		store_reader_close(d->reader);
		if (d->shard != NULL)
			shard_free(d->shard);
		json_release(&d->input);
		free(d->sessions);
	}
	runs_shared_free(g->shared);
	agents_free(g->agents);
	script_free(g->script);
	tools_free(g->tools);
	if (g->store != NULL)
		store_close(g->store);
	pthread_mutex_destroy(&g->lock);
	pthread_cond_destroy(&g->changed);
}

int
sessions_chart(struct sessions *s, struct err *e)
{
	struct engine *g;
	int rc;

	if (s->threads)
		return sessions_chart_threads(s, e);
	g = mem_new(struct engine);
	g->s = s;
	sessions_tallies(s, (size_t)s->o->shards);
	rc = engine_open(g, e);
	if (rc == OK) {
		engine_drive(g);
		engine_drain(g);
	}
	engine_close(g);
	free(g);
	return rc;
}
