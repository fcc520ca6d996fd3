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
	struct catalog *h;
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

static void step(struct catalog *h);

/* ---- those that are there ------------------------------------------------------ */

static struct graph *
graph_find(const struct catalog *h, struct str id)
{
	for (size_t i = 0; i < h->n; i++)
		if (str_eq(str_of(h->graphs[i].id), id))
			return &h->graphs[i];
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
graph_put(struct catalog *h, struct str id, struct str key, const uint8_t *hash,
    struct agents *set)
{
	struct graph *g = graph_find(h, id);

	if (g == NULL) {
		mem_grow(h->graphs, h->n, h->cap);
		g = &h->graphs[h->n++];
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
join(struct catalog *h)
{
	struct agents **sets = mem_alloc((h->n + 1) * sizeof *sets), *all;
	size_t n = 0;

	sets[n++] = h->folder;
	for (size_t i = 0; i < h->n; i++) {
		struct graph *g = &h->graphs[i];
		bool hidden = is_file(h->folder, str_of(g->id));

		if (hidden && !g->hidden)
			log_warn("workers", "graph_hidden", "graph=%s file=%.*s", g->id,
			    FMT(agents_find(h->folder, str_of(g->id))->file));
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
order_end(struct catalog *h, struct order *x)
{
	h->busy = false;
	h->now = NULL;
	if (x != NULL) {
		x->job.run = answer;
		shard_post(x->home, &x->job);
	}
	step(h);
}

/* The assistants are there before their agents are. */
static void
seeded(void *ctx, int rc, const struct err *e)
{
	struct catalog *h = ctx;
	struct order *x = h->now;

	if (rc < 0)
		log_error("agents", "no_assistant", "error=%s", e->text);
	if (!h->closed) {
		runs_shared_set_agents(h->runs, h->current);
		offices_set_agents(h->offices, h->current);
	}
	if (x != NULL && rc < 0)
		x->rc = err_set(&x->err, rc, "%s", e->text);
	order_end(h, x);
}

/* What there is now. */
static void
publish(struct catalog *h)
{
	struct agents *before = h->current;
	struct shard *s = h->o.shards[0];

	h->current = join(h);
	api_seed_begin(h->api, s, h->current, before, shard_wall(s), seeded, h);
	agents_free(before);
}

/* ---- registrations ------------------------------------------------------------------- */

static void
take(struct catalog *h, struct order *x)
{
	for (size_t i = 0; i < x->n; i++) {
		struct entry *n = &x->entries[i];

		if (!n->kept)
			continue;
		if (n->fresh)
			log_info("workers", "graph", "graph=%.*s build=%.*s worker=%.*s",
			    FMT(n->id), FMT(x->in->build), FMT(x->in->name));
		graph_put(h, n->id, buf_str(&n->key), n->hash, n->set);
		n->set = NULL;
	}
}

static void
put_came(struct store_cmd *cmd)
{
	struct entry *n = CONTAINER_OF(cmd, struct entry, put.cmd);
	struct order *x = n->of;
	struct catalog *h = x->h;

	if (cmd->rc < 0 && x->rc == OK)
		x->rc = err_set(&x->err, cmd->rc, "graph \"%.*s\" could not be kept: %s",
		    FMT(n->id), cmd->err.text);
	if (--x->left > 0)
		return;
	if (x->rc == OK)
		take(h, x);
	if (x->rc == OK && x->fresh)
		publish(h);
	else
		order_end(h, x);
}

/* In one burst: the writer commits them together. */
static void
keep(struct catalog *h, struct order *x)
{
	struct shard *s = h->o.shards[0];

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
		(void)store_submit(h->o.store, s, &n->put.cmd, true);
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
		keep(x->h, x);
	else
		order_end(x->h, x);
}

/* ERR_CONFLICT: a file has the id.  ERR_LIMIT. */
static int
check(struct catalog *h, struct order *x)
{
	size_t more = 0;

	for (size_t i = 0; i < x->n; i++) {
		struct entry *n = &x->entries[i];
		const struct graph *g = graph_find(h, n->id);

		if (is_file(h->folder, n->id))
			return err_set(&x->err, ERR_CONFLICT, "graphs: \"%.*s\" is an agent of "
			    "the file %.*s", FMT(n->id),
			    FMT(agents_find(h->folder, n->id)->file));
		n->fresh = g == NULL || memcmp(g->hash, n->hash, sizeof g->hash) != 0;
		n->kept = n->fresh || !str_eq(str_of(g->key), buf_str(&n->key));
		x->fresh = x->fresh || n->fresh;
		more += g == NULL;
	}
	return h->n + more <= LIMIT_HOSTED_GRAPHS ? OK : err_set(&x->err, ERR_LIMIT,
	    "graphs: this server keeps %d of workers; remove some with `cohort workers "
	    "forget`", LIMIT_HOSTED_GRAPHS);
}

static void
enter(struct catalog *h, struct order *x)
{
	bool any = false;
	int rc;

	x->rc = check(h, x);
	for (size_t i = 0; i < x->n; i++)
		any = any || x->entries[i].kept;
	if (x->rc != OK || !any) {
		order_end(h, x);
		return;
	}
	rc = uv_queue_work(shard_loop(h->o.shards[0]), &x->work, compile_all, compiled);
	assert(rc == 0);
	(void)rc;
}

/* ---- removals --------------------------------------------------------------------------- */

static void
removed(struct store_cmd *cmd)
{
	struct order *x = CONTAINER_OF(cmd, struct order, del.cmd);
	struct catalog *h = x->h;
	struct graph *g = graph_find(h, str_of(x->id));

	assert(g != NULL);
	if (cmd->rc < 0 && cmd->rc != ERR_NOTFOUND) {
		x->rc = err_set(&x->err, cmd->rc, "%s", cmd->err.text);
		order_end(h, x);
		return;
	}
	log_info("workers", "graph_removed", "graph=%s", x->id);
	workers_unclaim(h->o.workers, str_of(x->id));
	graph_drop(g);
	*g = h->graphs[--h->n];
	publish(h);
}

static void
forget(struct catalog *h, struct order *x)
{
	struct str id = str_of(x->id);
	unsigned live = workers_serving(h->o.workers, WORKER_RUN, id);

	if (graph_find(h, id) == NULL)
		x->rc = err_set(&x->err, ERR_NOTFOUND, "no worker has registered a graph "
		    "\"%.*s\"", FMT(str_cut(id, 100)));
	else if (live > 0)
		x->rc = err_set(&x->err, ERR_CONFLICT, "%u worker%s graph \"%.*s\"; "
		    "stop %s first", live, live == 1 ? " serves the" : "s serve the", FMT(id),
		    live == 1 ? "it" : "them");
	if (x->rc != OK) {
		order_end(h, x);
		return;
	}
	x->del = (struct store_hosted_delete){ .cmd = { .op = STORE_HOSTED_DELETE,
	    .done = removed }, .graph_id = id };
	(void)store_submit(h->o.store, h->o.shards[0], &x->del.cmd, true);
}

/* ---- one after another --------------------------------------------------------------------- */

/* What ends at once calls this again; the loop of calls is as long as the queue, whose
 * entries are requests that wait. */
static void
step(struct catalog *h)
{
	struct order *x = h->head;

	void (*drained)(void *ctx) = h->drained;

	if (h->busy)
		return;
	if (x == NULL && !h->folder_waits) {
		h->drained = NULL;
		if (drained != NULL)
			drained(h->ctx);
		return;
	}
	h->busy = true;
	if (h->folder_waits) {
		h->folder_waits = false;
		publish(h);
		return;
	}
	h->head = x->next;
	if (h->head == NULL)
		h->tail = &h->head;
	h->now = x;
	if (x->in != NULL)
		enter(h, x);
	else
		forget(h, x);
}

static void
arrived(struct shard_job *job)
{
	struct order *x = CONTAINER_OF(job, struct order, job);
	struct catalog *h = x->h;

	if (h->closed) {
		x->rc = err_set(&x->err, ERR_BUSY, "the server is shutting down");
		x->job.run = answer;
		shard_post(x->home, &x->job);
		return;
	}
	x->next = NULL;
	*h->tail = x;
	h->tail = &x->next;
	step(h);
}

static struct order *
order_new(struct catalog *h)
{
	struct order *x = mem_new(struct order);

	x->h = h;
	for (unsigned i = 0; i < h->o.shards_n; i++)
		if (shard_is_current(h->o.shards[i]))
			x->home = h->o.shards[i];
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
	shard_post(x->h->o.shards[0], &x->job);
}

void
catalog_forget(struct catalog *h, struct str id,
    void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct order *x = order_new(h);

	x->id = mem_cstr(id);
	x->done = done;
	x->ctx = ctx;
	shard_post(h->o.shards[0], &x->job);
}

void
catalog_set_folder(struct catalog *h, struct agents *folder)
{
	struct agents *before;

	pthread_mutex_lock(&h->lock);
	before = h->folder;
	h->folder = agents_hold(folder);
	pthread_mutex_unlock(&h->lock);
	agents_free(before);
	h->folder_waits = true;
	step(h);
}

/* Any thread, under the lock of the registry. */
static bool
is_reserved(void *ctx, enum worker_kind kind, struct str name)
{
	struct catalog *h = ctx;
	struct agents *folder;
	bool yes;

	if (kind == WORKER_TOOL)
		return tools_find(h->o.tools, name) != NULL;
	if (kind != WORKER_RUN)
		return false;
	pthread_mutex_lock(&h->lock);
	folder = agents_hold(h->folder);
	pthread_mutex_unlock(&h->lock);
	yes = is_file(folder, name);
	agents_free(folder);
	return yes;
}

/* ---- from the store ---------------------------------------------------------------------------- */

static void
recall(struct catalog *h, const struct store_hosted *row)
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
	graph_put(h, row->graph_id, row->key, hash, set);
	workers_claim(h->o.workers, row->graph_id, row->key);
}

static int
recall_all(struct catalog *h, struct err *e)
{
	struct arena a = ARENA((size_t)LIMIT_HOSTED_GRAPHS * TEXT_MAX);
	struct store_reader *reader = NULL;
	struct store_hosted *rows = NULL;
	size_t n = 0;
	int rc = store_reader_open(h->o.store, &reader, e);

	if (rc == OK && (rc = store_hosted_all(reader, &a, &rows, &n)) != OK)
		err_set(e, rc, "the graphs of workers could not be read: %s", rc_text(rc));
	for (size_t i = 0; rc == OK && i < n; i++)
		recall(h, &rows[i]);
	store_reader_close(reader);
	arena_release(&a);
	return rc;
}

int
catalog_open(struct catalog **out, const struct catalog_options *o, struct agents *folder,
    struct err *e)
{
	struct catalog *h = mem_new(struct catalog);
	int rc;

	h->o = *o;
	h->folder = agents_hold(folder);
	h->tail = &h->head;
	pthread_mutex_init(&h->lock, NULL);
	rc = recall_all(h, e);
	if (rc == OK) {
		h->current = join(h);
		workers_set_reserved(o->workers, is_reserved, h);
		workers_on_graphs(o->workers, registered, h);
	} else {
		catalog_free(h);
		h = NULL;
	}
	*out = h;
	return rc;
}

void
catalog_serve(struct catalog *h, struct api_shared *api, struct runs_shared *runs,
    struct offices *offices)
{
	h->api = api;
	h->runs = runs;
	h->offices = offices;
}

void
catalog_drain(struct catalog *h, void (*done)(void *ctx), void *ctx)
{
	h->closed = true;
	h->drained = done;
	h->ctx = ctx;
	step(h);
}

void
catalog_free(struct catalog *h)
{
	if (h == NULL)
		return;
	assert(h->head == NULL && h->now == NULL);
	for (size_t i = 0; i < h->n; i++)
		graph_drop(&h->graphs[i]);
	free(h->graphs);
	agents_free(h->current);
	agents_free(h->folder);
	pthread_mutex_destroy(&h->lock);
	free(h);
}

struct agents *
catalog_agents(const struct catalog *h)
{
	return h->current;
}
