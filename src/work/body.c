/*
 * body.c - the stored body of an item, as answers show it.
 *
 * A body keeps what an item depends on as an export does: edges, under
 * `dependencies`.  Who asks for items expects items there, as bd's clients do;
 * they come short, without the long texts, so that a list of many which depend
 * on one is not that many times as large.  The edges stand beside them, as
 * `dependency_records`.
 *
 * Bodies were written by item.c, so their members are found without reading
 * them as JSON; a damaged one is never read past its end.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>

#include "work/row.h"

/* ---- members ------------------------------------------------------------------- */

/* Past the string that begins at i. */
static size_t
string_end(struct str s, size_t i)
{
	for (i++; i < s.n; i++) {
		const char *quote = memchr(s.p + i, '"', s.n - i);
		size_t back = 0;

		if (quote == NULL)
			return s.n;
		i = (size_t)(quote - s.p);
		while (s.p[i - 1 - back] == '\\')
			back++;
		if (back % 2 == 0)
			return i + 1;
	}
	return s.n;
}

static size_t
value_end(struct str s, size_t i)
{
	size_t depth = 0;

	while (i < s.n) {
		char c = s.p[i];

		if (c == '"') {
			i = string_end(s, i);
			continue;
		}
		if (depth == 0 && (c == ',' || c == '}' || c == ']'))
			return i;
		depth += c == '{' || c == '[';
		depth -= c == '}' || c == ']';
		i++;
	}
	return s.n;
}

bool
body_next(struct str body, size_t *at, struct str *key, struct str *value)
{
	size_t from = *at + 1, end;          /* over the brace or comma */

	assert(*at <= body.n);
	if (from >= body.n || body.p[from] != '"')
		return false;
	end = string_end(body, from);
	if (end + 1 >= body.n)
		return false;
	*key = str_sub(body, from + 1, end - from - 2);
	*at = value_end(body, end + 1);
	*value = str_sub(body, end + 1, *at - end - 1);
	return true;
}

bool
body_element(struct str array, size_t *at, struct str *element)
{
	size_t from = *at + 1;               /* over the bracket or comma */

	if (from >= array.n || array.p[*at] == ']')
		return false;
	*at = value_end(array, from);
	*element = str_sub(array, from, *at - from);
	return element->n > 0;
}

struct str
body_value(struct str body, struct str key)
{
	struct str name, value;
	size_t at = 0;

	while (body_next(body, &at, &name, &value)) {
		if (str_eq(name, key))
			return value;
	}
	return STR_NONE;
}

struct str
body_text(struct str body, struct str key)
{
	struct str value = body_value(body, key);

	return value.n >= 2 && value.p[0] == '"' ? str_sub(value, 1, value.n - 2) :
	    STR_NONE;
}

void
body_member_add(struct buf *out, struct str key, struct str value)
{
	buf_add(out, out->n > 0 && out->p[out->n - 1] == '{' ? S("\"") : S(",\""));
	buf_add(out, key);
	buf_lit(out, "\":");
	buf_add(out, value);
}

/* ---- what it depends on --------------------------------------------------------------- */

/* What a short item has, in the order of a body. */
static const struct str short_keys[] = { S("id"), S("title"), S("status"),
	S("priority"), S("issue_type"), S("assignee"), S("created_at"),
	S("updated_at"), S("closed_at") };

static void
short_add(struct str body, struct str edge, struct buf *out)
{
	struct str key, value;
	size_t at = 0, next = 0;

	buf_add_char(out, '{');
	while (next < COUNT(short_keys) && body_next(body, &at, &key, &value)) {
		size_t i = next;

		while (i < COUNT(short_keys) && !str_eq(key, short_keys[i]))
			i++;
		if (i < COUNT(short_keys)) {
			body_member_add(out, key, value);
			next = i + 1;
		} else if (next == COUNT(short_keys) - 1) {
			break;               /* it is not closed */
		}
	}
	json_add_key(out, "dependency_type");
	buf_add_char(out, '"');
	buf_add(out, body_text(edge, S("type")));
	buf_lit(out, "\"}");
}

/* One that an import left without its item is an edge only. */
static int
target_add(struct work *w, struct str edge, struct buf *out, bool *first)
{
	struct query q = query_of(&w->db, SQL_BODY_OF, db_i64(w->t.seq),
	    db_str(body_text(edge, S("depends_on_id"))));
	int rc = query_row(&q);

	if (rc == OK) {
		if (!*first)
			buf_add_char(out, ',');
		*first = false;
		short_add(query_borrow(&q, 0), edge, out);
	}
	return work_rows_end(w, &q, rc);
}

static int
targets_add(struct work *w, struct str edges, struct buf *out)
{
	bool first = true;
	struct str edge;
	int rc = OK;

	json_add_key(out, "dependencies");
	buf_add_char(out, '[');
	for (size_t at = 0; rc == OK && body_element(edges, &at, &edge); )
		rc = target_add(w, edge, out, &first);
	buf_add_char(out, ']');
	return rc;
}

/* ---- the answer --------------------------------------------------------------------------- */

/* Edges are last in a body, but for a lease. */
static bool
may_have_edges(struct str body)
{
	const struct str mark = S("\"dependencies\":[");

	return (str_ends(body, S("}]}")) || str_ends(body, S("}}"))) &&
	    memmem(body.p, body.n, mark.p, mark.n) != NULL;
}

int
body_add(struct work *w, struct str body, bool targets, struct buf *out)
{
	struct str key, value;
	size_t at = 0;
	int rc = OK;

	if (!may_have_edges(body)) {
		buf_add(out, body);
		return OK;
	}
	buf_add_char(out, '{');
	while (rc == OK && body_next(body, &at, &key, &value)) {
		bool edges = str_eq(key, S("dependencies"));

		if (edges && targets)
			rc = targets_add(w, value, out);
		body_member_add(out, edges ? S("dependency_records") : key,
		    value);
	}
	buf_add_char(out, '}');
	return rc;
}
