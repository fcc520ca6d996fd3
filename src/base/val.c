/*
 * val.c - the value inside the engine; see val.h.
 *
 * Arrays and objects begin with the same head.  `bytes` and `depth` are kept
 * as a container is built, so caps are checked in O(1): a container's parts
 * never change under it, because only a container with one reference, held by
 * the caller, is changed in place.
 *
 * Dropping does not recurse: a dying container is chained to a list through
 * its head, so no value is too deep to free.  Equality recurses at most
 * VAL_DEPTH_MAX levels.
 *
 * An object of more than INDEX_FROM members has an index (open addressing,
 * keyed hash: the keys may come from outside); it is built by the first
 * look-up that wants it and dropped when a member is removed.
 *
 * SPDX-License-Identifier: MIT
 */
#include "base/val_priv.h"
#include "base/json.h"
#include "base/mem.h"

#include <assert.h>
#include <math.h>
#include <string.h>

#define INDEX_FROM  16
#define FIRST_CAP   4
#define WHOLE_MAX   9007199254740992.0       /* 2^53 */

struct val_string {
	uint32_t refs;
	uint32_t n;
	uint64_t hash;                       /* 0: not made yet */
	char text[];                         /* NUL-ended */
};

struct val_head {
	union {
		struct { uint32_t refs, cap; };
		struct val_head *next_dead;
	};
	uint32_t n;
	uint16_t depth;                      /* saturates */
	uint16_t kind;
	uint64_t bytes;                      /* saturates */
};

struct val_array {
	struct val_head h;
	struct val items[];
};

struct member {
	struct val_string *key;
	struct val v;
};

struct val_object {
	struct val_head h;
	uint32_t *index;                     /* member number + 1; 0: empty */
	uint32_t index_cap;                  /* a power of two, at least 2 n */
	struct member members[];
};

/* ---- scalars --------------------------------------------------------------- */

struct val
val_bool(bool b)
{
	return (struct val){ .kind = VAL_BOOL, .u.b = b };
}

struct val
val_int(int64_t i)
{
	return (struct val){ .kind = VAL_INT, .u.i = i };
}

struct val
val_double(double d)
{
	if (d >= -WHOLE_MAX && d <= WHOLE_MAX && d == floor(d))
		return val_int((int64_t)d);
	return (struct val){ .kind = VAL_DOUBLE, .u.d = d };
}

double
val_number(struct val v)
{
	if (v.kind == VAL_INT)
		return (double)v.u.i;
	return v.kind == VAL_DOUBLE ? v.u.d : (double)NAN;
}

bool
val_truthy(struct val v)
{
	switch (v.kind) {
	case VAL_UNDEFINED:
	case VAL_NULL:
		return false;
	case VAL_BOOL:
		return v.u.b;
	case VAL_INT:
		return v.u.i != 0;
	case VAL_DOUBLE:
		return v.u.d != 0 && !isnan(v.u.d);
	case VAL_STRING:
		return v.u.s->n > 0;
	case VAL_ARRAY:
	case VAL_OBJECT:
		return true;
	}
	return false;
}

/* ---- strings --------------------------------------------------------------- */

static struct val_string *
string_new(struct str s)
{
	struct val_string *t;

	assert(s.n < UINT32_MAX);            /* LIMIT_JSON_STRING_BYTES */
	t = mem_alloc(sizeof *t + s.n + 1);
	t->refs = 1;
	t->n = (uint32_t)s.n;
	t->hash = 0;
	if (s.n > 0)
		memcpy(t->text, s.p, s.n);
	t->text[s.n] = '\0';
	return t;
}

static void
string_drop(struct val_string *s)
{
	assert(s->refs > 0);
	if (--s->refs == 0)
		free(s);
}

static struct str
string_str(const struct val_string *s)
{
	return (struct str){ s->text, s->n };
}

static uint64_t
string_hash(struct val_string *s)
{
	if (s->hash == 0)
		s->hash = str_hash_keyed(string_str(s)) | 1;
	return s->hash;
}

static bool
string_is(const struct val_string *s, struct str text)
{
	return str_eq(string_str(s), text);
}

struct val
val_string(struct str s)
{
	return (struct val){ .kind = VAL_STRING, .u.s = string_new(s) };
}

struct str
val_str(struct val v)
{
	assert(v.kind == VAL_STRING);
	return string_str(v.u.s);
}

/* ---- references ------------------------------------------------------------ */

/* The head of a container, NULL for anything else. */
static struct val_head *
head_of(struct val v)
{
	if (v.kind == VAL_ARRAY)
		return &v.u.a->h;
	return v.kind == VAL_OBJECT ? &v.u.o->h : NULL;
}

struct val
val_ref(struct val v)
{
	struct val_head *h = head_of(v);

	if (h != NULL) {
		assert(h->refs > 0 && h->refs < UINT32_MAX);
		h->refs++;
	} else if (v.kind == VAL_STRING) {
		assert(v.u.s->refs > 0 && v.u.s->refs < UINT32_MAX);
		v.u.s->refs++;
	}
	return v;
}

/* One reference less; a container that dies goes onto the list. */
static void
drop_onto(struct val v, struct val_head **dead)
{
	struct val_head *h;

	if (v.kind < VAL_STRING)
		return;
	if (v.kind == VAL_STRING) {
		string_drop(v.u.s);
		return;
	}
	h = head_of(v);
	assert(h->refs > 0);
	if (--h->refs > 0)
		return;
	h->next_dead = *dead;
	*dead = h;
}

static void
bury_array(struct val_array *a, struct val_head **dead)
{
	for (uint32_t i = 0; i < a->h.n; i++)
		drop_onto(a->items[i], dead);
	free(a);
}

static void
bury_object(struct val_object *o, struct val_head **dead)
{
	for (uint32_t i = 0; i < o->h.n; i++) {
		string_drop(o->members[i].key);
		drop_onto(o->members[i].v, dead);
	}
	free(o->index);
	free(o);
}

void
val_drop(struct val v)
{
	struct val_head *dead = NULL;

	drop_onto(v, &dead);
	while (dead != NULL) {
		struct val_head *h = dead;

		dead = h->next_dead;
		if (h->kind == VAL_ARRAY)
			bury_array(CONTAINER_OF(h, struct val_array, h), &dead);
		else
			bury_object(CONTAINER_OF(h, struct val_object, h), &dead);
	}
}

/* ---- sizes ----------------------------------------------------------------- */

size_t
val_bytes(struct val v)
{
	const struct val_head *h = head_of(v);

	if (h != NULL)
		return sizeof v + h->bytes;
	if (v.kind == VAL_STRING)
		return sizeof v + sizeof *v.u.s + v.u.s->n + 1;
	return sizeof v;
}

unsigned
val_depth(struct val v)
{
	const struct val_head *h = head_of(v);

	return h == NULL ? 0 : h->depth;
}

/* Accounts for a part that was put into a container. */
static void
head_count(struct val_head *h, size_t bytes, unsigned depth)
{
	if (__builtin_add_overflow(h->bytes, bytes, &h->bytes))
		h->bytes = UINT64_MAX / 2;
	if (depth + 1 > h->depth)
		h->depth = depth < UINT16_MAX ? (uint16_t)(depth + 1) : UINT16_MAX;
}

static size_t
key_bytes(const struct val_string *key)
{
	return sizeof(struct member) - sizeof(struct val) + sizeof *key + key->n + 1;
}

size_t
val_count(struct val v)
{
	const struct val_head *h = head_of(v);

	return h == NULL ? 0 : h->n;
}

/* ---- arrays ---------------------------------------------------------------- */

struct val
val_array_sized(size_t n)
{
	struct val_array *a;

	assert(n < UINT32_MAX);
	a = mem_alloc(sizeof *a + n * sizeof a->items[0]);
	a->h = (struct val_head){ .refs = 1, .cap = (uint32_t)n, .depth = 1,
		.kind = VAL_ARRAY, .bytes = sizeof *a };
	return (struct val){ .kind = VAL_ARRAY, .u.a = a };
}

struct val
val_array_empty(void)
{
	return val_array_sized(0);
}

struct val
val_at(struct val array, size_t i)
{
	if (array.kind != VAL_ARRAY || i >= array.u.a->h.n)
		return VAL_UNDEF;
	return array.u.a->items[i];
}

/* Takes a; returns one that the caller alone holds, with room for cap. */
static struct val_array *
array_own(struct val_array *a, uint32_t cap)
{
	struct val_array *copy;

	if (a->h.refs == 1) {
		if (cap <= a->h.cap)
			return a;
		a = mem_resize(a, sizeof *a + cap * sizeof a->items[0]);
		a->h.cap = cap;
		return a;
	}
	copy = val_array_sized(cap).u.a;
	copy->h.n = a->h.n;
	copy->h.depth = a->h.depth;
	copy->h.bytes = a->h.bytes;
	for (uint32_t i = 0; i < a->h.n; i++)
		copy->items[i] = val_ref(a->items[i]);
	a->h.refs--;
	return copy;
}

static uint32_t
room_for_one(const struct val_head *h)
{
	if (h->n < h->cap)
		return h->cap;
	assert(h->n < UINT32_MAX / 2);
	return h->n < FIRST_CAP ? FIRST_CAP : h->n * 2;
}

struct val
val_push_take(struct val array, struct val v)
{
	struct val_array *a;

	assert(array.kind == VAL_ARRAY);
	a = array_own(array.u.a, room_for_one(&array.u.a->h));
	head_count(&a->h, val_bytes(v), val_depth(v));
	a->items[a->h.n++] = v;
	return (struct val){ .kind = VAL_ARRAY, .u.a = a };
}

struct val
val_set_at_take(struct val array, size_t i, struct val v)
{
	struct val_array *a;

	assert(array.kind == VAL_ARRAY);
	assert(i <= array.u.a->h.n);         /* the end is a push */
	if (i == array.u.a->h.n)
		return val_push_take(array, v);
	a = array_own(array.u.a, array.u.a->h.n);
	a->h.bytes -= val_bytes(a->items[i]);
	head_count(&a->h, val_bytes(v), val_depth(v));
	val_drop(a->items[i]);
	a->items[i] = v;
	return (struct val){ .kind = VAL_ARRAY, .u.a = a };
}

/* ---- objects --------------------------------------------------------------- */

struct val
val_object_sized(size_t n)
{
	struct val_object *o;

	assert(n < UINT32_MAX);
	o = mem_alloc(sizeof *o + n * sizeof o->members[0]);
	o->h = (struct val_head){ .refs = 1, .cap = (uint32_t)n, .depth = 1,
		.kind = VAL_OBJECT, .bytes = sizeof *o };
	o->index = NULL;
	o->index_cap = 0;
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}

struct val
val_object_empty(void)
{
	return val_object_sized(0);
}

static void
index_add(struct val_object *o, uint32_t member)
{
	uint32_t mask = o->index_cap - 1;
	uint32_t at = (uint32_t)string_hash(o->members[member].key) & mask;

	while (o->index[at] != 0)
		at = (at + 1) & mask;
	o->index[at] = member + 1;
}

static void
index_drop(struct val_object *o)
{
	free(o->index);
	o->index = NULL;
	o->index_cap = 0;
}

static void
index_build(struct val_object *o)
{
	uint32_t cap = 4 * INDEX_FROM;

	while (cap < o->h.n * 4)
		cap *= 2;
	o->index = mem_zero(cap * sizeof o->index[0]);
	o->index_cap = cap;
	for (uint32_t i = 0; i < o->h.n; i++)
		index_add(o, i);
}

#define NO_MEMBER UINT32_MAX

static uint32_t
index_find(struct val_object *o, struct str key, uint64_t hash)
{
	uint32_t mask;

	if (o->index == NULL)
		index_build(o);
	mask = o->index_cap - 1;
	for (uint32_t at = (uint32_t)hash & mask;; at = (at + 1) & mask) {
		uint32_t i = o->index[at];

		if (i == 0)
			return NO_MEMBER;
		if (string_is(o->members[i - 1].key, key))
			return i - 1;
	}
}

static uint32_t
object_find(struct val_object *o, struct str key)
{
	if (o->h.n > INDEX_FROM)
		return index_find(o, key, str_hash_keyed(key) | 1);
	for (uint32_t i = 0; i < o->h.n; i++)
		if (string_is(o->members[i].key, key))
			return i;
	return NO_MEMBER;
}

/* As object_find; a key shared with the object hits by its pointer. */
static uint32_t
object_find_key(struct val_object *o, struct val_string *key)
{
	if (o->h.n > INDEX_FROM)
		return index_find(o, string_str(key), string_hash(key));
	for (uint32_t i = 0; i < o->h.n; i++)
		if (o->members[i].key == key)
			return i;
	return object_find(o, string_str(key));
}

static struct val
member_value(struct val_object *o, uint32_t i)
{
	return i == NO_MEMBER ? VAL_UNDEF : o->members[i].v;
}

struct val
val_get(struct val object, struct str key)
{
	if (object.kind != VAL_OBJECT)
		return VAL_UNDEF;
	return member_value(object.u.o, object_find(object.u.o, key));
}

struct val
val_get_key(struct val object, struct val key)
{
	if (object.kind != VAL_OBJECT || key.kind != VAL_STRING)
		return VAL_UNDEF;
	return member_value(object.u.o, object_find_key(object.u.o, key.u.s));
}

bool
val_has(struct val object, struct str key)
{
	return object.kind == VAL_OBJECT &&
	    object_find(object.u.o, key) != NO_MEMBER;
}

struct str
val_key(struct val object, size_t i)
{
	assert(object.kind == VAL_OBJECT && i < object.u.o->h.n);
	return string_str(object.u.o->members[i].key);
}

struct val
val_member(struct val object, size_t i)
{
	assert(object.kind == VAL_OBJECT && i < object.u.o->h.n);
	return object.u.o->members[i].v;
}

/* Takes o; returns one that the caller alone holds, with room for cap. */
static struct val_object *
object_own(struct val_object *o, uint32_t cap)
{
	struct val_object *copy;

	if (o->h.refs == 1) {
		if (cap <= o->h.cap)
			return o;
		o = mem_resize(o, sizeof *o + cap * sizeof o->members[0]);
		o->h.cap = cap;
		return o;
	}
	copy = val_object_sized(cap).u.o;
	copy->h.n = o->h.n;
	copy->h.depth = o->h.depth;
	copy->h.bytes = o->h.bytes;
	for (uint32_t i = 0; i < o->h.n; i++) {
		o->members[i].key->refs++;
		copy->members[i].key = o->members[i].key;
		copy->members[i].v = val_ref(o->members[i].v);
	}
	o->h.refs--;
	return copy;
}

static struct val
object_replace(struct val_object *o, uint32_t i, struct val v)
{
	o = object_own(o, o->h.n);
	o->h.bytes -= val_bytes(o->members[i].v);
	head_count(&o->h, val_bytes(v), val_depth(v));
	val_drop(o->members[i].v);
	o->members[i].v = v;
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}

/* Appends a member that is not there yet; takes key and v. */
static struct val
object_append(struct val_object *o, struct val_string *key, struct val v)
{
	o = object_own(o, room_for_one(&o->h));
	head_count(&o->h, key_bytes(key) + val_bytes(v), val_depth(v));
	o->members[o->h.n++] = (struct member){ key, v };
	if (o->index != NULL && o->h.n > o->index_cap / 2)
		index_drop(o);
	else if (o->index != NULL)
		index_add(o, o->h.n - 1);
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}

struct val
val_set_take(struct val object, struct str key, struct val v)
{
	uint32_t i;

	assert(object.kind == VAL_OBJECT);
	i = object_find(object.u.o, key);
	if (i != NO_MEMBER)
		return object_replace(object.u.o, i, v);
	return object_append(object.u.o, string_new(key), v);
}

struct val
val_set_key_take(struct val object, struct val key, struct val v)
{
	uint32_t i;

	assert(object.kind == VAL_OBJECT && key.kind == VAL_STRING);
	i = object_find_key(object.u.o, key.u.s);
	if (i != NO_MEMBER)
		return object_replace(object.u.o, i, v);
	return object_append(object.u.o, val_ref(key).u.s, v);
}

struct val
val_unset_take(struct val object, struct str key)
{
	struct val_object *o;
	struct member gone;
	uint32_t i;

	assert(object.kind == VAL_OBJECT);
	i = object_find(object.u.o, key);
	if (i == NO_MEMBER)
		return object;
	o = object_own(object.u.o, object.u.o->h.n);
	index_drop(o);
	gone = o->members[i];
	o->h.n--;
	memmove(&o->members[i], &o->members[i + 1], (o->h.n - i) * sizeof gone);
	o->h.bytes -= key_bytes(gone.key) + val_bytes(gone.v);
	string_drop(gone.key);
	val_drop(gone.v);
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
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
			j = object_find_key(b, a->members[i].key);
		if (j == NO_MEMBER ||
		    !equal(a->members[i].v, b->members[j].v, depth))
			return false;
	}
	return true;
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
		return a.u.s == b.u.s || string_is(a.u.s, string_str(b.u.s));
	case VAL_ARRAY:
		return array_equal(a.u.a, b.u.a, depth - 1);
	case VAL_OBJECT:
		return object_equal(a.u.o, b.u.o, depth - 1);
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
		json_add_str(b, string_str(o->members[i].key));
		buf_add_char(b, ':');
		add_json(b, o->members[i].v, depth);
	}
	buf_add_char(b, '}');
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
		json_add_str(b, string_str(v.u.s));
		break;
	case VAL_ARRAY:
		add_array(b, v.u.a, depth - 1);
		break;
	case VAL_OBJECT:
		add_object(b, v.u.o, depth - 1);
		break;
	}
}

void
val_add_json(struct buf *b, struct val v)
{
	add_json(b, v, VAL_DEPTH_MAX + 1);
}
