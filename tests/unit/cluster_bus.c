/*
 * cluster_bus.c - messages between nodes over a real NATS server: order, outages, a shard
 * that does not keep up, ears that end while messages come.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "nats_fix.h"
#include "base/limits.h"
#include "base/mem.h"
#include "cluster/bus.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

/* One shard, on the test's own thread; two buses, as of two nodes. */
static struct shard *shard;
static struct bus *here, *there;
static int here_up, there_up;                /* -1: not told yet */
static unsigned ups, downs;                  /* of here */
static unsigned there_downs;
static uint64_t next, heard, gaps, probes, heard_before;     /* before it was down */

static void
here_changed(void *ctx, bool up)
{
	(void)ctx;
	CHECK(shard_is_current(shard));
	here_up = up;
	ups += up;
	downs += !up;
	if (!up)
		heard_before = heard;
}

static void
there_changed(void *ctx, bool up)
{
	(void)ctx;
	there_up = up;
	there_downs += !up;
}

static struct bus *
open_as(struct str cluster, struct str url)
{
	struct bus *b;
	struct err e = { 0 };

	if (bus_open(&b, &(struct bus_options){ .urls = url, .cluster = cluster,
	    .name = S("test") }, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
	return b;
}

/* Watching and listening are for the shard's own thread: jobs of it. */
struct task {
	struct shard_job job;
	void (*run)(void);
};

static void
run_task(struct shard_job *job)
{
	CONTAINER_OF(job, struct task, job)->run();
}

static void
on_shard(void (*f)(void))
{
	struct task t = { { .run = run_task }, f };

	shard_post(shard, &t.job);
	shard_turn(shard);
	CHECK(t.job.next == NULL);
}

/* A timer keeps the loop turning, so that conditions of other threads are seen. */
static struct wheel_timer tick;

static void
on_tick(struct wheel_timer *t)
{
	shard_timer_set(shard, t, 5);
}

static void
start_tick(void)
{
	tick.fire = on_tick;
	shard_timer_set(shard, &tick, 5);
}

static void
stop_tick(void)
{
	shard_timer_cancel(shard, &tick);
}

#define UNTIL(condition)            \
	while (!(condition))        \
		shard_turn(shard)

static void
watch_both(void)
{
	bus_watch(here, shard, here_changed, NULL);
	if (there != NULL)
		bus_watch(there, shard, there_changed, NULL);
	start_tick();
}

static void
start(const char *const *args)
{
	nats_start(args);
	here_up = there_up = -1;
	CHECK_RC(shard_new(&shard, 0, NULL), OK);
	here = open_as(S("one"), nats_url());
	there = open_as(S("one"), nats_url());
	on_shard(watch_both);
	UNTIL(here_up == 1 && there_up == 1);
}

static void
finish(void)
{
	on_shard(stop_tick);
	bus_close(here);
	bus_close(there);
	shard_free(shard);
	nats_kill(SIGKILL);
}

/* Numbered messages: `next` is what the ear expects. */

static struct bus_ear *ear;
static bool any_order;                       /* the sender may connect again: see bus_listen */
static char filler[LIMIT_BUS_MESSAGE_BYTES];

static void
hear_number(void *ctx, const struct bus_message *m)
{
	uint64_t n;

	CHECK(ctx == &next && shard_is_current(shard));
	CHECK_STR(m->subject, "n.1.x");
	CHECK(m->body.n >= sizeof n && m->reply.n == 0);
	memcpy(&n, m->body.p, sizeof n);
	for (size_t i = sizeof n; i < m->body.n; i += 997)
		CHECK(m->body.p[i] == (char)('a' + n % 26));
	if (n == 0) {
		probes++;
		return;
	}
	if (n < next && any_order && there_downs > 0)
		return;
	if (n < next)
		test_fail(__FILE__, __LINE__, "message %llu after %llu", (unsigned long long)n,
		    (unsigned long long)next);
	gaps += n - next;
	next = n + 1;
	heard++;
}

static void
listen_numbers(void)
{
	ear = bus_listen(here, shard, S("n.1.>"), hear_number, &next);
}

static int
send_number(uint64_t n, size_t bytes)
{
	struct str pieces[2] = { { (const char *)&n, sizeof n }, { filler, bytes } };

	memset(filler, (char)('a' + n % 26), bytes);
	return bus_send(there, S("n.1.x"), STR_NONE, pieces, 2);
}

/* Each node is up for itself: a probe that is heard shows that the other hears. */
static void
await_probe(void)
{
	probes = 0;
	UNTIL(send_number(0, 0) == OK && probes > 0);
}

static void
start_numbers(void)
{
	start(NULL);
	on_shard(listen_numbers);
	await_probe();
	CHECK_RC(send_number(1, 0), OK);
	next = 1;
	UNTIL(next == 2);
	heard = 0;
}

#define MANY 100000

static atomic_bool sent_all;

static void *
send_many(void *arg)
{
	(void)arg;
	for (uint64_t n = 2; n < MANY + 2; ) {
		int rc = send_number(n, n % 200);

		CHECK(rc == OK || rc == ERR_BUSY);
		if (rc == OK)
			n++;
	}
	atomic_store(&sent_all, true);
	return NULL;
}

TEST(bus_carries_many_messages_in_order)
{
	pthread_t thread;
	struct bus_stats stats;

	start_numbers();
	CHECK(pthread_create(&thread, NULL, send_many, NULL) == 0);
	UNTIL(next == MANY + 2);
	pthread_join(thread, NULL);
	CHECK_INT(heard, MANY);
	CHECK_INT(gaps, 0);
	CHECK_INT(downs, 0);
	bus_stats(there, &stats);
	CHECK(stats.up && stats.sent >= MANY && stats.waiting_bytes == 0 && stats.refused == 0);
	CHECK(strstr(stats.server, "127.0.0.1:") == stats.server);
	finish();
}

/* An outage. */

TEST(bus_comes_back_after_the_server_was_killed)
{
	start_numbers();
	for (int round = 0; round < 3; round++) {
		nats_kill(SIGKILL);
		UNTIL(here_up == 0 && there_up == 0);
		CHECK(!bus_is_up(here));
		CHECK_RC(send_number(0, 10), ERR_CLOSED);
		nats_start(NULL);
		UNTIL(here_up == 1 && there_up == 1);
		await_probe();
	}
	CHECK_RC(send_number(next, 10), OK);
	UNTIL(heard == 1);
	CHECK_INT(ups, 4);
	CHECK_INT(downs, 3);
	finish();
}

/* A server that does not answer is found out by pings. */
TEST(bus_notices_a_server_that_was_stopped)
{
	start_numbers();
	nats_kill(SIGSTOP);
	UNTIL(here_up == 0 && there_up == 0);
	CHECK_RC(send_number(0, 10), ERR_CLOSED);
	nats_kill(SIGCONT);
	UNTIL(here_up == 1 && there_up == 1);
	await_probe();
	finish();
}

/* Killed in the middle of large messages, again and again: what is heard is whole, in
 * order and not doubled; what is lost is told. */
static void *
send_until(void *arg)
{
	(void)arg;
	for (uint64_t n = 2; !atomic_load(&sent_all); ) {
		int rc = send_number(n, n % 3 == 0 ? 100000 : 100);

		CHECK(rc == OK || rc == ERR_BUSY || rc == ERR_CLOSED);
		if (rc == OK)
			n++;
		else
			sched_yield();
	}
	return NULL;
}

TEST(bus_loses_but_never_mixes_messages_when_it_is_cut)
{
	pthread_t thread;

	start_numbers();
	CHECK(pthread_create(&thread, NULL, send_until, NULL) == 0);
	for (unsigned round = 1; round <= 5; round++) {
		heard = 0;
		UNTIL(heard > 200);
		nats_kill(SIGKILL);
		UNTIL(downs == round);
		nats_start(NULL);
		UNTIL(ups == round + 1);
	}
	heard = 0;
	UNTIL(heard > 200);
	atomic_store(&sent_all, true);
	pthread_join(thread, NULL);
	finish();
}

/* The shard does nothing while more comes than may wait for it. */
TEST(bus_tells_a_shard_that_was_behind_of_an_outage)
{
	const size_t bytes = LIMIT_BUS_MESSAGE_BYTES - 8;
	struct bus_stats stats;
	uint64_t n = 2;

	start_numbers();
	any_order = true;
	do {
		if (send_number(n, bytes) == OK)
			n++;
		bus_stats(here, &stats);
	} while (stats.dropped == 0);
	CHECK_INT(downs, 0);                 /* it was not asked yet */
	CHECK(n * bytes > LIMIT_BUS_BEHIND_BYTES);
	UNTIL(downs == 1 && ups == 2);
	CHECK(heard_before * (bytes + 8) <= LIMIT_BUS_BEHIND_BYTES);
	CHECK_RC(send_number(n, 10), OK);
	UNTIL(next == n + 1);
	CHECK(gaps > 0);
	finish();
}

/* Ears that end. */

static unsigned calls;
static struct bus_ear *both[2];

static void
hear_and_stop(void *ctx, const struct bus_message *m)
{
	(void)ctx, (void)m;
	calls++;
	bus_stop(both[0]);
	bus_stop(both[1]);
}

static void
listen_twice(void)
{
	both[0] = bus_listen(here, shard, S("n.1.x"), hear_and_stop, NULL);
	both[1] = bus_listen(here, shard, S("n.1.x"), hear_and_stop, NULL);
}

TEST(bus_calls_no_ear_that_was_stopped)
{
	start_numbers();
	for (unsigned round = 1; round <= 50; round++) {
		on_shard(listen_twice);
		while (calls < round) {
			for (int i = 0; i < 20; i++)
				CHECK_RC(send_number(next + (uint64_t)i, 50), OK);
			heard = 0;
			UNTIL(heard == 20);
		}
		CHECK_INT(calls, round);
	}
	CHECK_INT(gaps, 0);
	finish();
}

/* Clusters and replies. */

static unsigned asked, answered, strange;

static void
hear_question(void *ctx, const struct bus_message *m)
{
	(void)ctx;
	asked++;
	CHECK_STR(m->reply, "n.2.answers.7");
	CHECK_STR(m->body, "how many?");
	CHECK_RC(bus_send(here, m->reply, STR_NONE, &S("three"), 1), OK);
}

static void
hear_answer(void *ctx, const struct bus_message *m)
{
	(void)ctx;
	CHECK_STR(m->subject, "n.2.answers.7");
	CHECK_STR(m->body, "three");
	answered++;
}

static void
hear_strange(void *ctx, const struct bus_message *m)
{
	(void)ctx, (void)m;
	strange++;
}

static struct bus *other;

static void
listen_to_questions(void)
{
	bus_listen(here, shard, S("ask"), hear_question, NULL);
	bus_listen(there, shard, S("n.2.answers.*"), hear_answer, NULL);
	bus_listen(other, shard, S(">"), hear_strange, NULL);
}

TEST(bus_answers_go_back_and_other_clusters_hear_nothing)
{
	struct str pieces[2] = { S("how "), S("many?") };

	start(NULL);
	other = open_as(S("two"), nats_url());
	UNTIL(bus_is_up(other));
	on_shard(listen_to_questions);
	UNTIL(bus_send(there, S("ask"), S("n.2.answers.7"), pieces, 2) == OK && answered > 0);
	CHECK(asked >= answered);
	CHECK_INT(strange, 0);
	CHECK_RC(bus_send(there, S("a b"), STR_NONE, pieces, 2), ERR_INVALID);
	CHECK_RC(bus_send(there, STR_NONE, STR_NONE, pieces, 2), ERR_INVALID);
	pieces[0] = (struct str){ filler, sizeof filler };
	CHECK_RC(bus_send(there, S("ask"), STR_NONE, pieces, 2), ERR_TOOBIG);
	on_shard(stop_tick);
	bus_close(other);
	bus_close(here);
	bus_close(there);
	shard_free(shard);
}

/* Who connects. */

/* Goal: a user, a password and a token are those of the URL, decoded as in any URL or as
 * they stand, at each of the servers. */
TEST(bus_gives_name_and_password_of_the_url)
{
	static const char *const user[] = { "--user", "ann", "--pass", "s@c:/t%,", NULL };
	static const char *const token[] = { "--auth", "t/k%", NULL };
	static const struct { const char *const *args; const char *url; } rows[] = {
		{ user, "nats://ann:s%%40c%%3A%%2Ft%%25%%2c@127.0.0.1:%d" },
		{ user, "nats://ann:s@c:/t%%%%2C@127.0.0.1:%d" },
		{ user, "nats://127.0.0.1:9,nats://ann:s%%40c:%%2Ft%%%%2c@127.0.0.1:%d" },
		{ token, "nats://t%%2fk%%@127.0.0.1:%d" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bus_stats stats;
		char url[128];
		struct bus *wrong;

		CHECK_RC(shard_new(&shard, 0, NULL), OK);
		if (i == 0 || rows[i].args != rows[i - 1].args) {
			if (i > 0)
				nats_kill(SIGKILL);
			nats_start(rows[i].args);
		}
		snprintf(url, sizeof url, rows[i].url, nats_port());
		here_up = -1;
		here = open_as(S("one"), str_of(url));
		wrong = open_as(S("one"), nats_url());
		on_shard(watch_both);
		UNTIL(here_up == 1);
		bus_stats(here, &stats);
		CHECK(strncmp(stats.server, "127.0.0.1:", 10) == 0);
		CHECK(!bus_is_up(wrong));
		on_shard(stop_tick);
		bus_close(here);
		bus_close(wrong);
		shard_free(shard);
	}
}

static bool
is_down_for(struct bus *b, const char *why)
{
	struct bus_stats stats;

	bus_stats(b, &stats);
	return !stats.up && strstr(stats.why, why) != NULL;
}

static void
nats_start_with(const char *settings)
{
	static const char *const args[] = { "-c", "nats.conf", NULL };
	FILE *f = fopen("nats.conf", "w");

	CHECK(f != NULL && fprintf(f, "%s\n", settings) > 0 && fclose(f) == 0);
	nats_start(args);
}

#define USER(permissions) "authorization { users = [ { user: a, password: b, permissions: {" \
	permissions "} } ] }"

static void
say_far(void)
{
	const struct str body = S("x");

	CHECK_RC(bus_send(here, S("far.away"), STR_NONE, &body, 1), OK);
}

/* Goal: a server that takes the connection and not our messages is one that is down, and it
 * is said why: else nodes wait for answers that never come. */
TEST(bus_is_down_where_its_messages_are_refused)
{
	static const struct { const char *settings, *why; } rows[] = {
		{ USER("subscribe: { deny: \"one.>\" }"), "for Subscription to \"one." },
		{ USER("publish: { deny: \"one.>\" }"), "for Publish to \"one." },
		{ "max_payload: 1000", "max_payload is 1000, and 262144 is needed" },
		{ USER("publish: { deny: \"one.far.>\" }"), "for Publish to \"one.far.away" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		char url[64];

		CHECK_RC(shard_new(&shard, 0, NULL), OK);
		nats_start_with(rows[i].settings);
		snprintf(url, sizeof url, "nats://%s127.0.0.1:%d", i == 2 ? "" : "a:b@",
		    nats_port());
		here_up = -1;
		here = open_as(S("one"), str_of(url));
		on_shard(watch_both);
		if (i == 3) {
			UNTIL(here_up == 1);     /* nothing that it asked for is refused */
			on_shard(say_far);
		}
		UNTIL(is_down_for(here, rows[i].why));
		UNTIL(here_up <= 0);
		on_shard(stop_tick);
		bus_close(here);
		shard_free(shard);
		nats_kill(SIGKILL);
	}
}

TEST(bus_refuses_options_that_cannot_work)
{
	static const struct { const char *url, *cluster, *cert, *says; } rows[] = {
		{ "http://x", "one", "", "nats://" },
		{ "", "one", "", "nats://127.0.0.1:4222" },
		{ " , ", "one", "", "no URL" },
		{ "nats://x", "", "", "1 to 64" },
		{ "nats://x", "a.b", "", "letters, digits" },
		{ "nats://x", "one", "c.pem", "needs its key" },
		{ "nats://a:b@x,nats://a:c@y", "one", "", "different users" },
		{ "nats://a:b@x,nats://a@y", "one", "", "different users" },
	};

	for (size_t i = 0; i < COUNT(rows); i++) {
		struct bus_options o = { .urls = str_of(rows[i].url),
		    .cluster = str_of(rows[i].cluster), .cert = str_of(rows[i].cert) };
		struct err e = { 0 };
		struct bus *b;

		CHECK_RC(bus_open(&b, &o, &e), ERR_INVALID);
		if (b != NULL || strstr(e.text, rows[i].says) == NULL)
			test_fail(__FILE__, __LINE__, "row %zu: %s", i, e.text);
	}
}
