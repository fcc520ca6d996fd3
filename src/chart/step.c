/*
 * step.c - selects and takes transitions (SCXML appendix D: selectTransitions,
 * removeConflictingTransitions, microstep, mainEventLoop).
 *
 * An exit set is the active descendants of a domain.  A domain contains its
 * source, so it has active descendants, and descendants are a range of
 * numbers: two transitions conflict if one domain contains or equals the
 * other.  The domains of the transitions selected so far are disjoint and in
 * document order; a new one can only overlap the last of them, so selection is
 * linear in the number of active states.
 *
 * SPDX-License-Identifier: MIT
 */
#include "chart/session_priv.h"

#include <assert.h>
#include <string.h>

static bool
holds(struct session *s, const struct transition *t)
{
	size_t errors = s->turn->errors;

	if (data_cond(s, t->cond))
		return true;
	if (s->turn->errors != errors)
		s->turn->blame = (uint32_t)(t - s->c->transitions.at);
	return false;
}

static bool
is_enabled(struct session *s, const struct transition *t, bool eventless)
{
	if (t->eventless != eventless)
		return false;
	if (!eventless && !transition_matches(s->c, t, s->turn->now.name))
		return false;
	return t->cond == 0 || holds(s, t);
}

/* The first enabled transition of an atomic state or its ancestors.  Regions
 * share ancestors; each is visited once in a selection, because the result
 * would be the same. */
static uint32_t
first_enabled(struct session *s, uint32_t state, bool eventless)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;

	for (uint32_t at = state; at != NO_STATE; at = c->states.at[at].parent) {
		const struct state *st = &c->states.at[at];

		if (c->parallels > 0) {
			if (bit_get(turn->tried, at))
				return UINT32_MAX;
			bit_set(turn->tried, at);
		}
		turn->work += st->cost;
		for (uint32_t i = st->transitions.first, end = i + st->transitions.n; i < end; i++)
			if (is_enabled(s, &c->transitions.at[i], eventless))
				return i;
	}
	return UINT32_MAX;
}

static bool
is_nested(const struct chart *c, uint32_t x, uint32_t y)
{
	return x == y || is_descendant(c, x, y) || is_descendant(c, y, x);
}

/* Removes the last transition with a domain. */
static void
remove_top(struct turn *turn)
{
	size_t at = turn->top, rest = turn->enabled_n - at - 1;

	memmove(&turn->enabled[at], &turn->enabled[at + 1], rest * sizeof turn->enabled[0]);
	memmove(&turn->domains[at], &turn->domains[at + 1], rest * sizeof turn->domains[0]);
	turn->enabled_n--;
}

/* A candidate preempts a conflicting transition only if its source is a
 * descendant of the other's source; else it is dropped.  It cannot be a
 * descendant of two sources with disjoint domains, so a candidate that
 * conflicts with the second-last is dropped. */
static void
add_enabled(struct session *s, uint32_t candidate)
{
	const struct chart *c = s->c;
	const struct transition *t = &c->transitions.at[candidate], *other;
	struct turn *turn = s->turn;
	uint32_t domain = transition_domain(s, t);

	if (domain != DOMAIN_NONE && turn->top == NO_INDEX) {
		turn->top = turn->enabled_n;
	} else if (domain != DOMAIN_NONE) {
		if (turn->below != NO_INDEX && is_nested(c, domain, turn->domains[turn->below]))
			return;
		if (!is_nested(c, domain, turn->domains[turn->top])) {
			turn->below = turn->top;
		} else {
			other = &c->transitions.at[turn->enabled[turn->top]];
			if (!is_descendant(c, t->source, other->source))
				return;
			remove_top(turn);
		}
		turn->top = turn->enabled_n;
	}
	assert(turn->enabled_n < COUNT(turn->enabled));
	turn->enabled[turn->enabled_n] = candidate;
	turn->domains[turn->enabled_n++] = domain;
}

static bool
select_transitions(struct session *s, bool eventless)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;
	uint32_t n = (uint32_t)c->states.n;

	turn->enabled_n = 0;
	turn->top = turn->below = NO_INDEX;
	if (c->parallels > 0)
		memset(turn->tried, 0, c->words * sizeof turn->tried[0]);
	for each_bit(i, s->conf, 1, n) {
		uint32_t t;

		if (!is_atomic(&c->states.at[i]))
			continue;
		if (turn->limit)
			return false;
		t = first_enabled(s, i, eventless);
		if (t != UINT32_MAX)
			add_enabled(s, t);
	}
	return turn->enabled_n > 0 && !turn->limit;
}

static void
collect_exits(struct session *s)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;

	memset(turn->exit, 0, c->words * sizeof turn->exit[0]);
	for (size_t i = 0; i < turn->enabled_n; i++) {
		uint32_t domain = turn->domains[i], end;

		if (domain == DOMAIN_NONE)
			continue;
		end = c->states.at[domain].last + 1;
		for each_bit(k, s->conf, domain + 1, end)
			bit_set(turn->exit, k);
	}
}

static void
tell_taken(struct session *s)
{
	const struct chart *c = s->c;
	const struct turn *turn = s->turn;

	for (size_t i = 0; i < turn->enabled_n; i++) {
		const struct transition *t = &c->transitions.at[turn->enabled[i]];
		const struct effect f = { .kind = EFFECT_TAKEN, .state = t->source,
			.name = t->eventless ? STR_NONE : turn->now.name,
			.targets = c->ids.at + t->targets.first,
			.targets_n = t->targets.n, .line = t->line };

		turn_effect(s, &f);
	}
}

static void
microstep(struct session *s)
{
	const struct chart *c = s->c;
	struct turn *turn = s->turn;

	assert(turn->enabled_n > 0);
	turn->blame = turn->enabled[turn->enabled_n - 1];
	if (turn->sink->path)
		tell_taken(s);
	if (turn->top != NO_INDEX) {         /* some have targets */
		turn->moved = true;
		collect_exits(s);
		states_exit(s);
	}
	for (size_t i = 0; i < turn->enabled_n && !turn->limit; i++)
		(void)action_run(s, c->transitions.at[turn->enabled[i]].body);
	if (turn->top != NO_INDEX)
		states_enter(s);
}

/* Takes the transitions of the current event. */
static void
take_event(struct session *s)
{
	const struct event *ev = &s->turn->now;
	const struct effect f = { .kind = EFFECT_UNTAKEN, .name = ev->name, .data = ev->data };

	if (select_transitions(s, false))
		microstep(s);
	else if (s->turn->sink->path && !s->turn->limit)
		turn_effect(s, &f);
}

/* When a limit is exceeded, the chart gets an error event before all others; it
 * continues only if a transition takes it. */
static bool
report_limit(struct session *s)
{
	struct turn *turn = s->turn;

	if (turn->steps > LIMIT_CHART_STEPS)
		turn_limit(s, BOUND_STEPS);
	else if (turn->work > LIMIT_CHART_WORK)
		turn_limit(s, BOUND_WORK);
	if (!turn_tell_limit(s))
		return false;
	if (select_transitions(s, false))
		microstep(s);
	else
		turn->limit = true;
	return !turn->limit;
}

/* Runs until the configuration is stable. */
static void
settle(struct session *s)
{
	struct turn *turn = s->turn;

	while (s->final == NO_STATE) {
		turn->steps++;
		if ((turn->limit || turn->steps > LIMIT_CHART_STEPS ||
		    turn->work > LIMIT_CHART_WORK) && !report_limit(s))
			return;
		if (s->final != NO_STATE)
			return;
		if (s->c->eventless && select_transitions(s, true))
			microstep(s);
		else if (turn->limit)
			continue;
		else if (!turn_next(s))
			return;
		else
			take_event(s);
	}
}

static void
start_invokes(struct session *s)
{
	uint64_t *set = s->turn->invoke;
	uint32_t n = (uint32_t)s->c->states.n;

	for each_bit(i, set, 1, n)
		invoke_start(s, i);
	memset(set, 0, s->c->words * sizeof set[0]);
}

/* Completes the macrostep, and the session if a top-level final was reached. */
void
step_run(struct session *s)
{
	struct turn *turn = s->turn;

	do {
		settle(s);
		if (s->final == NO_STATE && !turn->limit)
			start_invokes(s);
	} while (s->final == NO_STATE && (turn->limit ? !turn->told : turn->queue_n > 0));
	if (s->final != NO_STATE && !turn->limit)
		states_exit_all(s);
}

/* ---- the door ------------------------------------------------------------ */

int
session_start(struct session *s, const struct effect_sink *out)
{
	const struct chart *c = s->c;
	struct turn turn;

	if (s->started)
		return ERR_CONFLICT;
	turn_begin(s, &turn, out);
	s->started = true;
	if (c->late)
		data_init(s, c->states.at[0].data, true);
	else
		data_init(s, (struct range){ 0, (uint32_t)c->data.n }, true);
	(void)action_run(s, c->script);
	states_enter_initial(s);
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
	if (ev->tie != TIE_NONE && !invoke_admits(s, ev)) {
		const struct effect f = { .kind = EFFECT_DROPPED, .name = ev->name,
			.data = ev->data, .invokeid = ev->invokeid, .serial = ev->serial };

		if (out->effect != NULL)
			out->effect(out->ctx, &f);
		return OK;
	}
	turn_begin(s, &turn, out);
	turn.moved = false;
	turn_set_event(s, (struct event){ .type = EVENT_EXTERNAL, .name = ev->name,
		.data = val_ref(ev->data),
		.sendid = val_of_text(ev->sendid),
		.origin = ev->origin, .origintype = ev->origintype,
		.invokeid = ev->invokeid });
	if (s->active_n > 0)
		invoke_event(s, ev);
	take_event(s);
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
	states_exit_all(s);
	(void)turn_end(s);
}
