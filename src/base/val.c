/*
 * val.c - the value inside the engine; see val.h.
 *
 * `bytes` and `depth` are kept as a container is built, so caps are checked in O(1): a container's parts
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

#include <assert.h>
#include <math.h>
#include <string.h>

#define INDEX_FROM  16
#define FIRST_CAP   4
#define WHOLE_MAX   9007199254740992.0       /* 2^53 */

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

const char *
val_kind_name(struct val v)
{
	static const char *const names[] = {
		[VAL_UNDEFINED] = "undefined", [VAL_NULL] = "null",
		[VAL_BOOL] = "a boolean", [VAL_INT] = "a number",
		[VAL_DOUBLE] = "a number", [VAL_STRING] = "a string",
		[VAL_ARRAY] = "an array", [VAL_OBJECT] = "an object",
	};

	return names[v.kind];
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

struct val_string *
val_string_sized(size_t n)
{
	struct val_string *t;

	assert(n < UINT32_MAX);              /* LIMIT_JSON_STRING_BYTES */
	t = mem_alloc(sizeof *t + n + 1);
	t->refs = 1;
	t->n = (uint32_t)n;
	t->hash = 0;
	t->text[n] = '\0';
	return t;
}

static struct val_string *
string_new(struct str s)
{
	struct val_string *t = val_string_sized(s.n);

	if (s.n > 0)
		memcpy(t->text, s.p, s.n);
	return t;
}

void
val_string_drop(struct val_string *s)
{
	assert(s->refs > 0);
	if (--s->refs == 0)
		free(s);
}

static uint64_t
string_hash(struct val_string *s)
{
	if (s->hash == 0)
		s->hash = str_hash_keyed(val_string_str(s)) | 1;
	return s->hash;
}

static bool
string_is(const struct val_string *s, struct str text)
{
	return str_eq(val_string_str(s), text);
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
	return val_string_str(v.u.s);
}

/* ---- references ------------------------------------------------------------ */

/* The head of a container, NULL for anything else. */
static struct val_head *
head_of(struct val v)
{
	return val_is_container(v) ? v.u.h : NULL;
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
		val_string_drop(v.u.s);
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
bury_lazy(struct val_lazy *l, struct val_head **dead)
{
	if (l->source != NULL)
		val_string_drop(l->source);
	else
		val_view_release(l);
	if (l->made != NULL)
		drop_onto((struct val){ .kind = l->made->kind, .u.h = l->made }, dead);
	free(l);
}

static void
bury_object(struct val_object *o, struct val_head **dead)
{
	for (uint32_t i = 0; i < o->h.n; i++) {
		val_string_drop(o->members[i].key);
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
		if (h->lazy)
			bury_lazy(val_lazy_of(h), &dead);
		else if (h->kind == VAL_ARRAY)
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

	if (h != NULL && val_is_view(h))
		(void)val_lazy_made(val_lazy_of(v.u.h));
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

	if (h != NULL && val_is_view(h))
		(void)val_lazy_made(val_lazy_of(v.u.h));
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
	return sizeof(struct val_member) - sizeof(struct val) + sizeof *key + key->n + 1;
}

size_t
val_count(struct val v)
{
	const struct val_head *h = head_of(v);

	if (h != NULL && h->lazy)
		h = val_lazy_made(val_lazy_of(v.u.h));
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
	const struct val_array *a;

	if (array.kind != VAL_ARRAY)
		return VAL_UNDEF;
	a = val_array_of(array);
	return i < a->h.n ? a->items[i] : VAL_UNDEF;
}

/* Takes a; returns one that the caller alone holds, with room for cap. */
static struct val_array *
array_own(struct val_array *a, uint32_t cap)
{
	struct val_array *copy;

	assert(!a->h.lazy);
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

/* Takes v; the caller holds a reference of what is returned: v itself, or what
 * it is decoded to, which then goes on without its text. */
static struct val_head *
take_made(struct val v)
{
	struct val_head *h = v.u.h, *made;

	if (!h->lazy)
		return h;
	made = val_lazy_made(val_lazy_of(h));
	made->refs++;
	val_drop(v);
	return made;
}

static struct val_array *
take_array(struct val v)
{
	assert(v.kind == VAL_ARRAY);
	return CONTAINER_OF(take_made(v), struct val_array, h);
}

static struct val_object *
take_object(struct val v)
{
	assert(v.kind == VAL_OBJECT);
	return CONTAINER_OF(take_made(v), struct val_object, h);
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
	struct val_array *a = take_array(array);

	a = array_own(a, room_for_one(&a->h));
	head_count(&a->h, val_bytes(v), val_depth(v));
	a->items[a->h.n++] = v;
	return (struct val){ .kind = VAL_ARRAY, .u.a = a };
}

struct val
val_set_at_take(struct val array, size_t i, struct val v)
{
	struct val_array *a = take_array(array);

	assert(i <= a->h.n);                 /* the end is a push */
	if (i == a->h.n)
		return val_push_take((struct val){ .kind = VAL_ARRAY, .u.a = a }, v);
	a = array_own(a, a->h.n);
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
			return VAL_NO_MEMBER;
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
	return VAL_NO_MEMBER;
}

/* As object_find; a key shared with the object hits by its pointer. */
uint32_t
val_object_find_key(struct val_object *o, struct val_string *key)
{
	if (o->h.n > INDEX_FROM)
		return index_find(o, val_string_str(key), string_hash(key));
	for (uint32_t i = 0; i < o->h.n; i++)
		if (o->members[i].key == key)
			return i;
	return object_find(o, val_string_str(key));
}

static struct val
member_value(struct val_object *o, uint32_t i)
{
	return i == VAL_NO_MEMBER ? VAL_UNDEF : o->members[i].v;
}

struct val
val_get(struct val object, struct str key)
{
	struct val_object *o;
	struct val v;

	if (object.kind != VAL_OBJECT)
		return VAL_UNDEF;
	if (val_is_view(object.u.h) && val_view_get(val_lazy_of(object.u.h), key, &v))
		return v;
	o = val_object_of(object);
	return member_value(o, object_find(o, key));
}

struct val
val_get_key(struct val object, struct val key)
{
	struct val_object *o;

	if (object.kind != VAL_OBJECT || key.kind != VAL_STRING)
		return VAL_UNDEF;
	if (val_is_view(object.u.h))
		return val_get(object, val_string_str(key.u.s));
	o = val_object_of(object);
	return member_value(o, val_object_find_key(o, key.u.s));
}

bool
val_has(struct val object, struct str key)
{
	return object.kind == VAL_OBJECT &&
	    object_find(val_object_of(object), key) != VAL_NO_MEMBER;
}

static const struct val_member *
member_at(struct val object, size_t i)
{
	const struct val_object *o;

	assert(object.kind == VAL_OBJECT);
	o = val_object_of(object);
	assert(i < o->h.n);
	return &o->members[i];
}

struct str
val_key(struct val object, size_t i)
{
	return val_string_str(member_at(object, i)->key);
}

struct val
val_member(struct val object, size_t i)
{
	return member_at(object, i)->v;
}

/* Takes o; returns one that the caller alone holds, with room for cap. */
static struct val_object *
object_own(struct val_object *o, uint32_t cap)
{
	struct val_object *copy;

	assert(!o->h.lazy);
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
	o->members[o->h.n++] = (struct val_member){ key, v };
	if (o->index != NULL && o->h.n > o->index_cap / 2)
		index_drop(o);
	else if (o->index != NULL)
		index_add(o, o->h.n - 1);
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}

struct val
val_trim_take(struct val object)
{
	struct val_object *o = object.u.o;

	assert(o->h.refs == 1 && !o->h.lazy);
	if (o->h.cap > o->h.n) {
		o = mem_resize(o, sizeof *o + o->h.n * sizeof o->members[0]);
		o->h.cap = o->h.n;
	}
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}

struct val
val_set_take(struct val object, struct str key, struct val v)
{
	struct val_object *o = take_object(object);
	uint32_t i = object_find(o, key);

	if (i != VAL_NO_MEMBER)
		return object_replace(o, i, v);
	return object_append(o, string_new(key), v);
}

struct val
val_set_key_take(struct val object, struct val key, struct val v)
{
	struct val_object *o = take_object(object);
	uint32_t i;

	assert(key.kind == VAL_STRING);
	i = val_object_find_key(o, key.u.s);
	if (i != VAL_NO_MEMBER)
		return object_replace(o, i, v);
	return object_append(o, val_ref(key).u.s, v);
}

struct val
val_unset_take(struct val object, struct str key)
{
	struct val_object *o;
	struct val_member gone;
	uint32_t i;

	assert(object.kind == VAL_OBJECT);
	i = object_find(val_object_of(object), key);
	if (i == VAL_NO_MEMBER)
		return object;
	o = take_object(object);
	o = object_own(o, o->h.n);
	index_drop(o);
	gone = o->members[i];
	o->h.n--;
	memmove(&o->members[i], &o->members[i + 1], (o->h.n - i) * sizeof gone);
	o->h.bytes -= key_bytes(gone.key) + val_bytes(gone.v);
	val_string_drop(gone.key);
	val_drop(gone.v);
	return (struct val){ .kind = VAL_OBJECT, .u.o = o };
}
