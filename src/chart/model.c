/*
 * model.c - queries of a compiled chart, and freeing it.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/model_priv.h"

#include <assert.h>
#include <string.h>

#include "base/mem.h"

void
chart_free(struct chart *c)
{
	if (c == NULL)
		return;
	for (size_t i = 0; i < c->codes.n; i++)
		expr_free(c->codes.at[i].x);
	for (size_t i = 0; i < c->consts.n; i++)
		val_drop(c->consts.at[i]);
	for (size_t i = 0; i < c->children.n; i++)
		chart_free(c->children.at[i]);
	free(c->states.at);
	free(c->transitions.at);
	free(c->ids.at);
	free(c->nested.at);
	free(c->descriptors.at);
	free(c->blocks.at);
	free(c->actions.at);
	free(c->branches.at);
	free(c->sends.at);
	free(c->params.at);
	free(c->invokes.at);
	free(c->data.at);
	free(c->codes.at);
	free(c->consts.at);
	free(c->children.at);
	free(c->slots.at);
	map_release(&c->by_id);
	map_release(&c->by_slot);
	arena_release(&c->arena);
	free(c);
}

struct str
chart_name(const struct chart *c)
{
	return c->name;
}

size_t
chart_states(const struct chart *c)
{
	return c->states.n;
}

struct str
chart_state_id(const struct chart *c, unsigned state)
{
	assert(state < c->states.n);
	return c->states.at[state].id;
}

unsigned
chart_state_parent(const struct chart *c, unsigned state)
{
	assert(state < c->states.n);
	return c->states.at[state].parent;
}

const char *
chart_state_kind(const struct chart *c, unsigned state)
{
	static const char *const kinds[] = { [STATE_ROOT] = "chart", [STATE_ATOMIC] = "atomic",
		[STATE_COMPOUND] = "compound", [STATE_PARALLEL] = "parallel",
		[STATE_FINAL] = "final", [STATE_HISTORY] = "history" };

	assert(state < c->states.n);
	return kinds[c->states.at[state].kind];
}

size_t
chart_transitions(const struct chart *c)
{
	return c->transitions.n;
}

bool
chart_transition_at(const struct chart *c, size_t i, struct chart_transition *out)
{
	const struct transition *t = &c->transitions.at[i];

	assert(i < c->transitions.n);
	*out = (struct chart_transition){ .source = t->source,
		.targets = c->ids.at + t->targets.first, .targets_n = t->targets.n,
		.events = c->descriptors.at + t->events.first, .events_n = t->events.n,
		.any = t->any, .guard = c->codes.at[t->cond].text };
	return t->source != NO_STATE;
}

size_t
chart_slots(const struct chart *c)
{
	return c->slots.n;
}

struct str
chart_slot_name(const struct chart *c, unsigned slot)
{
	assert(slot < c->slots.n);
	return c->slots.at[slot]->name;
}

size_t
chart_state_initial(const struct chart *c, unsigned state, const uint32_t **targets)
{
	uint32_t i;

	assert(state < c->states.n);
	i = c->states.at[state].initial;
	*targets = i == NO_STATE ? NULL : c->ids.at + c->transitions.at[i].targets.first;
	return i == NO_STATE ? 0 : c->transitions.at[i].targets.n;
}

bool
chart_state_is_node(const struct chart *c, unsigned state)
{
	assert(state < c->states.n);
	return c->states.at[state].invokes.n > 0;
}

bool
chart_is_chart_type(struct str type)
{
	return str_eq(type, S(SCXML_TYPE)) || str_eq(type, S("scxml")) ||
	    str_eq(type, S("http://www.w3.org/TR/scxml"));
}

bool
chart_sends_only(const struct chart *c, struct str type)
{
	for (size_t i = 0; i < c->sends.n; i++) {
		const struct send *s = &c->sends.at[i];

		if (s->type.code != 0 || !str_eq(s->type.text, type) || s->delay_ms > 0 ||
		    s->delay.code != 0)
			return false;
	}
	return c->invokes.n == 0;
}

bool
chart_is_event_name(struct str s)
{
	if (s.n == 0 || s.n > LIMIT_NAME_BYTES)
		return false;
	for (size_t i = 0; i < s.n; i++)
		if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '*')
			return false;
	return true;
}

uint32_t
chart_find(const struct chart *c, struct str id)
{
	const struct state *s = map_get(&c->by_id, &id);

	return s != NULL ? (uint32_t)(s - c->states.at) : NO_STATE;
}

int
chart_slot(const struct chart *c, struct str name)
{
	const struct slot *s = map_get(&c->by_slot, &name);

	return s != NULL ? (int)s->index : -1;
}

static uint64_t
mix(uint64_t h, const void *bytes, size_t n)
{
	const unsigned char *p = bytes;

	for (size_t i = 0; i < n; i++)
		h = (h ^ p[i]) * UINT64_C(0x100000001b3);
	return h;
}

/* FNV-1a over the parts that a snapshot refers to: the tree of states, their
 * ids and their numbers of invokes.  The same in every process. */
uint64_t
chart_shape(const struct chart *c)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < c->states.n; i++) {
		const struct state *s = &c->states.at[i];
		const uint32_t form[] = { (uint32_t)s->kind, s->deep, s->depth,
			s->invokes.n, i > 0 ? (uint32_t)s->id.n : 0 };

		for (size_t k = 0; k < COUNT(form); k++) {
			const unsigned char le[] = { (unsigned char)form[k],
				(unsigned char)(form[k] >> 8), (unsigned char)(form[k] >> 16),
				(unsigned char)(form[k] >> 24) };

			h = mix(h, le, sizeof le);
		}
		if (i > 0)
			h = mix(h, s->id.p, s->id.n);
	}
	return h;
}

/* SCXML 3.12.1: a descriptor matches an event of which its tokens are a
 * prefix. */
bool
transition_matches(const struct chart *c, const struct transition *t, struct str event)
{
	const struct str *d;

	if (t->any || t->events.n == 0)
		return t->any;
	d = c->descriptors.at + t->events.first;
	for (uint32_t i = 0; i < t->events.n; i++)
		if (d[i].n <= event.n && memcmp(d[i].p, event.p, d[i].n) == 0 &&
		    (d[i].n == event.n || event.p[d[i].n] == '.'))
			return true;
	return false;
}
