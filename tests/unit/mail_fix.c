/*
 * mail_fix.c - see mail_fix.h.
 *
 * SPDX-License-Identifier: MIT
 */
#include "mail_fix.h"
#include "harness/test.h"

static enum mail_taken
agent_take(void *ctx, struct letter *l)
{
	struct fix_agent *a = ctx;

	CHECK(!a->closed && mail_ref_eq(l->to, a->at));
	CHECK(l->expires == 0 || l->expires > a->fix->now);
	if (a->inside != NULL)
		a->inside(a, l);
	CHECK(a->taken_n < FIX_NOTES);
	if (a->answer == MAIL_TAKEN || a->answer == MAIL_HELD)
		a->taken[a->taken_n++] = letter_packed(l).p[0];
	if (a->answer == MAIL_HELD)
		a->held[a->held_n++] = l;
	return a->answer;
}

static void
agent_closed(void *ctx)
{
	struct fix_agent *a = ctx;

	CHECK(!a->closed);
	a->closed = true;
}

static void
agent_load(void *ctx, uint32_t pending)
{
	struct fix_agent *a = ctx;

	a->load = pending;
	a->loads++;
}

const struct mail_kind fix_kind = { "native", agent_take, agent_closed, agent_load };

static void
on_ready(void *ctx)
{
	((struct fix *)ctx)->ready++;
}

static void
on_carry(void *ctx, const struct letter *l)
{
	struct fix *f = ctx;

	f->carried_texts[f->carried++] = letter_packed(l).p[0];
	mail_text_drop(f->carried_last.text);
	f->carried_last = *l;
	if (l->text != NULL)
		mail_text_hold(l->text);
}

static void
on_dead(void *ctx, const struct letter *l, enum mail_dead_reason why)
{
	struct fix *f = ctx;

	(void)l;
	f->dead[why]++;
	if (f->when_dead != NULL)
		f->when_dead(f);
}

static void
on_expired(void *ctx, const struct letter *l)
{
	(void)l;
	((struct fix *)ctx)->expired++;
}

static void
on_delivered(void *ctx, const struct letter *l)
{
	(void)l;
	((struct fix *)ctx)->delivered++;
}

static uint64_t
on_random(void *ctx)
{
	struct fix *f = ctx;

	f->seed = f->seed * UINT64_C(6364136223846793005) + 1442695040888963407;
	return f->seed >> 33;
}

void
fix_open(struct fix *f)
{
	static const struct post_options options = { .mailbox_max = 1000, .tries_max = 3,
		.retry_first = 100, .retry_max = 1000 };
	static const struct post_ops ops = { on_ready, on_carry, on_dead, on_expired, on_delivered,
		on_random };

	*f = (struct fix){ .now = 1700000000000, .seed = 1 };
	f->post = post_new(&options, &ops, f);
}

void
fix_close(struct fix *f)
{
	post_check(f->post);
	post_free(f->post);
	mail_text_drop(f->carried_last.text);
}

void
fix_agent_open(struct fix *f, struct fix_agent *a, uint32_t cap)
{
	*a = (struct fix_agent){ .fix = f };
	a->at = post_open(f->post, &fix_kind, a, cap);
	CHECK(a->at.uses > 0 && post_agent(f->post, a->at) == a);
}

int
fix_send(struct fix *f, struct fix_agent *to, char text, uint8_t priority, msec ttl)
{
	return post_send(f->post, &(struct post_letter){ .to = to->at, .packed = { &text, 1 },
		.priority = priority, .ttl = ttl }, f->now);
}

void
fix_send_all(struct fix *f, struct fix_agent *to, const char *texts)
{
	for (; *texts != '\0'; texts++)
		CHECK_RC(fix_send(f, to, *texts, 0, 0), OK);
}

void
fix_later(struct fix *f, struct mail_ref to, char text, uint8_t priority, msec ttl)
{
	post_send_later(f->post, &(struct post_letter){ .to = to, .packed = { &text, 1 },
		.priority = priority, .ttl = ttl }, f->now);
}

void
fix_run(struct fix *f)
{
	while (post_run(f->post, 7, f->now))
		post_check(f->post);
	post_check(f->post);
}

void
fix_pass(struct fix *f, msec ms)
{
	msec until = f->now + ms;

	fix_run(f);
	for (;;) {
		msec due = post_due(f->post);

		CHECK(due > f->now);
		if (due > until)
			break;
		f->now = due;
		fix_run(f);
	}
	f->now = until;
	fix_run(f);
}

struct mail_books
fix_books(const struct fix *f)
{
	struct mail_books k;

	post_books(f->post, &k);
	CHECK(k.sent + k.come == k.delivered + k.dead + k.expired + k.pending + k.gone);
	return k;
}
