/*
 * catalog.c - see catalog.h.
 *
 * An order - a registration or a removal - comes from its shard to shard 0 and goes back
 * when it is done:
 *
 *   queued -> texts that are new are compiled (a thread of the pool) -> kept in the store
 *          -> joined and published -> answered
 *
 * SPDX-License-Identifier: MIT
 */
#include "main/catalog.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <uv.h>

#include "api/api.h"
#include "base/hmac.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/scan.h"
#include "mail/host/office.h"
#include "main/agent_tools.h"
#include "run/run.h"
#include "store/saver.h"

#define TEXT_MAX (2 * (size_t)LIMIT_AGENT_BYTES)

/* One that is there. */
struct graph {
	char *id, *key;
	uint8_t hash[SHA256_SIZE];           /* of its text */
	struct agents *set;                  /* of it alone */
	bool hidden;                         /* behind a file, which was logged */
};

/* One of a registration. */
struct entry {
	struct order *of;
	struct str id;
	struct buf text, key;
	uint8_t hash[SHA256_SIZE];
	bool fresh, kept;                    /* another text; to be put into the store */
	struct agents *set;                  /* of a fresh one */
	struct store_hosted_put put;
};

struct order {
	struct shard_job job;                /* to shard 0, and back */
	struct order *next;
	struct catalog *c;
	struct shard *home;
	struct worker_intake *in;            /* NULL: a removal */
	struct entry *entries;
	size_t n, left;
	bool fresh;
	uv_work_t work;
	char *id;                            /* of a removal */
	struct store_hosted_delete del;
	void (*done)(void *ctx, int rc, const struct err *e);
	void *ctx;
	int rc;
	struct err err;
};

struct catalog {
	struct catalog_options o;
	pthread_mutex_t lock;                /* of the pointer `folder` */
	struct agents *folder;               /* held */
	struct agents *current;              /* held: what is published, or is about to be */
	struct api_shared *api;
	struct runs_shared *runs;
	struct offices *offices;
	struct graph *graphs;
	size_t n, cap;
	struct order *head, **tail;
	struct order *now;                   /* under way; NULL: none, or the folder */
	bool busy, folder_waits;
	bool closed;                         /* nothing more is taken */
	void (*drained)(void *ctx);          /* to be called */
	void *ctx;
};

static void step(struct catalog *c);

/* ---- those that are there ------------------------------------------------------ */

static struct graph *
graph_find(const struct catalog *c, struct str id)
{
	for (size_t i = 0; i < c->n; i++)
		if (str_eq(str_of(c->graphs[i].id), id))
			return &c->graphs[i];
	return NULL;
}

static void
graph_drop(struct graph *g)
{
	free(g->id);
	free(g->key);
	agents_free(g->set);
}

/* Takes the set; NULL: as it is. */
static void
graph_put(struct catalog *c, struct str id, struct str key, const uint8_t *hash,
    struct agents *set)
{
	struct graph *g = graph_find(c, id);

	if (g == NULL) {
		mem_grow(c->graphs, c->n, c->cap);
		g = &c->graphs[c->n++];
		*g = (struct graph){ .id = mem_cstr(id) };
	}
	free(g->key);
	g->key = mem_cstr(key);
	if (set == NULL)
		return;
	memcpy(g->hash, hash, sizeof g->hash);
	agents_free(g->set);
	g->set = set;
}

/* Is it an agent of a file?  A built-in one is not. */
static bool
is_file(const struct agents *folder, struct str id)
{
	const struct agent *a = agents_find(folder, id);

	return a != NULL && !str_eq(a->text, agent_builtin_text(id));
}

/* What the folder has comes first, so that a graph is taken for the built-in agent of its
 * name. */
static struct agents *
join(struct catalog *c)
{
	struct agents **sets = mem_alloc((c->n + 1) * sizeof *sets), *all;
	size_t n = 0;

	sets[n++] = c->folder;
	for (size_t i = 0; i < c->n; i++) {
		struct graph *g = &c->graphs[i];
		bool hidden = is_file(c->folder, str_of(g->id));

		if (hidden && !g->hidden)
			log_warn("workers", "graph_hidden", "graph=%s file=%.*s", g->id,
			    FMT(agents_find(c->folder, str_of(g->id))->file));
		g->hidden = hidden;
		if (!hidden)
			sets[n++] = g->set;
	}
	all = agents_join(sets, n);
	free(sets);
	return all;
}

/* ---- texts ------------------------------------------------------------------------ */

/* {"hosted": {"build": B, and what was registered}} */
static void
add_graph(struct buf *b, const struct worker_intake *in, const struct worker_served *s)
{
	struct scan all = scan_of(s->json);
	struct str key, value;
	bool first = true;

	json_add_fmt(b, "{'hosted':{'id':%.*s", FMT(s->facts.name));
	if (in->build.n > 0)
		json_add_fmt(b, ",'build':%.*s", FMT(in->build));
	(void)scan_open(&all, '{');
	while (scan_member(&all, &first, &key) && scan_value(&all, &value))
		if (!SCAN_IS(key, "id") && !SCAN_IS(key, "build"))
			buf_add_fmt(b, ",\"%.*s\":%.*s", FMT(key), FMT(value));
	buf_lit(b, "}}");
}

/* A channel for each member of the state that the schema names. */
static void
add_run_state(struct buf *b, struct str json)
{
	struct str state = scan_find(scan_find(json, S("schemas")), S("state"));
	struct scan s = scan_of(scan_find(state, S("properties")));
	struct str key, value;
	bool first = true;

	json_add_fmt(b, ",'state':{'messages':{'reducer':'messages'}");
	if (s.end > s.p && scan_open(&s, '{'))
		while (scan_member(&s, &first, &key) && scan_value(&s, &value)) {
			if (SCAN_IS(key, "messages"))
				continue;
			buf_add_fmt(b, ",\"%.*s\":{", FMT(key));
			if (scan_peek(&(struct scan){ value.p, value.p + value.n }) == '{')
				buf_add_fmt(b, "\"schema\":%.*s", FMT(value));
			buf_add_char(b, '}');
		}
	buf_add_char(b, '}');
}

/* An agent without a graph of its own is one of Cohort's, of one node. */
static void
add_run(struct buf *b, const struct worker_served *s)
{
	struct str id = s->facts.name;

	json_add_fmt(b, "{'id':%.*s", FMT(id));
	if (s->facts.description.n > 0)
		json_add_fmt(b, ",'description':%.*s", FMT(s->facts.description));
	add_run_state(b, s->json);
	json_add_fmt(b, ",'nodes':{%.*s:{'worker':{'name':%.*s,'idempotent':true}}},'edges':"
	    "[['START',%.*s]]}", FMT(id), FMT(id), FMT(id));
}

/* Of the words of agent_load, `file:line:column: hosted.path: words`, what a worker
 * needs. */
static void
tell(struct err *e, struct str id, const struct err *why)
{
	struct str words = str_of(why->text);
	ptrdiff_t at = str_index(words, ' ');

	if (at > 0 && words.p[at - 1] == ':')
		words = str_sub(words, (size_t)at + 1, words.n);
	if (str_starts(words, S("hosted.")) || str_starts(words, S("hosted:")))
		words = str_trim(str_sub(words, 7, words.n));
	err_set(e, why->code, "graphs: \"%.*s\": %.*s", FMT(str_cut(id, 100)), FMT(words));
}

/* A set of the agent alone. */
static int
compile(struct agents **out, struct str id, struct str text, struct err *e)
{
	struct agents *set = agents_new();
	struct agent *a = NULL;
	struct err why = { 0 };
	int rc = agent_load_checked(&a, text, S("worker.json"), &why);

	if (rc == OK) {
		a->of_worker = true;
		rc = agents_add(set, a, &why);
	}
	if (rc == OK)
		rc = agents_link(set, &why);
	if (rc == OK && agents_find(set, id) == NULL)
		rc = err_set(&why, ERR_INVALID, "the text has another id");
	if (rc != OK) {
		tell(e, id, &why);
		agents_free(set);
		set = NULL;
	}
	*out = set;
	return rc;
}

/* ---- answering --------------------------------------------------------------------- */

static void
order_free(struct order *x)
{
	for (size_t i = 0; i < x->n; i++) {
		buf_release(&x->entries[i].text);
		buf_release(&x->entries[i].key);
		agents_free(x->entries[i].set);
	}
	free(x->entries);
	free(x->id);
	free(x);
}

/* At home. */
static void
answer(struct shard_job *job)
{
	struct order *x = CONTAINER_OF(job, struct order, job);

	if (x->in != NULL)
		workers_graphs_done(x->in, x->rc, &x->err);
	else
		x->done(x->ctx, x->rc, &x->err);
	order_free(x);
}

static void
order_end(struct catalog *c, struct order *x)
{
	c->busy = false;
	c->now = NULL;
	if (x != NULL) {
		x->job.run = answer;
		shard_post(x->home, &x->job);
	}
	step(c);
}

/* The assistants are there before their agents are. */
static void
seeded(void *ctx, int rc, const struct err *e)
{
	struct catalog *c = ctx;
	struct order *x = c->now;

	if (rc < 0)
		log_error("agents", "no_assistant", "error=%s", e->text);
	if (!c->closed) {
		runs_shared_set_agents(c->runs, c->current);
		offices_set_agents(c->offices, c->current);
	}
	if (x != NULL && rc < 0)
		x->rc = err_set(&x->err, rc, "%s", e->text);
	order_end(c, x);
}

/* What there is now. */
static void
publish(struct catalog *c)
{
	struct agents *before = c->current;
	struct shard *s = c->o.shards[0];

	c->current = join(c);
	api_seed_begin(c->api, s, c->current, before, shard_wall(s), seeded, c);
	agents_free(before);
}

/* ---- registrations ------------------------------------------------------------------- */

static void
take(struct catalog *c, struct order *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct entry *n = &x->entries[i];

		if (!n->kept)
			continue;
		if (n->fresh)
			log_info("workers", "graph", "graph=%.*s build=%.*s worker=%.*s",
			    FMT(n->id), FMT(x->in->build), FMT(x->in->name));
		graph_put(c, n->id, buf_str(&n->key), n->hash, n->set);
		n->set = NULL;
	}
}

static void
put_came(struct store_cmd *cmd)
{
	struct entry *n = CONTAINER_OF(cmd, struct entry, put.cmd);
	struct order *x = n->of;
	struct catalog *c = x->c;

	if (cmd->rc < 0 && x->rc == OK)
		x->rc = err_set(&x->err, cmd->rc, "graph \"%.*s\" could not be kept: %s",
		    FMT(n->id), cmd->err.text);
	if (--x->left > 0)
		return;
	if (x->rc == OK)
		take(c, x);
	if (x->rc == OK && x->fresh)
		publish(c);
	else
		order_end(c, x);
}

/* In one burst: the writer commits them together. */
static void
keep(struct catalog *c, struct order *x)
{
	struct shard *s = c->o.shards[0];

	for (size_t i = 0; i < x->n; i++)
		x->left += x->entries[i].kept;
	for (size_t i = 0; i < x->n; i++) {
		struct entry *n = &x->entries[i];

		if (!n->kept)
			continue;
		n->put = (struct store_hosted_put){
			.cmd = { .op = STORE_HOSTED_PUT, .done = put_came },
			.h = { .graph_id = n->id, .key = buf_str(&n->key),
			    .body = buf_str(&n->text),
			    .hash = { (const char *)n->hash, sizeof n->hash },
			    .updated = shard_wall(s) },
		};
		(void)store_submit(c->o.store, s, &n->put.cmd, true);
	}
}

/* In a thread of the pool. */
static void
compile_all(uv_work_t *work)
{
	struct order *x = CONTAINER_OF(work, struct order, work);

	for (size_t i = 0; i < x->n && x->rc == OK; i++)
		if (x->entries[i].fresh)
			x->rc = compile(&x->entries[i].set, x->entries[i].id,
			    buf_str(&x->entries[i].text), &x->err);
}

static void
compiled(uv_work_t *work, int status)
{
	struct order *x = CONTAINER_OF(work, struct order, work);

	assert(status == 0);
	(void)status;
	if (x->rc == OK)
		keep(x->c, x);
	else
		order_end(x->c, x);
}

/* ERR_CONFLICT: a file has the id.  ERR_LIMIT. */
static int
check(struct catalog *c, struct order *x)
{
	size_t more = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct entry *n = &x->entries[i];
		const struct graph *g = graph_find(c, n->id);

		if (is_file(c->folder, n->id))
			return err_set(&x->err, ERR_CONFLICT, "graphs: \"%.*s\" is an agent of "
			    "the file %.*s", FMT(n->id),
			    FMT(agents_find(c->folder, n->id)->file));
		n->fresh = g == NULL || memcmp(g->hash, n->hash, sizeof g->hash) != 0;
		n->kept = n->fresh || !str_eq(str_of(g->key), buf_str(&n->key));
		x->fresh = x->fresh || n->fresh;
		more += g == NULL;
	}
	return c->n + more <= LIMIT_HOSTED_GRAPHS ? OK : err_set(&x->err, ERR_LIMIT,
	    "graphs: this server keeps %d of workers; remove some with `cohort workers "
	    "forget`", LIMIT_HOSTED_GRAPHS);
}

static void
enter(struct catalog *c, struct order *x)
{
	bool any = false;
	int rc;

	x->rc = check(c, x);
	for (size_t i = 0; i < x->n; i++)
		any = any || x->entries[i].kept;
	if (x->rc != OK || !any) {
		order_end(c, x);
		return;
	}
	rc = uv_queue_work(shard_loop(c->o.shards[0]), &x->work, compile_all, compiled);
	assert(rc == 0);
	(void)rc;
}

/* ---- removals --------------------------------------------------------------------------- */

static void
removed(struct store_cmd *cmd)
{
	struct order *x = CONTAINER_OF(cmd, struct order, del.cmd);
	struct catalog *c = x->c;
	struct graph *g = graph_find(c, str_of(x->id));

	assert(g != NULL);
	if (cmd->rc < 0 && cmd->rc != ERR_NOTFOUND) {
		x->rc = err_set(&x->err, cmd->rc, "%s", cmd->err.text);
		order_end(c, x);
		return;
	}
	log_info("workers", "graph_removed", "graph=%s", x->id);
	workers_unclaim(c->o.workers, str_of(x->id));
	graph_drop(g);
	*g = c->graphs[--c->n];
	publish(c);
}

static void
forget(struct catalog *c, struct order *x)
{
	struct str id = str_of(x->id);
	unsigned n = workers_attached(c->o.workers, WORKER_RUN, id);

	if (graph_find(c, id) == NULL)
		x->rc = err_set(&x->err, ERR_NOTFOUND, "no worker has registered a graph "
		    "\"%.*s\"", FMT(str_cut(id, 100)));
	else if (n > 0)
		x->rc = err_set(&x->err, ERR_CONFLICT, "%u worker%s graph \"%.*s\"; "
		    "stop %s first", n, n == 1 ? " serves the" : "s serve the", FMT(id),
		    n == 1 ? "it" : "them");
	if (x->rc != OK) {
		order_end(c, x);
		return;
	}
	x->del = (struct store_hosted_delete){ .cmd = { .op = STORE_HOSTED_DELETE,
	    .done = removed }, .graph_id = id };
	(void)store_submit(c->o.store, c->o.shards[0], &x->del.cmd, true);
}

/* ---- one after another --------------------------------------------------------------------- */

/* What ends at once calls this again; the loop of calls is as long as the queue, whose
 * entries are requests that wait. */
static void
step(struct catalog *c)
{
	struct order *x = c->head;

	void (*drained)(void *ctx) = c->drained;

	if (c->busy)
		return;
	if (x == NULL && !c->folder_waits) {
		c->drained = NULL;
		if (drained != NULL)
			drained(c->ctx);
		return;
	}
	c->busy = true;
	if (c->folder_waits) {
		c->folder_waits = false;
		publish(c);
		return;
	}
	c->head = x->next;
	if (c->head == NULL)
		c->tail = &c->head;
	c->now = x;
	if (x->in != NULL)
		enter(c, x);
	else
		forget(c, x);
}

static void
arrived(struct shard_job *job)
{
	struct order *x = CONTAINER_OF(job, struct order, job);
	struct catalog *c = x->c;

	if (c->closed) {
		x->rc = err_set(&x->err, ERR_BUSY, "the server is shutting down");
		x->job.run = answer;
		shard_post(x->home, &x->job);
		return;
	}
	x->next = NULL;
	*c->tail = x;
	c->tail = &x->next;
	step(c);
}

static struct order *
order_new(struct catalog *c)
{
	struct order *x = mem_new(struct order);

	x->c = c;
	for (unsigned i = 0; i < c->o.shards_n; i++)
		if (shard_is_current(c->o.shards[i]))
			x->home = c->o.shards[i];
	assert(x->home != NULL);
	x->job.run = arrived;
	return x;
}

/* Any shard. */
static void
registered(void *ctx, struct worker_intake *in)
{
	struct order *x = order_new(ctx);

	x->in = in;
	x->entries = mem_zero((in->served_n + 1) * sizeof *x->entries);
	for (size_t i = 0; i < in->served_n; i++) {
		const struct worker_served *s = &in->served[i];
		struct entry *n = &x->entries[x->n];

		if (s->kind != SERVED_GRAPH && s->kind != SERVED_RUN)
			continue;
		x->n++;
		n->of = x;
		n->id = s->facts.name;
		n->text = BUF(TEXT_MAX);
		n->key = BUF(KB);
		worker_key_text(&n->key, in->key);
		if (s->kind == SERVED_GRAPH)
			add_graph(&n->text, in, s);
		else
			add_run(&n->text, s);
		sha256(buf_str(&n->text), n->hash);
	}
	shard_post(x->c->o.shards[0], &x->job);
}

void
catalog_forget(struct catalog *c, struct str id,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct order *x = order_new(c);

	x->id = mem_cstr(id);
	x->done = done;
	x->ctx = ctx;
	shard_post(c->o.shards[0], &x->job);
}

void
catalog_set_folder(struct catalog *c, struct agents *folder)
{
	struct agents *before;

	pthread_mutex_lock(&c->lock);
	before = c->folder;
	c->folder = agents_hold(folder);
	pthread_mutex_unlock(&c->lock);
	agents_free(before);
	c->folder_waits = true;
	step(c);
}

/* Any thread, under the lock of the registry. */
static bool
is_reserved(void *ctx, enum worker_kind kind, struct str name)
{
	struct catalog *c = ctx;
	struct agents *folder;
	bool yes;

	if (kind == WORKER_TOOL)
		return tools_find(c->o.tools, name) != NULL;
	if (kind != WORKER_RUN)
		return false;
	pthread_mutex_lock(&c->lock);
	folder = agents_hold(c->folder);
	pthread_mutex_unlock(&c->lock);
	yes = is_file(folder, name);
	agents_free(folder);
	return yes;
}

/* ---- from the store ---------------------------------------------------------------------------- */

static void
recall(struct catalog *c, const struct store_hosted *row)
{
	struct agents *set;
	uint8_t hash[SHA256_SIZE];
	struct err e;

	if (compile(&set, row->graph_id, row->body, &e) != OK) {
		log_error("workers", "graph_unreadable", "graph=%.*s error=%s",
		    FMT(row->graph_id), e.text);
		return;
	}
	sha256(row->body, hash);
	graph_put(c, row->graph_id, row->key, hash, set);
	workers_claim(c->o.workers, row->graph_id, row->key);
}

static int
recall_all(struct catalog *c, struct err *e)
{
	struct arena a = ARENA((size_t)LIMIT_HOSTED_GRAPHS * TEXT_MAX);
	struct store_reader *reader = NULL;
	struct store_hosted *rows = NULL;
	size_t n = 0;
	int rc = store_reader_open(c->o.store, &reader, e);

	if (rc == OK && (rc = store_hosted_all(reader, &a, &rows, &n)) != OK)
		err_set(e, rc, "the graphs of workers could not be read: %s", rc_text(rc));
	for (size_t i = 0; rc == OK && i < n; i++)
		recall(c, &rows[i]);
	store_reader_close(reader);
	arena_release(&a);
	return rc;
}

int
catalog_open(struct catalog **out, const struct catalog_options *o, struct agents *folder,
    struct err *e)
{
	struct catalog *c = mem_new(struct catalog);
	int rc;

	c->o = *o;
	c->folder = agents_hold(folder);
	c->tail = &c->head;
	pthread_mutex_init(&c->lock, NULL);
	rc = recall_all(c, e);
	if (rc == OK) {
		c->current = join(c);
		workers_set_reserved(o->workers, is_reserved, c);
		workers_on_graphs(o->workers, registered, c);
	} else {
		catalog_free(c);
		c = NULL;
	}
	*out = c;
	return rc;
}

void
catalog_serve(struct catalog *c, struct api_shared *api, struct runs_shared *runs,
    struct offices *offices)
{
	c->api = api;
	c->runs = runs;
	c->offices = offices;
}

void
catalog_drain(struct catalog *c, void (*done)(void *ctx), void *ctx)
{
	c->closed = true;
	c->drained = done;
	c->ctx = ctx;
	step(c);
}

void
catalog_free(struct catalog *c)
{
	if (c == NULL)
		return;
	assert(c->head == NULL && c->now == NULL);
	for (size_t i = 0; i < c->n; i++)
		graph_drop(&c->graphs[i]);
	free(c->graphs);
	agents_free(c->current);
	agents_free(c->folder);
	pthread_mutex_destroy(&c->lock);
	free(c);
}

struct agents *
catalog_agents(const struct catalog *c)
{
	return c->current;
}
