/*
 * pg_driver.c - the driver for PostgreSQL, with a real server.
 *
 * SPDX-License-Identifier: MIT
 */
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

#include "store/pg_priv.h"
#include "unit/pg_fix.h"

enum { INSERT, INSERT_ANY, GET, COUNT_ALL, UPDATE, BAD, SUM, ALL_TYPES, ADD_NULL, SLEEP, ALL,
	SQL_N };

static const char *const texts[SQL_N] = {
	[INSERT] = "INSERT INTO t(k, name, body) VALUES (?, ?, ?)",
	[INSERT_ANY] = "INSERT INTO t(k, name, body) VALUES (?, ?, ?) ON CONFLICT DO NOTHING",
	[GET] = "SELECT k, name, body FROM t WHERE k = ?",
	[COUNT_ALL] = "SELECT count(*) FROM t",
	[UPDATE] = "UPDATE t SET name = ?2 WHERE k >= ?1",
	[BAD] = "SELECT nothing FROM t",
	[SUM] = "SELECT sum(k), max(k), min(k) > 0, 1, nullif(?, 0) FROM t",
	[ADD_NULL] = "UPDATE t SET k = k + coalesce(?, 0)",
	[SLEEP] = "SELECT pg_sleep(5)",
	[ALL] = "SELECT k, name FROM t WHERE k >= ? ORDER BY k",
	[ALL_TYPES] = "SELECT CAST(? AS TEXT), CAST(?2 AS INTEGER)",
};
static const struct db_sql sql = { texts, SQL_N, NULL };

struct pf {
	char url[PG_URL_MAX];
	struct db w, r;
	struct err e;
};

static void
pf_open(struct pf *f)
{
	memset(f, 0, sizeof *f);
	pg_fresh(f->url);
	pg_do(f->url, "CREATE TABLE t(k bigint PRIMARY KEY, name text COLLATE \"C\", body bytea)");
	CHECK_RC(db_open(&f->w, f->url, NULL, &sql, DB_WRITE, &f->e), OK);
	CHECK_RC(db_open(&f->r, f->url, NULL, &sql, DB_READ, &f->e), OK);
}

static void
pf_close(struct pf *f)
{
	db_close(&f->w);
	db_close(&f->r);
}

static struct pg *
pg(struct db *db)
{
	return db->on->h;
}

static int
put(struct pf *f, int64_t k, struct str name)
{
	return db_run(&f->w, INSERT, db_i64(k), db_str(name), db_blob(S("\0\1\xff")));
}

/* A statement waits for 100 ms until a lost connection is there again; the next one goes on. */
static int64_t
count(struct pf *f)
{
	nsec end = clock_mono() + 60 * NS_PER_S;
	int64_t n = -1;
	int rc;

	do
		rc = query_one_i64(query_of(&f->r, COUNT_ALL), &n);
	while (rc == ERR_BUSY && clock_mono() < end);
	CHECK_RC(rc, OK);
	return n;
}

TEST(pg_values_come_back_as_they_went)
{
	struct pf f;
	struct query q;

	pf_open(&f);
	CHECK_RC(put(&f, INT64_MIN, S("a \xc3\xa9")), OK);
	CHECK_RC(db_run(&f.w, INSERT, db_i64(2), db_null(), db_null()), OK);
	q = query_of(&f.r, GET, db_i64(INT64_MIN));
	CHECK_RC(query_row(&q), OK);
	CHECK(query_i64(&q, 0) == INT64_MIN);
	CHECK_STR(query_borrow(&q, 1), "a \xc3\xa9");
	CHECK(str_eq(query_borrow(&q, 2), S("\0\1\xff")));
	CHECK_RC(query_row(&q), ERR_NOTFOUND);
	query_end(&q);
	q = query_of(&f.r, GET, db_i64(2));
	CHECK_RC(query_row(&q), OK);
	CHECK(query_null(&q, 1) && query_borrow(&q, 2).p == NULL);
	query_end(&q);
	q = query_of(&f.r, GET, db_i64(3));
	CHECK_RC(query_row(&q), ERR_NOTFOUND);
	query_end(&q);
	pf_close(&f);
}

TEST(pg_numbers_of_every_type_are_read)
{
	struct pf f;
	struct query q;

	pf_open(&f);
	CHECK_RC(put(&f, 123456789012345, S("a")), OK);
	CHECK_RC(put(&f, 2, S("b")), OK);
	q = query_of(&f.r, SUM, db_i64(5000000000));
	CHECK_RC(query_row(&q), OK);
	CHECK(query_i64(&q, 0) == 123456789012347);
	CHECK(query_i64(&q, 1) == 123456789012345);
	CHECK(query_i64(&q, 2) == 1 && query_i64(&q, 3) == 1);
	CHECK(query_i64(&q, 4) == 5000000000);
	query_end(&q);
	CHECK_RC(db_run(&f.w, ADD_NULL, db_null()), OK);
	CHECK_RC(db_run(&f.w, ADD_NULL, db_i64(1)), OK);
	CHECK(count(&f) == 2);
	pf_close(&f);
}

/* Goal: what waiting does not mend is told from a server that is not there yet, whatever the
 * server's language. */
TEST(pg_refusals_are_known)
{
	static const char *const final[] = {
		"connection to server at \"db\" (10.0.0.1), port 5432 failed: FATAL:  28P01: "
		"password authentication failed for user \"cohort\"",
		"connection to server on socket \"/s\" failed: FATALE:  3D000: das gibt es nicht",
		"FATAL:  28000: no pg_hba.conf entry", "FATAL:  42501: permission denied",
		"SSL error: certificate verify failed",
		"server does not support SSL, but SSL was required",
	}, *const passing[] = {
		"could not translate host name \"db\" to address: Name or service not known",
		"connection to server at \"db\" (10.0.0.1), port 5432 failed: Connection refused",
		"FATAL:  57P03: the database system is starting up",
		"FATAL:  53300: sorry, too many clients already",
		"session is read-only", "SSL SYSCALL error: EOF detected", "",
	};

	for (size_t i = 0; i < COUNT(final); i++)
		CHECK(pg_is_refusal(final[i]));
	for (size_t i = 0; i < COUNT(passing); i++)
		CHECK(!pg_is_refusal(passing[i]));
}

/* Goal: many writes of a transaction cost one wait, at its commit. */
TEST(pg_writes_of_a_transaction_are_not_awaited)
{
	struct pf f;
	uint64_t waits;

	pf_open(&f);
	CHECK_RC(put(&f, -1, S("x")), OK);           /* prepared */
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	waits = pg(&f.w)->waits;
	for (int i = 0; i < 2000; i++)
		CHECK_RC(put(&f, i, S("name")), OK);
	CHECK(pg(&f.w)->waits <= waits + 1);
	CHECK(count(&f) == 1);
	CHECK_RC(db_commit(&f.w), OK);
	CHECK(count(&f) == 2001);
	CHECK_RC(db_run(&f.w, UPDATE, db_i64(1000), db_str(S("n"))), OK);
	CHECK(db_changes(&f.w) == 1000);
	CHECK_RC(db_run(&f.w, INSERT_ANY, db_i64(5), db_null(), db_null()), OK);
	CHECK(db_changes(&f.w) == 0);
	pf_close(&f);
}

TEST(pg_rollback_takes_all_back)
{
	struct pf f;

	pf_open(&f);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 1, S("x")), OK);
	db_rollback(&f.w);
	CHECK(count(&f) == 0);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 1, S("x")), OK);
	CHECK_RC(db_commit(&f.w), OK);
	CHECK(count(&f) == 1);
	CHECK(f.w.on->fault == DB_SOUND);
	pf_close(&f);
}

/* Goal: the failure of a write that nobody waited for is the transaction's. */
TEST(pg_a_late_failure_is_that_of_the_transaction)
{
	struct pf f;
	int64_t n;

	pf_open(&f);
	CHECK_RC(put(&f, 1, S("x")), OK);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 2, S("y")), OK);
	CHECK_RC(put(&f, 1, S("again")), OK);
	CHECK_RC(put(&f, 3, S("z")), OK);
	CHECK_RC(query_one_i64(query_of(&f.w, COUNT_ALL), &n), ERR_CONFLICT);
	CHECK(f.w.on->fault == DB_ABORTED);
	CHECK_RC(query_one_i64(query_of(&f.w, COUNT_ALL), &n), ERR_CONFLICT);
	CHECK_RC(db_commit(&f.w), ERR_CONFLICT);
	db_rollback(&f.w);
	CHECK(count(&f) == 1);

	f.w.on->fault = DB_SOUND;
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 1, S("again")), OK);
	CHECK_RC(db_commit(&f.w), ERR_CONFLICT);
	CHECK(f.w.on->fault == DB_ABORTED);
	db_rollback(&f.w);
	f.w.on->fault = DB_SOUND;
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 4, S("x")), OK);
	CHECK_RC(db_commit(&f.w), OK);
	CHECK(count(&f) == 2);
	pf_close(&f);
}

TEST(pg_outside_a_transaction_a_failure_shows_at_once)
{
	struct pf f;
	int64_t n;

	pf_open(&f);
	CHECK_RC(put(&f, 1, S("x")), OK);
	CHECK_RC(put(&f, 1, S("x")), ERR_CONFLICT);
	CHECK(f.w.on->fault == DB_SOUND);
	CHECK_RC(put(&f, 2, S("a\0b")), ERR_INVALID);
	CHECK_RC(put(&f, 2, S("a\xff")), ERR_INVALID);
	CHECK_RC(query_one_i64(query_of(&f.w, BAD), &n), ERR_IO);
	CHECK(strstr(f.w.on->err.text, "nothing") != NULL);
	CHECK_RC(db_ready(&f.w, BAD), ERR_IO);
	CHECK_RC(db_ready(&f.w, GET), OK);
	CHECK_RC(put(&f, 2, S("ok")), OK);
	CHECK(count(&f) == 2);
	pf_close(&f);
}

/* Goal: statements with rows that are started together cost one wait. */
TEST(pg_started_statements_share_a_wait)
{
	struct pf f;
	struct query a, b;
	uint64_t waits;

	pf_open(&f);
	CHECK_RC(db_ready(&f.w, COUNT_ALL), OK);
	CHECK_RC(put(&f, 7, S("x")), OK);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	a = query_of(&f.w, COUNT_ALL);
	b = query_of(&f.w, GET, db_i64(7));
	CHECK_RC(db_ready(&f.w, GET), OK);
	b = query_of(&f.w, GET, db_i64(7));
	waits = pg(&f.w)->waits;
	query_start(&a);
	query_start(&b);
	CHECK_RC(query_row(&a), OK);
	CHECK(query_i64(&a, 0) == 1);
	CHECK_RC(query_row(&b), OK);
	CHECK_STR(query_borrow(&b, 1), "x");
	CHECK(pg(&f.w)->waits <= waits + 1);
	query_end(&a);
	query_end(&b);
	db_rollback(&f.w);
	pf_close(&f);
}

static void
step_through(struct db *db, int64_t from, int64_t rows)
{
	struct query q = query_of(db, ALL, db_i64(from));

	for (int64_t k = from; k < from + rows; k++) {
		int64_t n;

		CHECK_RC(query_row(&q), OK);
		CHECK_INT(query_i64(&q, 0), k);
		if (k == from + 3)           /* another one between */
			CHECK_RC(query_one_i64(query_of(db, COUNT_ALL), &n), OK);
	}
	if (from + rows == 5000)
		CHECK_RC(query_row(&q), ERR_NOTFOUND);
	query_end(&q);
}

/* Goal: rows come in pieces; whoever has seen enough stops; nothing stays open. */
TEST(pg_many_rows_come_in_pieces)
{
	struct pf f;
	struct db slow;

	pf_open(&f);
	pg_do(f.url, "INSERT INTO t SELECT k, repeat('x', 500) FROM generate_series(0, 4999) k");
	CHECK_RC(db_open(&slow, f.url, NULL, &sql, DB_SLOW, &f.e), OK);
	for (int i = 0; i < 2; i++) {
		step_through(&f.r, 0, 5000);
		step_through(&f.r, 10, 20);
		step_through(&f.r, 4990, 10);
		CHECK(pg(&f.r)->cursors == 0 && !pg(&f.r)->in_tx);
		CHECK_RC(db_begin(&slow, DB_READ), OK);
		step_through(&slow, 0, 5000);
		step_through(&slow, 10, 20);
		CHECK(pg(&slow)->cursors == 0 && pg(&slow)->in_tx);
		db_rollback(&slow);
	}
	CHECK(count(&f) == 5000);
	CHECK(pg_number_of(f.url, "SELECT count(*) FROM pg_stat_activity WHERE state"
	    " LIKE 'idle in tr%' AND wait_event <> 'x' AND xact_start < now() - interval '1 s'") == 0);
	db_close(&slow);
	pf_close(&f);
}

/* Goal: whatever went before in a transaction, a statement gets its own rows. */
TEST(pg_each_statement_gets_its_own_rows)
{
	struct pf f;
	struct db slow;
	struct query q;
	int64_t n;

	pf_open(&f);
	CHECK_RC(put(&f, 7, S("x")), OK);
	CHECK_RC(db_open(&slow, f.url, NULL, &sql, DB_SLOW, &f.e), OK);
	for (int i = 0; i < 3; i++) {
		CHECK_RC(db_begin(&slow, DB_READ), OK);
		db_rollback(&slow);          /* nothing ran */
		CHECK_RC(db_begin(&slow, DB_READ), OK);
		q = query_of(&slow, GET, db_i64(7));
		query_end(&q);               /* bound only */
		db_rollback(&slow);
		CHECK_RC(db_begin(&slow, DB_READ), OK);
		CHECK_RC(query_any(query_of(&slow, GET, db_i64(8))), ERR_NOTFOUND);
		db_rollback(&slow);
		CHECK_RC(db_begin(&slow, DB_READ), OK);
		CHECK_RC(query_any(query_of(&slow, GET, db_i64(7))), OK);
		CHECK_RC(query_one_i64(query_of(&slow, COUNT_ALL), &n), OK);
		CHECK_INT(n, 1);
		step_through(&slow, 7, 1);
		q = query_of(&slow, ALL, db_i64(7));
		CHECK_RC(query_row(&q), OK);
		query_end(&q);
		db_rollback(&slow);
		CHECK_RC(query_any(query_of(&f.r, ALL, db_i64(8))), ERR_NOTFOUND);
		CHECK_RC(query_any(query_of(&f.r, GET, db_i64(7))), OK);
		CHECK_RC(query_any(query_of(&f.r, ALL, db_i64(7))), OK);
		CHECK_RC(db_read_i64(&f.r, "SELECT count(*) FROM t", &n, &f.e), OK);
		CHECK_INT(n, 1);
	}
	db_close(&slow);
	pf_close(&f);
}

/* Goal: a mark tells whether rows were written since, not whether somebody tried. */
TEST(pg_a_mark_tells_of_written_rows)
{
	struct pf f;
	int64_t mark;

	pf_open(&f);
	CHECK_RC(put(&f, 1, S("x")), OK);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	mark = db_mark(&f.w);
	CHECK(!db_wrote(&f.w, mark));
	CHECK_RC(db_run(&f.w, INSERT_ANY, db_i64(1), db_null(), db_null()), OK);
	CHECK(db_wrote(&f.w, mark));
	CHECK(db_changes(&f.w) == 0);
	CHECK(!db_wrote(&f.w, mark));
	CHECK_RC(put(&f, 2, S("x")), OK);
	CHECK(db_wrote(&f.w, mark));
	CHECK(db_changes(&f.w) == 1);
	CHECK(db_wrote(&f.w, mark));
	mark = db_mark(&f.w);
	CHECK(!db_wrote(&f.w, mark));
	CHECK_RC(db_commit(&f.w), OK);
	pf_close(&f);
}

/* Goal: a read that finds its connection gone makes another. */
TEST(pg_a_read_survives_the_end_of_its_backend)
{
	struct pf f;
	char text[128];

	pf_open(&f);
	CHECK(count(&f) == 0);
	snprintf(text, sizeof text, "SELECT pg_terminate_backend(%d, 5000)",
	    pg(&f.r)->pid != 0 ? pg(&f.r)->pid : 0);
	CHECK(pg(&f.r)->pid != 0);
	pg_do(f.url, text);
	CHECK(count(&f) == 0);
	CHECK(pg(&f.r)->life == 2);
	pf_close(&f);
}

/* Goal: what was to be in a transaction does not run alone when its connection is lost. */
TEST(pg_a_transaction_that_is_lost_stays_lost)
{
	struct pf f;
	char text[128];
	int64_t n;

	pf_open(&f);
	CHECK_RC(put(&f, 1, S("x")), OK);
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 2, S("x")), OK);
	snprintf(text, sizeof text, "SELECT pg_terminate_backend(%d, 5000)", pg(&f.w)->pid);
	pg_do(f.url, text);
	CHECK_RC(query_one_i64(query_of(&f.w, COUNT_ALL), &n), ERR_BUSY);
	CHECK(f.w.on->fault == DB_LOST);
	for (int i = 0; i < 3; i++) {
		CHECK(put(&f, 3, S("x")) != OK);
		CHECK(db_changes(&f.w) == 0);
		CHECK(query_one_i64(query_of(&f.w, COUNT_ALL), &n) != OK);
		CHECK(db_exec(&f.w, "INSERT INTO t(k) VALUES (4)", &f.e) != OK);
	}
	CHECK(db_commit(&f.w) != OK);
	db_rollback(&f.w);
	CHECK(count(&f) == 1);
	CHECK_RC(db_revive(&f.w, clock_mono() + 60 * NS_PER_S), OK);
	f.w.on->fault = DB_SOUND;
	CHECK_RC(db_begin(&f.w, DB_WRITE), OK);
	CHECK_RC(put(&f, 3, S("x")), OK);
	CHECK_RC(db_commit(&f.w), OK);
	CHECK(count(&f) == 2);
	pf_close(&f);
}

TEST(pg_the_server_ends_a_statement_that_takes_too_long)
{
	struct pf f;

	pf_open(&f);
	CHECK_RC(query_any(query_of(&f.r, SLEEP)), ERR_TIMEOUT);
	CHECK(count(&f) == 0 && pg(&f.r)->life == 1);
	pf_close(&f);
}

/* Goal: a slow read stops at its deadline, and its connection stays. */
TEST(pg_a_slow_read_is_cancelled_at_its_deadline)
{
	struct pf f;
	struct db slow;
	int64_t n;

	pf_open(&f);
	CHECK_RC(db_open(&slow, f.url, NULL, &sql, DB_SLOW, &f.e), OK);
	slow.on->deadline = clock_mono() + 50 * NS_PER_MS;
	CHECK_RC(db_begin(&slow, DB_READ), OK);
	CHECK_RC(query_any(query_of(&slow, SLEEP)), ERR_TIMEOUT);
	db_rollback(&slow);
	slow.on->deadline = 0;
	CHECK_RC(db_begin(&slow, DB_READ), OK);
	CHECK_RC(query_one_i64(query_of(&slow, COUNT_ALL), &n), OK);
	CHECK(n == 0 && pg(&slow)->life == 1);
	db_rollback(&slow);
	db_close(&slow);
	pf_close(&f);
}

TEST(pg_an_unknown_host_is_told)
{
	struct db db;
	struct err e;

	CHECK_RC(db_open(&db, "postgresql://cohort@/cohort?host=%2Fnowhere", NULL, &sql,
	    DB_WRITE, &e), ERR_BUSY);
	CHECK(strstr(e.text, "/nowhere") != NULL);
}

/* Goal: a password is not shown, whatever its address looks like. */
TEST(pg_an_address_that_is_wrong_hides_its_password)
{
	static const char *const urls[] = {
		"postgresql://u:secret%zz@127.0.0.1:1/db", "postgresql://u:secret@[::1/db",
		"postgresql://u:secret/x@127.0.0.1:1/db", "postgresql://u:p@secret@127.0.0.1:1/db",
		"postgresql://u:p@secret:7@127.0.0.1:1/db", "postgresql://u:x?y@secret@h:1/db",
		"host=127.0.0.1 port=1 password=a secret", "host=127.0.0.1 password='secret",
	};
	struct db db;
	struct err e;

	for (size_t i = 0; i < COUNT(urls); i++) {
		int rc = db_open(&db, urls[i], NULL, &sql, DB_READ, &e);

		if (rc != ERR_INVALID)
			test_fail(__FILE__, __LINE__, "%s: %s", urls[i], e.text);
		CHECK(strstr(e.text, "secret") == NULL && strstr(e.text, "%40 for") != NULL);
	}
	CHECK_RC(db_open(&db, "postgresql://u:a%40?b%2F%25@127.0.0.1:1/db?user=a@b", NULL, &sql,
	    DB_READ, &e), ERR_BUSY);
}

static _Atomic int lookups, lookup_waits;
static __typeof__(PQconnectStartParams) *real_start;

/* As libpq does while a resolver does not answer. */
static PGconn *
slow_start(const char *const *keys, const char *const *values, int expand)
{
	atomic_fetch_add(&lookups, 1);
	while (atomic_load(&lookup_waits))
		poll(NULL, 0, 1);
	return real_start(keys, values, expand);
}

/* Goal: nobody waits for a resolver, which is asked once at a time; then the server is found
 * again.  A connection that is closed meanwhile does not wait either. */
TEST(pg_a_name_that_is_not_found_holds_nobody_up)
{
	struct pf f;
	char text[128];
	int64_t n;
	nsec since;

	db_server_lease(1000);
	pf_open(&f);
	snprintf(text, sizeof text, "SELECT pg_terminate_backend(%d, 5000),"
	    " pg_terminate_backend(%d, 5000)", pg(&f.r)->pid, pg(&f.w)->pid);
	pg_do(f.url, text);
	real_start = pq.connectStartParams;
	pq.connectStartParams = slow_start;
	atomic_store(&lookup_waits, 1);
	since = clock_mono();
	for (int i = 0; i < 1000 || clock_mono() - since < NS_PER_S; i++)
		CHECK_RC(query_one_i64(query_of(&f.r, COUNT_ALL), &n), ERR_BUSY);
	CHECK(clock_mono() - since < 60 * NS_PER_S);
	CHECK_RC(query_one_i64(query_of(&f.w, COUNT_ALL), &n), ERR_BUSY);
	while (atomic_load(&lookups) < 2)    /* each has a thread, which has to come up */
		CHECK(clock_mono() - since < 60 * NS_PER_S);
	CHECK_INT(atomic_load(&lookups), 2);
	db_close(&f.w);
	atomic_store(&lookup_waits, 0);
	while (query_one_i64(query_of(&f.r, COUNT_ALL), &n) != OK)
		CHECK(clock_mono() - since < 120 * NS_PER_S);
	db_close(&f.r);
}

/* Goal: a loop that reads is not held up by a server that is away, and finds it again. */
TEST(pg_reads_fail_at_once_while_the_server_is_away)
{
	struct pf f = { 0 };
	struct pg_own o;
	nsec since;
	int64_t n;

	db_server_lease(1000);
	pg_own_start(&o);
	snprintf(f.url, sizeof f.url, "%.300s&options=-csearch_path%%3Dpublic", o.url);
	pg_do(f.url, "CREATE TABLE t(k bigint PRIMARY KEY)");
	CHECK_RC(db_open(&f.r, f.url, NULL, &sql, DB_READ, &f.e), OK);
	CHECK(count(&f) == 0);
	pg_own_signal(&o, SIGSTOP);
	since = clock_mono();
	CHECK_RC(query_one_i64(query_of(&f.r, COUNT_ALL), &n), ERR_BUSY);
	for (int i = 0; i < 1000; i++)
		CHECK_RC(query_one_i64(query_of(&f.r, COUNT_ALL), &n), ERR_BUSY);
	CHECK(clock_mono() - since < 60 * NS_PER_S);
	pg_own_kill(&o);
	CHECK_RC(query_one_i64(query_of(&f.r, COUNT_ALL), &n), ERR_BUSY);
	pg_own_again(&o);
	since = clock_mono();
	while (query_one_i64(query_of(&f.r, COUNT_ALL), &n) != OK)
		CHECK(clock_mono() - since < 60 * NS_PER_S);
	CHECK(n == 0);
	db_close(&f.r);
	pg_own_end(&o);
}
