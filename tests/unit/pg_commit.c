/*
 * pg_commit.c - groups on PostgreSQL: one bad member, deadlocks, a connection that is lost
 * around COMMIT.
 *
 * SPDX-License-Identifier: MIT
 */
#include <signal.h>
#include <string.h>

#include "base/mem.h"
#include "store/pg_priv.h"
#include "store/store_priv.h"
#include "unit/pg_proxy.h"

enum { PUT, PUT_ANY, BAD, DEADLOCK, COUNT_ALL, SQL_N };

static const char *const texts[SQL_N] = {
	[PUT] = "INSERT INTO t(k) VALUES (?)",
	[PUT_ANY] = "INSERT INTO t(k) VALUES (?) ON CONFLICT DO NOTHING",
	[BAD] = "SELECT 1 / CAST(? AS INTEGER)",
	[DEADLOCK] = "SELECT fail_some(?)",
	[COUNT_ALL] = "SELECT count(*) FROM t",
};
static const struct db_sql sql = { .text = texts, .n = SQL_N };

/* A store with nothing but what groups need. */
struct gf {
	char url[PG_URL_MAX];
	struct store *st;
	struct commit commit;
	struct err e;
	nsec wait;
	struct member { int text; int64_t arg; int rc, runs; } m[16];
	size_t n;
	_Atomic int begins;
};

static void
gf_open(struct gf *f, const char *url)
{
	f->st = mem_new(struct store);
	f->wait = 2000 * NS_PER_MS;
	f->n = 0;
	atomic_store(&f->begins, 0);
	CHECK_RC(db_open(&f->st->w, url, NULL, &sql, DB_WRITE, &f->e), OK);
	group_marks_open(f->st);
	commit_init(&f->commit, &f->st->w, COMMIT_LOG_PLAIN);
}

static void
gf_fresh(struct gf *f)
{
	pg_fresh(f->url);
	pg_do(f->url, "CREATE TABLE t(k bigint PRIMARY KEY);"
	    "CREATE TABLE node_batch(node bigint PRIMARY KEY, batch bigint NOT NULL);"
	    "CREATE SEQUENCE fails;"
	    "CREATE FUNCTION fail_some(n bigint) RETURNS bigint LANGUAGE plpgsql AS $$"
	    " BEGIN IF nextval('fails') <= n THEN RAISE EXCEPTION USING ERRCODE = '40P01';"
	    " END IF; RETURN 1; END $$");
}

static void
gf_close(struct gf *f)
{
	group_marks_close(f->st);
	db_close(&f->st->w);
	free(f->st);
}

static void
member(struct gf *f, int text, int64_t arg)
{
	f->m[f->n++] = (struct member){ text, arg, -99, 0 };
}

static int
group_open(void *ctx)
{
	struct gf *f = ctx;

	f->st->batch++;
	atomic_fetch_add(&f->begins, 1);
	return db_begin(&f->st->w, DB_WRITE);
}

static bool
member_run(void *ctx, size_t i)
{
	struct gf *f = ctx;
	struct member *m = &f->m[i];

	m->runs++;
	m->rc = m->text == PUT || m->text == PUT_ANY ?
	    db_run(&f->st->w, m->text, db_i64(m->arg)) :
	    query_any(query_of(&f->st->w, m->text, db_i64(m->arg)));
	if (m->rc == OK && m->text == PUT_ANY && db_changes(&f->st->w) == 0)
		m->rc = ERR_NOTFOUND;
	return m->rc == OK;
}

static void
member_failed(void *ctx, size_t i, int rc)
{
	((struct gf *)ctx)->m[i].rc = rc;
}

static int
group_finish(void *ctx, bool wrote)
{
	return wrote ? group_mark(((struct gf *)ctx)->st) : OK;
}

static int
group_after_loss(void *ctx)
{
	struct gf *f = ctx;

	return group_settle(f->st, clock_mono() + f->wait);
}

static int
run(struct gf *f)
{
	const struct commit_group g = { .n = f->n, .ctx = f, .begin = group_open,
	    .run = member_run, .finish = group_finish, .settle = group_after_loss,
	    .failed = member_failed };

	return commit_run(&f->commit, &g);
}

static void *
run_beside(void *ctx)
{
	CHECK_RC(run(ctx), OK);
	return NULL;
}

static int64_t
rows(struct gf *f)
{
	return pg_number_of(f->url, "SELECT count(*) FROM t");
}

/* Goal: of a group with a bad member the others are kept, and only it is told. */
TEST(pg_one_bad_member_does_not_take_the_others_along)
{
	struct gf f;

	gf_fresh(&f);
	gf_open(&f, f.url);
	pg_do(f.url, "INSERT INTO t VALUES (2)");
	member(&f, PUT, 1);
	member(&f, PUT, 2);                          /* not awaited: shows at commit */
	member(&f, PUT, 3);
	member(&f, BAD, 0);                          /* 22012 at once */
	member(&f, PUT_ANY, 2);                      /* refused without an error */
	member(&f, PUT, 4);
	CHECK_RC(run(&f), OK);
	CHECK_RC(f.m[0].rc, OK);
	CHECK_RC(f.m[1].rc, ERR_CONFLICT);
	CHECK_RC(f.m[2].rc, OK);
	CHECK_RC(f.m[3].rc, ERR_INVALID);
	CHECK_RC(f.m[4].rc, ERR_NOTFOUND);
	CHECK_RC(f.m[5].rc, OK);
	CHECK_INT(rows(&f), 4);
	f.n = 0;
	member(&f, PUT, 10);
	member(&f, PUT_ANY, 2);
	member(&f, PUT, 11);
	CHECK_RC(run(&f), OK);
	CHECK_INT(f.m[0].runs, 1);                   /* nothing written: nobody runs again */
	CHECK_INT(rows(&f), 6);
	gf_close(&f);
}

/* One member meets as many deadlocks; rc: what becomes of it.  The others are kept. */
static void
group_meets(struct gf *f, int64_t deadlocks, int rc)
{
	gf_fresh(f);
	gf_open(f, f->url);
	member(f, PUT, 1);
	member(f, DEADLOCK, deadlocks);
	member(f, PUT, 2);
	CHECK_RC(run(f), OK);
	CHECK_RC(f->m[0].rc, OK);
	CHECK_RC(f->m[1].rc, rc);
	CHECK_RC(f->m[2].rc, OK);
	CHECK_INT(rows(f), 2);
}

TEST(pg_a_deadlock_runs_the_group_again)
{
	struct gf f;

	group_meets(&f, 3, OK);
	CHECK_INT(f.m[0].runs, 4);
	CHECK_INT(f.commit.single, 0);
	gf_close(&f);
}

/* Goal: who never gets through is told; the others are kept. */
TEST(pg_a_deadlock_without_end_is_busy)
{
	struct gf f;

	group_meets(&f, 1000, ERR_BUSY);
	CHECK_INT(f.commit.single, 3);
	gf_close(&f);
}

/* Goal: a node that stops in the middle of a group holds its locks for a while only. */
TEST(pg_the_server_ends_a_group_whose_client_stopped)
{
	struct gf f;
	nsec since;

	db_server_lease(1000);
	gf_fresh(&f);
	gf_open(&f, f.url);
	CHECK_RC(db_begin(&f.st->w, DB_WRITE), OK);
	CHECK_RC(db_run(&f.st->w, PUT, db_i64(5)), OK);
	CHECK_INT(db_changes(&f.st->w), 1);
	since = clock_mono();
	while (pg_number_of(f.url, "SELECT count(*) FROM pg_stat_activity"
	    " WHERE xact_start IS NOT NULL AND pid <> pg_backend_pid()"
	    " AND backend_type = 'client backend' AND query LIKE '%INTO t(k)%'") > 0)
		CHECK(clock_mono() - since < 30 * NS_PER_S);
	CHECK(db_run(&f.st->w, PUT, db_i64(6)) != OK || db_commit(&f.st->w) != OK);
	CHECK(f.st->w.on->fault == DB_LOST);
	CHECK_INT(rows(&f), 0);
	gf_close(&f);
}

/* Goal: a row that another holds is waited for, and its lock does not stop the group for
 * ever: it runs again until the other is gone. */
TEST(pg_a_lock_that_another_holds_is_waited_for)
{
	struct gf f, other;
	pthread_t thread;

	db_server_lease(1000);
	gf_fresh(&f);
	other = f;
	gf_open(&f, f.url);
	gf_open(&other, f.url);
	CHECK_RC(db_begin(&other.st->w, DB_WRITE), OK);
	CHECK_RC(db_run(&other.st->w, PUT, db_i64(5)), OK);
	CHECK_INT(db_changes(&other.st->w), 1);
	member(&f, PUT_ANY, 5);                      /* waits for the other's end */
	member(&f, PUT, 6);
	CHECK(pthread_create(&thread, NULL, run_beside, &f) == 0);
	while (pg_number_of(f.url, "SELECT count(*) FROM pg_stat_activity"
	    " WHERE wait_event_type = 'Lock'") == 0)
		;
	while (atomic_load(&f.begins) < 2)           /* it has given up once */
		;
	db_rollback(&other.st->w);
	pthread_join(thread, NULL);
	CHECK(f.m[0].rc == OK && f.m[1].rc == OK);
	CHECK_INT(rows(&f), 2);
	gf_close(&other);
	gf_close(&f);
}

static void
cut_at_commit(enum pg_cut how, int runs)
{
	struct gf f;
	struct pg_proxy p;

	gf_fresh(&f);
	pg_proxy_start(&p, f.url);
	gf_open(&f, p.url);
	member(&f, PUT, 1);
	member(&f, PUT, 2);
	CHECK_RC(run(&f), OK);
	for (int i = 1; i <= 20; i++) {
		atomic_store(&p.cut, how);
		f.n = 0;
		member(&f, PUT, 2 * i + 1);
		member(&f, PUT, 2 * i + 2);
		CHECK_RC(run(&f), OK);
		CHECK(f.m[0].rc == OK && f.m[1].rc == OK);
		CHECK_INT(atomic_load(&p.cuts), i);
		CHECK_INT(f.m[0].runs, runs);
		CHECK_INT(rows(&f), 2 * i + 2);
	}
	gf_close(&f);
	pg_proxy_end(&p);
}

/* Goal: what is committed is acknowledged, though its answer was lost. */
TEST(pg_a_lost_answer_to_commit_is_settled)
{
	cut_at_commit(PG_CUT_ANSWER, 1);
}

/* Goal: what is not committed runs again. */
TEST(pg_a_lost_commit_runs_again)
{
	cut_at_commit(PG_CUT_COMMIT, 2);
}

/* Goal: the old backend, which holds its locks and might still commit, is ended first. */
TEST(pg_the_old_backend_ends_first)
{
	cut_at_commit(PG_CUT_HOLD, 2);
}

/* Goal: a group of which it is not known whether it is committed does not run again, also
 * when there is a connection and the question alone fails. */
TEST(pg_a_doubt_lasts_until_it_is_answered)
{
	struct gf f;
	struct pg_proxy p;

	gf_fresh(&f);
	pg_do(f.url, "CREATE FUNCTION hide() RETURNS trigger LANGUAGE plpgsql AS $$"
	    " BEGIN ALTER TABLE node_batch RENAME TO hidden; RETURN NULL; END $$;"
	    "CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON t DEFERRABLE"
	    " INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION hide()");
	pg_proxy_start(&p, f.url);
	gf_open(&f, p.url);
	atomic_store(&p.cut, PG_CUT_ANSWER);
	member(&f, PUT, 1);
	CHECK_RC(run(&f), ERR_BUSY);
	CHECK(f.st->w.on->fault == DB_LOST && db_in_doubt(&f.st->w));
	CHECK_INT(f.m[0].runs, 1);
	pg_do(f.url, "ALTER TABLE hidden RENAME TO node_batch");
	CHECK_RC(group_settle(f.st, clock_mono() + f.wait), OK);
	CHECK_INT(rows(&f), 1);
	gf_close(&f);
	pg_proxy_end(&p);
}

/* Goal: kill -9 of a backend, upon which PostgreSQL restarts all. */
TEST(pg_groups_survive_a_kill_of_their_backend)
{
	struct gf f;
	struct pg_own o;
	int64_t k = 0;

	pg_own_start(&o);
	snprintf(f.url, sizeof f.url, "%.300s&options=-csearch_path%%3Dpublic", o.url);
	pg_do(f.url, "CREATE TABLE t(k bigint PRIMARY KEY);"
	    "CREATE TABLE node_batch(node bigint PRIMARY KEY, batch bigint NOT NULL)");
	gf_open(&f, f.url);
	f.wait = 30 * NS_PER_S;
	for (int i = 0; i < 3; i++) {
		f.n = 0;
		member(&f, PUT, ++k);
		CHECK_RC(run(&f), OK);
		CHECK(kill(((struct pg *)f.st->w.on->h)->pid, SIGKILL) == 0);
		f.n = 0;
		member(&f, PUT, ++k);
		CHECK_RC(run(&f), OK);
		CHECK_RC(f.m[0].rc, OK);
	}
	pg_own_kill(&o);
	f.wait = 0;
	f.n = 0;
	member(&f, PUT, ++k);
	CHECK_RC(run(&f), ERR_BUSY);
	CHECK(f.st->w.on->fault == DB_LOST);
	pg_own_again(&o);
	f.wait = 30 * NS_PER_S;
	CHECK_RC(run(&f), OK);
	CHECK_INT(rows(&f), k);
	gf_close(&f);
	pg_own_end(&o);
}

/* Goal: a server that stands still is given up in time, looks at it cost nothing, and
 * whatever became of the COMMIT is known when it is back. */
TEST(pg_a_server_that_stands_still_is_given_up)
{
	struct gf f;
	struct pg_own o;
	nsec since;
	int rc;

	db_server_lease(1000);
	pg_own_start(&o);
	snprintf(f.url, sizeof f.url, "%.300s&options=-csearch_path%%3Dpublic", o.url);
	pg_do(f.url, "CREATE TABLE t(k bigint PRIMARY KEY);"
	    "CREATE TABLE node_batch(node bigint PRIMARY KEY, batch bigint NOT NULL)");
	gf_open(&f, f.url);
	for (int i = 1; i <= 5; i++) {
		f.n = 0;
		member(&f, PUT, -i);         /* statements are prepared */
		CHECK_RC(run(&f), OK);
		f.n = 0;
		f.wait = 0;
		member(&f, PUT, 2 * i - 1);
		member(&f, PUT, 2 * i);
		pg_own_signal(&o, SIGSTOP);
		since = clock_mono();
		CHECK_RC(run(&f), ERR_BUSY);
		CHECK(clock_mono() - since < 30 * NS_PER_S);
		CHECK(f.st->w.on->fault == DB_LOST && db_in_doubt(&f.st->w));
		since = clock_mono();
		for (int n = 0; n < 100; n++)
			CHECK_RC(db_revive(&f.st->w, 0), ERR_BUSY);
		CHECK(clock_mono() - since < 10 * NS_PER_S);
		pg_own_signal(&o, SIGCONT);
		rc = group_settle(f.st, clock_mono() + 10 * NS_PER_S);
		CHECK(rc == OK || rc == ERR_AGAIN);
		if (rc == ERR_AGAIN) {
			f.wait = 10 * NS_PER_S;
			CHECK_RC(run(&f), OK);
			CHECK(f.m[0].rc == OK && f.m[1].rc == OK);
		}
		CHECK_INT(rows(&f), 3 * i);
	}
	gf_close(&f);
	pg_own_end(&o);
}
