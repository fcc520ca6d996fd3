/*
 * owner.c - POST /owner/erase: an owner goes, with all that there is of him.
 *
 * First his name is given up, and every event loop of every node forgets his number: from then on
 * nobody comes by it, and who comes by the name is somebody new.  Then what would begin
 * something goes, what is under way of him ends, his rows go, and the file is written anew.
 * Done again after a crash, or after an error, it goes on where it was.
 *
 *   LEAVE -> FORGET -> STILL -> AGENTS -> RUNS -> THREADS, ASSISTANTS, ITEMS -> REST
 *            ^                            ^  |                                   |
 *            |                            +--+ a run began meanwhile             v
 *            +------------------- ENDS <- more of the name ------------------- GONE -> SCRUB -> ENDS
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <stdlib.h>

#include "api/api_priv.h"
#include "api/peer.h"
#include "base/mem.h"
#include "mail/host/office.h"

#define ROUNDS_MAX 10                        /* of ending runs that begin again */

struct erasing {
	struct call *c;
	struct store *store;                 /* the one that is scrubbed now */
	enum owner_step step;
	int (*then)(struct erasing *x);
	enum store_truncated kind;
	int rounds;
	bool more;                           /* there is another of the name */
	int64_t threads, agents;             /* gone */
	struct uuid *ids;                    /* of agents */
	size_t ids_n, ids_cap, left;
};

/* ---- what the store does ------------------------------------------------------------- */

static int
stepped(struct call *c)
{
	return c->erasing->then(c->erasing);
}

static int
step(struct erasing *x, enum owner_step s, int (*then)(struct erasing *x))
{
	x->step = s;
	x->then = then;
	x->c->op.owner_erase = (struct store_owner_erase){ .step = s, .subject = x->c->other };
	return call_submit_to(x->c, x->store, STORE_OWNER_ERASE, stepped);
}

/* ---- who has his number --------------------------------------------------------------- */

struct forgetting {
	struct shard_job job;
	struct shard *back;                  /* NULL: it is on its way back */
	struct erasing *x;
	struct api *at;
};

static int still(struct erasing *x);
static void nodes_forgot(void *ctx);

static void
one_forgot(struct shard_job *job)
{
	struct forgetting *f = CONTAINER_OF(job, struct forgetting, job);
	struct erasing *x = f->x;
	struct shard *back = f->back;

	if (back != NULL) {
		api_owner_forget(f->at, x->c->other);
		f->back = NULL;
		shard_post(back, &f->job);
		return;
	}
	free(f);
	if (--x->left == 0)
		nodes_forgot(x);
}

/* Every event loop of this process. */
static void
forget_here(struct erasing *x)
{
	struct api_shared *sh = x->c->api->shared;

	auth_owner_leaves(sh->o.auth, x->c->other);
	x->left = 1;
	for (size_t i = 0; i < sh->o.shards; i++) {
		struct forgetting *f;

		if (sh->at[i] == NULL)
			continue;
		f = mem_new(struct forgetting);
		*f = (struct forgetting){ .back = x->c->api->shard, .x = x, .at = sh->at[i],
		    .job.run = one_forgot };
		x->left++;
		shard_post(sh->at[i]->shard, &f->job);
	}
	if (--x->left == 0)
		nodes_forgot(x);
}

static void agents_end(struct erasing *x);

static void
others_forgot(void *ctx)
{
	struct erasing *x = ctx;

	call_finish(x->c, still(x));
}

/* This process has.  Asked by another node: its agents end here too, and that is all. */
static void
nodes_forgot(void *ctx)
{
	struct erasing *x = ctx;

	if (peer_asks(x->c))
		agents_end(x);
	else
		peer_wait_all(x->c, S("{}"), others_forgot, x);
}

static int
left(struct erasing *x)
{
	x->c->owner = x->c->op.owner_erase.id;
	x->more = x->c->op.owner_erase.more;
	forget_here(x);
	return OK;
}

/* ---- what is under way ----------------------------------------------------------------- */

static int runs_end(struct erasing *x);

static int
stilled(struct erasing *x)
{
	agents_end(x);
	return OK;
}

static int
still(struct erasing *x)
{
	return step(x, OWNER_STILLS, stilled);
}

/* Asked by another node: what only this one has is a tracker in a file of its own. */
static int
own_file(struct erasing *x)
{
	struct store *main = x->c->api->shared->o.store, *home = store_guest_home(main, "work");

	if (home == main || x->step == OWNER_SCRUBBED) {
		call_empty(x->c, 204);
		return OK;
	}
	x->store = home;
	if (x->step == OWNER_RESTS && !x->c->op.owner_erase.more)
		return step(x, OWNER_SCRUB, own_file);
	return step(x, x->step == OWNER_SCRUB ? OWNER_SCRUBBED : OWNER_RESTS, own_file);
}

static void
agents_ended(struct erasing *x)
{
	call_finish(x->c, peer_asks(x->c) ? own_file(x) : runs_end(x));
}

static void
agent_ended(void *ctx, int rc, const struct err *e)
{
	struct erasing *x = ctx;

	(void)e;
	x->agents += rc == OK;               /* one that is gone already is gone */
	if (--x->left == 0)
		agents_ended(x);
}

static void
agent_found(void *ctx, const struct office_shown *a)
{
	struct erasing *x = ctx;

	mem_grow(x->ids, x->ids_n, x->ids_cap);
	x->ids[x->ids_n++] = a->spec.id;
}

static void
agents_found(void *ctx)
{
	struct erasing *x = ctx;
	struct call *c = x->c;
	size_t n = x->ids_n;
	struct uuid *ids = x->ids;

	x->ids = NULL;
	x->ids_n = x->ids_cap = 0;
	x->left = n + 1;
	for (size_t i = 0; i < n; i++) {
		char id[UUID_TEXT];

		uuid_format(&ids[i], id);
		office_stop(c->api->office, c->owner, (struct str){ id, UUID_TEXT }, false, 0,
		    agent_ended, x);
	}
	free(ids);
	if (--x->left == 0)
		agents_ended(x);
}

static void
agents_end(struct erasing *x)
{
	office_list(x->c->api->office, x->c->owner, agent_found, agents_found, x);
}

static int truncate_next(struct erasing *x);

static int
runs_ended(void *ctx, int rc)
{
	struct erasing *x = ctx;

	return rc < 0 && rc != ERR_NOTFOUND ? rc : truncate_next(x);
}

static int
runs_end(struct erasing *x)
{
	static const struct uuid any;

	if (x->rounds++ >= ROUNDS_MAX)
		return err_set(&x->c->err, ERR_BUSY, "runs of the owner do not end; his name is given "
		    "up already: ask again to go on");
	x->kind = 0;
	return api_runs_end(x->c, &any, S("the owner is erased"), runs_ended, x);
}

/* ---- his rows ----------------------------------------------------------------------------- */

static int rest(struct erasing *x);

static int
truncated(struct call *c)
{
	struct erasing *x = c->erasing;
	const struct store_truncate *op = &c->op.truncate;

	for (size_t i = 0; i < op->gone_n; i++)
		runs_thread_deleted(c->api->runs, &op->gone[i]);
	x->threads += (int64_t)op->gone_n;
	x->kind += !op->more;
	/* What stays has a run, or another node is at it. */
	if (op->more && op->gone_n == 0 && op->what == TRUNCATE_THREADS)
		return runs_end(x);
	return truncate_next(x);
}

static void
truncate_failed(struct call *c, int rc, const struct err *e)
{
	struct erasing *x = c->erasing;

	c->failed = NULL;
	if (rc == ERR_CONFLICT)
		call_finish(c, runs_end(x));
	else
		call_fail(c, rc, e);
}

static int
truncate_next(struct erasing *x)
{
	x->c->failed = truncate_failed;
	if (x->kind < TRUNCATES) {
		x->c->op.truncate = (struct store_truncate){ .what = x->kind };
		return call_submit(x->c, STORE_TRUNCATE, truncated);
	}
	x->c->failed = NULL;
	return rest(x);
}

static int gone(struct erasing *x);

/* The tracker may be in a file of its own. */
static int
rest_of_guests(struct erasing *x)
{
	struct store *home = store_guest_home(x->c->api->shared->o.store, "work");

	if (x->c->op.owner_erase.more)
		return step(x, OWNER_RESTS, rest_of_guests);
	if (x->store != home) {
		x->store = home;
		return step(x, OWNER_RESTS, rest_of_guests);
	}
	x->store = x->c->api->shared->o.store;
	return step(x, OWNER_GONE, gone);
}

static int
rest(struct erasing *x)
{
	return step(x, OWNER_RESTS, rest_of_guests);
}

/* ---- the file ------------------------------------------------------------------------------ */

static int
ended(struct erasing *x)
{
	struct call *c = x->c;

	if (x->more)
		return step(x, OWNER_LEAVES, left);
	json_add_fmt(call_out(c), "{'owner':%.*s,'threads':%lld,'agents':%lld,'scrubbed':%hhd}",
	    FMT(c->other), (long long)x->threads, (long long)x->agents,
	    !str_eq(str_of(store_driver(x->store)), S("postgres")));
	return call_json(c, STR_NONE);
}

static int
scrubbed(struct erasing *x)
{
	struct store *main = x->c->api->shared->o.store, *home = store_guest_home(main, "work");

	if (x->step == OWNER_SCRUB)
		return step(x, OWNER_SCRUBBED, scrubbed);
	if (x->store != home) {
		x->store = home;
		return step(x, OWNER_SCRUB, scrubbed);
	}
	x->store = main;
	return step(x, OWNER_ENDS, ended);
}

static int
gone(struct erasing *x)
{
	return x->more ? step(x, OWNER_ENDS, ended) : step(x, OWNER_SCRUB, scrubbed);
}

int
api_owner_erase(struct call *c)
{
	struct erasing *x = arena_new(&c->r->arena, struct erasing);

	if (x == NULL)
		return err_set(&c->err, ERR_TOOBIG, "the request is too large");
	if (c->other.n == 0)
		fields_fail(c->in, "owner", ERR_INVALID, "expected the name of an owner, in the query");
	if (c->in->rc < 0)
		return c->in->rc;
	c->in = NULL;
	*x = (struct erasing){ .c = c, .store = c->api->shared->o.store };
	c->erasing = x;
	if (!peer_asks(c))
		return step(x, OWNER_LEAVES, left);
	forget_here(x);
	return OK;
}
