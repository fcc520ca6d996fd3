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
