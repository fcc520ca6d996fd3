/*
 * search.c - finding store items.
 *
 * SQLite lists the keys under the prefix, newest change first; values are
 * fetched one by one and tested here until the page is full.  At most
 * LIMIT_SCAN_ROWS keys are looked at.
 *
 * A filter names fields of the value.  Each must equal what is given, or pass
 * the operators given for it.  Numbers compare with numbers and texts with
 * texts; anything else neither precedes nor follows.  An absent field equals
 * nothing and differs from everything.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/store_priv.h"

#define QUERY_WORDS 32

struct finder {
	struct store *st;
	struct store_item_search *x;
	struct json_doc filter;
	struct buf words;                    /* escaped as in JSON text */
	struct str word[QUERY_WORDS];
	size_t words_n;
	int64_t skip, left;
};

/* ---- comparing ----------------------------------------------------------- */

static bool
json_same(jnode a, jnode b)
{
	struct json_iter it;

	if (json_is_number(a) && json_is_number(b))
		return json_is_int(a) && json_is_int(b) ?
		    json_int(a) == json_int(b) : json_number(a) == json_number(b);
	if (json_is_string(a) && json_is_string(b))
		return str_eq(json_str(a), json_str(b));
	if (json_is_bool(a) && json_is_bool(b))
		return json_bool(a) == json_bool(b);
	if (json_is_object(a) && json_is_object(b)) {
		if (json_count(a) != json_count(b))
			return false;
		for (it = json_each(a); json_next(&it); )
			if (json_get(b, json_str(it.key)) == NULL ||
			    !json_same(it.value, json_get(b, json_str(it.key))))
				return false;
		return true;
	}
	if (json_is_array(a) && json_is_array(b)) {
		struct json_iter other = json_each(b);

		if (json_count(a) != json_count(b))
			return false;
		for (it = json_each(a); json_next(&it) && json_next(&other); )
			if (!json_same(it.value, other.value))
				return false;
		return true;
	}
	return a != NULL && b != NULL && json_is_null(a) && json_is_null(b);
}

/* False: the two have no order. */
static bool
json_order(jnode a, jnode b, int *out)
{
	if (json_is_number(a) && json_is_number(b)) {
		double x = json_number(a), y = json_number(b);

		*out = (x > y) - (x < y);
		return true;
	}
	if (json_is_string(a) && json_is_string(b)) {
		*out = str_cmp(json_str(a), json_str(b));
		return true;
	}
	return false;
}

static bool
op_eq(jnode have, jnode want)
{
	return have != NULL && json_same(have, want);
}

static bool
op_ne(jnode have, jnode want)
{
	return !op_eq(have, want);
}

static bool
op_gt(jnode have, jnode want)
{
	int order;

	return json_order(have, want, &order) && order > 0;
}

static bool
op_gte(jnode have, jnode want)
{
	int order;

	return json_order(have, want, &order) && order >= 0;
}

static bool
op_lt(jnode have, jnode want)
{
	int order;

	return json_order(have, want, &order) && order < 0;
}

static bool
op_lte(jnode have, jnode want)
{
	int order;

	return json_order(have, want, &order) && order <= 0;
}

static const struct {
	const char *name;
	bool (*test)(jnode have, jnode want);
} operators[] = {
	{ "$eq", op_eq }, { "$ne", op_ne }, { "$gt", op_gt }, { "$gte", op_gte },
	{ "$lt", op_lt }, { "$lte", op_lte },
};

static bool
(*operator_find(struct str name))(jnode have, jnode want)
{
	for (size_t i = 0; i < COUNT(operators); i++)
		if (str_eq(name, str_of(operators[i].name)))
			return operators[i].test;
	return NULL;
}

/* An object whose first key begins with '$' holds operators. */
static bool
has_operators(jnode want)
{
	struct json_iter it = json_each(want);

	return json_is_object(want) && json_next(&it) &&
	    str_starts(json_str(it.key), S("$"));
}

static bool
field_passes(jnode have, jnode want)
{
	struct json_iter it;

	if (!has_operators(want))
		return op_eq(have, want);
	for (it = json_each(want); json_next(&it); )
		if (!operator_find(json_str(it.key))(have, it.value))
			return false;
	return true;
}

static bool
filter_passes(jnode value, jnode filter)
{
	struct json_iter it;

	for (it = json_each(filter); json_next(&it); )
		if (!field_passes(json_get(value, json_str(it.key)), it.value))
			return false;
	return true;
}

static int
filter_check(jnode filter, struct err *e)
{
	struct json_iter field, o;

	if (!json_is_object(filter))
		return err_set(e, ERR_INVALID, "filter: expected an object, got %s",
		    json_kind(filter));
	for (field = json_each(filter); json_next(&field); ) {
		if (!has_operators(field.value))
			continue;
		for (o = json_each(field.value); json_next(&o); )
			if (operator_find(json_str(o.key)) == NULL)
				return err_set(e, ERR_INVALID, "filter.%.*s: "
				    "expected $eq, $ne, $gt, $gte, $lt or $lte, "
				    "got '%.*s'", FMT(json_str(field.key)),
				    FMT(json_str(o.key)));
	}
	return OK;
}

/* ---- words --------------------------------------------------------------- */

static char
lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* word is in lower case. */
static bool
contains_nocase(struct str text, struct str word)
{
	for (size_t i = 0; i + word.n <= text.n; i++) {
		size_t j = 0;

		while (j < word.n && lower(text.p[i + j]) == word.p[j])
			j++;
		if (j == word.n)
			return true;
	}
	return false;
}

/* Words are compared with the value's JSON text, so they are escaped like it. */
static int
words_parse(struct finder *f, struct str query, struct err *e)
{
	size_t ends[QUERY_WORDS];
	struct str word;

	while (str_next(&query, ' ', &word)) {
		word = str_trim(word);
		if (word.n == 0)
			continue;
		if (f->words_n == QUERY_WORDS)
			return err_set(e, ERR_INVALID, "query: over %d words",
			    QUERY_WORDS);
		json_add_escaped(&f->words, word);
		ends[f->words_n++] = f->words.n;
	}
	if (f->words.failed)
		return err_set(e, ERR_TOOBIG, "query: over %zu bytes", f->words.max);
	for (size_t i = 0; i < f->words.n; i++)
		f->words.p[i] = lower(f->words.p[i]);
	for (size_t i = 0, at = 0; i < f->words_n; at = ends[i++])
		f->word[i] = (struct str){ f->words.p + at, ends[i] - at };
	return OK;
}

static bool
words_pass(const struct finder *f, struct str value)
{
	for (size_t i = 0; i < f->words_n; i++)
		if (!contains_nocase(value, f->word[i]))
			return false;
	return true;
}

/* ---- finding ------------------------------------------------------------- */

static int
value_passes(struct finder *f, struct str value, bool *yes)
{
	struct json_doc d = { 0 };
	int rc = OK;

	*yes = words_pass(f, value);
	if (!*yes || f->filter.root == NULL)
		return OK;
	rc = json_parse(&d, value, NULL);
	*yes = rc == OK && filter_passes(d.root, f->filter.root);
	json_release(&d);
	return rc == OK ? OK : ERR_IO;       /* stored JSON does not parse */
}

/* One candidate: fetched, tested, skipped or kept. */
static int
item_test(struct finder *f, const struct query *key)
{
	struct store_item_search *x = f->x;
	struct query q = query_of(&f->st->slow, SQL_ITEM_GET);
	bool yes = false;
	int rc;

	bind_i64(&q, x->cmd.owner);
	bind_str(&q, col_borrow(key, 0));
	bind_str(&q, col_borrow(key, 1));
	rc = query_row(&q);
	if (rc == OK)
		rc = value_passes(f, col_borrow(&q, 0), &yes);
	if (rc == OK && yes && f->skip > 0) {
		f->skip--;
	} else if (rc == OK && yes) {
		x->items[x->items_n++] = (struct store_item){
			.ns = col_str(key, 0, x->cmd.arena),
			.key = col_str(key, 1, x->cmd.arena),
			.value_json = col_str(&q, 0, x->cmd.arena),
			.created = col_i64(&q, 1),
			.updated = col_i64(&q, 2),
		};
		f->left--;
		rc = arena_rc(x->cmd.arena);
	}
	query_end(&q);
	return rc;
}

static int
items_find(struct finder *f)
{
	bool all = f->x->ns.n == 0;
	struct query q = query_of(&f->st->slow, all ? SQL_ITEM_ALL : SQL_ITEM_UNDER);
	int rc = OK;

	bind_i64(&q, f->x->cmd.owner);
	bind_i64(&q, LIMIT_SCAN_ROWS);
	if (!all)
		bind_str(&q, f->x->ns);
	while (rc == OK && f->left > 0) {
		rc = query_row(&q);
		if (rc == OK)
			rc = item_test(f, &q);
		if (rc == OK && clock_mono() > f->st->slow.deadline)
			rc = ERR_TIMEOUT;
	}
	query_end(&q);
	return rc == ERR_NOTFOUND ? OK : rc;
}

int
op_item_search(struct store *st, struct store_cmd *c)
{
	struct store_item_search *x = (struct store_item_search *)c;
	struct finder f = { .st = st, .x = x, .skip = x->offset, .left = x->limit,
	    .words = BUF(LIMIT_NAME_BYTES * 8) };
	int rc = OK;

	assert(x->limit >= 0 && x->offset >= 0);
	f.left = f.left < LIMIT_PAGE_ROWS ? f.left : LIMIT_PAGE_ROWS;
	x->items_n = 0;
	x->items = arena_alloc(c->arena, ((size_t)f.left + 1) * sizeof *x->items);
	rc = arena_rc(c->arena);
	if (rc == OK && x->filter_json.n > 0) {
		rc = json_parse(&f.filter, x->filter_json, &c->err);
		if (rc == OK)
			rc = filter_check(f.filter.root, &c->err);
	}
	if (rc == OK)
		rc = words_parse(&f, x->query, &c->err);
	if (rc == OK)
		rc = items_find(&f);
	json_release(&f.filter);
	buf_release(&f.words);
	return rc;
}
