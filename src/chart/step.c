/*
 * step.c - which transitions are taken, and the loop around them (SCXML
 * appendix D: selectTransitions, removeConflictingTransitions, microstep,
 * mainEventLoop).
 *
 * Exit sets are the active descendants of a domain, and descendants are a
 * range of numbers: two transitions conflict when one domain holds the other
 * (or is it) and something active is inside.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <string.h>

static bool
is_enabled(struct session *s, const struct transition *t, bool eventless)
{
	if (t->eventless != eventless)
		return false;
	if (!eventless && !transition_matches(s->c, t, s->turn->now.name))
		return false;
	return t->cond == 0 || data_cond(s, t->cond);
}

/* The first transition of this atomic state or of those around it. */
static uint32_t
first_enabled(struct session *s, uint32_t state, bool eventless)
{
	const struct chart *c = s->c;

	for (uint32_t at = state; at != 0; at = c->states.at[at].parent) {
		struct range r = c->states.at[at].transitions;

		for (uint32_t i = r.first; i < r.first + r.n; i++)
			if (is_enabled(s, &c->transitions.at[i], eventless))
				return i;
	}
	return UINT32_MAX;
}

static bool
conflicts(struct session *s, const struct transition *a, const struct transition *b)
{
	const struct chart *c = s->c;
	uint32_t x = transition_domain(s, a), y = transition_domain(s, b), inner, end;

	if (x == DOMAIN_NONE || y == DOMAIN_NONE)
		return false;
	if (x != y && !is_descendant(c, x, y) && !is_descendant(c, y, x))
		return false;
	inner = x > y ? x : y;
	end = c->states.at[inner].last + 1;
	return bit_next(s->conf, inner + 1, end) != end;
}

/* A new candidate wins over those it conflicts with only from deeper inside;
 * else it is dropped, and nothing changes. */
static void
add_enabled(struct session *s, uint32_t candidate)
{
	const struct chart *c = s->c;
	const struct transition *t = &c->transitions.at[candidate];
	struct turn *turn = s->turn;
	size_t kept = 0;

	for (size_t i = 0; i < turn->enabled_n; i++)
		if (turn->enabled[i] == candidate)
			return;
	for (size_t i = 0; i < turn->enabled_n; i++) {
		const struct transition *other = &c->transitions.at[turn->enabled[i]];

		if (conflicts(s, t, other) && !is_descendant(c, t->source, other->source))
			return;
	}
	for (size_t i = 0; i < turn->enabled_n; i++) {
		const struct transition *other = &c->transitions.at[turn->enabled[i]];

		if (!conflicts(s, t, other))
			turn->enabled[kept++] = turn->enabled[i];
	}
	turn->enabled[kept++] = candidate;
	turn->enabled_n = kept;
}

static bool
select_transitions(struct session *s, bool eventless)
{
	const struct chart *c = s->c;
	uint32_t n = (uint32_t)c->states.n;

	s->turn->enabled_n = 0;
	for (uint32_t i = bit_next(s->conf, 1, n); i < n; i = bit_next(s->conf, i + 1, n)) {
		uint32_t t;

		if (!is_atomic(&c->states.at[i]))
			continue;
		t = first_enabled(s, i, eventless);
		if (t != UINT32_MAX)
			add_enabled(s, t);
	}
	return s->turn->enabled_n > 0;
}

static void
collect_exits(struct session *s)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;

	memset(turn->exit, 0, c->words * sizeof turn->exit[0]);
	for (size_t i = 0; i < turn->enabled_n; i++) {
		uint32_t domain = transition_domain(s, &c->transitions.at[turn->enabled[i]]);
		uint32_t end;

		if (domain == DOMAIN_NONE)
			continue;
		end = c->states.at[domain].last + 1;
		for (uint32_t k = bit_next(s->conf, domain + 1, end); k < end;
		    k = bit_next(s->conf, k + 1, end))
			bit_set(turn->exit, k);
	}
}

static void
microstep(struct session *s)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;

	collect_exits(s);
	exit_states(s);
	for (size_t i = 0; i < turn->enabled_n && !turn->limit; i++)
		(void)action_run(s, c->transitions.at[turn->enabled[i]].body);
	enter_states(s);
}

/* Runs until nothing is left to do without an event from outside. */
static void
settle(struct session *s)
{
	struct turn *turn = s->turn;

	while (s->final == NO_STATE && !turn->limit) {
		if (++turn->steps > LIMIT_CHART_STEPS) {
			turn_limit(s);
			return;
		}
		if (select_transitions(s, true))
			microstep(s);
		else if (!turn_next(s))
			return;
		else if (select_transitions(s, false))
			microstep(s);
	}
}

static void
start_invokes(struct session *s)
{
	uint64_t *set = s->turn->invoke;
	uint32_t n = (uint32_t)s->c->states.n;

	for (uint32_t i = bit_next(set, 1, n); i < n; i = bit_next(set, i + 1, n))
		invoke_start(s, i);
	memset(set, 0, s->c->words * sizeof set[0]);
}

/* From the middle of a macrostep to its end, and to the session's if a
 * top-level final was reached. */
void
step_run(struct session *s)
{
	struct turn *turn = s->turn;

	do {
		settle(s);
		if (s->final == NO_STATE && !turn->limit)
			start_invokes(s);
	} while (turn->queue_n > 0 && s->final == NO_STATE && !turn->limit);
	if (s->final != NO_STATE && !turn->limit)
		exit_all(s);
}

/* ---- the door ------------------------------------------------------------ */

int
session_start(struct session *s, const struct effect_sink *out)
{
	const struct chart *c = s->c;
	struct turn turn;

	if (s->started)
		return ERR_CONFLICT;
	s->started = true;
	turn_begin(s, &turn, out);
	if (c->late)
		data_init(s, c->states.at[0].data, true);
	else
		data_init(s, (struct range){ 0, (uint32_t)c->data.n }, true);
	(void)action_run(s, c->script);
	enter_initial(s);
	step_run(s);
	return turn_end(s);
}

int
session_event(struct session *s, const struct chart_event *ev,
    const struct effect_sink *out)
{
	struct turn turn;

	if (!s->started || s->over)
		return OK;
	turn_begin(s, &turn, out);
	turn_set_event(s, (struct event){ .type = EVENT_EXTERNAL, .name = ev->name,
		.hold = VAL_UNDEF, .data = val_ref(ev->data),
		.sendid = ev->sendid.n > 0 ? val_string(ev->sendid) : VAL_UNDEF,
		.origin = ev->origin, .origintype = ev->origintype,
		.invokeid = ev->invokeid });
	if (s->active_n > 0)
		invoke_event(s);
	if (select_transitions(s, false))
		microstep(s);
	step_run(s);
	return turn_end(s);
}

void
session_cancel(struct session *s, const struct effect_sink *out)
{
	struct turn turn;

	if (!s->started || s->over)
		return;
	turn_begin(s, &turn, out);
	exit_all(s);
	(void)turn_end(s);
}
