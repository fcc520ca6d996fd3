/*
 * val_view.c - objects that are read from something else, member by member.
 *
 * A view is a lazy object without a text.  What was asked for is kept, so that it can be
 * borrowed, in the few places that a guard needs; more makes it whole.
 *
 * SPDX-License-Identifier: MIT
 */
#include <assert.h>
#include <string.h>

#include "base/val_priv.h"

static struct val_view *
view_of(struct val_lazy *l)
{
	assert(l->h.lazy && l->source == NULL);
	return CONTAINER_OF(l, struct val_view, lazy);
}

struct val
val_view(const struct val_view_type *type, const void *of)
{
	struct val_view *w = mem_alloc(sizeof *w);

	w->lazy = (struct val_lazy){ .h = { .refs = 1, .kind = VAL_OBJECT, .lazy = true,
	    .bytes = sizeof *w } };
	w->type = type;
	w->of = of;
	w->n = 0;
	return (struct val){ .kind = VAL_OBJECT, .u.h = &w->lazy.h };
}

bool
val_view_get(struct val_lazy *l, struct str key, struct val *out)
{
	struct val_view *w = view_of(l);
	struct val_view_member *m = &w->got[w->n];

	if (l->made != NULL || key.n > VAL_VIEW_KEY)
		return false;
	for (uint32_t i = 0; i < w->n; i++)
		if (w->got[i].key_n == key.n && memcmp(w->got[i].key, key.p, key.n) == 0) {
			*out = w->got[i].v;
			return true;
		}
	if (w->n == VAL_VIEW_MEMBERS || !w->type->member(w->of, key, out))
		return false;
	memcpy(m->key, key.p, key.n);
	m->key_n = (uint8_t)key.n;
	m->v = *out;
	w->n++;
	return true;
}

/* What was made must not be lazy. */
struct val_head *
val_view_made(struct val_lazy *l)
{
	struct val_view *w = view_of(l);
	struct val whole = w->type->whole(w->of);
	struct val_object *o = val_object_of(whole);

	assert(whole.kind == VAL_OBJECT);
	o->h.refs++;
	val_drop(whole);
	l->h.depth = o->h.depth;
	l->h.bytes = sizeof *w + o->h.bytes;
	return &o->h;
}

void
val_view_release(struct val_lazy *l)
{
	struct val_view *w = view_of(l);

	for (uint32_t i = 0; i < w->n; i++)
		val_drop(w->got[i].v);
	w->n = 0;
}

/* A member may be a view, too, of the same. */
void
val_view_end(struct val v)
{
	struct val_view *w = view_of(val_lazy_of(v.u.h));

	if (v.u.h->refs > 1)
		(void)val_lazy_made(&w->lazy);
	for (uint32_t i = 0; i < w->n; i++) {
		struct val *member = &w->got[i].v;

		if (member->kind == VAL_OBJECT && val_is_view(member->u.h)) {
			val_view_end(*member);
			*member = VAL_UNDEF;
		}
	}
	val_drop(v);
}
