/*
 * pg_statements.c - the store's tables and statements are understood by PostgreSQL.
 *
 * SPDX-License-Identifier: MIT
 */
#include <string.h>

#include "pg_fix.h"
#include "store/node.h"
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

#define NODE(seq, name, info, expires) "INSERT INTO node VALUES (" seq ", '" name "', '', '" info \
	"', 0, " expires ", 0);"
#define LONG "9000000000000"

static void
check_barred(struct db *db, const char *text)
{
	CHECK(db_exec(db, text, &e) != OK);
	CHECK(strstr(e.text, "node_format") != NULL);
}

/* Goal: a step that nodes of the version before cannot live with is not made while one lives, and
 * says which; afterwards none of them joins, or renews what it had, even one that slept.  A step
 * that only adds is made beside them. */
TEST(pg_a_step_that_breaks_waits_for_older_nodes)
{
	static const char *const before[] = { NULL }, *const adds[] = { "CREATE TABLE added (x"
	    " bigint)", NULL }, *const breaks[] = { "DROP TABLE added", NULL };
	static const struct pg_step steps[] = { { before }, { before }, { before }, { adds },
		{ breaks, true } };
	char url[PG_URL_MAX];
	struct db db;

	pg_fresh(url);
	migrated(&db, url);
	CHECK_INT(store_server_format(), 3);
	pg_do(url, NODE("1", "lives", "{\"version\":\"0.8.0\",\"pid\":1}", LONG)
	    NODE("2", "slept", "{\"format\":4}", "1")
	    NODE("3", "newer", "{\"version\":\"1.0.0\",\"format\":5}", LONG));
	CHECK_RC(pg_migrate_by(&db, steps, 4, &e), OK);
	CHECK_RC(pg_migrate_by(&db, steps, 5, &e), ERR_BUSY);
	CHECK(strstr(e.text, "to format 5") != NULL && strstr(e.text, ": lives (0.8.0); stop") != NULL);
	CHECK_INT(pg_number_of(url, "SELECT max(version) FROM cohort_format"), 4);
	CHECK_INT(pg_number_of(url, "SELECT count(*) FROM added"), 0);
	CHECK_INT(pg_number_of(url, "SELECT count(*) FROM node WHERE state = 0"), 3);
	pg_do(url, "UPDATE node SET state = 1 WHERE seq = 1");
	CHECK_RC(pg_migrate_by(&db, steps, 5, &e), OK);
	CHECK_INT(pg_number_of(url, "SELECT state FROM node WHERE seq = 2"), NODE_LOST);
	CHECK_INT(pg_number_of(url, "SELECT state FROM node WHERE seq = 3"), NODE_LIVE);
	CHECK_RC(db_exec(&db, "UPDATE node SET expires = 1 WHERE seq = 3", &e), OK);
	check_barred(&db, "UPDATE node SET expires = 1 WHERE seq = 2");
	check_barred(&db, NODE("4", "old", "{\"format\":4}", LONG));
	check_barred(&db, NODE("5", "old", "{}", LONG));
	CHECK_RC(db_exec(&db, NODE("6", "new", "{\"format\":10}", LONG), &e), OK);
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
	    "ALTER TABLE mailer DROP COLUMN node; ALTER TABLE item_total DROP COLUMN bytes;"
	    " UPDATE cohort_format SET version = 1");
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
	CHECK_INT(pg_number_of(m.url, "SELECT version FROM cohort_format"), 3);
	db_close(&older);
}
