/*
 * val.h - the value inside the engine: immutable, reference counted, 16 bytes.
 *
 * What a chart's data, an event and an expression's result are made of.  A
 * copy is a pointer copy (val_ref), so checkpoints and forks cost nothing.
 * Numbers are 64-bit integers where they fit and doubles elsewhere; the two
 * compare as one kind.  `undefined` is a kind of its own, as in SCXML's
 * ECMAScript.  Object members keep their order; look-up compares the pointer,
 * then hash and bytes, so keys shared with the compiled chart hit at once.
 *
 * An array or object may be *lazy*: it keeps its JSON text and is decoded by
 * one level when its parts are first asked for; containers among them are
 * lazy again.  Nothing here tells a lazy value from another, except that JSON
 * is written as the kept text, and val_bytes counts the text.  Looking at a
 * lazy value may decode it, so what shards share (a chart's constants) is made
 * with json_to_val, which decodes at once.
 *
 * Invariants: no cycles (immutability makes them impossible); depth is
 * bounded by LIMIT_JSON_DEPTH at every border.  The engine may nest deeper
 * for a while: past VAL_DEPTH_MAX levels two values are not equal and JSON
 * fails (b->failed).
 * Threads: counts are not atomic; a value belongs to one shard.  It crosses
 * to another as JSON text.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_VAL_H
#define BASE_VAL_H

#include "base/buf.h"
#include "base/rc.h"

enum val_kind {                              /* zeroed memory is undefined */
	VAL_UNDEFINED, VAL_NULL, VAL_BOOL, VAL_INT, VAL_DOUBLE,
	VAL_STRING, VAL_ARRAY, VAL_OBJECT
};

struct val_string;
struct val_head;
struct val_array;
struct val_object;

struct val {
	enum val_kind kind;
	union {
		bool b;
		int64_t i;
		double d;
		struct val_string *s;
		struct val_head *h;          /* what arrays and objects begin with */
		struct val_array *a;         /* unless lazy */
		struct val_object *o;
	} u;
};

#define VAL_DEPTH_MAX 512

#define VAL_UNDEF ((struct val){ .kind = VAL_UNDEFINED })
#define VAL_NIL   ((struct val){ .kind = VAL_NULL })

/* Makers return a value the caller owns (one reference). */
struct val val_bool(bool b);
struct val val_int(int64_t i);
struct val val_double(double d);             /* becomes VAL_INT when it is whole
                                                and fits 2^53 */
struct val val_string(struct str s);         /* copies */
struct val val_ref(struct val v);            /* one more reference; returns v */
/* A deep copy, which shares nothing: of what other shards may read too.  v is at
 * most VAL_DEPTH_MAX levels deep. */
struct val val_copy(struct val v);
void val_drop(struct val v);                 /* one less */

struct str val_str(struct val v);            /* of a VAL_STRING; borrowed */
const char *val_kind_name(struct val v);     /* "a string", "undefined", ... */
bool val_truthy(struct val v);               /* as JavaScript */
bool val_equal(struct val a, struct val b);  /* deep, no coercion */
double val_number(struct val v);             /* INT or DOUBLE; NaN otherwise */
static inline bool
val_is_number(struct val v)
{
	return v.kind == VAL_INT || v.kind == VAL_DOUBLE;
}

size_t val_count(struct val v);              /* members or elements; 0 otherwise */
struct val val_at(struct val array, size_t i);           /* borrowed; UNDEFINED */
struct val val_get(struct val object, struct str key);   /* borrowed; UNDEFINED */
struct val val_get_key(struct val object, struct val key);   /* key: a string val */
struct str val_key(struct val object, size_t i);         /* i-th member */
struct val val_member(struct val object, size_t i);      /* borrowed */
bool val_has(struct val object, struct str key);

/* Changed copies; the argument is untouched.  `v` is taken (not counted up).
 * When the caller holds the only reference and passes it with `..._take`,
 * the change is made in place. */
struct val val_array_empty(void);
struct val val_object_empty(void);
struct val val_push_take(struct val array, struct val v);
struct val val_set_take(struct val object, struct str key, struct val v);
struct val val_set_key_take(struct val object, struct val key, struct val v);
                                             /* key: a string val, shared */
struct val val_set_at_take(struct val array, size_t i, struct val v);
                                             /* i <= count; the end: a push */
struct val val_unset_take(struct val object, struct str key);

/* Bytes this value holds, shared parts counted again, and its levels (0 for
 * a scalar; an upper bound after a removal); for caps.  Both O(1). */
size_t val_bytes(struct val v);
unsigned val_depth(struct val v);

/* JSON, shortest form, UTF-8 kept, U+2028 plain; undefined members are left
 * out, undefined elements are null, NaN and infinities are null.  A lazy value
 * is its text. */
void val_add_json(struct buf *b, struct val v);

/* ---- lazy values --------------------------------------------------------- */

/* From text that comes from outside: the rules and errors of json_parse.  A
 * scalar is decoded at once; the text of an array or object is copied, without
 * blanks, and lazy. */
int val_json(struct val *out, struct str json, struct err *e);

/* From text that this program wrote: compact and well-formed.  Only brackets and quotes are looked at.  Copies. */
struct val val_json_trusted(struct str json);

/* The same without a copy: `text` lies inside val_str(source), a string val of
 * which the value holds a reference.  One small allocation. */
struct val val_json_span(struct val source, struct str text);

/* An array of the elements of `text`, a JSON array inside val_str(source);
 * each container among them is a span as above. */
struct val val_json_spans(struct val source, struct str text);

/* v (taken), or a copy when it holds on to a source much larger than itself: for
 * a part of a document that is kept when the rest is not. */
struct val val_detach(struct val v);

/* The text that v was made from; STR_NONE for a scalar and for a container
 * that was built or changed.  Borrowed. */
struct str val_json_text(struct val v);
/* Gives back what v was decoded to, if it is a text still: it is decoded again when
 * somebody looks inside.  Nothing borrowed from inside may be in use. */
void val_undecode(struct val v);
bool val_is_decoded(struct val v);           /* not lazy, or looked into; for tests */

/* How many elements from `from` on, and before `to`, are lazy and have texts that
 * lie in memory in this order with a byte between them, as val_json_spans makes
 * them; *text: all of that memory.  0: the first of them is not lazy. */
size_t val_spans(struct val array, size_t from, size_t to, struct str *text);

/* ---- views --------------------------------------------------------------- */

/* An object that is read from something else, member by member, when somebody asks: who
 * looks at one member of a message pays for that one. */
struct val_view_type {
	/* *out is the caller's; UNDEFINED: there is none of this name.  False: only `whole`
	 * tells. */
	bool (*member)(const void *of, struct str key, struct val *out);
	struct val (*whole)(const void *of);         /* an object; the caller's */
};
/* of stays as it is until val_view_end, also for members that are views. */
struct val val_view(const struct val_view_type *type, const void *of);
/* Drops v; what others hold of it, and of members that are views, is made whole first. */
void val_view_end(struct val v);

/* A string member of an object, without decoding the object.  False: there is
 * none, it is not a string, or it or a key has escapes (val_get tells). */
bool val_peek_str(struct val object, struct str key, struct str *out);

#endif
