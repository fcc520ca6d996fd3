/*
 * counts.c - see counts.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "cluster/counts.h"

#include <stdatomic.h>

#include "base/limits.h"
#include "base/mem.h"

enum { SOON = 1, NOW = 2 };                  /* bits of wanted */

struct counts {
	struct talk *talk;
	struct shard *shard;
	struct auth *auth;
	_Atomic unsigned wanted;             /* whose job is posted, or timer set */
	struct shard_job soon, now;
	struct wheel_timer timer, beat;
	struct buf text;
};

/* While NATS is away too: what was not told then is not told later. */
static void
tell(struct counts *c, bool all)
{
	struct str piece;
	bool any = auth_limits_tell(c->auth, all, &c->text);

	piece = buf_str(&c->text);
	if (piece.n > 0 && talk_is_up(c->talk))
		(void)talk_say(c->talk, TALK_ALL, TALK_LIMITS, &piece, 1);
	buf_clear(&c->text);
	if (any && !wheel_armed(&c->beat))
		shard_timer_set(c->shard, &c->beat, LIMIT_QUOTA_SILENT_MS / 3);
}

static void
on_timer(struct wheel_timer *t)
{
	struct counts *c = CONTAINER_OF(t, struct counts, timer);

	atomic_fetch_and(&c->wanted, ~(unsigned)SOON);
	tell(c, false);
}

static void
on_beat(struct wheel_timer *t)
{
	tell(CONTAINER_OF(t, struct counts, beat), true);
}

static void
tell_soon(struct shard_job *job)
{
	struct counts *c = CONTAINER_OF(job, struct counts, soon);

	shard_timer_set(c->shard, &c->timer, LIMIT_QUOTA_TELL_MS);
}

static void
tell_now(struct shard_job *job)
{
	struct counts *c = CONTAINER_OF(job, struct counts, now);

	atomic_fetch_and(&c->wanted, ~(unsigned)NOW);
	tell(c, false);
}

/* Any thread. */
static void
on_change(void *ctx, bool much)
{
	struct counts *c = ctx;
	unsigned want = much ? NOW : SOON;

	if (!(atomic_fetch_or(&c->wanted, want) & want))
		shard_post(c->shard, much ? &c->now : &c->soon);
}

static void
on_word(void *ctx, uint64_t from, struct str what)
{
	struct counts *c = ctx;

	auth_limits_hear(c->auth, from, what, shard_now(c->shard));
}

static void
on_bus(void *ctx, bool up)
{
	struct counts *c = ctx;

	if (up)
		tell(c, true);
	else
		auth_limits_forget(c->auth);
}

struct counts *
counts_new(struct talk *t, struct shard *s, struct auth *a)
{
	struct counts *c = mem_new(struct counts);

	c->talk = t;
	c->shard = s;
	c->auth = a;
	c->soon.run = tell_soon;
	c->now.run = tell_now;
	c->timer.fire = on_timer;
	c->beat.fire = on_beat;
	c->text = BUF(LIMIT_QUOTA_TOLD_BYTES);
	auth_limits_watch(a, on_change, c);
	talk_on(t, TALK_LIMITS, &(struct talk_ear){ .heard = on_word, .changed = on_bus,
	    .ctx = c });
	return c;
}

void
counts_free(struct counts *c)
{
	if (c == NULL)
		return;
	auth_limits_watch(c->auth, NULL, NULL);
	shard_timer_cancel(c->shard, &c->timer);
	shard_timer_cancel(c->shard, &c->beat);
	buf_release(&c->text);
	free(c);
}
