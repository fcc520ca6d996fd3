/*
 * sweep.c - see sweep.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "run/sweep.h"

#include <assert.h>

#include "base/log.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define FIRST_MS (1 * 1000)                  /* after the start */
#define PAUSE_MS 10                          /* between two passes: others go first */
#define EVERY_MS (5 * 60 * 1000)
#define ROUND    1000

/* gone: called for each object that a pass removed; may be NULL. */
static const struct sweep {
	const char *name;
	enum store_op op;
	msec every;
	int64_t limit;
	void (*gone)(struct runs *rs, const struct uuid *id);
} sweeps[SWEEPS] = {
	[SWEEP_ITEMS] = { "items", STORE_ITEM_SWEEP, EVERY_MS, 100 * ROUND, NULL },
	[SWEEP_THREADS] = { "threads", STORE_THREAD_SWEEP, EVERY_MS, ROUND,
	    runs_thread_deleted },
	[SWEEP_ONCE] = { "idempotency_keys", STORE_ONCE_SWEEP, EVERY_MS,
	    LIMIT_ONCE_KEYS, NULL },
};

/* One row at work. */
struct sweeping {
	struct runs *rs;
	const struct sweep *row;
	msec every;
	int64_t limit, left, removed;        /* of this round */
	struct wheel_timer timer;
	struct store_sweep c;
	struct arena arena;
};

struct sweeper {
	struct sweeping at[SWEEPS];
};

void
sweep_set(struct runs_shared *sh, enum sweep_id id, msec every, int64_t limit)
{
	assert(id < SWEEPS && every > 0 && limit > 0);
	sh->sweeps[id] = (struct sweep_rule){ every, limit };
}

/* ---- a round --------------------------------------------------------------- */

static void
sweeping_in(struct sweeping *s, msec ms)
{
	shard_timer_set(s->rs->shard, &s->timer, ms);
}

static void
round_end(struct sweeping *s)
{
	if (s->removed > 0)
		log_info("run", "swept", "what=%s removed=%lld", s->row->name,
		    (long long)s->removed);
	s->left = s->limit;
	s->removed = 0;
	if (!s->rs->draining)
		sweeping_in(s, s->every);
}

static void
pass_done(struct store_cmd *cmd)
{
	struct sweeping *s = CONTAINER_OF(cmd, struct sweeping, c.cmd);
	struct runs *rs = s->rs;

	if (cmd->rc != OK)
		log_warn("run", "not_swept", "what=%s rc=%s reason=%s", s->row->name,
		    rc_name(cmd->rc), cmd->err.text);
	for (size_t i = 0; cmd->rc == OK && s->row->gone != NULL && i < s->c.gone_n; i++)
		s->row->gone(rs, &s->c.gone[i]);
	if (cmd->rc == OK) {
		s->removed += s->c.removed;
		s->left -= s->c.removed;
	}
	arena_clear(&s->arena);
	if (cmd->rc == OK && s->c.more && s->left > 0 && !rs->draining)
		sweeping_in(s, PAUSE_MS);
	else
		round_end(s);
	runs_busy(rs, -1);
}

static void
on_time(struct wheel_timer *t)
{
	struct sweeping *s = CONTAINER_OF(t, struct sweeping, timer);
	int rc;

	s->c = (struct store_sweep){ .cmd = { .op = s->row->op, .arena = &s->arena,
	    .done = pass_done }, .now = shard_wall(s->rs->shard), .limit = s->left };
	rc = store_submit(s->rs->sh->store, s->rs->shard, &s->c.cmd, false);
	if (rc == OK)
		runs_busy(s->rs, 1);
	else
		round_end(s);                /* the queue is full: others need it more */
}

/* ---- life ------------------------------------------------------------------ */

void
runs_sweep(struct runs *rs)
{
	if (rs->index != 0 || rs->sweeper != NULL || rs->draining)
		return;
	rs->sweeper = mem_new(struct sweeper);
	for (size_t i = 0; i < SWEEPS; i++) {
		struct sweeping *s = &rs->sweeper->at[i];
		const struct sweep_rule *set = &rs->sh->sweeps[i];

		s->rs = rs;
		s->row = &sweeps[i];
		s->every = set->every > 0 ? set->every : s->row->every;
		s->limit = s->left = set->limit > 0 ? set->limit : s->row->limit;
		s->arena = ARENA(THREAD_ARENA);
		s->timer.fire = on_time;
		sweeping_in(s, s->every < FIRST_MS ? s->every : FIRST_MS);
	}
}

void
sweep_drain(struct runs *rs)
{
	for (size_t i = 0; rs->sweeper != NULL && i < SWEEPS; i++)
		shard_timer_cancel(rs->shard, &rs->sweeper->at[i].timer);
}

void
sweep_close(struct runs *rs)
{
	sweep_drain(rs);
	for (size_t i = 0; rs->sweeper != NULL && i < SWEEPS; i++)
		arena_release(&rs->sweeper->at[i].arena);
	free(rs->sweeper);
	rs->sweeper = NULL;
}
