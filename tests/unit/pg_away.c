/*
 * pg_away.c - a whole store whose PostgreSQL goes away and comes back: what its commands
 * are told, and when.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <string.h>

#include "store/pg_priv.h"
#include "store/store_priv.h"
#include "unit/pg_proxy.h"
#include "unit/store_fix.h"

static void
af_open(struct fix *f, const char *url)
{
	memset(f, 0, sizeof *f);
	CHECK_RC(shard_new(&f->shard, 0, &f->e), OK);
	f->a = ARENA(64 * MB);
	f->options = (struct store_options){ .driver = S("postgres"), .path = str_of(url) };
	if (store_open(&f->st, &f->options, &f->e) != OK)
		test_fail(__FILE__, __LINE__, "open: %s", f->e.text);
	CHECK_RC(store_reader_open(f->st, &f->r, &f->e), OK);
}

static void
af_close(struct fix *f)
{
	f->broken = true;                    /* nothing to check in a file */
	fix_close(f);
}

/* n threads from number `from` on; how they came back: the first code that is not OK. */
static int
threads_make(struct fix *f, struct store_thread_create *x, unsigned from, size_t n)
{
	size_t back = f->back;
	int rc = OK;

	for (size_t i = 0; i < n; i++) {
		x[i] = thread_new(from + (unsigned)i);
		x[i].cmd.arena = &f->a;
		fix_submit(f, &x[i], STORE_THREAD_CREATE, 1);
	}
	fix_wait(f, back + n);
	for (size_t i = 0; i < n && rc == OK; i++) {
		rc = x[i].cmd.rc;
		if (rc != OK)
			fprintf(stderr, "thread %u: %s\n", from + (unsigned)i,
			    x[i].cmd.err.text);
	}
	return rc;
}

/* Goal: behind a lost answer to COMMIT all is acknowledged once, and behind a lost COMMIT
 * it runs again; nobody is told of it. */
TEST(pg_a_store_settles_what_was_under_way)
{
	struct fix f;
	struct pg_proxy p;
	char url[PG_URL_MAX];
	struct store_thread_create x[30];
	static const enum pg_cut cuts[] = { PG_CUT_ANSWER, PG_CUT_COMMIT, PG_CUT_HOLD };

	pg_fresh(url);
	pg_proxy_start(&p, url);
	af_open(&f, p.url);
	for (unsigned i = 0; i < 9; i++) {
		atomic_store(&p.cut, cuts[i % 3]);
		CHECK_RC(threads_make(&f, x, 1 + 30 * i, 30), OK);
		CHECK_INT(pg_number_of(url, "SELECT count(*) FROM thread"), 30 * (i + 1));
	}
	CHECK_INT(atomic_load(&p.cuts), 9);
	af_close(&f);
	pg_proxy_end(&p);
}

/* Goal: who was in the COMMIT when PostgreSQL went away waits for it and hears what became
 * of it; others are told at once. */
TEST(pg_a_batch_in_doubt_waits_and_others_do_not)
{
	struct fix f;
	struct pg_proxy p;
	char url[PG_URL_MAX];
	struct store_thread_create x[40];
	nsec since;

	pg_fresh(url);
	pg_proxy_start(&p, url);
	af_open(&f, p.url);
	CHECK_RC(threads_make(&f, x, 1, 1), OK);
	for (unsigned round = 0; round < 2; round++) {
		size_t back = f.back;

		atomic_store(&p.after, PG_CUT_ALL);
		atomic_store(&p.cut, round == 0 ? PG_CUT_ANSWER : PG_CUT_COMMIT);
		x[0] = thread_new(100 + round);
		x[0].cmd.arena = &f.a;
		fix_submit(&f, &x[0], STORE_THREAD_CREATE, 1);
		while (atomic_load(&p.cut) != PG_CUT_ALL)
			poll(NULL, 0, 1);
		since = clock_mono();        /* the writer waits for the server */
		CHECK_RC(threads_make(&f, &x[1], 1000, 1), ERR_BUSY);
		for (unsigned i = 2; i < 40; i++)
			CHECK_RC(threads_make(&f, &x[i], 1000 + i, 1), ERR_BUSY);
		CHECK(clock_mono() - since < 20 * LIMIT_PG_WAIT_MS * NS_PER_MS);
		CHECK(f.back == back + 39);          /* not the one in doubt */
		CHECK_RC(store_check(f.st, &f.e), ERR_BUSY);
		CHECK(strstr(f.e.text, "reached: ") == NULL);      /* why is for the log */
		atomic_store(&p.after, PG_CUT_NOT);
		atomic_store(&p.cut, PG_CUT_NOT);
		fix_wait(&f, back + 40);
		CHECK_RC(x[0].cmd.rc, OK);
		CHECK_INT(pg_number_of(url, "SELECT count(*) FROM thread"), 2 + round);
		CHECK_RC(store_check(f.st, &f.e), OK);
	}
	af_close(&f);
	pg_proxy_end(&p);
}

struct killer {
	const char *url;
	_Atomic bool ends;
	_Atomic int kills;
};

static void *
kill_backends(void *arg)
{
	struct killer *k = arg;

	while (!atomic_load(&k->ends)) {
		pg_do(k->url, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE"
		    " pid <> pg_backend_pid() AND query LIKE '%node_batch%' OR query ="
		    " 'COMMIT'");
		atomic_fetch_add(&k->kills, 1);
		poll(NULL, 0, 20);
	}
	return NULL;
}

/* Until a connection has been refused for longer than a command waits. */
static void *
let_in(void *arg)
{
	struct pg_proxy *p = arg;
	int from = atomic_load(&p->connects);

	while (atomic_load(&p->connects) < from + LIMIT_PG_WAIT_MS / LIMIT_PG_RETRY_MS + 2)
		poll(NULL, 0, 10);
	atomic_store(&p->cut, PG_CUT_NOT);
	return NULL;
}

/* Goal: a start whose first connections were made waits longer for the others than a command
 * does. */
TEST(pg_a_start_is_patient_with_a_server_that_was_there)
{
	struct fix f;
	struct pg_proxy p;
	struct store_reader *r;
	char url[PG_URL_MAX];
	pthread_t thread;

	pg_fresh(url);
	pg_proxy_start(&p, url);
	af_open(&f, p.url);
	atomic_store(&p.cut, PG_CUT_ALL);
	CHECK(pthread_create(&thread, NULL, let_in, &p) == 0);
	CHECK_RC(store_reader_open(f.st, &r, &f.e), OK);
	pthread_join(thread, NULL);
	store_reader_close(r);
	af_close(&f);
	pg_proxy_end(&p);
}

/* Goal: whenever backends are ended all commands succeed, once each. */
TEST(pg_no_command_notices_that_backends_end)
{
	struct fix f;
	struct pg_own o;
	struct killer k = { 0 };
	pthread_t thread;
	struct store_thread_create x[30];
	unsigned n = 0;

	pg_own_start(&o);
	af_open(&f, o.url);
	CHECK_RC(threads_make(&f, x, 1, 1), OK);
	k.url = o.url;
	CHECK(pthread_create(&thread, NULL, kill_backends, &k) == 0);
	for (n = 1; atomic_load(&k.kills) < 30; n += 30)
		CHECK_RC(threads_make(&f, x, 1 + n, 30), OK);
	atomic_store(&k.ends, true);
	pthread_join(thread, NULL);
	CHECK_INT(pg_number_of(o.url, "SELECT count(*) FROM cohort.thread"), n);
	CHECK(((struct pg *)f.st->w.on->h)->life > 1);
	af_close(&f);
	pg_own_end(&o);
}
