/*
 * auth_peers.c - sessions and tickets that another node made.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/auth.h"
#include "base/limits.h"

#include <string.h>

#define NOW_MS INT64_C(1700000000000)
#define SECRET S("a-secret-of-at-least-thirty-two-bytes")

/* Nodes whose words reach all others at once, while the wire is up. */
enum { NODES = 3 };
static struct auth *nodes[NODES];
static bool up;
static unsigned asked;                       /* words that ask */
static struct shard *shard;
static struct wheel_timer tick;              /* so that a turn ends */
static struct arena arena = { .max = 16 * MB };

static bool
say(void *ctx, uint64_t to, struct str word)
{
	size_t from = (size_t)((struct auth **)ctx - nodes);

	if (!up)
		return false;
	asked += word.p[0] == 'a';
	for (size_t i = 0; i < NODES; i++)
		if (i != from && (to == 0 || to == i + 1))
			auth_peers_heard(nodes[i], from + 1, word, NOW_MS);
	return true;
}

static bool
is_up(void *ctx)
{
	(void)ctx;
	return up;
}

static void
set_up(bool now)
{
	up = now;
	for (size_t i = 0; i < NODES; i++)
		auth_peers_changed(nodes[i], now);
}

static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(shard, t, 2);
}

static void
start(void)
{
	struct auth_options o = { .jwt_secret = SECRET };

	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	tick.fire = on_tick;
	on_tick(&tick);
	for (size_t i = 0; i < NODES; i++) {
		CHECK_RC(auth_new(&nodes[i], &o, NULL), OK);
		auth_set_peers(nodes[i], &(struct auth_peers){ say, is_up, &nodes[i] });
	}
	set_up(true);
}

static void
finish(void)
{
	for (size_t i = 0; i < NODES; i++)
		auth_free(nodes[i]);
	shard_timer_cancel(shard, &tick);
	shard_free(shard);
}

static struct credentials
token(void)
{
	struct jwt_claims claims = { .sub = S("ann") };
	struct buf b = BUF(4 * KB);
	struct credentials c = { .r = NULL };

	buf_lit(&b, "Bearer ");
	jwt_sign(&b, SECRET, &claims);
	c.authorization = arena_str(&arena, buf_str(&b));
	buf_release(&b);
	return c;
}

static struct str
sign_in(struct auth *a)
{
	struct credentials c = token();
	struct buf name = BUF(KB);
	struct principal who;
	struct str s;
	msec until;

	CHECK_RC(auth_check(a, &c, NOW_MS, &arena, &who, NULL), OK);
	auth_session_make(a, &c, &who, NOW_MS, &name, &until);
	s = arena_str(&arena, buf_str(&name));
	buf_release(&name);
	return s;
}

static bool waited;

static void
was_shown(struct auth_wait *w)
{
	(void)w;
	waited = true;
}

static void
ask(struct auth *a, const struct credentials *c)
{
	struct auth_wait w = { .shard = shard, .done = was_shown };

	waited = false;
	CHECK_RC(auth_ask(a, c, &w, NULL), OK);
	while (!waited)
		shard_turn(shard);
}

/* As the routes do; UNAUTH, or whose it is. */
static int
show(struct auth *a, struct str name, struct principal *who)
{
	struct credentials c = { .r = NULL };
	int rc = auth_session_show(a, name, NOW_MS, &arena, &c, NULL);

	if (rc == ERR_AGAIN) {
		ask(a, &c);
		c = (struct credentials){ .peers_asked = true };
		rc = auth_session_show(a, name, NOW_MS, &arena, &c, NULL);
	}
	return rc == OK ? auth_check(a, &c, NOW_MS, &arena, who, NULL) : rc;
}

TEST(peers_show_sessions_that_they_made)
{
	struct principal who;
	struct str name;

	start();
	name = sign_in(nodes[0]);
	CHECK_RC(show(nodes[1], name, &who), OK);
	CHECK_STR(who.subject, "ann");
	CHECK(who.in_session && asked == 1);
	CHECK_RC(show(nodes[1], name, &who), OK);
	CHECK_INT(asked, 1);                 /* it has a copy */
	CHECK_RC(show(nodes[1], S("nobody-made-this"), &who), ERR_UNAUTH);
	auth_session_end(nodes[2], name);
	for (size_t i = 0; i < NODES; i++)
		CHECK_RC(show(nodes[i], name, &who), ERR_UNAUTH);
	CHECK_RC(auth_again(nodes[1], &who, shard, NOW_MS), ERR_UNAUTH);
	finish();
}

/* A copy is good while nobody can be asked; then it is asked for again. */
TEST(peers_are_asked_again_after_an_outage)
{
	struct str name, other, own;
	struct principal who;

	start();
	name = sign_in(nodes[0]);
	other = sign_in(nodes[0]);
	own = sign_in(nodes[1]);
	CHECK_RC(show(nodes[1], name, &who), OK);
	set_up(false);
	CHECK_RC(show(nodes[1], name, &who), OK);
	CHECK_RC(show(nodes[1], other, &who), ERR_UNAUTH);
	auth_session_end(nodes[0], name);
	CHECK_RC(show(nodes[1], name, &who), OK);
	set_up(true);
	CHECK_RC(show(nodes[1], name, &who), ERR_UNAUTH);
	CHECK_RC(show(nodes[1], other, &who), OK);
	asked = 0;
	CHECK_RC(show(nodes[1], own, &who), OK);
	CHECK_INT(asked, 0);
	/* Words may have been missed: the node that made it knows. */
	auth_peers_changed(nodes[1], true);
	CHECK_RC(show(nodes[1], other, &who), OK);
	CHECK_INT(asked, 1);
	finish();
}

static int
take(struct auth *a, struct str name, const struct uuid *thread, struct principal *who)
{
	struct credentials c = { .r = NULL };
	int rc = auth_ticket_take(a, name, thread, NOW_MS, &arena, &c, NULL);

	if (rc == ERR_AGAIN) {
		ask(a, &c);
		c = (struct credentials){ .peers_asked = true };
		rc = auth_ticket_take(a, name, thread, NOW_MS, &arena, &c, NULL);
	}
	return rc == OK ? auth_check(a, &c, NOW_MS, &arena, who, NULL) : rc;
}

/* A ticket is taken once, at any node; what it opened ends with its session. */
TEST(peers_give_a_ticket_away_once)
{
	struct buf ticket = BUF(KB);
	struct uuid thread = { { 5 } };
	struct credentials c = { .r = NULL };
	struct principal who;
	struct str name;
	msec until;

	start();
	name = sign_in(nodes[0]);
	CHECK_RC(auth_session_show(nodes[0], name, NOW_MS, &arena, &c, NULL), OK);
	CHECK_RC(auth_check(nodes[0], &c, NOW_MS, &arena, &who, NULL), OK);
	auth_ticket_make(nodes[0], &c, &who, &thread, NOW_MS, &ticket, &until);
	CHECK_RC(take(nodes[2], buf_str(&ticket), &thread, &who), OK);
	CHECK_STR(who.subject, "ann");
	CHECK_RC(auth_again(nodes[2], &who, shard, NOW_MS), OK);
	for (size_t i = 0; i < NODES; i++) {
		struct principal nobody;

		CHECK_RC(take(nodes[i], buf_str(&ticket), &thread, &nobody), ERR_UNAUTH);
	}
	auth_session_end(nodes[0], name);
	CHECK_RC(auth_again(nodes[2], &who, shard, NOW_MS), ERR_UNAUTH);
	buf_release(&ticket);
	finish();
}
