/*
 * json_tree.c - what is done with whole nodes: write, compare, merge, turn
 * into engine values.  Recursion is bounded by json_parse's depth check.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/json.h"
#include "base/limits.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/val_priv.h"

#include <assert.h>
#include <string.h>
#include <yyjson.h>

#define LARGE_OBJECTS 64                     /* members of both: an index pays */
#define INDEX_STEPS   16                     /* to index a member */
#define PACE_STEPS    4096                   /* between two questions */

/* ---- writing --------------------------------------------------------------- */

static void
add_number(struct buf *b, jnode n)
{
	if (yyjson_is_uint(n))
		buf_add_u64(b, yyjson_get_uint(n));
	else if (yyjson_is_sint(n))
		buf_add_i64(b, yyjson_get_sint(n));
	else
		json_add_double(b, yyjson_get_real(n));
}

/* On yyjson's own pointers: this is how every answer's stored parts go out. */
static void
add_container(struct buf *b, jnode n)
{
	bool object = json_is_object(n);
	size_t left = yyjson_get_len(n);
	jnode at = left > 0 ? unsafe_yyjson_get_first(n) : NULL;

	buf_add_char(b, object ? '{' : '[');
	while (left-- > 0 && !b->failed) {
		if (object) {
			json_add_str(b, (struct str){ unsafe_yyjson_get_str(at),
			    unsafe_yyjson_get_len(at) });
			buf_add_char(b, ':');
			at++;
		}
		json_add_node(b, at);
		at = unsafe_yyjson_get_next(at);
		if (left > 0)
			buf_add_char(b, ',');
	}
	buf_add_char(b, object ? '}' : ']');
}

void
json_add_node(struct buf *b, jnode n)
{
	switch (yyjson_get_type(n)) {
	case YYJSON_TYPE_BOOL:
		buf_add(b, json_bool(n) ? S("true") : S("false"));
		break;
	case YYJSON_TYPE_NUM:
		add_number(b, n);
		break;
	case YYJSON_TYPE_STR:
		json_add_str(b, json_str(n));
		break;
	case YYJSON_TYPE_ARR:
	case YYJSON_TYPE_OBJ:
		add_container(b, n);
		break;
	default:
		buf_lit(b, "null");
	}
}

/* ---- members by key -------------------------------------------------------- */

/* The members of one or two objects: each key once, the last value counts. */
struct member {
	struct str key;
	jnode value;
};

struct members {
	struct map by_key;
	struct member *list;                 /* in order of first appearance */
	size_t n;
};

static const void *
member_key(const void *value)
{
	return &((const struct member *)value)->key;
}

static uint64_t
hash_key(const void *key)
{
	return str_hash_keyed(*(const struct str *)key);
}

static bool
member_is(const void *value, const void *key)
{
	return str_eq(((const struct member *)value)->key, *(const struct str *)key);
}

static void
members_init(struct members *m, size_t max)
{
	m->list = mem_alloc((max > 0 ? max : 1) * sizeof *m->list);
	m->n = 0;
	map_init(&m->by_key, hash_key, member_is, member_key);
}

static void
members_release(struct members *m)
{
	map_release(&m->by_key);
	free(m->list);
}

static void
members_add(struct members *m, jnode object)
{
	struct json_iter it = json_each(object);

	while (json_next(&it)) {
		struct str key = json_str(it.key);
		struct member *known = map_get(&m->by_key, &key);

		if (known == NULL) {
			known = &m->list[m->n++];
			known->key = key;
			map_put(&m->by_key, known);
		}
		known->value = it.value;
	}
}

void
json_add_merged(struct buf *b, jnode first, jnode second)
{
	struct members m;

	assert(first == NULL || json_is_object(first));
	assert(second == NULL || json_is_object(second));
	members_init(&m, json_count(first) + json_count(second));
	members_add(&m, first);
	members_add(&m, second);
	buf_add_char(b, '{');
	for (size_t i = 0; i < m.n && !b->failed; i++)
		json_add_fmt(b, ",%.*s:%p", FMT(m.list[i].key), (void *)m.list[i].value);
	buf_add_char(b, '}');
	members_release(&m);
}

/* ---- containment ----------------------------------------------------------- */

bool
json_pace_steps(struct json_pace *p, size_t n)
{
	if (p == NULL || p->stopped)
		return p == NULL;
	p->steps += n;
	if (p->steps >= PACE_STEPS) {
		p->steps = 0;
		p->stopped = p->go_on != NULL && !p->go_on(p->ctx);
	}
	return !p->stopped;
}

static bool
number_same(jnode a, jnode b)
{
	if (yyjson_is_int(a) && yyjson_is_int(b))
		return unsafe_yyjson_equals(a, b);
	return json_number(a) == json_number(b);
}

static bool
scalar_same(jnode a, jnode b)
{
	if (json_is_number(a) && json_is_number(b))
		return number_same(a, b);
	if (json_is_string(a) && json_is_string(b))
		return str_eq(json_str(a), json_str(b));
	return yyjson_get_tag(a) == yyjson_get_tag(b);   /* null, true, false */
}

static bool
is_scalar(jnode n)
{
	return !yyjson_is_ctn(n);
}

static bool part_of(jnode have, jnode want, struct json_pace *p);

static bool
some_element(jnode array, jnode want, struct json_pace *p)
{
	struct json_iter it = json_each(array);

	while (json_next(&it))
		if (part_of(it.value, want, p))
			return true;
	return false;
}

static bool
array_part_of(jnode have, jnode want, struct json_pace *p)
{
	struct json_iter it = json_each(want);

	while (json_next(&it))
		if (!some_element(have, it.value, p))
			return false;
	return true;
}

/* As below, in time proportional to the sizes. */
static bool
large_part_of(jnode have, jnode want, struct json_pace *p)
{
	struct members h, w;
	bool yes = true;

	if (!json_pace_steps(p, INDEX_STEPS * (json_count(have) + json_count(want))))
		return false;
	members_init(&h, json_count(have));
	members_init(&w, json_count(want));
	members_add(&h, have);
	members_add(&w, want);
	for (size_t i = 0; i < w.n && yes; i++) {
		const struct member *m = map_get(&h.by_key, &w.list[i].key);

		yes = m != NULL && part_of(m->value, w.list[i].value, p);
	}
	members_release(&h);
	members_release(&w);
	return yes;
}

/* Of equal keys the last one counts, on both sides. */
static bool
object_part_of(jnode have, jnode want, struct json_pace *p)
{
	if (json_count(have) + json_count(want) > LARGE_OBJECTS)
		return large_part_of(have, want, p);
	for (struct json_iter it = json_each(want); json_next(&it);) {
		struct str key = json_str(it.key);
		jnode member = json_get(have, key);

		if (member == NULL || !json_pace_steps(p, json_count(have)))
			return false;
		if (json_get(want, key) == it.value && !part_of(member, it.value, p))
			return false;
	}
	return true;
}

/* Kind with kind; a scalar is part of an equal scalar only. */
static bool
part_of(jnode have, jnode want, struct json_pace *p)
{
	if (!json_pace_steps(p, 1))
		return false;
	if (is_scalar(want) || is_scalar(have))
		return is_scalar(want) && is_scalar(have) && scalar_same(have, want);
	if (json_is_object(want) != json_is_object(have))
		return false;
	return json_is_object(want) ? object_part_of(have, want, p) :
	    array_part_of(have, want, p);
}

bool
json_equal(jnode a, jnode b)
{
	return yyjson_equals(a, b);
}

bool
json_contains(jnode have, jnode want, struct json_pace *p)
{
	if (have == NULL || want == NULL)
		return want == NULL;
	/* PostgreSQL's one exception: an array contains a bare scalar. */
	if (json_is_array(have) && is_scalar(want))
		return some_element(have, want, p);
	return part_of(have, want, p);
}

/* ---- engine values --------------------------------------------------------- */

static bool to_val(jnode n, unsigned levels, struct val *out);

/* False leaves *out whole, for the caller to drop. */
static bool
container_to_val(jnode n, unsigned levels, struct val *out)
{
	struct json_iter it = json_each(n);
	bool object = json_is_object(n), ok = levels > 0;

	*out = object ? val_object_sized(it.left) : val_array_sized(it.left);
	while (ok && json_next(&it)) {
		struct val v;

		ok = to_val(it.value, levels - 1, &v);
		if (object)
			*out = val_set_take(*out, json_str(it.key), v);
		else
			*out = val_push_take(*out, v);
	}
	return ok;
}

static bool
to_val(jnode n, unsigned levels, struct val *out)
{
	switch (yyjson_get_type(n)) {
	case YYJSON_TYPE_BOOL:
		*out = val_bool(json_bool(n));
		return true;
	case YYJSON_TYPE_NUM:
		*out = json_is_int(n) ? val_int(json_int(n)) : val_double(json_number(n));
		return true;
	case YYJSON_TYPE_STR:
		*out = val_string(json_str(n));
		return true;
	case YYJSON_TYPE_ARR:
	case YYJSON_TYPE_OBJ:
		return container_to_val(n, levels, out);
	default:
		*out = VAL_NIL;
		return true;
	}
}

int
json_to_val(jnode n, struct val *out, struct err *e)
{
	if (to_val(n, LIMIT_JSON_DEPTH, out))
		return OK;
	val_drop(*out);
	*out = VAL_UNDEF;
	return err_set(e, ERR_TOOBIG, "nested deeper than %d levels",
	    LIMIT_JSON_DEPTH);
}

int
json_text_to_val(struct str text, struct val *out, struct err *e)
{
	struct json_doc d;
	int rc = json_parse(&d, text, e);

	*out = VAL_UNDEF;
	if (rc == OK)
		rc = json_to_val(d.root, out, e);
	json_release(&d);
	return rc;
}
