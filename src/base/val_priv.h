/*
 * val_priv.h - how values lie in memory, for the files that make them.
 *
 * Arrays and objects begin with the same head.  A lazy one is a head and a
 * text; what it is decoded to is an array or object of its own, which only the
 * lazy one refers to until somebody takes it to change it.
 *
 * SPDX-License-Identifier: MIT
 */
#ifndef BASE_VAL_PRIV_H
#define BASE_VAL_PRIV_H

#include "base/mem.h"
#include "base/val.h"

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
	uint32_t n;                          /* parts; of a lazy one: bytes of text */
	uint16_t depth;                      /* saturates */
	uint8_t kind;
	bool lazy;
	uint64_t bytes;                      /* saturates */
};

struct val_array {
	struct val_head h;
	struct val items[];
};

struct val_member {
	struct val_string *key;
	struct val v;
};

struct val_object {
	struct val_head h;
	uint32_t *index;                     /* member number + 1; 0: empty */
	uint32_t index_cap;                  /* a power of two, at least 2 n */
	struct val_member members[];
};

struct val_lazy {
	struct val_head h;
	const char *text;                    /* inside source's */
	struct val_string *source;           /* NULL: a view */
	struct val_head *made;               /* NULL: not decoded yet */
};

#define VAL_VIEW_MEMBERS 4
#define VAL_VIEW_KEY     23

struct val_view {
	struct val_lazy lazy;
	const struct val_view_type *type;
	const void *of;
	uint32_t n;                          /* members that somebody asked for */
	struct val_view_member {
		uint8_t key_n;
		char key[VAL_VIEW_KEY];
		struct val v;
	} got[VAL_VIEW_MEMBERS];
};

#define VAL_NO_MEMBER UINT32_MAX

static inline struct str
val_string_str(const struct val_string *s)
{
	return (struct str){ s->text, s->n };
}

static inline bool
val_is_container(struct val v)
{
	return v.kind >= VAL_ARRAY;
}

/* Room for n bytes of text, n set; the caller writes them. */
struct val_string *val_string_sized(size_t n);
void val_string_drop(struct val_string *s);

/* Room made in advance. */
struct val val_array_sized(size_t n);
struct val val_object_sized(size_t n);
/* Gives back the room that an object which nobody shares does not use. */
struct val val_trim_take(struct val object);

uint32_t val_object_find_key(struct val_object *o, struct val_string *key);

/* val_lazy.c: what l is decoded to, made now if it was not; l's. */
struct val_head *val_lazy_made(struct val_lazy *l);
struct str val_lazy_text(const struct val_lazy *l);

/* val_view.c */
struct val_head *val_view_made(struct val_lazy *l);
void val_view_release(struct val_lazy *l);   /* drops what it holds, but what was made */
/* Of a view that is not whole yet; false: make it whole. */
bool val_view_get(struct val_lazy *l, struct str key, struct val *out);

static inline bool
val_is_view(const struct val_head *h)
{
	return h->lazy && CONTAINER_OF(h, const struct val_lazy, h)->source == NULL;
}

static inline struct val_lazy *
val_lazy_of(struct val_head *h)
{
	return CONTAINER_OF(h, struct val_lazy, h);
}

/* The parts, decoded if they were not. */
static inline struct val_array *
val_array_of(struct val v)
{
	return !v.u.h->lazy ? v.u.a :
	    CONTAINER_OF(val_lazy_made(val_lazy_of(v.u.h)), struct val_array, h);
}

static inline struct val_object *
val_object_of(struct val v)
{
	return !v.u.h->lazy ? v.u.o :
	    CONTAINER_OF(val_lazy_made(val_lazy_of(v.u.h)), struct val_object, h);
}

#endif
