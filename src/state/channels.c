/*
 * channels.c - see channels.h.
 *
 * Of a list the first `keep` entries are as they are stored: each write lowers
 * it to the entries that it left alone.  A value that was never stored (a
 * default) keeps nothing.
 *
 * SPDX-License-Identifier: MIT
 */
#include "state/channels.h"

#include <assert.h>

#include "base/limits.h"
#include "base/mem.h"

struct slot {
	struct val value;
	size_t keep;
	bool changed;                        /* since it was settled */
	bool written, overwritten;           /* in this step */
};

struct channels {
	const struct channel *defs;
	size_t n;
	struct slot at[];
};

struct channels *
channels_new(const struct channel *defs, size_t n)
{
	struct channels *cs = mem_zero(sizeof *cs + n * sizeof cs->at[0]);

	cs->defs = defs;
	cs->n = n;
	for (size_t i = 0; i < n; i++)
		cs->at[i].value = val_copy(defs[i].initial);
	return cs;
}

struct channels *
channels_clone(const struct channels *cs)
{
	struct channels *copy = mem_zero(sizeof *cs + cs->n * sizeof cs->at[0]);

	copy->defs = cs->defs;
	copy->n = cs->n;
	for (size_t i = 0; i < cs->n; i++)
		channels_load(copy, i, val_ref(cs->at[i].value));
	return copy;
}

void
channels_free(struct channels *cs)
{
	if (cs == NULL)
		return;
	for (size_t i = 0; i < cs->n; i++)
		val_drop(cs->at[i].value);
	free(cs);
}

size_t
channels_count(const struct channels *cs)
{
	return cs->n;
}

const struct channel *
channels_def(const struct channels *cs, size_t i)
{
	assert(i < cs->n);
	return &cs->defs[i];
}

int
channels_find(const struct channels *cs, struct str name)
{
	for (size_t i = 0; i < cs->n; i++)
		if (str_eq(cs->defs[i].name, name))
			return (int)i;
	return CHANNEL_NONE;
}

/* ---- values ---------------------------------------------------------------- */

struct val
channels_get(const struct channels *cs, size_t i)
{
	assert(i < cs->n);
	return cs->at[i].value;
}

static struct val
object_of(const struct channels *cs, bool with_private)
{
	struct val o = val_object_empty();

	for (size_t i = 0; i < cs->n; i++)
		if (cs->at[i].value.kind != VAL_UNDEFINED &&
		    (with_private || !cs->defs[i].private))
			o = val_set_take(o, cs->defs[i].name, val_ref(cs->at[i].value));
	return o;
}

struct val
channels_data(const struct channels *cs)
{
	return object_of(cs, true);
}

struct val
channels_values(const struct channels *cs)
{
	return object_of(cs, false);
}

void
channels_values_add_json(struct buf *b, const struct channels *cs)
{
	struct val values = channels_values(cs);

	val_add_json(b, values);
	val_drop(values);
}

void
channels_load(struct channels *cs, size_t i, struct val v)
{
	assert(i < cs->n);
	val_drop(cs->at[i].value);
	cs->at[i] = (struct slot){ .value = v, .keep = SIZE_MAX };
}

/* ---- writes ---------------------------------------------------------------- */

/* What one thread may hold; a bound, for parts that are replaced count too. */
static int
check_bytes(const struct channels *cs, struct val write, struct err *e)
{
	size_t bytes = 0;

	for (size_t i = 0; i < cs->n && bytes <= LIMIT_STATE_BYTES; i++)
		bytes += val_bytes(cs->at[i].value);
	if (bytes <= LIMIT_STATE_BYTES && val_bytes(write) <= LIMIT_STATE_BYTES - bytes)
		return OK;
	return err_set(e, ERR_TOOBIG, "the state is larger than %d bytes", LIMIT_STATE_BYTES);
}

static int
write_one(struct channels *cs, size_t i, struct val write, unsigned known, struct err *e)
{
	struct slot *s = &cs->at[i];
	const struct channel *def = &cs->defs[i];
	/* What an earlier step wrote is not there any more. */
	bool anew = def->ephemeral && !s->written;
	struct val old = anew ? VAL_UNDEF : s->value;
	struct val own = val_detach(val_ref(write));     /* its document goes */
	size_t keep;
	int rc = check_bytes(cs, own, e);

	if (rc == OK)
		rc = reduce(def->reducer, def->name, &old, own, known, &keep, e);
	val_drop(own);
	if (rc != OK)
		return rc;
	if (anew) {
		val_drop(s->value);
		keep = 0;
	}
	s->value = old;
	s->keep = keep < s->keep ? keep : s->keep;
	s->changed = s->written = true;
	return OK;
}

int
channels_put(struct channels *cs, size_t i, struct val write, unsigned known,
    struct err *e)
{
	assert(i < cs->n);
	return write_one(cs, i, write, known, e);
}

int
channels_apply(struct channels *cs, size_t i, struct val write, unsigned known,
    struct err *e)
{
	struct slot *s = &cs->at[i];
	struct val v;
	bool over;
	int rc;

	assert(i < cs->n);
	over = reduce_is_overwrite(write, &v);
	if (s->written && cs->defs[i].ephemeral)
		return err_set(e, ERR_CONFLICT, REDUCE_EPHEMERAL_TWICE_TEXT);
	if (s->written && cs->defs[i].reducer == REDUCE_LAST)
		return err_set(e, ERR_CONFLICT, REDUCE_TWICE_TEXT);
	if (s->overwritten && over)
		return err_set(e, ERR_CONFLICT, REDUCE_OVERWRITES_TEXT);
	if (s->overwritten)
		return OK;                   /* as LangGraph: the overwrite stands */
	rc = write_one(cs, i, write, known, e);
	if (rc == OK)
		s->overwritten = over;
	return rc;
}

void
channels_end_step(struct channels *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct slot *s = &cs->at[i];

		if (cs->defs[i].ephemeral && !s->written && s->value.kind != VAL_UNDEFINED) {
			val_drop(s->value);
			s->value = VAL_UNDEF;
			s->keep = 0;
			s->changed = true;
		}
		s->written = s->overwritten = false;
	}
}

void
channels_end_writes(struct channels *cs)
{
	for (size_t i = 0; i < cs->n; i++)
		cs->at[i].written = cs->at[i].overwritten = false;
}

/* ---- changes --------------------------------------------------------------- */

bool
channels_change(const struct channels *cs, size_t *at, struct channel_change *c)
{
	while (*at < cs->n && !cs->at[*at].changed)
		++*at;
	if (*at == cs->n)
		return false;
	*c = (struct channel_change){ *at, cs->at[*at].value, cs->at[*at].keep };
	++*at;
	return true;
}

void
channels_touch(struct channels *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		cs->at[i].changed = true;
		cs->at[i].keep = 0;
	}
}

void
channels_settle(struct channels *cs)
{
	for (size_t i = 0; i < cs->n; i++) {
		struct slot *s = &cs->at[i];

		if (s->changed)
			s->keep = SIZE_MAX;
		s->changed = false;
	}
}
