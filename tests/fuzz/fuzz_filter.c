/*
 * fuzz_filter.c - three lines: a filter of store items, a value, a query of words.
 *
 * A filter that is taken says the same of a value however its text is written.  A path
 * that is taken leads to no more parts than there is room for.  A query that is taken is
 * one for FTS5: phrases, each closed.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "store/guard.h"
#include "store/items.h"
#include "store/store_priv.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void
filter_says_the_same(struct str filter_json, struct str value)
{
	struct db_conn on = { .pace_until = INT64_MAX, .pace_rc = ERR_TIMEOUT };
	struct db db = { .on = &on };
	struct buf again = BUF(MB);
	struct filter f;
	struct json_doc d;
	bool yes, then;
	struct err e;

	if (json_parse(&d, value, NULL) != OK)
		return;
	json_add_node(&again, d.root);
	if (filter_init(&f, filter_json, &db, &e) == OK && !again.failed) {
		assert(filter_test(&f, value, &yes) == OK);
		assert(filter_test(&f, buf_str(&again), &then) == OK);
		assert(yes == then);
		assert(yes || !filter_is_open(&f));
	}
	filter_release(&f);
	json_release(&d);
	buf_release(&again);
}

static void
paths_lead_to_parts(struct str path, struct str value)
{
	struct json_doc v, paths;
	struct buf b = BUF(MB);
	jnode parts[8];
	struct err e;

	json_add_fmt(&b, "[%.*s,%.*s]", FMT(path), FMT(path));
	if (item_path_check(path, &e) == OK && json_parse(&v, value, NULL) == OK) {
		assert(json_parse(&paths, buf_str(&b), NULL) == OK);
		assert(item_parts(v.root, paths.root, parts, COUNT(parts)) <= COUNT(parts));
		json_release(&paths);
		json_release(&v);
	}
	buf_release(&b);
}

static void
query_is_closed(struct str query)
{
	struct buf b = BUF(MB);
	size_t quotes = 0;
	struct err e;

	if (words_query(&b, query, &e) == OK)
		for (size_t i = 0; i < b.n; i++) {
			assert(b.p[i] != '\0');
			quotes += b.p[i] == '"';
		}
	assert(quotes % 2 == 0);
	buf_release(&b);
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
	struct str rest = { (const char *)data, n }, filter, value, query;

	if (n > 64 * KB || !str_next(&rest, '\n', &filter) || !str_next(&rest, '\n', &value))
		return 0;
	if (!str_next(&rest, '\n', &query))
		query = STR_NONE;
	filter_says_the_same(filter, value);
	paths_lead_to_parts(query, value);
	query_is_closed(query);
	if (value.n >= 2 && value.p[0] == '{')
		(void)guard_item(filter, query, query, value);
	return 0;
}
