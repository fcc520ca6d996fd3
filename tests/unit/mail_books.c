/*
 * mail_books.c - a million random letters between two posts: nothing is lost, nothing is
 * delivered twice, and the books balance whenever they are read.
 *
 * Agents fail, hold, are busy, refuse, answer, stop inside and outside of take(), and are
 * paused; mailboxes are small; letters expire, wait for room, are retried, die and are sent
 * again.  The test counts by itself what became of each letter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail/post.h"

#include <string.h>

#define LETTERS 1000000
#define SLOTS   256                          /* places for agents, half on each post */
#define SENDERS 16
#define HELD    8
#define PARCELS 4096

enum fate { UNDER_WAY, DELIVERED, DEAD, EXPIRED, FATES };

/* The text of a letter; it may lie anywhere. */
struct __attribute__((packed)) stamp {
	uint32_t id;
	uint16_t sender, slot;
	uint32_t turn;                       /* per sender, slot and lane; 0: out of turn */
	uint8_t pad[300];                    /* of large ones */
};
#define STAMP_SMALL offsetof(struct stamp, pad)

enum manner { TAKES, FAILS, HOLDS, WILD };   /* TAKES and FAILS keep the order */

struct slot {
	struct mail_ref at;
	bool open;
	struct letter *held[HELD];
	size_t held_n;
	uint32_t turns[SENDERS][4], seen[SENDERS][4];
};

static struct {
	struct post *post[2];
	struct slot slots[SLOTS];
	uint8_t fate[LETTERS];
	uint32_t made;
	uint64_t count[FATES];
	struct letter parcels[PARCELS];      /* carried, not come yet; copies that hold texts */
	size_t parcels_first, parcels_n;
	struct { struct post_letter l; struct stamp s; } lost[64];     /* dead ones to send again */
	size_t lost_n;
	uint64_t seed;
	msec now;
} w;

static uint32_t
below(uint32_t n)
{
	w.seed ^= w.seed << 13;
	w.seed ^= w.seed >> 7;
	w.seed ^= w.seed << 17;
	return (uint32_t)((w.seed >> 32) * n >> 32);
}

static struct slot *
slot_of(const struct letter *l)
{
	return &w.slots[((const struct stamp *)letter_packed(l).p)->slot];
}

static void
fate_set(const struct letter *l, enum fate fate)
{
	uint32_t id;

	memcpy(&id, letter_packed(l).p, sizeof id);
	CHECK(id < w.made && w.fate[id] == UNDER_WAY);
	w.fate[id] = (uint8_t)fate;
	w.count[fate]++;
}

/* ---- sending ------------------------------------------------------------------- */

/* Posts 0 and 1 have the slots of their parity, and the senders. */
static void
send(unsigned sender)
{
	struct slot *to = &w.slots[below(SLOTS)];
	struct stamp s = { .id = w.made, .sender = (uint16_t)sender,
		.slot = (uint16_t)(to - w.slots) };
	struct post_letter l = { .to = to->at, .priority = below(4) ? 0 : (uint8_t)below(4),
		.flags = (uint8_t)below(8), .ttl = below(8) ? 0 : below(300) + 1,
		.max_retries = (uint8_t)below(4) };
	struct post *p = w.post[sender & 1];
	int rc = OK;

	if (w.made == LETTERS || w.parcels_n == PARCELS)
		return;
	w.made++;                            /* it may be taken before this returns */
	s.turn = ++to->turns[sender][l.priority];
	l.packed = (struct str){ (const char *)&s, below(16) ? STAMP_SMALL : sizeof s };
	if (below(2))
		rc = post_send(p, &l, w.now);
	else
		post_send_later(p, &l, w.now);
	if (rc != OK) {
		CHECK(rc == ERR_AGAIN || rc == ERR_NOTFOUND);
		w.made--;
		to->turns[sender][l.priority]--;
	}
}

static void
on_carry(void *ctx, const struct letter *l)
{
	struct letter *copy = &w.parcels[(w.parcels_first + w.parcels_n++) % PARCELS];

	(void)ctx;
	CHECK(w.parcels_n <= PARCELS);
	*copy = *l;
	if (l->text != NULL)
		mail_text_hold(l->text);
}

static void
parcels_come(size_t n)
{
	for (; n > 0 && w.parcels_n > 0; n--, w.parcels_n--) {
		struct letter *l = &w.parcels[w.parcels_first];

		w.parcels_first = (w.parcels_first + 1) % PARCELS;
		post_come(w.post[l->to.shard], l, w.now);
		mail_text_drop(l->text);
	}
}

/* ---- ends ------------------------------------------------------------------------ */

static void
on_dead(void *ctx, const struct letter *l, enum mail_dead_reason why)
{
	(void)ctx, (void)why;
	fate_set(l, DEAD);
	if (w.lost_n == COUNT(w.lost) || letter_packed(l).n != STAMP_SMALL)
		return;
	memcpy(&w.lost[w.lost_n].s, letter_packed(l).p, STAMP_SMALL);
	w.lost[w.lost_n++].l = (struct post_letter){ .to = slot_of(l)->at, .flags = l->flags,
		.priority = l->priority };
}

static void
on_expired(void *ctx, const struct letter *l)
{
	(void)ctx;
	CHECK(l->expires > 0 && l->expires <= w.now);
	fate_set(l, EXPIRED);
}

/* One that died at a post is sent again from there. */
static void
revive(void)
{
	struct post_letter *l;
	struct mail_books k;
	struct stamp *s;

	if (w.lost_n == 0 || w.parcels_n == PARCELS)
		return;
	w.lost_n--;
	l = &w.lost[w.lost_n].l;
	s = &w.lost[w.lost_n].s;
	post_books(w.post[s->slot & 1], &k);
	CHECK(k.dead > 0 && w.fate[s->id] == DEAD);
	w.fate[s->id] = UNDER_WAY;
	w.count[DEAD]--;
	s->turn = 0;
	l->packed = (struct str){ (const char *)s, STAMP_SMALL };
	post_revive(w.post[s->slot & 1], l, w.now);
}

/* ---- the books ------------------------------------------------------------------------ */

static void
check_books(void)
{
	struct mail_books a, b;

	post_books(w.post[0], &a);
	post_books(w.post[1], &b);
	CHECK(a.sent + a.come == a.delivered + a.dead + a.expired + a.pending + a.gone);
	CHECK(b.sent + b.come == b.delivered + b.dead + b.expired + b.pending + b.gone);
	CHECK_INT(a.sent + b.sent, w.made);
	CHECK_INT(a.gone + b.gone - a.come - b.come, w.parcels_n);
	CHECK_INT(a.delivered + b.delivered, w.count[DELIVERED]);
	CHECK_INT(a.dead + b.dead, w.count[DEAD]);
	CHECK_INT(a.expired + b.expired, w.count[EXPIRED]);
	CHECK_INT(w.made, w.count[DELIVERED] + w.count[DEAD] + w.count[EXPIRED] + a.pending +
	    b.pending + w.parcels_n);
}

/* ---- agents ------------------------------------------------------------------------- */

/* Of one sender the letters of a lane come in their turns, also when some fail. */
static void
see_turn(struct slot *a, const struct letter *l)
{
	const struct stamp *s = (const struct stamp *)letter_packed(l).p;
	uint32_t *seen = &a->seen[s->sender][l->priority];

	if (s->turn == 0)
		return;
	CHECK(s->turn >= *seen);             /* equal: another try */
	*seen = s->turn;
}

static enum mail_taken
answer_of(struct slot *a, enum manner manner)
{
	if (manner == TAKES)
		return MAIL_TAKEN;
	if (manner == FAILS)
		return below(4) ? MAIL_TAKEN : MAIL_FAILED;
	if (below(2) && a->held_n < HELD)
		return MAIL_HELD;
	if (manner == HOLDS)
		return MAIL_TAKEN;
	return (enum mail_taken[]){ MAIL_TAKEN, MAIL_BUSY, MAIL_FAILED, MAIL_REFUSED }[below(4)];
}

static enum mail_taken
take(void *ctx, struct letter *l)
{
	struct slot *a = ctx;
	enum manner manner = (enum manner)((a - w.slots) / 2 % 4);
	enum mail_taken done;

	CHECK(a == slot_of(l) && l->to.shard == ((a - w.slots) & 1));
	CHECK(l->expires == 0 || l->expires > w.now);
	if (below(64) == 0)
		check_books();               /* it is still pending */
	if (manner <= FAILS)
		see_turn(a, l);
	if (below(8) == 0)
		send((unsigned)(a - w.slots) % SENDERS);
	if (manner == WILD && below(64) == 0 && a->open) {
		a->open = false;
		CHECK_RC(post_close(w.post[a->at.shard], a->at), OK);
	}
	done = answer_of(a, manner);
	if (done == MAIL_TAKEN)
		fate_set(l, DELIVERED);
	if (done == MAIL_HELD)
		a->held[a->held_n++] = l;
	return done;
}

static const struct mail_kind kind = { .name = "native", .take = take };

static void
held_end(struct slot *a)
{
	struct letter *l;
	uint32_t i;

	if (a->held_n == 0)
		return;
	i = below((uint32_t)a->held_n);
	l = a->held[i];
	a->held[i] = a->held[--a->held_n];
	switch (below(4)) {
	case 0:
		post_return(w.post[l->to.shard], l);
		break;
	case 1:
		post_failed(w.post[l->to.shard], l, w.now);
		break;
	default:
		fate_set(l, DELIVERED);
		post_done(w.post[l->to.shard], l);
	}
}

static void
on_drained(void *ctx)
{
	struct slot *a = ctx;

	CHECK_INT(post_waiting(w.post[a->at.shard], a->at), 0);
	a->open = false;
	CHECK_RC(post_close(w.post[a->at.shard], a->at), OK);
}

/* Something happens to an agent. */
static void
disturb(struct slot *a)
{
	struct post *p = w.post[(a - w.slots) & 1];

	if (!a->open) {
		a->open = true;
		a->at = post_open(p, &kind, a, 4 + below(60));
		return;
	}
	switch (below(16)) {
	case 0:
		a->open = false;
		CHECK_RC(post_close(p, a->at), OK);
		break;
	case 1:
		CHECK(post_drain(p, a->at, on_drained, a) != ERR_NOTFOUND);
		break;
	case 2: case 3: case 4:
		post_pause(p, a->at);
		break;
	default:
		post_wake(p, a->at);
	}
}

static void
check_agent(const struct slot *a)
{
	struct mail_books k;

	if (!a->open)
		return;
	CHECK_RC(post_books_of(w.post[a->at.shard], a->at, &k), OK);
	CHECK_INT(k.sent, k.delivered + k.dead + k.expired + k.pending);
	CHECK_INT(k.pending, post_waiting(w.post[a->at.shard], a->at));
}

static void
on_ready(void *ctx)
{
	(void)ctx;
}

static uint64_t
on_random(void *ctx)
{
	(void)ctx;
	return below(UINT32_MAX);
}

static void
world_open(void)
{
	static const struct post_ops ops = { on_ready, on_carry, on_dead, on_expired, NULL, on_random };

	w.seed = 11;
	w.now = 1700000000000;
	for (unsigned i = 0; i < 2; i++)
		w.post[i] = post_new(&(struct post_options){ .shard = i, .mailbox_max = 100,
			.tries_max = 2, .retry_first = 4, .retry_max = 50 }, &ops, NULL);
	for (size_t i = 0; i < SLOTS; i++)
		disturb(&w.slots[i]);
}

static void
turn(void)
{
	for (uint32_t n = below(128); n > 0; n--)
		send(below(SENDERS));
	check_books();
	for (uint32_t n = below(8); n > 0; n--)
		disturb(&w.slots[below(SLOTS)]);
	for (uint32_t n = below(32); n > 0; n--)
		held_end(&w.slots[below(SLOTS)]);
	if (below(4) == 0)
		revive();
	check_books();
	for (size_t i = 0; i < 2; i++) {
		post_run(w.post[i], below(200), w.now);
		check_books();
	}
	parcels_come(below(200));
	check_books();
	check_agent(&w.slots[below(SLOTS)]);
	w.now += below(3);
}

/* All that is left comes to an end. */
static void
world_settle(void)
{
	while (w.count[DELIVERED] + w.count[DEAD] + w.count[EXPIRED] < w.made) {
		for (size_t i = 0; i < SLOTS; i++) {
			struct slot *a = &w.slots[i];

			post_wake(w.post[i & 1], a->at);
			while (a->held_n > 0)
				held_end(a);
		}
		parcels_come(PARCELS);
		for (size_t i = 0; i < 2; i++)
			post_run(w.post[i], 100000, w.now);
		w.now += 100;
		check_books();
	}
	for (size_t i = 0; i < 2; i++) {
		struct mail_books k;

		post_check(w.post[i]);
		post_books(w.post[i], &k);
		CHECK_INT(k.pending, 0);
		for (size_t why = 0; why < DEAD_REASONS; why++)
			CHECK(k.died[why] > 0);
		CHECK(k.retried > 0 && k.expired > 0 && k.refused > 0 && k.come > 0);
	}
	for (size_t i = 0; i < w.made; i++)
		CHECK(w.fate[i] != UNDER_WAY);
}

TEST(books_balance_over_a_million_letters)
{
	world_open();
	for (unsigned n = 0; w.made < LETTERS; n++) {
		turn();
		if (n % 64 == 0)
			for (size_t i = 0; i < 2; i++)
				post_check(w.post[i]);
	}
	world_settle();
	for (size_t i = 0; i < 2; i++)
		post_free(w.post[i]);
}
