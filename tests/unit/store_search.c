/*
 * store_search.c - searches in large stores: nothing is lost, a search that is
 * cut says so, and short reads do not wait for it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MANY 100100                          /* more than a search of before read */
#define SOME 30000                           /* a search of all takes some ms */

static void
put(struct fix *f, const char *ns, const char *key, const char *value)
{
	struct store_item_put p = { .item = { .ns = str_of(ns), .key = str_of(key),
	    .value_json = str_of(value), .created = 5, .updated = 5 } };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), OK);
}

static struct store_item_search
search(struct fix *f, const char *ns, const char *filter, const char *query,
    int64_t limit, int64_t offset)
{
	struct store_item_search s = { .ns = str_of(ns),
	    .filter_json = str_of(filter), .query = str_of(query),
	    .limit = limit, .offset = offset };

	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), OK);
	return s;
}

/* Items 1..n of owner 7: ns a.<i % spread>, key k<i>, newest last. */
static void
fill(struct fix *f, int n, int spread)
{
	char sql[512];

	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT"
	    " i + 1 FROM n WHERE i < %d) INSERT INTO item(owner, seq, ns, key,"
	    " created, updated, value) SELECT 7, i, 'a.' || (i %% %d), 'k' || i, 1,"
	    " 1, printf('{\"kind\":\"%%s\",\"n\":%%d}', CASE i WHEN 2 THEN"
	    " 'rare' ELSE 'usual' END, i) FROM n", n, spread);
	change_file(f, sql);
	change_file(f, "INSERT INTO item_total SELECT 7, max(seq), count(*), 0,"
	    " sum(length(CAST(value AS BLOB))) FROM item");
	change_file(f, "INSERT INTO word(rowid, text) SELECT 7 * (1 << 40) + seq, value ->>"
	    " 'kind' || ' ' || seq || ' ' FROM item");
}

/* Goal: the newest item is the first and the oldest is found, however many
 * there are. */
TEST(search_loses_nothing)
{
	struct store_item_search s;
	struct fix f;

	fix_open(&f, "memory");
	fill(&f, MANY, 1000);
	put(&f, "zz", "newest", "{\"kind\":\"usual\"}");
	s = search(&f, "", "{}", "", 3, 0);
	CHECK_INT(s.items_n, 3);
	CHECK_STR(s.items[0].key, "newest");
	CHECK_STR(s.items[1].key, "k100100");
	s = search(&f, "", "{\"kind\":\"rare\"}", "", 10, 0);
	CHECK_INT(s.items_n, 1);
	CHECK_STR(s.items[0].key, "k2");
	s = search(&f, "", "", "RARE", 10, 0);
	CHECK_INT(s.items_n, 1);
	CHECK_STR(s.items[0].key, "k2");
	CHECK(s.items[0].has_score && s.items[0].score > 0);
	s = search(&f, "", "{}", "", 10, MANY - 2);
	CHECK_INT(s.items_n, 3);
	CHECK_STR(s.items[2].key, "k1");
	CHECK(!s.truncated);
	/* A put again is a change: it comes first, under its prefix too. */
	put(&f, "a.1", "k1", "{}");
	CHECK_STR(search(&f, "", "{}", "", 1, 0).items[0].key, "k1");
	CHECK_STR(search(&f, "a.1", "{}", "", 1, 0).items[0].key, "k1");
	CHECK_INT(search(&f, "a.1", "{}", "", 1, 0).items[0].created, 1);
	fix_close(&f);
}

/* Pages of a prefix are the whole of it, in order, each item once. */
static void
check_pages(struct fix *f, const char *ns, const char *filter, int64_t total)
{
	int64_t last = INT64_MAX, n = 0;

	for (bool more = true; more; ) {
		struct store_item_search s = search(f, ns, filter, "", 1000, n);

		for (size_t i = 0; i < s.items_n; i++) {
			int64_t k = strtoll(s.items[i].key.p + 1, NULL, 10);

			CHECK(k < last);
			last = k;
		}
		n += (int64_t)s.items_n;
		more = s.items_n == 1000;
	}
	CHECK_INT(n, total);
}

/* Goal: whatever way a prefix is read (its places, the scan, both), the pages
 * are the same. */
TEST(search_under_narrow_and_wide_prefixes)
{
	struct fix f;

	fix_open(&f, "memory");
	fill(&f, 9000, 2);                   /* past NARROW: scanned */
	check_pages(&f, "a.1", "{}", 4500);
	check_pages(&f, "a.1", "{\"n\":{\"$gt\":4500}}", 2250);
	change_file(&f, "UPDATE item SET ns = 'b.' || (seq % 3)");
	check_pages(&f, "b.2", "{}", 3000);  /* places */
	check_pages(&f, "b.2", "{\"n\":{\"$lte\":4500}}", 1500);
	check_pages(&f, "b", "{}", 9000);
	fix_close(&f);
}

/* Goal: what is wide but old is found by its places after all. */
TEST(search_under_a_wide_prefix_that_is_old)
{
	struct store_item_search s;
	struct fix f;

	fix_open(&f, "memory");
	fill(&f, 72000, 1);                  /* the scan gives up after 65,536 */
	change_file(&f, "UPDATE item SET ns = CASE WHEN seq % 2 = 0 THEN 'older'"
	    " WHEN seq = 71999 THEN 'old.x' ELSE 'elsewhere' END WHERE seq > 70000");
	change_file(&f, "UPDATE item SET ns = 'old' WHERE seq <= 5000");
	s = search(&f, "old", "{}", "", 2, 1);
	CHECK_INT(s.items_n, 2);             /* one is new, found by both ways */
	CHECK_STR(s.items[0].key, "k5000");
	s = search(&f, "old", "{}", "", 3, 0);
	CHECK_INT(s.items_n, 3);
	CHECK_STR(s.items[0].key, "k71999");
	CHECK_STR(s.items[1].key, "k5000");
	CHECK_STR(s.items[2].key, "k4999");
	s = search(&f, "old", "{\"kind\":\"rare\"}", "", 2, 0);
	CHECK_INT(s.items_n, 1);
	fix_close(&f);
}

/* Goal: a text is parsed only when it can match, and never missed because of
 * how it was written. */
TEST(search_sees_through_escapes)
{
	struct fix f;

	fix_open(&f, "memory");
	put(&f, "n", "plain", "{\"name\":\"Zo\xc3\xab\"}");
	put(&f, "n", "escaped", "{\"n\\u0061me\":\"Zo\\u00eb\"}");
	put(&f, "n", "slash", "{\"name\":\"a\\/b\"}");
	put(&f, "n", "quote", "{\"name\":\"a\\\"b\"}");
	put(&f, "n", "other", "{\"name\":\"Zoe\"}");
	CHECK_INT(search(&f, "n", "{\"name\":\"Zo\xc3\xab\"}", "", 9, 0).items_n, 2);
	CHECK_INT(search(&f, "n", "{\"name\":{\"$eq\":\"Zo\\u00eb\"}}", "", 9, 0).items_n, 2);
	CHECK_INT(search(&f, "n", "{\"name\":\"a/b\"}", "", 9, 0).items_n, 1);
	CHECK_INT(search(&f, "n", "{\"name\":\"a\\\"b\"}", "", 9, 0).items_n, 1);
	CHECK_INT(search(&f, "n", "{\"name\":{\"$ne\":\"Zoe\"}}", "", 9, 0).items_n, 4);
	CHECK_INT(search(&f, "n", "{\"none\":{\"$ne\":1}}", "", 9, 0).items_n, 5);
	fix_close(&f);
}

/* Goal: a search past its time ends with what it has, and says so. */
TEST(search_that_is_cut_says_so)
{
	struct store_item_search s;
	struct fix f;

	fix_open_hasty(&f, 1);
	fill(&f, SOME, 1);
	s = search(&f, "", "{\"n\":{\"$gt\":29999}}", "", 10, 0);
	CHECK(s.truncated);
	CHECK_INT(s.items_n, 1);             /* the newest was seen */
	s = search(&f, "", "{}", "", 10, 0);
	CHECK(!s.truncated);
	CHECK_INT(s.items_n, 10);
	fix_close(&f);
}

/* Goal: histories, lists of runs and searches that find at once never wait for
 * a long search, not even for the one that is under way. */
TEST(short_reads_go_in_between)
{
	struct store_item_search s[3], newest = { .limit = 10 };
	struct store_run_list l = { .status = -1, .limit = 10 };
	struct store_history h = { .limit = 10 };
	struct store_thread_search t = { .status = -1, .page.limit = 10 };
	struct arena a[7];
	struct store_run run;
	struct fix f;
	size_t back;

	fix_open(&f, "memory");
	fill(&f, SOME, 1);
	run = start_run(&f, 7, 1, 1);
	back = f.back;
	for (size_t i = 0; i < COUNT(a); i++)
		a[i] = ARENA(MB);
	for (size_t i = 0; i < COUNT(s); i++) {
		s[i] = (struct store_item_search){ .filter_json = S("{\"n\":{\"$lt\":0}}"),
		    .limit = 10, .cmd.arena = &a[i] };
		fix_submit(&f, &s[i], STORE_ITEM_SEARCH, 7);
	}
	l.thread_seq = h.thread_seq = run.thread_seq;
	l.cmd.arena = &a[3];
	h.cmd.arena = &a[4];
	fix_submit(&f, &l, STORE_RUN_LIST, 7);
	fix_submit(&f, &h, STORE_HISTORY, 7);
	t.cmd.arena = &a[5];
	newest.cmd.arena = &a[6];
	fix_submit(&f, &t, STORE_THREAD_SEARCH, 7);
	fix_submit(&f, &newest, STORE_ITEM_SEARCH, 7);
	fix_wait(&f, back + 7);
	CHECK(f.order[back] == &l.cmd && f.order[back + 1] == &h.cmd);
	CHECK(f.order[back + 2] == &t.cmd && f.order[back + 3] == &newest.cmd);
	CHECK(f.order[back + 4] == &s[0].cmd && f.order[back + 6] == &s[2].cmd);
	CHECK_INT(l.runs_n, 1);
	CHECK_INT(t.total, 1);
	CHECK_INT(newest.items_n, 10);
	for (size_t i = 0; i < COUNT(a); i++)
		arena_release(&a[i]);
	fix_close(&f);
}

/* Goal: one value that takes long to compare is given up, too. */
TEST(search_of_one_costly_value_is_cut)
{
	struct buf value = BUF(8 * MB), want = BUF(64 * KB);
	struct fix f;

	fix_open_hasty(&f, 20);
	/* Each key of the filter is looked for among all of the value's. */
	buf_lit(&value, "{\"a\":1");
	for (int i = 0; i < 200000; i++)
		buf_add_fmt(&value, ",\"k%d\":1", i);
	buf_lit(&value, "}");
	put(&f, "n", "wide", value.p);
	buf_lit(&want, "{\"a\":1");
	for (int i = 0; i < 500; i++)
		buf_add_fmt(&want, ",\"k%d\":1", i);
	buf_lit(&want, ",\"none\":{\"$ne\":1}}");
	CHECK(search(&f, "", want.p, "", 10, 0).truncated);

	fix_close(&f);
	buf_release(&value);
	buf_release(&want);
}

/* Goal: a word takes time in proportion to the text, not to both. */
TEST(search_for_a_word_in_a_text_of_its_beginnings)
{
	struct buf value = BUF(8 * MB), word = BUF(8 * KB);
	struct store_item_search s;
	struct fix f;

	fix_open_hasty(&f, 5000);
	buf_lit(&value, "{\"v\":\"");
	for (size_t i = 0; i < 4 * MB - 100; i++)
		buf_add_char(&value, 'a');
	buf_lit(&value, "\"}");
	for (int i = 0; i < 4000; i++)
		buf_add_char(&word, 'A');
	buf_add_char(&word, 'b');
	put(&f, "n", "long", value.p);
	s = search(&f, "", "", word.p, 10, 0);
	CHECK_INT(s.items_n, 0);
	CHECK(!s.truncated);
	fix_close(&f);
	buf_release(&value);
	buf_release(&word);
}

/* Goal: a file of version 1 opens: its items are all there, in the order that
 * searches had then. */
TEST(items_of_an_old_file)
{
	struct store_item_search s;
	struct store_item got;
	const struct db_format first = fix_format(1);
	struct db db;
	struct fix f;

	memset(&f, 0, sizeof f);
	CHECK_RC(db_open(&db, "db", NULL, &store_sql, DB_WRITE, &f.e), OK);
	CHECK_RC(db_migrate(&db, &first, &f.e), OK);
	CHECK_RC(db_exec(&db, "INSERT INTO item(owner, ns, key, created, updated,"
	    " value) VALUES (7, 'n', 'b', 1, 20, '{\"v\":1}'), (7, 'n', 'a', 2, 20,"
	    " '{\"v\":2}'), (7, 'm.x', 'c', 3, 30, '{\"v\":3}'), (7, 'n', 'd', 4, 10,"
	    " '{\"v\":4}'), (8, 'n', 'e', 5, 50, '{\"v\":5}')", &f.e), OK);
	db_close(&db);
	fix_open(&f, "sqlite");
	CHECK(access("db.bak-v1", F_OK) == 0);
	s = search(&f, "", "", "", 10, 0);
	CHECK_INT(s.items_n, 4);
	CHECK_STR(s.items[0].key, "c");
	CHECK_STR(s.items[1].key, "a");
	CHECK_STR(s.items[2].key, "b");
	CHECK_STR(s.items[3].key, "d");
	CHECK_STR(s.items[3].value_json, "{\"v\":4}");
	CHECK_RC(store_item_get(f.r, 8, S("n"), S("e"), 0, &f.a, &got), OK);
	CHECK_INT(got.created, 5);
	put(&f, "n", "d", "{}");
	s = search(&f, "", "", "", 1, 0);
	CHECK_STR(s.items[0].key, "d");
	CHECK_INT(s.items[0].created, 4);
	fix_close(&f);
}
