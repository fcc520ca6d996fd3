/*
 * auth_session.c - sessions and tickets: what they stand for, when they end, and that
 * nobody can make too many.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "auth/session_priv.h"
#include "base/limits.h"

#include <pthread.h>
#include <string.h>

#define NOW_MS INT64_C(1700000000000)
#define SECRET S("a-secret-of-at-least-thirty-two-bytes")

static struct arena arena = { .max = 16 * MB };

static struct auth *
open_auth(void)
{
	struct auth_options o = { .jwt_secret = SECRET };
	struct auth *a;

	CHECK_RC(auth_new(&a, &o, NULL), OK);
	return a;
}

/* Signs in with a token of sub that expires ttl_s from now on (0: never). */
static struct credentials
token_of(const char *sub, int64_t ttl_s)
{
	struct jwt_claims claims = { .sub = str_of(sub),
		.exp = ttl_s > 0 ? NOW_MS / 1000 + ttl_s : 0 };
	struct buf b = BUF(4 * KB);
	struct credentials c = { .r = NULL };

	buf_lit(&b, "Bearer ");
	jwt_sign(&b, SECRET, &claims);
	c.authorization = arena_str(&arena, buf_str(&b));
	buf_release(&b);
	return c;
}

static struct str
sign_in(struct auth *a, const struct credentials *c, msec now, msec *until)
{
	struct buf name = BUF(KB);
	struct principal who;
	struct str s;

	CHECK_RC(auth_check(a, c, now, &arena, &who, NULL), OK);
	auth_session_make(a, c, &who, now, &name, until);
	CHECK(name.n == PASS_CHARS);
	s = arena_str(&arena, buf_str(&name));
	buf_release(&name);
	return s;
}

/* Who a session is; UNAUTH when it is over. */
static int
whose(struct auth *a, struct str session, msec now, struct principal *who)
{
	struct credentials c = { .r = NULL };
	int rc = auth_session_show(a, session, now, &arena, &c, NULL);

	return rc == OK ? auth_check(a, &c, now, &arena, who, NULL) : rc;
}

TEST(session_stands_for_its_credentials)
{
	struct auth *a = open_auth();
	struct credentials c = token_of("ann", 0);
	struct principal who;
	struct str s, other;
	msec until;

	s = sign_in(a, &c, NOW_MS, &until);
	CHECK(until == NOW_MS + LIMIT_SESSION_MS);
	other = sign_in(a, &c, NOW_MS, &until);
	CHECK(!str_eq(s, other));
	CHECK_RC(whose(a, s, NOW_MS, &who), OK);
	CHECK_STR(who.subject, "ann");
	CHECK_STR(who.scheme, "jwt");
	CHECK(who.in_session && who.expires == NOW_MS + LIMIT_SESSION_MS);
	CHECK(who.again == NOW_MS + LIMIT_AUTH_KEY_LOOK_MS);
	CHECK_RC(auth_again(a, &who, NULL, NOW_MS + 1), OK);
	auth_session_end(a, s);
	CHECK_RC(auth_again(a, &who, NULL, NOW_MS + 2), ERR_UNAUTH);
	CHECK_RC(whose(a, s, NOW_MS, &who), ERR_UNAUTH);
	CHECK_RC(whose(a, other, NOW_MS, &who), OK);
	CHECK_RC(whose(a, S(""), NOW_MS, &who), ERR_UNAUTH);
	CHECK_RC(whose(a, str_sub(other, 0, PASS_CHARS - 1), NOW_MS, &who), ERR_UNAUTH);
	auth_free(a);
}

/* Goal: the nearer of the two ends counts, to the millisecond. */
TEST(session_ends_with_its_token_or_its_limit)
{
	const struct { int64_t ttl_s; msec life; } rows[] = {
		{ 0, LIMIT_SESSION_MS },
		{ 10, (10 + LIMIT_JWT_SKEW_S) * 1000 },
		{ LIMIT_SESSION_MS / 1000 * 2, LIMIT_SESSION_MS },
	};
	struct auth *a = open_auth();

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct credentials c = token_of("ann", rows[i].ttl_s);
		struct principal who;
		msec until;
		struct str s = sign_in(a, &c, NOW_MS, &until);

		CHECK(until == NOW_MS + rows[i].life);
		CHECK_RC(whose(a, s, until - 1, &who), OK);
		CHECK(who.expires == until && who.again == until);
		CHECK_RC(auth_again(a, &who, NULL, until), ERR_UNAUTH);
		CHECK_RC(whose(a, s, until, &who), ERR_UNAUTH);
	}
	auth_free(a);
}

static struct str
ticket_of(struct auth *a, const struct credentials *c, const struct uuid *thread, msec now)
{
	struct buf name = BUF(KB);
	struct principal who;
	struct str s;
	msec until;

	CHECK_RC(auth_check(a, c, now, &arena, &who, NULL), OK);
	auth_ticket_make(a, c, &who, thread, now, &name, &until);
	CHECK(until == now + LIMIT_TICKET_MS);
	s = arena_str(&arena, buf_str(&name));
	buf_release(&name);
	return s;
}

/* Goal: when an owner is erased his sessions end, all of them, and nobody else's. */
TEST(sessions_end_with_their_owner)
{
	struct auth *a = open_auth();
	struct credentials ann = token_of("ann", 0), bob = token_of("bob", 0);
	struct str first, second, other;
	struct principal who;
	msec until;

	first = sign_in(a, &ann, NOW_MS, &until);
	second = sign_in(a, &ann, NOW_MS, &until);
	other = sign_in(a, &bob, NOW_MS, &until);
	auth_owner_leaves(a, S("carol"));
	CHECK_RC(whose(a, first, NOW_MS, &who), OK);
	auth_owner_leaves(a, S("ann"));
	CHECK_RC(whose(a, first, NOW_MS, &who), ERR_UNAUTH);
	CHECK_RC(whose(a, second, NOW_MS, &who), ERR_UNAUTH);
	CHECK_RC(whose(a, other, NOW_MS, &who), OK);
	auth_free(a);
}

TEST(ticket_is_taken_once_for_its_thread_in_time)
{
	struct auth *a = open_auth();
	struct uuid mine = uuid_v7(), other = uuid_v7();
	struct credentials c = token_of("ann", 0), got;
	struct principal who;
	struct str t = ticket_of(a, &c, &mine, NOW_MS);

	CHECK_RC(auth_session_show(a, t, NOW_MS, &arena, &got, NULL), ERR_UNAUTH);
	CHECK_RC(auth_ticket_take(a, t, &mine, NOW_MS, &arena, &got, NULL), OK);
	CHECK_RC(auth_check(a, &got, NOW_MS, &arena, &who, NULL), OK);
	CHECK_STR(who.subject, "ann");
	CHECK(!who.in_session && who.expires == NEVER);
	CHECK_RC(auth_ticket_take(a, t, &mine, NOW_MS, &arena, &got, NULL), ERR_UNAUTH);
	t = ticket_of(a, &c, &mine, NOW_MS);
	CHECK_RC(auth_ticket_take(a, t, &other, NOW_MS, &arena, &got, NULL), ERR_UNAUTH);
	CHECK_RC(auth_ticket_take(a, t, &mine, NOW_MS, &arena, &got, NULL), ERR_UNAUTH);
	t = ticket_of(a, &c, &mine, NOW_MS);
	CHECK_RC(auth_ticket_take(a, t, &mine, NOW_MS + LIMIT_TICKET_MS, &arena, &got, NULL),
	    ERR_UNAUTH);
	t = ticket_of(a, &c, &mine, NOW_MS);
	CHECK_RC(auth_ticket_take(a, t, &mine, NOW_MS + LIMIT_TICKET_MS - 1, &arena, &got,
	    NULL), OK);
	auth_free(a);
}

/* Goal: what a session gave out ends with it. */
TEST(ticket_of_a_session_ends_with_the_session)
{
	struct auth *a = open_auth();
	struct uuid thread = uuid_v7();
	struct credentials c = token_of("ann", 0), in = { .r = NULL }, got;
	struct principal who;
	msec until;
	struct str s = sign_in(a, &c, NOW_MS, &until), t;

	CHECK_RC(auth_session_show(a, s, NOW_MS, &arena, &in, NULL), OK);
	t = ticket_of(a, &in, &thread, NOW_MS);
	CHECK_RC(auth_ticket_take(a, t, &thread, NOW_MS, &arena, &got, NULL), OK);
	CHECK_RC(auth_check(a, &got, NOW_MS, &arena, &who, NULL), OK);
	CHECK(who.in_session && who.expires == until);
	auth_session_end(a, s);
	CHECK_RC(auth_again(a, &who, NULL, NOW_MS + 1), ERR_UNAUTH);
	auth_free(a);
}

static struct pass
pass_of(unsigned owner, unsigned n, msec until)
{
	struct pass p = { .until = until, .shows = { .authorization = S("Bearer 0123456789") } };

	memcpy(p.mark, &n, sizeof n);
	memcpy(p.owner, &owner, sizeof owner);
	return p;
}

/* Goal: 20,000 of one user, and of as many users, leave no more than the bounds. */
TEST(passes_are_bounded_for_an_owner_and_for_all)
{
	static const struct passes_max max = { .each = 32, .all = 1000, .bytes = MB };
	struct passes *ps = passes_new(&max);
	struct pass p, out;
	struct passes_held held;

	p = pass_of(7, 1000000, NOW_MS + 1);
	passes_put(ps, &p, NOW_MS);
	for (unsigned i = 0; i < 20000; i++) {
		p = pass_of(1, i, NOW_MS + 1);
		passes_put(ps, &p, NOW_MS);
	}
	held = passes_held(ps);
	CHECK(held.passes == 33 && held.owners == 2);
	CHECK(held.bytes == 33 * p.shows.authorization.n);
	p = pass_of(7, 1000000, 0);
	CHECK(passes_has(ps, p.mark, NOW_MS));       /* another's are left alone */
	for (unsigned i = 20000 - 32; i < 20000; i++) {
		p = pass_of(1, i, 0);
		CHECK(passes_find(ps, p.mark, NOW_MS, &arena, &out));
	}
	for (unsigned i = 20000; i < 40000; i++) {
		p = pass_of(i, i, NOW_MS + 1);
		passes_put(ps, &p, NOW_MS);
	}
	held = passes_held(ps);
	CHECK(held.passes == 1000 && held.owners == 1000);
	/* Those that are over go with the first that is made a while later. */
	p = pass_of(1, 40000, NOW_MS + LIMIT_SESSION_SWEEP_MS + 1);
	passes_put(ps, &p, NOW_MS + LIMIT_SESSION_SWEEP_MS);
	held = passes_held(ps);
	CHECK(held.passes == 1 && held.owners == 1);
	CHECK(passes_end(ps, p.mark) && !passes_end(ps, p.mark));
	held = passes_held(ps);
	CHECK(held.passes == 0 && held.owners == 0 && held.bytes == 0);
	passes_free(ps);
}

TEST(passes_are_bounded_in_bytes)
{
	static const struct passes_max max = { .each = 100, .all = 100, .bytes = 100 };
	struct passes *ps = passes_new(&max);

	for (unsigned i = 0; i < 50; i++) {
		struct pass p = pass_of(i, i, NOW_MS + 1);

		passes_put(ps, &p, NOW_MS);
		CHECK(passes_held(ps).bytes <= 100);
	}
	CHECK(passes_held(ps).passes == 100 / 17);
	passes_free(ps);
}

struct taker { pthread_t thread; struct passes *ps; const uint8_t *mark; bool got; };

static void *
take(void *ctx)
{
	struct taker *t = ctx;
	struct arena own = ARENA(64 * KB);
	struct pass out;

	t->got = passes_take(t->ps, t->mark, NOW_MS, &own, &out);
	arena_release(&own);
	return NULL;
}

/* Goal: of many that take one pass at the same time, one gets it. */
TEST(passes_are_taken_by_one)
{
	static const struct passes_max max = { .each = 4, .all = 4, .bytes = KB };
	struct passes *ps = passes_new(&max);

	for (unsigned round = 0; round < 200; round++) {
		struct pass p = pass_of(1, round, NOW_MS + 1);
		struct taker t[4];
		size_t got = 0;

		passes_put(ps, &p, NOW_MS);
		for (size_t i = 0; i < COUNT(t); i++) {
			t[i] = (struct taker){ .ps = ps, .mark = p.mark };
			CHECK(pthread_create(&t[i].thread, NULL, take, &t[i]) == 0);
		}
		for (size_t i = 0; i < COUNT(t); i++) {
			CHECK(pthread_join(t[i].thread, NULL) == 0);
			got += t[i].got;
		}
		CHECK(got == 1);
	}
	passes_free(ps);
}
