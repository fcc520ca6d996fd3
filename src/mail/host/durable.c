/*
 * durable.c - see durable.h.
 *
 * What became of letters is written once a turn, in batches that nobody waits for.  A batch
 * that the store refuses is kept and submitted again: were it dropped, its letters would come
 * back after the next start.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail/host/durable.h"

#include <string.h>

#include "base/mem.h"
#include "store/node.h"

#define BATCH_LETTERS 256
#define AGAIN_MS      1000

struct batch {
	struct store_mail_set cmd;
	struct durable *d;
	struct batch *next;                  /* of those that were refused */
	struct store_mail_became at[BATCH_LETTERS];
};

struct durable {
	struct store *store;
	struct shard *shard;
	struct batch *open;                  /* of this turn; or NULL */
	struct shard_job turn_end;
	struct batch *refused;
	struct wheel_timer again;
	size_t under_way;                    /* commands */
	void (*drained)(void *ctx);
	void *drained_ctx;
};

/* ---- life --------------------------------------------------------------------- */

static void batch_submit(struct durable *d, struct batch *b);

static void
turn_ends(struct shard_job *job)
{
	struct durable *d = CONTAINER_OF(job, struct durable, turn_end);
	struct batch *b = d->open;

	d->open = NULL;
	if (b != NULL)
		batch_submit(d, b);
}

static void
try_again(struct wheel_timer *t)
{
	struct durable *d = CONTAINER_OF(t, struct durable, again);
	struct batch *b = d->refused;

	d->refused = NULL;
	while (b != NULL) {
		struct batch *next = b->next;

		batch_submit(d, b);
		b = next;
	}
}

struct durable *
durable_new(struct store *st, struct shard *s)
{
	struct durable *d = mem_new(struct durable);

	d->store = st;
	d->shard = s;
	d->turn_end.run = turn_ends;
	d->again.fire = try_again;
	return d;
}

static void
refused_drop(struct durable *d)
{
	while (d->refused != NULL) {
		struct batch *b = d->refused;

		d->refused = b->next;
		free(b);
	}
	shard_timer_cancel(d->shard, &d->again);
}

void
durable_free(struct durable *d)
{
	if (d == NULL)
		return;
	assert(d->under_way == 0);
	refused_drop(d);
	free(d->open);
	free(d);
}

bool
durable_is_idle(const struct durable *d)
{
	return d->under_way == 0 && d->open == NULL && d->refused == NULL;
}

static void
drain_check(struct durable *d)
{
	void (*done)(void *ctx) = d->drained;

	if (done == NULL)
		return;
	refused_drop(d);                     /* nobody waits for a full disk */
	if (!durable_is_idle(d))
		return;
	d->drained = NULL;
	done(d->drained_ctx);
}

void
durable_drain(struct durable *d, void (*done)(void *ctx), void *ctx)
{
	assert(d->drained == NULL && done != NULL);
	d->drained = done;
	d->drained_ctx = ctx;
	drain_check(d);
}

/* A command is back, or was not taken. */
static void
command_ends(struct durable *d)
{
	assert(d->under_way > 0);
	d->under_way--;
	drain_check(d);
}

/* Calls came(c) now if the store does not take it. */
static void
submit(struct durable *d, struct store_cmd *c, enum store_op op,
    void (*came)(struct store_cmd *c))
{
	int rc;

	c->op = op;
	c->done = came;
	d->under_way++;
	rc = store_submit(d->store, d->shard, c, false);
	if (rc == OK)
		return;
	c->rc = err_set(&c->err, rc, "the store is busy; try again");
	came(c);
}

/* ---- what became of letters ------------------------------------------------------ */

static void
batch_came(struct store_cmd *c)
{
	struct batch *b = CONTAINER_OF(c, struct batch, cmd.cmd);
	struct durable *d = b->d;

	/* Another node has these letters now. */
	if (c->rc == OK || c->rc == ERR_CANCELLED) {
		free(b);
	} else {
		if (d->refused == NULL)
			shard_timer_set(d->shard, &d->again, AGAIN_MS);
		b->next = d->refused;
		d->refused = b;
	}
	command_ends(d);
}

static void
batch_submit(struct durable *d, struct batch *b)
{
	b->cmd.at = b->at;
	b->cmd.now = shard_wall(d->shard);
	b->cmd.cmd.lazy = true;
	submit(d, &b->cmd.cmd, STORE_MAIL_SET, batch_came);
}

void
durable_became(struct durable *d, const struct letter *l, enum store_mail_state state,
    enum mail_dead_reason why)
{
	if ((l->flags & LETTER_DURABLE) == 0)
		return;
	if (d->open == NULL) {
		d->open = mem_new(struct batch);
		d->open->d = d;
		shard_at_turn_end(d->shard, &d->turn_end);
	}
	d->open->at[d->open->cmd.n++] = (struct store_mail_became){ .number = l->row,
	    .state = state, .reason = why, .tries = l->tries };
	if (d->open->cmd.n == BATCH_LETTERS) {
		struct batch *b = d->open;

		d->open = NULL;
		batch_submit(d, b);
	}
}

/* ---- messages ---------------------------------------------------------------------- */

struct put {
	struct store_mail_put cmd;
	struct durable *d;
	struct store_mail mail;
	durable_done *done;
	void *ctx;
	struct uuid to[];                    /* and the texts */
};

static void
put_came(struct store_cmd *c)
{
	struct put *p = CONTAINER_OF(c, struct put, cmd.cmd);
	struct durable *d = p->d;

	if (store_is_late(d->store, c))
		p->mail.known = true;        /* others deliver it */
	p->done(p->ctx, c->rc, &p->mail, &c->err);
	free(p);
	command_ends(d);
}

void
durable_put(struct durable *d, owner_t owner, const struct store_mail *m,
    durable_done *done, void *ctx)
{
	size_t to = m->to_n * sizeof *m->to;
	size_t nodes = m->nodes != NULL ? m->to_n * sizeof *m->nodes : 0;
	struct put *p = mem_alloc(sizeof *p + to + nodes + m->packed.n + m->conversation.n);
	char *room = (char *)p->to + to + nodes;

	assert(m->to_n > 0);
	*p = (struct put){ .cmd = { .cmd.owner = owner, .mails = &p->mail, .mails_n = 1 },
	    .d = d, .mail = *m, .done = done, .ctx = ctx };
	memcpy(p->to, m->to, to);
	p->mail.to = p->to;
	if (nodes > 0)
		p->mail.nodes = memcpy((char *)p->to + to, m->nodes, nodes);
	p->mail.packed = str_put(&room, m->packed);
	p->mail.conversation = str_put(&room, m->conversation);
	submit(d, &p->cmd.cmd, STORE_MAIL_PUT, put_came);
}

/* ---- dead letters -------------------------------------------------------------------- */

struct revival {
	struct store_mail_dead cmd;
	struct durable *d;
	struct arena arena;
	durable_revived *done;
	void *ctx;
};

static void
revival_came(struct store_cmd *c)
{
	struct revival *r = CONTAINER_OF(c, struct revival, cmd.cmd);
	struct durable *d = r->d;

	r->done(r->ctx, c->rc, r->cmd.letters, c->rc == OK ? r->cmd.letters_n : 0, &c->err);
	arena_release(&r->arena);
	free(r);
	command_ends(d);
}

void
durable_dead(struct durable *d, owner_t owner, const struct uuid *message_id, bool drop,
    durable_revived *done, void *ctx)
{
	struct revival *r = mem_new(struct revival);

	r->cmd = (struct store_mail_dead){ .cmd = { .owner = owner, .arena = &r->arena },
	    .id = *message_id, .drop = drop, .now = shard_wall(d->shard) };
	r->d = d;
	r->arena = ARENA(LIMIT_STATE_BYTES);
	r->done = done;
	r->ctx = ctx;
	submit(d, &r->cmd.cmd, STORE_MAIL_DEAD, revival_came);
}
