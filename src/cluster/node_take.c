/*
 * node_take.c - looking: who is there, who is no more, and what is written for us.
 *
 *   look --> list ----------------------------> wanted --> look later
 *              | somebody's lease is over, or      | cancels: to their runs
 *              | somebody has left                 | threads: to shards
 *              v
 *             take --> threads to shards --> take again, until nothing is left
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "base/id.h"
#include "base/log.h"
#include "base/mem.h"
#include "cluster/node_priv.h"

/* ---- threads to shards --------------------------------------------------------------- */

struct adoption {
	struct shard_job job;
	struct runs *rs;
	struct store_taken thread;
};

static void
adoption_run(struct shard_job *job)
{
	struct adoption *x = CONTAINER_OF(job, struct adoption, job);

	runs_adopt(x->rs, x->thread.owner, x->thread.thread_seq, &x->thread.thread_id);
	free(x);
}

static void
adopt(struct cluster *c, const struct store_taken *t)
{
	struct adoption *x = mem_new(struct adoption);

	assert(c->shards > 0 && c->shard[c->shards - 1].runs != NULL);
	x->job.run = adoption_run;
	x->rs = c->shard[c->turn++ % c->shards].runs;
	x->thread = *t;
	shard_post(runs_shard(x->rs), &x->job);
}

/* ---- taking -------------------------------------------------------------------------- */

static void look(struct cluster *c);

static void
on_look(struct wheel_timer *t)
{
	look(CONTAINER_OF(t, struct cluster, look));
}

static void
look_in(struct cluster *c, msec ms)
{
	if (c->over || c->leaves)
		return;
	c->look_at = clock_mono() + ms * NS_PER_MS;
	shard_timer_cancel(c->home, &c->look);
	c->look.fire = on_look;
	shard_timer_set(c->home, &c->look, ms);
}

static uint32_t
any(void)
{
	uint32_t x;

	id_random(&x, sizeof x);
	return x;
}

static size_t
nodes(struct cluster *c)
{
	size_t n;

	pthread_mutex_lock(&c->lock);
	n = c->peers_n + 1;
	pthread_mutex_unlock(&c->lock);
	return n;
}

static void take_begin(struct cluster *c);

static void
taken(struct store_cmd *cmd)
{
	struct cluster *c = CONTAINER_OF(cmd, struct cluster, take.cmd);
	struct store_node_take *x = &c->take;
	msec again = pace_take_again(cmd->rc == OK && x->more && !c->leaves, x->taken_n,
	    nodes(c), any());

	/* Late: what it took is its old number's, and is taken again. */
	for (size_t i = 0; cmd->rc == OK && !store_is_late(c->st, cmd) && i < x->taken_n; i++)
		adopt(c, &x->taken[i]);
	if (cmd->rc == OK) {
		log_works(&c->not_taken, "cluster", "not_taken");
		c->tidy = false;
		atomic_fetch_add(&c->counts.took, x->taken_n);
		atomic_fetch_add(&c->counts.marked, (uint64_t)x->marked);
		if (x->marked > 0)
			log_warn("cluster", "node_lost", "nodes=%lld last=%lld",
			    (long long)x->marked, (long long)x->from);
	} else if (cmd->rc != ERR_CANCELLED) {
		log_fails(&c->not_taken, "cluster", "not_taken", "rc=%s reason=%s",
		    rc_name(cmd->rc), cmd->err.text);
	}
	/* Those of a take that failed are missed again. */
	c->lost_at = cmd->rc == OK ? c->lost_at + x->lost_n : c->lost_n;
	arena_clear(&c->take_arena);
	if (again == 0 || (c->lost_at < c->lost_n && !c->leaves)) {
		take_begin(c);
	} else if (again > 0) {
		c->list_next = 0;
		look_in(c, again);
	}
}

static void
take_begin(struct cluster *c)
{
	size_t lost_n = c->lost_n - c->lost_at;
	int rc;

	if (c->take.cmd.under_way)
		return;
	if (c->drains || cluster_node(c) <= 0) {
		c->lost_at = c->lost_n;      /* it is found again, or by others */
		return;
	}
	c->take = (struct store_node_take){ .cmd = { .op = STORE_NODE_TAKE,
	    .arena = &c->take_arena, .done = taken }, .limit = LIMIT_TAKE_THREADS,
	    .lost = c->lost + c->lost_at,
	    .lost_n = lost_n < LIMIT_TAKE_THREADS ? lost_n : LIMIT_TAKE_THREADS,
	    .spare = clock_mono() < c->spares, .tidy = c->tidy, .now = shard_wall(c->home) };
	rc = store_submit(c->st, c->home, &c->take.cmd, true);
	assert(rc == OK);                    /* forced */
}

/* ---- what is written for us ------------------------------------------------------------- */

/* What the store says is ours and is not here: pending runs are claimed; one that is
 * running, and stays missing, is taken anew. */
static void
compare(struct cluster *c, int64_t last)
{
	const struct store_node_wanted *x = &c->wanted;
	struct store_lost *missed = mem_zero((x->runs_n + 1) * sizeof *missed);
	struct runs *rs = c->shard[0].runs;
	size_t n = 0;

	for (size_t i = 0; i < x->runs_n; i++) {
		const struct store_under_way *r = &x->runs[i];

		if (r->running && !runs_has_run(rs, &r->run_id))
			missed[n++] = (struct store_lost){ r->thread.thread_seq, r->run_seq };
		else if (!r->running && !runs_has_thread(rs, &r->thread.thread_id))
			adopt(c, &r->thread);
	}
	assert(c->lost_n == c->lost_at);
	free(c->lost);
	c->lost = mem_zero((n + 1) * sizeof *c->lost);
	c->lost_at = 0;
	c->lost_n = missed_look(&c->missed, x->after, last, missed, n, clock_mono(), c->lost);
	free(missed);
}

static void
wanted_done(struct store_cmd *cmd)
{
	struct cluster *c = CONTAINER_OF(cmd, struct cluster, wanted.cmd);
	const struct store_node_wanted *x = &c->wanted;
	bool ok = cmd->rc == OK && !c->leaves && !store_is_late(c->st, cmd);

	for (size_t i = 0; ok && i < x->cancels_n; i++)
		run_cancel(c->shard[0].runs, x->cancels[i].owner, &x->cancels[i].thread_id,
		    &x->cancels[i].run_id, x->cancels[i].rollback ? RUN_ROLLBACK : 0,
		    x->cancels[i].why, NULL, NULL);
	if (ok && !x->cancels_only) {
		bool all = x->runs_n < LIMIT_NODE_RUNS;
		int64_t last = all ? INT64_MAX : x->runs[x->runs_n - 1].thread.thread_seq;

		compare(c, last);
		c->after = all ? 0 : last;
		/* Some are missed: the sweep goes on without a pause. */
		c->compare_next = c->compare_asked ? 0 : clock_mono() + NS_PER_MS *
		    pace_compare(c->missed.n > 0 ? 0 : x->runs_n,
		    c->bus != NULL && bus_is_up(c->bus), any());
	}
	if (ok)
		c->tidy = c->tidy || x->stale;
	if (ok && (c->tidy || c->lost_at < c->lost_n))
		take_begin(c);
	arena_clear(&c->wanted_arena);
}

static void
wanted_begin(struct cluster *c)
{
	int rc;

	if (c->wanted.cmd.under_way)
		return;
	c->wanted = (struct store_node_wanted){ .cmd = { .op = STORE_NODE_WANTED,
	    .arena = &c->wanted_arena, .done = wanted_done },
	    .cancels_only = clock_mono() < c->compare_next || c->lost_at < c->lost_n,
	    .after = c->after };
	c->compare_asked = false;
	rc = store_submit(c->st, c->home, &c->wanted.cmd, true);
	assert(rc == OK);
}

/* ---- who is there --------------------------------------------------------------------- */

static void
listed(struct store_cmd *cmd)
{
	struct cluster *c = CONTAINER_OF(cmd, struct cluster, list.cmd);
	const struct store_node_list *x = &c->list;
	int64_t us = cluster_node(c);
	bool over = false, gone = false, spare = clock_mono() < c->spares;

	for (size_t i = 0; cmd->rc == OK && i < x->nodes_n; i++)
		over = over || (x->nodes[i].node != us &&
		    pace_is_over(x->nodes[i].state, x->nodes[i].left, spare));
	if (cmd->rc == OK) {
		gone = peers_set(c, x->nodes, x->nodes_n);
		c->list_next = clock_mono() + pace_list(c->o.lease, x->nodes_n) * NS_PER_MS;
	}
	arena_clear(&c->list_arena);
	if (cmd->rc != OK || us <= 0 || c->leaves)
		return;
	if ((over || gone) && c->o.gone != NULL && !c->drains)
		c->o.gone(c->o.ctx);
	if (over)
		take_begin(c);
	wanted_begin(c);
	if (c->asked) {
		c->asked = false;
		c->list_next = 0;
		look_in(c, 1);
	}
}

static void
look(struct cluster *c)
{
	int rc;

	look_in(c, pace_look(c->o.lease, any()));
	c->told = false;
	if (clock_mono() < c->list_next) {
		if (cluster_node(c) > 0 && !c->leaves)
			wanted_begin(c);
		return;
	}
	if (c->list.cmd.under_way) {
		c->asked = true;
		return;
	}
	c->list = (struct store_node_list){ .cmd = { .op = STORE_NODE_LIST,
	    .arena = &c->list_arena, .done = listed } };
	rc = store_submit(c->st, c->home, &c->list.cmd, true);
	assert(rc == OK);
}

void
take_look_soon(struct cluster *c)
{
	c->list_next = c->compare_next = 0;
	c->compare_asked = true;
	if (c->serves)
		look(c);
}

void
take_look_ours(struct cluster *c)
{
	c->compare_next = 0;
	c->compare_asked = true;
	if (c->serves)
		look(c);
}

void
take_look_told(struct cluster *c)
{
	msec ms = pace_told(c->o.lease, nodes(c), any());

	c->list_next = 0;
	if (!c->serves || c->told)
		return;
	if (ms == 0) {
		look(c);
	} else if (clock_mono() + ms * NS_PER_MS < c->look_at) {
		c->told = true;
		look_in(c, ms);
	}
}

void
take_stop(struct cluster *c)
{
	c->over = true;
	shard_timer_cancel(c->home, &c->look);
	if (c->ear != NULL)
		bus_stop(c->ear);
	c->ear = NULL;
}
