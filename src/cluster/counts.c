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

/* The text, if there is any. */
static void
say(struct counts *c, uint64_t to, enum talk_kind kind)
{
	struct str piece = buf_str(&c->text);

	if (piece.n > 0 && talk_is_up(c->talk))
		(void)talk_say(c->talk, to, kind, &piece, 1);
	buf_clear(&c->text);
}

/* While NATS is away too: what was not told then is not told later. */
static void
tell(struct counts *c, bool all)
{
	bool any = auth_limits_tell(c->auth, all, &c->text);

	say(c, TALK_ALL, TALK_LIMITS);
	for (auth_limits_ask(c->auth, &c->text); c->text.n > 0; auth_limits_ask(c->auth, &c->text))
		say(c, TALK_ALL, TALK_LIMITS_ASK);
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
on_ask(void *ctx, uint64_t from, struct str what)
{
	struct counts *c = ctx;

	auth_limits_answer(c->auth, what, &c->text);
	say(c, from, TALK_LIMITS_ANSWER);
}

static void
on_answer(void *ctx, uint64_t from, struct str what)
{
	struct counts *c = ctx;

	auth_limits_answered(c->auth, from, what, shard_now(c->shard));
}

static void
on_bus(void *ctx, bool up)
{
	struct counts *c = ctx;

	if (up)
		tell(c, true);
	else
		auth_limits_forget(c->auth, shard_now(c->shard));
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
	talk_on(t, TALK_LIMITS_ASK, &(struct talk_ear){ .heard = on_ask, .ctx = c });
	talk_on(t, TALK_LIMITS_ANSWER, &(struct talk_ear){ .heard = on_answer, .ctx = c });
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
