/*
 * session.c - makes, queries and frees a session.
 *
 * One allocation holds the struct and its arrays; data, histories and running
 * invokes have their own.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

static size_t
slot_words(const struct chart *c)
{
	return (c->slots.n + 63) / 64;
}

static size_t
session_size(const struct chart *c)
{
	return sizeof(struct session) + c->slots.n * sizeof(struct val) +
	    c->histories * sizeof(uint64_t *) +
	    (c->words * (c->late ? 3 : 2) + 2 * slot_words(c)) * sizeof(uint64_t) +
	    (c->parallels + (c->visits ? c->states.n : 0)) * sizeof(uint32_t);
}

struct session *
session_make(const struct chart *c, struct str id)
{
	struct session *s = mem_zero(session_size(c));

	s->slots = (struct val *)(void *)(s + 1);
	s->history = (uint64_t **)(void *)(s->slots + c->slots.n);
	s->conf = (uint64_t *)(void *)(s->history + c->histories);
	s->before = s->conf + c->words;
	s->declared = s->before + c->words;
	s->changed = s->declared + slot_words(c);
	s->entered = c->late ? s->changed + slot_words(c) : NULL;
	s->finals = (uint32_t *)(void *)(s->changed + slot_words(c) +
	    (c->late ? c->words : 0));
	s->visits = c->visits ? s->finals + c->parallels : NULL;
	s->c = c;
	s->id = val_string(id);
	s->final = NO_STATE;
	return s;
}

struct session *
session_new(const struct chart *c, struct str id, struct val params, struct str invokeid)
{
	struct session *s = session_make(c, id);

	s->params = val_ref(params);
	if (invokeid.n > 0)
		s->invokeid = val_string(invokeid);
	return s;
}

void
session_free(struct session *s)
{
	if (s == NULL)
		return;
	assert(s->turn == NULL);             /* the rest may be half restored */
	for (size_t i = 0; i < s->c->slots.n; i++)
		val_drop(s->slots[i]);
	for (size_t i = 0; i < s->c->histories; i++)
		free(s->history[i]);
	for (size_t i = 0; i < s->active_n; i++)
		active_release(&s->active[i]);
	free(s->active);
	val_drop(s->id);
	val_drop(s->invokeid);
	val_drop(s->params);
	val_drop(s->given);
	free(s->why);
	free(s);
}

void
session_give(struct session *s, struct val names)
{
	assert(s->turn == NULL);
	val_drop(s->given);
	s->given = val_ref(names);
}

bool
session_over(const struct session *s)
{
	return s->over;
}

struct str
session_why(const struct session *s)
{
	return s->why != NULL ? str_of(s->why) : STR_NONE;
}

struct str
session_final(const struct session *s)
{
	return s->final != NO_STATE ? s->c->states.at[s->final].id : STR_NONE;
}

bool
session_in(const struct session *s, struct str state_id)
{
	uint32_t state = chart_find(s->c, state_id);

	return state != NO_STATE && bit_get(s->conf, state);
}

size_t
session_configuration(const struct session *s, unsigned *out, size_t max)
{
	uint32_t states = (uint32_t)s->c->states.n;
	size_t n = 0;

	for each_bit(i, s->conf, 1, states) {
		if (!is_atomic(&s->c->states.at[i]))
			continue;
		if (n < max)
			out[n] = i;
		n++;
	}
	return n;
}

uint32_t
set_illegal_state(const struct chart *c, const uint64_t *set, uint32_t top, bool deep)
{
	uint32_t n = deep ? c->states.at[top].last + 1 : top + 1;

	for (uint32_t i = top; i < n; i = bit_next(set, i + 1, n)) {
		const struct state *st = &c->states.at[i];
		uint32_t wanted = st->kind == STATE_PARALLEL ? st->regions : 1;
		uint32_t end = st->last + 1, found = 0;

		if (is_atomic(st))
			continue;
		for (uint32_t k = bit_next(set, i + 1, end); k < end;
		    k = bit_next(set, c->states.at[k].last + 1, end))
			found += c->states.at[k].parent == i;
		if (st->kind == STATE_HISTORY || found != wanted)
			return i;
	}
	return NO_STATE;
}

uint32_t
session_illegal_state(const struct session *s)
{
	return set_illegal_state(s->c, s->conf, 0, true);
}

void
check_session(const struct session *s)
{
	const struct chart *c = s->c;
	uint32_t before = 0;

	assert(s->turn == NULL);
	assert(s->final == NO_STATE || c->states.at[s->final].kind == STATE_FINAL);
	assert(s->why == NULL || s->over);
	assert(s->active_n <= s->active_cap);
	if (!s->started || s->over)
		return;
	assert(session_illegal_state(s) == NO_STATE);
	for (size_t i = 0; i < s->active_n; i++) {
		const struct active *a = &s->active[i];

		assert(a->invoke < c->invokes.n && a->id.kind == VAL_STRING);
		assert(bit_get(s->conf, c->invokes.at[a->invoke].state));
		assert(a->serial > before && a->serial <= s->serial);
		before = a->serial;
	}
}

/* ---- the events that it accepts ------------------------------------------ */

#define WAITS_SHOWN 10           /* names; then "..." */

struct waits {
	struct buf *out;
	struct str seen[WAITS_SHOWN];
	size_t n;
	bool more;
};

static void
add_quoted(struct waits *w, struct str name)
{
	for (size_t i = 0; i < w->n; i++)
		if (str_eq(w->seen[i], name))
			return;
	if (w->n == WAITS_SHOWN) {
		w->more = true;
		return;
	}
	buf_add_fmt(w->out, "%s'%.*s'", w->n > 0 ? ", " : "", FMT(name));
	w->seen[w->n++] = name;
}

static void
add_events(const struct chart *c, const struct transition *t, struct waits *w)
{
	for (uint32_t i = 0; i < t->events.n; i++)
		add_quoted(w, c->descriptors.at[t->events.first + i]);
	if (t->any)
		add_quoted(w, S("*"));
}

void
session_add_waits(const struct session *s, struct buf *out)
{
	const struct chart *c = s->c;
	uint32_t n = (uint32_t)c->states.n;
	struct waits w = { .out = out };

	buf_lit(out, "in ");
	for each_bit(i, s->conf, 1, n)
		if (is_atomic(&c->states.at[i]))
			add_quoted(&w, c->states.at[i].id);
	buf_add_fmt(out, "%s for ", w.more ? ", ..." : "");
	w.n = w.more = 0;
	for (uint32_t i = 0; i < n; i = bit_next(s->conf, i + 1, n)) {
		struct range r = c->states.at[i].transitions;

		for (uint32_t k = r.first; k < r.first + r.n; k++)
			add_events(c, &c->transitions.at[k], &w);
	}
	if (w.n == 0)
		buf_lit(out, "none");
	else if (w.more)
		buf_lit(out, ", ...");
}

static bool
takes(const struct chart *c, uint32_t state, struct str word)
{
	struct range r = c->states.at[state].transitions;

	for (uint32_t k = r.first; k < r.first + r.n; k++) {
		const struct transition *t = &c->transitions.at[k];

		for (uint32_t i = 0; i < t->events.n; i++) {
			struct str d = c->descriptors.at[t->events.first + i];

			if (str_starts(d, word) && (d.n == word.n || d.p[word.n] == '.'))
				return true;
		}
	}
	return false;
}

bool
session_hears(const struct session *s, struct str word)
{
	uint32_t n = (uint32_t)s->c->states.n;

	for (uint32_t i = 0; i < n; i = bit_next(s->conf, i + 1, n))
		if (takes(s->c, i, word))
			return true;
	return false;
}

bool
chart_hears(const struct chart *c, struct str word)
{
	for (uint32_t i = 0; i < c->states.n; i++)
		if (takes(c, i, word))
			return true;
	return false;
}

struct val
session_data(const struct session *s)
{
	return data_object(s);
}

bool
session_slot(const struct session *s, unsigned slot, struct val *out)
{
	assert(slot < s->c->slots.n);
	*out = s->slots[slot];
	return bit_get(s->declared, slot);
}

void
session_set_slot(struct session *s, unsigned slot, struct val v)
{
	assert(s->turn == NULL && slot < s->c->slots.n);
	val_drop(s->slots[slot]);
	s->slots[slot] = v;
	bit_set(s->declared, slot);
	bit_set(s->changed, slot);
}

/* ---- what changed -------------------------------------------------------- */

bool
session_slot_changed(const struct session *s, unsigned slot)
{
	assert(slot < s->c->slots.n);
	return bit_get(s->changed, slot);
}

bool
session_state_changed(const struct session *s, unsigned state)
{
	assert(state < s->c->states.n);
	return bit_get(s->conf, state) != bit_get(s->before, state);
}

bool
session_changed(const struct session *s)
{
	for (size_t i = 0; i < slot_words(s->c); i++)
		if (s->changed[i] != 0)
			return true;
	return memcmp(s->conf, s->before, s->c->words * sizeof *s->conf) != 0;
}

void
session_settle(struct session *s)
{
	assert(s->turn == NULL);
	memset(s->changed, 0, slot_words(s->c) * sizeof *s->changed);
	memcpy(s->before, s->conf, s->c->words * sizeof *s->conf);
}


size_t
session_bytes(const struct session *s)
{
	size_t n = session_size(s->c) + s->active_cap * sizeof *s->active +
	    val_bytes(s->id) + val_bytes(s->params) + val_bytes(s->invokeid);

	for (size_t i = 0; i < s->c->slots.n; i++)
		n += val_bytes(s->slots[i]) - sizeof(struct val);
	for (size_t i = 0; i < s->c->histories; i++)
		n += s->history[i] != NULL ? s->c->words * sizeof(uint64_t) : 0;
	for (size_t i = 0; i < s->active_n; i++)
		for (size_t k = 0; k < ACTIVE_VALS; k++)
			n += val_bytes(s->active[i].vals[k]);
	return n;
}
