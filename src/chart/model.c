/*
 * model.c - asking a compiled chart, and freeing it.
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

bool
chart_state_is_node(const struct chart *c, unsigned state)
{
	assert(state < c->states.n);
	return c->states.at[state].invokes.n > 0;
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
