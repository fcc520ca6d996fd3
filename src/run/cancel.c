/*
 * cancel.c - cancelling a run that exists, wherever it is.
 *
 * A cancellation travels to the run's home shard, acts there, and returns to
 * the shard it was sent from.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/limits.h"
#include "base/mem.h"
#include "run/run_priv.h"

#define TRIES_MAX     16
#define FOREIGN_MS    250                    /* between two looks at the row */
#define FOREIGN_TRIES 240

struct cancel {
	struct parcel parcel;
	struct cancel *next;
	struct runs *away, *at;
	owner_t owner;
	struct uuid thread_id, run_id;
	bool rollback, soon;
	bool asked;                          /* of the node that has it */
	struct store_run_cancel want;
	struct wheel_timer again;
	char why[RUN_WHY];
	void (*done)(void *ctx, int rc);     /* NULL: nobody asks */
	void *ctx;
	int rc;
	unsigned tries;
};

static void
close_open(void *ctx, struct parcel *p)
{
	struct cancel *c = CONTAINER_OF(p, struct cancel, parcel);

	(void)ctx;
	if (c->done != NULL)
		c->done(c->ctx, c->rc);
	free(c);
}

void
cancel_finish(struct cancel *c, int rc)
{
	c->rc = rc;
	runs_forward(&c->at, c->away, &c->parcel, close_open);
}

void
cancel_link(struct cancel *c, struct cancel *next)
{
	c->next = next;
}

bool
cancel_is_soon(const struct cancel *c)
{
	return c->soon;
}

struct cancel *
cancel_next(struct cancel *c)
{
	return c->next;
}

static void route_open(void *ctx, struct parcel *p);

static void
arrive_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct cancel *c = CONTAINER_OF(p, struct cancel, parcel);
	struct run *run = run_expect(here, c->owner, &c->run_id);
	bool rollback = c->rollback;
	char why[RUN_WHY];

	if (run == NULL) {
		c->tries++;
		runs_forward(&c->at, c->away, &c->parcel, route_open);
		return;
	}
	run_hold(run);
	memcpy(why, c->why, sizeof why);
	if (c->done != NULL) {               /* told when it is stored */
		c->next = run->cancels;
		run->cancels = c;
	} else {
		cancel_finish(c, OK);
	}
	run->rollback = run->rollback || rollback;
	if (run->why[0] == '\0')
		memcpy(run->why, why, sizeof run->why);
	run_stop(run);
	run_drop(run);
}

/* The store has it pending or parked, and nobody holds it: it is brought here
 * first. */
static void
take_up(struct runs *here, struct cancel *c, const struct store_run *row)
{
	admit_large(here, c->owner, row);
	c->tries++;
	runs_forward(&c->at, here, &c->parcel, route_open);
}

/* ---- of another node ---------------------------------------------------------- */

static void
on_again(struct wheel_timer *t)
{
	struct cancel *c = CONTAINER_OF(t, struct cancel, again);
	struct runs *here = c->at;

	runs_busy(here, -1);
	route_open(here, &c->parcel);
}

/* Until its node has ended it; the tries are bounded by time here. */
static void
look_again(struct cancel *c)
{
	if (c->at->draining || c->tries++ >= FOREIGN_TRIES) {
		cancel_finish(c, ERR_BUSY);
		return;
	}
	runs_busy(c->at, 1);
	c->again.fire = on_again;
	shard_timer_set(c->at->shard, &c->again, FOREIGN_MS);
}

static void
wanted(struct store_cmd *cmd)
{
	struct cancel *c = CONTAINER_OF(cmd, struct cancel, want.cmd);
	struct runs *here = c->at;

	runs_busy(here, -1);
	c->asked = cmd->rc == OK && c->want.foreign > 0;
	if (c->asked)
		foreign_tell(here, c->want.foreign);
	if (cmd->rc == ERR_CONFLICT || (cmd->rc == OK && !c->asked)) {
		c->tries++;                  /* it came back, or has ended */
		runs_forward(&c->at, here, &c->parcel, route_open);
	} else if (cmd->rc != OK) {
		cancel_finish(c, cmd->rc);
	} else if (c->done == NULL || c->soon) {
		cancel_finish(c, OK);
	} else {
		look_again(c);
	}
}

static void
want(struct runs *here, struct cancel *c)
{
	int rc;

	c->want = (struct store_run_cancel){ .cmd = { .op = STORE_RUN_CANCEL,
	    .owner = c->owner, .done = wanted }, .run_id = c->run_id,
	    .rollback = c->rollback, .reason = str_of(c->why),
	    .now = shard_wall(here->shard) };
	rc = store_submit(here->sh->store, here->shard, &c->want.cmd, true);
	assert(rc == OK);                    /* forced */
	runs_busy(here, 1);
}

/* ---- where is it -------------------------------------------------------------- */

static void
route_open(void *ctx, struct parcel *p)
{
	struct runs *here = ctx;
	struct cancel *c = CONTAINER_OF(p, struct cancel, parcel);
	struct arena a = ARENA(THREAD_ARENA);
	struct store_run row;
	struct runs *home = NULL;
	enum whereabouts at;
	int rc = OK;

	at = run_locate(here, c->owner, &c->thread_id, &c->run_id, &a, &home, &row, &rc);
	if (at == AT_NONE)                   /* asked: it has been taken back */
		cancel_finish(c, c->asked && rc == ERR_NOTFOUND ? OK : rc);
	else if (at == AT_REST)
		cancel_finish(c, OK);
	else if (at == AT_FOREIGN && c->asked)
		look_again(c);
	else if (at == AT_FOREIGN && !here->draining)
		want(here, c);
	else if ((c->tries >= TRIES_MAX && !c->asked) || here->draining)
		cancel_finish(c, ERR_BUSY);
	else if (at == AT_HOME)
		runs_forward(&c->at, home, &c->parcel, arrive_open);
	else
		take_up(here, c, &row);
	arena_release(&a);
}

void
run_cancel(struct runs *rs, owner_t owner, const struct uuid *thread_id,
    const struct uuid *run_id, unsigned how, struct str why,
    void (*done)(void *ctx, int rc), void *ctx)
{
	struct cancel *c = mem_new(struct cancel);

	c->away = c->at = rs;
	c->owner = owner;
	c->thread_id = *thread_id;
	c->run_id = *run_id;
	c->rollback = (how & RUN_ROLLBACK) != 0;
	c->soon = (how & RUN_SOON) != 0;
	why = str_cut(why, sizeof c->why - 1);
	if (why.n > 0)
		memcpy(c->why, why.p, why.n);
	c->done = done;
	c->ctx = ctx;
	runs_forward(&c->at, rs, &c->parcel, route_open);
}

void
run_cancel_async(struct runs *rs, const struct uuid *run_id, owner_t owner)
{
	static const struct uuid any;

	run_cancel(rs, owner, &any, run_id, 0,
	    S("on_disconnect: its client has left"), NULL, NULL);
}
