/*
 * val_walk.c - what looks at whole values: copies, equality and JSON.
 *
 * Recursion goes VAL_DEPTH_MAX levels deep; values to be copied are checked
 * for their depth before.  What is lazy is written, and
 * compared with what has the same text, without being decoded.
 *
 * SPDX-License-Identifier: MIT
 */
#include <math.h>

#include "base/json.h"
#include "base/val_priv.h"

/* ---- copies ---------------------------------------------------------------- */

struct val
val_copy(struct val v)
{
	struct val out;
	size_t n = val_count(v);

	switch (v.kind) {
	case VAL_STRING:
		return val_string(val_str(v));
	case VAL_ARRAY:
		out = val_array_sized(n);
		for (size_t i = 0; i < n; i++)
			out = val_push_take(out, val_copy(val_at(v, i)));
		return out;
	case VAL_OBJECT:
		out = val_object_sized(n);
		for (size_t i = 0; i < n; i++)
			out = val_set_take(out, val_key(v, i), val_copy(val_member(v, i)));
		return out;
	default:
		return v;
	}
}

/* ---- equality -------------------------------------------------------------- */

static bool equal(struct val a, struct val b, unsigned depth);

/* Exact: a double that is whole may lie beyond 2^53, where (double)i rounds. */
static bool
number_equal(struct val a, struct val b)
{
	if (a.kind == b.kind)
		return a.kind == VAL_INT ? a.u.i == b.u.i : a.u.d == b.u.d;
	if (a.kind == VAL_INT)
		return number_equal(b, a);
	return a.u.d >= -0x1p63 && a.u.d < 0x1p63 && a.u.d == floor(a.u.d) &&
	    (int64_t)a.u.d == b.u.i;
}

static bool
array_equal(const struct val_array *a, const struct val_array *b, unsigned depth)
{
	if (a == b)
		return true;
	if (a->h.n != b->h.n)
		return false;
	for (uint32_t i = 0; i < a->h.n; i++)
		if (!equal(a->items[i], b->items[i], depth))
			return false;
	return true;
}

static bool
object_equal(struct val_object *a, struct val_object *b, unsigned depth)
{
	if (a == b)
		return true;
	if (a->h.n != b->h.n)
		return false;
	for (uint32_t i = 0; i < a->h.n; i++) {
		uint32_t j = i;

		if (a->members[i].key != b->members[i].key)
			j = val_object_find_key(b, a->members[i].key);
		if (j == VAL_NO_MEMBER ||
		    !equal(a->members[i].v, b->members[j].v, depth))
			return false;
	}
	return true;
}

/* Lazy both, and made from the same text: nothing need be decoded. */
static bool
same_text(struct val a, struct val b)
{
	return a.u.h == b.u.h || (val_json_text(a).n > 0 &&
	    str_eq(val_json_text(a), val_json_text(b)));
}

static bool
equal(struct val a, struct val b, unsigned depth)
{
	if (val_is_number(a) && val_is_number(b))
		return number_equal(a, b);
	if (a.kind != b.kind || depth == 0)
		return false;
	switch (a.kind) {
	case VAL_BOOL:
		return a.u.b == b.u.b;
	case VAL_STRING:
		return a.u.s == b.u.s || str_eq(val_string_str(a.u.s), val_string_str(b.u.s));
	case VAL_ARRAY:
		return same_text(a, b) ||
		    array_equal(val_array_of(a), val_array_of(b), depth - 1);
	case VAL_OBJECT:
		return same_text(a, b) ||
		    object_equal(val_object_of(a), val_object_of(b), depth - 1);
	default:
		return true;                 /* undefined and null */
	}
}

bool
val_equal(struct val a, struct val b)
{
	return equal(a, b, VAL_DEPTH_MAX);
}

/* ---- JSON ------------------------------------------------------------------ */

static void add_json(struct buf *b, struct val v, unsigned depth);

static void
add_array(struct buf *b, const struct val_array *a, unsigned depth)
{
	buf_add_char(b, '[');
	for (uint32_t i = 0; i < a->h.n && !b->failed; i++) {
		if (i > 0)
			buf_add_char(b, ',');
		add_json(b, a->items[i], depth);
	}
	buf_add_char(b, ']');
}

static void
add_object(struct buf *b, const struct val_object *o, unsigned depth)
{
	bool first = true;

	buf_add_char(b, '{');
	for (uint32_t i = 0; i < o->h.n && !b->failed; i++) {
		if (o->members[i].v.kind == VAL_UNDEFINED)
			continue;
		if (!first)
			buf_add_char(b, ',');
		first = false;
		json_add_str(b, val_string_str(o->members[i].key));
		buf_add_char(b, ':');
		add_json(b, o->members[i].v, depth);
	}
	buf_add_char(b, '}');
}

static void
add_container(struct buf *b, struct val v, unsigned depth)
{
	if (val_is_view(v.u.h)) {
		add_object(b, val_object_of(v), depth - 1);
	} else if (v.u.h->lazy) {
		buf_add(b, val_json_text(v));
		b->failed |= v.u.h->depth > depth;
	} else if (v.kind == VAL_ARRAY) {
		add_array(b, v.u.a, depth - 1);
	} else {
		add_object(b, v.u.o, depth - 1);
	}
}

static void
add_json(struct buf *b, struct val v, unsigned depth)
{
	if (depth == 0) {
		b->failed = true;            /* what cannot be read back is not written */
		return;
	}
	switch (v.kind) {
	case VAL_UNDEFINED:
	case VAL_NULL:
		buf_lit(b, "null");
		break;
	case VAL_BOOL:
		buf_add(b, v.u.b ? S("true") : S("false"));
		break;
	case VAL_INT:
		buf_add_i64(b, v.u.i);
		break;
	case VAL_DOUBLE:
		json_add_double(b, v.u.d);
		break;
	case VAL_STRING:
		json_add_str(b, val_string_str(v.u.s));
		break;
	case VAL_ARRAY:
	case VAL_OBJECT:
		add_container(b, v, depth);
		break;
	}
}

void
val_add_json(struct buf *b, struct val v)
{
	add_json(b, v, VAL_DEPTH_MAX + 1);
}
