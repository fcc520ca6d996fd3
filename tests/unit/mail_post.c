/*
 * mail_post.c - a post delivers in order, by priority, once; and says what became of
 * every letter.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "mail_fix.h"

#include <string.h>

static struct fix f;
static struct fix_agent ann, bob;

#define TAKEN(agent) ((struct str){ (agent).taken, (agent).taken_n })

/* ---- order and lanes --------------------------------------------------------- */

TEST(post_delivers_in_order)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_agent_open(&f, &bob, 0);
	CHECK(post_due(f.post) == NEVER);
	fix_send_all(&f, &ann, "abc");
	fix_send_all(&f, &bob, "x");
	fix_send_all(&f, &ann, "d");
	CHECK_INT(f.ready, 1);
	CHECK_INT(post_waiting(f.post, ann.at), 4);
	CHECK_INT(fix_books(&f).pending, 5);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abcd");
	CHECK_STR(TAKEN(bob), "x");
	CHECK_INT(fix_books(&f).delivered, 5);
	CHECK_INT(fix_books(&f).pending, 0);
	fix_close(&f);
	CHECK(ann.closed && bob.closed);
}

TEST(post_the_highest_lane_goes_first)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 0), OK);
	CHECK_RC(fix_send(&f, &ann, 'b', 2, 0), OK);
	CHECK_RC(fix_send(&f, &ann, 'c', 3, 0), OK);
	CHECK_RC(fix_send(&f, &ann, 'd', 1, 0), OK);
	CHECK_RC(fix_send(&f, &ann, 'e', 3, 0), OK);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "cebda");
	fix_close(&f);
}

/* Lane 3 is never empty; the others come on all the same. */
static void
send_urgent(struct fix_agent *a, struct letter *l)
{
	if (l->priority == 3 && a->taken_n < 200)
		CHECK_RC(fix_send(a->fix, a, '3', 3, 0), OK);
}

TEST(post_no_lane_starves)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.inside = send_urgent;
	for (uint8_t lane = 0; lane < 4; lane++)
		for (int i = 0; i < 4; i++)
			CHECK_RC(fix_send(&f, &ann, (char)('0' + lane), lane, 0), OK);
	fix_run(&f);
	for (int lane = 0; lane < 3; lane++) {
		size_t n = 0;

		for (size_t i = 0; i < 4 * 32; i++)
			n += ann.taken[i] == '0' + lane;
		CHECK_INT(n, 4);
	}
	fix_close(&f);
}

/* ---- full ---------------------------------------------------------------------- */

TEST(post_a_full_mailbox_refuses)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 3);
	fix_send_all(&f, &ann, "abc");
	CHECK_RC(fix_send(&f, &ann, 'd', 0, 0), ERR_AGAIN);
	CHECK_RC(fix_send(&f, &ann, 'd', 3, 0), ERR_AGAIN);
	CHECK_INT(fix_books(&f).refused, 2);
	CHECK_INT(fix_books(&f).sent, 3);
	fix_run(&f);
	fix_send_all(&f, &ann, "d");
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abcd");
	fix_close(&f);
}

TEST(post_later_waits_for_room_in_order)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 2);
	fix_send_all(&f, &ann, "ab");
	for (const char *c = "cde"; *c != '\0'; c++)
		fix_later(&f, ann.at, *c, 0, 0);
	CHECK_INT(f.dead[DEAD_FULL], 1);             /* as many again as it takes */
	CHECK_INT(post_waiting(f.post, ann.at), 4);
	CHECK_RC(fix_send(&f, &ann, 'x', 0, 0), ERR_AGAIN);      /* cannot overtake */
	post_check(f.post);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abcd");
	fix_close(&f);
}

static void
send_one_more(struct fix *fx)
{
	CHECK_RC(fix_send(fx, &ann, 'x', 0, 0), ERR_AGAIN);
}

TEST(post_nobody_overtakes_at_the_moment_of_room)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 1);
	f.when_dead = send_one_more;
	ann.answer = MAIL_REFUSED;
	fix_send_all(&f, &ann, "a");
	fix_later(&f, ann.at, 'b', 0, 0);
	CHECK(post_run(f.post, 1, f.now));
	f.when_dead = NULL;
	ann.answer = MAIL_TAKEN;
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "b");
	fix_close(&f);
}

TEST(post_waiting_for_room_ends)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 1);
	post_pause(f.post, ann.at);
	fix_send_all(&f, &ann, "a");
	fix_later(&f, ann.at, 'b', 0, 0);
	fix_pass(&f, 349);                           /* half of 100 + 200 + 400 */
	CHECK_INT(f.dead[DEAD_FULL], 0);
	fix_pass(&f, 351);
	CHECK_INT(f.dead[DEAD_FULL], 1);
	post_wake(f.post, ann.at);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "a");
	fix_close(&f);
}

/* ---- ttl ----------------------------------------------------------------------- */

TEST(post_says_when_something_falls_due_earlier)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	post_pause(f.post, ann.at);
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 50), OK);
	CHECK_INT(f.ready, 1);
	CHECK_INT(post_due(f.post), f.now + 50);
	CHECK_RC(fix_send(&f, &ann, 'b', 0, 60), OK);
	CHECK_INT(f.ready, 1);
	CHECK_RC(fix_send(&f, &ann, 'c', 0, 40), OK);
	CHECK_INT(f.ready, 2);
	CHECK_INT(post_due(f.post), f.now + 40);
	fix_close(&f);
}

TEST(post_ttl_ends_a_letter_at_its_moment)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 2);
	post_pause(f.post, ann.at);
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 50), OK);
	CHECK_RC(fix_send(&f, &ann, 'b', 0, 0), OK);
	fix_later(&f, ann.at, 'c', 0, 20);           /* outside */
	fix_pass(&f, 20);
	CHECK_INT(f.expired, 1);
	fix_pass(&f, 29);
	CHECK_INT(f.expired, 1);
	fix_pass(&f, 1);
	CHECK_INT(f.expired, 2);
	CHECK_INT(post_waiting(f.post, ann.at), 1);
	CHECK(post_due(f.post) == NEVER);
	post_wake(f.post, ann.at);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "b");
	fix_close(&f);
}

/* ---- failures ------------------------------------------------------------------- */

TEST(post_a_failed_letter_stays_first)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_FAILED;
	fix_send_all(&f, &ann, "ab");
	fix_run(&f);
	CHECK_INT(fix_books(&f).retried, 1);         /* b was not tried */
	CHECK_RC(fix_send(&f, &ann, 'u', 1, 0), OK);
	ann.answer = MAIL_TAKEN;
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "u");                  /* another lane */
	fix_pass(&f, 49);
	CHECK_STR(TAKEN(ann), "u");
	fix_pass(&f, 51);
	CHECK_STR(TAKEN(ann), "uab");
	fix_close(&f);
}

TEST(post_tries_are_used_up)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_FAILED;
	fix_send_all(&f, &ann, "a");
	fix_pass(&f, 10000);
	CHECK_INT(fix_books(&f).retried, 3);
	CHECK_INT(f.dead[DEAD_FAILED], 1);
	CHECK(post_due(f.post) == NEVER);
	fix_close(&f);
}

TEST(post_a_ttl_ends_between_tries)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_FAILED;
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 30), OK);
	fix_run(&f);
	CHECK_RC(fix_send(&f, &ann, 'b', 0, 0), OK);
	ann.answer = MAIL_TAKEN;
	fix_pass(&f, 30);
	CHECK_INT(f.expired, 1);
	CHECK_STR(TAKEN(ann), "b");
	fix_close(&f);
}

TEST(post_a_refused_letter_is_dead)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_REFUSED;
	fix_send_all(&f, &ann, "ab");
	fix_run(&f);
	CHECK_INT(f.dead[DEAD_REFUSED], 2);
	CHECK_INT(fix_books(&f).died[DEAD_REFUSED], 2);
	fix_close(&f);
}

TEST(post_a_dead_letter_may_be_sent_again)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_REFUSED;
	fix_send_all(&f, &ann, "a");
	fix_run(&f);
	ann.answer = MAIL_TAKEN;
	post_revive(f.post, &(struct post_letter){ .to = ann.at, .packed = S("a") }, f.now);
	CHECK_INT(fix_books(&f).dead, 0);
	CHECK_INT(fix_books(&f).pending, 1);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "a");
	CHECK_INT(fix_books(&f).sent, 1);
	fix_close(&f);
}

/* ---- gone ------------------------------------------------------------------------ */

TEST(post_an_address_outlives_its_agent)
{
	struct mail_ref old;
	struct mail_books k;

	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	old = ann.at;
	fix_send_all(&f, &ann, "ab");
	CHECK_RC(post_close(f.post, old), OK);
	CHECK(ann.closed);
	CHECK_INT(f.dead[DEAD_STOPPED], 2);
	post_check(f.post);
	fix_run(&f);
	fix_agent_open(&f, &bob, 0);
	CHECK_INT(bob.at.place, old.place);          /* the place is used again */
	CHECK_RC(fix_send(&f, &ann, 'c', 0, 0), ERR_NOTFOUND);
	CHECK_RC(post_close(f.post, old), ERR_NOTFOUND);
	CHECK_RC(post_drain(f.post, old, NULL, NULL), ERR_NOTFOUND);
	CHECK_RC(post_books_of(f.post, old, &k), ERR_NOTFOUND);
	CHECK(post_agent(f.post, old) == NULL && post_waiting(f.post, old) == 0);
	post_pause(f.post, old);
	fix_later(&f, old, 'd', 0, 0);
	fix_later(&f, MAIL_NOBODY, 'e', 0, 0);
	CHECK_INT(f.dead[DEAD_NO_AGENT], 2);
	fix_send_all(&f, &bob, "f");
	fix_run(&f);
	CHECK_STR(TAKEN(bob), "f");
	fix_close(&f);
}

static void
close_self(struct fix_agent *a, struct letter *l)
{
	(void)l;
	CHECK_RC(post_close(a->fix->post, a->at), OK);
	CHECK(!a->closed);                           /* not under its feet */
	CHECK_RC(fix_send(a->fix, a, 'x', 0, 0), ERR_NOTFOUND);
}

TEST(post_closing_inside_take)
{
	static const struct { enum mail_taken answer; unsigned delivered, stopped, refused; } cases[] = {
		{ MAIL_TAKEN, 1, 2, 0 }, { MAIL_BUSY, 0, 3, 0 }, { MAIL_FAILED, 0, 3, 0 },
		{ MAIL_REFUSED, 0, 2, 1 },
	};

	for (size_t i = 0; i < COUNT(cases); i++) {
		fix_open(&f);
		fix_agent_open(&f, &ann, 0);
		fix_agent_open(&f, &bob, 0);
		ann.inside = close_self;
		ann.answer = cases[i].answer;
		fix_send_all(&f, &ann, "abc");
		fix_send_all(&f, &bob, "z");
		fix_run(&f);
		CHECK(ann.closed);
		CHECK_STR(TAKEN(bob), "z");
		CHECK_INT(fix_books(&f).delivered, cases[i].delivered + 1);
		CHECK_INT(f.dead[DEAD_STOPPED], cases[i].stopped);
		CHECK_INT(f.dead[DEAD_REFUSED], cases[i].refused);
		fix_close(&f);
	}
}

static void
close_other(struct fix_agent *a, struct letter *l)
{
	(void)a, (void)l;
	CHECK_RC(post_close(f.post, bob.at), OK);
	CHECK(bob.closed);
}

TEST(post_closing_another_inside_take)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_agent_open(&f, &bob, 0);
	ann.inside = close_other;
	fix_send_all(&f, &ann, "a");
	fix_send_all(&f, &bob, "bc");
	fix_run(&f);
	CHECK_INT(bob.taken_n, 0);
	CHECK_INT(f.dead[DEAD_STOPPED], 2);
	fix_close(&f);
}

/* ---- inside take -------------------------------------------------------------------- */

static void
forward(struct fix_agent *a, struct letter *l)
{
	struct fix_agent *next = a == &ann ? &bob : &ann;
	char c = letter_packed(l).p[0];

	if (c < 'z')
		CHECK_RC(fix_send(&f, next, (char)(c + 1), 0, 0), OK);
}

TEST(post_sending_inside_take)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_agent_open(&f, &bob, 0);
	ann.inside = bob.inside = forward;
	fix_send_all(&f, &ann, "a");
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "acegikmoqsuwy");
	CHECK_STR(TAKEN(bob), "bdfhjlnprtvxz");
	CHECK_INT(f.ready, 1);
	fix_close(&f);
}

/* One that sends itself work without end does not keep others waiting. */
static void
feed_self(struct fix_agent *a, struct letter *l)
{
	(void)l;
	CHECK_RC(fix_send(&f, a, 'm', 0, 0), OK);
}

TEST(post_mailboxes_take_turns)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_agent_open(&f, &bob, 0);
	ann.inside = feed_self;
	fix_send_all(&f, &ann, "m");
	fix_send_all(&f, &bob, "x");
	CHECK(post_run(f.post, 100, f.now));
	CHECK_INT(bob.taken_n, 1);
	CHECK_INT(ann.taken_n, 99);
	fix_close(&f);
}

/* ---- held, busy, pause ----------------------------------------------------------------- */

TEST(post_held_letters_are_pending)
{
	struct mail_books k;

	fix_open(&f);
	fix_agent_open(&f, &ann, 4);
	ann.answer = MAIL_HELD;
	fix_send_all(&f, &ann, "abcd");
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abcd");
	CHECK_RC(fix_send(&f, &ann, 'e', 0, 0), ERR_AGAIN);      /* they count */
	post_done(f.post, ann.held[0]);
	CHECK_RC(post_books_of(f.post, ann.at, &k), OK);
	CHECK_INT(k.delivered, 1);
	CHECK_INT(k.pending, 3);
	post_return(f.post, ann.held[2]);
	post_return(f.post, ann.held[3]);
	post_return(f.post, ann.held[1]);
	fix_send_all(&f, &ann, "e");
	ann.answer = MAIL_TAKEN;
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abcdbcde");
	fix_close(&f);
}

TEST(post_held_letters_may_fail)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_HELD;
	fix_send_all(&f, &ann, "abc");
	fix_run(&f);
	ann.answer = MAIL_TAKEN;
	f.now += 60;
	post_failed(f.post, ann.held[1], f.now);
	f.now += 60;
	post_failed(f.post, ann.held[0], f.now);
	post_done(f.post, ann.held[2]);
	fix_send_all(&f, &ann, "d");
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abc");
	fix_pass(&f, 100);                           /* b is due before a, and waits for it */
	CHECK_STR(TAKEN(ann), "abcabd");
	fix_close(&f);
}

/* What is held does not expire; given back too late, it does, before it is taken again. */
static void
give_back(struct fix_agent *a, struct letter *l)
{
	(void)l;
	post_return(a->fix->post, ann.held[0]);
}

TEST(post_held_letters_expire_when_they_are_returned)
{
	fix_open(&f);
	fix_agent_open(&f, &bob, 0);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_HELD;
	CHECK_RC(fix_send(&f, &ann, 'a', 0, 50), OK);
	fix_pass(&f, 60);
	CHECK_INT(fix_books(&f).expired, 0);
	bob.inside = give_back;
	fix_send_all(&f, &bob, "x");
	fix_send_all(&f, &ann, "b");
	fix_run(&f);
	CHECK_INT(f.expired, 1);
	CHECK_STR(TAKEN(ann), "ab");
	fix_close(&f);
}

TEST(post_held_letters_outlive_their_mailbox)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_HELD;
	fix_send_all(&f, &ann, "abcd");
	fix_run(&f);
	CHECK_RC(post_close(f.post, ann.at), OK);
	CHECK_INT(fix_books(&f).pending, 4);
	post_check(f.post);
	post_done(f.post, ann.held[0]);
	post_return(f.post, ann.held[1]);
	post_failed(f.post, ann.held[2], f.now);
	CHECK_INT(fix_books(&f).delivered, 1);
	CHECK_INT(f.dead[DEAD_STOPPED], 2);
	CHECK_INT(fix_books(&f).pending, 1);
	fix_close(&f);                               /* d is still held */
}

static void
give_back_held(void *ctx)
{
	(void)ctx;
	post_return(f.post, ann.held[0]);
	post_done(f.post, ann.held[1]);
}

TEST(post_free_lets_agents_give_back_what_they_hold)
{
	struct mail_kind kind = fix_kind;
	char large[1000] = { 'l' };

	kind.closed = give_back_held;
	fix_open(&f);
	ann = (struct fix_agent){ .fix = &f, .answer = MAIL_HELD };
	ann.at = post_open(f.post, &kind, &ann, 0);
	for (int i = 0; i < 3; i++)
		CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at,
			.packed = { large, sizeof large } }, f.now), OK);
	fix_run(&f);
	fix_close(&f);                               /* one stays; no text leaks (asan) */
	CHECK_INT(f.dead[DEAD_STOPPED], 0);
}

TEST(post_a_busy_agent_is_left_alone)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_BUSY;
	fix_send_all(&f, &ann, "ab");
	fix_run(&f);
	ann.answer = MAIL_TAKEN;
	fix_send_all(&f, &ann, "c");
	fix_run(&f);
	CHECK_INT(ann.taken_n, 0);
	post_wake(f.post, ann.at);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abc");
	fix_close(&f);
}

static void
wake_self(struct fix_agent *a, struct letter *l)
{
	(void)l;
	post_wake(f.post, a->at);                    /* what it waits for came meanwhile */
	a->inside = NULL;
}

TEST(post_a_wake_inside_take_is_not_lost)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	ann.answer = MAIL_BUSY;
	ann.inside = wake_self;
	fix_send_all(&f, &ann, "a");
	CHECK(post_run(f.post, 1, f.now));
	ann.answer = MAIL_TAKEN;
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "a");
	fix_close(&f);
}

/* ---- load -------------------------------------------------------------------------- */

TEST(post_tells_the_load_by_powers_of_two)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 5);
	fix_send_all(&f, &ann, "abcd");
	fix_run(&f);
	CHECK_INT(ann.loads, 0);                     /* came and went in one turn */
	post_pause(f.post, ann.at);
	fix_send_all(&f, &ann, "abcde");
	CHECK_INT(ann.loads, 3);                     /* 1, 2, 4 */
	CHECK_INT(ann.load, 4);
	for (const char *c = "fgh"; *c != '\0'; c++)
		fix_later(&f, ann.at, *c, 0, 0);
	CHECK_INT(ann.load, 8);
	ann.answer = MAIL_HELD;
	post_wake(f.post, ann.at);
	fix_run(&f);
	CHECK_INT(ann.load, 8);
	for (int i = 0; i < 8; i++) {
		post_done(f.post, ann.held[i]);
		fix_run(&f);
	}
	CHECK_INT(ann.load, 0);
	CHECK_INT(ann.loads, 8);                     /* 8, 7, 3, 1, 0 */
	fix_close(&f);
}

/* ---- drain -------------------------------------------------------------------------------- */

static void
count(void *ctx)
{
	++*(int *)ctx;
}

TEST(post_drain_ends_with_the_last_letter)
{
	int drained = 0;

	fix_open(&f);
	fix_agent_open(&f, &ann, 2);
	ann.answer = MAIL_HELD;
	fix_send_all(&f, &ann, "ab");
	fix_later(&f, ann.at, 'c', 0, 0);
	fix_run(&f);
	CHECK_RC(post_drain(f.post, ann.at, count, &drained), OK);
	CHECK_RC(post_drain(f.post, ann.at, count, &drained), ERR_CONFLICT);
	CHECK_RC(fix_send(&f, &ann, 'd', 0, 0), ERR_NOTFOUND);
	fix_later(&f, ann.at, 'e', 0, 0);
	CHECK_INT(f.dead[DEAD_STOPPED], 1);
	post_done(f.post, ann.held[0]);
	fix_run(&f);
	post_done(f.post, ann.held[1]);
	CHECK_INT(drained, 0);
	post_done(f.post, ann.held[2]);
	CHECK_INT(drained, 1);
	fix_later(&f, ann.at, 'f', 0, 0);            /* there is room, but not for this one */
	CHECK_INT(f.dead[DEAD_STOPPED], 2);
	CHECK_INT(drained, 1);
	CHECK_RC(post_close(f.post, ann.at), OK);
	fix_agent_open(&f, &bob, 0);
	CHECK_RC(post_drain(f.post, bob.at, count, &drained), OK);
	CHECK_INT(drained, 2);                       /* nothing was in it */
	fix_close(&f);
}

static void
close_ann(void *ctx)
{
	(void)ctx;
	CHECK_RC(post_close(f.post, ann.at), OK);
}

TEST(post_closing_when_drained_inside_take)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_send_all(&f, &ann, "abc");
	CHECK_RC(post_drain(f.post, ann.at, close_ann, NULL), OK);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "abc");
	CHECK(ann.closed);
	fix_close(&f);
}

/* ---- texts, receipts, other shards ---------------------------------------------------------- */

TEST(post_large_texts_are_shared)
{
	char bytes[1000];
	struct mail_text *t;

	memset(bytes, 't', sizeof bytes);
	t = mail_text_new(bytes, sizeof bytes);
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	for (int i = 0; i < 10; i++)
		CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at, .text = t }, f.now), OK);
	CHECK_INT(t->refs, 11);
	post_check(f.post);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at,
		.packed = { bytes, LETTER_INLINE } }, f.now), OK);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at,
		.packed = { bytes, LETTER_INLINE + 1 } }, f.now), OK);
	fix_run(&f);
	CHECK_STR(TAKEN(ann), "tttttttttttt");
	CHECK_INT(t->refs, 1);
	fix_close(&f);
	mail_text_drop(t);
}

TEST(post_receipts_are_told)
{
	fix_open(&f);
	fix_agent_open(&f, &ann, 0);
	fix_send_all(&f, &ann, "a");
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at, .packed = S("b"),
		.flags = LETTER_RECEIPT }, f.now), OK);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = ann.at, .packed = S("c"),
		.flags = LETTER_DURABLE }, f.now), OK);
	fix_run(&f);
	CHECK_INT(f.delivered, 2);
	fix_close(&f);
}

TEST(post_letters_for_other_shards_are_carried)
{
	struct mail_ref there = { .uses = 1, .place = 0, .shard = 1 };
	struct mail_text *t = mail_text_new((char[1000]){ 'c' }, 1000);

	fix_open(&f);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = there, .packed = S("a") }, f.now), OK);
	fix_later(&f, there, 'b', 0, 0);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = there, .text = t }, f.now), OK);
	CHECK_STR(str_of(f.carried_texts), "abc");
	CHECK_INT(t->refs, 2);                       /* ours and the carrier's */
	CHECK_INT(fix_books(&f).gone, 3);
	CHECK_INT(fix_books(&f).sent, 3);
	CHECK_INT(fix_books(&f).pending, 0);
	fix_close(&f);
	CHECK_INT(t->refs, 1);
	mail_text_drop(t);
}

TEST(post_letters_that_come_are_as_they_were)
{
	struct letter l;

	fix_open(&f);
	CHECK_RC(post_send(f.post, &(struct post_letter){ .to = { .uses = 1, .shard = 1 },
		.from = { .uses = 7 }, .act = ACL_CFP, .packed = S("a"), .ttl = 100, .priority = 2,
		.flags = LETTER_DURABLE, .max_retries = 9, .row = 5 }, f.now), OK);
	fix_agent_open(&f, &ann, 0);
	l = f.carried_last;
	l.to = ann.at;                               /* it is at home here now */
	f.now += 10;
	ann.answer = MAIL_HELD;
	post_come(f.post, &l, f.now);
	CHECK_INT(fix_books(&f).come, 1);
	fix_run(&f);
	CHECK(mail_ref_eq(ann.held[0]->from, l.from) && ann.held[0]->act == ACL_CFP);
	CHECK(ann.held[0]->created == f.now - 10 && ann.held[0]->expires == f.now + 90);
	CHECK(ann.held[0]->priority == 2 && ann.held[0]->max_retries == 9 && ann.held[0]->row == 5);
	post_done(f.post, ann.held[0]);
	CHECK_INT(f.delivered, 1);
	l.to.uses++;
	post_come(f.post, &l, f.now);                /* gone meanwhile */
	CHECK_INT(f.dead[DEAD_NO_AGENT], 1);
	fix_close(&f);
}

/* ---- many ---------------------------------------------------------------------------------- */

static enum mail_taken
count_take(void *a, struct letter *l)
{
	(void)l;
	++*(uint32_t *)a;
	return MAIL_TAKEN;
}

/* The round grows and shrinks while mailboxes are in it, also such as are closed since. */
TEST(post_many_mailboxes_come_and_go)
{
	static const struct mail_kind counting = { .name = "native", .take = count_take };
	static struct mail_ref at[20000];
	static uint32_t taken[20000];
	size_t before;
	char c = 'x';

	fix_open(&f);
	before = mem_resident();
	for (size_t round = 0; round < 3; round++) {
		for (size_t i = 0; i < COUNT(at); i++) {
			taken[i] = 0;
			at[i] = post_open(f.post, &counting, &taken[i], 0);
			for (int k = 0; k < 3; k++)
				CHECK_RC(post_send(f.post, &(struct post_letter){ .to = at[i],
					.packed = { &c, 1 } }, f.now), OK);
			if (i % 7 == 3)
				post_run(f.post, 3, f.now);
		}
		for (size_t i = 0; i < COUNT(at); i += 2)
			CHECK_RC(post_close(f.post, at[i]), OK);
		post_check(f.post);
		CHECK(!post_run(f.post, 3 * COUNT(at), f.now));
		for (size_t i = 0; i < COUNT(at); i++)
			CHECK(taken[i] == 3 || (i % 2 == 0 && taken[i] == 0));
		for (size_t i = 1; i < COUNT(at); i += 2)
			CHECK_RC(post_close(f.post, at[i]), OK);
	}
	post_check(f.post);
	/* 20,000 mailboxes and 60,000 letters took 23 MB; a chunk of each stays. */
	CHECK(mem_resident() < before + 12 * MB);
	fix_close(&f);
}
