/*
 * filter.c - does a store item's value pass a filter and contain the words?
 *
 * A filter names fields of the value.  Each must equal what is given, or pass
 * the operators given for it.  Numbers compare with numbers and texts with
 * texts; anything else neither precedes nor follows.  An absent field equals
 * nothing and differs from everything.
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
} operators[] = {
	{ "$eq", op_eq }, { "$ne", op_ne }, { "$gt", op_gt }, { "$gte", op_gte },
	{ "$lt", op_lt }, { "$lte", op_lte },
};

static bool
(*operator_find(struct str name))(jnode have, jnode want, struct json_pace *p)
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
field_passes(jnode have, jnode want, struct json_pace *p)
{
	struct json_iter it;

	if (!has_operators(want))
		return op_eq(have, want, p);
	for (it = json_each(want); json_next(&it); )
		if (!operator_find(json_str(it.key))(have, it.value, p))
			return false;
	return true;
}

static bool
filter_passes(jnode value, jnode filter, struct json_pace *p)
{
	struct json_iter it;

	for (it = json_each(filter); json_next(&it); )
		if (!json_pace_steps(p, json_count(value)) ||
		    !field_passes(json_get(value, json_str(it.key)), it.value, p))
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

/* ---- words --------------------------------------------------------------- */

static char
char_lower(char c)
{
	return (char)(c + (c >= 'A' && c <= 'Z' ? 'a' - 'A' : 0));
}

void
filter_lower(struct buf *out, struct str s)
{
	char *p;

	buf_clear(out);
	p = buf_room(out, s.n);
	if (p == NULL)
		return;
	for (size_t i = 0; i < s.n; i++)
		p[i] = char_lower(s.p[i]);
	buf_added(out, s.n);
}

/* Words are compared with the value's JSON text, so they are escaped like it. */
static int
words_parse(struct filter *f, struct str query, struct err *e)
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
		f->words.p[i] = char_lower(f->words.p[i]);
	for (size_t i = 0, at = 0; i < f->words_n; at = ends[i++])
		f->word[i] = (struct str){ f->words.p + at, ends[i] - at };
	return OK;
}

/* In lower case first, so that each word takes linear time. */
static bool
words_pass(struct filter *f, struct str value)
{
	if (f->words_n > 0)
		filter_lower(&f->lower, value);
	for (size_t i = 0; i < f->words_n; i++)
		if (!json_pace_steps(&f->pace, value.n / PACE_PARSED) ||
		    !str_contains(buf_str(&f->lower), f->word[i]))
			return false;
	return true;
}

static int
words_and_fields_test(struct filter *f, struct str value, bool *yes)
{
	struct json_doc d = { 0 };
	int rc;

	*yes = words_pass(f, value);
	if (!*yes || json_count(f->doc.root) == 0)
		return OK;
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
filter_init(struct filter *f, struct str filter_json, struct str query,
    struct db *db, struct err *e)
{
	int rc = OK;

	*f = (struct filter){ .words = BUF(LIMIT_NAME_BYTES * 8),
	    .text = BUF(2 * LIMIT_FILTER_BYTES),
	    .lower = BUF(LIMIT_HTTP_BODY_BYTES), .db = db,
	    .pace = { .go_on = db_go_on, .ctx = db->on } };
	if (filter_json.n > 0)
		rc = json_parse(&f->doc, filter_json, e);
	if (rc == OK && f->doc.root != NULL)
		rc = filter_check(f->doc.root, e);
	if (rc == OK && f->doc.root != NULL)
		probes_make(f);
	if (rc == OK)
		rc = words_parse(f, query, e);
	return rc;
}

void
filter_release(struct filter *f)
{
	json_release(&f->doc);
	buf_release(&f->words);
	buf_release(&f->text);
	buf_release(&f->lower);
}

bool
filter_is_open(const struct filter *f)
{
	return f->words_n == 0 && json_count(f->doc.root) == 0;
}

int
filter_test(struct filter *f, struct str value, bool *yes)
{
	int rc = words_and_fields_test(f, value, yes);

	return f->pace.stopped ? f->db->on->pace_rc : rc;
}
