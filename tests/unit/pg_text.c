/*
 * pg_text.c - SQLite's dialect into PostgreSQL's.
 *
 * SPDX-License-Identifier: MIT
 */
#include "harness/test.h"
#include "store/pg_priv.h"

static void
becomes(const char *sqlite, const char *pg, int params)
{
	struct buf b = BUF(4096);
	int n = -1;

	pg_translate(str_of(sqlite), &b, &n);
	CHECK_STR(buf_str(&b), pg);
	CHECK_INT(n, params);
	buf_release(&b);
}

TEST(pg_text_parameters_get_numbers)
{
	becomes("SELECT a FROM t WHERE b = ? AND c = ?", "SELECT a FROM t WHERE b = $1 AND c = $2", 2);
	becomes("x = ?2 AND y = ?1 AND z = ?2", "x = $2 AND y = $1 AND z = $2", 2);
	becomes("a = ?3 AND b = ?", "a = $3 AND b = $4", 4);
	becomes("a = '?' || \"?\" || ?", "a = '?' || \"?\" || $1", 1);
}

TEST(pg_text_what_only_sqlite_knows_goes)
{
	becomes("SELECT 1 FROM run INDEXED BY run_active WHERE status < 2",
	    "SELECT 1 FROM run WHERE status < 2", 0);
	becomes("FROM assistant a CROSS JOIN assistant_version v ON v.assistant = a.seq",
	    "FROM assistant a JOIN assistant_version v ON v.assistant = a.seq", 0);
	becomes("FROM a CROSS JOIN (SELECT b FROM c) AS d ON d.b = a.b",
	    "FROM a JOIN (SELECT b FROM c) AS d ON d.b = a.b", 0);
	becomes("FROM a CROSS JOIN b WHERE a.x = b.x", "FROM a CROSS JOIN b WHERE a.x = b.x", 0);
	becomes("FROM a CROSS JOIN b ON b.x = a.x CROSS JOIN c d ON d.x = ?",
	    "FROM a JOIN b ON b.x = a.x JOIN c d ON d.x = $1", 1);
	becomes("LIMIT -1 OFFSET ?", "LIMIT ALL OFFSET $1", 1);
}

TEST(pg_text_functions)
{
	becomes("coalesce(length(CAST(body AS BLOB)), 0)", "coalesce(octet_length(body ), 0)", 0);
	becomes("CAST(? AS INTEGER)", "CAST($1 AS bigint)", 1);
	becomes("CAST(? AS TEXT)", "CAST($1 AS TEXT)", 1);
	becomes("CAST(x AS BLOB)", "convert_to(x , 'UTF8')", 0);
	becomes("max(seq)", "max(seq)", 0);
	becomes("max(state_updated, ?2)", "greatest(state_updated, $2)", 2);
	becomes("max(coalesce((SELECT max(key) FROM mail), 0), min(?, 1))",
	    "greatest(coalesce((SELECT max(key) FROM mail), 0), least($1, 1))", 1);
	becomes("max('a,b')", "max('a,b')", 0);
	becomes("ifnull(a, b)", "coalesce(a, b)", 0);
}

TEST(pg_text_null_can_be_compared)
{
	becomes("a IS NULL AND b IS NOT NULL", "a IS NULL AND b IS NOT NULL", 0);
	becomes("a IS ? AND b IS NOT ?", "a IS NOT DISTINCT FROM $1 AND b IS DISTINCT FROM $2", 2);
}
