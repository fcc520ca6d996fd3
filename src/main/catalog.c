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
#include "main/catalog_priv.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "api/api.h"
#include "base/log.h"
#include "base/mem.h"
#include "mail/host/office.h"
#include "run/run.h"

static void step(struct catalog *c);

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

	c->current = catalog_join(c);
	api_seed_begin(c->api, s, c->current, before, shard_wall(s), seeded, c);
	agents_free(before);
}

static void
tell_others(const struct catalog *c)
{
	if (c->o.kept != NULL)
		c->o.kept(c->o.ctx);
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
		catalog_put(c, n->id, buf_str(&n->key), n->hash, n->set);
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
	if (x->rc == OK) {
		take(c, x);
		tell_others(c);
	}
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
			x->rc = catalog_compile(&x->entries[i].set, x->entries[i].id,
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
		const struct graph *g = catalog_find(c, n->id);

		if (catalog_is_file(c->folder, n->id))
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
	struct graph *g = catalog_find(c, str_of(x->id));

	assert(g != NULL);
	tell_others(c);
	if (cmd->rc < 0 && cmd->rc != ERR_NOTFOUND) {
		x->rc = err_set(&x->err, cmd->rc, "%s", cmd->err.text);
		order_end(c, x);
		return;
	}
	log_info("workers", "graph_removed", "graph=%s", x->id);
	catalog_remove(c, g);
	publish(c);
}

static void
forget(struct catalog *c, struct order *x)
{
	struct str id = str_of(x->id);
	unsigned n = workers_attached(c->o.workers, WORKER_RUN, id, true);

	if (catalog_find(c, id) == NULL)
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

/* ---- what other nodes have changed -------------------------------------------------------- */

/* x: who asked for it; NULL: nobody waits. */
static void
look(struct catalog *c, struct order *x)
{
	struct arena a = ARENA((size_t)LIMIT_HOSTED_GRAPHS * TEXT_MAX);
	struct store_hosted *rows = NULL;
	size_t n = 0;
	int rc = c->reader == NULL ? ERR_NOTFOUND : store_hosted_all(c->reader, &a, &rows, &n);
	bool changed = rc == OK && catalog_take_rows(c, rows, n);

	arena_release(&a);
	if (rc != OK && x != NULL && c->reader != NULL)
		x->rc = err_set(&x->err, rc, "the graphs of workers could not be read: %s",
		    rc_text(rc));
	if (changed)
		publish(c);
	else
		order_end(c, x);
}

void
catalog_look(struct catalog *c, struct store_reader *reader)
{
	if (c->closed)
		return;
	c->reader = reader;
	c->look = true;
	step(c);
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
	if (x == NULL && !c->folder_waits && !c->look) {
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
	if (c->look) {
		c->look = false;
		look(c, NULL);
		return;
	}
	c->head = x->next;
	if (c->head == NULL)
		c->tail = &c->head;
	c->now = x;
	if (x->in != NULL)
		enter(c, x);
	else if (x->id != NULL)
		forget(c, x);
	else
		look(c, x);
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
			catalog_add_text(&n->text, in, s);
		else
			catalog_add_run(&n->text, s);
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
catalog_see(struct catalog *c, void (*done)(void *ctx, int rc, const struct err *e), void *ctx)
{
	struct order *x = order_new(c);

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
	yes = catalog_is_file(folder, name);
	agents_free(folder);
	return yes;
}

/* ---- from the store ---------------------------------------------------------------------------- */

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
		catalog_recall(c, &rows[i]);
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
		c->current = catalog_join(c);
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
	c->look = false;
	c->reader = NULL;
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
		catalog_drop(&c->graphs[i]);
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
