/*
 * filter.c - does a store item's value pass a filter?
 *
 * A filter names fields of the value.  Each must equal what is given, pass the
 * operators given for it, or, if an object is given, have an object whose fields
 * pass that.  Numbers compare with numbers and texts with texts; anything else
 * neither precedes nor follows.  An absent field equals nothing and differs from
 * everything.
 *
 * A value is parsed only if its text can pass.  A key or string without
 * characters that JSON must escape occurs in the text as it is, between
 * quotes, unless somebody wrote it with \u escapes.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/json.h"
#include "store/store_priv.h"

/* ---- comparing ----------------------------------------------------------- */

static bool
json_same(jnode a, jnode b, struct json_pace *p)
{
	struct json_iter it;

	if (!json_pace_steps(p, 1 + json_count(b)))
		return false;
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
			if (!json_pace_steps(p, json_count(b)) ||
			    json_get(b, json_str(it.key)) == NULL ||
			    !json_same(it.value, json_get(b, json_str(it.key)), p))
				return false;
		return true;
	}
	if (json_is_array(a) && json_is_array(b)) {
		struct json_iter other = json_each(b);

		if (json_count(a) != json_count(b))
			return false;
		for (it = json_each(a); json_next(&it) && json_next(&other); )
			if (!json_same(it.value, other.value, p))
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
op_eq(jnode have, jnode want, struct json_pace *p)
{
	return have != NULL && json_same(have, want, p);
}

static bool
op_ne(jnode have, jnode want, struct json_pace *p)
{
	return !op_eq(have, want, p);
}

static bool
op_gt(jnode have, jnode want, struct json_pace *p)
{
	int order;

	(void)p;
	return json_order(have, want, &order) && order > 0;
}

static bool
op_gte(jnode have, jnode want, struct json_pace *p)
{
	int order;

	(void)p;
	return json_order(have, want, &order) && order >= 0;
}

static bool
op_lt(jnode have, jnode want, struct json_pace *p)
{
	int order;

	(void)p;
	return json_order(have, want, &order) && order < 0;
}

static bool
op_lte(jnode have, jnode want, struct json_pace *p)
{
	int order;

	(void)p;
	return json_order(have, want, &order) && order <= 0;
}

static const struct {
	const char *name;
	bool (*test)(jnode have, jnode want, struct json_pace *p);
} operator_table[] = {
	{ "$eq", op_eq }, { "$ne", op_ne }, { "$gt", op_gt }, { "$gte", op_gte },
	{ "$lt", op_lt }, { "$lte", op_lte },
};

static bool
(*operator_find(struct str name))(jnode have, jnode want, struct json_pace *p)
{
	for (size_t i = 0; i < COUNT(operator_table); i++)
		if (str_eq(name, str_of(operator_table[i].name)))
			return operator_table[i].test;
	return NULL;
}

/* An object with a key that begins with '$' holds operators, and nothing else. */
static bool
has_operators(jnode want)
{
	struct json_iter it = json_each(want);

	while (json_is_object(want) && json_next(&it))
		if (str_starts(json_str(it.key), S("$")))
			return true;
	return false;
}

static bool
filter_passes(jnode have, jnode want, struct json_pace *p);

static bool
elements_pass(jnode have, jnode want, struct json_pace *p)
{
	struct json_iter a = json_each(have), b = json_each(want);

	if (!json_is_array(have) || json_count(have) != json_count(want))
		return false;
	while (json_next(&a) && json_next(&b))
		if (!filter_passes(a.value, b.value, p))
			return false;
	return true;
}

static bool
filter_passes(jnode have, jnode want, struct json_pace *p)
{
	bool operators = has_operators(want);
	struct json_iter it;

	if (json_is_array(want))
		return elements_pass(have, want, p);
	if (!json_is_object(want))
		return op_eq(have, want, p);
	if (!operators && !json_is_object(have))
		return false;
	for (it = json_each(want); json_next(&it); ) {
		struct str key = json_str(it.key);

		if (!json_pace_steps(p, 1 + json_count(have)))
			return false;
		if (operators ? !operator_find(key)(have, it.value, p) :
		    !filter_passes(json_get(have, key), it.value, p))
			return false;
	}
	return true;
}

/* path: of want in the filter, for people. */
static int
filter_check(jnode want, struct str path, struct err *e)
{
	bool operators = has_operators(want);
	struct buf b = BUF(LIMIT_FILTER_BYTES * 2);
	struct json_iter it;
	int rc = OK;

	for (it = json_each(want); rc == OK && json_next(&it); ) {
		struct str key = json_is_object(want) ? json_str(it.key) : S("[]");

		buf_clear(&b);
		buf_add(&b, path);
		buf_add_char(&b, '.');
		buf_add(&b, key);
		if (operators && operator_find(key) == NULL)
			rc = err_set(e, ERR_INVALID, "%.*s: expected $eq, $ne, $gt, $gte, "
			    "$lt or $lte, got '%.*s'", FMT(path), FMT(key));
		else if (!operators)
			rc = filter_check(it.value, buf_str(&b), e);
	}
	buf_release(&b);
	return rc;
}

static int
root_check(jnode filter, struct err *e)
{
	if (!json_is_object(filter))
		return err_set(e, ERR_INVALID, "filter: expected an object, got %s",
		    json_kind(filter));
	if (has_operators(filter))
		return err_set(e, ERR_INVALID, "filter: expected names of fields, got an "
		    "operator; write {\"field\": {\"$eq\": value}}");
	return filter_check(filter, S("filter"), e);
}

/* ---- what its text must contain ------------------------------------------ */

/* No character of it must or may be escaped, except as \u. */
static bool
is_plain(struct str s)
{
	for (size_t i = 0; i < s.n; i++) {
		unsigned char c = (unsigned char)s.p[i];

		if (c < 0x20 || c == '"' || c == '\\' || c == '/')
			return false;
	}
	return true;
}

static void
probe_add(struct filter *f, struct str s)
{
	if (f->probes_n == FILTER_PROBES || !is_plain(s) ||
	    f->text.n + s.n + 2 > f->text.max)
		return;
	f->probe[f->probes_n] = f->text.n;
	buf_lit(&f->text, "\"");
	buf_add(&f->text, s);
	buf_lit(&f->text, "\"");
	f->probe_bytes[f->probes_n++] = s.n + 2;
}

/* The string a field must be equal to, or NULL. */
static jnode
string_wanted(jnode want)
{
	if (has_operators(want))
		want = json_get(want, S("$eq"));
	return json_is_string(want) ? want : NULL;
}

/* Strings first: they are rarer than keys. */
static void
probes_make(struct filter *f)
{
	struct json_iter it;

	for (it = json_each(f->doc.root); json_next(&it); ) {
		jnode s = string_wanted(it.value);

		if (s != NULL)
			probe_add(f, json_str(s));
	}
	for (it = json_each(f->doc.root); json_next(&it); )
		if (!has_operators(it.value) || json_get(it.value, S("$ne")) == NULL)
			probe_add(f, json_str(it.key));
}

static bool
text_can_pass(const struct filter *f, struct str value)
{
	for (size_t i = 0; i < f->probes_n; i++)
		if (!str_contains(value, str_sub(buf_str(&f->text), f->probe[i],
		    f->probe_bytes[i])))
			return str_contains(value, S("\\u"));
	return true;
}

static int
fields_test(struct filter *f, struct str value, bool *yes)
{
	struct json_doc d = { 0 };
	int rc;

	*yes = text_can_pass(f, value) &&
	    json_pace_steps(&f->pace, value.n / PACE_PARSED);
	if (!*yes)
		return OK;
	rc = json_parse(&d, value, NULL);
	*yes = rc == OK && filter_passes(d.root, f->doc.root, &f->pace);
	json_release(&d);
	return rc == OK ? OK : ERR_IO;       /* stored JSON does not parse */
}

/* ---- the door -------------------------------------------------------------- */

int
filter_init(struct filter *f, struct str filter_json, struct db *db, struct err *e)
{
	int rc = OK;

	*f = (struct filter){ .text = BUF(2 * LIMIT_FILTER_BYTES), .db = db,
	    .pace = { .go_on = db_go_on, .ctx = db->on } };
	if (filter_json.n > 0)
		rc = json_parse(&f->doc, filter_json, e);
	if (rc == OK && f->doc.root != NULL)
		rc = root_check(f->doc.root, e);
	if (rc == OK && f->doc.root != NULL)
		probes_make(f);
	return rc;
}

void
filter_release(struct filter *f)
{
	json_release(&f->doc);
	buf_release(&f->text);
}

bool
filter_is_open(const struct filter *f)
{
	return json_count(f->doc.root) == 0;
}

int
filter_test(struct filter *f, struct str value, bool *yes)
{
	int rc = fields_test(f, value, yes);

	return f->pace.stopped ? f->db->on->pace_rc : rc;
}

int
item_filter_test(struct str filter_json, struct str value_json, bool *yes, struct err *e)
{
	struct db_conn on = { .pace_until = INT64_MAX };
	struct db db = { .on = &on };
	struct filter f;
	int rc = filter_init(&f, filter_json, &db, e);

	if (rc == OK)
		rc = filter_test(&f, value_json, yes);
	filter_release(&f);
	return rc;
}
