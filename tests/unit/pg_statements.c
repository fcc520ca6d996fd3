/*
 * pg_statements.c - the store's tables and statements are understood by PostgreSQL.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "pg_fix.h"
#include "store/store_priv.h"

static struct err e;

static void
migrated(struct db *db, const char *url)
{
	if (db_open(db, url, NULL, &store_sql, DB_WRITE, &e) != OK ||
	    pg_migrate(db, &e) != OK)
		test_fail(__FILE__, __LINE__, "%s", e.text);
}

/* A text that is wrong shows here, and not when somebody needs it. */
TEST(pg_statements_prepare)
{
	char url[PG_URL_MAX];
	struct db db;
	int bad = 0;

	pg_fresh(url);
	migrated(&db, url);
	for (int i = 0; i < SQL_COUNT; i++) {
		if (db_ready(&db, i) == OK)
			continue;
		printf("%s\n  %s\n", store_sql.pg[i] != NULL ? store_sql.pg[i] :
		    store_sql.text[i], db.on->err.text);
		bad++;
	}
	db_close(&db);
	CHECK_INT(bad, 0);
}

TEST(pg_migrates_once)
{
	char url[PG_URL_MAX];
	struct db db, other;

	pg_fresh(url);
	migrated(&db, url);
	migrated(&other, url);
	CHECK_INT(pg_number_of(url, "SELECT count(*) FROM cohort_format"), 1);
	db_close(&other);
	db_close(&db);
}

TEST(pg_refuses_a_newer_format)
{
	char url[PG_URL_MAX];
	struct db db;

	pg_fresh(url);
	migrated(&db, url);
	pg_do(url, "UPDATE cohort_format SET version = 99");
	CHECK_RC(pg_migrate(&db, &e), ERR_INVALID);
	CHECK(strstr(e.text, "newer Cohort (format 99") != NULL);
	db_close(&db);
}

struct migration {
	char url[PG_URL_MAX];
	_Atomic bool over;
	int rc;
};

static void *
migrate(void *arg)
{
	struct migration *m = arg;
	struct err failed;
	struct db db;

	CHECK_RC(db_open(&db, m->url, NULL, &store_sql, DB_WRITE, &failed), OK);
	m->rc = pg_migrate(&db, &failed);
	db_close(&db);
	atomic_store(&m->over, true);
	return NULL;
}

/* When the transaction began that waits for a table. */
#define WAITS "SELECT coalesce(max((extract(epoch FROM xact_start) * 1000000)::bigint), 0)" \
	" FROM pg_stat_activity WHERE wait_event_type = 'Lock'"

/* Goal: a node of a newer version that joins a busy cluster waits for the tables for as long
 * as it takes, and does not fail to start. */
TEST(pg_waits_for_tables_that_older_nodes_use)
{
	struct migration m = { .rc = -1 };
	int64_t first = 0, now = 0;
	struct db db, older;
	pthread_t thread;

	pg_fresh(m.url);
	migrated(&db, m.url);
	db_close(&db);
	pg_do(m.url, "ALTER TABLE letter DROP COLUMN node, DROP COLUMN come;"
	    "ALTER TABLE mailer DROP COLUMN node; UPDATE cohort_format SET version = 1");
	CHECK_RC(db_open(&older, m.url, NULL, &store_sql, DB_WRITE, &e), OK);
	CHECK_RC(db_begin(&older, DB_WRITE), OK);
	CHECK_RC(db_exec(&older, "SET LOCAL idle_in_transaction_session_timeout = 0;"
	    "LOCK TABLE letter IN ROW EXCLUSIVE MODE", &e), OK);
	CHECK(pthread_create(&thread, NULL, migrate, &m) == 0);
	while (!atomic_load(&m.over) && (now == 0 || now == first)) {
		now = pg_number_of(m.url, WAITS);
		first = first == 0 ? now : first;
	}
	CHECK(!atomic_load(&m.over));
	db_rollback(&older);
	pthread_join(thread, NULL);
	CHECK_RC(m.rc, OK);
	CHECK_INT(pg_number_of(m.url, "SELECT version FROM cohort_format"), 2);
	db_close(&older);
}
