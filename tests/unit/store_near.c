/*
 * store_near.c - what store items are found by: the nearest of many vectors, paths to
 * parts of values, words of a query and their rank; and that no search tells of an item
 * that a policy hides.
 *
 * SPDX-License-Identifier: MIT
 */
#include "store_fix.h"

#include <math.h>
#include <stdlib.h>

#include "store/near_priv.h"

/* ---- vectors ----------------------------------------------------------------- */

static float
number(uint32_t *seed)
{
	*seed = *seed * 1664525 + 1013904223;
	return (float)(*seed >> 16) / 32768 - 1;
}

/* Goal: products are right for every number of dims and of rows, read at places that
 * are aligned to a float only. */
TEST(near_dots_of_all_dims)
{
	static float rows[1 + 9 * 100], q[101], out[9];
	uint32_t seed = 1;

	for (size_t i = 0; i < COUNT(rows); i++)
		rows[i] = number(&seed);
	for (size_t i = 0; i < COUNT(q); i++)
		q[i] = number(&seed);
	for (size_t dims = 1; dims <= 100; dims++) {
		near_dots(q + 1, rows + 1, 9, dims, out);
		for (size_t k = 0; k < 9; k++) {
			double sum = 0;

			for (size_t i = 0; i < dims; i++)
				sum += (double)q[1 + i] * (double)rows[1 + k * dims + i];
			CHECK(fabs(sum - (double)out[k]) < 1e-4);
		}
	}
}

/* Goal: whatever the order in which they come, the nearest are kept, in order, an item
 * with several vectors once, and of equal ones the newest first. */
TEST(nears_keep_the_nearest)
{
	enum { N = 3000, KEEP = 20 };
	struct nears few = { 0 }, all = { 0 };
	uint32_t seed = 7;

	for (int round = 0; round < 20; round++) {
		nears_begin(&few, KEEP);
		nears_begin(&all, N);
		for (int64_t i = 0; i < N; i++) {
			int many = round % 3 + 1;

			for (int k = 0; k < many; k++) {
				float score = round == 5 ? (float)i : round == 6 ? (float)-i :
				    floorf(number(&seed) * 50);

				nears_add(&few, i + 1, score);
				nears_add(&all, i + 1, score);
			}
		}
		nears_end(&few);
		nears_end(&all);
		CHECK(few.cut && !all.cut);
		CHECK_INT(few.n, KEEP);
		CHECK_INT(all.n, N);
		for (size_t i = 0; i < KEEP; i++) {
			CHECK_INT(few.at[i].seq, all.at[i].seq);
			CHECK(few.at[i].score == all.at[i].score);
			CHECK(i == 0 || all.at[i - 1].score >= all.at[i].score);
		}
	}
	free(few.at);
	free(all.at);
}

/* ---- paths ------------------------------------------------------------------- */

TEST(paths_that_are_none)
{
	static const char *const bad[] = { "", ".", "a.", ".a", "a..b", "a[", "a]", "a[]",
	    "a[x]", "a[1", "[0]x", "a.[0]", "{a,b}", "a[1]b", "a[ 1]", "a[99999999999999999999]" };
	static const char *const good[] = { "$", "a", "a.b", "a[0]", "a[-1]", "a[*].b", "*",
	    "*.a", "[0]", "a[0][1]", "$.a", "a b", "é" };
	struct err e;

	for (size_t i = 0; i < COUNT(bad); i++)
		CHECK_RC(item_path_check(str_of(bad[i]), &e), ERR_INVALID);
	for (size_t i = 0; i < COUNT(good); i++)
		CHECK_RC(item_path_check(str_of(good[i]), &e), OK);
}

static void
check_parts(const char *paths, const char *want)
{
	static const char value[] = "{\"a\":{\"b\":1,\"c\":null},\"l\":[{\"t\":\"x\"},{\"t\":\"y\"},"
	    "{\"u\":3}],\"s\":\"text\"}";
	struct json_doc v, p;
	struct buf b = BUF(KB);
	jnode parts[4];
	size_t n;

	CHECK_RC(json_parse(&v, str_of(value), NULL), OK);
	CHECK_RC(json_parse(&p, str_of(paths), NULL), OK);
	n = item_parts(v.root, p.root, parts, COUNT(parts));
	for (size_t i = 0; i < n; i++) {
		json_add_node(&b, parts[i]);
		buf_add_char(&b, ' ');
	}
	CHECK_STR(buf_str(&b), want);
	json_release(&v);
	json_release(&p);
	buf_release(&b);
}

TEST(paths_lead_to_parts)
{
	check_parts("[]", "");
	check_parts("[\"a.b\",\"s\"]", "1 \"text\" ");
	check_parts("[\"a.c\",\"a.d\",\"s.x\",\"a[0]\",\"l.t\"]", "");
	check_parts("[\"l[*].t\"]", "\"x\" \"y\" ");
	check_parts("[\"l[0].t\",\"l[-1].u\",\"l[-4]\",\"l[3]\"]", "\"x\" 3 ");
	check_parts("[\"a.*\"]", "1 ");
	/* No more than there is room for. */
	check_parts("[\"l[*]\",\"l[*]\"]", "{\"t\":\"x\"} {\"t\":\"y\"} {\"u\":3} {\"t\":\"x\"} ");
}

/* ---- words ------------------------------------------------------------------- */

static struct store_item_search
find(struct fix *f, struct store_item_search s)
{
	if (s.filter_json.p == NULL)
		s.filter_json = S("{}");
	CHECK_RC(fix_do(f, &s, STORE_ITEM_SEARCH, 7), OK);
	return s;
}

static void
put(struct fix *f, const char *ns, const char *key, const char *value, struct str vectors)
{
	struct store_item_put p = { .item = { .ns = str_of(ns), .key = str_of(key),
	    .value_json = str_of(value), .created = 5, .updated = 5 }, .vectors = vectors };

	CHECK_RC(fix_do(f, &p, STORE_ITEM_PUT, 7), OK);
}

/* Goal: a text that says it more often, or says little else, comes first. */
TEST(words_are_ranked)
{
	struct store_item_search s;
	struct fix f;

	fix_open(&f, "memory");
	put(&f, "n", "often", "{\"t\":\"tea tea tea and a few other things\"}", STR_NONE);
	put(&f, "n", "short", "{\"t\":\"tea\"}", STR_NONE);
	put(&f, "n", "once", "{\"t\":\"tea and a few other things that are no drink\"}",
	    STR_NONE);
	put(&f, "n", "none", "{\"t\":\"coffee\"}", STR_NONE);
	s = find(&f, (struct store_item_search){ .query = S("tea"), .limit = 10 });
	CHECK_INT(s.items_n, 3);
	CHECK_STR(s.items[0].key, "often");
	CHECK_STR(s.items[1].key, "short");
	CHECK_STR(s.items[2].key, "once");
	CHECK(s.items[0].score > s.items[1].score && s.items[2].score > 0);
	s = find(&f, (struct store_item_search){ .query = S("te* few"), .limit = 10 });
	CHECK_INT(s.items_n, 2);
	fix_close(&f);
}

/* Goal: a word that more items have than are ranked at once loses none of them, on any
 * page, and finds none twice; the best of the newest come first. */
TEST(words_that_every_item_has)
{
	enum { N = 2 * LIMIT_WORDS_RANKED + 500, PAGE = 1000 };
	static bool seen[N + 1];
	struct store_item_search s;
	struct fix f;
	char sql[512];
	int64_t n = 0;

	fix_open(&f, "memory");
	snprintf(sql, sizeof sql, "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1"
	    " FROM n WHERE i < %d) INSERT INTO item(owner, seq, ns, key, created, updated,"
	    " value) SELECT 7, i, 'a', i, 1, 1, printf('{\"t\":\"all%%s\"}', CASE WHEN i ="
	    " 100 OR i = %d THEN ' all' ELSE '' END) FROM n", N, N - 100);
	change_file(&f, sql);
	change_file(&f, "INSERT INTO item_total SELECT 7, max(seq), count(*), 0,"
	    " sum(length(CAST(value AS BLOB))) FROM item");
	change_file(&f, "INSERT INTO word(rowid, text) SELECT 7 * (1 << 40) + seq,"
	    " (value ->> 't') || ' ' FROM item");
	s = find(&f, (struct store_item_search){ .query = S("all"), .limit = 1 });
	CHECK_INT(s.items[0].seq, N - 100);
	for (int64_t at = 0; at < N; at += PAGE) {
		s = find(&f, (struct store_item_search){ .query = S("all"), .limit = PAGE,
		    .offset = at });
		CHECK(!s.truncated);
		for (size_t i = 0; i < s.items_n; i++, n++) {
			CHECK(!seen[s.items[i].seq]);
			seen[s.items[i].seq] = true;
		}
	}
	CHECK_INT(n, N);
	s = find(&f, (struct store_item_search){ .query = S("all"), .limit = 10, .offset = N });
	CHECK_INT(s.items_n, 0);
	f.broken = true;                     /* namespaces were not counted */
	fix_close(&f);
}

TEST(words_of_a_query)
{
	static const struct { const char *query, *want; } rows[] = {
		{ "tea", "\"tea\"" }, { " two  words ", "\"two\" AND \"words\"" },
		{ "te*", "\"te\"*" }, { "*", "" }, { "\"", "" }, { "a\"b", "\"a b\"" },
		{ "NOT OR( ^ a:b", "\"NOT\" AND \"OR(\" AND \"a:b\"" }, { "- + \xe2\x82\xac", "" },
		{ "**", "" },
	};
	struct buf b = BUF(KB);
	struct err e;

	for (size_t i = 0; i < COUNT(rows); i++) {
		buf_clear(&b);
		CHECK_RC(words_query(&b, str_of(rows[i].query), &e), OK);
		CHECK_STR(buf_str(&b), rows[i].want);
	}
	buf_clear(&b);
	CHECK_RC(words_query(&b, S("a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a a"
	    " a a"), &e), ERR_INVALID);
	buf_release(&b);
}

/* ---- what a policy hides --------------------------------------------------------- */

/* Goal: an item that the caller's condition does not hold for is in no search, by
 * whatever way it is found; and takes no place on a page. */
TEST(a_guard_holds_in_every_search)
{
	static const float near[2] = { 1, 0 }, far[2] = { 0.6f, 0.8f };
	const struct str v_near = { (const char *)near, sizeof near };
	const struct str v_far = { (const char *)far, sizeof far };
	const struct store_item_search ways[] = {
		{ .limit = 1 }, { .limit = 1, .ns = S("n") },
		{ .limit = 1, .filter_json = S("{\"t\":\"tea\"}") },
		{ .limit = 1, .query = S("tea") }, { .limit = 1, .query = S("te*"), .ns = S("n") },
		{ .limit = 1, .vector = v_near }, { .limit = 1, .vector = v_near, .ns = S("n") },
	};
	struct fix f;

	fix_open(&f, "memory");
	put(&f, "n.a", "mine", "{\"t\":\"tea\",\"of\":\"ann\"}", v_far);
	put(&f, "n.a", "his", "{\"t\":\"tea\",\"of\":\"bob\"}", v_near);
	put(&f, "n.a", "nobody's", "{\"t\":\"tea\"}", v_near);
	for (size_t i = 0; i < COUNT(ways); i++) {
		struct store_item_search s = ways[i];

		s.cmd.guard = S("{\"of\":\"ann\"}");
		s = find(&f, s);
		CHECK_INT(s.items_n, 1);
		CHECK_STR(s.items[0].key, "mine");
		s = ways[i];
		s.offset = 1;
		s.cmd.guard = S("{\"of\":\"ann\"}");
		CHECK_INT(find(&f, s).items_n, 0);
		s = ways[i];
		s.cmd.guard = S("{\"$or\":[]}");
		CHECK_INT(find(&f, s).items_n, 0);
	}
	fix_close(&f);
}
